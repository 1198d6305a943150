/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdlib.h>
#include <string.h>

/*
 * The rules a second time, in the plainest form, from the frames that reached
 * the dispatcher.  An event first notes what must become of each task that it
 * touches; then the dispatcher acts, which is checked as it happens; then
 * whatever was noted must have happened.
 */

#define PROBE(cond, ...) \
	do { \
		if (!(cond)) \
			world_fail(w, __VA_ARGS__); \
	} while (0)
#define U(x) ((unsigned long long)(x))

void
oracle_begin(struct world *w, enum event event)
{
	w->event = event;
	w->clock = w->now;
	w->stamp++;
}

void
oracle_expect(struct world *w, uint64_t id, enum expectation expect,
	      enum cadre_outcome outcome)
{
	struct sim_task *t = &w->tasks[id];

	if (t->expect == EXPECT_NOTHING)
		ids_push(&w->touched, id);
	t->expect = (uint8_t)expect;
	t->outcome_expected = (int8_t)outcome;
	if (expect == EXPECT_QUEUE)
		t->ready = true;
}

void
oracle_end(struct world *w)
{
	struct cadre_info info;

	for (size_t i = 0; w->event == EVENT_TICK && i < w->open.n; i++)
		PROBE(w->tasks[w->open.at[i]].deadline > w->now,
		      "task %llu is past its deadline", U(w->open.at[i]));
	for (size_t i = 0; i < w->touched.n; i++) {
		uint64_t id = w->touched.at[i];
		struct sim_task *t = &w->tasks[id];
		enum cadre_state state = dispatch_state(w->d, id);

		if (t->expect == EXPECT_OUTCOME)
			PROBE(!t->open, "task %llu should have ended", U(id));
		if (t->expect == EXPECT_QUEUE)
			PROBE(t->open && (state == CADRE_READY ||
					  state == CADRE_ASSIGNED),
			      "task %llu should be in the queue", U(id));
		t->expect = EXPECT_NOTHING;
	}
	w->touched.n = 0;
	w->event = EVENT_NONE;
	dispatch_info(w->d, &info);
	PROBE(info.refused == w->refused, "%llu refused instead of %llu",
	      U(info.refused), U(w->refused));
}

/* It became ready; those never assigned are kept in order. */
static void
now_ready(struct world *w, uint64_t id)
{
	struct sim_task *t = &w->tasks[id];

	t->ready = true;
	t->stamp = w->stamp;
	ids_push(&w->ready[t->priority][t->engine], id);
}

struct sim_task *
oracle_submit(struct world *w, const struct dispatch_spec *spec, int host,
	      uint64_t number)
{
	uint64_t id = w->next_id++;
	struct sim_task *t;
	bool doomed = false;

	w->tasks = world_grow(w->tasks, &w->tasks_cap, id + 1,
			      sizeof(struct sim_task));
	t = &w->tasks[id];
	*t = (struct sim_task){
		.open = true,
		.engine = (uint8_t)spec->engine,
		.flags = spec->flags,
		.priority = (uint8_t)(spec->priority + 1),
		.after_failed = (uint8_t)spec->after_failed,
		.after_n = (uint8_t)spec->after_n,
		.host = (int8_t)host,
		.number = number,
		.deadline = spec->deadline_ms == 0
				    ? UINT64_MAX
				    : w->clock + spec->deadline_ms,
		.position = w->open.n,
	};
	ids_push(&w->open, id);
	w->submitted++;
	for (int i = 0; i < DISPATCH_CAUSES; i++)
		t->retry[i] =
			spec->retry_set[i] ? spec->retry[i] : w->cfg.retry[i];
	for (size_t i = 0; i < spec->after_n; i++) {
		struct sim_task *from = &w->tasks[spec->after[i]];

		t->after[i] = spec->after[i];
		if (!from->open) {
			doomed |= from->failed &&
				  t->after_failed == CADRE_AFTER_CANCEL;
			continue;
		}
		w->edges = world_grow(w->edges, &w->edges_cap, w->edges_n + 1,
				      sizeof(struct sim_edge));
		w->edges[w->edges_n] =
			(struct sim_edge){.task = id, .next = from->dependants};
		from->dependants = ++w->edges_n;
		t->pending++;
	}
	if (doomed)
		oracle_expect(w, id, EXPECT_OUTCOME, CADRE_OUTCOME_CANCELLED);
	else if (t->pending == 0)
		now_ready(w, id);
	return t;
}

static void
closed(struct world *w, uint64_t id, enum cadre_outcome outcome, bool sweep)
{
	struct sim_task *t = &w->tasks[id];
	uint64_t last = w->open.at[w->open.n - 1];

	t->open = false;
	t->ready = false;
	t->failed = outcome != CADRE_OUTCOME_VALUE;
	w->resolved++;
	w->outcomes[outcome]++;
	w->open.at[t->position] = last;
	w->tasks[last].position = t->position;
	w->open.n--;
	for (uint64_t e = t->dependants; e != 0; e = w->edges[e - 1].next) {
		uint64_t to = w->edges[e - 1].task;
		struct sim_task *dep = &w->tasks[to];

		if (!dep->open)
			continue;
		dep->pending--;
		if (sweep)
			continue;
		if (t->failed && dep->after_failed == CADRE_AFTER_CANCEL)
			oracle_expect(w, to, EXPECT_OUTCOME,
				      CADRE_OUTCOME_CANCELLED);
		else if (dep->pending == 0 && dep->expect == EXPECT_NOTHING)
			now_ready(w, to);
	}
}

/* Nobody was there for so long that who waits is told. */
static bool
deserted(const struct world *w)
{
	for (size_t i = 0; i < DAEMONS; i++)
		if (w->conns[i].connected)
			return false;
	return w->event == EVENT_TICK && w->cfg.idle_limit_ms > 0 &&
	       w->now - w->no_daemon_since >= w->cfg.idle_limit_ms;
}

/* The same for one engine. */
static bool
stranded(const struct world *w, uint8_t engine)
{
	for (size_t i = 0; i < DAEMONS; i++)
		if (w->conns[i].connected &&
		    (w->conns[i].engines & (1u << engine)) != 0)
			return false;
	return w->event == EVENT_TICK && w->cfg.idle_limit_ms > 0 &&
	       w->now - w->no_engine_since[engine] >= w->cfg.idle_limit_ms;
}

static void
ended(struct world *w, uint64_t id, enum cadre_outcome outcome)
{
	struct sim_task *t = &w->tasks[id];
	bool sweep = false;

	PROBE(id < w->next_id && t->open, "task %llu ended twice", U(id));
	if (t->expect != EXPECT_NOTHING) {
		PROBE(t->expect == EXPECT_OUTCOME &&
			      t->outcome_expected == outcome,
		      "task %llu ended with %d instead of %d", U(id), outcome,
		      t->expect == EXPECT_OUTCOME ? t->outcome_expected : -1);
	} else if (outcome == CADRE_OUTCOME_TIMEOUT) {
		PROBE(w->event == EVENT_TICK && w->now >= t->deadline,
		      "task %llu timed out too early", U(id));
	} else {
		sweep = deserted(w);
		PROBE(outcome == CADRE_OUTCOME_LOST &&
			      (sweep || (t->ready && stranded(w, t->engine))),
		      "task %llu ended with %d for no reason", U(id), outcome);
	}
	closed(w, id, outcome, sweep);
}

/* The outcome that a task has when an attempt failed for the last time. */
static const enum cadre_outcome last_outcome[] = {
	[DISPATCH_ERROR] = CADRE_OUTCOME_ERROR,
	[DISPATCH_EXIT] = CADRE_OUTCOME_EXIT,
	[DISPATCH_TIMEOUT] = CADRE_OUTCOME_TIMEOUT,
	[DISPATCH_CRASH] = CADRE_OUTCOME_LOST,
	[DISPATCH_LOST] = CADRE_OUTCOME_LOST,
	[DISPATCH_LEAVE] = CADRE_OUTCOME_LOST,
};

static bool
poisoned(struct world *w, uint64_t id)
{
	if (++w->tasks[id].took < DISPATCH_POISON)
		return false;
	oracle_expect(w, id, EXPECT_OUTCOME, CADRE_OUTCOME_LOST);
	return true;
}

static void
attempt_failed(struct world *w, uint64_t id, enum dispatch_cause cause)
{
	struct sim_task *t = &w->tasks[id];

	/* By the policy it may run again. */
	t->begun = false;
	if ((cause == DISPATCH_CRASH || cause == DISPATCH_LOST) &&
	    poisoned(w, id))
		return;
	if (t->retry[cause] != DISPATCH_UNLIMITED &&
	    t->used[cause] >= t->retry[cause]) {
		oracle_expect(w, id, EXPECT_OUTCOME, last_outcome[cause]);
		return;
	}
	t->used[cause]++;
	oracle_expect(w, id, EXPECT_QUEUE, CADRE_OUTCOME_NONE);
}

/* Whether the dispatcher has to accept what a frame says of an attempt. */
static bool
accepted(struct world *w, struct sim_conn *c, const struct wire_frame *frame)
{
	if (frame->incarnation != c->incarnation) {
		w->refused++;
		return false;
	}
	if (frame->slot < c->slots_n &&
	    attempts_take(&c->slots[frame->slot].view, frame->task,
			  frame->attempt, NULL))
		return true;
	w->refused++;
	return false;
}

void
oracle_result(struct world *w, struct sim_conn *c,
	      const struct wire_frame *frame)
{
	struct sim_task *t = &w->tasks[frame->task];

	if (!accepted(w, c, frame))
		return;
	if (!t->open) {
		w->refused++;
		return;
	}
	switch (frame->code) {
	case CADRE_OUTCOME_ERROR:
		attempt_failed(w, frame->task, DISPATCH_ERROR);
		return;
	case CADRE_OUTCOME_EXIT:
		attempt_failed(w, frame->task, DISPATCH_EXIT);
		return;
	case CADRE_OUTCOME_TIMEOUT:
		attempt_failed(w, frame->task, DISPATCH_TIMEOUT);
		return;
	case CADRE_OUTCOME_LOST:
		attempt_failed(w, frame->task, DISPATCH_CRASH);
		return;
	default:
		oracle_expect(w, frame->task, EXPECT_OUTCOME, frame->code);
	}
}

void
oracle_returned(struct world *w, struct sim_conn *c,
		const struct wire_frame *frame)
{
	if (!accepted(w, c, frame) || !w->tasks[frame->task].open)
		return;
	if (frame->code == WIRE_RETURNED_UNSTARTED)
		oracle_expect(w, frame->task, EXPECT_QUEUE, CADRE_OUTCOME_NONE);
	else
		attempt_failed(w, frame->task, DISPATCH_LEAVE);
}

void
oracle_started(struct world *w, struct sim_conn *c,
	       const struct wire_frame *frame)
{
	const struct attempts *view;

	if (frame->incarnation != c->incarnation) {
		w->refused++;
		return;
	}
	view = &c->slots[frame->slot].view;
	for (size_t i = 0; i < view->n; i++)
		if (view->at[i].id == frame->task &&
		    view->at[i].attempt == frame->attempt)
			w->tasks[frame->task].started_known = true;
}

static void
attempt_lost(struct world *w, uint64_t id, bool first)
{
	struct sim_task *t = &w->tasks[id];

	if (!t->open)
		return;
	if (t->started_known) {
		attempt_failed(w, id, DISPATCH_LOST);
		return;
	}
	if ((t->flags & (WIRE_WINDOW | WIRE_IDEMPOTENT)) == WIRE_WINDOW) {
		oracle_expect(w, id, EXPECT_OUTCOME, CADRE_OUTCOME_LOST);
		return;
	}
	if ((t->flags & WIRE_WINDOW) != 0 && first && poisoned(w, id))
		return;
	oracle_expect(w, id, EXPECT_QUEUE, CADRE_OUTCOME_NONE);
}

void
oracle_slot_lost(struct world *w, struct sim_conn *c, struct sim_slot *slot)
{
	(void)c;
	if (!slot->view_up)
		return;
	slot->view_up = false;
	for (size_t i = 0; i < slot->view.n; i++)
		attempt_lost(w, slot->view.at[i].id, i == 0);
	slot->view.n = 0;
}

void
oracle_daemon_lost(struct world *w, struct sim_conn *c)
{
	w->losses++;
	for (uint32_t i = 0; i < c->slots_n; i++)
		oracle_slot_lost(w, c, &c->slots[i]);
}

void
oracle_host_lost(struct world *w, struct sim_conn *c)
{
	int host = (int)(c - w->conns) - DAEMONS;

	for (size_t i = w->open.n; i > 0; i--) {
		uint64_t id;

		/* One may have taken others along. */
		if (i > w->open.n)
			continue;
		id = w->open.at[i - 1];
		if (w->tasks[id].host == host)
			closed(w, id, CADRE_OUTCOME_CANCELLED, false);
	}
}

static bool
usable(const struct sim_conn *c, const struct sim_slot *s)
{
	return c->connected && s->view_up && !s->view_held && !c->view_leaving;
}

/* Some slot with nothing to do that could run a task of that engine. */
static bool
idle_exists(const struct world *w, uint8_t engine)
{
	for (size_t i = 0; i < DAEMONS; i++) {
		const struct sim_conn *c = &w->conns[i];

		if (!c->connected || (c->engines >> engine & 1) == 0)
			continue;
		for (uint32_t j = 0; j < c->slots_n; j++)
			if (usable(c, &c->slots[j]) && c->slots[j].view.n == 0)
				return true;
	}
	return false;
}

/* Nobody who was ready earlier, or is more important, is passed over. */
static void
check_order(struct world *w, const struct sim_conn *c, uint64_t id)
{
	const struct sim_task *t = &w->tasks[id];

	for (uint8_t p = t->priority; p < PRIORITIES; p++) {
		for (uint8_t e = 1; e <= ENGINES; e++) {
			struct ids *q = &w->ready[p][e];
			uint64_t first;

			if ((c->engines >> e & 1) == 0)
				continue;
			while (q->n > 0) {
				const struct sim_task *u =
					&w->tasks[q->at[q->first]];

				if (u->open && u->ready && !u->assigned)
					break;
				q->first++;
				q->n--;
			}
			if (q->n == 0)
				continue;
			first = q->at[q->first];
			PROBE(first == id ||
				      (p == t->priority &&
				       w->tasks[first].stamp >= t->stamp),
			      "task %llu was given out before task %llu", U(id),
			      U(first));
		}
	}
}

static void
check_window(struct world *w, const struct sim_slot *s,
	     const struct sim_task *t)
{
	if (s->view.n == 0)
		return;
	PROBE((t->flags & WIRE_WINDOW) != 0, "a window for who takes none");
	for (size_t i = 0; i < s->view.n; i++)
		PROBE((w->tasks[s->view.at[i].id].flags & WIRE_WINDOW) != 0,
		      "a window behind one that takes none");
	PROBE(s->view.n <= w->cfg.window, "a window over its limit");
	PROBE(!idle_exists(w, t->engine), "a window fills while a slot idles");
	if (s->view.n > w->deepest)
		w->deepest = s->view.n;
}

static void
on_task(struct world *w, struct sim_conn *c, const struct wire_frame *frame)
{
	uint64_t id = frame->task;
	struct sim_task *t = &w->tasks[id];
	struct sim_slot *s = &c->slots[frame->slot];

	PROBE(id < w->next_id && t->open && t->ready,
	      "task %llu was given out though it is not ready", U(id));
	PROBE(frame->slot < c->slots_n && usable(c, s),
	      "task %llu was given to a slot that takes none", U(id));
	PROBE(frame->incarnation == c->incarnation, "a wrong incarnation");
	PROBE((c->engines >> t->engine & 1) != 0, "the wrong engine");
	PROBE(frame->attempt == t->attempt + 1, "attempt %u after %u",
	      frame->attempt, t->attempt);
	PROBE(!t->begun || t->excused || (t->flags & WIRE_IDEMPOTENT) != 0,
	      "task %llu had begun and is given out again", U(id));
	PROBE(t->took < DISPATCH_POISON, "task %llu is poison", U(id));
	for (size_t i = 0; i < w->live_epochs_n; i++)
		PROBE((c->engines >> (w->live_epochs[i] & 255) & 1) == 0 ||
			      w->live_epochs[i] >> 8 <= c->last_epoch,
		      "a task before an epoch");
	check_window(w, s, t);
	if (!t->assigned)
		check_order(w, c, id);
	t->assigned = true;
	t->ready = false;
	t->attempt = frame->attempt;
	t->started_known = false;
	w->attempts++;
	attempts_push(&s->view,
		      (struct attempt){.id = id, .attempt = frame->attempt});
}

static void
on_outcome(struct world *w, struct sim_conn *c, const struct wire_frame *frame)
{
	int host = (int)(c - w->conns) - DAEMONS;

	/* What could not be read never was a task. */
	if (frame->task >> 63 != 0) {
		PROBE(frame->code == CADRE_OUTCOME_ERROR, "no error");
		return;
	}
	for (size_t i = w->open.n; i > 0; i--) {
		const struct sim_task *t = &w->tasks[w->open.at[i - 1]];

		if (t->host != host || t->number != frame->task)
			continue;
		ended(w, w->open.at[i - 1], frame->code);
		return;
	}
	world_fail(w, "an outcome for the number %llu, which is not open",
		   U(frame->task));
}

static void
on_send(void *arg, void *conn, const struct wire_frame *frame)
{
	struct world *w = arg;
	struct sim_conn *c = conn;

	PROBE(c->connected, "a frame for a lost peer");
	switch (frame->type) {
	case WIRE_TASK:
		on_task(w, c, frame);
		break;
	case WIRE_OUTCOME:
		on_outcome(w, c, frame);
		break;
	case WIRE_EVERYWHERE:
		PROBE(frame->task > c->last_epoch, "epochs out of order");
		c->last_epoch = frame->task;
		break;
	case WIRE_RECALL:
		PROBE(c->slots[frame->slot].view.n > 1, "nothing to recall");
		w->recalls++;
		break;
	case WIRE_LEAVE:
		c->view_leaving = true;
		break;
	default:
		break;
	}
	channel_push(&c->to, frame, NULL);
}

static void
on_resolve(void *arg, void *owner, const struct dispatch_outcome *o)
{
	struct world *w = arg;
	uint64_t n = (uint64_t)(uintptr_t)owner;

	if ((n & 1) == 0) {
		ended(w, n >> 1, o->outcome);
		return;
	}
	PROBE(!w->epoch_done[n >> 1], "everywhere %llu ended twice", U(n >> 1));
	w->epoch_done[n >> 1] = true;
	w->epochs_open--;
}

static void
on_output(void *arg, void *owner, int which, const void *data, size_t len)
{
	struct world *w = arg;
	uint64_t id = (uint64_t)(uintptr_t)owner >> 1;

	(void)which;
	(void)data;
	(void)len;
	PROBE(w->tasks[id].open, "output of an ended task");
}

static void
on_drop(void *arg, void *conn, const char *reason)
{
	struct world *w = arg;
	struct sim_conn *c = conn;

	(void)reason;
	PROBE(c->connected && c->kind == SIM_DAEMON, "dropped for no reason");
	oracle_daemon_lost(w, c);
	actors_cut(w, c);
}

static int
on_request(void *arg, void *conn, const struct wire_frame *frame,
	   struct cadre_error *err)
{
	(void)err;
	(void)arg;
	(void)conn;
	(void)frame;
	return 0;
}

const struct dispatch_ops oracle_ops = {
	.send = on_send,
	.resolve = on_resolve,
	.output = on_output,
	.drop = on_drop,
	.request = on_request,
};

static void
check_open(struct world *w)
{
	bool idle[ENGINES + 1];
	uint64_t count[CADRE_DONE + 1] = {0};
	struct cadre_info info;

	for (uint8_t e = 1; e <= ENGINES; e++)
		idle[e] = idle_exists(w, e);
	for (size_t i = 0; i < w->open.n; i++) {
		uint64_t id = w->open.at[i];
		const struct sim_task *t = &w->tasks[id];
		enum cadre_state state = dispatch_state(w->d, id);

		count[state]++;
		PROBE((state == CADRE_WAITING) == (t->pending > 0),
		      "task %llu waits for %u", U(id), t->pending);
		PROBE((state == CADRE_READY) == t->ready,
		      "task %llu is in state %d", U(id), state);
		PROBE((state == CADRE_STARTED) ==
			      (state > CADRE_READY && t->started_known),
		      "the start of task %llu", U(id));
		PROBE(state != CADRE_READY || !idle[t->engine],
		      "task %llu is ready and a slot idles", U(id));
	}
	dispatch_info(w->d, &info);
	PROBE(info.awaiting == count[CADRE_WAITING] + count[CADRE_READY] &&
		      info.executing ==
			      count[CADRE_ASSIGNED] + count[CADRE_STARTED] &&
		      info.completed == w->resolved,
	      "the counts of tasks");
}

/* No credit may leak: the slots that are busy are those with attempts that
 * nobody reported on. */
static void
check_credit(struct world *w)
{
	struct cadre_daemon_status s[DAEMONS];
	size_t n = dispatch_status(w->d, w->now, s, DAEMONS), seen = 0;

	for (size_t i = 0; i < DAEMONS; i++) {
		const struct sim_conn *c = &w->conns[i];
		uint32_t up = 0, busy = 0;

		if (!c->connected)
			continue;
		seen++;
		for (uint32_t j = 0; j < c->slots_n; j++) {
			up += c->slots[j].view_up;
			busy += c->slots[j].view.n > 0;
		}
		for (size_t j = 0; j < n; j++)
			if (s[j].incarnation == c->incarnation)
				PROBE(s[j].slots == up && s[j].busy == busy,
				      "%u of %u slots busy instead of %u of %u",
				      s[j].busy, s[j].slots, busy, up);
	}
	PROBE(n == seen, "%zu daemons instead of %zu", n, seen);
}

void
oracle_checkpoint(struct world *w)
{
	check_open(w);
	check_credit(w);
}

void
oracle_final(struct world *w)
{
	struct cadre_info info;

	oracle_checkpoint(w);
	PROBE(w->open.n == 0, "task %llu never ended", U(w->open.at[0]));
	PROBE(w->epochs_open == 0, "%llu everywhere calls never ended",
	      U(w->epochs_open));
	for (size_t i = 0; i < DAEMONS; i++)
		for (uint32_t j = 0; j < w->conns[i].slots_n; j++)
			PROBE(w->conns[i].slots[j].view.n == 0, "a slot leaks");
	dispatch_info(w->d, &info);
	PROBE(info.awaiting == 0 && info.executing == 0, "tasks are left");
}
