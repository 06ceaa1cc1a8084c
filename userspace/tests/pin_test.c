// SPDX-License-Identifier: GPL-2.0-or-later
/* --pin: which lists are taken, and what is said of the others. */
#include "../tool/tool.h"
#include "test.h"

static char why[128];

/* on a host with CPUs 0 to 7, but for 5 */
static bool parse(const char *list, uint32_t *cpu, uint32_t n)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	for (int i = 0; i < 8; i++)
		if (i != 5)
			CPU_SET(i, &allowed);
	why[0] = 0;
	return !pin_parse(list, &allowed, cpu, n, why, sizeof(why));
}

TEST(pin_takes_numbers_and_ranges_in_their_order)
{
	uint32_t cpu[4];

	EXPECT_TRUE(parse("7", cpu, 1));
	EXPECT_EQ(cpu[0], 7);
	EXPECT_TRUE(parse("6,0-2", cpu, 4));
	EXPECT_EQ(cpu[0], 6);
	EXPECT_EQ(cpu[1], 0);
	EXPECT_EQ(cpu[3], 2);
	EXPECT_TRUE(parse("3,3", cpu, 2));	/* two on one is a wish too */
	EXPECT_EQ(cpu[1], 3);
}

TEST(pin_says_what_is_wrong_with_a_list)
{
	static const char *const bad[] = {
		"", ",", "1,", ",1", "1,,2", "a", "1-", "-1", "1-2-3", "2-1", "1 2",
		"0x1", "+1", "1;2",
	};
	uint32_t cpu[4];

	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(parse(bad[i], cpu, 2), 0);
		EXPECT_TRUE(strstr(why, "not a list"));
	}
	EXPECT_EQ(parse("4-6", cpu, 3), 0);
	EXPECT_TRUE(strstr(why, "host CPU 5 "));
	EXPECT_EQ(parse("99999999999999999999", cpu, 1), 0);
	EXPECT_TRUE(strstr(why, "does not exist"));
	EXPECT_EQ(parse("0-4294967295", cpu, 1), 0);
	EXPECT_EQ(parse("0-3", cpu, 2), 0);
	EXPECT_TRUE(strstr(why, "4 host CPUs for 2 vCPUs"));
	EXPECT_EQ(parse("0", cpu, 2), 0);
	EXPECT_TRUE(strstr(why, "1 host CPUs for 2 vCPUs"));
}
