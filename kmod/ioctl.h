/* SPDX-License-Identifier: GPL-2.0-only */
/* The device node. */
#ifndef LIMEN_IOCTL_H
#define LIMEN_IOCTL_H

int limen_device_register(void);
void limen_device_unregister(void);

#endif
