// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_RUN: from one exit to user space to the next.
 *
 * Outside: with interrupts on, whatever may sleep or needs the scheduler.
 * Inside: one window, in which the guest is entered again and again as long as
 * its exits can be answered there. Everything that wants the vCPU's attention
 * sets a bit and, if the vCPU is inside, sends an IPI, which ends the guest's run
 * because it is entered with interrupts off.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/vtime.h>

#include "clock.h"
#include "compat.h"
#include "event.h"
#include "exit.h"
#include "halt.h"
#include "limen.h"
#include "mem.h"
#include "npt/npt_dirty.h"
#include "npt/npt_mmu.h"
#include "npt/npt_ring.h"
#include "pv.h"
#include "run.h"
#include "vcpu.h"
#include "window.h"
#include "yield.h"

/*
 * Entries in one window; bounds the time with interrupts off together with the
 * host's own tick, which ends a window.
 */
#define WINDOW_ENTRIES	256

#define RFLAGS_FIXED	BIT_ULL(1)
#define RFLAGS_DEFINED	0x3f7fd7ull

/**
 * limen_rflags_ok() - bit 1 set, reserved bits clear
 * @rflags: the value
 *
 * Pure.
 */
bool limen_rflags_ok(u64 rflags)
{
	return (rflags & RFLAGS_FIXED) && !(rflags & ~RFLAGS_DEFINED);
}

static void take_nmis(struct limen_vcpu *vcpu)
{
	int n;

	if (!test_and_clear_bit(LIMEN_REQ_NMI, &vcpu->requests))
		return;
	n = atomic_xchg(&vcpu->nmi_posted, 0);
	/* one in service and one held: SDM Vol. 3, "Handling Multiple NMIs" */
	limen_fetch(vcpu, LIMEN_G_INTR);
	vcpu->ev.nmi_pending = min(vcpu->ev.nmi_pending + n,
				   vcpu->ev.nmi_blocked ? 1 : 2);
}

/* SDM Vol. 3, "Typical AP Initialization Sequence" */
static void take_sipi(struct limen_vcpu *vcpu)
{
	struct limen_segment *cs = &vcpu->sregs.seg[LIMEN_CS];
	u8 vector = vcpu->ev.mp_state == LIMEN_MP_SIPI ? vcpu->ev.sipi_vector :
			READ_ONCE(vcpu->sipi_vector);

	if (vcpu->ev.mp_state != LIMEN_MP_WAIT_SIPI &&
	    vcpu->ev.mp_state != LIMEN_MP_SIPI)
		return;
	limen_fetch(vcpu, LIMEN_G_SEG);
	cs->sel = vector << 8;
	cs->base = vector << 12;
	vcpu->regs.rip = 0;
	vcpu->ev.mp_state = LIMEN_MP_RUNNING;
	limen_dirty(vcpu, LIMEN_G_REGS | LIMEN_G_SEG);
}

static void take_init(struct limen_vcpu *vcpu)
{
	limen_fetch(vcpu, LIMEN_G_ALL & ~LIMEN_G_TSC);
	limen_vcpu_reset(vcpu, true);
}

/*
 * The clock page goes stale as the host's clock is steered, and at once on
 * another CPU, whose TSC may differ.
 */
static void check_clock(struct limen_vcpu *vcpu)
{
	int cpu = raw_smp_processor_id();

	if (!(vcpu->soft.clock_system & 1))
		return;
	if (vcpu->clock_cpu == cpu && time_before(jiffies, vcpu->clock_next))
		return;
	vcpu->clock_cpu = cpu;
	vcpu->clock_next = jiffies + HZ;
	limen_clock_update(vcpu);
}

/* Everything that was asked of this vCPU. LIMEN_TO_USER: it is user space's. */
static enum limen_next take_requests(struct limen_vcpu *vcpu)
{
	unsigned long *req = &vcpu->requests;
	bool sipi;

	if (vcpu->ev.mp_state == LIMEN_MP_SIPI)
		take_sipi(vcpu);
	if (likely(!READ_ONCE(*req)))
		return LIMEN_RESUME;
	/* seen first, but taken after the INIT that was sent before it */
	sipi = test_and_clear_bit(LIMEN_REQ_SIPI, req);
	if (test_and_clear_bit(LIMEN_REQ_INIT, req))
		take_init(vcpu);
	if (test_and_clear_bit(LIMEN_REQ_UNHALT, req))
		vcpu->ev.unhalted = 1;
	if (sipi)
		take_sipi(vcpu);
	if (test_and_clear_bit(LIMEN_REQ_TIMER, req))
		pi_timer_fired(vcpu);
	take_nmis(vcpu);
	if (test_and_clear_bit(LIMEN_REQ_CLOCK, req))
		limen_clock_update(vcpu);
	if (test_and_clear_bit(LIMEN_REQ_FLUSH, req))
		vcpu->entry.flush = true;
	clear_bit(LIMEN_REQ_EXTINT, req);
	clear_bit(LIMEN_REQ_LEVEL, req);
	/* request before mailbox, which pi_fold() empties; pairs with pi_post() */
	smp_mb__after_atomic();
	if (test_and_clear_bit(LIMEN_REQ_APIC_PAGE, req))
		npt_hide_apic(vcpu->vm);
	if (test_and_clear_bit(LIMEN_REQ_KICK, req))
		return limen_to_user(vcpu, LIMEN_EXIT_KICKED);
	return LIMEN_RESUME;
}

/* What has happened and is in no state class: user space must hear of it first. */
static enum limen_next untold_exit(struct limen_vcpu *vcpu)
{
	int vector;

	if (vcpu->shutdown) {
		vcpu->shutdown = false;
		return limen_to_user(vcpu, LIMEN_EXIT_SHUTDOWN);
	}
	while ((vector = pi_pop_eoi(vcpu)) >= 0) {
		if (pi_irqfd_eoi(&vcpu->vm->irqfds, vector))
			continue;
		vcpu->eoi_vector = vector;
		return limen_to_user(vcpu, LIMEN_EXIT_EOI);
	}
	return LIMEN_RESUME;
}

/* Exits that no instruction of the guest caused */
static enum limen_next own_exits(struct limen_vcpu *vcpu)
{
	if (untold_exit(vcpu) == LIMEN_TO_USER)
		return LIMEN_TO_USER;
	if (npt_ring_is_full(vcpu->ring))
		return limen_to_user(vcpu, LIMEN_EXIT_DIRTY_FULL);
	if (!READ_ONCE(vcpu->vm->extint) || !pi_takes_extint(vcpu))
		return LIMEN_RESUME;
	if ((vcpu->ev.injected | vcpu->ev.exception) & LIMEN_EVENT_VALID)
		return LIMEN_RESUME;
	if (vcpu->ev.mp_state > LIMEN_MP_HALTED)
		return LIMEN_RESUME;
	if (limen_irq_open(vcpu))
		return limen_to_user(vcpu, LIMEN_EXIT_INTA);
	vcpu->want_irq_window = true;
	return LIMEN_RESUME;
}

static bool may_run(struct limen_vcpu *vcpu)
{
	if (vcpu->ev.mp_state == LIMEN_MP_RUNNING)
		return true;
	/* empties the mailbox, or the sleep would end at once again and again */
	pi_fold(vcpu);
	if (vcpu->ev.mp_state == LIMEN_MP_HALTED && limen_event_waits(vcpu)) {
		vcpu->ev.mp_state = LIMEN_MP_RUNNING;
		vcpu->ev.unhalted = 0;
	}
	return vcpu->ev.mp_state == LIMEN_MP_RUNNING;
}

/* With interrupts off and the requests looked at: must we go out again? */
static bool must_leave(struct limen_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || limen_guest_work_pending();
}

static void prepare_entry(struct limen_vcpu *vcpu, int cpu)
{
	u64 gen = atomic64_read(&vcpu->vm->tlb_gen);

	if (vcpu->last_cpu != cpu || vcpu->tlb_gen != gen)
		vcpu->entry.flush = true;
	vcpu->last_cpu = cpu;
	vcpu->tlb_gen = gen;
	if (vcpu->entry.flush)
		vcpu->stat[LIMEN_STAT_FLUSHES]++;
	vcpu->entry.timer = pi_timer_entry(vcpu);
	limen_event_pick(vcpu);
	if (vcpu->want_irq_window) {
		vcpu->entry.irq_window = true;
		vcpu->want_irq_window = false;
	}
	pi_pv_eoi_offer(vcpu);
}

static void account(struct limen_vcpu *vcpu)
{
	enum limen_kind kind = vcpu->exit.kind;

	vcpu->stat[kind < LIMEN_NR_KIND ? kind : LIMEN_KIND_UNKNOWN]++;
}

/*
 * What the run page will want, while the window is open anyway. A second-level
 * fault mostly ends in memory, and wants nothing.
 */
static void fetch_ahead(struct limen_vcpu *vcpu)
{
	if (vcpu->exit.kind != LIMEN_KIND_NPF)
		limen_fetch(vcpu, LIMEN_G_SEG | LIMEN_G_CR | LIMEN_G_INTR);
}

/**
 * limen_run_inside() - enter the guest until an exit needs more than the window
 * @vcpu: the vCPU
 *
 * Context: in a window, vcpu->where is LIMEN_IN_GUEST.
 * Return: LIMEN_RESUME: vcpu->exit waits for limen_handle_exit() outside;
 * LIMEN_RELOAD: nothing waits; LIMEN_TO_USER.
 */
enum limen_next limen_run_inside(struct limen_vcpu *vcpu)
{
	int cpu = vcpu->cpu;
	enum limen_next next;
	int n;

	for (n = 0; n < WINDOW_ENTRIES; n++) {
		if (must_leave(vcpu))
			return LIMEN_RELOAD;
		prepare_entry(vcpu, cpu);
		limen_ops->enter(vcpu);
		account(vcpu);
		limen_event_done(vcpu);
		if (!pi_pv_eoi_take(vcpu) || !limen_exit_is_inside(vcpu)) {
			fetch_ahead(vcpu);
			return LIMEN_RESUME;
		}
		next = limen_handle_exit(vcpu);
		if (next != LIMEN_RESUME)
			return next;
		if (READ_ONCE(vcpu->vm->extint) || !bitmap_empty(vcpu->pi.eoi, 256))
			return LIMEN_RELOAD;
	}
	return LIMEN_RELOAD;
}

static enum limen_next run_window(struct limen_vcpu *vcpu)
{
	unsigned long flags;
	enum limen_next next;
	u64 start;

	if (!limen_window_open(vcpu))
		return LIMEN_RELOAD;
	vtime_account_guest_enter();
	start = local_clock();
	WRITE_ONCE(vcpu->cpu, smp_processor_id());
	WRITE_ONCE(vcpu->where, LIMEN_IN_GUEST);
	/* pairs with the barriers in limen_vcpu_notify() and npt_flush_all() */
	smp_mb();
	limen_rcu_note(vcpu->cpu);

	next = limen_run_inside(vcpu);

	if (vcpu->pml)
		limen_ops->read_log(vcpu);
	/* what we did with the guest's memory, and its log, come before leaving */
	smp_store_release(&vcpu->where, LIMEN_OUTSIDE);
	vcpu->stat[LIMEN_STAT_GUEST_NS] += local_clock() - start;
	limen_window_close(vcpu);
	/*
	 * after the tick was taken, so that it counts as the guest's time; and not
	 * in the middle of another interrupt's accounting
	 */
	local_irq_save(flags);
	vtime_account_guest_exit();
	local_irq_restore(flags);
	return next;
}

static enum limen_next run_once(struct limen_vcpu *vcpu)
{
	enum limen_next next;
	int err;

	if (READ_ONCE(vcpu->vm->dead))
		return limen_fail(vcpu, -EIO);
	if (vcpu->want_yield)
		limen_yield(vcpu);
	check_clock(vcpu);
	limen_steal_update(vcpu);
	limen_eoi_spot_update(vcpu);
	next = take_requests(vcpu);
	if (next == LIMEN_RESUME)
		next = own_exits(vcpu);
	if (next == LIMEN_TO_USER)
		return LIMEN_TO_USER;

	if (!may_run(vcpu)) {
		err = limen_vcpu_block(vcpu);
		return err ? limen_fail(vcpu, err) : LIMEN_RESUME;
	}
	err = signal_pending(current) ? -EINTR : limen_guest_work();
	if (err)
		return limen_fail(vcpu, err);

	next = run_window(vcpu);
	npt_log_drain(vcpu);
	limen_spot_settle(vcpu, &vcpu->eoi_spot);
	limen_spot_settle(vcpu, &vcpu->steal_spot);
	pi_pv_eoi_settle(vcpu);
	if (next == LIMEN_RESUME)
		next = limen_handle_exit(vcpu);
	return next;
}

/**
 * limen_run() - LIMEN_RUN
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 * Return: 0 with the run page filled, or errno.
 */
int limen_run(struct limen_vcpu *vcpu)
{
	u32 flags = READ_ONCE(vcpu->run->flags);
	enum limen_next next;
	int err;

	if (flags & ~LIMEN_RUN_STOP)
		return -EINVAL;
	err = limen_complete(vcpu);
	if (err)
		return err;
	vcpu->stat[LIMEN_STAT_RUNS]++;
	if (flags & LIMEN_RUN_STOP) {
		if (untold_exit(vcpu) == LIMEN_RESUME)
			limen_to_user(vcpu, LIMEN_EXIT_CONSISTENT);
		limen_fill_run(vcpu);
		return 0;
	}

	limen_vcpu_load(vcpu);
	do {
		next = run_once(vcpu);
	} while (next == LIMEN_RESUME || next == LIMEN_RELOAD);
	if (next == LIMEN_TO_USER) {
		vcpu->stat[LIMEN_STAT_USER_EXITS]++;
		limen_fill_run(vcpu);
	} else {
		err = vcpu->error;
	}
	limen_vcpu_put(vcpu);
	/* that writes too */
	limen_spot_settle(vcpu, &vcpu->steal_spot);
	return err;
}
