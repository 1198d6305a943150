/* SPDX-License-Identifier: MIT */
#include "cli/mapopts.h"

#include "util/error.h"
#include "util/parse.h"

static int
set_halt(void *target, const char *value, struct cadre_error *err)
{
	return halt_parse(value, &((struct mapopts *)target)->halt, err);
}

static int
set_max_args(void *target, const char *value, struct cadre_error *err)
{
	struct input_options *in = &((struct mapopts *)target)->input;

	if (parse_uint32(value, 0, 1U << 20, &in->max_args) < 0)
		return error_set(err, CADRE_EINVAL,
				 "--max-args: \"%.40s\" is not a number",
				 value);
	in->max_args_set = true;
	return 0;
}

/* parallel's and xargs' -n means arguments per command; here -j counts slots
 * and -N arguments, so that nobody gets the wrong one by habit. */
static int
refuse_n(void *target, const char *value, struct cadre_error *err)
{
	(void)target;
	return error_set(err, CADRE_EINVAL,
			 "-n is not an option of map: for %.20s slots use -j, "
			 "for %.20s arguments per command -N",
			 value, value);
}

static int
ignore_group(void *target, const char *value, struct cadre_error *err)
{
	struct mapopts *o = target;

	(void)value;
	(void)err;
	o->line_buffer = o->ungroup = false;
	return 0;
}

#define AT(member) offsetof(struct mapopts, member)

/* clang-format off */
const struct option mapopts_table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Where tasks run", 0, NULL},
	POOLOPTS_ROW_NAME(mapopts, pool,
		"use the dispatcher that \"cadre start -p NAME\" started, "
		"instead of daemons of this command's own"),
	{OPTION_TEXT, 'j', "slots", "N",
	 "tasks that may run at once: N, +N or -N beside the cores, N% of "
	 "them (default: the cores less one, at least one)",
	 AT(pool.slots), NULL},
	{OPTION_TEXT, 0, "jobs", "N", NULL, 0, NULL},
	{OPTION_TEXT, 'P', "max-procs", "N", NULL, 0, NULL},
	POOLOPTS_ROWS(mapopts, pool),

	{OPTION_HEADING, 0, NULL, NULL, "Arguments", 0, NULL},
	{OPTION_LIST, 'a', "arg-file", "FILE",
	 "read arguments from FILE, - for standard input; may be repeated",
	 AT(arg_files), NULL},
	{OPTION_FLAG, '0', "null", NULL,
	 "arguments end with NUL instead of newline", AT(input.null), NULL},
	{OPTION_TEXT, 'd', "delimiter", "TEXT",
	 "arguments end with TEXT; \\n, \\t, \\0 and \\xHH are understood",
	 AT(input.delimiter), NULL},
	{OPTION_TEXT, 'C', "colsep", "REGEX",
	 "split each line into columns {1}, {2}, ... at REGEX",
	 AT(input.colsep), NULL},
	{OPTION_CALL, 'N', "max-args", "N",
	 "take N arguments for each command, as {1} to {N}", 0, set_max_args},
	{OPTION_CALL, 0, "max-replace-args", "N", NULL, 0, NULL},
	{OPTION_FLAG, 0, "link", NULL,
	 "link all input sources; short ones start over", AT(input.link),
	 NULL},
	{OPTION_FLAG, 0, "xapply", NULL, NULL, 0, NULL},
	{OPTION_FLAG, 'r', "no-run-if-empty", NULL,
	 "leave out arguments that are only blanks", AT(input.skip_blank),
	 NULL},
	{OPTION_FLAG, 0, "shuf", NULL, "run the tasks in random order",
	 AT(shuffle), NULL},
	{OPTION_TEXT, 'I', "replace", "TEXT",
	 "the replacement string for an argument, instead of {}",
	 AT(replace), NULL},
	{OPTION_FLAG, 'q', "quote", NULL,
	 "quote the words of COMMAND, so that the shell takes them as they "
	 "are", AT(quote), NULL},
	{OPTION_TEXT, 0, "arg-sep", "TEXT",
	 "use TEXT instead of ::: before arguments", AT(arg_sep), NULL},
	{OPTION_TEXT, 0, "arg-file-sep", "TEXT",
	 "use TEXT instead of :::: before files of arguments",
	 AT(arg_file_sep), NULL},

	{OPTION_HEADING, 0, NULL, NULL, "Output", 0, NULL},
	{OPTION_FLAG, 'k', "keep-order", NULL,
	 "print output in the order of the arguments", AT(keep_order), NULL},
	{OPTION_CALL, 0, "group", NULL,
	 "print a task's output when it is done (the default)", 0,
	 ignore_group},
	{OPTION_FLAG, 0, "line-buffer", NULL,
	 "print whole lines as they come", AT(line_buffer), NULL},
	{OPTION_FLAG, 0, "lb", NULL, NULL, 0, NULL},
	{OPTION_FLAG, 'u', "ungroup", NULL,
	 "print output as it comes, lines of several tasks may mix",
	 AT(ungroup), NULL},
	{OPTION_FLAG, 0, "tag", NULL,
	 "put the arguments and a tab before each line", AT(tag), NULL},
	{OPTION_TEXT, 0, "tagstring", "TEXT",
	 "put TEXT and a tab before each line; may hold replacement strings",
	 AT(tagstring), NULL},
	{OPTION_FLAG, 0, "json", NULL,
	 "print one JSON object for each task, with its output and how it "
	 "ran", AT(json), NULL},
	{OPTION_TEXT, 0, "results", "DIR",
	 "keep each task's output in files below DIR, or in files named by a "
	 "text with replacement strings", AT(results), NULL},
	{OPTION_TEXT, 0, "res", "DIR", NULL, 0, NULL},
	{OPTION_TEXT, 0, "joblog", "FILE",
	 "write a line for each finished task, in GNU parallel's columns; "
	 "+FILE appends", AT(joblog), NULL},
	{OPTION_TEXT, 0, "jl", "FILE", NULL, 0, NULL},
	{OPTION_FLAG, 0, "progress", NULL,
	 "show on a terminal how many are done and failed, rate and time left",
	 AT(progress), NULL},
	{OPTION_FLAG, 0, "eta", NULL, NULL, 0, NULL},
	{OPTION_FLAG, 0, "bar", NULL,
	 "the same with a bar; reads all arguments first", AT(bar), NULL},
	{OPTION_FLAG, 0, "dry-run", NULL,
	 "print the commands instead of running them", AT(dry_run), NULL},
	{OPTION_FLAG, 0, "dryrun", NULL, NULL, 0, NULL},

	{OPTION_HEADING, 0, NULL, NULL, "Failures and limits", 0, NULL},
	{OPTION_CALL, 0, "halt", "WHEN,WHY",
	 "never, or: soon or now, then fail=, success= or done= with a number "
	 "or percentage of tasks (default: never)", 0, set_halt},
	{OPTION_CALL, 0, "halt-on-error", "WHEN,WHY", NULL, 0, NULL},
	{OPTION_FLAG, 0, "resume", NULL,
	 "leave out the tasks that --joblog or --results already has",
	 AT(resume), NULL},
	{OPTION_FLAG, 0, "resume-failed", NULL,
	 "the same, but run those again that failed", AT(resume_failed),
	 NULL},
	{OPTION_DURATION, 0, "delay", "TIME",
	 "wait TIME between the starts of tasks", AT(delay_ms), NULL},
	TASKOPTS_ROWS(mapopts, task),
	TASKOPTS_ROWS_COMMAND(mapopts, task),
	{OPTION_CALL, 'n', NULL, "N", "refused: see -j and -N", 0, refuse_n},

	{OPTION_HEADING, 0, NULL, NULL, "Other", 0, NULL},
	OPTION_END,
};
/* clang-format on */

void
mapopts_init(struct mapopts *o)
{
	*o = (struct mapopts){
		.arg_sep = ":::",
		.arg_file_sep = "::::",
		.replace = "{}",
	};
}

int
mapopts_check(const struct mapopts *o, struct cadre_error *err)
{
	const struct {
		bool wrong;
		const char *text;
	} checks[] = {
		{(o->resume || o->resume_failed) && o->joblog == NULL &&
			 o->results == NULL,
		 "--resume needs --joblog or --results of the earlier run"},
		{o->resume_failed && o->joblog == NULL,
		 "--resume-failed needs --joblog: only a log tells what "
		 "failed"},
		{o->input.null && o->input.delimiter != NULL,
		 "--null and --delimiter contradict each other"},
		{o->json && (o->tag || o->tagstring != NULL || o->line_buffer ||
			     o->ungroup),
		 "--json prints objects: it goes with neither --tag, "
		 "--tagstring, --line-buffer nor --ungroup"},
		{o->results != NULL && (o->line_buffer || o->ungroup),
		 "--results goes with neither --line-buffer nor --ungroup"},
		{o->arg_sep[0] == '\0' || o->arg_file_sep[0] == '\0' ||
			 o->replace[0] == '\0',
		 "--arg-sep, --arg-file-sep and --replace need a text that is "
		 "not empty"},
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].wrong)
			return error_set(err, CADRE_EINVAL, "%s",
					 checks[i].text);
	return 0;
}

void
mapopts_fini(struct mapopts *o)
{
	poolopts_fini(&o->pool);
	taskopts_fini(&o->task);
	option_list_fini(&o->arg_files);
}
