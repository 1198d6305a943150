/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cadre/cadre.h>

/*
 * cadre's side of "make bench": each measurement opens a pool of its own
 * through the public API and prints "name value" lines for the script that
 * makes the table.  All numbers are checked: a task whose outcome is not a
 * value ends the program.
 */

struct bench {
	const char *library; /* of the native tasks */
	size_t n;
	const char *arg;
};

_Noreturn static void __attribute__((format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "bench_cadre: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static size_t
resident_bytes(void)
{
	unsigned long total, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL || fscanf(f, "%lu %lu", &total, &resident) != 2)
		die("cannot read /proc/self/statm");
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		die("out of memory");
	return p;
}

/* A pool with these settings ("key", "value", ..., NULL), ready with slots. */
static struct cadre_pool *
open_pool(unsigned int slots, const char *key, ...)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_pool *pool;
	va_list ap;

	va_start(ap, key);
	for (; key != NULL; key = va_arg(ap, const char *))
		if (cadre_config_set(cfg, key, va_arg(ap, const char *), &err) <
		    0)
			die("%s", err.text);
	va_end(ap);
	if (cadre_pool_open(cfg, &pool, &err) < 0 ||
	    cadre_pool_wait_ready(pool, slots, 120000, &err) < 0)
		die("%s", err.text);
	cadre_config_free(&cfg);
	return pool;
}

static struct cadre_task *
submit(struct cadre_pool *pool, const char *library, const char *function,
       const struct cadre_value *args)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t;

	if (cadre_submit_native(pool, library, function, args, NULL, &t, &err) <
	    0)
		die("%s", err.text);
	return t;
}

static void
check(const struct cadre_task *t)
{
	if (cadre_task_outcome(t) != CADRE_OUTCOME_VALUE)
		die("task %llu: %s: %s", (unsigned long long)cadre_task_id(t),
		    cadre_outcome_name(cadre_task_outcome(t)),
		    cadre_task_error(t) ? cadre_task_error(t) : "");
}

/* Submits n no-op tasks one by one and waits for all; returns the seconds. */
static double
run_noops(struct cadre_pool *pool, const char *library, size_t n)
{
	struct cadre_task **tasks = allocate(n, sizeof(*tasks));
	double start = now_s(), seconds;

	for (size_t i = 0; i < n; i++)
		tasks[i] = submit(pool, library, "noop", NULL);
	if (cadre_task_wait_all(tasks, n, -1) < 0)
		die("waiting failed");
	seconds = now_s() - start;
	for (size_t i = 0; i < n; i++) {
		check(tasks[i]);
		cadre_task_unref(&tasks[i]);
	}
	free(tasks);
	return seconds;
}

static void
bench_throughput(const struct bench *b)
{
	const char *slots = b->arg ? b->arg : "1";
	struct cadre_pool *pool =
		open_pool((unsigned int)atoi(slots), "daemons", "1", "slots",
			  slots, NULL);
	double seconds;

	run_noops(pool, b->library, 1000);
	seconds = run_noops(pool, b->library, b->n);
	printf("tasks_per_s %.0f\n", (double)b->n / seconds);
	cadre_pool_close(&pool);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
bench_rtt(const struct bench *b)
{
	const char *in_process = b->arg ? b->arg : "no";
	struct cadre_pool *pool = open_pool(1, "daemons", "1", "slots", "1",
					    "in-process", in_process, NULL);
	double *us = allocate(b->n, sizeof(*us));

	run_noops(pool, b->library, 100);
	for (size_t i = 0; i < b->n; i++) {
		double start = now_s();
		struct cadre_task *t = submit(pool, b->library, "noop", NULL);

		if (cadre_task_wait(t, -1) < 0)
			die("waiting failed");
		us[i] = (now_s() - start) * 1e6;
		check(t);
		cadre_task_unref(&t);
	}
	qsort(us, b->n, sizeof(*us), by_value);
	printf("median_us %.1f\np99_us %.1f\n", us[b->n / 2],
	       us[b->n * 99 / 100]);
	free(us);
	cadre_pool_close(&pool);
}

/* n million bytes as a vector of doubles, there and back. */
static void
bench_vector(const struct bench *b)
{
	struct cadre_pool *pool =
		open_pool(1, "daemons", "1", "slots", "1", NULL);
	size_t n = b->n * 1000000 / sizeof(double);
	struct cadre_value *args = cadre_value_list(0);
	struct cadre_value *vector = cadre_value_double(NULL, n);
	double *data = cadre_value_data(vector);

	if (args == NULL || data == NULL)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		data[i] = (double)i;
	cadre_value_list_add(args, "x", &vector);
	run_noops(pool, b->library, 100);
	for (int i = 0; i < 4; i++) {
		double start = now_s(), seconds;
		struct cadre_task *t = submit(pool, b->library, "echo", args);
		const double *back;

		if (cadre_task_wait(t, -1) < 0)
			die("waiting failed");
		check(t);
		back = cadre_value_double_data(cadre_task_value(t));
		if (back == NULL || back[n - 1] != (double)(n - 1))
			die("the vector did not come back as it was");
		seconds = now_s() - start;
		if (i > 0) /* the first makes the shared memory */
			printf("seconds %.6f\n", seconds);
		cadre_task_unref(&t);
	}
	cadre_value_free(&args);
	cadre_pool_close(&pool);
}

/* What a queued task costs, and whether the millionth costs what the first
 * did.  There is no daemon, so nothing runs. */
static void
bench_queue(const struct bench *b)
{
	enum { PAYLOAD = 100 };
	static const char payload[PAYLOAD];
	struct cadre_pool *pool =
		open_pool(0, "launcher", "none", "idle-limit", "none", NULL);
	struct cadre_value *args = cadre_value_list(0);
	struct cadre_value *raw = cadre_value_raw(payload, PAYLOAD);
	struct cadre_task **tasks = allocate(b->n, sizeof(*tasks));
	size_t tenth = b->n / 10, before, cancelled;
	double start = now_s(), first = 0, last = 0, t;

	cadre_value_list_add(args, NULL, &raw);
	for (size_t i = 0; i < b->n; i++)
		tasks[i] = NULL; /* resident, so that it is not counted */
	memset(tasks, 1, b->n * sizeof(*tasks));
	before = resident_bytes();
	for (size_t i = 0; i < b->n; i++) {
		if (i == b->n - tenth)
			last = now_s();
		tasks[i] = submit(pool, b->library, "noop", args);
		if (i == tenth - 1)
			first = now_s() - start;
	}
	last = now_s() - last;
	printf("submit_per_s %.0f\n", (double)b->n / (now_s() - start));
	printf("slowing %.2f\n", last / first);
	printf("bytes_beyond_payload %.0f\n",
	       (double)(resident_bytes() - before) / (double)b->n - PAYLOAD);

	start = now_s();
	if (cadre_task_cancel_all(tasks, tenth, &cancelled) < 0 ||
	    cancelled != tenth)
		die("%zu of %zu cancelled", cancelled, tenth);
	first = now_s() - start;
	start = now_s();
	if (cadre_task_cancel_all(tasks + tenth, b->n - tenth, &cancelled) <
		    0 ||
	    cancelled != b->n - tenth)
		die("%zu of %zu cancelled", cancelled, b->n - tenth);
	t = now_s() - start;
	printf("cancel_per_s %.0f\n", (double)b->n / (first + t));
	printf("cancel_slowing %.2f\n", t / 9 / first);
	for (size_t i = 0; i < b->n; i++)
		cadre_task_unref(&tasks[i]);
	free(tasks);
	cadre_value_free(&args);
	cadre_pool_close(&pool);
}

/* n daemons of one slot each on this pool's dispatcher. */
static void
bench_daemons(const struct bench *b)
{
	char count[24];
	double start = now_s();
	struct cadre_pool *pool;
	size_t n = 200 * b->n;

	snprintf(count, sizeof(count), "%zu", b->n);
	pool = open_pool((unsigned int)b->n, "daemons", count, "slots", count,
			 "start-limit", "120s", NULL);
	printf("ready_s %.2f\n", now_s() - start);
	run_noops(pool, b->library, 2 * b->n);
	printf("tasks_per_s %.0f\n",
	       (double)n / run_noops(pool, b->library, n));
	start = now_s();
	cadre_pool_close(&pool);
	printf("close_s %.2f\n", now_s() - start);
}

/* How soon the death (arg: kill) or freezing (stop) of a daemon shows as the
 * outcome of the task that it ran. */
static void
bench_lost(const struct bench *b)
{
	static const char *const argv[] = {"sleep", "60", NULL};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool =
		open_pool(1, "daemons", "1", "slots", "1", NULL);
	struct cadre_opts *opts = cadre_opts_new();
	struct cadre_daemon_status *daemons;
	bool freeze = b->arg != NULL && strcmp(b->arg, "stop") == 0;
	struct cadre_task *t;
	double start;
	size_t n;

	if (cadre_opts_set(opts, "retry.lost", "0", &err) < 0 ||
	    cadre_submit_command(pool, argv, opts, &t, &err) < 0 ||
	    cadre_pool_status(pool, &daemons, &n, &err) < 0)
		die("%s", err.text);
	if (n != 1)
		die("%zu daemons instead of one", n);
	while (cadre_task_state(t) != CADRE_STARTED)
		cadre_task_wait(t, 5);
	start = now_s();
	if (kill((pid_t)daemons[0].pid, freeze ? SIGSTOP : SIGKILL) < 0)
		die("kill: %s", strerror(errno));
	if (cadre_task_wait(t, 60000) < 0)
		die("the loss went unnoticed for a minute");
	printf("noticed_ms %.1f\n", (now_s() - start) * 1e3);
	if (freeze)
		kill((pid_t)daemons[0].pid, SIGKILL);
	if (cadre_task_outcome(t) != CADRE_OUTCOME_LOST)
		die("the outcome is %s",
		    cadre_outcome_name(cadre_task_outcome(t)));
	free(daemons);
	cadre_task_unref(&t);
	cadre_opts_free(&opts);
	cadre_pool_close(&pool);
}

static const struct {
	const char *name;
	void (*run)(const struct bench *b);
	size_t n;
} benches[] = {
	{"throughput", bench_throughput, 1000000}, /* ARG: slots */
	{"rtt", bench_rtt, 20000},		   /* ARG: in-process */
	{"vector", bench_vector, 100},		   /* N: millions of bytes */
	{"queue", bench_queue, 1000000},
	{"daemons", bench_daemons, 1000},
	{"lost", bench_lost, 1}, /* ARG: kill or stop */
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc >= 3 && i < sizeof(benches) / sizeof(*benches);
	     i++) {
		struct bench b = {argv[2], benches[i].n, NULL};

		if (strcmp(argv[1], benches[i].name) != 0)
			continue;
		if (argc > 3)
			b.n = (size_t)atol(argv[3]);
		if (argc > 4)
			b.arg = argv[4];
		benches[i].run(&b);
		return 0;
	}
	fprintf(stderr, "usage: bench_cadre NAME LIBRARY [N [ARG]]\n");
	return 2;
}
