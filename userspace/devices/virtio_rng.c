// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio entropy device (virtio 1.2, "Entropy Device"), from getrandom(). */
#include <stdlib.h>
#include <sys/random.h>

#include "virtio.h"

#define CHUNK	256	/* getrandom() gives this much without interruption */

struct rng {
	struct virtio_dev dev;
	struct virtq_chain chain;
};

static uint32_t fill(const struct virtq_chain *c)
{
	uint8_t buf[CHUNK];
	size_t want = c->len_in < CHUNK ? c->len_in : CHUNK;
	ssize_t n = getrandom(buf, want, 0);

	return n > 0 ? iov_scatter(c->in, c->nr_in, 0, buf, n) : 0;
}

static void rng_notify(struct virtio_dev *dev, uint32_t queue)
{
	struct rng *r = (struct rng *)dev;
	struct virtq *vq = &dev->vq[queue];

	while (virtq_pop(dev, vq, &r->chain) > 0)
		virtq_push(dev, vq, &r->chain, fill(&r->chain));
	virtq_signal(dev, vq);
}

static const struct virtio_ops rng_ops = {
	.id = VIRTIO_TYPE_RNG,
	.nr_queues = 1,
	.notify = rng_notify,
};

struct virtio_dev *virtio_rng_create(struct board *b, uint32_t index)
{
	struct rng *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (virtio_init(&r->dev, b, index, &rng_ops, 0, NULL, 0))
		goto err_free;
	if (!virtio_io_start(&r->dev, virtio_io_thread))
		return &r->dev;
	virtio_fini(&r->dev);
err_free:
	free(r);
	return NULL;
}

void virtio_rng_destroy(struct virtio_dev *dev)
{
	virtio_fini(dev);
	free(dev);
}
