/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a window leave the host as it found it? Called by window.c, in kernels
 * built to find faults.
 */
#ifndef LIMEN_HOST_CHECK_H
#define LIMEN_HOST_CHECK_H

#include <linux/types.h>

#define LIMEN_NR_HOST	48

/* CPU state that a window must give back; what each is: host_check.c */
struct limen_host {
	u64 val[LIMEN_NR_HOST];
};

void limen_host_snapshot(struct limen_host *host);
const char *limen_host_compare(const struct limen_host *before,
			       const struct limen_host *after);

#endif
