/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest-physical ranges, and reading and writing guest memory through them. */
#ifndef LIMEN_MEM_H
#define LIMEN_MEM_H

#include <linux/types.h>

struct limen_vm;
struct limen_vcpu;
struct limen_range;
struct limen_mem_range;
struct limen_spot;

bool limen_mem_find(struct limen_vm *vm, u64 gpa, struct limen_mem_range *out);
int limen_mem_map(struct limen_vm *vm, const struct limen_range *arg);
int limen_mem_unmap(struct limen_vm *vm, const struct limen_range *arg);
int limen_mem_protect(struct limen_vm *vm, const struct limen_range *arg);
void limen_mem_fini(struct limen_vm *vm);

/* vCPU thread or ioctl of the owner's address space; sleep. 0 or -EFAULT. */
int limen_mem_read(struct limen_vm *vm, u64 gpa, void *buf, size_t len);
int limen_mem_fetch(struct limen_vm *vm, u64 gpa, void *buf, size_t len);
int limen_mem_write(struct limen_vm *vm, u64 gpa, const void *buf, size_t len);
int limen_mem_cmpxchg(struct limen_vm *vm, u64 gpa, u64 old, u64 new, int size);
int limen_mem_spot(struct limen_vm *vm, u64 gpa, size_t len, struct limen_spot *spot);

/* vCPU thread, IRQs off; never sleep. 0 or -EFAULT: not now. */
int limen_spot_read(struct limen_vm *vm, const struct limen_spot *spot, void *buf,
		    size_t len);
int limen_spot_write(struct limen_vm *vm, struct limen_spot *spot, const void *buf,
		     size_t len);
void limen_spot_settle(struct limen_vcpu *vcpu, struct limen_spot *spot);

#endif
