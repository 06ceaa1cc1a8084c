// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MMIO decoding against assembled bytes. The device is 4 KiB of memory at
 * DEVICE that records the width of each access.
 */
#include <errno.h>

#include "test.h"

#define DEVICE		0xd0000000ull
#define CODE		0x5000

static uint8_t dev_mem[8192];
static uint32_t reads, writes;
static uint32_t last_size;

static void device(void *opaque, struct limen_access *a)
{
	(void)opaque;
	last_size = a->size;
	if (a->write) {
		memcpy(dev_mem + a->addr, &a->data, a->size);
		writes++;
	} else {
		a->data = 0;
		memcpy(&a->data, dev_mem + a->addr, a->size);
		reads++;
	}
}

static void start(struct rig *r)
{
	const struct limen_region region = {
		.base = DEVICE, .len = sizeof(dev_mem), .fn = device };

	rig_init(r);
	EXPECT_EQ(limen_bus_add(r->bus, LIMEN_BUS_MMIO, &region), 0);
	memset(dev_mem, 0, sizeof(dev_mem));
	reads = 0;
	writes = 0;
	r->run->regs.rip = CODE;
	r->run->regs.rflags = 2;
	r->run->regs.gpr[LIMEN_RDI] = DEVICE;
}

static int exec(struct rig *r, const char *code, uint32_t len, bool write)
{
	r->run->exit = LIMEN_EXIT_MMIO;
	r->run->complete = 77;
	r->run->dirty = 77;
	r->run->insn_bytes = len;
	memset(&r->run->mmio, 0, sizeof(r->run->mmio));
	memset(r->run->insn, 0x90, sizeof(r->run->insn));
	memcpy(r->run->insn, code, len);
	r->run->mmio.gpa = DEVICE;
	r->run->mmio.access = write ? LIMEN_ACCESS_WRITE : LIMEN_ACCESS_READ;
	return limen_complete_mmio(r->vcpu, r->bus);
}

/* one instruction that must succeed */
#define RUN(r, code, write) do {					\
	EXPECT_EQ(exec(r, code, sizeof(code) - 1, write), 0);		\
	EXPECT_EQ((r)->run->complete, LIMEN_FULFIL);			\
	EXPECT_EQ((r)->run->dirty, LIMEN_DIRTY_REGS);			\
	EXPECT_EQ((r)->run->insn_len, sizeof(code) - 1);		\
} while (0)

static uint32_t dev32(uint32_t at)
{
	uint32_t v;

	memcpy(&v, dev_mem + at, 4);
	return v;
}

static void set_dev32(uint32_t at, uint32_t v)
{
	memcpy(dev_mem + at, &v, 4);
}

TEST(mmio_mov_store_and_load)
{
	struct rig r;

	start(&r);
	r.run->regs.gpr[LIMEN_RAX] = 0x1122334455667788;
	RUN(&r, "\x89\x07", true);			/* mov [rdi], eax */
	EXPECT_EQ(dev32(0), 0x55667788);
	EXPECT_EQ(last_size, 4);
	RUN(&r, "\x48\x89\x47\x08", true);		/* mov [rdi+8], rax */
	EXPECT_EQ(last_size, 8);
	RUN(&r, "\x88\x67\x04", true);			/* mov [rdi+4], ah */
	EXPECT_EQ(dev_mem[4], 0x77);
	RUN(&r, "\x66\xc7\x07\x34\x12", true);		/* mov word [rdi], 0x1234 */
	EXPECT_EQ(dev32(0), 0x55661234);
	r.run->regs.gpr[LIMEN_RCX] = ~0ull;
	RUN(&r, "\x8b\x0f", false);			/* mov ecx, [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 0x55661234);
	r.run->regs.gpr[LIMEN_RCX] = ~0ull;
	RUN(&r, "\x8a\x2f", false);			/* mov ch, [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 0xffffffffffff34ff);
	RUN(&r, "\x48\xc7\x07\xff\xff\xff\xff", true);	/* mov qword [rdi], -1 */
	EXPECT_EQ(dev32(4), 0xffffffff);
	rig_fini(&r);
}

TEST(mmio_moffs_and_rip_relative)
{
	struct rig r;

	start(&r);
	set_dev32(0, 0xcafe);
	/* mov eax, [0xd0000000] */
	RUN(&r, "\xa1\x00\x00\x00\xd0\x00\x00\x00\x00", false);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xcafe);
	/* mov eax, [rip + 0x10], from just below the device */
	set_dev32(0, 0xbeef);
	r.run->regs.rip = DEVICE - 0x16;
	RUN(&r, "\x8b\x05\x10\x00\x00\x00", false);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xbeef);
	rig_fini(&r);
}

TEST(mmio_extensions)
{
	struct rig r;

	start(&r);
	set_dev32(0, 0x80f0);
	RUN(&r, "\x0f\xb6\x07", false);			/* movzx eax, byte [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xf0);
	RUN(&r, "\x48\x0f\xbe\x07", false);		/* movsx rax, byte [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xfffffffffffffff0);
	RUN(&r, "\x0f\xbf\x07", false);			/* movsx eax, word [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xffff80f0);
	set_dev32(0, 0x80000000);
	RUN(&r, "\x48\x63\x07", false);			/* movsxd rax, [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0xffffffff80000000);
	RUN(&r, "\x0f\x38\xf0\x07", false);		/* movbe eax, [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 0x80);
	rig_fini(&r);
}

TEST(mmio_arithmetic_sets_flags)
{
	struct rig r;

	start(&r);
	set_dev32(0, 0x7fffffff);
	RUN(&r, "\xf0\xff\x07", true);			/* lock inc dword [rdi] */
	EXPECT_EQ(dev32(0), 0x80000000);
	EXPECT_EQ(r.run->regs.rflags & FLAGS_STATUS,
		  FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF);
	r.run->regs.gpr[LIMEN_RAX] = 0x80000000;
	RUN(&r, "\x01\x07", true);			/* add [rdi], eax */
	EXPECT_EQ(dev32(0), 0);
	EXPECT_EQ(r.run->regs.rflags & FLAGS_STATUS,
		  FLAG_OF | FLAG_CF | FLAG_ZF | FLAG_PF);
	RUN(&r, "\x83\x17\x05", true);			/* adc dword [rdi], 5 */
	EXPECT_EQ(dev32(0), 6);
	RUN(&r, "\x83\x3f\x07", false);			/* cmp dword [rdi], 7 */
	EXPECT_EQ(r.run->regs.rflags & (FLAG_CF | FLAG_ZF), FLAG_CF);
	writes = 0;
	RUN(&r, "\xf6\x07\x06", false);			/* test byte [rdi], 6 */
	EXPECT_EQ(r.run->regs.rflags & FLAG_ZF, 0);
	EXPECT_EQ(writes, 0);
	RUN(&r, "\xf7\x17", true);			/* not dword [rdi] */
	EXPECT_EQ(dev32(0), ~6u);
	RUN(&r, "\xf7\x1f", true);			/* neg dword [rdi] */
	EXPECT_EQ(dev32(0), 7);
	r.run->regs.gpr[LIMEN_RDX] = 3;
	RUN(&r, "\x33\x17", false);			/* xor edx, [rdi] */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RDX], 4);
	rig_fini(&r);
}

TEST(mmio_exchanges)
{
	struct rig r;

	start(&r);
	set_dev32(0, 5);
	r.run->regs.gpr[LIMEN_RBX] = 9;
	RUN(&r, "\x87\x1f", true);			/* xchg [rdi], ebx */
	EXPECT_EQ(dev32(0), 9);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RBX], 5);
	RUN(&r, "\x0f\xc1\x1f", true);			/* xadd [rdi], ebx */
	EXPECT_EQ(dev32(0), 14);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RBX], 9);
	r.run->regs.gpr[LIMEN_RAX] = 14;
	RUN(&r, "\xf0\x0f\xb1\x1f", true);		/* lock cmpxchg [rdi], ebx */
	EXPECT_EQ(dev32(0), 9);
	EXPECT_TRUE(r.run->regs.rflags & FLAG_ZF);
	r.run->regs.gpr[LIMEN_RAX] = 1;
	RUN(&r, "\x0f\xb1\x1f", true);
	EXPECT_EQ(dev32(0), 9);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RAX], 9);
	EXPECT_EQ(r.run->regs.rflags & FLAG_ZF, 0);
	rig_fini(&r);
}

TEST(mmio_bit_strings)
{
	struct rig r;

	start(&r);
	RUN(&r, "\x0f\xba\x2f\x23", true);		/* bts dword [rdi], 0x23 */
	EXPECT_EQ(dev32(0), 8);				/* modulo 32 */
	r.run->regs.gpr[LIMEN_RAX] = 0x23;
	RUN(&r, "\x0f\xab\x07", true);			/* bts [rdi], eax */
	EXPECT_EQ(dev32(4), 8);				/* the next word */
	EXPECT_EQ(r.run->regs.rflags & FLAG_CF, 0);
	RUN(&r, "\x0f\xa3\x07", false);			/* bt [rdi], eax */
	EXPECT_TRUE(r.run->regs.rflags & FLAG_CF);
	r.run->regs.gpr[LIMEN_RDI] = DEVICE + 8;
	r.run->regs.gpr[LIMEN_RAX] = (uint32_t)-29;	/* signed: one word back */
	RUN(&r, "\x0f\xb3\x07", true);			/* btr [rdi], eax */
	EXPECT_EQ(dev32(4), 0);
	rig_fini(&r);
}

TEST(mmio_rep_movs_from_device_to_memory)
{
	struct rig r;

	start(&r);
	for (int i = 0; i < 8; i++)
		set_dev32(4 * i, 0x100 + i);
	r.run->regs.gpr[LIMEN_RSI] = DEVICE;
	r.run->regs.gpr[LIMEN_RDI] = 0x2000;
	r.run->regs.gpr[LIMEN_RCX] = 8;
	RUN(&r, "\xf3\xa5", false);			/* rep movsd */
	EXPECT_EQ(memcmp(r.ram + 0x2000, dev_mem, 32), 0);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 0);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RSI], DEVICE + 32);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RDI], 0x2020);
	rig_fini(&r);
}

TEST(mmio_movs_between_devices)
{
	struct rig r;

	start(&r);
	set_dev32(0, 0x77);
	r.run->regs.gpr[LIMEN_RSI] = DEVICE;
	r.run->regs.gpr[LIMEN_RDI] = DEVICE + 0x100;
	RUN(&r, "\xa4", false);				/* movsb */
	EXPECT_EQ(dev_mem[0x100], 0x77);
	EXPECT_EQ(reads + writes, 2);
	rig_fini(&r);
}

TEST(mmio_rep_stos_stops_at_a_fault_with_progress)
{
	struct rig r;

	start(&r);
	fake.page[0] = (struct fake_page){
		.gva = DEVICE + 0x1000, .fault = LIMEN_EVENT_VALID |
		LIMEN_EVENT_ERROR | LIMEN_TYPE_EXCEPTION << 8 | 14, .error = 2 };
	fake.nr_pages = 1;
	r.run->regs.gpr[LIMEN_RDI] = DEVICE + 0xff0;
	r.run->regs.gpr[LIMEN_RCX] = 100;
	r.run->regs.gpr[LIMEN_RAX] = 0xaa;
	EXPECT_EQ(exec(&r, "\xf3\xaa", 2, true), 0);	/* rep stosb */
	EXPECT_EQ(writes, 16);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 84);
	EXPECT_EQ(r.run->complete, LIMEN_DISCARD);
	EXPECT_EQ(r.run->dirty, LIMEN_DIRTY_REGS);
	EXPECT_EQ(fake.events.exception_payload, DEVICE + 0x1000);
	rig_fini(&r);
}

TEST(mmio_long_rep_is_repeated_by_the_guest)
{
	struct rig r;

	start(&r);
	r.run->regs.gpr[LIMEN_RCX] = 4000;
	EXPECT_EQ(exec(&r, "\xf3\xaa", 2, true), 0);
	EXPECT_EQ(r.run->complete, LIMEN_DISCARD);
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX] + writes, 4000);
	rig_fini(&r);
}

TEST(mmio_repe_cmps_ends_on_difference)
{
	struct rig r;

	start(&r);
	memcpy(dev_mem, "abcX", 4);
	memcpy(r.ram + 0x2000, "abcd", 4);
	r.run->regs.gpr[LIMEN_RSI] = DEVICE;
	r.run->regs.gpr[LIMEN_RDI] = 0x2000;
	r.run->regs.gpr[LIMEN_RCX] = 10;
	RUN(&r, "\xf3\xa6", false);			/* repe cmpsb */
	EXPECT_EQ(r.run->regs.gpr[LIMEN_RCX], 6);
	EXPECT_EQ(r.run->regs.rflags & (FLAG_ZF | FLAG_CF), FLAG_CF);
	rig_fini(&r);
}

TEST(mmio_access_across_the_edge_of_memory)
{
	struct rig r;

	start(&r);
	/* the page after RAM's last is the device, by the guest's tables */
	fake.page[0] = (struct fake_page){ .gva = 0x10000, .gpa = FAKE_RAM - 4096 };
	fake.page[1] = (struct fake_page){ .gva = 0x11000, .gpa = DEVICE };
	fake.nr_pages = 2;
	r.run->regs.gpr[LIMEN_RDI] = 0x10ffe;
	r.run->regs.gpr[LIMEN_RAX] = 0x44332211;
	RUN(&r, "\x89\x07", true);			/* mov [rdi], eax */
	EXPECT_EQ(r.ram[FAKE_RAM - 2], 0x11);
	EXPECT_EQ(r.ram[FAKE_RAM - 1], 0x22);
	EXPECT_EQ(dev_mem[0], 0x33);
	EXPECT_EQ(dev_mem[1], 0x44);
	rig_fini(&r);
}

TEST(mmio_sse_moves)
{
	struct rig r;

	start(&r);
	for (int i = 0; i < 16; i++)
		fake.xsave[160 + 16 + i] = i;
	RUN(&r, "\x0f\x11\x0f", true);			/* movups [rdi], xmm1 */
	EXPECT_EQ(memcmp(dev_mem, fake.xsave + 176, 16), 0);
	fake.regs = r.run->regs;
	memset(fake.xsave + 160 + 32, 0xff, 16);
	EXPECT_EQ(exec(&r, "\x66\x0f\x6f\x17", 4, false), 0); /* movdqa xmm2, [rdi] */
	EXPECT_EQ(memcmp(fake.xsave + 192, dev_mem, 16), 0);
	EXPECT_EQ(fake.xsave[512] & 2, 2);
	EXPECT_EQ(fake.regs.rip, CODE + 4);
	EXPECT_EQ(r.run->complete, LIMEN_DISCARD);
	EXPECT_EQ(r.run->dirty, 0);
	rig_fini(&r);
}

TEST(mmio_apic_accesses_go_to_the_kernel)
{
	struct rig r;

	start(&r);
	r.run->regs.gpr[LIMEN_RDI] = 0xfee00080;
	r.run->regs.gpr[LIMEN_RAX] = 0x20;
	r.run->exit = LIMEN_EXIT_MMIO;
	memset(&r.run->mmio, 0, sizeof(r.run->mmio));
	memcpy(r.run->insn, "\x09\x07", 2);		/* or [rdi], eax */
	r.run->insn_bytes = 2;
	r.run->mmio.gpa = 0xfee00080;
	r.run->mmio.access = LIMEN_ACCESS_WRITE;
	r.run->mmio.apic = 1;
	fake.apic_value = 0x10;
	EXPECT_EQ(limen_complete_mmio(r.vcpu, r.bus), 0);
	EXPECT_EQ(fake.apic_writes, 1);
	EXPECT_EQ(fake.apic_offset, 0x80);
	EXPECT_EQ(fake.apic_value, 0x30);
	rig_fini(&r);
}

TEST(mmio_fetches_bytes_that_the_cpu_did_not_give)
{
	struct rig r;

	start(&r);
	/* mov dword [rdi+0x12345678-...], imm32 across a page boundary */
	memcpy(r.ram + 0x5ffc, "\xc7\x87\x04\x00\x00\x00\x78\x56\x34\x12", 10);
	r.run->regs.rip = 0x5ffc;
	EXPECT_EQ(exec(&r, "", 0, true), 0);
	EXPECT_EQ(dev32(4), 0x12345678);
	EXPECT_EQ(r.run->insn_len, 10);
	rig_fini(&r);
}

TEST(mmio_16_and_32_bit_addressing)
{
	struct rig r;

	start(&r);
	r.run->mode = 16;
	r.run->ds_base = DEVICE;
	r.run->regs.gpr[LIMEN_RBX] = 0x10010;
	r.run->regs.gpr[LIMEN_RSI] = 0x4;
	r.run->regs.gpr[LIMEN_RAX] = 0x1234;
	RUN(&r, "\x89\x00", true);			/* mov [bx+si], ax */
	EXPECT_EQ(dev32(0x14), 0x1234);
	r.run->mode = 32;
	r.run->ds_base = 0x1000;
	r.run->regs.gpr[LIMEN_RDI] = DEVICE - 0x1000;
	RUN(&r, "\x89\x07", true);			/* mov [edi], eax */
	EXPECT_EQ(dev32(0), 0x1234);
	rig_fini(&r);
}

TEST(mmio_unknown_instruction_is_an_error_with_its_bytes)
{
	struct rig r;

	start(&r);
	EXPECT_EQ(exec(&r, "\x0f\xae\x27", 3, true), -ENOTSUP);	/* xsave [rdi] */
	EXPECT_TRUE(strstr(limen_vcpu_why(r.vcpu), "0f ae 27"));
	EXPECT_EQ(exec(&r, "\x0f\x0b", 2, true), -ENOTSUP);	/* ud2 */
	EXPECT_EQ(exec(&r, "\x8c\x1f", 2, true), -ENOTSUP);	/* mov [rdi], ds */
	rig_fini(&r);
}

TEST(mmio_during_event_delivery_is_refused)
{
	struct rig r;

	start(&r);
	r.run->exit = LIMEN_EXIT_MMIO;
	memset(&r.run->mmio, 0, sizeof(r.run->mmio));
	r.run->mmio.vectoring = 1;
	EXPECT_EQ(limen_complete_mmio(r.vcpu, r.bus), -ENOTSUP);
	r.run->mmio.vectoring = 0;
	r.run->mmio.access = LIMEN_ACCESS_EXEC;
	EXPECT_EQ(limen_complete_mmio(r.vcpu, r.bus), -ENOTSUP);
	rig_fini(&r);
}
