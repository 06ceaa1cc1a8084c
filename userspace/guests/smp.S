/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A raw image for --flat 0x8000 and two CPUs: the first, in real mode, enters
 * protected mode, sends INIT and SIPI to the other, which prints on the debug
 * console and ends the machine with status 5. */
	.set LAPIC, 0xfee00000
	.code16
	.text
	.globl _start
_start:
	cli
	xor %ax, %ax
	mov %ax, %ds
	lgdtl gdtr
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $flat

	.code32
flat:	mov $16, %ax
	mov %ax, %ds
	movl $0x01000000, LAPIC + 0x310
	movl $0x00004500, LAPIC + 0x300	/* INIT */
	mov $100000, %ecx
1:	pause
	loop 1b
	movl $0x01000000, LAPIC + 0x310
	movl $0x00004609, LAPIC + 0x300	/* SIPI, page 9 */
2:	hlt
	jmp 2b

	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	.word 23
	.long gdt

	.org 0x1000
	.code16
	mov %cs, %ax
	mov %ax, %ds
	mov $(message - 0x9000), %si
	cld
3:	lodsb
	test %al, %al
	jz 4f
	out %al, $0xe9
	jmp 3b
4:	mov $2, %al
	out %al, $0xf4
5:	hlt
	jmp 5b
message: .asciz "the second CPU runs\n"
