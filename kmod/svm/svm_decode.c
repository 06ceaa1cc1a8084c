// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an exit code (APM Vol. 2, Appendix C "SVM Intercept Exit Codes") to struct
 * limen_exit. Pure: plain values in, facts out.
 */
#include <linux/string.h>

#include "svm.h"

#define DR6_ACTIVE_LOW	0xffff0ff0ull

/* INT n; INT3 and INTO, which have the type of exceptions here */
static bool is_from_insn(u32 event)
{
	u8 vector = event;

	switch (LIMEN_EVENT_TYPE(event)) {
	case LIMEN_TYPE_EXCEPTION:
		return vector == 3 || vector == 4;
	case LIMEN_TYPE_SOFTINT:
	case LIMEN_TYPE_SOFTEXC:
		return true;
	}
	return false;
}

/*
 * EXITINTINFO has the layout of VMX's field but for bits 30:12, which are 0, and
 * type 4, software interrupt, which is the same (APM "EXITINTINFO").
 *
 * What an instruction raised is not carried over: RIP is still at it, and the guest
 * runs it again. Injected, it would push the address of the instruction itself,
 * or, with NRIP save, the next RIP of some earlier exit. Unless it was injected:
 * then there may be no instruction.
 */
static void decode_event(const struct svm_raw *raw, struct limen_exit *exit)
{
	u32 event = raw->int_info & (LIMEN_EVENT_VALID | 0xfff);

	if (!(raw->int_info & LIMEN_EVENT_VALID))
		return;
	exit->vectoring = true;
	if (is_from_insn(event) &&
	    (event != raw->event_inj || raw->rip != raw->entry_rip))
		return;
	/*
	 * An interrupt that was not injected can't be in delivery: those of the host
	 * exit. Bochs 3.0 calls INT n interrupt 0.
	 */
	if (LIMEN_EVENT_TYPE(event) == LIMEN_TYPE_EXTINT && event != raw->event_inj)
		return;
	exit->event = event;
	exit->event_error = raw->int_info & LIMEN_EVENT_ERROR ? raw->int_error : 0;
}

static void decode_io(const struct svm_raw *raw, struct limen_exit *exit)
{
	u32 info = raw->info1;

	exit->kind = LIMEN_KIND_IO;
	exit->io.port = info >> 16;
	exit->io.size = info >> 4 & 7;
	exit->io.in = info & SVM_IO_IN;
	exit->io.string = info & SVM_IO_STR;
	exit->io.rep = info & SVM_IO_REP;
	exit->io.addr_size = (info >> 7 & 7) << 1;
	exit->io.seg = info >> 10 & 7;
	/*
	 * The segment is there with decode assists; INS always uses ES. The
	 * address size is always there, but QEMU's TCG leaves it out.
	 */
	exit->io.has_seg = (raw->has_decode || exit->io.in) && exit->io.addr_size;
	if (exit->io.in)
		exit->io.seg = LIMEN_ES;
	exit->insn_len = raw->info2 - raw->rip;
}

static void decode_npf(const struct svm_raw *raw, struct limen_exit *exit)
{
	exit->kind = LIMEN_KIND_NPF;
	exit->npf.gpa = raw->info2;
	exit->npf.in_walk = raw->info1 & SVM_NPF_WALK;
	if (raw->info1 & SVM_NPF_W)
		exit->npf.access = LIMEN_ACCESS_WRITE;
	else if (raw->info1 & SVM_NPF_I)
		exit->npf.access = LIMEN_ACCESS_EXEC;
	else
		exit->npf.access = LIMEN_ACCESS_READ;
	exit->nr_insn = raw->nr_insn;
	if (raw->nr_insn)
		memcpy(exit->insn, raw->insn, sizeof(exit->insn));
}

static void decode_cr(const struct svm_raw *raw, struct limen_exit *exit, bool write)
{
	exit->kind = LIMEN_KIND_CR;
	exit->cr.nr = raw->code & 15;
	exit->cr.op = LIMEN_CR_ENCODED;
	if (raw->has_decode && (raw->info1 & SVM_MOV_CR_VALID)) {
		exit->cr.op = write ? LIMEN_CR_WRITE : LIMEN_CR_READ;
		exit->cr.gpr = raw->info1 & 15;
	}
}

static void decode_dr(const struct svm_raw *raw, struct limen_exit *exit, bool write)
{
	exit->kind = LIMEN_KIND_DR;
	exit->dr.nr = raw->code & 15;
	exit->dr.write = write;
	exit->dr.encoded = !raw->has_decode;
	exit->dr.gpr = raw->info1 & 15;
}

static void decode_exception(const struct svm_raw *raw, struct limen_exit *exit)
{
	u8 vector = raw->code - SVM_EXIT_EXCP;

	exit->insn_len = 0;
	if (vector == 18) {
		exit->kind = LIMEN_KIND_HOST_MCE;
		return;
	}
	exit->kind = LIMEN_KIND_EXCEPTION;
	exit->exc.vector = vector;
	if (vector == 17) {
		exit->exc.has_error = true;
		exit->exc.error = raw->info1;
	}
	/* APM "#DB": DR6 in the VMCB is already what the handler shall see */
	if (vector == 1)
		exit->exc.payload = raw->dr6 ^ DR6_ACTIVE_LOW;
}

static enum limen_kind plain_kind(u64 code)
{
	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_INIT:		return LIMEN_KIND_HOST_IRQ; /* still pending */
	case SVM_EXIT_NMI:		return LIMEN_KIND_HOST_NMI;
	case SVM_EXIT_VINTR:		return LIMEN_KIND_IRQ_WINDOW;
	case SVM_EXIT_RDPMC:		return LIMEN_KIND_GP;
	case SVM_EXIT_CPUID:		return LIMEN_KIND_CPUID;
	case SVM_EXIT_IRET:		return LIMEN_KIND_NMI_WINDOW;
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:		return LIMEN_KIND_CACHE;
	case SVM_EXIT_PAUSE:		return LIMEN_KIND_PAUSE;
	case SVM_EXIT_HLT:		return LIMEN_KIND_HLT;
	case SVM_EXIT_SHUTDOWN:		return LIMEN_KIND_SHUTDOWN;
	case SVM_EXIT_VMMCALL:		return LIMEN_KIND_HYPERCALL;
	case SVM_EXIT_XSETBV:		return LIMEN_KIND_XSETBV;
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR ... SVM_EXIT_MWAIT_COND:
	case SVM_EXIT_RDPRU:
	case SVM_EXIT_INVLPGB ... SVM_EXIT_MCOMMIT:
					return LIMEN_KIND_UD;
	case SVM_EXIT_INVALID:
	case (u32)SVM_EXIT_INVALID:	/* QEMU writes the lower half only */
					return LIMEN_KIND_INVALID;
	}
	return LIMEN_KIND_UNKNOWN;
}

/**
 * svm_decode() - what was this exit?
 * @raw: what the VMCB holds
 * @exit: zeroed, then filled
 *
 * Context: any.
 */
void svm_decode(const struct svm_raw *raw, struct limen_exit *exit)
{
	memset(exit, 0, sizeof(*exit));
	exit->hw.reason = raw->code;
	exit->hw.info1 = raw->info1;
	exit->hw.info2 = raw->info2;
	decode_event(raw, exit);
	if (raw->has_next_rip && raw->next_rip > raw->rip &&
	    raw->next_rip - raw->rip <= 15)
		exit->insn_len = raw->next_rip - raw->rip;

	switch (raw->code) {
	case SVM_EXIT_CR_READ ... SVM_EXIT_CR_READ + 15:
		decode_cr(raw, exit, false);
		return;
	case SVM_EXIT_CR_WRITE ... SVM_EXIT_CR_WRITE + 15:
		decode_cr(raw, exit, true);
		return;
	case SVM_EXIT_DR_READ ... SVM_EXIT_DR_READ + 15:
		decode_dr(raw, exit, false);
		return;
	case SVM_EXIT_DR_WRITE ... SVM_EXIT_DR_WRITE + 15:
		decode_dr(raw, exit, true);
		return;
	case SVM_EXIT_EXCP ... SVM_EXIT_EXCP + 31:
		decode_exception(raw, exit);
		return;
	case SVM_EXIT_IOIO:
		decode_io(raw, exit);
		return;
	case SVM_EXIT_MSR:
		exit->kind = raw->info1 & 1 ? LIMEN_KIND_WRMSR : LIMEN_KIND_RDMSR;
		return;
	case SVM_EXIT_NPF:
		decode_npf(raw, exit);
		return;
	}
	exit->kind = plain_kind(raw->code);
}
