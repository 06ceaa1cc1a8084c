// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU with nothing to do: its thread first looks for a while whether something
 * comes, then sleeps. Looking costs host time and saves the way into the
 * scheduler and back, so how long is learnt from the waits there were, up to a
 * limit of the VM (LIMEN_HALT_POLL). It ends at once when anybody else wants the
 * CPU.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "halt.h"
#include "limen.h"

#define POLL_FIRST_NS	10000

static unsigned int halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns,
		 "ns that a halted vCPU polls at most, for VMs made from now on; 0: it sleeps");

/**
 * limen_halt_poll_default() - the limit of a new VM
 *
 * Return: ns, at most LIMEN_MAX_HALT_POLL.
 */
u32 limen_halt_poll_default(void)
{
	return min_t(u32, READ_ONCE(halt_poll_ns), LIMEN_MAX_HALT_POLL);
}

/**
 * limen_halt_next_poll() - how long to poll in the next halt
 * @poll: ns this time
 * @max: the VM's limit
 * @waited: ns until something came, polling included
 *
 * A wait that ended while we polled was well guessed. One that a longer poll
 * within the limit would have caught doubles it; a longer one is no use to poll
 * for at all.
 *
 * Pure.
 * Return: ns.
 */
u32 limen_halt_next_poll(u32 poll, u32 max, u64 waited)
{
	if (waited <= poll)
		return min(poll, max);
	if (waited > max)
		return 0;
	return min(poll ? poll * 2 : POLL_FIRST_NS, max);
}

static bool is_woken(const struct limen_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || pi_has_posted(vcpu);
}

static bool is_cpu_wanted(void)
{
	return need_resched() || !single_task_running() || signal_pending(current);
}

/* Return: true if something came. */
static bool poll(struct limen_vcpu *vcpu, u64 start, u32 ns)
{
	while (!is_woken(vcpu)) {
		if (is_cpu_wanted() || ktime_get_ns() - start >= ns)
			return false;
		cpu_relax();
	}
	return true;
}

static int wait_ns(struct limen_vcpu *vcpu, u32 max, u64 start)
{
	u32 ns = min(vcpu->halt_poll, max);
	int err;

	if (ns && poll(vcpu, start, ns)) {
		vcpu->stat[LIMEN_STAT_POLLS_HIT]++;
		return 0;
	}
	vcpu->stat[LIMEN_STAT_POLLS_MISSED] += !!ns;
	err = rcuwait_wait_event(&vcpu->wait, is_woken(vcpu), TASK_INTERRUPTIBLE);
	return err ? -EINTR : 0;
}

/**
 * limen_vcpu_block() - sleep until something waits for this vCPU
 * @vcpu: the vCPU
 *
 * Context: the vCPU's thread, no window open.
 * Return: 0, or -EINTR for a signal.
 */
int limen_vcpu_block(struct limen_vcpu *vcpu)
{
	/* waiting for SIPI is no work */
	bool halted = vcpu->ev.mp_state == LIMEN_MP_HALTED;
	u32 max = halted ? READ_ONCE(vcpu->vm->halt_poll_max) : 0;
	u64 start, waited;
	int err;

	/* before the requests: a flood of them may not hold up a signal */
	if (signal_pending(current))
		return -EINTR;
	pi_timer_block(vcpu);
	if (is_woken(vcpu))
		return 0;
	start = ktime_get_ns();
	err = wait_ns(vcpu, max, start);
	waited = ktime_get_ns() - start;
	vcpu->stat[LIMEN_STAT_HALT_NS] += waited;
	if (halted && !err)
		vcpu->halt_poll = limen_halt_next_poll(vcpu->halt_poll, max, waited);
	return err;
}
