// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of written pages (LIMEN_MEM_LOG, LIMEN_DIRTY), in every way that this CPU
 * has to see writes: against what the guest wrote, and against each other. The random
 * tests print their seed; LIMEN_SEED=N repeats one.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "guest.h"
#include "harness.h"

#define RW	(LIMEN_MEM_READ | LIMEN_MEM_WRITE)
#define RWL	(RW | LIMEN_MEM_LOG)
#define BASE	0x40000000ull
#define MIB2	0x200000ull
#define PAGES	1200u		/* three tables of level 1, and an odd end */
#define WORDS	((PAGES + 63) / 64)
#define PARAM	"/sys/module/limen/parameters/dirty_log"

static const char * const ways[] = { "wp", "ad", "pml" };

static int set_way(const char *way)
{
	int fd = open(PARAM, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, way, strlen(way)) < 0)
		err = errno;
	close(fd);
	return err;
}

static u64 seed(void)
{
	const char *s = getenv("LIMEN_SEED");
	u64 n = s ? strtoull(s, NULL, 0) : now_ms();

	printf("# LIMEN_SEED=%#llx\n", (unsigned long long)n);
	return n;
}

static u8 *pages(u64 len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int dirty(struct vm *vm, u32 op, u64 first, u64 n, u64 *bits, u64 *count)
{
	struct limen_dirty arg = {
		.size = sizeof(arg), .op = op, .gpa = BASE + first * 4096,
		.len = n * 4096, .bitmap = (u64)(uintptr_t)bits,
	};
	int err = try_ioctl(vm->fd, LIMEN_DIRTY, &arg);

	if (count)
		*count = arg.count;
	return err;
}

static bool has(const u64 *bits, u64 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void set(u64 *bits, u64 i)
{
	bits[i / 64] |= 1ull << (i % 64);
}

/* Add 1 to the first word of the value[0] pages whose numbers are at GUEST_DATA */
GUEST64(add_some, "mov %gs:8, %rcx; mov $0x100000, %esi; jrcxz 2f\n"
	"1: lodsl; shl $12, %rax; incq 0x40000000(%rax); dec %rcx; jnz 1b; 2:" G_DONE);
/* Read the first word of value[0] pages */
GUEST64(read_all, "mov $0x40000000, %ebx; mov %gs:8, %rcx\n"
	"1: mov (%rbx), %rax; add $4096, %rbx; dec %rcx; jnz 1b" G_DONE);
/* Write counters to random words of 256 pages, until it is stopped */
GUEST64(storm, "mov %gs:8, %rdx\n"
	"1: mov %rdx, %rax; shl $13, %rax; xor %rax, %rdx; mov %rdx, %rax; shr $7, %rax\n"
	"xor %rax, %rdx; mov %rdx, %rax; shl $17, %rax; xor %rax, %rdx\n"
	"mov %rdx, %rax; and $0xffff8, %eax; incq 0x40000000(%rax); incq %gs:16; jmp 1b\n");

FIXTURE(dirty)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
	u8 *p;
};

FIXTURE_VARIANT(dirty)
{
	int way;
};

FIXTURE_VARIANT_ADD(dirty, wp) { .way = 0 };
FIXTURE_VARIANT_ADD(dirty, ad) { .way = 1 };
FIXTURE_VARIANT_ADD(dirty, pml) { .way = 2 };

static void world(struct vm *vm, u8 **p)
{
	vm_simple(vm);
	*p = pages(PAGES << 12);
	madvise(*p, PAGES << 12, MADV_NOHUGEPAGE);
	if (vm_map(vm, BASE, *p, PAGES << 12, RWL))
		abort();
}

FIXTURE_SETUP(dirty)
{
	int err;

	NEED_DEVICE();
	err = set_way(ways[variant->way]);
	if (err == EOPNOTSUPP)
		return;
	ASSERT_EQ(0, err);
	world(&self->vm, &self->p);
	self->c = &self->vm.cpu[0];
	self->b = vcpu_block(self->c);
}

/* What a setup says is not heard by the test */
#define NEED_WAY()							\
	do {								\
		if (!self->c)						\
			SKIP(return, "the CPU can't");			\
	} while (0)

FIXTURE_TEARDOWN(dirty)
{
	if (self->vm.mem)
		vm_close(&self->vm);
	set_way("auto");
}

/* The guest writes these pages */
static int write_pages(struct vcpu *c, const u32 *page, u32 n)
{
	memcpy(c->vm->mem + GUEST_DATA, page, n * sizeof(*page));
	vcpu_block(c)->value[0] = n;
	return guest_start(c, add_some, add_some_end);
}

static int write_page(struct vcpu *c, u32 page)
{
	return write_pages(c, &page, 1);
}

TEST_F(dirty, what_the_guest_wrote_is_told_page_by_page)
{
	u64 model[WORDS] = {}, bits[WORDS + 1], rnd = seed(), count, sum = 0;
	u32 page[300], round, i, n, bad = 0;

	NEED_WAY();
	for (round = 0; round < 20; round++) {
		n = next_random(&rnd) % 300;
		for (i = 0; i < n; i++) {
			page[i] = next_random(&rnd) % PAGES;
			set(model, page[i]);
		}
		ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, n));
		sum += n;
		/* reading is not writing, and a page that the host drops stays written */
		self->b->value[0] = PAGES;
		ASSERT_EQ(GUEST_DONE, START(read_all));
		madvise(self->p + (next_random(&rnd) % PAGES << 12), 4096, MADV_DONTNEED);
		bits[WORDS] = 0x5555;
		if (round % 3) {
			ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
		} else {
			ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES,
					   bits, &count));
		}
		for (i = 0; i < PAGES; i++) {
			bad += has(bits, i) != has(model, i);
			count -= has(bits, i);
		}
		ASSERT_EQ(0, bad);
		ASSERT_EQ(0, count);
		ASSERT_EQ(0x5555, bits[WORDS]);
		if (!(round % 3))
			memset(model, 0, sizeof(model));
	}
	TH_LOG("%lu writes, %lu second-level faults, %lu full buffers", sum,
	       vcpu_stat(self->c, "exit_npf"), vcpu_stat(self->c, "exit_log_full"));
}

TEST_F(dirty, a_part_is_taken_and_the_rest_stays)
{
	u64 bits[WORDS] = {}, which[1] = { 1 << 3 }, count;
	u32 page[] = { 5, 64, 70, 77, 700 };

	NEED_WAY();
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, 5));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 60, 11, bits, &count));
	EXPECT_EQ(1 << 4 | 1 << 10, bits[0]);
	EXPECT_EQ(2, count);
	/* bit 3 is page 77 */
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_CLEAR, 74, 64, which, &count));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(2, count);
	EXPECT_TRUE(has(bits, 5) && has(bits, 700));
	ASSERT_EQ(GUEST_DONE, write_page(self->c, 77));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_EQ(3, count);
	EXPECT_TRUE(has(bits, 77));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(0, count);
}

TEST_F(dirty, every_page_in_one_run_is_told)
{
	u64 bits[WORDS], count;
	u32 page[PAGES], i;

	NEED_WAY();
	for (i = 0; i < PAGES; i++)
		page[i] = (i * 7) % PAGES;
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, PAGES));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_EQ(PAGES, count);
	/* the second time everything is mapped: only write protection faults */
	i = vcpu_stat(self->c, "exit_npf");
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, PAGES));
	i = vcpu_stat(self->c, "exit_npf") - i;
	TH_LOG("%u pages written again: %u second-level faults", PAGES, i);
	EXPECT_EQ(variant->way ? 0 : PAGES, i);
	EXPECT_LE(variant->way == 2 ? 2u : 0, vcpu_stat(self->c, "exit_log_full"));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_EQ(PAGES, count);
}

TEST_F(dirty, no_large_page_is_split_before_it_is_written)
{
	u8 *raw = pages(3 * MIB2), *p = (u8 *)(((u64)raw + MIB2 - 1) & ~(MIB2 - 1));
	u64 bits[16], count, faults;
	u32 page = 700;

	NEED_WAY();
	if (madvise(p, 2 * MIB2, MADV_HUGEPAGE))
		SKIP(return, "this kernel has no transparent huge pages");
	memset(p, 1, 2 * MIB2);
	ASSERT_EQ(0, vm_unmap(&self->vm, BASE, PAGES << 12));
	ASSERT_EQ(0, vm_map(&self->vm, BASE, p, 2 * MIB2, RWL));
	self->b->value[0] = 1;
	ASSERT_EQ(GUEST_DONE, START(read_all));
	faults = vcpu_stat(self->c, "exit_npf");
	self->b->value[0] = 1024;
	ASSERT_EQ(GUEST_DONE, START(read_all));
	EXPECT_EQ(faults + 1, vcpu_stat(self->c, "exit_npf"));
	/* one more fault for the list of pages, and one for the page */
	ASSERT_EQ(GUEST_DONE, write_page(self->c, page));
	EXPECT_EQ(faults + 3, vcpu_stat(self->c, "exit_npf"));
	faults = vcpu_stat(self->c, "exit_npf");
	/* nothing else was lost with the split */
	self->b->value[0] = 1024;
	ASSERT_EQ(GUEST_DONE, START(read_all));
	EXPECT_EQ(faults, vcpu_stat(self->c, "exit_npf"));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, 1024, bits, &count));
	EXPECT_EQ(1, count);
	EXPECT_TRUE(has(bits, page));
	/* without a log it grows together again */
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, 2 * MIB2, RW));
	self->b->value[0] = 1024;
	ASSERT_EQ(GUEST_DONE, START(read_all));
	EXPECT_EQ(faults + 2, vcpu_stat(self->c, "exit_npf"));
	vm_unmap(&self->vm, BASE, 2 * MIB2);
}

/* What a migration does: copy what was written, while the guests write on */
TEST_F(dirty, a_copy_made_by_the_log_equals_the_memory)
{
	u64 bits[4], n = 256, rounds = 0, copied = 0, i, end, bad = 0, count;
	u8 *copy = pages(n << 12);
	pthread_t thread[2];
	void *ret;

	NEED_WAY();
	vm_vcpu(&self->vm, 1);
	for (i = 0; i < 2; i++) {
		struct vcpu *c = &self->vm.cpu[i];

		guest_copy(&self->vm, GUEST_CODE, storm, (u64)(storm_end - storm));
		vcpu_long(c, GUEST_CODE);
		vcpu_block(c)->value[0] = 0x9e3779b97f4a7c15ull + i;
		pthread_create(&thread[i], NULL, vcpu_thread, c);
	}
	for (end = now_ms() + 1000; now_ms() < end; rounds++) {
		struct timespec ms = { .tv_nsec = 2000000 };

		nanosleep(&ms, NULL);
		ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, n, bits, &count));
		for (i = 0; i < n; i++)
			if (has(bits, i))
				memcpy(copy + i * 4096, self->p + i * 4096, 4096);
		copied += count;
		/* leaves come and go */
		mprotect(self->p + (rounds % n) * 4096, 4096,
			 PROT_READ | PROT_WRITE | (rounds & n ? 0 : PROT_EXEC));
	}
	for (i = 0; i < 2; i++)
		try_ioctl(self->vm.cpu[i].fd, LIMEN_KICK, NULL);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		EXPECT_EQ(LIMEN_EXIT_KICKED, (long)ret);
	}
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, n, bits, &count));
	for (i = 0; i < n; i++) {
		if (has(bits, i))
			memcpy(copy + i * 4096, self->p + i * 4096, 4096);
		bad += !!memcmp(copy + i * 4096, self->p + i * 4096, 4096);
	}
	TH_LOG("%lu rounds, %lu pages copied, %lu and %lu writes, %lu and %lu faults", rounds,
	       copied, vcpu_block(&self->vm.cpu[0])->value[1],
	       vcpu_block(&self->vm.cpu[1])->value[1],
	       vcpu_stat(&self->vm.cpu[0], "exit_npf"), vcpu_stat(&self->vm.cpu[1], "exit_npf"));
	EXPECT_EQ(0, bad);
	EXPECT_LT(1, rounds);
	EXPECT_NE(0, vcpu_block(&self->vm.cpu[0])->value[1]);
}

/* Clock page at page 3, steal time at page 5 */
GUEST64(pv_on, "mov $0x4b564d01, %ecx; mov $0x40003001, %eax; xor %edx, %edx; wrmsr\n"
	"mov $0x4b564d03, %ecx; mov $0x40005001, %eax; xor %edx, %edx; wrmsr" G_DONE);
GUEST64(nothing, G_DONE);

TEST_F(dirty, the_kernels_own_writes_are_told)
{
	struct limen_translate t = {
		.size = sizeof(t), .access = LIMEN_ACCESS_WRITE, .gva = GUEST_DATA,
	};
	u64 bits[WORDS], count, *table = (u64 *)(self->p + 8 * 4096);
	struct limen_sregs s;
	int i;

	NEED_WAY();
	ASSERT_EQ(GUEST_DONE, START(pv_on));
	ASSERT_EQ(GUEST_DONE, START(nothing));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_TRUE(has(bits, 3));
	EXPECT_TRUE(has(bits, 5));
	EXPECT_EQ(2, count);
	/* "does not run" is written as LIMEN_RUN returns */
	ASSERT_EQ(GUEST_DONE, START(nothing));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_TRUE(has(bits, 5));
	/* accessed and dirty bits of the guest's own tables, at pages 8 to 10 */
	table[0] = (BASE + 9 * 4096) | 3;
	table[512] = (BASE + 10 * 4096) | 3;
	for (i = 0; i < 512; i++)
		table[1024 + i] = (u64)i << 21 | 0x83;
	s = vcpu_sregs(self->c);
	s.cr3 = BASE + 8 * 4096;
	ASSERT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	ASSERT_EQ(0, t.fault);
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_EQ(3, count);
	EXPECT_EQ(7ull << 8, bits[0]);
}

TEST_F(dirty, what_the_vmm_marks_is_told)
{
	u64 bits[WORDS], count;

	NEED_WAY();
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_MARK, 62, 3, NULL, NULL));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits, &count));
	EXPECT_EQ(3, count);
	EXPECT_TRUE(has(bits, 62) && has(bits, 63) && has(bits, 64));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(0, count);
}

TEST_F(dirty, a_log_lives_as_long_as_its_flag)
{
	u64 bits[WORDS], count, len = PAGES << 12;

	NEED_WAY();
	ASSERT_EQ(GUEST_DONE, write_page(self->c, 9));
	/* other rights: kept */
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, len, LIMEN_MEM_READ | LIMEN_MEM_LOG));
	EXPECT_EQ(LIMEN_EXIT_MMIO, write_page(self->c, 10));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(1, count);
	/* none: gone; and a new one is empty */
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, len, RW));
	EXPECT_EQ(ENOENT, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, NULL));
	ASSERT_EQ(GUEST_DONE, write_page(self->c, 11));
	ASSERT_EQ(0, vm_protect(&self->vm, BASE, len, RWL));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(0, count);
	ASSERT_EQ(GUEST_DONE, write_page(self->c, 11));
	ASSERT_EQ(0, vm_unmap(&self->vm, BASE, len));
	ASSERT_EQ(0, vm_map(&self->vm, BASE, self->p, len, RWL));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(0, count);
}

TEST_F(dirty, what_could_not_be_told_is_not_forgotten)
{
	u64 bits[WORDS], count;
	u8 *half = pages(8192);
	u32 page[] = { 1, 1100 };

	NEED_WAY();
	munmap(half + 4096, 4096);
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, 2));
	EXPECT_EQ(EFAULT, dirty(&self->vm, LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES,
				(u64 *)(half + 4096 - 64), NULL));
	EXPECT_EQ(EFAULT, dirty(&self->vm, LIMEN_DIRTY_CLEAR, 0, PAGES,
				(u64 *)(half + 4096 - 64), NULL));
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(2, count);
	EXPECT_TRUE(has(bits, 1) && has(bits, 1100));
}

TEST_F(dirty, bad_calls_get_their_errno)
{
	struct limen_dirty arg = { .size = sizeof(arg), .gpa = BASE, .len = 4096 };
	struct limen_dirty bad;
	u64 bits[WORDS];

	NEED_WAY();
	arg.bitmap = (u64)(uintptr_t)bits;
	EXPECT_EQ(0, try_ioctl(self->vm.fd, LIMEN_DIRTY, &arg));
#define BAD(err, change)							\
	do {									\
		bad = arg;							\
		bad.change;							\
		EXPECT_EQ(err, try_ioctl(self->vm.fd, LIMEN_DIRTY, &bad));	\
	} while (0)
	BAD(EINVAL, op = 4);
	BAD(EINVAL, op = LIMEN_DIRTY_MARK);	/* with a bitmap */
	BAD(EINVAL, bitmap = 0);
	BAD(EINVAL, gpa += 1);
	BAD(EINVAL, len = 0);
	BAD(EINVAL, len = 100);
	BAD(EINVAL, len = LIMEN_MAX_DIRTY + 4096);
	BAD(EINVAL, gpa = -4096ull);
	BAD(EINVAL, count = 1);
	BAD(ENOENT, gpa -= 4096);
	BAD(ENOENT, len = (PAGES + 1) << 12);
	BAD(ENOENT, gpa = 0);			/* no log there */
	BAD(ENOENT, gpa = 1ull << 36);
#undef BAD
}

/* ---- the ring ---- */

struct ring {
	struct limen_dirty_ring *head;
	const u64 *entry;
	u64 bytes;
};

static int ring_make(struct vcpu *c, u32 entries, struct ring *r)
{
	struct limen_dirty_ring_create arg = { .size = sizeof(arg), .entries = entries };
	int err = try_ioctl(c->fd, LIMEN_DIRTY_RING, &arg);

	if (err)
		return err;
	r->bytes = LIMEN_RING_ENTRIES + entries * 8ull;
	r->head = mmap(NULL, r->bytes, PROT_READ, MAP_SHARED, c->fd, LIMEN_RING_OFFSET);
	if (r->head == MAP_FAILED)
		return errno;
	r->entry = (void *)r->head + LIMEN_RING_ENTRIES;
	return 0;
}

static int taken(struct vcpu *c, u32 n)
{
	struct limen_dirty_taken arg = { .size = sizeof(arg), .count = n };

	return try_ioctl(c->fd, LIMEN_DIRTY_TAKEN, &arg);
}

/* Read what is there and say so; then copy these pages. The number, or -1 */
static int ring_copy(struct vcpu *c, struct ring *r, u8 *copy, const u8 *from)
{
	u32 head = __atomic_load_n(&r->head->head, __ATOMIC_ACQUIRE);
	u32 tail = r->head->tail, n = head - tail, i;
	u64 page[2048];

	if (n > 2048)
		n = 2048;
	for (i = 0; i < n; i++) {
		page[i] = (r->entry[(tail + i) & (r->head->entries - 1)] - BASE) / 4096;
		if (page[i] >= PAGES)
			return -1;
	}
	if (taken(c, n))
		return -1;
	for (i = 0; i < n; i++)
		memcpy(copy + page[i] * 4096, from + page[i] * 4096, 4096);
	return n;
}

TEST_F(dirty, a_ring_has_each_page_once_until_it_was_taken)
{
	u32 page[] = { 3, 900, 3, 4, 900, 3 };
	u64 bits[WORDS], count;
	struct ring r;
	u32 i, seen = 0;
	int err;

	NEED_WAY();
	err = ring_make(self->c, 1024, &r);
	if (variant->way == 1) {
		ASSERT_EQ(EOPNOTSUPP, err);
		return;
	}
	ASSERT_EQ(0, err);
	EXPECT_EQ(EEXIST, ring_make(self->c, 1024, &r));
	EXPECT_EQ(1024, r.head->entries);
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, 6));
	ASSERT_EQ(3, r.head->head);
	for (i = 0; i < 3; i++)
		seen |= r.entry[i] == BASE + 3 * 4096 ? 1 : r.entry[i] == BASE + 900 * 4096 ? 2 :
			r.entry[i] == BASE + 4 * 4096 ? 4 : 8;
	EXPECT_EQ(7, seen);
	ASSERT_EQ(GUEST_DONE, write_pages(self->c, page, 6));
	EXPECT_EQ(3, r.head->head);
	EXPECT_EQ(EINVAL, taken(self->c, 4));
	ASSERT_EQ(0, taken(self->c, 3));
	EXPECT_EQ(3, r.head->tail);
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_GET, 0, PAGES, bits, &count));
	EXPECT_EQ(0, count);
	ASSERT_EQ(GUEST_DONE, write_page(self->c, 4));
	EXPECT_EQ(4, r.head->head);
	EXPECT_EQ(BASE + 4 * 4096, r.entry[3]);
	/* the VMM's own, and the module's */
	ASSERT_EQ(0, dirty(&self->vm, LIMEN_DIRTY_MARK, 77, 1, NULL, NULL));
	EXPECT_EQ(5, r.head->head);
	EXPECT_EQ(BASE + 77 * 4096, r.entry[4]);
	ASSERT_EQ(0, taken(self->c, 2));
	ASSERT_EQ(GUEST_DONE, START(pv_on));
	ASSERT_EQ(GUEST_DONE, START(nothing));
	EXPECT_EQ(7, r.head->head);
	EXPECT_EQ((BASE + 3 * 4096) ^ (BASE + 5 * 4096), r.entry[5] ^ r.entry[6]);
	EXPECT_EQ(0, r.head->missed);
	munmap(r.head, r.bytes);
}

TEST_F(dirty, a_full_ring_is_an_exit_and_nothing_is_lost)
{
	u64 want[WORDS] = {}, i, exits = 0, bad = 0;
	u8 *copy = pages(PAGES << 12);
	u32 page[PAGES];
	struct ring r;
	int ret, n;

	NEED_WAY();
	if (variant->way == 1)
		return;
	ASSERT_EQ(0, ring_make(self->c, 1024, &r));
	for (i = 0; i < PAGES; i++) {
		page[i] = (i * 7) % PAGES;
		set(want, page[i]);
	}
	ret = write_pages(self->c, page, PAGES);
	for (; ret == LIMEN_EXIT_DIRTY_FULL; ret = vcpu_go(self->c), exits++) {
		/* again and again */
		if (!exits)
			ASSERT_EQ(LIMEN_EXIT_DIRTY_FULL, vcpu_go(self->c));
		n = ring_copy(self->c, &r, copy, self->p);
		ASSERT_LT(0, n);
	}
	ASSERT_EQ(GUEST_DONE, ret);
	while ((n = ring_copy(self->c, &r, copy, self->p)) > 0)
		;
	ASSERT_EQ(0, n);
	TH_LOG("%u pages, %lu full rings", PAGES, exits);
	EXPECT_LE(1, exits);
	/* one that was taken between the fault and the write comes twice */
	EXPECT_LE(PAGES, r.head->head);
	EXPECT_EQ(0, r.head->missed);
	for (i = 0; i < PAGES; i++)
		bad += *(u64 *)(copy + i * 4096) != 1;
	EXPECT_EQ(0, bad);
	munmap(r.head, r.bytes);
}

TEST_F(dirty, a_copy_made_by_the_rings_equals_the_memory)
{
	u64 n = 256, rounds = 0, copied = 0, i, end, bad = 0;
	u8 *copy = pages(n << 12);
	pthread_t thread[2];
	void *ret;
	struct ring r[2];
	int got;

	NEED_WAY();
	if (variant->way == 1)
		return;
	vm_vcpu(&self->vm, 1);
	for (i = 0; i < 2; i++) {
		struct vcpu *c = &self->vm.cpu[i];

		ASSERT_EQ(0, ring_make(c, 1024, &r[i]));
		guest_copy(&self->vm, GUEST_CODE, storm, (u64)(storm_end - storm));
		vcpu_long(c, GUEST_CODE);
		vcpu_block(c)->value[0] = 0x9e3779b97f4a7c15ull + i;
		pthread_create(&thread[i], NULL, vcpu_thread, c);
	}
	for (end = now_ms() + 1000; now_ms() < end; rounds++) {
		struct timespec ms = { .tv_nsec = 2000000 };

		nanosleep(&ms, NULL);
		for (i = 0; i < 2; i++) {
			got = ring_copy(&self->vm.cpu[i], &r[i], copy, self->p);
			ASSERT_LE(0, got);
			copied += got;
		}
	}
	for (i = 0; i < 2; i++)
		try_ioctl(self->vm.cpu[i].fd, LIMEN_KICK, NULL);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		EXPECT_EQ(LIMEN_EXIT_KICKED, (long)ret);
	}
	for (i = 0; i < 2; i++)
		while (ring_copy(&self->vm.cpu[i], &r[i], copy, self->p) > 0)
			;
	for (i = 0; i < n; i++)
		bad += !!memcmp(copy + i * 4096, self->p + i * 4096, 4096);
	TH_LOG("%lu rounds, %lu pages copied, %lu and %lu writes, %lu and %lu faults", rounds,
	       copied, vcpu_block(&self->vm.cpu[0])->value[1],
	       vcpu_block(&self->vm.cpu[1])->value[1],
	       vcpu_stat(&self->vm.cpu[0], "exit_npf"), vcpu_stat(&self->vm.cpu[1], "exit_npf"));
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, r[0].head->missed + r[1].head->missed);
	for (i = 0; i < 2; i++)
		munmap(r[i].head, r[i].bytes);
}

TEST_F(dirty, a_ring_is_read_only_and_of_a_documented_size)
{
	struct limen_dirty_ring_create arg = { .size = sizeof(arg), .entries = 1000 };
	struct ring r;
	void *p;
	int fd;

	NEED_WAY();
	fd = self->c->fd;
	EXPECT_EQ(ENOENT, taken(self->c, 0));
	EXPECT_EQ(EINVAL, try_ioctl(fd, LIMEN_DIRTY_RING, &arg));
	arg.entries = 512;
	EXPECT_EQ(EINVAL, try_ioctl(fd, LIMEN_DIRTY_RING, &arg));
	arg.entries = 131072;
	EXPECT_EQ(EINVAL, try_ioctl(fd, LIMEN_DIRTY_RING, &arg));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, LIMEN_RING_OFFSET);
	EXPECT_EQ(MAP_FAILED, p);
	if (variant->way == 1)
		return;
	ASSERT_EQ(0, ring_make(self->c, 1024, &r));
	EXPECT_EQ(-1, mprotect(r.head, 4096, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, mprotect(r.head, 4096, PROT_READ | PROT_EXEC));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, LIMEN_RING_OFFSET);
	EXPECT_EQ(MAP_FAILED, p);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, LIMEN_RING_OFFSET);
	EXPECT_EQ(MAP_FAILED, p);
	p = mmap(NULL, r.bytes + 4096, PROT_READ, MAP_SHARED, fd, LIMEN_RING_OFFSET);
	EXPECT_EQ(MAP_FAILED, p);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	EXPECT_EQ(MAP_FAILED, p);
	/* nor by a run page that grows: a copy out of it fails */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mremap(p, 4096, LIMEN_RING_OFFSET + 8192, MREMAP_MAYMOVE);
	if (p != MAP_FAILED) {
		int to[2];

		ASSERT_EQ(0, pipe(to));
		EXPECT_EQ(1, write(to[1], p, 1));
		EXPECT_EQ(-1, write(to[1], p + LIMEN_RING_OFFSET, 1));
		EXPECT_EQ(EFAULT, errno);
		close(to[0]);
		close(to[1]);
	}
	munmap(r.head, r.bytes);
}

/* One seed, every way: the same pages */
TEST(every_way_tells_the_same)
{
	u64 bits[3][WORDS], rnd = seed(), at;
	u32 page[200], round, i, n;
	struct vm vm[3] = {};
	u8 *p[3];
	int w, err, have = 0;

	NEED_DEVICE();
	for (w = 0; w < 3; w++) {
		err = set_way(ways[w]);
		if (err == EOPNOTSUPP)
			continue;
		ASSERT_EQ(0, err);
		world(&vm[have], &p[have]);
		have++;
	}
	set_way("auto");
	for (round = 0; round < 10; round++) {
		n = next_random(&rnd) % 200;
		for (i = 0; i < n; i++)
			page[i] = next_random(&rnd) % PAGES;
		at = next_random(&rnd) % PAGES;
		for (w = 0; w < have; w++) {
			ASSERT_EQ(GUEST_DONE, write_pages(&vm[w].cpu[0], page, n));
			madvise(p[w] + at * 4096, 4096, MADV_DONTNEED);
			ASSERT_EQ(0, dirty(&vm[w], round & 1 ? LIMEN_DIRTY_GET :
					   LIMEN_DIRTY_GET_AND_CLEAR, 0, PAGES, bits[w], NULL));
			ASSERT_EQ(0, memcmp(bits[0], bits[w], sizeof(bits[0])));
			ASSERT_EQ(0, memcmp(p[0], p[w], PAGES << 12));
		}
	}
	TH_LOG("%d ways", have);
	EXPECT_LE(2, have);
	for (w = 0; w < have; w++)
		vm_close(&vm[w]);
}

TEST(unknown_ways_are_refused)
{
	NEED_DEVICE();
	EXPECT_EQ(EINVAL, set_way("magic"));
	EXPECT_EQ(0, set_way("auto\n"));
}

TEST_HARNESS_MAIN
