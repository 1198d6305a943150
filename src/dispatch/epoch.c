/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>

#include <utlist.h>

/*
 * everywhere: epochs, in order, and who has still to report which.
 *
 * An epoch waits for the slots that were up when it was made.  Reports of one
 * engine come in order, so a slot needs one number for each engine.  If nobody
 * was there, or all were lost before one had done it, the first report of
 * whoever comes next ends it.
 */

static void
send_epoch(struct dispatch *d, struct dispatch_peer *peer,
	   const struct epoch *e)
{
	struct wire_frame frame = {
		.type = WIRE_EVERYWHERE,
		.flags = e->flags,
		.task = e->number,
		.incarnation = peer->incarnation,
	};

	if ((peer->engines & ENGINE_BIT(e->engine)) == 0)
		return;
	if (e->fields != NULL) {
		frame.fields = e->fields->data;
		frame.fields_len = e->fields->len;
	}
	if (e->payload != NULL) {
		frame.payload = e->payload->data;
		frame.payload_len = e->payload->len;
		frame.owner = e->payload;
	}
	peer_send(d, peer, &frame);
}

static void
epoch_free(struct dispatch *d, struct epoch *e)
{
	DL_DELETE(d->epochs, e);
	blob_unref(&e->fields);
	blob_unref(&e->payload);
	blob_unref(&e->failure_fields);
	blob_unref(&e->failure_payload);
	free(e);
}

static void
resolve(struct dispatch *d, struct epoch *e, enum cadre_outcome outcome,
	const char *message)
{
	struct dispatch_outcome o = {
		.outcome = outcome,
		.attempts = e->done,
		.message = message,
	};

	if (e->failed && outcome == CADRE_OUTCOME_VALUE) {
		o.outcome = e->failure.code;
		o.result = &e->failure;
		o.incarnation = e->failure.incarnation;
		o.slot = e->failure.slot;
	}
	e->open = false;
	if (e->client != NULL)
		client_outcome(d, e->client, &o);
	else if (e->owner != NULL)
		d->ops->resolve(d->arg, e->owner, &o);
	e->client = NULL;
	e->owner = NULL;
}

/* Ends it if nobody is left who has to report. */
static void
settle(struct dispatch *d, struct epoch *e)
{
	if (!e->open || e->pending > 0)
		return;
	if (!e->late && e->done == 0 && !e->failed) {
		if ((e->flags & WIRE_ONCE) == 0) {
			e->late = true;
			return;
		}
		resolve(d, e, CADRE_OUTCOME_LOST,
			"connection reset: every slot that should have run it "
			"was lost");
	} else if (!e->late || e->done > 0 || e->failed) {
		resolve(d, e, CADRE_OUTCOME_VALUE, NULL);
	}
	if (!e->open && (e->flags & WIRE_ONCE) != 0)
		epoch_free(d, e);
}

/* Whether the slot still has to report that epoch. */
static bool
counts(const struct slot *slot, const struct epoch *e)
{
	return slot->up && e->open && !e->late &&
	       e->number > slot->epoch_base &&
	       e->number > slot->epoch_done[e->engine - 1] &&
	       (slot->peer->engines & ENGINE_BIT(e->engine)) != 0;
}

static uint32_t
slots_able(const struct dispatch *d, uint8_t engine)
{
	const struct dispatch_peer *peer;
	uint32_t n = 0;

	DL_FOREACH (d->peers, peer) {
		if ((peer->engines & ENGINE_BIT(engine)) != 0)
			n += peer->up;
	}
	return n;
}

int
epoch_add(struct dispatch *d, const struct dispatch_spec *spec,
	  const struct dispatch_body *body, void *owner,
	  struct client_task *client, uint64_t *ret_number)
{
	struct dispatch_peer *peer;
	struct epoch *e;

	if (spec->engine < 1 || (unsigned int)spec->engine > ENGINES)
		return CADRE_EINVAL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return CADRE_ENOMEM;
	e->payload = blob_copy(body->payload, body->payload_len);
	if (e->payload == NULL) {
		free(e);
		return CADRE_ENOMEM;
	}
	e->fields = blob_ref(body->fields);
	e->engine = (uint8_t)spec->engine;
	e->flags = spec->flags;
	e->owner = owner;
	e->client = client;
	e->open = true;
	e->number = ++d->last_epoch;
	e->pending = slots_able(d, e->engine);
	e->late = e->pending == 0;
	DL_APPEND(d->epochs, e);
	*ret_number = e->number;
	if (client != NULL)
		client->epoch = e;
	DL_FOREACH (d->peers, peer) {
		if (peer->role == WIRE_ROLE_DAEMON)
			send_epoch(d, peer, e);
	}
	return 0;
}

void
epoch_greet(struct dispatch *d, struct dispatch_peer *peer)
{
	const struct epoch *e;

	DL_FOREACH (d->epochs, e) {
		if ((e->flags & WIRE_ONCE) == 0 || (e->open && e->late))
			send_epoch(d, peer, e);
	}
}

static void
keep_failure(struct epoch *e, const struct wire_frame *frame)
{
	if (e->failed)
		return;
	e->failed = true;
	e->failure = *frame;
	e->failure.owner = NULL;
	e->failure_fields = blob_copy(frame->fields, frame->fields_len);
	e->failure_payload = blob_copy(frame->payload, frame->payload_len);
	if (e->failure_fields == NULL || e->failure_payload == NULL) {
		e->failure.fields_len = e->failure.payload_len = 0;
		return;
	}
	e->failure.fields = e->failure_fields->data;
	e->failure.payload = e->failure_payload->data;
}

void
epoch_report(struct dispatch *d, struct slot *slot,
	     const struct wire_frame *frame)
{
	struct epoch *e, *next;
	uint8_t engine = 0;

	DL_FOREACH (d->epochs, e) {
		if (e->number == frame->task)
			engine = e->engine;
	}
	if (engine == 0)
		return;
	DL_FOREACH_SAFE (d->epochs, e, next) {
		if (e->engine != engine || e->number > frame->task)
			continue;
		if (counts(slot, e))
			e->pending--;
		else if (!e->open || !e->late || e->number != frame->task)
			continue;
		if (e->number == frame->task) {
			if (frame->code == CADRE_OUTCOME_VALUE)
				e->done++;
			else
				keep_failure(e, frame);
		}
		settle(d, e);
	}
	if (slot->epoch_done[engine - 1] < frame->task)
		slot->epoch_done[engine - 1] = frame->task;
	if (frame->code == CADRE_OUTCOME_VALUE)
		return;
	daemon_note(slot->peer, frame, WIRE_TAG_MESSAGE);
	daemon_hold(d, slot, true);
}

void
epoch_slot_lost(struct dispatch *d, struct slot *slot)
{
	struct epoch *e, *next;

	DL_FOREACH_SAFE (d->epochs, e, next) {
		if (!counts(slot, e))
			continue;
		e->pending--;
		settle(d, e);
	}
	slot->epoch_base = d->last_epoch;
}

void
epoch_forget(struct epoch *epoch)
{
	epoch->client = NULL;
	epoch->owner = NULL;
}

void
epoch_reset(struct dispatch *d, enum cadre_outcome outcome)
{
	while (d->epochs != NULL) {
		if (d->epochs->open)
			resolve(d, d->epochs, outcome, NULL);
		epoch_free(d, d->epochs);
	}
}

int
dispatch_everywhere(struct dispatch *d, const struct dispatch_spec *spec,
		    const struct dispatch_body *body, void *owner, uint64_t now,
		    uint64_t *ret_epoch)
{
	dispatch_advance(d, now);
	return epoch_add(d, spec, body, owner, NULL, ret_epoch);
}

void
dispatch_reset(struct dispatch *d, uint64_t now)
{
	const struct wire_frame frame = {.type = WIRE_RESET};
	struct dispatch_peer *peer;

	dispatch_advance(d, now);
	epoch_reset(d, CADRE_OUTCOME_CANCELLED);
	DL_FOREACH (d->peers, peer) {
		if (peer->role == WIRE_ROLE_DAEMON)
			peer_send(d, peer, &frame);
	}
}
