// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Integer instructions with a memory operand, as device drivers and test
 * kernels use them on MMIO. Each executor gets operands that are translated
 * already, so nothing in here can fault half-way.
 */
#include <errno.h>
#include <string.h>

#include "emul.h"

struct rule {
	ZydisMnemonic mnemonic;
	int (*exec)(struct emul *e, uint32_t arg);
	uint32_t arg;
};

static uint64_t get(struct emul *e, int i)
{
	const ZydisDecodedOperand *op = &e->op[i];
	uint64_t v = 0;

	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return op->imm.value.u;
	if (op->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return emul_reg_get(e, op->reg.value);
	mem_read(&e->mem, &e->ref[i], &v);
	return v;
}

static void put(struct emul *e, int i, uint64_t v)
{
	uint32_t nr, shift, size;
	__u64 *gpr;

	if (e->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY) {
		mem_write(&e->mem, &e->ref[i], &v);
		return;
	}
	if (!emul_gpr(e->op[i].reg.value, &nr, &shift, &size))
		return;
	gpr = &e->run->regs.gpr[nr];
	if (shift)
		*gpr = (*gpr & ~0xff00ull) | (v & 0xff) << 8;
	else
		gpr_merge(gpr, v, size);
}

static uint64_t sign_extend(uint64_t v, uint32_t size)
{
	uint32_t unused = 64 - size * 8;

	return (uint64_t)((int64_t)(v << unused) >> unused);
}

static int exec_mov(struct emul *e, uint32_t arg)
{
	(void)arg;
	put(e, 0, get(e, 1));
	return 0;
}

static int exec_movsx(struct emul *e, uint32_t arg)
{
	(void)arg;
	put(e, 0, sign_extend(get(e, 1), emul_op_size(e, 1)));
	return 0;
}

static int exec_movbe(struct emul *e, uint32_t arg)
{
	uint32_t size = emul_op_size(e, 0);

	(void)arg;
	put(e, 0, __builtin_bswap64(get(e, 1)) >> (64 - size * 8));
	return 0;
}

/* two operands, the first is the destination */
static int exec_alu(struct emul *e, uint32_t op)
{
	uint64_t flags = e->run->regs.rflags, b = get(e, 1);

	put(e, 0, alu(op, get(e, 0), b, emul_op_size(e, 0), &flags));
	e->run->regs.rflags = flags;
	return 0;
}

/* the same without a result: CMP and TEST */
static int exec_compare(struct emul *e, uint32_t op)
{
	uint64_t flags = e->run->regs.rflags, b = get(e, 1);

	alu(op, get(e, 0), b, emul_op_size(e, 0), &flags);
	e->run->regs.rflags = flags;
	return 0;
}

static int exec_unary(struct emul *e, uint32_t op)
{
	uint64_t flags = e->run->regs.rflags;

	put(e, 0, alu(op, get(e, 0), 0, emul_op_size(e, 0), &flags));
	e->run->regs.rflags = flags;
	return 0;
}

static int exec_xchg(struct emul *e, uint32_t arg)
{
	uint64_t a = get(e, 0), b = get(e, 1);

	(void)arg;
	put(e, 0, b);
	put(e, 1, a);
	return 0;
}

static int exec_xadd(struct emul *e, uint32_t arg)
{
	uint64_t flags = e->run->regs.rflags;
	uint64_t a = get(e, 0), b = get(e, 1);
	uint64_t sum = alu(ALU_ADD, a, b, emul_op_size(e, 0), &flags);

	(void)arg;
	/* register first: if both are the same one, the sum stays */
	put(e, 1, a);
	put(e, 0, sum);
	e->run->regs.rflags = flags;
	return 0;
}

static int exec_cmpxchg(struct emul *e, uint32_t arg)
{
	uint32_t size = emul_op_size(e, 0);
	uint64_t flags = e->run->regs.rflags, old = get(e, 0);
	__u64 *rax = &e->run->regs.gpr[LIMEN_RAX];

	(void)arg;
	alu(ALU_SUB, *rax, old, size, &flags);
	/* The destination is written in either case (SDM Vol. 2, "CMPXCHG"). */
	if (flags & FLAG_ZF) {
		put(e, 0, get(e, 1));
	} else {
		put(e, 0, old);
		gpr_merge(rax, old, size);
	}
	e->run->regs.rflags = flags;
	return 0;
}

enum { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

/* A register as bit offset reaches beyond the operand, signed; an immediate is
 * taken modulo the width (SDM Vol. 2, "Bit(BitBase, BitOffset)"). */
static int exec_bit(struct emul *e, uint32_t op)
{
	uint32_t size = emul_op_size(e, 0), width = size * 8;
	uint64_t offset = get(e, 1), v, bit;
	int64_t words = 0;
	int err;

	if (e->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
		words = (int64_t)sign_extend(offset, size) >>
			(size == 8 ? 6 : size == 4 ? 5 : 4);
	err = emul_resolve(e, 0, (uint64_t)words * size);
	if (err)
		return err;
	v = get(e, 0);
	bit = 1ull << (offset % width);
	e->run->regs.rflags &= ~(uint64_t)FLAG_CF;
	if (v & bit)
		e->run->regs.rflags |= FLAG_CF;
	if (op == BIT_SET)
		v |= bit;
	else if (op == BIT_RESET)
		v &= ~bit;
	else if (op == BIT_COMPLEMENT)
		v ^= bit;
	if (op != BIT_TEST)
		put(e, 0, v);
	return 0;
}

static int exec_cmov(struct emul *e, uint32_t cc)
{
	uint64_t v = get(e, 1);

	/* a 32-bit destination is zero-extended even if the move is not done */
	put(e, 0, alu_condition(cc, e->run->regs.rflags) ? v : get(e, 0));
	return 0;
}

static int exec_set(struct emul *e, uint32_t cc)
{
	put(e, 0, alu_condition(cc, e->run->regs.rflags));
	return 0;
}

#define M(name)	ZYDIS_MNEMONIC_##name

static const struct rule rules[] = {
	{ M(MOV), exec_mov, 0 }, { M(MOVNTI), exec_mov, 0 },
	{ M(MOVZX), exec_mov, 0 }, { M(MOVSX), exec_movsx, 0 },
	{ M(MOVSXD), exec_movsx, 0 }, { M(MOVBE), exec_movbe, 0 },
	{ M(ADD), exec_alu, ALU_ADD }, { M(OR), exec_alu, ALU_OR },
	{ M(ADC), exec_alu, ALU_ADC }, { M(SBB), exec_alu, ALU_SBB },
	{ M(AND), exec_alu, ALU_AND }, { M(SUB), exec_alu, ALU_SUB },
	{ M(XOR), exec_alu, ALU_XOR },
	{ M(CMP), exec_compare, ALU_SUB }, { M(TEST), exec_compare, ALU_AND },
	{ M(INC), exec_unary, ALU_INC }, { M(DEC), exec_unary, ALU_DEC },
	{ M(NEG), exec_unary, ALU_NEG }, { M(NOT), exec_unary, ALU_NOT },
	{ M(XCHG), exec_xchg, 0 }, { M(XADD), exec_xadd, 0 },
	{ M(CMPXCHG), exec_cmpxchg, 0 },
	{ M(BT), exec_bit, BIT_TEST }, { M(BTS), exec_bit, BIT_SET },
	{ M(BTR), exec_bit, BIT_RESET }, { M(BTC), exec_bit, BIT_COMPLEMENT },
	/* condition codes: SDM Vol. 1, "EFLAGS Condition Codes" */
	{ M(CMOVO), exec_cmov, 0 }, { M(CMOVNO), exec_cmov, 1 },
	{ M(CMOVB), exec_cmov, 2 }, { M(CMOVNB), exec_cmov, 3 },
	{ M(CMOVZ), exec_cmov, 4 }, { M(CMOVNZ), exec_cmov, 5 },
	{ M(CMOVBE), exec_cmov, 6 }, { M(CMOVNBE), exec_cmov, 7 },
	{ M(CMOVS), exec_cmov, 8 }, { M(CMOVNS), exec_cmov, 9 },
	{ M(CMOVP), exec_cmov, 10 }, { M(CMOVNP), exec_cmov, 11 },
	{ M(CMOVL), exec_cmov, 12 }, { M(CMOVNL), exec_cmov, 13 },
	{ M(CMOVLE), exec_cmov, 14 }, { M(CMOVNLE), exec_cmov, 15 },
	{ M(SETO), exec_set, 0 }, { M(SETNO), exec_set, 1 },
	{ M(SETB), exec_set, 2 }, { M(SETNB), exec_set, 3 },
	{ M(SETZ), exec_set, 4 }, { M(SETNZ), exec_set, 5 },
	{ M(SETBE), exec_set, 6 }, { M(SETNBE), exec_set, 7 },
	{ M(SETS), exec_set, 8 }, { M(SETNS), exec_set, 9 },
	{ M(SETP), exec_set, 10 }, { M(SETNP), exec_set, 11 },
	{ M(SETL), exec_set, 12 }, { M(SETNL), exec_set, 13 },
	{ M(SETLE), exec_set, 14 }, { M(SETNLE), exec_set, 15 },
};

static const struct rule *rule_find(ZydisMnemonic mnemonic)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].mnemonic == mnemonic)
			return &rules[i];
	return NULL;
}

/* Every operand must be one that get() and put() know. */
static int prepare(struct emul *e, bool bit_string)
{
	uint32_t nr, shift, size;
	int err;

	for (int i = 0; i < e->z.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &e->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    !emul_gpr(op->reg.value, &nr, &shift, &size))
			return -ENOTSUP;
		if (op->type == ZYDIS_OPERAND_TYPE_POINTER)
			return -ENOTSUP;
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (emul_op_size(e, i) > 8)
			return -ENOTSUP;
		err = bit_string ? 0 : emul_resolve(e, i, 0);
		if (err)
			return err;
	}
	return 0;
}

int emul_integer(struct emul *e)
{
	const struct rule *r = rule_find(e->z.mnemonic);
	int err;

	if (!r)
		return -ENOTSUP;
	err = prepare(e, r->exec == exec_bit);
	return err ? err : r->exec(e, r->arg);
}
