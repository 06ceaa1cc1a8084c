// SPDX-License-Identifier: GPL-2.0-only
/* Which write signals which eventfd, and which entries may be together. */
#include <linux/random.h>
#include <linux/prandom.h>

#include "../ioevent.c"
#include "fake.h"

#define MMIO	LIMEN_IOEVENT_MMIO
#define PORT	LIMEN_IOEVENT_PORT

static struct eventfd_ctx *ctx_nr(unsigned long n)
{
	return (void *)(n * 16);
}

static struct limen_ioevents *table(struct kunit *test, u32 room)
{
	struct limen_ioevents *t = kunit_kzalloc(test, struct_size(t, e, room),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	return t;
}

static int add(struct limen_ioevents *t, u8 space, u64 addr, u8 len, s64 match,
	       unsigned long ctx)
{
	struct limen_ioevent e = {
		.space = space, .addr = addr, .len = len, .any = match < 0,
		.match = match < 0 ? 0 : match, .ctx = ctx_nr(ctx),
	};

	return limen_ioevent_insert(t, &e);
}

static unsigned long hit(const struct limen_ioevents *t, u8 space, u64 addr, u8 len,
			 u64 val)
{
	const struct limen_ioevent *e = limen_ioevent_find(t, space, addr, len, val);

	return e ? (unsigned long)e->ctx / 16 : 0;
}

static void arguments_are_checked(struct kunit *test)
{
	static const struct {
		struct limen_ioeventfd arg;
		int err;
	} rows[] = {
		{ { .addr = 0xd0000050 }, 0 },
		{ { .addr = 0xd0000050, .len = 8 }, 0 },
		{ { .addr = 0xd0000050, .len = 3 }, -EINVAL },
		{ { .addr = 0xd0000050, .len = 16 }, -EINVAL },
		{ { .addr = 0xd0000050, .len = 0x10004 }, -EINVAL },
		{ { .addr = ~0ull, .len = 1 }, -EINVAL },
		{ { .addr = ~0ull - 1, .len = 1 }, 0 },
		{ { .flags = 8 }, -EINVAL },
		{ { .flags = 2, .addr = 0xffff, .len = 4 }, 0 },
		{ { .flags = 2, .addr = 0x10000, .len = 1 }, -EINVAL },
		{ { .flags = 2, .addr = 0x60, .len = 8 }, -EINVAL },
		{ { .flags = 3, .addr = 0x60 }, 0 },
		/* a value needs a length, and room in it */
		{ { .flags = 4, .match = 1 }, -EINVAL },
		{ { .flags = 4, .len = 1, .match = 0xff }, 0 },
		{ { .flags = 4, .len = 1, .match = 0x100 }, -EINVAL },
		{ { .flags = 4, .len = 4, .match = 0x100000000 }, -EINVAL },
		{ { .flags = 4, .len = 8, .match = ~0ull }, 0 },
		{ { .len = 4, .match = 1 }, -EINVAL },
	};
	struct limen_ioevent e;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, limen_ioevent_decode(&rows[i].arg, &e),
				    rows[i].err, "row %d", i);
	e.ctx = ctx_nr(1);
	KUNIT_EXPECT_EQ(test, limen_ioevent_decode(&rows[17 - 4].arg, &e), 0);
	KUNIT_EXPECT_EQ(test, e.match, 0xffull);
	KUNIT_EXPECT_FALSE(test, e.any);
	KUNIT_EXPECT_EQ(test, e.len, 1);
	KUNIT_EXPECT_EQ(test, e.space, (u8)MMIO);
}

static void length_and_place_must_be_the_same(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 4);

	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, -1, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, PORT, 0x50, 2, -1, 2), 0);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 7), 1ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 2, 7), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 8, 7), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x51, 4, 7), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x4f, 4, 7), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, PORT, 0x50, 2, 7), 2ul);
	KUNIT_EXPECT_EQ(test, hit(t, PORT, 0x50, 4, 7), 0ul);
}

static void without_a_length_every_write_counts(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 1);
	u8 len;

	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 0, -1, 1), 0);
	for (len = 1; len <= 8; len *= 2)
		KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, len, 1ull << len), 1ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x51, 1, 0), 0ul);
}

static void value_counts_as_far_as_it_is_written(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 8);

	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 1, 0x80, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 2, 0x80, 2), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, 0, 3), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, 1, 4), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 8, 0x7fffffffffffffff, 5), 0);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 1, 0xffffffffffffff80), 1ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 1, 0x81), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 2, 0x12340080), 2ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 2, 0x180), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 0), 3ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 0xff00000001), 4ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 2), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 8, 0x7fffffffffffffff), 5ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 8, 0xffffffffffffffff), 0ul);
}

static void what_could_match_together_is_refused(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 8);

	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, 1, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, -1, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 0, -1, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 4, 2, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 2, -1, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x50, 2, 5, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x54, 0, -1, 1), 0);
	KUNIT_EXPECT_EQ(test, add(t, MMIO, 0x54, 8, 5, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, t->nr, 4u);
}

static void removed_is_what_is_equal_in_all(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 8);
	struct limen_ioevent e = { .addr = 0x50, .len = 4, .match = 1, .ctx = ctx_nr(2) };

	add(t, MMIO, 0x50, 4, 0, 1);
	add(t, MMIO, 0x50, 4, 1, 2);
	add(t, MMIO, 0x50, 4, 2, 3);
	e.ctx = ctx_nr(1);
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), -ENOENT);
	e.ctx = ctx_nr(2);
	e.len = 2;
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), -ENOENT);
	e.len = 4;
	e.any = true;
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), -ENOENT);
	e.any = false;
	e.space = PORT;
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), -ENOENT);
	e.space = MMIO;
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), 0);
	KUNIT_EXPECT_EQ(test, limen_ioevent_remove(t, &e), -ENOENT);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 0), 1ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 1), 0ul);
	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0x50, 4, 2), 3ul);
}

static void empty_table_has_nothing(struct kunit *test)
{
	struct limen_ioevents *t = table(test, 0);

	KUNIT_EXPECT_EQ(test, hit(t, MMIO, 0, 1, 0), 0ul);
	KUNIT_EXPECT_FALSE(test, limen_ioevent_has(t, PORT, 0));
}

#define MODEL	64

/* The model: a list in the order of insertion, searched from end to end. */
struct model {
	struct limen_ioevent e[MODEL];
	u32 nr;
};

static bool model_hits(const struct limen_ioevent *e, u8 space, u64 addr, u8 len, u64 val)
{
	if (len < 8)
		val &= (1ull << 8 * len) - 1;
	return e->space == space && e->addr == addr && (!e->len || e->len == len) &&
	       (e->any || e->match == val);
}

static unsigned long model_find(const struct model *m, u8 space, u64 addr, u8 len, u64 val)
{
	u32 i;

	for (i = 0; i < m->nr; i++)
		if (model_hits(&m->e[i], space, addr, len, val))
			return (unsigned long)m->e[i].ctx / 16;
	return 0;
}

static void random_entry(struct rnd_state *rnd, struct limen_ioevent *e, u32 n)
{
	static const u8 lens[] = { 0, 1, 2, 4, 8 };
	u32 r = prandom_u32_state(rnd);

	*e = (struct limen_ioevent){
		.space = r & 1, .addr = r >> 1 & 7, .ctx = ctx_nr(n),
		.len = lens[(r >> 4 & 0xff) % 5],
		.match = r >> 12 & 3, .any = r >> 14 & 1,
	};
	if (!e->len)
		e->any = true;
	if (e->any)
		e->match = 0;
}

static void compare_all(struct kunit *test, const struct limen_ioevents *t,
			const struct model *m)
{
	u32 i, len;

	for (i = 0; i < 2 * 8 * 4; i++)
		for (len = 1; len <= 8; len *= 2)
			KUNIT_ASSERT_EQ(test, hit(t, i & 1, i >> 1 & 7, len, i >> 4),
					model_find(m, i & 1, i >> 1 & 7, len, i >> 4));
}

static void random_changes_agree_with_a_list(struct kunit *test)
{
	struct limen_ioevents *t = table(test, MODEL + 1);
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct rnd_state rnd;
	u32 i, step, n = 0;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 1);
	for (step = 0; step < 2000 * FAKE_ROUNDS; step++) {
		struct limen_ioevent e;

		if (m->nr == MODEL || (m->nr && !(prandom_u32_state(&rnd) % 3))) {
			i = prandom_u32_state(&rnd) % m->nr;
			KUNIT_ASSERT_EQ(test, limen_ioevent_remove(t, &m->e[i]), 0);
			m->e[i] = m->e[--m->nr];
		} else {
			random_entry(&rnd, &e, ++n);
			if (!limen_ioevent_insert(t, &e))
				m->e[m->nr++] = e;
		}
		KUNIT_ASSERT_EQ(test, t->nr, m->nr);
		compare_all(test, t, m);
		for (i = 1; i < t->nr; i++)
			KUNIT_ASSERT_FALSE(test, is_before(&t->e[i], t->e[i - 1].space,
							   t->e[i - 1].addr));
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(arguments_are_checked),
	KUNIT_CASE(length_and_place_must_be_the_same),
	KUNIT_CASE(without_a_length_every_write_counts),
	KUNIT_CASE(value_counts_as_far_as_it_is_written),
	KUNIT_CASE(what_could_match_together_is_refused),
	KUNIT_CASE(removed_is_what_is_equal_in_all),
	KUNIT_CASE(empty_table_has_nothing),
	KUNIT_CASE(random_changes_agree_with_a_list),
	{}
};

static struct kunit_suite suite = { .name = "ioevent", .test_cases = cases };
kunit_test_suite(suite);
