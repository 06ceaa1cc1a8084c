// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio network device (virtio 1.2, "Network Device") without offloads. One
 * thread serves both directions and is the only one that calls the backend.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "net.h"

#define QUEUE_LEN	256
#define HDR_LEN		sizeof(struct virtio_net_hdr_v1)

enum { RECEIVE, TRANSMIT };

#define OWN_FDS		3	/* two queues, and wake */

struct frame {
	uint32_t len;
	uint8_t data[NET_MAX_FRAME];
};

struct nic {
	struct virtio_dev dev;
	struct net_backend *backend;
	struct virtio_net_config config;
	/* the thread's */
	struct virtq_chain chain;
	struct frame queue[QUEUE_LEN];	/* to the guest */
	uint32_t head, count;
	struct pollfd fds[OWN_FDS + NET_MAX_FDS];
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
		virtq_push(&nic->dev, vq, c, written);
		nic->head = (nic->head + 1) % QUEUE_LEN;
		nic->count--;
	}
	if (!nic->dev.paused)
		virtq_signal(&nic->dev, vq);
	pthread_mutex_unlock(&nic->dev.lock);
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
			virtq_push(&nic->dev, vq, c, 0);
		}
		if (!nic->dev.paused)
			virtq_signal(&nic->dev, vq);
		pthread_mutex_unlock(&nic->dev.lock);
		/* the backend may call net_receive(): without the lock */
		if (len)
			nic->backend->send(nic->backend, frame, len);
	}
	if (more)
		virtio_signal_fd(nic->dev.wake);
}

static void *nic_thread(void *opaque)
{
	struct nic *nic = opaque;
	struct virtio_dev *dev = &nic->dev;

	while (!atomic_load(&dev->stop)) {
		const int own[OWN_FDS] = { dev->kick[0], dev->kick[1], dev->wake };
		int timeout = 1000;
		uint32_t n = 0;

		for (int i = 0; i < OWN_FDS; i++)
			nic->fds[i] = (struct pollfd){ .fd = own[i], .events = POLLIN };
		/* with a full queue the backend waits: no frame is lost */
		if (nic->count < QUEUE_LEN / 2)
			n = nic->backend->prepare(nic->backend, nic->fds + OWN_FDS,
						  NET_MAX_FDS, &timeout);
		if (poll(nic->fds, OWN_FDS + n, timeout) < 0)
			continue;
		dev->kicks += virtio_take_fd(dev->kick[0]) + virtio_take_fd(dev->kick[1]);
		virtio_take_fd(dev->wake);
		if (nic->count < QUEUE_LEN / 2)
			nic->backend->dispatch(nic->backend, nic->fds + OWN_FDS, n);
		flush_transmit(nic);
		flush_receive(nic);
	}
	return NULL;
}

/* Frames that wait for the guest are left behind: a wire may lose them. */
static void nic_state(struct virtio_dev *dev, struct state *s)
{
	struct nic *nic = (struct nic *)dev;

	state_bytes(s, nic->config.mac, sizeof(nic->config.mac));
}

static const struct virtio_ops nic_ops = {
	.id = VIRTIO_TYPE_NET,
	.nr_queues = 2,
	.state = nic_state,
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
	*err = virtio_init(&nic->dev, b, index, &nic_ops, features, &nic->config,
			   sizeof(nic->config));
	if (*err)
		goto err_free;
	*err = virtio_io_start(&nic->dev, nic_thread);
	if (!*err)
		return &nic->dev;
	virtio_fini(&nic->dev);
err_free:
	free(nic);
err_backend:
	backend->destroy(backend);
	return NULL;
}

void virtio_net_destroy(struct virtio_dev *dev)
{
	struct nic *nic = (struct nic *)dev;

	virtio_io_stop(dev);
	nic->backend->destroy(nic->backend);
	virtio_fini(dev);
	free(nic);
}
