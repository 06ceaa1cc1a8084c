// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's MSRs. Those that the hardware switches are never seen here unless
 * their access is intercepted or user space asks; the others are values, or
 * belong to the APIC, the clock or the control registers. One that a guest does
 * not have gives #GP(0). Nothing here sleeps, so all of it runs in the window.
 */
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include "clock.h"
#include "compat.h"
#include "event.h"
#include "exit.h"
#include "msr.h"
#include "policy.h"
#include "pv.h"
#include "window.h"

#define PAT_TYPES	0x07u	/* bits of one PAT entry */
#define MTRR_DEF_VALID	0xcffu
#define DE_CFG_LFENCE	BIT_ULL(1)	/* LFENCE is dispatch-serializing */

static bool canonical(u64 addr)
{
	return (s64)(addr << 16) >> 16 == (s64)addr;
}

/* SDM Vol. 3, "IA32_PAT MSR": types 0, 1, 4, 5, 6, 7 */
static bool pat_ok(u64 pat)
{
	int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > PAT_TYPES || type == 2 || type == 3)
			return false;
	}
	return true;
}

static int mtrr_fixed_index(u32 index)
{
	switch (index) {
	case IA32_MTRR_FIX64K:
		return 0;
	case IA32_MTRR_FIX16K ... IA32_MTRR_FIX16K + 1:
		return 1 + index - IA32_MTRR_FIX16K;
	case IA32_MTRR_FIX4K ... IA32_MTRR_FIX4K + 7:
		return 3 + index - IA32_MTRR_FIX4K;
	}
	return -1;
}

/* MSRs that the hardware switches with the guest */
static u64 *sysreg(struct limen_vcpu *vcpu, u32 index)
{
	struct limen_sysregs *sys = &vcpu->sys;

	switch (index) {
	case IA32_STAR:			return &sys->star;
	case IA32_LSTAR:		return &sys->lstar;
	case IA32_CSTAR:		return &sys->cstar;
	case IA32_FMASK:		return &sys->sfmask;
	case IA32_KERNEL_GS_BASE:	return &sys->kernel_gs_base;
	case IA32_SYSENTER_CS:		return &sys->sysenter_cs;
	case IA32_SYSENTER_ESP:		return &sys->sysenter_esp;
	case IA32_SYSENTER_EIP:		return &sys->sysenter_eip;
	case IA32_PAT:			return &sys->pat;
	case IA32_DEBUGCTL:		return &sys->debugctl;
	case IA32_TSC_AUX:		return &sys->tsc_aux;
	}
	return NULL;
}

static int read_constant(u32 index, u64 *val)
{
	switch (index) {
	case IA32_PLATFORM_ID:
	case IA32_MCG_CAP:
	case IA32_MCG_STATUS:
	case AMD_SYSCFG:
	case AMD_NB_CFG:
	case AMD_LS_CFG:
	case AMD_IC_CFG:
	case AMD_DC_CFG:
		*val = 0;
		return 0;
	case IA32_FEATURE_CONTROL:
	case AMD_HWCR:
		*val = index == AMD_HWCR ? BIT_ULL(24) : 1; /* TscFreqSel; locked */
		return 0;
	case IA32_BIOS_SIGN_ID:
		*val = 0x100000000ull;
		return 0;
	case IA32_MTRRCAP:
		*val = 8 | BIT_ULL(8) | BIT_ULL(10); /* 8 variable, fixed, WC */
		return 0;
	case AMD_DE_CFG:
		*val = DE_CFG_LFENCE;
		return 0;
	}
	return -EINVAL;
}

static int read_soft(struct limen_vcpu *vcpu, u32 index, u64 *val)
{
	const struct limen_softmsrs *soft = &vcpu->soft;

	switch (index) {
	case IA32_MISC_ENABLE:
		*val = soft->misc_enable;
		return 0;
	case IA32_MTRR_DEF_TYPE:
		*val = soft->mtrr_def_type;
		return 0;
	case IA32_MTRR_PHYSBASE0 ... IA32_MTRR_PHYSMASK7:
		*val = soft->mtrr_var[index - IA32_MTRR_PHYSBASE0];
		return 0;
	case KVM_SYSTEM_TIME_OLD:
	case KVM_SYSTEM_TIME:
		*val = soft->clock_system;
		return 0;
	case KVM_WALL_CLOCK_OLD:
	case KVM_WALL_CLOCK:
		*val = soft->clock_wall;
		return 0;
	case KVM_STEAL_TIME:
		*val = soft->steal_time;
		return 0;
	case KVM_PV_EOI:
		*val = soft->pv_eoi;
		return 0;
	}
	if (mtrr_fixed_index(index) < 0)
		return read_constant(index, val);
	*val = soft->mtrr_fixed[mtrr_fixed_index(index)];
	return 0;
}

/**
 * limen_msr_read() - what RDMSR gives
 * @vcpu: the vCPU
 * @index: MSR number
 * @val: its value
 *
 * Context: vCPU thread or vcpu->lock.
 * Return: 0, or -EINVAL: #GP(0).
 */
int limen_msr_read(struct limen_vcpu *vcpu, u32 index, u64 *val)
{
	u64 *reg = sysreg(vcpu, index);

	if (reg) {
		limen_fetch(vcpu, LIMEN_G_SYS);
		*val = *reg;
		return 0;
	}
	switch (index) {
	case IA32_TSC:
		*val = limen_host_tsc() + vcpu->tsc_offset;
		return 0;
	case IA32_TSC_ADJUST:
		*val = vcpu->tsc_adjust;
		return 0;
	case IA32_EFER:
		limen_fetch(vcpu, LIMEN_G_CR);
		*val = vcpu->sregs.efer;
		return 0;
	case IA32_FS_BASE:
	case IA32_GS_BASE:
		limen_fetch(vcpu, LIMEN_G_SEG);
		*val = vcpu->sregs.seg[LIMEN_FS + index - IA32_FS_BASE].base;
		return 0;
	case IA32_APIC_BASE:
	case IA32_TSC_DEADLINE:
	case IA32_X2APIC_FIRST ... IA32_X2APIC_LAST:
		return pi_rdmsr(vcpu, index, val);
	}
	return read_soft(vcpu, index, val);
}

static bool sysreg_ok(u32 index, u64 val)
{
	switch (index) {
	case IA32_LSTAR:
	case IA32_CSTAR:
	case IA32_KERNEL_GS_BASE:
	case IA32_SYSENTER_ESP:
	case IA32_SYSENTER_EIP:
		return canonical(val);
	case IA32_FMASK:
	case IA32_TSC_AUX:
		return val <= U32_MAX;
	case IA32_PAT:
		return pat_ok(val);
	case IA32_DEBUGCTL:	/* no LBR, BTS or single-step on branches */
		return !val;
	}
	return true;
}

static int write_mtrr(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	struct limen_softmsrs *soft = &vcpu->soft;
	int i = mtrr_fixed_index(index);

	if (index == IA32_MTRR_DEF_TYPE) {
		if (val & ~(u64)MTRR_DEF_VALID)
			return -EINVAL;
		soft->mtrr_def_type = val;
		return 0;
	}
	if (i >= 0) {
		if (!pat_ok(val) || (val & 0x0707070707070707ull) != val)
			return -EINVAL;
		soft->mtrr_fixed[i] = val;
		return 0;
	}
	if (val >> limen_caps.phys_bits)
		return -EINVAL;
	soft->mtrr_var[index - IA32_MTRR_PHYSBASE0] = val;
	return 0;
}

static int write_soft(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	struct limen_softmsrs *soft = &vcpu->soft;

	switch (index) {
	case IA32_MISC_ENABLE:
		soft->misc_enable = val;
		return 0;
	case IA32_MTRR_DEF_TYPE:
	case IA32_MTRR_PHYSBASE0 ... IA32_MTRR_PHYSMASK7:
	case IA32_MTRR_FIX64K:
	case IA32_MTRR_FIX16K ... IA32_MTRR_FIX16K + 1:
	case IA32_MTRR_FIX4K ... IA32_MTRR_FIX4K + 7:
		return write_mtrr(vcpu, index, val);
	case KVM_SYSTEM_TIME_OLD:
	case KVM_SYSTEM_TIME:
		soft->clock_system = val;
		limen_vcpu_request(vcpu, LIMEN_REQ_CLOCK);
		return 0;
	case KVM_WALL_CLOCK_OLD:
	case KVM_WALL_CLOCK:
		soft->clock_wall = val;
		limen_vcpu_request(vcpu, LIMEN_REQ_CLOCK);
		return 0;
	case KVM_STEAL_TIME:
	case KVM_PV_EOI:
		return limen_pv_wrmsr(vcpu, index, val);
	/* written by every Linux, to no effect in a guest */
	case IA32_BIOS_UPDT_TRIG:
	case IA32_BIOS_SIGN_ID:
	case IA32_MCG_STATUS:
	case AMD_SYSCFG:
	case AMD_HWCR:
	case AMD_NB_CFG:
	case AMD_PATCH_LOADER:
	case AMD_LS_CFG:
	case AMD_IC_CFG:
	case AMD_DC_CFG:
	case AMD_DE_CFG:
		return 0;
	}
	return -EINVAL;
}

static void write_tsc(struct limen_vcpu *vcpu, u64 val)
{
	u64 offset = val - limen_host_tsc();

	/* SDM Vol. 3, "IA32_TSC_ADJUST Register Support" */
	vcpu->tsc_adjust += offset - vcpu->tsc_offset;
	vcpu->tsc_offset = offset;
	limen_dirty(vcpu, LIMEN_G_TSC);
	pi_tsc_moved(vcpu);
}

/**
 * limen_msr_write() - what WRMSR does
 * @vcpu: the vCPU
 * @index: MSR number
 * @val: its value
 *
 * Context: vCPU thread.
 * Return: 0, or -EINVAL: #GP(0).
 */
int limen_msr_write(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	u64 *reg = sysreg(vcpu, index);

	if (reg) {
		if (!sysreg_ok(index, val))
			return -EINVAL;
		limen_fetch(vcpu, LIMEN_G_SYS);
		*reg = val;
		limen_dirty(vcpu, LIMEN_G_SYS);
		return 0;
	}
	switch (index) {
	case IA32_TSC:
		write_tsc(vcpu, val);
		return 0;
	case IA32_TSC_ADJUST:
		vcpu->tsc_offset += val - vcpu->tsc_adjust;
		vcpu->tsc_adjust = val;
		limen_dirty(vcpu, LIMEN_G_TSC);
		pi_tsc_moved(vcpu);
		return 0;
	case IA32_EFER:
		return limen_set_efer(vcpu, val);
	case IA32_FS_BASE:
	case IA32_GS_BASE:
		if (!canonical(val))
			return -EINVAL;
		limen_fetch(vcpu, LIMEN_G_SEG);
		vcpu->sregs.seg[LIMEN_FS + index - IA32_FS_BASE].base = val;
		limen_dirty(vcpu, LIMEN_G_SEG);
		return 0;
	case IA32_APIC_BASE:
	case IA32_TSC_DEADLINE:
	case IA32_X2APIC_FIRST ... IA32_X2APIC_LAST:
		return pi_wrmsr(vcpu, index, val);
	}
	return write_soft(vcpu, index, val);
}

/* LIMEN_CLASS_MSRS: what a snapshot needs besides the other classes */
static const u32 state_msrs[] = {
	IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, IA32_MISC_ENABLE,
	IA32_DEBUGCTL, IA32_PAT, IA32_MTRR_DEF_TYPE,
	IA32_MTRR_FIX64K, IA32_MTRR_FIX16K, IA32_MTRR_FIX16K + 1,
	IA32_MTRR_FIX4K, IA32_MTRR_FIX4K + 1, IA32_MTRR_FIX4K + 2,
	IA32_MTRR_FIX4K + 3, IA32_MTRR_FIX4K + 4, IA32_MTRR_FIX4K + 5,
	IA32_MTRR_FIX4K + 6, IA32_MTRR_FIX4K + 7,
	0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207,
	0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f,
	IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE,
	IA32_TSC_AUX, KVM_WALL_CLOCK, KVM_SYSTEM_TIME, KVM_STEAL_TIME,
	KVM_PV_EOI,
};

static bool is_state_msr(u32 index)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(state_msrs); i++)
		if (state_msrs[i] == index)
			return true;
	return false;
}

/**
 * limen_msr_check() - would limen_msr_restore() take it? Changes nothing.
 * @vcpu: the vCPU
 * @index: MSR number
 * @val: its value
 *
 * Context: vcpu->lock.
 * Return: 0 or -EINVAL.
 */
int limen_msr_check(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	if (!is_state_msr(index))
		return -EINVAL;
	if (sysreg(vcpu, index))
		return sysreg_ok(index, val) ? 0 : -EINVAL;
	switch (index) {
	case IA32_MTRR_DEF_TYPE:
		return val & ~(u64)MTRR_DEF_VALID ? -EINVAL : 0;
	case IA32_MTRR_PHYSBASE0 ... IA32_MTRR_PHYSMASK7:
		return val >> limen_caps.phys_bits ? -EINVAL : 0;
	case KVM_STEAL_TIME:
	case KVM_PV_EOI:
		return limen_pv_msr_ok(vcpu, index, val) ? 0 : -EINVAL;
	}
	if (mtrr_fixed_index(index) >= 0)
		return pat_ok(val) ? 0 : -EINVAL;
	return 0;
}

/**
 * limen_msr_restore() - after limen_msr_check()
 * @vcpu: the vCPU
 * @index: MSR number
 * @val: its value
 *
 * Context: vcpu->lock.
 */
int limen_msr_restore(struct limen_vcpu *vcpu, u32 index, u64 val)
{
	return limen_msr_write(vcpu, index, val);
}

/**
 * limen_msr_list() - LIMEN_MSR_LIST
 * @arg: the call's argument
 *
 * Return: errno.
 */
int limen_msr_list(struct limen_msr_list *arg)
{
	u32 room = arg->count;

	arg->count = ARRAY_SIZE(state_msrs);
	if (room < arg->count)
		return -ENOSPC;
	if (copy_to_user((void __user *)(unsigned long)arg->indices, state_msrs,
			 sizeof(state_msrs)))
		return -EFAULT;
	return 0;
}

/* A rule of the VMM. LIMEN_RESUME - 1 (0): there is none. */
static int by_policy(struct limen_vcpu *vcpu, u32 index, bool write, u64 *val)
{
	const struct limen_policy *rule;

	rule = limen_policy_find(vcpu->vm, LIMEN_POLICY_MSR, index,
				 write ? LIMEN_ON_WRITE : LIMEN_ON_READ);
	if (!rule)
		return LIMEN_DO_DEFAULT;
	*val = rule->value;
	return rule->action;
}

/**
 * limen_handle_rdmsr() - the exit
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window or not.
 */
enum limen_next limen_handle_rdmsr(struct limen_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 index = gpr[LIMEN_RCX];
	u64 val = 0;
	int err = 0;

	switch (by_policy(vcpu, index, false, &val)) {
	case LIMEN_DO_EXIT:
		return limen_to_user(vcpu, LIMEN_EXIT_MSR);
	case LIMEN_DO_FAULT:
		err = -EINVAL;
		break;
	case LIMEN_DO_DEFAULT:
		if (limen_pv_hides(vcpu, index))
			err = -EINVAL;
		else
			err = limen_msr_read(vcpu, index, &val);
		break;
	}
	if (err) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	gpr[LIMEN_RAX] = (u32)val;
	gpr[LIMEN_RDX] = val >> 32;
	return limen_skip_insn(vcpu);
}

/**
 * limen_handle_wrmsr() - the exit
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, in a window or not.
 */
enum limen_next limen_handle_wrmsr(struct limen_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 index = gpr[LIMEN_RCX];
	u64 val = (u32)gpr[LIMEN_RAX] | gpr[LIMEN_RDX] << 32;
	u64 constant;
	int err = 0;

	switch (by_policy(vcpu, index, true, &constant)) {
	case LIMEN_DO_EXIT:
		return limen_to_user(vcpu, LIMEN_EXIT_MSR);
	case LIMEN_DO_FAULT:
		err = -EINVAL;
		break;
	case LIMEN_DO_DEFAULT:
		if (limen_pv_hides(vcpu, index))
			err = -EINVAL;
		else
			err = limen_msr_write(vcpu, index, val);
		break;
	}
	if (err) {
		limen_raise_gp(vcpu);
		return LIMEN_RESUME;
	}
	return limen_skip_insn(vcpu);
}
