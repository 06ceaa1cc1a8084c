/* SPDX-License-Identifier: GPL-2.0-only */
/* The paravirtual clock, in the KVM-compatible interface. */
#ifndef LIMEN_CLOCK_H
#define LIMEN_CLOCK_H

struct limen_vcpu;

void limen_clock_update(struct limen_vcpu *vcpu);

#endif
