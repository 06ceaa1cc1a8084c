/* SPDX-License-Identifier: GPL-2.0-only */
/* Second-level faults, the host's reclaim, and flushing: what common code calls. */
#ifndef LIMEN_NPT_MMU_H
#define LIMEN_NPT_MMU_H

#include <linux/types.h>

struct limen_vm;
struct limen_vcpu;

/* How a second-level fault ended. Not an errno. */
enum npt_fault {
	NPT_MAPPED = 1,		/* enter again */
	NPT_NO_MEMORY,		/* no range, or no right: MMIO */
	NPT_BAD_HVA,		/* the VMM has no page there */
};

int npt_fault(struct limen_vcpu *vcpu, u64 gpa, u32 access);
bool npt_map_apic(struct limen_vm *vm);
void npt_hide_apic(struct limen_vm *vm);
void npt_flush_all(struct limen_vm *vm);
void npt_kick_all(struct limen_vm *vm);
void npt_zap_hva(struct limen_vm *vm, u64 start, u64 end, bool may_sleep);
int npt_notifier_register(struct limen_vm *vm);
void npt_notifier_unregister(struct limen_vm *vm);
void npt_shrink_add(struct limen_vm *vm);
void npt_shrink_remove(struct limen_vm *vm);
int npt_shrink_init(void);
void npt_shrink_fini(void);

#endif
