/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fixed devices of the board. Each create function puts the device on the
 * bus; destroy undoes it after all vCPU threads have ended.
 */
#ifndef LIMEN_DEVICES_H
#define LIMEN_DEVICES_H

#include "board.h"

/* irqchip.c, pic.c, ioapic.c */
int irqchip_create(struct board *b, struct irqchip **out);
void irqchip_destroy(struct irqchip *chip);
void irqchip_eoi(struct irqchip *chip, uint32_t vector);
uint32_t irqchip_inta(struct irqchip *chip);

/*
 * State: saved and loaded in the main thread while no vCPU runs and, for devices with
 * timers, between hold and go. The interrupt controllers come first, so that lines can be
 * put back on them.
 */
void irqchip_state(struct irqchip *chip, struct state *s);

/* chardev.c: a byte stream to the user, with one device at the other end */
struct chardev {
	struct board *board;
	int in_fd;	/* -1: none */
	int out_fd;	/* -1: output is dropped */
	struct event_source src;
	bool own_fd;	/* src.fd is not in_fd */
	atomic_bool watching;
	/* the device: how many bytes it takes, and taking them; main thread */
	size_t (*room)(void *opaque);
	void (*input)(void *opaque, const uint8_t *buf, size_t len);
	void *device;
	/* the tool's escape key: filters @buf in place, returns what is left */
	size_t (*filter)(void *opaque, uint8_t *buf, size_t len);
	void *filter_opaque;
};

int chardev_init(struct chardev *c, struct board *b, int in_fd, int out_fd);
void chardev_fini(struct chardev *c);
void chardev_attach(struct chardev *c, size_t (*room)(void *),
		    void (*input)(void *, const uint8_t *, size_t), void *device);
void chardev_write(struct chardev *c, const void *buf, size_t len);
/* the device has room again; any thread, with the device's lock held */
void chardev_resume(struct chardev *c);

struct serial;
int serial_create(struct board *b, struct chardev *chr, bool input,
		  struct serial **out);
void serial_state(struct serial *dev, struct state *s);
void serial_destroy(struct serial *s);

struct rtc;
int rtc_create(struct board *b, struct rtc **out);
void rtc_hold(struct rtc *dev);
void rtc_state(struct rtc *dev, struct state *s);
void rtc_go(struct rtc *dev);
void rtc_destroy(struct rtc *r);

struct pit;
int pit_create(struct board *b, struct pit **out);
void pit_hold(struct pit *dev);
void pit_state(struct pit *dev, struct state *s);
void pit_go(struct pit *dev);
void pit_destroy(struct pit *p);

struct acpi_pm;
int acpi_pm_create(struct board *b, struct acpi_pm **out);
void acpi_pm_state(struct acpi_pm *dev, struct state *s);
void acpi_pm_destroy(struct acpi_pm *pm);
/* press the power button; false if the guest doesn't listen */
bool acpi_pm_power_button(struct acpi_pm *pm);

#define ACPI_PM_BASE	0x600	/* PM1a event block; its size is 4 */
#define ACPI_PM_CNT	0x604
#define ACPI_PM_TIMER	0x608
#define ACPI_S5_TYPE	0	/* SLP_TYP of S5; 0x2000 to 0x604 powers off */
#define RESET_PORT	0xcf9
#define RESET_VALUE	6
#define RTC_CENTURY	0x32
#define IOAPIC_BASE	0xfec00000u
#define LAPIC_BASE	0xfee00000u

struct reset;
int reset_create(struct board *b, struct reset **out);
void reset_state(struct reset *dev, struct state *s);
void reset_destroy(struct reset *r);

struct debug_ports;
/* @debugcon_fd: where port 0xe9 goes; -1 drops it, -2: no such port */
#define DEBUGCON_NONE	(-2)
int debug_ports_create(struct board *b, int debugcon_fd,
		       struct debug_ports **out);
void debug_ports_state(struct debug_ports *dev, struct state *s);
void debug_ports_destroy(struct debug_ports *d);

struct fw_cfg;
int fw_cfg_create(struct board *b, struct fw_cfg **out);
void fw_cfg_state(struct fw_cfg *dev, struct state *s);
void fw_cfg_destroy(struct fw_cfg *f);
/* a named file; the data is copied */
int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data,
		    uint32_t len);

struct testdev;
/* @debugcon: port 0xe9 is the debug console's, not the echo's */
int testdev_create(struct board *b, bool debugcon, struct testdev **out);
void testdev_state(struct testdev *dev, struct state *s);
void testdev_destroy(struct testdev *t);

#endif
