/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <cadre/pool.h>

#include "cli/cli.h"
#include "cli/poolopts.h"
#include "cli/quiesce.h"
#include "cli/record.h"
#include "cli/signals.h"
#include "cli/stdinopt.h"
#include "cli/stream.h"
#include "cli/taskopts.h"
#include "cli/waittask.h"
#include "util/error.h"

struct runopts {
	struct poolopts pool;
	struct taskopts task;
	const char *stdin_file;
	bool no_stdin, merge;
};

static int run_main(int argc, char **argv);

/* clang-format off */
static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	POOLOPTS_ROW_NAME(runopts, pool,
		"use the dispatcher that \"cadre start -p NAME\" started, "
		"instead of a daemon of this command's own"),
	TASKOPTS_ROWS(runopts, task),
	TASKOPTS_ROWS_COMMAND(runopts, task),
	{OPTION_TEXT, 0, "stdin", "FILE",
	 "standard input of the command, a file where the daemon runs",
	 offsetof(struct runopts, stdin_file), NULL},
	{OPTION_FLAG, 0, "no-stdin", NULL,
	 "let the command read /dev/null instead of this standard input",
	 offsetof(struct runopts, no_stdin), NULL},
	{OPTION_FLAG, 0, "merge", NULL,
	 "print the command's standard error on standard output, in order",
	 offsetof(struct runopts, merge), NULL},
	POOLOPTS_ROWS(runopts, pool),
	OPTION_END,
};
/* clang-format on */

const struct command run_command = {
	.name = "run",
	.synopsis = "[OPTION]... [--] COMMAND [ARG]...",
	.summary = "Run one command on a daemon, as if it ran here.",
	.epilogue = "Exit status: the command's own, 128+N if signal N ended "
		    "it, 124 if it timed out,\n125 if cadre itself failed, "
		    "126 if COMMAND cannot be executed, 127 if it is not\n"
		    "found.",
	.options = table,
	.main = run_main,
	.failure = CLI_FAILURE,
};

static void
on_output(struct cadre_task *task, int which, const void *data, size_t len,
	  void *arg)
{
	(void)task;
	(void)arg;
	if (which == STREAM_OUT || which == STREAM_ERR)
		stream_put(which, data, len);
}

static int
make_opts(const struct runopts *o, struct cadre_opts **ret,
	  struct cadre_error *err)
{
	struct cadre_opts *opts;
	int rc = taskopts_make(&o->task, &opts, err);

	if (rc < 0)
		return rc;
	rc = cadre_opts_set(opts, "output", "stream", err);
	if (rc == 0 && o->merge)
		rc = cadre_opts_set(opts, "merge", "yes", err);
	if (rc == 0 && o->stdin_file != NULL)
		rc = cadre_opts_set(opts, "stdin-file", o->stdin_file, err);
	else if (rc == 0 && !o->no_stdin)
		rc = stdinopt_set(
			opts, o->pool.name == NULL && o->pool.launcher == NULL,
			err);
	if (rc < 0) {
		cadre_opts_free(&opts);
		return rc;
	}
	*ret = opts;
	return 0;
}

/* What the command could not say itself. */
static void
explain(const struct record *r, const char *name)
{
	if (r->outcome == CADRE_OUTCOME_VALUE ||
	    r->outcome == CADRE_OUTCOME_EXIT)
		return;
	cli_warn(&run_command, "%s: %s", name,
		 r->error != NULL ? r->error : cadre_outcome_name(r->outcome));
}

/* Exit status when standard output cannot be written or a signal came. */
static int
stopped_status(void)
{
	if (signals_caught() != 0)
		return 128 + signals_caught();
	if (stream_error() == EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	cli_warn(&run_command, "cannot write to standard output: %s",
		 strerror(stream_error()));
	return CLI_FAILURE;
}

static int
run(struct cadre_pool *pool, bool shared, struct cadre_opts *opts, char **argv,
    int *ret_status, struct cadre_error *err)
{
	struct record r = {.seq = 1};
	struct cadre_task *task;
	bool whole;
	int rc = cadre_submit_command(pool, (const char *const *)argv, opts,
				      &task, err);

	if (rc < 0)
		return rc;
	(void)cadre_task_on_output(task, on_output, NULL);
	whole = waittask(pool, task);
	record_fill(&r, task);
	if (whole && stream_error() == 0)
		explain(&r, argv[0]);
	*ret_status = record_status(&r);
	cadre_task_unref(&task);
	if (!whole && !shared)
		quiesce(pool);
	cadre_pool_close(&pool);
	if (!whole || stream_error() != 0)
		*ret_status = stopped_status();
	return 0;
}

static int
run_main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct runopts o = {.pool = {.slots = "1"}};
	struct cadre_opts *opts = NULL;
	struct cadre_pool *pool = NULL;
	int first, rc, status;

	if (!cli_options(&run_command, argc, argv, &o, &first, &status)) {
		poolopts_fini(&o.pool);
		taskopts_fini(&o.task);
		return status;
	}
	rc = first >= argc ? error_set(&err, CADRE_EINVAL,
				       "no command; see cadre run --help")
			   : signals_open(&err);
	if (rc == 0)
		rc = make_opts(&o, &opts, &err);
	if (rc == 0)
		rc = poolopts_open(&o.pool, &pool, &err);
	if (rc == 0)
		rc = run(pool, o.pool.name != NULL, opts, argv + first, &status,
			 &err);
	if (rc < 0) {
		cadre_pool_close(&pool);
		status = cli_fail(&run_command, &err);
	}
	cadre_opts_free(&opts);
	poolopts_fini(&o.pool);
	taskopts_fini(&o.task);
	return status;
}
