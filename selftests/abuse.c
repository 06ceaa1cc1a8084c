// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that misbehave. Each one ends with a documented exit or dies with its
 * process within a second; what the host's log says is lab/run's to check.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

FIXTURE(abuse)
{
	u64 seed;
};

FIXTURE_SETUP(abuse)
{
	NEED_DEVICE();
	self->seed = 0x11ce5eed;
}

FIXTURE_TEARDOWN(abuse)
{
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* From now on signals come every @us microseconds and interrupt LIMEN_RUN. */
static void alarm_every(long us)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, us }, { 0, us } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/*
 * A process that does nothing but run this guest, whatever it does. Returns the
 * milliseconds that it took to die; the last exit is left in @last.
 */
static long kill_time(void (*prepare)(struct vcpu *), int *last)
{
	int p[2], ret, status;
	u64 start;
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		struct vm vm;
		struct vcpu *c = vm_simple(&vm);
		int old = -1;

		prepare(c);
		for (;;) {
			c->run->complete = LIMEN_DISCARD;
			ret = ioctl(c->fd, LIMEN_RUN, 0) < 0 ? -errno : (int)c->run->exit;
			if (ret != old && write(p[1], &ret, sizeof(ret)) < 0)
				_exit(1);
			old = ret;
		}
	}
	close(p[1]);
	sleep_ms(300);
	start = now_ms();
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return -1;
	start = now_ms() - start;
	*last = 0;
	while (read(p[0], last, sizeof(*last)) == sizeof(*last))
		;
	close(p[0]);
	return start;
}

#define KILLED_SOON(prepare, want)					\
	do {								\
		int last_ = 0;						\
		long ms_ = kill_time(prepare, &last_);			\
									\
		EXPECT_LE(0, ms_);					\
		EXPECT_GE(1000, ms_);					\
		EXPECT_EQ(want, last_);					\
		TH_LOG("killed in %ld ms", ms_);			\
	} while (0)

/* ---- loops ---- */

GUEST64(jmp_self, "cli\n1: jmp 1b\n");

static void prepare_jmp(struct vcpu *c)
{
	guest_load(c->vm, jmp_self);
	vcpu_long(c, GUEST_CODE);
}

TEST_F(abuse, a_guest_that_spins_with_interrupts_off_dies)
{
	KILLED_SOON(prepare_jmp, 0);
}

GUEST64(hlt_cli, "cli\n1: hlt; jmp 1b\n");

static void prepare_hlt(struct vcpu *c)
{
	guest_load(c->vm, hlt_cli);
	vcpu_long(c, GUEST_CODE);
}

TEST_F(abuse, a_guest_that_halts_for_ever_dies)
{
	KILLED_SOON(prepare_hlt, 0);
}

/* #PF whose handler can't be fetched, on a stack that starts anew each time */
static void prepare_pf(struct vcpu *c)
{
	u16 *gate;

	guest_load(c->vm, jmp_self);
	vcpu_long(c, 0x5000000000ull);
	gate = (u16 *)(c->vm->mem + GUEST_IDT + 14 * 16);
	gate[0] = 0x1000;
	gate[2] = 0x8e01;		/* IST 1 */
	gate[3] = 0;
	gate[4] = 0x60;
	*(u64 *)(c->vm->mem + GUEST_TSS + 0x24) = GUEST_STACKS;
}

TEST_F(abuse, an_endless_page_fault_loop_dies)
{
	KILLED_SOON(prepare_pf, 0);
}

/* The #DB loop of CVE-2015-8104: a breakpoint on the stack that delivery uses. */
GUEST64(db_loop, "mov $0x7ff00, %esp; mov $0x7fef8, %eax; mov %rax, %dr0;"
	"mov $0x7fef0, %eax; mov %rax, %dr1; mov $0x7fee8, %eax; mov %rax, %dr2;"
	"mov $0x7fee0, %eax; mov %rax, %dr3; mov $0xbbbb04aa, %eax; mov %rax, %dr7;"
	"mov $0x12345, %eax; push %rax; hlt\n");

static void prepare_db(struct vcpu *c)
{
	u16 *gate;

	guest_load(c->vm, db_loop);
	vcpu_long(c, GUEST_CODE);
	gate = (u16 *)(c->vm->mem + GUEST_IDT + 16);
	gate[2] = 0x8e01;
	*(u64 *)(c->vm->mem + GUEST_TSS + 0x24) = 0x7ff00;
	/* and a handler that just writes there again */
	memcpy(c->vm->mem + GUEST_STUBS + 16, "\x50\xeb\xfd", 3);
}

TEST_F(abuse, an_endless_debug_exception_loop_dies)
{
	KILLED_SOON(prepare_db, 0);
}

/* The #AC loop of CVE-2015-5307: CPL 3, an unaligned stack, a gate to CPL 3. */
GUEST32(ac_loop, "pushf; orl $0x40000, (%esp); popf; mov $0x7ff01, %esp; push %eax\n1: jmp 1b\n");

static void prepare_ac(struct vcpu *c)
{
	u64 *gdt = (u64 *)(c->vm->mem + GUEST_GDT);
	u64 *idt = (u64 *)(c->vm->mem + GUEST_IDT);
	struct limen_sregs s;
	int i;

	guest_load(c->vm, ac_loop);
	vcpu_protected(c, GUEST_CODE);
	gdt[5] = 0x00cffb000000ffffull;
	gdt[6] = 0x00cff3000000ffffull;
	for (i = 0; i < 32; i++)
		idt[i] = (GUEST_CODE & 0xffffull) | 0x2bull << 16 | 0xee00ull << 32 |
			 (u64)(GUEST_CODE >> 16) << 48;
	s = vcpu_sregs(c);
	for (i = LIMEN_ES; i <= LIMEN_GS; i++) {
		s.seg[i].ar = 0xc0f3;
		s.seg[i].sel = 0x33;
	}
	s.seg[LIMEN_CS].ar = 0xc0fb;
	s.seg[LIMEN_CS].sel = 0x2b;
	s.gdt.limit = 0x37;
	s.idt.limit = 0xff;
	s.cr0 |= 1 << 18;		/* AM */
	if (vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s)))
		abort();
}

TEST_F(abuse, an_endless_alignment_check_loop_dies)
{
	KILLED_SOON(prepare_ac, 0);
}

static void prepare_rip(struct vcpu *c)
{
	guest_load(c->vm, jmp_self);
	vcpu_long(c, 0x60000000);
}

TEST_F(abuse, an_unmapped_rip_is_an_exit_and_dies)
{
	KILLED_SOON(prepare_rip, LIMEN_EXIT_MMIO);
}

GUEST64(ud, "ud2\n");

static void prepare_triple(struct vcpu *c)
{
	struct limen_sregs s;

	guest_load(c->vm, ud);
	vcpu_long(c, GUEST_CODE);
	s = vcpu_sregs(c);
	s.idt.limit = 0;
	vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s));
}

TEST_F(abuse, a_triple_fault_is_a_shutdown_and_dies)
{
	KILLED_SOON(prepare_triple, LIMEN_EXIT_SHUTDOWN);
}

GUEST64(exits, "1: xor %eax, %eax; cpuid; mov $0x174, %ecx; rdmsr; pause; jmp 1b\n");

static void prepare_exits(struct vcpu *c)
{
	guest_load(c->vm, exits);
	vcpu_long(c, GUEST_CODE);
}

TEST_F(abuse, a_guest_that_only_exits_dies)
{
	KILLED_SOON(prepare_exits, 0);
}

/* ---- garbage in all registers ---- */

static const u64 edge[] = {
	0, 1, 0xff, 0x1000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32,
	0x00007fffffffffff, 0x0000800000000000, 0xffff800000000000, 1ull << 63, ~0ull,
};

static u64 garbage(u64 *seed)
{
	u64 r = next_random(seed);

	switch (r & 3) {
	case 0: return edge[(r >> 8) % (sizeof(edge) / sizeof(edge[0]))];
	case 1: return r >> (r >> 58);
	case 2: return r >> 44 & 0x3ff000;
	}
	return next_random(seed);
}

/* Mostly a state that a set accepts, or none would ever be run. */
static void garble(struct limen_sregs *s, u64 *seed)
{
	u32 i, n = next_random(seed) % 8;

	for (i = 0; i < n; i++) {
		struct limen_segment *seg = &s->seg[next_random(seed) % LIMEN_NR_SEG];

		switch (next_random(seed) % 8) {
		case 0: seg->base = garbage(seed); break;
		case 1: seg->limit = garbage(seed); break;
		case 2: seg->ar = next_random(seed) & 0x1f0ff; break;
		case 3: seg->sel = garbage(seed); break;
		case 4: s->cr0 ^= 1ull << (next_random(seed) % 32); break;
		case 5: s->cr4 ^= 1ull << (next_random(seed) % 22); break;
		case 6: s->efer ^= 1ull << (next_random(seed) % 12); break;
		case 7:
			s->cr3 = garbage(seed) & 0xfffffffff;
			s->gdt.base = garbage(seed);
			s->idt.limit = garbage(seed);
			break;
		}
	}
}

TEST_F(abuse, garbage_in_every_register_ends_in_a_documented_way)
{
	u32 i, k, ran = 0, refused = 0, how[LIMEN_NR_USER_EXIT + 1] = {}, intr = 0;
	u32 rounds = is_qemu() ? 2000 : 600;
	struct vm vm;
	struct vcpu *c = vm_simple(&vm);
	struct limen_sregs base[3], s;
	struct limen_regs r;
	int ret;

	guest_load(&vm, exits);
	vcpu_real(c, GUEST_CODE);
	base[0] = vcpu_sregs(c);
	vcpu_protected(c, GUEST_CODE);
	base[1] = vcpu_sregs(c);
	vcpu_long(c, GUEST_CODE);
	base[2] = vcpu_sregs(c);
	alarm_every(3000);
	for (i = 0; i < rounds; i++) {
		s = base[i % 3];
		garble(&s, &self->seed);
		for (k = 0; k < LIMEN_NR_GPR; k++)
			r.gpr[k] = garbage(&self->seed);
		r.rip = i & 8 ? garbage(&self->seed) : r.gpr[LIMEN_RAX] & 0xfffff;
		r.rflags = (garbage(&self->seed) & 0x3f7fd7) | 2;
		vcpu_protected(c, GUEST_CODE);	/* not halted any more */
		if (vcpu_set(c, LIMEN_CLASS_SREGS, &s, sizeof(s)) ||
		    vcpu_set(c, LIMEN_CLASS_REGS, &r, sizeof(r))) {
			refused++;
			continue;
		}
		for (k = 0; k < 3; k++) {
			ret = vcpu_run(c);
			if (ret == -EINTR) {
				intr++;
				break;
			}
			ASSERT_LE(0, ret) TH_LOG("round %u: errno %d", i, -ret);
			ASSERT_GT(LIMEN_NR_USER_EXIT, ret);
			how[ret < LIMEN_NR_USER_EXIT ? ret : LIMEN_NR_USER_EXIT]++;
			if (ret == LIMEN_EXIT_BAD_STATE || ret == LIMEN_EXIT_SHUTDOWN)
				break;
		}
		ran++;
	}
	alarm_every(0);
	TH_LOG("%u ran, %u refused, %u interrupted", ran, refused, intr);
	for (k = 0; k < LIMEN_NR_USER_EXIT; k++)
		if (how[k])
			TH_LOG("exit %u: %u times", k, how[k]);
	EXPECT_LT(rounds / 8, ran);
	EXPECT_EQ(0, how[LIMEN_EXIT_UNKNOWN]);
	vm_close(&vm);
}

/* ---- random code ---- */

static void random_code(struct __test_metadata *_metadata, u64 seed, int mode)
{
	u32 rounds = is_qemu() ? 1000 : 100, i, k, intr = 0, unknown = 0;
	struct vm vm;
	struct vcpu *c = vm_simple(&vm);
	int ret = 0;

	alarm_every(2000);
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < 512; k++)
			*(u64 *)(vm.mem + GUEST_CODE + k * 8) = next_random(&seed);
		if (mode == 16)
			vcpu_real(c, GUEST_CODE);
		else if (mode == 32)
			vcpu_protected(c, GUEST_CODE);
		else
			vcpu_long(c, GUEST_CODE);
		for (k = 0; k < 20; k++) {
			ret = vcpu_run(c);
			if (ret == -EINTR) {
				intr++;
				break;
			}
			ASSERT_LE(0, ret) TH_LOG("round %u: errno %d", i, -ret);
			ASSERT_GT(LIMEN_NR_USER_EXIT, ret);
			unknown += ret == LIMEN_EXIT_UNKNOWN;
			if (ret == LIMEN_EXIT_IO && c->run->io.port == PORT_BUG)
				break;
			if (ret == LIMEN_EXIT_BAD_STATE || ret == LIMEN_EXIT_SHUTDOWN)
				break;
		}
	}
	alarm_every(0);
	TH_LOG("%u rounds, %u interrupted", rounds, intr);
	EXPECT_EQ(0, unknown);
	vm_close(&vm);
}

TEST_F(abuse, random_16_bit_code_ends_in_a_documented_way)
{
	random_code(_metadata, self->seed, 16);
}

TEST_F(abuse, random_32_bit_code_ends_in_a_documented_way)
{
	random_code(_metadata, self->seed + 1, 32);
}

TEST_F(abuse, random_64_bit_code_ends_in_a_documented_way)
{
	random_code(_metadata, self->seed + 2, 64);
}

/* ---- sweeps ---- */

/* RDMSR and WRMSR with garbage of ECX = value[0] to value[1], step value[2];
 * GS base must stay. value[3] counts. */
GUEST64(sweep, "mov %gs:8, %r8d; mov $0x9e3779b9, %r9d; mov %gs:40, %r11\n"
	"1: mov %r8d, %ecx;" G_TRY("rdmsr")
	"cmp $0xc0000101, %r8d; je 3f; cmp $0xc0000080, %r8d; je 3f\n"
	"mov %r9d, %eax; ror $7, %r9d; xor %r8d, %r9d; imul $0x85ebca6b, %r9d, %r9d;"
	"mov %r9d, %edx; mov %r8d, %ecx;" G_TRY("wrmsr")
	"3: incq %gs:32; add %gs:24, %r8d; cmp %gs:16, %r8d; jbe 1b" G_DONE);

TEST_F_TIMEOUT(abuse, every_msr_works_or_gives_gp, 60)
{
	static const struct { u32 first, last; } range[] = {
		{ 0, 0x1fff }, { 0xc0000000, 0xc0001fff }, { 0xc0010000, 0xc0011fff },
		{ 0x40000000, 0x400001ff }, { 0x4b564d00, 0x4b564d1f },
		{ 0xfffffe00, 0xfffffffe },
	};
	u32 step = is_qemu() ? 1 : 7;
	struct guest_block *b;
	struct vcpu *c;
	struct vm vm;
	size_t i;
	u32 k;
	int ret;

	for (i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		c = vm_simple(&vm);
		b = vcpu_block(c);
		guest_load(&vm, sweep);
		vcpu_long(c, GUEST_CODE);
		b->value[0] = range[i].first;
		b->value[1] = range[i].last;
		b->value[2] = step;
		ret = vcpu_go(c);
		EXPECT_EQ(GUEST_DONE, ret) TH_LOG("MSRs from %#x", range[i].first);
		EXPECT_EQ((range[i].last - range[i].first) / step + 1, b->value[3]);
		for (k = 0; k < b->nr_events && k < GUEST_LOG; k++)
			EXPECT_EQ(13, b->event[k].vector);
		vm_close(&vm);
	}
}

GUEST64(ports, "mov %gs:8, %edx\n1: in %dx, %al; out %eax, %dx; in %dx, %ax;"
	"add %gs:16, %edx; cmp $0x10000, %edx; jb 1b; mov $0x7ffd, %edx; out %al, %dx\n");

TEST_F(abuse, every_port_reaches_user_space)
{
	u32 step = is_qemu() ? 13 : 211, n = 0, port = 0, i;
	struct vm vm;
	struct vcpu *c = vm_simple(&vm);

	guest_load(&vm, ports);
	vcpu_long(c, GUEST_CODE);
	vcpu_block(c)->value[0] = 0;
	vcpu_block(c)->value[1] = step;
	for (port = 0; port < 0x10000; port += step) {
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(LIMEN_EXIT_IO, vcpu_run(c));
			ASSERT_EQ(port, c->run->io.port);
			n++;
		}
	}
	EXPECT_LT(900, n);
	vm_close(&vm);
}

/* ---- the run page under fire ---- */

static volatile bool stop;

static void *scribble(void *arg)
{
	volatile u64 *page = arg;
	u64 seed = 7;

	while (!stop) {
		u64 r = next_random(&seed);

		/* flags, complete and dirty mostly legal, or nothing would run */
		if (r % 64 < 2 && r & 0xf00)
			page[r % 64] = (r >> 32 & 1) << 32 | (r >> 16 & r % 64);
		else
			page[r % 64] = r & 0x100 ? next_random(&seed) : r & 3;
	}
	return NULL;
}

GUEST64(chatty, "1: out %al, $0x50; in $0x51, %eax; mov %eax, 0x50000000;"
	"mov $0x100000, %esi; outsb; jmp 1b\n");

TEST_F(abuse, a_scribbled_run_page_harms_nobody)
{
	u64 end = now_ms() + 1500, runs = 0, refused = 0;
	struct vm vm, other;
	struct vcpu *c = vm_simple(&vm);
	pthread_t t;
	int ret;

	guest_load(&vm, chatty);
	vcpu_long(c, GUEST_CODE);
	stop = false;
	pthread_create(&t, NULL, scribble, c->run);
	alarm_every(5000);
	while (now_ms() < end) {
		ret = ioctl(c->fd, LIMEN_RUN, 0) < 0 ? errno : 0;
		if (ret == EINVAL)
			refused++;
		else
			ASSERT_TRUE(!ret || ret == EINTR) TH_LOG("errno %d", ret);
		runs++;
		if (runs % 64 == 0)	/* it may have gone astray */
			vcpu_long(c, GUEST_CODE);
	}
	alarm_every(0);
	stop = true;
	pthread_join(t, NULL);
	TH_LOG("%lu runs, %lu refused", runs, refused);
	vm_close(&vm);
	/* and a neighbour is as ever */
	c = vm_simple(&other);
	guest_load(&other, chatty);
	vcpu_long(c, GUEST_CODE);
	EXPECT_EQ(LIMEN_EXIT_IO, vcpu_run(c));
	vm_close(&other);
}

TEST_HARNESS_MAIN
