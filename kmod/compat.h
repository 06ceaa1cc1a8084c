/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only file that knows that kernels differ. By feature, probed in Kbuild
 * (LIMEN_HAVE_*), never by version. In the test units (LIMEN_KUNIT), on any
 * architecture, tests/fake.c stands for the host.
 */
#ifndef LIMEN_COMPAT_H
#define LIMEN_COMPAT_H

#include <linux/errno.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/uaccess.h>

#ifdef LIMEN_KUNIT
u64 limen_host_tsc(void);
u32 limen_tsc_khz(void);
int limen_guest_work(void);
bool limen_guest_work_pending(void);
void limen_resched_cpu(int cpu);
void limen_posted_ipi(int cpu);
u8 limen_posted_vector(void);
u32 limen_apic_id(int cpu);
void limen_rcu_note(int cpu);
u64 limen_run_delay(void);
bool limen_has_run_delay(void);
#else

#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#ifdef LIMEN_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif
#ifdef LIMEN_HAVE_ENTRY_VIRT
#include <linux/entry-virt.h>
#else
#include <linux/entry-kvm.h>
#endif

static inline u64 limen_host_tsc(void)
{
	return rdtsc();
}

static inline u32 limen_tsc_khz(void)
{
	return tsc_khz;
}

static __always_inline u64 limen_rdmsr(u32 index)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (index));
	return (u64)hi << 32 | lo;
}

static __always_inline void limen_wrmsr(u32 index, u64 val)
{
	asm volatile("wrmsr" : : "c" (index), "a" ((u32)val),
		     "d" ((u32)(val >> 32)) : "memory");
}

static inline int limen_rdmsr_safe(u32 index, u64 *val)
{
#ifdef LIMEN_HAVE_RDMSRQ
	return rdmsrq_safe(index, val);
#else
	return rdmsrl_safe(index, val);
#endif
}

/* add 1 and wake; from any context but NMI */
static inline void limen_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef LIMEN_HAVE_EVENTFD_SIGNAL_ONE
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

int limen_guest_work(void);	/* guest_work.c */

static inline bool limen_guest_work_pending(void)
{
	return xfer_to_guest_mode_work_pending();
}

static inline void limen_resched_cpu(int cpu)
{
#ifdef LIMEN_HAVE_ARCH_RESCHED
	arch_smp_send_reschedule(cpu);
#else
	smp_send_reschedule(cpu);
#endif
}

/*
 * The vector that KVM's host handler answers with an EOI and nothing else, so that
 * it can be shared. 0: this kernel has no KVM, and no gate for it.
 */
static inline u8 limen_posted_vector(void)
{
#ifdef POSTED_INTR_VECTOR
	return POSTED_INTR_VECTOR;
#else
	return 0;
#endif
}

static inline void limen_posted_ipi(int cpu)
{
#ifdef LIMEN_HAVE_SEND_IPI_CALL
	__apic_send_IPI_mask(cpumask_of(cpu), limen_posted_vector());
#else
	apic->send_IPI_mask(cpumask_of(cpu), limen_posted_vector());
#endif
}

static inline u32 limen_apic_id(int cpu)
{
	return per_cpu(x86_cpu_to_apicid, cpu);
}

static inline void limen_rcu_note(int cpu)
{
#ifdef LIMEN_HAVE_RCU_NOTE_VOID
	rcu_virt_note_context_switch();
#else
	rcu_virt_note_context_switch(cpu);
#endif
}

static inline bool limen_has_run_delay(void)
{
	return sched_info_on();
}

/* ns that the calling thread was ready to run and did not */
static inline u64 limen_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* 0, -EAGAIN if *p is not @old any more, -EFAULT */
#define LIMEN_USER_CMPXCHG(bits)					\
static inline int limen_user_cmpxchg##bits(void __user *ptr, u64 old, u64 new) \
{									\
	u##bits __user *p = ptr;					\
	u##bits expect = old;						\
	int err = -EAGAIN;						\
									\
	if (!user_access_begin(p, sizeof(*p)))				\
		return -EFAULT;						\
	if (unsafe_try_cmpxchg_user(p, &expect, (u##bits)new, fault))	\
		err = 0;						\
	user_access_end();						\
	return err;							\
fault:									\
	user_access_end();						\
	return -EFAULT;							\
}

LIMEN_USER_CMPXCHG(32)
LIMEN_USER_CMPXCHG(64)

#endif /* !LIMEN_KUNIT */

#ifndef LIMEN_HAVE_HRTIMER_SETUP
static inline void limen_hrtimer_setup(struct hrtimer *timer,
				       enum hrtimer_restart (*fn)(struct hrtimer *),
				       clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#else
#define limen_hrtimer_setup	hrtimer_setup
#endif

/* What the ageing callbacks of an mmu notifier return */
#ifdef LIMEN_HAVE_YOUNG_BOOL
typedef bool limen_young_t;
#else
typedef int limen_young_t;
#endif

#ifdef LIMEN_HAVE_SHRINKER_ALLOC
static inline struct shrinker *
limen_shrinker_create(unsigned long (*count)(struct shrinker *, struct shrink_control *),
		      unsigned long (*scan)(struct shrinker *, struct shrink_control *))
{
	struct shrinker *s = shrinker_alloc(0, "limen-npt");

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	return s;
}

static inline void limen_shrinker_destroy(struct shrinker *s)
{
	shrinker_free(s);
}
#else
static inline struct shrinker *
limen_shrinker_create(unsigned long (*count)(struct shrinker *, struct shrink_control *),
		      unsigned long (*scan)(struct shrinker *, struct shrink_control *))
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	if (!register_shrinker(s, "limen-npt"))
		return s;
	kfree(s);
	return NULL;
}

static inline void limen_shrinker_destroy(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#endif

/* No mprotect() gives this mapping these rights (VM_MAY*) later. */
static inline void limen_vma_never(struct vm_area_struct *vma, unsigned long may)
{
#ifdef LIMEN_HAVE_VM_FLAGS_CLEAR
	vm_flags_clear(vma, may);
#else
	vma->vm_flags &= ~may;
#endif
}

#endif
