// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions: what a guest can run, what exits, what it gets back. Mostly one
 * instruction a run: once() starts the guest's code anew with inputs in
 * value[0..3] of its block, and tells which exception it took.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest.h"
#include "harness.h"

#define NONE	-1	/* once(): no exception */
#define VEC_DB	1
#define VEC_UD	6
#define VEC_GP	13

#define CR0_BASE	0x80010033ull
#define CR4_BASE	0x620ull

FIXTURE(exec)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(exec)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(exec)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

/* The vector that the guest took, NONE, or the exit that ended it plus 1000 */
static int once(struct vm *vm, const u8 *code, const u8 *end)
{
	struct guest_block *b = vcpu_block(&vm->cpu[0]);
	int ret = guest_start(&vm->cpu[0], code, end);

	if (ret != GUEST_DONE)
		return ret < 0 ? ret : ret + 1000;
	return b->nr_events ? (int)b->event[0].vector : NONE;
}

#define ONCE(name) once(&self->vm, name, name##_end)

/* ---- modes ---- */

GUEST16(hello16, "mov $0x1234, %ax; out %ax, $0x10" G_DONE);

TEST_F(exec, real_mode_reaches_a_port)
{
	guest_load(&self->vm, hello16);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->c->nr_reports);
	EXPECT_EQ(0x1234, self->c->report[0]);
	EXPECT_EQ(16, self->c->run->mode);
	EXPECT_EQ(0, self->c->run->cpl);
}

GUEST32(hello32, "mov $0x12345678, %eax" G_REPORT G_DONE);

TEST_F(exec, protected_mode_reaches_a_port)
{
	guest_load(&self->vm, hello32);
	vcpu_protected(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x12345678, self->c->report[0]);
	EXPECT_EQ(32, self->c->run->mode);
}

GUEST64(hello64, "movabs $0x123456789abcdef0, %rbx; mov %rbx, %gs:8;"
	"mov $7, %eax" G_REPORT G_DONE);

TEST_F(exec, long_mode_reaches_a_port)
{
	ASSERT_EQ(GUEST_DONE, START(hello64));
	EXPECT_EQ(7, self->c->report[0]);
	EXPECT_EQ(0x123456789abcdef0ull, self->b->value[0]);
	EXPECT_EQ(64, self->c->run->mode);
}

/* From real mode to long mode by the guest's own hand: GDT, CR4, EFER, CR0. */
GUEST16(climb,
	"lgdtl %cs:climb_gdtr - climb\n"
	"mov $0x20, %eax; mov %eax, %cr4; mov $0x3000, %eax; mov %eax, %cr3\n"
	"mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n"
	"mov $0x80000011, %eax; mov %eax, %cr0\n"
	"ljmpl $0x18, $climb_64 - climb + 0x10000\n"
	".code64\nclimb_64: mov $0x10, %eax; mov %eax, %ds; mov %eax, %ss\n"
	"movabs $0x1111222233334444, %rax; shr $32, %rax" G_REPORT G_DONE
	"climb_gdtr: .word 0x2f; .long 0x1000\n");

TEST_F(exec, a_guest_climbs_from_real_to_long_mode)
{
	guest_tables(&self->vm);
	guest_load(&self->vm, climb);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x11112222, self->c->report[0]);
	EXPECT_EQ(64, self->c->run->mode);
	EXPECT_EQ(0x500, self->c->run->efer);
}

/* ---- ports ---- */

GUEST64(out_sizes, "mov $0xa1b2c3d4, %eax; mov $0x2345, %edx;"
	"out %al, %dx; out %ax, %dx; out %eax, %dx; out %al, $0x77" G_DONE);

TEST_F(exec, out_gives_port_size_and_data)
{
	static const struct { u16 port; u8 size; u32 data; } want[] = {
		{ 0x2345, 1, 0xd4 }, { 0x2345, 2, 0xc3d4 },
		{ 0x2345, 4, 0xa1b2c3d4 }, { 0x77, 1, 0xd4 },
	};
	size_t i;

	guest_load(&self->vm, out_sizes);
	vcpu_long(self->c, GUEST_CODE);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(LIMEN_EXIT_IO, vcpu_run(self->c));
		EXPECT_EQ(want[i].port, self->c->run->io.port);
		EXPECT_EQ(want[i].size, self->c->run->io.size);
		EXPECT_EQ(want[i].data, self->c->run->io.data);
		EXPECT_EQ(0, self->c->run->io.in);
		EXPECT_EQ(0, self->c->run->io.string);
	}
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

GUEST64(in_sizes, "mov $-1, %rax; mov $0x2345, %edx; in %dx, %al; mov %rax, %gs:8;"
	"mov $-1, %rax; in %dx, %ax; mov %rax, %gs:16;"
	"mov $-1, %rax; in %dx, %eax; mov %rax, %gs:24" G_DONE);

TEST_F(exec, in_writes_rax_by_its_size)
{
	int i;

	guest_load(&self->vm, in_sizes);
	vcpu_long(self->c, GUEST_CODE);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(LIMEN_EXIT_IO, vcpu_run(self->c));
		EXPECT_EQ(1, self->c->run->io.in);
		EXPECT_EQ(1 << i, self->c->run->io.size);
		self->c->run->io.data = 0x87654321;
	}
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0xffffffffffffff21ull, self->b->value[0]);
	EXPECT_EQ(0xffffffffffff4321ull, self->b->value[1]);
	EXPECT_EQ(0x87654321ull, self->b->value[2]);
}

TEST_F(exec, a_discarded_port_exit_comes_again)
{
	u64 rip;

	guest_load(&self->vm, out_sizes);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_run(self->c));
	rip = self->c->run->regs.rip;
	self->c->run->complete = LIMEN_DISCARD;
	ASSERT_EQ(0, ioctl(self->c->fd, LIMEN_RUN, 0));
	EXPECT_EQ(LIMEN_EXIT_IO, self->c->run->exit);
	EXPECT_EQ(rip, self->c->run->regs.rip);
	EXPECT_EQ(1, self->c->run->io.size);
}

GUEST64(port_pair, "in $0x60, %al; out %al, $0x61; out %al, $0x62; mov $0x55, %al;"
	"in $0x62, %al; movzbl %al, %eax" G_REPORT G_DONE);

TEST_F(exec, port_rules_fault_answer_and_exit)
{
	struct limen_policy p = {
		.size = sizeof(p), .kind = LIMEN_POLICY_PORT, .first = 0x60, .last = 0x62,
		.access = LIMEN_ON_READ | LIMEN_ON_WRITE, .action = LIMEN_DO_CONSTANT,
		.value = 0x5a,
	};

	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	p = (struct limen_policy){
		.size = sizeof(p), .kind = LIMEN_POLICY_PORT, .first = 0x61, .last = 0x61,
		.access = LIMEN_ON_WRITE, .action = LIMEN_DO_EXIT,
	};
	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	guest_load(&self->vm, port_pair);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0x61, self->c->run->io.port);
	EXPECT_EQ(0x5a, self->c->run->io.data);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x5a, self->c->report[0]);
}

GUEST64(port_fault, G_TRY("out %al, $0x63") G_DONE);

TEST_F(exec, a_port_rule_can_fault)
{
	struct limen_policy p = {
		.size = sizeof(p), .kind = LIMEN_POLICY_PORT, .first = 0x63, .last = 0x63,
		.access = LIMEN_ON_WRITE, .action = LIMEN_DO_FAULT,
	};

	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	EXPECT_EQ(VEC_GP, ONCE(port_fault));
}

GUEST64(string_out, "mov $0x100000, %esi; mov $5, %ecx; mov $0x99, %edx;"
	"cld; rep outsb; mov %rsi, %gs:8; mov %rcx, %gs:16" G_DONE);

TEST_F(exec, rep_outs_gives_facts_and_takes_registers)
{
	struct limen_run *run = self->c->run;

	memcpy(self->vm.mem + GUEST_DATA, "hello", 5);
	guest_load(&self->vm, string_out);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0x99, run->io.port);
	EXPECT_EQ(1, run->io.string);
	EXPECT_EQ(1, run->io.rep);
	EXPECT_EQ(0, run->io.in);
	EXPECT_EQ(1, run->io.size);
	EXPECT_EQ(8, run->io.addr_size);
	EXPECT_EQ(LIMEN_DS, run->io.seg);
	EXPECT_EQ(GUEST_DATA, run->regs.gpr[LIMEN_RSI]);
	EXPECT_EQ(5, run->regs.gpr[LIMEN_RCX]);
	ASSERT_LE(2, run->insn_bytes);
	EXPECT_EQ(0xf3, run->insn[0]);
	EXPECT_EQ(0x6e, run->insn[1]);
	/* two bytes now, the rest at the next exit */
	run->regs.gpr[LIMEN_RSI] += 2;
	run->regs.gpr[LIMEN_RCX] -= 2;
	run->dirty = LIMEN_DIRTY_REGS;
	run->io.last = 0;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(3, run->regs.gpr[LIMEN_RCX]);
	EXPECT_EQ(0, run->dirty);
	run->regs.gpr[LIMEN_RSI] += 3;
	run->regs.gpr[LIMEN_RCX] = 0;
	run->dirty = LIMEN_DIRTY_REGS;
	run->io.last = 1;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(GUEST_DATA + 5, self->b->value[0]);
	EXPECT_EQ(0, self->b->value[1]);
}

GUEST64(string_seg, "mov $0x100000, %esi; mov $0x99, %edx; fs outsw;"
	"addr32 outsl; mov $0x100000, %edi; insl" G_DONE);

TEST_F(exec, string_io_tells_segment_and_address_size)
{
	struct limen_run *run = self->c->run;

	guest_load(&self->vm, string_seg);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(LIMEN_FS, run->io.seg);
	EXPECT_EQ(2, run->io.size);
	EXPECT_EQ(0, run->io.rep);
	EXPECT_EQ(8, run->io.addr_size);
	run->io.last = 1;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(LIMEN_DS, run->io.seg);
	EXPECT_EQ(4, run->io.size);
	EXPECT_EQ(4, run->io.addr_size);
	run->io.last = 1;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, run->io.in);
	EXPECT_EQ(4, run->io.size);
	run->io.last = 1;
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

GUEST16(string16, "mov $0x100, %di; mov $3, %cx; mov $0x99, %dx; rep insw;"
	"mov %cx, %ax; out %ax, $0x10" G_DONE);

TEST_F(exec, string_io_in_real_mode_has_16_bit_addresses)
{
	struct limen_run *run = self->c->run;

	guest_load(&self->vm, string16);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(1, run->io.in);
	EXPECT_EQ(2, run->io.size);
	EXPECT_EQ(2, run->io.addr_size);
	EXPECT_EQ(3, run->regs.gpr[LIMEN_RCX]);
	run->regs.gpr[LIMEN_RCX] = 0;
	run->dirty = LIMEN_DIRTY_REGS;
	run->io.last = 1;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0, self->c->report[0]);
}

/* ---- CPUID ---- */

GUEST64(cpuid, "mov %gs:8, %eax; mov %gs:16, %ecx; cpuid;"
	"mov %eax, %gs:24; mov %ebx, %gs:32; mov %ecx, %gs:40; mov %edx, %gs:48" G_DONE);

TEST_F(exec, cpuid_of_an_absent_leaf_is_zero)
{
	memset(self->b->value, 0xff, sizeof(self->b->value));
	self->b->value[0] = 0x12345678;
	ASSERT_EQ(GUEST_DONE, START(cpuid));
	EXPECT_EQ(0, (u32)self->b->value[2]);
	EXPECT_EQ(0, (u32)self->b->value[3]);
	EXPECT_EQ(0, (u32)self->b->value[4]);
	EXPECT_EQ(0, (u32)self->b->value[5]);
}

TEST_F(exec, cpuid_shows_the_hypervisor)
{
	char sig[13] = "";

	self->b->value[0] = 1;
	ASSERT_EQ(GUEST_DONE, START(cpuid));
	EXPECT_NE(0, self->b->value[4] >> 31 & 1);
	self->b->value[0] = 0x40000000;
	ASSERT_EQ(GUEST_DONE, START(cpuid));
	memcpy(sig, &self->b->value[3], 4);
	memcpy(sig + 4, &self->b->value[4], 4);
	memcpy(sig + 8, &self->b->value[5], 4);
	EXPECT_STREQ("KVMKVMKVM", sig);
}

GUEST64(osxsave, "mov $1, %eax; cpuid; mov %ecx, %gs:8;"
	"mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4;"
	"mov $1, %eax; cpuid; mov %ecx, %gs:16;"
	"mov %cr4, %rax; btr $18, %rax; mov %rax, %cr4;"
	"mov $1, %eax; cpuid; mov %ecx, %gs:24" G_DONE);

TEST_F(exec, cpuid_osxsave_follows_cr4)
{
	if (!offered(1, 2, 26))
		SKIP(return, "this CPU has no XSAVE");
	ASSERT_EQ(GUEST_DONE, START(osxsave));
	EXPECT_EQ(0, self->b->value[0] >> 27 & 1);
	EXPECT_EQ(1, self->b->value[1] >> 27 & 1);
	EXPECT_EQ(0, self->b->value[2] >> 27 & 1);
}

TEST_F(exec, cpuid_rules_exit_and_answer)
{
	struct limen_policy p = {
		.size = sizeof(p), .kind = LIMEN_POLICY_CPUID, .first = 0x100, .last = 0x1ff,
		.access = LIMEN_ON_READ, .action = LIMEN_DO_CONSTANT, .value = 0x77,
	};
	struct limen_run *run = self->c->run;

	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	p.first = p.last = 0x180;
	p.action = LIMEN_DO_EXIT;
	p.value = 0;
	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	self->b->value[0] = 0x100;
	ASSERT_EQ(GUEST_DONE, START(cpuid));
	EXPECT_EQ(0x77, self->b->value[2]);
	EXPECT_EQ(0x77, self->b->value[5]);
	self->b->value[0] = 0x180;
	ASSERT_EQ(LIMEN_EXIT_CPUID, START(cpuid));
	EXPECT_EQ(0x180, run->regs.gpr[LIMEN_RAX]);
	run->regs.gpr[LIMEN_RAX] = 0xabcd;
	run->dirty = LIMEN_DIRTY_REGS;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0xabcd, self->b->value[2]);
}

/* ---- MSRs ---- */

GUEST64(msr_rw, "mov %gs:8, %ecx; mov %gs:16, %eax; mov %gs:20, %edx;"
	G_TRY("wrmsr") "xor %eax, %eax; xor %edx, %edx;"
	G_TRY("rdmsr") "mov %eax, %gs:24; mov %edx, %gs:28" G_DONE);
GUEST64(msr_read, "mov %gs:8, %ecx; mov $0x5555, %eax; mov %eax, %edx;"
	G_TRY("rdmsr") "mov %eax, %gs:24; mov %edx, %gs:28" G_DONE);
GUEST64(msr_write, "mov %gs:8, %ecx; mov %gs:16, %eax; mov %gs:20, %edx;"
	G_TRY("wrmsr") G_DONE);

TEST_F(exec, msrs_of_the_guest_keep_what_is_written)
{
	static const struct { u32 index; u64 val; } msr[] = {
		{ 0x174, 0x1234 }, { 0x175, 0x7fff12345678ull },
		{ 0x176, 0xffff800000001000ull }, { 0xc0000081, 0x0023001000000000ull },
		{ 0xc0000082, 0xffffffff81000000ull }, { 0xc0000084, 0x47700 },
		{ 0xc0000102, 0xffff888000000000ull }, { 0x277, 0x0007010600070106ull },
		{ 0xc0000100, 0x123456789000ull }, { 0x2ff, 0xc06 }, { 0x200, 0x6 },
		{ 0x250, 0x0606060606060606ull },
	};
	size_t i;

	for (i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
		self->b->value[0] = msr[i].index;
		self->b->value[1] = msr[i].val;
		self->b->value[2] = 0;
		EXPECT_EQ(NONE, ONCE(msr_rw))
			TH_LOG("MSR %#x", msr[i].index);
		EXPECT_EQ(msr[i].val, self->b->value[2])
			TH_LOG("MSR %#x", msr[i].index);
	}
}

TEST_F(exec, an_unknown_msr_gives_gp)
{
	static const u32 index[] = { 0x2, 0x1fff, 0x2000, 0xbfffffff, 0xc0001fff,
				     0xc0010117, 0xc0011fff, 0xffffffff, 0x480 };
	size_t i;

	for (i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
		self->b->value[0] = index[i];
		EXPECT_EQ(VEC_GP, ONCE(msr_read)) TH_LOG("MSR %#x", index[i]);
		EXPECT_EQ(0, self->b->event[0].error);
		EXPECT_EQ(0x5555, (u32)self->b->value[2]);
		self->b->value[1] = 0;
		EXPECT_EQ(VEC_GP, ONCE(msr_write)) TH_LOG("MSR %#x", index[i]);
	}
}

TEST_F(exec, a_bad_msr_value_gives_gp)
{
	static const struct { u32 index; u64 val; } bad[] = {
		{ 0x277, 0x02 }, { 0x277, 0x08 },
		{ 0xc0000080, 1ull << 63 }, { 0xc0000080, 0x1 << 12 | 0x500 },
		{ 0x1b, ~0ull }, { 0x2ff, 0x100 }, { 0x1d9, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		self->b->value[0] = bad[i].index;
		self->b->value[1] = bad[i].val;
		EXPECT_EQ(VEC_GP, ONCE(msr_write))
			TH_LOG("MSR %#x, value %#llx", bad[i].index,
			       (unsigned long long)bad[i].val);
	}
}

TEST_F(exec, a_non_canonical_msr_value_gives_gp)
{
	static const u32 index[] = { 0xc0000082, 0xc0000083, 0xc0000102, 0xc0000100,
				     0xc0000101, 0x176 };
	size_t i;

	if (is_qemu())
		SKIP(return, "QEMU 7.2 lets WRMSR write non-canonical addresses");
	for (i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
		self->b->value[0] = index[i];
		self->b->value[1] = 0x0000800000000000ull;
		EXPECT_EQ(VEC_GP, ONCE(msr_write)) TH_LOG("MSR %#x", index[i]);
	}
}

TEST_F(exec, msr_rules_fault_answer_and_exit)
{
	struct limen_policy p = {
		.size = sizeof(p), .kind = LIMEN_POLICY_MSR,
		.first = 0x9000, .last = 0x9010,
		.access = LIMEN_ON_READ | LIMEN_ON_WRITE,
		.action = LIMEN_DO_CONSTANT, .value = 0x1122334455667788ull,
	};
	struct limen_run *run = self->c->run;

	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	p = (struct limen_policy){
		.size = sizeof(p), .kind = LIMEN_POLICY_MSR, .first = 0xc0000082,
		.last = 0xc0000082, .access = 3, .action = LIMEN_DO_FAULT,
	};
	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	p.first = p.last = 0x9008;
	p.action = LIMEN_DO_EXIT;
	ASSERT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));

	self->b->value[0] = 0x9000;
	EXPECT_EQ(NONE, ONCE(msr_rw));
	EXPECT_EQ(0x1122334455667788ull, self->b->value[2]);
	self->b->value[0] = 0xc0000082;
	EXPECT_EQ(VEC_GP, ONCE(msr_read));

	self->b->value[0] = 0x9008;
	self->b->value[1] = 0xfedcba9876543210ull;
	ASSERT_EQ(LIMEN_EXIT_MSR, START(msr_rw));
	EXPECT_EQ(0x9008, run->msr.index);
	EXPECT_EQ(1, run->msr.write);
	EXPECT_EQ(0xfedcba9876543210ull, run->msr.value);
	ASSERT_EQ(LIMEN_EXIT_MSR, vcpu_go(self->c));
	EXPECT_EQ(0, run->msr.write);
	run->msr.value = 0x1000200030004000ull;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x1000200030004000ull, self->b->value[2]);

	ASSERT_EQ(LIMEN_EXIT_MSR, START(msr_read));
	run->msr.fault = 1;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->b->nr_events);
	EXPECT_EQ(VEC_GP, self->b->event[0].vector);
}

/* ---- control registers ---- */

GUEST64(set_cr0, "mov %gs:8, %rax;" G_TRY("mov %rax, %cr0") "mov %cr0, %rax;"
	"mov %rax, %gs:16; mov $0x80010033, %eax; mov %rax, %cr0" G_DONE);
GUEST64(set_cr4, "mov %gs:8, %rax;" G_TRY("mov %rax, %cr4") "mov %cr4, %rax;"
	"mov %rax, %gs:16; mov $0x620, %eax; mov %rax, %cr4" G_DONE);

TEST_F(exec, legal_cr0_writes_are_taken)
{
	static const u64 val[] = {
		CR0_BASE, CR0_BASE | 8, CR0_BASE & ~0x10000ull, CR0_BASE | 0x40000,
		CR0_BASE | 0x40000000, CR0_BASE | 0x60000000, CR0_BASE & ~2ull,
	};
	size_t i;

	for (i = 0; i < sizeof(val) / sizeof(val[0]); i++) {
		self->b->value[0] = val[i];
		EXPECT_EQ(NONE, ONCE(set_cr0)) TH_LOG("CR0 %#llx", (long long)val[i]);
		EXPECT_EQ(val[i], self->b->value[1]);
	}
}

TEST_F(exec, illegal_cr0_writes_give_gp)
{
	static const u64 val[] = {
		CR0_BASE & ~1ull,		/* PG without PE */
		CR0_BASE | 0x20000000,		/* NW without CD */
		CR0_BASE | 1ull << 32, CR0_BASE | 1ull << 63,
		CR0_BASE & ~(1ull << 31),	/* PG off in 64-bit code */
	};
	size_t i;

	for (i = 0; i < sizeof(val) / sizeof(val[0]); i++) {
		self->b->value[0] = val[i];
		EXPECT_EQ(VEC_GP, ONCE(set_cr0)) TH_LOG("CR0 %#llx", (long long)val[i]);
		EXPECT_EQ(CR0_BASE, self->b->value[1]);
	}
}

TEST_F(exec, illegal_cr4_writes_give_gp)
{
	static const u64 val[] = {
		CR4_BASE & ~0x20ull,		/* PAE off in long mode */
		CR4_BASE | 1 << 13,		/* VMXE */
		CR4_BASE | 1 << 15, CR4_BASE | 1 << 19, CR4_BASE | 1ull << 31,
		CR4_BASE | 1ull << 32, CR4_BASE | 1ull << 63,
	};
	size_t i;

	for (i = 0; i < sizeof(val) / sizeof(val[0]); i++) {
		self->b->value[0] = val[i];
		EXPECT_EQ(VEC_GP, ONCE(set_cr4)) TH_LOG("CR4 %#llx", (long long)val[i]);
		EXPECT_EQ(CR4_BASE, self->b->value[1]);
	}
}

GUEST64(ts, "mov %cr0, %rax; or $8, %rax; mov %rax, %cr0; clts; mov %cr0, %rax;"
	"mov %rax, %gs:8; mov $0xb, %ax; lmsw %ax; mov %cr0, %rax;"
	"mov %rax, %gs:16; clts; xor %eax, %eax; lmsw %ax; smsw %rax;"
	"mov %rax, %gs:24; mov $0x80010033, %eax; mov %rax, %cr0" G_DONE);

TEST_F(exec, clts_and_lmsw_change_their_bits_only)
{
	ASSERT_EQ(GUEST_DONE, START(ts));
	EXPECT_EQ(CR0_BASE, self->b->value[0]);
	EXPECT_EQ(CR0_BASE | 8, self->b->value[1]);
	/* LMSW can't clear PE */
	EXPECT_EQ(CR0_BASE & ~2ull, self->b->value[2]);
}

GUEST64(lmsw_mem, "movw $0xb, %gs:8; lmsw %gs:8; mov %cr0, %rax; mov %rax, %gs:16;"
	"clts" G_DONE);

TEST_F(exec, lmsw_from_memory_works)
{
	ASSERT_EQ(GUEST_DONE, START(lmsw_mem));
	EXPECT_EQ(CR0_BASE | 8, self->b->value[1]);
}

GUEST64(cache_off, "mov %cr0, %rax; or $0x60000000, %eax; mov %rax, %cr0;"
	"mov %cr0, %r12; mov %r12, %gs:8; smsw %ebx; mov %rbx, %gs:16;"
	"mov $-1, %rcx; smsw %cx; mov %rcx, %gs:24; movq $-1, %gs:32; smsw %gs:32;"
	"mov %rsp, %rdx; smsw %rsp; mov %rsp, %gs:40; mov %rdx, %rsp;"
	"clts; mov $0x80010033, %eax; mov %rax, %cr0; smsw %rdx; mov %rdx, %gs:48"
	G_DONE);

/* CD and NW, which the CPU itself may not see: the guest reads what it wrote */
TEST_F(exec, cr0_reads_as_written_with_the_cache_off)
{
	ASSERT_EQ(GUEST_DONE, START(cache_off));
	EXPECT_EQ(CR0_BASE | 3u << 29, self->b->value[0]);
	EXPECT_EQ(CR0_BASE | 3u << 29, self->b->value[1]);
	EXPECT_EQ(~0ull << 16 | (CR0_BASE & 0xffff), self->b->value[2]);
	EXPECT_EQ(~0ull << 16 | (CR0_BASE & 0xffff), self->b->value[3]);
	EXPECT_EQ(CR0_BASE | 3u << 29, self->b->value[4]);
	EXPECT_EQ(CR0_BASE, self->b->value[5]);
}

GUEST64(cr_regs, "mov %cr0, %r12; mov %r12, %gs:8; mov %cr4, %r9; mov %r9, %gs:16;"
	"mov %rsp, %rbx; mov $0x80010033, %esp; mov %rsp, %cr0; mov %rbx, %rsp;"
	"mov $7, %r10d; mov %r10, %cr8; mov %cr8, %r11; mov %r11, %gs:24" G_DONE);

TEST_F(exec, mov_cr_uses_any_register)
{
	ASSERT_EQ(GUEST_DONE, START(cr_regs));
	EXPECT_EQ(CR0_BASE, self->b->value[0]);
	EXPECT_EQ(CR4_BASE, self->b->value[1]);
	EXPECT_EQ(7, self->b->value[2]);
}

GUEST64(invpcid_all, "movq $0, %gs:8; movq $0, %gs:16; mov $2, %eax;"
	"invpcid %gs:8, %rax" G_DONE);

TEST_F(exec, invpcid_works_where_it_is_offered)
{
	if (!offered(7, 1, 10))
		SKIP(return, "no INVPCID");
	ASSERT_EQ(GUEST_DONE, START(invpcid_all));
	EXPECT_EQ(0, self->b->nr_events);
}

GUEST64(cr8_tpr, "mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr;"
	"mov $5, %eax; mov %rax, %cr8; mov $0x808, %ecx; rdmsr; mov %eax, %gs:8;"
	"mov $0x3f, %eax; xor %edx, %edx; wrmsr; mov %cr8, %rax; mov %rax, %gs:16;"
	"rdmsr; mov %eax, %gs:24; mov $4, %eax; mov %rax, %cr8;"
	"mov $0x808, %ecx; rdmsr; mov %eax, %gs:32" G_DONE);

TEST_F(exec, cr8_is_the_tpr)
{
	ASSERT_EQ(GUEST_DONE, START(cr8_tpr));
	EXPECT_EQ(0x50, (u32)self->b->value[0]);
	EXPECT_EQ(3, self->b->value[1]);
	EXPECT_EQ(0x3f, (u32)self->b->value[2]);
	EXPECT_EQ(0x40, (u32)self->b->value[3]);
}

GUEST64(cr8_reserved, "mov $16, %eax;" G_TRY("mov %rax, %cr8") G_DONE);

TEST_F(exec, reserved_bits_of_cr8_give_gp)
{
	if (is_qemu())
		SKIP(return, "QEMU 7.2 does not check MOV to CR8");
	EXPECT_EQ(VEC_GP, ONCE(cr8_reserved));
}

/* ---- debug registers ---- */

GUEST64(dr_rw, "mov $0x1000, %eax; mov %rax, %dr0; mov $0x2000, %eax; mov %rax, %dr1;"
	"mov $0x3000, %eax; mov %rax, %dr2; mov $0x4000, %r14d; mov %r14, %dr3;"
	"xor %r14d, %r14d; mov %dr0, %rax; mov %rax, %gs:8; mov %dr1, %rbx;"
	"mov %rbx, %gs:16; mov %dr2, %rcx; mov %rcx, %gs:24; mov %dr3, %r8;"
	"mov %r8, %gs:32; mov %dr6, %rax; mov %rax, %gs:40; mov %dr7, %rax;"
	"mov %rax, %gs:48; xor %eax, %eax; mov %rax, %dr7; mov %dr7, %rax;"
	"mov %rax, %gs:56" G_DONE);

TEST_F(exec, debug_registers_hold_values)
{
	ASSERT_EQ(GUEST_DONE, START(dr_rw));
	EXPECT_EQ(0x1000, self->b->value[0]);
	EXPECT_EQ(0x2000, self->b->value[1]);
	EXPECT_EQ(0x3000, self->b->value[2]);
	EXPECT_EQ(0x4000, self->b->value[3]);
	EXPECT_EQ(0xffff0ff0ull, self->b->value[4]);
	EXPECT_EQ(0x400, self->b->value[5]);
	EXPECT_EQ(0x400, self->b->value[6]);
}

GUEST64(dr_gd, "mov $0x2400, %eax; mov %rax, %dr7;" G_TRY("mov %dr0, %rax")
	"mov %dr7, %rax; mov %rax, %gs:8" G_DONE);

TEST_F(exec, dr7_gd_gives_db)
{
	EXPECT_EQ(VEC_DB, ONCE(dr_gd));
	EXPECT_EQ(0x2000, self->b->event[0].dr6 & 0x600f);
	/* GD is cleared for the handler */
	EXPECT_EQ(0x400, self->b->value[0]);
}

GUEST64(dr_high, "mov $1, %eax; shl $32, %rax;" G_TRY("mov %rax, %dr7") G_DONE);

TEST_F(exec, high_bits_of_dr7_give_gp)
{
	EXPECT_EQ(VEC_GP, ONCE(dr_high));
}

GUEST64(dr_exec, "lea 1f(%rip), %rax; mov %rax, %dr0; mov %rax, %gs:8;"
	"mov $0x402, %eax; mov %rax, %dr7;"
	"lea 2f(%rip), %r15\n1: nop\n2: xor %eax, %eax; mov %rax, %dr7" G_DONE);

TEST_F(exec, an_execution_breakpoint_hits)
{
	if (is_qemu())
		SKIP(return, "QEMU loads DR7 on VMRUN without arming its breakpoints");
	EXPECT_EQ(VEC_DB, ONCE(dr_exec));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
	EXPECT_EQ(1, self->b->event[0].dr6 & 0xf);
}

GUEST64(dr_write, "mov $0x100000, %eax; mov %rax, %dr1; mov $0xd00408, %eax;"
	"mov %rax, %dr7; movl $1, 0x100000\n lea .(%rip), %rbx; mov %rbx, %gs:8;"
	"xor %eax, %eax; mov %rax, %dr7" G_DONE);

TEST_F(exec, a_data_breakpoint_hits_behind_the_write)
{
	if (is_qemu())
		SKIP(return, "QEMU loads DR7 on VMRUN without arming its breakpoints");
	EXPECT_EQ(VEC_DB, ONCE(dr_write));
	EXPECT_EQ(1, self->b->nr_events);
	EXPECT_EQ(2, self->b->event[0].dr6 & 0xf);
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

GUEST64(step_cpuid, "pushf; orl $0x100, (%rsp); xor %eax, %eax; popf; cpuid\n"
	"1: mov $0x174, %ecx; rdmsr\n"
	"2: pushf; andl $~0x100, (%rsp); popf;"
	"lea 1b(%rip), %rax; mov %rax, %gs:8; lea 2b(%rip), %rax; mov %rax, %gs:16" G_DONE);

TEST_F(exec, a_single_step_over_an_exiting_instruction_gives_db)
{
	bool cpuid = false, rdmsr = false;
	u32 i;

	EXPECT_EQ(VEC_DB, ONCE(step_cpuid));
	for (i = 0; i < self->b->nr_events; i++) {
		EXPECT_EQ(VEC_DB, self->b->event[i].vector);
		EXPECT_NE(0, self->b->event[i].dr6 & 0x4000);
		cpuid |= self->b->event[i].rip == self->b->value[0];
		rdmsr |= self->b->event[i].rip == self->b->value[1];
	}
	EXPECT_TRUE(cpuid);
	EXPECT_TRUE(rdmsr);
	/* cpuid, mov, rdmsr, pushf, and, popf */
	EXPECT_EQ(6, self->b->nr_events);
}

GUEST64(icebp, ".byte 0xf1\n1: lea 1b(%rip), %rax; mov %rax, %gs:8" G_DONE);

TEST_F(exec, icebp_gives_db)
{
	if (is_qemu())
		SKIP(return, "QEMU 7.2 has no ICEBP");
	EXPECT_EQ(VEC_DB, ONCE(icebp));
	EXPECT_EQ(self->b->value[0], self->b->event[0].rip);
}

/* ---- XCR0 and the FPU ---- */

GUEST64(xsetbv, "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4;"
	"mov %gs:24, %ecx; mov %gs:8, %eax; mov %gs:12, %edx;" G_TRY("xsetbv")
	"xor %ecx, %ecx; xgetbv; mov %eax, %gs:16; mov %edx, %gs:20;"
	"mov $1, %eax; xor %edx, %edx; xsetbv" G_DONE);

TEST_F(exec, xsetbv_takes_legal_values_only)
{
	static const u64 bad[] = { 0, 2, 5, 1ull << 63 | 1, 9, 0x21, 0xe1 };
	size_t i;

	if (!offered(1, 2, 26))
		SKIP(return, "this CPU has no XSAVE");
	self->b->value[2] = 0;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		self->b->value[0] = bad[i];
		EXPECT_EQ(VEC_GP, ONCE(xsetbv)) TH_LOG("XCR0 %#llx", (long long)bad[i]);
		EXPECT_EQ(1, self->b->value[1]);
	}
	self->b->value[0] = 3;
	EXPECT_EQ(NONE, ONCE(xsetbv));
	EXPECT_EQ(3, self->b->value[1]);
	self->b->value[2] = 1;		/* XCR1 does not exist */
	EXPECT_EQ(VEC_GP, ONCE(xsetbv));
}

GUEST64(avx_keep, "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4;"
	"xor %ecx, %ecx; mov $7, %eax; xor %edx, %edx; xsetbv;"
	"mov $0x100000, %ebx; vmovdqu (%rbx), %ymm0; vmovdqu 32(%rbx), %ymm15;"
	"mov $20, %r8d\n1: out %al, $0x50; xor %eax, %eax; cpuid; dec %r8d; jnz 1b;"
	"mov $0x100000, %ebx; vmovdqu %ymm0, 64(%rbx); vmovdqu %ymm15, 96(%rbx)" G_DONE);

#define NEED_AVX()							\
	do {								\
		if (!offered(1, 2, 28))					\
			SKIP(return, "this CPU has no AVX");		\
	} while (0)

static void fill(u8 *p, u8 seed)
{
	int i;

	for (i = 0; i < 64; i++)
		p[i] = seed + i * 3;
}

static int until_done(struct vcpu *c)
{
	int ret;

	do {
		ret = vcpu_go(c);
	} while (ret == LIMEN_EXIT_IO && c->run->io.port == 0x50);
	return ret;
}

TEST_F(exec, avx_state_survives_exits)
{
	u8 *data = self->vm.mem + GUEST_DATA;

	NEED_AVX();
	fill(data, 1);
	ASSERT_EQ(LIMEN_EXIT_IO, START(avx_keep));
	ASSERT_EQ(GUEST_DONE, until_done(self->c));
	EXPECT_EQ(0, memcmp(data, data + 64, 64));
}

TEST_F(exec, avx_state_does_not_leak_between_vms)
{
	struct vm other;
	u8 *a = self->vm.mem + GUEST_DATA, *b;
	int ret[2];

	NEED_AVX();
	vm_simple(&other);
	b = other.mem + GUEST_DATA;
	fill(a, 1);
	fill(b, 100);
	ASSERT_EQ(LIMEN_EXIT_IO, START(avx_keep));
	ASSERT_EQ(LIMEN_EXIT_IO, guest_start(&other.cpu[0], avx_keep, avx_keep_end));
	do {
		ret[0] = vcpu_go(self->c);
		ret[1] = vcpu_go(&other.cpu[0]);
	} while (ret[0] == LIMEN_EXIT_IO && ret[1] == LIMEN_EXIT_IO);
	EXPECT_EQ(GUEST_DONE, ret[0]);
	EXPECT_EQ(GUEST_DONE, ret[1]);
	EXPECT_EQ(0, memcmp(a, a + 64, 64));
	EXPECT_EQ(0, memcmp(b, b + 64, 64));
	vm_close(&other);
}

/* LIMEN_RUN with a value in YMM7 before, and what is there behind it */
static long run_with_ymm(int fd, const u8 *in, u8 *out)
{
	long ret = SYS_ioctl;

	asm volatile("vmovdqu (%[in]), %%ymm7\n syscall\n vmovdqu %%ymm7, (%[out])\n"
		     "vzeroupper\n"
		     : "+a" (ret)
		     : "D" ((long)fd), "S" ((long)LIMEN_RUN), "d" (0l),
		       [in] "b" (in), [out] "r" (out)
		     : "rcx", "r11", "memory", "xmm7");
	return ret;
}

GUEST64(avx_spoil, "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4;"
	"xor %ecx, %ecx; mov $7, %eax; xor %edx, %edx; xsetbv;"
	"mov $0x100000, %ebx\n1: vmovdqu (%rbx), %ymm7; out %al, $0x50; jmp 1b\n");

TEST_F(exec, the_host_keeps_its_avx_state)
{
	u8 in[64], out[64] = {};
	int i;

	NEED_AVX();
	fill(self->vm.mem + GUEST_DATA, 7);
	ASSERT_EQ(LIMEN_EXIT_IO, START(avx_spoil));
	for (i = 0; i < 50; i++) {
		fill(in, 50 + i);
		self->c->run->complete = LIMEN_FULFIL;
		ASSERT_EQ(0, run_with_ymm(self->c->fd, in, out));
		ASSERT_EQ(0, memcmp(in, out, 32));
	}
}

TEST_F(exec, xsave_state_holds_the_guests_registers)
{
	struct limen_info info = { .size = sizeof(info) };
	u8 *image, *data = self->vm.mem + GUEST_DATA;

	NEED_AVX();
	fill(data, 3);
	ASSERT_EQ(LIMEN_EXIT_IO, START(avx_keep));
	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	image = calloc(1, info.xsave_size);
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_XSAVE, image, info.xsave_size));
	EXPECT_EQ(0, memcmp(image + 160, data, 16));	/* XMM0 */
	EXPECT_EQ(0, memcmp(image + 576, data + 16, 16)); /* its upper half */
	free(image);
}

/* ---- instructions that a guest does not have, or that do nothing ---- */

GUEST64(nothing, "pause; invd; wbinvd; pause; invlpg 0x100000; lfence; mfence" G_DONE);

TEST_F(exec, pause_invd_and_wbinvd_do_nothing)
{
	EXPECT_EQ(NONE, ONCE(nothing));
}

#define UD(name, insn)							\
	GUEST64(ud_##name, "mov $0x100000, %eax; mov %eax, %ecx;" G_TRY(insn) G_DONE); \
	TEST_F(exec, name##_gives_ud) { EXPECT_EQ(VEC_UD, ONCE(ud_##name)); }

UD(vmxon, ".byte 0xf3, 0x0f, 0xc7, 0x30")
UD(vmlaunch, ".byte 0x0f, 0x01, 0xc2")
UD(vmresume, ".byte 0x0f, 0x01, 0xc3")
UD(vmxoff, ".byte 0x0f, 0x01, 0xc4")
UD(vmptrld, ".byte 0x0f, 0xc7, 0x30")
UD(vmptrst, ".byte 0x0f, 0xc7, 0x38")
UD(vmclear, ".byte 0x66, 0x0f, 0xc7, 0x30")
UD(vmread, ".byte 0x0f, 0x78, 0xc1")
UD(vmwrite, ".byte 0x0f, 0x79, 0xc1")
UD(invept, ".byte 0x66, 0x0f, 0x38, 0x80, 0x08")
UD(invvpid, ".byte 0x66, 0x0f, 0x38, 0x81, 0x08")
UD(vmfunc, ".byte 0x0f, 0x01, 0xd4")
UD(vmrun, ".byte 0x0f, 0x01, 0xd8")
UD(vmload, ".byte 0x0f, 0x01, 0xda")
UD(vmsave, ".byte 0x0f, 0x01, 0xdb")
UD(stgi, ".byte 0x0f, 0x01, 0xdc")
UD(clgi, ".byte 0x0f, 0x01, 0xdd")
UD(skinit, ".byte 0x0f, 0x01, 0xde")
UD(invlpga, ".byte 0x0f, 0x01, 0xdf")
UD(monitor, "xor %ecx, %ecx; .byte 0x0f, 0x01, 0xc8")
UD(mwait, "xor %ecx, %ecx; .byte 0x0f, 0x01, 0xc9")
UD(getsec, ".byte 0x0f, 0x37")
UD(rsm, ".byte 0x0f, 0xaa")

GUEST64(rdpmc, "xor %ecx, %ecx;" G_TRY("rdpmc") G_DONE);

TEST_F(exec, rdpmc_gives_gp)
{
	EXPECT_EQ(VEC_GP, ONCE(rdpmc));
}

GUEST64(hypercall, "mov $0x1077, %eax; mov $1, %ebx; cmpb $0, %gs:8; jne 1f; vmmcall;"
	"jmp 2f\n1: vmcall\n2: mov %rax, %gs:16" G_DONE);

TEST_F(exec, a_hypercall_reaches_user_space_and_returns_rax)
{
	struct limen_run *run = self->c->run;

	self->b->value[0] = is_vmx();
	ASSERT_EQ(LIMEN_EXIT_HYPERCALL, START(hypercall));
	EXPECT_EQ(0x1077, run->regs.gpr[LIMEN_RAX]);
	EXPECT_EQ(1, run->regs.gpr[LIMEN_RBX]);
	run->regs.gpr[LIMEN_RAX] = 0x123456789abcull;
	run->dirty = LIMEN_DIRTY_REGS;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x123456789abcull, self->b->value[1]);
}

/* ---- the TSC ---- */

GUEST64(tsc, "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %gs:8;"
	"mov $1000, %ecx\n1: rdtsc; shl $32, %rdx; or %rdx, %rax; cmp %gs:8, %rax; jb 2f;"
	"mov %rax, %gs:8; dec %ecx; jnz 1b\n2: mov %ecx, %gs:16" G_DONE);

TEST_F(exec, the_tsc_never_goes_back)
{
	self->b->value[1] = 1;
	ASSERT_EQ(GUEST_DONE, START(tsc));
	EXPECT_EQ(0, self->b->value[1]);
}

static u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return (u64)hi << 32 | lo;
}

TEST_F(exec, the_guests_tsc_is_the_hosts_plus_its_offset)
{
	struct limen_time t = { .tsc_offset = 1ull << 50 };
	u64 before, after;

	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_TIME, &t, sizeof(t)));
	before = rdtsc();
	ASSERT_EQ(GUEST_DONE, START(tsc));
	after = rdtsc();
	EXPECT_LE(before + (1ull << 50), self->b->value[0]);
	EXPECT_GE(after + (1ull << 50), self->b->value[0]);
}

TEST_F(exec, a_new_vcpus_tsc_starts_at_zero)
{
	struct limen_info info = { .size = sizeof(info) };

	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	ASSERT_EQ(GUEST_DONE, START(tsc));
	EXPECT_GE((u64)info.tsc_khz * 20000, self->b->value[0]);
}

GUEST64(tsc_adjust, "mov $0x3b, %ecx; xor %eax, %eax; mov $0x100, %edx; wrmsr;"
	"rdtsc; mov %edx, %gs:8; rdmsr; mov %edx, %gs:16;"
	"mov $0x10, %ecx; xor %eax, %eax; mov $0x5000, %edx; wrmsr; rdtsc; mov %edx, %gs:24;"
	"mov $0x3b, %ecx; rdmsr; mov %edx, %gs:32" G_DONE);

TEST_F(exec, tsc_adjust_and_the_tsc_move_together)
{
	memset(self->b->value, 0, sizeof(self->b->value));
	ASSERT_EQ(GUEST_DONE, START(tsc_adjust));
	EXPECT_LE(0x100, self->b->value[0]);
	EXPECT_GE(0x110, self->b->value[0]);
	EXPECT_EQ(0x100, self->b->value[1]);
	EXPECT_EQ(0x5000, self->b->value[2]);
	EXPECT_LE(0x4fe0, self->b->value[3]);
	EXPECT_GE(0x5100, self->b->value[3]);
}

/* ---- HLT and the run page ---- */

GUEST64(run_stop, "out %al, $0x50; out %al, $0x51" G_DONE);

TEST_F(exec, run_stop_completes_and_returns_before_entry)
{
	struct limen_run *run = self->c->run;
	u64 rip;

	ASSERT_EQ(LIMEN_EXIT_IO, START(run_stop));
	rip = run->regs.rip;
	run->flags = LIMEN_RUN_STOP;
	ASSERT_EQ(LIMEN_EXIT_CONSISTENT, vcpu_run(self->c));
	EXPECT_EQ(rip + 2, run->regs.rip);
	EXPECT_EQ(rip + 2, vcpu_regs(self->c).rip);
	run->flags = 0;
	ASSERT_EQ(LIMEN_EXIT_IO, vcpu_go(self->c));
	EXPECT_EQ(0x51, run->io.port);
}

TEST_F(exec, the_first_instruction_after_reset_is_at_fffffff0)
{
	EXPECT_EQ(LIMEN_EXIT_MMIO, vcpu_run(self->c));
	EXPECT_EQ(0xfffffff0, self->c->run->mmio.gpa);
	EXPECT_EQ(LIMEN_ACCESS_EXEC, self->c->run->mmio.access);
}

TEST_HARNESS_MAIN
