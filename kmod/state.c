// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_STATE_GET and _SET: the vCPU's state as classes. A set copies all items
 * in, checks all, and only then changes anything, in an order of its own, so the
 * caller's order means nothing.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "event.h"
#include "exit.h"
#include "fpu.h"
#include "limen.h"
#include "msr.h"
#include "run.h"
#include "state.h"
#include "window.h"

#define MAX_MSR_ITEMS	256

/* All classes of one transfer, in kernel memory */
struct staged {
	void *data[LIMEN_NR_CLASS];
	u32 len[LIMEN_NR_CLASS];
};

struct state_class {
	u32 (*len)(void);
	int (*get)(struct limen_vcpu *vcpu, void *data, u32 len);
	int (*check)(struct limen_vcpu *vcpu, const void *data, u32 len);
	void (*set)(struct limen_vcpu *vcpu, const void *data, u32 len);
};

/* ---- REGS ---- */

static u32 regs_len(void)
{
	return sizeof(struct limen_regs);
}

static int regs_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	memcpy(data, &vcpu->regs, len);
	return 0;
}

static int regs_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_regs *r = data;

	return limen_rflags_ok(r->rflags) ? 0 : -EINVAL;
}

static void regs_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	memcpy(&vcpu->regs, data, len);
	limen_dirty(vcpu, LIMEN_G_REGS);
}

/* ---- SREGS ---- */

static u32 sregs_len(void)
{
	return sizeof(struct limen_sregs);
}

static int sregs_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	struct limen_sregs *out = data;

	limen_fetch(vcpu, LIMEN_G_SEG | LIMEN_G_CR | LIMEN_G_CR2);
	*out = vcpu->sregs;
	out->cr8 = pi_get_cr8(vcpu);
	return 0;
}

static int sregs_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	return limen_check_sregs(vcpu, data);
}

static void sregs_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	memcpy(&vcpu->sregs, data, len);
	vcpu->sregs.cr0 |= BIT(4);	/* ET is 1 on every CPU we run on */
	pi_set_cr8(vcpu, vcpu->sregs.cr8);
	limen_dirty(vcpu, LIMEN_G_SEG | LIMEN_G_CR | LIMEN_G_CR2);
	vcpu->entry.flush = true;
}

/* ---- DEBUG ---- */

static u32 debug_len(void)
{
	return sizeof(struct limen_debugregs);
}

static int debug_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	limen_fetch(vcpu, LIMEN_G_DR);
	memcpy(data, &vcpu->dr, len);
	return 0;
}

static int debug_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_debugregs *dr = data;

	return (dr->dr6 | dr->dr7) >> 32 ? -EINVAL : 0;
}

static void debug_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	memcpy(&vcpu->dr, data, len);
	vcpu->dr.dr6 |= 0xffff0ff0ull;
	vcpu->dr.dr6 &= ~BIT_ULL(12);
	vcpu->dr.dr7 |= BIT_ULL(10);
	vcpu->dr.dr7 &= ~(BIT_ULL(12) | BIT_ULL(14) | BIT_ULL(15));
	limen_dirty(vcpu, LIMEN_G_DR);
}

/* ---- MSRS: an array; its length is the caller's ---- */

static int msrs_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	struct limen_msr *m = data;
	u32 i;

	for (i = 0; i < len / sizeof(*m); i++)
		if (m[i].reserved || limen_msr_read(vcpu, m[i].index, &m[i].value))
			return -EINVAL;
	return 0;
}

static int msrs_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_msr *m = data;
	u32 i;

	for (i = 0; i < len / sizeof(*m); i++)
		if (m[i].reserved || limen_msr_check(vcpu, m[i].index, m[i].value))
			return -EINVAL;
	return 0;
}

static void msrs_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_msr *m = data;
	u32 i;

	for (i = 0; i < len / sizeof(*m); i++)
		limen_msr_restore(vcpu, m[i].index, m[i].value);
}

/* ---- XSAVE ---- */

static int xsave_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	memcpy(data, limen_fpu_image(vcpu), len);
	return 0;
}

static int xsave_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	return limen_fpu_check(data);
}

static void xsave_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	memcpy(limen_fpu_image(vcpu), data, len);
}

/* ---- APIC ---- */

static u32 apic_len(void)
{
	return sizeof(struct limen_apic);
}

static int apic_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	pi_get_state(vcpu, data);
	return 0;
}

static int apic_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	return pi_check_state(vcpu, data);
}

static void apic_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	pi_set_state(vcpu, data);
}

/* ---- EVENTS ---- */

static u32 events_len(void)
{
	return sizeof(struct limen_events);
}

static int events_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	struct limen_events *out = data;

	limen_fetch(vcpu, LIMEN_G_INTR);
	*out = vcpu->ev;
	/* of an event that is gone only the number may be left behind */
	if (!(out->injected & LIMEN_EVENT_VALID)) {
		out->injected = 0;
		out->injected_error = 0;
		out->insn_len = 0;
	}
	if (!(out->exception & LIMEN_EVENT_VALID)) {
		out->exception = 0;
		out->exception_error = 0;
		out->exception_payload = 0;
	}
	if (test_bit(LIMEN_REQ_UNHALT, &vcpu->requests))
		out->unhalted = 1;
	out->nmi_pending = min(out->nmi_pending + atomic_read(&vcpu->nmi_posted), 2);
	return 0;
}

/* SDM Vol. 3, "VM-Entry Interruption-Information Field" */
static bool event_ok(u32 event, u32 error, bool exception_only)
{
	u32 type = LIMEN_EVENT_TYPE(event);
	u8 vector = event;

	if (!(event & LIMEN_EVENT_VALID))
		return !event && !error;
	if (event & ~(LIMEN_EVENT_VALID | LIMEN_EVENT_ERROR | 0x7ff))
		return false;
	if (error && !(event & LIMEN_EVENT_ERROR))
		return false;
	switch (type) {
	case LIMEN_TYPE_EXCEPTION:
		break;
	case LIMEN_TYPE_EXTINT:
	case LIMEN_TYPE_SOFTINT:
		return !exception_only && !(event & LIMEN_EVENT_ERROR);
	case LIMEN_TYPE_NMI:
		return !exception_only && vector == VEC_NMI &&
		       !(event & LIMEN_EVENT_ERROR);
	case LIMEN_TYPE_ICEBP:
	case LIMEN_TYPE_SOFTEXC:
		return !exception_only && vector < 32 &&
		       !(event & LIMEN_EVENT_ERROR);
	default:
		return false;
	}
	return vector < 32 && vector != VEC_NMI;
}

static int events_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_events *ev = data;

	if (ev->reserved || ev->unhalted > 1 || ev->insn_len > 15)
		return -EINVAL;
	if (ev->nmi_pending > 2 || ev->nmi_blocked > 1 ||
	    ev->shadow > LIMEN_SHADOW_MOV_SS || ev->mp_state > LIMEN_MP_SIPI)
		return -EINVAL;
	if (!event_ok(ev->injected, ev->injected_error, false) ||
	    !event_ok(ev->exception, ev->exception_error, true))
		return -EINVAL;
	return 0;
}

static void events_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	memcpy(&vcpu->ev, data, len);
	vcpu->shutdown = false;
	atomic_set(&vcpu->nmi_posted, 0);
	clear_bit(LIMEN_REQ_UNHALT, &vcpu->requests);
	limen_dirty(vcpu, LIMEN_G_INTR);
}

/* ---- TIME ---- */

static u32 time_len(void)
{
	return sizeof(struct limen_time);
}

static int time_get(struct limen_vcpu *vcpu, void *data, u32 len)
{
	struct limen_time *out = data;

	out->tsc_offset = vcpu->tsc_offset;
	out->tsc_adjust = vcpu->tsc_adjust;
	out->clock_offset = READ_ONCE(vcpu->vm->clock_offset);
	return 0;
}

static int time_check(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	return 0;
}

static void time_set(struct limen_vcpu *vcpu, const void *data, u32 len)
{
	const struct limen_time *in = data;
	struct limen_vm *vm = vcpu->vm;
	int i;

	vcpu->tsc_offset = in->tsc_offset;
	vcpu->tsc_adjust = in->tsc_adjust;
	WRITE_ONCE(vm->clock_offset, in->clock_offset);
	limen_dirty(vcpu, LIMEN_G_TSC);
	pi_tsc_moved(vcpu);
	limen_vcpu_request(vcpu, LIMEN_REQ_CLOCK);
	/* the others' pages say what the clock was */
	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *other = READ_ONCE(vm->vcpu[i]);

		if (other && other != vcpu)
			limen_vcpu_request(other, LIMEN_REQ_CLOCK);
	}
}

static const struct state_class classes[LIMEN_NR_CLASS] = {
	[LIMEN_CLASS_REGS] = { regs_len, regs_get, regs_check, regs_set },
	[LIMEN_CLASS_SREGS] = { sregs_len, sregs_get, sregs_check, sregs_set },
	[LIMEN_CLASS_DEBUG] = { debug_len, debug_get, debug_check, debug_set },
	[LIMEN_CLASS_MSRS] = { NULL, msrs_get, msrs_check, msrs_set },
	[LIMEN_CLASS_XSAVE] = { limen_fpu_size, xsave_get, xsave_check, xsave_set },
	[LIMEN_CLASS_APIC] = { apic_len, apic_get, apic_check, apic_set },
	[LIMEN_CLASS_EVENTS] = { events_len, events_get, events_check, events_set },
	[LIMEN_CLASS_TIME] = { time_len, time_get, time_check, time_set },
};

/* What an item's length must be. 0: it can't be right. */
static u32 item_len(const struct limen_state_item *item)
{
	u32 i = array_index_nospec(item->cls, LIMEN_NR_CLASS);

	if (classes[i].len)
		return classes[i].len();
	if (item->len % sizeof(struct limen_msr) ||
	    item->len > MAX_MSR_ITEMS * sizeof(struct limen_msr))
		return 0;
	return item->len;
}

static void unstage(struct staged *st)
{
	int i;

	for (i = 0; i < LIMEN_NR_CLASS; i++)
		kvfree(st->data[i]);
}

/* @copy: bring the caller's bytes in (set, and the indices of MSRS) */
static int stage(struct staged *st, const struct limen_state_item *item, bool copy)
{
	u32 i = array_index_nospec(item->cls, LIMEN_NR_CLASS);
	u32 len = item_len(item);

	if (!len || st->data[i])
		return -EINVAL;
	st->data[i] = kvzalloc(len, GFP_KERNEL_ACCOUNT);
	if (!st->data[i])
		return -ENOMEM;
	st->len[i] = len;
	if (copy && copy_from_user(st->data[i],
				   (void __user *)(unsigned long)item->data, len))
		return -EFAULT;
	return 0;
}

static int copy_items(struct limen_state_item *items, const struct limen_state *arg)
{
	u32 i;

	if (!arg->count || arg->count >= LIMEN_NR_CLASS)
		return -EINVAL;
	if (copy_from_user(items, (void __user *)(unsigned long)arg->items,
			   arg->count * sizeof(*items)))
		return -EFAULT;
	for (i = 0; i < arg->count; i++)
		if (!items[i].cls || items[i].cls >= LIMEN_NR_CLASS)
			return -EINVAL;
	return 0;
}

static int get_item(struct limen_vcpu *vcpu, struct staged *st,
		    struct limen_state_item *item)
{
	u32 room = item->len;
	u32 i = item->cls;
	int err;

	if (classes[i].len && room < classes[i].len()) {
		item->len = classes[i].len();
		return -ENOSPC;
	}
	err = stage(st, item, !classes[i].len);
	if (err)
		return err;
	item->len = st->len[i];
	err = classes[i].get(vcpu, st->data[i], st->len[i]);
	if (err)
		return err;
	if (copy_to_user((void __user *)(unsigned long)item->data, st->data[i],
			 st->len[i]))
		return -EFAULT;
	return 0;
}

/**
 * limen_state_get() - LIMEN_STATE_GET
 * @vcpu: the vCPU
 * @arg: the call's argument
 *
 * Context: vcpu->lock.
 * Return: errno.
 */
int limen_state_get(struct limen_vcpu *vcpu, struct limen_state *arg)
{
	struct limen_state_item items[LIMEN_NR_CLASS];
	struct staged st = {};
	int err = copy_items(items, arg);
	u32 i;

	if (err)
		return err;
	for (i = 0; i < arg->count && !err; i++)
		err = get_item(vcpu, &st, &items[i]);
	if ((!err || err == -ENOSPC) &&
	    copy_to_user((void __user *)(unsigned long)arg->items, items,
			 arg->count * sizeof(items[0])))
		err = -EFAULT;
	unstage(&st);
	return err;
}

/**
 * limen_state_set() - LIMEN_STATE_SET
 * @vcpu: the vCPU
 * @arg: the call's argument
 *
 * Context: vcpu->lock.
 * Return: errno.
 */
int limen_state_set(struct limen_vcpu *vcpu, const struct limen_state *arg)
{
	struct limen_state_item items[LIMEN_NR_CLASS];
	struct staged st = {};
	int err = copy_items(items, arg);
	u32 i;

	if (err)
		return err;
	for (i = 0; i < arg->count && !err; i++) {
		if (items[i].len != item_len(&items[i]))
			err = -EINVAL;
		else
			err = stage(&st, &items[i], true);
	}
	for (i = 1; i < LIMEN_NR_CLASS && !err; i++)
		if (st.data[i])
			err = classes[i].check(vcpu, st.data[i], st.len[i]);
	if (!err) {
		for (i = 1; i < LIMEN_NR_CLASS; i++)
			if (st.data[i])
				classes[i].set(vcpu, st.data[i], st.len[i]);
		vcpu->pending = LIMEN_EXIT_NONE;
	}
	unstage(&st);
	return err;
}
