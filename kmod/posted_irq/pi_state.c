// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_CLASS_APIC: the local APIC as data, out of a vCPU and into one.
 *
 * What is checked here is what the rest of the room relies on. PPR and the
 * current count follow from the rest; they are written out and not read back.
 */
#include <linux/string.h>

#include "../limen.h"
#include "pi_local.h"

static bool is_derived(u32 off)
{
	return off == PI_REG_PPR || off == PI_REG_TMCCT;
}

/**
 * pi_get_state() - copy the local APIC out
 * @vcpu: the vCPU
 * @out: all of it is written
 *
 * What is posted is folded, and a timer that has fired is posted, so nothing is
 * on the way. Ended level interrupts that the VMM has not been told of are no
 * part of the state: the VMM gets them before LIMEN_EXIT_CONSISTENT.
 *
 * Context: vCPU thread.
 */
void pi_get_state(struct limen_vcpu *vcpu, struct limen_apic *out)
{
	struct pi_vcpu *pi = &vcpu->pi;
	u32 off;

	if (test_and_clear_bit(LIMEN_REQ_TIMER, &vcpu->requests))
		pi_timer_fired(vcpu);
	pi_fold(vcpu);

	memset(out, 0, sizeof(*out));
	out->base = pi->base;
	out->deadline = pi->deadline;
	out->period_left = pi_timer_left(vcpu);
	for (off = 0; off < PI_REG_END; off += PI_REG_STEP)
		if (pi_vapic_is_mmio(off))
			pi_vapic_set(out->regs, off, pi_vapic_get(pi->page, off));
	pi_vapic_set(out->regs, PI_REG_PPR, pi_vapic_ppr(pi->page));
	pi_vapic_set(out->regs, PI_REG_TMCCT, pi_timer_count(vcpu));
	pi_vapic_set(out->regs, PI_REG_ESR_PENDING, READ_ONCE(pi->esr));
}

/* what a guest could not have written, register by register */
static u32 impossible_bits(u32 off, bool x2apic)
{
	if (is_derived(off))
		return 0;
	if (off == PI_REG_ESR || off == PI_REG_ESR_PENDING)
		return ~PI_ESR_BITS;
	if (off == PI_REG_ISR || off == PI_REG_IRR || off == PI_REG_TMR)
		return GENMASK(PI_FIRST_VECTOR - 1, 0);
	if (off > PI_REG_ISR && off < PI_REG_ESR)
		return 0;
	/* fixed values are compared, see has_fixed_values() */
	if (off == PI_REG_ID || off == PI_REG_VERSION || off == PI_REG_DFR)
		return 0;
	if (!pi_vapic_is_mmio(off))
		return ~0u;
	if (x2apic && (off == PI_REG_LDR || off == PI_REG_ICR2))
		return 0;
	return ~pi_vapic_writable(off);
}

static bool has_fixed_values(const u8 *regs, u32 id, bool x2apic)
{
	u32 low = ~pi_vapic_writable(PI_REG_DFR);

	if (pi_vapic_get(regs, PI_REG_VERSION) != PI_VERSION)
		return false;
	if ((pi_vapic_get(regs, PI_REG_DFR) & low) != low)
		return false;
	if (!x2apic)
		return pi_vapic_get(regs, PI_REG_ID) == id << 24;
	return pi_vapic_get(regs, PI_REG_ID) == id &&
	       pi_vapic_get(regs, PI_REG_LDR) == ((id >> 4) << 16 | BIT(id & 15));
}

static bool has_masked_lvts(const u8 *regs)
{
	u32 off;

	if (pi_vapic_get(regs, PI_REG_SVR) & PI_SVR_ENABLED)
		return true;
	for (off = PI_REG_LVT_TIMER; off <= PI_REG_LVT_ERROR; off += PI_REG_STEP)
		if (!(pi_vapic_get(regs, off) & PI_LVT_MASKED))
			return false;
	return true;
}

static bool has_valid_timer(const struct limen_apic *in)
{
	if (in->period_left > pi_timer_max_left(in->regs))
		return false;
	return !in->deadline || pi_timer_is_deadline(in->regs);
}

/* registers are 32 bits at multiples of 16; all else is zero */
static bool has_valid_bits(const u8 *regs, bool x2apic)
{
	u32 off;

	for (off = 0; off < PI_REG_END; off += PI_REG_STEP) {
		if (pi_vapic_get(regs, off) & impossible_bits(off, x2apic))
			return false;
		if (memchr_inv(regs + off + 4, 0, PI_REG_STEP - 4))
			return false;
	}
	return true;
}

/**
 * pi_check_state() - could this be the state of this vCPU's local APIC?
 * @vcpu: the vCPU; its id counts
 * @in: what user space gave
 *
 * Context: any.
 * Return: 0, or -EINVAL.
 */
int pi_check_state(const struct limen_vcpu *vcpu, const struct limen_apic *in)
{
	bool x2apic = (in->base & PI_BASE_MODE) == PI_BASE_MODE;

	if (!pi_base_is_valid(in->base))
		return -EINVAL;
	if (!has_valid_bits(in->regs, x2apic) ||
	    !has_fixed_values(in->regs, vcpu->id, x2apic) ||
	    !has_masked_lvts(in->regs) || !has_valid_timer(in))
		return -EINVAL;
	return 0;
}

/* Who sent the level-triggered ones is not in the state: the VMM is told of both. */
static void note_levels(struct limen_vcpu *vcpu)
{
	unsigned int vector;

	for (vector = PI_FIRST_VECTOR; vector < 256; vector++)
		if (pi_vapic_is_level(vcpu->pi.page, vector))
			pi_irqfd_note(&vcpu->vm->irqfds, PI_MSI_LEVEL | vector);
}

/**
 * pi_set_state() - put state in the place of the local APIC's own
 * @vcpu: the vCPU
 * @in: has passed pi_check_state()
 *
 * What was posted to the old state is dropped.
 *
 * Context: vCPU thread. Call pi_tsc_moved() if the TSC's offset is set later.
 */
void pi_set_state(struct limen_vcpu *vcpu, const struct limen_apic *in)
{
	struct pi_vcpu *pi = &vcpu->pi;
	u32 off;

	pi_timer_stop(vcpu);
	pi_drop(vcpu);
	bitmap_zero(pi->eoi, 256);

	WRITE_ONCE(pi->base, in->base);
	WRITE_ONCE(pi->esr, pi_vapic_get(in->regs, PI_REG_ESR_PENDING));
	for (off = 0; off < PI_REG_END; off += PI_REG_STEP)
		if (pi_vapic_is_mmio(off))
			pi_vapic_store(pi->page, off,
				       pi_vapic_get(in->regs, off));
	note_levels(vcpu);
	pi_vapic_set(pi->page, PI_REG_PPR, pi_vapic_ppr(pi->page));
	pi_vapic_set(pi->page, PI_REG_TMCCT, 0);
	pi->sw_enabled = pi_vapic_get(in->regs, PI_REG_SVR) & PI_SVR_ENABLED;
	pi_mode_changed(vcpu);

	pi->deadline = in->deadline;
	pi_timer_restore(vcpu, in->period_left);
}
