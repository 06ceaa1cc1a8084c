// SPDX-License-Identifier: GPL-2.0-or-later
/* 'limen doctor': facts out of made-up trees, and what is said of them. */
#include <ftw.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tool/doctor.h"
#include "test.h"

static struct doctor_facts facts;
static struct doctor_report report;

/* ---- judging ---------------------------------------------------------------- */

/* a machine on which all is well */
static void good_intel(void)
{
	facts = (struct doctor_facts){
		.cpu = { .vendor = "GenuineIntel", .vmx = true },
		.self = { .name = "ann", .uid = 1000, .groups = { 1000, 64 },
			  .nr_groups = 2, .nofile = 1024, .memlock = 8 << 20,
			  .as = RLIM_INFINITY },
		.release = "6.1.0-56-amd64",
		.flags = true, .flag_vmx = true, .flag_xsave = true,
		.msr = true, .feat_ctl = 5, .ept = YES, .unrestricted = YES,
		.config = "/boot/config", .kvm = 'm', .kvm_intel = 'm',
		.preempt_notifiers = 'y', .mmu_notifier = 'y', .sig_force = 'n',
		.exports = UNKNOWN, .sig_enforce = NO, .lockdown = "none",
		.kvm_loaded = true, .kvm_vendor_loaded = true, .headers = true,
		.module = "/lib/modules/6.1.0-56-amd64/updates/dkms/limen.ko",
		.is_signed = NO, .group = true, .group_gid = 64, .member = true,
		.thp = "always",
	};
}

static void good_amd(void)
{
	good_intel();
	facts.cpu = (struct doctor_cpuid){
		.vendor = "AuthenticAMD", .svm = true, .npt = true, .asids = 32768,
		.sev_asids = 509,
	};
	facts.flag_vmx = false;
	facts.feat_ctl = 0;
	facts.ept = facts.unrestricted = UNKNOWN;
}

static enum doctor_word judged(void)
{
	doctor_judge(&facts, &report);
	return doctor_worst(&report);
}

static const struct doctor_finding *finding(const char *name)
{
	for (uint32_t i = 0; i < report.nr; i++)
		if (!strcmp(report.f[i].name, name))
			return &report.f[i];
	return NULL;
}

/* is @name, and nothing else, what will fail, and is there a remedy? */
static bool only_failure(const char *name)
{
	const struct doctor_finding *f;

	judged();
	f = finding(name);
	for (uint32_t i = 0; i < report.nr; i++)
		if (report.f[i].word == DOCTOR_FAIL && &report.f[i] != f)
			return false;
	return f && f->word == DOCTOR_FAIL && f->remedy[0];
}

static bool warns(const char *name)
{
	const struct doctor_finding *f;

	if (judged() == DOCTOR_FAIL)
		return false;
	f = finding(name);
	return f && f->word == DOCTOR_WARN && f->remedy[0];
}

TEST(doctor_is_content_with_a_good_machine)
{
	good_intel();
	EXPECT_EQ(judged(), DOCTOR_OK);
	EXPECT_TRUE(strstr(finding("cpu")->text, "VT-x"));
	good_amd();
	EXPECT_EQ(judged(), DOCTOR_OK);
	EXPECT_TRUE(strstr(finding("cpu")->text, "AMD-V"));
}

TEST(doctor_names_what_the_cpu_lacks)
{
	good_intel();
	facts.cpu.vmx = false;
	EXPECT_TRUE(only_failure("cpu"));
	facts.cpu.virtual = true;
	EXPECT_TRUE(only_failure("cpu"));
	EXPECT_TRUE(strstr(finding("cpu")->remedy, "nested"));
	good_intel();
	facts.ept = NO;
	EXPECT_TRUE(only_failure("paging"));
	good_intel();
	facts.unrestricted = NO;
	EXPECT_TRUE(only_failure("paging"));
	good_intel();
	facts.flag_xsave = false;
	EXPECT_TRUE(only_failure("xsave"));
	good_amd();
	facts.cpu.svm = false;
	EXPECT_TRUE(only_failure("cpu"));
	good_amd();
	facts.cpu.npt = false;
	EXPECT_TRUE(only_failure("paging"));
	good_amd();
	facts.cpu.asids = facts.cpu.sev_asids + 2;
	EXPECT_TRUE(only_failure("paging"));
	facts.cpu.asids++;
	EXPECT_EQ(judged(), DOCTOR_OK);
}

/* SDM Vol. 3, "Architectural MSRs", IA32_FEATURE_CONTROL; APM Vol. 2, "VM_CR MSR" */
TEST(doctor_reads_the_firmwares_lock)
{
	static const uint64_t off[] = { 0, 1, 2, 3, 4, 6 };

	for (uint32_t i = 0; i < ARRAY_SIZE(off); i++) {
		good_intel();
		facts.feat_ctl = off[i];
		EXPECT_TRUE(only_failure("firmware"));
		EXPECT_EQ(!!strstr(finding("firmware")->text, "locked"), off[i] & 1);
	}
	good_intel();
	facts.msr = false;
	EXPECT_EQ(judged(), DOCTOR_OK);		/* the kernel says it is on */
	facts.flag_vmx = false;
	EXPECT_TRUE(only_failure("firmware"));
	facts.flags = false;
	EXPECT_TRUE(warns("firmware"));
	good_amd();
	facts.vm_cr = 0x18;
	EXPECT_TRUE(only_failure("firmware"));
	facts.vm_cr = 0x8;			/* locked, but on */
	EXPECT_EQ(judged(), DOCTOR_OK);
	facts.msr = false;
	EXPECT_TRUE(warns("firmware"));
}

TEST(doctor_refuses_what_the_module_refuses)
{
	good_intel();
	facts.flag_fred = true;
	EXPECT_TRUE(only_failure("fred"));
	good_amd();
	facts.flag_fred = true;
	EXPECT_EQ(judged(), DOCTOR_OK);
	facts.mem_encrypt = true;
	EXPECT_TRUE(only_failure("memory-encryption"));
	good_intel();
	facts.cpu.virtual = true;
	strcpy(facts.cpu.hypervisor, "Microsoft Hv");
	EXPECT_TRUE(only_failure("hypervisor"));
	strcpy(facts.cpu.hypervisor, "KVMKVMKVM");
	EXPECT_TRUE(warns("hypervisor"));
	good_amd();
	facts.cpu.virtual = true;
	strcpy(facts.cpu.hypervisor, "Microsoft Hv");
	EXPECT_TRUE(warns("hypervisor"));
}

TEST(doctor_judges_the_kernels_configuration)
{
	good_intel();
	facts.kvm = 'n';
	EXPECT_TRUE(only_failure("config"));
	good_intel();
	facts.preempt_notifiers = 'n';
	EXPECT_TRUE(only_failure("config"));
	good_intel();
	facts.mmu_notifier = 'n';
	EXPECT_TRUE(only_failure("config"));
	good_intel();
	facts.config[0] = 0;
	EXPECT_TRUE(warns("config"));
	facts.exports = NO;
	EXPECT_TRUE(only_failure("config"));
	facts.exports = YES;
	EXPECT_EQ(judged(), DOCTOR_OK);
	strcpy(facts.release, "6.11.0");
	EXPECT_TRUE(warns("kernel"));
	strcpy(facts.release, "6.10.0");	/* is not 6.1 */
	EXPECT_TRUE(warns("kernel"));
	strcpy(facts.release, "7.2.12+deb13-amd64");
	EXPECT_EQ(judged(), DOCTOR_OK);
}

TEST(doctor_knows_when_a_module_must_be_signed)
{
	static const char *const locked[] = { "integrity", "confidentiality" };

	for (uint32_t i = 0; i < 2; i++) {
		good_intel();
		strcpy(facts.lockdown, locked[i]);
		EXPECT_TRUE(only_failure("signature"));
		facts.is_signed = YES;
		EXPECT_TRUE(warns("signature"));
		facts.is_signed = UNKNOWN;
		EXPECT_TRUE(warns("signature"));
	}
	good_intel();
	facts.sig_enforce = YES;
	EXPECT_TRUE(only_failure("signature"));
	good_intel();
	facts.sig_force = 'y';
	EXPECT_TRUE(only_failure("signature"));
	good_intel();
	facts.lockdown[0] = 0;
	EXPECT_TRUE(warns("signature"));
	facts.loaded = facts.node = facts.may_open = true;
	EXPECT_EQ(judged(), DOCTOR_OK);
}

TEST(doctor_looks_for_the_module_and_its_neighbours)
{
	good_intel();
	facts.module[0] = 0;
	EXPECT_TRUE(warns("module"));
	facts.headers = false;
	EXPECT_TRUE(only_failure("module"));
	good_intel();
	facts.kvm_users = 3;
	EXPECT_EQ(judged(), DOCTOR_OK);
	EXPECT_TRUE(strstr(finding("kvm")->text, "in use (3)"));
	facts.kvm_loaded = false;
	EXPECT_EQ(judged(), DOCTOR_OK);
	facts.vbox = true;
	EXPECT_TRUE(warns("others"));
}

TEST(doctor_says_who_may_open_the_device)
{
	good_intel();
	facts.group = false;
	EXPECT_TRUE(only_failure("device"));
	good_intel();
	facts.self.nr_groups = 1;
	EXPECT_TRUE(only_failure("device"));
	EXPECT_TRUE(!strcmp(finding("device")->remedy, "log in anew"));
	facts.member = false;
	EXPECT_TRUE(only_failure("device"));
	EXPECT_TRUE(strstr(finding("device")->remedy, "adduser"));
	facts.self.uid = 0;
	EXPECT_EQ(judged(), DOCTOR_OK);

	good_intel();
	facts.loaded = true;
	EXPECT_TRUE(only_failure("device"));
	facts.node = true;
	facts.node_mode = 0660;
	EXPECT_TRUE(only_failure("device"));
	EXPECT_TRUE(strstr(finding("device")->remedy, "udev"));
	facts.node_gid = 64;
	facts.member = false;
	EXPECT_TRUE(only_failure("device"));
	EXPECT_TRUE(strstr(finding("device")->remedy, "adduser"));
	facts.may_open = true;
	EXPECT_EQ(judged(), DOCTOR_OK);
}

TEST(doctor_warns_of_low_limits)
{
	good_intel();
	facts.self.nofile = 64;
	EXPECT_TRUE(warns("open-files"));
	good_intel();
	facts.self.as = 1 << 30;
	EXPECT_TRUE(warns("address-space"));
	good_intel();
	strcpy(facts.thp, "never");
	EXPECT_TRUE(warns("huge-pages"));
}

/* ---- probing ---------------------------------------------------------------- */

static char root[64];

static void put(const char *name, const char *text, size_t len, off_t at)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(path, 0700);
	}
	out = fopen(path, at ? "r+" : "w");
	if (!out)
		out = fopen(path, "w");
	fseeko(out, at, SEEK_SET);
	EXPECT_EQ(fwrite(text, 1, len, out), len);
	fclose(out);
}

static void text(const char *name, const char *s)
{
	put(name, s, strlen(s), 0);
}

static void msr(const char *cpu, uint32_t index, uint64_t val)
{
	char name[64];

	snprintf(name, sizeof(name), "/dev/cpu/%s/msr", cpu);
	put(name, (const char *)&val, sizeof(val), index);
}

static void make_root(void)
{
	strcpy(root, "/tmp/limen-doctor-XXXXXX");
	EXPECT_TRUE(mkdtemp(root));
	memset(&facts, 0, sizeof(facts));
	strcpy(facts.self.name, "ann");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void drop_root(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define REL "6.1.0-56-amd64"

TEST(doctor_finds_the_facts_of_an_intel_host)
{
	make_root();
	strcpy(facts.cpu.vendor, "GenuineIntel");
	facts.cpu.vmx = true;
	text("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx xsave xsaveopt\n"
	     "vmx flags\t: vnmi ept unrestricted_guest\nbugs\t\t:\n\n"
	     "processor\t: 1\nflags\t\t: fpu svm\n\n");
	msr("0", 0x3a, 5);
	msr("1", 0x3a, 5);
	text("/proc/sys/kernel/osrelease", REL "\n");
	text("/boot/config-" REL, "CONFIG_KVM=m\nCONFIG_KVM_INTEL=m\n# CONFIG_X is not set\n"
	     "CONFIG_PREEMPT_NOTIFIERS=y\nCONFIG_MMU_NOTIFIER=y\nCONFIG_KVM_SMM=y\n");
	text("/sys/module/module/parameters/sig_enforce", "N\n");
	text("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	text("/proc/cmdline", "quiet mem_encrypt=only fred=on\n");
	text("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	text("/proc/meminfo", "MemFree: 5 kB\nHugePages_Free:       7\n");
	doctor_probe(root, &facts);
	drop_root();

	EXPECT_TRUE(facts.flag_vmx && facts.flag_xsave);
	EXPECT_EQ(facts.flag_svm || facts.flag_fred, 0);
	EXPECT_EQ(facts.ept, YES);
	EXPECT_EQ(facts.unrestricted, YES);
	EXPECT_TRUE(facts.msr);
	EXPECT_EQ(facts.feat_ctl, 5);
	EXPECT_EQ(facts.kvm, 'm');
	EXPECT_EQ(facts.preempt_notifiers, 'y');
	EXPECT_EQ(facts.sig_force, 'n');
	EXPECT_EQ(facts.sig_enforce, NO);
	EXPECT_TRUE(!strcmp(facts.lockdown, "integrity"));
	EXPECT_EQ(facts.mem_encrypt, 0);
	EXPECT_TRUE(!strcmp(facts.thp, "madvise"));
	EXPECT_EQ(facts.huge_free, 7);
}

TEST(doctor_takes_the_cpu_that_allows_least)
{
	make_root();
	facts.cpu.vmx = true;
	msr("0", 0x3a, 5);
	msr("1", 0x3a, 1);
	msr("2", 0x3a, 5);
	msr("0", 0x48b, 2ull << 32);
	doctor_probe(root, &facts);
	drop_root();
	EXPECT_EQ(facts.feat_ctl, 1);
	EXPECT_EQ(facts.ept, YES);
	EXPECT_EQ(facts.unrestricted, NO);

	make_root();
	facts.cpu.svm = true;
	msr("0", 0xc0010114, 0);
	msr("1", 0xc0010114, 0x10);
	doctor_probe(root, &facts);
	drop_root();
	EXPECT_EQ(facts.vm_cr, 0x10);
}

TEST(doctor_finds_modules_and_their_signature)
{
	static const char dir[] = "/lib/modules/" REL;
	char name[128];

	make_root();
	text("/proc/sys/kernel/osrelease", REL "\n");
	text("/proc/modules", "kvm_intel 380928 3 - Live 0x0\nkvm 1028096 1 kvm_intel, Live 0x0\n"
	     "vboxdrv 5 0 - Live 0x0\n");
	text("/sys/module/kvm/refcnt", "1\n");
	text("/sys/module/kvm_intel/refcnt", "3\n");
	snprintf(name, sizeof(name), "%s/modules.dep", dir);
	text(name, "kernel/x/notlimen.ko:\nupdates/dkms/limen.ko: kernel/x.ko\n"
	     "extra/limen_kunit.ko: updates/dkms/limen.ko\nextra/limen.ko: gone.ko\n");
	text("/lib/modules/" REL "/extra/limen_kunit.ko", "");
	snprintf(name, sizeof(name), "%s/updates/dkms/limen.ko", dir);
	text(name, "ELF ~Module signature appended~\n");
	snprintf(name, sizeof(name), "%s/build/Makefile", dir);
	text(name, "");
	doctor_probe(root, &facts);
	EXPECT_EQ(facts.kvm_users, 3);
	EXPECT_TRUE(facts.kvm_loaded && facts.kvm_vendor_loaded && facts.vbox);
	EXPECT_EQ(facts.loaded || facts.vmware, 0);
	EXPECT_TRUE(!strcmp(facts.module, "/lib/modules/" REL "/updates/dkms/limen.ko"));
	EXPECT_EQ(facts.is_signed, YES);
	EXPECT_TRUE(facts.headers);

	snprintf(name, sizeof(name), "%s/updates/dkms/limen.ko", dir);
	text(name, "ELF, not signed at all, and longer than the mark\n");
	doctor_probe(root, &facts);
	drop_root();
	EXPECT_EQ(facts.is_signed, NO);
}

TEST(doctor_finds_the_node_and_its_group)
{
	make_root();
	text("/etc/group", "limenx:x:5:ann\nlimen:x:998:bob,ann\nx:x:1:\n");
	text("/dev/limen", "");
	doctor_probe(root, &facts);
	EXPECT_TRUE(facts.group && facts.member && facts.node);
	EXPECT_EQ(facts.group_gid, 998);
	text("/etc/group", "limen:x:997:anne,joann\n");
	doctor_probe(root, &facts);
	EXPECT_EQ(facts.group_gid, 997);
	EXPECT_EQ(facts.member, 0);
	drop_root();
	make_root();
	text("/etc/group", "limen:x:997:\n");
	doctor_probe(root, &facts);
	drop_root();
	EXPECT_TRUE(facts.group && !facts.member && !facts.node);
}

TEST(doctor_uses_kallsyms_without_a_configuration)
{
	make_root();
	text("/proc/sys/kernel/osrelease", REL "\n");
	text("/proc/kallsyms", "0 T preempt_notifier_register\n0 T mmu_notifier_register\n");
	doctor_probe(root, &facts);
	EXPECT_EQ(facts.exports, YES);
	text("/proc/kallsyms", "0 T preempt_notifier_register\t[x]\n0 t __mmu_notifier_register\n");
	doctor_probe(root, &facts);
	drop_root();
	EXPECT_EQ(facts.exports, NO);
}

TEST(doctor_takes_nothing_unseen_for_a_failure)
{
	make_root();
	facts.cpu = (struct doctor_cpuid){ .vendor = "GenuineIntel", .vmx = true };
	facts.self.as = facts.self.memlock = RLIM_INFINITY;
	facts.self.nofile = 1024;
	doctor_probe(root, &facts);
	drop_root();
	facts.headers = true;
	EXPECT_EQ(judged(), DOCTOR_WARN);
	EXPECT_EQ(finding("paging")->word, DOCTOR_WARN);
	EXPECT_EQ(finding("firmware")->word, DOCTOR_WARN);
	EXPECT_EQ(finding("config")->word, DOCTOR_WARN);
	EXPECT_EQ(finding("signature")->word, DOCTOR_WARN);
}
