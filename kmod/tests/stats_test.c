// SPDX-License-Identifier: GPL-2.0-only
/* The names of the counters. */
#include "../stats.c"
#include "fake.h"

static void every_counter_has_a_name_of_its_own(struct kunit *test)
{
	int i, j;

	for (i = 0; i < LIMEN_NR_STAT; i++) {
		KUNIT_ASSERT_NOT_NULL(test, stat_name[i]);
		KUNIT_EXPECT_LT_MSG(test, strlen(stat_name[i]),
				    sizeof_field(struct limen_stat, name), "%s",
				    stat_name[i]);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, stat_name[i], stat_name[j]);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_counter_has_a_name_of_its_own),
	{}
};

static struct kunit_suite suite = { .name = "stats", .test_cases = cases };
kunit_test_suite(suite);
