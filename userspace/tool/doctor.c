// SPDX-License-Identifier: GPL-2.0-or-later
/* 'limen doctor': what will and won't work on this machine, before the module is loaded. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "tool.h"

static const char *const words[] = { "ok", "warn", "fail" };

static void print_text(const struct doctor_report *r)
{
	for (uint32_t i = 0; i < r->nr; i++) {
		const struct doctor_finding *f = &r->f[i];

		printf("%-4s  %-18s %s%s%s\n", words[f->word], f->name, f->text,
		       f->remedy[0] ? " -> " : "", f->remedy);
	}
}

static void print_json(const struct doctor_report *r)
{
	printf("{\n  \"result\": \"%s\",\n  \"findings\": [", words[doctor_worst(r)]);
	for (uint32_t i = 0; i < r->nr; i++) {
		const struct doctor_finding *f = &r->f[i];

		printf("%s\n    { \"name\": ", i ? "," : "");
		json_string(f->name);
		printf(", \"word\": \"%s\", \"text\": ", words[f->word]);
		json_string(f->text);
		printf(", \"remedy\": ");
		json_string(f->remedy);
		printf(" }");
	}
	printf("\n  ]\n}\n");
}

int doctor_main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { 0 }
	};
	static struct doctor_facts facts;
	static struct doctor_report report;
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (opt) {
		case 'j': json = true; break;
		case 'h':
			printf("Usage: limen doctor [--json]\n");
			return EXIT_OK;
		default: return EXIT_SETUP;
		}
	}
	doctor_read_cpuid(&facts.cpu);
	doctor_read_self(&facts.self);
	doctor_probe("", &facts);
	doctor_judge(&facts, &report);
	if (json)
		print_json(&report);
	else
		print_text(&report);
	return doctor_worst(&report) == DOCTOR_FAIL ? EXIT_DOCTOR : EXIT_OK;
}
