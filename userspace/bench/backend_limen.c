// SPDX-License-Identifier: GPL-2.0-or-later
/* The back end that this is all about, as a VMM would use it: through the library. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <liblimen.h>

#include "bench.h"

static struct limen *dev;
static struct limen_cpuid_table cpuid;
static struct limen_bus *bus;
static bool done;

struct bench_vm {
	struct limen_vm *vm;
	struct limen_vcpu *vcpu;
	struct limen_regs regs;
	struct limen_sregs sregs;
};

static void on_done(void *opaque, struct limen_access *a)
{
	(void)opaque;
	done |= a->write;
}

static void on_other(void *opaque, struct limen_access *a)
{
	(void)opaque;
	if (!a->write)
		a->data = 0;
}

static int open_limen(void)
{
	const struct limen_region regions[] = {
		{ .base = PORT_DONE, .len = 1, .fn = on_done },
		{ .base = PORT_OTHER, .len = 1, .fn = on_other },
		{ .base = BENCH_MMIO, .len = 4096, .fn = on_other },
	};
	int err = limen_open(NULL, &dev);

	if (err)
		return err;
	err = limen_cpuid_offered(dev, &cpuid);
	if (!err)
		err = limen_bus_create(&bus);
	for (int i = 0; !err && i < 3; i++)
		err = limen_bus_add(bus, i == 2 ? LIMEN_BUS_MMIO : LIMEN_BUS_PORT,
				    &regions[i]);
	return err;
}

static void close_limen(void)
{
	limen_bus_destroy(bus);
	limen_close(dev);
}

static void destroy(struct bench_vm *vm)
{
	if (vm->vcpu)
		limen_vcpu_destroy(vm->vcpu);
	if (vm->vm)
		limen_vm_destroy(vm->vm);
	free(vm);
}

static int create(void *mem, size_t len, struct bench_vm **out)
{
	struct bench_vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return -ENOMEM;
	err = limen_vm_create(dev, &vm->vm);
	if (!err)
		err = limen_map(vm->vm, 0, len, LIMEN_MEM_READ | LIMEN_MEM_WRITE |
				LIMEN_MEM_EXEC, mem);
	if (!err)
		err = limen_vcpu_create(vm->vm, 0, &vm->vcpu);
	if (!err)
		err = limen_vcpu_set_cpuid(vm->vcpu, &cpuid);
	if (err) {
		destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

static struct limen_segment segment(uint16_t sel, uint32_t ar)
{
	return (struct limen_segment){ .sel = sel, .ar = ar, .limit = 0xffffffff };
}

static int start(struct bench_vm *vm, uint64_t count)
{
	struct limen_regs regs = {
		.rip = BENCH_CODE, .rflags = 2,
		.gpr[LIMEN_RSP] = BENCH_STACK, .gpr[LIMEN_R15] = count,
	};
	struct limen_sregs s;
	int err = limen_get_sregs(vm->vcpu, &s);

	if (err)
		return err;
	s.seg[LIMEN_CS] = segment(8, 0xa09b);
	for (int i = LIMEN_ES; i <= LIMEN_GS; i++)
		if (i != LIMEN_CS)
			s.seg[i] = segment(16, 0xc093);
	s.gdt.base = BENCH_GDT;
	s.gdt.limit = 23;
	s.idt.base = BENCH_IDT;
	s.idt.limit = 4095;
	s.cr0 = 0x80000033;
	s.cr3 = BENCH_TABLES;
	s.cr4 = 0x620;
	s.efer = 0x500;
	err = limen_set_sregs(vm->vcpu, &s);
	return err ? err : limen_set_regs(vm->vcpu, &regs);
}

static int run(struct bench_vm *vm)
{
	struct limen_run *page = limen_vcpu_page(vm->vcpu);
	int err = limen_vcpu_run(vm->vcpu);

	if (err)
		return err;
	done = false;
	switch (page->exit) {
	case LIMEN_EXIT_IO:
		err = limen_complete_io(vm->vcpu, bus);
		break;
	case LIMEN_EXIT_MMIO:
		err = limen_complete_mmio(vm->vcpu, bus);
		break;
	default:
		return -EPROTO;
	}
	if (err)
		return err;
	return done ? BENCH_DONE : BENCH_ACCESS;
}

static int msi(struct bench_vm *vm, uint32_t vector)
{
	int ret = limen_msi(vm->vm, 0xfee00000, vector);

	return ret < 0 ? ret : 0;
}

static int get_state(struct bench_vm *vm)
{
	int err = limen_get_regs(vm->vcpu, &vm->regs);

	return err ? err : limen_get_sregs(vm->vcpu, &vm->sregs);
}

static int set_state(struct bench_vm *vm)
{
	int err;

	if (!vm->regs.rflags && (err = get_state(vm)))
		return err;
	err = limen_set_regs(vm->vcpu, &vm->regs);
	return err ? err : limen_set_sregs(vm->vcpu, &vm->sregs);
}

const struct backend backend_limen = {
	.name = "limen", .open = open_limen, .close = close_limen, .create = create,
	.destroy = destroy, .start = start, .run = run, .msi = msi,
	.get_state = get_state, .set_state = set_state,
};
