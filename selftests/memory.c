// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory follows the VMM's own: faults, rights, holes, and whatever the
 * VMM does to its mappings, while the guest runs too.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

#define RO LIMEN_MEM_READ
#define RW (LIMEN_MEM_READ | LIMEN_MEM_WRITE)
#define RWX (RW | LIMEN_MEM_EXEC)
#define BASE 0x40000000ull	/* free for ranges of the test */
#define MIB2 0x200000ull

FIXTURE(memory)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(memory)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(memory)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

static u8 *pages(u64 len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Read and write at value[0] */
GUEST64(peek, "mov %gs:8, %rbx; mov (%rbx), %rax; mov %rax, %gs:16" G_DONE);
GUEST64(poke, "mov %gs:8, %rbx; mov %gs:16, %rax; mov %rax, (%rbx)" G_DONE);
GUEST64(jump, "mov %gs:8, %rbx; call *%rbx; mov %eax, %gs:16" G_DONE);

TEST_F(memory, pages_come_in_on_demand_and_start_as_zeros)
{
	u8 *p = pages(64 << 12);
	int i;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 64 << 12, RW));
	for (i = 0; i < 64; i++) {
		self->b->value[0] = BASE + i * 4096;
		self->b->value[1] = ~0ull;
		ASSERT_EQ(GUEST_DONE, START(peek));
		ASSERT_EQ(0, self->b->value[1]);
		self->b->value[1] = i * 0x1111ull;
		ASSERT_EQ(GUEST_DONE, START(poke));
		ASSERT_EQ(i * 0x1111ull, *(u64 *)(p + i * 4096));
	}
}

TEST_F(memory, an_access_to_no_range_is_an_mmio_exit)
{
	struct limen_run *run = self->c->run;

	self->b->value[0] = BASE + 0x123;
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(peek));
	EXPECT_EQ(BASE + 0x123, run->mmio.gpa);
	EXPECT_EQ(LIMEN_ACCESS_READ, run->mmio.access);
	if (run->mmio.has_gva)
		EXPECT_EQ(BASE + 0x123, run->mmio.gva);
	EXPECT_EQ(0, run->mmio.apic);
	ASSERT_LE(3, run->insn_bytes);
	EXPECT_EQ(0x48, run->insn[0]);
	EXPECT_EQ(0x8b, run->insn[1]);
	EXPECT_EQ(0x03, run->insn[2]);
	run->insn_len = 3;
	run->regs.gpr[LIMEN_RAX] = 0xfeedface;
	run->dirty = LIMEN_DIRTY_REGS;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0xfeedface, self->b->value[1]);
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(poke));
	EXPECT_EQ(LIMEN_ACCESS_WRITE, run->mmio.access & LIMEN_ACCESS_WRITE);
}

TEST_F(memory, a_write_to_a_read_only_range_is_an_mmio_exit)
{
	u8 *p = pages(4096);

	*(u64 *)p = 0x77;
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RO));
	self->b->value[0] = BASE;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0x77, self->b->value[1]);
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(poke));
	EXPECT_EQ(BASE, self->c->run->mmio.gpa);
	EXPECT_EQ(LIMEN_ACCESS_WRITE, self->c->run->mmio.access & LIMEN_ACCESS_WRITE);
	EXPECT_EQ(0x77, *(u64 *)p);
}

TEST_F(memory, execution_from_a_range_without_exec_is_an_mmio_exit)
{
	static const u8 ret5[] = { 0xb8, 5, 0, 0, 0, 0xc3 };
	u8 *p = pages(4096);

	memcpy(p, ret5, sizeof(ret5));
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(jump));
	EXPECT_EQ(BASE, self->c->run->mmio.gpa);
	EXPECT_EQ(LIMEN_ACCESS_EXEC, self->c->run->mmio.access & LIMEN_ACCESS_EXEC);
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 4096, RO | LIMEN_MEM_EXEC));
	ASSERT_EQ(GUEST_DONE, START(jump));
	EXPECT_EQ(5, (u32)self->b->value[1]);
}

TEST_F(memory, what_is_executable_only_runs_and_is_not_read)
{
	static const u8 ret5[] = { 0xb8, 5, 0, 0, 0, 0x0f, 0xa2, 0xb8, 5, 0, 0, 0, 0xc3 };
	u8 *p = pages(4096);

	memcpy(p, ret5, sizeof(ret5));
	self->b->value[0] = BASE;
	if (!cap_used(self->vm.dev, "ept-execute-only")) {
		ASSERT_EQ(EOPNOTSUPP, vm_map(&self->vm, BASE, p, 4096, LIMEN_MEM_EXEC));
		return;
	}
	EXPECT_EQ(EINVAL, vm_map(&self->vm, BASE, p, 4096, LIMEN_MEM_EXEC | LIMEN_MEM_WRITE));
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, LIMEN_MEM_EXEC));
	ASSERT_EQ(GUEST_DONE, START(jump));	/* CPUID in it exits */
	EXPECT_EQ(5, (u32)self->b->value[1]);
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(peek));
	EXPECT_EQ(LIMEN_ACCESS_READ, self->c->run->mmio.access);
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 4096, RO));
	ASSERT_EQ(GUEST_DONE, START(peek));
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 4096, LIMEN_MEM_EXEC));
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(peek));
}

TEST_F(memory, protect_takes_rights_away_and_gives_them_back)
{
	u8 *p = pages(4096);

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	self->b->value[1] = 1;
	ASSERT_EQ(GUEST_DONE, START(poke));
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 4096, RO));
	self->b->value[1] = 2;
	EXPECT_EQ(LIMEN_EXIT_MMIO, START(poke));
	EXPECT_EQ(GUEST_DONE, START(peek));
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 4096, RW));
	self->b->value[1] = 3;
	EXPECT_EQ(GUEST_DONE, START(poke));
	EXPECT_EQ(3, *(u64 *)p);
	ASSERT_EQ(0, vm_unmap(&self->vm, BASE, 4096));
	EXPECT_EQ(LIMEN_EXIT_MMIO, START(peek));
}

/* ---- the VMM's own calls, followed by the guest at once ---- */

TEST_F(memory, madvise_dontneed_is_seen_at_once)
{
	u8 *p = pages(4096);
	int i;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	for (i = 0; i < 20; i++) {
		self->b->value[1] = 0x1234;
		ASSERT_EQ(GUEST_DONE, START(poke));
		ASSERT_EQ(0, madvise(p, 4096, MADV_DONTNEED));
		ASSERT_EQ(GUEST_DONE, START(peek));
		ASSERT_EQ(0, self->b->value[1]);
		*(u64 *)p = i + 1;
		ASSERT_EQ(GUEST_DONE, START(peek));
		ASSERT_EQ(i + 1, self->b->value[1]);
	}
}

TEST_F(memory, munmap_gives_a_fault_exit_and_a_new_mapping_heals_it)
{
	u8 *p = pages(4096);

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE + 8;
	ASSERT_EQ(GUEST_DONE, START(peek));
	munmap(p, 4096);
	ASSERT_EQ(LIMEN_EXIT_FAULT, START(peek));
	EXPECT_EQ(BASE + 8, self->c->run->mmio.gpa);
	EXPECT_EQ(LIMEN_ACCESS_READ, self->c->run->mmio.access);
	ASSERT_EQ(p, mmap(p, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*(u64 *)(p + 8) = 0x99;
	self->c->run->complete = LIMEN_DISCARD;
	ASSERT_EQ(0, ioctl(self->c->fd, LIMEN_RUN, 0));
	ASSERT_EQ(GUEST_DONE, self->c->run->exit == LIMEN_EXIT_IO ? GUEST_DONE : -1);
	EXPECT_EQ(0x99, self->b->value[1]);
}

TEST_F(memory, mprotect_is_followed_in_both_directions)
{
	u8 *p = pages(4096);

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	self->b->value[1] = 1;
	ASSERT_EQ(GUEST_DONE, START(poke));
	ASSERT_EQ(0, mprotect(p, 4096, PROT_READ));
	self->b->value[1] = 2;
	EXPECT_EQ(LIMEN_EXIT_FAULT, START(poke));
	EXPECT_EQ(1, *(u64 *)p);
	EXPECT_EQ(GUEST_DONE, START(peek));
	ASSERT_EQ(0, mprotect(p, 4096, PROT_NONE));
	EXPECT_EQ(LIMEN_EXIT_FAULT, START(peek));
	ASSERT_EQ(0, mprotect(p, 4096, PROT_READ | PROT_WRITE));
	self->b->value[1] = 3;
	EXPECT_EQ(GUEST_DONE, START(poke));
	EXPECT_EQ(3, *(u64 *)p);
}

TEST_F(memory, mremap_takes_the_memory_away)
{
	u8 *p = pages(4096), *q;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	self->b->value[1] = 0x5a5a;
	ASSERT_EQ(GUEST_DONE, START(poke));
	q = mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, pages(4096));
	ASSERT_NE(MAP_FAILED, (void *)q);
	EXPECT_EQ(LIMEN_EXIT_FAULT, START(peek));
	EXPECT_EQ(0x5a5a, *(u64 *)q);
	ASSERT_EQ(p, mremap(q, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, p));
	self->b->value[1] = 0;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0x5a5a, self->b->value[1]);
}

TEST_F(memory, copy_on_write_after_fork_keeps_the_two_apart)
{
	u8 *p = pages(4096);
	int to[2], from[2], status;
	char go = 0;
	pid_t pid;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	self->b->value[0] = BASE;
	self->b->value[1] = 1;
	ASSERT_EQ(GUEST_DONE, START(poke));
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	if (!pid) {
		u64 seen;

		if (read(to[0], &go, 1) != 1)
			_exit(2);
		seen = *(u64 *)p;
		*(u64 *)p = 3;		/* ours alone */
		if (write(from[1], &go, 1) != 1)
			_exit(2);
		_exit(seen != 1);
	}
	/* the guest's write must not reach the child's page */
	self->b->value[1] = 2;
	EXPECT_EQ(GUEST_DONE, START(poke));
	EXPECT_EQ(2, *(u64 *)p);
	ASSERT_EQ(1, write(to[1], &go, 1));
	ASSERT_EQ(1, read(from[0], &go, 1));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(2, self->b->value[1]);
}

TEST_F(memory, a_read_of_an_untouched_page_and_a_later_write_agree)
{
	u8 *p = pages(8192);

	/* the guest first reads the zero page, then the VMM writes its own */
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 8192, RW));
	self->b->value[0] = BASE + 4096;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0, self->b->value[1]);
	*(u64 *)(p + 4096) = 0x4242;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0x4242, self->b->value[1]);
}

TEST_F(memory, a_file_that_shrinks_gives_a_fault_exit)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	u8 *p;

	ASSERT_EQ(0, ftruncate(fd, 8192));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 8192, RW));
	self->b->value[0] = BASE + 4096;
	self->b->value[1] = 0x31;
	ASSERT_EQ(GUEST_DONE, START(poke));
	EXPECT_EQ(0x31, *(u64 *)(p + 4096));
	ASSERT_EQ(0, ftruncate(fd, 4096));
	EXPECT_EQ(LIMEN_EXIT_FAULT, START(peek));
	EXPECT_EQ(BASE + 4096, self->c->run->mmio.gpa);
	ASSERT_EQ(0, ftruncate(fd, 8192));
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0, self->b->value[1]);
	close(fd);
}

TEST_F(memory, two_ranges_can_show_one_page)
{
	u8 *p = pages(4096);

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 4096, RW));
	ASSERT_EQ(0, vm_map(&self->vm, BASE + 0x5000, p, 4096, RW));
	self->b->value[0] = BASE;
	self->b->value[1] = 0x66;
	ASSERT_EQ(GUEST_DONE, START(poke));
	self->b->value[0] = BASE + 0x5000;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0x66, self->b->value[1]);
}

/* ---- large pages ---- */

/* Write a number into each page of 4 MiB at BASE, then sum up what is there. */
GUEST64(fill_large, "mov $0x40000000, %ebx; mov $1024, %ecx\n"
	"1: mov %rbx, (%rbx); add $4096, %rbx; dec %ecx; jnz 1b" G_DONE);

static void check_large(struct __test_metadata *_metadata, struct vcpu *c, u8 *p)
{
	u64 i, bad = 0;

	ASSERT_EQ(0, vm_map(c->vm, BASE, p, 2 * MIB2, RW));
	ASSERT_EQ(GUEST_DONE, guest_start(c, fill_large, fill_large_end));
	for (i = 0; i < 1024; i++)
		bad += *(u64 *)(p + i * 4096) != BASE + i * 4096;
	EXPECT_EQ(0, bad);
	for (i = 0; i < 1024; i += 37) {
		*(u64 *)(p + i * 4096) = i;
		vcpu_block(c)->value[0] = BASE + i * 4096;
		ASSERT_EQ(GUEST_DONE, guest_start(c, peek, peek_end));
		ASSERT_EQ(i, vcpu_block(c)->value[1]);
	}
}

TEST_F(memory, transparent_huge_pages_hold_the_right_data)
{
	u8 *raw = pages(3 * MIB2), *p = (u8 *)(((u64)raw + MIB2 - 1) & ~(MIB2 - 1));

	if (madvise(p, 2 * MIB2, MADV_HUGEPAGE))
		SKIP(return, "this kernel has no transparent huge pages");
	check_large(_metadata, self->c, p);
	/* a hole in the middle of a large page */
	ASSERT_EQ(0, madvise(p + 0x5000, 4096, MADV_DONTNEED));
	self->b->value[0] = BASE + 0x5000;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(0, self->b->value[1]);
	self->b->value[0] = BASE + 0x4000;
	ASSERT_EQ(GUEST_DONE, START(peek));
	EXPECT_EQ(BASE + 0x4000, self->b->value[1]);
}

TEST_F(memory, hugetlb_pages_hold_the_right_data)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	u8 *p;

	if (fd < 0 || write(fd, "4", 1) != 1)
		SKIP(return, "this kernel has no hugetlb pages");
	close(fd);
	p = mmap(NULL, 2 * MIB2, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		SKIP(return, "no hugetlb pages to be had");
	check_large(_metadata, self->c, p);
	vm_unmap(&self->vm, BASE, 2 * MIB2);
	munmap(p, 2 * MIB2);
}

/* Read one word in each 2 MiB of 1 GiB */
GUEST64(read_gib, "mov $0x40000000, %ebx; mov $512, %ecx; xor %eax, %eax\n"
	"1: add (%rbx), %rax; add $0x200000, %rbx; dec %ecx; jnz 1b; mov %rax, %gs:16" G_DONE);

TEST_F(memory, a_page_of_1_gib_takes_one_fault)
{
	u64 gib = 1ull << 30, i, sum = 0, faults;
	/* at an address that agrees with the guest's */
	u8 *p = mmap((void *)(16 * gib), gib, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED_NOREPLACE | 30 << 26,
		     -1, 0);

	if (p == MAP_FAILED)
		SKIP(return, "no page of 1 GiB: boot with hugepagesz=1G hugepages=1");
	for (i = 0; i < 512; i++) {
		*(u64 *)(p + i * MIB2) = i * 3;
		sum += i * 3;
	}
	self->b->value[0] = BASE + 8;
	ASSERT_EQ(LIMEN_EXIT_MMIO, START(peek));
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, gib, RW));
	guest_copy(&self->vm, GUEST_CODE, read_gib, (u64)(read_gib_end - read_gib));
	vcpu_long(self->c, GUEST_CODE);
	faults = vcpu_stat(self->c, "exit_npf");
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(faults + 1, vcpu_stat(self->c, "exit_npf"));
	EXPECT_EQ(sum, self->b->value[1]);
	/* with a log, a write splits it and the rest stays */
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, gib, RW | LIMEN_MEM_LOG));
	ASSERT_EQ(GUEST_DONE, START(read_gib));
	self->b->value[0] = BASE + gib / 2 + 0x5008;
	self->b->value[1] = 0x77;
	ASSERT_EQ(GUEST_DONE, START(poke));
	EXPECT_EQ(0x77, *(u64 *)(p + gib / 2 + 0x5008));
	faults = vcpu_stat(self->c, "exit_npf");
	ASSERT_EQ(GUEST_DONE, START(read_gib));
	EXPECT_EQ(faults, vcpu_stat(self->c, "exit_npf"));
	EXPECT_EQ(sum, self->b->value[1]);
	ASSERT_EQ(0, vm_unmap(&self->vm, BASE, gib));
	munmap(p, gib);
}

TEST_F(memory, a_large_page_at_an_odd_guest_address_is_right)
{
	u8 *raw = pages(4 * MIB2), *p = (u8 *)(((u64)raw + MIB2 - 1) & ~(MIB2 - 1));
	u64 i, bad = 0;

	madvise(p, 3 * MIB2, MADV_HUGEPAGE);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p + 0x3000, 2 * MIB2, RW));
	ASSERT_EQ(GUEST_DONE, START(fill_large));
	for (i = 0; i < 1024; i++)
		bad += *(u64 *)(p + 0x3000 + i * 4096) != BASE + i * 4096;
	EXPECT_EQ(0, bad);
}

/* ---- how many faults a pass over memory takes ---- */

/* Read all pages of value[0] bytes at BASE; or add 1 to the word in each */
GUEST64(read_all, "mov $0x40000000, %ebx; mov %gs:8, %rcx; shr $12, %rcx; xor %eax, %eax\n"
	"1: add (%rbx), %rax; add $4096, %rbx; dec %rcx; jnz 1b; mov %rax, %gs:16" G_DONE);
GUEST64(add_all, "mov $0x40000000, %ebx; mov %gs:8, %rcx; shr $12, %rcx\n"
	"1: incq (%rbx); add $4096, %rbx; dec %rcx; jnz 1b" G_DONE);

/* One pass over @len bytes: second-level faults that it took */
static u64 pass(struct __test_metadata *_metadata, struct vcpu *c, const u8 *code,
		const u8 *end, u64 len)
{
	u64 before;

	/* the pages of the code itself are there after the first */
	vcpu_block(c)->value[0] = 4096;
	guest_start(c, code, end);
	vcpu_block(c)->value[0] = len;
	before = vcpu_stat(c, "exit_npf");
	ASSERT_EQ(GUEST_DONE, guest_start(c, code, end));
	return vcpu_stat(c, "exit_npf") - before;
}
#define PASS(name, len) pass(_metadata, self->c, name, name##_end, len)

TEST_F(memory, first_pass_over_memory_takes_far_fewer_faults_than_pages)
{
	u64 n = 1024, i, sum = 0, reads, writes;
	u8 *p = pages(n << 12);

	madvise(p, n << 12, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++) {
		*(u64 *)(p + i * 4096) = i * i;
		sum += i * i;
	}
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, n << 12, RW));
	reads = PASS(read_all, n << 12);
	EXPECT_EQ(sum, self->b->value[1]);
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, n << 12, RW));
	writes = PASS(add_all, n << 12);
	TH_LOG("%lu pages: %lu faults to read, %lu to write", n, reads, writes);
	EXPECT_GE(n / 16 + 8, reads);
	EXPECT_GE(n / 16 + 8, writes);
	/* page 0 was added to twice, see pass() */
	for (i = 0; i < n; i++)
		ASSERT_EQ(i * i + 1 + !i, *(u64 *)(p + i * 4096));
}

TEST_F(memory, fault_around_brings_nothing_in_and_breaks_no_copy)
{
	u64 n = 64, i, faults;
	unsigned char there[64];
	u8 *p = pages(n << 12);
	int status;
	pid_t pid;

	madvise(p, n << 12, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, n << 12, RW));
	/* every other page is there */
	for (i = 0; i < n; i += 2)
		*(u64 *)(p + i * 4096) = i;
	self->b->value[0] = BASE;
	ASSERT_EQ(GUEST_DONE, START(peek));
	ASSERT_EQ(0, mincore(p, n << 12, there));
	for (i = 0; i < n; i++)
		ASSERT_EQ(!(i & 1), there[i] & 1);
	/* shared with a child: a write by the guest copies, and is not seen there */
	pid = fork();
	if (!pid) {
		sleep(1);
		for (i = 0; i < n; i += 2)
			if (*(u64 *)(p + i * 4096) != i)
				_exit(1);
		_exit(0);
	}
	self->b->value[0] = BASE;
	ASSERT_EQ(GUEST_DONE, START(peek));
	faults = PASS(add_all, n << 12);
	EXPECT_LE(n - 1, faults);
	for (i = 0; i < n; i++)
		ASSERT_EQ((i & 1 ? 0 : i) + 1 + !i, *(u64 *)(p + i * 4096));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* MADV_COLLAPSE: what khugepaged does, now */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

TEST_F(memory, what_the_host_collapses_becomes_a_large_leaf)
{
	u8 *raw = pages(2 * MIB2), *p = (u8 *)(((u64)raw + MIB2 - 1) & ~(MIB2 - 1));
	u64 i, small, large;

	madvise(p, MIB2, MADV_NOHUGEPAGE);
	memset(p, 0, MIB2);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, MIB2, RW));
	small = PASS(add_all, MIB2);
	EXPECT_LE(512 / 16 - 1, small);
	madvise(p, MIB2, MADV_HUGEPAGE);
	if (madvise(p, MIB2, MADV_COLLAPSE))
		SKIP(return, "this kernel can't collapse memory");
	large = PASS(add_all, MIB2);
	TH_LOG("%lu faults before, %lu after", small, large);
	/* at the first of the two passes, one for all */
	EXPECT_GE(1, large);
	for (i = 1; i < 512; i++)
		ASSERT_EQ(2, *(u64 *)(p + i * 4096));
}

/* Twice: a VM counts as idle when it did nothing between two looks */
static bool shrink(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY), i;
	bool ok = fd >= 0;

	for (i = 0; i < 3; i++)
		ok = ok && write(fd, "2", 1) == 1;
	close(fd);
	return ok;
}

TEST_F(memory, tables_of_an_idle_vm_are_given_back_and_come_again)
{
	u64 n = 2048, i, faults;
	u8 *p = pages(n << 12);

	madvise(p, n << 12, MADV_NOHUGEPAGE);
	memset(p, 0, n << 12);
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, n << 12, RW));
	PASS(add_all, n << 12);
	EXPECT_GE(1, PASS(add_all, n << 12));
	if (!shrink())
		SKIP(return, "no drop_caches");
	faults = PASS(add_all, n << 12);
	EXPECT_LE(n / 16 - 1, faults);
	for (i = 1; i < n; i++)
		ASSERT_EQ(3, *(u64 *)(p + i * 4096));
}

/* ---- the guest's page tables anywhere ---- */

TEST_F(memory, guest_page_tables_may_lie_in_any_range)
{
	u8 *p = pages(0x6000);
	struct limen_sregs s;
	u64 *t = (u64 *)p;
	int i;

	vcpu_long(self->c, GUEST_CODE);
	memcpy(p, self->vm.mem + GUEST_PML4, 0x6000);
	t[0] = (BASE + 0x1000) | 3;
	for (i = 0; i < 4; i++)
		t[512 + i] = (BASE + 0x2000 + i * 0x1000) | 3;
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 0x6000, RW));
	guest_load(&self->vm, peek);
	s = vcpu_sregs(self->c);
	s.cr3 = BASE;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	self->b->value[0] = GUEST_DATA;
	*(u64 *)(self->vm.mem + GUEST_DATA) = 0x8899;
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x8899, self->b->value[1]);
	/* the CPU has set accessed bits there */
	EXPECT_EQ(0x20, t[0] & 0x20);
}

TEST_F(memory, guest_page_tables_nowhere_give_an_exit)
{
	struct limen_sregs s;

	vcpu_long(self->c, GUEST_CODE);
	guest_load(&self->vm, peek);
	s = vcpu_sregs(self->c);
	s.cr3 = BASE;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	ASSERT_EQ(LIMEN_EXIT_MMIO, vcpu_go(self->c));
	EXPECT_EQ(BASE, self->c->run->mmio.gpa);
}

/* ---- while it runs ---- */

/* Count in value[1 + id] what reads at BASE + value of 64 pages give; a wrong
 * value (neither 0 nor the page's own number) ends the guest. */
GUEST64(hammer, "1: mov $0x40000000, %ebx; mov $64, %ecx\n"
	"2: mov (%rbx), %rax; test %rax, %rax; jz 3f; cmp %rbx, %rax; jne 9f\n"
	"3: mov %rbx, (%rbx); incq %gs:16; add $4096, %rbx; dec %ecx; jnz 2b; jmp 1b\n"
	"9: mov %rax, %gs:24" G_DONE);

struct runner {
	struct vcpu *c;
	pthread_t thread;
	int ret;
};

static void *runner(void *arg)
{
	struct runner *r = arg;

	do {
		r->c->run->complete = LIMEN_DISCARD;
		r->ret = ioctl(r->c->fd, LIMEN_RUN, 0) < 0 ? -errno : (int)r->c->run->exit;
		/* memory that is just being changed: again */
	} while (r->ret == LIMEN_EXIT_FAULT || r->ret == LIMEN_EXIT_MMIO || r->ret == -EINTR);
	return NULL;
}

static void start_runner(struct runner *r, struct vcpu *c)
{
	r->c = c;
	guest_copy(c->vm, GUEST_CODE, hammer, (u64)(hammer_end - hammer));
	vcpu_long(c, GUEST_CODE);
	pthread_create(&r->thread, NULL, runner, r);
}

static void stop_runner(struct runner *r)
{
	try_ioctl(r->c->fd, LIMEN_KICK, NULL);
	pthread_join(r->thread, NULL);
}

TEST_F(memory, two_vcpus_survive_a_vmm_that_changes_their_memory)
{
	u8 *p = pages(64 << 12), *canary = pages(64 << 12);
	struct runner r[2];
	u64 end, rounds = 0, n[2];
	int i;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 64 << 12, RW));
	vm_vcpu(&self->vm, 1);
	for (i = 0; i < 2; i++)
		start_runner(&r[i], &self->vm.cpu[i]);
	end = now_ms() + 1000;
	while (now_ms() < end) {
		madvise(p, 64 << 12, MADV_DONTNEED);
		/* pages that were the guest's are now ours, with other contents:
		 * a stale translation would show them, or write to them */
		madvise(canary, 64 << 12, MADV_DONTNEED);
		for (i = 0; i < 64; i++)
			*(u64 *)(canary + i * 4096) = 0xbadbadbad;
		mprotect(p, 32 << 12, PROT_READ);
		mprotect(p, 32 << 12, PROT_READ | PROT_WRITE);
		for (i = 0; i < 64; i++)
			ASSERT_EQ(0xbadbadbad, *(u64 *)(canary + i * 4096));
		rounds++;
	}
	for (i = 0; i < 2; i++) {
		stop_runner(&r[i]);
		EXPECT_EQ(LIMEN_EXIT_KICKED, r[i].ret);
		n[i] = vcpu_block(&self->vm.cpu[i])->value[1];
		EXPECT_NE(0, n[i]);
		EXPECT_EQ(0, vcpu_block(&self->vm.cpu[i])->value[2]);
	}
	TH_LOG("%lu rounds, the guest wrote %lu and %lu times", rounds, n[0], n[1]);
	EXPECT_LT(2, rounds);
}

TEST_F(memory, unmap_while_running_leaves_no_old_mapping)
{
	u8 *p = pages(64 << 12);
	struct runner r;
	int i, k;

	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 64 << 12, RW));
	start_runner(&r, self->c);
	for (k = 0; k < 20; k++) {
		struct timespec ms = { .tv_nsec = 3000000 };

		nanosleep(&ms, NULL);
		ASSERT_EQ(0, vm_unmap(&self->vm, BASE, 64 << 12));
		/* no vCPU uses it from here on */
		memset(p, 0, 64 << 12);
		nanosleep(&ms, NULL);
		for (i = 0; i < 64; i++)
			ASSERT_EQ(0, *(u64 *)(p + i * 4096));
		ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 64 << 12, RW));
	}
	stop_runner(&r);
	EXPECT_EQ(LIMEN_EXIT_KICKED, r.ret);
	EXPECT_EQ(0, self->b->value[2]);
}

TEST_HARNESS_MAIN
