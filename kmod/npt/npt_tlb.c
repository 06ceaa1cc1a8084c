// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making every vCPU forget: a generation that each vCPU compares before it
 * enters, and an IPI that throws out those that are inside.
 *
 * The flush itself (INVEPT, TLB_CONTROL) is done by the vendor at the next entry
 * of each vCPU. When this returns, no CPU uses a translation made before.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>

#include "../limen.h"
#include "npt_mmu.h"

static void ack(void *unused)
{
}

/**
 * npt_flush_all() - no vCPU of @vm uses an old translation after this
 * @vm: the VM
 *
 * Whoever took a leaf away calls this before vm->mmu_lock goes: who comes next finds
 * no leaf, need not flush, and may give the page to somebody else at once.
 *
 * Context: as npt_kick_all().
 */
void npt_flush_all(struct limen_vm *vm)
{
	atomic64_inc(&vm->tlb_gen);
	npt_kick_all(vm);
}

/**
 * npt_kick_all() - every vCPU of @vm that is inside leaves the guest
 * @vm: the VM
 *
 * When this returns their windows are closed; they may have been opened again.
 *
 * Context: IRQs on, no sleeping needed; vm->mmu_lock held or not: it is always taken
 * with IRQs on, so nobody who waits for it holds up an IPI.
 */
void npt_kick_all(struct limen_vm *vm)
{
	cpumask_var_t inside;
	unsigned int i;
	bool all;

	/* generation before where; pairs with where = IN_GUEST in run.c */
	smp_mb();

	all = !zalloc_cpumask_var(&inside, GFP_ATOMIC | __GFP_NOWARN);
	preempt_disable();
	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu = READ_ONCE(vm->vcpu[i]);
		int cpu;

		if (!vcpu || READ_ONCE(vcpu->where) != LIMEN_IN_GUEST)
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (!all && cpu >= 0)
			cpumask_set_cpu(cpu, inside);
	}
	/*
	 * A CPU that runs the handler has left the guest: it was entered with
	 * interrupts off, and the window closes before they go on.
	 */
	smp_call_function_many(all ? cpu_online_mask : inside, ack, NULL, 1);
	preempt_enable();
	if (!all)
		free_cpumask_var(inside);
}
