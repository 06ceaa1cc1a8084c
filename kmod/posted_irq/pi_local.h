/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this room share among themselves. */
#ifndef LIMEN_PI_LOCAL_H
#define LIMEN_PI_LOCAL_H

#include <linux/types.h>

#include "pi_vapic.h"

struct limen_vcpu;
struct pi_descriptor;

/* shortest period of a periodic timer: a guest can't keep a host CPU busy */
#define PI_MIN_PERIOD_NS	200000

/* pi_desc.c */
bool pi_take(struct pi_descriptor *desc, unsigned long *bits);
void pi_drop(struct limen_vcpu *vcpu);

/* pi_core.c */
void pi_mode_changed(struct limen_vcpu *vcpu);
void pi_error(struct limen_vcpu *vcpu, unsigned int bit);
void pi_post_lvt(struct limen_vcpu *vcpu, u32 off);
bool pi_base_is_valid(u64 val);
void pi_end_interrupt(struct limen_vcpu *vcpu);

/* pi_deliver.c */
bool pi_is_addressed(const struct limen_vcpu *vcpu, u32 dest, bool logical);
void pi_send_icr(struct limen_vcpu *vcpu, u32 lo, u32 hi);
void pi_send_self(struct limen_vcpu *vcpu, u8 vector);

/* pi_timer.c */
u32 pi_timer_shift(u32 tdcr);
u64 pi_timer_tsc_to_ns(u64 tsc, u32 khz);
u64 pi_timer_next(u64 target, u64 period, u64 now);
u64 pi_timer_max_left(const u8 *page);
void pi_timer_init(struct limen_vcpu *vcpu);
void pi_timer_fini(struct limen_vcpu *vcpu);
void pi_timer_stop(struct limen_vcpu *vcpu);
void pi_timer_write(struct limen_vcpu *vcpu, u32 off, u32 val);
u32 pi_timer_count(const struct limen_vcpu *vcpu);
u64 pi_timer_left(const struct limen_vcpu *vcpu);
void pi_timer_restore(struct limen_vcpu *vcpu, u64 left);
bool pi_timer_is_deadline(const u8 *page);
void pi_timer_set_deadline(struct limen_vcpu *vcpu, u64 tsc);

#endif
