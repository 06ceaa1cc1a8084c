// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The user's terminal: raw, so that the guest gets every key, with Ctrl-A as
 * the one key that is ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tool.h"

#define ESCAPE	1	/* Ctrl-A */

static struct termios saved;
static int saved_fd = -1;

void terminal_restore(void)
{
	if (saved_fd >= 0)
		(void)tcsetattr(saved_fd, TCSADRAIN, &saved);
	saved_fd = -1;
}

int terminal_raw(struct terminal *t, int fd)
{
	struct termios raw;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &saved))
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;	/* our own messages end in a plain newline */
	saved_fd = fd;
	atexit(terminal_restore);
	if (tcsetattr(fd, TCSANOW, &raw))
		return -errno;
	t->raw = true;
	return 0;
}

static void escape_key(struct terminal *t, uint8_t key)
{
	switch (key) {
	case 'x':
		t->board->end(t->board, BOARD_QUIT, 0);
		break;
	case 'p':
		t->power_button(t->opaque);
		break;
	default:
		fputs("\nCtrl-A x  quit\nCtrl-A p  press the power button\n"
		      "Ctrl-A Ctrl-A  send Ctrl-A\nCtrl-A h  this help\n", stderr);
	}
}

size_t terminal_filter(void *opaque, uint8_t *buf, size_t len)
{
	struct terminal *t = opaque;
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t key = buf[i];

		if (!t->escape && key == ESCAPE) {
			t->escape = true;
		} else if (t->escape && key != ESCAPE) {
			t->escape = false;
			escape_key(t, key);
		} else {
			t->escape = false;
			buf[out++] = key;
		}
	}
	return out;
}
