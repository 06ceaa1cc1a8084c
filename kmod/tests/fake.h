/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests have in the place of a CPU: a vendor that replays a script of
 * exits, a clock that stands still, memory that is an array, and VMs and vCPUs
 * that live as long as a test.
 */
#ifndef LIMEN_FAKE_H
#define LIMEN_FAKE_H

#include <kunit/test.h>

#include "../limen.h"

#define FAKE_TSC_KHZ	2000000
#define FAKE_MEM	(64 * PAGE_SIZE)
#define FAKE_ENTRIES	16
#define FAKE_ELSEWHERE	1000	/* a CPU that is never this one */

/* Random tests take so many times their usual steps; set by Kbuild */
#ifndef FAKE_ROUNDS
#define FAKE_ROUNDS	1
#endif

/* The guest's state as the fake CPU holds it, and what was done to it */
struct fake_cpu {
	struct limen_regs regs;
	struct limen_sregs sregs;
	struct limen_debugregs dr;
	struct limen_sysregs sys;
	u8 shadow;
	u8 nmi_blocked;

	const struct limen_exit *script;
	int nr_script;
	int pos;
	/* called in the guest, before exit number @n is reported */
	void (*in_guest)(struct limen_vcpu *vcpu, int n);

	struct limen_entry entered[FAKE_ENTRIES];	/* the first ones */
	int nr_entered;
	int nr_opened;
	int busy;		/* so many opens fail with -EAGAIN */
	bool open;
	bool wrong;		/* the contract was broken */
};

struct fake {
	u64 tsc;		/* what limen_host_tsc() gives */
	atomic_t kicks;		/* IPIs to FAKE_ELSEWHERE */
	atomic_t posted;		/* notifications to FAKE_ELSEWHERE, by hardware */
	u64 run_delay;		/* what limen_run_delay() gives */
	bool paged_out;		/* guest memory can't be had without sleeping */
	bool work;		/* limen_guest_work_pending() */
	int fpu_depth;		/* loads without a save */
	int npt_fault;		/* what npt_fault() gives */
	int npt_flushes;
	int npt_kicks;
	struct limen_ioevents *ioevents;	/* what writes signal */
	int ioevents_hit;
	int resampled;		/* a vector whose ends only irqfds want; 0: none */
	u8 *mem;		/* guest memory from 0 to FAKE_MEM, if a test has any */
};

extern struct fake fake;
/* A VM with vCPUs 0 to @nr - 1, after RESET; freed when the test ends */
struct limen_vm *fake_vm(struct kunit *test, u32 nr);
/* vCPU @id of a VM with no other one */
struct limen_vcpu *fake_vcpu(struct kunit *test, u32 id);
/* Guest memory, zeroed */
u8 *fake_mem(struct kunit *test);
/* 64-bit code at CPL 0, all features, interrupts on */
void fake_long_mode(struct limen_vcpu *vcpu);
/* LIMEN_RUN: gives run->exit, or a negative errno; the contract was kept */
int fake_run(struct kunit *test, struct limen_vcpu *vcpu);

static inline struct fake_cpu *fake_cpu(struct limen_vcpu *vcpu)
{
	return vcpu->fake;
}

/* What the guest does from now on; after the end it makes an UNKNOWN exit */
#define fake_script(vcpu, exits) \
	fake_set_script(vcpu, exits, ARRAY_SIZE(exits))
void fake_set_script(struct limen_vcpu *vcpu, const struct limen_exit *exits, int n);

#endif
