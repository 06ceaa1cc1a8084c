// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page at which hardware recognizes accesses to an xAPIC.
 *
 * The table is shared by all vCPUs, and to a vCPU whose APIC is not there the page
 * would be memory, shared with every other. So there is a leaf only as long as all
 * APICs are at the default address, and never again after one has left it; accesses
 * then come as second-level faults, and mean the same.
 */
#include "../limen.h"
#include "npt_mmu.h"

#define APIC_GPA	0xfee00000ull

/**
 * npt_map_apic() - a vCPU in xAPIC mode has met no leaf
 * @vm: the VM
 *
 * Context: the vCPU's thread, no window open; may sleep.
 * Return: true if there is a leaf now.
 */
bool npt_map_apic(struct limen_vm *vm)
{
	u64 hpa = limen_ops->apic_page ? limen_ops->apic_page(vm) : 0;
	struct npt_cache cache = {};
	bool mapped = false;
	LIST_HEAD(freed);
	u64 leaf;

	if (!hpa || READ_ONCE(vm->apic_page_gone))
		return false;
	if (npt_cache_fill(&cache))
		goto out;
	/* all rights: the exit for an access, of any kind, comes after the walk */
	leaf = npt_make_leaf(vm->npt.fmt, hpa, LIMEN_MEM_READ | LIMEN_MEM_WRITE |
			     LIMEN_MEM_EXEC, 1);
	spin_lock(&vm->mmu_lock);
	mapped = !vm->apic_page_gone;
	/* only the same leaf can have been there: no flush */
	if (mapped)
		npt_map(&vm->npt, &cache, APIC_GPA, leaf, 1, &freed);
	spin_unlock(&vm->mmu_lock);
	npt_free_list(&freed);
out:
	npt_cache_drain(&cache);
	return mapped;
}

/**
 * npt_hide_apic() - an APIC has left the default address, or xAPIC mode
 * @vm: the VM
 *
 * Context: the vCPU's thread, no window open, before its next entry.
 */
void npt_hide_apic(struct limen_vm *vm)
{
	LIST_HEAD(freed);
	bool flush;

	spin_lock(&vm->mmu_lock);
	vm->apic_page_gone = true;
	flush = npt_unmap(&vm->npt, APIC_GPA, PAGE_SIZE, &freed);
	spin_unlock(&vm->mmu_lock);
	if (flush)
		npt_flush_all(vm);
	npt_free_list(&freed);
}
