/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A raw image for --flat 0x7c00 that ends in the way that WAY says, see
 * guests/check.sh; built once for each. */
	.code16
	.text
	.globl _start
_start:
	cli
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
#if WAY == 1		/* triple fault: no IDT */
	lidt none
	ud2
none:	.word 0
	.long 0
#elif WAY == 2		/* an instruction on device memory without emulation */
	lgdtl gdtr
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $flat
	.code32
flat:	mov $16, %ax
	mov %ax, %ds
	fildl 0xd8000000
1:	jmp 1b
	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	.word 23
	.long gdt
#elif WAY == 3		/* for ever */
1:	hlt
	jmp 1b
#elif WAY == 4		/* reset by the keyboard controller */
	mov $0xfe, %al
	out %al, $0x64
1:	jmp 1b
#elif WAY == 5		/* power-off */
	mov $0x604, %dx
	mov $0x2000, %ax
	out %ax, %dx
1:	jmp 1b
#elif WAY == 6		/* no memory at RIP */
	lgdtl gdtr
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $0xd8000000
	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff
gdtr:	.word 15
	.long gdt
#elif WAY == 7		/* a tight loop that never opens a window */
1:	jmp 1b
#endif
