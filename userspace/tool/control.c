// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket of 'limen run --control': a line in, an answer out, the end.
 *
 * The answer is "ok", or "error: " and a sentence; after "ok" there may be more lines.
 * With a line may come one file descriptor (SCM_RIGHTS): what a command reads or writes
 * is opened by who sends it, with its rights.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "migrate.h"

#define MAX_CLIENTS	8

struct client {
	struct event_source src;
	struct control *control;
	int passed;		/* descriptor that came along, -1: none */
	uint32_t len;
	char line[CONTROL_LINE];
	bool used;
};

struct control {
	struct machine *m;
	struct event_source src;
	struct sockaddr_un addr;
	struct client client[MAX_CLIENTS];
};

int control_address(const char *vm, struct sockaddr_un *addr)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!dir && !geteuid())
		dir = "/run";
	if (strchr(vm, '/'))
		n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", vm);
	else if (!dir || !*vm)
		return -ENOENT;
	else
		n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/limen/%s", dir, vm);
	return n < 0 || (size_t)n >= sizeof(addr->sun_path) ? -ENAMETOOLONG : 0;
}

void control_say(int fd, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		(void)send(fd, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- commands ---------------------------------------------------------------- */

static struct virtio_dev *balloon_of(struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_virtio; i++)
		if (m->virtio[i]->ops->id == VIRTIO_TYPE_BALLOON)
			return m->virtio[i];
	return NULL;
}

static void tell_balloon(int fd, const struct balloon_info *info)
{
	static const char *const name[BALLOON_NR_STATS] = {
		"swap_in", "swap_out", "major_faults", "minor_faults", "free_memory",
		"total_memory", "available_memory", "disk_caches",
		"hugetlb_allocations", "hugetlb_failures",
	};

	control_say(fd, "ok\ntarget %llu\nactual %llu\ndiscarded %llu\nreported %llu\n",
		    (unsigned long long)info->target, (unsigned long long)info->actual,
		    (unsigned long long)info->discarded,
		    (unsigned long long)info->reported);
	for (uint32_t i = 0; i < BALLOON_NR_STATS; i++)
		if (info->stats & 1u << i)
			control_say(fd, "%s %llu\n", name[i],
				    (unsigned long long)info->stat[i]);
}

static void balloon(struct machine *m, int fd, const char *arg, int passed)
{
	struct virtio_dev *dev = balloon_of(m);
	struct balloon_info info;
	unsigned long long mib;
	char *end;

	(void)passed;
	if (!dev) {
		control_say(fd, "error: the VM was started without --balloon\n");
		return;
	}
	if (*arg) {
		mib = strtoull(arg, &end, 10);
		if (*end || *arg == '-' || mib >= m->memory >> 20) {
			control_say(fd, "error: the balloon takes 0 to %llu MiB\n",
				    (unsigned long long)(m->memory >> 20) - 1);
			return;
		}
		virtio_balloon_set(dev, mib << 20);
		control_say(fd, "ok\n");
		return;
	}
	virtio_balloon_query(dev, &info);
	tell_balloon(fd, &info);
}

static void power(struct machine *m, int fd, const char *arg, int passed)
{
	(void)arg;
	(void)passed;
	if (acpi_pm_power_button(m->pm))
		control_say(fd, "ok\n");
	else
		control_say(fd, "error: the guest doesn't listen to the power button\n");
}

static void quit(struct machine *m, int fd, const char *arg, int passed)
{
	(void)arg;
	(void)passed;
	control_say(fd, "ok\n");
	machine_end(m, BOARD_QUIT, 0);
}

static const char *stop_error(int err)
{
	return err == -ETIMEDOUT ? "a vCPU does not stop: what reads the guest's output?" :
				   limen_strerror(err);
}

static void stop(struct machine *m, int fd, const char *arg, int passed)
{
	int err = machine_stop(m);

	(void)arg;
	(void)passed;
	if (err)
		control_say(fd, "error: %s\n", stop_error(err));
	else
		control_say(fd, "ok\n");
}

static void go(struct machine *m, int fd, const char *arg, int passed)
{
	int err = machine_start(m);

	(void)arg;
	(void)passed;
	if (err)
		control_say(fd, "error: %s\n", limen_strerror(err));
	else
		control_say(fd, "ok\n");
}

/* With "quit" the machine ends, so that its disks stay as they were when it was saved. */
static void snapshot(struct machine *m, int fd, const char *arg, int passed)
{
	bool end = !strcmp(arg, "quit"), stood = m->stopped;
	char why[160] = "";
	int err;

	if (passed < 0 || (*arg && !end)) {
		control_say(fd, "error: snapshot takes a descriptor and nothing, or quit\n");
		return;
	}
	err = machine_stop(m);
	if (err) {
		control_say(fd, "error: %s\n", stop_error(err));
		return;
	}
	err = machine_save(m, passed, why, sizeof(why));
	if (!err && end)
		machine_end(m, BOARD_QUIT, 0);
	else if (!stood)
		(void)machine_go(m);
	if (err)
		control_say(fd, "error: %s\n", why);
	else
		control_say(fd, "ok\n");
}

/* The answer comes when it is done: from precopy.c. */
static void migrate(struct machine *m, int fd, const char *arg, int passed)
{
	int err;

	(void)arg;
	if (passed < 0) {
		control_say(fd, "error: migrate takes a descriptor\n");
		return;
	}
	if (m->migration) {
		control_say(fd, "error: it is being migrated\n");
		return;
	}
	err = migration_start(m, fd, passed);
	if (err)
		control_say(fd, "error: %s\n", strerror(-err));
}

static const struct {
	const char *name;
	/* @fd: for the answer; @passed: the descriptor that came along, or -1 */
	void (*fn)(struct machine *m, int fd, const char *arg, int passed);
} commands[] = {
	{ "balloon", balloon },
	{ "go", go },
	{ "migrate", migrate },
	{ "power", power },
	{ "quit", quit },
	{ "snapshot", snapshot },
	{ "stop", stop },
};

static void obey(struct client *c)
{
	char *arg = strchr(c->line, ' ');

	if (arg)
		*arg++ = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, c->line))
			continue;
		commands[i].fn(c->control->m, c->src.fd, arg ? arg : "", c->passed);
		return;
	}
	control_say(c->src.fd, "error: no such command\n");
}

/* ---- clients ------------------------------------------------------------------ */

static void hang_up(struct client *c)
{
	event_remove(c->control->m->board.loop, &c->src);
	close(c->src.fd);
	if (c->passed >= 0)
		close(c->passed);
	c->used = false;
}

/* the descriptor that came with a message; a second one is closed */
static void keep_passed(struct client *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		int fd;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		    h->cmsg_len != CMSG_LEN(sizeof(fd)))
			continue;
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
		if (c->passed >= 0)
			close(c->passed);
		c->passed = fd;
	}
}

static void client_readable(void *opaque)
{
	struct client *c = opaque;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { c->line + c->len, sizeof(c->line) - 1 - c->len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &ctl, .msg_controllen = sizeof(ctl),
	};
	ssize_t n = recvmsg(c->src.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		keep_passed(c, &msg);
		c->len += n;
		end = memchr(c->line, '\n', c->len);
		if (!end && c->len < sizeof(c->line) - 1)
			return;
		c->line[c->len] = 0;
		if (end) {
			*end = 0;
			obey(c);
		}
	}
	hang_up(c);
}

static void connection(void *opaque)
{
	struct control *ctl = opaque;
	int fd = accept4(ctl->src.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &ctl->client[i];

		if (c->used)
			continue;
		*c = (struct client){ .control = ctl, .passed = -1, .used = true };
		c->src = (struct event_source){ fd, client_readable, c };
		if (event_add(ctl->m->board.loop, &c->src)) {
			c->used = false;
			break;
		}
		return;
	}
	control_say(fd, "error: too many clients\n");
	close(fd);
}

/* ---- the socket ---------------------------------------------------------------- */

/* A socket that nobody listens to any more is in the way. */
static bool is_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int listen_at(const struct sockaddr_un *addr, bool named)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int err = fd < 0 ? -errno : 0;

	if (!err && named) {
		char dir[sizeof(addr->sun_path)];

		memcpy(dir, addr->sun_path, sizeof(dir));
		*strrchr(dir, '/') = 0;
		umask(077);
		(void)mkdir(dir, 0700);	/* bind() says what is wrong with it */
		umask(0177);
	}
	if (!err && is_stale(addr))
		(void)unlink(addr->sun_path);
	if (!err && (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
		     listen(fd, MAX_CLIENTS)))
		err = -errno;
	umask(mask);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

int control_create(struct machine *m, const char *vm)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	int err;

	if (!ctl)
		return -ENOMEM;
	ctl->m = m;
	err = control_address(vm, &ctl->addr);
	if (!err) {
		ctl->src = (struct event_source){
			.fd = listen_at(&ctl->addr, !strchr(vm, '/')),
			.fn = connection, .opaque = ctl,
		};
		err = ctl->src.fd < 0 ? ctl->src.fd : event_add(m->board.loop, &ctl->src);
	}
	if (err) {
		complain("--control %s: %s", vm, err == -ENOENT ?
			 "no such directory; a name without a slash needs XDG_RUNTIME_DIR" :
			 err == -EADDRINUSE ? "it is in use" : strerror(-err));
		free(ctl);
		return err;
	}
	m->control = ctl;
	return 0;
}

void control_destroy(struct control *ctl)
{
	if (!ctl)
		return;
	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		if (ctl->client[i].used)
			hang_up(&ctl->client[i]);
	event_remove(ctl->m->board.loop, &ctl->src);
	close(ctl->src.fd);
	(void)unlink(ctl->addr.sun_path);
	free(ctl);
}
