// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIMEN_IRQFD: an eventfd whose signal is an interrupt message. The message is
 * sent from the eventfd's wake-up callback, so no thread of the VMM runs; the end
 * of a level-triggered one is another eventfd's signal.
 *
 * The callback and a change of the message are under the eventfd's own wait-queue
 * lock. An eventfd whose last descriptor was closed calls back once more; what is
 * left of its irqfd is freed by the next LIMEN_IRQFD or with the VM, at most
 * LIMEN_MAX_IRQFDS of them and charged to the VM's owner. So no work item is
 * needed that would have to be waited for.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "../compat.h"
#include "../limen.h"
#include "pi_local.h"

struct irqfd {
	struct list_head node;		/* vm->lock */
	struct list_head resampled;	/* vm->lock to write, RCU to read */
	struct limen_vm *vm;
	struct eventfd_ctx *ctx;
	struct eventfd_ctx *resample;	/* NULL: none */
	wait_queue_head_t *wqh;		/* of @ctx */
	wait_queue_entry_t wait;
	poll_table pt;
	u64 addr;			/* wqh->lock */
	u32 data;			/* wqh->lock to write */
	bool closed;			/* (a) the eventfd's file is gone */
};

/**
 * pi_irqfd_init() - a VM has none
 * @irqfds: the VM's
 *
 * Context: any.
 */
void pi_irqfd_init(struct pi_irqfds *irqfds)
{
	INIT_LIST_HEAD(&irqfds->list);
	INIT_LIST_HEAD(&irqfds->resampled);
}

/* under wqh->lock, IRQs off */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync,
			void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLHUP)
		WRITE_ONCE(irqfd->closed, true);
	if (!(events & EPOLLIN) || irqfd->closed)
		return 0;
	eventfd_ctx_do_read(irqfd->ctx, &count);
	pi_msi(irqfd->vm, irqfd->addr, irqfd->data);
	return 0;
}

static void irqfd_queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct irqfd *irqfd = container_of(pt, struct irqfd, pt);

	irqfd->wqh = wqh;
	add_wait_queue(wqh, &irqfd->wait);
}

/* what was signalled before the assignment */
static void deliver_pending(struct irqfd *irqfd)
{
	u64 count;

	spin_lock_irq(&irqfd->wqh->lock);
	eventfd_ctx_do_read(irqfd->ctx, &count);
	if (count)
		pi_msi(irqfd->vm, irqfd->addr, irqfd->data);
	spin_unlock_irq(&irqfd->wqh->lock);
}

static void irqfd_free(struct irqfd *irqfd)
{
	if (!IS_ERR_OR_NULL(irqfd->resample))
		eventfd_ctx_put(irqfd->resample);
	if (!IS_ERR_OR_NULL(irqfd->ctx))
		eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

/* Not in a list any more. Waits for callbacks, and for ends of interrupts. */
static void irqfd_release(struct irqfd *irqfd)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	if (irqfd->resample)
		synchronize_rcu();
	irqfd_free(irqfd);
}

static void unlink_irqfd(struct pi_irqfds *irqfds, struct irqfd *irqfd)
{
	list_del(&irqfd->node);
	if (irqfd->resample)
		list_del_rcu(&irqfd->resampled);
	irqfds->nr--;
}

static void reap(struct pi_irqfds *irqfds)
{
	struct irqfd *irqfd, *next;

	list_for_each_entry_safe(irqfd, next, &irqfds->list, node) {
		if (!READ_ONCE(irqfd->closed))
			continue;
		unlink_irqfd(irqfds, irqfd);
		irqfd_release(irqfd);
	}
}

/**
 * pi_irqfd_fini() - the VM ends: no eventfd posts to its vCPUs any more
 * @irqfds: the VM's
 *
 * Context: may sleep; nobody else can reach the VM.
 */
void pi_irqfd_fini(struct pi_irqfds *irqfds)
{
	struct irqfd *irqfd, *next;
	u64 count;

	/* no vCPU runs, so nobody reads the list of those with a resample_fd */
	list_for_each_entry_safe(irqfd, next, &irqfds->list, node) {
		eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
		irqfd_free(irqfd);
	}
}

static struct irqfd *find(struct pi_irqfds *irqfds, const struct eventfd_ctx *ctx)
{
	struct irqfd *irqfd;

	list_for_each_entry(irqfd, &irqfds->list, node)
		if (irqfd->ctx == ctx)
			return irqfd;
	return NULL;
}

static struct irqfd *irqfd_alloc(struct limen_vm *vm, struct file *file,
				 const struct limen_irqfd *arg)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	int err;

	if (!irqfd)
		return ERR_PTR(-ENOMEM);
	irqfd->vm = vm;
	irqfd->addr = arg->addr;
	irqfd->data = arg->data;
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->pt, irqfd_queue);
	irqfd->ctx = eventfd_ctx_fileget(file);
	err = PTR_ERR_OR_ZERO(irqfd->ctx);
	if (!err && (arg->flags & LIMEN_IRQFD_RESAMPLE)) {
		irqfd->resample = eventfd_ctx_fdget(arg->resample_fd);
		err = PTR_ERR_OR_ZERO(irqfd->resample);
	}
	if (!err)
		return irqfd;
	irqfd_free(irqfd);
	return ERR_PTR(err);
}

static int irqfd_assign(struct limen_vm *vm, struct file *file,
			const struct limen_irqfd *arg)
{
	struct pi_irqfds *irqfds = &vm->irqfds;
	struct irqfd *irqfd;
	int err = 0;

	irqfd = irqfd_alloc(vm, file, arg);
	if (IS_ERR(irqfd))
		return PTR_ERR(irqfd);
	if (find(irqfds, irqfd->ctx))
		err = -EEXIST;
	else if (irqfds->nr == LIMEN_MAX_IRQFDS)
		err = -EMFILE;
	if (err) {
		irqfd_free(irqfd);
		return err;
	}
	if (!irqfd->resample)
		pi_irqfd_note(irqfds, irqfd->data);
	list_add_tail(&irqfd->node, &irqfds->list);
	/* before the first message: its end may come at once */
	if (irqfd->resample)
		list_add_tail_rcu(&irqfd->resampled, &irqfds->resampled);
	irqfds->nr++;
	if (vfs_poll(file, &irqfd->pt) & EPOLLIN)
		deliver_pending(irqfd);
	return 0;
}

static int irqfd_update(struct pi_irqfds *irqfds, struct irqfd *irqfd,
			const struct limen_irqfd *arg)
{
	bool moved = (u8)(irqfd->data ^ arg->data);

	if (irqfd->resample && !(arg->data & PI_MSI_LEVEL))
		return -EINVAL;
	if (!irqfd->resample)
		pi_irqfd_note(irqfds, arg->data);
	spin_lock_irq(&irqfd->wqh->lock);
	irqfd->addr = arg->addr;
	WRITE_ONCE(irqfd->data, arg->data);
	spin_unlock_irq(&irqfd->wqh->lock);
	/* the end of one that is in service will not be found */
	if (irqfd->resample && moved)
		limen_eventfd_signal(irqfd->resample);
	return 0;
}

/* _UPDATE and _DEASSIGN */
static int irqfd_change(struct limen_vm *vm, struct file *file,
			const struct limen_irqfd *arg)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);
	struct irqfd *irqfd;
	int err = 0;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	irqfd = find(&vm->irqfds, ctx);
	eventfd_ctx_put(ctx);
	if (!irqfd)
		return -ENOENT;
	if (arg->flags & LIMEN_IRQFD_UPDATE) {
		err = irqfd_update(&vm->irqfds, irqfd, arg);
	} else {
		unlink_irqfd(&vm->irqfds, irqfd);
		irqfd_release(irqfd);
	}
	return err;
}

static bool irqfd_arg_ok(const struct limen_irqfd *arg)
{
	if (arg->reserved)
		return false;
	switch (arg->flags) {
	case LIMEN_IRQFD_DEASSIGN:
		return !arg->addr && !arg->data && !arg->resample_fd;
	case LIMEN_IRQFD_RESAMPLE:
		return pi_is_msi(arg->addr) && (arg->data & PI_MSI_LEVEL);
	case LIMEN_IRQFD_UPDATE:
	case 0:
		return pi_is_msi(arg->addr) && !arg->resample_fd;
	}
	return false;
}

/**
 * pi_irqfd_call() - LIMEN_IRQFD
 * @vm: the VM
 * @arg: the call's argument
 *
 * Context: may sleep.
 * Return: errno.
 */
int pi_irqfd_call(struct limen_vm *vm, const struct limen_irqfd *arg)
{
	struct file *file;
	int err;

	if (!irqfd_arg_ok(arg))
		return -EINVAL;
	file = fget(arg->fd);
	if (!file)
		return -EBADF;
	mutex_lock(&vm->lock);
	reap(&vm->irqfds);
	if (arg->flags & (LIMEN_IRQFD_UPDATE | LIMEN_IRQFD_DEASSIGN))
		err = irqfd_change(vm, file, arg);
	else
		err = irqfd_assign(vm, file, arg);
	mutex_unlock(&vm->lock);
	fput(file);
	return err;
}

/**
 * pi_irqfd_eoi() - a vCPU has ended a level-triggered interrupt
 * @irqfds: the VM's
 * @vector: its vector
 *
 * Context: any but NMI.
 * Return: true if all that send this vector know of it now; false: the VMM must
 * be told.
 */
bool pi_irqfd_eoi(struct pi_irqfds *irqfds, u8 vector)
{
	struct irqfd *irqfd;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(irqfd, &irqfds->resampled, resampled) {
		if ((u8)READ_ONCE(irqfd->data) != vector || READ_ONCE(irqfd->closed))
			continue;
		limen_eventfd_signal(irqfd->resample);
		found = true;
	}
	rcu_read_unlock();
	return found && !test_bit(vector, irqfds->user_eoi);
}
