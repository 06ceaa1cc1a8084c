// SPDX-License-Identifier: GPL-2.0-only
/* Rules: which one counts, and which are none. */
#include "../policy.c"
#include "fake.h"

static const struct limen_policy msr_rule = {
	.kind = LIMEN_POLICY_MSR, .first = 0x100, .last = 0x1ff,
	.access = LIMEN_ON_READ | LIMEN_ON_WRITE, .action = LIMEN_DO_EXIT,
};

static struct limen_vm *vm_with(struct kunit *test, const struct limen_policy *p, u32 n)
{
	struct limen_vm *vm = fake_vm(test, 0);

	memcpy(vm->policy, p, n * sizeof(*p));
	vm->nr_policy = n;
	return vm;
}

static void rule_counts_within_its_range_kind_and_access(struct kunit *test)
{
	struct limen_policy read_only = msr_rule;
	struct limen_vm *vm;

	read_only.access = LIMEN_ON_READ;
	vm = vm_with(test, &read_only, 1);
	KUNIT_EXPECT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0xff,
						  LIMEN_ON_READ));
	KUNIT_EXPECT_NOT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0x100,
						      LIMEN_ON_READ));
	KUNIT_EXPECT_NOT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0x1ff,
						      LIMEN_ON_READ));
	KUNIT_EXPECT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0x200,
						  LIMEN_ON_READ));
	KUNIT_EXPECT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0x100,
						  LIMEN_ON_WRITE));
	KUNIT_EXPECT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_PORT, 0x100,
						  LIMEN_ON_READ));
}

static void later_rule_wins_and_default_ends_the_search(struct kunit *test)
{
	struct limen_policy rules[3] = { msr_rule, msr_rule, msr_rule };
	struct limen_vm *vm;

	rules[1].first = 0x180;
	rules[1].action = LIMEN_DO_FAULT;
	rules[2].first = 0x1c0;
	rules[2].action = LIMEN_DO_DEFAULT;
	vm = vm_with(test, rules, 3);
	KUNIT_EXPECT_EQ(test, LIMEN_DO_EXIT,
			limen_policy_find(vm, LIMEN_POLICY_MSR, 0x17f,
					  LIMEN_ON_READ)->action);
	KUNIT_EXPECT_EQ(test, LIMEN_DO_FAULT,
			limen_policy_find(vm, LIMEN_POLICY_MSR, 0x180,
					  LIMEN_ON_READ)->action);
	KUNIT_EXPECT_NULL(test, limen_policy_find(vm, LIMEN_POLICY_MSR, 0x1c0,
						  LIMEN_ON_READ));
}

static void what_is_no_rule_is_refused(struct kunit *test)
{
	static const struct limen_policy bad[] = {
		{ .kind = 0, .access = 1, .action = 3 },
		{ .kind = 4, .access = 1, .action = 3 },
		{ .kind = 1, .access = 0, .action = 3 },
		{ .kind = 1, .access = 4, .action = 3 },
		{ .kind = 1, .access = 1, .action = 4 },
		{ .kind = 1, .access = 1, .action = 3, .first = 2, .last = 1 },
		{ .kind = 1, .access = 1, .action = 3, .value = 1 },
		{ .kind = 2, .access = 1, .action = 3, .last = 0x10000 },
		{ .kind = 3, .access = 2, .action = 3 },
		{ .kind = 3, .access = 1, .action = LIMEN_DO_FAULT },
		{ .kind = 3, .access = 1, .action = 2, .value = 1ull << 32 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, limen_policy_check(&bad[i]), -EINVAL,
				    "row %d", i);
	KUNIT_EXPECT_EQ(test, limen_policy_check(&msr_rule), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(rule_counts_within_its_range_kind_and_access),
	KUNIT_CASE(later_rule_wins_and_default_ends_the_search),
	KUNIT_CASE(what_is_no_rule_is_refused),
	{}
};

static struct kunit_suite suite = { .name = "policy", .test_cases = cases };
kunit_test_suite(suite);
