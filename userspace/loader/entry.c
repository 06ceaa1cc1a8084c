// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The register state in which vCPU 0 starts: real mode, flat 32-bit protected
 * mode, or 64-bit mode on identity page tables, as the boot protocols ask.
 */
#include <string.h>

#include "boot.h"

#define CR0_PE		(1ull << 0)
#define CR0_ET		(1ull << 4)
#define CR0_PG		(1ull << 31)
#define CR4_PAE		(1ull << 5)
#define EFER_LME	(1ull << 8)
#define EFER_LMA	(1ull << 10)
#define RFLAGS_FIXED	2

#define PTE_TABLE	0x3	/* present, writable */
#define PTE_LARGE	0x83
#define LARGE_PAGE	0x200000ull

/* selectors of the Linux boot protocol: __BOOT_CS 0x10, __BOOT_DS 0x18 */
#define SEL_CODE	0x10
#define SEL_DATA	0x18
#define SEL_TSS		0x20

#define AR_CODE32	0xc09b	/* G, D, present, code, read, accessed */
#define AR_CODE64	0xa09b	/* G, L */
#define AR_DATA		0xc093
#define AR_TSS		0x008b	/* present, 32/64-bit TSS, busy */
#define AR_CODE16	0x009b
#define AR_DATA16	0x0093
#define AR_LDT		0x0082

static struct limen_segment flat(uint16_t sel, uint32_t ar)
{
	return (struct limen_segment){ .limit = 0xffffffff, .ar = ar, .sel = sel };
}

/* the same segments as descriptors: the guest may reload them */
static int put_gdt(const struct boot *b, bool long_mode)
{
	const uint64_t gdt[6] = {
		[SEL_CODE / 8] = long_mode ? 0x00af9b000000ffffull :
					     0x00cf9b000000ffffull,
		[SEL_DATA / 8] = 0x00cf93000000ffffull,
		[SEL_TSS / 8] = 0x00008b0000000067ull,
	};

	return limen_gpa_write(b->vm, BOOT_GDT, gdt, sizeof(gdt));
}

/* PML4, PDPT and four page directories: the first 4 GiB, one to one */
static int put_tables(const struct boot *b)
{
	const uint64_t pml4 = BOOT_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000;
	uint64_t *p = limen_gpa_ptr(b->vm, BOOT_TABLES, 6 * LIMEN_PAGE_SIZE, true);

	if (!p)
		return -14;	/* EFAULT */
	memset(p, 0, 6 * LIMEN_PAGE_SIZE);
	p[0] = pdpt | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		p[512 + i] = (pd + i * 0x1000) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		p[1024 + i] = i * LARGE_PAGE | PTE_LARGE;
	return 0;
}

static void real_mode(const struct boot *b, struct limen_sregs *s)
{
	uint64_t base = b->entry.rip & ~15ull;

	for (int i = LIMEN_ES; i <= LIMEN_GS; i++)
		s->seg[i] = (struct limen_segment){ .limit = 0xffff, .ar = AR_DATA16 };
	s->seg[LIMEN_CS] = (struct limen_segment){
		.base = base, .limit = 0xffff, .ar = AR_CODE16, .sel = base >> 4,
	};
	s->idt.base = 0;
	s->idt.limit = 0x3ff;
}

static void protected_mode(struct limen_sregs *s, bool long_mode)
{
	for (int i = LIMEN_ES; i <= LIMEN_GS; i++)
		s->seg[i] = flat(SEL_DATA, AR_DATA);
	s->seg[LIMEN_CS] = flat(SEL_CODE, long_mode ? AR_CODE64 : AR_CODE32);
	s->gdt.base = BOOT_GDT;
	s->gdt.limit = 6 * 8 - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET;
	if (!long_mode)
		return;
	s->cr0 |= CR0_PG;
	s->cr3 = BOOT_TABLES;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
}

/* Xen, for one, puts its trampoline below what these words say. */
int boot_bios_data(struct boot *b)
{
	const uint16_t com1 = 0x3f8, ebda = LOW_USABLE >> 4,
		       base_kib = LOW_USABLE >> 10;
	int err = boot_put(b, 0x400, &com1, sizeof(com1), 0);

	if (!err)
		err = boot_put(b, 0x40e, &ebda, sizeof(ebda), 0);
	if (!err)
		err = boot_put(b, 0x413, &base_kib, sizeof(base_kib), 0);
	return err;
}

int boot_enter(const struct boot *b, struct limen_vcpu *vcpu)
{
	bool long_mode = b->entry.mode == BOOT_LONG64;
	struct limen_regs regs = {
		.rip = b->entry.rip, .rflags = RFLAGS_FIXED,
		.gpr[LIMEN_RAX] = b->entry.rax, .gpr[LIMEN_RBX] = b->entry.rbx,
		.gpr[LIMEN_RSI] = b->entry.rsi,
	};
	struct limen_sregs sregs;
	const struct limen_state_item items[] = {
		{ LIMEN_CLASS_REGS, sizeof(regs), (uintptr_t)&regs },
		{ LIMEN_CLASS_SREGS, sizeof(sregs), (uintptr_t)&sregs },
	};
	int err = limen_get_sregs(vcpu, &sregs);

	if (err)
		return err;
	sregs.seg[LIMEN_TR] = (struct limen_segment){
		.limit = 0x67, .ar = AR_TSS, .sel = SEL_TSS };
	sregs.seg[LIMEN_LDTR] = (struct limen_segment){
		.limit = 0xffff, .ar = AR_LDT };
	if (b->entry.mode == BOOT_REAL16) {
		real_mode(b, &sregs);
		sregs.seg[LIMEN_TR].sel = 0;
		regs.rip &= 15;
	} else {
		protected_mode(&sregs, long_mode);
		err = put_gdt(b, long_mode);
		if (!err && long_mode)
			err = put_tables(b);
	}
	return err ? err : limen_state_set_many(vcpu, items, 2);
}
