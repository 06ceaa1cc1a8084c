// SPDX-License-Identifier: GPL-2.0
/*
 * A module that does nothing, or one thing wrong, for lab/selftest to see whether
 * the lab notices.
 */
#include <linux/module.h>
#include <linux/slab.h>

static char *fault = "";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "leak, stay, warn, oops or refuse");

static void *lost;

static int __init limen_init(void)
{
	if (!strcmp(fault, "refuse"))
		return -ENODEV;
	if (!strcmp(fault, "leak")) {
		lost = kmalloc(123, GFP_KERNEL);
		lost = NULL;
	}
	if (!strcmp(fault, "stay"))
		__module_get(THIS_MODULE);
	WARN_ON(!strcmp(fault, "warn"));
	if (!strcmp(fault, "oops"))
		*(volatile int *)8 = 0;
	return 0;
}

static void __exit limen_exit(void)
{
	kfree(lost);
}

module_init(limen_init);
module_exit(limen_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stand-in for the module in the lab's own test");
