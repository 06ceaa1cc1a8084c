/* SPDX-License-Identifier: GPL-2.0-only */
/* Eventfds whose signal is an interrupt message. */
#ifndef LIMEN_PI_IRQFD_H
#define LIMEN_PI_IRQFD_H

#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/types.h>

struct limen_irqfd;

#define PI_MSI_LEVEL	BIT(15)		/* of a message's data: trigger mode */

/* Part of struct limen_vm. Legend: (l) vm->lock, (a) atomic. */
struct pi_irqfds {
	struct list_head list;		/* (l) all of them */
	struct list_head resampled;	/* (l) to write, RCU to read */
	u32 nr;				/* (l) */
	/* (a) level vectors whose end the VMM is told of; a bit stays once set */
	unsigned long user_eoi[4];
};

/*
 * A level-triggered message that is not a resampling irqfd's: its end is
 * LIMEN_EXIT_EOI. Takes all messages. Any context, before it is sent.
 */
static inline void pi_irqfd_note(struct pi_irqfds *irqfds, u32 data)
{
	u8 vector = data;

	if ((data & PI_MSI_LEVEL) && !test_bit(vector, irqfds->user_eoi))
		set_bit(vector, irqfds->user_eoi);
}

void pi_irqfd_init(struct pi_irqfds *irqfds);
void pi_irqfd_fini(struct pi_irqfds *irqfds);
int pi_irqfd_call(struct limen_vm *vm, const struct limen_irqfd *arg);
bool pi_irqfd_eoi(struct pi_irqfds *irqfds, u8 vector);

#endif
