// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio devices driven as a driver would, and as a hostile guest would. */
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../devices/net.h"
#include "test.h"

#define NUM		8
#define QUEUE(q)	(0x10000u + (q) * 0x4000u)
#define DESC(q)		QUEUE(q)
#define AVAIL(q)	(QUEUE(q) + 0x1000)
#define USED(q)		(QUEUE(q) + 0x2000)
#define BUF		0x40000u
#define OK_STATUS	0x0f

struct vrig {
	struct rig r;
	struct irqchip *chip;
	struct virtio_dev *dev;
	uint64_t base;
	uint16_t avail_idx[2];
};

static void vrig_init(struct vrig *v)
{
	memset(v, 0, sizeof(*v));
	rig_init(&v->r);
	EXPECT_EQ(irqchip_create(&v->r.board, &v->chip), 0);
	v->base = VIRTIO_BASE;
}

static void vrig_fini(struct vrig *v)
{
	irqchip_destroy(v->chip);
	rig_fini(&v->r);
}

static uint32_t get(struct vrig *v, uint32_t reg)
{
	return mmio_read(&v->r, v->base + reg, 4);
}

static void set(struct vrig *v, uint32_t reg, uint32_t val)
{
	mmio_write(&v->r, v->base + reg, 4, val);
}

static void setup_queue(struct vrig *v, uint32_t q)
{
	set(v, VIRTIO_MMIO_QUEUE_SEL, q);
	set(v, VIRTIO_MMIO_QUEUE_NUM, NUM);
	set(v, VIRTIO_MMIO_QUEUE_DESC_LOW, DESC(q));
	set(v, VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL(q));
	set(v, VIRTIO_MMIO_QUEUE_USED_LOW, USED(q));
	set(v, VIRTIO_MMIO_QUEUE_READY, 1);
	EXPECT_EQ(get(v, VIRTIO_MMIO_QUEUE_READY), 1);
	v->avail_idx[q] = 0;
}

/* @features: the low word that the driver accepts */
static void bring_up(struct vrig *v, uint32_t queues, uint32_t features)
{
	set(v, VIRTIO_MMIO_STATUS, 0);
	set(v, VIRTIO_MMIO_STATUS, 3);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES, features);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(v, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set(v, VIRTIO_MMIO_STATUS, 0xb);
	EXPECT_EQ(get(v, VIRTIO_MMIO_STATUS), 0xb);
	for (uint32_t q = 0; q < queues; q++)
		setup_queue(v, q);
	set(v, VIRTIO_MMIO_STATUS, OK_STATUS);
}

static void desc(struct vrig *v, uint32_t q, uint32_t i, uint64_t addr,
		 uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc d = { addr, len, flags, next };

	memcpy(v->r.ram + DESC(q) + 16 * i, &d, sizeof(d));
}

static void offer(struct vrig *v, uint32_t q, uint16_t head)
{
	uint16_t *avail = (uint16_t *)(v->r.ram + AVAIL(q));

	avail[2 + v->avail_idx[q] % NUM] = head;
	__atomic_store_n(&avail[1], ++v->avail_idx[q], __ATOMIC_RELEASE);
	set(v, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

static uint16_t used_idx(struct vrig *v, uint32_t q)
{
	return __atomic_load_n((uint16_t *)(v->r.ram + USED(q)) + 1,
			       __ATOMIC_ACQUIRE);
}

static uint32_t used_len(struct vrig *v, uint32_t q, uint32_t i)
{
	return ((uint32_t *)(v->r.ram + USED(q) + 4))[2 * (i % NUM) + 1];
}

static bool wait_used(struct vrig *v, uint32_t q, uint16_t n)
{
	for (int i = 0; i < 30000 && used_idx(v, q) != n; i++)
		usleep(1000);
	return used_idx(v, q) == n;
}

static bool broken(struct vrig *v)
{
	for (int i = 0; i < 30000; i++) {
		if (get(v, VIRTIO_MMIO_STATUS) & VIRTIO_S_NEEDS_RESET)
			return true;
		usleep(1000);
	}
	return false;
}

static void log_on(struct vrig *v)
{
	fake.keeps_log = true;
	EXPECT_EQ(limen_protect(v->r.vm, 0, FAKE_RAM, LIMEN_MEM_READ | LIMEN_MEM_WRITE |
				LIMEN_MEM_LOG), 0);
}

TEST(virtio_identity_and_features)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	EXPECT_EQ(get(&v, 0), 0x74726976);
	EXPECT_EQ(get(&v, 4), 2);
	EXPECT_EQ(get(&v, 8), 4);
	set(&v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_DEVICE_FEATURES), 1);
	set(&v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 7);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	/* a feature that wasn't offered is refused */
	set(&v, VIRTIO_MMIO_STATUS, 3);
	set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 1 << 5);
	set(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set(&v, VIRTIO_MMIO_STATUS, 0xb);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_STATUS), 3);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_rng_fills_and_interrupts)
{
	struct vrig v;
	uint8_t zero[64] = { 0 };

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	bring_up(&v, 1, 0);
	mmio_write(&v.r, 0xfec00000, 4, 0x10 + 32);
	mmio_write(&v.r, 0xfec00010, 4, 0x8041);
	log_on(&v);
	desc(&v, 0, 0, BUF + 4064, 64, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(used_len(&v, 0, 0), 64);
	/* the thread signals before it lets the device go */
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	/* both pages of the buffer, and the used ring: not what the driver wrote */
	EXPECT_EQ(fake.log[BUF >> 12] + fake.log[(BUF >> 12) + 1], 2);
	EXPECT_EQ(fake.log[USED(0) >> 12], 1);
	EXPECT_EQ(fake.log[AVAIL(0) >> 12] + fake.log[DESC(0) >> 12], 0);
	EXPECT_TRUE(memcmp(v.r.ram + BUF + 4064, zero, 64));
	EXPECT_EQ(fake.msis, 1);
	set(&v, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_event_index_suppresses_interrupts)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	bring_up(&v, 1, 1 << 29);
	desc(&v, 0, 0, BUF, 8, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	set(&v, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	/* used_event: tell me after the fourth */
	((uint16_t *)(v.r.ram + AVAIL(0)))[2 + NUM] = 3;
	offer(&v, 0, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 3));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 4));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	/* avail_event: where we stopped */
	EXPECT_EQ(*(uint16_t *)(v.r.ram + USED(0) + 4 + 8 * NUM), 4);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

/* ---- eventfds ------------------------------------------------------------------ */

static void put_avail(struct vrig *v, uint32_t q, uint16_t head)
{
	uint16_t *avail = (uint16_t *)(v->r.ram + AVAIL(q));

	avail[2 + v->avail_idx[q] % NUM] = head;
	__atomic_store_n(&avail[1], ++v->avail_idx[q], __ATOMIC_RELEASE);
}

TEST(virtio_is_notified_by_an_ioeventfd)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	EXPECT_EQ(fake.nr_ioeventfds, 1);
	EXPECT_EQ(fake.ioeventfd[0].addr, VIRTIO_BASE + 0x50);
	EXPECT_EQ(fake.ioeventfd[0].len, 4);
	EXPECT_EQ(fake.ioeventfd[0].match, 0);
	EXPECT_EQ(fake.ioeventfd[0].flags, LIMEN_IOEVENTFD_MATCH);
	bring_up(&v, 1, 0);
	desc(&v, 0, 0, BUF, 64, VRING_DESC_F_WRITE, 0);
	/* as the module does it: no access to the register */
	put_avail(&v, 0, 0);
	virtio_signal_fd(fake.ioeventfd[0].fd);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(v.dev->notify_exits, 0);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	EXPECT_EQ(v.dev->kicks, 1);
	/* what the module leaves to us is not lost; a queue that isn't there is */
	offer(&v, 0, 0);
	set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	EXPECT_TRUE(wait_used(&v, 0, 2));
	EXPECT_EQ(v.dev->notify_exits, 2);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_works_with_a_module_without_eventfds)
{
	struct vrig v;

	vrig_init(&v);
	fake.no_eventfds = true;
	v.dev = virtio_rng_create(&v.r.board, 0);
	bring_up(&v, 1, 0);
	mmio_write(&v.r, 0xfec00000, 4, 0x10 + 32);
	mmio_write(&v.r, 0xfec00010, 4, 0x41);
	desc(&v, 0, 0, BUF, 64, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	EXPECT_EQ(fake.msis, 1);
	EXPECT_EQ(fake.msi_data, 0x41);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

/* the redirection entry of the first virtio device */
static void rte(struct vrig *v, uint32_t lo)
{
	mmio_write(&v->r, 0xfec00000, 4, 0x10 + 32);
	mmio_write(&v->r, 0xfec00010, 4, lo);
}

TEST(irqfd_follows_the_redirection_entry)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	EXPECT_EQ(fake.irqfds, 0);		/* masked */
	mmio_write(&v.r, 0xfec00000, 4, 0x11 + 32);
	mmio_write(&v.r, 0xfec00010, 4, 3u << 24);
	EXPECT_EQ(fake.irqfds, 0);
	rte(&v, 0x41);
	EXPECT_EQ(fake.irqfds, 1);
	EXPECT_EQ(fake.irqfd.addr, 0xfee03000);
	EXPECT_EQ(fake.irqfd.data, 0x41);
	rte(&v, 0x952);			/* lowest priority, logical */
	EXPECT_EQ(fake.irqfd_updates, 1);
	EXPECT_EQ(fake.irqfd.addr, 0xfee0300c);
	EXPECT_EQ(fake.irqfd.data, 0x152);
	rte(&v, 0x952);			/* nothing new */
	EXPECT_EQ(fake.irqfd_updates, 1);
	rte(&v, 0x10952);
	EXPECT_EQ(fake.irqfd_deassigns, 1);
	rte(&v, 0x8041);			/* level: by the wire */
	EXPECT_EQ(fake.irqfds, 1);
	rte(&v, 0x41);
	EXPECT_EQ(fake.irqfds, 2);
	EXPECT_EQ(virtio_take_fd(fake.irqfd.fd), 0);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(irqfd_is_signalled_once_an_edge)
{
	struct vrig v;
	int fd;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	rte(&v, 0x41);
	fd = fake.irqfd.fd;
	bring_up(&v, 1, 0);
	desc(&v, 0, 0, BUF, 64, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	offer(&v, 0, 0);			/* not acknowledged yet */
	EXPECT_TRUE(wait_used(&v, 0, 2));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	EXPECT_EQ(virtio_take_fd(fd), 1);
	set(&v, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 3));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	EXPECT_EQ(virtio_take_fd(fd), 1);
	/* one that comes while the input is masked comes when it no longer is */
	set(&v, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	rte(&v, 0x10041);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 4));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	EXPECT_EQ(virtio_take_fd(fd), 0);
	rte(&v, 0x41);
	EXPECT_EQ(virtio_take_fd(fd), 1);
	EXPECT_EQ(fake.msis, 0);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(devices_that_share_an_edge_have_each_their_own)
{
	struct vrig v;
	struct irq_line a, b;

	vrig_init(&v);
	irq_line_init(&a, v.chip, 16);
	irq_line_init(&b, v.chip, 16);
	EXPECT_EQ(irq_line_eventfd(&a), 0);
	EXPECT_EQ(irq_line_eventfd(&b), 0);
	rte(&v, 0x41);
	EXPECT_EQ(fake.irqfds, 2);
	irq_line_set(&a, true);
	irq_line_set(&b, true);
	EXPECT_EQ(virtio_take_fd(a.fd), 1);
	EXPECT_EQ(virtio_take_fd(b.fd), 1);
	/* level-triggered, they are one wire */
	rte(&v, 0x8041);
	EXPECT_EQ(fake.msis, 1);
	irq_line_set(&b, false);
	irq_line_set(&b, true);
	EXPECT_EQ(fake.msis, 1);
	irqchip_eoi(v.chip, 0x41);
	EXPECT_EQ(fake.msis, 2);
	irq_line_fini(&a);
	irq_line_fini(&b);
	vrig_fini(&v);
}

static void expect_broken(uint64_t addr, uint32_t len, uint16_t flags,
			  uint16_t next, uint16_t head)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	bring_up(&v, 1, 1 << 28);
	desc(&v, 0, 0, addr, len, flags, next);
	offer(&v, 0, head);
	EXPECT_TRUE(broken(&v));
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 2);
	EXPECT_EQ(used_idx(&v, 0), 0);
	/* a reset makes it whole */
	bring_up(&v, 1, 0);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_STATUS), OK_STATUS);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_hostile_chains_break_the_device_only)
{
	const uint16_t w = VRING_DESC_F_WRITE;

	expect_broken(FAKE_RAM - 4, 8, w, 0, 0);		/* over the end */
	expect_broken(~0ull - 3, 8, w, 0, 0);			/* wraps */
	expect_broken(BUF, 8, w | VRING_DESC_F_NEXT, 0, 0);	/* a loop */
	expect_broken(BUF, 8, w | VRING_DESC_F_NEXT, NUM, 0);	/* next too big */
	expect_broken(BUF, 8, w, 0, NUM);			/* head too big */
	expect_broken(BUF, 24, VRING_DESC_F_INDIRECT, 0, 0);	/* odd table */
	expect_broken(BUF, 0, VRING_DESC_F_INDIRECT, 0, 0);	/* empty table */
	expect_broken(BUF, 1u << 31, VRING_DESC_F_INDIRECT, 0, 0);
}

TEST(virtio_ring_outside_memory_is_refused)
{
	struct vrig v;

	vrig_init(&v);
	v.dev = virtio_rng_create(&v.r.board, 0);
	bring_up(&v, 0, 0);
	set(&v, VIRTIO_MMIO_QUEUE_NUM, NUM);
	set(&v, VIRTIO_MMIO_QUEUE_DESC_LOW, FAKE_RAM - 16);
	set(&v, VIRTIO_MMIO_QUEUE_READY, 1);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	EXPECT_TRUE(broken(&v));
	set(&v, VIRTIO_MMIO_QUEUE_SEL, 1);	/* it has one queue */
	EXPECT_EQ(get(&v, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	virtio_rng_destroy(v.dev);
	vrig_fini(&v);
}

/* ---- block --------------------------------------------------------------------- */

static int disk_file(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	EXPECT_EQ(ftruncate(fd, 64 * 512 + 100), 0);
	EXPECT_EQ(pwrite(fd, "sector five", 11, 5 * 512), 11);
	return fd;
}

/* header at BUF, data at BUF + 0x1000, status at BUF + 0x100 */
static uint8_t blk_request(struct vrig *v, uint32_t type, uint64_t sector,
			   uint32_t len, bool write)
{
	const struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };
	uint16_t n = used_idx(v, 0) + 1;

	memcpy(v->r.ram + BUF, &hdr, sizeof(hdr));
	v->r.ram[BUF + 0x100] = 0xee;
	desc(v, 0, 0, BUF, sizeof(hdr), VRING_DESC_F_NEXT, len ? 1 : 2);
	desc(v, 0, 1, BUF + 0x1000, len, VRING_DESC_F_NEXT |
	     (write ? 0 : VRING_DESC_F_WRITE), 2);
	desc(v, 0, 2, BUF + 0x100, 1, VRING_DESC_F_WRITE, 0);
	offer(v, 0, 0);
	EXPECT_TRUE(wait_used(v, 0, n));
	return v->r.ram[BUF + 0x100];
}

TEST(virtio_blk_reads_writes_and_refuses)
{
	struct vrig v;
	char sector[512];
	int err, fd = disk_file();

	vrig_init(&v);
	v.dev = virtio_blk_create(&v.r.board, 0, fd, false, &err);
	EXPECT_TRUE(v.dev);
	bring_up(&v, 1, 0);
	EXPECT_EQ(get(&v, 0x100), 64);			/* capacity */
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_IN, 5, 512, false), 0);
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x1000, "sector five", 12), 0);
	EXPECT_EQ(used_len(&v, 0, 0), 513);
	memset(v.r.ram + BUF + 0x1000, 'w', 1024);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_OUT, 62, 1024, true), 0);
	EXPECT_EQ(pread(fd, sector, 512, 63 * 512), 512);
	EXPECT_EQ(sector[511], 'w');
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_FLUSH, 0, 0, false), 0);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_GET_ID, 0, 20, false), 0);
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x1000, "limen-disk-00", 13), 0);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_OUT, 63, 1024, true), 1);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_IN, ~0ull, 512, false), 1);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_IN, 0, 100, false), 1);
	EXPECT_EQ(blk_request(&v, 0x77, 0, 0, false), 2);
	virtio_blk_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_blk_read_only)
{
	struct vrig v;
	int err;

	vrig_init(&v);
	v.dev = virtio_blk_create(&v.r.board, 0, disk_file(), true, &err);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_DEVICE_FEATURES) & 1 << 5, 1 << 5);
	bring_up(&v, 1, 1 << 5);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_OUT, 0, 512, true), 1);
	EXPECT_EQ(blk_request(&v, VIRTIO_BLK_T_IN, 5, 512, false), 0);
	virtio_blk_destroy(v.dev);
	vrig_fini(&v);
}

TEST(virtio_blk_indirect)
{
	struct vrig v;
	int err;
	const struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN, .sector = 5 };
	struct vring_desc table[3] = {
		{ BUF, 16, VRING_DESC_F_NEXT, 1 },
		{ BUF + 0x1000, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2 },
		{ BUF + 0x100, 1, VRING_DESC_F_WRITE, 0 },
	};

	vrig_init(&v);
	v.dev = virtio_blk_create(&v.r.board, 0, disk_file(), false, &err);
	bring_up(&v, 1, 1 << 28);
	memcpy(v.r.ram + BUF, &hdr, sizeof(hdr));
	memcpy(v.r.ram + BUF + 0x2000, table, sizeof(table));
	desc(&v, 0, 3, BUF + 0x2000, sizeof(table), VRING_DESC_F_INDIRECT, 0);
	offer(&v, 0, 3);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x1000, "sector five", 12), 0);
	virtio_blk_destroy(v.dev);
	vrig_fini(&v);
}

/* ---- console and net -------------------------------------------------------------- */

TEST(virtio_console_both_ways)
{
	struct chardev chr;
	struct vrig v;
	int in[2], out[2];
	char text[8] = "";

	vrig_init(&v);
	EXPECT_EQ(pipe(in) | pipe(out), 0);
	EXPECT_EQ(chardev_init(&chr, &v.r.board, in[0], out[1]), 0);
	v.dev = virtio_console_create(&v.r.board, 0, &chr);
	bring_up(&v, 2, 0);
	memcpy(v.r.ram + BUF, "out", 3);
	desc(&v, 1, 0, BUF, 3, 0, 0);
	offer(&v, 1, 0);
	EXPECT_EQ(read(out[0], text, 8), 3);
	EXPECT_EQ(memcmp(text, "out", 3), 0);
	EXPECT_EQ(write(in[1], "input", 5), 5);
	EXPECT_EQ(event_wait(v.r.board.loop), 0);	/* no buffer: stops */
	EXPECT_EQ(used_idx(&v, 0), 0);
	desc(&v, 0, 0, BUF + 0x100, 16, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	EXPECT_EQ(event_wait(v.r.board.loop), 0);
	EXPECT_EQ(used_len(&v, 0, 0), 5);
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x100, "input", 5), 0);
	chardev_fini(&chr);
	virtio_console_destroy(v.dev);
	vrig_fini(&v);
}

/* a backend that returns each frame with its addresses exchanged */
static uint32_t echo_prepare(struct net_backend *n, struct pollfd *fds,
			     uint32_t room, int *timeout)
{
	(void)n;
	(void)fds;
	(void)room;
	(void)timeout;
	return 0;
}

static void echo_dispatch(struct net_backend *n, const struct pollfd *fds,
			  uint32_t count)
{
	(void)n;
	(void)fds;
	(void)count;
}

static void echo_send(struct net_backend *n, const void *frame, size_t len)
{
	net_receive(n, frame, len);
}

static void echo_destroy(struct net_backend *n)
{
	(void)n;
}

TEST(virtio_net_moves_frames)
{
	struct net_backend echo = {
		.prepare = echo_prepare, .dispatch = echo_dispatch,
		.send = echo_send, .destroy = echo_destroy };
	struct vrig v;
	int err;

	vrig_init(&v);
	v.dev = virtio_net_create(&v.r.board, 0, &echo, &err);
	EXPECT_TRUE(v.dev);
	EXPECT_EQ(mmio_read(&v.r, v.base + 0x100, 1), 0x52);	/* MAC */
	bring_up(&v, 2, 0);
	desc(&v, 0, 0, BUF + 0x1000, 1526, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	memset(v.r.ram + BUF, 0, 12);
	memset(v.r.ram + BUF + 12, 'f', 60);
	desc(&v, 1, 0, BUF, 72, 0, 0);
	offer(&v, 1, 0);
	EXPECT_TRUE(wait_used(&v, 1, 1));
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(used_len(&v, 0, 0), 72);
	EXPECT_EQ(v.r.ram[BUF + 0x1000 + 10], 1);	/* num_buffers */
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x100c, v.r.ram + BUF + 12, 60), 0);
	virtio_net_destroy(v.dev);
	vrig_fini(&v);
}

/* a DHCP discover, as small as libslirp takes it */
static uint32_t dhcp_discover(uint8_t *p)
{
	uint8_t *ip = p + 14, *udp = ip + 20, *dhcp = udp + 8;
	const uint32_t dhcp_len = 240 + 4, len = 14 + 20 + 8 + dhcp_len;
	uint32_t sum = 0;

	memset(p, 0, len);
	memset(p, 0xff, 6);
	memcpy(p + 6, "\x52\x54\x00\x01\x02\x03\x08\x00", 8);
	ip[0] = 0x45;
	ip[2] = (len - 14) >> 8;
	ip[3] = (len - 14) & 0xff;
	ip[8] = 64;
	ip[9] = 17;
	memset(ip + 16, 0xff, 4);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = sum >> 8;
	ip[11] = sum;
	udp[1] = 68;
	udp[3] = 67;
	udp[4] = (8 + dhcp_len) >> 8;
	udp[5] = (8 + dhcp_len) & 0xff;
	dhcp[0] = 1;
	dhcp[1] = 1;
	dhcp[2] = 6;
	memcpy(dhcp + 28, p + 6, 6);
	memcpy(dhcp + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
	return len;
}

TEST(virtio_net_user_answers_dhcp)
{
	struct net_backend *user;
	struct vrig v;
	uint32_t len;
	int err;

	vrig_init(&v);
	user = net_user_create(&err);
	EXPECT_TRUE(user);
	v.dev = virtio_net_create(&v.r.board, 0, user, &err);
	bring_up(&v, 2, 0);
	desc(&v, 0, 0, BUF + 0x1000, 1600, VRING_DESC_F_WRITE, 0);
	offer(&v, 0, 0);
	memset(v.r.ram + BUF, 0, 12);
	len = dhcp_discover(v.r.ram + BUF + 12);
	desc(&v, 1, 0, BUF, len + 12, 0, 0);
	offer(&v, 1, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	/* yiaddr of the offer */
	EXPECT_EQ(memcmp(v.r.ram + BUF + 0x1000 + 12 + 42 + 16,
			 "\x0a\x00\x02\x0f", 4), 0);
	virtio_net_destroy(v.dev);
	vrig_fini(&v);
}

/* ---- balloon ------------------------------------------------------------------- */

#define FEAT_STATS	(1u << 1)
#define FEAT_REPORTING	(1u << 5)
#define VICTIM		0x80000u	/* a page that is given up */

static void balloon_init(struct vrig *v, uint32_t queues, uint32_t features)
{
	vrig_init(v);
	v->dev = virtio_balloon_create(&v->r.board, 0);
	bring_up(v, queues, features);
	memset(v->r.ram + VICTIM - 4096, 0x5a, 6 * 4096);
}

static uint8_t page_byte(struct vrig *v, uint32_t page)
{
	return v->r.ram[VICTIM + page * 4096];
}

TEST(balloon_gives_inflated_pages_back)
{
	const uint32_t pfn[] = { (VICTIM >> 12) + 1, (VICTIM >> 12) + 2, VICTIM >> 12,
				 0xfffffff0 };
	struct balloon_info info;
	struct vrig v;

	balloon_init(&v, 2, 0);
	log_on(&v);
	memcpy(v.r.ram + BUF, pfn, sizeof(pfn));
	desc(&v, 0, 0, BUF, sizeof(pfn), 0, 0);
	offer(&v, 0, 0);
	EXPECT_TRUE(wait_used(&v, 0, 1));
	EXPECT_EQ(page_byte(&v, -1), 0x5a);
	EXPECT_EQ(page_byte(&v, 0), 0);
	EXPECT_EQ(page_byte(&v, 1) + page_byte(&v, 2), 0);
	EXPECT_EQ(page_byte(&v, 3), 0x5a);
	EXPECT_EQ(fake.log[VICTIM >> 12] + fake.log[(VICTIM >> 12) + 2], 2);
	/* a page that isn't there is nobody's loss */
	virtio_balloon_query(v.dev, &info);
	EXPECT_EQ(info.discarded, 3 * 4096);
	/* deflating is answered and changes nothing */
	v.r.ram[VICTIM] = 7;
	desc(&v, 1, 0, BUF, sizeof(pfn), 0, 0);
	offer(&v, 1, 0);
	EXPECT_TRUE(wait_used(&v, 1, 1));
	EXPECT_EQ(page_byte(&v, 0), 7);
	virtio_balloon_destroy(v.dev);
	vrig_fini(&v);
}

TEST(balloon_target_is_a_configuration_change)
{
	struct balloon_info info;
	struct vrig v;
	uint32_t generation;

	balloon_init(&v, 2, 0);
	generation = get(&v, VIRTIO_MMIO_CONFIG_GENERATION);
	virtio_balloon_set(v.dev, 3 << 20);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_CONFIG), 768);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	EXPECT_EQ(get(&v, VIRTIO_MMIO_CONFIG_GENERATION), generation + 1);
	set(&v, VIRTIO_MMIO_CONFIG + 4, 512);
	set(&v, VIRTIO_MMIO_CONFIG, 1);		/* not the driver's */
	virtio_balloon_query(v.dev, &info);
	EXPECT_EQ(info.target, 3 << 20);
	EXPECT_EQ(info.actual, 2 << 20);
	virtio_balloon_destroy(v.dev);
	vrig_fini(&v);
}

/* without statistics the reporting queue takes their number */
static void report_pages(uint32_t queue, uint32_t features)
{
	struct balloon_info info;
	struct vrig v;

	balloon_init(&v, queue + 1, features);
	desc(&v, queue, 0, VICTIM, 4096, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	desc(&v, queue, 1, VICTIM + 2 * 4096, 8192, VRING_DESC_F_WRITE, 0);
	offer(&v, queue, 0);
	EXPECT_TRUE(wait_used(&v, queue, 1));
	EXPECT_EQ(page_byte(&v, 0), 0);
	EXPECT_EQ(page_byte(&v, 1), 0x5a);
	EXPECT_EQ(page_byte(&v, 2), 0);
	EXPECT_EQ(page_byte(&v, 3), 0);
	EXPECT_EQ(page_byte(&v, 4), 0x5a);
	virtio_balloon_query(v.dev, &info);
	EXPECT_EQ(info.reported, 3 * 4096);
	virtio_balloon_destroy(v.dev);
	vrig_fini(&v);
}

TEST(balloon_gives_reported_pages_back)
{
	report_pages(3, FEAT_STATS | FEAT_REPORTING);
	report_pages(2, FEAT_REPORTING);
}

TEST(balloon_statistics_are_asked_for_anew)
{
	const uint8_t stat[] = { 4, 0, 1, 2, 0, 0, 0, 0, 0, 0,		/* free */
				 99, 0, 1, 0, 0, 0, 0, 0, 0, 0,		/* unknown */
				 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7 };	/* total */
	struct balloon_info info = { 0 };
	struct vrig v;

	balloon_init(&v, 3, FEAT_STATS);
	memcpy(v.r.ram + BUF, stat, sizeof(stat));
	desc(&v, 2, 0, BUF, sizeof(stat), 0, 0);
	/* as Linux does it: the only notification comes before DRIVER_OK */
	set(&v, VIRTIO_MMIO_STATUS, 0xb);
	offer(&v, 2, 0);
	usleep(2000);
	set(&v, VIRTIO_MMIO_STATUS, OK_STATUS);
	for (int i = 0; i < 30000 && !info.stats; i++) {
		if (i)
			usleep(1000);
		virtio_balloon_query(v.dev, &info);
	}
	EXPECT_EQ(info.stats, 1 << 4 | 1 << 5);
	EXPECT_EQ(info.stat[4], 0x201);
	EXPECT_EQ(info.stat[5], 1ull << 32);
	/* the answer went with a request for the next */
	EXPECT_EQ(used_idx(&v, 2), 1);
	virtio_balloon_query(v.dev, &info);
	EXPECT_EQ(used_idx(&v, 2), 1);
	virtio_balloon_destroy(v.dev);
	vrig_fini(&v);
}
