/* SPDX-License-Identifier: GPL-2.0-only */
/* LIMEN_DIRTY, and the way in which a VM's writes are seen. */
#ifndef LIMEN_DIRTY_H
#define LIMEN_DIRTY_H

#include "npt/npt.h"

struct limen_vm;
struct limen_vcpu;
struct limen_dirty;
struct limen_dirty_ring_create;
struct limen_dirty_taken;

int limen_dirty_init(void);
enum npt_way limen_dirty_way(void);
int limen_dirty_call(struct limen_vm *vm, struct limen_dirty *arg);
int limen_dirty_ring(struct limen_vcpu *vcpu, const struct limen_dirty_ring_create *arg);
int limen_dirty_taken(struct limen_vcpu *vcpu, const struct limen_dirty_taken *arg);

#endif
