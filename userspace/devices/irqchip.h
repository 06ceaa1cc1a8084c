/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by irqchip.c, pic.c and ioapic.c; all under irqchip.lock. */
#ifndef LIMEN_IRQCHIP_H
#define LIMEN_IRQCHIP_H

#include "devices.h"

struct pic_chip {
	uint8_t irr, isr, imr;
	uint8_t lines;		/* level of the inputs */
	uint8_t elcr;		/* 1: level-triggered */
	uint8_t base;		/* vector of input 0 */
	uint8_t icw_step;	/* next ICW expected, 0: none */
	uint8_t lowest;		/* input of lowest priority */
	bool icw4, auto_eoi, rotate_on_aeoi, read_isr, poll, special_mask,
	     nested;
};

struct ioapic_pin {
	uint64_t rte;
	bool level;
};

struct irqchip {
	pthread_mutex_t lock;
	struct board *board;
	uint32_t asserted[NR_GSI];	/* how many devices hold it */
	struct pic_chip pic[2];		/* master, slave */
	bool pic_output;		/* as the kernel knows it */
	uint32_t ioapic_select;
	uint32_t ioapic_id;
	struct ioapic_pin pin[NR_GSI];
	struct irq_line *events;	/* those with an eventfd */
};

/* the 8254's interrupt is on pin 2, as the MADT says */
static inline uint32_t ioapic_pin_of(uint32_t gsi)
{
	return gsi ? gsi : 2;
}

/* pic.c */
int pic_init(struct irqchip *chip);
void pic_set(struct irqchip *chip, uint32_t irq, bool level);
uint32_t pic_acknowledge(struct irqchip *chip);
void pic_state(struct irqchip *chip, struct state *s);
/* ioapic.c */
int ioapic_init(struct irqchip *chip);
/* @edge: a rising edge is a message */
void ioapic_set(struct irqchip *chip, uint32_t pin, bool level, bool edge);
/* the input's messages may have changed: tell the module */
void ioapic_route(struct irqchip *chip, struct irq_line *line);
void ioapic_rise(struct irqchip *chip, struct irq_line *line);
void ioapic_eoi(struct irqchip *chip, uint32_t vector);
void ioapic_state(struct irqchip *chip, struct state *s);

#endif
