// SPDX-License-Identifier: GPL-2.0-only
/* LIMEN_CLASS_APIC: what goes out comes back, and only what can be is let in. */
#include <linux/delay.h>
#include <linux/prandom.h>

#include "../posted_irq/pi_state.c"
#include "fake.h"

static void write(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	pi_mmio(vcpu, off, true, &val);
}

static struct limen_apic *new_state(struct kunit *test)
{
	struct limen_apic *state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, state);
	return state;
}

static struct limen_apic *state_of(struct kunit *test, struct limen_vcpu *vcpu)
{
	struct limen_apic *state = new_state(test);

	memset(state, 0xff, sizeof(*state));
	pi_get_state(vcpu, state);
	return state;
}

/* the current count and what is left of it run on */
static void forget_time(struct limen_apic *state)
{
	state->period_left = !!state->period_left;
	pi_vapic_set(state->regs, PI_REG_TMCCT, 0);
}

static void make_busy(struct limen_vcpu *vcpu)
{
	write(vcpu, PI_REG_SVR, 0x1ff);
	write(vcpu, PI_REG_TPR, 0x20);
	write(vcpu, PI_REG_LDR, 0x04000000);
	write(vcpu, PI_REG_LVT_TIMER, PI_LVT_TIMER_PERIODIC | 0xec);
	write(vcpu, PI_REG_LVT_ERROR, 0xfe);
	write(vcpu, PI_REG_TDCR, 0xb);
	write(vcpu, PI_REG_TMICT, 4000000000u);
	pi_post(vcpu, 0x41, true);
	pi_fold(vcpu);
	pi_accept(vcpu, 0x41);
	pi_post(vcpu, 0x52, false);
	pi_error(vcpu, PI_ESR_BAD_REGISTER);
}

static void state_survives_a_round_trip(struct kunit *test)
{
	struct limen_vcpu *from = fake_vcpu(test, 2);
	struct limen_vcpu *to = fake_vcpu(test, 2);
	struct limen_apic *a, *b;
	u64 left;

	make_busy(from);
	a = state_of(test, from);
	KUNIT_ASSERT_EQ(test, pi_check_state(to, a), 0);
	pi_set_state(to, a);
	b = state_of(test, to);

	left = a->period_left;
	KUNIT_EXPECT_GT(test, left, 2500000000ull);
	KUNIT_EXPECT_LE(test, b->period_left, left);
	KUNIT_EXPECT_GT(test, b->period_left, left - 2000000000);
	KUNIT_EXPECT_EQ(test, to->pi.period, 4000000000ull);
	forget_time(a);
	forget_time(b);
	KUNIT_EXPECT_EQ(test, memcmp(a, b, sizeof(*a)), 0);
	KUNIT_EXPECT_TRUE(test, to->pi.sw_enabled);
	KUNIT_EXPECT_EQ(test, pi_pick(to), 0xfe);
	KUNIT_EXPECT_EQ(test, to->pi.esr, from->pi.esr);
	/* who sent 0x41 is not known any more: the VMM hears of its end */
	KUNIT_EXPECT_EQ(test, to->vm->irqfds.user_eoi[1], 2ul);
	KUNIT_EXPECT_EQ(test, to->vm->irqfds.user_eoi[0] | to->vm->irqfds.user_eoi[2] |
			to->vm->irqfds.user_eoi[3], 0ul);
}

static void state_right_after_reset_is_valid_in_every_mode(struct kunit *test)
{
	u32 id;

	for (id = 0; id < LIMEN_MAX_VCPUS; id += 21) {
		struct limen_vcpu *vcpu = fake_vcpu(test, id);
		u64 base = vcpu->pi.base;

		KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, state_of(test, vcpu)), 0);
		pi_wrmsr(vcpu, 0x1b, base | PI_BASE_EXTD);
		KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, state_of(test, vcpu)), 0);
		pi_wrmsr(vcpu, 0x1b, 0xfee00000);
		KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, state_of(test, vcpu)), 0);
	}
}

static void posted_interrupts_are_in_the_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_apic *state;

	pi_post(vcpu, 0x41, false);
	state = state_of(test, vcpu);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(state->regs, PI_REG_IRR + 0x20), 2);
}

static void timer_that_has_fired_is_in_the_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_apic *state;

	write(vcpu, PI_REG_LVT_TIMER, PI_LVT_TIMER_DEADLINE | 0x41);
	pi_wrmsr(vcpu, 0x6e0, 1);
	state = state_of(test, vcpu);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(state->regs, PI_REG_IRR + 0x20), 2);
	KUNIT_EXPECT_EQ(test, state->deadline, 0);
}

static void armed_count_is_never_zero(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	write(vcpu, PI_REG_LVT_TIMER, 0x41);
	write(vcpu, PI_REG_TMICT, 1000);
	hrtimer_cancel(&vcpu->pi.timer);
	clear_bit(LIMEN_REQ_TIMER, &vcpu->requests);
	usleep_range(10, 20);
	KUNIT_EXPECT_EQ(test, state_of(test, vcpu)->period_left, 1);
}

static void deadline_waits_for_the_tsc_of_the_same_transfer(struct kunit *test)
{
	struct limen_vcpu *from = fake_vcpu(test, 0);
	struct limen_vcpu *to = fake_vcpu(test, 0);
	struct limen_apic *state;
	u64 deadline = 1000ull * FAKE_TSC_KHZ;

	from->tsc_offset = -fake.tsc;
	write(from, PI_REG_LVT_TIMER, PI_LVT_TIMER_DEADLINE | 0x41);
	pi_wrmsr(from, 0x6e0, deadline);
	state = state_of(test, from);
	KUNIT_EXPECT_EQ(test, state->deadline, deadline);
	KUNIT_EXPECT_EQ(test, state->period_left, 0);

	/* over by the offset that is still in place, not by the new one */
	to->tsc_offset = deadline;
	KUNIT_ASSERT_EQ(test, pi_check_state(to, state), 0);
	pi_set_state(to, state);
	to->tsc_offset = from->tsc_offset;
	pi_tsc_moved(to);
	if (test_and_clear_bit(LIMEN_REQ_TIMER, &to->requests))
		pi_timer_fired(to);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(to));
	KUNIT_EXPECT_EQ(test, to->pi.deadline, deadline);
	KUNIT_EXPECT_GT(test, to->pi.target, ktime_get_ns() + 500000000);
}

static void set_drops_what_was_there(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_apic *clean = state_of(test, vcpu);

	make_busy(vcpu);
	write(vcpu, PI_REG_EOI, 0);
	pi_set_state(vcpu, clean);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
	KUNIT_EXPECT_EQ(test, pi_pick(vcpu), -1);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0);
	KUNIT_EXPECT_EQ(test, vcpu->pi.esr, 0);
	KUNIT_EXPECT_EQ(test, memcmp(clean, state_of(test, vcpu), sizeof(*clean)), 0);
}

static void priorities_follow_from_the_rest(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_apic *state = state_of(test, vcpu);

	pi_vapic_set(state->regs, PI_REG_TPR, 0x31);
	pi_vapic_set(state->regs, PI_REG_PPR, 0xf0);
	pi_vapic_set(state->regs, PI_REG_TMCCT, 77);
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, state), 0);
	pi_set_state(vcpu, state);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_PPR), 0x31u);
	KUNIT_EXPECT_EQ(test, state_of(test, vcpu)->period_left, 0ull);
}

static bool refuses(struct limen_vcpu *vcpu, const struct limen_apic *good, u32 off,
		    u32 val)
{
	struct limen_apic bad = *good;

	pi_vapic_set(bad.regs, off, val);
	return pi_check_state(vcpu, &bad) == -EINVAL;
}

static void impossible_registers_are_refused(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);
	struct limen_apic *good = state_of(test, vcpu);
	static const struct { u16 off; u32 val; } bad[] = {
		{ 0x020, 0 }, { 0x020, 0x02000000 }, { 0x020, 1 },
		{ 0x030, 0x60014 }, { 0x080, 0x100 }, { 0x0d0, 1 },
		{ 0x0e0, 0xf0000000 }, { 0x0f0, 0x4ff }, { 0x100, 1 },
		{ 0x180, 0x8000 }, { 0x200, 0x4000 }, { 0x280, 0x100 },
		{ 0x290, 0x100 }, { 0x300, 0x1000 }, { 0x310, 1 },
		{ 0x320, 0x11000 }, { 0x320, 0 }, { 0x350, 0x14000 },
		{ 0x370, 0x10700 }, { 0x3e0, 4 }, { 0x000, 1 }, { 0x010, 1 },
		{ 0x040, 1 }, { 0x090, 1 }, { 0x0b0, 1 }, { 0x0c0, 1 },
		{ 0x2f0, 0x10000 }, { 0x3f0, 1 }, { 0x024, 1 }, { 0x02c, 1 },
		{ 0x3fc, 1 },
	};
	int i;

	KUNIT_ASSERT_EQ(test, pi_check_state(vcpu, good), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_TRUE_MSG(test, refuses(vcpu, good, bad[i].off, bad[i].val),
				      "%#x = %#x", bad[i].off, bad[i].val);
}

static void impossible_modes_and_times_are_refused(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_apic *s = state_of(test, vcpu);

	s->base |= PI_BASE_EXTD;	/* but an xAPIC's ID */
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	s->base = 0xfee00000 | PI_BASE_EXTD;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	s->base = 1ull << limen_caps.phys_bits | PI_BASE_EN;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	s = state_of(test, vcpu);
	s->deadline = 1;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	s->deadline = 0;
	s->period_left = 1;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	pi_vapic_set(s->regs, PI_REG_TMICT, 1000000);
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), 0);
	s->period_left = 2000001;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
	s->period_left = ~0ull;
	KUNIT_EXPECT_EQ(test, pi_check_state(vcpu, s), -EINVAL);
}

/* Whatever a guest does, the state that follows can be restored. */
static void every_state_a_guest_can_reach_is_accepted(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 5);
	struct limen_apic *state = new_state(test);
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, 0x57a7e);
	for (i = 0; i < 20000 * FAKE_ROUNDS; i++) {
		u32 what = prandom_u32_state(&rnd);
		u32 val = prandom_u32_state(&rnd);
		int vector;

		if (what & 0x100)
			val &= 0x701ff;
		write(vcpu, (what & 0x3f) * 16, val);
		pi_wrmsr(vcpu, 0x800 + (what & 0x3f), val);
		if (!(what >> 16 & 0x3f))
			pi_wrmsr(vcpu, 0x1b, 0xfee00000 | (val & PI_BASE_MODE));
		if (!(what >> 22 & 3))
			pi_wrmsr(vcpu, 0x6e0, fake.tsc + val);
		pi_fold(vcpu);
		vector = pi_pick(vcpu);
		if (vector >= 0)
			pi_accept(vcpu, vector);
		pi_get_state(vcpu, state);
		KUNIT_ASSERT_EQ_MSG(test, pi_check_state(vcpu, state), 0,
				    "step %d: offset %#x value %#x", i,
				    (what & 0x3f) * 16, val);
		if (!(what >> 24 & 7))
			pi_set_state(vcpu, state);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(state_survives_a_round_trip),
	KUNIT_CASE(state_right_after_reset_is_valid_in_every_mode),
	KUNIT_CASE(posted_interrupts_are_in_the_state),
	KUNIT_CASE(timer_that_has_fired_is_in_the_state),
	KUNIT_CASE(armed_count_is_never_zero),
	KUNIT_CASE(deadline_waits_for_the_tsc_of_the_same_transfer),
	KUNIT_CASE(set_drops_what_was_there),
	KUNIT_CASE(priorities_follow_from_the_rest),
	KUNIT_CASE(impossible_registers_are_refused),
	KUNIT_CASE(impossible_modes_and_times_are_refused),
	KUNIT_CASE(every_state_a_guest_can_reach_is_accepted),
	{}
};

static struct kunit_suite suite = { .name = "pi_state", .test_cases = cases };
kunit_test_suite(suite);
