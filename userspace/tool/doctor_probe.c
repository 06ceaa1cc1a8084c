// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads what doctor_judge.c judges. Everything may be missing: then the fact stays
 * unknown, and that is a fact too.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

#define MSR_FEAT_CTL	0x3a
#define MSR_VMX_PROC2	0x48b
#define MSR_VM_CR	0xc0010114
#define PROC2_EPT		(1ull << (32 + 1))
#define PROC2_UNRESTRICTED	(1ull << (32 + 7))

__attribute__((format(printf, 3, 4)))
static void path_of(char *buf, const char *root, const char *fmt, ...)
{
	int n = snprintf(buf, 512, "%s", root);
	va_list ap;

	va_start(ap, fmt);
	if (n < 512)
		vsnprintf(buf + n, 512 - n, fmt, ap);
	va_end(ap);
}

static FILE *open_under(const char *root, const char *name)
{
	char path[512];

	path_of(path, root, "%s", name);
	return fopen(path, "re");
}

static bool exists(const char *root, const char *name)
{
	char path[512];
	struct stat st;

	path_of(path, root, "%s", name);
	return !stat(path, &st);
}

/* the first line, without its end; "" if there is none */
static bool first_line(const char *root, const char *name, char *buf, size_t len)
{
	FILE *in = open_under(root, name);
	bool ok;

	buf[0] = 0;
	if (!in)
		return false;
	ok = fgets(buf, len, in);
	fclose(in);
	buf[strcspn(buf, "\n")] = 0;
	return ok;
}

/* is @word one of the words of @line? */
static bool has_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = line; (p = strstr(p, word)); p += n)
		if ((p == line || strchr(" \t", p[-1])) && strchr(" \t\n", p[n]))
			return true;
	return false;
}

/* the choice in "always [madvise] never" */
static void chosen(const char *line, char *buf, size_t len)
{
	const char *p = strchr(line, '[');

	buf[0] = 0;
	if (p)
		snprintf(buf, len, "%.*s", (int)strcspn(p + 1, "]"), p + 1);
}

/* ---- this CPU and this process ---------------------------------------------- */

static void signature(char *out, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t words[3] = { a, b, c };

	memcpy(out, words, 12);
	out[12] = 0;
}

void doctor_read_cpuid(struct doctor_cpuid *cpu)
{
	uint32_t a, b, c, d, top;

	memset(cpu, 0, sizeof(*cpu));
	__cpuid(0, a, b, c, d);
	signature(cpu->vendor, b, d, c);
	__cpuid(1, a, b, c, d);
	cpu->vmx = c & (1u << 5);
	cpu->virtual = c & (1u << 31);
	if (cpu->virtual) {
		__cpuid(0x40000000, a, b, c, d);
		signature(cpu->hypervisor, b, c, d);
	}
	__cpuid(0x80000000, top, b, c, d);
	if (top < 0x8000000a)
		return;
	__cpuid(0x80000001, a, b, c, d);
	cpu->svm = c & (1u << 2);
	__cpuid(0x8000000a, a, b, c, d);
	cpu->npt = cpu->svm && d & 1;
	cpu->asids = cpu->svm ? b : 0;
	if (top < 0x8000001f)
		return;
	__cpuid(0x8000001f, a, b, c, d);
	cpu->sev_asids = a & 2 ? c : 0;
}

static uint64_t limit(int which)
{
	struct rlimit rl;

	return getrlimit(which, &rl) ? RLIM_INFINITY : rl.rlim_cur;
}

void doctor_read_self(struct doctor_self *self)
{
	struct passwd *pw = getpwuid(geteuid());
	int n;

	memset(self, 0, sizeof(*self));
	snprintf(self->name, sizeof(self->name), "%s", pw ? pw->pw_name : "you");
	self->uid = geteuid();
	self->groups[0] = getegid();
	n = getgroups(127, self->groups + 1);
	self->nr_groups = 1 + (n > 0 ? n : 0);
	self->nofile = limit(RLIMIT_NOFILE);
	self->memlock = limit(RLIMIT_MEMLOCK);
	self->as = limit(RLIMIT_AS);
}

/* ---- the machine ------------------------------------------------------------ */

static void probe_cpuinfo(const char *root, struct doctor_facts *f)
{
	FILE *in = open_under(root, "/proc/cpuinfo");
	static char line[8192];

	if (!in)
		return;
	while (fgets(line, sizeof(line), in) && line[0] != '\n') {
		if (!strncmp(line, "flags\t", 6)) {
			f->flags = true;
			f->flag_vmx = has_word(line, "vmx");
			f->flag_svm = has_word(line, "svm");
			f->flag_xsave = has_word(line, "xsave");
			f->flag_fred = has_word(line, "fred");
		} else if (!strncmp(line, "vmx flags\t", 10)) {
			f->vmx_flags = true;
			f->flag_ept = has_word(line, "ept");
			f->flag_unrestricted = has_word(line, "unrestricted_guest");
		}
	}
	fclose(in);
}

static bool read_msr(int fd, uint32_t index, uint64_t *val)
{
	return pread(fd, val, sizeof(*val), index) == sizeof(*val);
}

/* the CPU that allows least stands for all: a guest's thread may run on any */
static void probe_msrs(const char *root, struct doctor_facts *f)
{
	bool svm = f->cpu.svm;
	uint64_t val;

	for (uint32_t cpu = 0; cpu < 4096; cpu++) {
		char path[512];
		int fd;

		path_of(path, root, "/dev/cpu/%u/msr", cpu);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			break;
		if (read_msr(fd, svm ? MSR_VM_CR : MSR_FEAT_CTL, &val)) {
			f->feat_ctl = !f->msr ? val : f->feat_ctl & val;
			f->vm_cr |= val;
			f->msr = true;
		}
		if (!svm && read_msr(fd, MSR_VMX_PROC2, &val)) {
			f->ept = val & PROC2_EPT ? YES : NO;
			f->unrestricted = val & PROC2_UNRESTRICTED ? YES : NO;
		}
		close(fd);
	}
	if (f->vmx_flags) {
		f->ept = f->flag_ept ? YES : NO;
		f->unrestricted = f->flag_unrestricted ? YES : NO;
	}
}

/* ---- the kernel ------------------------------------------------------------- */

static void config_line(const char *line, struct doctor_facts *f)
{
	const struct { const char *name; char *val; } want[] = {
		{ "CONFIG_KVM", &f->kvm }, { "CONFIG_KVM_INTEL", &f->kvm_intel },
		{ "CONFIG_PREEMPT_NOTIFIERS", &f->preempt_notifiers },
		{ "CONFIG_MMU_NOTIFIER", &f->mmu_notifier },
		{ "CONFIG_MODULE_SIG_FORCE", &f->sig_force },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		size_t n = strlen(want[i].name);

		if (!strncmp(line, want[i].name, n) && line[n] == '=')
			*want[i].val = line[n + 1];
	}
}

/* /proc/config.gz, through gzip, which every distribution has */
static FILE *unpack(const char *root, pid_t *child)
{
	char path[512];
	int fd[2];

	path_of(path, root, "/proc/config.gz");
	if (access(path, R_OK) || pipe(fd))
		return NULL;
	*child = fork();
	if (!*child) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		execlp("gzip", "gzip", "-dc", path, NULL);
		_exit(127);
	}
	close(fd[1]);
	return fdopen(fd[0], "r");
}

static FILE *open_config(const char *root, struct doctor_facts *f, pid_t *child)
{
	static const char *const where[] = {
		"/boot/config-%s", "/lib/modules/%s/config", "/lib/modules/%s/build/.config",
	};
	FILE *in = unpack(root, child);

	if (in) {
		snprintf(f->config, sizeof(f->config), "/proc/config.gz");
		return in;
	}
	for (size_t i = 0; !in && i < sizeof(where) / sizeof(where[0]); i++) {
		snprintf(f->config, sizeof(f->config), where[i], f->release);
		in = open_under(root, f->config);
	}
	if (!in)
		f->config[0] = 0;
	return in;
}

static void probe_config(const char *root, struct doctor_facts *f)
{
	pid_t child = 0;
	FILE *in = open_config(root, f, &child);
	char line[512];

	if (!in)
		return;
	f->kvm = f->kvm_intel = f->preempt_notifiers = 'n';
	f->mmu_notifier = f->sig_force = 'n';
	while (fgets(line, sizeof(line), in))
		config_line(line, f);
	fclose(in);
	if (child)
		waitpid(child, NULL, 0);
}

/* names are there for everybody, if the kernel has the file at all */
static void probe_exports(const char *root, struct doctor_facts *f)
{
	FILE *in = open_under(root, "/proc/kallsyms");
	bool preempt = false, mmu = false;
	char line[512], name[256];
	uint32_t n = 0;

	if (!in)
		return;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%*s %*s %255s", name) != 1)
			continue;
		n++;
		preempt |= !strcmp(name, "preempt_notifier_register");
		mmu |= !strcmp(name, "mmu_notifier_register");
	}
	fclose(in);
	if (n)
		f->exports = preempt && mmu ? YES : NO;
}

static void probe_kernel(const char *root, struct doctor_facts *f)
{
	char line[4096];

	first_line(root, "/proc/sys/kernel/osrelease", f->release, sizeof(f->release));
	probe_config(root, f);
	if (!f->config[0])
		probe_exports(root, f);
	if (first_line(root, "/sys/module/module/parameters/sig_enforce", line, sizeof(line)))
		f->sig_enforce = line[0] == 'Y' ? YES : NO;
	first_line(root, "/sys/kernel/security/lockdown", line, sizeof(line));
	chosen(line, f->lockdown, sizeof(f->lockdown));
	first_line(root, "/proc/cmdline", line, sizeof(line));
	f->mem_encrypt = has_word(line, "mem_encrypt=on");
	first_line(root, "/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	chosen(line, f->thp, sizeof(f->thp));
}

/* ---- modules ---------------------------------------------------------------- */

static void probe_loaded(const char *root, struct doctor_facts *f)
{
	FILE *in = open_under(root, "/proc/modules");
	char line[4096], name[64];
	unsigned int users;

	f->kvm_loaded = exists(root, "/sys/module/kvm");
	f->kvm_vendor_loaded = exists(root, "/sys/module/kvm_intel") ||
			       exists(root, "/sys/module/kvm_amd");
	f->loaded = exists(root, "/sys/module/limen");
	if (!in)
		return;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%63s %*s %u", name, &users) != 2)
			continue;
		if (!strcmp(name, "kvm_intel") || !strcmp(name, "kvm_amd"))
			f->kvm_users = users;
		f->vbox |= !strcmp(name, "vboxdrv");
		f->vmware |= !strcmp(name, "vmmon");
	}
	fclose(in);
}

/* the kernel's mark at the end of a signed module; a compressed one hides it */
static enum known is_signed(const char *path)
{
	static const char mark[] = "~Module signature appended~\n";
	size_t len = strlen(path);
	char tail[sizeof(mark)] = "";
	enum known ret = NO;
	FILE *in;

	if (len < 3 || strcmp(path + len - 3, ".ko"))
		return UNKNOWN;
	in = fopen(path, "re");
	if (!in)
		return UNKNOWN;
	if (!fseek(in, 1 - (long)sizeof(mark), SEEK_END) &&
	    fread(tail, 1, sizeof(mark) - 1, in) == sizeof(mark) - 1 &&
	    !memcmp(tail, mark, sizeof(mark) - 1))
		ret = YES;
	fclose(in);
	return ret;
}

static void probe_module(const char *root, struct doctor_facts *f)
{
	char line[8192], name[160], path[512];
	FILE *in;

	snprintf(name, sizeof(name), "/lib/modules/%s/build/Makefile", f->release);
	f->headers = exists(root, name);
	snprintf(name, sizeof(name), "/lib/modules/%s/modules.dep", f->release);
	in = open_under(root, name);
	if (!in)
		return;
	while (fgets(line, sizeof(line), in)) {
		const char *base;

		line[strcspn(line, ":\n")] = 0;
		base = strrchr(line, '/');
		if (strncmp(base ? base + 1 : line, "limen.ko", 8))
			continue;
		path_of(path, root, "/lib/modules/%s/%s", f->release, line);
		if (access(path, F_OK))
			continue;
		snprintf(f->module, sizeof(f->module), "%.255s", path + strlen(root));
		f->is_signed = is_signed(path);
	}
	fclose(in);
}

/* ---- permissions and memory ------------------------------------------------- */

/* is @name in "a,b,c"? */
static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (; *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",\n") == n && !strncmp(list, name, n))
			return true;
	return false;
}

static void probe_device(const char *root, struct doctor_facts *f)
{
	FILE *in = open_under(root, "/etc/group");
	char line[4096], path[512], members[4096];
	struct stat st;
	unsigned int gid;

	while (in && fgets(line, sizeof(line), in)) {
		members[0] = 0;
		if (sscanf(line, "limen:%*[^:]:%u:%4095s", &gid, members) < 1)
			continue;
		f->group = true;
		f->group_gid = gid;
		f->member = in_list(members, f->self.name);
	}
	if (in)
		fclose(in);
	path_of(path, root, "/dev/limen");
	if (stat(path, &st))
		return;
	f->node = true;
	f->node_mode = st.st_mode & 0777;
	f->node_gid = st.st_gid;
	f->may_open = !access(path, R_OK | W_OK);
}

static void probe_memory(const char *root, struct doctor_facts *f)
{
	FILE *in = open_under(root, "/proc/meminfo");
	unsigned long long n;
	char line[256];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "HugePages_Free: %llu", &n) == 1)
			f->huge_free = n;
	if (in)
		fclose(in);
}

void doctor_probe(const char *root, struct doctor_facts *f)
{
	f->ept = f->unrestricted = UNKNOWN;
	f->exports = f->sig_enforce = f->is_signed = UNKNOWN;
	probe_cpuinfo(root, f);
	probe_msrs(root, f);
	probe_kernel(root, f);
	probe_loaded(root, f);
	probe_module(root, f);
	probe_device(root, f);
	probe_memory(root, f);
}
