/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU's ring of written pages; see npt_ring.c. */
#ifndef LIMEN_NPT_RING_H
#define LIMEN_NPT_RING_H

#include <linux/types.h>

struct limen_vm;
struct limen_vcpu;
struct limen_dirty_ring;

struct npt_ring {
	struct limen_dirty_ring *shared;
	u32 entries;		/* a power of two */
	u32 head;		/* written, modulo 2^32 */
	u32 tail;		/* taken */
};

size_t npt_ring_bytes(u32 entries);
int npt_ring_create(struct limen_vcpu *vcpu, u32 entries);
void npt_ring_destroy(struct limen_vcpu *vcpu);
bool npt_ring_is_full(const struct npt_ring *ring);
void npt_ring_push(struct limen_vm *vm, struct limen_vcpu *vcpu, u64 gpa);
int npt_ring_take(struct limen_vm *vm, struct npt_ring *ring, u32 n, bool *flush);

#endif
