// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM by its raw interface, at its best: split interrupt chip, no device of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "bench.h"

#define MAX_CPUID	256

static int dev = -1;
static int run_size;
static struct kvm_cpuid2 *cpuid;

struct bench_vm {
	int vm, vcpu;
	struct kvm_run *run;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	bool has_state;
};

static int call(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

/* what KVM says it has only with an interrupt chip */
static void offer_apic(void)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 21 | 1u << 24;
}

static int open_kvm(void)
{
	int err;

	dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return -errno;
	run_size = call(dev, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (run_size < 0)
		return run_size;
	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_CPUID;
	err = call(dev, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (!err)
		offer_apic();
	return err;
}

static void close_kvm(void)
{
	free(cpuid);
	close(dev);
}

static void destroy(struct bench_vm *vm)
{
	if (vm->run)
		munmap(vm->run, run_size);
	if (vm->vcpu >= 0)
		close(vm->vcpu);
	if (vm->vm >= 0)
		close(vm->vm);
	free(vm);
}

static int make_vcpu(struct bench_vm *vm)
{
	void *run;
	int err;

	vm->vcpu = call(vm->vm, KVM_CREATE_VCPU, NULL);
	if (vm->vcpu < 0)
		return vm->vcpu;
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (run == MAP_FAILED)
		return -errno;
	vm->run = run;
	err = call(vm->vcpu, KVM_SET_CPUID2, cpuid);
	return err;
}

static int create(void *mem, size_t len, struct bench_vm **out)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = len, .userspace_addr = (uintptr_t)mem,
	};
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct bench_vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return -ENOMEM;
	vm->vcpu = -1;
	vm->vm = call(dev, KVM_CREATE_VM, NULL);
	err = vm->vm < 0 ? vm->vm : 0;
	if (!err)
		err = call(vm->vm, KVM_ENABLE_CAP, &split);
	if (!err)
		err = call(vm->vm, KVM_SET_USER_MEMORY_REGION, &slot);
	if (!err)
		err = make_vcpu(vm);
	if (err) {
		destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

static struct kvm_segment segment(uint16_t sel, uint8_t type, bool code)
{
	return (struct kvm_segment){
		.selector = sel, .limit = 0xffffffff, .type = type, .present = 1,
		.s = 1, .g = 1, .l = code, .db = !code,
	};
}

static int start(struct bench_vm *vm, uint64_t count)
{
	struct kvm_regs regs = {
		.rip = BENCH_CODE, .rflags = 2, .rsp = BENCH_STACK, .r15 = count,
	};
	struct kvm_sregs s;
	int err = call(vm->vcpu, KVM_GET_SREGS, &s);

	if (err)
		return err;
	s.cs = segment(8, 11, true);
	s.ds = s.es = s.ss = s.fs = s.gs = segment(16, 3, false);
	s.gdt.base = BENCH_GDT;
	s.gdt.limit = 23;
	s.idt.base = BENCH_IDT;
	s.idt.limit = 4095;
	s.cr0 = 0x80000033;
	s.cr3 = BENCH_TABLES;
	s.cr4 = 0x620;
	s.efer = 0x500;
	err = call(vm->vcpu, KVM_SET_SREGS, &s);
	return err ? err : call(vm->vcpu, KVM_SET_REGS, &regs);
}

static int on_io(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	if (run->io.direction == KVM_EXIT_IO_IN)
		memset(data, 0, (size_t)run->io.size * run->io.count);
	return run->io.port == PORT_DONE ? BENCH_DONE : BENCH_ACCESS;
}

static int run(struct bench_vm *vm)
{
	int err = call(vm->vcpu, KVM_RUN, NULL);

	if (err)
		return err;
	switch (vm->run->exit_reason) {
	case KVM_EXIT_IO:
		return on_io(vm->run);
	case KVM_EXIT_MMIO:
		if (!vm->run->mmio.is_write)
			memset(vm->run->mmio.data, 0, sizeof(vm->run->mmio.data));
		return BENCH_ACCESS;
	}
	return -EPROTO;
}

static int msi(struct bench_vm *vm, uint32_t vector)
{
	struct kvm_msi arg = { .address_lo = 0xfee00000, .data = vector };
	int ret = call(vm->vm, KVM_SIGNAL_MSI, &arg);

	return ret < 0 ? ret : 0;
}

static int get_state(struct bench_vm *vm)
{
	int err = call(vm->vcpu, KVM_GET_REGS, &vm->regs);

	if (!err)
		err = call(vm->vcpu, KVM_GET_SREGS, &vm->sregs);
	vm->has_state = !err;
	return err;
}

static int set_state(struct bench_vm *vm)
{
	int err;

	if (!vm->has_state && (err = get_state(vm)))
		return err;
	err = call(vm->vcpu, KVM_SET_REGS, &vm->regs);
	return err ? err : call(vm->vcpu, KVM_SET_SREGS, &vm->sregs);
}

const struct backend backend_kvm = {
	.name = "kvm", .open = open_kvm, .close = close_kvm, .create = create,
	.destroy = destroy, .start = start, .run = run, .msi = msi,
	.get_state = get_state, .set_state = set_state,
};
