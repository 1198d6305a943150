/* SPDX-License-Identifier: MIT */
#ifndef CLI_MAPOPTS_H
#define CLI_MAPOPTS_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

#include "cli/halt.h"
#include "cli/input.h"
#include "cli/option.h"
#include "cli/poolopts.h"
#include "cli/taskopts.h"

/* What the command line of map says. */
struct mapopts {
	struct poolopts pool;
	struct taskopts task;
	struct input_options input;
	struct option_list arg_files;
	const char *arg_sep, *arg_file_sep, *replace;
	bool quote, shuffle, dry_run;
	bool keep_order, line_buffer, ungroup, tag, json;
	const char *tagstring, *results, *joblog;
	bool resume, resume_failed;
	struct halt halt;
	int64_t delay_ms;
	bool progress, bar;
};

extern const struct option mapopts_table[];

void mapopts_init(struct mapopts *o);
/* Refuses options that contradict each other. */
int mapopts_check(const struct mapopts *o, struct cadre_error *err);
void mapopts_fini(struct mapopts *o);

#endif
