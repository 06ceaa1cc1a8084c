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

struct options {
	const char *device;
	const char *kernel, *initrd, *append;
	const char *disk[MAX_DISKS];
	uint32_t nr_disks;
	const char *net;		/* "user" or "tap=NAME" */
	const char *cpu_features;
	const char *debugcon;
	uint64_t memory;		/* bytes */
	uint32_t cpus;
	uint32_t timeout;		/* seconds, 0: none */
	uint32_t halt_poll;		/* ns, if set_halt_poll */
	bool set_halt_poll;
	uint64_t flat_addr;
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

struct machine_vcpu {
	struct machine *m;
	struct limen_vcpu *vcpu;
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
	int debugcon_fd;
	struct boot boot;
	struct machine_vcpu vcpu[LIMEN_MAX_VCPUS];
	uint32_t nr_vcpus;
	/* how it ended; @end is written once, by whoever is first */
	atomic_int end;
	uint32_t end_code;
	uint32_t end_vcpu;
	struct event_source end_event;
};

/* 0 or -errno with a message printed */
int machine_create(struct machine *m, const struct options *o);
void machine_destroy(struct machine *m);
/* start the vCPUs, serve events until the end, join everything */
int machine_run(struct machine *m);
void machine_end(struct machine *m, int why, uint32_t code);

/* devices of the machine, machine_devices.c */
int machine_devices(struct machine *m);
void machine_devices_destroy(struct machine *m);

/* stats.c */
void print_stats(const struct machine *m);

/* json.c: a string, quoted and on stdout; what comes from a kernel is ASCII, but
 * that is not a promise */
void json_string(const char *s);

/* "limen: ..." on stderr */
__attribute__((format(printf, 1, 2)))
void complain(const char *fmt, ...);

#endif
