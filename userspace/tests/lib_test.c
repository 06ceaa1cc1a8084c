// SPDX-License-Identifier: GPL-2.0-or-later
/* The library below the instruction level: bus, memory, CPUID, loop, string I/O. */
#include <errno.h>

#include "test.h"

static struct limen_access seen[8];
static uint32_t nr_seen;

static void record(void *opaque, struct limen_access *a)
{
	(void)opaque;
	if (!a->write)
		a->data = 0x1122334455667788ull + nr_seen;
	if (nr_seen < 8)
		seen[nr_seen] = *a;
	nr_seen++;
}

static void add(struct rig *r, int space, uint64_t base, uint64_t len,
		uint8_t max)
{
	const struct limen_region region = {
		.base = base, .len = len, .max_size = max, .fn = record };

	EXPECT_EQ(limen_bus_add(r->bus, space, &region), 0);
	nr_seen = 0;
}

TEST(bus_splits_an_access_that_is_too_wide)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x70, 2, 1);
	outl(&r, 0x70, 0xaabbccdd);
	EXPECT_EQ(nr_seen, 2);
	EXPECT_EQ(seen[0].addr, 0);
	EXPECT_EQ(seen[0].data, 0xdd);
	EXPECT_EQ(seen[1].addr, 1);
	EXPECT_EQ(seen[1].data, 0xcc);
	nr_seen = 0;
	/* what no device answers reads as ones */
	EXPECT_EQ(inl(&r, 0x70), 0xffff8988);
	rig_fini(&r);
}

TEST(bus_reads_ones_where_nothing_is)
{
	struct rig r;
	uint64_t v = 0;

	rig_init(&r);
	EXPECT_EQ(inb(&r, 0x1234), 0xff);
	EXPECT_EQ(limen_bus_access(r.bus, LIMEN_BUS_MMIO, ~7ull, 8, false, &v),
		  false);
	EXPECT_EQ(v, ~0ull);
	rig_fini(&r);
}

TEST(bus_refuses_overlap_and_wrap)
{
	const struct limen_region over = { .base = 0x71, .len = 4, .fn = record };
	const struct limen_region wrap = { .base = 0xffff, .len = 2, .fn = record };
	const struct limen_region none = { .base = 0x10, .len = 0, .fn = record };
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x70, 2, 0);
	EXPECT_EQ(limen_bus_add(r.bus, LIMEN_BUS_PORT, &over), -EEXIST);
	EXPECT_EQ(limen_bus_add(r.bus, LIMEN_BUS_PORT, &wrap), -EINVAL);
	EXPECT_EQ(limen_bus_add(r.bus, LIMEN_BUS_PORT, &none), -EINVAL);
	rig_fini(&r);
}

TEST(gpa_ptr_is_bounded_by_its_range)
{
	struct rig r;

	rig_init(&r);
	EXPECT_TRUE(limen_gpa_ptr(r.vm, 0, FAKE_RAM, true));
	EXPECT_TRUE(!limen_gpa_ptr(r.vm, 0, FAKE_RAM + 1, true));
	EXPECT_TRUE(!limen_gpa_ptr(r.vm, FAKE_RAM, 0, true));
	EXPECT_TRUE(!limen_gpa_ptr(r.vm, 1, ~0ull, true));
	EXPECT_EQ(limen_protect(r.vm, 0, FAKE_RAM, LIMEN_MEM_READ), 0);
	EXPECT_TRUE(!limen_gpa_ptr(r.vm, 0, 1, true));
	EXPECT_TRUE(limen_gpa_ptr(r.vm, 0, 1, false));
	EXPECT_EQ(limen_protect(r.vm, 0, 4096, LIMEN_MEM_READ), -ENOENT);
	rig_fini(&r);
}

TEST(what_this_process_writes_is_marked_where_a_log_is)
{
	const uint64_t far = 1ull << 40;
	uint64_t bits = 0, count = 0, len = (1ull << 36) + 8192;
	struct rig r;

	rig_init(&r);
	/* no log: no call */
	EXPECT_EQ(limen_gpa_write(r.vm, 0x1ffe, "abcd", 4), 0);
	EXPECT_EQ(limen_dirty_mark(r.vm, 0, ~0ull), 0);
	EXPECT_EQ(fake.dirties, 0);
	EXPECT_EQ(limen_protect(r.vm, 0, FAKE_RAM, LIMEN_MEM_READ | LIMEN_MEM_LOG), 0);
	/* whole pages, of both that it touches */
	EXPECT_EQ(limen_gpa_write(r.vm, 0x1ffe, "abcd", 4), 0);
	EXPECT_EQ(fake.dirties, 1);
	EXPECT_EQ(fake.dirty.op, LIMEN_DIRTY_MARK);
	EXPECT_EQ(fake.dirty.gpa, 0x1000);
	EXPECT_EQ(fake.dirty.len, 0x2000);
	EXPECT_EQ(fake.dirty.bitmap, 0);
	/* no more than the range has */
	EXPECT_EQ(limen_dirty_mark(r.vm, FAKE_RAM - 1, 100), 0);
	EXPECT_EQ(fake.dirty.gpa, FAKE_RAM - 4096);
	EXPECT_EQ(fake.dirty.len, 4096);
	EXPECT_EQ(limen_dirty_mark(r.vm, 2, ~0ull), -EINVAL);
	EXPECT_EQ(limen_dirty_mark(r.vm, 1, 0), 0);
	EXPECT_EQ(fake.dirties, 2);
	/* in parts that the call takes */
	EXPECT_EQ(limen_map(r.vm, far, len, LIMEN_MEM_READ | LIMEN_MEM_LOG, r.ram), 0);
	EXPECT_EQ(limen_dirty_mark(r.vm, far, len), 0);
	EXPECT_EQ(fake.dirties, 4);
	EXPECT_EQ(fake.dirty.gpa, far + LIMEN_MAX_DIRTY);
	EXPECT_EQ(fake.dirty.len, 8192);

	EXPECT_EQ(limen_dirty_get(r.vm, 0, 8192, false, &bits, NULL), 0);
	EXPECT_EQ(fake.dirty.op, LIMEN_DIRTY_GET);
	EXPECT_EQ(limen_dirty_get(r.vm, 0, 8192, true, &bits, &count), 0);
	EXPECT_EQ(fake.dirty.op, LIMEN_DIRTY_GET_AND_CLEAR);
	EXPECT_EQ(bits, 5);
	EXPECT_EQ(count, 2);
	EXPECT_EQ(limen_dirty_clear(r.vm, 4096, 4096, &bits), 0);
	EXPECT_EQ(fake.dirty.op, LIMEN_DIRTY_CLEAR);
	EXPECT_EQ(fake.dirty.gpa, 4096);
	rig_fini(&r);
}

TEST(ring_is_read_around_its_end_and_given_back)
{
	struct limen_ring *ring;
	uint64_t gpa[8], *entry;
	struct rig r;

	rig_init(&r);
	EXPECT_EQ(limen_ring_create(r.vcpu, 1024, &ring), 0);
	entry = (uint64_t *)((char *)fake.ring + LIMEN_RING_ENTRIES);
	EXPECT_EQ(limen_ring_read(ring, gpa, 8), 0);
	/* three entries, around the end of the ring and of the numbers */
	fake.ring->tail = -2u;
	fake.ring->head = 1;
	entry[1022] = 0x1000;
	entry[1023] = 0x2000;
	entry[0] = 0x3000;
	EXPECT_EQ(limen_ring_read(ring, gpa, 2), 2);
	EXPECT_EQ(gpa[0], 0x1000);
	EXPECT_EQ(gpa[1], 0x2000);
	EXPECT_EQ(limen_ring_read(ring, gpa, 8), 1);
	EXPECT_EQ(gpa[0], 0x3000);
	EXPECT_EQ(limen_ring_read(ring, gpa, 8), 0);
	EXPECT_EQ(limen_ring_taken(ring), 0);
	EXPECT_EQ(fake.ring->tail, 1);
	EXPECT_EQ(limen_ring_read(ring, gpa, 8), 0);
	fake.ring->missed = 3;
	EXPECT_EQ(limen_ring_missed(ring), 3);
	limen_ring_destroy(ring);
	rig_fini(&r);
}

TEST(cpuid_edit_knows_what_is_offered)
{
	struct limen_cpuid_table offered, t;
	struct rig r;
	char bad[32];

	rig_init(&r);
	EXPECT_EQ(limen_cpuid_offered(r.dev, &offered), 0);
	t = offered;
	EXPECT_EQ(limen_cpuid_edit(&t, &offered, "-x2apic,-invtsc", bad, 32), 0);
	EXPECT_EQ(limen_cpuid_find(&t, 1, 0)->ecx, 1u << 31);
	EXPECT_EQ(limen_cpuid_find(&t, 0x80000007, 0)->edx, 0);
	EXPECT_EQ(limen_cpuid_edit(&t, &offered, "+x2apic", bad, 32), 0);
	EXPECT_EQ(limen_cpuid_edit(&t, &offered, "+avx", bad, 32), -EOPNOTSUPP);
	EXPECT_EQ(strcmp(bad, "+avx"), 0);
	EXPECT_EQ(limen_cpuid_edit(&t, &offered, "+nonsense", bad, 32), -EINVAL);
	EXPECT_EQ(limen_cpuid_edit(&t, &offered, "avx", bad, 32), -EINVAL);
	rig_fini(&r);
}

TEST(cpuid_topology_gives_each_vcpu_its_id)
{
	struct limen_cpuid_table t;
	struct rig r;

	rig_init(&r);
	EXPECT_EQ(limen_cpuid_offered(r.dev, &t), 0);
	limen_cpuid_topology(&t, 2, 3);
	EXPECT_EQ(limen_cpuid_find(&t, 1, 0)->ebx, 2u << 24 | 4u << 16);
	EXPECT_EQ(limen_cpuid_find(&t, 0xb, 1)->eax, 2);
	EXPECT_EQ(limen_cpuid_find(&t, 0xb, 1)->ebx, 3);
	EXPECT_EQ(limen_cpuid_find(&t, 0xb, 1)->ecx, 0x201);
	EXPECT_EQ(limen_cpuid_find(&t, 0xb, 0)->edx, 2);
	EXPECT_TRUE(!limen_cpuid_find(&t, 0x1f, 0));
	rig_fini(&r);
}

/* ---- ports ------------------------------------------------------------------ */

static void set_io(struct rig *r, bool in, bool string, uint8_t size)
{
	r->run->exit = LIMEN_EXIT_IO;
	r->run->io.port = 0x300;
	r->run->io.size = size;
	r->run->io.in = in;
	r->run->io.string = string;
	r->run->io.addr_size = 8;
	r->run->io.seg = LIMEN_DS;
}

TEST(io_in_and_out)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	set_io(&r, true, false, 2);
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	EXPECT_EQ(r.run->io.data, 0x7788);
	EXPECT_EQ(r.run->complete, LIMEN_FULFIL);
	set_io(&r, false, false, 4);
	r.run->io.data = 0xdeadbeef;
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	EXPECT_EQ(seen[1].data, 0xdeadbeef);
	rig_fini(&r);
}

TEST(io_rep_outs_moves_registers_backwards)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	set_io(&r, false, true, 2);
	r.run->io.rep = 1;
	r.run->regs.rflags = 1 << 10;
	r.run->regs.gpr[LIMEN_RSI] = 0x1002;
	r.run->regs.gpr[LIMEN_RCX] = 2;
	memcpy(r.ram + 0x1000, "\x11\x22\x33\x44", 4);
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	EXPECT_EQ(nr_seen, 2);
	EXPECT_EQ(seen[0].data, 0x4433);
	EXPECT_EQ(seen[1].data, 0x2211);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RSI], 0xffe);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 0);
	EXPECT_EQ(r.run->io.last, 1);
	EXPECT_EQ(r.run->dirty, LIMEN_DIRTY_REGS);
	/* one page, one translation */
	EXPECT_EQ(fake.translations, 1);
	rig_fini(&r);
}

TEST(io_rep_ins_stops_at_a_fault_with_progress)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	set_io(&r, true, true, 4);
	r.run->io.rep = 1;
	r.run->regs.gpr[LIMEN_RDI] = 0x1ff8;
	r.run->regs.gpr[LIMEN_RCX] = 4;
	fake.page[0] = (struct fake_page){
		.gva = 0x2000, .fault = LIMEN_EVENT_VALID | LIMEN_EVENT_ERROR |
		LIMEN_TYPE_EXCEPTION << 8 | 14, .error = 2 };
	fake.nr_pages = 1;
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	/* two elements fit; the third must not touch the port */
	EXPECT_EQ(nr_seen, 2);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RDI], 0x2000);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 2);
	EXPECT_EQ(r.run->complete, LIMEN_DISCARD);
	EXPECT_EQ(r.run->dirty, LIMEN_DIRTY_REGS);
	EXPECT_EQ(fake.events.exception & 0xff, 14);
	EXPECT_EQ(fake.events.exception_error, 2);
	EXPECT_EQ(fake.events.exception_payload, 0x2000);
	rig_fini(&r);
}

TEST(io_string_with_16_bit_addresses_wraps_in_its_segment)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	set_io(&r, false, true, 1);
	r.run->mode = 16;
	r.run->ds_base = 0x10000;
	r.run->io.rep = 1;
	r.run->io.addr_size = 2;
	r.run->regs.gpr[LIMEN_RSI] = 0xabcdffff;
	r.run->regs.gpr[LIMEN_RCX] = 0x70002;
	r.ram[0x1ffff] = 0x5a;
	r.ram[0x10000] = 0xa5;
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	EXPECT_EQ(nr_seen, 2);
	EXPECT_EQ(seen[0].data, 0x5a);
	EXPECT_EQ(seen[1].data, 0xa5);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RSI], 0xabcd0001);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 0x70000);
	rig_fini(&r);
}

TEST(io_long_rep_is_done_in_portions)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	set_io(&r, false, true, 1);
	r.run->io.rep = 1;
	r.run->regs.gpr[LIMEN_RCX] = 5000;
	EXPECT_EQ(limen_complete_io(r.vcpu, r.bus), 0);
	EXPECT_EQ(r.run->io.last, 0);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX] + nr_seen, 5000);
	EXPECT_TRUE(nr_seen >= 512 && nr_seen <= 4096);
	rig_fini(&r);
}

/* ---- the loop ---------------------------------------------------------------- */

static uint32_t runs;

static int script(struct limen_run *run)
{
	runs++;
	if (runs == 1)
		return -EINTR;
	if (runs == 2) {
		run->exit = LIMEN_EXIT_IO;
		run->io.port = 0x300;
		run->io.size = 1;
		run->io.in = 0;
		run->io.string = 0;
		return 0;
	}
	run->exit = LIMEN_EXIT_SHUTDOWN;
	return 0;
}

TEST(loop_completes_io_and_ends_with_a_triple_fault)
{
	struct rig r;

	rig_init(&r);
	add(&r, LIMEN_BUS_PORT, 0x300, 4, 4);
	runs = 0;
	fake.run = script;
	EXPECT_EQ(limen_vcpu_loop(r.vcpu, r.bus, NULL), LIMEN_EXIT_SHUTDOWN);
	EXPECT_EQ(nr_seen, 1);
	EXPECT_TRUE(strstr(limen_vcpu_why(r.vcpu), "triple fault"));
	rig_fini(&r);
}
