// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at the host's page tables: how large its page is at an address, and which
 * pages around a fault it has anyway. Called by npt_fault.c.
 *
 * All under vm->mmu_lock. Before the host changes an entry it announces that to the
 * notifier, which takes the same lock: an entry outside the announced range is valid
 * now, and before it changes the leaf made from it is taken away. So no page is
 * looked up, and none is referenced.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "../limen.h"
#include "npt_dirty.h"
#include "npt_host.h"
#include "npt_table.h"

/* So many pages are looked at for one fault, the faulting one among them */
#define NPT_AROUND	16

/*
 * The entry that maps @hva, or would: level 1 to 3, or 0 if no table is there. IRQs
 * are off: the host frees tables after an IPI or RCU-sched.
 */
static int host_entry(struct mm_struct *mm, unsigned long hva, pmd_t *pmdp)
{
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;

	lockdep_assert_irqs_disabled();
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		return 0;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return 0;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return 0;
	if (pud_leaf(pud))
		return 3;
	*pmdp = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(*pmdp) || !pmd_present(*pmdp))
		return 0;
	return pmd_leaf(*pmdp) ? 2 : 1;
}

/**
 * npt_host_level() - how large is the host's page?
 * @mm: the owner's address space
 * @hva: address of a page that is there
 *
 * Context: vm->mmu_lock.
 * Return: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB.
 */
int npt_host_level(struct mm_struct *mm, unsigned long hva)
{
	unsigned long flags;
	int level;
	pmd_t pmd;

	local_irq_save(flags);
	level = host_entry(mm, hva, &pmd);
	local_irq_restore(flags);
	return level ?: 1;
}

/**
 * npt_is_invalidating() - is the host just changing the page at @hva?
 * @vm: the VM
 * @hva: address in the VMM
 *
 * Context: vm->mmu_lock.
 */
bool npt_is_invalidating(const struct limen_vm *vm, u64 hva)
{
	return vm->mn_active && hva >= (vm->mn_start & PAGE_MASK) && hva < vm->mn_end;
}

/*
 * Which rights does the host's entry give? 0: not for us. What get_user_pages() would
 * refuse is not taken here either: of a file's pages those of tmpfs only, so that none
 * is secret memory. The guest's writes must count as the host's, which they do where
 * its own entry is dirty.
 */
static u32 host_access(pte_t pte)
{
	struct folio *folio;

	if (!pte_access_permitted(pte, false) || pte_special(pte) ||
	    !pfn_valid(pte_pfn(pte)))
		return 0;
	folio = page_folio(pte_page(pte));
	if (!folio_test_anon(folio) && !folio_test_swapbacked(folio))
		return 0;
	if (pte_access_permitted(pte, true) && pte_dirty(pte))
		return LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC;
	return LIMEN_MEM_READ | LIMEN_MEM_EXEC;
}

/*
 * A leaf with more rights than are there; it is for the same page. What was mapped
 * unasked does not count as used: the CPU says when it is.
 */
static void map_one(struct limen_vm *vm, const struct limen_mem_range *r, u64 gpa,
		    u64 *entry, u64 hpa, u32 access)
{
	const struct npt_format *fmt = vm->npt.fmt;

	access = npt_log_rights(vm, r, gpa, access & r->flags, false);
	if (access & ~npt_leaf_access(fmt, *entry))
		WRITE_ONCE(*entry, npt_log_leaf(vm, r, hpa, access) & ~fmt->accessed);
}

/**
 * npt_map_around() - map what the host has near a page that was just mapped
 * @vm: the VM
 * @r: the range of @gpa
 * @gpa: a page with a leaf of level 1
 * @hpa: where it is
 * @writable: by the host
 *
 * A first pass over memory that the host has then faults once for NPT_AROUND pages.
 * Nothing is brought in, and no copy-on-write is broken. A large page of the host's
 * is mapped in small ones where writes are logged.
 *
 * Context: vm->mmu_lock.
 */
void npt_map_around(struct limen_vm *vm, const struct limen_mem_range *r, u64 gpa,
		    u64 hpa, bool writable)
{
	u64 from = max(gpa & ~(NPT_AROUND * PAGE_SIZE - 1), r->gpa);
	u64 to = min((gpa | (NPT_AROUND * PAGE_SIZE - 1)) + 1, r->gpa + r->len);
	u32 all = writable ? NPT_RIGHTS : NPT_RIGHTS & ~LIMEN_MEM_WRITE;
	u64 hva = r->hva + (gpa - r->gpa), at;
	struct npt_pos pos = npt_walk(&vm->npt, gpa, 1);
	u64 *entry = pos.ptep - ((gpa - from) >> PAGE_SHIFT);
	unsigned long flags;
	int level;
	pmd_t pmd;

	local_irq_save(flags);
	level = pos.level == 1 ? host_entry(vm->mm, hva, &pmd) : 0;
	for (; level && from < to; from += PAGE_SIZE, entry++) {
		at = hva + (from - gpa);
		if ((at ^ hva) & PMD_MASK || npt_is_invalidating(vm, at))
			continue;
		if (level > 1) {
			map_one(vm, r, from, entry, hpa + (at - hva), all);
		} else if (!(*entry & vm->npt.fmt->present)) {
			pte_t pte = ptep_get(pte_offset_kernel(&pmd, at));

			map_one(vm, r, from, entry, (u64)pte_pfn(pte) << PAGE_SHIFT,
				host_access(pte));
		}
	}
	local_irq_restore(flags);
}
