// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of written pages for each vCPU, for who does not want to look through
 * bitmaps: an entry for each bit that npt_dirty.c sets. The bitmaps stay the truth.
 *
 * The VMM sees the ring and can't write it, so what is in there is the kernel's word.
 * Under vm->mmu_lock.
 */
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../limen.h"
#include "npt_dirty.h"
#include "npt_ring.h"

/* What one pass through the run loop may add: a buffer of the CPU's, and our own */
#define RESERVE		(512 + 64)

/**
 * npt_ring_bytes() - size of what is shared
 * @entries: of the ring
 *
 * Context: any.
 */
size_t npt_ring_bytes(u32 entries)
{
	return LIMEN_RING_ENTRIES + (size_t)entries * sizeof(u64);
}

/**
 * npt_ring_create() - give a vCPU a ring
 * @vcpu: the vCPU
 * @entries: how many, a power of two
 *
 * Context: may sleep.
 * Return: 0, -EEXIST, -ENOMEM.
 */
int npt_ring_create(struct limen_vcpu *vcpu, u32 entries)
{
	struct limen_vm *vm = vcpu->vm;
	struct npt_ring *ring;

	if (vcpu->ring)
		return -EEXIST;
	ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return -ENOMEM;
	ring->entries = entries;
	ring->shared = __vmalloc(npt_ring_bytes(entries), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->shared) {
		kfree(ring);
		return -ENOMEM;
	}
	ring->shared->entries = entries;
	spin_lock(&vm->mmu_lock);
	vm->npt.nr_rings++;
	/* complete before visible: to mmap, which has no lock */
	smp_store_release(&vcpu->ring, ring);
	spin_unlock(&vm->mmu_lock);
	return 0;
}

/**
 * npt_ring_destroy() - free it
 * @vcpu: nobody can reach it any more
 *
 * Context: may sleep.
 */
void npt_ring_destroy(struct limen_vcpu *vcpu)
{
	if (!vcpu->ring)
		return;
	vfree(vcpu->ring->shared);
	kfree(vcpu->ring);
	vcpu->ring = NULL;
}

static u64 *entry_of(struct npt_ring *ring, u32 i)
{
	u64 *entries = (void *)ring->shared + LIMEN_RING_ENTRIES;

	return &entries[i & (ring->entries - 1)];
}

static u32 used(const struct npt_ring *ring)
{
	return ring->head - ring->tail;
}

/**
 * npt_ring_is_full() - must its vCPU wait until entries were taken?
 * @ring: may be NULL
 *
 * Context: any; entries may be taken at the same time.
 */
bool npt_ring_is_full(const struct npt_ring *ring)
{
	return ring && READ_ONCE(ring->head) - READ_ONCE(ring->tail) >
		       ring->entries - RESERVE;
}

/* The ring of the vCPU that this thread runs, or any */
static struct npt_ring *ring_for(struct limen_vm *vm)
{
	struct npt_ring *any = NULL;
	u32 i;

	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu = limen_vcpu_of(vm, i);

		if (!vcpu || !vcpu->ring)
			continue;
		if (vcpu->thread == task_pid(current))
			return vcpu->ring;
		any = any ?: vcpu->ring;
	}
	return any;
}

/**
 * npt_ring_push() - this page was not in the log and is now
 * @vm: the VM
 * @vcpu: who wrote; NULL if that is not known, or nobody
 * @gpa: any address in it
 *
 * Context: vm->mmu_lock.
 */
void npt_ring_push(struct limen_vm *vm, struct limen_vcpu *vcpu, u64 gpa)
{
	struct npt_ring *ring = vcpu ? vcpu->ring : NULL;

	if (!vm->npt.nr_rings)
		return;
	ring = ring ?: ring_for(vm);
	if (!ring)
		return;
	if (used(ring) == ring->entries) {
		WRITE_ONCE(ring->shared->missed, ring->shared->missed + 1);
		return;
	}
	WRITE_ONCE(*entry_of(ring, ring->head), gpa & PAGE_MASK);
	WRITE_ONCE(ring->head, ring->head + 1);
	/* entry before head; pairs with the reader's acquire */
	smp_store_release(&ring->shared->head, ring->head);
}

/**
 * npt_ring_take() - the oldest entries are done with; their pages count as clean
 * @vm: the VM
 * @ring: a ring of its
 * @n: how many
 * @flush: set when a flush is needed
 *
 * Context: vm->mmu_lock; npt_log_drain_all() was called.
 * Return: 0, or -EINVAL if there are not so many.
 */
int npt_ring_take(struct limen_vm *vm, struct npt_ring *ring, u32 n, bool *flush)
{
	if (n > used(ring))
		return -EINVAL;
	for (; n; n--) {
		*flush |= npt_log_forget(vm, READ_ONCE(*entry_of(ring, ring->tail)));
		WRITE_ONCE(ring->tail, ring->tail + 1);
	}
	WRITE_ONCE(ring->shared->tail, ring->tail);
	return 0;
}
