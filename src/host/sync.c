/* SPDX-License-Identifier: MIT */
#include "host/sync.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/native.h"
#include "host/helper.h"
#include "host/setting.h"
#include "host/task.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/parse.h"
#include "value/codec.h"

/* Synchronous mode: for debugging, and where no process may be started but
 * commands.  Native functions run in this process, on the caller's thread. */

struct sync {
	struct cadre_pool *pool;
	pthread_mutex_t running; /* one task at a time */
	struct native *native;
	struct helper helper;
	struct cadre_task *task; /* that runs */
	uint64_t last_id;
	uint64_t *failed; /* ids, ascending */
	size_t failed_n, failed_cap;
	struct cadre_info info;
};

static struct sync *
sync_of(struct cadre_pool *pool)
{
	return pool->impl;
}

static void
pass_output(struct sync *s, int which, const void *data, size_t len)
{
	pool_lock(s->pool);
	event_output(s->task, which, data, len);
	pool_unlock(s->pool);
}

static void
on_progress(void *arg, const char *message)
{
	pass_output(arg, 3, message, strlen(message));
}

static void
on_output(void *arg, const struct wire_frame *frame)
{
	pass_output(arg, frame->code, frame->payload, frame->payload_len);
}

static int
compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
has_failed(const struct sync *s, uint64_t id)
{
	return s->failed_n > 0 && bsearch(&id, s->failed, s->failed_n,
					  sizeof(id), compare_ids) != NULL;
}

/* For tasks that come after it. */
static void
remember_failed(struct sync *s, uint64_t id)
{
	if (s->failed_n == s->failed_cap) {
		size_t cap = s->failed_cap == 0 ? 16 : 2 * s->failed_cap;
		uint64_t *more = realloc(s->failed, cap * sizeof(*more));

		if (more == NULL)
			return;
		s->failed = more;
		s->failed_cap = cap;
	}
	s->failed[s->failed_n++] = id;
}

static void
resolve(struct sync *s, struct cadre_task *t, const struct dispatch_outcome *o)
{
	pool_lock(s->pool);
	s->info.completed++;
	if (o->outcome != CADRE_OUTCOME_VALUE) {
		s->info.failed++;
		remember_failed(s, t->id);
	}
	task_resolve(t, o);
	pool_unlock(s->pool);
}

static void
fail(struct sync *s, struct cadre_task *t, enum cadre_outcome outcome,
     const char *message)
{
	resolve(s, t,
		&(struct dispatch_outcome){.outcome = outcome,
					   .message = message});
}

/* True if a task that it waits for failed, and that is the end of it. */
static bool
is_doomed(const struct sync *s, const struct dispatch_spec *spec)
{
	if (spec->after_failed == CADRE_AFTER_RUN)
		return false;
	for (size_t i = 0; i < spec->after_n; i++)
		if (has_failed(s, spec->after[i]))
			return true;
	return false;
}

static void
finish_native(struct sync *s, struct cadre_task *t,
	      const struct native_result *r, uint64_t wall_ns,
	      int64_t started_unix)
{
	struct wire_frame frame = {.type = WIRE_RESULT};
	struct dispatch_outcome o = {
		.outcome = r->code, .attempts = 1, .result = &frame};
	struct buf fields, payload;

	buf_init(&fields, UINT32_MAX);
	buf_init(&payload, SIZE_MAX / 4);
	wire_put_u64(&fields, WIRE_TAG_WALL_NS, wall_ns);
	wire_put_u64(&fields, WIRE_TAG_STARTED_UNIX, (uint64_t)started_unix);
	if (r->code != CADRE_OUTCOME_VALUE && r->message != NULL)
		wire_put_str(&fields, WIRE_TAG_MESSAGE, r->message);
	if (r->code == CADRE_OUTCOME_VALUE)
		value_encode(&payload, r->value);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	frame.payload = payload.data;
	frame.payload_len = payload.len;
	if (fields.error != 0 || payload.error != 0)
		fail(s, t, CADRE_OUTCOME_ERROR,
		     "the result needs more memory than there is");
	else
		resolve(s, t, &o);
	buf_fini(&fields);
	buf_fini(&payload);
}

static void
run_native(struct sync *s, struct cadre_task *t, const struct wire_frame *frame)
{
	int64_t started = clock_unix_ns();
	uint64_t begin = clock_now_ns();
	struct native_result result;

	if (s->native == NULL) {
		const struct native_hooks hooks = {.progress = on_progress,
						   .arg = s};

		s->native = native_new(&hooks);
	}
	if (s->native == NULL) {
		fail(s, t, CADRE_OUTCOME_ERROR, "out of memory");
		return;
	}
	native_eval(s->native, frame, &result);
	finish_native(s, t, &result, clock_now_ns() - begin, started);
	native_done(s->native);
}

static void
run_command(struct sync *s, struct cadre_task *t,
	    const struct wire_frame *frame, uint32_t timeout_ms)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame result;
	struct dispatch_outcome o = {.attempts = 1, .result = &result};

	if (helper_run(&s->helper, frame, timeout_ms, on_output, s, &result,
		       &err) < 0) {
		fail(s, t,
		     err.code == CADRE_ELOST ? CADRE_OUTCOME_LOST
					     : CADRE_OUTCOME_ERROR,
		     err.text);
		return;
	}
	o.outcome = (enum cadre_outcome)result.code;
	resolve(s, t, &o);
}

static void
run(struct sync *s, struct cadre_task *t, const struct opts_shape *shape,
    const struct pool_payload *payload)
{
	const struct wire_frame frame = {
		.type = WIRE_TASK,
		.flags = shape->spec.flags,
		.task = t->id,
		.attempt = 1,
		.fields = shape->fields->data,
		.fields_len = shape->fields->len,
		.payload = payload->data,
		.payload_len = payload->len,
		.owner = payload->owner,
	};

	s->task = t;
	if (is_doomed(s, &shape->spec))
		fail(s, t, CADRE_OUTCOME_CANCELLED,
		     "a task that it waits for did not succeed");
	else if (shape->spec.engine == WIRE_ENGINE_NATIVE)
		run_native(s, t, &frame);
	else
		run_command(s, t, &frame, shape->spec.timeout_ms);
}

static void
sync_evaluate(struct cadre_pool *pool, struct cadre_task *t,
	      const struct opts_shape *shape,
	      const struct pool_payload *payload)
{
	struct sync *s = sync_of(pool);

	if (pthread_mutex_lock(&s->running) == EDEADLK) {
		pool_lock(pool);
		task_fail(t, CADRE_OUTCOME_ERROR,
			  "a task cannot submit to the synchronous pool that "
			  "it runs in");
		pool_unlock(pool);
		return;
	}
	atomic_store(&t->id, ++s->last_id);
	run(s, t, shape, payload);
	pthread_mutex_unlock(&s->running);
}

static void
sync_cancel(struct cadre_pool *pool, struct cadre_task *t)
{
	(void)pool;
	(void)t;
}

static enum cadre_state
sync_state(struct cadre_pool *pool, const struct cadre_task *t)
{
	(void)pool;
	(void)t;
	return CADRE_STARTED;
}

static void
sync_flush(struct cadre_pool *pool)
{
	(void)pool;
}

static int
sync_info(struct cadre_pool *pool, struct cadre_info *ret,
	  struct cadre_error *err)
{
	bool is_open;

	pool_lock(pool);
	is_open = pool_is_open(pool);
	if (is_open) {
		*ret = sync_of(pool)->info;
		ret->slots = 1;
	}
	pool_unlock(pool);
	return is_open ? 0
		       : error_set(err, CADRE_ECLOSED, "the pool was closed");
}

static int
sync_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
	    size_t *ret_n, struct cadre_error *err)
{
	struct cadre_daemon_status *none = calloc(1, sizeof(*none));

	(void)pool;
	if (none == NULL)
		return error_nomem(err);
	*ret = none;
	*ret_n = 0;
	return 0;
}

static int
sync_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
	   struct cadre_error *err)
{
	(void)pool;
	(void)slots;
	(void)remove;
	return error_set(err, CADRE_EINVAL,
			 "a synchronous pool has no daemons: open it without "
			 "sync to add or remove some");
}

static int
sync_shutdown(struct cadre_pool *pool, struct cadre_error *err)
{
	(void)err;
	atomic_store(&pool->ended, true);
	return 0;
}

static void
sync_close(struct cadre_pool *pool)
{
	struct sync *s = sync_of(pool);

	pool_lock(pool);
	pool_end(pool);
	pool_unlock(pool);
	if (s->native != NULL)
		native_free(&s->native);
	helper_fini(&s->helper);
	pthread_mutex_destroy(&s->running);
	free(s->failed);
	free(s);
}

static const struct pool_ops sync_ops = {
	.evaluate = sync_evaluate,
	.cancel = sync_cancel,
	.state = sync_state,
	.flush = sync_flush,
	.info = sync_info,
	.status = sync_status,
	.scale = sync_scale,
	.shutdown = sync_shutdown,
	.close = sync_close,
};

int
sync_open(struct cadre_pool *pool, struct cadre_error *err)
{
	const char *grace = cadre_config_get(pool->cfg, "grace");
	struct sync *s = calloc(1, sizeof(*s));
	pthread_mutexattr_t attr;
	int64_t ms = setting_ms(grace, 5000);

	if (s == NULL)
		return error_nomem(err);
	s->pool = pool;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&s->running, &attr);
	pthread_mutexattr_destroy(&attr);
	helper_init(&s->helper,
		    ms == PARSE_FOREVER ? INT64_MAX / 2 : (uint64_t)ms);
	pool_begin(pool, &sync_ops, s);
	return 0;
}
