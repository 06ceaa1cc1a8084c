// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VM with its board, its vCPU threads and the main thread's event loop.
 *
 * The end: whoever finds a reason (a device, a vCPU, a signal, the clock) calls
 * machine_end(). The first reason counts. It marks the board as ending, kicks
 * every vCPU (kicks are sticky, so none is lost) and wakes the main thread,
 * which joins the vCPUs and takes the board apart.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "migrate.h"
#include "snapshot.h"
#include "tool.h"

#define JOIN_S		10	/* a vCPU that takes longer is stuck in the module */
#define FAULT_RETRIES	1000
#define HYPERCALL_ENOSYS (-1000)	/* what Linux' KVM guest code expects */

static void wake_main(struct machine *m)
{
	const uint64_t one = 1;
	ssize_t n = write(m->end_event.fd, &one, sizeof(one));

	(void)n;
}

void machine_end(struct machine *m, int why, uint32_t code)
{
	int none = END_NONE;

	if (!atomic_compare_exchange_strong(&m->end, &none, why))
		return;
	m->end_code = code;
	atomic_store(&m->board.ending, true);
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		(void)limen_vcpu_kick(m->vcpu[i].vcpu);
	pause_wake(&m->pause);
	wake_main(m);
}

static void board_ends(struct board *b, enum board_end why, uint32_t code)
{
	machine_end((struct machine *)b, why, code);
}

/* ---- the vCPUs ------------------------------------------------------------- */

static int vcpu_kicked(void *opaque, struct limen_vcpu *vcpu)
{
	struct machine_vcpu *v = opaque;

	(void)vcpu;
	v->park_err = pause_park(v, v->h);
	return v->park_err || atomic_load(&v->m->board.ending);
}

static void vcpu_eoi(void *opaque, uint32_t vector)
{
	struct machine_vcpu *v = opaque;

	irqchip_eoi(v->m->irqs, vector);
}

static uint32_t vcpu_inta(void *opaque)
{
	struct machine_vcpu *v = opaque;

	return irqchip_inta(v->m->irqs);
}

static int vcpu_other(void *opaque, struct limen_vcpu *vcpu)
{
	const struct timespec pause = { 0, 100000 };
	struct limen_run *run = limen_vcpu_page(vcpu);
	struct machine_vcpu *v = opaque;

	switch (run->exit) {
	case LIMEN_EXIT_HYPERCALL:
		run->regs.gpr[LIMEN_RAX] = HYPERCALL_ENOSYS;
		run->dirty = LIMEN_DIRTY_REGS;
		run->complete = LIMEN_FULFIL;
		return 0;
	case LIMEN_EXIT_FAULT:
		/* the test device unmaps a page for a moment */
		if (!v->m->testdev || v->retries++ >= FAULT_RETRIES)
			return -1;
		nanosleep(&pause, NULL);
		run->complete = LIMEN_DISCARD;
		return 0;
	default:
		return -1;
	}
}

static void *vcpu_thread(void *opaque)
{
	struct machine_vcpu *v = opaque;
	const struct limen_handlers h = {
		.opaque = v, .kicked = vcpu_kicked, .eoi = vcpu_eoi,
		.inta = vcpu_inta, .other = vcpu_other,
	};

	v->h = &h;
	v->ret = limen_vcpu_loop(v->vcpu, v->m->board.bus, &h);
	if (!v->ret)
		v->ret = v->park_err;
	if (v->ret)
		machine_end(v->m, END_VCPU, limen_vcpu_id(v->vcpu));
	return NULL;
}

static int create_vcpu(struct machine *m, uint32_t id)
{
	struct machine_vcpu *v = &m->vcpu[id];
	int err;

	v->m = m;
	err = limen_vcpu_create(m->board.vm, id, &v->vcpu);
	if (err) {
		complain("vCPU %u: %s", id, limen_strerror(err));
		return err;
	}
	m->nr_vcpus++;
	if (m->o->restore)
		return 0;	/* vcpu_load() has it */
	err = cpu_table(m->dev, m->o, id, &v->cpuid);
	if (err)
		return err;
	err = limen_vcpu_set_cpuid(v->vcpu, &v->cpuid);
	if (err)
		complain("CPUID of vCPU %u: %s", id, limen_strerror(err));
	return err;
}

/* ---- building --------------------------------------------------------------- */

static int load(struct machine *m)
{
	const struct options *o = m->o;
	struct boot *b = &m->boot;
	int err;

	*b = (struct boot){
		.vm = m->board.vm, .kernel = o->kernel, .initrd = o->initrd,
		.append = o->append, .flat_addr = o->flat_addr,
		.ram_low = m->board.ram_low, .ram_high = m->board.ram_high,
		.cpus = o->cpus, .nr_virtio = m->nr_virtio,
		.virtio_base = VIRTIO_BASE, .virtio_stride = VIRTIO_STRIDE,
		.virtio_gsi = GSI_VIRTIO, .virtio_nr_gsi = NR_GSI_VIRTIO,
	};
	err = boot_acpi(b);
	if (!err)
		err = boot_bios_data(b);
	if (!err)
		err = o->flat ? boot_load_flat(b) : boot_load(b);
	if (err)
		complain("%s", b->why[0] ? b->why : limen_strerror(err));
	else if (o->verbose)
		complain("%s: %s protocol, entry 0x%llx", o->kernel, b->protocol,
			 (unsigned long long)b->entry.rip);
	return err;
}

static void end_seen(void *opaque)
{
	(void)opaque;	/* the loop looks at m->end */
}

static int open_module(struct machine *m)
{
	const char *path = m->o->device ? m->o->device : LIMEN_DEVICE_PATH;
	int err = limen_open(path, &m->dev);

	if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
		complain("%s: not there; load the module: insmod limen.ko", path);
	else if (err)
		complain("%s: %s", path, limen_strerror(err));
	if (err)
		return err;
	err = limen_vm_create(m->dev, &m->board.vm);
	if (err)
		complain("new VM: %s", limen_strerror(err));
	if (!err && m->o->set_halt_poll) {
		err = limen_halt_poll(m->board.vm, m->o->halt_poll);
		if (err)
			complain("--halt-poll: %s", limen_strerror(err));
	}
	return err;
}

static int restore(struct machine *m)
{
	struct snapshot *sn = m->o->restore;
	int err = machine_load(m, sn);

	if (err)
		complain("--%s: %s", m->o->incoming ? "incoming" : "restore", sn->why);
	if (m->o->incoming)
		return migrate_loaded(sn->fd, err ? sn->why : NULL);
	return err;
}

/* vCPU 0 at the beginning of what was loaded, or all where they were saved */
static int place(struct machine *m)
{
	int err;

	if (m->o->restore)
		return restore(m);
	err = boot_enter(&m->boot, m->vcpu[0].vcpu);
	if (err)
		complain("start state of vCPU 0: %s", limen_strerror(err));
	return err;
}

int machine_create(struct machine *m, const struct options *o)
{
	struct board *b = &m->board;
	int err;

	m->o = o;
	pause_init(&m->pause);
	m->debugcon_fd = -1;
	m->end_event = (struct event_source){ .fd = -1, .fn = end_seen };
	b->cpus = o->cpus;
	b->end = board_ends;
	err = open_module(m);
	if (!err)
		err = machine_memory(m);
	if (err)
		return err;
	m->end_event.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = m->end_event.fd < 0 ? -errno : 0;
	if (!err)
		err = limen_bus_create(&b->bus);
	if (!err)
		err = event_loop_create(&b->loop);
	if (!err)
		err = event_add(b->loop, &m->end_event);
	if (!err)
		err = machine_devices(m);
	if (!err && !o->restore)
		err = load(m);
	if (!err && o->control)
		err = control_create(m, o->control);
	for (uint32_t i = 0; !err && i < o->cpus; i++)
		err = create_vcpu(m, i);
	return err ? err : place(m);
}

void machine_destroy(struct machine *m)
{
	migration_cancel(m);
	control_destroy(m->control);
	machine_devices_destroy(m);
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		limen_vcpu_destroy(m->vcpu[i].vcpu);
	event_loop_destroy(m->board.loop);
	limen_bus_destroy(m->board.bus);
	if (m->end_event.fd >= 0)
		close(m->end_event.fd);
	limen_vm_destroy(m->board.vm);
	limen_close(m->dev);
	pause_fini(&m->pause);
}

/* ---- running ---------------------------------------------------------------- */

static int join(struct machine *m)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_S;
	for (uint32_t i = 0; i < m->nr_vcpus; i++) {
		struct machine_vcpu *v = &m->vcpu[i];

		if (v->started && pthread_timedjoin_np(v->thread, NULL, &until)) {
			complain("vCPU %u does not return from the module", i);
			err = -ETIMEDOUT;
		}
	}
	return err;
}

/* The thread starts on its CPU: its vCPU's memory is first touched there. */
static int start_vcpu(struct machine *m, uint32_t i)
{
	struct machine_vcpu *v = &m->vcpu[i];
	pthread_attr_t attr;
	cpu_set_t set;
	int err;

	pthread_attr_init(&attr);
	if (m->o->pin) {
		CPU_ZERO(&set);
		CPU_SET(m->o->pin_cpu[i], &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	err = -pthread_create(&v->thread, &attr, vcpu_thread, v);
	pthread_attr_destroy(&attr);
	v->started = !err;
	return err;
}

int machine_start(struct machine *m)
{
	int err = machine_go(m);

	if (m->started)
		return err;
	m->started = true;
	for (uint32_t i = 0; !err && i < m->nr_vcpus; i++) {
		err = start_vcpu(m, i);
		if (err) {
			complain("thread of vCPU %u: %s", i, strerror(-err));
			machine_end(m, END_SIGNAL, 0);
		}
	}
	return err;
}

int machine_run(struct machine *m)
{
	int err = m->o->paused ? machine_stop(m) : machine_start(m);

	if (err)
		machine_end(m, END_SIGNAL, 0);
	while (atomic_load(&m->end) == END_NONE)
		if (event_wait(m->board.loop))
			machine_end(m, END_SIGNAL, 0);
	if (join(m)) {
		/* Its thread still uses everything: leave it to the kernel. */
		terminal_restore();
		_exit(EXIT_MODULE);
	}
	return err;
}
