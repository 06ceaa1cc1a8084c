// SPDX-License-Identifier: GPL-2.0
/* One KUnit suite, to see its result come out of the machine. */
#include <kunit/test.h>

static void one_is_one(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 1);
}

static struct kunit_case lab_cases[] = {
	KUNIT_CASE(one_is_one),
	{}
};

static struct kunit_suite lab_suite = {
	.name = "lab",
	.test_cases = lab_cases,
};

kunit_test_suites(&lab_suite);
