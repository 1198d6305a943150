/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOST_RIG_H
#define TESTS_HOST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cadre/cadre.h>

/* What the tests of libcadre share: pools with real daemons in directories of
 * their own. */

/* No test waits longer than that for what has to happen. */
#define RIG_LIMIT_MS 60000

/* Group fixtures: private directories, where programs are found, SIGCHLD. */
int rig_setup(void **state);
/* Fails if a process, a socket or a scratch directory was left behind. */
int rig_teardown(void **state);

/* A pool with settings "key", "value", ..., NULL; fails the test otherwise. */
struct cadre_pool *rig_open(const char *key, ...) __attribute__((sentinel));
/* The same with that many slots in one daemon, all connected. */
struct cadre_pool *rig_pool(const char *slots);
/* What opening says; the code too. */
int rig_open_error(struct cadre_error *err, const char *key, ...)
	__attribute__((sentinel));

struct cadre_opts *rig_opts(const char *key, ...) __attribute__((sentinel));
/* The shared object of tests/native/tasks.c. */
const char *rig_library(void);
/* Below the private directory; a static buffer for each call in a line. */
const char *rig_path(const char *name);

struct cadre_task *rig_native(struct cadre_pool *pool, const char *function,
			      const struct cadre_opts *opts);
/* One argument, taken. */
struct cadre_task *rig_native_arg(struct cadre_pool *pool, const char *function,
				  struct cadre_value *arg);
struct cadre_task *rig_shell(struct cadre_pool *pool, const char *line,
			     const struct cadre_opts *opts);
/* Waits; fails the test if that takes too long. */
void rig_wait(struct cadre_task *t);
/* Waits, checks the outcome, drops the handle. */
void rig_expect(struct cadre_task **t, enum cadre_outcome outcome);
/* Until the file is there. */
void rig_await_file(const char *path);
/* Until this process has no child. */
void rig_await_no_children(void);

#endif
