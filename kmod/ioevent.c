// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of writes that signal an eventfd: what may be in it, and which entry
 * a write matches. Pure; ioeventfd.c publishes copies of it.
 *
 * At most one entry matches a write: one that could match together with another
 * is refused, so the order of entries at one address means nothing.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "../uapi/linux/limen.h"
#include "ioevent.h"

static u64 mask_of(u8 len)
{
	return len < 8 ? BIT_ULL(8 * len) - 1 : ~0ull;
}

static bool len_ok(u32 len, bool port)
{
	switch (len) {
	case 0:
	case 1:
	case 2:
	case 4:
		return true;
	case 8:
		return !port;
	}
	return false;
}

/**
 * limen_ioevent_decode() - is it an ioeventfd?
 * @arg: the call's argument
 * @e: all but its ctx is written
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int limen_ioevent_decode(const struct limen_ioeventfd *arg, struct limen_ioevent *e)
{
	bool port = arg->flags & LIMEN_IOEVENTFD_PORT;
	bool match = arg->flags & LIMEN_IOEVENTFD_MATCH;

	if (arg->flags & ~(LIMEN_IOEVENTFD_DEASSIGN | LIMEN_IOEVENTFD_PORT |
			   LIMEN_IOEVENTFD_MATCH))
		return -EINVAL;
	if (!len_ok(arg->len, port) || (match && !arg->len))
		return -EINVAL;
	if (arg->match & ~(match ? mask_of(arg->len) : 0))
		return -EINVAL;
	if (arg->addr + arg->len < arg->addr || (port && arg->addr > 0xffff))
		return -EINVAL;
	*e = (struct limen_ioevent){
		.addr = arg->addr, .match = arg->match, .len = arg->len, .any = !match,
		.space = port ? LIMEN_IOEVENT_PORT : LIMEN_IOEVENT_MMIO,
	};
	return 0;
}

static bool is_before(const struct limen_ioevent *e, u8 space, u64 addr)
{
	return e->space != space ? e->space < space : e->addr < addr;
}

/* index of the first entry that is not before this place */
static u32 lower_bound(const struct limen_ioevents *t, u8 space, u64 addr)
{
	u32 lo = 0, hi = t->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (is_before(&t->e[mid], space, addr))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct limen_ioevents *t, u32 i, u8 space, u64 addr)
{
	return i < t->nr && t->e[i].space == space && t->e[i].addr == addr;
}

/**
 * limen_ioevent_has() - does any entry wait for writes here?
 * @t: the table
 * @space: enum limen_ioevent_space
 * @addr: port or guest-physical address
 *
 * Context: any.
 * Return: false if limen_ioevent_find() would find nothing, whatever is written.
 */
bool limen_ioevent_has(const struct limen_ioevents *t, u8 space, u64 addr)
{
	return is_at(t, lower_bound(t, space, addr), space, addr);
}

/**
 * limen_ioevent_find() - the entry that a write matches
 * @t: the table
 * @space: enum limen_ioevent_space
 * @addr: port or guest-physical address
 * @len: bytes written: 1, 2, 4, 8
 * @val: the value; bits above @len are not looked at
 *
 * Context: any.
 * Return: the entry, or NULL.
 */
const struct limen_ioevent *limen_ioevent_find(const struct limen_ioevents *t,
					       u8 space, u64 addr, u8 len, u64 val)
{
	u32 i;

	for (i = lower_bound(t, space, addr); is_at(t, i, space, addr); i++) {
		const struct limen_ioevent *e = &t->e[i];

		if (e->len && e->len != len)
			continue;
		if (e->any || e->match == (val & mask_of(len)))
			return e;
	}
	return NULL;
}

/* Could one write match both? They are at one place. */
static bool collide(const struct limen_ioevent *a, const struct limen_ioevent *b)
{
	if (a->len && b->len && a->len != b->len)
		return false;
	return a->any || b->any || a->match == b->match;
}

/**
 * limen_ioevent_insert() - add an entry
 * @t: the table, with room for one more, not yet published
 * @e: the entry
 *
 * Context: any.
 * Return: 0, or -EEXIST if a write could match this one and another.
 */
int limen_ioevent_insert(struct limen_ioevents *t, const struct limen_ioevent *e)
{
	u32 at = lower_bound(t, e->space, e->addr);
	u32 i;

	for (i = at; is_at(t, i, e->space, e->addr); i++)
		if (collide(&t->e[i], e))
			return -EEXIST;
	memmove(&t->e[at + 1], &t->e[at], (t->nr - at) * sizeof(t->e[0]));
	t->e[at] = *e;
	t->nr++;
	return 0;
}

/**
 * limen_ioevent_remove() - take an entry away
 * @t: the table, not yet published
 * @e: all of it must be equal, ctx too
 *
 * Context: any.
 * Return: 0 or -ENOENT.
 */
int limen_ioevent_remove(struct limen_ioevents *t, const struct limen_ioevent *e)
{
	u32 i;

	for (i = lower_bound(t, e->space, e->addr); is_at(t, i, e->space, e->addr); i++) {
		const struct limen_ioevent *o = &t->e[i];

		if (o->len != e->len || o->any != e->any || o->match != e->match ||
		    o->ctx != e->ctx)
			continue;
		t->nr--;
		memmove(&t->e[i], &t->e[i + 1], (t->nr - i) * sizeof(t->e[0]));
		return 0;
	}
	return -ENOENT;
}
