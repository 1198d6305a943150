/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <signal.h>

#include <cadre/task.h>

#include "engine/engine.h"

static void
arm_step(struct slot *slot)
{
	slot->cancel_at = uv_now(&slot->daemon->loop) +
			  (uint64_t)slot->daemon->settings->grace_ms;
	slot_arm(slot);
}

/* The reaper climbs the ladder for a command. */
static void
cancel_command(struct slot *slot, uint8_t code)
{
	struct command *c = &slot->command;
	struct wire_frame frame = {.type = WIRE_CANCEL,
				   .task = c->task,
				   .attempt = c->attempt,
				   .slot = slot->index};

	if (slot->cancel.step > 0)
		return;
	slot->cancel = (struct cancel){.step = 1,
				       .code = code,
				       .task = c->task,
				       .attempt = c->attempt};
	frame.code = code == CADRE_OUTCOME_TIMEOUT ? WIRE_CANCEL_TIMEOUT
						   : WIRE_CANCEL_USER;
	channel_put(&slot->control.channel, &frame);
	channel_flush(&slot->control.channel);
}

/* The first step for the task that the worker is at; nothing else can begin
 * meanwhile. */
static void
cancel_native(struct slot *slot, const struct queue_entry *e, uint8_t code)
{
	if (slot->cancel.step > 0)
		return;
	slot->cancel = (struct cancel){.step = 1,
				       .code = code,
				       .task = e->task,
				       .attempt = e->attempt};
	atomic_store(&slot->worker.shared->page->cancel, e->number);
	worker_signal(slot, SIGINT);
	arm_step(slot);
}

void
cancel_step(struct slot *slot)
{
	struct cancel *c = &slot->cancel;

	if (c->step == 0 || c->step > 2)
		return;
	worker_signal(slot, c->step == 1 ? SIGTERM : SIGKILL);
	if (++c->step == 2)
		arm_step(slot);
}

static void
drop(struct slot *slot, struct queue_entry *e, uint8_t code)
{
	slot_answer(slot, e->task, e->attempt, code, NULL);
	queue_drop(&slot->queue, e);
	(void)queue_head(&slot->queue);
	daemon_touch(slot->daemon, slot);
}

/* The native task that the worker is at. */
static struct queue_entry *
running(struct slot *slot, uint32_t begun)
{
	struct queue_entry *e;

	for (uint32_t i = 0; (e = queue_at(&slot->queue, i)) != NULL; i++)
		if (!e->dropped && e->written && e->number == begun)
			return e;
	return NULL;
}

/* Ends a native task that was written to the worker. */
static void
cancel_written(struct slot *slot, struct queue_entry *e, uint8_t code)
{
	uint32_t begun;

	if (slot->worker.state != WORKER_UP)
		return;
	begun = worker_revoke(slot);
	if (!e->written)
		drop(slot, e, code);
	else if (e->number == begun)
		cancel_native(slot, e, code);
	/* Otherwise it has ended, and its answer is on its way. */
	daemon_touch(slot->daemon, slot);
}

void
cancel_task(struct slot *slot, uint64_t task, uint32_t attempt, uint8_t code)
{
	struct command *c = &slot->command;
	bool is_command = c->state != COMMAND_NONE && !c->epoch &&
			  !c->forgotten && c->task == task &&
			  c->attempt == attempt;
	struct queue_entry *e;

	if (is_command && c->state == COMMAND_RUNNING) {
		cancel_command(slot, code);
		return;
	}
	e = queue_find(&slot->queue, task, attempt);
	if (e == NULL)
		return;
	if (is_command)
		c->state = COMMAND_NONE;
	if (e->written)
		cancel_written(slot, e, code);
	else
		drop(slot, e, code);
}

void
cancel_timeout(struct slot *slot)
{
	struct queue_entry *e = queue_head(&slot->queue);

	if (slot->command.state == COMMAND_RUNNING) {
		cancel_command(slot, CADRE_OUTCOME_TIMEOUT);
		return;
	}
	if (e == NULL || !e->written || slot->cancel.step > 0 ||
	    slot->worker.state != WORKER_UP)
		return;
	if (engine_begun(slot->worker.shared->page) == e->number) {
		cancel_written(slot, e, CADRE_OUTCOME_TIMEOUT);
		return;
	}
	/* Not begun: its time has not, either. */
	slot->timeout_at = uv_now(&slot->daemon->loop) + e->timeout_ms;
}

void
cancel_running(struct slot *slot)
{
	struct command *c = &slot->command;
	/* What its owner or its time limit ends is not handed back. */
	bool ours = slot->cancel.step == 0;
	struct queue_entry *e;

	if (c->state == COMMAND_ANNOUNCED)
		c->state = COMMAND_NONE;
	slot_recall(slot);
	if (c->state == COMMAND_RUNNING) {
		cancel_command(slot, CADRE_OUTCOME_CANCELLED);
	} else if (slot->worker.state == WORKER_UP) {
		e = running(slot, engine_begun(slot->worker.shared->page));
		if (e != NULL)
			cancel_native(slot, e, CADRE_OUTCOME_CANCELLED);
	}
	if (ours && slot->cancel.step == 1)
		slot->cancel.leaving = true;
}

void
cancel_kill(struct slot *slot)
{
	if (slot->cancel.step > 0)
		slot->cancel.step = 3;
	if (slot->command.state == COMMAND_RUNNING ||
	    slot->worker.state != WORKER_NONE)
		worker_signal(slot, SIGKILL);
}

bool
cancel_answers(struct slot *slot, uint64_t task, uint32_t attempt)
{
	struct cancel c = slot->cancel;

	if (c.step == 0 || c.task != task || c.attempt != attempt)
		return false;
	if (c.leaving)
		slot_return(slot, task, attempt, WIRE_RETURNED_STARTED);
	else
		slot_answer(slot, task, attempt, c.code, NULL);
	slot->cancel = (struct cancel){0};
	slot->cancel_at = SLOT_NEVER;
	if (slot->worker.shared != NULL)
		atomic_store(&slot->worker.shared->page->cancel, 0);
	return true;
}
