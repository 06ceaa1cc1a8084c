// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Saving and restoring: the format, whatever happens to a file, and a whole machine of
 * the tool on the fake kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../devices/irqchip.h"
#include "../tool/migrate.h"
#include "../tool/snapshot.h"
#include "../tool/tool.h"
#include "test.h"

#define RAM	(4u << 20)

/* ---- a machine -------------------------------------------------------------------- */

struct mrig {
	struct options o;
	struct machine *m;
	int image, disk;
	char kernel[32], disk_path[32];
};

static uint64_t seed = 88172645463325252ull;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 16;
}

static void scramble(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = rnd();
}

static void options(struct mrig *r)
{
	r->image = memfd_create("image", 0);
	r->disk = memfd_create("disk", 0);
	if (ftruncate(r->image, 64) || ftruncate(r->disk, 1 << 20))
		abort();
	snprintf(r->kernel, sizeof(r->kernel), "/proc/self/fd/%d", r->image);
	snprintf(r->disk_path, sizeof(r->disk_path), "/proc/self/fd/%d", r->disk);
	r->o = (struct options){
		.kernel = r->kernel, .flat = true, .flat_addr = 0x7c00, .cpus = 1,
		.memory = RAM, .numa = -1, .net = "user", .testdev = true, .rng = true,
		.virtio_console = true, .balloon = true, .nr_disks = 1,
		.disk = { r->disk_path },
	};
}

static void mrig_init(struct mrig *r)
{
	memset(r, 0, sizeof(*r));
	fake_reset();
	options(r);
	r->m = calloc(1, sizeof(*r->m));
	EXPECT_EQ(machine_create(r->m, &r->o), 0);
}

static void mrig_close(struct mrig *r)
{
	machine_destroy(r->m);
	free(r->m);
	restore_close(&r->o);
	close(r->image);
	close(r->disk);
}

/* a machine from a file, on a kernel that knows nothing of the one before */
static int mrig_restore(struct mrig *r, int fd)
{
	char path[32];
	int err;

	memset(r, 0, sizeof(*r));
	fake_reset();
	options(r);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r->m = calloc(1, sizeof(*r->m));
	err = restore_open(&r->o, path);
	if (!err)
		err = machine_create(r->m, &r->o);
	if (!err)
		return 0;
	if (r->m->o)
		machine_destroy(r->m);
	free(r->m);
	restore_close(&r->o);
	close(r->image);
	close(r->disk);
	return err;
}

static void port(struct mrig *r, uint16_t p, uint32_t size, uint64_t v)
{
	limen_bus_access(r->m->board.bus, LIMEN_BUS_PORT, p, size, true, &v);
}

static void mmio(struct mrig *r, uint64_t gpa, uint64_t v)
{
	limen_bus_access(r->m->board.bus, LIMEN_BUS_MMIO, gpa, 4, true, &v);
}

static uint64_t mmio_get(struct mrig *r, uint64_t gpa)
{
	uint64_t v = 0;

	limen_bus_access(r->m->board.bus, LIMEN_BUS_MMIO, gpa, 4, false, &v);
	return v;
}

static uint8_t *ram(struct mrig *r, uint64_t gpa)
{
	return limen_gpa_ptr(r->m->board.vm, gpa, 4096, true);
}

/* every device and the vCPU away from where they begin */
static void lived_in(struct mrig *r)
{
	const uint64_t virtio = VIRTIO_BASE;

	scramble(&fake.regs, sizeof(fake.regs));
	scramble(&fake.sregs, sizeof(fake.sregs));
	scramble(&fake.debug, sizeof(fake.debug));
	scramble(&fake.apic, sizeof(fake.apic));
	scramble(&fake.events, sizeof(fake.events));
	scramble(&fake.time, sizeof(fake.time));
	scramble(fake.xsave, sizeof(fake.xsave));
	for (uint32_t i = 0; i < ARRAY_SIZE(fake.msr); i++)
		fake.msr[i].value = rnd();
	port(r, 0x20, 1, 0x11);		/* PIC, half initialized */
	port(r, 0x21, 1, 0x20);
	port(r, 0x4d0, 1, 0x20);
	port(r, 0x3f9, 1, 2);		/* COM1 with an interrupt pending */
	port(r, 0x3fc, 1, 8);
	port(r, 0x70, 1, 0x0b);		/* RTC: periodic and update interrupts */
	port(r, 0x71, 1, 0x52);
	port(r, 0x43, 1, 0x34);		/* PIT, channel 0 at 100 Hz */
	port(r, 0x40, 1, 0x9c);
	port(r, 0x40, 1, 0x2e);
	port(r, 0x61, 1, 1);
	port(r, 0x602, 2, 0x100);
	port(r, 0xcf9, 1, 2);
	port(r, 0x80, 1, 0x77);
	port(r, 0x510, 2, 5);
	port(r, 0xe0, 4, 0x12345678);
	port(r, 0x2005, 1, 1);
	mmio(r, 0xfec00000, 0x10 + 32);
	mmio(r, 0xfec00010, 0x41);
	/* the disk's queue */
	mmio(r, virtio + 0x70, 3);
	mmio(r, virtio + 0x24, 1);
	mmio(r, virtio + 0x20, 1);
	mmio(r, virtio + 0x70, 0xb);
	mmio(r, virtio + 0x38, 8);
	mmio(r, virtio + 0x80, 0x10000);
	mmio(r, virtio + 0x90, 0x11000);
	mmio(r, virtio + 0xa0, 0x12000);
	mmio(r, virtio + 0x44, 1);
	mmio(r, virtio + 0x70, 0xf);
	/* it has taken three requests, and answered two */
	((uint16_t *)ram(r, 0x11000))[1] = 3;
	r->m->virtio[0]->vq[0].last_avail = 3;
	r->m->virtio[0]->vq[0].used_idx = 2;
	/* longer than a section */
	scramble(ram(r, 0x100000), 0x180000);
	scramble(ram(r, 0x20000), 4096);
	scramble(ram(r, 0x21000), 1);
	scramble(ram(r, RAM - 4096), 4096);
}

static int save(struct mrig *r)
{
	int fd = memfd_create("saved", 0);
	char why[160];

	EXPECT_EQ(machine_save(r->m, fd, why, sizeof(why)), 0);
	EXPECT_EQ(why[0], 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static uint8_t *content(int fd, size_t *len)
{
	*len = lseek(fd, 0, SEEK_END);
	lseek(fd, 0, SEEK_SET);
	return mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void expect_same(int a, int b)
{
	size_t la, lb, at = 0;
	uint8_t *pa = content(a, &la), *pb = content(b, &lb);

	EXPECT_EQ(la, lb);
	while (at < la && at < lb && pa[at] == pb[at])
		at++;
	EXPECT_EQ(at, la);
	munmap(pa, la);
	munmap(pb, lb);
}

/* stop a machine whose vCPU has no thread */
static void stand_still(struct mrig *r)
{
	machine_hold(r->m);
	EXPECT_EQ(limen_get_time(r->m->vcpu[0].vcpu, &r->m->vcpu[0].frozen.time), 0);
	r->m->vcpu[0].frozen.deadline = fake.apic.deadline;
	r->m->vcpu[0].frozen.period_left = fake.apic.period_left;
}

static int saved_machine(void)
{
	struct mrig r;
	int fd;

	mrig_init(&r);
	lived_in(&r);
	stand_still(&r);
	fd = save(&r);
	EXPECT_EQ(machine_go(r.m), 0);
	mrig_close(&r);
	return fd;
}

TEST(save_restore_save_gives_the_same_bytes)
{
	int first = saved_machine(), second;
	struct mrig r;

	fake_tsc_khz += 100;		/* as the host has it now: near enough */
	EXPECT_EQ(mrig_restore(&r, first), 0);
	/* time passes, and is none of the machine's */
	usleep(20000);
	second = save(&r);
	expect_same(first, second);
	mrig_close(&r);
	clock_go();
	close(first);
	close(second);
}

TEST(restore_brings_back_what_was_there)
{
	int fd = saved_machine();
	struct limen_regs regs;
	struct mrig r;
	uint8_t page[4096];
	uint64_t deadline;

	seed = 88172645463325252ull;
	EXPECT_EQ(mrig_restore(&r, fd), 0);
	regs = fake.regs;
	memcpy(page, ram(&r, 0x20000), sizeof(page));
	EXPECT_TRUE(regs.rip && page[0] + page[1] + page[2] + page[3]);
	EXPECT_EQ(ram(&r, 0x22000)[0], 0);
	EXPECT_EQ(mmio_get(&r, VIRTIO_BASE + 0x70), 0xf);
	EXPECT_EQ(mmio_get(&r, VIRTIO_BASE + 0x44), 1);
	EXPECT_EQ(r.m->virtio[0]->vq[0].last_avail, 3);
	EXPECT_EQ(r.m->virtio[0]->vq[0].used_idx, 2);
	for (uint32_t i = 0; i < 0x180; i++)
		EXPECT_TRUE(((uint64_t *)ram(&r, 0x100000 + i * 4096))[i]);
	EXPECT_EQ(mmio_get(&r, 0xfec00010), 0x41);
	/* it is wired up anew */
	EXPECT_EQ(fake.irqfd.data, 0x41);
	EXPECT_TRUE(r.m->irqs->asserted[GSI_COM1]);
	EXPECT_TRUE(r.m->irqs->asserted[5]);
	EXPECT_EQ(fake.msis, 0);
	/* the APIC's timers begin with the machine */
	deadline = r.m->vcpu[0].frozen.deadline;
	EXPECT_EQ(fake.apic.deadline, 0);
	EXPECT_TRUE(deadline);
	EXPECT_EQ(machine_go(r.m), 0);
	EXPECT_EQ(fake.apic.deadline, deadline);
	mrig_close(&r);
	close(fd);
}

TEST(time_of_the_guest_goes_on_from_where_it_stood)
{
	uint64_t tsc, clock, before, after, host;
	struct mrig r;
	int fd;

	mrig_init(&r);
	fake.time = (struct limen_time){ .tsc_offset = 1000, .clock_offset = 5000 };
	stand_still(&r);
	tsc = r.m->stop_time.tsc + 1000;
	clock = r.m->stop_time.boot_ns + 5000;
	before = clock_ns();
	fd = save(&r);
	EXPECT_EQ(machine_go(r.m), 0);
	mrig_close(&r);
	usleep(30000);

	EXPECT_EQ(mrig_restore(&r, fd), 0);
	EXPECT_EQ(clock_ns(), before);
	EXPECT_EQ(r.m->stop_time.tsc + fake.time.tsc_offset, tsc);
	EXPECT_EQ(r.m->stop_time.boot_ns + fake.time.clock_offset, clock);
	host = r.m->stop_time.tsc;
	usleep(30000);
	EXPECT_EQ(machine_go(r.m), 0);
	after = clock_ns();
	EXPECT_TRUE(after - before < 20000000);
	/* 30 ms of the host's are not the guest's */
	machine_hold(r.m);
	EXPECT_TRUE(r.m->stop_time.boot_ns + fake.time.clock_offset - clock < 20000000);
	host = r.m->stop_time.tsc - host;
	EXPECT_TRUE(r.m->stop_time.tsc + fake.time.tsc_offset - tsc < host / 2);
	clock_go();
	mrig_close(&r);
	close(fd);
}

/* ---- a machine whose vCPU runs ------------------------------------------------------ */

static _Atomic uint32_t runs, entries, completions, consistent;

static struct limen_vm *written;	/* a page of it in each run, if not NULL */

static void write_page(uint32_t n)
{
	uint64_t v = n;

	if (written)
		(void)limen_gpa_write(written, 0x200000 + n * 7 % 256 * 4096 + n % 4096 / 8 * 8,
				      &v, sizeof(v));
}

/* runs of 1 ms; every second one ends in a port access that has to be completed */
static int busy_guest(struct limen_run *run)
{
	if (run->complete == LIMEN_FULFIL)
		completions++;
	run->complete = 0;
	run->exit = LIMEN_EXIT_NONE;
	if (run->flags & LIMEN_RUN_STOP) {
		/* what nobody was told of yet comes first */
		run->exit = consistent++ & 1 ? LIMEN_EXIT_CONSISTENT : LIMEN_EXIT_EOI;
	} else if (atomic_exchange(&fake.kicked, false)) {
		run->exit = LIMEN_EXIT_KICKED;
	} else if (usleep(1000), write_page(runs), ++runs & 1) {
		entries++;
		run->exit = LIMEN_EXIT_IO;
		run->io.port = 0x80;
		run->io.size = 1;
		run->io.in = 0;
		run->io.string = 0;
	}
	return 0;
}

static void *runner(void *opaque)
{
	(void)machine_run(opaque);
	return NULL;
}

TEST(stop_completes_what_waits_and_go_goes_on)
{
	struct mrig r;
	pthread_t t;
	uint32_t n;

	mrig_init(&r);
	fake.run = busy_guest;
	runs = entries = completions = consistent = 0;
	EXPECT_EQ(pthread_create(&t, NULL, runner, r.m), 0);
	while (runs < 20)
		usleep(1000);
	EXPECT_EQ(machine_stop(r.m), 0);
	n = runs;
	EXPECT_EQ(entries, completions);
	EXPECT_EQ(consistent, 4);		/* twice, with what came first */
	EXPECT_EQ(r.m->pause.parked, 1);
	usleep(30000);
	EXPECT_EQ(runs, n);
	EXPECT_EQ(machine_stop(r.m), 0);	/* it has */
	EXPECT_EQ(machine_go(r.m), 0);
	for (int i = 0; i < 5000 && runs < n + 20; i++)
		usleep(1000);
	EXPECT_TRUE(runs >= n + 20);
	/* an end while it stands still leaves nobody behind */
	EXPECT_EQ(machine_stop(r.m), 0);
	machine_end(r.m, BOARD_QUIT, 0);
	pthread_join(t, NULL);
	EXPECT_EQ(machine_stop(r.m), 0);
	clock_go();
	mrig_close(&r);
}

TEST(paused_machine_begins_when_it_is_told)
{
	struct mrig r;
	pthread_t t;

	mrig_init(&r);
	r.o.paused = true;
	fake.run = busy_guest;
	fake.apic.deadline = 7;
	runs = 0;
	EXPECT_EQ(pthread_create(&t, NULL, runner, r.m), 0);
	usleep(20000);
	EXPECT_EQ(runs, 0);
	EXPECT_TRUE(r.m->stopped);
	EXPECT_EQ(fake.apic.deadline, 0);
	EXPECT_EQ(machine_start(r.m), 0);
	EXPECT_EQ(fake.apic.deadline, 7);
	for (int i = 0; i < 5000 && runs < 5; i++)
		usleep(1000);
	EXPECT_TRUE(runs >= 5);
	machine_end(r.m, BOARD_QUIT, 0);
	pthread_join(t, NULL);
	mrig_close(&r);
}

/* the tool says on standard error what is wrong with a file: here that is no news */
static int quiet(int fd)
{
	int old = dup(STDERR_FILENO);

	dup2(fd, STDERR_FILENO);
	close(fd);
	return old;
}

/* ---- migration ------------------------------------------------------------------------ */

struct peer {
	int fd;
	const char *answer;	/* NULL: close after half of it */
	size_t half;
	int copy;		/* what was read */
	char last[8];		/* and after the answer */
};

/* the other end of a move: reads to the end of the stream, and says something */
static void *peer_thread(void *opaque)
{
	struct peer *p = opaque;
	uint8_t buf[4096];
	size_t total = 0, tail = 24 + 4 + 4;
	ssize_t n;

	while ((n = read(p->fd, buf, sizeof(buf))) > 0) {
		if (write(p->copy, buf, n) != n)
			abort();
		total += n;
		if (!p->answer && total > p->half)
			break;
		if (total > tail) {
			if (pread(p->copy, buf, 4, total - tail) == 4 &&
			    !memcmp(buf, "END ", 4))
				break;
		}
	}
	if (p->answer && send(p->fd, p->answer, strlen(p->answer), MSG_NOSIGNAL) > 0) {
		n = read(p->fd, p->last, sizeof(p->last) - 1);
		(void)n;
	}
	close(p->fd);
	return NULL;
}

/* 0 if the source says that it is done; its machine runs meanwhile */
static int move(struct mrig *r, struct peer *p, char *answer, size_t len)
{
	int pair[2], client[2];
	pthread_t t;
	ssize_t n;

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	p->fd = pair[1];
	p->copy = memfd_create("stream", 0);
	EXPECT_EQ(pthread_create(&t, NULL, peer_thread, p), 0);
	EXPECT_EQ(migration_start(r->m, client[1], pair[0]), 0);
	close(client[1]);
	close(pair[0]);
	n = read(client[0], answer, len - 1);
	answer[n > 0 ? n : 0] = 0;
	close(client[0]);
	pthread_join(t, NULL);
	while (r->m->migration)
		usleep(1000);
	return strcmp(answer, "ok\n");
}

/* what the destination would make of the stream is what the source had */
static void expect_arrived(struct mrig *from, int stream)
{
	uint32_t different = 0;
	struct mrig to;

	if (mrig_restore(&to, stream)) {
		EXPECT_TRUE(false);
		return;
	}
	for (uint64_t gpa = 0; gpa < RAM; gpa += 4096)
		different += !!memcmp(ram(from, gpa), ram(&to, gpa), 4096);
	EXPECT_EQ(different, 0);
	mrig_close(&to);
}

TEST(migration_ends_the_source_only_when_the_other_side_has_all)
{
	struct peer broken = { .half = 100000 }, unwilling = { .answer = "error: no disk\n" };
	struct peer odd = { .answer = "hello\n" }, good = { .answer = "loaded\n" };
	char why[160] = "";
	struct mrig r;
	pthread_t t;

	signal(SIGPIPE, SIG_IGN);
	mrig_init(&r);
	lived_in(&r);
	fake.run = busy_guest;
	fake.keeps_log = true;
	written = r.m->board.vm;
	EXPECT_EQ(pthread_create(&t, NULL, runner, r.m), 0);
	EXPECT_TRUE(move(&r, &broken, why, sizeof(why)));
	EXPECT_TRUE(!strncmp(why, "error: ", 7));
	EXPECT_TRUE(move(&r, &unwilling, why, sizeof(why)));
	EXPECT_TRUE(strstr(why, "no disk"));
	EXPECT_EQ(unwilling.last[0], 0);
	EXPECT_TRUE(move(&r, &odd, why, sizeof(why)));
	EXPECT_EQ(odd.last[0], 0);
	EXPECT_EQ(atomic_load(&r.m->end) + r.m->stopped, END_NONE);
	EXPECT_EQ(move(&r, &good, why, sizeof(why)), 0);
	EXPECT_EQ(strcmp(good.last, "go\n"), 0);
	EXPECT_EQ(atomic_load(&r.m->end), BOARD_QUIT);
	pthread_join(t, NULL);
	written = NULL;
	lseek(good.copy, 0, SEEK_SET);
	expect_arrived(&r, good.copy);
	clock_go();
	mrig_close(&r);
	close(broken.copy);
	close(unwilling.copy);
	close(odd.copy);
	close(good.copy);
}

TEST(migration_works_without_a_log)
{
	struct peer good = { .answer = "loaded\n" };
	char why[160] = "";
	struct mrig r;
	pthread_t t;

	mrig_init(&r);
	lived_in(&r);
	fake.run = busy_guest;
	fake.no_log = true;
	EXPECT_EQ(pthread_create(&t, NULL, runner, r.m), 0);
	EXPECT_EQ(move(&r, &good, why, sizeof(why)), 0);
	pthread_join(t, NULL);
	lseek(good.copy, 0, SEEK_SET);
	expect_arrived(&r, good.copy);
	clock_go();
	mrig_close(&r);
	close(good.copy);
}

TEST(migration_ends_with_the_machine)
{
	int pair[2], client[2];
	char why[64] = "";
	struct mrig r;

	mrig_init(&r);
	lived_in(&r);
	fake.keeps_log = true;
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	EXPECT_EQ(migration_start(r.m, client[1], pair[0]), 0);
	usleep(20000);
	clock_go();
	mrig_close(&r);
	EXPECT_TRUE(read(client[0], why, sizeof(why) - 1) > 0);
	EXPECT_TRUE(strstr(why, "ended"));
	close(pair[0]);
	close(pair[1]);
	close(client[0]);
	close(client[1]);
}

TEST(incoming_begins_only_when_it_is_told)
{
	int pair[2];
	char line[16] = "";
	int err;

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(send(pair[0], "go\n", 3, 0), 3);
	EXPECT_EQ(migrate_loaded(pair[1], NULL), 0);
	EXPECT_EQ(recv(pair[0], line, sizeof(line), 0), 7);
	EXPECT_EQ(strcmp(line, "loaded\n"), 0);
	EXPECT_EQ(migrate_loaded(pair[1], "bad"), -EPROTO);
	EXPECT_EQ(recv(pair[0], line, sizeof(line), 0), 11);
	close(pair[0]);
	err = quiet(open("/dev/null", O_WRONLY));
	EXPECT_EQ(migrate_loaded(pair[1], NULL), -EPROTO);
	close(quiet(err));
	close(pair[1]);
}

/* ---- files that are not as they were -------------------------------------------------- */

static int verify(const uint8_t *p, size_t len)
{
	static int fd = -1;
	char why[160] = "";
	int err;

	if (fd < 0)
		fd = memfd_create("copy", 0);
	if (ftruncate(fd, 0) || pwrite(fd, p, len, 0) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	err = snapshot_verify(fd, why, sizeof(why));
	EXPECT_EQ(!err, !why[0]);
	return err;
}

/* a small file with every kind of thing in it */
static uint8_t *small_file(size_t *len)
{
	uint8_t payload[600];
	const struct iovec part[] = { { payload, 8 }, { payload, sizeof(payload) } };
	int fd = memfd_create("small", 0);
	struct snapshot sn;

	scramble(payload, sizeof(payload));
	EXPECT_EQ(snapshot_create(&sn, fd), 0);
	EXPECT_EQ(snapshot_write(&sn, SECTION_CONFIG, 0, 1, part, 1), 0);
	EXPECT_EQ(snapshot_write(&sn, SECTION_MEMORY, 0, 1, part, 2), 0);
	EXPECT_EQ(snapshot_write(&sn, SECTION_CLOCK, 7, 1, part, 0), 0);
	EXPECT_EQ(snapshot_end(&sn), 0);
	return content(fd, len);
}

TEST(snapshot_is_refused_at_every_length_but_its_own)
{
	size_t len;
	uint8_t *p = small_file(&len), *longer = malloc(len + 1);

	EXPECT_EQ(verify(p, len), 0);
	for (size_t i = 0; i < len; i++)
		EXPECT_EQ(verify(p, i), -EBADMSG);
	memcpy(longer, p, len);
	longer[len] = 0;
	EXPECT_EQ(verify(longer, len + 1), -EBADMSG);
	free(longer);
	munmap(p, len);
}

TEST(snapshot_is_refused_with_any_bit_altered)
{
	size_t len;
	uint8_t *p = small_file(&len);

	for (size_t i = 0; i < 8 * len; i++) {
		p[i / 8] ^= 1 << i % 8;
		EXPECT_EQ(verify(p, len), -EBADMSG);
		p[i / 8] ^= 1 << i % 8;
	}
	/* and with a few bytes of something else */
	for (int i = 0; i < 20000; i++) {
		uint8_t old[8];
		size_t at = rnd() % (len - sizeof(old));

		memcpy(old, p + at, sizeof(old));
		scramble(p + at, 1 + rnd() % sizeof(old));
		if (memcmp(old, p + at, sizeof(old)))
			EXPECT_EQ(verify(p, len), -EBADMSG);
		memcpy(p + at, old, sizeof(old));
	}
	EXPECT_EQ(verify(p, len), 0);
	munmap(p, len);
}

TEST(snapshot_is_refused_without_one_of_its_sections)
{
	size_t len, head = 24, first = 24 + 8 + 4;
	uint8_t *p = small_file(&len), *q = malloc(len);

	memcpy(q, p, head);
	memcpy(q + head, p + head + first, len - head - first);
	EXPECT_EQ(verify(q, len - first), -EBADMSG);
	free(q);
	munmap(p, len);
}

TEST(crc32c_is_that_of_the_standard)
{
	uint8_t buf[32];

	/* RFC 3720, appendix B.4 */
	for (int i = 0; i < 32; i++)
		buf[i] = i;
	EXPECT_EQ(crc32c(0, buf, sizeof(buf)), 0x46dd794e);
	EXPECT_EQ(crc32c(crc32c(0, buf, 5), buf + 5, 27), 0x46dd794e);
	EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283);
}

/* the whole machine: what a truncated file starts is nothing */
TEST(restore_of_a_cut_file_starts_nothing)
{
	int fd = saved_machine();
	int err = quiet(open("/dev/null", O_WRONLY));
	size_t len = lseek(fd, 0, SEEK_END);
	struct mrig r;

	for (int i = 0; i < 20; i++) {
		int copy = memfd_create("cut", 0);
		uint8_t *p = content(fd, &len);
		size_t cut = rnd() % len;

		if (write(copy, p, cut) != (ssize_t)cut)
			abort();
		munmap(p, len);
		EXPECT_TRUE(mrig_restore(&r, copy) < 0);
		EXPECT_EQ(fake.regs.rip, 0);
		close(copy);
	}
	close(quiet(err));
	close(fd);
}

/* sections whose checksum is right and whose content is a liar's */
static void forge(uint8_t *p, size_t len)
{
	size_t at = 24, n = 0, pick, start[64];
	uint64_t size;
	uint32_t crc;

	while (at + 24 < len && n < ARRAY_SIZE(start)) {
		start[n++] = at;
		memcpy(&size, p + at + 16, 8);
		at += 24 + size + 4;
	}
	pick = start[rnd() % n];
	memcpy(&size, p + pick + 16, 8);
	for (uint32_t i = 1 + rnd() % 8; size && i; i--)
		p[pick + 24 + rnd() % size] = rnd() & 1 ? rnd() : 0xff;
	if (!(rnd() & 15))
		p[pick + rnd() % 12] = rnd();
	crc = crc32c(0, p + pick, 24 + size);
	memcpy(p + pick + 24 + size, &crc, 4);
}

TEST(fuzz_restore_of_forged_files)
{
	const char *s = getenv("LIMEN_FUZZ");
	int fd = saved_machine(), taken = 0, refused = 0;
	uint32_t rounds = 300 * (s ? strtoul(s, NULL, 10) : 1);
	int err = quiet(open("/dev/null", O_WRONLY));

	for (uint32_t i = 0; i < rounds; i++) {
		int copy = memfd_create("forged", 0);
		struct mrig r;
		size_t len;
		uint8_t *p = content(fd, &len);

		if (write(copy, p, len) != (ssize_t)len)
			abort();
		munmap(p, len);
		p = content(copy, &len);
		forge(p, len);
		munmap(p, len);
		if (mrig_restore(&r, copy)) {
			refused++;
		} else {
			/* what was taken must be fit to be used */
			(void)machine_go(r.m);
			for (uint32_t a = 0; a < 0x1000; a++)
				if (a != 0x3f8)		/* our own output */
					port(&r, a, 1, 0);
			mrig_close(&r);
			taken++;
		}
		clock_go();
		close(copy);
	}
	close(quiet(err));
	EXPECT_TRUE(taken && refused);
	close(fd);
}
