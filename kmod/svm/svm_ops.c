// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-V behind the vendor contract: probe, and what a VM and a vCPU need.
 */
#include <linux/cc_platform.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "../compat.h"
#include "svm.h"

struct svm_caps svm_caps;

static bool svm_avic;
module_param_named(avic, svm_avic, bool, 0444);
MODULE_PARM_DESC(avic, "prepare AVIC's tables, which no guest uses yet (default: no)");

static bool firmware_allows(void)
{
	u64 vm_cr;

	return limen_rdmsr_safe(SVM_MSR_VM_CR, &vm_cr) ||
	       !(vm_cr & SVM_VM_CR_DISABLE);
}

static u32 sev_asids(void)
{
	if (cpuid_eax(0x80000000) < 0x8000001f)
		return 0;
	return cpuid_ecx(0x8000001f);
}

/*
 * VMRUN loads the interrupt shadow (APM Vol. 2, "Interrupt Shadows"), but QEMU's TCG
 * did not before 9.1; there the shadow of an STI before VMRUN reaches into the guest,
 * and can stand in. TCG says "TCGTCGTCGTCG" of itself.
 */
static bool is_tcg(void)
{
	u32 eax, ebx, ecx, edx;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(0x40000000, &eax, &ebx, &ecx, &edx);
	return ebx == 0x54474354 && ecx == 0x43544743 && edx == 0x47435447;
}

static int svm_probe(struct limen_caps *caps)
{
	u32 bits = boot_cpu_data.x86_phys_bits;
	int err;

	if (!limen_cap_need(caps, "svm", cpuid_eax(0x80000000) >= SVM_CPUID &&
			    (cpuid_ecx(0x80000001) & BIT(2)),
			    "the CPU has no AMD-V, or the firmware hides it") ||
	    !limen_cap_need(caps, "svm-enabled", firmware_allows(),
			    "the firmware has disabled AMD-V (VM_CR.SVMDIS)"))
		return -EOPNOTSUPP;
	err = svm_probe_caps(cpuid_edx(SVM_CPUID), cpuid_ebx(SVM_CPUID),
			     sev_asids(), svm_avic, caps, &svm_caps);
	/* no address here carries the encryption bit: the CPU would read ciphertext */
	if (!limen_cap_need(caps, "plain-host-memory",
			    !cc_platform_has(CC_ATTR_MEM_ENCRYPT),
			    "the host's memory is encrypted (mem_encrypt=on)"))
		return -EOPNOTSUPP;
	if (err)
		return err;
	svm_caps.tsc_aux = boot_cpu_has(X86_FEATURE_RDTSCP) ||
			   boot_cpu_has(X86_FEATURE_RDPID);
	caps->rdtscp = svm_caps.tsc_aux;
	caps->invpcid = true;	/* not intercepted */
	svm_caps.lend_shadow = is_tcg();
	caps->phys_bits = min(bits, 48u);
	caps->npt_2m = true;
	caps->npt_1g = boot_cpu_has(X86_FEATURE_GBPAGES);
	caps->npt_ad = true;
	return svm_setup_cpus();
}

static void svm_remove(void)
{
	svm_teardown_cpus();
}

/*
 * The nested walk has as many levels as the host's own paging (APM Vol. 2, "Nested
 * Paging": hCR4 applies). With CR4.LA57 our root would be taken for a fifth level,
 * and guest memory for the tables of the last one. So put a table above it, of
 * which the first entry is all that 48 bits need.
 */
static int add_fifth_level(struct limen_vm *vm)
{
	struct svm_vm *svm = vm->svm;

	svm->ncr3 = __pa(vm->npt.root);
	if (!(__read_cr4() & X86_CR4_LA57))
		return 0;
	svm->top = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->top)
		return -ENOMEM;
	svm->top[0] = svm->ncr3 | npt_format_amd.table;
	svm->ncr3 = __pa(svm->top);
	return 0;
}

static int svm_vm_init(struct limen_vm *vm)
{
	vm->svm = kzalloc(sizeof(*vm->svm), GFP_KERNEL_ACCOUNT);
	if (!vm->svm)
		return -ENOMEM;
	vm->svm->msrpm = alloc_pages_exact(SVM_MSRPM_SIZE, GFP_KERNEL_ACCOUNT);
	if (!vm->svm->msrpm)
		goto err_free;
	if (svm_avic_init(vm->svm) || add_fifth_level(vm))
		goto err_free_tables;
	svm_msrpm_init(vm->svm->msrpm, svm_caps.tsc_aux);
	return 0;

err_free_tables:
	svm_avic_fini(vm->svm);
	free_pages_exact(vm->svm->msrpm, SVM_MSRPM_SIZE);
err_free:
	kfree(vm->svm);
	return -ENOMEM;
}

static void svm_vm_fini(struct limen_vm *vm)
{
	free_page((unsigned long)vm->svm->top);
	svm_avic_fini(vm->svm);
	free_pages_exact(vm->svm->msrpm, SVM_MSRPM_SIZE);
	kfree(vm->svm);
}

static int svm_vcpu_init(struct limen_vcpu *vcpu)
{
	vcpu->svm = kzalloc(sizeof(*vcpu->svm), GFP_KERNEL_ACCOUNT);
	if (!vcpu->svm)
		return -ENOMEM;
	vcpu->svm->vmcb = svm_vmcb_alloc(vcpu);
	if (!vcpu->svm->vmcb) {
		kfree(vcpu->svm);
		return -ENOMEM;
	}
	vcpu->svm->vmcb_cpu = -1;
	return 0;
}

static void svm_vcpu_fini(struct limen_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->svm->vmcb);
	kfree(vcpu->svm);
}

static void svm_trap_msr(struct limen_vm *vm, u32 index, bool read, bool write)
{
	svm_msrpm_trap(vm->svm->msrpm, index, read, write);
}

/* V_TPR; the rest is software's */
static const struct pi_hw svm_pi = { .tpr = true };

const struct limen_ops svm_ops = {
	.name = "svm",
	.pi = &svm_pi,
	.npt = &npt_format_amd,
	.in_memory = LIMEN_G_ALL,	/* all of it is in the VMCB */
	.probe = svm_probe,
	.remove = svm_remove,
	.vm_init = svm_vm_init,
	.vm_fini = svm_vm_fini,
	.vcpu_init = svm_vcpu_init,
	.vcpu_fini = svm_vcpu_fini,
	.open = svm_open,
	.close = svm_close,
	.enter = svm_enter,
	.fetch = svm_fetch,
	.put = svm_put,
	.trap_msr = svm_trap_msr,
	.dump = svm_dump,
};
