// SPDX-License-Identifier: GPL-2.0-or-later
/* --pin LIST: which host CPU runs which vCPU. Pure, but for its message. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static bool number(const char **s, uint32_t *v)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)**s))
		return false;
	errno = 0;
	n = strtoul(*s, &end, 10);
	if (errno || n > 0xffffffff)
		n = 0xffffffff;		/* no such CPU */
	*v = n;
	*s = end;
	return true;
}

static bool range(const char **s, uint32_t *first, uint32_t *last)
{
	if (!number(s, first))
		return false;
	*last = *first;
	if (**s == '-') {
		++*s;
		if (!number(s, last))
			return false;
	}
	return !**s || **s == ',';
}

int pin_parse(const char *list, const cpu_set_t *allowed, uint32_t *cpu, uint32_t n,
	      char *why, size_t len)
{
	uint64_t count = 0;
	const char *s = list;

	for (;;) {
		uint32_t first, last;

		if (!range(&s, &first, &last) || last < first) {
			snprintf(why, len, "not a list of CPUs such as 0-2,5");
			return -EINVAL;
		}
		for (uint64_t c = first; c <= last; c++) {
			if (c >= CPU_SETSIZE || !CPU_ISSET(c, allowed)) {
				snprintf(why, len, "host CPU %llu does not exist or is not for this process",
					 (unsigned long long)c);
				return -EINVAL;
			}
			if (count < n)
				cpu[count] = c;
			count++;
		}
		if (!*s)
			break;
		s++;
	}
	if (count == n)
		return 0;
	snprintf(why, len, "%llu host CPUs for %u vCPUs (--cpus)",
		 (unsigned long long)count, n);
	return -EINVAL;
}
