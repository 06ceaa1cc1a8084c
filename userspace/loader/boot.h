/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a file to a guest that is about to run its first instruction.
 *
 * Images are untrusted: every offset and size in them is checked against the
 * file, every address against the guest's memory.
 *
 * Low memory as the loaders use it:
 *   0x00400  BIOS data area: COM1, base memory, where the EBDA would be
 *   0x01000  GDT of the entry state
 *   0x02000  identity page tables of the 64-bit entry, 4 GiB in 2 MiB pages
 *   0x08000  boot_params, or the start info of PVH, or that of multiboot
 *   0x0a000  memory map, modules
 *   0x10000  command line, strings
 *   0xe0000  ACPI tables; RSDP at 0xf0000, where old software looks for it
 */
#ifndef LIMEN_BOOT_H
#define LIMEN_BOOT_H

#include <liblimen.h>

#define BOOT_GDT	0x1000u
#define BOOT_TABLES	0x2000u
#define BOOT_INFO	0x8000u
#define BOOT_LISTS	0xa000u
#define BOOT_STRINGS	0x10000u
#define BOOT_LOW_END	0x20000u
#define ACPI_TABLES	0xe0000u
#define ACPI_RSDP	0xf0000u
#define ACPI_TABLES_MAX	0x10000u
#define RAM_LOW_MAX	0xc0000000ull
#define RAM_HIGH_BASE	0x100000000ull
#define LOW_USABLE	0x9fc00u
#define HIGH_MEMORY	0x100000u

enum boot_mode {
	BOOT_REAL16,	/* CS base = entry & ~15, IP = entry & 15 */
	BOOT_PROT32,	/* flat segments, no paging */
	BOOT_LONG64,	/* identity page tables */
};

/* where and how vCPU 0 starts */
struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t rax, rbx, rsi;
};

struct boot {
	struct limen_vm *vm;
	const char *kernel, *initrd, *append;	/* initrd, append: may be NULL */
	uint64_t flat_addr;	/* for boot_load_flat() */
	uint64_t ram_low, ram_high;
	uint32_t cpus;
	/* virtio devices to announce */
	uint32_t nr_virtio;
	uint64_t virtio_base, virtio_stride;
	uint32_t virtio_gsi, virtio_nr_gsi;
	/* results */
	struct boot_entry entry;
	const char *protocol;
	char why[192];		/* on failure: what is wrong, for the user */
};

/* load.c: recognizes the image. 0 or -errno with @b->why */
int boot_load(struct boot *b);
int boot_load_flat(struct boot *b);
/* entry.c: put vCPU 0 into the state that the protocol asks for */
int boot_enter(const struct boot *b, struct limen_vcpu *vcpu);
/* acpi.c */
int boot_acpi(struct boot *b);
/* what old software reads from a BIOS's data area */
int boot_bios_data(struct boot *b);

/* ---- between the loaders --------------------------------------------------- */

struct image {
	const uint8_t *data;
	uint64_t len;
};

#define MEMMAP_RAM		1
#define MEMMAP_RESERVED		2
#define MEMMAP_MAX		8

struct memmap_entry {
	uint64_t addr, len;
	uint32_t type;
};

/* set @b->why and return @err */
__attribute__((format(printf, 3, 4)))
int boot_fail(struct boot *b, int err, const char *fmt, ...);
int image_open(struct boot *b, const char *path, struct image *img);
void image_close(struct image *img);
/* [@off, @off + @len) of the file, NULL if it isn't there */
const void *image_at(const struct image *img, uint64_t off, uint64_t len);
uint32_t boot_memmap(const struct boot *b, struct memmap_entry *map);
/* copy to guest memory and zero up to @mem_len */
int boot_put(struct boot *b, uint64_t gpa, const void *data, uint64_t len,
	     uint64_t mem_len);
/* the command line at BOOT_STRINGS; its length without NUL, or -errno */
int boot_cmdline(struct boot *b, const char *line, uint32_t max);
/* load the initrd below @top, not into [@low, @high); 0 with *@len 0 if none */
int boot_initrd(struct boot *b, uint64_t low, uint64_t high, uint64_t top,
		uint64_t *gpa, uint64_t *len);

struct elf_info {
	uint64_t entry;
	uint64_t low, high;	/* what was loaded, guest-physical */
	bool is_64;
	bool has_pvh;
	uint32_t pvh_entry;
};

bool elf_is(const struct image *img);
int elf_load(struct boot *b, const struct image *img, struct elf_info *info);

bool bzimage_is(const struct image *img);
int bzimage_load(struct boot *b, const struct image *img);
/* boot_params of an image without a setup header */
int bzimage_params(struct boot *b, const void *header, uint32_t header_len,
		   uint64_t low, uint64_t high, uint64_t initrd_top,
		   uint32_t cmdline_max);
int vmlinux_load(struct boot *b, const struct image *img);
bool multiboot_is(const struct image *img);
int multiboot_load(struct boot *b, const struct image *img);

#endif
