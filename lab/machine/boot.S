/*
 * An option ROM for Bochs that boots an uncompressed Linux vmlinux.
 *
 * Reading a disk through the BIOS and decompressing a kernel take most of a boot
 * under emulation. The BIOS calls this ROM, which takes over INT 19h (bootstrap).
 * That one collects the memory map, reads kernel, initramfs and command line from
 * the disk with one command each, a string instruction a sector, and enters the
 * kernel by the PVH protocol (Xen's arch-x86/hvm/start_info.h): 32-bit protected
 * mode, paging off, %ebx = address of struct hvm_start_info. boot.py fills in the
 * parameters and the checksum. (Bochs can also load files into RAM by itself, but
 * only the first block of each lands where it should.)
 */
	.code16
	.section .text, "ax"

#define INFO		0x8000		/* struct hvm_start_info */
#define MODLIST		0x8040		/* struct hvm_modlist_entry */
#define MEMMAP		0x8100		/* struct hvm_memmap_table_entry[] */
#define MAX_MEMMAP	64

#define ATA		0x1f0
#define ATA_BUSY	0x80
#define ATA_DRQ		0x08
#define ATA_READ_EXT	0x24

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

	/* A BIOS writes 20 of an entry's 24 bytes, as in the kernel's own format. */
	mov	$INFO, %di
	mov	$(MEMMAP + 24 * MAX_MEMMAP - INFO) / 2, %cx
	rep stosw
	mov	$MEMMAP, %di
	xor	%ebx, %ebx
	xor	%esi, %esi
1:	mov	$0xe820, %eax
	mov	$0x534d4150, %edx
	mov	$20, %ecx
	int	$0x15
	jc	2f
	add	$24, %di
	inc	%si
	cmp	$MAX_MEMMAP, %si
	jae	2f
	test	%ebx, %ebx
	jnz	1b
2:
	movl	$0x336ec578, INFO		/* magic */
	movl	$1, INFO + 4			/* version */
	movl	$1, INFO + 12			/* nr_modules */
	movl	$MODLIST, INFO + 16
	mov	%cs:param_cmdline, %eax
	mov	%eax, INFO + 24
	movl	$MEMMAP, INFO + 40
	mov	%esi, INFO + 48
	mov	%cs:param_initrd, %eax
	mov	%eax, MODLIST
	mov	%cs:param_initrd_size, %eax
	mov	%eax, MODLIST + 8

	in	$0x92, %al			/* A20 */
	or	$2, %al
	and	$0xfe, %al
	out	%al, $0x92

	mov	%cs:param_entry, %esi
	lgdtl	%cs:gdt_desc
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	/* The ROM's physical address is its segment times 16: see gdt_desc. */
	ljmpl	$8, $ROM + protected

	.code32
protected:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ROM + param_load, %ebp
load:	mov	4(%ebp), %ecx		/* sectors */
	jecxz	enter
	mov	(%ebp), %ebx		/* first sector */
	mov	8(%ebp), %edi
	call	read_disk
	add	$12, %ebp
	jmp	load
enter:
	mov	$INFO, %ebx
	jmp	*%esi

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

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
gdt_desc:
	.word	. - gdt - 1
	.long	ROM + gdt
