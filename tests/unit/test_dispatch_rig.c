/* SPDX-License-Identifier: MIT */
#include "test_dispatch_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "util/error.h"

static void *
copy(const void *data, size_t len)
{
	void *to = malloc(len + 1);

	assert_non_null(to);
	if (len > 0)
		memcpy(to, data, len);
	return to;
}

static void
on_send(void *arg, void *conn, const struct wire_frame *frame)
{
	struct rig *rig = arg;
	struct rig_sent *sent;

	if (rig->sent_n == rig->sent_cap) {
		rig->sent_cap = rig->sent_cap == 0 ? 64 : rig->sent_cap * 2;
		rig->sent = realloc(rig->sent,
				    rig->sent_cap * sizeof(struct rig_sent));
		assert_non_null(rig->sent);
	}
	if (frame->type == WIRE_TASK)
		rig->task_fields = frame->fields;
	sent = &rig->sent[rig->sent_n++];
	*sent = (struct rig_sent){.to = conn, .frame = *frame};
	sent->frame.fields = copy(frame->fields, frame->fields_len);
	sent->frame.payload = copy(frame->payload, frame->payload_len);
}

static void
on_resolve(void *arg, void *owner, const struct dispatch_outcome *o)
{
	struct rig *rig = arg;
	struct rig_task *task = owner;

	if (rig->over)
		return;
	task->resolved++;
	task->order = ++rig->resolved;
	task->outcome = o->outcome;
	task->attempts = o->attempts;
	task->incarnation = o->incarnation;
	task->slot = o->slot;
	task->with_result = o->result != NULL;
	(void)snprintf(task->message, sizeof(task->message), "%s",
		       o->message == NULL ? "" : o->message);
}

static void
on_output(void *arg, void *owner, int which, const void *data, size_t len)
{
	struct rig_task *task = owner;

	(void)arg;
	task->which = which;
	(void)snprintf(task->output, sizeof(task->output), "%.*s", (int)len,
		       (const char *)data);
}

static void
on_drop(void *arg, void *conn, const char *reason)
{
	struct rig_peer *peer = conn;

	(void)arg;
	assert_false(peer->dropped);
	peer->dropped = true;
	(void)snprintf(peer->reason, sizeof(peer->reason), "%s", reason);
}

static int
on_request(void *arg, void *conn, const struct wire_frame *frame,
	   struct cadre_error *err)
{
	struct rig *rig = arg;

	(void)conn;
	rig->requested = frame->type;
	return rig->request_rc < 0
		       ? error_set(err, rig->request_rc, "there is no way")
		       : 0;
}

static void
start(struct rig *rig)
{
	static const struct dispatch_ops ops = {
		.send = on_send,
		.resolve = on_resolve,
		.output = on_output,
		.drop = on_drop,
		.request = on_request,
	};

	rig->d = dispatch_new(&rig->cfg, &ops, rig);
	assert_non_null(rig->d);
}

void
rig_restart(struct rig *rig)
{
	dispatch_free(&rig->d);
	start(rig);
}

int
rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->now = 1000;
	dispatch_config_default(&rig->cfg);
	start(rig);
	*state = rig;
	return 0;
}

int
rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig->over = true;
	dispatch_free(&rig->d);
	for (size_t i = 0; i < rig->sent_n; i++) {
		free((void *)(uintptr_t)rig->sent[i].frame.fields);
		free((void *)(uintptr_t)rig->sent[i].frame.payload);
	}
	free(rig->sent);
	free(rig);
	return 0;
}

int
rig_connect(struct rig *rig, struct rig_peer *peer, enum wire_role role,
	    uint64_t engines, uint64_t slots, uint64_t previous)
{
	struct wire_frame hello = {.type = WIRE_HELLO};
	struct buf b;
	int rc;

	*peer = (struct rig_peer){.peer = NULL};
	buf_init(&b, 4096);
	wire_put_u64(&b, WIRE_TAG_ROLE, role);
	wire_put_u64(&b, WIRE_TAG_SLOTS, slots);
	wire_put_u64(&b, WIRE_TAG_ENGINES, engines);
	wire_put_u64(&b, WIRE_TAG_PID, 77);
	wire_put_str(&b, WIRE_TAG_NODE, "n1");
	if (previous != 0)
		wire_put_u64(&b, WIRE_TAG_PREVIOUS, previous);
	hello.fields = b.data;
	hello.fields_len = b.len;
	rc = dispatch_peer_up(rig->d, &hello, peer, "ipc:///x", rig->now,
			      &peer->peer, &peer->incarnation);
	if (rc == 0)
		dispatch_peer_ready(rig->d, peer->peer, rig->now);
	buf_fini(&b);
	return rc;
}

void
rig_daemon(struct rig *rig, struct rig_peer *peer, uint64_t engines,
	   uint32_t slots)
{
	assert_int_equal(
		rig_connect(rig, peer, WIRE_ROLE_DAEMON, engines, slots, 0), 0);
	for (uint32_t i = 0; i < slots; i++)
		rig_slot(rig, peer, WIRE_SLOT_UP, i);
}

void
rig_lost(struct rig *rig, struct rig_peer *peer)
{
	dispatch_peer_lost(rig->d, peer->peer, "it was killed", rig->now);
	peer->peer = NULL;
}

int
rig_frame(struct rig *rig, struct rig_peer *peer, struct wire_frame frame)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	int rc;

	if (frame.incarnation == 0)
		frame.incarnation = peer->incarnation;
	rc = dispatch_frame(rig->d, peer->peer, &frame, rig->now, &err);
	assert_int_equal(rc, err.code);
	return rc;
}

void
rig_slot(struct rig *rig, struct rig_peer *peer, uint16_t type, uint32_t slot)
{
	assert_int_equal(
		rig_frame(rig, peer,
			  (struct wire_frame){.type = type, .slot = slot}),
		0);
}

struct dispatch_spec
rig_spec(enum wire_engine engine, uint8_t flags)
{
	return (struct dispatch_spec){.engine = engine, .flags = flags};
}

void
rig_submit(struct rig *rig, const struct dispatch_spec *spec,
	   struct rig_task *task)
{
	const struct dispatch_body body = {.payload = "pay", .payload_len = 3};

	*task = (struct rig_task){.outcome = CADRE_OUTCOME_NONE};
	assert_int_equal(
		dispatch_submit(rig->d, spec, &body, task, rig->now, &task->id),
		0);
}

void
rig_command(struct rig *rig, struct rig_task *task)
{
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);

	rig_submit(rig, &spec, task);
}

void
rig_native(struct rig *rig, struct rig_task *task)
{
	struct dispatch_spec spec =
		rig_spec(WIRE_ENGINE_NATIVE, WIRE_WINDOW | WIRE_IDEMPOTENT);

	rig_submit(rig, &spec, task);
}

const struct wire_frame *
rig_take(struct rig *rig, const struct rig_peer *peer, uint16_t type)
{
	for (size_t i = 0; i < rig->sent_n; i++) {
		struct rig_sent *sent = &rig->sent[i];

		if (sent->taken || sent->to != peer || sent->frame.type != type)
			continue;
		sent->taken = true;
		return &sent->frame;
	}
	return NULL;
}

size_t
rig_untaken(const struct rig *rig, const struct rig_peer *peer, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < rig->sent_n; i++)
		n += !rig->sent[i].taken && rig->sent[i].to == peer &&
		     rig->sent[i].frame.type == type;
	return n;
}

struct wire_frame
rig_expect_task(struct rig *rig, const struct rig_peer *peer,
		const struct rig_task *task)
{
	const struct wire_frame *frame = rig_take(rig, peer, WIRE_TASK);

	assert_non_null(frame);
	assert_int_equal(frame->task, task->id);
	return *frame;
}

static void
answer(struct rig *rig, struct rig_peer *peer, const struct wire_frame *task,
       struct wire_frame frame)
{
	frame.task = task->task;
	frame.attempt = task->attempt;
	frame.slot = task->slot;
	frame.incarnation = task->incarnation;
	assert_int_equal(rig_frame(rig, peer, frame), 0);
}

void
rig_started(struct rig *rig, struct rig_peer *peer,
	    const struct wire_frame *task)
{
	answer(rig, peer, task, (struct wire_frame){.type = WIRE_STARTED});
}

void
rig_result(struct rig *rig, struct rig_peer *peer,
	   const struct wire_frame *task, enum cadre_outcome code)
{
	answer(rig, peer, task,
	       (struct wire_frame){.type = WIRE_RESULT, .code = (uint8_t)code});
}

void
rig_result_ns(struct rig *rig, struct rig_peer *peer,
	      const struct wire_frame *task, enum cadre_outcome code,
	      uint64_t wall_ns)
{
	struct buf b;

	buf_init(&b, 64);
	wire_put_u64(&b, WIRE_TAG_WALL_NS, wall_ns);
	answer(rig, peer, task,
	       (struct wire_frame){.type = WIRE_RESULT,
				   .code = (uint8_t)code,
				   .fields = b.data,
				   .fields_len = b.len});
	buf_fini(&b);
}

void
rig_returned(struct rig *rig, struct rig_peer *peer,
	     const struct wire_frame *task, enum wire_returned code)
{
	answer(rig, peer, task,
	       (struct wire_frame){.type = WIRE_RETURNED,
				   .code = (uint8_t)code});
}

void
rig_cancel(struct rig *rig, struct rig_task *task)
{
	assert_int_equal(dispatch_cancel(rig->d, task->id, rig->now), 0);
	rig_assert(task, CADRE_OUTCOME_CANCELLED);
}

void
rig_tick(struct rig *rig, uint64_t ms)
{
	rig->now += ms;
	dispatch_tick(rig->d, rig->now);
}

struct cadre_info
rig_info(const struct rig *rig)
{
	struct cadre_info info;

	dispatch_info(rig->d, &info);
	return info;
}

void
rig_assert(const struct rig_task *task, enum cadre_outcome outcome)
{
	assert_int_equal(task->resolved, outcome == CADRE_OUTCOME_NONE ? 0 : 1);
	assert_int_equal(task->outcome, outcome);
}
