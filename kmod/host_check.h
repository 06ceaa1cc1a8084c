/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a window leave the host as it found it? Called by window.c; costs a branch
 * unless the module parameter check_host is set.
 */
#ifndef LIMEN_HOST_CHECK_H
#define LIMEN_HOST_CHECK_H

#include <linux/types.h>

#define LIMEN_NR_HOST	48

/* CPU state that a window must give back; what each is: host_check.c */
struct limen_host {
	u64 val[LIMEN_NR_HOST];
};

/* IRQs off: before a window opens and after it has closed, on the same CPU */
void limen_host_check_open(void);
void limen_host_check_close(void);

void limen_host_snapshot(struct limen_host *host);
int limen_host_compare(const struct limen_host *before,
		       const struct limen_host *after);
const char *limen_host_name(int i);

#endif
