// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this CPU's SVM can (APM Vol. 3, "Function 8000_000Ah - SVM Features"), and
 * what of it the module needs. Pure: any CPU's values are a test vector.
 */
#include "svm.h"

/**
 * svm_probe_caps() - judge a CPU
 * @features: CPUID 8000_000A EDX
 * @nr_asids: CPUID 8000_000A EBX
 * @sev_asids: CPUID 8000_001F ECX: ASIDs 1 to this are for encrypted guests
 * @avic: does the user want its tables?
 * @caps: gets a note for each feature
 * @out: the facts this room acts on
 *
 * Context: module load.
 * Return: 0, or -EOPNOTSUPP.
 */
int svm_probe_caps(u32 features, u32 nr_asids, u32 sev_asids, bool avic,
		   struct limen_caps *caps, struct svm_caps *out)
{
	bool ok;

	ok = limen_cap_need(caps, "nested-paging", features & SVM_CPUID_NPT,
			    "the CPU has no nested paging (NPT)");
	ok &= limen_cap_need(caps, "asids", nr_asids > sev_asids + 2,
			     "no address-space identifier is left for us");
	out->features = features;
	out->asid = nr_asids - 1;
	out->avic = avic && features & SVM_CPUID_AVIC;
	caps->next_rip =
		limen_cap_may(caps, "nrip-save", features & SVM_CPUID_NRIPS,
			      "the CPU does not save the next RIP: instructions are read");
	limen_cap_may(caps, "decode-assists", features & SVM_CPUID_DECODE,
		      "the CPU does not decode: instructions are read");
	limen_cap_may(caps, "flush-by-asid", features & SVM_CPUID_FLUSH_ASID,
		      "the CPU flushes all ASIDs at once only");
	limen_cap_may(caps, "vmcb-clean", features & SVM_CPUID_VMCB_CLEAN,
		      "the CPU reloads the whole VMCB at each entry");
	limen_cap_may(caps, "pause-filter", features & SVM_CPUID_PAUSE,
		      "the CPU does not count PAUSEs: spinning guests spin on");
	limen_cap_note(caps, "tsc-ratio", features & SVM_CPUID_TSC_RATIO ?
		       LIMEN_CAP_UNUSED : LIMEN_CAP_ABSENT,
		       "guests run at the host's TSC rate");
	limen_cap_note(caps, "virtual-gif", features & SVM_CPUID_VGIF ?
		       LIMEN_CAP_UNUSED : LIMEN_CAP_ABSENT,
		       "for nested guests, which this version does not offer");
	limen_cap_note(caps, "virtual-nmi", features & SVM_CPUID_VNMI ?
		       LIMEN_CAP_UNUSED : LIMEN_CAP_ABSENT,
		       "NMI blocking is followed by intercepting IRET");
	limen_cap_note(caps, "avic", features & SVM_CPUID_AVIC ?
		       LIMEN_CAP_UNUSED : LIMEN_CAP_ABSENT,
		       out->avic ?
		       "only its tables are prepared: no emulator can run it" :
		       "posted in software: no emulator can run it");
	limen_cap_note(caps, "lbr-virtualization", features & SVM_CPUID_LBRV ?
		       LIMEN_CAP_UNUSED : LIMEN_CAP_ABSENT,
		       "guests get no last-branch records");
	return ok ? 0 : -EOPNOTSUPP;
}
