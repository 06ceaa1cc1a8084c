// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's rules: what an access to an MSR, a port or a CPUID leaf does. They
 * are fixed before the VM runs, so handlers read them without a lock. Pure.
 */
#include "limen.h"
#include "policy.h"

/**
 * limen_policy_find() - the last rule that names this access
 * @kind: LIMEN_POLICY_*
 * @index: MSR, port or leaf
 * @access: LIMEN_ON_*
 * @vm: the VM
 *
 * Context: vCPU thread.
 * Return: the rule, or NULL; LIMEN_DO_DEFAULT counts as none.
 */
const struct limen_policy *limen_policy_find(const struct limen_vm *vm, u32 kind,
					     u32 index, u32 access)
{
	u32 i = vm->nr_policy;

	while (i--) {
		const struct limen_policy *p = &vm->policy[i];

		if (p->kind == kind && (p->access & access) &&
		    index >= p->first && index <= p->last)
			return p->action == LIMEN_DO_DEFAULT ? NULL : p;
	}
	return NULL;
}

/**
 * limen_policy_check() - is it a rule?
 * @p: the rule
 *
 * Return: 0 or -EINVAL.
 */
int limen_policy_check(const struct limen_policy *p)
{
	if (p->last < p->first)
		return -EINVAL;
	if (!p->access || p->access & ~(LIMEN_ON_READ | LIMEN_ON_WRITE))
		return -EINVAL;
	if (p->action > LIMEN_DO_EXIT)
		return -EINVAL;
	if (p->value && p->action != LIMEN_DO_CONSTANT)
		return -EINVAL;
	switch (p->kind) {
	case LIMEN_POLICY_MSR:
		return 0;
	case LIMEN_POLICY_PORT:
		return p->last > 0xffff ? -EINVAL : 0;
	case LIMEN_POLICY_CPUID:
		if (p->access != LIMEN_ON_READ || p->action == LIMEN_DO_FAULT)
			return -EINVAL;
		return p->value > U32_MAX ? -EINVAL : 0;
	}
	return -EINVAL;
}
