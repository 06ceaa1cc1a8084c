// SPDX-License-Identifier: GPL-2.0-or-later
/* limen: what this machine can do, and a guest on it. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static void usage(FILE *out)
{
	fputs("Usage: limen info [--json]\n"
	      "       limen doctor [--json]\n"
	      "       limen run --kernel F [options]\n"
	      "       limen bench [--vs kvm] [options]\n"
	      "       limen run --restore F [options]\n"
	      "       limen snapshot [--quit] VM FILE\n"
	      "       limen run --incoming ADDRESS [options]\n"
	      "       limen migrate VM ADDRESS\n"
	      "       limen balloon VM [MIB]\n"
	      "       limen stop|go|power|quit VM\n"
	      "'limen run --help' lists the options; see also limen(1).\n", out);
}

int main(int argc, char **argv)
{
	static const char *const asked[] = { "balloon", "stop", "go", "power", "quit" };

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
	if (!strcmp(argv[1], "migrate"))
		return migrate_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "snapshot"))
		return snapshot_main(argc - 1, argv + 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(asked); i++)
		if (!strcmp(argv[1], asked[i]))
			return client_main(argc - 1, argv + 1);
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
