// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_DIRTY: what of a range with LIMEN_MEM_LOG was written. The bits are kept and
 * the tables changed by npt/npt_dirty.c; here is the call, and the choice of the way.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dirty.h"
#include "limen.h"
#include "mem.h"
#include "npt/npt_dirty.h"
#include "npt/npt_mmu.h"
#include "npt/npt_ring.h"

/* So many pages while the lock is held */
#define STEP		4096

#define WAY_AUTO	NPT_NR_WAY

static const char * const way_name[] = {
	[NPT_WAY_WP] = "wp",
	[NPT_WAY_AD] = "ad",
	[NPT_WAY_PML] = "pml",
	[WAY_AUTO] = "auto",
};

static unsigned int wanted = WAY_AUTO;
static bool probed;

static bool can(unsigned int way)
{
	switch (way) {
	case NPT_WAY_AD:	return limen_caps.npt_ad;
	case NPT_WAY_PML:	return limen_caps.pml;
	}
	return true;
}

static int wanted_set(const char *val, const struct kernel_param *kp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(way_name); i++)
		if (sysfs_streq(val, way_name[i]))
			break;
	if (i == ARRAY_SIZE(way_name))
		return -EINVAL;
	if (READ_ONCE(probed) && !can(i))
		return -EOPNOTSUPP;
	WRITE_ONCE(wanted, i);
	return 0;
}

static int wanted_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", way_name[READ_ONCE(wanted)]);
}

static const struct kernel_param_ops wanted_ops = {
	.set = wanted_set,
	.get = wanted_get,
};

module_param_cb(dirty_log, &wanted_ops, NULL, 0644);
MODULE_PARM_DESC(dirty_log, "how writes to logged memory are seen in new VMs: pml (page-modification logging), wp (write protection), ad (dirty bits), auto (pml where the CPU has it, else wp; default)");

/**
 * limen_dirty_init() - the CPU is known now
 *
 * Context: module load.
 * Return: 0, or -EOPNOTSUPP if the parameter asks for what it has not.
 */
int limen_dirty_init(void)
{
	WRITE_ONCE(probed, true);
	if (can(READ_ONCE(wanted)))
		return 0;
	pr_err("limen: dirty_log=%s: the CPU lacks that\n", way_name[wanted]);
	return -EOPNOTSUPP;
}

/** limen_dirty_way() - the way for a VM that is made now. Context: any. */
enum npt_way limen_dirty_way(void)
{
	unsigned int way = READ_ONCE(wanted);

	if (way != WAY_AUTO && can(way))
		return way;
	return can(NPT_WAY_PML) ? NPT_WAY_PML : NPT_WAY_WP;
}

static int check(const struct limen_dirty *arg)
{
	u64 end;

	if (arg->op > LIMEN_DIRTY_MARK || arg->count)
		return -EINVAL;
	if (!PAGE_ALIGNED(arg->gpa | arg->len) || !arg->len ||
	    arg->len > LIMEN_MAX_DIRTY || check_add_overflow(arg->gpa, arg->len, &end))
		return -EINVAL;
	return !arg->bitmap == (arg->op == LIMEN_DIRTY_MARK) ? 0 : -EINVAL;
}

/* The pages of a call: bit 0 of @bits is page @first of @range */
struct pages {
	struct limen_mem_range range;
	u64 first;
	u64 n;
	unsigned long *bits;
};

static void take(struct limen_vm *vm, struct pages *p, u32 op)
{
	u64 i, n;
	bool flush;

	spin_lock(&vm->mmu_lock);
	npt_log_drain_all(vm);
	spin_unlock(&vm->mmu_lock);
	for (i = 0; i < p->n; i += n) {
		n = min_t(u64, p->n - i, STEP);
		spin_lock(&vm->mmu_lock);
		if (op == LIMEN_DIRTY_CLEAR)
			flush = npt_log_clear(vm, &p->range, p->first, p->bits, i, i + n);
		else
			flush = npt_log_get(vm, &p->range, p->first + i, n,
					    p->bits + i / BITS_PER_LONG,
					    op == LIMEN_DIRTY_GET_AND_CLEAR);
		if (flush)
			npt_flush_all(vm);
		spin_unlock(&vm->mmu_lock);
		cond_resched();
	}
}

/* Pages written by the VMM, or taken and then not given away */
static void mark(struct limen_vm *vm, const struct pages *p)
{
	u64 i, n;

	for (i = 0; i < p->n; i += n) {
		u64 end = min_t(u64, p->n, i + STEP), k;

		n = STEP;
		spin_lock(&vm->mmu_lock);
		for (k = i; k < end; k++)
			if (!p->bits || test_bit(k, p->bits))
				npt_log_mark(vm, NULL, p->range.gpa +
					     ((p->first + k) << PAGE_SHIFT));
		spin_unlock(&vm->mmu_lock);
		cond_resched();
	}
}

static size_t bytes_of(const struct pages *p)
{
	return BITS_TO_LONGS(p->n) * sizeof(long);
}

/* Under vm->mem_sem: the range and its log stay */
static int act(struct limen_vm *vm, struct limen_dirty *arg, struct pages *p)
{
	void __user *user = (void __user *)(unsigned long)arg->bitmap;

	if (!limen_mem_find(vm, arg->gpa, &p->range) || !p->range.log ||
	    arg->len > p->range.len - (arg->gpa - p->range.gpa))
		return -ENOENT;
	p->first = (arg->gpa - p->range.gpa) >> PAGE_SHIFT;
	if (arg->op == LIMEN_DIRTY_MARK) {
		mark(vm, p);
		return 0;
	}
	take(vm, p, arg->op);
	arg->count = bitmap_weight(p->bits, p->n);
	if (arg->op == LIMEN_DIRTY_CLEAR || !copy_to_user(user, p->bits, bytes_of(p)))
		return 0;
	if (arg->op == LIMEN_DIRTY_GET_AND_CLEAR)
		mark(vm, p);
	return -EFAULT;
}

/**
 * limen_dirty_call() - LIMEN_DIRTY
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_dirty_call(struct limen_vm *vm, struct limen_dirty *arg)
{
	struct pages p = { .n = arg->len >> PAGE_SHIFT };
	int err = check(arg);

	BUILD_BUG_ON(STEP % BITS_PER_LONG);
	if (err)
		return err;
	if (arg->op != LIMEN_DIRTY_MARK) {
		p.bits = kvzalloc(bytes_of(&p), GFP_KERNEL_ACCOUNT);
		if (!p.bits)
			return -ENOMEM;
	}
	if (arg->op == LIMEN_DIRTY_CLEAR &&
	    copy_from_user(p.bits, (void __user *)(unsigned long)arg->bitmap,
			   bytes_of(&p))) {
		err = -EFAULT;
	} else {
		down_read(&vm->mem_sem);
		err = act(vm, arg, &p);
		up_read(&vm->mem_sem);
	}
	kvfree(p.bits);
	return err;
}

/**
 * limen_dirty_ring() - LIMEN_DIRTY_RING
 * @vcpu: the vCPU
 * @arg: the call's argument
 *
 * Context: vcpu->lock.
 * Return: errno.
 */
int limen_dirty_ring(struct limen_vcpu *vcpu, const struct limen_dirty_ring_create *arg)
{
	if (!is_power_of_2(arg->entries) || arg->entries < LIMEN_RING_MIN ||
	    arg->entries > LIMEN_RING_MAX)
		return -EINVAL;
	/* there a page is not known to be dirty before somebody looks */
	if (vcpu->vm->npt.way == NPT_WAY_AD)
		return -EOPNOTSUPP;
	return npt_ring_create(vcpu, arg->entries);
}

/**
 * limen_dirty_taken() - LIMEN_DIRTY_TAKEN
 * @vcpu: the vCPU, which may be running
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_dirty_taken(struct limen_vcpu *vcpu, const struct limen_dirty_taken *arg)
{
	struct limen_vm *vm = vcpu->vm;
	/* pairs with the release in npt_ring_create() */
	struct npt_ring *ring = smp_load_acquire(&vcpu->ring);
	u32 left = arg->count, n;
	bool flush;
	int err;

	if (!ring)
		return -ENOENT;
	spin_lock(&vm->mmu_lock);
	npt_log_drain_all(vm);
	err = left > ring->head - ring->tail ? -EINVAL : 0;
	spin_unlock(&vm->mmu_lock);
	for (; left && !err; left -= n) {
		n = min_t(u32, left, STEP);
		flush = false;
		spin_lock(&vm->mmu_lock);
		err = npt_ring_take(vm, ring, n, &flush);
		if (flush)
			npt_flush_all(vm);
		spin_unlock(&vm->mmu_lock);
		cond_resched();
	}
	return err;
}
