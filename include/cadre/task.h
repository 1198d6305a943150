/* SPDX-License-Identifier: MIT */
#ifndef CADRE_TASK_H
#define CADRE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>
#include <cadre/value.h>

/*
 * Task handles.
 *
 * A handle is what a submission returns: unresolved at first, then resolved
 * once and for ever to an outcome.  It is counted: the submitter owns one
 * reference; the library keeps its own while the task is under way, so that a
 * handle may be dropped at any time (the task still runs, its outcome is then
 * thrown away).  Handles outlive their pool: closing a pool resolves what was
 * open to CADRE_OUTCOME_CLOSED.
 *
 * All functions may be called from any thread.  Callbacks run only inside
 * cadre_* calls of the caller (waits, cadre_pool_process), never on a thread of
 * the library.
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct cadre_task;
struct cadre_pool;

enum cadre_state {
	CADRE_WAITING = 0,  /* for the tasks named by "after" */
	CADRE_READY = 1,    /* in the queue */
	CADRE_ASSIGNED = 2, /* given to a slot, not known to have begun */
	CADRE_STARTED = 3,
	CADRE_DONE = 4
};

/*
 * How a task ended.  The numbers of the error values (5, 19, 20) are fixed;
 * they are those that R users know from mirai.
 */
enum cadre_outcome {
	CADRE_OUTCOME_NONE = -1, /* unresolved */
	CADRE_OUTCOME_VALUE = 0, /* it returned; a command: with status 0 */
	CADRE_OUTCOME_ERROR = 1, /* evaluation failed: see cadre_task_error */
	CADRE_OUTCOME_EXIT = 2,	 /* a command ended with another status or
				    by a signal */
	CADRE_OUTCOME_INTERRUPT = 3, /* the evaluation was interrupted */
	CADRE_OUTCOME_TIMEOUT = 5, /* it ran, or waited, longer than allowed */
	CADRE_OUTCOME_CLOSED = 7,  /* the pool was closed first */
	CADRE_OUTCOME_LOST = 19,   /* its worker or daemon died as it ran */
	CADRE_OUTCOME_CANCELLED = 20
};

/* What is known of how a task ran.  Times in nanoseconds; the fields of a
 * command that do not apply are 0. */
struct cadre_task_stats {
	uint32_t attempts;	   /* how often it was given to a slot */
	uint64_t wall_ns;	   /* of the last attempt */
	uint64_t user_ns, sys_ns;  /* CPU time, commands */
	uint64_t peak_bytes;	   /* peak memory, commands */
	int64_t submitted_unix_ns; /* wall clock; 0 if unknown */
	int64_t started_unix_ns;
	uint32_t daemon; /* its daemon's incarnation */
	uint32_t slot;	 /* counted from 0 within its daemon */
	uint32_t pid;	 /* of the command, 0 otherwise */
};

/* What a command left behind.  Pointers are borrowed until the handle is
 * freed.  stdout and stderr are what was kept in memory; if there was more,
 * the *_file names a file that holds all of it (else NULL), and *_total
 * counts all bytes. */
struct cadre_command_result {
	int exit_status; /* 0 to 255; -1 if ended by a signal */
	int signal;	 /* 0, or the signal that ended it */
	bool core_dumped;
	const char *out;
	size_t out_len;
	uint64_t out_total;
	const char *out_file;
	const char *err;
	size_t err_len;
	uint64_t err_total;
	const char *err_file;
};

/* Identifies the task within its pool's dispatcher; never reused. */
uint64_t cadre_task_id(const struct cadre_task *t);

struct cadre_task *cadre_task_ref(struct cadre_task *t);
/* Drops *t (takes) and sets it to NULL.  *t may be NULL. */
void cadre_task_unref(struct cadre_task **t);

/* True until the outcome is there.  Does not block. */
bool cadre_task_unresolved(const struct cadre_task *t);
/*
 * Where it stands.  Of an open task on a connected pool only its dispatcher
 * knows, and it does not send word of every step: such a task is CADRE_READY
 * until it is CADRE_DONE.  cadre_pool_info counts them all.
 */
enum cadre_state cadre_task_state(const struct cadre_task *t);

/*
 * Blocks until t is resolved.  timeout_ms < 0 waits for ever, 0 only looks.
 * CADRE_ETIMEDOUT if it is still open, CADRE_EAGAIN if cadre_pool_wake ended
 * the wait (the task goes on).
 */
int cadre_task_wait(struct cadre_task *t, int64_t timeout_ms);
/* Waits for all n tasks; NULL elements are passed over. */
int cadre_task_wait_all(struct cadre_task *const *tasks, size_t n,
			int64_t timeout_ms);
/* Waits until one of n tasks is resolved; *ret_index is the lowest that is.
 * CADRE_EINVAL for n = 0. */
int cadre_task_race(struct cadre_task *const *tasks, size_t n,
		    int64_t timeout_ms, size_t *ret_index);

/*
 * Cancels: a waiting task is taken from the queue, a running one interrupted
 * (SIGINT, then SIGTERM, then SIGKILL, a grace period apart).  The outcome is
 * CADRE_OUTCOME_CANCELLED, at once.  *ret_was_open (may be NULL) tells whether
 * there was anything to cancel.  Idempotent.
 */
int cadre_task_cancel(struct cadre_task *t, bool *ret_was_open);
/* The same for many, in linear time. */
int cadre_task_cancel_all(struct cadre_task *const *tasks, size_t n,
			  size_t *ret_cancelled);

/* CADRE_OUTCOME_NONE while unresolved. */
enum cadre_outcome cadre_task_outcome(const struct cadre_task *t);
/* "value", "error", "exit", "interrupted", "timed out", "closed",
 * "connection reset", "cancelled" (static, borrowed). */
const char *cadre_outcome_name(enum cadre_outcome outcome);
/*
 * The value of a task whose outcome is CADRE_OUTCOME_VALUE, borrowed until the
 * handle is freed; NULL for every other outcome.  A command's value is its
 * standard output as raw bytes.
 */
const struct cadre_value *cadre_task_value(const struct cadre_task *t);
/*
 * For any outcome but VALUE: a sentence for people, such as "timed out after
 * 5 s", borrowed until the handle is freed.  NULL otherwise.
 */
const char *cadre_task_error(const struct cadre_task *t);
/* The named fields of an evaluation error ("message", "call", "trace",
 * "classes" …) as a list, borrowed; NULL if there are none. */
const struct cadre_value *cadre_task_condition(const struct cadre_task *t);
/* CADRE_EAGAIN while unresolved. */
int cadre_task_stats(const struct cadre_task *t, struct cadre_task_stats *ret);
/* The result of a command (outcomes VALUE, EXIT, and what was captured of one
 * that was cancelled or timed out); CADRE_EINVAL for other tasks, CADRE_EAGAIN
 * while unresolved. */
int cadre_task_command_result(const struct cadre_task *t,
			      struct cadre_command_result *ret);
/* The name given with the option "name", borrowed; NULL if none. */
const char *cadre_task_name(const struct cadre_task *t);
/* A pointer of the caller's that travels with the handle. */
void cadre_task_set_data(struct cadre_task *t, void *data);
void *cadre_task_data(const struct cadre_task *t);

/*
 * Completion callback.  fn is called once, with the resolved task (borrowed)
 * and arg, inside a cadre_* call of some thread after the task resolved; at
 * once if it already is.  One per task; a second call replaces the first.
 */
typedef void cadre_task_fn(struct cadre_task *t, void *arg);
int cadre_task_on_done(struct cadre_task *t, cadre_task_fn *fn, void *arg);

/*
 * Live output of a command submitted with output=stream, and progress
 * messages of native tasks.  which: 1 stdout, 2 stderr, 3 progress message.
 * data is borrowed for the call.  Called under the same rules as above, always
 * before the completion callback, the pieces in order.
 */
typedef void cadre_output_fn(struct cadre_task *t, int which, const void *data,
			     size_t len, void *arg);
int cadre_task_on_output(struct cadre_task *t, cadre_output_fn *fn, void *arg);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
