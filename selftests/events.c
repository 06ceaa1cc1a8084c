// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions, NMIs and injection: that each event arrives once, in order, with
 * its error code, whatever interrupts its delivery.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "harness.h"

#define RWX (LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)
#define BASE 0x40000000ull

FIXTURE(events)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(events)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(events)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

static int msi(struct vm *vm, u32 vector)
{
	struct limen_msi arg = { .size = sizeof(arg), .addr = APIC_BASE, .data = vector };

	return ioctl(vm->fd, LIMEN_MSI, &arg);
}

static struct limen_events get_events(struct vcpu *c)
{
	struct limen_events ev;

	if (vcpu_get(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)))
		abort();
	return ev;
}

/* ---- exceptions of the guest's own ---- */

GUEST64(all_faults,
	G_TRY("xor %ecx, %ecx; xor %edx, %edx; div %ecx")
	"int3; " G_TRY("ud2")
	G_TRY("mov $0x1238, %eax; mov %eax, %ds")
	G_TRY("movabs $0x800000000000, %rax; mov (%rax), %rax")
	G_TRY("movabs $0x5123456789, %rax; mov (%rax), %rax")
	G_TRY("movabs $0x5123456000, %rax; mov %rax, (%rax)")
	"mov $0x28, %eax;" G_TRY("ltr %ax")
	"int $0x80" G_DONE);

TEST_F(events, exceptions_reach_the_guest_with_their_error_codes)
{
	static const struct { u32 vector, error; u64 cr2; } want[] = {
		{ 0, 0, 0 }, { 3, 0, 0 }, { 6, 0, 0 }, { 13, 0x1238, 0 }, { 13, 0, 0 },
		{ 14, 0, 0x5123456789ull }, { 14, 2, 0x5123456000ull }, { 13, 0x28, 0 },
		{ 0x80, 0, 0 },
	};
	size_t i;

	ASSERT_EQ(GUEST_DONE, START(all_faults));
	ASSERT_EQ(9, self->b->nr_events);
	for (i = 0; i < 9; i++) {
		EXPECT_EQ(want[i].vector, self->b->event[i].vector);
		EXPECT_EQ(want[i].error, self->b->event[i].error) TH_LOG("event %zu", i);
		if (want[i].cr2)
			EXPECT_EQ(want[i].cr2, self->b->event[i].cr2);
	}
}

GUEST64(alignment, "mov %cr0, %rax; or $0x40000, %rax; mov %rax, %cr0;"
	/* to CPL 3, where alignment is checked */
	"mov $0x2b, %eax; push %rax; push $0x80000; push $0x40002; push $0x33;"
	"lea 1f(%rip), %rax; push %rax; iretq\n"
	"1: lea 2f(%rip), %r15; mov $0x100001, %ebx; mov (%rbx), %eax\n2: int $0x81; hlt\n");

TEST_F(events, ac_reaches_the_guest)
{
	if (is_qemu())
		SKIP(return, "QEMU 7.2 does not check alignment");

	u64 *gdt = (u64 *)(self->vm.mem + GUEST_GDT), *pt;
	struct limen_sregs s;
	int i;

	guest_load(&self->vm, alignment);
	vcpu_long(self->c, GUEST_CODE);
	gdt[5] = 0x00cff3000000ffffull;		/* 0x28: data, DPL 3 */
	gdt[6] = 0x00affb000000ffffull;		/* 0x30: code, DPL 3 */
	pt = (u64 *)(self->vm.mem + GUEST_PML4);
	for (i = 0; i < 512 * 6; i++)
		if (pt[i])
			pt[i] |= 4;
	*(u64 *)(self->vm.mem + GUEST_TSS + 4) = GUEST_STACKS - 0x8000; /* RSP0 */
	*(u8 *)(self->vm.mem + GUEST_IDT + 0x81 * 16 + 5) = 0xee;
	s = vcpu_sregs(self->c);
	s.gdt.limit = 0x3f;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	self->b->nr_events = 0;
	/* ends with a #GP at CPL 3: its GS base is ours still, so it is logged */
	vcpu_go(self->c);
	ASSERT_LE(2, self->b->nr_events);
	EXPECT_EQ(17, self->b->event[0].vector);
	EXPECT_EQ(0, self->b->event[0].error);
	EXPECT_EQ(0x81, self->b->event[1].vector);
}

/* INT3 first, so that no second-level fault comes between */
GUEST64(no_gate, "int3; lea 1f(%rip), %r15; movabs $0x5123456789, %rax; mov (%rax), %rax\n1:" G_DONE);

TEST_F(events, a_fault_while_delivering_a_page_fault_is_a_double_fault)
{
	guest_load(&self->vm, no_gate);
	vcpu_long(self->c, GUEST_CODE);
	/* the gate of #PF is not present: #NP while delivering it */
	self->vm.mem[GUEST_IDT + 14 * 16 + 5] &= 0x7f;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(2, self->b->nr_events);
	EXPECT_EQ(8, self->b->event[1].vector);
	EXPECT_EQ(0, self->b->event[1].error);
}

GUEST64(ud, "ud2\n");

TEST_F(events, a_triple_fault_is_a_shutdown_exit)
{
	struct limen_sregs s;

	guest_load(&self->vm, ud);
	vcpu_long(self->c, GUEST_CODE);
	s = vcpu_sregs(self->c);
	s.idt.limit = 0;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	EXPECT_EQ(LIMEN_EXIT_SHUTDOWN, vcpu_go(self->c));
	/* and again, if the VMM just goes on */
	EXPECT_EQ(LIMEN_EXIT_SHUTDOWN, vcpu_go(self->c));
}

/* ---- NMI ---- */

GUEST64(nmi_plain, "out %al, $0x50; nop; nop" G_DONE);

TEST_F(events, an_nmi_arrives_with_interrupts_off)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(nmi_plain));
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_NMI, NULL));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(2, self->b->event[0].vector);
}

TEST_F(events, two_nmis_are_kept_and_a_third_is_lost)
{
	int i;

	ASSERT_EQ(LIMEN_EXIT_IO, START(nmi_plain));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_NMI, NULL));
	EXPECT_EQ(2, get_events(self->c).nmi_pending);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(2, self->b->nr_events);
}

/* Its own NMI handler, at code + 64: counts, exits, and looks again. */
GUEST64(nmi_block, "out %al, $0x50; nop; nop" G_DONE
	".org nmi_block + 64\n incq %gs:8; out %al, $0x51; nop; nop; mov %gs:8, %rax;"
	"cmpq $0, %gs:16; jne 1f; mov %rax, %gs:16\n 1: iretq\n");

TEST_F(events, an_nmi_is_held_until_iret)
{
	u16 *gate = (u16 *)(self->vm.mem + GUEST_IDT + 2 * 16);

	guest_load(&self->vm, nmi_block);
	vcpu_long(self->c, GUEST_CODE);
	gate[0] = (GUEST_CODE + 64) & 0xffff;
	gate[3] = (GUEST_CODE + 64) >> 16;
	self->b->value[0] = self->b->value[1] = 0;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_NMI, NULL));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0x51, self->c->run->io.port);
	EXPECT_EQ(1, get_events(self->c).nmi_blocked);
	/* inside the handler: this one waits */
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_NMI, NULL));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0x51, self->c->run->io.port);
	EXPECT_EQ(2, self->b->value[0]);
	EXPECT_EQ(1, self->b->value[1]);	/* the first had ended alone */
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, get_events(self->c).nmi_blocked);
}

/* ---- interrupt shadow ---- */

GUEST64(sti_shadow, X2_ON "cli; out %al, $0x50; lea 1f(%rip), %rbx; mov %rbx, %gs:8;"
	"sti; nop\n1: nop; nop" G_DONE);

TEST_F(events, sti_holds_interrupts_for_one_instruction)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(sti_shadow));
	ASSERT_EQ(1, msi(&self->vm, 0x51));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

GUEST64(sti_exit, X2_ON "cli; out %al, $0x50; lea 1f(%rip), %rbx; mov %rbx, %gs:8;"
	"xor %eax, %eax; sti; cpuid\n1: nop; nop" G_DONE);

TEST_F(events, sti_holds_interrupts_over_an_exiting_instruction)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(sti_exit));
	ASSERT_EQ(1, msi(&self->vm, 0x51));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

/*
 * CLI runs in the shadow of STI, so nothing ever comes in; the timer's interrupts
 * wait, and the host's own end the guest's run between the two again and again.
 */
GUEST64(sti_cli, X2_ON "cli; mov $0x832, %ecx; mov $0x20051, %eax; xor %edx, %edx; wrmsr;"
	"mov $0x838, %ecx; mov $1000000, %eax; wrmsr; mov $1000000, %ecx\n"
	"1: sti; cli; dec %ecx; jnz 1b; mov %gs:0, %eax" G_REPORT
	"mov $0x832, %ecx; mov $0x30051, %eax; xor %edx, %edx; wrmsr;"
	"sti; nop; cli" G_DONE);

TEST_F(events, nothing_comes_between_sti_and_cli)
{
	ASSERT_EQ(GUEST_DONE, START(sti_cli));
	EXPECT_EQ(0, self->c->report[0]);
	EXPECT_LE(1, self->b->nr_events);
}

GUEST64(sti_out, "cli; sti; out %al, $0x51; nop" G_DONE);

TEST_F(events, the_shadow_is_part_of_the_state)
{
	struct limen_events ev;

	ASSERT_EQ(LIMEN_EXIT_IO, START(sti_out));
	EXPECT_NE(0, get_events(self->c).shadow);
	ev = get_events(self->c);
	ev.shadow = LIMEN_SHADOW_MOV_SS;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	EXPECT_NE(0, get_events(self->c).shadow);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
}

/* ---- injection ---- */

GUEST64(nops, "out %al, $0x50; nop; nop" G_DONE);

static int inject(struct vcpu *c, u32 exception, u32 error, u64 payload)
{
	struct limen_events ev = get_events(c);

	ev.exception = exception;
	ev.exception_error = error;
	ev.exception_payload = payload;
	return vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev));
}

#define EXC(v) (LIMEN_EVENT_VALID | LIMEN_TYPE_EXCEPTION << 8 | (v))

TEST_F(events, an_exception_can_be_injected)
{
	static const struct { u32 event, error; u64 payload; } inj[] = {
		{ EXC(13) | LIMEN_EVENT_ERROR, 0x1230, 0 },
		{ EXC(14) | LIMEN_EVENT_ERROR, 7, 0x12345678000 },
		{ EXC(1), 0, 1 << 14 }, { EXC(16), 0, 0 },
	};
	size_t i;

	for (i = 0; i < 4; i++) {
		guest_load(&self->vm, nops);
		self->b->nr_events = 0;
		vcpu_long(self->c, GUEST_CODE);
		struct limen_regs r = vcpu_regs(self->c);

		r.gpr[LIMEN_R15] = GUEST_CODE + 2;	/* go on behind OUT */
		ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
		ASSERT_EQ(0, inject(self->c, inj[i].event, inj[i].error, inj[i].payload))
			TH_LOG("event %zu", i);
		ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
		ASSERT_EQ(1, self->b->nr_events);
		EXPECT_EQ(inj[i].event & 0xff, self->b->event[0].vector);
		EXPECT_EQ(inj[i].error, self->b->event[0].error);
		EXPECT_EQ(GUEST_CODE, self->b->event[0].rip);
		if ((inj[i].event & 0xff) == 14)
			EXPECT_EQ(inj[i].payload, self->b->event[0].cr2);
		if ((inj[i].event & 0xff) == 1)
			EXPECT_EQ(1 << 14, self->b->event[0].dr6 & 0x600f);
	}
}

TEST_F(events, an_injected_fault_has_rf_in_its_flags)
{
	static const struct { u32 event; u64 payload; u64 rf; } inj[] = {
		{ EXC(13) | LIMEN_EVENT_ERROR, 0, 1 << 16 }, { EXC(6), 0, 1 << 16 },
		{ EXC(1), 1 << 14, 0 },
	};
	size_t i;

	for (i = 0; i < 3; i++) {
		guest_load(&self->vm, nops);
		self->b->nr_events = 0;
		vcpu_long(self->c, GUEST_CODE);
		struct limen_regs r = vcpu_regs(self->c);

		r.gpr[LIMEN_R15] = GUEST_CODE + 2;
		ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
		ASSERT_EQ(0, inject(self->c, inj[i].event, 0, inj[i].payload));
		ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
		ASSERT_EQ(1, self->b->nr_events);
		EXPECT_EQ(inj[i].rf, self->b->event[0].rflags & 1 << 16)
			TH_LOG("event %zu", i);
	}
}

GUEST64(iret_after, "out %al, $0x50; sti; nop; nop; nop" G_DONE);

TEST_F(events, an_interrupt_whose_delivery_faults_is_lost)
{
	struct limen_events ev;
	struct limen_regs r;

	guest_load(&self->vm, iret_after);
	vcpu_long(self->c, GUEST_CODE);
	r = vcpu_regs(self->c);
	r.rflags |= 1 << 9;
	r.gpr[LIMEN_R15] = GUEST_CODE;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	ev = get_events(self->c);
	ev.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | 0x44;
	ev.exception = EXC(6);
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(6, self->b->event[0].vector);
}

TEST_F(events, an_interrupted_event_can_be_set)
{
	struct limen_events ev;
	struct limen_regs r;

	guest_load(&self->vm, nops);
	vcpu_long(self->c, GUEST_CODE);
	r = vcpu_regs(self->c);
	r.rflags |= 1 << 9;			/* IF, as an interrupt needs it */
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	ev = get_events(self->c);
	ev.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | 0x44;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x44, self->b->event[0].vector);
	EXPECT_EQ(0, get_events(self->c).injected);
}

/* ---- delivery cut short by a second-level fault ---- */

static u8 *pages(u64 len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

GUEST64(int_80, "int $0x80\n1: nop; lea 1b(%rip), %rax; mov %rax, %gs:8" G_DONE);

static void move_idt(struct vcpu *c, u64 to)
{
	struct limen_sregs s = vcpu_sregs(c);

	s.idt.base = to;
	if (vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s)))
		abort();
}

TEST_F(events, an_idt_on_an_untouched_page_still_delivers_once)
{
	u8 *p = pages(4096);

	guest_load(&self->vm, int_80);
	vcpu_long(self->c, GUEST_CODE);
	memcpy(p, self->vm.mem + GUEST_IDT, 4096);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RWX));
	move_idt(self->c, BASE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x80, self->b->event[0].vector);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

TEST_F(events, a_stack_on_an_untouched_page_still_delivers_once)
{
	u8 *p = pages(8192);
	struct limen_regs r;

	guest_load(&self->vm, nops);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 8192, RWX));
	r = vcpu_regs(self->c);
	r.gpr[LIMEN_RSP] = BASE + 8192 - 16;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_NMI, NULL));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(2, self->b->event[0].vector);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
}

TEST_F(events, an_exit_during_a_software_interrupts_delivery_says_so)
{
	u8 *p = pages(4096);

	guest_load(&self->vm, int_80);
	vcpu_long(self->c, GUEST_CODE);
	memcpy(p, self->vm.mem + GUEST_IDT, 4096);
	move_idt(self->c, BASE);		/* no memory there */
	ASSERT_EQ(LIMEN_EXIT_MMIO, vcpu_go(self->c));
	EXPECT_EQ(BASE + 0x80 * 16, self->c->run->mmio.gpa);
	EXPECT_EQ(1, self->c->run->mmio.vectoring);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RWX));
	self->c->run->complete = LIMEN_DISCARD;
	ASSERT_EQ(0, ioctl(self->c->fd, LIMEN_RUN, 0));
	EXPECT_EQ(LIMEN_EXIT_IO, self->c->run->exit);
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

TEST_F(events, an_event_survives_an_exit_during_its_delivery)
{
	u8 *p = pages(4096);
	struct limen_events ev;

	guest_load(&self->vm, nops);
	vcpu_long(self->c, GUEST_CODE);
	memcpy(p, self->vm.mem + GUEST_IDT, 4096);
	move_idt(self->c, BASE);		/* no memory there */
	ASSERT_EQ(0, inject(self->c, EXC(14) | LIMEN_EVENT_ERROR, 2, 0x7777000));
	struct limen_regs r = vcpu_regs(self->c);

	r.gpr[LIMEN_R15] = GUEST_CODE;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	ASSERT_EQ(LIMEN_EXIT_MMIO, vcpu_go(self->c));
	EXPECT_EQ(BASE + 14 * 16, self->c->run->mmio.gpa);
	EXPECT_EQ(1, self->c->run->mmio.vectoring);
	ev = get_events(self->c);
	EXPECT_EQ(EXC(14) | LIMEN_EVENT_ERROR, ev.injected);
	EXPECT_EQ(2, ev.injected_error);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RWX));
	self->c->run->complete = LIMEN_DISCARD;
	ASSERT_EQ(0, ioctl(self->c->fd, LIMEN_RUN, 0));
	EXPECT_EQ(LIMEN_EXIT_IO, self->c->run->exit);
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(14, self->b->event[0].vector);
	EXPECT_EQ(2, self->b->event[0].error);
	EXPECT_EQ(0x7777000, self->b->event[0].cr2);
}

TEST_HARNESS_MAIN
