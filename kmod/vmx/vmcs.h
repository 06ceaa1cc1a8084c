/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX as the manual writes it: VMCS field encodings, control bits, exit reasons
 * and capability MSRs (SDM Vol. 3, "Field Encoding in VMCS", "VMX Basic Exit
 * Reasons", "VMX Capability Reporting Facility").
 *
 * Constants only, so that pure files can use it under UML and the assembler too.
 * Kept here because the kernel's own header moves between versions.
 */
#ifndef LIMEN_VMCS_H
#define LIMEN_VMCS_H

/* bits 14:13 of an encoding: the width of the field */
#define VMCS_WIDTH(f)		(((f) >> 13) & 3)
#define VMCS_WIDTH_16		0
#define VMCS_WIDTH_64		1
#define VMCS_WIDTH_32		2
#define VMCS_WIDTH_NATURAL	3

/* 16 bits: control, guest, host */
#define VMCS_VPID		0x0000
#define VMCS_POSTED_VECTOR	0x0002
#define VMCS_GUEST_SEL		0x0800	/* ES; + 2 * enum limen_sreg */
#define VMCS_GUEST_INTR_STATUS	0x0810	/* RVI, SVI */
#define VMCS_PML_INDEX		0x0812
#define VMCS_HOST_ES_SEL	0x0c00
#define VMCS_HOST_CS_SEL	0x0c02
#define VMCS_HOST_SS_SEL	0x0c04
#define VMCS_HOST_DS_SEL	0x0c06
#define VMCS_HOST_FS_SEL	0x0c08
#define VMCS_HOST_GS_SEL	0x0c0a
#define VMCS_HOST_TR_SEL	0x0c0c

/* 64 bits: control, read-only, guest, host */
#define VMCS_MSR_BITMAP		0x2004
#define VMCS_PML_ADDRESS	0x200e
#define VMCS_TSC_OFFSET		0x2010
#define VMCS_VIRTUAL_APIC	0x2012
#define VMCS_APIC_ACCESS	0x2014
#define VMCS_POSTED_DESC	0x2016
#define VMCS_EPTP		0x201a
#define VMCS_EOI_EXIT		0x201c	/* + 2 * (vector / 64) */
#define VMCS_ENCLS_BITMAP	0x202e
#define VMCS_GPA		0x2400
#define VMCS_LINK		0x2800
#define VMCS_GUEST_DEBUGCTL	0x2802
#define VMCS_GUEST_PAT		0x2804
#define VMCS_GUEST_EFER		0x2806
#define VMCS_GUEST_PERF_GLOBAL	0x2808
#define VMCS_GUEST_PDPTE	0x280a	/* + 2 * index */
#define VMCS_HOST_PAT		0x2c00
#define VMCS_HOST_EFER		0x2c02
#define VMCS_HOST_PERF_GLOBAL	0x2c04

/* 32 bits: control, read-only, guest, host */
#define VMCS_PIN_CTL		0x4000
#define VMCS_PROC_CTL		0x4002
#define VMCS_EXC_BITMAP		0x4004
#define VMCS_PF_MASK		0x4006
#define VMCS_PF_MATCH		0x4008
#define VMCS_CR3_TARGETS	0x400a
#define VMCS_EXIT_CTL		0x400c
#define VMCS_EXIT_STORE_COUNT	0x400e
#define VMCS_EXIT_LOAD_COUNT	0x4010
#define VMCS_ENTRY_CTL		0x4012
#define VMCS_ENTRY_LOAD_COUNT	0x4014
#define VMCS_ENTRY_INTR_INFO	0x4016
#define VMCS_ENTRY_INTR_ERROR	0x4018
#define VMCS_ENTRY_INSN_LEN	0x401a
#define VMCS_TPR_THRESHOLD	0x401c
#define VMCS_PROC2_CTL		0x401e
#define VMCS_PLE_GAP		0x4020
#define VMCS_PLE_WINDOW		0x4022
#define VMCS_INSN_ERROR		0x4400
#define VMCS_EXIT_REASON	0x4402
#define VMCS_EXIT_INTR_INFO	0x4404
#define VMCS_EXIT_INTR_ERROR	0x4406
#define VMCS_IDT_INFO		0x4408
#define VMCS_IDT_ERROR		0x440a
#define VMCS_EXIT_INSN_LEN	0x440c
#define VMCS_EXIT_INSN_INFO	0x440e
#define VMCS_GUEST_LIMIT	0x4800	/* ES; + 2 * enum limen_sreg */
#define VMCS_GUEST_GDTR_LIMIT	0x4810
#define VMCS_GUEST_IDTR_LIMIT	0x4812
#define VMCS_GUEST_AR		0x4814	/* ES; + 2 * enum limen_sreg */
#define VMCS_GUEST_INTR_STATE	0x4824
#define VMCS_GUEST_ACTIVITY	0x4826
#define VMCS_GUEST_SYSENTER_CS	0x482a
#define VMCS_PREEMPTION_TIMER	0x482e
#define VMCS_HOST_SYSENTER_CS	0x4c00

/* natural width: control, read-only, guest, host */
#define VMCS_CR0_MASK		0x6000
#define VMCS_CR4_MASK		0x6002
#define VMCS_CR0_SHADOW		0x6004
#define VMCS_CR4_SHADOW		0x6006
#define VMCS_EXIT_QUAL		0x6400
#define VMCS_GLA		0x640a
#define VMCS_GUEST_CR0		0x6800
#define VMCS_GUEST_CR3		0x6802
#define VMCS_GUEST_CR4		0x6804
#define VMCS_GUEST_BASE		0x6806	/* ES; + 2 * enum limen_sreg */
#define VMCS_GUEST_GDTR_BASE	0x6816
#define VMCS_GUEST_IDTR_BASE	0x6818
#define VMCS_GUEST_DR7		0x681a
#define VMCS_GUEST_RSP		0x681c
#define VMCS_GUEST_RIP		0x681e
#define VMCS_GUEST_RFLAGS	0x6820
#define VMCS_GUEST_PENDING_DBG	0x6822
#define VMCS_GUEST_SYSENTER_ESP	0x6824
#define VMCS_GUEST_SYSENTER_EIP	0x6826
#define VMCS_HOST_CR0		0x6c00
#define VMCS_HOST_CR3		0x6c02
#define VMCS_HOST_CR4		0x6c04
#define VMCS_HOST_FS_BASE	0x6c06
#define VMCS_HOST_GS_BASE	0x6c08
#define VMCS_HOST_TR_BASE	0x6c0a
#define VMCS_HOST_GDTR_BASE	0x6c0c
#define VMCS_HOST_IDTR_BASE	0x6c0e
#define VMCS_HOST_SYSENTER_ESP	0x6c10
#define VMCS_HOST_SYSENTER_EIP	0x6c12
#define VMCS_HOST_RSP		0x6c14
#define VMCS_HOST_RIP		0x6c16

/* struct vmx_switch, for the assembler; checked in vmx_enter.c */
#define VMX_SW_GPR		0
#define VMX_SW_HOST_RSP		8
#define VMX_SW_SPEC_CTRL	16

/* vmx_int_stubs: one for each vector of an external interrupt, of this many bytes */
#define VMX_FIRST_VECTOR	32
#define VMX_INT_STUB		16

#ifndef __ASSEMBLY__

#include <linux/bits.h>

/* pin-based VM-execution controls */
#define VMX_PIN_EXTINT		BIT(0)
#define VMX_PIN_NMI		BIT(3)
#define VMX_PIN_VIRTUAL_NMI	BIT(5)
#define VMX_PIN_TIMER		BIT(6)
#define VMX_PIN_POSTED		BIT(7)

/* primary processor-based VM-execution controls */
#define VMX_PROC_INTR_WINDOW	BIT(2)
#define VMX_PROC_TSC_OFFSET	BIT(3)
#define VMX_PROC_HLT		BIT(7)
#define VMX_PROC_INVLPG		BIT(9)
#define VMX_PROC_MWAIT		BIT(10)
#define VMX_PROC_RDPMC		BIT(11)
#define VMX_PROC_RDTSC		BIT(12)
#define VMX_PROC_CR3_LOAD	BIT(15)
#define VMX_PROC_CR3_STORE	BIT(16)
#define VMX_PROC_CR8_LOAD	BIT(19)
#define VMX_PROC_CR8_STORE	BIT(20)
#define VMX_PROC_TPR_SHADOW	BIT(21)
#define VMX_PROC_NMI_WINDOW	BIT(22)
#define VMX_PROC_MOV_DR		BIT(23)
#define VMX_PROC_IO		BIT(24)
#define VMX_PROC_MSR_BITMAP	BIT(28)
#define VMX_PROC_MONITOR	BIT(29)
#define VMX_PROC_SECONDARY	BIT(31)

/* secondary processor-based VM-execution controls */
#define VMX_PROC2_APIC_ACCESS	BIT(0)
#define VMX_PROC2_EPT		BIT(1)
#define VMX_PROC2_RDTSCP	BIT(3)
#define VMX_PROC2_X2APIC	BIT(4)
#define VMX_PROC2_VPID		BIT(5)
#define VMX_PROC2_UNRESTRICTED	BIT(7)
#define VMX_PROC2_APIC_REG	BIT(8)
#define VMX_PROC2_VID		BIT(9)
#define VMX_PROC2_PLE		BIT(10)
#define VMX_PROC2_INVPCID	BIT(12)
#define VMX_PROC2_SHADOWING	BIT(14)
#define VMX_PROC2_ENCLS		BIT(15)
#define VMX_PROC2_PML		BIT(17)
#define VMX_PROC2_CONCEAL_PT	BIT(19)
#define VMX_PROC2_XSAVES	BIT(20)
#define VMX_PROC2_MODE_EXEC	BIT(22)
#define VMX_PROC2_TSC_SCALING	BIT(25)

/* VM-exit controls */
#define VMX_EXIT_SAVE_DEBUG	BIT(2)
#define VMX_EXIT_HOST_64	BIT(9)
#define VMX_EXIT_LOAD_PERF	BIT(12)
#define VMX_EXIT_ACK_INTR	BIT(15)
#define VMX_EXIT_LOAD_PAT	BIT(19)
#define VMX_EXIT_LOAD_EFER	BIT(21)
#define VMX_EXIT_CONCEAL_PT	BIT(24)

/* VM-entry controls */
#define VMX_ENTRY_LOAD_DEBUG	BIT(2)
#define VMX_ENTRY_IA32E		BIT(9)
#define VMX_ENTRY_LOAD_PERF	BIT(13)
#define VMX_ENTRY_LOAD_PAT	BIT(14)
#define VMX_ENTRY_LOAD_EFER	BIT(15)
#define VMX_ENTRY_CONCEAL_PT	BIT(17)

/* basic exit reasons */
#define VMX_REASON_EXCEPTION	0
#define VMX_REASON_EXTINT	1
#define VMX_REASON_TRIPLE_FAULT	2
#define VMX_REASON_INIT		3
#define VMX_REASON_SIPI		4
#define VMX_REASON_INTR_WINDOW	7
#define VMX_REASON_NMI_WINDOW	8
#define VMX_REASON_TASK_SWITCH	9
#define VMX_REASON_CPUID	10
#define VMX_REASON_GETSEC	11
#define VMX_REASON_HLT		12
#define VMX_REASON_INVD		13
#define VMX_REASON_RDPMC	15
#define VMX_REASON_RSM		17
#define VMX_REASON_VMCALL	18
#define VMX_REASON_VMCLEAR	19
#define VMX_REASON_VMXON	27
#define VMX_REASON_CR		28
#define VMX_REASON_DR		29
#define VMX_REASON_IO		30
#define VMX_REASON_RDMSR	31
#define VMX_REASON_WRMSR	32
#define VMX_REASON_BAD_STATE	33
#define VMX_REASON_BAD_MSR	34
#define VMX_REASON_MWAIT	36
#define VMX_REASON_MONITOR	39
#define VMX_REASON_PAUSE	40
#define VMX_REASON_ENTRY_MCE	41
#define VMX_REASON_TPR_BELOW	43
#define VMX_REASON_APIC_ACCESS	44
#define VMX_REASON_EOI		45
#define VMX_REASON_EPT_VIOLATION 48
#define VMX_REASON_EPT_MISCONFIG 49
#define VMX_REASON_INVEPT	50
#define VMX_REASON_TIMER	52
#define VMX_REASON_INVVPID	53
#define VMX_REASON_WBINVD	54
#define VMX_REASON_XSETBV	55
#define VMX_REASON_APIC_WRITE	56
#define VMX_REASON_RDRAND	57
#define VMX_REASON_INVPCID	58
#define VMX_REASON_VMFUNC	59
#define VMX_REASON_ENCLS	60
#define VMX_REASON_RDSEED	61
#define VMX_REASON_LOG_FULL	62
#define VMX_REASON_XSAVES	63
#define VMX_REASON_XRSTORS	64
#define VMX_REASON_PCONFIG	65
#define VMX_REASON_UMWAIT	67
#define VMX_REASON_TPAUSE	68
#define VMX_REASON_LOADIWKEY	69
#define VMX_REASON_ENCLV	70
#define VMX_REASON_ENTRY_FAILED	BIT(31)
#define VMX_REASON_BASIC	0xffffu

/* interruption-information and IDT-vectoring-information fields */
#define VMX_INTR_VECTOR		0xffu
#define VMX_INTR_ERROR		BIT(11)
#define VMX_INTR_NMI_UNBLOCKED	BIT(12)
#define VMX_INTR_VALID		BIT(31)
#define VMX_INTR_EVENT		(VMX_INTR_VALID | 0xfffu)

/* guest interruptibility state */
#define VMX_INTR_STATE_STI	BIT(0)
#define VMX_INTR_STATE_MOV_SS	BIT(1)
#define VMX_INTR_STATE_NMI	BIT(3)

/* pending debug exceptions */
#define VMX_PENDING_DBG_BS	BIT(14)

/* exit qualification of an EPT violation */
#define VMX_EPT_READ		BIT(0)
#define VMX_EPT_WRITE		BIT(1)
#define VMX_EPT_FETCH		BIT(2)
#define VMX_EPT_GLA_VALID	BIT(7)
#define VMX_EPT_TRANSLATED	BIT(8)
#define VMX_EPT_NMI_UNBLOCKED	BIT(12)

/* exit qualification of an APIC access: offset, and how */
#define VMX_APIC_OFFSET		0xfffull
#define VMX_APIC_TYPE(q)	(((q) >> 12) & 15)
#define VMX_APIC_WRITE		1
#define VMX_APIC_FETCH		2
#define VMX_APIC_PHYSICAL	10	/* and above: without a linear address */

/* exit qualification of a #DB: B0-B3, bus lock, BD, BS, RTM */
#define VMX_DB_BITS		0x1680full

/* extended-page-table pointer */
#define VMX_EPTP_WB		6ull
#define VMX_EPTP_4_LEVELS	(3ull << 3)
#define VMX_EPTP_AD		BIT_ULL(6)

/* capability MSRs */
#define VMX_MSR_FEAT_CTL	0x03a
#define VMX_MSR_BASIC		0x480
#define VMX_MSR_PIN		0x481
#define VMX_MSR_PROC		0x482
#define VMX_MSR_EXIT		0x483
#define VMX_MSR_ENTRY		0x484
#define VMX_MSR_MISC		0x485
#define VMX_MSR_CR0_FIXED0	0x486
#define VMX_MSR_CR0_FIXED1	0x487
#define VMX_MSR_CR4_FIXED0	0x488
#define VMX_MSR_CR4_FIXED1	0x489
#define VMX_MSR_PROC2		0x48b
#define VMX_MSR_EPT_VPID	0x48c
#define VMX_MSR_TRUE_PIN	0x48d
#define VMX_MSR_TRUE_PROC	0x48e
#define VMX_MSR_TRUE_EXIT	0x48f
#define VMX_MSR_TRUE_ENTRY	0x490

#define VMX_FEAT_LOCKED		BIT_ULL(0)
#define VMX_FEAT_VMX		BIT_ULL(2)	/* outside SMX */

#define VMX_BASIC_REVISION	0x7fffffffu
#define VMX_BASIC_SIZE(b)	(((b) >> 32) & 0x1fff)
#define VMX_BASIC_TYPE(b)	(((b) >> 50) & 15)
#define VMX_BASIC_TYPE_WB	6
#define VMX_BASIC_INS_INFO	BIT_ULL(54)
#define VMX_BASIC_TRUE		BIT_ULL(55)

#define VMX_MISC_TIMER_SHIFT	0x1full
#define VMX_MISC_PT		BIT_ULL(14)

#define VMX_EPT_CAP_EXEC_ONLY	BIT_ULL(0)
#define VMX_EPT_CAP_4_LEVELS	BIT_ULL(6)
#define VMX_EPT_CAP_WB		BIT_ULL(14)
#define VMX_EPT_CAP_2M		BIT_ULL(16)
#define VMX_EPT_CAP_1G		BIT_ULL(17)
#define VMX_EPT_CAP_INVEPT	BIT_ULL(20)
#define VMX_EPT_CAP_AD		BIT_ULL(21)
#define VMX_EPT_CAP_INVEPT_ONE	BIT_ULL(25)
#define VMX_EPT_CAP_INVVPID	BIT_ULL(32)
#define VMX_EPT_CAP_INVVPID_ONE	BIT_ULL(41)

/* architectural bits that the common headers keep to x86 */
#define VMX_CR0_PE		BIT_ULL(0)
#define VMX_CR0_MP		BIT_ULL(1)
#define VMX_CR0_EM		BIT_ULL(2)
#define VMX_CR0_TS		BIT_ULL(3)
#define VMX_CR0_WP		BIT_ULL(16)
#define VMX_CR0_AM		BIT_ULL(18)
#define VMX_CR0_PG		BIT_ULL(31)
#define VMX_CR4_VME		BIT_ULL(0)
#define VMX_CR4_PVI		BIT_ULL(1)
#define VMX_CR4_TSD		BIT_ULL(2)
#define VMX_CR4_DE		BIT_ULL(3)
#define VMX_CR4_PAE		BIT_ULL(5)
#define VMX_CR4_PGE		BIT_ULL(7)
#define VMX_CR4_PCE		BIT_ULL(8)
#define VMX_CR4_OSFXSR		BIT_ULL(9)
#define VMX_CR4_OSXMMEXCPT	BIT_ULL(10)
#define VMX_CR4_VMXE		BIT_ULL(13)
#define VMX_CR4_FSGSBASE	BIT_ULL(16)
#define VMX_EFER_LMA		BIT_ULL(10)
#define VMX_RFLAGS_TF		BIT_ULL(8)
#define VMX_RFLAGS_IF		BIT_ULL(9)
#define VMX_DEBUGCTL_BTF	BIT_ULL(1)
#define VMX_DR7_ENABLES		0xffull
#define VMX_VECTOR_DB		1
#define VMX_VECTOR_DF		8
#define VMX_VECTOR_AC		17
#define VMX_VECTOR_MC		18

/* control register bits that a guest changes without an exit */
#define VMX_CR0_OWN	(VMX_CR0_MP | VMX_CR0_EM | VMX_CR0_TS | VMX_CR0_WP | \
			 VMX_CR0_AM)
#define VMX_CR4_OWN	(VMX_CR4_VME | VMX_CR4_PVI | VMX_CR4_TSD | VMX_CR4_DE | \
			 VMX_CR4_PGE | VMX_CR4_PCE | VMX_CR4_OSFXSR | \
			 VMX_CR4_OSXMMEXCPT | VMX_CR4_FSGSBASE)

#endif /* !__ASSEMBLY__ */
#endif
