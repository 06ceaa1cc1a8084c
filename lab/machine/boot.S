/*
 * An option ROM for Bochs that boots a Linux vmlinux lying in RAM.
 *
 * Bochs puts kernel and initramfs into RAM itself (optramimage), so there is no
 * disk to read and nothing to decompress: both take most of a boot under
 * emulation. The BIOS calls this ROM, which takes over INT 19h (bootstrap); that
 * one collects the memory map and enters the kernel by the PVH protocol
 * (xen/include/public/arch-x86/hvm/start_info.h): 32-bit protected mode, paging
 * off, %ebx = address of struct hvm_start_info. lab/machine/boot.py fills in the
 * parameters and the checksum.
 */
	.code16
	.section .text, "ax"

#define INFO		0x8000		/* struct hvm_start_info */
#define MODLIST		0x8040		/* struct hvm_modlist_entry */
#define MEMMAP		0x8100		/* struct hvm_memmap_table_entry[] */
#define MAX_MEMMAP	64

	.globl _start
_start:
	.byte	0x55, 0xaa
	.byte	2			/* times 512 bytes */
	jmp	init
	.balign	16
param_entry:	.long 0			/* where the kernel starts */
param_cmdline:	.long 0
param_initrd:	.long 0
param_initrd_size: .long 0

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
	mov	$INFO, %ebx
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
	jmp	*%esi

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
gdt_desc:
	.word	. - gdt - 1
	.long	ROM + gdt
