/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving the CPU to another vCPU of the VM. */
#ifndef LIMEN_YIELD_H
#define LIMEN_YIELD_H

struct limen_vcpu;

void limen_yield(struct limen_vcpu *vcpu);

#endif
