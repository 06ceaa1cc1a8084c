// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupt lines: counts who holds each global system interrupt and drives
 * the 8259A pair (0 to 15) and the I/O APIC (all; 0 is on its pin 2, as the
 * MADT's override says).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irqchip.h"

int irqchip_create(struct board *b, struct irqchip **out)
{
	struct irqchip *chip = calloc(1, sizeof(*chip));
	int err;

	if (!chip)
		return -ENOMEM;
	pthread_mutex_init(&chip->lock, NULL);
	chip->board = b;
	err = pic_init(chip);
	if (!err)
		err = ioapic_init(chip);
	if (err) {
		irqchip_destroy(chip);
		return err;
	}
	b->irqs = chip;
	*out = chip;
	return 0;
}

void irqchip_destroy(struct irqchip *chip)
{
	if (!chip)
		return;
	pthread_mutex_destroy(&chip->lock);
	free(chip);
}

void irq_line_init(struct irq_line *line, struct irqchip *chip, uint32_t gsi)
{
	*line = (struct irq_line){
		.chip = chip, .gsi = gsi < NR_GSI ? gsi : 0, .fd = -1,
	};
}

int irq_line_eventfd(struct irq_line *line)
{
	struct irqchip *chip = line->chip;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	pthread_mutex_lock(&chip->lock);
	line->fd = fd;
	line->next = chip->events;
	chip->events = line;
	ioapic_route(chip, line);
	pthread_mutex_unlock(&chip->lock);
	return 0;
}

void irq_line_fini(struct irq_line *line)
{
	struct irqchip *chip = line->chip;
	struct irq_line **p;

	if (line->fd < 0)
		return;
	pthread_mutex_lock(&chip->lock);
	for (p = &chip->events; *p; p = &(*p)->next) {
		if (*p == line) {
			*p = line->next;
			break;
		}
	}
	/* the last descriptor: the module forgets it too */
	close(line->fd);
	line->fd = -1;
	pthread_mutex_unlock(&chip->lock);
}

static void line_set(struct irq_line *line, bool level)
{
	struct irqchip *chip = line->chip;
	uint32_t *count = &chip->asserted[line->gsi];
	bool before = *count;

	if (line->level == level)
		return;
	line->level = level;
	*count += level ? 1 : -1;
	if (level && line->open)
		ioapic_rise(chip, line);
	if (before == !!*count)
		return;
	if (line->gsi < 16)
		pic_set(chip, line->gsi, level);
	ioapic_set(chip, ioapic_pin_of(line->gsi), level, line->fd < 0);
}

void irq_line_set(struct irq_line *line, bool level)
{
	pthread_mutex_lock(&line->chip->lock);
	line_set(line, level);
	pthread_mutex_unlock(&line->chip->lock);
}

void irq_line_pulse(struct irq_line *line)
{
	pthread_mutex_lock(&line->chip->lock);
	line_set(line, true);
	line_set(line, false);
	pthread_mutex_unlock(&line->chip->lock);
}

void irq_line_state(struct irq_line *line, struct state *s)
{
	struct irqchip *chip = line->chip;
	bool level = line->level;

	state_bool(s, &level);
	if (!s->loading)
		return;
	pthread_mutex_lock(&chip->lock);
	chip->asserted[line->gsi] += level - line->level;
	line->level = level;
	pthread_mutex_unlock(&chip->lock);
}

void irqchip_state(struct irqchip *chip, struct state *s)
{
	pthread_mutex_lock(&chip->lock);
	pic_state(chip, s);
	ioapic_state(chip, s);
	pthread_mutex_unlock(&chip->lock);
}

void irqchip_eoi(struct irqchip *chip, uint32_t vector)
{
	pthread_mutex_lock(&chip->lock);
	ioapic_eoi(chip, vector);
	pthread_mutex_unlock(&chip->lock);
}

uint32_t irqchip_inta(struct irqchip *chip)
{
	uint32_t vector;

	pthread_mutex_lock(&chip->lock);
	vector = pic_acknowledge(chip);
	pthread_mutex_unlock(&chip->lock);
	return vector;
}
