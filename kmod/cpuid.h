/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest's CPUID reads, and what follows from it. */
#ifndef LIMEN_CPUID_H
#define LIMEN_CPUID_H

#include <linux/types.h>

#include "limen.h"

enum limen_next limen_handle_cpuid(struct limen_vcpu *vcpu);
const struct limen_cpuid_entry *limen_cpuid_find(const struct limen_vcpu *vcpu,
						 u32 leaf, u32 subleaf);
u32 limen_cpuid_signature(const struct limen_vcpu *vcpu);
void limen_cpuid_derive(struct limen_vcpu *vcpu);
int limen_cpuid_set(struct limen_vcpu *vcpu, const struct limen_cpuid *arg);
int limen_cpuid_check(const struct limen_cpuid_entry *table, u32 n);

/* cpuid_host.c */
int limen_cpuid_get(struct limen_cpuid *arg);

#endif
