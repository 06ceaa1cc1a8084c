// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing a second-level table: link a leaf, take ranges away.
 *
 * All under vm->mmu_lock. Entries are written with single 64-bit stores and a
 * table is zeroed before it is linked, because the CPU walks along at any time.
 * A page that leaves the table goes to a list; whoever holds the list frees it
 * after every CPU has flushed (npt_tlb.c), never before.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../limen.h"
#include "npt_dirty.h"
#include "npt_table.h"

static void *table_alloc(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/**
 * npt_init() - make an empty table
 * @npt: the table
 * @fmt: the vendor's format
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int npt_init(struct npt *npt, const struct npt_format *fmt)
{
	npt->root = table_alloc();
	if (!npt->root)
		return -ENOMEM;
	npt->fmt = fmt;
	npt->nr_tables = 1;
	return 0;
}

/**
 * npt_cache_fill() - top up
 * @cache: pages for tables
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int npt_cache_fill(struct npt_cache *cache)
{
	while (cache->nr < NPT_LEVELS) {
		void *page = table_alloc();

		if (!page)
			return -ENOMEM;
		cache->page[cache->nr++] = page;
	}
	return 0;
}

/**
 * npt_cache_drain() - free what was not used
 * @cache: pages for tables
 *
 * Context: any but NMI.
 */
void npt_cache_drain(struct npt_cache *cache)
{
	while (cache->nr)
		free_page((unsigned long)cache->page[--cache->nr]);
}

static void table_retire(struct npt *npt, u64 *table, struct list_head *freed)
{
	list_add(&virt_to_page(table)->lru, freed);
	npt->nr_tables--;
}

/* The tables below an entry that was just taken out, the deepest first. */
static void subtree_retire(struct npt *npt, u64 pte, int level,
			   struct list_head *freed)
{
	u64 *table;
	int i;

	if (!npt_is_table(npt->fmt, pte, level))
		return;
	table = npt_table_of(pte);
	for (i = 0; level > 2 && i < 512; i++)
		subtree_retire(npt, table[i], level - 1, freed);
	table_retire(npt, table, freed);
}

/**
 * npt_free_list() - after the flush
 * @freed: retired tables
 *
 * Context: any but NMI.
 */
void npt_free_list(struct list_head *freed)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, freed, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/**
 * npt_fini() - free a table that no CPU uses any more
 * @npt: the table
 *
 * Context: the last reference to the VM is gone.
 */
void npt_fini(struct npt *npt)
{
	LIST_HEAD(freed);
	int i;

	if (!npt->root)
		return;
	for (i = 0; i < 512; i++)
		subtree_retire(npt, npt->root[i], NPT_LEVELS, &freed);
	table_retire(npt, npt->root, &freed);
	npt_free_list(&freed);
	npt->root = NULL;
}

/* What the piece at @gpa of a larger leaf is as a leaf of @level */
static u64 piece_of(const struct npt_format *fmt, u64 pte, u64 gpa, int level)
{
	u64 offset = gpa & (npt_size(level + 1) - 1) & ~(npt_size(level) - 1);

	/* at level 1 the bit means something else to AMD */
	if (level == 1)
		pte &= ~fmt->huge;
	return pte + offset;
}

/*
 * Put a table in the place of the entry at @ptep: of the pieces of the leaf that is
 * there, so that all of it translates as before, or an empty one.
 */
static bool table_link(struct npt *npt, struct npt_cache *cache, u64 *ptep, int level)
{
	u64 old = READ_ONCE(*ptep), *table;
	int i;

	if (!cache->nr)
		return false;
	table = cache->page[--cache->nr];
	for (i = 0; old & npt->fmt->present && i < 512; i++)
		table[i] = piece_of(npt->fmt, old, i * npt_size(level - 1), level - 1);
	/* the table is complete before the CPU can walk it */
	smp_wmb();
	WRITE_ONCE(*ptep, __pa(table) | npt->fmt->table);
	npt->nr_tables++;
	return true;
}

/* Rights lost, or another page: translations of the old entry may be cached. */
static bool must_flush(const struct npt_format *fmt, u64 old, u64 new)
{
	u32 lost = npt_leaf_access(fmt, old) & ~npt_leaf_access(fmt, new);

	return (old & fmt->present) && (lost || ((old ^ new) & NPT_ADDR));
}

/* Are there dirty bits that must not get lost? */
static bool has_marks(const struct npt *npt)
{
	return npt->way == NPT_WAY_AD && npt->nr_logs;
}

/*
 * Put another entry in the place of a leaf. A CPU that sets a dirty bit looks whether
 * the entry is still the one it used: what is read here is the last word.
 */
static u64 leaf_swap(struct npt *npt, u64 *ptep, u64 new, u64 gpa, int level)
{
	u64 old;

	if (!has_marks(npt) || level > 1) {
		old = *ptep;
		WRITE_ONCE(*ptep, new);
		return old;
	}
	old = xchg(ptep, new);
	if (npt_leaf_is_dirty(npt, old))
		npt_log_mark(container_of(npt, struct limen_vm, npt), NULL, gpa);
	return old;
}

/**
 * npt_map() - link a leaf
 * @npt: the table
 * @cache: pages for missing tables
 * @gpa: guest-physical address
 * @leaf: from npt_make_leaf()
 * @level: of the leaf
 * @freed: takes tables that the leaf replaced
 *
 * A large leaf in the way of a smaller one is split; what it maps besides stays, with
 * the same rights, and no CPU need hear of that. Small ones in the way of a large one
 * go.
 *
 * Context: vm->mmu_lock.
 * Return: 1 when a flush is needed, 0 when not, -EAGAIN when @cache ran out.
 */
int npt_map(struct npt *npt, struct npt_cache *cache, u64 gpa, u64 leaf,
	    int level, struct list_head *freed)
{
	u64 *table = npt->root;
	u64 *ptep, old;
	int l;

	for (l = NPT_LEVELS; l > level; l--) {
		ptep = &table[npt_index(gpa, l)];
		if (!npt_is_table(npt->fmt, *ptep, l) &&
		    !table_link(npt, cache, ptep, l))
			return -EAGAIN;
		table = npt_table_of(*ptep);
	}

	ptep = &table[npt_index(gpa, level)];
	if (*ptep == leaf)
		return 0;
	old = leaf_swap(npt, ptep, leaf, gpa, level);
	if (npt_is_table(npt->fmt, old, level)) {
		subtree_retire(npt, old, level, freed);
		return 1;
	}
	return must_flush(npt->fmt, old, leaf);
}

static bool unmap_level(struct npt *npt, u64 *table, int level, u64 base,
			u64 start, u64 end, struct list_head *freed)
{
	u64 size = npt_size(level);
	bool flush = false, part;
	unsigned int i = start > base ? (start - base) >> npt_shift(level) : 0;

	for (; i < 512; i++) {
		u64 from = base + i * size;
		u64 pte = table[i];

		if (from >= end)
			break;
		if (!(pte & npt->fmt->present))
			continue;
		part = from < start || from + size > end;
		/* dirty bits are in the leaves: these go first, one by one */
		if (npt_is_table(npt->fmt, pte, level) && (part || has_marks(npt)))
			flush |= unmap_level(npt, npt_table_of(pte), level - 1,
					     from, start, end, freed);
		if (npt_is_table(npt->fmt, pte, level) && part)
			continue;
		leaf_swap(npt, &table[i], 0, from, level);
		subtree_retire(npt, pte, level, freed);
		flush = true;
	}
	return flush;
}

/**
 * npt_unmap() - take every leaf in a range away
 * @npt: the table
 * @gpa: start
 * @len: bytes; a large leaf that only overlaps goes too
 * @freed: takes tables that became unreachable
 *
 * Context: vm->mmu_lock.
 * Return: true when a flush is needed.
 */
bool npt_unmap(struct npt *npt, u64 gpa, u64 len, struct list_head *freed)
{
	return unmap_level(npt, npt->root, NPT_LEVELS, 0, gpa, gpa + len, freed);
}

/* The first leaf from @gpa on that was used, or *@gpa == @end */
static u64 *next_young(const struct npt *npt, u64 *gpa, u64 end)
{
	u64 mask = npt->fmt->accessed ?: npt->fmt->present;

	while (*gpa < end) {
		struct npt_pos pos = npt_walk(npt, *gpa, 1);

		*gpa = min(end, (*gpa | (npt_size(pos.level) - 1)) + 1);
		if (npt_pos_is_leaf(npt, &pos) && pos.pte & mask)
			return pos.ptep;
	}
	return NULL;
}

/**
 * npt_is_young() - has the guest used this memory since it was last aged?
 * @npt: the table
 * @gpa: start
 * @len: bytes
 *
 * Context: vm->mmu_lock.
 * Return: true if a leaf was used, or is there, in a format without accessed bits.
 */
bool npt_is_young(const struct npt *npt, u64 gpa, u64 len)
{
	return next_young(npt, &gpa, gpa + len);
}

/**
 * npt_age() - count this memory as not used from now on
 * @npt: a table whose format has accessed bits
 * @gpa: start
 * @len: bytes; a large leaf ages as a whole
 *
 * A CPU that has the translation cached does not set the bit again: nobody flushes
 * for that, as the host's own page tables do not either.
 *
 * Context: vm->mmu_lock; the CPU may set bits at any time.
 * Return: true if it was used before.
 */
bool npt_age(struct npt *npt, u64 gpa, u64 len)
{
	u64 end = gpa + len, *ptep;
	bool young = false;

	for (ptep = next_young(npt, &gpa, end); ptep;
	     ptep = next_young(npt, &gpa, end)) {
		clear_bit(__ffs64(npt->fmt->accessed), (unsigned long *)ptep);
		young = true;
	}
	return young;
}
