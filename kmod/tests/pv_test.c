// SPDX-License-Identifier: GPL-2.0-only
/* MSRs of KVM's paravirtual interface, and the steal-time page. */
#include "../pv.c"
#include "../vcpu.h"
#include "fake.h"

#define PAGE	0x2040

static struct limen_vcpu *vcpu_pv(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_mem(test);
	fake_long_mode(vcpu);
	vcpu->pv_features = ~0u;
	return vcpu;
}

static struct steal_page *page(void)
{
	return (struct steal_page *)(fake.mem + PAGE);
}

static void pause_irqs_off(struct limen_vcpu *vcpu)
{
	unsigned long flags;

	local_irq_save(flags);
	limen_steal_pause(vcpu);
	local_irq_restore(flags);
}

static void msrs_need_their_feature(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);

	KUNIT_EXPECT_FALSE(test, limen_pv_hides(vcpu, KVM_STEAL_TIME));
	vcpu->pv_features = ~(u32)BIT(5);
	KUNIT_EXPECT_TRUE(test, limen_pv_hides(vcpu, KVM_STEAL_TIME));
	KUNIT_EXPECT_FALSE(test, limen_pv_hides(vcpu, KVM_PV_EOI));
	vcpu->pv_features = ~(u32)BIT(6);
	KUNIT_EXPECT_TRUE(test, limen_pv_hides(vcpu, KVM_PV_EOI));
	vcpu->pv_features = 0;
	KUNIT_EXPECT_FALSE(test, limen_pv_hides(vcpu, KVM_SYSTEM_TIME));
	/* as state it is 0 */
	KUNIT_EXPECT_TRUE(test, limen_pv_msr_ok(vcpu, KVM_STEAL_TIME, 0));
	KUNIT_EXPECT_FALSE(test, limen_pv_msr_ok(vcpu, KVM_STEAL_TIME, PAGE | 1));
}

static void reserved_bits_of_the_msr_are_refused(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);
	int bit;

	for (bit = 1; bit <= 5; bit++)
		KUNIT_EXPECT_EQ(test, limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | BIT(bit) | 1),
				-EINVAL);
	KUNIT_EXPECT_EQ(test, limen_pv_wrmsr(vcpu, KVM_PV_EOI, PAGE | 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, limen_pv_wrmsr(vcpu, KVM_PV_EOI, 0x2045), 0);
	KUNIT_EXPECT_EQ(test, vcpu->soft.pv_eoi, 0x2045ull);
	KUNIT_EXPECT_EQ(test, vcpu->soft.steal_time, 0ull);
	KUNIT_EXPECT_EQ(test, limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, 0x2041), 0);
	KUNIT_EXPECT_EQ(test, vcpu->soft.steal_time, 0x2041ull);
}

static void time_since_it_was_switched_on_is_added(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);

	fake.run_delay = 5000;
	page()->steal = 100;
	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | 1);
	limen_steal_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->steal, 100ull);
	fake.run_delay = 5030;
	limen_steal_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->steal, 130ull);
	limen_steal_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->steal, 130ull);
	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE);
	fake.run_delay = 9000;
	limen_steal_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->steal, 130ull);
}

static void each_steal_has_a_new_even_version(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);
	u32 version;
	int i;

	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | 1);
	page()->version = 0xfffffffd;
	for (i = 0; i < 4; i++) {
		version = page()->version;
		fake.run_delay++;
		limen_steal_update(vcpu);
		KUNIT_EXPECT_NE(test, page()->version, version);
		KUNIT_EXPECT_EQ(test, page()->version % 2, 0u);
	}
}

static void preempted_from_pause_to_update(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);

	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | 1);
	limen_steal_update(vcpu);
	pause_irqs_off(vcpu);
	KUNIT_EXPECT_EQ(test, page()->preempted, 1);
	limen_steal_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->preempted, 0);
	/* with nothing else in the page changed */
	KUNIT_EXPECT_EQ(test, page()->version, 0u);

	/* a range that went away may not be written any more */
	vcpu->vm->mem_gen++;
	pause_irqs_off(vcpu);
	KUNIT_EXPECT_EQ(test, page()->preempted, 0);
	limen_steal_update(vcpu);
	pause_irqs_off(vcpu);
	KUNIT_EXPECT_EQ(test, page()->preempted, 1);
	limen_steal_update(vcpu);
	fake.paged_out = true;
	pause_irqs_off(vcpu);
	KUNIT_EXPECT_EQ(test, page()->preempted, 0);
}

static void page_outside_of_memory_is_not_written(struct kunit *test)
{
	static const u64 bad[] = { FAKE_MEM, ~0x3full, BIT_ULL(40), 0x7fffffffffffffc0ull };
	struct limen_vcpu *vcpu = vcpu_pv(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, bad[i] | 1), 0);
		fake.run_delay++;
		limen_steal_update(vcpu);
		pause_irqs_off(vcpu);
	}
}

static void reset_and_init_switch_all_off(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_pv(test);

	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | 1);
	vcpu->soft.clock_system = PAGE | 1;
	limen_vcpu_reset(vcpu, true);
	KUNIT_EXPECT_EQ(test, vcpu->soft.steal_time, 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->soft.clock_system, 0ull);
	limen_pv_wrmsr(vcpu, KVM_STEAL_TIME, PAGE | 1);
	limen_pv_wrmsr(vcpu, KVM_PV_EOI, PAGE | 1);
	limen_vcpu_reset(vcpu, false);
	KUNIT_EXPECT_EQ(test, vcpu->soft.pv_eoi, 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->soft.steal_time, 0ull);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(msrs_need_their_feature),
	KUNIT_CASE(reserved_bits_of_the_msr_are_refused),
	KUNIT_CASE(time_since_it_was_switched_on_is_added),
	KUNIT_CASE(each_steal_has_a_new_even_version),
	KUNIT_CASE(preempted_from_pause_to_update),
	KUNIT_CASE(page_outside_of_memory_is_not_written),
	KUNIT_CASE(reset_and_init_switch_all_off),
	{}
};

static struct kunit_suite suite = { .name = "pv", .test_cases = cases };
kunit_test_suite(suite);
