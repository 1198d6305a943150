/* SPDX-License-Identifier: MIT */
#include "host/submit.h"

#include <stdatomic.h>
#include <string.h>

#include "host/pool.h"
#include "host/task.h"
#include "util/clock.h"
#include "util/error.h"
#include "value/codec.h"

/* Payloads above this are moved by reference. */
#define OWNED_MIN ((size_t)64 << 10)
/* With more than this pending, a submitter waits for its turn. */
#define PENDING_MAX ((size_t)4 << 20)
enum entry_kind { ENTRY_TASK, ENTRY_EVERYWHERE, ENTRY_ONCE };

/* What the queue holds for each submission; the payload follows, padded. */
struct entry {
	struct cadre_task *task;
	struct opts_shape *shape;
	struct blob *owner;
	size_t len;
	enum entry_kind kind;
};

_Static_assert(sizeof(struct entry) % 8 == 0, "payloads are aligned");

/* What is submitted. */
struct submission {
	struct cadre_pool *pool;
	struct opts_shape *shape; /* its reference is given */
	enum entry_kind entry;
	enum task_kind kind;
	const struct cadre_value *args; /* native; NULL: none */
};

void
submit_init(struct submit_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	shapes_init(&q->shapes);
	buf_init(&q->pending, SIZE_MAX / 4);
	buf_init(&q->draining, SIZE_MAX / 4);
}

/* The dispatcher does not take it. */
static void
refuse(struct cadre_task *t, int rc)
{
	static const struct {
		int rc;
		enum cadre_outcome outcome;
		const char *why;
	} table[] = {
		{CADRE_ECLOSED, CADRE_OUTCOME_CLOSED, NULL},
		{CADRE_ELOST, CADRE_OUTCOME_LOST, "the dispatcher is gone"},
		{CADRE_EINVAL, CADRE_OUTCOME_ERROR,
		 "it waits for a task that this dispatcher has never had"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].rc != rc)
			continue;
		task_fail(t, table[i].outcome, table[i].why);
		return;
	}
	task_fail(t, CADRE_OUTCOME_ERROR, cadre_strerror(rc));
}

/* data: the payload, unless the entry has an owner. */
static void
hand_over(struct cadre_pool *pool, struct entry *e, const void *data,
	  uint64_t now_ms)
{
	struct pool_payload payload = {
		.data = e->owner != NULL ? e->owner->data : data,
		.len = e->len,
		.owner = e->owner,
	};
	int rc;

	if (!pool_has(e->task)) {
		/* Those who count are gone. */
		e->task->tracked = false;
		rc = CADRE_ECLOSED;
	} else if (e->kind == ENTRY_TASK)
		rc = pool->ops->submit(pool, e->task, e->shape, &payload,
				       now_ms);
	else
		rc = pool->ops->everywhere(pool, e->task, e->shape, &payload,
					   e->kind == ENTRY_ONCE, now_ms);
	if (rc < 0)
		refuse(e->task, rc);
	blob_unref(&e->owner);
}

static void
hand_over_all(struct cadre_pool *pool, const struct buf *entries)
{
	uint64_t now_ms = clock_now_ms();
	struct opts_shape *last = NULL;
	uint32_t n = 0;

	for (size_t pos = 0; pos < entries->len;) {
		struct entry *e = (struct entry *)(entries->data + pos);

		pos += sizeof(*e);
		if (e->owner == NULL)
			pos += (size_t)WIRE_ALIGN(e->len);
		hand_over(pool, e, e + 1, now_ms);
		if (e->shape != last && last != NULL) {
			opts_shape_drop(last, n);
			n = 0;
		}
		last = e->shape;
		n++;
	}
	if (last != NULL)
		opts_shape_drop(last, n);
}

void
submit_drain(struct cadre_pool *pool)
{
	struct submit_queue *q = &pool->submit;
	struct buf full;

	while (atomic_load(&q->count) > 0) {
		pthread_mutex_lock(&q->lock);
		full = q->pending;
		q->pending = q->draining;
		atomic_store(&q->count, 0);
		pthread_mutex_unlock(&q->lock);
		hand_over_all(pool, &full);
		q->draining = full;
		buf_reset(&q->draining);
	}
}

void
submit_clear(struct cadre_pool *pool)
{
	struct submit_queue *q = &pool->submit;

	submit_drain(pool);
	pthread_mutex_lock(&q->lock);
	shapes_clear(&q->shapes);
	if (q->pending.len == 0)
		buf_fini(&q->pending);
	pthread_mutex_unlock(&q->lock);
	buf_fini(&q->draining);
}

/* A large payload, encoded where it will stay. */
static int
encode_owned(const struct cadre_value *args, size_t size,
	     struct blob **ret_owner)
{
	struct blob *owner = blob_new(size);
	struct buf b;

	if (owner == NULL)
		return CADRE_ENOMEM;
	b = (struct buf){.data = owner->data, .cap = size, .max = size};
	value_encode(&b, args);
	if (b.error != 0 || b.len != size) {
		blob_unref(&owner);
		return b.error != 0 ? b.error : CADRE_EINTERNAL;
	}
	*ret_owner = owner;
	return 0;
}

/* Appends the entry and its payload (queue locked). */
static int
append(struct submit_queue *q, const struct entry *head,
       const struct cadre_value *args)
{
	size_t start = q->pending.len;
	struct entry e = *head;

	buf_put(&q->pending, &e, sizeof(e));
	if (args != NULL && e.owner == NULL) {
		static const uint8_t zeros[8];

		value_encode(&q->pending, args);
		e.len = q->pending.len - start - sizeof(e);
		buf_put(&q->pending, zeros,
			(size_t)(WIRE_ALIGN(e.len) - e.len));
	}
	if (q->pending.error != 0) {
		int rc = q->pending.error;

		q->pending.error = 0;
		q->pending.len = start;
		return rc;
	}
	memcpy(q->pending.data + start, &e, sizeof(e));
	atomic_fetch_add(&q->count, 1);
	return 0;
}

static int
evaluate(const struct submission *s, struct cadre_task *t, struct blob *owner,
	 struct cadre_error *err)
{
	struct pool_payload payload = {.owner = owner};
	struct blob *encoded = NULL;

	if (s->args != NULL && owner == NULL) {
		int rc = encode_owned(s->args, value_encoded_size(s->args),
				      &encoded);

		if (rc < 0)
			return error_set(err, rc,
					 "the arguments cannot be encoded");
		payload.owner = encoded;
	}
	if (payload.owner != NULL) {
		payload.data = payload.owner->data;
		payload.len = payload.owner->len;
	}
	s->pool->ops->evaluate(s->pool, t, s->shape, &payload);
	blob_unref(&encoded);
	return 0;
}

/* To the dispatcher at once (pool's mutex held, nothing pending). */
static int
submit_now(const struct submission *s, struct entry *e)
{
	struct buf *scratch = &s->pool->submit.draining;
	int rc;

	if (s->args != NULL && e->owner == NULL)
		value_encode(scratch, s->args);
	rc = scratch->error;
	if (rc == 0) {
		if (e->owner == NULL)
			e->len = scratch->len;
		hand_over(s->pool, e, scratch->data, clock_now_ms());
		opts_shape_drop(e->shape, 1);
	}
	buf_reset(scratch);
	return rc;
}

/* Somebody holds the mutex: he looks here after he let go. */
static int
submit_later(const struct submission *s, const struct entry *e)
{
	struct submit_queue *q = &s->pool->submit;
	size_t pending;
	int rc;

	pthread_mutex_lock(&q->lock);
	rc = append(q, e, s->args);
	pending = q->pending.len;
	pthread_mutex_unlock(&q->lock);
	if (rc < 0)
		return rc;
	atomic_thread_fence(memory_order_seq_cst);
	if (pending > PENDING_MAX)
		pool_lock(s->pool);
	else if (pool_busy(s->pool))
		return 0;
	pool_unlock(s->pool);
	return 0;
}

static int
enqueue(const struct submission *s, struct cadre_task *t, struct blob *owner,
	struct cadre_error *err)
{
	struct entry e = {
		.task = t,
		.shape = s->shape,
		.owner = owner,
		.len = owner == NULL ? 0 : owner->len,
		.kind = s->entry,
	};
	int rc;

	if (pool_busy(s->pool)) {
		rc = submit_later(s, &e);
	} else {
		submit_drain(s->pool);
		rc = submit_now(s, &e);
		pool_unlock(s->pool);
	}
	if (rc < 0)
		return error_set(err, rc, "the task cannot be queued: %s",
				 cadre_strerror(rc));
	return 0;
}

/* The payload that travels by reference: standard input, or large arguments. */
static int
owned_payload(const struct submission *s, struct blob **ret_owner,
	      struct cadre_error *err)
{
	size_t size;
	int rc;

	if (s->shape->stdin_data != NULL)
		*ret_owner = blob_ref(s->shape->stdin_data);
	if (s->args == NULL)
		return 0;
	size = value_encoded_size(s->args);
	if (size <= OWNED_MIN)
		return 0;
	rc = encode_owned(s->args, size, ret_owner);
	return rc == 0 ? 0
		       : error_set(err, rc, "the arguments cannot be encoded");
}

static void
mark_tracked(struct cadre_task *t)
{
	t->tracked =
		atomic_load_explicit(&t->pool->track, memory_order_relaxed);
	if (t->tracked)
		atomic_fetch_add(&t->pool->tracked, 1);
}

/* Gives the shape away on failure, too. */
static int
submit(struct submission *s, struct cadre_task **ret_task,
       struct cadre_error *err)
{
	struct blob *owner = NULL;
	struct cadre_task *t = NULL;
	int rc = owned_payload(s, &owner, err);

	if (rc == 0) {
		t = task_new(s->pool, s->kind, s->shape);
		if (t == NULL)
			rc = error_nomem(err);
	}
	if (rc < 0)
		goto fail;
	t->submitted_unix_ns = clock_unix_tick_ns();
	mark_tracked(t);
	if (s->pool->ops->evaluate != NULL) {
		rc = evaluate(s, t, owner, err);
		if (rc < 0)
			goto fail;
		opts_shape_unref(&s->shape);
		blob_unref(&owner);
	} else {
		rc = enqueue(s, t, owner, err);
		if (rc < 0)
			goto fail;
	}
	*ret_task = t;
	return 0;
fail:
	if (t != NULL && t->tracked)
		atomic_fetch_sub(&t->pool->tracked, 1);
	if (t != NULL)
		atomic_store(&t->refs, 1);
	cadre_task_unref(&t);
	blob_unref(&owner);
	opts_shape_unref(&s->shape);
	return rc;
}

/* The pool to use: the one given, the default, or a new one for one task. */
static int
find_pool(struct cadre_pool **pool, struct cadre_error *err)
{
	int rc = pool_default(pool, NULL);

	if (rc == CADRE_ENOENT)
		return pool_open_ephemeral(pool, err);
	return rc == 0 ? 0 : error_set(err, rc, "the pool is closed");
}

static int
submit_target(struct cadre_pool *pool, const struct opts_target *target,
	      const struct cadre_opts *opts, struct submission *s,
	      struct cadre_task **ret_task, struct cadre_error *err)
{
	int rc = find_pool(&pool, err);

	if (rc < 0)
		return rc;
	s->pool = pool;
	rc = opts_shape_new(opts, pool->cfg, target, pool->remote, &s->shape,
			    err);
	if (rc == 0)
		rc = submit(s, ret_task, err);
	if (rc < 0 && pool->ephemeral)
		pool_close_later(pool);
	return rc;
}

static int
check_argv(const char *const *argv, struct cadre_task **ret_task,
	   struct cadre_error *err)
{
	if (argv != NULL && argv[0] != NULL && ret_task != NULL)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "a command needs at least its name and a place for "
			 "its handle");
}

int
cadre_submit_command(struct cadre_pool *pool, const char *const *argv,
		     const struct cadre_opts *opts,
		     struct cadre_task **ret_task, struct cadre_error *err)
{
	struct opts_target target = {WIRE_ENGINE_COMMAND, .argv = argv};
	struct submission s = {.entry = ENTRY_TASK, .kind = TASK_COMMAND};
	int rc = check_argv(argv, ret_task, err);

	if (rc < 0)
		return rc;
	return submit_target(pool, &target, opts, &s, ret_task, err);
}

int
cadre_submit_shell(struct cadre_pool *pool, const char *line,
		   const struct cadre_opts *opts, struct cadre_task **ret_task,
		   struct cadre_error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", line, NULL};

	if (line == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_submit_shell needs a line");
	return cadre_submit_command(pool, argv, opts, ret_task, err);
}

static int
check_native(const char *where, const char *function,
	     const struct cadre_value *args, struct cadre_task **ret_task,
	     struct cadre_error *err)
{
	if (where == NULL || function == NULL || ret_task == NULL)
		return error_set(err, CADRE_EINVAL,
				 "a native task needs a library or source, a "
				 "function and a place for its handle");
	if (where[0] == '\0' || function[0] == '\0')
		return error_set(err, CADRE_EINVAL,
				 "the library and function of a native task "
				 "cannot be empty");
	if (args != NULL && cadre_value_type(args) != CADRE_NULL &&
	    cadre_value_type(args) != CADRE_LIST)
		return error_set(err, CADRE_EINVAL,
				 "the arguments of %.100s must be a list",
				 function);
	return 0;
}

static int
submit_native(struct cadre_pool *pool, const char *library,
	      const char *function, const struct cadre_opts *opts,
	      struct submission *s, struct cadre_task **ret_task,
	      struct cadre_error *err)
{
	int rc = check_native(library, function, s->args, ret_task, err);

	if (rc == 0)
		rc = find_pool(&pool, err);
	if (rc < 0)
		return rc;
	s->pool = pool;
	rc = shapes_native(pool, library, function, opts, &s->shape, err);
	if (rc == 0)
		rc = submit(s, ret_task, err);
	if (rc < 0 && pool->ephemeral)
		pool_close_later(pool);
	return rc;
}

int
cadre_submit_native(struct cadre_pool *pool, const char *library,
		    const char *function, const struct cadre_value *args,
		    const struct cadre_opts *opts, struct cadre_task **ret_task,
		    struct cadre_error *err)
{
	struct submission s = {
		.entry = ENTRY_TASK, .kind = TASK_NATIVE, .args = args};

	return submit_native(pool, library, function, opts, &s, ret_task, err);
}

int
cadre_submit_source(struct cadre_pool *pool, const char *source,
		    const char *function, const struct cadre_value *args,
		    const struct cadre_opts *opts, struct cadre_task **ret_task,
		    struct cadre_error *err)
{
	struct opts_target target = {.engine = WIRE_ENGINE_NATIVE,
				     .source = source,
				     .function = function};
	struct submission s = {
		.entry = ENTRY_TASK, .kind = TASK_NATIVE, .args = args};
	int rc = check_native(source, function, args, ret_task, err);

	if (rc < 0)
		return rc;
	return submit_target(pool, &target, opts, &s, ret_task, err);
}

/* Forgets all epochs; the handle is resolved at once. */
static int
forget_epochs(struct cadre_pool *pool, struct cadre_task **ret_task,
	      struct cadre_error *err)
{
	struct cadre_task *t = task_new(pool, TASK_EVERYWHERE, NULL);
	enum cadre_outcome outcome = CADRE_OUTCOME_VALUE;

	if (t == NULL)
		return error_nomem(err);
	t->submitted_unix_ns = clock_unix_ns();
	pool_lock(pool);
	submit_drain(pool);
	if (!pool_has(t))
		outcome = CADRE_OUTCOME_CLOSED;
	else if (pool->ops->reset != NULL)
		pool->ops->reset(pool);
	task_fail(t, outcome, NULL);
	pool_unlock(pool);
	*ret_task = t;
	return 0;
}

int
cadre_everywhere_native(struct cadre_pool *pool, const char *library,
			const char *function, const struct cadre_value *args,
			bool once, struct cadre_task **ret_task,
			struct cadre_error *err)
{
	struct submission s = {.entry = once ? ENTRY_ONCE : ENTRY_EVERYWHERE,
			       .kind = TASK_EVERYWHERE,
			       .args = args};
	int rc = pool_default(&pool, err);

	if (rc < 0)
		return rc;
	if (library == NULL && ret_task != NULL)
		return forget_epochs(pool, ret_task, err);
	return submit_native(pool, library, function, NULL, &s, ret_task, err);
}

int
cadre_everywhere_command(struct cadre_pool *pool, const char *const *argv,
			 const struct cadre_opts *opts, bool once,
			 struct cadre_task **ret_task, struct cadre_error *err)
{
	struct opts_target target = {WIRE_ENGINE_COMMAND, .argv = argv};
	struct submission s = {.entry = once ? ENTRY_ONCE : ENTRY_EVERYWHERE,
			       .kind = TASK_EVERYWHERE};
	int rc = check_argv(argv, ret_task, err);

	if (rc == 0)
		rc = pool_default(&pool, err);
	if (rc < 0)
		return rc;
	return submit_target(pool, &target, opts, &s, ret_task, err);
}
