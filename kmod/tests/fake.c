// SPDX-License-Identifier: GPL-2.0-only
/*
 * The third vendor, which is not hardware, and stand-ins for the module's files
 * that need a CPU or an address space.
 *
 * The fake CPU keeps its own copy of the guest's state. It takes over the groups
 * that are dirty at an entry, and scrambles in memory what an exit leaves in
 * hardware: code that reads a group without fetching it reads garbage.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../compat.h"
#include "../fpu.h"
#include "../host_check.h"
#include "../ioevent.h"
#include "../mem.h"
#include "../npt/npt_mmu.h"
#include "../run.h"
#include "../vcpu.h"
#include "fake.h"

#define GARBAGE	0xa5

struct fake fake = { .tsc = 1000000 };
struct limen_caps limen_caps = { .phys_bits = 40 };

/* ---- the vendor ---- */

static void store(struct fake_cpu *cpu, struct limen_vcpu *vcpu, u32 groups)
{
	cpu->regs.rip = vcpu->regs.rip;
	cpu->regs.rflags = vcpu->regs.rflags;
	if (groups & LIMEN_G_SEG) {
		memcpy(cpu->sregs.seg, vcpu->sregs.seg, sizeof(cpu->sregs.seg));
		cpu->sregs.gdt = vcpu->sregs.gdt;
		cpu->sregs.idt = vcpu->sregs.idt;
	}
	if (groups & LIMEN_G_CR) {
		cpu->sregs.cr0 = vcpu->sregs.cr0;
		cpu->sregs.cr3 = vcpu->sregs.cr3;
		cpu->sregs.cr4 = vcpu->sregs.cr4;
		cpu->sregs.efer = vcpu->sregs.efer;
		memcpy(cpu->sregs.pdpte, vcpu->sregs.pdpte, sizeof(cpu->sregs.pdpte));
	}
	if (groups & LIMEN_G_CR2)
		cpu->sregs.cr2 = vcpu->sregs.cr2;
	if (groups & LIMEN_G_DR)
		cpu->dr = vcpu->dr;
	if (groups & LIMEN_G_SYS)
		cpu->sys = vcpu->sys;
	if (groups & LIMEN_G_INTR) {
		cpu->shadow = vcpu->ev.shadow;
		cpu->nmi_blocked = vcpu->ev.nmi_blocked;
	}
}

static void load(struct limen_vcpu *vcpu, const struct fake_cpu *cpu, u32 groups)
{
	if (groups & LIMEN_G_SEG) {
		memcpy(vcpu->sregs.seg, cpu->sregs.seg, sizeof(cpu->sregs.seg));
		vcpu->sregs.gdt = cpu->sregs.gdt;
		vcpu->sregs.idt = cpu->sregs.idt;
	}
	if (groups & LIMEN_G_CR) {
		vcpu->sregs.cr0 = cpu->sregs.cr0;
		vcpu->sregs.cr3 = cpu->sregs.cr3;
		vcpu->sregs.cr4 = cpu->sregs.cr4;
		vcpu->sregs.efer = cpu->sregs.efer;
		memcpy(vcpu->sregs.pdpte, cpu->sregs.pdpte, sizeof(cpu->sregs.pdpte));
	}
	if (groups & LIMEN_G_CR2)
		vcpu->sregs.cr2 = cpu->sregs.cr2;
	if (groups & LIMEN_G_DR)
		vcpu->dr = cpu->dr;
	if (groups & LIMEN_G_SYS)
		vcpu->sys = cpu->sys;
	if (groups & LIMEN_G_INTR) {
		vcpu->ev.shadow = cpu->shadow;
		vcpu->ev.nmi_blocked = cpu->nmi_blocked;
	}
}

static int fake_vcpu_init(struct limen_vcpu *vcpu)
{
	vcpu->fake = kzalloc(sizeof(*fake_cpu(vcpu)), GFP_KERNEL);
	if (!vcpu->fake)
		return -ENOMEM;
	vcpu->entry.dirty = LIMEN_G_ALL;
	vcpu->valid = LIMEN_G_ALL;
	return 0;
}

static void fake_vcpu_fini(struct limen_vcpu *vcpu)
{
	kfree(vcpu->fake);
}

static int fake_open(struct limen_vcpu *vcpu)
{
	struct fake_cpu *cpu = fake_cpu(vcpu);

	cpu->wrong |= cpu->open || !irqs_disabled();
	if (cpu->busy) {
		cpu->busy--;
		return -EAGAIN;
	}
	cpu->open = true;
	cpu->nr_opened++;
	return 0;
}

static void fake_close(struct limen_vcpu *vcpu)
{
	struct fake_cpu *cpu = fake_cpu(vcpu);

	cpu->wrong |= !cpu->open || !irqs_disabled();
	cpu->open = false;
}

static void deliver(struct fake_cpu *cpu, const struct limen_entry *entry)
{
	if ((entry->event & LIMEN_EVENT_VALID) &&
	    LIMEN_EVENT_TYPE(entry->event) == LIMEN_TYPE_NMI)
		cpu->nmi_blocked = 1;
}

static void fake_enter(struct limen_vcpu *vcpu)
{
	static const struct limen_exit end = { .kind = LIMEN_KIND_UNKNOWN };
	struct fake_cpu *cpu = fake_cpu(vcpu);

	cpu->wrong |= !cpu->open || !irqs_disabled();
	/* a group that is dirty must be the newest there is */
	cpu->wrong |= vcpu->entry.dirty & ~vcpu->valid & LIMEN_G_ALL &
		      ~LIMEN_G_TSC;
	store(cpu, vcpu, vcpu->entry.dirty);
	deliver(cpu, &vcpu->entry);
	if (cpu->nr_entered < FAKE_ENTRIES)
		cpu->entered[cpu->nr_entered] = vcpu->entry;
	cpu->nr_entered++;
	memset(&vcpu->entry, 0, sizeof(vcpu->entry));

	memset(&vcpu->dr, GARBAGE, sizeof(vcpu->dr));
	memset(&vcpu->sys, GARBAGE, sizeof(vcpu->sys));
	memset(vcpu->sregs.seg, GARBAGE, sizeof(vcpu->sregs.seg));
	memset(&vcpu->sregs.cr0, GARBAGE, 4 * sizeof(u64));
	vcpu->sregs.efer = GARBAGE;
	vcpu->ev.shadow = GARBAGE;
	vcpu->ev.nmi_blocked = GARBAGE;
	vcpu->valid = LIMEN_G_REGS;

	if (cpu->in_guest)
		cpu->in_guest(vcpu, cpu->pos);
	vcpu->exit = cpu->pos < cpu->nr_script ? cpu->script[cpu->pos] : end;
	cpu->pos++;
}

static void fake_fetch(struct limen_vcpu *vcpu, u32 groups)
{
	struct fake_cpu *cpu = fake_cpu(vcpu);

	cpu->wrong |= !cpu->open;
	load(vcpu, cpu, groups);
	vcpu->valid |= groups;
}

static void fake_put(struct limen_vcpu *vcpu)
{
	fake_cpu(vcpu)->wrong |= fake_cpu(vcpu)->open;
}

/* The test plays the CPU that logs */
static void fake_read_log(struct limen_vcpu *vcpu)
{
	fake_cpu(vcpu)->wrong |= !fake_cpu(vcpu)->open;
}

static const struct limen_ops fake_ops = {
	.name = "fake",
	.npt = &npt_format_ept,
	.vcpu_init = fake_vcpu_init,
	.vcpu_fini = fake_vcpu_fini,
	.open = fake_open,
	.close = fake_close,
	.enter = fake_enter,
	.fetch = fake_fetch,
	.put = fake_put,
	.read_log = fake_read_log,
};

const struct limen_ops *limen_ops = &fake_ops;

void fake_set_script(struct limen_vcpu *vcpu, const struct limen_exit *exits, int n)
{
	struct fake_cpu *cpu = fake_cpu(vcpu);

	cpu->script = exits;
	cpu->nr_script = n;
	cpu->pos = 0;
	cpu->nr_entered = 0;
	cpu->nr_opened = 0;
}

/* ---- the host ---- */

u64 limen_host_tsc(void)
{
	return fake.tsc;
}

u32 limen_tsc_khz(void)
{
	return FAKE_TSC_KHZ;
}

int limen_guest_work(void)
{
	fake.work = false;
	return 0;
}

bool limen_guest_work_pending(void)
{
	return fake.work;
}

void limen_resched_cpu(int cpu)
{
	atomic_add(cpu == FAKE_ELSEWHERE, &fake.kicks);
}

void limen_posted_ipi(int cpu)
{
	atomic_add(cpu == FAKE_ELSEWHERE, &fake.posted);
}

u8 limen_posted_vector(void)
{
	return 0xf2;
}

u32 limen_apic_id(int cpu)
{
	return cpu + 0x40;
}

void limen_rcu_note(int cpu)
{
}

u64 limen_run_delay(void)
{
	return fake.run_delay;
}

bool limen_has_run_delay(void)
{
	return true;
}

void limen_vm_kill(struct limen_vm *vm, const char *why)
{
	WRITE_ONCE(vm->dead, true);
}

void limen_host_check_open(void)
{
}

void limen_host_check_close(void)
{
}

/* ---- the guest's FPU state ---- */

u64 limen_fpu_xcr0(void)
{
	return 0xe7;
}

u32 limen_fpu_size(void)
{
	return 576;
}

int limen_fpu_init(struct limen_vcpu *vcpu)
{
	vcpu->fpu = kzalloc(limen_fpu_size(), GFP_KERNEL);
	return vcpu->fpu ? 0 : -ENOMEM;
}

void limen_fpu_fini(struct limen_vcpu *vcpu)
{
	kfree(vcpu->fpu);
}

void limen_fpu_reset(struct limen_vcpu *vcpu)
{
}

void limen_fpu_load(struct limen_vcpu *vcpu)
{
	fake.fpu_depth++;
}

void limen_fpu_save(struct limen_vcpu *vcpu)
{
	fake.fpu_depth--;
}

void *limen_fpu_image(struct limen_vcpu *vcpu)
{
	return vcpu->fpu;
}

int limen_fpu_check(const void *image)
{
	return 0;
}

/* ---- guest memory ---- */

static bool is_memory(u64 gpa, size_t len)
{
	return fake.mem && gpa < FAKE_MEM && len <= FAKE_MEM - gpa;
}

int limen_mem_read(struct limen_vm *vm, u64 gpa, void *buf, size_t len)
{
	if (!is_memory(gpa, len))
		return -EFAULT;
	memcpy(buf, fake.mem + gpa, len);
	return 0;
}

int limen_mem_fetch(struct limen_vm *vm, u64 gpa, void *buf, size_t len)
{
	return limen_mem_read(vm, gpa, buf, len);
}

int limen_mem_write(struct limen_vm *vm, u64 gpa, const void *buf, size_t len)
{
	if (!is_memory(gpa, len))
		return -EFAULT;
	memcpy(fake.mem + gpa, buf, len);
	return 0;
}

int limen_mem_cmpxchg(struct limen_vm *vm, u64 gpa, u64 old, u64 new, int size)
{
	if (!is_memory(gpa, size))
		return -EFAULT;
	if (memcmp(fake.mem + gpa, &old, size))
		return -EAGAIN;
	memcpy(fake.mem + gpa, &new, size);
	return 0;
}

int limen_mem_spot(struct limen_vm *vm, u64 gpa, size_t len, struct limen_spot *spot)
{
	spot->hva = is_memory(gpa, len) ? (unsigned long)fake.mem + gpa : 0;
	spot->gen = vm->mem_gen;
	return spot->hva ? 0 : -EFAULT;
}

static bool spot_works(const struct limen_vm *vm, const struct limen_spot *spot)
{
	return irqs_disabled() && spot->hva && spot->gen == vm->mem_gen &&
	       !fake.paged_out;
}

int limen_spot_read(struct limen_vm *vm, const struct limen_spot *spot, void *buf,
		    size_t len)
{
	if (!spot_works(vm, spot))
		return -EFAULT;
	memcpy(buf, (void *)(unsigned long)spot->hva, len);
	return 0;
}

int limen_spot_write(struct limen_vm *vm, struct limen_spot *spot, const void *buf,
		     size_t len)
{
	if (!spot_works(vm, spot))
		return -EFAULT;
	memcpy((void *)(unsigned long)spot->hva, buf, len);
	return 0;
}

void limen_spot_settle(struct limen_vcpu *vcpu, struct limen_spot *spot)
{
}

void npt_flush_all(struct limen_vm *vm)
{
	fake.npt_flushes++;
}

void npt_kick_all(struct limen_vm *vm)
{
	fake.npt_kicks++;
}

bool npt_map_apic(struct limen_vm *vm)
{
	return false;
}

void npt_hide_apic(struct limen_vm *vm)
{
	vm->apic_page_gone = true;
}

int npt_fault(struct limen_vcpu *vcpu, u64 gpa, u32 access)
{
	return fake.npt_fault;
}

/* ---- eventfds ---- */

bool limen_ioevent_is_at(struct limen_vm *vm, u64 gpa)
{
	return fake.ioevents && limen_ioevent_has(fake.ioevents, LIMEN_IOEVENT_MMIO, gpa);
}

bool limen_ioevent_write(struct limen_vcpu *vcpu, u8 space, u64 addr, u8 len,
			 u64 val)
{
	if (!fake.ioevents || !limen_ioevent_find(fake.ioevents, space, addr, len, val))
		return false;
	fake.ioevents_hit++;
	return true;
}

bool pi_irqfd_eoi(struct pi_irqfds *irqfds, u8 vector)
{
	return fake.resampled == vector;
}

/* ---- objects that live as long as a test ---- */

struct which {
	struct limen_vm *vm;
	u32 id;
};

static int create_vcpu(struct kunit_resource *res, void *data)
{
	const struct which *which = data;
	struct limen_vcpu *vcpu = limen_vcpu_create(which->vm, which->id);

	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	res->data = vcpu;
	return 0;
}

static void destroy_vcpu(struct kunit_resource *res)
{
	limen_vcpu_destroy(res->data);
}

static void add_vcpu(struct kunit *test, struct limen_vm *vm, u32 id)
{
	struct which which = { vm, id };
	struct limen_vcpu *vcpu = kunit_alloc_resource(test, create_vcpu, destroy_vcpu,
						       GFP_KERNEL, &which);

	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->tsc_offset = 0;
	vm->vcpu[id] = vcpu;
	vm->nr_vcpus++;
}

static struct limen_vm *empty_vm(struct kunit *test)
{
	struct limen_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	fake = (struct fake){ .tsc = 1000000 };
	mutex_init(&vm->lock);
	init_rwsem(&vm->mem_sem);
	spin_lock_init(&vm->mmu_lock);
	return vm;
}

struct limen_vm *fake_vm(struct kunit *test, u32 nr)
{
	struct limen_vm *vm = empty_vm(test);
	u32 id;

	for (id = 0; id < nr; id++)
		add_vcpu(test, vm, id);
	return vm;
}

struct limen_vcpu *fake_vcpu(struct kunit *test, u32 id)
{
	struct limen_vm *vm = empty_vm(test);

	add_vcpu(test, vm, id);
	return vm->vcpu[id];
}

u8 *fake_mem(struct kunit *test)
{
	fake.mem = kunit_kzalloc(test, FAKE_MEM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake.mem);
	return fake.mem;
}

void fake_long_mode(struct limen_vcpu *vcpu)
{
	vcpu->sregs.cr0 = 0x80000031;	/* PG, NE, ET, PE */
	vcpu->sregs.cr4 = 0x20;		/* PAE */
	vcpu->sregs.efer = 0xd01;	/* NXE, LMA, LME, SCE */
	vcpu->sregs.seg[LIMEN_CS].ar = 0xa09b;
	vcpu->sregs.seg[LIMEN_CS].base = 0;
	vcpu->sregs.seg[LIMEN_SS].ar = 0xc093;
	vcpu->regs.rflags = 0x202;
	vcpu->cr4_allowed = 0x3727ff;
	vcpu->efer_allowed = 0xd01;
	vcpu->xcr0_allowed = 0xe7;
	limen_dirty(vcpu, LIMEN_G_ALL);
}

int fake_run(struct kunit *test, struct limen_vcpu *vcpu)
{
	int err;

	preempt_notifier_inc();
	err = limen_run(vcpu);
	preempt_notifier_dec();
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->wrong);
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->open);
	KUNIT_EXPECT_EQ(test, fake.fpu_depth, 0);
	KUNIT_EXPECT_EQ(test, vcpu->where, (int)LIMEN_OUTSIDE);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
	return err ?: vcpu->run->exit;
}

MODULE_DESCRIPTION("KUnit tests of Limen");
MODULE_LICENSE("GPL");
