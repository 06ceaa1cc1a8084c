// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The register file of a virtio device over MMIO, version 2 (virtio 1.2,
 * "MMIO Device Register Layout"). The interrupt line is asserted while the interrupt
 * status is not zero. To the guest it is described as edge-triggered: then it needs
 * no end of interrupt, and each edge is a message of its own.
 */
#include <errno.h>
#include <string.h>
#include <linux/virtio_mmio.h>

#include "virtio.h"

#define MAGIC		0x74726976	/* "virt" */
#define VENDOR		0x4e4d494c	/* "LIMN" */
#define STATUS_MASK	0xcf

bool virtio_is_live(const struct virtio_dev *dev)
{
	return (dev->status & (VIRTIO_S_DRIVER_OK | VIRTIO_S_NEEDS_RESET)) ==
	       VIRTIO_S_DRIVER_OK;
}

static void set_interrupts(struct virtio_dev *dev, uint32_t interrupts)
{
	dev->interrupts = interrupts;
	irq_line_set(&dev->irq, interrupts);
}

void virtio_interrupt(struct virtio_dev *dev)
{
	set_interrupts(dev, dev->interrupts | VIRTIO_MMIO_INT_VRING);
}

void virtio_broken(struct virtio_dev *dev)
{
	dev->status |= VIRTIO_S_NEEDS_RESET;
	set_interrupts(dev, dev->interrupts | VIRTIO_MMIO_INT_CONFIG);
}

void virtio_config_changed(struct virtio_dev *dev)
{
	dev->generation++;
	if (virtio_is_live(dev))
		set_interrupts(dev, dev->interrupts | VIRTIO_MMIO_INT_CONFIG);
}

static void reset(struct virtio_dev *dev)
{
	/* Not live from here on: a thread that is in the middle of a request
	 * pushes nothing any more. */
	dev->status = 0;
	if (dev->ops->reset)
		dev->ops->reset(dev);
	memset(dev->vq, 0, sizeof(dev->vq));
	dev->accepted = 0;
	dev->accepted_sel = 0;
	dev->offered_sel = 0;
	dev->queue_sel = 0;
	set_interrupts(dev, 0);
}

static void status_write(struct virtio_dev *dev, uint32_t v)
{
	uint32_t old = dev->status;

	v &= STATUS_MASK & ~VIRTIO_S_NEEDS_RESET;
	if (!v) {
		reset(dev);
		return;
	}
	/* Features are fixed by FEATURES_OK, which we refuse for a bad set. */
	if (v & ~old & VIRTIO_S_FEATURES_OK &&
	    (dev->accepted & ~dev->offered ||
	     !(dev->accepted & VIRTIO_FEAT_VERSION_1)))
		v &= ~VIRTIO_S_FEATURES_OK;
	if (!(v & VIRTIO_S_FEATURES_OK))
		v &= ~VIRTIO_S_DRIVER_OK;
	dev->status = v | (old & VIRTIO_S_NEEDS_RESET);
	if (v & ~old & VIRTIO_S_DRIVER_OK && dev->ops->started)
		dev->ops->started(dev);
}

static uint32_t config_read(const struct virtio_dev *dev, uint64_t at,
			    uint32_t size)
{
	uint32_t v = 0;

	if (at < dev->config_len)
		memcpy(&v, (const uint8_t *)dev->config + at,
		       size < dev->config_len - at ? size : dev->config_len - at);
	return v;
}

static void config_write(struct virtio_dev *dev, uint64_t at, uint32_t size,
			 uint32_t v)
{
	if (dev->ops->config_write && at + size <= dev->config_len)
		dev->ops->config_write(dev, at, size, v);
}

static struct virtq *selected(struct virtio_dev *dev)
{
	return dev->queue_sel < dev->ops->nr_queues ? &dev->vq[dev->queue_sel] :
						      NULL;
}

static uint32_t reg_read(struct virtio_dev *dev, uint32_t reg)
{
	const struct virtq *vq = selected(dev);

	switch (reg) {
	case VIRTIO_MMIO_MAGIC_VALUE:	return MAGIC;
	case VIRTIO_MMIO_VERSION:	return 2;
	case VIRTIO_MMIO_DEVICE_ID:	return dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:	return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return dev->offered_sel > 1 ? 0 :
		       dev->offered >> (32 * dev->offered_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:	return vq ? VIRTQ_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:	return vq ? vq->ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return dev->interrupts;
	case VIRTIO_MMIO_STATUS:	return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION: return dev->generation;
	/* a shared memory region that doesn't exist has length -1 */
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:	return ~0u;
	default:			return 0;
	}
}

static void queue_ready(struct virtio_dev *dev, struct virtq *vq, bool ready)
{
	if (!ready) {
		vq->ready = false;
	} else if (!vq->ready) {
		if (virtq_start(dev, vq))
			virtio_broken(dev);
		else
			vq->ready = true;
	}
}

static void set_half(uint64_t *v, uint32_t half, bool high)
{
	*v = high ? (*v & 0xffffffff) | (uint64_t)half << 32 :
		    (*v & ~0xffffffffull) | half;
}

/* Registers of the selected queue; addresses are fixed while it is ready. */
static void queue_write(struct virtio_dev *dev, uint32_t reg, uint32_t v)
{
	struct virtq *vq = selected(dev);

	if (!vq)
		return;
	if (reg == VIRTIO_MMIO_QUEUE_READY) {
		queue_ready(dev, vq, v & 1);
		return;
	}
	if (vq->ready)
		return;
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_NUM:
		vq->num = v;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&vq->desc_gpa, v, reg & 4);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&vq->avail_gpa, v, reg & 4);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&vq->used_gpa, v, reg & 4);
		break;
	}
}

static void reg_write(struct virtio_dev *dev, uint32_t reg, uint32_t v)
{
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->offered_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (dev->accepted_sel < 2 && !(dev->status & VIRTIO_S_FEATURES_OK))
			set_half(&dev->accepted, v, dev->accepted_sel);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->accepted_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* what the module did not take: see LIMEN_IOEVENTFD */
		dev->notify_exits++;
		if (v < dev->ops->nr_queues)
			virtio_signal_fd(dev->kick[v]);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		set_interrupts(dev, dev->interrupts & ~v);
		break;
	case VIRTIO_MMIO_STATUS:
		status_write(dev, v);
		break;
	default:
		queue_write(dev, reg, v);
	}
}

/* Registers are 32 bits wide and aligned; the configuration space takes any. */
static void mmio_access(void *opaque, struct limen_access *a)
{
	struct virtio_dev *dev = opaque;

	if (a->addr >= VIRTIO_MMIO_CONFIG) {
		if (a->write)
			config_write(dev, a->addr - VIRTIO_MMIO_CONFIG, a->size,
				     a->data);
		else
			a->data = config_read(dev, a->addr - VIRTIO_MMIO_CONFIG,
					      a->size);
		return;
	}
	if (a->size != 4 || a->addr & 3) {
		a->data = 0;
		return;
	}
	if (a->write)
		reg_write(dev, a->addr, a->data);
	else
		a->data = reg_read(dev, a->addr);
}

int virtio_init(struct virtio_dev *dev, struct board *b, uint32_t index,
		const struct virtio_ops *ops, uint64_t features,
		const void *config, uint32_t config_len)
{
	int err;

	if (index >= VIRTIO_MAX_DEVICES)
		return -EMFILE;
	pthread_mutex_init(&dev->lock, NULL);
	dev->board = b;
	dev->ops = ops;
	dev->offered = features | VIRTIO_FEAT_VERSION_1 | VIRTIO_FEAT_INDIRECT |
		       VIRTIO_FEAT_EVENT_IDX;
	dev->config = config;
	dev->config_len = config_len;
	dev->base = VIRTIO_BASE + index * VIRTIO_STRIDE;
	dev->gsi = GSI_VIRTIO + index % NR_GSI_VIRTIO;
	irq_line_init(&dev->irq, b->irqs, dev->gsi);
	err = virtio_io_init(dev);
	if (!err)
		err = irq_line_eventfd(&dev->irq);
	if (!err)
		err = board_mmio(b, "virtio", dev->base, VIRTIO_STRIDE, 4,
				 mmio_access, dev, &dev->lock);
	if (err)
		virtio_fini(dev);
	return err;
}

void virtio_fini(struct virtio_dev *dev)
{
	virtio_io_stop(dev);
	irq_line_fini(&dev->irq);
	virtio_io_fini(dev);
	pthread_mutex_destroy(&dev->lock);
}
