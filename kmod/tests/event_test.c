// SPDX-License-Identifier: GPL-2.0-only
/* What reaches the guest next, and what becomes of two things at once. */
#include "../event.c"
#include "fake.h"

#define EXC(v)		(LIMEN_EVENT_VALID | LIMEN_TYPE_EXCEPTION << 8 | (v))
#define EXC_ERR(v)	(EXC(v) | LIMEN_EVENT_ERROR)
#define EXTINT(v)	(LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | (v))
#define NMI		(LIMEN_EVENT_VALID | LIMEN_TYPE_NMI << 8 | 2)

static struct limen_vcpu *open_vcpu(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	vcpu->regs.rflags = 0x202;
	return vcpu;
}

static void exceptions_go_before_nmis_and_these_before_interrupts(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	pi_post(vcpu, 0x41, false);
	vcpu->ev.nmi_pending = 1;
	limen_raise_gp(vcpu);

	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXC_ERR(VEC_GP));
	KUNIT_EXPECT_TRUE(test, vcpu->entry.nmi_window);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.irq_window);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, NMI);
	KUNIT_EXPECT_FALSE(test, vcpu->entry.nmi_window);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.irq_window);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXTINT(0x41));
	KUNIT_EXPECT_FALSE(test, vcpu->entry.irq_window);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, 0u);
}

static void second_interrupt_asks_for_the_window(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	pi_post(vcpu, 0x41, false);
	pi_post(vcpu, 0x51, false);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXTINT(0x51));
	/* 41h is below the one in service */
	KUNIT_EXPECT_FALSE(test, vcpu->entry.irq_window);
	pi_post(vcpu, 0x61, false);
	vcpu->regs.rflags = 2;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, 0u);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.irq_window);
}

static void shadow_and_blocking_hold_back(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	pi_post(vcpu, 0x41, false);
	vcpu->ev.nmi_pending = 1;
	vcpu->ev.shadow = LIMEN_SHADOW_MOV_SS;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, 0u);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.nmi_window);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.irq_window);
	vcpu->ev.shadow = 0;
	vcpu->ev.nmi_blocked = 1;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXTINT(0x41));
	KUNIT_EXPECT_TRUE(test, vcpu->entry.nmi_window);
	KUNIT_EXPECT_EQ(test, vcpu->ev.nmi_pending, 1);
}

static void page_fault_sets_cr2_only_when_it_is_delivered(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	limen_raise(vcpu, VEC_PF, 6, 0x1234);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr2, 0);
	vcpu->entry.dirty = 0;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXC_ERR(VEC_PF));
	KUNIT_EXPECT_EQ(test, vcpu->entry.event_error, 6u);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr2, 0x1234);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_CR2);
}

/* SDM Vol. 3, "Debug Status Register (DR6)" */
static void debug_exception_sets_dr6_and_clears_gd(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	vcpu->dr.dr6 = 0xffff0ff0 | 0xf | BIT(14);
	vcpu->dr.dr7 = 0x400 | BIT(13);
	limen_raise(vcpu, VEC_DB, NO_ERROR, BIT(13) | 2);
	vcpu->entry.dirty = 0;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6, 0xffff0ff0ull | BIT(14) | BIT(13) | 2);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0x400ull);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_DR);

	/* in a transaction bit 16 goes to 0, after it back to 1 */
	limen_raise(vcpu, VEC_DB, NO_ERROR, BIT(16) | 1);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6 & BIT(16), 0ull);
	limen_raise(vcpu, VEC_DB, NO_ERROR, 1);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_NE(test, vcpu->dr.dr6 & BIT(16), 0ull);
}

/* SDM Vol. 3, Table "Protected-Mode Exceptions and Interrupts", column "Type" */
static void injected_faults_have_rf_in_the_flags(struct kunit *test)
{
	static const u32 traps = BIT(1) | BIT(3) | BIT(4) | BIT(8) | BIT(18);
	u32 v;

	for (v = 0; v < 32; v++) {
		struct limen_vcpu *vcpu = open_vcpu(test);
		u64 rf = v == 2 || traps & BIT(v) ? 0 : 1 << 16;

		limen_raise(vcpu, v, NO_ERROR, 0);
		if (v == 2)
			vcpu->ev.exception = NMI;
		vcpu->entry.dirty = 0;
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->regs.rflags, 0x202 | rf, "%u", v);
		if (rf)
			KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_REGS);

		/* and when it is delivered for the second time */
		vcpu->regs.rflags = 0x202;
		vcpu->ev.injected = v == 2 ? NMI : EXC(v);
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->regs.rflags, 0x202 | rf, "%u", v);
	}
}

/* SDM Vol. 3, "General-Detect Exception Condition": a fault */
static void general_detect_is_a_fault_and_a_step_is_a_trap(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	limen_raise(vcpu, VEC_DB, NO_ERROR, BIT(14));
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags, 0x202ull);
	limen_raise(vcpu, VEC_DB, NO_ERROR, BIT(13));
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags, 0x10202ull);
	/* an interrupt is none either */
	vcpu->regs.rflags = 0x202;
	vcpu->ev.injected = EXTINT(0x41);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags, 0x202ull);
}

/* SDM Vol. 3, Table "Conditions for Generating a Double Fault" */
static void two_faults_make_the_manuals_third(struct kunit *test)
{
	static const u8 vectors[] = {
		VEC_DB, VEC_UD, VEC_AC,			/* benign */
		VEC_DE, VEC_TS, VEC_NP, VEC_SS, VEC_GP,	/* contributory */
		VEC_PF,
	};
	int i, j;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		for (j = 0; j < ARRAY_SIZE(vectors); j++) {
			struct limen_vcpu *vcpu = open_vcpu(test);
			bool first = i >= 3 && i < 8, second = j >= 3 && j < 8;
			bool df = (first && second) || (i == 8 && j >= 3);

			vcpu->ev.injected = EXC(vectors[i]);
			limen_raise(vcpu, vectors[j], NO_ERROR, 0);
			KUNIT_EXPECT_EQ_MSG(test, vcpu->ev.exception & 0xff,
					    df ? VEC_DF : vectors[j], "%d after %d",
					    vectors[j], vectors[i]);
			/* the first one comes again with its instruction */
			KUNIT_EXPECT_EQ(test, vcpu->ev.injected, 0u);
			if (df)
				KUNIT_EXPECT_EQ(test, vcpu->ev.exception,
						EXC_ERR(VEC_DF));
		}
	}
}

static void fault_in_a_double_fault_is_a_shutdown(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	vcpu->ev.injected = EXC_ERR(VEC_DF);
	limen_raise(vcpu, VEC_DB, NO_ERROR, 0);
	KUNIT_EXPECT_FALSE(test, vcpu->shutdown);
	vcpu->ev.exception = 0;
	vcpu->ev.injected = EXC_ERR(VEC_DF);
	limen_raise(vcpu, VEC_PF, 2, 0x1000);
	KUNIT_EXPECT_TRUE(test, vcpu->shutdown);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception | vcpu->ev.injected, 0u);
}

/* SDM Vol. 3, "Double Fault Exception": handled serially; the APIC has let go of it */
static void event_whose_delivery_faults_does_not_come_again(struct kunit *test)
{
	static const u32 events[] = {
		EXTINT(0x41), NMI, LIMEN_EVENT_VALID | LIMEN_TYPE_SOFTINT << 8 | 0x80,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		struct limen_vcpu *vcpu = open_vcpu(test);

		vcpu->ev.injected = events[i];
		limen_raise(vcpu, VEC_PF, 2, 0x1000);
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXC_ERR(VEC_PF));
		/* the handler runs with IF clear */
		vcpu->regs.rflags = 2;
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->entry.event, 0u, "row %d", i);

		/* the same where user space raised it */
		vcpu->ev.injected = events[i];
		vcpu->ev.exception = EXC(VEC_UD);
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXC(VEC_UD));
		limen_event_pick(vcpu);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->entry.event, 0u, "row %d", i);
	}
}

static void soft_exceptions_are_no_faults_in_progress(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	vcpu->ev.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_SOFTINT << 8 | VEC_GP;
	limen_raise(vcpu, VEC_GP, 0, 0);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception, EXC_ERR(VEC_GP));
}

static void delivery_that_an_exit_cut_short_is_kept(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	vcpu->exit.event = 0;
	vcpu->exit.event_error = 5;
	limen_event_done(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->ev.injected, 0u);
	vcpu->exit.event = EXC_ERR(VEC_GP);
	vcpu->exit.event_insn_len = 3;
	limen_event_done(vcpu);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXC_ERR(VEC_GP));
	KUNIT_EXPECT_EQ(test, vcpu->entry.event_error, 5u);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event_insn_len, 3);
}

static void halted_cpu_wakes_for_what_it_can_take(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	KUNIT_EXPECT_FALSE(test, limen_event_waits(vcpu));
	pi_post(vcpu, 0x41, false);
	KUNIT_EXPECT_TRUE(test, limen_event_waits(vcpu));
	vcpu->regs.rflags = 2;
	KUNIT_EXPECT_FALSE(test, limen_event_waits(vcpu));
	vcpu->ev.nmi_pending = 1;
	KUNIT_EXPECT_TRUE(test, limen_event_waits(vcpu));
	vcpu->ev.nmi_blocked = 1;
	KUNIT_EXPECT_FALSE(test, limen_event_waits(vcpu));
	limen_raise_ud(vcpu);
	KUNIT_EXPECT_TRUE(test, limen_event_waits(vcpu));
}

static void task_priority_holds_interrupts_without_a_window(struct kunit *test)
{
	struct limen_vcpu *vcpu = open_vcpu(test);

	pi_set_cr8(vcpu, 4);
	pi_post(vcpu, 0x41, false);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, 0u);
	KUNIT_EXPECT_FALSE(test, vcpu->entry.irq_window);
	pi_set_cr8(vcpu, 3);
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, EXTINT(0x41));
}

static void hardware_that_delivers_gets_the_highest_request(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	vcpu->pi.by_hw = true;
	vcpu->regs.rflags = 2;			/* IF is hardware's to look at */
	pi_post(vcpu, 0x41, false);
	pi_post(vcpu, 0x51, false);
	vcpu->entry.dirty = 0;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.event, 0u);
	KUNIT_EXPECT_FALSE(test, vcpu->entry.irq_window);
	KUNIT_EXPECT_EQ(test, vcpu->entry.rvi, 0x51);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_IRR);
	/* nothing new: what hardware has is right */
	vcpu->entry.dirty = 0;
	limen_event_pick(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->entry.dirty, 0u);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(hardware_that_delivers_gets_the_highest_request),
	KUNIT_CASE(exceptions_go_before_nmis_and_these_before_interrupts),
	KUNIT_CASE(second_interrupt_asks_for_the_window),
	KUNIT_CASE(shadow_and_blocking_hold_back),
	KUNIT_CASE(page_fault_sets_cr2_only_when_it_is_delivered),
	KUNIT_CASE(debug_exception_sets_dr6_and_clears_gd),
	KUNIT_CASE(injected_faults_have_rf_in_the_flags),
	KUNIT_CASE(general_detect_is_a_fault_and_a_step_is_a_trap),
	KUNIT_CASE(two_faults_make_the_manuals_third),
	KUNIT_CASE(fault_in_a_double_fault_is_a_shutdown),
	KUNIT_CASE(event_whose_delivery_faults_does_not_come_again),
	KUNIT_CASE(soft_exceptions_are_no_faults_in_progress),
	KUNIT_CASE(delivery_that_an_exit_cut_short_is_kept),
	KUNIT_CASE(halted_cpu_wakes_for_what_it_can_take),
	KUNIT_CASE(task_priority_holds_interrupts_without_a_window),
	{}
};

static struct kunit_suite suite = { .name = "event", .test_cases = cases };
kunit_test_suite(suite);
