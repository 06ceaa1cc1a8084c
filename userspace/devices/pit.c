// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An 8254 timer (Intel 231164) as a PC wires it: channel 0 to interrupt 0,
 * channel 2 to the speaker with its gate in port 0x61.
 *
 * Nothing counts: a channel remembers when it was loaded, and its count and
 * output follow from the time that has passed.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices.h"

#define PIT_HZ		1193182ull
#define MIN_PERIOD_NS	50000	/* a guest must not drown the main thread */

#define PORT61_GATE2	0x01
#define PORT61_SPEAKER	0x02
#define PORT61_REFRESH	0x10
#define PORT61_OUT2	0x20

struct channel {
	uint32_t count;		/* 1 to 65536; 10000 in BCD */
	uint64_t start;		/* when it was loaded or triggered, ns */
	uint64_t frozen;	/* ticks while the gate holds it */
	uint8_t mode;		/* 0 to 5 */
	uint8_t rw;		/* 1 low byte, 2 high byte, 3 both */
	bool bcd, gate, loaded;
	bool write_high, read_high;
	uint8_t write_low;
	bool count_latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct pit {
	pthread_mutex_t lock;
	struct event_loop *loop;
	struct irq_line irq;
	struct dev_timer timer;
	struct channel ch[3];
	uint8_t port61;
};

static uint64_t ns_to_ticks(uint64_t ns)
{
	return (unsigned __int128)ns * PIT_HZ / NS_PER_S;
}

/* rounded up: at that time the tick has happened */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ((unsigned __int128)ticks * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

/* modes 0, 2, 3 and 4 stop while the gate is low; in 1 and 5 it triggers */
static bool gate_holds(const struct channel *c)
{
	return !c->gate && c->mode != 1 && c->mode != 5;
}

static uint64_t elapsed(const struct channel *c)
{
	if (gate_holds(c))
		return c->frozen;
	return ns_to_ticks(clock_ns() - c->start);
}

static uint16_t to_bcd(uint32_t v)
{
	return v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12;
}

static uint32_t from_bcd(uint16_t v)
{
	return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 +
	       (v >> 12) * 1000;
}

static uint16_t current_count(const struct channel *c)
{
	uint64_t t = elapsed(c);
	uint32_t range = c->bcd ? 10000 : 65536;
	uint32_t v;

	switch (c->mode) {
	case 2:
		v = c->count - t % c->count;
		break;
	case 3:		/* down by two, twice per period */
		v = c->count - t * 2 % c->count;
		break;
	default:
		v = (c->count + range - t % range) % range;
	}
	return c->bcd ? to_bcd(v) : v;
}

static bool output(const struct channel *c)
{
	uint64_t t = elapsed(c);

	if (!c->loaded)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1: return t >= c->count;
	case 2: return !c->gate || t % c->count != c->count - 1;
	case 3: return !c->gate || t % c->count < (c->count + 1) / 2;
	default: return t != c->count;
	}
}

static void arm(struct pit *p)
{
	struct channel *c = &p->ch[0];
	uint64_t ns = ticks_to_ns(c->count);

	irq_line_set(&p->irq, output(c) && (c->mode == 0 || c->mode == 1));
	if (!c->loaded || c->mode == 1 || c->mode == 5) {
		timer_set(&p->timer, 0, 0);	/* its gate never rises */
	} else if (c->mode == 2 || c->mode == 3) {
		if (ns < MIN_PERIOD_NS)
			ns = MIN_PERIOD_NS;
		timer_set(&p->timer, c->start + ns, ns);
	} else {
		timer_set(&p->timer, c->start + ns, 0);
	}
}

static void channel0_fires(void *opaque)
{
	struct pit *p = opaque;

	pthread_mutex_lock(&p->lock);
	if (p->ch[0].mode == 0)
		irq_line_set(&p->irq, output(&p->ch[0]));
	else
		irq_line_pulse(&p->irq);
	pthread_mutex_unlock(&p->lock);
}

static void load(struct pit *p, int n, uint16_t v)
{
	struct channel *c = &p->ch[n];
	uint32_t range = c->bcd ? 10000 : 65536;

	c->count = c->bcd ? from_bcd(v) : v;
	if (!c->count)
		c->count = range;
	/* 1 is illegal in modes 2 and 3; the next best keeps the maths sound */
	if (c->count == 1 && (c->mode == 2 || c->mode == 3))
		c->count = 2;
	c->start = clock_ns();
	c->frozen = 0;
	c->loaded = true;
	if (n == 0)
		arm(p);
}

static void data_write(struct pit *p, int n, uint8_t v)
{
	struct channel *c = &p->ch[n];

	switch (c->rw) {
	case 1: load(p, n, v); break;
	case 2: load(p, n, v << 8); break;
	default:
		if (c->write_high)
			load(p, n, v << 8 | c->write_low);
		else
			c->write_low = v;
		c->write_high = !c->write_high;
	}
}

static uint8_t data_read(struct channel *c)
{
	uint16_t v;
	bool high;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	v = c->count_latched ? c->latch : current_count(c);
	high = c->rw == 2 || (c->rw == 3 && c->read_high);
	if (c->rw == 3)
		c->read_high = !c->read_high;
	if (c->rw != 3 || high)
		c->count_latched = false;
	return high ? v >> 8 : v;
}

static void latch_count(struct channel *c)
{
	if (c->count_latched)
		return;
	c->latch = current_count(c);
	c->count_latched = true;
}

static void latch_status(struct channel *c)
{
	if (c->status_latched)
		return;
	c->status = (output(c) ? 0x80 : 0) | (c->loaded ? 0 : 0x40) |
		    c->rw << 4 | c->mode << 1 | c->bcd;
	c->status_latched = true;
}

static void control_write(struct pit *p, uint8_t v)
{
	uint32_t n = v >> 6;
	struct channel *c;

	if (n == 3) {			/* read-back; the bits are active low */
		for (int i = 0; i < 3; i++) {
			if (!(v & 2 << i))
				continue;
			if (!(v & 0x20))
				latch_count(&p->ch[i]);
			if (!(v & 0x10))
				latch_status(&p->ch[i]);
		}
		return;
	}
	c = &p->ch[n];
	if (!(v & 0x30)) {
		latch_count(c);
		return;
	}
	c->rw = v >> 4 & 3;
	c->mode = v >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;	/* 6 and 7 are 2 and 3 */
	c->bcd = v & 1;
	c->loaded = false;
	c->write_high = false;
	c->read_high = false;
	c->count_latched = false;
	c->status_latched = false;
	c->start = clock_ns();
	c->frozen = 0;
	if (n == 0)
		arm(p);
}

static void pit_access(void *opaque, struct limen_access *a)
{
	struct pit *p = opaque;

	if (a->addr == 3) {
		if (a->write)
			control_write(p, a->data);
		return;
	}
	if (a->write)
		data_write(p, a->addr, a->data);
	else
		a->data = data_read(&p->ch[a->addr]);
}

static void set_gate(struct channel *c, bool gate)
{
	if (gate == c->gate)
		return;
	if (!gate) {
		c->frozen = elapsed(c);
	} else if (c->mode == 0 || c->mode == 4) {
		c->start = clock_ns() - ticks_to_ns(c->frozen);
	} else {	/* a rising gate starts the others anew */
		c->start = clock_ns();
	}
	c->gate = gate;
}

/* Port 0x61, "NMI status and control": speaker, gate, and a bit that toggles
 * with the memory refresh (about 15 us), on which old code waits. */
static void port61_access(void *opaque, struct limen_access *a)
{
	struct pit *p = opaque;

	if (a->write) {
		p->port61 = a->data & 0x0f;
		set_gate(&p->ch[2], p->port61 & PORT61_GATE2);
		return;
	}
	a->data = p->port61 | (output(&p->ch[2]) ? PORT61_OUT2 : 0);
	if (clock_ns() / 15085 & 1)
		a->data |= PORT61_REFRESH;
}

int pit_create(struct board *b, struct pit **out)
{
	struct pit *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	p->loop = b->loop;
	for (int i = 0; i < 3; i++)
		p->ch[i] = (struct channel){
			.count = 65536, .mode = 3, .rw = 3, .gate = i != 2,
			.start = clock_ns(),
		};
	irq_line_init(&p->irq, b->irqs, GSI_PIT);
	err = timer_init(&p->timer, b->loop, channel0_fires, p);
	if (!err)
		err = board_ports(b, "pit", 0x40, 4, 1, pit_access, p, &p->lock);
	if (!err)
		err = board_ports(b, "port61", 0x61, 1, 1, port61_access, p,
				  &p->lock);
	if (err) {
		pit_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

static void channel_state(struct channel *c, struct state *s)
{
	state_u32(s, &c->count);
	state_u64(s, &c->start);
	state_u64(s, &c->frozen);
	state_u8(s, &c->mode);
	state_u8(s, &c->rw);
	state_bool(s, &c->bcd);
	state_bool(s, &c->gate);
	state_bool(s, &c->loaded);
	state_bool(s, &c->write_high);
	state_bool(s, &c->read_high);
	state_u8(s, &c->write_low);
	state_bool(s, &c->count_latched);
	state_bool(s, &c->status_latched);
	state_u16(s, &c->latch);
	state_u8(s, &c->status);
	state_check(s, c->count >= 1 && c->count <= 65536 && c->mode <= 5 &&
		    c->rw >= 1 && c->rw <= 3);
	/* what load() sees to */
	state_check(s, c->count > 1 || (c->mode != 2 && c->mode != 3));
}

void pit_hold(struct pit *dev)
{
	timer_hold(&dev->timer);
}

void pit_go(struct pit *dev)
{
	timer_go(&dev->timer);
}

void pit_state(struct pit *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	for (uint32_t i = 0; i < ARRAY_SIZE(dev->ch); i++)
		channel_state(&dev->ch[i], s);
	state_u8(s, &dev->port61);
	irq_line_state(&dev->irq, s);
	timer_state(&dev->timer, s);
	state_check(s, !dev->timer.period || dev->timer.period >= MIN_PERIOD_NS);
	pthread_mutex_unlock(&dev->lock);
}

void pit_destroy(struct pit *p)
{
	if (!p)
		return;
	timer_fini(&p->timer, p->loop);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
