// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at a second-level table. Pure, changes nothing; the caller holds
 * vm->mmu_lock or owns the table.
 */
#include <linux/mm.h>

#include "npt_table.h"

/**
 * npt_walk() - find the entry that translates @gpa
 * @npt: the table
 * @gpa: guest-physical address, below 2^48
 * @min_level: stop here even if a table is linked below
 *
 * Context: vm->mmu_lock.
 * Return: the entry where the walk ended: a leaf, an absent entry, or a table at
 * @min_level.
 */
struct npt_pos npt_walk(const struct npt *npt, u64 gpa, int min_level)
{
	struct npt_pos pos = { .level = NPT_LEVELS };
	u64 *table = npt->root;

	for (;;) {
		pos.ptep = &table[npt_index(gpa, pos.level)];
		pos.pte = READ_ONCE(*pos.ptep);
		if (pos.level == min_level ||
		    !npt_is_table(npt->fmt, pos.pte, pos.level))
			return pos;
		table = npt_table_of(pos.pte);
		pos.level--;
	}
}

/**
 * npt_pos_is_leaf() - does this entry map memory?
 * @npt: the table
 * @pos: where a walk ended
 *
 * Context: any.
 */
bool npt_pos_is_leaf(const struct npt *npt, const struct npt_pos *pos)
{
	return (pos->pte & npt->fmt->present) &&
	       !npt_is_table(npt->fmt, pos->pte, pos->level);
}
