// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC as the rest of the module and the guest see it: its life, its
 * modes, and accesses to its registers by MMIO and by MSR.
 *
 * x2APIC mode is always offered; the APIC id is the vCPU's and can't be changed.
 * Exits and their completion are left to the callers.
 */
#include <linux/gfp.h>

#include "../limen.h"
#include "pi_local.h"

#define MSR_APIC_BASE		0x01b
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC_FIRST	0x800
#define MSR_X2APIC_LAST		0x8ff

/**
 * pi_is_x2apic() - are the registers MSRs?
 * @vcpu: the vCPU
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: true in x2APIC mode.
 */
bool pi_is_x2apic(const struct limen_vcpu *vcpu)
{
	return (READ_ONCE(vcpu->pi.base) & PI_BASE_MODE) == PI_BASE_MODE;
}

/**
 * pi_is_xapic() - are the registers in memory?
 * @vcpu: the vCPU
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: true in xAPIC mode.
 */
bool pi_is_xapic(const struct limen_vcpu *vcpu)
{
	return (READ_ONCE(vcpu->pi.base) & PI_BASE_MODE) == PI_BASE_EN;
}

/**
 * pi_is_default_xapic() - are the registers in memory, where everybody expects them?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: true if so.
 */
bool pi_is_default_xapic(const struct limen_vcpu *vcpu)
{
	return pi_is_xapic(vcpu) &&
	       (vcpu->pi.base & ~(PI_BASE_MODE | PI_BASE_BSP)) == PI_BASE_DEFAULT;
}

/**
 * pi_init() - allocate the mailbox and the page, in the state after RESET
 * @vcpu: the vCPU; its id is set
 *
 * Context: may sleep, before the vCPU is published.
 * Return: 0 or -ENOMEM.
 */
int pi_init(struct limen_vcpu *vcpu)
{
	struct pi_vcpu *pi = &vcpu->pi;

	pi->desc = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!pi->desc)
		return -ENOMEM;
	pi->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!pi->page)
		goto err_free_desc;
	pi_timer_init(vcpu);
	pi_reset(vcpu, false);
	return 0;

err_free_desc:
	free_page((unsigned long)pi->desc);
	return -ENOMEM;
}

/**
 * pi_fini() - stop the timer and free the pages
 * @vcpu: the vCPU
 *
 * Context: may sleep; nobody can post to this vCPU any more.
 */
void pi_fini(struct limen_vcpu *vcpu)
{
	pi_timer_fini(vcpu);
	free_page((unsigned long)vcpu->pi.page);
	free_page((unsigned long)vcpu->pi.desc);
}

/**
 * pi_mode_changed() - IA32_APIC_BASE or the whole page was set
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
void pi_mode_changed(struct limen_vcpu *vcpu)
{
	struct pi_vcpu *pi = &vcpu->pi;

	pi->by_hw = limen_ops->pi && limen_ops->pi->deliver &&
		    (pi->base & PI_BASE_EN);
	vcpu->entry.dirty |= LIMEN_G_APIC | LIMEN_G_IRR;
	/* the page at the default address is RAM of nobody's: see npt_map_apic() */
	if (limen_ops->apic_page && !pi_is_default_xapic(vcpu) &&
	    !READ_ONCE(vcpu->vm->apic_page_gone))
		limen_vcpu_request(vcpu, LIMEN_REQ_APIC_PAGE);
}

static void reset_registers(struct limen_vcpu *vcpu)
{
	struct pi_vcpu *pi = &vcpu->pi;

	pi_timer_stop(vcpu);
	pi_drop(vcpu);
	bitmap_zero(pi->eoi, 256);
	WRITE_ONCE(pi->esr, 0);
	pi_vapic_reset(pi->page, vcpu->id, pi_is_x2apic(vcpu));
	pi->sw_enabled = false;
	pi_mode_changed(vcpu);
}

/**
 * pi_reset() - RESET, or INIT
 * @vcpu: the vCPU
 * @init: INIT: the mode in IA32_APIC_BASE stays
 *
 * After RESET vCPU 0 is the bootstrap processor and in virtual wire mode, see
 * pi_vapic_virtual_wire(). What was posted before is dropped.
 *
 * Context: vCPU thread.
 */
void pi_reset(struct limen_vcpu *vcpu, bool init)
{
	struct pi_vcpu *pi = &vcpu->pi;

	if (!init)
		WRITE_ONCE(pi->base, PI_BASE_DEFAULT | PI_BASE_EN |
			   (vcpu->id ? 0 : PI_BASE_BSP));
	reset_registers(vcpu);
	if (!init && !vcpu->id) {
		pi_vapic_virtual_wire(pi->page);
		pi->sw_enabled = true;
	}
}

/**
 * pi_error() - an error is detected
 * @vcpu: the vCPU whose ESR will show it
 * @bit: %PI_ESR_*
 *
 * SDM Vol. 3, "Error Handling": one interrupt until ESR is written. An illegal
 * vector in its own LVT entry is noted, and that is the end of it.
 *
 * Context: any.
 */
void pi_error(struct limen_vcpu *vcpu, unsigned int bit)
{
	unsigned long *esr = &vcpu->pi.esr;
	bool first = !READ_ONCE(*esr);
	u32 lvt = pi_vapic_get(vcpu->pi.page, PI_REG_LVT_ERROR);
	u8 vector = lvt;

	set_bit(bit, esr);
	if (!first || (lvt & PI_LVT_MASKED))
		return;
	if (vector < PI_FIRST_VECTOR)
		set_bit(PI_ESR_RECV_ILLEGAL, esr);
	else
		pi_post(vcpu, vector, false);
}

/**
 * pi_post_lvt() - a source of the local vector table fires
 * @vcpu: the vCPU
 * @off: its LVT register; one that delivers fixed interrupts
 *
 * Context: any.
 */
void pi_post_lvt(struct limen_vcpu *vcpu, u32 off)
{
	u32 lvt = pi_vapic_get(vcpu->pi.page, off);
	u8 vector = lvt;

	if (lvt & PI_LVT_MASKED)
		return;
	if (vector < PI_FIRST_VECTOR)
		pi_error(vcpu, PI_ESR_RECV_ILLEGAL);
	else
		pi_post(vcpu, vector, false);
}

/**
 * pi_pick() - which interrupt can be injected now?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, after pi_fold().
 * Return: its vector, or -1.
 */
int pi_pick(const struct limen_vcpu *vcpu)
{
	if (!(vcpu->pi.base & PI_BASE_EN))
		return -1;
	return pi_vapic_pick(vcpu->pi.page);
}

/**
 * pi_requested() - the highest vector in IRR
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: the vector, or 0.
 */
u8 pi_requested(const struct limen_vcpu *vcpu)
{
	return max(pi_vapic_highest(vcpu->pi.page, PI_REG_IRR), 0);
}

/**
 * pi_in_service() - the highest vector in ISR
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: the vector, or 0.
 */
u8 pi_in_service(const struct limen_vcpu *vcpu)
{
	return max(pi_vapic_highest(vcpu->pi.page, PI_REG_ISR), 0);
}

/**
 * pi_held_class() - what a lower TPR would let in
 * @vcpu: the vCPU; nothing can be picked now
 *
 * Context: vCPU thread, after pi_fold().
 * Return: priority class of the highest requested vector if only TPR is in its
 * way, else 0.
 */
u8 pi_held_class(const struct limen_vcpu *vcpu)
{
	u8 requested = pi_requested(vcpu) >> 4;

	if (!(vcpu->pi.base & PI_BASE_EN) || requested <= pi_in_service(vcpu) >> 4)
		return 0;
	return requested;
}

/**
 * pi_accept() - the vector that was picked is being injected
 * @vcpu: the vCPU
 * @vector: from pi_pick()
 *
 * Context: vCPU thread.
 */
void pi_accept(struct limen_vcpu *vcpu, u8 vector)
{
	pi_vapic_accept(vcpu->pi.page, vector);
}

/**
 * pi_pop_eoi() - next end of a level-triggered interrupt for the VMM
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: its vector, or -1.
 */
int pi_pop_eoi(struct limen_vcpu *vcpu)
{
	unsigned int vector = find_first_bit(vcpu->pi.eoi, 256);

	if (vector == 256)
		return -1;
	__clear_bit(vector, vcpu->pi.eoi);
	return vector;
}

/**
 * pi_takes_extint() - does the 8259A's wire lead into this vCPU?
 * @vcpu: the vCPU
 *
 * Through LINT0, or past an APIC that is off: then to the bootstrap processor
 * only. A software-disabled APIC has LINT0 masked.
 *
 * Context: vCPU thread.
 * Return: true if the vCPU would answer with an INTA cycle.
 */
bool pi_takes_extint(const struct limen_vcpu *vcpu)
{
	u32 lint0 = pi_vapic_get(vcpu->pi.page, PI_REG_LVT_LINT0);

	if (!(vcpu->pi.base & PI_BASE_EN))
		return !vcpu->id;
	return (lint0 & (PI_LVT_MASKED | PI_LVT_MODE)) == PI_MODE_EXTINT << 8;
}

/**
 * pi_hw_eoi() - hardware has ended an interrupt, and was told to say so
 * @vcpu: the vCPU
 * @vector: which
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_hw_eoi(struct limen_vcpu *vcpu, u8 vector)
{
	if (pi_vapic_is_level(vcpu->pi.page, vector))
		__set_bit(vector, vcpu->pi.eoi);
}

/**
 * pi_end_interrupt() - EOI
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_end_interrupt(struct limen_vcpu *vcpu)
{
	int vector = pi_vapic_eoi(vcpu->pi.page);

	if (vector < 0)
		return;
	vcpu->entry.dirty |= LIMEN_G_APIC;	/* ISR */
	pi_hw_eoi(vcpu, vector);
}

static u32 read_register(const struct limen_vcpu *vcpu, u32 off)
{
	const u8 *page = vcpu->pi.page;

	switch (off) {
	case PI_REG_PPR:
		return pi_vapic_ppr(page);
	case PI_REG_TMCCT:
		return pi_timer_count(vcpu);
	}
	return pi_vapic_get(page, off);
}

/* all but ICR in x2APIC mode, where it has 64 bits */
static void write_register(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	struct pi_vcpu *pi = &vcpu->pi;

	switch (off) {
	case PI_REG_EOI:
		pi_end_interrupt(vcpu);
		break;
	case PI_REG_ESR:	/* a write latches, whatever the value */
		pi_vapic_store(pi->page, off, xchg(&pi->esr, 0));
		break;
	case PI_REG_SELF_IPI:
		pi_send_self(vcpu, val);
		break;
	case PI_REG_LVT_TIMER:
	case PI_REG_TMICT:
	case PI_REG_TDCR:
		pi_timer_write(vcpu, off, val);
		break;
	case PI_REG_SVR:
		pi_vapic_write(pi->page, off, val);
		pi->sw_enabled = val & PI_SVR_ENABLED;
		break;
	default:
		pi_vapic_write(pi->page, off, val);
	}
}

static void write_mmio(struct limen_vcpu *vcpu, u32 offset, u32 val)
{
	u8 *page = vcpu->pi.page;

	write_register(vcpu, offset, val);
	if (offset == PI_REG_ICR)
		pi_send_icr(vcpu, pi_vapic_get(page, PI_REG_ICR),
			    pi_vapic_get(page, PI_REG_ICR2));
}

/**
 * pi_mmio() - an access to the xAPIC page
 * @vcpu: the vCPU
 * @offset: into the page, any value
 * @write: direction
 * @val: 32 bits, in or out
 *
 * Context: vCPU thread, also with IRQs off.
 * Return: 0, or -EINVAL where there is no register: a write has had no effect, a
 * read gives 0; or if the APIC is not in xAPIC mode.
 */
int pi_mmio(struct limen_vcpu *vcpu, u32 offset, bool write, u32 *val)
{
	if (!write)
		*val = 0;
	if (!pi_is_xapic(vcpu))
		return -EINVAL;
	if (!pi_vapic_is_mmio(offset)) {
		pi_error(vcpu, PI_ESR_BAD_REGISTER);
		return -EINVAL;
	}
	if (!write) {
		*val = read_register(vcpu, offset);
		return 0;
	}
	write_mmio(vcpu, offset, *val);
	return 0;
}

/**
 * pi_hw_write() - hardware has put a guest's value into a register
 * @vcpu: the vCPU
 * @offset: of the register
 *
 * SDM Vol. 3, "APIC-Write Emulation": the write has happened, its effect is ours. So
 * what was there comes back first. In x2APIC mode it is SELF IPI with an illegal
 * vector, or nothing.
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_hw_write(struct limen_vcpu *vcpu, u32 offset)
{
	u8 *page = vcpu->pi.page;
	u32 val;

	offset = min_t(u32, offset & ~(PI_REG_STEP - 1), PI_REG_END - PI_REG_STEP);
	val = pi_vapic_get(page, offset);
	if (pi_is_xapic(vcpu) && pi_vapic_is_mmio(offset)) {
		if (offset != PI_REG_EOI && offset != PI_REG_TPR)
			pi_vapic_set(page, offset, pi_vapic_kept(page, offset));
		write_mmio(vcpu, offset, val);
	} else if (pi_is_x2apic(vcpu) && offset == PI_REG_SELF_IPI) {
		pi_send_self(vcpu, val);
	}
}

static u64 base_reserved(void)
{
	return ~GENMASK_ULL(limen_caps.phys_bits - 1, 12) &
	       ~(PI_BASE_MODE | PI_BASE_BSP);
}

/**
 * pi_base_is_valid() - can IA32_APIC_BASE hold this value?
 * @val: the value
 *
 * Context: any.
 * Return: false for reserved bits and for x2APIC without the enable bit.
 */
bool pi_base_is_valid(u64 val)
{
	return !(val & base_reserved()) && (val & PI_BASE_MODE) != PI_BASE_EXTD;
}

static int write_base(struct limen_vcpu *vcpu, u64 val)
{
	struct pi_vcpu *pi = &vcpu->pi;
	u64 changed = pi->base ^ val;

	if (!pi_base_is_valid(val) || !pi_base_may_follow(pi->base, val))
		return -EINVAL;
	WRITE_ONCE(pi->base, val);
	/* off loses all that was set: SDM Vol. 3, "Enabling or Disabling ..." */
	if (!(val & PI_BASE_EN))
		reset_registers(vcpu);
	else if (changed & PI_BASE_MODE)
		pi_vapic_set_id(pi->page, vcpu->id, pi_is_x2apic(vcpu));
	pi_mode_changed(vcpu);
	return 0;
}

static int read_x2apic(struct limen_vcpu *vcpu, u32 off, u64 *val)
{
	if (!pi_is_x2apic(vcpu) || !pi_vapic_is_msr(off, false))
		return -EINVAL;
	*val = read_register(vcpu, off);
	if (off == PI_REG_ICR)
		*val |= (u64)pi_vapic_get(vcpu->pi.page, PI_REG_ICR2) << 32;
	return 0;
}

static void write_x2apic_icr(struct limen_vcpu *vcpu, u64 val)
{
	u8 *page = vcpu->pi.page;

	pi_vapic_write(page, PI_REG_ICR, val);
	pi_vapic_store(page, PI_REG_ICR2, upper_32_bits(val));
	pi_send_icr(vcpu, pi_vapic_get(page, PI_REG_ICR), upper_32_bits(val));
}

static int write_x2apic(struct limen_vcpu *vcpu, u32 off, u64 val)
{
	u64 allowed = pi_vapic_writable(off) | pi_vapic_ignored(off);

	if (!pi_is_x2apic(vcpu) || !pi_vapic_is_msr(off, true))
		return -EINVAL;
	if (off == PI_REG_ICR)
		allowed |= GENMASK_ULL(63, 32);
	if (val & ~allowed)
		return -EINVAL;
	if (off == PI_REG_ICR)
		write_x2apic_icr(vcpu, val);
	else
		write_register(vcpu, off, val);
	return 0;
}

/**
 * pi_rdmsr() - a guest reads an MSR of its APIC
 * @vcpu: the vCPU
 * @index: IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800 to 0x8ff
 * @val: the result, untouched on error
 *
 * Context: vCPU thread, also with IRQs off.
 * Return: 0, or -EINVAL: #GP(0).
 */
int pi_rdmsr(struct limen_vcpu *vcpu, u32 index, u64 *val)
{
	switch (index) {
	case MSR_APIC_BASE:
		*val = vcpu->pi.base;
		return 0;
	case MSR_TSC_DEADLINE:
		*val = vcpu->pi.deadline;
		return 0;
	case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
		return read_x2apic(vcpu, (index - MSR_X2APIC_FIRST) * PI_REG_STEP,
				   val);
	}
	return -EINVAL;
}

/**
 * pi_wrmsr() - a guest writes an MSR of its APIC
 * @vcpu: the vCPU
 * @index: IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800 to 0x8ff
 * @val: the value
 *
 * Context: vCPU thread, also with IRQs off.
 * Return: 0, or -EINVAL: #GP(0), nothing changed.
 */
int pi_wrmsr(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	switch (index) {
	case MSR_APIC_BASE:
		return write_base(vcpu, val);
	case MSR_TSC_DEADLINE:
		pi_timer_set_deadline(vcpu, val);
		return 0;
	case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
		return write_x2apic(vcpu, (index - MSR_X2APIC_FIRST) * PI_REG_STEP,
				    val);
	}
	return -EINVAL;
}

/**
 * pi_get_cr8() - CR8 is bits 7:4 of TPR
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: 0 to 15.
 */
u64 pi_get_cr8(const struct limen_vcpu *vcpu)
{
	return pi_vapic_get(vcpu->pi.page, PI_REG_TPR) >> 4;
}

/**
 * pi_set_cr8() - MOV to CR8
 * @vcpu: the vCPU
 * @val: the value
 *
 * Context: vCPU thread, also with IRQs off.
 * Return: 0, or -EINVAL for a reserved bit: #GP(0).
 */
int pi_set_cr8(struct limen_vcpu *vcpu, u64 val)
{
	if (val > 15)
		return -EINVAL;
	pi_vapic_write(vcpu->pi.page, PI_REG_TPR, val << 4);
	return 0;
}
