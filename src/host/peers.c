/* SPDX-License-Identifier: MIT */
#include "host/peers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "auth/handshake.h"
#include "util/clock.h"

/* A connection that has not proved by then who it is gets closed. */
#define HANDSHAKE_MS 10000u
/* Connections that have not proved it yet; more are refused. */
#define HANDSHAKES_MAX 1024u

struct peer {
	struct peer *prev, *next;
	struct driver *driver;
	struct link_conn *conn;
	struct handshake *handshake; /* NULL once it is over */
	struct dispatch_peer *peer;  /* NULL unless the dispatcher knows it */
	uint64_t since_ms;
	int64_t pid; /* of a daemon that this host launched, else 0 */
	bool daemon;
	bool proved; /* it has finished a task */
	bool dirty;
	struct peer *next_dirty;
};

static void
mark_dirty(struct peer *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	p->next_dirty = p->driver->dirty;
	p->driver->dirty = p;
}

void
peers_send(void *arg, void *conn, const struct wire_frame *frame)
{
	struct peer *p = conn;

	(void)arg;
	if (frame->type == WIRE_LEAVE)
		jobs_retiring(&p->driver->jobs, p->pid);
	/* If it fails, the connection is about to end and says so itself. */
	if (link_send(p->conn, frame) == 0)
		mark_dirty(p);
}

void
peers_drop(void *arg, void *conn, const char *reason)
{
	struct peer *p = conn;

	(void)arg;
	p->peer = NULL;
	link_close(p->conn, reason, true);
}

void
peers_flush(struct driver *d)
{
	while (d->dirty != NULL) {
		struct peer *p = d->dirty;

		d->dirty = p->next_dirty;
		p->dirty = false;
		link_flush(p->conn);
	}
}

static void *
on_opened(void *arg, struct link_conn *conn)
{
	struct driver *d = arg;
	struct handshake_params params = {
		.auth = d->auth,
		.expected_uid = geteuid(),
		.local = d->local,
		.session = d->session,
	};
	struct peer *p = calloc(1, sizeof(*p));
	struct buf hello;

	if (p == NULL)
		return NULL;
	buf_init(&hello, WIRE_MAX_HANDSHAKE);
	wire_put_u64(&hello, WIRE_TAG_ROLE, WIRE_ROLE_DISPATCHER);
	wire_put_u64(&hello, WIRE_TAG_PID, (uint64_t)getpid());
	params.hello = hello.data;
	params.hello_len = hello.len;
	params.have_peer_uid = link_peer_uid(conn, &params.peer_uid) == 0;
	p->driver = d;
	p->conn = conn;
	p->since_ms = clock_now_ms();
	pool_lock(d->pool);
	if (d->dispatch == NULL || d->handshakes == HANDSHAKES_MAX ||
	    hello.error != 0 || handshake_new(&params, &p->handshake) < 0) {
		free(p);
		p = NULL;
	} else {
		DL_APPEND(d->peers, p);
		d->handshakes++;
	}
	pool_unlock(d->pool);
	buf_fini(&hello);
	return p;
}

static void
on_batch_begin(void *user)
{
	struct peer *p = user;

	pool_lock(p->driver->pool);
	p->driver->batch_ms = clock_now_ms();
}

static void
on_batch_end(void *user)
{
	struct peer *p = user;

	pool_unlock(p->driver->pool);
}

static void
handshake_over(struct peer *p)
{
	if (p->handshake == NULL)
		return;
	handshake_free(&p->handshake);
	p->driver->handshakes--;
}

static void
send_frame(struct peer *p, uint16_t type, uint32_t incarnation,
	   const struct buf *fields)
{
	peers_send(p->driver, p,
		   &(struct wire_frame){.type = type,
					.incarnation = incarnation,
					.fields = fields->data,
					.fields_len = fields->len});
}

static void
refuse(struct peer *p, const char *reason)
{
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_REASON, reason);
	send_frame(p, WIRE_REFUSED, 0, &fields);
	buf_fini(&fields);
	link_close(p->conn, reason, true);
}

static void
send_welcome(struct peer *p, uint32_t incarnation)
{
	struct driver *d = p->driver;
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_SESSION, d->session);
	wire_put_u64(&fields, WIRE_TAG_HEARTBEAT_MS, d->heartbeat_ms);
	send_frame(p, WIRE_WELCOME, incarnation, &fields);
	buf_fini(&fields);
}

/* The peer proved who it is. */
static void
welcome(struct peer *p)
{
	struct driver *d = p->driver;
	const struct wire_frame *hello = handshake_hello(p->handshake);
	uint64_t role = wire_u64(hello, WIRE_TAG_ROLE, 0);
	int64_t pid = (int64_t)wire_u64(hello, WIRE_TAG_PID, 0);
	uint32_t incarnation;
	int rc;

	if (role == WIRE_ROLE_HOST && !d->serve) {
		refuse(p, "this dispatcher serves its own process only: open "
			  "it with serve=yes, or by cadre start");
		return;
	}
	rc = dispatch_peer_up(d->dispatch, hello, p, link_peer_address(p->conn),
			      d->batch_ms, &p->peer, &incarnation);
	if (rc < 0) {
		refuse(p, rc == CADRE_ENOMEM
				  ? "the dispatcher ran out of memory"
				  : "the hello says nothing that makes sense");
		return;
	}
	p->daemon = role == WIRE_ROLE_DAEMON;
	link_set_max(p->conn, WIRE_MAX_FRAME);
	send_welcome(p, incarnation);
	if (p->daemon &&
	    jobs_connected(&d->jobs,
			   (uint32_t)wire_u64(hello, WIRE_TAG_INDEX, 0), pid))
		p->pid = pid;
	handshake_over(p);
	driver_expect(d, d->batch_ms);
	dispatch_peer_ready(d->dispatch, p->peer, d->batch_ms);
}

static int
greet(struct peer *p, const struct wire_frame *frame)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct buf out;
	int rc;

	if (p->handshake == NULL)
		return CADRE_EPROTO;
	buf_init(&out, 2 * WIRE_MAX_HANDSHAKE);
	rc = handshake_frame(p->handshake, frame, &out, &status, &err);
	if (out.len > 0 && link_send_bytes(p->conn, out.data, out.len) == 0)
		mark_dirty(p);
	buf_fini(&out);
	if (rc < 0)
		link_close(p->conn, err.text, true);
	else if (status == HANDSHAKE_PROVED)
		welcome(p);
	return 0;
}

/* What concerns the host beyond the dispatcher. */
static void
notice(struct peer *p, uint16_t type)
{
	if (type == WIRE_RESULT && p->proved)
		return;
	switch (type) {
	case WIRE_RESULT:
		p->proved = true;
		jobs_proved(&p->driver->jobs, p->pid);
		break;
	case WIRE_LEAVING:
		jobs_retiring(&p->driver->jobs, p->pid);
		break;
	case WIRE_SLOT_UP:
	case WIRE_SLOT_DOWN:
		pool_notify(p->driver->pool);
		break;
	default:
		break;
	}
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct peer *p = user;
	struct driver *d = p->driver;

	if (d->dispatch == NULL)
		return CADRE_ECLOSED;
	if (p->peer == NULL)
		return greet(p, frame);
	if (p->daemon)
		notice(p, frame->type);
	return dispatch_frame(d->dispatch, p->peer, frame, d->batch_ms, NULL);
}

static void
forget_dirty(struct peer *p)
{
	struct peer **at = &p->driver->dirty;

	while (p->dirty && *at != NULL && *at != p)
		at = &(*at)->next_dirty;
	if (p->dirty && *at == p)
		*at = p->next_dirty;
}

static void
on_closed(void *user, const char *reason)
{
	struct peer *p = user;
	struct driver *d = p->driver;

	pool_lock(d->pool);
	if (p->peer != NULL && d->dispatch != NULL)
		dispatch_peer_lost(d->dispatch, p->peer, reason,
				   clock_now_ms());
	handshake_over(p);
	forget_dirty(p);
	DL_DELETE(d->peers, p);
	d->pool->wake_due = true;
	pool_unlock(d->pool);
	free(p);
}

const struct link_ops peers_link_ops = {
	.opened = on_opened,
	.batch_begin = on_batch_begin,
	.frame = on_frame,
	.batch_end = on_batch_end,
	.closed = on_closed,
};

void
peers_pause(struct driver *d, bool paused)
{
	struct peer *p;

	d->paused = paused;
	DL_FOREACH (d->peers, p) {
		if (p->peer != NULL && p->daemon)
			link_pause(p->conn, paused);
	}
}

static void
close_silent(struct driver *d, uint64_t now)
{
	struct peer *p;

	if (d->handshakes == 0)
		return;
	DL_FOREACH (d->peers, p) {
		if (p->handshake != NULL && now - p->since_ms >= HANDSHAKE_MS)
			link_close(p->conn, "no handshake in time", false);
	}
}

/* Peers that we do not read cannot be heard: they count as alive. */
static void
keep_paused(struct driver *d, uint64_t now)
{
	static const struct wire_frame beat = {.type = WIRE_HEARTBEAT};
	struct peer *p, *after;

	DL_FOREACH_SAFE (d->peers, p, after) {
		if (p->peer != NULL && p->daemon)
			(void)dispatch_frame(d->dispatch, p->peer, &beat, now,
					     NULL);
	}
}

uint64_t
peers_tick(struct driver *d, uint64_t now_ms)
{
	uint64_t due = UINT64_MAX;

	close_silent(d, now_ms);
	if (d->paused)
		keep_paused(d, now_ms);
	if (d->handshakes > 0)
		due = now_ms + HANDSHAKE_MS;
	if (d->paused && d->heartbeat_ms > 0 && now_ms + d->heartbeat_ms < due)
		due = now_ms + d->heartbeat_ms;
	return due;
}

void
peers_say_exit(struct driver *d)
{
	const struct buf none = {0};
	struct peer *p;

	DL_FOREACH (d->peers, p) {
		if (p->daemon && p->peer != NULL)
			send_frame(p, WIRE_EXIT, 0, &none);
	}
}

void
peers_close(struct driver *d, bool flush)
{
	struct peer *p;

	DL_FOREACH (d->peers, p) {
		p->peer = NULL;
		link_close(p->conn, "the pool was closed", flush);
	}
}
