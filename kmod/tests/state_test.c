// SPDX-License-Identifier: GPL-2.0-only
/* State classes: every state that a get gives, a set takes; no impossible one. */
#include "../state.c"
#include "fake.h"

static void every_class_of_a_new_vcpu_can_be_set(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	void *data = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, data);
	for (i = 1; i < LIMEN_NR_CLASS; i++) {
		u32 len = classes[i].len ? classes[i].len() : 0;

		KUNIT_ASSERT_LE(test, len, (u32)PAGE_SIZE);
		memset(data, 0, PAGE_SIZE);
		KUNIT_EXPECT_EQ_MSG(test, classes[i].get(vcpu, data, len), 0, "class %d",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, classes[i].check(vcpu, data, len), 0,
				    "class %d", i);
		classes[i].set(vcpu, data, len);
	}
}

static void get_reads_what_is_in_hardware(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_sregs *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct limen_debugregs dr;
	struct limen_events ev;

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_run(test, vcpu);
	vcpu->valid = LIMEN_G_REGS;
	fake_cpu(vcpu)->sregs.cr3 = 0x7000;
	fake_cpu(vcpu)->sregs.cr2 = 0x7007;
	fake_cpu(vcpu)->dr.dr7 = 0x401;
	fake_cpu(vcpu)->nmi_blocked = 1;
	sregs_get(vcpu, s, sizeof(*s));
	debug_get(vcpu, &dr, sizeof(dr));
	events_get(vcpu, &ev, sizeof(ev));
	KUNIT_EXPECT_EQ(test, s->cr3, 0x7000ull);
	KUNIT_EXPECT_EQ(test, s->cr2, 0x7007ull);
	KUNIT_EXPECT_EQ(test, dr.dr7, 0x401ull);
	KUNIT_EXPECT_EQ(test, ev.nmi_blocked, 1);
}

static void posted_nmis_are_in_the_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_events ev;

	limen_vcpu_nmi(vcpu);
	events_get(vcpu, &ev, sizeof(ev));
	KUNIT_EXPECT_EQ(test, ev.nmi_pending, 1);
	limen_vcpu_nmi(vcpu);
	limen_vcpu_nmi(vcpu);
	events_get(vcpu, &ev, sizeof(ev));
	KUNIT_EXPECT_EQ(test, ev.nmi_pending, 2);
}

static void posted_unhalt_is_in_the_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_events ev;

	limen_vcpu_request(vcpu, LIMEN_REQ_UNHALT);
	events_get(vcpu, &ev, sizeof(ev));
	KUNIT_EXPECT_EQ(test, ev.unhalted, 1);
	ev.unhalted = 0;
	events_set(vcpu, &ev, sizeof(ev));
	events_get(vcpu, &ev, sizeof(ev));
	KUNIT_EXPECT_EQ(test, ev.unhalted, 0);
}

static void cr8_of_sregs_is_the_apics(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_sregs *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	pi_set_cr8(vcpu, 5);
	sregs_get(vcpu, s, sizeof(*s));
	KUNIT_EXPECT_EQ(test, s->cr8, 5ull);
	s->cr8 = 7;
	sregs_set(vcpu, s, sizeof(*s));
	KUNIT_EXPECT_EQ(test, pi_get_cr8(vcpu), 7ull);
}

static void impossible_events_are_refused(struct kunit *test)
{
	static const struct limen_events bad[] = {
		{ .injected = 0x41 },
		{ .injected = 0x80001041 },		/* reserved bit */
		{ .injected = 0x80000141 },		/* type 1 */
		{ .injected = 0x80000741 },		/* type 7 */
		{ .injected = 0x80000841 },		/* interrupt with an error */
		{ .injected = 0x80000203 },		/* NMI is vector 2 */
		{ .injected = 0x80000302 },		/* which no exception is */
		{ .injected = 0x80000320 },
		{ .injected_error = 1 },
		{ .injected = 0x8000030d, .injected_error = 1 },
		{ .exception = 0x80000041 },		/* an interrupt */
		{ .exception = 0x80000202 },
		{ .nmi_pending = 3 }, { .nmi_blocked = 2 }, { .shadow = 3 },
		{ .mp_state = 4 }, { .insn_len = 16 }, { .reserved = 1 },
		{ .unhalted = 2 },
	};
	static const struct limen_events good[] = {
		{ .injected = 0x80000041 }, { .injected = 0x80000202 },
		{ .injected = 0x80000b0e, .injected_error = 7 },
		{ .injected = 0x80000480, .insn_len = 2 },
		{ .exception = 0x80000b0d, .exception_error = 8 },
		{ .exception = 0x80000301, .exception_payload = 0x4000 },
		{ .nmi_pending = 2, .nmi_blocked = 1, .shadow = 2,
		  .mp_state = LIMEN_MP_SIPI, .sipi_vector = 9, .unhalted = 1 },
	};
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, events_check(vcpu, &bad[i], sizeof(bad[i])),
				    -EINVAL, "row %d", i);
	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_EQ_MSG(test, events_check(vcpu, &good[i], sizeof(good[i])),
				    0, "row %d", i);
}

static void debug_registers_are_forced_into_shape(struct kunit *test)
{
	struct limen_debugregs dr = { .dr6 = 0, .dr7 = 0xffffffff };
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	KUNIT_EXPECT_EQ(test, debug_check(vcpu, &dr, sizeof(dr)), 0);
	debug_set(vcpu, &dr, sizeof(dr));
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6, 0xffff0ff0ull);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0xffff2fffull);
	dr.dr6 = 1ull << 32;
	KUNIT_EXPECT_EQ(test, debug_check(vcpu, &dr, sizeof(dr)), -EINVAL);
}

static void time_moves_the_deadline_and_the_clock(struct kunit *test)
{
	struct limen_time t = { .tsc_offset = 5, .tsc_adjust = 6, .clock_offset = -7 };
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	struct limen_time out;

	time_set(vcpu, &t, sizeof(t));
	time_get(vcpu, &out, sizeof(out));
	KUNIT_EXPECT_EQ(test, memcmp(&t, &out, sizeof(t)), 0);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_TSC);
	KUNIT_EXPECT_TRUE(test, test_bit(LIMEN_REQ_CLOCK, &vcpu->requests));
}

static void items_have_the_exact_length_of_their_class(struct kunit *test)
{
	struct limen_state_item item = { .cls = LIMEN_CLASS_APIC, .len = 1 };

	KUNIT_EXPECT_EQ(test, item_len(&item), (u32)sizeof(struct limen_apic));
	item.cls = LIMEN_CLASS_MSRS;
	KUNIT_EXPECT_EQ(test, item_len(&item), 0u);
	item.len = 3 * sizeof(struct limen_msr);
	KUNIT_EXPECT_EQ(test, item_len(&item), item.len);
	item.len = (MAX_MSR_ITEMS + 1) * sizeof(struct limen_msr);
	KUNIT_EXPECT_EQ(test, item_len(&item), 0u);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_class_of_a_new_vcpu_can_be_set),
	KUNIT_CASE(get_reads_what_is_in_hardware),
	KUNIT_CASE(posted_nmis_are_in_the_state),
	KUNIT_CASE(posted_unhalt_is_in_the_state),
	KUNIT_CASE(cr8_of_sregs_is_the_apics),
	KUNIT_CASE(impossible_events_are_refused),
	KUNIT_CASE(debug_registers_are_forced_into_shape),
	KUNIT_CASE(time_moves_the_deadline_and_the_clock),
	KUNIT_CASE(items_have_the_exact_length_of_their_class),
	{}
};

static struct kunit_suite suite = { .name = "state", .test_cases = cases };
kunit_test_suite(suite);
