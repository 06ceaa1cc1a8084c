// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smallest VMM: one vCPU, one page of memory, a 16-bit guest that prints
 * through port 0xe9 and ends by writing to port 0xf4.
 *
 * Build: cc hello.c -llimen -lpthread
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <liblimen.h>

/*
 *	mov si, message
 * next: lodsb
 *	test al, al
 *	jz done
 *	out 0xe9, al
 *	jmp next
 * done: mov al, 42
 *	out 0xf4, al
 *	hlt
 */
static const unsigned char code[] = {
	0xbe, 0x12, 0x00, 0xac, 0x84, 0xc0, 0x74, 0x04, 0xe6, 0xe9, 0xeb, 0xf7,
	0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0x90,
	'H', 'e', 'l', 'l', 'o', ' ', 'f', 'r', 'o', 'm', ' ', 'a', ' ',
	'g', 'u', 'e', 's', 't', '\n', 0,
};

static struct limen_vcpu *vcpu;
static int status = -1;

static void print(void *opaque, struct limen_access *a)
{
	(void)opaque;
	if (a->write)
		putchar((int)a->data);
}

static void end(void *opaque, struct limen_access *a)
{
	(void)opaque;
	status = (int)a->data;
	limen_vcpu_kick(vcpu);	/* the loop returns before the next instruction */
}

static void check(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, limen_strerror(err));
	exit(1);
}

/* Real mode at address 0: only CS differs from the state after reset. */
static void set_start(void)
{
	struct limen_regs regs = { .rip = 0, .rflags = 2 };
	struct limen_sregs sregs;

	check(limen_get_sregs(vcpu, &sregs), "get registers");
	sregs.seg[LIMEN_CS].base = 0;
	sregs.seg[LIMEN_CS].sel = 0;
	check(limen_set_sregs(vcpu, &sregs), "set segments");
	check(limen_set_regs(vcpu, &regs), "set registers");
}

int main(void)
{
	const struct limen_region con = { .base = 0xe9, .len = 1, .fn = print };
	const struct limen_region fin = { .base = 0xf4, .len = 1, .fn = end };
	struct limen_bus *bus;
	struct limen_vm *vm;
	struct limen *l;
	void *ram;
	int ret;

	check(limen_open(NULL, &l), LIMEN_DEVICE_PATH);
	check(limen_vm_create(l, &vm), "new VM");
	check(limen_ram_add(vm, 0, LIMEN_PAGE_SIZE, LIMEN_MEM_READ |
			    LIMEN_MEM_WRITE | LIMEN_MEM_EXEC, &ram), "memory");
	memcpy(ram, code, sizeof(code));
	check(limen_bus_create(&bus), "bus");
	check(limen_bus_add(bus, LIMEN_BUS_PORT, &con), "port 0xe9");
	check(limen_bus_add(bus, LIMEN_BUS_PORT, &fin), "port 0xf4");
	check(limen_vcpu_create(vm, 0, &vcpu), "vCPU");
	set_start();
	ret = limen_vcpu_loop(vcpu, bus, NULL);
	check(ret, "run");
	if (ret)
		fprintf(stderr, "the guest stopped: %s\n", limen_vcpu_why(vcpu));
	limen_vcpu_destroy(vcpu);
	limen_bus_destroy(bus);
	limen_vm_destroy(vm);
	limen_close(l);
	printf("the guest's status: %d\n", status);
	return ret || status != 42;
}
