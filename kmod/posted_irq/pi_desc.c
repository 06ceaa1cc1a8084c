// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox: anyone posts, the vCPU's own thread folds into IRR.
 *
 * No lock. A poster sets its bit and then ON; the vCPU clears ON and then takes
 * the bits. So a poster that finds ON set may go: the bits are yet to be taken.
 * One that finds it clear must see to it that the vCPU looks.
 *
 * A CPU that posts folds the descriptor by itself, and must know by then whether the
 * end of a vector concerns the VMM. So level-triggered vectors have a mailbox of
 * their own, which only the vCPU's thread empties, and a request brings it there.
 */
#include <linux/bitops.h>

#include "../compat.h"
#include "../limen.h"
#include "pi_local.h"

/**
 * pi_post() - request an interrupt of a vCPU
 * @vcpu: its target
 * @vector: 16 to 255
 * @level: trigger mode; its end will be reported to the VMM
 *
 * Context: any, also with IRQs off.
 */
void pi_post(struct limen_vcpu *vcpu, u8 vector, bool level)
{
	struct pi_descriptor *desc = vcpu->pi.desc;

	if (level) {
		set_bit(vector, vcpu->pi.level);
		/* mailbox before request; pairs with take_requests() */
		smp_mb__before_atomic();
		limen_vcpu_request(vcpu, LIMEN_REQ_LEVEL);
		return;
	}
	pi_vapic_set_level(vcpu->pi.page, vector, false);
	/* TMR before PIR; pairs with the xchg() in pi_take() */
	smp_mb__before_atomic();
	set_bit(vector, desc->pir);
	/*
	 * PIR before ON: test_and_set_bit() is a full barrier, and pairs with
	 * the one after clear_bit() in pi_take().
	 */
	if (test_and_set_bit(PI_ON, &desc->control))
		return;
	/* ON before SN: the same barrier; pairs with cmpxchg() in pi_load() */
	if (test_bit(PI_SN, &desc->control))
		rcuwait_wake_up(&vcpu->wait);
	else
		limen_vcpu_notify_posted(vcpu);
}

/**
 * pi_has_posted() - is there something to fold?
 * @vcpu: the vCPU
 *
 * ON alone counts. A bit may have been taken before its poster came to set ON;
 * a vCPU that slept with ON set would not be notified of the next one.
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: true if the vCPU must call pi_fold() before it sleeps or enters.
 */
bool pi_has_posted(const struct limen_vcpu *vcpu)
{
	const struct pi_descriptor *desc = vcpu->pi.desc;
	int i;

	if (test_bit(PI_ON, &desc->control) || !bitmap_empty(vcpu->pi.level, 256))
		return true;
	for (i = 0; i < ARRAY_SIZE(desc->pir); i++)
		if (READ_ONCE(desc->pir[i]))
			return true;
	return false;
}

/**
 * pi_take() - empty the descriptor
 * @desc: the descriptor
 * @bits: what was in it
 *
 * The bits are looked at even if ON is clear: hardware clears it on its own, and
 * a poster sets it after its bit.
 *
 * Context: vCPU thread.
 * Return: true if there was any bit.
 */
bool pi_take(struct pi_descriptor *desc, unsigned long *bits)
{
	unsigned long any = 0;
	int i;

	if (test_bit(PI_ON, &desc->control)) {
		clear_bit(PI_ON, &desc->control);
		/* ON before PIR; pairs with test_and_set_bit() in pi_post() */
		smp_mb__after_atomic();
	}
	for (i = 0; i < ARRAY_SIZE(desc->pir); i++) {
		bits[i] = 0;
		if (READ_ONCE(desc->pir[i]))
			bits[i] = xchg(&desc->pir[i], 0);
		any |= bits[i];
	}
	return any;
}

static void fold_level(struct limen_vcpu *vcpu)
{
	unsigned long *level = vcpu->pi.level;
	unsigned int vector;

	for_each_set_bit(vector, level, 256) {
		clear_bit(vector, level);
		/* TMR before IRR: hardware gets both anew, in one entry */
		pi_vapic_set_level(vcpu->pi.page, vector, true);
		pi_vapic_post(vcpu->pi.page, vector);
	}
	vcpu->entry.dirty |= LIMEN_G_APIC | LIMEN_G_IRR;
}

/**
 * pi_fold() - move posted interrupts into IRR
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
void pi_fold(struct limen_vcpu *vcpu)
{
	unsigned long bits[4];
	unsigned int vector;

	if (unlikely(!bitmap_empty(vcpu->pi.level, 256)))
		fold_level(vcpu);
	if (!pi_take(vcpu->pi.desc, bits))
		return;
	for_each_set_bit(vector, bits, 256)
		pi_vapic_post(vcpu->pi.page, vector);
	vcpu->entry.dirty |= LIMEN_G_IRR;
}

/**
 * pi_drop() - empty both mailboxes, and forget
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
void pi_drop(struct limen_vcpu *vcpu)
{
	unsigned long bits[4];
	int i;

	pi_take(vcpu->pi.desc, bits);
	for (i = 0; i < ARRAY_SIZE(vcpu->pi.level); i++)
		xchg(&vcpu->pi.level[i], 0);
}

/**
 * pi_load() - from now on notifications go to this CPU
 * @vcpu: the vCPU
 * @cpu: where its thread is
 *
 * What was posted before is found by the pi_fold() of the next entry.
 *
 * Context: vCPU thread, preemption off.
 */
void pi_load(struct limen_vcpu *vcpu, int cpu)
{
	unsigned long *control = &vcpu->pi.desc->control;
	unsigned long old = READ_ONCE(*control);
	unsigned long val;

	do {
		val = (old & BIT(PI_ON)) | (unsigned long)limen_posted_vector() << 16 |
		      (unsigned long)limen_apic_id(cpu) << 32;
		/* SN before PIR; pairs with test_and_set_bit() in pi_post() */
	} while (!try_cmpxchg(control, &old, val));
}

/**
 * pi_put() - no notifications: the thread leaves its CPU, and looks when it is back
 * @vcpu: the vCPU
 *
 * Context: vCPU thread or scheduler, preemption off.
 */
void pi_put(struct limen_vcpu *vcpu)
{
	set_bit(PI_SN, &vcpu->pi.desc->control);
}
