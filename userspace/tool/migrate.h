/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM from one limen to another over a stream socket. The stream is that of a file; after
 * its end
 *	destination: "loaded\n" or "error: why\n"
 *	source:      "go\n"; it has ended the machine, and the destination begins
 * Until the source sends that, it is the one that goes on if anything is wrong.
 */
#ifndef LIMEN_MIGRATE_H
#define LIMEN_MIGRATE_H

#include "tool.h"

/* @addr: unix:PATH or tcp:HOST:PORT; a socket, or -errno with a message printed */
int migrate_connect(const char *addr);
/* wait for one connection */
int migrate_accept(const char *addr);

/*
 * Source. The stream was sent, or that failed with @err: hear what the destination says.
 * 0 when it has all and this machine is ended; else the reason is in @why.
 */
int migrate_finish(struct machine *m, int fd, int err, char *why, size_t len);
/* don't wait for ever for a peer that is there and does nothing */
void migrate_patience(int fd);
/*
 * precopy.c: start to send a machine that runs; the answer goes to @client when it is
 * done, one way or the other. Both descriptors stay the caller's.
 */
int migration_start(struct machine *m, int client, int fd);
/* the machine ends */
void migration_cancel(struct machine *m);
/* destination: all was loaded (@why NULL) or not; 0: begin */
int migrate_loaded(int fd, const char *why);

#endif
