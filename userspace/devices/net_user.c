// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A network without privileges: libslirp is a router with DHCP, DNS and NAT in
 * this process, on 10.0.2.0/24 with the addresses that QEMU made usual.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>

#include "net.h"

#define MAX_TIMERS	8

struct slirp_timer {
	SlirpTimerCb fn;
	void *opaque;
	int64_t expire_ms;	/* -1: off */
};

struct user_net {
	struct net_backend backend;
	Slirp *slirp;
	struct pollfd *fds;	/* while prepare() fills them */
	uint32_t count, room;
	const struct pollfd *polled;	/* while dispatch() reads them */
	uint32_t polled_count;
	struct slirp_timer timer[MAX_TIMERS];
};

static int64_t now_ns(void *opaque)
{
	(void)opaque;
	return host_clock_ns();
}

static ssize_t from_slirp(const void *buf, size_t len, void *opaque)
{
	struct user_net *u = opaque;

	net_receive(&u->backend, buf, len);
	return len;
}

static void guest_error(const char *msg, void *opaque)
{
	(void)msg;
	(void)opaque;	/* the guest sends what it likes */
}

static void *timer_new(SlirpTimerCb fn, void *cb_opaque, void *opaque)
{
	struct user_net *u = opaque;

	for (int i = 0; i < MAX_TIMERS; i++) {
		if (u->timer[i].fn)
			continue;
		u->timer[i] = (struct slirp_timer){ fn, cb_opaque, -1 };
		return &u->timer[i];
	}
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	if (t)
		t->fn = NULL;
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	if (t)
		t->expire_ms = expire_ms;
}

/* descriptors are asked for anew before every poll() */
static void poll_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	(void)opaque;	/* all calls come from the one thread: it is awake */
}

static const SlirpCb callbacks = {
	.send_packet = from_slirp,
	.guest_error = guest_error,
	.clock_get_ns = now_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

static int add_poll(int fd, int events, void *opaque)
{
	struct user_net *u = opaque;
	short ev = 0;

	if (u->count == u->room)
		return -1;
	ev |= events & SLIRP_POLL_IN ? POLLIN : 0;
	ev |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	ev |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	u->fds[u->count] = (struct pollfd){ .fd = fd, .events = ev };
	return u->count++;
}

static int get_revents(int idx, void *opaque)
{
	const struct user_net *u = opaque;
	int ev, ret = 0;

	if (idx < 0 || (uint32_t)idx >= u->polled_count)
		return 0;
	ev = u->polled[idx].revents;
	ret |= ev & POLLIN ? SLIRP_POLL_IN : 0;
	ret |= ev & POLLOUT ? SLIRP_POLL_OUT : 0;
	ret |= ev & POLLPRI ? SLIRP_POLL_PRI : 0;
	ret |= ev & POLLERR ? SLIRP_POLL_ERR : 0;
	ret |= ev & POLLHUP ? SLIRP_POLL_HUP : 0;
	return ret;
}

static uint32_t user_prepare(struct net_backend *n, struct pollfd *fds,
			     uint32_t room, int *timeout_ms)
{
	struct user_net *u = (struct user_net *)n;
	uint32_t timeout = *timeout_ms;
	int64_t now = host_clock_ns() / 1000000;

	u->fds = fds;
	u->room = room;
	u->count = 0;
	slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	for (int i = 0; i < MAX_TIMERS; i++) {
		const struct slirp_timer *t = &u->timer[i];

		if (!t->fn || t->expire_ms < 0)
			continue;
		if (t->expire_ms <= now)
			timeout = 0;
		else if (t->expire_ms - now < timeout)
			timeout = t->expire_ms - now;
	}
	*timeout_ms = timeout;
	return u->count;
}

static void user_dispatch(struct net_backend *n, const struct pollfd *fds,
			  uint32_t count)
{
	struct user_net *u = (struct user_net *)n;
	int64_t now = host_clock_ns() / 1000000;

	u->polled = fds;
	u->polled_count = count;
	slirp_pollfds_poll(u->slirp, 0, get_revents, u);
	for (int i = 0; i < MAX_TIMERS; i++) {
		struct slirp_timer *t = &u->timer[i];

		if (!t->fn || t->expire_ms < 0 || t->expire_ms > now)
			continue;
		t->expire_ms = -1;
		t->fn(t->opaque);
	}
}

static void user_send(struct net_backend *n, const void *frame, size_t len)
{
	slirp_input(((struct user_net *)n)->slirp, frame, len);
}

static void user_destroy(struct net_backend *n)
{
	struct user_net *u = (struct user_net *)n;

	slirp_cleanup(u->slirp);
	free(u);
}

struct net_backend *net_user_create(int *err)
{
	struct user_net *u = calloc(1, sizeof(*u));
	SlirpConfig config = { .version = 1, .in_enabled = true };

	*err = -ENOMEM;
	if (!u)
		return NULL;
	config.vnetwork.s_addr = htonl(0x0a000200);
	config.vnetmask.s_addr = htonl(0xffffff00);
	config.vhost.s_addr = htonl(0x0a000202);
	config.vdhcp_start.s_addr = htonl(0x0a00020f);
	config.vnameserver.s_addr = htonl(0x0a000203);
	config.vhostname = "limen";
	u->backend = (struct net_backend){
		.prepare = user_prepare, .dispatch = user_dispatch,
		.send = user_send, .destroy = user_destroy,
	};
	u->slirp = slirp_new(&config, &callbacks, u);
	if (!u->slirp) {
		free(u);
		return NULL;
	}
	*err = 0;
	return &u->backend;
}
