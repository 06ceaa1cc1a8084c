// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands to a 'limen run --control VM': snapshot, migrate, balloon and others. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "migrate.h"

static int connect_to(const char *vm)
{
	struct sockaddr_un addr;
	int err = control_address(vm, &addr);
	int fd;

	if (err) {
		complain("%s: %s", vm, err == -ENOENT ?
			 "XDG_RUNTIME_DIR is not set: give the socket's path" :
			 strerror(-err));
		return err;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	complain("%s: %s", addr.sun_path, err == -ENOENT || err == -ECONNREFUSED ?
		 "no VM listens there; it needs limen run --control" : strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

static int send_line(int fd, const char *line, int pass)
{
	struct iovec iov = { (void *)(uintptr_t)line, strlen(line) };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;

	if (pass >= 0) {
		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(pass));
		memcpy(CMSG_DATA(h), &pass, sizeof(pass));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len ? 0 : -EPIPE;
}

/* "ok" is the first line of the answer, or it says what is wrong */
static int read_answer(const char *vm, int fd)
{
	char line[CONTROL_LINE * 2];
	FILE *in = fdopen(fd, "r");
	int ret = EXIT_MODULE;

	if (!in) {
		close(fd);
		return EXIT_SETUP;
	}
	if (!fgets(line, sizeof(line), in)) {
		complain("%s: it went away without an answer", vm);
	} else if (!strcmp(line, "ok\n")) {
		ret = EXIT_OK;
		while (fgets(line, sizeof(line), in))
			fputs(line, stdout);
	} else {
		line[strcspn(line, "\n")] = 0;
		complain("%s: %s", vm, strncmp(line, "error: ", 7) ? line : line + 7);
	}
	fclose(in);
	return ret;
}

int control_ask(const char *vm, const char *command, const char *arg, int pass)
{
	char line[CONTROL_LINE];
	int fd = connect_to(vm);
	int n = snprintf(line, sizeof(line), "%s%s%s\n", command, *arg ? " " : "", arg);

	if (fd < 0)
		return EXIT_SETUP;
	if (n < 0 || (size_t)n >= sizeof(line) || send_line(fd, line, pass)) {
		complain("%s: it does not take the command", vm);
		close(fd);
		return EXIT_SETUP;
	}
	return read_answer(vm, fd);
}

/* The file gets its name when it is whole. */
static int save_as(const char *vm, const char *arg, const char *file)
{
	char new[4096];
	int n = snprintf(new, sizeof(new), "%s.new", file);
	int fd, ret;

	if (n < 0 || (size_t)n >= sizeof(new)) {
		complain("%s: its name is too long", file);
		return EXIT_SETUP;
	}
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		complain("%s: %s", new, strerror(errno));
		return EXIT_SETUP;
	}
	ret = control_ask(vm, "snapshot", arg, fd);
	if (!ret && (fsync(fd) || rename(new, file))) {
		complain("%s: %s", file, strerror(errno));
		ret = EXIT_SETUP;
	}
	if (ret)
		(void)unlink(new);
	close(fd);
	return ret;
}

int snapshot_main(int argc, char **argv)
{
	bool quit = argc > 1 && !strcmp(argv[1], "--quit");

	if (argc != 3 + quit || argv[1 + quit][0] == '-') {
		complain("Usage: limen snapshot [--quit] VM FILE");
		return EXIT_SETUP;
	}
	return save_as(argv[1 + quit], quit ? "quit" : "", argv[2 + quit]);
}

int migrate_main(int argc, char **argv)
{
	int fd, ret;

	if (argc != 3 || argv[1][0] == '-') {
		complain("Usage: limen migrate VM unix:PATH|tcp:HOST:PORT");
		return EXIT_SETUP;
	}
	fd = migrate_connect(argv[2]);
	if (fd < 0)
		return EXIT_SETUP;
	ret = control_ask(argv[1], "migrate", "", fd);
	close(fd);
	return ret;
}

int client_main(int argc, char **argv)
{
	bool takes_arg = !strcmp(argv[0], "balloon");

	if (argc < 2 || argc > (takes_arg ? 3 : 2) || argv[1][0] == '-') {
		complain("Usage: limen %s VM%s", argv[0], takes_arg ? " [MIB]" : "");
		return EXIT_SETUP;
	}
	return control_ask(argv[1], argv[0], argc > 2 ? argv[2] : "", -1);
}
