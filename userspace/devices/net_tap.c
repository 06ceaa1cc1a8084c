// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames to and from a tap interface of the host. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net.h"

#define BATCH	32	/* frames per wake-up: half of the queue stays free */

struct tap {
	struct net_backend backend;
	int fd;
};

static uint32_t tap_prepare(struct net_backend *n, struct pollfd *fds,
			    uint32_t room, int *timeout_ms)
{
	const struct tap *t = (struct tap *)n;

	(void)room;
	(void)timeout_ms;
	fds[0] = (struct pollfd){ .fd = t->fd, .events = POLLIN };
	return 1;
}

static void tap_dispatch(struct net_backend *n, const struct pollfd *fds,
			 uint32_t count)
{
	const struct tap *t = (struct tap *)n;
	uint8_t frame[NET_MAX_FRAME];

	if (!count || !(fds[0].revents & POLLIN))
		return;
	for (int i = 0; i < BATCH; i++) {
		ssize_t len = read(t->fd, frame, sizeof(frame));

		if (len <= 0)
			return;
		net_receive(n, frame, len);
	}
}

static void tap_send(struct net_backend *n, const void *frame, size_t len)
{
	const struct tap *t = (struct tap *)n;
	ssize_t ret = write(t->fd, frame, len);

	(void)ret;	/* a full queue drops, as a wire does */
}

static void tap_destroy(struct net_backend *n)
{
	struct tap *t = (struct tap *)n;

	close(t->fd);
	free(t);
}

struct net_backend *net_tap_create(const char *name, int *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct tap *t = calloc(1, sizeof(*t));

	*err = -ENOMEM;
	if (!t)
		return NULL;
	*err = -ENAMETOOLONG;
	if (strlen(name) >= IFNAMSIZ)
		goto err_free;
	strcpy(ifr.ifr_name, name);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0) {
		*err = -errno;
		goto err_free;
	}
	if (ioctl(t->fd, TUNSETIFF, &ifr)) {
		*err = -errno;
		close(t->fd);
		goto err_free;
	}
	t->backend = (struct net_backend){
		.prepare = tap_prepare, .dispatch = tap_dispatch,
		.send = tap_send, .destroy = tap_destroy,
	};
	return &t->backend;

err_free:
	free(t);
	return NULL;
}
