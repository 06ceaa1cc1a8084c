/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions, NMIs and interrupts: what reaches the guest next. */
#ifndef LIMEN_EVENT_H
#define LIMEN_EVENT_H

#include <linux/types.h>

struct limen_vcpu;

#define VEC_DE	0
#define VEC_DB	1
#define VEC_NMI	2
#define VEC_BP	3
#define VEC_OF	4
#define VEC_UD	6
#define VEC_NM	7
#define VEC_DF	8
#define VEC_TS	10
#define VEC_NP	11
#define VEC_SS	12
#define VEC_GP	13
#define VEC_PF	14
#define VEC_AC	17
#define VEC_MC	18

#define NO_ERROR	(-1ll)

void limen_raise(struct limen_vcpu *vcpu, u8 vector, s64 error, u64 payload);
void limen_raise_gp(struct limen_vcpu *vcpu);
void limen_raise_ud(struct limen_vcpu *vcpu);
void limen_event_pick(struct limen_vcpu *vcpu);
void limen_event_done(struct limen_vcpu *vcpu);
bool limen_irq_open(struct limen_vcpu *vcpu);
bool limen_nmi_open(struct limen_vcpu *vcpu);
bool limen_event_waits(struct limen_vcpu *vcpu);

#endif
