// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest-physical memory as sorted ranges of the VMM's own memory.
 *
 * Called by the ioctls and, to read and write guest memory, by walk.c, insn.c
 * and clock.c. What backs a range is the host's business: npt/ maps it on
 * demand and follows it.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "limen.h"
#include "mem.h"
#include "npt/npt_dirty.h"
#include "npt/npt_mmu.h"
#include "npt/npt_ring.h"
#include "posted_irq/pi_vapic.h"

#define MEM_RIGHTS	(LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)
#define MEM_FLAGS	(MEM_RIGHTS | LIMEN_MEM_LOG)

/* First range that ends above @gpa. */
static u32 range_index(const struct limen_vm *vm, u64 gpa)
{
	u32 lo = 0, hi = vm->nr_ranges;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (vm->range[mid].gpa + vm->range[mid].len <= gpa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/**
 * limen_mem_find() - the range that covers @gpa
 * @out: a copy of it
 * @vm: the VM
 * @gpa: guest-physical address
 *
 * Context: vm->mem_sem or vm->mmu_lock.
 * Return: false if none does.
 */
bool limen_mem_find(struct limen_vm *vm, u64 gpa, struct limen_mem_range *out)
{
	u32 i = range_index(vm, gpa);

	if (i == vm->nr_ranges || gpa < vm->range[i].gpa)
		return false;
	*out = vm->range[i];
	return true;
}

static int check_range(const struct limen_range *arg, bool with_hva)
{
	u64 end;

	if (arg->flags & ~MEM_FLAGS)
		return -EINVAL;
	if (!PAGE_ALIGNED(arg->gpa) || !PAGE_ALIGNED(arg->len) || !arg->len)
		return -EINVAL;
	if (check_add_overflow(arg->gpa, arg->len, &end) ||
	    end > 1ull << limen_caps.phys_bits)
		return -EINVAL;
	if (!with_hva)
		return arg->hva ? -EINVAL : 0;
	if (!PAGE_ALIGNED(arg->hva) || check_add_overflow(arg->hva, arg->len, &end))
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)arg->hva, arg->len))
		return -EINVAL;
	return 0;
}

/*
 * No leaf may hide the registers of an APIC that is where it is after RESET. One
 * that the guest has moved does not show where memory is.
 */
static int check_apic(const struct limen_range *arg)
{
	bool hides = arg->gpa < PI_BASE_DEFAULT + PAGE_SIZE &&
		     arg->gpa + arg->len > PI_BASE_DEFAULT;

	return hides ? -EINVAL : 0;
}

/* SDM Vol. 3, "EPT Misconfigurations": nothing is writable and not readable */
static int check_flags(const struct limen_range *arg)
{
	if ((arg->flags & LIMEN_MEM_LOG) && arg->len > LIMEN_MAX_LOG)
		return -EINVAL;
	if (arg->flags & LIMEN_MEM_READ)
		return 0;
	if ((arg->flags & MEM_RIGHTS) != LIMEN_MEM_EXEC)
		return -EINVAL;
	return limen_caps.npt_exec_only ? 0 : -EOPNOTSUPP;
}

/* The log that @arg asks for, if @r has none: 0, with *log NULL if none is wanted */
static int log_create(const struct limen_range *arg, const struct limen_mem_range *r,
		      unsigned long **log)
{
	*log = r ? r->log : NULL;
	if (!(arg->flags & LIMEN_MEM_LOG))
		*log = NULL;
	else if (!*log)
		*log = kvcalloc(BITS_TO_LONGS(arg->len >> PAGE_SHIFT), sizeof(long),
				GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return *log || !(arg->flags & LIMEN_MEM_LOG) ? 0 : -ENOMEM;
}

/**
 * limen_mem_map() - LIMEN_MAP
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_mem_map(struct limen_vm *vm, const struct limen_range *arg)
{
	struct limen_mem_range new = {
		.gpa = arg->gpa, .len = arg->len,
		.hva = arg->hva, .flags = arg->flags,
	};
	int err = check_range(arg, true) ?: check_flags(arg) ?: check_apic(arg);
	u32 i;

	if (err)
		return err;
	down_write(&vm->mem_sem);
	i = range_index(vm, arg->gpa);
	if (i < vm->nr_ranges && vm->range[i].gpa < arg->gpa + arg->len)
		err = -EEXIST;
	else if (vm->nr_ranges == LIMEN_MAX_RANGES)
		err = -EMFILE;
	err = err ?: log_create(arg, NULL, &new.log);
	if (!err) {
		spin_lock(&vm->mmu_lock);
		vm->npt.nr_logs += !!new.log;
		WRITE_ONCE(vm->mem_gen, vm->mem_gen + 1);
		memmove(&vm->range[i + 1], &vm->range[i],
			(vm->nr_ranges - i) * sizeof(vm->range[0]));
		vm->range[i] = new;
		vm->nr_ranges++;
		spin_unlock(&vm->mmu_lock);
	}
	up_write(&vm->mem_sem);
	return err;
}

static int range_exact(const struct limen_vm *vm, const struct limen_range *arg)
{
	u32 i = range_index(vm, arg->gpa);

	if (i == vm->nr_ranges || vm->range[i].gpa != arg->gpa ||
	    vm->range[i].len != arg->len)
		return -ENOENT;
	return i;
}

/*
 * Under vm->mem_sem no fault brings a leaf back, so the lock may go now and then. The
 * range must still be known: the notifier finds what is left of it.
 */
static void zap(struct limen_vm *vm, u64 gpa, u64 len)
{
	u64 end = gpa + len, to;

	for (; gpa < end; gpa = to) {
		LIST_HEAD(freed);

		to = min(end, gpa + NPT_ZAP_STEP);
		spin_lock(&vm->mmu_lock);
		if (npt_unmap(&vm->npt, gpa, to - gpa, &freed))
			npt_flush_all(vm);
		spin_unlock(&vm->mmu_lock);
		npt_free_list(&freed);
		cond_resched();
	}
}

/*
 * Spots are used with interrupts off, which RCU waits for: who compared the
 * generation before it changed is done when this returns.
 */
static void retire_spots(struct limen_vm *vm)
{
	if (vm->has_spots)
		synchronize_rcu_expedited();
}

/**
 * limen_mem_unmap() - LIMEN_UNMAP
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_mem_unmap(struct limen_vm *vm, const struct limen_range *arg)
{
	int i = check_range(arg, false);
	unsigned long *log = NULL;

	if (i || arg->flags)
		return i ?: -EINVAL;
	down_write(&vm->mem_sem);
	i = range_exact(vm, arg);
	if (i >= 0) {
		log = vm->range[i].log;
		zap(vm, arg->gpa, arg->len);
		spin_lock(&vm->mmu_lock);
		/* nothing old must get into the log of who comes next */
		npt_log_drain_all(vm);
		vm->npt.nr_logs -= !!log;
		WRITE_ONCE(vm->mem_gen, vm->mem_gen + 1);
		vm->nr_ranges--;
		memmove(&vm->range[i], &vm->range[i + 1],
			(vm->nr_ranges - i) * sizeof(vm->range[0]));
		spin_unlock(&vm->mmu_lock);
		retire_spots(vm);
	}
	up_write(&vm->mem_sem);
	kvfree(log);
	return i < 0 ? i : 0;
}

/**
 * limen_mem_protect() - LIMEN_PROTECT
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_mem_protect(struct limen_vm *vm, const struct limen_range *arg)
{
	int i = check_range(arg, false) ?: check_flags(arg);
	unsigned long *log = NULL, *old = NULL;
	int err = 0;

	if (i)
		return i;
	down_write(&vm->mem_sem);
	i = range_exact(vm, arg);
	err = i < 0 ? i : log_create(arg, &vm->range[i], &log);
	if (!err) {
		old = vm->range[i].log;
		spin_lock(&vm->mmu_lock);
		WRITE_ONCE(vm->mem_gen, vm->mem_gen + 1);
		vm->range[i].flags = arg->flags;
		spin_unlock(&vm->mmu_lock);
		zap(vm, arg->gpa, arg->len);
		spin_lock(&vm->mmu_lock);
		/* writes from before are not in a log that begins now */
		npt_log_drain_all(vm);
		vm->npt.nr_logs += !!log - !!old;
		vm->range[i].log = log;
		spin_unlock(&vm->mmu_lock);
		retire_spots(vm);
	}
	up_write(&vm->mem_sem);
	if (old != log && !err)
		kvfree(old);
	return err;
}

/**
 * limen_mem_fini() - the VM ends
 * @vm: the VM
 *
 * Context: nobody can reach it any more.
 */
void limen_mem_fini(struct limen_vm *vm)
{
	while (vm->nr_ranges)
		kvfree(vm->range[--vm->nr_ranges].log);
}

/* The kernel has written there for the guest */
static void note_write(struct limen_vm *vm, u64 gpa)
{
	if (!READ_ONCE(vm->npt.nr_logs))
		return;
	spin_lock(&vm->mmu_lock);
	npt_log_mark(vm, NULL, gpa);
	spin_unlock(&vm->mmu_lock);
}

/* The VMM's address of @gpa, and how many of @len bytes follow in one page. */
static void __user *hva_of(struct limen_vm *vm, u64 gpa, size_t len, size_t *n,
			   u32 need)
{
	struct limen_mem_range r;

	if (!limen_mem_find(vm, gpa, &r) || (r.flags & need) != need)
		return NULL;
	*n = min_t(u64, len, PAGE_SIZE - offset_in_page(gpa));
	return (void __user *)(unsigned long)(r.hva + (gpa - r.gpa));
}

static int copy_out(struct limen_vm *vm, u64 gpa, void *buf, size_t len, u32 need)
{
	size_t n;
	int err = 0;

	down_read(&vm->mem_sem);
	for (; len && !err; len -= n, gpa += n, buf += n) {
		void __user *p = hva_of(vm, gpa, len, &n, need);

		if (!p || copy_from_user(buf, p, n))
			err = -EFAULT;
		if (err)
			break;
	}
	up_read(&vm->mem_sem);
	return err;
}

/**
 * limen_mem_read() - copy out of guest memory
 * @vm: the VM
 * @gpa: guest-physical address
 * @buf: kernel memory
 * @len: bytes
 *
 * Context: current->mm is the VM's; sleeps.
 * Return: 0, or -EFAULT where no range, no right or no page is.
 */
int limen_mem_read(struct limen_vm *vm, u64 gpa, void *buf, size_t len)
{
	return copy_out(vm, gpa, buf, len, LIMEN_MEM_READ);
}

/**
 * limen_mem_fetch() - copy what the guest executes; as limen_mem_read()
 * @vm: the VM
 * @gpa: guest-physical address
 * @buf: kernel memory
 * @len: bytes
 */
int limen_mem_fetch(struct limen_vm *vm, u64 gpa, void *buf, size_t len)
{
	return copy_out(vm, gpa, buf, len, LIMEN_MEM_EXEC);
}

/**
 * limen_mem_write() - copy into guest memory; as limen_mem_read()
 * @vm: the VM
 * @gpa: guest-physical address
 * @buf: kernel memory
 * @len: bytes
 */
int limen_mem_write(struct limen_vm *vm, u64 gpa, const void *buf, size_t len)
{
	size_t n;
	int err = 0;

	down_read(&vm->mem_sem);
	for (; len && !err; len -= n, gpa += n, buf += n) {
		void __user *p = hva_of(vm, gpa, len, &n,
					LIMEN_MEM_READ | LIMEN_MEM_WRITE);

		if (!p || copy_to_user(p, buf, n))
			err = -EFAULT;
		/* a part may have been written */
		if (p)
			note_write(vm, gpa);
		if (err)
			break;
	}
	up_read(&vm->mem_sem);
	return err;
}

/**
 * limen_mem_cmpxchg() - set accessed and dirty bits in a guest's page table
 * @size: 4 or 8; @gpa is a multiple of it
 * @vm: the VM
 * @gpa: guest-physical address
 * @old: value expected
 * @new: value to store
 *
 * Context: current->mm is the VM's; sleeps.
 * Return: 0, -EAGAIN if the entry is no longer @old, -EFAULT.
 */
int limen_mem_cmpxchg(struct limen_vm *vm, u64 gpa, u64 old, u64 new, int size)
{
	void __user *p;
	int err = -EFAULT;
	size_t n;

	down_read(&vm->mem_sem);
	p = hva_of(vm, gpa, size, &n, LIMEN_MEM_READ | LIMEN_MEM_WRITE);
	if (p)
		err = size == 8 ? limen_user_cmpxchg64(p, old, new) :
				  limen_user_cmpxchg32(p, old, new);
	if (!err)
		note_write(vm, gpa);
	up_read(&vm->mem_sem);
	return err;
}

/**
 * limen_mem_spot() - look up bytes that will be touched where nothing may sleep
 * @vm: the VM
 * @gpa: guest-physical address
 * @len: bytes, all in one page
 * @spot: filled, or emptied on error
 *
 * Context: may sleep.
 * Return: 0, or -EFAULT where no writable memory is.
 */
int limen_mem_spot(struct limen_vm *vm, u64 gpa, size_t len, struct limen_spot *spot)
{
	struct limen_mem_range r = {};
	void __user *p;
	size_t n;

	down_read(&vm->mem_sem);
	p = hva_of(vm, gpa, len, &n, LIMEN_MEM_READ | LIMEN_MEM_WRITE);
	if (p && n < len)
		p = NULL;
	limen_mem_find(vm, gpa, &r);
	/* this thread may be scheduled out on any line, and use the spot then */
	WRITE_ONCE(spot->hva, 0);
	WRITE_ONCE(spot->log, r.log);
	WRITE_ONCE(spot->bit, (gpa - r.gpa) >> PAGE_SHIFT);
	WRITE_ONCE(spot->gpa, gpa);
	WRITE_ONCE(vm->has_spots, true);
	WRITE_ONCE(spot->gen, vm->mem_gen);
	WRITE_ONCE(spot->hva, (unsigned long)p);
	up_read(&vm->mem_sem);
	return p ? 0 : -EFAULT;
}

/* The address, if the range it came from is still what it was. */
static void __user *spot_hva(struct limen_vm *vm, const struct limen_spot *spot)
{
	lockdep_assert_irqs_disabled();
	if (!spot->hva || spot->gen != READ_ONCE(vm->mem_gen))
		return NULL;
	return (void __user *)(unsigned long)spot->hva;
}

/**
 * limen_spot_read() - copy out of guest memory without sleeping
 * @vm: the VM
 * @spot: from limen_mem_spot()
 * @buf: kernel memory
 * @len: bytes, as looked up
 *
 * Context: current->mm is the VM's; IRQs off.
 * Return: 0, or -EFAULT: look it up again, or use limen_mem_read().
 */
int limen_spot_read(struct limen_vm *vm, const struct limen_spot *spot, void *buf,
		    size_t len)
{
	void __user *p = spot_hva(vm, spot);

	return p && !copy_from_user_nofault(buf, p, len) ? 0 : -EFAULT;
}

/**
 * limen_spot_write() - copy into guest memory; as limen_spot_read()
 * @vm: the VM
 * @spot: from limen_mem_spot()
 * @buf: kernel memory
 * @len: bytes, as looked up
 */
int limen_spot_write(struct limen_vm *vm, struct limen_spot *spot, const void *buf,
		     size_t len)
{
	void __user *p = spot_hva(vm, spot);
	int err;

	if (!p)
		return -EFAULT;
	err = copy_to_user_nofault(p, buf, len) ? -EFAULT : 0;
	/* the log lives as long as the range, see retire_spots() */
	if (spot->log && !test_and_set_bit(spot->bit, spot->log))
		WRITE_ONCE(spot->late, true);
	return err;
}

/**
 * limen_spot_settle() - what limen_spot_write() could not do without a lock
 * @vcpu: whose spot it is
 * @spot: the spot
 *
 * Context: the vCPU's thread, no window open.
 */
void limen_spot_settle(struct limen_vcpu *vcpu, struct limen_spot *spot)
{
	struct limen_vm *vm = vcpu->vm;

	if (likely(!READ_ONCE(spot->late)))
		return;
	WRITE_ONCE(spot->late, false);
	spin_lock(&vm->mmu_lock);
	npt_ring_push(vm, vcpu, spot->gpa);
	spin_unlock(&vm->mmu_lock);
}
