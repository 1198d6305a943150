/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "value/codec.h"

#include "test_dispatch_rig.h"

/* Hosts as peers, and everywhere. */

static void
host_up(struct rig *rig, struct rig_peer *host)
{
	assert_int_equal(rig_connect(rig, host, WIRE_ROLE_HOST, 0, 0, 0), 0);
}

static void
begin_fields(struct buf *b, enum wire_engine engine)
{
	buf_init(b, 1 << 20);
	wire_put_u64(b, WIRE_TAG_ENGINE, engine);
}

static int
send_fields(struct rig *rig, struct rig_peer *host, uint16_t type,
	    uint64_t number, struct buf *b)
{
	struct wire_frame f = {.type = type,
			       .task = number,
			       .fields = b->data,
			       .fields_len = b->len,
			       .payload = (const uint8_t *)"pay",
			       .payload_len = 3};
	int rc = rig_frame(rig, host, f);

	buf_fini(b);
	return rc;
}

/* Returns the id that it was accepted under; 0: it was not. */
static uint64_t
host_submit(struct rig *rig, struct rig_peer *host, uint64_t number)
{
	const struct wire_frame *f;
	struct buf b;

	begin_fields(&b, WIRE_ENGINE_COMMAND);
	wire_put_str(&b, WIRE_TAG_ARGV, "true");
	assert_int_equal(send_fields(rig, host, WIRE_SUBMIT, number, &b), 0);
	f = rig_take(rig, host, WIRE_ACCEPTED);
	if (f == NULL)
		return 0;
	assert_int_equal(f->task, number);
	return wire_u64(f, WIRE_TAG_ID, 0);
}

static const struct wire_frame *
expect_outcome(struct rig *rig, struct rig_peer *host, uint64_t number,
	       enum cadre_outcome outcome)
{
	const struct wire_frame *f = rig_take(rig, host, WIRE_OUTCOME);

	assert_non_null(f);
	assert_int_equal(f->task, number);
	assert_int_equal(f->code, outcome);
	return f;
}

static void
a_hosts_task_goes_all_the_way(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, p;
	struct wire_frame f;
	const struct wire_frame *o;
	struct wire_field field;
	struct buf b;

	host_up(rig, &host);
	assert_int_equal(host_submit(rig, &host, 70), 1);
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_take(rig, &p, WIRE_TASK)[0];
	assert_int_equal(f.task, 1);
	assert_memory_equal(f.payload, "pay", 3);
	assert_true(wire_find(&f, WIRE_TAG_ARGV, &field));
	f.type = WIRE_OUTPUT;
	f.code = 1;
	f.fields_len = 0;
	assert_int_equal(rig_frame(rig, &p, f), 0);
	o = rig_take(rig, &host, WIRE_OUTPUT);
	assert_non_null(o);
	assert_int_equal(o->task, 70);
	assert_memory_equal(o->payload, "pay", 3);

	buf_init(&b, 4096);
	wire_put_u64(&b, WIRE_TAG_STATUS, 3);
	f.type = WIRE_RESULT;
	f.code = CADRE_OUTCOME_EXIT;
	f.fields = b.data;
	f.fields_len = b.len;
	assert_int_equal(rig_frame(rig, &p, f), 0);
	buf_fini(&b);
	o = expect_outcome(rig, &host, 70, CADRE_OUTCOME_EXIT);
	assert_int_equal(wire_u64(o, WIRE_TAG_STATUS, 0), 3);
	assert_int_equal(wire_u64(o, WIRE_TAG_ATTEMPTS, 0), 1);
	assert_int_equal(o->incarnation, p.incarnation);
	assert_memory_equal(o->payload, "pay", 3);
	/* Its number is free again. */
	assert_int_equal(host_submit(rig, &host, 70), 2);
}

static void
equal_fields_are_shared(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, p;
	const void *fields;
	uint64_t id = 0;

	host_up(rig, &host);
	for (uint64_t n = 1; n <= 100; n++)
		id = host_submit(rig, &host, n);
	assert_int_equal(id, 100);
	rig_daemon(rig, &p, RIG_ANY, 1);
	fields = rig->task_fields;
	for (uint64_t n = 1; n <= 100; n++) {
		struct wire_frame f = rig_take(rig, &p, WIRE_TASK)[0];
		struct wire_field field;

		assert_true(wire_find(&f, WIRE_TAG_ARGV, &field));
		assert_ptr_equal(rig->task_fields, fields);
		rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
		expect_outcome(rig, &host, n, CADRE_OUTCOME_VALUE);
	}
}

static void
hosts_cancel_by_their_number(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, other;

	host_up(rig, &host);
	host_up(rig, &other);
	host_submit(rig, &host, 5);
	host_submit(rig, &other, 5);
	assert_int_equal(
		rig_frame(rig, &host,
			  (struct wire_frame){.type = WIRE_CANCEL, .task = 5}),
		0);
	expect_outcome(rig, &host, 5, CADRE_OUTCOME_CANCELLED);
	assert_null(rig_take(rig, &other, WIRE_OUTCOME));
	assert_int_equal(
		rig_frame(rig, &host,
			  (struct wire_frame){.type = WIRE_CANCEL, .task = 5}),
		0);
	assert_null(rig_take(rig, &host, WIRE_OUTCOME));
}

static void
malformed_tasks_are_outcomes(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host;
	const struct wire_frame *o;
	struct buf b;
	char *text;

	host_up(rig, &host);
	begin_fields(&b, 50);
	assert_int_equal(send_fields(rig, &host, WIRE_SUBMIT, 1, &b), 0);
	o = expect_outcome(rig, &host, 1, CADRE_OUTCOME_ERROR);
	text = wire_str(o, WIRE_TAG_MESSAGE);
	assert_string_equal(text, "the task asks for engine 50, which this "
				  "dispatcher does not know");
	free(text);
	begin_fields(&b, WIRE_ENGINE_COMMAND);
	wire_put_u64(&b, WIRE_TAG_AFTER, 99);
	assert_int_equal(send_fields(rig, &host, WIRE_SUBMIT, 1, &b), 0);
	o = expect_outcome(rig, &host, 1, CADRE_OUTCOME_ERROR);
	text = wire_str(o, WIRE_TAG_MESSAGE);
	assert_non_null(strstr(text, "never had"));
	free(text);
	/* The same number twice cannot be answered. */
	host_submit(rig, &host, 1);
	begin_fields(&b, WIRE_ENGINE_COMMAND);
	assert_int_equal(send_fields(rig, &host, WIRE_SUBMIT, 1, &b),
			 CADRE_EPROTO);
	assert_int_equal(
		rig_frame(rig, &host, (struct wire_frame){.type = WIRE_RESULT}),
		CADRE_EPROTO);
}

static void
graphs_of_hosts(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, p;
	struct wire_field field;
	struct wire_frame f;
	const struct wire_frame *o;
	struct buf b;

	host_up(rig, &host);
	assert_int_equal(host_submit(rig, &host, 1), 1);
	for (uint64_t n = 2; n <= 4; n++) {
		begin_fields(&b, WIRE_ENGINE_COMMAND);
		wire_put_u64(&b, WIRE_TAG_AFTER, n - 1);
		wire_put_str(&b, WIRE_TAG_ARGV, "next");
		assert_int_equal(send_fields(rig, &host, WIRE_SUBMIT, n, &b),
				 0);
	}
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_take(rig, &p, WIRE_TASK)[0];
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	f = rig_take(rig, &p, WIRE_TASK)[0];
	assert_int_equal(f.task, 2);
	assert_false(wire_find(&f, WIRE_TAG_AFTER, &field));
	assert_true(wire_find(&f, WIRE_TAG_ARGV, &field));
	rig_result(rig, &p, &f, CADRE_OUTCOME_ERROR);
	expect_outcome(rig, &host, 1, CADRE_OUTCOME_VALUE);
	expect_outcome(rig, &host, 2, CADRE_OUTCOME_ERROR);
	o = expect_outcome(rig, &host, 3, CADRE_OUTCOME_CANCELLED);
	assert_true(wire_find(o, WIRE_TAG_MESSAGE, &field));
	expect_outcome(rig, &host, 4, CADRE_OUTCOME_CANCELLED);
}

static void
a_lost_host_takes_its_tasks_along(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, other, p;
	struct buf b;

	host_up(rig, &host);
	host_up(rig, &other);
	rig_daemon(rig, &p, RIG_ANY, 1);
	host_submit(rig, &host, 1);
	host_submit(rig, &other, 1);
	for (uint64_t n = 2; n <= 9; n++) {
		begin_fields(&b, WIRE_ENGINE_COMMAND);
		wire_put_u64(&b, WIRE_TAG_AFTER, n == 2 ? 1 : n);
		send_fields(rig, &host, WIRE_SUBMIT, n, &b);
	}
	begin_fields(&b, WIRE_ENGINE_NATIVE);
	send_fields(rig, &host, WIRE_EVERYWHERE, 100, &b);
	rig_lost(rig, &host);
	assert_null(rig_take(rig, &host, WIRE_OUTCOME));
	assert_non_null(rig_take(rig, &p, WIRE_CANCEL));
	assert_int_equal(rig_info(rig).awaiting, 1);
	assert_int_equal(rig_info(rig).executing, 0);
}

static bool
says(const struct wire_frame *frame, const char *text)
{
	char *message = wire_str(frame, WIRE_TAG_MESSAGE);
	bool same = message != NULL && strcmp(message, text) == 0;

	free(message);
	return same;
}

static void
requests_are_passed_on(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host;
	const struct wire_frame *r;

	host_up(rig, &host);
	rig->request_rc = CADRE_ELAUNCH;
	assert_int_equal(
		rig_frame(rig, &host,
			  (struct wire_frame){.type = WIRE_SCALE, .task = 8}),
		0);
	assert_int_equal(rig->requested, WIRE_SCALE);
	r = rig_take(rig, &host, WIRE_REPLY);
	assert_non_null(r);
	assert_int_equal(r->task, 8);
	assert_int_equal(r->code, -CADRE_ELAUNCH);
	assert_true(says(r, "there is no way"));
	rig->request_rc = 0;
	assert_int_equal(rig_frame(rig, &host,
				   (struct wire_frame){.type = WIRE_SHUTDOWN}),
			 0);
	r = rig_take(rig, &host, WIRE_REPLY);
	assert_non_null(r);
	assert_int_equal(r->code, 0);
}

static int
remove_slots(struct rig *rig, struct rig_peer *host, uint64_t slots)
{
	uint8_t memory[32];
	struct buf fields = {
		.data = memory, .cap = sizeof(memory), .max = sizeof(memory)};
	const struct wire_frame *r;

	wire_put_u64(&fields, WIRE_TAG_SLOTS, slots);
	assert_int_equal(
		rig_frame(rig, host,
			  (struct wire_frame){.type = WIRE_SCALE,
					      .flags = WIRE_REMOVE,
					      .task = 9,
					      .fields = fields.data,
					      .fields_len = fields.len}),
		0);
	r = rig_take(rig, host, WIRE_REPLY);
	assert_non_null(r);
	assert_int_equal(r->task, 9);
	return r->code;
}

/* A host may let daemons leave; the driver has no part in it. */
static void
hosts_remove_slots(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, daemon;

	host_up(rig, &host);
	assert_int_equal(remove_slots(rig, &host, 1), -CADRE_ENOENT);
	rig_daemon(rig, &daemon, RIG_NATIVE, 2);
	assert_int_equal(remove_slots(rig, &host, 1), 0);
	assert_non_null(rig_take(rig, &daemon, WIRE_LEAVE));
	assert_int_equal(remove_slots(rig, &host, UINT64_MAX), -CADRE_ENOENT);
	assert_int_equal(rig->requested, 0);
}

static struct cadre_value *
ask(struct rig *rig, struct rig_peer *host, uint16_t type)
{
	struct cadre_value *v = NULL;
	const struct wire_frame *r;

	assert_int_equal(
		rig_frame(rig, host,
			  (struct wire_frame){.type = type, .task = 12}),
		0);
	r = rig_take(rig, host, WIRE_REPLY);
	assert_non_null(r);
	assert_int_equal(r->task, 12);
	assert_int_equal(value_decode(r->payload, r->payload_len, NULL, &v), 0);
	return v;
}

static int64_t
number_at(const struct cadre_value *list, const char *name)
{
	int64_t x = -1;

	assert_int_equal(
		cadre_value_int64_at(cadre_value_get(list, name), 0, &x), 0);
	return x;
}

static void
info_and_status_are_values(void **state)
{
	struct rig *rig = *state;
	struct rig_peer host, p, q;
	struct cadre_value *v;
	const struct cadre_value *s;

	host_up(rig, &host);
	rig_daemon(rig, &p, RIG_COMMAND, 2);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	for (uint64_t n = 1; n <= 5; n++)
		host_submit(rig, &host, n);
	v = ask(rig, &host, WIRE_INFO);
	assert_int_equal(number_at(v, "connections"), 2);
	assert_int_equal(number_at(v, "slots"), 3);
	assert_int_equal(number_at(v, "cumulative"), 2);
	assert_int_equal(number_at(v, "awaiting"), 3);
	assert_int_equal(number_at(v, "executing"), 2);
	assert_int_equal(number_at(v, "completed"), 0);
	assert_int_equal(number_at(v, "failed"), 0);
	assert_int_equal(number_at(v, "retried"), 0);
	assert_int_equal(number_at(v, "refused"), 0);
	cadre_value_free(&v);
	v = ask(rig, &host, WIRE_STATUS);
	assert_int_equal(cadre_value_length(v), 2);
	s = cadre_value_at(v, 0);
	assert_int_equal(number_at(s, "incarnation"), p.incarnation);
	assert_int_equal(number_at(s, "busy"), 2);
	assert_int_equal(number_at(s, "pid"), 77);
	assert_string_equal(
		cadre_value_string_at(cadre_value_get(s, "node"), 0), "n1");
	assert_int_equal(number_at(s, "held"), 0);
	cadre_value_free(&v);
}

/* everywhere */

static uint64_t
everywhere(struct rig *rig, uint8_t flags, struct rig_task *task)
{
	const struct dispatch_spec spec = {.engine = WIRE_ENGINE_NATIVE,
					   .flags = flags};
	const struct dispatch_body body = {.payload = "args", .payload_len = 4};
	uint64_t epoch = 0;

	*task = (struct rig_task){.outcome = CADRE_OUTCOME_NONE};
	assert_int_equal(dispatch_everywhere(rig->d, &spec, &body, task,
					     rig->now, &epoch),
			 0);
	return epoch;
}

static void
report(struct rig *rig, struct rig_peer *p, uint64_t epoch, uint32_t slot,
       enum cadre_outcome code)
{
	struct wire_frame f = {.type = WIRE_EPOCH,
			       .task = epoch,
			       .slot = slot,
			       .code = (uint8_t)code};
	struct buf b;

	buf_init(&b, 256);
	if (code != CADRE_OUTCOME_VALUE)
		wire_put_str(&b, WIRE_TAG_MESSAGE, "no such library");
	f.fields = b.data;
	f.fields_len = b.len;
	assert_int_equal(rig_frame(rig, p, f), 0);
	buf_fini(&b);
}

static void
everywhere_waits_for_all_slots(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q, c, late;
	struct rig_task t;
	const struct wire_frame *f;
	uint64_t e;

	rig_daemon(rig, &p, RIG_NATIVE, 2);
	rig_daemon(rig, &q, RIG_ANY, 1);
	rig_daemon(rig, &c, RIG_COMMAND, 1);
	e = everywhere(rig, 0, &t);
	assert_null(rig_take(rig, &c, WIRE_EVERYWHERE));
	assert_non_null(rig_take(rig, &q, WIRE_EVERYWHERE));
	f = rig_take(rig, &p, WIRE_EVERYWHERE);
	assert_non_null(f);
	assert_int_equal(f->task, e);
	assert_memory_equal(f->payload, "args", 4);
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
	report(rig, &q, e, 0, CADRE_OUTCOME_VALUE);
	/* Who comes later has to do it, but is not waited for. */
	rig_daemon(rig, &late, RIG_NATIVE, 1);
	f = rig_take(rig, &late, WIRE_EVERYWHERE);
	assert_non_null(f);
	report(rig, &late, e, 0, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	report(rig, &p, e, 1, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(t.attempts, 3);
	/* A respawned worker does it again: nobody is told. */
	report(rig, &p, e, 1, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
}

static void
a_lost_slot_is_not_waited_for(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q;
	struct rig_task t, u;
	uint64_t e, e2;

	rig_daemon(rig, &p, RIG_NATIVE, 2);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	e = everywhere(rig, 0, &t);
	e2 = everywhere(rig, 0, &u);
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
	rig_slot(rig, &p, WIRE_SLOT_DOWN, 1);
	rig_slot(rig, &p, WIRE_SLOT_UP, 1);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	rig_lost(rig, &q);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(t.attempts, 1);
	/* Nobody has done the second one: the next to come decides. */
	rig_slot(rig, &p, WIRE_SLOT_DOWN, 0);
	rig_assert(&u, CADRE_OUTCOME_NONE);
	report(rig, &p, e, 1, CADRE_OUTCOME_VALUE);
	rig_assert(&u, CADRE_OUTCOME_NONE);
	report(rig, &p, e2, 1, CADRE_OUTCOME_VALUE);
	rig_assert(&u, CADRE_OUTCOME_VALUE);
}

static void
a_failing_slot_is_held(void **state)
{
	struct rig *rig = *state;
	struct cadre_daemon_status s;
	struct rig_peer p;
	struct rig_task t, work;
	uint64_t e;

	rig_daemon(rig, &p, RIG_NATIVE, 2);
	e = everywhere(rig, 0, &t);
	report(rig, &p, e, 0, CADRE_OUTCOME_ERROR);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	report(rig, &p, e, 1, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_ERROR);
	assert_true(t.with_result);
	assert_int_equal(t.slot, 0);
	dispatch_status(rig->d, rig->now, &s, 1);
	assert_true(s.held);
	assert_string_equal(s.note, "no such library");
	rig_native(rig, &work);
	assert_int_equal(rig_expect_task(rig, &p, &work).slot, 1);
	rig_native(rig, &work);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_slot(rig, &p, WIRE_SLOT_DOWN, 0);
	dispatch_status(rig->d, rig->now, &s, 1);
	assert_true(s.held);
	rig_slot(rig, &p, WIRE_SLOT_UP, 0);
	rig_expect_task(rig, &p, &work);
	dispatch_status(rig->d, rig->now, &s, 1);
	assert_false(s.held);
}

static void
the_first_to_come_ends_an_early_call(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q;
	struct rig_task t, once;
	uint64_t e, e2;

	e = everywhere(rig, 0, &t);
	e2 = everywhere(rig, WIRE_ONCE, &once);
	/* Reported before the slot is up: its worker does them first. */
	assert_int_equal(
		rig_connect(rig, &p, WIRE_ROLE_DAEMON, RIG_NATIVE, 1, 0), 0);
	assert_int_equal(rig_untaken(rig, &p, WIRE_EVERYWHERE), 2);
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(t.attempts, 1);
	rig_assert(&once, CADRE_OUTCOME_NONE);
	report(rig, &p, e2, 0, CADRE_OUTCOME_VALUE);
	rig_assert(&once, CADRE_OUTCOME_VALUE);
	rig_slot(rig, &p, WIRE_SLOT_UP, 0);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	assert_int_equal(rig_untaken(rig, &q, WIRE_EVERYWHERE), 1);
}

static void
once_is_not_for_those_who_come_later(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q;
	struct rig_task t;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	everywhere(rig, WIRE_ONCE, &t);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	assert_null(rig_take(rig, &q, WIRE_EVERYWHERE));
	rig_lost(rig, &p);
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_non_null(strstr(t.message, "every slot"));
}

static void
reset_forgets_the_epochs(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q, host;
	struct rig_task t, u;
	uint64_t e;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	e = everywhere(rig, 0, &t);
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
	everywhere(rig, 0, &u);
	host_up(rig, &host);
	assert_int_equal(
		rig_frame(rig, &host, (struct wire_frame){.type = WIRE_RESET}),
		0);
	rig_assert(&u, CADRE_OUTCOME_CANCELLED);
	assert_non_null(rig_take(rig, &p, WIRE_RESET));
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	assert_null(rig_take(rig, &q, WIRE_EVERYWHERE));
	report(rig, &p, e, 0, CADRE_OUTCOME_VALUE);
}

static void
hosts_call_everywhere(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, host;
	const struct wire_frame *o;
	struct buf b;
	uint64_t epoch;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	host_up(rig, &host);
	begin_fields(&b, WIRE_ENGINE_NATIVE);
	assert_int_equal(send_fields(rig, &host, WIRE_EVERYWHERE, 9, &b), 0);
	epoch = rig_take(rig, &p, WIRE_EVERYWHERE)->task;
	report(rig, &p, epoch, 0, CADRE_OUTCOME_VALUE);
	o = expect_outcome(rig, &host, 9, CADRE_OUTCOME_VALUE);
	assert_int_equal(wire_u64(o, WIRE_TAG_ATTEMPTS, 0), 1);

	begin_fields(&b, WIRE_ENGINE_NATIVE);
	assert_int_equal(send_fields(rig, &host, WIRE_EVERYWHERE, 9, &b), 0);
	epoch = rig_take(rig, &p, WIRE_EVERYWHERE)->task;
	assert_int_equal(
		rig_frame(rig, &host,
			  (struct wire_frame){.type = WIRE_CANCEL, .task = 9}),
		0);
	expect_outcome(rig, &host, 9, CADRE_OUTCOME_CANCELLED);
	report(rig, &p, epoch, 0, CADRE_OUTCOME_VALUE);
	assert_null(rig_take(rig, &host, WIRE_OUTCOME));

	begin_fields(&b, 60);
	assert_int_equal(send_fields(rig, &host, WIRE_EVERYWHERE, 9, &b), 0);
	expect_outcome(rig, &host, 9, CADRE_OUTCOME_ERROR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_hosts_task_goes_all_the_way),
		RIG_TEST(equal_fields_are_shared),
		RIG_TEST(hosts_cancel_by_their_number),
		RIG_TEST(malformed_tasks_are_outcomes),
		RIG_TEST(graphs_of_hosts),
		RIG_TEST(a_lost_host_takes_its_tasks_along),
		RIG_TEST(requests_are_passed_on),
		RIG_TEST(hosts_remove_slots),
		RIG_TEST(info_and_status_are_values),
		RIG_TEST(everywhere_waits_for_all_slots),
		RIG_TEST(a_lost_slot_is_not_waited_for),
		RIG_TEST(a_failing_slot_is_held),
		RIG_TEST(the_first_to_come_ends_an_early_call),
		RIG_TEST(once_is_not_for_those_who_come_later),
		RIG_TEST(reset_forgets_the_epochs),
		RIG_TEST(hosts_call_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
