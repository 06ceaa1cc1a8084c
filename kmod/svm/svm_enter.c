// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking SVM, entering the guest, giving SVM back (kernel.md, section 1.3).
 *
 * SVM may belong to nobody or to KVM. If EFER.SVME is found set it stays set and
 * KVM's VM_HSAVE_PA is used: the CPU writes there between VMRUN and #VMEXIT only,
 * and KVM's own VMSAVE into that page uses other offsets and is redone by KVM.
 * Whatever else the guest changes is put back to what was found.
 *
 * ASIDs: TLB entries are tagged by ASID alone, and KVM uses all of them. Ours is
 * fixed, flushed at the first entry after a put, and flushed again at put if KVM
 * was there, before KVM can run a guest of its own with it. While this thread has
 * the CPU, no other guest can run on it. Emulators have no tags: by argument.
 */
#include <asm/cpufeature.h>
#include <linux/percpu.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/msr-index.h>

#include "../compat.h"
#include "../speculation.h"
#include "svm.h"

#define SVM_CR0_PE	BIT_ULL(0)
#define RFLAGS_TF	BIT_ULL(8)
#define RFLAGS_RF	BIT_ULL(16)
#define DR6_BS		BIT_ULL(14)
#define DR7_ENABLES	(DR_GLOBAL_ENABLE_MASK | DR_LOCAL_ENABLE_MASK)

static void swap_in(u32 msr, u64 *found, u64 guest)
{
	*found = limen_rdmsr(msr);
	if (*found != guest)
		limen_wrmsr(msr, guest);
}

static void swap_out(u32 msr, u64 found, u64 guest)
{
	if (found != guest)
		limen_wrmsr(msr, found);
}

/*
 * A barrier between guests: when another vCPU of ours ran here last, and, at put,
 * towards a guest of KVM, which does not know of us.
 */
static void ibpb_at_open(struct limen_vcpu *vcpu)
{
	struct svm_cpu *c = svm_this_cpu();

	if (c->last == vcpu && vcpu->svm->flushed)
		return;
	c->last = vcpu;
	limen_ibpb();
}

/**
 * svm_open() - see struct limen_ops
 * @vcpu: the vCPU
 *
 * Return: 0: on AMD nothing can be half-way.
 */
int svm_open(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;
	u64 efer = limen_rdmsr(MSR_EFER);

	svm->own = !(efer & MSR_EFER_SVME);
	if (svm->own) {
		limen_wrmsr(MSR_EFER, efer | MSR_EFER_SVME);
	} else {
		svm->borrowed = true;
		vcpu->stat[LIMEN_STAT_BORROWED]++;
	}
	ibpb_at_open(vcpu);
	svm->own_hsave = !limen_rdmsr(SVM_MSR_HSAVE);
	if (svm->own_hsave)
		limen_wrmsr(SVM_MSR_HSAVE, page_to_phys(svm_this_cpu()->hsave));

	if (svm_caps.tsc_aux)
		swap_in(MSR_TSC_AUX, &svm->tsc_aux, vcpu->sys.tsc_aux);
	if (svm_caps.features & SVM_CPUID_TSC_RATIO)
		swap_in(SVM_MSR_TSC_RATIO, &svm->tsc_ratio, SVM_TSC_RATIO_ONE);
	swap_in(MSR_IA32_DEBUGCTLMSR, &svm->debugctl, 0);
	get_debugreg(svm->dr6, 6);
	get_debugreg(svm->dr7, 7);
	/*
	 * the host's breakpoints are off before addresses of the guest's choice go
	 * into DR0 to DR3; and #VMEXIT would switch them off anyway
	 */
	if (svm->dr7 & DR7_ENABLES)
		set_debugreg(0, 7);
	svm_avic_set(vcpu, true);
	svm->dr_loaded = false;
	/* DR0 to DR3 of the guest go in again if it uses them */
	if (vcpu->dr.dr7 & DR7_ENABLES) {
		if (!(vcpu->valid & LIMEN_G_DR))
			svm_fetch(vcpu, LIMEN_G_DR);
		vcpu->entry.dirty |= LIMEN_G_DR;
	}
	return 0;
}

static void restore_debugregs(struct svm_vcpu *svm)
{
	if (svm->dr_loaded) {
		set_debugreg(svm->dr[0], 0);
		set_debugreg(svm->dr[1], 1);
		set_debugreg(svm->dr[2], 2);
		set_debugreg(svm->dr[3], 3);
	}
	set_debugreg(svm->dr6, 6);
	set_debugreg(svm->dr7, 7);
}

static void forward_mce(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,	/* as if in user mode: the guest is to blame */
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/**
 * svm_close() - see struct limen_ops
 * @vcpu: the vCPU
 */
void svm_close(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;

	svm_avic_set(vcpu, false);
	restore_debugregs(svm);
	swap_out(MSR_IA32_DEBUGCTLMSR, svm->debugctl, 0);
	if (svm_caps.features & SVM_CPUID_TSC_RATIO)
		swap_out(SVM_MSR_TSC_RATIO, svm->tsc_ratio, SVM_TSC_RATIO_ONE);
	if (svm_caps.tsc_aux)
		swap_out(MSR_TSC_AUX, svm->tsc_aux, limen_rdmsr(MSR_TSC_AUX));
	if (svm->own_hsave)
		limen_wrmsr(SVM_MSR_HSAVE, 0);
	if (svm->own)
		limen_wrmsr(MSR_EFER, limen_rdmsr(MSR_EFER) & ~MSR_EFER_SVME);
	limen_guest_ran();
	if (svm->held_mce) {
		svm->held_mce = false;
		forward_mce();
	}
}

static void set_misc1(struct svm_vcpu *svm, u32 bits, bool on)
{
	u32 val = on ? svm->vmcb->misc1 | bits : svm->vmcb->misc1 & ~bits;

	if (val == svm->vmcb->misc1)
		return;
	svm->vmcb->misc1 = val;
	svm->clean &= ~SVM_CLEAN_I;
}

static void set_int_ctl(struct svm_vcpu *svm, u32 val)
{
	if (svm->vmcb->int_ctl == val)
		return;
	svm->vmcb->int_ctl = val;
	svm->clean &= ~SVM_CLEAN_TPR;
}

/*
 * With V_INTR_MASKING a guest's CR8 is V_TPR (APM Vol. 2, "Virtualizing APIC.TPR"),
 * and moves without an exit. The threshold that V_INTR_PRIO makes of it is not used:
 * QEMU lets an interrupt of TPR's own class through, and we would be asked for it
 * again and again. So while TPR holds one back, writes exit.
 */
static void set_tpr(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;
	u16 writes = svm_cr_writes(vcpu->entry.held_class);

	if (svm->vmcb->cr_write == writes)
		return;
	svm->vmcb->cr_write = writes;
	svm->clean &= ~SVM_CLEAN_I;
}

/* TPR's other bits stay, unless the guest has written CR8, which clears them */
static void take_tpr(struct limen_vcpu *vcpu)
{
	u32 cr8 = vcpu->svm->vmcb->int_ctl & SVM_V_TPR;

	if (cr8 != pi_get_cr8(vcpu))
		pi_set_cr8(vcpu, cr8);
}

/*
 * An NMI masks NMIs until IRET. Without virtual NMIs: intercept IRET, which exits
 * before it runs; the masking ends when it has run, seen by RIP having moved. If
 * an NMI waits for exactly that, one single step brings us back in time.
 */
static void prepare_nmi(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;

	if (LIMEN_EVENT_TYPE(vcpu->entry.event) == LIMEN_TYPE_NMI &&
	    (vcpu->entry.event & LIMEN_EVENT_VALID)) {
		svm->nmi_masked = true;
		svm->iret_seen = false;
	}
	set_misc1(svm, SVM_I_IRET, svm->nmi_masked && !svm->iret_seen);
	if (!vcpu->entry.nmi_window || (svm->nmi_masked && !svm->iret_seen))
		return;
	/*
	 * Held by another event: a step would put our TF on the stack with it. Have
	 * it delivered and come back before the handler's first instruction, by an
	 * interrupt that waits for this CPU.
	 */
	if (vcpu->entry.event & LIMEN_EVENT_VALID) {
		limen_resched_cpu(vcpu->cpu);
		return;
	}
	/* held by IRET's own completion, or by an interrupt shadow: step over it */
	svm->stepping = true;
	svm->step_iret = svm->iret_seen;
	svm->step_rip = svm->vmcb->rip;
	svm->step_flags = svm->vmcb->rflags;
	svm->vmcb->rflags |= RFLAGS_TF | RFLAGS_RF;
}

/*
 * EVENTINJ knows four types (APM Vol. 2, "Event Injection"), and what an instruction
 * raised is raised again by running that instruction, which RIP is at; see
 * decode_event() in svm_decode.c. Without an instruction (@event_insn_len 0) RIP is
 * where the handler shall return to. In real mode there are no error codes.
 */
static u32 event_of(const struct limen_entry *entry, struct vmcb *vmcb)
{
	u32 event = entry->event;
	u8 vector = event;

	if (!(event & LIMEN_EVENT_VALID))
		return 0;
	if (!(vmcb->cr0 & SVM_CR0_PE))
		event &= ~LIMEN_EVENT_ERROR;
	switch (LIMEN_EVENT_TYPE(event)) {
	case LIMEN_TYPE_SOFTINT:
	case LIMEN_TYPE_ICEBP:
	case LIMEN_TYPE_SOFTEXC:
		if (entry->event_insn_len)
			return 0;
		vmcb->next_rip = vmcb->rip;
		if (LIMEN_EVENT_TYPE(event) != LIMEN_TYPE_SOFTINT)
			event = LIMEN_EVENT_VALID | LIMEN_TYPE_EXCEPTION << 8 | vector;
		break;
	}
	return event;
}

static void prepare(struct limen_vcpu *vcpu)
{
	struct limen_entry *entry = &vcpu->entry;
	struct svm_vcpu *svm = vcpu->svm;
	struct vmcb *vmcb = svm->vmcb;
	u32 int_ctl = SVM_V_INTR_MASKING | pi_get_cr8(vcpu);

	/* another CPU may have cached it, or another hypervisor have evicted it */
	if (svm->vmcb_cpu != vcpu->cpu) {
		svm->vmcb_cpu = vcpu->cpu;
		svm->clean = 0;
	}
	svm_store(vcpu, entry->dirty);
	vmcb->event_inj = event_of(entry, vmcb);
	vmcb->event_error = entry->event_error;
	prepare_nmi(vcpu);

	set_misc1(svm, SVM_I_VINTR, entry->irq_window);
	if (entry->irq_window)
		int_ctl |= SVM_V_IRQ | SVM_V_PRIO | SVM_V_IGN_TPR;
	set_int_ctl(svm, int_ctl);
	set_tpr(vcpu);

	vmcb->tlb_control = SVM_TLB_NONE;
	if (entry->flush || !svm->flushed) {
		vmcb->tlb_control = svm_caps.features & SVM_CPUID_FLUSH_ASID ?
				    SVM_TLB_ASID : SVM_TLB_ALL;
		svm->flushed = true;
	}
	vmcb->clean = svm_caps.features & SVM_CPUID_VMCB_CLEAN ? svm->clean : 0;
	entry->dirty = 0;
	entry->flush = false;
}

/*
 * Take our TF back, and hide the trap that it caused. IRET has loaded the guest's
 * own flags; any other instruction kept ours.
 */
static void end_step(struct limen_vcpu *vcpu)
{
	struct limen_exit *exit = &vcpu->exit;
	struct svm_vcpu *svm = vcpu->svm;
	bool moved = vcpu->regs.rip != svm->step_rip;
	u64 *rflags = &vcpu->regs.rflags;

	svm->stepping = false;
	if (!(svm->step_iret && moved) && !(svm->step_flags & RFLAGS_TF))
		*rflags &= ~RFLAGS_TF;
	if (!moved && !(svm->step_flags & RFLAGS_RF))
		*rflags &= ~RFLAGS_RF;

	/* the guest's own step and breakpoints are its own */
	if (exit->kind != LIMEN_KIND_EXCEPTION || exit->exc.vector != 1 ||
	    (svm->step_flags & RFLAGS_TF))
		return;
	if (!(vcpu->dr.dr6 & DR6_BS)) {
		svm->vmcb->dr6 &= ~DR6_BS;
		svm->clean &= ~SVM_CLEAN_DRX;
		exit->exc.payload &= ~DR6_BS;
	}
	if (!(vcpu->dr.dr7 & DR7_ENABLES) || !(exit->exc.payload & 0xf))
		exit->kind = LIMEN_KIND_NMI_WINDOW;
}

/* IRET has run, or our single step is over */
static void follow_nmi(struct limen_vcpu *vcpu)
{
	struct limen_exit *exit = &vcpu->exit;
	struct svm_vcpu *svm = vcpu->svm;

	if (svm->iret_seen && vcpu->regs.rip != svm->iret_rip) {
		svm->iret_seen = false;
		svm->nmi_masked = false;
	}
	if (exit->kind == LIMEN_KIND_NMI_WINDOW) {
		svm->iret_seen = true;
		svm->iret_rip = vcpu->regs.rip;
	}
	if (svm->stepping)
		end_step(vcpu);
}

/**
 * svm_enter() - see struct limen_ops
 * @vcpu: the vCPU
 */
void svm_enter(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;
	struct vmcb *vmcb = svm->vmcb;
	struct svm_raw raw;
	u64 entry_rip;
	u32 event_inj;

	prepare(vcpu);
	event_inj = vmcb->event_inj;
	entry_rip = vmcb->rip;
	svm_world_switch(__pa(vmcb), page_to_phys(svm_this_cpu()->host),
			 &vcpu->regs, svm_caps.lend_shadow &&
			 vmcb->int_state & SVM_INT_SHADOW);

	svm->clean = SVM_CLEAN_ALL;
	vcpu->regs.rip = vmcb->rip;
	vcpu->regs.gpr[LIMEN_RSP] = vmcb->rsp;
	vcpu->regs.gpr[LIMEN_RAX] = vmcb->rax;
	vcpu->regs.rflags = vmcb->rflags;
	vcpu->valid = LIMEN_G_REGS | LIMEN_G_TSC;
	take_tpr(vcpu);

	raw = (struct svm_raw){
		.code = vmcb->exit_code,
		.info1 = vmcb->exit_info1,
		.info2 = vmcb->exit_info2,
		.int_info = vmcb->exit_int_info,
		.int_error = vmcb->exit_int_error,
		.event_inj = event_inj,
		.entry_rip = entry_rip,
		.rip = vmcb->rip,
		.next_rip = vmcb->next_rip,
		.dr6 = vmcb->dr6,
		.nr_insn = svm_caps.features & SVM_CPUID_DECODE ? vmcb->nr_insn : 0,
		.insn = vmcb->insn,
		.has_next_rip = svm_caps.features & SVM_CPUID_NRIPS,
		.has_decode = svm_caps.features & SVM_CPUID_DECODE,
	};
	svm_decode(&raw, &vcpu->exit);
	if (vcpu->exit.kind == LIMEN_KIND_HOST_MCE)
		svm->held_mce = true;
	if (unlikely(svm->nmi_masked || svm->stepping))
		follow_nmi(vcpu);
}

/* Flush our ASID before KVM can use it for a guest of its own. */
static void purge(void)
{
	struct svm_cpu *c = svm_this_cpu();
	struct limen_regs regs = {};
	unsigned long flags, dr6, dr7;

	local_irq_save(flags);
	get_debugreg(dr6, 6);
	get_debugreg(dr7, 7);
	if ((limen_rdmsr(MSR_EFER) & MSR_EFER_SVME) && limen_rdmsr(SVM_MSR_HSAVE)) {
		c->purge->rip = 0;
		c->purge->clean = 0;
		svm_world_switch(__pa(c->purge), page_to_phys(c->host), &regs,
				 false);
	}
	set_debugreg(dr6, 6);
	set_debugreg(dr7, 7);
	local_irq_restore(flags);
}

/**
 * svm_put() - see struct limen_ops
 * @vcpu: the vCPU
 */
void svm_put(struct limen_vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;

	if (svm->borrowed && svm->flushed) {
		purge();
		limen_ibpb();
	}
	svm->borrowed = false;
	svm->flushed = false;
}
