// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's page tables, built in an array: where an address leads, which fault
 * it raises, what becomes accessed and dirty, and how RIP's bytes are found.
 */
#include "../walk.c"
#include "fake.h"

#define P	BIT_ULL(0)
#define W	BIT_ULL(1)
#define U	BIT_ULL(2)
#define A	BIT_ULL(5)
#define D	BIT_ULL(6)
#define PS	BIT_ULL(7)
#define NX	BIT_ULL(63)

#define RD	LIMEN_ACCESS_READ
#define WR	LIMEN_ACCESS_WRITE
#define EXEC	LIMEN_ACCESS_EXEC
#define USER	LIMEN_ACCESS_USER

#define GVA	0x7f8040201000ull	/* index 255, 1, 1, 1 */
#define PML4	0x1000
#define PDPT	0x2000
#define PD	0x3000
#define PT	0x4000
#define PAGE	0x5000

static u64 *entry(u64 table, int index)
{
	return (u64 *)(fake.mem + table + index * 8);
}

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_mem(test);
	fake_long_mode(vcpu);
	vcpu->sregs.cr0 |= BIT_ULL(16);	/* WP */
	vcpu->sregs.cr3 = PML4;
	*entry(PML4, 255) = PDPT | P | W | U;
	*entry(PDPT, 1) = PD | P | W | U;
	*entry(PD, 1) = PT | P | W | U;
	*entry(PT, 1) = PAGE | P | W | U;
	return vcpu;
}

/* the page fault's error code, -1 for none, -2 for another exception */
static int access(struct limen_vcpu *vcpu, u64 gva, u32 how, u64 *gpa)
{
	struct limen_translate t = { .gva = gva, .access = how };

	if (limen_translate(vcpu, &t))
		return -3;
	*gpa = t.gpa;
	if (!t.fault)
		return -1;
	return (t.fault & 0xff) == VEC_PF ? (int)t.error : -2;
}

static void no_paging_is_the_identity(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	u64 gpa;

	KUNIT_EXPECT_EQ(test, access(vcpu, 0x12345678, WR, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0x12345678ull);
}

static void four_levels_lead_to_the_page(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	KUNIT_EXPECT_EQ(test, access(vcpu, GVA + 0x123, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, (u64)PAGE + 0x123);
	KUNIT_EXPECT_EQ(test, *entry(PML4, 255), PDPT | P | W | U | A);
	KUNIT_EXPECT_EQ(test, *entry(PD, 1), PT | P | W | U | A);
	KUNIT_EXPECT_EQ(test, *entry(PT, 1), PAGE | P | W | U | A);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR, &gpa), -1);
	KUNIT_EXPECT_EQ(test, *entry(PT, 1), PAGE | P | W | U | A | D);
	KUNIT_EXPECT_EQ(test, *entry(PD, 1), PT | P | W | U | A);
}

static void large_pages_take_their_offset_from_the_address(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	*entry(PD, 1) = 0x12600000 | P | W | PS | BIT(12);	/* PAT */
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA + 0x123456, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0x12724456ull);
	*entry(PDPT, 1) = 0x80000000 | P | W | PS;
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA + 0x123456, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0x80000000 + ((GVA + 0x123456) & 0x3fffffff));
}

static void non_canonical_address_is_gp(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	KUNIT_EXPECT_EQ(test, access(vcpu, 0x800000000000ull, RD, &gpa), -2);
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xffff7fffffffffffull, RD, &gpa), -2);
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xffff800000000000ull, RD, &gpa), 0);
}

static void absent_entry_faults_at_every_level(struct kunit *test)
{
	static const struct { u16 table; u16 index; } at[] = {
		{ PML4, 255 }, { PDPT, 1 }, { PD, 1 }, { PT, 1 },
	};
	u64 gpa;
	int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		*entry(at[i].table, at[i].index) &= ~P;
		KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), 0);
		KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR | USER, &gpa), 6);
		KUNIT_EXPECT_EQ(test, access(vcpu, GVA, EXEC, &gpa), 0x10);
	}
}

/* SDM Vol. 3, "Determination of Access Rights"; error codes, "Page-Fault ..." */
static void rights_are_those_of_all_levels(struct kunit *test)
{
	static const struct {
		u64 less;	/* taken from every level but the last */
		u64 leaf_less;
		u64 nx;
		u32 access;
		int error;
	} rows[] = {
		{ 0, 0, 0, RD | USER, -1 },
		{ 0, 0, 0, WR | USER, -1 },
		{ 0, 0, 0, EXEC | USER, -1 },
		{ U, 0, 0, RD | USER, 5 },
		{ 0, U, 0, RD | USER, 5 },
		{ W, 0, 0, WR | USER, 7 },
		{ 0, W, 0, WR | USER, 7 },
		{ 0, W, 0, WR, 3 },
		{ 0, W, 0, RD, -1 },
		{ 0, 0, NX, EXEC | USER, 0x15 },
		{ 0, U, NX, EXEC, 0x11 },
		{ 0, 0, NX, RD, -1 },
	};
	u64 gpa;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		*entry(PML4, 255) &= ~rows[i].less;
		*entry(PT, 1) &= ~rows[i].leaf_less;
		*entry(PD, 1) |= rows[i].nx;
		KUNIT_EXPECT_EQ_MSG(test, access(vcpu, GVA, rows[i].access, &gpa),
				    rows[i].error, "row %d", i);
		/* a fault sets neither flag in the leaf */
		if (rows[i].error >= 0)
			KUNIT_EXPECT_EQ(test, *entry(PT, 1) & (A | D), 0ull);
	}
}

static void write_protection_binds_the_supervisor_with_wp_only(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	*entry(PT, 1) &= ~W;
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR, &gpa), 3);
	vcpu->sregs.cr0 &= ~BIT_ULL(16);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR, &gpa), -1);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR | USER, &gpa), 7);
}

static void smep_and_smap_keep_the_supervisor_out(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	vcpu->sregs.cr4 |= BIT_ULL(20);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, EXEC, &gpa), 0x11);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), -1);
	vcpu->sregs.cr4 |= BIT_ULL(21);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), 1);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR, &gpa), 3);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD | USER, &gpa), -1);
	vcpu->regs.rflags |= BIT_ULL(18);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), -1);
}

static void reserved_bits_fault(struct kunit *test)
{
	u64 gpa;
	int bit;

	for (bit = limen_caps.phys_bits; bit < 52; bit++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		*entry(PDPT, 1) |= BIT_ULL(bit);
		KUNIT_EXPECT_EQ_MSG(test, access(vcpu, GVA, RD, &gpa), 9, "bit %d",
				    bit);
	}
	for (bit = 13; bit < 21; bit++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		*entry(PD, 1) = BIT(bit) | P | PS;
		KUNIT_EXPECT_EQ_MSG(test, access(vcpu, GVA, RD, &gpa), 9, "bit %d",
				    bit);
	}
}

static void nx_is_reserved_without_nxe(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	*entry(PT, 1) |= NX;
	vcpu->sregs.efer &= ~BIT_ULL(11);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), 9);
	/* and the I bit of the error code needs NXE or SMEP */
	*entry(PT, 1) = 0;
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, EXEC, &gpa), 0);
}

static void ps_in_the_top_level_is_reserved(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	*entry(PML4, 255) |= PS;
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, RD, &gpa), 9);
}

static void tables_outside_memory_are_a_fault_and_no_crash(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	vcpu->sregs.cr3 = 0xfffffff000ull;
	KUNIT_EXPECT_GE(test, access(vcpu, GVA, RD, &gpa), 0);
	vcpu->sregs.cr3 = PML4;
	*entry(PD, 1) = 0x7ffffff000ull | P | W | U;
	KUNIT_EXPECT_GE(test, access(vcpu, GVA, RD, &gpa), 0);
}

static struct limen_vcpu *vcpu_32(struct kunit *test, u64 cr4)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->sregs.efer = 0;
	vcpu->sregs.cr4 = cr4;
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	return vcpu;
}

static void two_levels_of_32_bit_paging(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_32(test, BIT(4));
	u32 *pd = (u32 *)(fake.mem + PML4);
	u32 *pt = (u32 *)(fake.mem + PT);
	u64 gpa;

	pd[0x301] = PT | P | W | U;
	pt[0x3ff] = 0xabcde000 | P;
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xc07ff123, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0xabcde123ull);
	KUNIT_EXPECT_EQ(test, pt[0x3ff], (u32)(0xabcde000 | P | A));
	KUNIT_EXPECT_EQ(test, pt[0x3fe], 0u);
	/* a 4 MiB page with its address bits 39:32 in 20:13 */
	pd[0x302] = 0x12400000 | 3 << 13 | P | PS;
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xc0a34567, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0x312634567ull);
	/* without PSE it is a table */
	vcpu->sregs.cr4 = 0;
	pd[0x302] = PT | P | PS;
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xc0bff123, RD, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0xabcde123ull);
}

static void three_levels_of_pae_paging(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_32(test, BIT(5));
	u64 gpa;

	vcpu->sregs.cr3 = 0x6020;
	*entry(0x6020, 3) = PD | P;
	*entry(PD, 1) = PT | P | W | U;
	*entry(PT, 1) = 0x9abcde000ull | P | W | U;
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xc0201123, WR | USER, &gpa), -1);
	KUNIT_EXPECT_EQ(test, gpa, 0x9abcde123ull);
	/* PDPTEs have no accessed flag, and no rights */
	KUNIT_EXPECT_EQ(test, *entry(0x6020, 3), PD | P);
	*entry(0x6020, 3) |= W;
	KUNIT_EXPECT_EQ(test, access(vcpu, 0xc0201123, RD, &gpa), 9);
}

static void mode_and_privilege_come_from_the_segments(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	KUNIT_EXPECT_EQ(test, limen_mode(vcpu), 64);
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	KUNIT_EXPECT_EQ(test, limen_mode(vcpu), 32);
	vcpu->sregs.seg[LIMEN_CS].ar = 0x809b;
	KUNIT_EXPECT_EQ(test, limen_mode(vcpu), 16);
	vcpu->sregs.seg[LIMEN_SS].ar = 0xc0f3;
	KUNIT_EXPECT_EQ(test, limen_cpl(vcpu), 3);
	vcpu->regs.rflags |= BIT_ULL(17);
	vcpu->sregs.seg[LIMEN_SS].ar = 0x93;
	KUNIT_EXPECT_EQ(test, limen_cpl(vcpu), 3);
	KUNIT_EXPECT_EQ(test, limen_mode(vcpu), 16);
	vcpu->sregs.cr0 = 0x10;
	KUNIT_EXPECT_EQ(test, limen_cpl(vcpu), 0);
	KUNIT_EXPECT_EQ(test, limen_mode(vcpu), 16);
}

static void rip_counts_from_the_code_segment_outside_64_bit(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.rip = 0xfffffff0;
	vcpu->sregs.seg[LIMEN_CS].base = 0x20;
	KUNIT_EXPECT_EQ(test, limen_linear_rip(vcpu), 0xfffffff0ull);
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	KUNIT_EXPECT_EQ(test, limen_linear_rip(vcpu), 0x10ull);
}

static void instruction_is_read_across_a_page_boundary(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	*entry(PT, 2) = 0x8000 | P | U;
	vcpu->regs.rip = GVA + 0xffa;
	for (i = 0; i < 6; i++)
		fake.mem[PAGE + 0xffa + i] = i;
	for (i = 6; i < 15; i++)
		fake.mem[0x8000 + i - 6] = i;
	KUNIT_EXPECT_EQ(test, limen_fetch_insn(vcpu), 15);
	for (i = 0; i < 15; i++)
		KUNIT_EXPECT_EQ(test, vcpu->exit.insn[i], i);

	/* what is there, if the next page is not */
	*entry(PT, 2) = 0;
	vcpu->exit.nr_insn = 0;
	KUNIT_EXPECT_EQ(test, limen_fetch_insn(vcpu), 6);
	*entry(PT, 1) = 0;
	vcpu->exit.nr_insn = 0;
	KUNIT_EXPECT_EQ(test, limen_fetch_insn(vcpu), 0);
}

static void access_is_one_of_three(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 gpa;

	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, BIT(4), &gpa), -3);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, 0, &gpa), -3);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, USER, &gpa), -3);
	KUNIT_EXPECT_EQ(test, access(vcpu, GVA, WR | EXEC, &gpa), -3);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(no_paging_is_the_identity),
	KUNIT_CASE(four_levels_lead_to_the_page),
	KUNIT_CASE(large_pages_take_their_offset_from_the_address),
	KUNIT_CASE(non_canonical_address_is_gp),
	KUNIT_CASE(absent_entry_faults_at_every_level),
	KUNIT_CASE(rights_are_those_of_all_levels),
	KUNIT_CASE(write_protection_binds_the_supervisor_with_wp_only),
	KUNIT_CASE(smep_and_smap_keep_the_supervisor_out),
	KUNIT_CASE(reserved_bits_fault),
	KUNIT_CASE(nx_is_reserved_without_nxe),
	KUNIT_CASE(ps_in_the_top_level_is_reserved),
	KUNIT_CASE(tables_outside_memory_are_a_fault_and_no_crash),
	KUNIT_CASE(two_levels_of_32_bit_paging),
	KUNIT_CASE(three_levels_of_pae_paging),
	KUNIT_CASE(mode_and_privilege_come_from_the_segments),
	KUNIT_CASE(rip_counts_from_the_code_segment_outside_64_bit),
	KUNIT_CASE(instruction_is_read_across_a_page_boundary),
	KUNIT_CASE(access_is_one_of_three),
	{}
};

static struct kunit_suite suite = { .name = "walk", .test_cases = cases };
kunit_test_suite(suite);
