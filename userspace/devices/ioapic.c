// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An 82093AA I/O APIC with 24 inputs and the EOI register of later ones
 * (version 0x20). An interrupt leaves as a message, LIMEN_MSI; the end of a
 * level-triggered one comes back as LIMEN_EXIT_EOI.
 */
#include <unistd.h>

#include "irqchip.h"

#define REG_SELECT	0x00
#define REG_WINDOW	0x10
#define REG_EOI		0x40
#define VERSION		0x20

#define RTE_VECTOR	0xffull
#define RTE_MODE_SHIFT	8
#define RTE_LOGICAL	(1ull << 11)
#define RTE_PENDING	(1ull << 12)
#define RTE_REMOTE_IRR	(1ull << 14)
#define RTE_LEVEL	(1ull << 15)
#define RTE_MASKED	(1ull << 16)
#define RTE_READ_ONLY	(RTE_PENDING | RTE_REMOTE_IRR)
/* bits that exist: 16:0 and the destination */
#define RTE_VALID	(0x1ffffull | 0xffull << 56)

#define MODE_LOWEST	1
#define MODE_EXTINT	7

/* SDM Vol. 3, "Message Address Register Format", "Message Data Register
 * Format": a logical lowest-priority message needs the redirection hint. */
static bool message(uint64_t rte, uint64_t *addr, uint32_t *data)
{
	uint32_t mode = rte >> RTE_MODE_SHIFT & 7;

	*addr = LAPIC_BASE | (rte >> 56) << 12;
	*data = (rte & RTE_VECTOR) | mode << 8;
	if (rte & RTE_LOGICAL)
		*addr |= 1 << 2;
	if (mode == MODE_LOWEST)
		*addr |= 1 << 3;
	if (rte & RTE_LEVEL)
		*data |= 1 << 15 | 1 << 14;
	/* ExtINT would ask the 8259A, which has its own wire to the CPU. */
	return mode != MODE_EXTINT;
}

static void send(struct irqchip *chip, const struct ioapic_pin *p)
{
	uint64_t addr;
	uint32_t data;

	if (message(p->rte, &addr, &data))
		(void)limen_msi(chip->board->vm, addr, data);
}

void ioapic_rise(struct irqchip *chip, struct irq_line *line)
{
	const uint64_t one = 1;

	if (!line->routed)
		(void)limen_msi(chip->board->vm, line->addr, line->data);
	else if (write(line->fd, &one, sizeof(one)) < 0)
		return;		/* full: the module has it in its hands */
}

void ioapic_route(struct irqchip *chip, struct irq_line *line)
{
	uint64_t rte = chip->pin[ioapic_pin_of(line->gsi)].rte, addr;
	struct limen_vm *vm = chip->board->vm;
	bool before = line->open;
	uint32_t data;

	line->open = message(rte, &addr, &data) && !(rte & (RTE_MASKED | RTE_LEVEL));
	if (!line->open) {
		if (line->routed)
			(void)limen_irqfd_deassign(vm, line->fd);
		line->routed = false;
		return;
	}
	if (!line->routed)
		line->routed = !limen_irqfd_assign(vm, line->fd, -1, addr, data);
	else if (addr != line->addr || data != line->data)
		(void)limen_irqfd_update(vm, line->fd, addr, data);
	line->addr = addr;
	line->data = data;
	if (!before && line->level)
		ioapic_rise(chip, line);
}

/* a level-triggered input that is asserted and not yet in service */
static void service_level(struct irqchip *chip, struct ioapic_pin *p)
{
	if (!p->level || !(p->rte & RTE_LEVEL) ||
	    p->rte & (RTE_MASKED | RTE_REMOTE_IRR))
		return;
	p->rte |= RTE_REMOTE_IRR;
	send(chip, p);
}

void ioapic_set(struct irqchip *chip, uint32_t pin, bool level, bool edge)
{
	struct ioapic_pin *p = &chip->pin[pin];
	bool rising = level && !p->level;

	p->level = level;
	if (p->rte & RTE_LEVEL)
		service_level(chip, p);
	else if (edge && rising && !(p->rte & RTE_MASKED))
		send(chip, p);	/* a masked edge is lost */
}

void ioapic_eoi(struct irqchip *chip, uint32_t vector)
{
	for (uint32_t i = 0; i < NR_GSI; i++) {
		struct ioapic_pin *p = &chip->pin[i];

		if ((p->rte & RTE_VECTOR) != vector ||
		    !(p->rte & RTE_REMOTE_IRR))
			continue;
		p->rte &= ~RTE_REMOTE_IRR;
		service_level(chip, p);
	}
}

static void rte_write(struct irqchip *chip, uint32_t index, uint32_t v)
{
	struct ioapic_pin *p = &chip->pin[index / 2];
	uint64_t keep = p->rte & RTE_READ_ONLY, rte = p->rte;

	if (index & 1)
		rte = (rte & 0xffffffff) | (uint64_t)v << 32;
	else
		rte = (rte & ~0xffffffffull) | v;
	p->rte = (rte & RTE_VALID & ~RTE_READ_ONLY) | keep;
	/* Without an EOI register this is how Linux gets rid of a stuck one. */
	if (!(p->rte & RTE_LEVEL))
		p->rte &= ~RTE_REMOTE_IRR;
	service_level(chip, p);
	for (struct irq_line *line = chip->events; line; line = line->next)
		if (ioapic_pin_of(line->gsi) == index / 2)
			ioapic_route(chip, line);
}

static uint32_t window_read(const struct irqchip *chip)
{
	uint32_t reg = chip->ioapic_select;
	uint64_t rte;

	if (reg == 0 || reg == 2)
		return chip->ioapic_id << 24;
	if (reg == 1)
		return VERSION | (NR_GSI - 1) << 16;
	if (reg < 0x10 || reg >= 0x10 + 2 * NR_GSI)
		return 0;
	rte = chip->pin[(reg - 0x10) / 2].rte;
	return reg & 1 ? rte >> 32 : rte;
}

static void window_write(struct irqchip *chip, uint32_t v)
{
	uint32_t reg = chip->ioapic_select;

	if (reg == 0)
		chip->ioapic_id = v >> 24 & 0xf;
	else if (reg >= 0x10 && reg < 0x10 + 2 * NR_GSI)
		rte_write(chip, reg - 0x10, v);
}

static void ioapic_access(void *opaque, struct limen_access *a)
{
	struct irqchip *chip = opaque;

	if (!a->write) {
		a->data = 0;
		if (a->addr == REG_SELECT)
			a->data = chip->ioapic_select;
		else if (a->addr == REG_WINDOW)
			a->data = window_read(chip);
		return;
	}
	switch (a->addr) {
	case REG_SELECT:
		chip->ioapic_select = a->data & 0xff;
		break;
	case REG_WINDOW:
		window_write(chip, a->data);
		break;
	case REG_EOI:
		ioapic_eoi(chip, a->data & 0xff);
		break;
	}
}

void ioapic_state(struct irqchip *chip, struct state *s)
{
	state_u32(s, &chip->ioapic_select);
	state_u32(s, &chip->ioapic_id);
	state_check(s, chip->ioapic_select <= 0xff && chip->ioapic_id <= 0xf);
	for (uint32_t i = 0; i < NR_GSI; i++) {
		state_u64(s, &chip->pin[i].rte);
		state_bool(s, &chip->pin[i].level);
		state_check(s, !(chip->pin[i].rte & ~RTE_VALID));
	}
	if (!s->loading || s->bad)
		return;
	/* before the lines have their levels: no edge is made of them */
	for (struct irq_line *line = chip->events; line; line = line->next)
		ioapic_route(chip, line);
}

int ioapic_init(struct irqchip *chip)
{
	for (uint32_t i = 0; i < NR_GSI; i++)
		chip->pin[i].rte = RTE_MASKED;
	return board_mmio(chip->board, "ioapic", IOAPIC_BASE, LIMEN_PAGE_SIZE, 4,
			  ioapic_access, chip, &chip->lock);
}
