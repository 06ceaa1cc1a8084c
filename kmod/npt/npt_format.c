// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two spellings of a second-level table entry, and the making and reading of
 * leaves. Pure; the walker and the mapper in npt_walk.c and npt_map.c use it.
 */
#include "../limen.h"
#include "npt.h"

/*
 * SDM Vol. 3, "The Extended Page Table Mechanism (EPT)": bits 2:0 R W X, 5:3 the
 * memory type (6: write-back), 6 ignore PAT, 7 large page. RAM is write-back
 * whatever the guest's PAT says: no device of ours is mapped.
 */
const struct npt_format npt_format_ept = {
	.read = BIT_ULL(0),
	.write = BIT_ULL(1),
	.exec = BIT_ULL(2),
	.present = 0x7,
	.table = 0x7,
	.huge = BIT_ULL(7),
	.leaf = 6ull << 3 | BIT_ULL(6),
	.with_ad = &npt_format_ept_ad,
};

/*
 * SDM Vol. 3, "Accessed and Dirty Flags for EPT": bits 8 and 9, where bit 6 of the
 * EPTP switches them on.
 */
const struct npt_format npt_format_ept_ad = {
	.read = BIT_ULL(0),
	.write = BIT_ULL(1),
	.exec = BIT_ULL(2),
	.present = 0x7,
	.table = 0x7,
	.huge = BIT_ULL(7),
	.leaf = 6ull << 3 | BIT_ULL(6),
	.accessed = BIT_ULL(8),
	.dirty = BIT_ULL(9),
};

/*
 * APM Vol. 2, "Nested Paging": the host's own long-mode format. Every access of
 * a guest counts as a user access, so the user bit is set at all levels.
 */
const struct npt_format npt_format_amd = {
	.read = BIT_ULL(0),
	.write = BIT_ULL(1),
	.no_exec = BIT_ULL(63),
	.present = BIT_ULL(0),
	.table = 0x7 | BIT_ULL(5),
	.huge = BIT_ULL(7),
	.leaf = BIT_ULL(2),
	.accessed = BIT_ULL(5),
	.dirty = BIT_ULL(6),
};

/**
 * npt_format_for() - the format to use on this CPU
 * @fmt: the vendor's
 * @ad: has the CPU accessed and dirty bits?
 *
 * Context: any.
 */
const struct npt_format *npt_format_for(const struct npt_format *fmt, bool ad)
{
	return ad && fmt->with_ad ? fmt->with_ad : fmt;
}

/**
 * npt_make_leaf() - spell a leaf
 * @fmt: the vendor's format
 * @hpa: host-physical address, aligned to the level's size
 * @access: LIMEN_MEM_*; without _READ only on a CPU with execute-only leaves
 * @level: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB
 *
 * A leaf is made for an access, so it counts as accessed, and as dirty if it can be
 * written: the CPU need not write that.
 *
 * Context: any.
 * Return: the entry.
 */
u64 npt_make_leaf(const struct npt_format *fmt, u64 hpa, u32 access, int level)
{
	u64 pte = (hpa & NPT_ADDR) | fmt->leaf | fmt->accessed;

	if (access & LIMEN_MEM_READ)
		pte |= fmt->read;
	if (access & LIMEN_MEM_WRITE)
		pte |= fmt->write | fmt->dirty;
	if (access & LIMEN_MEM_EXEC)
		pte |= fmt->exec;
	else
		pte |= fmt->no_exec;
	if (level > 1)
		pte |= fmt->huge;
	return pte;
}

/**
 * npt_leaf_access() - the rights that a leaf grants
 * @fmt: the vendor's format
 * @pte: an entry
 *
 * Context: any.
 * Return: LIMEN_MEM_*, 0 for an entry that is not present.
 */
u32 npt_leaf_access(const struct npt_format *fmt, u64 pte)
{
	u32 access = 0;

	if (!(pte & fmt->present))
		return 0;
	if ((pte & fmt->read) == fmt->read)
		access |= LIMEN_MEM_READ;
	if ((pte & fmt->write) == fmt->write)
		access |= LIMEN_MEM_WRITE;
	if ((pte & fmt->exec) == fmt->exec && !(pte & fmt->no_exec))
		access |= LIMEN_MEM_EXEC;
	return access;
}
