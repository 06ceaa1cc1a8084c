# SPDX-License-Identifier: GPL-2.0-only
# Two commands for a newcomer: make demo, make check. The rest is in make help.

CPU ?= svm
KERNEL ?= 6.1
JOBS ?= 2
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
# udev and systemd look in both /usr/lib and /usr/local/lib
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
# where DKMS finds the source
SRCDIR ?= $(PREFIX)/src
KDIR ?= /lib/modules/$(shell uname -r)/build

all: module user

help:
	@echo 'make demo         boot a Linux guest in the emulated AMD-V machine (CPU=vmx: VT-x)'
	@echo 'make check        build, lint and test everything on both machines'
	@echo 'make quick        the same without the long suites'
	@echo 'make shell        a shell in the machine with the module loaded (CPU=, KERNEL=)'
	@echo 'make soak         the long runs; results go to docs/soak/'
	@echo 'make module       limen.ko for this kernel (KDIR=)'
	@echo 'make user         liblimen and the tool'
	@echo 'make install      all of it: tool, library, man pages, udev rule, source for DKMS,'
	@echo '                  and limen.ko if it was built (PREFIX=, DESTDIR=)'
	@echo 'make uninstall    takes all of that away (the same PREFIX=, DESTDIR=)'
	@echo 'make deb          Debian packages, into build/deb (needs debhelper and dh-dkms)'
	@echo 'make setup        fetch and build the emulators and kernels of the lab'
	@echo 'make style        checkpatch, and the sizes of functions and files'
	@echo 'make clean        what was built here; make distclean: says where the cache is'

# A kernel build reads Kbuild, not this file: make -C KDIR M=$(CURDIR)
module:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

user:
	$(MAKE) -C userspace

setup:
	lab/setup

demo:
	lab/demo --cpu $(CPU) --kernel $(KERNEL)

check:
	lab/check

quick:
	lab/check --quick

soak:
	lab/soak

shell:
	lab/setup host bochs guest $(KERNEL)
	$(MAKE) -s -C userspace
	lab/run --cpu $(CPU) --kernel $(KERNEL) --timeout 86400 -- sh

style:
	lab/style

# the kernel that limen.ko was built for
krel = $(if $(wildcard limen.ko),$(firstword $(shell PATH=$$PATH:/sbin modinfo -F vermagic ./limen.ko)))
export DESTDIR PREFIX LIBDIR UDEVDIR SYSUSERSDIR BASHCOMPDIR ZSHCOMPDIR SRCDIR

install: user
	VERSION=$$(cat VERSION) KREL=$(krel) packaging/install

uninstall:
	VERSION=$$(cat VERSION) KREL=$(krel) packaging/install remove

deb:
	packaging/deb build/deb

clean:
	rm -rf build
	if [ -d $(KDIR) ]; then $(MAKE) -s -C $(KDIR) M=$(CURDIR) clean; fi

distclean: clean
	@echo "the cache is $$(lab/setup --where); remove it by hand if you want its space back"

.PHONY: all help module user setup demo check quick soak shell style install uninstall deb clean distclean
