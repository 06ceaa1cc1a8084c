// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap: which MSRs a guest reaches without an exit. Pure; called when a
 * VM is made and when its policy is set.
 *
 * SDM Vol. 3, "MSR-Bitmap Address": four bitmaps of 1 KiB: reads of 0 to 1fffh,
 * reads of c0000000h to c0001fffh, then writes of the same; a set bit exits. An
 * access to any other MSR always exits.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "vmx.h"

#define LOW_END		0x2000u
#define HIGH_BASE	0xc0000000u
#define READ_LOW	0
#define READ_HIGH	1024
#define WRITE_OFFSET	2048

/*
 * MSRs that are the guest's own while it runs: the VMCS holds them, or a window
 * swaps them. All are read without an exit; the ones that change often are
 * written without one too. PAT is not here: it needs a check of the value.
 */
struct own_msr {
	u32 index;
	bool write;
};

static const struct own_msr own_msrs[] = {
	{ 0x00000174, true },	/* IA32_SYSENTER_CS */
	{ 0x00000175, true },	/* IA32_SYSENTER_ESP */
	{ 0x00000176, true },	/* IA32_SYSENTER_EIP */
	{ 0xc0000081, false },	/* IA32_STAR */
	{ 0xc0000082, false },	/* IA32_LSTAR */
	{ 0xc0000083, false },	/* IA32_CSTAR */
	{ 0xc0000084, false },	/* IA32_FMASK */
	{ 0xc0000100, true },	/* IA32_FS_BASE */
	{ 0xc0000101, true },	/* IA32_GS_BASE */
	{ 0xc0000102, true },	/* IA32_KERNEL_GS_BASE */
};

/* The byte and the bit of reads of an MSR; NULL: it always exits */
static u8 *locate(u8 *bitmap, u32 index, u8 *mask)
{
	if (index < LOW_END) {
		bitmap += READ_LOW;
	} else if (index >= HIGH_BASE && index < HIGH_BASE + LOW_END) {
		bitmap += READ_HIGH;
		index -= HIGH_BASE;
	} else {
		return NULL;
	}
	*mask = 1u << (index & 7);
	return bitmap + index / 8;
}

/**
 * vmx_bitmap_trap() - let accesses to one MSR exit
 * @bitmap: VMX_BITMAP_SIZE bytes
 * @index: the MSR; one outside both ranges always exits
 * @read: RDMSR exits from now on; false changes nothing
 * @write: WRMSR exits from now on; false changes nothing
 *
 * There is no way back: no rule can open an MSR of the host to a guest.
 *
 * Context: any; pure.
 */
void vmx_bitmap_trap(u8 *bitmap, u32 index, bool read, bool write)
{
	u8 mask;
	u8 *byte = locate(bitmap, index, &mask);

	if (!byte)
		return;
	if (read)
		byte[0] |= mask;
	if (write)
		byte[WRITE_OFFSET] |= mask;
}

/**
 * vmx_bitmap_init() - everything exits but the guest's own MSRs
 * @bitmap: VMX_BITMAP_SIZE bytes
 *
 * Context: any; pure.
 */
void vmx_bitmap_init(u8 *bitmap)
{
	size_t i;

	memset(bitmap, 0xff, VMX_BITMAP_SIZE);
	for (i = 0; i < ARRAY_SIZE(own_msrs); i++) {
		u8 mask;
		u8 *byte = locate(bitmap, own_msrs[i].index, &mask);

		byte[0] &= ~mask;
		if (own_msrs[i].write)
			byte[WRITE_OFFSET] &= ~mask;
	}
}

/* x2APIC registers as bits: MSR 800h + bit. What hardware answers from the page. */
#define X2APIC_READ	(BIT_ULL(0x02) | BIT_ULL(0x03) | BIT_ULL(0x08) |	\
			 BIT_ULL(0x0a) | BIT_ULL(0x0d) | BIT_ULL(0x0f) |	\
			 GENMASK_ULL(0x28, 0x10) | GENMASK_ULL(0x38, 0x32) |	\
			 BIT_ULL(0x3e))
#define X2APIC_WRITE	(BIT_ULL(0x08) | BIT_ULL(0x0b) | BIT_ULL(0x3f))

/**
 * vmx_bitmap_open_x2apic() - let hardware answer for the x2APIC
 * @bitmap: VMX_BITMAP_SIZE bytes, from vmx_bitmap_init()
 *
 * SDM Vol. 3, "Virtualizing MSR-Based APIC Accesses". ICR stays closed, because its
 * halves are 16 bytes apart here, and so do the count, which is computed, and what
 * does not exist, which faults.
 *
 * Context: any; pure. Only for use with "virtualize x2APIC mode": without it, the
 * host's own APIC would answer.
 */
void vmx_bitmap_open_x2apic(u8 *bitmap)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		u8 mask;
		u8 *byte = locate(bitmap, 0x800 + i, &mask);

		if (X2APIC_READ & BIT_ULL(i))
			byte[0] &= ~mask;
		if (X2APIC_WRITE & BIT_ULL(i))
			byte[WRITE_OFFSET] &= ~mask;
	}
}
