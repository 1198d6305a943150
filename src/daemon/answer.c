/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <stdio.h>

#include <cadre/task.h>

#include "util/log.h"

/* What a worker says: results, progress, reports of everywhere calls. */

void
answer_epoch(struct slot *slot, uint8_t code, const struct wire_frame *answer)
{
	struct worker *w = &slot->worker;
	bool first = w->epoch_next > w->epoch_seen;
	struct wire_frame out = *answer;
	char reason[128];

	w->epoch_running = false;
	if (w->epoch == 0)
		return;
	if (first)
		w->epoch_seen = w->epoch_next;
	out.type = WIRE_EPOCH;
	out.code = code;
	out.task = w->epoch;
	out.slot = slot->index;
	out.worker = w->number;
	/* That it worked again is no news. */
	if (first || code != CADRE_OUTCOME_VALUE)
		daemon_send(slot->daemon, &out);
	if (code == CADRE_OUTCOME_VALUE)
		return;
	if (w->epoch_once) {
		/* The dispatcher holds the slot back after a failure. */
		slot_announce(slot);
		return;
	}
	(void)snprintf(reason, sizeof(reason),
		       "everywhere call %llu failed in its worker (outcome %u)",
		       (unsigned long long)w->epoch, code);
	slot_hold(slot, reason);
}

/* Fields without those that only mean something here. */
static void
copy_fields(struct buf *to, const struct wire_frame *frame)
{
	struct wire_field f;
	size_t pos = 0;

	while (wire_next(frame, &pos, &f))
		if (f.tag != WIRE_TAG_SHARED_OFFSET &&
		    f.tag != WIRE_TAG_SHARED_LEN)
			wire_put_bytes(to, f.tag, f.data, f.len);
}

/* A result whose payload lies in the shared memory. */
static int
send_shared(struct slot *slot, const struct wire_frame *frame, uint64_t len,
	    struct cadre_error *err)
{
	struct wire_frame out = *frame;
	struct blob *blob;
	struct buf fields;
	int rc;

	rc = shared_take(slot->worker.shared,
			 wire_u64(frame, WIRE_TAG_SHARED_OFFSET, 0), len, &blob,
			 err);
	if (rc < 0)
		return rc;
	buf_init(&fields, SIZE_MAX / 2);
	copy_fields(&fields, frame);
	out.fields = fields.data;
	out.fields_len = fields.len;
	out.payload = blob->data;
	out.payload_len = blob->len;
	out.owner = blob;
	daemon_send(slot->daemon, &out);
	buf_fini(&fields);
	blob_unref(&blob);
	return 0;
}

static int
forward(struct slot *slot, const struct wire_frame *frame,
	struct cadre_error *err)
{
	uint64_t shared = wire_u64(frame, WIRE_TAG_SHARED_LEN, 0);
	struct wire_frame out = *frame;

	out.slot = slot->index;
	out.worker = slot->worker.number;
	if (shared > 0)
		return send_shared(slot, &out, shared, err);
	daemon_send(slot->daemon, &out);
	return 0;
}

static void
break_off(struct slot *slot, const char *why)
{
	log_err("slot %u: its worker broke the protocol: %s", slot->index + 1,
		why);
	channel_close(&slot->worker.channel);
	worker_ended(slot, why);
}

static void
on_result(struct slot *slot, const struct wire_frame *frame)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct worker *w = &slot->worker;
	struct queue_entry *e = queue_head(&slot->queue);

	if (e == NULL || !e->written || e->task != frame->task ||
	    e->attempt != frame->attempt) {
		/* After a lost connection nobody waits for it. */
		if (w->state == WORKER_UP)
			break_off(slot,
				  "an answer for a task it does not have");
		return;
	}
	if (cancel_answers(slot, e->task, e->attempt)) {
		if (wire_u64(frame, WIRE_TAG_SHARED_LEN, 0) > 0)
			shared_decline(w->shared);
	} else if (forward(slot, frame, &err) < 0) {
		break_off(slot, err.text);
		return;
	}
	w->inflight--;
	w->answered++;
	queue_pop(&slot->queue);
	slot_count(slot);
	worker_start_timeout(slot);
	daemon_touch(slot->daemon, slot);
}

void
answer_frame(void *arg, const struct wire_frame *frame)
{
	struct slot *slot = arg;
	struct wire_frame out = *frame;

	switch (frame->type) {
	case WIRE_RESULT:
		on_result(slot, frame);
		break;
	case WIRE_OUTPUT:
		out.slot = slot->index;
		daemon_send(slot->daemon, &out);
		break;
	case WIRE_EPOCH:
		if (slot->worker.epoch_running) {
			slot->worker.answered++;
			answer_epoch(slot, frame->code, frame);
			daemon_touch(slot->daemon, slot);
		}
		break;
	default:
		break_off(slot, "an unexpected frame");
		break;
	}
}
