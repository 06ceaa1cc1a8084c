/* SPDX-License-Identifier: GPL-2.0-only */
/* MSR numbers, by the manual's names, and access to a guest's MSRs. */
#ifndef LIMEN_MSR_H
#define LIMEN_MSR_H

#include <linux/types.h>

struct limen_vcpu;
struct limen_msr_list;

#define IA32_TSC		0x10
#define IA32_PLATFORM_ID	0x17
#define IA32_APIC_BASE		0x1b
#define IA32_FEATURE_CONTROL	0x3a
#define IA32_TSC_ADJUST		0x3b
#define IA32_BIOS_UPDT_TRIG	0x79
#define IA32_BIOS_SIGN_ID	0x8b
#define IA32_MTRRCAP		0xfe
#define IA32_SYSENTER_CS	0x174
#define IA32_SYSENTER_ESP	0x175
#define IA32_SYSENTER_EIP	0x176
#define IA32_MCG_CAP		0x179
#define IA32_MCG_STATUS		0x17a
#define IA32_MISC_ENABLE	0x1a0
#define IA32_DEBUGCTL		0x1d9
#define IA32_MTRR_PHYSBASE0	0x200
#define IA32_MTRR_PHYSMASK7	0x20f
#define IA32_MTRR_FIX64K	0x250
#define IA32_MTRR_FIX16K	0x258
#define IA32_MTRR_FIX4K		0x268
#define IA32_PAT		0x277
#define IA32_MTRR_DEF_TYPE	0x2ff
#define IA32_TSC_DEADLINE	0x6e0
#define IA32_X2APIC_FIRST	0x800
#define IA32_X2APIC_LAST	0x8ff
#define IA32_EFER		0xc0000080
#define IA32_STAR		0xc0000081
#define IA32_LSTAR		0xc0000082
#define IA32_CSTAR		0xc0000083
#define IA32_FMASK		0xc0000084
#define IA32_FS_BASE		0xc0000100
#define IA32_GS_BASE		0xc0000101
#define IA32_KERNEL_GS_BASE	0xc0000102
#define IA32_TSC_AUX		0xc0000103
#define AMD_SYSCFG		0xc0010010
#define AMD_HWCR		0xc0010015
#define AMD_NB_CFG		0xc001001f
#define AMD_PATCH_LOADER	0xc0010020
#define AMD_LS_CFG		0xc0011020
#define AMD_IC_CFG		0xc0011021
#define AMD_DC_CFG		0xc0011022
#define AMD_DE_CFG		0xc0011029
#define KVM_WALL_CLOCK_OLD	0x11
#define KVM_SYSTEM_TIME_OLD	0x12
#define KVM_WALL_CLOCK		0x4b564d00
#define KVM_SYSTEM_TIME		0x4b564d01
#define KVM_STEAL_TIME		0x4b564d03
#define KVM_PV_EOI		0x4b564d04

int limen_msr_read(struct limen_vcpu *vcpu, u32 index, u64 *val);
int limen_msr_write(struct limen_vcpu *vcpu, u32 index, u64 val);
int limen_msr_check(struct limen_vcpu *vcpu, u32 index, u64 val);
int limen_msr_restore(struct limen_vcpu *vcpu, u32 index, u64 val);
int limen_msr_list(struct limen_msr_list *arg);

#endif
