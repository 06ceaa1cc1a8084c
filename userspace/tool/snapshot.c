// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of a saved VM: sections with checksums, written and read in order. */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"

#define MAX_PARTS	4

static const char magic[16] = "LIMEN SNAPSHOT\n";

struct header {
	char magic[16];
	uint32_t version;
	uint32_t crc;
};

/* ---- CRC-32C, polynomial 0x1edc6f41 (RFC 3720, appendix B.4) ------------------- */

static uint32_t crc_table[8][256];

__attribute__((constructor)) static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		crc_table[0][i] = c;
	}
	for (uint32_t n = 1; n < 8; n++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = crc_table[n - 1][i];

			crc_table[n][i] = crc_table[0][c & 0xff] ^ c >> 8;
		}
}

/* eight bytes at a time: table n is that of a byte with n more behind it */
static uint32_t crc_step(uint32_t c, const uint8_t *p)
{
	uint64_t v;
	uint32_t next = 0;

	memcpy(&v, p, sizeof(v));
	v = le64toh(v) ^ c;
	for (int i = 0; i < 8; i++)
		next ^= crc_table[7 - i][v >> 8 * i & 0xff];
	return next;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t c = ~crc;

	for (; len >= 8; p += 8, len -= 8)
		c = crc_step(c, p);
	for (; len; p++, len--)
		c = crc_table[0][(c ^ *p) & 0xff] ^ c >> 8;
	return ~c;
}

int snapshot_fail(struct snapshot *sn, int err, const char *fmt, ...)
{
	va_list ap;

	if (sn->why[0])
		return err;
	va_start(ap, fmt);
	vsnprintf(sn->why, sizeof(sn->why), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- writing -------------------------------------------------------------------- */

static int put(struct snapshot *sn, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(sn->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n ? -errno : -EIO;

			return snapshot_fail(sn, err, "writing: %s", strerror(-err));
		}
		p += n;
		len -= n;
	}
	return 0;
}

void *snapshot_buffer(struct snapshot *sn)
{
	if (!sn->payload)
		sn->payload = malloc(SNAPSHOT_MAX_LEN);
	if (!sn->payload)
		snapshot_fail(sn, -ENOMEM, "no memory");
	return sn->payload;
}

int snapshot_create(struct snapshot *sn, int fd)
{
	struct header h = { .version = htole32(SNAPSHOT_VERSION) };

	*sn = (struct snapshot){ .fd = fd };
	memcpy(h.magic, magic, sizeof(magic));
	h.crc = htole32(crc32c(0, &h, offsetof(struct header, crc)));
	return put(sn, &h, sizeof(h));
}

int snapshot_write(struct snapshot *sn, uint32_t type, uint32_t instance,
		   uint32_t version, const struct iovec *part, uint32_t nr_parts)
{
	struct section s = {
		.type = htole32(type), .instance = htole32(instance),
		.version = htole32(version),
	};
	uint64_t len = 0;
	uint32_t crc;
	int err;

	for (uint32_t i = 0; i < nr_parts; i++)
		len += part[i].iov_len;
	if (len > SNAPSHOT_MAX_LEN)
		return snapshot_fail(sn, -EFBIG, "a section is too long");
	s.len = htole64(len);
	crc = crc32c(0, &s, sizeof(s));
	err = put(sn, &s, sizeof(s));
	for (uint32_t i = 0; !err && i < nr_parts; i++) {
		crc = crc32c(crc, part[i].iov_base, part[i].iov_len);
		err = put(sn, part[i].iov_base, part[i].iov_len);
	}
	crc = htole32(crc);
	if (!err)
		err = put(sn, &crc, sizeof(crc));
	sn->sections++;
	return err;
}

int snapshot_end(struct snapshot *sn)
{
	uint32_t count = htole32(sn->sections);
	struct iovec part = { &count, sizeof(count) };

	return snapshot_write(sn, SECTION_END, 0, 1, &part, 1);
}

/* ---- reading -------------------------------------------------------------------- */

static int get(struct snapshot *sn, void *data, size_t len)
{
	uint8_t *p = data;

	while (len) {
		ssize_t n = read(sn->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return snapshot_fail(sn, -errno, "reading: %s", strerror(errno));
		if (!n)
			return snapshot_fail(sn, -EBADMSG, "it is cut off");
		p += n;
		len -= n;
	}
	return 0;
}

int snapshot_open(struct snapshot *sn, int fd)
{
	struct header h;
	int err;

	*sn = (struct snapshot){ .fd = fd };
	err = get(sn, &h, sizeof(h));
	if (err)
		return err;
	if (memcmp(h.magic, magic, sizeof(magic)))
		return snapshot_fail(sn, -EBADMSG, "it is not a saved VM");
	if (le32toh(h.crc) != crc32c(0, &h, offsetof(struct header, crc)))
		return snapshot_fail(sn, -EBADMSG, "its header was altered");
	if (le32toh(h.version) != SNAPSHOT_VERSION)
		return snapshot_fail(sn, -EBADMSG, "its format is version %u, this limen knows %u",
				     le32toh(h.version), SNAPSHOT_VERSION);
	return snapshot_buffer(sn) ? 0 : -ENOMEM;
}

static int check_end(struct snapshot *sn, const struct section *s)
{
	uint32_t count;

	if (s->len != sizeof(count))
		return snapshot_fail(sn, -EBADMSG, "its end makes no sense");
	memcpy(&count, sn->payload, sizeof(count));
	if (le32toh(count) != sn->sections)
		return snapshot_fail(sn, -EBADMSG, "it has %u sections instead of %u",
				     sn->sections, le32toh(count));
	return 0;
}

void snapshot_unread(struct snapshot *sn)
{
	sn->again = true;
}

int snapshot_read(struct snapshot *sn, struct section *s)
{
	uint32_t crc, want;
	int err;

	if (sn->again) {
		sn->again = false;
		*s = sn->last;
		return 0;
	}
	err = get(sn, s, sizeof(*s));
	if (err)
		return err;
	crc = crc32c(0, s, sizeof(*s));
	s->type = le32toh(s->type);
	s->instance = le32toh(s->instance);
	s->version = le32toh(s->version);
	s->len = le64toh(s->len);
	if (s->len > SNAPSHOT_MAX_LEN || s->reserved)
		return snapshot_fail(sn, -EBADMSG, "section %u was altered", sn->sections);
	err = get(sn, sn->payload, s->len);
	if (!err)
		err = get(sn, &want, sizeof(want));
	if (err)
		return err;
	if (le32toh(want) != crc32c(crc, sn->payload, s->len))
		return snapshot_fail(sn, -EBADMSG, "section %u was altered", sn->sections);
	sn->last = *s;
	if (s->type == SECTION_END)
		return check_end(sn, s);
	sn->sections++;
	return 0;
}

void snapshot_close(struct snapshot *sn)
{
	free(sn->payload);
	sn->payload = NULL;
}

int snapshot_verify(int fd, char *why, size_t len)
{
	off_t start = lseek(fd, 0, SEEK_CUR);
	struct snapshot sn;
	struct section s;
	uint8_t more;
	int err = snapshot_open(&sn, fd);

	do {
		if (!err)
			err = snapshot_read(&sn, &s);
	} while (!err && s.type != SECTION_END);
	if (!err && read(fd, &more, 1) == 1)
		err = snapshot_fail(&sn, -EBADMSG, "there is something behind its end");
	if (!err && lseek(fd, start, SEEK_SET) < 0)
		err = snapshot_fail(&sn, -errno, "it can't be read twice");
	snprintf(why, len, "%s", sn.why);
	snapshot_close(&sn);
	return err;
}
