// SPDX-License-Identifier: GPL-2.0-only
/* The log of written pages, in each way to see writes; the CPU is played by the test. */
#include <linux/prandom.h>

#include "../npt/npt_dirty.c"
#include "../npt/npt_ring.c"
#include "fake.h"

#define RWX	(LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)
#define FIRST	1000		/* page at which the range begins */
#define PAGES	1500		/* three tables of level 1 */

struct world {
	struct limen_vm *vm;
	struct limen_vcpu *vcpu;
	struct limen_mem_range *r;
	struct npt_cache cache;
	struct list_head freed;
	unsigned long out[BITS_TO_LONGS(PAGES)];
};

static int world_init(struct kunit_resource *res, void *data)
{
	struct world *w = data;

	res->data = w;
	INIT_LIST_HEAD(&w->freed);
	w->r->log = kcalloc(BITS_TO_LONGS(PAGES), sizeof(long), GFP_KERNEL);
	w->vcpu->pml = kcalloc(PML_ENTRIES, sizeof(u64), GFP_KERNEL);
	return npt_init(&w->vm->npt, npt_format_for(&npt_format_ept, true));
}

static void world_fini(struct kunit_resource *res)
{
	struct world *w = res->data;

	npt_cache_drain(&w->cache);
	npt_free_list(&w->freed);
	npt_fini(&w->vm->npt);
	kfree(w->r->log);
	kfree(w->vcpu->pml);
}

static struct world *world(struct kunit *test, enum npt_way way)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->vm = fake_vm(test, 1);
	w->vcpu = w->vm->vcpu[0];
	w->r = &w->vm->range[0];
	*w->r = (struct limen_mem_range){
		.gpa = FIRST * PAGE_SIZE, .len = PAGES * PAGE_SIZE,
		.hva = 0x10000000, .flags = RWX | LIMEN_MEM_LOG,
	};
	w->vm->nr_ranges = 1;
	w->vm->npt.way = way;
	w->vm->npt.nr_logs = 1;
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, world_init, world_fini,
							 GFP_KERNEL, w));
	return w;
}

static u64 gpa_of(u32 page)
{
	return (FIRST + page) * PAGE_SIZE;
}

/* What npt_fault.c does, without the host */
static void fault(struct kunit *test, struct world *w, u32 page, bool write)
{
	u32 access = npt_log_rights(w->vm, w->r, gpa_of(page), RWX, write);

	KUNIT_ASSERT_EQ(test, npt_cache_fill(&w->cache), 0);
	KUNIT_ASSERT_LE(test, 0, npt_map(&w->vm->npt, &w->cache, gpa_of(page),
					 npt_log_leaf(w->vm, w->r, page * PAGE_SIZE, access),
					 1, &w->freed));
	if (write && w->vm->npt.way == NPT_WAY_WP)
		npt_log_mark(w->vm, NULL, gpa_of(page));
}

/* SDM Vol. 3, "Page-Modification Logging": when the dirty flag is set, from 511 down */
static void cpu_logs(struct world *w, u64 gpa)
{
	if (w->vm->npt.way != NPT_WAY_PML)
		return;
	if (w->vcpu->nr_pml == PML_ENTRIES)
		npt_log_drain(w->vcpu);
	w->vcpu->nr_pml++;
	w->vcpu->pml[PML_ENTRIES - w->vcpu->nr_pml] = gpa;
}

/* A store: faults as long as it may not */
static int store(struct kunit *test, struct world *w, u32 page)
{
	const struct npt_format *fmt = w->vm->npt.fmt;
	struct npt_pos pos;
	int faults = 0;

	for (;;) {
		pos = npt_walk(&w->vm->npt, gpa_of(page), 1);
		if (npt_leaf_access(fmt, pos.pte) & LIMEN_MEM_WRITE)
			break;
		fault(test, w, page, true);
		KUNIT_ASSERT_LT(test, faults++, 2);
	}
	if (!(pos.pte & BIT(9)))
		cpu_logs(w, gpa_of(page));
	*pos.ptep |= BIT(9);
	return faults;
}

static const unsigned long *get(struct world *w, u64 first, u64 n, bool clear)
{
	memset(w->out, 0, sizeof(w->out));
	spin_lock(&w->vm->mmu_lock);
	npt_log_drain_all(w->vm);
	npt_log_get(w->vm, w->r, first, n, w->out, clear);
	spin_unlock(&w->vm->mmu_lock);
	return w->out;
}

static void written_page_is_told_until_it_is_cleared(struct kunit *test)
{
	enum npt_way way;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);

		KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, false), PAGES));
		fault(test, w, 7, false);
		KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, false), PAGES));
		store(test, w, 7);
		KUNIT_EXPECT_TRUE(test, test_bit(7, get(w, 0, PAGES, false)));
		KUNIT_EXPECT_TRUE(test, test_bit(7, get(w, 0, PAGES, true)));
		KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, true), PAGES));
		/* again, and counted from elsewhere */
		store(test, w, 7);
		KUNIT_EXPECT_TRUE(test, test_bit(2, get(w, 5, 3, true)));
		KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, true), PAGES));
	}
}

static void only_write_protection_costs_a_fault(struct kunit *test)
{
	enum npt_way way;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);

		fault(test, w, 3, false);
		KUNIT_EXPECT_EQ(test, store(test, w, 3), way == NPT_WAY_WP);
		KUNIT_EXPECT_EQ(test, store(test, w, 3), 0);
		get(w, 0, PAGES, true);
		KUNIT_EXPECT_EQ(test, store(test, w, 3), way == NPT_WAY_WP);
		/* a page that is known to be dirty may be mapped writable */
		npt_unmap(&w->vm->npt, gpa_of(3), PAGE_SIZE, &w->freed);
		fault(test, w, 3, false);
		KUNIT_EXPECT_EQ(test, store(test, w, 3), 0);
	}
}

static void a_flush_is_asked_for_when_a_write_could_go_unseen(struct kunit *test)
{
	enum npt_way way;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);
		struct limen_vm *vm = w->vm;

		store(test, w, 5);
		spin_lock(&vm->mmu_lock);
		npt_log_drain_all(vm);
		KUNIT_EXPECT_FALSE(test, npt_log_get(vm, w->r, 0, PAGES, w->out, false));
		KUNIT_EXPECT_TRUE(test, npt_log_get(vm, w->r, 0, PAGES, w->out, true));
		KUNIT_EXPECT_FALSE(test, npt_log_get(vm, w->r, 0, PAGES, w->out, true));
		/* marked by the VMM: no CPU has it */
		npt_log_mark(vm, NULL, gpa_of(9));
		KUNIT_EXPECT_FALSE(test, npt_log_get(vm, w->r, 0, PAGES, w->out, true));
		spin_unlock(&vm->mmu_lock);
	}
}

static void what_was_written_outlives_its_leaf(struct kunit *test)
{
	enum npt_way way;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);

		store(test, w, 600);
		store(test, w, 601);
		fault(test, w, 602, false);
		/* one page; then all, whose tables go as a whole */
		npt_unmap(&w->vm->npt, gpa_of(600), PAGE_SIZE, &w->freed);
		npt_unmap(&w->vm->npt, 0, 1ull << 48, &w->freed);
		KUNIT_EXPECT_EQ(test, w->vm->npt.nr_tables, 1ul);
		get(w, 0, PAGES, true);
		KUNIT_EXPECT_TRUE(test, test_bit(600, w->out));
		KUNIT_EXPECT_TRUE(test, test_bit(601, w->out));
		KUNIT_EXPECT_EQ(test, 2, bitmap_weight(w->out, PAGES));
	}
}

static void what_the_cpu_logged_elsewhere_is_dropped(struct kunit *test)
{
	struct world *w = world(test, NPT_WAY_PML);

	cpu_logs(w, 0);
	cpu_logs(w, gpa_of(0) - 1);
	cpu_logs(w, gpa_of(PAGES));
	cpu_logs(w, ~0ull);
	KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, true), PAGES));
	KUNIT_EXPECT_EQ(test, w->vcpu->nr_pml, 0);
	/* of a vCPU that is inside, the buffer is the CPU's */
	cpu_logs(w, gpa_of(1));
	w->vcpu->where = LIMEN_IN_GUEST;
	KUNIT_EXPECT_EQ(test, 0, bitmap_weight(get(w, 0, PAGES, true), PAGES));
	KUNIT_EXPECT_EQ(test, w->vcpu->nr_pml, 1);
	KUNIT_EXPECT_LE(test, 2, fake.npt_kicks);
	w->vcpu->where = LIMEN_OUTSIDE;
}

static void full_buffer_counts_to_its_last_entry(struct kunit *test)
{
	struct world *w = world(test, NPT_WAY_PML);
	int i;

	for (i = 0; i < PML_ENTRIES; i++)
		store(test, w, i * 2);
	KUNIT_EXPECT_EQ(test, w->vcpu->nr_pml, PML_ENTRIES);
	get(w, 0, PAGES, true);
	for (i = 0; i < PML_ENTRIES; i++)
		KUNIT_EXPECT_TRUE(test, test_bit(i * 2, w->out));
	KUNIT_EXPECT_EQ(test, PML_ENTRIES, bitmap_weight(w->out, PAGES));
}

static void clear_forgets_what_it_names(struct kunit *test)
{
	enum npt_way way;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);
		DECLARE_BITMAP(which, 64) = { BIT(1) | BIT(2) };

		store(test, w, 11);
		store(test, w, 13);
		spin_lock(&w->vm->mmu_lock);
		npt_log_drain_all(w->vm);
		/* bit 0 is page 10: 11 goes, 12 never was, 13 stays */
		KUNIT_EXPECT_TRUE(test, npt_log_clear(w->vm, w->r, 10, which, 0, 64));
		spin_unlock(&w->vm->mmu_lock);
		get(w, 0, PAGES, false);
		KUNIT_EXPECT_FALSE(test, test_bit(11, w->out));
		KUNIT_EXPECT_TRUE(test, test_bit(13, w->out));
		store(test, w, 11);
		KUNIT_EXPECT_TRUE(test, test_bit(11, get(w, 0, PAGES, true)));
	}
}

/* Random stores, reads, marks, losses of leaves and calls, against an array of bits */
static void log_agrees_with_the_model(struct kunit *test)
{
	struct rnd_state rnd;
	enum npt_way way;
	int step;

	for (way = 0; way < NPT_NR_WAY; way++) {
		struct world *w = world(test, way);
		DECLARE_BITMAP(model, PAGES) = {};
		DECLARE_BITMAP(want, PAGES);

		prandom_seed_state(&rnd, 0xd1);
		for (step = 0; step < 20000 * FAKE_ROUNDS; step++) {
			u32 random = prandom_u32_state(&rnd);
			u32 page = random % PAGES, n = (random >> 12) % 99 + 1;

			n = min_t(u32, n, PAGES - page);
			switch (random >> 28) {
			case 0 ... 9:
				store(test, w, page);
				__set_bit(page, model);
				break;
			case 10:
				if (!npt_walk(&w->vm->npt, gpa_of(page), 1).pte)
					fault(test, w, page, false);
				break;
			case 11:
				npt_log_mark(w->vm, NULL, gpa_of(page));
				__set_bit(page, model);
				break;
			case 12:
				npt_unmap(&w->vm->npt, gpa_of(page), n * PAGE_SIZE, &w->freed);
				npt_free_list(&w->freed);
				break;
			default:
				bitmap_shift_right(want, model, page, PAGES);
				bitmap_clear(want, n, PAGES - n);
				get(w, page, n, random & BIT(24));
				KUNIT_ASSERT_TRUE_MSG(test, bitmap_equal(want, w->out, PAGES),
						      "way %d step %d", way, step);
				if (random & BIT(24))
					bitmap_clear(model, page, n);
			}
		}
	}
}

static int push(struct world *w, u32 page)
{
	u32 before = w->vcpu->ring->head;

	spin_lock(&w->vm->mmu_lock);
	npt_log_mark(w->vm, w->vcpu, gpa_of(page) + 123);
	spin_unlock(&w->vm->mmu_lock);
	return w->vcpu->ring->head - before;
}

static void ring_gets_a_page_once_until_it_was_taken(struct kunit *test)
{
	struct world *w = world(test, NPT_WAY_WP);
	struct npt_ring *ring;
	bool flush = false;

	KUNIT_ASSERT_EQ(test, npt_ring_create(w->vcpu, 1024), 0);
	KUNIT_EXPECT_EQ(test, npt_ring_create(w->vcpu, 1024), -EEXIST);
	ring = w->vcpu->ring;
	KUNIT_EXPECT_EQ(test, push(w, 4), 1);
	KUNIT_EXPECT_EQ(test, push(w, 4), 0);
	KUNIT_EXPECT_EQ(test, push(w, 5), 1);
	KUNIT_EXPECT_EQ(test, ring->shared->head, 2u);
	KUNIT_EXPECT_EQ(test, *entry_of(ring, 0), gpa_of(4));
	KUNIT_EXPECT_EQ(test, *entry_of(ring, 1), gpa_of(5));
	KUNIT_EXPECT_EQ(test, npt_ring_take(w->vm, ring, 3, &flush), -EINVAL);
	KUNIT_EXPECT_EQ(test, npt_ring_take(w->vm, ring, 1, &flush), 0);
	KUNIT_EXPECT_EQ(test, ring->shared->tail, 1u);
	/* page 4 is out of the log, and may come again */
	KUNIT_EXPECT_EQ(test, 1, bitmap_weight(get(w, 0, PAGES, false), PAGES));
	KUNIT_EXPECT_EQ(test, push(w, 4), 1);
	KUNIT_EXPECT_EQ(test, push(w, 5), 0);
	/* no leaf was there to be protected again */
	KUNIT_EXPECT_FALSE(test, flush);
	store(test, w, 9);
	KUNIT_EXPECT_EQ(test, npt_ring_take(w->vm, ring, 3, &flush), 0);
	KUNIT_EXPECT_TRUE(test, flush);
}

static void ring_is_full_before_anything_is_lost(struct kunit *test)
{
	struct world *w = world(test, NPT_WAY_PML);
	struct npt_ring *ring;
	bool flush;
	u32 i;

	KUNIT_ASSERT_EQ(test, npt_ring_create(w->vcpu, 1024), 0);
	ring = w->vcpu->ring;
	/* around the end of the numbers */
	ring->head = -700;
	ring->tail = -700;
	for (i = 0; i < 1024 && !npt_ring_is_full(ring); i++)
		KUNIT_ASSERT_EQ(test, push(w, i), 1);
	/* a whole buffer of the CPU's finds room */
	KUNIT_EXPECT_LE(test, used(ring) + PML_ENTRIES, ring->entries);
	for (; used(ring) < ring->entries; i++)
		KUNIT_ASSERT_EQ(test, push(w, i), 1);
	KUNIT_EXPECT_EQ(test, ring->shared->missed, 0u);
	KUNIT_EXPECT_EQ(test, push(w, i), 0);
	KUNIT_EXPECT_EQ(test, ring->shared->missed, 1u);
	/* the log has it */
	KUNIT_EXPECT_TRUE(test, test_bit(i, get(w, 0, PAGES, false)));
	KUNIT_EXPECT_EQ(test, npt_ring_take(w->vm, ring, 1024, &flush), 0);
	KUNIT_EXPECT_FALSE(test, npt_ring_is_full(ring));
	KUNIT_EXPECT_EQ(test, 1, bitmap_weight(get(w, 0, PAGES, false), PAGES));
}

static void full_ring_ends_the_run_until_entries_were_taken(struct kunit *test)
{
	struct world *w = world(test, NPT_WAY_WP);
	bool flush;
	u32 i;

	KUNIT_ASSERT_EQ(test, npt_ring_create(w->vcpu, 1024), 0);
	for (i = 0; i < 1024 && !npt_ring_is_full(w->vcpu->ring); i++)
		push(w, i);
	fake_long_mode(w->vcpu);
	KUNIT_EXPECT_EQ(test, fake_run(test, w->vcpu), LIMEN_EXIT_DIRTY_FULL);
	KUNIT_EXPECT_EQ(test, fake_run(test, w->vcpu), LIMEN_EXIT_DIRTY_FULL);
	KUNIT_EXPECT_EQ(test, fake_cpu(w->vcpu)->nr_entered, 0);
	npt_ring_take(w->vm, w->vcpu->ring, 1, &flush);
	KUNIT_EXPECT_EQ(test, fake_run(test, w->vcpu), LIMEN_EXIT_UNKNOWN);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(written_page_is_told_until_it_is_cleared),
	KUNIT_CASE(only_write_protection_costs_a_fault),
	KUNIT_CASE(a_flush_is_asked_for_when_a_write_could_go_unseen),
	KUNIT_CASE(what_was_written_outlives_its_leaf),
	KUNIT_CASE(what_the_cpu_logged_elsewhere_is_dropped),
	KUNIT_CASE(full_buffer_counts_to_its_last_entry),
	KUNIT_CASE(clear_forgets_what_it_names),
	KUNIT_CASE(log_agrees_with_the_model),
	KUNIT_CASE(ring_gets_a_page_once_until_it_was_taken),
	KUNIT_CASE(ring_is_full_before_anything_is_lost),
	KUNIT_CASE(full_ring_ends_the_run_until_entries_were_taken),
	{}
};

static struct kunit_suite suite = { .name = "dirty", .test_cases = cases };
kunit_test_suite(suite);
