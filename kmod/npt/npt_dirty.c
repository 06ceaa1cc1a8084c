// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages of a range with a log were written: a bit a page, set when the page is
 * written and cleared when the VMM has taken it. Called by faults, by dirty.c, and by
 * mem.c for what the kernel itself writes.
 *
 * Three ways to see the guest's writes, one for a VM (struct npt):
 * - write protection: a leaf is writable only while its page's bit is set;
 * - dirty bits: leaves are writable, the CPU marks them, and whoever takes a leaf away
 *   or asks for the log looks at the mark;
 * - page-modification logging: the same, and the CPU also writes the address into a
 *   buffer of the vCPU when it sets a mark; the mark itself is not read.
 * In all of them a large leaf is read-only. The first write splits it, not the log.
 *
 * Under vm->mmu_lock. Bits may be set at any time by limen_spot_write().
 */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "../limen.h"
#include "../mem.h"
#include "npt_dirty.h"
#include "npt_mmu.h"
#include "npt_ring.h"
#include "npt_table.h"

#define PML_ENTRIES	512

/**
 * npt_log_mark() - this page was written
 * @vm: the VM
 * @vcpu: who wrote, or NULL
 * @gpa: any address in it; nothing happens where no log is
 *
 * After the write: who takes the bit before must find it again.
 *
 * Context: vm->mmu_lock.
 */
void npt_log_mark(struct limen_vm *vm, struct limen_vcpu *vcpu, u64 gpa)
{
	struct limen_mem_range r;

	if (limen_mem_find(vm, gpa, &r) && r.log &&
	    !test_and_set_bit((gpa - r.gpa) >> PAGE_SHIFT, r.log))
		npt_ring_push(vm, vcpu, gpa);
}

/**
 * npt_log_rights() - what a leaf of level 1 in a range with a log may grant
 * @vm: the VM
 * @r: the range
 * @gpa: of the page
 * @access: LIMEN_MEM_*, by the range and the host
 * @write: is it made for a write, which the caller marks?
 *
 * Context: vm->mmu_lock.
 * Return: LIMEN_MEM_*.
 */
u32 npt_log_rights(struct limen_vm *vm, const struct limen_mem_range *r, u64 gpa,
		   u32 access, bool write)
{
	if (!r->log || write || vm->npt.way != NPT_WAY_WP)
		return access;
	if (!test_bit((gpa - r->gpa) >> PAGE_SHIFT, r->log))
		access &= ~LIMEN_MEM_WRITE;
	return access;
}

/**
 * npt_log_leaf() - spell a leaf of level 1
 * @vm: the VM
 * @r: its range; with a log the leaf counts as clean
 * @hpa: host-physical address
 * @access: from npt_log_rights()
 *
 * Context: vm->mmu_lock.
 */
u64 npt_log_leaf(struct limen_vm *vm, const struct limen_mem_range *r, u64 hpa,
		 u32 access)
{
	const struct npt_format *fmt = vm->npt.fmt;
	u64 leaf = npt_make_leaf(fmt, hpa, access, 1);

	return r->log ? leaf & ~fmt->dirty : leaf;
}

/* Let the next write to this page be seen. True: once the CPUs have flushed. */
static bool rearm(struct limen_vm *vm, u64 gpa)
{
	const struct npt_format *fmt = vm->npt.fmt;
	struct npt_pos pos = npt_walk(&vm->npt, gpa, 1);
	u64 bit = vm->npt.way == NPT_WAY_WP ? fmt->write : fmt->dirty;

	if (pos.level != 1 || !(pos.pte & fmt->present))
		return false;
	/* the CPU sets bits in there too */
	return test_and_clear_bit(__ffs64(bit), (unsigned long *)pos.ptep);
}

/* The marks that the CPU has made become bits; they stay, for rearm() to find */
static void collect(struct limen_vm *vm, const struct limen_mem_range *r, u64 first,
		    u64 end)
{
	u64 gpa = r->gpa + (first << PAGE_SHIFT);

	end = r->gpa + (end << PAGE_SHIFT);
	while (gpa < end) {
		struct npt_pos pos = npt_walk(&vm->npt, gpa, 1);

		if (pos.level == 1 && npt_leaf_is_dirty(&vm->npt, pos.pte))
			set_bit((gpa - r->gpa) >> PAGE_SHIFT, r->log);
		gpa = (gpa | (npt_size(pos.level) - 1)) + 1;
	}
}

/**
 * npt_log_get() - take out of a log
 * @vm: the VM
 * @r: a range with a log
 * @first: its first page that is wanted
 * @n: how many
 * @out: a bit for each is set if the page was written; else left alone
 * @clear: the log forgets them
 *
 * Context: vm->mmu_lock; npt_log_drain_all() was called before.
 * Return: true when a flush is needed, before which more writes to pages in @out may
 * go unseen.
 */
bool npt_log_get(struct limen_vm *vm, const struct limen_mem_range *r, u64 first,
		 u64 n, unsigned long *out, bool clear)
{
	unsigned long i = first, end = first + n;
	bool flush = false;

	if (vm->npt.way == NPT_WAY_AD)
		collect(vm, r, first, end);
	for_each_set_bit_from(i, r->log, end) {
		__set_bit(i - first, out);
		if (!clear)
			continue;
		clear_bit(i, r->log);
		flush |= rearm(vm, r->gpa + ((u64)i << PAGE_SHIFT));
	}
	return flush;
}

/**
 * npt_log_clear() - forget pages that were written
 * @vm: the VM
 * @r: a range with a log
 * @first: the page that bit @from of @which stands for
 * @which: pages to forget
 * @from: first bit to look at
 * @end: behind the last one
 *
 * Context: vm->mmu_lock.
 * Return: as npt_log_get().
 */
bool npt_log_clear(struct limen_vm *vm, const struct limen_mem_range *r, u64 first,
		   const unsigned long *which, unsigned long from, unsigned long end)
{
	bool flush = false;

	for_each_set_bit_from(from, which, end) {
		/* or there is a mark that nobody has seen yet */
		if (test_and_clear_bit(first + from, r->log) ||
		    vm->npt.way == NPT_WAY_AD)
			flush |= rearm(vm, r->gpa + ((first + from) << PAGE_SHIFT));
	}
	return flush;
}

/**
 * npt_log_forget() - this page counts as clean
 * @vm: the VM
 * @gpa: of the page; nothing happens where no log is
 *
 * Context: vm->mmu_lock.
 * Return: as npt_log_get().
 */
bool npt_log_forget(struct limen_vm *vm, u64 gpa)
{
	struct limen_mem_range r;

	return limen_mem_find(vm, gpa, &r) && r.log &&
	       test_and_clear_bit((gpa - r.gpa) >> PAGE_SHIFT, r.log) &&
	       rearm(vm, gpa);
}

/* Under vm->mmu_lock, @vcpu is outside. The CPU fills the buffer from its end. */
static void drain(struct limen_vcpu *vcpu)
{
	unsigned int n = min_t(unsigned int, vcpu->nr_pml, PML_ENTRIES);

	for (; n; n--)
		npt_log_mark(vcpu->vm, vcpu, vcpu->pml[PML_ENTRIES - n]);
	/* read before it is empty; its thread then enters, and the CPU writes */
	smp_store_release(&vcpu->nr_pml, 0);
}

/**
 * npt_log_drain() - what the CPU logged in the window becomes bits
 * @vcpu: the vCPU
 *
 * Context: its thread, no window open.
 */
void npt_log_drain(struct limen_vcpu *vcpu)
{
	/* pairs with the release in drain(), by another thread */
	if (likely(!smp_load_acquire(&vcpu->nr_pml)))
		return;
	spin_lock(&vcpu->vm->mmu_lock);
	drain(vcpu);
	spin_unlock(&vcpu->vm->mmu_lock);
}

/**
 * npt_log_drain_all() - all writes of the guest before this are known
 * @vm: the VM
 *
 * Those that run leave the guest. They don't enter again before they have drained,
 * for which they need the lock.
 *
 * Context: vm->mmu_lock.
 */
void npt_log_drain_all(struct limen_vm *vm)
{
	u32 i;

	if (vm->npt.way != NPT_WAY_PML)
		return;
	npt_kick_all(vm);
	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu = READ_ONCE(vm->vcpu[i]);

		/* pairs with the release in run.c: nr_pml is that of its last window */
		if (vcpu && smp_load_acquire(&vcpu->where) == LIMEN_OUTSIDE &&
		    READ_ONCE(vcpu->nr_pml))
			drain(vcpu);
	}
}
