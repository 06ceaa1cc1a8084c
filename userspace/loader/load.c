// SPDX-License-Identifier: GPL-2.0-or-later
/* Which loader, and what all loaders share. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"

int boot_fail(struct boot *b, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, sizeof(b->why), fmt, ap);
	va_end(ap);
	return err;
}

int image_open(struct boot *b, const char *path, struct image *img)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0)
		return boot_fail(b, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return boot_fail(b, -EINVAL, "%s: not a file with contents", path);
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return boot_fail(b, -errno, "%s: %s", path, strerror(errno));
	img->data = p;
	img->len = st.st_size;
	return 0;
}

void image_close(struct image *img)
{
	munmap((void *)img->data, img->len);
}

const void *image_at(const struct image *img, uint64_t off, uint64_t len)
{
	if (off > img->len || len > img->len - off)
		return NULL;
	return img->data + off;
}

/* 640 KiB to 1 MiB is memory too, but the guest is told to keep off: that is
 * where the ACPI tables are, and where a PC has its video memory. */
uint32_t boot_memmap(const struct boot *b, struct memmap_entry *map)
{
	uint32_t n = 0;

	map[n++] = (struct memmap_entry){ 0, LOW_USABLE, MEMMAP_RAM };
	map[n++] = (struct memmap_entry){
		LOW_USABLE, HIGH_MEMORY - LOW_USABLE, MEMMAP_RESERVED };
	map[n++] = (struct memmap_entry){
		HIGH_MEMORY, b->ram_low - HIGH_MEMORY, MEMMAP_RAM };
	if (b->ram_high)
		map[n++] = (struct memmap_entry){
			RAM_HIGH_BASE, b->ram_high, MEMMAP_RAM };
	return n;
}

int boot_put(struct boot *b, uint64_t gpa, const void *data, uint64_t len,
	     uint64_t mem_len)
{
	uint8_t *p;

	if (mem_len < len)
		mem_len = len;
	p = limen_gpa_ptr(b->vm, gpa, mem_len, true);
	if (!p)
		return boot_fail(b, -ENOEXEC,
				 "the image wants 0x%llx bytes at 0x%llx, where the guest has no memory: raise --memory",
				 (unsigned long long)mem_len, (unsigned long long)gpa);
	memcpy(p, data, len);
	memset(p + len, 0, mem_len - len);
	return 0;
}

int boot_cmdline(struct boot *b, const char *line, uint32_t max)
{
	size_t len = strlen(line);
	int err;

	if (len > max || len >= BOOT_LOW_END - BOOT_STRINGS)
		return boot_fail(b, -EINVAL,
				 "the command line has %zu characters, the kernel takes %u",
				 len, max);
	err = boot_put(b, BOOT_STRINGS, line, len + 1, 0);
	return err ? err : (int)len;
}

int boot_initrd(struct boot *b, uint64_t low, uint64_t high, uint64_t top,
		uint64_t *gpa, uint64_t *len)
{
	struct image img;
	uint64_t at;
	int err;

	*gpa = 0;
	*len = 0;
	if (!b->initrd)
		return 0;
	err = image_open(b, b->initrd, &img);
	if (err)
		return err;
	if (top > b->ram_low)
		top = b->ram_low;
	at = img.len < top ? (top - img.len) & ~(uint64_t)(LIMEN_PAGE_SIZE - 1) : 0;
	if (at < HIGH_MEMORY || (at < high && at + img.len > low))
		err = boot_fail(b, -ENOEXEC,
				"%s: no room for its %llu KiB beside the kernel: raise --memory",
				b->initrd, (unsigned long long)img.len >> 10);
	else
		err = boot_put(b, at, img.data, img.len, 0);
	*gpa = at;
	*len = img.len;
	image_close(&img);
	return err;
}

int boot_load(struct boot *b)
{
	struct image img;
	int err = image_open(b, b->kernel, &img);

	if (err)
		return err;
	if (bzimage_is(&img))
		err = bzimage_load(b, &img);
	else if (multiboot_is(&img))
		err = multiboot_load(b, &img);
	else if (elf_is(&img))
		err = vmlinux_load(b, &img);
	else
		err = boot_fail(b, -ENOEXEC,
				"%s: not a bzImage, an ELF file or a multiboot image; for a raw image use --flat ADDR",
				b->kernel);
	image_close(&img);
	return err;
}

/* A raw image starts at its first byte: below 1 MiB in real mode, above in
 * flat 32-bit protected mode. */
int boot_load_flat(struct boot *b)
{
	struct image img;
	int err = image_open(b, b->kernel, &img);

	if (err)
		return err;
	b->protocol = "flat";
	b->entry.mode = b->flat_addr < HIGH_MEMORY ? BOOT_REAL16 : BOOT_PROT32;
	b->entry.rip = b->flat_addr;
	err = boot_put(b, b->flat_addr, img.data, img.len, 0);
	image_close(&img);
	if (!err && b->entry.rip > 0xffffffff)
		err = boot_fail(b, -EINVAL, "--flat: the address must be below 4 GiB");
	return err;
}
