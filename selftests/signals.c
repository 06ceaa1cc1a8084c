// SPDX-License-Identifier: GPL-2.0-only
/* Signals, kicks, and how a process with running vCPUs ends. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

FIXTURE(signals)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(signals)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(signals)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

GUEST64(spin, "1: jmp 1b\n");
GUEST64(halt, "cli; hlt\n");
GUEST64(done, G_DONE);

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void alarm_every(long us)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, us }, { 0, us } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* Count to value[0], with an exit to the kernel each 64 rounds. */
GUEST64(count, "xor %r8d, %r8d; xor %r9d, %r9d\n"
	"1: inc %r8; add %r8, %r9; test $63, %r8b; jnz 2f; xor %eax, %eax; cpuid\n"
	"2: cmp %gs:8, %r8; jb 1b; mov %r9, %gs:16" G_DONE);

TEST_F(signals, a_storm_of_signals_does_not_disturb_a_guest)
{
	u64 n = is_qemu() ? 1000000 : 200000;
	long us = 500;
	u32 intr = 0;
	int ret;

	guest_load(&self->vm, count);
	vcpu_long(self->c, GUEST_CODE);
	self->b->value[0] = n;
	alarm_every(us);
	do {
		ret = vcpu_go(self->c);
		intr += ret == -EINTR;
		/* a debug kernel in an emulator may get no farther than the next one */
		if (ret == -EINTR && intr % 500 == 0)
			alarm_every(us *= 2);
	} while (ret == -EINTR);
	alarm_every(0);
	EXPECT_EQ(GUEST_DONE, ret);
	EXPECT_EQ(n * (n + 1) / 2, self->b->value[1]);
	EXPECT_LT(2, intr);
	TH_LOG("%u times EINTR", intr);
}

TEST_F(signals, a_pending_signal_gives_eintr_and_the_page_stays)
{
	struct limen_run *run = self->c->run;
	int ret;

	guest_load(&self->vm, spin);
	vcpu_long(self->c, GUEST_CODE);
	run->exit = 0x1234;
	alarm_every(20000);
	ret = vcpu_run(self->c);
	alarm_every(0);
	EXPECT_EQ(-EINTR, ret);
	EXPECT_EQ(0x1234, run->exit);
}

TEST_F(signals, a_kick_is_kept_and_used_up_once)
{
	guest_load(&self->vm, done);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_KICK, NULL));
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_KICK, NULL));
	EXPECT_EQ(LIMEN_EXIT_KICKED, vcpu_run(self->c));
	EXPECT_EQ(GUEST_CODE, self->c->run->regs.rip);
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

static void *run_thread(void *arg)
{
	return (void *)(long)vcpu_run(arg);
}

static long kicked(struct vcpu *c)
{
	pthread_t t;
	void *ret;

	pthread_create(&t, NULL, run_thread, c);
	sleep_ms(100);
	try_ioctl(c->fd, LIMEN_KICK, NULL);
	pthread_join(t, &ret);
	return (long)ret;
}

TEST_F(signals, a_kick_ends_a_run_and_a_sleep)
{
	guest_load(&self->vm, spin);
	vcpu_long(self->c, GUEST_CODE);
	EXPECT_EQ(LIMEN_EXIT_KICKED, kicked(self->c));
	guest_load(&self->vm, halt);
	vcpu_long(self->c, GUEST_CODE);
	EXPECT_EQ(LIMEN_EXIT_KICKED, kicked(self->c));
	/* still halted afterwards */
	EXPECT_EQ(LIMEN_EXIT_KICKED, kicked(self->c));
	vm_vcpu(&self->vm, 1);
	EXPECT_EQ(LIMEN_EXIT_KICKED, kicked(&self->vm.cpu[1]));
}

TEST_F(signals, a_signal_ends_a_sleep)
{
	guest_load(&self->vm, halt);
	vcpu_long(self->c, GUEST_CODE);
	alarm_every(30000);
	EXPECT_EQ(-EINTR, vcpu_run(self->c));
	alarm_every(0);
}

/* A process with a vCPU that spins, one that halts, one that waits for SIPI */
static void busy_vm(struct vm *vm)
{
	pthread_t t;
	u64 at;
	int i;

	vm_simple(vm);
	for (i = 0; i < 3; i++) {
		struct vcpu *c = i ? vm_vcpu(vm, i) : &vm->cpu[0];

		at = GUEST_CODE + i * 0x1000;
		guest_copy(vm, at, i ? halt : spin, 8);
		if (i < 2)
			vcpu_long(c, at);
		pthread_create(&t, NULL, run_thread, c);
	}
	sleep_ms(50);
}

TEST_F(signals, sigkill_ends_a_process_with_vcpus_in_all_states)
{
	int i, status, p[2];
	u64 start;
	char go = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(p));
	for (i = 0; i < 5; i++) {
		pid = fork();
		if (!pid) {
			struct vm vm;

			busy_vm(&vm);
			if (write(p[1], &go, 1) != 1)
				_exit(1);
			pause();
		}
		ASSERT_EQ(1, read(p[0], &go, 1));
		start = now_ms();
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_GE(1000, now_ms() - start);
	}
}

TEST_F(signals, exec_ends_the_other_threads_vcpus)
{
	u64 start = now_ms();
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct vm vm;

		busy_vm(&vm);
		execl("/bin/sh", "sh", "-c", "exit 7", NULL);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(7, WEXITSTATUS(status));
	EXPECT_GE(5000, now_ms() - start);
}

TEST_F(signals, a_process_may_end_without_closing_anything)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		if (!pid) {
			struct vm vm;

			busy_vm(&vm);
			_exit(9);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(9, WEXITSTATUS(status));
	}
}

TEST_F(signals, the_descriptor_may_be_closed_while_it_runs)
{
	pthread_t t;
	void *ret;
	int copy;

	guest_load(&self->vm, spin);
	vcpu_long(self->c, GUEST_CODE);
	copy = dup(self->c->fd);
	pthread_create(&t, NULL, run_thread, self->c);
	sleep_ms(50);
	close(self->c->fd);
	close(self->vm.fd);
	munmap(self->c->run, 4096);
	self->c->run = mmap(self->c->run, 4096, PROT_READ | PROT_WRITE,
			    MAP_FIXED | MAP_SHARED, copy, 0);
	ASSERT_EQ(0, try_ioctl(copy, LIMEN_KICK, NULL));
	pthread_join(t, &ret);
	EXPECT_EQ(LIMEN_EXIT_KICKED, (long)ret);
	close(copy);
}

/* ---- nothing is left behind ---- */

static long available_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void many_vms(struct __test_metadata *_metadata, int n)
{
	struct vm vm;
	int i;

	for (i = 0; i < n; i++) {
		struct vcpu *c = vm_simple(&vm);

		guest_load(&vm, done);
		vcpu_long(c, GUEST_CODE);
		vm_vcpu(&vm, 1);
		ASSERT_EQ(GUEST_DONE, vcpu_go(c));
		vm_close(&vm);
	}
}

TEST_F(signals, a_hundred_vms_leave_no_memory_behind)
{
	long before, after = 0;
	int i;

	/* KASAN keeps freed memory in quarantine, kmemleak a record of each */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP(return, "a debug kernel: kmemleak judges there");
	many_vms(_metadata, 20);
	before = available_kb();
	many_vms(_metadata, is_qemu() ? 300 : 100);
	/* what RCU still holds comes back in a while */
	for (i = 0; i < 20; i++) {
		after = available_kb();
		if (after > before - 4096)
			break;
		sleep_ms(100);
	}
	/* one VM and its two vCPUs are far above 40 KiB */
	EXPECT_LT(before - 4096, after);
	TH_LOG("available: %ld KiB before, %ld after", before, after);
}

TEST_F(signals, without_descriptors_left_nothing_is_made)
{
	struct limen_vm_create arg = { .size = sizeof(arg) };
	struct limen_vcpu_create vcpu = { .size = sizeof(vcpu), .id = 1 };
	struct rlimit old, none;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	EXPECT_EQ(EMFILE, try_ioctl(self->vm.dev, LIMEN_VM_CREATE, &arg));
	EXPECT_EQ(EMFILE, try_ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &vcpu));
	setrlimit(RLIMIT_NOFILE, &old);
	/* the id was not taken */
	EXPECT_EQ(0, try_ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &vcpu));
}

TEST_HARNESS_MAIN
