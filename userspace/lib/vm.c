// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device and the VM: thin wrappers that fill in sizes, and the table of
 * guest memory that lets devices find a guest-physical address in this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static int sys_open(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static void *sys_map(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void sys_close(int fd)
{
	close(fd);
}

static void *sys_map_ro(int fd, size_t len, uint64_t offset)
{
	return mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)offset);
}

struct limen_sys limen_sys = {
	sys_open, sys_ioctl, sys_map, sys_close, sys_map_ro,
};

int limen_call(int fd, unsigned long request, void *arg)
{
	int ret = limen_sys.ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

const char *limen_strerror(int err)
{
	switch (-err) {
	case 0:		return "no error";
	case ENOENT:	return "no such device, range or index; if /dev/limen is missing, load the module: insmod limen.ko";
	case EACCES:
	case EPERM:	return "no permission: run as root, or give your user access to /dev/limen";
	case ENODEV:
	case ENXIO:	return "the device is gone: load the module again";
	case EPROTO:	return "the module and this library do not agree (another ABI, or a field that makes no sense): use the ones that were built together";
	case EOPNOTSUPP: return "this CPU or this module can't; 'limen info' says why";
	case EBUSY:	return "too late (the VM has run), or in use by another thread";
	case EMFILE:	return "a limit of the module (vCPUs, ranges or eventfds per VM) or of open files: lower --cpus, or see ulimit -n";
	case ENOMEM:	return "no memory: lower --memory or close other programs";
	case EIO:	return "the VM is dead: look at the kernel log (dmesg) and report it";
	case E2BIG:	return "the module is older than this program and lacks something it asks for";
	case EBADF:	return "an eventfd is not open";
	case EEXIST:	return "the range, the id or the eventfd is taken";
	case EINVAL:	return "a value or a combination is not allowed";
	default:	return strerror(-err);
	}
}

int limen_open(const char *path, struct limen **out)
{
	struct limen *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->fd = limen_sys.open(path ? path : LIMEN_DEVICE_PATH);
	if (l->fd < 0) {
		err = -errno;
		goto err_free;
	}
	l->info.size = sizeof(l->info);
	err = limen_call(l->fd, LIMEN_INFO, &l->info);
	if (err)
		goto err_close;
	if (l->info.abi != LIMEN_ABI || l->info.run_size < sizeof(struct limen_run)) {
		err = -EPROTO;
		goto err_close;
	}
	*out = l;
	return 0;

err_close:
	limen_sys.close(l->fd);
err_free:
	free(l);
	return err;
}

void limen_close(struct limen *l)
{
	if (!l)
		return;
	limen_sys.close(l->fd);
	free(l);
}

const struct limen_info *limen_get_info(const struct limen *l)
{
	return &l->info;
}

int limen_get_cap(struct limen *l, uint32_t index, struct limen_cap *cap)
{
	int err;

	memset(cap, 0, sizeof(*cap));
	cap->size = sizeof(*cap);
	cap->index = index;
	err = limen_call(l->fd, LIMEN_CAP, cap);
	cap->name[sizeof(cap->name) - 1] = 0;
	cap->reason[sizeof(cap->reason) - 1] = 0;
	return err;
}

int limen_vm_create(struct limen *l, struct limen_vm **out)
{
	struct limen_vm_create arg = { .size = sizeof(arg) };
	struct limen_vm *vm = calloc(1, sizeof(*vm));
	int fd;

	if (!vm)
		return -ENOMEM;
	fd = limen_call(l->fd, LIMEN_VM_CREATE, &arg);
	if (fd < 0) {
		free(vm);
		return fd;
	}
	vm->fd = fd;
	vm->dev = l;
	pthread_rwlock_init(&vm->lock, NULL);
	*out = vm;
	return 0;
}

void limen_vm_destroy(struct limen_vm *vm)
{
	if (!vm)
		return;
	limen_sys.close(vm->fd);
	for (uint32_t i = 0; i < vm->nr_ranges; i++)
		if (vm->range[i].kind != MEM_CALLERS)
			munmap(vm->range[i].hva, vm->range[i].len);
	pthread_rwlock_destroy(&vm->lock);
	free(vm);
}

int vm_range_add(struct limen_vm *vm, uint64_t gpa, uint64_t len, uint32_t flags,
		 void *hva, enum mem_kind kind, uint64_t page)
{
	struct limen_range arg = {
		.size = sizeof(arg), .flags = flags, .gpa = gpa, .len = len,
		.hva = (uintptr_t)hva,
	};
	int err = -EMFILE;

	pthread_rwlock_wrlock(&vm->lock);
	if (vm->nr_ranges < LIMEN_MAX_RANGES)
		err = limen_call(vm->fd, LIMEN_MAP, &arg);
	if (!err)
		vm->range[vm->nr_ranges++] = (struct limen_mem_range){
			.gpa = gpa, .len = len, .hva = hva, .flags = flags,
			.kind = kind, .page = page,
		};
	pthread_rwlock_unlock(&vm->lock);
	return err;
}

int limen_map(struct limen_vm *vm, uint64_t gpa, uint64_t len, uint32_t flags,
	      void *hva)
{
	return vm_range_add(vm, gpa, len, flags, hva, MEM_CALLERS, LIMEN_PAGE_SIZE);
}

/* the range that is exactly [gpa, gpa + len); with the lock held */
static struct limen_mem_range *range_exact(struct limen_vm *vm, uint64_t gpa,
					   uint64_t len)
{
	for (uint32_t i = 0; i < vm->nr_ranges; i++)
		if (vm->range[i].gpa == gpa && vm->range[i].len == len)
			return &vm->range[i];
	return NULL;
}

int limen_unmap(struct limen_vm *vm, uint64_t gpa, uint64_t len)
{
	struct limen_range arg = { .size = sizeof(arg), .gpa = gpa, .len = len };
	struct limen_mem_range *r;
	int err = -ENOENT;

	pthread_rwlock_wrlock(&vm->lock);
	r = range_exact(vm, gpa, len);
	if (r)
		err = limen_call(vm->fd, LIMEN_UNMAP, &arg);
	if (!err) {
		if (r->kind != MEM_CALLERS)
			munmap(r->hva, r->len);
		*r = vm->range[--vm->nr_ranges];
	}
	pthread_rwlock_unlock(&vm->lock);
	return err;
}

int limen_protect(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		  uint32_t flags)
{
	struct limen_range arg = {
		.size = sizeof(arg), .flags = flags, .gpa = gpa, .len = len,
	};
	struct limen_mem_range *r;
	int err = -ENOENT;

	pthread_rwlock_wrlock(&vm->lock);
	r = range_exact(vm, gpa, len);
	if (r)
		err = limen_call(vm->fd, LIMEN_PROTECT, &arg);
	if (!err)
		r->flags = flags;
	pthread_rwlock_unlock(&vm->lock);
	return err;
}

static void *gpa_find(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		      uint32_t flags)
{
	void *p = NULL;

	pthread_rwlock_rdlock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_ranges; i++) {
		const struct limen_mem_range *r = &vm->range[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->len ||
		    len > r->len - (gpa - r->gpa))
			continue;
		if ((r->flags & flags) == flags)
			p = r->hva + (gpa - r->gpa);
		break;
	}
	pthread_rwlock_unlock(&vm->lock);
	return p;
}

void *limen_gpa_ptr(struct limen_vm *vm, uint64_t gpa, uint64_t len, bool write)
{
	return gpa_find(vm, gpa, len, write ? LIMEN_MEM_WRITE : LIMEN_MEM_READ);
}

int limen_gpa_read(struct limen_vm *vm, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = gpa_find(vm, gpa, len, 0);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int limen_gpa_write(struct limen_vm *vm, uint64_t gpa, const void *buf,
		    uint64_t len)
{
	void *p = gpa_find(vm, gpa, len, 0);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return limen_dirty_mark(vm, gpa, len);
}

int limen_msi(struct limen_vm *vm, uint64_t addr, uint32_t data)
{
	struct limen_msi arg = { .size = sizeof(arg), .data = data, .addr = addr };

	return limen_call(vm->fd, LIMEN_MSI, &arg);
}

int limen_extint(struct limen_vm *vm, uint32_t level)
{
	struct limen_extint arg = { .size = sizeof(arg), .level = level };

	return limen_call(vm->fd, LIMEN_EXTINT, &arg);
}

int limen_halt_poll(struct limen_vm *vm, uint32_t max_ns)
{
	struct limen_halt_poll arg = { .size = sizeof(arg), .max_ns = max_ns };

	return limen_call(vm->fd, LIMEN_HALT_POLL, &arg);
}

int limen_policy(struct limen_vm *vm, struct limen_policy *p)
{
	p->size = sizeof(*p);
	return limen_call(vm->fd, LIMEN_POLICY, p);
}

static int irqfd(struct limen_vm *vm, uint32_t flags, int fd, int resample,
		 uint64_t addr, uint32_t data)
{
	struct limen_irqfd arg = {
		.size = sizeof(arg), .flags = flags, .fd = fd,
		.resample_fd = resample, .addr = addr, .data = data,
	};

	return limen_call(vm->fd, LIMEN_IRQFD, &arg);
}

int limen_irqfd_assign(struct limen_vm *vm, int fd, int resample, uint64_t addr,
		       uint32_t data)
{
	if (resample < 0)
		return irqfd(vm, 0, fd, 0, addr, data);
	return irqfd(vm, LIMEN_IRQFD_RESAMPLE, fd, resample, addr, data);
}

int limen_irqfd_update(struct limen_vm *vm, int fd, uint64_t addr, uint32_t data)
{
	return irqfd(vm, LIMEN_IRQFD_UPDATE, fd, 0, addr, data);
}

int limen_irqfd_deassign(struct limen_vm *vm, int fd)
{
	return irqfd(vm, LIMEN_IRQFD_DEASSIGN, fd, 0, 0, 0);
}

static int ioeventfd(struct limen_vm *vm, uint32_t flags, int space, uint64_t addr,
		     uint32_t len, const uint64_t *match, int fd)
{
	struct limen_ioeventfd arg = {
		.size = sizeof(arg), .addr = addr, .len = len, .fd = fd,
		.flags = flags, .match = match ? *match : 0,
	};

	if (space != LIMEN_BUS_PORT && space != LIMEN_BUS_MMIO)
		return -EINVAL;
	if (space == LIMEN_BUS_PORT)
		arg.flags |= LIMEN_IOEVENTFD_PORT;
	if (match)
		arg.flags |= LIMEN_IOEVENTFD_MATCH;
	return limen_call(vm->fd, LIMEN_IOEVENTFD, &arg);
}

int limen_ioeventfd_assign(struct limen_vm *vm, int space, uint64_t addr,
			   uint32_t len, const uint64_t *match, int fd)
{
	return ioeventfd(vm, 0, space, addr, len, match, fd);
}

int limen_ioeventfd_deassign(struct limen_vm *vm, int space, uint64_t addr,
			     uint32_t len, const uint64_t *match, int fd)
{
	return ioeventfd(vm, LIMEN_IOEVENTFD_DEASSIGN, space, addr, len, match, fd);
}
