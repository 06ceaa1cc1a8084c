// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's beginnings, and how it is told things. */
#include "../halt.h"
#include "../vcpu.c"
#include "fake.h"

/* SDM Vol. 3, "Processor State After Reset" */
static void reset_gives_the_manuals_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	const struct limen_sregs *s = &vcpu->sregs;

	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0xfff0ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags, 2ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0ull);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_CS].sel, 0xf000);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_CS].base, 0xffff0000ull);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_CS].ar, 0x9bu);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_DS].ar, 0x93u);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_TR].ar, 0x8bu);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_LDTR].ar, 0x82u);
	KUNIT_EXPECT_EQ(test, s->seg[LIMEN_GS].limit, 0xffffu);
	KUNIT_EXPECT_EQ(test, s->idt.limit, 0xffff);
	KUNIT_EXPECT_EQ(test, s->cr0, 0x60000010ull);
	KUNIT_EXPECT_EQ(test, s->cr4 | s->cr3 | s->efer, 0ull);
	KUNIT_EXPECT_EQ(test, s->xcr0, 1ull);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr6, 0xffff0ff0ull);
	KUNIT_EXPECT_EQ(test, vcpu->dr.dr7, 0x400ull);
	KUNIT_EXPECT_EQ(test, vcpu->sys.pat, 0x0007040600070406ull);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_RUNNING);
	KUNIT_EXPECT_EQ(test, vcpu->entry.dirty,
			(u32)(LIMEN_G_ALL | LIMEN_G_APIC | LIMEN_G_IRR));
}

/* SDM Vol. 3, "INIT": MSRs, the TSC, CD and NW, XCR0 stay */
static void init_keeps_what_the_manual_keeps(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);

	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_WAIT_SIPI);
	fake_long_mode(vcpu);
	vcpu->sys.lstar = 0x1234;
	vcpu->sregs.xcr0 = 7;
	vcpu->tsc_offset = 99;
	vcpu->soft.mtrr_def_type = 6;
	vcpu->ev.mp_state = LIMEN_MP_RUNNING;
	vcpu->ev.nmi_pending = 1;
	limen_vcpu_reset(vcpu, true);
	KUNIT_EXPECT_EQ(test, vcpu->sys.lstar, 0x1234ull);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.xcr0, 7ull);
	KUNIT_EXPECT_EQ(test, vcpu->tsc_offset, 99ull);
	KUNIT_EXPECT_EQ(test, vcpu->soft.mtrr_def_type, 6ull);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, 0x10ull);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.efer, 0ull);
	KUNIT_EXPECT_EQ(test, vcpu->ev.nmi_pending, 0);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_WAIT_SIPI);
	vcpu->sregs.cr0 |= 0x60000000;
	limen_vcpu_reset(vcpu, true);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, 0x60000010ull);
}

static void guest_tsc_starts_at_zero(struct kunit *test)
{
	struct limen_vm *vm = fake_vm(test, 0);
	struct limen_vcpu *vcpu = limen_vcpu_create(vm, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(vcpu));
	KUNIT_EXPECT_EQ(test, limen_host_tsc() + vcpu->tsc_offset, 0ull);
	limen_vcpu_destroy(vcpu);
}

static void only_a_vcpu_in_guest_mode_elsewhere_gets_an_ipi(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	limen_vcpu_notify(vcpu);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 0);
	vcpu->where = LIMEN_IN_GUEST;
	vcpu->cpu = raw_smp_processor_id();
	limen_vcpu_notify(vcpu);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 0);
	vcpu->cpu = FAKE_ELSEWHERE;
	limen_vcpu_request(vcpu, LIMEN_REQ_KICK);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 1);
	KUNIT_EXPECT_TRUE(test, limen_has_request(vcpu, LIMEN_REQ_KICK));
	vcpu->where = LIMEN_OUTSIDE;
	limen_vcpu_nmi(vcpu);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake.kicks), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&vcpu->nmi_posted), 1);
}

static void request_ends_a_sleep(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	set_bit(LIMEN_REQ_CLOCK, &vcpu->requests);
	KUNIT_EXPECT_EQ(test, limen_vcpu_block(vcpu), 0);
	clear_bit(LIMEN_REQ_CLOCK, &vcpu->requests);
	pi_post(vcpu, 0x41, false);
	KUNIT_EXPECT_EQ(test, limen_vcpu_block(vcpu), 0);
	pi_fold(vcpu);
	set_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, limen_vcpu_block(vcpu), -EINTR);
	clear_thread_flag(TIF_SIGPENDING);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reset_gives_the_manuals_state),
	KUNIT_CASE(init_keeps_what_the_manual_keeps),
	KUNIT_CASE(guest_tsc_starts_at_zero),
	KUNIT_CASE(only_a_vcpu_in_guest_mode_elsewhere_gets_an_ipi),
	KUNIT_CASE(request_ends_a_sleep),
	{}
};

static struct kunit_suite suite = { .name = "vcpu", .test_cases = cases };
kunit_test_suite(suite);
