// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thread must do before it enters a guest: signals, scheduling, and work
 * that waits for its way back to user space. The kernel has one function for
 * that. Before it came to know other hypervisors than KVM, it noted a signal in
 * KVM's own vCPU, so it needs one; ours takes that note and is never looked at.
 */
#include "compat.h"

#ifdef LIMEN_HAVE_ENTRY_VIRT

int limen_guest_work(void)
{
	return xfer_to_guest_mode_handle_work();
}

#else
#include <linux/kvm_host.h>

static struct kvm_run scratch_run;
static struct kvm_vcpu scratch_vcpu = { .run = &scratch_run };

/**
 * limen_guest_work() - deal with what waits for this thread
 *
 * Context: vCPU thread, may sleep.
 * Return: 0, or -EINTR for a signal.
 */
int limen_guest_work(void)
{
	return xfer_to_guest_mode_handle_work(&scratch_vcpu);
}

#endif
