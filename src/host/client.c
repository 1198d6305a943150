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
#include "host/inquiry.h"
#include "host/setting.h"
#include "host/task.h"
#include "host/wait.h"
#include "link/link.h"
#include "util/error.h"
#include "util/parse.h"
#include "value/codec.h"

/* A pool whose dispatcher is another process: tasks go there as SUBMIT frames
 * under numbers of our own, outcomes come back. */

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

int
client_send(struct client *c, const struct wire_frame *frame)
{
	int rc = c->phase == CLIENT_UP ? link_send(c->conn, frame)
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

/* The connection is over: so are all that depend on it (mutex held). */
static void
lose(struct client *c, int code, const char *reason)
{
	struct cadre_task *t;

	if (c->phase == CLIENT_LOST)
		return;
	if (c->phase == CLIENT_UP)
		(void)error_set(&c->why, CADRE_ELOST,
				"the dispatcher at %s is gone: %s",
				c->pool->url, reason);
	else
		(void)error_set(&c->why, code,
				"cannot use the dispatcher at %s: %s",
				c->pool->url, reason);
	c->phase = CLIENT_LOST;
	inquiry_fail(c);
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
		c->phase = CLIENT_GREETING;
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
		c->phase = CLIENT_UP;
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

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct client *c = user;

	if (c->phase == CLIENT_GREETING)
		return greet(c, frame);
	if (c->phase != CLIENT_UP)
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
		inquiry_reply(c, frame);
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
	int rc = c->phase == CLIENT_UP ? numbers_add(&c->tasks, t, &t->number)
				       : CADRE_ELOST;

	if (rc < 0)
		return rc;
	frame.task = t->number;
	rc = client_send(c, &frame);
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
	(void)client_send(client_of(pool),
			  &(struct wire_frame){.type = WIRE_RESET});
}

static void
client_cancel(struct cadre_pool *pool, struct cadre_task *t)
{
	struct client *c = client_of(pool);

	if (numbers_take(&c->tasks, t->number) == NULL)
		return;
	(void)client_send(c, &(struct wire_frame){.type = WIRE_CANCEL,
						  .task = t->number});
	task_fail(t, CADRE_OUTCOME_CANCELLED, NULL);
}

/* Where it stands only the dispatcher knows, see cadre_task_state. */
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

	if (c->phase == CLIENT_UP)
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

static void
client_close(struct cadre_pool *pool)
{
	struct client *c = client_of(pool);
	struct cadre_task *t;
	bool last;

	pool_lock(pool);
	while ((t = numbers_pop(&c->tasks)) != NULL)
		task_fail(t, CADRE_OUTCOME_CLOSED, NULL);
	c->phase = CLIENT_LOST;
	inquiry_fail(c);
	submit_drain(pool);
	pool_end(pool);
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
	.info = inquiry_info,
	.status = inquiry_status,
	.scale = inquiry_scale,
	.shutdown = inquiry_shutdown,
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
	pool_begin(pool, &client_ops, c);
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
	enum client_phase phase;

	atomic_fetch_add(&pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		pool_lock(pool);
		phase = c->phase;
		pool_unlock(pool);
		if (phase == CLIENT_UP || phase == CLIENT_LOST ||
		    !wait_sleep(ticket, WAIT_EVENT, deadline))
			break;
	}
	atomic_fetch_sub(&pool->watchers, 1);
	if (phase == CLIENT_UP)
		return 0;
	if (phase == CLIENT_LOST)
		return error_set(err, c->why.code, "%s", c->why.text);
	return error_set(err, CADRE_ETIMEDOUT,
			 "the dispatcher at %s does not answer", pool->url);
}
