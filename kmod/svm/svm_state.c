// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register groups between vcpu and VMCB. A store clears the clean bit of what it
 * wrote, so that it can't be forgotten (APM Vol. 2, "VMCB Clean Bits").
 */
#include <linux/percpu.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>

#include "../compat.h"
#include "svm.h"

static void store_seg(struct vmcb_seg *to, const struct limen_segment *from)
{
	u32 ar = from->ar;

	/* unusable is "not present" in this format */
	if (ar & LIMEN_AR_UNUSABLE)
		ar = 0;
	to->sel = from->sel;
	to->attr = (ar & 0xff) | (ar >> 4 & 0xf00);
	to->limit = from->limit;
	to->base = from->base;
}

static void fetch_seg(struct limen_segment *to, const struct vmcb_seg *from)
{
	to->sel = from->sel;
	to->ar = (from->attr & 0xff) | (from->attr & 0xf00) << 4;
	to->limit = from->limit;
	to->base = from->base;
	if (!(to->ar & BIT(7)))
		to->ar |= LIMEN_AR_UNUSABLE;
}

static struct vmcb_seg *seg_of(struct vmcb *vmcb, int i)
{
	if (i == LIMEN_LDTR)
		return &vmcb->ldtr;
	if (i == LIMEN_TR)
		return &vmcb->tr;
	return &vmcb->es + i;
}

static void store_segs(struct limen_vcpu *vcpu, struct vmcb *vmcb)
{
	const struct limen_sregs *s = &vcpu->sregs;
	int i;

	for (i = 0; i < LIMEN_NR_SEG; i++)
		store_seg(seg_of(vmcb, i), &s->seg[i]);
	vmcb->cpl = s->seg[LIMEN_SS].ar >> 5 & 3;
	vmcb->gdtr.base = s->gdt.base;
	vmcb->gdtr.limit = s->gdt.limit;
	vmcb->idtr.base = s->idt.base;
	vmcb->idtr.limit = s->idt.limit;
}

static void fetch_segs(struct limen_vcpu *vcpu, struct vmcb *vmcb)
{
	struct limen_sregs *s = &vcpu->sregs;
	int i;

	for (i = 0; i < LIMEN_NR_SEG; i++)
		fetch_seg(&s->seg[i], seg_of(vmcb, i));
	/*
	 * CPL is authoritative, and a TR in use is busy (APM "Task State
	 * Segment") even where the CPU saves it as available
	 */
	s->seg[LIMEN_SS].ar = (s->seg[LIMEN_SS].ar & ~0x60u) | (vmcb->cpl & 3) << 5;
	if (!(s->seg[LIMEN_TR].ar & LIMEN_AR_UNUSABLE))
		s->seg[LIMEN_TR].ar |= 2;
	s->gdt.base = vmcb->gdtr.base;
	s->gdt.limit = vmcb->gdtr.limit;
	s->idt.base = vmcb->idtr.base;
	s->idt.limit = vmcb->idtr.limit;
}

static void store_sys(const struct limen_sysregs *sys, struct vmcb *vmcb)
{
	vmcb->star = sys->star;
	vmcb->lstar = sys->lstar;
	vmcb->cstar = sys->cstar;
	vmcb->sfmask = sys->sfmask;
	vmcb->kernel_gs_base = sys->kernel_gs_base;
	vmcb->sysenter_cs = sys->sysenter_cs;
	vmcb->sysenter_esp = sys->sysenter_esp;
	vmcb->sysenter_eip = sys->sysenter_eip;
	vmcb->g_pat = sys->pat;
}

static void fetch_sys(struct limen_sysregs *sys, const struct vmcb *vmcb)
{
	sys->star = vmcb->star;
	sys->lstar = vmcb->lstar;
	sys->cstar = vmcb->cstar;
	sys->sfmask = vmcb->sfmask;
	sys->kernel_gs_base = vmcb->kernel_gs_base;
	sys->sysenter_cs = vmcb->sysenter_cs;
	sys->sysenter_esp = vmcb->sysenter_esp;
	sys->sysenter_eip = vmcb->sysenter_eip;
}

static void store_crs(const struct limen_sregs *s, struct vmcb *vmcb)
{
	vmcb->cr0 = svm_cr0_hw(s->cr0);
	vmcb->cr_read = svm_cr_reads(s->cr0);
	vmcb->cr3 = s->cr3;
	vmcb->cr4 = s->cr4;
	/*
	 * VMRUN requires SVME in the guest's EFER (APM "Canonicalization and
	 * Consistency Checks")
	 */
	vmcb->efer = s->efer | MSR_EFER_SVME;
}

/*
 * DR0 to DR3 are not in the VMCB. They are put into the CPU only while the guest
 * has a breakpoint on; svm_close() gives the host's back.
 */
static void store_drs(struct limen_vcpu *vcpu, struct vmcb *vmcb)
{
	struct svm_vcpu *svm = vcpu->svm;
	const struct limen_debugregs *dr = &vcpu->dr;

	vmcb->dr6 = dr->dr6;
	vmcb->dr7 = dr->dr7;
	if (!(dr->dr7 & DR_GLOBAL_ENABLE_MASK) && !(dr->dr7 & DR_LOCAL_ENABLE_MASK))
		return;
	if (!svm->dr_loaded) {
		get_debugreg(svm->dr[0], 0);
		get_debugreg(svm->dr[1], 1);
		get_debugreg(svm->dr[2], 2);
		get_debugreg(svm->dr[3], 3);
		svm->dr_loaded = true;
	}
	set_debugreg(dr->dr[0], 0);
	set_debugreg(dr->dr[1], 1);
	set_debugreg(dr->dr[2], 2);
	set_debugreg(dr->dr[3], 3);
}

/**
 * svm_store() - dirty groups to the VMCB
 * @vcpu: the vCPU
 * @groups: LIMEN_G_*
 *
 * Context: in a window.
 */
void svm_store(struct limen_vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *svm = vcpu->svm;
	struct vmcb *vmcb = svm->vmcb;

	/* not cached: always loaded */
	vmcb->rip = vcpu->regs.rip;
	vmcb->rsp = vcpu->regs.gpr[LIMEN_RSP];
	vmcb->rflags = vcpu->regs.rflags;
	vmcb->rax = vcpu->regs.gpr[LIMEN_RAX];

	if (groups & LIMEN_G_SEG) {
		store_segs(vcpu, vmcb);
		svm->clean &= ~(SVM_CLEAN_SEG | SVM_CLEAN_DT);
	}
	if (groups & LIMEN_G_CR) {
		store_crs(&vcpu->sregs, vmcb);
		svm->clean &= ~(SVM_CLEAN_CRX | SVM_CLEAN_I);
	}
	if (groups & LIMEN_G_CR2) {
		vmcb->cr2 = vcpu->sregs.cr2;
		svm->clean &= ~SVM_CLEAN_CR2;
	}
	if (groups & LIMEN_G_DR) {
		store_drs(vcpu, vmcb);
		svm->clean &= ~SVM_CLEAN_DRX;
	}
	if (groups & LIMEN_G_SYS) {
		store_sys(&vcpu->sys, vmcb);
		/* not in the VMCB: svm_open() has put the guest's in the CPU */
		if (svm_caps.tsc_aux)
			limen_wrmsr(MSR_TSC_AUX, vcpu->sys.tsc_aux);
		svm->clean &= ~SVM_CLEAN_NP;
	}
	if (groups & LIMEN_G_INTR) {
		vmcb->int_state = vcpu->ev.shadow ? SVM_INT_SHADOW : 0;
		svm->nmi_masked = vcpu->ev.nmi_blocked;
		svm->iret_seen = false;
	}
	if (groups & LIMEN_G_TSC) {
		vmcb->tsc_offset = vcpu->tsc_offset;
		svm->clean &= ~SVM_CLEAN_I;
	}
}

/**
 * svm_fetch() - groups from the VMCB
 * @vcpu: the vCPU
 * @groups: LIMEN_G_*
 *
 * Context: in a window.
 */
void svm_fetch(struct limen_vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *svm = vcpu->svm;
	struct vmcb *vmcb = svm->vmcb;

	if (groups & LIMEN_G_SEG)
		fetch_segs(vcpu, vmcb);
	if (groups & LIMEN_G_CR) {
		vcpu->sregs.cr0 = svm_cr0_view(vmcb->cr0, vcpu->sregs.cr0);
		vcpu->sregs.cr3 = vmcb->cr3;
		vcpu->sregs.cr4 = vmcb->cr4;
		vcpu->sregs.efer = vmcb->efer & ~MSR_EFER_SVME;
	}
	if (groups & LIMEN_G_CR2)
		vcpu->sregs.cr2 = vmcb->cr2;
	if (groups & LIMEN_G_DR) {
		/* MOV DR exits, so DR0 to DR3 are in memory already */
		vcpu->dr.dr6 = vmcb->dr6;
		vcpu->dr.dr7 = vmcb->dr7;
	}
	if (groups & LIMEN_G_SYS)
		fetch_sys(&vcpu->sys, vmcb);
	if (groups & LIMEN_G_INTR) {
		vcpu->ev.shadow = vmcb->int_state & SVM_INT_SHADOW ?
				  LIMEN_SHADOW_STI : 0;
		vcpu->ev.nmi_blocked = svm->nmi_masked;
	}
	vcpu->valid |= groups;
}
