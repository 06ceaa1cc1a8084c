/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of this room share. The first half is what the pure files
 * (vmx_caps.c, vmx_decode.c, vmx_bitmap.c) and their tests need, and builds
 * under UML; the second half is the machine.
 */
#ifndef LIMEN_VMX_H
#define LIMEN_VMX_H

#include <linux/types.h>

#include "../limen.h"
#include "vmcs.h"

/* ---- pure ---------------------------------------------------------------- */

/* Values of the capability MSRs, and the two facts that are not in an MSR */
struct vmx_msrs {
	bool cpuid;		/* CPUID.1:ECX.VMX */
	bool rdtscp;		/* CPUID: the CPU has RDTSCP */
	u8 maxphyaddr;		/* CPUID: host physical address width */
	u64 feat_ctl;
	u64 basic;
	u64 misc;
	u64 pin;		/* the TRUE variants where BASIC[55] offers them */
	u64 proc;
	u64 proc2;		/* 0 without secondary controls */
	u64 exit;
	u64 entry;
	u64 ept_vpid;		/* 0 without EPT and VPID */
	u64 cr0_fixed0;
	u64 cr0_fixed1;
	u64 cr4_fixed0;
	u64 cr4_fixed1;
	bool may_apicv;		/* module parameter apicv */
	bool may_post;		/* module parameter posted */
	bool has_vector;	/* this kernel has a gate for notifications */
};

/* What was negotiated; constant after probe */
struct vmx_config {
	u32 revision;
	u32 pin;
	u32 proc;
	u32 proc2;
	u32 exit;
	u32 entry;
	u64 cr0_must;		/* bits that are 1 in hardware whatever the guest says */
	u64 cr0_can;		/* bits that may be 1 */
	u64 cr4_must;
	u64 cr4_can;
	u8 timer_shift;		/* the preemption timer counts TSC >> this */
	u32 watchdog;		/* the longest run, in its units */
	bool ins_info;		/* INS and OUTS report address size and segment */
	bool pt_in_vmx;		/* Intel PT may run in VMX operation */
	bool apicv;		/* the CPU delivers interrupts; see struct pi_hw */
	bool posted;		/* and folds the descriptor */
};

int vmx_negotiate(const struct vmx_msrs *msrs, struct vmx_config *cfg,
		  struct limen_caps *caps);

/* An exit as the VMCS tells it. Fields that vmx_needs() does not name are 0. */
struct vmx_raw {
	u32 reason;
	u32 intr_info;
	u32 intr_error;
	u32 idt_info;
	u32 idt_error;
	u32 insn_len;
	u32 insn_info;
	u32 insn_error;		/* VM-instruction error, vmx_decode_vmfail() */
	u64 qual;
	u64 gpa;
	u64 gla;
	bool ins_info;		/* struct vmx_config */
};

/* which fields a reason defines */
#define VMX_NEED_QUAL		BIT(0)
#define VMX_NEED_LEN		BIT(1)
#define VMX_NEED_INTR		BIT(2)	/* interruption information, error code */
#define VMX_NEED_GPA		BIT(3)
#define VMX_NEED_GLA		BIT(4)
#define VMX_NEED_INSN		BIT(5)	/* instruction information */

u32 vmx_needs(u32 reason);
bool vmx_decode(const struct vmx_raw *raw, struct limen_exit *exit);
void vmx_decode_vmfail(const struct vmx_raw *raw, struct limen_exit *exit);

#define VMX_BITMAP_SIZE		4096
void vmx_bitmap_init(u8 *bitmap);
void vmx_bitmap_open_x2apic(u8 *bitmap);
void vmx_bitmap_trap(u8 *bitmap, u32 index, bool read, bool write);

/* ---- the machine --------------------------------------------------------- */
#ifndef CONFIG_UML

#include <asm/desc_defs.h>

/* MSRs that are swapped by hand, because the VMCS has no field for them */
enum vmx_swap {
	VMX_SWAP_STAR,
	VMX_SWAP_LSTAR,
	VMX_SWAP_CSTAR,
	VMX_SWAP_SFMASK,
	VMX_SWAP_KERNEL_GS_BASE,
	VMX_SWAP_TSC_AUX,	/* last: absent without RDTSCP */
	VMX_NR_SWAP,
};

/* What the world switch needs; layout known to vmx_entry.S */
struct vmx_switch {
	u64 *gpr;
	u64 host_rsp;		/* what VMCS_HOST_RSP holds */
	u64 spec_ctrl;		/* host's, with X86_FEATURE_KERNEL_IBRS */
};

/* What a window found in the CPU, to be put back when it closes */
struct vmx_found {
	bool own;		/* VMX was off: we switched it on */
	bool drs;		/* dr[] was saved, the guest's are loaded */
	u64 prev;		/* the other owner's current VMCS, ~0: none */
	u64 cr4;
	u64 msr[VMX_NR_SWAP];
	u64 debugctl;
	u64 pebs;
	u64 rtit;
	unsigned long dr[4];
	unsigned long dr7;	/* 0: no breakpoint was armed */
	u64 fs_base;
	u16 ldt, ds, es, fs, gs;
	struct desc_ptr gdt;
	struct desc_ptr idt;
};

/* Values that VMCS host fields hold, to spare a VMWRITE */
struct vmx_host_shadow {
	u64 cr0, cr3, cr4;
	u64 fs_base;
	u64 gdt, idt;
	u64 perf_global;
};

enum vmx_held {
	VMX_HELD_NONE,
	VMX_HELD_NMI,
	VMX_HELD_MCE,
};

struct vmx_vcpu {
	struct vmx_switch sw;
	void *vmcs;
	u64 serial;		/* never used twice */
	u64 eptp;
	u16 vpid;		/* 0: none */
	bool ready;		/* the VMCS was initialized */
	bool launched;		/* in this window */
	bool flush_guest;	/* the guest's own translations are stale */
	bool flush_npt;		/* ... and the second level's */
	bool lent;		/* a window borrowed root mode since the last put */
	u8 held;		/* enum vmx_held */
	u8 vector;		/* of the host interrupt that ended the run; or 0 */
	int cpu;		/* whose host fields the VMCS has; -1: none */

	/* what the VMCS holds */
	u32 proc;
	u32 proc2;
	u32 entry;
	u32 tpr_threshold;
	u32 timer;
	u64 cr0, cr3, cr4, efer;
	u64 cr4_own;

	u64 msr[VMX_NR_SWAP];	/* the guest's, while no window is open */
	struct vmx_found found;
	struct vmx_host_shadow host;
};

struct vmx_vm {
	u8 *msr_bitmap;
	u8 *x2apic_bitmap;	/* for a vCPU whose x2APIC hardware virtualizes */
	u64 apic_page;		/* for VMCS_APIC_ACCESS; 0: none */
};

#define VMX_PML_FIRST	511	/* the entry that the CPU writes first */

extern const struct limen_ops vmx_ops;
extern struct vmx_config vmx_cfg;
extern const u32 vmx_swap_index[VMX_NR_SWAP];

/* vmx_setup.c */
int vmx_setup_cpus(void);
void vmx_teardown_cpus(void);
u64 vmx_cpu_region(int cpu);
u16 vmx_vpid_get(void);
void vmx_vpid_put(u16 vpid);
void *vmx_vmcs_alloc(int node);
void vmx_vmcs_init(struct limen_vcpu *vcpu);
void vmx_host_refresh(struct vmx_vcpu *vmx);
void vmx_read_log(struct limen_vcpu *vcpu);

/* vmx_enter.c */
int vmx_open(struct limen_vcpu *vcpu);
void vmx_close(struct limen_vcpu *vcpu);
void vmx_serve(struct limen_vcpu *vcpu);
void vmx_enter(struct limen_vcpu *vcpu);
void vmx_put(struct limen_vcpu *vcpu);

/* vmx_state.c */
void vmx_load(struct limen_vcpu *vcpu, u32 groups);
void vmx_fetch(struct limen_vcpu *vcpu, u32 groups);
void vmx_load_apic(struct limen_vcpu *vcpu, u32 groups);
void vmx_debug_load(struct limen_vcpu *vcpu);
int vmx_nr_swap(void);

/* vmx_l1d.c */
int vmx_l1d_init(void);
void vmx_l1d_fini(void);
void vmx_l1d_flush(void);

/* vmx_dump.c */
void vmx_dump(struct limen_vcpu *vcpu);

/* vmx_entry.S */
int vmx_world_switch(struct vmx_switch *sw, bool launched);
extern char vmx_exit_point[];
extern char vmx_int_stubs[];

#endif /* !CONFIG_UML */
#endif
