// SPDX-License-Identifier: GPL-2.0-only
/* The window: taken and given back in pairs, opened for a fetch if need be. */
#include "../window.c"
#include "fake.h"

static void window_is_closed_as_it_was_opened(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_cpu(vcpu)->busy = 2;
	KUNIT_EXPECT_TRUE(test, limen_window_open(vcpu));
	KUNIT_EXPECT_TRUE(test, irqs_disabled());
	KUNIT_EXPECT_EQ(test, fake.fpu_depth, 1);
	limen_window_close(vcpu);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
	KUNIT_EXPECT_EQ(test, fake.fpu_depth, 0);
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->wrong);
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->open);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_WINDOWS], 1ull);
}

static void fetch_opens_a_window_only_for_what_is_missing(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	limen_fetch(vcpu, LIMEN_G_ALL & ~LIMEN_G_TSC);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_opened, 0);
	vcpu->valid = LIMEN_G_REGS;
	fake_cpu(vcpu)->dr.dr7 = 0x455;
	limen_fetch(vcpu, LIMEN_G_REGS | LIMEN_G_DR);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_opened, 1);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0x455ull);
	KUNIT_EXPECT_EQ(test, vcpu->valid, (u32)(LIMEN_G_REGS | LIMEN_G_DR));
	limen_fetch(vcpu, LIMEN_G_DR);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_opened, 1);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
}

static void fetch_inside_uses_the_open_window(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	vcpu->valid = 0;
	limen_window_open(vcpu);
	limen_fetch(vcpu, LIMEN_G_SYS);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_opened, 1);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->open);
	limen_window_close(vcpu);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(window_is_closed_as_it_was_opened),
	KUNIT_CASE(fetch_opens_a_window_only_for_what_is_missing),
	KUNIT_CASE(fetch_inside_uses_the_open_window),
	{}
};

static struct kunit_suite suite = { .name = "window", .test_cases = cases };
kunit_test_suite(suite);
