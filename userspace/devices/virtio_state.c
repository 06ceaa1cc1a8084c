// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Saving and loading a virtio device. What the rings hold is in guest memory; here is the
 * register file, and how far the device has got in each ring.
 */
#include <string.h>

#include "virtio.h"

#define STATUS_BITS	0xcf

void virtio_hold(struct virtio_dev *dev)
{
	pthread_mutex_lock(&dev->lock);
	dev->paused = true;
	if (dev->ops->drain)
		dev->ops->drain(dev);
	pthread_mutex_unlock(&dev->lock);
}

/* Buffers that are there may have been announced before: look at all queues. */
void virtio_go(struct virtio_dev *dev)
{
	pthread_mutex_lock(&dev->lock);
	dev->paused = false;
	pthread_mutex_unlock(&dev->lock);
	for (uint32_t i = 0; i < dev->ops->nr_queues; i++)
		virtio_signal_fd(dev->kick[i]);
}

static void queue_state(struct virtio_dev *dev, struct virtq *vq, struct state *s)
{
	state_u64(s, &vq->desc_gpa);
	state_u64(s, &vq->avail_gpa);
	state_u64(s, &vq->used_gpa);
	state_u32(s, &vq->num);
	state_bool(s, &vq->ready);
	state_u16(s, &vq->last_avail);
	state_u16(s, &vq->used_idx);
	state_u16(s, &vq->signalled);
	state_bool(s, &vq->signalled_valid);
	if (s->loading && vq->ready && virtq_map(dev, vq))
		s->bad = true;
	if (s->bad)
		vq->ready = false;
}

void virtio_state(struct virtio_dev *dev, struct state *s)
{
	const uint64_t known = dev->offered;

	pthread_mutex_lock(&dev->lock);
	state_same(s, dev->ops->id);
	/* what was offered stays offered, less is not enough */
	state_u64(s, &dev->offered);
	state_u64(s, &dev->accepted);
	state_check(s, !(dev->offered & ~known));
	state_u32(s, &dev->offered_sel);
	state_u32(s, &dev->accepted_sel);
	state_u32(s, &dev->queue_sel);
	state_u32(s, &dev->status);
	state_u32(s, &dev->interrupts);
	state_u32(s, &dev->generation);
	state_check(s, !(dev->status & ~STATUS_BITS));
	for (uint32_t i = 0; i < dev->ops->nr_queues; i++)
		queue_state(dev, &dev->vq[i], s);
	irq_line_state(&dev->irq, s);
	if (dev->ops->state)
		dev->ops->state(dev, s);
	if (s->bad)
		dev->status = 0;
	pthread_mutex_unlock(&dev->lock);
}
