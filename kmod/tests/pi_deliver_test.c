// SPDX-License-Identifier: GPL-2.0-only
/* Who gets a message, in every destination format, and what it does to them. */
#include "../posted_irq/pi_deliver.c"
#include "fake.h"

#define MSI(dest)	(0xfee00000ull | (u64)(dest) << 12)
#define LOGICAL		BIT(2)
#define REDIRECT	BIT(3)
#define VECTOR		0x41
#define DATA(mode)	((mode) << 8 | VECTOR)

static void enable(struct limen_vm *vm)
{
	u32 id, svr = PI_SVR_ENABLED | 0xff;

	for (id = 0; id < vm->nr_vcpus; id++)
		pi_mmio(vm->vcpu[id], PI_REG_SVR, true, &svr);
}

static struct limen_vm *enabled_vm(struct kunit *test, u32 nr)
{
	struct limen_vm *vm = fake_vm(test, nr);

	enable(vm);
	return vm;
}

static void to_x2apic(struct limen_vm *vm)
{
	u32 id;

	for (id = 0; id < vm->nr_vcpus; id++)
		pi_wrmsr(vm->vcpu[id], 0x1b,
			 vm->vcpu[id]->pi.base | PI_BASE_EXTD);
}

/* Which vCPUs have @vector posted? A bit each; they are taken. */
static u64 takers_of(struct limen_vm *vm, u8 vector)
{
	u64 takers = 0;
	u32 id;

	for (id = 0; id < vm->nr_vcpus; id++)
		if (test_and_clear_bit(vector, vm->vcpu[id]->pi.desc->pir))
			takers |= BIT_ULL(id);
	return takers;
}

static u64 takers(struct limen_vm *vm)
{
	return takers_of(vm, VECTOR);
}

static u64 requested(struct limen_vm *vm, enum limen_request req)
{
	u64 takers = 0;
	u32 id;

	for (id = 0; id < vm->nr_vcpus; id++)
		if (test_and_clear_bit(req, &vm->vcpu[id]->requests))
			takers |= BIT_ULL(id);
	return takers;
}

static void set_ldr(struct limen_vm *vm, u32 id, u8 ldr, u32 dfr)
{
	u32 val = ldr << 24;

	pi_mmio(vm->vcpu[id], PI_REG_LDR, true, &val);
	pi_mmio(vm->vcpu[id], PI_REG_DFR, true, &dfr);
}

static void write_icr(struct limen_vcpu *vcpu, u8 dest, u32 lo)
{
	u32 hi = dest << 24;

	pi_mmio(vcpu, PI_REG_ICR2, true, &hi);
	pi_mmio(vcpu, PI_REG_ICR, true, &lo);
}

static void physical_msi_reaches_the_apic_id(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 64);
	u32 id;

	for (id = 0; id < 64; id++) {
		KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(id), DATA(0)), 1);
		KUNIT_EXPECT_EQ(test, takers(vm), BIT_ULL(id));
	}
	for (id = 64; id < 255; id++)
		KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(id), DATA(0)), 0);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
}

static void upper_destination_bits_count(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);

	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(1) | 1ull << 40, DATA(0)), 0);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(1) | 1ull << 63, DATA(0)), 0);
	/* 255 of 32 bits is no broadcast, 0xffffffff is */
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff) | 1ull << 40, DATA(0)), 0);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff) | 0xffffffull << 40, DATA(0)), 4);
}

static void address_of_no_apic_is_refused(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 1);

	KUNIT_EXPECT_EQ(test, pi_msi(vm, 0, DATA(0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, 0xfef00000, DATA(0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0) | 1ull << 32, DATA(0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0) | 1ull << 39, DATA(0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
}

static void broadcast_reaches_all_in_either_mode(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 5);

	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(0)), 5);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x1f);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff) | LOGICAL, DATA(0)), 5);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x1f);
	to_x2apic(vm);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(0)), 5);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x1f);
}

static void flat_logical_destination_is_a_set_of_bits(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);
	u32 id;

	for (id = 0; id < 4; id++)
		set_ldr(vm, id, 1 << id, ~0u);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0x5) | LOGICAL, DATA(0)), 2);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x5);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xf0) | LOGICAL, DATA(0)), 0);
	/* destination beyond 8 bits */
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0x5) | LOGICAL | 1ull << 40, DATA(0)),
			0);
}

static void cluster_destination_is_a_cluster_and_bits(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);

	set_ldr(vm, 0, 0x11, 0x0fffffff);
	set_ldr(vm, 1, 0x12, 0x0fffffff);
	set_ldr(vm, 2, 0x21, 0x0fffffff);
	set_ldr(vm, 3, 0x22, 0x0fffffff);
	pi_msi(vm, MSI(0x13) | LOGICAL, DATA(0));
	KUNIT_EXPECT_EQ(test, takers(vm), 0x3);
	pi_msi(vm, MSI(0x22) | LOGICAL, DATA(0));
	KUNIT_EXPECT_EQ(test, takers(vm), 0x8);
	pi_msi(vm, MSI(0x31) | LOGICAL, DATA(0));
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
	/* a model that does not exist */
	set_ldr(vm, 0, 0x11, 0x7fffffff);
	pi_msi(vm, MSI(0x11) | LOGICAL, DATA(0));
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
}

static void x2apic_logical_destination_has_16_bits_a_cluster(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 40);

	to_x2apic(vm);
	pi_wrmsr(vm->vcpu[0], 0x830, 0x00018003ull << 32 | ICR_LOGICAL | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x80030000ull);
	pi_wrmsr(vm->vcpu[0], 0x830, 0x00020080ull << 32 | ICR_LOGICAL | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), BIT_ULL(39));
	/* nobody there, and bits only */
	pi_wrmsr(vm->vcpu[0], 0x830, 0x0003ffffull << 32 | ICR_LOGICAL | VECTOR);
	pi_wrmsr(vm->vcpu[0], 0x830, 0x00010000ull << 32 | ICR_LOGICAL | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
}

static void x2apic_physical_255_is_no_broadcast(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);

	to_x2apic(vm);
	pi_wrmsr(vm->vcpu[0], 0x830, 0xffull << 32 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
	pi_wrmsr(vm->vcpu[0], 0x830, 0xffffffffull << 32 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0xf);
}

static void shorthands_name_self_all_and_others(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);

	write_icr(vm->vcpu[2], 0, TO_SELF << 18 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x4);
	write_icr(vm->vcpu[2], 0, TO_ALL << 18 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0xf);
	write_icr(vm->vcpu[2], 0, TO_OTHERS << 18 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0xb);
	write_icr(vm->vcpu[2], 1, TO_DEST << 18 | VECTOR);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x2);
}

static void self_ipi_reaches_oneself(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 3);

	to_x2apic(vm);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vm->vcpu[1], 0x83f, VECTOR), 0);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x2);
}

static void lowest_priority_goes_to_one_of_lowest_ppr(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);
	u32 svr = 0xff;
	u32 id;

	for (id = 0; id < 4; id++) {
		set_ldr(vm, id, 1 << id, ~0u);
		pi_set_cr8(vm->vcpu[id], 4 - id);
	}
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xf) | LOGICAL, DATA(1)), 1);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x8);
	/* only among the addressed */
	pi_msi(vm, MSI(0x3) | LOGICAL, DATA(1));
	KUNIT_EXPECT_EQ(test, takers(vm), 0x2);
	/* a redirection hint is the same */
	pi_msi(vm, MSI(0x3) | LOGICAL | REDIRECT, DATA(0));
	KUNIT_EXPECT_EQ(test, takers(vm), 0x2);
	/* and only among the enabled */
	pi_mmio(vm->vcpu[1], PI_REG_SVR, true, &svr);
	pi_msi(vm, MSI(0x3) | LOGICAL, DATA(1));
	KUNIT_EXPECT_EQ(test, takers(vm), 0x1);
}

static void lowest_priority_spreads_vectors_over_equals(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);
	u64 seen = 0;
	u8 v;

	for (v = 0x40; v < 0x50; v++) {
		pi_msi(vm, MSI(0xff) | LOGICAL, 1 << 8 | v);
		seen |= takers_of(vm, v);
	}
	KUNIT_EXPECT_EQ(test, seen, 0xf);
}

static void disabled_apics_take_no_fixed_interrupt(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 3);
	u32 svr = 0xff;

	pi_mmio(vm->vcpu[1], PI_REG_SVR, true, &svr);
	pi_wrmsr(vm->vcpu[2], 0x1b, 0xfee00000);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(0)), 1);
	KUNIT_EXPECT_EQ(test, takers(vm), 0x1);
	/* software-disabled takes an NMI, switched off takes nothing */
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(4)), 2);
	KUNIT_EXPECT_EQ(test, requested(vm, LIMEN_REQ_NMI), 0x3);
	KUNIT_EXPECT_EQ(test, atomic_read(&vm->vcpu[1]->nmi_posted), 1);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(2), DATA(0)), 0);
}

static void init_and_sipi_are_requests(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 3);

	write_icr(vm->vcpu[0], 0, 0x000c4500);
	KUNIT_EXPECT_EQ(test, requested(vm, LIMEN_REQ_INIT), 0x6);
	/* level de-assert */
	write_icr(vm->vcpu[0], 0, 0x000c8500);
	KUNIT_EXPECT_EQ(test, requested(vm, LIMEN_REQ_INIT), 0);
	write_icr(vm->vcpu[0], 2, 0x00004699);
	KUNIT_EXPECT_EQ(test, requested(vm, LIMEN_REQ_SIPI), 0x4);
	KUNIT_EXPECT_EQ(test, vm->vcpu[2]->sipi_vector, 0x99);
}

static void extint_message_asks_to_look_at_the_wire(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 2);

	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0), DATA(7)), 1);
	KUNIT_EXPECT_EQ(test, requested(vm, LIMEN_REQ_EXTINT), 0x1);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
}

static void smi_and_reserved_modes_have_no_effect(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 2);

	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(2)), 0);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(3)), 0);
	KUNIT_EXPECT_EQ(test, takers(vm), 0);
	KUNIT_EXPECT_EQ(test, vm->vcpu[0]->requests | vm->vcpu[1]->requests, 0);
}

static void illegal_vectors_are_errors_of_the_one_who_sees_them(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 2);
	u32 esr = 0;

	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(1), 0x0f), 0);
	pi_mmio(vm->vcpu[1], PI_REG_ESR, true, &esr);
	pi_mmio(vm->vcpu[1], PI_REG_ESR, false, &esr);
	KUNIT_EXPECT_EQ(test, esr, BIT(6));

	write_icr(vm->vcpu[0], 1, 0x0f);
	pi_mmio(vm->vcpu[0], PI_REG_ESR, true, &esr);
	pi_mmio(vm->vcpu[0], PI_REG_ESR, false, &esr);
	KUNIT_EXPECT_EQ(test, esr, BIT(5));
	KUNIT_EXPECT_EQ(test, takers_of(vm, 0x0f), 0);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(1), 0x10), 1);
}

static void msi_says_level_and_ipi_does_not(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 2);
	u8 *page = vm->vcpu[1]->pi.page;

	pi_msi(vm, MSI(1), DATA(0) | BIT(15));
	pi_fold(vm->vcpu[1]);
	KUNIT_EXPECT_TRUE(test, pi_vapic_is_level(page, VECTOR));
	write_icr(vm->vcpu[0], 1, BIT(15) | BIT(14) | VECTOR);
	KUNIT_EXPECT_FALSE(test, pi_vapic_is_level(page, VECTOR));
}

static void holes_between_vcpus_are_skipped(struct kunit *test)
{
	struct limen_vm *vm = enabled_vm(test, 4);

	vm->vcpu[1] = NULL;
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(0)), 3);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(1), DATA(0)), 0);
	KUNIT_EXPECT_EQ(test, pi_msi(vm, MSI(0xff), DATA(1)), 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(physical_msi_reaches_the_apic_id),
	KUNIT_CASE(upper_destination_bits_count),
	KUNIT_CASE(address_of_no_apic_is_refused),
	KUNIT_CASE(broadcast_reaches_all_in_either_mode),
	KUNIT_CASE(flat_logical_destination_is_a_set_of_bits),
	KUNIT_CASE(cluster_destination_is_a_cluster_and_bits),
	KUNIT_CASE(x2apic_logical_destination_has_16_bits_a_cluster),
	KUNIT_CASE(x2apic_physical_255_is_no_broadcast),
	KUNIT_CASE(shorthands_name_self_all_and_others),
	KUNIT_CASE(self_ipi_reaches_oneself),
	KUNIT_CASE(lowest_priority_goes_to_one_of_lowest_ppr),
	KUNIT_CASE(lowest_priority_spreads_vectors_over_equals),
	KUNIT_CASE(disabled_apics_take_no_fixed_interrupt),
	KUNIT_CASE(init_and_sipi_are_requests),
	KUNIT_CASE(extint_message_asks_to_look_at_the_wire),
	KUNIT_CASE(smi_and_reserved_modes_have_no_effect),
	KUNIT_CASE(illegal_vectors_are_errors_of_the_one_who_sees_them),
	KUNIT_CASE(msi_says_level_and_ipi_does_not),
	KUNIT_CASE(holes_between_vcpus_are_skipped),
	{}
};

static struct kunit_suite suite = { .name = "pi_deliver", .test_cases = cases };
kunit_test_suite(suite);
