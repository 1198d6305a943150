/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

/* Hosts as peers: they know their tasks by numbers of their own. */

/* A payload up to this size is copied rather than the buffer kept in which it
 * arrived among others. */
#define COPY_MAX 1024u

static void
send_outcome(struct dispatch *d, struct dispatch_peer *peer, uint64_t number,
	     const struct dispatch_outcome *o)
{
	struct wire_frame frame = {
		.type = WIRE_OUTCOME,
		.code = (uint8_t)o->outcome,
		.task = number,
		.slot = o->slot,
		.incarnation = o->incarnation,
	};
	struct wire_field f;

	buf_reset(&d->scratch);
	if (o->result != NULL) {
		frame.attempt = o->result->attempt;
		frame.worker = o->result->worker;
		frame.payload = o->result->payload;
		frame.payload_len = o->result->payload_len;
		frame.owner = o->result->owner;
		buf_put(&d->scratch, o->result->fields, o->result->fields_len);
	}
	if (o->message != NULL &&
	    (o->result == NULL || !wire_find(o->result, WIRE_TAG_MESSAGE, &f)))
		wire_put_str(&d->scratch, WIRE_TAG_MESSAGE, o->message);
	wire_put_u64(&d->scratch, WIRE_TAG_ATTEMPTS, o->attempts);
	/* Without memory the outcome goes without its fields. */
	if (d->scratch.error == 0) {
		frame.fields = d->scratch.data;
		frame.fields_len = d->scratch.len;
	}
	peer_send(d, peer, &frame);
}

static void
forget(struct client_task *ct)
{
	HASH_DEL(ct->peer->tasks, ct);
	free(ct);
}

void
client_outcome(struct dispatch *d, struct client_task *ct,
	       const struct dispatch_outcome *outcome)
{
	/* leaving: the connection is gone. */
	if (!ct->peer->leaving)
		send_outcome(d, ct->peer, ct->number, outcome);
	forget(ct);
}

void
client_output(struct dispatch *d, struct client_task *ct,
	      const struct wire_frame *frame)
{
	struct wire_frame out = *frame;

	out.task = ct->number;
	peer_send(d, ct->peer, &out);
}

static struct client_task *
find(const struct dispatch_peer *peer, uint64_t number)
{
	struct client_task *ct;

	HASH_FIND(hh, peer->tasks, &number, sizeof(number), ct);
	return ct;
}

static struct client_task *
remember(struct dispatch_peer *peer, uint64_t number)
{
	struct client_task *ct = calloc(1, sizeof(*ct));

	if (ct == NULL)
		return NULL;
	ct->number = number;
	ct->peer = peer;
	HASH_ADD(hh, peer->tasks, number, sizeof(ct->number), ct);
	if (ct->hh.tbl == NULL) {
		free(ct);
		return NULL;
	}
	return ct;
}

/* Tasks that differ in nothing but their payload share their fields. */
static struct blob *
shared_fields(struct dispatch_peer *peer, const struct wire_frame *frame)
{
	struct blob *raw = peer->raw;

	if (raw == NULL || raw->len != frame->fields_len ||
	    memcmp(raw->data, frame->fields, raw->len) != 0) {
		raw = blob_copy(frame->fields, frame->fields_len);
		if (raw == NULL)
			return NULL;
		blob_unref(&peer->raw);
		peer->raw = raw;
	}
	return blob_ref(raw);
}

/* The fields without AFTER, which daemons have no use for. */
static struct blob *
plain_fields(struct dispatch *d, const struct wire_frame *frame)
{
	struct wire_field f;
	size_t pos = 0, from = 0;

	buf_reset(&d->scratch);
	while (wire_next(frame, &pos, &f)) {
		if (f.tag != WIRE_TAG_AFTER)
			buf_put(&d->scratch, frame->fields + from, pos - from);
		from = pos;
	}
	if (d->scratch.error != 0)
		return NULL;
	return blob_copy(d->scratch.data, d->scratch.len);
}

static struct dispatch_body
body_of(const struct wire_frame *frame, struct blob *fields)
{
	return (struct dispatch_body){
		.fields = fields,
		.payload = frame->payload,
		.payload_len = frame->payload_len,
		.owner = frame->payload_len > COPY_MAX ? frame->owner : NULL,
	};
}

static void
send_accepted(struct dispatch *d, struct dispatch_peer *peer, uint64_t number,
	      uint64_t id)
{
	struct wire_frame frame = {.type = WIRE_ACCEPTED, .task = number};

	buf_reset(&d->scratch);
	wire_put_u64(&d->scratch, WIRE_TAG_ID, id);
	frame.fields = d->scratch.data;
	frame.fields_len = d->scratch.len;
	peer_send(d, peer, &frame);
}

static int
submit(struct dispatch *d, struct dispatch_peer *peer,
       const struct wire_frame *frame, struct cadre_error *err)
{
	struct dispatch_spec spec;
	struct dispatch_body body;
	struct client_task *ct;
	struct blob *fields;
	int rc = spec_parse(d, frame, &spec, err);

	if (rc < 0)
		return rc;
	ct = remember(peer, frame->task);
	if (ct == NULL)
		return error_nomem(err);
	fields = spec.after_n == 0 ? shared_fields(peer, frame)
				   : plain_fields(d, frame);
	body = body_of(frame, fields);
	rc = fields == NULL
		     ? CADRE_ENOMEM
		     : life_new(d, &spec, &body, ct, TASK_REMOTE, &ct->task);
	blob_unref(&fields);
	if (rc < 0) {
		forget(ct);
		return rc == CADRE_EINVAL
			       ? error_set(
					 err, rc,
					 "the task waits for a task that this "
					 "dispatcher has never had")
			       : error_nomem(err);
	}
	send_accepted(d, peer, frame->task, ct->task->id);
	life_begin(d, ct->task);
	return 0;
}

static int
everywhere(struct dispatch *d, struct dispatch_peer *peer,
	   const struct wire_frame *frame, struct cadre_error *err)
{
	struct dispatch_spec spec;
	struct dispatch_body body;
	struct client_task *ct;
	struct blob *fields;
	uint64_t number;
	int rc = spec_parse(d, frame, &spec, err);

	if (rc < 0)
		return rc;
	ct = remember(peer, frame->task);
	fields = shared_fields(peer, frame);
	body = body_of(frame, fields);
	if (ct == NULL || fields == NULL ||
	    epoch_add(d, &spec, &body, NULL, ct, &number) < 0) {
		if (ct != NULL)
			forget(ct);
		rc = error_nomem(err);
	}
	blob_unref(&fields);
	return rc;
}

/* A number that is in use cannot be answered: that is the end. */
static int
admit(struct dispatch *d, struct dispatch_peer *peer,
      const struct wire_frame *frame, struct cadre_error *err)
{
	struct cadre_error why = CADRE_ERROR_INIT;
	struct dispatch_outcome o = {.outcome = CADRE_OUTCOME_ERROR,
				     .message = why.text};
	int rc;

	if (find(peer, frame->task) != NULL)
		return error_set(err, CADRE_EPROTO,
				 "a host used the number %llu of an open task "
				 "for another one",
				 (unsigned long long)frame->task);
	rc = frame->type == WIRE_SUBMIT ? submit(d, peer, frame, &why)
					: everywhere(d, peer, frame, &why);
	if (rc < 0)
		send_outcome(d, peer, frame->task, &o);
	return 0;
}

static int
cancel(struct dispatch *d, struct dispatch_peer *peer,
       const struct wire_frame *frame, struct cadre_error *err)
{
	const struct dispatch_outcome o = {.outcome = CADRE_OUTCOME_CANCELLED};
	struct client_task *ct = find(peer, frame->task);

	(void)err;
	/* Its outcome may be under way. */
	if (ct == NULL)
		return 0;
	if (ct->task != NULL) {
		life_stop(d, ct->task, CADRE_OUTCOME_CANCELLED, NULL);
		return 0;
	}
	epoch_forget(ct->epoch);
	client_outcome(d, ct, &o);
	return 0;
}

static int
reset(struct dispatch *d, struct dispatch_peer *peer,
      const struct wire_frame *frame, struct cadre_error *err)
{
	(void)peer;
	(void)frame;
	(void)err;
	dispatch_reset(d, d->now);
	return 0;
}

static int
report(struct dispatch *d, struct dispatch_peer *peer,
       const struct wire_frame *frame, struct cadre_error *err)
{
	(void)err;
	status_reply(d, peer, frame);
	return 0;
}

static int
let_leave(struct dispatch *d, const struct wire_frame *frame,
	  struct cadre_error *err)
{
	uint64_t slots = wire_u64(frame, WIRE_TAG_SLOTS, 0);

	if (dispatch_leave(d, slots < UINT32_MAX ? (uint32_t)slots : UINT32_MAX,
			   d->now) > 0)
		return 0;
	return error_set(err, CADRE_ENOENT,
			 "no daemon is connected that could leave");
}

static int
request(struct dispatch *d, struct dispatch_peer *peer,
	const struct wire_frame *frame, struct cadre_error *err)
{
	bool leave = frame->type == WIRE_SCALE && frame->flags == WIRE_REMOVE;
	struct wire_frame reply = {.type = WIRE_REPLY, .task = frame->task};
	struct cadre_error why = CADRE_ERROR_INIT;
	int rc = leave ? let_leave(d, frame, &why)
		       : d->ops->request(d->arg, peer->conn, frame, &why);

	(void)err;
	reply.code = (uint8_t)-rc;
	buf_reset(&d->scratch);
	if (rc < 0 && why.text[0] != '\0')
		wire_put_str(&d->scratch, WIRE_TAG_MESSAGE, why.text);
	if (d->scratch.error == 0) {
		reply.fields = d->scratch.data;
		reply.fields_len = d->scratch.len;
	}
	peer_send(d, peer, &reply);
	return 0;
}

static int (*const handlers[])(struct dispatch *d, struct dispatch_peer *peer,
			       const struct wire_frame *frame,
			       struct cadre_error *err) = {
	[WIRE_CANCEL] = cancel, [WIRE_EVERYWHERE] = admit,
	[WIRE_RESET] = reset,	[WIRE_SUBMIT] = admit,
	[WIRE_INFO] = report,	[WIRE_STATUS] = report,
	[WIRE_SCALE] = request, [WIRE_SHUTDOWN] = request,
};

int
client_frame(struct dispatch *d, struct dispatch_peer *peer,
	     const struct wire_frame *frame, struct cadre_error *err)
{
	if (frame->type >= sizeof(handlers) / sizeof(handlers[0]) ||
	    handlers[frame->type] == NULL)
		return error_set(err, CADRE_EPROTO,
				 "a host may not send the message %u",
				 frame->type);
	return handlers[frame->type](d, peer, frame, err);
}

void
client_lost(struct dispatch *d, struct dispatch_peer *peer)
{
	peer->leaving = true;
	/* One may take others of this host with it. */
	while (peer->tasks != NULL) {
		struct client_task *ct = peer->tasks;

		if (ct->task != NULL) {
			life_stop(d, ct->task, CADRE_OUTCOME_CANCELLED, NULL);
			continue;
		}
		epoch_forget(ct->epoch);
		forget(ct);
	}
}
