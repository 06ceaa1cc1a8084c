// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of an interrupt into a guest: what exits it costs, and that none is lost.
 *
 * LIMEN_POSTS=N posted: N posts in each storm (default 20000), every one counted by
 * the guest. On a CPU that posts, interrupts must cost no exits; on others the
 * counts are shown.
 */
#include <glob.h>
#include <limits.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "harness.h"

#define FIRST		0x40	/* vectors of the storms */
#define VECTORS		16
#define SENDERS		2
/* seconds: a post that is lost is seen long before */
#define STORM_TIMEOUT	36000

static unsigned long posts = 20000;

/* Where the guest and its test meet: at GUEST_DATA */
struct meeting {
	volatile u32 stop;
	volatile u32 mode;		/* 0 spins, 1 halts */
	volatile u32 alive;
	u32 pad;
	volatile u32 count[VECTORS];	/* taken, by vector */
};

FIXTURE(posted)
{
	struct vm vm;
	struct vcpu *c;
	struct meeting *m;
};

FIXTURE_SETUP(posted)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->m = (void *)(self->vm.mem + GUEST_DATA);
}

FIXTURE_TEARDOWN(posted)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

/*
 * Vector FIRST + n goes to 16 * n behind the first handler: count and EOI. It is
 * written over the stubs that guest_tables() has made for these vectors.
 */
GUEST64(storm_handler,
	"push %rax; push %rcx; push %rdx; mov 24(%rsp), %rax;"
	"incl 0x100010(,%rax,4); mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr;"
	"pop %rdx; pop %rcx; pop %rax; add $8, %rsp; iretq");
#define HANDLER	(GUEST_CODE + 0x1000)
#define STUBS	(GUEST_CODE + 0x2000)

/* spin with interrupts on, or halt, until told to stop */
GUEST64(storm, X2_ON
	"1: sti; cmpl $0, 0x100000; jne 9f; incl 0x100008; cmpl $0, 0x100004; je 1b;"
	"cli; cmpl $0, 0x100000; jne 9f; sti; hlt; jmp 1b\n9: cli" G_DONE);

static void set_gate(struct vm *vm, u32 vector, u64 at)
{
	u64 *gate = (u64 *)(vm->mem + GUEST_IDT) + 2 * vector;

	gate[0] = (at & 0xffff) | (u64)SEL_CODE64 << 16 | 0x8e00ull << 32 |
		  (at & 0xffff0000ull) << 32;
	gate[1] = 0;
}

/* push $n; jmp to the handler */
static void load_handlers(struct vm *vm)
{
	int n;

	guest_copy(vm, HANDLER, storm_handler, (u64)(storm_handler_end - storm_handler));
	for (n = 0; n < VECTORS; n++) {
		u8 *stub = vm->mem + STUBS + 16 * n;
		u32 rel = HANDLER - (STUBS + 16 * n + 7);

		stub[0] = 0x6a;
		stub[1] = n;
		stub[2] = 0xe9;
		memcpy(stub + 3, &rel, 4);
		set_gate(vm, FIRST + n, STUBS + 16 * n);
	}
}

static void launch(struct vm *vm, struct vcpu *c, const u8 *code, u64 len,
		   pthread_t *t)
{
	guest_copy(vm, GUEST_CODE, code, len);
	vcpu_long(c, GUEST_CODE);
	load_handlers(vm);
	pthread_create(t, NULL, vcpu_thread, c);
}

#define LAUNCH(name, t) launch(&self->vm, self->c, name, (u64)(name##_end - name), t)

static int msi(struct vm *vm, u32 vector)
{
	struct limen_msi arg = { .size = sizeof(arg), .addr = APIC_BASE, .data = vector };

	return ioctl(vm->fd, LIMEN_MSI, &arg);
}

static void pin(pthread_t t, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(t, sizeof(set), &set);
}

static bool has_posting(int dev)
{
	return cap_used(dev, "posted-interrupts");
}

/* Exits of a run of @seconds, with that many interrupts. The thread is on CPU 0. */
static struct guest_stats measure(struct vm *vm, struct vcpu *c, struct meeting *m, int ms,
			     u32 *taken)
{
	u64 end;
	pthread_t t;
	u32 sent = 0;
	void *ret;

	memset(m, 0, sizeof(*m));
	launch(vm, c, storm, (u64)(storm_end - storm), &t);
	pin(t, 0);
	pin(pthread_self(), sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (!m->alive)
		sched_yield();
	end = now_ms() + ms;
	while (now_ms() < end) {
		if (!taken)
			continue;
		msi(vm, FIRST);
		sent++;
		while (m->count[0] != sent && now_ms() < end + 5000)
			;
	}
	m->stop = 1;
	pthread_join(t, &ret);
	if ((long)ret != GUEST_DONE)
		abort();
	if (taken)
		*taken = m->count[0] == sent ? sent : 0;
	return vcpu_stats(c);
}

TEST_F(posted, interrupts_to_a_running_guest_cost_no_exits)
{
	struct guest_stats a, b, c;
	u32 taken = 0, i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	a = vcpu_stats(self->c);
	b = measure(&self->vm, self->c, self->m, 300, NULL);
	c = measure(&self->vm, self->c, self->m, 300, &taken);
	ASSERT_LT(10, taken);
	TH_LOG("%u interrupts", taken);
	for (i = 0; i < a.nr; i++) {
		u64 idle = b.stat[i].value - a.stat[i].value;
		u64 busy = c.stat[i].value - b.stat[i].value;

		if (strncmp(a.stat[i].name, "exit_", 5) || !(idle | busy))
			continue;
		TH_LOG("%-16s %6llu without, %6llu with", (char *)a.stat[i].name,
		       (unsigned long long)idle, (unsigned long long)busy);
		if (!has_posting(self->vm.dev))
			continue;
		/* the host's own tick is what is left, and jitters */
		EXPECT_LE(busy, idle + idle / 4 + 8) TH_LOG("%s", a.stat[i].name);
	}
}

/* 1000 times SELF IPI, the handler, EOI */
GUEST64(self_ipi, X2_ON "movl $1, 0x100008; xor %ebx, %ebx; sti\n"
	"1: mov $0x83f, %ecx; mov $0x40, %eax; xor %edx, %edx; wrmsr; nop;"
	"inc %ebx; cmp $1000, %ebx; jb 1b; cli" G_DONE);

TEST_F(posted, self_ipi_and_eoi_cost_no_exits_where_the_apic_is_virtualized)
{
	pthread_t t;
	void *ret;

	LAUNCH(self_ipi, &t);
	pthread_join(t, &ret);
	ASSERT_EQ(GUEST_DONE, (long)ret);
	EXPECT_EQ(1000, self->m->count[0]);
	TH_LOG("%llu exits for WRMSR, %llu windows for interrupts",
	       (unsigned long long)vcpu_stat(self->c, "exit_wrmsr"),
	       (unsigned long long)vcpu_stat(self->c, "exit_irq_window"));
	if (has_posting(self->vm.dev)) {
		EXPECT_EQ(2, vcpu_stat(self->c, "exit_wrmsr"));	/* those of X2_ON */
		EXPECT_EQ(0, vcpu_stat(self->c, "exit_irq_window"));
		EXPECT_EQ(0, vcpu_stat(self->c, "exit_apic_write"));
	}
}

/* ---- the host's own ---- */

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

/* How often did the host serve it, on all CPUs? -1: it is not in use. */
static long irq_count(int irq)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[512];
	long sum = -1;

	while (f && fgets(line, sizeof(line), f)) {
		char *p = line;
		long n;

		if (strtol(p, &p, 10) != irq || *p++ != ':')
			continue;
		for (sum = 0; sscanf(p, " %ld", &n) == 1; sum += n) {
			p += strspn(p, " ");
			p += strspn(p, "0123456789");
		}
	}
	if (f)
		fclose(f);
	return sum;
}

static bool rises(int irq, long before)
{
	u64 end = now_ms() + 10000;

	while (irq_count(irq) <= before)
		if (now_ms() > end)
			return false;
	return true;
}

/* FADT: PM1a_EVT_BLK, where the enable register is at 2 */
static u16 acpi_events(void)
{
	FILE *f = fopen("/sys/firmware/acpi/tables/FACP", "r");
	u32 port = 0;

	if (!f)
		return 0;
	if (fseek(f, 56, SEEK_SET) || fread(&port, 4, 1, f) != 1)
		port = 0;
	fclose(f);
	return port;
}

static void spin_on_cpu_0(struct vm *vm, struct vcpu *c, struct meeting *m, pthread_t *t)
{
	launch(vm, c, storm, (u64)(storm_end - storm), t);
	pin(*t, 0);
	while (!m->alive)
		sched_yield();
	pin(pthread_self(), sysconf(_SC_NPROCESSORS_ONLN) - 1);
}

/* The keyboard controller is told to say that a key came; the guest is where it goes. */
TEST_F(posted, edge_interrupts_of_the_host_are_served)
{
	pthread_t t;
	void *ret;
	long n;
	int i;

	if (irq_count(1) < 0)
		SKIP(return, "this kernel has no keyboard");
	ASSERT_EQ(0, ioperm(0x60, 5, 1));
	put("/proc/irq/1/smp_affinity_list", "0");
	spin_on_cpu_0(&self->vm, self->c, self->m, &t);
	for (i = 0; i < 20; i++) {
		n = irq_count(1);
		outb(0xd2, 0x64);
		while (inb(0x64) & 2)
			;
		outb(i & 1 ? 0x9e : 0x1e, 0x60);
		EXPECT_TRUE(rises(1, n)) TH_LOG("key %d", i);
	}
	self->m->stop = 1;
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
}

/* A network card on the PCI bus: its line stays low until its handler has dealt with it. */
struct nic {
	char name[IFNAMSIZ];
	int irq;
	int sock;
};

static long number_in(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static bool find_nic(struct nic *nic)
{
	char path[PATH_MAX], driver[PATH_MAX];
	glob_t found;
	size_t i;

	*nic = (struct nic){ .sock = -1 };
	if (system("modprobe ne2k_pci 2>/dev/null") || glob("/sys/class/net/*", 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc && !nic->irq; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/device/driver", found.gl_pathv[i]);
		n = readlink(path, driver, sizeof(driver) - 1);
		if (n < 0)
			continue;
		driver[n] = 0;
		if (!strstr(driver, "ne2k-pci"))
			continue;
		snprintf(path, sizeof(path), "%s/device/irq", found.gl_pathv[i]);
		nic->irq = number_in(path);
		snprintf(nic->name, sizeof(nic->name), "%s", strrchr(found.gl_pathv[i], '/') + 1);
	}
	globfree(&found);
	return nic->irq > 0;
}

static bool open_nic(struct nic *nic)
{
	struct ifreq req = { .ifr_flags = IFF_UP };

	memcpy(req.ifr_name, nic->name, sizeof(req.ifr_name));
	nic->sock = socket(AF_PACKET, SOCK_RAW, 0);
	return nic->sock >= 0 && !ioctl(nic->sock, SIOCSIFFLAGS, &req);
}

/* The card says when it is sent. */
static bool send_frame(struct nic *nic)
{
	static const u8 frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
				      0x88, 0xb5 };
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(nic->name),
		.sll_halen = 6,
	};

	return sendto(nic->sock, frame, sizeof(frame), 0, (void *)&to, sizeof(to)) ==
	       sizeof(frame);
}

/* as the host has it set up */
static bool is_level(int irq)
{
	FILE *f = fopen("/proc/interrupts", "r");
	bool level = false;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strtol(line, NULL, 10) == irq && strstr(line, "fasteoi"))
			level = true;
	if (f)
		fclose(f);
	return level;
}

TEST_F(posted, level_interrupts_of_a_card_are_served)
{
	struct nic nic;
	char path[64];
	pthread_t t;
	void *ret;
	long n;
	int i;

	if (!find_nic(&nic))
		SKIP(return, "no network card with a line of its own");
	ASSERT_TRUE(open_nic(&nic));
	ASSERT_TRUE(is_level(nic.irq));
	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", nic.irq);
	put(path, "0");
	spin_on_cpu_0(&self->vm, self->c, self->m, &t);
	for (i = 0; i < 50; i++) {
		n = irq_count(nic.irq);
		ASSERT_TRUE(send_frame(&nic));
		ASSERT_TRUE(rises(nic.irq, n)) TH_LOG("frame %d", i);
	}
	self->m->stop = 1;
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	close(nic.sock);
}

/* ACPI's interrupt stays until its handler has dealt with the PM timer's event. */
TEST_F(posted, level_interrupts_of_the_host_are_served)
{
	u16 events = acpi_events();
	pthread_t t;
	void *ret;
	long n;
	int i;

	if (!events || irq_count(9) < 0)
		SKIP(return, "this kernel has no ACPI");
	if (is_vmx() && !is_qemu())
		SKIP(return, "Bochs's PM timer raises no interrupt");
	ASSERT_EQ(0, ioperm(events, 4, 1));
	put("/proc/irq/9/smp_affinity_list", "0");
	spin_on_cpu_0(&self->vm, self->c, self->m, &t);
	/* 2.3 s from one to the next */
	for (i = 0; i < 3; i++) {
		u64 end = now_ms() + 10000;

		/* the handler of the last one may still be switching it off */
		for (n = irq_count(9); irq_count(9) == n && now_ms() < end;) {
			outw(inw(events + 2) | 1, events + 2);
			usleep(50000);
		}
		EXPECT_LT(n, irq_count(9)) TH_LOG("event %d", i);
	}
	self->m->stop = 1;
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
}

/* ---- storms ---- */

struct sender {
	struct vm *vm;
	struct meeting *m;
	int first;		/* of its vectors */
	unsigned long posts;
	bool lost;
	bool joined;
	pthread_t thread;
};

/*
 * A post is distinct from the one before if that one was counted: no bit of the
 * descriptor, or of IRR, can have merged them. So the counts must be equal.
 */
static void *send_posts(void *arg)
{
	struct sender *s = arg;
	u32 sent[VECTORS] = { };
	unsigned long i;

	for (i = 0; i < s->posts; i++) {
		int v = s->first + i % (VECTORS / SENDERS);
		u64 limit;

		if (s->m->count[v] != sent[v]) {
			limit = now_ms() + 10000;
			while (s->m->count[v] != sent[v]) {
				sched_yield();
				if (now_ms() > limit) {
					s->lost = true;
					printf("# vector %#x: %u sent, %u counted\n",
					       FIRST + v, sent[v], s->m->count[v]);
					return NULL;
				}
			}
		}
		sent[v]++;
		if (msi(s->vm, FIRST + v) != 1) {
			s->lost = true;
			return NULL;
		}
	}
	return NULL;
}

static void storm_of(struct __test_metadata *_metadata, FIXTURE_DATA(posted) *self,
		     u32 mode, bool migrate)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sender s[SENDERS];
	int left = SENDERS;
	u64 sum = 0;
	pthread_t t;
	void *ret;
	int i;

	memset(self->m, 0, sizeof(*self->m));
	self->m->mode = mode == 1;
	LAUNCH(storm, &t);
	for (i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){
			.vm = &self->vm, .m = self->m, .posts = posts / SENDERS,
			.first = i * VECTORS / SENDERS,
		};
		pthread_create(&s[i].thread, NULL, send_posts, &s[i]);
	}
	for (i = 0; left; i++) {
		u32 n;

		if (migrate)
			pin(t, i % cpus);
		if (mode == 2)
			self->m->mode = i & 1;
		usleep(1000);
		for (n = 0; n < SENDERS; n++) {
			if (s[n].joined || pthread_tryjoin_np(s[n].thread, NULL))
				continue;
			s[n].joined = true;
			left--;
		}
	}
	for (i = 0; i < SENDERS; i++)
		ASSERT_FALSE(s[i].lost);
	/* the last ones are on their way */
	for (i = 0; i < 5000 && sum != posts / SENDERS * SENDERS; i++) {
		u32 v;

		usleep(1000);
		for (sum = 0, v = 0; v < VECTORS; v++)
			sum += self->m->count[v];
	}
	EXPECT_EQ(posts / SENDERS * SENDERS, sum);
	self->m->stop = 1;
	msi(&self->vm, FIRST);
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
}

TEST_F_TIMEOUT(posted, no_post_to_a_running_vcpu_is_lost, STORM_TIMEOUT)
{
	storm_of(_metadata, self, 0, false);
}

TEST_F_TIMEOUT(posted, no_post_to_a_halting_vcpu_is_lost, STORM_TIMEOUT)
{
	storm_of(_metadata, self, 1, false);
}

TEST_F_TIMEOUT(posted, no_post_is_lost_while_the_vcpu_halts_runs_and_moves, STORM_TIMEOUT)
{
	storm_of(_metadata, self, 2, true);
}

/* the harness takes no arguments of ours */
__attribute__((constructor)) static void read_posts(void)
{
	const char *n = getenv("LIMEN_POSTS");

	if (n)
		posts = strtoul(n, NULL, 0);
}

TEST_HARNESS_MAIN
