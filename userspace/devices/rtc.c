// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MC146818 real-time clock with the CMOS memory of a PC (ports 0x70 and 0x71,
 * ISA interrupt 8). It keeps UTC: the host's clock plus what the guest set.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "devices.h"

#define REG_A		0x0a
#define REG_B		0x0b
#define REG_C		0x0c
#define REG_D		0x0d
#define A_UIP		0x80
#define B_SET		0x80
#define B_PIE		0x40
#define B_AIE		0x20
#define B_UIE		0x10
#define B_BINARY	0x04
#define B_24H		0x02
#define C_IRQF		0x80
#define C_PF		0x40
#define C_AF		0x20
#define C_UF		0x10
#define UIP_NS		244000	/* set this long before an update */

struct rtc {
	pthread_mutex_t lock;
	struct irq_line irq;
	struct event_loop *loop;
	struct dev_timer periodic, second;
	uint8_t index;
	uint8_t ram[128];
	int64_t offset;		/* guest's clock - host's, seconds */
	int64_t seen;		/* second of the last update that was noticed */
	struct tm set;		/* the time while B_SET stops the clock */
};

static int64_t now(const struct rtc *r, uint32_t *ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ns)
		*ns = ts.tv_nsec;
	return ts.tv_sec + r->offset;
}

static struct tm guest_time(const struct rtc *r)
{
	time_t t = now(r, NULL);
	struct tm tm;

	if (r->ram[REG_B] & B_SET)
		return r->set;
	gmtime_r(&t, &tm);
	return tm;
}

static uint8_t encode(const struct rtc *r, int v)
{
	/* a guest can set a year that has no two digits */
	v = v < 0 ? 0 : v % 100;
	return r->ram[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static int decode(const struct rtc *r, uint8_t v)
{
	return r->ram[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct rtc *r, int hour)
{
	if (r->ram[REG_B] & B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static int decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->ram[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

static void update_irq(struct rtc *r)
{
	uint8_t active = r->ram[REG_C] & r->ram[REG_B] & (C_PF | C_AF | C_UF);

	if (active)
		r->ram[REG_C] |= C_IRQF;
	irq_line_set(&r->irq, active);
}

static bool alarm_field(const struct rtc *r, uint8_t alarm, uint8_t value)
{
	(void)r;
	return (alarm & 0xc0) == 0xc0 || alarm == value;
}

/* what an update of the clock would have done since the last look */
static void notice_update(struct rtc *r)
{
	int64_t t = now(r, NULL);
	struct tm tm = guest_time(r);

	if (t == r->seen || r->ram[REG_B] & B_SET)
		return;
	r->seen = t;
	r->ram[REG_C] |= C_UF;
	if (alarm_field(r, r->ram[1], encode(r, tm.tm_sec)) &&
	    alarm_field(r, r->ram[3], encode(r, tm.tm_min)) &&
	    alarm_field(r, r->ram[5], encode_hour(r, tm.tm_hour)))
		r->ram[REG_C] |= C_AF;
}

static void second_passed(void *opaque)
{
	struct rtc *r = opaque;

	pthread_mutex_lock(&r->lock);
	notice_update(r);
	update_irq(r);
	pthread_mutex_unlock(&r->lock);
}

static void period_passed(void *opaque)
{
	struct rtc *r = opaque;

	pthread_mutex_lock(&r->lock);
	r->ram[REG_C] |= C_PF;
	update_irq(r);
	pthread_mutex_unlock(&r->lock);
}

/* rate select 1 and 2 repeat 8 and 9: 256 and 128 Hz */
static uint64_t period_ns(const struct rtc *r)
{
	uint32_t rs = r->ram[REG_A] & 15;

	if (!rs)
		return 0;
	if (rs <= 2)
		rs += 7;
	return (NS_PER_S << (rs - 1)) / 32768;
}

static void arm(struct rtc *r)
{
	uint64_t period = r->ram[REG_B] & B_PIE ? period_ns(r) : 0;
	bool each_second = r->ram[REG_B] & (B_AIE | B_UIE);
	uint32_t ns;

	timer_set(&r->periodic, period ? clock_ns() + period : 0, period);
	now(r, &ns);
	timer_set(&r->second, each_second ? clock_ns() + NS_PER_S - ns : 0,
		  each_second ? NS_PER_S : 0);
}

static uint8_t reg_read(struct rtc *r, uint8_t reg)
{
	struct tm tm = guest_time(r);
	uint32_t ns;
	uint8_t v;

	switch (reg) {
	case 0: return encode(r, tm.tm_sec);
	case 2: return encode(r, tm.tm_min);
	case 4: return encode_hour(r, tm.tm_hour);
	case 6: return encode(r, tm.tm_wday + 1);
	case 7: return encode(r, tm.tm_mday);
	case 8: return encode(r, tm.tm_mon + 1);
	case 9: return encode(r, tm.tm_year % 100);
	case RTC_CENTURY: return encode(r, tm.tm_year / 100 + 19);
	case REG_A:
		now(r, &ns);
		v = r->ram[REG_A] & ~A_UIP;
		if (ns >= NS_PER_S - UIP_NS && !(r->ram[REG_B] & B_SET))
			v |= A_UIP;
		return v;
	case REG_C:
		notice_update(r);
		v = r->ram[REG_C];
		r->ram[REG_C] = 0;
		update_irq(r);
		return v;
	case REG_D: return 0x80;	/* the battery is good */
	default: return r->ram[reg];
	}
}

/* a clock field; out-of-range values are the guest's own trouble */
static void time_write(struct rtc *r, uint8_t reg, uint8_t v)
{
	struct tm tm = guest_time(r);

	switch (reg) {
	case 0: tm.tm_sec = decode(r, v); break;
	case 2: tm.tm_min = decode(r, v); break;
	case 4: tm.tm_hour = decode_hour(r, v); break;
	case 6: break;			/* follows from the date */
	case 7: tm.tm_mday = decode(r, v); break;
	case 8: tm.tm_mon = decode(r, v) - 1; break;
	case 9: tm.tm_year = tm.tm_year / 100 * 100 + decode(r, v); break;
	case RTC_CENTURY:
		tm.tm_year = (decode(r, v) - 19) * 100 + tm.tm_year % 100;
		break;
	}
	if (r->ram[REG_B] & B_SET)
		r->set = tm;
	else
		r->offset += timegm(&tm) - now(r, NULL);
}

static void reg_write(struct rtc *r, uint8_t reg, uint8_t v)
{
	switch (reg) {
	case 0: case 2: case 4: case 6: case 7: case 8: case 9:
	case RTC_CENTURY:
		time_write(r, reg, v);
		return;
	case REG_A:
		r->ram[REG_A] = v & ~A_UIP;
		arm(r);
		return;
	case REG_B:
		if (v & ~r->ram[REG_B] & B_SET) {
			r->set = guest_time(r);
		} else if (~v & r->ram[REG_B] & B_SET) {
			struct tm tm = r->set;

			r->offset += timegm(&tm) - now(r, NULL);
		}
		if (v & B_SET)
			v &= ~B_UIE;
		r->ram[REG_B] = v;
		arm(r);
		update_irq(r);
		return;
	case REG_C: case REG_D:
		return;
	default:
		r->ram[reg] = v;
	}
}

static void rtc_access(void *opaque, struct limen_access *a)
{
	struct rtc *r = opaque;

	if (a->write && !a->addr)
		r->index = a->data & 0x7f;	/* bit 7 masks NMIs */
	else if (a->write)
		reg_write(r, r->index, a->data);
	else if (a->addr)
		a->data = reg_read(r, r->index);
}

static void put16(struct rtc *r, uint8_t reg, uint64_t v)
{
	if (v > 0xffff)
		v = 0xffff;
	r->ram[reg] = v;
	r->ram[reg + 1] = v >> 8;
}

/* the fields by which old software finds the memory size */
static void fill_memory(struct rtc *r, const struct board *b)
{
	uint64_t kib = b->ram_low >> 10;

	put16(r, 0x15, 640);
	put16(r, 0x17, kib > 1024 ? kib - 1024 : 0);
	put16(r, 0x30, kib > 1024 ? kib - 1024 : 0);
	put16(r, 0x34, kib > 16384 ? (kib - 16384) / 64 : 0);
	put16(r, 0x5b, b->ram_high >> 16 & 0xffff);
	r->ram[0x5d] = b->ram_high >> 32;
	r->ram[0x5f] = b->cpus - 1;
}

int rtc_create(struct board *b, struct rtc **out)
{
	struct rtc *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	r->loop = b->loop;
	r->ram[REG_A] = 0x26;	/* 32768 Hz, 1024 Hz periodic */
	r->ram[REG_B] = B_24H;
	r->seen = now(r, NULL);
	fill_memory(r, b);
	irq_line_init(&r->irq, b->irqs, GSI_RTC);
	err = timer_init(&r->periodic, b->loop, period_passed, r);
	if (!err)
		err = timer_init(&r->second, b->loop, second_passed, r);
	if (!err)
		err = board_ports(b, "rtc", 0x70, 2, 1, rtc_access, r, &r->lock);
	if (err) {
		rtc_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

/* Saved by its own fields: struct tm is the C library's. */
static void tm_state(struct tm *tm, struct state *s)
{
	int *const field[] = { &tm->tm_sec, &tm->tm_min, &tm->tm_hour, &tm->tm_mday,
			       &tm->tm_mon, &tm->tm_year, &tm->tm_wday };

	for (uint32_t i = 0; i < ARRAY_SIZE(field); i++) {
		uint32_t v = *field[i];

		state_u32(s, &v);
		*field[i] = v;
		/* far beyond what registers of two digits make, and no overflow */
		state_check(s, *field[i] > -100000 && *field[i] < 100000);
	}
}

void rtc_hold(struct rtc *dev)
{
	timer_hold(&dev->periodic);
	timer_hold(&dev->second);
}

/* The clock follows the host's, which went on: the next second is another time off. */
void rtc_go(struct rtc *dev)
{
	uint32_t ns;

	timer_go(&dev->periodic);
	now(dev, &ns);
	if (dev->second.left)
		dev->second.left = NS_PER_S - ns;
	timer_go(&dev->second);
}

void rtc_state(struct rtc *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_u8(s, &dev->index);
	state_bytes(s, dev->ram, sizeof(dev->ram));
	state_i64(s, &dev->offset);
	state_i64(s, &dev->seen);
	tm_state(&dev->set, s);
	/* 32 bits of years: gmtime() has an answer, and sums don't overflow */
	state_check(s, dev->index <= 0x7f && dev->offset > -(1ll << 55) &&
		    dev->offset < 1ll << 55);
	irq_line_state(&dev->irq, s);
	timer_state(&dev->periodic, s);
	timer_state(&dev->second, s);
	state_check(s, !dev->periodic.period || dev->periodic.period >= 100000);
	state_check(s, !dev->second.period || dev->second.period == NS_PER_S);
	pthread_mutex_unlock(&dev->lock);
}

void rtc_destroy(struct rtc *r)
{
	if (!r)
		return;
	timer_fini(&r->periodic, r->loop);
	timer_fini(&r->second, r->loop);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
