// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt-off window: the only place where root mode, the guest's FPU
 * state and the guest's MSRs are in the CPU. Everything is given back as it was
 * found before interrupts go on again, so KVM, hotplug, suspend and a crash never
 * meet anything of ours.
 *
 * Callers (run.c, and limen_fetch()'s) need not know whether root mode was
 * switched on here or borrowed: a cheaper lease can be put behind these two.
 */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "fpu.h"
#include "host_check.h"
#include "limen.h"
#include "window.h"

/**
 * limen_window_open() - take root mode on this CPU
 * @vcpu: the vCPU
 *
 * Where another owner is just switching it on or off, waits for it to finish. An
 * owner that never does (a CPU left half-way) would hold the thread for ever, so
 * SIGKILL ends the wait, and the VM with it.
 *
 * Context: vCPU thread, IRQs on; they are off when it returns true.
 * Return: false if there is no window.
 */
bool limen_window_open(struct limen_vcpu *vcpu)
{
	for (;;) {
		local_irq_save(vcpu->irqflags);
		limen_host_check_open();
		limen_fpu_load(vcpu);
		if (!limen_ops->open(vcpu))
			break;
		limen_fpu_save(vcpu);
		local_irq_restore(vcpu->irqflags);
		if (fatal_signal_pending(current)) {
			limen_vm_kill(vcpu->vm, "this CPU's root mode stays in transition");
			return false;
		}
		cond_resched();
	}
	vcpu->window = true;
	vcpu->stat[LIMEN_STAT_WINDOWS]++;
	return true;
}

/**
 * limen_window_close() - give root mode back
 * @vcpu: the vCPU
 *
 * A host interrupt that ended the guest's run is taken here, as IRQs go on.
 *
 * Context: after limen_window_open(), IRQs off.
 */
void limen_window_close(struct limen_vcpu *vcpu)
{
	vcpu->window = false;
	limen_ops->close(vcpu);
	limen_fpu_save(vcpu);
	limen_host_check_close();
	/* an interrupt in service belongs to this CPU */
	preempt_disable();
	local_irq_restore(vcpu->irqflags);
	if (limen_ops->serve)
		limen_ops->serve(vcpu);
	preempt_enable();
}

/**
 * limen_fetch() - bring register groups into memory
 * @vcpu: a vCPU
 * @groups: LIMEN_G_*
 *
 * Context: the vCPU's thread or vcpu->lock; inside a window or not.
 */
void limen_fetch(struct limen_vcpu *vcpu, u32 groups)
{
	bool inside = vcpu->window;

	groups &= ~vcpu->valid;
	if (!groups)
		return;
	if (!(groups & ~limen_ops->in_memory))
		inside = true;
	/* without a window, memory is as good as it gets for a dead VM */
	if (!inside && !limen_window_open(vcpu))
		return;
	limen_ops->fetch(vcpu, groups);
	vcpu->valid |= groups;
	if (!inside)
		limen_window_close(vcpu);
}
