// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the facts mean: one finding a line, each with what to do. Pure. What the
 * module itself refuses is a failure here, by the same rule (kmod/vmx/vmx_caps.c,
 * vmx_ops.c, svm/svm_caps.c, svm_ops.c); what can't be seen before it is loaded says so.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "doctor.h"

#define FEAT_CTL_LOCKED	(1ull << 0)
#define FEAT_CTL_VMX	(1ull << 2)
#define VM_CR_SVMDIS	(1ull << 4)

#define SEEN_AFTER	"'limen info' says it after loading"

/* a VM, 64 vCPUs, 8 disks with two eventfds each, and the program's own */
#define WANTED_FILES	128

__attribute__((format(printf, 5, 6)))
static void add(struct doctor_report *r, enum doctor_word word, const char *name,
		const char *remedy, const char *fmt, ...)
{
	struct doctor_finding *f = &r->f[r->nr];
	va_list ap;

	if (r->nr == sizeof(r->f) / sizeof(r->f[0]))
		return;
	r->nr++;
	f->word = word;
	f->name = name;
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* as the module picks its vendor */
static bool is_amd(const struct doctor_facts *f)
{
	return !strcmp(f->cpu.vendor, "AuthenticAMD") ||
	       !strcmp(f->cpu.vendor, "HygonGenuine");
}

static bool has_virtualization(const struct doctor_facts *f)
{
	return is_amd(f) ? f->cpu.svm : f->cpu.vmx;
}

/* ---- the CPU ---------------------------------------------------------------- */

static void judge_cpu(const struct doctor_facts *f, struct doctor_report *r)
{
	const char *what = is_amd(f) ? "AMD-V" : "VT-x";

	if (has_virtualization(f))
		add(r, DOCTOR_OK, "cpu", "", "%s has %s", f->cpu.vendor, what);
	else if (f->cpu.virtual)
		add(r, DOCTOR_FAIL, "cpu",
		    "switch on nested virtualization for this machine in the outer hypervisor",
		    "this virtual CPU (%s) has no %s", f->cpu.vendor, what);
	else
		add(r, DOCTOR_FAIL, "cpu",
		    is_amd(f) ? "look for SVM in the firmware's setup; without it no guest can run" :
		    "look for VT-x in the firmware's setup; without it no guest can run",
		    "%s without %s", f->cpu.vendor, what);
}

static void judge_amd_paging(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->cpu.npt)
		add(r, DOCTOR_FAIL, "paging", "there is no shadow paging: use another machine",
		    "the CPU has no nested paging (NPT)");
	else if (f->cpu.asids <= f->cpu.sev_asids + 2)
		add(r, DOCTOR_FAIL, "paging", "give SEV fewer of them in the firmware's setup",
		    "of %u address-space identifiers SEV has %u: none is left",
		    f->cpu.asids, f->cpu.sev_asids);
	else
		add(r, DOCTOR_OK, "paging", "", "nested paging (NPT), %u address-space identifiers",
		    f->cpu.asids);
}

static void judge_paging(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!has_virtualization(f))
		return;
	if (is_amd(f))
		judge_amd_paging(f, r);
	else if (f->ept == NO || f->unrestricted == NO)
		add(r, DOCTOR_FAIL, "paging",
		    "there is no shadow paging and no emulation of real mode: use another machine",
		    "the CPU has no %s", f->ept == NO ? "extended page tables (EPT)" :
		    "unrestricted guests");
	else if (f->ept == UNKNOWN)
		add(r, DOCTOR_WARN, "paging", SEEN_AFTER ", or run this as root after 'modprobe msr'",
		    "extended page tables and unrestricted guests can't be seen from here");
	else
		add(r, DOCTOR_OK, "paging", "", "extended page tables, unrestricted guests");
}

static void judge_intel_firmware(const struct doctor_facts *f, struct doctor_report *r)
{
	const uint64_t on = FEAT_CTL_LOCKED | FEAT_CTL_VMX;

	if (f->msr && (f->feat_ctl & on) == on)
		add(r, DOCTOR_OK, "firmware", "", "VT-x is switched on (IA32_FEATURE_CONTROL)");
	else if (f->msr)
		add(r, DOCTOR_FAIL, "firmware",
		    "switch VT-x on in the firmware's setup, then power the machine off and on",
		    "VT-x is switched off%s (IA32_FEATURE_CONTROL is 0x%llx)",
		    f->feat_ctl & FEAT_CTL_LOCKED ? " and locked" : "",
		    (unsigned long long)f->feat_ctl);
	else if (f->flag_vmx)
		add(r, DOCTOR_OK, "firmware", "", "VT-x is switched on, says the kernel (/proc/cpuinfo)");
	else if (f->flags)
		add(r, DOCTOR_FAIL, "firmware",
		    "switch VT-x on in the firmware's setup, or use a kernel with CONFIG_KVM_INTEL",
		    "the CPU has VT-x, but the kernel found it switched off");
	else
		add(r, DOCTOR_WARN, "firmware", "run this as root after 'modprobe msr'",
		    "whether VT-x is switched on can't be seen from here");
}

static void judge_amd_firmware(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->msr && f->vm_cr & VM_CR_SVMDIS)
		add(r, DOCTOR_FAIL, "firmware",
		    "switch SVM on in the firmware's setup",
		    "AMD-V is switched off (VM_CR is 0x%llx)", (unsigned long long)f->vm_cr);
	else if (f->msr)
		add(r, DOCTOR_OK, "firmware", "", "AMD-V is switched on (VM_CR)");
	else
		add(r, DOCTOR_WARN, "firmware", "run this as root after 'modprobe msr'",
		    "whether the firmware has disabled AMD-V (VM_CR) can't be seen from here");
}

static void judge_firmware(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!has_virtualization(f))
		return;
	if (is_amd(f))
		judge_amd_firmware(f, r);
	else
		judge_intel_firmware(f, r);
}

static void judge_xsave(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->flags)
		add(r, DOCTOR_WARN, "xsave", SEEN_AFTER, "/proc/cpuinfo can't be read");
	else if (f->flag_xsave)
		add(r, DOCTOR_OK, "xsave", "", "guests can have an FPU state of their own");
	else
		add(r, DOCTOR_FAIL, "xsave", "remove noxsave from the kernel's command line",
		    "the kernel does not use XSAVE");
}

static void judge_hypervisor(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->cpu.virtual)
		add(r, DOCTOR_OK, "hypervisor", "", "none below this kernel");
	else if (!is_amd(f) && !strcmp(f->cpu.hypervisor, "Microsoft Hv"))
		add(r, DOCTOR_FAIL, "hypervisor", "run on the bare machine, or under another hypervisor",
		    "this is a guest of Hyper-V, where KVM may have replaced VMLAUNCH");
	else
		add(r, DOCTOR_WARN, "hypervisor", "expect less speed, and its limits",
		    "this is a guest itself (%s)",
		    f->cpu.hypervisor[0] ? f->cpu.hypervisor : "of an unnamed hypervisor");
}

static void judge_fred(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->flag_fred)
		add(r, DOCTOR_OK, "fred", "", "the kernel takes events through an IDT");
	else if (is_amd(f))
		add(r, DOCTOR_OK, "fred", "", "the kernel uses FRED, which AMD-V allows");
	else
		add(r, DOCTOR_FAIL, "fred", "boot with fred=off",
		    "the kernel uses FRED: an NMI can't be handed on");
}

static void judge_encryption(const struct doctor_facts *f, struct doctor_report *r)
{
	if (is_amd(f) && f->mem_encrypt)
		add(r, DOCTOR_FAIL, "memory-encryption", "boot without mem_encrypt=on",
		    "the host's memory is encrypted");
}

/* ---- the kernel ------------------------------------------------------------- */

static void judge_kernel(const struct doctor_facts *f, struct doctor_report *r)
{
	static const char *const tested[] = { "6.1.", "6.12.", "7.2." };

	for (size_t i = 0; i < sizeof(tested) / sizeof(tested[0]); i++) {
		if (!strncmp(f->release, tested[i], strlen(tested[i]))) {
			add(r, DOCTOR_OK, "kernel", "", "%s", f->release);
			return;
		}
	}
	add(r, DOCTOR_WARN, "kernel", "tested are 6.1, 6.12 and 7.2; others may work",
	    "%s", f->release[0] ? f->release : "unknown");
}

static void judge_exports(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->exports == YES)
		add(r, DOCTOR_OK, "config", "", "preempt and mmu notifiers are there");
	else if (f->exports == NO)
		add(r, DOCTOR_FAIL, "config", "build the kernel with CONFIG_KVM=m",
		    "preempt or mmu notifiers are missing");
	else
		add(r, DOCTOR_WARN, "config", "it needs CONFIG_KVM=m or y",
		    "the kernel's configuration can't be read");
}

static void judge_config(const struct doctor_facts *f, struct doctor_report *r)
{
	const char *missing = NULL;

	if (!f->config[0]) {
		judge_exports(f, r);
		return;
	}
	if (f->kvm == 'n')
		missing = "CONFIG_KVM";
	else if (f->preempt_notifiers != 'y')
		missing = "CONFIG_PREEMPT_NOTIFIERS";
	else if (f->mmu_notifier != 'y')
		missing = "CONFIG_MMU_NOTIFIER";
	if (missing)
		add(r, DOCTOR_FAIL, "config",
		    "build the kernel with CONFIG_KVM=m and KVM_INTEL or KVM_AMD",
		    "the kernel has no %s (%s)", missing, f->config);
	else
		add(r, DOCTOR_OK, "config", "", "CONFIG_KVM=%c, preempt and mmu notifiers (%s)",
		    f->kvm, f->config);
}

/* who demands a signature, or NULL */
static const char *who_enforces(const struct doctor_facts *f)
{
	if (!strcmp(f->lockdown, "integrity") || !strcmp(f->lockdown, "confidentiality"))
		return "lockdown";
	if (f->sig_enforce == YES || f->sig_force == 'y')
		return "the kernel";
	return NULL;
}

static void judge_signature(const struct doctor_facts *f, struct doctor_report *r)
{
	static const char how[] = "sign it and enrol the key, see SIGNED MODULES in limen(4)";
	const char *who = who_enforces(f);

	if (f->loaded)
		return;
	if (!who && !f->lockdown[0])
		add(r, DOCTOR_WARN, "signature",
		    "with Secure Boot a module must be signed, see limen(4)",
		    "not enforced, but lockdown can't be read");
	else if (!who)
		add(r, DOCTOR_OK, "signature", "", "not enforced, lockdown is %s", f->lockdown);
	else if (f->module[0] && f->is_signed == NO)
		add(r, DOCTOR_FAIL, "signature", how,
		    "%s takes signed modules only, and ours is not", who);
	else
		add(r, DOCTOR_WARN, "signature", how,
		    "%s takes modules only that are signed by a key it knows%s", who,
		    f->is_signed == YES ? "; ours is signed" : "");
}

static void judge_module(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->loaded)
		add(r, DOCTOR_OK, "module", "", "loaded; 'limen info' knows more");
	else if (f->module[0])
		add(r, DOCTOR_OK, "module", "", "%s", f->module);
	else if (f->headers)
		add(r, DOCTOR_WARN, "module",
		    "install limen-dkms, or 'make module' and insmod limen.ko",
		    "none is installed for this kernel");
	else
		add(r, DOCTOR_FAIL, "module",
		    "install the kernel's headers (Debian: linux-headers-amd64), then limen-dkms",
		    "none is installed for this kernel, and none can be built");
}

static void judge_kvm(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->kvm_loaded)
		add(r, DOCTOR_OK, "kvm", "", "not loaded; it may be at any time");
	else if (!f->kvm_vendor_loaded)
		add(r, DOCTOR_OK, "kvm", "", "loaded without its part for this CPU");
	else if (f->kvm_users)
		add(r, DOCTOR_OK, "kvm", "", "loaded and in use (%u): guests of both run side by side",
		    f->kvm_users);
	else
		add(r, DOCTOR_OK, "kvm", "", "loaded and idle: it may stay");
	if (f->vbox || f->vmware)
		add(r, DOCTOR_WARN, "others", "run no guest of it while Limen's run, or unload it",
		    "%s is loaded, which was never tested beside Limen",
		    f->vbox ? "VirtualBox (vboxdrv)" : "VMware (vmmon)");
}

/* ---- who may, and limits ---------------------------------------------------- */

static bool in_group(const struct doctor_facts *f, gid_t gid)
{
	for (uint32_t i = 0; i < f->self.nr_groups; i++)
		if (f->self.groups[i] == gid)
			return true;
	return false;
}

static void judge_node(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!f->node)
		add(r, DOCTOR_FAIL, "device", "is /dev a devtmpfs, and does udev run?",
		    "the module is loaded, but /dev/limen is missing");
	else if (f->may_open)
		add(r, DOCTOR_OK, "device", "", "/dev/limen may be opened by %s", f->self.name);
	else if (f->group && f->node_gid == f->group_gid)
		add(r, DOCTOR_FAIL, "device", f->member ? "log in anew" :
		    "as root: adduser USER limen; then log in anew",
		    "/dev/limen is for group limen, which %s is not in", f->self.name);
	else
		add(r, DOCTOR_FAIL, "device",
		    "install the udev rule (package limen) and run 'udevadm trigger /dev/limen'",
		    "/dev/limen is not for %s (mode %04o, group %u)", f->self.name,
		    f->node_mode, f->node_gid);
}

static void judge_device(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->loaded)
		judge_node(f, r);
	else if (!f->self.uid)
		add(r, DOCTOR_OK, "device", "", "root may open /dev/limen");
	else if (!f->group)
		add(r, DOCTOR_FAIL, "device", "install package limen, which makes group limen",
		    "only root will be able to open /dev/limen");
	else if (in_group(f, f->group_gid))
		add(r, DOCTOR_OK, "device", "", "%s is in group limen", f->self.name);
	else
		add(r, DOCTOR_FAIL, "device", f->member ? "log in anew" :
		    "as root: adduser USER limen; then log in anew",
		    "%s is not in group limen%s", f->self.name,
		    f->member ? " in this session" : "");
}

static void judge_limits(const struct doctor_facts *f, struct doctor_report *r)
{
	if (f->self.nofile < WANTED_FILES)
		add(r, DOCTOR_WARN, "open-files", "ulimit -n 1024",
		    "%llu at most: too few for many vCPUs and disks",
		    (unsigned long long)f->self.nofile);
	else
		add(r, DOCTOR_OK, "open-files", "", "%llu at most",
		    (unsigned long long)f->self.nofile);
	if (f->self.memlock == RLIM_INFINITY)
		add(r, DOCTOR_OK, "locked-memory", "", "no limit");
	else
		add(r, DOCTOR_OK, "locked-memory", "",
		    "%llu KiB at most: enough, guest memory is not locked",
		    (unsigned long long)f->self.memlock >> 10);
	if (f->self.as != RLIM_INFINITY)
		add(r, DOCTOR_WARN, "address-space", "ulimit -v unlimited",
		    "%llu MiB at most: guest memory counts",
		    (unsigned long long)f->self.as >> 20);
}

static void judge_huge_pages(const struct doctor_facts *f, struct doctor_report *r)
{
	if (!strcmp(f->thp, "always") || !strcmp(f->thp, "madvise"))
		add(r, DOCTOR_OK, "huge-pages", "", "transparent ones are on (%s), %llu reserved ones free",
		    f->thp, (unsigned long long)f->huge_free);
	else
		add(r, DOCTOR_WARN, "huge-pages",
		    "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled",
		    "transparent ones are %s: guests are slower", f->thp[0] ? "off" : "not configured");
}

void doctor_judge(const struct doctor_facts *f, struct doctor_report *r)
{
	r->nr = 0;
	judge_cpu(f, r);
	judge_paging(f, r);
	judge_firmware(f, r);
	judge_xsave(f, r);
	judge_hypervisor(f, r);
	judge_fred(f, r);
	judge_encryption(f, r);
	judge_kernel(f, r);
	judge_config(f, r);
	judge_module(f, r);
	judge_signature(f, r);
	judge_kvm(f, r);
	judge_device(f, r);
	judge_limits(f, r);
	judge_huge_pages(f, r);
}

enum doctor_word doctor_worst(const struct doctor_report *r)
{
	enum doctor_word worst = DOCTOR_OK;

	for (uint32_t i = 0; i < r->nr; i++)
		if (r->f[i].word > worst)
			worst = r->f[i].word;
	return worst;
}
