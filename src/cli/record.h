/* SPDX-License-Identifier: MIT */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/task.h>

#include "cli/args.h"

/* What became of one task of a map: what the job log, --json, --results and
 * the output are made from.  Everything is borrowed from the task. */
struct record {
	uint64_t seq; /* from 1, in order of input */
	const struct args *args;
	const char *line; /* the command as text */
	const char *host; /* node that ran it, ":" for this one */
	enum cadre_outcome outcome;
	const char *error; /* a sentence, or NULL */
	struct cadre_task_stats stats;
	struct cadre_command_result result;
};

/* Fills in outcome, error, stats and result from a resolved task. */
void record_fill(struct record *r, const struct cadre_task *task);
bool record_failed(const struct record *r);
/* Exit status as a shell would give it: 128 + N for signals; 127 and 126 if
 * the command was not found or could not be run, 124 if it timed out, 125 if
 * cadre lost it. */
int record_status(const struct record *r);

#endif
