/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio 1.2 over MMIO: split queues with indirect descriptors and event
 * indices. virtio_mmio.c is the register file, virtqueue.c the rings, one file
 * each for the device types.
 *
 * The guest owns the rings and may change them at any time. Each descriptor is
 * read once, checked, and used from our copy. A chain that doesn't fit the
 * rules breaks the device (DEVICE_NEEDS_RESET), never the VMM.
 *
 * Each device has an I/O thread (virtio_io.c, or the type's own), so that a vCPU
 * that notifies a queue runs on: the write to QueueNotify signals the queue's
 * eventfd in the kernel (LIMEN_IOEVENTFD), and the thread waits for that. A write
 * that reaches the register file signals it there.
 *
 * Locking: all of struct virtio_dev is under its lock, which is also the lock
 * of its region on the bus. The I/O thread takes it to pop and push, and may let it
 * go for the I/O in between.
 */
#ifndef LIMEN_VIRTIO_H
#define LIMEN_VIRTIO_H

#include <sys/uio.h>

#include "devices.h"

#define VIRTIO_BASE		0xd0000000ull
#define VIRTIO_STRIDE		0x1000
#define VIRTIO_MAX_DEVICES	16
#define VIRTIO_MAX_QUEUES	4
#define VIRTQ_MAX		256	/* entries of a queue */
#define VIRTQ_MAX_SEGS		(VIRTQ_MAX + 2)

#define VIRTIO_TYPE_NET		1
#define VIRTIO_TYPE_BLOCK		2
#define VIRTIO_TYPE_CONSOLE	3
#define VIRTIO_TYPE_RNG		4
#define VIRTIO_TYPE_BALLOON	5

#define VIRTIO_FEAT_INDIRECT	(1ull << 28)
#define VIRTIO_FEAT_EVENT_IDX	(1ull << 29)
#define VIRTIO_FEAT_VERSION_1	(1ull << 32)

#define VIRTIO_S_DRIVER_OK	0x04
#define VIRTIO_S_FEATURES_OK	0x08
#define VIRTIO_S_NEEDS_RESET	0x40

struct virtio_dev;

struct virtq {
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint32_t num;
	bool ready;
	/* valid while ready: bounds were checked when it became so */
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail;
	uint16_t used_idx;
	uint16_t signalled;	/* used_idx at the last interrupt decision */
	bool signalled_valid;
};

/* A request: what the device reads (out) and then writes (in). */
struct virtq_chain {
	uint16_t head;
	uint32_t nr_out, nr_in;
	uint64_t len_out, len_in;
	struct iovec out[VIRTQ_MAX_SEGS];
	struct iovec in[VIRTQ_MAX_SEGS];
	uint64_t in_gpa[VIRTQ_MAX_SEGS];	/* where @in is in the guest */
};

struct virtio_ops {
	uint32_t id;
	uint32_t nr_queues;
	/* all optional, called with the lock held */
	void (*notify)(struct virtio_dev *dev, uint32_t queue);	/* I/O thread */
	void (*started)(struct virtio_dev *dev);	/* DRIVER_OK */
	void (*reset)(struct virtio_dev *dev);	/* may drop the lock to wait */
	/* a store to the configuration space; @size bytes of @v, in it as a whole */
	void (*config_write)(struct virtio_dev *dev, uint64_t at, uint32_t size,
			     uint32_t v);
	void (*drain)(struct virtio_dev *dev);	/* wait for what is under way */
	void (*state)(struct virtio_dev *dev, struct state *s);
};

struct virtio_dev {
	pthread_mutex_t lock;
	struct board *board;
	const struct virtio_ops *ops;
	struct irq_line irq;
	uint64_t base;
	uint32_t gsi;
	uint64_t offered, accepted;
	uint32_t offered_sel, accepted_sel, queue_sel;
	uint32_t status, interrupts, generation;
	struct virtq vq[VIRTIO_MAX_QUEUES];
	const void *config;
	uint32_t config_len;
	int kick[VIRTIO_MAX_QUEUES];	/* eventfds: the guest has notified the queue */
	int wake;			/* eventfd: look at @stop, or go on */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	bool paused;			/* queues look empty */
	_Atomic uint64_t kicks;		/* signals that the thread took */
	_Atomic uint64_t notify_exits;	/* notifications that were an exit */
};

/* Common part of each device type's create. @index is the slot, below
 * VIRTIO_MAX_DEVICES. */
int virtio_init(struct virtio_dev *dev, struct board *b, uint32_t index,
		const struct virtio_ops *ops, uint64_t features,
		const void *config, uint32_t config_len);
void virtio_fini(struct virtio_dev *dev);
bool virtio_is_live(const struct virtio_dev *dev);
/*
 * virtio_state.c. With no vCPU running: let what is under way come to its end and take
 * nothing new, until virtio_go(). The state is saved and loaded in between.
 */
void virtio_hold(struct virtio_dev *dev);
void virtio_go(struct virtio_dev *dev);
void virtio_state(struct virtio_dev *dev, struct state *s);
/* the guest broke the rules */
void virtio_broken(struct virtio_dev *dev);
void virtio_interrupt(struct virtio_dev *dev);
/* with the lock: the driver shall read the configuration space anew */
void virtio_config_changed(struct virtio_dev *dev);

/* virtio_io.c. Threads: @fn is the type's own, or virtio_io_thread */
int virtio_io_init(struct virtio_dev *dev);
void virtio_io_fini(struct virtio_dev *dev);
int virtio_io_start(struct virtio_dev *dev, void *(*fn)(void *));
/* returns when the thread has ended; before the type's own state goes */
void virtio_io_stop(struct virtio_dev *dev);
void *virtio_io_thread(void *dev);
void virtio_signal_fd(int fd);
/* take an eventfd's count, 0 if it was not signalled */
uint64_t virtio_take_fd(int fd);

/* virtqueue.c; 1 with a chain, 0 if the queue is empty (or not live), -1 if the
 * device is broken now */
int virtq_start(struct virtio_dev *dev, struct virtq *vq);
/* the same for a queue that has run elsewhere: its indices stay */
int virtq_map(struct virtio_dev *dev, struct virtq *vq);
int virtq_pop(struct virtio_dev *dev, struct virtq *vq,
	      struct virtq_chain *chain);
/* return a chain of which @written bytes were written, wherever in its buffers */
void virtq_push(struct virtio_dev *dev, struct virtq *vq,
		const struct virtq_chain *chain, uint32_t written);
/* the same for one into which nothing was written */
void virtq_return(struct virtio_dev *dev, struct virtq *vq, uint16_t head);
/* interrupt the guest if it wants to know of what was pushed */
void virtq_signal(struct virtio_dev *dev, struct virtq *vq);
/* gather or scatter; returns how many bytes were copied */
size_t iov_gather(const struct iovec *iov, uint32_t count, size_t skip,
		  void *buf, size_t len);
size_t iov_scatter(const struct iovec *iov, uint32_t count, size_t skip,
		   const void *buf, size_t len);

/* device types */
struct virtio_dev *virtio_console_create(struct board *b, uint32_t index,
					 struct chardev *chr);
void virtio_console_destroy(struct virtio_dev *dev);
struct virtio_dev *virtio_rng_create(struct board *b, uint32_t index);
void virtio_rng_destroy(struct virtio_dev *dev);

/* statistics of the guest, by the tags of virtio 1.2, "Memory Statistics Tags" */
#define BALLOON_NR_STATS	10

struct balloon_info {
	uint64_t target, actual;	/* bytes in the balloon: wanted, and there */
	uint64_t discarded;		/* bytes that went back to the host, in all */
	uint64_t reported;		/* bytes that were reported as free, in all */
	uint32_t stats;			/* bit n: @stat[n] is known */
	uint64_t stat[BALLOON_NR_STATS];
};

struct virtio_dev *virtio_balloon_create(struct board *b, uint32_t index);
void virtio_balloon_destroy(struct virtio_dev *dev);
/* what the guest shall give up; from any thread */
void virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes);
/* what is known, and ask the guest for new statistics; from any thread */
void virtio_balloon_query(struct virtio_dev *dev, struct balloon_info *info);

/* @fd is the device's from here on; -errno in *@err */
struct virtio_dev *virtio_blk_create(struct board *b, uint32_t index, int fd,
				     bool read_only, int *err);
void virtio_blk_destroy(struct virtio_dev *dev);

struct net_backend;
/* NULL with *@err; the backend belongs to the device */
struct virtio_dev *virtio_net_create(struct board *b, uint32_t index,
				     struct net_backend *backend, int *err);
void virtio_net_destroy(struct virtio_dev *dev);

#endif
