/* SPDX-License-Identifier: GPL-2.0-only */
/* The run loop. */
#ifndef LIMEN_RUN_H
#define LIMEN_RUN_H

#include <linux/types.h>

struct limen_vcpu;

int limen_run(struct limen_vcpu *vcpu);
void limen_fill_run(struct limen_vcpu *vcpu);
bool limen_rflags_ok(u64 rflags);
enum limen_next limen_run_inside(struct limen_vcpu *vcpu);

#endif
