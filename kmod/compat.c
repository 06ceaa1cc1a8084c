// SPDX-License-Identifier: GPL-2.0-only
/*
 * What compat.h can't do inline: the work that the kernel wants done before a
 * thread enters a guest.
 */
#include "compat.h"

#ifdef LIMEN_HAVE_ENTRY_VIRT

int limen_guest_work(void)
{
	return xfer_to_guest_mode_handle_work();
}

#else

#include <linux/kvm_host.h>

/*
 * These kernels note a signal in the struct kvm_vcpu that they are given, and
 * follow its pointer to a run page; NULL is an oops. Nobody reads what they write
 * here.
 */
static struct kvm_run signal_run;
static struct kvm_vcpu signal_vcpu = { .run = &signal_run };

int limen_guest_work(void)
{
	return xfer_to_guest_mode_handle_work(&signal_vcpu);
}

#endif
