/* SPDX-License-Identifier: MIT */
#include "daemon/uplink.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/log.h"

#define DELAY_MIN_MS 50
#define DELAY_MAX_MS 5000
/* A peer that accepts and then says nothing is given up. */
#define GREETING_MS 15000

static void on_timer(uv_timer_t *timer);

/* --- on the transport's threads --- */

static void
post(struct uplink *u, enum inbox_kind kind, void *pointer, const char *text)
{
	inbox_lock(&u->inbox);
	inbox_add_event(&u->inbox, kind, pointer, text);
	inbox_unlock(&u->inbox);
	(void)uv_async_send(&u->async);
}

static void *
on_opened(void *arg, struct link_conn *conn)
{
	post(arg, INBOX_OPENED, link_ref(conn), NULL);
	return arg;
}

static void take_inbox(struct uplink *u);
static void take_frame(struct uplink *u, const struct wire_frame *frame);

/* What came before is in the inbox, and is handled before. */
static void
on_begin(void *user)
{
	struct uplink *u = user;

	u->has_turn = turn_try(u->turn);
	if (u->has_turn)
		take_inbox(u);
	else
		inbox_lock(&u->inbox);
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct uplink *u = user;

	u->ops->notice(u->arg, frame);
	if (u->has_turn)
		take_frame(u, frame);
	else
		inbox_add_frame(&u->inbox, frame);
	return 0;
}

static void
on_end(void *user)
{
	struct uplink *u = user;

	if (u->has_turn) {
		turn_give(u->turn);
		return;
	}
	inbox_unlock(&u->inbox);
	(void)uv_async_send(&u->async);
}

static void
on_sent(void *user)
{
	struct uplink *u = user;

	atomic_fetch_add(&u->sent_count, 1);
	if (!atomic_load(&u->awaits_sent))
		return;
	if (!turn_try(u->turn)) {
		(void)uv_async_send(&u->async);
		return;
	}
	take_inbox(u);
	turn_give(u->turn);
}

static void
on_closed(void *user, const char *reason)
{
	post(user, INBOX_CLOSED, NULL, reason);
}

static void
on_dial_failed(void *arg, const char *reason)
{
	post(arg, INBOX_DIAL_FAILED, NULL, reason);
}

static const struct link_ops link_ops = {
	.opened = on_opened,
	.batch_begin = on_begin,
	.frame = on_frame,
	.batch_end = on_end,
	.sent = on_sent,
	.closed = on_closed,
	.dial_failed = on_dial_failed,
};

/* --- on the loop --- */

static void
failed(struct uplink *u, const char *format, const char *reason)
{
	char text[600];

	(void)uv_timer_stop(&u->timer);
	u->state = UPLINK_IDLE;
	(void)snprintf(text, sizeof(text), format, u->settings->url, reason);
	u->ops->failed(u->arg, text);
}

static void
dial(struct uplink *u)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	u->state = UPLINK_DIALLING;
	u->was_up = false;
	if (link_dial(u->settings->url, &link_ops, u, &err) < 0)
		failed(u, "cannot dial %s: %s", err.text);
}

static void
rest(struct uplink *u)
{
	u->state = UPLINK_RESTING;
	(void)uv_timer_start(&u->timer, on_timer, u->delay_ms, 0);
	u->delay_ms =
		u->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : u->delay_ms * 2;
}

static void
on_timer(uv_timer_t *timer)
{
	struct uplink *u = timer->data;

	if (u->state == UPLINK_RESTING)
		dial(u);
	else if (u->state == UPLINK_GREETING)
		uplink_close(u, "it accepted but does not answer", false);
}

static void
dial_failed(struct uplink *u, const char *reason)
{
	if (u->persist) {
		log_info("cannot reach %s yet: %s", u->settings->url, reason);
		rest(u);
		return;
	}
	failed(u, "cannot connect to the dispatcher at %s: %s", reason);
}

static void
send_bytes(struct uplink *u, struct buf *out)
{
	if (out->error == 0 && out->len > 0) {
		(void)link_send_bytes(u->conn, out->data, out->len);
		u->dirty = true;
	}
	buf_fini(out);
}

static int
greet(struct uplink *u, struct cadre_error *err)
{
	const struct settings *s = u->settings;
	struct handshake_params params = {
		.dialler = true,
		.auth = auth_find(s->auth),
		.expected_uid = getuid(),
		.local = link_url_is_local(s->url),
		.hello = u->hello.data,
		.hello_len = u->hello.len,
		.session = s->session,
	};
	struct buf out;
	int rc;

	params.have_peer_uid = link_peer_uid(u->conn, &params.peer_uid) == 0;
	rc = handshake_new(&params, &u->handshake);
	if (rc < 0)
		return error_set(err, rc, "out of memory");
	buf_init(&out, WIRE_MAX_HANDSHAKE);
	rc = handshake_start(u->handshake, &out, err);
	send_bytes(u, &out);
	return rc;
}

static void
opened(struct uplink *u, struct link_conn *conn)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	u->conn = conn;
	u->state = UPLINK_GREETING;
	u->heard_ms = uv_now(u->timer.loop);
	(void)uv_timer_start(&u->timer, on_timer, GREETING_MS, 0);
	if (greet(u, &err) < 0)
		uplink_close(u, err.text, true);
	uplink_flush(u);
}

static void
welcomed(struct uplink *u)
{
	(void)uv_timer_stop(&u->timer);
	u->state = UPLINK_UP;
	u->was_up = true;
	u->delay_ms = DELAY_MIN_MS;
	u->ops->up(u->arg, handshake_welcome(u->handshake));
}

static void
refused(struct uplink *u, const struct cadre_error *err)
{
	/* Dialling again would not change it. */
	u->persist = false;
	uplink_flush(u);
	uplink_close(u, err->text, true);
}

static void
handshake(struct uplink *u, const struct wire_frame *frame)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct buf out;
	int rc;

	buf_init(&out, WIRE_MAX_HANDSHAKE);
	rc = handshake_frame(u->handshake, frame, &out, &status, &err);
	/* The peer has proved itself before our own proof leaves: tasks may
	 * follow its answer at once, and they may be large. */
	if (rc == 0 && out.len > 0)
		link_set_max(u->conn, WIRE_MAX_FRAME);
	send_bytes(u, &out);
	uplink_flush(u);
	if (rc < 0)
		refused(u, &err);
	else if (status == HANDSHAKE_WELCOMED)
		welcomed(u);
}

static void
closed(struct uplink *u, const char *reason)
{
	bool was_up = u->was_up;

	(void)uv_timer_stop(&u->timer);
	handshake_free(&u->handshake);
	link_unref(&u->conn);
	u->was_up = false;
	u->dirty = false;
	if (was_up) {
		u->state = UPLINK_IDLE;
		u->ops->down(u->arg, reason);
	} else if (u->persist) {
		dial_failed(u, reason);
	} else {
		failed(u, "the dispatcher at %s did not let this daemon in: %s",
		       reason);
	}
}

static void
take_frame(struct uplink *u, const struct wire_frame *frame)
{
	u->heard_ms = uv_now(u->timer.loop);
	if (u->state == UPLINK_UP)
		u->ops->frame(u->arg, frame);
	else if (u->state == UPLINK_GREETING)
		handshake(u, frame);
}

static void
take_item(struct uplink *u, struct inbox_item *item)
{
	const char *text = (const char *)item->frame.payload;

	switch (item->kind) {
	case INBOX_OPENED:
		opened(u, item->pointer);
		break;
	case INBOX_CLOSED:
		closed(u, text);
		break;
	case INBOX_DIAL_FAILED:
		dial_failed(u, text);
		break;
	default:
		take_frame(u, &item->frame);
		break;
	}
}

static void
take_inbox(struct uplink *u)
{
	struct inbox_item *item;
	uint32_t sent = atomic_load(&u->sent_count);

	if (!inbox_take(&u->inbox))
		uplink_close(u, "out of memory", false);
	while ((item = inbox_next(&u->inbox)) != NULL)
		take_item(u, item);
	if (sent != u->sent_seen) {
		u->sent_seen = sent;
		u->ops->sent(u->arg);
	}
}

static void
on_async(uv_async_t *async)
{
	take_inbox(async->data);
}

int
uplink_init(struct uplink *u, struct turn *turn,
	    const struct settings *settings, const struct uplink_ops *ops,
	    void *arg, struct cadre_error *err)
{
	*u = (struct uplink){
		.ops = ops, .arg = arg, .settings = settings, .turn = turn};
	inbox_init(&u->inbox);
	buf_init(&u->hello, WIRE_MAX_HANDSHAKE);
	u->delay_ms = DELAY_MIN_MS;
	if (uv_async_init(turn->loop, &u->async, on_async) < 0 ||
	    uv_timer_init(turn->loop, &u->timer) < 0)
		return error_set(err, CADRE_ESYS, "cannot start an event loop");
	u->async.data = u;
	u->timer.data = u;
	return 0;
}

void
uplink_stop(struct uplink *u)
{
	uv_close((uv_handle_t *)&u->async, NULL);
	uv_close((uv_handle_t *)&u->timer, NULL);
}

void
uplink_fini(struct uplink *u)
{
	handshake_free(&u->handshake);
	link_unref(&u->conn);
	buf_fini(&u->hello);
	inbox_fini(&u->inbox);
}

static void
put_hello(struct uplink *u, uint64_t previous)
{
	const struct settings *s = u->settings;
	char node[HOST_NAME_MAX + 1] = "";

	(void)gethostname(node, sizeof(node) - 1);
	buf_reset(&u->hello);
	wire_put_u64(&u->hello, WIRE_TAG_ROLE, WIRE_ROLE_DAEMON);
	wire_put_str(&u->hello, WIRE_TAG_NODE, node);
	wire_put_u64(&u->hello, WIRE_TAG_PID, (uint64_t)getpid());
	wire_put_u64(&u->hello, WIRE_TAG_SLOTS, s->slots);
	wire_put_u64(&u->hello, WIRE_TAG_ENGINES, s->engines);
	wire_put_u64(&u->hello, WIRE_TAG_INDEX, s->index);
	if (previous != 0)
		wire_put_u64(&u->hello, WIRE_TAG_PREVIOUS, previous);
}

int
uplink_dial(struct uplink *u, uint64_t previous, bool persist,
	    struct cadre_error *err)
{
	put_hello(u, previous);
	if (u->hello.error != 0)
		return error_nomem(err);
	u->persist = persist;
	/* A dispatcher that ends connections at once is not to be flooded. */
	if (previous != 0)
		rest(u);
	else
		dial(u);
	return 0;
}

bool
uplink_is_up(const struct uplink *u)
{
	return u->state == UPLINK_UP;
}

void
uplink_send(struct uplink *u, const struct wire_frame *frame)
{
	if (u->state != UPLINK_UP)
		return;
	u->dirty = true;
	if (link_send(u->conn, frame) == CADRE_ENOMEM)
		uplink_close(u, "out of memory", false);
}

void
uplink_flush(struct uplink *u)
{
	if (!u->dirty || u->conn == NULL)
		return;
	u->dirty = false;
	link_flush(u->conn);
}

void
uplink_await_sent(struct uplink *u, bool wanted)
{
	atomic_store(&u->awaits_sent, wanted);
}

size_t
uplink_pending(const struct uplink *u)
{
	return u->conn == NULL ? 0 : link_pending(u->conn);
}

void
uplink_close(struct uplink *u, const char *reason, bool flush)
{
	if (u->conn == NULL || u->state == UPLINK_ENDING)
		return;
	u->state = UPLINK_ENDING;
	link_close(u->conn, reason, flush);
}
