/* SPDX-License-Identifier: GPL-2.0-only */
/* The few instructions whose bytes the kernel reads. Pure. */
#ifndef LIMEN_INSN_H
#define LIMEN_INSN_H

#include <linux/types.h>

#include "ops.h"

struct limen_exit;

/* Prefixes and what follows them */
struct limen_prefixes {
	u8 len;			/* bytes */
	u8 rex;
	s8 seg;			/* enum limen_sreg, -1: none */
	bool opsize;		/* 0x66 */
	bool addrsize;		/* 0x67 */
	bool rep;		/* 0xf2 or 0xf3 */
	bool lock;		/* 0xf0 */
};

/* A plain MOV between memory and a register or an immediate */
struct limen_mov {
	u8 len;			/* of the instruction */
	u8 size;		/* of the access: 1, 2, 4, 8 */
	bool write;		/* to memory */
	bool imm;		/* the source is @val, not @gpr */
	u8 gpr;			/* enum limen_gpr */
	bool high;		/* AH, CH, DH, BH of gpr */
	u8 mem_at;		/* ModRM is at insn[mem_at]; 0: none */
	u64 val;
};

void limen_insn_prefixes(const u8 *insn, int n, bool long_mode,
			 struct limen_prefixes *p);
int limen_insn_complete(struct limen_exit *exit, const u8 *insn, int n,
			int mode);
u64 limen_insn_ea(const u8 *m, int mode, const struct limen_prefixes *p,
		  const u64 *gpr, u64 next_rip, bool *stack);
int limen_insn_mov(const u8 *insn, int n, int mode, struct limen_mov *mov);

#endif
