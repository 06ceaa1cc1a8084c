// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is behind guest memory: anonymous memory, a memfd, huge pages or a file, on
 * which NUMA node, and giving pages back.
 *
 * Whatever can fail fails here, before the guest runs, and says which step it was;
 * without prealloc, memory that the host has not got is a matter of the guest's first touch.
 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "internal.h"

#define LARGE		(2ull << 20)
#define MAX_NODES	1024

__attribute__((format(printf, 3, 4)))
static int explain(struct limen_ram *ram, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ram->why, sizeof(ram->why), fmt, ap);
	va_end(ap);
	return err;
}

static uint64_t page_size(int fd)
{
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) || fs.f_type != HUGETLBFS_MAGIC)
		return LIMEN_PAGE_SIZE;
	return fs.f_bsize;
}

/*
 * Addresses congruent to @gpa modulo @align: only then can a large page of the host
 * become a large page of the guest.
 */
static char *reserve(uint64_t gpa, uint64_t len, uint64_t align)
{
	uint64_t total = len + align, skip;
	char *p;

	if (total < len)
		return MAP_FAILED;
	p = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return p;
	skip = (gpa - (uintptr_t)p) % align;
	if (skip)
		munmap(p, skip);
	if (skip < align)
		munmap(p + skip + len, align - skip);
	return p + skip;
}

static int map_at(struct limen_ram *ram, char *p, uint64_t len, uint64_t page)
{
	const int prot = PROT_READ | PROT_WRITE;
	int flags = MAP_FIXED | (ram->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE :
				 MAP_SHARED);

	if (mmap(p, len, prot, flags, ram->fd, ram->offset) != MAP_FAILED)
		return 0;
	if (errno == ENOMEM && page > LIMEN_PAGE_SIZE)
		return explain(ram, -ENOMEM, "%llu huge pages of %llu KiB are not free; /proc/sys/vm/nr_hugepages makes them",
			       (unsigned long long)(len / page),
			       (unsigned long long)page >> 10);
	return explain(ram, -errno, "mapping it: %s", strerror(errno));
}

static int bind_node(struct limen_ram *ram, void *p, uint64_t len)
{
	const uint32_t bits = 8 * sizeof(unsigned long);
	unsigned long mask[MAX_NODES / (8 * sizeof(unsigned long)) + 1] = { 0 };

	if (ram->node < 0)
		return 0;
	if (ram->node >= MAX_NODES)
		return explain(ram, -EINVAL, "there is no NUMA node %d", ram->node);
	mask[ram->node / bits] = 1ul << ram->node % bits;
	if (!syscall(SYS_mbind, p, len, MPOL_BIND, mask, MAX_NODES + 1, 0))
		return 0;
	if (errno == ENOSYS)
		return explain(ram, -ENOSYS, "this kernel has no NUMA");
	if (errno == EINVAL)
		return explain(ram, -EINVAL, "NUMA node %d is offline, has no memory or is not for this process",
			       ram->node);
	return explain(ram, -errno, "NUMA node %d: %s", ram->node, strerror(errno));
}

static int populate(struct limen_ram *ram, char *p, uint64_t len)
{
	if (!ram->prealloc)
		return 0;
	while (madvise(p, len, MADV_POPULATE_WRITE)) {
		if (errno == EAGAIN || errno == EINTR)
			continue;
		if (errno == ENOMEM || errno == EFAULT)
			return explain(ram, -ENOMEM, "allocating it now: there is not so much memory%s",
				       ram->node < 0 ? "" : " on the node");
		return explain(ram, -errno, "allocating it now: %s", strerror(errno));
	}
	return 0;
}

static int advise(struct limen_ram *ram, void *p, uint64_t len, uint64_t page)
{
	int err;

	/* Second-level tables profit from large pages; a refusal costs speed only. */
	if (page == LIMEN_PAGE_SIZE)
		(void)madvise(p, len, MADV_HUGEPAGE);
	if (ram->mergeable && madvise(p, len, MADV_MERGEABLE))
		return explain(ram, -EOPNOTSUPP, "this kernel has no KSM, which merges pages");
	err = bind_node(ram, p, len);
	return err ? err : populate(ram, p, len);
}

int limen_ram_memfd(uint64_t len, bool huge)
{
	int fd = memfd_create("limen-guest-memory",
			      MFD_CLOEXEC | (huge ? MFD_HUGETLB : 0));
	int err;

	if (fd < 0)
		return errno == EINVAL || errno == ENOENT ? -ENOSYS : -errno;
	if (!ftruncate(fd, len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int limen_ram_add_backed(struct limen_vm *vm, uint64_t gpa, uint64_t len,
			 uint32_t flags, struct limen_ram *ram, void **hva)
{
	uint64_t page = page_size(ram->fd);
	char *p;
	int err;

	ram->why[0] = 0;
	if (!len || (len | gpa | ram->offset) % page)
		return explain(ram, -EINVAL, "not a multiple of the %llu KiB pages behind it",
			       (unsigned long long)page >> 10);
	if (ram->mergeable && ram->fd >= 0)
		return explain(ram, -EINVAL, "only anonymous memory can be merged");
	p = reserve(gpa, len, page > LARGE ? page : LARGE);
	if (p == MAP_FAILED)
		return explain(ram, -ENOMEM, "no room for it in this process");
	err = map_at(ram, p, len, page);
	if (!err)
		err = advise(ram, p, len, page);
	if (!err)
		err = vm_range_add(vm, gpa, len, flags, p, ram->fd < 0 ? MEM_ANON : MEM_FILE,
				   page);
	if (err) {
		munmap(p, len);
		return err;
	}
	if (hva)
		*hva = p;
	return 0;
}

int limen_ram_add(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		  uint32_t flags, void **hva)
{
	struct limen_ram anon = { .fd = -1, .node = -1 };

	return limen_ram_add_backed(vm, gpa, len, flags, &anon, hva);
}

int limen_gpa_discard(struct limen_vm *vm, uint64_t gpa, uint64_t len)
{
	int err = -EFAULT;

	/* held all the time, so that the range stays */
	pthread_rwlock_rdlock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_ranges; i++) {
		const struct limen_mem_range *r = &vm->range[i];
		uint64_t first, last;

		if (gpa < r->gpa || gpa - r->gpa >= r->len ||
		    len > r->len - (gpa - r->gpa))
			continue;
		err = -EOPNOTSUPP;
		if (r->kind == MEM_CALLERS)
			break;
		first = (gpa - r->gpa + r->page - 1) / r->page * r->page;
		last = (gpa - r->gpa + len) / r->page * r->page;
		err = 0;
		if (first < last && madvise(r->hva + first, last - first,
					    r->kind == MEM_ANON ? MADV_DONTNEED : MADV_REMOVE))
			err = -errno;
		break;
	}
	pthread_rwlock_unlock(&vm->lock);
	return err ? err : limen_dirty_mark(vm, gpa, len);
}
