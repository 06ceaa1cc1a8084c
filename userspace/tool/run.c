// SPDX-License-Identifier: GPL-2.0-or-later
/* 'limen run': options, signals and time, the exit status. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tool.h"

struct watch {
	struct machine *m;
	struct event_source signals;
	struct dev_timer timeout;
};

static void signal_seen(void *opaque)
{
	struct watch *w = opaque;
	struct signalfd_siginfo si;

	if (read(w->signals.fd, &si, sizeof(si)) == sizeof(si))
		machine_end(w->m, END_SIGNAL, si.ssi_signo);
}

static void time_is_up(void *opaque)
{
	struct watch *w = opaque;

	machine_end(w->m, END_TIMEOUT, 0);
}

/* Blocked before any thread exists, so all of them inherit it: signals are
 * events of the main thread. */
static int block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	return -pthread_sigmask(SIG_BLOCK, set, NULL);
}

static int watch_start(struct watch *w, struct machine *m, const sigset_t *set)
{
	struct event_loop *loop = m->board.loop;
	int err;

	w->m = m;
	w->signals = (struct event_source){
		.fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK),
		.fn = signal_seen, .opaque = w,
	};
	if (w->signals.fd < 0)
		return -errno;
	err = event_add(loop, &w->signals);
	if (!err)
		err = timer_init(&w->timeout, loop, time_is_up, w);
	if (!err && m->o->timeout)
		timer_set(&w->timeout, clock_ns() + m->o->timeout * NS_PER_S, 0);
	return err;
}

static void watch_end(struct watch *w)
{
	timer_fini(&w->timeout, w->m->board.loop);
	event_remove(w->m->board.loop, &w->signals);
	close(w->signals.fd);
}

static int vcpu_status(const struct machine *m)
{
	const struct machine_vcpu *v = &m->vcpu[m->end_code];

	if (v->ret < 0) {
		complain("vCPU %u: %s", m->end_code, limen_strerror(v->ret));
		return EXIT_MODULE;
	}
	complain("vCPU %u: %s", m->end_code, limen_vcpu_why(v->vcpu));
	return v->ret == LIMEN_EXIT_SHUTDOWN ? EXIT_TRIPLE_FAULT : EXIT_GUEST;
}

static int exit_status(const struct machine *m)
{
	switch (atomic_load(&m->end)) {
	case BOARD_POWER_OFF:
	case BOARD_QUIT:
		return EXIT_OK;
	case BOARD_RESET:
		complain("the guest asked for a reset; ending instead");
		return EXIT_OK;
	case BOARD_DEBUG_EXIT:
		return (m->end_code << 1 | 1) & 0xff;
	case END_TIMEOUT:
		complain("time-out after %u s", m->o->timeout);
		return EXIT_TIMEOUT;
	case END_VCPU:
		return vcpu_status(m);
	default:
		return EXIT_SIGNAL;
	}
}

/* where a guest that hung was */
static void print_places(const struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_vcpus; i++) {
		struct limen_vcpu *vcpu = m->vcpu[i].vcpu;
		const struct limen_run *run = limen_vcpu_page(vcpu);

		complain("vCPU %u: rip 0x%llx rsp 0x%llx rflags 0x%llx cr0 0x%llx cr3 0x%llx, %u-bit",
			 i, run->regs.rip, run->regs.gpr[LIMEN_RSP],
			 run->regs.rflags, run->cr0, run->cr3, run->mode);
	}
}

int run_main(int argc, char **argv)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct watch w = { 0 };
	struct options o;
	int ret = run_options(argc, argv, &o);
	sigset_t set;

	if (ret >= 0 || !m) {
		restore_close(&o);
		free(m);
		return m ? ret : EXIT_SETUP;
	}
	ret = EXIT_SETUP;
	if (block_signals(&set) || machine_create(m, &o))
		goto out;
	if (watch_start(&w, m, &set)) {
		complain("signals and timer: %s", strerror(errno));
		goto out;
	}
	if (!machine_run(m)) {
		terminal_restore();
		fflush(stdout);
		ret = exit_status(m);
		if (o.verbose)
			print_places(m);
		if (o.stats)
			print_stats(m);
	}
	watch_end(&w);
out:
	machine_destroy(m);
	free(m);
	restore_close(&o);
	return ret;
}
