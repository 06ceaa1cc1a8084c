// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second-level tables, in both formats: entries by the manuals' bits, and the
 * table against an array that says what every page maps to.
 */
#include <linux/prandom.h>

#include "../npt/npt_format.c"
#include "../npt/npt_map.c"
#include "../npt/npt_walk.c"
#include "fake.h"

#define R	LIMEN_MEM_READ
#define W	LIMEN_MEM_WRITE
#define X	LIMEN_MEM_EXEC

static const struct npt_format *const formats[] = {
	&npt_format_ept, &npt_format_ept_ad, &npt_format_amd,
};

/* SDM Vol. 3, Tables "Format of an EPT Page-Table Entry ..." */
static void ept_leaf_has_the_manuals_bits(struct kunit *test)
{
	const struct npt_format *f = &npt_format_ept;

	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x123456789000, R, 1),
			0x123456789071ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R | W, 1), 0x1073ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R | X, 1), 0x1075ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, X, 1), 0x1074ull);
	KUNIT_EXPECT_EQ(test, npt_leaf_access(f, 0x1074), (u32)X);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x200000, R | W | X, 2), 0x2000f7ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 1ull << 30, R | W | X, 3),
			0x400000f7ull);
}

/* SDM Vol. 3, "Accessed and Dirty Flags for EPT": bits 8 and 9 */
static void ept_leaf_with_ad_counts_as_used(struct kunit *test)
{
	const struct npt_format *f = npt_format_for(&npt_format_ept, true);

	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R, 1), 0x1171ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R | W, 1), 0x1373ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x200000, R | W | X, 2), 0x2003f7ull);
	KUNIT_EXPECT_PTR_EQ(test, npt_format_for(&npt_format_ept, false), &npt_format_ept);
	KUNIT_EXPECT_PTR_EQ(test, npt_format_for(&npt_format_amd, true), &npt_format_amd);
}

/* APM Vol. 2, "Long-Mode Page Translation" and "Nested Paging" */
static void amd_leaf_has_the_manuals_bits(struct kunit *test)
{
	const struct npt_format *f = &npt_format_amd;

	/* P, U, A; NX */
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R, 1), 0x8000000000001025ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R | X, 1), 0x1025ull);
	/* W and D */
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x1000, R | W | X, 1), 0x1067ull);
	KUNIT_EXPECT_EQ(test, npt_make_leaf(f, 0x200000, R | W | X, 2), 0x2000e7ull);
	/* a nested table's entries must let user accesses through */
	KUNIT_EXPECT_EQ(test, f->table & 7, 7ull);
}

static void leaf_grants_what_it_was_made_with(struct kunit *test)
{
	int i, level;
	u32 access;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		for (level = 1; level <= 3; level++)
			for (access = R; access <= (R | W | X); access += 2) {
				u64 pte = npt_make_leaf(formats[i], 1ull << 30, access,
							level);

				KUNIT_EXPECT_EQ(test, npt_leaf_access(formats[i], pte),
						access);
				KUNIT_EXPECT_TRUE(test, pte & formats[i]->present);
				KUNIT_EXPECT_FALSE(test,
						   npt_is_table(formats[i], pte, level));
				KUNIT_EXPECT_EQ(test, pte & NPT_ADDR, 1ull << 30);
			}
	KUNIT_EXPECT_EQ(test, npt_leaf_access(&npt_format_ept, 0), 0u);
	KUNIT_EXPECT_EQ(test, npt_leaf_access(&npt_format_amd, 0), 0u);
}

/* A table that is freed when the test ends */
struct fixture {
	struct npt npt;
	struct npt_cache cache;
	struct list_head freed;
};

static int fixture_init(struct kunit_resource *res, void *fmt)
{
	struct fixture *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	res->data = f;
	INIT_LIST_HEAD(&f->freed);
	return npt_init(&f->npt, fmt);
}

static void fixture_fini(struct kunit_resource *res)
{
	struct fixture *f = res->data;

	npt_cache_drain(&f->cache);
	npt_free_list(&f->freed);
	npt_fini(&f->npt);
	kfree(f);
}

static struct fixture *new_table(struct kunit *test, const struct npt_format *fmt)
{
	struct fixture *f = kunit_alloc_resource(test, fixture_init, fixture_fini,
						 GFP_KERNEL, (void *)fmt);

	KUNIT_ASSERT_NOT_NULL(test, f);
	return f;
}

static int map(struct kunit *test, struct fixture *f, u64 gpa, u64 hpa, u32 access,
	       int level)
{
	KUNIT_ASSERT_EQ(test, npt_cache_fill(&f->cache), 0);
	return npt_map(&f->npt, &f->cache, gpa,
		       npt_make_leaf(f->npt.fmt, hpa, access, level), level, &f->freed);
}

/* what @gpa maps to, or ~0 */
static u64 translate(const struct fixture *f, u64 gpa, u32 *access)
{
	struct npt_pos pos = npt_walk(&f->npt, gpa, 1);

	*access = 0;
	if (!npt_pos_is_leaf(&f->npt, &pos))
		return ~0ull;
	*access = npt_leaf_access(f->npt.fmt, pos.pte);
	return (pos.pte & NPT_ADDR) | (gpa & (npt_size(pos.level) - 1));
}

static void mapped_pages_translate_at_every_level(struct kunit *test)
{
	static const u64 gpas[] = {
		0, 1ull << 30, 511ull << 39, 0xffffc0000000ull,
	};
	int i, j, level;
	u32 access;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		for (j = 0; j < ARRAY_SIZE(gpas); j++)
			for (level = 1; level <= 3; level++) {
				struct fixture *f = new_table(test, formats[i]);
				u64 last = gpas[j] + npt_size(level) - 1;

				KUNIT_EXPECT_EQ(test, 0, map(test, f, gpas[j], 3ull << 30,
							     R | W, level));
				KUNIT_EXPECT_EQ(test, translate(f, last, &access),
						(3ull << 30) + npt_size(level) - 1);
				KUNIT_EXPECT_EQ(test, access, (u32)(R | W));
				KUNIT_EXPECT_EQ(test, translate(f, last ^ 1ull << 38,
								&access), ~0ull);
			}
}

static void flush_is_asked_for_when_something_is_taken_away(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fixture *f = new_table(test, formats[i]);

		KUNIT_EXPECT_EQ(test, map(test, f, 0x5000, 0x1000, R, 1), 0);
		/* the same, and more rights */
		KUNIT_EXPECT_EQ(test, map(test, f, 0x5000, 0x1000, R, 1), 0);
		KUNIT_EXPECT_EQ(test, map(test, f, 0x5000, 0x1000, R | W | X, 1), 0);
		/* fewer, and another page */
		KUNIT_EXPECT_EQ(test, map(test, f, 0x5000, 0x1000, R | X, 1), 1);
		KUNIT_EXPECT_EQ(test, map(test, f, 0x5000, 0x2000, R | X, 1), 1);
		KUNIT_EXPECT_TRUE(test, npt_unmap(&f->npt, 0x5000, 0x1000, &f->freed));
		KUNIT_EXPECT_FALSE(test, npt_unmap(&f->npt, 0x5000, 0x1000, &f->freed));
	}
}

static void small_table_gives_way_to_a_large_leaf(struct kunit *test)
{
	struct fixture *f = new_table(test, &npt_format_ept);
	unsigned long tables;
	u32 access;

	map(test, f, 0x200000, 0x1000, R | W, 1);
	map(test, f, 0x201000, 0x2000, R | W, 1);
	tables = f->npt.nr_tables;
	KUNIT_EXPECT_EQ(test, map(test, f, 0x200000, 0x40000000, R | W, 2), 1);
	KUNIT_EXPECT_EQ(test, f->npt.nr_tables, tables - 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&f->freed));
	KUNIT_EXPECT_EQ(test, translate(f, 0x201234, &access), 0x40001234ull);
}

static void large_leaf_is_split_and_none_of_it_lost(struct kunit *test)
{
	u32 access;
	int i, k;

	for (k = 0; k < ARRAY_SIZE(formats); k++) {
		struct fixture *f = new_table(test, formats[k]);

		map(test, f, 0x40000000, 0x80000000, R | X, 3);
		/* more rights to one page: nobody need hear of it */
		KUNIT_EXPECT_EQ(test, 0, map(test, f, 0x40201000, 0x80201000, R | W | X, 1));
		KUNIT_EXPECT_EQ(test, f->npt.nr_tables, 4ul);
		for (i = 0; i < 1000; i += 31) {
			u64 offset = i * 0x100000ull + i * 0x1000;

			KUNIT_EXPECT_EQ(test, translate(f, 0x40000000 + offset, &access),
					0x80000000 + offset);
			KUNIT_EXPECT_EQ(test, access, (u32)(R | X));
		}
		KUNIT_EXPECT_EQ(test, translate(f, 0x40201fff, &access), 0x80201fffull);
		KUNIT_EXPECT_EQ(test, access, (u32)(R | W | X));
		KUNIT_EXPECT_EQ(test, translate(f, 0x40202000, &access), 0x80202000ull);
		KUNIT_EXPECT_EQ(test, access, (u32)(R | X));
		/* the bit that says "large" is clear at level 1 */
		KUNIT_EXPECT_EQ(test, npt_walk(&f->npt, 0x40202000, 1).pte,
				npt_make_leaf(formats[k], 0x80202000, R | X, 1));
		KUNIT_EXPECT_EQ(test, npt_walk(&f->npt, 0x40400000, 1).pte,
				npt_make_leaf(formats[k], 0x80400000, R | X, 2));
		/* fewer rights, or another page */
		KUNIT_EXPECT_EQ(test, 1, map(test, f, 0x40400000, 0x80400000, R, 1));
		KUNIT_EXPECT_EQ(test, 1, map(test, f, 0x40600000, 0x1000, R | X, 1));
	}
}

static void empty_cache_changes_nothing_that_translates(struct kunit *test)
{
	struct fixture *f = new_table(test, &npt_format_amd);
	struct npt_cache empty = {};
	u32 access;

	KUNIT_EXPECT_EQ(test, -EAGAIN,
			npt_map(&f->npt, &empty, 0x1000,
				npt_make_leaf(f->npt.fmt, 0x1000, R, 1), 1, &f->freed));
	KUNIT_EXPECT_EQ(test, translate(f, 0x1000, &access), ~0ull);
	KUNIT_EXPECT_EQ(test, map(test, f, 0x1000, 0x1000, R, 1), 0);
}

static void unmap_takes_whole_subtrees_and_partial_ones(struct kunit *test)
{
	struct fixture *f = new_table(test, &npt_format_ept);
	unsigned long empty = f->npt.nr_tables;
	u32 access;
	u64 i;

	for (i = 0; i < 1024; i++)
		map(test, f, 0x3ff00000 + i * 0x1000, i * 0x1000, R, 1);
	KUNIT_EXPECT_TRUE(test, npt_unmap(&f->npt, 0x3fffe000, 0x4000, &f->freed));
	KUNIT_EXPECT_EQ(test, translate(f, 0x3fffd000, &access), 0xfd000ull);
	KUNIT_EXPECT_EQ(test, translate(f, 0x3fffe000, &access), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(f, 0x40001000, &access), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(f, 0x40002000, &access), 0x102000ull);
	KUNIT_EXPECT_TRUE(test, npt_unmap(&f->npt, 0, 1ull << 48, &f->freed));
	KUNIT_EXPECT_EQ(test, f->npt.nr_tables, empty);
	KUNIT_EXPECT_FALSE(test, npt_unmap(&f->npt, 0, 1ull << 48, &f->freed));
}

/* APM Vol. 2, "Page-Translation-Table Entry Fields": bit 5 */
static void memory_is_young_until_it_is_aged_and_again_when_it_is_used(struct kunit *test)
{
	struct fixture *f = new_table(test, &npt_format_amd);
	struct npt_pos pos;
	u32 access;

	map(test, f, 0x3000, 0x7000, R | W, 1);
	map(test, f, 0x200000, 0x40000000, R | W, 2);
	KUNIT_EXPECT_TRUE(test, npt_is_young(&f->npt, 0x3fff, 1));
	KUNIT_EXPECT_FALSE(test, npt_is_young(&f->npt, 0x4000, 0x1fc000));
	KUNIT_EXPECT_TRUE(test, npt_age(&f->npt, 0, 0x4000));
	KUNIT_EXPECT_FALSE(test, npt_age(&f->npt, 0, 0x200000));
	KUNIT_EXPECT_TRUE(test, npt_is_young(&f->npt, 0, 1ull << 48));
	/* a large leaf by any page of it */
	KUNIT_EXPECT_TRUE(test, npt_age(&f->npt, 0x3ff000, 0x1000));
	KUNIT_EXPECT_FALSE(test, npt_is_young(&f->npt, 0, 1ull << 48));
	/* what it maps to, and to which rights, stays */
	KUNIT_EXPECT_EQ(test, translate(f, 0x3123, &access), 0x7123ull);
	KUNIT_EXPECT_EQ(test, access, (u32)(R | W));
	pos = npt_walk(&f->npt, 0x3000, 1);
	*pos.ptep |= BIT(5);
	KUNIT_EXPECT_TRUE(test, npt_age(&f->npt, 0, 1ull << 48));
}

static void without_accessed_bits_what_is_mapped_is_young(struct kunit *test)
{
	struct fixture *f = new_table(test, &npt_format_ept);

	KUNIT_EXPECT_FALSE(test, npt_is_young(&f->npt, 0, 1ull << 48));
	map(test, f, 0x3000, 0x7000, R, 1);
	KUNIT_EXPECT_TRUE(test, npt_is_young(&f->npt, 0, 1ull << 48));
	KUNIT_EXPECT_FALSE(test, npt_is_young(&f->npt, 0x4000, 0x1000));
}

#define PAGES	4096	/* of the model: two tables of level 1 in each of four places */

/* A page of the model, in one of four far corners of the address space */
static u64 gpa_of(u32 i)
{
	static const u64 corner[] = {
		0, 0x3fe00000, 0x7fffc00000, 0xffffffc00000ull,
	};

	return corner[i / 1024] + (i % 1024) * 0x1000ull;
}

struct model {
	u64 hpa[PAGES];
	u8 access[PAGES];
};

static void model_step(struct kunit *test, struct fixture *f, struct model *m,
		       struct rnd_state *rnd)
{
	u32 what = prandom_u32_state(rnd);
	u32 i = what % PAGES, n, j;
	u64 hpa = (u64)(prandom_u32_state(rnd) & 0x7ffff) << 21;
	u32 access = R | (what >> 16 & (W | X));

	switch (what >> 28) {
	case 0 ... 9:	/* small */
		hpa += (what & 0x1ff) << 12;
		map(test, f, gpa_of(i), hpa, access, 1);
		/* a large leaf that was in the way is split */
		for (j = i & ~511; j < (i | 511) + 1; j++)
			m->access[j] &= ~0x80;
		m->hpa[i] = hpa;
		m->access[i] = access;
		break;
	case 10:	/* 2 MiB */
		i &= ~511;
		map(test, f, gpa_of(i), hpa, access, 2);
		for (j = i; j < i + 512; j++) {
			m->hpa[j] = hpa + (j - i) * 0x1000ull;
			m->access[j] = access | 0x80;
		}
		break;
	default:	/* some pages, within one corner */
		n = min_t(u32, what >> 16 & 0x3ff, 1024 - i % 1024) ?: 1;
		npt_unmap(&f->npt, gpa_of(i), n * 0x1000ull, &f->freed);
		for (j = i & ~511; j < ((i + n - 1) | 511) + 1; j++)
			if ((j >= i && j < i + n) ||
			    ((m->access[j] & 0x80) && (j | 511) >= i &&
			     (j & ~511) < i + n))
				m->access[j] = 0;
	}
}

static void table_agrees_with_the_model(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct rnd_state rnd;
	int k, step;
	u32 i, access;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 0x3e97);
	for (k = 0; k < ARRAY_SIZE(formats); k++) {
		struct fixture *f = new_table(test, formats[k]);

		memset(m, 0, sizeof(*m));
		for (step = 0; step < 3000 * FAKE_ROUNDS; step++) {
			model_step(test, f, m, &rnd);
			npt_free_list(&f->freed);
			for (i = step % 61; i < PAGES; i += 61) {
				u64 hpa = translate(f, gpa_of(i), &access);

				KUNIT_ASSERT_EQ_MSG(test, access,
						    m->access[i] & (u32)~0x80,
						    "step %d page %u", step, i);
				if (access)
					KUNIT_ASSERT_EQ(test, hpa, m->hpa[i]);
			}
		}
		npt_unmap(&f->npt, 0, 1ull << 48, &f->freed);
		KUNIT_EXPECT_EQ(test, f->npt.nr_tables, 1ul);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ept_leaf_has_the_manuals_bits),
	KUNIT_CASE(ept_leaf_with_ad_counts_as_used),
	KUNIT_CASE(amd_leaf_has_the_manuals_bits),
	KUNIT_CASE(leaf_grants_what_it_was_made_with),
	KUNIT_CASE(mapped_pages_translate_at_every_level),
	KUNIT_CASE(flush_is_asked_for_when_something_is_taken_away),
	KUNIT_CASE(small_table_gives_way_to_a_large_leaf),
	KUNIT_CASE(large_leaf_is_split_and_none_of_it_lost),
	KUNIT_CASE(empty_cache_changes_nothing_that_translates),
	KUNIT_CASE(unmap_takes_whole_subtrees_and_partial_ones),
	KUNIT_CASE(memory_is_young_until_it_is_aged_and_again_when_it_is_used),
	KUNIT_CASE(without_accessed_bits_what_is_mapped_is_young),
	KUNIT_CASE(table_agrees_with_the_model),
	{}
};

static struct kunit_suite suite = { .name = "npt", .test_cases = cases };
kunit_test_suite(suite);
