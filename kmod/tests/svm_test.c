// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-V's pure files, by the numbers of the manual (APM Vol. 2, Appendix C "SVM
 * Intercept Exit Codes", "IOIO Intercepts", "MSR Intercepts"; Vol. 3 "Function
 * 8000_000Ah"), not by the module's own names for them.
 */
#include "../svm/svm_avic.c"
#include "../svm/svm_bitmap.c"
#include "../svm/svm_caps.c"
#include "../svm/svm_decode.c"
#include "fake.h"

#define RIP	0x1000

struct svm_caps svm_caps;

static struct limen_exit decode(struct svm_raw raw)
{
	struct limen_exit exit;

	memset(&exit, 0xa5, sizeof(exit));
	raw.rip = RIP;
	svm_decode(&raw, &exit);
	return exit;
}

static void every_exit_code_has_its_kind(struct kunit *test)
{
	static const struct { u64 code; u64 info1; enum limen_kind kind; } rows[] = {
		{ 0x060, 0, LIMEN_KIND_HOST_IRQ }, { 0x061, 0, LIMEN_KIND_HOST_NMI },
		{ 0x063, 0, LIMEN_KIND_HOST_IRQ },
		{ 0x064, 0, LIMEN_KIND_IRQ_WINDOW }, { 0x06f, 0, LIMEN_KIND_GP },
		{ 0x072, 0, LIMEN_KIND_CPUID }, { 0x074, 0, LIMEN_KIND_NMI_WINDOW },
		{ 0x076, 0, LIMEN_KIND_CACHE }, { 0x077, 0, LIMEN_KIND_PAUSE },
		{ 0x078, 0, LIMEN_KIND_HLT }, { 0x07a, 0, LIMEN_KIND_UD },
		{ 0x07b, 0, LIMEN_KIND_IO }, { 0x07c, 0, LIMEN_KIND_RDMSR },
		{ 0x07c, 1, LIMEN_KIND_WRMSR }, { 0x07f, 0, LIMEN_KIND_SHUTDOWN },
		{ 0x080, 0, LIMEN_KIND_UD }, { 0x081, 0, LIMEN_KIND_HYPERCALL },
		{ 0x082, 0, LIMEN_KIND_UD }, { 0x083, 0, LIMEN_KIND_UD },
		{ 0x084, 0, LIMEN_KIND_UD }, { 0x085, 0, LIMEN_KIND_UD },
		{ 0x086, 0, LIMEN_KIND_UD }, { 0x089, 0, LIMEN_KIND_CACHE },
		{ 0x08a, 0, LIMEN_KIND_UD }, { 0x08b, 0, LIMEN_KIND_UD },
		{ 0x08c, 0, LIMEN_KIND_UD }, { 0x08d, 0, LIMEN_KIND_XSETBV },
		{ 0x08e, 0, LIMEN_KIND_UD }, { 0x0a0, 0, LIMEN_KIND_UD },
		{ 0x400, 0, LIMEN_KIND_NPF }, { ~0ull, 0, LIMEN_KIND_INVALID },
		{ 0x052, 0, LIMEN_KIND_HOST_MCE }, { 0x051, 0, LIMEN_KIND_EXCEPTION },
		{ 0x401, 0, LIMEN_KIND_UNKNOWN }, { 0x0ff, 0, LIMEN_KIND_UNKNOWN },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_exit exit = decode((struct svm_raw){
			.code = rows[i].code, .info1 = rows[i].info1,
		});

		KUNIT_EXPECT_EQ_MSG(test, exit.kind, rows[i].kind, "code %#llx",
				    rows[i].code);
		KUNIT_EXPECT_EQ(test, exit.hw.reason, rows[i].code);
		KUNIT_EXPECT_EQ(test, exit.hw.info1, rows[i].info1);
	}
}

/* APM Vol. 2: bits 30 and 29 of CR0; the first word of the VMCB has a bit a CR */
static void cache_bits_of_cr0_stay_out_of_the_vmcb_and_are_read_by_an_exit(struct kunit *test)
{
	static const u64 bits[] = { 1ull << 30, 3ull << 29 };
	int i;

	KUNIT_EXPECT_EQ(test, svm_cr0_hw(0x80010033), 0x80010033ull);
	KUNIT_EXPECT_EQ(test, svm_cr0_view(0x80010033, 0x11), 0x80010033ull);
	KUNIT_EXPECT_EQ(test, svm_cr_reads(0x80010033), 0);
	/* CR8: only while TPR holds something back */
	KUNIT_EXPECT_EQ(test, svm_cr_writes(false), 0x011);
	KUNIT_EXPECT_EQ(test, svm_cr_writes(true), 0x111);
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		KUNIT_EXPECT_EQ(test, svm_cr0_hw(0x80010033 | bits[i]), 0x80010033ull);
		KUNIT_EXPECT_EQ(test, svm_cr0_view(0x8001003b, 0x80010033 | bits[i]),
				0x8001003bull | bits[i]);
		KUNIT_EXPECT_EQ(test, svm_cr_reads(0x11 | bits[i]), 1);
	}
}

static void length_comes_from_the_next_rip_where_it_is_saved(struct kunit *test)
{
	struct svm_raw raw = { .code = 0x72, .next_rip = RIP + 2 };

	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	raw.has_next_rip = true;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 2);
	/* emulators leave it 0; and no instruction is that long */
	raw.next_rip = 0;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	raw.next_rip = RIP + 16;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	raw.next_rip = RIP - 1;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
}

static void port_access_has_its_facts(struct kunit *test)
{
	static const struct { u32 info; u8 size; bool in, string, rep; u8 addr, seg; }
	rows[] = {
		{ 0x03f80210, 1, false, false, false, 8, 0 },
		{ 0x00600091, 1, true, false, false, 2, 0 },
		{ 0x0cf80140, 4, false, false, false, 4, 0 },
		{ 0x01f0022d, 2, true, true, true, 8, 0 },
		{ 0x01f00d2c, 2, false, true, true, 4, 3 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_exit exit = decode((struct svm_raw){
			.code = 0x7b, .info1 = rows[i].info, .info2 = RIP + 2,
			.has_decode = true,
		});

		KUNIT_EXPECT_EQ(test, exit.io.port, rows[i].info >> 16);
		KUNIT_EXPECT_EQ(test, exit.io.size, rows[i].size);
		KUNIT_EXPECT_EQ(test, exit.io.in, rows[i].in);
		KUNIT_EXPECT_EQ(test, exit.io.string, rows[i].string);
		KUNIT_EXPECT_EQ(test, exit.io.rep, rows[i].rep);
		KUNIT_EXPECT_EQ(test, exit.io.addr_size, rows[i].addr);
		KUNIT_EXPECT_EQ(test, exit.io.seg, rows[i].seg);
		KUNIT_EXPECT_TRUE(test, exit.io.has_seg);
		KUNIT_EXPECT_EQ(test, exit.insn_len, 2);
	}
}

static void outs_without_decode_assists_wants_its_prefixes_read(struct kunit *test)
{
	struct svm_raw raw = { .code = 0x7b, .info1 = 0x01f0012c, .info2 = RIP + 1 };

	KUNIT_EXPECT_FALSE(test, decode(raw).io.has_seg);
	raw.info1 |= 1;
	KUNIT_EXPECT_TRUE(test, decode(raw).io.has_seg);
	KUNIT_EXPECT_EQ(test, decode(raw).io.seg, (u8)LIMEN_ES);
	/* QEMU's TCG leaves the address size out */
	raw.info1 &= ~0x380;
	KUNIT_EXPECT_FALSE(test, decode(raw).io.has_seg);
}

static void nested_page_fault_says_address_and_access(struct kunit *test)
{
	static const u8 insn[15] = { 0x89, 0x07 };
	struct svm_raw raw = { .code = 0x400, .info1 = 1ull << 32 | 4,
			       .info2 = 0xfee00020, .insn = insn, .nr_insn = 15 };

	KUNIT_EXPECT_EQ(test, decode(raw).npf.gpa, 0xfee00020ull);
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_READ);
	KUNIT_EXPECT_FALSE(test, decode(raw).npf.in_walk);
	KUNIT_EXPECT_FALSE(test, decode(raw).npf.has_gva);
	KUNIT_EXPECT_EQ(test, decode(raw).nr_insn, 15);
	KUNIT_EXPECT_EQ(test, decode(raw).insn[1], 0x07);
	raw.info1 |= 2;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_WRITE);
	raw.info1 = 1ull << 32 | 0x14;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_EXEC);
	raw.info1 = 1ull << 33 | 6;
	KUNIT_EXPECT_TRUE(test, decode(raw).npf.in_walk);
}

static void control_registers_are_encoded_without_decode_assists(struct kunit *test)
{
	struct svm_raw raw = { .code = 0x14, .info1 = 1ull << 63 | 9 };

	KUNIT_EXPECT_EQ(test, decode(raw).cr.op, (u8)LIMEN_CR_ENCODED);
	KUNIT_EXPECT_EQ(test, decode(raw).cr.nr, 4);
	raw.has_decode = true;
	KUNIT_EXPECT_EQ(test, decode(raw).cr.op, (u8)LIMEN_CR_WRITE);
	KUNIT_EXPECT_EQ(test, decode(raw).cr.gpr, 9);
	raw.code = 0x08;
	KUNIT_EXPECT_EQ(test, decode(raw).cr.op, (u8)LIMEN_CR_READ);
	KUNIT_EXPECT_EQ(test, decode(raw).cr.nr, 8);
	/* CLTS, LMSW and SMSW are told apart by bit 63 only */
	raw.info1 = 0;
	raw.code = 0x10;
	KUNIT_EXPECT_EQ(test, decode(raw).cr.op, (u8)LIMEN_CR_ENCODED);

	raw = (struct svm_raw){ .code = 0x37, .info1 = 3, .has_decode = true };
	KUNIT_EXPECT_EQ(test, decode(raw).kind, LIMEN_KIND_DR);
	KUNIT_EXPECT_TRUE(test, decode(raw).dr.write);
	KUNIT_EXPECT_EQ(test, decode(raw).dr.nr, 7);
	KUNIT_EXPECT_EQ(test, decode(raw).dr.gpr, 3);
	raw.code = 0x26;
	raw.has_decode = false;
	KUNIT_EXPECT_FALSE(test, decode(raw).dr.write);
	KUNIT_EXPECT_TRUE(test, decode(raw).dr.encoded);
}

static void exceptions_have_error_and_payload(struct kunit *test)
{
	struct limen_exit exit = decode((struct svm_raw){
		.code = 0x51, .info1 = 0, .next_rip = RIP + 3, .has_next_rip = true,
	});

	KUNIT_EXPECT_EQ(test, exit.exc.vector, 17);
	KUNIT_EXPECT_TRUE(test, exit.exc.has_error);
	KUNIT_EXPECT_EQ(test, exit.insn_len, 0);
	/* single step: BS and breakpoint 0 */
	exit = decode((struct svm_raw){ .code = 0x41, .dr6 = 0xffff4ff1 });
	KUNIT_EXPECT_EQ(test, exit.exc.vector, 1);
	KUNIT_EXPECT_FALSE(test, exit.exc.has_error);
	KUNIT_EXPECT_EQ(test, exit.exc.payload, 0x4001ull);
}

static void interrupted_delivery_is_carried_over(struct kunit *test)
{
	struct svm_raw raw = { .code = 0x400, .int_info = 0x80000b0e, .int_error = 6 };

	KUNIT_EXPECT_EQ(test, decode(raw).event, 0x80000b0eu);
	KUNIT_EXPECT_EQ(test, decode(raw).event_error, 6u);
	raw.int_info = 0x80000041;
	raw.event_inj = 0x80000041;
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0x80000041u);
	KUNIT_EXPECT_EQ(test, decode(raw).event_error, 0u);
	KUNIT_EXPECT_TRUE(test, decode(raw).vectoring);
	raw.int_info = 0x41;
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
	KUNIT_EXPECT_FALSE(test, decode(raw).vectoring);
	/* not injected: what Bochs makes of INT n */
	raw.int_info = 0x80000000;
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
}

static void event_of_an_instruction_is_left_to_the_instruction(struct kunit *test)
{
	static const u32 events[] = { 0x80000480, 0x80000303, 0x80000304 };
	int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		struct svm_raw raw = { .code = 0x400, .int_info = events[i],
				       .entry_rip = RIP };

		KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
		KUNIT_EXPECT_TRUE(test, decode(raw).vectoring);
		/* unless it was injected, and nothing ran since */
		raw.event_inj = events[i];
		KUNIT_EXPECT_EQ(test, decode(raw).event, events[i]);
		raw.entry_rip = RIP - 2;
		KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
	}
}

/* INT n, INT3, INTO: RIP is at the instruction, and running it again delivers it */
static void what_an_instruction_raised_is_not_carried_over(struct kunit *test)
{
	static const u32 infos[] = { 0x80000480, 0x80000403, 0x80000303, 0x80000304 };
	int i;

	for (i = 0; i < ARRAY_SIZE(infos); i++) {
		struct svm_raw raw = { .code = 0x400, .int_info = infos[i] };

		KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
		/* but if it was injected, and nothing has run, it still waits */
		raw.event_inj = infos[i];
		KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
		raw.entry_rip = RIP;
		KUNIT_EXPECT_EQ(test, decode(raw).event, infos[i]);
	}
}

static const char *missing(const struct limen_caps *caps)
{
	u32 i;

	for (i = 0; i < caps->nr; i++)
		if (caps->note[i].state == LIMEN_CAP_ABSENT)
			return caps->note[i].name;
	return "";
}

static void cpus_are_judged_by_their_features(struct kunit *test)
{
	/* features and ASIDs of EDX and EBX */
	static const struct { u32 edx, asids, sev; int err; bool nrip; } cpus[] = {
		{ 0x0001bcff, 32768, 0, 0, true },	/* Zen */
		{ 0x0001bcff, 32768, 509, 0, true },	/* with SEV */
		{ 0x119b9cff, 509, 508, -EOPNOTSUPP, true },	/* all for SEV */
		{ 0x00000003, 64, 0, 0, false },	/* K10 */
		{ 0x0000000e, 64, 0, -EOPNOTSUPP, true },	/* K8: no NPT */
		{ 0x00010001, 16, 0, 0, false },	/* QEMU TCG */
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		struct limen_caps caps = {};
		struct svm_caps out = {};

		KUNIT_EXPECT_EQ_MSG(test, cpus[i].err,
				    svm_probe_caps(cpus[i].edx, cpus[i].asids,
						   cpus[i].sev, false, &caps, &out),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, caps.next_rip, cpus[i].nrip, "row %d", i);
		KUNIT_EXPECT_EQ(test, out.features, cpus[i].edx);
		if (!cpus[i].err) {
			KUNIT_EXPECT_LT(test, out.asid, cpus[i].asids);
			KUNIT_EXPECT_GT(test, out.asid, cpus[i].sev);
		}
	}
}

static void refusal_names_what_is_missing(struct kunit *test)
{
	struct limen_caps caps = {};
	struct svm_caps out = {};

	svm_probe_caps(0xe, 64, 0, false, &caps, &out);
	KUNIT_EXPECT_STREQ(test, missing(&caps), "nested-paging");
}

static int msrpm_bits(const u8 *map, u32 msr)
{
	u32 range = msr < 0x2000 ? 0 : msr < 0xc0010000 ? 1 : 2;

	return map[range * 0x800 + (msr & 0x1fff) / 4] >> (msr & 3) * 2 & 3;
}

static void only_switched_msrs_are_open(struct kunit *test)
{
	static const u32 open[] = {
		0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
		0xc0000101, 0xc0000102, 0x174, 0x175, 0x176,
	};
	u8 *map = kunit_kzalloc(test, SVM_MSRPM_SIZE, GFP_KERNEL);
	u32 i, j, nr = 0;

	KUNIT_ASSERT_NOT_NULL(test, map);
	svm_msrpm_init(map, true);
	for (i = 0; i < ARRAY_SIZE(open); i++)
		KUNIT_EXPECT_EQ_MSG(test, msrpm_bits(map, open[i]), 0, "%#x", open[i]);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000103), 2);
	for (i = 0; i < SVM_MSRPM_SIZE; i++)
		for (j = 0; j < 8; j++)
			nr += !(map[i] & BIT(j));
	KUNIT_EXPECT_EQ(test, nr, 2 * (u32)ARRAY_SIZE(open) + 1);
	svm_msrpm_init(map, false);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000103), 3);
}

static void trap_closes_and_never_opens(struct kunit *test)
{
	u8 *map = kunit_kzalloc(test, SVM_MSRPM_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	svm_msrpm_init(map, false);
	svm_msrpm_trap(map, 0xc0000082, false, true);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000082), 2);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000081), 0);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000083), 0);
	svm_msrpm_trap(map, 0xc0000082, true, false);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0xc0000082), 3);
	svm_msrpm_trap(map, 0x10, false, false);
	KUNIT_EXPECT_EQ(test, msrpm_bits(map, 0x10), 3);
	/* outside of all ranges: always intercepted, nothing is written */
	svm_msrpm_trap(map, 0x4b564d00, true, true);
	svm_msrpm_trap(map, 0xffffffff, true, true);
	svm_msrpm_trap(map, 0x2000, true, true);
}

/* APM Vol. 2, "Physical APIC ID Table": valid 63, running 62, page 51:12, host 7:0 */
static void avic_entry_never_names_a_cpu_that_has_no_room_in_it(struct kunit *test)
{
	const u64 page = 0x000f123456789000;

	KUNIT_EXPECT_EQ(test, svm_avic_entry(page, 0), 0xc00f123456789000);
	KUNIT_EXPECT_EQ(test, svm_avic_entry(page, 0xff), 0xc00f1234567890ff);
	KUNIT_EXPECT_EQ(test, svm_avic_entry(page, 0x100), 0x800f123456789000);
	KUNIT_EXPECT_EQ(test, svm_avic_entry(page, ~0u), 0x800f123456789000);
	/* nothing of a bad address leaks into the flags */
	KUNIT_EXPECT_EQ(test, svm_avic_entry(~0ull, ~0u), 0x800ffffffffff000);
}

static void avic_table_follows_its_vcpu(struct kunit *test)
{
	struct svm_vm *svm = kunit_kzalloc(test, sizeof(*svm), GFP_KERNEL);
	struct vmcb *vmcb = kunit_kzalloc(test, sizeof(*vmcb), GFP_KERNEL);
	struct limen_vcpu *vcpu = fake_vcpu(test, 1);
	u64 page = __pa(vcpu->pi.page);
	void *other = vcpu->vm->svm;

	KUNIT_ASSERT_NOT_NULL(test, svm);
	KUNIT_ASSERT_NOT_NULL(test, vmcb);
	vcpu->vm->svm = svm;
	/* neither wanted nor there: nothing is made, nothing is pointed to */
	svm_caps.avic = false;
	KUNIT_ASSERT_EQ(test, svm_avic_init(svm), 0);
	svm_avic_set(vcpu, true);
	svm_avic_vmcb(vcpu, vmcb);
	KUNIT_EXPECT_NULL(test, svm->avic_physical);
	KUNIT_EXPECT_EQ(test, vmcb->avic_physical, 0);

	svm_caps.avic = true;
	KUNIT_ASSERT_EQ(test, svm_avic_init(svm), 0);
	svm_avic_vmcb(vcpu, vmcb);
	KUNIT_EXPECT_EQ(test, vmcb->avic_page, page);
	KUNIT_EXPECT_EQ(test, vmcb->avic_bar, 0xfee00000);
	KUNIT_EXPECT_EQ(test, vmcb->avic_physical, __pa(svm->avic_physical) | 63);
	KUNIT_EXPECT_EQ(test, vmcb->avic_logical, __pa(svm->avic_logical));
	KUNIT_EXPECT_EQ(test, vmcb->int_ctl & BIT(31), 0);
	KUNIT_EXPECT_EQ(test, svm->avic_physical[1], 0);
	svm_avic_set(vcpu, true);
	KUNIT_EXPECT_EQ(test, svm->avic_physical[1] >> 62, 3);
	KUNIT_EXPECT_EQ(test, svm->avic_physical[1] & AVIC_PAGE, page);
	svm_avic_set(vcpu, false);
	KUNIT_EXPECT_EQ(test, svm->avic_physical[1], BIT_ULL(63) | page);
	svm_avic_fini(svm);
	svm_caps.avic = false;
	vcpu->vm->svm = other;
}

static void avic_is_prepared_only_where_it_is_wanted_and_there(struct kunit *test)
{
	static const struct { u32 edx; bool wanted, avic; } cpus[] = {
		{ 0x0001bcff, false, false }, { 0x0001bcff, true, true },
		{ 0x0001bcff & ~0x2000, true, false },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		struct limen_caps caps = {};
		struct svm_caps out = {};

		KUNIT_EXPECT_EQ(test, 0, svm_probe_caps(cpus[i].edx, 64, 0,
							cpus[i].wanted, &caps, &out));
		KUNIT_EXPECT_EQ_MSG(test, out.avic, cpus[i].avic, "row %d", i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_exit_code_has_its_kind),
	KUNIT_CASE(cache_bits_of_cr0_stay_out_of_the_vmcb_and_are_read_by_an_exit),
	KUNIT_CASE(length_comes_from_the_next_rip_where_it_is_saved),
	KUNIT_CASE(port_access_has_its_facts),
	KUNIT_CASE(outs_without_decode_assists_wants_its_prefixes_read),
	KUNIT_CASE(nested_page_fault_says_address_and_access),
	KUNIT_CASE(control_registers_are_encoded_without_decode_assists),
	KUNIT_CASE(exceptions_have_error_and_payload),
	KUNIT_CASE(interrupted_delivery_is_carried_over),
	KUNIT_CASE(event_of_an_instruction_is_left_to_the_instruction),
	KUNIT_CASE(what_an_instruction_raised_is_not_carried_over),
	KUNIT_CASE(cpus_are_judged_by_their_features),
	KUNIT_CASE(refusal_names_what_is_missing),
	KUNIT_CASE(only_switched_msrs_are_open),
	KUNIT_CASE(trap_closes_and_never_opens),
	KUNIT_CASE(avic_entry_never_names_a_cpu_that_has_no_room_in_it),
	KUNIT_CASE(avic_table_follows_its_vcpu),
	KUNIT_CASE(avic_is_prepared_only_where_it_is_wanted_and_there),
	{}
};

static struct kunit_suite suite = { .name = "svm", .test_cases = cases };
kunit_test_suite(suite);
