// SPDX-License-Identifier: GPL-2.0-only
/* The front of the local APIC: what a guest's accesses do, and the modes. */
#include "../posted_irq/pi_core.c"
#include "fake.h"

static void mmio_write(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	pi_mmio(vcpu, off, true, &val);
}

static u32 mmio_read(struct limen_vcpu *vcpu, u32 off)
{
	u32 val;

	pi_mmio(vcpu, off, false, &val);
	return val;
}

static struct limen_vcpu *x2apic_vcpu(struct kunit *test, u32 id)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, id);

	KUNIT_ASSERT_EQ(test, pi_wrmsr(vcpu, MSR_APIC_BASE,
				       vcpu->pi.base | PI_BASE_EXTD), 0);
	return vcpu;
}

static u32 latched_errors(struct limen_vcpu *vcpu)
{
	mmio_write(vcpu, PI_REG_ESR, 0);
	return mmio_read(vcpu, PI_REG_ESR);
}

static void vcpu_0_comes_up_as_bsp_in_virtual_wire_mode(struct kunit *test)
{
	struct limen_vcpu *bsp = fake_vcpu(test, 0);
	struct limen_vcpu *ap = fake_vcpu(test, 1);

	KUNIT_EXPECT_EQ(test, bsp->pi.base, 0xfee00900);
	KUNIT_EXPECT_EQ(test, ap->pi.base, 0xfee00800);
	KUNIT_EXPECT_TRUE(test, pi_takes_extint(bsp));
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(ap));
	KUNIT_EXPECT_EQ(test, mmio_read(bsp, PI_REG_SVR), 0x1ff);
	KUNIT_EXPECT_EQ(test, mmio_read(ap, PI_REG_SVR), 0xff);
	KUNIT_EXPECT_TRUE(test, bsp->pi.sw_enabled);
	KUNIT_EXPECT_FALSE(test, ap->pi.sw_enabled);
}

static void init_resets_all_but_the_mode(struct kunit *test)
{
	struct limen_vcpu *vcpu = x2apic_vcpu(test, 3);

	pi_wrmsr(vcpu, 0x80f, 0x1ff);
	pi_post(vcpu, 0x41, true);
	pi_fold(vcpu);
	pi_accept(vcpu, 0x41);
	pi_wrmsr(vcpu, 0x80b, 0);
	pi_post(vcpu, 0x51, false);
	pi_reset(vcpu, true);
	KUNIT_EXPECT_TRUE(test, pi_is_x2apic(vcpu));
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
	KUNIT_EXPECT_EQ(test, pi_pick(vcpu), -1);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_SVR), 0xff);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_ID), 3);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(vcpu->pi.page, PI_REG_LDR), 8);
}

static void unaligned_and_reserved_mmio_is_an_error_and_reads_zero(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	u32 val = 0xdeadbeef;

	KUNIT_EXPECT_EQ(test, pi_mmio(vcpu, PI_REG_SVR + 4, false, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, val, 0);
	val = 0xdeadbeef;
	KUNIT_EXPECT_EQ(test, pi_mmio(vcpu, 0x400, false, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, pi_mmio(vcpu, 0xfffffff0, true, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, latched_errors(vcpu), BIT(PI_ESR_BAD_REGISTER));
}

static void registers_are_in_memory_or_msrs_but_not_both(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	u32 val;
	u64 msr;

	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x803, &msr), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x80b, 0), -EINVAL);
	pi_wrmsr(vcpu, MSR_APIC_BASE, vcpu->pi.base | PI_BASE_EXTD);
	KUNIT_EXPECT_EQ(test, pi_mmio(vcpu, PI_REG_VERSION, false, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x803, &msr), 0);
	KUNIT_EXPECT_EQ(test, msr, 0x50014);
	pi_wrmsr(vcpu, MSR_APIC_BASE, 0xfee00000);
	KUNIT_EXPECT_EQ(test, pi_mmio(vcpu, PI_REG_VERSION, false, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x803, &msr), -EINVAL);
}

static void base_refuses_reserved_bits_and_illegal_moves(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);
	u64 base = vcpu->pi.base;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (bit == 8 || bit == 10 || bit == 11 ||
		    (bit >= 12 && bit < limen_caps.phys_bits))
			continue;
		KUNIT_EXPECT_EQ_MSG(test, pi_wrmsr(vcpu, MSR_APIC_BASE,
						   base ^ BIT_ULL(bit)),
				    -EINVAL, "bit %d", bit);
	}
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, MSR_APIC_BASE, base ^ PI_BASE_MODE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vcpu->pi.base, base);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, MSR_APIC_BASE, 0x123456789000 >> 8 |
				       PI_BASE_EN), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, MSR_APIC_BASE,
				       0x1234567000ull | PI_BASE_EN), 0);
}

static void switching_off_forgets_the_registers(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	mmio_write(vcpu, PI_REG_TPR, 0x20);
	pi_wrmsr(vcpu, MSR_APIC_BASE, 0xfee00000 | PI_BASE_BSP);
	KUNIT_EXPECT_TRUE(test, pi_takes_extint(vcpu));
	pi_wrmsr(vcpu, MSR_APIC_BASE, 0xfee00000 | PI_BASE_BSP | PI_BASE_EN);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_TPR), 0);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_SVR), 0xff);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
}

static void apic_that_is_off_delivers_nothing(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);

	pi_wrmsr(vcpu, MSR_APIC_BASE, 0xfee00000);
	pi_post(vcpu, 0x41, false);
	pi_fold(vcpu);
	KUNIT_EXPECT_EQ(test, pi_pick(vcpu), -1);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
}

static void entering_x2apic_derives_id_and_keeps_the_rest(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 35);
	u64 val;

	mmio_write(vcpu, PI_REG_SVR, 0x1ee);
	mmio_write(vcpu, PI_REG_LDR, 0x55000000);
	mmio_write(vcpu, PI_REG_ICR2, 0x55000000);
	pi_wrmsr(vcpu, MSR_APIC_BASE, vcpu->pi.base | PI_BASE_EXTD);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x802, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 35);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x80d, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0x20008);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x80f, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0x1ee);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x830, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
}

static void x2apic_faults_on_reserved_bits(struct kunit *test)
{
	struct limen_vcpu *vcpu = x2apic_vcpu(test, 0);
	u32 i;

	for (i = 0; i < 0x100; i++) {
		u64 allowed = pi_vapic_writable(i * 16) | pi_vapic_ignored(i * 16);
		int bit;

		if (!pi_vapic_is_msr(i * 16, true))
			allowed = 0;
		else if (i == 0x30)
			allowed |= 0xffffffffull << 32;
		for (bit = 0; bit < 64; bit++)
			if (!(allowed & BIT_ULL(bit)))
				KUNIT_EXPECT_EQ_MSG(test,
						    pi_wrmsr(vcpu, 0x800 + i,
							     BIT_ULL(bit)),
						    -EINVAL, "%#x bit %d",
						    0x800 + i, bit);
	}
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x80b, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x828, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x80b, 0), 0);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x828, 0), 0);
	/* status bits may come back as they were read */
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x835, 0x15700), 0);
}

static void x2apic_icr_has_64_bits(struct kunit *test)
{
	struct limen_vcpu *vcpu = x2apic_vcpu(test, 0);
	u64 val;

	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x830, 0x12345678000040feull), 0);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x830, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0x12345678000040feull);
}

static void eoi_of_a_level_interrupt_is_for_the_vmm(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	pi_post(vcpu, 0x41, true);
	pi_post(vcpu, 0x52, false);
	pi_post(vcpu, 0x63, true);
	pi_fold(vcpu);
	pi_accept(vcpu, 0x41);
	pi_accept(vcpu, 0x52);
	pi_accept(vcpu, 0x63);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
	mmio_write(vcpu, PI_REG_EOI, 0);
	mmio_write(vcpu, PI_REG_EOI, 0);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), 0x63);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
	mmio_write(vcpu, PI_REG_EOI, 0);
	mmio_write(vcpu, PI_REG_EOI, 0);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), 0x41);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
}

static void cr8_is_the_upper_half_of_tpr(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	KUNIT_EXPECT_EQ(test, pi_set_cr8(vcpu, 16), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_set_cr8(vcpu, 1ull << 63), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_set_cr8(vcpu, 9), 0);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_TPR), 0x90);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_PPR), 0x90);
	mmio_write(vcpu, PI_REG_TPR, 0x3f);
	KUNIT_EXPECT_EQ(test, pi_get_cr8(vcpu), 3);
}

static void esr_shows_errors_only_after_a_write(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	pi_error(vcpu, PI_ESR_SEND_ILLEGAL);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_ESR), 0);
	KUNIT_EXPECT_EQ(test, latched_errors(vcpu), BIT(PI_ESR_SEND_ILLEGAL));
	KUNIT_EXPECT_EQ(test, latched_errors(vcpu), 0);
}

static void error_interrupt_comes_once_until_esr_is_written(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);
	unsigned long *pir = vcpu->pi.desc->pir;

	mmio_write(vcpu, PI_REG_LVT_ERROR, 0xfe);
	pi_error(vcpu, PI_ESR_BAD_REGISTER);
	KUNIT_EXPECT_TRUE(test, test_and_clear_bit(0xfe, pir));
	pi_error(vcpu, PI_ESR_SEND_ILLEGAL);
	KUNIT_EXPECT_FALSE(test, test_bit(0xfe, pir));
	latched_errors(vcpu);
	pi_error(vcpu, PI_ESR_BAD_REGISTER);
	KUNIT_EXPECT_TRUE(test, test_bit(0xfe, pir));
}

static void illegal_error_vector_does_not_recurse(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	mmio_write(vcpu, PI_REG_LVT_ERROR, 0x05);
	pi_error(vcpu, PI_ESR_BAD_REGISTER);
	KUNIT_EXPECT_FALSE(test, pi_has_posted(vcpu));
	KUNIT_EXPECT_EQ(test, latched_errors(vcpu),
			BIT(PI_ESR_BAD_REGISTER) | BIT(PI_ESR_RECV_ILLEGAL));
}

static void extint_needs_lint0_in_that_mode_and_unmasked(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 2);

	mmio_write(vcpu, PI_REG_LVT_LINT0, 0x700);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
	mmio_write(vcpu, PI_REG_SVR, 0x1ff);
	mmio_write(vcpu, PI_REG_LVT_LINT0, 0x700);
	KUNIT_EXPECT_TRUE(test, pi_takes_extint(vcpu));
	mmio_write(vcpu, PI_REG_LVT_LINT0, 0x10700);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
	mmio_write(vcpu, PI_REG_LVT_LINT0, 0x400);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
	mmio_write(vcpu, PI_REG_LVT_LINT0, 0x700);
	mmio_write(vcpu, PI_REG_SVR, 0xff);
	KUNIT_EXPECT_FALSE(test, pi_takes_extint(vcpu));
}

static void unknown_msrs_fault(struct kunit *test)
{
	struct limen_vcpu *vcpu = x2apic_vcpu(test, 0);
	u64 val = 0x5a;

	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x7ff, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x900, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x80e, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x831, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_rdmsr(vcpu, 0x83f, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x80e, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, pi_wrmsr(vcpu, 0x802, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, val, 0x5a);
}

/* As hardware does: the value first, then we are told */
static void hw_write(struct limen_vcpu *vcpu, u32 off, u32 val)
{
	pi_vapic_set(vcpu->pi.page, off, val);
	pi_hw_write(vcpu, off);
}

static void hw_write_has_the_effect_of_a_write(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);

	hw_write(vcpu, PI_REG_ID, 0x7000000);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_ID), 0x1000000);
	hw_write(vcpu, PI_REG_SVR, 0x1ff);
	KUNIT_EXPECT_TRUE(test, vcpu->pi.sw_enabled);
	hw_write(vcpu, PI_REG_LVT_ERROR, 0xffffffff);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_LVT_ERROR), 0x100ff);
	hw_write(vcpu, PI_REG_DFR, 0);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_DFR), 0x0fffffff);
	/* a change of mode is seen although the register has the new value */
	hw_write(vcpu, PI_REG_LVT_TIMER, 0x41);
	hw_write(vcpu, PI_REG_TMICT, 1000000);
	KUNIT_EXPECT_NE(test, vcpu->pi.target, 0ull);
	hw_write(vcpu, PI_REG_LVT_TIMER, 0x40041);
	KUNIT_EXPECT_EQ(test, vcpu->pi.target, 0ull);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_TMICT), 0);
	hw_write(vcpu, PI_REG_ESR, 0xff);
	KUNIT_EXPECT_EQ(test, mmio_read(vcpu, PI_REG_ESR), 0);
	hw_write(vcpu, PI_REG_ICR, 0x40000 | 0x51);	/* to itself */
	KUNIT_EXPECT_TRUE(test, test_bit(0x51, vcpu->pi.desc->pir));
	/* any offset that hardware could report */
	pi_hw_write(vcpu, 0xfff);
	pi_hw_write(vcpu, 0x3ff);
}

static void x2apic_hw_write_is_an_illegal_self_ipi(struct kunit *test)
{
	struct limen_vcpu *vcpu = x2apic_vcpu(test, 0);

	hw_write(vcpu, PI_REG_SELF_IPI, 5);
	KUNIT_EXPECT_EQ(test, vcpu->pi.esr, BIT(PI_ESR_SEND_ILLEGAL));
	pi_hw_write(vcpu, PI_REG_SVR);
	KUNIT_EXPECT_TRUE(test, vcpu->pi.sw_enabled);
}

static void hw_eoi_reports_level_vectors_only(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	pi_post(vcpu, 0x41, true);
	pi_post(vcpu, 0x52, false);
	pi_fold(vcpu);
	pi_hw_eoi(vcpu, 0x52);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), -1);
	pi_hw_eoi(vcpu, 0x41);
	KUNIT_EXPECT_EQ(test, pi_pop_eoi(vcpu), 0x41);
}

static void tpr_that_holds_is_told_from_an_interrupt_in_service(struct kunit *test)
{
	struct limen_vcpu *vcpu = fake_vcpu(test, 0);

	KUNIT_EXPECT_EQ(test, pi_held_class(vcpu), 0);
	pi_set_cr8(vcpu, 9);
	pi_post(vcpu, 0x61, false);
	pi_fold(vcpu);
	KUNIT_EXPECT_EQ(test, pi_pick(vcpu), -1);
	KUNIT_EXPECT_EQ(test, pi_held_class(vcpu), 6);
	pi_post(vcpu, 0xa1, false);
	pi_fold(vcpu);
	pi_accept(vcpu, pi_pick(vcpu));
	KUNIT_EXPECT_EQ(test, pi_held_class(vcpu), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(hw_write_has_the_effect_of_a_write),
	KUNIT_CASE(x2apic_hw_write_is_an_illegal_self_ipi),
	KUNIT_CASE(hw_eoi_reports_level_vectors_only),
	KUNIT_CASE(tpr_that_holds_is_told_from_an_interrupt_in_service),
	KUNIT_CASE(vcpu_0_comes_up_as_bsp_in_virtual_wire_mode),
	KUNIT_CASE(init_resets_all_but_the_mode),
	KUNIT_CASE(unaligned_and_reserved_mmio_is_an_error_and_reads_zero),
	KUNIT_CASE(registers_are_in_memory_or_msrs_but_not_both),
	KUNIT_CASE(base_refuses_reserved_bits_and_illegal_moves),
	KUNIT_CASE(switching_off_forgets_the_registers),
	KUNIT_CASE(apic_that_is_off_delivers_nothing),
	KUNIT_CASE(entering_x2apic_derives_id_and_keeps_the_rest),
	KUNIT_CASE(x2apic_faults_on_reserved_bits),
	KUNIT_CASE(x2apic_icr_has_64_bits),
	KUNIT_CASE(eoi_of_a_level_interrupt_is_for_the_vmm),
	KUNIT_CASE(cr8_is_the_upper_half_of_tpr),
	KUNIT_CASE(esr_shows_errors_only_after_a_write),
	KUNIT_CASE(error_interrupt_comes_once_until_esr_is_written),
	KUNIT_CASE(illegal_error_vector_does_not_recurse),
	KUNIT_CASE(extint_needs_lint0_in_that_mode_and_unmasked),
	KUNIT_CASE(unknown_msrs_fault),
	{}
};

static struct kunit_suite suite = { .name = "pi_core", .test_cases = cases };
kunit_test_suite(suite);
