// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of 'limen run'. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define DEFAULT_MEMORY_MIB	256
#define MIN_MEMORY_MIB		2
#define MAX_MEMORY_MIB		(MAX_MEMORY >> 20)

enum {
	OPT_KERNEL = 256, OPT_INITRD, OPT_APPEND, OPT_CPUS, OPT_MEMORY, OPT_DISK,
	OPT_NET, OPT_HALT_POLL, OPT_TIMEOUT, OPT_STATS, OPT_FLAT, OPT_CPU_FEATURES, OPT_TESTDEV,
	OPT_RNG, OPT_DEBUGCON, OPT_CONSOLE, OPT_DEVICE, OPT_VERBOSE, OPT_PIN, OPT_HELP,
	OPT_MEM_BACKEND, OPT_MEM_PREALLOC, OPT_MEM_MERGE, OPT_NUMA, OPT_BALLOON, OPT_CONTROL, OPT_RESTORE, OPT_INCOMING, OPT_PAUSED,
};

static const struct option table[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "mem-backend", required_argument, NULL, OPT_MEM_BACKEND },
	{ "mem-prealloc", no_argument, NULL, OPT_MEM_PREALLOC },
	{ "mem-merge", no_argument, NULL, OPT_MEM_MERGE },
	{ "numa", required_argument, NULL, OPT_NUMA },
	{ "balloon", required_argument, NULL, OPT_BALLOON },
	{ "restore", required_argument, NULL, OPT_RESTORE },
	{ "incoming", required_argument, NULL, OPT_INCOMING },
	{ "paused", no_argument, NULL, OPT_PAUSED },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "net", required_argument, NULL, OPT_NET },
	{ "halt-poll", required_argument, NULL, OPT_HALT_POLL },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "flat", required_argument, NULL, OPT_FLAT },
	{ "cpu-features", required_argument, NULL, OPT_CPU_FEATURES },
	{ "testdev", no_argument, NULL, OPT_TESTDEV },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "debugcon", required_argument, NULL, OPT_DEBUGCON },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 }
};

static void help(void)
{
	printf("Usage: limen run --kernel F [options]\n"
"       limen run --restore F [options]\n"
"  --kernel F        bzImage, vmlinux (64-bit or PVH) or multiboot image\n"
"  --restore F       go on with what 'limen snapshot' saved, instead of --kernel\n"
"  --incoming A      wait at unix:PATH or tcp:HOST:PORT for 'limen migrate'\n"
"  --flat ADDR       F is raw: load and start it at ADDR, in real mode below\n"
"                    1 MiB, else in 32-bit protected mode\n"
"  --initrd F        initial ram disk; for multiboot modules, F[ ARGS][,F...]\n"
"  --append S        kernel command line\n"
"  --cpus N          virtual CPUs, 1 to %d (1)\n"
"  --pin LIST        host CPU of each vCPU, in their order: 2,3 or 0-3\n"
"  --memory MIB      guest memory (%d)\n"
"  --mem-backend B   what is behind it: anon (the default), memfd, hugetlb or\n"
"                    file=F, whose content is lost\n"
"  --mem-prealloc    allocate all of it before the guest starts\n"
"  --mem-merge       let the host share equal pages (KSM); anon only\n"
"  --numa NODE       take it from one NUMA node\n"
"  --balloon MIB     virtio balloon; the guest shall give up so much at first\n"
"  --disk F[,ro]     virtio disk on a raw file; up to %d times\n"
"  --net user        virtio NIC with DHCP, DNS and NAT in this process\n"
"  --net tap=NAME    virtio NIC on a tap interface\n"
"  --rng             virtio entropy source\n"
"  --control VM      take commands on a socket: a path, or a name without a slash\n"
"  --paused          wait for 'limen go VM' before anything runs\n"
"  --console C       what has the keyboard: serial (COM1) or virtio (hvc0)\n"
"  --cpu-features L  +name,-name,... on what the host and the module offer\n"
"  --testdev         the ports of QEMU's pc-testdev\n"
"  --debugcon F      where port 0xe9 goes (standard output)\n"
"  --halt-poll NS    a halted CPU polls at most so long before it sleeps\n"
"  --timeout S       end after S seconds\n"
"  --stats           print exits and time in guest at the end\n"
"  --verbose         say how the image is started, and where it was at the end\n"
"  --device F        the module's node (%s)\n"
"On a terminal Ctrl-A x quits, Ctrl-A h lists the other keys.\n"
"\n"
"Exit status: 0 the guest powered off or reset, or the user quit; (V << 1) | 1\n"
"for a write of V to port 0xf4; %d setup failed, nothing ran; %d triple fault;\n"
"%d the guest can't go on; %d error of the module; %d time-out; %d signal.\n",
	       LIMEN_MAX_VCPUS, DEFAULT_MEMORY_MIB, MAX_DISKS, LIMEN_DEVICE_PATH,
	       EXIT_SETUP, EXIT_TRIPLE_FAULT, EXIT_GUEST, EXIT_MODULE,
	       EXIT_TIMEOUT, EXIT_SIGNAL);
}

static int number(const char *name, const char *s, uint64_t min, uint64_t max,
		  uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 0);
	if (!errno && end != s && !*end && *s != '-' && *v >= min && *v <= max)
		return 0;
	complain("%s: '%s' is not a number from %llu to %llu", name, s,
		 (unsigned long long)min, (unsigned long long)max);
	return -EINVAL;
}

static int set_console(struct options *o, const char *s)
{
	o->virtio_console = !strcmp(s, "virtio");
	if (o->virtio_console || !strcmp(s, "serial"))
		return 0;
	complain("--console: serial or virtio, not '%s'", s);
	return -EINVAL;
}

static int set_backend(struct options *o, const char *s)
{
	static const char *const name[] = { "anon", "memfd", "hugetlb" };

	for (uint32_t i = 0; i < ARRAY_SIZE(name); i++) {
		if (!strcmp(s, name[i])) {
			o->mem_backend = i;
			return 0;
		}
	}
	if (!strncmp(s, "file=", 5) && s[5]) {
		o->mem_backend = MEM_BACKEND_FILE;
		o->mem_file = s + 5;
		return 0;
	}
	complain("--mem-backend: anon, memfd, hugetlb or file=F, not '%s'", s);
	return -EINVAL;
}

static int add_disk(struct options *o, const char *s)
{
	if (o->nr_disks == MAX_DISKS) {
		complain("--disk: at most %d", MAX_DISKS);
		return -EINVAL;
	}
	o->disk[o->nr_disks++] = s;
	return 0;
}

static int set_number(struct options *o, int opt, const char *s)
{
	uint64_t v;
	int err;

	switch (opt) {
	case OPT_CPUS:
		err = number("--cpus", s, 1, LIMEN_MAX_VCPUS, &v);
		o->cpus = v;
		return err;
	case OPT_MEMORY:
		err = number("--memory", s, MIN_MEMORY_MIB, MAX_MEMORY_MIB, &v);
		o->memory = v << 20;
		return err;
	case OPT_HALT_POLL:
		err = number("--halt-poll", s, 0, LIMEN_MAX_HALT_POLL, &v);
		o->halt_poll = v;
		o->set_halt_poll = true;
		return err;
	case OPT_TIMEOUT:
		err = number("--timeout", s, 1, 0x7fffffff, &v);
		o->timeout = v;
		return err;
	case OPT_BALLOON:
		err = number("--balloon", s, 0, MAX_MEMORY_MIB, &v);
		o->balloon = true;
		o->balloon_size = v << 20;
		return err;
	case OPT_NUMA:
		err = number("--numa", s, 0, 1023, &v);
		o->numa = v;
		return err;
	default:
		err = number("--flat", s, 0, 0xffffffff, &v);
		o->flat_addr = v;
		o->flat = true;
		return err;
	}
}

static int set(struct options *o, int opt, const char *s)
{
	switch (opt) {
	case OPT_KERNEL: o->kernel = s; return 0;
	case OPT_INITRD: o->initrd = s; return 0;
	case OPT_APPEND: o->append = s; return 0;
	case OPT_NET: o->net = s; return 0;
	case OPT_CPU_FEATURES: o->cpu_features = s; return 0;
	case OPT_DEBUGCON: o->debugcon = s; return 0;
	case OPT_DEVICE: o->device = s; return 0;
	case OPT_PIN: o->pin = s; return 0;
	case OPT_CONTROL: o->control = s; return 0;
	case OPT_RESTORE: o->restore_path = s; return 0;
	case OPT_INCOMING: o->incoming = s; return 0;
	case OPT_PAUSED: o->paused = true; return 0;
	case OPT_STATS: o->stats = true; return 0;
	case OPT_TESTDEV: o->testdev = true; return 0;
	case OPT_RNG: o->rng = true; return 0;
	case OPT_VERBOSE: o->verbose = true; return 0;
	case OPT_MEM_BACKEND: return set_backend(o, s);
	case OPT_MEM_PREALLOC: o->mem_prealloc = true; return 0;
	case OPT_MEM_MERGE: o->mem_merge = true; return 0;
	case OPT_DISK: return add_disk(o, s);
	case OPT_CONSOLE: return set_console(o, s);
	case OPT_CPUS:
	case OPT_MEMORY:
	case OPT_HALT_POLL:
	case OPT_TIMEOUT:
	case OPT_BALLOON:
	case OPT_NUMA:
	case OPT_FLAT: return set_number(o, opt, s);
	default: return -EINVAL;	/* getopt has said why */
	}
}

/* what the saved machine brings along */
static const char *saved_option(int opt)
{
	static const int fixed[] = {
		OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_FLAT, OPT_CPUS, OPT_MEMORY,
		OPT_CPU_FEATURES, OPT_TESTDEV, OPT_RNG, OPT_CONSOLE, OPT_BALLOON,
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (fixed[i] != opt)
			continue;
		for (const struct option *t = table; t->name; t++)
			if (t->val == opt)
				return t->name;
	}
	return NULL;
}

/* what is to run, and with what: a new machine or a saved one */
static int check_source(struct options *o, const char *saved)
{
	if (!o->restore_path && !o->incoming) {
		if (o->kernel)
			return 0;
		complain("run: --kernel is missing: what shall run?");
		return -EINVAL;
	}
	if (o->restore_path && o->incoming) {
		complain("--restore and --incoming: which one?");
		return -EINVAL;
	}
	if (saved) {
		complain("--%s: with --restore or --incoming that comes with the machine",
			 saved);
		return -EINVAL;
	}
	return o->incoming ? restore_incoming(o, o->incoming) :
			     restore_open(o, o->restore_path);
}

/* after all options: it takes one host CPU for each of --cpus */
static int set_pin(struct options *o)
{
	char why[128];
	cpu_set_t allowed;

	if (!o->pin)
		return 0;
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		complain("--pin: %s", strerror(errno));
		return -errno;
	}
	if (!pin_parse(o->pin, &allowed, o->pin_cpu, o->cpus, why, sizeof(why)))
		return 0;
	complain("--pin %s: %s", o->pin, why);
	return -EINVAL;
}

int run_options(int argc, char **argv, struct options *o)
{
	const char *saved = NULL;
	int opt;

	*o = (struct options){
		.cpus = 1, .memory = (uint64_t)DEFAULT_MEMORY_MIB << 20, .numa = -1,
	};
	while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (opt == OPT_HELP) {
			help();
			return EXIT_OK;
		}
		if (set(o, opt, optarg))
			return EXIT_SETUP;
		if (saved_option(opt))
			saved = saved_option(opt);
	}
	if (optind < argc) {
		complain("run: what is '%s'? 'limen run --help' lists the options",
			 argv[optind]);
		return EXIT_SETUP;
	}
	if (o->net && strcmp(o->net, "user") && strncmp(o->net, "tap=", 4)) {
		complain("--net: user or tap=NAME, not '%s'", o->net);
		return EXIT_SETUP;
	}
	if (o->paused && !o->control) {
		complain("--paused: nobody could let it go without --control");
		return EXIT_SETUP;
	}
	if (check_source(o, saved))
		return EXIT_SETUP;
	if (o->mem_merge && o->mem_backend != MEM_BACKEND_ANON) {
		complain("--mem-merge: the host merges pages of --mem-backend anon only");
		return EXIT_SETUP;
	}
	if (o->balloon_size >= o->memory) {
		complain("--balloon: it takes less than --memory");
		return EXIT_SETUP;
	}
	return set_pin(o) ? EXIT_SETUP : -1;
}
