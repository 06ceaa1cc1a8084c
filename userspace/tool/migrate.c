// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both ends of a move over a socket: addresses, and the last words.
 *
 * Never both: the source ends its machine before it says "go", and the destination begins
 * only after it has read that. If the connection breaks between the two, neither runs,
 * which is the lesser evil: two that write to one disk would destroy it.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "migrate.h"

#define PATIENCE_S	60	/* for a peer that is there and does nothing */

/* ---- addresses ------------------------------------------------------------------- */

static int unix_socket(const char *path, bool server)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sun.sun_path))
		err = -ENAMETOOLONG;
	else
		strcpy(sun.sun_path, path);
	if (!err && server && (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
			       listen(fd, 1)))
		err = -errno;
	if (!err && !server && connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int try_address(const struct addrinfo *a, bool server)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
	int one = 1, err = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (server)
		err = bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 1) ? -errno : 0;
	else
		err = connect(fd, a->ai_addr, a->ai_addrlen) ? -errno : 0;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* HOST:PORT; an IPv6 address in brackets */
static int tcp_socket(const char *spec, bool server)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char host[256];
	const char *colon = strrchr(spec, ':');
	size_t len = colon ? (size_t)(colon - spec) : 0;
	int fd = -EINVAL;

	if (!len || len >= sizeof(host) || !colon[1])
		return -EINVAL;
	if (spec[0] == '[' && spec[len - 1] == ']') {
		spec++;
		len -= 2;
	}
	memcpy(host, spec, len);
	host[len] = 0;
	if (getaddrinfo(host, colon + 1, &hints, &list))
		return -EADDRNOTAVAIL;
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = try_address(a, server);
	freeaddrinfo(list);
	return fd;
}

static int open_socket(const char *addr, bool server)
{
	int fd = -EINVAL;

	if (!strncmp(addr, "unix:", 5) && addr[5])
		fd = unix_socket(addr + 5, server);
	else if (!strncmp(addr, "tcp:", 4))
		fd = tcp_socket(addr + 4, server);
	if (fd == -EINVAL)
		complain("%s: an address is unix:PATH or tcp:HOST:PORT", addr);
	else if (fd < 0)
		complain("%s: %s", addr, strerror(-fd));
	return fd;
}

int migrate_connect(const char *addr)
{
	return open_socket(addr, false);
}

int migrate_accept(const char *addr)
{
	int server = open_socket(addr, true);
	int fd = server < 0 ? server : accept4(server, NULL, NULL, SOCK_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (server < 0)
		return server;
	close(server);
	if (!strncmp(addr, "unix:", 5))
		(void)unlink(addr + 5);
	if (!err)
		return fd;
	complain("%s: %s", addr, strerror(-err));
	return err;
}

/* ---- the last words ----------------------------------------------------------------- */

void migrate_patience(int fd)
{
	const struct timeval t = { .tv_sec = PATIENCE_S };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int say(int fd, const char *word)
{
	return send(fd, word, strlen(word), MSG_NOSIGNAL) == (ssize_t)strlen(word) ? 0 : -EPIPE;
}

/* one line without its newline; short ones, byte by byte */
static int hear(int fd, char *line, size_t len)
{
	size_t n = 0;
	ssize_t ret = 0;

	while (n < len - 1) {
		ret = recv(fd, line + n, 1, 0);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = 0;
	return ret > 0 ? 0 : -EPIPE;
}

int migrate_finish(struct machine *m, int fd, int err, char *why, size_t len)
{
	char answer[160];

	/* an end where none belongs: it will not wait for more */
	if (err)
		(void)shutdown(fd, SHUT_WR);
	/* if it closed on us it may have said why */
	if (hear(fd, answer, sizeof(answer))) {
		if (!err)
			snprintf(why, len, "the destination does not answer");
		return err ? err : -EPIPE;
	}
	if (!strncmp(answer, "error: ", 7))
		snprintf(why, len, "the destination says: %.120s", answer + 7);
	if (err || strcmp(answer, "loaded"))
		return err ? err : -EPROTO;
	machine_end(m, BOARD_QUIT, 0);
	if (say(fd, "go\n"))
		complain("the destination went away when it had all: the VM is lost");
	return 0;
}

int migrate_loaded(int fd, const char *why)
{
	char line[192];

	migrate_patience(fd);
	if (why) {
		snprintf(line, sizeof(line), "error: %s\n", why);
		(void)say(fd, line);
		return -EPROTO;
	}
	if (!say(fd, "loaded\n") && !hear(fd, line, sizeof(line)) && !strcmp(line, "go"))
		return 0;
	complain("--incoming: the source does not give the VM away: it runs on there");
	return -EPROTO;
}
