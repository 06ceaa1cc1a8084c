// SPDX-License-Identifier: GPL-2.0-or-later
/* The emulator's arithmetic against the CPU that runs the test. */
#include "test.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* edge cases more often than chance would give them */
static uint64_t operand(void)
{
	static const uint64_t edge[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 1ull << 63, ~0ull };
	uint64_t v = next();

	return v & 1 ? edge[(v >> 8) % ARRAY_SIZE(edge)] : next();
}

#define NATIVE(name, insn)						\
static uint64_t name(uint64_t a, uint64_t b, uint32_t size, uint64_t *f)\
{									\
	uint64_t fl = *f;						\
	switch (size) {							\
	case 1: NATIVE_ASM(insn, "b", "b"); break;			\
	case 2: NATIVE_ASM(insn, "w", "w"); break;			\
	case 4: NATIVE_ASM(insn, "l", "k"); break;			\
	default: NATIVE_ASM(insn, "q", "q"); break;			\
	}								\
	*f = fl;							\
	return a & size_mask(size);					\
}

/* The stack pointer steps over the red zone before it is used. */
#define NATIVE_ASM(insn, suffix, mod)					\
	__asm__("lea -128(%%rsp), %%rsp\n\tpush %1\n\tpopf\n\t"		\
		insn(suffix, mod) "\n\tpushf\n\tpop %1\n\t"		\
		"lea 128(%%rsp), %%rsp"					\
		: "+&q" (a), "+&r" (fl) : "q" (b) : "cc", "memory")

#define TWO_(op, s, m)	op s " %" m "2, %" m "0"
#define ONE_(op, s, m)	op s " %" m "0"
#define I_ADD(s, m)	TWO_("add", s, m)
#define I_ADC(s, m)	TWO_("adc", s, m)
#define I_SUB(s, m)	TWO_("sub", s, m)
#define I_SBB(s, m)	TWO_("sbb", s, m)
#define I_AND(s, m)	TWO_("and", s, m)
#define I_OR(s, m)	TWO_("or", s, m)
#define I_XOR(s, m)	TWO_("xor", s, m)
#define I_INC(s, m)	ONE_("inc", s, m)
#define I_DEC(s, m)	ONE_("dec", s, m)
#define I_NEG(s, m)	ONE_("neg", s, m)
#define I_NOT(s, m)	ONE_("not", s, m)

NATIVE(native_add, I_ADD)
NATIVE(native_adc, I_ADC)
NATIVE(native_sub, I_SUB)
NATIVE(native_sbb, I_SBB)
NATIVE(native_and, I_AND)
NATIVE(native_or, I_OR)
NATIVE(native_xor, I_XOR)
NATIVE(native_inc, I_INC)
NATIVE(native_dec, I_DEC)
NATIVE(native_neg, I_NEG)
NATIVE(native_not, I_NOT)

static void compare(enum alu_op op,
		    uint64_t (*native)(uint64_t, uint64_t, uint32_t, uint64_t *),
		    uint64_t defined)
{
	for (int i = 0; i < 20000; i++) {
		uint32_t size = 1u << (next() & 3);
		uint64_t a = operand(), b = operand();
		uint64_t f = 2 | (next() & FLAGS_STATUS), g = f;
		uint64_t mine = alu(op, a, b, size, &f);
		uint64_t its = native(a, b, size, &g);

		if (mine == its && !((f ^ g) & defined))
			continue;
		EXPECT_EQ(mine, its);
		EXPECT_EQ(f & defined, g & defined);
		return;
	}
}

TEST(alu_is_what_the_cpu_does)
{
	const uint64_t all = FLAGS_STATUS, no_af = FLAGS_STATUS & ~FLAG_AF;

	compare(ALU_ADD, native_add, all);
	compare(ALU_ADC, native_adc, all);
	compare(ALU_SUB, native_sub, all);
	compare(ALU_SBB, native_sbb, all);
	compare(ALU_INC, native_inc, all);
	compare(ALU_DEC, native_dec, all);
	compare(ALU_NEG, native_neg, all);
	compare(ALU_NOT, native_not, all);
	compare(ALU_AND, native_and, no_af);
	compare(ALU_OR, native_or, no_af);
	compare(ALU_XOR, native_xor, no_af);
}

TEST(alu_conditions)
{
	EXPECT_EQ(alu_condition(4, FLAG_ZF), true);		/* Z */
	EXPECT_EQ(alu_condition(5, FLAG_ZF), false);		/* NZ */
	EXPECT_EQ(alu_condition(12, FLAG_SF), true);		/* L */
	EXPECT_EQ(alu_condition(12, FLAG_SF | FLAG_OF), false);
	EXPECT_EQ(alu_condition(7, FLAG_CF), false);		/* NBE */
	EXPECT_EQ(alu_condition(15, 0), true);			/* NLE */
}
