// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a guest must not change the process that runs it: segment registers,
 * LDT, I/O permissions, breakpoints, SSE state. One claim per test, KTAP output.
 * Load the module with check_host=1 to have the kernel's side compared too.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../uapi/linux/limen.h"

#define RAM_SIZE	0x4000
#define CODE		0x1000
#define ROUNDS		200

static int vcpu = -1;
static uint8_t *ram;
static struct limen_run *run;
static int nr_tests;

static void result(bool ok, const char *claim)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++nr_tests, claim);
}

static void die(const char *what)
{
	printf("Bail out! ");
	fflush(stdout);
	perror(what);
	exit(1);
}

static void set_state(uint32_t cls, void *data, uint32_t len)
{
	struct limen_state_item item = { cls, len, (uintptr_t)data };
	struct limen_state state = { sizeof(state), 1, (uintptr_t)&item };

	if (ioctl(vcpu, LIMEN_STATE_SET, &state))
		die("LIMEN_STATE_SET");
}

/* real mode, all segments at 0, at @CODE, with @code there */
static void guest(const void *code, size_t len)
{
	struct limen_regs regs = { .rip = CODE, .rflags = 2 };
	struct limen_sregs sregs;
	struct limen_state_item item = {
		LIMEN_CLASS_SREGS, sizeof(sregs), (uintptr_t)&sregs,
	};
	struct limen_state state = { sizeof(state), 1, (uintptr_t)&item };

	memcpy(ram + CODE, code, len);
	regs.gpr[LIMEN_RSP] = 0x800;
	if (ioctl(vcpu, LIMEN_STATE_GET, &state))
		die("LIMEN_STATE_GET");
	sregs.seg[LIMEN_CS].base = 0;
	sregs.seg[LIMEN_CS].sel = 0;
	set_state(LIMEN_CLASS_SREGS, &sregs, sizeof(sregs));
	set_state(LIMEN_CLASS_REGS, &regs, sizeof(regs));
}

static void setup(void)
{
	struct limen_vm_create create = { .size = sizeof(create) };
	struct limen_vcpu_create cpu = { .size = sizeof(cpu) };
	struct limen_info info = { .size = sizeof(info) };
	struct limen_range range = {
		.size = sizeof(range), .len = RAM_SIZE,
		.flags = LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC,
	};
	int dev = open("/dev/limen", O_RDWR), vm;

	if (dev < 0) {
		printf("1..0 # SKIP no /dev/limen\n");
		exit(4);
	}
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	range.hva = (uintptr_t)ram;
	if (ioctl(dev, LIMEN_INFO, &info))
		die("LIMEN_INFO");
	vm = ioctl(dev, LIMEN_VM_CREATE, &create);
	if (vm < 0 || ioctl(vm, LIMEN_MAP, &range))
		die("VM");
	vcpu = ioctl(vm, LIMEN_VCPU_CREATE, &cpu);
	if (vcpu < 0)
		die("vCPU");
	run = mmap(NULL, info.run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   vcpu, 0);
	if (run == MAP_FAILED)
		die("run page");
}

/* the guest that writes to port 80h for ever */
static const uint8_t ticker[] = { 0xe6, 0x80, 0xeb, 0xfc };

static bool run_to_port(int port)
{
	run->complete = LIMEN_FULFIL;
	return !ioctl(vcpu, LIMEN_RUN, 0) && run->exit == LIMEN_EXIT_IO &&
	       run->io.port == port;
}

struct seen {
	uint64_t ds, es, fs, gs, fs_base, gs_base;
};

/* LIMEN_RUN with these selectors loaded; no C code may run in between */
static long run_with(uint16_t data, uint16_t fs, uint16_t gs, struct seen *seen)
{
	long ret = SYS_ioctl;

	asm volatile("rdfsbase %%r12\n\t"
		     "mov %w[data], %%ds\n\t"
		     "mov %w[data], %%es\n\t"
		     "mov %w[fs], %%fs\n\t"
		     "mov %w[gs], %%gs\n\t"
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
		     : "D" ((long)vcpu), "S" (LIMEN_RUN), "d" (0), [data] "r" (data), [fs] "r" (fs),
		       [gs] "r" (gs), [seen] "r" (seen)
		     : "rcx", "r11", "r12", "r13", "memory");
	return ret;
}

static void segments_come_back(void)
{
	struct user_desc desc = {
		.entry_number = 0, .base_addr = 0x12340000, .limit = 0xfffff,
		.seg_32bit = 1, .limit_in_pages = 1, .useable = 1,
	};
	const uint16_t ldt_sel = 0x7, user_ds = 0x2b;
	struct seen seen;
	bool ok = true;
	int i;

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc))) {
		printf("ok %d segments come back # SKIP no modify_ldt\n",
		       ++nr_tests);
		return;
	}
	guest(ticker, sizeof(ticker));
	for (i = 0; ok && i < ROUNDS; i++) {
		memset(&seen, 0, sizeof(seen));
		run->complete = LIMEN_FULFIL;
		ok = !run_with(user_ds, ldt_sel, ldt_sel, &seen) &&
		     (uint16_t)seen.ds == user_ds &&
		     (uint16_t)seen.es == user_ds &&
		     (uint16_t)seen.fs == ldt_sel &&
		     (uint16_t)seen.gs == ldt_sel &&
		     seen.fs_base == desc.base_addr &&
		     seen.gs_base == desc.base_addr;
	}
	if (!ok)
		printf("# round %d: ds %lx es %lx fs %lx gs %lx bases %lx %lx\n", i,
		       seen.ds, seen.es, seen.fs, seen.gs, seen.fs_base,
		       seen.gs_base);
	result(ok, "segment registers, their bases and the LDT come back");
}

static void io_bitmap_stays(void)
{
	bool ok = true;
	int i;

	if (ioperm(0x80, 1, 1)) {
		printf("ok %d I/O permissions stay # SKIP no ioperm\n", ++nr_tests);
		return;
	}
	guest(ticker, sizeof(ticker));
	for (i = 0; ok && i < ROUNDS; i++) {
		ok = run_to_port(0x80);
		outb(i, 0x80);	/* SIGSEGV if the TSS was left cut short */
	}
	ioperm(0x80, 1, 0);
	result(ok, "a task's I/O permissions stay");
}

static int breakpoint(void *addr)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)addr,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* DR0 = 2000h, armed for writes; #DB writes DR6 to port 81h */
static const uint8_t debugger[] = {
	0x66, 0xb8, 0x00, 0x20, 0x00, 0x00,	/* mov eax, 2000h */
	0x0f, 0x23, 0xc0,			/* mov dr0, eax */
	0x66, 0xb8, 0x01, 0x04, 0x0d, 0x00,	/* mov eax, d0401h */
	0x0f, 0x23, 0xf8,			/* mov dr7, eax */
	0xe6, 0x80,				/* out 80h, al */
	0x66, 0xa3, 0x00, 0x20,			/* mov [2000h], eax */
	0xeb, 0xf8,				/* jmp to the out */
};

static const uint8_t db_handler[] = {
	0x0f, 0x21, 0xf0,			/* mov eax, dr6 */
	0x66, 0xe7, 0x81,			/* out 81h, eax */
	0xcf,					/* iret */
};

static void breakpoints_are_each_sides_own(void)
{
	static volatile uint32_t watched;
	uint64_t hits = 0;
	bool ok = true;
	int fd, i;

	fd = breakpoint((void *)&watched);
	if (fd < 0) {
		printf("ok %d breakpoints # SKIP no perf breakpoints\n", ++nr_tests);
		return;
	}
	memcpy(ram + 0x1800, db_handler, sizeof(db_handler));
	memcpy(ram + 4, &(uint32_t){ 0x1800 }, 4);
	guest(debugger, sizeof(debugger));
	for (i = 0; ok && i < ROUNDS; i++) {
		ok = run_to_port(0x80) && run_to_port(0x81) &&
		     (run->io.data & 0xf) == 1;
		watched++;
	}
	if (read(fd, &hits, sizeof(hits)) != sizeof(hits))
		hits = 0;
	close(fd);
	if (!ok || hits != ROUNDS)
		printf("# round %d, exit %u, port %x, DR6 %x, hits %lu\n", i,
		       run->exit, run->io.port, run->io.data, hits);
	result(ok && hits == ROUNDS,
	       "breakpoints of the host and of the guest both hit, each its own");
}

static void sse_state_stays(void)
{
	uint64_t in[2] = { 0x0123456789abcdef, 0xfedcba9876543210 }, out[2];
	bool ok = true;
	long ret = 0;
	int i;

	guest(ticker, sizeof(ticker));
	for (i = 0; ok && i < ROUNDS; i++) {
		run->complete = LIMEN_FULFIL;
		ret = SYS_ioctl;
		asm volatile("movdqu %[in], %%xmm7\n\t"
			     "syscall\n\t"
			     "movdqu %%xmm7, %[out]"
			     : "+a" (ret), [out] "=m" (out)
			     : "D" ((long)vcpu), "S" (LIMEN_RUN), "d" (0), [in] "m" (in)
			     : "rcx", "r11", "xmm7", "memory");
		ok = !ret && !memcmp(in, out, sizeof(in));
	}
	if (!ok)
		printf("# round %d: %ld, %016lx %016lx\n", i, ret, out[0], out[1]);
	result(ok, "SSE registers stay");
}

static void *spin(void *unused)
{
	(void)unused;
	ioctl(vcpu, LIMEN_RUN, 0);
	return NULL;
}

static long nmis(void)
{
	char line[512];
	long sum = 0, val;
	FILE *f = fopen("/proc/interrupts", "r");

	while (f && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "NMI:");

		for (p = p ? p + 4 : NULL; p; ) {
			char *end;

			val = strtol(p, &end, 10);
			p = end == p ? NULL : end;
			sum += p ? val : 0;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

static uint64_t stat_of(const char *name)
{
	struct limen_stat stats[128];
	struct limen_stats arg = {
		.size = sizeof(arg), .count = 128, .stats = (uintptr_t)stats,
	};
	uint32_t i;

	if (ioctl(vcpu, LIMEN_STATS, &arg))
		die("LIMEN_STATS");
	for (i = 0; i < arg.count; i++)
		if (!strcmp(stats[i].name, name))
			return stats[i].value;
	return 0;
}

/* A backtrace of all CPUs is asked for by NMI. The guest spins, IF is 0. */
static void nmis_reach_the_host(void)
{
	static const uint8_t loop[] = { 0xeb, 0xfe };
	int fd = open("/proc/sysrq-trigger", O_WRONLY), i;
	long before = nmis(), after;
	pthread_t thread;
	uint64_t exits;
	bool ok;

	if (fd < 0 || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ok %d NMIs reach the host # SKIP one CPU\n", ++nr_tests);
		return;
	}
	guest(loop, sizeof(loop));
	pthread_create(&thread, NULL, spin, NULL);
	for (i = 0; i < 5; i++) {
		usleep(20000);
		if (write(fd, "l", 1) != 1)
			break;
	}
	ioctl(vcpu, LIMEN_KICK, 0);
	pthread_join(thread, NULL);
	after = nmis();
	exits = stat_of("exit_host_nmi");
	printf("# %ld NMIs, %lu of them ended a guest's run\n", after - before,
	       exits);
	ok = i == 5 && exits && after - before >= 5 &&
	     run->exit == LIMEN_EXIT_KICKED;
	result(ok, "an NMI that ends a guest's run reaches the host");
}

int main(void)
{
	setup();
	printf("KTAP version 1\n1..5\n");
	setvbuf(stdout, NULL, _IOLBF, 0);
	segments_come_back();
	io_bitmap_stays();
	breakpoints_are_each_sides_own();
	sse_state_stays();
	nmis_reach_the_host();
	return 0;
}
