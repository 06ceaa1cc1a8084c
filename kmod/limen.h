/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of the module: a VM and its vCPUs, as common code, the vendors and
 * the tests see them. No x86 header is needed, so pure files build under UML.
 *
 * Lock order: vm->lock, vcpu->lock, vm->mem_sem, mmap_lock, vm->mmu_lock.
 * Legend on members: (i) set before the object is published, then constant;
 * (v) vcpu->lock; (l) vm->lock; (m) vm->mem_sem and vm->mmu_lock to write,
 * either to read; (a) atomic; (t) vcpu->thread_lock.
 */
#ifndef LIMEN_LIMEN_H
#define LIMEN_LIMEN_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/mmu_notifier.h>
#include <linux/nospec.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "../uapi/linux/limen.h"
#include "caps.h"
#include "ops.h"
#include "npt/npt.h"
#include "posted_irq/pi.h"
#include "posted_irq/pi_irqfd.h"

struct vmx_vm;
struct vmx_vcpu;
struct svm_vm;
struct svm_vcpu;
struct limen_fpu;
struct limen_ioevents;
struct npt_ring;
struct file;

/* MSRs that live in the CPU, or in its control structure, while a guest runs */
struct limen_sysregs {
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 pat;
	u64 debugctl;
	u64 tsc_aux;
};

/*
 * A few bytes of guest memory that are reached where nothing may sleep: the VMM's
 * address of them, good as long as vm->mem_gen is @gen.
 */
struct limen_spot {
	u64 hva;		/* 0: none */
	u64 gen;
	unsigned long *log;	/* of its range, or NULL */
	u64 bit;		/* in it */
	u64 gpa;
	bool late;		/* no ring knows yet that the bit was set */
};

/* Other MSRs that only hold a value */
struct limen_softmsrs {
	u64 misc_enable;
	u64 mtrr_def_type;
	u64 mtrr_fixed[11];
	u64 mtrr_var[16];
	u64 clock_system;	/* MSR_KVM_SYSTEM_TIME_NEW */
	u64 clock_wall;		/* MSR_KVM_WALL_CLOCK_NEW */
	u64 steal_time;		/* MSR_KVM_STEAL_TIME */
	u64 pv_eoi;		/* MSR_KVM_PV_EOI_EN */
};

enum limen_stat_id {
	LIMEN_STAT_RUNS = LIMEN_NR_KIND,	/* below: exits by kind */
	LIMEN_STAT_USER_EXITS,
	LIMEN_STAT_WINDOWS,
	LIMEN_STAT_BORROWED,	/* windows in which root mode was found on */
	LIMEN_STAT_FLUSHES,
	LIMEN_STAT_INJECTED,
	LIMEN_STAT_IOEVENTS,	/* writes that signalled an ioeventfd */
	LIMEN_STAT_PV_EOIS,	/* interrupts that ended without an exit */
	LIMEN_STAT_HALT_NS,
	LIMEN_STAT_POLLS_HIT,	/* something came while a halted vCPU polled */
	LIMEN_STAT_POLLS_MISSED,
	LIMEN_STAT_YIELDS,	/* CPU given to another vCPU's thread */
	LIMEN_STAT_GUEST_NS,
	LIMEN_NR_STAT,
};

/* What a handler tells the run loop. Not an errno, so it can't be taken for one. */
enum limen_next {
	LIMEN_RESUME = 1,	/* enter again; the window may stay open */
	LIMEN_RELOAD,		/* close the window, then go on */
	LIMEN_TO_USER,		/* vcpu->run says why */
	LIMEN_FAILED,		/* LIMEN_RUN returns vcpu->error */
};

/* bits of vcpu->requests */
enum limen_request {
	LIMEN_REQ_KICK,		/* sticky; consumed by one LIMEN_RUN */
	LIMEN_REQ_FLUSH,
	LIMEN_REQ_NMI,		/* vcpu->nmi_posted has grown */
	LIMEN_REQ_INIT,
	LIMEN_REQ_SIPI,
	LIMEN_REQ_CLOCK,	/* refresh the paravirtual clock page */
	LIMEN_REQ_TIMER,	/* the APIC timer has fired */
	LIMEN_REQ_UNHALT,	/* sticky; consumed by one HLT */
	LIMEN_REQ_EXTINT,	/* the 8259A's wire has changed */
	LIMEN_REQ_LEVEL,	/* pi.level has grown */
	LIMEN_REQ_APIC_PAGE,	/* this vCPU's APIC is no more where apic_page is */
	LIMEN_REQ_DEAD,
};

/* vcpu->where; the writer of a request reads it after a full barrier */
enum limen_where {
	LIMEN_OUTSIDE,		/* will look at requests before it enters */
	LIMEN_IN_GUEST,		/* needs an IPI */
};

struct limen_vcpu {
	struct limen_vm *vm;		/* (i) */
	u32 id;				/* (i) APIC id */
	struct mutex lock;		/* one ioctl at a time */

	/* guest state, (v); see LIMEN_G_* for which of it is current when */
	struct limen_regs regs;
	struct limen_sregs sregs;
	struct limen_debugregs dr;
	struct limen_sysregs sys;
	struct limen_softmsrs soft;
	struct limen_events ev;
	u64 tsc_offset;
	u64 tsc_adjust;
	struct limen_fpu *fpu;		/* XSAVE area; NULL in tests */
	struct pi_vcpu pi;		/* local APIC and mailbox */

	/* the contract, (v) */
	struct limen_entry entry;
	struct limen_exit exit;
	u32 valid;			/* groups current in memory */
	bool window;			/* a window is open */

	/* the run, (v) except (a) */
	unsigned long requests;		/* (a) */
	atomic_t nmi_posted;		/* (a) NMIs not yet taken into ev */
	u8 sipi_vector;			/* (a) written before LIMEN_REQ_SIPI */
	int where;			/* (a) enum limen_where */
	int cpu;			/* (a) while IN_GUEST: where */
	int last_cpu;			/* of the last entry; -1: none */
	u64 tlb_gen;			/* vm->tlb_gen it has flushed for */
	unsigned long clock_next;	/* jiffies: refresh the clock page */
	int clock_cpu;			/* whose TSC it was written with */
	struct limen_spot steal_spot;	/* "preempted" of the steal-time page */
	u64 steal_seen;			/* run_delay of @thread that was told */
	struct limen_spot eoi_spot;	/* the flag of soft.pv_eoi */
	bool eoi_offered;		/* in the guest: it may clear that flag */
	bool steal_stale;		/* the page says that we do not run */
	struct pid *thread;		/* that called LIMEN_RUN last; (t) */
	spinlock_t thread_lock;		/* (t) to write with (v), or either to read */
	bool ready;			/* (a) @thread waits for a CPU */
	bool want_yield;		/* before the next window */
	struct limen_vcpu *yield_to;	/* to whom; NULL: to anyone */
	u32 halt_poll;			/* ns to poll in the next HLT */
	struct rcuwait wait;		/* sleeps in HLT and WAIT_SIPI */
	struct preempt_notifier preempt;
	bool loaded;
	unsigned long irqflags;		/* of the open window */

	struct limen_run *run;		/* (i) the shared page */
	u32 pending;			/* exit that waits for completion */
	bool shutdown;			/* a triple fault that user space must hear of */
	int error;			/* with LIMEN_FAILED: the errno */
	u32 eoi_vector;			/* of LIMEN_EXIT_EOI */
	u64 unread_rip;			/* instruction that could not be read, */
	u8 nr_unread;			/* and how often in a row */
	bool want_irq_window;		/* for the 8259A */

	/*
	 * Where the CPU logs writes, or NULL; the last nr_pml of its 512 entries
	 * are not yet in a range's log. (m: mmu_lock) while the vCPU is outside.
	 */
	u64 *pml;			/* (i) */
	u16 nr_pml;
	struct npt_ring *ring;		/* set once, (m: mmu_lock); or NULL */

	struct limen_cpuid_entry *cpuid;	/* (v) */
	u32 nr_cpuid;
	u32 pv_features;		/* derived from @cpuid: PV_* */
	u64 cr4_allowed;
	u64 efer_allowed;
	u64 xcr0_allowed;

	u64 stat[LIMEN_NR_STAT];

	union {				/* (i) */
		struct vmx_vcpu *vmx;
		struct svm_vcpu *svm;
		void *fake;
	};
};

struct limen_mem_range {
	u64 gpa;
	u64 len;
	u64 hva;
	u32 flags;
	unsigned long *log;	/* with LIMEN_MEM_LOG: a bit a page; see npt_dirty.c */
};

struct limen_vm {
	struct kref ref;
	struct mm_struct *mm;		/* (i) the owner's address space */
	struct mutex lock;
	bool ran;			/* (l) a vCPU has run: policy is fixed */
	bool dead;			/* (a) once set, stays */

	struct limen_vcpu *vcpu[LIMEN_MAX_VCPUS];	/* (l) to write; set once */
	u32 nr_vcpus;			/* (l) */

	struct rw_semaphore mem_sem;
	spinlock_t mmu_lock;		/* ranges, tables, notifier counts */
	struct limen_mem_range range[LIMEN_MAX_RANGES];	/* (m) sorted by gpa */
	u32 nr_ranges;			/* (m) */
	u64 mem_gen;			/* (m) changes of the ranges */
	bool has_spots;			/* (a) once set, stays; under mem_sem */
	struct npt npt;			/* second-level table, mmu_lock */
	struct mmu_notifier notifier;
	unsigned long mn_seq;		/* (m: mmu_lock) */
	long mn_active;			/* (m: mmu_lock) invalidations running */
	u64 mn_start, mn_end;		/* (m: mmu_lock) their union */
	atomic64_t tlb_gen;		/* (a) */
	struct list_head shrink;	/* of all VMs, and */
	u64 shrink_seen;		/* windows at the last look; see npt_shrink.c */

	struct limen_policy policy[LIMEN_MAX_POLICY];	/* (l), const once ran */
	u32 nr_policy;

	bool apic_page_gone;		/* (m: mmu_lock) some vCPU's APIC is elsewhere */
	struct pi_irqfds irqfds;
	struct limen_ioevents __rcu *ioevents;	/* (l) to write, RCU to read */

	s64 clock_offset;		/* (a) */
	u32 halt_poll_max;		/* (a) ns */
	u32 yield_last;			/* (a) id of the vCPU that got a CPU last */
	int extint;			/* (a) level of the 8259A's wire */

	union {				/* (i) */
		struct vmx_vm *vmx;
		struct svm_vm *svm;
		void *fake;
	};
};

extern const struct limen_ops *limen_ops;	/* the vendor in use */
extern struct limen_caps limen_caps;
extern bool limen_apicv, limen_posted;		/* module parameters */

/* vcpu.c: what other rooms may ask of a vCPU, from any context */
void limen_vcpu_request(struct limen_vcpu *vcpu, enum limen_request req);
void limen_vcpu_notify(struct limen_vcpu *vcpu);
void limen_vcpu_notify_posted(struct limen_vcpu *vcpu);
void limen_vcpu_nmi(struct limen_vcpu *vcpu);
void limen_vm_kill(struct limen_vm *vm, const char *why);

/* NULL: there is none of this id, which may come from a guest */
static inline struct limen_vcpu *limen_vcpu_of(struct limen_vm *vm, u64 id)
{
	if (id >= LIMEN_MAX_VCPUS)
		return NULL;
	/* pairs with the release in limen_vm_publish() */
	return smp_load_acquire(&vm->vcpu[array_index_nospec(id, LIMEN_MAX_VCPUS)]);
}

static inline void limen_dirty(struct limen_vcpu *vcpu, u32 groups)
{
	vcpu->entry.dirty |= groups;
	vcpu->valid |= groups;
}

#endif
