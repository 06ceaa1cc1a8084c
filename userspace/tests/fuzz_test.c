// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile guest at random: the claim is only that nothing crashes, hangs or
 * touches memory that isn't the guest's, which the sanitizers see. The seed is
 * fixed; $LIMEN_FUZZ multiplies the number of rounds.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../devices/net.h"
#include "../loader/boot.h"
#include "test.h"

static uint64_t state = 0x9e3779b97f4a7c15ull;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t rounds(uint32_t n)
{
	const char *s = getenv("LIMEN_FUZZ");
	unsigned long k = s ? strtoul(s, NULL, 10) : 1;

	return n * (k && k < 10000 ? k : 1);
}

/* an address near something interesting */
static uint64_t address(void)
{
	static const uint64_t near[] = {
		0, 0x1000, FAKE_RAM, 0xd0000000, 0xfec00000, 0xfee00000,
		0xff000000, 1ull << 32, 1ull << 47, ~0ull };

	return near[rnd() % ARRAY_SIZE(near)] + (int64_t)(rnd() % 64) - 32;
}

static void noise(void *opaque, struct limen_access *a)
{
	(void)opaque;
	if (!a->write)
		a->data = rnd();
}

TEST(fuzz_mmio_instructions)
{
	const struct limen_region all = { .base = 0xd0000000, .len = 0x10000000,
					  .fn = noise };
	static const uint8_t mode[] = { 16, 32, 64 };
	struct rig r;
	uint32_t done = 0;

	rig_init(&r);
	EXPECT_EQ(limen_bus_add(r.bus, LIMEN_BUS_MMIO, &all), 0);
	for (uint32_t i = 0; i < rounds(200000); i++) {
		struct limen_run *run = r.run;
		int ret;

		for (int j = 0; j < LIMEN_NR_GPR; j++)
			run->regs.gpr[j] = rnd() & 1 ? rnd() : address();
		run->regs.rip = rnd() & 7 ? rnd() % 8192 : address();
		run->regs.rflags = rnd();
		run->mode = mode[rnd() % 3];
		run->exit = LIMEN_EXIT_MMIO;
		run->insn_bytes = rnd() % 20;
		for (int j = 0; j < 16; j++)
			run->insn[j] = rnd();
		/* opcodes of the instructions that have a rule */
		if (rnd() & 1)
			run->insn[0] = "\x89\x8b\x0f\xa4\xa5\xaa\xf3\xa6\x87\xff\x83\x66"[rnd() % 12];
		run->mmio.gpa = address();
		run->mmio.gva = rnd();
		run->mmio.access = rnd() & 3;
		run->mmio.has_gva = rnd() & 1;
		run->mmio.apic = rnd() & 1;
		run->mmio.vectoring = 0;
		ret = limen_complete_mmio(r.vcpu, r.bus);
		done += !ret;
		if (ret && ret != -ENOTSUP)
			EXPECT_EQ(ret, -ENOTSUP);
	}
	EXPECT_TRUE(done > 1000);
	rig_fini(&r);
}

TEST(fuzz_string_io)
{
	struct rig r;

	rig_init(&r);
	for (uint32_t i = 0; i < rounds(20000); i++) {
		struct limen_run *run = r.run;

		for (int j = 0; j < LIMEN_NR_GPR; j++)
			run->regs.gpr[j] = rnd() & 1 ? rnd() : address();
		run->regs.rflags = rnd();
		run->mode = rnd() & 1 ? 64 : 16;
		run->exit = LIMEN_EXIT_IO;
		run->io.port = rnd();
		run->io.size = 1 << rnd() % 3;
		run->io.in = rnd() & 1;
		run->io.string = 1;
		run->io.rep = rnd() & 1;
		run->io.addr_size = 2 << rnd() % 3;
		run->io.seg = rnd() % 6;
		EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	}
	rig_fini(&r);
}

struct all {
	struct chardev chr;
	struct irqchip *irqs;
	struct serial *serial;
	struct rtc *rtc;
	struct pit *pit;
	struct acpi_pm *pm;
	struct reset *reset;
	struct debug_ports *debug;
	struct fw_cfg *fw_cfg;
	struct testdev *testdev;
	struct virtio_dev *blk, *rng, *con, *net, *balloon;
};

static void all_create(struct rig *r, struct all *a)
{
	int fd = memfd_create("disk", 0), err = ftruncate(fd, 1 << 20);

	rig_init(r);
	err |= irqchip_create(&r->board, &a->irqs);
	err |= chardev_init(&a->chr, &r->board, -1, -1);
	err |= serial_create(&r->board, &a->chr, true, &a->serial);
	err |= rtc_create(&r->board, &a->rtc) | pit_create(&r->board, &a->pit);
	err |= acpi_pm_create(&r->board, &a->pm);
	err |= reset_create(&r->board, &a->reset);
	err |= debug_ports_create(&r->board, -1, &a->debug);
	err |= fw_cfg_create(&r->board, &a->fw_cfg);
	err |= testdev_create(&r->board, true, &a->testdev);
	a->blk = virtio_blk_create(&r->board, 0, fd, false, &err);
	a->rng = virtio_rng_create(&r->board, 1);
	a->con = virtio_console_create(&r->board, 2, &a->chr);
	a->net = virtio_net_create(&r->board, 3, net_user_create(&err), &err);
	a->balloon = virtio_balloon_create(&r->board, 4);
	EXPECT_EQ(err, 0);
}

static void all_destroy(struct rig *r, struct all *a)
{
	virtio_balloon_destroy(a->balloon);
	virtio_net_destroy(a->net);
	virtio_console_destroy(a->con);
	virtio_rng_destroy(a->rng);
	virtio_blk_destroy(a->blk);
	testdev_destroy(a->testdev);
	fw_cfg_destroy(a->fw_cfg);
	debug_ports_destroy(a->debug);
	reset_destroy(a->reset);
	acpi_pm_destroy(a->pm);
	pit_destroy(a->pit);
	rtc_destroy(a->rtc);
	serial_destroy(a->serial);
	irqchip_destroy(a->irqs);
	rig_fini(r);
}

TEST(fuzz_all_ports)
{
	static const uint16_t ports[] = {
		0x20, 0x40, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xe0, 0xe8, 0xf0, 0x3f8,
		0x4d0, 0x510, 0x600, 0xcf8, 0x2000, 0x2010, 0xfffe };
	struct all a;
	struct rig r;

	all_create(&r, &a);
	for (uint32_t i = 0; i < rounds(200000); i++) {
		uint16_t port = ports[rnd() % ARRAY_SIZE(ports)] + rnd() % 16;
		uint64_t data = rnd() & 1 ? rnd() : rnd() % 64;

		limen_bus_access(r.bus, LIMEN_BUS_PORT, port, 1 << rnd() % 3,
				 rnd() & 1, &data);
	}
	all_destroy(&r, &a);
}

/* a value that a ring or a register might hold */
static uint64_t plausible(void)
{
	switch (rnd() % 6) {
	case 0: return rnd();
	case 1: return rnd() % 16;
	case 2: return 1ull << rnd() % 64;
	case 3: return rnd() % FAKE_RAM & ~0xfull;
	case 4: return rnd() % 0x10000;
	default: return FAKE_RAM - rnd() % 64;
	}
}

static void bring_up(struct rig *r, uint64_t base)
{
	mmio_write(r, base + 0x70, 4, 0);
	mmio_write(r, base + 0x70, 4, 3);
	mmio_write(r, base + 0x24, 4, 0);
	mmio_write(r, base + 0x20, 4, (rnd() & 1) << 28 | (rnd() & 1) << 29 |
		   (rnd() & 0x22));
	mmio_write(r, base + 0x24, 4, 1);
	mmio_write(r, base + 0x20, 4, 1);
	mmio_write(r, base + 0x70, 4, 0xb);
	for (uint32_t q = 0; q < 4; q++) {
		mmio_write(r, base + 0x30, 4, q);
		mmio_write(r, base + 0x38, 4, 1 << rnd() % 9);
		mmio_write(r, base + 0x80, 4, 0x10000 + q * 0x8000);
		mmio_write(r, base + 0x90, 4, 0x12000 + q * 0x8000);
		mmio_write(r, base + 0xa0, 4, 0x14000 + q * 0x8000);
		mmio_write(r, base + 0x44, 4, 1);
	}
	mmio_write(r, base + 0x70, 4, 0xf);
}

/* descriptors that are nearly right, so the walk gets somewhere */
static void scramble(struct rig *r)
{
	for (uint32_t q = 0; q < 4; q++) {
		uint8_t *desc = r->ram + 0x10000 + q * 0x8000;

		for (uint32_t i = 0; i < 256; i++) {
			uint64_t addr = rnd() & 7 ? 0x40000 + rnd() % 0x1000 :
						    plausible();
			uint32_t len = rnd() & 7 ? rnd() % 2048 : plausible();
			uint16_t flags = rnd() & 7, next = rnd() % 300;

			if (rnd() & 3)
				flags &= 3;
			memcpy(desc + 16 * i, &addr, 8);
			memcpy(desc + 16 * i + 8, &len, 4);
			memcpy(desc + 16 * i + 12, &flags, 2);
			memcpy(desc + 16 * i + 14, &next, 2);
		}
		for (uint32_t i = 0; i < 260; i++) {
			uint16_t v = rnd() & 15 ? rnd() % 256 : rnd();

			memcpy(r->ram + 0x12000 + q * 0x8000 + 2 * i, &v, 2);
		}
	}
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t v = plausible();

		memcpy(r->ram + 0x40000 + 8 * i, &v, 8);
	}
}

TEST(fuzz_virtio)
{
	struct all a;
	struct rig r;

	all_create(&r, &a);
	for (uint32_t i = 0; i < rounds(1500); i++) {
		uint64_t base = VIRTIO_BASE + rnd() % 5 * VIRTIO_STRIDE;
		uint16_t idx = rnd() % 8;

		scramble(&r);
		bring_up(&r, base);
		for (uint32_t q = 0; q < 4; q++) {
			__atomic_store_n((uint16_t *)(r.ram + 0x12002 + q * 0x8000), idx,
					 __ATOMIC_RELEASE);
			mmio_write(&r, base + 0x50, 4, q);
		}
		for (uint32_t j = rnd() % 16; j; j--) {
			uint64_t data = plausible();

			limen_bus_access(r.bus, LIMEN_BUS_MMIO,
					 base + rnd() % 0x140, 1 << rnd() % 4,
					 rnd() & 1, &data);
		}
	}
	all_destroy(&r, &a);
}

TEST(fuzz_images)
{
	static const char *const heads[] = { "\177ELF\2\1\1", "\177ELF\1\1\1", "" };
	static uint8_t f[0x3000];
	struct rig r;
	char path[64];

	for (uint32_t i = 0; i < rounds(3000); i++) {
		const char *head = heads[rnd() % 3];
		int fd = memfd_create("image", 0);
		struct boot b;

		rig_init(&r);
		for (uint32_t j = 0; j < 0x900; j++)
			f[j] = rnd() & 3 ? 0 : rnd();
		memcpy(f, head, strlen(head));
		if (head[0]) {
			const uint16_t machine = head[4] == 2 ? 62 : 3;

			memcpy(f + 18, &machine, 2);
			f[head[4] == 2 ? 32 : 28] = 64;
			f[head[4] == 2 ? 54 : 42] = head[4] == 2 ? 56 : 32;
		} else {
			memcpy(f + 0x1fe, "\x55\xaa\xeb\x66HdrS\x0f\x02", 10);
			f[0x211] |= 1;
		}
		if (write(fd, f, sizeof(f)) != sizeof(f))
			abort();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		b = (struct boot){ .vm = r.vm, .kernel = path, .ram_low = FAKE_RAM,
				   .cpus = 1, .virtio_nr_gsi = 8 };
		if (!boot_load(&b))
			(void)boot_enter(&b, r.vcpu);
		close(fd);
		rig_fini(&r);
	}
}
