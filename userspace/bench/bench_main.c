// SPDX-License-Identifier: GPL-2.0-or-later
/* 'limen bench': what an operation costs, and what it costs with KVM. */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tool/tool.h"
#include "bench.h"

#define MAX_BACKENDS	2
#define MAX_TESTS	64
#define DEFAULT_BATCHES	5

struct plan {
	const struct backend *backend[MAX_BACKENDS];
	int nr_backends;
	int batches;
	char **names;		/* patterns; none: all tests */
	int nr_names;
	const char *json;
	struct bench_result result[MAX_BACKENDS][MAX_TESTS];
};

static bool is_wanted(const struct plan *p, const char *name)
{
	for (int i = 0; i < p->nr_names; i++)
		if (!fnmatch(p->names[i], name, 0))
			return true;
	return !p->nr_names;
}

static void print_row(const struct plan *p, size_t i)
{
	printf("%-16s", bench_tests[i].name);
	for (int b = 0; b < p->nr_backends; b++) {
		const struct bench_result *r = &p->result[b][i];

		if (r->err)
			printf(" %12s", strerror(-r->err));
		else
			printf(" %12.1f", r->median);
	}
	if (p->nr_backends == 2 && !p->result[0][i].err && !p->result[1][i].err &&
	    p->result[1][i].median > 0)
		printf(" %8.3f", p->result[0][i].median / p->result[1][i].median);
	printf("   %s\n", bench_tests[i].what);
	fflush(stdout);
}

static void print_json(FILE *f, const struct plan *p)
{
	const char *sep = "";

	fprintf(f, "{\n  \"unit\": \"TSC ticks per operation\",\n  \"batches\": %d,\n"
		"  \"tests\": [", p->batches);
	for (size_t i = 0; i < bench_nr_tests; i++) {
		if (!is_wanted(p, bench_tests[i].name))
			continue;
		fprintf(f, "%s\n    { \"name\": \"%s\"", sep, bench_tests[i].name);
		for (int b = 0; b < p->nr_backends; b++) {
			const struct bench_result *r = &p->result[b][i];

			if (r->err)
				fprintf(f, ", \"%s\": { \"errno\": %d }",
					p->backend[b]->name, -r->err);
			else
				fprintf(f, ", \"%s\": { \"median\": %.2f, \"min\": %.2f, "
					"\"max\": %.2f }", p->backend[b]->name,
					r->median, r->min, r->max);
		}
		fprintf(f, " }");
		sep = ",";
	}
	fprintf(f, "\n  ]\n}\n");
}

static int write_json(const struct plan *p)
{
	FILE *f = strcmp(p->json, "-") ? fopen(p->json, "w") : stdout;
	int err = 0;

	if (!f) {
		complain("%s: %s", p->json, strerror(errno));
		return EXIT_SETUP;
	}
	print_json(f, p);
	if (ferror(f))
		err = EXIT_SETUP;
	if (f != stdout && fclose(f))
		err = EXIT_SETUP;
	if (err)
		complain("%s: not written", p->json);
	return err;
}

static int measure_all(struct plan *p)
{
	int status = EXIT_OK, nr = 0;

	printf("%-16s", "operation");
	for (int b = 0; b < p->nr_backends; b++)
		printf(" %12s", p->backend[b]->name);
	printf("%s\n", p->nr_backends == 2 ? "    ratio" : "");
	for (size_t i = 0; i < bench_nr_tests; i++) {
		if (!is_wanted(p, bench_tests[i].name))
			continue;
		nr++;
		for (int b = 0; b < p->nr_backends; b++) {
			bench_measure(p->backend[b], &bench_tests[i], p->batches,
				      &p->result[b][i]);
			if (p->result[b][i].err)
				status = EXIT_MODULE;
		}
		print_row(p, i);
	}
	if (!nr) {
		complain("no test of this name; 'limen bench --list' names them");
		return EXIT_SETUP;
	}
	return status;
}

static void list(void)
{
	for (size_t i = 0; i < bench_nr_tests; i++)
		printf("%-16s %s\n", bench_tests[i].name, bench_tests[i].what);
}

static void usage(void)
{
	printf("Usage: limen bench [--vs kvm] [--only kvm] [--batches N] [--json F] [NAME...]\n"
	       "       limen bench --list\n"
	       "Ticks of the TSC for one operation, the median of N measurements.\n");
}

static int open_all(struct plan *p)
{
	for (int b = 0; b < p->nr_backends; b++) {
		int err = p->backend[b]->open();

		if (!err)
			continue;
		complain("%s: %s", p->backend[b]->name,
			 p->backend[b] == &backend_limen ? limen_strerror(err) :
			 strerror(-err));
		while (b--)
			p->backend[b]->close();
		return EXIT_SETUP;
	}
	return EXIT_OK;
}

/* -1: go on */
static int options(int argc, char **argv, struct plan *p)
{
	static const struct option table[] = {
		{ "vs", required_argument, NULL, 'v' },
		{ "only", required_argument, NULL, 'o' },
		{ "batches", required_argument, NULL, 'b' },
		{ "json", required_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, { 0 }
	};
	char *end;
	int opt;

	p->backend[p->nr_backends++] = &backend_limen;
	while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (opt) {
		case 'v':
		case 'o':
			if (strcmp(optarg, "kvm") || p->nr_backends == MAX_BACKENDS) {
				complain("--vs and --only know 'kvm', once");
				return EXIT_SETUP;
			}
			if (opt == 'o')
				p->nr_backends = 0;
			p->backend[p->nr_backends++] = &backend_kvm;
			break;
		case 'b':
			p->batches = strtol(optarg, &end, 10);
			if (*end || p->batches < 1 || p->batches > 64) {
				complain("--batches: 1 to 64");
				return EXIT_SETUP;
			}
			break;
		case 'j': p->json = optarg; break;
		case 'l': list(); return EXIT_OK;
		case 'h': usage(); return EXIT_OK;
		default: return EXIT_SETUP;
		}
	}
	p->names = argv + optind;
	p->nr_names = argc - optind;
	return -1;
}

int bench_main(int argc, char **argv)
{
	static struct plan plan = { .batches = DEFAULT_BATCHES };
	int status = options(argc, argv, &plan);

	if (status >= 0)
		return status;
	status = open_all(&plan);
	if (status)
		return status;
	status = measure_all(&plan);
	if (status != EXIT_SETUP && plan.json && write_json(&plan))
		status = EXIT_SETUP;
	for (int b = 0; b < plan.nr_backends; b++)
		plan.backend[b]->close();
	return status;
}
