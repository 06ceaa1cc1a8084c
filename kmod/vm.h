/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM's life. */
#ifndef LIMEN_VM_H
#define LIMEN_VM_H

#include <linux/types.h>

struct limen_vm;
struct limen_vcpu;
struct limen_policy;

struct limen_vm *limen_vm_create(void);
void limen_vm_get(struct limen_vm *vm);
void limen_vm_put(struct limen_vm *vm);
int limen_vm_publish(struct limen_vm *vm, struct limen_vcpu *vcpu);
int limen_vm_policy(struct limen_vm *vm, const struct limen_policy *rule);
void limen_vm_extint(struct limen_vm *vm, int level);
void limen_vm_set_ran(struct limen_vm *vm);

#endif
