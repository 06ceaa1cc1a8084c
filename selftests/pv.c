// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest and the module tell each other in the KVM-compatible interface:
 * each feature at work, hidden by CPUID, and with bad input.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "harness.h"

typedef int64_t s64;

#define PV_LEAF		0x40000001
#define PV_STEAL_TIME	5		/* bits of EAX there */
#define PV_EOI		6
#define PV_UNHALT	7

#define HC_KICK_CPU	5
#define HC_SEND_IPI	10
#define HC_SCHED_YIELD	11

#define MSR_STEAL_TIME	0x4b564d03
#define MSR_PV_EOI	0x4b564d04

#define PAGE_GPA	GUEST_DATA

struct steal_page {
	u64 steal;
	u32 version;
	u32 flags;
	u8 preempted;
};

FIXTURE(pv)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
	volatile struct steal_page *page;
};

FIXTURE_SETUP(pv)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
	self->page = (void *)(self->vm.mem + PAGE_GPA);
	/* the host can write it without a fault, as if the guest had cleared it */
	memset(self->vm.mem + PAGE_GPA, 0, 4096);
}

FIXTURE_TEARDOWN(pv)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int set_msr(struct vcpu *c, u32 index, u64 val)
{
	struct limen_msr m = { .index = index, .value = val };

	return vcpu_set(c, LIMEN_CLASS_MSRS, &m, sizeof(m));
}

static u64 get_msr(struct vcpu *c, u32 index)
{
	struct limen_msr m = { .index = index, .value = ~0ull };

	vcpu_get(c, LIMEN_CLASS_MSRS, &m, sizeof(m));
	return m.value;
}

/* ---- MSRs ---- */

/* %gs:8 MSR, %gs:16 value; %gs:24 what reads back */
GUEST64(wr_rd, "mov %gs:8, %ecx; mov %gs:16, %eax; mov %gs:20, %edx;" G_TRY("wrmsr")
	"xor %eax, %eax; xor %edx, %edx; mov %gs:8, %ecx;" G_TRY("rdmsr")
	"mov %eax, %gs:24; mov %edx, %gs:28" G_DONE);

static int wr_rd_of(struct vcpu *c, u32 msr, u64 val)
{
	vcpu_block(c)->value[0] = msr;
	vcpu_block(c)->value[1] = val;
	return guest_start(c, wr_rd, wr_rd_end);
}

static const struct {
	u32 msr;
	u32 bit;
	u64 good;
	u64 bad;
} msrs[] = {
	{ MSR_STEAL_TIME, PV_STEAL_TIME, PAGE_GPA | 1, PAGE_GPA | 0x21 },
	{ MSR_PV_EOI, PV_EOI, PAGE_GPA | 0x45, PAGE_GPA | 3 },
};

#define NR_MSRS (sizeof(msrs) / sizeof(msrs[0]))

TEST_F(pv, msrs_of_offered_features_hold_their_value)
{
	size_t i;

	for (i = 0; i < NR_MSRS; i++) {
		if (!offered(PV_LEAF, 0, (int)msrs[i].bit))
			continue;
		ASSERT_EQ(GUEST_DONE, wr_rd_of(self->c, msrs[i].msr, msrs[i].good));
		EXPECT_EQ(0, self->b->nr_events) TH_LOG("MSR %#x", msrs[i].msr);
		EXPECT_EQ(msrs[i].good, self->b->value[2]);
		EXPECT_EQ(msrs[i].good, get_msr(self->c, msrs[i].msr));
		/* one that is not aligned faults */
		ASSERT_EQ(GUEST_DONE, wr_rd_of(self->c, msrs[i].msr, msrs[i].bad));
		EXPECT_EQ(1, self->b->nr_events) TH_LOG("MSR %#x", msrs[i].msr);
		EXPECT_EQ(13, self->b->event[0].vector);
		EXPECT_EQ(msrs[i].good, self->b->value[2]);
	}
}

TEST_F(pv, msrs_of_hidden_features_give_gp)
{
	size_t i;

	vcpu_hide(self->c, PV_LEAF, 0, ~0u);
	for (i = 0; i < NR_MSRS; i++) {
		ASSERT_EQ(GUEST_DONE, wr_rd_of(self->c, msrs[i].msr, msrs[i].good));
		EXPECT_EQ(2, self->b->nr_events) TH_LOG("MSR %#x", msrs[i].msr);
		EXPECT_EQ(13, self->b->event[0].vector);
		EXPECT_EQ(0, get_msr(self->c, msrs[i].msr));
		EXPECT_EQ(EINVAL, set_msr(self->c, msrs[i].msr, msrs[i].good));
		EXPECT_EQ(0, set_msr(self->c, msrs[i].msr, 0));
	}
}

TEST_F(pv, msrs_are_state_and_init_clears_them)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct limen_msi init = { .size = sizeof(init), .addr = APIC_BASE | 1 << 12,
				  .data = 5 << 8 };
	size_t i;

	for (i = 0; i < NR_MSRS; i++) {
		if (!offered(PV_LEAF, 0, (int)msrs[i].bit))
			continue;
		EXPECT_EQ(EINVAL, set_msr(ap, msrs[i].msr, msrs[i].bad));
		EXPECT_EQ(0, set_msr(ap, msrs[i].msr, msrs[i].good));
		EXPECT_EQ(msrs[i].good, get_msr(ap, msrs[i].msr));
	}
	EXPECT_EQ(1, ioctl(self->vm.fd, LIMEN_MSI, &init));
	ASSERT_EQ(0, try_ioctl(ap->fd, LIMEN_KICK, NULL));
	EXPECT_EQ(LIMEN_EXIT_KICKED, vcpu_run(ap));
	for (i = 0; i < NR_MSRS; i++)
		EXPECT_EQ(0, get_msr(ap, msrs[i].msr)) TH_LOG("MSR %#x", msrs[i].msr);
}

/* Many exits to user space and host interrupts; then R12D interrupts of its own */
GUEST64(busy, "mov $1000, %r12d\n 1: out %al, $0x10; dec %r12d; jnz 1b;"
	"mov $2000000, %ecx\n 2: dec %ecx; jnz 2b" G_DONE);

TEST_F(pv, pages_that_can_not_be_written_do_no_harm)
{
	const u64 bad[] = { 0x800000, 0x900000, GUEST_MEM, GUEST_MEM - 64, 0xfee00000,
			    1ull << 38, 0x7fffffffffffffc0ull };
	u8 *ro = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u8 *rx = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i, j;

	ASSERT_NE(MAP_FAILED, (void *)ro);
	ASSERT_NE(MAP_FAILED, (void *)rx);
	ASSERT_EQ(0, vm_map(&self->vm, 0x800000, ro, 4096, LIMEN_MEM_READ));
	ASSERT_EQ(0, vm_map(&self->vm, 0x900000, rx, 4096, LIMEN_MEM_READ | LIMEN_MEM_WRITE));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (j = 0; j < NR_MSRS; j++)
			if (offered(PV_LEAF, 0, (int)msrs[j].bit))
				ASSERT_EQ(0, set_msr(self->c, msrs[j].msr, bad[i] | 1));
		ASSERT_EQ(GUEST_DONE, START(busy)) TH_LOG("page at %#llx",
							  (unsigned long long)bad[i]);
	}
	for (i = 0; i < 8192; i++)
		ASSERT_EQ(0, ro[i]);
	munmap(ro, 8192);
	munmap(rx, 4096);
}

/* ---- steal time ---- */

static volatile bool stop;

static void *spin_on_0(void *arg)
{
	pin(0);
	while (!stop)
		;
	return arg;
}

GUEST64(until_steal, "mov 0x100010, %al; and $0xff, %eax" G_REPORT
	"1: pause; cmpl $0, 0x100000; je 1b" G_DONE);

TEST_F(pv, steal_time_grows_while_another_thread_has_the_cpu)
{
	pthread_t t;

	if (!offered(PV_LEAF, 0, PV_STEAL_TIME))
		SKIP(return, "the kernel does not count run delay");
	memset((void *)self->page, 0, 64);
	ASSERT_EQ(0, set_msr(self->c, MSR_STEAL_TIME, PAGE_GPA | 1));
	stop = false;
	pthread_create(&t, NULL, spin_on_0, NULL);
	pin(0);
	EXPECT_EQ(GUEST_DONE, START(until_steal));
	stop = true;
	pthread_join(t, NULL);
	EXPECT_LT(0, self->page->steal);
	EXPECT_LT(self->page->steal, 60000000000ull);
	EXPECT_LT(0, self->page->version);
	EXPECT_EQ(0, self->page->version & 1);
	EXPECT_EQ(0, self->page->flags);
	/* it ran when it looked, and does not now */
	EXPECT_EQ(0, self->c->report[0]);
	EXPECT_EQ(1, self->page->preempted);
}

TEST_F(pv, a_steal_page_that_is_unmapped_is_not_written)
{
	u64 len = GUEST_MEM - PAGE_GPA;

	if (!offered(PV_LEAF, 0, PV_STEAL_TIME))
		SKIP(return, "the kernel does not count run delay");
	ASSERT_EQ(0, vm_unmap(&self->vm, 0, GUEST_MEM));
	ASSERT_EQ(0, vm_map(&self->vm, 0, self->vm.mem, PAGE_GPA, 7));
	ASSERT_EQ(0, vm_map(&self->vm, PAGE_GPA, self->vm.mem + PAGE_GPA, len, 7));
	ASSERT_EQ(0, set_msr(self->c, MSR_STEAL_TIME, PAGE_GPA | 1));
	ASSERT_EQ(GUEST_DONE, START(busy));
	EXPECT_EQ(1, self->page->preempted);
	ASSERT_EQ(0, vm_unmap(&self->vm, PAGE_GPA, len));
	memset((void *)self->page, 0, 64);
	ASSERT_EQ(GUEST_DONE, START(busy));
	EXPECT_EQ(0, self->page->preempted);
	EXPECT_EQ(0, self->page->version);
}

/* ---- hypercalls ---- */

/* %gs:8 is VMX, %gs:16 number, %gs:24 to %gs:48 arguments; %gs:56 result */
#define HYPERCALL "mov %gs:16, %rax; mov %gs:24, %rbx; mov %gs:32, %rcx;"	\
	"mov %gs:40, %rdx; mov %gs:48, %rsi; cmpl $0, %gs:8; jne 551f;"		\
	"vmmcall; jmp 552f\n 551: vmcall\n 552: mov %rax, %gs:56\n"

GUEST64(hypercall, HYPERCALL G_DONE);

static s64 call4(struct vcpu *c, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	u64 *v = vcpu_block(c)->value;

	v[0] = is_vmx();
	v[1] = nr;
	v[2] = a0;
	v[3] = a1;
	v[4] = a2;
	v[5] = a3;
	if (guest_start(c, hypercall, hypercall_end) != GUEST_DONE)
		return 1 << 20;
	return (s64)v[6];
}

TEST_F(pv, hidden_hypercalls_give_enosys)
{
	static const int calls[] = { HC_KICK_CPU, HC_SEND_IPI, HC_SCHED_YIELD };
	size_t i;

	vcpu_hide(self->c, PV_LEAF, 0, ~0u);
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		EXPECT_EQ(-1000, call4(self->c, calls[i], 1, 0, 0, 0x40));
}

#define AP_CODE	0x20000
GUEST64(hlt_cli, "cli; hlt" G_DONE);

static u8 mp_state(struct vcpu *c, u8 *unhalted)
{
	struct limen_events ev;

	if (vcpu_get(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)))
		return 0xff;
	*unhalted = ev.unhalted;
	return ev.mp_state;
}

TEST_F(pv, a_kick_ends_a_hlt_with_interrupts_off)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct timespec ms20 = { .tv_nsec = 20000000 };
	pthread_t t;
	void *ret;

	guest_copy(&self->vm, AP_CODE, hlt_cli, (u64)(hlt_cli_end - hlt_cli));
	vcpu_long(ap, AP_CODE);
	pthread_create(&t, NULL, vcpu_thread, ap);
	nanosleep(&ms20, NULL);
	EXPECT_EQ(0, call4(self->c, HC_KICK_CPU, 0, 1, 0, 0));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
}

TEST_F(pv, a_kick_before_the_hlt_counts_once_and_is_state)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	struct limen_events ev;
	u8 unhalted;

	guest_copy(&self->vm, AP_CODE, hlt_cli, (u64)(hlt_cli_end - hlt_cli));
	vcpu_long(ap, AP_CODE);
	EXPECT_EQ(0, mp_state(ap, &unhalted));
	EXPECT_EQ(0, unhalted);
	EXPECT_EQ(0, call4(self->c, HC_KICK_CPU, 0, 1, 0, 0));
	EXPECT_EQ(0, mp_state(ap, &unhalted));
	EXPECT_EQ(1, unhalted);
	EXPECT_EQ(GUEST_DONE, vcpu_go(ap));
	EXPECT_EQ(0, mp_state(ap, &unhalted));
	EXPECT_EQ(0, unhalted);
	/* it comes and goes with the state */
	vcpu_long(ap, AP_CODE);
	ASSERT_EQ(0, vcpu_get(ap, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	ev.unhalted = 1;
	ASSERT_EQ(0, vcpu_set(ap, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)));
	EXPECT_EQ(GUEST_DONE, vcpu_go(ap));
	/* without one it sleeps */
	vcpu_long(ap, AP_CODE);
	ASSERT_EQ(0, try_ioctl(ap->fd, LIMEN_KICK, NULL));
	EXPECT_EQ(LIMEN_EXIT_KICKED, vcpu_go(ap));
	EXPECT_EQ(0, call4(self->c, HC_KICK_CPU, 0, 77, 0, 0));
}

#define WAIT_1	"\n661: cli; cmpl $1, %gs:0; jae 662f; sti; hlt; jmp 661b\n662: sti\n"

GUEST64(wait_irq, X2_ON "movl $1, %gs:8;" WAIT_1 G_DONE);

TEST_F(pv, one_hypercall_interrupts_many_vcpus)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	volatile u64 *ready;
	pthread_t t[4];
	struct vcpu *c;
	void *ret;
	u32 i;
	int n;

	guest_copy(&self->vm, AP_CODE, wait_irq, (u64)(wait_irq_end - wait_irq));
	for (i = 1; i < 4; i++) {
		c = vm_vcpu(&self->vm, i);
		vcpu_long(c, AP_CODE);
		pthread_create(&t[i], NULL, vcpu_thread, c);
		ready = &vcpu_block(c)->value[0];
		for (n = 0; n < 5000 && !*ready; n++)
			nanosleep(&ms, NULL);
	}
	/* ids 1 to 3, and some that are not there */
	EXPECT_EQ(3, call4(self->c, HC_SEND_IPI, ~0ull, ~0ull, 1, 0x81));
	for (i = 1; i < 4; i++) {
		pthread_join(t[i], &ret);
		EXPECT_EQ(GUEST_DONE, (long)ret);
		EXPECT_EQ(0x81, vcpu_block(&self->vm.cpu[i])->event[0].vector);
	}
	EXPECT_EQ(-22, call4(self->c, HC_SEND_IPI, 1, 0, 0, 0x40081));
	EXPECT_EQ(0, call4(self->c, HC_SEND_IPI, ~0ull, ~0ull, 64, 0x81));
	EXPECT_EQ(0, call4(self->c, HC_SEND_IPI, ~0ull, ~0ull, ~0ull, 0x81));
}

/* ---- end of interrupt ---- */

#define FLAG_GPA (GUEST_DATA + 0x40)
#define CLEAR_FLAG "xor %eax, %eax; lock btrl $0, 0x100040; setc %al;"

/* interrupts come at each OUT; the handler does not end them */
GUEST64(eoi_edge, X2_ON "movl $0, %gs:4; sti; out %al, $0x50; nop;" CLEAR_FLAG G_REPORT
	"out %al, $0x51; nop;" CLEAR_FLAG G_REPORT "out %al, $0x52; nop" G_DONE);
GUEST64(eoi_keep, X2_ON "movl $0, %gs:4; sti; out %al, $0x50; nop; mov 0x100040, %eax" G_REPORT
	"out %al, $0x51; mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr;"
	"nop; mov 0x100040, %eax" G_REPORT "mov $0x80b, %ecx; xor %eax, %eax; wrmsr" G_DONE);

static bool in_service(struct vcpu *c, u8 vector)
{
	struct limen_apic a;

	if (vcpu_get(c, LIMEN_CLASS_APIC, &a, sizeof(a)))
		return false;
	return *(u32 *)(a.regs + 0x100 + vector / 32 * 16) >> vector % 32 & 1;
}

static void msi(struct vm *vm, u32 data)
{
	struct limen_msi arg = { .size = sizeof(arg), .addr = APIC_BASE, .data = data };

	ioctl(vm->fd, LIMEN_MSI, &arg);
}

TEST_F(pv, an_edge_interrupt_ends_without_an_exit)
{
	if (cap_used(self->vm.dev, "apic-virtualization"))
		SKIP(return, "the CPU ends interrupts without an exit anyway");

	ASSERT_EQ(0, set_msr(self->c, MSR_PV_EOI, FLAG_GPA | 1));
	ASSERT_EQ(LIMEN_EXIT_IO, START(eoi_edge));
	msi(&self->vm, 0x61);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, self->c->report[0]);
	EXPECT_FALSE(in_service(self->c, 0x61));
	msi(&self->vm, 0x61);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, self->c->report[1]);
	EXPECT_EQ(2, self->b->nr_events);
	EXPECT_FALSE(in_service(self->c, 0x61));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(2, vcpu_stat(self->c, "pv_eois"));
	EXPECT_EQ(2, vcpu_stat(self->c, "exit_wrmsr"));	/* those of X2_ON */
}

TEST_F(pv, an_eoi_that_was_not_taken_is_taken_back)
{
	if (cap_used(self->vm.dev, "apic-virtualization"))
		SKIP(return, "the CPU ends interrupts without an exit anyway");

	volatile u8 *flag = self->vm.mem + FLAG_GPA;

	ASSERT_EQ(0, set_msr(self->c, MSR_PV_EOI, FLAG_GPA | 1));
	ASSERT_EQ(LIMEN_EXIT_IO, START(eoi_keep));
	EXPECT_EQ(0, *flag);
	msi(&self->vm, 0x61);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, self->c->report[0]);
	EXPECT_EQ(0, *flag);
	EXPECT_TRUE(in_service(self->c, 0x61));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_FALSE(in_service(self->c, 0x61));
	EXPECT_EQ(0, self->c->report[1]);
	EXPECT_EQ(0, vcpu_stat(self->c, "pv_eois"));
}

TEST_F(pv, a_level_interrupt_is_ended_by_an_exit)
{
	ASSERT_EQ(0, set_msr(self->c, MSR_PV_EOI, FLAG_GPA | 1));
	ASSERT_EQ(LIMEN_EXIT_IO, START(eoi_keep));
	msi(&self->vm, 0xc061);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(0x61, self->c->run->eoi.vector);
}

TEST_F(pv, an_interrupt_that_holds_another_back_is_ended_by_an_exit)
{
	if (cap_used(self->vm.dev, "apic-virtualization"))
		SKIP(return, "the CPU ends interrupts without an exit anyway");

	ASSERT_EQ(0, set_msr(self->c, MSR_PV_EOI, FLAG_GPA | 1));
	ASSERT_EQ(LIMEN_EXIT_IO, START(eoi_keep));
	msi(&self->vm, 0x61);
	msi(&self->vm, 0x31);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	EXPECT_EQ(1, self->b->nr_events);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->c->report[1]);	/* 0x31 is alone now */
	EXPECT_EQ(2, self->b->nr_events);
}

TEST_F(pv, without_the_flags_page_interrupts_end_by_an_exit)
{
	ASSERT_EQ(0, set_msr(self->c, MSR_PV_EOI, 0x800041));
	ASSERT_EQ(LIMEN_EXIT_IO, START(eoi_keep));
	msi(&self->vm, 0x61);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_FALSE(in_service(self->c, 0x61));
}

/* ---- halt ---- */

static int halt_poll(struct vm *vm, u32 ns)
{
	struct limen_halt_poll arg = { .size = sizeof(arg), .max_ns = ns };

	return try_ioctl(vm->fd, LIMEN_HALT_POLL, &arg);
}

/* %gs:8 halts, each until a timer of %gs:16 ns, which only the next one starts again */
GUEST64(halts, X2_ON "mov $0x83e, %ecx; mov $0xb, %eax; wrmsr;"
	"mov $0x832, %ecx; mov $0x50, %eax; wrmsr; mov %gs:8, %r12d\n"
	"1: mov %gs:0, %r13d; mov $0x838, %ecx; mov %gs:16, %eax; wrmsr\n"
	"2: cli; cmp %r13d, %gs:0; jne 3f; sti; hlt; jmp 2b\n 3: dec %r12d; jnz 1b" G_DONE);

static int halts_of(struct vcpu *c, u32 n, u32 ns)
{
	vcpu_block(c)->value[0] = n;
	vcpu_block(c)->value[1] = ns;
	return guest_start(c, halts, halts_end);
}

TEST_F(pv, a_halted_vcpu_polls_for_what_comes_soon)
{
	ASSERT_EQ(0, halt_poll(&self->vm, LIMEN_MAX_HALT_POLL));
	ASSERT_EQ(GUEST_DONE, halts_of(self->c, 200, 300000));
	if (!vcpu_stat(self->c, "halt_polls_hit") &&
	    !access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP(return, "a debug kernel: too slow for what comes soon");
	EXPECT_LT(0, vcpu_stat(self->c, "halt_polls_hit"));
	EXPECT_NE(~0ull, vcpu_stat(self->c, "halt_polls_missed"));
}

TEST_F(pv, polling_can_be_switched_off)
{
	EXPECT_EQ(EINVAL, halt_poll(&self->vm, LIMEN_MAX_HALT_POLL + 1));
	ASSERT_EQ(0, halt_poll(&self->vm, 0));
	ASSERT_EQ(GUEST_DONE, halts_of(self->c, 20, 20000000));
	EXPECT_EQ(0, vcpu_stat(self->c, "halt_polls_hit"));
	EXPECT_EQ(0, vcpu_stat(self->c, "halt_polls_missed"));
	EXPECT_LT(0, vcpu_stat(self->c, "halt_ns"));
}

/* With a thread that always wants the CPU, polling may not last. */
TEST_F(pv, polling_leaves_the_cpu_to_others)
{
	pthread_t t;

	ASSERT_EQ(0, halt_poll(&self->vm, LIMEN_MAX_HALT_POLL));
	stop = false;
	pthread_create(&t, NULL, spin_on_0, NULL);
	pin(0);
	EXPECT_EQ(GUEST_DONE, halts_of(self->c, 200, 300000));
	stop = true;
	pthread_join(t, NULL);
	EXPECT_LT(vcpu_stat(self->c, "halt_polls_hit"), 50);
}

/* ---- yielding ---- */

static void *go_on_0(void *arg)
{
	pin(0);
	return vcpu_thread(arg);
}

static bool has_cap(struct vm *vm, const char *name)
{
	struct limen_cap cap = { .size = sizeof(cap) };

	for (; !try_ioctl(vm->dev, LIMEN_CAP, &cap); cap.index++)
		if (!strcmp(cap.name, name))
			return cap.state == LIMEN_CAP_USED;
	return false;
}

GUEST64(spin_for_flag, "movl $1, %gs:8\n 1: cmpl $0, 0x100000; je 1b" G_DONE);
GUEST64(yields, "mov $200, %r12d\n 1:" HYPERCALL "mov $20000, %ecx\n 2: dec %ecx; jnz 2b;"
	"dec %r12d; jnz 1b; movl $1, 0x100000" G_DONE);

TEST_F(pv, a_yield_gives_the_cpu_to_the_vcpu_that_it_names)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	volatile u64 *ready = &vcpu_block(ap)->value[0];
	struct timespec ms = { .tv_nsec = 1000000 };
	pthread_t t;
	void *ret;
	int i;

	guest_copy(&self->vm, AP_CODE, spin_for_flag,
		   (u64)(spin_for_flag_end - spin_for_flag));
	vcpu_long(ap, AP_CODE);
	pthread_create(&t, NULL, go_on_0, ap);
	pin(0);
	for (i = 0; i < 5000 && !*ready; i++)
		nanosleep(&ms, NULL);
	self->b->value[0] = is_vmx();
	self->b->value[1] = HC_SCHED_YIELD;
	self->b->value[2] = 1;
	EXPECT_EQ(GUEST_DONE, START(yields));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	EXPECT_EQ(0, self->b->value[6]);
	EXPECT_LT(0, vcpu_stat(self->c, "yields"));
	EXPECT_EQ(0, vcpu_stat(ap, "yields"));
	/* to nobody, to itself, to one that does not run */
	EXPECT_EQ(0, call4(self->c, HC_SCHED_YIELD, 77, 0, 0, 0));
	EXPECT_EQ(0, call4(self->c, HC_SCHED_YIELD, 0, 0, 0, 0));
	EXPECT_EQ(0, call4(self->c, HC_SCHED_YIELD, 1, 0, 0, 0));
}

GUEST64(pause_for_flag, "1: pause; cmpl $0, 0x100000; je 1b" G_DONE);
GUEST64(flag_later, "mov $3000000, %ecx\n 1: dec %ecx; jnz 1b; movl $1, 0x100000" G_DONE);

TEST_F(pv, a_loop_of_pause_yields)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	pthread_t t;
	void *ret;

	if (!has_cap(&self->vm, is_vmx() ? "pause-loop-exiting" : "pause-filter"))
		SKIP(return, "the CPU does not count PAUSEs");
	guest_copy(&self->vm, AP_CODE, flag_later, (u64)(flag_later_end - flag_later));
	vcpu_long(ap, AP_CODE);
	pthread_create(&t, NULL, go_on_0, ap);
	pin(0);
	EXPECT_EQ(GUEST_DONE, START(pause_for_flag));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	EXPECT_LT(0, vcpu_stat(self->c, "exit_pause"));
	EXPECT_LT(0, vcpu_stat(self->c, "yields"));
}

TEST_HARNESS_MAIN
