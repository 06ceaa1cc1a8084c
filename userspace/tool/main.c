// SPDX-License-Identifier: GPL-2.0-or-later
/* limen: what this machine can do, and a guest on it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void usage(FILE *out)
{
	fputs("Usage: limen info [--json]\n"
	      "       limen doctor [--json]\n"
	      "       limen run --kernel F [options]\n"
	      "       limen bench [--vs kvm] [options]\n"
	      "'limen run --help' lists the options; see also limen(1).\n", out);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_SETUP;
	}
	if (!strcmp(argv[1], "info"))
		return info_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "doctor"))
		return doctor_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "run"))
		return run_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "bench"))
		return bench_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("limen %s, ABI %d\n", LIMEN_VERSION, LIMEN_ABI);
		return EXIT_OK;
	}
	complain("unknown command '%s'", argv[1]);
	usage(stderr);
	return EXIT_SETUP;
}
