// SPDX-License-Identifier: GPL-2.0-or-later
/* 'limen info': what the CPU and the module can do, and why not. */
#include <cpuid.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static void cpu_model(char *buf, size_t len)
{
	uint32_t r[13] = { 0 };
	char *p = (char *)r;

	for (uint32_t i = 0; i < 3; i++)
		if (!__get_cpuid(0x80000002 + i, &r[4 * i], &r[4 * i + 1],
				 &r[4 * i + 2], &r[4 * i + 3]))
			break;
	while (*p == ' ')
		p++;
	snprintf(buf, len, "%s", *p ? p : "unknown");
}

static const char *vendor(uint32_t v)
{
	return v == LIMEN_VENDOR_VMX ? "VT-x" :
	       v == LIMEN_VENDOR_SVM ? "AMD-V" : "unknown";
}

static const char *state(uint32_t s)
{
	return s == LIMEN_CAP_USED ? "used" : s == LIMEN_CAP_UNUSED ? "unused" :
	       "absent";
}

static void json_field(const char *name, const char *value)
{
	printf("  \"%s\": ", name);
	json_string(value);
	printf(",\n");
}

static int print_json(struct limen *l, struct limen_cpuid_table *t)
{
	const struct limen_info *i = limen_get_info(l);
	struct limen_cap cap;
	const char *name, *sep = "";
	char model[64];
	bool on;
	int err;

	cpu_model(model, sizeof(model));
	printf("{\n");
	json_field("cpu", model);
	json_field("vendor", vendor(i->vendor));
	printf("  \"abi\": %u,\n  \"max_vcpus\": %u,\n  \"tsc_khz\": %u,\n"
	       "  \"xcr0\": %llu,\n  \"xsave_size\": %u,\n  \"phys_bits\": %u,\n",
	       i->abi, i->max_vcpus, i->tsc_khz, i->xcr0, i->xsave_size,
	       i->phys_bits);
	printf("  \"capabilities\": [");
	for (uint32_t n = 0; !(err = limen_get_cap(l, n, &cap)); n++) {
		printf("%s\n    { \"name\": ", sep);
		json_string(cap.name);
		printf(", \"state\": \"%s\", \"reason\": ", state(cap.state));
		json_string(cap.reason);
		printf(" }");
		sep = ",";
	}
	printf("\n  ],\n  \"cpu_features\": [");
	sep = "";
	for (uint32_t n = 0; (name = limen_cpuid_name(t, n, &on)); n++) {
		if (!on)
			continue;
		printf("%s", sep);
		json_string(name);
		sep = ", ";
	}
	printf("]\n}\n");
	return err == -ENOENT ? 0 : err;
}

static int print_text(struct limen *l, struct limen_cpuid_table *t)
{
	const struct limen_info *i = limen_get_info(l);
	struct limen_cap cap;
	const char *name;
	char model[64];
	uint32_t column = 0;
	bool on;
	int err;

	cpu_model(model, sizeof(model));
	printf("CPU                  %s\n", model);
	printf("virtualization       %s\n", vendor(i->vendor));
	printf("ABI                  %u\n", i->abi);
	printf("vCPUs per VM         %u\n", i->max_vcpus);
	printf("TSC                  %u kHz\n", i->tsc_khz);
	printf("guest XCR0           0x%llx (%u bytes of state)\n", i->xcr0,
	       i->xsave_size);
	printf("physical addresses   %u bits\n\nCapabilities\n", i->phys_bits);
	for (uint32_t n = 0; !(err = limen_get_cap(l, n, &cap)); n++)
		printf("  %-30s %-7s %s\n", cap.name, state(cap.state), cap.reason);
	printf("\nCPU features for guests (--cpu-features)\n ");
	for (uint32_t n = 0; (name = limen_cpuid_name(t, n, &on)); n++) {
		if (!on)
			continue;
		column += printf(" %s", name);
		if (column > 66) {
			printf("\n ");
			column = 0;
		}
	}
	printf("\n");
	return err == -ENOENT ? 0 : err;
}

int info_main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' }, { 0 }
	};
	const char *path = NULL;
	struct limen_cpuid_table t;
	struct limen *l;
	bool json = false;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (opt) {
		case 'j': json = true; break;
		case 'd': path = optarg; break;
		case 'h':
			printf("Usage: limen info [--json] [--device F]\n");
			return EXIT_OK;
		default: return EXIT_SETUP;
		}
	}
	err = limen_open(path, &l);
	if (err) {
		complain("%s: %s", path ? path : LIMEN_DEVICE_PATH,
			 limen_strerror(err));
		return EXIT_SETUP;
	}
	err = limen_cpuid_offered(l, &t);
	if (!err)
		err = json ? print_json(l, &t) : print_text(l, &t);
	if (err)
		complain("%s", limen_strerror(err));
	limen_close(l);
	return err ? EXIT_MODULE : EXIT_OK;
}
