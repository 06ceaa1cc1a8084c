// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux/x86 boot protocol (Documentation/arch/x86/boot.rst), 2.06 and later:
 * the 64-bit entry where the kernel has one, else the 32-bit entry.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "boot.h"

#define HEADER_OFFSET	0x1f1
#define MIN_VERSION	0x206	/* has cmdline_size */
#define ENTRY_64	0x200
#define ENTRY_MAGIC	0x53726448	/* "HdrS" */

static const struct setup_header *header_of(const struct image *img)
{
	return image_at(img, HEADER_OFFSET, sizeof(struct setup_header));
}

bool bzimage_is(const struct image *img)
{
	const struct setup_header *h = header_of(img);

	return h && h->boot_flag == 0xaa55 && h->header == ENTRY_MAGIC;
}

static void fill_memmap(const struct boot *b, struct boot_params *bp)
{
	struct memmap_entry map[MEMMAP_MAX];
	uint32_t n = boot_memmap(b, map);

	for (uint32_t i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].addr, .size = map[i].len,
			.type = map[i].type,
		};
	bp->e820_entries = n;
}

int bzimage_params(struct boot *b, const void *header, uint32_t header_len,
		   uint64_t low, uint64_t high, uint64_t initrd_top,
		   uint32_t cmdline_max)
{
	struct boot_params bp = { 0 };
	uint64_t initrd, initrd_len;
	int err;

	if (header_len > sizeof(bp.hdr))
		header_len = sizeof(bp.hdr);
	memcpy(&bp.hdr, header, header_len);
	err = boot_cmdline(b, b->append ? b->append : "", cmdline_max);
	if (err < 0)
		return err;
	err = boot_initrd(b, low, high, initrd_top, &initrd, &initrd_len);
	if (err)
		return err;
	if (initrd_len > 0xffffffff)
		return boot_fail(b, -EINVAL, "%s: too large", b->initrd);
	bp.hdr.boot_flag = 0xaa55;
	bp.hdr.header = ENTRY_MAGIC;
	bp.hdr.type_of_loader = 0xff;
	bp.hdr.cmd_line_ptr = BOOT_STRINGS;
	bp.hdr.ramdisk_image = initrd;
	bp.hdr.ramdisk_size = initrd_len;
	bp.acpi_rsdp_addr = ACPI_RSDP;
	fill_memmap(b, &bp);
	return boot_put(b, BOOT_INFO, &bp, sizeof(bp), 0);
}

/* Where the kernel prefers to be, or the lowest place that it can move to. */
static uint64_t load_address(const struct boot *b, const struct setup_header *h)
{
	uint64_t pref = h->version >= 0x20a ? h->pref_address : HIGH_MEMORY;
	uint64_t align = h->kernel_alignment;

	if (!h->relocatable_kernel || pref + h->init_size <= b->ram_low)
		return pref;
	if (!align || align & (align - 1) || align > b->ram_low)
		return pref;
	return (HIGH_MEMORY + align - 1) & ~(align - 1);
}

int bzimage_load(struct boot *b, const struct image *img)
{
	const struct setup_header *h = header_of(img);
	uint64_t setup = ((h->setup_sects ? h->setup_sects : 4) + 1) * 512ull;
	/* the header ends where the jump at 0x200 goes to */
	uint32_t header_len = 0x202 + img->data[0x201] - HEADER_OFFSET;
	uint64_t at, need, initrd_top;
	bool is_64;
	int err;

	if (h->version < MIN_VERSION || !(h->loadflags & LOADED_HIGH))
		return boot_fail(b, -ENOEXEC,
				 "%s: boot protocol 0x%x, too old (2.06 and a bzImage are needed)",
				 b->kernel, h->version);
	if (setup >= img->len)
		return boot_fail(b, -ENOEXEC, "%s: truncated", b->kernel);
	is_64 = h->version >= 0x20c && h->xloadflags & XLF_KERNEL_64;
	at = load_address(b, h);
	need = img->len - setup;
	if (h->version >= 0x20a && h->init_size > need)
		need = h->init_size;
	err = boot_put(b, at, img->data + setup, img->len - setup, need);
	if (err)
		return err;
	initrd_top = (uint64_t)h->initrd_addr_max + 1;
	err = bzimage_params(b, h, header_len, at, at + need, initrd_top,
			     h->cmdline_size);
	if (err)
		return err;
	b->protocol = is_64 ? "Linux, 64-bit" : "Linux, 32-bit";
	b->entry.mode = is_64 ? BOOT_LONG64 : BOOT_PROT32;
	b->entry.rip = at + (is_64 ? ENTRY_64 : 0);
	b->entry.rsi = BOOT_INFO;
	return 0;
}
