/* SPDX-License-Identifier: GPL-2.0-only */
/* Handlers of exits and what they share. */
#ifndef LIMEN_EXIT_H
#define LIMEN_EXIT_H

#include <linux/types.h>

#include "limen.h"

bool limen_exit_is_inside(struct limen_vcpu *vcpu);
enum limen_next limen_handle_exit(struct limen_vcpu *vcpu);
enum limen_next limen_skip_insn(struct limen_vcpu *vcpu);
enum limen_next limen_to_user(struct limen_vcpu *vcpu, u32 why);
enum limen_next limen_fail(struct limen_vcpu *vcpu, int err);
u64 limen_operand(struct limen_vcpu *vcpu, u8 mem_at, u8 insn_len);

/* cr.c */
enum limen_next limen_handle_cr(struct limen_vcpu *vcpu);
enum limen_next limen_handle_dr(struct limen_vcpu *vcpu);
enum limen_next limen_handle_xsetbv(struct limen_vcpu *vcpu);
bool limen_cr_is_inside(struct limen_vcpu *vcpu);
int limen_set_efer(struct limen_vcpu *vcpu, u64 val);
int limen_check_sregs(const struct limen_vcpu *vcpu, const struct limen_sregs *s);
bool limen_xcr0_ok(u64 allowed, u64 xcr0);

/* msr.c */
enum limen_next limen_handle_rdmsr(struct limen_vcpu *vcpu);
enum limen_next limen_handle_wrmsr(struct limen_vcpu *vcpu);

/* io.c */
enum limen_next limen_handle_io(struct limen_vcpu *vcpu);
enum limen_next limen_handle_npf(struct limen_vcpu *vcpu);
int limen_complete(struct limen_vcpu *vcpu);

/* hypercall.c */
enum limen_next limen_handle_hypercall(struct limen_vcpu *vcpu);

#endif
