// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that VMX needs, and the VMCS fields that are constant: VMXON regions per
 * CPU, a VMCS per vCPU, VPIDs, control words, and the host state, which is
 * refreshed at each window where it can have changed.
 *
 * SDM Vol. 3, "Initializing a VMCS" and "Host-State Area".
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr-index.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "../compat.h"
#include "vmx.h"
#include "vmcs_io.h"

/*
 * PAUSE-loop exiting, in TSC cycles: two PAUSEs within the gap are one loop; a
 * loop longer than the window exits
 */
#define PLE_GAP		128
#define PLE_WINDOW	4096

/* Taken from the top, where KVM, which takes the lowest free one, comes last */
#define NR_VPIDS	65536
#define VPID_MAX	(NR_VPIDS - 1)
#define VPID_COUNT	4096

static DEFINE_PER_CPU(void *, vmxon_region);
static DEFINE_SPINLOCK(vpid_lock);
static DECLARE_BITMAP(vpid_used, VPID_COUNT);

/**
 * vmx_vpid_get() - allocate a VPID
 *
 * Context: any.
 * Return: the VPID, or 0: the vCPU runs without one.
 */
u16 vmx_vpid_get(void)
{
	unsigned long nr;

	if (!(vmx_cfg.proc2 & VMX_PROC2_VPID))
		return 0;
	spin_lock(&vpid_lock);
	nr = find_first_zero_bit(vpid_used, VPID_COUNT);
	if (nr < VPID_COUNT)
		__set_bit(nr, vpid_used);
	spin_unlock(&vpid_lock);
	return nr < VPID_COUNT ? VPID_MAX - nr : 0;
}

/** vmx_vpid_put() - free a VPID. @vpid: 0 is allowed. Context: any. */
void vmx_vpid_put(u16 vpid)
{
	if (!vpid)
		return;
	spin_lock(&vpid_lock);
	__clear_bit(VPID_MAX - vpid, vpid_used);
	spin_unlock(&vpid_lock);
}

/**
 * vmx_vmcs_alloc() - a zeroed VMCS or VMXON region with its revision identifier
 * @node: NUMA node, or NUMA_NO_NODE
 *
 * Context: may sleep.
 * Return: a page, or NULL.
 */
void *vmx_vmcs_alloc(int node)
{
	struct page *page = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO,
					     0);
	u32 *vmcs;

	if (!page)
		return NULL;
	vmcs = page_address(page);
	*vmcs = vmx_cfg.revision;
	return vmcs;
}

/** vmx_cpu_region() - physical address of a CPU's VMXON region. Context: any. */
u64 vmx_cpu_region(int cpu)
{
	return __pa(per_cpu(vmxon_region, cpu));
}

/** vmx_teardown_cpus() - undo vmx_setup_cpus(), also half of it. May sleep. */
void vmx_teardown_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
		per_cpu(vmxon_region, cpu) = NULL;
	}
}

/**
 * vmx_setup_cpus() - a VMXON region for every CPU that may ever come online
 *
 * Context: module load, may sleep.
 * Return: 0 or -ENOMEM.
 */
int vmx_setup_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(vmxon_region, cpu) = vmx_vmcs_alloc(cpu_to_node(cpu));
		if (!per_cpu(vmxon_region, cpu)) {
			vmx_teardown_cpus();
			return -ENOMEM;
		}
	}
	return 0;
}

/* What is on when is vmx_load_apic()'s */
static void init_apic(struct limen_vcpu *vcpu)
{
	if (!(vmx_cfg.proc & VMX_PROC_TPR_SHADOW))
		return;
	vmcs_write64(VMCS_VIRTUAL_APIC, __pa(vcpu->pi.page));
	vcpu->vmx->tpr_threshold = 0;
	vmcs_write32(VMCS_TPR_THRESHOLD, 0);
	if (vmx_cfg.apicv)
		vmcs_write64(VMCS_APIC_ACCESS, vcpu->vm->vmx->apic_page);
	if (vmx_cfg.posted) {
		vmcs_write16(VMCS_POSTED_VECTOR, limen_posted_vector());
		vmcs_write64(VMCS_POSTED_DESC, __pa(vcpu->pi.desc));
	}
	vcpu->entry.dirty |= LIMEN_G_APIC | LIMEN_G_IRR;
}

/* SDM Vol. 3, "Page-Modification Logging": the index counts down */
static void init_log(struct limen_vcpu *vcpu)
{
	vmcs_write64(VMCS_PML_ADDRESS, __pa(vcpu->pml));
	vmcs_write16(VMCS_PML_INDEX, VMX_PML_FIRST);
}

/**
 * vmx_read_log() - how many writes the CPU has logged; it begins anew
 * @vcpu: with vcpu->pml
 *
 * Context: window, IRQs off.
 */
void vmx_read_log(struct limen_vcpu *vcpu)
{
	/* behind entry 0 comes 0xffff */
	vcpu->nr_pml = VMX_PML_FIRST - vmcs_read16(VMCS_PML_INDEX);
	if (vcpu->nr_pml)
		vmcs_write16(VMCS_PML_INDEX, VMX_PML_FIRST);
}

static void init_controls(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	u32 proc2 = vmx_cfg.proc2;

	if (!vmx->vpid)
		proc2 &= ~VMX_PROC2_VPID;
	if (vcpu->pml)
		proc2 |= VMX_PROC2_PML;
	vmx->proc = vmx_cfg.proc;
	vmx->proc2 = proc2;
	vmx->entry = vmx_cfg.entry;
	vmcs_write32(VMCS_PIN_CTL, vmx_cfg.pin);
	vmcs_write32(VMCS_PROC_CTL, vmx->proc);
	vmcs_write32(VMCS_PROC2_CTL, proc2);
	vmcs_write32(VMCS_EXIT_CTL, vmx_cfg.exit);
	vmcs_write32(VMCS_ENTRY_CTL, vmx->entry);

	if (vmx_cfg.pin & VMX_PIN_TIMER) {
		vmx->timer = vmx_cfg.watchdog;
		vmcs_write32(VMCS_PREEMPTION_TIMER, vmx->timer);
	}
	if (vmx_cfg.proc2 & VMX_PROC2_PLE) {
		vmcs_write32(VMCS_PLE_GAP, PLE_GAP);
		vmcs_write32(VMCS_PLE_WINDOW, PLE_WINDOW);
	}
	if (vmx_cfg.proc2 & VMX_PROC2_ENCLS)
		vmcs_write64(VMCS_ENCLS_BITMAP, ~0ull);
}

/* Fields that no control of ours uses must be defined all the same */
static void init_unused(void)
{
	vmcs_write32(VMCS_PF_MASK, 0);
	vmcs_write32(VMCS_PF_MATCH, 0);
	vmcs_write32(VMCS_CR3_TARGETS, 0);
	vmcs_write32(VMCS_EXIT_STORE_COUNT, 0);
	vmcs_write32(VMCS_EXIT_LOAD_COUNT, 0);
	vmcs_write32(VMCS_ENTRY_LOAD_COUNT, 0);
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write64(VMCS_LINK, ~0ull);
	vmcs_write32(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write32(VMCS_GUEST_INTR_STATE, 0);
	vmcs_write_natural(VMCS_GUEST_PENDING_DBG, 0);
	if (vmx_cfg.entry & VMX_ENTRY_LOAD_PERF)
		vmcs_write64(VMCS_GUEST_PERF_GLOBAL, 0);
}

static void init_host(void)
{
	vmcs_write16(VMCS_HOST_CS_SEL, __KERNEL_CS);
	vmcs_write16(VMCS_HOST_SS_SEL, __KERNEL_DS);
	vmcs_write16(VMCS_HOST_TR_SEL, GDT_ENTRY_TSS * 8);
	/* what a 32-bit task has in these comes back when the window closes */
	vmcs_write16(VMCS_HOST_DS_SEL, 0);
	vmcs_write16(VMCS_HOST_ES_SEL, 0);
	vmcs_write16(VMCS_HOST_FS_SEL, 0);
	vmcs_write16(VMCS_HOST_GS_SEL, 0);
	vmcs_write_natural(VMCS_HOST_RIP, (unsigned long)vmx_exit_point);
}

/**
 * vmx_vmcs_init() - write the constant fields of a VMCS, once
 * @vcpu: its VMCS is current
 *
 * Context: in an opening window, IRQs off.
 */
void vmx_vmcs_init(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;

	init_controls(vcpu);
	if (vcpu->pml)
		init_log(vcpu);
	init_apic(vcpu);
	init_unused();
	init_host();
	vmcs_write32(VMCS_EXC_BITMAP, BIT(VMX_VECTOR_DB) | BIT(VMX_VECTOR_AC) |
		     BIT(VMX_VECTOR_MC));
	vmcs_write64(VMCS_MSR_BITMAP, __pa(vcpu->vm->vmx->msr_bitmap));
	vmx->eptp = __pa(vcpu->vm->npt.root) | VMX_EPTP_WB | VMX_EPTP_4_LEVELS;
	if (vcpu->vm->npt.fmt->accessed)
		vmx->eptp |= VMX_EPTP_AD;
	vmcs_write64(VMCS_EPTP, vmx->eptp);
	if (vmx->vpid)
		vmcs_write16(VMCS_VPID, vmx->vpid);
	vmx->sw.host_rsp = 0;
	memset(&vmx->host, 0, sizeof(vmx->host));
	vmcs_write_natural(VMCS_HOST_CR0, 0);
	vmcs_write_natural(VMCS_HOST_CR3, 0);
	vmcs_write_natural(VMCS_HOST_CR4, 0);
	vmcs_write_natural(VMCS_HOST_FS_BASE, 0);
	vmcs_write_natural(VMCS_HOST_GDTR_BASE, 0);
	vmcs_write_natural(VMCS_HOST_IDTR_BASE, 0);
	if (vmx_cfg.exit & VMX_EXIT_LOAD_PERF)
		vmcs_write64(VMCS_HOST_PERF_GLOBAL, 0);
	vmx->ready = true;
}

/* What differs between CPUs and stays the same on each */
static void refresh_cpu(int cpu)
{
	vmcs_write_natural(VMCS_HOST_TR_BASE,
			   (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_write_natural(VMCS_HOST_GS_BASE, limen_rdmsr(MSR_GS_BASE));
	vmcs_write32(VMCS_HOST_SYSENTER_CS, limen_rdmsr(MSR_IA32_SYSENTER_CS));
	vmcs_write_natural(VMCS_HOST_SYSENTER_ESP,
			   limen_rdmsr(MSR_IA32_SYSENTER_ESP));
	vmcs_write_natural(VMCS_HOST_SYSENTER_EIP,
			   limen_rdmsr(MSR_IA32_SYSENTER_EIP));
	vmcs_write64(VMCS_HOST_PAT, limen_rdmsr(MSR_IA32_CR_PAT));
	vmcs_write64(VMCS_HOST_EFER, limen_rdmsr(MSR_EFER));
}

static __always_inline void refresh(u64 *shadow, u32 field, u64 val)
{
	if (*shadow == val)
		return;
	*shadow = val;
	vmcs_write_natural(field, val);
}

/**
 * vmx_host_refresh() - bring the host-state area up to date
 * @vmx: its VMCS is current, @vmx->found is filled
 *
 * Context: in an opening window, IRQs off.
 */
void vmx_host_refresh(struct vmx_vcpu *vmx)
{
	struct vmx_host_shadow *host = &vmx->host;
	int cpu = smp_processor_id();
	u64 perf;

	if (vmx->cpu != cpu) {
		refresh_cpu(cpu);
		vmx->flush_npt = true;
		vmx->cpu = cpu;
	}
	refresh(&host->cr0, VMCS_HOST_CR0, read_cr0());
	refresh(&host->cr3, VMCS_HOST_CR3, __read_cr3());
	refresh(&host->cr4, VMCS_HOST_CR4, vmx->found.cr4 | VMX_CR4_VMXE);
	refresh(&host->fs_base, VMCS_HOST_FS_BASE, vmx->found.fs_base);
	refresh(&host->gdt, VMCS_HOST_GDTR_BASE, vmx->found.gdt.address);
	refresh(&host->idt, VMCS_HOST_IDTR_BASE, vmx->found.idt.address);

	if (!(vmx_cfg.exit & VMX_EXIT_LOAD_PERF))
		return;
	perf = limen_rdmsr(MSR_CORE_PERF_GLOBAL_CTRL);
	if (host->perf_global != perf) {
		host->perf_global = perf;
		vmcs_write64(VMCS_HOST_PERF_GLOBAL, perf);
	}
}
