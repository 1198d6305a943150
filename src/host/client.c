/* SPDX-License-Identifier: MIT */
#include "host/client.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "auth/handshake.h"
#include "host/numbers.h"
#include "host/setting.h"
#include "host/task.h"
#include "host/wait.h"
#include "link/link.h"
#include "util/error.h"
#include "util/parse.h"
#include "value/codec.h"

/* A pool whose dispatcher is another process: tasks go there as SUBMIT frames
 * under numbers of our own, outcomes come back. */

/* How long the dispatcher may take to answer a question. */
#define REPLY_MS 30000

enum phase { PHASE_DIALLING, PHASE_GREETING, PHASE_UP, PHASE_LOST };

/* A question, on the stack of who asks it. */
struct request {
	struct request *prev, *next;
	uint64_t number;
	bool done;
	int rc;
	struct cadre_value *value; /* NULL: the answer has none */
	char why[200];
};

struct client {
	struct cadre_pool *pool;
	struct link_conn *conn; /* a reference; NULL before the dial is over */
	struct handshake *handshake;
	const struct auth_ops *auth;
	enum phase phase;
	struct cadre_error why; /* it was lost */
	bool dirty;
	bool abandoned; /* the pool is closed: whoever comes last frees it */
	bool attached;	/* the link may still call us */
	struct numbers tasks;
	struct request *requests;
};

static struct client *
client_of(struct cadre_pool *pool)
{
	return pool->impl;
}

static void
client_free(struct client *c)
{
	if (c->handshake != NULL)
		handshake_free(&c->handshake);
	if (c->conn != NULL)
		link_unref(&c->conn);
	numbers_fini(&c->tasks);
	free(c);
}

static int
send_frame(struct client *c, const struct wire_frame *frame)
{
	int rc = c->phase == PHASE_UP ? link_send(c->conn, frame)
				      : CADRE_ECLOSED;

	if (rc == 0)
		c->dirty = true;
	return rc;
}

static void
send_bytes(struct client *c, const struct buf *out)
{
	if (out->len > 0 && link_send_bytes(c->conn, out->data, out->len) == 0)
		c->dirty = true;
}

/* --- what comes from the dispatcher --- */

static void
fail_requests(struct client *c)
{
	struct request *r;

	DL_FOREACH (c->requests, r) {
		r->done = true;
		r->rc = CADRE_ELOST;
		(void)snprintf(r->why, sizeof(r->why), "%.199s", c->why.text);
	}
	c->requests = NULL;
}

/* The connection is over: so are all that depend on it (mutex held). */
static void
lose(struct client *c, int code, const char *reason)
{
	struct cadre_task *t;

	if (c->phase == PHASE_LOST)
		return;
	if (c->phase == PHASE_UP)
		(void)error_set(&c->why, CADRE_ELOST,
				"the dispatcher at %s is gone: %s",
				c->pool->url, reason);
	else
		(void)error_set(&c->why, code,
				"cannot use the dispatcher at %s: %s",
				c->pool->url, reason);
	c->phase = PHASE_LOST;
	fail_requests(c);
	while ((t = numbers_pop(&c->tasks)) != NULL)
		task_fail(t, CADRE_OUTCOME_LOST, c->why.text);
	atomic_store(&c->pool->ended, true);
	c->pool->wake_due = true;
}

/* Sends our HELLO. */
static int
begin_handshake(struct client *c)
{
	struct handshake_params params = {
		.dialler = true,
		.auth = c->auth,
		.expected_uid = geteuid(),
		.local = link_url_is_local(c->pool->url),
	};
	struct buf hello, out;
	char node[256] = "";
	int rc;

	buf_init(&hello, WIRE_MAX_HANDSHAKE);
	buf_init(&out, WIRE_MAX_HANDSHAKE);
	(void)gethostname(node, sizeof(node) - 1);
	wire_put_u64(&hello, WIRE_TAG_ROLE, WIRE_ROLE_HOST);
	wire_put_u64(&hello, WIRE_TAG_PID, (uint64_t)getpid());
	wire_put_str(&hello, WIRE_TAG_NODE, node);
	params.hello = hello.data;
	params.hello_len = hello.len;
	params.have_peer_uid = link_peer_uid(c->conn, &params.peer_uid) == 0;
	rc = hello.error != 0 ? hello.error
			      : handshake_new(&params, &c->handshake);
	if (rc == 0)
		rc = handshake_start(c->handshake, &out, NULL);
	if (rc == 0)
		send_bytes(c, &out);
	buf_fini(&hello);
	buf_fini(&out);
	return rc;
}

static void *
on_opened(void *arg, struct link_conn *conn)
{
	struct client *c = arg;
	bool abandoned;

	pool_lock(c->pool);
	abandoned = c->abandoned;
	if (!abandoned) {
		c->conn = link_ref(conn);
		c->phase = PHASE_GREETING;
		if (begin_handshake(c) < 0)
			lose(c, CADRE_ENOMEM, "out of memory");
	}
	pool_unlock(c->pool);
	if (!abandoned)
		return c;
	client_free(c);
	return NULL;
}

static void
on_dial_failed(void *arg, const char *reason)
{
	struct client *c = arg;
	bool abandoned;

	pool_lock(c->pool);
	abandoned = c->abandoned;
	c->attached = false;
	if (!abandoned)
		lose(c, CADRE_ELOST, reason);
	pool_unlock(c->pool);
	if (abandoned)
		client_free(c);
}

static void
on_batch_begin(void *user)
{
	pool_lock(((struct client *)user)->pool);
}

static void
on_batch_end(void *user)
{
	pool_unlock(((struct client *)user)->pool);
}

static int
greet(struct client *c, const struct wire_frame *frame)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct buf out;
	int rc;

	buf_init(&out, 2 * WIRE_MAX_HANDSHAKE);
	rc = handshake_frame(c->handshake, frame, &out, &status, &err);
	send_bytes(c, &out);
	buf_fini(&out);
	if (rc < 0) {
		lose(c, rc, err.text);
		link_close(c->conn, err.text, true);
		return 0;
	}
	if (status == HANDSHAKE_WELCOMED) {
		handshake_free(&c->handshake);
		c->phase = PHASE_UP;
		link_set_max(c->conn, WIRE_MAX_FRAME);
		c->pool->wake_due = true;
	}
	return 0;
}

static void
take_accepted(struct client *c, const struct wire_frame *frame)
{
	struct cadre_task *t = numbers_find(&c->tasks, frame->task);

	if (t == NULL)
		return;
	atomic_store(&t->id, wire_u64(frame, WIRE_TAG_ID, 0));
	pool_notify(c->pool);
}

static void
take_outcome(struct client *c, const struct wire_frame *frame)
{
	struct cadre_task *t = numbers_take(&c->tasks, frame->task);
	struct dispatch_outcome o = {
		.outcome = (enum cadre_outcome)frame->code,
		.attempts = (uint32_t)wire_u64(frame, WIRE_TAG_ATTEMPTS, 0),
		.incarnation = frame->incarnation,
		.slot = frame->slot,
		.result = frame,
	};

	if (t != NULL)
		task_resolve(t, &o);
}

static void
take_output(struct client *c, const struct wire_frame *frame)
{
	struct cadre_task *t = numbers_find(&c->tasks, frame->task);

	if (t != NULL)
		event_output(t, frame->code, frame->payload,
			     frame->payload_len);
}

static void
take_reply(struct client *c, const struct wire_frame *frame)
{
	struct request *r;
	char *why;

	DL_SEARCH_SCALAR(c->requests, r, number, frame->task);
	if (r == NULL)
		return;
	DL_DELETE(c->requests, r);
	r->rc = -(int)frame->code;
	why = wire_str(frame, WIRE_TAG_MESSAGE);
	(void)snprintf(r->why, sizeof(r->why), "%.199s",
		       why != NULL ? why : cadre_strerror(r->rc));
	free(why);
	if (r->rc == 0 && frame->payload_len > 0)
		r->rc = value_decode(frame->payload, frame->payload_len, NULL,
				     &r->value);
	r->done = true;
	c->pool->wake_due = true;
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct client *c = user;

	if (c->phase == PHASE_GREETING)
		return greet(c, frame);
	if (c->phase != PHASE_UP)
		return CADRE_ECLOSED;
	if (!wire_allowed(WIRE_ROLE_DISPATCHER, frame->type))
		return CADRE_EPROTO;
	switch (frame->type) {
	case WIRE_ACCEPTED:
		take_accepted(c, frame);
		break;
	case WIRE_OUTCOME:
		take_outcome(c, frame);
		break;
	case WIRE_OUTPUT:
		take_output(c, frame);
		break;
	case WIRE_REPLY:
		take_reply(c, frame);
		break;
	default:
		break;
	}
	return 0;
}

static void
on_closed(void *user, const char *reason)
{
	struct client *c = user;
	bool abandoned;

	pool_lock(c->pool);
	abandoned = c->abandoned;
	c->attached = false;
	if (!abandoned)
		lose(c, CADRE_ELOST, reason);
	pool_unlock(c->pool);
	if (abandoned)
		client_free(c);
}

static const struct link_ops link_callbacks = {
	.opened = on_opened,
	.batch_begin = on_batch_begin,
	.frame = on_frame,
	.batch_end = on_batch_end,
	.closed = on_closed,
	.dial_failed = on_dial_failed,
};

/* --- what the pool wants --- */

static int
send_task(struct client *c, uint16_t type, uint8_t flags, struct cadre_task *t,
	  const struct opts_shape *shape, const struct pool_payload *payload)
{
	struct wire_frame frame = {
		.type = type,
		.flags = flags,
		.fields = shape->fields->data,
		.fields_len = shape->fields->len,
		.payload = payload->data,
		.payload_len = payload->len,
		.owner = payload->owner,
	};
	int rc = c->phase == PHASE_UP ? numbers_add(&c->tasks, t, &t->number)
				      : CADRE_ELOST;

	if (rc < 0)
		return rc;
	frame.task = t->number;
	rc = send_frame(c, &frame);
	if (rc < 0)
		(void)numbers_take(&c->tasks, t->number);
	return rc == CADRE_ECLOSED ? CADRE_ELOST : rc;
}

static int
client_submit(struct cadre_pool *pool, struct cadre_task *t,
	      const struct opts_shape *shape,
	      const struct pool_payload *payload, uint64_t now_ms)
{
	(void)now_ms;
	return send_task(client_of(pool), WIRE_SUBMIT, shape->spec.flags, t,
			 shape, payload);
}

static int
client_everywhere(struct cadre_pool *pool, struct cadre_task *t,
		  const struct opts_shape *shape,
		  const struct pool_payload *payload, bool once,
		  uint64_t now_ms)
{
	uint8_t flags = shape->spec.flags;

	(void)now_ms;
	if (once)
		flags |= WIRE_ONCE;
	return send_task(client_of(pool), WIRE_EVERYWHERE, flags, t, shape,
			 payload);
}

static void
client_reset(struct cadre_pool *pool)
{
	(void)send_frame(client_of(pool),
			 &(struct wire_frame){.type = WIRE_RESET});
}

static void
client_cancel(struct cadre_pool *pool, struct cadre_task *t)
{
	struct client *c = client_of(pool);

	if (numbers_take(&c->tasks, t->number) == NULL)
		return;
	(void)send_frame(c, &(struct wire_frame){.type = WIRE_CANCEL,
						 .task = t->number});
	task_fail(t, CADRE_OUTCOME_CANCELLED, NULL);
}

/* Where it stands only the dispatcher knows. */
static enum cadre_state
client_state(struct cadre_pool *pool, const struct cadre_task *t)
{
	(void)pool;
	(void)t;
	return CADRE_READY;
}

static void
client_pause(struct cadre_pool *pool, bool paused)
{
	struct client *c = client_of(pool);

	if (c->phase == PHASE_UP)
		link_pause(c->conn, paused);
}

static void
client_flush(struct cadre_pool *pool)
{
	struct client *c = client_of(pool);

	if (!c->dirty)
		return;
	c->dirty = false;
	link_flush(c->conn);
}

static bool
await_reply(struct client *c, const struct request *r)
{
	uint64_t deadline = wait_deadline(REPLY_MS);
	bool done = false;

	atomic_fetch_add(&c->pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		pool_lock(c->pool);
		done = r->done;
		pool_unlock(c->pool);
		if (done || !wait_sleep(ticket, WAIT_EVENT, deadline))
			break;
	}
	atomic_fetch_sub(&c->pool->watchers, 1);
	return done;
}

/* Asks the dispatcher; *ret_value (may be NULL) is owned. */
static int
ask(struct cadre_pool *pool, uint16_t type, uint8_t flags,
    const struct buf *fields, struct cadre_value **ret_value,
    struct cadre_error *err)
{
	struct client *c = client_of(pool);
	struct request r = {.rc = CADRE_ETIMEDOUT};
	struct wire_frame frame = {.type = type, .flags = flags};
	int rc;

	if (fields != NULL) {
		frame.fields = fields->data;
		frame.fields_len = fields->len;
	}
	pool_lock(pool);
	submit_drain(pool);
	rc = numbers_add(&c->tasks, NULL, &r.number);
	frame.task = r.number;
	if (rc == 0)
		rc = send_frame(c, &frame);
	if (rc == 0)
		DL_APPEND(c->requests, &r);
	pool_unlock(pool);
	if (rc < 0)
		return error_set(err, CADRE_ELOST, "%s",
				 c->why.code != 0 ? c->why.text
						  : cadre_strerror(rc));
	if (!await_reply(c, &r)) {
		pool_lock(pool);
		if (!r.done) {
			DL_DELETE(c->requests, &r);
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

static int
client_info(struct cadre_pool *pool, struct cadre_info *ret,
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

static int
client_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
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

static int
client_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
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

static int
client_shutdown(struct cadre_pool *pool, struct cadre_error *err)
{
	return ask(pool, WIRE_SHUTDOWN, 0, NULL, NULL, err);
}

static void
client_close(struct cadre_pool *pool)
{
	struct client *c = client_of(pool);
	struct cadre_task *t;
	bool last;

	pool_lock(pool);
	while ((t = numbers_pop(&c->tasks)) != NULL)
		task_fail(t, CADRE_OUTCOME_CLOSED, NULL);
	c->phase = PHASE_LOST;
	fail_requests(c);
	submit_drain(pool);
	pool_end(pool);
	pool->wake_due = true;
	c->abandoned = true;
	last = !c->attached;
	if (c->conn != NULL)
		link_close(c->conn, "the pool was closed", true);
	pool_unlock(pool);
	if (last)
		client_free(c);
	link_drain();
}

static const struct pool_ops client_ops = {
	.submit = client_submit,
	.everywhere = client_everywhere,
	.reset = client_reset,
	.cancel = client_cancel,
	.state = client_state,
	.pause = client_pause,
	.flush = client_flush,
	.info = client_info,
	.status = client_status,
	.scale = client_scale,
	.shutdown = client_shutdown,
	.close = client_close,
};

int
client_open(struct cadre_pool *pool, struct cadre_error *err)
{
	const char *name = cadre_config_get(pool->cfg, "auth");
	bool tcp = strncmp(pool->url, "tcp", 3) == 0;
	struct client *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return error_nomem(err);
	c->pool = pool;
	c->auth = auth_find(name == NULL ? "peer" : name);
	numbers_init(&c->tasks);
	rc = c->auth->usable(link_url_is_local(pool->url), !tcp, err);
	if (rc < 0) {
		client_free(c);
		return rc;
	}
	pool->ops = &client_ops;
	pool->impl = c;
	c->attached = true;
	rc = link_dial(pool->url, &link_callbacks, c, err);
	if (rc < 0) {
		c->attached = false;
		client_close(pool);
	}
	return rc;
}

int
client_await(struct cadre_pool *pool, struct cadre_error *err)
{
	struct client *c = client_of(pool);
	int64_t limit =
		setting_ms(cadre_config_get(pool->cfg, "start-limit"), 30000);
	uint64_t deadline = wait_deadline(limit == PARSE_FOREVER ? -1 : limit);
	enum phase phase;

	atomic_fetch_add(&pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		pool_lock(pool);
		phase = c->phase;
		pool_unlock(pool);
		if (phase == PHASE_UP || phase == PHASE_LOST ||
		    !wait_sleep(ticket, WAIT_EVENT, deadline))
			break;
	}
	atomic_fetch_sub(&pool->watchers, 1);
	if (phase == PHASE_UP)
		return 0;
	if (phase == PHASE_LOST)
		return error_set(err, c->why.code, "%s", c->why.text);
	return error_set(err, CADRE_ETIMEDOUT,
			 "the dispatcher at %s does not answer", pool->url);
}
