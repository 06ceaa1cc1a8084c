// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A byte stream between the user's terminal (or a pipe) and one device. Input
 * is read only while the device has room, so nothing is lost or piles up.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices.h"

#define CHUNK		64
#define POLL_MS		50	/* how soon a stuck reader lets the machine end */

static void watch(struct chardev *c, bool on)
{
	event_enable(c->board->loop, &c->src, on);
}

static void chardev_readable(void *opaque)
{
	struct chardev *c = opaque;
	uint8_t buf[CHUNK];
	size_t room = 0;
	ssize_t n;

	/* Off first: a device that gets room in between switches it on again,
	 * and that must not be undone. */
	watch(c, false);
	if (c->room)
		room = c->room(c->device);
	if (!room)
		return;
	n = read(c->in_fd, buf, room < CHUNK ? room : CHUNK);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		/* end of input: the guest runs on without */
		event_remove(c->board->loop, &c->src);
		c->watching = false;
		return;
	}
	if (n > 0) {
		size_t len = n;

		if (c->filter)
			len = c->filter(c->filter_opaque, buf, len);
		if (len)
			c->input(c->device, buf, len);
	}
	watch(c, true);
}

int chardev_init(struct chardev *c, struct board *b, int in_fd, int out_fd)
{
	int err = 0;

	*c = (struct chardev){ .board = b, .in_fd = in_fd, .out_fd = out_fd };
	c->src = (struct event_source){
		.fd = in_fd, .fn = chardev_readable, .opaque = c,
	};
	if (in_fd >= 0)
		err = event_add(b->loop, &c->src);
	/* epoll refuses what never blocks, files and /dev/null: an eventfd that
	 * is always ready stands for them. */
	if (err == -EPERM) {
		c->src.fd = eventfd(1, EFD_CLOEXEC);
		c->own_fd = c->src.fd >= 0;
		err = c->own_fd ? event_add(b->loop, &c->src) : -errno;
	}
	c->watching = in_fd >= 0 && !err;
	return err;
}

void chardev_fini(struct chardev *c)
{
	if (c->watching)
		event_remove(c->board->loop, &c->src);
	c->watching = false;
	if (c->own_fd)
		close(c->src.fd);
}

void chardev_attach(struct chardev *c, size_t (*room)(void *),
		    void (*input)(void *, const uint8_t *, size_t), void *device)
{
	c->room = room;
	c->input = input;
	c->device = device;
}

void chardev_resume(struct chardev *c)
{
	if (c->watching)
		watch(c, true);
}

void chardev_write(struct chardev *c, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len && c->out_fd >= 0) {
		struct pollfd pfd = { .fd = c->out_fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&pfd, 1, POLL_MS) <= 0) {
			if (atomic_load(&c->board->ending))
				return;
			continue;
		}
		/* a pipe that is ready takes a page at least without blocking */
		n = write(c->out_fd, p, len < 4096 ? len : 4096);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}
