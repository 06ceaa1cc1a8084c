/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A few words of AML (ACPI 6.4, "ACPI Machine Language (AML) Specification"):
 * enough for a DSDT that names devices with fixed resources. Package lengths
 * are written when a scope is closed.
 */
#ifndef LIMEN_AML_H
#define LIMEN_AML_H

#include <stdbool.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	uint32_t len, max;
	bool overflow;	/* sticky; check once at the end */
};

void aml_bytes(struct aml *a, const void *p, uint32_t n);
void aml_byte(struct aml *a, uint8_t v);
void aml_u32(struct aml *a, uint32_t v);
/* a four-character name segment */
void aml_name(struct aml *a, const char *name);
void aml_integer(struct aml *a, uint32_t v);
void aml_string(struct aml *a, const char *s);
/* open an object with a package length; close it with the returned mark */
uint32_t aml_open(struct aml *a, const char *opcode, uint32_t opcode_len);
void aml_close(struct aml *a, uint32_t mark);

#endif
