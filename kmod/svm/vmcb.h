/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCB as the manual lays it out (APM Vol. 2, Appendix B "VMCB Layout"), and
 * its constants. Our own: the kernel's moves between versions.
 */
#ifndef LIMEN_VMCB_H
#define LIMEN_VMCB_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

struct vmcb_seg {
	u16 sel;
	u16 attr;	/* bits 7:0 and 11:8 = access rights 7:0 and 15:12 */
	u32 limit;
	u64 base;
};

struct vmcb {
	/* control area */
	u16 cr_read;		/* 000 */
	u16 cr_write;
	u16 dr_read;
	u16 dr_write;
	u32 exceptions;		/* 008 */
	u32 misc1;		/* 00c */
	u32 misc2;		/* 010 */
	u32 misc3;		/* 014 */
	u8 reserved_018[0x24];
	u16 pause_threshold;	/* 03c */
	u16 pause_count;	/* 03e */
	u64 iopm;		/* 040 */
	u64 msrpm;		/* 048 */
	u64 tsc_offset;		/* 050 */
	u32 asid;		/* 058 */
	u8 tlb_control;		/* 05c */
	u8 reserved_05d[3];
	u32 int_ctl;		/* 060 */
	u32 int_vector;		/* 064 */
	u64 int_state;		/* 068 */
	u64 exit_code;		/* 070 */
	u64 exit_info1;		/* 078 */
	u64 exit_info2;		/* 080 */
	u32 exit_int_info;	/* 088 */
	u32 exit_int_error;	/* 08c */
	u64 np_enable;		/* 090 */
	u64 avic_bar;		/* 098 */
	u64 ghcb;		/* 0a0 */
	u32 event_inj;		/* 0a8 */
	u32 event_error;	/* 0ac */
	u64 ncr3;		/* 0b0 */
	u64 lbr_ctl;		/* 0b8 */
	u32 clean;		/* 0c0 */
	u32 reserved_0c4;
	u64 next_rip;		/* 0c8 */
	u8 nr_insn;		/* 0d0 */
	u8 insn[15];
	u64 avic_page;		/* 0e0 */
	u64 reserved_0e8;
	u64 avic_logical;	/* 0f0 */
	u64 avic_physical;	/* 0f8: table, and highest index */
	u8 reserved_100[0x400 - 0x100];
	/* state save area */
	struct vmcb_seg es;	/* 400 */
	struct vmcb_seg cs;
	struct vmcb_seg ss;
	struct vmcb_seg ds;
	struct vmcb_seg fs;
	struct vmcb_seg gs;
	struct vmcb_seg gdtr;
	struct vmcb_seg ldtr;
	struct vmcb_seg idtr;
	struct vmcb_seg tr;
	u8 reserved_4a0[0x4cb - 0x4a0];
	u8 cpl;			/* 4cb */
	u8 reserved_4cc[4];
	u64 efer;		/* 4d0 */
	u8 reserved_4d8[0x548 - 0x4d8];
	u64 cr4;		/* 548 */
	u64 cr3;
	u64 cr0;
	u64 dr7;		/* 560 */
	u64 dr6;
	u64 rflags;		/* 570 */
	u64 rip;
	u8 reserved_580[0x5d8 - 0x580];
	u64 rsp;		/* 5d8 */
	u64 s_cet;
	u64 ssp;
	u64 isst;
	u64 rax;		/* 5f8 */
	u64 star;		/* 600 */
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;	/* 620 */
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 cr2;		/* 640 */
	u8 reserved_648[0x668 - 0x648];
	u64 g_pat;		/* 668 */
	u64 debugctl;		/* 670 */
	u8 reserved_678[0x1000 - 0x678];
} __packed __aligned(4096);

static_assert(offsetof(struct vmcb, int_ctl) == 0x060);
static_assert(offsetof(struct vmcb, clean) == 0x0c0);
static_assert(offsetof(struct vmcb, avic_physical) == 0x0f8);
static_assert(offsetof(struct vmcb, cpl) == 0x4cb);
static_assert(offsetof(struct vmcb, rax) == 0x5f8);
static_assert(offsetof(struct vmcb, g_pat) == 0x668);
static_assert(sizeof(struct vmcb) == 0x1000);

/* intercepts, misc1 */
#define SVM_I_INTR		BIT(0)
#define SVM_I_NMI		BIT(1)
#define SVM_I_INIT		BIT(3)
#define SVM_I_VINTR		BIT(4)
#define SVM_I_RDPMC		BIT(15)
#define SVM_I_CPUID		BIT(18)
#define SVM_I_IRET		BIT(20)
#define SVM_I_INVD		BIT(22)
#define SVM_I_PAUSE		BIT(23)
#define SVM_I_HLT		BIT(24)
#define SVM_I_INVLPGA		BIT(26)
#define SVM_I_IOIO		BIT(27)
#define SVM_I_MSR		BIT(28)
#define SVM_I_FERR		BIT(30)
#define SVM_I_SHUTDOWN		BIT(31)
/* misc2 */
#define SVM_I_VMRUN		BIT(0)
#define SVM_I_VMMCALL		BIT(1)
#define SVM_I_VMLOAD		BIT(2)
#define SVM_I_VMSAVE		BIT(3)
#define SVM_I_STGI		BIT(4)
#define SVM_I_CLGI		BIT(5)
#define SVM_I_SKINIT		BIT(6)
#define SVM_I_WBINVD		BIT(9)
#define SVM_I_MONITOR		BIT(10)
#define SVM_I_MWAIT		BIT(11)
#define SVM_I_XSETBV		BIT(13)
#define SVM_I_RDPRU		BIT(14)
/* misc3 */
#define SVM_I_INVLPGB		BIT(0)
#define SVM_I_MCOMMIT		BIT(3)

/* int_ctl */
#define SVM_V_TPR		0xfu
#define SVM_V_IRQ		BIT(8)
#define SVM_V_PRIO		(0xfu << 16)
#define SVM_V_IGN_TPR		BIT(20)
#define SVM_V_INTR_MASKING	BIT(24)

#define SVM_INT_SHADOW		BIT(0)

#define SVM_TLB_NONE		0
#define SVM_TLB_ALL		1
#define SVM_TLB_ASID		3

/* clean bits: the group in memory is as the CPU last saw it */
#define SVM_CLEAN_I		BIT(0)	/* intercepts, TSC offset, pause */
#define SVM_CLEAN_PERM		BIT(1)	/* IOPM, MSRPM */
#define SVM_CLEAN_ASID		BIT(2)
#define SVM_CLEAN_TPR		BIT(3)	/* int_ctl */
#define SVM_CLEAN_NP		BIT(4)	/* nCR3, gPAT */
#define SVM_CLEAN_CRX		BIT(5)	/* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DRX		BIT(6)
#define SVM_CLEAN_DT		BIT(7)
#define SVM_CLEAN_SEG		BIT(8)
#define SVM_CLEAN_CR2		BIT(9)
#define SVM_CLEAN_LBR		BIT(10)
#define SVM_CLEAN_ALL		0x7ffu

/* exit codes */
#define SVM_EXIT_CR_READ	0x000
#define SVM_EXIT_CR_WRITE	0x010
#define SVM_EXIT_DR_READ	0x020
#define SVM_EXIT_DR_WRITE	0x030
#define SVM_EXIT_EXCP		0x040
#define SVM_EXIT_INTR		0x060
#define SVM_EXIT_NMI		0x061
#define SVM_EXIT_SMI		0x062
#define SVM_EXIT_INIT		0x063
#define SVM_EXIT_VINTR		0x064
#define SVM_EXIT_RDPMC		0x06f
#define SVM_EXIT_CPUID		0x072
#define SVM_EXIT_IRET		0x074
#define SVM_EXIT_INVD		0x076
#define SVM_EXIT_PAUSE		0x077
#define SVM_EXIT_HLT		0x078
#define SVM_EXIT_INVLPGA	0x07a
#define SVM_EXIT_IOIO		0x07b
#define SVM_EXIT_MSR		0x07c
#define SVM_EXIT_FERR		0x07e
#define SVM_EXIT_SHUTDOWN	0x07f
#define SVM_EXIT_VMRUN		0x080
#define SVM_EXIT_VMMCALL	0x081
#define SVM_EXIT_VMLOAD		0x082
#define SVM_EXIT_SKINIT		0x086
#define SVM_EXIT_WBINVD		0x089
#define SVM_EXIT_MONITOR	0x08a
#define SVM_EXIT_MWAIT		0x08b
#define SVM_EXIT_MWAIT_COND	0x08c
#define SVM_EXIT_XSETBV		0x08d
#define SVM_EXIT_RDPRU		0x08e
#define SVM_EXIT_INVLPGB	0x0a0
#define SVM_EXIT_MCOMMIT	0x0a3
#define SVM_EXIT_NPF		0x400
#define SVM_EXIT_INVALID	0xffffffffffffffffull

/* EXITINFO1 of IOIO */
#define SVM_IO_IN		BIT(0)
#define SVM_IO_STR		BIT(2)
#define SVM_IO_REP		BIT(3)

/* EXITINFO1 of NPF */
#define SVM_NPF_W		BIT_ULL(1)
#define SVM_NPF_I		BIT_ULL(4)
#define SVM_NPF_WALK		BIT_ULL(33)

#define SVM_MOV_CR_VALID	BIT_ULL(63)	/* decode assists: EXITINFO1 */

/* MSRs and CPUID */
#define MSR_EFER_SVME		BIT_ULL(12)
#define SVM_MSR_VM_CR		0xc0010114
#define SVM_VM_CR_DISABLE	BIT_ULL(4)
#define SVM_MSR_HSAVE		0xc0010117
#define SVM_MSR_TSC_RATIO	0xc0000104
#define SVM_TSC_RATIO_ONE	BIT_ULL(32)
#define SVM_CPUID		0x8000000a
#define SVM_CPUID_NPT		BIT(0)
#define SVM_CPUID_LBRV		BIT(1)
#define SVM_CPUID_NRIPS		BIT(3)
#define SVM_CPUID_TSC_RATIO	BIT(4)
#define SVM_CPUID_VMCB_CLEAN	BIT(5)
#define SVM_CPUID_FLUSH_ASID	BIT(6)
#define SVM_CPUID_DECODE	BIT(7)
#define SVM_CPUID_PAUSE		BIT(10)
#define SVM_CPUID_PAUSE_THRESH	BIT(12)
#define SVM_CPUID_AVIC		BIT(13)
#define SVM_CPUID_VLS		BIT(15)
#define SVM_CPUID_VGIF		BIT(16)
#define SVM_CPUID_VNMI		BIT(25)

#endif
