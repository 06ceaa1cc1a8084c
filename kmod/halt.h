/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU's thread with nothing to do. */
#ifndef LIMEN_HALT_H
#define LIMEN_HALT_H

#include <linux/types.h>

struct limen_vcpu;

int limen_vcpu_block(struct limen_vcpu *vcpu);
u32 limen_halt_next_poll(u32 poll, u32 max, u64 waited);
u32 limen_halt_poll_default(void);

#endif
