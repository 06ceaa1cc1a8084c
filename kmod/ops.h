/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vendor contract: everything that passes between common code and the
 * mechanism of VT-x (vmx/), AMD-V (svm/) or the scripted CPU of the tests.
 *
 * Common code writes one struct limen_entry, the vendor spends it on exactly one
 * guest entry and fills one struct limen_exit. A vendor never calls policy.
 */
#ifndef LIMEN_OPS_H
#define LIMEN_OPS_H

#include <linux/bits.h>
#include <linux/types.h>

struct limen_vm;
struct limen_vcpu;
struct limen_caps;
struct npt_format;
struct pi_hw;

/*
 * Register groups. GPRs except RSP have no group: they are always in
 * vcpu->regs, before an entry and after an exit.
 */
#define LIMEN_G_REGS	BIT(0)	/* RIP, RSP, RFLAGS; fetched at every exit */
#define LIMEN_G_SEG	BIT(1)	/* sregs.seg[], sregs.gdt, sregs.idt */
#define LIMEN_G_CR	BIT(2)	/* sregs.cr0, cr3, cr4, efer, pdpte[] */
#define LIMEN_G_CR2	BIT(3)	/* sregs.cr2 */
#define LIMEN_G_DR	BIT(4)	/* dr.dr[], dr6, dr7 */
#define LIMEN_G_SYS	BIT(5)	/* all of struct limen_sysregs */
#define LIMEN_G_INTR	BIT(6)	/* ev.shadow, ev.nmi_blocked */
#define LIMEN_G_TSC	BIT(7)	/* tsc_offset; never fetched */
#define LIMEN_G_ALL	(BIT(8) - 1)

/*
 * Of the local APIC memory is the only truth (posted_irq/); these say what hardware
 * that works on it must be told anew. Never fetched, and not in LIMEN_G_ALL.
 */
#define LIMEN_G_APIC	BIT(8)	/* pi.by_hw, mode, ISR, TMR */
#define LIMEN_G_IRR	BIT(9)	/* entry.rvi */

/* What one guest entry shall do. The vendor clears it when it was spent. */
struct limen_entry {
	u32 dirty;		/* LIMEN_G_*: newer in memory than in hardware */
	u32 event;		/* to inject, LIMEN_EVENT_* format; 0: none */
	u32 event_error;
	u8 event_insn_len;	/* software interrupts and exceptions */
	u8 rvi;			/* LIMEN_G_IRR: highest requested vector */
	u8 held_class;		/* of the highest one that only TPR holds; or 0 */
	u64 timer;		/* TSC ticks to LIMEN_KIND_TIMER at the latest; 0: none */
	bool flush;		/* drop this guest's cached translations first */
	bool irq_window;	/* exit as soon as an interrupt can be taken */
	bool nmi_window;	/* exit as soon as an NMI can be taken */
};

enum limen_kind {
	LIMEN_KIND_NONE,	/* back without an exit: try again */
	LIMEN_KIND_HOST_IRQ,	/* pending for the host; taken as the window closes */
	LIMEN_KIND_HOST_NMI,	/* the vendor raises it when the window closes */
	LIMEN_KIND_HOST_MCE,	/* the vendor forwards it when the window closes */
	LIMEN_KIND_NPF,
	LIMEN_KIND_IO,
	LIMEN_KIND_RDMSR,
	LIMEN_KIND_WRMSR,
	LIMEN_KIND_CPUID,
	LIMEN_KIND_HLT,
	LIMEN_KIND_CR,
	LIMEN_KIND_DR,
	LIMEN_KIND_EXCEPTION,
	LIMEN_KIND_XSETBV,
	LIMEN_KIND_HYPERCALL,
	LIMEN_KIND_PAUSE,
	LIMEN_KIND_IRQ_WINDOW,
	LIMEN_KIND_NMI_WINDOW,
	LIMEN_KIND_CACHE,	/* INVD, WBINVD: nothing to do */
	LIMEN_KIND_UD,		/* an instruction the guest does not have */
	LIMEN_KIND_GP,		/* one that faults with #GP(0): RDPMC */
	LIMEN_KIND_SHUTDOWN,
	LIMEN_KIND_TASK_SWITCH,
	LIMEN_KIND_INVALID,	/* the CPU refused the guest state */
	LIMEN_KIND_UNKNOWN,
	LIMEN_KIND_EOI,		/* hardware has ended a vector that we must know of */
	LIMEN_KIND_APIC_WRITE,	/* hardware has written a register, without effect */
	LIMEN_KIND_TPR_BELOW,	/* TPR has fallen below entry.held_class */
	LIMEN_KIND_TIMER,	/* entry.timer is over, or the run was long */
	LIMEN_KIND_LOG_FULL,	/* no room in vcpu->pml */
	LIMEN_NR_KIND,
};

enum limen_cr_op {
	LIMEN_CR_WRITE,		/* MOV to CR from a GPR */
	LIMEN_CR_READ,		/* MOV from CR to a GPR */
	LIMEN_CR_CLTS,
	LIMEN_CR_LMSW,		/* source operand in @val */
	LIMEN_CR_SMSW,		/* to a GPR by @size, or to memory at @mem_at */
	LIMEN_CR_ENCODED,	/* not decoded by the CPU: read the instruction */
};

/* What an exit was. Facts only; handlers decide. */
struct limen_exit {
	enum limen_kind kind;
	u8 insn_len;		/* 0: the CPU does not tell */
	u8 nr_insn;		/* bytes at insn[] that the CPU gave; mostly 0 */
	u8 insn[15];
	bool vectoring;		/* in the delivery of an event, */
	u32 event;		/* this one, if it must be injected again */
	u32 event_error;
	u8 event_insn_len;
	struct {		/* always: for UNKNOWN, INVALID, TASK_SWITCH */
		u64 reason;
		u64 info1;
		u64 info2;
	} hw;
	union {
		struct {
			u64 gpa;
			u64 gva;
			u8 access;	/* LIMEN_ACCESS_* */
			bool has_gva;
			bool in_walk;	/* reading the guest's page tables */
			bool apic;	/* at the page of @apic_page */
		} npf;
		struct {
			u16 port;
			u8 size;
			bool in;
			bool string;
			bool rep;
			u8 addr_size;	/* 2, 4, 8; string forms; 0: not told */
			u8 seg;		/* OUTS; enum limen_sreg */
			bool has_seg;	/* false: read the prefixes */
		} io;
		struct {
			u8 nr;
			u8 gpr;
			u8 op;		/* enum limen_cr_op */
			u8 mem_at;	/* LMSW, SMSW in memory: ModRM at insn[mem_at] */
			u8 size;	/* SMSW to a GPR: 2, 4, 8 */
			u16 val;
		} cr;
		struct {
			u8 nr;
			u8 gpr;
			bool write;
			bool encoded;	/* as LIMEN_CR_ENCODED */
		} dr;
		struct {
			u8 vector;
			u32 error;
			bool has_error;
			u64 payload;	/* #DB: bits of DR6, active high */
		} exc;
		struct {
			u16 offset;	/* APIC_WRITE: of the register */
			u8 vector;	/* EOI */
		} apic;
	};
};

/**
 * struct limen_ops - one vendor
 * @name:  "vmx", "svm" or "fake"
 * @npt:   how this CPU spells a second-level table entry
 * @pi:    hardware that delivers posted interrupts, or NULL
 * @probe: fill @caps and keep what the other calls need; 0, or -EOPNOTSUPP with
 *         the missing requirement noted in @caps. Load time, may sleep.
 * @remove: undo @probe
 * @vm_init: @vm_fini: per-VM memory (MSR and port maps). May sleep.
 * @vcpu_init: @vcpu_fini: per-vCPU memory (VMCS, VMCB). May sleep. After init
 *         all groups count as dirty; the common code fills in the state.
 * @open:  IRQs are off, and stay off until @close: take root mode, put the
 *         guest's own MSRs and debug registers in place. -EAGAIN: root mode is in
 *         transition on this CPU, nothing was changed, try again later.
 * @close: give it all back as it was found, raise what was held (NMI, #MC).
 * @serve: after @close, IRQs on and preemption off: if the CPU took the interrupt
 *         that ended the run off the APIC, have the host serve it. May be NULL.
 * @enter: between open and close. Spends vcpu->entry, runs the guest, fills
 *         vcpu->exit, sets vcpu->valid to the groups that are current in memory.
 * @in_memory: groups that @fetch finds in memory: these need no window
 * @fetch: between open and close, but for @in_memory. Bring @groups into memory
 *         and set vcpu->valid.
 * @put:   the vCPU thread leaves this CPU, or the run ends: IRQs may be on or
 *         off, preemption is off, no window is open.
 * @read_log: between open and close, where vcpu->pml is: set vcpu->nr_pml and let the
 *         CPU begin anew. May be NULL.
 * @apic_page: may be NULL: where accesses to the xAPIC page at its default address
 *         shall lead, for hardware that knows them by it; 0: nowhere
 * @trap_msr: does a guest's access to @index exit? Before the VM runs.
 * @dump:  print the control structure, for LIMEN_KIND_INVALID and _UNKNOWN.
 */
struct limen_ops {
	const char *name;
	const struct npt_format *npt;
	const struct pi_hw *pi;
	u32 in_memory;

	int (*probe)(struct limen_caps *caps);
	void (*remove)(void);
	int (*vm_init)(struct limen_vm *vm);
	void (*vm_fini)(struct limen_vm *vm);
	int (*vcpu_init)(struct limen_vcpu *vcpu);
	void (*vcpu_fini)(struct limen_vcpu *vcpu);

	int (*open)(struct limen_vcpu *vcpu);
	void (*close)(struct limen_vcpu *vcpu);
	void (*serve)(struct limen_vcpu *vcpu);
	void (*enter)(struct limen_vcpu *vcpu);
	void (*fetch)(struct limen_vcpu *vcpu, u32 groups);
	void (*put)(struct limen_vcpu *vcpu);

	void (*read_log)(struct limen_vcpu *vcpu);
	u64 (*apic_page)(struct limen_vm *vm);
	void (*trap_msr)(struct limen_vm *vm, u32 index, bool read, bool write);
	void (*dump)(struct limen_vcpu *vcpu);
};

#endif
