// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM exit, as the VMCS tells it, becomes a struct limen_exit. Pure: raw values
 * in, facts out; vmx_enter.c reads the fields that vmx_needs() asks for.
 *
 * SDM Vol. 3, "Basic VM-Exit Information", "Exit Qualification",
 * "Information for VM Exits Due to Vectored Events" and "Information for VM
 * Exits That Occur During Event Delivery".
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "vmx.h"

/* instructions whose exit means: the guest does not have it */
static bool is_absent_insn(u32 basic)
{
	switch (basic) {
	case VMX_REASON_GETSEC:
	case VMX_REASON_RSM:
	case VMX_REASON_VMCLEAR ... VMX_REASON_VMXON:
	case VMX_REASON_MWAIT:
	case VMX_REASON_MONITOR:
	case VMX_REASON_INVEPT:
	case VMX_REASON_INVVPID:
	case VMX_REASON_RDRAND:
	case VMX_REASON_INVPCID:
	case VMX_REASON_VMFUNC:
	case VMX_REASON_ENCLS:
	case VMX_REASON_RDSEED:
	case VMX_REASON_XSAVES:
	case VMX_REASON_XRSTORS:
	case VMX_REASON_PCONFIG:
	case VMX_REASON_UMWAIT:
	case VMX_REASON_TPAUSE:
	case VMX_REASON_LOADIWKEY:
	case VMX_REASON_ENCLV:
		return true;
	}
	return false;
}

/**
 * vmx_needs() - which VMCS fields describe an exit
 * @reason: the exit-reason field
 *
 * Context: any; pure.
 * Return: VMX_NEED_*.
 */
u32 vmx_needs(u32 reason)
{
	if (reason & VMX_REASON_ENTRY_FAILED)
		return VMX_NEED_QUAL;

	switch (reason & VMX_REASON_BASIC) {
	case VMX_REASON_EXCEPTION:
		return VMX_NEED_INTR | VMX_NEED_QUAL | VMX_NEED_LEN;
	case VMX_REASON_EXTINT:
		return VMX_NEED_INTR;
	case VMX_REASON_INIT:
	case VMX_REASON_TIMER:
	case VMX_REASON_INTR_WINDOW:
	case VMX_REASON_NMI_WINDOW:
	case VMX_REASON_TRIPLE_FAULT:
	case VMX_REASON_TPR_BELOW:
		return 0;
	case VMX_REASON_EOI:
	case VMX_REASON_APIC_WRITE:
	case VMX_REASON_LOG_FULL:
		return VMX_NEED_QUAL;
	case VMX_REASON_APIC_ACCESS:
		return VMX_NEED_QUAL | VMX_NEED_GLA;
	case VMX_REASON_CR:
	case VMX_REASON_DR:
	case VMX_REASON_TASK_SWITCH:
		return VMX_NEED_QUAL | VMX_NEED_LEN;
	case VMX_REASON_IO:
		return VMX_NEED_QUAL | VMX_NEED_LEN | VMX_NEED_INSN;
	case VMX_REASON_EPT_VIOLATION:
		return VMX_NEED_QUAL | VMX_NEED_GPA | VMX_NEED_GLA;
	case VMX_REASON_EPT_MISCONFIG:
		return VMX_NEED_GPA;
	case VMX_REASON_CPUID:
	case VMX_REASON_HLT:
	case VMX_REASON_INVD:
	case VMX_REASON_WBINVD:
	case VMX_REASON_RDPMC:
	case VMX_REASON_VMCALL:
	case VMX_REASON_RDMSR:
	case VMX_REASON_WRMSR:
	case VMX_REASON_PAUSE:
	case VMX_REASON_XSETBV:
		return VMX_NEED_LEN;
	}
	return VMX_NEED_QUAL | VMX_NEED_LEN;
}

static bool is_software(u32 event)
{
	u32 type = LIMEN_EVENT_TYPE(event);

	return type == LIMEN_TYPE_SOFTINT || type == LIMEN_TYPE_ICEBP ||
	       type == LIMEN_TYPE_SOFTEXC;
}

/* SDM Vol. 3, "IDT-Vectoring Information": bit 12 is undefined there */
static void decode_vectoring(const struct vmx_raw *raw, struct limen_exit *exit)
{
	if (!(raw->idt_info & VMX_INTR_VALID))
		return;
	exit->vectoring = true;
	exit->event = raw->idt_info & VMX_INTR_EVENT;
	if (raw->idt_info & VMX_INTR_ERROR)
		exit->event_error = raw->idt_error;
	if (is_software(raw->idt_info))
		exit->event_insn_len = raw->insn_len;
}

static void decode_exception(const struct vmx_raw *raw, struct limen_exit *exit)
{
	u32 info = raw->intr_info;
	u8 vector = info & VMX_INTR_VECTOR;

	exit->insn_len = 0;
	if (LIMEN_EVENT_TYPE(info) == LIMEN_TYPE_NMI) {
		exit->kind = LIMEN_KIND_HOST_NMI;
		return;
	}
	if (vector == VMX_VECTOR_MC) {
		exit->kind = LIMEN_KIND_HOST_MCE;
		return;
	}
	exit->kind = LIMEN_KIND_EXCEPTION;
	exit->exc.vector = vector;
	exit->exc.has_error = info & VMX_INTR_ERROR;
	if (exit->exc.has_error)
		exit->exc.error = raw->intr_error;
	if (vector == VMX_VECTOR_DB)
		exit->exc.payload = raw->qual & VMX_DB_BITS;
	/* INT1, INT3 and INTO report RIP at the instruction */
	if (is_software(info))
		exit->insn_len = raw->insn_len;
}

static void decode_npf(const struct vmx_raw *raw, struct limen_exit *exit)
{
	u64 qual = raw->qual;

	exit->kind = LIMEN_KIND_NPF;
	exit->npf.gpa = raw->gpa;
	exit->npf.has_gva = qual & VMX_EPT_GLA_VALID;
	if (exit->npf.has_gva) {
		exit->npf.gva = raw->gla;
		exit->npf.in_walk = !(qual & VMX_EPT_TRANSLATED);
	}
	/* a read-modify-write sets both bits */
	if (qual & VMX_EPT_WRITE)
		exit->npf.access = LIMEN_ACCESS_WRITE;
	else if (qual & VMX_EPT_FETCH)
		exit->npf.access = LIMEN_ACCESS_EXEC;
	else
		exit->npf.access = LIMEN_ACCESS_READ;
}

/* SDM Vol. 3, "Exit Qualification for APIC-Access VM Exits from Linear Accesses" */
static void decode_apic_access(const struct vmx_raw *raw, struct limen_exit *exit)
{
	u32 type = VMX_APIC_TYPE(raw->qual);

	exit->kind = LIMEN_KIND_NPF;
	exit->npf.apic = true;
	exit->npf.gpa = 0xfee00000ull | (raw->qual & VMX_APIC_OFFSET);
	exit->npf.in_walk = type >= VMX_APIC_PHYSICAL;
	exit->npf.has_gva = !exit->npf.in_walk;
	if (exit->npf.has_gva)
		exit->npf.gva = raw->gla;
	if (type == VMX_APIC_WRITE)
		exit->npf.access = LIMEN_ACCESS_WRITE;
	else if (type == VMX_APIC_FETCH)
		exit->npf.access = LIMEN_ACCESS_EXEC;
	else
		exit->npf.access = LIMEN_ACCESS_READ;
}

/*
 * SDM Vol. 3, "Exit Qualification for I/O Instructions" and "Format of the
 * VM-Exit Instruction-Information Field as Used for INS and OUTS"
 */
static void decode_io(const struct vmx_raw *raw, struct limen_exit *exit)
{
	exit->kind = LIMEN_KIND_IO;
	exit->io.port = raw->qual >> 16;
	exit->io.size = (raw->qual & 7) + 1;
	exit->io.in = raw->qual & BIT(3);
	exit->io.string = raw->qual & BIT(4);
	exit->io.rep = raw->qual & BIT(5);
	if (!exit->io.string || !raw->ins_info)
		return;
	exit->io.addr_size = 2 << ((raw->insn_info >> 7) & 3);
	exit->io.seg = exit->io.in ? LIMEN_ES : (raw->insn_info >> 15) & 7;
	exit->io.has_seg = true;
}

/* SDM Vol. 3, "Exit Qualification for Control-Register Accesses" */
static void decode_cr(const struct vmx_raw *raw, struct limen_exit *exit)
{
	static const u8 ops[] = {
		LIMEN_CR_WRITE, LIMEN_CR_READ, LIMEN_CR_CLTS, LIMEN_CR_LMSW,
	};

	exit->kind = LIMEN_KIND_CR;
	exit->cr.nr = raw->qual & 15;
	exit->cr.op = ops[(raw->qual >> 4) & 3];
	exit->cr.gpr = (raw->qual >> 8) & 15;
	if (exit->cr.op == LIMEN_CR_LMSW)
		exit->cr.val = raw->qual >> 16;
}

/* SDM Vol. 3, "Exit Qualification for MOV DR" */
static void decode_dr(const struct vmx_raw *raw, struct limen_exit *exit)
{
	exit->kind = LIMEN_KIND_DR;
	exit->dr.nr = raw->qual & 7;
	exit->dr.write = !(raw->qual & BIT(4));
	exit->dr.gpr = (raw->qual >> 8) & 15;
}

/* Reasons that say all by themselves */
static enum limen_kind plain_kind(u32 basic)
{
	switch (basic) {
	case VMX_REASON_EXTINT:
	case VMX_REASON_INIT:		/* the host's own: not the guest's doing */
					return LIMEN_KIND_HOST_IRQ;
	case VMX_REASON_TIMER:		return LIMEN_KIND_TIMER;
	case VMX_REASON_TRIPLE_FAULT:	return LIMEN_KIND_SHUTDOWN;
	case VMX_REASON_INTR_WINDOW:	return LIMEN_KIND_IRQ_WINDOW;
	case VMX_REASON_NMI_WINDOW:	return LIMEN_KIND_NMI_WINDOW;
	case VMX_REASON_TASK_SWITCH:	return LIMEN_KIND_TASK_SWITCH;
	case VMX_REASON_CPUID:		return LIMEN_KIND_CPUID;
	case VMX_REASON_HLT:		return LIMEN_KIND_HLT;
	case VMX_REASON_INVD:
	case VMX_REASON_WBINVD:		return LIMEN_KIND_CACHE;
	case VMX_REASON_RDPMC:		return LIMEN_KIND_GP;
	case VMX_REASON_VMCALL:		return LIMEN_KIND_HYPERCALL;
	case VMX_REASON_RDMSR:		return LIMEN_KIND_RDMSR;
	case VMX_REASON_WRMSR:		return LIMEN_KIND_WRMSR;
	case VMX_REASON_PAUSE:		return LIMEN_KIND_PAUSE;
	case VMX_REASON_XSETBV:		return LIMEN_KIND_XSETBV;
	case VMX_REASON_TPR_BELOW:	return LIMEN_KIND_TPR_BELOW;
	case VMX_REASON_LOG_FULL:	return LIMEN_KIND_LOG_FULL;
	}
	return is_absent_insn(basic) ? LIMEN_KIND_UD : LIMEN_KIND_UNKNOWN;
}

/*
 * SDM Vol. 3, "Resuming Guest Software after Handling an Exception": the CPU
 * leaves NMIs unblocked when an IRET faulted on its way; they must be blocked
 * again before the IRET is repeated. Not for #DF, and not when an event was
 * being delivered.
 */
static bool iret_unblocked_nmi(const struct vmx_raw *raw)
{
	u32 info = raw->intr_info;

	if (raw->idt_info & VMX_INTR_VALID)
		return false;
	switch (raw->reason & VMX_REASON_BASIC) {
	case VMX_REASON_EXCEPTION:
		return info & VMX_INTR_NMI_UNBLOCKED &&
		       (info & VMX_INTR_VECTOR) != VMX_VECTOR_DF;
	case VMX_REASON_EPT_VIOLATION:
	case VMX_REASON_LOG_FULL:
		return raw->qual & VMX_EPT_NMI_UNBLOCKED;
	}
	return false;
}

/**
 * vmx_decode() - what an exit was
 * @raw: fields of the VMCS
 * @exit: the facts; all of it is written
 *
 * Context: any; pure.
 * Return: true if NMIs must be blocked again before the guest goes on.
 */
bool vmx_decode(const struct vmx_raw *raw, struct limen_exit *exit)
{
	u32 basic = raw->reason & VMX_REASON_BASIC;

	memset(exit, 0, sizeof(*exit));
	exit->hw.reason = raw->reason;
	exit->hw.info1 = raw->qual;
	exit->hw.info2 = raw->gpa;
	if (raw->reason & VMX_REASON_ENTRY_FAILED) {
		exit->kind = basic == VMX_REASON_ENTRY_MCE ?
			     LIMEN_KIND_HOST_MCE : LIMEN_KIND_INVALID;
		return false;
	}

	if (vmx_needs(raw->reason) & VMX_NEED_LEN)
		exit->insn_len = raw->insn_len;
	decode_vectoring(raw, exit);
	switch (basic) {
	case VMX_REASON_EXCEPTION:
		decode_exception(raw, exit);
		break;
	case VMX_REASON_EPT_VIOLATION:
		decode_npf(raw, exit);
		break;
	case VMX_REASON_APIC_ACCESS:
		decode_apic_access(raw, exit);
		break;
	case VMX_REASON_EOI:
		exit->kind = LIMEN_KIND_EOI;
		exit->apic.vector = raw->qual;
		break;
	case VMX_REASON_APIC_WRITE:
		exit->kind = LIMEN_KIND_APIC_WRITE;
		exit->apic.offset = raw->qual & VMX_APIC_OFFSET;
		break;
	case VMX_REASON_IO:
		decode_io(raw, exit);
		break;
	case VMX_REASON_CR:
		decode_cr(raw, exit);
		break;
	case VMX_REASON_DR:
		decode_dr(raw, exit);
		break;
	default:
		exit->kind = plain_kind(basic);
	}
	return iret_unblocked_nmi(raw);
}

/**
 * vmx_decode_vmfail() - VMLAUNCH or VMRESUME did not even leave root mode
 * @raw: insn_error, the VM-instruction error
 * @exit: the facts; all of it is written
 *
 * Context: any; pure.
 */
void vmx_decode_vmfail(const struct vmx_raw *raw, struct limen_exit *exit)
{
	memset(exit, 0, sizeof(*exit));
	exit->kind = LIMEN_KIND_INVALID;
	exit->hw.reason = ~0ull;
	exit->hw.info2 = raw->insn_error;
}
