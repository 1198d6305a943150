/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "util/buf.h"
#include "value/codec.h"

/* What the dispatcher tells of itself, to its process and to hosts. */

/* A reply of that size is a mistake. */
#define REPLY_MAX (UINT32_C(256) << 20)

void
dispatch_info(const struct dispatch *d, struct cadre_info *ret)
{
	*ret = d->info;
	ret->awaiting = d->count[CADRE_WAITING] + d->count[CADRE_READY];
	ret->executing = d->count[CADRE_ASSIGNED] + d->count[CADRE_STARTED];
}

static void
describe(const struct dispatch_peer *peer, uint64_t now,
	 struct cadre_daemon_status *ret)
{
	*ret = (struct cadre_daemon_status){
		.incarnation = peer->incarnation,
		.pid = peer->pid,
		.slots = peer->up,
		.busy = peer->busy,
		.completed = peer->completed,
		.idle_ms = peer->busy > 0 ? 0 : now - peer->idle_since,
		.seen_ms = now - peer->seen,
		.leaving = peer->leaving,
		.held = peer->held > 0,
	};
	(void)snprintf(ret->node, sizeof(ret->node), "%s", peer->node);
	(void)snprintf(ret->peer, sizeof(ret->peer), "%s", peer->address);
	(void)snprintf(ret->note, sizeof(ret->note), "%s", peer->note);
}

size_t
dispatch_status(const struct dispatch *d, uint64_t now,
		struct cadre_daemon_status *ret, size_t max)
{
	const struct dispatch_peer *peer;
	size_t n = 0;

	if (now < d->now)
		now = d->now;
	DL_FOREACH (d->peers, peer) {
		if (peer->role != WIRE_ROLE_DAEMON)
			continue;
		if (n < max)
			describe(peer, now, &ret[n]);
		n++;
	}
	return n;
}

/* Lists grow until memory is out, which a missing element shows. */
static bool
add(struct cadre_value *list, const char *name, struct cadre_value *v)
{
	if (v != NULL && cadre_value_list_add(list, name, &v) == 0)
		return true;
	cadre_value_free(&v);
	return false;
}

static bool
add_number(struct cadre_value *list, const char *name, uint64_t x)
{
	return add(list, name, cadre_value_of_int64((int64_t)x));
}

static struct cadre_value *
info_value(const struct dispatch *d)
{
	struct cadre_value *v = cadre_value_list(0);
	struct cadre_info i;

	dispatch_info(d, &i);
	if (v != NULL && add_number(v, "connections", i.connections) &&
	    add_number(v, "slots", i.slots) &&
	    add_number(v, "cumulative", i.cumulative) &&
	    add_number(v, "awaiting", i.awaiting) &&
	    add_number(v, "executing", i.executing) &&
	    add_number(v, "completed", i.completed) &&
	    add_number(v, "failed", i.failed) &&
	    add_number(v, "retried", i.retried) &&
	    add_number(v, "refused", i.refused))
		return v;
	cadre_value_free(&v);
	return NULL;
}

static struct cadre_value *
daemon_value(const struct cadre_daemon_status *s)
{
	struct cadre_value *v = cadre_value_list(0);

	if (v != NULL && add_number(v, "incarnation", s->incarnation) &&
	    add(v, "node", cadre_value_of_string(s->node)) &&
	    add(v, "peer", cadre_value_of_string(s->peer)) &&
	    add_number(v, "pid", (uint64_t)s->pid) &&
	    add_number(v, "slots", s->slots) &&
	    add_number(v, "busy", s->busy) &&
	    add_number(v, "completed", s->completed) &&
	    add_number(v, "idle_ms", s->idle_ms) &&
	    add_number(v, "seen_ms", s->seen_ms) &&
	    add(v, "leaving", cadre_value_of_bool(s->leaving)) &&
	    add(v, "held", cadre_value_of_bool(s->held)) &&
	    add(v, "note", cadre_value_of_string(s->note)))
		return v;
	cadre_value_free(&v);
	return NULL;
}

static struct cadre_value *
status_value(const struct dispatch *d)
{
	struct cadre_value *v = cadre_value_list(0);
	const struct dispatch_peer *peer;
	struct cadre_daemon_status s;
	bool ok = v != NULL;

	DL_FOREACH (d->peers, peer) {
		if (!ok || peer->role != WIRE_ROLE_DAEMON)
			continue;
		describe(peer, d->now, &s);
		ok = add(v, NULL, daemon_value(&s));
	}
	if (!ok)
		cadre_value_free(&v);
	return v;
}

void
status_reply(struct dispatch *d, struct dispatch_peer *peer,
	     const struct wire_frame *frame)
{
	struct wire_frame reply = {.type = WIRE_REPLY, .task = frame->task};
	struct cadre_value *v =
		frame->type == WIRE_INFO ? info_value(d) : status_value(d);
	struct buf b;

	buf_init(&b, REPLY_MAX);
	if (v != NULL)
		value_encode(&b, v);
	if (v == NULL || b.error != 0) {
		reply.code = (uint8_t)-CADRE_ENOMEM;
	} else {
		reply.payload = b.data;
		reply.payload_len = b.len;
	}
	cadre_value_free(&v);
	peer_send(d, peer, &reply);
	buf_fini(&b);
}
