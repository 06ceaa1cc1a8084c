// SPDX-License-Identifier: GPL-2.0-only
/* Hypercalls: who may call what, and what it does. */
#include "../hypercall.c"
#include "fake.h"

static struct limen_vcpu *vcpu_64(struct kunit *test, u32 nr)
{
	struct limen_vcpu *vcpu = fake_vm(test, nr)->vcpu[0];

	fake_long_mode(vcpu);
	vcpu->exit.insn_len = 3;
	vcpu->pv_features = ~0u;
	return vcpu;
}

static s64 call4(struct limen_vcpu *vcpu, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	u64 *gpr = vcpu->regs.gpr;

	gpr[LIMEN_RAX] = nr;
	gpr[LIMEN_RBX] = a0;
	gpr[LIMEN_RCX] = a1;
	gpr[LIMEN_RDX] = a2;
	gpr[LIMEN_RSI] = a3;
	limen_handle_hypercall(vcpu);
	return gpr[LIMEN_RAX];
}

static bool is_unhalted(const struct limen_vcpu *vcpu)
{
	return test_bit(LIMEN_REQ_UNHALT, &vcpu->requests);
}

static void hypercalls_are_answered_or_the_vmms(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 1);

	KUNIT_EXPECT_EQ(test, call4(vcpu, 1, 0, 0, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 99, 0, 0, 0, 0), -1000ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 0x100, 0, 0, 0, 0), 0x100ll);
	KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_HYPERCALL);
	vcpu->sregs.seg[LIMEN_SS].ar |= 3 << 5;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 1, 0, 0, 0, 0), -1ll);
}

static void arguments_of_32_bit_code_have_32_bits(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 2);

	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 0xff00000005, 0, 0xff00000001, 0, 0), 0ll);
	KUNIT_EXPECT_TRUE(test, is_unhalted(vcpu->vm->vcpu[1]));
	KUNIT_EXPECT_EQ(test, call4(vcpu, 99, 0, 0, 0, 0), 0xfffffc18ll);
}

static void kick_names_a_vcpu_by_its_apic_id(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 3);

	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, 2, 0, 0), 0ll);
	KUNIT_EXPECT_FALSE(test, is_unhalted(vcpu));
	KUNIT_EXPECT_FALSE(test, is_unhalted(vcpu->vm->vcpu[1]));
	KUNIT_EXPECT_TRUE(test, is_unhalted(vcpu->vm->vcpu[2]));
}

static void kick_of_a_vcpu_that_is_not_there_is_harmless(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 1);

	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, 0, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, 63, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, 64, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, ~0ull, 0, 0), 0ll);
}

static void enable_apic(struct limen_vcpu *vcpu)
{
	u32 svr = 0x1ff;

	pi_mmio(vcpu, 0xf0, true, &svr);
}

static bool has_got(struct limen_vcpu *vcpu, u8 vector)
{
	return test_and_clear_bit(vector, vcpu->pi.desc->pir);
}

static void ipis_go_to_the_set(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 5);
	struct limen_vcpu **all = vcpu->vm->vcpu;
	int i;

	/* 3 is software-disabled: it takes NMIs only */
	for (i = 0; i < 5; i++)
		if (i != 3)
			enable_apic(all[i]);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0x1a, 0, 0, 0x41), 2ll);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, has_got(all[i], 0x41), i == 1 || i == 4);
	/* counted from an id on, and those that are not there */
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, ~0ull, ~0ull, 2, 0x42), 2ll);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, has_got(all[i], 0x42), i == 2 || i == 4);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 8, 0, 0, 0x400), 1ll);
	KUNIT_EXPECT_EQ(test, atomic_read(&all[3]->nmi_posted), 1);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, ~0ull, ~0ull, 64, 0x43), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, ~0ull, ~0ull, ~0ull, 0x43), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, ~0ull, ~0ull, ~0ull - 63, 0x43), 0ll);
}

static void second_word_follows_the_first_in_either_mode(struct kunit *test)
{
	struct limen_vm *vm = fake_vm(test, 37);
	struct limen_vcpu *vcpu = vm->vcpu[0];

	fake_long_mode(vcpu);
	vcpu->pv_features = ~0u;
	enable_apic(vm->vcpu[35]);
	enable_apic(vm->vcpu[36]);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, BIT_ULL(35), 0, 0, 0x41), 1ll);
	KUNIT_EXPECT_TRUE(test, has_got(vm->vcpu[35], 0x41));
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 0, 0x41), 0ll);
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 0, 0x41), 1ll);
	KUNIT_EXPECT_TRUE(test, has_got(vm->vcpu[35], 0x41));
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 1, 0x41), 1ll);
	KUNIT_EXPECT_TRUE(test, has_got(vm->vcpu[36], 0x41));
	/* no INIT, no shorthand, no logical destination */
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 1, 0x500), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 1, 0x40041), (s64)(u32)-22);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 0, 8, 1, 0x841), (s64)(u32)-22);
	KUNIT_EXPECT_FALSE(test, vm->vcpu[36]->requests & BIT(LIMEN_REQ_INIT));
}

static void yield_waits_for_the_window_to_close(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 2);
	struct limen_vcpu *other = vcpu->vm->vcpu[1];

	KUNIT_EXPECT_EQ(test, call4(vcpu, 11, 1, 0, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 11, 0, 0, 0, 0), 0ll);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 11, 64, 0, 0, 0), 0ll);
	KUNIT_EXPECT_FALSE(test, vcpu->want_yield);
	other->ready = true;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 11, 1, 0, 0, 0), 0ll);
	KUNIT_EXPECT_TRUE(test, vcpu->want_yield);
	KUNIT_EXPECT_PTR_EQ(test, vcpu->yield_to, other);
	vcpu->regs.gpr[LIMEN_RAX] = 1;
	KUNIT_EXPECT_EQ(test, limen_handle_hypercall(vcpu), LIMEN_RELOAD);
}

static void hidden_calls_give_enosys(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test, 2);

	vcpu->pv_features = ~(u32)PV_UNHALT;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 5, 0, 1, 0, 0), -1000ll);
	KUNIT_EXPECT_FALSE(test, is_unhalted(vcpu->vm->vcpu[1]));
	vcpu->pv_features = ~(u32)PV_SEND_IPI;
	enable_apic(vcpu);
	KUNIT_EXPECT_EQ(test, call4(vcpu, 10, 1, 0, 0, 0x41), -1000ll);
	KUNIT_EXPECT_FALSE(test, has_got(vcpu, 0x41));
	vcpu->pv_features = ~(u32)PV_SCHED_YIELD;
	vcpu->vm->vcpu[1]->ready = true;
	KUNIT_EXPECT_EQ(test, call4(vcpu, 11, 1, 0, 0, 0), -1000ll);
	KUNIT_EXPECT_FALSE(test, vcpu->want_yield);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(hypercalls_are_answered_or_the_vmms),
	KUNIT_CASE(arguments_of_32_bit_code_have_32_bits),
	KUNIT_CASE(kick_names_a_vcpu_by_its_apic_id),
	KUNIT_CASE(kick_of_a_vcpu_that_is_not_there_is_harmless),
	KUNIT_CASE(ipis_go_to_the_set),
	KUNIT_CASE(second_word_follows_the_first_in_either_mode),
	KUNIT_CASE(yield_waits_for_the_window_to_close),
	KUNIT_CASE(hidden_calls_give_enosys),
	{}
};

static struct kunit_suite suite = { .name = "hypercall", .test_cases = cases };
kunit_test_suite(suite);
