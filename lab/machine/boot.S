/*
 * An option ROM for Bochs that boots an uncompressed Linux vmlinux.
 *
 * Reading a disk through the BIOS and decompressing a kernel take most of a boot
 * under emulation. The BIOS calls this ROM, which takes over INT 19h (bootstrap).
 * That one collects the memory map, reads kernel, initramfs and command line from
 * the disk with one command each, a string instruction a sector, and enters the
 * kernel by Linux's 64-bit boot protocol (Documentation/x86/boot.rst): long mode,
 * memory identity-mapped, %rsi = address of struct boot_params. boot.py fills in
 * the parameters and the checksum. (The PVH protocol would be shorter, but a 6.1
 * kernel with KASAN dies on that way in. Bochs can also load files into RAM by
 * itself, but only the first block of each lands where it should.)
 */
	.code16
	.section .text, "ax"

/* struct boot_params, and what this ROM sets of it */
#define PARAMS		0x8000
#define P_E820_ENTRIES	(PARAMS + 0x1e8)
#define P_BOOT_FLAG	(PARAMS + 0x1fe)
#define P_HEADER	(PARAMS + 0x202)
#define P_VERSION	(PARAMS + 0x206)
#define P_LOADER	(PARAMS + 0x210)
#define P_LOADFLAGS	(PARAMS + 0x211)
#define P_RAMDISK	(PARAMS + 0x218)
#define P_RAMDISK_SIZE	(PARAMS + 0x21c)
#define P_CMDLINE	(PARAMS + 0x228)
#define P_ALIGNMENT	(PARAMS + 0x230)
#define P_E820_TABLE	(PARAMS + 0x2d0)
#define PARAMS_SIZE	0x1000
#define E820_ENTRY	20
#define MAX_E820	64

/* The first four GiB, identity-mapped by 2 MiB pages */
#define PML4		0x10000
#define PDPT		0x11000
#define PD		0x12000
#define TABLES_SIZE	0x6000
#define PTE_TABLE	0x003
#define PTE_LARGE	0x083

#define ATA		0x1f0
#define ATA_BUSY	0x80
#define ATA_DRQ		0x08
#define ATA_READ_EXT	0x24

/* What the protocol wants the selectors to be */
#define CS32		0x08
#define BOOT_CS		0x10
#define BOOT_DS		0x18

	.globl _start
_start:
	.byte	0x55, 0xaa
	.byte	ROM_BLOCKS		/* times 512 bytes */
	jmp	init
	.balign	16
param_entry:	.long 0			/* where the kernel starts */
param_cmdline:	.long 0
param_initrd:	.long 0
param_initrd_size: .long 0
	/* What to read: first sector, sectors (at most 65535), where to; 0 ends. */
param_load:	.fill 3 * PARAM_LOADS, 4, 0
		.long 0, 0, 0

init:
	push	%ds
	push	%ax
	xor	%ax, %ax
	mov	%ax, %ds
	movw	$bootstrap, 0x19 * 4
	mov	%cs, 0x19 * 4 + 2
	pop	%ax
	pop	%ds
	lret

bootstrap:
	cli
	cld
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp

	mov	$PARAMS, %di
	mov	$PARAMS_SIZE / 2, %cx
	rep stosw
	mov	$P_E820_TABLE, %di
	xor	%ebx, %ebx
	xor	%si, %si
1:	mov	$0xe820, %eax
	mov	$0x534d4150, %edx
	mov	$E820_ENTRY, %ecx
	int	$0x15
	jc	2f
	add	$E820_ENTRY, %di
	inc	%si
	cmp	$MAX_E820, %si
	jae	2f
	test	%ebx, %ebx
	jnz	1b
2:
	mov	%si, %ax
	mov	%al, P_E820_ENTRIES
	movw	$0xaa55, P_BOOT_FLAG
	movl	$0x53726448, P_HEADER	/* "HdrS" */
	movw	$0x020c, P_VERSION
	movb	$0xff, P_LOADER
	movb	$1, P_LOADFLAGS
	movl	$0x200000, P_ALIGNMENT
	mov	%cs:param_initrd, %eax
	mov	%eax, P_RAMDISK
	mov	%cs:param_initrd_size, %eax
	mov	%eax, P_RAMDISK_SIZE
	mov	%cs:param_cmdline, %eax
	mov	%eax, P_CMDLINE

	in	$0x92, %al		/* A20 */
	or	$2, %al
	and	$0xfe, %al
	out	%al, $0x92

	lgdtl	%cs:gdt_desc
	mov	%cr0, %eax
	and	$0x9fffffff, %eax	/* caches on */
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$CS32, $ROM + protected

	.code32
protected:
	mov	$BOOT_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ROM + param_load, %ebp
load:	mov	4(%ebp), %ecx		/* sectors */
	jecxz	map_memory
	mov	(%ebp), %ebx		/* first sector */
	mov	8(%ebp), %edi
	call	read_disk
	add	$12, %ebp
	jmp	load

map_memory:
	mov	$PML4, %edi
	mov	$TABLES_SIZE / 4, %ecx
	xor	%eax, %eax
	rep stosl
	movl	$PDPT + PTE_TABLE, PML4
	mov	$PDPT, %edi
	mov	$PD + PTE_TABLE, %eax
1:	mov	%eax, (%edi)
	add	$8, %edi
	add	$0x1000, %eax
	cmp	$PDPT + 4 * 8, %edi
	jb	1b
	mov	$PD, %edi
	mov	$PTE_LARGE, %eax
2:	mov	%eax, (%edi)
	add	$8, %edi
	add	$0x200000, %eax
	cmp	$PD + 4 * 0x1000, %edi
	jb	2b

	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$PML4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	ROM + param_entry, %ebx
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	ljmp	$BOOT_CS, $ROM + long_mode

	/* Reads %cx sectors from %ebx to %edi with one 48-bit command. */
read_disk:
	mov	$ATA + 6, %edx		/* the first drive, LBA */
	mov	$0x40, %al
	out	%al, %dx
	mov	$ATA + 2, %edx		/* sectors, high half first */
	mov	%ch, %al
	out	%al, %dx
	inc	%edx			/* sector: bytes 3 to 5, then 0 to 2 */
	mov	%ebx, %eax
	shr	$24, %eax
	out	%al, %dx
	inc	%edx
	xor	%eax, %eax
	out	%al, %dx
	inc	%edx
	out	%al, %dx
	mov	$ATA + 2, %edx
	mov	%cl, %al
	out	%al, %dx
	mov	%ebx, %eax
	inc	%edx
	out	%al, %dx
	inc	%edx
	shr	$8, %eax
	out	%al, %dx
	inc	%edx
	shr	$8, %eax
	out	%al, %dx
	mov	$ATA + 7, %edx
	mov	$ATA_READ_EXT, %al
	out	%al, %dx
	mov	%ecx, %ebx
1:	mov	$ATA + 7, %edx
	in	%dx, %al
	test	$ATA_BUSY, %al
	jnz	1b
	test	$ATA_DRQ, %al
	jz	1b
	mov	$ATA, %edx
	mov	$256, %ecx
	rep insw
	dec	%ebx
	jnz	1b
	ret

	.code64
long_mode:
	mov	$PARAMS, %esi
	jmp	*%rbx

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff	/* CS32 */
	.quad	0x00af9a000000ffff	/* BOOT_CS */
	.quad	0x00cf92000000ffff	/* BOOT_DS */
gdt_desc:
	.word	. - gdt - 1
	.long	ROM + gdt
