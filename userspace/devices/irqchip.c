// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupt lines: counts who holds each global system interrupt and drives
 * the 8259A pair (0 to 15) and the I/O APIC (all; 0 is on its pin 2, as the
 * MADT's override says).
 */
#include <errno.h>
#include <stdlib.h>

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
	line->chip = chip;
	line->gsi = gsi < NR_GSI ? gsi : 0;
	line->level = false;
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
	if (before == !!*count)
		return;
	if (line->gsi < 16)
		pic_set(chip, line->gsi, level);
	ioapic_set(chip, line->gsi ? line->gsi : 2, level);
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
