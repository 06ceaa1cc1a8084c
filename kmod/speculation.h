/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands between a guest and the host's secrets and is not part of a world
 * switch: predictor barriers, the L1 data cache. For both vendors; the policy is
 * the kernel's own, read from its feature flags, never changed.
 */
#ifndef LIMEN_SPECULATION_H
#define LIMEN_SPECULATION_H

#include <linux/cpu.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/hardirq.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>

#include "compat.h"

/* kernels have one flag for "is there" and "is wanted", or two */
#ifdef X86_FEATURE_USE_IBPB
#define LIMEN_FEATURE_IBPB	X86_FEATURE_USE_IBPB
#else
#define LIMEN_FEATURE_IBPB	X86_FEATURE_IBPB
#endif

/* Indirect branches of whoever ran before do not steer whoever runs next */
static inline void limen_ibpb(void)
{
	if (boot_cpu_has(LIMEN_FEATURE_IBPB) && !cpu_mitigations_off())
		limen_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/* SPEC_CTRL, for a world switch that must write it again */
static inline u64 limen_host_spec_ctrl(void)
{
	if (!boot_cpu_has(X86_FEATURE_KERNEL_IBRS))
		return 0;
	return limen_rdmsr(MSR_IA32_SPEC_CTRL);
}

/*
 * A guest has run on this CPU. VMSCAPE: the way to user mode issues an IBPB.
 * L1TF: KVM, should it run here next, flushes too.
 */
static inline void limen_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (boot_cpu_has(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
	if (boot_cpu_has_bug(X86_BUG_L1TF))
		kvm_set_cpu_l1tf_flush_l1d();
}

#endif
