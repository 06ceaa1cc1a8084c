// SPDX-License-Identifier: GPL-2.0-or-later
/* --stats: the counters of every vCPU, those that are zero left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define MAX_STATS	128

static bool is_time(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && !strcmp(name + len - 3, "_ns");
}

static void print_vcpu(struct limen_vcpu *vcpu)
{
	struct limen_stat *stat = calloc(MAX_STATS, sizeof(*stat));
	uint32_t count = MAX_STATS;
	int err;

	if (!stat)
		return;
	err = limen_get_stats(vcpu, stat, &count);
	if (err)
		complain("statistics: %s", limen_strerror(err));
	fprintf(stderr, "vcpu %u\n", limen_vcpu_id(vcpu));
	for (uint32_t i = 0; !err && i < count && i < MAX_STATS; i++) {
		unsigned long long v = stat[i].value;

		stat[i].name[sizeof(stat[i].name) - 1] = 0;
		if (is_time(stat[i].name))
			fprintf(stderr, "  %-24s %llu.%06llu s\n", stat[i].name,
				v / NS_PER_S, v % NS_PER_S / 1000);
		else if (v)
			fprintf(stderr, "  %-24s %llu\n", stat[i].name, v);
	}
	free(stat);
}

void print_stats(const struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		print_vcpu(m->vcpu[i].vcpu);
}
