// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * CPUID features by the names that Linux prints in /proc/cpuinfo (and, where it
 * prints none, those of its cpufeatures.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum reg { EAX, EBX, ECX, EDX };

struct feature {
	uint32_t leaf;
	uint32_t subleaf;
	enum reg reg;
	uint32_t bit;
	const char *name;
};

static const struct feature features[] = {
	{ 0x1, 0, ECX, 0, "pni" },
	{ 0x1, 0, ECX, 1, "pclmulqdq" },
	{ 0x1, 0, ECX, 3, "monitor" },
	{ 0x1, 0, ECX, 5, "vmx" },
	{ 0x1, 0, ECX, 9, "ssse3" },
	{ 0x1, 0, ECX, 12, "fma" },
	{ 0x1, 0, ECX, 13, "cx16" },
	{ 0x1, 0, ECX, 17, "pcid" },
	{ 0x1, 0, ECX, 19, "sse4_1" },
	{ 0x1, 0, ECX, 20, "sse4_2" },
	{ 0x1, 0, ECX, 21, "x2apic" },
	{ 0x1, 0, ECX, 22, "movbe" },
	{ 0x1, 0, ECX, 23, "popcnt" },
	{ 0x1, 0, ECX, 24, "tsc_deadline_timer" },
	{ 0x1, 0, ECX, 25, "aes" },
	{ 0x1, 0, ECX, 26, "xsave" },
	{ 0x1, 0, ECX, 28, "avx" },
	{ 0x1, 0, ECX, 29, "f16c" },
	{ 0x1, 0, ECX, 30, "rdrand" },
	{ 0x1, 0, ECX, 31, "hypervisor" },
	{ 0x1, 0, EDX, 0, "fpu" },
	{ 0x1, 0, EDX, 1, "vme" },
	{ 0x1, 0, EDX, 2, "de" },
	{ 0x1, 0, EDX, 3, "pse" },
	{ 0x1, 0, EDX, 4, "tsc" },
	{ 0x1, 0, EDX, 5, "msr" },
	{ 0x1, 0, EDX, 6, "pae" },
	{ 0x1, 0, EDX, 7, "mce" },
	{ 0x1, 0, EDX, 8, "cx8" },
	{ 0x1, 0, EDX, 9, "apic" },
	{ 0x1, 0, EDX, 11, "sep" },
	{ 0x1, 0, EDX, 12, "mtrr" },
	{ 0x1, 0, EDX, 13, "pge" },
	{ 0x1, 0, EDX, 14, "mca" },
	{ 0x1, 0, EDX, 15, "cmov" },
	{ 0x1, 0, EDX, 16, "pat" },
	{ 0x1, 0, EDX, 17, "pse36" },
	{ 0x1, 0, EDX, 19, "clflush" },
	{ 0x1, 0, EDX, 23, "mmx" },
	{ 0x1, 0, EDX, 24, "fxsr" },
	{ 0x1, 0, EDX, 25, "sse" },
	{ 0x1, 0, EDX, 26, "sse2" },
	{ 0x1, 0, EDX, 27, "ss" },
	{ 0x1, 0, EDX, 28, "ht" },
	{ 0x6, 0, EAX, 2, "arat" },
	{ 0x7, 0, EBX, 0, "fsgsbase" },
	{ 0x7, 0, EBX, 1, "tsc_adjust" },
	{ 0x7, 0, EBX, 3, "bmi1" },
	{ 0x7, 0, EBX, 4, "hle" },
	{ 0x7, 0, EBX, 5, "avx2" },
	{ 0x7, 0, EBX, 7, "smep" },
	{ 0x7, 0, EBX, 8, "bmi2" },
	{ 0x7, 0, EBX, 9, "erms" },
	{ 0x7, 0, EBX, 10, "invpcid" },
	{ 0x7, 0, EBX, 11, "rtm" },
	{ 0x7, 0, EBX, 14, "mpx" },
	{ 0x7, 0, EBX, 16, "avx512f" },
	{ 0x7, 0, EBX, 17, "avx512dq" },
	{ 0x7, 0, EBX, 18, "rdseed" },
	{ 0x7, 0, EBX, 19, "adx" },
	{ 0x7, 0, EBX, 20, "smap" },
	{ 0x7, 0, EBX, 21, "avx512ifma" },
	{ 0x7, 0, EBX, 23, "clflushopt" },
	{ 0x7, 0, EBX, 24, "clwb" },
	{ 0x7, 0, EBX, 28, "avx512cd" },
	{ 0x7, 0, EBX, 29, "sha_ni" },
	{ 0x7, 0, EBX, 30, "avx512bw" },
	{ 0x7, 0, EBX, 31, "avx512vl" },
	{ 0x7, 0, ECX, 1, "avx512vbmi" },
	{ 0x7, 0, ECX, 2, "umip" },
	{ 0x7, 0, ECX, 3, "pku" },
	{ 0x7, 0, ECX, 6, "avx512_vbmi2" },
	{ 0x7, 0, ECX, 7, "shstk" },
	{ 0x7, 0, ECX, 8, "gfni" },
	{ 0x7, 0, ECX, 9, "vaes" },
	{ 0x7, 0, ECX, 10, "vpclmulqdq" },
	{ 0x7, 0, ECX, 11, "avx512_vnni" },
	{ 0x7, 0, ECX, 12, "avx512_bitalg" },
	{ 0x7, 0, ECX, 14, "avx512_vpopcntdq" },
	{ 0x7, 0, ECX, 16, "la57" },
	{ 0x7, 0, ECX, 22, "rdpid" },
	{ 0x7, 0, ECX, 25, "cldemote" },
	{ 0x7, 0, ECX, 27, "movdiri" },
	{ 0x7, 0, ECX, 28, "movdir64b" },
	{ 0x7, 0, EDX, 4, "fsrm" },
	{ 0x7, 0, EDX, 8, "avx512_vp2intersect" },
	{ 0x7, 0, EDX, 10, "md_clear" },
	{ 0x7, 0, EDX, 14, "serialize" },
	{ 0x7, 0, EDX, 20, "ibt" },
	{ 0x7, 0, EDX, 22, "amx_bf16" },
	{ 0x7, 0, EDX, 23, "avx512_fp16" },
	{ 0x7, 0, EDX, 24, "amx_tile" },
	{ 0x7, 0, EDX, 25, "amx_int8" },
	{ 0x7, 0, EDX, 26, "spec_ctrl" },
	{ 0x7, 0, EDX, 27, "intel_stibp" },
	{ 0x7, 0, EDX, 28, "flush_l1d" },
	{ 0x7, 0, EDX, 29, "arch_capabilities" },
	{ 0x7, 0, EDX, 31, "ssbd" },
	{ 0x7, 1, EAX, 4, "avx_vnni" },
	{ 0x7, 1, EAX, 5, "avx512_bf16" },
	{ 0xd, 1, EAX, 0, "xsaveopt" },
	{ 0xd, 1, EAX, 1, "xsavec" },
	{ 0xd, 1, EAX, 2, "xgetbv1" },
	{ 0xd, 1, EAX, 3, "xsaves" },
	{ 0x40000001, 0, EAX, 0, "kvmclock_old" },
	{ 0x40000001, 0, EAX, 3, "kvmclock" },
	{ 0x40000001, 0, EAX, 5, "steal_time" },
	{ 0x40000001, 0, EAX, 6, "pv_eoi" },
	{ 0x40000001, 0, EAX, 7, "pv_unhalt" },
	{ 0x40000001, 0, EAX, 9, "pv_tlb_flush" },
	{ 0x40000001, 0, EAX, 11, "pv_ipi" },
	{ 0x40000001, 0, EAX, 13, "pv_sched_yield" },
	{ 0x40000001, 0, EAX, 24, "kvmclock_stable" },
	{ 0x80000001, 0, ECX, 0, "lahf_lm" },
	{ 0x80000001, 0, ECX, 1, "cmp_legacy" },
	{ 0x80000001, 0, ECX, 2, "svm" },
	{ 0x80000001, 0, ECX, 4, "cr8_legacy" },
	{ 0x80000001, 0, ECX, 5, "abm" },
	{ 0x80000001, 0, ECX, 6, "sse4a" },
	{ 0x80000001, 0, ECX, 7, "misalignsse" },
	{ 0x80000001, 0, ECX, 8, "3dnowprefetch" },
	{ 0x80000001, 0, ECX, 9, "osvw" },
	{ 0x80000001, 0, ECX, 11, "xop" },
	{ 0x80000001, 0, ECX, 16, "fma4" },
	{ 0x80000001, 0, ECX, 21, "tbm" },
	{ 0x80000001, 0, ECX, 22, "topoext" },
	{ 0x80000001, 0, ECX, 23, "perfctr_core" },
	{ 0x80000001, 0, EDX, 11, "syscall" },
	{ 0x80000001, 0, EDX, 20, "nx" },
	{ 0x80000001, 0, EDX, 22, "mmxext" },
	{ 0x80000001, 0, EDX, 25, "fxsr_opt" },
	{ 0x80000001, 0, EDX, 26, "pdpe1gb" },
	{ 0x80000001, 0, EDX, 27, "rdtscp" },
	{ 0x80000001, 0, EDX, 29, "lm" },
	{ 0x80000007, 0, EDX, 8, "invtsc" },
	{ 0x80000008, 0, EBX, 0, "clzero" },
	{ 0x80000008, 0, EBX, 2, "xsaveerptr" },
	{ 0x80000008, 0, EBX, 4, "rdpru" },
	{ 0x80000008, 0, EBX, 9, "wbnoinvd" },
	{ 0x80000008, 0, EBX, 12, "amd_ibpb" },
	{ 0x80000008, 0, EBX, 14, "amd_ibrs" },
	{ 0x80000008, 0, EBX, 15, "amd_stibp" },
	{ 0x80000008, 0, EBX, 24, "amd_ssbd" },
	{ 0x80000008, 0, EBX, 25, "virt_ssbd" },
	{ 0x8000000a, 0, EDX, 0, "npt" },
	{ 0x8000000a, 0, EDX, 1, "lbrv" },
	{ 0x8000000a, 0, EDX, 2, "svm_lock" },
	{ 0x8000000a, 0, EDX, 3, "nrip_save" },
	{ 0x8000000a, 0, EDX, 4, "tsc_scale" },
	{ 0x8000000a, 0, EDX, 5, "vmcb_clean" },
	{ 0x8000000a, 0, EDX, 6, "flushbyasid" },
	{ 0x8000000a, 0, EDX, 7, "decodeassists" },
	{ 0x8000000a, 0, EDX, 10, "pausefilter" },
	{ 0x8000000a, 0, EDX, 12, "pfthreshold" },
	{ 0x8000000a, 0, EDX, 13, "avic" },
	{ 0x8000000a, 0, EDX, 15, "v_vmsave_vmload" },
	{ 0x8000000a, 0, EDX, 16, "vgif" },
};

static uint32_t *feature_word(struct limen_cpuid_table *t,
			      const struct feature *f)
{
	struct limen_cpuid_entry *e = limen_cpuid_find(t, f->leaf, f->subleaf);

	if (!e)
		return NULL;
	switch (f->reg) {
	case EAX: return &e->eax;
	case EBX: return &e->ebx;
	case ECX: return &e->ecx;
	case EDX: return &e->edx;
	}
	return NULL;
}

static const struct feature *feature_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (strlen(features[i].name) == len &&
		    !memcmp(features[i].name, name, len))
			return &features[i];
	return NULL;
}

static int edit_one(struct limen_cpuid_table *t, struct limen_cpuid_table *offered,
		    const char *item, size_t len)
{
	const struct feature *f;
	uint32_t *word, *may, bit;

	if (len < 2 || (item[0] != '+' && item[0] != '-'))
		return -EINVAL;
	f = feature_find(item + 1, len - 1);
	if (!f)
		return -EINVAL;
	bit = 1u << f->bit;
	word = feature_word(t, f);
	if (item[0] == '-') {
		if (word)
			*word &= ~bit;
		return 0;
	}
	may = feature_word(offered, f);
	if (!word || !may || !(*may & bit))
		return -EOPNOTSUPP;
	*word |= bit;
	return 0;
}

int limen_cpuid_edit(struct limen_cpuid_table *t,
		     const struct limen_cpuid_table *offered, const char *list,
		     char *bad, size_t len)
{
	struct limen_cpuid_table may = *offered;

	while (*list) {
		size_t n = strcspn(list, ",");
		int err = edit_one(t, &may, list, n);

		if (err) {
			if (len)
				snprintf(bad, len, "%.*s", (int)n, list);
			return err;
		}
		list += n;
		if (*list == ',')
			list++;
	}
	return 0;
}

const char *limen_cpuid_name(struct limen_cpuid_table *t, uint32_t n, bool *on)
{
	uint32_t *word;

	if (n >= ARRAY_SIZE(features))
		return NULL;
	word = t ? feature_word(t, &features[n]) : NULL;
	if (on)
		*on = word && (*word >> features[n].bit & 1);
	return features[n].name;
}
