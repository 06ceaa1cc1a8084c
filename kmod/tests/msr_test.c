// SPDX-License-Identifier: GPL-2.0-only
/* The guest's MSRs: which exist, what they refuse, and what policy makes of them. */
#include "../msr.c"
#include "fake.h"

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	vcpu->regs.rip = 0x1000;
	vcpu->exit.insn_len = 2;
	return vcpu;
}

static u64 read(struct kunit *test, struct limen_vcpu *vcpu, u32 index)
{
	u64 val = 0xdeadbeefdeadbeefull;

	KUNIT_EXPECT_EQ_MSG(test, limen_msr_read(vcpu, index, &val), 0, "%#x", index);
	return val;
}

static void values_that_fault(struct kunit *test)
{
	static const struct { u32 index; u64 val; } bad[] = {
		{ IA32_LSTAR, 0x800000000000ull },
		{ IA32_CSTAR, 1ull << 63 },
		{ IA32_KERNEL_GS_BASE, 0xffff7fffffffffffull },
		{ IA32_SYSENTER_EIP, 0x800000000000ull },
		{ IA32_FS_BASE, 0x800000000000ull },
		{ IA32_GS_BASE, 0x800000000000ull },
		{ IA32_FMASK, 1ull << 32 },
		{ IA32_TSC_AUX, 1ull << 32 },
		{ IA32_PAT, 2 },
		{ IA32_PAT, 3ull << 56 },
		{ IA32_PAT, 8 << 8 },
		{ IA32_DEBUGCTL, 2 },
		{ IA32_EFER, 1 << 12 },
		{ IA32_MTRR_DEF_TYPE, 1 << 12 },
		{ IA32_MTRR_FIX64K, 2 },
		{ IA32_MTRR_PHYSBASE0, 1ull << 40 },
		{ IA32_APIC_BASE, 1ull << 40 },
		{ IA32_X2APIC_FIRST, 0 },
		{ IA32_MTRRCAP, 0 },
		{ IA32_PLATFORM_ID, 0 },
		{ 0xdead, 0 },
		{ 0xffffffff, 0 },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, limen_msr_write(vcpu, bad[i].index, bad[i].val),
				    -EINVAL, "%#x = %#llx", bad[i].index, bad[i].val);
}

static void values_that_read_back(struct kunit *test)
{
	static const struct { u32 index; u64 val; } good[] = {
		{ IA32_STAR, 0x23001000000000ull }, { IA32_LSTAR, 0xffffffff81000000ull },
		{ IA32_CSTAR, 0x7fffffffffffull }, { IA32_FMASK, 0x47700 },
		{ IA32_KERNEL_GS_BASE, 0xffff888000000000ull },
		{ IA32_FS_BASE, 0x7f0000000000ull }, { IA32_GS_BASE, 0x1000 },
		{ IA32_SYSENTER_CS, 0x10 }, { IA32_PAT, 0x0407050600070106ull },
		{ IA32_TSC_AUX, 0xffffffff }, { IA32_DEBUGCTL, 0 },
		{ IA32_MTRR_DEF_TYPE, 0xc06 }, { IA32_MTRR_FIX64K, 0x0606060606060606ull },
		{ IA32_MTRR_FIX4K + 7, 0x0505050505050505ull },
		{ IA32_MTRR_PHYSBASE0, 0xc0000000 }, { IA32_MTRR_PHYSMASK7, 0x800 },
		{ IA32_MISC_ENABLE, 1 }, { IA32_TSC_ADJUST, 12345 },
		{ KVM_SYSTEM_TIME, 0x1001 },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ_MSG(test, limen_msr_write(vcpu, good[i].index,
							  good[i].val), 0,
				    "%#x", good[i].index);
		KUNIT_EXPECT_EQ_MSG(test, read(test, vcpu, good[i].index), good[i].val,
				    "%#x", good[i].index);
	}
}

static void bases_of_fs_and_gs_are_those_of_the_segments(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	limen_msr_write(vcpu, IA32_FS_BASE, 0x1000);
	limen_msr_write(vcpu, IA32_GS_BASE, 0x2000);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.seg[LIMEN_FS].base, 0x1000ull);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.seg[LIMEN_GS].base, 0x2000ull);
}

/* SDM Vol. 3, "Time-Stamp Counter Adjustment" */
static void tsc_and_its_adjustment_move_together(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	limen_msr_write(vcpu, IA32_TSC, 5000);
	KUNIT_EXPECT_EQ(test, read(test, vcpu, IA32_TSC), 5000ull);
	KUNIT_EXPECT_EQ(test, read(test, vcpu, IA32_TSC_ADJUST), 5000 - fake.tsc);
	fake.tsc += 100;
	KUNIT_EXPECT_EQ(test, read(test, vcpu, IA32_TSC), 5100ull);
	limen_msr_write(vcpu, IA32_TSC_ADJUST, 0);
	KUNIT_EXPECT_EQ(test, read(test, vcpu, IA32_TSC), fake.tsc);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_TSC);
}

static void moved_tsc_moves_the_deadline(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u32 lvt = BIT(18) | 0x41;

	pi_mmio(vcpu, 0x320, true, &lvt);
	limen_msr_write(vcpu, IA32_TSC_DEADLINE, fake.tsc + 1000ull * FAKE_TSC_KHZ);
	KUNIT_EXPECT_FALSE(test, test_bit(LIMEN_REQ_TIMER, &vcpu->requests));
	limen_msr_write(vcpu, IA32_TSC, fake.tsc + 1000ull * FAKE_TSC_KHZ);
	KUNIT_EXPECT_TRUE(test, test_bit(LIMEN_REQ_TIMER, &vcpu->requests));
}

static void ask(struct limen_vcpu *vcpu, u32 index)
{
	vcpu->regs.gpr[LIMEN_RCX] = 0xabcd00000000ull | index;
	vcpu->regs.gpr[LIMEN_RAX] = ~0ull;
	vcpu->regs.gpr[LIMEN_RDX] = ~0ull;
	limen_handle_rdmsr(vcpu);
}

static void rdmsr_gives_two_halves_or_gp(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	limen_msr_write(vcpu, IA32_LSTAR, 0xffffffff81000000ull);
	ask(vcpu, IA32_LSTAR);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0x81000000ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RDX], 0xffffffffull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
	ask(vcpu, 0xdead);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_GP);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], ~0ull);
}

static void policy_decides_before_the_msr_does(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_policy *rule = vcpu->vm->policy;

	vcpu->vm->nr_policy = 1;
	*rule = (struct limen_policy){
		.kind = LIMEN_POLICY_MSR, .first = 0, .last = ~0u,
		.access = LIMEN_ON_READ | LIMEN_ON_WRITE,
		.action = LIMEN_DO_CONSTANT, .value = 0x1122334455667788ull,
	};
	ask(vcpu, 0xdead);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0x55667788ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RDX], 0x11223344ull);

	/* a write is dropped */
	vcpu->regs.gpr[LIMEN_RCX] = IA32_STAR;
	limen_handle_wrmsr(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->sys.star, 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);

	rule->action = LIMEN_DO_FAULT;
	ask(vcpu, IA32_STAR);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_GP);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);

	vcpu->ev.exception = 0;
	rule->action = LIMEN_DO_EXIT;
	ask(vcpu, IA32_STAR);
	KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_MSR);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);
}

static void every_msr_of_a_snapshot_reads_and_restores(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i, j;

	for (i = 0; i < ARRAY_SIZE(state_msrs); i++) {
		u64 val = read(test, vcpu, state_msrs[i]);

		KUNIT_EXPECT_EQ_MSG(test, limen_msr_check(vcpu, state_msrs[i], val), 0,
				    "%#x", state_msrs[i]);
		KUNIT_EXPECT_EQ_MSG(test, limen_msr_restore(vcpu, state_msrs[i], val), 0,
				    "%#x", state_msrs[i]);
		KUNIT_EXPECT_EQ(test, read(test, vcpu, state_msrs[i]), val);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, state_msrs[i], state_msrs[j]);
	}
}

/* Or a set that was checked would be done by half. */
static void what_passes_the_check_can_be_restored(struct kunit *test)
{
	static const u64 vals[] = {
		0, 1, 2, 0x06, 0xc06, 0x800, 0x1000, 0x0606060606060606ull,
		0x0707070707070707ull, 0x0f0f0f0f0f0f0f0full, 1ull << 40, 1ull << 32,
		0x7fffffffffffull, 0x800000000000ull, 1ull << 63, ~0ull,
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i, j;

	for (i = 0; i < ARRAY_SIZE(state_msrs); i++)
		for (j = 0; j < ARRAY_SIZE(vals); j++) {
			if (limen_msr_check(vcpu, state_msrs[i], vals[j]))
				continue;
			KUNIT_EXPECT_EQ_MSG(test, limen_msr_restore(vcpu, state_msrs[i],
								    vals[j]), 0,
					    "%#x = %#llx", state_msrs[i], vals[j]);
		}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(values_that_fault),
	KUNIT_CASE(values_that_read_back),
	KUNIT_CASE(bases_of_fs_and_gs_are_those_of_the_segments),
	KUNIT_CASE(tsc_and_its_adjustment_move_together),
	KUNIT_CASE(moved_tsc_moves_the_deadline),
	KUNIT_CASE(rdmsr_gives_two_halves_or_gp),
	KUNIT_CASE(policy_decides_before_the_msr_does),
	KUNIT_CASE(every_msr_of_a_snapshot_reads_and_restores),
	KUNIT_CASE(what_passes_the_check_can_be_restored),
	{}
};

static struct kunit_suite suite = { .name = "msr", .test_cases = cases };
kunit_test_suite(suite);
