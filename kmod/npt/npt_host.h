/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host's own page tables say, for faults. */
#ifndef LIMEN_NPT_HOST_H
#define LIMEN_NPT_HOST_H

#include <linux/types.h>

struct mm_struct;
struct limen_vm;
struct limen_mem_range;

int npt_host_level(struct mm_struct *mm, unsigned long hva);
bool npt_is_invalidating(const struct limen_vm *vm, u64 hva);
void npt_map_around(struct limen_vm *vm, const struct limen_mem_range *r, u64 gpa,
		    u64 hpa, bool writable);

#endif
