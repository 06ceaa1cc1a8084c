/* SPDX-License-Identifier: GPL-2.0-only */
/* The log of written pages; see npt_dirty.c. */
#ifndef LIMEN_NPT_DIRTY_H
#define LIMEN_NPT_DIRTY_H

#include <linux/types.h>

#include "npt.h"

struct limen_vm;
struct limen_vcpu;
struct limen_mem_range;

static inline bool npt_leaf_is_dirty(const struct npt *npt, u64 pte)
{
	return (pte & npt->fmt->present) && (pte & npt->fmt->dirty);
}

void npt_log_mark(struct limen_vm *vm, struct limen_vcpu *vcpu, u64 gpa);
bool npt_log_forget(struct limen_vm *vm, u64 gpa);
u32 npt_log_rights(struct limen_vm *vm, const struct limen_mem_range *r, u64 gpa,
		   u32 access, bool write);
u64 npt_log_leaf(struct limen_vm *vm, const struct limen_mem_range *r, u64 hpa,
		 u32 access);
bool npt_log_get(struct limen_vm *vm, const struct limen_mem_range *r, u64 first,
		 u64 n, unsigned long *out, bool clear);
bool npt_log_clear(struct limen_vm *vm, const struct limen_mem_range *r, u64 first,
		   const unsigned long *which, unsigned long from, unsigned long end);
void npt_log_drain(struct limen_vcpu *vcpu);
void npt_log_drain_all(struct limen_vm *vm);

#endif
