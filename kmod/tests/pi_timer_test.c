// SPDX-License-Identifier: GPL-2.0-only
/* The APIC timer on the host's real clock and a TSC that stands still. */
#include <linux/delay.h>

#include "../posted_irq/pi_timer.c"
#include "fake.h"

#define VECTOR		0x31
#define PERIODIC	(PI_LVT_TIMER_PERIODIC | VECTOR)
#define DEADLINE	(PI_LVT_TIMER_DEADLINE | VECTOR)
#define BY_ONE		0xb
#define MSR_DEADLINE	0x6e0
#define MS		1000000

static void write(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	pi_mmio(vcpu, off, true, &val);
}

static u32 read(struct limen_vcpu *vcpu, u32 off)
{
	u32 val;

	pi_mmio(vcpu, off, false, &val);
	return val;
}

static u64 read_deadline(struct limen_vcpu *vcpu)
{
	u64 val;

	pi_rdmsr(vcpu, MSR_DEADLINE, &val);
	return val;
}

static struct limen_vcpu *new_vcpu(struct kunit *test, u32 lvt)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	write(vcpu, PI_REG_LVT_TIMER, lvt);
	write(vcpu, PI_REG_TDCR, BY_ONE);
	return vcpu;
}

/* what the run loop does with LIMEN_REQ_TIMER; was the vector posted? */
static bool serve(struct limen_vcpu *vcpu)
{
	if (test_and_clear_bit(LIMEN_REQ_TIMER, &vcpu->requests))
		pi_timer_fired(vcpu);
	return test_and_clear_bit(VECTOR, vcpu->pi.desc->pir);
}

static bool fires_within_ms(struct limen_vcpu *vcpu, int ms)
{
	while (ms-- && !test_bit(LIMEN_REQ_TIMER, &vcpu->requests))
		usleep_range(1000, 1100);
	return serve(vcpu);
}

static void divider_follows_the_manuals_table(struct kunit *test)
{
	static const u8 by[16] = {
		[0x0] = 2, [0x1] = 4, [0x2] = 8, [0x3] = 16,
		[0x8] = 32, [0x9] = 64, [0xa] = 128, [0xb] = 1,
	};
	u32 tdcr;

	for (tdcr = 0; tdcr < 16; tdcr++)
		KUNIT_EXPECT_EQ_MSG(test, 1 << pi_timer_shift(tdcr),
				    by[tdcr & 0xb], "%#x", tdcr);
	KUNIT_EXPECT_LE(test, pi_timer_shift(~0u), 7u);
}

static void tsc_becomes_ns_rounded_up_without_overflow(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(0, 2000000), 0);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(1, 2000000), 1);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(2, 2000000), 1);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(3, 2000000), 2);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(7777777777777ull, 3456789),
			2250000731251ull);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(~0ull, 1), FAR_AWAY_S * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, pi_timer_tsc_to_ns(~0ull, ~0u), 4294967297000000ull);
}

static void missed_periods_are_skipped_on_the_grid(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pi_timer_next(100, 10, 100), 110);
	KUNIT_EXPECT_EQ(test, pi_timer_next(100, 10, 109), 110);
	KUNIT_EXPECT_EQ(test, pi_timer_next(100, 10, 110), 120);
	KUNIT_EXPECT_EQ(test, pi_timer_next(1, 1, 1ull << 62), (1ull << 62) + 1);
	KUNIT_EXPECT_EQ(test, pi_timer_next(5, 200000, 200000000005ull),
			200000200005ull);
}

static void one_shot_fires_once(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);

	write(vcpu, PI_REG_TMICT, 100 * MS);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_GT(test, read(vcpu, PI_REG_TMCCT), 0u);
	KUNIT_EXPECT_TRUE(test, fires_within_ms(vcpu, 5000));
	KUNIT_EXPECT_EQ(test, read(vcpu, PI_REG_TMCCT), 0);
	KUNIT_EXPECT_EQ(test, read(vcpu, PI_REG_TMICT), 100 * MS);
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 20));
}

static void count_runs_down_from_the_initial_count(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);
	u32 first, second;
	u64 now;

	write(vcpu, PI_REG_TMICT, ~0u);
	now = ktime_get_ns();
	first = read(vcpu, PI_REG_TMCCT);
	while (ktime_get_ns() < now + MS)
		cpu_relax();
	second = read(vcpu, PI_REG_TMCCT);
	KUNIT_EXPECT_GT(test, first - second, MS / 2);
	KUNIT_EXPECT_LT(test, first - second, 1000u * MS);
	KUNIT_EXPECT_LT(test, ~0u - first, 1000u * MS);
}

static void divider_slows_the_count(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);
	u64 now;

	write(vcpu, PI_REG_TDCR, 0xa);
	write(vcpu, PI_REG_TMICT, 1000 * MS);
	now = ktime_get_ns();
	KUNIT_EXPECT_LE(test, vcpu->pi.target, now + 128000ull * MS);
	KUNIT_EXPECT_GT(test, vcpu->pi.target, now + 127000ull * MS);
	/* the counts that are left are the same ones after a change */
	write(vcpu, PI_REG_TDCR, BY_ONE);
	now = ktime_get_ns();
	KUNIT_EXPECT_LE(test, vcpu->pi.target, now + 1000ull * MS);
	KUNIT_EXPECT_GT(test, vcpu->pi.target, now + 500ull * MS);
	KUNIT_EXPECT_LE(test, read(vcpu, PI_REG_TMCCT), 1000u * MS);
	write(vcpu, PI_REG_TDCR, 0);
	KUNIT_EXPECT_GT(test, vcpu->pi.target, now + 1000ull * MS);
}

static void periodic_fires_again_and_skips_what_was_missed(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, PERIODIC);
	u64 first;

	write(vcpu, PI_REG_TMICT, 100 * MS);
	first = vcpu->pi.target;
	KUNIT_EXPECT_TRUE(test, fires_within_ms(vcpu, 5000));
	KUNIT_EXPECT_EQ(test, (vcpu->pi.target - first) % (100 * MS), 0);
	KUNIT_EXPECT_GT(test, vcpu->pi.target, first);
	/* one tick however many have passed */
	msleep(350);
	KUNIT_EXPECT_TRUE(test, serve(vcpu));
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_EQ(test, (vcpu->pi.target - first) % (100 * MS), 0);
	KUNIT_EXPECT_GT(test, read(vcpu, PI_REG_TMCCT), 0u);
	write(vcpu, PI_REG_TMICT, 0);
	serve(vcpu);
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 10));
}

static void shortest_period_is_bounded(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, PERIODIC);

	write(vcpu, PI_REG_TMICT, 1);
	KUNIT_EXPECT_EQ(test, vcpu->pi.period, PI_MIN_PERIOD_NS);
	KUNIT_EXPECT_LE(test, read(vcpu, PI_REG_TMCCT), 1u);
	/* the same by way of the divider and of the mode */
	write(vcpu, PI_REG_TMICT, 300000);
	KUNIT_EXPECT_EQ(test, vcpu->pi.period, 300000);
	write(vcpu, PI_REG_LVT_TIMER, VECTOR);
	KUNIT_EXPECT_EQ(test, vcpu->pi.period, 0);
	write(vcpu, PI_REG_TMICT, 1000);
	write(vcpu, PI_REG_LVT_TIMER, PERIODIC);
	write(vcpu, PI_REG_TDCR, 0);
	KUNIT_EXPECT_TRUE(test, !vcpu->pi.period ||
			  vcpu->pi.period == PI_MIN_PERIOD_NS);
}

static void masked_timer_counts_and_posts_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, PI_LVT_MASKED | VECTOR);

	write(vcpu, PI_REG_TMICT, MS);
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 50));
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0);
}

static void request_that_is_stale_posts_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);

	write(vcpu, PI_REG_TMICT, 1);
	KUNIT_EXPECT_TRUE(test, fires_within_ms(vcpu, 100));
	write(vcpu, PI_REG_TMICT, MS);
	usleep_range(5000, 6000);
	KUNIT_EXPECT_TRUE(test, test_bit(LIMEN_REQ_TIMER, &vcpu->requests));
	write(vcpu, PI_REG_TMICT, 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	set_bit(LIMEN_REQ_TIMER, &vcpu->requests);
	write(vcpu, PI_REG_TMICT, 1000 * MS);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_NE(test, vcpu->pi.target, 0);
}

static void deadline_in_the_past_fires_at_once(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);

	pi_wrmsr(vcpu, MSR_DEADLINE, fake.tsc);
	KUNIT_EXPECT_TRUE(test, serve(vcpu));
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
}

static void deadline_is_not_early_by_the_tsc(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);
	u64 deadline = fake.tsc + FAKE_TSC_KHZ;

	pi_wrmsr(vcpu, MSR_DEADLINE, deadline);
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), deadline);
	/* the host's clock says a millisecond is over, the TSC stands still */
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 100));
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), deadline);
	fake.tsc = deadline;
	KUNIT_EXPECT_TRUE(test, fires_within_ms(vcpu, 100));
}

static void deadline_is_in_guest_time(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);

	vcpu->tsc_offset = -fake.tsc;
	pi_wrmsr(vcpu, MSR_DEADLINE, 1000ull * FAKE_TSC_KHZ);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_GT(test, vcpu->pi.target, ktime_get_ns() + 500ull * MS);
	vcpu->tsc_offset += 1000ull * FAKE_TSC_KHZ;
	pi_tsc_moved(vcpu);
	KUNIT_EXPECT_TRUE(test, serve(vcpu));
}

/* From here on in this test the CPU ends a run at a TSC. Give @old back at its end. */
static struct limen_ops timed_ops;

static const struct limen_ops *use_timed_ops(void)
{
	static const struct pi_hw hw = { .timer = true };
	const struct limen_ops *old = limen_ops;

	timed_ops = *old;
	timed_ops.pi = &hw;
	limen_ops = &timed_ops;
	return old;
}

static void deadline_of_a_running_vcpu_needs_no_host_timer(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);
	const struct limen_ops *old = use_timed_ops();
	u64 start = fake.tsc;

	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	pi_wrmsr(vcpu, MSR_DEADLINE, start + 1000);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&vcpu->pi.timer));
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 1000);
	fake.tsc = start + 999;
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 1);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), start + 1000);
	fake.tsc = start + 1000;
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	KUNIT_EXPECT_TRUE(test, serve(vcpu));
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), 0);
	/* once */
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	limen_ops = old;
}

static void deadline_of_a_vcpu_that_sleeps_is_the_host_timers(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);
	const struct limen_ops *old = use_timed_ops();
	u64 deadline = fake.tsc + FAKE_TSC_KHZ;

	pi_timer_block(vcpu);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&vcpu->pi.timer));
	pi_wrmsr(vcpu, MSR_DEADLINE, deadline);
	pi_timer_block(vcpu);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&vcpu->pi.timer));
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	/* early by the TSC: the rest is the next entry's, or the next sleep's */
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 100));
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), FAKE_TSC_KHZ);
	fake.tsc = deadline;
	pi_timer_block(vcpu);
	KUNIT_EXPECT_TRUE(test, serve(vcpu));
	limen_ops = old;
}

static void disarmed_deadline_is_no_entrys(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);
	const struct limen_ops *old = use_timed_ops();

	pi_wrmsr(vcpu, MSR_DEADLINE, fake.tsc + 1000);
	pi_wrmsr(vcpu, MSR_DEADLINE, 0);
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	pi_wrmsr(vcpu, MSR_DEADLINE, fake.tsc + 1000);
	write(vcpu, PI_REG_LVT_TIMER, VECTOR);
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	fake.tsc += 2000;
	KUNIT_EXPECT_EQ(test, pi_timer_entry(vcpu), 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	limen_ops = old;
}

static void deadline_of_zero_disarms(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, DEADLINE);

	pi_wrmsr(vcpu, MSR_DEADLINE, fake.tsc + FAKE_TSC_KHZ);
	pi_wrmsr(vcpu, MSR_DEADLINE, 0);
	fake.tsc += 2 * FAKE_TSC_KHZ;
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 20));
}

static void each_mode_ignores_the_others_register(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);

	pi_wrmsr(vcpu, MSR_DEADLINE, 1);
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));

	write(vcpu, PI_REG_LVT_TIMER, DEADLINE);
	write(vcpu, PI_REG_TMICT, 1);
	KUNIT_EXPECT_EQ(test, read(vcpu, PI_REG_TMICT), 0);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
}

static void change_to_or_from_deadline_mode_disarms(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, VECTOR);

	write(vcpu, PI_REG_TMICT, 1000 * MS);
	write(vcpu, PI_REG_LVT_TIMER, DEADLINE);
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0);
	pi_wrmsr(vcpu, MSR_DEADLINE, fake.tsc + 1000ull * FAKE_TSC_KHZ);
	KUNIT_EXPECT_NE(test, vcpu->pi.target, 0);
	write(vcpu, PI_REG_LVT_TIMER, PERIODIC);
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0);
	KUNIT_EXPECT_EQ(test, read_deadline(vcpu), 0);
}

static void reserved_mode_never_fires(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, PI_LVT_TIMER_MODE | VECTOR);

	write(vcpu, PI_REG_TMICT, 1);
	pi_wrmsr(vcpu, MSR_DEADLINE, 1);
	KUNIT_EXPECT_FALSE(test, fires_within_ms(vcpu, 20));
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0);
}

static void illegal_vector_is_an_error(struct kunit *test)
{
	struct limen_vcpu *vcpu = new_vcpu(test, 0x0f);

	write(vcpu, PI_REG_TMICT, 1);
	usleep_range(1000, 1100);
	KUNIT_EXPECT_FALSE(test, serve(vcpu));
	KUNIT_EXPECT_EQ(test, vcpu->pi.esr, BIT(PI_ESR_RECV_ILLEGAL));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(divider_follows_the_manuals_table),
	KUNIT_CASE(tsc_becomes_ns_rounded_up_without_overflow),
	KUNIT_CASE(missed_periods_are_skipped_on_the_grid),
	KUNIT_CASE(one_shot_fires_once),
	KUNIT_CASE(count_runs_down_from_the_initial_count),
	KUNIT_CASE(divider_slows_the_count),
	KUNIT_CASE(periodic_fires_again_and_skips_what_was_missed),
	KUNIT_CASE(shortest_period_is_bounded),
	KUNIT_CASE(masked_timer_counts_and_posts_nothing),
	KUNIT_CASE(request_that_is_stale_posts_nothing),
	KUNIT_CASE(deadline_in_the_past_fires_at_once),
	KUNIT_CASE(deadline_is_not_early_by_the_tsc),
	KUNIT_CASE(deadline_is_in_guest_time),
	KUNIT_CASE(deadline_of_a_running_vcpu_needs_no_host_timer),
	KUNIT_CASE(deadline_of_a_vcpu_that_sleeps_is_the_host_timers),
	KUNIT_CASE(disarmed_deadline_is_no_entrys),
	KUNIT_CASE(deadline_of_zero_disarms),
	KUNIT_CASE(each_mode_ignores_the_others_register),
	KUNIT_CASE(change_to_or_from_deadline_mode_disarms),
	KUNIT_CASE(reserved_mode_never_fires),
	KUNIT_CASE(illegal_vector_is_an_error),
	{}
};

static struct kunit_suite suite = { .name = "pi_timer", .test_cases = cases };
kunit_test_suite(suite);
