/* SPDX-License-Identifier: MIT */
#ifndef HOST_TASK_H
#define HOST_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/task.h>

#include "dispatch/dispatch.h"
#include "host/event.h"
#include "host/opts.h"

enum task_kind { TASK_COMMAND = 1, TASK_NATIVE = 2, TASK_EVERYWHERE = 3 };

/* Bits of cadre_task.state. */
enum task_bits {
	TASK_RESOLVED = 1,
	TASK_WAITED = 2 /* somebody sleeps until it is resolved */
};

/*
 * What is kept of an outcome: the frame that brought it, decoded when somebody
 * asks.
 */
struct task_result {
	uint32_t attempts;
	uint32_t incarnation;
	uint32_t slot;
	uint32_t fields_len;
	const uint8_t *payload;
	size_t payload_len;
	struct blob *owner; /* of a large payload */
	_Atomic(struct cadre_value *) value;
	_Atomic(struct cadre_value *) condition;
	_Atomic(char *) sentence;
	_Atomic(char *) out_file;
	_Atomic(char *) err_file;
	uint64_t bytes[]; /* fields, then the payload if it is small */
};

/* What few tasks have.  All but name is guarded by the pool's event lock. */
struct task_extra {
	char *name;
	cadre_task_fn *done;
	void *done_arg;
	bool done_queued;
	struct event *done_event; /* made beforehand: it cannot fail later */
	cadre_output_fn *output;
	void *output_arg;
	struct event_list backlog; /* output that nobody listens to yet */
};

/*
 * A handle.  pool points at memory that is never freed; it is this task's pool
 * only as long as its life is the same (see pool.h).
 */
struct cadre_task {
	_Atomic uint32_t refs;
	_Atomic uint32_t state;
	struct cadre_pool *pool;
	uint32_t life;
	uint8_t kind;
	bool stream;
	bool tracked;
	int8_t outcome;
	uint32_t order; /* of resolution, within its pool */
	_Atomic uint64_t id;
	uint64_t number; /* a remote dispatcher's connection: our own number */
	int64_t submitted_unix_ns;
	struct task_result *result;
	_Atomic(struct task_extra *) extra;
	struct cadre_task *next; /* among completions */
	void *data;
};

/* An open task with two references: the caller's and the library's. */
struct cadre_task *task_new(struct cadre_pool *pool, enum task_kind kind,
			    const struct opts_shape *shape);
/* Its rarely needed part, made on first use; NULL when memory ran out. */
struct task_extra *task_extra(struct cadre_task *t);
bool task_resolved(const struct cadre_task *t);
/*
 * Resolves it, wakes whoever waits for it and drops the library's reference.
 * Called with the pool's mutex held.
 */
void task_resolve(struct cadre_task *t, const struct dispatch_outcome *outcome);
/* The same with an outcome that has no more to say than a sentence. */
void task_fail(struct cadre_task *t, enum cadre_outcome outcome,
	       const char *message);
/* The bit by which its waiters are woken. */
uint32_t task_wait_bit(const struct cadre_task *t);

#endif
