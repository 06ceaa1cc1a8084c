// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_CPUID_GET: all that a guest may be offered on this machine. Allow-lists,
 * ANDed with what the CPU has, so that a feature that this module does not know
 * is never shown. What the module does in software is always on.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/processor.h>

#include "compat.h"
#include "cpuid.h"
#include "fpu.h"
#include "pv.h"

/* leaf 1 EDX: all but MCE's and thermal leftovers: DS, ACPI, TM, PBE, PSN */
#define L1_EDX		0x178bfbffu
#define L1_ECX		(BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | \
			 BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | \
			 BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define L1_ECX_SOFT	(BIT(21) | BIT(24) | BIT(31)) /* x2APIC, deadline, hypervisor */
#define L1_ECX_PCID	BIT(17)
#define L7_EBX		(BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | \
			 BIT(10) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | \
			 BIT(20) | BIT(21) | BIT(23) | BIT(24) | BIT(28) | \
			 BIT(29) | BIT(30) | BIT(31))
#define L7_EBX_AVX512	(BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define L7_EBX_SOFT	BIT(1)	/* TSC_ADJUST */
#define L7_EBX_INVPCID	BIT(10)
#define L7_ECX		(BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | \
			 BIT(11) | BIT(12) | BIT(14))
#define L7_ECX_AVX512	(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define L7_EDX		(BIT(2) | BIT(3) | BIT(4) | BIT(8) | BIT(14))
#define L7_EDX_AVX512	(BIT(2) | BIT(3) | BIT(8))
#define LD1_EAX		(BIT(0) | BIT(1) | BIT(2)) /* XSAVEOPT, XSAVEC, XGETBV1 */
#define X1_EDX		(0x0183f3ffu | BIT(11) | BIT(20) | BIT(22) | BIT(25) | \
			 BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
#define X1_EDX_RDTSCP	BIT(27)
#define X1_EDX_FFXSR	BIT(25)
#define X1_ECX		(BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | \
			 BIT(8) | BIT(11) | BIT(16) | BIT(21) | BIT(22))
#define X1_ECX_TOPOEXT	BIT(22)
#define X8_EBX		(BIT(0) | BIT(2))	/* CLZERO, XSAVEERPTR */

#define APIC_BUS_KHZ		1000000

struct builder {
	struct limen_cpuid_entry *table;
	u32 n;
};

static struct limen_cpuid_entry *add(struct builder *b, u32 leaf, u32 subleaf,
				     u32 flags)
{
	static struct limen_cpuid_entry spill;
	struct limen_cpuid_entry *e;

	if (WARN_ON_ONCE(b->n == LIMEN_MAX_CPUID))
		return &spill;
	e = &b->table[b->n++];
	e->leaf = leaf;
	e->subleaf = subleaf;
	e->flags = flags;
	return e;
}

/* The host's own answer */
static struct limen_cpuid_entry *host(struct builder *b, u32 leaf, u32 subleaf,
				      u32 flags)
{
	struct limen_cpuid_entry *e = add(b, leaf, subleaf, flags);

	cpuid_count(leaf, subleaf, &e->eax, &e->ebx, &e->ecx, &e->edx);
	return e;
}

static void leaf_1(struct builder *b)
{
	struct limen_cpuid_entry *e = host(b, 1, 0, 0);

	e->ebx &= 0xffff;	/* the APIC id is the VMM's to fill in */
	e->ecx = (e->ecx & L1_ECX) | L1_ECX_SOFT;
	e->edx = (e->edx & L1_EDX) | BIT(9);
	if (!(limen_fpu_xcr0() & BIT_ULL(2)))
		e->ecx &= ~(BIT(12) | BIT(28) | BIT(29));
}

static void leaf_4(struct builder *b, u32 leaf)
{
	u32 i;

	for (i = 0; i < 8; i++) {
		struct limen_cpuid_entry *e = host(b, leaf, i, LIMEN_CPUID_INDEXED);

		if (!(e->eax & 0x1f))
			break;
	}
}

static void leaf_7(struct builder *b)
{
	struct limen_cpuid_entry *e = host(b, 7, 0, LIMEN_CPUID_INDEXED);
	bool avx512 = limen_fpu_xcr0() & BIT_ULL(5);

	e->eax = 0;
	e->ebx = (e->ebx & L7_EBX) | L7_EBX_SOFT;
	e->ecx &= L7_ECX;
	e->edx &= L7_EDX;
	if (!limen_caps.rdtscp)
		e->ecx &= ~BIT(22);
	if (!limen_caps.invpcid)
		e->ebx &= ~L7_EBX_INVPCID;
	if (!(limen_fpu_xcr0() & BIT_ULL(2)))
		e->ebx &= ~BIT(5);
	if (!avx512) {
		e->ebx &= ~L7_EBX_AVX512;
		e->ecx &= ~L7_ECX_AVX512;
		e->edx &= ~L7_EDX_AVX512;
	}
}

static void leaf_d(struct builder *b)
{
	u64 xcr0 = limen_fpu_xcr0();
	struct limen_cpuid_entry *e;
	int i;

	e = add(b, 0xd, 0, LIMEN_CPUID_INDEXED);
	e->eax = xcr0;
	e->edx = xcr0 >> 32;
	e->ebx = 576;
	e->ecx = limen_fpu_size();
	e = host(b, 0xd, 1, LIMEN_CPUID_INDEXED);
	e->eax &= LD1_EAX;
	e->ebx = e->ecx = e->edx = 0;
	for (i = 2; i < 63; i++)
		if (xcr0 & BIT_ULL(i))
			host(b, 0xd, i, LIMEN_CPUID_INDEXED);
}

static void basic_leaves(struct builder *b)
{
	struct limen_cpuid_entry *e = host(b, 0, 0, 0);
	u32 max = e->eax;

	e->eax = clamp(max, 0xdu, 0x16u);
	leaf_1(b);
	if (max >= 2)
		host(b, 2, 0, 0);
	if (max >= 4 && boot_cpu_data.x86_vendor == X86_VENDOR_INTEL)
		leaf_4(b, 4);
	e = add(b, 6, 0, 0);
	e->eax = BIT(2);	/* ARAT: our APIC timer never stops */
	if (max >= 7)
		leaf_7(b);
	if (max >= 0xd)
		leaf_d(b);
}

static void hypervisor_leaves(struct builder *b)
{
	struct limen_cpuid_entry *e = add(b, 0x40000000, 0, 0);

	/* the interface that Linux knows; see msr.rst and cpuid.rst of KVM */
	e->eax = 0x40000010;
	memcpy(&e->ebx, "KVMK", 4);
	memcpy(&e->ecx, "VMKV", 4);
	memcpy(&e->edx, "M\0\0\0", 4);
	e = add(b, PV_LEAF, 0, 0);
	e->eax = PV_CLOCKSOURCE | PV_NOP_IO_DELAY | PV_CLOCKSOURCE2 |
		 PV_EOI | PV_UNHALT | PV_SEND_IPI | PV_SCHED_YIELD;
	if (limen_has_run_delay())
		e->eax |= PV_STEAL_TIME;
	e = add(b, 0x40000010, 0, 0);
	e->eax = limen_tsc_khz();
	e->ebx = APIC_BUS_KHZ;
}

static void leaf_x8(struct builder *b)
{
	struct limen_cpuid_entry *e = host(b, 0x80000008, 0, 0);

	e->eax = 48 << 8 | limen_caps.phys_bits;
	e->ebx &= X8_EBX;
	e->ecx = 0;
	e->edx = 0;
}

/*
 * One thread a core and one node: zeros. The ids are the VMM's to fill in, as in
 * leaf 1.
 */
static void topoext(struct builder *b, struct limen_cpuid_entry *x1, u32 max)
{
	if (max < 0x8000001e)
		x1->ecx &= ~X1_ECX_TOPOEXT;
	if (!(x1->ecx & X1_ECX_TOPOEXT))
		return;
	leaf_4(b, 0x8000001d);
	add(b, 0x8000001e, 0, 0);
}

static void extended_leaves(struct builder *b)
{
	struct limen_cpuid_entry *e = host(b, 0x80000000, 0, 0);
	struct limen_cpuid_entry *x1;
	u32 max = e->eax, i;

	e->eax = clamp(max, 0x80000008u, 0x8000001eu);
	x1 = host(b, 0x80000001, 0, 0);
	x1->ecx &= X1_ECX;
	x1->edx &= X1_EDX & ~X1_EDX_FFXSR;
	if (!limen_caps.rdtscp)
		x1->edx &= ~X1_EDX_RDTSCP;
	for (i = 0x80000002; i <= 0x80000006 && i <= max; i++)
		host(b, i, 0, 0);
	add(b, 0x80000007, 0, 0);	/* invariant TSC: the VMM's choice */
	leaf_x8(b);
	topoext(b, x1, max);
}

/**
 * limen_cpuid_get() - LIMEN_CPUID_GET
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_cpuid_get(struct limen_cpuid *arg)
{
	struct builder b = {};
	u32 room = arg->count;
	int err = 0;

	b.table = kcalloc(LIMEN_MAX_CPUID, sizeof(*b.table), GFP_KERNEL_ACCOUNT);
	if (!b.table)
		return -ENOMEM;
	basic_leaves(&b);
	hypervisor_leaves(&b);
	extended_leaves(&b);

	arg->count = b.n;
	if (room < b.n)
		err = -ENOSPC;
	else if (copy_to_user((void __user *)(unsigned long)arg->entries, b.table,
			      b.n * sizeof(*b.table)))
		err = -EFAULT;
	kfree(b.table);
	return err;
}
