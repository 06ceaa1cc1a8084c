// SPDX-License-Identifier: GPL-2.0-or-later
/* What is measured. Guest code counts its rounds in R15 and uses no stack but once. */
#include <errno.h>

#include "bench.h"

#define GUEST(name, setup, op)						\
	extern const uint8_t name[], name##_end[];			\
	asm(".pushsection .rodata.guest,\"a\",@progbits\n"		\
	    #name ":\n" setup "\n1:\n" op "\n"				\
	    "dec %r15; jnz 1b; out %al, $0x11; hlt\n"			\
	    #name "_end:\n.popsection\n")

/* x2APIC on, software-enabled, task priority 0 */
#define X2APIC								\
	"mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr;"		\
	"mov $0x80f, %ecx; mov $0x1ff, %eax; xor %edx, %edx; wrmsr;"
#define WRMSR(index, value)						\
	"mov $" #index ", %ecx; mov $" #value ", %eax; xor %edx, %edx; wrmsr;"

GUEST(g_cpuid, "", "xor %eax, %eax; xor %ecx, %ecx; cpuid");
GUEST(g_rdmsr, "", "mov $0xfe, %ecx; rdmsr");
GUEST(g_wrmsr, "", WRMSR(0x3b, 0));
GUEST(g_tsc_deadline, X2APIC WRMSR(0x832, 0x40060), "mov $0x6e0, %ecx; rdtsc;"
      "add $0x10, %edx; wrmsr");
GUEST(g_self_ipi, X2APIC, WRMSR(0x83f, 0x60));
GUEST(g_icr_self, X2APIC, WRMSR(0x830, 0x40060));
GUEST(g_self_ipi_taken, X2APIC "sti;", WRMSR(0x83f, 0x60) "nop");
GUEST(g_hlt_pending, X2APIC, "cli;" WRMSR(0x83f, 0x60) "sti; hlt");
GUEST(g_eoi, X2APIC, WRMSR(0x80b, 0));
GUEST(g_cr8, "", "mov $5, %eax; mov %rax, %cr8; xor %eax, %eax; mov %rax, %cr8");
GUEST(g_out, "", "out %al, $0x12");
GUEST(g_in, "", "in $0x12, %al");
GUEST(g_outs, "cld", "mov $0x200000, %esi; mov $0x12, %edx; mov $16, %ecx; rep outsb");
GUEST(g_mmio_write, "mov $0x80000000, %ebx", "mov %eax, (%rbx)");
GUEST(g_mmio_read, "mov $0x80000000, %ebx", "mov (%rbx), %eax");
GUEST(g_mmio_or, "mov $0x80000000, %ebx", "orl $1, (%rbx)");
GUEST(g_touch, "mov $0x200000, %ebx", "movb $1, (%rbx); add $4096, %rbx");
GUEST(g_msi, X2APIC "sti;", "out %al, $0x12; nop");
GUEST(g_nothing, "", "nop");

static int send_msi(const struct backend *b, struct bench_vm *vm)
{
	return b->msi(vm, BENCH_VECTOR);
}

/* From nothing to the first exit and back to nothing */
static int live(const struct backend *b, uint32_t rounds)
{
	while (rounds--) {
		struct bench_vm *vm;
		uint8_t *mem;
		int err = bench_vm_new(b, &vm, &mem);

		if (err)
			return err;
		bench_load(mem, g_nothing, g_nothing_end - g_nothing);
		err = b->start(vm, 1);
		if (!err)
			err = b->run(vm);
		bench_vm_end(b, vm, mem);
		if (err != BENCH_DONE)
			return err < 0 ? err : -EPROTO;
	}
	return 0;
}

/* ... and what of that has nothing to do with the back end */
static int no_create(void *mem, size_t len, struct bench_vm **out)
{
	(void)mem;
	(void)len;
	*out = NULL;
	return 0;
}

static void no_destroy(struct bench_vm *vm)
{
	(void)vm;
}

static int memory_only(const struct backend *b, uint32_t rounds)
{
	static const struct backend none = { .create = no_create, .destroy = no_destroy };

	(void)b;
	while (rounds--) {
		struct bench_vm *vm;
		uint8_t *mem;
		int err = bench_vm_new(&none, &vm, &mem);

		if (err)
			return err;
		bench_load(mem, g_nothing, g_nothing_end - g_nothing);
		bench_vm_end(&none, vm, mem);
	}
	return 0;
}

static int state(const struct backend *b, uint32_t rounds, bool set)
{
	struct bench_vm *vm;
	uint8_t *mem;
	int err = bench_vm_new(b, &vm, &mem);

	if (err)
		return err;
	while (!err && rounds--)
		err = set ? b->set_state(vm) : b->get_state(vm);
	bench_vm_end(b, vm, mem);
	return err;
}

static int get_state(const struct backend *b, uint32_t rounds)
{
	return state(b, rounds, false);
}

static int set_state(const struct backend *b, uint32_t rounds)
{
	return state(b, rounds, true);
}

#define IN_GUEST(n, g, r, w, ...)					\
	{ .name = n, .what = w, .code = g, .code_end = g##_end, .rounds = r, __VA_ARGS__ }

const struct bench_test bench_tests[] = {
	IN_GUEST("nothing", g_nothing, 400, "the loop itself"),
	IN_GUEST("cpuid", g_cpuid, 400, "CPUID, answered in the kernel"),
	IN_GUEST("rdmsr", g_rdmsr, 400, "RDMSR of IA32_MTRRCAP"),
	IN_GUEST("wrmsr", g_wrmsr, 400, "WRMSR of IA32_TSC_ADJUST, unchanged"),
	IN_GUEST("tsc-deadline", g_tsc_deadline, 400, "WRMSR of IA32_TSC_DEADLINE, far away"),
	IN_GUEST("self-ipi", g_self_ipi, 400, "SELF IPI with interrupts off"),
	IN_GUEST("icr-self", g_icr_self, 400, "ICR to itself with interrupts off"),
	IN_GUEST("self-ipi-taken", g_self_ipi_taken, 400, "SELF IPI, handler and EOI"),
	IN_GUEST("eoi", g_eoi, 400, "EOI of nothing"),
	IN_GUEST("hlt-pending", g_hlt_pending, 400, "HLT with an interrupt waiting, handler and EOI"),
	IN_GUEST("cr8", g_cr8, 400, "CR8 raised and lowered"),
	IN_GUEST("out", g_out, 400, "OUT to user space and back"),
	IN_GUEST("in", g_in, 400, "IN from user space"),
	IN_GUEST("outs", g_outs, 200, "REP OUTSB of 16 bytes to user space"),
	IN_GUEST("mmio-write", g_mmio_write, 400, "store to a device, decoding included"),
	IN_GUEST("mmio-read", g_mmio_read, 400, "load from a device, decoding included"),
	IN_GUEST("mmio-or", g_mmio_or, 200, "OR to a device: a load and a store"),
	IN_GUEST("out-msi", g_msi, 400, "OUT, a message from user space, handler and EOI",
		 .step = send_msi),
	IN_GUEST("fault-4k", g_touch, 400, "first touch of a 4 KiB page that the host has",
		 .fresh = true),
	{ .name = "vm-live", .what = "VM and vCPU from nothing to the first exit to nothing",
	  .host = live, .rounds = 8 },
	{ .name = "vm-memory", .what = "of that: the VMM's own memory", .host = memory_only,
	  .rounds = 8 },
	{ .name = "state-get", .what = "registers and segments read", .host = get_state,
	  .rounds = 200 },
	{ .name = "state-set", .what = "registers and segments written", .host = set_state,
	  .rounds = 200 },
};

const size_t bench_nr_tests = sizeof(bench_tests) / sizeof(bench_tests[0]);
