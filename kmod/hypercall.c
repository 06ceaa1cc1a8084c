// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls with KVM's numbers (Documentation/virt/kvm/x86/hypercalls.rst). Each
 * needs its bit in CPUID leaf PV_LEAF; numbers above KVM_HC_LAST are the VMM's.
 */
#include <linux/kernel.h>

#include "exit.h"
#include "pv.h"
#include "walk.h"

#define KVM_HC_LAST	0xff
#define KVM_EPERM	1
#define KVM_EINVAL	22
#define KVM_ENOSYS	1000

#define KVM_HC_VAPIC_POLL_IRQ	1
#define KVM_HC_KICK_CPU		5
#define KVM_HC_SEND_IPI		10
#define KVM_HC_SCHED_YIELD	11

/* ICR: shorthand, and logical destination */
#define ICR_DEST_BITS	(GENMASK(19, 18) | BIT(11))

/* RAX and the arguments, as wide as the mode has them */
struct call {
	u64 nr;
	u64 a0;
	u64 a1;
	u64 a2;
	u64 a3;
	u32 bits;	/* of an argument: 32 or 64 */
};

/* A vCPU that halted to wait for a lock gets it. Kicks before its HLT count too. */
static s64 kick(struct limen_vm *vm, u64 id)
{
	struct limen_vcpu *vcpu = limen_vcpu_of(vm, id);

	if (vcpu)
		limen_vcpu_request(vcpu, LIMEN_REQ_UNHALT);
	return 0;
}

/* Two words of APIC ids, counted from a2; a3 is what ICR would get */
static s64 send_ipi(struct limen_vm *vm, const struct call *c)
{
	DECLARE_BITMAP(set, 128);

	if (c->a3 & ICR_DEST_BITS)
		return -KVM_EINVAL;
	bitmap_from_u64(set, c->a0);
	if (c->bits == 64)
		bitmap_from_u64(set + BITS_TO_LONGS(64), c->a1);
	else
		bitmap_from_u64(set, c->a0 | c->a1 << 32);
	return pi_send_set(vm, c->a2, set, 2 * c->bits, c->a3);
}

/* Before the next entry; a vCPU that has a CPU or wants none is not helped */
static s64 sched_yield(struct limen_vcpu *vcpu, u64 id)
{
	struct limen_vcpu *target = limen_vcpu_of(vcpu->vm, id);

	if (!target || target == vcpu || !READ_ONCE(target->ready))
		return 0;
	vcpu->yield_to = target;
	vcpu->want_yield = true;
	return 0;
}

static s64 answer(struct limen_vcpu *vcpu, const struct call *c)
{
	u32 has = vcpu->pv_features;

	switch (c->nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return 0;
	case KVM_HC_KICK_CPU:
		return has & PV_UNHALT ? kick(vcpu->vm, c->a1) : -KVM_ENOSYS;
	case KVM_HC_SEND_IPI:
		return has & PV_SEND_IPI ? send_ipi(vcpu->vm, c) : -KVM_ENOSYS;
	case KVM_HC_SCHED_YIELD:
		return has & PV_SCHED_YIELD ? sched_yield(vcpu, c->a0) : -KVM_ENOSYS;
	}
	return -KVM_ENOSYS;
}

/**
 * limen_handle_hypercall() - VMCALL, VMMCALL
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window or not.
 */
enum limen_next limen_handle_hypercall(struct limen_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 bits = limen_mode(vcpu) == 64 ? 64 : 32;
	u64 mask = bits == 64 ? ~0ull : U32_MAX;
	struct call c = {
		.bits = bits,
		.nr = gpr[LIMEN_RAX] & mask, .a0 = gpr[LIMEN_RBX] & mask,
		.a1 = gpr[LIMEN_RCX] & mask, .a2 = gpr[LIMEN_RDX] & mask,
		.a3 = gpr[LIMEN_RSI] & mask,
	};
	s64 ret;

	if (c.nr > KVM_HC_LAST)
		return limen_to_user(vcpu, LIMEN_EXIT_HYPERCALL);
	ret = limen_cpl(vcpu) ? -KVM_EPERM : answer(vcpu, &c);
	gpr[LIMEN_RAX] = ret & mask;
	limen_skip_insn(vcpu);
	return vcpu->want_yield ? LIMEN_RELOAD : LIMEN_RESUME;
}
