// Runs in the machine and is its voice: bytes written to I/O port 0xe9 leave
// either emulator at once, one instruction for any number of them, past the slow
// serial port and unmixed with kernel messages. lab/run reads the other end.
//
//	agent run MARK COMMAND	run COMMAND in a shell on a pty and send its output;
//				before it MARK "begin\n", after it MARK "exit STATUS\n"
//	agent say MARK TEXT...	send MARK, the words and a newline
//	agent cat		send standard input

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define VOICE_PORT	0xe9
#define GATHER_US	2000

static void send(const void *buf, size_t len)
{
	asm volatile("rep outsb"
		     : "+S"(buf), "+c"(len)
		     : "d"(VOICE_PORT)
		     : "memory");
}

static void send_str(const char *s)
{
	send(s, strlen(s));
}

static void mark(const char *mark, const char *text)
{
	send_str("\001");
	send_str(mark);
	send_str(" ");
	send_str(text);
	send_str("\n");
}

static int send_stdin(void)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		send(buf, n);
	return n < 0;
}

// A pty keeps the command's output line-buffered, so that what it said before a
// crash is seen. No echo and no CR LF: the bytes are to arrive as they were.
static pid_t spawn(const char *command, int *master)
{
	struct termios raw = { .c_cflag = CS8 | CREAD | CLOCAL | B115200 };
	struct winsize size = { .ws_row = 25, .ws_col = 100 };
	pid_t pid = forkpty(master, NULL, &raw, &size);
	int null;

	if (pid)
		return pid;

	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	close(null);
	signal(SIGCHLD, SIG_DFL);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static int drain(int master, int timeout_ms)
{
	struct pollfd pfd = { .fd = master, .events = POLLIN };
	char buf[65536];
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return 0;
	n = read(master, buf, sizeof(buf));
	if (n <= 0)
		return -1;
	send(buf, n);
	return 1;
}

static int sigchld_pipe[2];

static void on_sigchld(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(sigchld_pipe[1], "", 1);
	errno = saved;
}

// Sends until the command itself ends; what it left running in the background
// may hold the pty open for ever and isn't waited for.
static int pump(pid_t pid, int master)
{
	struct pollfd pfd[2] = {
		{ .fd = master, .events = POLLIN },
		{ .fd = sigchld_pipe[0], .events = POLLIN },
	};
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[0].revents) {
			if (drain(master, 0) < 0)
				pfd[0].fd = -1;
			// A wake-up a line would cost more than the line.
			usleep(GATHER_US);
		}
		if (pfd[1].revents) {
			char c[16];

			(void)!read(sigchld_pipe[0], c, sizeof(c));
		}
	}
	while (drain(master, 0) > 0)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(const char *mark_word, const char *command)
{
	struct sigaction sa = { .sa_handler = on_sigchld };
	char text[32];
	int master;
	pid_t pid;

	if (pipe2(sigchld_pipe, O_NONBLOCK | O_CLOEXEC))
		return 1;
	sigaction(SIGCHLD, &sa, NULL);

	mark(mark_word, "begin");
	pid = spawn(command, &master);
	if (pid < 0) {
		perror("agent: forkpty");
		return 1;
	}
	snprintf(text, sizeof(text), "exit %d", pump(pid, master));
	mark(mark_word, text);
	return 0;
}

static int say(int argc, char **argv)
{
	send_str("\001");
	for (int i = 0; i < argc; i++) {
		if (i)
			send_str(" ");
		send_str(argv[i]);
	}
	send_str("\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (ioperm(VOICE_PORT, 1, 1)) {
		perror("agent: ioperm");
		return 1;
	}
	if (argc == 4 && !strcmp(argv[1], "run"))
		return run(argv[2], argv[3]);
	if (argc > 2 && !strcmp(argv[1], "say"))
		return say(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "cat"))
		return send_stdin();
	fprintf(stderr, "usage: agent run MARK COMMAND | say MARK TEXT... | cat\n");
	return 2;
}
