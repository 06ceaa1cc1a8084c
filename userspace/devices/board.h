/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device model is plugged into.
 *
 * Locks, in this order; a thread that holds one may only take later ones:
 *   1. a device's own lock (the bus takes it around the handlers of a region)
 *   2. irqchip.lock
 *   3. inside liblimen: ranges, bus; and the kernel
 * Callbacks from the event loop run in the main thread with no lock held.
 */
#ifndef LIMEN_BOARD_H
#define LIMEN_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <liblimen.h>

#include "state.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NS_PER_S	1000000000ull

/* ---- event loop (event_loop.c) -------------------------------------------- */

struct event_loop;

struct event_source {
	int fd;
	void (*fn)(void *opaque);
	void *opaque;
};

int event_loop_create(struct event_loop **out);
void event_loop_destroy(struct event_loop *loop);
/* @src must outlive the loop or be removed; the fd is watched for input */
int event_add(struct event_loop *loop, struct event_source *src);
void event_remove(struct event_loop *loop, struct event_source *src);
/* from any thread */
void event_enable(struct event_loop *loop, struct event_source *src, bool on);
/* call the handlers of what is ready, waiting for it if nothing is */
int event_wait(struct event_loop *loop);

/* ---- timers ---------------------------------------------------------------- */

struct dev_timer {
	struct event_source src;
	void (*fn)(void *opaque);
	void *opaque;
	/* while the machine stands still: what is left, 0 is disarmed; and whether the
	 * handler still has to be called for what is over */
	uint64_t left, period;
	bool due;
};

/*
 * The machine's clock, ns. It is the host's CLOCK_MONOTONIC moved by the time in which the
 * machine stood still, in this process or saved in a file.
 */
uint64_t clock_ns(void);
/* while it is stopped it may be set */
void clock_stop(void);
void clock_set(uint64_t ns);
void clock_go(void);
uint64_t host_clock_ns(void);
int timer_init(struct dev_timer *t, struct event_loop *loop,
	       void (*fn)(void *opaque), void *opaque);
void timer_fini(struct dev_timer *t, struct event_loop *loop);
/* First shot at @at (of clock_ns()), then every @period ns if that is not
 * 0. From any thread. @at 0 disarms. */
void timer_set(struct dev_timer *t, uint64_t at, uint64_t period);
/* main thread, nobody else uses the timer: take it out of time, and back */
void timer_hold(struct dev_timer *t);
void timer_go(struct dev_timer *t);
void timer_state(struct dev_timer *t, struct state *s);

/* ---- interrupt lines (irqchip.c) ------------------------------------------- */

#define NR_GSI		24
#define GSI_PIT		0
#define GSI_COM1	4
#define GSI_RTC		8
#define GSI_SCI		9
#define GSI_VIRTIO	16	/* and up */
#define NR_GSI_VIRTIO	8

struct irqchip;

/*
 * One device's wire to an interrupt input; inputs are wired OR. A line with an
 * eventfd is more than a wire while its input is edge-triggered: each of its own
 * rising edges is a message, whoever else holds the input, and one that rose while
 * the input was masked is sent when it no longer is.
 */
struct irq_line {
	struct irqchip *chip;
	uint32_t gsi;
	bool level;
	int fd;			/* eventfd, -1: none */
	bool open;		/* edge-triggered and not masked */
	bool routed;		/* open, and the module turns signals of fd into @addr, @data */
	uint64_t addr;
	uint32_t data;
	struct irq_line *next;	/* that has an eventfd */
};

void irq_line_init(struct irq_line *line, struct irqchip *chip, uint32_t gsi);
/* give it an eventfd, which the module makes messages of (LIMEN_IRQFD); without
 * that call in the module we send them */
int irq_line_eventfd(struct irq_line *line);
void irq_line_fini(struct irq_line *line);
void irq_line_set(struct irq_line *line, bool level);
void irq_line_pulse(struct irq_line *line);
/* loading gives the input its level without an interrupt: after irqchip_state() */
void irq_line_state(struct irq_line *line, struct state *s);

/* ---- the board ------------------------------------------------------------- */

enum board_end {
	BOARD_RUNS,
	BOARD_POWER_OFF,	/* ACPI S5 */
	BOARD_RESET,		/* any of the reset ports */
	BOARD_DEBUG_EXIT,	/* port 0xf4; code is what was written */
	BOARD_QUIT,		/* the user's escape key */
};

struct board {
	struct limen_vm *vm;
	struct limen_bus *bus;
	struct irqchip *irqs;
	struct event_loop *loop;
	uint64_t ram_low;	/* bytes below 4 GiB */
	uint64_t ram_high;	/* bytes from 4 GiB up */
	uint32_t cpus;
	atomic_bool ending;	/* set once the machine is going down */
	/* from any thread, with a device's lock held; the first call counts */
	void (*end)(struct board *b, enum board_end why, uint32_t code);
};

/* add a region whose handler runs under @lock; fails loudly: the ranges of the
 * board are fixed, an overlap is a mistake in it */
int board_ports(struct board *b, const char *name, uint16_t base, uint16_t len,
		uint8_t max_size, void (*fn)(void *, struct limen_access *),
		void *opaque, pthread_mutex_t *lock);
int board_mmio(struct board *b, const char *name, uint64_t base, uint64_t len,
	       uint8_t max_size, void (*fn)(void *, struct limen_access *),
	       void *opaque, pthread_mutex_t *lock);

#endif
