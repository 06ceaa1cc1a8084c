// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Ports and MMIO ranges, and who answers them.
 *
 * Regions of one space are kept sorted by base and never overlap. An access
 * wider than a device takes, or that runs over its end, is cut into smaller
 * ones, as the bus bridges of a PC do.
 *
 * The bus lock is held only while a region is looked up: devices are called
 * with their own lock alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAX_REGIONS	96	/* per space */

struct space {
	uint32_t count;
	struct limen_region region[MAX_REGIONS];
};

struct limen_bus {
	pthread_rwlock_t lock;
	struct space space[2];
};

int limen_bus_create(struct limen_bus **out)
{
	struct limen_bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	pthread_rwlock_init(&bus->lock, NULL);
	*out = bus;
	return 0;
}

void limen_bus_destroy(struct limen_bus *bus)
{
	if (!bus)
		return;
	pthread_rwlock_destroy(&bus->lock);
	free(bus);
}

static int region_insert(struct space *s, const struct limen_region *r)
{
	uint32_t at = 0;

	if (s->count == MAX_REGIONS)
		return -EMFILE;
	while (at < s->count && s->region[at].base < r->base)
		at++;
	if (at && r->base - s->region[at - 1].base < s->region[at - 1].len)
		return -EEXIST;
	if (at < s->count && s->region[at].base - r->base < r->len)
		return -EEXIST;
	memmove(&s->region[at + 1], &s->region[at],
		(s->count - at) * sizeof(s->region[0]));
	s->region[at] = *r;
	s->count++;
	return 0;
}

int limen_bus_add(struct limen_bus *bus, int space, const struct limen_region *r)
{
	struct limen_region copy = *r;
	uint64_t end = space == LIMEN_BUS_PORT ? 0x10000 : UINT64_MAX;
	int err;

	if (space != LIMEN_BUS_PORT && space != LIMEN_BUS_MMIO)
		return -EINVAL;
	if (!r->fn || !r->len || r->base >= end || r->len > end - r->base)
		return -EINVAL;
	if (!copy.max_size)
		copy.max_size = space == LIMEN_BUS_PORT ? 4 : 8;
	pthread_rwlock_wrlock(&bus->lock);
	err = region_insert(&bus->space[space], &copy);
	pthread_rwlock_unlock(&bus->lock);
	return err;
}

static bool region_find(struct limen_bus *bus, int space, uint64_t addr,
			struct limen_region *out)
{
	const struct space *s = &bus->space[space];
	uint32_t lo = 0, hi;
	bool found = false;

	pthread_rwlock_rdlock(&bus->lock);
	hi = s->count;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (s->region[mid].base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo && addr - s->region[lo - 1].base < s->region[lo - 1].len) {
		*out = s->region[lo - 1];
		found = true;
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

/* the widest piece of an access at @addr that region @r takes whole */
static uint32_t piece_size(const struct limen_region *r, uint64_t addr,
			   uint32_t left)
{
	uint64_t room = r->len - (addr - r->base);
	uint32_t size = left;

	while (size > 1 && (size > r->max_size || size > room ||
			    (size & (size - 1))))
		size--;
	return size;
}

bool limen_bus_access(struct limen_bus *bus, int space, uint64_t addr,
		      uint32_t size, bool write, uint64_t *data)
{
	uint64_t result = size_mask(size);
	bool taken = false;
	uint32_t done = 0;

	while (done < size) {
		struct limen_access a = { .write = write };
		struct limen_region r;
		uint64_t at = addr + done;

		if (space == LIMEN_BUS_PORT)
			at &= 0xffff;
		if (!region_find(bus, space, at, &r)) {
			done++;
			continue;
		}
		taken = true;
		a.addr = at - r.base;
		a.size = piece_size(&r, at, size - done);
		a.data = write ? (*data >> (done * 8)) & size_mask(a.size) :
				 size_mask(a.size);
		if (r.lock)
			pthread_mutex_lock(r.lock);
		r.fn(r.opaque, &a);
		if (r.lock)
			pthread_mutex_unlock(r.lock);
		result &= ~(size_mask(a.size) << (done * 8));
		result |= (a.data & size_mask(a.size)) << (done * 8);
		done += a.size;
	}
	if (!write)
		*data = result;
	return taken;
}
