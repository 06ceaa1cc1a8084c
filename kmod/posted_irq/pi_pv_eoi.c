// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an interrupt without an exit (MSR_KVM_PV_EOI_EN, KVM's msr.rst): a bit
 * in guest memory, set while the guest may end its interrupt by clearing it.
 *
 * The offer holds for one entry: it is made after the pick of what to inject and
 * taken back directly after the exit, so the register page is complete whenever
 * anything looks at it. It is made only if the end has no consequence: nothing
 * else is requested, and the interrupt is edge-triggered. What is posted later
 * ends the guest's run first.
 */
#include <linux/kernel.h>

#include "../limen.h"
#include "../mem.h"
#include "pi_local.h"

#define EOI_ENABLE	BIT_ULL(0)
#define EOI_PENDING	BIT(0)

/**
 * pi_pv_eoi_allowed() - is the end of this vCPU's interrupts ours to see?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: false where the CPU virtualizes EOI: then it needs no exit anyway.
 */
bool pi_pv_eoi_allowed(const struct limen_vcpu *vcpu)
{
	return !vcpu->pi.by_hw;
}

/**
 * pi_pv_eoi_offer() - let the guest end its interrupt on its own
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window, before an entry.
 */
void pi_pv_eoi_offer(struct limen_vcpu *vcpu)
{
	u8 flag = EOI_PENDING;

	if (!(vcpu->soft.pv_eoi & EOI_ENABLE) || !pi_pv_eoi_allowed(vcpu))
		return;
	if (!pi_vapic_can_end_quietly(vcpu->pi.page))
		return;
	vcpu->eoi_offered = !limen_spot_write(vcpu->vm, &vcpu->eoi_spot, &flag,
					      sizeof(flag));
}

/**
 * pi_pv_eoi_take() - after an exit: has the guest used the offer?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window, before anything looks at the APIC.
 * Return: false if the page is not at hand: the caller closes the window and calls
 * pi_pv_eoi_settle() before it handles the exit.
 */
bool pi_pv_eoi_take(struct limen_vcpu *vcpu)
{
	u8 flag;

	if (likely(!vcpu->eoi_offered))
		return true;
	if (limen_spot_read(vcpu->vm, &vcpu->eoi_spot, &flag, sizeof(flag)))
		return false;
	if (!(flag & EOI_PENDING)) {
		pi_end_interrupt(vcpu);
		vcpu->stat[LIMEN_STAT_PV_EOIS]++;
	} else {
		flag &= ~EOI_PENDING;
		if (limen_spot_write(vcpu->vm, &vcpu->eoi_spot, &flag, sizeof(flag)))
			return false;
	}
	vcpu->eoi_offered = false;
	return true;
}

/**
 * pi_pv_eoi_settle() - what pi_pv_eoi_take() could not do without sleeping
 * @vcpu: the vCPU
 *
 * If the memory is gone, nobody knows; an interrupt that ended once too often does
 * less harm than one in service for ever.
 *
 * Context: vCPU thread, no window open; may sleep.
 */
void pi_pv_eoi_settle(struct limen_vcpu *vcpu)
{
	u64 gpa = vcpu->soft.pv_eoi & ~EOI_ENABLE;
	u8 flag = 0;

	if (likely(!vcpu->eoi_offered))
		return;
	vcpu->eoi_offered = false;
	if (!limen_mem_read(vcpu->vm, gpa, &flag, sizeof(flag)) &&
	    (flag & EOI_PENDING)) {
		flag &= ~EOI_PENDING;
		limen_mem_write(vcpu->vm, gpa, &flag, sizeof(flag));
		return;
	}
	pi_end_interrupt(vcpu);
	vcpu->stat[LIMEN_STAT_PV_EOIS]++;
}
