// SPDX-License-Identifier: GPL-2.0-only
/*
 * The APIC timer: one-shot, periodic, TSC-deadline. It counts at 1 GHz before the
 * divider, so a count is a nanosecond.
 *
 * The host timer's callback only requests LIMEN_REQ_TIMER; all state belongs to
 * the vCPU thread, which posts the vector and, in periodic mode, starts the next
 * period. So ticks that the vCPU has no time for cost the host nothing. A request
 * may be stale: pi_timer_fired() looks at the clock again.
 *
 * Where the CPU can end a guest's run at a TSC, a deadline needs no host timer while
 * its vCPU runs. One that blocks gets one; one that waits for a CPU, or is out in
 * user space, could take no interrupt anyway, and looks before it enters.
 */
#include <linux/ktime.h>
#include <linux/math64.h>

#include "../compat.h"
#include "../limen.h"
#include "pi_local.h"

#define FAR_AWAY_S	(3600ull * 24 * 365)	/* no guest waits longer */

/**
 * pi_timer_shift() - the divider
 * @tdcr: divide configuration register, any value
 *
 * SDM Vol. 3, "Divide Configuration Register": bits 3, 1 and 0 count from 2 to
 * 128, and then 1.
 *
 * Context: any.
 * Return: its logarithm, 0 to 7.
 */
u32 pi_timer_shift(u32 tdcr)
{
	return (((tdcr & 8) >> 1 | (tdcr & 3)) + 1) & 7;
}

/**
 * pi_timer_tsc_to_ns() - a distance in time
 * @tsc: in units of the TSC, any value
 * @khz: rate of the TSC, not 0
 *
 * Context: any.
 * Return: nanoseconds, rounded up, at most about a year.
 */
u64 pi_timer_tsc_to_ns(u64 tsc, u32 khz)
{
	u64 hz = khz * 1000ull;
	u64 rest;
	u64 s = div64_u64_rem(tsc, hz, &rest);

	if (s >= FAR_AWAY_S)
		return FAR_AWAY_S * NSEC_PER_SEC;
	return s * NSEC_PER_SEC + div_u64(rest * USEC_PER_SEC + khz - 1, khz);
}

/**
 * pi_timer_next() - when a periodic timer fires next
 * @target: when it fired
 * @period: not 0
 * @now: the present, not before @target
 *
 * Periods that have passed meanwhile are skipped, in constant time.
 *
 * Context: any.
 * Return: the first @target + k * @period, k > 0, that is after @now.
 */
u64 pi_timer_next(u64 target, u64 period, u64 now)
{
	u64 rest;

	div64_u64_rem(now - target, period, &rest);
	return now + period - rest;
}

static u32 mode_of(const u8 *page)
{
	return pi_vapic_get(page, PI_REG_LVT_TIMER) & PI_LVT_TIMER_MODE;
}

/* both count; deadline mode and the reserved mode do not */
static bool is_counting_mode(u32 mode)
{
	return !mode || mode == PI_LVT_TIMER_PERIODIC;
}

/* all of the initial count, in ns */
static u64 full_count(const u8 *page)
{
	return (u64)pi_vapic_get(page, PI_REG_TMICT) <<
	       pi_timer_shift(pi_vapic_get(page, PI_REG_TDCR));
}

static u64 period_of(const u8 *page)
{
	if (mode_of(page) != PI_LVT_TIMER_PERIODIC)
		return 0;
	return max_t(u64, full_count(page), PI_MIN_PERIOD_NS);
}

/**
 * pi_timer_is_deadline() - is IA32_TSC_DEADLINE in use?
 * @page: the register page
 *
 * Context: any.
 * Return: true in TSC-deadline mode.
 */
bool pi_timer_is_deadline(const u8 *page)
{
	return mode_of(page) == PI_LVT_TIMER_DEADLINE;
}

/**
 * pi_timer_max_left() - longest time the count can still run
 * @page: the register page
 *
 * Context: any.
 * Return: nanoseconds; 0 if the count can't be running.
 */
u64 pi_timer_max_left(const u8 *page)
{
	u64 full = full_count(page);

	if (!full || !is_counting_mode(mode_of(page)))
		return 0;
	return max_t(u64, full, PI_MIN_PERIOD_NS);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct limen_vcpu *vcpu;

	vcpu = container_of(timer, struct limen_vcpu, pi.timer);
	limen_vcpu_request(vcpu, LIMEN_REQ_TIMER);
	return HRTIMER_NORESTART;
}

/**
 * pi_timer_init() - prepare the host timer
 * @vcpu: the vCPU
 *
 * Context: before the vCPU is published.
 */
void pi_timer_init(struct limen_vcpu *vcpu)
{
	limen_hrtimer_setup(&vcpu->pi.timer, timer_expired, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS_HARD);
}

/**
 * pi_timer_fini() - the host timer will not run again
 * @vcpu: the vCPU
 *
 * Context: may wait for the callback.
 */
void pi_timer_fini(struct limen_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->pi.timer);
}

/**
 * pi_timer_stop() - disarm in any mode
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, also with IRQs off. A callback that is running leaves a
 * stale request behind.
 */
void pi_timer_stop(struct limen_vcpu *vcpu)
{
	hrtimer_try_to_cancel(&vcpu->pi.timer);
	vcpu->pi.by_entry = false;
	vcpu->pi.target = 0;
	vcpu->pi.period = 0;
	vcpu->pi.deadline = 0;
}

static void arm(struct limen_vcpu *vcpu, u64 target)
{
	vcpu->pi.target = target;
	if (target <= ktime_get_ns())
		limen_vcpu_request(vcpu, LIMEN_REQ_TIMER);
	else
		hrtimer_start(&vcpu->pi.timer, ns_to_ktime(target),
			      HRTIMER_MODE_ABS_HARD);
}

/* until the guest's TSC reaches the deadline; 0: it has */
static u64 tsc_left(const struct limen_vcpu *vcpu)
{
	u64 tsc = limen_host_tsc() + vcpu->tsc_offset;

	return tsc < vcpu->pi.deadline ? vcpu->pi.deadline - tsc : 0;
}

static void arm_host_timer(struct limen_vcpu *vcpu)
{
	vcpu->pi.by_entry = false;
	arm(vcpu, ktime_get_ns() +
	    pi_timer_tsc_to_ns(tsc_left(vcpu), limen_tsc_khz()));
}

static void arm_deadline(struct limen_vcpu *vcpu)
{
	if (!limen_ops->pi || !limen_ops->pi->timer) {
		arm_host_timer(vcpu);
		return;
	}
	vcpu->pi.by_entry = true;
	vcpu->pi.target = KTIME_MAX;
}

static void start_count(struct limen_vcpu *vcpu, u64 left)
{
	vcpu->pi.period = period_of(vcpu->pi.page);
	arm(vcpu, ktime_get_ns() + left);
}

static void write_lvt(struct limen_vcpu *vcpu, u32 val)
{
	u8 *page = vcpu->pi.page;
	u32 old = mode_of(page);
	u32 mode;

	pi_vapic_write(page, PI_REG_LVT_TIMER, val);
	mode = mode_of(page);
	if (mode == old)
		return;
	if (is_counting_mode(mode) && is_counting_mode(old)) {
		/* the count goes on; only its end is another one */
		vcpu->pi.period = period_of(page);
		return;
	}
	/* SDM Vol. 3, "TSC-Deadline Mode": a change of mode disarms */
	pi_timer_stop(vcpu);
	pi_vapic_write(page, PI_REG_TMICT, 0);
}

static void write_count(struct limen_vcpu *vcpu, u32 val)
{
	u8 *page = vcpu->pi.page;

	if (pi_timer_is_deadline(page))
		return;
	pi_timer_stop(vcpu);
	pi_vapic_write(page, PI_REG_TMICT, val);
	if (val && is_counting_mode(mode_of(page)))
		start_count(vcpu, period_of(page) ?: full_count(page));
}

static void write_divide(struct limen_vcpu *vcpu, u32 val)
{
	u8 *page = vcpu->pi.page;
	u64 count = pi_timer_count(vcpu);

	pi_vapic_write(page, PI_REG_TDCR, val);
	if (vcpu->pi.target && is_counting_mode(mode_of(page)))
		start_count(vcpu, count << pi_timer_shift(val));
}

/**
 * pi_timer_write() - a guest writes a register of the timer
 * @vcpu: the vCPU
 * @off: LVT timer, initial count or divide configuration
 * @val: the value
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_timer_write(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	if (off == PI_REG_LVT_TIMER)
		write_lvt(vcpu, val);
	else if (off == PI_REG_TMICT)
		write_count(vcpu, val);
	else
		write_divide(vcpu, val);
}

/**
 * pi_timer_set_deadline() - a guest writes IA32_TSC_DEADLINE
 * @vcpu: the vCPU
 * @tsc: guest TSC at which to fire; 0 disarms
 *
 * Ignored outside of TSC-deadline mode.
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_timer_set_deadline(struct limen_vcpu *vcpu, u64 tsc)
{
	if (!pi_timer_is_deadline(vcpu->pi.page))
		return;
	pi_timer_stop(vcpu);
	vcpu->pi.deadline = tsc;
	if (tsc)
		arm_deadline(vcpu);
}

/**
 * pi_tsc_moved() - vcpu->tsc_offset has changed
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
void pi_tsc_moved(struct limen_vcpu *vcpu)
{
	if (vcpu->pi.deadline)
		arm_deadline(vcpu);
}

/* Has it really? The host's clock is slewed, the TSC is not; requests are stale. */
static bool has_fired(struct limen_vcpu *vcpu)
{
	struct pi_vcpu *pi = &vcpu->pi;

	if (!pi->target)
		return false;
	if (!pi->deadline)
		return ktime_get_ns() >= pi->target;
	if (!tsc_left(vcpu))
		return true;
	arm_deadline(vcpu);
	return false;
}

/**
 * pi_timer_fired() - answer LIMEN_REQ_TIMER
 * @vcpu: the vCPU
 *
 * Context: vCPU thread; the request was cleared before.
 */
void pi_timer_fired(struct limen_vcpu *vcpu)
{
	struct pi_vcpu *pi = &vcpu->pi;

	if (!has_fired(vcpu))
		return;
	pi_post_lvt(vcpu, PI_REG_LVT_TIMER);
	if (pi->period)
		arm(vcpu, pi_timer_next(pi->target, pi->period, ktime_get_ns()));
	else
		pi_timer_stop(vcpu);
}

/**
 * pi_timer_entry() - the deadline of the entry that comes
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window, before what was posted is folded.
 * Return: TSC ticks until the guest shall exit; 0: there is none, or it was over
 * and the interrupt is posted.
 */
u64 pi_timer_entry(struct limen_vcpu *vcpu)
{
	u64 left;

	if (!vcpu->pi.by_entry)
		return 0;
	left = tsc_left(vcpu);
	if (!left)
		pi_timer_fired(vcpu);
	return left;
}

/**
 * pi_timer_block() - the thread is about to sleep, and makes no entries
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 */
void pi_timer_block(struct limen_vcpu *vcpu)
{
	if (vcpu->pi.by_entry)
		arm_host_timer(vcpu);
}

/**
 * pi_timer_left() - time until the count ends
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: nanoseconds, not 0 while the timer is armed by count; else 0.
 */
u64 pi_timer_left(const struct limen_vcpu *vcpu)
{
	u64 target = vcpu->pi.target;
	u64 now = ktime_get_ns();

	if (!target || vcpu->pi.deadline)
		return 0;
	return target > now ? target - now : 1;
}

/**
 * pi_timer_count() - the current count
 * @vcpu: the vCPU
 *
 * Context: vCPU thread.
 * Return: the value of the current-count register.
 */
u32 pi_timer_count(const struct limen_vcpu *vcpu)
{
	const struct pi_vcpu *pi = &vcpu->pi;
	u32 shift = pi_timer_shift(pi_vapic_get(pi->page, PI_REG_TDCR));
	u64 now = ktime_get_ns();
	u64 target = pi->target;
	u64 count;

	if (!target || pi->deadline)
		return 0;
	if (target <= now && !pi->period)
		return 0;
	if (target <= now)
		target = pi_timer_next(target, pi->period, now);
	count = (target - now + BIT(shift) - 1) >> shift;
	return min_t(u64, count, pi_vapic_get(pi->page, PI_REG_TMICT));
}

/**
 * pi_timer_restore() - start the timer from state that was set
 * @vcpu: the vCPU; its page and deadline are in place, its timer is stopped
 * @left: as pi_timer_left() gave it
 *
 * Nothing is posted here: the guest's TSC may be set later in the same transfer.
 *
 * Context: vCPU thread.
 */
void pi_timer_restore(struct limen_vcpu *vcpu, u64 left)
{
	if (vcpu->pi.deadline)
		arm_deadline(vcpu);
	else if (left)
		start_count(vcpu, left);
}
