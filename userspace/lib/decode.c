// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From the instruction pointer to operands with addresses. The bytes come from
 * the run page; where the CPU gave too few, or none (AMD without decode
 * assists), they are read through the guest's page tables.
 */
#include <errno.h>
#include <string.h>

#include "emul.h"

#define MAX_INSN	15	/* SDM Vol. 3, "General-Protection Exception" */

static int fetch(struct emul *e)
{
	const struct limen_run *run = e->run;
	uint64_t gva = mem_linear(run, LIMEN_CS, run->regs.rip);
	struct limen_vm *vm = e->mem.vcpu->vm;
	struct mem_ref ref;
	uint32_t got;
	int err;

	err = mem_resolve(&e->mem, gva, 1, LIMEN_ACCESS_EXEC, &ref);
	if (err)
		return err;
	got = LIMEN_PAGE_SIZE - (gva & (LIMEN_PAGE_SIZE - 1));
	if (got > MAX_INSN)
		got = MAX_INSN;
	if (limen_gpa_read(vm, ref.gpa[0], e->bytes, got))
		return -ENOTSUP;
	/* The rest may lie in a page that the instruction doesn't reach. */
	if (got < MAX_INSN &&
	    !mem_resolve(&e->mem, gva + got, 1, LIMEN_ACCESS_EXEC, &ref) &&
	    !limen_gpa_read(vm, ref.gpa[0], e->bytes + got, MAX_INSN - got))
		got = MAX_INSN;
	e->nr_bytes = got;
	return 0;
}

static bool decode_bytes(struct emul *e)
{
	ZydisMachineMode mode = ZYDIS_MACHINE_MODE_LONG_64;
	ZydisStackWidth width = ZYDIS_STACK_WIDTH_64;
	ZydisDecoder decoder;

	if (e->run->mode == 32) {
		mode = ZYDIS_MACHINE_MODE_LEGACY_32;
		width = ZYDIS_STACK_WIDTH_32;
	} else if (e->run->mode != 64) {
		mode = ZYDIS_MACHINE_MODE_LEGACY_16;
		width = ZYDIS_STACK_WIDTH_16;
	}
	return ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode, width)) &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, e->bytes,
						   e->nr_bytes, &e->z, e->op));
}

int emul_decode(struct emul *e, struct limen_vcpu *vcpu, struct limen_bus *bus)
{
	int err;

	memset(e, 0, sizeof(*e));
	e->run = vcpu->run;
	mem_ctx_init(&e->mem, vcpu, bus);
	e->nr_bytes = e->run->insn_bytes;
	if (e->nr_bytes > MAX_INSN)
		e->nr_bytes = MAX_INSN;
	memcpy(e->bytes, e->run->insn, e->nr_bytes);
	if (e->nr_bytes && decode_bytes(e))
		return 0;
	err = fetch(e);
	if (err)
		return err;
	return decode_bytes(e) ? 0 : -ENOTSUP;
}

bool emul_gpr(ZydisRegister reg, uint32_t *nr, uint32_t *shift, uint32_t *size)
{
	*shift = 0;
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL) {
		*nr = reg - ZYDIS_REGISTER_AL;
		*size = 1;
	} else if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
		*nr = reg - ZYDIS_REGISTER_AH;
		*shift = 8;
		*size = 1;
	} else if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B) {
		*nr = reg - ZYDIS_REGISTER_SPL + LIMEN_RSP;
		*size = 1;
	} else if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W) {
		*nr = reg - ZYDIS_REGISTER_AX;
		*size = 2;
	} else if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D) {
		*nr = reg - ZYDIS_REGISTER_EAX;
		*size = 4;
	} else if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15) {
		*nr = reg - ZYDIS_REGISTER_RAX;
		*size = 8;
	} else {
		return false;
	}
	return true;
}

uint64_t emul_reg_get(const struct emul *e, ZydisRegister reg)
{
	uint32_t nr, shift, size;

	if (!emul_gpr(reg, &nr, &shift, &size))
		return 0;
	return (e->run->regs.gpr[nr] >> shift) & size_mask(size);
}

static uint32_t segment_of(ZydisRegister reg)
{
	switch (reg) {
	case ZYDIS_REGISTER_ES: return LIMEN_ES;
	case ZYDIS_REGISTER_CS: return LIMEN_CS;
	case ZYDIS_REGISTER_SS: return LIMEN_SS;
	case ZYDIS_REGISTER_FS: return LIMEN_FS;
	case ZYDIS_REGISTER_GS: return LIMEN_GS;
	default: return LIMEN_DS;
	}
}

uint32_t emul_op_size(const struct emul *e, int i)
{
	return e->op[i].size / 8;
}

int emul_address(struct emul *e, int i, uint64_t disp, uint64_t *gva)
{
	const ZydisDecodedOperandMem *m = &e->op[i].mem;
	uint64_t ea = (uint64_t)m->disp.value + disp;
	uint32_t nr, shift, size;

	if (m->type != ZYDIS_MEMOP_TYPE_MEM)
		return -ENOTSUP;
	if (m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP)
		ea += e->run->regs.rip + e->z.length;
	else if (emul_gpr(m->base, &nr, &shift, &size))
		ea += emul_reg_get(e, m->base);
	else if (m->base != ZYDIS_REGISTER_NONE)
		return -ENOTSUP;
	if (emul_gpr(m->index, &nr, &shift, &size))
		ea += emul_reg_get(e, m->index) * m->scale;
	else if (m->index != ZYDIS_REGISTER_NONE)
		return -ENOTSUP;
	ea &= size_mask(e->z.address_width / 8);
	*gva = mem_linear(e->run, segment_of(m->segment), ea);
	return 0;
}

int emul_resolve(struct emul *e, int i, uint64_t disp)
{
	bool writes = e->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	uint64_t gva;
	int err = emul_address(e, i, disp, &gva);

	if (err)
		return err;
	return mem_resolve(&e->mem, gva, emul_op_size(e, i),
			   writes ? LIMEN_ACCESS_WRITE : LIMEN_ACCESS_READ,
			   &e->ref[i]);
}
