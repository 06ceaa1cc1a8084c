// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * MOVS, STOS, LODS, CMPS and SCAS, with REP. Either operand, or both, may be a
 * device. A REP form is done in bounded portions; between them the guest gets
 * its interrupts (SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ").
 */
#include <errno.h>

#include "emul.h"

#define REP_PORTION	512	/* iterations per exit */

struct string_op {
	uint32_t size;
	uint32_t addr_size;
	uint64_t step;
	int src;	/* operand at [rSI], -1 if none */
	int dst;	/* operand at [rDI], -1 if none */
};

static bool is_index(const struct emul *e, int i, uint32_t want)
{
	uint32_t nr, shift, size;

	return e->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       emul_gpr(e->op[i].mem.base, &nr, &shift, &size) && nr == want;
}

static void find_operands(struct emul *e, struct string_op *s)
{
	s->size = 1;
	s->src = -1;
	s->dst = -1;
	for (int i = 0; i < e->z.operand_count; i++) {
		if (is_index(e, i, LIMEN_RSI))
			s->src = i;
		else if (is_index(e, i, LIMEN_RDI))
			s->dst = i;
	}
	if (s->src >= 0)
		s->size = emul_op_size(e, s->src);
	else if (s->dst >= 0)
		s->size = emul_op_size(e, s->dst);
	s->addr_size = e->z.address_width / 8;
	s->step = e->run->regs.rflags & FLAG_DF ? -(uint64_t)s->size : s->size;
}

static int element(struct emul *e, const struct string_op *s)
{
	__u64 *gpr = e->run->regs.gpr;
	uint64_t src = gpr[LIMEN_RAX], dst = 0, flags = e->run->regs.rflags;
	int err;

	if (s->src >= 0) {
		err = emul_resolve(e, s->src, 0);
		if (err)
			return err;
	}
	if (s->dst >= 0) {
		err = emul_resolve(e, s->dst, 0);
		if (err)
			return err;
	}
	if (s->src >= 0) {
		src = 0;
		mem_read(&e->mem, &e->ref[s->src], &src);
		gpr_merge(&gpr[LIMEN_RSI], gpr[LIMEN_RSI] + s->step, s->addr_size);
	}
	if (s->dst < 0) {
		gpr_merge(&gpr[LIMEN_RAX], src, s->size);
		return 0;
	}
	if (e->op[s->dst].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
		mem_write(&e->mem, &e->ref[s->dst], &src);
	} else {
		mem_read(&e->mem, &e->ref[s->dst], &dst);
		alu(ALU_SUB, src, dst, s->size, &flags);
		e->run->regs.rflags = flags;
	}
	gpr_merge(&gpr[LIMEN_RDI], gpr[LIMEN_RDI] + s->step, s->addr_size);
	return 0;
}

/* REPE and REPNE end on the flag too; Zydis gives them to CMPS and SCAS only */
static bool ends_on_flag(const struct emul *e)
{
	bool zf = e->run->regs.rflags & FLAG_ZF;

	return ((e->z.attributes & ZYDIS_ATTRIB_HAS_REPE) && !zf) ||
	       ((e->z.attributes & ZYDIS_ATTRIB_HAS_REPNE) && zf);
}

int emul_string(struct emul *e)
{
	const uint64_t any_rep = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				 ZYDIS_ATTRIB_HAS_REPNE;
	__u64 *rcx = &e->run->regs.gpr[LIMEN_RCX];
	struct string_op s;
	uint64_t left;
	int err;

	if (e->z.meta.category != ZYDIS_CATEGORY_STRINGOP)
		return -ENOTSUP;
	find_operands(e, &s);
	if (s.src < 0 && s.dst < 0)
		return -ENOTSUP;
	if (!(e->z.attributes & any_rep))
		return element(e, &s);
	left = *rcx & size_mask(s.addr_size);
	for (int i = 0; left && i < REP_PORTION; i++) {
		err = element(e, &s);
		if (err)
			return err;
		left--;
		gpr_merge(rcx, left, s.addr_size);
		if (ends_on_flag(e))
			return 0;
	}
	return left ? EMUL_REPEAT : 0;
}
