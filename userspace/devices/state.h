/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's state as bytes. One function per device names its fields once, in order,
 * and serves both directions:
 *
 *	state_u8(s, &d->index);
 *	state_check(s, d->index < LEN);
 *
 * Saving appends the fields. Loading overwrites them with what a file says, which may be
 * anything: each field on which the device relies is checked, and after a bad one the
 * machine must not run. Numbers are little-endian.
 */
#ifndef LIMEN_STATE_H
#define LIMEN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state {
	bool loading;
	bool bad;		/* no memory; loading: too short, or a check failed */
	uint32_t version;	/* loading: of the section, at most the newest known */
	uint8_t *buf;		/* saving: ours, state_fini() frees it */
	size_t len;		/* valid bytes */
	size_t pos;		/* loading: the next one */
	size_t room;
};

void state_fini(struct state *s);
/* a field that doesn't arrive is zeroed */
void state_bytes(struct state *s, void *p, size_t len);
void state_u8(struct state *s, uint8_t *v);
void state_u16(struct state *s, uint16_t *v);
void state_u32(struct state *s, uint32_t *v);
void state_u64(struct state *s, uint64_t *v);
void state_i64(struct state *s, int64_t *v);
void state_bool(struct state *s, bool *v);
/* a value that both sides must have in common */
void state_same(struct state *s, uint64_t v);

static inline void state_check(struct state *s, bool ok)
{
	if (s->loading && !ok)
		s->bad = true;
}

/* loading: all of it was taken, and nothing was wrong */
static inline bool state_taken(const struct state *s)
{
	return !s->bad && s->pos == s->len;
}

#endif
