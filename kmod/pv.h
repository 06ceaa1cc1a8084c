/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest and this module tell each other, in the KVM-compatible interface. */
#ifndef LIMEN_PV_H
#define LIMEN_PV_H

#include <linux/bits.h>
#include <linux/types.h>

struct limen_vcpu;

/* KVM's cpuid.rst: EAX of this leaf. What the VMM hides, the guest can't use. */
#define PV_LEAF			0x40000001
#define PV_CLOCKSOURCE		BIT(0)
#define PV_NOP_IO_DELAY		BIT(1)
#define PV_CLOCKSOURCE2		BIT(3)
#define PV_STEAL_TIME		BIT(5)
#define PV_EOI			BIT(6)
#define PV_UNHALT		BIT(7)
#define PV_SEND_IPI		BIT(11)
#define PV_SCHED_YIELD		BIT(13)

bool limen_pv_hides(const struct limen_vcpu *vcpu, u32 index);
bool limen_pv_msr_ok(const struct limen_vcpu *vcpu, u32 index, u64 val);
int limen_pv_wrmsr(struct limen_vcpu *vcpu, u32 index, u64 val);
void limen_pv_reset(struct limen_vcpu *vcpu);

void limen_eoi_spot_update(struct limen_vcpu *vcpu);
void limen_steal_update(struct limen_vcpu *vcpu);
void limen_steal_pause(struct limen_vcpu *vcpu);

#endif
