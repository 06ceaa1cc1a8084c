/* SPDX-License-Identifier: GPL-2.0-only */
/* State classes in and out of a vCPU. */
#ifndef LIMEN_STATE_H
#define LIMEN_STATE_H

struct limen_vcpu;
struct limen_state;

int limen_state_get(struct limen_vcpu *vcpu, struct limen_state *arg);
int limen_state_set(struct limen_vcpu *vcpu, const struct limen_state *arg);

#endif
