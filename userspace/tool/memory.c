// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's memory: --memory, --mem-backend, --mem-prealloc, --mem-merge, --numa. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static int open_file(const char *path, uint64_t size)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || fstat(fd, &st)) {
		complain("--mem-backend file=%s: %s", path, strerror(errno));
		err = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		complain("--mem-backend file=%s: not a regular file", path);
		err = -EINVAL;
	} else if ((uint64_t)st.st_size < size) {
		complain("--mem-backend file=%s: it has %llu bytes, --memory wants %llu; truncate -s makes it longer",
			 path, (unsigned long long)st.st_size, (unsigned long long)size);
		err = -ENOSPC;
	}
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static int open_memfd(uint64_t size, bool huge)
{
	int fd = limen_ram_memfd(size, huge);

	if (fd == -ENOSYS && huge)
		complain("--mem-backend hugetlb: this kernel has no huge pages");
	else if (fd < 0)
		complain("--mem-backend %s: %s", huge ? "hugetlb" : "memfd", strerror(-fd));
	return fd;
}

static int open_backend(const struct options *o)
{
	switch (o->mem_backend) {
	case MEM_BACKEND_MEMFD: return open_memfd(o->memory, false);
	case MEM_BACKEND_HUGETLB: return open_memfd(o->memory, true);
	case MEM_BACKEND_FILE: return open_file(o->mem_file, o->memory);
	default: return -1;
	}
}

/* A guest's memory starts as zeros, whatever a file held. */
static bool punch(const struct options *o, int fd)
{
	return o->mem_backend != MEM_BACKEND_FILE ||
	       !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, o->memory);
}

static void clear(struct board *b)
{
	memset(limen_gpa_ptr(b->vm, 0, b->ram_low, true), 0, b->ram_low);
	if (b->ram_high)
		memset(limen_gpa_ptr(b->vm, RAM_HIGH_BASE, b->ram_high, true), 0,
		       b->ram_high);
}

static int add(struct machine *m, struct limen_ram *ram)
{
	const uint32_t rwx = LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC;
	struct board *b = &m->board;
	int err = limen_ram_add_backed(b->vm, 0, b->ram_low, rwx, ram, NULL);

	ram->offset = b->ram_low;
	if (!err && b->ram_high)
		err = limen_ram_add_backed(b->vm, RAM_HIGH_BASE, b->ram_high, rwx, ram,
					   NULL);
	if (err)
		complain("guest memory: %s", ram->why[0] ? ram->why : limen_strerror(err));
	return err;
}

int machine_memory(struct machine *m)
{
	const struct options *o = m->o;
	struct limen_ram ram = {
		.node = o->numa, .prealloc = o->mem_prealloc, .mergeable = o->mem_merge,
	};
	struct board *b = &m->board;
	bool clean;
	int err;

	m->memory = o->memory;
	b->ram_low = o->memory < RAM_LOW_MAX ? o->memory : RAM_LOW_MAX;
	b->ram_high = o->memory - b->ram_low;
	ram.fd = open_backend(o);
	if (ram.fd < 0 && o->mem_backend != MEM_BACKEND_ANON)
		return ram.fd;
	clean = punch(o, ram.fd);
	err = add(m, &ram);
	if (!err && !clean)
		clear(b);
	if (ram.fd >= 0)
		close(ram.fd);
	return err;
}
