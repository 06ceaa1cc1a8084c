// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files: /dev/limen, VMs and vCPUs, one table of calls each, and the one
 * place where arguments are copied in and out.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "cpuid.h"
#include "dirty.h"
#include "fpu.h"
#include "ioctl.h"
#include "ioevent.h"
#include "limen.h"
#include "mem.h"
#include "npt/npt_ring.h"
#include "msr.h"
#include "run.h"
#include "state.h"
#include "stats.h"
#include "vcpu.h"
#include "vm.h"
#include "walk.h"

union limen_arg {
	u32 size;
	struct limen_info info;
	struct limen_cap cap;
	struct limen_cpuid cpuid;
	struct limen_msr_list msr_list;
	struct limen_vm_create vm_create;
	struct limen_range range;
	struct limen_vcpu_create vcpu_create;
	struct limen_msi msi;
	struct limen_extint extint;
	struct limen_policy policy;
	struct limen_irqfd irqfd;
	struct limen_ioeventfd ioeventfd;
	struct limen_halt_poll halt_poll;
	struct limen_dirty dirty;
	struct limen_dirty_ring_create ring_create;
	struct limen_dirty_taken taken;
	struct limen_state state;
	struct limen_translate translate;
	struct limen_apic_access apic_access;
	struct limen_stats stats;
};

/*
 * One call: @size 0 takes no argument, else that of its structure; @out copies
 * the structure back, also with -ENOSPC.
 */
struct limen_call {
	unsigned int cmd;
	u32 size;
	bool out;
	long (*fn)(void *obj, union limen_arg *arg);
};

#define CALL(cmd, fn, type, out)	{ cmd, sizeof(struct type), out, fn }
#define CALL_PLAIN(cmd, fn)		{ cmd, 0, false, fn }

static int copy_arg(union limen_arg *arg, const struct limen_call *call,
		    void __user *uptr, u32 *usize)
{
	if (get_user(*usize, (u32 __user *)uptr))
		return -EFAULT;
	if (*usize < sizeof(u32) || *usize > PAGE_SIZE)
		return -EINVAL;
	memset(arg, 0, sizeof(*arg));
	return copy_struct_from_user(arg, call->size, uptr, *usize);
}

static long do_call(const struct limen_call *table, unsigned int n, void *obj,
		    unsigned int cmd, unsigned long uarg)
{
	void __user *uptr = (void __user *)uarg;
	const struct limen_call *call;
	union limen_arg arg;
	unsigned int i;
	u32 usize;
	long ret;

	for (i = 0; i < n; i++)
		if (table[i].cmd == cmd)
			break;
	if (i == n)
		return -ENOTTY;
	call = &table[array_index_nospec(i, n)];
	if (!call->size)
		return uarg ? -EINVAL : call->fn(obj, NULL);

	ret = copy_arg(&arg, call, uptr, &usize);
	if (ret)
		return ret;
	ret = call->fn(obj, &arg);
	arg.size = usize;
	if (call->out && (ret >= 0 || ret == -ENOSPC) &&
	    copy_to_user(uptr, &arg, min(usize, call->size)))
		return -EFAULT;
	return ret;
}

/* ---- vCPU ---- */

static long vcpu_run(void *obj, union limen_arg *arg)
{
	struct limen_vcpu *vcpu = obj;

	limen_vm_set_ran(vcpu->vm);
	return limen_run(vcpu);
}

static long vcpu_state_get(void *obj, union limen_arg *arg)
{
	return limen_state_get(obj, &arg->state);
}

static long vcpu_state_set(void *obj, union limen_arg *arg)
{
	return limen_state_set(obj, &arg->state);
}

static long vcpu_cpuid_set(void *obj, union limen_arg *arg)
{
	struct limen_vcpu *vcpu = obj;

	if (vcpu->stat[LIMEN_STAT_RUNS])
		return -EBUSY;
	return limen_cpuid_set(vcpu, &arg->cpuid);
}

static long vcpu_translate(void *obj, union limen_arg *arg)
{
	return limen_translate(obj, &arg->translate);
}

static long vcpu_apic_access(void *obj, union limen_arg *arg)
{
	struct limen_apic_access *a = &arg->apic_access;
	int err;

	if (a->write > 1 || a->offset > 0xff0 || a->offset & 15)
		return -EINVAL;
	if (!pi_is_xapic(obj))
		return -EINVAL;
	err = pi_mmio(obj, a->offset, a->write, &a->value);
	/* a reserved register reads as 0 and ignores writes */
	if (err && !a->write)
		a->value = 0;
	return 0;
}

static long vcpu_stats(void *obj, union limen_arg *arg)
{
	return limen_stats_get(obj, &arg->stats);
}

static long vcpu_kick(void *obj, union limen_arg *arg)
{
	limen_vcpu_request(obj, LIMEN_REQ_KICK);
	return 0;
}

static long vcpu_nmi(void *obj, union limen_arg *arg)
{
	limen_vcpu_nmi(obj);
	return 0;
}

static long vcpu_ring(void *obj, union limen_arg *arg)
{
	return limen_dirty_ring(obj, &arg->ring_create);
}

static long vcpu_taken(void *obj, union limen_arg *arg)
{
	return limen_dirty_taken(obj, &arg->taken);
}

static const struct limen_call vcpu_calls[] = {
	CALL_PLAIN(LIMEN_RUN, vcpu_run),
	CALL(LIMEN_STATE_GET, vcpu_state_get, limen_state, false),
	CALL(LIMEN_STATE_SET, vcpu_state_set, limen_state, false),
	CALL(LIMEN_CPUID_SET, vcpu_cpuid_set, limen_cpuid, false),
	CALL(LIMEN_TRANSLATE, vcpu_translate, limen_translate, true),
	CALL(LIMEN_APIC_ACCESS, vcpu_apic_access, limen_apic_access, true),
	CALL(LIMEN_STATS, vcpu_stats, limen_stats, true),
	CALL(LIMEN_DIRTY_RING, vcpu_ring, limen_dirty_ring_create, false),
};

/* from any thread, also while LIMEN_RUN holds the lock */
static const struct limen_call vcpu_async_calls[] = {
	CALL_PLAIN(LIMEN_KICK, vcpu_kick),
	CALL_PLAIN(LIMEN_NMI, vcpu_nmi),
	CALL(LIMEN_DIRTY_TAKEN, vcpu_taken, limen_dirty_taken, false),
};

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct limen_vcpu *vcpu = file->private_data;
	long ret;

	if (current->mm != vcpu->vm->mm || READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (cmd == LIMEN_KICK || cmd == LIMEN_NMI || cmd == LIMEN_DIRTY_TAKEN)
		return do_call(vcpu_async_calls, ARRAY_SIZE(vcpu_async_calls),
			       vcpu, cmd, arg);
	if (!mutex_trylock(&vcpu->lock))
		return -EBUSY;
	ret = do_call(vcpu_calls, ARRAY_SIZE(vcpu_calls), vcpu, cmd, arg);
	mutex_unlock(&vcpu->lock);
	return ret;
}

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct limen_vcpu *vcpu = vmf->vma->vm_file->private_data;
	/* pairs with the release in npt_ring_create() */
	struct npt_ring *ring = smp_load_acquire(&vcpu->ring);
	u64 offset = ((u64)vmf->pgoff << PAGE_SHIFT) - LIMEN_RING_OFFSET;

	/* mremap() may have made the run page's mapping larger */
	if (!vmf->pgoff)
		vmf->page = virt_to_page(vcpu->run);
	else if (ring && !(vmf->vma->vm_flags & VM_MAYWRITE) &&
		 offset < npt_ring_bytes(ring->entries))
		vmf->page = vmalloc_to_page((void *)ring->shared + offset);
	else
		return VM_FAULT_SIGBUS;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

/* The run page, or the ring, which is only read */
static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct limen_vcpu *vcpu = file->private_data;
	/* pairs with the release in npt_ring_create() */
	struct npt_ring *ring = smp_load_acquire(&vcpu->ring);

	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (vma->vm_pgoff) {
		if (!ring || vma->vm_pgoff != LIMEN_RING_OFFSET >> PAGE_SHIFT ||
		    vma_pages(vma) > npt_ring_bytes(ring->entries) >> PAGE_SHIFT ||
		    (vma->vm_flags & VM_WRITE))
			return -EINVAL;
		limen_vma_never(vma, VM_MAYWRITE);
	} else if (vma_pages(vma) != 1) {
		return -EINVAL;
	}
	limen_vma_never(vma, VM_MAYEXEC);
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct limen_vcpu *vcpu = file->private_data;

	limen_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
};

/* ---- VM ---- */

static long vm_map(void *obj, union limen_arg *arg)
{
	return limen_mem_map(obj, &arg->range);
}

static long vm_unmap(void *obj, union limen_arg *arg)
{
	return limen_mem_unmap(obj, &arg->range);
}

static long vm_protect(void *obj, union limen_arg *arg)
{
	return limen_mem_protect(obj, &arg->range);
}

static long vm_msi(void *obj, union limen_arg *arg)
{
	struct limen_vm *vm = obj;

	/* before it is sent: its end may come at once */
	pi_irqfd_note(&vm->irqfds, arg->msi.data);
	return pi_msi(vm, arg->msi.addr, arg->msi.data);
}

static long vm_irqfd(void *obj, union limen_arg *arg)
{
	return pi_irqfd_call(obj, &arg->irqfd);
}

static long vm_ioeventfd(void *obj, union limen_arg *arg)
{
	return limen_ioeventfd(obj, &arg->ioeventfd);
}

static long vm_extint(void *obj, union limen_arg *arg)
{
	if (arg->extint.level > 1)
		return -EINVAL;
	limen_vm_extint(obj, arg->extint.level);
	return 0;
}

static long vm_policy(void *obj, union limen_arg *arg)
{
	return limen_vm_policy(obj, &arg->policy);
}

static long vm_halt_poll(void *obj, union limen_arg *arg)
{
	struct limen_vm *vm = obj;

	if (arg->halt_poll.max_ns > LIMEN_MAX_HALT_POLL)
		return -EINVAL;
	WRITE_ONCE(vm->halt_poll_max, arg->halt_poll.max_ns);
	return 0;
}

static long vm_dirty(void *obj, union limen_arg *arg)
{
	return limen_dirty_call(obj, &arg->dirty);
}

/*
 * Everything that can fail. The caller makes the object known to others and then
 * installs the descriptor: from that moment on any thread may use it.
 */
static long reserve(const char *name, const struct file_operations *fops,
		    void *obj, struct file **file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	*file = anon_inode_getfile(name, fops, obj, O_RDWR);
	if (IS_ERR(*file)) {
		put_unused_fd(fd);
		return PTR_ERR(*file);
	}
	return fd;
}

static long vm_vcpu_create(void *obj, union limen_arg *arg)
{
	struct limen_vm *vm = obj;
	u32 id = arg->vcpu_create.id;
	struct limen_vcpu *vcpu;
	struct file *file;
	long ret;

	if (id >= LIMEN_MAX_VCPUS)
		return -EINVAL;
	id = array_index_nospec(id, LIMEN_MAX_VCPUS);

	mutex_lock(&vm->lock);
	ret = -EEXIST;
	if (vm->vcpu[id])
		goto out;
	vcpu = limen_vcpu_create(vm, id);
	ret = PTR_ERR(vcpu);
	if (IS_ERR(vcpu))
		goto out;
	ret = reserve("limen-vcpu", &vcpu_fops, vcpu, &file);
	if (ret < 0) {
		limen_vcpu_destroy(vcpu);
		goto out;
	}
	limen_vm_get(vm);
	/* before anyone can run it: npt_flush_all() must find all that run */
	limen_vm_publish(vm, vcpu);
	fd_install(ret, file);
out:
	mutex_unlock(&vm->lock);
	return ret;
}

static const struct limen_call vm_calls[] = {
	CALL(LIMEN_MSI, vm_msi, limen_msi, false),
	CALL(LIMEN_EXTINT, vm_extint, limen_extint, false),
	CALL(LIMEN_MAP, vm_map, limen_range, false),
	CALL(LIMEN_UNMAP, vm_unmap, limen_range, false),
	CALL(LIMEN_PROTECT, vm_protect, limen_range, false),
	CALL(LIMEN_VCPU_CREATE, vm_vcpu_create, limen_vcpu_create, false),
	CALL(LIMEN_POLICY, vm_policy, limen_policy, false),
	CALL(LIMEN_IRQFD, vm_irqfd, limen_irqfd, false),
	CALL(LIMEN_IOEVENTFD, vm_ioeventfd, limen_ioeventfd, false),
	CALL(LIMEN_HALT_POLL, vm_halt_poll, limen_halt_poll, false),
	CALL(LIMEN_DIRTY, vm_dirty, limen_dirty, true),
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct limen_vm *vm = file->private_data;

	if (current->mm != vm->mm || READ_ONCE(vm->dead))
		return -EIO;
	return do_call(vm_calls, ARRAY_SIZE(vm_calls), vm, cmd, arg);
}

static int vm_release(struct inode *inode, struct file *file)
{
	limen_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_release,
};

/* ---- /dev/limen ---- */

static long device_info(void *obj, union limen_arg *arg)
{
	struct limen_info *info = &arg->info;

	info->abi = LIMEN_ABI;
	info->vendor = limen_ops->name[0] == 'v' ? LIMEN_VENDOR_VMX :
						   LIMEN_VENDOR_SVM;
	info->max_vcpus = LIMEN_MAX_VCPUS;
	info->run_size = PAGE_SIZE;
	info->tsc_khz = limen_tsc_khz();
	info->xcr0 = limen_fpu_xcr0();
	info->xsave_size = limen_fpu_size();
	info->phys_bits = limen_caps.phys_bits;
	return 0;
}

static long device_cap(void *obj, union limen_arg *arg)
{
	struct limen_cap *cap = &arg->cap;
	const struct limen_cap_note *note;

	if (cap->reserved)
		return -EINVAL;
	if (cap->index >= limen_caps.nr)
		return -ENOENT;
	note = &limen_caps.note[array_index_nospec(cap->index, limen_caps.nr)];
	cap->state = note->state;
	strscpy_pad(cap->name, note->name, sizeof(cap->name));
	strscpy_pad(cap->reason, note->reason, sizeof(cap->reason));
	return 0;
}

static long device_cpuid_get(void *obj, union limen_arg *arg)
{
	return limen_cpuid_get(&arg->cpuid);
}

static long device_msr_list(void *obj, union limen_arg *arg)
{
	return limen_msr_list(&arg->msr_list);
}

static long device_vm_create(void *obj, union limen_arg *arg)
{
	struct limen_vm *vm;
	struct file *file;
	long ret;

	if (arg->vm_create.flags)
		return -EINVAL;
	vm = limen_vm_create();
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	ret = reserve("limen-vm", &vm_fops, vm, &file);
	if (ret < 0)
		limen_vm_put(vm);
	else
		fd_install(ret, file);
	return ret;
}

static const struct limen_call dev_calls[] = {
	CALL(LIMEN_INFO, device_info, limen_info, true),
	CALL(LIMEN_CAP, device_cap, limen_cap, true),
	CALL(LIMEN_CPUID_GET, device_cpuid_get, limen_cpuid, true),
	CALL(LIMEN_MSR_LIST, device_msr_list, limen_msr_list, true),
	CALL(LIMEN_VM_CREATE, device_vm_create, limen_vm_create, false),
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return do_call(dev_calls, ARRAY_SIZE(dev_calls), NULL, cmd, arg);
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
};

static struct miscdevice limen_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "limen",
	.fops = &dev_fops,
	.mode = 0660,
};

/** limen_device_register() - the last step of loading. Return: errno. */
int limen_device_register(void)
{
	return misc_register(&limen_misc);
}

/** limen_device_unregister() - the first step of unloading */
void limen_device_unregister(void)
{
	misc_deregister(&limen_misc);
}
