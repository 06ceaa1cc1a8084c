// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VMX controls this module uses, chosen from the values of the capability
 * MSRs and nothing else, so that any CPU ever made is a test vector. Called once
 * by vmx_ops.c. A requirement that the CPU lacks is named in the capability list.
 *
 * SDM Vol. 3, "VMX Capability Reporting Facility": low half of a control's MSR =
 * bits that must be 1, high half = bits that may be 1.
 */
#include <linux/errno.h>
#include <linux/kernel.h>

#include "vmx.h"

/* guest-physical width that four levels of tables can map */
#define EPT_MAX_BITS	48

enum ctl_word {
	WORD_PIN,
	WORD_PROC,
	WORD_PROC2,
	WORD_EXIT,
	WORD_ENTRY,
	NR_WORDS,
};

enum ctl_use {
	CTL_NEED,	/* refuse without */
	CTL_MAY,	/* use when there */
	CTL_QUIET,	/* need, and every CPU has it: say it when it is missing */
	CTL_UNUSED,	/* say that it is there */
};

struct ctl_rule {
	u8 word;
	u8 use;
	u32 bit;
	const char *name;
	const char *reason;
};

static const struct ctl_rule ctl_rules[] = {
	{ WORD_PIN, CTL_QUIET, VMX_PIN_EXTINT, "external-interrupt-exiting",
	  "host interrupts would not end a guest's run" },
	{ WORD_PIN, CTL_NEED, VMX_PIN_NMI, "nmi-exiting",
	  "host NMIs would reach the guest" },
	{ WORD_PIN, CTL_NEED, VMX_PIN_VIRTUAL_NMI, "virtual-nmis",
	  "guest NMIs could not be blocked and unblocked" },
	{ WORD_PIN, CTL_MAY, VMX_PIN_TIMER, "preemption-timer",
	  "no watchdog for guests that run with interrupts off, a host timer for deadlines" },

	{ WORD_PROC, CTL_QUIET, VMX_PROC_INTR_WINDOW, "interrupt-window",
	  "interrupts could not be injected in time" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_TSC_OFFSET, "tsc-offsetting",
	  "a guest's TSC could not be set" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_HLT, "hlt-exiting",
	  "an idle guest would block its CPU" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_MWAIT, "mwait-exiting",
	  "a guest could put the CPU to sleep" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_RDPMC, "rdpmc-exiting",
	  "a guest could read the host's counters" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_CR8_LOAD, "cr8-load-exiting",
	  "a guest could raise the host's task priority" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_CR8_STORE, "cr8-store-exiting",
	  "a guest could read the host's task priority" },
	{ WORD_PROC, CTL_NEED, VMX_PROC_NMI_WINDOW, "nmi-window",
	  "NMIs could not be injected in time" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_MOV_DR, "mov-dr-exiting",
	  "a guest could change the host's debug registers" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_IO, "unconditional-io-exiting",
	  "a guest could reach the host's ports" },
	{ WORD_PROC, CTL_NEED, VMX_PROC_MSR_BITMAP, "msr-bitmaps",
	  "every MSR access would exit" },
	{ WORD_PROC, CTL_QUIET, VMX_PROC_MONITOR, "monitor-exiting",
	  "a guest could put the CPU to sleep" },
	{ WORD_PROC, CTL_NEED, VMX_PROC_SECONDARY, "secondary-controls",
	  "the CPU is older than EPT" },

	{ WORD_PROC2, CTL_NEED, VMX_PROC2_EPT, "ept",
	  "guest memory needs extended page tables" },
	{ WORD_PROC2, CTL_NEED, VMX_PROC2_UNRESTRICTED, "unrestricted-guest",
	  "real mode would need an emulator" },
	{ WORD_PROC2, CTL_MAY, VMX_PROC2_PLE, "pause-loop-exiting",
	  "guests spin for as long as their time slice" },
	{ WORD_PROC2, CTL_MAY, VMX_PROC2_INVPCID, "invpcid",
	  "INVPCID faults in guests" },
	{ WORD_PROC2, CTL_MAY, VMX_PROC2_ENCLS, "encls-exiting",
	  "without SGX there is nothing to intercept" },
	{ WORD_PROC2, CTL_MAY, VMX_PROC2_CONCEAL_PT, "conceal-vmx-from-pt",
	  "a processor trace of the host shows VM entries" },
	{ WORD_PROC2, CTL_UNUSED, VMX_PROC2_SHADOWING, "vmcs-shadowing",
	  "not used by this version" },
	{ WORD_PROC2, CTL_UNUSED, VMX_PROC2_XSAVES, "xsaves",
	  "not used by this version: XSAVES faults in guests" },
	{ WORD_PROC2, CTL_UNUSED, VMX_PROC2_MODE_EXEC,
	  "mode-based-execute-control", "not used by this version" },
	{ WORD_PROC2, CTL_UNUSED, VMX_PROC2_TSC_SCALING, "tsc-scaling",
	  "not used by this version" },

	{ WORD_EXIT, CTL_QUIET, VMX_EXIT_SAVE_DEBUG, "exit-save-debug",
	  "a guest's DR7 would be lost" },
	{ WORD_EXIT, CTL_QUIET, VMX_EXIT_HOST_64, "exit-to-64-bit",
	  "the host runs in 64-bit mode" },
	{ WORD_EXIT, CTL_NEED, VMX_EXIT_LOAD_PAT, "exit-load-pat",
	  "the host's PAT would be lost" },
	{ WORD_EXIT, CTL_NEED, VMX_EXIT_LOAD_EFER, "exit-load-efer",
	  "the host's EFER would be lost" },
	{ WORD_EXIT, CTL_MAY, VMX_EXIT_CONCEAL_PT, NULL, NULL },

	{ WORD_ENTRY, CTL_QUIET, VMX_ENTRY_LOAD_DEBUG, "entry-load-debug",
	  "a guest's DR7 could not be loaded" },
	{ WORD_ENTRY, CTL_QUIET, VMX_ENTRY_IA32E, "entry-to-64-bit",
	  "64-bit guests could not be entered" },
	{ WORD_ENTRY, CTL_NEED, VMX_ENTRY_LOAD_PAT, "entry-load-pat",
	  "a guest's PAT could not be loaded" },
	{ WORD_ENTRY, CTL_NEED, VMX_ENTRY_LOAD_EFER, "entry-load-efer",
	  "a guest's EFER could not be loaded" },
	{ WORD_ENTRY, CTL_MAY, VMX_ENTRY_CONCEAL_PT, NULL, NULL },
};

/* Controls that enter() turns on and off: known to exist, off at first */
static const u32 ctl_dynamic[NR_WORDS] = {
	[WORD_PROC] = VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW,
	[WORD_ENTRY] = VMX_ENTRY_IA32E,
};

/* Exits that nobody here answers: the CPU must be able to do without them */
#define PROC_NEVER	(VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE | \
			 VMX_PROC_INVLPG | VMX_PROC_RDTSC)

static bool apply_rule(const struct ctl_rule *rule, u64 cap, u32 *ctl,
		       struct limen_caps *caps)
{
	bool present = (cap >> 32) & rule->bit;

	if (present && rule->use != CTL_UNUSED)
		*ctl |= rule->bit;

	switch (rule->use) {
	case CTL_NEED:
		return limen_cap_need(caps, rule->name, present, rule->reason);
	case CTL_MAY:
		if (rule->name)
			limen_cap_may(caps, rule->name, present, rule->reason);
		return true;
	case CTL_QUIET:
		if (present)
			return true;
		return limen_cap_need(caps, rule->name, false, rule->reason);
	case CTL_UNUSED:
		if (present)
			limen_cap_note(caps, rule->name, LIMEN_CAP_UNUSED,
				       rule->reason);
		return true;
	}
	return false;
}

static bool pick_controls(const struct vmx_msrs *msrs, u32 *ctl,
			  struct limen_caps *caps)
{
	const u64 cap[NR_WORDS] = {
		[WORD_PIN] = msrs->pin,
		[WORD_PROC] = msrs->proc,
		[WORD_PROC2] = msrs->proc2,
		[WORD_EXIT] = msrs->exit,
		[WORD_ENTRY] = msrs->entry,
	};
	bool ok = true;
	size_t i;

	for (i = 0; i < NR_WORDS; i++)
		ctl[i] = lower_32_bits(cap[i]);
	for (i = 0; i < ARRAY_SIZE(ctl_rules); i++)
		ok &= apply_rule(&ctl_rules[i], cap[ctl_rules[i].word],
				 &ctl[ctl_rules[i].word], caps);
	for (i = 0; i < NR_WORDS; i++)
		ctl[i] &= ~ctl_dynamic[i];

	if (ctl[WORD_PROC] & PROC_NEVER)
		ok = limen_cap_need(caps, "true-controls", false,
				    "accesses to CR3 can't go without exits");
	return ok;
}

/* Both halves or none: on entry the guest's 0, on exit what the host had */
static void pick_perf(const struct vmx_msrs *msrs, u32 *ctl,
		      struct limen_caps *caps)
{
	bool both = (msrs->exit >> 32) & VMX_EXIT_LOAD_PERF &&
		    (msrs->entry >> 32) & VMX_ENTRY_LOAD_PERF;

	limen_cap_may(caps, "load-perf-global-ctrl", both,
		      "host counters count guest cycles");
	if (!both)
		return;
	ctl[WORD_EXIT] |= VMX_EXIT_LOAD_PERF;
	ctl[WORD_ENTRY] |= VMX_ENTRY_LOAD_PERF;
}

/* VPIDs only with the flush that they make necessary */
static void pick_vpid(const struct vmx_msrs *msrs, u32 *ctl,
		      struct limen_caps *caps)
{
	const u64 inv = VMX_EPT_CAP_INVVPID | VMX_EPT_CAP_INVVPID_ONE;
	bool present = (msrs->proc2 >> 32) & VMX_PROC2_VPID &&
		       (msrs->ept_vpid & inv) == inv;

	limen_cap_may(caps, "vpid", present,
		      "every entry and exit flushes the guest's translations");
	if (present)
		ctl[WORD_PROC2] |= VMX_PROC2_VPID;
}

static bool use(struct limen_caps *caps, const char *name, bool present, bool may,
		const char *absent, const char *off)
{
	if (present && !may) {
		limen_cap_note(caps, name, LIMEN_CAP_UNUSED, off);
		return false;
	}
	return limen_cap_may(caps, name, present, absent);
}

/*
 * All of it or no more than TPR: no CPU has one half of it, and the state of an APIC
 * would be in two places. The controls that depend on the APIC's mode are not among
 * the fixed ones, see vmx_load_apic().
 */
static void pick_apicv(const struct vmx_msrs *msrs, struct vmx_config *cfg, u32 *ctl,
		       struct limen_caps *caps)
{
	const u32 all = VMX_PROC2_APIC_REG | VMX_PROC2_VID | VMX_PROC2_X2APIC |
			VMX_PROC2_APIC_ACCESS;
	bool tpr, post;

	tpr = limen_cap_may(caps, "tpr-shadow",
			    (msrs->proc >> 32) & VMX_PROC_TPR_SHADOW,
			    "every access to CR8 exits");
	if (tpr) {
		ctl[WORD_PROC] |= VMX_PROC_TPR_SHADOW;
		ctl[WORD_PROC] &= ~(VMX_PROC_CR8_LOAD | VMX_PROC_CR8_STORE);
		ctl[WORD_PROC] |= lower_32_bits(msrs->proc);
	}
	cfg->apicv = use(caps, "apic-virtualization",
			 tpr && ((msrs->proc2 >> 32) & all) == all, msrs->may_apicv,
			 "accesses to the APIC exit", "switched off: apicv=0");
	post = cfg->apicv && (msrs->pin >> 32) & VMX_PIN_POSTED &&
	       (msrs->exit >> 32) & VMX_EXIT_ACK_INTR && msrs->has_vector;
	cfg->posted = use(caps, "posted-interrupts", post, msrs->may_post,
			  "an interrupt for a running guest makes it exit",
			  "switched off: posted=0");
	if (cfg->posted)
		ctl[WORD_EXIT] |= VMX_EXIT_ACK_INTR;
}

/* Only for VMs that log writes, and so not among the fixed controls */
static void pick_pml(const struct vmx_msrs *msrs, struct limen_caps *caps)
{
	caps->pml = limen_cap_may(caps, "page-modification-logging", caps->npt_ad &&
				  (msrs->proc2 >> 32) & VMX_PROC2_PML,
				  "writes are logged by protecting pages");
}

static void pick_rdtscp(const struct vmx_msrs *msrs, u32 *ctl,
			struct limen_caps *caps)
{
	caps->rdtscp = msrs->rdtscp && (msrs->proc2 >> 32) & VMX_PROC2_RDTSCP;
	limen_cap_may(caps, "rdtscp", caps->rdtscp, "RDTSCP faults in guests");
	if (caps->rdtscp)
		ctl[WORD_PROC2] |= VMX_PROC2_RDTSCP;
}

static bool check_ept(u64 cap, struct limen_caps *caps)
{
	const u64 inv = VMX_EPT_CAP_INVEPT | VMX_EPT_CAP_INVEPT_ONE;
	bool ok;

	ok = limen_cap_need(caps, "ept-4-levels", cap & VMX_EPT_CAP_4_LEVELS,
			    "the tables here have four levels");
	ok &= limen_cap_need(caps, "ept-write-back", cap & VMX_EPT_CAP_WB,
			     "tables live in write-back memory");
	ok &= limen_cap_need(caps, "invept-single-context", (cap & inv) == inv,
			     "stale translations could not be dropped");

	caps->npt_2m = limen_cap_may(caps, "ept-2m-pages", cap & VMX_EPT_CAP_2M,
				     "memory is mapped in 4 KiB pages");
	caps->npt_1g = limen_cap_may(caps, "ept-1g-pages", cap & VMX_EPT_CAP_1G,
				     "memory is mapped in smaller pages");
	caps->npt_exec_only = limen_cap_may(caps, "ept-execute-only",
					    cap & VMX_EPT_CAP_EXEC_ONLY,
					    "executable memory is readable");
	caps->npt_ad = limen_cap_may(caps, "ept-accessed-dirty", cap & VMX_EPT_CAP_AD,
				     "the host learns of the use of memory by faults");
	return ok;
}

static bool check_basic(const struct vmx_msrs *msrs, struct limen_caps *caps)
{
	const u64 on = VMX_FEAT_LOCKED | VMX_FEAT_VMX;
	u64 basic = msrs->basic;
	bool ok = true;

	if (VMX_BASIC_SIZE(basic) > 4096)
		ok = limen_cap_need(caps, "vmcs-in-one-page", false,
				    "the CPU wants a VMCS of more than 4 KiB");
	if (VMX_BASIC_TYPE(basic) != VMX_BASIC_TYPE_WB)
		ok = limen_cap_need(caps, "vmcs-write-back", false,
				    "the CPU wants its VMCS uncached");
	ok &= limen_cap_need(caps, "vmx-enabled", (msrs->feat_ctl & on) == on,
			     "switched off by the firmware (IA32_FEATURE_CONTROL)");
	return ok;
}

/*
 * SDM Vol. 3, "VMX-Fixed Bits in CR0" and "... in CR4"; unrestricted guests may
 * clear PE and PG.
 */
static void pick_fixed(const struct vmx_msrs *msrs, struct vmx_config *cfg)
{
	cfg->cr0_must = msrs->cr0_fixed0 & ~(VMX_CR0_PE | VMX_CR0_PG);
	cfg->cr0_can = msrs->cr0_fixed1;
	cfg->cr4_must = msrs->cr4_fixed0;
	cfg->cr4_can = msrs->cr4_fixed1;
}

/**
 * vmx_negotiate() - choose every control from what the CPU can do
 * @msrs: values of the capability MSRs
 * @cfg: the choice; complete only if 0 is returned
 * @caps: notes, and the facts for common code
 *
 * Context: any; pure.
 * Return: 0, or -EOPNOTSUPP with each missing requirement noted.
 */
int vmx_negotiate(const struct vmx_msrs *msrs, struct vmx_config *cfg,
		  struct limen_caps *caps)
{
	u32 ctl[NR_WORDS];
	bool ok;

	if (!limen_cap_need(caps, "vmx", msrs->cpuid, "the CPU has no VT-x"))
		return -EOPNOTSUPP;
	ok = check_basic(msrs, caps);
	ok &= pick_controls(msrs, ctl, caps);
	ok &= check_ept(msrs->ept_vpid, caps);
	pick_perf(msrs, ctl, caps);
	pick_vpid(msrs, ctl, caps);
	pick_pml(msrs, caps);
	pick_rdtscp(msrs, ctl, caps);
	pick_apicv(msrs, cfg, ctl, caps);
	pick_fixed(msrs, cfg);

	cfg->revision = msrs->basic & VMX_BASIC_REVISION;
	cfg->pin = ctl[WORD_PIN];
	cfg->proc = ctl[WORD_PROC];
	cfg->proc2 = ctl[WORD_PROC2];
	cfg->exit = ctl[WORD_EXIT];
	cfg->entry = ctl[WORD_ENTRY];
	cfg->timer_shift = msrs->misc & VMX_MISC_TIMER_SHIFT;
	cfg->ins_info = msrs->basic & VMX_BASIC_INS_INFO;
	cfg->pt_in_vmx = msrs->misc & VMX_MISC_PT;
	caps->phys_bits = min_t(u8, msrs->maxphyaddr, EPT_MAX_BITS);
	caps->next_rip = true;
	caps->invpcid = cfg->proc2 & VMX_PROC2_INVPCID;
	return ok ? 0 : -EOPNOTSUPP;
}
