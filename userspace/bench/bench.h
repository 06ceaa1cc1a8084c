/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limen bench: the same guest code and the same host loop on two back ends. All of a
 * back end's own is behind struct backend; what is measured, and how, knows neither.
 */
#ifndef LIMEN_BENCH_H
#define LIMEN_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The guest's memory, by address */
#define BENCH_GDT	0x1000
#define BENCH_IDT	0x2000
#define BENCH_TABLES	0x3000		/* 6 pages: 4 GiB, one to one, 2 MiB pages */
#define BENCH_HANDLER	0xa000
#define BENCH_CODE	0x10000
#define BENCH_STACK	0x20000
#define BENCH_DATA	0x200000	/* touched by the tests of memory */
#define BENCH_MEM	0x1000000
#define BENCH_MMIO	0x80000000u	/* a device's page */
#define BENCH_VECTOR	0x60

#define PORT_DONE	0x11
#define PORT_OTHER	0x12

enum bench_exit {
	BENCH_DONE,		/* the guest has written to PORT_DONE */
	BENCH_ACCESS,		/* any other port or MMIO access, completed */
};

struct bench_vm;

/* All functions: 0 or an enum bench_exit, or -errno. A VM has one vCPU. */
struct backend {
	const char *name;
	int (*open)(void);
	void (*close)(void);
	/* a VM with local APIC, and memory at 0 that the back end does not own */
	int (*create)(void *mem, size_t len, struct bench_vm **out);
	void (*destroy)(struct bench_vm *vm);
	/* 64-bit mode at BENCH_CODE, R15 = @count, interrupts off */
	int (*start)(struct bench_vm *vm, uint64_t count);
	/* run to the next exit, and complete it */
	int (*run)(struct bench_vm *vm);
	int (*msi)(struct bench_vm *vm, uint32_t vector);
	/* read and write all registers that a debugger shows */
	int (*get_state)(struct bench_vm *vm);
	int (*set_state)(struct bench_vm *vm);
};

extern const struct backend backend_limen, backend_kvm;

/* What a test found, in ticks of the TSC for one operation; < 0: -errno */
struct bench_result {
	double median;
	double min;
	double max;
	int err;
};

struct bench_test {
	const char *name;
	const char *what;
	/* guest code: a loop of R15 rounds that ends in PORT_DONE; or NULL */
	const uint8_t *code, *code_end;
	uint32_t rounds;
	/* runs on the host between the guest's exits; may be NULL */
	int (*step)(const struct backend *b, struct bench_vm *vm);
	/* instead of guest code: @rounds operations */
	int (*host)(const struct backend *b, uint32_t rounds);
	/* a new VM for each measurement, as its memory shall be untouched */
	bool fresh;
};

extern const struct bench_test bench_tests[];
extern const size_t bench_nr_tests;

/* bench_measure.c */
void bench_measure(const struct backend *b, const struct bench_test *t, int batches,
		   struct bench_result *r);
double bench_median(double *v, int n);
int bench_vm_new(const struct backend *b, struct bench_vm **vm, uint8_t **mem);
void bench_vm_end(const struct backend *b, struct bench_vm *vm, uint8_t *mem);
void bench_load(uint8_t *mem, const uint8_t *code, size_t len);

static inline uint64_t bench_tsc(void)
{
	uint32_t lo, hi;

	/* nothing of the work may move over it */
	asm volatile("lfence; rdtsc; lfence" : "=a" (lo), "=d" (hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

#endif
