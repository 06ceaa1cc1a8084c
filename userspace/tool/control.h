/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: control.c serves it, client.c asks it. */
#ifndef LIMEN_CONTROL_H
#define LIMEN_CONTROL_H

#include <sys/un.h>

#include "tool.h"

#define CONTROL_LINE	256	/* of a command, with its newline */

/*
 * Where the socket of @vm is: a path if it has a slash, else the name of a socket in
 * $XDG_RUNTIME_DIR/limen, for root in /run/limen if that is not set.
 */
int control_address(const char *vm, struct sockaddr_un *addr);
/* a part of the answer; never waits */
__attribute__((format(printf, 2, 3)))
void control_say(int fd, const char *fmt, ...);

#endif
