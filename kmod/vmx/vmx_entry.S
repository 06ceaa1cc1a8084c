/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch: general registers and what must happen between them and the
 * guest. Called by vmx_enter.c with everything else in place; IRQs are off.
 *
 * The order is the kernel's own: VERW last before the guest; after it, the
 * registers are cleared, the return stack buffer is filled and SPEC_CTRL is the
 * host's before the first RET.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>

#include "vmcs.h"

/* kernels name the same two features differently */
#ifdef X86_FEATURE_CLEAR_BHB_VMEXIT
#define FEATURE_BHB	X86_FEATURE_CLEAR_BHB_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT)
#define FEATURE_BHB	X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
#define FEATURE_VERW	X86_FEATURE_CLEAR_CPU_BUF_VM
#else
#define FEATURE_VERW	X86_FEATURE_CLEAR_CPU_BUF
#endif

/* place of a register in struct limen_regs: enum limen_gpr */
#define GPR(nr)		8 * (nr)

	.section .rodata, "a"
	.balign 2
SYM_DATA_LOCAL(verw_selector, .word __KERNEL_DS)

	.section .noinstr.text, "ax"

#ifdef FEATURE_BHB
/*
 * Intel's software sequence that clears the branch history ("Branch History
 * Injection and Intra-mode Branch Target Injection"). The RETs sit in the second
 * half of a cache line (Indirect Target Selection).
 */
SYM_FUNC_START_LOCAL(clear_history)
	mov	$5, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call	1f
	jmp	5f
	.balign 64, 0xcc
	.skip	32 - 5, 0xcc
	ANNOTATE_INTRA_FUNCTION_CALL
1:	call	2f
	RET
	.balign 64, 0xcc
	.skip	32 - 18, 0xcc
2:	mov	$5, %eax
3:	jmp	4f
	nop
4:	sub	$1, %eax
	jnz	3b
	sub	$1, %ecx
	jnz	1b
	RET
5:	lfence
	RET
SYM_FUNC_END(clear_history)
STACK_FRAME_NON_STANDARD clear_history
#endif

/*
 * int vmx_world_switch(struct vmx_switch *sw, bool launched)
 *
 * Return: 0 after a VM exit, 1 if VMLAUNCH or VMRESUME failed.
 */
SYM_FUNC_START(vmx_world_switch)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi

	cmp	%rsp, VMX_SW_HOST_RSP(%rdi)
	je	.Lrsp_known
	mov	%rsp, VMX_SW_HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
.Lvmwrite:
	vmwrite	%rsp, %rax
	jbe	.Lrsp_failed
.Lrsp_known:

	/* CF = launched; nothing below changes it */
	bt	$0, %esi
	mov	VMX_SW_GPR(%rdi), %rax
	mov	GPR(1)(%rax), %rcx
	mov	GPR(2)(%rax), %rdx
	mov	GPR(3)(%rax), %rbx
	mov	GPR(5)(%rax), %rbp
	mov	GPR(6)(%rax), %rsi
	mov	GPR(7)(%rax), %rdi
	mov	GPR(8)(%rax), %r8
	mov	GPR(9)(%rax), %r9
	mov	GPR(10)(%rax), %r10
	mov	GPR(11)(%rax), %r11
	mov	GPR(12)(%rax), %r12
	mov	GPR(13)(%rax), %r13
	mov	GPR(14)(%rax), %r14
	mov	GPR(15)(%rax), %r15
	mov	GPR(0)(%rax), %rax

	/* changes ZF only */
	ALTERNATIVE_2 "jmp .Lverw_done", "", X86_FEATURE_CLEAR_CPU_BUF, \
		      "", FEATURE_VERW
	verw	verw_selector(%rip)
.Lverw_done:

	/* the guest's run is invisible to objtool: the stack is what it was */
	UNWIND_HINT_SAVE
	jnc	.Lvmlaunch
.Lvmresume:
	vmresume
	jmp	.Lfailed
.Lvmlaunch:
	vmlaunch
	jmp	.Lfailed

SYM_INNER_LABEL_ALIGN(vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push	%rax
	mov	8(%rsp), %rax
	mov	VMX_SW_GPR(%rax), %rax
	pop	GPR(0)(%rax)
	mov	%rcx, GPR(1)(%rax)
	mov	%rdx, GPR(2)(%rax)
	mov	%rbx, GPR(3)(%rax)
	mov	%rbp, GPR(5)(%rax)
	mov	%rsi, GPR(6)(%rax)
	mov	%rdi, GPR(7)(%rax)
	mov	%r8, GPR(8)(%rax)
	mov	%r9, GPR(9)(%rax)
	mov	%r10, GPR(10)(%rax)
	mov	%r11, GPR(11)(%rax)
	mov	%r12, GPR(12)(%rax)
	mov	%r13, GPR(13)(%rax)
	mov	%r14, GPR(14)(%rax)
	mov	%r15, GPR(15)(%rax)
	xor	%ebx, %ebx

.Lclear:
	/* no value of the guest's may be used speculatively */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE

	/* IBRS that is not enhanced protects only after it was written again */
	ALTERNATIVE "jmp .Lspec_done", "", X86_FEATURE_KERNEL_IBRS
	mov	(%rsp), %rdi
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	mov	VMX_SW_SPEC_CTRL(%rdi), %eax
	mov	VMX_SW_SPEC_CTRL + 4(%rdi), %edx
	wrmsr
.Lspec_done:
	lfence

#ifdef FEATURE_BHB
	ALTERNATIVE "", "call clear_history", FEATURE_BHB
#endif

.Lout:
	mov	%ebx, %eax
	pop	%rdi
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lfailed:
	mov	$1, %ebx
	jmp	.Lclear
.Lrsp_failed:
	mov	$1, %ebx
	jmp	.Lout

	_ASM_EXTABLE(.Lvmwrite, .Lrsp_failed)
	_ASM_EXTABLE(.Lvmresume, .Lfailed)
	_ASM_EXTABLE(.Lvmlaunch, .Lfailed)
SYM_FUNC_END(vmx_world_switch)
STACK_FRAME_NON_STANDARD_FP vmx_world_switch

/*
 * void vmx_int_stubs[n](void): INT n + VMX_FIRST_VECTOR, see vmx_serve()
 *
 * Each has a symbol, because objtool takes what none names for unreachable.
 */
.macro INT_STUB
	.balign VMX_INT_STUB
	.type vmx_int_\@, STT_FUNC
vmx_int_\@:
	ENDBR
	int $.Lvector
	RET
	.size vmx_int_\@, . - vmx_int_\@
.endm

	.text
	.balign VMX_INT_STUB
	.globl vmx_int_stubs
vmx_int_stubs:
	.Lvector = VMX_FIRST_VECTOR
	.rept 256 - VMX_FIRST_VECTOR
	INT_STUB
	.Lvector = .Lvector + 1
	.endr
