// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host takes memory back: mmu notifier callbacks for the VMM's address space.
 *
 * Between start and end of an invalidation no leaf for the range exists and none
 * can be made: npt_fault.c sees mn_active, or the sequence that end moves on.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "../compat.h"
#include "../limen.h"
#include "npt_mmu.h"

static struct limen_vm *vm_of(struct mmu_notifier *mn)
{
	return container_of(mn, struct limen_vm, notifier);
}

/* Unmap what [start, end) of the VMM's memory backs. True: flush. */
static bool unmap_hva(struct limen_vm *vm, u64 start, u64 end,
		      struct list_head *freed)
{
	bool flush = false;
	u32 i;

	for (i = 0; i < vm->nr_ranges; i++) {
		const struct limen_mem_range *r = &vm->range[i];
		u64 from = max(start, r->hva);
		u64 to = min(end, r->hva + r->len);

		if (from < to)
			flush |= npt_unmap(&vm->npt, r->gpa + (from - r->hva),
					   to - from, freed);
	}
	return flush;
}

/* The first address from @start on that some range has, or @end */
static u64 next_backed(const struct limen_vm *vm, u64 start, u64 end)
{
	u64 next = end;
	u32 i;

	for (i = 0; i < vm->nr_ranges; i++) {
		const struct limen_mem_range *r = &vm->range[i];

		if (r->hva + r->len > start)
			next = min(next, max(start, r->hva));
	}
	return next;
}

/**
 * npt_zap_hva() - take away what a part of the VMM's memory backs, and flush
 * @vm: the VM
 * @start: address in the VMM
 * @end: behind the last one
 * @may_sleep: give the CPU away now and then
 *
 * The lock goes now and then: who needs it all gone sees to it that no fault brings a
 * leaf back.
 *
 * Context: process; sleeps only with @may_sleep.
 */
void npt_zap_hva(struct limen_vm *vm, u64 start, u64 end, bool may_sleep)
{
	u64 to;

	for (; start < end; start = to) {
		LIST_HEAD(freed);

		spin_lock(&vm->mmu_lock);
		start = next_backed(vm, start, end);
		to = start + min(end - start, NPT_ZAP_STEP);
		if (unmap_hva(vm, start, to, &freed))
			npt_flush_all(vm);
		spin_unlock(&vm->mmu_lock);
		npt_free_list(&freed);
		if (may_sleep)
			cond_resched();
	}
}

static int invalidate_start(struct mmu_notifier *mn,
			    const struct mmu_notifier_range *range)
{
	struct limen_vm *vm = vm_of(mn);

	spin_lock(&vm->mmu_lock);
	if (vm->mn_active++) {
		vm->mn_start = min_t(u64, vm->mn_start, range->start);
		vm->mn_end = max_t(u64, vm->mn_end, range->end);
	} else {
		vm->mn_start = range->start;
		vm->mn_end = range->end;
	}
	spin_unlock(&vm->mmu_lock);
	npt_zap_hva(vm, range->start, range->end, mmu_notifier_range_blockable(range));
	return 0;
}

static void invalidate_end(struct mmu_notifier *mn,
			   const struct mmu_notifier_range *range)
{
	struct limen_vm *vm = vm_of(mn);

	spin_lock(&vm->mmu_lock);
	vm->mn_seq++;
	vm->mn_active--;
	spin_unlock(&vm->mmu_lock);
}

/*
 * The address space goes away: all leaves go now, and no fault can bring one back
 * because get_user_pages finds no mapping.
 */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct limen_vm *vm = vm_of(mn);

	spin_lock(&vm->mmu_lock);
	vm->mn_seq++;
	spin_unlock(&vm->mmu_lock);
	npt_zap_hva(vm, 0, ULONG_MAX, true);
}

/*
 * Where the CPU notes no accesses, a leaf that is there counts as used, and ageing
 * takes it away: the guest faults when it uses the page again. True: was used.
 */
static bool age(struct limen_vm *vm, u64 start, u64 end, bool clear)
{
	bool young = false, flush = false;
	LIST_HEAD(freed);
	u32 i;

	spin_lock(&vm->mmu_lock);
	if (clear && !vm->npt.fmt->accessed)
		young = flush = unmap_hva(vm, start, end, &freed);
	for (i = 0; i < vm->nr_ranges && !flush; i++) {
		const struct limen_mem_range *r = &vm->range[i];
		u64 from = max(start, r->hva);
		u64 to = min(end, r->hva + r->len);
		u64 gpa = r->gpa + (from - r->hva);

		if (from < to)
			young |= clear ? npt_age(&vm->npt, gpa, to - from) :
					 npt_is_young(&vm->npt, gpa, to - from);
	}
	if (flush)
		npt_flush_all(vm);
	spin_unlock(&vm->mmu_lock);
	npt_free_list(&freed);
	return young;
}

static limen_young_t clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end)
{
	return age(vm_of(mn), start, end, true);
}

static limen_young_t test_young(struct mmu_notifier *mn, struct mm_struct *mm,
				unsigned long address)
{
	return age(vm_of(mn), address, address + 1, false);
}

static const struct mmu_notifier_ops notifier_ops = {
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.invalidate_range_start = invalidate_start,
	.invalidate_range_end = invalidate_end,
	.release = release,
};

/**
 * npt_notifier_register() - follow vm->mm
 * @vm: the VM
 *
 * Context: may sleep.
 * Return: errno.
 */
int npt_notifier_register(struct limen_vm *vm)
{
	vm->notifier.ops = &notifier_ops;
	return mmu_notifier_register(&vm->notifier, vm->mm);
}

/**
 * npt_notifier_unregister() - waits for running callbacks
 * @vm: the VM
 *
 * Context: may sleep.
 */
void npt_notifier_unregister(struct limen_vm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
}
