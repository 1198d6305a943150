/* SPDX-License-Identifier: MIT */
#include "host_rig.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char base[256];

static void
make_dir(const char *name, const char *variable)
{
	const char *path = rig_path(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(setenv(variable, path, 1), 0);
}

int
rig_setup(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof(base), "/tmp/cadre-host.XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	make_dir("run", "XDG_RUNTIME_DIR");
	make_dir("tmp", "TMPDIR");
	make_dir("cache", "XDG_CACHE_HOME");
	/* Without make check: the programs of the build tree. */
	(void)setenv("CADRE_CADRED", TEST_BUILDDIR "/cadred", 0);
	(void)setenv("CADRE_LIBEXECDIR", TEST_BUILDDIR, 0);
	return 0;
}

static void
pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	(void)nanosleep(&t, NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* How many entries a directory has. */
static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		(void)fprintf(stderr, "left behind: %s/%s\n", path,
			      entry->d_name);
		n++;
	}
	(void)closedir(dir);
	return n;
}

int
rig_teardown(void **state)
{
	char command[300];
	int left;

	(void)state;
	rig_await_no_children();
	left = entries(rig_path("run/cadre")) + entries(rig_path("tmp"));
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command) == 0 && left == 0 ? 0 : -1;
}

const char *
rig_path(const char *name)
{
	static char paths[8][320];
	static unsigned int next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

const char *
rig_library(void)
{
	return TEST_BUILDDIR "/tests/native/.libs/libtasks.so";
}

static void
set_all(struct cadre_config *cfg, const char *key, va_list args)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	for (; key != NULL; key = va_arg(args, const char *))
		if (cadre_config_set(cfg, key, va_arg(args, const char *),
				     &err) < 0)
			fail_msg("%s", err.text);
}

struct cadre_pool *
rig_open(const char *key, ...)
{
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool = NULL;
	va_list args;

	va_start(args, key);
	set_all(cfg, key, args);
	va_end(args);
	if (cadre_pool_open(cfg, &pool, &err) < 0)
		fail_msg("%s", err.text);
	cadre_config_free(&cfg);
	return pool;
}

struct cadre_pool *
rig_pool(const char *slots)
{
	struct cadre_pool *pool =
		rig_open("slots", slots, "grace", "200ms", NULL);
	struct cadre_error err = CADRE_ERROR_INIT;

	if (cadre_pool_wait_ready(pool, (unsigned int)atoi(slots), RIG_LIMIT_MS,
				  &err) < 0)
		fail_msg("%s", err.text);
	return pool;
}

int
rig_open_error(struct cadre_error *err, const char *key, ...)
{
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_pool *pool = NULL;
	va_list args;
	int rc;

	va_start(args, key);
	set_all(cfg, key, args);
	va_end(args);
	*err = (struct cadre_error)CADRE_ERROR_INIT;
	rc = cadre_pool_open(cfg, &pool, err);
	cadre_config_free(&cfg);
	if (rc == 0)
		cadre_pool_close(&pool);
	assert_null(pool);
	return rc;
}

struct cadre_opts *
rig_opts(const char *key, ...)
{
	struct cadre_opts *opts = cadre_opts_new();
	struct cadre_error err = CADRE_ERROR_INIT;
	va_list args;

	va_start(args, key);
	for (; key != NULL; key = va_arg(args, const char *))
		if (cadre_opts_set(opts, key, va_arg(args, const char *),
				   &err) < 0)
			fail_msg("%s", err.text);
	va_end(args);
	return opts;
}

struct cadre_task *
rig_native(struct cadre_pool *pool, const char *function,
	   const struct cadre_opts *opts)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t = NULL;

	if (cadre_submit_native(pool, rig_library(), function, NULL, opts, &t,
				&err) < 0)
		fail_msg("%s", err.text);
	return t;
}

struct cadre_task *
rig_native_arg(struct cadre_pool *pool, const char *function,
	       struct cadre_value *arg)
{
	struct cadre_value *args = cadre_value_list(0);
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t = NULL;

	assert_int_equal(cadre_value_list_add(args, "x", &arg), 0);
	if (cadre_submit_native(pool, rig_library(), function, args, NULL, &t,
				&err) < 0)
		fail_msg("%s", err.text);
	cadre_value_free(&args);
	return t;
}

struct cadre_task *
rig_shell(struct cadre_pool *pool, const char *line,
	  const struct cadre_opts *opts)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_task *t = NULL;

	if (cadre_submit_shell(pool, line, opts, &t, &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

void
rig_wait(struct cadre_task *t)
{
	assert_int_equal(cadre_task_wait(t, RIG_LIMIT_MS), 0);
}

void
rig_expect(struct cadre_task **t, enum cadre_outcome outcome)
{
	rig_wait(*t);
	if (cadre_task_outcome(*t) != outcome)
		fail_msg("%s instead of %s: %s",
			 cadre_outcome_name(cadre_task_outcome(*t)),
			 cadre_outcome_name(outcome), cadre_task_error(*t));
	cadre_task_unref(t);
	assert_null(*t);
}

void
rig_await_file(const char *path)
{
	uint64_t end = now_ms() + RIG_LIMIT_MS;
	struct stat st;

	while (stat(path, &st) < 0) {
		assert_true(now_ms() < end);
		pause_ms(2);
	}
}

void
rig_await_no_children(void)
{
	uint64_t end = now_ms() + RIG_LIMIT_MS;
	siginfo_t info;

	/* Only looks: collecting them is the library's business. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		assert_true(now_ms() < end);
		pause_ms(2);
	}
	assert_int_equal(errno, ECHILD);
}
