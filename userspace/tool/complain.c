// SPDX-License-Identifier: GPL-2.0-or-later
/* What the tool says to its user when something is wrong. */
#include <stdarg.h>
#include <stdio.h>

#include "tool.h"

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("limen: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
}
