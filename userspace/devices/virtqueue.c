// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split virtqueues (virtio 1.2, "Split Virtqueues"), device side. Everything
 * read from a ring is a guest's word: bounds, loops and addresses are checked
 * here, once for all device types.
 */
#include <endian.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "virtio.h"

/* Ring indices pair with the barriers of the driver in the guest. */
static uint16_t load16(const __virtio16 *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static void store16(__virtio16 *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELEASE);
}

int virtq_map(struct virtio_dev *dev, struct virtq *vq)
{
	struct limen_vm *vm = dev->board->vm;
	uint64_t n = vq->num;

	if (!n || n > VIRTQ_MAX || (n & (n - 1)) || vq->desc_gpa & 15 ||
	    vq->avail_gpa & 1 || vq->used_gpa & 3)
		return -1;
	/* each ring ends with the 16-bit event index of the other side */
	vq->desc = limen_gpa_ptr(vm, vq->desc_gpa, 16 * n, false);
	vq->avail = limen_gpa_ptr(vm, vq->avail_gpa, 4 + 2 * n + 2, false);
	vq->used = limen_gpa_ptr(vm, vq->used_gpa, 4 + 8 * n + 2, true);
	return vq->desc && vq->avail && vq->used ? 0 : -1;
}

int virtq_start(struct virtio_dev *dev, struct virtq *vq)
{
	if (virtq_map(dev, vq))
		return -1;
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->signalled = 0;
	vq->signalled_valid = false;
	return 0;
}

static int add_segment(struct virtio_dev *dev, struct virtq_chain *c,
		       const struct vring_desc *d)
{
	bool in = le16toh(d->flags) & VRING_DESC_F_WRITE;
	uint32_t *count = in ? &c->nr_in : &c->nr_out;
	uint32_t len = le32toh(d->len);
	void *p;

	/* what the device writes comes after all that it reads */
	if ((!in && c->nr_in) || *count == VIRTQ_MAX_SEGS)
		return -1;
	p = limen_gpa_ptr(dev->board->vm, le64toh(d->addr), len, in);
	if (!p)
		return -1;
	if (in)
		c->in_gpa[*count] = le64toh(d->addr);
	(in ? c->in : c->out)[(*count)++] = (struct iovec){ p, len };
	*(in ? &c->len_in : &c->len_out) += len;
	return 0;
}

static struct vring_desc read_desc(const struct vring_desc *table, uint32_t i)
{
	struct vring_desc d;

	memcpy(&d, (const void *)&table[i], sizeof(d));
	__asm__ volatile("" ::: "memory");	/* one copy, checked and used */
	return d;
}

/* Follow @table from entry @i; at most @n entries, so a loop ends. */
static int walk(struct virtio_dev *dev, const struct vring_desc *table,
		uint32_t n, uint32_t i, bool may_indirect, struct virtq_chain *c)
{
	for (uint32_t steps = 0; steps < n; steps++) {
		struct vring_desc d;
		uint16_t flags;

		if (i >= n)
			return -1;
		d = read_desc(table, i);
		flags = le16toh(d.flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			uint32_t len = le32toh(d.len);
			const void *p;

			if (!may_indirect || flags & VRING_DESC_F_NEXT || !len ||
			    len % sizeof(d) || len / sizeof(d) > VIRTQ_MAX_SEGS)
				return -1;
			p = limen_gpa_ptr(dev->board->vm, le64toh(d.addr), len,
					  false);
			return p ? walk(dev, p, len / sizeof(d), 0, false, c) : -1;
		}
		if (add_segment(dev, c, &d))
			return -1;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(d.next);
	}
	return -1;
}

/* The module does not see what this process writes; see limen_dirty_mark(). */
static void mark_used(struct virtio_dev *dev, const struct virtq *vq)
{
	(void)limen_dirty_mark(dev->board->vm, vq->used_gpa, 4 + 8 * vq->num + 2);
}

int virtq_pop(struct virtio_dev *dev, struct virtq *vq,
	      struct virtq_chain *chain)
{
	bool event = dev->accepted & VIRTIO_FEAT_EVENT_IDX;
	uint16_t idx, head;

	if (!virtio_is_live(dev) || !vq->ready || dev->paused)
		return 0;
	idx = load16(&vq->avail->idx);
	if (idx == vq->last_avail && event) {
		/* Ask for a notification, then look again: a buffer that was
		 * added before the driver saw the wish brings none. */
		store16((__virtio16 *)&vq->used->ring[vq->num], vq->last_avail);
		mark_used(dev, vq);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		idx = load16(&vq->avail->idx);
	}
	if (idx == vq->last_avail)
		return 0;
	if ((uint16_t)(idx - vq->last_avail) > vq->num)
		goto broken;
	head = load16(&vq->avail->ring[vq->last_avail & (vq->num - 1)]);
	if (head >= vq->num)
		goto broken;
	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->len_out = 0;
	chain->len_in = 0;
	if (walk(dev, vq->desc, vq->num, head,
		 dev->accepted & VIRTIO_FEAT_INDIRECT, chain))
		goto broken;
	vq->last_avail++;
	return 1;

broken:
	virtio_broken(dev);
	return -1;
}

static void push(struct virtio_dev *dev, struct virtq *vq, uint16_t head,
		 uint32_t written)
{
	struct vring_used_elem *e;

	if (!virtio_is_live(dev) || !vq->ready)
		return;
	e = &vq->used->ring[vq->used_idx & (vq->num - 1)];
	e->id = htole32(head);
	e->len = htole32(written);
	store16(&vq->used->idx, ++vq->used_idx);
	mark_used(dev, vq);
}

void virtq_push(struct virtio_dev *dev, struct virtq *vq,
		const struct virtq_chain *chain, uint32_t written)
{
	/* what was written was written, also if the device was reset meanwhile */
	for (uint32_t i = 0; written && i < chain->nr_in; i++)
		(void)limen_dirty_mark(dev->board->vm, chain->in_gpa[i],
				       chain->in[i].iov_len);
	push(dev, vq, chain->head, written);
}

void virtq_return(struct virtio_dev *dev, struct virtq *vq, uint16_t head)
{
	push(dev, vq, head, 0);
}

void virtq_signal(struct virtio_dev *dev, struct virtq *vq)
{
	uint16_t old = vq->signalled, new = vq->used_idx, event;
	bool valid = vq->signalled_valid;

	if (!virtio_is_live(dev) || !vq->ready)
		return;
	/* the used index before the driver's wish: pairs with its barrier */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(dev->accepted & VIRTIO_FEAT_EVENT_IDX)) {
		if (!(load16(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT))
			virtio_interrupt(dev);
		return;
	}
	vq->signalled = new;
	vq->signalled_valid = true;
	event = load16(&vq->avail->ring[vq->num]);
	if (!valid || vring_need_event(event, new, old))
		virtio_interrupt(dev);
}

static size_t iov_copy(const struct iovec *iov, uint32_t count, size_t skip,
		       uint8_t *buf, size_t len, bool to_iov)
{
	size_t done = 0;

	for (uint32_t i = 0; i < count && done < len; i++) {
		size_t n = iov[i].iov_len;
		uint8_t *p = iov[i].iov_base;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		p += skip;
		n -= skip;
		skip = 0;
		if (n > len - done)
			n = len - done;
		if (to_iov)
			memcpy(p, buf + done, n);
		else
			memcpy(buf + done, p, n);
		done += n;
	}
	return done;
}

size_t iov_gather(const struct iovec *iov, uint32_t count, size_t skip,
		  void *buf, size_t len)
{
	return iov_copy(iov, count, skip, buf, len, false);
}

size_t iov_scatter(const struct iovec *iov, uint32_t count, size_t skip,
		   const void *buf, size_t len)
{
	return iov_copy(iov, count, skip, (uint8_t *)buf, len, true);
}
