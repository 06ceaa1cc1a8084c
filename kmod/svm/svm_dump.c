// SPDX-License-Identifier: GPL-2.0-only
/* The VMCB, for an exit that nobody can explain. Rate-limited: a VMM can cause it. */
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "svm.h"

/**
 * svm_dump() - see struct limen_ops
 * @vcpu: the vCPU
 */
void svm_dump(struct limen_vcpu *vcpu)
{
	static DEFINE_RATELIMIT_STATE(limit, 10 * HZ, 2);
	const struct vmcb *v = vcpu->svm->vmcb;

	if (!__ratelimit(&limit))
		return;
	pr_info("limen: vcpu %u exit %llx info %llx %llx int_info %x event_inj %x\n",
		vcpu->id, v->exit_code, v->exit_info1, v->exit_info2,
		v->exit_int_info, v->event_inj);
	pr_info("limen: rip %llx rsp %llx rflags %llx cr0 %llx cr3 %llx cr4 %llx efer %llx\n",
		v->rip, v->rsp, v->rflags, v->cr0, v->cr3, v->cr4, v->efer);
	pr_info("limen: cs %x %x %x %llx ss %x %x %x %llx cpl %u int_ctl %x state %llx\n",
		v->cs.sel, v->cs.attr, v->cs.limit, v->cs.base, v->ss.sel,
		v->ss.attr, v->ss.limit, v->ss.base, v->cpl, v->int_ctl,
		v->int_state);
}
