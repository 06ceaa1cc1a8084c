// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Integer arithmetic with the status flags of RFLAGS. Pure: no guest, no
 * memory. SDM Vol. 1, "EFLAGS Cross-Reference" and the pseudo code of each
 * instruction in Vol. 2.
 */
#include "internal.h"

void gpr_merge(__u64 *gpr, uint64_t value, uint32_t size)
{
	uint64_t mask = size_mask(size);

	*gpr = size >= 4 ? value & mask : (*gpr & ~mask) | (value & mask);
}

static uint64_t sign_bit(uint32_t size)
{
	return 1ull << (size * 8 - 1);
}

/* ZF, SF and PF of a result */
static uint64_t flags_of(uint64_t res, uint32_t size)
{
	uint64_t f = 0;

	res &= size_mask(size);
	if (!res)
		f |= FLAG_ZF;
	if (res & sign_bit(size))
		f |= FLAG_SF;
	if (!__builtin_parity(res & 0xff))
		f |= FLAG_PF;
	return f;
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, uint32_t size,
		    uint64_t *f)
{
	uint64_t mask = size_mask(size);
	uint64_t res = (a + b + carry) & mask;

	/* the carry out of each bit position */
	uint64_t out = (a & b) | ((a | b) & ~res);

	*f = flags_of(res, size);
	if (out & sign_bit(size))
		*f |= FLAG_CF;
	if (out & 8)
		*f |= FLAG_AF;
	if ((a ^ res) & (b ^ res) & sign_bit(size))
		*f |= FLAG_OF;
	return res;
}

static uint64_t sub(uint64_t a, uint64_t b, uint64_t borrow, uint32_t size,
		    uint64_t *f)
{
	uint64_t mask = size_mask(size);
	uint64_t res = (a - b - borrow) & mask;
	uint64_t out = (~a & b) | ((~a | b) & res);

	*f = flags_of(res, size);
	if (out & sign_bit(size))
		*f |= FLAG_CF;
	if (out & 8)
		*f |= FLAG_AF;
	if ((a ^ b) & (a ^ res) & sign_bit(size))
		*f |= FLAG_OF;
	return res;
}

uint64_t alu(enum alu_op op, uint64_t a, uint64_t b, uint32_t size,
	     uint64_t *flags)
{
	uint64_t cf = *flags & FLAG_CF, keep = 0, res = 0, f = 0;

	a &= size_mask(size);
	b &= size_mask(size);
	switch (op) {
	case ALU_ADD:	res = add(a, b, 0, size, &f); break;
	case ALU_ADC:	res = add(a, b, cf, size, &f); break;
	case ALU_SUB:	res = sub(a, b, 0, size, &f); break;
	case ALU_SBB:	res = sub(a, b, cf, size, &f); break;
	case ALU_NEG:	res = sub(0, a, 0, size, &f); break;
	case ALU_INC:	res = add(a, 1, 0, size, &f); keep = FLAG_CF; break;
	case ALU_DEC:	res = sub(a, 1, 0, size, &f); keep = FLAG_CF; break;
	/* AF is undefined after these three; CPUs clear it */
	case ALU_AND:	res = a & b; f = flags_of(res, size); break;
	case ALU_OR:	res = a | b; f = flags_of(res, size); break;
	case ALU_XOR:	res = a ^ b; f = flags_of(res, size); break;
	case ALU_NOT:	return ~a & size_mask(size);
	}
	*flags = (*flags & (~(uint64_t)FLAGS_STATUS | keep)) | (f & ~keep);
	return res;
}

bool alu_condition(uint32_t cc, uint64_t flags)
{
	bool cf = flags & FLAG_CF, zf = flags & FLAG_ZF, sf = flags & FLAG_SF;
	bool of = flags & FLAG_OF, pf = flags & FLAG_PF, r = false;

	switch (cc >> 1 & 7) {
	case 0: r = of; break;
	case 1: r = cf; break;
	case 2: r = zf; break;
	case 3: r = cf || zf; break;
	case 4: r = sf; break;
	case 5: r = pf; break;
	case 6: r = sf != of; break;
	case 7: r = zf || sf != of; break;
	}
	return r != (cc & 1);
}
