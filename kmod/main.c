// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load and unload. The only file that names both vendors.
 */
#include <linux/module.h>
#include <linux/preempt.h>

#include "compat.h"
#include "dirty.h"
#include "fpu.h"
#include "ioctl.h"
#include "limen.h"
#include "npt/npt_mmu.h"
#include "svm/svm.h"
#include "vmx/vmx.h"

const struct limen_ops *limen_ops;
struct limen_caps limen_caps;

bool limen_apicv = true;
module_param_named(apicv, limen_apicv, bool, 0444);
MODULE_PARM_DESC(apicv, "let the CPU virtualize the local APIC, where it can (default: yes)");

bool limen_posted = true;
module_param_named(posted, limen_posted, bool, 0444);
MODULE_PARM_DESC(posted, "post interrupts to running guests by hardware, where it can; needs apicv (default: yes)");

static const struct limen_ops *pick_vendor(void)
{
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		return &svm_ops;
	return &vmx_ops;
}

static int __init limen_init(void)
{
	int err;

	err = limen_fpu_probe();
	if (err) {
		pr_err("limen: this machine can't run guests: no XSAVE\n");
		return err;
	}
	/* the guest's clocks are scaled by it */
	if (!limen_tsc_khz()) {
		pr_err("limen: this machine can't run guests: the TSC's rate is unknown\n");
		return -EOPNOTSUPP;
	}
	limen_ops = pick_vendor();
	err = limen_ops->probe(&limen_caps);
	if (err)
		return err;
	err = limen_dirty_init();
	if (err)
		goto err_remove;
	limen_cap_note(&limen_caps, "irqfd", LIMEN_CAP_USED, "");
	limen_cap_note(&limen_caps, "ioeventfd", LIMEN_CAP_USED, "");
	err = npt_shrink_init();
	if (err)
		goto err_remove;
	preempt_notifier_inc();
	err = limen_device_register();
	if (err)
		goto err_shrink_fini;
	pr_info("limen: loaded, %s\n", limen_ops->name);
	return 0;

err_shrink_fini:
	preempt_notifier_dec();
	npt_shrink_fini();
err_remove:
	limen_ops->remove();
	return err;
}

static void __exit limen_exit(void)
{
	limen_device_unregister();
	preempt_notifier_dec();
	npt_shrink_fini();
	limen_ops->remove();
}

module_init(limen_init);
module_exit(limen_exit);

MODULE_DESCRIPTION("A hypervisor engine: one vCPU interface over VT-x and AMD-V");
MODULE_LICENSE("GPL");
