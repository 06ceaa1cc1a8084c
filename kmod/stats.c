// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of a vCPU, by name. LIMEN_STATS reads them; exits are counted by
 * kind in run.c.
 */
#include <linux/string.h>
#include <linux/uaccess.h>

#include "limen.h"
#include "stats.h"

static const char * const stat_name[LIMEN_NR_STAT] = {
	[LIMEN_KIND_NONE] = "exit_none",
	[LIMEN_KIND_HOST_IRQ] = "exit_host_irq",
	[LIMEN_KIND_HOST_NMI] = "exit_host_nmi",
	[LIMEN_KIND_HOST_MCE] = "exit_host_mce",
	[LIMEN_KIND_NPF] = "exit_npf",
	[LIMEN_KIND_IO] = "exit_io",
	[LIMEN_KIND_RDMSR] = "exit_rdmsr",
	[LIMEN_KIND_WRMSR] = "exit_wrmsr",
	[LIMEN_KIND_CPUID] = "exit_cpuid",
	[LIMEN_KIND_HLT] = "exit_hlt",
	[LIMEN_KIND_CR] = "exit_cr",
	[LIMEN_KIND_DR] = "exit_dr",
	[LIMEN_KIND_EXCEPTION] = "exit_exception",
	[LIMEN_KIND_XSETBV] = "exit_xsetbv",
	[LIMEN_KIND_HYPERCALL] = "exit_hypercall",
	[LIMEN_KIND_PAUSE] = "exit_pause",
	[LIMEN_KIND_IRQ_WINDOW] = "exit_irq_window",
	[LIMEN_KIND_NMI_WINDOW] = "exit_nmi_window",
	[LIMEN_KIND_CACHE] = "exit_cache",
	[LIMEN_KIND_UD] = "exit_ud",
	[LIMEN_KIND_GP] = "exit_gp",
	[LIMEN_KIND_SHUTDOWN] = "exit_shutdown",
	[LIMEN_KIND_TASK_SWITCH] = "exit_task_switch",
	[LIMEN_KIND_INVALID] = "exit_invalid",
	[LIMEN_KIND_UNKNOWN] = "exit_unknown",
	[LIMEN_KIND_EOI] = "exit_eoi",
	[LIMEN_KIND_APIC_WRITE] = "exit_apic_write",
	[LIMEN_KIND_TPR_BELOW] = "exit_tpr_below",
	[LIMEN_KIND_TIMER] = "exit_timer",
	[LIMEN_KIND_LOG_FULL] = "exit_log_full",
	[LIMEN_STAT_RUNS] = "runs",
	[LIMEN_STAT_USER_EXITS] = "user_exits",
	[LIMEN_STAT_WINDOWS] = "windows",
	[LIMEN_STAT_BORROWED] = "windows_borrowed",
	[LIMEN_STAT_FLUSHES] = "tlb_flushes",
	[LIMEN_STAT_INJECTED] = "injected",
	[LIMEN_STAT_IOEVENTS] = "ioeventfds",
	[LIMEN_STAT_PV_EOIS] = "pv_eois",
	[LIMEN_STAT_HALT_NS] = "halt_ns",
	[LIMEN_STAT_POLLS_HIT] = "halt_polls_hit",
	[LIMEN_STAT_POLLS_MISSED] = "halt_polls_missed",
	[LIMEN_STAT_YIELDS] = "yields",
	[LIMEN_STAT_GUEST_NS] = "guest_ns",
};

/**
 * limen_stats_get() - LIMEN_STATS
 * @vcpu: the vCPU
 * @arg: the call's argument
 *
 * Context: vcpu->lock.
 * Return: errno.
 */
int limen_stats_get(struct limen_vcpu *vcpu, struct limen_stats *arg)
{
	struct limen_stat __user *out = (void __user *)(unsigned long)arg->stats;
	u32 room = arg->count;
	int i;

	arg->count = LIMEN_NR_STAT;
	if (room < LIMEN_NR_STAT)
		return -ENOSPC;
	for (i = 0; i < LIMEN_NR_STAT; i++) {
		struct limen_stat s = { .value = vcpu->stat[i] };

		strscpy(s.name, stat_name[i], sizeof(s.name));
		if (copy_to_user(&out[i], &s, sizeof(s)))
			return -EFAULT;
	}
	return 0;
}
