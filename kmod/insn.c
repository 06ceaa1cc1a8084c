// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading instruction bytes, for two narrow needs: the length (and operands) of
 * the few instructions that exit, on CPUs that do not tell; and plain MOVs, for
 * a register page that lives in the kernel. Pure. Everything else is decoded by
 * the library in user space.
 *
 * The bytes come from guest memory and may have changed since the exit (another
 * vCPU, or DMA): an opcode that is not the one that exited gives an error, and
 * the guest simply runs the instruction again.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../uapi/linux/limen.h"
#include "insn.h"

/**
 * limen_insn_prefixes() - read the prefixes
 * @insn: bytes
 * @n: how many
 * @long_mode: 0x40-0x4f are REX prefixes
 * @p: the result; p->len == n when nothing but prefixes was there
 *
 * Context: any.
 */
void limen_insn_prefixes(const u8 *insn, int n, bool long_mode,
			 struct limen_prefixes *p)
{
	memset(p, 0, sizeof(*p));
	p->seg = -1;
	for (; p->len < n; p->len++) {
		u8 b = insn[p->len];

		if (long_mode && (b & 0xf0) == 0x40) {
			p->rex = b;
			continue;
		}
		switch (b) {
		case 0x26: p->seg = LIMEN_ES; break;
		case 0x2e: p->seg = LIMEN_CS; break;
		case 0x36: p->seg = LIMEN_SS; break;
		case 0x3e: p->seg = LIMEN_DS; break;
		case 0x64: p->seg = LIMEN_FS; break;
		case 0x65: p->seg = LIMEN_GS; break;
		case 0x66: p->opsize = true; break;
		case 0x67: p->addrsize = true; break;
		case 0xf2:
		case 0xf3: p->rep = true; break;
		case 0xf0: p->lock = true; break;
		default:
			return;
		}
		p->rex = 0;	/* counts directly before the opcode only */
	}
}

/* Opcode bytes of the kinds that have one instruction */
static const struct {
	u8 len;
	u8 op[3];
	u8 mask;	/* of the last byte */
} opcode[LIMEN_NR_KIND][2] = {
	[LIMEN_KIND_CPUID]	= { { 2, { 0x0f, 0xa2 }, 0xff } },
	[LIMEN_KIND_RDMSR]	= { { 2, { 0x0f, 0x32 }, 0xff } },
	[LIMEN_KIND_WRMSR]	= { { 2, { 0x0f, 0x30 }, 0xff } },
	[LIMEN_KIND_HLT]	= { { 1, { 0xf4 }, 0xff } },
	[LIMEN_KIND_PAUSE]	= { { 1, { 0x90 }, 0xff } },
	[LIMEN_KIND_CACHE]	= { { 2, { 0x0f, 0x08 }, 0xfe } },
	[LIMEN_KIND_XSETBV]	= { { 3, { 0x0f, 0x01, 0xd1 }, 0xff } },
	/* VMCALL and VMMCALL */
	[LIMEN_KIND_HYPERCALL]	= { { 3, { 0x0f, 0x01, 0xc1 }, 0xff },
				    { 3, { 0x0f, 0x01, 0xd9 }, 0xff } },
};

static int fixed_len(enum limen_kind kind, const u8 *op, int n)
{
	int i, len;

	for (i = 0; i < 2; i++) {
		len = opcode[kind][i].len;
		if (!len || n < len)
			continue;
		if (!memcmp(op, opcode[kind][i].op, len - 1) &&
		    !((op[len - 1] ^ opcode[kind][i].op[len - 1]) &
		      opcode[kind][i].mask))
			return len;
	}
	return -EINVAL;
}

/* ModRM, SIB and displacement; -EINVAL when the bytes end before. */
static int modrm_len(const u8 *m, int n, int addr_bytes)
{
	int mod, rm, len = 1;

	if (n < 1)
		return -EINVAL;
	mod = m[0] >> 6;
	rm = m[0] & 7;
	if (mod == 3)
		return 1;
	if (addr_bytes == 2) {
		if (mod == 1)
			len += 1;
		else if (mod == 2 || rm == 6)
			len += 2;
		return len <= n ? len : -EINVAL;
	}
	if (rm == 4) {
		if (n < 2)
			return -EINVAL;
		len++;
		if (mod == 0 && (m[1] & 7) == 5)
			len += 4;
	} else if (mod == 0 && rm == 5) {
		len += 4;
	}
	if (mod == 1)
		len += 1;
	else if (mod == 2)
		len += 4;
	return len <= n ? len : -EINVAL;
}

static int addr_bytes(int mode, const struct limen_prefixes *p)
{
	if (mode == 64)
		return p->addrsize ? 4 : 8;
	return (mode == 32) != p->addrsize ? 4 : 2;
}

/* SDM Vol. 2, "16-Bit Addressing Forms with the ModR/M Byte" */
static u64 ea16(const u8 *m, const u64 *gpr, bool *stack)
{
	static const s8 base[8] = {
		LIMEN_RBX, LIMEN_RBX, LIMEN_RBP, LIMEN_RBP,
		LIMEN_RSI, LIMEN_RDI, LIMEN_RBP, LIMEN_RBX,
	};
	static const s8 index[8] = {
		LIMEN_RSI, LIMEN_RDI, LIMEN_RSI, LIMEN_RDI, -1, -1, -1, -1,
	};
	int mod = m[0] >> 6, rm = m[0] & 7;
	u16 ea = 0;

	*stack = false;
	if (mod || rm != 6) {
		ea = gpr[base[rm]] + (index[rm] < 0 ? 0 : gpr[index[rm]]);
		*stack = base[rm] == LIMEN_RBP;
	}
	if (mod == 1)
		ea += (s8)m[1];
	else if (mod == 2 || rm == 6)
		ea += m[1] | m[2] << 8;
	return ea;
}

/**
 * limen_insn_ea() - the offset that a memory operand names
 * @m: ModRM, complete: see limen_insn_complete()
 * @mode: 16, 32 or 64
 * @p: the instruction's prefixes
 * @gpr: registers
 * @next_rip: of the instruction behind
 * @stack: set when SS, not DS, is the default segment
 *
 * SDM Vol. 2, "32-Bit Addressing Forms with the ModR/M Byte" and "... SIB Byte".
 *
 * Context: any.
 * Return: the offset, by the address size.
 */
u64 limen_insn_ea(const u8 *m, int mode, const struct limen_prefixes *p,
		  const u64 *gpr, u64 next_rip, bool *stack)
{
	int bytes = addr_bytes(mode, p);
	int mod = m[0] >> 6, rm = m[0] & 7, base = rm;
	s32 disp32;
	u64 ea = 0;

	if (bytes == 2)
		return ea16(m, gpr, stack);
	m++;
	if (rm == 4) {
		int index = (*m >> 3 & 7) | (p->rex & 2) << 2;

		if (index != 4)
			ea = gpr[index] << (*m >> 6);
		base = *m++ & 7;
	}
	*stack = !(p->rex & 1) && (base == LIMEN_RSP || (base == LIMEN_RBP && mod));
	if (mod || base != 5)
		ea += gpr[base | (p->rex & 1) << 3];
	else if (rm == 5 && mode == 64)
		ea += next_rip;
	if (mod == 1) {
		ea += (s8)*m;
	} else if (mod == 2 || (!mod && base == 5)) {
		memcpy(&disp32, m, sizeof(disp32));
		ea += disp32;
	}
	return bytes == 8 ? ea : (u32)ea;
}

/*
 * MOV to or from CR and DR: 0f 20-23 /r; the mod bits are ignored. On AMD a LOCK
 * prefix makes CR0 CR8 (APM Vol. 3, "MOV CRn": AltMovCr8).
 */
static int complete_mov_cr(struct limen_exit *exit, const u8 *op, int n,
			   const struct limen_prefixes *p)
{
	bool dr = exit->kind == LIMEN_KIND_DR;
	u8 nr, gpr;

	if (n < 3 || (op[1] & 0xfd) != (dr ? 0x21 : 0x20))
		return -EINVAL;
	nr = (op[2] >> 3 & 7) | (p->rex & 4) << 1;
	if (p->lock && !dr)
		nr |= 8;
	gpr = (op[2] & 7) | (p->rex & 1) << 3;
	if (nr != (dr ? exit->dr.nr : exit->cr.nr))
		return -EINVAL;
	if (dr) {
		exit->dr.gpr = gpr;
		exit->dr.write = op[1] & 2;
		exit->dr.encoded = false;
	} else {
		exit->cr.gpr = gpr;
		exit->cr.op = op[1] & 2 ? LIMEN_CR_WRITE : LIMEN_CR_READ;
	}
	return 3;
}

static int complete_cr(struct limen_exit *exit, const u8 *op, int n,
		       const struct limen_prefixes *p, int mode)
{
	int len;

	if (n >= 2 && op[0] == 0x0f && op[1] == 0x06) {
		exit->cr.op = LIMEN_CR_CLTS;
		return 2;
	}
	/* SMSW is 0f 01 /4, LMSW 0f 01 /6 */
	if (n >= 3 && op[0] == 0x0f && op[1] == 0x01 && (op[2] >> 3 & 5) == 4) {
		if (op[2] >> 6 != 3)
			exit->cr.mem_at = p->len + 2;
		len = modrm_len(op + 2, n - 2, addr_bytes(mode, p));
		exit->cr.op = op[2] & 0x10 ? LIMEN_CR_LMSW : LIMEN_CR_SMSW;
		exit->cr.size = p->rex & 8 ? 8 :
				(mode == 16) != p->opsize ? 2 : 4;
		exit->cr.gpr = (op[2] & 7) | (p->rex & 1) << 3;
		return len < 0 ? len : len + 2;
	}
	if (n < 1 || op[0] != 0x0f)
		return -EINVAL;
	return complete_mov_cr(exit, op, n, p);
}

static int complete_string_io(struct limen_exit *exit, const u8 *op, int n,
			      const struct limen_prefixes *p, int mode)
{
	if (n < 1 || (op[0] & 0xfc) != 0x6c)
		return -EINVAL;
	exit->io.addr_size = addr_bytes(mode, p);
	exit->io.seg = exit->io.in ? LIMEN_ES : p->seg >= 0 ? p->seg : LIMEN_DS;
	exit->io.has_seg = true;
	return 1;
}

/**
 * limen_insn_complete() - add to an exit what the CPU did not tell
 * @exit: gets insn_len, and the operands of MOV CR, MOV DR and string I/O
 * @insn: bytes at RIP
 * @n: how many, at most 15
 * @mode: 16, 32 or 64
 *
 * Context: any.
 * Return: 0, or -EINVAL when these bytes are not what exited.
 */
int limen_insn_complete(struct limen_exit *exit, const u8 *insn, int n, int mode)
{
	struct limen_prefixes p;
	const u8 *op;
	int len;

	limen_insn_prefixes(insn, n, mode == 64, &p);
	op = insn + p.len;
	n -= p.len;
	switch (exit->kind) {
	case LIMEN_KIND_CR:
		len = complete_cr(exit, op, n, &p, mode);
		break;
	case LIMEN_KIND_DR:
		len = n >= 1 && op[0] == 0x0f ?
			complete_mov_cr(exit, op, n, &p) : -EINVAL;
		break;
	case LIMEN_KIND_IO:
		len = exit->io.string ?
			complete_string_io(exit, op, n, &p, mode) : -EINVAL;
		break;
	default:
		len = fixed_len(exit->kind, op, n);
		break;
	}
	if (len < 0)
		return len;
	exit->insn_len = p.len + len;
	return 0;
}

static void mov_reg(struct limen_mov *mov, u8 reg, const struct limen_prefixes *p)
{
	mov->gpr = reg | (p->rex & 4) << 1;
	/* without REX, byte registers 4 to 7 are the high halves of 0 to 3 */
	if (mov->size == 1 && !p->rex && reg >= 4) {
		mov->gpr = reg - 4;
		mov->high = true;
	}
}

static int mov_imm(struct limen_mov *mov, const u8 *imm, int n)
{
	int bytes = min_t(int, mov->size, 4);
	s32 val = 0;

	if (n < bytes)
		return -EINVAL;
	memcpy(&val, imm, bytes);
	mov->imm = true;
	mov->val = mov->size == 8 ? (u64)(s64)val : (u32)val;
	return bytes;
}

/**
 * limen_insn_mov() - decode MOV between memory and a register or an immediate
 * @insn: bytes at RIP
 * @n: how many
 * @mode: 16, 32 or 64
 * @mov: the result
 *
 * Opcodes 88-8b, a0-a3, c6 /0 and c7 /0, with any prefix but LOCK.
 *
 * Context: any.
 * Return: 0, or -EINVAL for anything else.
 */
int limen_insn_mov(const u8 *insn, int n, int mode, struct limen_mov *mov)
{
	struct limen_prefixes p;
	int len, extra = 0;
	u8 op;

	memset(mov, 0, sizeof(*mov));
	limen_insn_prefixes(insn, n, mode == 64, &p);
	if (p.len >= n || memchr(insn, 0xf0, p.len) || p.rep)
		return -EINVAL;
	op = insn[p.len];
	insn += p.len + 1;
	n -= p.len + 1;

	mov->size = !(op & 1) ? 1 : p.rex & 8 ? 8 :
		    (mode == 16) != p.opsize ? 2 : 4;
	switch (op) {
	case 0x88 ... 0x8b:
	case 0xc6 ... 0xc7:
		len = modrm_len(insn, n, addr_bytes(mode, &p));
		if (len < 0 || insn[0] >> 6 == 3)
			return -EINVAL;
		mov->write = op >= 0xc6 || !(op & 2);
		mov->mem_at = p.len + 1;
		if (op >= 0xc6 && (insn[0] >> 3 & 7))
			return -EINVAL;
		if (op < 0xc6)
			mov_reg(mov, insn[0] >> 3 & 7, &p);
		else
			extra = mov_imm(mov, insn + len, n - len);
		break;
	case 0xa0 ... 0xa3:
		len = addr_bytes(mode, &p);
		mov->write = op & 2;
		break;
	default:
		return -EINVAL;
	}
	if (extra < 0 || len > n)
		return -EINVAL;
	mov->len = p.len + 1 + len + extra;
	return 0;
}
