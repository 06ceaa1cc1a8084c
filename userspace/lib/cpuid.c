// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * CPUID tables: lookup, per-vCPU topology. The names are in cpuid_names.c.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int table_call(int fd, unsigned long request, struct limen_cpuid_table *t)
{
	struct limen_cpuid arg = {
		.size = sizeof(arg), .count = t->count,
		.entries = (uintptr_t)t->e,
	};
	int err = limen_call(fd, request, &arg);

	if (!err && arg.count > LIMEN_MAX_CPUID)
		return -EPROTO;
	if (!err)
		t->count = arg.count;
	return err;
}

int limen_cpuid_offered(struct limen *l, struct limen_cpuid_table *t)
{
	memset(t, 0, sizeof(*t));
	t->count = LIMEN_MAX_CPUID;
	return table_call(l->fd, LIMEN_CPUID_GET, t);
}

int limen_vcpu_set_cpuid(struct limen_vcpu *vcpu,
			 const struct limen_cpuid_table *t)
{
	struct limen_cpuid_table copy = *t;

	return table_call(vcpu->fd, LIMEN_CPUID_SET, &copy);
}

struct limen_cpuid_entry *limen_cpuid_find(struct limen_cpuid_table *t,
					   uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < t->count && i < LIMEN_MAX_CPUID; i++) {
		struct limen_cpuid_entry *e = &t->e[i];

		if (e->leaf == leaf && (!(e->flags & LIMEN_CPUID_INDEXED) ||
					e->subleaf == subleaf))
			return e;
	}
	return NULL;
}

/* how many bits an id below @n needs */
static uint32_t id_bits(uint32_t n)
{
	uint32_t bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

static struct limen_cpuid_entry *entry_add(struct limen_cpuid_table *t,
					   uint32_t leaf, uint32_t subleaf)
{
	struct limen_cpuid_entry *e = limen_cpuid_find(t, leaf, subleaf);

	if (e || t->count == LIMEN_MAX_CPUID)
		return e;
	e = &t->e[t->count++];
	memset(e, 0, sizeof(*e));
	e->leaf = leaf;
	e->subleaf = subleaf;
	e->flags = LIMEN_CPUID_INDEXED;
	return e;
}

/* Leaves 0BH and 1FH: level 0 threads (one per core), level 1 cores, then an
 * entry of type 0 that ends the list. */
static void extended_topology(struct limen_cpuid_table *t, uint32_t leaf,
			      uint32_t id, uint32_t cpus)
{
	const struct { uint32_t shift, count, type; } level[] = {
		{ 0, 1, 1 }, { id_bits(cpus), cpus, 2 }, { 0, 0, 0 },
	};
	struct limen_cpuid_entry *max = limen_cpuid_find(t, 0, 0);

	if (!max || max->eax < leaf)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct limen_cpuid_entry *e = entry_add(t, leaf, i);

		if (!e)
			return;
		e->eax = level[i].shift;
		e->ebx = level[i].count;
		e->ecx = i | level[i].type << 8;
		e->edx = id;
	}
}

/* Caches: the last level (3) is shared by all cores, the others by none. */
static void cache_sharing(struct limen_cpuid_entry *e, uint32_t cpus)
{
	uint32_t level = e->eax >> 5 & 7;
	uint32_t sharing = level >= 3 ? (1u << id_bits(cpus)) - 1 : 0;

	if (!(e->eax & 0x1f))
		return;
	e->eax = (e->eax & ~(0xfffu << 14)) | sharing << 14;
	if (e->leaf == 4)
		e->eax = (e->eax & ~(0x3fu << 26)) |
			 ((1u << id_bits(cpus)) - 1) << 26;
}

void limen_cpuid_topology(struct limen_cpuid_table *t, uint32_t id,
			  uint32_t cpus)
{
	uint32_t bits = id_bits(cpus);

	for (uint32_t i = 0; i < t->count && i < LIMEN_MAX_CPUID; i++) {
		struct limen_cpuid_entry *e = &t->e[i];

		switch (e->leaf) {
		case 1:
			e->ebx = (e->ebx & 0xffff) | id << 24 | (1u << bits) << 16;
			e->edx &= ~(1u << 28);
			if (cpus > 1)
				e->edx |= 1u << 28;	/* HTT: more than one id */
			break;
		case 4:
		case 0x8000001d:
			cache_sharing(e, cpus);
			break;
		case 0x80000008:
			e->ecx = (e->ecx & ~0xf0ffu) | bits << 12 | (cpus - 1);
			break;
		case 0x8000001e:
			e->eax = id;
			e->ebx = id;	/* one thread per core */
			e->ecx = 0;
			break;
		}
	}
	extended_topology(t, 0xb, id, cpus);
	extended_topology(t, 0x1f, id, cpus);
}
