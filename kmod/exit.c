// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an exit's kind to its handler. One switch, no default: the compiler names
 * every kind that has no case.
 *
 * A handler runs in the window when nothing it does can sleep, else after the
 * window has closed; limen_exit_is_inside() decides which, and handlers use
 * limen_fetch(), which works in both.
 */
#include <linux/kernel.h>

#include "cpuid.h"
#include "event.h"
#include "exit.h"
#include "insn.h"
#include "walk.h"
#include "window.h"

#define RFLAGS_TF	BIT(8)
#define RFLAGS_RF	BIT(16)
#define DR6_BS		BIT(14)

/* So often an instruction that can't be read runs again before user space knows */
#define MAX_UNREAD	16

/**
 * limen_skip_insn() - the exiting instruction is done: go behind it
 * @vcpu: the vCPU
 *
 * The only place where RIP advances. Interrupt shadows end, so does RF, and a
 * single step that was due raises its #DB.
 *
 * Context: vCPU thread, in a window or not; exit.insn_len is known.
 * Return: LIMEN_RESUME.
 */
enum limen_next limen_skip_insn(struct limen_vcpu *vcpu)
{
	u64 rip = vcpu->regs.rip + vcpu->exit.insn_len;

	/* outside 64-bit code RIP wraps at 4 GiB */
	if ((rip ^ vcpu->regs.rip) >> 32 && limen_mode(vcpu) != 64)
		rip = (u32)rip;
	vcpu->regs.rip = rip;
	vcpu->regs.rflags &= ~(u64)RFLAGS_RF;
	limen_dirty(vcpu, LIMEN_G_REGS);

	limen_fetch(vcpu, LIMEN_G_INTR);
	if (vcpu->ev.shadow) {
		vcpu->ev.shadow = 0;
		limen_dirty(vcpu, LIMEN_G_INTR);
	}
	if (vcpu->regs.rflags & RFLAGS_TF)
		limen_raise(vcpu, VEC_DB, NO_ERROR, DR6_BS);
	return LIMEN_RESUME;
}

static bool steps_over(enum limen_kind kind)
{
	switch (kind) {
	case LIMEN_KIND_RDMSR:
	case LIMEN_KIND_WRMSR:
	case LIMEN_KIND_CPUID:
	case LIMEN_KIND_HLT:
	case LIMEN_KIND_CR:
	case LIMEN_KIND_DR:
	case LIMEN_KIND_XSETBV:
	case LIMEN_KIND_HYPERCALL:
	case LIMEN_KIND_PAUSE:
	case LIMEN_KIND_CACHE:
		return true;
	default:
		return false;
	}
}

/* Must the bytes at RIP be read before the handler can run? */
static bool wants_insn(const struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;

	if (exit->kind == LIMEN_KIND_CR && exit->cr.op == LIMEN_CR_ENCODED)
		return true;
	if (exit->kind == LIMEN_KIND_DR && exit->dr.encoded)
		return true;
	if (exit->kind == LIMEN_KIND_IO && exit->io.string &&
	    (!exit->io.has_seg || !exit->io.addr_size))
		return true;
	return !exit->insn_len && steps_over(exit->kind);
}

/**
 * limen_exit_is_inside() - can this exit be handled in the open window?
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window.
 */
bool limen_exit_is_inside(struct limen_vcpu *vcpu)
{
	switch (vcpu->exit.kind) {
	case LIMEN_KIND_NPF:
	case LIMEN_KIND_IO:
	case LIMEN_KIND_SHUTDOWN:
	case LIMEN_KIND_TASK_SWITCH:
	case LIMEN_KIND_INVALID:
	case LIMEN_KIND_UNKNOWN:
		return false;
	case LIMEN_KIND_CR:
		if (!limen_cr_is_inside(vcpu))
			return false;
		break;
	default:
		break;
	}
	return !wants_insn(vcpu);
}

static enum limen_next handle_hlt(struct limen_vcpu *vcpu)
{
	limen_skip_insn(vcpu);
	if (limen_event_waits(vcpu)) {
		vcpu->ev.unhalted = 0;
		return LIMEN_RESUME;
	}
	vcpu->ev.mp_state = LIMEN_MP_HALTED;
	return LIMEN_RELOAD;
}

static enum limen_next handle_exception(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;

	/* INT1: a trap, which leaves RIP behind the instruction */
	if (exit->insn_len) {
		vcpu->regs.rip += exit->insn_len;
		limen_dirty(vcpu, LIMEN_G_REGS);
	}
	limen_raise(vcpu, exit->exc.vector,
		    exit->exc.has_error ? (s64)exit->exc.error : NO_ERROR,
		    exit->exc.payload);
	return LIMEN_RESUME;
}

static enum limen_next handle_bad(struct limen_vcpu *vcpu, u32 why)
{
	if (limen_ops->dump && why != LIMEN_EXIT_TASK_SWITCH)
		limen_ops->dump(vcpu);
	return limen_to_user(vcpu, why);
}

static enum limen_next dispatch(struct limen_vcpu *vcpu)
{
	switch (vcpu->exit.kind) {
	case LIMEN_KIND_NONE:
	case LIMEN_KIND_HOST_IRQ:
	case LIMEN_KIND_HOST_NMI:
	case LIMEN_KIND_HOST_MCE:
	case LIMEN_KIND_TIMER:	/* the next entry looks which; see pi_timer_entry() */
	case LIMEN_KIND_LOG_FULL:
		return LIMEN_RELOAD;
	case LIMEN_KIND_IRQ_WINDOW:
	case LIMEN_KIND_NMI_WINDOW:
	case LIMEN_KIND_TPR_BELOW:
		return LIMEN_RESUME;
	case LIMEN_KIND_EOI:
		pi_hw_eoi(vcpu, vcpu->exit.apic.vector);
		return LIMEN_RESUME;
	case LIMEN_KIND_APIC_WRITE:
		pi_hw_write(vcpu, vcpu->exit.apic.offset);
		return LIMEN_RESUME;
	case LIMEN_KIND_NPF:		return limen_handle_npf(vcpu);
	case LIMEN_KIND_IO:		return limen_handle_io(vcpu);
	case LIMEN_KIND_RDMSR:		return limen_handle_rdmsr(vcpu);
	case LIMEN_KIND_WRMSR:		return limen_handle_wrmsr(vcpu);
	case LIMEN_KIND_CPUID:		return limen_handle_cpuid(vcpu);
	case LIMEN_KIND_HLT:		return handle_hlt(vcpu);
	case LIMEN_KIND_CR:		return limen_handle_cr(vcpu);
	case LIMEN_KIND_DR:		return limen_handle_dr(vcpu);
	case LIMEN_KIND_EXCEPTION:	return handle_exception(vcpu);
	case LIMEN_KIND_XSETBV:		return limen_handle_xsetbv(vcpu);
	case LIMEN_KIND_HYPERCALL:	return limen_handle_hypercall(vcpu);
	case LIMEN_KIND_PAUSE:
		limen_skip_insn(vcpu);
		vcpu->want_yield = true;
		return LIMEN_RELOAD;
	case LIMEN_KIND_CACHE:		return limen_skip_insn(vcpu);
	case LIMEN_KIND_UD:
		limen_raise_ud(vcpu);
		return LIMEN_RESUME;
	case LIMEN_KIND_GP:
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	case LIMEN_KIND_SHUTDOWN:
		return limen_to_user(vcpu, LIMEN_EXIT_SHUTDOWN);
	case LIMEN_KIND_TASK_SWITCH:
		return handle_bad(vcpu, LIMEN_EXIT_TASK_SWITCH);
	case LIMEN_KIND_INVALID:
		return handle_bad(vcpu, LIMEN_EXIT_BAD_STATE);
	case LIMEN_KIND_UNKNOWN:
	case LIMEN_NR_KIND:
		break;
	}
	return handle_bad(vcpu, LIMEN_EXIT_UNKNOWN);
}

/**
 * limen_operand() - the linear address of a memory operand
 * @vcpu: the vCPU; its exit.insn holds the instruction, up to the displacement
 * @mem_at: where in it ModRM is
 * @insn_len: its length
 *
 * Context: vCPU thread, no window open.
 */
u64 limen_operand(struct limen_vcpu *vcpu, u8 mem_at, u8 insn_len)
{
	const struct limen_exit *exit = &vcpu->exit;
	struct limen_prefixes p;
	int mode = limen_mode(vcpu);
	bool stack;
	u64 ea;
	u8 seg;

	limen_insn_prefixes(exit->insn, exit->nr_insn, mode == 64, &p);
	ea = limen_insn_ea(exit->insn + mem_at, mode, &p, vcpu->regs.gpr,
			   vcpu->regs.rip + insn_len, &stack);
	seg = p.seg >= 0 ? p.seg : stack ? LIMEN_SS : LIMEN_DS;
	return limen_linear(vcpu, seg, ea);
}

/*
 * LMSW's source is read, SMSW's destination in memory written. False: it can't be;
 * a fault of the guest's is raised.
 */
static bool cr_operand(struct limen_vcpu *vcpu)
{
	struct limen_exit *exit = &vcpu->exit;
	u64 gva;

	if (!exit->cr.mem_at) {
		exit->cr.val = vcpu->regs.gpr[exit->cr.gpr];
		return true;
	}
	gva = limen_operand(vcpu, exit->cr.mem_at, exit->insn_len);
	if (exit->cr.op == LIMEN_CR_LMSW)
		return !limen_read_guest(vcpu, gva, &exit->cr.val,
					 sizeof(exit->cr.val));
	exit->cr.val = vcpu->sregs.cr0;
	return !limen_write_guest(vcpu, gva, &exit->cr.val, sizeof(exit->cr.val));
}

/*
 * The instruction that exited can't be read or is another one: changed or gone
 * meanwhile, so the guest runs it again, and not from a stale translation. Where
 * that does not help (no memory there, bytes that do not decode) it would go on for
 * ever. A page that is swapped out is no failure: reading it waits.
 */
static enum limen_next run_again(struct limen_vcpu *vcpu)
{
	if (vcpu->unread_rip != vcpu->regs.rip)
		vcpu->nr_unread = 0;
	vcpu->unread_rip = vcpu->regs.rip;
	if (vcpu->nr_unread++ == MAX_UNREAD) {
		vcpu->nr_unread = 0;
		return handle_bad(vcpu, LIMEN_EXIT_UNKNOWN);
	}
	vcpu->entry.flush = true;
	return LIMEN_RELOAD;
}

/* LIMEN_RESUME: vcpu->exit has all that its handler needs. */
static enum limen_next complete_insn(struct limen_vcpu *vcpu)
{
	int n = limen_fetch_insn(vcpu);

	if (limen_insn_complete(&vcpu->exit, vcpu->exit.insn, n, limen_mode(vcpu)))
		return run_again(vcpu);
	if (vcpu->exit.kind == LIMEN_KIND_CR && !cr_operand(vcpu)) {
		/* the operand's own fault is the guest's */
		if (vcpu->ev.exception & LIMEN_EVENT_VALID)
			return LIMEN_RELOAD;
		return run_again(vcpu);
	}
	vcpu->nr_unread = 0;
	return LIMEN_RESUME;
}

/**
 * limen_handle_exit() - act on vcpu->exit
 * @vcpu: the vCPU
 *
 * Context: vCPU thread; in the window only if limen_exit_is_inside().
 * Return: enum limen_next.
 */
enum limen_next limen_handle_exit(struct limen_vcpu *vcpu)
{
	enum limen_next next;

	if (wants_insn(vcpu)) {
		next = complete_insn(vcpu);
		if (next != LIMEN_RESUME)
			return next;
	}
	next = dispatch(vcpu);
	/* limen_raise() found a fault within a double fault: the run loop tells */
	return vcpu->shutdown && next == LIMEN_RESUME ? LIMEN_RELOAD : next;
}
