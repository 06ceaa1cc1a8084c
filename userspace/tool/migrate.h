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

/* source: 0 when the destination has it and this machine is ended */
int migrate_send(struct machine *m, int fd, char *why, size_t len);
/* destination: all was loaded (@why NULL) or not; 0: begin */
int migrate_loaded(int fd, const char *why);

#endif
