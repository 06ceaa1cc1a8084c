// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ACPI fixed hardware (ACPI 6.4, "Power Management Registers"): the PM1a event
 * and control registers with S5, the power button, and the 32-bit PM timer.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices.h"

#define PM_TIMER_HZ	3579545ull
#define STS_TIMER	(1 << 0)
#define STS_BUTTON	(1 << 8)
/* global lock and RTC: never set, but ACPICA insists on enabling them */
#define STS_NEVER	(1 << 5 | 1 << 10)
#define CNT_SCI_EN	(1 << 0)
#define CNT_SLP_TYP	(7 << 10)
#define CNT_SLP_EN	(1 << 13)

struct acpi_pm {
	pthread_mutex_t lock;
	struct board *board;
	struct irq_line sci;
	uint64_t start;
	uint32_t timer_seen;
	uint16_t sts, en, cnt;
};

static uint32_t timer_value(const struct acpi_pm *pm)
{
	return (unsigned __int128)(clock_ns() - pm->start) * PM_TIMER_HZ /
	       NS_PER_S;
}

static void update(struct acpi_pm *pm)
{
	uint32_t t = timer_value(pm);

	/* the status is set whenever the top bit changes */
	if ((t ^ pm->timer_seen) >> 31)
		pm->sts |= STS_TIMER;
	pm->timer_seen = t;
	irq_line_set(&pm->sci, pm->sts & pm->en);
}

static uint32_t reg_read(struct acpi_pm *pm, uint32_t addr)
{
	switch (addr) {
	case 0: return pm->sts;
	case 2: return pm->en;
	/* there is no legacy mode: SCI_EN is always 1, SLP_EN reads as 0 */
	case 4: return pm->cnt | CNT_SCI_EN;
	case 8: return timer_value(pm);
	default: return 0;
	}
}

static void reg_write(struct acpi_pm *pm, uint32_t addr, uint16_t v)
{
	switch (addr) {
	case 0:
		pm->sts &= ~v;
		break;
	case 2:
		pm->en = v & (STS_TIMER | STS_NEVER | STS_BUTTON);
		break;
	case 4:
		pm->cnt = v & ~(CNT_SLP_EN | CNT_SCI_EN);
		if (v & CNT_SLP_EN && (v & CNT_SLP_TYP) == ACPI_S5_TYPE << 10)
			pm->board->end(pm->board, BOARD_POWER_OFF, 0);
		break;
	}
}

/* Narrower accesses than the register happen, as in outb of half of it. */
static void pm_access(void *opaque, struct limen_access *a)
{
	struct acpi_pm *pm = opaque;
	uint32_t reg = a->addr < 8 ? a->addr & ~1u : 8;
	uint32_t shift = (a->addr - reg) * 8;
	uint32_t v;

	update(pm);
	if (!a->write) {
		a->data = reg_read(pm, reg) >> shift;
		if (a->size == 4 && reg < 8)
			a->data |= (uint64_t)reg_read(pm, reg + 2) << 16 >> shift;
		return;
	}
	v = a->data << shift;
	/* what a byte write leaves out stays: for status that is writing 0 */
	if (a->size == 1 && reg != 0)
		v |= reg_read(pm, reg) & ~(0xffu << shift);
	if (a->size == 4)
		reg_write(pm, reg + 2, a->data >> 16);
	reg_write(pm, reg, v);
	update(pm);
}

bool acpi_pm_power_button(struct acpi_pm *pm)
{
	bool heard;

	pthread_mutex_lock(&pm->lock);
	heard = pm->en & STS_BUTTON;
	pm->sts |= STS_BUTTON;
	update(pm);
	pthread_mutex_unlock(&pm->lock);
	return heard;
}

int acpi_pm_create(struct board *b, struct acpi_pm **out)
{
	struct acpi_pm *pm = calloc(1, sizeof(*pm));
	int err;

	if (!pm)
		return -ENOMEM;
	pthread_mutex_init(&pm->lock, NULL);
	pm->board = b;
	pm->start = clock_ns();
	irq_line_init(&pm->sci, b->irqs, GSI_SCI);
	err = board_ports(b, "acpi-pm", ACPI_PM_BASE, 12, 4, pm_access, pm,
			  &pm->lock);
	if (err) {
		acpi_pm_destroy(pm);
		return err;
	}
	*out = pm;
	return 0;
}

void acpi_pm_state(struct acpi_pm *dev, struct state *s)
{
	pthread_mutex_lock(&dev->lock);
	state_u64(s, &dev->start);
	state_u32(s, &dev->timer_seen);
	state_u16(s, &dev->sts);
	state_u16(s, &dev->en);
	state_u16(s, &dev->cnt);
	irq_line_state(&dev->sci, s);
	pthread_mutex_unlock(&dev->lock);
}

void acpi_pm_destroy(struct acpi_pm *pm)
{
	if (!pm)
		return;
	pthread_mutex_destroy(&pm->lock);
	free(pm);
}
