// SPDX-License-Identifier: GPL-2.0-or-later
/* What is behind guest memory, and giving it back. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define GPA	(16ull << 20)
#define LEN	(4u << 20)

static const uint32_t rw = LIMEN_MEM_READ | LIMEN_MEM_WRITE;

/* how many pages of [p, p + LEN) the host has */
static uint32_t resident(void *p)
{
	static unsigned char vec[LEN / 4096];
	uint32_t n = 0;

	EXPECT_EQ(mincore(p, LEN, vec), 0);
	for (uint32_t i = 0; i < sizeof(vec); i++)
		n += vec[i] & 1;
	return n;
}

TEST(ram_anonymous_is_zeroed_aligned_and_given_back)
{
	struct limen_ram ram = { .fd = -1, .node = -1 };
	struct rig r;
	void *p;

	rig_init(&r);
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, &p), 0);
	EXPECT_EQ((uintptr_t)p % (2u << 20), 0);
	EXPECT_EQ(((uint8_t *)p)[LEN - 1], 0);
	memset(p, 0x5a, LEN);
	/* the first page is not whole, the last one is not either */
	EXPECT_EQ(limen_gpa_discard(r.vm, GPA + 1, 4096 * 3), 0);
	EXPECT_EQ(((uint8_t *)p)[1], 0x5a);
	EXPECT_EQ(((uint8_t *)p)[4095], 0x5a);
	EXPECT_EQ(((uint8_t *)p)[4096], 0);
	EXPECT_EQ(((uint8_t *)p)[3 * 4096 - 1], 0);
	EXPECT_EQ(((uint8_t *)p)[3 * 4096], 0x5a);
	EXPECT_EQ(limen_gpa_discard(r.vm, GPA + LEN - 4096, 8192), -EFAULT);
	EXPECT_EQ(limen_gpa_discard(r.vm, GPA - 1, 2), -EFAULT);
	rig_fini(&r);
}

TEST(ram_prealloc_allocates_all_of_it)
{
	struct limen_ram ram = { .fd = -1, .node = -1 };
	struct rig r;
	void *p;

	rig_init(&r);
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, &p), 0);
	EXPECT_EQ(resident(p), 0);
	ram.prealloc = true;
	EXPECT_EQ(limen_ram_add_backed(r.vm, 2 * GPA, LEN, rw, &ram, &p), 0);
	EXPECT_EQ(resident(p), LEN / 4096);
	rig_fini(&r);
}

TEST(ram_on_a_memfd_is_shared_and_given_back)
{
	struct limen_ram ram = { .fd = limen_ram_memfd(2 * LEN, false), .node = -1,
				 .offset = LEN };
	struct rig r;
	uint8_t *p, *q;

	rig_init(&r);
	EXPECT_TRUE(ram.fd >= 0);
	q = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0);
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, (void **)&p), 0);
	close(ram.fd);
	memset(p, 0x5a, LEN);
	EXPECT_EQ(q[LEN], 0x5a);
	EXPECT_EQ(q[LEN - 1], 0);
	EXPECT_EQ(limen_gpa_discard(r.vm, GPA, 4096), 0);
	EXPECT_EQ(q[LEN], 0);
	EXPECT_EQ(q[LEN + 4096], 0x5a);
	EXPECT_EQ(limen_unmap(r.vm, GPA, LEN), 0);
	munmap(q, 2 * LEN);
	rig_fini(&r);
}

TEST(ram_says_what_is_wrong)
{
	struct limen_ram ram = { .fd = -1, .node = 1023 };
	struct rig r;
	int err;

	rig_init(&r);
	err = limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, NULL);
	EXPECT_TRUE(err == -EINVAL || err == -ENOSYS);
	EXPECT_TRUE(strstr(ram.why, "NUMA"));
	ram.node = 1 << 20;
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, NULL), -EINVAL);
	ram.node = -1;
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA + 1, LEN, rw, &ram, NULL), -EINVAL);
	EXPECT_TRUE(strstr(ram.why, "multiple of the 4 KiB"));
	ram.fd = limen_ram_memfd(LEN, false);
	ram.mergeable = true;
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, NULL), -EINVAL);
	EXPECT_TRUE(strstr(ram.why, "anonymous"));
	close(ram.fd);
	/* nothing of it stayed */
	ram = (struct limen_ram){ .fd = -1, .node = -1 };
	EXPECT_EQ(limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, NULL), 0);
	EXPECT_EQ(ram.why[0], 0);
	rig_fini(&r);
}

TEST(ram_of_huge_pages_works_or_says_how_to_get_them)
{
	struct limen_ram ram = { .fd = limen_ram_memfd(LEN, true), .node = -1 };
	struct rig r;
	int err;

	if (ram.fd == -ENOSYS)
		return;
	rig_init(&r);
	EXPECT_TRUE(ram.fd >= 0);
	err = limen_ram_add_backed(r.vm, GPA, LEN, rw, &ram, NULL);
	EXPECT_TRUE(!err || err == -ENOMEM);
	if (err)
		EXPECT_TRUE(strstr(ram.why, "nr_hugepages"));
	EXPECT_EQ(limen_ram_add_backed(r.vm, 2 * GPA, 4096, rw, &ram, NULL), -EINVAL);
	EXPECT_TRUE(strstr(ram.why, "2048 KiB"));
	close(ram.fd);
	rig_fini(&r);
}

TEST(ram_that_the_caller_mapped_is_not_given_back)
{
	struct rig r;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	rig_init(&r);
	EXPECT_EQ(limen_map(r.vm, GPA, 4096, rw, p), 0);
	EXPECT_EQ(limen_gpa_discard(r.vm, GPA, 4096), -EOPNOTSUPP);
	munmap(p, 4096);
	rig_fini(&r);
}
