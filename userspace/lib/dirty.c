// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log of written pages: LIMEN_DIRTY, and marking what this process writes. */
#include <errno.h>

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
