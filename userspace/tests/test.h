/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests that print KTAP. A test's name is its claim:
 *
 *	TEST(bus_splits_wide_access) { EXPECT_EQ(1, 1); }
 */
#ifndef LIMEN_TEST_H
#define LIMEN_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*fn)(void);
	struct test *next;
};

void test_register(struct test *t);
void test_fail(const char *file, int line, const char *what, uint64_t a,
	       uint64_t b);

#define TEST(id)							\
static void test_##id(void);						\
__attribute__((constructor)) static void register_##id(void)		\
{									\
	static struct test t = { #id, test_##id, NULL };		\
	test_register(&t);						\
}									\
static void test_##id(void)

#define EXPECT_EQ(a, b) do {						\
	uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);		\
	if (a_ != b_)							\
		test_fail(__FILE__, __LINE__, #a " == " #b, a_, b_);	\
} while (0)
#define EXPECT_TRUE(a)	EXPECT_EQ(!!(a), 1)

/* ---- a kernel of our own behind the library (fake.c) ------------------------ */

#include "../lib/internal.h"
#include "../devices/board.h"

#define FAKE_XSAVE_SIZE	832
#define FAKE_RAM	(4u << 20)

struct fake_page {
	uint64_t gva, gpa;	/* page addresses */
	uint32_t fault, error;	/* if set, the translation faults */
	uint32_t access;	/* the fault is for these accesses only; 0: all */
};

struct fake {
	struct limen_regs regs;
	struct limen_sregs sregs;
	struct limen_events events;
	struct limen_debugregs debug;
	struct limen_apic apic;
	struct limen_time time;
	struct limen_msr msr[4];	/* the last one is listed, but not had */
	uint8_t xsave[FAKE_XSAVE_SIZE];
	struct fake_page page[8];	/* others are identical */
	uint32_t nr_pages;
	uint32_t translations;
	uint32_t msis, extints;
	uint64_t msi_addr;
	uint32_t msi_data, extint;
	uint32_t apic_offset, apic_value, apic_writes;
	uint32_t kicks;
	_Atomic bool kicked;	/* not yet seen by a run */
	bool no_eventfds;	/* an older module: ENOTTY */
	struct limen_irqfd irqfd;	/* the last one assigned or updated */
	uint32_t irqfds, irqfd_updates, irqfd_deassigns;
	struct limen_ioeventfd ioeventfd[8];
	uint32_t nr_ioeventfds;
	struct limen_dirty dirty;	/* the last one */
	uint32_t dirties;
	bool no_log;		/* an older module: EINVAL for LIMEN_MEM_LOG */
	bool keeps_log;		/* of the first 4 MiB, and does what LIMEN_DIRTY says */
	uint8_t log[FAKE_RAM / 4096];
	struct limen_dirty_ring *ring;
	uint32_t ring_entries;
	/* LIMEN_RUN; 0 or -errno */
	int (*run)(struct limen_run *run);
};

extern struct fake fake;

/* A VM with FAKE_RAM bytes at 0 and one vCPU on the fake kernel. */
struct rig {
	struct limen *dev;
	struct limen_vm *vm;
	struct limen_vcpu *vcpu;
	struct limen_run *run;
	struct limen_bus *bus;
	uint8_t *ram;
	struct board board;	/* on @bus; loop made on demand */
	uint32_t ended;		/* enum board_end */
	uint32_t end_code;
};

/* an empty fake kernel under the library; rig_init() does it too */
void fake_reset(void);
extern uint32_t fake_tsc_khz;	/* stays */
void rig_init(struct rig *r);
void rig_fini(struct rig *r);

/* one port or MMIO access through the bus */
void outb(struct rig *r, uint16_t port, uint32_t v);
void outw(struct rig *r, uint16_t port, uint32_t v);
void outl(struct rig *r, uint16_t port, uint32_t v);
uint32_t inb(struct rig *r, uint16_t port);
uint32_t inw(struct rig *r, uint16_t port);
uint32_t inl(struct rig *r, uint16_t port);
uint32_t mmio_read(struct rig *r, uint64_t gpa, uint32_t size);
void mmio_write(struct rig *r, uint64_t gpa, uint32_t size, uint64_t v);

#endif
