// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a review found: calls and guests that harmed the host or the guest. Each
 * test fails, or ends the machine, without the fix that came with it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "guest.h"
#include "harness.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

FIXTURE(hostile)
{
	struct vm vm;
};

FIXTURE_SETUP(hostile)
{
	NEED_DEVICE();
}

FIXTURE_TEARDOWN(hostile)
{
	if (self->vm.dev)
		vm_close(&self->vm);
}

static int go(struct vm *vm, const u8 *code, const u8 *end)
{
	guest_copy(vm, GUEST_CODE, code, (u64)(end - code));
	vcpu_long(&vm->cpu[0], GUEST_CODE);
	return vcpu_go(&vm->cpu[0]);
}

/* Finish what waits, so that state can be set */
static int stop(struct vcpu *c)
{
	int ret;

	c->run->flags = LIMEN_RUN_STOP;
	ret = vcpu_run(c);
	c->run->flags = 0;
	return ret;
}

GUEST64(read_then_write,
	"mov 0x100000, %eax\n"
	G_REPORT
	"movl $0x5eed, 0x100000\n"
	G_DONE);

/* A page that the guest has written is dirty, however it came to be writable */
TEST_F(hostile, reclaim_keeps_what_the_guest_wrote)
{
	struct vm *vm = &self->vm;
	volatile u32 *page;

	vm_simple(vm);
	page = (volatile u32 *)(vm->mem + GUEST_DATA);
	*page = 1;
	ASSERT_EQ(0, madvise((void *)page, 4096, MADV_FREE));
	ASSERT_EQ(GUEST_DONE, go(vm, read_then_write, read_then_write_end));
	ASSERT_EQ(0, madvise((void *)page, 4096, MADV_PAGEOUT));
	ASSERT_EQ(0x5eed, *page);
}

GUEST16(count_ints,
	"xor %bx, %bx\n"
	"int $0x80\n"
	"mov %bx, %ax\n"
	"out %ax, $0x10\n"
	"out %al, $0x11\n"
	"hlt\n"
	".org count_ints + 0x80\n"
	"inc %bx\n"
	"iret\n");

/*
 * The CPU's first look at the vector, and its first push, are second-level faults
 * in the middle of the interrupt's delivery.
 */
TEST_F(hostile, interrupted_int_is_run_once)
{
	struct vm *vm = &self->vm;
	struct vcpu *c = vm_simple(vm);
	u32 vector = (GUEST_CODE >> 4) << 16 | 0x80;

	guest_copy(vm, GUEST_CODE, count_ints, (u64)(count_ints_end - count_ints));
	guest_copy(vm, 4 * 0x80, &vector, sizeof(vector));
	vcpu_real(c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	ASSERT_EQ(1, c->nr_reports);
	ASSERT_EQ(1, c->report[0]);
}

GUEST16(int3_once,
	"xor %bx, %bx\n"
	"int3\n"
	"mov %bx, %ax\n"
	"out %ax, $0x10\n"
	"out %al, $0x11\n"
	"hlt\n"
	".org int3_once + 0x80\n"
	"inc %bx\n"
	"iret\n");

TEST_F(hostile, interrupted_int3_is_run_once)
{
	struct vm *vm = &self->vm;
	struct vcpu *c = vm_simple(vm);
	u32 vector = (GUEST_CODE >> 4) << 16 | 0x80;

	guest_copy(vm, GUEST_CODE, int3_once, (u64)(int3_once_end - int3_once));
	guest_copy(vm, 4 * 3, &vector, sizeof(vector));
	vcpu_real(c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	ASSERT_EQ(1, c->report[0]);
}

/* A software interrupt that a VMM puts in, as a snapshot of one in delivery is */
TEST_F(hostile, restored_software_interrupt_is_delivered_once)
{
	struct vm *vm = &self->vm;
	struct vcpu *c = vm_simple(vm);
	u32 vector = (GUEST_CODE >> 4) << 16 | 0x80;
	struct limen_events ev = {
		.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_SOFTINT << 8 | 0x80,
		.insn_len = 2,
	};

	guest_copy(vm, GUEST_CODE, count_ints, (u64)(count_ints_end - count_ints));
	guest_copy(vm, 4 * 0x80, &vector, sizeof(vector));
	/* behind "xor %bx, %bx", at the INT that is being delivered */
	vcpu_real(c, GUEST_CODE + 2);
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	ASSERT_EQ(1, c->report[0] & 0xffff);
}

GUEST64(take_nmis,
	"sti\n nop\n"
	"out %al, $0x11\n"
	"nop\n nop\n"
	"pushf\n"
	"pop %rax\n"
	G_REPORT
	"out %al, $0x11\n"
	"nop\n nop\n"
	"pushf\n"
	"pop %rax\n"
	G_REPORT
	G_DONE);

/*
 * Where the CPU has no virtual NMIs the module steps over what holds one back.
 * Nothing of that may be left in the guest: no trap, no TF in any frame.
 */
TEST_F(hostile, held_nmi_leaves_no_single_step)
{
	struct vm *vm = &self->vm;
	struct vcpu *c = vm_simple(vm);
	struct guest_block *b = vcpu_block(c);
	struct limen_events ev = { .nmi_pending = 1 };
	struct limen_regs regs;
	u32 i;

	guest_copy(vm, GUEST_CODE, take_nmis, (u64)(take_nmis_end - take_nmis));
	vcpu_long(c, GUEST_CODE);
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	ASSERT_EQ(1, b->nr_events);
	/* one that an interrupt shadow holds back */
	ASSERT_EQ(LIMEN_EXIT_CONSISTENT, stop(c));
	ev.shadow = LIMEN_SHADOW_MOV_SS;
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	EXPECT_EQ(2, b->nr_events);
	/* one that an interrupt in delivery goes before: that has found IF set */
	ASSERT_EQ(LIMEN_EXIT_CONSISTENT, stop(c));
	regs = vcpu_regs(c);
	regs.rflags |= 0x200;
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_REGS, &regs, sizeof(regs)));
	ev.shadow = 0;
	ev.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | 0x50;
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	/* no CPU delivers an interrupt with IF clear, and VMX checks that */
	ASSERT_EQ(0, vcpu_get(c, LIMEN_CLASS_REGS, &regs, sizeof(regs)));
	regs.rflags |= 0x200;
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_REGS, &regs, sizeof(regs)));
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	EXPECT_EQ(4, b->nr_events);
	for (i = 0; i < b->nr_events; i++) {
		EXPECT_NE(1, b->event[i].vector);
		EXPECT_EQ(0, b->event[i].rflags & 0x100);
	}
	for (i = 0; i < c->nr_reports; i++)
		EXPECT_EQ(0, c->report[i] & 0x100);
}

GUEST64(write_aux,
	"mov $0xc0000103, %ecx\n"
	"xor %edx, %edx\n"
	"mov $77, %eax\n"
	"wrmsr\n"
	"rdtscp\n"
	"mov %ecx, %eax\n"
	G_REPORT
	G_DONE);

TEST_F(hostile, tsc_aux_counts_at_once)
{
	struct vcpu *c = vm_simple(&self->vm);

	if (!offered(0x80000001, 3, 27))
		SKIP(return, "no RDTSCP");
	ASSERT_EQ(GUEST_DONE, go(&self->vm, write_aux, write_aux_end));
	ASSERT_EQ(77, c->report[0]);
}

GUEST64(spin,
	"1: pause\n"
	"jmp 1b\n");

static void count_signal(int sig)
{
	(void)sig;
}

/*
 * Signals from a process that has just taken the CPU from the vCPU's thread: they
 * arrive in the middle of the kernel's work before an entry.
 */
TEST_F(hostile, signals_come_at_any_time)
{
	struct sigaction sa = { .sa_handler = count_signal };
	struct vcpu *c = vm_simple(&self->vm);
	u32 i, interrupted = 0;
	pid_t child;

	guest_copy(&self->vm, GUEST_CODE, spin, (u64)(spin_end - spin));
	vcpu_long(c, GUEST_CODE);
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	child = fork();
	if (!child)
		for (;;)
			kill(getppid(), SIGUSR1);
	for (i = 0; i < 50; i++)
		interrupted += vcpu_run(c) == -EINTR;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ASSERT_EQ(50, interrupted);
}

GUEST64(all_of_xcr0,
	"mov %cr4, %rax\n"
	"or $0x40000, %eax\n"
	"mov %rax, %cr4\n"
	"xor %ecx, %ecx\n"
	"mov $-1, %eax\n"
	"mov %eax, %edx\n"
	G_TRY("xsetbv")
	G_DONE);

/* XCR0 is loaded by the host's kernel, where a fault would be its end */
TEST_F(hostile, xcr0_is_what_the_cpu_has)
{
	struct limen_cpuid_entry table[] = {
		{ .leaf = 0, .eax = 0xd },
		{ .leaf = 1, .ecx = ~0u, .edx = ~0u },
		{ .leaf = 0xd, .eax = ~0u, .edx = ~0u },
		{ .leaf = 0x80000001, .ecx = ~0u, .edx = ~0u },
	};
	struct limen_cpuid arg = {
		.size = sizeof(arg), .count = 4, .entries = (u64)table,
	};
	struct vm *vm = &self->vm;
	struct vcpu *c = vm_simple(vm);
	struct limen_sregs s;

	ASSERT_EQ(0, try_ioctl(c->fd, LIMEN_CPUID_SET, &arg));
	s = vcpu_sregs(c);
	s.xcr0 = ~0ull >> 1;
	ASSERT_EQ(EINVAL, vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	s.xcr0 = 0x2e7;		/* PKRU; with it or without, the CPU refuses more */
	ASSERT_EQ(EINVAL, vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	ASSERT_EQ(GUEST_DONE, go(vm, all_of_xcr0, all_of_xcr0_end));
	ASSERT_EQ(1, vcpu_block(c)->nr_events);
	ASSERT_EQ(13, vcpu_block(c)->event[0].vector);
}

/* DAZ: a bit of MXCSR that not every CPU has, but all we run on */
TEST_F(hostile, a_guest_with_daz_can_be_restored)
{
	struct vcpu *c = vm_simple(&self->vm);
	struct limen_info info = { .size = sizeof(info) };
	u8 *image;

	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	image = calloc(1, info.xsave_size);
	ASSERT_EQ(0, vcpu_get(c, LIMEN_CLASS_XSAVE, image, info.xsave_size));
	*(u32 *)(image + 24) = 0x1fc0;
	ASSERT_EQ(0, vcpu_set(c, LIMEN_CLASS_XSAVE, image, info.xsave_size));
	*(u32 *)(image + 24) = 0x80001f80;
	ASSERT_EQ(EINVAL, vcpu_set(c, LIMEN_CLASS_XSAVE, image, info.xsave_size));
	free(image);
}

TEST_HARNESS_MAIN
