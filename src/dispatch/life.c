/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

/* Tasks from submission to outcome, and the graph of those that wait for
 * others. */

/* Payloads that the caller lends are copied behind the task up to this size,
 * into a blob above, which travels without another copy. */
#define INLINE_MAX 4096u

_Static_assert(sizeof(struct task) % 8 == 0, "payloads must be aligned");

static void *
inline_payload(const struct task *task)
{
	return (char *)task + sizeof(*task);
}

static struct payload_ref *
payload_ref(const struct task *task)
{
	return inline_payload(task);
}

void
life_payload(const struct task *task, struct wire_frame *frame)
{
	if ((task->bits & TASK_REFERRED) != 0) {
		const struct payload_ref *ref = payload_ref(task);

		frame->payload = ref->data;
		frame->payload_len = ref->len;
		frame->owner = ref->owner;
		return;
	}
	frame->payload = inline_payload(task);
	frame->payload_len = task->len;
}

static struct task *
task_alloc(const struct dispatch_body *body)
{
	struct payload_ref ref = {.data = body->payload,
				  .len = body->payload_len};
	bool inlined = body->owner == NULL && body->payload_len <= INLINE_MAX;
	struct task *task;

	task = malloc(sizeof(*task) +
		      (inlined ? body->payload_len : sizeof(ref)));
	if (task == NULL)
		return NULL;
	memset(task, 0, sizeof(*task));
	if (inlined) {
		task->len = (uint32_t)body->payload_len;
		if (task->len > 0)
			memcpy(inline_payload(task), body->payload, task->len);
	} else {
		ref.owner = body->owner != NULL ? blob_ref(body->owner)
						: blob_copy(body->payload,
							    body->payload_len);
		if (ref.owner == NULL) {
			free(task);
			return NULL;
		}
		if (body->owner == NULL)
			ref.data = ref.owner->data;
		memcpy(inline_payload(task), &ref, sizeof(ref));
		task->bits = TASK_REFERRED;
	}
	task->fields = blob_ref(body->fields);
	return task;
}

struct task_extra *
life_extra(struct task *task)
{
	if (task->extra == NULL) {
		task->extra = calloc(1, sizeof(*task->extra));
		if (task->extra != NULL)
			task->extra->deadline = NEVER;
	}
	return task->extra;
}

static void
edge_free(struct edge *e)
{
	DL_DELETE2(e->from->extra->dependants, e, from_prev, from_next);
	DL_DELETE2(e->to->extra->waits, e, to_prev, to_next);
	free(e);
}

static void
drop_waits(struct task *task)
{
	while (task->extra->waits != NULL)
		edge_free(task->extra->waits);
}

/* Frees what a finished task needs no more. */
static void
task_strip(struct dispatch *d, struct task *task)
{
	if (task->extra != NULL) {
		alarm_remove(d, task);
		drop_waits(task);
		while (task->extra->dependants != NULL)
			edge_free(task->extra->dependants);
		free(task->extra);
		task->extra = NULL;
	}
	if ((task->bits & TASK_REFERRED) != 0)
		blob_unref(&payload_ref(task)->owner);
	task->bits &= (uint8_t)~TASK_REFERRED;
	blob_unref(&task->fields);
}

static void
task_discard(struct dispatch *d, struct task *task)
{
	task_strip(d, task);
	if (task->id != 0)
		table_remove(d, task);
	ready_class_unref(d, task->class);
	free(task);
}

static int
wait_for(struct dispatch *d, struct task *task, uint64_t id)
{
	struct task *from = table_find(d, id);
	struct edge *e;

	if (from == NULL || from->state == CADRE_DONE) {
		if (task->class->key.after_failed == CADRE_AFTER_CANCEL &&
		    task->extra->doomed_by == 0 && table_has_failed(d, id))
			task->extra->doomed_by = id;
		return 0;
	}
	if (life_extra(from) == NULL)
		return CADRE_ENOMEM;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return CADRE_ENOMEM;
	e->from = from;
	e->to = task;
	DL_APPEND2(from->extra->dependants, e, from_prev, from_next);
	DL_APPEND2(task->extra->waits, e, to_prev, to_next);
	return 0;
}

/* What only some tasks have. */
static int
task_extend(struct dispatch *d, struct task *task,
	    const struct dispatch_spec *spec)
{
	int rc = 0;

	if (spec->after_n == 0 && spec->deadline_ms == 0)
		return 0;
	if (life_extra(task) == NULL)
		return CADRE_ENOMEM;
	for (size_t i = 0; i < spec->after_n && rc == 0; i++)
		rc = wait_for(d, task, spec->after[i]);
	if (rc < 0 || spec->deadline_ms == 0)
		return rc;
	task->extra->deadline = spec->deadline_ms > NEVER - 1 - d->now
					? NEVER - 1
					: d->now + spec->deadline_ms;
	return alarm_add(d, task);
}

static bool
spec_valid(const struct dispatch *d, const struct dispatch_spec *spec)
{
	if (spec->engine < 1 || (unsigned int)spec->engine > ENGINES)
		return false;
	for (size_t i = 0; i < spec->after_n; i++)
		if (spec->after[i] == 0 || spec->after[i] >= d->next_id)
			return false;
	return true;
}

int
life_new(struct dispatch *d, const struct dispatch_spec *spec,
	 const struct dispatch_body *body, void *owner, uint8_t bits,
	 struct task **ret_task)
{
	struct task *task;
	int rc;

	if (!spec_valid(d, spec))
		return CADRE_EINVAL;
	task = task_alloc(body);
	if (task == NULL)
		return CADRE_ENOMEM;
	rc = ready_class_get(d, spec, &task->class);
	if (rc < 0) {
		task_strip(d, task);
		free(task);
		return rc;
	}
	task->owner = owner;
	task->bits |= bits;
	rc = task_extend(d, task, spec);
	if (rc == 0)
		rc = table_add(d, task);
	if (rc < 0) {
		task_discard(d, task);
		return rc;
	}
	d->count[CADRE_WAITING]++;
	*ret_task = task;
	return 0;
}

void
life_set_state(struct dispatch *d, struct task *task, enum cadre_state state)
{
	d->count[task->state]--;
	d->count[state]++;
	task->state = (uint8_t)state;
}

static void
become_ready(struct dispatch *d, struct task *task)
{
	life_set_state(d, task, CADRE_READY);
	ready_append(d, task);
}

void
life_again(struct dispatch *d, struct task *task, bool at_head)
{
	life_set_state(d, task, CADRE_READY);
	if (at_head)
		ready_prepend(d, task);
	else
		ready_append(d, task);
}

/* Tells the owner, whoever it is. */
static void
tell(struct dispatch *d, struct task *task, enum cadre_outcome outcome,
     const struct wire_frame *result, const char *message)
{
	struct dispatch_outcome o = {
		.outcome = outcome,
		.attempts = task->attempts,
		.incarnation = task->incarnation,
		.slot = task->slot_number,
		.result = result,
		.message = message,
	};

	if ((task->bits & TASK_REMOTE) != 0)
		client_outcome(d, task->owner, &o);
	else
		d->ops->resolve(d->arg, task->owner, &o);
	task->owner = NULL;
}

/* Those that waited for task are ready, doomed, or wait for more. */
static void
release_dependants(struct dispatch *d, struct task *task, bool failed)
{
	while (task->extra->dependants != NULL) {
		struct edge *e = task->extra->dependants;
		struct task *to = e->to;

		edge_free(e);
		if (d->sweeping)
			continue;
		if (failed &&
		    to->class->key.after_failed == CADRE_AFTER_CANCEL) {
			drop_waits(to);
			to->extra->doomed_by = task->id;
			DL_APPEND(d->doomed, to);
		} else if (to->extra->waits == NULL) {
			become_ready(d, to);
		}
	}
}

static void
finish_one(struct dispatch *d, struct task *task, enum cadre_outcome outcome,
	   const struct wire_frame *result, const char *message)
{
	bool failed = outcome != CADRE_OUTCOME_VALUE;

	if (task->state == CADRE_READY)
		ready_remove(d, task);
	life_set_state(d, task, CADRE_DONE);
	d->info.completed++;
	if (failed) {
		d->info.failed++;
		table_note_failed(d, task->id);
	}
	tell(d, task, outcome, result, message);
	if (task->extra != NULL)
		release_dependants(d, task, failed);
	if ((task->bits & TASK_GHOST) != 0)
		task_strip(d, task);
	else
		task_discard(d, task);
}

/* A chain of dependants may be long: a list, no recursion. */
static void
drain(struct dispatch *d)
{
	if (d->draining)
		return;
	d->draining = true;
	while (d->doomed != NULL) {
		struct task *task = d->doomed;
		char text[96];

		DL_DELETE(d->doomed, task);
		(void)snprintf(text, sizeof(text),
			       "cancelled: task %llu, which it waits for, did "
			       "not succeed",
			       (unsigned long long)task->extra->doomed_by);
		finish_one(d, task, CADRE_OUTCOME_CANCELLED, NULL, text);
	}
	d->draining = false;
}

void
life_finish(struct dispatch *d, struct task *task, enum cadre_outcome outcome,
	    const struct wire_frame *result, const char *message)
{
	finish_one(d, task, outcome, result, message);
	drain(d);
}

void
life_begin(struct dispatch *d, struct task *task)
{
	if (task->extra != NULL && task->extra->doomed_by != 0) {
		drop_waits(task);
		DL_APPEND(d->doomed, task);
		drain(d);
	} else if (task->extra == NULL || task->extra->waits == NULL) {
		become_ready(d, task);
	}
}

void
life_free(struct dispatch *d, struct task *task)
{
	d->count[CADRE_DONE]--;
	task_discard(d, task);
}

void
life_stop(struct dispatch *d, struct task *task, enum cadre_outcome outcome,
	  const char *message)
{
	if (task->state == CADRE_ASSIGNED || task->state == CADRE_STARTED) {
		struct slot *slot = task->slot;
		struct wire_frame frame = {
			.type = WIRE_CANCEL,
			.code = outcome == CADRE_OUTCOME_TIMEOUT
					? WIRE_CANCEL_TIMEOUT
					: WIRE_CANCEL_USER,
			.task = task->id,
			.attempt = task->attempt,
			.slot = slot->number,
			.incarnation = slot->peer->incarnation,
			.worker = slot->worker,
		};

		peer_send(d, slot->peer, &frame);
		task->bits |= TASK_GHOST;
	}
	life_finish(d, task, outcome, NULL, message);
}
