// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register logic of a local APIC, on its page alone: which registers and bits
 * exist, priorities, the way of a vector through IRR and ISR, RESET values.
 *
 * Called by the rest of this room, by the vCPU thread unless a function says
 * otherwise. Timer counting, sending and access rights are left to the callers.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "pi_vapic.h"

#define ONE(off)	BIT_ULL((off) / PI_REG_STEP)
#define EIGHT(off)	(0xffull << ((off) / PI_REG_STEP))

#define LVTS	(ONE(PI_REG_LVT_TIMER) | ONE(PI_REG_LVT_THERMAL) | \
		 ONE(PI_REG_LVT_PERF) | ONE(PI_REG_LVT_LINT0) | \
		 ONE(PI_REG_LVT_LINT1) | ONE(PI_REG_LVT_ERROR))

/* in both modes, to read and to write */
#define COMMON	(ONE(PI_REG_TPR) | ONE(PI_REG_SVR) | ONE(PI_REG_ESR) | \
		 ONE(PI_REG_ICR) | LVTS | ONE(PI_REG_TMICT) | ONE(PI_REG_TDCR))

/* in both modes, to read */
#define READABLE (ONE(PI_REG_ID) | ONE(PI_REG_VERSION) | ONE(PI_REG_PPR) | \
		  ONE(PI_REG_LDR) | EIGHT(PI_REG_ISR) | EIGHT(PI_REG_TMR) | \
		  EIGHT(PI_REG_IRR) | ONE(PI_REG_TMCCT))

#define MMIO	(COMMON | READABLE | ONE(PI_REG_EOI) | ONE(PI_REG_DFR) | \
		 ONE(PI_REG_APR) | ONE(PI_REG_ICR2))
#define MSR_READ	(COMMON | READABLE)
#define MSR_WRITE	(COMMON | ONE(PI_REG_EOI) | ONE(PI_REG_SELF_IPI))

static bool is_in(u64 mask, u32 off)
{
	return off < PI_REG_END && !(off % PI_REG_STEP) && (mask & ONE(off));
}

/**
 * pi_vapic_is_mmio() - is there a register in the xAPIC page?
 * @off: offset into the page, any value
 *
 * Context: any.
 * Return: true for a register of 32 bits at a multiple of 16.
 */
bool pi_vapic_is_mmio(u32 off)
{
	return is_in(MMIO, off);
}

/**
 * pi_vapic_is_msr() - is there an x2APIC register?
 * @off: 16 * (MSR index - 0x800), any value
 * @write: to be written, or to be read
 *
 * Context: any.
 * Return: false where RDMSR or WRMSR gives #GP(0).
 */
bool pi_vapic_is_msr(u32 off, bool write)
{
	return is_in(write ? MSR_WRITE : MSR_READ, off);
}

/**
 * pi_vapic_is_lvt() - is this a register of the local vector table?
 * @off: offset into the page, any value
 *
 * Context: any.
 * Return: true for the %PI_NR_LVT registers of that table.
 */
bool pi_vapic_is_lvt(u32 off)
{
	return is_in(LVTS, off);
}

/**
 * pi_vapic_writable() - the bits that a guest can change in a register
 * @off: offset into the page
 *
 * Context: any.
 * Return: a mask; 0 for registers that are read-only or have a side effect only.
 */
u32 pi_vapic_writable(u32 off)
{
	switch (off) {
	case PI_REG_TPR:
	case PI_REG_SELF_IPI:
		return 0xff;
	case PI_REG_LDR:
	case PI_REG_ICR2:
		return 0xff000000;
	case PI_REG_DFR:
		return 0xf0000000;
	case PI_REG_SVR:
		return 0x3ff;
	case PI_REG_ICR:
		return 0xccfff;
	case PI_REG_LVT_TIMER:
		return PI_LVT_MASKED | PI_LVT_TIMER_MODE | 0xff;
	case PI_REG_LVT_THERMAL:
	case PI_REG_LVT_PERF:
		return PI_LVT_MASKED | PI_LVT_MODE | 0xff;
	case PI_REG_LVT_LINT0:
	case PI_REG_LVT_LINT1:
		return PI_LVT_MASKED | BIT(15) | BIT(13) | PI_LVT_MODE | 0xff;
	case PI_REG_LVT_ERROR:
		return PI_LVT_MASKED | 0xff;
	case PI_REG_TMICT:
		return ~0u;
	case PI_REG_TDCR:
		return 0xb;
	}
	return 0;
}

/**
 * pi_vapic_ignored() - status bits: not reserved, but a write has no effect
 * @off: offset into the page
 *
 * Context: any.
 * Return: a mask; delivery status, and remote IRR of the LINT pins.
 */
u32 pi_vapic_ignored(u32 off)
{
	if (off == PI_REG_LVT_LINT0 || off == PI_REG_LVT_LINT1)
		return BIT(14) | BIT(12);
	if (off == PI_REG_ICR || pi_vapic_is_lvt(off))
		return BIT(12);
	return 0;
}

static void mask_lvts(u8 *page)
{
	u32 off;

	for (off = PI_REG_LVT_TIMER; off <= PI_REG_LVT_ERROR; off += PI_REG_STEP)
		pi_vapic_store(page, off, pi_vapic_get(page, off) | PI_LVT_MASKED);
}

/**
 * pi_vapic_write() - put a value into a register, as far as it can hold it
 * @page: the register page
 * @off: offset of the register
 * @val: what the guest writes
 *
 * SDM Vol. 3, "Local APIC State After It Has Been Software Disabled": clearing
 * the enable bit of SVR masks the local vector table, and keeps it masked.
 *
 * Context: vCPU thread.
 */
void pi_vapic_write(u8 *page, u32 off, u32 val)
{
	u32 bits = pi_vapic_writable(off);

	if (!bits)
		return;
	val &= bits;
	if (off == PI_REG_DFR)
		val |= ~bits;
	if (pi_vapic_is_lvt(off) &&
	    !(pi_vapic_get(page, PI_REG_SVR) & PI_SVR_ENABLED))
		val |= PI_LVT_MASKED;
	pi_vapic_store(page, off, val);

	if (off == PI_REG_SVR && !(val & PI_SVR_ENABLED))
		mask_lvts(page);
	if (off == PI_REG_TPR)
		pi_vapic_set(page, PI_REG_PPR, pi_vapic_ppr(page));
}

/**
 * pi_vapic_reset() - registers as after RESET and INIT
 * @page: the register page
 * @id: APIC id
 * @x2apic: the mode the APIC is in
 *
 * SDM Vol. 3, "Local APIC State After Power-Up or Reset".
 *
 * Context: vCPU thread.
 */
void pi_vapic_reset(u8 *page, u32 id, bool x2apic)
{
	u32 off;

	for (off = 0; off < PI_REG_END; off += PI_REG_STEP)
		pi_vapic_store(page, off, 0);
	pi_vapic_store(page, PI_REG_VERSION, PI_VERSION);
	pi_vapic_store(page, PI_REG_DFR, ~0u);
	pi_vapic_store(page, PI_REG_SVR, 0xff);
	mask_lvts(page);
	pi_vapic_set_id(page, id, x2apic);
}

/**
 * pi_vapic_virtual_wire() - what firmware leaves on the bootstrap processor
 * @page: the register page, after pi_vapic_reset()
 *
 * There is no firmware here, and operating systems expect its work: "Virtual Wire
 * Mode" of the MultiProcessor Specification, where the 8259A's interrupts pass
 * through LINT0 and the APIC is software-enabled. After the architecture's RESET
 * values LINT0 is masked and a PIC interrupt would reach no one.
 *
 * Context: vCPU thread.
 */
void pi_vapic_virtual_wire(u8 *page)
{
	pi_vapic_write(page, PI_REG_SVR, PI_SVR_ENABLED | 0xff);
	pi_vapic_write(page, PI_REG_LVT_LINT0, PI_MODE_EXTINT << 8);
	pi_vapic_write(page, PI_REG_LVT_LINT1, PI_MODE_NMI << 8);
}

/**
 * pi_vapic_set_id() - derive the registers that follow from id and mode
 * @page: the register page
 * @id: APIC id
 * @x2apic: the mode the APIC is entering
 *
 * SDM Vol. 3, "Deriving Logical x2APIC ID from the Local x2APIC ID". The upper
 * half of ICR does not survive a change of mode.
 *
 * Context: vCPU thread.
 */
void pi_vapic_set_id(u8 *page, u32 id, bool x2apic)
{
	pi_vapic_store(page, PI_REG_ID, x2apic ? id : id << 24);
	pi_vapic_store(page, PI_REG_LDR,
		       x2apic ? (id >> 4) << 16 | BIT(id & 15) : 0);
	pi_vapic_store(page, PI_REG_ICR2, 0);
}

/**
 * pi_base_may_follow() - is this change of mode in IA32_APIC_BASE legal?
 * @old: present value
 * @val: value that is written
 *
 * SDM Vol. 3, "x2APIC State Transitions". Reserved bits are the caller's.
 *
 * Context: any.
 * Return: false: #GP(0).
 */
bool pi_base_may_follow(u64 old, u64 val)
{
	switch (val & PI_BASE_MODE) {
	case 0:
		return true;
	case PI_BASE_EN:	/* not back from x2APIC but by way of off */
		return !(old & PI_BASE_EXTD);
	case PI_BASE_MODE:	/* not from off */
		return old & PI_BASE_EN;
	}
	return false;
}

/**
 * pi_vapic_highest() - highest vector in a set of eight registers
 * @page: the register page
 * @reg: ISR, TMR or IRR
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: the vector, or -1.
 */
int pi_vapic_highest(const u8 *page, u32 reg)
{
	int i;

	for (i = 7; i >= 0; i--) {
		u32 bits = pi_vapic_get(page, reg + i * PI_REG_STEP);

		if (bits)
			return i * 32 + __fls(bits);
	}
	return -1;
}

static u32 reg_of(u32 reg, u8 vector)
{
	return reg + vector / 32 * PI_REG_STEP;
}

static void set_vector(u8 *page, u32 reg, u8 vector)
{
	u32 off = reg_of(reg, vector);

	pi_vapic_set(page, off, pi_vapic_get(page, off) | BIT(vector % 32));
}

static void clear_vector(u8 *page, u32 reg, u8 vector)
{
	u32 off = reg_of(reg, vector);

	pi_vapic_set(page, off, pi_vapic_get(page, off) & ~BIT(vector % 32));
}

/**
 * pi_vapic_ppr() - processor priority
 * @page: the register page
 *
 * SDM Vol. 3, "Task and Processor Priorities".
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: the value of PPR.
 */
u8 pi_vapic_ppr(const u8 *page)
{
	u8 tpr = pi_vapic_get(page, PI_REG_TPR);
	int isr = pi_vapic_highest(page, PI_REG_ISR);
	u8 class = isr < 0 ? 0 : isr & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

/**
 * pi_vapic_post() - request an interrupt
 * @page: the register page
 * @vector: sets its bit in IRR
 *
 * Context: vCPU thread.
 */
void pi_vapic_post(u8 *page, u8 vector)
{
	set_vector(page, PI_REG_IRR, vector);
}

/**
 * pi_vapic_pick() - which interrupt can be delivered now?
 * @page: the register page
 *
 * Context: vCPU thread.
 * Return: the highest requested vector if its class is above PPR's, else -1.
 */
int pi_vapic_pick(const u8 *page)
{
	int vector = pi_vapic_highest(page, PI_REG_IRR);

	if (vector < 0 || (vector & 0xf0) <= (pi_vapic_ppr(page) & 0xf0))
		return -1;
	return vector;
}

/**
 * pi_vapic_accept() - an interrupt goes from requested to in service
 * @page: the register page
 * @vector: from pi_vapic_pick()
 *
 * Context: vCPU thread.
 */
void pi_vapic_accept(u8 *page, u8 vector)
{
	clear_vector(page, PI_REG_IRR, vector);
	set_vector(page, PI_REG_ISR, vector);
	pi_vapic_set(page, PI_REG_PPR, pi_vapic_ppr(page));
}

/**
 * pi_vapic_eoi() - end the interrupt of highest priority in service
 * @page: the register page
 *
 * Context: vCPU thread.
 * Return: its vector, or -1 if none was in service.
 */
int pi_vapic_eoi(u8 *page)
{
	int vector = pi_vapic_highest(page, PI_REG_ISR);

	if (vector < 0)
		return -1;
	clear_vector(page, PI_REG_ISR, vector);
	pi_vapic_set(page, PI_REG_PPR, pi_vapic_ppr(page));
	return vector;
}

/**
 * pi_vapic_is_level() - trigger mode of a vector
 * @page: the register page
 * @vector: any
 *
 * Context: any.
 * Return: the vector's bit of TMR.
 */
bool pi_vapic_is_level(const u8 *page, u8 vector)
{
	return pi_vapic_get(page, reg_of(PI_REG_TMR, vector)) & BIT(vector % 32);
}

/**
 * pi_vapic_set_level() - set the trigger mode of a vector
 * @page: the register page
 * @vector: any
 * @level: its new bit of TMR
 *
 * Context: any. The bit operations are atomic: posters share the registers. A
 * register stands alone in 16 bytes, so a word of 64 bits there is ours.
 */
void pi_vapic_set_level(u8 *page, u8 vector, bool level)
{
	unsigned long *word;

	if (pi_vapic_is_level(page, vector) == level)
		return;
	word = (unsigned long *)(page + reg_of(PI_REG_TMR, vector));
	if (level)
		set_bit(vector % 32, word);
	else
		clear_bit(vector % 32, word);
}

/**
 * pi_vapic_can_end_quietly() - would an EOI now change nothing but ISR and PPR?
 * @page: the register page
 *
 * Context: vCPU thread.
 * Return: true if an interrupt is in service, edge-triggered, and none requested.
 */
bool pi_vapic_can_end_quietly(const u8 *page)
{
	int isr = pi_vapic_highest(page, PI_REG_ISR);

	return isr >= 0 && pi_vapic_highest(page, PI_REG_IRR) < 0 &&
	       !pi_vapic_is_level(page, isr);
}
