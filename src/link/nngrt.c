/* SPDX-License-Identifier: MIT */
#include "link/nngrt.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <nng/nng.h>

#include "util/error.h"

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static bool started;

/* Limits of processes above this leave room for nng on any machine. */
#define LIMIT_AMPLE 8192u

static void *
wait_at_gate(void *gate)
{
	(void)pthread_mutex_lock(gate);
	(void)pthread_mutex_unlock(gate);
	return NULL;
}

/* Whether so many more threads may run at once. */
static bool
threads_fit(size_t wanted)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[512];
	size_t n = 0;

	if (wanted > sizeof(threads) / sizeof(threads[0]))
		wanted = sizeof(threads) / sizeof(threads[0]);
	(void)pthread_mutex_lock(&gate);
	while (n < wanted &&
	       pthread_create(&threads[n], NULL, wait_at_gate, &gate) == 0)
		n++;
	(void)pthread_mutex_unlock(&gate);
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	return n == wanted;
}

/* nng 1.5 crashes or hangs if it gets only some of its threads. */
static int
check_limit(struct cadre_error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = cpus < 1 ? 1 : (size_t)cpus;
	struct rlimit limit;
	size_t wanted = n + (n < 8 ? 2 * n : 16) + 7;

	if (getrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    limit.rlim_cur > LIMIT_AMPLE || threads_fit(wanted))
		return 0;
	return error_set(err, CADRE_ESYS,
			 "cannot start the %zu messaging threads: the limit of "
			 "processes (ulimit -u) is %llu; raise it, or end "
			 "other processes of yours",
			 wanted, (unsigned long long)limit.rlim_cur);
}

/* nng starts its threads with the first object that is made. */
static int
start(struct cadre_error *err)
{
	sigset_t all, old;
	nng_aio *aio;
	int rv;

	rv = check_limit(err);
	if (rv < 0)
		return rv;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rv = nng_aio_alloc(&aio, NULL, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rv != 0)
		return nngrt_error(err, rv,
				   "cannot start the messaging threads (is "
				   "the limit of processes, ulimit -u, too "
				   "low?)");
	nng_aio_free(aio);
	started = true;
	return 0;
}

int
nngrt_start(struct cadre_error *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&start_lock);
	if (!started)
		rc = start(err);
	(void)pthread_mutex_unlock(&start_lock);
	return rc;
}

static const struct {
	int rv;
	int code;
} codes[] = {
	{NNG_ENOMEM, CADRE_ENOMEM},	   {NNG_EINVAL, CADRE_EINVAL},
	{NNG_EADDRINVAL, CADRE_EINVAL},	   {NNG_EADDRINUSE, CADRE_EEXIST},
	{NNG_ETIMEDOUT, CADRE_ETIMEDOUT},  {NNG_ECLOSED, CADRE_ECLOSED},
	{NNG_ECONNREFUSED, CADRE_ECLOSED}, {NNG_ENOENT, CADRE_ENOENT},
};

int
nngrt_error(struct cadre_error *err, int rv, const char *format, ...)
{
	int code = CADRE_ESYS;
	char what[384];
	va_list args;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].rv == rv)
			code = codes[i].code;
	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return error_set(err, code, "%s: %s", what, nng_strerror(rv));
}
