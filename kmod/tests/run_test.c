// SPDX-License-Identifier: GPL-2.0-only
/* The run loop, on a CPU that replays a script. */
#include <linux/delay.h>

#include "../posted_irq/pi_vapic.h"
#include "../run.c"
#include "fake.h"

#define CPUID	{ .kind = LIMEN_KIND_CPUID, .insn_len = 2 }
#define HLT	{ .kind = LIMEN_KIND_HLT, .insn_len = 1 }
#define HOST_IRQ { .kind = LIMEN_KIND_HOST_IRQ }
#define EXTINT(v) (LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | (v))
#define NMI	(LIMEN_EVENT_VALID | LIMEN_TYPE_NMI << 8 | 2)

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	return vcpu;
}

static void exits_that_need_no_sleep_share_a_window(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID, CPUID, CPUID };
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.rip = 0x1000;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1006);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 4);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_KIND_CPUID], 3);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_RUNS], 1);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_USER_EXITS], 1);
	/* one for the run, one to read state for the run page */
	KUNIT_EXPECT_LE(test, fake_cpu(vcpu)->nr_opened, 2);
}

static void host_interrupt_closes_the_window(struct kunit *test)
{
	static const struct limen_exit exits[] = { HOST_IRQ, CPUID, HOST_IRQ };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_GE(test, fake_cpu(vcpu)->nr_opened, 3);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_WINDOWS],
			fake_cpu(vcpu)->nr_opened);
}

static void root_mode_in_transition_is_waited_for(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_cpu(vcpu)->busy = 3;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->busy, 0);
}

static void first_entry_flushes_and_the_next_does_not(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID, HOST_IRQ };
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_TRUE(test, in[0].flush);
	KUNIT_EXPECT_FALSE(test, in[1].flush);
	KUNIT_EXPECT_FALSE(test, in[2].flush);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_FLUSHES], 1);
}

static void move_to_another_cpu_and_new_generation_flush(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_run(test, vcpu);
	vcpu->last_cpu = FAKE_ELSEWHERE;
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->entered[0].flush);
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->entered[1].flush);

	atomic64_inc(&vcpu->vm->tlb_gen);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->entered[0].flush);
	KUNIT_EXPECT_FALSE(test, fake_cpu(vcpu)->entered[1].flush);

	limen_vcpu_request(vcpu, LIMEN_REQ_FLUSH);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->entered[0].flush);
}

static void only_dirty_groups_are_written(struct kunit *test)
{
	static const struct limen_exit exits[] = { HOST_IRQ, HOST_IRQ };
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, in[0].dirty,
			(u32)(LIMEN_G_ALL | LIMEN_G_APIC | LIMEN_G_IRR));
	KUNIT_EXPECT_EQ(test, in[1].dirty, 0u);
}

static void kick_returns_once(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	limen_vcpu_request(vcpu, LIMEN_REQ_KICK);
	limen_vcpu_request(vcpu, LIMEN_REQ_KICK);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_KICKED);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 0);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
}

static void kick_in_the_guest(struct limen_vcpu *vcpu, int n)
{
	if (n == 1)
		limen_vcpu_request(vcpu, LIMEN_REQ_KICK);
}

static void kick_while_inside_is_seen_before_the_next_entry(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID, CPUID, CPUID, CPUID };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_cpu(vcpu)->in_guest = kick_in_the_guest;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_KICKED);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 2);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0);
}

static void stop_gives_a_consistent_state_without_an_entry(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->run->flags = LIMEN_RUN_STOP;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_CONSISTENT);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 0);
	vcpu->run->flags = 2;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINVAL);
}

/* They are no part of any state class. */
static void ends_of_interrupts_come_before_a_consistent_state(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	__set_bit(0x41, vcpu->pi.eoi);
	vcpu->run->flags = LIMEN_RUN_STOP;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_EOI);
	KUNIT_EXPECT_EQ(test, vcpu->run->eoi.vector, 0x41u);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_CONSISTENT);
}

static void dead_vm_does_not_run(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->vm->dead = true;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EIO);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 0);
}

static void signal_ends_the_run(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	set_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINTR);
	vcpu->ev.mp_state = LIMEN_MP_HALTED;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINTR);
	clear_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 0);
}

static void post_in_the_guest(struct limen_vcpu *vcpu, int n)
{
	if (n == 0)
		pi_post(vcpu, 0x41, false);
}

static void interrupt_posted_inside_goes_with_the_next_entry(struct kunit *test)
{
	static const struct limen_exit exits[] = { HOST_IRQ };
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	fake_cpu(vcpu)->in_guest = post_in_the_guest;
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, in[0].event, 0);
	KUNIT_EXPECT_EQ(test, in[1].event, EXTINT(0x41));
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_ISR + 0x20), 2);
}

static void interrupt_waits_for_if(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_IRQ_WINDOW },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	vcpu->regs.rflags = 2;
	pi_post(vcpu, 0x41, false);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, in[0].event, 0);
	KUNIT_EXPECT_TRUE(test, in[0].irq_window);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_ISR + 0x20), 0);
}

static void interrupted_delivery_is_finished(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_HOST_IRQ, .event = EXTINT(0x55) },
		{ .kind = LIMEN_KIND_HOST_IRQ, .event = LIMEN_EVENT_VALID |
		  LIMEN_EVENT_ERROR | LIMEN_TYPE_EXCEPTION << 8 | 14,
		  .event_error = 2 },
		{ .kind = LIMEN_KIND_HOST_IRQ, .event = LIMEN_EVENT_VALID |
		  LIMEN_TYPE_SOFTINT << 8 | 0x80, .event_insn_len = 2 },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	pi_post(vcpu, 0x91, false);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, in[0].event, EXTINT(0x91));
	KUNIT_EXPECT_EQ(test, in[1].event, exits[0].event);
	KUNIT_EXPECT_EQ(test, in[2].event, exits[1].event);
	KUNIT_EXPECT_EQ(test, in[2].event_error, 2u);
	KUNIT_EXPECT_EQ(test, in[3].event, exits[2].event);
	KUNIT_EXPECT_EQ(test, in[3].event_insn_len, 2);
	KUNIT_EXPECT_EQ(test, vcpu->ev.injected, 0u);
}

static void nmis_are_two_at_most(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		HOST_IRQ, { .kind = LIMEN_KIND_NMI_WINDOW },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	const struct limen_entry *in = fake_cpu(vcpu)->entered;

	limen_vcpu_nmi(vcpu);
	limen_vcpu_nmi(vcpu);
	limen_vcpu_nmi(vcpu);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, in[0].event, NMI);
	KUNIT_EXPECT_TRUE(test, in[0].nmi_window);
	KUNIT_EXPECT_EQ(test, in[1].event, 0);
	KUNIT_EXPECT_TRUE(test, in[1].nmi_window);
	KUNIT_EXPECT_EQ(test, vcpu->ev.nmi_pending, 1);
}

static void one_nmi_is_held_while_another_is_in_service(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->ev.nmi_blocked = 1;
	limen_vcpu_nmi(vcpu);
	limen_vcpu_nmi(vcpu);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->ev.nmi_pending, 1);
}

static void sipi_starts_a_waiting_vcpu_only(struct kunit *test)
{
	struct limen_vcpu *ap = fake_vcpu(test, 1);

	KUNIT_EXPECT_EQ(test, ap->ev.mp_state, LIMEN_MP_WAIT_SIPI);
	ap->sipi_vector = 0x99;
	limen_vcpu_request(ap, LIMEN_REQ_SIPI);
	KUNIT_EXPECT_EQ(test, fake_run(test, ap), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->sregs.seg[LIMEN_CS].base, 0x99000);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->sregs.seg[LIMEN_CS].sel, 0x9900);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->regs.rip, 0);

	ap->regs.rip = 0x123;
	limen_dirty(ap, LIMEN_G_REGS);
	ap->sipi_vector = 0x11;
	limen_vcpu_request(ap, LIMEN_REQ_SIPI);
	fake_run(test, ap);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->regs.rip, 0x123);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->sregs.seg[LIMEN_CS].base, 0x99000);
}

static void init_resets_and_waits(struct kunit *test)
{
	struct limen_vcpu *ap = fake_vcpu(test, 1);

	ap->ev.mp_state = LIMEN_MP_RUNNING;
	fake_long_mode(ap);
	ap->regs.gpr[LIMEN_RBX] = 5;
	fake_run(test, ap);
	limen_vcpu_request(ap, LIMEN_REQ_INIT);
	limen_vcpu_request(ap, LIMEN_REQ_KICK);
	KUNIT_EXPECT_EQ(test, fake_run(test, ap), LIMEN_EXIT_KICKED);
	KUNIT_EXPECT_EQ(test, ap->ev.mp_state, LIMEN_MP_WAIT_SIPI);
	KUNIT_EXPECT_EQ(test, ap->regs.gpr[LIMEN_RBX], 0);
	KUNIT_EXPECT_EQ(test, ap->regs.rip, 0xfff0);
	KUNIT_EXPECT_EQ(test, ap->sregs.efer, 0);
	KUNIT_EXPECT_EQ(test, ap->regs.rflags, 2);
}

static void init_and_sipi_together_start_it_anew(struct kunit *test)
{
	struct limen_vcpu *ap = fake_vcpu(test, 1);

	ap->ev.mp_state = LIMEN_MP_RUNNING;
	ap->sipi_vector = 8;
	limen_vcpu_request(ap, LIMEN_REQ_SIPI);
	limen_vcpu_request(ap, LIMEN_REQ_INIT);
	KUNIT_EXPECT_EQ(test, fake_run(test, ap), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(ap)->sregs.seg[LIMEN_CS].base, 0x8000);
}

static void arm_timer_in_the_guest(struct limen_vcpu *vcpu, int n)
{
	u32 lvt = 0x41, by_one = 0xb, count = 3000000;

	if (n)
		return;
	pi_mmio(vcpu, PI_REG_LVT_TIMER, true, &lvt);
	pi_mmio(vcpu, PI_REG_TDCR, true, &by_one);
	pi_mmio(vcpu, PI_REG_TMICT, true, &count);
}

static void hlt_sleeps_until_the_timer(struct kunit *test)
{
	static const struct limen_exit exits[] = { HLT };
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.rip = 0x1000;
	fake_cpu(vcpu)->in_guest = arm_timer_in_the_guest;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[1].event, EXTINT(0x41));
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1001);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_RUNNING);
}

static void hlt_with_something_pending_does_not_sleep(struct kunit *test)
{
	static const struct limen_exit exits[] = { HLT };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_cpu(vcpu)->in_guest = post_in_the_guest;
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[1].event, EXTINT(0x41));
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_HALT_NS], 0);
}

static void masked_interrupt_does_not_wake_but_nmi_does(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->ev.mp_state = LIMEN_MP_HALTED;
	vcpu->regs.rflags = 2;
	pi_post(vcpu, 0x41, false);
	limen_vcpu_request(vcpu, LIMEN_REQ_KICK);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_KICKED);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_HALTED);
	limen_vcpu_nmi(vcpu);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[0].event, NMI);
}

static void unhalt_then_kick_in_the_guest(struct limen_vcpu *vcpu, int n)
{
	limen_vcpu_request(vcpu, n ? LIMEN_REQ_KICK : LIMEN_REQ_UNHALT);
}

static void unhalt_ends_the_next_hlt_only(struct kunit *test)
{
	static const struct limen_exit exits[] = { HLT, HLT };
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.rflags = 2;
	fake_cpu(vcpu)->in_guest = unhalt_then_kick_in_the_guest;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_KICKED);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 2);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_HALTED);
	KUNIT_EXPECT_EQ(test, vcpu->ev.unhalted, 0);

	limen_vcpu_request(vcpu, LIMEN_REQ_UNHALT);
	fake_cpu(vcpu)->in_guest = NULL;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, vcpu->ev.mp_state, LIMEN_MP_RUNNING);
	KUNIT_EXPECT_EQ(test, vcpu->ev.unhalted, 0);
}

static void end_0x41_in_the_guest(struct limen_vcpu *vcpu, int n)
{
	if (n)
		return;
	pi_post(vcpu, 0x42, false);
	fake.mem[0x2000] &= ~1;
	fake.paged_out = vcpu->regs.gpr[LIMEN_RBX];
}

/* the flag is looked at before the exit is handled, wherever that is */
static void interrupt_ended_in_memory_lets_the_next_in(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID };
	int away;

	for (away = 0; away < 2; away++) {
		struct limen_vcpu *vcpu = vcpu_64(test);
		const struct limen_entry *in = fake_cpu(vcpu)->entered;

		fake_mem(test);
		vcpu->soft.pv_eoi = 0x2001;
		vcpu->eoi_spot.gen = ~0ull;
		vcpu->regs.rip = 0x1000;
		vcpu->regs.gpr[LIMEN_RBX] = away;
		pi_post(vcpu, 0x41, false);
		fake_cpu(vcpu)->in_guest = end_0x41_in_the_guest;
		fake_script(vcpu, exits);
		KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
		KUNIT_EXPECT_EQ(test, in[0].event, EXTINT(0x41));
		KUNIT_EXPECT_EQ(test, in[1].event, EXTINT(0x42));
		KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
		KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_PV_EOIS], 1ull);
		KUNIT_EXPECT_FALSE(test, vcpu->eoi_offered);
		KUNIT_EXPECT_EQ(test, fake.mem[0x2000] & 1, 0);
	}
}

static void level_eoi_goes_to_the_vmm_at_once(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_WRMSR, .insn_len = 2 }, CPUID,
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	pi_wrmsr(vcpu, 0x1b, vcpu->pi.base | PI_BASE_EXTD);
	pi_post(vcpu, 0x41, true);
	vcpu->regs.gpr[LIMEN_RCX] = 0x80b;
	vcpu->regs.gpr[LIMEN_RDX] = 0;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_EOI);
	KUNIT_EXPECT_EQ(test, vcpu->run->eoi.vector, 0x41u);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 1);
}

static void level_eoi_of_an_irqfd_stays_in_the_kernel(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_WRMSR, .insn_len = 2 }, CPUID,
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake.resampled = 0x41;
	pi_wrmsr(vcpu, 0x1b, vcpu->pi.base | PI_BASE_EXTD);
	pi_post(vcpu, 0x41, true);
	vcpu->regs.gpr[LIMEN_RCX] = 0x80b;
	vcpu->regs.gpr[LIMEN_RDX] = 0;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 3);
	/* one of another vector that ended with it is not lost */
	__set_bit(0x41, vcpu->pi.eoi);
	__set_bit(0x42, vcpu->pi.eoi);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_EOI);
	KUNIT_EXPECT_EQ(test, vcpu->run->eoi.vector, 0x42u);
}

static void pic_interrupt_is_asked_for_and_delivered(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->vm->extint = 1;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_INTA);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 0);
	vcpu->vm->extint = 0;
	vcpu->run->complete = LIMEN_FULFIL;
	vcpu->run->inta.vector = 8;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[0].event, EXTINT(8));
}

static void pic_interrupt_waits_for_if_without_spinning(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID, CPUID };
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.rflags = 2;
	vcpu->vm->extint = 1;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->entered[0].irq_window);
	KUNIT_EXPECT_TRUE(test, fake_cpu(vcpu)->entered[1].irq_window);
}

static void spurious_inta_delivers_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->vm->extint = 1;
	fake_run(test, vcpu);
	vcpu->vm->extint = 0;
	vcpu->run->complete = LIMEN_FULFIL;
	vcpu->run->inta.vector = 256;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[0].event, 0u);
}

static void endless_exits_leave_the_window_in_time(struct kunit *test)
{
	static struct limen_exit exits[1000];
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(exits); i++)
		exits[i] = (struct limen_exit)CPUID;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_GE(test, fake_cpu(vcpu)->nr_opened, 1000 / WINDOW_ENTRIES + 1);
}

static void pending_work_of_the_host_is_done_outside(struct limen_vcpu *vcpu, int n)
{
	fake.work = n == 0;
}

static void work_of_the_host_ends_the_window(struct kunit *test)
{
	static const struct limen_exit exits[] = { CPUID, CPUID };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_cpu(vcpu)->in_guest = pending_work_of_the_host_is_done_outside;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_GE(test, fake_cpu(vcpu)->nr_opened, 2);
	KUNIT_EXPECT_FALSE(test, fake.work);
}

static void rflags_have_bit_1_and_no_reserved_bit(struct kunit *test)
{
	int bit;

	KUNIT_EXPECT_TRUE(test, limen_rflags_ok(2));
	KUNIT_EXPECT_FALSE(test, limen_rflags_ok(0));
	for (bit = 0; bit < 64; bit++) {
		bool defined = bit < 22 && bit != 3 && bit != 5 && bit != 15;

		KUNIT_EXPECT_EQ_MSG(test, limen_rflags_ok(2 | BIT_ULL(bit)), defined,
				    "bit %d", bit);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(exits_that_need_no_sleep_share_a_window),
	KUNIT_CASE(host_interrupt_closes_the_window),
	KUNIT_CASE(root_mode_in_transition_is_waited_for),
	KUNIT_CASE(first_entry_flushes_and_the_next_does_not),
	KUNIT_CASE(move_to_another_cpu_and_new_generation_flush),
	KUNIT_CASE(only_dirty_groups_are_written),
	KUNIT_CASE(kick_returns_once),
	KUNIT_CASE(kick_while_inside_is_seen_before_the_next_entry),
	KUNIT_CASE(stop_gives_a_consistent_state_without_an_entry),
	KUNIT_CASE(ends_of_interrupts_come_before_a_consistent_state),
	KUNIT_CASE(dead_vm_does_not_run),
	KUNIT_CASE(signal_ends_the_run),
	KUNIT_CASE(interrupt_posted_inside_goes_with_the_next_entry),
	KUNIT_CASE(interrupt_waits_for_if),
	KUNIT_CASE(interrupted_delivery_is_finished),
	KUNIT_CASE(nmis_are_two_at_most),
	KUNIT_CASE(one_nmi_is_held_while_another_is_in_service),
	KUNIT_CASE(sipi_starts_a_waiting_vcpu_only),
	KUNIT_CASE(init_resets_and_waits),
	KUNIT_CASE(init_and_sipi_together_start_it_anew),
	KUNIT_CASE(hlt_sleeps_until_the_timer),
	KUNIT_CASE(hlt_with_something_pending_does_not_sleep),
	KUNIT_CASE(masked_interrupt_does_not_wake_but_nmi_does),
	KUNIT_CASE(unhalt_ends_the_next_hlt_only),
	KUNIT_CASE(interrupt_ended_in_memory_lets_the_next_in),
	KUNIT_CASE(level_eoi_goes_to_the_vmm_at_once),
	KUNIT_CASE(level_eoi_of_an_irqfd_stays_in_the_kernel),
	KUNIT_CASE(pic_interrupt_is_asked_for_and_delivered),
	KUNIT_CASE(pic_interrupt_waits_for_if_without_spinning),
	KUNIT_CASE(spurious_inta_delivers_nothing),
	KUNIT_CASE(endless_exits_leave_the_window_in_time),
	KUNIT_CASE(work_of_the_host_ends_the_window),
	KUNIT_CASE(rflags_have_bit_1_and_no_reserved_bit),
	{}
};

static struct kunit_suite suite = { .name = "run", .test_cases = cases };
kunit_test_suite(suite);
