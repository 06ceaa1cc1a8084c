// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paravirtual clock that Linux knows as kvm-clock: a page in guest memory
 * with a time and how to go on from it by the TSC
 * (Documentation/virt/kvm/x86/msr.rst).
 *
 * The page is written by the vCPU's own thread, between two entries, under a
 * version that is odd meanwhile.
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/ktime.h>

#include "clock.h"
#include "compat.h"
#include "limen.h"
#include "mem.h"

#define CLOCK_ENABLE	BIT_ULL(0)

struct clock_page {
	u32 version;
	u32 pad;
	u64 tsc;
	u64 ns;
	u32 mul;
	s8 shift;
	u8 flags;
	u8 reserved[2];
} __packed;

struct wall_page {
	u32 version;
	u32 sec;
	u32 nsec;
} __packed;

/* ns = (tsc << shift, or >> -shift) * mul >> 32 */
static void scale_of(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000ull;

	*shift = 0;
	while (hz > 2 * NSEC_PER_SEC) {
		hz >>= 1;
		--*shift;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		++*shift;
	}
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, hz);
}

static u64 now_ns(const struct limen_vcpu *vcpu)
{
	return ktime_get_boottime_ns() + READ_ONCE(vcpu->vm->clock_offset);
}

static void update_system(struct limen_vcpu *vcpu)
{
	u64 gpa = vcpu->soft.clock_system & ~CLOCK_ENABLE;
	struct clock_page page = {};
	u32 version;

	if (limen_mem_read(vcpu->vm, gpa, &version, sizeof(version)))
		return;
	page.version = (version | 1) + (version & 1 ? 2 : 0);
	scale_of(limen_tsc_khz(), &page.mul, &page.shift);
	preempt_disable();
	page.ns = now_ns(vcpu);
	page.tsc = limen_host_tsc() + vcpu->tsc_offset;
	preempt_enable();

	limen_mem_write(vcpu->vm, gpa, &page.version, sizeof(page.version));
	/* odd version, body, even version: pairs with the guest's read barriers */
	smp_wmb();
	limen_mem_write(vcpu->vm, gpa + 4, &page.pad, sizeof(page) - 4);
	/* see above */
	smp_wmb();
	page.version++;
	limen_mem_write(vcpu->vm, gpa, &page.version, sizeof(page.version));
}

/* The wall-clock time at which the system clock was 0; written once a request. */
static void update_wall(struct limen_vcpu *vcpu)
{
	u64 gpa = vcpu->soft.clock_wall;
	struct wall_page page = {};
	struct timespec64 ts;

	vcpu->soft.clock_wall = 0;
	if (limen_mem_read(vcpu->vm, gpa, &page.version, sizeof(page.version)))
		return;
	ts = ns_to_timespec64(ktime_get_real_ns() - now_ns(vcpu));
	page.sec = ts.tv_sec;
	page.nsec = ts.tv_nsec;
	page.version = (page.version | 1) + 1;
	limen_mem_write(vcpu->vm, gpa + 4, &page.sec, sizeof(page) - 4);
	/* body before version; pairs with the guest's read barrier */
	smp_wmb();
	limen_mem_write(vcpu->vm, gpa, &page.version, sizeof(page.version));
}

/**
 * limen_clock_update() - LIMEN_REQ_CLOCK: write what the guest asked for
 * @vcpu: the vCPU
 *
 * Context: vCPU thread, no window open; sleeps.
 */
void limen_clock_update(struct limen_vcpu *vcpu)
{
	if (vcpu->soft.clock_wall)
		update_wall(vcpu);
	if (vcpu->soft.clock_system & CLOCK_ENABLE)
		update_system(vcpu);
}
