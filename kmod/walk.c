// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking the guest's page tables as its CPU would (SDM Vol. 3, "Paging"), for
 * LIMEN_TRANSLATE and to read the bytes of an instruction. Runs in the vCPU's
 * thread with no window open: guest memory may have to be paged in.
 */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "event.h"
#include "limen.h"
#include "mem.h"
#include "walk.h"
#include "window.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_WP		BIT_ULL(16)
#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_SMEP	BIT_ULL(20)
#define CR4_SMAP	BIT_ULL(21)
#define GEFER_LMA	BIT_ULL(10)
#define GEFER_NXE	BIT_ULL(11)
#define RFLAGS_VM	BIT_ULL(17)
#define RFLAGS_AC	BIT_ULL(18)
#define SEG_L		BIT(13)
#define SEG_DB		BIT(14)

#define PTE_P		BIT_ULL(0)
#define PTE_W		BIT_ULL(1)
#define PTE_U		BIT_ULL(2)
#define PTE_A		BIT_ULL(5)
#define PTE_D		BIT_ULL(6)
#define PTE_PS		BIT_ULL(7)
#define PTE_NX		BIT_ULL(63)
#define PTE_ADDR	0x000ffffffffff000ull

#define PFEC_P		BIT(0)
#define PFEC_W		BIT(1)
#define PFEC_U		BIT(2)
#define PFEC_RSVD	BIT(3)
#define PFEC_I		BIT(4)

/* One walk */
struct walk {
	/* inputs */
	struct limen_vcpu *vcpu;
	u64 gva;
	u32 access;
	/* derived */
	int top;		/* highest level */
	int bits;		/* index bits a level */
	int size;		/* bytes of an entry */
	bool nxe;
	/* state */
	u64 table;
	u64 rights;		/* AND of W and U, OR of NX, over all levels */
	u32 pferr;
};

/**
 * limen_mode() - 16, 32 or 64: the code segment's size
 * @vcpu: the vCPU
 *
 * Context: any.
 */
int limen_mode(struct limen_vcpu *vcpu)
{
	u32 ar;

	limen_fetch(vcpu, LIMEN_G_SEG | LIMEN_G_CR);
	ar = vcpu->sregs.seg[LIMEN_CS].ar;
	if (!(vcpu->sregs.cr0 & CR0_PE) || (vcpu->regs.rflags & RFLAGS_VM))
		return 16;
	if ((vcpu->sregs.efer & GEFER_LMA) && (ar & SEG_L))
		return 64;
	return ar & SEG_DB ? 32 : 16;
}

/**
 * limen_cpl() - current privilege level: SS's DPL on both vendors
 * @vcpu: the vCPU
 */
u8 limen_cpl(struct limen_vcpu *vcpu)
{
	limen_fetch(vcpu, LIMEN_G_SEG | LIMEN_G_CR);
	if (!(vcpu->sregs.cr0 & CR0_PE))
		return 0;
	if (vcpu->regs.rflags & RFLAGS_VM)
		return 3;
	return vcpu->sregs.seg[LIMEN_SS].ar >> 5 & 3;
}

/**
 * limen_linear_rip() - linear address of the next instruction
 * @vcpu: the vCPU
 */
u64 limen_linear_rip(struct limen_vcpu *vcpu)
{
	if (limen_mode(vcpu) == 64)
		return vcpu->regs.rip;
	return (u32)(vcpu->sregs.seg[LIMEN_CS].base + vcpu->regs.rip);
}

static u64 reserved_bits(const struct walk *w, int level, u64 pte)
{
	u64 rsvd = ~(BIT_ULL(limen_caps.phys_bits) - 1) & PTE_ADDR;

	if (w->size == 4)
		return 0;
	if (!w->nxe)
		rsvd |= PTE_NX;
	if (level == 3 && w->top == 3)	/* PDPTE of PAE paging */
		return rsvd | PTE_NX | 0x1e6;
	if (w->top == 3)
		rsvd |= 0x7ff0000000000000ull;
	if (level == 4)
		rsvd |= PTE_PS;
	if (level > 1 && level < 4 && (pte & PTE_PS))
		rsvd |= ((1ull << (12 + 9 * (level - 1))) - 1) & ~0x1fffull;
	return rsvd;
}

static bool is_leaf(const struct walk *w, int level, u64 pte)
{
	if (level == 1)
		return true;
	if (!(pte & PTE_PS) || level == 4 || (level == 3 && w->top == 3))
		return false;
	return w->size == 8 || (w->vcpu->sregs.cr4 & CR4_PSE);
}

/* SDM Vol. 3, "Determination of Access Rights" */
static bool rights_ok(const struct walk *w)
{
	const struct limen_sregs *s = &w->vcpu->sregs;
	bool user_page = w->rights & PTE_U;

	if ((w->access & LIMEN_ACCESS_EXEC) && (w->rights & PTE_NX))
		return false;
	if (w->access & LIMEN_ACCESS_USER) {
		if (!user_page)
			return false;
		return !(w->access & LIMEN_ACCESS_WRITE) || (w->rights & PTE_W);
	}
	if ((w->access & LIMEN_ACCESS_EXEC) && user_page && (s->cr4 & CR4_SMEP))
		return false;
	if (!(w->access & LIMEN_ACCESS_EXEC) && user_page &&
	    (s->cr4 & CR4_SMAP) && !(w->vcpu->regs.rflags & RFLAGS_AC))
		return false;
	return !(w->access & LIMEN_ACCESS_WRITE) || (w->rights & PTE_W) ||
	       !(s->cr0 & CR0_WP);
}

static u64 leaf_gpa(const struct walk *w, int level, u64 pte)
{
	u64 size = 1ull << (12 + w->bits * (level - 1));

	if (w->size == 4 && level == 2)	/* PSE-36 */
		return (pte & 0xffc00000ull) | (pte & 0x1fe000ull) << 19 |
		       (w->gva & (size - 1));
	return (pte & PTE_ADDR & ~(size - 1)) | (w->gva & (size - 1));
}

static int set_ad(struct walk *w, u64 addr, u64 pte, bool leaf)
{
	u64 new = pte | PTE_A;

	if (leaf && (w->access & LIMEN_ACCESS_WRITE))
		new |= PTE_D;
	if (new == pte)
		return 0;
	return limen_mem_cmpxchg(w->vcpu->vm, addr, pte, new, w->size);
}

/*
 * One level. 1: @gpa is the answer, 0: go on, -EAGAIN: start again, -EFAULT:
 * w->pferr is the page fault's error code.
 */
static int walk_level(struct walk *w, int level, u64 *gpa)
{
	u64 index = w->gva >> (12 + w->bits * (level - 1)) & ((1 << w->bits) - 1);
	bool pae_top = level == 3 && w->top == 3;
	u64 addr, pte = 0;
	int err;

	if (pae_top)
		index &= 3;
	addr = w->table + index * w->size;
	if (limen_mem_read(w->vcpu->vm, addr, &pte, w->size))
		return -EFAULT;	/* no memory there: the CPU would read ones */
	if (!(pte & PTE_P))
		return -EFAULT;
	if (pte & reserved_bits(w, level, pte)) {
		w->pferr |= PFEC_P | PFEC_RSVD;
		return -EFAULT;
	}
	if (!pae_top) {
		w->rights &= pte | ~(PTE_W | PTE_U);
		if (w->nxe)
			w->rights |= pte & PTE_NX;
	}
	if (!is_leaf(w, level, pte)) {
		err = pae_top ? 0 : set_ad(w, addr, pte, false);
		w->table = pte & PTE_ADDR;
		return err;
	}
	if (!rights_ok(w)) {
		w->pferr |= PFEC_P;
		return -EFAULT;
	}
	err = set_ad(w, addr, pte, true);
	if (err)
		return err;
	*gpa = leaf_gpa(w, level, pte);
	return 1;
}

static int walk_tables(struct walk *w, u64 *gpa)
{
	int level, ret = 0;

	for (level = w->top; level && !ret; level--)
		ret = walk_level(w, level, gpa);
	return ret;
}

static void walk_setup(struct walk *w)
{
	const struct limen_sregs *s = &w->vcpu->sregs;

	w->nxe = s->efer & GEFER_NXE;
	w->rights = PTE_W | PTE_U;
	w->pferr = 0;
	if (w->access & LIMEN_ACCESS_WRITE)
		w->pferr |= PFEC_W;
	if (w->access & LIMEN_ACCESS_USER)
		w->pferr |= PFEC_U;
	if ((w->access & LIMEN_ACCESS_EXEC) &&
	    (((s->cr4 & CR4_PAE) && w->nxe) || (s->cr4 & CR4_SMEP)))
		w->pferr |= PFEC_I;

	w->size = s->cr4 & CR4_PAE ? 8 : 4;
	w->bits = w->size == 8 ? 9 : 10;
	w->top = s->efer & GEFER_LMA ? 4 : w->size == 8 ? 3 : 2;
	w->table = w->top == 3 ? s->cr3 & 0xffffffe0ull :
		   w->top == 2 ? s->cr3 & 0xfffff000ull : s->cr3 & PTE_ADDR;
}

/**
 * limen_translate() - LIMEN_TRANSLATE
 * @vcpu: the vCPU
 * @t: the question and its answer
 *
 * Context: vcpu->lock, no window open; sleeps.
 * Return: 0 (t->fault says whether it faults), or -EINVAL.
 */
int limen_translate(struct limen_vcpu *vcpu, struct limen_translate *t)
{
	struct walk w = { .vcpu = vcpu, .gva = t->gva, .access = t->access };
	int tries, ret = -EAGAIN;

	u32 kind = t->access & ~LIMEN_ACCESS_USER;

	if (kind != LIMEN_ACCESS_READ && kind != LIMEN_ACCESS_WRITE &&
	    kind != LIMEN_ACCESS_EXEC)
		return -EINVAL;
	t->fault = 0;
	t->error = 0;
	t->gpa = 0;
	limen_fetch(vcpu, LIMEN_G_CR);
	if (!(vcpu->sregs.cr0 & CR0_PG)) {
		t->gpa = (u32)t->gva;
		return 0;
	}
	if ((vcpu->sregs.efer & GEFER_LMA) &&
	    (s64)(t->gva << 16) >> 16 != (s64)t->gva) {
		t->fault = LIMEN_EVENT_VALID | LIMEN_EVENT_ERROR |
			   LIMEN_TYPE_EXCEPTION << 8 | VEC_GP;
		return 0;
	}
	/* another vCPU may change an entry while we set its accessed bit */
	for (tries = 0; ret == -EAGAIN && tries < 16; tries++) {
		walk_setup(&w);
		ret = walk_tables(&w, &t->gpa);
	}
	if (ret == 1)
		return 0;
	t->fault = LIMEN_EVENT_VALID | LIMEN_EVENT_ERROR |
		   LIMEN_TYPE_EXCEPTION << 8 | VEC_PF;
	t->error = w.pferr;
	return 0;
}

/* Bytes at a linear address that stay in one page */
static int read_linear(struct limen_vcpu *vcpu, u64 gva, void *buf, int len)
{
	struct limen_translate t = {
		.gva = gva,
		.access = LIMEN_ACCESS_EXEC |
			  (limen_cpl(vcpu) == 3 ? LIMEN_ACCESS_USER : 0),
	};

	if (limen_translate(vcpu, &t) || t.fault)
		return -EFAULT;
	return limen_mem_fetch(vcpu->vm, t.gpa, buf, len);
}

/**
 * limen_linear() - linear address of an operand
 * @vcpu: the vCPU
 * @seg: enum limen_sreg
 * @offset: effective address
 *
 * Limits are not checked: a plain access would have faulted before it exited.
 *
 * Context: vCPU thread.
 * Return: the address.
 */
u64 limen_linear(struct limen_vcpu *vcpu, u8 seg, u64 offset)
{
	int mode = limen_mode(vcpu);

	if (mode != 64)
		return (u32)(vcpu->sregs.seg[seg].base + offset);
	if (seg == LIMEN_FS || seg == LIMEN_GS)
		return vcpu->sregs.seg[seg].base + offset;
	return offset;
}

/* Where an operand is; -EFAULT: a fault was raised in the guest. */
static int operand_gpa(struct limen_vcpu *vcpu, u64 gva, u32 access, u64 *gpa)
{
	struct limen_translate t = { .gva = gva, .access = access };

	if (limen_cpl(vcpu) == 3)
		t.access |= LIMEN_ACCESS_USER;
	if (limen_translate(vcpu, &t))
		return -EFAULT;
	if (t.fault) {
		limen_raise(vcpu, t.fault & 0xff, t.error, gva);
		return -EFAULT;
	}
	*gpa = t.gpa;
	return 0;
}

/**
 * limen_read_guest() - read an operand as the guest's CPU would
 * @vcpu: the vCPU
 * @gva: linear address
 * @buf: kernel memory
 * @len: bytes
 *
 * Context: vCPU thread, no window open; sleeps.
 * Return: 0, or -EFAULT: a fault was raised in the guest, or no memory is there.
 */
int limen_read_guest(struct limen_vcpu *vcpu, u64 gva, void *buf, int len)
{
	u64 gpa;
	int n;

	for (; len; len -= n, gva += n, buf += n) {
		n = min_t(int, len, 4096 - (gva & 4095));
		if (operand_gpa(vcpu, gva, LIMEN_ACCESS_READ, &gpa) ||
		    limen_mem_read(vcpu->vm, gpa, buf, n))
			return -EFAULT;
	}
	return 0;
}

/**
 * limen_write_guest() - write an operand as the guest's CPU would
 * @vcpu: the vCPU
 * @gva: linear address
 * @buf: kernel memory
 * @len: bytes, at most 4096
 *
 * Context: vCPU thread, no window open; sleeps.
 * Return: 0, or -EFAULT: a fault was raised in the guest and nothing is written, or
 * no memory is there.
 */
int limen_write_guest(struct limen_vcpu *vcpu, u64 gva, const void *buf, int len)
{
	int first = min_t(int, len, 4096 - (gva & 4095));
	u64 gpa[2];

	if (operand_gpa(vcpu, gva, LIMEN_ACCESS_WRITE, &gpa[0]))
		return -EFAULT;
	if (len > first &&
	    operand_gpa(vcpu, gva + first, LIMEN_ACCESS_WRITE, &gpa[1]))
		return -EFAULT;
	if (limen_mem_write(vcpu->vm, gpa[0], buf, first))
		return -EFAULT;
	if (len == first)
		return 0;
	return limen_mem_write(vcpu->vm, gpa[1], buf + first, len - first);
}

/**
 * limen_fetch_insn() - read the bytes at RIP into vcpu->exit.insn
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; sleeps.
 * Return: how many bytes, 0 to 15.
 */
int limen_fetch_insn(struct limen_vcpu *vcpu)
{
	struct limen_exit *exit = &vcpu->exit;
	u64 rip = limen_linear_rip(vcpu);
	int first = min_t(int, 15, 4096 - (rip & 4095));

	if (exit->nr_insn)
		return exit->nr_insn;
	if (read_linear(vcpu, rip, exit->insn, first))
		return 0;
	exit->nr_insn = first;
	if (first < 15 &&
	    !read_linear(vcpu, rip + first, exit->insn + first, 15 - first))
		exit->nr_insn = 15;
	return exit->nr_insn;
}

/**
 * limen_load_pdptes() - what MOV CR3, CR0 and CR4 do with PAE paging
 * @vcpu: the vCPU
 *
 * SDM Vol. 3, "PDPTE Registers".
 *
 * Context: vCPU thread, no window open; sleeps.
 * Return: 0, or -EINVAL: the instruction faults with #GP(0).
 */
int limen_load_pdptes(struct limen_vcpu *vcpu)
{
	struct limen_sregs *s = &vcpu->sregs;
	u64 rsvd = (~(BIT_ULL(limen_caps.phys_bits) - 1) & PTE_ADDR) |
		   0xfff0000000000000ull | 0x1e6;
	u64 pdpte[4];
	int i;

	limen_fetch(vcpu, LIMEN_G_CR);
	if (limen_mem_read(vcpu->vm, s->cr3 & 0xffffffe0ull, pdpte, sizeof(pdpte)))
		return -EINVAL;
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & PTE_P) && (pdpte[i] & rsvd))
			return -EINVAL;
	memcpy(s->pdpte, pdpte, sizeof(pdpte));
	limen_dirty(vcpu, LIMEN_G_CR);
	return 0;
}
