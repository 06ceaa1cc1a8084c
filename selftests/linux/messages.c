// SPDX-License-Identifier: GPL-2.0-only
/*
 * messages GROUPS MEMBERS ROUNDS: in a guest, load that lives on wake-ups and IPIs.
 *
 * Like hackbench, GROUPS of MEMBERS senders and MEMBERS receivers pass messages,
 * ROUNDS from each to each, every one counted. Then threads on all CPUs hand a token
 * round, and take memory away from each other's page tables. Says "SEES ..." for
 * each part that ended as it must.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/futex.h>
#include <unistd.h>

#define MESSAGE		100
#define MAX_MEMBERS	16
#define MAX_CPUS	64
#define PAGES		8

static int members, rounds, cpus;

static void die(const char *what)
{
	fprintf(stderr, "messages: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(const int *fd)
{
	char text[MESSAGE] = "a message";
	int i, j;

	for (i = 0; i < rounds; i++)
		for (j = 0; j < members; j++)
			if (write(fd[j], text, sizeof(text)) != sizeof(text))
				die("write");
}

static void receive_all(int fd)
{
	size_t left = (size_t)members * rounds * MESSAGE;
	char text[MESSAGE];

	while (left) {
		ssize_t n = read(fd, text, sizeof(text));

		if (n <= 0)
			die("read");
		left -= n;
	}
}

static void group(void)
{
	int pair[MAX_MEMBERS][2], out[MAX_MEMBERS];
	int i;

	for (i = 0; i < members; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]))
			die("socketpair");
		out[i] = pair[i][1];
	}
	for (i = 0; i < 2 * members; i++) {
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			if (i < members)
				receive_all(pair[i][0]);
			else
				send_all(out);
			_exit(0);
		}
	}
	for (i = 0; i < members; i++) {
		close(pair[i][0]);
		close(pair[i][1]);
	}
}

static int wait_for_all(int n)
{
	int good = 0, status;

	while (n-- && wait(&status) > 0)
		good += WIFEXITED(status) && !WEXITSTATUS(status);
	return good;
}

/* ---- threads, one a CPU ---- */

static int token;
static pthread_barrier_t barrier;

static void futex(int *word, int op, int val)
{
	syscall(SYS_futex, word, op, val, NULL, NULL, 0);
}

/* A token goes round: each CPU sleeps until it is its turn. */
static void pass_token(int me)
{
	int turn, seen;

	for (turn = me; turn < rounds * cpus; turn += cpus) {
		while ((seen = __atomic_load_n(&token, __ATOMIC_SEQ_CST)) != turn)
			futex(&token, FUTEX_WAIT_PRIVATE, seen);
		__atomic_store_n(&token, turn + 1, __ATOMIC_SEQ_CST);
		futex(&token, FUTEX_WAKE_PRIVATE, cpus);
	}
}

/* Every unmapping reaches all CPUs that run this program. A stale page is a lost one. */
static long map_and_unmap(int me)
{
	long bad = 0;
	int i, page;

	for (i = 0; i < rounds; i++) {
		unsigned char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		for (page = 0; page < PAGES; page++) {
			bad += p[page * 4096] != 0;
			p[page * 4096] = me + 1;
		}
		for (page = 0; page < PAGES; page++)
			bad += p[page * 4096] != me + 1;
		munmap(p, PAGES * 4096);
	}
	return bad;
}

static void *on_cpu(void *arg)
{
	int me = (long)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	pthread_barrier_wait(&barrier);
	pass_token(me);
	pthread_barrier_wait(&barrier);
	return (void *)map_and_unmap(me);
}

static void threads(void)
{
	pthread_t thread[MAX_CPUS];
	long bad = 0;
	void *result;
	int i;

	pthread_barrier_init(&barrier, NULL, cpus);
	for (i = 0; i < cpus; i++)
		if (pthread_create(&thread[i], NULL, on_cpu, (void *)(long)i))
			die("pthread_create");
	for (i = 0; i < cpus; i++) {
		pthread_join(thread[i], &result);
		bad += (long)result;
	}
	printf("SEES token %d\n", token);
	printf("SEES unmapped %d, %ld stale\n", cpus * rounds, bad);
}

int main(int argc, char **argv)
{
	int groups, i;

	if (argc != 4)
		return 2;
	groups = atoi(argv[1]);
	members = atoi(argv[2]);
	rounds = atoi(argv[3]);
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (groups < 1 || members < 1 || members > MAX_MEMBERS || rounds < 1 ||
	    cpus > MAX_CPUS)
		return 2;
	fflush(stdout);
	for (i = 0; i < groups; i++)
		group();
	printf("SEES messages by %d of %d\n", wait_for_all(2 * members * groups),
	       2 * members * groups);
	threads();
	return 0;
}
