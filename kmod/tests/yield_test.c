// SPDX-License-Identifier: GPL-2.0-only
/* To whom a vCPU gives its CPU. */
#include "../vcpu.h"
#include "../yield.c"
#include "fake.h"

static void those_that_wait_for_a_cpu_take_turns(struct kunit *test)
{
	struct limen_vm *vm = fake_vm(test, 6);
	struct limen_vcpu **all = vm->vcpu;

	KUNIT_EXPECT_NULL(test, pick(vm, all[0], 0));
	all[0]->ready = true;
	all[2]->ready = true;
	all[5]->ready = true;
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[0], 0), all[2]);
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[0], 2), all[5]);
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[0], 5), all[2]);
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[1], 63), all[0]);
	all[5]->ready = false;
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[0], 2), all[2]);
	KUNIT_EXPECT_PTR_EQ(test, pick(vm, all[2], 2), all[0]);
}

static void yield_is_done_once(struct kunit *test)
{
	struct limen_vm *vm = fake_vm(test, 2);
	struct limen_vcpu *vcpu = vm->vcpu[0];

	vcpu->want_yield = true;
	vcpu->yield_to = vm->vcpu[1];
	limen_yield(vcpu);
	KUNIT_EXPECT_FALSE(test, vcpu->want_yield);
	KUNIT_EXPECT_NULL(test, vcpu->yield_to);

	/* a vCPU that no thread has run yet */
	vm->vcpu[1]->ready = true;
	vcpu->yield_to = vm->vcpu[1];
	limen_yield(vcpu);
	limen_yield(vcpu);
	KUNIT_EXPECT_EQ(test, vm->yield_last, 1u);

	/* whose thread is this one */
	preempt_notifier_inc();
	limen_vcpu_load(vm->vcpu[1]);
	limen_vcpu_put(vm->vcpu[1]);
	preempt_notifier_dec();
	vm->vcpu[1]->ready = true;
	limen_yield(vcpu);
	KUNIT_EXPECT_EQ(test, vcpu->stat[LIMEN_STAT_YIELDS], 0ull);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(those_that_wait_for_a_cpu_take_turns),
	KUNIT_CASE(yield_is_done_once),
	{}
};

static struct kunit_suite suite = { .name = "yield", .test_cases = cases };
kunit_test_suite(suite);
