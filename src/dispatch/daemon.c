/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "util/error.h"

/* What daemons say: slots, results, tasks handed back; and what becomes of
 * tasks whose slot is lost. */

/* More slots than any node has cores; bounds what a HELLO can make us hold. */
#define SLOTS_MAX 65536u

int
daemon_up(struct dispatch *d, struct dispatch_peer *peer,
	  const struct wire_frame *hello)
{
	uint64_t slots = wire_u64(hello, WIRE_TAG_SLOTS, 1);
	uint64_t engines = wire_u64(hello, WIRE_TAG_ENGINES, 0);

	peer->engines = (uint32_t)(engines >> 1) & (GROUPS - 1);
	if (peer->engines == 0 || slots == 0 || slots > SLOTS_MAX)
		return CADRE_EPROTO;
	peer->slots_max = (uint32_t)slots;
	peer_count_offers(d, peer->engines, 1);
	d->info.connections++;
	d->info.cumulative++;
	return 0;
}

struct slot *
daemon_slot(struct dispatch *d, struct dispatch_peer *peer, uint32_t number)
{
	struct slot *slot;

	if (number >= peer->slots_max)
		return NULL;
	if (number >= peer->slots_n) {
		size_t n = number < 8 ? 8 : (size_t)number * 2;
		struct slot **slots;

		if (n > peer->slots_max)
			n = peer->slots_max;
		slots = realloc(peer->slots, n * sizeof(struct slot *));
		if (slots == NULL)
			return NULL;
		memset(slots + peer->slots_n, 0,
		       (n - peer->slots_n) * sizeof(struct slot *));
		peer->slots = slots;
		peer->slots_n = n;
	}
	if (peer->slots[number] != NULL)
		return peer->slots[number];
	slot = calloc(1, sizeof(*slot));
	if (slot == NULL)
		return NULL;
	slot->peer = peer;
	slot->number = number;
	slot->limit = 1;
	slot->epoch_base = d->last_epoch;
	peer->slots[number] = slot;
	return slot;
}

void
daemon_note(struct dispatch_peer *peer, const struct wire_frame *frame,
	    uint16_t tag)
{
	struct wire_field f;

	if (wire_find(frame, tag, &f))
		(void)snprintf(peer->note, sizeof(peer->note), "%.*s",
			       text_clip(f.len), (const char *)f.data);
}

void
daemon_hold(struct dispatch *d, struct slot *slot, bool held)
{
	if (slot->held == held)
		return;
	slot->held = held;
	if (held)
		slot->peer->held++;
	else
		slot->peer->held--;
	credit_file(d, slot);
}

/* The sentence of a task that was lost with its worker or daemon. */
static void
lost_text(struct dispatch *d, const struct task *task, const char *what,
	  const char *reason, size_t reason_len)
{
	const char *node = task->slot->peer->node;

	(void)snprintf(d->text, sizeof(d->text),
		       "connection reset: its %s on node %s (attempt %u)%s%.*s",
		       what, node[0] != '\0' ? node : "unknown", task->attempts,
		       reason_len > 0 ? ": " : "", text_clip(reason_len),
		       reason);
}

/*
 * A task whose slot is lost.  first: nothing was given to the slot before it,
 * so if one of its tasks had begun it was this one.
 */
static void
lose_task(struct dispatch *d, struct slot *slot, struct task *task, bool first,
	  const char *what, const char *reason)
{
	uint8_t flags = task->class->key.flags;
	bool started = task->state == CADRE_STARTED;

	credit_release(d, slot, task);
	if ((task->bits & TASK_GHOST) != 0) {
		life_free(d, task);
		return;
	}
	if (!started && (flags & WIRE_WINDOW) == 0) {
		/* Without a start record it has certainly not begun. */
		task->attempts--;
		life_again(d, task, true);
		return;
	}
	if (!started && (flags & WIRE_IDEMPOTENT) != 0) {
		if (!first || !retry_poisoned(d, task))
			life_again(d, task, true);
		return;
	}
	lost_text(d, task, what, reason, strlen(reason));
	if (started)
		retry_failed(d, task, DISPATCH_LOST, NULL, d->text);
	else
		life_finish(d, task, CADRE_OUTCOME_LOST, NULL, d->text);
}

static void
slot_down(struct dispatch *d, struct slot *slot, const char *what,
	  const char *reason)
{
	if (!slot->up)
		return;
	epoch_slot_lost(d, slot);
	slot->up = false;
	slot->peer->up--;
	d->info.slots--;
	credit_file(d, slot);
	/* Last first: each goes to the head of the queue. */
	while (slot->tasks != NULL) {
		struct task *task = slot->tasks->prev;

		lose_task(d, slot, task, task == slot->tasks, what, reason);
	}
	slot->limit = 1;
	slot->recalling = 0;
	slot->mean_ns = 0;
}

void
daemon_lost(struct dispatch *d, struct dispatch_peer *peer, const char *reason)
{
	peer_count_offers(d, peer->engines, -1);
	d->info.connections--;
	for (size_t i = peer->slots_n; i > 0; i--)
		if (peer->slots[i - 1] != NULL)
			slot_down(d, peer->slots[i - 1], "daemon was lost",
				  reason);
}

static int
on_slot_up(struct dispatch *d, struct dispatch_peer *peer,
	   const struct wire_frame *frame, struct cadre_error *err)
{
	struct slot *slot = daemon_slot(d, peer, frame->slot);

	if (slot == NULL && frame->slot >= peer->slots_max)
		return error_set(err, CADRE_EPROTO,
				 "slot %u of a daemon with %u", frame->slot,
				 peer->slots_max);
	if (slot == NULL)
		return error_nomem(err);
	slot->worker = frame->worker;
	daemon_hold(d, slot, false);
	if (slot->up)
		return 0;
	slot->up = true;
	slot->epoch_base = d->last_epoch;
	slot->progress = d->now;
	peer->up++;
	d->info.slots++;
	credit_file(d, slot);
	return 0;
}

static int
on_slot_down(struct dispatch *d, struct dispatch_peer *peer,
	     const struct wire_frame *frame, struct cadre_error *err)
{
	(void)err;
	daemon_note(peer, frame, WIRE_TAG_REASON);
	if (frame->slot < peer->slots_n && peer->slots[frame->slot] != NULL)
		slot_down(d, peer->slots[frame->slot], "slot was lost",
			  peer->note);
	return 0;
}

/* The task whose current attempt the frame speaks for; NULL: none. */
static struct task *
current(const struct dispatch *d, const struct dispatch_peer *peer,
	const struct wire_frame *frame)
{
	struct task *task = table_find(d, frame->task);

	if (task == NULL || task->attempt != frame->attempt ||
	    task->state == CADRE_WAITING || task->state == CADRE_READY)
		return NULL;
	if (task->slot->peer != peer || task->slot->number != frame->slot)
		return NULL;
	return task;
}

static int
on_started(struct dispatch *d, struct dispatch_peer *peer,
	   const struct wire_frame *frame, struct cadre_error *err)
{
	struct task *task = current(d, peer, frame);

	(void)err;
	if (task != NULL && task->state == CADRE_ASSIGNED)
		life_set_state(d, task, CADRE_STARTED);
	return 0;
}

static int
on_output(struct dispatch *d, struct dispatch_peer *peer,
	  const struct wire_frame *frame, struct cadre_error *err)
{
	struct task *task = current(d, peer, frame);

	(void)err;
	if (task == NULL || (task->bits & TASK_GHOST) != 0)
		return 0;
	if ((task->bits & TASK_REMOTE) != 0)
		client_output(d, task->owner, frame);
	else
		d->ops->output(d->arg, task->owner, frame->code, frame->payload,
			       frame->payload_len);
	return 0;
}

/* What a RESULT means: an outcome, or the cause of a failed attempt. */
static const struct {
	bool known, failed;
	enum dispatch_cause cause;
} results[] = {
	[CADRE_OUTCOME_VALUE] = {true, false, 0},
	[CADRE_OUTCOME_ERROR] = {true, true, DISPATCH_ERROR},
	[CADRE_OUTCOME_EXIT] = {true, true, DISPATCH_EXIT},
	[CADRE_OUTCOME_INTERRUPT] = {true, false, 0},
	[CADRE_OUTCOME_TIMEOUT] = {true, true, DISPATCH_TIMEOUT},
	[CADRE_OUTCOME_LOST] = {true, true, DISPATCH_CRASH},
	[CADRE_OUTCOME_CANCELLED] = {true, false, 0},
};

static void
conclude(struct dispatch *d, struct task *task, const struct wire_frame *frame)
{
	struct wire_field f = {.data = (const uint8_t *)"", .len = 0};

	if (!results[frame->code].failed) {
		life_finish(d, task, frame->code, frame, NULL);
		return;
	}
	if (results[frame->code].cause != DISPATCH_CRASH) {
		retry_failed(d, task, results[frame->code].cause, frame, NULL);
		return;
	}
	(void)wire_find(frame, WIRE_TAG_MESSAGE, &f);
	lost_text(d, task, "worker died", (const char *)f.data, f.len);
	retry_failed(d, task, DISPATCH_CRASH, frame, d->text);
}

/* The slot of a finished attempt is free; NULL if the task had been resolved
 * before, so that what the frame says comes too late. */
static struct task *
take_back(struct dispatch *d, struct task *task)
{
	credit_release(d, task->slot, task);
	if ((task->bits & TASK_GHOST) == 0)
		return task;
	life_free(d, task);
	return NULL;
}

static int
on_result(struct dispatch *d, struct dispatch_peer *peer,
	  const struct wire_frame *frame, struct cadre_error *err)
{
	struct task *task = current(d, peer, frame);
	struct slot *slot;

	if (frame->code >= sizeof(results) / sizeof(results[0]) ||
	    !results[frame->code].known)
		return error_set(err, CADRE_EPROTO,
				 "a daemon sent a result with the code %u",
				 frame->code);
	if (task == NULL) {
		d->info.refused++;
		return 0;
	}
	slot = task->slot;
	peer->completed++;
	if ((task->class->key.flags & WIRE_WINDOW) != 0 &&
	    (task->bits & TASK_GHOST) == 0)
		credit_measure(d, slot, wire_u64(frame, WIRE_TAG_WALL_NS, 0));
	task = take_back(d, task);
	if (task == NULL)
		d->info.refused++;
	else
		conclude(d, task, frame);
	credit_settle(d);
	credit_balance(d, slot);
	return 0;
}

static int
on_returned(struct dispatch *d, struct dispatch_peer *peer,
	    const struct wire_frame *frame, struct cadre_error *err)
{
	struct task *task = current(d, peer, frame);

	(void)err;
	if (task == NULL) {
		d->info.refused++;
		return 0;
	}
	task = take_back(d, task);
	if (task == NULL)
		return 0;
	if (frame->code == WIRE_RETURNED_UNSTARTED) {
		task->attempts--;
		life_again(d, task, true);
		return 0;
	}
	lost_text(d, task, "daemon had to leave", "", 0);
	retry_failed(d, task, DISPATCH_LEAVE, NULL, d->text);
	return 0;
}

static int
on_epoch(struct dispatch *d, struct dispatch_peer *peer,
	 const struct wire_frame *frame, struct cadre_error *err)
{
	struct slot *slot = daemon_slot(d, peer, frame->slot);

	(void)err;
	if (slot != NULL)
		epoch_report(d, slot, frame);
	return 0;
}

static void
leaving(struct dispatch *d, struct dispatch_peer *peer)
{
	peer->leaving = true;
	for (size_t i = 0; i < peer->slots_n; i++)
		if (peer->slots[i] != NULL)
			credit_file(d, peer->slots[i]);
}

static int
on_leaving(struct dispatch *d, struct dispatch_peer *peer,
	   const struct wire_frame *frame, struct cadre_error *err)
{
	(void)err;
	daemon_note(peer, frame, WIRE_TAG_REASON);
	leaving(d, peer);
	return 0;
}

static int (*const handlers[])(struct dispatch *d, struct dispatch_peer *peer,
			       const struct wire_frame *frame,
			       struct cadre_error *err) = {
	[WIRE_SLOT_UP] = on_slot_up,   [WIRE_SLOT_DOWN] = on_slot_down,
	[WIRE_STARTED] = on_started,   [WIRE_RESULT] = on_result,
	[WIRE_RETURNED] = on_returned, [WIRE_OUTPUT] = on_output,
	[WIRE_EPOCH] = on_epoch,       [WIRE_LEAVING] = on_leaving,
};

/* It speaks for an incarnation that was given up: refused, and told once to
 * start over. */
static void
refuse(struct dispatch *d, struct dispatch_peer *peer)
{
	const struct wire_frame frame = {.type = WIRE_RESTART,
					 .incarnation = peer->incarnation};

	d->info.refused++;
	if (peer->restarted)
		return;
	peer->restarted = true;
	peer_send(d, peer, &frame);
}

int
daemon_frame(struct dispatch *d, struct dispatch_peer *peer,
	     const struct wire_frame *frame, struct cadre_error *err)
{
	if (frame->type >= sizeof(handlers) / sizeof(handlers[0]) ||
	    handlers[frame->type] == NULL)
		return error_set(err, CADRE_EPROTO,
				 "a daemon may not send the message %u",
				 frame->type);
	if (frame->incarnation != peer->incarnation) {
		refuse(d, peer);
		return 0;
	}
	return handlers[frame->type](d, peer, frame, err);
}

/* Idle daemons are asked first, then any. */
uint32_t
dispatch_leave(struct dispatch *d, uint32_t slots, uint64_t now)
{
	const struct wire_frame frame = {.type = WIRE_LEAVE};
	uint32_t leave = 0;

	dispatch_advance(d, now);
	for (int pass = 0; pass < 2; pass++) {
		struct dispatch_peer *peer;

		DL_FOREACH (d->peers, peer) {
			if (leave >= slots)
				return leave;
			if (peer->role != WIRE_ROLE_DAEMON || peer->leaving ||
			    (pass == 0 && peer->busy > 0))
				continue;
			leaving(d, peer);
			peer_send(d, peer, &frame);
			leave += peer->slots_max;
		}
	}
	return leave;
}
