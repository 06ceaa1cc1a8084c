// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of AVIC (APM Vol. 2, "Advanced Virtual Interrupt Controller"): which
 * virtual-APIC page belongs to which guest APIC id, and on which CPU it is.
 *
 * They are prepared, with the module parameter avic, and the VMCB points to them; its
 * enable bit stays clear, see docs/decisions/0005-avic.md. Entries are written whole:
 * other CPUs' hardware would read them at any time.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "../compat.h"
#include "svm.h"

#define AVIC_VALID	BIT_ULL(63)
#define AVIC_RUNNING	BIT_ULL(62)
#define AVIC_PAGE	GENMASK_ULL(51, 12)
#define AVIC_MAX_HOST	0xffu		/* bits 7:0 */

/**
 * svm_avic_entry() - an entry of the physical APIC ID table
 * @page: physical address of the virtual-APIC page
 * @host: APIC id of the CPU that the vCPU is in a window on, or SVM_AVIC_NOWHERE
 *
 * A CPU whose id has no room in the entry counts as nowhere: an IPI to it exits,
 * instead of ringing the doorbell of another one.
 *
 * Pure.
 */
u64 svm_avic_entry(u64 page, u32 host)
{
	u64 entry = AVIC_VALID | (page & AVIC_PAGE);

	return host <= AVIC_MAX_HOST ? entry | AVIC_RUNNING | host : entry;
}

/**
 * svm_avic_init() - a VM's tables, with nobody in them
 * @svm: the VM's part of this room
 *
 * The logical table stays as it is: a logical destination without a valid entry
 * exits, and the IPI is sent in software.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM; then svm_avic_fini() is still to be called.
 */
int svm_avic_init(struct svm_vm *svm)
{
	if (!svm_caps.avic)
		return 0;
	svm->avic_physical = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	svm->avic_logical = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return svm->avic_physical && svm->avic_logical ? 0 : -ENOMEM;
}

/** svm_avic_fini() - undo svm_avic_init() @svm: the VM's part of this room */
void svm_avic_fini(struct svm_vm *svm)
{
	free_page((unsigned long)svm->avic_physical);
	free_page((unsigned long)svm->avic_logical);
}

/**
 * svm_avic_set() - a window opens or closes on this CPU
 * @vcpu: the vCPU
 * @running: it opens
 *
 * A vCPU that has never run has no entry.
 *
 * Context: the vCPU's thread, IRQs off.
 */
void svm_avic_set(struct limen_vcpu *vcpu, bool running)
{
	u64 *table = vcpu->vm->svm->avic_physical;
	u32 host = SVM_AVIC_NOWHERE;

	if (!table)
		return;
	if (running)
		host = limen_apic_id(smp_processor_id());
	WRITE_ONCE(table[vcpu->id], svm_avic_entry(__pa(vcpu->pi.page), host));
}

/**
 * svm_avic_vmcb() - point a new VMCB to the tables
 * @vcpu: its vCPU
 * @vmcb: the VMCB
 */
void svm_avic_vmcb(struct limen_vcpu *vcpu, struct vmcb *vmcb)
{
	const struct svm_vm *svm = vcpu->vm->svm;

	if (!svm->avic_physical)
		return;
	vmcb->avic_bar = SVM_AVIC_BAR;
	vmcb->avic_page = __pa(vcpu->pi.page);
	vmcb->avic_logical = __pa(svm->avic_logical);
	vmcb->avic_physical = __pa(svm->avic_physical) | (LIMEN_MAX_VCPUS - 1);
}
