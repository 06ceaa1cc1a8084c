// SPDX-License-Identifier: GPL-2.0-only
/* Instruction bytes: the table of what is read, and that nothing else is. */
#include <linux/prandom.h>

#include "../insn.c"
#include "fake.h"

#define BYTES(...)	{ __VA_ARGS__ }, sizeof((u8[]){ __VA_ARGS__ })

/* A copy with nothing behind it: KASAN sees a read past the end. */
static const u8 *exact(struct kunit *test, const u8 *bytes, int n)
{
	u8 *copy = kunit_kmalloc(test, max(n, 1), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, bytes, n);
	return copy;
}

static void instructions_that_exit_have_their_length(struct kunit *test)
{
	static const struct { enum limen_kind kind; u8 b[15]; int n; } insn[] = {
		{ LIMEN_KIND_CPUID, BYTES(0x0f, 0xa2) },
		{ LIMEN_KIND_CPUID, BYTES(0x66, 0x48, 0x0f, 0xa2) },
		{ LIMEN_KIND_RDMSR, BYTES(0x0f, 0x32) },
		{ LIMEN_KIND_WRMSR, BYTES(0x0f, 0x30) },
		{ LIMEN_KIND_HLT, BYTES(0xf4) },
		{ LIMEN_KIND_HLT, BYTES(0x2e, 0x67, 0xf4) },
		{ LIMEN_KIND_PAUSE, BYTES(0xf3, 0x90) },
		{ LIMEN_KIND_CACHE, BYTES(0x0f, 0x08) },
		{ LIMEN_KIND_CACHE, BYTES(0x0f, 0x09) },
		{ LIMEN_KIND_CACHE, BYTES(0xf3, 0x0f, 0x09) },
		{ LIMEN_KIND_XSETBV, BYTES(0x0f, 0x01, 0xd1) },
		{ LIMEN_KIND_HYPERCALL, BYTES(0x0f, 0x01, 0xc1) },
		{ LIMEN_KIND_HYPERCALL, BYTES(0x0f, 0x01, 0xd9) },
	};
	int i, n;

	for (i = 0; i < ARRAY_SIZE(insn); i++) {
		struct limen_exit exit = { .kind = insn[i].kind };

		KUNIT_EXPECT_EQ_MSG(test, 0,
				    limen_insn_complete(&exit, insn[i].b, 15, 64),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.insn_len, insn[i].n, "row %d", i);
		for (n = 0; n < insn[i].n; n++)
			KUNIT_EXPECT_EQ(test, -EINVAL,
					limen_insn_complete(&exit,
							    exact(test, insn[i].b, n),
							    n, 64));
	}
}

static void bytes_of_another_instruction_are_refused(struct kunit *test)
{
	static const u8 nop[15] = { 0x90, 0x90 };
	static const u8 cpuid[15] = { 0x0f, 0xa2 };
	enum limen_kind kind;

	for (kind = 0; kind < LIMEN_NR_KIND; kind++) {
		struct limen_exit exit = { .kind = kind };

		if (kind != LIMEN_KIND_PAUSE)
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    limen_insn_complete(&exit, nop, 15, 64),
					    "kind %d", kind);
		if (kind != LIMEN_KIND_CPUID)
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    limen_insn_complete(&exit, cpuid, 15, 64),
					    "kind %d", kind);
	}
}

static void rex_is_a_prefix_in_64_bit_code_only(struct kunit *test)
{
	static const u8 bytes[] = { 0x48, 0x0f, 0xa2 };
	struct limen_exit exit = { .kind = LIMEN_KIND_CPUID };

	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, bytes, 3, 64), 0);
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, bytes, 3, 32), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, bytes, 3, 16), -EINVAL);
}

static void mov_cr_names_register_and_direction(struct kunit *test)
{
	static const struct {
		u8 b[15]; int n; u8 nr; u8 op; u8 gpr;
	} insn[] = {
		{ BYTES(0x0f, 0x22, 0xc0), 0, LIMEN_CR_WRITE, LIMEN_RAX },
		{ BYTES(0x0f, 0x20, 0xe3), 4, LIMEN_CR_READ, LIMEN_RBX },
		{ BYTES(0x41, 0x0f, 0x22, 0xdf), 3, LIMEN_CR_WRITE, LIMEN_R15 },
		{ BYTES(0x44, 0x0f, 0x22, 0xc7), 8, LIMEN_CR_WRITE, LIMEN_RDI },
		/* the mod bits are ignored */
		{ BYTES(0x0f, 0x22, 0x00), 0, LIMEN_CR_WRITE, LIMEN_RAX },
		{ BYTES(0x0f, 0x06), 0, LIMEN_CR_CLTS, 0 },
		{ BYTES(0x0f, 0x01, 0xf6), 0, LIMEN_CR_LMSW, LIMEN_RSI },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(insn); i++) {
		struct limen_exit exit = {
			.kind = LIMEN_KIND_CR, .cr.nr = insn[i].nr,
			.cr.op = LIMEN_CR_ENCODED,
		};

		KUNIT_EXPECT_EQ_MSG(test, 0,
				    limen_insn_complete(&exit, insn[i].b, 15, 64),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.cr.op, insn[i].op, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.cr.gpr, insn[i].gpr, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.insn_len, insn[i].n, "row %d", i);
	}
}

static void mov_cr_of_another_register_is_refused(struct kunit *test)
{
	static const u8 to_cr4[] = { 0x0f, 0x22, 0xe0 };
	static const u8 to_dr0[] = { 0x0f, 0x23, 0xc0 };
	struct limen_exit exit = { .kind = LIMEN_KIND_CR };

	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, to_cr4, 3, 64), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, to_dr0, 3, 64), -EINVAL);
}

static void lmsw_from_memory_names_its_operand(struct kunit *test)
{
	/* lmsw 8(%rax,%rcx,4) */
	static const u8 lmsw[] = { 0x0f, 0x01, 0x74, 0x88, 0x08 };
	struct limen_exit exit = { .kind = LIMEN_KIND_CR };

	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, lmsw, 4, 64), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, lmsw, 5, 64), 0);
	KUNIT_EXPECT_EQ(test, exit.cr.op, LIMEN_CR_LMSW);
	KUNIT_EXPECT_EQ(test, exit.cr.mem_at, 2);
	KUNIT_EXPECT_EQ(test, exit.insn_len, 5);
}

/* SDM Vol. 2, "SMSW": 0f 01 /4; memory takes 16 bits whatever the prefix */
static void smsw_names_its_operand_and_size(struct kunit *test)
{
	static const struct { u8 mode, b[15]; int n; u8 gpr, size, mem_at; } rows[] = {
		{ 64, BYTES(0x0f, 0x01, 0xe3), LIMEN_RBX, 4, 0 },
		{ 64, BYTES(0x66, 0x0f, 0x01, 0xe3), LIMEN_RBX, 2, 0 },
		{ 64, BYTES(0x49, 0x0f, 0x01, 0xe4), LIMEN_R12, 8, 0 },
		{ 64, BYTES(0x66, 0x48, 0x0f, 0x01, 0xe0), LIMEN_RAX, 8, 0 },
		{ 32, BYTES(0x0f, 0x01, 0xe4), LIMEN_RSP, 4, 0 },
		{ 16, BYTES(0x0f, 0x01, 0xe1), LIMEN_RCX, 2, 0 },
		{ 16, BYTES(0x66, 0x0f, 0x01, 0xe1), LIMEN_RCX, 4, 0 },
		{ 64, BYTES(0x65, 0x0f, 0x01, 0x24, 0x25, 8, 0, 0, 0), LIMEN_RSP, 4, 3 },
		{ 16, BYTES(0x0f, 0x01, 0x26, 0x34, 0x12), LIMEN_RSI, 2, 2 },
	};
	int i, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_exit exit = { .kind = LIMEN_KIND_CR };

		KUNIT_EXPECT_EQ_MSG(test, 0,
				    limen_insn_complete(&exit, rows[i].b, 15,
							rows[i].mode), "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.cr.op, LIMEN_CR_SMSW, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.insn_len, rows[i].n, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.cr.mem_at, rows[i].mem_at, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.cr.gpr, rows[i].gpr, "row %d", i);
		if (!rows[i].mem_at)
			KUNIT_EXPECT_EQ_MSG(test, exit.cr.size, rows[i].size,
					    "row %d", i);
		for (n = 0; n < rows[i].n; n++)
			KUNIT_EXPECT_EQ(test, -EINVAL,
					limen_insn_complete(&exit,
							    exact(test, rows[i].b, n),
							    n, rows[i].mode));
	}
}

/* Prefixes, then ModRM and what follows; the offset by hand from SDM Vol. 2 */
static const struct {
	u8 mode;
	u8 prefix[2];
	u8 nr_prefix;
	u8 m[6];
	u64 ea;
	bool stack;
} ea_cases[] = {
	{ 64, {}, 0, { 0x00 }, 0x1000, false },			/* (%rax) */
	{ 64, {}, 0, { 0x45, 0xf0 }, 0x6000 - 16, true },	/* -16(%rbp) */
	{ 64, { 0x41 }, 1, { 0x45, 0x10 }, 0xe010, false },	/* 16(%r13) */
	{ 64, {}, 0, { 0x04, 0x88 }, 0x1000 + 4 * 0x2000, false },
	{ 64, {}, 0, { 0x04, 0x24 }, 0x5000, true },		/* (%rsp) */
	{ 64, { 0x42 }, 1, { 0x04, 0x20 }, 0x1000 + 0xd000, false }, /* (%rax,%r12) */
	{ 64, {}, 0, { 0x04, 0x25, 0x44, 0x33, 0x22, 0x11 }, 0x11223344, false },
	{ 64, {}, 0, { 0x05, 0xfe, 0xff, 0xff, 0xff }, 0x9000 - 2, false }, /* -2(%rip) */
	{ 64, { 0x67 }, 1, { 0x40, 0x80 }, 0x1000 - 0x80, false },
	{ 32, {}, 0, { 0x05, 0x44, 0x33, 0x22, 0x11 }, 0x11223344, false },
	{ 32, {}, 0, { 0x80, 0x00, 0x00, 0xff, 0xff }, 0xffff1000, false },
	{ 16, {}, 0, { 0x00 }, 0x4000 + 0x7000, false },	/* (%bx,%si) */
	{ 16, {}, 0, { 0x46, 0xff }, 0x5fff, true },		/* -1(%bp) */
	{ 16, {}, 0, { 0x06, 0x34, 0x12 }, 0x1234, false },
	{ 16, {}, 0, { 0x87, 0x00, 0xd0 }, 0x1000, false },	/* wraps at 64 KiB */
};

static void effective_addresses_are_the_manuals(struct kunit *test)
{
	struct limen_prefixes p;
	u64 gpr[LIMEN_NR_GPR];
	bool stack;
	int i;

	for (i = 0; i < LIMEN_NR_GPR; i++)
		gpr[i] = 0x1000 * (i + 1);
	for (i = 0; i < ARRAY_SIZE(ea_cases); i++) {
		limen_insn_prefixes(ea_cases[i].prefix, ea_cases[i].nr_prefix,
				    ea_cases[i].mode == 64, &p);
		KUNIT_EXPECT_EQ_MSG(test, ea_cases[i].ea,
				    limen_insn_ea(ea_cases[i].m, ea_cases[i].mode, &p,
						  gpr, 0x9000, &stack), "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, ea_cases[i].stack, stack, "case %d", i);
	}
}

/* The way of 32-bit code to CR8 on AMD */
static void lock_makes_cr8_of_cr0(struct kunit *test)
{
	static const u8 from_cr8[] = { 0xf0, 0x0f, 0x20, 0xc1 };
	struct limen_exit exit = { .kind = LIMEN_KIND_CR };

	exit.cr.nr = 8;
	exit.cr.op = LIMEN_CR_ENCODED;
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, from_cr8, 4, 32), 0);
	KUNIT_EXPECT_EQ(test, exit.insn_len, 4);
	KUNIT_EXPECT_EQ(test, exit.cr.op, LIMEN_CR_READ);
	KUNIT_EXPECT_EQ(test, exit.cr.gpr, LIMEN_RCX);
	exit.cr.nr = 0;
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, from_cr8, 4, 32), -EINVAL);
}

static void mov_dr_names_register_and_direction(struct kunit *test)
{
	static const u8 to_dr7[] = { 0x41, 0x0f, 0x23, 0xf9 };
	static const u8 from_dr6[] = { 0x0f, 0x21, 0xf1 };
	struct limen_exit exit = {
		.kind = LIMEN_KIND_DR, .dr.nr = 7, .dr.encoded = true,
	};

	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, from_dr6, 3, 64), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, to_dr7, 4, 64), 0);
	KUNIT_EXPECT_TRUE(test, exit.dr.write);
	KUNIT_EXPECT_FALSE(test, exit.dr.encoded);
	KUNIT_EXPECT_EQ(test, exit.dr.gpr, LIMEN_R9);
	KUNIT_EXPECT_EQ(test, exit.insn_len, 4);
	exit.dr.nr = 6;
	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, from_dr6, 3, 64), 0);
	KUNIT_EXPECT_FALSE(test, exit.dr.write);
}

static void string_io_takes_segment_and_address_size(struct kunit *test)
{
	static const struct { u8 b[15]; int n; int mode; u8 seg; u8 size; } insn[] = {
		{ BYTES(0x6e), 64, LIMEN_DS, 8 },
		{ BYTES(0xf3, 0x67, 0x6f), 64, LIMEN_DS, 4 },
		{ BYTES(0x64, 0x6e), 32, LIMEN_FS, 4 },
		{ BYTES(0x2e, 0x67, 0x6f), 32, LIMEN_CS, 2 },
		{ BYTES(0x26, 0xf3, 0x6e), 16, LIMEN_ES, 2 },
		{ BYTES(0x67, 0x66, 0x6d), 16, LIMEN_DS, 4 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(insn); i++) {
		struct limen_exit exit = { .kind = LIMEN_KIND_IO, .io.string = true };

		KUNIT_EXPECT_EQ(test, 0, limen_insn_complete(&exit, insn[i].b, 15,
							     insn[i].mode));
		KUNIT_EXPECT_EQ_MSG(test, exit.io.seg, insn[i].seg, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.io.addr_size, insn[i].size, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exit.insn_len, insn[i].n, "row %d", i);
	}
}

static void ins_writes_to_es_whatever_the_prefix(struct kunit *test)
{
	static const u8 fs_insb[] = { 0x64, 0x6c };
	struct limen_exit exit = {
		.kind = LIMEN_KIND_IO, .io = { .string = true, .in = true },
	};

	KUNIT_EXPECT_EQ(test, limen_insn_complete(&exit, fs_insb, 2, 64), 0);
	KUNIT_EXPECT_EQ(test, exit.io.seg, (u8)LIMEN_ES);
}

struct mov_row {
	u8 b[15];
	int n;
	int mode;
	struct limen_mov mov;
};

static const struct mov_row mov_rows[] = {
	/* mov %eax, (%rdi) and back */
	{ BYTES(0x89, 0x07), 64, { .size = 4, .write = true, .gpr = LIMEN_RAX } },
	{ BYTES(0x8b, 0x07), 64, { .size = 4, .gpr = LIMEN_RAX } },
	/* mov %r12d, 0xb0(%r8,%r9,2) */
	{ BYTES(0x47, 0x89, 0xa4, 0x48, 0xb0, 0, 0, 0), 64,
	  { .size = 4, .write = true, .gpr = LIMEN_R12 } },
	/* mov %rax, 0x10(%rip) */
	{ BYTES(0x48, 0x89, 0x05, 0x10, 0, 0, 0), 64,
	  { .size = 8, .write = true, .gpr = LIMEN_RAX } },
	/* mov 0xfee00020, %eax with a SIB of no base */
	{ BYTES(0x8b, 0x04, 0x25, 0x20, 0, 0xe0, 0xfe), 64,
	  { .size = 4, .gpr = LIMEN_RAX } },
	/* movl $0, 0xb0(%rbx) */
	{ BYTES(0xc7, 0x43, 0x30, 0, 0, 0, 0), 64,
	  { .size = 4, .write = true, .imm = true } },
	{ BYTES(0x66, 0xc7, 0x03, 0xfe, 0xff), 64,
	  { .size = 2, .write = true, .imm = true, .val = 0xfffe } },
	{ BYTES(0x48, 0xc7, 0x03, 0xff, 0xff, 0xff, 0xff), 64,
	  { .size = 8, .write = true, .imm = true, .val = ~0ull } },
	{ BYTES(0xc6, 0x03, 0x80), 32,
	  { .size = 1, .write = true, .imm = true, .val = 0x80 } },
	/* REX counts directly before the opcode only */
	{ BYTES(0x48, 0x66, 0x89, 0x07), 64,
	  { .size = 2, .write = true, .gpr = LIMEN_RAX } },
	/* the high byte registers, and with REX the low ones */
	{ BYTES(0x88, 0x27), 64,
	  { .size = 1, .write = true, .gpr = LIMEN_RAX, .high = true } },
	{ BYTES(0x40, 0x88, 0x27), 64,
	  { .size = 1, .write = true, .gpr = LIMEN_RSP } },
	/* 16-bit addressing */
	{ BYTES(0x66, 0x8b, 0x06, 0x34, 0x12), 16, { .size = 4, .gpr = LIMEN_RAX } },
	{ BYTES(0x8b, 0x46, 0x34), 16, { .size = 2, .gpr = LIMEN_RAX } },
	{ BYTES(0x67, 0x8b, 0x80, 0x34, 0x12, 0, 0), 16,
	  { .size = 2, .gpr = LIMEN_RAX } },
	{ BYTES(0x67, 0x8b, 0x80, 0x34, 0x12), 32, { .size = 4, .gpr = LIMEN_RAX } },
	/* memory offsets */
	{ BYTES(0xa1, 0x20, 0, 0xe0, 0xfe), 32, { .size = 4, .gpr = LIMEN_RAX } },
	{ BYTES(0xa3, 0x20, 0, 0xe0, 0xfe, 0, 0, 0, 0), 64,
	  { .size = 4, .write = true, .gpr = LIMEN_RAX } },
	{ BYTES(0x67, 0xa1, 0x20, 0, 0xe0, 0xfe), 64,
	  { .size = 4, .gpr = LIMEN_RAX } },
};

static void plain_movs_are_decoded(struct kunit *test)
{
	int i, n;

	for (i = 0; i < ARRAY_SIZE(mov_rows); i++) {
		const struct mov_row *row = &mov_rows[i];
		struct limen_mov want = row->mov, got;

		want.len = row->n;
		/* what is behind it does not matter */
		KUNIT_EXPECT_EQ_MSG(test, 0, limen_insn_mov(row->b, 15, row->mode, &got),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.len, want.len, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.size, want.size, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.write, want.write, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.imm, want.imm, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.gpr, want.gpr, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.high, want.high, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, got.val, want.val, "row %d", i);
		/* and all of it must be there */
		for (n = 0; n < row->n; n++)
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    limen_insn_mov(exact(test, row->b, n), n,
							   row->mode, &got),
					    "row %d cut to %d", i, n);
	}
}

static void a_mov_tells_where_its_modrm_is(struct kunit *test)
{
	static const struct {
		u8 b[15];
		u8 mem_at;
	} rows[] = {
		{ { 0x89, 0x07 }, 1 },
		{ { 0x66, 0x41, 0x8b, 0x45, 0x10 }, 3 },
		{ { 0x65, 0xc7, 0x03, 1, 0, 0, 0 }, 2 },
		{ { 0xa3, 0x20, 0, 0xe0, 0xfe }, 0 },
	};
	struct limen_mov mov;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		KUNIT_EXPECT_EQ(test, 0, limen_insn_mov(rows[i].b, 15, 64, &mov));
		KUNIT_EXPECT_EQ_MSG(test, mov.mem_at, rows[i].mem_at, "row %d", i);
	}
}

static void anything_but_a_plain_mov_is_refused(struct kunit *test)
{
	static const u8 insn[][15] = {
		{ 0x89, 0xc0 },			/* register to register */
		{ 0xf0, 0x89, 0x07 },		/* LOCK */
		{ 0xf3, 0xa5 },			/* REP MOVS */
		{ 0xf3, 0x89, 0x07 },		/* XRELEASE */
		{ 0x0f, 0xb6, 0x07 },		/* MOVZX */
		{ 0x01, 0x07 },			/* ADD */
		{ 0xc7, 0x0f },			/* C7 /1 */
		{ 0xc7, 0xf8 },			/* XBEGIN */
		{ 0x87, 0x07 },			/* XCHG */
		{ 0xff, 0x37 },			/* PUSH */
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		  0x66, 0x66, 0x66, 0x66 },
	};
	struct limen_mov mov;
	int i;

	for (i = 0; i < ARRAY_SIZE(insn); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    limen_insn_mov(insn[i], 15, 64, &mov), "row %d", i);
}

static void random_bytes_are_never_read_past_their_end(struct kunit *test)
{
	static const int modes[] = { 16, 32, 64 };
	struct rnd_state rnd;
	u8 *end, *page;
	int i;

	page = kunit_kmalloc(test, 15, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	end = page + 15;
	prandom_seed_state(&rnd, 0x1456);
	for (i = 0; i < 100000 * FAKE_ROUNDS; i++) {
		int n = prandom_u32_state(&rnd) % 16;
		int mode = modes[prandom_u32_state(&rnd) % 3];
		struct limen_exit exit = {
			.kind = prandom_u32_state(&rnd) % LIMEN_NR_KIND,
		};
		struct limen_mov mov;

		exit.io.string = i & 1;
		prandom_bytes_state(&rnd, end - n, n);
		if (n && (i & 2))
			end[-n] = 0x88 + (i >> 2 & 3);
		if (!limen_insn_mov(end - n, n, mode, &mov))
			KUNIT_ASSERT_LE(test, mov.len, n);
		if (!limen_insn_complete(&exit, end - n, n, mode))
			KUNIT_ASSERT_LE(test, exit.insn_len, n);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(instructions_that_exit_have_their_length),
	KUNIT_CASE(bytes_of_another_instruction_are_refused),
	KUNIT_CASE(rex_is_a_prefix_in_64_bit_code_only),
	KUNIT_CASE(mov_cr_names_register_and_direction),
	KUNIT_CASE(mov_cr_of_another_register_is_refused),
	KUNIT_CASE(lmsw_from_memory_names_its_operand),
	KUNIT_CASE(smsw_names_its_operand_and_size),
	KUNIT_CASE(effective_addresses_are_the_manuals),
	KUNIT_CASE(lock_makes_cr8_of_cr0),
	KUNIT_CASE(mov_dr_names_register_and_direction),
	KUNIT_CASE(string_io_takes_segment_and_address_size),
	KUNIT_CASE(ins_writes_to_es_whatever_the_prefix),
	KUNIT_CASE(plain_movs_are_decoded),
	KUNIT_CASE(a_mov_tells_where_its_modrm_is),
	KUNIT_CASE(anything_but_a_plain_mov_is_refused),
	KUNIT_CASE(random_bytes_are_never_read_past_their_end),
	{}
};

static struct kunit_suite suite = { .name = "insn", .test_cases = cases };
kunit_test_suite(suite);
