// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --restore: the file. All of it is read once before anything is built, so that one that
 * is cut off or altered starts nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migrate.h"
#include "snapshot.h"
#include "tool.h"

int restore_open(struct options *o, const char *path)
{
	struct snapshot *sn = calloc(1, sizeof(*sn));
	char why[sizeof(sn->why)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (!sn || fd < 0) {
		err = sn ? -errno : -ENOMEM;
		complain("--restore %s: %s", path, strerror(-err));
		if (fd >= 0)
			close(fd);
		free(sn);
		return err;
	}
	sn->fd = fd;
	err = snapshot_verify(fd, why, sizeof(why));
	if (!err) {
		err = snapshot_open(sn, fd);
		if (!err)
			err = machine_options(sn, o);
		memcpy(why, sn->why, sizeof(why));
	}
	o->restore = sn;
	if (err) {
		complain("--restore %s: %s", path, why);
		restore_close(o);
	}
	return err;
}

/* A stream can't be read twice: what is wrong with it shows before anything runs. */
int restore_incoming(struct options *o, const char *addr)
{
	struct snapshot *sn = calloc(1, sizeof(*sn));
	int fd = migrate_accept(addr);
	int err;

	if (!sn || fd < 0) {
		if (fd >= 0)
			close(fd);
		free(sn);
		return fd < 0 ? fd : -ENOMEM;
	}
	err = snapshot_open(sn, fd);
	if (!err)
		err = machine_options(sn, o);
	o->restore = sn;
	if (err) {
		complain("--incoming %s: %s", addr, sn->why);
		(void)migrate_loaded(fd, sn->why);
		restore_close(o);
	}
	return err;
}

void restore_close(struct options *o)
{
	if (!o->restore)
		return;
	snapshot_close(o->restore);
	close(o->restore->fd);
	free(o->restore);
	o->restore = NULL;
}
