/* SPDX-License-Identifier: MIT */
#ifndef CLI_JOBLOG_H
#define CLI_JOBLOG_H

#include <stdbool.h>
#include <stdint.h>

#include <cadre/error.h>

#include "cli/record.h"

/*
 * The job log, in GNU parallel's columns: Seq, Host, Starttime, JobRuntime,
 * Send, Receive, Exitval, Signal, Command; one line for each finished task.
 */
struct joblog;

/* What a log of an earlier run says about its tasks. */
struct joblog_done {
	uint8_t *state; /* by seq; 0 unknown, 1 succeeded, 2 failed */
	uint64_t n;
};

/* path "+FILE" appends.  resume: the log is kept and read into *ret_done (may
 * be NULL otherwise). */
int joblog_open(const char *path, bool resume, struct joblog **ret,
		struct joblog_done *ret_done, struct cadre_error *err);
/* Adds a line; joblog_flush writes out whole lines. */
int joblog_write(struct joblog *log, const struct record *r,
		 struct cadre_error *err);
int joblog_flush(struct joblog *log, struct cadre_error *err);
int joblog_close(struct joblog **log, struct cadre_error *err);

void joblog_done_fini(struct joblog_done *done);
/* Tasks that need not run again; failed ones do if retry_failed. */
bool joblog_is_done(const struct joblog_done *done, uint64_t seq,
		    bool retry_failed);

#endif
