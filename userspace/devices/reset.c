// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ways by which software resets a PC: port 0xcf9, port 0x92, and the pulse
 * of the keyboard controller, of which nothing else is here: its status reads
 * as 0, so nobody waits for it. The PCI configuration ports around 0xcf9 answer
 * all ones: there is no PCI.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices.h"

#define CF9_RESET	0x04
#define PORT92_RESET	0x01
#define PORT92_A20	0x02
#define KBC_PULSE	0xf0	/* 0xf0 to 0xff; bit 0 low pulses the reset line */

struct reset {
	pthread_mutex_t lock;
	struct board *board;
	uint8_t cf9;
};

static void request(struct reset *r)
{
	r->board->end(r->board, BOARD_RESET, 0);
}

/* Only a byte access reaches 0xcf9; a wider one is the PCI address register. */
static void config_access(void *opaque, struct limen_access *a)
{
	struct reset *r = opaque;

	if (a->addr != RESET_PORT - 0xcf8 || a->size != 1)
		return;		/* reads give the all ones they came with */
	if (!a->write) {
		a->data = r->cf9;
		return;
	}
	if (a->data & ~r->cf9 & CF9_RESET)
		request(r);
	r->cf9 = a->data & ~CF9_RESET;
}

static void port92_access(void *opaque, struct limen_access *a)
{
	if (!a->write)
		a->data = PORT92_A20;
	else if (a->data & PORT92_RESET)
		request(opaque);
}

static void keyboard_access(void *opaque, struct limen_access *a)
{
	if (!a->write)
		a->data = 0;
	else if ((a->data & 0xf0) == KBC_PULSE && !(a->data & 1))
		request(opaque);
}

static void keyboard_data(void *opaque, struct limen_access *a)
{
	(void)opaque;
	if (!a->write)
		a->data = 0;
}

int reset_create(struct board *b, struct reset **out)
{
	struct reset *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	r->board = b;
	err = board_ports(b, "pci-config", 0xcf8, 8, 4, config_access, r, &r->lock);
	if (!err)
		err = board_ports(b, "port92", 0x92, 1, 1, port92_access, r,
				  &r->lock);
	if (!err)
		err = board_ports(b, "i8042", 0x64, 1, 1, keyboard_access, r,
				  &r->lock);
	if (!err)
		err = board_ports(b, "i8042", 0x60, 1, 1, keyboard_data, r,
				  &r->lock);
	if (err) {
		reset_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

void reset_state(struct reset *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_u8(s, &dev->cf9);
	pthread_mutex_unlock(&dev->lock);
}

void reset_destroy(struct reset *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}
