// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine to sections and back. The order is fixed: configuration, what was sent of memory
 * while the machine ran, clock, vCPUs, devices in the order of their table, memory, end;
 * another order is refused.
 *
 * Loading happens into a machine that was built by the configuration in the file, and
 * before anything runs. What is loaded is checked field by field; a machine into which
 * loading failed is thrown away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"
#include "tool.h"

#define CHUNK		((uint64_t)MEMORY_PAGES * LIMEN_PAGE_SIZE)
#define MAX_KHZ_PPM	250		/* what clocks of one kind differ by */

/* ---- devices ------------------------------------------------------------------- */

struct part {
	uint32_t type;
	uint32_t instance;
	void *dev;
	void (*fn)(void *dev, struct state *s);
};

#define VERSION		1	/* of every section, so far */
#define MAX_PARTS	(16 + VIRTIO_MAX_DEVICES)

#define PART_FN(name) \
static void name##_part(void *dev, struct state *s) { name##_state(dev, s); }

PART_FN(irqchip)
PART_FN(serial)
PART_FN(rtc)
PART_FN(pit)
PART_FN(acpi_pm)
PART_FN(reset)
PART_FN(debug_ports)
PART_FN(fw_cfg)
PART_FN(testdev)
PART_FN(virtio)

static uint32_t parts_of(const struct machine *m, struct part *part)
{
	const struct part fixed[] = {
		{ SECTION('I', 'R', 'Q', 'S'), 0, m->irqs, irqchip_part },
		{ SECTION('S', 'E', 'R', 'I'), 0, m->serial, serial_part },
		{ SECTION('R', 'T', 'C', ' '), 0, m->rtc, rtc_part },
		{ SECTION('P', 'I', 'T', ' '), 0, m->pit, pit_part },
		{ SECTION('A', 'C', 'P', 'I'), 0, m->pm, acpi_pm_part },
		{ SECTION('R', 'S', 'E', 'T'), 0, m->reset, reset_part },
		{ SECTION('D', 'B', 'U', 'G'), 0, m->debug, debug_ports_part },
		{ SECTION('F', 'W', 'C', 'F'), 0, m->fw_cfg, fw_cfg_part },
	};
	uint32_t n = ARRAY_SIZE(fixed);

	memcpy(part, fixed, sizeof(fixed));
	if (m->testdev)
		part[n++] = (struct part){ SECTION('T', 'E', 'S', 'T'), 0, m->testdev,
					   testdev_part };
	for (uint32_t i = 0; i < m->nr_virtio; i++)
		part[n++] = (struct part){ SECTION('V', 'I', 'R', 'T'), i, m->virtio[i],
					   virtio_part };
	return n;
}

/* ---- configuration --------------------------------------------------------------- */

/* what a machine is built by, and what its host must have in common with ours */
struct config {
	uint32_t vendor, tsc_khz;
	uint32_t cpus;
	uint64_t memory;
	uint32_t nr_disks;
	bool testdev, debugcon, net, virtio_console, rng, balloon;
};

static void config_state(struct config *c, struct state *s)
{
	state_u32(s, &c->vendor);
	state_u32(s, &c->tsc_khz);
	state_u32(s, &c->cpus);
	state_u64(s, &c->memory);
	state_u32(s, &c->nr_disks);
	state_bool(s, &c->testdev);
	state_bool(s, &c->debugcon);
	state_bool(s, &c->net);
	state_bool(s, &c->virtio_console);
	state_bool(s, &c->rng);
	state_bool(s, &c->balloon);
	state_check(s, c->cpus >= 1 && c->cpus <= LIMEN_MAX_VCPUS && c->memory &&
		    !(c->memory & ((1 << 20) - 1)) && c->memory <= MAX_MEMORY &&
		    c->nr_disks <= MAX_DISKS);
}

static struct config config_of(const struct machine *m)
{
	const struct limen_info *info = limen_get_info(m->dev);
	const struct options *o = m->o;

	/* a host measures its rate anew now and then: the guest goes by the first one */
	return (struct config){
		.vendor = info->vendor,
		.tsc_khz = o->restore ? o->restore_khz : info->tsc_khz,
		.cpus = o->cpus, .memory = m->memory, .nr_disks = o->nr_disks,
		.testdev = o->testdev, .debugcon = o->debugcon, .net = o->net,
		.virtio_console = o->virtio_console, .rng = o->rng,
		.balloon = o->balloon,
	};
}

/* ---- saving ------------------------------------------------------------------------ */

static int write_state(struct snapshot *sn, uint32_t type, uint32_t instance,
		       struct state *s)
{
	const struct iovec part = { s->buf, s->len };
	int err = s->bad ? snapshot_fail(sn, -ENOMEM, "no memory") :
			   snapshot_write(sn, type, instance, VERSION, &part, 1);

	state_fini(s);
	return err;
}

static int save_clock(struct snapshot *sn)
{
	struct state s = { 0 };
	uint64_t now = clock_ns();

	state_u64(&s, &now);
	return write_state(sn, SECTION_CLOCK, 0, &s);
}

static int save_vcpu(struct snapshot *sn, struct machine_vcpu *v, uint32_t i)
{
	struct state s = { 0 };
	int err = vcpu_save(v, &s);

	if (!err)
		return write_state(sn, SECTION_VCPU, i, &s);
	state_fini(&s);
	return snapshot_fail(sn, err, "the state of vCPU %u: %s", i, limen_strerror(err));
}

static bool is_zero(const uint8_t *page)
{
	static const uint8_t zero[LIMEN_PAGE_SIZE];

	return !memcmp(page, zero, sizeof(zero));
}

int save_pages(struct snapshot *sn, struct machine *m, uint64_t gpa, uint64_t pages,
	       uint32_t type)
{
	uint64_t len = pages * LIMEN_PAGE_SIZE;
	struct iovec part[] = { { &gpa, sizeof(gpa) }, { NULL, len } };

	/* of a copy, since the guest may write between the checksum and the sending */
	part[1].iov_base = snapshot_buffer(sn);
	if (!part[1].iov_base)
		return -ENOMEM;
	if (limen_gpa_read(m->board.vm, gpa, part[1].iov_base, len))
		return snapshot_fail(sn, -EFAULT, "the guest's memory is not there");
	return snapshot_write(sn, type, 0, VERSION, part, ARRAY_SIZE(part));
}

/* Runs of pages that are not all zeros, cut where a section is full. */
static int save_range(struct snapshot *sn, struct machine *m, uint64_t base,
		      uint64_t len, uint32_t type)
{
	const uint8_t *p = limen_gpa_ptr(m->board.vm, base, len, false);
	int err = p ? 0 : snapshot_fail(sn, -EFAULT, "the guest's memory is not there");

	for (uint64_t at = 0; !err && at < len;) {
		uint64_t n = 0;

		while (n < CHUNK && at + n < len && !is_zero(p + at + n))
			n += LIMEN_PAGE_SIZE;
		if (n)
			err = save_pages(sn, m, base + at, n / LIMEN_PAGE_SIZE, type);
		at += n ? n : LIMEN_PAGE_SIZE;
	}
	return err;
}

int machine_save_memory(struct snapshot *sn, struct machine *m, uint32_t type)
{
	int err = save_range(sn, m, 0, m->board.ram_low, type);

	if (!err && m->board.ram_high)
		err = save_range(sn, m, RAM_HIGH_BASE, m->board.ram_high, type);
	return err;
}

int machine_save_config(struct snapshot *sn, struct machine *m)
{
	struct config c = config_of(m);
	struct state s = { 0 };

	config_state(&c, &s);
	return write_state(sn, SECTION_CONFIG, 0, &s);
}

int machine_save_devices(struct snapshot *sn, struct machine *m)
{
	struct part part[MAX_PARTS];
	uint32_t n = parts_of(m, part);
	struct state s = { 0 };
	int err = save_clock(sn);

	for (uint32_t i = 0; !err && i < m->nr_vcpus; i++)
		err = save_vcpu(sn, &m->vcpu[i], i);
	for (uint32_t i = 0; !err && i < n; i++) {
		part[i].fn(part[i].dev, &s);
		err = write_state(sn, part[i].type, part[i].instance, &s);
	}
	return err;
}

int machine_save(struct machine *m, int fd, char *why, size_t len)
{
	struct snapshot sn;
	int err = snapshot_create(&sn, fd);

	if (!err)
		err = machine_save_config(&sn, m);
	if (!err)
		err = machine_save_devices(&sn, m);
	if (!err)
		err = machine_save_memory(&sn, m, SECTION_MEMORY);
	if (!err)
		err = snapshot_end(&sn);
	snprintf(why, len, "%s", sn.why);
	snapshot_close(&sn);
	return err;
}

/* ---- loading ------------------------------------------------------------------------- */

/* the next section, which must be this one */
static int read_state(struct snapshot *sn, uint32_t type, uint32_t instance,
		      struct state *s)
{
	struct section sec;
	int err = snapshot_read(sn, &sec);

	if (err)
		return err;
	if (sec.type != type || sec.instance != instance)
		return snapshot_fail(sn, -EBADMSG, "section %u is '%.4s' %u instead of '%.4s' %u: it is of another machine",
				     sn->sections, (const char *)&sec.type, sec.instance,
				     (const char *)&type, instance);
	if (!sec.version || sec.version > VERSION)
		return snapshot_fail(sn, -EBADMSG, "its '%.4s' is of a newer limen",
				     (const char *)&type);
	*s = (struct state){
		.loading = true, .version = sec.version, .buf = sn->payload,
		.len = sec.len,
	};
	return 0;
}

static bool khz_fit(uint32_t a, uint32_t b)
{
	uint64_t diff = a > b ? a - b : b - a;

	return diff * 1000000 <= (uint64_t)b * MAX_KHZ_PPM;
}

/* may the devices on our command line be those of the file? */
static int check_devices(struct snapshot *sn, const struct config *c,
			 const struct options *o)
{
	if (c->nr_disks != o->nr_disks)
		return snapshot_fail(sn, -EINVAL, "it has %u disks: give --disk for each, in their order",
				     c->nr_disks);
	if (c->net != !!o->net)
		return snapshot_fail(sn, -EINVAL, c->net ? "it has a network card: give --net" :
				     "it has no network card: leave out --net");
	if (c->testdev && c->debugcon != !!o->debugcon)
		return snapshot_fail(sn, -EINVAL, c->debugcon ? "it has a debug console: give --debugcon" :
				     "it has no debug console: leave out --debugcon");
	return 0;
}

int machine_options(struct snapshot *sn, struct options *o)
{
	struct config c = { 0 };
	struct state s;
	int err = read_state(sn, SECTION_CONFIG, 0, &s);

	if (err)
		return err;
	config_state(&c, &s);
	if (!state_taken(&s))
		return snapshot_fail(sn, -EBADMSG, "its configuration makes no sense");
	err = check_devices(sn, &c, o);
	if (err)
		return err;
	o->cpus = c.cpus;
	o->memory = c.memory;
	o->testdev = c.testdev;
	o->virtio_console = c.virtio_console;
	o->rng = c.rng;
	o->balloon = c.balloon;
	o->restore_vendor = c.vendor;
	o->restore_khz = c.tsc_khz;
	return 0;
}

static int check_host(struct snapshot *sn, const struct machine *m)
{
	const struct limen_info *info = limen_get_info(m->dev);
	const struct options *o = m->o;

	if (info->vendor != o->restore_vendor)
		return snapshot_fail(sn, -EOPNOTSUPP, "it was saved on a CPU of the other vendor");
	if (!khz_fit(info->tsc_khz, o->restore_khz))
		return snapshot_fail(sn, -EOPNOTSUPP, "its TSC runs at %u kHz, this host's at %u",
				     o->restore_khz, info->tsc_khz);
	return 0;
}

static int load_clock(struct snapshot *sn)
{
	struct state s;
	uint64_t now = 0;
	int err = read_state(sn, SECTION_CLOCK, 0, &s);

	if (err)
		return err;
	state_u64(&s, &now);
	if (!state_taken(&s))
		return snapshot_fail(sn, -EBADMSG, "its clock makes no sense");
	clock_set(now);
	return 0;
}

static int load_part(struct snapshot *sn, const struct part *part)
{
	struct state s;
	int err = read_state(sn, part->type, part->instance, &s);

	if (err)
		return err;
	part->fn(part->dev, &s);
	if (!state_taken(&s))
		return snapshot_fail(sn, -EBADMSG, "its '%.4s' %u makes no sense, or is another device",
				     (const char *)&part->type, part->instance);
	return 0;
}

static int load_pages(struct snapshot *sn, struct machine *m, const struct section *sec,
		      uint64_t *gpa, uint64_t *end)
{
	const uint8_t *data = sn->payload + sizeof(*gpa);
	uint64_t len = sec->len - sizeof(*gpa);

	if (sec->version != VERSION || sec->len <= sizeof(*gpa))
		return -EBADMSG;
	memcpy(gpa, sn->payload, sizeof(*gpa));
	*end = *gpa + len;
	return (*gpa | len) % LIMEN_PAGE_SIZE ? -EBADMSG :
	       limen_gpa_write(m->board.vm, *gpa, data, len);
}

/* sent while the machine ran: pages may come again, as they are later */
static int load_precopy(struct snapshot *sn, struct machine *m)
{
	uint64_t gpa, end;
	struct section sec;
	int err;

	for (;;) {
		err = snapshot_read(sn, &sec);
		if (err)
			return err;
		if (sec.type != SECTION_PRECOPY)
			break;
		if (load_pages(sn, m, &sec, &gpa, &end))
			return snapshot_fail(sn, -EBADMSG, "its memory is not that of this machine");
	}
	snapshot_unread(sn);
	return 0;
}

/* in ascending order, so that no page comes twice; what never came is zero */
static int load_memory(struct snapshot *sn, struct machine *m)
{
	uint64_t next = 0, gpa, end;
	struct section sec;
	int err;

	for (;;) {
		err = snapshot_read(sn, &sec);
		if (err || sec.type == SECTION_END)
			return err;
		if (sec.type != SECTION_MEMORY || load_pages(sn, m, &sec, &gpa, &end) ||
		    gpa < next)
			return snapshot_fail(sn, -EBADMSG, "its memory is not that of this machine");
		next = end;
	}
}

int machine_load(struct machine *m, struct snapshot *sn)
{
	struct part part[MAX_PARTS];
	uint32_t n = parts_of(m, part);
	int err = check_host(sn, m);

	machine_hold(m);
	if (!err)
		err = load_precopy(sn, m);
	if (!err)
		err = load_clock(sn);
	for (uint32_t i = 0; !err && i < m->nr_vcpus; i++) {
		struct state s;

		err = read_state(sn, SECTION_VCPU, i, &s);
		if (!err)
			err = vcpu_load(sn, &m->vcpu[i], &s);
	}
	for (uint32_t i = 0; !err && i < n; i++)
		err = load_part(sn, &part[i]);
	if (!err)
		err = load_memory(sn, m);
	return err;
}
