// SPDX-License-Identifier: GPL-2.0-or-later
/* limen bench: its arithmetic, and that it leaves nothing behind when a VM fails. */
#include <errno.h>

#include "../bench/bench.h"
#include "test.h"

static int live, runs, fail_at;
static uint64_t rounds_wanted, rounds_seen;

static int fake_create(void *mem, size_t len, struct bench_vm **out)
{
	if (len != BENCH_MEM || ((uint8_t *)mem)[BENCH_MEM - 1])
		return -EINVAL;
	live++;
	*out = (struct bench_vm *)mem;
	return 0;
}

static void fake_destroy(struct bench_vm *vm)
{
	(void)vm;
	live--;
}

static int fake_start(struct bench_vm *vm, uint64_t count)
{
	(void)vm;
	rounds_wanted = count;
	return 0;
}

/* each round is an access; the last one is followed by the end */
static int fake_run(struct bench_vm *vm)
{
	(void)vm;
	if (fail_at && ++runs == fail_at)
		return -EIO;
	if (!rounds_wanted)
		return BENCH_DONE;
	rounds_wanted--;
	rounds_seen++;
	return BENCH_ACCESS;
}

static const struct backend fake_backend = {
	.name = "fake", .create = fake_create, .destroy = fake_destroy,
	.start = fake_start, .run = fake_run,
};

static const uint8_t code[] = { 0xf4 };

static struct bench_result measure(bool fresh)
{
	const struct bench_test t = {
		.name = "t", .code = code, .code_end = code + 1, .rounds = 5, .fresh = fresh,
	};
	struct bench_result r;

	live = runs = 0;
	rounds_seen = 0;
	bench_measure(&fake_backend, &t, 2, &r);
	return r;
}

TEST(bench_median_is_the_middle_or_between_the_two)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 100 }, one[] = { 7 };

	EXPECT_TRUE(bench_median(odd, 3) == 5);
	EXPECT_TRUE(bench_median(even, 4) == 3.5);
	EXPECT_TRUE(bench_median(one, 1) == 7);
	/* sorted, for the ends */
	EXPECT_TRUE(odd[0] == 1 && odd[2] == 9);
}

TEST(bench_runs_n_and_2n_rounds_and_once_more_to_warm_up)
{
	struct bench_result r = measure(false);

	fail_at = 0;
	EXPECT_EQ(r.err, 0);
	EXPECT_EQ(rounds_seen, 3 * (5 + 10));
	EXPECT_EQ(live, 0);
	EXPECT_TRUE(r.min <= r.median && r.median <= r.max);
	r = measure(true);
	EXPECT_EQ(r.err, 0);
	EXPECT_EQ(rounds_seen, 3 * (5 + 10));
	EXPECT_EQ(live, 0);
}

TEST(bench_reports_an_error_and_destroys_the_vm)
{
	struct bench_result r;

	for (fail_at = 1; fail_at < 40; fail_at += 7) {
		r = measure(fail_at & 1);
		EXPECT_EQ(-r.err, EIO);
		EXPECT_EQ(live, 0);
	}
	fail_at = 0;
}

TEST(bench_tests_have_a_name_each_and_code_or_a_function)
{
	for (size_t i = 0; i < bench_nr_tests; i++) {
		const struct bench_test *t = &bench_tests[i];

		EXPECT_TRUE(t->name && t->what && t->rounds);
		EXPECT_EQ(!t->code, !!t->host);
		EXPECT_TRUE(!t->code || (t->code_end > t->code &&
					 t->code_end - t->code < 4096));
		for (size_t j = 0; j < i; j++)
			EXPECT_TRUE(strcmp(t->name, bench_tests[j].name));
	}
	/* what a fresh VM touches must be there, twice */
	EXPECT_TRUE(BENCH_DATA + 2 * 400 * 4096 <= BENCH_MEM);
}
