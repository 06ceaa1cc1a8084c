// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1 terminal fault: on a CPU that has it, a guest could read what the host left
 * in the L1 data cache, so the cache is flushed before every entry. Called by
 * vmx_enter.c; other CPUs pay one branch.
 *
 * The kernel's own switch for this belongs to KVM; the policy here is: always,
 * unless mitigations are off or the CPU says that there is no need.
 */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>

#include "../compat.h"
#include "vmx.h"

/* Without the flush command: read more than any L1D with the fault can hold */
#define FILL_ORDER	4
#define FILL_SIZE	(PAGE_SIZE << FILL_ORDER)
#define LINE		64

static bool needed __read_mostly;
static u8 *fill __read_mostly;	/* NULL: the CPU has the command */

/**
 * vmx_l1d_init() - choose how to flush
 *
 * Context: module load, may sleep.
 * Return: 0 or -ENOMEM.
 */
int vmx_l1d_init(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		limen_rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &caps);
	needed = boot_cpu_has_bug(X86_BUG_L1TF) && !cpu_mitigations_off() &&
		 !(caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH);
	if (!needed || boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return 0;
	fill = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, FILL_ORDER);
	return fill ? 0 : -ENOMEM;
}

/** vmx_l1d_fini() - undo vmx_l1d_init(). Context: module unload. */
void vmx_l1d_fini(void)
{
	free_pages((unsigned long)fill, FILL_ORDER);
	fill = NULL;
}

/**
 * vmx_l1d_flush() - leave nothing of the host's in the L1 data cache
 *
 * Context: IRQs off, right before an entry.
 */
noinstr void vmx_l1d_flush(void)
{
	unsigned long i;

	if (likely(!needed))
		return;
	if (!fill) {
		limen_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
		return;
	}
	/* first the translations, so that no page walk comes in between */
	for (i = 0; i < FILL_SIZE; i += PAGE_SIZE)
		(void)READ_ONCE(fill[i]);
	asm volatile("lfence" : : : "memory");
	for (i = 0; i < FILL_SIZE; i += LINE)
		(void)READ_ONCE(fill[i]);
	asm volatile("lfence" : : : "memory");
}
