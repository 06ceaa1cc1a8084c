// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU: creation, reset, requests from other threads, its thread.
 *
 * A request is a bit and then a notification: whoever sets the bit looks where
 * the vCPU is, after a full barrier; the vCPU says where it is and then looks at
 * the bits, with a full barrier between. One of the two sees the other.
 */
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "cpuid.h"
#include "fpu.h"
#include "limen.h"
#include "npt/npt_ring.h"
#include "pv.h"
#include "vcpu.h"

#define RFLAGS_FIXED	BIT(1)
#define CR0_RESET	0x60000010ull	/* CD, NW, ET */
#define DR6_RESET	0xffff0ff0ull
#define DR7_RESET	0x400ull
#define PAT_RESET	0x0007040600070406ull

static bool has_posting(void)
{
	return limen_ops->pi && limen_ops->pi->post;
}

static void notify(struct limen_vcpu *vcpu, void (*send)(int cpu))
{
	int cpu;

	/* pairs with the barrier after where = IN_GUEST in run.c */
	smp_mb();
	/* a CPU that is in a guest can't go offline before we have sent to it */
	preempt_disable();
	if (READ_ONCE(vcpu->where) == LIMEN_IN_GUEST) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu >= 0 && cpu != smp_processor_id())
			send(cpu);
	}
	preempt_enable();
	rcuwait_wake_up(&vcpu->wait);
}

/**
 * limen_vcpu_notify() - make the vCPU look at its requests and its mailbox
 * @vcpu: the vCPU
 *
 * Context: any but NMI; the caller has made visible what is to be seen.
 */
void limen_vcpu_notify(struct limen_vcpu *vcpu)
{
	notify(vcpu, limen_resched_cpu);
}

/**
 * limen_vcpu_notify_posted() - make the vCPU, or its CPU, look at its descriptor
 * @vcpu: the vCPU
 *
 * If the CPU folds descriptors the guest's run goes on. A vCPU whose hardware is
 * just being switched over leaves the guest on any interrupt, and looks then.
 *
 * Context: any but NMI; the caller has made visible what is to be seen.
 */
void limen_vcpu_notify_posted(struct limen_vcpu *vcpu)
{
	notify(vcpu, has_posting() ? limen_posted_ipi : limen_resched_cpu);
}

/**
 * limen_vcpu_request() - set a request and notify
 * @vcpu: the vCPU
 * @req: LIMEN_REQ_*
 *
 * Context: any but NMI.
 */
void limen_vcpu_request(struct limen_vcpu *vcpu, enum limen_request req)
{
	set_bit(req, &vcpu->requests);
	limen_vcpu_notify(vcpu);
}

/**
 * limen_vcpu_nmi() - one more NMI for the guest
 * @vcpu: the vCPU
 *
 * Context: any but NMI.
 */
void limen_vcpu_nmi(struct limen_vcpu *vcpu)
{
	atomic_inc(&vcpu->nmi_posted);
	limen_vcpu_request(vcpu, LIMEN_REQ_NMI);
}

static void reset_segment(struct limen_segment *seg, u16 sel, u64 base, u32 ar)
{
	*seg = (struct limen_segment){
		.sel = sel, .base = base, .limit = 0xffff, .ar = ar,
	};
}

/*
 * SDM Vol. 3, "Processor State After Reset", Table "IA-32 and Intel 64 Processor
 * States Following Power-up, Reset, or INIT"
 */
static void reset_sregs(struct limen_vcpu *vcpu, bool init)
{
	struct limen_sregs *s = &vcpu->sregs;
	u64 cd_nw = s->cr0 & 0x60000000ull;
	u64 xcr0 = s->xcr0;
	int i;

	memset(s, 0, sizeof(*s));
	for (i = LIMEN_ES; i <= LIMEN_GS; i++)
		reset_segment(&s->seg[i], 0, 0, 0x93);
	reset_segment(&s->seg[LIMEN_CS], 0xf000, 0xffff0000, 0x9b);
	reset_segment(&s->seg[LIMEN_LDTR], 0, 0, 0x82);
	reset_segment(&s->seg[LIMEN_TR], 0, 0, 0x8b);
	s->gdt.limit = 0xffff;
	s->idt.limit = 0xffff;
	/* INIT keeps CD and NW, and XCR0 */
	s->cr0 = init ? cd_nw | 0x10 : CR0_RESET;
	s->xcr0 = init ? xcr0 : 1;
}

/**
 * limen_vcpu_reset() - RESET, or INIT if @init
 * @vcpu: the vCPU
 * @init: INIT rather than RESET
 *
 * Context: vcpu->lock.
 */
void limen_vcpu_reset(struct limen_vcpu *vcpu, bool init)
{
	memset(&vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs.rip = 0xfff0;
	vcpu->regs.rflags = RFLAGS_FIXED;
	vcpu->regs.gpr[LIMEN_RDX] = limen_cpuid_signature(vcpu);
	reset_sregs(vcpu, init);
	memset(&vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr.dr6 = DR6_RESET;
	vcpu->dr.dr7 = DR7_RESET;
	memset(&vcpu->ev, 0, sizeof(vcpu->ev));
	if (!init) {
		memset(&vcpu->sys, 0, sizeof(vcpu->sys));
		memset(&vcpu->soft, 0, sizeof(vcpu->soft));
		vcpu->sys.pat = PAT_RESET;
		vcpu->soft.misc_enable = 1;	/* fast strings */
		limen_fpu_reset(vcpu);
	}
	limen_pv_reset(vcpu);
	pi_reset(vcpu, init);
	vcpu->ev.mp_state = vcpu->id ? LIMEN_MP_WAIT_SIPI : LIMEN_MP_RUNNING;
	vcpu->pending = LIMEN_EXIT_NONE;
	vcpu->shutdown = false;
	limen_dirty(vcpu, LIMEN_G_ALL);
}

/**
 * limen_vcpu_create() - allocate a vCPU in the state after RESET
 * @vm: the VM
 * @id: APIC id
 *
 * Context: may sleep; the caller publishes it.
 * Return: the vCPU or an error pointer.
 */
struct limen_vcpu *limen_vcpu_create(struct limen_vm *vm, u32 id)
{
	struct limen_vcpu *vcpu;
	int err = -ENOMEM;

	BUILD_BUG_ON(sizeof(struct limen_run) > PAGE_SIZE);
	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->last_cpu = -1;
	vcpu->cpu = -1;
	mutex_init(&vcpu->lock);
	spin_lock_init(&vcpu->thread_lock);
	rcuwait_init(&vcpu->wait);

	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run)
		goto err_free;
	err = limen_fpu_init(vcpu);
	if (err)
		goto err_free_run;
	err = pi_init(vcpu);
	if (err)
		goto err_fpu_fini;
	err = limen_ops->vcpu_init(vcpu);
	if (err)
		goto err_pi_fini;
	limen_cpuid_derive(vcpu);
	/* a guest's TSC starts at 0 */
	vcpu->tsc_offset = -limen_host_tsc();
	limen_vcpu_reset(vcpu, false);
	return vcpu;

err_pi_fini:
	pi_fini(vcpu);
err_fpu_fini:
	limen_fpu_fini(vcpu);
err_free_run:
	free_page((unsigned long)vcpu->run);
err_free:
	kfree(vcpu);
	return ERR_PTR(err);
}

/**
 * limen_vcpu_destroy() - free it
 * @vcpu: the vCPU
 *
 * Context: nobody can reach it any more.
 */
void limen_vcpu_destroy(struct limen_vcpu *vcpu)
{
	pi_fini(vcpu);
	limen_ops->vcpu_fini(vcpu);
	limen_fpu_fini(vcpu);
	npt_ring_destroy(vcpu);
	kfree(vcpu->cpuid);
	put_pid(vcpu->thread);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu);
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct limen_vcpu *vcpu = container_of(pn, struct limen_vcpu, preempt);

	WRITE_ONCE(vcpu->ready, false);
	if (has_posting())
		pi_load(vcpu, cpu);
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct limen_vcpu *vcpu = container_of(pn, struct limen_vcpu, preempt);

	WRITE_ONCE(vcpu->ready, task_is_running(current));
	if (has_posting())
		pi_put(vcpu);
	limen_ops->put(vcpu);
	limen_steal_pause(vcpu);
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

/* run_delay is a thread's: with another one it counts from here */
static void note_thread(struct limen_vcpu *vcpu)
{
	struct pid *old;

	if (vcpu->thread == task_pid(current))
		return;
	old = vcpu->thread;
	spin_lock(&vcpu->thread_lock);
	vcpu->thread = get_task_pid(current, PIDTYPE_PID);
	spin_unlock(&vcpu->thread_lock);
	put_pid(old);
	vcpu->steal_seen = limen_run_delay();
}

/**
 * limen_vcpu_load() - the calling thread starts to run it
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 */
void limen_vcpu_load(struct limen_vcpu *vcpu)
{
	note_thread(vcpu);
	preempt_notifier_init(&vcpu->preempt, &preempt_ops);
	preempt_disable();
	preempt_notifier_register(&vcpu->preempt);
	if (has_posting())
		pi_load(vcpu, smp_processor_id());
	vcpu->loaded = true;
	preempt_enable();
}

/**
 * limen_vcpu_put() - and stops
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 */
void limen_vcpu_put(struct limen_vcpu *vcpu)
{
	unsigned long flags;

	preempt_disable();
	preempt_notifier_unregister(&vcpu->preempt);
	vcpu->loaded = false;
	if (has_posting())
		pi_put(vcpu);
	limen_ops->put(vcpu);
	local_irq_save(flags);
	limen_steal_pause(vcpu);
	local_irq_restore(flags);
	preempt_enable();
}
