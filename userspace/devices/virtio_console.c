// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio console with one port (virtio 1.2, "Console Device"). Output is
 * written in the I/O thread; input comes from the main thread, as much as
 * the guest has buffers for.
 */
#include <errno.h>
#include <stdlib.h>

#include "virtio.h"

enum { RECEIVE, TRANSMIT };

struct console {
	struct virtio_dev dev;	/* first: the type's objects are the device */
	struct chardev *chr;
	struct virtq_chain rx, tx;
	bool have_rx;		/* rx is popped and waits for input */
};

/* the size of the terminal is not offered, so the guest doesn't ask for it */
static const uint8_t config[8] = { 0 };

static void transmit(struct console *c)
{
	struct virtq *vq = &c->dev.vq[TRANSMIT];

	while (virtq_pop(&c->dev, vq, &c->tx) > 0) {
		for (uint32_t i = 0; i < c->tx.nr_out; i++)
			chardev_write(c->chr, c->tx.out[i].iov_base,
				      c->tx.out[i].iov_len);
		virtq_push(&c->dev, vq, &c->tx, 0);
	}
	virtq_signal(&c->dev, vq);
}

static void console_notify(struct virtio_dev *dev, uint32_t queue)
{
	struct console *c = (struct console *)dev;

	if (queue == TRANSMIT)
		transmit(c);
	else
		chardev_resume(c->chr);
}

static void console_reset(struct virtio_dev *dev)
{
	((struct console *)dev)->have_rx = false;
}

static size_t console_room(void *opaque)
{
	struct console *c = opaque;
	size_t room = 0;

	pthread_mutex_lock(&c->dev.lock);
	if (!c->have_rx)
		c->have_rx = virtq_pop(&c->dev, &c->dev.vq[RECEIVE], &c->rx) > 0;
	if (c->have_rx)
		room = c->rx.len_in;
	pthread_mutex_unlock(&c->dev.lock);
	return room;
}

static void console_input(void *opaque, const uint8_t *buf, size_t len)
{
	struct console *c = opaque;

	pthread_mutex_lock(&c->dev.lock);
	/* a reset in between takes the buffer away: the input is lost, as on a
	 * line that is unplugged */
	if (c->have_rx && virtio_is_live(&c->dev)) {
		size_t n = iov_scatter(c->rx.in, c->rx.nr_in, 0, buf, len);

		virtq_push(&c->dev, &c->dev.vq[RECEIVE], &c->rx, n);
		virtq_signal(&c->dev, &c->dev.vq[RECEIVE]);
		c->have_rx = false;
	}
	pthread_mutex_unlock(&c->dev.lock);
}

/* A buffer that waits for input goes back into its queue: nobody has seen it gone. */
static void console_drain(struct virtio_dev *dev)
{
	struct console *c = (struct console *)dev;

	if (c->have_rx)
		dev->vq[RECEIVE].last_avail--;
	c->have_rx = false;
}

static const struct virtio_ops console_ops = {
	.id = VIRTIO_TYPE_CONSOLE,
	.nr_queues = 2,
	.notify = console_notify,
	.reset = console_reset,
	.drain = console_drain,
};

struct virtio_dev *virtio_console_create(struct board *b, uint32_t index,
					 struct chardev *chr)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->chr = chr;
	if (virtio_init(&c->dev, b, index, &console_ops, 0, config,
			sizeof(config)))
		goto err_free;
	if (!virtio_io_start(&c->dev, virtio_io_thread)) {
		chardev_attach(chr, console_room, console_input, c);
		return &c->dev;
	}
	virtio_fini(&c->dev);
err_free:
	free(c);
	return NULL;
}

void virtio_console_destroy(struct virtio_dev *dev)
{
	virtio_fini(dev);
	free(dev);
}
