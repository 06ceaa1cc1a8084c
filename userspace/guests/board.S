/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A multiboot kernel that tries the board from inside a guest: what the loader
 * passed, the test device's ports and memory with every kind of instruction on
 * it, string I/O, the I/O APIC, the 8259, the timer, and faults in the
 * middle of an instruction. Port 0xf4 gets 0 when
 * all is well, else the number of the step that failed.
 *
 * Run it with --testdev, --append "x=1" and one module of 5 bytes.
 */
	.set MAGIC, 0x1badb002
	.set STACK, 0x90000
	.set IOMEM, 0xff000000
	.set IOAPIC, 0xfec00000
	.set LAPIC, 0xfee00000

	.section .multiboot, "a"
	.long MAGIC, 0, -MAGIC

	.text
	.code32
	.globl _start

.macro step n
	movb $\n, step_no
.endm

/* outb of 16-bit port numbers */
.macro out8 port, v
	mov $\port, %dx
	mov $\v, %al
	out %al, %dx
.endm

_start:
	mov $STACK, %esp
	cld
	step 1				/* multiboot information */
	cmp $0x2badb002, %eax
	jne fail
	mov (%ebx), %eax
	and $0x4d, %eax
	cmp $0x4d, %eax
	jne fail
	cmpl $1, 20(%ebx)		/* one module */
	jne fail
	mov 24(%ebx), %esi
	mov 4(%esi), %eax
	sub (%esi), %eax
	cmp $5, %eax
	jne fail
	mov 16(%ebx), %esi		/* the command line ends in x=1 */
	xor %eax, %eax
1:	mov %eax, %edx
	lodsb
	test %al, %al
	jnz 1b
	cmp $'1', %dl
	jne fail

	step 2				/* echo ports, string I/O */
	mov $0x12345678, %eax
	out %eax, $0xe0
	in $0xe1, %al
	cmp $0x56, %al
	jne fail
	mov $source, %esi
	mov $0xe0, %edx
	mov $4, %ecx
	rep outsl
	mov $0xe0, %edx
	mov $target, %edi
	mov $3, %ecx
	rep insl
	cmpl $0x44444444, target + 8
	jne fail
	test %ecx, %ecx
	jnz fail

	step 3				/* plain moves on device memory */
	mov $IOMEM, %edi
	movl $0xa1b2c3d4, (%edi)
	cmpl $0xa1b2c3d4, (%edi)
	jne fail
	movzbl 1(%edi), %eax
	cmp $0xc3, %eax
	jne fail
	movsbl 3(%edi), %eax
	cmp $0xffffffa1, %eax
	jne fail
	movw $0x1234, 2(%edi)
	mov (%edi), %eax
	cmp $0x1234c3d4, %eax
	jne fail

	step 4				/* read-modify-write */
	movl $0x7fffffff, (%edi)
	lock incl (%edi)
	jno fail
	addl $0x80000000, (%edi)
	jnc fail
	jnz fail
	mov $7, %ecx
	xadd %ecx, (%edi)
	test %ecx, %ecx
	jnz fail
	mov $7, %eax
	mov $9, %ecx
	lock cmpxchg %ecx, (%edi)
	jnz fail
	btsl $4, (%edi)
	jc fail
	cmpl $25, (%edi)
	jne fail
	xchg %ecx, (%edi)
	cmp $25, %ecx
	jne fail
	testl $8, (%edi)
	jz fail

	step 5				/* string instructions, both ways */
	mov $source, %esi
	mov $IOMEM + 0x100, %edi
	mov $4, %ecx
	rep movsl
	mov $IOMEM + 0x100, %esi
	mov $IOMEM + 0x200, %edi
	mov $16, %ecx
	rep movsb
	mov $source, %esi
	mov $IOMEM + 0x200, %edi
	mov $16, %ecx
	repe cmpsb
	jne fail
	mov $IOMEM + 0x1000, %edi
	mov $0x5a5a5a5a, %eax
	mov $3000, %ecx
	rep stosl
	cmpl $0x5a5a5a5a, IOMEM + 0x1000 + 2999 * 4
	jne fail
	cmpl $0, IOMEM + 0x1000 + 3000 * 4
	jne fail
	test %ecx, %ecx
	jnz fail

	step 6				/* SSE */
	mov %cr4, %eax
	or $0x600, %eax
	mov %eax, %cr4
	movups source, %xmm3
	movups %xmm3, IOMEM + 0x300
	xorps %xmm4, %xmm4
	movdqu IOMEM + 0x300, %xmm4
	pcmpeqb %xmm3, %xmm4
	pmovmskb %xmm4, %eax
	cmp $0xffff, %eax
	jne fail

	step 7				/* page flush keeps the contents */
	movl $0xfeedface, page
	mov $page, %eax
	out %eax, $0xe4
	cmpl $0xfeedface, page
	jne fail
	incl page
	cmpl $0xfeedfacf, page
	jne fail

	step 8				/* an edge through the I/O APIC */
	call set_idt
	movl $0x1ff, LAPIC + 0xf0
	movl $0x10 + 2 * 20, IOAPIC
	movl $0x00000041, IOAPIC + 0x10
	sti
	out8 0x2014, 1
	out8 0x2014, 0
	mov $1, %ebx
	call wait_count

	step 9				/* a level, held over its EOI once */
	movl $0x10 + 2 * 21, IOAPIC
	movl $0x00008042, IOAPIC + 0x10
	out8 0x2015, 1
	mov $3, %ebx
	call wait_count			/* the handler drops it the second time */

	step 10				/* the 8259 and the timer */
	movl $0x00000700, LAPIC + 0x350	/* LINT0: ExtINT */
	out8 0x20, 0x11
	out8 0x21, 0x30
	out8 0x21, 4
	out8 0x21, 1
	out8 0x21, 0xfe			/* input 0 only */
	out8 0x43, 0x34
	out8 0x40, 0xa9			/* 1 ms */
	out8 0x40, 0x04
	mov $8, %ebx
	call wait_count
	cli

	step 11				/* string I/O into a page that isn't there */
	call set_paging
	mov $0x5a5a5a5a, %eax
	out %eax, $0xe0
	mov $0x40000ff8, %edi
	mov $16, %ecx
	mov $0xe0, %edx
	rep insb
	call check_pages
	cmpb $0x5a, page2 + 7
	jne fail

	step 12				/* the same from device memory */
	call hide_page
	mov $0xa5a5a5a5, %eax
	mov $IOMEM, %edi
	mov $4, %ecx
	rep stosl
	mov $IOMEM, %esi
	mov $0x40000ff8, %edi
	mov $16, %ecx
	rep movsb
	call check_pages
	cmpb $0xa5, page2 + 7
	jne fail

	step 13				/* one store across memory and device */
	movl $IOMEM + 3, table + 4
	invlpg 0x40001000
	movl $0x44332211, 0x40000ffe
	cmpw $0x2211, page + 0xffe
	jne fail
	cmpw $0x4433, IOMEM
	jne fail
	cmpl $0x44332211, 0x40000ffe
	jne fail
	movb $0, step_no
fail:
	movzbl step_no, %eax
	out %eax, $0xf4
1:	hlt
	jmp 1b

/* until the handlers have counted to EBX; the lab's machines are slow */
wait_count:
	mov $200000000, %ecx
1:	cmp %ebx, count
	jae 2f
	pause
	loop 1b
	jmp fail
2:	ret

/* 4 MiB pages one to one; at 1 GiB a table with one page */
set_paging:
	mov $directory, %edi
	mov $0x83, %eax
	mov $1024, %ecx
1:	stosl
	add $0x400000, %eax
	loop 1b
	movl $table + 3, directory + 4 * 256
	movl $page + 3, table
	mov $on_page_fault, %eax
	mov $idt + 8 * 14, %edi
	call gate
	mov %cr4, %eax
	or $0x10, %eax
	mov %eax, %cr4
	mov $directory, %eax
	mov %eax, %cr3
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
hide_page:
	movl $0, table + 4
	movl $0, count
	mov %cr3, %eax
	mov %eax, %cr3
	ret

/* one fault, nothing lost before it or after */
check_pages:
	cmpl $1, count
	jne fail
	test %ecx, %ecx
	jnz fail
	cmp $0x40001008, %edi
	jne fail
	mov page + 0xff8, %eax
	cmp %eax, page2
	jne fail
	cmp %eax, page2 + 4
	jne fail
	ret

/* as the CPU says it: a write, not present, at the first byte of the page, with
 * eight bytes done and eight left */
on_page_fault:
	push %eax
	mov %cr2, %eax
	cmp $0x40001000, %eax
	jne fail
	cmpl $2, 4(%esp)
	jne fail
	cmp $8, %ecx
	jne fail
	cmp %eax, %edi
	jne fail
	incl count
	movl $page2 + 3, table + 4
	pop %eax
	add $4, %esp
	iret

set_idt:
	mov $on_edge, %eax
	mov $idt + 8 * 0x41, %edi
	call gate
	mov $on_level, %eax
	mov $idt + 8 * 0x42, %edi
	call gate
	mov $on_timer, %eax
	mov $idt + 8 * 0x30, %edi
	call gate
	lidt idtr
	ret

gate:
	mov %ax, (%edi)
	mov %cs, 2(%edi)
	movw $0x8e00, 4(%edi)
	shr $16, %eax
	mov %ax, 6(%edi)
	ret

on_edge:
	incl count
	movl $0, LAPIC + 0xb0
	iret

on_level:
	push %eax
	push %edx
	incl count
	cmpl $3, count
	jb 1f
	out8 0x2015, 0
1:	movl $0, LAPIC + 0xb0
	pop %edx
	pop %eax
	iret

on_timer:
	push %eax
	incl count
	mov $0x20, %al
	out %al, $0x20
	pop %eax
	iret

	.data
	.balign 16
source:	.long 0x11111111, 0x22222222, 0x33333333, 0x44444444
target:	.long 0, 0, 0
count:	.long 0
step_no: .byte 0
	.balign 8
idtr:	.word 0x43 * 8 - 1
	.long idt

	.bss
	.balign 4096
page:	.skip 4096
page2:	.skip 4096
directory: .skip 4096
table:	.skip 4096
idt:	.skip 0x43 * 8
