/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch of AMD-V.
 *
 * void svm_world_switch(u64 vmcb_pa, u64 host_pa, struct limen_regs *regs)
 *
 * With GIF clear nothing can interrupt: not even an NMI reaches the host while
 * the guest's FS, GS, TR and syscall MSRs are in the CPU. IF is set for VMRUN, so
 * that a physical interrupt ends the guest's run (V_INTR_MASKING), and stays
 * pending until the window closes. RAX and RSP of the guest are in the VMCB.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>

#define GPR(n)	((n) * 8)
#define RCX	GPR(1)
#define RDX	GPR(2)
#define RBX	GPR(3)
#define RBP	GPR(5)
#define RSI	GPR(6)
#define RDI	GPR(7)

	.section .noinstr.text, "ax"

SYM_FUNC_START(svm_world_switch)
	push %rbp
	mov %rsp, %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rsi		/* host_pa */
	push %rdx		/* regs */
	push %rdi		/* vmcb_pa */

	clgi
	mov %rsi, %rax
	vmsave %rax
	mov %rdi, %rax
	vmload %rax

	mov RCX(%rdx), %rcx
	mov RBX(%rdx), %rbx
	mov RBP(%rdx), %rbp
	mov RSI(%rdx), %rsi
	mov RDI(%rdx), %rdi
	mov GPR(8)(%rdx), %r8
	mov GPR(9)(%rdx), %r9
	mov GPR(10)(%rdx), %r10
	mov GPR(11)(%rdx), %r11
	mov GPR(12)(%rdx), %r12
	mov GPR(13)(%rdx), %r13
	mov GPR(14)(%rdx), %r14
	mov GPR(15)(%rdx), %r15
	mov RDX(%rdx), %rdx

	sti
	vmrun %rax
	cli

	/* RAX and RSP are the host's again */
	vmsave %rax
	pop %rax		/* vmcb_pa */
	xchg %rdx, (%rsp)	/* regs; the guest's RDX takes its place */
	mov %rcx, RCX(%rdx)
	mov %rbx, RBX(%rdx)
	mov %rbp, RBP(%rdx)
	mov %rsi, RSI(%rdx)
	mov %rdi, RDI(%rdx)
	mov %r8, GPR(8)(%rdx)
	mov %r9, GPR(9)(%rdx)
	mov %r10, GPR(10)(%rdx)
	mov %r11, GPR(11)(%rdx)
	mov %r12, GPR(12)(%rdx)
	mov %r13, GPR(13)(%rdx)
	mov %r14, GPR(14)(%rdx)
	mov %r15, GPR(15)(%rdx)
	pop %rcx
	mov %rcx, RDX(%rdx)

	pop %rax		/* host_pa */
	vmload %rax

	/* nothing of the guest's stays for speculation to use */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RETPOLINE
	UNTRAIN_RET
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	stgi

	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET
SYM_FUNC_END(svm_world_switch)
