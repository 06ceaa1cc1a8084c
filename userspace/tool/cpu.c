// SPDX-License-Identifier: GPL-2.0-or-later
/* What CPUID tells a guest: all that is offered, less what misleads it. */
#include <errno.h>
#include <string.h>

#include "tool.h"

int cpu_table(struct limen *l, const struct options *o, uint32_t id,
	      struct limen_cpuid_table *t)
{
	struct limen_cpuid_table offered;
	char bad[64] = "";
	int err = limen_cpuid_offered(l, &offered);

	if (err) {
		complain("CPUID of the module: %s", limen_strerror(err));
		return err;
	}
	*t = offered;
	/* Linux prefers an invariant TSC to the paravirtual clock, and a TSC
	 * that a move to another host would change is not invariant. */
	limen_cpuid_edit(t, &offered, "-invtsc", bad, sizeof(bad));
	if (o->cpu_features)
		err = limen_cpuid_edit(t, &offered, o->cpu_features, bad,
				       sizeof(bad));
	if (err == -EOPNOTSUPP)
		complain("--cpu-features: '%s' is not offered by this host and module; 'limen info' lists what is",
			 bad);
	else if (err)
		complain("--cpu-features: '%s' is not +name or -name of a known feature; 'limen info' lists them",
			 bad);
	limen_cpuid_topology(t, id, o->cpus);
	return err;
}
