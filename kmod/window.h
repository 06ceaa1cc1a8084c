/* SPDX-License-Identifier: GPL-2.0-only */
/* Root mode, taken and given back. */
#ifndef LIMEN_WINDOW_H
#define LIMEN_WINDOW_H

#include <linux/types.h>

struct limen_vcpu;

bool limen_window_open(struct limen_vcpu *vcpu);
void limen_window_close(struct limen_vcpu *vcpu);
void limen_fetch(struct limen_vcpu *vcpu, u32 groups);

#endif
