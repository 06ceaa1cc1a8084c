// SPDX-License-Identifier: GPL-2.0-only
/* Exits that user space finishes: what the run page says, and what is believed. */
#include "../io.c"
#include "fake.h"

#define IO_IN(n)	{ .kind = LIMEN_KIND_IO, .insn_len = 2, \
			  .io = { .port = 0x60, .size = (n), .in = true } }

static struct limen_vcpu *vcpu_64(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	fake_long_mode(vcpu);
	vcpu->regs.rip = 0x1000;
	return vcpu;
}

static void run_page_has_the_common_facts(struct kunit *test)
{
	static const struct limen_exit exits[] = { IO_IN(1) };
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_run *run = vcpu->run;

	memset(run->pad, 0xee, sizeof(run->pad));
	vcpu->sregs.cr3 = 0x5000;
	vcpu->sregs.seg[LIMEN_GS].base = 0x7000;
	vcpu->regs.gpr[LIMEN_R15] = 15;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_IO);
	KUNIT_EXPECT_EQ(test, run->mode, 64);
	KUNIT_EXPECT_EQ(test, run->cpl, 0);
	KUNIT_EXPECT_EQ(test, run->insn_len, 2);
	KUNIT_EXPECT_EQ(test, run->regs.rip, 0x1000ull);
	KUNIT_EXPECT_EQ(test, run->regs.gpr[LIMEN_R15], 15ull);
	KUNIT_EXPECT_EQ(test, run->cr3, 0x5000ull);
	KUNIT_EXPECT_EQ(test, run->gs_base, 0x7000ull);
	KUNIT_EXPECT_EQ(test, run->io.port, 0x60);
	KUNIT_EXPECT_EQ(test, run->io.in, 1);
	/* nothing of an earlier exit is left */
	KUNIT_EXPECT_EQ(test, run->pad[31], 0ull);
}

static void in_fills_rax_by_its_size(struct kunit *test)
{
	static const struct { struct limen_exit exit; u64 rax; } rows[] = {
		{ IO_IN(1), 0x11111111111111ffull },
		{ IO_IN(2), 0x111111111111eeffull },
		{ IO_IN(4), 0x00000000ccddeeffull },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_vcpu *vcpu = vcpu_64(test);

		vcpu->regs.gpr[LIMEN_RAX] = 0x1111111111111111ull;
		fake_set_script(vcpu, &rows[i].exit, 1);
		fake_run(test, vcpu);
		vcpu->run->io.data = 0xccddeeff;
		vcpu->run->complete = LIMEN_FULFIL;
		fake_run(test, vcpu);
		KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], rows[i].rax);
		KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
		KUNIT_EXPECT_EQ(test, vcpu->run->complete, (u32)LIMEN_DISCARD);
	}
}

static void out_shows_its_bytes_only(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_IO, .insn_len = 2,
		  .io = { .port = 0x80, .size = 2, .addr_size = 4 } },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->regs.gpr[LIMEN_RAX] = 0x123456789abcdef0ull;
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->run->io.data, 0xdef0u);
	KUNIT_EXPECT_EQ(test, vcpu->run->io.addr_size, 0);
}

static void discarded_exit_is_repeated(struct kunit *test)
{
	static const struct limen_exit exits[] = { IO_IN(1), IO_IN(1) };
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	vcpu->run->io.data = 0x55;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_IO);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	KUNIT_EXPECT_NE(test, vcpu->regs.gpr[LIMEN_RAX], 0x55ull);
}

static void what_can_not_be_leaves_the_exit_waiting(struct kunit *test)
{
	static const struct limen_exit exits[] = { IO_IN(1) };
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_run *run = vcpu->run;

	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	run->complete = 2;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINVAL);
	run->complete = LIMEN_FULFIL;
	run->dirty = 2;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINVAL);
	run->dirty = LIMEN_DIRTY_REGS;
	run->regs.rflags = 0;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rflags, 0x202ull);
	KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_IO);
	run->regs.rflags = 0x202;
	run->io.data = 0x77;
	run->regs.gpr[LIMEN_RBX] = 3;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX] & 0xff, 0x77ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RBX], 3ull);
	KUNIT_EXPECT_EQ(test, run->dirty, 0u);
}

static void string_io_moves_rip_when_the_vmm_says_it_is_done(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_IO, .insn_len = 2,
		  .io = { .port = 0x60, .size = 1, .in = true, .string = true,
			  .rep = true, .has_seg = true, .addr_size = 8 } },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_IO);
	KUNIT_EXPECT_EQ(test, vcpu->run->io.addr_size, 8);
	vcpu->run->complete = LIMEN_FULFIL;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	fake_script(vcpu, exits);
	fake_run(test, vcpu);
	vcpu->run->complete = LIMEN_FULFIL;
	vcpu->run->io.last = 1;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
}

static void mmio_exit_carries_address_and_bytes(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { 0x89, 0x07 },
		  .npf = { .gpa = 0xd0000004, .access = LIMEN_ACCESS_WRITE,
			   .gva = 0x1234, .has_gva = true } },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_run *run = vcpu->run;

	fake.npt_fault = NPT_NO_MEMORY;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_MMIO);
	KUNIT_EXPECT_EQ(test, run->mmio.gpa, 0xd0000004ull);
	KUNIT_EXPECT_EQ(test, run->mmio.access, (u8)LIMEN_ACCESS_WRITE);
	KUNIT_EXPECT_EQ(test, run->mmio.apic, 0);
	KUNIT_EXPECT_EQ(test, run->insn_bytes, 15);
	KUNIT_EXPECT_EQ(test, run->insn[0], 0x89);
	run->complete = LIMEN_FULFIL;
	run->insn_len = 16;
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), -EINVAL);
	run->insn_len = 2;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
}

static void second_level_fault_is_mapped_mmio_or_a_bad_address(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .npf.gpa = 0x1000 },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	fake.npt_fault = NPT_MAPPED;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 2);
	fake.npt_fault = NPT_BAD_HVA;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_FAULT);
	KUNIT_EXPECT_EQ(test, vcpu->run->mmio.gpa, 0x1000ull);
}

static void second_level_fault_that_fails_ends_the_run_and_loses_nothing(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .npf.gpa = 0x1000,
		  .event = LIMEN_EVENT_VALID | 0x41 },
	};
	static const int errors[] = { -ENOMEM, -EINTR };
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		fake.npt_fault = errors[i];
		fake_script(vcpu, exits);
		KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), errors[i]);
		KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 1);
		KUNIT_EXPECT_EQ(test, vcpu->pending, (u32)LIMEN_EXIT_NONE);
		/* the next run delivers what the fault has cut short */
		KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
		KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[1].event,
				LIMEN_EVENT_VALID | 0x41);
	}
}

#define APIC(offset, how, ...) { .kind = LIMEN_KIND_NPF, .nr_insn = 15,	\
	.insn = { __VA_ARGS__ },					\
	.npf = { .gpa = 0xfee00000 + (offset), .access = LIMEN_ACCESS_##how } }

static void apic_page_is_answered_in_the_kernel(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		APIC(0x80, WRITE, 0x89, 0x07),		/* mov %eax, (%rdi) */
		APIC(0x80, READ, 0x8b, 0x1f),		/* mov (%rdi), %ebx */
		APIC(0x30, READ, 0x8b, 0x0f),		/* mov (%rdi), %ecx */
		APIC(0x40, READ, 0x8b, 0x17),		/* mov (%rdi), %edx */
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	u64 *gpr = vcpu->regs.gpr;

	gpr[LIMEN_RAX] = 0xffffffff00000020ull;
	gpr[LIMEN_RBX] = ~0ull;
	gpr[LIMEN_RCX] = ~0ull;
	gpr[LIMEN_RDX] = ~0ull;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RBX], 0x20ull);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RCX], 0x50014ull);
	KUNIT_EXPECT_EQ(test, gpr[LIMEN_RDX], 0ull);
	KUNIT_EXPECT_EQ(test, pi_get_cr8(vcpu), 2ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1008ull);
}

static void apic_access_that_is_no_plain_mov_goes_to_the_vmm(struct kunit *test)
{
	static const struct limen_exit exits[][1] = {
		{ APIC(0x80, WRITE, 0x87, 0x07) },	/* xchg */
		{ APIC(0x80, WRITE, 0x88, 0x07) },	/* a byte */
		{ APIC(0x80, WRITE, 0x48, 0x89, 0x07) },	/* eight bytes */
		{ APIC(0x80, READ, 0x89, 0x07) },	/* changed meanwhile */
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(exits); i++) {
		fake_set_script(vcpu, exits[i], 1);
		KUNIT_EXPECT_EQ_MSG(test, fake_run(test, vcpu), LIMEN_EXIT_MMIO,
				    "row %d", i);
		KUNIT_EXPECT_EQ(test, vcpu->run->mmio.apic, 1);
		KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	}
}

static void apic_that_was_moved_shows_where_no_memory_is(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { 0x8b, 0x0f },
		  .npf = { .gpa = 0x5030, .access = LIMEN_ACCESS_READ } },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	pi_wrmsr(vcpu, 0x1b, 0x5900);
	fake.npt_fault = NPT_MAPPED;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	fake.npt_fault = NPT_NO_MEMORY;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RCX], 0x50014ull);
}

static void apic_page_is_memory_like_any_other_in_x2apic_mode(struct kunit *test)
{
	static const struct limen_exit exits[] = { APIC(0x80, WRITE, 0x89, 0x07) };
	struct limen_vcpu *vcpu = vcpu_64(test);

	pi_wrmsr(vcpu, 0x1b, vcpu->pi.base | BIT(10));
	fake.npt_fault = NPT_NO_MEMORY;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_MMIO);
	KUNIT_EXPECT_EQ(test, vcpu->run->mmio.apic, 0);
}

static void msr_exit_takes_a_value_or_a_fault(struct kunit *test)
{
	static const struct limen_exit rdmsr[] = {
		{ .kind = LIMEN_KIND_RDMSR, .insn_len = 2 },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	vcpu->vm->nr_policy = 1;
	vcpu->vm->policy[0] = (struct limen_policy){
		.kind = LIMEN_POLICY_MSR, .first = 0x99, .last = 0x99,
		.access = LIMEN_ON_READ, .action = LIMEN_DO_EXIT,
	};
	vcpu->regs.gpr[LIMEN_RCX] = 0x99;
	fake_script(vcpu, rdmsr);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_MSR);
	KUNIT_EXPECT_EQ(test, vcpu->run->msr.index, 0x99u);
	KUNIT_EXPECT_EQ(test, vcpu->run->msr.write, 0);
	vcpu->run->msr.value = 0x1122334455667788ull;
	vcpu->run->complete = LIMEN_FULFIL;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX], 0x55667788ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RDX], 0x11223344ull);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);

	fake_script(vcpu, rdmsr);
	fake_run(test, vcpu);
	vcpu->run->msr.fault = 1;
	vcpu->run->complete = LIMEN_FULFIL;
	fake_run(test, vcpu);
	KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->entered[1].event & 0xff, (u32)VEC_GP);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1002ull);
}

static void completion_that_faults_in_a_double_fault_is_a_shutdown(struct kunit *test)
{
	static const struct limen_exit rdmsr[] = {
		{ .kind = LIMEN_KIND_RDMSR, .insn_len = 2, .event = LIMEN_EVENT_VALID |
		  LIMEN_EVENT_ERROR | LIMEN_TYPE_EXCEPTION << 8 | VEC_DF },
	};
	static const u32 flags[] = { 0, LIMEN_RUN_STOP };
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	vcpu->vm->nr_policy = 1;
	vcpu->vm->policy[0] = (struct limen_policy){
		.kind = LIMEN_POLICY_MSR, .first = 0x99, .last = 0x99,
		.access = LIMEN_ON_READ, .action = LIMEN_DO_EXIT,
	};
	vcpu->regs.gpr[LIMEN_RCX] = 0x99;
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		vcpu->run->flags = 0;
		fake_script(vcpu, rdmsr);
		KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_MSR);
		vcpu->run->msr.fault = 1;
		vcpu->run->complete = LIMEN_FULFIL;
		vcpu->run->flags = flags[i];
		KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_SHUTDOWN);
		/* the guest has not run, and is told of it once */
		KUNIT_EXPECT_EQ(test, fake_cpu(vcpu)->nr_entered, 1);
		KUNIT_EXPECT_NE(test, fake_run(test, vcpu), LIMEN_EXIT_SHUTDOWN);
	}
}

static void port_policy_faults_reads_constants_and_drops_writes(struct kunit *test)
{
	struct limen_vcpu *vcpu = vcpu_64(test);
	struct limen_policy *rule = vcpu->vm->policy;

	vcpu->vm->nr_policy = 1;
	*rule = (struct limen_policy){
		.kind = LIMEN_POLICY_PORT, .first = 0x60, .last = 0x60,
		.access = LIMEN_ON_READ | LIMEN_ON_WRITE,
		.action = LIMEN_DO_CONSTANT, .value = 0xab,
	};
	vcpu->exit = (struct limen_exit)IO_IN(1);
	KUNIT_EXPECT_EQ(test, limen_handle_io(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->regs.gpr[LIMEN_RAX] & 0xff, 0xabull);
	vcpu->exit.io.in = false;
	KUNIT_EXPECT_EQ(test, limen_handle_io(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);
	rule->action = LIMEN_DO_FAULT;
	KUNIT_EXPECT_EQ(test, limen_handle_io(vcpu), LIMEN_RESUME);
	KUNIT_EXPECT_EQ(test, vcpu->ev.exception & 0xff, (u32)VEC_GP);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);
}

/* MMIO at 0xd0000050: 4 bytes of value 1; at 0xd0001000 and behind: any. Port 0x70. */
static void add_events(struct kunit *test)
{
	static const struct limen_ioevent e[] = {
		{ .addr = 0xd0000050, .len = 4, .match = 1 },
		{ .addr = 0xd0001000, .any = true },
		{ .addr = 0xd0001ffe, .any = true },
		{ .space = LIMEN_IOEVENT_PORT, .addr = 0x70, .len = 2, .match = 0x1234 },
	};
	int i;

	fake.ioevents = kunit_kzalloc(test, struct_size(fake.ioevents, e, ARRAY_SIZE(e)),
				      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake.ioevents);
	for (i = 0; i < ARRAY_SIZE(e); i++)
		limen_ioevent_insert(fake.ioevents, &e[i]);
	fake.npt_fault = NPT_NO_MEMORY;
}

#define STORE(at, ...) { .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { __VA_ARGS__ }, \
	.npf = { .gpa = (at), .access = LIMEN_ACCESS_WRITE } }

static void store_that_an_eventfd_waits_for_is_done(struct kunit *test)
{
	static const struct limen_exit exits[] = {
		STORE(0xd0000050, 0x89, 0x07),			/* mov %eax, (%rdi) */
		STORE(0xd0000050, 0xc7, 0x07, 1, 0, 0, 0),	/* movl $1, (%rdi) */
		STORE(0xd0001000, 0x88, 0x27),			/* mov %ah, (%rdi) */
		STORE(0xd0001000, 0x48, 0x89, 0x07),		/* mov %rax, (%rdi) */
		STORE(0xd0001ffe, 0x66, 0x89, 0x07),		/* mov %ax, (%rdi) */
	};
	struct limen_vcpu *vcpu = vcpu_64(test);

	add_events(test);
	vcpu->regs.gpr[LIMEN_RAX] = 0x500000001ull;
	vcpu->regs.gpr[LIMEN_RDI] = 0xd0001000;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake.ioevents_hit, 5);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000 + 2 + 6 + 2 + 3 + 3ull);
}

static void other_stores_are_the_vmms(struct kunit *test)
{
	static const struct limen_exit exits[][1] = {
		{ STORE(0xd0000050, 0x89, 0x1f) },		/* another value */
		{ STORE(0xd0000050, 0x88, 0x07) },		/* another length */
		{ STORE(0xd0000054, 0x89, 0x07) },		/* another place */
		{ STORE(0xd0001000, 0xf0, 0x09, 0x07) },	/* lock or */
		{ STORE(0xd0001000, 0xf3, 0xa5) },		/* rep movs */
		{ STORE(0xd0001000, 0x8b, 0x07) },		/* changed: a load */
		/* began in the page before, by its address: 4 bytes at (%rsi) */
		{ STORE(0xd0001000, 0x89, 0x06) },
		/* and one whose address is not decoded */
		{ STORE(0xd0001000, 0xa3, 0, 0x10, 0, 0xd0, 0, 0, 0, 0) },
		/* runs into the next page */
		{ STORE(0xd0001ffe, 0x89, 0x07) },
	};
	static const struct limen_exit odd[] = {
		/* the CPU pushes an interrupt's frame, or walks page tables */
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { 0x89, 0x07 },
		  .event = LIMEN_EVENT_VALID | 0x30,
		  .npf = { .gpa = 0xd0000050, .access = LIMEN_ACCESS_WRITE } },
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { 0x89, 0x07 },
		  .npf = { .gpa = 0xd0000050, .access = LIMEN_ACCESS_WRITE, .in_walk = true } },
		{ .kind = LIMEN_KIND_NPF, .nr_insn = 15, .insn = { 0x8b, 0x07 },
		  .npf = { .gpa = 0xd0000050, .access = LIMEN_ACCESS_READ } },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	add_events(test);
	vcpu->regs.gpr[LIMEN_RAX] = 1;
	vcpu->regs.gpr[LIMEN_RDI] = 0xd0001000;
	vcpu->regs.gpr[LIMEN_RSI] = 0xd0000ffe;
	for (i = 0; i < ARRAY_SIZE(exits) + ARRAY_SIZE(odd); i++) {
		fake_set_script(vcpu, i < ARRAY_SIZE(exits) ? exits[i] :
				&odd[i - ARRAY_SIZE(exits)], 1);
		KUNIT_EXPECT_EQ_MSG(test, fake_run(test, vcpu), LIMEN_EXIT_MMIO,
				    "row %d", i);
		KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
	}
	KUNIT_EXPECT_EQ(test, fake.ioevents_hit, 0);
}

static void memory_comes_before_an_eventfd(struct kunit *test)
{
	static const struct limen_exit exits[] = { STORE(0xd0000050, 0x89, 0x07) };
	struct limen_vcpu *vcpu = vcpu_64(test);

	add_events(test);
	fake.npt_fault = NPT_MAPPED;
	vcpu->regs.gpr[LIMEN_RAX] = 1;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake.ioevents_hit, 0);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1000ull);
}

#define OUT(n, ...) { .kind = LIMEN_KIND_IO, .insn_len = 2, \
		      .io = { .port = 0x70, .size = (n), __VA_ARGS__ } }

static void out_that_an_eventfd_waits_for_is_done(struct kunit *test)
{
	static const struct limen_exit exits[] = { OUT(2), OUT(2) };
	static const struct limen_exit others[][1] = {
		{ OUT(1) }, { OUT(4) }, { OUT(2, .in = true) },
		{ OUT(2, .string = true, .has_seg = true, .addr_size = 8) },
	};
	struct limen_vcpu *vcpu = vcpu_64(test);
	int i;

	add_events(test);
	/* it comes before the rules */
	vcpu->vm->nr_policy = 1;
	vcpu->vm->policy[0] = (struct limen_policy){
		.kind = LIMEN_POLICY_PORT, .first = 0x70, .last = 0x70,
		.access = LIMEN_ON_WRITE, .action = LIMEN_DO_EXIT,
	};
	vcpu->regs.gpr[LIMEN_RAX] = 0x99991234;
	fake_script(vcpu, exits);
	KUNIT_EXPECT_EQ(test, fake_run(test, vcpu), LIMEN_EXIT_UNKNOWN);
	KUNIT_EXPECT_EQ(test, fake.ioevents_hit, 2);
	KUNIT_EXPECT_EQ(test, vcpu->regs.rip, 0x1004ull);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		fake_set_script(vcpu, others[i], 1);
		KUNIT_EXPECT_EQ_MSG(test, fake_run(test, vcpu), LIMEN_EXIT_IO, "row %d", i);
	}
	KUNIT_EXPECT_EQ(test, fake.ioevents_hit, 2);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(run_page_has_the_common_facts),
	KUNIT_CASE(in_fills_rax_by_its_size),
	KUNIT_CASE(out_shows_its_bytes_only),
	KUNIT_CASE(discarded_exit_is_repeated),
	KUNIT_CASE(what_can_not_be_leaves_the_exit_waiting),
	KUNIT_CASE(string_io_moves_rip_when_the_vmm_says_it_is_done),
	KUNIT_CASE(mmio_exit_carries_address_and_bytes),
	KUNIT_CASE(second_level_fault_is_mapped_mmio_or_a_bad_address),
	KUNIT_CASE(second_level_fault_that_fails_ends_the_run_and_loses_nothing),
	KUNIT_CASE(apic_page_is_answered_in_the_kernel),
	KUNIT_CASE(apic_access_that_is_no_plain_mov_goes_to_the_vmm),
	KUNIT_CASE(apic_that_was_moved_shows_where_no_memory_is),
	KUNIT_CASE(apic_page_is_memory_like_any_other_in_x2apic_mode),
	KUNIT_CASE(msr_exit_takes_a_value_or_a_fault),
	KUNIT_CASE(completion_that_faults_in_a_double_fault_is_a_shutdown),
	KUNIT_CASE(store_that_an_eventfd_waits_for_is_done),
	KUNIT_CASE(other_stores_are_the_vmms),
	KUNIT_CASE(memory_comes_before_an_eventfd),
	KUNIT_CASE(out_that_an_eventfd_waits_for_is_done),
	KUNIT_CASE(port_policy_faults_reads_constants_and_drops_writes),
	{}
};

static struct kunit_suite suite = { .name = "io", .test_cases = cases };
kunit_test_suite(suite);
