// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz [--seed N] [--calls N]: calls with arguments that are nearly right, by two
 * threads at once on the same VMs. What can go wrong is the host's: lab/run reads
 * its log, and at the end a fresh VM must work. The same seed makes the same
 * calls; how the two threads mix is the machine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define PTR(p) ((u64)(uintptr_t)(p))
#define NR_FDS 24
#define NR_EVENTFDS 4

struct fuzzer {
	u64 seed;
	u64 calls;
	u64 good;
	u64 bad;
	bool done;
	u8 *arena;		/* for arguments; its end is unmapped */
	u8 *mem;		/* for guest memory */
};

/* Descriptors that both threads use: [0] the device, then VMs and vCPUs */
static int fds[NR_FDS];
static int eventfds[NR_EVENTFDS];

#define ARENA 0x10000ull
#define MEM 0x400000ull

static u64 value(struct fuzzer *f)
{
	static const u64 some[] = {
		0, 1, 2, 3, 4, 7, 8, 16, 63, 64, 65, 255, 256, 4095, 4096, 8192, 0x200000,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfee00000, 1ull << 40, 1ull << 52,
		1ull << 63, ~0ull, ~0xfffull,
	};
	u64 r = next_random(&f->seed);

	switch (r & 7) {
	case 0: case 1: case 2:
		return some[(r >> 8) % (sizeof(some) / sizeof(some[0]))];
	case 3: return PTR(f->arena) + (r >> 8) % ARENA;
	case 4: return PTR(f->mem) + ((r >> 8) % MEM & ~0xfffull);
	case 5: return (r >> 8) & 0x3ff000;
	case 6: return (r >> 8) % 32;
	}
	return next_random(&f->seed);
}

/* Mostly something valid in the fields that everything else depends on */
static u64 pick(struct fuzzer *f, u64 sane)
{
	return next_random(&f->seed) % 5 ? sane : value(f);
}

static u64 below(struct fuzzer *f, u64 n)
{
	return next_random(&f->seed) % n;
}

/* The argument of a call: where it lies, often right up to unmapped memory. */
static u8 *place(struct fuzzer *f, u32 size)
{
	u8 *p = f->arena + (below(f, 3) ? 0 : ARENA - size);
	u32 i;

	for (i = 0; i + 8 <= size; i += 8) {
		u64 v = value(f);

		memcpy(p + i, &v, 8);
	}
	*(u32 *)p = pick(f, size);
	return p;
}

static void keep(struct fuzzer *f, int fd)
{
	int old;

	if (fd < 0)
		return;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	old = __atomic_exchange_n(&fds[1 + below(f, NR_FDS - 1)], fd, __ATOMIC_SEQ_CST);
	if (old > 0)
		close(old);
}

static void fill_state(struct fuzzer *f, struct limen_state *s, int fd)
{
	struct limen_state_item *item = (void *)(f->arena + 0x1000);
	struct limen_state get = { .size = sizeof(get), .count = 1 };
	static const u32 len[] = { 0, sizeof(struct limen_regs), sizeof(struct limen_sregs),
		sizeof(struct limen_debugregs), sizeof(struct limen_msr) * 3, 0,
		sizeof(struct limen_apic), sizeof(struct limen_events),
		sizeof(struct limen_time) };
	u32 i, n = 1 + below(f, 4);

	for (i = 0; i < n; i++) {
		u32 cls = 1 + below(f, LIMEN_NR_CLASS - 1);
		u8 *data = f->arena + 0x2000 + i * 0x2000;

		item[i] = (struct limen_state_item){ cls, len[cls] ?: 4096, PTR(data) };
		/* what the vCPU has, with a word of it changed */
		get.items = PTR(&item[i]);
		try_ioctl(fd, LIMEN_STATE_GET, &get);
		if (below(f, 2))
			*(u64 *)(data + (below(f, item[i].len | 8) & ~7ull)) = value(f);
		if (!below(f, 8))
			item[i].cls = value(f);
		if (!below(f, 8))
			item[i].len = value(f);
		if (!below(f, 16))
			item[i].data = value(f);
	}
	s->count = pick(f, n);
	s->items = pick(f, PTR(item));
}

static int device_call(struct fuzzer *f, int fd)
{
	struct limen_cpuid *c;
	u8 *p;

	switch (below(f, 6)) {
	case 0:
		return ioctl(fd, LIMEN_INFO, place(f, sizeof(struct limen_info)));
	case 1:
		return ioctl(fd, LIMEN_CAP, place(f, sizeof(struct limen_cap)));
	case 2:
		c = (void *)place(f, sizeof(*c));
		c->entries = pick(f, PTR(f->arena + 0x4000));
		c->count = pick(f, 256);
		return ioctl(fd, LIMEN_CPUID_GET, c);
	case 3:
		p = place(f, sizeof(struct limen_msr_list));
		((struct limen_msr_list *)p)->indices = pick(f, PTR(f->arena + 0x4000));
		return ioctl(fd, LIMEN_MSR_LIST, p);
	default:
		p = place(f, sizeof(struct limen_vm_create));
		((struct limen_vm_create *)p)->flags = pick(f, 0);
		fd = ioctl(fd, LIMEN_VM_CREATE, p);
		keep(f, fd);
		return fd;
	}
}

static int event_call(struct fuzzer *f, int fd)
{
	int event = eventfds[below(f, NR_EVENTFDS)];
	struct limen_ioeventfd *io;
	struct limen_irqfd *irq;
	const u64 one = 1;

	switch (below(f, 3)) {
	case 0:
		irq = (void *)place(f, sizeof(*irq));
		irq->flags = pick(f, below(f, 5));
		irq->fd = pick(f, event);
		irq->resample_fd = pick(f, irq->flags & LIMEN_IRQFD_RESAMPLE ? eventfds[0] : 0);
		irq->addr = pick(f, irq->flags & LIMEN_IRQFD_DEASSIGN ? 0 : APIC_BASE);
		irq->data = pick(f, irq->addr ? 0x8000 | below(f, 256) : 0);
		irq->reserved = pick(f, 0);
		return ioctl(fd, LIMEN_IRQFD, irq);
	case 1:
		io = (void *)place(f, sizeof(*io));
		io->flags = pick(f, below(f, 8));
		io->addr = pick(f, below(f, 16) << 12);
		io->len = pick(f, 1 << below(f, 4));
		io->match = pick(f, io->flags & LIMEN_IOEVENTFD_MATCH ? below(f, 4) : 0);
		io->fd = pick(f, event);
		return ioctl(fd, LIMEN_IOEVENTFD, io);
	default:
		return write(event, &one, sizeof(one));
	}
}

static int dirty_call(struct fuzzer *f, int fd)
{
	struct limen_dirty *d = (void *)place(f, sizeof(*d));

	d->op = pick(f, below(f, 4));
	d->gpa = pick(f, (below(f, 16) << 20) + (below(f, 256) << 12));
	d->len = pick(f, (1 + below(f, 256)) << 12);
	d->bitmap = pick(f, d->op == LIMEN_DIRTY_MARK ? 0 : PTR(f->arena + 0x4000));
	d->count = pick(f, 0);
	return ioctl(fd, LIMEN_DIRTY, d);
}

static int vm_call(struct fuzzer *f, int fd)
{
	static const unsigned long range_call[] = { LIMEN_MAP, LIMEN_MAP, LIMEN_UNMAP,
						    LIMEN_PROTECT };
	unsigned long cmd;
	struct limen_range *r;
	u8 *p;
	int ret;

	switch (below(f, 14)) {
	case 0: case 1: case 2: case 3:
		cmd = range_call[below(f, 4)];
		r = (void *)place(f, sizeof(*r));
		r->flags = pick(f, cmd == LIMEN_UNMAP ? 0 : 1 | below(f, 16));
		r->gpa = pick(f, below(f, 16) << 20);
		r->len = pick(f, 1ull << 20);
		r->hva = pick(f, cmd == LIMEN_MAP ? PTR(f->mem) + (below(f, 4) << 20) : 0);
		return ioctl(fd, cmd, r);
	case 4:
		p = place(f, sizeof(struct limen_msi));
		((struct limen_msi *)p)->addr = pick(f, APIC_BASE | below(f, 256) << 12 |
						     below(f, 4) << 2);
		((struct limen_msi *)p)->data = pick(f, below(f, 0x10000));
		return ioctl(fd, LIMEN_MSI, p);
	case 5:
		p = place(f, sizeof(struct limen_extint));
		((struct limen_extint *)p)->level = pick(f, below(f, 2));
		return ioctl(fd, LIMEN_EXTINT, p);
	case 6:
		p = place(f, sizeof(struct limen_policy));
		((struct limen_policy *)p)->kind = pick(f, 1 + below(f, 3));
		((struct limen_policy *)p)->access = pick(f, 1 + below(f, 3));
		((struct limen_policy *)p)->action = pick(f, below(f, 4));
		return ioctl(fd, LIMEN_POLICY, p);
	case 7: case 8:
		return event_call(f, fd);
	case 9: case 10:
		return dirty_call(f, fd);
	default:
		p = place(f, sizeof(struct limen_vcpu_create));
		((struct limen_vcpu_create *)p)->id = pick(f, below(f, 4));
		ret = ioctl(fd, LIMEN_VCPU_CREATE, p);
		keep(f, ret);
		return ret;
	}
}

static int vcpu_run_call(struct fuzzer *f, int fd)
{
	struct limen_run *run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int ret;

	if (run == MAP_FAILED)
		return -1;
	run->complete = pick(f, below(f, 2));
	run->dirty = pick(f, below(f, 2));
	run->flags = pick(f, !below(f, 8));
	if (!below(f, 4))
		((u64 *)run)[below(f, 64)] = value(f);
	if (below(f, 2))
		ioctl(fd, LIMEN_KICK, 0);
	ret = ioctl(fd, LIMEN_RUN, 0);
	munmap(run, 4096);
	return ret;
}

static int ring_call(struct fuzzer *f, int fd)
{
	struct limen_dirty_ring_create *ring;
	struct limen_dirty_taken *taken;
	u64 len = 4096 + (below(f, 4) << 12), sum = 0, i;
	u8 *p;

	switch (below(f, 3)) {
	case 0:
		ring = (void *)place(f, sizeof(*ring));
		ring->entries = pick(f, 1024u << below(f, 4));
		return ioctl(fd, LIMEN_DIRTY_RING, ring);
	case 1:
		taken = (void *)place(f, sizeof(*taken));
		taken->count = pick(f, below(f, 4));
		return ioctl(fd, LIMEN_DIRTY_TAKEN, taken);
	}
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, LIMEN_RING_OFFSET);
	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < len; i += 4096)
		sum += *(volatile u8 *)(p + i);
	munmap(p, len);
	return sum & 0;
}

static int vcpu_call(struct fuzzer *f, int fd)
{
	struct limen_cpuid *c;
	u8 *p;

	switch (below(f, 13)) {
	case 0: case 1: case 2: case 3:
		return vcpu_run_call(f, fd);
	case 4: case 5: case 6:
		p = place(f, sizeof(struct limen_state));
		fill_state(f, (void *)p, fd);
		return ioctl(fd, below(f, 3) ? LIMEN_STATE_SET : LIMEN_STATE_GET, p);
	case 7:
		c = (void *)place(f, sizeof(*c));
		c->entries = pick(f, PTR(f->arena + 0x4000));
		c->count = pick(f, below(f, 40));
		return ioctl(fd, LIMEN_CPUID_SET, c);
	case 8:
		p = place(f, sizeof(struct limen_translate));
		((struct limen_translate *)p)->access = pick(f, 1u << below(f, 3));
		return ioctl(fd, LIMEN_TRANSLATE, p);
	case 9:
		p = place(f, sizeof(struct limen_apic_access));
		((struct limen_apic_access *)p)->offset = pick(f, below(f, 64) << 4);
		((struct limen_apic_access *)p)->write = pick(f, below(f, 2));
		return ioctl(fd, LIMEN_APIC_ACCESS, p);
	case 10:
		p = place(f, sizeof(struct limen_stats));
		((struct limen_stats *)p)->stats = pick(f, PTR(f->arena + 0x4000));
		return ioctl(fd, LIMEN_STATS, p);
	case 11:
		return ring_call(f, fd);
	}
	return ioctl(fd, below(f, 2) ? LIMEN_NMI : LIMEN_KICK, 0);
}

static void one(struct fuzzer *f)
{
	u32 i = below(f, NR_FDS + 4);
	int fd = i < NR_FDS ? __atomic_load_n(&fds[i], __ATOMIC_SEQ_CST) : fds[0];
	int ret;

	switch (below(f, 24)) {
	case 0:			/* any call, any bytes */
		ret = ioctl(fd, _IO(LIMEN_IOCTL, below(f, 0x60)), place(f, 64));
		break;
	case 1:
		ret = ioctl(fd, value(f), value(f));
		break;
	case 2:			/* memory comes and goes */
		ret = madvise(f->mem + (below(f, MEM) & ~0xfffull), 4096, MADV_DONTNEED);
		break;
	case 3:
		ret = mprotect(f->mem + (below(f, MEM) & ~0xfffull), 4096,
			       below(f, 4) ? PROT_READ | PROT_WRITE : PROT_READ);
		break;
	default:
		if (fd == fds[0])
			ret = device_call(f, fd);
		else if (ioctl(fd, LIMEN_VCPU_CREATE, 0) < 0 && errno == ENOTTY)
			ret = vcpu_call(f, fd);
		else
			ret = vm_call(f, fd);
	}
	if (ret < 0)
		f->bad++;
	else
		f->good++;
}

static void *fuzz(void *arg)
{
	struct fuzzer *f = arg;
	u64 i;

	for (i = 0; i < f->calls; i++)
		one(f);
	__atomic_store_n(&f->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void prepare(struct fuzzer *f, u64 seed, u64 calls)
{
	*f = (struct fuzzer){ .seed = seed, .calls = calls };
	f->arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(f->arena + ARENA, 4096);
	f->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

GUEST64(done, G_DONE);

static bool still_works(void)
{
	struct vm vm;
	struct vcpu *c = vm_simple(&vm);
	int ret;

	guest_load(&vm, done);
	vcpu_long(c, GUEST_CODE);
	do {
		ret = vcpu_go(c);
	} while (ret == -EINTR);
	vm_close(&vm);
	return ret == GUEST_DONE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "calls", required_argument, NULL, 'c' }, {}
	};
	struct sigaction sa = { .sa_handler = on_alarm };
	struct timespec ms = { .tv_nsec = 2000000 };
	u64 seed = 1, calls = 10000;
	struct fuzzer f[2];
	pthread_t t[2];
	bool good;
	int i, opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) > 0) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'c')
			calls = strtoull(optarg, NULL, 0);
		else
			return 1;
	}
	printf("TAP version 13\n1..1\n");
	for (i = 0; i < NR_EVENTFDS; i++)
		eventfds[i] = eventfd(0, EFD_NONBLOCK);
	fds[0] = limen_open();
	if (fds[0] < 0) {
		printf("ok 1 fuzz # SKIP no /dev/limen\n");
		return 4;
	}
	for (i = 1; i < NR_FDS; i++)
		fds[i] = -1;
	sigaction(SIGALRM, &sa, NULL);
	printf("# seed %llu, %llu calls\n", (unsigned long long)seed,
	       (unsigned long long)calls);
	for (i = 0; i < 2; i++) {
		prepare(&f[i], seed * 2 + i, calls / 2);
		pthread_create(&t[i], NULL, fuzz, &f[i]);
	}
	for (i = 0; i < 2; i++) {
		/* a signal ends whatever sleeps or spins in LIMEN_RUN */
		while (pthread_tryjoin_np(t[i], NULL)) {
			if (!i)
				pthread_kill(t[0], SIGALRM);
			if (!__atomic_load_n(&f[1].done, __ATOMIC_SEQ_CST))
				pthread_kill(t[1], SIGALRM);
			nanosleep(&ms, NULL);
		}
		printf("# thread %d: %llu calls went well, %llu were refused\n", i,
		       (unsigned long long)f[i].good, (unsigned long long)f[i].bad);
	}
	good = still_works() && f[0].good > calls / 40 && f[1].good > calls / 40;
	printf("%sok 1 fuzz\n", good ? "" : "not ");
	return !good;
}
