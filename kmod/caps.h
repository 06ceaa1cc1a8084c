/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the CPU offers and what this module makes of it, with a reason for each
 * thing that is missing. Filled once by the vendor's probe, read by LIMEN_CAP.
 */
#ifndef LIMEN_CAPS_H
#define LIMEN_CAPS_H

#include <linux/types.h>

#define LIMEN_MAX_CAPS	48

struct limen_cap_note {
	const char *name;	/* at most 31 characters */
	const char *reason;	/* at most 127; "" when used */
	u32 state;		/* LIMEN_CAP_* */
};

struct limen_caps {
	unsigned int nr;
	struct limen_cap_note note[LIMEN_MAX_CAPS];
	/* facts that common code acts on */
	u8 phys_bits;		/* guest-physical width the tables can map */
	bool npt_2m;		/* 2 MiB leaves */
	bool npt_1g;
	bool npt_exec_only;
	bool npt_exec_4k;	/* large leaves must not be executable */
	bool npt_ad;		/* accessed and dirty bits */
	bool pml;		/* the CPU logs writes; see ops.h, @read_log */
	bool rdtscp;		/* TSC_AUX is switched */
	bool invpcid;		/* INVPCID does not fault, where the CPU has it */
	bool next_rip;		/* instruction lengths come with every exit */
};

/**
 * limen_cap_note() - record one capability
 * @caps: where
 * @name: a word, static storage
 * @state: LIMEN_CAP_ABSENT, _USED or _UNUSED
 * @reason: why it is not used, static storage; "" for LIMEN_CAP_USED
 */
void limen_cap_note(struct limen_caps *caps, const char *name, u32 state,
		    const char *reason);

/**
 * limen_cap_need() - record a capability that the module can't do without
 *
 * Return: @present, so that a probe can refuse.
 */
bool limen_cap_need(struct limen_caps *caps, const char *name, bool present,
		    const char *reason);

/** limen_cap_may() - record one that is used when present. Return: @present. */
bool limen_cap_may(struct limen_caps *caps, const char *name, bool present,
		   const char *reason);

#endif
