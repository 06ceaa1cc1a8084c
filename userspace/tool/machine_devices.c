// SPDX-License-Identifier: GPL-2.0-or-later
/* Which devices the board gets, by the options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../devices/net.h"
#include "tool.h"

static void press_power(void *opaque)
{
	struct machine *m = opaque;

	if (!acpi_pm_power_button(m->pm))
		fputs("\nlimen: the guest doesn't listen to the power button\n",
		      stderr);
}

static int console(struct machine *m)
{
	int err;

	m->terminal = (struct terminal){
		.board = &m->board, .power_button = press_power, .opaque = m,
	};
	err = chardev_init(&m->console, &m->board, STDIN_FILENO, STDOUT_FILENO);
	if (err)
		return err;
	err = terminal_raw(&m->terminal, STDIN_FILENO);
	if (m->terminal.raw) {
		m->console.filter = terminal_filter;
		m->console.filter_opaque = &m->terminal;
	}
	return err;
}

static int debugcon(struct machine *m)
{
	const struct options *o = m->o;

	m->debugcon_fd = o->testdev ? DEBUGCON_NONE : STDOUT_FILENO;
	if (!o->debugcon)
		return 0;
	m->debugcon_fd = open(o->debugcon, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0666);
	if (m->debugcon_fd < 0) {
		complain("--debugcon %s: %s", o->debugcon, strerror(errno));
		return -errno;
	}
	return 0;
}

static int fixed_devices(struct machine *m)
{
	struct board *b = &m->board;
	int err = irqchip_create(b, &m->irqs);

	if (!err)
		err = console(m);
	if (!err)
		err = debugcon(m);
	if (!err)
		err = serial_create(b, &m->console, !m->o->virtio_console,
				    &m->serial);
	if (!err)
		err = rtc_create(b, &m->rtc);
	if (!err)
		err = pit_create(b, &m->pit);
	if (!err)
		err = acpi_pm_create(b, &m->pm);
	if (!err)
		err = reset_create(b, &m->reset);
	if (!err)
		err = debug_ports_create(b, m->debugcon_fd, &m->debug);
	if (!err)
		err = fw_cfg_create(b, &m->fw_cfg);
	if (!err && m->o->testdev)
		err = testdev_create(b, m->debugcon_fd >= 0, &m->testdev);
	return err;
}

static int plug(struct machine *m, struct virtio_dev *dev)
{
	if (!dev)
		return -ENOMEM;
	m->virtio[m->nr_virtio++] = dev;
	return 0;
}

static int disk(struct machine *m, const char *spec)
{
	size_t len = strlen(spec);
	bool ro = len > 3 && !strcmp(spec + len - 3, ",ro");
	char *path = strndup(spec, ro ? len - 3 : len);
	struct virtio_dev *dev = NULL;
	int fd, err;

	if (!path)
		return -ENOMEM;
	fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (!err) {
		dev = virtio_blk_create(&m->board, m->nr_virtio, fd, ro, &err);
		if (!dev)
			close(fd);
	}
	if (err)
		complain("--disk %s: %s%s", path, strerror(-err),
			 err == -EACCES || err == -EROFS ?
			 " (add ,ro for a read-only disk)" : "");
	free(path);
	return err ? err : plug(m, dev);
}

static int network(struct machine *m, const char *spec)
{
	struct virtio_dev *dev = NULL;
	struct net_backend *n;
	int err;

	if (!strcmp(spec, "user"))
		n = net_user_create(&err);
	else
		n = net_tap_create(spec + strlen("tap="), &err);
	if (n)
		dev = virtio_net_create(&m->board, m->nr_virtio, n, &err);
	if (dev)
		return plug(m, dev);
	complain("--net %s: %s%s", spec, strerror(-err),
		 err == -EPERM || err == -EBUSY ?
		 " (make it first: ip tuntap add NAME mode tap user YOU)" : "");
	return err;
}

static int balloon(struct machine *m)
{
	struct virtio_dev *dev = virtio_balloon_create(&m->board, m->nr_virtio);

	if (dev)
		virtio_balloon_set(dev, m->o->balloon_size);
	return plug(m, dev);
}

int machine_devices(struct machine *m)
{
	const struct options *o = m->o;
	int err = fixed_devices(m);

	if (err && err != -EEXIST)
		complain("devices: %s", strerror(-err));
	for (uint32_t i = 0; !err && i < o->nr_disks; i++)
		err = disk(m, o->disk[i]);
	if (!err && o->net)
		err = network(m, o->net);
	if (!err && o->virtio_console)
		err = plug(m, virtio_console_create(&m->board, m->nr_virtio,
						    &m->console));
	if (!err && o->rng)
		err = plug(m, virtio_rng_create(&m->board, m->nr_virtio));
	if (!err && o->balloon)
		err = balloon(m);
	return err;
}

static void unplug(struct virtio_dev *dev)
{
	switch (dev->ops->id) {
	case VIRTIO_TYPE_BLOCK: virtio_blk_destroy(dev); break;
	case VIRTIO_TYPE_NET: virtio_net_destroy(dev); break;
	case VIRTIO_TYPE_CONSOLE: virtio_console_destroy(dev); break;
	case VIRTIO_TYPE_RNG: virtio_rng_destroy(dev); break;
	case VIRTIO_TYPE_BALLOON: virtio_balloon_destroy(dev); break;
	}
}

void machine_devices_destroy(struct machine *m)
{
	while (m->nr_virtio)
		unplug(m->virtio[--m->nr_virtio]);
	testdev_destroy(m->testdev);
	fw_cfg_destroy(m->fw_cfg);
	debug_ports_destroy(m->debug);
	reset_destroy(m->reset);
	acpi_pm_destroy(m->pm);
	pit_destroy(m->pit);
	rtc_destroy(m->rtc);
	serial_destroy(m->serial);
	if (m->console.board)
		chardev_fini(&m->console);
	if (m->debugcon_fd > STDERR_FILENO)
		close(m->debugcon_fd);
	irqchip_destroy(m->irqs);
	terminal_restore();
}
