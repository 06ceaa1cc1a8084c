/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One instruction on its way through the emulator: decode.c fills this in,
 * emul.c, emul_string.c and emul_sse.c execute it, mmio.c completes the exit.
 */
#ifndef LIMEN_EMUL_H
#define LIMEN_EMUL_H

#include <Zydis/Zydis.h>

#include "internal.h"

struct emul {
	struct limen_run *run;
	struct mem_ctx mem;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	struct mem_ref ref[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[16];
	uint32_t nr_bytes;
};

/* What an executor returns besides 0 (done), MEM_FAULT and -errno. */
#define EMUL_REPEAT	2	/* a REP form has iterations left */
#define EMUL_MOVED	3	/* done, and RIP and the exit are dealt with */

/* decode.c; 0, MEM_FAULT (the fetch faults) or -errno, -ENOTSUP for bytes that
 * are no instruction */
int emul_decode(struct emul *e, struct limen_vcpu *vcpu, struct limen_bus *bus);
/* linear address of memory operand @i, plus @disp; -ENOTSUP for odd forms */
int emul_address(struct emul *e, int i, uint64_t disp, uint64_t *gva);
uint32_t emul_op_size(const struct emul *e, int i);
/* translate memory operand @i, displaced by @disp bytes */
int emul_resolve(struct emul *e, int i, uint64_t disp);
/* number and bit position of a general register; false for others */
bool emul_gpr(ZydisRegister reg, uint32_t *nr, uint32_t *shift, uint32_t *size);
uint64_t emul_reg_get(const struct emul *e, ZydisRegister reg);

/* executors; the last two say -ENOTSUP when the instruction isn't theirs */
int emul_integer(struct emul *e);
int emul_string(struct emul *e);
int emul_sse(struct emul *e);

#endif
