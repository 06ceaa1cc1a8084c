// SPDX-License-Identifier: GPL-2.0-only
/* The list behind LIMEN_CAP: what is there, what is used, and why not. Pure. */
#include <linux/kernel.h>

#include "../uapi/linux/limen.h"
#include "caps.h"

/**
 * limen_cap_note() - see caps.h
 * @caps: the list
 * @name: a word, static storage
 * @state: LIMEN_CAP_*
 * @reason: why it is not there, static storage
 *
 * Context: module load.
 */
void limen_cap_note(struct limen_caps *caps, const char *name, u32 state,
		    const char *reason)
{
	if (caps->nr == LIMEN_MAX_CAPS)
		return;
	caps->note[caps->nr++] = (struct limen_cap_note){
		.name = name, .reason = reason, .state = state,
	};
}

/**
 * limen_cap_may() - see caps.h
 * @caps: the list
 * @name: a word, static storage
 * @present: is it there?
 * @reason: why it is not there, static storage
 *
 * Context: module load.
 */
bool limen_cap_may(struct limen_caps *caps, const char *name, bool present,
		   const char *reason)
{
	limen_cap_note(caps, name, present ? LIMEN_CAP_USED : LIMEN_CAP_ABSENT,
		       present ? "" : reason);
	return present;
}

/**
 * limen_cap_need() - see caps.h
 * @caps: the list
 * @name: a word, static storage
 * @present: is it there?
 * @reason: why it is not there, static storage
 *
 * Context: module load.
 */
bool limen_cap_need(struct limen_caps *caps, const char *name, bool present,
		    const char *reason)
{
	limen_cap_may(caps, name, present, reason);
	if (!present)
		pr_err("limen: this machine can't run guests: %s: %s\n", name,
		       reason);
	return present;
}
