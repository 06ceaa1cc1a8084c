// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --stats: the counters of every vCPU, those that are zero left out, and how the
 * virtio devices were notified.
 */
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

static void print_balloon(struct virtio_dev *dev)
{
	struct balloon_info info;

	virtio_balloon_query(dev, &info);
	fprintf(stderr, "  %-24s %llu\n", "size", (unsigned long long)info.actual);
	fprintf(stderr, "  %-24s %llu\n", "reported", (unsigned long long)info.reported);
	fprintf(stderr, "  %-24s %llu\n", "discarded", (unsigned long long)info.discarded);
}

/* How the guest's notifications came: signalled in the module, or as exits */
static void print_virtio(struct virtio_dev *dev, uint32_t n)
{
	static const char *const type[] = {
		[VIRTIO_TYPE_NET] = "net", [VIRTIO_TYPE_BLOCK] = "block",
		[VIRTIO_TYPE_CONSOLE] = "console", [VIRTIO_TYPE_RNG] = "rng",
		[VIRTIO_TYPE_BALLOON] = "balloon",
	};
	uint64_t kicks = dev->kicks, exits = dev->notify_exits;

	fprintf(stderr, "virtio %u, %s\n", n, type[dev->ops->id]);
	fprintf(stderr, "  %-24s %llu\n", "notified",
		(unsigned long long)(kicks > exits ? kicks - exits : 0));
	fprintf(stderr, "  %-24s %llu\n", "notify_exits", (unsigned long long)exits);
	if (dev->ops->id == VIRTIO_TYPE_BALLOON)
		print_balloon(dev);
}

void print_stats(const struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_virtio; i++)
		print_virtio(m->virtio[i], i);
	for (uint32_t i = 0; i < m->nr_vcpus; i++)
		print_vcpu(m->vcpu[i].vcpu);
}
