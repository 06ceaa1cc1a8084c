// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window and the entry: root mode taken and given back, the state that the
 * VMCS has no field for swapped, one entry spent, one exit collected.
 *
 * All of it runs with IRQs off and touches only memory that can't fault. Each
 * value that is changed in the CPU is first read, and what was found is put back
 * by vmx_close(): another owner of VMX (KVM) caches several of them.
 */
#include <linux/build_bug.h>
#include <linux/context_tracking.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/mce.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/ptrace.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "../compat.h"
#include "../speculation.h"
#include "vmx.h"
#include "vmcs_io.h"

#define RTIT_CTL_TRACE_EN	BIT_ULL(0)
#define NO_VMCS			(~0ull)

/* serial of the vCPU that ran last on a CPU, for the branch predictors */
static DEFINE_PER_CPU(u64, last_serial);

/**
 * vmx_insn_failed() - a VMX instruction failed that can't
 * @insn: its name
 * @operand: VMCS field or address
 *
 * Context: any.
 */
void vmx_insn_failed(const char *insn, unsigned long operand)
{
	WARN_ONCE(1, "limen: %s %#lx failed\n", insn, operand);
}

/* Not native_read_cr4() and its like: the shadow must not learn of it */
static u64 read_hw_cr4(void)
{
	u64 val;

	asm volatile("mov %%cr4, %0" : "=r" (val) : : "memory");
	return val;
}

static void write_hw_cr4(u64 val)
{
	asm volatile("mov %0, %%cr4" : : "r" (val) : "memory");
}

/*
 * SDM Vol. 3, "Tracing of VMX Operation": where PT can't run in VMX operation,
 * VMXON stops it for good
 */
static void trace_stop(struct vmx_found *found)
{
	found->rtit = 0;
	if (vmx_cfg.pt_in_vmx || !boot_cpu_has(X86_FEATURE_INTEL_PT))
		return;
	found->rtit = limen_rdmsr(MSR_IA32_RTIT_CTL);
	if (found->rtit & RTIT_CTL_TRACE_EN)
		limen_wrmsr(MSR_IA32_RTIT_CTL,
			    found->rtit & ~RTIT_CTL_TRACE_EN);
}

static void trace_resume(const struct vmx_found *found)
{
	if (found->rtit & RTIT_CTL_TRACE_EN)
		limen_wrmsr(MSR_IA32_RTIT_CTL, found->rtit);
}

/* Nothing is left changed on failure */
static int root_take(struct vmx_found *found)
{
	found->cr4 = read_hw_cr4();
	found->own = !(found->cr4 & VMX_CR4_VMXE);
	/* CR4.VMXE without VMX operation: the owner is switching it, see -EAGAIN */
	if (!found->own)
		return vmx_ptrst(&found->prev) ? -EAGAIN : 0;

	trace_stop(found);
	write_hw_cr4(found->cr4 | VMX_CR4_VMXE);
	if (!vmx_on(vmx_cpu_region(smp_processor_id())))
		return 0;
	write_hw_cr4(found->cr4);
	trace_resume(found);
	return -EAGAIN;
}

static void root_give(const struct vmx_found *found)
{
	if (!found->own) {
		if (found->prev != NO_VMCS && vmx_ptrld(found->prev))
			vmx_insn_failed("vmptrld", found->prev);
		return;
	}
	if (vmx_off())
		vmx_insn_failed("vmxoff", 0);
	write_hw_cr4(found->cr4);
	trace_resume(found);
}

/*
 * What a VM exit loads with constants: SDM Vol. 3, "Loading Host Segment and
 * Descriptor-Table Registers"
 */
static void segments_save(struct vmx_found *found)
{
	savesegment(ds, found->ds);
	savesegment(es, found->es);
	savesegment(fs, found->fs);
	savesegment(gs, found->gs);
	asm volatile("sldt %0" : "=m" (found->ldt));
	asm volatile("sgdt %0" : "=m" (found->gdt));
	asm volatile("sidt %0" : "=m" (found->idt));
	found->fs_base = limen_rdmsr(MSR_FS_BASE);
}

/* Before KERNEL_GS_BASE is restored: a selector in GS changes it */
static void segments_restore(const struct vmx_found *found)
{
	asm volatile("lgdt %0" : : "m" (found->gdt));
	asm volatile("lidt %0" : : "m" (found->idt));
	if (found->ldt)
		asm volatile("lldt %0" : : "m" (found->ldt));
	if (found->ds | found->es) {
		loadsegment(ds, found->ds);
		loadsegment(es, found->es);
	}
	if (found->fs) {
		loadsegment(fs, found->fs);
		limen_wrmsr(MSR_FS_BASE, found->fs_base);
	}
	if (found->gs)
		load_gs_index(found->gs);
	/*
	 * the exit has cut TR's limit; the kernel mends it for a task that has
	 * an I/O bitmap, on its way to user mode
	 */
	this_cpu_write(__tss_limit_invalid, true);
}

static void msrs_take(struct vmx_vcpu *vmx)
{
	struct vmx_found *found = &vmx->found;
	int i;

	for (i = 0; i < vmx_nr_swap(); i++) {
		found->msr[i] = limen_rdmsr(vmx_swap_index[i]);
		if (found->msr[i] != vmx->msr[i])
			limen_wrmsr(vmx_swap_index[i], vmx->msr[i]);
	}
	found->debugctl = limen_rdmsr(MSR_IA32_DEBUGCTLMSR);
	/* PEBS would write its records to guest-linear addresses */
	found->pebs = 0;
	if (boot_cpu_has(X86_FEATURE_PEBS)) {
		found->pebs = limen_rdmsr(MSR_IA32_PEBS_ENABLE);
		if (found->pebs)
			limen_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	}
	vmx->sw.spec_ctrl = limen_host_spec_ctrl();
}

static void msrs_give(const struct vmx_vcpu *vmx)
{
	const struct vmx_found *found = &vmx->found;
	int i;

	for (i = 0; i < vmx_nr_swap(); i++) {
		/* segments_restore() may have changed KERNEL_GS_BASE */
		if (found->msr[i] != vmx->msr[i] || i == VMX_SWAP_KERNEL_GS_BASE)
			limen_wrmsr(vmx_swap_index[i], found->msr[i]);
	}
	if (found->debugctl)
		limen_wrmsr(MSR_IA32_DEBUGCTLMSR, found->debugctl);
	if (found->pebs)
		limen_wrmsr(MSR_IA32_PEBS_ENABLE, found->pebs);
}

static void breakpoints_take(struct limen_vcpu *vcpu)
{
	struct vmx_found *found = &vcpu->vmx->found;

	found->drs = false;
	found->dr7 = 0;
	/* not hw_breakpoint_active(): GE stays set when the last one is gone */
	if (this_cpu_read(cpu_dr7)) {
		found->dr7 = native_get_debugreg(7);
		native_set_debugreg(7, 0);
	}
	vmx_debug_load(vcpu);
}

static void breakpoints_give(struct vmx_found *found)
{
	int i;

	if (found->drs)
		for (i = 0; i < 4; i++)
			native_set_debugreg(i, found->dr[i]);
	if (found->dr7)
		native_set_debugreg(7, found->dr7);
}

static void predictors_take(struct vmx_vcpu *vmx)
{
	if (this_cpu_read(last_serial) == vmx->serial)
		return;
	limen_ibpb();
	this_cpu_write(last_serial, vmx->serial);
}

/**
 * vmx_open() - take root mode on this CPU and put the guest's own state in place
 * @vcpu: whose
 *
 * Context: IRQs off, and they stay off until vmx_close().
 * Return: 0, or -EAGAIN: the owner of VMX is switching it on or off here; nothing
 * was changed.
 */
int vmx_open(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	struct vmx_found *found = &vmx->found;
	u64 pa = __pa(vmx->vmcs);

	if (root_take(found))
		return -EAGAIN;
	/* a VMCS must be cleared before its first use; later, close has done it */
	if ((!vmx->ready && vmx_clear(pa)) || vmx_ptrld(pa)) {
		root_give(found);
		return -EAGAIN;
	}
	if (!found->own) {
		vmx->lent = true;
		vcpu->stat[LIMEN_STAT_BORROWED]++;
	}
	if (!vmx->ready)
		vmx_vmcs_init(vcpu);
	vmx->launched = false;
	vmx->held = VMX_HELD_NONE;

	segments_save(found);
	vmx_host_refresh(vmx);
	predictors_take(vmx);
	msrs_take(vmx);
	breakpoints_take(vcpu);
	return 0;
}

/* An exit took these off the CPU; the host must have them once, and now */
static void raise_held(struct vmx_vcpu *vmx)
{
	u8 held = vmx->held;

	vmx->held = VMX_HELD_NONE;
	if (held == VMX_HELD_NMI)
		asm volatile("int $2" : : : "memory");
#ifdef CONFIG_X86_MCE
	if (held == VMX_HELD_MCE) {
		/* user mode, so that it never tries to mend the kernel's RIP */
		struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

		do_machine_check(&regs);
	}
#endif
}

/**
 * vmx_close() - give everything back as it was found
 * @vcpu: whose window is open
 *
 * Context: IRQs off since vmx_open().
 */
void vmx_close(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	struct vmx_found *found = &vmx->found;

	if (vmx_clear(__pa(vmx->vmcs)))
		vmx_insn_failed("vmclear", __pa(vmx->vmcs));
	root_give(found);

	/* the only one of them that the guest writes without an exit */
	vmx->msr[VMX_SWAP_KERNEL_GS_BASE] = limen_rdmsr(MSR_KERNEL_GS_BASE);
	segments_restore(found);
	msrs_give(vmx);
	breakpoints_give(found);
	limen_guest_ran();
	raise_held(vmx);
}

/**
 * vmx_serve() - have the host serve the interrupt that ended the guest's run
 * @vcpu: its window is closed
 *
 * With "acknowledge interrupt on exit" the CPU has moved it from IRR to ISR of the
 * host's APIC: nothing of its priority or below comes until its handler has ended
 * it. INT n reaches that handler like the interrupt would have; edge or level makes
 * no difference, as no EOI has been sent. (Not with FRED, see check_kernel().)
 *
 * Context: IRQs on, preemption off since the window was open.
 */
void vmx_serve(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	void *stub;

	if (!vmx->vector)
		return;
	if (vmx->vector < VMX_FIRST_VECTOR) {
		vmx_insn_failed("vector", vmx->vector);
	} else {
		stub = vmx_int_stubs +
		       (vmx->vector - VMX_FIRST_VECTOR) * VMX_INT_STUB;
		asm volatile(CALL_NOSPEC
			     : ASM_CALL_CONSTRAINT
			     : THUNK_TARGET(stub) : "cc", "memory");
	}
	vmx->vector = 0;
}

/**
 * vmx_put() - the vCPU's thread leaves this CPU
 * @vcpu: no window is open
 *
 * KVM tells its vCPUs apart for the branch predictors, but does not know ours.
 *
 * Context: preemption off, IRQs on or off.
 */
void vmx_put(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;

	if (!vmx->lent)
		return;
	vmx->lent = false;
	limen_ibpb();
}

static void flush(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;

	/* single-context INVEPT drops combined mappings of every VPID */
	if (vcpu->entry.flush || vmx->flush_npt) {
		if (vmx_invept(vmx->eptp))
			vmx_insn_failed("invept", vmx->eptp);
		vmx->flush_npt = false;
		vmx->flush_guest = true;
	}
	if (vmx->flush_guest && vmx->vpid && vmx_invvpid(vmx->vpid))
		vmx_insn_failed("invvpid", vmx->vpid);
	vmx->flush_guest = false;
}

static void set_windows(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	u32 proc = vmx->proc & ~(VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW);

	if (vcpu->entry.irq_window)
		proc |= VMX_PROC_INTR_WINDOW;
	if (vcpu->entry.nmi_window)
		proc |= VMX_PROC_NMI_WINDOW;
	if (vmx->proc == proc)
		return;
	vmx->proc = proc;
	vmcs_write32(VMCS_PROC_CTL, proc);
}

/* Without virtual-interrupt delivery, that is; zero otherwise */
static void set_tpr_threshold(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	u32 class = vcpu->entry.held_class;

	if (vmx->tpr_threshold == class || !(vmx->proc & VMX_PROC_TPR_SHADOW))
		return;
	vmx->tpr_threshold = class;
	vmcs_write32(VMCS_TPR_THRESHOLD, class);
}

/*
 * The timer counts TSC bits (SDM Vol. 3, "VMX-Preemption Timer"), so one unit more
 * is never early. At zero it exits before the guest has run.
 */
static void set_timer(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	u32 val = vmx_cfg.watchdog;

	if (!(vmx_cfg.pin & VMX_PIN_TIMER))
		return;
	if (vcpu->entry.timer)
		val = min_t(u64, (vcpu->entry.timer >> vmx_cfg.timer_shift) + 1, val);
	if (vmx->timer == val)
		return;
	vmx->timer = val;
	vmcs_write32(VMCS_PREEMPTION_TIMER, val);
}

/*
 * SDM Vol. 3, "VM-Entry Controls for Event Injection" and "Checks on VM-Entry
 * Control Fields": no error codes in real mode; an NMI needs NMIs unblocked.
 */
static void inject(struct limen_vcpu *vcpu)
{
	const struct limen_entry *entry = &vcpu->entry;
	u32 event = entry->event & VMX_INTR_EVENT;
	u32 state;

	if (!(event & VMX_INTR_VALID))
		return;
	if (!(vcpu->sregs.cr0 & VMX_CR0_PE))
		event &= ~VMX_INTR_ERROR;
	if (event & VMX_INTR_ERROR)
		vmcs_write32(VMCS_ENTRY_INTR_ERROR, entry->event_error & 0xffff);

	switch (LIMEN_EVENT_TYPE(event)) {
	case LIMEN_TYPE_SOFTINT:
	case LIMEN_TYPE_ICEBP:
	case LIMEN_TYPE_SOFTEXC:
		vmcs_write32(VMCS_ENTRY_INSN_LEN, entry->event_insn_len);
		break;
	case LIMEN_TYPE_NMI:
		state = vmcs_read32(VMCS_GUEST_INTR_STATE);
		if (state & VMX_INTR_STATE_NMI)
			vmcs_write32(VMCS_GUEST_INTR_STATE,
				     state & ~VMX_INTR_STATE_NMI);
		break;
	}
	vmcs_write32(VMCS_ENTRY_INTR_INFO, event);
}

/*
 * SDM Vol. 3, "Checks on Guest Non-Register State": a single-step trap that an
 * interrupt shadow holds back must be among the pending ones
 */
static void hold_single_step(struct limen_vcpu *vcpu)
{
	const u32 shadow = VMX_INTR_STATE_STI | VMX_INTR_STATE_MOV_SS;
	u64 pending;

	if (!(vcpu->regs.rflags & VMX_RFLAGS_TF) ||
	    vcpu->sys.debugctl & VMX_DEBUGCTL_BTF ||
	    !(vmcs_read32(VMCS_GUEST_INTR_STATE) & shadow))
		return;
	pending = vmcs_read_natural(VMCS_GUEST_PENDING_DBG);
	vmcs_write_natural(VMCS_GUEST_PENDING_DBG, pending | VMX_PENDING_DBG_BS);
}

/* The VMCS describes the exit; read what this reason defines, and no more */
static void collect_exit(struct limen_vcpu *vcpu)
{
	struct vmx_raw raw = {
		.reason = vmcs_read32(VMCS_EXIT_REASON),
		.idt_info = vmcs_read32(VMCS_IDT_INFO),
		.ins_info = vmx_cfg.ins_info,
	};
	u32 needs = vmx_needs(raw.reason);
	u32 state;

	if (raw.idt_info & VMX_INTR_VALID) {
		raw.idt_error = vmcs_read32(VMCS_IDT_ERROR);
		needs |= VMX_NEED_LEN;
	}
	if (needs & VMX_NEED_QUAL)
		raw.qual = vmcs_read_natural(VMCS_EXIT_QUAL);
	if (needs & VMX_NEED_LEN)
		raw.insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	if (needs & VMX_NEED_INTR) {
		raw.intr_info = vmcs_read32(VMCS_EXIT_INTR_INFO);
		raw.intr_error = vmcs_read32(VMCS_EXIT_INTR_ERROR);
	}
	if (needs & VMX_NEED_GPA)
		raw.gpa = vmcs_read64(VMCS_GPA);
	if (needs & VMX_NEED_GLA)
		raw.gla = vmcs_read_natural(VMCS_GLA);
	if (needs & VMX_NEED_INSN)
		raw.insn_info = vmcs_read32(VMCS_EXIT_INSN_INFO);

	/* "acknowledge interrupt on exit" has taken it off the APIC */
	if (raw.reason == VMX_REASON_EXTINT && raw.intr_info & VMX_INTR_VALID)
		vcpu->vmx->vector = raw.intr_info & VMX_INTR_VECTOR;
	if (!vmx_decode(&raw, &vcpu->exit))
		return;
	state = vmcs_read32(VMCS_GUEST_INTR_STATE);
	vmcs_write32(VMCS_GUEST_INTR_STATE, state | VMX_INTR_STATE_NMI);
}

static void collect_vmfail(struct limen_vcpu *vcpu)
{
	struct vmx_raw raw = {
		.insn_error = vmcs_read32(VMCS_INSN_ERROR),
	};

	vmx_decode_vmfail(&raw, &vcpu->exit);
}

/* The guest was not entered: its event was not delivered, and must not be lost */
static void keep_event(struct limen_vcpu *vcpu)
{
	vcpu->exit.event = vcpu->entry.event;
	vcpu->exit.event_error = vcpu->entry.event_error;
	vcpu->exit.event_insn_len = vcpu->entry.event_insn_len;
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
}

static void collect(struct limen_vcpu *vcpu, bool failed)
{
	struct vmx_vcpu *vmx = vcpu->vmx;

	if (failed)
		collect_vmfail(vcpu);
	else
		collect_exit(vcpu);
	if (failed || vcpu->exit.hw.reason & VMX_REASON_ENTRY_FAILED)
		keep_event(vcpu);

	vcpu->regs.rip = vmcs_read_natural(VMCS_GUEST_RIP);
	vcpu->regs.gpr[LIMEN_RSP] = vmcs_read_natural(VMCS_GUEST_RSP);
	vcpu->regs.rflags = vmcs_read_natural(VMCS_GUEST_RFLAGS);
	/* MOV DR exits and so does all that sets DR6; CR2 was read */
	vcpu->valid = LIMEN_G_REGS | LIMEN_G_CR2 | LIMEN_G_DR | LIMEN_G_TSC;

	if (vcpu->exit.kind == LIMEN_KIND_HOST_NMI)
		vmx->held = VMX_HELD_NMI;
	else if (vcpu->exit.kind == LIMEN_KIND_HOST_MCE)
		vmx->held = VMX_HELD_MCE;
}

/* No instrumentation between the exit and the return to the host's context */
static noinstr int world_switch(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	int failed;

	context_tracking_guest_enter();
	vmx_l1d_flush();
	if (vcpu->sregs.cr2 != native_read_cr2())
		native_write_cr2(vcpu->sregs.cr2);
	failed = vmx_world_switch(&vmx->sw, vmx->launched);
	vcpu->sregs.cr2 = native_read_cr2();
	context_tracking_guest_exit();
	return failed;
}

/**
 * vmx_enter() - spend vcpu->entry on one run of the guest, fill vcpu->exit
 * @vcpu: in an open window
 *
 * Context: window, IRQs off.
 */
void vmx_enter(struct limen_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	bool failed;

	BUILD_BUG_ON(offsetof(struct vmx_switch, gpr) != VMX_SW_GPR);
	BUILD_BUG_ON(offsetof(struct vmx_switch, host_rsp) != VMX_SW_HOST_RSP);
	BUILD_BUG_ON(offsetof(struct vmx_switch, spec_ctrl) != VMX_SW_SPEC_CTRL);
	BUILD_BUG_ON(LIMEN_RSP != 4 || LIMEN_R15 != 15);

	vmx_load(vcpu, vcpu->entry.dirty);
	flush(vcpu);
	inject(vcpu);
	set_windows(vcpu);
	set_tpr_threshold(vcpu);
	set_timer(vcpu);
	hold_single_step(vcpu);

	failed = world_switch(vcpu);
	vmx->launched |= !failed;

	collect(vcpu, failed);
	memset(&vcpu->entry, 0, sizeof(vcpu->entry));
}
