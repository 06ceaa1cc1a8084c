/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX instructions. Each has an exception table entry, so that a CPU whose other
 * owner has just switched VMX off gives an error and not an oops.
 *
 * A field's width is checked when its encoding is a constant. The accessors are
 * inlined, so that noinstr code can use them; a failure is a bug, counted and
 * said once.
 */
#ifndef LIMEN_VMCS_IO_H
#define LIMEN_VMCS_IO_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/asm.h>

#include "vmcs.h"

void vmx_insn_failed(const char *insn, unsigned long operand);

#define VMCS_CHECK(field, width)					\
	BUILD_BUG_ON_MSG(__builtin_constant_p(field) &&			\
			 VMCS_WIDTH(field) != (width), "VMCS field width")

/* one memory operand, status in CF and ZF; 0 or -EIO */
#define VMX_INSN(insn, constraint, operand)				\
({									\
	u8 fail_ = 1;							\
									\
	asm volatile("1: " insn " %1\n\t"				\
		     "setbe %0\n"					\
		     "2:\n\t"						\
		     _ASM_EXTABLE(1b, 2b)				\
		     : "+q" (fail_), constraint (operand) : : "cc", "memory"); \
	fail_ ? -EIO : 0;						\
})

static __always_inline int vmx_on(u64 pa)
{
	return VMX_INSN("vmxon", "+m", pa);
}

static __always_inline int vmx_clear(u64 pa)
{
	return VMX_INSN("vmclear", "+m", pa);
}

static __always_inline int vmx_ptrld(u64 pa)
{
	return VMX_INSN("vmptrld", "+m", pa);
}

static __always_inline int vmx_ptrst(u64 *pa)
{
	return VMX_INSN("vmptrst", "+m", *pa);
}

static __always_inline int vmx_off(void)
{
	u8 fail = 1;

	asm volatile("1: vmxoff\n\t"
		     "setbe %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+q" (fail) : : "cc", "memory");
	return fail ? -EIO : 0;
}

#define VMX_SINGLE_CONTEXT	1ul

static __always_inline int vmx_invept(u64 eptp)
{
	struct { u64 eptp, zero; } desc = { eptp, 0 };
	u8 fail = 1;

	asm volatile("1: invept %1, %2\n\t"
		     "setbe %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+q" (fail)
		     : "m" (desc), "r" (VMX_SINGLE_CONTEXT) : "cc", "memory");
	return fail ? -EIO : 0;
}

static __always_inline int vmx_invvpid(u16 vpid)
{
	struct { u64 vpid, gla; } desc = { vpid, 0 };
	u8 fail = 1;

	asm volatile("1: invvpid %1, %2\n\t"
		     "setbe %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+q" (fail)
		     : "m" (desc), "r" (VMX_SINGLE_CONTEXT) : "cc", "memory");
	return fail ? -EIO : 0;
}

static __always_inline unsigned long vmcs_read(unsigned long field)
{
	unsigned long val = 0;
	u8 fail = 1;

	asm volatile("1: vmread %2, %1\n\t"
		     "setbe %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+q" (fail), "+r" (val) : "r" (field) : "cc");
	if (unlikely(fail))
		vmx_insn_failed("vmread", field);
	return val;
}

static __always_inline void vmcs_write(unsigned long field, unsigned long val)
{
	u8 fail = 1;

	asm volatile("1: vmwrite %2, %1\n\t"
		     "setbe %0\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+q" (fail) : "r" (field), "rm" (val) : "cc", "memory");
	if (unlikely(fail))
		vmx_insn_failed("vmwrite", field);
}

#define VMCS_READ(name, type, width)					\
static __always_inline type vmcs_read##name(unsigned long field)	\
{									\
	VMCS_CHECK(field, width);					\
	return vmcs_read(field);					\
}

VMCS_READ(16, u16, VMCS_WIDTH_16)
VMCS_READ(32, u32, VMCS_WIDTH_32)
VMCS_READ(64, u64, VMCS_WIDTH_64)
VMCS_READ(_natural, u64, VMCS_WIDTH_NATURAL)

#define VMCS_WRITE(name, type, width)					\
static __always_inline void vmcs_write##name(unsigned long field, type val) \
{									\
	VMCS_CHECK(field, width);					\
	vmcs_write(field, val);						\
}

VMCS_WRITE(16, u16, VMCS_WIDTH_16)
VMCS_WRITE(32, u32, VMCS_WIDTH_32)
VMCS_WRITE(64, u64, VMCS_WIDTH_64)
VMCS_WRITE(_natural, u64, VMCS_WIDTH_NATURAL)

#endif
