// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ELF executables for x86, 32 and 64 bits: segments to their physical
 * addresses, and the PVH entry note. No header is believed.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "boot.h"

#define MAX_SEGMENTS	64
#define NOTE_PVH	18	/* XEN_ELFNOTE_PHYS32_ENTRY */

/* one program header, of either class */
struct segment {
	uint32_t type;
	uint64_t offset, filesz, paddr, memsz;
};

bool elf_is(const struct image *img)
{
	const uint8_t *id = image_at(img, 0, EI_NIDENT);

	return id && !memcmp(id, ELFMAG, SELFMAG) &&
	       image_at(img, 0, sizeof(Elf64_Ehdr));
}

static struct segment segment_at(const uint8_t *p, bool is_64)
{
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (is_64) {
		memcpy(&p64, p, sizeof(p64));
		return (struct segment){ p64.p_type, p64.p_offset, p64.p_filesz,
					 p64.p_paddr, p64.p_memsz };
	}
	memcpy(&p32, p, sizeof(p32));
	return (struct segment){ p32.p_type, p32.p_offset, p32.p_filesz,
				 p32.p_paddr, p32.p_memsz };
}

static uint64_t align4(uint64_t v)
{
	return (v + 3) & ~3ull;
}

/* Notes: name size, descriptor size, type, then both, each padded to 4. */
static void find_pvh(const struct image *img, const struct segment *s,
		     struct elf_info *info)
{
	const uint8_t *p = image_at(img, s->offset, s->filesz);
	uint64_t pos = 0;

	while (p && s->filesz - pos >= sizeof(Elf32_Nhdr)) {
		uint64_t name, desc, left = s->filesz - pos;
		Elf32_Nhdr n;

		memcpy(&n, p + pos, sizeof(n));
		name = sizeof(n);
		desc = name + align4(n.n_namesz);
		if (desc + align4(n.n_descsz) > left)
			return;
		if (n.n_type == NOTE_PVH && n.n_namesz == 4 &&
		    !memcmp(p + pos + name, "Xen", 4) && n.n_descsz >= 4) {
			memcpy(&info->pvh_entry, p + pos + desc, 4);
			info->has_pvh = true;
			return;
		}
		pos += desc + align4(n.n_descsz);
	}
}

static int load_segment(struct boot *b, const struct image *img,
			const struct segment *s, struct elf_info *info)
{
	const void *data = image_at(img, s->offset, s->filesz);
	int err;

	if (!data || s->memsz < s->filesz || s->paddr + s->memsz < s->paddr)
		return boot_fail(b, -ENOEXEC, "%s: a segment is not in the file",
				 b->kernel);
	if (!s->memsz)
		return 0;
	if (s->paddr < BOOT_LOW_END)
		return boot_fail(b, -ENOEXEC,
				 "%s: a segment at 0x%llx lies on the boot information below 0x%x",
				 b->kernel, (unsigned long long)s->paddr,
				 BOOT_LOW_END);
	err = boot_put(b, s->paddr, data, s->filesz, s->memsz);
	if (s->paddr < info->low)
		info->low = s->paddr;
	if (s->paddr + s->memsz > info->high)
		info->high = s->paddr + s->memsz;
	return err;
}

int elf_load(struct boot *b, const struct image *img, struct elf_info *info)
{
	const uint8_t *id = img->data, *table;
	uint64_t phoff, phnum, phentsize;
	int err = 0;

	*info = (struct elf_info){ .low = UINT64_MAX };
	info->is_64 = id[EI_CLASS] == ELFCLASS64;
	if (info->is_64) {
		Elf64_Ehdr h;

		memcpy(&h, id, sizeof(h));
		info->entry = h.e_entry;
		phoff = h.e_phoff;
		phnum = h.e_machine == EM_X86_64 ? h.e_phnum : 0;
		phentsize = sizeof(Elf64_Phdr) == h.e_phentsize ?
			    h.e_phentsize : 0;
	} else {
		Elf32_Ehdr h;

		memcpy(&h, id, sizeof(h));
		info->entry = h.e_entry;
		phoff = h.e_phoff;
		phnum = h.e_machine == EM_386 || h.e_machine == EM_X86_64 ?
			h.e_phnum : 0;
		phentsize = sizeof(Elf32_Phdr) == h.e_phentsize ?
			    h.e_phentsize : 0;
	}
	table = image_at(img, phoff, phnum * phentsize);
	if (id[EI_DATA] != ELFDATA2LSB || !phnum || phnum > MAX_SEGMENTS ||
	    !phentsize || !table)
		return boot_fail(b, -ENOEXEC, "%s: not an ELF executable for x86",
				 b->kernel);
	for (uint64_t i = 0; i < phnum && !err; i++) {
		struct segment s = segment_at(table + i * phentsize, info->is_64);

		if (s.type == PT_LOAD)
			err = load_segment(b, img, &s, info);
		else if (s.type == PT_NOTE && !info->has_pvh)
			find_pvh(img, &s, info);
	}
	if (!err && info->low == UINT64_MAX)
		err = boot_fail(b, -ENOEXEC, "%s: nothing to load in it", b->kernel);
	return err;
}
