/* SPDX-License-Identifier: MIT */
#include "engine/native.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "engine/call.h"
#include "engine/compile.h"
#include "engine/library.h"
#include "util/buf.h"
#include "util/error.h"
#include "value/codec.h"

struct loaded {
	struct library lib;
	UT_hash_handle hh; /* by path */
};

/* A run of fields seen before, and what it came to. */
struct target {
	uint8_t *fields;
	size_t fields_len;
	cadre_native_fn *fn;
	UT_hash_handle hh;
};

struct native {
	struct call_context context;
	struct loaded *loaded; /* in the order of loading */
	struct target *targets;
	const struct target *last;
	struct cadre_value *no_args;
	struct buf no_args_encoded;

	/* The call whose result is out. */
	struct cadre_call call;
	struct cadre_value *args;
	char *message;
	struct cadre_error err;
};

/* Tasks that differ in more than their arguments, a name or a tag perhaps,
 * would fill the memory with targets. */
#define MAX_TARGETS 1024

struct native *
native_new(const struct native_hooks *hooks)
{
	struct native *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->no_args = cadre_value_list(0);
	buf_init(&n->no_args_encoded, 64);
	value_encode(&n->no_args_encoded, n->no_args);
	if (n->no_args == NULL || n->no_args_encoded.error != 0) {
		native_free(&n);
		return NULL;
	}
	if (hooks != NULL) {
		n->context.progress = hooks->progress;
		n->context.cancelled = hooks->cancelled;
		n->context.arg = hooks->arg;
	}
	return n;
}

static void
forget_targets(struct native *n)
{
	struct target *t, *next;

	HASH_ITER (hh, n->targets, t, next) {
		HASH_DEL(n->targets, t);
		free(t->fields);
		free(t);
	}
	n->last = NULL;
}

void
native_free(struct native **n)
{
	struct native *dead = *n;

	*n = NULL;
	if (dead == NULL)
		return;
	native_done(dead);
	call_context_fini(&dead->context);
	forget_targets(dead);
	while (dead->loaded != NULL) {
		struct loaded *last = ELMT_FROM_HH(dead->loaded->hh.tbl,
						   dead->loaded->hh.tbl->tail);

		HASH_DEL(dead->loaded, last);
		library_close(&last->lib);
		free(last);
	}
	cadre_value_free(&dead->no_args);
	buf_fini(&dead->no_args_encoded);
	free(dead);
}

static int
load(struct native *n, const char *path, bool share, struct library **ret_lib,
     struct cadre_error *err)
{
	struct loaded *l;
	int rc;

	HASH_FIND_STR(n->loaded, path, l);
	if (l != NULL) {
		*ret_lib = &l->lib;
		return 0;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return error_nomem(err);
	rc = library_open(&l->lib, path, share, err);
	if (rc < 0) {
		free(l);
		return rc;
	}
	HASH_ADD_KEYPTR(hh, n->loaded, l->lib.path, strlen(l->lib.path), l);
	*ret_lib = &l->lib;
	return 0;
}

/* What a task says of its function, as owned strings. */
struct request {
	char *library;
	char *function;
	char *source;
	char *cc;
	char *cflags;
};

static void
request_fini(struct request *q)
{
	free(q->library);
	free(q->function);
	free(q->source);
	free(q->cc);
	free(q->cflags);
}

static int
find_function(struct native *n, const struct request *q, cadre_native_fn **ret,
	      char **ret_message, struct cadre_error *err)
{
	struct library *lib = NULL;
	char *built = NULL;
	int rc = 0;

	if (q->function == NULL || (q->library == NULL && q->source == NULL))
		return error_set(err, CADRE_EINVAL,
				 "a native task needs a function, and a "
				 "library or its source");
	if (q->source != NULL)
		rc = compile_source(q->source, q->cc, q->cflags, &built,
				    ret_message, err);
	if (rc == 0)
		rc = load(n, built != NULL ? built : q->library, built != NULL,
			  &lib, err);
	if (rc == 0)
		rc = library_find(lib, q->function, ret, err);
	free(built);
	return rc;
}

static void
remember(struct native *n, const struct wire_frame *frame, cadre_native_fn *fn)
{
	struct target *t;

	if (HASH_COUNT(n->targets) >= MAX_TARGETS)
		forget_targets(n);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return;
	t->fields = malloc(frame->fields_len + 1);
	if (t->fields == NULL) {
		free(t);
		return;
	}
	memcpy(t->fields, frame->fields, frame->fields_len);
	t->fields_len = frame->fields_len;
	t->fn = fn;
	HASH_ADD_KEYPTR(hh, n->targets, t->fields, t->fields_len, t);
	n->last = t;
}

static int
resolve(struct native *n, const struct wire_frame *frame, cadre_native_fn **ret)
{
	struct request q = {0};
	struct target *t;
	int rc;

	HASH_FIND(hh, n->targets, frame->fields, frame->fields_len, t);
	if (t != NULL) {
		n->last = t;
		*ret = t->fn;
		return 0;
	}
	q.library = wire_str(frame, WIRE_TAG_LIBRARY);
	q.function = wire_str(frame, WIRE_TAG_FUNCTION);
	q.source = wire_str(frame, WIRE_TAG_SOURCE);
	q.cc = wire_str(frame, WIRE_TAG_CC);
	q.cflags = wire_str(frame, WIRE_TAG_CFLAGS);
	rc = find_function(n, &q, ret, &n->message, &n->err);
	request_fini(&q);
	/* A payload in shared memory lies somewhere else each time. */
	if (rc == 0 && wire_u64(frame, WIRE_TAG_SHARED_LEN, 0) == 0)
		remember(n, frame, *ret);
	return rc;
}

static int
decode_args(struct native *n, const struct wire_frame *frame)
{
	const struct buf *none = &n->no_args_encoded;
	int rc;

	n->call.args = n->no_args;
	if (frame->payload_len == 0 ||
	    (frame->payload_len == none->len &&
	     memcmp(frame->payload, none->data, none->len) == 0))
		return 0;
	rc = value_decode(frame->payload, frame->payload_len, frame->owner,
			  &n->args);
	if (rc < 0)
		return error_set(&n->err, rc,
				 "the arguments cannot be decoded: %s",
				 cadre_strerror(rc));
	if (cadre_value_type(n->args) == CADRE_LIST)
		n->call.args = n->args;
	else if (cadre_value_type(n->args) != CADRE_NULL)
		return error_set(&n->err, CADRE_EINVAL,
				 "the arguments are no list");
	return 0;
}

/* The call's outcome from what the function did and returned. */
static void
conclude(struct native *n, int rc, struct native_result *ret)
{
	struct cadre_call *call = &n->call;

	if (rc == 0 && !call->failed) {
		ret->code = CADRE_OUTCOME_VALUE;
		ret->value = call->result;
		return;
	}
	ret->code = CADRE_OUTCOME_ERROR;
	if (call->failed) {
		ret->message =
			call->message != NULL ? call->message : "out of memory";
		return;
	}
	(void)error_set(&n->err, CADRE_EINVAL,
			"the function returned %d without a message", rc);
	ret->message = n->err.text;
}

static bool
same_fields(const struct target *t, const struct wire_frame *frame)
{
	return t != NULL && t->fields_len == frame->fields_len &&
	       memcmp(t->fields, frame->fields, frame->fields_len) == 0;
}

void
native_eval(struct native *n, const struct wire_frame *frame,
	    struct native_result *ret)
{
	cadre_native_fn *fn = NULL;
	int rc = 0;

	*ret = (struct native_result){.code = CADRE_OUTCOME_ERROR};
	if (same_fields(n->last, frame))
		fn = n->last->fn;
	else
		rc = resolve(n, frame, &fn);
	if (rc == 0)
		rc = decode_args(n, frame);
	if (rc < 0) {
		ret->message = n->message != NULL ? n->message : n->err.text;
		return;
	}
	n->call.context = &n->context;
	n->call.task = frame->task;
	n->call.attempt = frame->attempt;
	rc = fn(&n->call);
	conclude(n, rc, ret);
}

void
native_done(struct native *n)
{
	call_fini(&n->call);
	if (n->args != NULL)
		cadre_value_free(&n->args);
	free(n->message);
	n->message = NULL;
	n->err.code = CADRE_OK;
}
