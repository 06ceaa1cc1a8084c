// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vmlinux, or any ELF kernel: by PVH if it has the note (Xen
 * docs/misc/pvh.pandoc), else at its entry as a 64-bit Linux.
 */
#include <errno.h>
#include <string.h>

#include "boot.h"

#define PVH_MAGIC	0x336ec578
#define CMDLINE_MAX	2047	/* COMMAND_LINE_SIZE of x86 Linux, less NUL */

struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct pvh_module {
	uint64_t addr, size, cmdline, reserved;
};

struct pvh_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

static int pvh_params(struct boot *b, const struct elf_info *elf)
{
	struct memmap_entry map[MEMMAP_MAX];
	struct pvh_memmap out[MEMMAP_MAX] = { 0 };
	struct pvh_module mod = { 0 };
	uint32_t n = boot_memmap(b, map);
	struct pvh_start_info info = {
		.magic = PVH_MAGIC, .version = 1, .cmdline = BOOT_STRINGS,
		.rsdp = ACPI_RSDP, .modlist = BOOT_LISTS,
		.memmap = BOOT_LISTS + sizeof(mod), .memmap_entries = n,
	};
	int err;

	err = boot_cmdline(b, b->append ? b->append : "", CMDLINE_MAX);
	if (err < 0)
		return err;
	err = boot_initrd(b, elf->low, elf->high, b->ram_low, &mod.addr, &mod.size);
	if (err)
		return err;
	info.nr_modules = mod.size ? 1 : 0;
	for (uint32_t i = 0; i < n; i++)
		out[i] = (struct pvh_memmap){ map[i].addr, map[i].len, map[i].type, 0 };
	err = boot_put(b, BOOT_LISTS, &mod, sizeof(mod), 0);
	if (!err)
		err = boot_put(b, info.memmap, out, n * sizeof(out[0]), 0);
	if (!err)
		err = boot_put(b, BOOT_INFO, &info, sizeof(info), 0);
	return err;
}

int vmlinux_load(struct boot *b, const struct image *img)
{
	static const uint8_t no_header[1];
	struct elf_info elf;
	int err = elf_load(b, img, &elf);

	if (err)
		return err;
	if (elf.has_pvh) {
		b->protocol = "PVH";
		b->entry.mode = BOOT_PROT32;
		b->entry.rip = elf.pvh_entry;
		b->entry.rbx = BOOT_INFO;
		return pvh_params(b, &elf);
	}
	if (!elf.is_64)
		return boot_fail(b, -ENOEXEC,
				 "%s: a 32-bit ELF file without a multiboot header or a PVH note",
				 b->kernel);
	b->protocol = "ELF, Linux 64-bit";
	b->entry.mode = BOOT_LONG64;
	b->entry.rip = elf.entry;
	b->entry.rsi = BOOT_INFO;
	return bzimage_params(b, no_header, 0, elf.low, elf.high, b->ram_low,
			      CMDLINE_MAX);
}
