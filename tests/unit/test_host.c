/* SPDX-License-Identifier: MIT */
#include "host_rig.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tasks and their handles: outcomes, waits, callbacks, cancelling. */

static struct cadre_pool *pool;

static int
setup(void **state)
{
	if (rig_setup(state) < 0)
		return -1;
	pool = rig_pool("2");
	return 0;
}

static int
teardown(void **state)
{
	cadre_pool_close(&pool);
	return rig_teardown(state);
}

static void
check_text(const char *data, size_t len, const char *text)
{
	if (len != strlen(text) || memcmp(data, text, len) != 0)
		fail_msg("\"%.*s\" instead of \"%s\"", (int)len, data, text);
}

static void
test_command_value(void **state)
{
	static const char *const argv[] = {"printf", "%s|", "a b",
					   "*",	     "\n",  NULL};
	struct cadre_command_result r;
	struct cadre_task_stats stats;
	struct cadre_task *t;

	(void)state;
	assert_int_equal(cadre_submit_command(pool, argv, NULL, &t, NULL), 0);
	rig_wait(t);
	assert_false(cadre_task_unresolved(t));
	assert_int_equal(cadre_task_state(t), CADRE_DONE);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_VALUE);
	assert_null(cadre_task_error(t));
	assert_null(cadre_task_condition(t));
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	assert_int_equal(r.exit_status, 0);
	assert_int_equal(r.signal, 0);
	check_text(r.out, r.out_len, "a b|*|\n|");
	assert_int_equal(r.out_total, r.out_len);
	assert_null(r.out_file);
	assert_int_equal(r.err_len, 0);
	assert_int_equal(cadre_value_type(cadre_task_value(t)), CADRE_RAW);
	assert_int_equal(cadre_value_length(cadre_task_value(t)), r.out_len);
	assert_ptr_equal(cadre_task_value(t), cadre_task_value(t));
	assert_int_equal(cadre_task_stats(t, &stats), 0);
	assert_int_equal(stats.attempts, 1);
	assert_true(stats.wall_ns > 0 && stats.pid > 0 && stats.daemon > 0);
	assert_true(stats.started_unix_ns >= stats.submitted_unix_ns);
	cadre_task_unref(&t);
}

static void
test_command_failures(void **state)
{
	struct cadre_command_result r;
	struct cadre_task *t;

	(void)state;
	t = rig_shell(pool, "echo out; echo err >&2; exit 3", NULL);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_EXIT);
	assert_string_equal(cadre_task_error(t), "exited with status 3");
	assert_null(cadre_task_value(t));
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	assert_int_equal(r.exit_status, 3);
	check_text(r.out, r.out_len, "out\n");
	check_text(r.err, r.err_len, "err\n");
	cadre_task_unref(&t);

	t = rig_shell(pool, "kill -TERM $$", NULL);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_EXIT);
	assert_non_null(strstr(cadre_task_error(t), "signal 15"));
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	assert_int_equal(r.exit_status, -1);
	assert_int_equal(r.signal, SIGTERM);
	cadre_task_unref(&t);
}

/* The thread sanitizer turns vfork into fork, and what the child reports into
 * its parent's memory is lost. */
#ifndef __SANITIZE_THREAD__
static void
test_missing_program(void **state)
{
	static const char *const missing[] = {"/nowhere/at-all", NULL};
	struct cadre_task *t;

	(void)state;
	assert_int_equal(cadre_submit_command(pool, missing, NULL, &t, NULL),
			 0);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_ERROR);
	assert_non_null(strstr(cadre_task_error(t), "/nowhere/at-all"));
	cadre_task_unref(&t);
}
#endif

static void
test_command_options(void **state)
{
	struct cadre_opts *opts =
		rig_opts("env", "A=b c", "env", "PATH", "merge", "yes", "cwd",
			 "/", "name", "odd one", NULL);
	struct cadre_command_result r;
	struct cadre_task *t;

	(void)state;
	assert_int_equal(cadre_opts_set_stdin(opts, "in\0put", 6, NULL), 0);
	t = rig_shell(pool,
		      "/bin/cat | /usr/bin/tr '\\0' _; /bin/echo \"$A\" >&2; "
		      "pwd; echo ${HOME+home}",
		      opts);
	assert_string_equal(cadre_task_name(t), "odd one");
	rig_wait(t);
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	check_text(r.out, r.out_len,
		   getenv("HOME") == NULL ? "in_putb c\n/\n\n"
					  : "in_putb c\n/\nhome\n");
	assert_int_equal(r.err_len, 0);
	cadre_task_unref(&t);
	cadre_opts_free(&opts);
}

static void
test_output_over_limit(void **state)
{
	struct cadre_opts *opts = rig_opts("output-limit", "100", NULL);
	struct cadre_task *t = rig_shell(pool, "seq 1000", opts);
	struct cadre_command_result r;
	char line[64];
	int n = 0;
	FILE *f;

	(void)state;
	rig_wait(t);
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	assert_int_equal(r.out_len, 100);
	assert_int_equal(r.out_total, 3893);
	assert_non_null(r.out_file);
	f = fopen(r.out_file, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		assert_int_equal(atoi(line), ++n);
	assert_int_equal(n, 1000);
	(void)fclose(f);
	assert_int_equal(unlink(r.out_file), 0);
	cadre_task_unref(&t);
	cadre_opts_free(&opts);
}

static void
test_native_values(void **state)
{
	static const double data[] = {1.5, -2, 1e300};
	struct cadre_value *v = cadre_value_double(data, 3);
	struct cadre_value *copy = cadre_value_copy(v);
	struct cadre_task *t = rig_native_arg(pool, "first", v);

	(void)state;
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_VALUE);
	assert_true(cadre_value_equal(cadre_task_value(t), copy));
	assert_int_equal(
		cadre_task_command_result(t, &(struct cadre_command_result){0}),
		CADRE_EINVAL);
	cadre_task_unref(&t);
	cadre_value_free(&copy);
	t = rig_native(pool, "noop", NULL);
	rig_wait(t);
	assert_int_equal(cadre_value_type(cadre_task_value(t)), CADRE_NULL);
	cadre_task_unref(&t);
}

static void
test_large_value(void **state)
{
	const size_t n = 3000000;
	struct cadre_value *v = cadre_value_int32(NULL, n);
	const int32_t *back;
	struct cadre_task *t;
	int32_t *x = cadre_value_data(v);

	(void)state;
	for (size_t i = 0; i < n; i++)
		x[i] = (int32_t)(i * 2654435761u >> 1);
	t = rig_native_arg(pool, "first", v);
	rig_wait(t);
	back = cadre_value_int32_data(cadre_task_value(t));
	assert_int_equal(cadre_value_length(cadre_task_value(t)), n);
	for (size_t i = 0; i < n; i++)
		if (back[i] != (int32_t)(i * 2654435761u >> 1))
			fail_msg("element %zu is wrong", i);
	cadre_task_unref(&t);
}

static void
test_native_failures(void **state)
{
	struct cadre_task *t = rig_native(pool, "fails", NULL);

	(void)state;
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_ERROR);
	assert_string_equal(cadre_task_error(t), "it was asked to");
	assert_null(cadre_task_value(t));
	cadre_task_unref(&t);

	t = rig_native(pool, "no_such_function", NULL);
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "no_such_function"));
	rig_expect(&t, CADRE_OUTCOME_ERROR);

	assert_int_equal(cadre_submit_native(pool, "./no-such-library.so", "f",
					     NULL, NULL, &t, NULL),
			 0);
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "no-such-library.so"));
	rig_expect(&t, CADRE_OUTCOME_ERROR);

	t = rig_native(pool, "crash", NULL);
	rig_expect(&t, CADRE_OUTCOME_LOST);
	/* The slot is as good as new. */
	t = rig_native(pool, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
}

static void
test_source(void **state)
{
	static const char source[] =
		"#include <cadre/native.h>\n"
		"CADRE_NATIVE(twice) {\n"
		"  double x = 0;\n"
		"  cadre_value_double_at(cadre_call_arg(call, \"x\"), 0, &x);\n"
		"  return cadre_call_return(call, cadre_value_of_double(2 * "
		"x));"
		"\n}\n";
	struct cadre_opts *opts =
		rig_opts("cflags", "-I" TEST_SRCDIR "/include", NULL);
	struct cadre_value *args = cadre_value_list(0);
	struct cadre_value *x = cadre_value_of_double(21);
	struct cadre_task *t;
	double y;

	(void)state;
	assert_int_equal(cadre_value_list_add(args, "x", &x), 0);
	assert_int_equal(cadre_submit_source(pool, source, "twice", args, opts,
					     &t, NULL),
			 0);
	rig_wait(t);
	if (cadre_task_outcome(t) != CADRE_OUTCOME_VALUE)
		fail_msg("%s", cadre_task_error(t));
	assert_int_equal(cadre_value_double_at(cadre_task_value(t), 0, &y), 0);
	assert_true(y > 41.9 && y < 42.1);
	cadre_task_unref(&t);
	assert_int_equal(cadre_submit_source(pool, "int x = ;", "f", NULL, opts,
					     &t, NULL),
			 0);
	rig_expect(&t, CADRE_OUTCOME_ERROR);
	cadre_value_free(&args);
	cadre_opts_free(&opts);
}

static void
test_waits(void **state)
{
	struct cadre_task *tasks[4] = {NULL};
	size_t index = 9;

	(void)state;
	tasks[0] = rig_native(pool, "polite", NULL);
	assert_true(cadre_task_unresolved(tasks[0]));
	assert_int_equal(cadre_task_outcome(tasks[0]), CADRE_OUTCOME_NONE);
	assert_int_equal(cadre_task_wait(tasks[0], 0), CADRE_ETIMEDOUT);
	assert_int_equal(cadre_task_wait(tasks[0], 20), CADRE_ETIMEDOUT);
	assert_int_equal(
		cadre_task_stats(tasks[0], &(struct cadre_task_stats){0}),
		CADRE_EAGAIN);
	assert_int_equal(cadre_task_race(tasks, 4, 20, &index),
			 CADRE_ETIMEDOUT);
	assert_int_equal(index, 9);
	tasks[3] = rig_native(pool, "noop", NULL);
	assert_int_equal(cadre_task_race(tasks, 4, RIG_LIMIT_MS, &index), 0);
	assert_int_equal(index, 3);
	assert_int_equal(cadre_task_wait_all(tasks, 4, 20), CADRE_ETIMEDOUT);
	assert_int_equal(cadre_task_cancel(tasks[0], NULL), 0);
	assert_int_equal(cadre_task_wait_all(tasks, 4, RIG_LIMIT_MS), 0);
	assert_int_equal(cadre_task_race(tasks, 4, 0, &index), 0);
	assert_int_equal(index, 0);
	cadre_task_unref(&tasks[0]);
	cadre_task_unref(&tasks[3]);
	assert_int_equal(cadre_task_race(tasks, 4, 0, &index), CADRE_EINVAL);
	assert_int_equal(cadre_task_race(tasks, 0, 0, &index), CADRE_EINVAL);
	assert_int_equal(cadre_task_wait_all(NULL, 0, 0), 0);
	assert_int_equal(cadre_task_wait(NULL, 0), CADRE_EINVAL);
}

static void
on_alarm(int sig)
{
	(void)sig;
	cadre_pool_wake(pool);
}

static void
test_wake(void **state)
{
	struct cadre_task *t = rig_native(pool, "polite", NULL);
	size_t index;

	(void)state;
	/* Before the wait, and from a signal handler during it. */
	cadre_pool_wake(pool);
	assert_int_equal(cadre_task_wait(t, RIG_LIMIT_MS), CADRE_EAGAIN);
	(void)signal(SIGALRM, on_alarm);
	(void)ualarm(20000, 0);
	assert_int_equal(cadre_task_wait(t, RIG_LIMIT_MS), CADRE_EAGAIN);
	cadre_pool_wake(pool);
	assert_int_equal(cadre_task_race(&t, 1, RIG_LIMIT_MS, &index),
			 CADRE_EAGAIN);
	cadre_pool_wake(pool);
	while (cadre_pool_wait(pool, RIG_LIMIT_MS) == 0)
		;
	assert_int_equal(cadre_task_cancel(t, NULL), 0);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
	(void)signal(SIGALRM, SIG_DFL);
}

/* What callbacks saw. */
struct seen {
	int done;
	int pieces;
	int pieces_after_done;
	size_t len;
	char data[256];
	pthread_t thread;
};

static void
on_done(struct cadre_task *t, void *arg)
{
	struct seen *seen = arg;

	assert_false(cadre_task_unresolved(t));
	seen->done++;
	seen->thread = pthread_self();
}

static void
on_output(struct cadre_task *t, int which, const void *data, size_t len,
	  void *arg)
{
	struct seen *seen = arg;

	(void)t;
	(void)which;
	seen->pieces++;
	seen->pieces_after_done += seen->done > 0;
	if (seen->len + len < sizeof(seen->data))
		memcpy(seen->data + seen->len, data, len);
	seen->len += len;
}

static void
test_done_callback(void **state)
{
	struct seen seen = {0};
	struct cadre_task *t = rig_native(pool, "noop", NULL);

	(void)state;
	assert_int_equal(cadre_task_on_done(t, on_done, &seen), 0);
	rig_wait(t);
	assert_int_equal(cadre_pool_process(pool) + 1, 1);
	assert_int_equal(seen.done, 1);
	assert_true(pthread_equal(seen.thread, pthread_self()));
	cadre_task_unref(&t);
	/* At once if it is resolved. */
	t = rig_native(pool, "noop", NULL);
	rig_wait(t);
	assert_int_equal(cadre_task_on_done(t, on_done, &seen), 0);
	assert_int_equal(seen.done, 2);
	/* Once only. */
	assert_int_equal(cadre_task_on_done(t, on_done, &seen), 0);
	assert_int_equal(seen.done, 2);
	cadre_task_unref(&t);
}

static void
test_stream(void **state)
{
	struct cadre_opts *opts = rig_opts("output", "stream", NULL);
	struct cadre_task *t =
		rig_shell(pool,
			  "for i in 1 2 3; do echo $i; sleep 0.1; done; "
			  "printf end",
			  opts);
	struct cadre_command_result r;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(cadre_task_on_output(t, on_output, &seen), 0);
	assert_int_equal(cadre_task_on_done(t, on_done, &seen), 0);
	rig_wait(t);
	assert_int_equal(seen.done, 1);
	assert_true(seen.pieces >= 2);
	assert_int_equal(seen.pieces_after_done, 0);
	check_text(seen.data, seen.len, "1\n2\n3\nend");
	/* What was handed out is not kept. */
	assert_int_equal(cadre_task_command_result(t, &r), 0);
	assert_int_equal(r.out_len, 0);
	cadre_task_unref(&t);
	/* A listener that comes late misses nothing. */
	t = rig_shell(pool, "echo early", opts);
	rig_wait(t);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(cadre_task_on_output(t, on_output, &seen), 0);
	check_text(seen.data, seen.len, "early\n");
	cadre_task_unref(&t);
	cadre_opts_free(&opts);
}

/* More than may wait for callbacks: the command is slowed down, not lost. */
static void
test_stream_flood(void **state)
{
	struct cadre_opts *opts = rig_opts("output", "stream", NULL);
	struct cadre_task *t =
		rig_shell(pool, "head -c 100000000 /dev/zero", opts);
	struct cadre_task *other;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(cadre_task_on_output(t, on_output, &seen), 0);
	/* Nobody processes this pool for longer than heartbeats take. */
	(void)usleep(300000);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_VALUE);
	assert_int_equal(seen.len, 100000000);
	cadre_task_unref(&t);
	other = rig_native(pool, "noop", NULL);
	rig_expect(&other, CADRE_OUTCOME_VALUE);
	cadre_opts_free(&opts);
}

static void
test_progress(void **state)
{
	struct cadre_task *t = rig_native(pool, "polite", NULL);
	struct seen seen = {0};

	(void)state;
	assert_int_equal(cadre_task_on_output(t, on_output, &seen), 0);
	while (seen.pieces == 0)
		assert_int_equal(cadre_pool_wait(pool, RIG_LIMIT_MS), 0);
	check_text(seen.data, seen.len, "begun");
	/* That it has begun is reported once it has run for a moment. */
	while (cadre_task_state(t) == CADRE_ASSIGNED)
		(void)usleep(5000);
	assert_int_equal(cadre_task_state(t), CADRE_STARTED);
	assert_int_equal(cadre_task_cancel(t, NULL), 0);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
}

static void
test_descriptor(void **state)
{
	struct seen seen = {0};
	struct cadre_task *t;
	struct pollfd p;

	(void)state;
	p = (struct pollfd){.fd = cadre_pool_fd(pool), .events = POLLIN};
	assert_true(p.fd >= 0);
	assert_int_equal(cadre_pool_fd(pool), p.fd);
	(void)cadre_pool_process(pool);
	t = rig_native(pool, "noop", NULL);
	assert_int_equal(cadre_task_on_done(t, on_done, &seen), 0);
	while (seen.done == 0) {
		assert_int_equal(poll(&p, 1, RIG_LIMIT_MS), 1);
		assert_true(cadre_pool_process(pool) >= 0);
	}
	assert_int_equal(poll(&p, 1, 0), 0);
	cadre_task_unref(&t);
}

static void
test_next(void **state)
{
	enum { N = 50 };
	struct cadre_task *tasks[N], *t;
	int found[N] = {0};

	(void)state;
	assert_int_equal(cadre_pool_next(pool, 0, &t), CADRE_ENOENT);
	assert_int_equal(cadre_pool_track_next(pool, true), 0);
	for (int i = 0; i < N; i++) {
		tasks[i] = rig_native(pool, "noop", NULL);
		cadre_task_set_data(tasks[i], &found[i]);
	}
	assert_int_equal(cadre_pool_track_next(pool, false), 0);
	for (int i = 0; i < N; i++) {
		assert_int_equal(cadre_pool_next(pool, RIG_LIMIT_MS, &t), 0);
		assert_false(cadre_task_unresolved(t));
		++*(int *)cadre_task_data(t);
		cadre_task_unref(&t);
	}
	assert_int_equal(cadre_pool_next(pool, RIG_LIMIT_MS, &t), CADRE_ENOENT);
	for (int i = 0; i < N; i++) {
		assert_int_equal(found[i], 1);
		cadre_task_unref(&tasks[i]);
	}
}

static void
test_cancel(void **state)
{
	enum { N = 1000 };
	struct cadre_task *tasks[N];
	size_t cancelled;
	bool was_open;

	(void)state;
	for (int i = 0; i < N; i++)
		tasks[i] = rig_native(pool, "polite", NULL);
	assert_int_equal(cadre_task_cancel(tasks[N - 1], &was_open), 0);
	assert_true(was_open);
	assert_int_equal(cadre_task_outcome(tasks[N - 1]),
			 CADRE_OUTCOME_CANCELLED);
	assert_string_equal(cadre_task_error(tasks[N - 1]), "cancelled");
	assert_int_equal(cadre_task_cancel(tasks[N - 1], &was_open), 0);
	assert_false(was_open);
	assert_int_equal(cadre_task_cancel_all(tasks, N, &cancelled), 0);
	assert_int_equal(cancelled, N - 1);
	for (int i = 0; i < N; i++)
		rig_expect(&tasks[i], CADRE_OUTCOME_CANCELLED);
	assert_int_equal(cadre_task_cancel(NULL, NULL), CADRE_EINVAL);
}

static void
test_limits(void **state)
{
	struct cadre_opts *opts = rig_opts("timeout", "100ms", NULL);
	struct cadre_task *t = rig_shell(pool, "sleep 100", opts);

	(void)state;
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "timed out"));
	rig_expect(&t, CADRE_OUTCOME_TIMEOUT);
	t = rig_native(pool, "polite", opts);
	rig_expect(&t, CADRE_OUTCOME_TIMEOUT);
	cadre_opts_free(&opts);
	opts = rig_opts("deadline", "100ms", NULL);
	t = rig_shell(pool, "sleep 100", opts);
	rig_expect(&t, CADRE_OUTCOME_TIMEOUT);
	cadre_opts_free(&opts);
}

static void
test_retry(void **state)
{
	char line[512];
	struct cadre_opts *opts = rig_opts("retry.exit", "5", NULL);
	struct cadre_task_stats stats;
	struct cadre_task *t;

	(void)state;
	(void)snprintf(line, sizeof(line),
		       "echo x >>%s; test $(wc -l <%s) -ge 3",
		       rig_path("tries"), rig_path("tries"));
	t = rig_shell(pool, line, opts);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_task_stats(t, &stats), 0);
	assert_int_equal(stats.attempts, 3);
	cadre_task_unref(&t);
	cadre_opts_free(&opts);
}

static void
test_after(void **state)
{
	struct cadre_opts *after = cadre_opts_new();
	struct cadre_opts *regardless = rig_opts("after-failed", "run", NULL);
	struct cadre_task *first = rig_native(pool, "nap", NULL);
	struct cadre_task *bad = rig_shell(pool, "exit 1", NULL);
	struct cadre_task *t;

	(void)state;
	assert_true(cadre_task_id(first) != 0);
	assert_true(cadre_task_id(first) != cadre_task_id(bad));
	assert_int_equal(cadre_opts_after(after, first, NULL), 0);
	t = rig_native(pool, "noop", after);
	assert_int_equal(cadre_task_state(t), CADRE_WAITING);
	rig_wait(t);
	assert_false(cadre_task_unresolved(first));
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_opts_after(after, bad, NULL), 0);
	assert_int_equal(cadre_opts_after(regardless, bad, NULL), 0);
	t = rig_native(pool, "noop", after);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
	t = rig_native(pool, "noop", regardless);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	cadre_task_unref(&first);
	cadre_task_unref(&bad);
	cadre_opts_free(&after);
	cadre_opts_free(&regardless);
}

static void
test_dropped_handle(void **state)
{
	char line[400];
	struct cadre_task *t;

	(void)state;
	(void)snprintf(line, sizeof(line), "sleep 0.05; echo >%s",
		       rig_path("dropped"));
	t = rig_shell(pool, line, NULL);
	cadre_task_unref(&t);
	assert_null(t);
	rig_await_file(rig_path("dropped"));
	cadre_task_unref(&t);
	cadre_task_unref(NULL);
}

#define THREADS 4
#define EACH 2000

static void *
submitter(void *arg)
{
	struct cadre_task *tasks[EACH];
	uintptr_t wrong = 0;

	for (int64_t i = 0; i < EACH; i++)
		tasks[i] =
			rig_native_arg(pool, "first", cadre_value_of_int64(i));
	for (int64_t i = 0; i < EACH; i++) {
		int64_t x = -1;

		wrong += cadre_task_wait(tasks[i], RIG_LIMIT_MS) != 0;
		wrong += cadre_value_int64_at(cadre_task_value(tasks[i]), 0,
					      &x) != 0;
		wrong += x != i;
		cadre_task_unref(&tasks[i]);
	}
	(void)arg;
	return (void *)wrong;
}

static void
test_threads(void **state)
{
	pthread_t threads[THREADS];
	void *wrong;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, submitter, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

/* Several threads wait for the same task. */
static void *
waiter(void *arg)
{
	return (void *)(uintptr_t)(cadre_task_wait(arg, RIG_LIMIT_MS) != 0);
}

static void
test_many_waiters(void **state)
{
	struct cadre_task *t = rig_native(pool, "nap", NULL);
	pthread_t threads[THREADS];
	void *wrong;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, waiter, t),
				 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	rig_expect(&t, CADRE_OUTCOME_VALUE);
}

static void
test_bad_arguments(void **state)
{
	static const char *const none[] = {NULL};
	struct cadre_value *number = cadre_value_of_double(1);
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t = NULL;

	(void)state;
	assert_int_equal(cadre_submit_command(pool, NULL, NULL, &t, NULL),
			 CADRE_EINVAL);
	assert_int_equal(cadre_submit_command(pool, none, NULL, &t, NULL),
			 CADRE_EINVAL);
	assert_int_equal(cadre_submit_shell(pool, NULL, NULL, &t, NULL),
			 CADRE_EINVAL);
	assert_int_equal(
		cadre_submit_native(pool, NULL, "f", NULL, NULL, &t, NULL),
		CADRE_EINVAL);
	assert_int_equal(
		cadre_submit_native(pool, "x", "", NULL, NULL, &t, NULL),
		CADRE_EINVAL);
	assert_int_equal(
		cadre_submit_native(pool, "x", "f", number, NULL, &t, &err),
		CADRE_EINVAL);
	assert_non_null(strstr(err.text, "list"));
	assert_int_equal(
		cadre_submit_source(pool, NULL, "f", NULL, NULL, &t, NULL),
		CADRE_EINVAL);
	assert_null(t);
	assert_int_equal(cadre_task_on_done(NULL, NULL, NULL), CADRE_EINVAL);
	assert_int_equal(cadre_task_outcome(NULL), CADRE_OUTCOME_NONE);
	assert_null(cadre_task_value(NULL));
	assert_false(cadre_task_unresolved(NULL));
	assert_string_equal(cadre_outcome_name(CADRE_OUTCOME_LOST),
			    "connection reset");
	cadre_value_free(&number);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_value),
		cmocka_unit_test(test_command_failures),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(test_missing_program),
#endif
		cmocka_unit_test(test_command_options),
		cmocka_unit_test(test_output_over_limit),
		cmocka_unit_test(test_native_values),
		cmocka_unit_test(test_large_value),
		cmocka_unit_test(test_native_failures),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_done_callback),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_flood),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_dropped_handle),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_many_waiters),
		cmocka_unit_test(test_bad_arguments),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
