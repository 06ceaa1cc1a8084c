// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd and ioeventfd: that a signal is an interrupt and a write a signal, each
 * once, on a vCPU that runs, sleeps or is not there; what ends them; bad input.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

/* halt until that many events were logged */
#define WAIT(n)	"\n661: cli; cmpl $" #n ", %gs:0; jae 662f; sti; hlt; jmp 661b\n662: sti\n"

#define BELL	0xd0000050ull	/* no memory there */
#define LEVEL	0xc000

FIXTURE(eventfd)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
	int fd, other;
};

FIXTURE_SETUP(eventfd)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
	self->fd = eventfd(0, EFD_NONBLOCK);
	self->other = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(eventfd)
{
	if (self->vm.mem)
		vm_close(&self->vm);
	close(self->fd);
	close(self->other);
}

static int irqfd(struct vm *vm, u32 flags, int fd, int resample, u32 data)
{
	struct limen_irqfd arg = {
		.size = sizeof(arg), .flags = flags, .fd = fd, .resample_fd = resample,
		.addr = flags & LIMEN_IRQFD_DEASSIGN ? 0 : APIC_BASE, .data = data,
	};

	return try_ioctl(vm->fd, LIMEN_IRQFD, &arg);
}

static int ioeventfd(struct vm *vm, u32 flags, u64 addr, u32 len, u64 match, int fd)
{
	struct limen_ioeventfd arg = {
		.size = sizeof(arg), .flags = flags, .addr = addr, .len = len,
		.match = match, .fd = fd,
	};

	return try_ioctl(vm->fd, LIMEN_IOEVENTFD, &arg);
}

static void ring(int fd)
{
	const u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* takes the counter; 0 if it was */
static u64 count(int fd)
{
	u64 v;

	return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static bool wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 20000) == 1;
}

static void nap(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

static void *ring_later(void *arg)
{
	nap(50);
	ring(*(int *)arg);
	return NULL;
}

/* ---- irqfd ---- */

GUEST64(take, X2_ON "out %al, $0x50; sti; nop; nop; nop; nop; nop" G_DONE);

TEST_F(eventfd, a_signal_is_an_interrupt)
{
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	EXPECT_EQ(0, count(self->fd));		/* the module has taken it */
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x61, self->b->event[0].vector);
}

TEST_F(eventfd, many_signals_merge_while_the_interrupt_waits)
{
	int i;

	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->other, 0, 0x52));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	for (i = 0; i < 1000; i++)
		ring(self->fd);
	ring(self->other);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(2, self->b->nr_events);
	EXPECT_EQ(0x61, self->b->event[0].vector);
	EXPECT_EQ(0x52, self->b->event[1].vector);
}

GUEST64(sleeper, X2_ON WAIT(1) G_DONE);

TEST_F(eventfd, a_signal_wakes_from_hlt)
{
	pthread_t t;

	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	pthread_create(&t, NULL, ring_later, &self->fd);
	ASSERT_EQ(GUEST_DONE, START(sleeper));
	pthread_join(t, NULL);
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x61, self->b->event[0].vector);
}

/* never exits but for what comes from outside */
GUEST64(spinner, X2_ON "sti\n1: pause; cmpl $20, %gs:0; jb 1b" G_DONE);

TEST_F(eventfd, signals_reach_a_vcpu_that_runs)
{
	pthread_t t;
	void *ret;
	u32 i;

	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	guest_load(&self->vm, spinner);
	self->b->nr_events = 0;
	vcpu_long(self->c, GUEST_CODE);
	pthread_create(&t, NULL, vcpu_thread, self->c);
	for (i = 0; i < 20; i++) {
		u64 until = now_ms() + 20000;

		ring(self->fd);
		while (__atomic_load_n(&self->b->nr_events, __ATOMIC_RELAXED) <= i &&
		       now_ms() < until)
			nap(1);
		ASSERT_LT(i, __atomic_load_n(&self->b->nr_events, __ATOMIC_RELAXED))
			TH_LOG("signal %u is lost", i);
	}
	pthread_join(t, &ret);
	ASSERT_EQ(GUEST_DONE, (long)ret);
}

TEST_F(eventfd, a_signal_before_the_assignment_counts_once)
{
	int i;

	for (i = 0; i < 3; i++)
		ring(self->fd);
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	EXPECT_EQ(0, count(self->fd));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
}

TEST_F(eventfd, an_update_changes_the_message)
{
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_UPDATE, self->fd, 0, 0x72));
	ring(self->fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x72, self->b->event[0].vector);
}

TEST_F(eventfd, deassign_stops_the_interrupts)
{
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_DEASSIGN, self->fd, 0, 0));
	ring(self->fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->b->nr_events);
	EXPECT_EQ(1, count(self->fd));		/* it is the VMM's again */
	EXPECT_EQ(ENOENT, irqfd(&self->vm, LIMEN_IRQFD_DEASSIGN, self->fd, 0, 0));
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
}

TEST_F(eventfd, closing_the_eventfd_ends_its_irqfd)
{
	int i, fd;

	/* more than the limit: what is closed does not count */
	for (i = 0; i < LIMEN_MAX_IRQFDS + 10; i++) {
		fd = eventfd(0, 0);
		ASSERT_EQ(0, irqfd(&self->vm, 0, fd, 0, 0x61)) TH_LOG("number %d", i);
		close(fd);
	}
	/* a copy of the descriptor keeps it */
	fd = dup(self->fd);
	ASSERT_EQ(0, irqfd(&self->vm, 0, fd, 0, 0x61));
	close(fd);
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
}

TEST_F(eventfd, an_eventfd_may_serve_two_vms)
{
	struct guest_block *b;
	struct vcpu *c;
	struct vm vm;

	c = vm_simple(&vm);
	b = vcpu_block(c);
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(0, irqfd(&vm, 0, self->fd, 0, 0x62));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ASSERT_EQ(LIMEN_EXIT_IO, guest_start(c, take, take_end));
	ring(self->fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(GUEST_DONE, vcpu_go(c));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(1, b->nr_events);
	vm_close(&vm);
}

/* ---- level-triggered, with resample ---- */

TEST_F(eventfd, the_end_of_a_level_interrupt_signals_resample)
{
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, self->fd, self->other,
			   LEVEL | 0x41));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	EXPECT_EQ(0, count(self->other));
	/* no LIMEN_EXIT_EOI */
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(1, count(self->other));
}

/* A device that wants service three times, and a thread that watches its line */
struct device {
	int fd, resample;
	int left;
};

static void *device_thread(void *arg)
{
	struct device *d = arg;

	ring(d->fd);
	while (d->left && wait_for(d->resample)) {
		if (count(d->resample) && --d->left)
			ring(d->fd);
	}
	return NULL;
}

GUEST64(serve_3, X2_ON WAIT(3) G_DONE);

TEST_F(eventfd, a_device_that_still_wants_service_signals_again)
{
	struct device d = { self->fd, self->other, 3 };
	pthread_t t;

	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, self->fd, self->other,
			   LEVEL | 0x41));
	pthread_create(&t, NULL, device_thread, &d);
	ASSERT_EQ(GUEST_DONE, START(serve_3));
	pthread_join(t, NULL);
	EXPECT_EQ(3, self->b->nr_events);
	EXPECT_EQ(0, d.left);
}

TEST_F(eventfd, a_vector_that_others_send_too_exits_as_well)
{
	struct limen_msi msi = { .size = sizeof(msi), .addr = APIC_BASE,
				 .data = LEVEL | 0x41 };

	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, self->fd, self->other,
			   LEVEL | 0x41));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ASSERT_EQ(1, ioctl(self->vm.fd, LIMEN_MSI, &msi));
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(0x41, self->c->run->eoi.vector);
	EXPECT_EQ(1, count(self->other));
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	/* and from now on always */
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(1, count(self->other));
}

TEST_F(eventfd, a_level_irqfd_without_resample_exits)
{
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, LEVEL | 0x41));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(0x41, self->c->run->eoi.vector);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, self->b->nr_events);
}

TEST_F(eventfd, all_that_share_a_level_vector_are_resampled)
{
	int fd = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, self->fd, self->other,
			   LEVEL | 0x41));
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, fd, resample, LEVEL | 0x41));
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, count(self->other));
	EXPECT_EQ(1, count(resample));
	/* one that was moved to another vector hears of it at once, and no more then */
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_UPDATE, fd, 0, LEVEL | 0x42));
	EXPECT_EQ(1, count(resample));
	close(resample);		/* does not end it */
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ring(fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(2, self->b->nr_events);
	EXPECT_EQ(1, count(self->other));
	/* after the irqfd's end the interrupt's end is the VMM's */
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_DEASSIGN, self->fd, 0, 0));
	ASSERT_EQ(LIMEN_EXIT_EOI, vcpu_go(self->c));
	EXPECT_EQ(0, count(self->other));
	close(fd);
}

TEST_F(eventfd, bad_irqfds_are_refused)
{
	struct limen_irqfd arg = { .size = sizeof(arg), .fd = self->fd, .addr = APIC_BASE,
				   .data = 0x61 };
	int dev = open("/dev/null", O_RDWR);

	EXPECT_EQ(EBADF, irqfd(&self->vm, 0, -1, 0, 0x61));
	EXPECT_EQ(EBADF, irqfd(&self->vm, 0, 9999, 0, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 0, dev, 0, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 0, self->vm.fd, 0, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 8, self->fd, 0, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 3, self->fd, 0, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 6, self->fd, self->other, LEVEL | 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 0, self->fd, self->other, 0x61));
	/* resample: a level, and an eventfd */
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 4, self->fd, self->other, 0x61));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, 4, self->fd, dev, LEVEL | 0x61));
	EXPECT_EQ(EBADF, irqfd(&self->vm, 4, self->fd, -1, LEVEL | 0x61));
	EXPECT_EQ(ENOENT, irqfd(&self->vm, LIMEN_IRQFD_DEASSIGN, self->fd, 0, 0));
	EXPECT_EQ(ENOENT, irqfd(&self->vm, LIMEN_IRQFD_UPDATE, self->fd, 0, 0x61));
	arg.addr = 0xfed00000;
	EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_IRQFD, &arg));
	arg.addr = APIC_BASE;
	arg.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_IRQFD, &arg));
	arg.reserved = 0;
	arg.flags = LIMEN_IRQFD_DEASSIGN;
	EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_IRQFD, &arg));

	ASSERT_EQ(0, irqfd(&self->vm, LIMEN_IRQFD_RESAMPLE, self->fd, self->other,
			   LEVEL | 0x61));
	EXPECT_EQ(EEXIST, irqfd(&self->vm, 0, self->fd, 0, 0x62));
	EXPECT_EQ(EINVAL, irqfd(&self->vm, LIMEN_IRQFD_UPDATE, self->fd, 0, 0x61));
	/* a refused update has changed nothing */
	ASSERT_EQ(LIMEN_EXIT_IO, START(take));
	ring(self->fd);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, count(self->other));
	close(dev);
}

static void more_files(void)
{
	const struct rlimit lim = { 4096, 4096 };

	setrlimit(RLIMIT_NOFILE, &lim);
}

TEST_F(eventfd, there_is_a_limit_of_irqfds)
{
	int *fd = calloc(LIMEN_MAX_IRQFDS, sizeof(*fd));
	int i;

	more_files();
	for (i = 0; i < LIMEN_MAX_IRQFDS; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(0, irqfd(&self->vm, 0, fd[i], 0, 0x20 + i % 200));
	}
	EXPECT_EQ(EMFILE, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	close(fd[5]);
	EXPECT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	for (i = 0; i < LIMEN_MAX_IRQFDS; i++)
		close(fd[i]);
	free(fd);
}

/* ---- ioeventfd ---- */

GUEST64(ports, "mov $0x11223344, %eax; out %al, $0x70; out %ax, $0x70; out %eax, $0x70;"
	"mov $0x3f8, %edx; out %al, %dx; out %ax, %dx; out %eax, %dx" G_DONE);

TEST_F(eventfd, a_port_write_of_any_length_signals)
{
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x70, 0, 0, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x3f8, 0, 0, self->other));
	ASSERT_EQ(GUEST_DONE, START(ports));
	EXPECT_EQ(3, count(self->fd));
	EXPECT_EQ(3, count(self->other));
}

TEST_F(eventfd, a_port_write_of_another_length_is_an_exit)
{
	static const u32 lens[] = { 1, 2, 4 };
	int i, k;

	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x3f8, 0, 0, self->other));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x70, lens[i], 0,
				       self->fd));
		ASSERT_EQ(LIMEN_EXIT_IO, START(ports));
		for (k = 0; k < 2; k++) {
			EXPECT_EQ(0x70, self->c->run->io.port);
			EXPECT_NE(lens[i], self->c->run->io.size);
			ASSERT_EQ(k ? GUEST_DONE : LIMEN_EXIT_IO, vcpu_go(self->c));
		}
		EXPECT_EQ(1, count(self->fd));
		ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT |
				       LIMEN_IOEVENTFD_DEASSIGN, 0x70, lens[i], 0, self->fd));
	}
}

GUEST64(stores, "mov $0xd0000050, %edi; movabs $0x1122334455667788, %rax;"
	"mov %al, (%rdi); mov %ax, (%rdi); mov %eax, (%rdi); mov %rax, (%rdi);"
	"movb $1, (%rdi); movw $1, (%rdi); movl $1, (%rdi); movq $1, (%rdi);"
	"xor %ecx, %ecx; mov %ah, (%rdi,%rcx,4); mov %r8d, -16(%rdi,%rcx);"
	G_DONE);

TEST_F(eventfd, a_store_of_any_length_signals)
{
	ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL, 0, 0, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL - 16, 4, 0, self->other));
	ASSERT_EQ(GUEST_DONE, START(stores));
	EXPECT_EQ(9, count(self->fd));
	EXPECT_EQ(1, count(self->other));
}

TEST_F(eventfd, each_length_has_its_own_eventfd)
{
	int fd[4], i;

	ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL - 16, 0, 0, self->other));
	for (i = 0; i < 4; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL, 1 << i, 0, fd[i]));
	}
	ASSERT_EQ(GUEST_DONE, START(stores));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i ? 2 : 3, count(fd[i])) TH_LOG("%d bytes", 1 << i);
		close(fd[i]);
	}
}

GUEST64(values, "mov $0xd0000050, %edi; mov $3, %ecx\n1: mov %ecx, (%rdi); mov %ecx, %eax;"
	"out %al, $0x70; dec %ecx; jns 1b; movl $0x1234567, %eax; out %eax, $0x74;" G_DONE);

TEST_F(eventfd, only_its_value_signals)
{
	const u32 port = LIMEN_IOEVENTFD_PORT | LIMEN_IOEVENTFD_MATCH;
	struct limen_run *run = self->c->run;

	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_MATCH, BELL, 4, 1, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_MATCH, BELL, 4, 2, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_MATCH, BELL, 4, 0, self->other));
	ASSERT_EQ(0, ioeventfd(&self->vm, port, 0x70, 1, 3, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, port, 0x74, 4, 0x1234567, self->fd));
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(values));
	EXPECT_EQ(3, run->regs.gpr[LIMEN_RCX]);
	run->insn_len = 2;
	/* the port's 3 is signalled; 2, 1 and 0 are not its */
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(2, run->io.data);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0, run->io.data);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(4, count(self->fd));
	EXPECT_EQ(1, count(self->other));
}

GUEST64(odd_ports, "mov $0x70, %edx; mov $0x100000, %esi; outsb;"
	"mov $3, %ecx; rep outsb; in $0x70, %al" G_DONE);

TEST_F(eventfd, string_writes_and_reads_are_exits)
{
	struct limen_run *run = self->c->run;

	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x70, 0, 0, self->fd));
	ASSERT_EQ(LIMEN_EXIT_IO, START(odd_ports));
	EXPECT_EQ(1, run->io.string);
	EXPECT_EQ(0, run->io.rep);
	run->io.last = 1;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, run->io.rep);
	EXPECT_EQ(3, run->regs.gpr[LIMEN_RCX]);
	run->io.last = 1;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, run->io.in);
	EXPECT_EQ(0, count(self->fd));
}

GUEST64(odd_stores, "mov $0xd0000050, %edi; mov (%rdi), %eax;"
	"lock orl $1, (%rdi); mov $1, %ecx; rep stosl; mov $0xd0000050, %edi; movnti %eax, (%rdi);"
	G_DONE);

TEST_F(eventfd, stores_that_are_no_plain_mov_are_exits)
{
	static const u8 len[] = { 2, 4, 2, 3 };
	u32 i;

	ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL, 0, 0, self->fd));
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(odd_stores));
	for (i = 0; i < sizeof(len); i++) {
		EXPECT_EQ(BELL, self->c->run->mmio.gpa) TH_LOG("store %u", i);
		self->c->run->insn_len = len[i];
		ASSERT_EQ(i == 3 ? GUEST_DONE : LIMEN_EXIT_MMIO, vcpu_go(self->c))
			TH_LOG("store %u", i);
	}
	EXPECT_EQ(0, count(self->fd));
}

/* at a page's begin: from the page before, and from its own first byte */
GUEST64(crossing, "mov $0x3ffffe, %edi; movl $0x11111111, (%rdi);"
	"mov $0x400000, %edi; movl $0x22222222, (%rdi);"
	"mov $0x400ffe, %edi; movl $0x33333333, (%rdi)" G_DONE);

TEST_F(eventfd, a_store_across_a_page_is_an_exit)
{
	/* guest memory ends at 0x400000 */
	ASSERT_EQ(0, ioeventfd(&self->vm, 0, 0x400000, 0, 0, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, 0, 0x400ffe, 0, 0, self->other));
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(crossing));
	self->c->run->insn_len = 6;
	ASSERT_EQ(LIMEN_EXIT_MMIO, vcpu_go(self->c));
	EXPECT_EQ(0x400ffe, self->c->run->regs.gpr[LIMEN_RDI]);
	EXPECT_EQ(1, count(self->fd));
	self->c->run->insn_len = 6;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, count(self->other));
}

GUEST16(store16, "mov $0x5000, %ax; mov %ax, %es; movw $7, %es:0x10; out %al, $0x11; hlt\n");

TEST_F(eventfd, real_mode_signals_too)
{
	struct limen_range r = { .size = sizeof(r), .gpa = 0, .len = GUEST_MEM };
	struct limen_range low = {
		.size = sizeof(low), .flags = LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC,
		.gpa = 0, .len = 0x50000, .hva = (u64)self->vm.mem,
	};

	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_UNMAP, &r));
	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_MAP, &low));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_MATCH, 0x50010, 2, 7, self->fd));
	guest_load(&self->vm, store16);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(1, count(self->fd));
}

TEST_F(eventfd, deassign_makes_the_write_an_exit_again)
{
	u32 off = LIMEN_IOEVENTFD_PORT | LIMEN_IOEVENTFD_DEASSIGN;

	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x3f8, 0, 0, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_PORT, 0x70, 0, 0, self->fd));
	/* all of it must be the same */
	EXPECT_EQ(ENOENT, ioeventfd(&self->vm, off, 0x70, 1, 0, self->fd));
	EXPECT_EQ(ENOENT, ioeventfd(&self->vm, off, 0x70, 0, 0, self->other));
	EXPECT_EQ(ENOENT, ioeventfd(&self->vm, off, 0x71, 0, 0, self->fd));
	EXPECT_EQ(ENOENT, ioeventfd(&self->vm, LIMEN_IOEVENTFD_DEASSIGN, 0x70, 0, 0,
				    self->fd));
	EXPECT_EQ(0, ioeventfd(&self->vm, off, 0x70, 0, 0, self->fd));
	EXPECT_EQ(ENOENT, ioeventfd(&self->vm, off, 0x70, 0, 0, self->fd));
	ASSERT_EQ(LIMEN_EXIT_IO, START(ports));
	EXPECT_EQ(0x70, self->c->run->io.port);
	EXPECT_EQ(0, count(self->fd));
}

TEST_F(eventfd, bad_ioeventfds_are_refused)
{
	const u32 port = LIMEN_IOEVENTFD_PORT, match = LIMEN_IOEVENTFD_MATCH;
	int dev = open("/dev/null", O_RDWR), fd = self->fd;
	struct vm *vm = &self->vm;

	EXPECT_EQ(EINVAL, ioeventfd(vm, 8, BELL, 4, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, 0, BELL, 3, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, 0, BELL, 16, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, 0, ~0ull, 4, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, 0, BELL, 4, 1, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, match, BELL, 0, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, match, BELL, 1, 0x100, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, port, 0x10000, 1, 0, fd));
	EXPECT_EQ(EINVAL, ioeventfd(vm, port, 0x70, 8, 0, fd));
	EXPECT_EQ(EBADF, ioeventfd(vm, 0, BELL, 4, 0, -1));
	EXPECT_EQ(EINVAL, ioeventfd(vm, 0, BELL, 4, 0, dev));
	EXPECT_EQ(ENOENT, ioeventfd(vm, LIMEN_IOEVENTFD_DEASSIGN, BELL, 4, 0, fd));
	ASSERT_EQ(0, ioeventfd(vm, match, BELL, 4, 1, fd));
	EXPECT_EQ(EEXIST, ioeventfd(vm, match, BELL, 4, 1, self->other));
	EXPECT_EQ(EEXIST, ioeventfd(vm, 0, BELL, 4, 0, fd));
	EXPECT_EQ(EEXIST, ioeventfd(vm, 0, BELL, 0, 0, fd));
	EXPECT_EQ(0, ioeventfd(vm, match, BELL, 4, 2, fd));
	EXPECT_EQ(0, ioeventfd(vm, 0, BELL, 2, 0, fd));
	close(dev);
}

TEST_F(eventfd, there_is_a_limit_of_ioeventfds)
{
	u64 i;

	for (i = 0; i < LIMEN_MAX_IOEVENTFDS; i++)
		ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL + (i * 7 % 1024) * 8, 4, 0,
				       i == 5 ? self->other : self->fd));
	EXPECT_EQ(EMFILE, ioeventfd(&self->vm, 0, BELL - 16, 4, 0, self->fd));
	ASSERT_EQ(0, ioeventfd(&self->vm, LIMEN_IOEVENTFD_DEASSIGN, BELL + 35 * 8, 4, 0,
			       self->other));
	EXPECT_EQ(0, ioeventfd(&self->vm, 0, BELL - 16, 4, 0, self->fd));
	/* the first store of another length is the guest's first exit */
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(stores));
	EXPECT_EQ(BELL, self->c->run->mmio.gpa);
}

GUEST64(doorbell_irq, X2_ON "sti; mov $0xd0000050, %edi; movl $1, (%rdi); nop; nop; nop" G_DONE);

TEST_F(eventfd, one_eventfd_may_be_both)
{
	ASSERT_EQ(0, irqfd(&self->vm, 0, self->fd, 0, 0x61));
	ASSERT_EQ(0, ioeventfd(&self->vm, 0, BELL, 4, 0, self->fd));
	ASSERT_EQ(GUEST_DONE, START(doorbell_irq));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(0x61, self->b->event[0].vector);
	/* its last descriptor ends the irqfd; the write is still no exit */
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(GUEST_DONE, START(doorbell_irq));
	EXPECT_EQ(0, self->b->nr_events);
}

/* ---- races ---- */

struct storm {
	int fd[8];
	atomic_bool stop;
};

static void *storm_thread(void *arg)
{
	struct storm *s = arg;
	u32 i = 0;

	while (!atomic_load(&s->stop))
		ring(s->fd[i++ % 8]);
	return NULL;
}

/* until its store is an exit, or a kick: the storm may leave the guest no time */
static void *storm_run(void *arg)
{
	while (vcpu_go(arg) == LIMEN_EXIT_EOI)
		;
	return NULL;
}

GUEST64(storm_guest, X2_ON "sti; mov $0xd0000050, %edi\n1: movl $1, (%rdi); pause; jmp 1b\n");

TEST_F(eventfd, writers_race_with_assign_deassign_and_the_end_of_the_vm)
{
	int rounds = is_qemu() ? 20 : 5, i, k, n;
	struct storm s = { .stop = false };
	pthread_t writer, runner;

	for (i = 0; i < 8; i++)
		s.fd[i] = eventfd(0, EFD_NONBLOCK);
	pthread_create(&writer, NULL, storm_thread, &s);
	for (n = 0; n < rounds; n++) {
		struct vm vm;
		struct vcpu *c = vm_simple(&vm);

		guest_load(&vm, storm_guest);
		vcpu_long(c, GUEST_CODE);
		ASSERT_EQ(0, ioeventfd(&vm, 0, BELL, 4, 0, s.fd[0]));
		pthread_create(&runner, NULL, storm_run, c);
		for (k = 0; k < 20; k++) {
			int at = k % 8;
			int other = eventfd(0, EFD_NONBLOCK);
			bool level = k & 1;

			ASSERT_EQ(0, irqfd(&vm, level ? LIMEN_IRQFD_RESAMPLE : 0, s.fd[at],
					   level ? other : 0, (level ? LEVEL : 0) | (0x40 + at)));
			ASSERT_EQ(0, irqfd(&vm, LIMEN_IRQFD_UPDATE, s.fd[at], 0,
					   (level ? LEVEL : 0) | (0x50 + at)));
			ASSERT_EQ(0, irqfd(&vm, 0, other, 0, 0x60));
			ring(other);
			close(other);
			/* every third round ends with some assigned */
			if (n % 3 || k < 12)
				ASSERT_EQ(0, irqfd(&vm, LIMEN_IRQFD_DEASSIGN, s.fd[at], 0, 0));
		}
		ASSERT_EQ(0, ioeventfd(&vm, LIMEN_IOEVENTFD_DEASSIGN, BELL, 4, 0, s.fd[0]));
		ASSERT_EQ(0, try_ioctl(c->fd, LIMEN_KICK, NULL));
		pthread_join(runner, NULL);
		vm_close(&vm);
	}
	atomic_store(&s.stop, true);
	pthread_join(writer, NULL);
	for (i = 0; i < 8; i++)
		close(s.fd[i]);
}

TEST_HARNESS_MAIN
