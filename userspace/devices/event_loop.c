// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The main thread's event loop (epoll), the timers on it, and the two helpers
 * with which devices put themselves on the bus.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

struct event_loop {
	int fd;
};

int event_loop_create(struct event_loop **out)
{
	struct event_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->fd < 0) {
		err = -errno;
		free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

void event_loop_destroy(struct event_loop *loop)
{
	if (!loop)
		return;
	close(loop->fd);
	free(loop);
}

int event_add(struct event_loop *loop, struct event_source *src)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = src };

	return epoll_ctl(loop->fd, EPOLL_CTL_ADD, src->fd, &ev) ? -errno : 0;
}

void event_remove(struct event_loop *loop, struct event_source *src)
{
	(void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, src->fd, NULL);
}

void event_enable(struct event_loop *loop, struct event_source *src, bool on)
{
	/* One shot while off: EPOLLHUP can't be masked otherwise, and a closed
	 * pipe on stdin would spin. */
	struct epoll_event ev = {
		.events = on ? EPOLLIN : EPOLLONESHOT | EPOLLET, .data.ptr = src,
	};

	(void)epoll_ctl(loop->fd, EPOLL_CTL_MOD, src->fd, &ev);
}

int event_wait(struct event_loop *loop)
{
	struct epoll_event ev[16];
	int n = epoll_wait(loop->fd, ev, ARRAY_SIZE(ev), -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct event_source *src = ev[i].data.ptr;

		src->fn(src->opaque);
	}
	return 0;
}

uint64_t host_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Threads that read the clock are stopped with it, all but those to whom it makes no
 * difference. */
static _Atomic uint64_t clock_moved;	/* host's - ours, modulo 2^64 */
static _Atomic uint64_t clock_stands;	/* 0: it goes */

uint64_t clock_ns(void)
{
	uint64_t stands = clock_stands;

	return stands ? stands : host_clock_ns() - clock_moved;
}

void clock_stop(void)
{
	clock_stands = clock_ns();
}

void clock_set(uint64_t ns)
{
	clock_stands = ns ? ns : 1;
}

void clock_go(void)
{
	clock_moved = host_clock_ns() - clock_ns();
	clock_stands = 0;
}

static void timer_fire(void *opaque)
{
	struct dev_timer *t = opaque;
	uint64_t count;

	/* Nothing to read: the timer was set anew in between. */
	if (read(t->src.fd, &count, sizeof(count)) == sizeof(count))
		t->fn(t->opaque);
}

int timer_init(struct dev_timer *t, struct event_loop *loop,
	       void (*fn)(void *opaque), void *opaque)
{
	t->fn = fn;
	t->opaque = opaque;
	t->src = (struct event_source){
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
		.fn = timer_fire, .opaque = t,
	};
	if (t->src.fd < 0)
		return -errno;
	return event_add(loop, &t->src);
}

void timer_fini(struct dev_timer *t, struct event_loop *loop)
{
	if (!t->fn)
		return;
	event_remove(loop, &t->src);
	close(t->src.fd);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ ns / NS_PER_S, ns % NS_PER_S };
}

static uint64_t ns_of(struct timespec ts)
{
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void timer_set(struct dev_timer *t, uint64_t at, uint64_t period)
{
	uint64_t host = at + clock_moved;
	struct itimerspec its = { .it_interval = timespec_of(period) };

	/* a time before the host's clock began is over */
	if (at)
		its.it_value = timespec_of((int64_t)host > 0 ? host : 1);
	(void)timerfd_settime(t->src.fd, TFD_TIMER_ABSTIME, &its, NULL);
}

void timer_hold(struct dev_timer *t)
{
	const struct itimerspec off = { 0 };
	struct itimerspec was = { 0 };
	uint64_t count, before;

	(void)timerfd_gettime(t->src.fd, &was);
	before = ns_of(was.it_value);
	t->due = read(t->src.fd, &count, sizeof(count)) == sizeof(count);
	(void)timerfd_settime(t->src.fd, 0, &off, &was);
	t->left = ns_of(was.it_value);
	t->period = ns_of(was.it_interval);
	/* a shot since the read: what is left has grown, or become nothing */
	if (t->left > before || (before && !t->left))
		t->due = true;
}

void timer_go(struct dev_timer *t)
{
	const struct itimerspec its = {
		.it_value = timespec_of(t->left), .it_interval = timespec_of(t->period),
	};

	(void)timerfd_settime(t->src.fd, 0, &its, NULL);
	if (t->due)
		t->fn(t->opaque);
	t->due = false;
}

void timer_state(struct dev_timer *t, struct state *s)
{
	state_u64(s, &t->left);
	state_u64(s, &t->period);
	state_bool(s, &t->due);
	/* what timerfd_settime() takes, and no device waits for longer */
	state_check(s, t->left < 1ull << 62 && t->period < 1ull << 62);
}

static int board_add(struct board *b, int space, const struct limen_region *r)
{
	return limen_bus_add(b->bus, space, r);
}

int board_ports(struct board *b, const char *name, uint16_t base, uint16_t len,
		uint8_t max_size, void (*fn)(void *, struct limen_access *),
		void *opaque, pthread_mutex_t *lock)
{
	const struct limen_region r = {
		.base = base, .len = len, .max_size = max_size, .fn = fn,
		.opaque = opaque, .lock = lock, .name = name,
	};

	return board_add(b, LIMEN_BUS_PORT, &r);
}

int board_mmio(struct board *b, const char *name, uint64_t base, uint64_t len,
	       uint8_t max_size, void (*fn)(void *, struct limen_access *),
	       void *opaque, pthread_mutex_t *lock)
{
	const struct limen_region r = {
		.base = base, .len = len, .max_size = max_size, .fn = fn,
		.opaque = opaque, .lock = lock, .name = name,
	};

	return board_add(b, LIMEN_BUS_MMIO, &r);
}
