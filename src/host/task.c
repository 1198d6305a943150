/* SPDX-License-Identifier: MIT */
#include "host/task.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host/pool.h"
#include "host/result.h"
#include "host/wait.h"

uint32_t
task_wait_bit(const struct cadre_task *t)
{
	return UINT32_C(1) << (((uintptr_t)t >> 5) % 31);
}

bool
task_resolved(const struct cadre_task *t)
{
	return (atomic_load_explicit(&t->state, memory_order_acquire) &
		TASK_RESOLVED) != 0;
}

static void
extra_free(struct task_extra *extra)
{
	if (extra == NULL)
		return;
	event_list_free(&extra->backlog);
	free(extra->done_event);
	free(extra->name);
	free(extra);
}

struct task_extra *
task_extra(struct cadre_task *t)
{
	struct task_extra *extra = atomic_load(&t->extra);
	struct task_extra *found = NULL;

	if (extra != NULL)
		return extra;
	extra = calloc(1, sizeof(*extra));
	if (extra == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&t->extra, &found, extra))
		return extra;
	extra_free(extra);
	return found;
}

static int
set_name(struct cadre_task *t, const char *name)
{
	struct task_extra *extra = task_extra(t);

	if (extra == NULL)
		return CADRE_ENOMEM;
	extra->name = strdup(name);
	return extra->name == NULL ? CADRE_ENOMEM : 0;
}

struct cadre_task *
task_new(struct cadre_pool *pool, enum task_kind kind,
	 const struct opts_shape *shape)
{
	struct cadre_task *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->refs = 2;
	t->pool = pool;
	t->life = atomic_load_explicit(&pool->life, memory_order_relaxed);
	t->kind = (uint8_t)kind;
	t->outcome = CADRE_OUTCOME_NONE;
	t->stream = shape != NULL && shape->stream;
	if (shape != NULL && shape->name != NULL &&
	    set_name(t, shape->name) < 0) {
		extra_free(t->extra);
		free(t);
		return NULL;
	}
	return t;
}

/* Whether nobody can ever ask for the outcome. */
static bool
is_dropped(struct cadre_task *t)
{
	return atomic_load_explicit(&t->refs, memory_order_acquire) == 1 &&
	       !t->tracked && atomic_load(&t->extra) == NULL;
}

/* What was left of a streamed command's output rides in its result. */
static void
stream_rest(struct cadre_task *t, const struct wire_frame *frame)
{
	uint64_t out = wire_u64(frame, WIRE_TAG_OUT_LEN, 0);

	if (out > frame->payload_len)
		out = frame->payload_len;
	if (out > 0)
		event_output(t, 1, frame->payload, (size_t)out);
	if (frame->payload_len > out)
		event_output(t, 2, frame->payload + out,
			     frame->payload_len - (size_t)out);
}

void
task_resolve(struct cadre_task *t, const struct dispatch_outcome *outcome)
{
	struct cadre_pool *pool = t->pool;
	uint32_t old;

	if (t->stream && outcome->result != NULL)
		stream_rest(t, outcome->result);
	if (!is_dropped(t))
		t->result = result_new(outcome, !t->stream);
	t->outcome = (int8_t)outcome->outcome;
	t->order = atomic_fetch_add_explicit(&pool->resolved, 1,
					     memory_order_relaxed);
	old = atomic_exchange(&t->state, TASK_RESOLVED);
	if ((old & TASK_WAITED) != 0)
		wait_wake(task_wait_bit(t));
	event_done(t);
	pool_notify(pool);
	if (pool->ephemeral && pool_has(t))
		pool_close_later(pool);
	cadre_task_unref(&t);
}

void
task_fail(struct cadre_task *t, enum cadre_outcome outcome, const char *message)
{
	task_resolve(t, &(struct dispatch_outcome){.outcome = outcome,
						   .message = message});
}

uint64_t
cadre_task_id(const struct cadre_task *t)
{
	struct cadre_pool *pool;
	uint64_t id;

	if (t == NULL)
		return 0;
	id = atomic_load(&t->id);
	if (id != 0 || !pool_enter(t))
		return id;
	pool = t->pool;
	submit_drain(pool);
	pool_unlock(pool);
	atomic_fetch_add(&pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		id = atomic_load(&t->id);
		if (id != 0 || task_resolved(t))
			break;
		(void)wait_sleep(ticket, WAIT_EVENT, WAIT_FOREVER);
	}
	atomic_fetch_sub(&pool->watchers, 1);
	return id;
}

struct cadre_task *
cadre_task_ref(struct cadre_task *t)
{
	if (t != NULL)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
cadre_task_unref(struct cadre_task **t)
{
	struct cadre_task *old;

	if (t == NULL || *t == NULL)
		return;
	old = *t;
	*t = NULL;
	if (atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) != 1)
		return;
	result_free(old->result);
	extra_free(old->extra);
	free(old);
}

bool
cadre_task_unresolved(const struct cadre_task *t)
{
	return t != NULL && !task_resolved(t);
}

enum cadre_state
cadre_task_state(const struct cadre_task *t)
{
	enum cadre_state state = CADRE_DONE;

	if (t == NULL || task_resolved(t) || !pool_enter(t))
		return CADRE_DONE;
	submit_drain(t->pool);
	if (!task_resolved(t))
		state = t->pool->ops->state(t->pool, t);
	pool_unlock(t->pool);
	return state;
}

enum cadre_outcome
cadre_task_outcome(const struct cadre_task *t)
{
	if (t == NULL || !task_resolved(t))
		return CADRE_OUTCOME_NONE;
	return (enum cadre_outcome)t->outcome;
}

const char *
cadre_outcome_name(enum cadre_outcome outcome)
{
	switch (outcome) {
	case CADRE_OUTCOME_NONE:
		return "unresolved";
	case CADRE_OUTCOME_VALUE:
		return "value";
	case CADRE_OUTCOME_ERROR:
		return "error";
	case CADRE_OUTCOME_EXIT:
		return "exit";
	case CADRE_OUTCOME_INTERRUPT:
		return "interrupted";
	case CADRE_OUTCOME_TIMEOUT:
		return "timed out";
	case CADRE_OUTCOME_CLOSED:
		return "closed";
	case CADRE_OUTCOME_LOST:
		return "connection reset";
	case CADRE_OUTCOME_CANCELLED:
		return "cancelled";
	}
	return "unknown";
}

const char *
cadre_task_name(const struct cadre_task *t)
{
	struct task_extra *extra = t == NULL ? NULL : atomic_load(&t->extra);

	return extra == NULL ? NULL : extra->name;
}

void
cadre_task_set_data(struct cadre_task *t, void *data)
{
	if (t != NULL)
		t->data = data;
}

void *
cadre_task_data(const struct cadre_task *t)
{
	return t == NULL ? NULL : t->data;
}

int
cadre_task_cancel(struct cadre_task *t, bool *ret_was_open)
{
	size_t n;

	if (t == NULL)
		return CADRE_EINVAL;
	(void)cadre_task_cancel_all(&t, 1, &n);
	if (ret_was_open != NULL)
		*ret_was_open = n == 1;
	return 0;
}

int
cadre_task_cancel_all(struct cadre_task *const *tasks, size_t n,
		      size_t *ret_cancelled)
{
	struct cadre_pool *locked = NULL;
	size_t cancelled = 0;

	if (tasks == NULL && n > 0)
		return CADRE_EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct cadre_task *t = tasks[i];

		if (t == NULL || task_resolved(t))
			continue;
		if (t->pool != locked) {
			if (locked != NULL)
				pool_unlock(locked);
			locked = pool_enter(t) ? t->pool : NULL;
			if (locked == NULL)
				continue;
			submit_drain(locked);
		}
		if (task_resolved(t))
			continue;
		t->pool->ops->cancel(t->pool, t);
		cancelled++;
	}
	if (locked != NULL)
		pool_unlock(locked);
	if (ret_cancelled != NULL)
		*ret_cancelled = cancelled;
	return 0;
}
