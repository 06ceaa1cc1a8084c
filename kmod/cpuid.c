// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID as a guest reads it: the table that user space installed, and the few
 * bits that follow the vCPU's state. A leaf that is not installed reads as
 * zeros. Pure but for the copy from user space.
 */
#include <linux/bits.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "cpuid.h"
#include "event.h"
#include "exit.h"
#include "fpu.h"
#include "policy.h"
#include "pv.h"
#include "window.h"

#define CR4_OSXSAVE	BIT_ULL(18)
#define L1_ECX_OSXSAVE	BIT(27)
#define L1_EDX_APIC	BIT(9)
#define APIC_BASE_EN	BIT(11)

/**
 * limen_cpuid_find() - an installed leaf, or NULL
 * @vcpu: the vCPU
 * @leaf: EAX in
 * @subleaf: ECX in
 *
 * Context: vcpu->lock.
 */
const struct limen_cpuid_entry *limen_cpuid_find(const struct limen_vcpu *vcpu,
						 u32 leaf, u32 subleaf)
{
	u32 i;

	for (i = 0; i < vcpu->nr_cpuid; i++) {
		const struct limen_cpuid_entry *e = &vcpu->cpuid[i];

		if (e->leaf != leaf)
			continue;
		if (!(e->flags & LIMEN_CPUID_INDEXED) || e->subleaf == subleaf)
			return e;
	}
	return NULL;
}

/* Bytes of an XSAVE image with these components, as the leaves 0xD.n say. */
static u32 xsave_size(const struct limen_vcpu *vcpu, u64 xcr0, bool compact)
{
	u32 size = 576;
	int i;

	for (i = 2; i < 63; i++) {
		const struct limen_cpuid_entry *e;

		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = limen_cpuid_find(vcpu, 0xd, i);
		if (!e)
			continue;
		if (!compact)
			size = max(size, e->ebx + e->eax);
		else
			size = (e->ecx & 2 ? ALIGN(size, 64) : size) + e->eax;
	}
	return size;
}

/* The bits that depend on the vCPU's state */
static void dynamic(struct limen_vcpu *vcpu, u32 leaf, u32 subleaf,
		    struct limen_cpuid_entry *e)
{
	if (leaf == 1 || leaf == 0x80000001) {
		if (!(vcpu->pi.base & APIC_BASE_EN))
			e->edx &= ~L1_EDX_APIC;
	}
	if (leaf == 1) {
		e->ecx &= ~L1_ECX_OSXSAVE;
		limen_fetch(vcpu, LIMEN_G_CR);
		if (vcpu->sregs.cr4 & CR4_OSXSAVE)
			e->ecx |= L1_ECX_OSXSAVE;
	}
	if (leaf == 0xd && subleaf == 0)
		e->ebx = xsave_size(vcpu, vcpu->sregs.xcr0, false);
	if (leaf == 0xd && subleaf == 1 && (e->eax & 2))
		e->ebx = xsave_size(vcpu, vcpu->sregs.xcr0, true);
}

/**
 * limen_handle_cpuid() - the exit
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window or not.
 */
enum limen_next limen_handle_cpuid(struct limen_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 leaf = gpr[LIMEN_RAX], subleaf = gpr[LIMEN_RCX];
	const struct limen_policy *rule;
	const struct limen_cpuid_entry *found;
	struct limen_cpuid_entry e = {};

	rule = limen_policy_find(vcpu->vm, LIMEN_POLICY_CPUID, leaf, LIMEN_ON_READ);
	if (rule && rule->action == LIMEN_DO_EXIT)
		return limen_to_user(vcpu, LIMEN_EXIT_CPUID);
	found = limen_cpuid_find(vcpu, leaf, subleaf);
	if (found) {
		e = *found;
		dynamic(vcpu, leaf, subleaf, &e);
	}
	if (rule && rule->action == LIMEN_DO_CONSTANT)
		e.eax = e.ebx = e.ecx = e.edx = rule->value;

	gpr[LIMEN_RAX] = e.eax;
	gpr[LIMEN_RBX] = e.ebx;
	gpr[LIMEN_RCX] = e.ecx;
	gpr[LIMEN_RDX] = e.edx;
	return limen_skip_insn(vcpu);
}

/**
 * limen_cpuid_signature() - leaf 1 EAX, which RESET leaves in EDX
 * @vcpu: the vCPU
 */
u32 limen_cpuid_signature(const struct limen_vcpu *vcpu)
{
	const struct limen_cpuid_entry *e = limen_cpuid_find(vcpu, 1, 0);

	return e ? e->eax : 0x600;
}

enum { EAX, EBX, ECX, EDX };

static bool has(const struct limen_vcpu *vcpu, u32 leaf, int reg, int bit)
{
	const struct limen_cpuid_entry *e = limen_cpuid_find(vcpu, leaf, 0);
	u32 val;

	if (!e)
		return false;
	val = reg == EAX ? e->eax : reg == EBX ? e->ebx :
	      reg == ECX ? e->ecx : e->edx;
	return val & BIT(bit);
}

/* CR4 bits that exist because a CPUID bit says so */
static const struct {
	u8 cr4;
	u8 reg;
	u8 bit;
	u32 leaf;
} cr4_bit[] = {
	{ 0, EDX, 1, 1 },	/* VME */
	{ 1, EDX, 1, 1 },	/* PVI */
	{ 2, EDX, 4, 1 },	/* TSD */
	{ 3, EDX, 2, 1 },	/* DE */
	{ 4, EDX, 3, 1 },	/* PSE */
	{ 5, EDX, 6, 1 },	/* PAE */
	{ 6, EDX, 7, 1 },	/* MCE */
	{ 7, EDX, 13, 1 },	/* PGE */
	{ 9, EDX, 24, 1 },	/* OSFXSR */
	{ 10, EDX, 25, 1 },	/* OSXMMEXCPT */
	{ 11, ECX, 2, 7 },	/* UMIP */
	{ 16, EBX, 0, 7 },	/* FSGSBASE */
	{ 17, ECX, 17, 1 },	/* PCIDE */
	{ 18, ECX, 26, 1 },	/* OSXSAVE */
	{ 20, EBX, 7, 7 },	/* SMEP */
	{ 21, EBX, 20, 7 },	/* SMAP */
};

/**
 * limen_cpuid_derive() - what the table allows: control-register bits, PV_*
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 */
void limen_cpuid_derive(struct limen_vcpu *vcpu)
{
	const struct limen_cpuid_entry *xsave = limen_cpuid_find(vcpu, 0xd, 0);
	const struct limen_cpuid_entry *pv;
	int i;

	vcpu->cr4_allowed = BIT_ULL(8);	/* PCE: RDPMC faults anyway */
	for (i = 0; i < ARRAY_SIZE(cr4_bit); i++)
		if (has(vcpu, cr4_bit[i].leaf, cr4_bit[i].reg, cr4_bit[i].bit))
			vcpu->cr4_allowed |= BIT_ULL(cr4_bit[i].cr4);

	vcpu->efer_allowed = 0;
	if (has(vcpu, 0x80000001, EDX, 11))
		vcpu->efer_allowed |= BIT_ULL(0);	/* SCE */
	if (has(vcpu, 0x80000001, EDX, 29))
		vcpu->efer_allowed |= BIT_ULL(8) | BIT_ULL(10); /* LME, LMA */
	if (has(vcpu, 0x80000001, EDX, 20))
		vcpu->efer_allowed |= BIT_ULL(11);	/* NXE */

	pv = limen_cpuid_find(vcpu, PV_LEAF, 0);
	vcpu->pv_features = pv ? pv->eax : 0;

	/* XCR0 is loaded into the CPU: a bit that it lacks would fault there */
	vcpu->xcr0_allowed = 1;
	if (xsave)
		vcpu->xcr0_allowed |= (xsave->eax | (u64)xsave->edx << 32) &
				      limen_fpu_xcr0();
}

/**
 * limen_cpuid_check() - no flag unknown, no leaf twice
 * @table: entries
 * @n: how many
 *
 * Return: 0 or -EINVAL.
 */
int limen_cpuid_check(const struct limen_cpuid_entry *table, u32 n)
{
	u32 i, j;

	for (i = 0; i < n; i++) {
		const struct limen_cpuid_entry *a = &table[i];

		if (a->flags & ~LIMEN_CPUID_INDEXED || a->reserved)
			return -EINVAL;
		for (j = 0; j < i; j++) {
			const struct limen_cpuid_entry *b = &table[j];

			if (a->leaf != b->leaf)
				continue;
			if (!(a->flags & b->flags) || a->subleaf == b->subleaf)
				return -EINVAL;
		}
	}
	return 0;
}

/**
 * limen_cpuid_set() - LIMEN_CPUID_SET
 * @vcpu: the vCPU
 * @arg: the call's argument
 *
 * Context: vcpu->lock; the vCPU has not run.
 * Return: errno.
 */
int limen_cpuid_set(struct limen_vcpu *vcpu, const struct limen_cpuid *arg)
{
	void __user *from = (void __user *)(unsigned long)arg->entries;
	struct limen_cpuid_entry *table;
	int err;

	if (arg->count > LIMEN_MAX_CPUID)
		return -EINVAL;
	table = memdup_user(from, array_size(arg->count, sizeof(*table)));
	if (IS_ERR(table))
		return PTR_ERR(table);
	err = limen_cpuid_check(table, arg->count);
	if (err) {
		kfree(table);
		return err;
	}
	kfree(vcpu->cpuid);
	vcpu->cpuid = table;
	vcpu->nr_cpuid = arg->count;
	limen_cpuid_derive(vcpu);
	vcpu->regs.gpr[LIMEN_RDX] = limen_cpuid_signature(vcpu);
	return 0;
}
