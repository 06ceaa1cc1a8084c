// SPDX-License-Identifier: GPL-2.0-only
/* The table of ranges. Reading and writing through them needs an address space. */
#include <linux/prandom.h>

#include "../compat.h"

/* the other suites have an array for guest memory, see fake.c */
#define limen_mem_read real_mem_read
#define limen_mem_fetch real_mem_fetch
#define limen_mem_write real_mem_write
#define limen_mem_cmpxchg real_mem_cmpxchg
#define limen_mem_spot real_mem_spot
#define limen_spot_read real_spot_read
#define limen_spot_write real_spot_write
#define limen_spot_settle real_spot_settle

static int limen_user_cmpxchg32(void __user *ptr, u64 old, u64 new)
{
	return -EFAULT;
}

static int limen_user_cmpxchg64(void __user *ptr, u64 old, u64 new)
{
	return -EFAULT;
}

#include "../mem.c"
#include "fake.h"

#define RWX	(LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)
#define PAGES	64

static int init_table(struct kunit_resource *res, void *npt)
{
	res->data = npt;
	return npt_init(npt, &npt_format_ept);
}

static void free_table(struct kunit_resource *res)
{
	npt_fini(res->data);
}

static struct limen_vm *vm_with_table(struct kunit *test)
{
	struct limen_vm *vm = fake_vm(test, 0);

	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, init_table, free_table,
							 GFP_KERNEL, &vm->npt));
	return vm;
}

static struct limen_range range(u64 first, u64 pages)
{
	return (struct limen_range){
		.size = sizeof(struct limen_range), .flags = RWX,
		.gpa = first * PAGE_SIZE, .len = pages * PAGE_SIZE,
		.hva = 0x10000000 + first * PAGE_SIZE,
	};
}

static int map(struct limen_vm *vm, u64 first, u64 pages)
{
	struct limen_range r = range(first, pages);

	return limen_mem_map(vm, &r);
}

static int unmap(struct limen_vm *vm, u64 first, u64 pages)
{
	struct limen_range r = range(first, pages);

	r.hva = 0;
	r.flags = 0;
	return limen_mem_unmap(vm, &r);
}

static void what_is_no_range_is_refused(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	const u64 top = 1ull << limen_caps.phys_bits;
	struct limen_range r;

#define BAD(change)							\
	do {								\
		r = range(1, 1);					\
		r.change;						\
		KUNIT_EXPECT_EQ_MSG(test, limen_mem_map(vm, &r), -EINVAL, #change); \
	} while (0)
	BAD(flags = 0);
	BAD(flags = LIMEN_MEM_WRITE);
	BAD(flags = 16 | RWX);
	BAD(flags = RWX | LIMEN_MEM_LOG; r.len = LIMEN_MAX_LOG + PAGE_SIZE; r.gpa = 0);
	BAD(gpa = 1);
	BAD(hva = 1);
	BAD(len = 0);
	/* the local APIC's page */
	BAD(gpa = 0xfee00000);
	BAD(gpa = 0xfec00000; r.len = 0x400000);
	BAD(gpa = 0xfedff000; r.len = 0x2000);
	BAD(len = 0x1001);
	BAD(len = ~0xfffull);
	BAD(gpa = ~0xfffull);
	BAD(gpa = top);
	BAD(len = top);
	BAD(hva = ~0xfffull);
#undef BAD
	KUNIT_EXPECT_EQ(test, vm->nr_ranges, 0u);
	r = range(1, 1);
	r.gpa = top - PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, limen_mem_map(vm, &r), 0);
}

static void execution_alone_needs_a_cpu_that_can(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	struct limen_range r = range(1, 1);

	r.flags = LIMEN_MEM_EXEC;
	KUNIT_EXPECT_EQ(test, limen_mem_map(vm, &r), -EOPNOTSUPP);
	limen_caps.npt_exec_only = true;
	KUNIT_EXPECT_EQ(test, limen_mem_map(vm, &r), 0);
	r.flags |= LIMEN_MEM_WRITE;
	r.gpa = 0x10000;
	KUNIT_EXPECT_EQ(test, limen_mem_map(vm, &r), -EINVAL);
	limen_caps.npt_exec_only = false;
}

static void ranges_never_overlap(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);

	KUNIT_EXPECT_EQ(test, map(vm, 10, 10), 0);
	KUNIT_EXPECT_EQ(test, map(vm, 10, 10), -EEXIST);
	KUNIT_EXPECT_EQ(test, map(vm, 9, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, map(vm, 19, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, map(vm, 0, 40), -EEXIST);
	KUNIT_EXPECT_EQ(test, map(vm, 12, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, map(vm, 20, 1), 0);
	KUNIT_EXPECT_EQ(test, map(vm, 9, 1), 0);
	KUNIT_EXPECT_EQ(test, vm->nr_ranges, 3u);
}

static void table_that_is_full_refuses(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	int i;

	for (i = 0; i < LIMEN_MAX_RANGES; i++)
		KUNIT_EXPECT_EQ(test, map(vm, 2 * i, 1), 0);
	KUNIT_EXPECT_EQ(test, map(vm, 2 * i, 1), -EMFILE);
	KUNIT_EXPECT_EQ(test, map(vm, 0, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, unmap(vm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, map(vm, 2 * i, 1), 0);
}

static void change_names_a_range_exactly(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	struct limen_range r = range(10, 10);

	map(vm, 10, 10);
	KUNIT_EXPECT_EQ(test, unmap(vm, 10, 9), -ENOENT);
	KUNIT_EXPECT_EQ(test, unmap(vm, 11, 9), -ENOENT);
	KUNIT_EXPECT_EQ(test, unmap(vm, 30, 1), -ENOENT);
	/* an address in the VMM has no meaning here */
	KUNIT_EXPECT_EQ(test, limen_mem_unmap(vm, &r), -EINVAL);
	r.hva = 0;
	KUNIT_EXPECT_EQ(test, limen_mem_unmap(vm, &r), -EINVAL);
	r.flags = LIMEN_MEM_READ;
	KUNIT_EXPECT_EQ(test, limen_mem_protect(vm, &r), 0);
	KUNIT_EXPECT_EQ(test, vm->range[0].flags, (u32)LIMEN_MEM_READ);
	r.flags = LIMEN_MEM_WRITE;
	KUNIT_EXPECT_EQ(test, limen_mem_protect(vm, &r), -EINVAL);
	KUNIT_EXPECT_EQ(test, unmap(vm, 10, 10), 0);
	KUNIT_EXPECT_EQ(test, unmap(vm, 10, 10), -ENOENT);
}

static void translations_go_before_the_call_returns(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	struct npt_cache cache = {};
	struct limen_range r = range(1, 2);
	LIST_HEAD(freed);
	u64 leaf = npt_make_leaf(&npt_format_ept, 0x5000, RWX, 1);

	map(vm, 1, 2);
	/* nothing was mapped yet: nobody need be told */
	r.hva = 0;
	KUNIT_EXPECT_EQ(test, limen_mem_protect(vm, &r), 0);
	KUNIT_EXPECT_EQ(test, fake.npt_flushes, 0);
	KUNIT_ASSERT_EQ(test, npt_cache_fill(&cache), 0);
	npt_map(&vm->npt, &cache, 0x2000, leaf, 1, &freed);
	npt_cache_drain(&cache);
	KUNIT_EXPECT_EQ(test, limen_mem_protect(vm, &r), 0);
	KUNIT_EXPECT_EQ(test, fake.npt_flushes, 1);
	KUNIT_EXPECT_EQ(test, npt_walk(&vm->npt, 0x2000, 1).pte, 0ull);
}

static void large_range_is_unmapped_to_its_end(struct kunit *test)
{
	static const u64 gpas[] = { 0x1000, 0x40000000, 0x40001000, 0xbffff000 };
	struct limen_vm *vm = vm_with_table(test);
	struct npt_cache cache = {};
	LIST_HEAD(freed);
	int i;

	KUNIT_ASSERT_EQ(test, map(vm, 1, 0xbffff), 0);
	for (i = 0; i < ARRAY_SIZE(gpas); i++) {
		KUNIT_ASSERT_EQ(test, npt_cache_fill(&cache), 0);
		npt_map(&vm->npt, &cache, gpas[i],
			npt_make_leaf(&npt_format_ept, 0x5000, RWX, 1), 1, &freed);
	}
	npt_cache_drain(&cache);
	KUNIT_EXPECT_EQ(test, unmap(vm, 1, 0xbffff), 0);
	for (i = 0; i < ARRAY_SIZE(gpas); i++)
		KUNIT_EXPECT_EQ_MSG(test, npt_walk(&vm->npt, gpas[i], 1).pte, 0ull,
				    "gpa %#llx", gpas[i]);
	KUNIT_EXPECT_EQ(test, vm->nr_ranges, 0u);
	/* a flush for each part in which something was */
	KUNIT_EXPECT_EQ(test, fake.npt_flushes, 3);
}

/* Random calls, against an array that says which range a page belongs to. */
static void table_agrees_with_the_model(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	u8 owner[PAGES] = {};	/* first page of its range + 1 */
	struct rnd_state rnd;
	int step, i;

	prandom_seed_state(&rnd, 0x3e3);
	for (step = 0; step < 20000 * FAKE_ROUNDS; step++) {
		u32 random = prandom_u32_state(&rnd);
		u32 first = random % PAGES, n = 1 + (random >> 8) % 8, have = 0;
		struct limen_mem_range r;
		bool exact;

		n = min_t(u32, n, PAGES - first);
		for (i = first; i < first + n; i++)
			have += owner[i] != 0;
		exact = have == n && owner[first] == first + 1 &&
			owner[first + n - 1] == first + 1 &&
			(first + n == PAGES || owner[first + n] != first + 1);
		if (random & 0x10000) {
			KUNIT_ASSERT_EQ(test, map(vm, first, n), have ? -EEXIST : 0);
			if (!have)
				memset(owner + first, first + 1, n);
		} else {
			KUNIT_ASSERT_EQ(test, unmap(vm, first, n), exact ? 0 : -ENOENT);
			if (exact)
				memset(owner + first, 0, n);
		}
		i = (random >> 20) % PAGES;
		KUNIT_ASSERT_EQ(test, limen_mem_find(vm, i * PAGE_SIZE + 5, &r),
				owner[i] != 0);
		if (owner[i])
			KUNIT_ASSERT_EQ(test, r.gpa, (owner[i] - 1) * PAGE_SIZE);
	}
}

static void spots_die_with_any_range(struct kunit *test)
{
	struct limen_vm *vm = vm_with_table(test);
	struct limen_spot spot = {};
	struct limen_range r = range(3, 1);
	unsigned long flags;

	map(vm, 3, 1);
	map(vm, 7, 1);
	KUNIT_EXPECT_EQ(test, limen_mem_spot(vm, 2 * PAGE_SIZE, 4, &spot), -EFAULT);
	KUNIT_EXPECT_EQ(test, limen_mem_spot(vm, 4 * PAGE_SIZE - 2, 4, &spot), -EFAULT);
	KUNIT_EXPECT_EQ(test, limen_mem_spot(vm, 4 * PAGE_SIZE - 4, 4, &spot), 0);
	KUNIT_EXPECT_EQ(test, spot.hva, 0x10000000ull + 4 * PAGE_SIZE - 4);
	local_irq_save(flags);
	KUNIT_EXPECT_TRUE(test, !!spot_hva(vm, &spot));
	local_irq_restore(flags);

	KUNIT_EXPECT_EQ(test, unmap(vm, 7, 1), 0);
	local_irq_save(flags);
	KUNIT_EXPECT_FALSE(test, !!spot_hva(vm, &spot));
	local_irq_restore(flags);

	KUNIT_EXPECT_EQ(test, limen_mem_spot(vm, 3 * PAGE_SIZE, 4, &spot), 0);
	r.hva = 0;
	r.flags = LIMEN_MEM_READ;
	KUNIT_EXPECT_EQ(test, limen_mem_protect(vm, &r), 0);
	local_irq_save(flags);
	KUNIT_EXPECT_FALSE(test, !!spot_hva(vm, &spot));
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, limen_mem_spot(vm, 3 * PAGE_SIZE, 4, &spot), -EFAULT);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_is_no_range_is_refused),
	KUNIT_CASE(execution_alone_needs_a_cpu_that_can),
	KUNIT_CASE(ranges_never_overlap),
	KUNIT_CASE(table_that_is_full_refuses),
	KUNIT_CASE(change_names_a_range_exactly),
	KUNIT_CASE(translations_go_before_the_call_returns),
	KUNIT_CASE(large_range_is_unmapped_to_its_end),
	KUNIT_CASE(table_agrees_with_the_model),
	KUNIT_CASE(spots_die_with_any_range),
	{}
};

static struct kunit_suite suite = { .name = "mem", .test_cases = cases };
kunit_test_suite(suite);
