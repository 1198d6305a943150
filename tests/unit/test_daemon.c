/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/task.h>
#include <cadre/value.h>

#include "daemon_rig.h"
#include "util/clock.h"
#include "value/codec.h"

/* cadred with its real reapers and workers, against a dispatcher made of the
 * test. */

static const char *const one_slot[] = {"--slots", "1", NULL};
static const char *const two_slots[] = {"--slots", "2", NULL};
static const char *const three_slots[] = {"--slots", "3", NULL};

static void
a_command_is_announced_and_answered(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, two_slots, 2);
	task = rig_shell(&g, 1, "echo hello; exit 3", 0);
	frame = rig_expect(&g, WIRE_STARTED);
	assert_int_equal(frame->task, task);
	assert_int_equal(frame->slot, 1);
	frame = rig_result(&g, task, CADRE_OUTCOME_EXIT);
	assert_int_equal(frame->slot, 1);
	assert_int_equal(frame->attempt, 1);
	assert_int_equal(frame->incarnation, RIG_INCARNATION);
	assert_int_equal(wire_u64(frame, WIRE_TAG_STATUS, 0), 3);
	assert_int_equal(frame->payload_len, 6);
	assert_memory_equal(frame->payload, "hello\n", 6);
	rig_stop(&g);
}

static void
native_tasks_are_answered_in_order(void **unused)
{
	uint64_t first = 0;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	for (int i = 0; i < 2000; i++) {
		uint64_t task = rig_native(&g, 0, "noop", 0);

		if (i == 0)
			first = task;
	}
	for (uint64_t i = 0; i < 2000; i++)
		(void)rig_result(&g, first + i, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

/* A list with one raw vector of n bytes, encoded. */
static void
encode_bytes(struct buf *b, size_t n)
{
	uint8_t *bytes = malloc(n);
	struct cadre_value *list = cadre_value_list(1), *item;

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	assert_non_null(list);
	item = cadre_value_raw(bytes, n);
	assert_int_equal(cadre_value_list_set(list, 0, &item), 0);
	buf_init(b, SIZE_MAX / 2);
	value_encode(b, list);
	assert_int_equal(b->error, 0);
	cadre_value_free(&list);
	free(bytes);
}

static void
large_payloads_go_both_ways(void **unused)
{
	static const size_t sizes[] = {10, 3000000, 200000, 5000000, 300000, 7};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	uint64_t tasks[N];
	struct buf args;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	for (int i = 0; i < N; i++) {
		encode_bytes(&args, sizes[i]);
		tasks[i] =
			rig_native_payload(&g, 0, "first", args.data, args.len);
		buf_fini(&args);
	}
	for (int i = 0; i < N; i++) {
		const struct wire_frame *frame =
			rig_result(&g, tasks[i], CADRE_OUTCOME_VALUE);
		struct cadre_value *v = NULL;
		const uint8_t *bytes;
		size_t bad = 0;

		assert_int_equal(value_decode(frame->payload,
					      frame->payload_len, NULL, &v),
				 0);
		assert_int_equal(cadre_value_length(v), sizes[i]);
		bytes = cadre_value_bytes(v);
		for (size_t k = 0; k < sizes[i]; k++)
			bad += bytes[k] != (uint8_t)(k * 31 >> 3);
		assert_int_equal(bad, 0);
		assert_false(wire_u64(frame, WIRE_TAG_SHARED_LEN, 0) > 0);
		cadre_value_free(&v);
	}
	rig_stop(&g);
}

static void
a_crash_loses_only_the_task_that_had_begun(void **unused)
{
	const struct wire_frame *frame;
	uint64_t before, crash, after;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	before = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, before, CADRE_OUTCOME_VALUE);
	crash = rig_native(&g, 0, "crash", 0);
	after = rig_native(&g, 0, "noop", 0);
	(void)rig_native(&g, 0, "noop", 0);
	frame = rig_result(&g, crash, CADRE_OUTCOME_LOST);
	assert_true(rig_says(frame, WIRE_TAG_MESSAGE,
			     "Segmentation fault (signal 11)"));
	(void)rig_result(&g, after, CADRE_OUTCOME_VALUE);
	frame = rig_result(&g, after + 1, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame->worker, 2);
	crash = rig_native(&g, 0, "quit", 0);
	frame = rig_result(&g, crash, CADRE_OUTCOME_LOST);
	assert_true(rig_says(frame, WIRE_TAG_MESSAGE, "status 3"));
	rig_stop(&g);
}

static void
slots_take_turns_between_engines(void **unused)
{
	uint64_t tasks[6];
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	for (int i = 0; i < 6; i++)
		tasks[i] = i % 2 == 0 ? rig_native(&g, 0, "noop", 0)
				      : rig_shell(&g, 0, "true", 0);
	for (int i = 0; i < 6; i++)
		(void)rig_result(&g, tasks[i], CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static void
a_long_native_task_is_reported_as_started(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	task = rig_native(&g, 0, "nap", 0);
	frame = rig_expect(&g, WIRE_STARTED);
	assert_int_equal(frame->task, task);
	frame = rig_expect(&g, WIRE_RESULT);
	assert_int_equal(frame->task, task);
	rig_stop(&g);
}

static void
an_answer_does_not_wait_for_the_task_behind(void **unused)
{
	uint64_t before, quick, slow;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	/* While it naps the other two gather, and are read in one go. */
	before = rig_native(&g, 0, "nap", 0);
	quick = rig_native(&g, 0, "noop", 0);
	slow = rig_native(&g, 0, "mute", 0);
	(void)rig_result(&g, before, CADRE_OUTCOME_VALUE);
	(void)rig_result(&g, quick, CADRE_OUTCOME_VALUE);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, slow, 0);
	(void)rig_result(&g, slow, CADRE_OUTCOME_CANCELLED);
	rig_stop(&g);
}

static void
what_waits_in_the_window_can_be_cancelled(void **unused)
{
	uint64_t running, first, second, third;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	running = rig_native(&g, 0, "polite", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	first = rig_native(&g, 0, "noop", 0);
	second = rig_native(&g, 0, "noop", 0);
	third = rig_native(&g, 0, "noop", 0);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, second, 0);
	(void)rig_result(&g, second, CADRE_OUTCOME_CANCELLED);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, running, 0);
	(void)rig_result(&g, running, CADRE_OUTCOME_CANCELLED);
	(void)rig_result(&g, first, CADRE_OUTCOME_VALUE);
	assert_int_equal(rig_result(&g, third, CADRE_OUTCOME_VALUE)->worker, 1);
	rig_stop(&g);
}

static void
a_stubborn_task_is_killed(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task, next;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	task = rig_native(&g, 0, "stubborn", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	next = rig_native(&g, 0, "noop", 0);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, task, 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_CANCELLED);
	frame = rig_result(&g, next, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame->worker, 2);
	rig_stop(&g);
}

static void
a_command_is_cancelled_with_all_below_it(void **unused)
{
	char script[256], path[128];
	uint64_t task;
	struct rig g;
	pid_t pid;

	(void)unused;
	rig_start(&g, one_slot, 1);
	(void)snprintf(path, sizeof(path), "%s/pid", g.dir);
	(void)snprintf(script, sizeof(script),
		       "setsid sleep 1000 & echo $! > %s; wait", path);
	task = rig_shell(&g, 0, script, 0);
	pid = (pid_t)rig_read_number(path);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, task, 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_CANCELLED);
	rig_wait_gone(pid);
	rig_stop(&g);
}

static void
attempts_have_their_time(void **unused)
{
	uint64_t command, native, next;
	struct rig g;

	(void)unused;
	rig_start(&g, two_slots, 2);
	command = rig_shell(&g, 0, "sleep 1000", 100);
	(void)rig_result(&g, command, CADRE_OUTCOME_TIMEOUT);
	native = rig_native(&g, 1, "polite", 100);
	(void)rig_expect(&g, WIRE_OUTPUT);
	(void)rig_result(&g, native, CADRE_OUTCOME_TIMEOUT);
	native = rig_native(&g, 1, "stubborn", 100);
	next = rig_native(&g, 1, "noop", 60000);
	(void)rig_expect(&g, WIRE_OUTPUT);
	(void)rig_result(&g, native, CADRE_OUTCOME_TIMEOUT);
	(void)rig_result(&g, next, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static void
a_recall_hands_back_what_has_not_begun(void **unused)
{
	const struct wire_frame *frame;
	uint64_t running, waiting;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	running = rig_native(&g, 0, "polite", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	waiting = rig_native(&g, 0, "noop", 0);
	(void)rig_native(&g, 0, "noop", 0);
	rig_plain(&g, WIRE_RECALL, 0, 0, 0);
	for (uint64_t i = 0; i < 2; i++) {
		frame = rig_next(&g);
		if (frame->type == WIRE_STARTED)
			frame = rig_next(&g);
		assert_int_equal(frame->type, WIRE_RETURNED);
		assert_int_equal(frame->task, waiting + i);
		assert_int_equal(frame->code, WIRE_RETURNED_UNSTARTED);
	}
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, running, 0);
	(void)rig_result(&g, running, CADRE_OUTCOME_CANCELLED);
	waiting = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, waiting, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static int64_t
int_result(struct rig *g, const char *function)
{
	uint64_t task = rig_native(g, 0, function, 0);
	const struct wire_frame *frame =
		rig_result(g, task, CADRE_OUTCOME_VALUE);
	struct cadre_value *v = NULL;
	int64_t x = -1;

	assert_int_equal(
		value_decode(frame->payload, frame->payload_len, NULL, &v), 0);
	assert_int_equal(cadre_value_int64_at(v, 0, &x), 0);
	cadre_value_free(&v);
	return x;
}

static void
every_worker_applies_all_epochs(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	rig_everywhere(&g, "set_state", 1, 0);
	rig_everywhere(&g, "set_state", 2, 0);
	rig_everywhere(&g, "set_state", 3, WIRE_ONCE);
	for (uint64_t i = 1; i <= 3; i++) {
		frame = rig_expect(&g, WIRE_EPOCH);
		assert_int_equal(frame->task, i);
		assert_int_equal(frame->code, CADRE_OUTCOME_VALUE);
	}
	assert_int_equal(int_result(&g, "get_state"), 3);
	task = rig_native(&g, 0, "crash", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_LOST);
	assert_int_equal(int_result(&g, "get_state"), 2);
	rig_plain(&g, WIRE_RESET, 0, 0, 0);
	assert_int_equal(int_result(&g, "get_state"), 0);
	rig_stop(&g);
}

static void
a_failing_epoch_holds_the_slot_back(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	rig_everywhere(&g, "fails", 1, 0);
	frame = rig_expect(&g, WIRE_EPOCH);
	assert_int_equal(frame->code, CADRE_OUTCOME_ERROR);
	assert_true(rig_says(frame, WIRE_TAG_MESSAGE, "it was asked to"));
	frame = rig_expect(&g, WIRE_SLOT_DOWN);
	assert_true(rig_says(frame, WIRE_TAG_REASON, "everywhere call 1"));
	task = rig_native(&g, 0, "noop", 0);
	frame = rig_expect(&g, WIRE_RETURNED);
	assert_int_equal(frame->task, task);
	rig_plain(&g, WIRE_RESET, 0, 0, 0);
	(void)rig_expect(&g, WIRE_SLOT_UP);
	/* One that was sent before SLOT_DOWN had come: it is somebody else's
	 * by now. */
	g.rounds[0]--;
	(void)rig_native(&g, 0, "noop", 0);
	g.rounds[0]++;
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

/* The worker is still starting when the slot is recalled. */
static void
a_recall_spares_an_epoch(void **unused)
{
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	for (uint64_t epoch = 1; epoch <= 3; epoch++) {
		rig_everywhere(&g, "set_state", epoch, 0);
		rig_plain(&g, WIRE_RECALL, 0, 0, 0);
		frame = rig_expect(&g, WIRE_EPOCH);
		assert_int_equal(frame->code, CADRE_OUTCOME_VALUE);
	}
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static void
maxtasks_replaces_the_worker(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--maxtasks", "2",
					      NULL};
	int64_t pids[4];
	struct rig g;

	(void)unused;
	rig_start(&g, options, 1);
	for (int i = 0; i < 4; i++)
		pids[i] = int_result(&g, "pid");
	assert_int_equal(pids[0], pids[1]);
	assert_int_not_equal(pids[1], pids[2]);
	assert_int_equal(pids[2], pids[3]);
	rig_stop(&g);
}

static void
maxtasks_can_retire_the_slot(void **unused)
{
	static const char *const options[] = {
		"--slots", "1", "--maxtasks", "2", "--maxtasks-retire", NULL};
	uint64_t tasks[3];
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, options, 1);
	for (int i = 0; i < 3; i++)
		tasks[i] = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, tasks[0], CADRE_OUTCOME_VALUE);
	(void)rig_result(&g, tasks[1], CADRE_OUTCOME_VALUE);
	assert_int_equal(rig_expect(&g, WIRE_RETURNED)->task, tasks[2]);
	(void)rig_expect(&g, WIRE_SLOT_DOWN);
	(void)rig_expect(&g, WIRE_LEAVING);
	status = rig_wait(&g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 4);
	rig_tidy(&g);
}

static void
limits_of_time_have_their_status(void **unused)
{
	static const char *const idle[] = {"--slots", "1", "--idletime",
					   "200ms", NULL};
	static const char *const wall[] = {
		"--slots",	"1", "--walltime", "300ms",
		"--timerstart", "1", NULL};
	struct rig g;
	uint64_t task;
	int status;

	(void)unused;
	rig_start(&g, idle, 1);
	task = rig_shell(&g, 0, "sleep 0.5", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	(void)rig_expect(&g, WIRE_LEAVING);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 2);
	rig_tidy(&g);

	rig_start(&g, wall, 1);
	task = rig_shell(&g, 0, "sleep 0.5", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	task = rig_shell(&g, 0, "sleep 0.6", 0);
	(void)rig_expect(&g, WIRE_STARTED);
	(void)rig_expect(&g, WIRE_LEAVING);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 3);
	rig_tidy(&g);
}

static void
sigterm_hands_back_what_cannot_finish(void **unused)
{
	const struct wire_frame *frame;
	uint64_t finishes, command, native, waiting;
	int returned = 0, status;
	struct rig g;

	(void)unused;
	rig_start(&g, three_slots, 3);
	native = rig_native(&g, 1, "polite", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	(void)rig_expect(&g, WIRE_STARTED);
	waiting = rig_native(&g, 1, "noop", 0);
	finishes = rig_shell(&g, 2, "trap '' TERM INT; sleep 0.1", 0);
	command = rig_shell(&g, 0, "sleep 1000", 0);
	(void)rig_expect(&g, WIRE_STARTED);
	(void)rig_expect(&g, WIRE_STARTED);
	assert_int_equal(kill(g.pid, SIGTERM), 0);
	(void)rig_expect(&g, WIRE_LEAVING);
	frame = rig_expect(&g, WIRE_RETURNED);
	assert_int_equal(frame->task, waiting);
	assert_int_equal(frame->code, WIRE_RETURNED_UNSTARTED);
	(void)rig_result(&g, finishes, CADRE_OUTCOME_VALUE);
	while (returned < 2) {
		frame = rig_expect(&g, WIRE_RETURNED);
		assert_true(frame->task == command || frame->task == native);
		assert_int_equal(frame->code, WIRE_RETURNED_STARTED);
		returned++;
	}
	status = rig_wait(&g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);
}

static void
a_second_sigterm_is_at_once(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--grace", "1h",
					      NULL};
	uint64_t task;
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, options, 1);
	task = rig_shell(&g, 0, "trap '' INT TERM; while :; do sleep 1; done",
			 0);
	(void)rig_expect(&g, WIRE_STARTED);
	assert_int_equal(kill(g.pid, SIGTERM), 0);
	(void)rig_expect(&g, WIRE_LEAVING);
	assert_int_equal(kill(g.pid, SIGTERM), 0);
	assert_int_equal(rig_expect(&g, WIRE_RETURNED)->task, task);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);
}

static void
a_dead_reaper_is_replaced(void **unused)
{
	const struct wire_frame *frame;
	char script[256], path[128];
	pid_t reapers[2], pid;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	assert_int_equal(rig_children(g.pid, reapers, 2), 1);
	(void)snprintf(path, sizeof(path), "%s/pid", g.dir);
	(void)snprintf(script, sizeof(script),
		       "setsid sleep 1000 & echo $! > %s; wait", path);
	task = rig_shell(&g, 0, script, 0);
	pid = (pid_t)rig_read_number(path);
	assert_int_equal(kill(reapers[0], SIGKILL), 0);
	frame = rig_result(&g, task, CADRE_OUTCOME_LOST);
	assert_true(rig_says(frame, WIRE_TAG_MESSAGE, "reaper"));
	rig_wait_gone(pid);
	task = rig_shell(&g, 0, "true", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static void
the_end_of_the_connection_ends_everything(void **unused)
{
	char script[256], path[128];
	uint64_t before;
	struct rig g;
	pid_t pid;

	(void)unused;
	rig_start(&g, two_slots, 2);
	(void)rig_native(&g, 0, "stubborn", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	(void)snprintf(path, sizeof(path), "%s/pid", g.dir);
	(void)snprintf(script, sizeof(script),
		       "trap '' INT TERM; setsid sleep 1000 & echo $! > %s; "
		       "touch $CADRE_SCRATCH/x; wait",
		       path);
	(void)rig_shell(&g, 1, script, 0);
	pid = (pid_t)rig_read_number(path);
	before = clock_now_ms();
	(void)unlink(path);
	rig_stop(&g);
	assert_true(clock_now_ms() - before < 5000);
	assert_false(rig_alive(pid));
}

static void
a_killed_daemon_leaves_nothing(void **unused)
{
	char script[256], path[128];
	pid_t reapers[2], pid;
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, one_slot, 1);
	(void)snprintf(path, sizeof(path), "%s/pid", g.dir);
	(void)snprintf(script, sizeof(script),
		       "setsid sleep 1000 & echo $! > %s; wait", path);
	(void)rig_shell(&g, 0, script, 0);
	pid = (pid_t)rig_read_number(path);
	assert_int_equal(rig_children(g.pid, reapers, 2), 1);
	assert_int_equal(kill(g.pid, SIGKILL), 0);
	status = rig_wait(&g);
	assert_true(WIFSIGNALED(status));
	rig_wait_gone(reapers[0]);
	rig_wait_gone(pid);
	rig_wait_down(&g, 1);
	rig_tidy(&g);
}

/* What outlives both daemon and reaper is found by its mark. */
static void
the_next_daemon_sweeps(void **unused)
{
	char script[256], path[128];
	pid_t reapers[2], pid;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	(void)snprintf(path, sizeof(path), "%s/pid", g.dir);
	(void)snprintf(script, sizeof(script),
		       "touch $CADRE_SCRATCH/file; setsid sleep 1000 & echo $! "
		       "> %s; wait",
		       path);
	(void)rig_shell(&g, 0, script, 0);
	pid = (pid_t)rig_read_number(path);
	assert_int_equal(rig_children(g.pid, reapers, 2), 1);
	/* Stopped, it cannot clean up after the daemon. */
	assert_int_equal(kill(g.pid, SIGSTOP), 0);
	assert_int_equal(kill(reapers[0], SIGKILL), 0);
	assert_int_equal(kill(g.pid, SIGKILL), 0);
	(void)rig_wait(&g);
	rig_wait_down(&g, 1);
	assert_true(rig_alive(pid));
	rig_spawn(&g, one_slot);
	rig_wait_up(&g, 2);
	rig_wait_gone(pid);
	(void)unlink(path);
	rig_stop(&g);
}

static void
a_persistent_daemon_dials_again(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--autoexit",
					      "no", NULL};
	uint64_t task;
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, options, 1);
	(void)rig_native(&g, 0, "stubborn", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	rig_hang_up(&g);
	rig_wait_up(&g, 2);
	assert_int_equal(g.previous, RIG_INCARNATION);
	(void)rig_expect(&g, WIRE_SLOT_UP);
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	assert_int_equal(kill(g.pid, SIGTERM), 0);
	(void)rig_expect(&g, WIRE_LEAVING);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);
}

static void
autoexit_can_be_a_signal(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--autoexit",
					      "SIGUSR1", NULL};
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, options, 1);
	rig_hang_up(&g);
	status = rig_wait(&g);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
	rig_tidy(&g);
}

static void
leave_and_exit_are_obeyed(void **unused)
{
	uint64_t task;
	struct rig g;
	int status;

	(void)unused;
	rig_start(&g, one_slot, 1);
	task = rig_shell(&g, 0, "sleep 0.3; echo done", 0);
	(void)rig_expect(&g, WIRE_STARTED);
	rig_plain(&g, WIRE_LEAVE, 0, 0, 0);
	(void)rig_expect(&g, WIRE_LEAVING);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);

	rig_start(&g, one_slot, 1);
	(void)rig_native(&g, 0, "stubborn", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	rig_plain(&g, WIRE_EXIT, 0, 0, 0);
	(void)rig_expect(&g, WIRE_LEAVING);
	(void)rig_expect(&g, WIRE_RETURNED);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);
}

static uint64_t
count_beats(struct rig *g)
{
	uint64_t beats;

	(void)pthread_mutex_lock(&g->lock);
	beats = g->beats;
	(void)pthread_mutex_unlock(&g->lock);
	return beats;
}

static void
native_tasks_can_run_within_the_daemon(void **unused)
{
	static const char *const options[] = {"--in-process", NULL};
	uint64_t first, polite, after, beats;
	pid_t pids[4];
	struct rig g;

	(void)unused;
	rig_listen(&g);
	g.heartbeat_ms = 20;
	rig_spawn(&g, options);
	rig_wait_up(&g, 1);
	(void)rig_expect(&g, WIRE_SLOT_UP);
	rig_everywhere(&g, "set_state", 1, 0);
	assert_int_equal(rig_expect(&g, WIRE_EPOCH)->code, CADRE_OUTCOME_VALUE);
	assert_int_equal(int_result(&g, "get_state"), 1);
	assert_int_equal(int_result(&g, "pid"), g.pid);
	first = rig_native(&g, 0, "noop", 0);
	for (int i = 1; i < 100; i++)
		(void)rig_native(&g, 0, "noop", 0);
	for (uint64_t i = 0; i < 100; i++)
		(void)rig_result(&g, first + i, CADRE_OUTCOME_VALUE);
	/* While the loop is in the task, heartbeats go on and a cancellation
	 * comes through. */
	polite = rig_native(&g, 0, "polite", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	after = rig_shell(&g, 0, "true", 0);
	beats = count_beats(&g);
	while (count_beats(&g) < beats + 3)
		(void)usleep(1000);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, polite, 0);
	(void)rig_result(&g, polite, CADRE_OUTCOME_CANCELLED);
	(void)rig_result(&g, after, CADRE_OUTCOME_VALUE);
	polite = rig_native(&g, 0, "polite", 50);
	(void)rig_expect(&g, WIRE_OUTPUT);
	(void)rig_result(&g, polite, CADRE_OUTCOME_TIMEOUT);
	assert_int_equal(rig_children(g.pid, pids, 4), 1);
	rig_stop(&g);
}

static void
heartbeats_are_sent(void **unused)
{
	struct rig g;
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;

	(void)unused;
	rig_listen(&g);
	g.heartbeat_ms = 20;
	rig_spawn(&g, one_slot);
	rig_wait_up(&g, 1);
	while (count_beats(&g) < 3 && clock_now_ms() < until)
		(void)usleep(1000);
	assert_true(count_beats(&g) >= 3);
	rig_stop(&g);
}

static void
nobody_to_dial_is_an_error(void **unused)
{
	struct rig g;
	int status;

	(void)unused;
	rig_listen(&g);
	g.refuse = true;
	rig_spawn(&g, one_slot);
	status = rig_wait(&g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	rig_tidy(&g);
}

static void
large_input_and_output_of_commands(void **unused)
{
	const size_t n = 3000000;
	uint8_t *bytes = malloc(n);
	const struct wire_frame *frame;
	uint64_t task;
	struct rig g;

	(void)unused;
	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 >> 5);
	rig_start(&g, one_slot, 1);
	task = rig_shell_input(&g, 0, "cat", bytes, n);
	frame = rig_result(&g, task, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame->payload_len, n);
	assert_memory_equal(frame->payload, bytes, n);
	rig_stop(&g);
	free(bytes);
}

static void
every_slot_applies_epochs_of_commands(void **unused)
{
	char script[256];
	const struct wire_frame *frame;
	unsigned int slots = 0;
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, two_slots, 2);
	(void)snprintf(script, sizeof(script), "touch %s/slot.$CADRE_SLOT",
		       g.dir);
	rig_everywhere_shell(&g, script, 1);
	for (int i = 0; i < 2; i++) {
		frame = rig_expect(&g, WIRE_EPOCH);
		assert_int_equal(frame->task, 1);
		assert_int_equal(frame->code, CADRE_OUTCOME_VALUE);
		slots |= 1u << frame->slot;
	}
	assert_int_equal(slots, 3);
	(void)snprintf(script, sizeof(script), "ls %s/slot.1 %s/slot.2", g.dir,
		       g.dir);
	task = rig_shell(&g, 1, script, 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	rig_everywhere_shell(&g, "exit 4", 2);
	for (int i = 0; i < 4; i++) {
		frame = rig_next(&g);
		assert_true(frame->type == WIRE_EPOCH ||
			    frame->type == WIRE_SLOT_DOWN);
		if (frame->type == WIRE_EPOCH)
			assert_int_equal(frame->code, CADRE_OUTCOME_EXIT);
	}
	rig_stop(&g);
}

static void
a_full_window_is_cancelled_one_by_one(void **unused)
{
	enum { N = 4000 };
	uint64_t running, first;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	running = rig_native(&g, 0, "polite", 0);
	(void)rig_expect(&g, WIRE_OUTPUT);
	first = rig_native(&g, 0, "noop", 0);
	for (int i = 1; i < N; i++)
		(void)rig_native(&g, 0, "noop", 0);
	for (uint64_t i = 0; i < N; i++)
		rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, first + i, 0);
	for (uint64_t i = 0; i < N; i++)
		(void)rig_result(&g, first + i, CADRE_OUTCOME_CANCELLED);
	rig_plain(&g, WIRE_CANCEL, WIRE_CANCEL_USER, running, 0);
	(void)rig_result(&g, running, CADRE_OUTCOME_CANCELLED);
	first = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, first, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

/* Resident memory in kilobytes. */
static long
resident(pid_t pid)
{
	char path[64], line[128];
	long kb = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	(void)fclose(f);
	return kb;
}

static void
flooding_output_is_stopped_and_not_stored(void **unused)
{
	enum { MEGABYTES = 100 };
	char script[1024], path[128];
	uint64_t task, bytes = 0, since = clock_now_ms();
	const struct wire_frame *frame;
	long written = 0, before = -1, kb;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	(void)snprintf(path, sizeof(path), "%s/written", g.dir);
	(void)snprintf(script, sizeof(script),
		       "i=0; while [ $i -lt %d ]; do head -c 1048576 /dev/zero;"
		       " i=$((i+1)); echo $i > %s.new; mv %s.new %s; done",
		       MEGABYTES, path, path, path);
	kb = resident(g.pid);
	link_pause(g.conn, true);
	wire_put_u64(&g.fields, WIRE_TAG_OUTPUT, WIRE_OUTPUT_STREAM);
	task = rig_shell_input(&g, 0, script, NULL, 0);
	/* Until it does not get on any more. */
	while (written < MEGABYTES &&
	       (written != before || clock_now_ms() - since < 500)) {
		if (written != before)
			since = clock_now_ms();
		before = written;
		written = rig_read_number(path);
		(void)usleep(5000);
	}
	assert_true(written < MEGABYTES / 2);
	assert_true(resident(g.pid) - kb < 40000);
	link_pause(g.conn, false);
	do {
		frame = rig_next(&g);
		if (frame->type != WIRE_STARTED)
			bytes += frame->payload_len;
	} while (frame->type != WIRE_RESULT);
	assert_int_equal(frame->task, task);
	assert_int_equal(frame->code, CADRE_OUTCOME_VALUE);
	assert_int_equal(bytes, (uint64_t)MEGABYTES << 20);
	rig_stop(&g);
}

static void
a_worker_that_cannot_start_is_reported(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--memory-limit",
					      "100K", NULL};
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, options, 1);
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_ERROR);
	rig_stop(&g);
}

static void
a_silent_dispatcher_is_dialled_anew(void **unused)
{
	static const char *const options[] = {"--slots", "1", "--autoexit",
					      "no", NULL};
	struct rig g;
	int status;

	(void)unused;
	rig_listen(&g);
	g.heartbeat_ms = 50;
	rig_spawn(&g, options);
	rig_wait_up(&g, 2);
	assert_int_equal(g.previous, RIG_INCARNATION);
	assert_int_equal(kill(g.pid, SIGTERM), 0);
	status = rig_wait(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_tidy(&g);
}

static void
a_daemon_that_was_given_up_starts_over(void **unused)
{
	uint64_t task;
	struct rig g;

	(void)unused;
	rig_start(&g, one_slot, 1);
	rig_plain(&g, WIRE_RESTART, 0, 0, 0);
	rig_wait_up(&g, 2);
	(void)rig_expect(&g, WIRE_SLOT_UP);
	task = rig_native(&g, 0, "noop", 0);
	(void)rig_result(&g, task, CADRE_OUTCOME_VALUE);
	rig_stop(&g);
}

static void
too_few_files_are_one_sentence(void **unused)
{
	char command[512], text[512] = "";
	size_t n;
	FILE *f;

	(void)unused;
	(void)snprintf(command, sizeof(command),
		       "ulimit -n 100; exec %s --slots 50 ipc:///nowhere 2>&1",
		       rig_built("cadred"));
	f = popen(command, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	assert_int_equal(WEXITSTATUS(pclose(f)), 1);
	assert_non_null(strstr(text, "50 slots need"));
	assert_non_null(strstr(text, "ulimit -n"));
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_announced_and_answered),
		cmocka_unit_test(native_tasks_are_answered_in_order),
		cmocka_unit_test(large_payloads_go_both_ways),
		cmocka_unit_test(a_crash_loses_only_the_task_that_had_begun),
		cmocka_unit_test(slots_take_turns_between_engines),
		cmocka_unit_test(a_long_native_task_is_reported_as_started),
		cmocka_unit_test(an_answer_does_not_wait_for_the_task_behind),
		cmocka_unit_test(what_waits_in_the_window_can_be_cancelled),
		cmocka_unit_test(a_stubborn_task_is_killed),
		cmocka_unit_test(a_command_is_cancelled_with_all_below_it),
		cmocka_unit_test(attempts_have_their_time),
		cmocka_unit_test(a_recall_hands_back_what_has_not_begun),
		cmocka_unit_test(every_worker_applies_all_epochs),
		cmocka_unit_test(a_failing_epoch_holds_the_slot_back),
		cmocka_unit_test(a_recall_spares_an_epoch),
		cmocka_unit_test(maxtasks_replaces_the_worker),
		cmocka_unit_test(maxtasks_can_retire_the_slot),
		cmocka_unit_test(limits_of_time_have_their_status),
		cmocka_unit_test(sigterm_hands_back_what_cannot_finish),
		cmocka_unit_test(a_second_sigterm_is_at_once),
		cmocka_unit_test(a_dead_reaper_is_replaced),
		cmocka_unit_test(the_end_of_the_connection_ends_everything),
		cmocka_unit_test(a_killed_daemon_leaves_nothing),
		cmocka_unit_test(the_next_daemon_sweeps),
		cmocka_unit_test(a_persistent_daemon_dials_again),
		cmocka_unit_test(autoexit_can_be_a_signal),
		cmocka_unit_test(leave_and_exit_are_obeyed),
		cmocka_unit_test(heartbeats_are_sent),
		cmocka_unit_test(native_tasks_can_run_within_the_daemon),
		cmocka_unit_test(nobody_to_dial_is_an_error),
		cmocka_unit_test(large_input_and_output_of_commands),
		cmocka_unit_test(every_slot_applies_epochs_of_commands),
		cmocka_unit_test(a_full_window_is_cancelled_one_by_one),
		cmocka_unit_test(flooding_output_is_stopped_and_not_stored),
		cmocka_unit_test(a_worker_that_cannot_start_is_reported),
		cmocka_unit_test(a_silent_dispatcher_is_dialled_anew),
		cmocka_unit_test(a_daemon_that_was_given_up_starts_over),
		cmocka_unit_test(too_few_files_are_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
