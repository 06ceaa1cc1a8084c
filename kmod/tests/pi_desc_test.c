// SPDX-License-Identifier: GPL-2.0-only
/* The mailbox: one bit at a time, and then from many threads and an interrupt. */
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "../compat.h"
#include "../posted_irq/pi_desc.c"
#include "fake.h"

/* a vCPU in guest mode on another CPU: a notification is an IPI */
static struct limen_vcpu *vcpu_elsewhere(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	vcpu->where = LIMEN_IN_GUEST;
	vcpu->cpu = FAKE_ELSEWHERE;
	return vcpu;
}

static int notified(void)
{
	return atomic_read(&fake.kicks);
}

static bool is_requested(struct limen_vcpu *vcpu, u8 vector)
{
	u32 irr = pi_vapic_get(vcpu->pi.page, PI_REG_IRR + vector / 32 * 16);

	return irr & BIT(vector % 32);
}

static void only_the_first_post_notifies(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_elsewhere(test);

	pi_post(vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, notified(), 1);
	pi_post(vcpu, 0x31, false);
	pi_post(vcpu, 0xff, false);
	KUNIT_EXPECT_EQ(test, notified(), 1);

	pi_fold(vcpu);
	KUNIT_EXPECT_TRUE(test, is_requested(vcpu, 0x31));
	KUNIT_EXPECT_TRUE(test, is_requested(vcpu, 0xff));
	pi_post(vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, notified(), 2);
}

static void every_vector_folds_into_its_own_bit(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	int v, other;

	for (v = PI_FIRST_VECTOR; v < 256; v++) {
		pi_post(vcpu, v, false);
		pi_fold(vcpu);
		for (other = 0; other < 256; other++)
			KUNIT_ASSERT_EQ(test, is_requested(vcpu, other), other == v);
		pi_vapic_accept(vcpu->pi.page, v);
		pi_vapic_eoi(vcpu->pi.page);
	}
}

static void bits_fold_although_on_is_clear(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	pi_post(vcpu, 0x41, false);
	clear_bit(PI_ON, &vcpu->pi.desc->control);
	KUNIT_EXPECT_TRUE(test, pi_has_posted(vcpu));
	pi_fold(vcpu);
	KUNIT_EXPECT_TRUE(test, is_requested(vcpu, 0x41));
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
}

/* A poster is between its two steps while the vCPU folds. */
static void on_without_a_bit_does_not_swallow_the_next_notification(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_elsewhere(test);

	set_bit(PI_ON, &vcpu->pi.desc->control);
	KUNIT_EXPECT_TRUE(test, pi_has_posted(vcpu));
	pi_fold(vcpu);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
	pi_post(vcpu, 0x41, false);
	KUNIT_EXPECT_EQ(test, notified(), 1);
}

static void post_sets_the_trigger_mode(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	pi_post(vcpu, 0x41, true);
	pi_fold(vcpu);
	KUNIT_EXPECT_TRUE(test, pi_vapic_is_level(vcpu->pi.page, 0x41));
	pi_post(vcpu, 0x41, false);
	KUNIT_EXPECT_FALSE(test, pi_vapic_is_level(vcpu->pi.page, 0x41));
}

/* hardware would fold it before it knows that its end is to be told */
static void level_does_not_go_by_the_descriptor(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	vcpu->entry.dirty = 0;
	pi_post(vcpu, 0x41, true);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(vcpu->pi.desc->pir, 256));
	KUNIT_EXPECT_TRUE(test, test_bit(LIMEN_REQ_LEVEL, &vcpu->requests));
	KUNIT_EXPECT_TRUE(test, pi_has_posted(vcpu));
	pi_fold(vcpu);
	KUNIT_EXPECT_EQ(test, pi_requested(vcpu), 0x41);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_APIC);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
	pi_post(vcpu, 0x42, true);
	pi_drop(vcpu);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
}

static void notification_follows_the_thread(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	unsigned long *control = &vcpu->pi.desc->control;

	WRITE_ONCE(vcpu->where, LIMEN_IN_GUEST);
	vcpu->cpu = FAKE_ELSEWHERE;
	pi_load(vcpu, 5);
	KUNIT_EXPECT_EQ(test, *control, 0x45ul << 32 | 0xf2 << 16);
	atomic_set(&fake.kicks, 0);
	pi_post(vcpu, 0x41, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 1);
	/* scheduled out: it looks when it is back; what waits stays */
	pi_put(vcpu);
	clear_bit(PI_ON, control);
	pi_post(vcpu, 0x42, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 1);
	KUNIT_EXPECT_EQ(test, *control & (BIT(PI_ON) | BIT(PI_SN)),
			BIT(PI_ON) | BIT(PI_SN));
	pi_load(vcpu, 6);
	KUNIT_EXPECT_EQ(test, *control,
			0x46ul << 32 | 0xf2 << 16 | BIT(PI_ON));
	pi_fold(vcpu);
	KUNIT_EXPECT_EQ(test, pi_requested(vcpu), 0x42);
	vcpu->where = LIMEN_OUTSIDE;
}

#define POSTERS		4
#define ROUNDS		5000
#define PATIENCE	(10 * HZ)

struct race {
	struct limen_vcpu *vcpu;
	struct task_struct *poster[POSTERS];
	struct hrtimer timer;
	unsigned int posted[256];
	unsigned int seen[256];	/* by the vCPU */
	bool stuck;
};

/* Each poster has its own vectors, and posts one again when it has been seen. */
static bool wait_until_seen(struct race *race, u8 vector)
{
	unsigned long end = jiffies + PATIENCE;

	while (READ_ONCE(race->seen[vector]) != race->posted[vector]) {
		if (kthread_should_stop())
			return false;
		if (time_after(jiffies, end)) {
			WRITE_ONCE(race->stuck, true);
			rcuwait_wake_up(&race->vcpu->wait);
			return false;
		}
		cond_resched();
	}
	return true;
}

static int poster(void *data)
{
	struct race *race = data;
	int i, me;

	for (me = 0; race->poster[me] != current; me++)
		;
	for (i = 0; i < ROUNDS; i++) {
		u8 vector = 0x20 + i % 48 * POSTERS + me;

		if (!wait_until_seen(race, vector))
			break;
		race->posted[vector]++;
		pi_post(race->vcpu, vector, i & 1);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static enum hrtimer_restart interrupt(struct hrtimer *timer)
{
	struct race *race = container_of(timer, struct race, timer);
	u8 vector = 0xf0;

	if (READ_ONCE(race->seen[vector]) == race->posted[vector]) {
		race->posted[vector]++;
		pi_post(race->vcpu, vector, false);
	}
	hrtimer_forward_now(timer, ns_to_ktime(20000));
	return HRTIMER_RESTART;
}

/* What a vCPU thread does; gives the number of interrupts it has seen. */
static unsigned int consume(struct race *race)
{
	u8 *page = race->vcpu->pi.page;
	unsigned int n = 0;
	int vector;

	pi_fold(race->vcpu);
	while ((vector = pi_vapic_pick(page)) >= 0) {
		pi_vapic_accept(page, vector);
		pi_vapic_eoi(page);
		WRITE_ONCE(race->seen[vector], race->seen[vector] + 1);
		n++;
	}
	return n;
}

static void consume_all(struct race *race)
{
	unsigned int left = POSTERS * ROUNDS;

	while (left && !READ_ONCE(race->stuck)) {
		unsigned int irq = race->seen[0xf0];

		rcuwait_wait_event(&race->vcpu->wait, pi_has_posted(race->vcpu) ||
				   READ_ONCE(race->stuck), TASK_INTERRUPTIBLE);
		left -= consume(race) - (race->seen[0xf0] - irq);
	}
}

static struct race *start_race(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->vcpu = fake_vcpu(test, 0);
	limen_hrtimer_setup(&race->timer, interrupt, CLOCK_MONOTONIC,
			    HRTIMER_MODE_REL_HARD);
	for (i = 0; i < POSTERS; i++) {
		race->poster[i] = kthread_create(poster, race, "poster/%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(race->poster[i]));
	}
	for (i = 0; i < POSTERS; i++)
		wake_up_process(race->poster[i]);
	hrtimer_start(&race->timer, ns_to_ktime(20000), HRTIMER_MODE_REL_HARD);
	return race;
}

static void stop_race(struct race *race)
{
	int i;

	hrtimer_cancel(&race->timer);
	for (i = 0; i < POSTERS; i++)
		kthread_stop(race->poster[i]);
}

static void nothing_is_lost_between_many_posters_and_a_sleeper(struct kunit *test)
{
	struct race *race = start_race(test);
	int v;

	consume_all(race);
	stop_race(race);
	consume(race);
	KUNIT_EXPECT_FALSE(test, race->stuck);
	for (v = 0; v < 256; v++)
		KUNIT_EXPECT_EQ_MSG(test, race->seen[v], race->posted[v],
				    "vector %#x", v);
	KUNIT_EXPECT_GT(test, race->seen[0xf0], 0u);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(only_the_first_post_notifies),
	KUNIT_CASE(every_vector_folds_into_its_own_bit),
	KUNIT_CASE(bits_fold_although_on_is_clear),
	KUNIT_CASE(on_without_a_bit_does_not_swallow_the_next_notification),
	KUNIT_CASE(post_sets_the_trigger_mode),
	KUNIT_CASE(level_does_not_go_by_the_descriptor),
	KUNIT_CASE(notification_follows_the_thread),
	KUNIT_CASE(nothing_is_lost_between_many_posters_and_a_sleeper),
	{}
};

static struct kunit_suite suite = { .name = "pi_desc", .test_cases = cases };
kunit_test_suite(suite);
