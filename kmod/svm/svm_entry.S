/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch of AMD-V.
 *
 * void svm_world_switch(u64 vmcb_pa, u64 host_pa, struct limen_regs *regs,
 *			 bool shadow)
 *
 * With GIF clear nothing can interrupt: not even an NMI reaches the host while
 * the guest's FS, GS, TR and syscall MSRs are in the CPU. IF is set for VMRUN, so
 * that a physical interrupt ends the guest's run (V_INTR_MASKING), and stays
 * pending until the window closes. STI comes well before VMRUN, because its shadow
 * would reach into the guest: on some CPUs if an exit interrupts an injection, in
 * QEMU always. RAX and RSP of the guest are in the VMCB.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/frame.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#define GPR(n)	((n) * 8)
#define O_RCX	GPR(1)
#define O_RDX	GPR(2)
#define O_RBX	GPR(3)
#define O_RBP	GPR(5)
#define O_RSI	GPR(6)
#define O_RDI	GPR(7)

/*
 * Return predictions that a guest has trained (Retbleed, SRSO) are undone before
 * the first RET. Later kernels have a macro for exits of a guest; the latest calls
 * an IBPB helper in it that is KVM's alone, so that step is our own there.
 */
.macro LIMEN_UNTRAIN_RET
#ifdef LIMEN_HAVE_WRITE_IBPB
	VALIDATE_UNRET_END
	CALL_UNTRAIN_RET
	ALTERNATIVE "jmp .Lno_ibpb", "", X86_FEATURE_IBPB_ON_VMEXIT
	mov $MSR_IA32_PRED_CMD, %ecx
	mov $PRED_CMD_IBPB, %eax
	xor %edx, %edx
	wrmsr
.Lno_ibpb:
#elif defined(LIMEN_HAVE_UNTRAIN_RET_VM)
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
#endif
.endm

	.section .rodata, "a"
	.balign 2
SYM_DATA_LOCAL(verw_selector, .word __KERNEL_DS)

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
	sti
	mov %rsi, %rax
	vmsave %rax
	mov %rdi, %rax
	vmload %rax

	bt $0, %ecx		/* CF: shadow, until VMRUN */
	mov O_RCX(%rdx), %rcx
	mov O_RBX(%rdx), %rbx
	mov O_RBP(%rdx), %rbp
	mov O_RSI(%rdx), %rsi
	mov O_RDI(%rdx), %rdi
	mov GPR(8)(%rdx), %r8
	mov GPR(9)(%rdx), %r9
	mov GPR(10)(%rdx), %r10
	mov GPR(11)(%rdx), %r11
	mov GPR(12)(%rdx), %r12
	mov GPR(13)(%rdx), %r13
	mov GPR(14)(%rdx), %r14
	mov GPR(15)(%rdx), %r15
	mov O_RDX(%rdx), %rdx

#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
	/* Transient Scheduler Attacks: nothing of the host's stays in a buffer */
	ALTERNATIVE "jmp .Lverw_done", "", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw verw_selector(%rip)
.Lverw_done:
#endif
	jnc .Lvmrun
	sti			/* svm_caps.lend_shadow */
.Lvmrun:
	vmrun %rax
	cli

	/* RAX and RSP are the host's again */
	vmsave %rax
	pop %rax		/* vmcb_pa */
	xchg %rdx, (%rsp)	/* regs; the guest's O_RDX takes its place */
	mov %rcx, O_RCX(%rdx)
	mov %rbx, O_RBX(%rdx)
	mov %rbp, O_RBP(%rdx)
	mov %rsi, O_RSI(%rdx)
	mov %rdi, O_RDI(%rdx)
	mov %r8, GPR(8)(%rdx)
	mov %r9, GPR(9)(%rdx)
	mov %r10, GPR(10)(%rdx)
	mov %r11, GPR(11)(%rdx)
	mov %r12, GPR(12)(%rdx)
	mov %r13, GPR(13)(%rdx)
	mov %r14, GPR(14)(%rdx)
	mov %r15, GPR(15)(%rdx)
	pop %rcx
	mov %rcx, O_RDX(%rdx)

	pop %rax		/* host_pa */
	vmload %rax

	/* nothing of the guest's stays for speculation to use */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RETPOLINE
	LIMEN_UNTRAIN_RET
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
