/* SPDX-License-Identifier: GPL-2.0-only */
/* Arithmetic of second-level tables, shared by the files of this room. */
#ifndef LIMEN_NPT_TABLE_H
#define LIMEN_NPT_TABLE_H

#include <linux/mm.h>
#include <linux/types.h>

#include "npt.h"

#define NPT_RIGHTS	(LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)

static inline unsigned int npt_shift(int level)
{
	return 12 + 9 * (level - 1);
}

static inline u64 npt_size(int level)
{
	return 1ull << npt_shift(level);
}

static inline unsigned int npt_index(u64 gpa, int level)
{
	return (gpa >> npt_shift(level)) & 511;
}

static inline bool npt_is_table(const struct npt_format *fmt, u64 pte, int level)
{
	return level > 1 && (pte & fmt->present) && !(pte & fmt->huge);
}

static inline u64 *npt_table_of(u64 pte)
{
	return (u64 *)__va(pte & NPT_ADDR);
}

#endif
