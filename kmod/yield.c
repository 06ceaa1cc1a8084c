// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that spins gives its CPU to one that was taken off its own while it had
 * something to do: perhaps that one holds the lock. Asked for by PAUSE-loop exits
 * and by KVM_HC_SCHED_YIELD, done between two windows.
 */
#include <linux/pid.h>
#include <linux/sched.h>

#include "limen.h"
#include "yield.h"

#define MAX_TRIES	3	/* each may wait for a run queue's lock */

/* Next vCPU after number @last that waits for a CPU, but not @me; or NULL */
static struct limen_vcpu *pick(struct limen_vm *vm, const struct limen_vcpu *me,
			       u32 last)
{
	u32 i;

	for (i = 1; i <= LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu;

		vcpu = limen_vcpu_of(vm, (last + i) % LIMEN_MAX_VCPUS);
		if (vcpu && vcpu != me && READ_ONCE(vcpu->ready))
			return vcpu;
	}
	return NULL;
}

/* Return: true if its thread has run, or will next. */
static bool yield_cpu_to(struct limen_vcpu *target)
{
	struct task_struct *task;
	int ret;

	spin_lock(&target->thread_lock);
	task = get_pid_task(target->thread, PIDTYPE_PID);
	spin_unlock(&target->thread_lock);
	if (!task)
		return false;
	ret = yield_to(task, true);
	put_task_struct(task);
	return ret > 0;
}

/**
 * limen_yield() - do what vcpu->want_yield asks for
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; may schedule.
 */
void limen_yield(struct limen_vcpu *vcpu)
{
	struct limen_vcpu *target = vcpu->yield_to;
	struct limen_vm *vm = vcpu->vm;
	bool done = false;
	int tries;

	vcpu->want_yield = false;
	vcpu->yield_to = NULL;
	if (target) {
		done = READ_ONCE(target->ready) && yield_cpu_to(target);
	} else {
		for (tries = 0; !done && tries < MAX_TRIES; tries++) {
			target = pick(vm, vcpu, READ_ONCE(vm->yield_last));
			if (!target)
				return;
			WRITE_ONCE(vm->yield_last, target->id);
			done = yield_cpu_to(target);
		}
	}
	vcpu->stat[LIMEN_STAT_YIELDS] += done;
}
