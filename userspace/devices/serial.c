// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * COM1: a 16550A UART (PC16550D data sheet) at 0x3f8, ISA interrupt 4. It
 * transmits at once; the line speed is only remembered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

#define COM1		0x3f8
#define FIFO_SIZE	16

#define IER_RDA		0x01	/* received data */
#define IER_THRE	0x02	/* transmitter empty */
#define IER_RLS		0x04	/* line status */
#define IER_MODEM	0x08
#define IIR_NONE	0x01
#define IIR_MODEM	0x00
#define IIR_THRE	0x02
#define IIR_RDA		0x04
#define IIR_RLS		0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFO	0xc0
#define LCR_DLAB	0x80
#define LSR_DR		0x01
#define LSR_OE		0x02
#define LSR_EMPTY	0x60	/* THRE and TEMT */
#define MCR_LOOP	0x10
#define MCR_OUT2	0x08	/* gates the interrupt on a PC */
#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80

struct serial {
	pthread_mutex_t lock;
	struct chardev *chr;
	struct irq_line irq;
	bool input, starved;
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm, msr_delta, overrun;
	bool thre_pending;
	uint8_t fifo[FIFO_SIZE];
	uint32_t head, count;
};

static uint32_t capacity(const struct serial *s)
{
	return s->fcr & 1 ? FIFO_SIZE : 1;
}

static uint32_t trigger(const struct serial *s)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return s->fcr & 1 ? level[s->fcr >> 6] : 1;
}

static uint8_t interrupt_id(const struct serial *s)
{
	if ((s->ier & IER_RLS) && s->overrun)
		return IIR_RLS;
	if ((s->ier & IER_RDA) && s->count >= trigger(s))
		return IIR_RDA;
	/* Below the trigger level a time-out reports the rest; no time passes
	 * between characters here, so it is due at once. */
	if ((s->ier & IER_RDA) && s->count)
		return IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_pending)
		return IIR_THRE;
	if ((s->ier & IER_MODEM) && s->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update(struct serial *s)
{
	irq_line_set(&s->irq, interrupt_id(s) != IIR_NONE &&
		     (s->mcr & MCR_OUT2) && !(s->mcr & MCR_LOOP));
}

static void receive(struct serial *s, uint8_t byte)
{
	if (s->count == capacity(s)) {
		s->overrun = LSR_OE;
		return;
	}
	s->fifo[(s->head + s->count++) % FIFO_SIZE] = byte;
}

static void transmit(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP)
		receive(s, byte);
	else
		chardev_write(s->chr, &byte, 1);
	s->thre_pending = true;
}

static void fifo_drained(struct serial *s)
{
	if (!s->starved || s->count)
		return;
	s->starved = false;
	chardev_resume(s->chr);
}

static uint8_t receive_read(struct serial *s)
{
	uint8_t byte = 0;

	if (s->count) {
		byte = s->fifo[s->head];
		s->head = (s->head + 1) % FIFO_SIZE;
		s->count--;
	}
	fifo_drained(s);
	return byte;
}

static uint8_t modem_status(const struct serial *s)
{
	uint8_t mcr = s->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD | s->msr_delta;
	/* loopback: the outputs come back as inputs */
	return (mcr & 2 ? MSR_CTS : 0) | (mcr & 1 ? MSR_DSR : 0) |
	       (mcr & 4 ? MSR_RI : 0) | (mcr & 8 ? MSR_DCD : 0);
}

static uint8_t reg_read(struct serial *s, uint32_t reg)
{
	uint8_t v;

	switch (reg) {
	case 0:
		return s->lcr & LCR_DLAB ? s->dll : receive_read(s);
	case 1:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case 2:
		v = interrupt_id(s);
		if (v == IIR_THRE)
			s->thre_pending = false;
		return v | (s->fcr & 1 ? IIR_FIFO : 0);
	case 3:
		return s->lcr;
	case 4:
		return s->mcr;
	case 5:
		v = LSR_EMPTY | (s->count ? LSR_DR : 0) | s->overrun;
		s->overrun = 0;
		return v;
	case 6:
		v = modem_status(s);
		s->msr_delta = 0;
		return v;
	default:
		return s->scr;
	}
}

static void reg_write(struct serial *s, uint32_t reg, uint8_t v)
{
	switch (reg) {
	case 0:
		if (s->lcr & LCR_DLAB)
			s->dll = v;
		else
			transmit(s, v);
		break;
	case 1:
		if (s->lcr & LCR_DLAB) {
			s->dlm = v;
			break;
		}
		/* enabling the transmitter's interrupt raises it if empty */
		if ((v & IER_THRE) && !(s->ier & IER_THRE))
			s->thre_pending = true;
		s->ier = v & 0x0f;
		break;
	case 2:
		if ((v ^ s->fcr) & 1 || v & 2) {
			s->count = 0;
			fifo_drained(s);
		}
		s->fcr = v & 0xc9;
		break;
	case 3:
		s->lcr = v;
		break;
	case 4:
		s->mcr = v & 0x1f;
		break;
	case 7:
		s->scr = v;
		break;
	}
}

static void serial_access(void *opaque, struct limen_access *a)
{
	struct serial *s = opaque;

	if (a->write)
		reg_write(s, a->addr, a->data);
	else
		a->data = reg_read(s, a->addr);
	update(s);
}

static size_t serial_room(void *opaque)
{
	struct serial *s = opaque;
	size_t room;

	pthread_mutex_lock(&s->lock);
	room = capacity(s) - s->count;
	if (s->count > capacity(s) || s->mcr & MCR_LOOP)
		room = 0;
	/* Resumed when the guest has read all: it is told once per batch. */
	if (!room)
		s->starved = true;
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void serial_input(void *opaque, const uint8_t *buf, size_t len)
{
	struct serial *s = opaque;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++)
		receive(s, buf[i]);
	update(s);
	pthread_mutex_unlock(&s->lock);
}

int serial_create(struct board *b, struct chardev *chr, bool input,
		  struct serial **out)
{
	struct serial *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->chr = chr;
	s->dll = 1;	/* 115200 */
	s->thre_pending = false;
	irq_line_init(&s->irq, b->irqs, GSI_COM1);
	err = board_ports(b, "com1", COM1, 8, 1, serial_access, s, &s->lock);
	if (err) {
		serial_destroy(s);
		return err;
	}
	if (input)
		chardev_attach(chr, serial_room, serial_input, s);
	*out = s;
	return 0;
}

void serial_state(struct serial *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_u8(s, &dev->ier);
	state_u8(s, &dev->fcr);
	state_u8(s, &dev->lcr);
	state_u8(s, &dev->mcr);
	state_u8(s, &dev->scr);
	state_u8(s, &dev->dll);
	state_u8(s, &dev->dlm);
	state_u8(s, &dev->msr_delta);
	state_u8(s, &dev->overrun);
	state_bool(s, &dev->thre_pending);
	state_bytes(s, dev->fifo, sizeof(dev->fifo));
	state_u32(s, &dev->head);
	state_u32(s, &dev->count);
	state_check(s, dev->head < FIFO_SIZE && dev->count <= FIFO_SIZE &&
		    !(dev->overrun & ~LSR_OE));
	irq_line_state(&dev->irq, s);
	pthread_mutex_unlock(&dev->lock);
}

void serial_destroy(struct serial *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}
