/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cadre/pool.h>
#include <cadre/value.h>

#include "cli/cli.h"
#include "cli/poolopts.h"
#include "cli/signals.h"
#include "cli/stream.h"
#include "cli/taskopts.h"
#include "cli/waittask.h"
#include "util/buf.h"
#include "util/error.h"

#define SOURCE_MAX (16U << 20)

struct evalopts {
	struct poolopts pool;
	struct taskopts task;
	const char *native, *source;
	bool json;
};

static int eval_main(int argc, char **argv);

/* clang-format off */
static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	{OPTION_TEXT, 0, "native", "LIB:FUNCTION",
	 "the C function FUNCTION of the shared object LIB",
	 offsetof(struct evalopts, native), NULL},
	{OPTION_TEXT, 0, "source", "FILE:FUNCTION",
	 "the C function FUNCTION of the source text in FILE (- for standard "
	 "input), compiled where it runs",
	 offsetof(struct evalopts, source), NULL},
	{OPTION_FLAG, 0, "json", NULL, "print the result as JSON",
	 offsetof(struct evalopts, json), NULL},
	POOLOPTS_ROW_NAME(evalopts, pool,
		"use the dispatcher that \"cadre start -p NAME\" started, "
		"instead of a daemon of this command's own"),
	TASKOPTS_ROWS(evalopts, task),
	POOLOPTS_ROWS(evalopts, pool),
	OPTION_END,
};
/* clang-format on */

const struct command eval_command = {
	.name = "eval",
	.synopsis = "[OPTION]... --native LIB:FUNCTION [[NAME=]VALUE]...\n"
		    "[OPTION]... --source FILE:FUNCTION [[NAME=]VALUE]...",
	.summary = "Call one C function in a worker and print its result.",
	.epilogue =
		"A VALUE that is JSON is read as such (3, [1,2], \"text\", "
		"true), any other is a\nstring.\n\nExit status: 0, 1 if the "
		"function failed, 124 if it timed out, 125 if cadre itself\n"
		"failed.",
	.options = table,
	.main = eval_main,
	.failure = CLI_FAILURE,
};

static struct cadre_value *
parse_value(const char *text)
{
	struct cadre_value *v;

	if (cadre_value_from_json(text, strlen(text), &v, NULL) == 0)
		return v;
	return cadre_value_of_string(text);
}

/* NAME=VALUE if what is before "=" is a name, else a value without one. */
static int
add_argument(struct cadre_value *args, const char *text,
	     struct cadre_error *err)
{
	static const char name_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "abcdefghijklmnopqrstuvwxyz"
					 "0123456789_.";
	size_t len = strspn(text, name_bytes);
	char *name = NULL;
	struct cadre_value *v;
	int rc;

	if (len > 0 && text[len] == '=') {
		name = strndup(text, len);
		if (name == NULL)
			return error_nomem(err);
		text += len + 1;
	}
	v = parse_value(text);
	rc = v == NULL ? CADRE_ENOMEM : cadre_value_list_add(args, name, &v);
	cadre_value_free(&v);
	free(name);
	return rc < 0 ? error_nomem(err) : 0;
}

static int
make_args(int argc, char **argv, struct cadre_value **ret,
	  struct cadre_error *err)
{
	struct cadre_value *args = cadre_value_list(0);
	int rc = args == NULL ? error_nomem(err) : 0;

	for (int i = 0; i < argc && rc == 0; i++)
		rc = add_argument(args, argv[i], err);
	if (rc < 0) {
		cadre_value_free(&args);
		return rc;
	}
	*ret = args;
	return 0;
}

/* Splits "LIB:FUNCTION" at the last colon; *ret_lib is owned. */
static int
split_target(const char *option, const char *text, char **ret_lib,
	     const char **ret_function, struct cadre_error *err)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return error_set(err, CADRE_EINVAL,
				 "%s: \"%.100s\" is not a file, a colon and "
				 "the name of a function",
				 option, text);
	*ret_lib = strndup(text, (size_t)(colon - text));
	*ret_function = colon + 1;
	return *ret_lib == NULL ? error_nomem(err) : 0;
}

static int
read_source(const char *path, struct buf *b, struct cadre_error *err)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
					: open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	int rc = 0;

	if (fd < 0)
		return error_sys(err, errno, "cannot read %s", path);
	while (n > 0) {
		uint8_t *room = buf_reserve(b, 4096);

		if (room == NULL)
			break;
		n = read(fd, room, 4096);
		if (n > 0)
			buf_commit(b, (size_t)n);
	}
	if (n < 0)
		rc = error_sys(err, errno, "cannot read %s", path);
	(void)close(fd);
	buf_put_u8(b, '\0');
	if (rc == 0 && b->error != 0)
		rc = error_set(err, CADRE_ETOOBIG,
			       "%s is too long for a source text", path);
	return rc;
}

static int
submit(const struct evalopts *o, struct cadre_pool *pool,
       const struct cadre_value *args, struct cadre_task **ret,
       struct cadre_error *err)
{
	const char *option = o->native != NULL ? "--native" : "--source";
	const char *target = o->native != NULL ? o->native : o->source;
	struct cadre_opts *opts = NULL;
	const char *function = NULL;
	char *file = NULL;
	struct buf text;
	int rc = split_target(option, target, &file, &function, err);

	buf_init(&text, SOURCE_MAX);
	if (rc == 0)
		rc = taskopts_make(&o->task, &opts, err);
	if (rc == 0 && o->native != NULL) {
		rc = cadre_submit_native(pool, file, function, args, opts, ret,
					 err);
	} else if (rc == 0) {
		rc = read_source(file, &text, err);
		if (rc == 0)
			rc = cadre_submit_source(pool, (const char *)text.data,
						 function, args, opts, ret,
						 err);
	}
	buf_fini(&text);
	cadre_opts_free(&opts);
	free(file);
	return rc;
}

static int
print_json(const struct cadre_value *v, struct cadre_error *err)
{
	char *text;
	int rc = cadre_value_to_json(v, &text, err);

	if (rc < 0)
		return rc;
	(void)printf("%s\n", text);
	free(text);
	return 0;
}

/* One element of a vector as people write it; false for other types. */
static bool
print_element(const struct cadre_value *v, size_t i)
{
	const char *s;
	double x;

	switch (cadre_value_type(v)) {
	case CADRE_LOGICAL: {
		int32_t b = cadre_value_logical_data(v)[i];

		(void)puts(b == CADRE_NA_INT32 ? "NA" : b ? "true" : "false");
		return true;
	}
	case CADRE_INT32: {
		int32_t n = cadre_value_int32_data(v)[i];

		if (n == CADRE_NA_INT32)
			(void)puts("NA");
		else
			(void)printf("%" PRId32 "\n", n);
		return true;
	}
	case CADRE_INT64: {
		int64_t n = cadre_value_int64_data(v)[i];

		if (n == CADRE_NA_INT64)
			(void)puts("NA");
		else
			(void)printf("%" PRId64 "\n", n);
		return true;
	}
	case CADRE_DOUBLE:
		x = cadre_value_double_data(v)[i];
		if (cadre_is_na_double(x))
			(void)puts("NA");
		else
			(void)printf("%.15g\n", x);
		return true;
	case CADRE_STRING:
		s = cadre_value_string_at(v, i);
		(void)puts(s == NULL ? "NA" : s);
		return true;
	case CADRE_NULL:
	case CADRE_COMPLEX:
	case CADRE_RAW:
	case CADRE_LIST:
	case CADRE_OPAQUE:
		break;
	}
	return false;
}

/* Vectors one element a line, raw bytes as they are, the rest as JSON. */
static int
print_plain(const struct cadre_value *v, struct cadre_error *err)
{
	size_t n = cadre_value_length(v);

	if (cadre_value_type(v) == CADRE_NULL)
		return 0;
	if (cadre_value_type(v) == CADRE_RAW) {
		(void)fwrite(cadre_value_bytes(v), 1, n, stdout);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!print_element(v, i))
			return print_json(v, err);
	return 0;
}

static void
on_output(struct cadre_task *task, int which, const void *data, size_t len,
	  void *arg)
{
	(void)task;
	(void)arg;
	(void)which;
	stream_put(STREAM_ERR, data, len);
	stream_put(STREAM_ERR, "\n", 1);
}

static int
outcome_status(const struct cadre_task *task)
{
	switch (cadre_task_outcome(task)) {
	case CADRE_OUTCOME_ERROR:
	case CADRE_OUTCOME_INTERRUPT:
		return 1;
	case CADRE_OUTCOME_TIMEOUT:
		return 124;
	default:
		return CLI_FAILURE;
	}
}

static int
finish(const struct evalopts *o, struct cadre_task *task, int *ret_status,
       struct cadre_error *err)
{
	const struct cadre_value *v = cadre_task_value(task);

	if (signals_caught() != 0) {
		*ret_status = 128 + signals_caught();
		return 0;
	}
	if (v == NULL) {
		cli_warn(
			&eval_command, "%s",
			cadre_task_error(task) != NULL
				? cadre_task_error(task)
				: cadre_outcome_name(cadre_task_outcome(task)));
		*ret_status = outcome_status(task);
		return 0;
	}
	*ret_status = 0;
	return o->json ? print_json(v, err) : print_plain(v, err);
}

static int
eval(const struct evalopts *o, int argc, char **argv, int *ret_status,
     struct cadre_error *err)
{
	struct cadre_value *args = NULL;
	struct cadre_pool *pool = NULL;
	struct cadre_task *task = NULL;
	int rc;

	if ((o->native == NULL) == (o->source == NULL))
		return error_set(err, CADRE_EINVAL,
				 "give either --native LIB:FUNCTION or "
				 "--source FILE:FUNCTION");
	rc = make_args(argc, argv, &args, err);
	if (rc == 0)
		rc = signals_open(err);
	if (rc == 0)
		rc = poolopts_open(&o->pool, &pool, err);
	if (rc == 0)
		rc = submit(o, pool, args, &task, err);
	if (rc == 0) {
		(void)cadre_task_on_output(task, on_output, NULL);
		(void)waittask(pool, task);
		rc = finish(o, task, ret_status, err);
	}
	cadre_task_unref(&task);
	cadre_pool_close(&pool);
	cadre_value_free(&args);
	return rc;
}

static int
eval_main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct evalopts o = {.pool = {.slots = "1"}};
	int first, status;

	if (cli_options(&eval_command, argc, argv, &o, &first, &status) &&
	    eval(&o, argc - first, argv + first, &status, &err) < 0)
		status = cli_fail(&eval_command, &err);
	poolopts_fini(&o.pool);
	taskopts_fini(&o.task);
	return status;
}
