/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "util/error.h"

/* Connections of daemons and hosts: coming, going, silence. */

/* A daemon is lost when it was not heard of for this many heartbeats. */
#define SILENT_BEATS 3u

void
peer_send(struct dispatch *d, struct dispatch_peer *peer,
	  const struct wire_frame *frame)
{
	peer->sent = d->now;
	d->ops->send(d->arg, peer->conn, frame);
}

void
peer_free(struct dispatch *d, struct dispatch_peer *peer)
{
	DL_DELETE(d->peers, peer);
	for (size_t i = 0; i < peer->slots_n; i++)
		free(peer->slots[i]);
	free(peer->slots);
	blob_unref(&peer->raw);
	free(peer);
}

static void
gone(struct dispatch *d, struct dispatch_peer *peer, const char *reason)
{
	if (peer->role == WIRE_ROLE_DAEMON)
		daemon_lost(d, peer, reason);
	else
		client_lost(d, peer);
	peer_free(d, peer);
}

/* The dispatcher gives it up. */
static void
give_up(struct dispatch *d, struct dispatch_peer *peer, const char *reason)
{
	d->ops->drop(d->arg, peer->conn, reason);
	gone(d, peer, reason);
}

static void
text_field(const struct wire_frame *frame, uint16_t tag, char *to, size_t size)
{
	struct wire_field f;

	if (wire_find(frame, tag, &f))
		(void)snprintf(to, size, "%.*s", text_clip(f.len),
			       (const char *)f.data);
}

/* A daemon dialled anew before its old connection was found dead. */
static void
replace(struct dispatch *d, uint64_t previous)
{
	struct dispatch_peer *peer;

	if (previous == 0)
		return;
	DL_FOREACH (d->peers, peer) {
		if (peer->incarnation != previous ||
		    peer->role != WIRE_ROLE_DAEMON)
			continue;
		give_up(d, peer, "its daemon came back on a new connection");
		return;
	}
}

int
dispatch_peer_up(struct dispatch *d, const struct wire_frame *hello, void *conn,
		 const char *address, uint64_t now,
		 struct dispatch_peer **ret_peer, uint32_t *ret_incarnation)
{
	uint64_t role = wire_u64(hello, WIRE_TAG_ROLE, 0);
	struct dispatch_peer *peer;
	int rc = 0;

	dispatch_advance(d, now);
	if (role != WIRE_ROLE_DAEMON && role != WIRE_ROLE_HOST)
		return CADRE_EPROTO;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return CADRE_ENOMEM;
	peer->conn = conn;
	peer->role = (enum wire_role)role;
	peer->seen = peer->sent = peer->idle_since = now;
	peer->pid = (int64_t)wire_u64(hello, WIRE_TAG_PID, 0);
	text_field(hello, WIRE_TAG_NODE, peer->node, sizeof(peer->node));
	(void)snprintf(peer->address, sizeof(peer->address), "%s",
		       address != NULL ? address : "");
	if (role == WIRE_ROLE_DAEMON)
		rc = daemon_up(d, peer, hello);
	if (rc < 0) {
		free(peer);
		return rc;
	}
	replace(d, wire_u64(hello, WIRE_TAG_PREVIOUS, 0));
	peer->incarnation = d->next_incarnation++;
	if (d->next_incarnation == 0)
		d->next_incarnation = 1;
	DL_APPEND(d->peers, peer);
	if (d->cfg.heartbeat_ms != 0 && d->sweep_at > now + d->cfg.heartbeat_ms)
		d->sweep_at = now + d->cfg.heartbeat_ms;
	*ret_peer = peer;
	*ret_incarnation = peer->incarnation;
	credit_settle(d);
	peer_watch_idle(d);
	return 0;
}

void
dispatch_peer_ready(struct dispatch *d, struct dispatch_peer *peer,
		    uint64_t now)
{
	dispatch_advance(d, now);
	if (peer->role == WIRE_ROLE_DAEMON)
		epoch_greet(d, peer);
}

void
dispatch_peer_lost(struct dispatch *d, struct dispatch_peer *peer,
		   const char *reason, uint64_t now)
{
	dispatch_advance(d, now);
	gone(d, peer, reason != NULL ? reason : "the connection ended");
	credit_settle(d);
	peer_watch_idle(d);
}

int
dispatch_frame(struct dispatch *d, struct dispatch_peer *peer,
	       const struct wire_frame *frame, uint64_t now,
	       struct cadre_error *err)
{
	int rc = 0;

	dispatch_advance(d, now);
	peer->seen = now;
	if (!wire_allowed(peer->role, frame->type))
		return error_set(err, CADRE_EPROTO,
				 "%s may not send the message %s (%u)",
				 peer->role == WIRE_ROLE_DAEMON ? "a daemon"
								: "a host",
				 wire_type_name(frame->type), frame->type);
	if (frame->type != WIRE_HEARTBEAT)
		rc = peer->role == WIRE_ROLE_DAEMON
			     ? daemon_frame(d, peer, frame, err)
			     : client_frame(d, peer, frame, err);
	credit_settle(d);
	peer_watch_idle(d);
	return rc;
}

void
dispatch_expect(struct dispatch *d, uint32_t n, uint64_t now)
{
	dispatch_advance(d, now);
	d->expected = n;
	peer_watch_idle(d);
}

void
dispatch_explain(struct dispatch *d, const char *why)
{
	free(d->why);
	d->why = why == NULL ? NULL : strdup(why);
}

void
peer_count_offers(struct dispatch *d, uint32_t engines, int by)
{
	for (; engines != 0; engines &= engines - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(engines);

		d->offers[i] += (uint32_t)by;
		if (d->offers[i] > 0)
			d->offered |= 1u << i;
		else
			d->offered &= ~(1u << i);
	}
}

void
dispatch_despair(struct dispatch *d, bool despair, uint64_t now)
{
	dispatch_advance(d, now);
	d->despair = despair;
	d->idle_at = NEVER;
	peer_watch_idle(d);
}

static uint64_t
limit_from_now(const struct dispatch *d)
{
	return d->cfg.idle_limit_ms > NEVER - 1 - d->now
		       ? NEVER - 1
		       : d->now + d->cfg.idle_limit_ms;
}

static void
watch_stranded(struct dispatch *d, bool limited)
{
	uint32_t stranded = limited && d->info.connections > 0
				    ? d->ready_engines & ~d->offered
				    : 0;
	uint32_t more = stranded & ~d->stranded;

	for (; more != 0; more &= more - 1)
		d->stranded_at[__builtin_ctz(more)] = limit_from_now(d);
	d->stranded = stranded;
}

void
peer_watch_idle(struct dispatch *d)
{
	bool waiting = d->count[CADRE_WAITING] + d->count[CADRE_READY] > 0;
	bool limited = d->expected == 0 && d->cfg.idle_limit_ms != 0;

	if (d->info.connections > 0 || !limited || !waiting)
		d->idle_at = NEVER;
	else if (d->idle_at == NEVER)
		d->idle_at = d->despair ? d->now : limit_from_now(d);
	watch_stranded(d, limited);
}

uint64_t
peer_deadline(const struct dispatch *d)
{
	uint32_t left = d->stranded;
	uint64_t at = d->idle_at;

	for (; left != 0; left &= left - 1)
		if (d->stranded_at[__builtin_ctz(left)] < at)
			at = d->stranded_at[__builtin_ctz(left)];
	return at;
}

static void
fail_idle(struct dispatch *d, struct task *task)
{
	if (task->state == CADRE_WAITING || task->state == CADRE_READY)
		life_finish(d, task, CADRE_OUTCOME_LOST, NULL, d->text);
}

static void
idle_tick(struct dispatch *d)
{
	char waited[40] = "";

	if (d->now < d->idle_at)
		return;
	d->idle_at = NEVER;
	if (!d->despair)
		(void)snprintf(waited, sizeof(waited), ": waited %.3g s",
			       (double)d->cfg.idle_limit_ms / 1000);
	(void)snprintf(d->text, sizeof(d->text),
		       "no daemon is connected and none is on its way%s%s%s",
		       waited, d->why != NULL ? ": " : "",
		       d->why != NULL ? d->why : "");
	d->sweeping = true;
	table_each(d, fail_idle);
	d->sweeping = false;
}

/* Ready tasks of an engine that none of the daemons offers. */
static void
stranded_tick(struct dispatch *d)
{
	static const char *const names[ENGINES] = {"command", "native", "r",
						   "python"};
	uint32_t left = d->stranded;

	for (; left != 0; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		struct task *task;

		if (d->now < d->stranded_at[i])
			continue;
		d->stranded &= ~(1u << i);
		(void)snprintf(d->text, sizeof(d->text),
			       "none of the daemons has offered the engine "
			       "\"%s\" for %.3g s",
			       names[i], (double)d->cfg.idle_limit_ms / 1000);
		while ((task = ready_first(d, 1u << i)) != NULL)
			life_finish(d, task, CADRE_OUTCOME_LOST, NULL, d->text);
	}
}

/* One pass over all peers, at most 8 times in a heartbeat. */
static void
beat_tick(struct dispatch *d)
{
	const uint64_t beat = d->cfg.heartbeat_ms;
	const struct wire_frame frame = {.type = WIRE_HEARTBEAT};
	uint64_t next = NEVER;
	struct dispatch_peer *peer, *after;

	if (d->now < d->sweep_at)
		return;
	DL_FOREACH_SAFE (d->peers, peer, after) {
		bool daemon = peer->role == WIRE_ROLE_DAEMON;

		if (daemon && d->now - peer->seen >= SILENT_BEATS * beat) {
			give_up(d, peer, "not heard of for 3 heartbeats");
			continue;
		}
		if (d->now - peer->sent >= beat)
			peer_send(d, peer, &frame);
		if (peer->sent + beat < next)
			next = peer->sent + beat;
		if (daemon && peer->seen + SILENT_BEATS * beat < next)
			next = peer->seen + SILENT_BEATS * beat;
	}
	if (next != NEVER && next < d->now + beat / 8 + 1)
		next = d->now + beat / 8 + 1;
	d->sweep_at = next;
}

void
peer_tick(struct dispatch *d)
{
	beat_tick(d);
	idle_tick(d);
	stranded_tick(d);
}
