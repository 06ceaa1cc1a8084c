// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine that stands still: every vCPU settled and parked, every device idle, and time
 * with them.
 *
 * Time: what the guest reads of time (TSC, paravirtual clock, timers of the APIC, PIT and
 * ACPI) goes on, after machine_go(), from where machine_stop() found it. Only the RTC
 * follows the host. So the timers of the local APICs are taken out of the module while
 * the machine stands still, or they would fire.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "tool.h"

#define STOP_S		20	/* a vCPU that takes longer waits for a device's output */
#define SAMPLES		8

/* ---- the threads of the vCPUs ---------------------------------------------------- */

void pause_init(struct pause *p)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->cond, &attr);
	pthread_condattr_destroy(&attr);
}

void pause_fini(struct pause *p)
{
	pthread_cond_destroy(&p->cond);
	pthread_mutex_destroy(&p->lock);
}

/* any thread; also when the machine ends: nobody waits any more */
void pause_wake(struct pause *p)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->cond);
	pthread_mutex_unlock(&p->lock);
}

static bool goes_on(struct machine *m)
{
	return !m->pause.wanted || atomic_load(&m->board.ending);
}

static bool is_wanted(struct machine *m)
{
	bool wanted;

	pthread_mutex_lock(&m->pause.lock);
	wanted = !goes_on(m);
	pthread_mutex_unlock(&m->pause.lock);
	return wanted;
}

/* the first time until all are there, the second time until the machine goes on */
static void arrive(struct machine *m, uint32_t *arrived, bool until_all)
{
	struct pause *p = &m->pause;

	pthread_mutex_lock(&p->lock);
	if (!goes_on(m))
		++*arrived;
	pthread_cond_broadcast(&p->cond);
	while (!goes_on(m) && !(until_all && *arrived == m->nr_vcpus))
		pthread_cond_wait(&p->cond, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

int pause_park(struct machine_vcpu *v, const struct limen_handlers *h)
{
	struct machine *m = v->m;
	int err;

	if (!is_wanted(m))
		return 0;
	err = limen_vcpu_settle(v->vcpu, m->board.bus, h);
	if (err)
		return err;
	arrive(m, &m->pause.settled, true);
	/* what another one has sent while it settled */
	if (is_wanted(m))
		err = limen_vcpu_settle(v->vcpu, m->board.bus, h);
	if (!err)
		arrive(m, &m->pause.parked, false);
	return err;
}

static void unpark(struct machine *m)
{
	pthread_mutex_lock(&m->pause.lock);
	m->pause.wanted = false;
	pthread_cond_broadcast(&m->pause.cond);
	pthread_mutex_unlock(&m->pause.lock);
}

static int park_all(struct machine *m)
{
	struct pause *p = &m->pause;
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_S;
	pthread_mutex_lock(&p->lock);
	p->settled = 0;
	p->parked = 0;
	p->wanted = true;
	pthread_mutex_unlock(&p->lock);
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		(void)limen_vcpu_kick(m->vcpu[i].vcpu);
	pthread_mutex_lock(&p->lock);
	while (!err && !goes_on(m) && p->parked < m->nr_vcpus)
		err = -pthread_cond_timedwait(&p->cond, &p->lock, &until);
	if (!err && goes_on(m))
		err = -ECANCELED;
	pthread_mutex_unlock(&p->lock);
	if (err)
		unpark(m);
	return err;
}

/* ---- time ------------------------------------------------------------------------ */

/* the host's TSC and its boot time at one moment, as near as we get */
static struct host_time sample(void)
{
	struct host_time best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		struct timespec ts;
		uint64_t before, took;

		_mm_lfence();
		before = __rdtsc();
		clock_gettime(CLOCK_BOOTTIME, &ts);
		took = __rdtsc() - before;
		if (took >= least)
			continue;
		least = took;
		best.tsc = before + took / 2;
		best.boot_ns = ts.tv_sec * NS_PER_S + ts.tv_nsec;
	}
	return best;
}

/* Take the timers of a local APIC out of the module. */
static int freeze(struct machine_vcpu *v)
{
	struct limen_apic apic;
	int err = limen_get_apic(v->vcpu, &apic);

	if (!err)
		err = limen_get_time(v->vcpu, &v->frozen.time);
	if (err)
		return err;
	v->frozen.deadline = apic.deadline;
	v->frozen.period_left = apic.period_left;
	memcpy(&v->frozen.current_count, apic.regs + APIC_CURRENT_COUNT,
	       sizeof(v->frozen.current_count));
	apic.deadline = 0;
	apic.period_left = 0;
	return limen_set_apic(v->vcpu, &apic);
}

static int thaw(struct machine_vcpu *v, const struct host_time *then,
		const struct host_time *now)
{
	struct limen_time time = v->frozen.time;
	struct limen_apic apic;
	const struct limen_state_item items[] = {
		{ LIMEN_CLASS_APIC, sizeof(apic), (uintptr_t)&apic },
		{ LIMEN_CLASS_TIME, sizeof(time), (uintptr_t)&time },
	};
	int err = limen_get_apic(v->vcpu, &apic);

	if (err)
		return err;
	apic.deadline = v->frozen.deadline;
	apic.period_left = v->frozen.period_left;
	time.tsc_offset -= now->tsc - then->tsc;
	time.clock_offset -= now->boot_ns - then->boot_ns;
	return limen_state_set_many(v->vcpu, items, ARRAY_SIZE(items));
}

/* ---- the machine ------------------------------------------------------------------- */

void machine_hold(struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_virtio; i++)
		virtio_hold(m->virtio[i]);
	pit_hold(m->pit);
	rtc_hold(m->rtc);
	clock_stop();
	m->stop_time = sample();
	m->stopped = true;
}

int machine_stop(struct machine *m)
{
	int err = 0;

	if (m->stopped)
		return 0;
	if (m->started)
		err = park_all(m);
	if (err)
		return err;
	machine_hold(m);
	for (uint32_t i = 0; !err && i < m->nr_vcpus; i++)
		err = freeze(&m->vcpu[i]);
	/* a state that can't be had is an error of the module: the machine ends */
	if (err) {
		complain("state of a vCPU: %s", limen_strerror(err));
		machine_end(m, END_SIGNAL, 0);
	}
	return err;
}

int machine_go(struct machine *m)
{
	struct host_time now;
	int err = 0;

	if (!m->stopped)
		return 0;
	m->stopped = false;
	now = sample();
	clock_go();
	for (uint32_t i = 0; !err && i < m->nr_vcpus; i++)
		err = thaw(&m->vcpu[i], &m->stop_time, &now);
	if (err) {
		complain("state of a vCPU: %s", limen_strerror(err));
		machine_end(m, END_SIGNAL, 0);
	}
	rtc_go(m->rtc);
	pit_go(m->pit);
	for (uint32_t i = 0; i < m->nr_virtio; i++)
		virtio_go(m->virtio[i]);
	unpark(m);
	return err;
}
