// SPDX-License-Identifier: GPL-2.0-only
/* How long a halted vCPU polls. */
#include "../halt.c"
#include "fake.h"

static void poll_follows_the_waits(struct kunit *test)
{
	static const struct {
		u32 poll, max;
		u64 waited;
		u32 next;
	} row[] = {
		{ 0, 200000, 50000, 10000 },		/* starts */
		{ 10000, 200000, 50000, 20000 },	/* grows */
		{ 160000, 200000, 190000, 200000 },	/* to the limit */
		{ 200000, 200000, 200000, 200000 },
		{ 80000, 200000, 80000, 80000 },	/* caught: stays */
		{ 80000, 200000, 1, 80000 },
		{ 80000, 200000, 200001, 0 },		/* too long to poll for */
		{ 200000, 200000, ~0ull, 0 },
		{ 80000, 0, 5, 0 },			/* switched off */
		{ 80000, 0, 100000, 0 },
		{ 0, 0, 0, 0 },
		{ 80000, 30000, 50000, 30000 },		/* limit was lowered */
		{ 0, 5000, 4000, 5000 },
		{ 1000000, 1000000, 1000001, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(row); i++)
		KUNIT_EXPECT_EQ_MSG(test, limen_halt_next_poll(row[i].poll, row[i].max,
							       row[i].waited),
				    row[i].next, "row %d", i);
}

/* something comes within @us of a halt that polls for @poll ns */
static int block(struct limen_vcpu *vcpu, u32 max, u32 poll, u32 us)
{
	vcpu->vm->halt_poll_max = max;
	vcpu->halt_poll = poll;
	vcpu->ev.mp_state = LIMEN_MP_HALTED;
	clear_bit(LIMEN_REQ_TIMER, &vcpu->requests);
	hrtimer_start(&vcpu->pi.timer, ns_to_ktime(us * 1000ull), HRTIMER_MODE_REL);
	return limen_vcpu_block(vcpu);
}

static void what_comes_while_it_polls_is_a_hit(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	const u64 *hit = &vcpu->stat[LIMEN_STAT_POLLS_HIT];
	int i;

	/* another thread may want the CPU now and then */
	for (i = 0; i < 20 && !*hit; i++)
		KUNIT_EXPECT_EQ(test, block(vcpu, 1000000000, 1000000000, 500), 0);
	KUNIT_EXPECT_EQ(test, *hit, 1ull);
	KUNIT_EXPECT_GE(test, vcpu->stat[LIMEN_STAT_HALT_NS], 400000ull);
	KUNIT_EXPECT_EQ(test, vcpu->halt_poll, 1000000000u);
}

static void what_comes_later_wakes_it(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	KUNIT_EXPECT_EQ(test, block(vcpu, 20000, 20000, 3000), 0);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_POLLS_MISSED], 1ull);
	KUNIT_EXPECT_EQ(test, vcpu->halt_poll, 0u);
	/* with nothing to poll for there is nothing to miss */
	KUNIT_EXPECT_EQ(test, block(vcpu, 20000, 0, 3000), 0);
	KUNIT_EXPECT_EQ(test, block(vcpu, 0, 20000, 3000), 0);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_POLLS_MISSED], 1ull);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_POLLS_HIT], 0ull);
}

static void signal_ends_the_poll(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	u64 start = ktime_get_ns();

	set_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, block(vcpu, 1000000000, 1000000000, 500000), -EINTR);
	clear_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_LT(test, ktime_get_ns() - start, 400000000ull);
	hrtimer_cancel(&vcpu->pi.timer);
}

static void scheduler_ends_the_poll(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	u64 start = ktime_get_ns();

	preempt_disable();
	set_tsk_need_resched(current);
	vcpu->halt_poll = 1000000000;
	KUNIT_EXPECT_FALSE(test, poll(vcpu, start, 1000000000));
	clear_tsk_need_resched(current);
	preempt_enable();
	KUNIT_EXPECT_LT(test, ktime_get_ns() - start, 400000000ull);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(poll_follows_the_waits),
	KUNIT_CASE(what_comes_while_it_polls_is_a_hit),
	KUNIT_CASE(what_comes_later_wakes_it),
	KUNIT_CASE(signal_ends_the_poll),
	KUNIT_CASE(scheduler_ends_the_poll),
	{}
};

static struct kunit_suite suite = { .name = "halt", .test_cases = cases };
kunit_test_suite(suite);
