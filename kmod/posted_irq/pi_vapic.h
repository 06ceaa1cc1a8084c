/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The register page of a local APIC as data: where registers are, which bits of
 * them exist, and what priorities and vectors do. Everything here is pure; it
 * works on the page alone and is tested without a CPU.
 */
#ifndef LIMEN_PI_VAPIC_H
#define LIMEN_PI_VAPIC_H

#include <linux/bits.h>
#include <linux/types.h>

/* SDM Vol. 3, "Local APIC Register Address Map": offsets into the page */
#define PI_REG_ID		0x020
#define PI_REG_VERSION		0x030
#define PI_REG_TPR		0x080
#define PI_REG_APR		0x090
#define PI_REG_PPR		0x0a0
#define PI_REG_EOI		0x0b0
#define PI_REG_LDR		0x0d0
#define PI_REG_DFR		0x0e0
#define PI_REG_SVR		0x0f0
#define PI_REG_ISR		0x100	/* eight registers each */
#define PI_REG_TMR		0x180
#define PI_REG_IRR		0x200
#define PI_REG_ESR		0x280
#define PI_REG_ICR		0x300
#define PI_REG_ICR2		0x310
#define PI_REG_LVT_TIMER	0x320
#define PI_REG_LVT_THERMAL	0x330
#define PI_REG_LVT_PERF		0x340
#define PI_REG_LVT_LINT0	0x350
#define PI_REG_LVT_LINT1	0x360
#define PI_REG_LVT_ERROR	0x370
#define PI_REG_TMICT		0x380	/* initial count */
#define PI_REG_TMCCT		0x390	/* current count */
#define PI_REG_TDCR		0x3e0	/* divide configuration */
#define PI_REG_SELF_IPI		0x3f0	/* x2APIC only */
#define PI_REG_END		0x400
#define PI_REG_STEP		0x010

/*
 * In struct limen_apic only, where the architecture has nothing: errors that the
 * guest has not yet latched into ESR by writing it.
 */
#define PI_REG_ESR_PENDING	0x290

#define PI_NR_LVT		6
#define PI_VERSION		(0x14 | (PI_NR_LVT - 1) << 16)
#define PI_FIRST_VECTOR		16	/* those below are illegal */

#define PI_SVR_ENABLED		BIT(8)
#define PI_LVT_MASKED		BIT(16)
#define PI_LVT_MODE		GENMASK(10, 8)
#define PI_LVT_TIMER_MODE	GENMASK(18, 17)
#define PI_LVT_TIMER_PERIODIC	BIT(17)
#define PI_LVT_TIMER_DEADLINE	BIT(18)
#define PI_ESR_BITS		0xff

/* SDM Vol. 3, "Error Handling": bit numbers in ESR */
#define PI_ESR_SEND_ILLEGAL	5
#define PI_ESR_RECV_ILLEGAL	6
#define PI_ESR_BAD_REGISTER	7

/* Delivery modes, of an LVT, an ICR or a message */
#define PI_MODE_FIXED		0
#define PI_MODE_LOWEST		1
#define PI_MODE_NMI		4
#define PI_MODE_INIT		5
#define PI_MODE_SIPI		6
#define PI_MODE_EXTINT		7

/* IA32_APIC_BASE */
#define PI_BASE_DEFAULT		0xfee00000ull
#define PI_BASE_BSP		BIT_ULL(8)
#define PI_BASE_EXTD		BIT_ULL(10)
#define PI_BASE_EN		BIT_ULL(11)
#define PI_BASE_MODE		(PI_BASE_EN | PI_BASE_EXTD)

static inline u32 pi_vapic_get(const u8 *page, u32 off)
{
	return READ_ONCE(*(const u32 *)(page + off));
}

static inline void pi_vapic_set(u8 *page, u32 off, u32 val)
{
	WRITE_ONCE(*(u32 *)(page + off), val);
}

/*
 * Hardware may write a guest's value into a register before we see it. What was
 * there is kept in the 12 bytes behind, which neither side uses.
 */
#define PI_KEPT	8

static inline u32 pi_vapic_kept(const u8 *page, u32 off)
{
	return pi_vapic_get(page, off + PI_KEPT);
}

/* For registers that hardware can write in this way */
static inline void pi_vapic_store(u8 *page, u32 off, u32 val)
{
	pi_vapic_set(page, off, val);
	pi_vapic_set(page, off + PI_KEPT, val);
}

bool pi_vapic_is_mmio(u32 off);
bool pi_vapic_is_msr(u32 off, bool write);
bool pi_vapic_is_lvt(u32 off);
u32 pi_vapic_writable(u32 off);
u32 pi_vapic_ignored(u32 off);
void pi_vapic_write(u8 *page, u32 off, u32 val);

void pi_vapic_reset(u8 *page, u32 id, bool x2apic);
void pi_vapic_virtual_wire(u8 *page);
void pi_vapic_set_id(u8 *page, u32 id, bool x2apic);
bool pi_base_may_follow(u64 old, u64 val);

u8 pi_vapic_ppr(const u8 *page);
void pi_vapic_post(u8 *page, u8 vector);
int pi_vapic_pick(const u8 *page);
int pi_vapic_highest(const u8 *page, u32 reg);
void pi_vapic_accept(u8 *page, u8 vector);
int pi_vapic_eoi(u8 *page);
bool pi_vapic_is_level(const u8 *page, u8 vector);
void pi_vapic_set_level(u8 *page, u8 vector, bool level);
bool pi_vapic_can_end_quietly(const u8 *page);

#endif
