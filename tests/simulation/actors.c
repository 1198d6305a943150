/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <string.h>

/*
 * Daemons and hosts, as good and as bad as they come.  A daemon keeps to its
 * side of the contract: the start record of a task that takes no windows is
 * sent before it begins, a task for a worker from before the last SLOT_DOWN is
 * not run, nothing is begun after RECALL took it back.
 */

static void
say(struct sim_conn *c, struct wire_frame frame, const struct buf *fields)
{
	if (frame.incarnation == 0)
		frame.incarnation = c->incarnation;
	channel_push(&c->from, &frame, fields);
}

static void
say_attempt(struct sim_conn *c, uint16_t type, uint8_t code, uint32_t slot,
	    const struct attempt *a, const struct buf *fields)
{
	say(c,
	    (struct wire_frame){.type = type,
				.code = code,
				.task = a->id,
				.attempt = a->attempt,
				.slot = slot,
				.worker = a->worker},
	    fields);
}

static void
say_slot(struct sim_conn *c, uint16_t type, uint32_t slot)
{
	say(c,
	    (struct wire_frame){.type = type,
				.slot = slot,
				.worker = c->slots[slot].worker},
	    NULL);
}

/* Whom a daemon that dials says it was: itself earlier, or one whose link
 * broke without the dispatcher's knowing. */
static uint32_t
previous(struct world *w, const struct sim_conn *c)
{
	for (size_t i = 0; i < DAEMONS; i++)
		if (w->conns[i].connected && w->conns[i].frozen &&
		    world_chance(w, 50))
			return w->conns[i].incarnation;
	return world_chance(w, 70) ? c->previous : 0;
}

void
actors_connect(struct world *w, struct sim_conn *c)
{
	static const uint32_t engines[] = {2, 4, 6, 6, 30, 30};
	struct wire_frame hello = {.type = WIRE_HELLO};
	bool daemon = c->kind == SIM_DAEMON;
	uint32_t was = daemon ? previous(w, c) : 0;
	struct buf b;

	c->engines = w->calm ? 30 : engines[world_random(w, 6)];
	c->slots_n = 1 + (uint32_t)world_random(w, SLOTS);
	c->speed = 1 + (unsigned int)world_random(w, 4);
	c->leaving = c->view_leaving = c->frozen = false;
	c->last_epoch = 0;
	c->beat = w->now;
	buf_init(&b, 4096);
	wire_put_u64(&b, WIRE_TAG_ROLE,
		     daemon ? WIRE_ROLE_DAEMON : WIRE_ROLE_HOST);
	wire_put_u64(&b, WIRE_TAG_SLOTS, c->slots_n);
	wire_put_u64(&b, WIRE_TAG_ENGINES, c->engines);
	if (was != 0)
		wire_put_u64(&b, WIRE_TAG_PREVIOUS, was);
	hello.fields = b.data;
	hello.fields_len = b.len;
	oracle_begin(w, EVENT_OTHER);
	if (dispatch_peer_up(w->d, &hello, c, "sim", w->now, &c->peer,
			     &c->incarnation) != 0)
		world_fail(w, "a peer was refused");
	c->connected = true;
	dispatch_peer_ready(w->d, c->peer, w->now);
	oracle_end(w);
	buf_fini(&b);
	for (uint32_t i = 0; daemon && i < c->slots_n; i++) {
		struct sim_slot *s = &c->slots[i];

		s->up = true;
		s->oldest_worker = ++s->worker;
		say_slot(c, WIRE_SLOT_UP, i);
	}
}

/* What a message that is lost would have told is excused. */
static void
excuse(struct world *w, struct sim_conn *c)
{
	for (size_t i = 0; i < c->from.n; i++) {
		const struct wire_frame *f =
			&c->from.msgs[c->from.first + i].frame;

		if (f->task != 0 && f->task < w->next_id &&
		    (f->type == WIRE_STARTED || f->type == WIRE_RESULT ||
		     f->type == WIRE_RETURNED || f->type == WIRE_SLOT_DOWN))
			w->tasks[f->task].excused = true;
	}
}

/* What it offered may be offered by no daemon now. */
static void
note_absence(struct world *w, const struct sim_conn *gone)
{
	uint32_t offered = 0;

	for (size_t i = 0; i < DAEMONS; i++)
		if (w->conns[i].connected)
			offered |= w->conns[i].engines;
	if (offered == 0)
		w->no_daemon_since = w->now;
	for (unsigned int e = 1; e <= ENGINES; e++)
		if ((gone->engines & ~offered & (1u << e)) != 0)
			w->no_engine_since[e] = w->now;
}

void
actors_cut(struct world *w, struct sim_conn *c)
{
	excuse(w, c);
	c->connected = false;
	c->previous = c->incarnation;
	channel_clear(&c->to);
	channel_clear(&c->from);
	for (uint32_t i = 0; i < SLOTS; i++) {
		c->slots[i].queue.n = 0;
		c->slots[i].view.n = 0;
		c->slots[i].epochs_n = 0;
		c->slots[i].up = c->slots[i].view_held = false;
	}
	if (c->kind == SIM_DAEMON)
		note_absence(w, c);
}

static void
lose(struct world *w, struct sim_conn *c)
{
	oracle_begin(w, EVENT_OTHER);
	if (c->kind == SIM_DAEMON)
		oracle_daemon_lost(w, c);
	else
		oracle_host_lost(w, c);
	actors_cut(w, c);
	dispatch_peer_lost(w->d, c->peer, "lost", w->now);
	oracle_end(w);
}

/* One frame from a peer reaches the dispatcher. */
static bool
deliver(struct world *w, struct sim_conn *c)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct dispatch_spec spec;
	struct wire_frame *f;
	uint64_t after[AFTER];
	/* Threads may take the time and then wait for each other. */
	uint64_t clock = w->clock, at = w->now - world_random(w, 2);
	struct msg m;

	if (!c->connected || !channel_pop(&c->from, &m))
		return false;
	f = &m.frame;
	f->fields = m.fields;
	f->fields_len = m.fields_len;
	oracle_begin(w, EVENT_OTHER);
	w->clock = at > clock ? at : clock;
	if (c->kind == SIM_DAEMON && f->incarnation != c->incarnation &&
	    f->type != WIRE_RESULT && f->type != WIRE_RETURNED &&
	    f->type != WIRE_STARTED)
		world_fail(w, "a frame of no incarnation");
	switch (f->type) {
	case WIRE_SLOT_UP:
		c->slots[f->slot].view_up = true;
		c->slots[f->slot].view_held = false;
		break;
	case WIRE_SLOT_DOWN:
		oracle_slot_lost(w, c, &c->slots[f->slot]);
		break;
	case WIRE_STARTED:
		oracle_started(w, c, f);
		break;
	case WIRE_RESULT:
		oracle_result(w, c, f);
		break;
	case WIRE_RETURNED:
		oracle_returned(w, c, f);
		break;
	case WIRE_LEAVING:
		c->view_leaving = true;
		break;
	case WIRE_EPOCH:
		for (size_t i = 0; i < w->live_epochs_n; i++)
			if (w->live_epochs[i] >> 8 == f->task &&
			    f->code != CADRE_OUTCOME_VALUE)
				c->slots[f->slot].view_held = true;
		break;
	case WIRE_SUBMIT:
		if (dispatch_spec_parse(f, after, AFTER, &spec, NULL) == 0)
			(void)oracle_submit(w, &spec,
					    (int)(c - w->conns) - DAEMONS,
					    f->task);
		break;
	case WIRE_CANCEL:
		for (size_t i = 0; i < w->open.n; i++) {
			const struct sim_task *t = &w->tasks[w->open.at[i]];

			if (t->host == (int)(c - w->conns) - DAEMONS &&
			    t->number == f->task)
				oracle_expect(w, w->open.at[i], EXPECT_OUTCOME,
					      CADRE_OUTCOME_CANCELLED);
		}
		break;
	default:
		break;
	}
	if (dispatch_frame(w->d, c->peer, f, at, &err) != 0)
		world_fail(w, "a frame was refused: %s", err.text);
	oracle_end(w);
	return true;
}

/* Its process died: what it had sent still arrives. */
static void
die(struct world *w, struct sim_conn *c)
{
	while (deliver(w, c))
		;
	if (c->connected)
		lose(w, c);
}

/* The slot is gone, and what ran there. */
static void
slot_down(struct sim_conn *c, uint32_t i)
{
	struct sim_slot *s = &c->slots[i];

	s->up = false;
	s->queue.n = 0;
	say_slot(c, WIRE_SLOT_DOWN, i);
}

static void
slot_up(struct sim_conn *c, uint32_t i)
{
	struct sim_slot *s = &c->slots[i];

	s->up = true;
	s->oldest_worker = ++s->worker;
	say_slot(c, WIRE_SLOT_UP, i);
}

/* All that has not begun goes back; in any order. */
static void
hand_back(struct world *w, struct sim_conn *c, uint32_t i)
{
	struct attempts *q = &c->slots[i].queue;
	size_t from = q->n > 0 && q->at[0].begun ? 1 : 0;

	while (q->n > from) {
		size_t at = world_chance(w, 50) ? q->n - 1 : from;
		struct attempt a = q->at[at];

		memmove(q->at + at, q->at + at + 1,
			(q->n - at - 1) * sizeof(*q->at));
		q->n--;
		say_attempt(c, WIRE_RETURNED, WIRE_RETURNED_UNSTARTED, i, &a,
			    NULL);
	}
}

static void
begin_leaving(struct world *w, struct sim_conn *c)
{
	if (c->leaving)
		return;
	c->leaving = true;
	say(c, (struct wire_frame){.type = WIRE_LEAVING}, NULL);
	for (uint32_t i = 0; i < c->slots_n; i++)
		hand_back(w, c, i);
}

static void
on_task(struct world *w, struct sim_conn *c, const struct wire_frame *f)
{
	struct sim_slot *s = &c->slots[f->slot];
	struct attempt a = {
		.id = f->task, .attempt = f->attempt, .worker = f->worker};

	/* Given before the dispatcher knew that the slot was lost. */
	if (!s->up || f->worker < s->oldest_worker) {
		if (world_chance(w, 50))
			say_attempt(c, WIRE_RETURNED, WIRE_RETURNED_UNSTARTED,
				    f->slot, &a, NULL);
		return;
	}
	if (c->leaving)
		say_attempt(c, WIRE_RETURNED, WIRE_RETURNED_UNSTARTED, f->slot,
			    &a, NULL);
	else
		attempts_push(&s->queue, a);
}

static void
on_cancel(struct sim_conn *c, const struct wire_frame *f)
{
	struct attempts *q = &c->slots[f->slot].queue;
	struct attempt a;

	for (size_t i = 0; i < q->n; i++)
		if (q->at[i].id == f->task && q->at[i].attempt == f->attempt &&
		    q->at[i].begun) {
			q->at[i].cancelled = true;
			return;
		}
	if (attempts_take(q, f->task, f->attempt, &a))
		say_attempt(c, WIRE_RESULT, CADRE_OUTCOME_CANCELLED, f->slot,
			    &a, NULL);
}

static void
on_everywhere(struct sim_conn *c, const struct wire_frame *f)
{
	for (uint32_t i = 0; i < c->slots_n; i++) {
		struct sim_slot *s = &c->slots[i];

		if (s->epochs_n < sizeof(s->epochs) / sizeof(s->epochs[0]))
			s->epochs[s->epochs_n++] =
				f->task << 1 |
				((f->flags & WIRE_ONCE) != 0 ? 1 : 0);
		else
			say(c,
			    (struct wire_frame){.type = WIRE_EPOCH,
						.task = f->task,
						.slot = i},
			    NULL);
	}
}

/* One frame reaches the peer. */
static bool
receive(struct world *w, struct sim_conn *c)
{
	struct wire_frame *f;
	struct msg m;

	if (!c->connected || c->frozen || !channel_pop(&c->to, &m))
		return false;
	f = &m.frame;
	switch (f->type) {
	case WIRE_TASK:
		on_task(w, c, f);
		break;
	case WIRE_CANCEL:
		on_cancel(c, f);
		break;
	case WIRE_RECALL:
		hand_back(w, c, f->slot);
		break;
	case WIRE_EVERYWHERE:
		on_everywhere(c, f);
		break;
	case WIRE_RESET:
		for (uint32_t i = 0; i < c->slots_n; i++)
			c->slots[i].epochs_n = 0;
		break;
	case WIRE_LEAVE:
		begin_leaving(w, c);
		break;
	case WIRE_RESTART:
		die(w, c);
		break;
	default:
		break;
	}
	return true;
}

static void
begin(struct world *w, struct sim_conn *c, uint32_t slot, struct attempt *a)
{
	struct sim_task *t = &w->tasks[a->id];

	if ((t->flags & WIRE_WINDOW) == 0 || world_chance(w, 10))
		say_attempt(c, WIRE_STARTED, 0, slot, a, NULL);
	a->begun = true;
	if (t->open && t->attempt == a->attempt)
		t->begun = true;
}

static void
finish(struct world *w, struct sim_conn *c, uint32_t slot)
{
	static const uint8_t codes[] = {
		CADRE_OUTCOME_ERROR,	 CADRE_OUTCOME_EXIT,
		CADRE_OUTCOME_INTERRUPT, CADRE_OUTCOME_TIMEOUT,
		CADRE_OUTCOME_LOST,	 CADRE_OUTCOME_LOST};
	struct attempts *q = &c->slots[slot].queue;
	uint64_t ns = world_chance(w, 90) ? world_random(w, 5000)
					  : world_random(w, 9000000);
	struct attempt a = q->at[0];
	uint8_t code = CADRE_OUTCOME_VALUE;
	struct buf b;

	if (a.cancelled)
		code = CADRE_OUTCOME_CANCELLED;
	else if (!w->calm && world_chance(w, 15))
		code = codes[world_random(w, sizeof(codes))];
	memmove(q->at, q->at + 1, --q->n * sizeof(*q->at));
	if (c->leaving && world_chance(w, 50)) {
		say_attempt(c, WIRE_RETURNED, WIRE_RETURNED_STARTED, slot, &a,
			    NULL);
		return;
	}
	buf_init(&b, 64);
	if (world_chance(w, 80))
		wire_put_u64(&b, WIRE_TAG_WALL_NS, ns);
	if (world_chance(w, 10))
		say_attempt(c, WIRE_OUTPUT, 1, slot, &a, NULL);
	say_attempt(c, WIRE_RESULT, code, slot, &a, &b);
	if (!w->calm && world_chance(w, 3))
		say_attempt(c, WIRE_RESULT, code, slot, &a, &b);
	buf_fini(&b);
}

/* A slot gets on with what it has to do. */
static bool
work(struct world *w, struct sim_conn *c, uint32_t i)
{
	struct sim_slot *s = &c->slots[i];

	if (!c->connected || c->frozen)
		return false;
	if (s->queue.n > 0 && s->queue.at[0].begun) {
		finish(w, c, i);
		return true;
	}
	if (s->epochs_n > 0) {
		struct wire_frame f = {.type = WIRE_EPOCH,
				       .task = s->epochs[0] >> 1,
				       .slot = i};
		/* Whether one of "once" is still known is no concern here. */
		bool fails = !w->calm && (s->epochs[0] & 1) == 0 &&
			     world_chance(w, 5);

		memmove(s->epochs, s->epochs + 1,
			--s->epochs_n * sizeof(s->epochs[0]));
		f.code = fails ? CADRE_OUTCOME_ERROR : CADRE_OUTCOME_VALUE;
		say(c, f, NULL);
		if (fails && s->up)
			slot_down(c, i);
		return true;
	}
	if (s->queue.n == 0)
		return false;
	begin(w, c, i, &s->queue.at[0]);
	return true;
}

static bool
finished(const struct sim_conn *c)
{
	for (uint32_t i = 0; i < c->slots_n; i++)
		if (c->slots[i].queue.n > 0)
			return false;
	return true;
}

static void
local_submit(struct world *w, const struct dispatch_spec *spec)
{
	const struct dispatch_body body = {.payload = "x", .payload_len = 1};
	uint64_t id, own = w->next_id;
	int rc;

	oracle_begin(w, EVENT_OTHER);
	(void)oracle_submit(w, spec, -1, 0);
	rc = dispatch_submit(w->d, spec, &body, (void *)(uintptr_t)(own << 1),
			     w->now, &id);
	if (rc != 0 || id != own)
		world_fail(w, "submit: %d", rc);
	oracle_end(w);
}

static void
host_submit(struct world *w, struct sim_conn *c,
	    const struct dispatch_spec *spec)
{
	struct wire_frame f = {.type = WIRE_SUBMIT, .flags = spec->flags};
	uint8_t retry[4 * DISPATCH_CAUSES];
	struct buf b;

	buf_init(&b, FIELDS);
	f.task = ++c->next_number;
	if (world_chance(w, 2)) {
		f.task |= UINT64_C(1) << 63;
		wire_put_u64(&b, WIRE_TAG_ENGINE, 50);
	} else {
		wire_put_u64(&b, WIRE_TAG_ENGINE, spec->engine);
	}
	wire_put_u64(&b, WIRE_TAG_PRIORITY,
		     (uint64_t)((INT64_C(1) << 31) + spec->priority));
	wire_put_u64(&b, WIRE_TAG_DEADLINE_MS, spec->deadline_ms);
	wire_put_u64(&b, WIRE_TAG_AFTER_FAILED, spec->after_failed);
	for (size_t i = 0; i < spec->after_n; i++)
		wire_put_u64(&b, WIRE_TAG_AFTER, spec->after[i]);
	for (size_t i = 0; i < DISPATCH_CAUSES; i++)
		store_u32(retry + 4 * i, spec->retry_set[i]
						 ? spec->retry[i]
						 : WIRE_RETRY_DEFAULT);
	wire_put_bytes(&b, WIRE_TAG_RETRY, retry, sizeof(retry));
	say(c, f, &b);
	buf_fini(&b);
}

static void
submit(struct world *w)
{
	static const uint8_t engines[] = {1, 1, 2, 2, 2, 2, 3};
	static const uint8_t flags[] = {0, WIRE_IDEMPOTENT, WIRE_WINDOW};
	struct dispatch_spec spec = {.engine = engines[world_random(w, 7)]};
	uint64_t after[AFTER];
	struct sim_conn *host = &w->conns[DAEMONS + world_random(w, HOSTS)];

	spec.flags = spec.engine == WIRE_ENGINE_NATIVE && world_chance(w, 80)
			     ? WIRE_WINDOW | WIRE_IDEMPOTENT
			     : flags[world_random(w, 3)];
	spec.priority =
		world_chance(w, 80) ? 0 : (int32_t)world_random(w, 3) - 1;
	spec.cores = (uint32_t)world_random(w, 2);
	if (world_chance(w, 5))
		spec.deadline_ms = 1 + world_random(w, 300);
	for (size_t i = 0; world_chance(w, 20) && i < DISPATCH_CAUSES; i++) {
		spec.retry_set[i] = true;
		spec.retry[i] = world_chance(w, 10)
					? DISPATCH_UNLIMITED
					: (uint32_t)world_random(w, 4);
	}
	if (world_chance(w, 20) && w->next_id > 1) {
		uint64_t back = w->next_id - 1 < 100 ? w->next_id - 1 : 100;

		spec.after = after;
		spec.after_n = 1 + world_random(w, AFTER);
		for (size_t i = 0; i < spec.after_n; i++)
			after[i] = w->next_id - 1 - world_random(w, back);
		spec.after_failed = world_chance(w, 30) ? CADRE_AFTER_RUN
							: CADRE_AFTER_CANCEL;
	}
	if (host->connected && world_chance(w, 30))
		host_submit(w, host, &spec);
	else
		local_submit(w, &spec);
}

static void
cancel(struct world *w)
{
	const struct sim_task *t;
	uint64_t id;

	if (w->open.n == 0)
		return;
	id = w->open.at[world_random(w, w->open.n)];
	t = &w->tasks[id];
	if (t->host >= 0) {
		say(&w->conns[DAEMONS + t->host],
		    (struct wire_frame){.type = WIRE_CANCEL, .task = t->number},
		    NULL);
		return;
	}
	oracle_begin(w, EVENT_CANCEL);
	oracle_expect(w, id, EXPECT_OUTCOME, CADRE_OUTCOME_CANCELLED);
	if (dispatch_cancel(w->d, id, w->now) != 0)
		world_fail(w, "an open task could not be cancelled");
	oracle_end(w);
}

static void
everywhere(struct world *w)
{
	struct dispatch_spec spec = {.engine = WIRE_ENGINE_NATIVE};
	const struct dispatch_body body = {.payload = "x", .payload_len = 1};
	uint64_t own = w->next_epoch_owner++, epoch;

	if (world_chance(w, 30))
		spec.engine = WIRE_ENGINE_COMMAND;
	if (world_chance(w, 30))
		spec.flags = WIRE_ONCE;
	w->epoch_done = world_grow(w->epoch_done, &w->epoch_done_cap, own + 1,
				   sizeof(bool));
	w->epoch_done[own] = false;
	w->epochs_open++;
	oracle_begin(w, EVENT_OTHER);
	if (dispatch_everywhere(w->d, &spec, &body,
				(void *)(uintptr_t)(own << 1 | 1), w->now,
				&epoch) != 0)
		world_fail(w, "everywhere");
	if (spec.flags == 0)
		w->live_epochs[w->live_epochs_n++] =
			epoch << 8 | (uint64_t)spec.engine;
	oracle_end(w);
	if (w->live_epochs_n < 20)
		return;
	oracle_begin(w, EVENT_OTHER);
	dispatch_reset(w->d, w->now);
	w->live_epochs_n = 0;
	if (w->epochs_open != 0)
		world_fail(w, "calls are open after a reset");
	oracle_end(w);
}

/* What a daemon says of an earlier life, or of nothing that ever was. */
static void
nonsense(struct world *w, struct sim_conn *c)
{
	static const uint16_t types[] = {WIRE_RESULT, WIRE_RETURNED};
	struct wire_frame f = {.type = types[world_random(w, 2)]};

	if (!c->connected || c->frozen || w->next_id == 1)
		return;
	f.task = 1 + world_random(w, w->next_id - 1);
	f.attempt = w->tasks[f.task].attempt + 1 + (uint32_t)world_random(w, 2);
	f.slot = (uint32_t)world_random(w, c->slots_n);
	if (c->previous != 0 && world_chance(w, 30)) {
		f.incarnation = c->previous;
		f.attempt = w->tasks[f.task].attempt;
	}
	say(c, f, NULL);
}

static void
daemon_fault(struct world *w, struct sim_conn *c)
{
	uint32_t slot = (uint32_t)world_random(w, c->slots_n);

	switch (world_random(w, 11)) {
	case 0:
		die(w, c);
		return;
	case 1:
		lose(w, c);
		return;
	case 2:
		c->frozen = true;
		return;
	case 3:
		begin_leaving(w, c);
		return;
	case 4:
		oracle_begin(w, EVENT_OTHER);
		(void)dispatch_leave(w->d, 1 + (uint32_t)world_random(w, 3),
				     w->now);
		oracle_end(w);
		return;
	default:
		if (c->frozen)
			return;
		if (c->slots[slot].up)
			slot_down(c, slot);
		else
			slot_up(c, slot);
	}
}

static void
fault(struct world *w)
{
	size_t n = world_random(w, w->daemons + HOSTS);
	struct sim_conn *c =
		&w->conns[n < w->daemons ? n : n - w->daemons + DAEMONS];

	if (!c->connected) {
		actors_connect(w, c);
		return;
	}
	if (c->kind == SIM_DAEMON && world_chance(w, 40))
		daemon_fault(w, c);
	else if (c->kind == SIM_HOST && world_chance(w, 10))
		lose(w, c);
}

static void
turn(struct world *w, struct sim_conn *c)
{
	uint64_t n = c->connected ? 1 + world_random(w, 4 * c->speed) : 0;

	while (n-- > 0) {
		if (world_chance(w, 40))
			(void)receive(w, c);
		if (world_chance(w, 60) && c->kind == SIM_DAEMON &&
		    c->connected)
			(void)work(w, c, (uint32_t)world_random(w, c->slots_n));
		if (!c->frozen && world_chance(w, 40))
			(void)deliver(w, c);
	}
	if (c->connected && c->leaving && finished(c))
		die(w, c);
}

static void
pass_time(struct world *w, uint64_t ms)
{
	w->now += ms;
	for (size_t i = 0; i < DAEMONS; i++) {
		struct sim_conn *c = &w->conns[i];

		if (!c->connected || c->frozen ||
		    w->now - c->beat < w->cfg.heartbeat_ms / 2)
			continue;
		c->beat = w->now;
		say(c, (struct wire_frame){.type = WIRE_HEARTBEAT}, NULL);
	}
	if (dispatch_deadline(w->d) > w->now)
		return;
	oracle_begin(w, EVENT_TICK);
	dispatch_tick(w->d, w->now);
	oracle_end(w);
	if (dispatch_deadline(w->d) <= w->now)
		world_fail(w, "a tick that changes nothing");
}

void
actors_step(struct world *w)
{
	uint64_t r = world_random(w, 1000);

	if (r < 200 && w->open.n < 400)
		submit(w);
	else if (r < 220)
		cancel(w);
	else if (r < 223)
		everywhere(w);
	else if (r < 230)
		nonsense(w, &w->conns[world_random(w, w->daemons)]);
	else if (r < 240)
		fault(w);
	else if (r < 300)
		pass_time(w, world_random(w, 4));
	else if (r < 301)
		pass_time(w, world_random(w, 3 * w->cfg.heartbeat_ms));
	else
		turn(w, &w->conns[world_random(w, DAEMONS + HOSTS)]);
}

void
actors_calm(struct world *w)
{
	w->calm = true;
	for (size_t i = 0; i < DAEMONS; i++)
		if (w->conns[i].connected && w->conns[i].frozen)
			lose(w, &w->conns[i]);
	if (w->conns[0].connected)
		die(w, &w->conns[0]);
	actors_connect(w, &w->conns[0]);
}

void
actors_calm_step(struct world *w)
{
	bool busy = false;

	for (size_t i = 0; i < DAEMONS + HOSTS; i++) {
		struct sim_conn *c = &w->conns[i];

		while (receive(w, c))
			busy = true;
		if (!c->connected && c->kind == SIM_DAEMON && i == 0)
			actors_connect(w, c);
		for (uint32_t j = 0; c->kind == SIM_DAEMON && j < c->slots_n;
		     j++) {
			while (work(w, c, j))
				busy = true;
			if (c->connected && !c->slots[j].up)
				slot_up(c, j);
		}
		while (deliver(w, c))
			busy = true;
		if (c->connected && c->leaving && finished(c))
			die(w, c);
	}
	if (!busy)
		pass_time(w, 1);
}
