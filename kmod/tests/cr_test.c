// SPDX-License-Identifier: GPL-2.0-only
/* Control and debug registers, EFER, XCR0: the manual's rules as tables. */
#include "../cr.c"
#include "fake.h"

/* the manual's bits once more, so that a slip in cr.c shows */
#define PE	BIT_ULL(0)
#define MP	BIT_ULL(1)
#define EM	BIT_ULL(2)
#define TS	BIT_ULL(3)
#define ET	BIT_ULL(4)
#define NW	BIT_ULL(29)
#define CD	BIT_ULL(30)
#define PG	BIT_ULL(31)
#define DE	BIT_ULL(3)
#define PAE	BIT_ULL(5)
#define PCIDE	BIT_ULL(17)
#define LME	BIT_ULL(8)
#define LMA	BIT_ULL(10)
#define GD	BIT_ULL(13)

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	vcpu->regs.rip = 0x1000;
	return vcpu;
}

static bool faulted(struct limen_vcpu *vcpu)
{
	bool gp = (vcpu->ev.exception & 0xff) == VEC_GP;

	vcpu->ev.exception = 0;
	return gp;
}

static void write_cr_from_rax(struct limen_vcpu *vcpu, u8 nr, u64 val)
{
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .insn_len = 3,
		.cr = { .nr = nr, .gpr = LIMEN_RAX, .op = LIMEN_CR_WRITE },
	};
	vcpu->regs.gpr[LIMEN_RAX] = val;
	limen_handle_cr(vcpu);
}

/* SDM Vol. 2, "MOV - Move to/from Control Registers", Protected Mode Exceptions */
static void writes_to_cr0_follow_the_manual(struct kunit *test)
{
	static const struct {
		u64 cr0, cr4, efer, val;
		bool fault;
		u64 new_efer;
	} rows[] = {
		/* from real mode */
		{ 0x10, 0, 0, PE, false, 0 },
		{ 0x10, 0, 0, PG, true, 0 },
		{ 0x10, 0, 0, PE | PG, false, 0 },
		{ 0x10, 0, 0, NW, true, 0 },
		{ 0x10, 0, 0, NW | CD, false, 0 },
		{ 0x10, 0, 0, 1ull << 32 | PE, true, 0 },
		/* to long mode */
		{ PE, PAE, LME, PE | PG, false, LME | LMA },
		{ PE, 0, LME, PE | PG, true, LME },
		/* and out of it, in compatibility mode */
		{ PE | PG, PAE, LME | LMA, PE, false, LME },
		{ PE | PG, PAE | PCIDE, LME | LMA, PE, true, LME | LMA },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
		vcpu->sregs.cr0 = rows[i].cr0;
		vcpu->sregs.cr4 = rows[i].cr4;
		vcpu->sregs.efer = rows[i].efer;
		/* 32-bit code can't even name the upper half */
		if (rows[i].val >> 32)
			KUNIT_EXPECT_EQ(test, set_cr0(vcpu, rows[i].val), -EINVAL);
		else
			write_cr_from_rax(vcpu, 0, rows[i].val);
		KUNIT_EXPECT_EQ_MSG(test, faulted(vcpu),
				    rows[i].fault && !(rows[i].val >> 32), "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->sregs.efer, rows[i].new_efer, "row %d",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->sregs.cr0,
				    rows[i].fault ? rows[i].cr0 :
				    rows[i].val | ET, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->regs.rip,
				    rows[i].fault ? 0x1000ull : 0x1003ull, "row %d", i);
	}
}

static void sixty_four_bit_code_cannot_switch_paging_off(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 old = vcpu->sregs.cr0;

	write_cr_from_rax(vcpu, 0, old & ~PG);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, old);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.efer, 0xd01ull);
	/* reserved upper half */
	write_cr_from_rax(vcpu, 0, old | 1ull << 32);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	/* 64-bit CS may not be loaded when long mode begins */
	vcpu->sregs.cr0 = PE;
	vcpu->sregs.efer = LME;
	KUNIT_EXPECT_EQ(test, set_cr0(vcpu, PE | PG), -EINVAL);
}

static void writes_to_cr4_follow_the_manual(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	int bit;

	for (bit = 0; bit < 64; bit++) {
		bool allowed = vcpu->cr4_allowed & BIT_ULL(bit);

		vcpu->sregs.cr4 = PAE;
		vcpu->sregs.cr3 = 0;
		write_cr_from_rax(vcpu, 4, PAE | BIT_ULL(bit));
		KUNIT_EXPECT_EQ_MSG(test, faulted(vcpu), !allowed, "bit %d", bit);
	}
	/* PAE can't go in long mode */
	vcpu->sregs.cr4 = PAE;
	write_cr_from_rax(vcpu, 4, 0);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	/* PCIDE wants PCID 0 */
	vcpu->sregs.cr3 = 0x1001;
	write_cr_from_rax(vcpu, 4, PAE | PCIDE);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	vcpu->sregs.cr3 = 0x1000;
	write_cr_from_rax(vcpu, 4, PAE | PCIDE);
	KUNIT_EXPECT_FALSE(test, faulted(vcpu));
	/* and long mode */
	vcpu->sregs.cr4 = PAE;
	vcpu->sregs.efer = 0;
	KUNIT_EXPECT_EQ(test, set_cr4(vcpu, PAE | PCIDE), -EINVAL);
}

static void paging_changes_flush(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	write_cr_from_rax(vcpu, 4, PAE | BIT(7));
	KUNIT_EXPECT_TRUE(test, vcpu->entry.flush);
	vcpu->entry.flush = false;
	write_cr_from_rax(vcpu, 0, vcpu->sregs.cr0 | TS);
	KUNIT_EXPECT_FALSE(test, vcpu->entry.flush);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_CR);
}

static void pae_paging_loads_pdptes_from_memory(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 *pdpte = (u64 *)(fake_mem(test) + 0x2020);

	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	vcpu->sregs.cr0 = PE;
	vcpu->sregs.efer = 0;
	vcpu->sregs.cr4 = PAE;
	vcpu->sregs.cr3 = 0x2020;
	pdpte[0] = 0x3001;
	pdpte[3] = 0x4000;	/* not present: reserved bits don't count */
	KUNIT_EXPECT_EQ(test, set_cr0(vcpu, PE | PG), 0);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.pdpte[0], 0x3001ull);

	vcpu->sregs.cr0 = PE;
	pdpte[1] = 0x3003;	/* bit 1 is reserved in a PDPTE */
	KUNIT_EXPECT_EQ(test, set_cr0(vcpu, PE | PG), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, PE);
	vcpu->sregs.cr3 = FAKE_MEM;
	KUNIT_EXPECT_EQ(test, set_cr0(vcpu, PE | PG), -EINVAL);
}

static void lmsw_sets_four_bits_and_cannot_clear_pe(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 cr0 = vcpu->sregs.cr0;

	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .insn_len = 3,
		.cr = { .op = LIMEN_CR_LMSW, .val = 0xfff2 },
	};
	limen_handle_cr(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, cr0 | MP);
	vcpu->exit.cr.val = TS | EM;
	limen_handle_cr(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, cr0 | TS | EM);
	vcpu->exit.cr.op = LIMEN_CR_CLTS;
	limen_handle_cr(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, cr0 | EM);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1009ull);
}

static void cr8_reads_back_and_faults_on_reserved_bits(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	write_cr_from_rax(vcpu, 8, 9);
	KUNIT_EXPECT_EQ(test, pi_get_cr8(vcpu), 9ull);
	write_cr_from_rax(vcpu, 8, 16);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	vcpu->exit.cr.op = LIMEN_CR_READ;
	vcpu->exit.cr.gpr = LIMEN_RBX;
	limen_handle_cr(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RBX], 9ull);
}

static void efer_keeps_lma_and_lme_while_paging(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	/* LMA is read-only: written 0, it stays */
	KUNIT_EXPECT_EQ(test, limen_set_efer(vcpu, LME), 0);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.efer, LME | LMA);
	KUNIT_EXPECT_EQ(test, limen_set_efer(vcpu, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_set_efer(vcpu, LME | BIT_ULL(12)), -EINVAL);
	vcpu->sregs.cr0 = PE;
	vcpu->sregs.efer = 0;
	KUNIT_EXPECT_EQ(test, limen_set_efer(vcpu, LME | LMA), 0);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.efer, LME);
}

static enum limen_next mov_dr(struct limen_vcpu *vcpu, u8 nr, bool write, u64 val)
{
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_DR, .insn_len = 3,
		.dr = { .nr = nr, .gpr = LIMEN_RAX, .write = write },
	};
	vcpu->regs.gpr[LIMEN_RAX] = val;
	return limen_handle_dr(vcpu);
}

static void debug_registers_have_their_fixed_bits(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	mov_dr(vcpu, 6, true, 0);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6, 0xffff0ff0ull);
	mov_dr(vcpu, 6, true, 0xffffffff);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6, 0xffffefffull);
	mov_dr(vcpu, 7, true, 0xffffffff & ~GD);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0xffff0fffull);
	mov_dr(vcpu, 7, true, 0);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0x400ull);
	mov_dr(vcpu, 7, true, 1ull << 32);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	mov_dr(vcpu, 3, true, 0x123456789abcull);
	mov_dr(vcpu, 3, false, 0);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0x123456789abcull);
}

static void dr4_and_dr5_are_aliases_without_de(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->dr.dr6 = 0xffff0ff1;
	mov_dr(vcpu, 4, false, 0);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0xffff0ff1ull);
	vcpu->sregs.cr4 |= DE;
	mov_dr(vcpu, 4, false, 0);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_UD);
}

static void general_detect_raises_db(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->dr.dr7 = 0x400 | GD;
	mov_dr(vcpu, 0, true, 1);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_DB);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception_payload, BIT_ULL(13));
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr[0], 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
}

/* SDM Vol. 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" */
static void xcr0_combinations_follow_the_manual(struct kunit *test)
{
	u64 xcr0;

	for (xcr0 = 0; xcr0 < 0x400; xcr0++) {
		u64 avx512 = xcr0 & 0xe0;
		bool ok = (xcr0 & 1) && !(xcr0 & ~0xe7ull);

		ok &= !(xcr0 & 4) || (xcr0 & 2);
		ok &= !avx512 || (avx512 == 0xe0 && (xcr0 & 6) == 6);
		KUNIT_EXPECT_EQ_MSG(test, limen_xcr0_ok(0xe7, xcr0), ok, "%#llx", xcr0);
	}
	KUNIT_EXPECT_FALSE(test, limen_xcr0_ok(1, 3));
	KUNIT_EXPECT_FALSE(test, limen_xcr0_ok(0xe7, 1ull << 63 | 1));
}

static void xsetbv_faults_outside_ring_0_and_for_other_registers(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_XSETBV, .insn_len = 3 };
	vcpu->regs.gpr[LIMEN_RAX] = 7;
	vcpu->regs.gpr[LIMEN_RDX] = 0;
	vcpu->regs.gpr[LIMEN_RCX] = 0;
	KUNIT_EXPECT_EQ(test, limen_handle_xsetbv(vcpu), LIMEN_RELOAD);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.xcr0, 7ull);
	KUNIT_EXPECT_EQ(test, limen_handle_xsetbv(vcpu), LIMEN_RESUME);
	vcpu->regs.gpr[LIMEN_RCX] = 1;
	limen_handle_xsetbv(vcpu);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	vcpu->regs.gpr[LIMEN_RCX] = 0;
	vcpu->sregs.seg[LIMEN_SS].ar |= 3 << 5;
	limen_handle_xsetbv(vcpu);
	KUNIT_EXPECT_TRUE(test, faulted(vcpu));
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1006ull);
}

static void impossible_sregs_are_refused(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_sregs good = vcpu->sregs, s;

	good.xcr0 = 1;
	KUNIT_ASSERT_EQ(test, limen_check_sregs(vcpu, &good), 0);
#define BAD(change)							\
	do {								\
		s = good;						\
		s.change;						\
		KUNIT_EXPECT_EQ_MSG(test, limen_check_sregs(vcpu, &s),	\
				    -EINVAL, #change);			\
	} while (0)
	BAD(cr0 |= 1ull << 32);
	BAD(cr0 &= ~PE);
	BAD(cr0 |= NW);
	BAD(cr4 |= 1ull << 40);
	BAD(cr4 &= ~PAE);
	BAD(efer &= ~LMA);
	BAD(efer &= ~LME);
	BAD(efer |= 1 << 12);
	BAD(cr8 = 16);
	BAD(cr3 = 1ull << 40);
	BAD(xcr0 = 0);
	BAD(xcr0 = 5);
	BAD(seg[LIMEN_FS].base = 0x800000000000ull);
	BAD(seg[LIMEN_ES].ar |= 1 << 17);
	BAD(seg[LIMEN_TR].ar |= 1 << 8);
	BAD(seg[LIMEN_DS].reserved[1] = 1);
	BAD(gdt.base = 1ull << 63);
	BAD(idt.base = 0x7fff800000000000ull);
#undef BAD
}

static struct kunit_case cases[] = {
	KUNIT_CASE(writes_to_cr0_follow_the_manual),
	KUNIT_CASE(sixty_four_bit_code_cannot_switch_paging_off),
	KUNIT_CASE(writes_to_cr4_follow_the_manual),
	KUNIT_CASE(paging_changes_flush),
	KUNIT_CASE(pae_paging_loads_pdptes_from_memory),
	KUNIT_CASE(lmsw_sets_four_bits_and_cannot_clear_pe),
	KUNIT_CASE(cr8_reads_back_and_faults_on_reserved_bits),
	KUNIT_CASE(efer_keeps_lma_and_lme_while_paging),
	KUNIT_CASE(debug_registers_have_their_fixed_bits),
	KUNIT_CASE(dr4_and_dr5_are_aliases_without_de),
	KUNIT_CASE(general_detect_raises_db),
	KUNIT_CASE(xcr0_combinations_follow_the_manual),
	KUNIT_CASE(xsetbv_faults_outside_ring_0_and_for_other_registers),
	KUNIT_CASE(impossible_sregs_are_refused),
	{}
};

static struct kunit_suite suite = { .name = "cr", .test_cases = cases };
kunit_test_suite(suite);
