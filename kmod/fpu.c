// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's FPU state lives in an area of our own and is in the registers only
 * while a window is open, between kernel_fpu_begin_mask() and kernel_fpu_end()
 * in one interrupt state. The host task's registers come back lazily, by
 * TIF_NEED_FPU_LOAD. Nothing is lazy for the guest (LazyFP).
 *
 * The area is a standard-format XSAVE image, so that it is the uAPI's as it is.
 * PKRU, CET and AMX state are not offered to guests: PKRU stays the host's.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>

#include "compat.h"
#include "fpu.h"
#include "limen.h"

#define MSR_XSS			0xda0
#define XSAVE_HDR		512
#define XSAVE_MIN		576
#define MXCSR_OFFSET		24
#define MXCSR_MASK_OFFSET	28
#define MXCSR_DEFAULT		0x1f80
#define FCW_DEFAULT		0x37f

/* what a guest can have at most: x87, SSE, AVX, AVX-512 */
#define XCR0_OFFER (XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM | \
		    XFEATURE_MASK_AVX512)

static u64 xcr0_mask;		/* constant after probe */
static u32 image_size;
static u32 mxcsr_mask;

struct limen_fpu {
	u64 host_xcr0;
	u64 guest_xcr0;		/* as it was loaded */
	u64 host_xss;
	u8 *image;		/* 64-byte aligned */
};

/*
 * Bits of MXCSR that exist: SDM Vol. 1, "Guidelines for Writing to the MXCSR
 * Register". An image that FXSAVE has not filled in names the first CPUs' bits.
 */
static u32 read_mxcsr_mask(void)
{
	static u8 image[512] __aligned(16);
	u32 mask;

	memset(image, 0, sizeof(image));
	asm volatile("fxsave %0" : "=m" (image));
	mask = *(u32 *)(image + MXCSR_MASK_OFFSET);
	/* somebody's registers */
	memzero_explicit(image, sizeof(image));
	return mask ?: 0xffbf;
}

/**
 * limen_fpu_probe() - learn what the host's XSAVE offers
 *
 * Context: module load.
 * Return: 0, or -EOPNOTSUPP without XSAVE.
 */
int limen_fpu_probe(void)
{
	u32 eax, ebx, ecx, edx;
	u64 bit, end;
	int i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE) || !boot_cpu_has(X86_FEATURE_OSXSAVE))
		return -EOPNOTSUPP;
	xcr0_mask = xgetbv(0) & XCR0_OFFER;
	if ((xcr0_mask & XFEATURE_MASK_AVX512) != XFEATURE_MASK_AVX512)
		xcr0_mask &= ~XFEATURE_MASK_AVX512;

	image_size = XSAVE_MIN;
	for (i = 2; i < 63; i++) {
		bit = BIT_ULL(i);
		if (!(xcr0_mask & bit))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		end = (u64)eax + ebx;
		image_size = max_t(u64, image_size, end);
	}
	mxcsr_mask = read_mxcsr_mask();
	return 0;
}

u64 limen_fpu_xcr0(void)
{
	return xcr0_mask;
}

u32 limen_fpu_size(void)
{
	return image_size;
}

void *limen_fpu_image(struct limen_vcpu *vcpu)
{
	return vcpu->fpu->image;
}

/**
 * limen_fpu_reset() - the state after RESET
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock.
 */
void limen_fpu_reset(struct limen_vcpu *vcpu)
{
	u8 *image = vcpu->fpu->image;

	memset(image, 0, image_size);
	/*
	 * after INIT the components are in their initial configuration, but
	 * XRSTOR reads MXCSR whenever SSE or AVX is asked for
	 */
	*(u16 *)image = FCW_DEFAULT;
	*(u32 *)(image + MXCSR_OFFSET) = MXCSR_DEFAULT;
}

/**
 * limen_fpu_init() - allocate
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int limen_fpu_init(struct limen_vcpu *vcpu)
{
	struct limen_fpu *fpu = kzalloc(sizeof(*fpu), GFP_KERNEL_ACCOUNT);

	if (!fpu)
		return -ENOMEM;
	/* powers of two come naturally aligned: 64 bytes are sure */
	fpu->image = kzalloc(roundup_pow_of_two(image_size), GFP_KERNEL_ACCOUNT);
	if (!fpu->image) {
		kfree(fpu);
		return -ENOMEM;
	}
	vcpu->fpu = fpu;
	limen_fpu_reset(vcpu);
	return 0;
}

void limen_fpu_fini(struct limen_vcpu *vcpu)
{
	if (!vcpu->fpu)
		return;
	kfree(vcpu->fpu->image);
	kfree(vcpu->fpu);
	vcpu->fpu = NULL;
}

static void xrstor(const void *image, u64 mask)
{
	asm volatile("xrstor64 (%0)" : : "r" (image), "a" ((u32)mask),
		     "d" ((u32)(mask >> 32)) : "memory");
}

static void xsave(void *image, u64 mask)
{
	asm volatile("xsave64 (%0)" : : "r" (image), "a" ((u32)mask),
		     "d" ((u32)(mask >> 32)) : "memory");
}

/**
 * limen_fpu_load() - put the guest's state into the registers
 * @vcpu: the vCPU
 *
 * XRSTOR runs under the host's XCR0, so components that the guest has switched
 * off keep their value too.
 *
 * Context: IRQs off, until limen_fpu_save().
 */
void limen_fpu_load(struct limen_vcpu *vcpu)
{
	struct limen_fpu *fpu = vcpu->fpu;

	kernel_fpu_begin_mask(0);
	fpu->host_xcr0 = xgetbv(0);
	if (boot_cpu_has(X86_FEATURE_XSAVES)) {
		fpu->host_xss = limen_rdmsr(MSR_XSS);
		if (fpu->host_xss)
			limen_wrmsr(MSR_XSS, 0);
	}
	xrstor(fpu->image, xcr0_mask);
	fpu->guest_xcr0 = vcpu->sregs.xcr0;
	if (fpu->guest_xcr0 != fpu->host_xcr0)
		xsetbv(0, fpu->guest_xcr0);
}

/**
 * limen_fpu_save() - the reverse
 * @vcpu: the vCPU
 *
 * Context: IRQs off since limen_fpu_load().
 */
void limen_fpu_save(struct limen_vcpu *vcpu)
{
	struct limen_fpu *fpu = vcpu->fpu;
	u64 xcr0 = xgetbv(0);

	/*
	 * XSETBV exits on every CPU, so XCR0 is as we loaded it. QEMU's AMD-V
	 * ignores the intercept: take over what the guest has set there.
	 */
	if (xcr0 != fpu->guest_xcr0)
		vcpu->sregs.xcr0 = xcr0 & vcpu->xcr0_allowed;
	if (xcr0 != fpu->host_xcr0)
		xsetbv(0, fpu->host_xcr0);
	xsave(fpu->image, xcr0_mask);
	if (boot_cpu_has(X86_FEATURE_XSAVES) && fpu->host_xss)
		limen_wrmsr(MSR_XSS, fpu->host_xss);
	kernel_fpu_end();
}

/**
 * limen_fpu_check() - would XRSTOR take this image?
 * @image: an XSAVE image
 *
 * SDM Vol. 1, "Operation of XRSTOR": a fault for unknown bits in XSTATE_BV, for
 * a non-zero XCOMP_BV or reserved header bytes, and for reserved MXCSR bits.
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int limen_fpu_check(const void *image)
{
	const u64 *hdr = image + XSAVE_HDR;
	u32 mxcsr = *(const u32 *)(image + MXCSR_OFFSET);
	int i;

	if (hdr[0] & ~xcr0_mask)
		return -EINVAL;
	for (i = 1; i < 8; i++)
		if (hdr[i])
			return -EINVAL;
	return mxcsr & ~mxcsr_mask ? -EINVAL : 0;
}
