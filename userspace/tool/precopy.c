// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Live migration: memory is sent by a thread while the guest runs, then again what it has
 * written meanwhile (LIMEN_DIRTY), until that is little or does not get less. Only then the
 * machine stands still, for the rest: machine_save_rest() and the last words of migrate.c.
 *
 * A module without a log is no obstacle: then all memory is the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "migrate.h"
#include "snapshot.h"

#define PIECE		(1ull << 30)	/* of memory whose bitmap is read at once */
#define MAX_ROUNDS	16
#define FEW_PAGES	512		/* 2 MiB: not worth another round */

struct migration {
	struct machine *m;
	struct snapshot sn;
	int fd, client;		/* the other limen, and who waits for an answer */
	pthread_t thread;
	bool has_thread, logged;
	atomic_bool cancel;
	struct event_source done;
	int err;		/* of the thread */
	uint32_t rounds;
	uint64_t bitmap[PIECE / LIMEN_PAGE_SIZE / 64];
};

static int set_log(struct machine *m, bool on)
{
	const uint32_t flags = LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC |
			       (on ? LIMEN_MEM_LOG : 0);
	struct board *b = &m->board;
	int err = limen_protect(b->vm, 0, b->ram_low, flags);

	if (!err && b->ram_high)
		err = limen_protect(b->vm, RAM_HIGH_BASE, b->ram_high, flags);
	return err;
}

static bool is_dirty(const uint64_t *bitmap, uint64_t page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/* what the bitmap has, from @gpa on, in runs */
static int send_pages(struct migration *mg, uint64_t gpa, uint64_t pages, uint32_t type)
{
	int err = 0;

	for (uint64_t i = 0; !err && i < pages;) {
		uint64_t n = 0;

		while (i + n < pages && n < MEMORY_PAGES && is_dirty(mg->bitmap, i + n))
			n++;
		if (n)
			err = save_pages(&mg->sn, mg->m, gpa + i * LIMEN_PAGE_SIZE, n, type);
		i += n ? n : 1;
		if (atomic_load(&mg->cancel))
			err = -ECANCELED;
	}
	return err;
}

/* One page after it counts as clean: a write from then on is told the next time. */
static int send_range(struct migration *mg, uint64_t base, uint64_t len, uint32_t type,
		      uint64_t *sent)
{
	int err = 0;

	for (uint64_t at = 0; !err && at < len; at += PIECE) {
		uint64_t part = len - at < PIECE ? len - at : PIECE, count;

		err = limen_dirty_get(mg->m->board.vm, base + at, part, true, mg->bitmap,
				      &count);
		if (err)
			return snapshot_fail(&mg->sn, err, "the log of written pages: %s",
					     limen_strerror(err));
		*sent += count;
		if (count)
			err = send_pages(mg, base + at, part / LIMEN_PAGE_SIZE, type);
	}
	return err;
}

static int send_dirty(struct migration *mg, uint32_t type, uint64_t *sent)
{
	const struct board *b = &mg->m->board;
	int err;

	*sent = 0;
	err = send_range(mg, 0, b->ram_low, type, sent);
	if (!err && b->ram_high)
		err = send_range(mg, RAM_HIGH_BASE, b->ram_high, type, sent);
	return err;
}

static int rounds(struct migration *mg)
{
	uint64_t before = UINT64_MAX, sent = 0;
	int err = machine_save_memory(&mg->sn, mg->m, SECTION_PRECOPY);

	while (!err && mg->rounds < MAX_ROUNDS) {
		err = send_dirty(mg, SECTION_PRECOPY, &sent);
		mg->rounds++;
		/* the guest writes as fast as we send: another round wins nothing */
		if (sent <= FEW_PAGES || sent > before / 4 * 3)
			break;
		before = sent;
	}
	return err;
}

static void *precopy_thread(void *opaque)
{
	struct migration *mg = opaque;

	mg->err = snapshot_create(&mg->sn, mg->fd);
	if (!mg->err)
		mg->err = machine_save_config(&mg->sn, mg->m);
	mg->logged = !set_log(mg->m, true);
	if (!mg->err && mg->logged)
		mg->err = rounds(mg);
	virtio_signal_fd(mg->done.fd);
	return NULL;
}

/* ---- the main thread -------------------------------------------------------------- */

static void forget(struct migration *mg)
{
	struct machine *m = mg->m;

	if (mg->has_thread)
		pthread_join(mg->thread, NULL);
	if (mg->logged)
		(void)set_log(m, false);
	snapshot_close(&mg->sn);
	event_remove(m->board.loop, &mg->done);
	close(mg->done.fd);
	close(mg->fd);
	close(mg->client);
	m->migration = NULL;
	free(mg);
}

/* the machine stands still: what is left of its memory, and everything else */
static int send_rest(struct migration *mg, char *why, size_t len)
{
	uint64_t sent = 0;
	int err = machine_save_devices(&mg->sn, mg->m);

	if (!err && mg->logged)
		err = send_dirty(mg, SECTION_MEMORY, &sent);
	else if (!err)
		err = machine_save_memory(&mg->sn, mg->m, SECTION_MEMORY);
	if (!err)
		err = snapshot_end(&mg->sn);
	snprintf(why, len, "%s", mg->sn.why);
	if (!err && mg->m->o->verbose)
		complain("migration: %u rounds, %llu pages while it stood still",
			 mg->rounds, (unsigned long long)sent);
	return migrate_finish(mg->m, mg->fd, err, why, len);
}

static void precopy_done(void *opaque)
{
	struct migration *mg = opaque;
	bool stood = mg->m->stopped;
	char why[160] = "";
	int err = mg->err;

	if (err) {
		snprintf(why, sizeof(why), "%s", mg->sn.why);
		(void)migrate_finish(mg->m, mg->fd, err, why, sizeof(why));
	} else {
		err = machine_stop(mg->m);
		if (err)
			snprintf(why, sizeof(why), "the machine does not stop: %s",
				 limen_strerror(err));
		else
			err = send_rest(mg, why, sizeof(why));
	}
	if (err && !stood && err != -ECANCELED)
		(void)machine_go(mg->m);
	if (err)
		control_say(mg->client, "error: %s\n", why);
	else
		control_say(mg->client, "ok\n");
	forget(mg);
}

int migration_start(struct machine *m, int client, int fd)
{
	struct migration *mg = calloc(1, sizeof(*mg));
	int err = -ENOMEM;

	if (!mg)
		return err;
	*mg = (struct migration){ .m = m };
	mg->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	mg->client = fcntl(client, F_DUPFD_CLOEXEC, 0);
	mg->done = (struct event_source){
		eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), precopy_done, mg,
	};
	m->migration = mg;
	err = mg->fd < 0 || mg->client < 0 || mg->done.fd < 0 ? -EMFILE : 0;
	if (!err)
		err = event_add(m->board.loop, &mg->done);
	if (!err)
		migrate_patience(mg->fd);
	if (!err)
		err = -pthread_create(&mg->thread, NULL, precopy_thread, mg);
	mg->has_thread = !err;
	if (err)
		forget(mg);
	return err;
}

void migration_cancel(struct machine *m)
{
	struct migration *mg = m->migration;

	if (!mg)
		return;
	atomic_store(&mg->cancel, true);
	(void)shutdown(mg->fd, SHUT_RDWR);
	control_say(mg->client, "error: the VM has ended\n");
	forget(mg);
}
