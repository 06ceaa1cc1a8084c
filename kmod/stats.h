/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a vCPU. */
#ifndef LIMEN_STATS_H
#define LIMEN_STATS_H

struct limen_vcpu;
struct limen_stats;

int limen_stats_get(struct limen_vcpu *vcpu, struct limen_stats *arg);

#endif
