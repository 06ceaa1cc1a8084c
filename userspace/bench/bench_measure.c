// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a test is measured: N rounds and 2N rounds, the slope between the two, so that
 * what is done once falls out; several times, and the median. Where the TSC counts
 * instructions (Bochs; QEMU with -icount) the slope is their exact number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define MAX_BATCHES	64

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/**
 * bench_median() - sorts @v
 * @v: @n values, at least one
 */
double bench_median(double *v, int n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void put64(uint8_t *at, uint64_t val)
{
	memcpy(at, &val, sizeof(val));
}

/* One to one, in 2 MiB pages; the top gigabytes are where devices are */
static void make_tables(uint8_t *mem)
{
	uint64_t pml4 = BENCH_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000;

	put64(mem + pml4, pdpt | 3);
	for (int i = 0; i < 4; i++)
		put64(mem + pdpt + 8 * i, (pd + 0x1000 * i) | 3);
	for (uint64_t i = 0; i < 2048; i++)
		put64(mem + pd + 8 * i, i << 21 | 0x83);
}

static void make_gates(uint8_t *mem)
{
	/* EOI, IRETQ */
	static const uint8_t handler[] = {
		0x50, 0x51, 0x52,				/* push rax, rcx, rdx */
		0xb9, 0x0b, 0x08, 0x00, 0x00,			/* mov ecx, 0x80b */
		0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30,		/* wrmsr of 0 */
		0x5a, 0x59, 0x58, 0x48, 0xcf,			/* pop, iretq */
	};

	put64(mem + BENCH_GDT, 0);
	put64(mem + BENCH_GDT + 8, 0x00af9b000000ffff);		/* code */
	put64(mem + BENCH_GDT + 16, 0x00cf93000000ffff);	/* data */
	memcpy(mem + BENCH_HANDLER, handler, sizeof(handler));
	for (uint64_t v = 32; v < 256; v++) {
		put64(mem + BENCH_IDT + 16 * v, BENCH_HANDLER | 0x8ull << 16 |
		      0x8e00ull << 32);
		put64(mem + BENCH_IDT + 16 * v + 8, 0);
	}
}

/** bench_load() - the guest's tables, and its code */
void bench_load(uint8_t *mem, const uint8_t *code, size_t len)
{
	make_tables(mem);
	make_gates(mem);
	memcpy(mem + BENCH_CODE, code, len);
}

/**
 * bench_vm_new() - a VM and its memory
 * @vm: @mem: out
 *
 * All of the memory is there on the host, so that a guest's first access to it costs
 * the second level only; in small pages, since large ones come and go as they like.
 */
int bench_vm_new(const struct backend *b, struct bench_vm **vm, uint8_t **mem)
{
	int err;

	*mem = mmap(NULL, BENCH_MEM, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*mem == MAP_FAILED)
		return -errno;
	madvise(*mem, BENCH_MEM, MADV_NOHUGEPAGE);
	memset(*mem, 0, BENCH_MEM);
	err = b->create(*mem, BENCH_MEM, vm);
	if (err)
		munmap(*mem, BENCH_MEM);
	return err;
}

void bench_vm_end(const struct backend *b, struct bench_vm *vm, uint8_t *mem)
{
	b->destroy(vm);
	munmap(mem, BENCH_MEM);
}

/* Return: ticks of @rounds rounds, or -errno. */
static int64_t run_guest(const struct backend *b, struct bench_vm *vm,
			 const struct bench_test *t, uint32_t rounds)
{
	uint64_t start;
	int ret;

	ret = b->start(vm, rounds);
	if (ret)
		return ret;
	start = bench_tsc();
	for (;;) {
		ret = b->run(vm);
		if (ret != BENCH_ACCESS)
			break;
		if (t->step && (ret = t->step(b, vm)))
			break;
	}
	return ret == BENCH_DONE ? (int64_t)(bench_tsc() - start) : ret;
}

static int64_t run_host(const struct backend *b, const struct bench_test *t,
			uint32_t rounds)
{
	uint64_t start = bench_tsc();
	int err = t->host(b, rounds);

	return err ? err : (int64_t)(bench_tsc() - start);
}

/* One measurement in a VM of its own, or in @vm */
static int64_t one(const struct backend *b, const struct bench_test *t,
		   struct bench_vm *vm, uint32_t rounds)
{
	int64_t ticks;
	uint8_t *mem;
	int err;

	if (t->host)
		return run_host(b, t, rounds);
	if (!t->fresh)
		return run_guest(b, vm, t, rounds);
	err = bench_vm_new(b, &vm, &mem);
	if (err)
		return err;
	bench_load(mem, t->code, t->code_end - t->code);
	ticks = run_guest(b, vm, t, rounds);
	bench_vm_end(b, vm, mem);
	return ticks;
}

static int measure_in(const struct backend *b, const struct bench_test *t,
		      struct bench_vm *vm, int batches, double *slope)
{
	for (int i = -1; i < batches; i++) {
		int64_t once = one(b, t, vm, t->rounds);
		int64_t twice = once < 0 ? once : one(b, t, vm, 2 * t->rounds);

		if (twice < 0)
			return twice;
		/* the first is to warm up */
		if (i >= 0)
			slope[i] = (double)(twice - once) / t->rounds;
	}
	return 0;
}

/**
 * bench_measure() - one test on one back end
 * @batches: measurements, 1 to 64
 * @r: out
 */
void bench_measure(const struct backend *b, const struct bench_test *t, int batches,
		   struct bench_result *r)
{
	double slope[MAX_BATCHES];
	struct bench_vm *vm = NULL;
	uint8_t *mem;

	*r = (struct bench_result){ .err = 0 };
	if (batches > MAX_BATCHES)
		batches = MAX_BATCHES;
	if (t->code && !t->fresh) {
		r->err = bench_vm_new(b, &vm, &mem);
		if (r->err)
			return;
		bench_load(mem, t->code, t->code_end - t->code);
	}
	r->err = measure_in(b, t, vm, batches, slope);
	if (vm)
		bench_vm_end(b, vm, mem);
	if (r->err)
		return;
	r->median = bench_median(slope, batches);
	r->min = slope[0];
	r->max = slope[batches - 1];
}
