/* SPDX-License-Identifier: MIT */
#include "host/inquiry.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "host/wait.h"
#include "util/error.h"
#include "value/codec.h"

/* How long the dispatcher may take to answer a question. */
#define REPLY_MS 30000

/* A question, on the stack of who asks it. */
struct inquiry {
	struct inquiry *prev, *next;
	uint64_t number;
	bool done;
	int rc;
	struct cadre_value *value; /* NULL: the answer has none */
	char why[400];
};

void
inquiry_fail(struct client *c)
{
	struct inquiry *r;

	DL_FOREACH (c->inquiries, r) {
		r->done = true;
		r->rc = CADRE_ELOST;
		(void)snprintf(r->why, sizeof(r->why), "%.399s", c->why.text);
	}
	c->inquiries = NULL;
}

void
inquiry_reply(struct client *c, const struct wire_frame *frame)
{
	struct inquiry *r;
	char *why;

	DL_SEARCH_SCALAR(c->inquiries, r, number, frame->task);
	if (r == NULL)
		return;
	DL_DELETE(c->inquiries, r);
	r->rc = -(int)frame->code;
	why = wire_str(frame, WIRE_TAG_MESSAGE);
	(void)snprintf(r->why, sizeof(r->why), "%.399s",
		       why != NULL ? why : cadre_strerror(r->rc));
	free(why);
	if (r->rc == 0 && frame->payload_len > 0)
		r->rc = value_decode(frame->payload, frame->payload_len, NULL,
				     &r->value);
	r->done = true;
	c->pool->wake_due = true;
}

/* The connection may end, and be freed, meanwhile. */
static bool
await_reply(struct cadre_pool *pool, const struct inquiry *r)
{
	uint64_t deadline = wait_deadline(REPLY_MS);
	bool done = false;

	atomic_fetch_add(&pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		pool_lock(pool);
		done = r->done;
		pool_unlock(pool);
		if (done || !wait_sleep(ticket, WAIT_EVENT, deadline))
			break;
	}
	atomic_fetch_sub(&pool->watchers, 1);
	return done;
}

/* Asks the dispatcher; *ret_value (may be NULL) is owned. */
static int
ask(struct cadre_pool *pool, uint16_t type, uint8_t flags,
    const struct buf *fields, struct cadre_value **ret_value,
    struct cadre_error *err)
{
	struct client *c;
	struct inquiry r = {.rc = CADRE_ETIMEDOUT};
	struct wire_frame frame = {.type = type, .flags = flags};
	int rc;

	if (fields != NULL) {
		frame.fields = fields->data;
		frame.fields_len = fields->len;
	}
	pool_lock(pool);
	if (!pool_is_open(pool)) {
		pool_unlock(pool);
		return error_set(err, CADRE_ECLOSED, "the pool was closed");
	}
	c = pool->impl;
	submit_drain(pool);
	rc = numbers_add(&c->tasks, NULL, &r.number);
	frame.task = r.number;
	if (rc == 0)
		rc = client_send(c, &frame);
	if (rc == 0)
		DL_APPEND(c->inquiries, &r);
	else
		rc = error_set(err, CADRE_ELOST, "%s",
			       c->why.code != 0 ? c->why.text
						: cadre_strerror(rc));
	pool_unlock(pool);
	if (rc < 0)
		return rc;
	if (!await_reply(pool, &r)) {
		pool_lock(pool);
		if (!r.done) {
			DL_DELETE(c->inquiries, &r);
			(void)snprintf(r.why, sizeof(r.why),
				       "it does not answer");
		}
		pool_unlock(pool);
	}
	if (r.rc == 0 && ret_value != NULL) {
		*ret_value = r.value;
		return 0;
	}
	cadre_value_free(&r.value);
	return r.rc == 0 ? 0
			 : error_set(err, r.rc, "the dispatcher at %s: %s",
				     pool->url, r.why);
}

static uint64_t
number_of(const struct cadre_value *v, const char *name)
{
	int64_t x;

	if (cadre_value_int64_at(cadre_value_get(v, name), 0, &x) < 0)
		return 0;
	return (uint64_t)x;
}

static void
text_of(const struct cadre_value *v, const char *name, char *text, size_t size)
{
	const char *s = cadre_value_string_at(cadre_value_get(v, name), 0);

	(void)snprintf(text, size, "%s", s == NULL ? "" : s);
}

int
inquiry_info(struct cadre_pool *pool, struct cadre_info *ret,
	     struct cadre_error *err)
{
	struct cadre_value *v = NULL;
	int rc = ask(pool, WIRE_INFO, 0, NULL, &v, err);

	if (rc < 0)
		return rc;
	*ret = (struct cadre_info){
		.connections = number_of(v, "connections"),
		.slots = number_of(v, "slots"),
		.cumulative = number_of(v, "cumulative"),
		.awaiting = number_of(v, "awaiting"),
		.executing = number_of(v, "executing"),
		.completed = number_of(v, "completed"),
		.failed = number_of(v, "failed"),
		.retried = number_of(v, "retried"),
		.refused = number_of(v, "refused"),
	};
	cadre_value_free(&v);
	return 0;
}

static void
read_status(const struct cadre_value *v, struct cadre_daemon_status *ret)
{
	*ret = (struct cadre_daemon_status){
		.incarnation = (uint32_t)number_of(v, "incarnation"),
		.pid = (int64_t)number_of(v, "pid"),
		.slots = (uint32_t)number_of(v, "slots"),
		.busy = (uint32_t)number_of(v, "busy"),
		.completed = number_of(v, "completed"),
		.idle_ms = number_of(v, "idle_ms"),
		.seen_ms = number_of(v, "seen_ms"),
		.leaving = number_of(v, "leaving") != 0,
		.held = number_of(v, "held") != 0,
	};
	text_of(v, "node", ret->node, sizeof(ret->node));
	text_of(v, "peer", ret->peer, sizeof(ret->peer));
	text_of(v, "note", ret->note, sizeof(ret->note));
}

int
inquiry_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
	       size_t *ret_n, struct cadre_error *err)
{
	struct cadre_daemon_status *all;
	struct cadre_value *v = NULL;
	size_t n;
	int rc = ask(pool, WIRE_STATUS, 0, NULL, &v, err);

	if (rc < 0)
		return rc;
	n = cadre_value_type(v) == CADRE_LIST ? cadre_value_length(v) : 0;
	all = calloc(n + 1, sizeof(*all));
	for (size_t i = 0; all != NULL && i < n; i++)
		read_status(cadre_value_at(v, i), &all[i]);
	cadre_value_free(&v);
	if (all == NULL)
		return error_nomem(err);
	*ret = all;
	*ret_n = n;
	return 0;
}

int
inquiry_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
	      struct cadre_error *err)
{
	struct buf fields;
	int rc;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_u64(&fields, WIRE_TAG_SLOTS, slots);
	rc = fields.error != 0 ? error_nomem(err)
			       : ask(pool, WIRE_SCALE, remove ? WIRE_REMOVE : 0,
				     &fields, NULL, err);
	buf_fini(&fields);
	return rc;
}

int
inquiry_shutdown(struct cadre_pool *pool, struct cadre_error *err)
{
	return ask(pool, WIRE_SHUTDOWN, 0, NULL, NULL, err);
}
