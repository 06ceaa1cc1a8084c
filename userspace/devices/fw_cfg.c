// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firmware configuration interface of QEMU (docs/specs/fw_cfg), by ports
 * and without DMA: what test kernels read their environment from.
 */
#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

#define KEY_SIGNATURE	0x00
#define KEY_ID		0x01
#define KEY_RAM_SIZE	0x03
#define KEY_NB_CPUS	0x05
#define KEY_MAX_CPUS	0x0f
#define KEY_FILE_DIR	0x19
#define KEY_FILE_FIRST	0x20
#define MAX_FILES	16
#define MAX_NAME	56

struct file_entry {
	uint32_t size;		/* big-endian, as the whole directory */
	uint16_t select;
	uint16_t reserved;
	char name[MAX_NAME];
};

struct directory {
	uint32_t count;
	struct file_entry file[MAX_FILES];
};

struct fw_cfg {
	pthread_mutex_t lock;
	uint16_t key;
	uint32_t offset;
	const uint8_t *data;
	uint32_t len;
	uint32_t id;
	uint64_t ram_size;
	uint16_t cpus;
	struct directory dir;
	uint8_t *file[MAX_FILES];
};

static void item(struct fw_cfg *f, const void *data, uint32_t len)
{
	f->data = data;
	f->len = len;
}

static void select_key(struct fw_cfg *f, uint16_t key)
{
	uint32_t n = key - KEY_FILE_FIRST;

	f->key = key;
	f->offset = 0;
	item(f, NULL, 0);
	switch (key) {
	case KEY_SIGNATURE: item(f, "QEMU", 4); return;
	case KEY_ID: item(f, &f->id, sizeof(f->id)); return;
	case KEY_RAM_SIZE: item(f, &f->ram_size, sizeof(f->ram_size)); return;
	case KEY_NB_CPUS:
	case KEY_MAX_CPUS: item(f, &f->cpus, sizeof(f->cpus)); return;
	case KEY_FILE_DIR: item(f, &f->dir, sizeof(f->dir)); return;
	}
	if (key >= KEY_FILE_FIRST && n < be32toh(f->dir.count))
		item(f, f->file[n], be32toh(f->dir.file[n].size));
}

/* 0x510 selects (16 bits), 0x511 reads bytes; past the end it gives 0 */
static void fw_cfg_access(void *opaque, struct limen_access *a)
{
	struct fw_cfg *f = opaque;

	if (a->write) {
		if (!a->addr && a->size == 2)
			select_key(f, a->data & 0x3fff);
		return;
	}
	a->data = 0;
	if (a->addr && f->offset < f->len)
		a->data = f->data[f->offset++];
}

int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data,
		    uint32_t len)
{
	uint32_t n = be32toh(f->dir.count);
	struct file_entry *e;

	if (n == MAX_FILES)
		return -ENOSPC;
	if (strlen(name) >= MAX_NAME)
		return -ENAMETOOLONG;
	f->file[n] = malloc(len ? len : 1);
	if (!f->file[n])
		return -ENOMEM;
	memcpy(f->file[n], data, len);
	e = &f->dir.file[n];
	e->size = htobe32(len);
	e->select = htobe16(KEY_FILE_FIRST + n);
	strcpy(e->name, name);
	f->dir.count = htobe32(n + 1);
	return 0;
}

int fw_cfg_create(struct board *b, struct fw_cfg **out)
{
	struct fw_cfg *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->key = 0xffff;	/* none */
	f->id = 1;	/* the traditional interface only */
	f->ram_size = b->ram_low + b->ram_high;
	f->cpus = b->cpus;
	err = board_ports(b, "fw_cfg", 0x510, 2, 2, fw_cfg_access, f, &f->lock);
	if (err) {
		fw_cfg_destroy(f);
		return err;
	}
	*out = f;
	return 0;
}

void fw_cfg_state(struct fw_cfg *dev, struct state *s)
{
	uint32_t offset;

	pthread_mutex_lock(&dev->lock);
	offset = dev->offset;
	state_u16(s, &dev->key);
	state_u32(s, &offset);
	if (s->loading)
		select_key(dev, dev->key);
	/* an offset past the end reads as zeros, as it would have got there */
	dev->offset = offset;
	pthread_mutex_unlock(&dev->lock);
}

void fw_cfg_destroy(struct fw_cfg *f)
{
	if (!f)
		return;
	for (int i = 0; i < MAX_FILES; i++)
		free(f->file[i]);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
