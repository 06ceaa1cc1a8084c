/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes of a guest that signal an eventfd: ioevent.c is the table, pure;
 * ioeventfd.c the call and the signal.
 */
#ifndef LIMEN_IOEVENT_H
#define LIMEN_IOEVENT_H

#include <linux/types.h>

struct eventfd_ctx;
struct limen_ioeventfd;
struct limen_vcpu;
struct limen_vm;

enum limen_ioevent_space {
	LIMEN_IOEVENT_MMIO,
	LIMEN_IOEVENT_PORT,
};

struct limen_ioevent {
	u64 addr;
	u64 match;
	struct eventfd_ctx *ctx;
	u8 space;		/* enum limen_ioevent_space */
	u8 len;			/* bytes; 0: any */
	bool any;		/* any value; else @match */
};

/* Sorted by space and address; never changed while others can see it */
struct limen_ioevents {
	struct rcu_head rcu;
	u32 nr;
	struct limen_ioevent e[];
};

/* ioevent.c */
int limen_ioevent_decode(const struct limen_ioeventfd *arg, struct limen_ioevent *e);
const struct limen_ioevent *limen_ioevent_find(const struct limen_ioevents *t,
					       u8 space, u64 addr, u8 len, u64 val);
bool limen_ioevent_has(const struct limen_ioevents *t, u8 space, u64 addr);
int limen_ioevent_insert(struct limen_ioevents *t, const struct limen_ioevent *e);
int limen_ioevent_remove(struct limen_ioevents *t, const struct limen_ioevent *e);

/* ioeventfd.c */
int limen_ioeventfd(struct limen_vm *vm, const struct limen_ioeventfd *arg);
void limen_ioeventfd_fini(struct limen_vm *vm);
bool limen_ioevent_is_at(struct limen_vm *vm, u64 gpa);
bool limen_ioevent_write(struct limen_vcpu *vcpu, u8 space, u64 addr, u8 len,
			 u64 val);

#endif
