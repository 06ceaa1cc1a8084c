// SPDX-License-Identifier: GPL-2.0-only
/*
 * A snapshot of the host state that a window changes for a while, and the
 * comparison of two. window.c takes one before it opens and one after it has
 * closed, IRQs off at both; a difference is a bug in a vendor's room.
 *
 * On in kernels built to find faults (CONFIG_PROVE_LOCKING), and by request.
 */
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "compat.h"
#include "host_check.h"

#define MSR_XSS		0xda0
#define MSR_VM_HSAVE	0xc0010117

static bool check_host __read_mostly = IS_ENABLED(CONFIG_PROVE_LOCKING);
module_param(check_host, bool, 0444);
MODULE_PARM_DESC(check_host, "compare the host's CPU state round every window");

/* of the window that is open on this CPU */
static DEFINE_PER_CPU(struct limen_host, before);

struct msr_item {
	const char *name;
	u32 index;
	int feature;		/* -1: every CPU */
};

/* A feature flag of the kernel guards each MSR that not every CPU has */
static const struct msr_item msr_items[] = {
	{ "EFER", MSR_EFER, -1 },
	{ "PAT", MSR_IA32_CR_PAT, X86_FEATURE_PAT },
	{ "STAR", MSR_STAR, -1 },
	{ "LSTAR", MSR_LSTAR, -1 },
	{ "CSTAR", MSR_CSTAR, -1 },
	{ "SFMASK", MSR_SYSCALL_MASK, -1 },
	{ "FS_BASE", MSR_FS_BASE, -1 },
	{ "GS_BASE", MSR_GS_BASE, -1 },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, -1 },
	{ "SYSENTER_CS", MSR_IA32_SYSENTER_CS, X86_FEATURE_SEP },
	{ "SYSENTER_ESP", MSR_IA32_SYSENTER_ESP, X86_FEATURE_SEP },
	{ "SYSENTER_EIP", MSR_IA32_SYSENTER_EIP, X86_FEATURE_SEP },
	{ "TSC_AUX", MSR_TSC_AUX, X86_FEATURE_RDTSCP },
	{ "DEBUGCTL", MSR_IA32_DEBUGCTLMSR, X86_FEATURE_VMX },
	{ "SPEC_CTRL", MSR_IA32_SPEC_CTRL, X86_FEATURE_MSR_SPEC_CTRL },
	{ "XSS", MSR_XSS, X86_FEATURE_XSAVES },
	{ "VM_HSAVE_PA", MSR_VM_HSAVE, X86_FEATURE_SVM },
};

static const char * const reg_names[] = {
	"CR0", "CR3", "CR4", "XCR0", "PKRU", "DR0", "DR1", "DR2", "DR3", "DR7",
	"RFLAGS", "TR", "LDTR", "DS", "ES", "FS", "GS", "GDTR base",
	"GDTR limit", "IDTR base", "IDTR limit", "preempt count", "current VMCS",
};

static u64 current_vmcs(u64 cr4)
{
	u64 pa = 0;

	if (cr4 & X86_CR4_VMXE)
		asm volatile("1: vmptrst %0\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : "+m" (pa) : : "cc", "memory");
	return pa;
}

static u64 *snapshot_segments(u64 *val)
{
	struct desc_ptr gdt, idt;
	u16 sel;

	asm volatile("str %0" : "=m" (sel));
	*val++ = sel;
	asm volatile("sldt %0" : "=m" (sel));
	*val++ = sel;
	savesegment(ds, *val++);
	savesegment(es, *val++);
	savesegment(fs, *val++);
	savesegment(gs, *val++);
	asm volatile("sgdt %0" : "=m" (gdt));
	asm volatile("sidt %0" : "=m" (idt));
	*val++ = gdt.address;
	*val++ = gdt.size;
	*val++ = idt.address;
	*val++ = idt.size;
	return val;
}

/**
 * limen_host_snapshot() - read what a window must give back
 * @host: where to
 *
 * Context: IRQs off, no window open.
 */
void limen_host_snapshot(struct limen_host *host)
{
	const unsigned long flags = X86_EFLAGS_IF | X86_EFLAGS_DF |
				    X86_EFLAGS_AC | X86_EFLAGS_NT;
	u64 *val = host->val;
	u64 cr4;
	size_t i;

	BUILD_BUG_ON(ARRAY_SIZE(msr_items) + ARRAY_SIZE(reg_names) >
		     LIMEN_NR_HOST);
	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	*val++ = read_cr0();
	*val++ = __read_cr3();
	*val++ = cr4;
	*val++ = cr4 & X86_CR4_OSXSAVE ? xgetbv(0) : 0;
	*val++ = cr4 & X86_CR4_PKE ? rdpkru() : 0;
	for (i = 0; i < 4; i++)
		*val++ = native_get_debugreg(i);
	*val++ = native_get_debugreg(7);
	*val++ = native_save_fl() & flags;
	val = snapshot_segments(val);
	*val++ = preempt_count();
	*val++ = current_vmcs(cr4);

	for (i = 0; i < ARRAY_SIZE(msr_items); i++, val++) {
		*val = 0;
		if (msr_items[i].feature < 0 ||
		    boot_cpu_has(msr_items[i].feature))
			limen_rdmsr_safe(msr_items[i].index, val);
	}
}

/**
 * limen_host_compare() - is the host as it was?
 * @before: a snapshot
 * @after: a later one
 *
 * Context: any.
 * Return: the place of the first difference in val[], or -1.
 */
int limen_host_compare(const struct limen_host *before,
		       const struct limen_host *after)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reg_names) + ARRAY_SIZE(msr_items); i++)
		if (before->val[i] != after->val[i])
			return i;
	return -1;
}

/** limen_host_name() - what is at a place in val[]. Context: any. */
const char *limen_host_name(int i)
{
	const int nr_regs = ARRAY_SIZE(reg_names);

	return i < nr_regs ? reg_names[i] : msr_items[i - nr_regs].name;
}

/** limen_host_check_open() - a window will open. Context: IRQs off. */
void limen_host_check_open(void)
{
	if (unlikely(check_host))
		limen_host_snapshot(this_cpu_ptr(&before));
}

/** limen_host_check_close() - it has closed. Context: IRQs off all the time. */
void limen_host_check_close(void)
{
	struct limen_host after;
	int i;

	if (likely(!check_host))
		return;
	limen_host_snapshot(&after);
	i = limen_host_compare(this_cpu_ptr(&before), &after);
	if (likely(i < 0))
		return;
	WARN_ONCE(1, "limen: a window changed the host's %s from %#llx to %#llx\n",
		  limen_host_name(i), this_cpu_ptr(&before)->val[i],
		  after.val[i]);
}
