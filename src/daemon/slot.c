/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <stdio.h>

#include <cadre/task.h>

#include "daemon/inproc.h"
#include "engine/engine.h"
#include "util/log.h"

static void on_timer(uv_timer_t *timer);

int
slot_init(struct slot *slot, struct daemon *d, uint32_t index,
	  struct cadre_error *err)
{
	*slot = (struct slot){.daemon = d, .index = index};
	slot->armed_ms = slot->timeout_at = slot->cancel_at = SLOT_NEVER;
	slot->rest_until = slot->respawn_at = SLOT_NEVER;
	queue_init(&slot->queue);
	control_init(slot);
	worker_init(slot);
	(void)uv_timer_init(&d->loop, &slot->timer);
	slot->timer.data = slot;
	return control_spawn(slot, err);
}

void
slot_fini(struct slot *slot)
{
	channel_close(&slot->control.channel);
	channel_close(&slot->worker.channel);
	shared_unref(&slot->worker.shared);
	queue_fini(&slot->queue);
}

static void
send_plain(struct slot *slot, uint16_t type, const char *reason)
{
	uint8_t memory[640];
	struct wire_frame frame = {
		.type = type, .slot = slot->index, .worker = slot->round};
	struct buf fields = {
		.data = memory, .cap = sizeof(memory), .max = sizeof(memory)};

	if (reason != NULL)
		wire_put_str(&fields, WIRE_TAG_REASON, reason);
	frame.fields = fields.data;
	frame.fields_len = fields.error == 0 ? fields.len : 0;
	daemon_send(slot->daemon, &frame);
}

void
slot_answer(struct slot *slot, uint64_t task, uint32_t attempt, uint8_t code,
	    const char *message)
{
	struct wire_frame frame = {.type = WIRE_RESULT,
				   .code = code,
				   .task = task,
				   .attempt = attempt,
				   .slot = slot->index,
				   .worker = slot->worker.number};
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	if (message != NULL)
		wire_put_str(&fields, WIRE_TAG_MESSAGE, message);
	frame.fields = fields.data;
	frame.fields_len = fields.error == 0 ? fields.len : 0;
	daemon_send(slot->daemon, &frame);
	buf_fini(&fields);
}

void
slot_return(struct slot *slot, uint64_t task, uint32_t attempt, uint8_t code)
{
	struct wire_frame frame = {.type = WIRE_RETURNED,
				   .code = code,
				   .task = task,
				   .attempt = attempt,
				   .slot = slot->index,
				   .worker = slot->worker.number};

	daemon_send(slot->daemon, &frame);
}

void
slot_announce(struct slot *slot)
{
	if (slot->held || slot->retired || slot->control.pid == 0)
		return;
	if (!slot->announced)
		slot->round++;
	slot->announced = true;
	send_plain(slot, WIRE_SLOT_UP, NULL);
}

static void
retire(struct slot *slot)
{
	slot->retired = true;
	slot_recall(slot);
	if (slot->announced)
		send_plain(slot, WIRE_SLOT_DOWN, "maxtasks was reached");
	slot->announced = false;
	daemon_retired(slot->daemon);
}

void
slot_count(struct slot *slot)
{
	const struct settings *s = slot->daemon->settings;

	slot->finished++;
	daemon_count(slot->daemon);
	if (s->maxtasks_retire && s->maxtasks > 0 &&
	    slot->finished >= s->maxtasks && !slot->retired)
		retire(slot);
}

void
slot_task(struct slot *slot, const struct wire_frame *frame)
{
	struct daemon *d = slot->daemon;
	uint64_t engine = wire_u64(frame, WIRE_TAG_ENGINE, 0);

	d->active_ms = uv_now(&d->loop);
	/* It crossed a SLOT_DOWN, and was given to somebody else since. */
	if (slot->announced && frame->worker != slot->round)
		return;
	if (d->state != DAEMON_SERVING || slot->held || slot->retired) {
		slot_return(slot, frame->task, frame->attempt,
			    WIRE_RETURNED_UNSTARTED);
		return;
	}
	if (engine > 31 || (d->settings->engines & 1u << engine) == 0) {
		slot_answer(slot, frame->task, frame->attempt,
			    CADRE_OUTCOME_ERROR,
			    "this daemon does not offer the task's engine (see "
			    "its setting engines)");
		return;
	}
	if (queue_push(&slot->queue, frame,
		       d->inproc != NULL ? SIZE_MAX : ENGINE_SHARED_MIN) < 0) {
		slot_answer(slot, frame->task, frame->attempt,
			    CADRE_OUTCOME_ERROR,
			    "the daemon ran out of memory for the task");
		return;
	}
	daemon_touch(d, slot);
}

static bool
is_command(const struct slot *slot, const struct queue_entry *e)
{
	const struct command *c = &slot->command;

	return c->state != COMMAND_NONE && !c->epoch && c->task == e->task &&
	       c->attempt == e->attempt;
}

void
slot_recall(struct slot *slot)
{
	struct queue_entry *e;

	if (slot->worker.state == WORKER_UP)
		(void)worker_revoke(slot);
	for (uint32_t i = 0; (e = queue_at(&slot->queue, i)) != NULL; i++) {
		if (e->dropped || e->written || is_command(slot, e))
			continue;
		slot_return(slot, e->task, e->attempt, WIRE_RETURNED_UNSTARTED);
		queue_drop(&slot->queue, e);
	}
	(void)queue_head(&slot->queue);
	daemon_touch(slot->daemon, slot);
}

void
slot_hold(struct slot *slot, const char *reason)
{
	if (slot->held)
		return;
	log_warn("slot %u is held back: %s", slot->index + 1, reason);
	slot->held = true;
	slot_recall(slot);
	if (slot->announced)
		send_plain(slot, WIRE_SLOT_DOWN, reason);
	slot->announced = false;
}

void
slot_reset(struct slot *slot)
{
	struct worker *w = &slot->worker;

	/* What the epochs did to a worker goes with it. */
	w->stale = w->stale || (w->state == WORKER_UP &&
				(w->epoch_running || w->epoch_next > 0));
	w->epoch_next = w->epoch_seen = 0;
	w->epoch = 0;
	slot->command.epoch_next = slot->command.epoch_seen = 0;
	if (slot->command.state == COMMAND_RUNNING && slot->command.epoch)
		slot->command.forgotten = true;
	if (slot->held) {
		slot->held = false;
		slot_announce(slot);
	}
	daemon_touch(slot->daemon, slot);
}

void
slot_forget(struct slot *slot)
{
	slot->announced = false;
	slot->held = false;
	queue_clear(&slot->queue);
	if (slot->worker.state == WORKER_UP)
		slot->worker.state = WORKER_ENDING;
	slot->worker.inflight = 0;
	slot->worker.epoch = 0;
	slot->worker.epoch_seen = slot->command.epoch_seen = 0;
	slot->command.epoch_next = 0;
	if (slot->command.state == COMMAND_ANNOUNCED)
		slot->command.state = COMMAND_NONE;
	slot->command.forgotten = slot->command.state == COMMAND_RUNNING;
	slot->cancel = (struct cancel){0};
	slot->cancel_at = slot->timeout_at = SLOT_NEVER;
	cancel_kill(slot);
}

bool
slot_is_busy(const struct slot *slot)
{
	return slot->command.state != COMMAND_NONE || slot->queue.open > 0 ||
	       slot->worker.epoch_running;
}

static bool
is_used_up(const struct slot *slot)
{
	const struct settings *s = slot->daemon->settings;

	return slot->worker.stale || (s->maxtasks > 0 && !s->maxtasks_retire &&
				      slot->worker.taken >= s->maxtasks);
}

/* The oldest task, now that nothing is under way. */
static void
next_task(struct slot *slot)
{
	struct queue_entry *e = queue_head(&slot->queue);

	if (e == NULL)
		return;
	if (e->engine == WIRE_ENGINE_COMMAND)
		command_begin(slot, e);
	else if (worker_ensure(slot))
		worker_write(slot);
}

void
slot_step(struct slot *slot)
{
	struct worker *w = &slot->worker;

	if (!channel_is_open(&slot->control.channel) ||
	    slot->command.state != COMMAND_NONE)
		return;
	if (w->inflight > 0 || w->epoch_running ||
	    (w->state == WORKER_UP && slot->queue.rest.len > 0)) {
		worker_write(slot);
		return;
	}
	if (slot->daemon->state != DAEMON_SERVING) {
		daemon_progress(slot->daemon);
		return;
	}
	if (w->state == WORKER_ENDING || slot->held || slot->retired)
		return;
	if (command_epoch(slot))
		return;
	if (w->state == WORKER_UP && is_used_up(slot)) {
		worker_stop(slot);
		return;
	}
	if (slot->daemon->inproc != NULL && inproc_wake(slot->daemon->inproc))
		return;
	if (slot->daemon->inproc == NULL && worker_has_epoch(slot)) {
		if (worker_ensure(slot))
			(void)worker_epoch(slot);
		return;
	}
	next_task(slot);
}

void
slot_arm(struct slot *slot)
{
	const uint64_t times[] = {slot->timeout_at, slot->cancel_at,
				  slot->rest_until, slot->respawn_at};
	uint64_t now = uv_now(&slot->daemon->loop), nearest = SLOT_NEVER;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] < nearest)
			nearest = times[i];
	if (nearest >= slot->armed_ms)
		return;
	slot->armed_ms = nearest;
	(void)uv_timer_start(&slot->timer, on_timer,
			     nearest > now ? nearest - now : 0, 0);
}

static bool
is_due(uint64_t *when, uint64_t now)
{
	if (*when > now)
		return false;
	*when = SLOT_NEVER;
	return true;
}

static void
on_timer(uv_timer_t *timer)
{
	struct slot *slot = timer->data;
	struct cadre_error err = CADRE_ERROR_INIT;
	uint64_t now = uv_now(timer->loop);

	slot->armed_ms = SLOT_NEVER;
	if (is_due(&slot->respawn_at, now) && control_spawn(slot, &err) < 0) {
		log_err("%s", err.text);
		slot->respawn_at = now + 5000;
	}
	if (is_due(&slot->cancel_at, now))
		cancel_step(slot);
	if (is_due(&slot->timeout_at, now))
		cancel_timeout(slot);
	if (is_due(&slot->rest_until, now))
		daemon_touch(slot->daemon, slot);
	slot_arm(slot);
}
