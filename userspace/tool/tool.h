/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the tool share. */
#ifndef LIMEN_TOOL_H
#define LIMEN_TOOL_H

#include <sched.h>

#include "../devices/virtio.h"
#include "../loader/boot.h"

/*
 * Exit status. A debug exit is odd, so those of 'limen run' are even.
 */
#define EXIT_OK			0	/* powered off, reset, or quit by the user */
#define EXIT_DOCTOR		1	/* 'limen doctor' found what will fail */
#define EXIT_SETUP		2	/* usage, no module, bad image: nothing ran */
#define EXIT_TRIPLE_FAULT	100
#define EXIT_GUEST		102	/* the guest can't go on */
#define EXIT_MODULE		104	/* the module returned an error */
#define EXIT_TIMEOUT		124
#define EXIT_SIGNAL		130

#define MAX_DISKS	8
#define MAX_MEMORY	(1ull << 40)

enum mem_backend {
	MEM_BACKEND_ANON, MEM_BACKEND_MEMFD, MEM_BACKEND_HUGETLB, MEM_BACKEND_FILE,
};

struct snapshot;

struct options {
	const char *device;
	const char *kernel, *initrd, *append;
	const char *disk[MAX_DISKS];
	uint32_t nr_disks;
	const char *net;		/* "user" or "tap=NAME" */
	const char *cpu_features;
	const char *debugcon;
	uint64_t memory;		/* bytes */
	enum mem_backend mem_backend;
	const char *mem_file;		/* MEM_BACKEND_FILE */
	/* --restore: the file, whose configuration was read; and its host's */
	const char *restore_path, *incoming;	/* a file, or an address */
	struct snapshot *restore;
	uint32_t restore_vendor, restore_khz;
	const char *control;		/* name or path of the socket */
	bool balloon;
	uint64_t balloon_size;		/* bytes */
	bool mem_prealloc, mem_merge;
	int numa;			/* node, -1: any */
	uint32_t cpus;
	uint32_t timeout;		/* seconds, 0: none */
	uint32_t halt_poll;		/* ns, if set_halt_poll */
	bool set_halt_poll;
	uint64_t flat_addr;
	bool paused;			/* nothing runs before 'limen go' */
	bool flat, stats, testdev, rng, virtio_console, verbose;
	const char *pin;		/* as given; NULL: no pinning */
	uint32_t pin_cpu[LIMEN_MAX_VCPUS];	/* of each vCPU */
};

/* pin.c: @n host CPUs out of "0-2,5"; 0, or -EINVAL with the reason in @why */
int pin_parse(const char *list, const cpu_set_t *allowed, uint32_t *cpu, uint32_t n,
	      char *why, size_t len);

/* run_options.c: 0, or the exit status with a message printed; -1 means go on */
int run_options(int argc, char **argv, struct options *o);
int info_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int run_main(int argc, char **argv);
/* bench/bench_main.c */
int bench_main(int argc, char **argv);
int client_main(int argc, char **argv);
int snapshot_main(int argc, char **argv);
int migrate_main(int argc, char **argv);

/* terminal.c: raw mode and the escape key */
struct terminal {
	struct board *board;
	void (*power_button)(void *opaque);
	void *opaque;
	bool raw, escape;
};

/* 0 or -errno; does nothing unless @fd is a terminal */
int terminal_raw(struct terminal *t, int fd);
void terminal_restore(void);
size_t terminal_filter(void *opaque, uint8_t *buf, size_t len);

/* cpu.c: the table of one vCPU */
int cpu_table(struct limen *l, const struct options *o, uint32_t id,
	      struct limen_cpuid_table *t);

/* machine.c */
#define END_NONE	0
#define END_TIMEOUT	(BOARD_QUIT + 1)
#define END_SIGNAL	(BOARD_QUIT + 2)
#define END_VCPU	(BOARD_QUIT + 3)	/* a vCPU stopped; see vcpu[].ret */

struct machine;
struct control;
struct migration;

#define APIC_CURRENT_COUNT	0x390	/* of the timer, in &limen_apic.regs */

/* one moment, by two of the host's clocks */
struct host_time {
	uint64_t tsc;
	uint64_t boot_ns;
};

/* while the machine stands still: the time of a vCPU, see pause.c */
struct frozen {
	struct limen_time time;
	uint64_t deadline, period_left;
	uint32_t current_count;
};

/* under @lock: vCPUs that have come to a stop, twice */
struct pause {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool wanted;
	uint32_t settled, parked;
};

struct machine_vcpu {
	struct machine *m;
	struct limen_vcpu *vcpu;
	const struct limen_handlers *h;
	int park_err;		/* of limen_vcpu_settle() */
	struct limen_cpuid_table cpuid;
	struct frozen frozen;
	pthread_t thread;
	bool started;
	uint32_t retries;	/* of LIMEN_EXIT_FAULT, in a row */
	int ret;		/* of limen_vcpu_loop() */
};

struct machine {
	struct board board;	/* first */
	const struct options *o;
	struct limen *dev;
	struct chardev console;
	struct terminal terminal;
	struct irqchip *irqs;
	struct serial *serial;
	struct rtc *rtc;
	struct pit *pit;
	struct acpi_pm *pm;
	struct reset *reset;
	struct debug_ports *debug;
	struct fw_cfg *fw_cfg;
	struct testdev *testdev;
	struct virtio_dev *virtio[VIRTIO_MAX_DEVICES];
	uint32_t nr_virtio;
	uint64_t memory;	/* bytes */
	struct control *control;
	struct migration *migration;	/* under way */
	int debugcon_fd;
	struct boot boot;
	struct machine_vcpu vcpu[LIMEN_MAX_VCPUS];
	uint32_t nr_vcpus;
	/* how it ended; @end is written once, by whoever is first */
	atomic_int end;
	uint32_t end_code;
	uint32_t end_vcpu;
	struct event_source end_event;
	struct pause pause;
	bool started;		/* the vCPUs have threads */
	bool stopped;		/* time stands still since: */
	struct host_time stop_time;
};

/* 0 or -errno with a message printed */
int machine_create(struct machine *m, const struct options *o);
void machine_destroy(struct machine *m);
/* start the vCPUs, serve events until the end, join everything */
int machine_run(struct machine *m);
/* vCPUs begin, or go on; main thread */
int machine_start(struct machine *m);
void machine_end(struct machine *m, int why, uint32_t code);

/*
 * pause.c, in the main thread. Stop: 0, or -errno and the machine goes on; -ETIMEDOUT if a
 * vCPU does not come, -ECANCELED if the machine ends. Go also starts what was loaded.
 */
int machine_stop(struct machine *m);
int machine_go(struct machine *m);
/* devices and time only: no vCPU has run yet */
void machine_hold(struct machine *m);
void pause_init(struct pause *p);
void pause_fini(struct pause *p);
void pause_wake(struct pause *p);
/* in a vCPU's thread after a kick; 0 or what limen_vcpu_settle() says */
int pause_park(struct machine_vcpu *v, const struct limen_handlers *h);

/* machine_state.c: a machine that stands still to a file, and a new one from it */
int machine_save(struct machine *m, int fd, char *why, size_t len);
/* the parts of that, in their order; the first and the memory also while it runs */
#define MEMORY_PAGES	256	/* in a section, at most */
int machine_save_config(struct snapshot *sn, struct machine *m);
int machine_save_devices(struct snapshot *sn, struct machine *m);
int machine_save_memory(struct snapshot *sn, struct machine *m, uint32_t type);
int save_pages(struct snapshot *sn, struct machine *m, uint64_t gpa, uint64_t pages,
	       uint32_t type);
int machine_options(struct snapshot *sn, struct options *o);
int machine_load(struct machine *m, struct snapshot *sn);
/* vcpu_state.c */
int vcpu_save(struct machine_vcpu *v, struct state *s);
int vcpu_load(struct snapshot *sn, struct machine_vcpu *v, struct state *s);
/* restore.c: check the file and read how the machine was built; a message is printed */
int restore_open(struct options *o, const char *path);
int restore_incoming(struct options *o, const char *addr);
void restore_close(struct options *o);

/* memory.c: the guest's, as the options want it */
int machine_memory(struct machine *m);

/* devices of the machine, machine_devices.c */
int machine_devices(struct machine *m);
void machine_devices_destroy(struct machine *m);

/* control.c; 0 or -errno with a message printed */
int control_create(struct machine *m, const char *vm);
void control_destroy(struct control *ctl);
/* client.c: ask a VM, with a descriptor or -1; the exit status */
int control_ask(const char *vm, const char *command, const char *arg, int pass);

/* stats.c */
void print_stats(const struct machine *m);

/* json.c: a string, quoted and on stdout; what comes from a kernel is ASCII, but
 * that is not a promise */
void json_string(const char *s);

/* "limen: ..." on stderr */
__attribute__((format(printf, 1, 2)))
void complain(const char *fmt, ...);

#endif
