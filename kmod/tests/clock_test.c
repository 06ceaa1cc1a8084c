// SPDX-License-Identifier: GPL-2.0-only
/* The paravirtual clock's page. */
#include "../clock.c"
#include "fake.h"

#define PAGE	0x2008

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_mem(test);
	fake_long_mode(vcpu);
	vcpu->exit.insn_len = 3;
	return vcpu;
}

static struct clock_page *page(void)
{
	return (struct clock_page *)(fake.mem + PAGE);
}

/* what a guest makes of the page at @tsc */
static u64 guest_time(u64 tsc)
{
	const struct clock_page *p = page();
	u64 delta = tsc - p->tsc;

	delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
	return p->ns + mul_u64_u32_shr(delta, p->mul, 32);
}

static void scale_turns_cycles_into_nanoseconds(struct kunit *test)
{
	static const u32 khz[] = { 1000, 133333, 999999, 1000000, 1000001, 2000000,
				   2893299, 3999999, 4000001, 10000000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(khz); i++) {
		u64 second = khz[i] * 1000ull, ns;
		u32 mul;
		s8 shift;

		scale_of(khz[i], &mul, &shift);
		second = shift < 0 ? second >> -shift : second << shift;
		ns = mul_u64_u32_shr(second, mul, 32);
		KUNIT_EXPECT_GE_MSG(test, ns, NSEC_PER_SEC - 10ull, "%u kHz", khz[i]);
		KUNIT_EXPECT_LE_MSG(test, ns, NSEC_PER_SEC + 10ull, "%u kHz", khz[i]);
	}
}

static void page_gives_the_hosts_boot_time(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 before = ktime_get_boottime_ns();

	vcpu->tsc_offset = 5000;
	vcpu->soft.clock_system = PAGE | 1;
	limen_clock_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->version % 2, 0u);
	KUNIT_EXPECT_NE(test, page()->version, 0u);
	KUNIT_EXPECT_EQ(test, page()->tsc, fake.tsc + 5000);
	KUNIT_EXPECT_GE(test, guest_time(fake.tsc + 5000), before);
	KUNIT_EXPECT_LE(test, guest_time(fake.tsc + 5000), ktime_get_boottime_ns());
	KUNIT_EXPECT_LE(test, guest_time(fake.tsc + 5000 + FAKE_TSC_KHZ),
			ktime_get_boottime_ns() + 1000000);
}

static void offset_of_the_vm_shifts_the_clock(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->vm->clock_offset = 3600 * NSEC_PER_SEC;
	vcpu->soft.clock_system = PAGE | 1;
	limen_clock_update(vcpu);
	KUNIT_EXPECT_GE(test, page()->ns, 3600ull * NSEC_PER_SEC);
}

static void each_update_has_a_new_even_version(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	u32 version;
	int i;

	vcpu->soft.clock_system = PAGE | 1;
	page()->version = 0xfffffffd;
	for (i = 0; i < 4; i++) {
		version = page()->version;
		limen_clock_update(vcpu);
		KUNIT_EXPECT_NE(test, page()->version, version);
		KUNIT_EXPECT_EQ(test, page()->version % 2, 0u);
	}
}

static void clock_that_is_off_writes_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->soft.clock_system = PAGE;
	limen_clock_update(vcpu);
	KUNIT_EXPECT_EQ(test, page()->version, 0u);
	/* nor does one outside of memory */
	vcpu->soft.clock_system = (FAKE_MEM - 4) | 1;
	limen_clock_update(vcpu);
	vcpu->soft.clock_system = ~0ull;
	limen_clock_update(vcpu);
}

static void wall_clock_is_written_once(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct wall_page *wall = (struct wall_page *)(fake.mem + 0x3000);

	vcpu->soft.clock_wall = 0x3000;
	limen_clock_update(vcpu);
	KUNIT_EXPECT_EQ(test, wall->version % 2, 0u);
	KUNIT_EXPECT_GT(test, wall->version, 0u);
	KUNIT_EXPECT_LT(test, wall->nsec, (u32)NSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, (u64)wall->sec, ktime_get_real_seconds());
	memset(wall, 0, sizeof(*wall));
	limen_clock_update(vcpu);
	KUNIT_EXPECT_EQ(test, wall->version, 0u);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(scale_turns_cycles_into_nanoseconds),
	KUNIT_CASE(page_gives_the_hosts_boot_time),
	KUNIT_CASE(offset_of_the_vm_shifts_the_clock),
	KUNIT_CASE(each_update_has_a_new_even_version),
	KUNIT_CASE(clock_that_is_off_writes_nothing),
	KUNIT_CASE(wall_clock_is_written_once),
	{}
};

static struct kunit_suite suite = { .name = "clock", .test_cases = cases };
kunit_test_suite(suite);
