// SPDX-License-Identifier: GPL-2.0-only
/* From a kind to what it does: each kind once, and the way RIP goes. */
#include "../run.h"
#include "../exit.c"
#include "fake.h"

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	vcpu->regs.rip = 0x1000;
	return vcpu;
}

static void skip_ends_shadows_and_single_steps(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->ev.shadow = LIMEN_SHADOW_STI;
	vcpu->regs.rflags |= BIT(16);
	vcpu->exit.insn_len = 3;
	limen_skip_insn(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1003ull);
	KUNIT_EXPECT_EQ(test, vcpu->ev.shadow, 0);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags & BIT(16), 0ull);
	KUNIT_EXPECT_TRUE(test, vcpu->entry.dirty & LIMEN_G_INTR);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception, 0u);
	vcpu->regs.rflags |= BIT(8);
	limen_skip_insn(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_DB);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception_payload, BIT_ULL(14));
}

static void rip_wraps_at_4_gib_outside_64_bit_code_only(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->exit.insn_len = 2;
	vcpu->regs.rip = 0xffffffff;
	limen_skip_insn(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x100000001ull);
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	vcpu->regs.rip = 0xffffffff;
	limen_skip_insn(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 1ull);
}

static void every_kind_has_an_answer(struct kunit *test)
{
	static const struct {
		enum limen_kind kind;
		enum limen_next next;
		u64 rip;
		u8 vector;	/* of the exception, or 0 */
		u32 user;	/* with LIMEN_TO_USER */
	} rows[] = {
		{ LIMEN_KIND_NONE, LIMEN_RELOAD, 0x1000 },
		{ LIMEN_KIND_HOST_IRQ, LIMEN_RELOAD, 0x1000 },
		{ LIMEN_KIND_HOST_NMI, LIMEN_RELOAD, 0x1000 },
		{ LIMEN_KIND_HOST_MCE, LIMEN_RELOAD, 0x1000 },
		{ LIMEN_KIND_NPF, LIMEN_TO_USER, 0x1000, 0, LIMEN_EXIT_MMIO },
		{ LIMEN_KIND_IO, LIMEN_TO_USER, 0x1000, 0, LIMEN_EXIT_IO },
		{ LIMEN_KIND_RDMSR, LIMEN_RESUME, 0x1000, VEC_GP },
		{ LIMEN_KIND_WRMSR, LIMEN_RESUME, 0x1000, VEC_GP },
		{ LIMEN_KIND_CPUID, LIMEN_RESUME, 0x1002 },
		{ LIMEN_KIND_HLT, LIMEN_RELOAD, 0x1002 },
		{ LIMEN_KIND_CR, LIMEN_RESUME, 0x1000, VEC_GP },
		{ LIMEN_KIND_DR, LIMEN_RESUME, 0x1002 },
		{ LIMEN_KIND_EXCEPTION, LIMEN_RESUME, 0x1000, VEC_AC },
		{ LIMEN_KIND_XSETBV, LIMEN_RESUME, 0x1000, VEC_GP },
		{ LIMEN_KIND_HYPERCALL, LIMEN_TO_USER, 0x1000, 0,
		  LIMEN_EXIT_HYPERCALL },
		{ LIMEN_KIND_PAUSE, LIMEN_RELOAD, 0x1002 },
		{ LIMEN_KIND_IRQ_WINDOW, LIMEN_RESUME, 0x1000 },
		{ LIMEN_KIND_NMI_WINDOW, LIMEN_RESUME, 0x1000 },
		{ LIMEN_KIND_CACHE, LIMEN_RESUME, 0x1002 },
		{ LIMEN_KIND_UD, LIMEN_RESUME, 0x1000, VEC_UD },
		{ LIMEN_KIND_GP, LIMEN_RESUME, 0x1000, VEC_GP },
		{ LIMEN_KIND_SHUTDOWN, LIMEN_TO_USER, 0x1000, 0,
		  LIMEN_EXIT_SHUTDOWN },
		{ LIMEN_KIND_TASK_SWITCH, LIMEN_TO_USER, 0x1000, 0,
		  LIMEN_EXIT_TASK_SWITCH },
		{ LIMEN_KIND_INVALID, LIMEN_TO_USER, 0x1000, 0,
		  LIMEN_EXIT_BAD_STATE },
		{ LIMEN_KIND_UNKNOWN, LIMEN_TO_USER, 0x1000, 0,
		  LIMEN_EXIT_UNKNOWN },
		{ LIMEN_KIND_EOI, LIMEN_RESUME, 0x1000 },
		{ LIMEN_KIND_APIC_WRITE, LIMEN_RESUME, 0x1000 },
		{ LIMEN_KIND_TPR_BELOW, LIMEN_RESUME, 0x1000 },
		{ LIMEN_KIND_TIMER, LIMEN_RELOAD, 0x1000 },
		{ LIMEN_KIND_LOG_FULL, LIMEN_RELOAD, 0x1000 },
	};
	int i;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(rows), (size_t)LIMEN_NR_KIND);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_vcpu *vcpu = vcpu_64(test);
		u64 *gpr = vcpu->regs.gpr;

		KUNIT_ASSERT_EQ(test, rows[i].kind, (enum limen_kind)i);
		fake.npt_fault = 2;	/* NPT_NO_MEMORY */
		gpr[LIMEN_RAX] = 0x1000;
		gpr[LIMEN_RCX] = 0xdead;
		vcpu->exit = (struct limen_exit){
			.kind = rows[i].kind, .insn_len = 2,
		};
		if (i == LIMEN_KIND_CR)
			vcpu->exit.cr.nr = 8;
		if (i == LIMEN_KIND_EXCEPTION) {
			vcpu->exit.exc.vector = VEC_AC;
			vcpu->exit.insn_len = 0;
		}
		KUNIT_EXPECT_EQ_MSG(test, limen_handle_exit(vcpu), rows[i].next,
				    "kind %d", i);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->regs.rip, rows[i].rip, "kind %d", i);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->ev.exception & 0xff, rows[i].vector,
				    "kind %d", i);
		if (rows[i].next == LIMEN_TO_USER)
			KUNIT_EXPECT_EQ_MSG(test, vcpu->pending, rows[i].user,
					    "kind %d", i);
	}
}

static void exits_that_may_sleep_are_handled_outside(struct kunit *test)
{
	static const bool outside[LIMEN_NR_KIND] = {
		[LIMEN_KIND_NPF] = true, [LIMEN_KIND_IO] = true,
		[LIMEN_KIND_SHUTDOWN] = true, [LIMEN_KIND_TASK_SWITCH] = true,
		[LIMEN_KIND_INVALID] = true, [LIMEN_KIND_UNKNOWN] = true,
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < LIMEN_NR_KIND; i++) {
		vcpu->exit = (struct limen_exit){ .kind = i, .insn_len = 2 };
		KUNIT_EXPECT_EQ_MSG(test, limen_exit_is_inside(vcpu), !outside[i],
				    "kind %d", i);
	}
	/* bytes must be read */
	vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_CPUID };
	KUNIT_EXPECT_FALSE(test, limen_exit_is_inside(vcpu));
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .insn_len = 3, .cr.op = LIMEN_CR_ENCODED,
	};
	KUNIT_EXPECT_FALSE(test, limen_exit_is_inside(vcpu));
	/* PDPTEs may be, but CR8 has nothing to do with them */
	vcpu->sregs.efer = 0;
	vcpu->exit.cr.op = LIMEN_CR_WRITE;
	KUNIT_EXPECT_FALSE(test, limen_exit_is_inside(vcpu));
	vcpu->exit.cr.nr = 8;
	KUNIT_EXPECT_TRUE(test, limen_exit_is_inside(vcpu));
}

static void map_code(struct kunit *test, struct limen_vcpu *vcpu, const u8 *code, int n)
{
	u8 *mem = fake_mem(test);

	/* 32-bit code without paging */
	vcpu->sregs.cr0 = 0x11;
	vcpu->sregs.efer = 0;
	vcpu->sregs.seg[LIMEN_CS].ar = 0xc09b;
	memcpy(mem + 0x1000, code, n);
}

static void length_is_read_from_memory_where_the_cpu_does_not_tell(struct kunit *test)
{
	static const u8 cpuid[] = { 0x66, 0x0f, 0xa2 };
	struct limen_vcpu *vcpu = vcpu_64(test);

	map_code(test, vcpu, cpuid, 3);
	vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_CPUID };
	KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1003ull);
}

static void code_that_changed_since_the_exit_runs_again(struct kunit *test)
{
	static const u8 nop[] = { 0x90 };
	struct limen_vcpu *vcpu = vcpu_64(test);

	map_code(test, vcpu, nop, 1);
	vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_CPUID };
	KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RELOAD);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception, 0u);
}

static void code_that_stays_unreadable_is_given_to_the_vmm(struct kunit *test)
{
	static const u8 nop[] = { 0x90 };
	static const u8 lmsw[] = { 0x0f, 0x01, 0x32 };	/* lmsw (%edx) */
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i, tries;

	map_code(test, vcpu, nop, 1);
	for (i = 0; i < 2; i++) {
		for (tries = 0; tries < 100; tries++) {
			vcpu->entry.flush = false;
			vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_CPUID };
			if (limen_handle_exit(vcpu) != LIMEN_RELOAD)
				break;
			KUNIT_EXPECT_TRUE(test, vcpu->entry.flush);
		}
		KUNIT_EXPECT_EQ(test, tries, 16);
		KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_UNKNOWN);
	}
	/* an operand where no memory is */
	map_code(test, vcpu, lmsw, 3);
	vcpu->regs.gpr[LIMEN_RDX] = FAKE_MEM;
	for (tries = 0; tries < 100; tries++) {
		vcpu->exit = (struct limen_exit){
			.kind = LIMEN_KIND_CR, .cr.op = LIMEN_CR_ENCODED,
		};
		if (limen_handle_exit(vcpu) != LIMEN_RELOAD)
			break;
	}
	KUNIT_EXPECT_EQ(test, tries, 16);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception, 0u);
}

static void only_failures_in_a_row_and_at_one_place_count(struct kunit *test)
{
	static const u8 cpuid[] = { 0x0f, 0xa2 };
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	map_code(test, vcpu, cpuid, 2);
	for (i = 0; i < 100; i++) {
		vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_RDMSR };
		KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RELOAD);
		if (i & 1)
			continue;
		vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_CPUID };
		KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RESUME);
		vcpu->regs.rip = 0x1000;
	}
	for (i = 0; i < 100; i++) {
		vcpu->regs.rip = i & 1 ? 0x1000 : 0x1001;
		vcpu->exit = (struct limen_exit){ .kind = LIMEN_KIND_RDMSR };
		KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RELOAD);
	}
}

static void operands_are_read_from_memory_where_the_cpu_does_not_tell(struct kunit *test)
{
	static const u8 mov_cr8[] = { 0x0f, 0x22, 0xc3 };	/* mov %ebx, %cr0 */
	static const u8 lmsw[] = { 0x0f, 0x01, 0xf3 };		/* lmsw %bx */
	struct limen_vcpu *vcpu = vcpu_64(test);

	map_code(test, vcpu, mov_cr8, 3);
	vcpu->regs.gpr[LIMEN_RBX] = 0x33;
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .cr.op = LIMEN_CR_ENCODED,
	};
	KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, 0x33ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1003ull);

	vcpu->regs.rip = 0x1000;
	map_code(test, vcpu, lmsw, 3);
	vcpu->regs.gpr[LIMEN_RBX] = 0x8;
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .cr.op = LIMEN_CR_ENCODED,
	};
	KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->sregs.cr0, 0x19ull);
}

static void smsw_stores_what_the_guest_has_written_to_cr0(struct kunit *test)
{
	static const struct { u8 code[4]; u64 rbx; } rows[] = {
		{ { 0x0f, 0x01, 0xe3 }, 0x60000011 },		/* smsw %ebx */
		{ { 0x66, 0x0f, 0x01, 0xe3 }, 0x22220011 },	/* smsw %bx */
		{ { 0x0f, 0x01, 0x22 }, 0x22222222 },		/* smsw (%edx) */
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		map_code(test, vcpu, rows[i].code, 4);
		memset(fake.mem + 0x2fff, 0xff, 4);
		vcpu->sregs.cr0 = 0x60000011;
		vcpu->regs.rip = 0x1000;
		vcpu->regs.gpr[LIMEN_RBX] = 0x22222222;
		vcpu->regs.gpr[LIMEN_RDX] = 0x2fff;
		vcpu->exit = (struct limen_exit){
			.kind = LIMEN_KIND_CR, .cr.op = LIMEN_CR_ENCODED,
		};
		KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RESUME);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->regs.gpr[LIMEN_RBX], rows[i].rbx,
				    "row %d", i);
	}
	KUNIT_EXPECT_EQ(test, *(u32 *)(fake.mem + 0x2fff), 0xffff0011u);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1003ull);
	/* no memory there: neither written nor stepped over */
	vcpu->regs.rip = 0x1000;
	vcpu->regs.gpr[LIMEN_RDX] = FAKE_MEM;
	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_CR, .cr.op = LIMEN_CR_ENCODED,
	};
	KUNIT_EXPECT_EQ(test, limen_handle_exit(vcpu), LIMEN_RELOAD);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
}

static void fault_within_a_double_fault_ends_the_run(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_RDMSR, .insn_len = 2, .event = LIMEN_EVENT_VALID |
		  LIMEN_EVENT_ERROR | LIMEN_TYPE_EXCEPTION << 8 | VEC_DF },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.gpr[LIMEN_RCX] = 0xdead;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_SHUTDOWN);
}

static void exception_is_reflected_with_its_error_and_payload(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->exit = (struct limen_exit){
		.kind = LIMEN_KIND_EXCEPTION,
		.exc = { .vector = VEC_DB, .payload = 0x4001 },
	};
	limen_handle_exit(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception,
			LIMEN_EVENT_VALID | LIMEN_TYPE_EXCEPTION << 8 | VEC_DB);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception_payload, 0x4001ull);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(skip_ends_shadows_and_single_steps),
	KUNIT_CASE(rip_wraps_at_4_gib_outside_64_bit_code_only),
	KUNIT_CASE(every_kind_has_an_answer),
	KUNIT_CASE(exits_that_may_sleep_are_handled_outside),
	KUNIT_CASE(length_is_read_from_memory_where_the_cpu_does_not_tell),
	KUNIT_CASE(code_that_changed_since_the_exit_runs_again),
	KUNIT_CASE(code_that_stays_unreadable_is_given_to_the_vmm),
	KUNIT_CASE(only_failures_in_a_row_and_at_one_place_count),
	KUNIT_CASE(operands_are_read_from_memory_where_the_cpu_does_not_tell),
	KUNIT_CASE(smsw_stores_what_the_guest_has_written_to_cr0),
	KUNIT_CASE(fault_within_a_double_fault_ends_the_run),
	KUNIT_CASE(exception_is_reflected_with_its_error_and_payload),
	{}
};

static struct kunit_suite suite = { .name = "exit", .test_cases = cases };
kunit_test_suite(suite);
