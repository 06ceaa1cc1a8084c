// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_IOEVENTFD: the guest writes, an eventfd is signalled, and the vCPU goes on
 * without user space. io.c asks here before it makes an exit of a write.
 *
 * Readers take no lock: the VM's table is replaced as a whole, under RCU.
 */
#include <linux/eventfd.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "compat.h"
#include "ioevent.h"
#include "limen.h"

/* A copy of the VM's table with room for one more */
static struct limen_ioevents *copy_table(const struct limen_ioevents *old)
{
	u32 nr = old ? old->nr : 0;
	struct limen_ioevents *t;

	t = kvmalloc(struct_size(t, e, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;
	t->nr = nr;
	if (old)
		memcpy(t->e, old->e, nr * sizeof(t->e[0]));
	return t;
}

/* Under vm->lock. The table that was replaced is in *@old, the caller frees it. */
static int change(struct limen_vm *vm, const struct limen_ioevent *e, bool add,
		  struct limen_ioevents **old)
{
	struct limen_ioevents *t;
	int err;

	*old = rcu_dereference_protected(vm->ioevents, lockdep_is_held(&vm->lock));
	if (add && *old && (*old)->nr == LIMEN_MAX_IOEVENTFDS)
		return -EMFILE;
	t = copy_table(*old);
	if (!t)
		return -ENOMEM;
	err = add ? limen_ioevent_insert(t, e) : limen_ioevent_remove(t, e);
	if (err) {
		kvfree(t);
		return err;
	}
	rcu_assign_pointer(vm->ioevents, t);
	return 0;
}

static int assign(struct limen_vm *vm, const struct limen_ioevent *e)
{
	struct limen_ioevents *old;
	int err;

	mutex_lock(&vm->lock);
	err = change(vm, e, true, &old);
	mutex_unlock(&vm->lock);
	if (!err && old)
		kvfree_rcu(old, rcu);
	return err;
}

static int deassign(struct limen_vm *vm, const struct limen_ioevent *e)
{
	struct limen_ioevents *old;
	int err;

	mutex_lock(&vm->lock);
	err = change(vm, e, false, &old);
	mutex_unlock(&vm->lock);
	if (err)
		return err;
	/* nobody signals it once this call has returned */
	synchronize_rcu();
	kvfree(old);
	eventfd_ctx_put(e->ctx);	/* the table's reference */
	return 0;
}

/**
 * limen_ioeventfd() - LIMEN_IOEVENTFD
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int limen_ioeventfd(struct limen_vm *vm, const struct limen_ioeventfd *arg)
{
	struct limen_ioevent e;
	int err;

	err = limen_ioevent_decode(arg, &e);
	if (err)
		return err;
	e.ctx = eventfd_ctx_fdget(arg->fd);
	if (IS_ERR(e.ctx))
		return PTR_ERR(e.ctx);
	if (arg->flags & LIMEN_IOEVENTFD_DEASSIGN) {
		err = deassign(vm, &e);
		eventfd_ctx_put(e.ctx);
		return err;
	}
	err = assign(vm, &e);
	if (err)
		eventfd_ctx_put(e.ctx);
	return err;
}

/**
 * limen_ioeventfd_fini() - the VM ends
 * @vm: the VM
 *
 * Context: may sleep; no vCPU runs, and nobody else can reach the VM.
 */
void limen_ioeventfd_fini(struct limen_vm *vm)
{
	struct limen_ioevents *t = rcu_dereference_protected(vm->ioevents, true);
	u32 i;

	for (i = 0; t && i < t->nr; i++)
		eventfd_ctx_put(t->e[i].ctx);
	kvfree(t);
}

/**
 * limen_ioevent_is_at() - does an ioeventfd wait for writes to this memory?
 * @vm: the VM
 * @gpa: guest-physical address
 *
 * Context: any.
 * Return: false if limen_ioevent_write() would find nothing there.
 */
bool limen_ioevent_is_at(struct limen_vm *vm, u64 gpa)
{
	const struct limen_ioevents *t;
	bool ret;

	rcu_read_lock();
	t = rcu_dereference(vm->ioevents);
	ret = t && limen_ioevent_has(t, LIMEN_IOEVENT_MMIO, gpa);
	rcu_read_unlock();
	return ret;
}

/**
 * limen_ioevent_write() - the guest writes: signal who waits for it
 * @vcpu: the vCPU
 * @space: enum limen_ioevent_space
 * @addr: port or guest-physical address
 * @len: bytes: 1, 2, 4, 8
 * @val: the value; bits above @len are not looked at
 *
 * Context: vCPU thread, no window open.
 * Return: true if an eventfd was signalled: the instruction is done.
 */
bool limen_ioevent_write(struct limen_vcpu *vcpu, u8 space, u64 addr, u8 len,
			 u64 val)
{
	const struct limen_ioevent *e = NULL;
	const struct limen_ioevents *t;

	rcu_read_lock();
	t = rcu_dereference(vcpu->vm->ioevents);
	if (t)
		e = limen_ioevent_find(t, space, addr, len, val);
	if (e)
		limen_eventfd_signal(e->ctx);
	rcu_read_unlock();
	if (e)
		vcpu->stat[LIMEN_STAT_IOEVENTS]++;
	return e;
}
