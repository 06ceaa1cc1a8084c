// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that user space finishes: ports, memory that is not there, and the rest
 * of enum limen_user_exit. Fills the run page, and completes an exit when the
 * VMM calls LIMEN_RUN again.
 *
 * The page is shared with a VMM that may write it at any time: what it says is
 * read once, and nothing that the kernel wrote there is read back. What must be
 * remembered of an exit is in vcpu->exit.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "event.h"
#include "exit.h"
#include "insn.h"
#include "ioevent.h"
#include "npt/npt_mmu.h"
#include "policy.h"
#include "posted_irq/pi_vapic.h"
#include "run.h"
#include "walk.h"
#include "window.h"

static void fill_io(struct limen_vcpu *vcpu, struct limen_run *run)
{
	const struct limen_exit *exit = &vcpu->exit;

	run->io.port = exit->io.port;
	run->io.size = exit->io.size;
	run->io.in = exit->io.in;
	run->io.string = exit->io.string;
	run->io.rep = exit->io.rep;
	run->io.addr_size = exit->io.string ? exit->io.addr_size : 0;
	run->io.seg = exit->io.seg;
	if (!exit->io.in && !exit->io.string)
		run->io.data = vcpu->regs.gpr[LIMEN_RAX] &
			       (u32)(BIT_ULL(8 * exit->io.size) - 1);
}

static void fill_insn(struct limen_vcpu *vcpu, struct limen_run *run)
{
	run->insn_bytes = limen_fetch_insn(vcpu);
	memcpy(run->insn, vcpu->exit.insn, sizeof(vcpu->exit.insn));
}

static bool is_apic_page(const struct limen_vcpu *vcpu, u64 gpa)
{
	return pi_is_xapic(vcpu) && !((gpa ^ vcpu->pi.base) >> 12 << 12);
}

static void fill_mmio(struct limen_vcpu *vcpu, struct limen_run *run)
{
	const struct limen_exit *exit = &vcpu->exit;

	run->mmio.gpa = exit->npf.gpa;
	run->mmio.gva = exit->npf.gva;
	run->mmio.has_gva = exit->npf.has_gva;
	run->mmio.access = exit->npf.access;
	run->mmio.apic = is_apic_page(vcpu, exit->npf.gpa);
	run->mmio.vectoring = exit->vectoring;
	fill_insn(vcpu, run);
}

static void fill_msr(struct limen_vcpu *vcpu, struct limen_run *run)
{
	const u64 *gpr = vcpu->regs.gpr;

	run->msr.index = gpr[LIMEN_RCX];
	run->msr.write = vcpu->exit.kind == LIMEN_KIND_WRMSR;
	if (run->msr.write)
		run->msr.value = (u32)gpr[LIMEN_RAX] | gpr[LIMEN_RDX] << 32;
}

static void fill_common(struct limen_vcpu *vcpu, struct limen_run *run, u32 why)
{
	const struct limen_sregs *s = &vcpu->sregs;

	limen_fetch(vcpu, LIMEN_G_SEG | LIMEN_G_CR);
	run->exit = why;
	run->mode = limen_mode(vcpu);
	run->cpl = limen_cpl(vcpu);
	run->insn_len = vcpu->exit.insn_len;
	run->insn_bytes = 0;
	run->regs = vcpu->regs;
	run->cr0 = s->cr0;
	run->cr3 = s->cr3;
	run->cr4 = s->cr4;
	run->efer = s->efer;
	run->cs_base = s->seg[LIMEN_CS].base;
	run->ss_base = s->seg[LIMEN_SS].base;
	run->ds_base = s->seg[LIMEN_DS].base;
	run->es_base = s->seg[LIMEN_ES].base;
	run->fs_base = s->seg[LIMEN_FS].base;
	run->gs_base = s->seg[LIMEN_GS].base;
	memset(run->pad, 0, sizeof(run->pad));
}

/**
 * limen_fill_run() - write the run page for the exit in vcpu->pending
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; sleeps.
 */
void limen_fill_run(struct limen_vcpu *vcpu)
{
	struct limen_run *run = vcpu->run;

	fill_common(vcpu, run, vcpu->pending);
	switch (vcpu->pending) {
	case LIMEN_EXIT_IO:
		fill_io(vcpu, run);
		if (vcpu->exit.io.string)
			fill_insn(vcpu, run);
		break;
	case LIMEN_EXIT_MMIO:
	case LIMEN_EXIT_FAULT:
		fill_mmio(vcpu, run);
		break;
	case LIMEN_EXIT_MSR:
		fill_msr(vcpu, run);
		break;
	case LIMEN_EXIT_EOI:
		run->eoi.vector = vcpu->eoi_vector;
		break;
	case LIMEN_EXIT_BAD_STATE:
	case LIMEN_EXIT_TASK_SWITCH:
	case LIMEN_EXIT_UNKNOWN:
		run->hw.reason = vcpu->exit.hw.reason;
		run->hw.info1 = vcpu->exit.hw.info1;
		run->hw.info2 = vcpu->exit.hw.info2;
		break;
	}
}

/**
 * limen_to_user() - this exit is user space's
 * @vcpu: the vCPU
 * @why: the reason
 *
 * Return: LIMEN_TO_USER.
 */
enum limen_next limen_to_user(struct limen_vcpu *vcpu, u32 why)
{
	vcpu->pending = why;
	return LIMEN_TO_USER;
}

/**
 * limen_fail() - LIMEN_RUN can't go on, and nothing of the guest's is lost
 * @vcpu: the vCPU
 * @err: a negative errno
 *
 * Return: LIMEN_FAILED.
 */
enum limen_next limen_fail(struct limen_vcpu *vcpu, int err)
{
	vcpu->error = err;
	return LIMEN_FAILED;
}

/* IN and the reading half of a rule: RAX takes the value by the access's size. */
static void port_read(struct limen_vcpu *vcpu, u32 val)
{
	u64 *rax = &vcpu->regs.gpr[LIMEN_RAX];

	switch (vcpu->exit.io.size) {
	case 1:
		*rax = (*rax & ~0xffull) | (u8)val;
		break;
	case 2:
		*rax = (*rax & ~0xffffull) | (u16)val;
		break;
	default:
		*rax = val;
	}
}

/* OUT to a port that an ioeventfd waits for */
static bool port_event(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;

	if (exit->io.in || exit->io.string)
		return false;
	return limen_ioevent_write(vcpu, LIMEN_IOEVENT_PORT, exit->io.port, exit->io.size,
				   vcpu->regs.gpr[LIMEN_RAX]);
}

/**
 * limen_handle_io() - a port access
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open.
 */
enum limen_next limen_handle_io(struct limen_vcpu *vcpu)
{
	const struct limen_exit *exit = &vcpu->exit;
	const struct limen_policy *rule;

	if (port_event(vcpu))
		return limen_skip_insn(vcpu);
	rule = limen_policy_find(vcpu->vm, LIMEN_POLICY_PORT, exit->io.port,
				 exit->io.in ? LIMEN_ON_READ : LIMEN_ON_WRITE);
	if (!rule || rule->action == LIMEN_DO_EXIT || exit->io.string)
		return limen_to_user(vcpu, LIMEN_EXIT_IO);
	if (rule->action == LIMEN_DO_FAULT) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	if (exit->io.in)
		port_read(vcpu, rule->value);
	return limen_skip_insn(vcpu);
}

static u64 mov_source(const struct limen_vcpu *vcpu, const struct limen_mov *mov)
{
	u64 val = mov->imm ? mov->val : vcpu->regs.gpr[mov->gpr];

	return mov->high ? val >> 8 : val;
}

/*
 * The APIC's register page. Registers are 32 bits wide, and the manual defines
 * 32-bit accesses only ("Accessing the Local APIC Registers").
 * LIMEN_TO_USER: not a plain 32-bit MOV, the library decodes it.
 */
static enum limen_next apic_access(struct limen_vcpu *vcpu)
{
	u32 offset = vcpu->exit.npf.gpa & 0xfff;
	struct limen_mov mov;
	u32 val;
	int n;

	n = limen_fetch_insn(vcpu);
	if (limen_insn_mov(vcpu->exit.insn, n, limen_mode(vcpu), &mov) ||
	    mov.size != 4 ||
	    mov.write != !!(vcpu->exit.npf.access & LIMEN_ACCESS_WRITE))
		return limen_to_user(vcpu, LIMEN_EXIT_MMIO);

	val = mov.write ? mov_source(vcpu, &mov) : 0;
	if (pi_mmio(vcpu, offset, mov.write, &val) && !mov.write)
		val = 0;
	if (!mov.write) {
		vcpu->regs.gpr[mov.gpr] = val;
		if (mov.gpr == LIMEN_RSP)
			limen_dirty(vcpu, LIMEN_G_REGS);
	}
	vcpu->exit.insn_len = mov.len;
	return limen_skip_insn(vcpu);
}

/*
 * Is the byte at the fault's address the first that the store writes? One that
 * begins in the page before faults at the first byte of this one.
 */
static bool begins_here(struct limen_vcpu *vcpu, const struct limen_mov *mov)
{
	u32 offset = vcpu->exit.npf.gpa & ~PAGE_MASK;

	if (offset || mov->size == 1)
		return offset + mov->size <= PAGE_SIZE;
	return mov->mem_at &&
	       !(limen_operand(vcpu, mov->mem_at, mov->len) & ~PAGE_MASK);
}

/* A store that an ioeventfd waits for, by an instruction that we know */
static bool mmio_event(struct limen_vcpu *vcpu)
{
	struct limen_exit *exit = &vcpu->exit;
	struct limen_mov mov;
	int n;

	if (!(exit->npf.access & LIMEN_ACCESS_WRITE) || exit->npf.in_walk ||
	    (exit->event & LIMEN_EVENT_VALID) ||
	    !limen_ioevent_is_at(vcpu->vm, exit->npf.gpa))
		return false;
	n = limen_fetch_insn(vcpu);
	if (limen_insn_mov(exit->insn, n, limen_mode(vcpu), &mov) || !mov.write ||
	    !begins_here(vcpu, &mov) ||
	    !limen_ioevent_write(vcpu, LIMEN_IOEVENT_MMIO, exit->npf.gpa, mov.size,
				 mov_source(vcpu, &mov)))
		return false;
	exit->insn_len = mov.len;
	return true;
}

/**
 * limen_handle_npf() - a second-level fault
 * @vcpu: the vCPU
 *
 * Context: no window open.
 */
enum limen_next limen_handle_npf(struct limen_vcpu *vcpu)
{
	u64 gpa = vcpu->exit.npf.gpa;
	bool apic = is_apic_page(vcpu, gpa) && !vcpu->exit.npf.in_walk;
	int ret;

	/* no memory is at its usual place, see limen_mem_map(); elsewhere it wins */
	if (apic && gpa >> 12 == PI_BASE_DEFAULT >> 12) {
		if (!vcpu->exit.npf.apic && pi_is_default_xapic(vcpu) &&
		    npt_map_apic(vcpu->vm))
			return LIMEN_RELOAD;
		return apic_access(vcpu);
	}
	ret = npt_fault(vcpu, gpa, vcpu->exit.npf.access);
	if (ret < 0)
		return limen_fail(vcpu, ret);
	switch (ret) {
	case NPT_NO_MEMORY:
		if (apic)
			return apic_access(vcpu);
		if (mmio_event(vcpu))
			return limen_skip_insn(vcpu);
		return limen_to_user(vcpu, LIMEN_EXIT_MMIO);
	case NPT_BAD_HVA:
		return limen_to_user(vcpu, LIMEN_EXIT_FAULT);
	}
	return LIMEN_RELOAD;
}

static void complete_io(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	if (vcpu->exit.io.string) {
		if (READ_ONCE(run->io.last))
			limen_skip_insn(vcpu);
		return;
	}
	if (vcpu->exit.io.in)
		port_read(vcpu, READ_ONCE(run->io.data));
	limen_skip_insn(vcpu);
}

static int complete_mmio(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	u8 len = READ_ONCE(run->insn_len);

	if (len > 15)
		return -EINVAL;
	vcpu->exit.insn_len = len;
	if (len)
		limen_skip_insn(vcpu);
	return 0;
}

static void complete_msr(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	u64 val = READ_ONCE(run->msr.value);

	if (READ_ONCE(run->msr.fault)) {
		limen_raise_gp(vcpu);
		return;
	}
	if (vcpu->exit.kind == LIMEN_KIND_RDMSR) {
		vcpu->regs.gpr[LIMEN_RAX] = (u32)val;
		vcpu->regs.gpr[LIMEN_RDX] = val >> 32;
	}
	limen_skip_insn(vcpu);
}

static void complete_inta(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	u32 vector = READ_ONCE(run->inta.vector);

	if (vector > 255 || ((vcpu->ev.injected | vcpu->ev.exception) &
			     LIMEN_EVENT_VALID))
		return;
	/* taken like an interrupt from the APIC, but never by way of its IRR */
	vcpu->ev.injected = LIMEN_EVENT_VALID | LIMEN_TYPE_EXTINT << 8 | vector;
	if (vcpu->ev.mp_state == LIMEN_MP_HALTED)
		vcpu->ev.mp_state = LIMEN_MP_RUNNING;
}

static int take_regs(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	struct limen_regs regs;

	memcpy(&regs, &run->regs, sizeof(regs));
	/*
	 * the copy is ours now; the page may change under the memcpy, but each
	 * register is only a number
	 */
	barrier();
	if (!limen_rflags_ok(regs.rflags))
		return -EINVAL;
	vcpu->regs = regs;
	limen_dirty(vcpu, LIMEN_G_REGS);
	return 0;
}

static int fulfil(struct limen_vcpu *vcpu, const struct limen_run *run)
{
	switch (vcpu->pending) {
	case LIMEN_EXIT_IO:
		complete_io(vcpu, run);
		return 0;
	case LIMEN_EXIT_MMIO:
		return complete_mmio(vcpu, run);
	case LIMEN_EXIT_MSR:
		complete_msr(vcpu, run);
		return 0;
	case LIMEN_EXIT_CPUID:
	case LIMEN_EXIT_HYPERCALL:
		limen_skip_insn(vcpu);
		return 0;
	case LIMEN_EXIT_INTA:
		complete_inta(vcpu, run);
		return 0;
	}
	return 0;
}

/**
 * limen_complete() - finish the exit that user space was given
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open.
 * Return: 0, or -EINVAL: the page asks for what can't be; the exit still waits.
 */
int limen_complete(struct limen_vcpu *vcpu)
{
	struct limen_run *run = vcpu->run;
	u32 how = READ_ONCE(run->complete);
	u32 dirty = READ_ONCE(run->dirty);
	int err = 0;

	if (how > LIMEN_FULFIL || dirty & ~LIMEN_DIRTY_REGS)
		return -EINVAL;
	if (how == LIMEN_FULFIL && vcpu->pending == LIMEN_EXIT_MMIO &&
	    READ_ONCE(run->insn_len) > 15)
		return -EINVAL;
	if (dirty & LIMEN_DIRTY_REGS)
		err = take_regs(vcpu, run);
	if (!err && how == LIMEN_FULFIL)
		err = fulfil(vcpu, run);
	if (err)
		return err;
	run->complete = LIMEN_DISCARD;
	run->dirty = 0;
	vcpu->pending = LIMEN_EXIT_NONE;
	return 0;
}
