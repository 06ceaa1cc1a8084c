/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's own x87, SSE and AVX state, and XCR0. */
#ifndef LIMEN_FPU_H
#define LIMEN_FPU_H

#include <linux/types.h>

struct limen_vcpu;

int limen_fpu_probe(void);
u64 limen_fpu_xcr0(void);	/* bits a guest may set */
u32 limen_fpu_size(void);	/* bytes of an XSAVE image with all of them */

int limen_fpu_init(struct limen_vcpu *vcpu);
void limen_fpu_fini(struct limen_vcpu *vcpu);
void limen_fpu_reset(struct limen_vcpu *vcpu);

/* IRQs off, in pairs */
void limen_fpu_load(struct limen_vcpu *vcpu);
void limen_fpu_save(struct limen_vcpu *vcpu);

void *limen_fpu_image(struct limen_vcpu *vcpu);
int limen_fpu_check(const void *image);

#endif
