/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of liblimen share and do not publish.
 *
 * Every system call on the device goes through limen_sys, so that the tests
 * can put a kernel of their own there: the library is tested on machines
 * without VT-x or AMD-V.
 */
#ifndef LIMEN_INTERNAL_H
#define LIMEN_INTERNAL_H

#include <liblimen.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct limen_sys {
	int (*open)(const char *path);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	void *(*map)(int fd, size_t len);
	void (*close)(int fd);
	void *(*map_ro)(int fd, size_t len, uint64_t offset);
};

extern struct limen_sys limen_sys;

/* 0 and up, or -errno: what every caller wants of ioctl() */
int limen_call(int fd, unsigned long request, void *arg);

struct limen {
	int fd;
	struct limen_info info;
};

/* Who mapped it, and so how its pages are given back */
enum mem_kind {
	MEM_CALLERS,	/* by limen_map(): not ours to unmap or discard */
	MEM_ANON,
	MEM_FILE,	/* shared with a memfd or a file */
};

struct limen_mem_range {
	uint64_t gpa;
	uint64_t len;
	uint8_t *hva;
	uint32_t flags;
	enum mem_kind kind;
	uint64_t page;		/* of the host, bytes */
};

struct limen_vm {
	int fd;
	struct limen *dev;
	pthread_rwlock_t lock;	/* the ranges */
	uint32_t nr_ranges;
	struct limen_mem_range range[LIMEN_MAX_RANGES];
};

/* LIMEN_MAP, and the table of ranges */
int vm_range_add(struct limen_vm *vm, uint64_t gpa, uint64_t len, uint32_t flags,
		 void *hva, enum mem_kind kind, uint64_t page);

struct limen_vcpu {
	int fd;
	uint32_t id;
	struct limen_vm *vm;
	struct limen_run *run;
	size_t run_size;
	char why[256];
};

/* ---- guest-linear memory as an instruction sees it (access.c) ------------- */

/* A translation that this exit has already made: string instructions touch the
 * same two pages over and over. */
struct mem_tlb {
	uint64_t gva;	/* of the page; odd: empty */
	uint64_t gpa;
	uint32_t access;
};

#define MEM_TLB_SIZE	4

struct mem_ctx {
	struct limen_vcpu *vcpu;
	struct limen_bus *bus;
	struct mem_tlb tlb[MEM_TLB_SIZE];
	uint32_t next;
	/* set when a translation faults: what to inject */
	uint32_t fault;
	uint32_t error;
	uint64_t fault_gva;
};

#define MEM_MAX_LEN	32	/* longest operand, in bytes */

/* An operand after translation: at most two pages. */
struct mem_ref {
	uint32_t len;
	uint32_t first;		/* bytes in the first page */
	uint64_t gpa[2];
};

/* Positive so that it can't be mistaken for an errno. */
#define MEM_FAULT	1

void mem_ctx_init(struct mem_ctx *m, struct limen_vcpu *vcpu,
		  struct limen_bus *bus);
void mem_tlb_seed(struct mem_ctx *m, uint64_t gva, uint64_t gpa,
		  uint32_t access);
/* 0, MEM_FAULT, or -errno. @access: LIMEN_ACCESS_*, USER is added by CPL */
int mem_resolve(struct mem_ctx *m, uint64_t gva, uint32_t len, uint32_t access,
		struct mem_ref *ref);
void mem_read(struct mem_ctx *m, const struct mem_ref *ref, void *buf);
void mem_write(struct mem_ctx *m, const struct mem_ref *ref, const void *buf);
/* make the fault of @m pending; call when a resolve returned MEM_FAULT */
int mem_inject(struct mem_ctx *m);
/* linear address of @offset in a segment with @base, wrapped to the mode */
uint64_t mem_linear(const struct limen_run *run, uint32_t seg, uint64_t offset);

/* ---- arithmetic (alu.c) --------------------------------------------------- */

#define FLAG_CF	(1u << 0)
#define FLAG_PF	(1u << 2)
#define FLAG_AF	(1u << 4)
#define FLAG_ZF	(1u << 6)
#define FLAG_SF	(1u << 7)
#define FLAG_DF	(1u << 10)
#define FLAG_OF	(1u << 11)
#define FLAGS_STATUS	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum alu_op {
	ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_INC,
	ALU_DEC, ALU_NEG, ALU_NOT,
};

/* @size in bytes: 1, 2, 4, 8; @flags: RFLAGS, status bits updated as the CPU
 * does (SDM Vol. 1, "EFLAGS cross-reference") */
uint64_t alu(enum alu_op op, uint64_t a, uint64_t b, uint32_t size,
	     uint64_t *flags);
bool alu_condition(uint32_t cc, uint64_t flags);

static inline uint64_t size_mask(uint32_t size)
{
	return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

/* ---- registers (regs.c) --------------------------------------------------- */

/* replace the low @size bytes as the CPU does: 4 bytes clear the upper half */
void gpr_merge(__u64 *gpr, uint64_t value, uint32_t size);

#endif
