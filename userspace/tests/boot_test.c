// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loaders: images made here, hostile ones too, and real ones where they
 * are installed ($LIMEN_VMLINUZ, memtest86+).
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>

#include "../loader/boot.h"
#include "test.h"

#define FILE_MAX	0x3000

struct brig {
	struct limen *dev;
	struct limen_vm *vm;
	struct limen_vcpu *vcpu;
	struct boot b;
	uint8_t *ram;
	char path[64];
	int fd;
};

#define BOOT_RAM	(128u << 20)

static void brig_init(struct brig *g, const void *file, size_t len)
{
	struct rig r;
	void *ram;

	rig_init(&r);	/* for the fake kernel; a VM with more memory follows */
	rig_fini(&r);
	memset(g, 0, sizeof(*g));
	if (limen_open(NULL, &g->dev) || limen_vm_create(g->dev, &g->vm) ||
	    limen_ram_add(g->vm, 0, BOOT_RAM, 7, &ram) ||
	    limen_vcpu_create(g->vm, 0, &g->vcpu))
		abort();
	g->ram = ram;
	g->fd = memfd_create("image", 0);
	if (len && write(g->fd, file, len) != (ssize_t)len)
		abort();
	snprintf(g->path, sizeof(g->path), "/proc/self/fd/%d", g->fd);
	g->b = (struct boot){
		.vm = g->vm, .kernel = g->path, .append = "a=b", .cpus = 2,
		.ram_low = BOOT_RAM, .nr_virtio = 2, .virtio_base = 0xd0000000,
		.virtio_stride = 0x1000, .virtio_gsi = 16, .virtio_nr_gsi = 8,
	};
}

static void brig_fini(struct brig *g)
{
	close(g->fd);
	limen_vcpu_destroy(g->vcpu);
	limen_vm_destroy(g->vm);
	limen_close(g->dev);
}

static uint32_t ram32(struct brig *g, uint64_t at)
{
	uint32_t v;

	memcpy(&v, g->ram + at, 4);
	return v;
}

static void put(uint8_t *p, uint64_t v, uint32_t size)
{
	memcpy(p, &v, size);
}

/* ---- bzImage -------------------------------------------------------------------- */

/* setup of 1 + 1 sectors, then 512 bytes of kernel */
static size_t make_bzimage(uint8_t *f)
{
	memset(f, 0, FILE_MAX);
	f[0x1f1] = 1;
	put(f + 0x1fe, 0xaa55, 2);
	f[0x200] = 0xeb;
	f[0x201] = 0x66;
	memcpy(f + 0x202, "HdrS", 4);
	put(f + 0x206, 0x20f, 2);
	f[0x211] = 1;
	put(f + 0x22c, 0x7fffffff, 4);
	put(f + 0x230, 0x200000, 4);
	f[0x234] = 1;
	put(f + 0x236, 1, 2);
	put(f + 0x238, 2047, 4);
	put(f + 0x258, 0x1000000, 8);
	put(f + 0x260, 0x100000, 4);
	memset(f + 1024, 0x90, 512);
	return 1536;
}

TEST(bzimage_64_bit_entry)
{
	uint8_t f[FILE_MAX];
	size_t len = make_bzimage(f);
	struct brig g;

	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_LONG64);
	EXPECT_EQ(g.b.entry.rip, 0x1000200);
	EXPECT_EQ(g.b.entry.rsi, BOOT_INFO);
	EXPECT_EQ(ram32(&g, 0x1000000), 0x90909090);
	EXPECT_EQ(ram32(&g, BOOT_INFO + 0x228), BOOT_STRINGS);
	EXPECT_EQ(strcmp((char *)g.ram + BOOT_STRINGS, "a=b"), 0);
	EXPECT_EQ(g.ram[BOOT_INFO + 0x1e8], 3);		/* e820 entries */
	EXPECT_EQ(ram32(&g, BOOT_INFO + 0x70), ACPI_RSDP);
	EXPECT_EQ(boot_enter(&g.b, g.vcpu), 0);
	EXPECT_EQ(fake.regs.rip, 0x1000200);
	EXPECT_EQ(fake.sregs.efer, 0x500);
	EXPECT_EQ(fake.sregs.cr3, BOOT_TABLES);
	/* the tables map 3 GiB + 2 MiB onto itself */
	EXPECT_EQ(ram32(&g, BOOT_TABLES + 0x1000 + 24), 0x7003);
	EXPECT_EQ(ram32(&g, 0x7000 + 8), 0xc0200083);
	brig_fini(&g);
}

TEST(bzimage_32_bit_entry_and_relocation)
{
	uint8_t f[FILE_MAX];
	size_t len = make_bzimage(f);
	struct brig g;

	put(f + 0x236, 0, 2);
	put(f + 0x258, 0x7ff00000, 8);		/* prefers what isn't there */
	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_PROT32);
	EXPECT_EQ(g.b.entry.rip, 0x200000);
	EXPECT_EQ(boot_enter(&g.b, g.vcpu), 0);
	EXPECT_EQ(fake.sregs.cr0, 0x11);
	EXPECT_EQ(fake.sregs.seg[LIMEN_CS].sel, 0x10);
	brig_fini(&g);
}

TEST(bzimage_initrd_is_placed_below_its_limit)
{
	uint8_t f[FILE_MAX];
	size_t len = make_bzimage(f);
	struct brig g;

	put(f + 0x22c, 0x3ffffff, 4);		/* 64 MiB */
	brig_init(&g, f, len);
	g.b.initrd = g.path;
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(ram32(&g, BOOT_INFO + 0x218), 0x3fff000);
	EXPECT_EQ(ram32(&g, BOOT_INFO + 0x21c), 1536);
	EXPECT_EQ(g.ram[0x3fff000 + 1024], 0x90);
	brig_fini(&g);
}

static void expect_refused(const uint8_t *f, size_t len)
{
	struct brig g;

	brig_init(&g, f, len);
	EXPECT_TRUE(boot_load(&g.b) < 0);
	EXPECT_TRUE(g.b.why[0]);
	brig_fini(&g);
}

TEST(bzimage_hostile_headers_are_refused)
{
	uint8_t f[FILE_MAX];
	size_t len = make_bzimage(f);

	f[0x1f1] = 200;				/* setup larger than the file */
	expect_refused(f, len);
	make_bzimage(f);
	put(f + 0x206, 0x205, 2);		/* too old */
	expect_refused(f, len);
	make_bzimage(f);
	put(f + 0x260, 0xffffffff, 4);		/* wants 4 GiB */
	expect_refused(f, len);
	make_bzimage(f);
	put(f + 0x258, ~0ull - 100, 8);		/* address wraps */
	f[0x234] = 0;
	expect_refused(f, len);
	make_bzimage(f);
	put(f + 0x238, 2, 4);			/* command line too long for it */
	expect_refused(f, len);
	make_bzimage(f);
	put(f + 0x258, 0x7ff00000, 8);
	put(f + 0x230, 3, 4);			/* alignment no power of two */
	expect_refused(f, len);
}

/* ---- ELF ------------------------------------------------------------------------- */

static size_t make_elf64(uint8_t *f, bool pvh)
{
	const uint32_t note[] = { 4, 4, 18, 0x006e6558, 0x100abc };
	Elf64_Ehdr *h = (Elf64_Ehdr *)f;
	Elf64_Phdr *p = (Elf64_Phdr *)(f + 64);

	memset(f, 0, FILE_MAX);
	memcpy(h->e_ident, "\177ELF\2\1\1", 7);
	h->e_machine = EM_X86_64;
	h->e_entry = 0x1000000;
	h->e_phoff = 64;
	h->e_phnum = pvh ? 2 : 1;
	h->e_phentsize = sizeof(*p);
	p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x1000,
			     .p_paddr = 0x1000000, .p_filesz = 16, .p_memsz = 64 };
	p[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x800,
			     .p_filesz = sizeof(note) };
	memcpy(f + 0x800, note, sizeof(note));
	memset(f + 0x1000, 0xcc, 16);
	return 0x1010;
}

TEST(elf_with_pvh_note)
{
	uint8_t f[FILE_MAX];
	size_t len = make_elf64(f, true);
	struct brig g;

	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_PROT32);
	EXPECT_EQ(g.b.entry.rip, 0x100abc);
	EXPECT_EQ(g.b.entry.rbx, BOOT_INFO);
	EXPECT_EQ(ram32(&g, BOOT_INFO), 0x336ec578);
	EXPECT_EQ(ram32(&g, 0x1000000), 0xcccccccc);
	EXPECT_EQ(ram32(&g, 0x1000010), 0);
	brig_fini(&g);
}

TEST(elf_without_note_is_a_64_bit_linux)
{
	uint8_t f[FILE_MAX];
	size_t len = make_elf64(f, false);
	struct brig g;

	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_LONG64);
	EXPECT_EQ(g.b.entry.rip, 0x1000000);
	EXPECT_EQ(g.b.entry.rsi, BOOT_INFO);
	brig_fini(&g);
}

TEST(elf_hostile_headers_are_refused)
{
	uint8_t f[FILE_MAX];
	size_t len = make_elf64(f, false);
	Elf64_Ehdr *h = (Elf64_Ehdr *)f;
	Elf64_Phdr *p = (Elf64_Phdr *)(f + 64);

	h->e_phoff = ~0ull - 8;
	expect_refused(f, len);
	make_elf64(f, false);
	h->e_phnum = 0xffff;
	expect_refused(f, len);
	make_elf64(f, false);
	h->e_phentsize = 1;
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_offset = ~0ull - 4;
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_filesz = 1 << 20;
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_memsz = 8;				/* below its file size */
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_paddr = ~0ull - 16;
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_paddr = BOOT_RAM - 32;		/* over the end of memory */
	expect_refused(f, len);
	make_elf64(f, false);
	p->p_paddr = 0x9000;			/* on our own structures */
	expect_refused(f, len);
	make_elf64(f, false);
	h->e_machine = EM_AARCH64;
	expect_refused(f, len);
	expect_refused(f, 40);			/* truncated */
}

TEST(elf_hostile_notes_are_passed_over)
{
	uint8_t f[FILE_MAX];
	size_t len = make_elf64(f, true);
	struct brig g;

	put(f + 0x800, 0xfffffffd, 4);		/* name size wraps when aligned */
	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_LONG64);
	brig_fini(&g);
}

/* ---- multiboot -------------------------------------------------------------------- */

static void mb_header(uint8_t *p, uint32_t flags)
{
	put(p, 0x1badb002, 4);
	put(p + 4, flags, 4);
	put(p + 8, -(0x1badb002 + flags), 4);
}

static size_t make_elf32(uint8_t *f)
{
	Elf32_Ehdr *h = (Elf32_Ehdr *)f;
	Elf32_Phdr *p = (Elf32_Phdr *)(f + 52);

	memset(f, 0, FILE_MAX);
	memcpy(h->e_ident, "\177ELF\1\1\1", 7);
	h->e_machine = EM_386;
	h->e_entry = 0x40000c;
	h->e_phoff = 52;
	h->e_phnum = 1;
	h->e_phentsize = sizeof(*p);
	*p = (Elf32_Phdr){ .p_type = PT_LOAD, .p_offset = 0x1000,
			   .p_paddr = 0x400000, .p_filesz = 64, .p_memsz = 0x2100 };
	mb_header(f + 0x1000, 0);
	return 0x1040;
}

TEST(multiboot_elf_with_modules)
{
	uint8_t f[FILE_MAX];
	size_t len = make_elf32(f);
	struct brig g;
	char initrd[160], want[80];
	uint32_t mods;

	brig_init(&g, f, len);
	snprintf(initrd, sizeof(initrd), "%s x y,%s", g.path, g.path);
	g.b.initrd = initrd;
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_PROT32);
	EXPECT_EQ(g.b.entry.rip, 0x40000c);
	EXPECT_EQ(g.b.entry.rax, 0x2badb002);
	EXPECT_EQ(g.b.entry.rbx, BOOT_INFO);
	EXPECT_EQ(ram32(&g, BOOT_INFO), 0x24d);
	EXPECT_EQ(ram32(&g, BOOT_INFO + 8), (BOOT_RAM >> 10) - 1024);
	snprintf(want, sizeof(want), "%s a=b", g.path);
	EXPECT_EQ(strcmp((char *)g.ram + ram32(&g, BOOT_INFO + 16), want), 0);
	EXPECT_EQ(ram32(&g, BOOT_INFO + 20), 2);
	mods = ram32(&g, BOOT_INFO + 24);
	EXPECT_EQ(ram32(&g, mods), 0x403000);
	EXPECT_EQ(ram32(&g, mods + 4), 0x403000 + len);
	snprintf(want, sizeof(want), "%s x y", g.path);
	EXPECT_EQ(strcmp((char *)g.ram + ram32(&g, mods + 8), want), 0);
	EXPECT_EQ(ram32(&g, mods + 16), 0x405000);
	EXPECT_EQ(memcmp(g.ram + 0x405000, f, len), 0);
	EXPECT_EQ(boot_enter(&g.b, g.vcpu), 0);
	EXPECT_EQ(fake.regs.gpr[LIMEN_RAX], 0x2badb002);
	EXPECT_EQ(fake.sregs.seg[LIMEN_CS].ar, 0xc09b);
	brig_fini(&g);
}

static size_t make_kludge(uint8_t *f)
{
	memset(f, 0, FILE_MAX);
	mb_header(f + 0x20, 1 << 16);
	put(f + 0x2c, 0x200020, 4);
	put(f + 0x30, 0x200000, 4);
	put(f + 0x34, 0x200100, 4);
	put(f + 0x38, 0x201000, 4);
	put(f + 0x3c, 0x200040, 4);
	memset(f + 0x40, 0xf4, 0xc0);
	return 0x100;
}

TEST(multiboot_addresses)
{
	uint8_t f[FILE_MAX];
	size_t len = make_kludge(f);
	struct brig g;

	brig_init(&g, f, len);
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.rip, 0x200040);
	EXPECT_EQ(ram32(&g, 0x2000fc), 0xf4f4f4f4);
	EXPECT_EQ(ram32(&g, 0x200100), 0);
	brig_fini(&g);
}

TEST(multiboot_hostile_addresses_are_refused)
{
	uint8_t f[FILE_MAX];
	size_t len = make_kludge(f);

	put(f + 0x30, 0x200030, 4);		/* loads after its header */
	expect_refused(f, len);
	make_kludge(f);
	put(f + 0x30, 0x1ff000, 4);		/* before the file's start */
	expect_refused(f, len);
	make_kludge(f);
	put(f + 0x34, 0x100000, 4);		/* ends before it begins */
	expect_refused(f, len);
	make_kludge(f);
	put(f + 0x34, 0x300000, 4);		/* more than the file has */
	expect_refused(f, len);
	make_kludge(f);
	put(f + 0x38, 0x200010, 4);		/* bss inside the data */
	expect_refused(f, len);
	make_kludge(f);
	put(f + 0x38, 0xfffffff0, 4);		/* bss over all memory */
	expect_refused(f, len);
}

/* ---- flat, ACPI, real images --------------------------------------------------------- */

TEST(flat_starts_in_real_mode_below_1_mib)
{
	struct brig g;

	brig_init(&g, "\xf4", 1);
	g.b.flat_addr = 0x7c05;
	EXPECT_EQ(boot_load_flat(&g.b), 0);
	EXPECT_EQ(boot_enter(&g.b, g.vcpu), 0);
	EXPECT_EQ(fake.sregs.seg[LIMEN_CS].base, 0x7c00);
	EXPECT_EQ(fake.sregs.seg[LIMEN_CS].sel, 0x7c0);
	EXPECT_EQ(fake.regs.rip, 5);
	EXPECT_EQ(g.ram[0x7c05], 0xf4);
	g.b.flat_addr = 0x200000;
	EXPECT_EQ(boot_load_flat(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, BOOT_PROT32);
	g.b.flat_addr = BOOT_RAM;
	EXPECT_TRUE(boot_load_flat(&g.b) < 0);
	brig_fini(&g);
}

static uint8_t sum(const uint8_t *p, uint32_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *p++;
	return s;
}

TEST(acpi_tables_are_found_and_sound)
{
	struct brig g;
	uint32_t xsdt, fadt, madt, dsdt;

	brig_init(&g, "x", 1);
	EXPECT_EQ(boot_acpi(&g.b), 0);
	EXPECT_EQ(memcmp(g.ram + ACPI_RSDP, "RSD PTR ", 8), 0);
	EXPECT_EQ(sum(g.ram + ACPI_RSDP, 20), 0);
	EXPECT_EQ(sum(g.ram + ACPI_RSDP, 36), 0);
	xsdt = ram32(&g, ACPI_RSDP + 24);
	EXPECT_EQ(memcmp(g.ram + xsdt, "XSDT", 4), 0);
	EXPECT_EQ(sum(g.ram + xsdt, ram32(&g, xsdt + 4)), 0);
	fadt = ram32(&g, xsdt + 36);
	madt = ram32(&g, xsdt + 44);
	EXPECT_EQ(memcmp(g.ram + fadt, "FACP", 4), 0);
	EXPECT_EQ(sum(g.ram + fadt, ram32(&g, fadt + 4)), 0);
	EXPECT_EQ(ram32(&g, fadt + 112) >> 20 & 1, 0);	/* not hardware-reduced */
	dsdt = ram32(&g, fadt + 40);
	EXPECT_EQ(sum(g.ram + dsdt, ram32(&g, dsdt + 4)), 0);
	EXPECT_EQ(memcmp(g.ram + madt, "APIC", 4), 0);
	EXPECT_EQ(sum(g.ram + madt, ram32(&g, madt + 4)), 0);
	EXPECT_EQ(ram32(&g, madt + 4), 44 + 16 + 12 + 20 + 6);
	if (getenv("LIMEN_DUMP_ACPI")) {
		FILE *f = fopen(getenv("LIMEN_DUMP_ACPI"), "w");

		fwrite(g.ram + dsdt, 1, ram32(&g, dsdt + 4), f);
		fclose(f);
	}
	brig_fini(&g);
}

static void load_real(const char *path, enum boot_mode mode)
{
	struct brig g;

	if (!path || access(path, R_OK)) {
		printf("# SKIP: %s is not installed\n", path ? path : "an image");
		return;
	}
	brig_init(&g, "x", 1);
	g.b.kernel = path;
	g.b.append = "console=ttyS0";
	EXPECT_EQ(boot_load(&g.b), 0);
	EXPECT_EQ(g.b.entry.mode, mode);
	brig_fini(&g);
}

TEST(real_images_load)
{
	load_real(getenv("LIMEN_VMLINUZ"), BOOT_LONG64);
	load_real("/boot/memtest86+x64.bin", BOOT_LONG64);
	load_real("/boot/memtest86+ia32.bin", BOOT_PROT32);
}
