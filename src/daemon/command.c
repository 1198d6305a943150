/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cadre/task.h>

#include "util/log.h"

/* The reaper gets the task, whose start the dispatcher knows of. */
static void
give(struct slot *slot, struct queue_entry *e)
{
	static const uint8_t zeros[8];
	struct channel *ch = &slot->control.channel;

	slot->command.state = COMMAND_RUNNING;
	channel_put_bytes(ch, queue_bytes(&slot->queue, e), (size_t)e->size);
	if (e->payload != NULL) {
		channel_put_bytes(ch, e->payload, e->payload_len);
		channel_put_bytes(ch, zeros, e->padding);
	}
	channel_flush(ch);
	blob_unref(&e->owner);
	if (e->timeout_ms > 0) {
		slot->timeout_at = uv_now(&slot->daemon->loop) + e->timeout_ms;
		slot_arm(slot);
	}
}

bool
command_release(struct slot *slot)
{
	struct command *c = &slot->command;
	struct uplink *u = &slot->daemon->uplink;
	struct queue_entry *e;

	if (c->state != COMMAND_ANNOUNCED)
		return true;
	/* Nothing is left to be sent; or a second send has ended since, of
	 * which the first may have been under way before. */
	if (uplink_pending(u) > 0 &&
	    atomic_load(&u->sent_count) - c->sent_seen < 2)
		return false;
	e = queue_head(&slot->queue);
	if (e != NULL)
		give(slot, e);
	return true;
}

void
command_begin(struct slot *slot, struct queue_entry *e)
{
	struct command *c = &slot->command;
	struct wire_frame frame = {.type = WIRE_STARTED,
				   .task = e->task,
				   .attempt = e->attempt,
				   .slot = slot->index};

	c->state = COMMAND_ANNOUNCED;
	c->epoch = false;
	c->forgotten = false;
	c->task = e->task;
	c->attempt = e->attempt;
	e->started = true;
	daemon_send(slot->daemon, &frame);
	c->sent_seen = atomic_load(&slot->daemon->uplink.sent_count);
	uplink_await_sent(&slot->daemon->uplink, true);
	uplink_flush(&slot->daemon->uplink);
	(void)command_release(slot);
}

bool
command_epoch(struct slot *slot)
{
	struct command *c = &slot->command;
	struct channel *ch = &slot->control.channel;
	const struct epoch *epoch;

	epoch = epochs_next(&slot->daemon->epochs, WIRE_ENGINE_COMMAND,
			    c->epoch_next, c->epoch_seen, &c->epoch_next);
	if (epoch == NULL)
		return false;
	c->state = COMMAND_RUNNING;
	c->epoch = true;
	c->once = epoch->once;
	c->forgotten = false;
	c->task = epoch->id;
	c->attempt = 0;
	channel_put_bytes(ch, epoch->frame->data, epoch->frame->len);
	channel_flush(ch);
	return true;
}

static void
epoch_result(struct slot *slot, const struct wire_frame *frame)
{
	struct command *c = &slot->command;
	struct wire_frame out = *frame;
	char reason[96];

	c->epoch_seen = c->epoch_next;
	out.type = WIRE_EPOCH;
	out.slot = slot->index;
	daemon_send(slot->daemon, &out);
	if (frame->code == CADRE_OUTCOME_VALUE)
		return;
	if (c->once) {
		/* The dispatcher holds the slot back after a failure. */
		slot_announce(slot);
		return;
	}
	(void)snprintf(reason, sizeof(reason),
		       "everywhere call %llu failed (outcome %u)",
		       (unsigned long long)frame->task, frame->code);
	slot_hold(slot, reason);
}

/* Interrupted because the daemon leaves: the task is handed back. */
static bool
is_returned(const struct slot *slot, const struct wire_frame *frame)
{
	return slot->cancel.leaving && frame->code == CADRE_OUTCOME_CANCELLED;
}

static void
task_result(struct slot *slot, const struct wire_frame *frame)
{
	struct wire_frame out = *frame;

	if (is_returned(slot, frame)) {
		slot_return(slot, frame->task, frame->attempt,
			    WIRE_RETURNED_STARTED);
	} else {
		out.slot = slot->index;
		out.worker = slot->worker.number;
		daemon_send(slot->daemon, &out);
	}
	queue_pop(&slot->queue);
}

void
command_result(struct slot *slot, const struct wire_frame *frame)
{
	struct command *c = &slot->command;

	if (c->state != COMMAND_RUNNING || frame->task != c->task ||
	    frame->attempt != c->attempt) {
		log_warn("a reaper answered for a task that it does not have");
		return;
	}
	slot->timeout_at = slot->cancel_at = SLOT_NEVER;
	/* From here on the slot is free: what follows may use it. */
	c->state = COMMAND_NONE;
	if (!c->forgotten && c->epoch) {
		epoch_result(slot, frame);
	} else if (!c->forgotten) {
		task_result(slot, frame);
		slot_count(slot);
	}
	slot->cancel = (struct cancel){0};
	daemon_touch(slot->daemon, slot);
}

void
command_lost(struct slot *slot, const char *reason)
{
	struct command *c = &slot->command;
	struct wire_frame frame = {.type = WIRE_RESULT,
				   .code = CADRE_OUTCOME_LOST,
				   .task = c->task,
				   .attempt = c->attempt};
	struct buf fields;

	/* What was only announced has not begun: the next reaper runs it. */
	if (c->state == COMMAND_ANNOUNCED)
		c->state = COMMAND_NONE;
	if (c->state == COMMAND_NONE)
		return;
	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_MESSAGE, reason);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	if (slot->cancel.step > 0)
		frame.code = slot->cancel.code;
	command_result(slot, &frame);
	buf_fini(&fields);
}
