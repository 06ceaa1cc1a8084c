// SPDX-License-Identifier: GPL-2.0-or-later
/* See aml.h. */
#include <string.h>

#include "aml.h"

#define PKG_LEN_SIZE	3	/* always the three-byte form: up to 1 MiB */

void aml_bytes(struct aml *a, const void *p, uint32_t n)
{
	if (n > a->max - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->buf + a->len, p, n);
	a->len += n;
}

void aml_byte(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

void aml_u32(struct aml *a, uint32_t v)
{
	aml_bytes(a, &v, 4);
}

void aml_name(struct aml *a, const char *name)
{
	aml_bytes(a, name, 4);
}

void aml_integer(struct aml *a, uint32_t v)
{
	if (v <= 1) {
		aml_byte(a, v);			/* ZeroOp, OneOp */
	} else if (v <= 0xff) {
		aml_byte(a, 0x0a);		/* BytePrefix */
		aml_byte(a, v);
	} else {
		aml_byte(a, 0x0c);		/* DWordPrefix */
		aml_u32(a, v);
	}
}

void aml_string(struct aml *a, const char *s)
{
	aml_byte(a, 0x0d);
	aml_bytes(a, s, strlen(s) + 1);
}

uint32_t aml_open(struct aml *a, const char *opcode, uint32_t opcode_len)
{
	uint32_t mark;

	aml_bytes(a, opcode, opcode_len);
	mark = a->len;
	aml_bytes(a, "\0\0\0", PKG_LEN_SIZE);
	return mark;
}

void aml_close(struct aml *a, uint32_t mark)
{
	uint32_t len = a->len - mark;

	if (a->overflow)
		return;
	/* bits 7:6 of the first byte: how many follow; 3:0: the low bits */
	a->buf[mark] = (PKG_LEN_SIZE - 1) << 6 | (len & 15);
	a->buf[mark + 1] = len >> 4;
	a->buf[mark + 2] = len >> 12;
}
