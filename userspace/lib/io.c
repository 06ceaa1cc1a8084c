// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of port accesses. The kernel leaves INS and OUTS to us: it says
 * which port, how wide and how addressed; we move the data and the registers.
 *
 * A REP form is done in bounded portions: between two of them the guest gets
 * its interrupts, as SDM Vol. 2, "REP", demands.
 */
#include <errno.h>

#include "internal.h"

#define REP_PORTION	1024	/* iterations per exit */

struct string_io {
	struct limen_run *run;
	struct mem_ctx mem;
	uint64_t addr_mask;
	uint64_t step;		/* modulo 2^64 */
	uint32_t seg;
	uint32_t index;		/* LIMEN_RSI or LIMEN_RDI */
};

/* One element. 0, MEM_FAULT or -errno; on failure nothing happened. */
static int string_element(struct string_io *s)
{
	struct limen_run *run = s->run;
	__u64 *index = &run->regs.gpr[s->index];
	uint64_t gva = mem_linear(run, s->seg, *index & s->addr_mask);
	uint64_t data = 0;
	struct mem_ref ref;
	int err;

	/* The memory operand first: a port read can't be taken back. */
	err = mem_resolve(&s->mem, gva, run->io.size,
			  run->io.in ? LIMEN_ACCESS_WRITE : LIMEN_ACCESS_READ,
			  &ref);
	if (err)
		return err;
	if (!run->io.in)
		mem_read(&s->mem, &ref, &data);
	limen_bus_access(s->mem.bus, LIMEN_BUS_PORT, run->io.port, run->io.size,
			 !run->io.in, &data);
	if (run->io.in)
		mem_write(&s->mem, &ref, &data);
	gpr_merge(index, *index + s->step, run->io.addr_size);
	return 0;
}

static int complete_string(struct limen_vcpu *vcpu, struct limen_bus *bus)
{
	struct limen_run *run = vcpu->run;
	struct string_io s = {
		.run = run, .addr_mask = size_mask(run->io.addr_size),
		.seg = run->io.in ? LIMEN_ES : run->io.seg,
		.index = run->io.in ? LIMEN_RDI : LIMEN_RSI,
		.step = run->io.size,
	};
	__u64 *rcx = &run->regs.gpr[LIMEN_RCX];
	uint64_t left = run->io.rep ? *rcx & s.addr_mask : 1;
	int err = 0;

	if (run->io.addr_size != 2 && run->io.addr_size != 4 &&
	    run->io.addr_size != 8)
		return -EPROTO;
	if (run->regs.rflags & FLAG_DF)
		s.step = -s.step;
	mem_ctx_init(&s.mem, vcpu, bus);
	for (int i = 0; i < REP_PORTION && left; i++) {
		err = string_element(&s);
		if (err)
			break;
		left--;
		if (run->io.rep)
			gpr_merge(rcx, left, run->io.addr_size);
	}
	if (err < 0)
		return err;
	run->dirty = LIMEN_DIRTY_REGS;
	if (err == MEM_FAULT)
		return mem_inject(&s.mem);
	run->io.last = !left;
	run->complete = LIMEN_FULFIL;
	return 0;
}

int limen_complete_io(struct limen_vcpu *vcpu, struct limen_bus *bus)
{
	struct limen_run *run = vcpu->run;
	uint64_t data = run->io.data;

	if (run->io.string)
		return complete_string(vcpu, bus);
	limen_bus_access(bus, LIMEN_BUS_PORT, run->io.port, run->io.size,
			 !run->io.in, &data);
	if (run->io.in)
		run->io.data = data;
	run->complete = LIMEN_FULFIL;
	return 0;
}
