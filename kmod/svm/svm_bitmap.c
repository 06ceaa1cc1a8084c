// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR permission map (APM Vol. 2, "MSR Intercepts"): two bits an MSR, read
 * and write, in three ranges of 2000h MSRs. All ones, then an allow-list. Pure.
 */
#include <linux/string.h>

#include "../msr.h"
#include "svm.h"

/* Switched by VMLOAD, VMSAVE or VMRUN: the guest's own value is in the CPU */
static const u32 open_msrs[] = {
	IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_FS_BASE,
	IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_SYSENTER_CS, IA32_SYSENTER_ESP,
	IA32_SYSENTER_EIP,
};

/* Index of the MSR's two bits, or -1: always intercepted */
static int bit_of(u32 msr)
{
	static const u32 base[] = { 0, 0xc0000000, 0xc0010000 };
	int i;

	for (i = 0; i < 3; i++)
		if (msr - base[i] < 0x2000)
			return 2 * (0x2000 * i + msr - base[i]);
	return -1;
}

static void set_bits(u8 *map, u32 msr, bool read, bool write)
{
	int bit = bit_of(msr);

	if (bit < 0)
		return;
	map[bit / 8] &= ~(3 << bit % 8);
	map[bit / 8] |= (read | write << 1) << bit % 8;
}

/**
 * svm_msrpm_trap() - make accesses exit
 * @map: the permission map
 * @msr: MSR number
 * @read: reads
 * @write: writes
 *
 * Context: before the VM runs.
 */
void svm_msrpm_trap(u8 *map, u32 msr, bool read, bool write)
{
	int bit = bit_of(msr);

	if (bit >= 0)
		map[bit / 8] |= (read | write << 1) << bit % 8;
}

/**
 * svm_msrpm_init() - intercept all but what the hardware switches
 * @map: the permission map
 * @tsc_aux: is TSC_AUX switched?
 */
void svm_msrpm_init(u8 *map, bool tsc_aux)
{
	int i;

	memset(map, 0xff, SVM_MSRPM_SIZE);
	for (i = 0; i < ARRAY_SIZE(open_msrs); i++)
		set_bits(map, open_msrs[i], false, false);
	if (tsc_aux)
		set_bits(map, IA32_TSC_AUX, false, true);
}
