// SPDX-License-Identifier: GPL-2.0-only
/* The list of capabilities, and its reasons. */
#include <linux/printk.h>

#include "../caps.c"
#include "fake.h"

static void what_is_there_is_used_and_needs_no_reason(struct kunit *test)
{
	struct limen_caps caps = {};

	KUNIT_EXPECT_TRUE(test, limen_cap_may(&caps, "a", true, "why"));
	KUNIT_EXPECT_FALSE(test, limen_cap_may(&caps, "b", false, "why"));
	KUNIT_EXPECT_EQ(test, caps.nr, 2u);
	KUNIT_EXPECT_EQ(test, caps.note[0].state, (u32)LIMEN_CAP_USED);
	KUNIT_EXPECT_STREQ(test, caps.note[0].reason, "");
	KUNIT_EXPECT_EQ(test, caps.note[1].state, (u32)LIMEN_CAP_ABSENT);
	KUNIT_EXPECT_STREQ(test, caps.note[1].reason, "why");
}

static void list_that_is_full_takes_no_more(struct kunit *test)
{
	struct limen_caps *caps = kunit_kzalloc(test, sizeof(*caps), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, caps);
	for (i = 0; i < LIMEN_MAX_CAPS + 10; i++)
		limen_cap_note(caps, "x", LIMEN_CAP_UNUSED, "y");
	KUNIT_EXPECT_EQ(test, caps->nr, (unsigned int)LIMEN_MAX_CAPS);
	KUNIT_EXPECT_EQ(test, caps->phys_bits, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_is_there_is_used_and_needs_no_reason),
	KUNIT_CASE(list_that_is_full_takes_no_more),
	{}
};

static struct kunit_suite suite = { .name = "caps", .test_cases = cases };
kunit_test_suite(suite);
