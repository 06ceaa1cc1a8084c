/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of a saved VM, as a file or a stream. docs/snapshot.md describes it.
 *
 *	header	"LIMEN SNAPSHOT\n\0", format version, CRC-32C of the two
 *	section	type, instance, version, 0, length; payload; CRC-32C of all that
 *	...
 *	END	how many sections came before it
 */
#ifndef LIMEN_SNAPSHOT_H
#define LIMEN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define SNAPSHOT_VERSION	1
#define SNAPSHOT_MAX_LEN	(2u << 20)	/* of a payload */

/* as it is in the file: four letters */
#define SECTION(a, b, c, d)	((uint32_t)(a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24)
#define SECTION_CONFIG		SECTION('C', 'O', 'N', 'F')
#define SECTION_CLOCK		SECTION('C', 'L', 'O', 'K')
#define SECTION_VCPU		SECTION('V', 'C', 'P', 'U')
#define SECTION_MEMORY		SECTION('M', 'E', 'M', 'O')
#define SECTION_PRECOPY		SECTION('P', 'R', 'E', 'C')
#define SECTION_END		SECTION('E', 'N', 'D', ' ')

struct section {
	uint32_t type;
	uint32_t instance;
	uint32_t version;
	uint32_t reserved;
	uint64_t len;
};

struct snapshot {
	int fd;
	uint32_t sections;	/* so far */
	uint8_t *payload;	/* SNAPSHOT_MAX_LEN bytes; writing: see snapshot_buffer() */
	struct section last;	/* that was read */
	bool again;		/* give it once more */
	char why[160];		/* of the first error */
};

uint32_t crc32c(uint32_t crc, const void *p, size_t len);

/* writing; 0 or -errno with the reason in @why */
int snapshot_create(struct snapshot *sn, int fd);
int snapshot_write(struct snapshot *sn, uint32_t type, uint32_t instance,
		   uint32_t version, const struct iovec *part, uint32_t nr_parts);
int snapshot_end(struct snapshot *sn);
/* room for a payload, or NULL with @why; snapshot_close() frees it */
void *snapshot_buffer(struct snapshot *sn);

/*
 * Reading. A section's payload is in @sn->payload until the next one is read. After
 * SECTION_END nothing may follow in a file.
 */
int snapshot_open(struct snapshot *sn, int fd);
int snapshot_read(struct snapshot *sn, struct section *s);
/* the next snapshot_read() gives the same section */
void snapshot_unread(struct snapshot *sn);
/* read all of a file and go back to its beginning: is it whole? */
int snapshot_verify(int fd, char *why, size_t len);
void snapshot_close(struct snapshot *sn);
__attribute__((format(printf, 3, 4)))
int snapshot_fail(struct snapshot *sn, int err, const char *fmt, ...);

#endif
