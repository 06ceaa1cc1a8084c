// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio network device (virtio 1.2, "Network Device") without offloads. One
 * thread serves both directions and is the only one that calls the backend;
 * a notification of the guest wakes it through an eventfd.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "net.h"

#define QUEUE_LEN	256
#define HDR_LEN		sizeof(struct virtio_net_hdr_v1)

enum { RECEIVE, TRANSMIT };

struct frame {
	uint32_t len;
	uint8_t data[NET_MAX_FRAME];
};

struct nic {
	struct virtio_dev dev;
	struct net_backend *backend;
	struct virtio_net_config config;
	pthread_t thread;
	int wake;
	atomic_bool stop;
	/* the thread's */
	struct virtq_chain chain;
	struct frame queue[QUEUE_LEN];	/* to the guest */
	uint32_t head, count;
	struct pollfd fds[NET_MAX_FDS + 1];
};

void net_receive(struct net_backend *n, const void *frame, size_t len)
{
	struct nic *nic = (struct nic *)n->nic;
	struct frame *f;

	if (len > NET_MAX_FRAME || nic->count == QUEUE_LEN)
		return;
	f = &nic->queue[(nic->head + nic->count++) % QUEUE_LEN];
	f->len = len;
	memcpy(f->data, frame, len);
}

/* hand queued frames to the guest while it has buffers */
static void flush_receive(struct nic *nic)
{
	struct virtq *vq = &nic->dev.vq[RECEIVE];
	const struct virtio_net_hdr_v1 hdr = { .num_buffers = htole16(1) };

	pthread_mutex_lock(&nic->dev.lock);
	if (!virtio_is_live(&nic->dev))
		nic->count = 0;		/* nobody is there: the wire drops */
	while (nic->count && virtq_pop(&nic->dev, vq, &nic->chain) > 0) {
		const struct frame *f = &nic->queue[nic->head];
		struct virtq_chain *c = &nic->chain;
		uint32_t written = 0;

		/* a buffer that is too small gets nothing of the frame */
		if (c->len_in >= HDR_LEN + f->len) {
			iov_scatter(c->in, c->nr_in, 0, &hdr, HDR_LEN);
			iov_scatter(c->in, c->nr_in, HDR_LEN, f->data, f->len);
			written = HDR_LEN + f->len;
		}
		virtq_push(&nic->dev, vq, c->head, written);
		nic->head = (nic->head + 1) % QUEUE_LEN;
		nic->count--;
	}
	virtq_signal(&nic->dev, vq);
	pthread_mutex_unlock(&nic->dev.lock);
}

static void wake(struct nic *nic)
{
	const uint64_t one = 1;
	ssize_t n = write(nic->wake, &one, sizeof(one));

	(void)n;	/* can only fail when it is awake a million times over */
}

static void flush_transmit(struct nic *nic)
{
	struct virtq *vq = &nic->dev.vq[TRANSMIT];
	uint8_t frame[NET_MAX_FRAME];
	bool more = true;

	/* a turn is bounded: the other direction wants its own */
	for (int i = 0; more && i < QUEUE_LEN; i++) {
		struct virtq_chain *c = &nic->chain;
		size_t len = 0;

		pthread_mutex_lock(&nic->dev.lock);
		more = virtq_pop(&nic->dev, vq, c) > 0;
		if (more) {
			len = iov_gather(c->out, c->nr_out, HDR_LEN, frame,
					 sizeof(frame));
			virtq_push(&nic->dev, vq, c->head, 0);
		}
		virtq_signal(&nic->dev, vq);
		pthread_mutex_unlock(&nic->dev.lock);
		/* the backend may call net_receive(): without the lock */
		if (len)
			nic->backend->send(nic->backend, frame, len);
	}
	if (more)
		wake(nic);
}

static void *nic_thread(void *opaque)
{
	struct nic *nic = opaque;

	while (!atomic_load(&nic->stop)) {
		int timeout = 1000;
		uint32_t n = 0;
		uint64_t v;

		nic->fds[0] = (struct pollfd){ .fd = nic->wake, .events = POLLIN };
		/* with a full queue the backend waits: no frame is lost */
		if (nic->count < QUEUE_LEN / 2)
			n = nic->backend->prepare(nic->backend, nic->fds + 1,
						  NET_MAX_FDS, &timeout);
		if (poll(nic->fds, n + 1, timeout) < 0)
			continue;
		if (nic->fds[0].revents && read(nic->wake, &v, sizeof(v)) < 0)
			continue;
		if (nic->count < QUEUE_LEN / 2)
			nic->backend->dispatch(nic->backend, nic->fds + 1, n);
		flush_transmit(nic);
		flush_receive(nic);
	}
	return NULL;
}

static void nic_notify(struct virtio_dev *dev, uint32_t queue)
{
	(void)queue;
	wake((struct nic *)dev);
}

static const struct virtio_ops nic_ops = {
	.id = VIRTIO_TYPE_NET,
	.nr_queues = 2,
	.notify = nic_notify,
};

/* locally administered, unicast; random so that two guests on one tap bridge
 * don't meet */
static void make_mac(uint8_t *mac)
{
	static const uint8_t fallback[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	memcpy(mac, fallback, sizeof(fallback));
	if (getrandom(mac + 3, 3, 0) != 3)
		memcpy(mac, fallback, sizeof(fallback));
}

struct virtio_dev *virtio_net_create(struct board *b, uint32_t index,
				     struct net_backend *backend, int *err)
{
	uint64_t features = 1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS;
	struct nic *nic = calloc(1, sizeof(*nic));

	*err = -ENOMEM;
	if (!nic)
		goto err_backend;
	nic->backend = backend;
	backend->nic = &nic->dev;
	make_mac(nic->config.mac);
	nic->config.status = htole16(VIRTIO_NET_S_LINK_UP);
	nic->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (nic->wake < 0) {
		*err = -errno;
		goto err_free;
	}
	*err = virtio_init(&nic->dev, b, index, &nic_ops, features, &nic->config,
			   sizeof(nic->config));
	if (!*err)
		*err = -pthread_create(&nic->thread, NULL, nic_thread, nic);
	if (!*err)
		return &nic->dev;
	close(nic->wake);
err_free:
	free(nic);
err_backend:
	backend->destroy(backend);
	return NULL;
}

void virtio_net_destroy(struct virtio_dev *dev)
{
	struct nic *nic = (struct nic *)dev;

	atomic_store(&nic->stop, true);
	wake(nic);
	pthread_join(nic->thread, NULL);
	nic->backend->destroy(nic->backend);
	close(nic->wake);
	virtio_fini(dev);
	free(nic);
}
