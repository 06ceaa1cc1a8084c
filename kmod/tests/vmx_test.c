// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x's pure files, by the numbers of the manual (SDM Vol. 3, Appendix C "VMX
 * Basic Exit Reasons" and the tables named in vmx_decode.c), not by the module's
 * own names for them; and CPUs that exist, as test vectors for the negotiation.
 */
#include "../vmx/vmx_bitmap.c"
#include "../vmx/vmx_caps.c"
#include "../vmx/vmx_decode.c"
#include "fake.h"

static struct limen_exit decode(struct vmx_raw raw)
{
	struct limen_exit exit;

	memset(&exit, 0xa5, sizeof(exit));
	vmx_decode(&raw, &exit);
	return exit;
}

static void every_exit_reason_has_its_kind(struct kunit *test)
{
	static const struct { u32 reason; u32 intr; enum limen_kind kind; } rows[] = {
		{ 0, 0x80000202, LIMEN_KIND_HOST_NMI },
		{ 0, 0x80000312, LIMEN_KIND_HOST_MCE },
		{ 0, 0x80000301, LIMEN_KIND_EXCEPTION },
		{ 0, 0x80000b11, LIMEN_KIND_EXCEPTION },
		{ 1, 0, LIMEN_KIND_HOST_IRQ }, { 2, 0, LIMEN_KIND_SHUTDOWN },
		{ 7, 0, LIMEN_KIND_IRQ_WINDOW }, { 8, 0, LIMEN_KIND_NMI_WINDOW },
		{ 9, 0, LIMEN_KIND_TASK_SWITCH }, { 10, 0, LIMEN_KIND_CPUID },
		{ 11, 0, LIMEN_KIND_UD }, { 12, 0, LIMEN_KIND_HLT },
		{ 13, 0, LIMEN_KIND_CACHE }, { 15, 0, LIMEN_KIND_GP },
		{ 18, 0, LIMEN_KIND_HYPERCALL }, { 19, 0, LIMEN_KIND_UD },
		{ 20, 0, LIMEN_KIND_UD }, { 21, 0, LIMEN_KIND_UD },
		{ 22, 0, LIMEN_KIND_UD }, { 23, 0, LIMEN_KIND_UD },
		{ 24, 0, LIMEN_KIND_UD }, { 25, 0, LIMEN_KIND_UD },
		{ 26, 0, LIMEN_KIND_UD }, { 27, 0, LIMEN_KIND_UD },
		{ 28, 0, LIMEN_KIND_CR }, { 29, 0, LIMEN_KIND_DR },
		{ 30, 0, LIMEN_KIND_IO }, { 31, 0, LIMEN_KIND_RDMSR },
		{ 32, 0, LIMEN_KIND_WRMSR }, { 36, 0, LIMEN_KIND_UD },
		{ 39, 0, LIMEN_KIND_UD }, { 40, 0, LIMEN_KIND_PAUSE },
		{ 48, 0, LIMEN_KIND_NPF }, { 49, 0, LIMEN_KIND_UNKNOWN },
		{ 50, 0, LIMEN_KIND_UD }, { 52, 0, LIMEN_KIND_TIMER },
		{ 53, 0, LIMEN_KIND_UD }, { 54, 0, LIMEN_KIND_CACHE },
		{ 55, 0, LIMEN_KIND_XSETBV }, { 58, 0, LIMEN_KIND_UD },
		{ 59, 0, LIMEN_KIND_UD }, { 60, 0, LIMEN_KIND_UD },
		{ 63, 0, LIMEN_KIND_UD }, { 64, 0, LIMEN_KIND_UD },
		{ 3, 0, LIMEN_KIND_HOST_IRQ }, { 43, 0, LIMEN_KIND_TPR_BELOW },
		{ 44, 0, LIMEN_KIND_NPF }, { 45, 0, LIMEN_KIND_EOI },
		{ 56, 0, LIMEN_KIND_APIC_WRITE }, { 62, 0, LIMEN_KIND_LOG_FULL },
		{ 999, 0, LIMEN_KIND_UNKNOWN },
		{ 0x80000021, 0, LIMEN_KIND_INVALID },
		{ 0x80000022, 0, LIMEN_KIND_INVALID },
		{ 0x80000029, 0, LIMEN_KIND_HOST_MCE },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct limen_exit exit = decode((struct vmx_raw){
			.reason = rows[i].reason, .intr_info = rows[i].intr,
		});

		KUNIT_EXPECT_EQ_MSG(test, exit.kind, rows[i].kind, "reason %#x",
				    rows[i].reason);
		KUNIT_EXPECT_EQ(test, exit.hw.reason, (u64)rows[i].reason);
	}
}

static void length_is_that_of_instructions_only(struct kunit *test)
{
	struct vmx_raw raw = { .reason = 10, .insn_len = 2 };

	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 2);
	raw.reason = 1;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	raw.reason = 48;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	raw.reason = 0;
	raw.intr_info = 0x80000301;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
	/* INT1 */
	raw.intr_info = 0x80000501;
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 2);
}

static void ept_violation_says_address_and_access(struct kunit *test)
{
	struct vmx_raw raw = { .reason = 48, .qual = 0x181, .gpa = 0xfee00020,
			       .gla = 0xffffffffff5fd020ull };

	KUNIT_EXPECT_EQ(test, decode(raw).npf.gpa, 0xfee00020ull);
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_READ);
	KUNIT_EXPECT_TRUE(test, decode(raw).npf.has_gva);
	KUNIT_EXPECT_EQ(test, decode(raw).npf.gva, raw.gla);
	KUNIT_EXPECT_FALSE(test, decode(raw).npf.in_walk);
	raw.qual = 0x183;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_WRITE);
	raw.qual = 0x184;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_EXEC);
	/* a page-table entry of the guest's */
	raw.qual = 0x081;
	KUNIT_EXPECT_TRUE(test, decode(raw).npf.in_walk);
	/* MOV to CR3 with PAE paging: no linear address */
	raw.qual = 0x001;
	KUNIT_EXPECT_FALSE(test, decode(raw).npf.has_gva);
	KUNIT_EXPECT_EQ(test, decode(raw).npf.gva, 0ull);
}

static void apic_exits_say_where(struct kunit *test)
{
	struct vmx_raw raw = { .reason = 44, .qual = 0x10b0, .gla = 0xfee000b0 };
	struct limen_exit exit = decode(raw);

	KUNIT_EXPECT_TRUE(test, exit.npf.apic);
	KUNIT_EXPECT_EQ(test, exit.npf.gpa, 0xfee000b0ull);
	KUNIT_EXPECT_EQ(test, exit.npf.access, (u8)LIMEN_ACCESS_WRITE);
	KUNIT_EXPECT_TRUE(test, exit.npf.has_gva);
	KUNIT_EXPECT_FALSE(test, exit.npf.in_walk);
	raw.qual = 0x0390;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_READ);
	raw.qual = 0x2000;
	KUNIT_EXPECT_EQ(test, decode(raw).npf.access, (u8)LIMEN_ACCESS_EXEC);
	/* a page table or a descriptor there: nothing for the APIC */
	raw.qual = 0xa000;
	KUNIT_EXPECT_TRUE(test, decode(raw).npf.in_walk);
	raw = (struct vmx_raw){ .reason = 45, .qual = 0x61 };
	KUNIT_EXPECT_EQ(test, decode(raw).apic.vector, 0x61);
	raw = (struct vmx_raw){ .reason = 56, .qual = 0x380 };
	KUNIT_EXPECT_EQ(test, decode(raw).apic.offset, 0x380);
	KUNIT_EXPECT_EQ(test, decode(raw).insn_len, 0);
}

static void port_access_has_its_facts(struct kunit *test)
{
	/* out %al, $0x60; in %dx, %eax; rep outsw %fs: with 32-bit addresses */
	struct limen_exit exit = decode((struct vmx_raw){
		.reason = 30, .qual = 0x00600040, .insn_len = 2,
	});

	KUNIT_EXPECT_EQ(test, exit.io.port, 0x60);
	KUNIT_EXPECT_EQ(test, exit.io.size, 1);
	KUNIT_EXPECT_FALSE(test, exit.io.in);
	KUNIT_EXPECT_FALSE(test, exit.io.string);
	exit = decode((struct vmx_raw){ .reason = 30, .qual = 0x0cfc000b });
	KUNIT_EXPECT_EQ(test, exit.io.port, 0xcfc);
	KUNIT_EXPECT_EQ(test, exit.io.size, 4);
	KUNIT_EXPECT_TRUE(test, exit.io.in);
	exit = decode((struct vmx_raw){
		.reason = 30, .qual = 0x01f00031, .ins_info = true,
		.insn_info = 1 << 7 | LIMEN_FS << 15,
	});
	KUNIT_EXPECT_EQ(test, exit.io.size, 2);
	KUNIT_EXPECT_TRUE(test, exit.io.string);
	KUNIT_EXPECT_TRUE(test, exit.io.rep);
	KUNIT_EXPECT_TRUE(test, exit.io.has_seg);
	KUNIT_EXPECT_EQ(test, exit.io.seg, (u8)LIMEN_FS);
	KUNIT_EXPECT_EQ(test, exit.io.addr_size, 4);
	exit = decode((struct vmx_raw){ .reason = 30, .qual = 0x01f00031 });
	KUNIT_EXPECT_FALSE(test, exit.io.has_seg);
}

static void control_register_access_has_its_facts(struct kunit *test)
{
	static const struct { u64 qual; u8 nr, op, gpr; u16 val; } rows[] = {
		{ 0x300, 0, LIMEN_CR_WRITE, LIMEN_RBX },
		{ 0xf04, 4, LIMEN_CR_WRITE, LIMEN_R15 },
		{ 0x018, 8, LIMEN_CR_READ, LIMEN_RAX },
		{ 0x020, 0, LIMEN_CR_CLTS, 0 },
		{ 0x12340030, 0, LIMEN_CR_LMSW, 0, 0x1234 },
	};
	struct limen_exit exit;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		exit = decode((struct vmx_raw){ .reason = 28, .qual = rows[i].qual });
		KUNIT_EXPECT_EQ(test, exit.cr.nr, rows[i].nr);
		KUNIT_EXPECT_EQ(test, exit.cr.op, rows[i].op);
		KUNIT_EXPECT_EQ(test, exit.cr.gpr, rows[i].gpr);
		KUNIT_EXPECT_EQ(test, exit.cr.val, rows[i].val);
	}
	exit = decode((struct vmx_raw){ .reason = 29, .qual = 0x917 });
	KUNIT_EXPECT_EQ(test, exit.dr.nr, 7);
	KUNIT_EXPECT_FALSE(test, exit.dr.write);
	KUNIT_EXPECT_EQ(test, exit.dr.gpr, (u8)LIMEN_R9);
	KUNIT_EXPECT_TRUE(test, decode((struct vmx_raw){
		.reason = 29, .qual = 7 }).dr.write);
}

static void interrupted_delivery_is_carried_over(struct kunit *test)
{
	struct vmx_raw raw = { .reason = 48, .idt_info = 0x80001b0e, .idt_error = 6,
			       .insn_len = 5 };

	/* bit 12 is undefined in this field */
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0x80000b0eu);
	KUNIT_EXPECT_EQ(test, decode(raw).event_error, 6u);
	KUNIT_EXPECT_EQ(test, decode(raw).event_insn_len, 0);
	raw.idt_info = 0x80000480;
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0x80000480u);
	KUNIT_EXPECT_EQ(test, decode(raw).event_insn_len, 5);
	KUNIT_EXPECT_TRUE(test, decode(raw).vectoring);
	raw.idt_info = 0x00000480;
	KUNIT_EXPECT_EQ(test, decode(raw).event, 0u);
	KUNIT_EXPECT_FALSE(test, decode(raw).vectoring);
}

static void debug_exception_carries_dr6_bits(struct kunit *test)
{
	struct limen_exit exit = decode((struct vmx_raw){
		.reason = 0, .intr_info = 0x80000301, .qual = 0xffffffffffffffffull,
	});

	/* B3-B0, BLD, BD, BS, RTM */
	KUNIT_EXPECT_EQ(test, exit.exc.payload, 0x1680full);
	KUNIT_EXPECT_FALSE(test, exit.exc.has_error);
}

static void nmi_is_blocked_again_after_a_faulting_iret(struct kunit *test)
{
	struct limen_exit exit;
	struct vmx_raw raw = { .reason = 48, .qual = 0x1181 };

	KUNIT_EXPECT_TRUE(test, vmx_decode(&raw, &exit));
	raw.idt_info = 0x80000202;
	KUNIT_EXPECT_FALSE(test, vmx_decode(&raw, &exit));
	raw = (struct vmx_raw){ .reason = 62, .qual = 0x1000 };
	KUNIT_EXPECT_TRUE(test, vmx_decode(&raw, &exit));
	raw = (struct vmx_raw){ .reason = 0, .intr_info = 0x80001b11 };
	KUNIT_EXPECT_TRUE(test, vmx_decode(&raw, &exit));
	raw.intr_info = 0x80001b08;
	KUNIT_EXPECT_FALSE(test, vmx_decode(&raw, &exit));
	raw = (struct vmx_raw){ .reason = 10, .intr_info = 0x80001b11, .qual = 0x1000 };
	KUNIT_EXPECT_FALSE(test, vmx_decode(&raw, &exit));
}

static void only_fields_that_are_named_are_used(struct kunit *test)
{
	u32 reason;

	for (reason = 0; reason < 80; reason++) {
		u32 needs = vmx_needs(reason);
		struct vmx_raw raw = {
			.reason = reason, .intr_info = 0x80000b11,
		}, noise = raw;
		struct limen_exit a, b;

		if (!(needs & VMX_NEED_LEN))
			noise.insn_len = 7;
		if (!(needs & VMX_NEED_GLA))
			noise.gla = ~0ull;
		if (!(needs & VMX_NEED_INSN))
			noise.insn_info = ~0u;
		vmx_decode(&raw, &a);
		vmx_decode(&noise, &b);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&a, &b, sizeof(a)), 0, "reason %u",
				    reason);
	}
}

/* Haswell, as its MSRs read */
static const struct vmx_msrs haswell = {
	.cpuid = true, .rdtscp = true, .maxphyaddr = 39, .feat_ctl = 5,
	.basic = 0x00da040000000012ull, .misc = 0x7004c1e5,
	.pin = 0x0000007f00000016ull, .proc = 0xfff9fffe04006172ull,
	.proc2 = 0x00007cff00000000ull, .exit = 0x007fffff00036dfbull,
	.entry = 0x0000ffff000011fbull, .ept_vpid = 0x00000f0106334141ull,
	.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x1767ff,
};

static int negotiate(const struct vmx_msrs *msrs, struct vmx_config *cfg,
		     struct limen_caps *caps)
{
	memset(caps, 0, sizeof(*caps));
	memset(cfg, 0, sizeof(*cfg));
	return vmx_negotiate(msrs, cfg, caps);
}

static bool notes(const struct limen_caps *caps, const char *name, u32 state)
{
	u32 i;

	for (i = 0; i < caps->nr; i++)
		if (!strcmp(caps->note[i].name, name))
			return caps->note[i].state == state;
	return false;
}

static void haswell_is_taken_with_what_it_has(struct kunit *test)
{
	struct limen_caps caps;
	struct vmx_config cfg;

	KUNIT_ASSERT_EQ(test, negotiate(&haswell, &cfg, &caps), 0);
	/* bits that must be 1 are, bits that may not be 1 are not */
	KUNIT_EXPECT_EQ(test, cfg.pin & 0x16u, 0x16u);
	KUNIT_EXPECT_EQ(test, cfg.pin & ~0x7fu, 0u);
	KUNIT_EXPECT_EQ(test, cfg.proc & 0x04006172u, 0x04006172u);
	KUNIT_EXPECT_EQ(test, cfg.proc & ~0xfff9fffeu, 0u);
	KUNIT_EXPECT_EQ(test, cfg.proc2 & ~0x7cffu, 0u);
	KUNIT_EXPECT_EQ(test, cfg.exit & 0x36dfbu, 0x36dfbu);
	KUNIT_EXPECT_EQ(test, cfg.entry & 0x11fbu, 0x11fbu);
	/* windows are asked for at an entry, not for ever */
	KUNIT_EXPECT_EQ(test, cfg.proc & (BIT(2) | BIT(22)), 0ul);
	KUNIT_EXPECT_EQ(test, cfg.entry & BIT(9), 0ul);
	/* EPT, RDTSCP, VPID, unrestricted, PLE, INVPCID */
	KUNIT_EXPECT_EQ(test, cfg.proc2, 0x14aau);
	KUNIT_EXPECT_EQ(test, cfg.revision, 0x12u);
	KUNIT_EXPECT_EQ(test, cfg.timer_shift, 5);
	KUNIT_EXPECT_TRUE(test, cfg.ins_info);
	KUNIT_EXPECT_TRUE(test, caps.npt_2m && caps.npt_1g && caps.rdtscp);
	KUNIT_EXPECT_TRUE(test, caps.invpcid && caps.npt_ad);
	KUNIT_EXPECT_FALSE(test, caps.pml);
	KUNIT_EXPECT_EQ(test, caps.phys_bits, 39);
	KUNIT_EXPECT_EQ(test, cfg.cr0_must, 0x20ull);
	KUNIT_EXPECT_TRUE(test, notes(&caps, "vpid", LIMEN_CAP_USED));
}

/* Whatever a CPU says: what must be 1 is 1, what must be 0 is 0. */
/* Broadwell and later; of use only with the bits that it follows */
static void writes_are_logged_where_dirty_bits_are(struct kunit *test)
{
	struct vmx_msrs msrs = haswell;
	struct limen_caps caps;
	struct vmx_config cfg;

	msrs.proc2 |= BIT_ULL(32 + 17);
	KUNIT_ASSERT_EQ(test, negotiate(&msrs, &cfg, &caps), 0);
	KUNIT_EXPECT_TRUE(test, caps.pml);
	/* a VM that wants it sets it */
	KUNIT_EXPECT_EQ(test, cfg.proc2 & BIT(17), 0u);
	msrs.ept_vpid &= ~BIT_ULL(21);
	KUNIT_ASSERT_EQ(test, negotiate(&msrs, &cfg, &caps), 0);
	KUNIT_EXPECT_FALSE(test, caps.pml || caps.npt_ad);
	KUNIT_EXPECT_TRUE(test, notes(&caps, "page-modification-logging", 0));
}

static void chosen_controls_are_always_allowed(struct kunit *test)
{
	int bit;

	for (bit = 0; bit < 5 * 64; bit++) {
		struct vmx_msrs m = haswell;
		u64 *word[] = { &m.pin, &m.proc, &m.proc2, &m.exit, &m.entry };
		struct limen_caps caps;
		struct vmx_config cfg;
		const u32 *got[] = {
			&cfg.pin, &cfg.proc, &cfg.proc2, &cfg.exit, &cfg.entry,
		};
		int i;

		*word[bit / 64] ^= BIT_ULL(bit % 64);
		/* no CPU says that a bit must be 1 and may not */
		if ((u32)*word[bit / 64] & ~(*word[bit / 64] >> 32))
			continue;
		if (negotiate(&m, &cfg, &caps))
			continue;
		for (i = 0; i < 5; i++) {
			u32 must = *word[i] & ~(i == 4 ? BIT(9) : 0) &
				   ~(i == 1 ? BIT(2) | BIT(22) : 0);

			KUNIT_EXPECT_EQ_MSG(test, *got[i] & must, must,
					    "bit %d word %d", bit, i);
			KUNIT_EXPECT_EQ_MSG(test, *got[i] & ~(u32)(*word[i] >> 32), 0u,
					    "bit %d word %d", bit, i);
		}
	}
}

/* a Broadwell-EP: with all that it takes */
static struct vmx_msrs with_apicv(void)
{
	struct vmx_msrs m = haswell;

	m.pin |= 0x80ull << 32;
	m.proc |= 1ull << (32 + 21);
	m.proc2 |= 0x311ull << 32;
	m.exit |= 1ull << (32 + 15);
	m.may_apicv = m.may_post = m.has_vector = true;
	return m;
}

static void apic_is_virtualized_wholly_or_not_at_all(struct kunit *test)
{
	struct vmx_msrs m = with_apicv();
	struct limen_caps caps;
	struct vmx_config cfg;
	int bit;

	KUNIT_ASSERT_EQ(test, negotiate(&m, &cfg, &caps), 0);
	KUNIT_EXPECT_TRUE(test, cfg.apicv && cfg.posted);
	KUNIT_EXPECT_TRUE(test, cfg.exit & BIT(15));
	/* TPR shadow, and then no exits for CR8 */
	KUNIT_EXPECT_EQ(test, cfg.proc & (BIT(19) | BIT(20) | BIT(21)), BIT(21));
	/* by the APIC's mode, later */
	KUNIT_EXPECT_EQ(test, cfg.proc2 & 0x311, 0u);
	KUNIT_EXPECT_EQ(test, cfg.pin & 0x80, 0u);

	for (bit = 0; bit < 10; bit++) {
		m = with_apicv();
		if (!(0x311 & BIT(bit)))
			continue;
		m.proc2 &= ~(1ull << (32 + bit));
		KUNIT_ASSERT_EQ(test, negotiate(&m, &cfg, &caps), 0);
		KUNIT_EXPECT_FALSE(test, cfg.apicv || cfg.posted);
		KUNIT_EXPECT_FALSE(test, cfg.exit & BIT(15));
		KUNIT_EXPECT_TRUE(test, notes(&caps, "apic-virtualization",
					      LIMEN_CAP_ABSENT));
	}
	m = with_apicv();
	m.may_apicv = false;
	KUNIT_ASSERT_EQ(test, negotiate(&m, &cfg, &caps), 0);
	KUNIT_EXPECT_FALSE(test, cfg.apicv || cfg.posted);
	KUNIT_EXPECT_TRUE(test, notes(&caps, "apic-virtualization", LIMEN_CAP_UNUSED));
	m = with_apicv();
	m.may_post = false;
	KUNIT_ASSERT_EQ(test, negotiate(&m, &cfg, &caps), 0);
	KUNIT_EXPECT_TRUE(test, cfg.apicv);
	KUNIT_EXPECT_FALSE(test, cfg.posted);
	KUNIT_EXPECT_FALSE(test, cfg.exit & BIT(15));
	/* a kernel without KVM has no gate for the notification */
	m = with_apicv();
	m.has_vector = false;
	KUNIT_ASSERT_EQ(test, negotiate(&m, &cfg, &caps), 0);
	KUNIT_EXPECT_FALSE(test, cfg.posted);
}

static void refusal_names_what_is_missing(struct kunit *test)
{
	static const struct { const char *name; size_t off; u64 clear; } rows[] = {
		{ "vmx-enabled", offsetof(struct vmx_msrs, feat_ctl), 1 },
		{ "vmx-enabled", offsetof(struct vmx_msrs, feat_ctl), 4 },
		{ "ept", offsetof(struct vmx_msrs, proc2), 2ull << 32 },
		/* Nehalem */
		{ "unrestricted-guest", offsetof(struct vmx_msrs, proc2), 0x80ull << 32 },
		/* Core 2 */
		{ "secondary-controls", offsetof(struct vmx_msrs, proc), 1ull << 63 },
		{ "virtual-nmis", offsetof(struct vmx_msrs, pin), 0x20ull << 32 },
		{ "external-interrupt-exiting", offsetof(struct vmx_msrs, pin),
		  1ull << 32 },
		{ "msr-bitmaps", offsetof(struct vmx_msrs, proc), 1ull << 60 },
		{ "exit-load-efer", offsetof(struct vmx_msrs, exit), 1ull << 53 },
		{ "entry-load-pat", offsetof(struct vmx_msrs, entry), 1ull << 46 },
		{ "ept-4-levels", offsetof(struct vmx_msrs, ept_vpid), 1 << 6 },
		{ "ept-write-back", offsetof(struct vmx_msrs, ept_vpid), 1 << 14 },
		{ "invept-single-context", offsetof(struct vmx_msrs, ept_vpid),
		  1 << 25 },
		{ "vmcs-write-back", offsetof(struct vmx_msrs, basic), 6ull << 50 },
	};
	struct limen_caps caps;
	struct vmx_config cfg;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_msrs m = haswell;

		*(u64 *)((u8 *)&m + rows[i].off) &= ~rows[i].clear;
		KUNIT_EXPECT_EQ_MSG(test, negotiate(&m, &cfg, &caps), -EOPNOTSUPP, "%s",
				    rows[i].name);
		KUNIT_EXPECT_TRUE_MSG(test, notes(&caps, rows[i].name, LIMEN_CAP_ABSENT),
				      "%s", rows[i].name);
	}
}

static void optional_parts_go_without_a_refusal(struct kunit *test)
{
	struct vmx_msrs m = haswell;
	struct limen_caps caps;
	struct vmx_config cfg;

	m.ept_vpid &= ~(1ull << 41 | 1 << 16 | 1 << 17);
	m.rdtscp = false;
	m.proc2 &= ~(1ull << 44);
	KUNIT_EXPECT_EQ(test, negotiate(&m, &cfg, &caps), 0);
	KUNIT_EXPECT_EQ(test, cfg.proc2 & (BIT(5) | BIT(3)), 0ul);
	KUNIT_EXPECT_FALSE(test, caps.npt_2m || caps.npt_1g || caps.rdtscp);
	/* INVPCID is offered with its control only */
	KUNIT_EXPECT_FALSE(test, caps.invpcid);
	m = haswell;
	m.maxphyaddr = 52;
	negotiate(&m, &cfg, &caps);
	KUNIT_EXPECT_EQ(test, caps.phys_bits, 48);
	m.cpuid = false;
	KUNIT_EXPECT_EQ(test, negotiate(&m, &cfg, &caps), -EOPNOTSUPP);
	KUNIT_EXPECT_TRUE(test, notes(&caps, "vmx", LIMEN_CAP_ABSENT));
}

static int bitmap_bits(const u8 *map, u32 msr)
{
	u32 at = (msr >= 0xc0000000 ? 8192 : 0) + (msr & 0x1fff);

	return (map[at / 8] >> at % 8 & 1) | (map[2048 + at / 8] >> at % 8 & 1) << 1;
}

static void only_the_guests_own_msrs_are_open(struct kunit *test)
{
	static const u32 read[] = {
		0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
		0xc0000100, 0xc0000101, 0xc0000102,
	};
	u8 *map = kunit_kzalloc(test, VMX_BITMAP_SIZE, GFP_KERNEL);
	u32 i, j, nr = 0;

	KUNIT_ASSERT_NOT_NULL(test, map);
	vmx_bitmap_init(map);
	for (i = 0; i < ARRAY_SIZE(read); i++)
		KUNIT_EXPECT_EQ_MSG(test, bitmap_bits(map, read[i]) & 1, 0, "%#x",
				    read[i]);
	/* nothing else is read without an exit, and nothing written that isn't read */
	for (i = 0; i < VMX_BITMAP_SIZE; i++)
		for (j = 0; j < 8; j++)
			nr += i < 2048 && !(map[i] & BIT(j));
	KUNIT_EXPECT_EQ(test, nr, (u32)ARRAY_SIZE(read));
	for (i = 0; i < 2048; i++)
		KUNIT_EXPECT_EQ(test, ~map[2048 + i] & map[i], 0);
}

static void trap_closes_and_never_opens(struct kunit *test)
{
	u8 *map = kunit_kzalloc(test, VMX_BITMAP_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	vmx_bitmap_init(map);
	vmx_bitmap_trap(map, 0xc0000101, true, false);
	KUNIT_EXPECT_EQ(test, bitmap_bits(map, 0xc0000101), 1);
	vmx_bitmap_trap(map, 0xc0000101, false, true);
	KUNIT_EXPECT_EQ(test, bitmap_bits(map, 0xc0000101), 3);
	KUNIT_EXPECT_EQ(test, bitmap_bits(map, 0xc0000100), 0);
	vmx_bitmap_trap(map, 0x10, false, false);
	KUNIT_EXPECT_EQ(test, bitmap_bits(map, 0x10), 3);
	vmx_bitmap_trap(map, 0x2000, true, true);
	vmx_bitmap_trap(map, 0xc0002000, true, true);
	vmx_bitmap_trap(map, 0xffffffff, true, true);
}

/* Reads of what is in the page, writes of TPR, EOI and SELF IPI; no more */
static void x2apic_opens_what_hardware_answers(struct kunit *test)
{
	u8 *map = kunit_kzalloc(test, VMX_BITMAP_SIZE, GFP_KERNEL);
	u32 msr;

	KUNIT_ASSERT_NOT_NULL(test, map);
	vmx_bitmap_init(map);
	vmx_bitmap_open_x2apic(map);
	for (msr = 0x7f0; msr < 0x910; msr++) {
		bool read = msr == 0x802 || msr == 0x803 || msr == 0x808 ||
			    msr == 0x80a || msr == 0x80d || msr == 0x80f ||
			    (msr >= 0x810 && msr <= 0x828) ||
			    (msr >= 0x832 && msr <= 0x838) || msr == 0x83e;
		bool write = msr == 0x808 || msr == 0x80b || msr == 0x83f;

		KUNIT_EXPECT_EQ_MSG(test, bitmap_bits(map, msr), (read ? 0 : 1) | (write ? 0 : 2),
				    "%#x", msr);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(x2apic_opens_what_hardware_answers),
	KUNIT_CASE(every_exit_reason_has_its_kind),
	KUNIT_CASE(length_is_that_of_instructions_only),
	KUNIT_CASE(ept_violation_says_address_and_access),
	KUNIT_CASE(apic_exits_say_where),
	KUNIT_CASE(port_access_has_its_facts),
	KUNIT_CASE(control_register_access_has_its_facts),
	KUNIT_CASE(interrupted_delivery_is_carried_over),
	KUNIT_CASE(debug_exception_carries_dr6_bits),
	KUNIT_CASE(nmi_is_blocked_again_after_a_faulting_iret),
	KUNIT_CASE(only_fields_that_are_named_are_used),
	KUNIT_CASE(haswell_is_taken_with_what_it_has),
	KUNIT_CASE(writes_are_logged_where_dirty_bits_are),
	KUNIT_CASE(chosen_controls_are_always_allowed),
	KUNIT_CASE(apic_is_virtualized_wholly_or_not_at_all),
	KUNIT_CASE(refusal_names_what_is_missing),
	KUNIT_CASE(optional_parts_go_without_a_refusal),
	KUNIT_CASE(only_the_guests_own_msrs_are_open),
	KUNIT_CASE(trap_closes_and_never_opens),
	{}
};

static struct kunit_suite suite = { .name = "vmx", .test_cases = cases };
kunit_test_suite(suite);
