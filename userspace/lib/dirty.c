// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log of written pages: LIMEN_DIRTY, and marking what this process writes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

static int call(struct limen_vm *vm, uint32_t op, uint64_t gpa, uint64_t len,
		const uint64_t *bitmap, uint64_t *count)
{
	struct limen_dirty arg = {
		.size = sizeof(arg), .op = op, .gpa = gpa, .len = len,
		.bitmap = (uintptr_t)bitmap,
	};
	int err = limen_call(vm->fd, LIMEN_DIRTY, &arg);

	if (!err && count)
		*count = arg.count;
	return err;
}

int limen_dirty_get(struct limen_vm *vm, uint64_t gpa, uint64_t len, bool clear,
		    uint64_t *bitmap, uint64_t *count)
{
	return call(vm, clear ? LIMEN_DIRTY_GET_AND_CLEAR : LIMEN_DIRTY_GET, gpa, len,
		    bitmap, count);
}

int limen_dirty_clear(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		      const uint64_t *bitmap)
{
	return call(vm, LIMEN_DIRTY_CLEAR, gpa, len, bitmap, NULL);
}

int limen_dirty_mark(struct limen_vm *vm, uint64_t gpa, uint64_t len)
{
	const uint64_t page = LIMEN_PAGE_SIZE - 1;
	int err = 0;

	if (!len)
		return 0;
	if (gpa + len - 1 < gpa)
		return -EINVAL;
	pthread_rwlock_rdlock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_ranges && !err; i++) {
		const struct limen_mem_range *r = &vm->range[i];
		uint64_t from = gpa > r->gpa ? gpa : r->gpa;
		uint64_t last = gpa + (len - 1), end = r->gpa + (r->len - 1);

		if (last > end)
			last = end;
		if (!(r->flags & LIMEN_MEM_LOG) || from > last)
			continue;
		from &= ~page;
		/* a part at a time: the call has a limit */
		for (uint64_t n; from <= last && !err; from += n) {
			n = (last | page) - from + 1;
			if (n > LIMEN_MAX_DIRTY)
				n = LIMEN_MAX_DIRTY;
			err = call(vm, LIMEN_DIRTY_MARK, from, n, NULL, NULL);
		}
	}
	pthread_rwlock_unlock(&vm->lock);
	return err;
}

struct limen_ring {
	struct limen_vcpu *vcpu;
	const struct limen_dirty_ring *head;
	size_t bytes;
	uint32_t read;		/* entries that limen_ring_read() gave out */
};

int limen_ring_create(struct limen_vcpu *vcpu, uint32_t entries, struct limen_ring **out)
{
	struct limen_dirty_ring_create arg = { .size = sizeof(arg), .entries = entries };
	struct limen_ring *ring = calloc(1, sizeof(*ring));
	void *p;
	int err;

	if (!ring)
		return -ENOMEM;
	err = limen_call(vcpu->fd, LIMEN_DIRTY_RING, &arg);
	if (err)
		goto err_free;
	ring->vcpu = vcpu;
	ring->bytes = LIMEN_RING_ENTRIES + entries * sizeof(uint64_t);
	p = limen_sys.map_ro(vcpu->fd, ring->bytes, LIMEN_RING_OFFSET);
	if (p == MAP_FAILED) {
		err = -errno;
		goto err_free;
	}
	ring->head = p;
	*out = ring;
	return 0;

err_free:
	free(ring);
	return err;
}

void limen_ring_destroy(struct limen_ring *ring)
{
	if (!ring)
		return;
	munmap((void *)ring->head, ring->bytes);
	free(ring);
}

uint32_t limen_ring_read(struct limen_ring *ring, uint64_t *gpa, uint32_t max)
{
	const uint64_t *entry = (const void *)((const char *)ring->head + LIMEN_RING_ENTRIES);
	/* pairs with the release of the module: the entries before the head */
	uint32_t head = __atomic_load_n(&ring->head->head, __ATOMIC_ACQUIRE);
	uint32_t at = __atomic_load_n(&ring->head->tail, __ATOMIC_RELAXED) + ring->read, n;

	for (n = 0; n < max && at != head; n++, at++)
		gpa[n] = entry[at & (ring->head->entries - 1)];
	ring->read += n;
	return n;
}

int limen_ring_taken(struct limen_ring *ring)
{
	struct limen_dirty_taken arg = { .size = sizeof(arg), .count = ring->read };
	int err = limen_call(ring->vcpu->fd, LIMEN_DIRTY_TAKEN, &arg);

	if (!err)
		ring->read = 0;
	return err;
}

uint32_t limen_ring_missed(const struct limen_ring *ring)
{
	return __atomic_load_n(&ring->head->missed, __ATOMIC_RELAXED);
}
