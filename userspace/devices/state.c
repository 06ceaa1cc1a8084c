// SPDX-License-Identifier: GPL-2.0-or-later
/* Fields to bytes and back. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

void state_fini(struct state *s)
{
	if (!s->loading)
		free(s->buf);
	*s = (struct state){ 0 };
}

static void append(struct state *s, const void *p, size_t len)
{
	if (s->room - s->len < len) {
		size_t room = 2 * s->room + len + 64;
		uint8_t *buf = realloc(s->buf, room);

		if (!buf) {
			s->bad = true;
			return;
		}
		s->buf = buf;
		s->room = room;
	}
	memcpy(s->buf + s->len, p, len);
	s->len += len;
}

void state_bytes(struct state *s, void *p, size_t len)
{
	if (!s->loading) {
		append(s, p, len);
	} else if (s->bad || s->len - s->pos < len) {
		s->bad = true;
		memset(p, 0, len);
	} else {
		memcpy(p, s->buf + s->pos, len);
		s->pos += len;
	}
}

void state_u8(struct state *s, uint8_t *v)
{
	state_bytes(s, v, sizeof(*v));
}

void state_u16(struct state *s, uint16_t *v)
{
	uint16_t le = htole16(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le16toh(le);
}

void state_u32(struct state *s, uint32_t *v)
{
	uint32_t le = htole32(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le32toh(le);
}

void state_u64(struct state *s, uint64_t *v)
{
	uint64_t le = htole64(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le64toh(le);
}

void state_i64(struct state *s, int64_t *v)
{
	state_u64(s, (uint64_t *)v);
}

void state_bool(struct state *s, bool *v)
{
	uint8_t byte = *v;

	state_u8(s, &byte);
	state_check(s, byte <= 1);
	*v = byte & 1;
}

void state_same(struct state *s, uint64_t v)
{
	uint64_t theirs = v;

	state_u64(s, &theirs);
	state_check(s, theirs == v);
}
