// SPDX-License-Identifier: LGPL-2.1-or-later
/* The run loop that every VMM needs: run, see why it came back, complete. */
#include <errno.h>
#include <stdio.h>

#include "internal.h"

static const char *const exit_names[LIMEN_NR_USER_EXIT] = {
	[LIMEN_EXIT_NONE] = "no exit",
	[LIMEN_EXIT_KICKED] = "kicked",
	[LIMEN_EXIT_CONSISTENT] = "consistent",
	[LIMEN_EXIT_IO] = "port access",
	[LIMEN_EXIT_MMIO] = "access to unmapped memory",
	[LIMEN_EXIT_MSR] = "MSR access",
	[LIMEN_EXIT_CPUID] = "CPUID",
	[LIMEN_EXIT_HYPERCALL] = "hypercall",
	[LIMEN_EXIT_EOI] = "end of interrupt",
	[LIMEN_EXIT_INTA] = "interrupt acknowledge",
	[LIMEN_EXIT_SHUTDOWN] = "triple fault",
	[LIMEN_EXIT_BAD_STATE] = "the CPU refuses the guest's state",
	[LIMEN_EXIT_TASK_SWITCH] = "hardware task switch",
	[LIMEN_EXIT_UNKNOWN] = "an exit that the module can't explain",
	[LIMEN_EXIT_FAULT] = "the memory behind the guest's address is gone",
};

static void explain(struct limen_vcpu *vcpu)
{
	const struct limen_run *run = vcpu->run;
	const char *name = run->exit < LIMEN_NR_USER_EXIT ?
			   exit_names[run->exit] : "unknown exit kind";
	int n;

	n = snprintf(vcpu->why, sizeof(vcpu->why), "%s at rip 0x%llx (cs base 0x%llx, %u-bit, cpl %u)",
		     name, run->regs.rip, run->cs_base, run->mode, run->cpl);
	if (n < 0 || (size_t)n >= sizeof(vcpu->why))
		return;
	switch (run->exit) {
	case LIMEN_EXIT_BAD_STATE:
	case LIMEN_EXIT_TASK_SWITCH:
	case LIMEN_EXIT_UNKNOWN:
		snprintf(vcpu->why + n, sizeof(vcpu->why) - n,
			 ", reason 0x%llx, info 0x%llx 0x%llx",
			 run->hw.reason, run->hw.info1, run->hw.info2);
		break;
	case LIMEN_EXIT_MMIO:
	case LIMEN_EXIT_FAULT:
		snprintf(vcpu->why + n, sizeof(vcpu->why) - n,
			 ", physical address 0x%llx", run->mmio.gpa);
		break;
	case LIMEN_EXIT_MSR:
		snprintf(vcpu->why + n, sizeof(vcpu->why) - n,
			 ", MSR 0x%x", run->msr.index);
		break;
	}
}

static int offer_other(struct limen_vcpu *vcpu, const struct limen_handlers *h)
{
	if (h->other && !h->other(h->opaque, vcpu))
		return 0;
	explain(vcpu);
	return vcpu->run->exit;
}

/* 0: go on; positive: leave with this exit; negative: errno */
static int handle_exit(struct limen_vcpu *vcpu, struct limen_bus *bus,
		       const struct limen_handlers *h)
{
	struct limen_run *run = vcpu->run;
	int err;

	switch (run->exit) {
	case LIMEN_EXIT_NONE:
	case LIMEN_EXIT_CONSISTENT:
		return 0;
	case LIMEN_EXIT_IO:
		return limen_complete_io(vcpu, bus);
	case LIMEN_EXIT_MMIO:
		err = limen_complete_mmio(vcpu, bus);
		return err == -ENOTSUP ? LIMEN_EXIT_MMIO : err;
	case LIMEN_EXIT_EOI:
		if (h->eoi)
			h->eoi(h->opaque, run->eoi.vector);
		return 0;
	case LIMEN_EXIT_INTA:
		run->inta.vector = h->inta ? h->inta(h->opaque) : 256;
		run->complete = LIMEN_FULFIL;
		return 0;
	default:
		return offer_other(vcpu, h);
	}
}

/* one LIMEN_RUN and what it asks for: see handle_exit() */
static int run_once(struct limen_vcpu *vcpu, struct limen_bus *bus,
		    const struct limen_handlers *h)
{
	int ret;

	do {
		ret = limen_vcpu_run(vcpu);
	} while (ret == -EINTR);
	if (ret < 0 || vcpu->run->exit == LIMEN_EXIT_KICKED)
		return ret;
	return handle_exit(vcpu, bus, h);
}

int limen_vcpu_settle(struct limen_vcpu *vcpu, struct limen_bus *bus,
		      const struct limen_handlers *h)
{
	static const struct limen_handlers none;
	int ret = 0;

	if (!h)
		h = &none;
	/* A kicked run takes the requests of others, and does not enter the guest. */
	do {
		if (!ret)
			ret = limen_vcpu_kick(vcpu);
		if (!ret)
			ret = run_once(vcpu, bus, h);
	} while (!ret && vcpu->run->exit != LIMEN_EXIT_KICKED);
	vcpu->run->flags = LIMEN_RUN_STOP;
	while (!ret) {
		ret = run_once(vcpu, bus, h);
		if (vcpu->run->exit == LIMEN_EXIT_CONSISTENT)
			break;
	}
	vcpu->run->flags = 0;
	return ret;
}

int limen_vcpu_loop(struct limen_vcpu *vcpu, struct limen_bus *bus,
		    const struct limen_handlers *h)
{
	static const struct limen_handlers none;
	int ret;

	if (!h)
		h = &none;
	vcpu->why[0] = 0;
	for (;;) {
		ret = limen_vcpu_run(vcpu);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return ret;
		if (vcpu->run->exit == LIMEN_EXIT_KICKED) {
			if (!h->kicked || h->kicked(h->opaque, vcpu))
				return 0;
			continue;
		}
		ret = handle_exit(vcpu, bus, h);
		if (ret)
			return ret;
	}
}
