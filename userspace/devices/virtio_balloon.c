// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio memory balloon (virtio 1.2, "Traditional Memory Balloon Device") with
 * statistics and free page reporting.
 *
 * Pages that the guest puts into the balloon or reports as free go back to the host;
 * they come back, as zeros, when the guest touches them. What the guest names is
 * discarded without asking what it is for: it is the guest's own memory.
 *
 * Queues without their feature don't exist and leave no gap in the numbers. That is how
 * Linux counts them over MMIO.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_balloon.h>

#include "virtio.h"

#define FEAT_STATS	(1ull << VIRTIO_BALLOON_F_STATS_VQ)
#define FEAT_REPORTING	(1ull << VIRTIO_BALLOON_F_REPORTING)
#define PFN_SHIFT	12
#define PFNS		256	/* looked at in one go */
#define STAT_LEN	10	/* a 16-bit tag and a 64-bit value, not aligned */

enum role { INFLATE, DEFLATE, STATS, REPORTING, NONE };

struct balloon {
	struct virtio_dev dev;	/* first: the type's objects are the device */
	struct virtio_balloon_config config;
	struct virtq_chain chain;
	/* the guest's buffer for statistics is with us until we want new ones */
	bool stats_held;
	uint16_t stats_head;
	uint32_t stats_queue;
	struct balloon_info info;
};

static enum role role_of(const struct virtio_dev *dev, uint32_t queue)
{
	if (queue < STATS)
		return queue;
	if (dev->accepted & FEAT_STATS && queue-- == STATS)
		return STATS;
	return dev->accepted & FEAT_REPORTING && queue == STATS ? REPORTING : NONE;
}

static void discard(struct balloon *b, uint64_t gpa, uint64_t len)
{
	if (len && !limen_gpa_discard(b->dev.board->vm, gpa, len))
		b->info.discarded += len;
}

/* Neighbours in one call: the guest fills its balloon page by page, up or down. */
static void discard_pfns(struct balloon *b, const uint32_t *pfn, uint32_t n)
{
	uint64_t first = 0, count = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t p = le32toh(pfn[i]);

		if (count && p + 1 == first) {
			first = p;
			count++;
		} else if (count && p == first + count) {
			count++;
		} else {
			discard(b, first << PFN_SHIFT, count << PFN_SHIFT);
			first = p;
			count = 1;
		}
	}
	discard(b, first << PFN_SHIFT, count << PFN_SHIFT);
}

static void inflate(struct balloon *b)
{
	const struct virtq_chain *c = &b->chain;
	uint32_t pfn[PFNS];
	size_t done = 0, n;

	/* a chain may be as long as the guest likes: the end of the machine is not
	 * held up by it */
	while (!atomic_load(&b->dev.stop)) {
		n = iov_gather(c->out, c->nr_out, done, pfn, sizeof(pfn));
		if (n < sizeof(pfn[0]))
			return;
		discard_pfns(b, pfn, n / sizeof(pfn[0]));
		done += n;
	}
}

static void report(struct balloon *b)
{
	for (uint32_t i = 0; i < b->chain.nr_in; i++) {
		b->info.reported += b->chain.in[i].iov_len;
		discard(b, b->chain.in_gpa[i], b->chain.in[i].iov_len);
	}
}

static void take_stats(struct balloon *b)
{
	uint8_t raw[STAT_LEN * BALLOON_NR_STATS];
	size_t n = iov_gather(b->chain.out, b->chain.nr_out, 0, raw, sizeof(raw));

	b->info.stats = 0;
	for (size_t i = 0; i + STAT_LEN <= n; i += STAT_LEN) {
		uint16_t tag = raw[i] | raw[i + 1] << 8;
		uint64_t v;

		if (tag >= BALLOON_NR_STATS)
			continue;
		memcpy(&v, raw + i + 2, sizeof(v));
		b->info.stat[tag] = le64toh(v);
		b->info.stats |= 1u << tag;
	}
}

static void stats_notify(struct balloon *b, struct virtq *vq, uint32_t queue)
{
	while (virtq_pop(&b->dev, vq, &b->chain) > 0) {
		take_stats(b);
		/* one buffer is the protocol; a second one goes back at once */
		if (b->stats_held)
			virtq_return(&b->dev, vq, b->stats_head);
		b->stats_held = true;
		b->stats_head = b->chain.head;
		b->stats_queue = queue;
	}
}

static void balloon_notify(struct virtio_dev *dev, uint32_t queue)
{
	struct balloon *b = (struct balloon *)dev;
	struct virtq *vq = &dev->vq[queue];
	enum role role = role_of(dev, queue);

	if (role == STATS)
		stats_notify(b, vq, queue);
	while (role != STATS && !atomic_load(&dev->stop) &&
	       virtq_pop(dev, vq, &b->chain) > 0) {
		if (role == INFLATE)
			inflate(b);
		else if (role == REPORTING)
			report(b);
		virtq_push(dev, vq, &b->chain, 0);
	}
	virtq_signal(dev, vq);
}

/* Linux offers its buffer for statistics before DRIVER_OK, too early to be heard. */
static void balloon_started(struct virtio_dev *dev)
{
	virtio_signal_fd(dev->kick[STATS]);
}

static void balloon_reset(struct virtio_dev *dev)
{
	struct balloon *b = (struct balloon *)dev;

	b->stats_held = false;
	b->info.stats = 0;
	b->config.actual = 0;
}

/* The driver says how large the balloon is; the other fields are ours. */
static void config_write(struct virtio_dev *dev, uint64_t at, uint32_t size, uint32_t v)
{
	struct balloon *b = (struct balloon *)dev;

	if (at == offsetof(struct virtio_balloon_config, actual) && size == 4)
		b->config.actual = htole32(v);
}

static void balloon_state(struct virtio_dev *dev, struct state *s)
{
	struct balloon *b = (struct balloon *)dev;

	state_u32(s, &b->config.num_pages);
	state_u32(s, &b->config.actual);
	state_bool(s, &b->stats_held);
	state_u16(s, &b->stats_head);
	state_u32(s, &b->stats_queue);
	state_u32(s, &b->info.stats);
	for (uint32_t i = 0; i < BALLOON_NR_STATS; i++)
		state_u64(s, &b->info.stat[i]);
	state_u64(s, &b->info.discarded);
	state_u64(s, &b->info.reported);
	state_check(s, b->stats_queue < dev->ops->nr_queues &&
		    b->info.stats < 1u << BALLOON_NR_STATS);
	if (s->bad)
		b->stats_queue = 0;
}

static const struct virtio_ops balloon_ops = {
	.id = VIRTIO_TYPE_BALLOON,
	.nr_queues = 4,
	.notify = balloon_notify,
	.started = balloon_started,
	.reset = balloon_reset,
	.config_write = config_write,
	.state = balloon_state,
};

void virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes)
{
	struct balloon *b = (struct balloon *)dev;
	uint64_t pages = bytes >> PFN_SHIFT;

	pthread_mutex_lock(&dev->lock);
	b->config.num_pages = htole32(pages < UINT32_MAX ? pages : UINT32_MAX);
	virtio_config_changed(dev);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_balloon_query(struct virtio_dev *dev, struct balloon_info *info)
{
	struct balloon *b = (struct balloon *)dev;
	struct virtq *vq = &dev->vq[b->stats_queue];

	pthread_mutex_lock(&dev->lock);
	b->info.target = (uint64_t)le32toh(b->config.num_pages) << PFN_SHIFT;
	b->info.actual = (uint64_t)le32toh(b->config.actual) << PFN_SHIFT;
	*info = b->info;
	if (b->stats_held) {
		b->stats_held = false;
		virtq_return(dev, vq, b->stats_head);
		virtq_signal(dev, vq);
	}
	pthread_mutex_unlock(&dev->lock);
}

struct virtio_dev *virtio_balloon_create(struct board *board, uint32_t index)
{
	struct balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	if (virtio_init(&b->dev, board, index, &balloon_ops, FEAT_STATS | FEAT_REPORTING,
			&b->config, sizeof(b->config)))
		goto err_free;
	if (!virtio_io_start(&b->dev, virtio_io_thread))
		return &b->dev;
	virtio_fini(&b->dev);
err_free:
	free(b);
	return NULL;
}

void virtio_balloon_destroy(struct virtio_dev *dev)
{
	virtio_fini(dev);
	free(dev);
}
