/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's own page tables, and bytes at its linear addresses. */
#ifndef LIMEN_WALK_H
#define LIMEN_WALK_H

#include <linux/types.h>

struct limen_vcpu;
struct limen_translate;

int limen_translate(struct limen_vcpu *vcpu, struct limen_translate *t);
int limen_mode(struct limen_vcpu *vcpu);
u8 limen_cpl(struct limen_vcpu *vcpu);
u64 limen_linear_rip(struct limen_vcpu *vcpu);
u64 limen_linear(struct limen_vcpu *vcpu, u8 seg, u64 offset);
int limen_read_guest(struct limen_vcpu *vcpu, u64 gva, void *buf, int len);
int limen_write_guest(struct limen_vcpu *vcpu, u64 gva, const void *buf, int len);
int limen_fetch_insn(struct limen_vcpu *vcpu);
int limen_load_pdptes(struct limen_vcpu *vcpu);

#endif
