// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pair of 8259A interrupt controllers, with the edge/level control
 * registers of a PC chipset. Intel 8259A data sheet (231468).
 *
 * The master's INT output is the LIMEN_EXTINT wire; the CPU's acknowledge comes
 * as LIMEN_EXIT_INTA.
 */
#include "irqchip.h"

#define CASCADE		2	/* master's input from the slave */
#define NO_VECTOR	256

/* input of highest priority among @mask, -1 for none */
static int highest(const struct pic_chip *p, uint8_t mask)
{
	for (int i = 1; i <= 8; i++) {
		int irq = (p->lowest + i) & 7;

		if (mask & (1 << irq))
			return irq;
	}
	return -1;
}

static int rank(const struct pic_chip *p, int irq)
{
	return (irq - p->lowest - 1) & 7;
}

/* the input that this chip would signal now, -1 for none */
static int pending(const struct pic_chip *p, bool master)
{
	uint8_t in_service = p->isr;
	int want = highest(p, p->irr & ~p->imr);
	int busy;

	if (want < 0)
		return -1;
	if (p->special_mask)
		in_service &= ~p->imr;
	/* special fully nested: the slave may interrupt its own service */
	if (p->nested && master)
		in_service &= ~(1 << CASCADE);
	busy = highest(p, in_service);
	return busy >= 0 && rank(p, want) >= rank(p, busy) ? -1 : want;
}

static void input(struct pic_chip *p, int irq, bool level)
{
	uint8_t bit = 1 << irq;

	if (p->elcr & bit) {
		p->irr = level ? p->irr | bit : p->irr & ~bit;
	} else if (level && !(p->lines & bit)) {
		p->irr |= bit;	/* latched; stays if the line falls */
	}
	p->lines = level ? p->lines | bit : p->lines & ~bit;
}

static void update_wire(struct irqchip *chip, bool always)
{
	bool out;

	/* the slave's INT is not a latched edge: it follows its state */
	if (pending(&chip->pic[1], false) >= 0)
		chip->pic[0].irr |= 1 << CASCADE;
	else
		chip->pic[0].irr &= ~(1 << CASCADE);
	out = pending(&chip->pic[0], true) >= 0;
	if (out == chip->pic_output && !always)
		return;
	chip->pic_output = out;
	(void)limen_extint(chip->board->vm, out);
}

static void update(struct irqchip *chip)
{
	update_wire(chip, false);
}

void pic_set(struct irqchip *chip, uint32_t irq, bool level)
{
	if (irq == CASCADE)
		return;
	input(&chip->pic[irq >> 3], irq & 7, level);
	update(chip);
}

static void begin_service(struct pic_chip *p, int irq)
{
	uint8_t bit = 1 << irq;

	if (!(p->elcr & bit))
		p->irr &= ~bit;
	if (!p->auto_eoi)
		p->isr |= bit;
	else if (p->rotate_on_aeoi)
		p->lowest = irq;
}

uint32_t pic_acknowledge(struct irqchip *chip)
{
	struct pic_chip *p = &chip->pic[0];
	int irq = pending(p, true);
	uint32_t vector;

	if (irq < 0) {
		/* The request went away before the acknowledge; hardware would
		 * signal a spurious IR7, nobody misses it. */
		update_wire(chip, true);
		return NO_VECTOR;
	}
	begin_service(p, irq);
	vector = p->base + irq;
	if (irq == CASCADE) {
		p = &chip->pic[1];
		irq = pending(p, false);
		if (irq >= 0)
			begin_service(p, irq);
		vector = p->base + (irq >= 0 ? irq : 7);
	}
	/* an acknowledge wants the level anew, changed or not */
	update_wire(chip, true);
	return vector;
}

static void end_of_interrupt(struct pic_chip *p, uint8_t ocw2)
{
	uint8_t isr = p->special_mask ? p->isr & ~p->imr : p->isr;
	bool specific = ocw2 & 0x40, rotate = ocw2 & 0x80;
	int irq = specific ? ocw2 & 7 : highest(p, isr);

	switch (ocw2 >> 5) {
	case 0: p->rotate_on_aeoi = false; return;
	case 4: p->rotate_on_aeoi = true; return;
	case 2: return;
	case 6: p->lowest = ocw2 & 7; return;
	}
	if (irq < 0)
		return;
	p->isr &= ~(1 << irq);
	if (rotate)
		p->lowest = irq;
}

static void command_write(struct pic_chip *p, uint8_t v)
{
	if (v & 0x10) {			/* ICW1 */
		uint8_t lines = p->lines, elcr = p->elcr;

		*p = (struct pic_chip){
			.lines = lines, .elcr = elcr, .irr = lines & elcr,
			.icw_step = 2, .icw4 = v & 1, .lowest = 7,
		};
	} else if (v & 0x08) {		/* OCW3 */
		p->poll = v & 4;
		if (v & 2)
			p->read_isr = v & 1;
		if (v & 0x40)
			p->special_mask = v & 0x20;
	} else {
		end_of_interrupt(p, v);
	}
}

static void data_write(struct pic_chip *p, uint8_t v)
{
	switch (p->icw_step) {
	case 0:
		p->imr = v;
		return;
	case 2:
		p->base = v & 0xf8;
		p->icw_step = 3;
		return;
	case 3:		/* the cascade is fixed */
		p->icw_step = p->icw4 ? 4 : 0;
		return;
	case 4:
		p->nested = v & 0x10;
		p->auto_eoi = v & 2;
		p->icw_step = 0;
		return;
	}
}

static uint8_t poll_read(struct pic_chip *p, bool master)
{
	int irq = pending(p, master);

	p->poll = false;
	if (irq < 0)
		return 0;
	begin_service(p, irq);
	return 0x80 | irq;
}

static void pic_access(struct irqchip *chip, int n, struct limen_access *a)
{
	struct pic_chip *p = &chip->pic[n];

	if (a->write && a->addr)
		data_write(p, a->data);
	else if (a->write)
		command_write(p, a->data);
	else if (p->poll)
		a->data = poll_read(p, n == 0);
	else if (a->addr)
		a->data = p->imr;
	else
		a->data = p->read_isr ? p->isr : p->irr;
	update(chip);
}

static void master_access(void *opaque, struct limen_access *a)
{
	pic_access(opaque, 0, a);
}

static void slave_access(void *opaque, struct limen_access *a)
{
	pic_access(opaque, 1, a);
}

/* IRQ 0, 1, 2, 8 and 13 can't be level-triggered on a PC. */
static void elcr_access(void *opaque, struct limen_access *a)
{
	struct irqchip *chip = opaque;
	static const uint8_t allowed[2] = { 0xf8, 0xde };
	struct pic_chip *p = &chip->pic[a->addr];

	if (!a->write) {
		a->data = p->elcr;
		return;
	}
	p->elcr = a->data & allowed[a->addr];
	p->irr = (p->irr & ~p->elcr) | (p->lines & p->elcr);
	update(chip);
}

static void chip_state(struct pic_chip *p, struct state *s)
{
	state_u8(s, &p->irr);
	state_u8(s, &p->isr);
	state_u8(s, &p->imr);
	state_u8(s, &p->lines);
	state_u8(s, &p->elcr);
	state_u8(s, &p->base);
	state_u8(s, &p->icw_step);
	state_u8(s, &p->lowest);
	state_bool(s, &p->icw4);
	state_bool(s, &p->auto_eoi);
	state_bool(s, &p->rotate_on_aeoi);
	state_bool(s, &p->read_isr);
	state_bool(s, &p->poll);
	state_bool(s, &p->special_mask);
	state_bool(s, &p->nested);
	state_check(s, !(p->base & 7) && p->icw_step <= 4 && p->lowest <= 7);
}

void pic_state(struct irqchip *chip, struct state *s)
{
	chip_state(&chip->pic[0], s);
	chip_state(&chip->pic[1], s);
	state_bool(s, &chip->pic_output);
	if (s->loading)
		(void)limen_extint(chip->board->vm, chip->pic_output);
}

int pic_init(struct irqchip *chip)
{
	int err;

	chip->pic[0].lowest = 7;
	chip->pic[1].lowest = 7;
	err = board_ports(chip->board, "pic", 0x20, 2, 1, master_access, chip,
			  &chip->lock);
	if (!err)
		err = board_ports(chip->board, "pic", 0xa0, 2, 1, slave_access,
				  chip, &chip->lock);
	if (!err)
		err = board_ports(chip->board, "elcr", 0x4d0, 2, 1, elcr_access,
				  chip, &chip->lock);
	return err;
}
