// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports for people who debug kernels: 0xf4 ends the machine with a status,
 * 0xe9 is a console (reading it gives 0xe9, by which it is detected), 0x80
 * takes POST codes.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices.h"

struct debug_ports {
	pthread_mutex_t lock;
	struct board *board;
	struct chardev out;
	uint8_t post;
};

static void exit_access(void *opaque, struct limen_access *a)
{
	struct debug_ports *d = opaque;

	if (a->write)
		d->board->end(d->board, BOARD_DEBUG_EXIT, a->data);
	else
		a->data = 0;
}

static void console_access(void *opaque, struct limen_access *a)
{
	struct debug_ports *d = opaque;
	uint8_t byte = a->data;

	if (a->write)
		chardev_write(&d->out, &byte, 1);
	else
		a->data = 0xe9;
}

static void post_access(void *opaque, struct limen_access *a)
{
	struct debug_ports *d = opaque;

	if (a->write)
		d->post = a->data;
	else
		a->data = d->post;
}

int debug_ports_create(struct board *b, int debugcon_fd,
		       struct debug_ports **out)
{
	struct debug_ports *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	pthread_mutex_init(&d->lock, NULL);
	d->board = b;
	err = chardev_init(&d->out, b, -1, debugcon_fd);
	if (!err)
		err = board_ports(b, "debug-exit", 0xf4, 4, 4, exit_access, d,
				  &d->lock);
	if (!err && debugcon_fd != DEBUGCON_NONE)
		err = board_ports(b, "debugcon", 0xe9, 1, 1, console_access, d,
				  &d->lock);
	if (!err)
		err = board_ports(b, "post", 0x80, 1, 1, post_access, d, &d->lock);
	if (err) {
		debug_ports_destroy(d);
		return err;
	}
	*out = d;
	return 0;
}

void debug_ports_state(struct debug_ports *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_u8(s, &dev->post);
	pthread_mutex_unlock(&dev->lock);
}

void debug_ports_destroy(struct debug_ports *d)
{
	if (!d)
		return;
	chardev_fini(&d->out);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
