/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "test_dispatch_rig.h"

/* Tasks: queue, retries, deadlines, cancelling, graphs. */

static void
a_task_goes_all_the_way(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p;
	struct rig_task t;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	assert_int_equal(t.id, 1);
	f = rig_expect_task(rig, &p, &t);
	assert_int_equal(f.attempt, 1);
	assert_int_equal(f.slot, 0);
	assert_int_equal(f.incarnation, p.incarnation);
	assert_memory_equal(f.payload, "pay", 3);
	assert_int_equal(dispatch_state(rig->d, t.id), CADRE_ASSIGNED);
	rig_started(rig, &p, &f);
	assert_int_equal(dispatch_state(rig->d, t.id), CADRE_STARTED);
	assert_int_equal(rig_info(rig).executing, 1);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	assert_int_equal(t.attempts, 1);
	assert_int_equal(t.incarnation, p.incarnation);
	assert_true(t.with_result);
	assert_int_equal(dispatch_state(rig->d, t.id), CADRE_DONE);
	assert_int_equal(rig_info(rig).completed, 1);
	assert_int_equal(rig_info(rig).failed, 0);
	rig_command(rig, &t);
	assert_int_equal(t.id, 2);
}

static void
what_is_not_current_is_refused(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p, q;
	struct rig_task t, u;
	struct wire_frame f, g;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	g = f;
	g.attempt = 2;
	rig_result(rig, &p, &g, CADRE_OUTCOME_VALUE);
	g = f;
	g.slot = 1;
	rig_result(rig, &p, &g, CADRE_OUTCOME_VALUE);
	g = f;
	g.task = 99;
	rig_result(rig, &p, &g, CADRE_OUTCOME_VALUE);
	g = f;
	g.incarnation = q.incarnation;
	rig_result(rig, &q, &g, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	assert_int_equal(rig_info(rig).refused, 4);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	/* Again, and for a task that waits in the queue. */
	rig_result(rig, &p, &f, CADRE_OUTCOME_ERROR);
	rig_command(rig, &t);
	rig_command(rig, &u);
	f = rig_expect_task(rig, &p, &t);
	f.task = u.id;
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&u, CADRE_OUTCOME_NONE);
	assert_int_equal(rig_info(rig).refused, 6);
}

static void
first_come_first_served_by_priority(void **state)
{
	static const int32_t priority[] = {0, 0, 5, -5, 5, 0, 1000};
	static const size_t order[] = {6, 2, 4, 0, 1, 5, 3};
	enum { N = sizeof(order) / sizeof(order[0]) };
	struct rig *rig = *state;
	struct rig_task t[N];
	struct rig_peer p;

	for (size_t i = 0; i < N; i++) {
		struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);

		spec.priority = priority[i];
		/* Another class of the same priority. */
		spec.cores = i == 1 ? 2 : 1;
		rig_submit(rig, &spec, &t[i]);
	}
	rig_daemon(rig, &p, RIG_ANY, 1);
	for (size_t i = 0; i < N; i++) {
		struct wire_frame f = rig_expect_task(rig, &p, &t[order[i]]);

		assert_null(rig_take(rig, &p, WIRE_TASK));
		rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	}
}

static void
a_daemon_gets_what_its_engines_can_run(void **state)
{
	struct rig *rig = *state;
	struct rig_peer c, n;
	struct rig_task command, native, r;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_R, 0);

	rig_submit(rig, &spec, &r);
	rig_native(rig, &native);
	rig_command(rig, &command);
	rig_daemon(rig, &c, RIG_COMMAND, 2);
	rig_expect_task(rig, &c, &command);
	rig_daemon(rig, &n, RIG_NATIVE, 1);
	rig_expect_task(rig, &n, &native);
	assert_null(rig_take(rig, &c, WIRE_TASK));
	assert_int_equal(dispatch_state(rig->d, r.id), CADRE_READY);
	rig_daemon(rig, &c, RIG_R | RIG_ANY, 1);
	rig_expect_task(rig, &c, &r);
}

static void
many_classes_keep_the_order(void **state)
{
	enum { N = 1000 };
	struct rig *rig = *state;
	struct rig_task *t = calloc(N, sizeof(*t));
	struct rig_peer p;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);

	assert_non_null(t);
	for (uint32_t i = 0; i < N; i++) {
		spec.cores = i * 7919 % 101;
		spec.priority = (int32_t)(i % 3);
		rig_submit(rig, &spec, &t[i]);
	}
	/* Some leave from the middle and the ends of their queues. */
	for (uint32_t i = 0; i < N; i += 5)
		rig_cancel(rig, &t[i]);
	rig_daemon(rig, &p, RIG_ANY, 1);
	for (uint32_t level = 3; level > 0; level--) {
		for (uint32_t i = 0; i < N; i++) {
			struct wire_frame f;

			if (i % 3 != level - 1 || i % 5 == 0)
				continue;
			f = rig_expect_task(rig, &p, &t[i]);
			rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
		}
	}
	free(t);
}

static void
cancelled_in_the_queue(void **state)
{
	struct rig *rig = *state;
	struct rig_task t, u;
	struct rig_peer p;

	rig_command(rig, &t);
	rig_command(rig, &u);
	rig_cancel(rig, &t);
	assert_int_equal(dispatch_cancel(rig->d, t.id, rig->now), CADRE_ENOENT);
	assert_int_equal(dispatch_cancel(rig->d, 99, rig->now), CADRE_ENOENT);
	rig_daemon(rig, &p, RIG_ANY, 2);
	rig_expect_task(rig, &p, &u);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	assert_int_equal(rig_info(rig).failed, 1);
}

static void
a_cancelled_attempt_fills_its_slot(void **state)
{
	struct rig *rig = *state;
	struct rig_task t, u;
	struct rig_peer p;
	struct wire_frame f;
	const struct wire_frame *c;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_started(rig, &p, &f);
	rig_cancel(rig, &t);
	assert_int_equal(t.attempts, 1);
	c = rig_take(rig, &p, WIRE_CANCEL);
	assert_non_null(c);
	assert_int_equal(c->task, t.id);
	assert_int_equal(c->attempt, f.attempt);
	assert_int_equal(c->code, WIRE_CANCEL_USER);
	assert_int_equal(dispatch_state(rig->d, t.id), CADRE_DONE);
	assert_int_equal(rig_info(rig).executing, 0);
	rig_command(rig, &u);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	assert_int_equal(rig_info(rig).refused, 1);
	rig_assert(&t, CADRE_OUTCOME_CANCELLED);
	rig_expect_task(rig, &p, &u);
	/* The same when it is handed back instead. */
	f = (struct wire_frame){
		.task = u.id, .attempt = 1, .incarnation = p.incarnation};
	rig_cancel(rig, &u);
	rig_command(rig, &t);
	rig_returned(rig, &p, &f, WIRE_RETURNED_UNSTARTED);
	rig_expect_task(rig, &p, &t);
}

static void
deadlines_pass_in_every_state(void **state)
{
	struct rig *rig = *state;
	struct rig_task waiting, ready, assigned, late;
	struct rig_peer p;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	const struct wire_frame *c;
	struct wire_frame f;

	rig->cfg.heartbeat_ms = 0;
	rig_restart(rig);
	rig_daemon(rig, &p, RIG_ANY, 1);
	assert_true(dispatch_deadline(rig->d) == UINT64_MAX);
	spec.deadline_ms = 300;
	rig_submit(rig, &spec, &assigned);
	spec.deadline_ms = 100;
	rig_submit(rig, &spec, &ready);
	spec.deadline_ms = 200;
	spec.after = &ready.id;
	spec.after_n = 1;
	spec.after_failed = CADRE_AFTER_RUN;
	rig_submit(rig, &spec, &waiting);
	spec.deadline_ms = 250;
	spec.after = &assigned.id;
	rig_submit(rig, &spec, &late);
	assert_int_equal(dispatch_deadline(rig->d), rig->now + 100);
	rig_tick(rig, 99);
	rig_assert(&ready, CADRE_OUTCOME_NONE);
	rig_tick(rig, 1);
	rig_assert(&ready, CADRE_OUTCOME_TIMEOUT);
	assert_int_equal(ready.attempts, 0);
	assert_int_equal(dispatch_state(rig->d, waiting.id), CADRE_READY);
	rig_tick(rig, 100);
	rig_assert(&waiting, CADRE_OUTCOME_TIMEOUT);
	rig_tick(rig, 50);
	rig_assert(&late, CADRE_OUTCOME_TIMEOUT);
	f = rig_expect_task(rig, &p, &assigned);
	rig_tick(rig, 50);
	rig_assert(&assigned, CADRE_OUTCOME_TIMEOUT);
	c = rig_take(rig, &p, WIRE_CANCEL);
	assert_non_null(c);
	assert_int_equal(c->code, WIRE_CANCEL_TIMEOUT);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	assert_int_equal(rig_info(rig).refused, 1);
	assert_true(dispatch_deadline(rig->d) == UINT64_MAX);
}

static void
finished_tasks_leave_no_deadline(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[64];
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);

	for (size_t i = 0; i < 64; i++) {
		spec.deadline_ms = 1000 + i * 37 % 64;
		rig_submit(rig, &spec, &t[i]);
	}
	for (size_t i = 0; i < 64; i += 2)
		rig_cancel(rig, &t[i]);
	for (size_t ms = 1; ms <= 1063; ms++) {
		rig_tick(rig, 1);
		for (size_t i = 1; i < 64; i += 2)
			assert_int_equal(t[i].resolved,
					 ms >= 1000 + i * 37 % 64);
	}
}

struct retry_case {
	enum cadre_outcome code;
	enum dispatch_cause cause;
	bool at_head;
};

static void
retries_by_cause(void **state)
{
	static const struct retry_case cases[] = {
		{CADRE_OUTCOME_ERROR, DISPATCH_ERROR, false},
		{CADRE_OUTCOME_EXIT, DISPATCH_EXIT, false},
		{CADRE_OUTCOME_TIMEOUT, DISPATCH_TIMEOUT, false},
		{CADRE_OUTCOME_LOST, DISPATCH_CRASH, true},
	};
	struct rig *rig = *state;
	struct rig_peer p;

	rig_daemon(rig, &p, RIG_ANY, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
		struct rig_task t, other;
		uint64_t retried = rig_info(rig).retried;
		struct wire_frame f;

		/* The default is not to try again. */
		rig_submit(rig, &spec, &t);
		f = rig_expect_task(rig, &p, &t);
		rig_result(rig, &p, &f, cases[i].code);
		rig_assert(&t, cases[i].code);
		assert_true(t.with_result);

		spec.retry[cases[i].cause] = 1;
		spec.retry_set[cases[i].cause] = true;
		rig_submit(rig, &spec, &t);
		rig_command(rig, &other);
		f = rig_expect_task(rig, &p, &t);
		rig_result(rig, &p, &f, cases[i].code);
		if (!cases[i].at_head) {
			f = rig_expect_task(rig, &p, &other);
			rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
		}
		f = rig_expect_task(rig, &p, &t);
		assert_int_equal(f.attempt, 2);
		assert_int_equal(rig_info(rig).retried, retried + 1);
		rig_result(rig, &p, &f, cases[i].code);
		rig_assert(&t, cases[i].code);
		assert_int_equal(t.attempts, 2);
		if (cases[i].at_head) {
			f = rig_expect_task(rig, &p, &other);
			rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
		}
		rig_assert(&other, CADRE_OUTCOME_VALUE);
	}
}

static void
each_cause_has_its_own_limit(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_peer p;
	struct rig_task t;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	spec.retry[DISPATCH_ERROR] = 1;
	spec.retry_set[DISPATCH_ERROR] = true;
	spec.retry[DISPATCH_EXIT] = DISPATCH_UNLIMITED;
	spec.retry_set[DISPATCH_EXIT] = true;
	rig_submit(rig, &spec, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_result(rig, &p, &f, CADRE_OUTCOME_ERROR);
	for (int i = 0; i < 50; i++) {
		f = rig_expect_task(rig, &p, &t);
		rig_result(rig, &p, &f, CADRE_OUTCOME_EXIT);
	}
	f = rig_expect_task(rig, &p, &t);
	rig_result(rig, &p, &f, CADRE_OUTCOME_ERROR);
	rig_assert(&t, CADRE_OUTCOME_ERROR);
	assert_int_equal(t.attempts, 52);
}

static void
interrupts_are_not_retried(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_peer p;
	struct rig_task t;
	struct wire_frame f;

	for (size_t i = 0; i < DISPATCH_CAUSES; i++) {
		spec.retry[i] = DISPATCH_UNLIMITED;
		spec.retry_set[i] = true;
	}
	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_submit(rig, &spec, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_result(rig, &p, &f, CADRE_OUTCOME_INTERRUPT);
	rig_assert(&t, CADRE_OUTCOME_INTERRUPT);
	assert_int_equal(rig_info(rig).failed, 1);
}

static void
a_task_that_kills_is_stopped_and_named(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_peer p;
	struct rig_task t;
	struct wire_frame f;

	spec.retry[DISPATCH_CRASH] = DISPATCH_UNLIMITED;
	spec.retry_set[DISPATCH_CRASH] = true;
	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_submit(rig, &spec, &t);
	for (int i = 0; i < DISPATCH_POISON; i++) {
		rig_assert(&t, CADRE_OUTCOME_NONE);
		f = rig_expect_task(rig, &p, &t);
		rig_result(rig, &p, &f, CADRE_OUTCOME_LOST);
	}
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_non_null(strstr(t.message, "task 1 was stopped"));
	assert_non_null(strstr(t.message, "3 workers or daemons"));
}

static void
a_crash_says_where(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p;
	struct rig_task t;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_result(rig, &p, &f, CADRE_OUTCOME_LOST);
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_string_equal(t.message, "connection reset: its worker died on "
				       "node n1 (attempt 1)");
}

static void
dependants_wait_for_all(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task a, b, c;
	struct rig_peer p;
	struct wire_frame fa, fb;
	uint64_t ids[3];

	rig_daemon(rig, &p, RIG_ANY, 3);
	rig_command(rig, &a);
	rig_command(rig, &b);
	ids[0] = a.id;
	ids[1] = b.id;
	ids[2] = a.id;
	spec.after = ids;
	spec.after_n = 3;
	rig_submit(rig, &spec, &c);
	fa = rig_expect_task(rig, &p, &a);
	fb = rig_expect_task(rig, &p, &b);
	assert_int_equal(dispatch_state(rig->d, c.id), CADRE_WAITING);
	rig_result(rig, &p, &fb, CADRE_OUTCOME_VALUE);
	assert_int_equal(dispatch_state(rig->d, c.id), CADRE_WAITING);
	rig_result(rig, &p, &fa, CADRE_OUTCOME_VALUE);
	rig_expect_task(rig, &p, &c);
}

static void
failure_cancels_or_releases_dependants(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task a, b, doomed, child, stubborn;
	struct rig_peer p;
	struct wire_frame f;
	uint64_t ids[2];

	rig_daemon(rig, &p, RIG_COMMAND, 1);
	rig_command(rig, &a);
	rig_command(rig, &b);
	ids[0] = a.id;
	ids[1] = b.id;
	spec.after = ids;
	spec.after_n = 2;
	rig_submit(rig, &spec, &doomed);
	spec.after_failed = CADRE_AFTER_RUN;
	rig_submit(rig, &spec, &stubborn);
	spec.after_failed = CADRE_AFTER_CANCEL;
	spec.after = &doomed.id;
	spec.after_n = 1;
	rig_submit(rig, &spec, &child);
	f = rig_expect_task(rig, &p, &a);
	rig_result(rig, &p, &f, CADRE_OUTCOME_EXIT);
	rig_assert(&a, CADRE_OUTCOME_EXIT);
	rig_assert(&doomed, CADRE_OUTCOME_CANCELLED);
	assert_string_equal(doomed.message, "cancelled: task 1, which it waits "
					    "for, did not succeed");
	rig_assert(&child, CADRE_OUTCOME_CANCELLED);
	assert_non_null(strstr(child.message, "task 3,"));
	rig_assert(&stubborn, CADRE_OUTCOME_NONE);
	f = rig_expect_task(rig, &p, &b);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_expect_task(rig, &p, &stubborn);
}

static void
failures_are_remembered(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task good, bad, t;
	struct rig_peer p;
	struct wire_frame f;
	uint64_t ids[2];

	rig_daemon(rig, &p, RIG_COMMAND, 1);
	rig_command(rig, &good);
	f = rig_expect_task(rig, &p, &good);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_command(rig, &bad);
	f = rig_expect_task(rig, &p, &bad);
	rig_result(rig, &p, &f, CADRE_OUTCOME_ERROR);
	ids[0] = good.id;
	ids[1] = bad.id;
	spec.after = ids;
	spec.after_n = 1;
	rig_submit(rig, &spec, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	spec.after_n = 2;
	rig_submit(rig, &spec, &t);
	rig_assert(&t, CADRE_OUTCOME_CANCELLED);
	spec.after_failed = CADRE_AFTER_RUN;
	rig_submit(rig, &spec, &t);
	rig_expect_task(rig, &p, &t);
	/* One that waits for what is being cancelled fails at once as well. */
	rig_cancel(rig, &t);
	spec.after = &t.id;
	spec.after_n = 1;
	spec.after_failed = CADRE_AFTER_CANCEL;
	{
		struct rig_task u;

		rig_submit(rig, &spec, &u);
		rig_assert(&u, CADRE_OUTCOME_CANCELLED);
	}
}

/* Not for ever: a bounded number of pages of 512 ids. */
static void
the_oldest_failures_are_forgotten(void **state)
{
	enum { PAGES = 4096, IDS = 512 };
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task t;
	uint64_t id;

	for (id = 1; id < (PAGES + 1) * IDS; id++) {
		rig_command(rig, &t);
		assert_int_equal(dispatch_cancel(rig->d, t.id, rig->now), 0);
	}
	spec.after = &id;
	spec.after_n = 1;
	id = IDS;
	rig_submit(rig, &spec, &t);
	rig_assert(&t, CADRE_OUTCOME_CANCELLED);
	id = IDS - 1;
	rig_submit(rig, &spec, &t);
	rig_assert(&t, CADRE_OUTCOME_NONE);
}

static void
nobody_waits_for_what_never_was(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	const struct dispatch_body body = {.payload = NULL};
	uint64_t id = 7, after[] = {1, 0};

	spec.after = after;
	spec.after_n = 1;
	assert_int_equal(dispatch_submit(rig->d, &spec, &body, NULL, 1, &id),
			 CADRE_EINVAL);
	spec.after = after + 1;
	assert_int_equal(dispatch_submit(rig->d, &spec, &body, NULL, 1, &id),
			 CADRE_EINVAL);
	spec.after_n = 0;
	spec.engine = 9;
	assert_int_equal(dispatch_submit(rig->d, &spec, &body, NULL, 1, &id),
			 CADRE_EINVAL);
	assert_int_equal(id, 7);
}

static void
a_long_chain_falls_without_recursion(void **state)
{
	enum { N = 100000 };
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task *t = calloc(N, sizeof(*t));

	assert_non_null(t);
	rig_command(rig, &t[0]);
	for (size_t i = 1; i < N; i++) {
		spec.after = &t[i - 1].id;
		spec.after_n = 1;
		rig_submit(rig, &spec, &t[i]);
	}
	assert_int_equal(rig_info(rig).awaiting, N);
	rig_cancel(rig, &t[0]);
	for (size_t i = 0; i < N; i++)
		rig_assert(&t[i], CADRE_OUTCOME_CANCELLED);
	assert_int_equal(rig_info(rig).awaiting, 0);
	free(t);
}

static void
one_waits_for_many_and_many_for_one(void **state)
{
	enum { N = 20000 };
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task *t = calloc(N, sizeof(*t)), join;
	uint64_t *ids = calloc(N, sizeof(*ids));
	struct rig_peer p;
	struct wire_frame f;

	assert_non_null(t);
	assert_non_null(ids);
	rig_command(rig, &t[0]);
	ids[0] = t[0].id;
	for (size_t i = 1; i < N; i++) {
		spec.after = ids;
		spec.after_n = 1;
		rig_submit(rig, &spec, &t[i]);
		ids[i] = t[i].id;
	}
	spec.after_n = N;
	spec.after_failed = CADRE_AFTER_RUN;
	rig_submit(rig, &spec, &join);
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_expect_task(rig, &p, &t[0]);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	for (size_t i = 2; i < N; i++)
		rig_cancel(rig, &t[i]);
	rig_assert(&join, CADRE_OUTCOME_NONE);
	f = rig_expect_task(rig, &p, &t[1]);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_expect_task(rig, &p, &join);
	free(ids);
	free(t);
}

static void
a_cancelled_dependant_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task a, b;
	struct rig_peer p;
	struct wire_frame f;

	rig_command(rig, &a);
	spec.after = &a.id;
	spec.after_n = 1;
	rig_submit(rig, &spec, &b);
	rig_cancel(rig, &b);
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_expect_task(rig, &p, &a);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&a, CADRE_OUTCOME_VALUE);
	rig_assert(&b, CADRE_OUTCOME_CANCELLED);
	assert_null(rig_take(rig, &p, WIRE_TASK));
}

static unsigned int released;

static void
on_release(struct blob *blob)
{
	(void)blob;
	released++;
}

static void
bodies_are_copied_or_referred_to(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task t = {.id = 0};
	struct rig_peer p;
	struct wire_frame f;
	char *big = malloc(100000);
	struct blob *fields = blob_wrap(big, 8, on_release, NULL);
	struct blob *owner = blob_wrap(big, 100000, on_release, NULL);
	struct dispatch_body body = {
		.fields = fields, .payload = big, .payload_len = 100000};

	assert_non_null(big);
	memset(big, 'x', 100000);
	released = 0;
	rig_daemon(rig, &p, RIG_ANY, 1);
	assert_int_equal(
		dispatch_submit(rig->d, &spec, &body, &t, rig->now, &t.id), 0);
	f = rig_expect_task(rig, &p, &t);
	assert_int_equal(f.fields_len, 8);
	assert_int_equal(f.payload_len, 100000);
	assert_non_null(f.owner);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	blob_unref(&fields);
	assert_int_equal(released, 1);
	body.fields = NULL;
	body.owner = owner;
	t = (struct rig_task){.id = 0};
	assert_int_equal(
		dispatch_submit(rig->d, &spec, &body, &t, rig->now, &t.id), 0);
	blob_unref(&owner);
	f = rig_expect_task(rig, &p, &t);
	assert_ptr_equal(f.owner, body.owner);
	assert_int_equal(released, 1);
	/* A cancelled task keeps no payload while its slot is busy. */
	rig_cancel(rig, &t);
	assert_int_equal(released, 2);
	free(big);
}

static void
a_queued_task_is_small(void **state)
{
	(void)state;
	assert_true(dispatch_task_overhead() <= 170);
}

static void
the_end_closes_what_is_open(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task running, ready, waiting, ghost;
	struct rig_peer p;

	rig_daemon(rig, &p, RIG_ANY, 2);
	rig_command(rig, &running);
	rig_command(rig, &ghost);
	rig_cancel(rig, &ghost);
	rig_command(rig, &ready);
	spec.after = &running.id;
	spec.after_n = 1;
	spec.deadline_ms = 1000;
	rig_submit(rig, &spec, &waiting);
	dispatch_free(&rig->d);
	assert_null(rig->d);
	rig_assert(&running, CADRE_OUTCOME_CLOSED);
	rig_assert(&ready, CADRE_OUTCOME_CLOSED);
	rig_assert(&waiting, CADRE_OUTCOME_CLOSED);
	rig_assert(&ghost, CADRE_OUTCOME_CANCELLED);
}

static void
specs_are_parsed(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame f = {.type = WIRE_SUBMIT, .flags = WIRE_WINDOW};
	struct dispatch_spec spec;
	uint64_t after[2];
	uint8_t retry[24];
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	wire_put_u64(&b, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_u64(&b, WIRE_TAG_TIMEOUT_MS, UINT64_MAX);
	wire_put_u64(&b, WIRE_TAG_DEADLINE_MS, 12);
	wire_put_u64(&b, WIRE_TAG_PRIORITY, (UINT64_C(1) << 31) - 3);
	for (uint32_t i = 0; i < 6; i++)
		store_u32(retry + 4 * i, i == 2 ? WIRE_RETRY_DEFAULT : 10 + i);
	wire_put_bytes(&b, WIRE_TAG_RETRY, retry, sizeof(retry));
	wire_put_u64(&b, WIRE_TAG_AFTER, 5);
	wire_put_u64(&b, WIRE_TAG_AFTER, 6);
	wire_put_u64(&b, WIRE_TAG_AFTER_FAILED, CADRE_AFTER_RUN);
	wire_put_u64(&b, WIRE_TAG_CORES, 4);
	wire_put_u64(&b, WIRE_TAG_MEMORY, UINT64_C(1) << 40);
	wire_put_u64(&b, WIRE_TAG_GPUS, 2);
	f.fields = b.data;
	f.fields_len = b.len;
	assert_int_equal(dispatch_spec_parse(&f, after, 2, &spec, &err), 0);
	assert_int_equal(spec.engine, WIRE_ENGINE_NATIVE);
	assert_int_equal(spec.flags, WIRE_WINDOW);
	assert_int_equal(spec.timeout_ms, UINT32_MAX);
	assert_int_equal(spec.deadline_ms, 12);
	assert_int_equal(spec.priority, -3);
	assert_int_equal(spec.retry[5], 15);
	assert_true(spec.retry_set[5]);
	assert_false(spec.retry_set[2]);
	assert_int_equal(spec.after_n, 2);
	assert_int_equal(spec.after[1], 6);
	assert_int_equal(spec.after_failed, CADRE_AFTER_RUN);
	assert_int_equal(spec.cores, 4);
	assert_true(spec.memory == UINT64_C(1) << 40);
	assert_int_equal(spec.gpus, 2);
	assert_int_equal(dispatch_spec_parse(&f, after, 1, &spec, &err),
			 CADRE_ETOOBIG);
	err.code = 0;
	buf_reset(&b);
	wire_put_u64(&b, WIRE_TAG_ENGINE, 77);
	f.fields_len = b.len;
	assert_int_equal(dispatch_spec_parse(&f, after, 2, &spec, &err),
			 CADRE_EINVAL);
	assert_non_null(strstr(err.text, "engine 77"));
	buf_fini(&b);
}

static void
tasks_for_an_engine_that_nobody_has(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_peer p, q;
	struct rig_task t, heir, stoic, r, late;

	rig->cfg.heartbeat_ms = 0;
	rig->cfg.idle_limit_ms = 1000;
	rig_restart(rig);
	rig_daemon(rig, &p, RIG_NATIVE, 1);
	rig_submit(rig, &spec, &t);
	spec.after = &t.id;
	spec.after_n = 1;
	rig_submit(rig, &spec, &heir);
	spec.after_failed = CADRE_AFTER_RUN;
	rig_submit(rig, &spec, &stoic);
	rig_tick(rig, 600);
	spec = rig_spec(WIRE_ENGINE_R, 0);
	rig_submit(rig, &spec, &r);
	assert_true(dispatch_deadline(rig->d) == rig->now + 400);
	rig_tick(rig, 399);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	rig_tick(rig, 1);
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_string_equal(t.message, "none of the daemons has offered the "
				       "engine \"command\" for 1 s");
	rig_assert(&heir, CADRE_OUTCOME_CANCELLED);
	rig_assert(&stoic, CADRE_OUTCOME_LOST);
	rig_assert(&r, CADRE_OUTCOME_NONE);
	assert_true(dispatch_deadline(rig->d) == rig->now + 600);

	/* One with the engine comes in time. */
	rig_command(rig, &late);
	rig_tick(rig, 500);
	rig_daemon(rig, &q, RIG_COMMAND, 1);
	(void)rig_expect_task(rig, &q, &late);
	/* One that is on its way may have it. */
	dispatch_expect(rig->d, 1, rig->now);
	assert_true(dispatch_deadline(rig->d) == UINT64_MAX);
	rig_tick(rig, 5000);
	rig_assert(&r, CADRE_OUTCOME_NONE);
	dispatch_expect(rig->d, 0, rig->now);
	rig_tick(rig, 1000);
	rig_assert(&r, CADRE_OUTCOME_LOST);
	rig_assert(&late, CADRE_OUTCOME_NONE);
	rig_cancel(rig, &late);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_task_goes_all_the_way),
		RIG_TEST(what_is_not_current_is_refused),
		RIG_TEST(first_come_first_served_by_priority),
		RIG_TEST(a_daemon_gets_what_its_engines_can_run),
		RIG_TEST(tasks_for_an_engine_that_nobody_has),
		RIG_TEST(many_classes_keep_the_order),
		RIG_TEST(cancelled_in_the_queue),
		RIG_TEST(a_cancelled_attempt_fills_its_slot),
		RIG_TEST(deadlines_pass_in_every_state),
		RIG_TEST(finished_tasks_leave_no_deadline),
		RIG_TEST(retries_by_cause),
		RIG_TEST(each_cause_has_its_own_limit),
		RIG_TEST(interrupts_are_not_retried),
		RIG_TEST(a_task_that_kills_is_stopped_and_named),
		RIG_TEST(a_crash_says_where),
		RIG_TEST(dependants_wait_for_all),
		RIG_TEST(failure_cancels_or_releases_dependants),
		RIG_TEST(failures_are_remembered),
		RIG_TEST(the_oldest_failures_are_forgotten),
		RIG_TEST(nobody_waits_for_what_never_was),
		RIG_TEST(a_long_chain_falls_without_recursion),
		RIG_TEST(one_waits_for_many_and_many_for_one),
		RIG_TEST(a_cancelled_dependant_is_forgotten),
		RIG_TEST(bodies_are_copied_or_referred_to),
		RIG_TEST(a_queued_task_is_small),
		RIG_TEST(the_end_closes_what_is_open),
		RIG_TEST(specs_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
