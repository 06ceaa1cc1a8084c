// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves between memory and XMM registers, without VEX. The registers live in
 * LIMEN_CLASS_XSAVE, standard format (SDM Vol. 1, "XSAVE Area").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emul.h"

#define XSAVE_XMM	160	/* offset of XMM0 in the legacy region */
#define XSAVE_BV	512	/* XSTATE_BV, first word of the header */
#define XSTATE_SSE	(1u << 1)

static bool is_plain_move(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_MOVUPS: case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVUPD: case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVDQU: case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVNTDQ: case ZYDIS_MNEMONIC_MOVNTDQA:
	case ZYDIS_MNEMONIC_MOVNTPS: case ZYDIS_MNEMONIC_MOVNTPD:
	case ZYDIS_MNEMONIC_LDDQU: case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVQ: case ZYDIS_MNEMONIC_MOVSS:
	case ZYDIS_MNEMONIC_MOVSD:
		return true;
	default:
		return false;
	}
}

static int xmm_number(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    op->reg.value < ZYDIS_REGISTER_XMM0 ||
	    op->reg.value > ZYDIS_REGISTER_XMM15)
		return -1;
	return op->reg.value - ZYDIS_REGISTER_XMM0;
}

/* Setting state discards the exit, so RIP goes along with the register. */
static int load(struct emul *e, uint8_t *xsave, uint32_t len, int xmm)
{
	struct limen_regs regs = e->run->regs;
	const struct limen_state_item items[] = {
		{ LIMEN_CLASS_XSAVE, len, (uintptr_t)xsave },
		{ LIMEN_CLASS_REGS, sizeof(regs), (uintptr_t)&regs },
	};
	uint8_t value[16] = { 0 };	/* narrow loads clear the rest */
	uint64_t bv;
	int err;

	mem_read(&e->mem, &e->ref[1], value);
	memcpy(xsave + XSAVE_XMM + 16 * xmm, value, sizeof(value));
	memcpy(&bv, xsave + XSAVE_BV, sizeof(bv));
	bv |= XSTATE_SSE;
	memcpy(xsave + XSAVE_BV, &bv, sizeof(bv));
	regs.rip = (regs.rip + e->z.length) & size_mask(e->run->mode / 8);
	err = limen_state_set_many(e->mem.vcpu, items, 2);
	if (err)
		return err;
	e->run->regs = regs;
	e->run->complete = LIMEN_DISCARD;
	e->run->dirty = 0;
	return EMUL_MOVED;
}

int emul_sse(struct emul *e)
{
	uint32_t len = e->mem.vcpu->vm->dev->info.xsave_size;
	bool to_memory = e->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	int mem = to_memory ? 0 : 1;
	int xmm = xmm_number(&e->op[1 - mem]);
	uint8_t *xsave;
	int err;

	if (!is_plain_move(e->z.mnemonic) || xmm < 0 ||
	    e->op[mem].type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    emul_op_size(e, mem) > 16 || len < XSAVE_BV + 64)
		return -ENOTSUP;
	err = emul_resolve(e, mem, 0);
	if (err)
		return err;
	xsave = malloc(len);
	if (!xsave)
		return -ENOMEM;
	err = limen_state_get(e->mem.vcpu, LIMEN_CLASS_XSAVE, xsave, len);
	if (!err && to_memory)
		mem_write(&e->mem, &e->ref[0], xsave + XSAVE_XMM + 16 * xmm);
	else if (!err)
		err = load(e, xsave, len, xmm);
	free(xsave);
	return err;
}
