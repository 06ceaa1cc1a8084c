/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC and the mailbox through which every interrupt reaches a vCPU.
 *
 * A source sets a bit in the posted-interrupt descriptor (pi_post(), any
 * context); the vCPU folds the bits into the virtual-APIC page before it enters.
 * That page, in the xAPIC register layout, is the only truth of the local APIC.
 */
#ifndef LIMEN_PI_H
#define LIMEN_PI_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/hrtimer.h>
#include <linux/types.h>

struct limen_apic;
struct limen_vcpu;
struct limen_vm;

/* SDM Vol. 3, "Posted-Interrupt Processing": the descriptor's layout */
struct pi_descriptor {
	unsigned long pir[4];	/* 256 bits, one a vector */
	unsigned long control;	/* bit 0 ON, 1 SN; 23:16 NV; 63:32 NDST */
	unsigned long reserved[3];
} __aligned(64);

#define PI_ON	0		/* bit numbers in control */
#define PI_SN	1

/* What the CPU does of this by itself; limen_ops->pi, constant after probe */
struct pi_hw {
	bool deliver;	/* evaluates, delivers and ends interrupts on the page */
	bool tpr;	/* keeps TPR, and exits when it falls below entry.held_class */
	bool post;	/* folds the descriptor when pi_hw_vector() arrives */
	bool timer;	/* exits when entry.timer is over */
};

struct pi_vcpu {
	struct pi_descriptor *desc;	/* at offset 0 of a page of its own */
	u8 *page;		/* the virtual-APIC page */
	unsigned long level[4];	/* (a) level-triggered vectors, to be folded */
	bool by_hw;		/* struct pi_hw.deliver, and the APIC is on */
	u64 base;		/* IA32_APIC_BASE */
	u64 deadline;		/* IA32_TSC_DEADLINE as the guest reads it */
	struct hrtimer timer;
	u64 period;		/* ns; periodic mode */
	u64 target;		/* ns of CLOCK_MONOTONIC, when it fires; 0: off */
	bool by_entry;		/* by entry.timer, not by @timer; @target says only: on */
	unsigned long eoi[4];	/* level-triggered vectors ended, for the VMM */
	bool sw_enabled;	/* SVR bit 8 */
	unsigned long esr;	/* (a) errors since the last write to ESR */
};

int pi_init(struct limen_vcpu *vcpu);
void pi_fini(struct limen_vcpu *vcpu);
/* RESET (and INIT if @init): registers as in SDM "Local APIC State" */
void pi_reset(struct limen_vcpu *vcpu, bool init);

/* any context, also with IRQs off */
void pi_post(struct limen_vcpu *vcpu, u8 vector, bool level);
bool pi_has_posted(const struct limen_vcpu *vcpu);

/* vCPU thread only */
void pi_fold(struct limen_vcpu *vcpu);
int pi_pick(const struct limen_vcpu *vcpu);	/* vector, or -1 */
void pi_accept(struct limen_vcpu *vcpu, u8 vector);
u8 pi_requested(const struct limen_vcpu *vcpu);	/* highest vector in IRR, or 0 */
u8 pi_in_service(const struct limen_vcpu *vcpu);	/* and in ISR */
u8 pi_held_class(const struct limen_vcpu *vcpu);
void pi_load(struct limen_vcpu *vcpu, int cpu);	/* the thread is on @cpu */
void pi_put(struct limen_vcpu *vcpu);		/* the thread leaves its CPU */
void pi_hw_eoi(struct limen_vcpu *vcpu, u8 vector);
void pi_hw_write(struct limen_vcpu *vcpu, u32 offset);
int pi_pop_eoi(struct limen_vcpu *vcpu);	/* vector, or -1 */
void pi_timer_fired(struct limen_vcpu *vcpu);	/* LIMEN_REQ_TIMER */
u64 pi_timer_entry(struct limen_vcpu *vcpu);
void pi_timer_block(struct limen_vcpu *vcpu);
bool pi_takes_extint(const struct limen_vcpu *vcpu);
bool pi_is_x2apic(const struct limen_vcpu *vcpu);
bool pi_is_xapic(const struct limen_vcpu *vcpu);
bool pi_is_default_xapic(const struct limen_vcpu *vcpu);

/* EOI without an exit: offered before an entry, taken or settled after the exit */
bool pi_pv_eoi_allowed(const struct limen_vcpu *vcpu);
void pi_pv_eoi_offer(struct limen_vcpu *vcpu);
bool pi_pv_eoi_take(struct limen_vcpu *vcpu);
void pi_pv_eoi_settle(struct limen_vcpu *vcpu);

/* Accesses of the guest. 0, or -EINVAL: #GP(0) (MSR), ignored (MMIO). */
int pi_mmio(struct limen_vcpu *vcpu, u32 offset, bool write, u32 *val);
int pi_rdmsr(struct limen_vcpu *vcpu, u32 index, u64 *val);
int pi_wrmsr(struct limen_vcpu *vcpu, u32 index, u64 val);
u64 pi_get_cr8(const struct limen_vcpu *vcpu);
int pi_set_cr8(struct limen_vcpu *vcpu, u64 val);
void pi_tsc_moved(struct limen_vcpu *vcpu);	/* tsc_offset has changed */

/* Message-signalled interrupts, from the VMM: how many vCPUs took it */
int pi_msi(struct limen_vm *vm, u64 addr, u32 data);
bool pi_is_msi(u64 addr);

/* Paravirtual IPIs: how many of @set, counted from APIC id @first, took it */
int pi_send_set(struct limen_vm *vm, u64 first, const unsigned long *set, u32 nr,
		u32 icr);

/* LIMEN_CLASS_APIC: check before set; set can't fail */
void pi_get_state(struct limen_vcpu *vcpu, struct limen_apic *out);
int pi_check_state(const struct limen_vcpu *vcpu, const struct limen_apic *in);
void pi_set_state(struct limen_vcpu *vcpu, const struct limen_apic *in);

#endif
