// SPDX-License-Identifier: GPL-2.0-or-later
/* A scripted kernel: enough of /dev/limen to test all above it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define RUN_SIZE	4096

struct fake fake;
uint32_t fake_tsc_khz = 2000000;

static int fake_fd(void)
{
	int fd = memfd_create("fake-limen", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, RUN_SIZE))
		abort();
	return fd;
}

static int fake_open(const char *path)
{
	(void)path;
	return fake_fd();
}

static void *fake_map(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* The ring: the test fills it in */
static void *fake_map_ro(int fd, size_t len, uint64_t offset)
{
	(void)fd;
	if (offset != LIMEN_RING_OFFSET)
		return MAP_FAILED;
	fake.ring = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fake.ring->entries = fake.ring_entries;
	return fake.ring;
}

static void fake_close(int fd)
{
	close(fd);
}

static void *class_of(uint32_t cls, uint32_t *len)
{
	switch (cls) {
	case LIMEN_CLASS_REGS: *len = sizeof(fake.regs); return &fake.regs;
	case LIMEN_CLASS_SREGS: *len = sizeof(fake.sregs); return &fake.sregs;
	case LIMEN_CLASS_EVENTS: *len = sizeof(fake.events); return &fake.events;
	case LIMEN_CLASS_DEBUG: *len = sizeof(fake.debug); return &fake.debug;
	case LIMEN_CLASS_APIC: *len = sizeof(fake.apic); return &fake.apic;
	case LIMEN_CLASS_TIME: *len = sizeof(fake.time); return &fake.time;
	case LIMEN_CLASS_XSAVE: *len = sizeof(fake.xsave); return fake.xsave;
	}
	return NULL;
}

#define NR_MSRS		(ARRAY_SIZE(fake.msr) - 1)

static int fake_msrs(struct limen_msr *m, uint32_t len, bool set)
{
	for (uint32_t i = 0; i < len / sizeof(*m); i++) {
		if (m[i].index >= NR_MSRS) {
			errno = EINVAL;
			return -1;
		}
		if (set)
			fake.msr[m[i].index] = m[i];
		else
			m[i].value = fake.msr[m[i].index].value;
	}
	return 0;
}

static int fake_msr_list(struct limen_msr_list *l)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(fake.msr); i++)
		((uint32_t *)(uintptr_t)l->indices)[i] = i;
	l->count = ARRAY_SIZE(fake.msr);
	return 0;
}

static int fake_state(const struct limen_state *s, bool set)
{
	const struct limen_state_item *item = (void *)(uintptr_t)s->items;

	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t len;
		void *state = class_of(item[i].cls, &len);
		void *data = (void *)(uintptr_t)item[i].data;

		if (item[i].cls == LIMEN_CLASS_MSRS) {
			if (fake_msrs(data, item[i].len, set))
				return -1;
			continue;
		}
		if (!state || item[i].len != len) {
			errno = EINVAL;
			return -1;
		}
		memcpy(set ? state : data, set ? data : state, len);
	}
	return 0;
}

static int fake_translate(struct limen_translate *t)
{
	const uint64_t mask = ~0xfffull;

	fake.translations++;
	t->gpa = t->gva;
	t->fault = 0;
	for (uint32_t i = 0; i < fake.nr_pages; i++) {
		const struct fake_page *p = &fake.page[i];

		if (p->gva != (t->gva & mask))
			continue;
		if (p->fault && (!p->access || p->access & t->access)) {
			t->fault = p->fault;
			t->error = p->error;
		} else if (!p->fault) {
			t->gpa = p->gpa | (t->gva & ~mask);
		}
	}
	return 0;
}

static int fake_apic(struct limen_apic_access *a)
{
	fake.apic_offset = a->offset;
	if (a->write) {
		fake.apic_value = a->value;
		fake.apic_writes++;
	} else {
		a->value = fake.apic_value;
	}
	return 0;
}

static int fake_run(int fd)
{
	struct limen_run *run = fake_map(fd, RUN_SIZE);
	int err = fake.run ? fake.run(run) : -EIO;

	munmap(run, RUN_SIZE);
	errno = -err;
	return err ? -1 : 0;
}

static int fake_cpuid_get(struct limen_cpuid *c)
{
	static const struct limen_cpuid_entry table[] = {
		{ .leaf = 0, .eax = 0xd },
		{ .leaf = 1, .ecx = 1 << 21 | 1 << 31, .edx = 1 << 28 },
		{ .leaf = 0x80000007, .edx = 1 << 8 },
	};

	memcpy((void *)(uintptr_t)c->entries, table, sizeof(table));
	c->count = ARRAY_SIZE(table);
	return 0;
}

static int fake_irqfd(const struct limen_irqfd *arg)
{
	if (arg->flags & LIMEN_IRQFD_DEASSIGN) {
		fake.irqfd_deassigns++;
		return 0;
	}
	if (arg->flags & LIMEN_IRQFD_UPDATE)
		fake.irqfd_updates++;
	else
		fake.irqfds++;
	fake.irqfd = *arg;
	return 0;
}

static int fake_ioeventfd(const struct limen_ioeventfd *arg)
{
	if (fake.nr_ioeventfds < ARRAY_SIZE(fake.ioeventfd))
		fake.ioeventfd[fake.nr_ioeventfds++] = *arg;
	return 0;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static int fake_log(struct limen_dirty *arg)
{
	uint64_t first = arg->gpa / 4096, n = arg->len / 4096;
	uint64_t *bitmap = (void *)(uintptr_t)arg->bitmap;
	bool get = arg->op == LIMEN_DIRTY_GET || arg->op == LIMEN_DIRTY_GET_AND_CLEAR;

	if (first + n > sizeof(fake.log)) {
		errno = ENOENT;
		return -1;
	}
	arg->count = 0;
	if (get)
		memset(bitmap, 0, (n + 63) / 64 * 8);
	pthread_mutex_lock(&log_lock);
	for (uint64_t i = 0; i < n; i++) {
		if (get && fake.log[first + i]) {
			bitmap[i / 64] |= 1ull << i % 64;
			arg->count++;
		}
		if (arg->op == LIMEN_DIRTY_MARK)
			fake.log[first + i] = 1;
		else if (arg->op == LIMEN_DIRTY_GET_AND_CLEAR)
			fake.log[first + i] = 0;
	}
	pthread_mutex_unlock(&log_lock);
	return 0;
}

static int fake_dirty(struct limen_dirty *arg)
{
	fake.dirty = *arg;
	fake.dirties++;
	if (fake.keeps_log)
		return fake_log(arg);
	if (arg->op == LIMEN_DIRTY_GET || arg->op == LIMEN_DIRTY_GET_AND_CLEAR)
		*(uint64_t *)(uintptr_t)arg->bitmap = 5;
	arg->count = 2;
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct limen_info *info = arg;
	struct limen_msi *msi = arg;
	struct limen_extint *extint = arg;

	switch (request) {
	case LIMEN_INFO:
		info->abi = LIMEN_ABI;
		info->run_size = RUN_SIZE;
		info->tsc_khz = fake_tsc_khz;
		info->xsave_size = FAKE_XSAVE_SIZE;
		return 0;
	case LIMEN_VM_CREATE:
	case LIMEN_VCPU_CREATE:
		return fake_fd();
	case LIMEN_MSI:
		fake.msis++;
		fake.msi_addr = msi->addr;
		fake.msi_data = msi->data;
		return 1;
	case LIMEN_EXTINT:
		fake.extints++;
		fake.extint = extint->level;
		return 0;
	case LIMEN_IRQFD:
		if (!fake.no_eventfds)
			return fake_irqfd(arg);
		break;
	case LIMEN_IOEVENTFD:
		if (!fake.no_eventfds)
			return fake_ioeventfd(arg);
		break;
	case LIMEN_DIRTY: return fake_dirty(arg);
	case LIMEN_DIRTY_RING:
		fake.ring_entries = ((struct limen_dirty_ring_create *)arg)->entries;
		return 0;
	case LIMEN_DIRTY_TAKEN:
		fake.ring->tail += ((struct limen_dirty_taken *)arg)->count;
		return 0;
	case LIMEN_KICK:
		fake.kicks++;
		fake.kicked = true;
		return 0;
	case LIMEN_MSR_LIST: return fake_msr_list(arg);
	case LIMEN_CPUID_SET:
	case LIMEN_HALT_POLL:
	case LIMEN_MAP:
	case LIMEN_UNMAP:
		return 0;
	case LIMEN_PROTECT:
		if (!fake.no_log || !(((struct limen_range *)arg)->flags & LIMEN_MEM_LOG))
			return 0;
		errno = EINVAL;
		return -1;
	case LIMEN_CPUID_GET: return fake_cpuid_get(arg);
	case LIMEN_STATE_GET: return fake_state(arg, false);
	case LIMEN_STATE_SET: return fake_state(arg, true);
	case LIMEN_TRANSLATE: return fake_translate(arg);
	case LIMEN_APIC_ACCESS: return fake_apic(arg);
	case LIMEN_RUN: return fake_run(fd);
	}
	errno = ENOTTY;
	return -1;
}

static void rig_end(struct board *b, enum board_end why, uint32_t code)
{
	struct rig *r = (struct rig *)((char *)b - offsetof(struct rig, board));

	r->ended = why;
	r->end_code = code;
}

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	limen_sys = (struct limen_sys){
		fake_open, fake_ioctl, fake_map, fake_close, fake_map_ro,
	};
}

void rig_init(struct rig *r)
{
	const uint32_t rwx = LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC;
	void *ram;

	fake_reset();
	memset(r, 0, sizeof(*r));
	if (limen_open(NULL, &r->dev) || limen_vm_create(r->dev, &r->vm) ||
	    limen_ram_add(r->vm, 0, FAKE_RAM, rwx, &ram) ||
	    limen_vcpu_create(r->vm, 0, &r->vcpu) || limen_bus_create(&r->bus) ||
	    event_loop_create(&r->board.loop))
		abort();
	r->ram = ram;
	r->run = limen_vcpu_page(r->vcpu);
	r->run->mode = 64;
	r->board.vm = r->vm;
	r->board.bus = r->bus;
	r->board.end = rig_end;
	r->board.ram_low = FAKE_RAM;
	r->board.cpus = 2;
}

void rig_fini(struct rig *r)
{
	event_loop_destroy(r->board.loop);
	limen_bus_destroy(r->bus);
	limen_vcpu_destroy(r->vcpu);
	limen_vm_destroy(r->vm);
	limen_close(r->dev);
}

static uint64_t port(struct rig *r, uint16_t p, uint32_t size, bool write,
		     uint64_t v)
{
	limen_bus_access(r->bus, LIMEN_BUS_PORT, p, size, write, &v);
	return v;
}

void outb(struct rig *r, uint16_t p, uint32_t v) { port(r, p, 1, true, v); }
void outw(struct rig *r, uint16_t p, uint32_t v) { port(r, p, 2, true, v); }
void outl(struct rig *r, uint16_t p, uint32_t v) { port(r, p, 4, true, v); }
uint32_t inb(struct rig *r, uint16_t p) { return port(r, p, 1, false, 0); }
uint32_t inw(struct rig *r, uint16_t p) { return port(r, p, 2, false, 0); }
uint32_t inl(struct rig *r, uint16_t p) { return port(r, p, 4, false, 0); }

uint32_t mmio_read(struct rig *r, uint64_t gpa, uint32_t size)
{
	uint64_t v = 0;

	limen_bus_access(r->bus, LIMEN_BUS_MMIO, gpa, size, false, &v);
	return v;
}

void mmio_write(struct rig *r, uint64_t gpa, uint32_t size, uint64_t v)
{
	limen_bus_access(r->bus, LIMEN_BUS_MMIO, gpa, size, true, &v);
}
