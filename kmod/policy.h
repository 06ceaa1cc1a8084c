/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the VMM for MSRs, ports and CPUID leaves. Pure. */
#ifndef LIMEN_POLICY_H
#define LIMEN_POLICY_H

#include <linux/types.h>

struct limen_vm;
struct limen_policy;

const struct limen_policy *limen_policy_find(const struct limen_vm *vm, u32 kind,
					     u32 index, u32 access);
int limen_policy_check(const struct limen_policy *rule);

#endif
