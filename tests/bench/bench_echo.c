/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>

/*
 * The floor below a round trip: 100 bytes there and back over a bare nng
 * stream (ipc) between two processes, nothing else.  Prints the median and the
 * 99th percentile in microseconds.
 */

enum { MESSAGE = 100, WARM_UP = 200 };

static void
require(int rv, const char *what)
{
	if (rv == 0)
		return;
	fprintf(stderr, "bench_echo: %s: %s\n", what, nng_strerror(rv));
	exit(1);
}

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec * 1e-3;
}

typedef void transfer_fn(nng_stream *s, nng_aio *aio);

/* Moves one whole message; false at the end of the stream. */
static bool
move(nng_stream *s, nng_aio *aio, transfer_fn *transfer, char *buf)
{
	for (size_t done = 0; done < MESSAGE;) {
		nng_iov iov = {buf + done, MESSAGE - done};

		require(nng_aio_set_iov(aio, 1, &iov), "iov");
		transfer(s, aio);
		nng_aio_wait(aio);
		if (nng_aio_result(aio) != 0)
			return false;
		done += nng_aio_count(aio);
	}
	return true;
}

static int
serve(const char *url)
{
	nng_stream_listener *listener;
	nng_stream *s;
	nng_aio *aio;
	char buf[MESSAGE];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	require(nng_aio_alloc(&aio, NULL, NULL), "aio");
	require(nng_stream_listener_alloc(&listener, url), "listener");
	require(nng_stream_listener_listen(listener), "listen");
	nng_stream_listener_accept(listener, aio);
	nng_aio_wait(aio);
	require(nng_aio_result(aio), "accept");
	s = nng_aio_get_output(aio, 0);
	while (move(s, aio, nng_stream_recv, buf) &&
	       move(s, aio, nng_stream_send, buf))
		;
	nng_stream_free(s);
	nng_stream_listener_free(listener);
	nng_aio_free(aio);
	return 0;
}

static nng_stream *
dial(const char *url, nng_aio *aio)
{
	nng_stream_dialer *dialer;
	nng_stream *s;
	double start = now_us();
	int rv;

	require(nng_stream_dialer_alloc(&dialer, url), "dialer");
	do {
		nng_stream_dialer_dial(dialer, aio);
		nng_aio_wait(aio);
		rv = nng_aio_result(aio);
	} while (rv != 0 && now_us() - start < 10e6);
	require(rv, "dial");
	s = nng_aio_get_output(aio, 0);
	nng_stream_dialer_free(dialer);
	return s;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(const char *url, size_t n)
{
	double *us = calloc(n, sizeof(*us));
	char buf[MESSAGE] = {0};
	nng_stream *s;
	nng_aio *aio;

	require(us == NULL ? NNG_ENOMEM : 0, "samples");
	require(nng_aio_alloc(&aio, NULL, NULL), "aio");
	s = dial(url, aio);
	for (size_t i = 0; i < WARM_UP + n; i++) {
		double start = now_us();

		if (!move(s, aio, nng_stream_send, buf) ||
		    !move(s, aio, nng_stream_recv, buf))
			require(NNG_ECLOSED, "echo");
		if (i >= WARM_UP)
			us[i - WARM_UP] = now_us() - start;
	}
	qsort(us, n, sizeof(*us), by_value);
	printf("median_us %.1f\np99_us %.1f\n", us[n / 2], us[n * 99 / 100]);
	free(us);
	nng_stream_free(s);
	nng_aio_free(aio);
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/bench-echo.XXXXXX", path[64], url[80];
	size_t n = argc > 1 ? (size_t)atol(argv[1]) : 20000;
	pid_t pid;

	if (argc == 3)
		return serve(argv[2]);
	if (n == 0 || mkdtemp(dir) == NULL) {
		fprintf(stderr, "usage: bench_echo [ROUND-TRIPS]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(url, sizeof(url), "ipc://%s", path);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "bench_echo", "0", url, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		measure(url, n);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(dir);
	return 0;
}
