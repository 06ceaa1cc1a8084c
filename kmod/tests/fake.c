// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests' stand-ins for what a CPU, the host's clock and the module's impure
 * files supply. Every test starts from fake_vm() or fake_vcpu().
 */
#include <linux/module.h>

#include "fake.h"

struct fake fake = { .tsc = 1000000 };
struct limen_caps limen_caps = { .phys_bits = 40 };

u64 limen_host_tsc(void)
{
	return fake.tsc;
}

u32 limen_tsc_khz(void)
{
	return FAKE_TSC_KHZ;
}

void limen_vcpu_notify(struct limen_vcpu *vcpu)
{
	atomic_inc(&fake.notified);
	rcuwait_wake_up(&vcpu->wait);
}

void limen_vcpu_request(struct limen_vcpu *vcpu, enum limen_request req)
{
	set_bit(req, &vcpu->requests);
	limen_vcpu_notify(vcpu);
}

void limen_vcpu_nmi(struct limen_vcpu *vcpu)
{
	atomic_inc(&vcpu->nmi_posted);
	limen_vcpu_request(vcpu, LIMEN_REQ_NMI);
}

static int init_apic(struct kunit_resource *res, void *vcpu)
{
	res->data = vcpu;
	return pi_init(vcpu);
}

static void free_apic(struct kunit_resource *res)
{
	pi_fini(res->data);
}

static void add_vcpu(struct kunit *test, struct limen_vm *vm, u32 id)
{
	struct limen_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->vm = vm;
	vcpu->id = id;
	rcuwait_init(&vcpu->wait);
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, init_apic, free_apic,
							 GFP_KERNEL, vcpu));
	vm->vcpu[id] = vcpu;
	vm->nr_vcpus++;
}

static struct limen_vm *empty_vm(struct kunit *test)
{
	struct limen_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	atomic_set(&fake.notified, 0);
	return vm;
}

struct limen_vm *fake_vm(struct kunit *test, u32 nr)
{
	struct limen_vm *vm = empty_vm(test);
	u32 id;

	for (id = 0; id < nr; id++)
		add_vcpu(test, vm, id);
	return vm;
}

struct limen_vcpu *fake_vcpu(struct kunit *test, u32 id)
{
	struct limen_vm *vm = empty_vm(test);

	add_vcpu(test, vm, id);
	return vm->vcpu[id];
}

MODULE_DESCRIPTION("KUnit tests of Limen");
MODULE_LICENSE("GPL");
