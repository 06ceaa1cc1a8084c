/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small guests for the tests: a VM with memory from address 0, vCPUs in real,
 * protected or long mode, code that stands beside its test, and a run loop.
 *
 * Guest code is written with GUEST16(), GUEST32() or GUEST64(), loaded at
 * GUEST_CODE, and talks to its test by port writes (see PORT_*) and by its
 * block of memory (&struct guest_block). In long mode every vector has a
 * handler: it logs the event and goes on where R15 says, or, without R15, where
 * the event came from.
 */
#ifndef LIMEN_SELFTESTS_GUEST_H
#define LIMEN_SELFTESTS_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/limen.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Ports that vcpu_go() knows */
#define PORT_REPORT	0x10	/* OUT of 1, 2 or 4 bytes: a value for the test */
#define PORT_DONE	0x11	/* vcpu_go() returns GUEST_DONE */
#define PORT_BUG	0x12	/* an exception that no test asked for */

/* What vcpu_go() returns besides enum limen_user_exit and -errno */
#define GUEST_DONE	1000
#define GUEST_BUG	1001

/* The guest's memory, by address */
#define GUEST_GDT	0x1000
#define GUEST_IDT	0x2000
#define GUEST_PML4	0x3000	/* and 5 more pages: 4 GiB, one to one, 2 MiB pages */
#define GUEST_STUBS	0x9000	/* 256 of 16 bytes */
#define GUEST_HANDLER	0xa000
#define GUEST_TSS	0xb000
#define GUEST_CODE	0x10000
#define GUEST_BLOCKS	0x40000	/* 4096 bytes per vCPU, at its GS base */
#define GUEST_STACKS	0x90000	/* top of vCPU 0's; 1 KiB for each, downwards */
#define GUEST_DATA	0x100000 /* free for the test */
#define GUEST_MEM	0x400000

#define GUEST_VCPUS	LIMEN_MAX_VCPUS
#define GUEST_LOG	64
#define GUEST_REPORTS	256

#define APIC_BASE	0xfee00000u

/* selectors */
#define SEL_CODE32	0x08
#define SEL_DATA	0x10
#define SEL_CODE64	0x18
#define SEL_TSS		0x20

/* One exception or interrupt, as the guest's handler saw it */
struct guest_event {
	u32 vector;
	u32 error;
	u64 rip;
	u64 cr2;
	u64 dr6;
	u64 rflags;
};

/* A vCPU's block. Offsets are in the handler's code, guest.c. */
struct guest_block {
	u32 nr_events;
	u32 eoi;		/* 0: none, 1: x2APIC, 2: xAPIC */
	u64 value[31];		/* free for the test: %gs:8 ... */
	struct guest_event event[GUEST_LOG];	/* at 256 */
};

struct vm;

struct vcpu {
	int fd;
	u32 id;
	struct vm *vm;
	struct limen_run *run;
	u32 nr_reports;
	u32 report[GUEST_REPORTS];
};

struct vm {
	int dev;
	int fd;
	u8 *mem;
	struct vcpu cpu[GUEST_VCPUS];
};

#define GUEST_ASM(name, bits, text)					\
	extern const u8 name[], name##_end[];				\
	asm(".pushsection .rodata.guest,\"a\",@progbits\n"		\
	    ".code" #bits "\n"						\
	    #name ":\n" text "\n" #name "_end:\n"			\
	    ".code64\n.popsection\n")

#define GUEST16(name, text) GUEST_ASM(name, 16, text)
#define GUEST32(name, text) GUEST_ASM(name, 32, text)
#define GUEST64(name, text) GUEST_ASM(name, 64, text)

/* Pieces of guest code */
#define G_DONE		"\n out %al, $0x11\n hlt\n"
#define G_REPORT	"\n out %eax, $0x10\n"
/* x2APIC on, enabled; interrupts end in the handler */
#define X2_ON	"mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr;"		\
		"mov $0x80f, %ecx; mov $0x1ff, %eax; xor %edx, %edx; wrmsr;"	\
		"movl $1, %gs:4;"
/* An instruction that may fault: the handler goes on behind it */
#define G_TRY(insn)	"\n lea 771f(%rip), %r15\n " insn "\n771: xor %r15d, %r15d\n"

#define guest_load(vm, name) \
	guest_copy(vm, GUEST_CODE, name, (u64)(name##_end - name))

/* /dev/limen, or -1 */
int limen_open(void);
/* The errno of a call, 0 when it went well */
int try_ioctl(int fd, unsigned long cmd, void *arg);

/* These end the test program with a message when they fail. */
void vm_create(struct vm *vm);			/* no memory, no vCPU */
void vm_memory(struct vm *vm);			/* GUEST_MEM bytes at 0 */
struct vcpu *vm_vcpu(struct vm *vm, u32 id);	/* with all CPUID offered */
/* before it runs: without these bits; @reg: 0 EAX to 3 EDX */
void vcpu_hide(struct vcpu *c, u32 leaf, int reg, u32 bits);
struct vcpu *vm_simple(struct vm *vm);		/* all three, vCPU 0 */
void vm_close(struct vm *vm);
int vm_map(struct vm *vm, u64 gpa, void *hva, u64 len, u32 flags);
int vm_unmap(struct vm *vm, u64 gpa, u64 len);
int vm_protect(struct vm *vm, u64 gpa, u64 len, u32 flags);
void guest_copy(struct vm *vm, u64 gpa, const void *from, u64 len);

/* GDT, IDT with handlers and page tables for long mode */
void guest_tables(struct vm *vm);
/* Put the vCPU at @rip in that mode; long mode writes tables and handlers. */
void vcpu_real(struct vcpu *c, u32 rip);
void vcpu_protected(struct vcpu *c, u32 rip);
void vcpu_long(struct vcpu *c, u64 rip);
struct guest_block *vcpu_block(struct vcpu *c);
/* Run this code in long mode, with an empty log: as vcpu_go() */
int guest_start(struct vcpu *c, const u8 *code, const u8 *end);
#define START(name) guest_start(self->c, name, name##_end)

/* One LIMEN_RUN that fulfils what waited: the exit, or -errno */
int vcpu_run(struct vcpu *c);
/* Until something else than a report: the exit, GUEST_* or -errno */
int vcpu_go(struct vcpu *c);
void *vcpu_thread(void *c);	/* vcpu_go() for pthread_create() */

int vcpu_get(struct vcpu *c, u32 cls, void *data, u32 len);	/* errno */
int vcpu_set(struct vcpu *c, u32 cls, const void *data, u32 len);
struct limen_regs vcpu_regs(struct vcpu *c);
struct limen_sregs vcpu_sregs(struct vcpu *c);

/* All counters, or one by its name; an unknown name ends the test program. */
struct guest_stats {
	u32 nr;
	struct limen_stat stat[128];
};

struct guest_stats vcpu_stats(struct vcpu *c);
u64 vcpu_stat(struct vcpu *c, const char *name);

u64 now_ms(void);
bool is_vmx(void);
bool cap_used(int dev, const char *name);	/* as LIMEN_CAP says */
bool is_qemu(void);	/* is the machine QEMU with TCG? */
/* Is there an entry for the leaf among what is offered? */
bool offers_leaf(u32 leaf);
/* Has the CPUID bit been offered? @reg: 0 EAX to 3 EDX */
bool offered(u32 leaf, int reg, int bit);

/* A number from a seed; the same everywhere */
u64 next_random(u64 *state);

#endif
