// SPDX-License-Identifier: GPL-2.0-only
/* CPUID as a guest reads it, and the control-register bits that follow from it. */
#include "../cpuid.c"
#include "fake.h"

static const struct limen_cpuid_entry table[] = {
	{ .leaf = 0, .eax = 0xd },
	{ .leaf = 1, .eax = 0x306c3, .ebx = 5, .ecx = ~0u, .edx = ~0u },
	{ .leaf = 7, .subleaf = 0, .flags = LIMEN_CPUID_INDEXED, .ebx = 0x21 },
	{ .leaf = 7, .subleaf = 1, .flags = LIMEN_CPUID_INDEXED, .ebx = 0x22 },
	{ .leaf = 0xd, .subleaf = 0, .flags = LIMEN_CPUID_INDEXED, .eax = 7,
	  .ebx = 1, .ecx = 832 },
	{ .leaf = 0xd, .subleaf = 1, .flags = LIMEN_CPUID_INDEXED, .eax = 2 },
	{ .leaf = 0xd, .subleaf = 2, .flags = LIMEN_CPUID_INDEXED, .eax = 256,
	  .ebx = 576 },
	{ .leaf = 0xd, .subleaf = 5, .flags = LIMEN_CPUID_INDEXED, .eax = 64,
	  .ebx = 1088, .ecx = 2 },
	{ .leaf = 0xd, .subleaf = 9, .flags = LIMEN_CPUID_INDEXED, .eax = 8,
	  .ebx = 2688 },
	{ .leaf = 0xd, .subleaf = 17, .flags = LIMEN_CPUID_INDEXED, .eax = 64,
	  .ebx = 2752, .ecx = 2 },
	{ .leaf = 0x80000001, .edx = BIT(9) | BIT(11) | BIT(20) | BIT(29) },
};

static struct limen_vcpu *vcpu_with_table(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	vcpu->cpuid = kmemdup(table, sizeof(table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu->cpuid);
	vcpu->nr_cpuid = ARRAY_SIZE(table);
	vcpu->exit.insn_len = 2;
	return vcpu;
}

static const u64 *ask(struct limen_vcpu *vcpu, u32 leaf, u32 subleaf)
{
	u64 *gpr = vcpu->regs.gpr;

	/* only the lower halves count, and all of the result is written */
	gpr[LIMEN_RAX] = 0xffffffff00000000ull | leaf;
	gpr[LIMEN_RCX] = 0xffffffff00000000ull | subleaf;
	gpr[LIMEN_RBX] = ~0ull;
	gpr[LIMEN_RDX] = ~0ull;
	limen_handle_cpuid(vcpu);
	return gpr;
}

static void absent_leaf_reads_zeros(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);
	const u64 *gpr = ask(vcpu, 0x40000000, 0);

	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RAX], 0ull);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RBX], 0ull);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RCX], 0ull);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RDX], 0ull);
}

static void subleaf_counts_for_indexed_leaves_only(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 0)[LIMEN_RBX], 0x21ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 1)[LIMEN_RBX], 0x22ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 2)[LIMEN_RBX], 0ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 1, 0)[LIMEN_RBX], 5ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 1, 99)[LIMEN_RBX], 5ull);
}

static void osxsave_follows_cr4(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	KUNIT_EXPECT_EQ(test, ask(vcpu, 1, 0)[LIMEN_RCX] & BIT(27), 0ull);
	vcpu->sregs.cr4 |= BIT_ULL(18);
	KUNIT_EXPECT_NE(test, ask(vcpu, 1, 0)[LIMEN_RCX] & BIT(27), 0ull);
}

static void apic_bit_follows_its_enable_bit(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	KUNIT_EXPECT_NE(test, ask(vcpu, 1, 0)[LIMEN_RDX] & BIT(9), 0ull);
	pi_wrmsr(vcpu, 0x1b, 0xfee00100);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 1, 0)[LIMEN_RDX] & BIT(9), 0ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0x80000001, 0)[LIMEN_RDX] & BIT(9), 0ull);
}

static void xsave_sizes_follow_xcr0(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	vcpu->sregs.xcr0 = 1;
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 0)[LIMEN_RBX], 576ull);
	vcpu->sregs.xcr0 = 7;
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 0)[LIMEN_RBX], 832ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 1)[LIMEN_RBX], 832ull);
	vcpu->sregs.xcr0 = 0x23;
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 0)[LIMEN_RBX], 1152ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 1)[LIMEN_RBX], 640ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 0)[LIMEN_RCX], 832ull);
	/* 8 bytes of PKRU, and then one that wants to be aligned */
	vcpu->sregs.xcr0 = 0x20203;
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 1)[LIMEN_RBX], 576ull + 64 + 64);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 0xd, 0)[LIMEN_RBX], 2816ull);
}

static void policy_exits_or_gives_a_constant(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);
	struct limen_policy *rule = vcpu->vm->policy;

	vcpu->vm->nr_policy = 1;
	*rule = (struct limen_policy){
		.kind = LIMEN_POLICY_CPUID, .first = 7, .last = 7,
		.access = LIMEN_ON_READ, .action = LIMEN_DO_CONSTANT, .value = 9,
	};
	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 0)[LIMEN_RBX], 9ull);
	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 0)[LIMEN_RDX], 9ull);
	rule->action = LIMEN_DO_EXIT;
	vcpu->regs.rip = 0x1000;
	KUNIT_EXPECT_EQ(test, ask(vcpu, 7, 0)[LIMEN_RBX], ~0ull);
	KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_CPUID);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
}

static void control_bits_exist_where_the_table_says_so(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	limen_cpuid_derive(vcpu);
	/* all that leaf 1 gives, FSGSBASE of leaf 7, no SMEP, SMAP, UMIP */
	KUNIT_EXPECT_EQ(test, vcpu->cr4_allowed, 0x707ffull);
	KUNIT_EXPECT_EQ(test, vcpu->efer_allowed, 0xd01ull);
	KUNIT_EXPECT_EQ(test, vcpu->xcr0_allowed, 7ull);
	KUNIT_EXPECT_EQ(test, limen_cpuid_signature(vcpu), 0x306c3u);
	vcpu->nr_cpuid = 0;
	limen_cpuid_derive(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->cr4_allowed, 0x100ull);
	KUNIT_EXPECT_EQ(test, vcpu->efer_allowed, 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->xcr0_allowed, 1ull);
}

/* The table is the VMM's; XSETBV runs on the host's CPU */
static void xcr0_is_never_more_than_the_host_has(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_with_table(test);

	vcpu->cpuid[0] = (struct limen_cpuid_entry){
		.leaf = 0xd, .eax = ~0u, .edx = ~0u,
	};
	limen_cpuid_derive(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->xcr0_allowed, limen_fpu_xcr0());
}

static void duplicates_and_unknown_flags_are_refused(struct kunit *test)
{
	struct limen_cpuid_entry t[3] = {
		{ .leaf = 7, .subleaf = 0, .flags = LIMEN_CPUID_INDEXED },
		{ .leaf = 7, .subleaf = 1, .flags = LIMEN_CPUID_INDEXED },
		{ .leaf = 1 },
	};

	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 3), 0);
	t[2].leaf = 7;		/* would hide the others */
	t[2].subleaf = 5;
	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 3), -EINVAL);
	t[2] = t[1];
	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 2), 0);
	t[0].flags = 2;
	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 1), -EINVAL);
	t[0].flags = 0;
	t[0].reserved = 1;
	KUNIT_EXPECT_EQ(test, limen_cpuid_check(t, 1), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(absent_leaf_reads_zeros),
	KUNIT_CASE(subleaf_counts_for_indexed_leaves_only),
	KUNIT_CASE(osxsave_follows_cr4),
	KUNIT_CASE(apic_bit_follows_its_enable_bit),
	KUNIT_CASE(xsave_sizes_follow_xcr0),
	KUNIT_CASE(policy_exits_or_gives_a_constant),
	KUNIT_CASE(control_bits_exist_where_the_table_says_so),
	KUNIT_CASE(xcr0_is_never_more_than_the_host_has),
	KUNIT_CASE(duplicates_and_unknown_flags_are_refused),
	{}
};

static struct kunit_suite suite = { .name = "cpuid", .test_cases = cases };
kunit_test_suite(suite);
