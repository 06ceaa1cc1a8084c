// SPDX-License-Identifier: GPL-2.0-or-later
/* The fixed devices against scripted accesses. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../devices/devices.h"
#include "test.h"

#define IOAPIC(r, reg)		(mmio_write(r, IOAPIC_BASE, 4, reg), \
				 mmio_read(r, IOAPIC_BASE + 0x10, 4))

static struct irqchip *chip_of(struct rig *r)
{
	struct irqchip *chip = NULL;

	rig_init(r);
	EXPECT_EQ(irqchip_create(&r->board, &chip), 0);
	return chip;
}

static void ioapic_write(struct rig *r, uint32_t reg, uint32_t v)
{
	mmio_write(r, IOAPIC_BASE, 4, reg);
	mmio_write(r, IOAPIC_BASE + 0x10, 4, v);
}

static void end(struct rig *r, struct irqchip *chip)
{
	irqchip_destroy(chip);
	rig_fini(r);
}

/* ---- 8259 -------------------------------------------------------------------- */

static void pic_setup(struct rig *r)
{
	outb(r, 0x20, 0x11);
	outb(r, 0x21, 0x20);
	outb(r, 0x21, 4);
	outb(r, 0x21, 1);
	outb(r, 0xa0, 0x11);
	outb(r, 0xa1, 0x28);
	outb(r, 0xa1, 2);
	outb(r, 0xa1, 1);
	outb(r, 0x21, 0);
	outb(r, 0xa1, 0);
}

TEST(pic_edge_is_latched_until_acknowledged)
{
	struct irq_line line;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	pic_setup(&r);
	irq_line_init(&line, chip, 4);
	irq_line_pulse(&line);
	EXPECT_EQ(fake.extint, 1);
	EXPECT_EQ(irqchip_inta(chip), 0x24);
	EXPECT_EQ(fake.extint, 0);
	outb(&r, 0x20, 0x0b);			/* read ISR */
	EXPECT_EQ(inb(&r, 0x20), 0x10);
	irq_line_pulse(&line);			/* held back while in service */
	EXPECT_EQ(fake.extint, 0);
	outb(&r, 0x20, 0x20);			/* EOI */
	EXPECT_EQ(fake.extint, 1);
	EXPECT_EQ(irqchip_inta(chip), 0x24);
	EXPECT_EQ(irqchip_inta(chip), 256);	/* nothing there */
	end(&r, chip);
}

TEST(pic_slave_goes_through_the_cascade)
{
	struct irq_line rtc, com;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	pic_setup(&r);
	irq_line_init(&rtc, chip, 8);
	irq_line_init(&com, chip, 4);
	irq_line_pulse(&com);
	irq_line_pulse(&rtc);
	/* input 2 ranks before 4 */
	EXPECT_EQ(irqchip_inta(chip), 0x28);
	EXPECT_EQ(fake.extint, 0);
	outb(&r, 0xa0, 0x20);
	outb(&r, 0x20, 0x20);
	EXPECT_EQ(irqchip_inta(chip), 0x24);
	end(&r, chip);
}

TEST(pic_mask_and_level_trigger)
{
	struct irq_line line;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	pic_setup(&r);
	outb(&r, 0x4d0, 0xff);
	EXPECT_EQ(inb(&r, 0x4d0), 0xf8);	/* 0 to 2 can't */
	irq_line_init(&line, chip, 5);
	outb(&r, 0x21, 0x20);
	irq_line_set(&line, true);
	EXPECT_EQ(fake.extint, 0);
	outb(&r, 0x21, 0);
	EXPECT_EQ(fake.extint, 1);
	irq_line_set(&line, false);		/* level: gone when it falls */
	EXPECT_EQ(fake.extint, 0);
	irq_line_set(&line, true);
	EXPECT_EQ(irqchip_inta(chip), 0x25);
	outb(&r, 0x20, 0x65);			/* specific EOI: still asserted */
	EXPECT_EQ(fake.extint, 1);
	end(&r, chip);
}

/* ---- I/O APIC ------------------------------------------------------------------ */

TEST(ioapic_edge_sends_one_message)
{
	struct irq_line line;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(IOAPIC(&r, 1), 0x170020);
	irq_line_init(&line, chip, 4);
	irq_line_pulse(&line);			/* masked: lost */
	ioapic_write(&r, 0x10 + 8, 0x30);
	ioapic_write(&r, 0x10 + 9, 0x03000000);
	EXPECT_EQ(fake.msis, 0);
	irq_line_set(&line, true);
	irq_line_set(&line, true);
	EXPECT_EQ(fake.msis, 1);
	EXPECT_EQ(fake.msi_addr, 0xfee03000);
	EXPECT_EQ(fake.msi_data, 0x30);
	end(&r, chip);
}

TEST(ioapic_irq0_is_on_pin_2)
{
	struct irq_line line;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	irq_line_init(&line, chip, 0);
	ioapic_write(&r, 0x10 + 4, 0x0931);	/* logical, lowest priority */
	ioapic_write(&r, 0x10 + 5, 0x01000000);
	irq_line_pulse(&line);
	EXPECT_EQ(fake.msis, 1);
	EXPECT_EQ(fake.msi_addr, 0xfee0100c);
	EXPECT_EQ(fake.msi_data, 0x131);
	end(&r, chip);
}

TEST(ioapic_level_waits_for_eoi)
{
	struct irq_line a, b;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	irq_line_init(&a, chip, 16);
	irq_line_init(&b, chip, 16);
	ioapic_write(&r, 0x10 + 32, 0x8041);
	irq_line_set(&a, true);
	EXPECT_EQ(fake.msis, 1);
	EXPECT_EQ(fake.msi_data, 0xc041);
	EXPECT_EQ(IOAPIC(&r, 0x10 + 32), 0xc041);	/* remote IRR */
	irq_line_set(&b, true);			/* shared: no second message */
	irq_line_set(&a, false);
	EXPECT_EQ(fake.msis, 1);
	irqchip_eoi(chip, 0x41);		/* b still holds it */
	EXPECT_EQ(fake.msis, 2);
	irq_line_set(&b, false);
	mmio_write(&r, IOAPIC_BASE + 0x40, 4, 0x41);
	EXPECT_EQ(fake.msis, 2);
	EXPECT_EQ(IOAPIC(&r, 0x10 + 32), 0x8041);
	irq_line_set(&a, true);
	EXPECT_EQ(fake.msis, 3);
	/* going to edge clears a stuck remote IRR */
	ioapic_write(&r, 0x10 + 32, 0x10041);
	EXPECT_EQ(IOAPIC(&r, 0x10 + 32), 0x10041);
	end(&r, chip);
}

/* ---- timer ---------------------------------------------------------------------- */

static void wait_us(uint32_t us)
{
	uint64_t until = clock_ns() + us * 1000ull;

	while (clock_ns() < until)
		usleep(100);
}

/* Loads channel 0 and reads it twice; how long that took, in ticks. The machine
 * that runs the test may be busy: the caller tries again when it took too long. */
static uint64_t pit_read_twice(struct rig *r, uint32_t *a, uint32_t *b)
{
	uint64_t start = clock_ns();

	outb(r, 0x43, 0x34);			/* mode 2, both bytes */
	outb(r, 0x40, 0x00);
	outb(r, 0x43, 0xe2);			/* read-back: status of 0 */
	EXPECT_EQ(inb(r, 0x40) & 0x7f, 0x74);	/* null count: high byte is due */
	outb(r, 0x40, 0x80);
	outb(r, 0x43, 0x00);			/* latch */
	*a = inb(r, 0x40);
	wait_us(2000);
	*a |= inb(r, 0x40) << 8;		/* of the same moment */
	*b = inb(r, 0x40);
	*b |= inb(r, 0x40) << 8;
	return (clock_ns() - start) * 1193 / 1000000;
}

TEST(pit_counts_latches_and_reports)
{
	struct pit *p;
	uint64_t took;
	uint32_t a, b, tries = 0;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(pit_create(&r.board, &p), 0);
	do {
		took = pit_read_twice(&r, &a, &b);
	} while (took > 0x7000 && tries++ < 1000);
	EXPECT_TRUE(a <= 0x8000 && b < a && a - b >= 2000);
	EXPECT_TRUE(0x8000 - b <= took + 2);
	outb(&r, 0x43, 0xe2);
	EXPECT_EQ(inb(&r, 0x40) & 0x7f, 0x34);
	pit_destroy(p);
	end(&r, chip);
}

TEST(pit_channel_2_gate_and_output)
{
	uint32_t tries = 0, low;
	uint64_t start;
	struct pit *p;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(pit_create(&r.board, &p), 0);
	do {
		outb(&r, 0x61, 0);
		outb(&r, 0x43, 0xb0);		/* mode 0 */
		outb(&r, 0x42, 5966 & 0xff);
		outb(&r, 0x42, 5966 >> 8);	/* 5 ms */
		wait_us(6000);
		EXPECT_EQ(inb(&r, 0x61) & 0x20, 0);	/* the gate holds it */
		start = clock_ns();
		outb(&r, 0x61, 1);
		low = inb(&r, 0x61) & 0x20;
	} while (clock_ns() - start > 4000000 && tries++ < 1000);
	EXPECT_EQ(low, 0);
	wait_us(6000);
	EXPECT_EQ(inb(&r, 0x61) & 0x21, 0x21);
	pit_destroy(p);
	end(&r, chip);
}

TEST(pit_raises_irq0)
{
	struct pit *p;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(pit_create(&r.board, &p), 0);
	ioapic_write(&r, 0x14, 0x30);
	outb(&r, 0x43, 0x34);
	outb(&r, 0x40, 0xa9);
	outb(&r, 0x40, 0x04);			/* 1 ms */
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(fake.msis, 3);
	outb(&r, 0x43, 0x38);			/* mode 4: one shot */
	outb(&r, 0x40, 0xa9);
	outb(&r, 0x40, 0x04);
	EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(fake.msis, 4);
	pit_destroy(p);
	end(&r, chip);
}

/* ---- clock ---------------------------------------------------------------------- */

static uint32_t cmos(struct rig *r, uint8_t reg)
{
	outb(r, 0x70, reg);
	return inb(r, 0x71);
}

static void cmos_write(struct rig *r, uint8_t reg, uint8_t v)
{
	outb(r, 0x70, reg);
	outb(r, 0x71, v);
}

TEST(rtc_tells_the_time_and_keeps_a_new_one)
{
	struct rtc *c;
	struct rig r;
	struct irqchip *chip = chip_of(&r);
	time_t t = time(NULL);
	struct tm tm;

	EXPECT_EQ(rtc_create(&r.board, &c), 0);
	gmtime_r(&t, &tm);
	EXPECT_EQ(cmos(&r, 0x32), 0x20);
	EXPECT_EQ(cmos(&r, 9), (tm.tm_year % 100) / 10 << 4 | tm.tm_year % 10);
	cmos_write(&r, 0x0b, 0x86);		/* SET, binary, 24 h */
	cmos_write(&r, 9, 30);
	cmos_write(&r, 8, 2);
	cmos_write(&r, 7, 28);
	cmos_write(&r, 4, 23);
	cmos_write(&r, 2, 59);
	cmos_write(&r, 0, 10);
	cmos_write(&r, 0x0b, 0x06);
	EXPECT_EQ(cmos(&r, 9), 30);
	EXPECT_EQ(cmos(&r, 8), 2);
	EXPECT_EQ(cmos(&r, 7), 28);
	EXPECT_EQ(cmos(&r, 4), 23);
	EXPECT_EQ(cmos(&r, 2), 59);
	EXPECT_TRUE(cmos(&r, 0) <= 40);
	cmos_write(&r, 0x0b, 0x00);		/* BCD, 12 h */
	EXPECT_EQ(cmos(&r, 4), 0x91);		/* 11 pm */
	EXPECT_EQ(cmos(&r, 0x30) | cmos(&r, 0x31) << 8, 3072);
	EXPECT_EQ(cmos(&r, 0x5f), 1);
	rtc_destroy(c);
	end(&r, chip);
}

TEST(rtc_periodic_interrupt)
{
	struct rtc *c;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(rtc_create(&r.board, &c), 0);
	ioapic_write(&r, 0x10 + 16, 0x38);
	cmos_write(&r, 0x0b, 0x42);
	EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(fake.msis, 1);
	EXPECT_EQ(cmos(&r, 0x0c) & 0xc0, 0xc0);
	EXPECT_EQ(cmos(&r, 0x0c) & 0x40, 0);
	EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(fake.msis, 2);
	rtc_destroy(c);
	end(&r, chip);
}

/* ---- the rest --------------------------------------------------------------------- */

static int pipe_fds[2];

static struct serial *serial_of(struct rig *r, struct chardev *chr)
{
	struct serial *s = NULL;

	EXPECT_EQ(pipe(pipe_fds), 0);
	EXPECT_EQ(chardev_init(chr, &r->board, pipe_fds[0], -1), 0);
	EXPECT_EQ(serial_create(&r->board, chr, true, &s), 0);
	return s;
}

TEST(serial_receives_with_flow_control)
{
	struct chardev chr;
	struct serial *s;
	struct rig r;
	struct irqchip *chip = chip_of(&r);
	char text[] = "abcdefghijklmnopqrstuvwxyz", got[27] = "";
	int n = 0;

	s = serial_of(&r, &chr);
	ioapic_write(&r, 0x10 + 8, 0x34);
	outb(&r, 0x3fa, 0x07);			/* FIFO */
	outb(&r, 0x3fc, 0x08);			/* OUT2 */
	outb(&r, 0x3f9, 0x01);
	EXPECT_EQ(write(pipe_fds[1], text, 26), 26);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(event_wait(r.board.loop), 0);	/* fills the FIFO */
		if (!i)
			EXPECT_EQ(event_wait(r.board.loop), 0);	/* full: stops */
		EXPECT_EQ(inb(&r, 0x3fa), 0xc4);
		while (inb(&r, 0x3fd) & 1 && n < 26)
			got[n++] = inb(&r, 0x3f8);
	}
	EXPECT_EQ(strcmp(got, text), 0);
	EXPECT_EQ(fake.msis, 2);
	EXPECT_EQ(inb(&r, 0x3fa), 0xc1);
	serial_destroy(s);
	chardev_fini(&chr);
	end(&r, chip);
}

TEST(serial_reads_a_file_to_its_end)
{
	struct chardev chr;
	struct serial *s;
	struct rig r;
	struct irqchip *chip = chip_of(&r);
	FILE *f = tmpfile();

	fputs("xy", f);
	rewind(f);
	EXPECT_EQ(chardev_init(&chr, &r.board, fileno(f), -1), 0);
	EXPECT_EQ(serial_create(&r.board, &chr, true, &s), 0);
	outb(&r, 0x3fa, 0x07);
	EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(inb(&r, 0x3f8), 'x');
	EXPECT_EQ(inb(&r, 0x3f8), 'y');
	EXPECT_EQ(event_wait(r.board.loop), 0);
	EXPECT_EQ(chr.watching, false);
	serial_destroy(s);
	chardev_fini(&chr);
	end(&r, chip);
	fclose(f);
}

TEST(serial_loopback_and_transmit_interrupt)
{
	struct chardev chr;
	struct serial *s;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	s = serial_of(&r, &chr);
	outb(&r, 0x3fc, 0x1a);			/* as Linux' autoconfig() */
	EXPECT_EQ(inb(&r, 0x3fe) & 0xf0, 0x90);
	outb(&r, 0x3f8, 0x55);
	EXPECT_EQ(inb(&r, 0x3fd), 0x61);
	EXPECT_EQ(inb(&r, 0x3f8), 0x55);
	outb(&r, 0x3fc, 0x08);
	outb(&r, 0x3f9, 0x02);
	EXPECT_EQ(inb(&r, 0x3fa), 0x02);
	EXPECT_EQ(inb(&r, 0x3fa), 0x01);	/* reading it ends it */
	outb(&r, 0x3f8, 'x');
	EXPECT_EQ(inb(&r, 0x3fa), 0x02);
	outb(&r, 0x3ff, 0xa5);
	EXPECT_EQ(inb(&r, 0x3ff), 0xa5);
	serial_destroy(s);
	chardev_fini(&chr);
	end(&r, chip);
}

TEST(pm_timer_runs_and_s5_powers_off)
{
	struct acpi_pm *pm;
	uint32_t a, b;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(acpi_pm_create(&r.board, &pm), 0);
	a = inl(&r, ACPI_PM_TIMER);
	wait_us(2000);
	b = inl(&r, ACPI_PM_TIMER);
	EXPECT_TRUE(b - a >= 7000 && b - a < 70000000);
	EXPECT_EQ(inw(&r, ACPI_PM_CNT), 1);	/* SCI_EN */
	EXPECT_EQ(acpi_pm_power_button(pm), false);
	outw(&r, ACPI_PM_BASE + 2, 0x100);
	ioapic_write(&r, 0x10 + 18, 0x8039);
	EXPECT_EQ(fake.msis, 1);		/* pressed before: still there */
	EXPECT_EQ(inw(&r, ACPI_PM_BASE), 0x100);
	outw(&r, ACPI_PM_BASE, 0x100);
	EXPECT_EQ(inw(&r, ACPI_PM_BASE), 0);
	outw(&r, ACPI_PM_CNT, 0x2400);		/* another sleep state */
	EXPECT_EQ(r.ended, BOARD_RUNS);
	outw(&r, ACPI_PM_CNT, 0x2000);
	EXPECT_EQ(r.ended, BOARD_POWER_OFF);
	acpi_pm_destroy(pm);
	end(&r, chip);
}

TEST(reset_ports)
{
	struct reset *reset;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(reset_create(&r.board, &reset), 0);
	outl(&r, 0xcf8, 0x80000600);		/* PCI address, not a reset */
	EXPECT_EQ(inl(&r, 0xcf8), 0xffffffff);
	EXPECT_EQ(inl(&r, 0xcfc), 0xffffffff);
	EXPECT_EQ(inb(&r, 0x64), 0);
	outb(&r, 0x64, 0xd1);
	EXPECT_EQ(r.ended, BOARD_RUNS);
	outb(&r, 0x64, 0xfe);
	EXPECT_EQ(r.ended, BOARD_RESET);
	r.ended = BOARD_RUNS;
	outb(&r, 0xcf9, 2);
	EXPECT_EQ(r.ended, BOARD_RUNS);
	outb(&r, 0xcf9, 6);
	EXPECT_EQ(r.ended, BOARD_RESET);
	r.ended = BOARD_RUNS;
	outb(&r, 0x92, 3);
	EXPECT_EQ(r.ended, BOARD_RESET);
	reset_destroy(reset);
	end(&r, chip);
}

TEST(debug_exit_and_console_detection)
{
	struct debug_ports *d;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(debug_ports_create(&r.board, -1, &d), 0);
	EXPECT_EQ(inb(&r, 0xe9), 0xe9);
	outl(&r, 0xf4, 0x21);
	EXPECT_EQ(r.ended, BOARD_DEBUG_EXIT);
	EXPECT_EQ(r.end_code, 0x21);
	debug_ports_destroy(d);
	end(&r, chip);
}

TEST(fw_cfg_items_and_files)
{
	struct fw_cfg *f;
	struct rig r;
	struct irqchip *chip = chip_of(&r);
	char sig[5] = "";

	EXPECT_EQ(fw_cfg_create(&r.board, &f), 0);
	EXPECT_EQ(fw_cfg_add_file(f, "opt/test", "hello", 5), 0);
	outw(&r, 0x510, 0);
	for (int i = 0; i < 4; i++)
		sig[i] = inb(&r, 0x511);
	EXPECT_EQ(strcmp(sig, "QEMU"), 0);
	outw(&r, 0x510, 5);
	EXPECT_EQ(inb(&r, 0x511), 2);
	outw(&r, 0x510, 0x19);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(inb(&r, 0x511), 0);
	EXPECT_EQ(inb(&r, 0x511), 1);		/* count, big-endian */
	outw(&r, 0x510, 0x20);
	EXPECT_EQ(inb(&r, 0x511), 'h');
	outw(&r, 0x510, 0x21);			/* no such file */
	EXPECT_EQ(inb(&r, 0x511), 0);
	fw_cfg_destroy(f);
	end(&r, chip);
}

TEST(testdev_ports)
{
	struct testdev *t;
	struct rig r;
	struct irqchip *chip = chip_of(&r);

	EXPECT_EQ(testdev_create(&r.board, false, &t), 0);
	outl(&r, 0xe0, 0x12345678);
	EXPECT_EQ(inb(&r, 0xe1), 0x56);
	EXPECT_EQ(inl(&r, 0xe8), 0x12345678);
	outb(&r, 0xe9, 0xaa);
	EXPECT_EQ(inl(&r, 0xe0), 0x1234aa78);
	r.ram[0x3000] = 0x42;
	outl(&r, 0xe4, 0x3000);			/* the page survives */
	EXPECT_EQ(r.ram[0x3000], 0x42);
	outl(&r, 0xe4, 0xfffff000);		/* not memory: nothing */
	mmio_write(&r, 0xff00fff8, 4, 0x1234);
	EXPECT_EQ(mmio_read(&r, 0xff00fff8, 4), 0x1234);
	EXPECT_EQ(mmio_read(&r, 0xff00fff9, 1), 0x12);
	ioapic_write(&r, 0x10 + 2 * 23, 0x8050);
	outb(&r, 0x2000 + 23, 1);
	EXPECT_EQ(fake.msis, 1);
	testdev_destroy(t);
	end(&r, chip);
}
