/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Second-level page tables of either vendor: one walker, two formats.
 *
 * All functions here but the formats run under vm->mmu_lock. Looking never
 * changes anything; a table page goes back only after every CPU has flushed.
 */
#ifndef LIMEN_NPT_H
#define LIMEN_NPT_H

#include <linux/list.h>
#include <linux/types.h>

#define NPT_ADDR	0x000ffffffffff000ull
#define NPT_LEVELS	4
#define NPT_CACHE	(NPT_LEVELS * 2)

/* So much is taken away before the lock goes for a moment: at most 512 tables */
#define NPT_ZAP_STEP	(1ull << 30)

struct limen_vm;
struct limen_vcpu;

/**
 * struct npt_format - how a CPU spells an entry
 * @read: @write: @exec: bits that grant the access
 * @no_exec: bit that forbids it (AMD), else 0
 * @present: any of these set: the entry is present
 * @table: bits of an entry that points to a table
 * @huge: marks a leaf above level 1
 * @leaf: other bits of a leaf (memory type, user)
 * @accessed: @dirty: 0 when the CPU has none
 * @with_ad: the same format with these two, or NULL
 */
struct npt_format {
	u64 read;
	u64 write;
	u64 exec;
	u64 no_exec;
	u64 present;
	u64 table;
	u64 huge;
	u64 leaf;
	u64 accessed;
	u64 dirty;
	const struct npt_format *with_ad;
};

extern const struct npt_format npt_format_ept;
extern const struct npt_format npt_format_ept_ad;
extern const struct npt_format npt_format_amd;

/* How writes to memory with a log are seen; see npt_dirty.c */
enum npt_way {
	NPT_WAY_WP,		/* write protection */
	NPT_WAY_AD,		/* dirty bits */
	NPT_WAY_PML,		/* page-modification logging */
	NPT_NR_WAY,
};

struct npt {
	u64 *root;		/* level NPT_LEVELS table */
	const struct npt_format *fmt;
	unsigned long nr_tables;
	enum npt_way way;	/* (i) */
	u32 nr_logs;		/* ranges with a log */
	u32 nr_rings;		/* vCPUs with a ring */
};

/* Pages for tables, filled where sleeping is allowed, used under the lock */
struct npt_cache {
	unsigned int nr;
	void *page[NPT_CACHE];
};

/* Where a walk ended */
struct npt_pos {
	u64 *ptep;
	u64 pte;
	int level;		/* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
};

int npt_init(struct npt *npt, const struct npt_format *fmt);
void npt_fini(struct npt *npt);
int npt_cache_fill(struct npt_cache *cache);
void npt_cache_drain(struct npt_cache *cache);

struct npt_pos npt_walk(const struct npt *npt, u64 gpa, int min_level);
bool npt_pos_is_leaf(const struct npt *npt, const struct npt_pos *pos);
const struct npt_format *npt_format_for(const struct npt_format *fmt, bool ad);
u64 npt_make_leaf(const struct npt_format *fmt, u64 hpa, u32 access, int level);
u32 npt_leaf_access(const struct npt_format *fmt, u64 pte);

/* Link a leaf. 1: something present was replaced, flush; 0: nothing to flush. */
int npt_map(struct npt *npt, struct npt_cache *cache, u64 gpa, u64 leaf,
	    int level, struct list_head *freed);
/*
 * Take leaves away, or rights (keep: LIMEN_MEM_*). true: a flush is needed.
 * Emptied table pages go to @freed: npt_free_list() after the flush.
 */
bool npt_unmap(struct npt *npt, u64 gpa, u64 len, struct list_head *freed);
bool npt_is_young(const struct npt *npt, u64 gpa, u64 len);
bool npt_age(struct npt *npt, u64 gpa, u64 len);
void npt_free_list(struct list_head *freed);

#endif
