/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <utlist.h>

/*
 * Which slot gets what.
 *
 * A slot runs one task; behind it others may wait in its window, if they say
 * so (WIRE_WINDOW) and so does the one that runs.  Idle slots come first, one
 * task each, the one used last before the others, so that the rest may idle
 * long enough to leave.  Only when none is idle do windows fill, in turn.  A
 * slot always gets the first ready task that its daemon's engines can run; if
 * that one takes no windows the slot drains until it is idle, so nothing is
 * overtaken in assignment.
 *
 * The window starts at 0 and doubles with each result while tasks are short
 * (running mean of WIRE_TAG_WALL_NS up to SHORT_NS, a fraction of a round trip
 * under load; no such field counts as 0) and more are ready.  It holds at most
 * HORIZON_NS worth of work, and nothing once the mean is over LONG_NS.
 *
 * When a slot is idle, nothing is ready, and elsewhere tasks wait in a window
 * with more than HORIZON_NS of work, or with nothing ended for STILL_MS, that
 * window is recalled and starts at 0 again.
 */

#define FLOOR_NS 200u
#define SHORT_NS 50000u
#define LONG_NS 100000u
#define HORIZON_NS 2000000u
/* One long task among short ones must not be remembered for long. */
#define SAMPLE_MAX_NS 8000000u
#define STILL_MS 2u

void
credit_init(struct dispatch *d)
{
	d->recall_at = NEVER;
	for (uint32_t g = 1; g < GROUPS; g++)
		for (uint32_t e = 1; e <= ENGINES; e++)
			if ((g & ENGINE_BIT(e)) != 0)
				d->able[e] |= 1u << g;
}

static bool
usable(const struct slot *slot)
{
	return slot->up && !slot->held && !slot->peer->leaving;
}

static enum credit_list
list_of(const struct slot *slot)
{
	if (!usable(slot))
		return CREDIT_NONE;
	if (slot->load == 0)
		return CREDIT_IDLE;
	if (slot->load < slot->limit && !slot->solo && slot->recalling == 0)
		return CREDIT_ROOM;
	return CREDIT_NONE;
}

static void
mark(uint32_t *groups, uint32_t g, const struct slot *head)
{
	if (head != NULL)
		*groups |= 1u << g;
	else
		*groups &= ~(1u << g);
}

static void
move(struct dispatch *d, struct slot *slot, enum credit_list to)
{
	uint32_t g = slot->peer->engines;
	struct group *group = &d->group[g];

	if (slot->list == CREDIT_IDLE) {
		CDL_DELETE(group->idle, slot);
		mark(&d->idle_groups, g, group->idle);
		d->idle_n--;
	} else if (slot->list == CREDIT_ROOM) {
		CDL_DELETE(group->room, slot);
		mark(&d->room_groups, g, group->room);
	}
	slot->list = (uint8_t)to;
	if (to == CREDIT_IDLE) {
		CDL_PREPEND(group->idle, slot);
		d->idle_groups |= 1u << g;
		d->idle_n++;
	} else if (to == CREDIT_ROOM) {
		CDL_APPEND(group->room, slot);
		d->room_groups |= 1u << g;
	}
}

static void
set_deep(struct dispatch *d, struct slot *slot, bool deep)
{
	uint32_t g = slot->peer->engines;
	struct group *group = &d->group[g];

	if (deep)
		DL_APPEND2(group->deep, slot, deep_prev, deep_next);
	else
		DL_DELETE2(group->deep, slot, deep_prev, deep_next);
	slot->deep = deep;
	mark(&d->deep_groups, g, group->deep);
}

void
credit_file(struct dispatch *d, struct slot *slot)
{
	enum credit_list to = list_of(slot);
	bool deep = usable(slot) && slot->load > 1 && slot->recalling == 0;

	if (to != slot->list)
		move(d, slot, to);
	if (deep != slot->deep)
		set_deep(d, slot, deep);
}

/* Something ended here: last in the order of stillness. */
static void
stir(struct dispatch *d, struct slot *slot)
{
	struct group *group = &d->group[slot->peer->engines];

	slot->progress = d->now;
	if (!slot->deep || slot->deep_next == NULL)
		return;
	DL_DELETE2(group->deep, slot, deep_prev, deep_next);
	DL_APPEND2(group->deep, slot, deep_prev, deep_next);
}

static void
send_task(struct dispatch *d, struct slot *slot, const struct task *task)
{
	struct wire_frame frame = {
		.type = WIRE_TASK,
		.flags = task->class->key.flags,
		.task = task->id,
		.attempt = task->attempt,
		.slot = slot->number,
		.incarnation = slot->peer->incarnation,
		.worker = slot->worker,
	};

	if (task->fields != NULL) {
		frame.fields = task->fields->data;
		frame.fields_len = task->fields->len;
	}
	life_payload(task, &frame);
	peer_send(d, slot->peer, &frame);
}

static void
assign(struct dispatch *d, struct slot *slot, struct task *task)
{
	struct dispatch_peer *peer = slot->peer;

	ready_remove(d, task);
	life_set_state(d, task, CADRE_ASSIGNED);
	task->slot = slot;
	task->attempt++;
	task->attempts++;
	task->incarnation = peer->incarnation;
	task->slot_number = slot->number;
	DL_APPEND(slot->tasks, task);
	if (slot->load++ == 0) {
		slot->solo = (task->class->key.flags & WIRE_WINDOW) == 0;
		slot->progress = d->now;
		peer->busy++;
	}
	credit_file(d, slot);
	send_task(d, slot, task);
}

void
credit_release(struct dispatch *d, struct slot *slot, struct task *task)
{
	DL_DELETE(slot->tasks, task);
	if (slot->recalling > 0)
		slot->recalling--;
	if (--slot->load == 0) {
		slot->solo = false;
		if (--slot->peer->busy == 0)
			slot->peer->idle_since = d->now;
	}
	stir(d, slot);
	credit_file(d, slot);
}

static uint32_t
window_most(const struct dispatch *d, const struct slot *slot)
{
	uint32_t fits;

	if (slot->mean_ns > LONG_NS)
		return 0;
	fits = HORIZON_NS /
	       (slot->mean_ns > FLOOR_NS ? slot->mean_ns : FLOOR_NS);
	return fits < d->cfg.window ? fits : d->cfg.window;
}

void
credit_measure(struct dispatch *d, struct slot *slot, uint64_t wall_ns)
{
	uint32_t sample =
		wall_ns < SAMPLE_MAX_NS ? (uint32_t)wall_ns : SAMPLE_MAX_NS;
	uint32_t most;

	if (sample == 0)
		sample = 1;
	slot->mean_ns = slot->mean_ns == 0 ? sample
					   : slot->mean_ns - slot->mean_ns / 8 +
						     sample / 8;
	most = 1 + window_most(d, slot);
	if (slot->mean_ns <= SHORT_NS && slot->limit < most &&
	    (d->ready_engines & slot->peer->engines) != 0)
		slot->limit *= 2;
	if (slot->limit > most)
		slot->limit = most;
	credit_file(d, slot);
}

static void
recall(struct dispatch *d, struct slot *slot)
{
	struct wire_frame frame = {
		.type = WIRE_RECALL,
		.slot = slot->number,
		.incarnation = slot->peer->incarnation,
		.worker = slot->worker,
	};

	slot->recalling = slot->load;
	slot->limit = 1;
	credit_file(d, slot);
	peer_send(d, slot->peer, &frame);
}

/* Could what waits at that slot run elsewhere at once? */
static bool
movable(const struct dispatch *d, const struct slot *slot)
{
	const struct task *last = slot->tasks->prev;

	return (d->idle_groups & d->able[last->class->key.engine]) != 0;
}

void
credit_balance(struct dispatch *d, struct slot *slot)
{
	if (!slot->deep || d->idle_groups == 0)
		return;
	if ((uint64_t)(slot->load - 1) * slot->mean_ns <= HORIZON_NS)
		return;
	if (movable(d, slot))
		recall(d, slot);
}

/* Somebody idles while tasks wait behind others: look again soon. */
static void
watch_windows(struct dispatch *d)
{
	uint32_t left = d->deep_groups;

	if (d->recall_at != NEVER || d->idle_groups == 0)
		return;
	for (; left != 0; left &= left - 1) {
		const struct slot *slot = d->group[__builtin_ctz(left)].deep;

		if (movable(d, slot)) {
			d->recall_at = d->now + STILL_MS;
			return;
		}
	}
}

void
credit_tick(struct dispatch *d)
{
	uint64_t wanted = d->idle_n;
	uint32_t left = d->deep_groups;

	if (d->now < d->recall_at)
		return;
	d->recall_at = NEVER;
	for (; left != 0 && wanted > 0; left &= left - 1) {
		struct slot *slot = d->group[__builtin_ctz(left)].deep;
		struct slot *next;

		for (; slot != NULL && wanted > 0; slot = next) {
			uint32_t waiting = slot->load - 1;

			if (d->now - slot->progress < STILL_MS)
				break;
			next = slot->deep_next;
			if (!movable(d, slot))
				continue;
			recall(d, slot);
			wanted -= waiting < wanted ? waiting : wanted;
		}
	}
	watch_windows(d);
}

static void
settle_idle(struct dispatch *d)
{
	uint32_t left = d->idle_groups;

	for (; left != 0; left &= left - 1) {
		uint32_t g = (uint32_t)__builtin_ctz(left);
		struct task *task;

		while (d->group[g].idle != NULL &&
		       (task = ready_first(d, g)) != NULL)
			assign(d, d->group[g].idle, task);
	}
}

static void
settle_room(struct dispatch *d)
{
	uint32_t left = d->room_groups;

	for (; left != 0; left &= left - 1) {
		struct group *group = &d->group[__builtin_ctz(left)];
		struct slot *slot;
		struct task *task;

		while ((slot = group->room) != NULL) {
			task = ready_first(d, slot->peer->engines);
			if (task == NULL ||
			    (task->class->key.flags & WIRE_WINDOW) == 0)
				break;
			group->room = slot->next;
			assign(d, slot, task);
		}
	}
}

void
credit_settle(struct dispatch *d)
{
	if (d->ready_engines != 0 && d->idle_groups != 0)
		settle_idle(d);
	if (d->ready_engines != 0 && d->room_groups != 0)
		settle_room(d);
	if (d->idle_groups != 0 && d->deep_groups != 0)
		watch_windows(d);
}
