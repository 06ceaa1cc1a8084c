/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU's life, and its requests. */
#ifndef LIMEN_VCPU_H
#define LIMEN_VCPU_H

#include "limen.h"

struct limen_vcpu *limen_vcpu_create(struct limen_vm *vm, u32 id);
void limen_vcpu_destroy(struct limen_vcpu *vcpu);
void limen_vcpu_reset(struct limen_vcpu *vcpu, bool init);
void limen_vcpu_load(struct limen_vcpu *vcpu);
void limen_vcpu_put(struct limen_vcpu *vcpu);

static inline bool limen_has_request(struct limen_vcpu *vcpu,
				     enum limen_request req)
{
	return test_bit(req, &vcpu->requests);
}

#endif
