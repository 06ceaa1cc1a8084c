// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ports of QEMU's pc-testdev, for test kernels that were written for it:
 *   0xe0-0xe3      remember what is written, at any width
 *   0xe4-0xe7      page flush: the guest-physical address written there is
 *                  unmapped and mapped again in our address space, so the
 *                  second-level mapping of that page is thrown away
 *   0xe8-0xeb      the same memory as 0xe0, by bytes only
 *   0x2000+n       interrupt line n
 *   0xff000000     64 KiB of device memory
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices.h"

#define IOMEM_BASE	0xff000000u
#define IOMEM_LEN	0x10000

struct byte_window {
	struct testdev *t;
	uint32_t first;
};

struct testdev {
	struct byte_window bytes[2];
	pthread_mutex_t lock;
	struct board *board;
	uint8_t echo[4];
	struct irq_line irq[NR_GSI];
	uint8_t iomem[IOMEM_LEN];
};

static void memory_access(uint8_t *mem, struct limen_access *a)
{
	if (a->write) {
		memcpy(mem + a->addr, &a->data, a->size);
	} else {
		a->data = 0;
		memcpy(&a->data, mem + a->addr, a->size);
	}
}

/* the bus keeps address and size inside the region */
static void echo_access(void *opaque, struct limen_access *a)
{
	struct testdev *t = opaque;

	memory_access(t->echo, a);
}

static void bytes_access(void *opaque, struct limen_access *a)
{
	const struct byte_window *w = opaque;

	a->addr += w->first;
	memory_access(w->t->echo, a);
}

static void iomem_access(void *opaque, struct limen_access *a)
{
	struct testdev *t = opaque;

	memory_access(t->iomem, a);
}

static void flush_access(void *opaque, struct limen_access *a)
{
	struct testdev *t = opaque;
	uint64_t gpa = a->data & ~(uint64_t)(LIMEN_PAGE_SIZE - 1);
	void *page;

	if (!a->write)
		return;
	page = limen_gpa_ptr(t->board->vm, gpa, LIMEN_PAGE_SIZE, true);
	if (!page)
		return;
	(void)mprotect(page, LIMEN_PAGE_SIZE, PROT_NONE);
	(void)mprotect(page, LIMEN_PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void irq_access(void *opaque, struct limen_access *a)
{
	struct testdev *t = opaque;

	if (a->write)
		irq_line_set(&t->irq[a->addr], a->data & 1);
}

int testdev_create(struct board *b, bool debugcon, struct testdev **out)
{
	struct testdev *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->board = b;
	t->bytes[0] = (struct byte_window){ t, 0 };
	t->bytes[1] = (struct byte_window){ t, 2 };
	for (uint32_t i = 0; i < NR_GSI; i++)
		irq_line_init(&t->irq[i], b->irqs, i);
	err = board_ports(b, "testdev-echo", 0xe0, 4, 4, echo_access, t, &t->lock);
	if (!err)
		err = board_ports(b, "testdev-flush", 0xe4, 4, 4, flush_access, t,
				  &t->lock);
	/* Where the debug console is, it keeps its port. */
	if (!err)
		err = board_ports(b, "testdev-bytes", 0xe8, debugcon ? 1 : 4, 1,
				  bytes_access, &t->bytes[0], &t->lock);
	if (!err && debugcon)
		err = board_ports(b, "testdev-bytes", 0xea, 2, 1, bytes_access,
				  &t->bytes[1], &t->lock);
	if (!err)
		err = board_ports(b, "testdev-irq", 0x2000, NR_GSI, 1, irq_access,
				  t, &t->lock);
	if (!err)
		err = board_mmio(b, "testdev-memory", IOMEM_BASE, IOMEM_LEN, 8,
				 iomem_access, t, &t->lock);
	if (err) {
		testdev_destroy(t);
		return err;
	}
	*out = t;
	return 0;
}

void testdev_state(struct testdev *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_bytes(s, dev->echo, sizeof(dev->echo));
	for (uint32_t i = 0; i < NR_GSI; i++)
		irq_line_state(&dev->irq[i], s);
	state_bytes(s, dev->iomem, sizeof(dev->iomem));
	pthread_mutex_unlock(&dev->lock);
}

void testdev_destroy(struct testdev *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}
