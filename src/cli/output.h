/* SPDX-License-Identifier: MIT */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "cli/stream.h"
#include "util/buf.h"

/*
 * The output of a map's tasks.  With keep_order it leaves in order of their
 * numbers; what waits for its turn is kept in memory up to a limit, then in an
 * unlinked temporary file.  lines: only whole lines leave, so that several
 * tasks may write at once.
 */
struct output;

int output_new(bool keep_order, bool lines, struct output **ret,
	       struct cadre_error *err);
void output_free(struct output **o);

/* The state of one task; zero-initialised, then seq and tag set. */
struct output_task {
	uint64_t seq;
	const char *tag; /* put before each line; NULL: none; borrowed */
	bool mid_line[STREAM_ERR + 1];
	struct buf partial[STREAM_ERR + 1];
};

/* More output of a task, which is STREAM_OUT or STREAM_ERR. */
int output_put(struct output *o, struct output_task *t, int which,
	       const void *data, size_t len, struct cadre_error *err);
/* The same from a file. */
int output_put_file(struct output *o, struct output_task *t, int which,
		    const char *path, struct cadre_error *err);
/* The task's output is complete (or there is none); frees what t holds. */
int output_end(struct output *o, struct output_task *t,
	       struct cadre_error *err);
/* Lets go what waits for a turn that will not come, in order. */
int output_drain(struct output *o, struct cadre_error *err);

#endif
