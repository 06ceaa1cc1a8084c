// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features of KVM's paravirtual interface beside the clock: their MSRs, and the
 * steal-time page (Documentation/virt/kvm/x86/msr.rst). The EOI flag is used by
 * posted_irq/pi_pv_eoi.c.
 *
 * Each of them needs its bit in CPUID leaf PV_LEAF. A page that is not in memory
 * is not written; the guest then sees what it put there itself.
 */
#include <linux/kernel.h>

#include "compat.h"
#include "limen.h"
#include "mem.h"
#include "msr.h"
#include "pv.h"

#define PV_ENABLE	BIT_ULL(0)
#define STEAL_RESERVED	GENMASK_ULL(5, 1)
#define EOI_RESERVED	BIT_ULL(1)
#define NOT_LOOKED_UP	((struct limen_spot){ .gen = ~0ull })

struct steal_page {
	u64 steal;	/* ns */
	u32 version;
	u32 flags;
	u8 preempted;
	u8 pad[47];
} __packed;

/* The feature that an MSR belongs to; 0: to none of these */
static u32 feature_of(u32 index)
{
	switch (index) {
	case KVM_STEAL_TIME:
		return PV_STEAL_TIME;
	case KVM_PV_EOI:
		return PV_EOI;
	}
	return 0;
}

/**
 * limen_pv_hides() - is this an MSR of a feature that the VMM does not offer?
 * @vcpu: the vCPU
 * @index: MSR number
 *
 * Context: vcpu->lock.
 */
bool limen_pv_hides(const struct limen_vcpu *vcpu, u32 index)
{
	return feature_of(index) & ~vcpu->pv_features;
}

/**
 * limen_pv_msr_ok() - can this vCPU's MSR hold the value?
 * @vcpu: the vCPU
 * @index: KVM_STEAL_TIME or KVM_PV_EOI
 * @val: the value
 *
 * Context: vcpu->lock.
 */
bool limen_pv_msr_ok(const struct limen_vcpu *vcpu, u32 index, u64 val)
{
	if (limen_pv_hides(vcpu, index))
		return !val;
	return !(val & (index == KVM_PV_EOI ? EOI_RESERVED : STEAL_RESERVED));
}

/**
 * limen_pv_wrmsr() - one of these MSRs is written
 * @vcpu: the vCPU
 * @index: KVM_STEAL_TIME or KVM_PV_EOI
 * @val: the value
 *
 * Context: vCPU thread or vcpu->lock, in a window or not.
 * Return: 0, or -EINVAL: #GP(0).
 */
int limen_pv_wrmsr(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	if (!limen_pv_msr_ok(vcpu, index, val))
		return -EINVAL;
	if (index == KVM_PV_EOI) {
		vcpu->soft.pv_eoi = val;
		vcpu->eoi_spot = NOT_LOOKED_UP;
		return 0;
	}
	vcpu->soft.steal_time = val;
	vcpu->steal_spot = NOT_LOOKED_UP;
	vcpu->steal_seen = limen_run_delay();
	vcpu->steal_stale = true;
	return 0;
}

/**
 * limen_pv_reset() - RESET and INIT turn them all off, the clock included
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 */
void limen_pv_reset(struct limen_vcpu *vcpu)
{
	vcpu->soft.clock_system = 0;
	vcpu->soft.clock_wall = 0;
	vcpu->soft.steal_time = 0;
	vcpu->soft.pv_eoi = 0;
	vcpu->steal_spot = NOT_LOOKED_UP;
	vcpu->eoi_spot = NOT_LOOKED_UP;
}

/**
 * limen_eoi_spot_update() - find the EOI flag again when memory has changed
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; may sleep.
 */
void limen_eoi_spot_update(struct limen_vcpu *vcpu)
{
	struct limen_vm *vm = vcpu->vm;

	if (!(vcpu->soft.pv_eoi & PV_ENABLE) ||
	    vcpu->eoi_spot.gen == READ_ONCE(vm->mem_gen))
		return;
	limen_mem_spot(vm, vcpu->soft.pv_eoi & ~PV_ENABLE, 1, &vcpu->eoi_spot);
}

static u64 steal_gpa(const struct limen_vcpu *vcpu)
{
	return vcpu->soft.steal_time & ~(STEAL_RESERVED | PV_ENABLE);
}

/* Odd version, time, even version: pairs with the guest's read barriers. */
static void add_steal(struct limen_vcpu *vcpu, u64 ns)
{
	u64 gpa = steal_gpa(vcpu);
	struct limen_vm *vm = vcpu->vm;
	struct steal_page page;

	if (limen_mem_read(vm, gpa, &page, offsetof(struct steal_page, flags)))
		return;
	/* odd already: somebody was cut short, and the guest may have seen it */
	page.version += page.version & 1 ? 2 : 1;
	page.steal += ns;
	limen_mem_write(vm, gpa + offsetof(struct steal_page, version), &page.version,
			sizeof(page.version));
	/* see above */
	smp_wmb();
	limen_mem_write(vm, gpa, &page.steal, sizeof(page.steal));
	/* see above */
	smp_wmb();
	page.version++;
	limen_mem_write(vm, gpa + offsetof(struct steal_page, version), &page.version,
			sizeof(page.version));
}

/**
 * limen_steal_update() - tell the guest for how long its CPU was away
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; may sleep.
 */
void limen_steal_update(struct limen_vcpu *vcpu)
{
	u64 gpa = steal_gpa(vcpu) + offsetof(struct steal_page, preempted);
	u64 seen = vcpu->steal_seen, now;
	u8 preempted = 0;

	if (!(vcpu->soft.steal_time & PV_ENABLE))
		return;
	now = limen_run_delay();
	if (!READ_ONCE(vcpu->steal_stale) && now == seen)
		return;
	vcpu->steal_seen = now;
	limen_mem_write(vcpu->vm, gpa, &preempted, sizeof(preempted));
	limen_mem_spot(vcpu->vm, gpa, sizeof(preempted), &vcpu->steal_spot);
	/*
	 * after the page: if we are scheduled out in between it says for a moment
	 * that we run, but never that and "stale" for good
	 */
	barrier();
	WRITE_ONCE(vcpu->steal_stale, false);
	if (now != seen)
		add_steal(vcpu, now - seen);
}

/**
 * limen_steal_pause() - tell the guest that this CPU of it does not run
 * @vcpu: the vCPU
 *
 * Its other CPUs then do not wait for a lock that it holds, or wake it.
 *
 * Context: vCPU thread, IRQs off, also under the scheduler's locks.
 */
void limen_steal_pause(struct limen_vcpu *vcpu)
{
	u8 preempted = 1;

	if (!(vcpu->soft.steal_time & PV_ENABLE) || vcpu->steal_stale)
		return;
	WRITE_ONCE(vcpu->steal_stale, true);
	limen_spot_write(vcpu->vm, &vcpu->steal_spot, &preempted, sizeof(preempted));
}
