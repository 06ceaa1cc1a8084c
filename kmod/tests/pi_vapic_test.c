// SPDX-License-Identifier: GPL-2.0-only
/* The register page: tables written out from the manual, and a slow model. */
#include <linux/prandom.h>

#include "../posted_irq/pi_vapic.c"
#include "fake.h"

#define STEPS	100000

static u8 *new_page(struct kunit *test)
{
	u8 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	pi_vapic_reset(page, 0, false);
	return page;
}

/* SDM Vol. 3, "Local APIC Register Address Map" without what a 0x14 lacks */
static bool is_in_manual(u32 off)
{
	static const u16 single[] = {
		0x020, 0x030, 0x080, 0x090, 0x0a0, 0x0b0, 0x0d0, 0x0e0, 0x0f0,
		0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370,
		0x380, 0x390, 0x3e0,
	};
	int i;

	if (off >= 0x100 && off < 0x280)
		return !(off & 0xf);
	for (i = 0; i < ARRAY_SIZE(single); i++)
		if (off == single[i])
			return true;
	return false;
}

static void mmio_registers_are_those_of_the_manual(struct kunit *test)
{
	u32 off;

	for (off = 0; off < 2 * PAGE_SIZE; off++)
		KUNIT_ASSERT_EQ_MSG(test, pi_vapic_is_mmio(off), is_in_manual(off),
				    "offset %#x", off);
	KUNIT_EXPECT_FALSE(test, pi_vapic_is_mmio(0xffffffff));
	KUNIT_EXPECT_FALSE(test, pi_vapic_is_mmio(0x80000020));
}

/* SDM Vol. 3, "x2APIC Register Address Space" */
static void msrs_are_those_of_the_manual(struct kunit *test)
{
	static const u8 read_only[] = { 0x02, 0x03, 0x0a, 0x0d, 0x39 };
	static const u8 write_only[] = { 0x0b, 0x3f };
	static const u8 both[] = {
		0x08, 0x0f, 0x28, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
		0x3e,
	};
	bool read[0x100] = {}, write[0x100] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(read_only); i++)
		read[read_only[i]] = true;
	for (i = 0x10; i < 0x28; i++)
		read[i] = true;
	for (i = 0; i < ARRAY_SIZE(write_only); i++)
		write[write_only[i]] = true;
	for (i = 0; i < ARRAY_SIZE(both); i++)
		read[both[i]] = write[both[i]] = true;
	for (i = 0; i < 0x100; i++) {
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_is_msr(i * 16, false), read[i],
				    "read %#x", 0x800 + i);
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_is_msr(i * 16, true), write[i],
				    "write %#x", 0x800 + i);
	}
}

static void registers_hold_their_defined_bits_only(struct kunit *test)
{
	static const struct { u16 off; u32 ones; u32 zeros; } bits[] = {
		{ 0x080, 0x000000ff }, { 0x0d0, 0xff000000 },
		{ 0x0e0, 0xffffffff, 0x0fffffff }, { 0x0f0, 0x000003ff },
		{ 0x300, 0x000ccfff }, { 0x310, 0xff000000 },
		{ 0x320, 0x000700ff }, { 0x330, 0x000107ff },
		{ 0x340, 0x000107ff }, { 0x350, 0x0001a7ff },
		{ 0x360, 0x0001a7ff }, { 0x370, 0x000100ff },
		{ 0x380, 0xffffffff }, { 0x3e0, 0x0000000b },
	};
	u8 *page = new_page(test);
	int i;

	pi_vapic_write(page, PI_REG_SVR, PI_SVR_ENABLED);
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		pi_vapic_write(page, bits[i].off, ~0u);
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_get(page, bits[i].off),
				    bits[i].ones, "offset %#x", bits[i].off);
		if (bits[i].off == PI_REG_SVR)
			continue;
		pi_vapic_write(page, bits[i].off, 0);
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_get(page, bits[i].off),
				    bits[i].zeros, "offset %#x", bits[i].off);
	}
}

static void read_only_registers_keep_their_value(struct kunit *test)
{
	u8 *page = new_page(test);
	u32 off;

	for (off = 0; off < PI_REG_END; off += 16) {
		u32 old = pi_vapic_get(page, off);

		if (pi_vapic_writable(off))
			continue;
		pi_vapic_write(page, off, ~old);
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_get(page, off), old,
				    "offset %#x", off);
	}
}

static void reset_gives_the_manuals_values(struct kunit *test)
{
	u8 *page = new_page(test);
	u32 off;

	memset(page, 0xa5, PAGE_SIZE);
	pi_vapic_reset(page, 5, false);
	for (off = 0; off < PI_REG_END; off += 16) {
		u32 want = 0;

		if (off == 0x20)
			want = 5 << 24;
		else if (off == 0x30)
			want = 0x00050014;
		else if (off == 0xe0)
			want = 0xffffffff;
		else if (off == 0xf0)
			want = 0xff;
		else if (off >= 0x320 && off <= 0x370)
			want = 0x10000;
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_get(page, off), want,
				    "offset %#x", off);
	}
}

static void virtual_wire_leads_lint0_to_the_pic(struct kunit *test)
{
	u8 *page = new_page(test);

	pi_vapic_virtual_wire(page);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LVT_LINT0), 0x700);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LVT_LINT1), 0x400);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_SVR), 0x1ff);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LVT_TIMER), 0x10000);
}

static void software_disable_masks_every_lvt_and_keeps_it_masked(struct kunit *test)
{
	u8 *page = new_page(test);
	u32 off;

	pi_vapic_write(page, PI_REG_SVR, PI_SVR_ENABLED);
	for (off = PI_REG_LVT_TIMER; off <= PI_REG_LVT_ERROR; off += 16)
		pi_vapic_write(page, off, 0x30);
	pi_vapic_write(page, PI_REG_SVR, 0xff);
	for (off = PI_REG_LVT_TIMER; off <= PI_REG_LVT_ERROR; off += 16) {
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, off), 0x10030);
		pi_vapic_write(page, off, 0x31);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, off), 0x10031);
	}
	/* enabling does not unmask */
	pi_vapic_write(page, PI_REG_SVR, PI_SVR_ENABLED);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LVT_TIMER), 0x10031);
	pi_vapic_write(page, PI_REG_LVT_TIMER, 0x31);
	KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LVT_TIMER), 0x31);
}

static void ppr_is_the_higher_of_tpr_and_isr_class(struct kunit *test)
{
	static const struct { u8 tpr; int isr; u8 ppr; } cases[] = {
		{ 0x00, -1, 0x00 }, { 0x2f, -1, 0x2f }, { 0x00, 0x41, 0x40 },
		{ 0x3f, 0x41, 0x40 }, { 0x45, 0x41, 0x45 }, { 0x50, 0x4f, 0x50 },
		{ 0xff, 0xff, 0xff }, { 0xef, 0xf1, 0xf0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 *page = new_page(test);

		if (cases[i].isr >= 0)
			pi_vapic_accept(page, cases[i].isr);
		pi_vapic_write(page, PI_REG_TPR, cases[i].tpr);
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_ppr(page), cases[i].ppr,
				    "case %d", i);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_PPR), cases[i].ppr);
	}
}

static void interrupts_nest_by_class(struct kunit *test)
{
	u8 *page = new_page(test);

	pi_vapic_post(page, 0x31);
	pi_vapic_post(page, 0x35);
	KUNIT_EXPECT_EQ(test, pi_vapic_pick(page), 0x35);
	pi_vapic_accept(page, 0x35);
	/* not above its own class */
	KUNIT_EXPECT_EQ(test, pi_vapic_pick(page), -1);
	pi_vapic_post(page, 0x3f);
	KUNIT_EXPECT_EQ(test, pi_vapic_pick(page), -1);
	pi_vapic_post(page, 0x40);
	KUNIT_EXPECT_EQ(test, pi_vapic_pick(page), 0x40);
	pi_vapic_accept(page, 0x40);

	KUNIT_EXPECT_EQ(test, pi_vapic_eoi(page), 0x40);
	KUNIT_EXPECT_EQ(test, pi_vapic_eoi(page), 0x35);
	KUNIT_EXPECT_EQ(test, pi_vapic_eoi(page), -1);
	KUNIT_EXPECT_EQ(test, pi_vapic_pick(page), 0x3f);
}

static void x2apic_id_gives_the_logical_id(struct kunit *test)
{
	u8 *page = new_page(test);
	u32 id;

	for (id = 0; id < LIMEN_MAX_VCPUS; id++) {
		pi_vapic_set_id(page, id, true);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_ID), id);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LDR),
				(id / 16) * 0x10000 + (1 << (id % 16)));
		pi_vapic_set_id(page, id, false);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_ID), id << 24);
		KUNIT_EXPECT_EQ(test, pi_vapic_get(page, PI_REG_LDR), 0);
	}
}

/* SDM Vol. 3, "x2APIC State Transitions": rows from, columns to */
static void mode_moves_along_the_state_diagram_only(struct kunit *test)
{
	static const u64 mode[] = {
		0, PI_BASE_EN, PI_BASE_MODE, PI_BASE_EXTD,
	};
	static const bool legal[3][4] = {
		{ true, true, false, false },
		{ true, true, true, false },
		{ true, false, true, false },
	};
	int from, to;

	for (from = 0; from < 3; from++)
		for (to = 0; to < 4; to++)
			KUNIT_EXPECT_EQ_MSG(test,
					    pi_base_may_follow(mode[from], mode[to]),
					    legal[from][to], "%d to %d", from, to);
}

static void trigger_mode_is_per_vector(struct kunit *test)
{
	u8 *page = new_page(test);
	int v;

	for (v = 0; v < 256; v++)
		pi_vapic_set_level(page, v, v % 3 == 0);
	for (v = 0; v < 256; v++)
		KUNIT_EXPECT_EQ_MSG(test, pi_vapic_is_level(page, v), v % 3 == 0,
				    "vector %d", v);
	for (v = 0; v < 256; v++)
		pi_vapic_set_level(page, v, false);
	for (v = 0; v < PI_REG_END; v += 4)
		if (v >= PI_REG_TMR && v < PI_REG_IRR)
			KUNIT_EXPECT_EQ(test, *(u32 *)(page + v), 0);
}

/* The manual's words once more, as slowly as can be. */
struct model {
	bool irr[256], isr[256], tmr[256];
	u8 tpr;
};

static int model_highest(const bool *set)
{
	int v;

	for (v = 255; v >= 0 && !set[v]; v--)
		;
	return v;
}

static u8 model_ppr(const struct model *m)
{
	int isr = max(model_highest(m->isr), 0);

	if (m->tpr / 16 >= isr / 16)
		return m->tpr;
	return isr / 16 * 16;
}

static int model_pick(const struct model *m)
{
	int irr = model_highest(m->irr);

	return irr >= 0 && irr / 16 > model_ppr(m) / 16 ? irr : -1;
}

static void step(struct kunit *test, struct model *m, u8 *page, u32 random)
{
	u8 v = max_t(u8, random >> 8, PI_FIRST_VECTOR);
	int pick = model_pick(m);

	switch (random % 8) {
	case 0 ... 2:
		m->irr[v] = true;
		m->tmr[v] = random & 0x10000;
		pi_vapic_set_level(page, v, random & 0x10000);
		pi_vapic_post(page, v);
		break;
	case 3 ... 4:
		if (pick < 0)
			break;
		m->irr[pick] = false;
		m->isr[pick] = true;
		pi_vapic_accept(page, pick);
		break;
	case 5 ... 6:
		v = max(model_highest(m->isr), 0);
		KUNIT_ASSERT_EQ(test, pi_vapic_eoi(page), v ?: -1);
		m->isr[v] = false;
		break;
	case 7:
		m->tpr = random >> 8;
		/* mostly low, or nothing would be delivered */
		if (random & 0x70000)
			m->tpr &= 0x3f;
		pi_vapic_write(page, PI_REG_TPR, m->tpr);
		break;
	}
}

static void same_bits(struct kunit *test, const u8 *page, u32 reg, const bool *set)
{
	int v;

	for (v = 0; v < 256; v++) {
		bool bit = pi_vapic_get(page, reg + v / 32 * 16) >> v % 32 & 1;

		KUNIT_ASSERT_EQ_MSG(test, bit, set[v], "register %#x vector %d",
				    reg, v);
	}
}

static void page_agrees_with_the_model_at_every_step(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u8 *page = new_page(test);
	struct rnd_state rnd;
	u64 i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 0x11e3);
	for (i = 0; i < (u64)STEPS * FAKE_ROUNDS; i++) {
		step(test, m, page, prandom_u32_state(&rnd));
		KUNIT_ASSERT_EQ_MSG(test, pi_vapic_pick(page), model_pick(m),
				    "step %llu", i);
		KUNIT_ASSERT_EQ(test, pi_vapic_ppr(page), model_ppr(m));
		KUNIT_ASSERT_EQ(test, pi_vapic_get(page, PI_REG_PPR), model_ppr(m));
		if (i % 16)
			continue;
		same_bits(test, page, PI_REG_IRR, m->irr);
		same_bits(test, page, PI_REG_ISR, m->isr);
		same_bits(test, page, PI_REG_TMR, m->tmr);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(mmio_registers_are_those_of_the_manual),
	KUNIT_CASE(msrs_are_those_of_the_manual),
	KUNIT_CASE(registers_hold_their_defined_bits_only),
	KUNIT_CASE(read_only_registers_keep_their_value),
	KUNIT_CASE(reset_gives_the_manuals_values),
	KUNIT_CASE(virtual_wire_leads_lint0_to_the_pic),
	KUNIT_CASE(software_disable_masks_every_lvt_and_keeps_it_masked),
	KUNIT_CASE(ppr_is_the_higher_of_tpr_and_isr_class),
	KUNIT_CASE(interrupts_nest_by_class),
	KUNIT_CASE(x2apic_id_gives_the_logical_id),
	KUNIT_CASE(mode_moves_along_the_state_diagram_only),
	KUNIT_CASE(trigger_mode_is_per_vector),
	KUNIT_CASE(page_agrees_with_the_model_at_every_step),
	{}
};

static struct kunit_suite suite = { .name = "pi_vapic", .test_cases = cases };
kunit_test_suite(suite);
