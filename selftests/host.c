// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a guest must not change the process that runs it: segment registers,
 * LDT, I/O permissions, breakpoints, SSE state; and an NMI that ends a guest's run
 * must reach the host. Load the module with check_host=1 to have the kernel's side
 * of it compared after every window.
 */
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "harness.h"

#define ROUNDS		100
#define PORT_TICK	0x80
#define PORT_DR6	0x81
#define WATCHED		0x1800	/* guest address, in real mode */
#define DB_HANDLER	0x1900

FIXTURE(host)
{
	struct vm vm;
	struct vcpu *c;
};

FIXTURE_SETUP(host)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
}

FIXTURE_TEARDOWN(host)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

GUEST16(ticker, "1: out %al, $0x80; jmp 1b");

static bool run_to_port(struct vcpu *c, int port)
{
	return vcpu_run(c) == LIMEN_EXIT_IO && c->run->io.port == port;
}

struct seen {
	u64 ds, es, fs, gs, fs_base, gs_base;
};

/* LIMEN_RUN with these selectors loaded; no C code may run in between */
static long run_with(int fd, u16 data, u16 ldt, struct seen *seen)
{
	long ret = SYS_ioctl;

	asm volatile("rdfsbase %%r12\n\t"
		     "mov %w[data], %%ds\n\t"
		     "mov %w[data], %%es\n\t"
		     "mov %w[ldt], %%fs\n\t"
		     "mov %w[ldt], %%gs\n\t"
		     "syscall\n\t"
		     "mov %%ds, 0(%[seen])\n\t"
		     "mov %%es, 8(%[seen])\n\t"
		     "mov %%fs, 16(%[seen])\n\t"
		     "mov %%gs, 24(%[seen])\n\t"
		     "rdfsbase %%r13\n\t"
		     "mov %%r13, 32(%[seen])\n\t"
		     "rdgsbase %%r13\n\t"
		     "mov %%r13, 40(%[seen])\n\t"
		     "xor %%r13d, %%r13d\n\t"
		     "mov %%r13d, %%ds\n\t"
		     "mov %%r13d, %%es\n\t"
		     "mov %%r13d, %%fs\n\t"
		     "mov %%r13d, %%gs\n\t"
		     "wrfsbase %%r12"
		     : "+a" (ret)
		     : "D" ((long)fd), "S" (LIMEN_RUN), "d" (0),
		       [data] "r" (data), [ldt] "r" (ldt), [seen] "r" (seen)
		     : "rcx", "r11", "r12", "r13", "memory");
	return ret;
}

TEST_F(host, segment_registers_and_the_ldt_come_back)
{
	struct user_desc desc = {
		.entry_number = 0, .base_addr = 0x12340000, .limit = 0xfffff,
		.seg_32bit = 1, .limit_in_pages = 1, .useable = 1,
	};
	const u16 ldt = 0x7, data = 0x2b;
	struct seen seen;
	int i;

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
		SKIP(return, "no modify_ldt()");
	guest_load(&self->vm, ticker);
	vcpu_real(self->c, GUEST_CODE);
	for (i = 0; i < ROUNDS; i++) {
		memset(&seen, 0, sizeof(seen));
		self->c->run->complete = LIMEN_FULFIL;
		ASSERT_EQ(0, run_with(self->c->fd, data, ldt, &seen));
		ASSERT_EQ(data, (u16)seen.ds);
		ASSERT_EQ(data, (u16)seen.es);
		ASSERT_EQ(ldt, (u16)seen.fs);
		ASSERT_EQ(ldt, (u16)seen.gs);
		ASSERT_EQ(desc.base_addr, seen.fs_base);
		ASSERT_EQ(desc.base_addr, seen.gs_base);
	}
}

TEST_F(host, a_tasks_io_permissions_stay)
{
	int i;

	if (ioperm(PORT_TICK, 1, 1))
		SKIP(return, "no ioperm()");
	guest_load(&self->vm, ticker);
	vcpu_real(self->c, GUEST_CODE);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(run_to_port(self->c, PORT_TICK));
		outb(i, PORT_TICK);	/* SIGSEGV if the TSS was left cut short */
	}
}

static int breakpoint(volatile void *addr)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (u64)addr,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* DR0 watches writes to 1800h; #DB writes DR6 to a port */
GUEST16(debugger, "mov $0x1800, %eax; mov %eax, %dr0\n"
		  "mov $0xd0401, %eax; mov %eax, %dr7\n"
		  "1: out %al, $0x80; mov %eax, 0x1800; jmp 1b");
GUEST16(db_handler, "push %eax; mov %dr6, %eax; out %eax, $0x81\n"
		    "xor %eax, %eax; mov %eax, %dr6; pop %eax; iretw");

TEST_F(host, breakpoints_of_the_host_and_of_the_guest_hit_each_its_own)
{
	static volatile u32 watched;
	u64 hits = 0;
	int fd, i;

	if (is_qemu())
		SKIP(return, "QEMU loads DR7 on VMRUN without arming its breakpoints");
	fd = breakpoint(&watched);
	if (fd < 0)
		SKIP(return, "no breakpoints by perf_event_open()");
	guest_load(&self->vm, debugger);
	guest_copy(&self->vm, DB_HANDLER, db_handler, db_handler_end - db_handler);
	guest_copy(&self->vm, 1 * 4, &(u32){ DB_HANDLER }, 4);
	vcpu_real(self->c, GUEST_CODE);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(run_to_port(self->c, PORT_TICK));
		ASSERT_TRUE(run_to_port(self->c, PORT_DR6));
		ASSERT_EQ(1, self->c->run->io.data & 0xf);
		watched++;
	}
	ASSERT_EQ(sizeof(hits), read(fd, &hits, sizeof(hits)));
	EXPECT_EQ(ROUNDS, hits);
	close(fd);
}

TEST_F(host, sse_registers_stay)
{
	const u64 in[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
	u64 out[2];
	long ret;
	int i;

	guest_load(&self->vm, ticker);
	vcpu_real(self->c, GUEST_CODE);
	for (i = 0; i < ROUNDS; i++) {
		self->c->run->complete = LIMEN_FULFIL;
		ret = SYS_ioctl;
		asm volatile("movdqu %[in], %%xmm7\n\t"
			     "syscall\n\t"
			     "movdqu %%xmm7, %[out]"
			     : "+a" (ret), [out] "=m" (out)
			     : "D" ((long)self->c->fd), "S" (LIMEN_RUN), "d" (0),
			       [in] "m" (in)
			     : "rcx", "r11", "xmm7", "memory");
		ASSERT_EQ(0, ret);
		ASSERT_EQ(0, memcmp(in, out, sizeof(in)));
	}
}

/* NMIs that the host has taken, on all its CPUs */
static long host_nmis(void)
{
	char line[512], *p, *end;
	long sum = 0, val;
	FILE *f = fopen("/proc/interrupts", "r");

	while (f && fgets(line, sizeof(line), f)) {
		p = strstr(line, "NMI:");
		if (!p)
			continue;
		for (p += 4;; p = end) {
			val = strtol(p, &end, 10);
			if (end == p)
				break;
			sum += val;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

/* Keep the backtraces off the console, where the results go */
static void console_level(const char *level)
{
	FILE *f = fopen("/proc/sys/kernel/printk", "w");

	if (!f)
		return;
	fputs(level, f);
	fclose(f);
}

static void *run_thread(void *arg)
{
	return (void *)(long)vcpu_run(arg);
}

GUEST16(spin, "1: jmp 1b");

/* sysrq-l asks all other CPUs for a backtrace, by NMI. The guest's IF is 0. */
TEST_F(host, an_nmi_that_ends_a_guests_run_reaches_the_host)
{
	const int wanted = 5;
	long before = host_nmis();
	pthread_t thread;
	void *exit;
	int fd, i;

	fd = open("/proc/sysrq-trigger", O_WRONLY);
	if (fd < 0 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU, or no sysrq");
	guest_load(&self->vm, spin);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread, self->c));
	console_level("1");
	for (i = 0; i < wanted; i++) {
		usleep(20000);
		EXPECT_EQ(1, write(fd, "l", 1));
	}
	console_level("5");
	ASSERT_EQ(0, ioctl(self->c->fd, LIMEN_KICK, 0));
	pthread_join(thread, &exit);
	close(fd);
	EXPECT_EQ(LIMEN_EXIT_KICKED, (long)exit);
	EXPECT_LE(wanted, host_nmis() - before);
	EXPECT_NE(0, vcpu_stat(self->c, "exit_host_nmi"));
}

TEST_HARNESS_MAIN
