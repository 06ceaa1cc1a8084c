// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The I/O thread of a virtio device and the eventfds that wake it: one a queue,
 * signalled by the guest's write of the queue's number to QueueNotify.
 */
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio.h"

void virtio_signal_fd(int fd)
{
	const uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;	/* fails only if it was signalled 2^64 - 2 times */
}

uint64_t virtio_take_fd(int fd)
{
	uint64_t v;

	return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

/* An older module does not have the call: then each notification is an exit. */
static int add_kick(struct virtio_dev *dev, uint32_t queue)
{
	const uint64_t match = queue;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	dev->kick[queue] = fd;
	err = limen_ioeventfd_assign(dev->board->vm, LIMEN_BUS_MMIO,
				     dev->base + VIRTIO_MMIO_QUEUE_NOTIFY, 4, &match,
				     fd);
	return err == -ENOTTY ? 0 : err;
}

int virtio_io_init(struct virtio_dev *dev)
{
	int err = 0;

	for (int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		dev->kick[i] = -1;
	dev->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dev->wake < 0)
		return -errno;
	for (uint32_t i = 0; !err && i < dev->ops->nr_queues; i++)
		err = add_kick(dev, i);
	return err;
}

void virtio_io_fini(struct virtio_dev *dev)
{
	/* nobody runs the guest any more: the module forgets them with the VM */
	for (int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		if (dev->kick[i] >= 0)
			close(dev->kick[i]);
	if (dev->wake >= 0)
		close(dev->wake);
}

static void serve(struct virtio_dev *dev, uint32_t queue)
{
	uint64_t n = virtio_take_fd(dev->kick[queue]);

	if (!n)
		return;
	pthread_mutex_lock(&dev->lock);
	dev->kicks += n;
	if (virtio_is_live(dev) && !dev->paused && dev->ops->notify)
		dev->ops->notify(dev, queue);
	pthread_mutex_unlock(&dev->lock);
}

void *virtio_io_thread(void *opaque)
{
	struct virtio_dev *dev = opaque;
	uint32_t n = dev->ops->nr_queues;
	struct pollfd fds[VIRTIO_MAX_QUEUES + 1];

	for (uint32_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = dev->kick[i], .events = POLLIN };
	fds[n] = (struct pollfd){ .fd = dev->wake, .events = POLLIN };
	while (!atomic_load(&dev->stop)) {
		if (poll(fds, n + 1, -1) < 0)
			continue;
		virtio_take_fd(dev->wake);
		for (uint32_t i = 0; i < n; i++)
			serve(dev, i);
	}
	return NULL;
}

int virtio_io_start(struct virtio_dev *dev, void *(*fn)(void *))
{
	int err = -pthread_create(&dev->thread, NULL, fn, dev);

	dev->has_thread = !err;
	return err;
}

void virtio_io_stop(struct virtio_dev *dev)
{
	if (!dev->has_thread)
		return;
	atomic_store(&dev->stop, true);
	virtio_signal_fd(dev->wake);
	pthread_join(dev->thread, NULL);
	dev->has_thread = false;
}
