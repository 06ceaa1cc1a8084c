// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of LIMEN_EXIT_MMIO: decode, execute on the guest's registers and
 * the bus, move RIP. What can't be decoded is an error with the bytes in it,
 * never a guess.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emul.h"

#define PAGE_MASK	((uint64_t)LIMEN_PAGE_SIZE - 1)

/*
 * The exit gives the physical address of one operand. If there is only one it
 * need not be translated again; the low bits tell that it is the operand and
 * not, say, a page table of the guest that lies outside of its memory.
 */
static void seed(struct emul *e)
{
	const struct limen_run *run = e->run;
	uint32_t access = run->mmio.access;
	uint64_t gva;
	int mem = -1;

	/* a page that may be written may be read */
	if (access & LIMEN_ACCESS_WRITE)
		access |= LIMEN_ACCESS_READ;
	if (run->mmio.has_gva) {
		if (!((run->mmio.gva ^ run->mmio.gpa) & PAGE_MASK))
			mem_tlb_seed(&e->mem, run->mmio.gva, run->mmio.gpa, access);
		return;
	}
	for (int i = 0; i < e->z.operand_count; i++) {
		if (e->op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (mem >= 0)
			return;
		mem = i;
	}
	if (mem < 0 || emul_address(e, mem, 0, &gva))
		return;
	if (!((gva ^ run->mmio.gpa) & PAGE_MASK))
		mem_tlb_seed(&e->mem, gva, run->mmio.gpa, access);
}

static void explain(struct emul *e, const char *what)
{
	struct limen_vcpu *vcpu = e->mem.vcpu;
	const struct limen_run *run = e->run;
	char hex[3 * sizeof(e->bytes) + 1] = "";

	for (uint32_t i = 0; i < e->nr_bytes && i < sizeof(e->bytes); i++)
		sprintf(hex + 3 * i, " %02x", e->bytes[i]);
	snprintf(vcpu->why, sizeof(vcpu->why),
		 "%s: rip 0x%llx (cs base 0x%llx, %u-bit), physical address 0x%llx, bytes%s",
		 what, run->regs.rip, run->cs_base, run->mode, run->mmio.gpa,
		 hex[0] ? hex : " unknown");
}

static int execute(struct emul *e)
{
	int ret = emul_string(e);

	if (ret == -ENOTSUP)
		ret = emul_integer(e);
	if (ret == -ENOTSUP)
		ret = emul_sse(e);
	return ret;
}

static int finish(struct emul *e, int ret)
{
	struct limen_run *run = e->run;

	switch (ret) {
	case 0:
		run->insn_len = e->z.length;
		run->complete = LIMEN_FULFIL;
		run->dirty = LIMEN_DIRTY_REGS;
		return 0;
	case EMUL_REPEAT:
		run->complete = LIMEN_DISCARD;
		run->dirty = LIMEN_DIRTY_REGS;
		return 0;
	case MEM_FAULT:
		/* what a string instruction did before the fault counts */
		run->dirty = LIMEN_DIRTY_REGS;
		return mem_inject(&e->mem);
	case EMUL_MOVED:
		return 0;
	}
	if (ret == -ENOTSUP)
		explain(e, "no emulation for this instruction");
	return ret;
}

int limen_complete_mmio(struct limen_vcpu *vcpu, struct limen_bus *bus)
{
	struct limen_run *run = vcpu->run;
	struct emul e;
	int ret;

	vcpu->why[0] = 0;
	memset(&e, 0, sizeof(e));
	e.run = run;
	e.mem.vcpu = vcpu;
	if (run->mmio.vectoring) {
		explain(&e, "the guest's stack or descriptor table is not in its memory");
		return -ENOTSUP;
	}
	if (run->mmio.access & LIMEN_ACCESS_EXEC) {
		explain(&e, "the guest executes where no memory is");
		return -ENOTSUP;
	}
	ret = emul_decode(&e, vcpu, bus);
	if (ret)
		return finish(&e, ret);
	seed(&e);
	return finish(&e, execute(&e));
}
