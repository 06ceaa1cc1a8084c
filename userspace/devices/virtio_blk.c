// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio block device (virtio 1.2, "Block Device") on a raw file or a block
 * device of the host. The I/O thread answers requests in order, without the
 * device's lock while it reads or writes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio.h"

#define SECTOR		512
#define ID_LEN		20	/* VIRTIO_BLK_ID_BYTES */

struct blk {
	struct virtio_dev dev;
	int fd;
	bool read_only;
	uint64_t size;
	struct virtio_blk_config config;
	char id[ID_LEN];
	pthread_cond_t idle;	/* from the thread: busy became false */
	bool busy;
	struct virtq_chain chain;	/* the thread's */
};

/* Cut @n bytes from an iovec array, after @skip. Returns the new count. */
static int cut(const struct iovec *iov, uint32_t count, size_t skip, size_t n,
	       struct iovec *out)
{
	int used = 0;

	for (uint32_t i = 0; i < count && n; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > n)
			len = n;
		out[used].iov_base = (uint8_t *)iov[i].iov_base + skip;
		out[used++].iov_len = len;
		n -= len;
		skip = 0;
	}
	return used;
}

static uint8_t transfer(struct blk *b, bool write, uint64_t sector,
			const struct iovec *iov, uint32_t count, size_t skip,
			uint64_t len)
{
	struct iovec part[VIRTQ_MAX_SEGS];
	uint64_t done = 0, pos;

	if (len % SECTOR || sector > b->size / SECTOR ||
	    len > b->size - sector * SECTOR)
		return VIRTIO_BLK_S_IOERR;
	pos = sector * SECTOR;
	while (done < len) {
		int n = cut(iov, count, skip + done, len - done, part);
		ssize_t ret = write ? pwritev(b->fd, part, n, pos + done) :
				      preadv(b->fd, part, n, pos + done);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return VIRTIO_BLK_S_IOERR;
		done += ret;
	}
	return VIRTIO_BLK_S_OK;
}

/* The request's own length fields don't exist: it is as long as its buffers,
 * less the 16-byte header in front and the status byte at the end. */
static uint32_t serve(struct blk *b, struct virtq_chain *c)
{
	struct virtio_blk_outhdr hdr;
	uint64_t room, sector;
	uint32_t written = 0;
	uint8_t status = VIRTIO_BLK_S_UNSUPP;

	if (iov_gather(c->out, c->nr_out, 0, &hdr, sizeof(hdr)) != sizeof(hdr) ||
	    !c->len_in)
		return 0;
	room = c->len_in - 1;
	sector = le64toh(hdr.sector);
	switch (le32toh(hdr.type)) {
	case VIRTIO_BLK_T_IN:
		status = transfer(b, false, sector, c->in, c->nr_in, 0, room);
		written = room;
		break;
	case VIRTIO_BLK_T_OUT:
		status = VIRTIO_BLK_S_IOERR;
		if (!b->read_only)
			status = transfer(b, true, sector, c->out, c->nr_out,
					  sizeof(hdr), c->len_out - sizeof(hdr));
		break;
	case VIRTIO_BLK_T_FLUSH:
		status = fdatasync(b->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
		break;
	case VIRTIO_BLK_T_GET_ID:
		written = room < ID_LEN ? room : ID_LEN;
		iov_scatter(c->in, c->nr_in, 0, b->id, written);
		status = VIRTIO_BLK_S_OK;
		break;
	}
	iov_scatter(c->in, c->nr_in, room, &status, 1);
	return written + 1;
}

static void blk_notify(struct virtio_dev *dev, uint32_t queue)
{
	struct blk *b = (struct blk *)dev;
	struct virtq *vq = &dev->vq[queue];

	while (!atomic_load(&dev->stop) && virtq_pop(dev, vq, &b->chain) > 0) {
		uint32_t written;

		b->busy = true;
		pthread_mutex_unlock(&b->dev.lock);
		written = serve(b, &b->chain);
		pthread_mutex_lock(&b->dev.lock);
		b->busy = false;
		pthread_cond_broadcast(&b->idle);
		/* after a reset the device is not live and this does nothing */
		virtq_push(&b->dev, vq, &b->chain, written);
		virtq_signal(&b->dev, vq);
	}
}

/* A reset, and a stop, is done when no buffer is in use any more. */
static void blk_reset(struct virtio_dev *dev)
{
	struct blk *b = (struct blk *)dev;

	while (b->busy)
		pthread_cond_wait(&b->idle, &dev->lock);
}

/* The file itself is not saved: only that it is the same kind of disk is sure. */
static void blk_state(struct virtio_dev *dev, struct state *s)
{
	struct blk *b = (struct blk *)dev;

	state_same(s, b->size);
	state_same(s, b->read_only);
	state_bytes(s, b->id, sizeof(b->id));
}

static const struct virtio_ops blk_ops = {
	.id = VIRTIO_TYPE_BLOCK,
	.nr_queues = 1,
	.notify = blk_notify,
	.reset = blk_reset,
	.drain = blk_reset,
	.state = blk_state,
};

static int file_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*size = st.st_size;
	return 0;
}

struct virtio_dev *virtio_blk_create(struct board *board, uint32_t index,
				     int fd, bool read_only, int *err)
{
	uint64_t features = 1ull << VIRTIO_BLK_F_SEG_MAX |
			    1ull << VIRTIO_BLK_F_BLK_SIZE |
			    1ull << VIRTIO_BLK_F_FLUSH |
			    (read_only ? 1ull << VIRTIO_BLK_F_RO : 0);
	struct blk *b = calloc(1, sizeof(*b));

	*err = -ENOMEM;
	if (!b)
		return NULL;
	b->fd = fd;
	b->read_only = read_only;
	*err = file_size(fd, &b->size);
	if (*err)
		goto err_free;
	b->size -= b->size % SECTOR;
	b->config.capacity = htole64(b->size / SECTOR);
	b->config.seg_max = htole32(VIRTQ_MAX - 2);
	b->config.blk_size = htole32(SECTOR);
	memcpy(b->id, "limen-disk-", 11);
	b->id[11] = '0' + index / 10;
	b->id[12] = '0' + index % 10;
	pthread_cond_init(&b->idle, NULL);
	*err = virtio_init(&b->dev, board, index, &blk_ops, features, &b->config,
			   sizeof(b->config));
	if (*err)
		goto err_free;
	*err = virtio_io_start(&b->dev, virtio_io_thread);
	if (!*err)
		return &b->dev;
	virtio_fini(&b->dev);
err_free:
	free(b);
	return NULL;
}

void virtio_blk_destroy(struct virtio_dev *dev)
{
	struct blk *b = (struct blk *)dev;

	virtio_io_stop(dev);
	close(b->fd);
	pthread_cond_destroy(&b->idle);
	virtio_fini(dev);
	free(b);
}
