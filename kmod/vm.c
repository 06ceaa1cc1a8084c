// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM: address space, memory, rules and vCPUs. It lives as long as any of its
 * descriptors: each vCPU's file holds a reference to the VM, and the vCPUs are
 * freed with it, so that one vCPU may always look at another.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dirty.h"
#include "ioevent.h"
#include "halt.h"
#include "limen.h"
#include "mem.h"
#include "npt/npt_mmu.h"
#include "policy.h"
#include "vcpu.h"
#include "vm.h"

/**
 * limen_vm_create() - a VM of the caller's address space, without memory
 *
 * Context: may sleep.
 * Return: the VM with one reference, or an error pointer.
 */
struct limen_vm *limen_vm_create(void)
{
	struct limen_vm *vm;
	int err;

	if (!current->mm)
		return ERR_PTR(-EINVAL);
	vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	init_rwsem(&vm->mem_sem);
	spin_lock_init(&vm->mmu_lock);
	pi_irqfd_init(&vm->irqfds);
	vm->halt_poll_max = limen_halt_poll_default();
	vm->mm = current->mm;
	mmgrab(vm->mm);

	err = npt_init(&vm->npt, npt_format_for(limen_ops->npt, limen_caps.npt_ad));
	if (err)
		goto err_drop_mm;
	vm->npt.way = limen_dirty_way();
	err = limen_ops->vm_init(vm);
	if (err)
		goto err_npt_fini;
	err = npt_notifier_register(vm);
	if (err)
		goto err_vm_fini;
	/* the paravirtual clock starts at 0 */
	vm->clock_offset = -(s64)ktime_get_boottime_ns();
	npt_shrink_add(vm);
	return vm;

err_vm_fini:
	limen_ops->vm_fini(vm);
err_npt_fini:
	npt_fini(&vm->npt);
err_drop_mm:
	mmdrop(vm->mm);
	kvfree(vm);
	return ERR_PTR(err);
}

static void vm_free(struct kref *ref)
{
	struct limen_vm *vm = container_of(ref, struct limen_vm, ref);
	u32 i;

	npt_shrink_remove(vm);
	/* eventfds and timers first: they post to vCPUs of this VM */
	pi_irqfd_fini(&vm->irqfds);
	limen_ioeventfd_fini(vm);
	for (i = 0; i < LIMEN_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			hrtimer_cancel(&vm->vcpu[i]->pi.timer);
	npt_notifier_unregister(vm);
	for (i = 0; i < LIMEN_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			limen_vcpu_destroy(vm->vcpu[i]);
	npt_fini(&vm->npt);
	limen_mem_fini(vm);
	limen_ops->vm_fini(vm);
	mmdrop(vm->mm);
	kvfree(vm);
}

void limen_vm_get(struct limen_vm *vm)
{
	kref_get(&vm->ref);
}

/**
 * limen_vm_put() - the last one frees all
 * @vm: the VM
 *
 * Context: may sleep.
 */
void limen_vm_put(struct limen_vm *vm)
{
	kref_put(&vm->ref, vm_free);
}

/**
 * limen_vm_publish() - let others find a complete vCPU
 * @vm: the VM
 * @vcpu: the vCPU
 *
 * Context: vm->lock.
 * Return: 0 or -EEXIST.
 */
int limen_vm_publish(struct limen_vm *vm, struct limen_vcpu *vcpu)
{
	if (vm->vcpu[vcpu->id])
		return -EEXIST;
	/*
	 * complete before visible; pairs with the READ_ONCE of its users, which
	 * only follow the pointer
	 */
	smp_store_release(&vm->vcpu[vcpu->id], vcpu);
	vm->nr_vcpus++;
	return 0;
}

/**
 * limen_vm_set_ran() - from now on the rules are fixed
 * @vm: the VM
 *
 * Context: may sleep.
 */
void limen_vm_set_ran(struct limen_vm *vm)
{
	if (READ_ONCE(vm->ran))
		return;
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->ran, true);
	mutex_unlock(&vm->lock);
}

static void trap_msrs(struct limen_vm *vm, const struct limen_policy *p)
{
	u64 i, last = min_t(u64, p->last, p->first + 0x1fffull);
	bool trap = p->action != LIMEN_DO_DEFAULT;

	/*
	 * MSRs outside the bitmaps always exit, so a long range is cut short
	 * without loss: each bitmap covers 0x2000 of them
	 */
	for (i = p->first; i <= last && trap; i++)
		limen_ops->trap_msr(vm, i, p->access & LIMEN_ON_READ,
				    p->access & LIMEN_ON_WRITE);
	for (i = 0xc0000000; i < 0xc0002000 && trap && p->last > last; i++)
		if (i >= p->first && i <= p->last)
			limen_ops->trap_msr(vm, i, p->access & LIMEN_ON_READ,
					    p->access & LIMEN_ON_WRITE);
}

/**
 * limen_vm_policy() - LIMEN_POLICY
 * @vm: the VM
 * @rule: the rule
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_vm_policy(struct limen_vm *vm, const struct limen_policy *rule)
{
	int err = limen_policy_check(rule);

	if (err)
		return err;
	mutex_lock(&vm->lock);
	if (vm->ran)
		err = -EBUSY;
	else if (vm->nr_policy == LIMEN_MAX_POLICY)
		err = -EMFILE;
	if (!err) {
		vm->policy[vm->nr_policy++] = *rule;
		if (rule->kind == LIMEN_POLICY_MSR)
			trap_msrs(vm, rule);
	}
	mutex_unlock(&vm->lock);
	return err;
}

/**
 * limen_vm_extint() - LIMEN_EXTINT
 * @vm: the VM
 * @level: its level
 *
 * Context: any but NMI.
 */
void limen_vm_extint(struct limen_vm *vm, int level)
{
	struct limen_vcpu *bsp = READ_ONCE(vm->vcpu[0]);

	WRITE_ONCE(vm->extint, level);
	if (bsp && level)
		limen_vcpu_request(bsp, LIMEN_REQ_EXTINT);
}

/**
 * limen_vm_kill() - an inconsistency: this VM ends, the host does not
 * @vm: the VM
 * @why: the reason
 *
 * Context: any but NMI.
 */
void limen_vm_kill(struct limen_vm *vm, const char *why)
{
	u32 i;

	if (READ_ONCE(vm->dead))
		return;
	WRITE_ONCE(vm->dead, true);
	pr_err_ratelimited("limen: VM killed: %s\n", why);
	for (i = 0; i < LIMEN_MAX_VCPUS; i++)
		if (READ_ONCE(vm->vcpu[i]))
			limen_vcpu_request(vm->vcpu[i], LIMEN_REQ_DEAD);
}
