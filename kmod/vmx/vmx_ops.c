// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x behind the vendor contract: the operations table, the probe, and the
 * memory of VMs and vCPUs. main.c alone names this table.
 */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#include <asm/processor.h>

#include "../compat.h"
#include "vmx.h"

/* how long a guest that never lets an interrupt in may hold its CPU */
#define WATCHDOG_MS	4

struct vmx_config vmx_cfg __read_mostly;
static struct pi_hw vmx_pi __read_mostly;

static u64 read_cap(u32 index)
{
	u64 val = 0;

	limen_rdmsr_safe(index, &val);
	return val;
}

/* SDM Vol. 3, "VMX Capability Reporting Facility": which MSR exists when */
static void read_caps(struct vmx_msrs *msrs)
{
	bool true_ctl;

	msrs->cpuid = cpuid_ecx(1) & BIT(5);
	if (!msrs->cpuid)
		return;
	msrs->rdtscp = boot_cpu_has(X86_FEATURE_RDTSCP);
	msrs->maxphyaddr = boot_cpu_data.x86_phys_bits;
	msrs->feat_ctl = read_cap(VMX_MSR_FEAT_CTL);
	msrs->basic = read_cap(VMX_MSR_BASIC);
	msrs->misc = read_cap(VMX_MSR_MISC);

	true_ctl = msrs->basic & VMX_BASIC_TRUE;
	msrs->pin = read_cap(true_ctl ? VMX_MSR_TRUE_PIN : VMX_MSR_PIN);
	msrs->proc = read_cap(true_ctl ? VMX_MSR_TRUE_PROC : VMX_MSR_PROC);
	msrs->exit = read_cap(true_ctl ? VMX_MSR_TRUE_EXIT : VMX_MSR_EXIT);
	msrs->entry = read_cap(true_ctl ? VMX_MSR_TRUE_ENTRY : VMX_MSR_ENTRY);
	if ((msrs->proc >> 32) & VMX_PROC_SECONDARY)
		msrs->proc2 = read_cap(VMX_MSR_PROC2);
	if ((msrs->proc2 >> 32) & (VMX_PROC2_EPT | VMX_PROC2_VPID))
		msrs->ept_vpid = read_cap(VMX_MSR_EPT_VPID);

	msrs->cr0_fixed0 = read_cap(VMX_MSR_CR0_FIXED0);
	msrs->cr0_fixed1 = read_cap(VMX_MSR_CR0_FIXED1);
	msrs->cr4_fixed0 = read_cap(VMX_MSR_CR4_FIXED0);
	msrs->cr4_fixed1 = read_cap(VMX_MSR_CR4_FIXED1);

	msrs->may_apicv = limen_apicv;
	msrs->may_post = limen_posted;
	msrs->has_vector = limen_posted_vector();
}

/* What the running kernel must be, besides the CPU */
static bool check_kernel(struct limen_caps *caps)
{
	bool ok = true;

#ifdef X86_FEATURE_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED))
		ok = limen_cap_need(caps, "idt-event-delivery", false,
				    "an NMI can't be handed on with FRED: boot with fred=off");
#endif
	if (hypervisor_is_type(X86_HYPER_MS_HYPERV))
		ok = limen_cap_need(caps, "no-enlightened-vmcs", false,
				    "under Hyper-V, KVM may have replaced VMLAUNCH");
	return ok;
}

/*
 * Erratum "The VMX-Preemption Timer Does Not Count Down at the Rate Specified", by
 * CPUID signature, from Intel's specification updates: Nehalem, Westmere and some
 * Ivy Bridge. As a watchdog it is good there too, for a guest's deadlines it is not.
 */
static bool has_slow_timer(void)
{
	static const u32 cpus[] = {
		0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e5, 0x20652, 0x20655,
		0x206c2, 0x206e6, 0x306a8,
	};
	u32 signature = cpuid_eax(1);
	int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++)
		if (signature == cpus[i])
			return true;
	return false;
}

static void probe_timer(void)
{
	vmx_cfg.watchdog = min_t(u64, (u64)limen_tsc_khz() * WATCHDOG_MS >>
				 vmx_cfg.timer_shift, U32_MAX);
	vmx_pi.timer = (vmx_cfg.pin & VMX_PIN_TIMER) && !has_slow_timer();
}

static int probe(struct limen_caps *caps)
{
	struct vmx_msrs msrs = {};
	u64 perf;
	int err;

	read_caps(&msrs);
	/* some machines name the control and lack the MSR */
	if (limen_rdmsr_safe(MSR_CORE_PERF_GLOBAL_CTRL, &perf)) {
		msrs.exit &= ~((u64)VMX_EXIT_LOAD_PERF << 32);
		msrs.entry &= ~((u64)VMX_ENTRY_LOAD_PERF << 32);
	}
	err = vmx_negotiate(&msrs, &vmx_cfg, caps);
	if (!check_kernel(caps))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	vmx_pi.tpr = vmx_cfg.proc & VMX_PROC_TPR_SHADOW;
	vmx_pi.deliver = vmx_cfg.apicv;
	vmx_pi.post = vmx_cfg.posted;
	probe_timer();

	/* a guest could stop the machine by resizing a page that it executes */
	if (boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off()) {
		caps->npt_exec_4k = true;
		limen_cap_note(caps, "executable-large-pages", LIMEN_CAP_UNUSED,
			       "instruction fetches of this CPU: iTLB multihit");
	}
	err = vmx_l1d_init();
	if (err)
		return err;
	err = vmx_setup_cpus();
	if (err)
		vmx_l1d_fini();
	return err;
}

static void remove(void)
{
	vmx_teardown_cpus();
	vmx_l1d_fini();
}

static void vm_fini(struct limen_vm *vm)
{
	struct vmx_vm *vmx = vm->vmx;

	if (!vmx)
		return;
	free_page((unsigned long)vmx->msr_bitmap);
	free_page((unsigned long)vmx->x2apic_bitmap);
	if (vmx->apic_page)
		free_page((unsigned long)__va(vmx->apic_page));
	kfree(vmx);
	vm->vmx = NULL;
}

static int init_apicv(struct vmx_vm *vmx)
{
	void *page;

	if (!vmx_cfg.apicv)
		return 0;
	vmx->x2apic_bitmap = (u8 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (page)
		vmx->apic_page = __pa(page);
	if (!page || !vmx->x2apic_bitmap)
		return -ENOMEM;
	vmx_bitmap_init(vmx->x2apic_bitmap);
	vmx_bitmap_open_x2apic(vmx->x2apic_bitmap);
	return 0;
}

static int vm_init(struct limen_vm *vm)
{
	struct vmx_vm *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return -ENOMEM;
	vm->vmx = vmx;
	vmx->msr_bitmap = (u8 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msr_bitmap || init_apicv(vmx)) {
		vm_fini(vm);
		return -ENOMEM;
	}
	vmx_bitmap_init(vmx->msr_bitmap);
	return 0;
}

static u64 apic_page(struct limen_vm *vm)
{
	return vm->vmx->apic_page;
}

static int vcpu_init(struct limen_vcpu *vcpu)
{
	static atomic64_t serial = ATOMIC64_INIT(0);
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return -ENOMEM;
	vmx->vmcs = vmx_vmcs_alloc(NUMA_NO_NODE);
	if (vcpu->vm->npt.way == NPT_WAY_PML)
		vcpu->pml = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs || (vcpu->vm->npt.way == NPT_WAY_PML && !vcpu->pml)) {
		free_page((unsigned long)vmx->vmcs);
		free_page((unsigned long)vcpu->pml);
		kfree(vmx);
		return -ENOMEM;
	}
	vmx->serial = atomic64_inc_return(&serial);
	vmx->vpid = vmx_vpid_get();
	vmx->cpu = -1;
	vmx->sw.gpr = vcpu->regs.gpr;
	vcpu->vmx = vmx;
	vcpu->valid = LIMEN_G_ALL;
	vcpu->entry.dirty = LIMEN_G_ALL;
	return 0;
}

static void vcpu_fini(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;

	if (!vmx)
		return;
	/* every window has cleared the VMCS: no CPU knows it any more */
	vmx_vpid_put(vmx->vpid);
	free_page((unsigned long)vmx->vmcs);
	free_page((unsigned long)vcpu->pml);
	vcpu->pml = NULL;
	kfree(vmx);
	vcpu->vmx = NULL;
}

static void trap_msr(struct limen_vm *vm, u32 index, bool read, bool write)
{
	vmx_bitmap_trap(vm->vmx->msr_bitmap, index, read, write);
	if (vm->vmx->x2apic_bitmap)
		vmx_bitmap_trap(vm->vmx->x2apic_bitmap, index, read, write);
}

const struct limen_ops vmx_ops = {
	.name = "vmx",
	.npt = &npt_format_ept,
	.pi = &vmx_pi,
	.probe = probe,
	.remove = remove,
	.vm_init = vm_init,
	.vm_fini = vm_fini,
	.vcpu_init = vcpu_init,
	.vcpu_fini = vcpu_fini,
	.open = vmx_open,
	.close = vmx_close,
	.serve = vmx_serve,
	.enter = vmx_enter,
	.fetch = vmx_fetch,
	.put = vmx_put,
	.read_log = vmx_read_log,
	.apic_page = apic_page,
	.trap_msr = trap_msr,
	.dump = vmx_dump,
};
