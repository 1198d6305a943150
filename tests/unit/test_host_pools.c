/* SPDX-License-Identifier: MIT */
#include "host_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Pools: their beginnings and ends, several at once, maps, everywhere. */

static void
write_script(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

static void
test_two_pools(void **state)
{
	struct cadre_pool *a = rig_pool("1"), *b, *none = NULL;
	struct cadre_error err;
	struct cadre_task *t;

	(void)state;
	b = rig_open("profile", "other", "slots", "1", NULL);
	assert_ptr_equal(cadre_pool_find("default"), a);
	assert_ptr_equal(cadre_pool_find("other"), b);
	assert_null(cadre_pool_find("third"));
	assert_string_equal(cadre_pool_profile(b), "other");
	assert_string_not_equal(cadre_pool_url(a), cadre_pool_url(b));
	assert_int_equal(rig_open_error(&err, "profile", "other", NULL),
			 CADRE_EEXIST);
	assert_non_null(strstr(err.text, "other"));

	/* NULL means the innermost default. */
	t = rig_native(none, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_default_push(b), 0);
	assert_int_equal(cadre_default_push(a), 0);
	cadre_default_pop();
	for (int i = 0; i < 3; i++) {
		t = rig_native(none, "noop", NULL);
		rig_expect(&t, CADRE_OUTCOME_VALUE);
	}
	cadre_default_pop();
	cadre_default_pop();
	{
		struct cadre_info info;

		assert_int_equal(cadre_pool_info(a, &info, NULL), 0);
		assert_int_equal(info.completed, 1);
		assert_int_equal(cadre_pool_info(b, &info, NULL), 0);
		assert_int_equal(info.completed, 3);
		assert_int_equal(info.connections, 1);
	}
	cadre_pool_close(&a);
	assert_null(a);
	assert_null(cadre_pool_find("default"));
	t = rig_native(b, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	cadre_pool_close(&b);
	cadre_pool_close(&b);
	/* The name is free again. */
	b = rig_open("profile", "other", "launcher", "none", NULL);
	cadre_pool_close(&b);
}

static void
count_done(struct cadre_task *t, void *arg)
{
	assert_false(cadre_task_unresolved(t));
	++*(int *)arg;
}

static void
test_close_with_open_tasks(void **state)
{
	struct cadre_pool *pool = rig_pool("2");
	struct cadre_task *tasks[6], *dropped;
	int done = 0;

	(void)state;
	tasks[0] = rig_native(pool, "polite", NULL);
	tasks[1] = rig_shell(pool, "trap '' INT TERM; sleep 100 & wait", NULL);
	tasks[2] = rig_native(pool, "noop", NULL);
	tasks[3] = rig_shell(pool, "setsid sleep 100", NULL);
	tasks[4] = rig_native(pool, "stubborn", NULL);
	tasks[5] = rig_native(pool, "polite", NULL);
	dropped = rig_shell(pool, "sleep 100", NULL);
	cadre_task_unref(&dropped);
	assert_int_equal(cadre_task_on_done(tasks[5], count_done, &done), 0);
	while (cadre_task_state(tasks[1]) != CADRE_STARTED)
		(void)usleep(1000);
	cadre_pool_close(&pool);
	rig_await_no_children();
	assert_int_equal(done, 1);
	for (int i = 0; i < 6; i++) {
		if (i == 2 &&
		    cadre_task_outcome(tasks[i]) == CADRE_OUTCOME_VALUE) {
			cadre_task_unref(&tasks[i]);
			continue;
		}
		assert_int_equal(cadre_task_outcome(tasks[i]),
				 CADRE_OUTCOME_CLOSED);
		assert_non_null(strstr(cadre_task_error(tasks[i]), "closed"));
		assert_int_equal(cadre_task_wait(tasks[i], 0), 0);
		assert_int_equal(cadre_task_cancel(tasks[i], NULL), 0);
		assert_int_equal(cadre_task_state(tasks[i]), CADRE_DONE);
		assert_int_equal(
			cadre_task_on_done(tasks[i], count_done, &done), 0);
		rig_expect(&tasks[i], CADRE_OUTCOME_CLOSED);
	}
	assert_true(done >= 5);
}

static void
test_wait_ended_by_close(void **state)
{
	struct cadre_pool *pool = rig_open("launcher", "none", NULL);
	struct cadre_task *t = rig_native(pool, "noop", NULL);
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)state;
	assert_int_equal(cadre_pool_wait_ready(pool, 1, 20, &err),
			 CADRE_ETIMEDOUT);
	assert_int_equal(err.code, CADRE_ETIMEDOUT);
	assert_int_equal(cadre_task_state(t), CADRE_READY);
	assert_int_equal(cadre_pool_shutdown(pool, NULL), 0);
	assert_int_equal(cadre_pool_wait(pool, RIG_LIMIT_MS), CADRE_ECLOSED);
	cadre_pool_close(&pool);
	rig_expect(&t, CADRE_OUTCOME_CLOSED);
}

/* What is submitted to a pool that is closed does not go elsewhere. */
static void
test_submit_after_close(void **state)
{
	struct cadre_pool *pool = rig_open("launcher", "none", NULL);
	struct cadre_pool *old = pool;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t = NULL;

	(void)state;
	assert_int_equal(cadre_default_push(pool), 0);
	cadre_pool_close(&pool);
	assert_int_equal(cadre_submit_shell(old, "true", NULL, &t, &err),
			 CADRE_ECLOSED);
	assert_non_null(strstr(err.text, "closed"));
	assert_int_equal(cadre_submit_native(NULL, rig_library(), "noop", NULL,
					     NULL, &t, NULL),
			 CADRE_ECLOSED);
	assert_null(t);
	cadre_default_pop();
}

struct waiter {
	struct cadre_pool *pool;
	sem_t begins;
	bool ready; /* waits for slots */
	int rc;
};

static void *
wait_for_good(void *arg)
{
	struct waiter *w = arg;

	(void)sem_post(&w->begins);
	w->rc = w->ready ? cadre_pool_wait_ready(w->pool, 1, -1, NULL)
			 : cadre_pool_wait(w->pool, -1);
	return NULL;
}

static void
test_close_ends_waits(void **state)
{
	enum { ROUNDS = 20 };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct cadre_pool *pool = rig_open("launcher", "none", NULL);
		struct waiter all[2] = {{.pool = pool},
					{.pool = pool, .ready = true}};
		pthread_t threads[2];

		for (int k = 0; k < 2; k++) {
			assert_int_equal(sem_init(&all[k].begins, 0, 0), 0);
			assert_int_equal(pthread_create(&threads[k], NULL,
							wait_for_good, &all[k]),
					 0);
		}
		for (int k = 0; k < 2; k++)
			assert_int_equal(sem_wait(&all[k].begins), 0);
		cadre_pool_close(&pool);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(pthread_join(threads[k], NULL), 0);
			assert_int_equal(all[k].rc, CADRE_ECLOSED);
			assert_int_equal(sem_destroy(&all[k].begins), 0);
		}
	}
}

static void
close_it(struct cadre_task *t, void *arg)
{
	(void)t;
	cadre_pool_close(arg);
}

/* A callback may close the pool that is being waited for. */
static void
test_callback_closes(void **state)
{
	struct cadre_pool *pool = rig_pool("1"), *same = pool;
	struct cadre_task *t = rig_native(pool, "noop", NULL);
	int rc;

	(void)state;
	assert_int_equal(cadre_task_on_done(t, close_it, &same), 0);
	do
		rc = cadre_pool_wait(pool, RIG_LIMIT_MS);
	while (rc == 0);
	assert_int_equal(rc, CADRE_ECLOSED);
	assert_null(same);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
}

struct submitter {
	struct cadre_pool *pool;
	sem_t under_way;
	struct cadre_task *last;
	int rc;
};

static void *
submit_until_refused(void *arg)
{
	struct submitter *s = arg;
	struct cadre_task *t = NULL;

	for (int n = 0;; n++) {
		s->rc = cadre_submit_native(s->pool, rig_library(), "noop",
					    NULL, NULL, &t, NULL);
		if (s->rc < 0)
			break;
		cadre_task_unref(&s->last);
		s->last = t;
		if (n == 0)
			(void)sem_post(&s->under_way);
	}
	return NULL;
}

/* Whatever was taken in is resolved, and the rest is refused. */
static void
test_submit_while_closing(void **state)
{
	enum { ROUNDS = 50, THREADS = 2 };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct cadre_pool *pool = rig_open("launcher", "none", NULL);
		struct submitter all[THREADS];
		pthread_t threads[THREADS];

		for (int k = 0; k < THREADS; k++) {
			all[k] = (struct submitter){.pool = pool};
			assert_int_equal(sem_init(&all[k].under_way, 0, 0), 0);
			assert_int_equal(pthread_create(&threads[k], NULL,
							submit_until_refused,
							&all[k]),
					 0);
		}
		for (int k = 0; k < THREADS; k++)
			assert_int_equal(sem_wait(&all[k].under_way), 0);
		cadre_pool_close(&pool);
		for (int k = 0; k < THREADS; k++) {
			assert_int_equal(pthread_join(threads[k], NULL), 0);
			assert_int_equal(all[k].rc, CADRE_ECLOSED);
			rig_expect(&all[k].last, CADRE_OUTCOME_CLOSED);
			assert_int_equal(sem_destroy(&all[k].under_way), 0);
		}
	}
}

static void
test_launch_failures(void **state)
{
	const char *script = rig_path("cadred-bad");
	char *saved = strdup(getenv("CADRE_CADRED"));
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool;
	struct cadre_task *t;

	(void)state;
	assert_int_equal(setenv("CADRE_CADRED", "/nowhere/cadred", 1), 0);
	assert_true(rig_open_error(&err, "slots", "1", NULL) < 0);
	assert_non_null(strstr(err.text, "cadred"));

	/* It ends at once: its last words are in the sentence. */
	write_script(script, "#!/bin/sh\necho first >&2\n"
			     "echo 'no licence for this node' >&2\nexit 3\n");
	assert_int_equal(setenv("CADRE_CADRED", script, 1), 0);
	pool = rig_open("slots", "1", "idle-limit", "1d", NULL);
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, &err),
			 CADRE_ELAUNCH);
	assert_non_null(strstr(err.text, "no licence for this node"));
	assert_non_null(strstr(err.text, "status 3"));
	t = rig_native(pool, "noop", NULL);
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "no licence"));
	rig_expect(&t, CADRE_OUTCOME_LOST);
	cadre_pool_close(&pool);

	/* It never dials back. */
	write_script(script, "#!/bin/sh\nexec sleep 100\n");
	pool = rig_open("slots", "1", "start-limit", "100ms", NULL);
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, &err),
			 CADRE_ELAUNCH);
	assert_non_null(strstr(err.text, "start-limit"));
	cadre_pool_close(&pool);
	assert_int_equal(unlink(script), 0);
	assert_int_equal(setenv("CADRE_CADRED", saved, 1), 0);
	free(saved);
}

static void
test_contradictions(void **state)
{
	struct cadre_error err;
	struct cadre_pool *pool;
	char url[400];

	(void)state;
	assert_int_equal(
		rig_open_error(&err, "slots", "2", "daemons", "3", NULL),
		CADRE_EINVAL);
	assert_int_equal(
		rig_open_error(&err, "sync", "yes", "connect", "x", NULL),
		CADRE_EINVAL);
	/* tcp needs an authenticator, and none only goes on the loopback. */
	assert_true(rig_open_error(&err, "url", "tcp://127.0.0.1:0", "launcher",
				   "none", NULL) < 0);
	assert_true(strlen(err.text) > 20);
	assert_true(rig_open_error(&err, "url", "tcp://0.0.0.0:0", "auth",
				   "none", "launcher", "none", NULL) < 0);
	assert_true(strlen(err.text) > 20);
	/* One dispatcher for each address. */
	(void)snprintf(url, sizeof(url), "ipc://%s", rig_path("own.sock"));
	pool = rig_open("url", url, "launcher", "none", NULL);
	assert_int_equal(rig_open_error(&err, "url", url, "launcher", "none",
					"profile", "second", NULL),
			 CADRE_EEXIST);
	assert_non_null(strstr(err.text, url));
	cadre_pool_close(&pool);
	assert_int_equal(access(rig_path("own.sock"), F_OK), -1);
}

/* In a process of its own, which has few files: see main. */
static int
open_with_few_files(void)
{
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool = NULL;
	int rc;

	(void)cadre_config_set(cfg, "slots", "100", NULL);
	rc = cadre_pool_open(cfg, &pool, &err);
	cadre_config_free(&cfg);
	return rc == CADRE_ELAUNCH && pool == NULL &&
			       strstr(err.text, "ulimit -n") != NULL
		       ? 0
		       : 1;
}

static void
test_file_limit(void **state)
{
	const struct rlimit few = {.rlim_cur = 200, .rlim_max = 200};
	int status = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setrlimit(RLIMIT_NOFILE, &few) == 0)
			(void)execl("/proc/self/exe", "few-files", "few-files",
				    (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_tcp(void **state)
{
	struct cadre_pool *pool = rig_open("url", "tcp://127.0.0.1:0", "auth",
					   "none", "slots", "1", NULL);
	struct cadre_task *t;

	(void)state;
	assert_null(strstr(cadre_pool_url(pool), ":0"));
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, NULL), 0);
	t = rig_native(pool, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	cadre_pool_close(&pool);
}

static void
test_add_and_remove(void **state)
{
	struct cadre_pool *pool = rig_pool("1");
	struct cadre_daemon_status *daemons;
	struct cadre_info info;
	struct cadre_task *t;
	size_t n;

	(void)state;
	assert_int_equal(cadre_pool_add(pool, 2, NULL), 0);
	assert_int_equal(cadre_pool_wait_ready(pool, 3, RIG_LIMIT_MS, NULL), 0);
	assert_int_equal(cadre_pool_status(pool, &daemons, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(daemons[0].slots + daemons[1].slots, 3);
	assert_true(daemons[0].pid > 0 && daemons[0].pid != daemons[1].pid);
	assert_true(daemons[0].incarnation != daemons[1].incarnation);
	assert_true(strlen(daemons[0].node) > 0);
	free(daemons);
	assert_int_equal(cadre_pool_remove(pool, 1, NULL), 0);
	do {
		assert_int_equal(cadre_pool_info(pool, &info, NULL), 0);
		(void)usleep(1000);
	} while (info.connections != 1);
	assert_int_equal(info.cumulative, 2);
	t = rig_native(pool, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_pool_add(pool, 0, NULL), CADRE_EINVAL);
	cadre_pool_close(&pool);
}

static void
test_killed_daemon(void **state)
{
	enum { N = 200 };
	struct cadre_pool *pool = rig_open("daemons", "2", NULL);
	struct cadre_opts *opts = rig_opts("retry.lost", "2", NULL);
	struct cadre_daemon_status *daemons;
	struct cadre_task *tasks[N];
	size_t n;

	(void)state;
	assert_int_equal(cadre_pool_wait_ready(pool, 2, RIG_LIMIT_MS, NULL), 0);
	assert_int_equal(cadre_pool_status(pool, &daemons, &n, NULL), 0);
	for (int i = 0; i < N; i++)
		tasks[i] = rig_shell(pool, "sleep 0.01", opts);
	rig_wait(tasks[10]);
	assert_int_equal(kill((pid_t)daemons[0].pid, SIGKILL), 0);
	free(daemons);
	assert_int_equal(cadre_task_wait_all(tasks, N, RIG_LIMIT_MS), 0);
	for (int i = 0; i < N; i++)
		rig_expect(&tasks[i], CADRE_OUTCOME_VALUE);
	cadre_opts_free(&opts);
	cadre_pool_close(&pool);
}

static pid_t
only_daemon(struct cadre_pool *pool)
{
	struct cadre_daemon_status *daemons;
	pid_t pid;
	size_t n;

	assert_int_equal(cadre_pool_status(pool, &daemons, &n, NULL), 0);
	assert_int_equal(n, 1);
	pid = (pid_t)daemons[0].pid;
	free(daemons);
	return pid;
}

/* The only daemon is killed half way: another one does the rest. */
static void
test_relaunch(void **state)
{
	enum { N = 100 };
	struct cadre_pool *pool = rig_pool("2");
	uint32_t first = 0, last = 0;
	struct cadre_task *tasks[N];
	struct cadre_info info;
	char line[64], wanted[16];
	int done = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		(void)snprintf(line, sizeof(line), "sleep 0.01; echo %d", i);
		tasks[i] = rig_shell(pool, line, NULL);
		assert_int_equal(
			cadre_task_on_done(tasks[i], count_done, &done), 0);
	}
	rig_wait(tasks[N / 2]);
	assert_int_equal(kill(only_daemon(pool), SIGKILL), 0);
	assert_int_equal(cadre_task_wait_all(tasks, N, RIG_LIMIT_MS), 0);
	for (int i = 0; i < N; i++) {
		struct cadre_command_result result;
		struct cadre_task_stats stats;

		(void)snprintf(wanted, sizeof(wanted), "%d\n", i);
		assert_int_equal(cadre_task_command_result(tasks[i], &result),
				 0);
		assert_int_equal(result.out_len, strlen(wanted));
		assert_memory_equal(result.out, wanted, result.out_len);
		assert_int_equal(cadre_task_stats(tasks[i], &stats), 0);
		if (i == 0 || stats.daemon < first)
			first = stats.daemon;
		if (stats.daemon > last)
			last = stats.daemon;
		rig_expect(&tasks[i], CADRE_OUTCOME_VALUE);
	}
	assert_true(last > first);
	assert_int_equal(done, N);
	assert_int_equal(cadre_pool_info(pool, &info, NULL), 0);
	assert_int_equal(info.completed, N);
	assert_int_equal(info.failed, 0);
	assert_int_equal(info.cumulative, 2);
	assert_int_equal(info.slots, 2);
	cadre_pool_close(&pool);
}

/* In a process of its own: a pool that is busy in every way, see main. */
static int
be_victim(void)
{
	struct cadre_pool *pool;
	struct cadre_task *t;
	char url[64];

	/* A socket file would stay behind. */
	(void)snprintf(url, sizeof(url), "abstract://cadre-victim-%d",
		       (int)getpid());
	pool = rig_open("url", url, "daemons", "2", "slots", "4", NULL);
	for (int i = 0; i < 4; i++) {
		t = rig_native(pool, i % 2 == 0 ? "noop" : "stubborn", NULL);
		cadre_task_unref(&t);
		t = rig_shell(pool,
			      "trap '' INT TERM HUP; setsid sleep 600 & "
			      "sleep 600",
			      NULL);
		cadre_task_unref(&t);
	}
	while (cadre_pool_wait(pool, RIG_LIMIT_MS) == 0)
		;
	return 0;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A host that is killed, soon after its start or as it works, takes all with
 * it.  What it leaves behind becomes ours. */
static void
test_killed_host(void **state)
{
	static const useconds_t moments_ms[] = {0, 2, 5, 10, 20, 40, 80, 300};

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (size_t i = 0; i < sizeof(moments_ms) / sizeof(moments_ms[0]);
	     i++) {
		uint64_t killed;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)execl("/proc/self/exe", "victim", "victim",
				    (char *)NULL);
			_exit(127);
		}
		(void)usleep(moments_ms[i] * 1000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		killed = now_ms();
		while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
			;
		assert_int_equal(errno, ECHILD);
		assert_true(now_ms() - killed < 5000);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void
test_no_relaunch(void **state)
{
	struct cadre_pool *pool = rig_open("slots", "1", "relaunch", "0",
					   "idle-limit", "50ms", NULL);
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t;

	(void)state;
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, NULL), 0);
	assert_int_equal(kill(only_daemon(pool), SIGKILL), 0);
	t = rig_shell(pool, "sleep 600", NULL);
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "signal 9"));
	rig_expect(&t, CADRE_OUTCOME_LOST);
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, &err),
			 CADRE_ELAUNCH);
	assert_non_null(strstr(err.text, "signal 9"));
	cadre_pool_close(&pool);
}

/* The first daemon works, none of those in its place does. */
static void
test_relaunch_in_vain(void **state)
{
	const char *script = rig_path("cadred-once"), *mark = rig_path("mark");
	char *saved = strdup(getenv("CADRE_CADRED"));
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool;
	struct cadre_task *t;
	char text[1200];

	(void)state;
	(void)snprintf(text, sizeof(text),
		       "#!/bin/sh\n"
		       "[ -e %s ] && { echo 'no disk here' >&2; exit 7; }\n"
		       ": >%s\nexec '%s' \"$@\"\n",
		       mark, mark, saved);
	write_script(script, text);
	assert_int_equal(setenv("CADRE_CADRED", script, 1), 0);
	pool = rig_open("slots", "1", "relaunch", "2", "idle-limit", "50ms",
			NULL);
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, NULL), 0);
	assert_int_equal(kill(only_daemon(pool), SIGKILL), 0);
	t = rig_shell(pool, "true", NULL);
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "status 7"));
	assert_non_null(strstr(cadre_task_error(t), "no disk here"));
	assert_non_null(strstr(cadre_task_error(t), "3 times in a row"));
	rig_expect(&t, CADRE_OUTCOME_LOST);
	assert_int_equal(cadre_pool_wait_ready(pool, 1, RIG_LIMIT_MS, &err),
			 CADRE_ELAUNCH);
	assert_non_null(strstr(err.text, "no disk here"));
	cadre_pool_close(&pool);
	assert_int_equal(unlink(script), 0);
	assert_int_equal(unlink(mark), 0);
	assert_int_equal(setenv("CADRE_CADRED", saved, 1), 0);
	free(saved);
}

static struct cadre_value *
numbers(int n)
{
	struct cadre_value *list = cadre_value_list((size_t)n);

	for (int i = 0; i < n; i++) {
		struct cadre_value *x = cadre_value_of_double(i);

		assert_int_equal(cadre_value_list_set(list, (size_t)i, &x), 0);
	}
	return list;
}

struct progress {
	size_t calls, last;
};

static void
on_progress(size_t done, size_t failed, size_t total, void *arg)
{
	struct progress *p = arg;

	assert_true(done >= p->last && done <= total && failed == 0);
	p->last = done;
	p->calls++;
}

static void
test_map(void **state)
{
	enum { N = 1000 };
	struct cadre_pool *pool = rig_pool("2");
	struct cadre_value *over = numbers(N), *all = NULL;
	struct progress progress = {0};
	struct cadre_map *map;

	(void)state;
	assert_int_equal(cadre_map_native(pool, rig_library(), "first", over,
					  NULL, NULL, &map, NULL),
			 0);
	assert_int_equal(cadre_map_size(map), N);
	assert_non_null(cadre_map_task(map, N - 1));
	assert_null(cadre_map_task(map, N));
	assert_int_equal(cadre_map_on_progress(map, on_progress, &progress), 0);
	assert_int_equal(
		cadre_map_collect(map, 0, RIG_LIMIT_MS, &all, NULL, NULL), 0);
	assert_true(cadre_value_equal(all, over));
	assert_int_equal(progress.last, N);
	cadre_value_free(&all);
	assert_int_equal(
		cadre_map_collect(map, CADRE_COLLECT_FLAT, 0, &all, NULL, NULL),
		0);
	assert_int_equal(cadre_value_type(all), CADRE_DOUBLE);
	assert_int_equal(cadre_value_length(all), N);
	for (int i = 0; i < N; i++)
		assert_true(cadre_value_double_data(all)[i] > i - 0.5 &&
			    cadre_value_double_data(all)[i] < i + 0.5);
	cadre_value_free(&all);
	cadre_map_free(&map);
	assert_null(map);
	cadre_value_free(&over);
	over = cadre_value_list(0);
	assert_int_equal(cadre_map_native(pool, rig_library(), "first", over,
					  NULL, NULL, &map, NULL),
			 0);
	assert_int_equal(
		cadre_map_collect(map, CADRE_COLLECT_FLAT, 0, &all, NULL, NULL),
		0);
	assert_int_equal(cadre_value_length(all), 0);
	cadre_value_free(&all);
	cadre_map_free(&map);
	cadre_value_free(&over);
	cadre_pool_close(&pool);
}

static void
test_map_stops(void **state)
{
	struct cadre_pool *pool = rig_pool("2");
	struct cadre_value *all = NULL;
	struct cadre_task *tasks[5];
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_map *map;
	size_t failed = 99;

	(void)state;
	tasks[0] = rig_native(pool, "polite", NULL);
	tasks[1] = rig_native(pool, "noop", NULL);
	tasks[2] = rig_native(pool, "fails", NULL);
	tasks[3] = rig_native(pool, "polite", NULL);
	tasks[4] = rig_native(pool, "polite", NULL);
	assert_int_equal(cadre_map_of(tasks, 5, &map, NULL), 0);
	rig_wait(tasks[2]);
	assert_int_equal(cadre_map_collect(map, 0, 20, &all, NULL, NULL),
			 CADRE_ETIMEDOUT);
	assert_int_equal(cadre_map_collect(map, CADRE_COLLECT_STOP,
					   RIG_LIMIT_MS, &all, &failed, &err),
			 CADRE_ECLOSED);
	assert_int_equal(failed, 2);
	assert_non_null(strstr(err.text, "it was asked to"));
	assert_null(all);
	/* The rest was cancelled; failures are nulls. */
	for (int i = 0; i < 5; i++) {
		static const enum cadre_outcome outcomes[] = {
			CADRE_OUTCOME_CANCELLED, CADRE_OUTCOME_VALUE,
			CADRE_OUTCOME_ERROR, CADRE_OUTCOME_CANCELLED,
			CADRE_OUTCOME_CANCELLED};

		rig_expect(&tasks[i], outcomes[i]);
	}
	assert_int_equal(cadre_map_cancel(map), 0);
	assert_int_equal(cadre_map_collect(map, 0, 0, &all, NULL, NULL), 0);
	assert_int_equal(cadre_value_length(all), 5);
	assert_int_equal(cadre_value_type(cadre_value_at(all, 2)), CADRE_NULL);
	cadre_value_free(&all);
	assert_int_equal(
		cadre_map_collect(map, CADRE_COLLECT_FLAT, 0, &all, NULL, NULL),
		CADRE_EINVAL);
	cadre_map_free(&map);
	cadre_pool_close(&pool);
}

static int64_t
state_of(struct cadre_pool *pool)
{
	struct cadre_task *t = rig_native(pool, "get_state", NULL);
	int64_t x = -1;

	rig_wait(t);
	assert_int_equal(cadre_value_int64_at(cadre_task_value(t), 0, &x), 0);
	cadre_task_unref(&t);
	return x;
}

static void
check_everywhere(struct cadre_pool *pool, const char *library, bool once,
		 int64_t slots)
{
	struct cadre_task *t;
	int64_t x = -1;

	assert_int_equal(cadre_everywhere_native(pool, library, "set_state",
						 NULL, once, &t, NULL),
			 0);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_value_int64_at(cadre_task_value(t), 0, &x), 0);
	assert_int_equal(x, slots);
	cadre_task_unref(&t);
}

static void
test_everywhere(void **state)
{
	static const char *const argv[] = {"true", NULL};
	struct cadre_pool *pool = rig_pool("2");
	struct cadre_task *t;

	(void)state;
	check_everywhere(pool, rig_library(), false, 2);
	check_everywhere(pool, rig_library(), true, 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(state_of(pool), 2);
	/* A worker that comes later makes up for what was not meant once. */
	t = rig_native(pool, "quit", NULL);
	rig_expect(&t, CADRE_OUTCOME_LOST);
	for (int i = 0; i < 10; i++) {
		int64_t x = state_of(pool);

		assert_true(x == 1 || x == 2);
	}
	assert_int_equal(
		cadre_everywhere_command(pool, argv, NULL, true, &t, NULL), 0);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	/* Forgotten: a new one starts with nothing. */
	check_everywhere(pool, NULL, false, 0);
	assert_int_equal(cadre_pool_add(pool, 1, NULL), 0);
	assert_int_equal(cadre_pool_wait_ready(pool, 3, RIG_LIMIT_MS, NULL), 0);
	assert_int_equal(cadre_everywhere_native(pool, rig_library(), "fails",
						 NULL, true, &t, NULL),
			 0);
	rig_wait(t);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_ERROR);
	cadre_task_unref(&t);
	cadre_pool_close(&pool);
}

/* Not only that it failed is said, but why. */
static void
check_add_fails(struct cadre_pool *client)
{
	char *saved = strdup(getenv("CADRE_CADRED"));
	struct cadre_error err = CADRE_ERROR_INIT;

	assert_int_equal(setenv("CADRE_CADRED", "/nowhere/cadred", 1), 0);
	assert_true(cadre_pool_add(client, 1, &err) < 0);
	assert_non_null(strstr(err.text, "/nowhere/cadred"));
	assert_int_equal(setenv("CADRE_CADRED", saved, 1), 0);
	free(saved);
}

static void
test_connect(void **state)
{
	struct cadre_pool *server = rig_open("profile", "served", "serve",
					     "yes", "slots", "2", NULL);
	struct cadre_pool *client =
		rig_open("profile", "client", "connect", "served", NULL);
	struct cadre_opts *after = cadre_opts_new();
	struct cadre_opts *stream = rig_opts("output", "stream", NULL);
	struct cadre_daemon_status *daemons;
	struct cadre_task *t, *u;
	struct cadre_info info;
	int64_t x = 0;
	size_t n;

	(void)state;
	assert_int_equal(cadre_pool_wait_ready(client, 2, RIG_LIMIT_MS, NULL),
			 0);
	t = rig_native_arg(client, "first", cadre_value_of_int64(42));
	rig_wait(t);
	assert_int_equal(cadre_value_int64_at(cadre_task_value(t), 0, &x), 0);
	assert_int_equal(x, 42);
	assert_true(cadre_task_id(t) > 0);
	cadre_task_unref(&t);
	/* Tasks that wait for others, are cancelled, talk. */
	t = rig_native(client, "polite", NULL);
	assert_int_equal(cadre_opts_after(after, t, NULL), 0);
	u = rig_native(client, "noop", after);
	assert_int_equal(cadre_task_cancel(t, NULL), 0);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_CANCELLED);
	rig_expect(&u, CADRE_OUTCOME_CANCELLED);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
	t = rig_shell(client, "exit 4", stream);
	rig_wait(t);
	assert_string_equal(cadre_task_error(t), "exited with status 4");
	cadre_task_unref(&t);
	check_everywhere(client, rig_library(), false, 2);
	assert_int_equal(state_of(client), 1);
	check_everywhere(client, NULL, false, 0);
	assert_int_equal(cadre_pool_info(client, &info, NULL), 0);
	assert_int_equal(info.connections, 1);
	assert_int_equal(info.slots, 2);
	assert_int_equal(cadre_pool_status(client, &daemons, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(daemons[0].slots, 2);
	free(daemons);
	assert_int_equal(cadre_pool_add(client, 1, NULL), 0);
	assert_int_equal(cadre_pool_wait_ready(client, 3, RIG_LIMIT_MS, NULL),
			 0);
	assert_int_equal(cadre_pool_remove(client, 1, NULL), 0);
	do {
		assert_int_equal(cadre_pool_info(client, &info, NULL), 0);
		(void)usleep(1000);
	} while (info.connections != 1);
	assert_int_equal(info.cumulative, 2);
	check_add_fails(client);
	/* The end of the dispatcher is the end of its tasks. */
	assert_int_equal(cadre_pool_shutdown(client, NULL), 0);
	assert_int_equal(cadre_pool_wait(server, RIG_LIMIT_MS), CADRE_ECLOSED);
	t = rig_native(client, "polite", NULL);
	assert_true(cadre_task_id(t) > 0);
	cadre_pool_close(&server);
	rig_wait(t);
	assert_true(cadre_task_outcome(t) == CADRE_OUTCOME_LOST ||
		    cadre_task_outcome(t) == CADRE_OUTCOME_CLOSED);
	cadre_task_unref(&t);
	while (cadre_pool_wait(client, RIG_LIMIT_MS) == 0)
		;
	t = rig_native(client, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_LOST);
	assert_true(cadre_pool_info(client, &info, NULL) < 0);
	cadre_pool_close(&client);
	cadre_opts_free(&after);
	cadre_opts_free(&stream);
}

static void
test_connect_refused(void **state)
{
	struct cadre_pool *pool = rig_open("launcher", "none", NULL);
	struct cadre_error err;

	(void)state;
	assert_true(rig_open_error(&err, "profile", "client", "connect",
				   cadre_pool_url(pool), NULL) < 0);
	assert_non_null(strstr(err.text, "serve"));
	cadre_pool_close(&pool);
	assert_true(rig_open_error(&err, "connect", "nobody", NULL) < 0);
	assert_non_null(strstr(err.text, "nobody"));
}

static void
test_client_closes_first(void **state)
{
	struct cadre_pool *server = rig_open("profile", "served", "serve",
					     "yes", "slots", "1", NULL);
	struct cadre_pool *client =
		rig_open("profile", "client", "connect", "served", NULL);
	struct cadre_task *t = rig_native(client, "polite", NULL);
	struct cadre_info info;

	(void)state;
	cadre_pool_close(&client);
	rig_expect(&t, CADRE_OUTCOME_CLOSED);
	/* The dispatcher goes on, without that host's tasks. */
	t = rig_native(server, "noop", NULL);
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(cadre_pool_info(server, &info, NULL), 0);
	assert_int_equal(info.awaiting, 0);
	cadre_pool_close(&server);
}

static void
test_sync(void **state)
{
	struct cadre_pool *pool = rig_open("sync", "yes", NULL);
	struct cadre_opts *opts = rig_opts("timeout", "100ms", NULL);
	struct cadre_opts *after = cadre_opts_new();
	struct cadre_command_result r;
	struct cadre_task *t;
	int64_t x = 0;

	(void)state;
	t = rig_native_arg(pool, "first", cadre_value_of_int64(7));
	assert_false(cadre_task_unresolved(t));
	assert_int_equal(cadre_value_int64_at(cadre_task_value(t), 0, &x), 0);
	assert_int_equal(x, 7);
	cadre_task_unref(&t);
	t = rig_native(pool, "pid", NULL);
	assert_int_equal(cadre_value_int64_at(cadre_task_value(t), 0, &x), 0);
	assert_int_equal(x, getpid());
	cadre_task_unref(&t);
	for (int i = 0; i < 3; i++) {
		t = rig_shell(pool, "echo hello; exit 3", NULL);
		assert_false(cadre_task_unresolved(t));
		assert_int_equal(cadre_task_command_result(t, &r), 0);
		assert_int_equal(r.exit_status, 3);
		assert_memory_equal(r.out, "hello\n", 6);
		cadre_task_unref(&t);
	}
	t = rig_shell(pool, "sleep 100", opts);
	assert_int_equal(cadre_task_outcome(t), CADRE_OUTCOME_TIMEOUT);
	assert_int_equal(cadre_opts_after(after, t, NULL), 0);
	cadre_task_unref(&t);
	t = rig_native(pool, "noop", after);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
	t = rig_native(pool, "fails", NULL);
	rig_expect(&t, CADRE_OUTCOME_ERROR);
	assert_int_equal(cadre_pool_add(pool, 1, NULL), CADRE_EINVAL);
	cadre_pool_close(&pool);
	cadre_opts_free(&opts);
	cadre_opts_free(&after);
}

static void
test_ephemeral(void **state)
{
	struct cadre_task *t = NULL, *dropped;
	char line[400];

	(void)state;
	assert_null(cadre_pool_find("default"));
	t = rig_native_arg(NULL, "first", cadre_value_of_int64(5));
	rig_expect(&t, CADRE_OUTCOME_VALUE);
	(void)snprintf(line, sizeof(line), "echo >%s", rig_path("ephemeral"));
	dropped = rig_shell(NULL, line, NULL);
	cadre_task_unref(&dropped);
	t = rig_native(NULL, "polite", NULL);
	rig_await_file(rig_path("ephemeral"));
	assert_int_equal(cadre_task_cancel(t, NULL), 0);
	rig_expect(&t, CADRE_OUTCOME_CANCELLED);
	rig_await_no_children();
	assert_int_equal(cadre_pool_info(NULL, &(struct cadre_info){0}, NULL),
			 CADRE_ENOENT);
}

static void
test_idle_limit(void **state)
{
	struct cadre_pool *pool =
		rig_open("launcher", "none", "idle-limit", "50ms", NULL);
	struct cadre_task *t = rig_native(pool, "noop", NULL);

	(void)state;
	rig_wait(t);
	assert_non_null(strstr(cadre_task_error(t), "no daemon"));
	rig_expect(&t, CADRE_OUTCOME_LOST);
	cadre_pool_close(&pool);
}

static void *
open_and_close(void *arg)
{
	for (int i = 0; i < 5; i++) {
		struct cadre_pool *pool =
			rig_open("profile", arg, "slots", "1", NULL);
		struct cadre_task *t = rig_native(pool, "noop", NULL);

		if (i % 2 == 0)
			rig_expect(&t, CADRE_OUTCOME_VALUE);
		cadre_pool_close(&pool);
		cadre_task_unref(&t);
	}
	return NULL;
}

static void
test_pools_in_threads(void **state)
{
	static char names[3][2] = {"x", "y", "z"};
	pthread_t threads[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						open_and_close, names[i]),
				 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_pools),
		cmocka_unit_test(test_close_with_open_tasks),
		cmocka_unit_test(test_wait_ended_by_close),
		cmocka_unit_test(test_submit_after_close),
		cmocka_unit_test(test_close_ends_waits),
		cmocka_unit_test(test_callback_closes),
		cmocka_unit_test(test_submit_while_closing),
		cmocka_unit_test(test_launch_failures),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_file_limit),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_add_and_remove),
		cmocka_unit_test(test_killed_daemon),
		cmocka_unit_test(test_killed_host),
		cmocka_unit_test(test_relaunch),
		cmocka_unit_test(test_no_relaunch),
		cmocka_unit_test(test_relaunch_in_vain),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_stops),
		cmocka_unit_test(test_everywhere),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_refused),
		cmocka_unit_test(test_client_closes_first),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_ephemeral),
		cmocka_unit_test(test_idle_limit),
		cmocka_unit_test(test_pools_in_threads),
	};

	if (argc > 1 && strcmp(argv[1], "few-files") == 0)
		return open_with_few_files();
	if (argc > 1 && strcmp(argv[1], "victim") == 0)
		return be_victim();
	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
