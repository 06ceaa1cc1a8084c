// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second-level fault: find the range, get the host's page, link a leaf.
 *
 * Runs in the vCPU's thread with no window open. The page is not pinned: its
 * reference is dropped as soon as the leaf is linked, and the mmu notifier takes
 * the leaf away before the host can use the page for anything else. The sequence
 * noted before the page was looked up tells whether that happened in between.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "../compat.h"
#include "../limen.h"
#include "../mem.h"
#include "npt_dirty.h"
#include "npt_host.h"
#include "npt_mmu.h"
#include "npt_table.h"

struct fault {
	/* inputs */
	struct limen_vcpu *vcpu;
	u64 gpa;
	u32 access;		/* LIMEN_ACCESS_* */
	/* derived */
	struct limen_mem_range range;
	u64 hva;
	/* outputs */
	struct page *page;
	bool writable;
};

static bool allowed(const struct limen_mem_range *r, u32 access)
{
	if ((access & LIMEN_ACCESS_READ) && !(r->flags & LIMEN_MEM_READ))
		return false;
	if ((access & LIMEN_ACCESS_WRITE) && !(r->flags & LIMEN_MEM_WRITE))
		return false;
	if ((access & LIMEN_ACCESS_EXEC) && !(r->flags & LIMEN_MEM_EXEC))
		return false;
	return true;
}

/*
 * A page that the guest can write must count as dirty. One that was faulted in for
 * writing does; but the host's entry for anonymous or shared memory can be writable
 * and clean (MADV_FREE; memory that was only read), and reclaim drops a clean page.
 * When it is cleaned later, the notifier takes the leaf. A file's page with a
 * writable entry is dirty already.
 */
static void mark_dirty(struct page *page)
{
	struct folio *folio = page_folio(page);

	if ((folio_test_anon(folio) || folio_test_swapbacked(folio)) &&
	    !folio_test_dirty(folio))
		set_page_dirty_lock(page);
}

/*
 * May sleep. A read tries for a writable page too, to save the next fault, but
 * never breaks copy-on-write for it.
 */
static int get_page_of(struct fault *f)
{
	bool write = f->access & LIMEN_ACCESS_WRITE;
	struct page *again;
	long n;

	n = get_user_pages_unlocked(f->hva, 1, &f->page,
				    write ? FOLL_WRITE : 0);
	if (n == -EINTR || n == -EAGAIN || n == -ENOMEM)
		return n;
	if (n != 1)
		return -EFAULT;
	f->writable = write;
	if (!write && (f->range.flags & LIMEN_MEM_WRITE) &&
	    get_user_pages_fast_only(f->hva, 1, FOLL_WRITE, &again) == 1) {
		f->writable = again == f->page;
		put_page(again);
		if (f->writable)
			mark_dirty(f->page);
	}
	return 0;
}

/* Can a leaf of @level at f->gpa map what the host has in one page of that size? */
static bool fits(const struct fault *f, int level)
{
	const struct limen_mem_range *r = &f->range;
	u64 size = npt_size(level);
	u64 start = f->gpa & ~(size - 1);

	return !((r->gpa ^ r->hva) & (size - 1)) && start >= r->gpa &&
	       start + size <= r->gpa + r->len;
}

static int level_of(struct limen_vm *vm, const struct fault *f)
{
	int level;

	if (!limen_caps.npt_2m || !fits(f, 2))
		return 1;
	level = npt_host_level(vm->mm, f->hva);
	if (level == 3 && (!limen_caps.npt_1g || !fits(f, 3)))
		level = 2;
	return level;
}

static bool invalidated(struct limen_vm *vm, unsigned long seq, u64 hva)
{
	return vm->mn_seq != seq || npt_is_invalidating(vm, hva);
}

/*
 * How large, and with which rights? Large leaves are never writable where writes are
 * logged, nor executable where that would stop the CPU.
 */
static int shape(struct limen_vm *vm, const struct fault *f, int at, u32 *access)
{
	bool write = f->access & LIMEN_ACCESS_WRITE;
	int level = level_of(vm, f);

	*access = f->range.flags & NPT_RIGHTS;
	if (!f->writable)
		*access &= ~LIMEN_MEM_WRITE;
	if (f->range.log && level > 1) {
		/* small leaves stay: what was written is known by them */
		if (write || at == 1)
			level = 1;
		else
			*access &= ~LIMEN_MEM_WRITE;
	}
	if (limen_caps.npt_exec_4k && level > 1 && (*access & LIMEN_MEM_EXEC)) {
		/* small leaves stay: they are here because something executes */
		if ((f->access & LIMEN_ACCESS_EXEC) || at == 1)
			level = 1;
		else
			*access &= ~LIMEN_MEM_EXEC;
	}
	if (level == 1)
		*access = npt_log_rights(vm, &f->range, f->gpa, *access, write);
	return level;
}

/* Under vm->mmu_lock. 0 or 1 as npt_map(), -EAGAIN: look the page up again. */
static int link_leaf(struct limen_vm *vm, struct npt_cache *cache,
		     struct fault *f, unsigned long seq, struct list_head *freed)
{
	u64 hpa = page_to_phys(f->page), mask, leaf;
	struct npt_pos pos;
	int level, ret;
	u32 access;

	if (invalidated(vm, seq, f->hva))
		return -EAGAIN;
	pos = npt_walk(&vm->npt, f->gpa, 1);
	level = shape(vm, f, pos.level, &access);
	/* another vCPU may have been here with more rights */
	if (npt_pos_is_leaf(&vm->npt, &pos) && pos.level >= level &&
	    !(access & ~npt_leaf_access(vm->npt.fmt, pos.pte)))
		return 0;

	mask = npt_size(level) - 1;
	leaf = level == 1 ? npt_log_leaf(vm, &f->range, hpa, access) :
			    npt_make_leaf(vm->npt.fmt, hpa & ~mask, access, level);
	ret = npt_map(&vm->npt, cache, f->gpa & ~mask, leaf, level, freed);
	if (ret < 0 || level > 1)
		return ret;
	/* here the guest goes on with its write without another exit */
	if (vm->npt.way == NPT_WAY_WP && (f->access & LIMEN_ACCESS_WRITE))
		npt_log_mark(vm, f->vcpu, f->gpa);
	npt_map_around(vm, &f->range, f->gpa, hpa, f->writable);
	return ret;
}

static int fault_once(struct limen_vm *vm, struct fault *f)
{
	struct npt_cache cache = {};
	LIST_HEAD(freed);
	unsigned long seq;
	int err;

	err = npt_cache_fill(&cache);
	if (err)
		goto out;
	seq = READ_ONCE(vm->mn_seq);
	/* the sequence before the page; pairs with the lock in invalidate_end */
	smp_rmb();
	err = get_page_of(f);
	if (err)
		goto out;

	spin_lock(&vm->mmu_lock);
	err = link_leaf(vm, &cache, f, seq, &freed);
	if (err == 1) {
		npt_flush_all(vm);
		err = 0;
	}
	spin_unlock(&vm->mmu_lock);
	put_page(f->page);
	npt_free_list(&freed);
out:
	npt_cache_drain(&cache);
	return err;
}

/**
 * npt_fault() - make @gpa accessible
 * @vcpu: whose guest faulted
 * @gpa: guest-physical address
 * @access: LIMEN_ACCESS_*
 *
 * Context: the vCPU's thread, no window open; sleeps.
 * Return: enum npt_fault, or -EINTR (any signal, fatal or not), -ENOMEM.
 */
int npt_fault(struct limen_vcpu *vcpu, u64 gpa, u32 access)
{
	struct limen_vm *vm = vcpu->vm;
	struct fault f = {
		.vcpu = vcpu, .gpa = gpa & PAGE_MASK, .access = access,
	};
	int err;

	do {
		if (signal_pending(current))
			return -EINTR;
		down_read(&vm->mem_sem);
		if (!limen_mem_find(vm, gpa, &f.range) ||
		    !allowed(&f.range, access)) {
			up_read(&vm->mem_sem);
			return NPT_NO_MEMORY;
		}
		f.hva = f.range.hva + (f.gpa - f.range.gpa);
		err = fault_once(vm, &f);
		up_read(&vm->mem_sem);
		if (err == -EAGAIN)
			cond_resched();
	} while (err == -EAGAIN);

	if (err == -EFAULT)
		return NPT_BAD_HVA;
	return err ?: NPT_MAPPED;
}
