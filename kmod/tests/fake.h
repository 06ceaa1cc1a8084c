/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests have in the place of a CPU: a clock that stands still, VMs and
 * vCPUs that live as long as a test, and a record of notifications.
 */
#ifndef LIMEN_FAKE_H
#define LIMEN_FAKE_H

#include <kunit/test.h>

#include "../limen.h"

#define FAKE_TSC_KHZ	2000000

struct fake {
	u64 tsc;		/* what limen_host_tsc() gives */
	atomic_t notified;	/* calls of limen_vcpu_notify() */
};

extern struct fake fake;

/* A VM with vCPUs 0 to @nr - 1, after RESET; freed when the test ends */
struct limen_vm *fake_vm(struct kunit *test, u32 nr);
/* vCPU @id of a VM with no other one */
struct limen_vcpu *fake_vcpu(struct kunit *test, u32 id);

#endif
