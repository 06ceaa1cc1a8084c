// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guest-linear memory as an emulated instruction sees it: every page of an
 * operand is translated by the guest's tables before anything is read or
 * written, so a fault leaves no half-done access. Physical pieces go to guest
 * memory, to the local APIC, or to the bus.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define PAGE_MASK	((uint64_t)LIMEN_PAGE_SIZE - 1)
#define TLB_EMPTY	1

void mem_ctx_init(struct mem_ctx *m, struct limen_vcpu *vcpu,
		  struct limen_bus *bus)
{
	memset(m, 0, sizeof(*m));
	m->vcpu = vcpu;
	m->bus = bus;
	for (int i = 0; i < MEM_TLB_SIZE; i++)
		m->tlb[i].gva = TLB_EMPTY;
}

void mem_tlb_seed(struct mem_ctx *m, uint64_t gva, uint64_t gpa,
		  uint32_t access)
{
	m->tlb[m->next++ % MEM_TLB_SIZE] = (struct mem_tlb){
		.gva = gva & ~PAGE_MASK, .gpa = gpa & ~PAGE_MASK,
		.access = access,
	};
}

uint64_t mem_linear(const struct limen_run *run, uint32_t seg, uint64_t offset)
{
	uint64_t base = 0;

	if (run->mode == 64) {
		if (seg == LIMEN_FS)
			base = run->fs_base;
		else if (seg == LIMEN_GS)
			base = run->gs_base;
		return base + offset;
	}
	switch (seg) {
	case LIMEN_ES: base = run->es_base; break;
	case LIMEN_CS: base = run->cs_base; break;
	case LIMEN_SS: base = run->ss_base; break;
	case LIMEN_FS: base = run->fs_base; break;
	case LIMEN_GS: base = run->gs_base; break;
	default: base = run->ds_base; break;
	}
	return (base + offset) & 0xffffffff;
}

static int translate_page(struct mem_ctx *m, uint64_t gva, uint32_t access,
			  uint64_t *gpa)
{
	struct limen_translate t;
	int err;

	for (int i = 0; i < MEM_TLB_SIZE; i++) {
		const struct mem_tlb *e = &m->tlb[i];

		if (e->gva == (gva & ~PAGE_MASK) && !(access & ~e->access)) {
			*gpa = e->gpa | (gva & PAGE_MASK);
			return 0;
		}
	}
	err = limen_translate(m->vcpu, gva, access |
			      (m->vcpu->run->cpl == 3 ? LIMEN_ACCESS_USER : 0), &t);
	if (err)
		return err;
	if (t.fault) {
		m->fault = t.fault;
		m->error = t.error;
		m->fault_gva = gva;
		return MEM_FAULT;
	}
	mem_tlb_seed(m, gva, t.gpa, access);
	*gpa = t.gpa;
	return 0;
}

int mem_resolve(struct mem_ctx *m, uint64_t gva, uint32_t len, uint32_t access,
		struct mem_ref *ref)
{
	uint64_t left = LIMEN_PAGE_SIZE - (gva & PAGE_MASK);
	uint64_t next = gva + left;
	int err;

	if (!len || len > MEM_MAX_LEN)
		return -EINVAL;
	ref->len = len;
	ref->first = len < left ? len : left;
	err = translate_page(m, gva, access, &ref->gpa[0]);
	if (err || ref->first == len)
		return err;
	if (m->vcpu->run->mode != 64)
		next &= 0xffffffff;
	return translate_page(m, next, access, &ref->gpa[1]);
}

int mem_inject(struct mem_ctx *m)
{
	bool page_fault = (m->fault & 0xff) == 14;

	m->vcpu->run->complete = LIMEN_DISCARD;
	return limen_inject(m->vcpu, m->fault, m->error,
			    page_fault ? m->fault_gva : 0);
}

/* ---- physical pieces ------------------------------------------------------ */

/* The kernel owns the register file; accesses that are not a 32-bit register
 * are undefined (SDM Vol. 3, "Local APIC Register Address Map"): such reads
 * give the part asked for, such writes are dropped. */
static void apic_piece(struct limen_vcpu *vcpu, uint64_t gpa, uint8_t *buf,
		       uint32_t len, bool write)
{
	struct limen_apic_access a = {
		.size = sizeof(a), .offset = gpa & PAGE_MASK & ~15ull,
		.write = write,
	};
	uint32_t at = gpa & 15;

	if (write) {
		if (at || len != 4)
			return;
		memcpy(&a.value, buf, 4);
		(void)limen_call(vcpu->fd, LIMEN_APIC_ACCESS, &a);
		return;
	}
	memset(buf, 0, len);
	if (at >= 4 || limen_call(vcpu->fd, LIMEN_APIC_ACCESS, &a))
		return;
	memcpy(buf, (uint8_t *)&a.value + at, len < 4 - at ? len : 4 - at);
}

static bool is_apic(const struct limen_run *run, uint64_t gpa)
{
	return run->exit == LIMEN_EXIT_MMIO && run->mmio.apic &&
	       (run->mmio.gpa & ~PAGE_MASK) == (gpa & ~PAGE_MASK);
}

/* One naturally sized copy where that is possible: other vCPUs and devices
 * must not see half of an aligned access (SDM Vol. 3, "Guaranteed Atomic
 * Operations"). */
static void copy_atomic(void *dst, const void *src, uint32_t len, void *shared)
{
	if (len == 8 && !((uintptr_t)shared & 7)) {
		uint64_t v;

		if (shared == dst) {
			memcpy(&v, src, 8);
			*(volatile uint64_t *)dst = v;
		} else {
			v = *(const volatile uint64_t *)src;
			memcpy(dst, &v, 8);
		}
	} else if (len == 4 && !((uintptr_t)shared & 3)) {
		uint32_t v;

		if (shared == dst) {
			memcpy(&v, src, 4);
			*(volatile uint32_t *)dst = v;
		} else {
			v = *(const volatile uint32_t *)src;
			memcpy(dst, &v, 4);
		}
	} else {
		memcpy(dst, src, len);
	}
}

static void phys_piece(struct mem_ctx *m, uint64_t gpa, uint8_t *buf,
		       uint32_t len, bool write)
{
	uint8_t *p;

	if (is_apic(m->vcpu->run, gpa)) {
		apic_piece(m->vcpu, gpa, buf, len, write);
		return;
	}
	p = limen_gpa_ptr(m->vcpu->vm, gpa, len, write);
	if (p) {
		if (write) {
			copy_atomic(p, buf, len, p);
			(void)limen_dirty_mark(m->vcpu->vm, gpa, len);
		} else {
			copy_atomic(buf, p, len, p);
		}
		return;
	}
	while (len) {
		uint32_t size = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;
		uint64_t data = 0;

		if (write)
			memcpy(&data, buf, size);
		limen_bus_access(m->bus, LIMEN_BUS_MMIO, gpa, size, write, &data);
		if (!write)
			memcpy(buf, &data, size);
		gpa += size;
		buf += size;
		len -= size;
	}
}

void mem_read(struct mem_ctx *m, const struct mem_ref *ref, void *buf)
{
	phys_piece(m, ref->gpa[0], buf, ref->first, false);
	if (ref->first < ref->len)
		phys_piece(m, ref->gpa[1], (uint8_t *)buf + ref->first,
			   ref->len - ref->first, false);
}

void mem_write(struct mem_ctx *m, const struct mem_ref *ref, const void *buf)
{
	uint8_t copy[MEM_MAX_LEN];

	memcpy(copy, buf, ref->len);
	phys_piece(m, ref->gpa[0], copy, ref->first, true);
	if (ref->first < ref->len)
		phys_piece(m, ref->gpa[1], copy + ref->first,
			   ref->len - ref->first, true);
}
