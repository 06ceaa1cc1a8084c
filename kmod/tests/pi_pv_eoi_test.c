// SPDX-License-Identifier: GPL-2.0-only
/* The end of an interrupt without an exit. */
#include "../posted_irq/pi_pv_eoi.c"
#include "../pv.h"
#include "fake.h"

#define FLAG	0x2044

/* with vector 0x41 in service */
static struct limen_vcpu *vcpu_eoi(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_mem(test);
	vcpu->soft.pv_eoi = FLAG | 1;
	limen_eoi_spot_update(vcpu);
	pi_vapic_post(vcpu->pi.page, 0x41);
	pi_accept(vcpu, 0x41);
	return vcpu;
}

static bool offer(struct limen_vcpu *vcpu)
{
	unsigned long flags;

	local_irq_save(flags);
	pi_pv_eoi_offer(vcpu);
	local_irq_restore(flags);
	return vcpu->eoi_offered;
}

static bool take(struct limen_vcpu *vcpu)
{
	unsigned long flags;
	bool ret;

	local_irq_save(flags);
	ret = pi_pv_eoi_take(vcpu);
	local_irq_restore(flags);
	return ret;
}

static bool in_service(struct limen_vcpu *vcpu)
{
	return pi_vapic_get(vcpu->pi.page, PI_REG_ISR + 0x20) & 2;
}

static void guest_that_clears_the_flag_has_ended_it(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_eoi(test);

	fake.mem[FLAG] = 0xf0;
	KUNIT_EXPECT_TRUE(test, offer(vcpu));
	KUNIT_EXPECT_EQ(test, fake.mem[FLAG], 1);
	fake.mem[FLAG] = 0;
	KUNIT_EXPECT_TRUE(test, take(vcpu));
	KUNIT_EXPECT_FALSE(test, in_service(vcpu));
	KUNIT_EXPECT_FALSE(test, vcpu->eoi_offered);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_PV_EOIS], 1ull);
	/* and with nothing in service there is nothing to offer */
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	KUNIT_EXPECT_EQ(test, fake.mem[FLAG], 0);
}

static void guest_that_does_not_has_not(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_eoi(test);

	KUNIT_EXPECT_TRUE(test, offer(vcpu));
	KUNIT_EXPECT_TRUE(test, take(vcpu));
	KUNIT_EXPECT_TRUE(test, in_service(vcpu));
	KUNIT_EXPECT_EQ(test, fake.mem[FLAG], 0);
	KUNIT_EXPECT_FALSE(test, vcpu->eoi_offered);
}

static void end_with_consequences_is_not_offered(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_eoi(test);

	pi_vapic_post(vcpu->pi.page, 0x31);
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	vcpu = vcpu_eoi(test);
	pi_vapic_set_level(vcpu->pi.page, 0x41, true);
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	vcpu = vcpu_eoi(test);
	vcpu->soft.pv_eoi = FLAG;
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	KUNIT_EXPECT_EQ(test, fake.mem[FLAG], 0);
}

static void page_that_is_away_when_offered_offers_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_eoi(test);

	fake.paged_out = true;
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	fake.paged_out = false;
	vcpu->vm->mem_gen++;
	KUNIT_EXPECT_FALSE(test, offer(vcpu));
	limen_eoi_spot_update(vcpu);
	KUNIT_EXPECT_TRUE(test, offer(vcpu));
}

static void page_that_went_away_is_settled_outside(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_eoi(test);

	KUNIT_EXPECT_TRUE(test, offer(vcpu));
	fake.paged_out = true;
	KUNIT_EXPECT_FALSE(test, take(vcpu));
	KUNIT_EXPECT_TRUE(test, in_service(vcpu));
	pi_pv_eoi_settle(vcpu);
	KUNIT_EXPECT_TRUE(test, in_service(vcpu));
	KUNIT_EXPECT_EQ(test, fake.mem[FLAG], 0);

	fake.paged_out = false;
	KUNIT_EXPECT_TRUE(test, offer(vcpu));
	fake.mem[FLAG] = 0;
	fake.paged_out = true;
	KUNIT_EXPECT_FALSE(test, take(vcpu));
	pi_pv_eoi_settle(vcpu);
	KUNIT_EXPECT_FALSE(test, in_service(vcpu));
	pi_pv_eoi_settle(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_PV_EOIS], 1ull);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(guest_that_clears_the_flag_has_ended_it),
	KUNIT_CASE(guest_that_does_not_has_not),
	KUNIT_CASE(end_with_consequences_is_not_offered),
	KUNIT_CASE(page_that_is_away_when_offered_offers_nothing),
	KUNIT_CASE(page_that_went_away_is_settled_outside),
	{}
};

static struct kunit_suite suite = { .name = "pi_pv_eoi", .test_cases = cases };
kunit_test_suite(suite);
