/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the virtio NIC and the world. All functions of a backend are called
 * from the one thread of its NIC, with no lock held.
 */
#ifndef LIMEN_NET_H
#define LIMEN_NET_H

#include <poll.h>

#include "virtio.h"

#define NET_MAX_FRAME	1518
#define NET_MAX_FDS	512	/* a backend may watch */

struct net_backend {
	/* add what to watch to @fds, return how many; lower *@timeout_ms */
	uint32_t (*prepare)(struct net_backend *n, struct pollfd *fds,
			    uint32_t room, int *timeout_ms);
	/* after poll(); frames for the guest go to net_receive(). Only called
	 * while the guest has room for more. */
	void (*dispatch)(struct net_backend *n, const struct pollfd *fds,
			 uint32_t count);
	/* a frame from the guest */
	void (*send)(struct net_backend *n, const void *frame, size_t len);
	void (*destroy)(struct net_backend *n);
	struct virtio_dev *nic;
};

/* a frame for the guest: queued, dropped when the queue is full */
void net_receive(struct net_backend *n, const void *frame, size_t len);

struct net_backend *net_user_create(int *err);
struct net_backend *net_tap_create(const char *name, int *err);

#endif
