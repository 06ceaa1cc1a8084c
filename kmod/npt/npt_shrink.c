// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of second-level tables goes back when the host runs short of it: tables of
 * VMs that do not run. They come back by faults; nothing else is lost.
 *
 * The tables are charged to the owner's cgroup, but a shrinker that cgroups know can
 * only be built into the kernel: this one is called when the host as a whole is short.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/shrinker.h>

#include "../compat.h"
#include "../limen.h"
#include "npt_mmu.h"

/* All VMs, the one that was looked at longest ago first. Never waited for in reclaim. */
static LIST_HEAD(vms);
static DEFINE_MUTEX(vms_lock);
static struct shrinker *shrinker;

/* Tables beside the root; zapping a VM gives back all of them */
static unsigned long tables_of(struct limen_vm *vm)
{
	return READ_ONCE(vm->npt.nr_tables) - 1;
}

/* Has no vCPU opened a window since the last look, and is none in one? */
static bool is_idle(struct limen_vm *vm)
{
	bool inside = false;
	u64 windows = 0;
	u32 i;

	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu = limen_vcpu_of(vm, i);

		if (!vcpu)
			continue;
		inside |= READ_ONCE(vcpu->where) == LIMEN_IN_GUEST;
		windows += READ_ONCE(vcpu->stat[LIMEN_STAT_WINDOWS]);
	}
	inside |= windows != vm->shrink_seen;
	vm->shrink_seen = windows;
	return !inside;
}

static unsigned long zap(struct limen_vm *vm)
{
	unsigned long before = tables_of(vm);
	LIST_HEAD(freed);

	npt_zap_hva(vm, 0, ULONG_MAX, false);
	/* by now at most some tables of upper levels are left */
	spin_lock(&vm->mmu_lock);
	if (npt_unmap(&vm->npt, 0, 1ull << 48, &freed))
		npt_flush_all(vm);
	spin_unlock(&vm->mmu_lock);
	npt_free_list(&freed);
	return before - min(before, tables_of(vm));
}

static unsigned long count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = 0;
	struct limen_vm *vm;

	if (!mutex_trylock(&vms_lock))
		return 0;
	list_for_each_entry(vm, &vms, shrink)
		n += tables_of(vm);
	mutex_unlock(&vms_lock);
	return n;
}

static unsigned long scan(struct shrinker *s, struct shrink_control *sc)
{
	struct limen_vm *vm, *next;
	unsigned long n = 0;
	LIST_HEAD(seen);

	if (!mutex_trylock(&vms_lock))
		return SHRINK_STOP;
	list_for_each_entry_safe(vm, next, &vms, shrink) {
		if (n >= sc->nr_to_scan)
			break;
		list_move_tail(&vm->shrink, &seen);
		if (tables_of(vm) && is_idle(vm))
			n += zap(vm);
	}
	list_splice_tail(&seen, &vms);
	mutex_unlock(&vms_lock);
	return n ?: SHRINK_STOP;
}

/**
 * npt_shrink_add() - this VM's tables may be taken from now on
 * @vm: a VM that is complete
 *
 * Context: may sleep.
 */
void npt_shrink_add(struct limen_vm *vm)
{
	mutex_lock(&vms_lock);
	list_add(&vm->shrink, &vms);
	mutex_unlock(&vms_lock);
}

/**
 * npt_shrink_remove() - and no more; waits for who is at it
 * @vm: a VM that ends
 *
 * Context: may sleep.
 */
void npt_shrink_remove(struct limen_vm *vm)
{
	mutex_lock(&vms_lock);
	list_del(&vm->shrink);
	mutex_unlock(&vms_lock);
}

/** npt_shrink_init() - when the module is loaded. Return: errno. */
int npt_shrink_init(void)
{
	shrinker = limen_shrinker_create(count, scan);
	return shrinker ? 0 : -ENOMEM;
}

/** npt_shrink_fini() - when it goes; there is no VM any more */
void npt_shrink_fini(void)
{
	limen_shrinker_destroy(shrinker);
}
