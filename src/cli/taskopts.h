/* SPDX-License-Identifier: MIT */
#ifndef CLI_TASKOPTS_H
#define CLI_TASKOPTS_H

#include <stddef.h>
#include <stdint.h>

#include <cadre/config.h>
#include <cadre/error.h>

#include "cli/option.h"

/* The options of tasks that run, map and eval share. */
struct taskopts {
	const char *timeout, *deadline, *priority, *cwd, *output_limit;
	uint32_t retries; /* times that a task is run at most; 0: not given */
	struct option_list env;
	struct option_list settings; /* KEY=VALUE */
};

#define TASKOPTS_ROWS(type, member) \
	{OPTION_TEXT, \
	 0, \
	 "timeout", \
	 "TIME", \
	 "longest time that a task may run, from the start of each attempt", \
	 offsetof(struct type, member.timeout), \
	 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "deadline", \
		 "TIME", \
		 "longest time from submission to outcome", \
		 offsetof(struct type, member.deadline), \
		 NULL}, \
		{OPTION_COUNT, \
		 0, \
		 "retries", \
		 "N", \
		 "run a task that fails up to N times in all", \
		 offsetof(struct type, member.retries), \
		 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "priority", \
		 "N", \
		 "-1000 to 1000, higher first (default: 0)", \
		 offsetof(struct type, member.priority), \
		 NULL}, \
	{ \
		OPTION_LIST, 0, "option", "KEY=VALUE", \
			"any other option of a task; may be repeated", \
			offsetof(struct type, member.settings), NULL \
	}

#define TASKOPTS_ROWS_COMMAND(type, member) \
	{OPTION_LIST, \
	 0, \
	 "env", \
	 "NAME[=VALUE]", \
	 "set a variable in the environment of commands, or take over the " \
	 "one of this process; may be repeated", \
	 offsetof(struct type, member.env), \
	 NULL}, \
	{ \
		OPTION_TEXT, 0, "cwd", "DIR", \
			"working directory of commands (default: the current " \
			"one)", \
			offsetof(struct type, member.cwd), NULL \
	}

/* Owned. */
int taskopts_make(const struct taskopts *o, struct cadre_opts **ret,
		  struct cadre_error *err);
void taskopts_fini(struct taskopts *o);

#endif
