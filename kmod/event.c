// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to inject next. Pure but for limen_fetch(): decides on vcpu->ev, the APIC
 * and the interrupt flags, and writes vcpu->entry.
 *
 * An event goes through three hands: waiting (ev.exception, ev.nmi_pending, the
 * APIC), spent (entry.event) and, if an exit interrupted its delivery, to be
 * finished (ev.injected). Nothing is forgotten between them, so a snapshot is
 * complete at any point between two entries.
 */
#include <linux/kernel.h>

#include "event.h"
#include "limen.h"
#include "window.h"

#define RFLAGS_IF	BIT(9)
#define RFLAGS_RF	BIT(16)
#define DR6_BD		BIT(13)
#define DR6_RTM		BIT(16)
#define DR7_GD		BIT(13)

static u32 event_of(u8 vector, u32 type, bool has_error)
{
	return LIMEN_EVENT_VALID | vector | type << 8 |
	       (has_error ? LIMEN_EVENT_ERROR : 0);
}

/* SDM Vol. 3, "Interrupt 8 - Double Fault Exception (#DF)", Table 6-5 */
enum { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static int class_of(u8 vector)
{
	switch (vector) {
	case VEC_PF:
		return PAGE_FAULT;
	case VEC_DE:
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		return CONTRIBUTORY;
	}
	return BENIGN;
}

static bool makes_double_fault(u8 first, u8 second)
{
	int a = class_of(first), b = class_of(second);

	return (a == CONTRIBUTORY && b == CONTRIBUTORY) ||
	       (a == PAGE_FAULT && b != BENIGN);
}

static bool is_exception(u32 event)
{
	u32 type = LIMEN_EVENT_TYPE(event);

	return (event & LIMEN_EVENT_VALID) && type >= LIMEN_TYPE_EXCEPTION &&
	       type != LIMEN_TYPE_SOFTINT;
}

/**
 * limen_raise() - deliver an exception before the next instruction
 * @vcpu: a vCPU
 * @vector: its vector
 * @error: its error code, or NO_ERROR
 * @payload: CR2 for #PF, bits to set in DR6 for #DB, else 0
 *
 * A second exception while another one waits or is being delivered becomes a
 * double fault or a shutdown, or replaces the first, as the manual says. Replaced:
 * its instruction is repeated and raises it again. So does INT n. An interrupt or
 * an NMI whose delivery faults is lost: the CPU has acknowledged it.
 *
 * Context: vCPU thread.
 */
void limen_raise(struct limen_vcpu *vcpu, u8 vector, s64 error, u64 payload)
{
	struct limen_events *ev = &vcpu->ev;
	u32 first = 0;

	if (is_exception(ev->exception))
		first = ev->exception;
	else if (is_exception(ev->injected))
		first = ev->injected;

	if (first && (first & 0xff) == VEC_DF && class_of(vector) != BENIGN) {
		ev->exception = 0;
		ev->injected = 0;
		vcpu->shutdown = true;
		return;
	}
	if (first && makes_double_fault(first & 0xff, vector)) {
		vector = VEC_DF;
		error = 0;
		payload = 0;
	}
	ev->injected = 0;
	ev->exception = event_of(vector, LIMEN_TYPE_EXCEPTION, error != NO_ERROR);
	ev->exception_error = error != NO_ERROR ? (u32)error : 0;
	ev->exception_payload = payload;
}

void limen_raise_gp(struct limen_vcpu *vcpu)
{
	limen_raise(vcpu, VEC_GP, 0, 0);
}

void limen_raise_ud(struct limen_vcpu *vcpu)
{
	limen_raise(vcpu, VEC_UD, NO_ERROR, 0);
}

/**
 * limen_irq_open() - can an interrupt be taken now?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
bool limen_irq_open(struct limen_vcpu *vcpu)
{
	if (!(vcpu->regs.rflags & RFLAGS_IF))
		return false;
	limen_fetch(vcpu, LIMEN_G_INTR);
	return !vcpu->ev.shadow;
}

/**
 * limen_nmi_open() - can an NMI be taken now?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
bool limen_nmi_open(struct limen_vcpu *vcpu)
{
	limen_fetch(vcpu, LIMEN_G_INTR);
	return !vcpu->ev.nmi_blocked && !vcpu->ev.shadow;
}

/* #DB and #PF change a register before the handler sees it. */
static void apply_payload(struct limen_vcpu *vcpu)
{
	u64 payload = vcpu->ev.exception_payload;

	switch (vcpu->ev.exception & 0xff) {
	case VEC_PF:
		limen_fetch(vcpu, LIMEN_G_CR2);
		vcpu->sregs.cr2 = payload;
		limen_dirty(vcpu, LIMEN_G_CR2);
		break;
	case VEC_DB:
		limen_fetch(vcpu, LIMEN_G_DR);
		/*
		 * bits 3:0 are replaced, the others accumulate; RTM is 0 for
		 * a transaction, 1 otherwise
		 */
		vcpu->dr.dr6 &= ~0xfull;
		vcpu->dr.dr6 |= DR6_RTM;
		vcpu->dr.dr6 |= payload & ~DR6_RTM;
		vcpu->dr.dr6 ^= payload & DR6_RTM;
		vcpu->dr.dr7 &= ~DR7_GD;
		limen_dirty(vcpu, LIMEN_G_DR);
		break;
	}
	vcpu->ev.exception_payload = 0;
}

/*
 * A fault's handler goes back to the instruction itself, which must not hit its own
 * breakpoint again: the flags on the stack have RF set (SDM Vol. 3,
 * "Instruction-Breakpoint Exception Condition"). An injection pushes the flags as
 * they are. #DB is a fault for an instruction breakpoint, whose handler sets RF
 * itself, and for general detect.
 */
static bool pushes_rf(u32 event, u64 payload)
{
	if (LIMEN_EVENT_TYPE(event) != LIMEN_TYPE_EXCEPTION)
		return false;
	switch (event & 0xff) {
	case VEC_DB:
		return payload & DR6_BD;
	case VEC_BP:
	case VEC_OF:
	case VEC_DF:
	case VEC_MC:
		return false;
	}
	return true;
}

static void set_rf(struct limen_vcpu *vcpu, u32 event, u64 payload)
{
	if (!pushes_rf(event, payload))
		return;
	vcpu->regs.rflags |= RFLAGS_RF;
	limen_dirty(vcpu, LIMEN_G_REGS);
}

static void inject(struct limen_vcpu *vcpu, u32 event, u32 error, u8 insn_len)
{
	vcpu->entry.event = event;
	vcpu->entry.event_error = error;
	vcpu->entry.event_insn_len = insn_len;
	vcpu->stat[LIMEN_STAT_INJECTED]++;
}

static void pick_irq(struct limen_vcpu *vcpu)
{
	int vector;

	pi_fold(vcpu);
	if (vcpu->pi.by_hw) {
		/* it knows IF, the shadow and TPR itself */
		if (vcpu->entry.dirty & (LIMEN_G_APIC | LIMEN_G_IRR))
			vcpu->entry.rvi = pi_requested(vcpu);
		return;
	}
	vector = pi_pick(vcpu);
	if (vector < 0) {
		if (limen_ops->pi && limen_ops->pi->tpr)
			vcpu->entry.held_class = pi_held_class(vcpu);
		return;
	}
	if (vcpu->entry.event || !limen_irq_open(vcpu)) {
		vcpu->entry.irq_window = true;
		return;
	}
	pi_accept(vcpu, vector);
	/* any other one is now of no higher class, and waits for the EOI */
	inject(vcpu, event_of(vector, LIMEN_TYPE_EXTINT, false), 0, 0);
}

/**
 * limen_event_pick() - fill in the events of vcpu->entry
 * @vcpu: the vCPU
 *
 * Priority: an event whose delivery was cut short, an exception, an NMI, an
 * interrupt (SDM Vol. 3, "Priority Among Simultaneous Exceptions and
 * Interrupts"). What can't go now asks for its window.
 *
 * Context: vCPU thread, in a window.
 */
void limen_event_pick(struct limen_vcpu *vcpu)
{
	struct limen_events *ev = &vcpu->ev;

	vcpu->entry.event = 0;
	vcpu->entry.irq_window = false;
	vcpu->entry.nmi_window = false;
	vcpu->entry.held_class = 0;

	if (ev->exception & LIMEN_EVENT_VALID) {
		set_rf(vcpu, ev->exception, ev->exception_payload);
		apply_payload(vcpu);
		inject(vcpu, ev->exception, ev->exception_error, 0);
		ev->exception = 0;
		/* as in limen_raise(), where user space has set both */
		ev->injected = 0;
	} else if (ev->injected & LIMEN_EVENT_VALID) {
		set_rf(vcpu, ev->injected, 0);
		inject(vcpu, ev->injected, ev->injected_error, ev->insn_len);
		ev->injected = 0;
	}

	if (ev->nmi_pending) {
		if (!vcpu->entry.event && limen_nmi_open(vcpu)) {
			inject(vcpu, event_of(VEC_NMI, LIMEN_TYPE_NMI, false), 0, 0);
			ev->nmi_pending--;
		}
		vcpu->entry.nmi_window = ev->nmi_pending;
	}
	pick_irq(vcpu);
}

/**
 * limen_event_done() - after an exit: keep what was not delivered
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, directly after limen_ops->enter().
 */
void limen_event_done(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;

	if (!(exit->event & LIMEN_EVENT_VALID))
		return;
	vcpu->ev.injected = exit->event;
	vcpu->ev.injected_error = exit->event_error;
	vcpu->ev.insn_len = exit->event_insn_len;
}

/**
 * limen_event_waits() - would a halted CPU wake up?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
bool limen_event_waits(struct limen_vcpu *vcpu)
{
	struct limen_events *ev = &vcpu->ev;

	if ((ev->exception | ev->injected) & LIMEN_EVENT_VALID)
		return true;
	if (ev->nmi_pending && !ev->nmi_blocked)
		return true;
	if (ev->unhalted)
		return true;
	if (!(vcpu->regs.rflags & RFLAGS_IF))
		return false;
	pi_fold(vcpu);
	return pi_pick(vcpu) >= 0;
}
