/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 'limen doctor' in three steps: facts are read (doctor_probe.c), judged
 * (doctor_judge.c, pure) and printed (doctor.c). The first two take what they look
 * at as arguments, so that the tests feed them machines that nobody has.
 */
#ifndef LIMEN_DOCTOR_H
#define LIMEN_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* an answer that may be missing, because of permissions mostly */
enum known { UNKNOWN = -1, NO = 0, YES = 1 };

/* what the CPUID instruction says; a missing leaf reads as zeros */
struct doctor_cpuid {
	char vendor[13];
	char hypervisor[13];	/* its signature; "" on a bare machine */
	bool virtual;		/* the hypervisor bit */
	bool vmx, svm, npt;
	uint32_t asids, sev_asids;
};

/* who asks; limits as getrlimit() has them */
struct doctor_self {
	char name[64];
	uid_t uid;
	gid_t groups[128];
	uint32_t nr_groups;
	uint64_t nofile, memlock, as;
};

struct doctor_facts {
	struct doctor_cpuid cpu;
	struct doctor_self self;
	char release[96];

	/* /proc/cpuinfo: what the kernel made of the CPU */
	bool flags, flag_vmx, flag_svm, flag_xsave, flag_fred;
	bool vmx_flags, flag_ept, flag_unrestricted;

	/* MSRs of the CPU that allows least */
	bool msr;
	uint64_t feat_ctl, vm_cr;
	enum known ept, unrestricted;

	/* the running kernel's configuration: 'y', 'm', 'n', or 0: not found */
	char config[128];	/* the file */
	char kvm, kvm_intel, preempt_notifiers, mmu_notifier, sig_force;
	enum known exports;	/* without a configuration: both are in kallsyms */
	enum known sig_enforce;
	char lockdown[32];	/* "" if it can't be read */
	bool mem_encrypt;

	/* modules */
	bool kvm_loaded, kvm_vendor_loaded, vbox, vmware;
	uint32_t kvm_users;
	bool loaded, headers;
	char module[256];	/* the file that modprobe would load, or "" */
	enum known is_signed;

	/* /dev/limen */
	bool node, may_open, group, member;
	uint32_t node_mode;
	gid_t node_gid, group_gid;

	char thp[16];		/* "always", "madvise", "never", or "" */
	uint64_t huge_free;
};

/* the CPU this runs on, and this process */
void doctor_read_cpuid(struct doctor_cpuid *cpu);
void doctor_read_self(struct doctor_self *self);
/* all but @f->cpu and @f->self, from the tree at @root, "" for the real one */
void doctor_probe(const char *root, struct doctor_facts *f);

enum doctor_word { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_word word;
	const char *name;
	char text[320];
	char remedy[320];	/* "" if there is nothing to do */
};

struct doctor_report {
	uint32_t nr;
	struct doctor_finding f[24];
};

void doctor_judge(const struct doctor_facts *f, struct doctor_report *r);
/* the worst word of all */
enum doctor_word doctor_worst(const struct doctor_report *r);

#endif
