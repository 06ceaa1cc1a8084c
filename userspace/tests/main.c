// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs all tests, or those whose name contains the argument; KTAP 1. */
#include "test.h"

static struct test *first;
static uint32_t failures;	/* of the test that runs */

void test_register(struct test *t)
{
	struct test **p = &first;

	while (*p && strcmp((*p)->name, t->name) < 0)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

void test_fail(const char *file, int line, const char *what, uint64_t a,
	       uint64_t b)
{
	printf("# %s:%d: %s: 0x%llx, 0x%llx\n", file, line, what,
	       (unsigned long long)a, (unsigned long long)b);
	failures++;
}

int main(int argc, char **argv)
{
	uint32_t count = 0, n = 0, failed = 0;

	for (struct test *t = first; t; t = t->next)
		count += argc < 2 || strstr(t->name, argv[1]);
	printf("KTAP version 1\n1..%u\n", count);
	for (struct test *t = first; t; t = t->next) {
		if (argc >= 2 && !strstr(t->name, argv[1]))
			continue;
		failures = 0;
		t->fn();
		printf("%s %u %s\n", failures ? "not ok" : "ok", ++n, t->name);
		fflush(stdout);
		failed += !!failures;
	}
	printf("# %u passed, %u failed\n", n - failed, failed);
	return failed ? 1 : 0;
}
