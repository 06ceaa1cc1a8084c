/* SPDX-License-Identifier: GPL-2.0-only */
/* AMD-V: what the files of this room share. */
#ifndef LIMEN_SVM_H
#define LIMEN_SVM_H

#include "../limen.h"
#include "vmcb.h"

extern const struct limen_ops svm_ops;

/* What the CPU can; constant after probe */
struct svm_caps {
	u32 features;		/* CPUID 8000_000A EDX */
	u32 asid;		/* ours, the same on every CPU */
	bool tsc_aux;
	bool avic;		/* prepare its tables */
	bool lend_shadow;	/* VMRUN does not load the shadow: QEMU before 9.1 */
};

extern struct svm_caps svm_caps;

/*
 * In the VMCB, CD and NW would make the guest run uncached, and turn the CPU's
 * caches off for all (APM Vol. 2, "Memory Consistency"): they are kept
 * out of it. While the guest has set them, its reads of CR0 exit.
 */
#define SVM_CR0_CACHE	(BIT_ULL(29) | BIT_ULL(30))

static inline u64 svm_cr0_hw(u64 view)
{
	return view & ~SVM_CR0_CACHE;
}

/* @view: what it was; CD and NW change by an exit only */
static inline u64 svm_cr0_view(u64 hw, u64 view)
{
	return hw | (view & SVM_CR0_CACHE);
}

/* Intercepted reads and writes of CRs. CR8 is V_TPR, and the guest's own. */
static inline u16 svm_cr_reads(u64 view)
{
	return view & SVM_CR0_CACHE ? BIT(0) : 0;
}

/* @held: TPR holds an interrupt, so that a lower one would let it in */
static inline u16 svm_cr_writes(bool held)
{
	return BIT(0) | BIT(4) | (held ? BIT(8) : 0);
}

/* One host CPU */
struct svm_cpu {
	struct page *hsave;	/* for VM_HSAVE_PA if the CPU has none */
	struct page *host;	/* VMSAVE area for the host's own state */
	const void *last;	/* vCPU that ran here last; only compared */
	struct vmcb *purge;	/* a guest that ends at once, flushing our ASID */
};

struct svm_vm {
	u8 *msrpm;		/* 8 KiB */
	u64 *top;		/* fifth level, if the host has one */
	u64 ncr3;
	u64 *avic_physical;	/* a page each, or NULL */
	u32 *avic_logical;
};

struct svm_vcpu {
	struct vmcb *vmcb;
	u32 clean;		/* to be stored at the next entry */
	int vmcb_cpu;		/* which CPU may cache @vmcb */
	bool own;		/* this window switched SVM on */
	bool own_hsave;
	bool borrowed;		/* since the last put: KVM's ASIDs are in use */
	bool flushed;		/* since the last put */
	bool held_mce;
	/* NMI, where the CPU does not virtualize its blocking */
	bool nmi_masked;
	bool iret_seen;		/* IRET is about to end the masking */
	bool stepping;		/* TF is ours */
	u64 iret_rip;
	bool step_iret;		/* what is stepped over is that IRET */
	u64 step_rip;
	u64 step_flags;
	/* host values found as the window opened */
	u64 tsc_aux;
	u64 tsc_ratio;
	u64 debugctl;
	unsigned long dr[4];
	unsigned long dr6;
	unsigned long dr7;
	bool dr_loaded;		/* guest's DR0-3 are in the CPU */
};

/* Everything that an exit leaves behind, in plain values */
struct svm_raw {
	u64 code;
	u64 info1;
	u64 info2;
	u32 int_info;
	u32 int_error;
	u32 event_inj;		/* what this entry had to deliver */
	u64 entry_rip;
	u64 rip;
	u64 next_rip;
	u64 dr6;
	u8 nr_insn;
	const u8 *insn;
	bool has_next_rip;
	bool has_decode;
};

/* svm_caps.c */
int svm_probe_caps(u32 features, u32 nr_asids, u32 sev_asids, bool avic,
		   struct limen_caps *caps, struct svm_caps *out);
/* svm_setup.c */
int svm_setup_cpus(void);
void svm_teardown_cpus(void);
struct svm_cpu *svm_this_cpu(void);
struct vmcb *svm_vmcb_alloc(struct limen_vcpu *vcpu);
extern u8 *svm_iopm;
/* svm_avic.c */
#define SVM_AVIC_NOWHERE	~0u
#define SVM_AVIC_BAR		0xfee00000ull
u64 svm_avic_entry(u64 page, u32 host);
int svm_avic_init(struct svm_vm *svm);
void svm_avic_fini(struct svm_vm *svm);
void svm_avic_set(struct limen_vcpu *vcpu, bool running);
void svm_avic_vmcb(struct limen_vcpu *vcpu, struct vmcb *vmcb);
/* svm_bitmap.c, pure */
#define SVM_MSRPM_SIZE	0x2000
#define SVM_IOPM_SIZE	0x3000
void svm_msrpm_init(u8 *map, bool tsc_aux);
void svm_msrpm_trap(u8 *map, u32 msr, bool read, bool write);
/* svm_decode.c, pure */
void svm_decode(const struct svm_raw *raw, struct limen_exit *exit);
/* svm_state.c */
void svm_store(struct limen_vcpu *vcpu, u32 groups);
void svm_fetch(struct limen_vcpu *vcpu, u32 groups);
/* svm_enter.c */
int svm_open(struct limen_vcpu *vcpu);
void svm_close(struct limen_vcpu *vcpu);
void svm_enter(struct limen_vcpu *vcpu);
void svm_put(struct limen_vcpu *vcpu);
/* svm_dump.c */
void svm_dump(struct limen_vcpu *vcpu);
/* svm_entry.S */
void svm_world_switch(u64 vmcb_pa, u64 host_pa, struct limen_regs *regs,
		      bool shadow);

#endif
