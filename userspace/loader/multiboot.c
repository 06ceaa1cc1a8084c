// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Multiboot 1 (GNU Multiboot Specification 0.6.96) as QEMU's -kernel does it:
 * a 32-bit ELF file or the address fields of the header; the command line is
 * the kernel's name and --append; --initrd is a list of modules, separated by
 * commas, each with arguments after a space.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"

#define SEARCH		8192
#define HEADER_MAGIC	0x1badb002
#define LOADER_MAGIC	0x2badb002
#define FLAG_ADDRESSES	(1u << 16)
#define MAX_MODULES	32

#define INFO_MEMORY	(1u << 0)
#define INFO_CMDLINE	(1u << 2)
#define INFO_MODULES	(1u << 3)
#define INFO_MEMMAP	(1u << 6)
#define INFO_LOADER	(1u << 9)

struct header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
	uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr, config_table, boot_loader_name;
	uint32_t apm_table, vbe[4];
};

struct module {
	uint32_t start, end, string, reserved;
};

struct memmap {
	uint32_t size;
	uint32_t addr_low, addr_high, len_low, len_high, type;
};

/* strings after the command line, modules after the kernel */
struct placing {
	uint32_t strings;
	uint64_t next;
	struct module mod[MAX_MODULES];
	uint32_t count;
};

static uint64_t find_header(const struct image *img, struct header *h)
{
	memset(h, 0, sizeof(*h));
	for (uint64_t off = 0; off < SEARCH; off += 4) {
		const void *p = image_at(img, off, 12);

		if (!p)
			break;
		memcpy(h, p, 12);
		if (h->magic != HEADER_MAGIC || h->magic + h->flags + h->checksum)
			continue;
		if (h->flags & FLAG_ADDRESSES) {
			p = image_at(img, off, sizeof(*h));
			if (!p)
				break;
			memcpy(h, p, sizeof(*h));
		}
		return off;
	}
	return UINT64_MAX;
}

bool multiboot_is(const struct image *img)
{
	struct header h;

	return find_header(img, &h) != UINT64_MAX;
}

/* the "a.out kludge": the header says where the file goes */
static int load_by_addresses(struct boot *b, const struct image *img,
			     const struct header *h, uint64_t header_off,
			     uint64_t *end)
{
	uint64_t skip, off, len, mem;
	const void *data;

	if (h->load_addr > h->header_addr ||
	    h->header_addr - h->load_addr > header_off ||
	    h->load_addr < BOOT_LOW_END)
		goto bad;
	skip = h->header_addr - h->load_addr;
	off = header_off - skip;
	len = img->len - off;
	if (h->load_end_addr) {
		if (h->load_end_addr < h->load_addr)
			goto bad;
		len = h->load_end_addr - h->load_addr;
	}
	mem = len;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr + len)
			goto bad;
		mem = h->bss_end_addr - h->load_addr;
	}
	data = image_at(img, off, len);
	if (!data)
		goto bad;
	*end = h->load_addr + mem;
	return boot_put(b, h->load_addr, data, len, mem);
bad:
	return boot_fail(b, -ENOEXEC,
			 "%s: the addresses in its multiboot header are wrong",
			 b->kernel);
}

static int put_string(struct boot *b, struct placing *p, const char *s,
		      uint32_t *gpa)
{
	size_t len = strlen(s) + 1;
	int err;

	if (len > BOOT_LOW_END - p->strings)
		return boot_fail(b, -EINVAL, "the command lines are too long");
	*gpa = p->strings;
	err = boot_put(b, p->strings, s, len, 0);
	p->strings += len;
	return err;
}

static int put_module(struct boot *b, struct placing *p, const char *spec)
{
	struct module *m = &p->mod[p->count];
	char path[4096];
	struct image img;
	int err;

	if (p->count == MAX_MODULES)
		return boot_fail(b, -EINVAL, "more than %d modules", MAX_MODULES);
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(spec, " "), spec);
	err = image_open(b, path, &img);
	if (err)
		return err;
	p->next = (p->next + LIMEN_PAGE_SIZE - 1) & ~(uint64_t)(LIMEN_PAGE_SIZE - 1);
	err = boot_put(b, p->next, img.data, img.len, 0);
	if (!err)
		err = put_string(b, p, spec, &m->string);
	m->start = p->next;
	p->next += img.len;
	m->end = p->next;
	p->count++;
	image_close(&img);
	return err;
}

static int put_modules(struct boot *b, struct placing *p)
{
	char *copy, *spec, *rest;
	int err = 0;

	if (!b->initrd)
		return 0;
	copy = strdup(b->initrd);
	if (!copy)
		return -ENOMEM;
	for (spec = strtok_r(copy, ",", &rest); spec && !err;
	     spec = strtok_r(NULL, ",", &rest))
		err = put_module(b, p, spec);
	free(copy);
	return err;
}

static int put_info(struct boot *b, struct placing *p, uint32_t cmdline)
{
	struct memmap_entry map[MEMMAP_MAX];
	uint32_t n = boot_memmap(b, map);
	struct memmap out[MEMMAP_MAX];
	struct info info = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMMAP |
			 INFO_LOADER,
		.mem_lower = LOW_USABLE >> 10,
		.mem_upper = (b->ram_low - HIGH_MEMORY) >> 10,
		.cmdline = cmdline, .mods_count = p->count,
		.mods_addr = BOOT_LISTS,
		.mmap_addr = BOOT_LISTS + sizeof(p->mod),
		.mmap_length = n * sizeof(out[0]),
	};
	int err = put_string(b, p, "limen", &info.boot_loader_name);

	for (uint32_t i = 0; i < n; i++)
		out[i] = (struct memmap){
			sizeof(out[i]) - 4, map[i].addr, map[i].addr >> 32,
			map[i].len, map[i].len >> 32, map[i].type };
	if (!err)
		err = boot_put(b, BOOT_LISTS, p->mod, sizeof(p->mod), 0);
	if (!err)
		err = boot_put(b, info.mmap_addr, out, info.mmap_length, 0);
	if (!err)
		err = boot_put(b, BOOT_INFO, &info, sizeof(info), 0);
	return err;
}

int multiboot_load(struct boot *b, const struct image *img)
{
	struct placing p = { .strings = BOOT_STRINGS };
	struct elf_info elf = { 0 };
	char line[8192];
	uint32_t cmdline;
	struct header h;
	uint64_t off = find_header(img, &h);
	int err;

	if (h.flags & FLAG_ADDRESSES) {
		err = load_by_addresses(b, img, &h, off, &p.next);
		elf.entry = h.entry_addr;
	} else if (elf_is(img)) {
		err = elf_load(b, img, &elf);
		p.next = elf.high;
	} else {
		err = boot_fail(b, -ENOEXEC, "%s: neither ELF nor addresses in its multiboot header",
				b->kernel);
	}
	if (err)
		return err;
	if (elf.is_64 || elf.entry > 0xffffffff)
		return boot_fail(b, -ENOEXEC,
				 "%s: multiboot starts 32-bit code, but this ELF file is 64-bit; objcopy -O elf32-i386",
				 b->kernel);
	if (snprintf(line, sizeof(line), "%s%s%s", b->kernel, b->append ? " " : "",
		     b->append ? b->append : "") >= (int)sizeof(line))
		return boot_fail(b, -EINVAL, "the command line is too long");
	err = put_string(b, &p, line, &cmdline);
	if (!err)
		err = put_modules(b, &p);
	if (!err)
		err = put_info(b, &p, cmdline);
	b->protocol = "multiboot";
	b->entry = (struct boot_entry){
		.mode = BOOT_PROT32, .rip = elf.entry, .rax = LOADER_MAGIC,
		.rbx = BOOT_INFO,
	};
	return err;
}
