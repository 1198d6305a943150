/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The floor below a large payload: so many million bytes over a bare Unix
 * socket to another process and, once it has them all, back again.
 */

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void
send_all(int fd, const char *buf, size_t len)
{
	for (ssize_t n; len > 0; buf += n, len -= (size_t)n)
		if ((n = write(fd, buf, len)) <= 0)
			_exit(1);
}

static void
receive_all(int fd, char *buf, size_t len)
{
	for (ssize_t n; len > 0; buf += n, len -= (size_t)n)
		if ((n = read(fd, buf, len)) <= 0)
			_exit(0);
}

int
main(int argc, char **argv)
{
	size_t len = (argc > 1 ? (size_t)atol(argv[1]) : 100) * 1000000;
	char *buf = malloc(len), *back = malloc(len);
	int fds[2];

	if (buf == NULL || back == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 1;
	memset(buf, 1, len);
	memset(back, 2, len);
	if (fork() == 0) {
		close(fds[0]);
		for (;;) {
			receive_all(fds[1], buf, len);
			send_all(fds[1], buf, len);
		}
	}
	close(fds[1]);
	for (int i = 0; i < 4; i++) {
		double start = now_s();

		send_all(fds[0], buf, len);
		receive_all(fds[0], back, len);
		if (i > 0) /* the first touches the other side's memory */
			printf("seconds %.6f\n", now_s() - start);
	}
	close(fds[0]);
	wait(NULL);
	return memcmp(buf, back, len) != 0;
}
