// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ACPI tables (ACPI 6.4): RSDP, RSDT and XSDT, FADT, MADT, FACS, and a DSDT with S5
 * and the virtio devices. Linux loads virtio_mmio by their id LNRO0005; unlike
 * virtio_mmio.device= on the command line this needs no kernel option.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../devices/devices.h"
#include "aml.h"
#include "boot.h"

#define HEADER_LEN	36
#define FADT_LEN	276	/* revision 6 */
#define MAX_DSDT	0x4000

struct tables {
	struct boot *b;
	uint8_t *mem;		/* ACPI_TABLES in guest memory */
	uint32_t len;
	int err;
};

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static void checksum(uint8_t *p, uint32_t len, uint32_t at)
{
	uint8_t sum = 0;

	p[at] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum += p[i];
	p[at] = -sum;
}

/* room for a table, 64-byte aligned and zeroed; its guest address in *@gpa */
static uint8_t *reserve(struct tables *t, uint32_t len, uint32_t *gpa)
{
	uint32_t at = (t->len + 63) & ~63u;

	*gpa = ACPI_TABLES + at;
	if (at + len > ACPI_TABLES_MAX) {
		t->err = -ENOSPC;
		return t->mem;
	}
	t->len = at + len;
	return t->mem + at;
}

static void header(uint8_t *p, const char *sig, uint32_t len, uint8_t revision)
{
	memcpy(p, sig, 4);
	put32(p + 4, len);
	p[8] = revision;
	memcpy(p + 10, "LIMEN ", 6);
	memcpy(p + 16, "LIMENPC ", 8);
	put32(p + 24, 1);
	memcpy(p + 28, "LIMN", 4);
	put32(p + 32, 1);
	checksum(p, len, 9);
}

/* Device(VRxx): memory, interrupt, and the id that the driver binds to */
static void dsdt_virtio(struct aml *a, const struct boot *b, uint32_t n)
{
	const char name[5] = { 'V', 'R', "0123456789ABCDEF"[n >> 4 & 15],
			       "0123456789ABCDEF"[n & 15], 0 };
	uint32_t device = aml_open(a, "\x5b\x82", 2), crs;

	aml_name(a, name);
	aml_byte(a, 0x08);			/* Name(_HID, ...) */
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_byte(a, 0x08);
	aml_name(a, "_UID");
	aml_integer(a, n);
	aml_byte(a, 0x08);
	aml_name(a, "_CCA");
	aml_integer(a, 1);
	aml_byte(a, 0x08);
	aml_name(a, "_CRS");
	crs = aml_open(a, "\x11", 1);		/* Buffer */
	aml_integer(a, 12 + 9 + 2);
	aml_bytes(a, "\x86\x09\x00\x01", 4);	/* Memory32Fixed, writable */
	aml_u32(a, b->virtio_base + n * b->virtio_stride);
	aml_u32(a, b->virtio_stride);
	/* Extended Interrupt: consumer, edge, active high, shared */
	aml_bytes(a, "\x89\x06\x00\x0b\x01", 5);
	aml_u32(a, b->virtio_gsi + n % b->virtio_nr_gsi);
	aml_bytes(a, "\x79\x00", 2);		/* end tag */
	aml_close(a, crs);
	aml_close(a, device);
}

/* Name(_S5, Package(4) { type, type, 0, 0 }) */
static void dsdt_s5(struct aml *a)
{
	uint32_t mark;

	aml_byte(a, 0x08);
	aml_name(a, "_S5_");
	mark = aml_open(a, "\x12", 1);
	aml_byte(a, 4);
	aml_integer(a, ACPI_S5_TYPE);
	aml_integer(a, ACPI_S5_TYPE);
	aml_integer(a, 0);
	aml_integer(a, 0);
	aml_close(a, mark);
}

static uint32_t put_dsdt(struct tables *t)
{
	uint8_t *body = malloc(MAX_DSDT), *p;
	struct aml a = { .buf = body, .max = MAX_DSDT };
	uint32_t gpa = 0, scope;

	if (!body) {
		t->err = -ENOMEM;
		return 0;
	}
	dsdt_s5(&a);
	scope = aml_open(&a, "\x10", 1);
	aml_bytes(&a, "\\_SB_", 5);
	for (uint32_t i = 0; i < t->b->nr_virtio; i++)
		dsdt_virtio(&a, t->b, i);
	aml_close(&a, scope);
	if (a.overflow)
		t->err = -ENOSPC;
	p = reserve(t, HEADER_LEN + a.len, &gpa);
	if (!t->err) {
		memcpy(p + HEADER_LEN, body, a.len);
		header(p, "DSDT", HEADER_LEN + a.len, 2);
	}
	free(body);
	return gpa;
}

static uint32_t put_facs(struct tables *t)
{
	uint32_t gpa;
	uint8_t *p = reserve(t, 64, &gpa);

	if (t->err)
		return 0;
	memcpy(p, "FACS", 4);
	put32(p + 4, 64);
	p[32] = 2;
	return gpa;
}

/* Generic Address Structure: system I/O */
static void gas(uint8_t *p, uint8_t bits, uint8_t access, uint64_t port)
{
	p[0] = 1;
	p[1] = bits;
	p[3] = access;
	put64(p + 4, port);
}

static uint32_t put_fadt(struct tables *t, uint32_t dsdt, uint32_t facs)
{
	uint32_t gpa;
	uint8_t *p = reserve(t, FADT_LEN, &gpa);

	if (t->err)
		return 0;
	put32(p + 36, facs);
	put32(p + 40, dsdt);
	put16(p + 46, GSI_SCI);
	put32(p + 56, ACPI_PM_BASE);
	put32(p + 64, ACPI_PM_CNT);
	put32(p + 76, ACPI_PM_TIMER);
	p[88] = 4;		/* lengths: PM1 event, control, timer */
	p[89] = 2;
	p[91] = 4;
	put16(p + 96, 0xfff);	/* no C2, no C3 */
	put16(p + 98, 0xfff);
	p[108] = RTC_CENTURY;
	put16(p + 109, 1 << 0 | 1 << 2);	/* legacy devices, no VGA */
	/* WBINVD, C1, sleep button is none, RTC wake is none, 32-bit timer,
	 * reset register */
	put32(p + 112, 1 << 0 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10);
	gas(p + 116, 8, 1, RESET_PORT);
	p[128] = RESET_VALUE;
	p[131] = 0;		/* minor version */
	put64(p + 140, dsdt);
	gas(p + 148, 32, 2, ACPI_PM_BASE);
	gas(p + 172, 16, 2, ACPI_PM_CNT);
	gas(p + 208, 32, 3, ACPI_PM_TIMER);
	header(p, "FACP", FADT_LEN, 6);
	return gpa;
}

static uint32_t put_madt(struct tables *t)
{
	uint32_t gpa, len = HEADER_LEN + 8 + 8 * t->b->cpus + 12 + 2 * 10 + 6;
	uint8_t *start = reserve(t, len, &gpa), *p = start + HEADER_LEN;

	if (t->err)
		return 0;
	put32(p, LAPIC_BASE);
	put32(p + 4, 1);	/* there is a pair of 8259A, too */
	p += 8;
	for (uint32_t i = 0; i < t->b->cpus; i++, p += 8) {
		p[0] = 0;	/* local APIC */
		p[1] = 8;
		p[2] = i;
		p[3] = i;
		put32(p + 4, 1);
	}
	p[0] = 1;		/* I/O APIC */
	p[1] = 12;
	put32(p + 4, IOAPIC_BASE);
	p += 12;
	p[0] = 2;		/* IRQ 0 is on input 2 */
	p[1] = 10;
	put32(p + 4, 2);
	p += 10;
	p[0] = 2;		/* the SCI: level, active high */
	p[1] = 10;
	p[3] = GSI_SCI;
	put32(p + 4, GSI_SCI);
	put16(p + 8, 0xd);
	p += 10;
	p[0] = 4;		/* NMI on LINT1 of all */
	p[1] = 6;
	p[2] = 0xff;
	p[5] = 1;
	header(start, "APIC", len, 4);
	return gpa;
}

static void put_roots(struct tables *t, uint32_t fadt, uint32_t madt)
{
	uint8_t *rsdp = limen_gpa_ptr(t->b->vm, ACPI_RSDP, 36, true);
	uint32_t rsdt_gpa, xsdt_gpa;
	uint8_t *rsdt = reserve(t, HEADER_LEN + 8, &rsdt_gpa);
	uint8_t *xsdt = reserve(t, HEADER_LEN + 16, &xsdt_gpa);

	if (!rsdp)
		t->err = -EFAULT;
	if (t->err)
		return;
	put32(rsdt + 36, fadt);
	put32(rsdt + 40, madt);
	header(rsdt, "RSDT", HEADER_LEN + 8, 1);
	put64(xsdt + 36, fadt);
	put64(xsdt + 44, madt);
	header(xsdt, "XSDT", HEADER_LEN + 16, 1);
	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "LIMEN ", 6);
	rsdp[15] = 2;
	put32(rsdp + 16, rsdt_gpa);
	put32(rsdp + 20, 36);
	put64(rsdp + 24, xsdt_gpa);
	checksum(rsdp, 20, 8);
	checksum(rsdp, 36, 32);
}

int boot_acpi(struct boot *b)
{
	struct tables t = { .b = b };
	uint32_t dsdt, facs, fadt, madt;

	t.mem = limen_gpa_ptr(b->vm, ACPI_TABLES, ACPI_TABLES_MAX, true);
	if (!t.mem)
		return boot_fail(b, -EFAULT, "no memory at the ACPI tables");
	memset(t.mem, 0, ACPI_TABLES_MAX);
	dsdt = put_dsdt(&t);
	facs = put_facs(&t);
	fadt = put_fadt(&t, dsdt, facs);
	madt = put_madt(&t);
	put_roots(&t, fadt, madt);
	return t.err ? boot_fail(b, t.err, "no room for the ACPI tables") : 0;
}
