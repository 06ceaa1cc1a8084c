// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control and debug registers and XCR0: what the guest may write, in the
 * manual's words (SDM Vol. 2 "MOV - Move to/from Control Registers", Vol. 3
 * "Control Registers"). The vendors only carry the result into the hardware.
 */
#include <linux/kernel.h>

#include "event.h"
#include "exit.h"
#include "fpu.h"
#include "walk.h"
#include "window.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_MP		BIT_ULL(1)
#define CR0_EM		BIT_ULL(2)
#define CR0_TS		BIT_ULL(3)
#define CR0_ET		BIT_ULL(4)
#define CR0_NW		BIT_ULL(29)
#define CR0_CD		BIT_ULL(30)
#define CR0_PG		BIT_ULL(31)
#define CR0_DEFINED	0xe005003full
#define CR4_DE		BIT_ULL(3)
#define CR4_PAE		BIT_ULL(5)
#define CR4_PCIDE	BIT_ULL(17)
#define CR4_FLUSHING	(BIT_ULL(4) | BIT_ULL(5) | BIT_ULL(7) | BIT_ULL(17) | \
			 BIT_ULL(20))
#define GEFER_LME	BIT_ULL(8)
#define GEFER_LMA	BIT_ULL(10)
#define SEG_L		BIT(13)
#define DR6_BD		BIT(13)
#define DR7_GD		BIT(13)
#define DR6_FIXED1	0xffff0ff0ull
#define DR6_WRITABLE	0x1e00full	/* B3-B0, BD, BS, BT, RTM */
#define DR7_FIXED1	BIT_ULL(10)
#define DR7_WRITABLE	0xffff2bffull

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & GEFER_LMA);
}

/* Entering IA-32e mode needs PAE and no 64-bit CS. */
static int paging_on(struct limen_vcpu *vcpu)
{
	struct limen_sregs *s = &vcpu->sregs;

	if (!(s->efer & GEFER_LME))
		return 0;
	limen_fetch(vcpu, LIMEN_G_SEG);
	if (!(s->cr4 & CR4_PAE) || (s->seg[LIMEN_CS].ar & SEG_L))
		return -EINVAL;
	s->efer |= GEFER_LMA;
	return 0;
}

static int set_cr0(struct limen_vcpu *vcpu, u64 val)
{
	struct limen_sregs *s = &vcpu->sregs;
	u64 old = s->cr0, efer = s->efer;
	int err = 0;

	if (val >> 32)
		return -EINVAL;
	val = (val & CR0_DEFINED) | CR0_ET;
	if (((val & CR0_PG) && !(val & CR0_PE)) ||
	    ((val & CR0_NW) && !(val & CR0_CD)))
		return -EINVAL;
	if (!(val & CR0_PG) && (s->cr4 & CR4_PCIDE))
		return -EINVAL;

	if ((val & CR0_PG) && !(old & CR0_PG))
		err = paging_on(vcpu);
	else if (!(val & CR0_PG))
		s->efer &= ~GEFER_LMA;
	if (err)
		return err;
	s->cr0 = val;
	/*
	 * LMA may have gone without a look at CS: a MOV to CR0 that clears PG
	 * from 64-bit code faults
	 */
	if ((old & CR0_PG) && !(val & CR0_PG) && (efer & GEFER_LMA)) {
		limen_fetch(vcpu, LIMEN_G_SEG);
		if (s->seg[LIMEN_CS].ar & SEG_L)
			err = -EINVAL;
	}
	if (!err && ((old ^ val) & (CR0_PG | CR0_CD | CR0_NW)) &&
	    pae_paging(val, s->cr4, s->efer))
		err = limen_load_pdptes(vcpu);
	if (err) {
		s->cr0 = old;
		s->efer = efer;
		return err;
	}
	limen_dirty(vcpu, LIMEN_G_CR);
	if ((old ^ val) & (CR0_PG | CR0_PE))
		vcpu->entry.flush = true;
	return 0;
}

static int set_cr4(struct limen_vcpu *vcpu, u64 val)
{
	struct limen_sregs *s = &vcpu->sregs;
	u64 old = s->cr4;
	int err = 0;

	if (val & ~vcpu->cr4_allowed)
		return -EINVAL;
	if ((s->efer & GEFER_LMA) && !(val & CR4_PAE))
		return -EINVAL;
	if ((val & CR4_PCIDE) && !(old & CR4_PCIDE) &&
	    (!(s->efer & GEFER_LMA) || (s->cr3 & 0xfff)))
		return -EINVAL;
	s->cr4 = val;
	if (((old ^ val) & CR4_FLUSHING) && pae_paging(s->cr0, val, s->efer))
		err = limen_load_pdptes(vcpu);
	if (err) {
		s->cr4 = old;
		return err;
	}
	limen_dirty(vcpu, LIMEN_G_CR);
	if ((old ^ val) & CR4_FLUSHING)
		vcpu->entry.flush = true;
	return 0;
}

/**
 * limen_set_efer() - WRMSR to IA32_EFER
 * @vcpu: the vCPU
 * @val: its value
 *
 * Context: vCPU thread.
 * Return: errno.
 */
int limen_set_efer(struct limen_vcpu *vcpu, u64 val)
{
	struct limen_sregs *s = &vcpu->sregs;

	limen_fetch(vcpu, LIMEN_G_CR);
	if (val & ~vcpu->efer_allowed)
		return -EINVAL;
	if ((s->cr0 & CR0_PG) && ((s->efer ^ val) & GEFER_LME))
		return -EINVAL;
	/* LMA is read-only */
	s->efer = (val & ~GEFER_LMA) | (s->efer & GEFER_LMA);
	limen_dirty(vcpu, LIMEN_G_CR);
	vcpu->entry.flush = true;
	return 0;
}

static u64 read_cr(struct limen_vcpu *vcpu, u8 nr)
{
	switch (nr) {
	case 0:
		return vcpu->sregs.cr0;
	case 4:
		return vcpu->sregs.cr4;
	case 8:
		return pi_get_cr8(vcpu);
	}
	return 0;
}

/* SDM Vol. 2, "SMSW - Store Machine Status Word"; exit.c has written memory */
static void smsw(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;
	u64 *gpr = &vcpu->regs.gpr[exit->cr.gpr];
	u64 cr0 = vcpu->sregs.cr0;

	if (exit->cr.mem_at)
		return;
	if (exit->cr.size == 2)
		*gpr = (*gpr & ~0xffffull) | (u16)cr0;
	else
		*gpr = cr0;
	if (exit->cr.gpr == LIMEN_RSP)
		limen_dirty(vcpu, LIMEN_G_REGS);
}

static int write_cr(struct limen_vcpu *vcpu, u8 nr, u64 val)
{
	switch (nr) {
	case 0:
		return set_cr0(vcpu, val);
	case 4:
		return set_cr4(vcpu, val);
	case 8:
		return pi_set_cr8(vcpu, val);
	}
	return -EINVAL;
}

/* LMSW writes PE, MP, EM and TS, and can't clear PE. */
static int lmsw(struct limen_vcpu *vcpu, u16 val)
{
	u64 cr0 = vcpu->sregs.cr0;
	u64 low = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

	return set_cr0(vcpu, (cr0 & ~low) | (val & low) | (cr0 & CR0_PE));
}

/**
 * limen_cr_is_inside() - PDPTEs come from guest memory, which may sleep
 * @vcpu: the vCPU
 */
bool limen_cr_is_inside(struct limen_vcpu *vcpu)
{
	if (vcpu->exit.cr.nr == 8)
		return true;
	limen_fetch(vcpu, LIMEN_G_CR);
	return vcpu->sregs.efer & GEFER_LMA;
}

/**
 * limen_handle_cr() - the exit
 * @vcpu: the vCPU
 */
enum limen_next limen_handle_cr(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;
	u64 *gpr = &vcpu->regs.gpr[exit->cr.gpr];
	int err = 0;
	u64 val;

	limen_fetch(vcpu, LIMEN_G_CR);
	switch (exit->cr.op) {
	case LIMEN_CR_READ:
		val = read_cr(vcpu, exit->cr.nr);
		*gpr = limen_mode(vcpu) == 64 ? val : (u32)val;
		if (exit->cr.gpr == LIMEN_RSP)
			limen_dirty(vcpu, LIMEN_G_REGS);
		break;
	case LIMEN_CR_WRITE:
		val = limen_mode(vcpu) == 64 ? *gpr : (u32)*gpr;
		err = write_cr(vcpu, exit->cr.nr, val);
		break;
	case LIMEN_CR_CLTS:
		err = set_cr0(vcpu, vcpu->sregs.cr0 & ~CR0_TS);
		break;
	case LIMEN_CR_LMSW:
		err = lmsw(vcpu, exit->cr.val);
		break;
	case LIMEN_CR_SMSW:
		smsw(vcpu);
		break;
	}
	if (err) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	return limen_skip_insn(vcpu);
}

static int write_dr(struct limen_vcpu *vcpu, u8 nr, u64 val)
{
	struct limen_debugregs *dr = &vcpu->dr;

	if (nr >= 6 && val >> 32)
		return -EINVAL;
	if (nr < 4)
		dr->dr[nr] = val;
	else if (nr == 6)
		dr->dr6 = (val & DR6_WRITABLE) | DR6_FIXED1;
	else
		dr->dr7 = (val & DR7_WRITABLE) | DR7_FIXED1;
	limen_dirty(vcpu, LIMEN_G_DR);
	return 0;
}

/**
 * limen_handle_dr() - MOV to or from DR (SDM Vol
 * @vcpu: the vCPU
 *
 * 2 "MOV - Move to/from Debug Registers")
 */
enum limen_next limen_handle_dr(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;
	u64 *gpr = &vcpu->regs.gpr[exit->dr.gpr];
	u8 nr = exit->dr.nr;

	limen_fetch(vcpu, LIMEN_G_DR | LIMEN_G_CR);
	if (nr == 4 || nr == 5) {
		if (vcpu->sregs.cr4 & CR4_DE) {
			limen_raise_ud(vcpu);
			return LIMEN_RESUME;
		}
		nr += 2;
	}
	if (vcpu->dr.dr7 & DR7_GD) {
		limen_raise(vcpu, VEC_DB, NO_ERROR, DR6_BD);
		return LIMEN_RESUME;
	}
	if (!exit->dr.write) {
		*gpr = nr < 4 ? vcpu->dr.dr[nr] :
		       nr == 6 ? vcpu->dr.dr6 : vcpu->dr.dr7;
		if (exit->dr.gpr == LIMEN_RSP)
			limen_dirty(vcpu, LIMEN_G_REGS);
		return limen_skip_insn(vcpu);
	}
	if (write_dr(vcpu, nr, limen_mode(vcpu) == 64 ? *gpr : (u32)*gpr)) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	return limen_skip_insn(vcpu);
}

/**
 * limen_xcr0_ok() - SDM Vol
 * @allowed: bits that may be set
 * @xcr0: the value
 *
 * 1, "Enabling the XSAVE Feature Set"
 */
bool limen_xcr0_ok(u64 allowed, u64 xcr0)
{
	const u64 avx512 = BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(7);

	if ((xcr0 & ~allowed) || !(xcr0 & 1))
		return false;
	if ((xcr0 & BIT_ULL(2)) && !(xcr0 & BIT_ULL(1)))
		return false;
	if (!(xcr0 & avx512))
		return true;
	return (xcr0 & avx512) == avx512 && (xcr0 & BIT_ULL(2));
}

/**
 * limen_handle_xsetbv() - the exit
 * @vcpu: the vCPU
 */
enum limen_next limen_handle_xsetbv(struct limen_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u64 val = (u32)gpr[LIMEN_RAX] | gpr[LIMEN_RDX] << 32;

	if ((u32)gpr[LIMEN_RCX] || limen_cpl(vcpu) ||
	    !limen_xcr0_ok(vcpu->xcr0_allowed, val)) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	limen_skip_insn(vcpu);
	if (vcpu->sregs.xcr0 == val)
		return LIMEN_RESUME;
	vcpu->sregs.xcr0 = val;
	return LIMEN_RELOAD;	/* XCR0 is loaded as a window opens */
}

static bool canonical(u64 addr)
{
	return (s64)(addr << 16) >> 16 == (s64)addr;
}

static bool segments_ok(const struct limen_sregs *s)
{
	int i;

	for (i = 0; i < LIMEN_NR_SEG; i++) {
		const struct limen_segment *seg = &s->seg[i];

		if (seg->ar & ~0x1f0ffu)
			return false;
		if (seg->reserved[0] || seg->reserved[1] || seg->reserved[2])
			return false;
		if (!canonical(seg->base))
			return false;
	}
	return canonical(s->gdt.base) && canonical(s->idt.base);
}

/**
 * limen_check_sregs() - is this a state that a guest could be in?
 * @vcpu: the vCPU
 * @s: the state
 *
 * Context: vcpu->lock.
 * Return: 0 or -EINVAL.
 */
int limen_check_sregs(const struct limen_vcpu *vcpu, const struct limen_sregs *s)
{
	bool lma = s->efer & GEFER_LMA;

	if ((s->cr0 & ~CR0_DEFINED) || (s->cr4 & ~vcpu->cr4_allowed) ||
	    (s->efer & ~vcpu->efer_allowed) || s->cr8 > 15)
		return -EINVAL;
	if (((s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE)) ||
	    ((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD)))
		return -EINVAL;
	if (lma != ((s->efer & GEFER_LME) && (s->cr0 & CR0_PG)))
		return -EINVAL;
	if ((lma && !(s->cr4 & CR4_PAE)) || (!lma && (s->cr4 & CR4_PCIDE)))
		return -EINVAL;
	if (s->cr3 >> limen_caps.phys_bits)
		return -EINVAL;
	if (!limen_xcr0_ok(vcpu->xcr0_allowed, s->xcr0))
		return -EINVAL;
	return segments_ok(s) ? 0 : -EINVAL;
}
