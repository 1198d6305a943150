/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "test_dispatch_rig.h"

/* Daemons: what is lost with them, windows, heartbeats, coming and going. */

static void
not_begun_is_ready_again_at_the_head(void **state)
{
	struct rig *rig = *state;
	struct rig_task a, b, c;
	struct rig_peer p, q;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 2);
	rig_command(rig, &a);
	rig_command(rig, &b);
	rig_command(rig, &c);
	rig_expect_task(rig, &p, &a);
	rig_expect_task(rig, &p, &b);
	rig_lost(rig, &p);
	assert_int_equal(rig_info(rig).slots, 0);
	assert_int_equal(rig_info(rig).connections, 0);
	rig_daemon(rig, &q, RIG_ANY, 1);
	f = rig_take(rig, &q, WIRE_TASK)[0];
	assert_true(f.task == a.id || f.task == b.id);
	assert_int_equal(f.attempt, 2);
	rig_result(rig, &q, &f, CADRE_OUTCOME_VALUE);
	f = rig_take(rig, &q, WIRE_TASK)[0];
	rig_result(rig, &q, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&a, CADRE_OUTCOME_VALUE);
	rig_assert(&b, CADRE_OUTCOME_VALUE);
	/* The attempt that never began does not count. */
	assert_int_equal(a.attempts, 1);
	rig_expect_task(rig, &q, &c);
	assert_int_equal(rig_info(rig).retried, 0);
}

static void
started_follows_the_retry_policy(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer p;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_started(rig, &p, &f);
	rig_lost(rig, &p);
	/* Once more by default, then not. */
	rig_assert(&t, CADRE_OUTCOME_NONE);
	assert_int_equal(rig_info(rig).retried, 1);
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_expect_task(rig, &p, &t);
	rig_started(rig, &p, &f);
	rig_lost(rig, &p);
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_int_equal(t.attempts, 2);
	assert_false(t.with_result);
	assert_string_equal(t.message,
			    "connection reset: its daemon was lost on node n1 "
			    "(attempt 2): it was killed");
}

static void
maybe_started_needs_idempotence(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_NATIVE, WIRE_WINDOW);
	struct rig_task safe, unsafe, plain;
	struct rig_peer p, q;

	rig_daemon(rig, &p, RIG_ANY, 3);
	rig_native(rig, &safe);
	rig_submit(rig, &spec, &unsafe);
	spec.flags = WIRE_IDEMPOTENT;
	rig_submit(rig, &spec, &plain);
	rig_lost(rig, &p);
	rig_assert(&safe, CADRE_OUTCOME_NONE);
	rig_assert(&unsafe, CADRE_OUTCOME_LOST);
	assert_non_null(strstr(unsafe.message, "daemon was lost on node n1"));
	rig_assert(&plain, CADRE_OUTCOME_NONE);
	rig_daemon(rig, &q, RIG_ANY, 2);
	assert_int_equal(rig_untaken(rig, &q, WIRE_TASK), 2);
}

static void
a_lost_slot_is_like_a_lost_daemon(void **state)
{
	struct rig *rig = *state;
	struct rig_task a, b;
	struct rig_peer p;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 2);
	rig_command(rig, &a);
	rig_command(rig, &b);
	f = rig_take(rig, &p, WIRE_TASK)[0];
	rig_take(rig, &p, WIRE_TASK);
	rig_slot(rig, &p, WIRE_SLOT_DOWN, f.slot);
	assert_int_equal(rig_info(rig).slots, 1);
	assert_int_equal(dispatch_state(rig->d, f.task), CADRE_READY);
	/* What it still says of that attempt is refused. */
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	assert_int_equal(rig_info(rig).refused, 1);
	rig_slot(rig, &p, WIRE_SLOT_DOWN, f.slot);
	rig_slot(rig, &p, WIRE_SLOT_UP, f.slot);
	assert_int_equal(rig_info(rig).slots, 2);
	rig_expect_task(rig, &p, f.task == a.id ? &a : &b);
}

static void
tasks_that_lose_daemons_are_stopped(void **state)
{
	struct rig *rig = *state;
	struct rig_task killer, other;
	struct rig_peer p;
	struct wire_frame f;

	rig_native(rig, &killer);
	for (int i = 0; i < DISPATCH_POISON; i++) {
		rig_assert(&killer, CADRE_OUTCOME_NONE);
		rig_daemon(rig, &p, RIG_ANY, 1);
		f = rig_expect_task(rig, &p, &killer);
		if (i == 0)
			rig_native(rig, &other);
		rig_lost(rig, &p);
	}
	rig_assert(&killer, CADRE_OUTCOME_LOST);
	assert_non_null(strstr(killer.message, "task 1 was stopped"));
	rig_daemon(rig, &p, RIG_ANY, 1);
	f = rig_expect_task(rig, &p, &other);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
}

static void
handed_back(void **state)
{
	struct rig *rig = *state;
	struct rig_task a, b;
	struct rig_peer p;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &a);
	rig_command(rig, &b);
	f = rig_expect_task(rig, &p, &a);
	rig_returned(rig, &p, &f, WIRE_RETURNED_UNSTARTED);
	f = rig_expect_task(rig, &p, &a);
	assert_int_equal(f.attempt, 2);
	rig_started(rig, &p, &f);
	for (int i = 0; i < 20; i++) {
		/* Told to leave: again and again, at the head. */
		rig_returned(rig, &p, &f, WIRE_RETURNED_STARTED);
		f = rig_expect_task(rig, &p, &a);
	}
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&a, CADRE_OUTCOME_VALUE);
	assert_int_equal(a.attempts, 21);
	f = rig_expect_task(rig, &p, &b);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_returned(rig, &p, &f, WIRE_RETURNED_STARTED);
	assert_int_equal(rig_info(rig).refused, 1);
}

static void
leaving_limits_may_be_set(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task t;
	struct rig_peer p;
	struct wire_frame f;

	spec.retry_set[DISPATCH_LEAVE] = true;
	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_submit(rig, &spec, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_returned(rig, &p, &f, WIRE_RETURNED_STARTED);
	rig_assert(&t, CADRE_OUTCOME_LOST);
	assert_string_equal(t.message, "connection reset: its daemon had to "
				       "leave on node n1 (attempt 1)");
}

static void
one_each_before_windows(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[40];
	struct rig_peer p;
	unsigned int seen = 0;

	rig_daemon(rig, &p, RIG_NATIVE, 4);
	for (size_t i = 0; i < 4; i++) {
		rig_native(rig, &t[i]);
		seen |= 1u << rig_expect_task(rig, &p, &t[i]).slot;
	}
	assert_int_equal(seen, 15);
	/* No window before anything was measured. */
	rig_native(rig, &t[4]);
	assert_null(rig_take(rig, &p, WIRE_TASK));
}

/* One slot whose window has grown on short tasks, and more of them ready. */
static size_t
warm_up(struct rig *rig, struct rig_peer *p, struct rig_task *t, size_t n,
	uint64_t wall_ns, size_t results)
{
	size_t load = 0;

	for (size_t i = 0; i < n; i++)
		rig_native(rig, &t[i]);
	for (size_t i = 0; i < results; i++) {
		const struct wire_frame *f = rig_take(rig, p, WIRE_TASK);

		assert_non_null(f);
		rig_result_ns(rig, p, f, CADRE_OUTCOME_VALUE, wall_ns);
	}
	load = rig_untaken(rig, p, WIRE_TASK);
	return load;
}

static void
windows_grow_while_tasks_are_short(void **state)
{
	struct rig *rig = *state;
	struct rig_task *t = calloc(3000, sizeof(*t));
	struct rig_peer p;

	assert_non_null(t);
	rig->cfg.window = 99;
	rig_restart(rig);
	rig_daemon(rig, &p, RIG_NATIVE, 1);
	assert_int_equal(warm_up(rig, &p, t, 3000, 1000, 1), 2);
	assert_int_equal(warm_up(rig, &p, t, 0, 1000, 1), 4);
	assert_int_equal(warm_up(rig, &p, t, 0, 1000, 1), 8);
	/* Up to what is set. */
	assert_int_equal(warm_up(rig, &p, t, 0, 1000, 20), 100);
	/* Up to 2 ms of work, then nothing at once. */
	assert_int_equal(warm_up(rig, &p, t, 0, 40000, 100), 51);
	assert_int_equal(warm_up(rig, &p, t, 0, 3000000, 20), 31);
	assert_int_equal(warm_up(rig, &p, t, 0, 3000000, 31), 1);
	/* Results without a time count as short. */
	assert_true(warm_up(rig, &p, t, 0, 0, 60) > 1);
	free(t);
}

static void
windows_need_demand_and_consent(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_NATIVE, 0);
	struct rig_task t[20];
	struct rig_peer p;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(warm_up(rig, &p, t + i, 1, 100, 1), 0);
	rig_native(rig, &t[10]);
	rig_native(rig, &t[11]);
	f = rig_expect_task(rig, &p, &t[10]);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_result_ns(rig, &p, &f, CADRE_OUTCOME_VALUE, 100);
	f = rig_expect_task(rig, &p, &t[11]);
	/* One that takes no windows stays out of the window that there is. */
	rig_submit(rig, &spec, &t[12]);
	rig_native(rig, &t[13]);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_result_ns(rig, &p, &f, CADRE_OUTCOME_VALUE, 100);
	/* And nothing waits behind it. */
	f = rig_expect_task(rig, &p, &t[12]);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_result_ns(rig, &p, &f, CADRE_OUTCOME_VALUE, 100);
	rig_expect_task(rig, &p, &t[13]);
}

static void
no_windows_if_none_are_wanted(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[30];
	struct rig_peer p;

	rig->cfg.window = 0;
	rig_restart(rig);
	rig_daemon(rig, &p, RIG_NATIVE, 1);
	assert_int_equal(warm_up(rig, &p, t, 30, 100, 20), 1);
}

static void
a_window_behind_a_long_task_is_recalled(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[30];
	struct rig_peer p, q;
	struct wire_frame f, first;
	const struct wire_frame *r;
	size_t load;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	load = warm_up(rig, &p, t, 14, 1000, 6);
	assert_int_equal(load, 8);
	/* Nobody idles: nothing to do. */
	rig_tick(rig, 10);
	assert_null(rig_take(rig, &p, WIRE_RECALL));
	rig_daemon(rig, &q, RIG_COMMAND, 1);
	rig_tick(rig, 10);
	assert_null(rig_take(rig, &p, WIRE_RECALL));
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	assert_int_equal(dispatch_deadline(rig->d), rig->now + 2);
	rig_tick(rig, 2);
	r = rig_take(rig, &p, WIRE_RECALL);
	assert_non_null(r);
	assert_int_equal(r->slot, 0);
	rig_tick(rig, 10);
	assert_null(rig_take(rig, &p, WIRE_RECALL));
	first = rig_take(rig, &p, WIRE_TASK)[0];
	assert_int_equal(first.task, t[6].id);
	for (size_t i = 13; i >= 7; i--) {
		f = rig_expect_task(rig, &p, &t[20 - i]);
		f.task = t[i].id;
		f.attempt = 1;
		rig_returned(rig, &p, &f, WIRE_RETURNED_UNSTARTED);
	}
	/* The idle one gets one; its window is still closed. */
	f = rig_expect_task(rig, &q, &t[13]);
	assert_null(rig_take(rig, &q, WIRE_TASK));
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_result_ns(rig, &q, &f, CADRE_OUTCOME_VALUE, 1000000);
	f = rig_expect_task(rig, &q, &t[7]);
	rig_result_ns(rig, &p, &first, CADRE_OUTCOME_VALUE, 1000000);
	rig_expect_task(rig, &p, &t[8]);
}

static void
a_recalled_window_opens_again(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[40];
	struct rig_peer p, q;
	struct wire_frame f[14];

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	assert_int_equal(warm_up(rig, &p, t, 14, 1000, 6), 8);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	rig_tick(rig, 2);
	assert_non_null(rig_take(rig, &p, WIRE_RECALL));
	rig_lost(rig, &q);
	for (size_t i = 6; i < 14; i++)
		f[i] = rig_expect_task(rig, &p, &t[i]);
	for (size_t i = 13; i > 6; i--)
		rig_returned(rig, &p, &f[i], WIRE_RETURNED_UNSTARTED);
	rig_result_ns(rig, &p, &f[6], CADRE_OUTCOME_VALUE, 1000);
	/* All that was asked for is back. */
	assert_int_equal(warm_up(rig, &p, NULL, 0, 1000, 1), 4);
}

static void
tasks_found_long_are_recalled_at_once(void **state)
{
	struct rig *rig = *state;
	struct rig_task t[40];
	struct rig_peer p, q;
	const struct wire_frame *f;

	rig_daemon(rig, &p, RIG_NATIVE, 1);
	assert_int_equal(warm_up(rig, &p, t, 20, 1000, 6), 14);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	f = rig_take(rig, &p, WIRE_TASK);
	assert_null(rig_take(rig, &p, WIRE_RECALL));
	rig_result_ns(rig, &p, f, CADRE_OUTCOME_VALUE, 5000000);
	assert_non_null(rig_take(rig, &p, WIRE_RECALL));
}

static void
held_and_leaving_slots_get_nothing(void **state)
{
	struct rig *rig = *state;
	struct rig_task t, u;
	struct rig_peer p;
	struct cadre_daemon_status s;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 2);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	rig_slot(rig, &p, WIRE_LEAVING, 0);
	rig_command(rig, &u);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	assert_int_equal(dispatch_status(rig->d, rig->now, &s, 1), 1);
	assert_true(s.leaving);
	assert_int_equal(s.busy, 1);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
	assert_null(rig_take(rig, &p, WIRE_TASK));
	rig_slot(rig, &p, WIRE_SLOT_UP, 1);
	assert_null(rig_take(rig, &p, WIRE_TASK));
}

static void
daemons_are_asked_to_leave_idle_ones_first(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer busy, idle, more;

	rig_daemon(rig, &busy, RIG_COMMAND, 2);
	rig_command(rig, &t);
	rig_daemon(rig, &idle, RIG_NATIVE, 2);
	rig_daemon(rig, &more, RIG_NATIVE, 2);
	assert_int_equal(dispatch_leave(rig->d, 1, rig->now), 2);
	assert_int_equal(rig_untaken(rig, &busy, WIRE_LEAVE), 0);
	assert_int_equal(rig_untaken(rig, &idle, WIRE_LEAVE) +
				 rig_untaken(rig, &more, WIRE_LEAVE),
			 1);
	assert_int_equal(dispatch_leave(rig->d, 100, rig->now), 4);
	assert_int_equal(rig_untaken(rig, &busy, WIRE_LEAVE), 1);
	assert_int_equal(dispatch_leave(rig->d, 1, rig->now), 0);
}

static void
heartbeats(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer p, q, host;

	rig_daemon(rig, &p, RIG_COMMAND, 1);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	rig_connect(rig, &host, WIRE_ROLE_HOST, 0, 0, 0);
	rig_command(rig, &t);
	assert_int_equal(dispatch_deadline(rig->d), rig->now + 2000);
	rig_tick(rig, 1999);
	assert_null(rig_take(rig, &q, WIRE_HEARTBEAT));
	/* Only those that were told nothing else. */
	rig_cancel(rig, &t);
	rig_tick(rig, 1);
	assert_non_null(rig_take(rig, &q, WIRE_HEARTBEAT));
	assert_non_null(rig_take(rig, &host, WIRE_HEARTBEAT));
	assert_null(rig_take(rig, &p, WIRE_HEARTBEAT));
	rig_tick(rig, 2000);
	assert_non_null(rig_take(rig, &p, WIRE_HEARTBEAT));
	rig_frame(rig, &q, (struct wire_frame){.type = WIRE_HEARTBEAT});
	rig_tick(rig, 1999);
	assert_false(p.dropped);
	rig_tick(rig, 251);
	assert_true(p.dropped);
	assert_string_equal(p.reason, "not heard of for 3 heartbeats");
	assert_false(q.dropped);
	assert_false(host.dropped);
	assert_int_equal(rig_info(rig).connections, 1);
	rig_tick(rig, 4000);
	assert_true(q.dropped);
	rig_tick(rig, 40000);
	assert_false(host.dropped);
}

static void
a_frozen_daemon_is_found_in_time(void **state)
{
	struct rig *rig = *state;
	struct rig_peer p;
	uint64_t since = rig->now;

	rig_daemon(rig, &p, RIG_COMMAND, 1);
	while (!p.dropped) {
		uint64_t at = dispatch_deadline(rig->d);

		assert_true(at > rig->now && at != UINT64_MAX);
		rig_tick(rig, at - rig->now);
	}
	assert_in_range(rig->now - since, 6000, 7000);
}

static void
time_does_not_go_back(void **state)
{
	struct rig *rig = *state;
	struct cadre_daemon_status s;
	struct rig_peer p;

	rig_daemon(rig, &p, RIG_COMMAND, 1);
	rig_tick(rig, 2000);
	rig_frame(rig, &p, (struct wire_frame){.type = WIRE_HEARTBEAT});
	rig->now -= 5;
	assert_int_equal(dispatch_status(rig->d, rig->now, &s, 1), 1);
	assert_int_equal(s.seen_ms, 0);
	for (int i = 0; i < 10; i++)
		rig_tick(rig, 0);
	assert_false(p.dropped);
}

static void
who_comes_back_takes_its_own_place(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer p, q;
	struct wire_frame f, late;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	late = rig_expect_task(rig, &p, &t);
	assert_int_equal(rig_connect(rig, &q, WIRE_ROLE_DAEMON, RIG_ANY, 1,
				     p.incarnation),
			 0);
	assert_true(p.dropped);
	assert_int_not_equal(p.incarnation, q.incarnation);
	assert_int_equal(rig_info(rig).connections, 1);
	assert_int_equal(rig_info(rig).cumulative, 2);
	rig_slot(rig, &q, WIRE_SLOT_UP, 0);
	f = rig_expect_task(rig, &q, &t);
	/* What it says for its earlier incarnation is refused, and it is told
	 * so once. */
	rig_result(rig, &q, &late, CADRE_OUTCOME_VALUE);
	rig_result(rig, &q, &late, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	assert_int_equal(rig_info(rig).refused, 2);
	assert_int_equal(rig_untaken(rig, &q, WIRE_RESTART), 1);
	rig_result(rig, &q, &f, CADRE_OUTCOME_VALUE);
	rig_assert(&t, CADRE_OUTCOME_VALUE);
}

static void
waiting_without_daemons_has_a_limit(void **state)
{
	struct rig *rig = *state;
	struct dispatch_spec spec = rig_spec(WIRE_ENGINE_COMMAND, 0);
	struct rig_task a, b, c;
	struct rig_peer p;

	rig->cfg.heartbeat_ms = 0;
	rig_restart(rig);
	dispatch_expect(rig->d, 1, rig->now);
	rig_command(rig, &a);
	rig_tick(rig, 100000);
	rig_assert(&a, CADRE_OUTCOME_NONE);
	rig_daemon(rig, &p, RIG_ANY, 1);
	dispatch_expect(rig->d, 0, rig->now);
	spec.after = &a.id;
	spec.after_n = 1;
	rig_submit(rig, &spec, &b);
	rig_tick(rig, 100000);
	rig_lost(rig, &p);
	assert_int_equal(dispatch_deadline(rig->d), rig->now + 30000);
	dispatch_explain(rig->d, "the job was cancelled");
	rig_tick(rig, 29999);
	rig_assert(&a, CADRE_OUTCOME_NONE);
	rig_tick(rig, 1);
	rig_assert(&a, CADRE_OUTCOME_LOST);
	rig_assert(&b, CADRE_OUTCOME_LOST);
	assert_string_equal(a.message, "no daemon is connected and none is on "
				       "its way: waited 30 s: the job was "
				       "cancelled");
	/* Those that come later get time of their own. */
	rig_tick(rig, 50000);
	rig_command(rig, &c);
	rig_tick(rig, 29999);
	rig_assert(&c, CADRE_OUTCOME_NONE);
	rig_tick(rig, 1);
	rig_assert(&c, CADRE_OUTCOME_LOST);
	assert_true(dispatch_deadline(rig->d) == UINT64_MAX);
	/* There is nothing to wait for. */
	rig_command(rig, &c);
	dispatch_despair(rig->d, true, rig->now);
	assert_int_equal(dispatch_deadline(rig->d), rig->now);
	rig_tick(rig, 0);
	rig_assert(&c, CADRE_OUTCOME_LOST);
	assert_string_equal(c.message, "no daemon is connected and none is on "
				       "its way: the job was cancelled");
	rig_command(rig, &c);
	dispatch_despair(rig->d, false, rig->now);
	rig_tick(rig, 29999);
	rig_assert(&c, CADRE_OUTCOME_NONE);
	rig_tick(rig, 1);
	rig_assert(&c, CADRE_OUTCOME_LOST);
}

static void
broken_daemons_are_refused(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer p;
	struct wire_frame f;

	assert_int_equal(
		rig_connect(rig, &p, WIRE_ROLE_DISPATCHER, RIG_ANY, 1, 0),
		CADRE_EPROTO);
	assert_int_equal(rig_connect(rig, &p, WIRE_ROLE_DAEMON, 1, 1, 0),
			 CADRE_EPROTO);
	assert_int_equal(rig_connect(rig, &p, WIRE_ROLE_DAEMON, RIG_ANY, 0, 0),
			 CADRE_EPROTO);
	assert_int_equal(rig_connect(rig, &p, WIRE_ROLE_DAEMON, RIG_ANY,
				     UINT64_C(1) << 40, 0),
			 CADRE_EPROTO);
	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	assert_int_equal(
		rig_frame(rig, &p,
			  (struct wire_frame){.type = WIRE_SLOT_UP, .slot = 1}),
		CADRE_EPROTO);
	assert_int_equal(
		rig_frame(rig, &p, (struct wire_frame){.type = WIRE_SUBMIT}),
		CADRE_EPROTO);
	assert_int_equal(
		rig_frame(rig, &p, (struct wire_frame){.type = WIRE_HELLO}),
		CADRE_EPROTO);
	f.type = WIRE_RESULT;
	f.code = CADRE_OUTCOME_CLOSED;
	assert_int_equal(rig_frame(rig, &p, f), CADRE_EPROTO);
	f.code = 200;
	assert_int_equal(rig_frame(rig, &p, f), CADRE_EPROTO);
	rig_assert(&t, CADRE_OUTCOME_NONE);
	rig_slot(rig, &p, WIRE_SLOT_DOWN, 4000000000u);
}

static void
output_goes_to_the_owner(void **state)
{
	struct rig *rig = *state;
	struct rig_task t;
	struct rig_peer p;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_ANY, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	f.type = WIRE_OUTPUT;
	f.code = 2;
	f.payload = (const uint8_t *)"text";
	f.payload_len = 4;
	assert_int_equal(rig_frame(rig, &p, f), 0);
	assert_string_equal(t.output, "text");
	assert_int_equal(t.which, 2);
	rig_cancel(rig, &t);
	f.payload = (const uint8_t *)"late";
	assert_int_equal(rig_frame(rig, &p, f), 0);
	assert_string_equal(t.output, "text");
}

static void
status_tells_of_each_daemon(void **state)
{
	struct rig *rig = *state;
	struct cadre_daemon_status s[2];
	struct rig_task t;
	struct rig_peer p, q;
	struct wire_frame f;

	rig_daemon(rig, &p, RIG_COMMAND, 3);
	rig_daemon(rig, &q, RIG_NATIVE, 1);
	rig_command(rig, &t);
	f = rig_expect_task(rig, &p, &t);
	assert_int_equal(dispatch_status(rig->d, rig->now + 5, s, 1), 2);
	assert_int_equal(dispatch_status(rig->d, rig->now + 5, s, 2), 2);
	assert_int_equal(s[0].incarnation, p.incarnation);
	assert_string_equal(s[0].node, "n1");
	assert_string_equal(s[0].peer, "ipc:///x");
	assert_int_equal(s[0].pid, 77);
	assert_int_equal(s[0].slots, 3);
	assert_int_equal(s[0].busy, 1);
	assert_int_equal(s[0].idle_ms, 0);
	assert_int_equal(s[0].seen_ms, 5);
	assert_int_equal(s[1].busy, 0);
	assert_int_equal(s[1].idle_ms, 5);
	rig_result(rig, &p, &f, CADRE_OUTCOME_VALUE);
	assert_int_equal(dispatch_status(rig->d, rig->now + 7, s, 2), 2);
	assert_int_equal(s[0].completed, 1);
	assert_int_equal(s[0].busy, 0);
	assert_int_equal(s[0].idle_ms, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(not_begun_is_ready_again_at_the_head),
		RIG_TEST(started_follows_the_retry_policy),
		RIG_TEST(maybe_started_needs_idempotence),
		RIG_TEST(a_lost_slot_is_like_a_lost_daemon),
		RIG_TEST(tasks_that_lose_daemons_are_stopped),
		RIG_TEST(handed_back),
		RIG_TEST(leaving_limits_may_be_set),
		RIG_TEST(one_each_before_windows),
		RIG_TEST(windows_grow_while_tasks_are_short),
		RIG_TEST(windows_need_demand_and_consent),
		RIG_TEST(no_windows_if_none_are_wanted),
		RIG_TEST(a_window_behind_a_long_task_is_recalled),
		RIG_TEST(a_recalled_window_opens_again),
		RIG_TEST(tasks_found_long_are_recalled_at_once),
		RIG_TEST(held_and_leaving_slots_get_nothing),
		RIG_TEST(daemons_are_asked_to_leave_idle_ones_first),
		RIG_TEST(heartbeats),
		RIG_TEST(a_frozen_daemon_is_found_in_time),
		RIG_TEST(time_does_not_go_back),
		RIG_TEST(who_comes_back_takes_its_own_place),
		RIG_TEST(waiting_without_daemons_has_a_limit),
		RIG_TEST(broken_daemons_are_refused),
		RIG_TEST(output_goes_to_the_owner),
		RIG_TEST(status_tells_of_each_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
