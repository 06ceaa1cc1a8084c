// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC: both ways to its registers, its timers, interrupts from the
 * VMM and from other vCPUs, and how a second vCPU starts.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

#define AP_CODE	0x20000		/* SIPI vector 0x20 */

/* x2APIC on, enabled, EOI in the handler */
#define X1_ON	"mov $0xfee00000, %edi; movl $0x1ff, 0xf0(%rdi); movl $2, %gs:4;"
#define WR(msr, val) "mov $" #msr ", %ecx; mov $" #val ", %eax; xor %edx, %edx; wrmsr;"
/* halt until that many events were logged */
#define WAIT(n)	"\n661: cli; cmpl $" #n ", %gs:0; jae 662f; sti; hlt; jmp 661b\n662: sti\n"

FIXTURE(apic)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(apic)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(apic)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

static int msi(struct vm *vm, u64 addr, u32 data)
{
	struct limen_msi arg = { .size = sizeof(arg), .addr = addr, .data = data };
	int ret = ioctl(vm->fd, LIMEN_MSI, &arg);

	return ret < 0 ? -errno : ret;
}

static void *msi_later(void *arg)
{
	struct timespec t = { .tv_nsec = 50000000 };

	nanosleep(&t, NULL);
	msi(arg, APIC_BASE, 0x61);
	return NULL;
}

static void *nmi_later(void *arg)
{
	struct timespec t = { .tv_nsec = 50000000 };

	nanosleep(&t, NULL);
	try_ioctl(((struct vm *)arg)->cpu[0].fd, LIMEN_NMI, NULL);
	return NULL;
}

/* ---- registers ---- */

GUEST64(x2_regs, X2_ON
	"mov $0x802, %ecx; rdmsr; mov %eax, %gs:8; mov $0x803, %ecx; rdmsr; mov %eax, %gs:16;"
	"mov $0x80d, %ecx; rdmsr; mov %eax, %gs:24;"
	WR(0x808, 0x70) "rdmsr; mov %eax, %gs:32; mov $0x80a, %ecx; rdmsr; mov %eax, %gs:40;"
	WR(0x808, 0) WR(0x832, 0x10045) "rdmsr; mov %eax, %gs:48" G_DONE);

TEST_F(apic, x2apic_registers_are_msrs)
{
	memset(self->b->value, 0, sizeof(self->b->value));
	ASSERT_EQ(GUEST_DONE, START(x2_regs));
	EXPECT_EQ(0, self->b->value[0]);
	EXPECT_EQ(0x10, self->b->value[1] & 0xf0);
	EXPECT_EQ(1, self->b->value[2]);		/* logical id */
	EXPECT_EQ(0x70, self->b->value[3]);
	EXPECT_EQ(0x70, self->b->value[4]);		/* PPR */
	EXPECT_EQ(0x10045, self->b->value[5]);
}

GUEST64(x2_bad, X2_ON "mov %gs:8, %ecx; mov %gs:16, %eax; xor %edx, %edx;"
	"cmpl $0, %gs:24; jne 1f;" G_TRY("rdmsr") "out %al, $0x11\n 1:" G_TRY("wrmsr") G_DONE);

TEST_F(apic, bad_x2apic_accesses_give_gp)
{
	static const struct { u32 msr, val, write; } bad[] = {
		{ 0x80e, 0, 0 }, { 0x831, 0, 0 }, { 0x80b, 0, 0 }, { 0x83f, 0, 0 },
		{ 0x8ff, 0, 0 }, { 0x802, 0, 1 }, { 0x803, 0, 1 }, { 0x80a, 0, 1 },
		{ 0x80d, 0, 1 }, { 0x80b, 1, 1 }, { 0x808, 0x100, 1 }, { 0x80f, 0x10000, 1 },
		{ 0x810, 0, 1 }, { 0x839, 0, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		self->b->value[0] = bad[i].msr;
		self->b->value[1] = bad[i].val;
		self->b->value[2] = bad[i].write;
		ASSERT_EQ(GUEST_DONE, START(x2_bad));
		EXPECT_EQ(1, self->b->nr_events) TH_LOG("MSR %#x, write %u", bad[i].msr,
							bad[i].write);
		EXPECT_EQ(13, self->b->event[0].vector);
	}
}

GUEST64(x1_regs, X1_ON
	"mov 0x20(%rdi), %eax; mov %eax, %gs:8; mov 0x30(%rdi), %r9d; mov %r9d, %gs:16;"
	"movl $0x50, 0x80(%rdi); mov 0x80(%rdi), %edx; mov %edx, %gs:24;"
	"mov %cr8, %rax; mov %rax, %gs:32; movl $0x5000000, 0xd0(%rdi);"
	"mov 0xd0(%rdi), %esi; mov %esi, %gs:40; mov $0x6000000, %r12d;"
	"mov %r12d, 0xd0(%rdi); movabs 0xfee000d0, %eax; mov %eax, %gs:48;"
	"mov 0x3f0(%rdi), %eax; mov %eax, %gs:56" G_DONE);

TEST_F(apic, xapic_registers_are_memory)
{
	memset(self->b->value, 0xff, sizeof(self->b->value));
	ASSERT_EQ(GUEST_DONE, START(x1_regs));
	EXPECT_EQ(0, (u32)self->b->value[0]);
	EXPECT_EQ(0x10, self->b->value[1] & 0xf0);
	EXPECT_EQ(0x50, (u32)self->b->value[2]);
	EXPECT_EQ(5, self->b->value[3]);
	EXPECT_EQ(0x5000000, (u32)self->b->value[4]);
	EXPECT_EQ(0x6000000, (u32)self->b->value[5]);
}

/* at another address: at the usual one hardware may do it all */
GUEST64(x1_other, X1_ON "mov $0x1b, %ecx; rdmsr; and $0xfff, %eax; or $0xfed00000, %eax;"
	"wrmsr; mov $0xfed00000, %edi; movl $0x30, 0x80(%rdi); orl $0x40, 0x80(%rdi);"
	"mov 0x80(%rdi), %eax; mov %eax, %gs:8" G_DONE);

TEST_F(apic, other_instructions_on_the_apic_page_are_user_spaces)
{
	struct limen_apic_access a = { .size = sizeof(a), .offset = 0x80 };
	struct limen_run *run = self->c->run;

	ASSERT_EQ(LIMEN_EXIT_MMIO, START(x1_other));
	EXPECT_EQ(1, run->mmio.apic);
	EXPECT_EQ(0xfed00080u, run->mmio.gpa);
	EXPECT_EQ(0x83, run->insn[0]);
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
	EXPECT_EQ(0x30, a.value);
	a.write = 1;
	a.value |= 0x40;
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
	run->insn_len = 7;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x70, (u32)self->b->value[0]);
}

/* used as an xAPIC first, so that hardware that knows accesses by a page has one */
GUEST64(x_leaves, X1_ON "mov 0x20(%rdi), %eax; mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr;"
	"mov 0x20(%rdi), %eax" G_DONE);

TEST_F(apic, the_page_of_an_apic_that_has_left_it_is_no_memory)
{
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(x_leaves));
	EXPECT_EQ(APIC_BASE + 0x20, self->c->run->mmio.gpa);
	EXPECT_EQ(0, self->c->run->mmio.apic);
}

GUEST64(x_off, "mov $0x1b, %ecx; rdmsr; and $~0x800, %eax; wrmsr; mov $1, %eax; cpuid;"
	"mov %edx, %gs:8; mov 0xfee00020, %eax" G_DONE);

TEST_F(apic, a_disabled_apic_is_gone)
{
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(x_off));
	EXPECT_EQ(0, self->b->value[0] >> 9 & 1);
	EXPECT_EQ(0, self->c->run->mmio.apic);
	EXPECT_EQ(APIC_BASE + 0x20, self->c->run->mmio.gpa);
}

GUEST64(x_moved, "mov $0x1b, %ecx; xor %edx, %edx; mov $0x100900, %eax; wrmsr;"
	"mov 0x100030, %eax; mov %rax, %gs:8; mov $0x800900, %eax; wrmsr;"
	"mov 0x800030, %eax; mov %rax, %gs:16" G_DONE);

TEST_F(apic, memory_hides_an_apic_that_was_moved_there)
{
	memcpy(self->vm.mem + GUEST_DATA + 0x30, "RAM!", 4);
	ASSERT_EQ(GUEST_DONE, START(x_moved));
	EXPECT_EQ(0, memcmp(&self->b->value[0], "RAM!", 4));
	EXPECT_EQ(0x50014, (u32)self->b->value[1]);
}

GUEST64(x_mode, X2_ON "mov $0x1b, %ecx; rdmsr; and $~0x400, %eax;" G_TRY("wrmsr")
	"rdmsr; mov %eax, %gs:8" G_DONE);

TEST_F(apic, x2apic_to_xapic_gives_gp)
{
	ASSERT_EQ(GUEST_DONE, START(x_mode));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(13, self->b->event[0].vector);
	EXPECT_EQ(APIC_BASE | 0xd00, (u32)self->b->value[0]);
}

/* ---- timers ---- */

GUEST64(t_once, X2_ON WR(0x83e, 0xb) WR(0x832, 0x50) WR(0x838, 1000000) WAIT(1)
	"mov $0x839, %ecx; rdmsr; mov %eax, %gs:8" G_DONE);

TEST_F(apic, the_one_shot_timer_fires_once)
{
	self->b->value[0] = 1;
	ASSERT_EQ(GUEST_DONE, START(t_once));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x50, self->b->event[0].vector);
	EXPECT_EQ(0, (u32)self->b->value[0]);
}

GUEST64(t_periodic, X2_ON WR(0x83e, 0xb) WR(0x832, 0x20051) WR(0x838, 2000000) WAIT(5)
	WR(0x838, 0) G_DONE);

TEST_F(apic, the_periodic_timer_fires_again_and_again)
{
	int i;

	ASSERT_EQ(GUEST_DONE, START(t_periodic));
	ASSERT_LE(5, self->b->nr_events);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0x51, self->b->event[i].vector);
}

GUEST64(t_xapic, X1_ON "movl $0xb, 0x3e0(%rdi); movl $0x52, 0x320(%rdi);"
	"movl $500000, 0x380(%rdi);" WAIT(1) G_DONE);

TEST_F(apic, the_timer_fires_in_xapic_mode_too)
{
	ASSERT_EQ(GUEST_DONE, START(t_xapic));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x52, self->b->event[0].vector);
}

GUEST64(t_deadline, X2_ON WR(0x832, 0x40053)
	"rdtsc; shl $32, %rdx; or %rdx, %rax; add %gs:8, %rax; mov %rax, %gs:16;"
	"mov %rax, %rdx; shr $32, %rdx; mov $0x6e0, %ecx; wrmsr;" WAIT(1)
	"rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %gs:24;"
	"mov $0x6e0, %ecx; rdmsr; mov %eax, %gs:32" G_DONE);

TEST_F(apic, the_tsc_deadline_fires_at_its_time)
{
	struct limen_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	self->b->value[0] = info.tsc_khz * 2ull;	/* 2 ms */
	self->b->value[3] = 1;
	ASSERT_EQ(GUEST_DONE, START(t_deadline));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x53, self->b->event[0].vector);
	EXPECT_LE(self->b->value[1], self->b->value[2]);	/* not early */
	EXPECT_EQ(0, (u32)self->b->value[3]);			/* disarmed */
}

/* A vCPU that runs: who ends its run at the deadline, and that it is not early. */
GUEST64(t_spin, X2_ON WR(0x832, 0x40053) "out %al, $0x50; mov $20, %ebx; sti;"
	"1: movl $0, %gs:0; rdtsc; shl $32, %rdx; or %rdx, %rax; add %gs:8, %rax; mov %rax, %r12;"
	"mov %rax, %rdx; shr $32, %rdx; mov $0x6e0, %ecx; wrmsr;"
	"2: cmpl $0, %gs:0; je 2b; rdtsc; shl $32, %rdx; or %rdx, %rax; cmp %r12, %rax; jb 3f;"
	"dec %ebx; jnz 1b; 3: mov %ebx, %eax" G_REPORT G_DONE);

TEST_F(apic, the_tsc_deadline_of_a_running_vcpu_needs_no_host_timer)
{
	struct limen_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	self->b->value[0] = info.tsc_khz / 2;	/* 0.5 ms: before the watchdog */
	ASSERT_EQ(LIMEN_EXIT_IO, START(t_spin));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	TH_LOG("exits: timer %llu, host's %llu",
	       (unsigned long long)vcpu_stat(self->c, "exit_timer"),
	       (unsigned long long)vcpu_stat(self->c, "exit_host_irq"));
	/* a deadline may also be found over at an entry after another exit */
	EXPECT_LE(10, vcpu_stat(self->c, is_vmx() ? "exit_timer" : "exit_host_irq"));
}

TEST_F(apic, a_tsc_deadline_in_the_past_fires_at_once)
{
	self->b->value[0] = -1000ull;
	ASSERT_EQ(GUEST_DONE, START(t_deadline));
	EXPECT_EQ(1, self->b->nr_events);
}

/* ---- IPIs ---- */

GUEST64(self_ipi, X2_ON "sti;" WR(0x83f, 0x71) "nop; nop;" WR(0x830, 0x40072) "nop; nop" G_DONE);

TEST_F(apic, a_self_ipi_arrives)
{
	ASSERT_EQ(GUEST_DONE, START(self_ipi));
	ASSERT_EQ(2, self->b->nr_events);
	EXPECT_EQ(0x71, self->b->event[0].vector);
	EXPECT_EQ(0x72, self->b->event[1].vector);
}

GUEST64(ipi_to_1, X2_ON "mov $0x830, %ecx; mov $0x81, %eax; mov $1, %edx; wrmsr" G_DONE);
GUEST64(ipi_take, X2_ON "movl $1, %gs:8;" WAIT(1) G_DONE);

TEST_F(apic, an_ipi_wakes_another_vcpu)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct timespec ms = { .tv_nsec = 1000000 };
	volatile u64 *ready = &vcpu_block(ap)->value[0];
	pthread_t t;
	void *ret;
	int i;

	guest_copy(&self->vm, AP_CODE, ipi_take, (u64)(ipi_take_end - ipi_take));
	vcpu_long(ap, AP_CODE);
	pthread_create(&t, NULL, vcpu_thread, ap);
	for (i = 0; i < 5000 && !*ready; i++)
		nanosleep(&ms, NULL);
	ASSERT_EQ(GUEST_DONE, START(ipi_to_1));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	ASSERT_EQ(1, vcpu_block(ap)->nr_events);
	EXPECT_EQ(0x81, vcpu_block(ap)->event[0].vector);
}

GUEST64(boot_ap, X2_ON
	"mov $0x830, %ecx; mov $0x4500, %eax; mov $1, %edx; wrmsr;"
	"mov $0x4620, %eax; wrmsr\n 1: pause; cmpl $0x5a5a, 0x100000; jne 1b" G_DONE);
GUEST16(ap16, "mov $0x1000, %ax; mov %ax, %cs:0x100; xor %ax, %ax; mov %ax, %ds;"
	"mov $0xf000, %bx; mov %cs, %ax; mov %ax, (%bx);"
	"mov $0xffff, %ax; mov %ax, %ds; movl $0x5a5a, 0x10;" G_DONE);

TEST_F(apic, init_and_sipi_boot_a_second_vcpu_in_real_mode)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	pthread_t t;
	void *ret;

	guest_copy(&self->vm, AP_CODE, ap16, (u64)(ap16_end - ap16));
	pthread_create(&t, NULL, vcpu_thread, ap);
	ASSERT_EQ(GUEST_DONE, START(boot_ap));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	EXPECT_EQ(16, ap->run->mode);
	EXPECT_EQ(0x2000, *(u16 *)(self->vm.mem + 0xf000));
	EXPECT_EQ(0x1000, *(u16 *)(self->vm.mem + AP_CODE + 0x100));
}

TEST_F(apic, a_vcpu_that_waits_for_sipi_can_be_kicked)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct limen_events ev;

	ASSERT_EQ(0, vcpu_get(ap, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	EXPECT_EQ(LIMEN_MP_WAIT_SIPI, ev.mp_state);
	ASSERT_EQ(0, try_ioctl(ap->fd, LIMEN_KICK, NULL));
	EXPECT_EQ(LIMEN_EXIT_KICKED, vcpu_run(ap));
}

/*
 * An IPI goes round. %gs:8: whom to send it to; %gs:16: the one who begins, when
 * all are there.
 */
#define ROUNDS "10"
GUEST64(ring, X2_ON "mov $" ROUNDS ", %r12d; xor %r13d, %r13d; lock incl 0x100000;"
	"cmpl $0, %gs:16; je 1f\n 4: pause; cmpl $64, 0x100000; jne 4b; jmp 3f\n"
	"1: inc %r13d\n 2: cli; cmp %r13d, %gs:0; jae 3f; sti; hlt; jmp 2b\n"
	"3: sti; mov $0x830, %ecx; mov $0x81, %eax; mov %gs:8, %edx; wrmsr;"
	"dec %r12d; jnz 1b" G_DONE);

TEST_F(apic, sixty_four_vcpus_pass_an_ipi_around)
{
	pthread_t t[LIMEN_MAX_VCPUS];
	struct vcpu *c;
	void *ret;
	u32 i;

	guest_copy(&self->vm, AP_CODE, ring, (u64)(ring_end - ring));
	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		c = i ? vm_vcpu(&self->vm, i) : self->c;
		vcpu_long(c, AP_CODE);
		vcpu_block(c)->value[0] = (i + 1) % LIMEN_MAX_VCPUS;
		vcpu_block(c)->value[1] = !i;
	}
	for (i = 0; i < LIMEN_MAX_VCPUS; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, vcpu_thread, &self->vm.cpu[i]));
	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		pthread_join(t[i], &ret);
		EXPECT_EQ(GUEST_DONE, (long)ret) TH_LOG("vCPU %u", i);
	}
	for (i = 1; i < LIMEN_MAX_VCPUS; i++)
		EXPECT_EQ(10, vcpu_block(&self->vm.cpu[i])->nr_events) TH_LOG("vCPU %u", i);
}

/* ---- messages from the VMM ---- */

GUEST64(take_3, X2_ON "out %al, $0x50; sti; nop; nop; nop; nop" G_DONE);

TEST_F(apic, pending_interrupts_come_by_priority)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(take_3));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE, 0x31));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE, 0x82));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE, 0x55));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE, 0x55));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(3, self->b->nr_events);
	EXPECT_EQ(0x82, self->b->event[0].vector);
	EXPECT_EQ(0x55, self->b->event[1].vector);
	EXPECT_EQ(0x31, self->b->event[2].vector);
}

GUEST64(tpr_block, X2_ON "mov $6, %eax; mov %rax, %cr8; sti; out %al, $0x50; nop;"
	"mov %gs:0, %eax" G_REPORT "xor %eax, %eax; mov %rax, %cr8; nop; nop" G_DONE);

TEST_F(apic, the_tpr_holds_lower_interrupts_back)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(tpr_block));
	ASSERT_EQ(1, msi(&self->vm, APIC_BASE, 0x65));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x65, self->b->event[0].vector);
}

/* Where the CPU keeps CR8, only a write that may let something in comes to us. */
GUEST64(tpr_moves, X2_ON "out %al, $0x50; mov $100, %ecx; 1: mov %rcx, %rax; and $15, %eax;"
	"mov %rax, %cr8; mov %cr8, %rbx; cmp %rax, %rbx; jne 2f; dec %ecx; jnz 1b;"
	"2: mov %ecx, %eax" G_REPORT G_DONE);

TEST_F(apic, cr8_moves_without_an_exit)
{
	u64 before;

	ASSERT_EQ(LIMEN_EXIT_IO, START(tpr_moves));
	before = vcpu_stat(self->c, "exit_cr");
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	EXPECT_EQ(before, vcpu_stat(self->c, "exit_cr"));
}

/* Raised and lowered over a waiting one: it comes at the first moment it can */
GUEST64(tpr_steps, X2_ON "mov $9, %eax; mov %rax, %cr8; sti; out %al, $0x50;"
	"mov $8, %ebx; 1: mov %rbx, %rax; mov %rax, %cr8; nop; nop; mov %gs:0, %eax" G_REPORT
	"dec %ebx; cmp $4, %ebx; jne 1b" G_DONE);

TEST_F(apic, the_first_tpr_below_lets_an_interrupt_in)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(tpr_steps));
	ASSERT_EQ(1, msi(&self->vm, APIC_BASE, 0x75));
	ASSERT_EQ(1, msi(&self->vm, APIC_BASE, 0x66));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(4, self->c->nr_reports);
	EXPECT_EQ(0, self->c->report[0]);	/* 8 */
	EXPECT_EQ(0, self->c->report[1]);	/* 7 */
	EXPECT_EQ(1, self->c->report[2]);	/* 6 */
	EXPECT_EQ(2, self->c->report[3]);	/* 5 */
	EXPECT_EQ(0x75, self->b->event[0].vector);
	EXPECT_EQ(0x66, self->b->event[1].vector);
}

/* In service without EOI: an equal class waits, a higher one interrupts. */
GUEST64(isr_hold, X2_ON "movl $0, %gs:4; sti; out %al, $0x50; nop; nop; mov %gs:0, %eax"
	G_REPORT WR(0x80b, 0) "nop;" WR(0x80b, 0) "nop; nop" G_DONE);

TEST_F(apic, an_interrupt_in_service_holds_its_class_back)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(isr_hold));
	msi(&self->vm, APIC_BASE, 0x61);
	msi(&self->vm, APIC_BASE, 0x72);
	msi(&self->vm, APIC_BASE, 0x71);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->c->report[0]);
	ASSERT_EQ(3, self->b->nr_events);
	EXPECT_EQ(0x72, self->b->event[0].vector);
	EXPECT_EQ(0x71, self->b->event[1].vector);
	EXPECT_EQ(0x61, self->b->event[2].vector);
}

TEST_F(apic, msi_counts_who_took_it)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct limen_apic a;

	/* vCPU 1 is software-disabled after RESET */
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE, 0x40));
	EXPECT_EQ(0, msi(&self->vm, APIC_BASE | 1 << 12, 0x40));
	EXPECT_EQ(0, msi(&self->vm, APIC_BASE | 7 << 12, 0x40));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE | 0xff << 12, 0x40));
	EXPECT_EQ(0, msi(&self->vm, APIC_BASE, 0x0f));		/* illegal vector */
	ASSERT_EQ(0, vcpu_get(ap, LIMEN_CLASS_APIC, &a, sizeof(a)));
	*(u32 *)(a.regs + 0xf0) |= 0x100;
	*(u32 *)(a.regs + 0xd0) = 0x02000000;
	ASSERT_EQ(0, vcpu_set(ap, LIMEN_CLASS_APIC, &a, sizeof(a)));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE | 1 << 12, 0x41));
	EXPECT_EQ(2, msi(&self->vm, APIC_BASE | 0xff << 12, 0x42));
	EXPECT_EQ(1, msi(&self->vm, APIC_BASE | 0x02 << 12 | 4, 0x43));	/* logical */
	EXPECT_EQ(0, msi(&self->vm, APIC_BASE | 0x04 << 12 | 4, 0x44));
	/* bits 63:40 extend the destination */
	EXPECT_EQ(0, msi(&self->vm, APIC_BASE | 1ull << 40 | 1 << 12, 0x45));
	ASSERT_EQ(0, vcpu_get(ap, LIMEN_CLASS_APIC, &a, sizeof(a)));
	EXPECT_EQ(0xe, *(u32 *)(a.regs + 0x220));	/* IRR 0x41 to 0x43 */
}

GUEST64(level, X2_ON "out %al, $0x50; sti; nop; nop" G_DONE);

TEST_F(apic, the_end_of_a_level_interrupt_is_an_exit)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(level));
	ASSERT_EQ(1, msi(&self->vm, APIC_BASE, 0xc041));
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(0x41, self->c->run->eoi.vector);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x41, self->b->event[0].vector);
	/* an edge says nothing */
	ASSERT_EQ(LIMEN_EXIT_IO, START(level));
	ASSERT_EQ(1, msi(&self->vm, APIC_BASE, 0x41));
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

static int extint(struct vm *vm, u32 level)
{
	struct limen_extint arg = { .size = sizeof(arg), .level = level };

	return try_ioctl(vm->fd, LIMEN_EXTINT, &arg);
}

GUEST64(pic, "out %al, $0x50; out %al, $0x51; sti; nop; nop; cli" G_DONE);

TEST_F(apic, the_8259s_wire_asks_for_its_vector)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(pic));
	ASSERT_EQ(0, extint(&self->vm, 1));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));	/* not with IF 0 */
	EXPECT_EQ(0x51, self->c->run->io.port);
	ASSERT_EQ(LIMEN_EXIT_INTA, vcpu_go(self->c));
	ASSERT_EQ(0, extint(&self->vm, 0));
	self->c->run->inta.vector = 0x38;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x38, self->b->event[0].vector);
}

TEST_F(apic, a_spurious_vector_from_the_8259_delivers_nothing)
{
	ASSERT_EQ(LIMEN_EXIT_IO, START(pic));
	ASSERT_EQ(0, extint(&self->vm, 1));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(LIMEN_EXIT_INTA, vcpu_go(self->c));
	ASSERT_EQ(0, extint(&self->vm, 0));
	self->c->run->inta.vector = 256;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->b->nr_events);
}

GUEST64(pic_hlt, "sti; hlt; cli" G_DONE);

TEST_F(apic, the_8259_wakes_from_hlt)
{
	guest_load(&self->vm, pic_hlt);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(0, extint(&self->vm, 1));
	ASSERT_EQ(LIMEN_EXIT_INTA, vcpu_go(self->c));
	ASSERT_EQ(0, extint(&self->vm, 0));
	self->c->run->inta.vector = 0x39;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
}

/* ---- HLT ---- */

GUEST64(halt, X2_ON "sti; hlt; cli" G_DONE);

TEST_F(apic, hlt_ends_with_an_interrupt)
{
	pthread_t t;

	pthread_create(&t, NULL, msi_later, &self->vm);
	EXPECT_EQ(GUEST_DONE, START(halt));
	pthread_join(t, NULL);
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x61, self->b->event[0].vector);
}

GUEST64(halt_cli, "cli; hlt" G_DONE);

TEST_F(apic, hlt_with_interrupts_off_ends_with_an_nmi_only)
{
	pthread_t t[2];

	pthread_create(&t[0], NULL, msi_later, &self->vm);
	pthread_create(&t[1], NULL, nmi_later, &self->vm);
	EXPECT_EQ(GUEST_DONE, START(halt_cli));
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(2, self->b->event[0].vector);
}

/* ---- state ---- */

TEST_F(apic, state_can_be_read_and_set_again)
{
	struct limen_apic a, b;

	ASSERT_EQ(LIMEN_EXIT_IO, START(take_3));
	msi(&self->vm, APIC_BASE, 0x93);
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_APIC, &a, sizeof(a)));
	EXPECT_EQ(APIC_BASE | 0xd00, a.base);
	EXPECT_EQ(1u << 19, *(u32 *)(a.regs + 0x240));	/* IRR */
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_APIC, &a, sizeof(a)));
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_APIC, &b, sizeof(b)));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	/* the exit that waited was discarded: OUT again */
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x93, self->b->event[0].vector);
}

TEST_F(apic, a_pending_interrupt_moves_to_another_vm)
{
	struct vm other;
	struct limen_apic a;

	ASSERT_EQ(LIMEN_EXIT_IO, START(take_3));
	msi(&self->vm, APIC_BASE, 0x94);
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_APIC, &a, sizeof(a)));
	vm_simple(&other);
	ASSERT_EQ(LIMEN_EXIT_IO, guest_start(&other.cpu[0], take_3, take_3_end));
	ASSERT_EQ(0, vcpu_set(&other.cpu[0], LIMEN_CLASS_APIC, &a, sizeof(a)));
	/* the exit that waited was discarded: OUT again */
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(&other.cpu[0]));
	ASSERT_EQ(GUEST_DONE, vcpu_go(&other.cpu[0]));
	ASSERT_EQ(1, vcpu_block(&other.cpu[0])->nr_events);
	EXPECT_EQ(0x94, vcpu_block(&other.cpu[0])->event[0].vector);
	vm_close(&other);
}

TEST_F(apic, bad_apic_states_give_einval)
{
	struct limen_apic good, a;

	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_APIC, &good, sizeof(good)));
	a = good;
	a.base = 0xfee00400;		/* EXTD without EN */
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_APIC, &a, sizeof(a)));
	a = good;
	a.base |= 1ull << 60;
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_APIC, &a, sizeof(a)));
	EXPECT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_APIC, &good, sizeof(good)));
}

TEST_HARNESS_MAIN
