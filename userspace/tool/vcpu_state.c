// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vCPU in a saved VM: its CPUID table and every state class. Of time the file has what
 * the guest read when it stood still, not the offsets, which are this host's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"
#include "tool.h"

#define MAX_MSRS	256

struct classes {
	struct limen_regs regs;
	struct limen_sregs sregs;
	struct limen_debugregs debug;
	struct limen_apic apic;
	struct limen_events events;
	struct limen_time time;
	uint32_t nr_msrs;
	struct limen_msr msr[MAX_MSRS];
	uint32_t xsave_len;
	uint8_t xsave[];
};

static struct classes *alloc(const struct machine *m)
{
	uint32_t len = limen_get_info(m->dev)->xsave_size;
	struct classes *c = calloc(1, sizeof(*c) + len);

	if (c)
		c->xsave_len = len;
	return c;
}

/* a transfer of all of them; returns how many items */
static uint32_t items_of(struct classes *c, struct limen_state_item *item)
{
	const struct limen_state_item all[] = {
		{ LIMEN_CLASS_REGS, sizeof(c->regs), (uintptr_t)&c->regs },
		{ LIMEN_CLASS_SREGS, sizeof(c->sregs), (uintptr_t)&c->sregs },
		{ LIMEN_CLASS_DEBUG, sizeof(c->debug), (uintptr_t)&c->debug },
		{ LIMEN_CLASS_XSAVE, c->xsave_len, (uintptr_t)c->xsave },
		{ LIMEN_CLASS_APIC, sizeof(c->apic), (uintptr_t)&c->apic },
		{ LIMEN_CLASS_EVENTS, sizeof(c->events), (uintptr_t)&c->events },
		{ LIMEN_CLASS_TIME, sizeof(c->time), (uintptr_t)&c->time },
		{ LIMEN_CLASS_MSRS, c->nr_msrs * sizeof(c->msr[0]), (uintptr_t)c->msr },
	};

	memcpy(item, all, sizeof(all));
	/* a class without elements is no item */
	return ARRAY_SIZE(all) - !c->nr_msrs;
}

/* The list is the module's; which of them this guest has shows when they are read. */
static int get_msrs(struct machine_vcpu *v, struct classes *c)
{
	uint32_t index[MAX_MSRS], count = MAX_MSRS;
	int err = limen_msr_list(v->m->dev, index, &count);

	for (uint32_t i = 0; !err && i < count; i++) {
		struct limen_msr *msr = &c->msr[c->nr_msrs];

		*msr = (struct limen_msr){ .index = index[i] };
		err = limen_state_get(v->vcpu, LIMEN_CLASS_MSRS, msr, sizeof(*msr));
		if (!err)
			c->nr_msrs++;
		else if (err == -EINVAL)
			err = 0;
	}
	return err;
}

static int get_all(struct machine_vcpu *v, struct classes *c)
{
	const struct host_time *t = &v->m->stop_time;
	struct limen_state_item item[LIMEN_NR_CLASS];
	uint32_t n = items_of(c, item);
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++)
		err = limen_state_get(v->vcpu, item[i].cls,
				      (void *)(uintptr_t)item[i].data, item[i].len);
	if (!err)
		err = get_msrs(v, c);
	/* see freeze() */
	c->apic.deadline = v->frozen.deadline;
	c->apic.period_left = v->frozen.period_left;
	memcpy(c->apic.regs + APIC_CURRENT_COUNT, &v->frozen.current_count,
	       sizeof(v->frozen.current_count));
	c->time = v->frozen.time;
	c->time.tsc_offset += t->tsc;
	c->time.clock_offset += t->boot_ns;
	return err;
}

/* Everything of a class is fields of fixed width, little-endian as the CPU is. */
static void classes_state(struct classes *c, struct state *s)
{
	state_bytes(s, &c->regs, sizeof(c->regs));
	state_bytes(s, &c->sregs, sizeof(c->sregs));
	state_bytes(s, &c->debug, sizeof(c->debug));
	state_bytes(s, &c->apic, sizeof(c->apic));
	state_bytes(s, &c->events, sizeof(c->events));
	state_bytes(s, &c->time, sizeof(c->time));
	state_same(s, c->xsave_len);
	state_bytes(s, c->xsave, c->xsave_len);
	state_u32(s, &c->nr_msrs);
	state_check(s, c->nr_msrs <= MAX_MSRS);
	if (!s->bad)
		state_bytes(s, c->msr, c->nr_msrs * sizeof(c->msr[0]));
}

static void cpuid_state(struct limen_cpuid_table *t, struct state *s)
{
	state_u32(s, &t->count);
	state_check(s, t->count <= LIMEN_MAX_CPUID);
	if (!s->bad)
		state_bytes(s, t->e, t->count * sizeof(t->e[0]));
}

int vcpu_save(struct machine_vcpu *v, struct state *s)
{
	struct classes *c = alloc(v->m);
	int err = c ? get_all(v, c) : -ENOMEM;

	if (!err) {
		cpuid_state(&v->cpuid, s);
		classes_state(c, s);
	}
	free(c);
	return err;
}

/* A guest that has found a feature can't be without it afterwards. */
static int check_features(struct snapshot *sn, struct machine_vcpu *v)
{
	struct limen_cpuid_table offered;
	const char *name;
	bool had, has;
	int err = limen_cpuid_offered(v->m->dev, &offered);

	if (err)
		return snapshot_fail(sn, err, "CPUID: %s", limen_strerror(err));
	for (uint32_t i = 0; (name = limen_cpuid_name(&v->cpuid, i, &had)); i++) {
		limen_cpuid_name(&offered, i, &has);
		/* that one is ours: limen_cpuid_topology() */
		if (had && !has && strcmp(name, "ht"))
			return snapshot_fail(sn, -EOPNOTSUPP,
					     "its CPUs have %s, which this host and module do not offer",
					     name);
	}
	return 0;
}

static int put_all(struct snapshot *sn, struct machine_vcpu *v, struct classes *c)
{
	const struct host_time *t = &v->m->stop_time;
	struct limen_state_item item[LIMEN_NR_CLASS];
	int err = limen_vcpu_set_cpuid(v->vcpu, &v->cpuid);

	c->time.tsc_offset -= t->tsc;
	c->time.clock_offset -= t->boot_ns;
	v->frozen.time = c->time;
	v->frozen.deadline = c->apic.deadline;
	v->frozen.period_left = c->apic.period_left;
	memcpy(&v->frozen.current_count, c->apic.regs + APIC_CURRENT_COUNT,
	       sizeof(v->frozen.current_count));
	c->apic.deadline = 0;
	c->apic.period_left = 0;
	if (!err)
		err = limen_state_set_many(v->vcpu, item, items_of(c, item));
	return err ? snapshot_fail(sn, err, "the state of vCPU %u is not taken: %s",
				   limen_vcpu_id(v->vcpu), limen_strerror(err)) : 0;
}

int vcpu_load(struct snapshot *sn, struct machine_vcpu *v, struct state *s)
{
	struct classes *c = alloc(v->m);
	int err = c ? 0 : -ENOMEM;

	if (err)
		return snapshot_fail(sn, err, "no memory");
	cpuid_state(&v->cpuid, s);
	classes_state(c, s);
	if (!state_taken(s))
		err = snapshot_fail(sn, -EBADMSG, "the state of vCPU %u makes no sense, or its extended state has another size here",
				    limen_vcpu_id(v->vcpu));
	if (!err)
		err = check_features(sn, v);
	if (!err)
		err = put_all(sn, v, c);
	free(c);
	return err;
}
