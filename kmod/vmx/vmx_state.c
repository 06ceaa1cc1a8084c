// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest state between memory and the CPU, by register groups: dirty groups become
 * VMWRITEs (or writes to the MSRs that a window swaps), fetched groups VMREADs.
 * Called by vmx_enter.c and through the operations table; knows no policy.
 *
 * SDM Vol. 3, "Guest-State Area".
 */
#include <linux/percpu.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>

#include "../compat.h"
#include "../posted_irq/pi_vapic.h"
#include "vmx.h"
#include "vmcs_io.h"

const u32 vmx_swap_index[VMX_NR_SWAP] = {
	[VMX_SWAP_STAR] = MSR_STAR,
	[VMX_SWAP_LSTAR] = MSR_LSTAR,
	[VMX_SWAP_CSTAR] = MSR_CSTAR,
	[VMX_SWAP_SFMASK] = MSR_SYSCALL_MASK,
	[VMX_SWAP_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
	[VMX_SWAP_TSC_AUX] = MSR_TSC_AUX,
};

/** vmx_nr_swap() - how many of vmx_swap_index[] this CPU has. Context: any. */
int vmx_nr_swap(void)
{
	return vmx_cfg.proc2 & VMX_PROC2_RDTSCP ? VMX_NR_SWAP : VMX_SWAP_TSC_AUX;
}

static void load_seg(const struct limen_sregs *sregs)
{
	const struct limen_segment *seg;
	int i;

	for (i = 0; i < LIMEN_NR_SEG; i++) {
		seg = &sregs->seg[i];
		vmcs_write16(VMCS_GUEST_SEL + 2 * i, seg->sel);
		vmcs_write32(VMCS_GUEST_LIMIT + 2 * i, seg->limit);
		vmcs_write32(VMCS_GUEST_AR + 2 * i, seg->ar);
		vmcs_write_natural(VMCS_GUEST_BASE + 2 * i, seg->base);
	}
	vmcs_write32(VMCS_GUEST_GDTR_LIMIT, sregs->gdt.limit);
	vmcs_write_natural(VMCS_GUEST_GDTR_BASE, sregs->gdt.base);
	vmcs_write32(VMCS_GUEST_IDTR_LIMIT, sregs->idt.limit);
	vmcs_write_natural(VMCS_GUEST_IDTR_BASE, sregs->idt.base);
}

static void fetch_seg(struct limen_sregs *sregs)
{
	struct limen_segment *seg;
	int i;

	for (i = 0; i < LIMEN_NR_SEG; i++) {
		seg = &sregs->seg[i];
		seg->sel = vmcs_read16(VMCS_GUEST_SEL + 2 * i);
		seg->limit = vmcs_read32(VMCS_GUEST_LIMIT + 2 * i);
		seg->ar = vmcs_read32(VMCS_GUEST_AR + 2 * i);
		seg->base = vmcs_read_natural(VMCS_GUEST_BASE + 2 * i);
	}
	sregs->gdt.limit = vmcs_read32(VMCS_GUEST_GDTR_LIMIT);
	sregs->gdt.base = vmcs_read_natural(VMCS_GUEST_GDTR_BASE);
	sregs->idt.limit = vmcs_read32(VMCS_GUEST_IDTR_LIMIT);
	sregs->idt.base = vmcs_read_natural(VMCS_GUEST_IDTR_BASE);
}

static bool uses_pdptes(const struct limen_sregs *sregs)
{
	return sregs->cr0 & VMX_CR0_PG && sregs->cr4 & VMX_CR4_PAE &&
	       !(sregs->efer & VMX_EFER_LMA);
}

static void load_efer(struct vmx_vcpu *vmx, u64 efer)
{
	u32 entry = vmx->entry & ~VMX_ENTRY_IA32E;

	if (efer & VMX_EFER_LMA)
		entry |= VMX_ENTRY_IA32E;
	if (vmx->entry != entry) {
		vmx->entry = entry;
		vmcs_write32(VMCS_ENTRY_CTL, entry);
	}
	vmx->efer = efer;
	vmcs_write64(VMCS_GUEST_EFER, efer);
}

static void load_cr(struct limen_vcpu *vcpu)
{
	const struct limen_sregs *sregs = &vcpu->sregs;
	u64 cr0 = (sregs->cr0 | vmx_cfg.cr0_must) & vmx_cfg.cr0_can;
	u64 cr4 = (sregs->cr4 | vmx_cfg.cr4_must) & vmx_cfg.cr4_can;
	struct vmx_vcpu *vmx = vcpu->vmx;
	int i;

	/* what a MOV to CR would have flushed; entries with a VPID do not */
	if (vmx->cr0 != cr0 || vmx->cr3 != sregs->cr3 || vmx->cr4 != cr4 ||
	    vmx->efer != sregs->efer)
		vmx->flush_guest = true;

	load_efer(vmx, sregs->efer);
	vmx->cr0 = cr0;
	vmx->cr3 = sregs->cr3;
	vmx->cr4 = cr4;
	vmx->cr4_own = VMX_CR4_OWN & vcpu->cr4_allowed;
	vmcs_write_natural(VMCS_GUEST_CR0, cr0);
	vmcs_write_natural(VMCS_CR0_SHADOW, sregs->cr0);
	vmcs_write_natural(VMCS_CR0_MASK, ~VMX_CR0_OWN);
	vmcs_write_natural(VMCS_GUEST_CR3, sregs->cr3);
	vmcs_write_natural(VMCS_GUEST_CR4, cr4);
	vmcs_write_natural(VMCS_CR4_SHADOW, sregs->cr4);
	vmcs_write_natural(VMCS_CR4_MASK, ~vmx->cr4_own);
	if (uses_pdptes(sregs))
		for (i = 0; i < 4; i++)
			vmcs_write64(VMCS_GUEST_PDPTE + 2 * i, sregs->pdpte[i]);
}

/* EFER and the bits that are not the guest's own never change without an exit */
static void fetch_cr(struct limen_vcpu *vcpu)
{
	struct limen_sregs *sregs = &vcpu->sregs;
	struct vmx_vcpu *vmx = vcpu->vmx;
	int i;

	vmx->cr0 = vmcs_read_natural(VMCS_GUEST_CR0);
	vmx->cr3 = vmcs_read_natural(VMCS_GUEST_CR3);
	vmx->cr4 = vmcs_read_natural(VMCS_GUEST_CR4);
	sregs->cr0 = (sregs->cr0 & ~VMX_CR0_OWN) | (vmx->cr0 & VMX_CR0_OWN);
	sregs->cr3 = vmx->cr3;
	sregs->cr4 = (sregs->cr4 & ~vmx->cr4_own) | (vmx->cr4 & vmx->cr4_own);
	if (uses_pdptes(sregs))
		for (i = 0; i < 4; i++)
			sregs->pdpte[i] = vmcs_read64(VMCS_GUEST_PDPTE + 2 * i);
}

/**
 * vmx_debug_load() - put the guest's breakpoints into the CPU if it has armed any
 * @vcpu: in an open window
 *
 * DR6 never is: all that would set it, exits. DR7 is in the VMCS.
 *
 * Context: window, IRQs off.
 */
void vmx_debug_load(struct limen_vcpu *vcpu)
{
	struct vmx_found *found = &vcpu->vmx->found;
	int i;

	if (!(vcpu->dr.dr7 & VMX_DR7_ENABLES))
		return;
	for (i = 0; i < 4; i++) {
		if (!found->drs)
			found->dr[i] = native_get_debugreg(i);
		native_set_debugreg(i, vcpu->dr.dr[i]);
	}
	found->drs = true;
}

static void load_sys(struct limen_vcpu *vcpu)
{
	const struct limen_sysregs *sys = &vcpu->sys;
	u64 *msr = vcpu->vmx->msr;
	int i;

	msr[VMX_SWAP_STAR] = sys->star;
	msr[VMX_SWAP_LSTAR] = sys->lstar;
	msr[VMX_SWAP_CSTAR] = sys->cstar;
	msr[VMX_SWAP_SFMASK] = sys->sfmask;
	msr[VMX_SWAP_KERNEL_GS_BASE] = sys->kernel_gs_base;
	msr[VMX_SWAP_TSC_AUX] = sys->tsc_aux;
	for (i = 0; i < vmx_nr_swap(); i++)
		limen_wrmsr(vmx_swap_index[i], msr[i]);

	vmcs_write32(VMCS_GUEST_SYSENTER_CS, sys->sysenter_cs);
	vmcs_write_natural(VMCS_GUEST_SYSENTER_ESP, sys->sysenter_esp);
	vmcs_write_natural(VMCS_GUEST_SYSENTER_EIP, sys->sysenter_eip);
	vmcs_write64(VMCS_GUEST_PAT, sys->pat);
	/* LBR and trace bits would write the host's MSRs and memory */
	vmcs_write64(VMCS_GUEST_DEBUGCTL, sys->debugctl & VMX_DEBUGCTL_BTF);
}

/* Of the others every write of the guest exits: vmx_bitmap.c */
static void fetch_sys(struct limen_sysregs *sys)
{
	sys->kernel_gs_base = limen_rdmsr(MSR_KERNEL_GS_BASE);
	sys->sysenter_cs = vmcs_read32(VMCS_GUEST_SYSENTER_CS);
	sys->sysenter_esp = vmcs_read_natural(VMCS_GUEST_SYSENTER_ESP);
	sys->sysenter_eip = vmcs_read_natural(VMCS_GUEST_SYSENTER_EIP);
}

/*
 * SDM Vol. 3, "Checks on Guest Non-Register State": not both shadows at once, and
 * none of STI's with IF clear. A state that user space made up may have either;
 * the other shadow then holds back the same events for as long.
 */
static void load_intr(const struct limen_vcpu *vcpu)
{
	const struct limen_events *ev = &vcpu->ev;
	u32 state = 0;

	if (ev->shadow & LIMEN_SHADOW_MOV_SS)
		state |= VMX_INTR_STATE_MOV_SS;
	else if (ev->shadow & LIMEN_SHADOW_STI)
		state |= vcpu->regs.rflags & VMX_RFLAGS_IF ?
			 VMX_INTR_STATE_STI : VMX_INTR_STATE_MOV_SS;
	if (ev->nmi_blocked)
		state |= VMX_INTR_STATE_NMI;
	vmcs_write32(VMCS_GUEST_INTR_STATE, state);
}

static void fetch_intr(struct limen_events *ev)
{
	u32 state = vmcs_read32(VMCS_GUEST_INTR_STATE);

	ev->shadow = 0;
	if (state & VMX_INTR_STATE_STI)
		ev->shadow |= LIMEN_SHADOW_STI;
	if (state & VMX_INTR_STATE_MOV_SS)
		ev->shadow |= LIMEN_SHADOW_MOV_SS;
	ev->nmi_blocked = !!(state & VMX_INTR_STATE_NMI);
}

#define APIC_CONTROLS	(VMX_PROC2_APIC_ACCESS | VMX_PROC2_X2APIC | \
			 VMX_PROC2_APIC_REG | VMX_PROC2_VID)

/*
 * SDM Vol. 3, "Checks on VMX Controls": not both ways to the registers at once. An
 * xAPIC that was moved is known by second-level faults only.
 */
static u32 apic_controls(const struct limen_vcpu *vcpu)
{
	u32 proc2 = VMX_PROC2_APIC_REG | VMX_PROC2_VID;

	if (!vcpu->pi.by_hw)
		return 0;
	if (pi_is_x2apic(vcpu))
		return proc2 | VMX_PROC2_X2APIC;
	if (pi_is_default_xapic(vcpu))
		return proc2 | VMX_PROC2_APIC_ACCESS;
	return proc2;
}

static void load_apic_mode(struct limen_vcpu *vcpu)
{
	const struct vmx_vm *vm = vcpu->vm->vmx;
	u32 controls = apic_controls(vcpu);
	struct vmx_vcpu *vmx = vcpu->vmx;
	u32 pin = vmx_cfg.pin;

	if (vcpu->pi.by_hw && vmx_cfg.posted)
		pin |= VMX_PIN_POSTED;
	vmx->proc2 = (vmx->proc2 & ~APIC_CONTROLS) | controls;
	vmcs_write32(VMCS_PIN_CTL, pin);
	vmcs_write32(VMCS_PROC2_CTL, vmx->proc2);
	vmcs_write64(VMCS_MSR_BITMAP,
		     __pa(controls & VMX_PROC2_X2APIC ? vm->x2apic_bitmap :
			  vm->msr_bitmap));
	/* SDM Vol. 3, "Cached Information ...": translations of the APIC's page */
	vmx->flush_npt = true;
}

/* The vectors that are level-triggered are those whose end the VMM waits for */
static void load_eoi_exits(const struct limen_vcpu *vcpu)
{
	const u8 *tmr = vcpu->pi.page + PI_REG_TMR;
	int i;

	for (i = 0; i < 4; i++)
		vmcs_write64(VMCS_EOI_EXIT + 2 * i,
			     pi_vapic_get(tmr, 2 * i * PI_REG_STEP) |
			     (u64)pi_vapic_get(tmr, (2 * i + 1) * PI_REG_STEP) << 32);
}

/**
 * vmx_load_apic() - what hardware has copied of the local APIC, or was told of it
 * @vcpu: in an open window
 * @groups: LIMEN_G_APIC, LIMEN_G_IRR
 *
 * Context: window, IRQs off.
 */
void vmx_load_apic(struct limen_vcpu *vcpu, u32 groups)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	u16 status;

	if (!vmx_cfg.apicv)
		return;
	if (groups & LIMEN_G_APIC) {
		if ((vmx->proc2 & APIC_CONTROLS) != apic_controls(vcpu))
			load_apic_mode(vcpu);
		load_eoi_exits(vcpu);
		vmcs_write16(VMCS_GUEST_INTR_STATUS,
			     pi_in_service(vcpu) << 8 | vcpu->entry.rvi);
	} else if (groups & LIMEN_G_IRR) {
		status = vmcs_read16(VMCS_GUEST_INTR_STATUS);
		vmcs_write16(VMCS_GUEST_INTR_STATUS,
			     (status & 0xff00) | vcpu->entry.rvi);
	}
}

/**
 * vmx_load() - groups that are newer in memory go to the CPU
 * @vcpu: in an open window
 * @groups: LIMEN_G_*
 *
 * CR2 is not among them: it is loaded next to every entry.
 *
 * Context: window, IRQs off.
 */
void vmx_load(struct limen_vcpu *vcpu, u32 groups)
{
	if (groups & LIMEN_G_REGS) {
		vmcs_write_natural(VMCS_GUEST_RIP, vcpu->regs.rip);
		vmcs_write_natural(VMCS_GUEST_RSP, vcpu->regs.gpr[LIMEN_RSP]);
		vmcs_write_natural(VMCS_GUEST_RFLAGS, vcpu->regs.rflags);
	}
	if (groups & LIMEN_G_SEG)
		load_seg(&vcpu->sregs);
	if (groups & LIMEN_G_CR)
		load_cr(vcpu);
	if (groups & LIMEN_G_DR) {
		vmcs_write_natural(VMCS_GUEST_DR7, vcpu->dr.dr7);
		vmx_debug_load(vcpu);
	}
	if (groups & LIMEN_G_SYS)
		load_sys(vcpu);
	/* which shadow it can be depends on IF */
	if (groups & LIMEN_G_INTR ||
	    (groups & LIMEN_G_REGS && vcpu->valid & LIMEN_G_INTR &&
	     vcpu->ev.shadow))
		load_intr(vcpu);
	if (groups & LIMEN_G_TSC)
		vmcs_write64(VMCS_TSC_OFFSET, vcpu->tsc_offset);
	if (groups & (LIMEN_G_APIC | LIMEN_G_IRR))
		vmx_load_apic(vcpu, groups);
}

/**
 * vmx_fetch() - bring groups into memory
 * @vcpu: in an open window
 * @groups: LIMEN_G_*; REGS, CR2, DR and TSC always are there already
 *
 * Context: window, IRQs off.
 */
void vmx_fetch(struct limen_vcpu *vcpu, u32 groups)
{
	groups &= ~vcpu->valid;
	if (groups & LIMEN_G_SEG)
		fetch_seg(&vcpu->sregs);
	if (groups & LIMEN_G_CR)
		fetch_cr(vcpu);
	if (groups & LIMEN_G_SYS)
		fetch_sys(&vcpu->sys);
	if (groups & LIMEN_G_INTR)
		fetch_intr(&vcpu->ev);
	vcpu->valid |= groups;
}
