/* SPDX-License-Identifier: MIT */

/* What a reaper kills, when, and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/task.h>

#include "daemon/tree.h"
#include "engine/engine.h"
#include "test_reaper_rig.h"
#include "util/clock.h"

static struct rig rig;
static struct wire_frame result;

static int
start(void **state)
{
	(void)state;
	rig_start(&rig, NULL);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* The script may use $D, the test's directory. */
static void
begin(const char *script)
{
	char entry[96];

	(void)snprintf(entry, sizeof(entry), "D=%s", rig.dir);
	wire_put_str(&rig.fields, WIRE_TAG_ENV, entry);
	rig_shell(&rig, script);
	rig_task(&rig, NULL, 0);
}

static void
expect_result(enum cadre_outcome outcome)
{
	rig_expect(&rig, WIRE_RESULT, &result);
	assert_int_equal(result.task, rig.task);
	assert_int_equal(result.code, outcome);
}

static pid_t
pid_of(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	return rig_read_pid(path);
}

static void
leftovers_are_killed(void **state)
{
	uint64_t began = clock_now_ms();
	pid_t plain, escaped, quiet;

	(void)state;
	/* Two hold the pipe, one does not. */
	begin("sleep 300 & echo $! >$D/plain; "
	      "setsid sh -c 'echo $$ >$D/escaped; exec sleep 300' & "
	      "setsid sh -c 'echo $$ >$D/quiet; exec sleep 300' >/dev/null "
	      "2>&1 & "
	      "while ! test -s $D/escaped || ! test -s $D/quiet; do :; done; "
	      "echo done");
	plain = pid_of("plain");
	escaped = pid_of("escaped");
	quiet = pid_of("quiet");
	expect_result(CADRE_OUTCOME_VALUE);
	assert_int_equal(result.payload_len, 5);
	assert_true(clock_now_ms() - began < RIG_LIMIT_MS);
	/* Before the result, not some time after it. */
	assert_false(rig_alive(plain));
	assert_false(rig_alive(escaped));
	assert_false(rig_alive(quiet));
}

static void
late_writers_are_heard(void **state)
{
	(void)state;
	/* The main process is gone when the other writes. */
	begin("(while kill -0 $$ 2>/dev/null && "
	      "! grep -q '^State:.Z' /proc/$$/status 2>/dev/null; do :; done; "
	      "echo late) &");
	expect_result(CADRE_OUTCOME_VALUE);
	assert_int_equal(result.payload_len, 5);
	assert_memory_equal(result.payload, "late\n", 5);
}

static void
interrupt_is_enough(void **state)
{
	(void)state;
	begin("trap 'echo cleaned; exit 3' INT; echo $$ >$D/pid; "
	      "while :; do :; done");
	(void)pid_of("pid");
	rig_send(&rig, WIRE_CANCEL, WIRE_CANCEL_TIMEOUT, rig.task);
	expect_result(CADRE_OUTCOME_TIMEOUT);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 3);
	assert_int_equal(result.payload_len, 8);
	assert_memory_equal(result.payload, "cleaned\n", 8);
}

static void
ladder_reaches_the_stubborn(void **state)
{
	pid_t child;

	(void)state;
	/* A loop that never sleeps runs its traps at once. */
	begin("trap 'echo int' INT; trap 'echo term' TERM; "
	      "setsid sh -c \"trap '' INT TERM; echo \\$\\$ >$D/child; "
	      "while :; do sleep 300; done\" & "
	      "echo $$ >$D/pid; while :; do :; done");
	(void)pid_of("pid");
	child = pid_of("child");
	rig_send(&rig, WIRE_CANCEL, WIRE_CANCEL_USER, rig.task);
	expect_result(CADRE_OUTCOME_CANCELLED);
	assert_int_equal(wire_u64(&result, WIRE_TAG_SIGNAL, 0), SIGKILL);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_LEN, 0), 9);
	assert_memory_equal(result.payload, "int\nterm\n", 9);
	assert_false(rig_alive(child));
	/* Two graces of 100 ms lie between. */
	assert_true(wire_u64(&result, WIRE_TAG_WALL_NS, 0) > 190000000);
}

static void
only_the_running_task_is_cancelled(void **state)
{
	char fifo[128];
	int fd;

	(void)state;
	(void)snprintf(fifo, sizeof(fifo), "%s/go", rig.dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	begin("read x <$D/go; echo done");
	rig_send(&rig, WIRE_CANCEL, WIRE_CANCEL_USER, rig.task + 7);
	begin("true");
	/* One at a time. */
	expect_result(CADRE_OUTCOME_ERROR);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	rig.task--;
	expect_result(CADRE_OUTCOME_VALUE);
	assert_int_equal(result.payload_len, 5);
}

static void
kill_skips_the_ladder(void **state)
{
	(void)state;
	begin("trap '' INT TERM; echo x; echo $$ >$D/pid; "
	      "while :; do sleep 300; done");
	(void)pid_of("pid");
	rig_send(&rig, WIRE_KILL, SIGKILL, 0);
	expect_result(CADRE_OUTCOME_CANCELLED);
	assert_int_equal(wire_u64(&result, WIRE_TAG_SIGNAL, 0), SIGKILL);
	assert_int_equal(result.payload_len, 2);
}

static void
begin_tree(pid_t ret_pids[3])
{
	begin("trap '' INT TERM HUP; "
	      "setsid sh -c \"trap '' INT TERM HUP; echo \\$\\$ >$D/child; "
	      "setsid sh -c 'echo \\\\\\$\\\\\\$ >$D/grandchild; exec sleep "
	      "300' & "
	      "while :; do sleep 300; done\" & "
	      "echo $$ >$D/main; while :; do sleep 300; done");
	ret_pids[0] = pid_of("main");
	ret_pids[1] = pid_of("child");
	ret_pids[2] = pid_of("grandchild");
}

static void
end_of_the_daemon_ends_all(void **state)
{
	pid_t pids[3];

	(void)state;
	begin_tree(pids);
	rig_stop(&rig); /* checks that the scratch directory is gone */
	for (int i = 0; i < 3; i++)
		assert_false(rig_alive(pids[i]));
	rig_start(&rig, NULL);
	begin_tree(pids);
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	while (rig_next(rig.fd, &rig.in, &rig.used, &result))
		;
	for (int i = 0; i < 3; i++)
		assert_false(rig_alive(pids[i]));
}

/* The parent of a reaper, killed with SIGKILL. */
static void
death_of_the_daemon(void **state)
{
	char scratch[96];
	pid_t pids[4];
	int fds[2];
	pid_t daemon;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	daemon = fork();
	if (daemon == 0) {
		rig_start(&rig, NULL);
		begin_tree(pids);
		pids[3] = rig.pid;
		(void)!write(fds[1], pids, sizeof(pids));
		(void)!write(fds[1], &rig.scratch, sizeof(rig.scratch));
		for (;;)
			(void)pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], pids, sizeof(pids)), sizeof(pids));
	assert_int_equal(read(fds[0], scratch, sizeof(scratch)),
			 sizeof(scratch));
	close(fds[0]);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	for (int i = 0; i < 4; i++)
		rig_wait_gone(pids[i]);
	assert_int_equal(access(scratch, F_OK), -1);
	*strrchr(scratch, '/') = '\0';
	rig_remove(scratch);
}

/* The command's main process goes with the reaper; the rest comes to the next
 * subreaper, which is the daemon, and can be found there. */
static void
death_of_the_reaper(void **state)
{
	pid_t pids[3];

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	rig_start(&rig, NULL);
	begin_tree(pids);
	rig_kill(&rig);
	rig_wait_gone(pids[0]);
	while (tree_signal(getpid(), 0, SIGKILL) > 0)
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	assert_false(tree_has_children(0));
	for (int i = 0; i < 3; i++)
		assert_false(rig_alive(pids[i]));
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static pid_t
sleeper(int depth)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (depth > 0)
		(void)sleeper(depth - 1);
	for (;;)
		(void)pause();
}

/* Kills and collects all below but spare. */
static void
kill_all_but(pid_t spare, pid_t child)
{
	assert_true(tree_signal(getpid(), spare, SIGKILL) > 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	while (tree_has_children(spare)) {
		(void)tree_signal(getpid(), spare, SIGKILL);
		assert_true(waitpid(-1, NULL, 0) > 0);
	}
}

static void
spare_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (int i = 0; i < 2; i++) {
		pid_t a = sleeper(1), b = sleeper(2);

		/* Both ways of looking. */
		tree_search = i == 1;
		assert_true(tree_has_children(a));
		kill_all_but(a, b);
		assert_true(rig_alive(a));
		assert_false(tree_has_children(a));
		kill_all_but(0, a);
	}
	tree_search = false;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* A shell stands in for the worker: descriptors 3 to 6 are what was passed. */
static int worker_socket;

static void
spawn_worker(const char *script)
{
	char entry[96];
	int pair[2];
	int fds[4];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fds[0] = pair[1];
	for (int i = 1; i < 4; i++)
		fds[i] = memfd_create("fd", MFD_CLOEXEC);
	(void)snprintf(entry, sizeof(entry), "D=%s", rig.dir);
	wire_put_str(&rig.fields, WIRE_TAG_ENV, entry);
	rig_shell(&rig, script);
	rig_send_fds(&rig, WIRE_SPAWN, fds, 4);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	worker_socket = pair[0];
}

static void
worker_gets_its_descriptors(void **state)
{
	char text[64] = "";
	pid_t pid;

	(void)state;
	spawn_worker("ls /proc/$$/fd | tr '\\n' ' ' >&3; cat <&3; exit 5");
	rig_expect(&rig, WIRE_SPAWNED, &result);
	assert_int_equal(result.worker, 9);
	assert_int_equal(result.slot, 4);
	pid = (pid_t)wire_u64(&result, WIRE_TAG_PID, 0);
	assert_int_equal(getsid(pid), pid);
	assert_true(rig_readable(worker_socket, RIG_LIMIT_MS));
	assert_true(read(worker_socket, text, sizeof(text) - 1) > 0);
	/* Descriptor 10 and up are the shell's own. */
	assert_memory_equal(text, "0 1 2 3 4 5 6 ", 14);
	close(worker_socket);
	rig_expect(&rig, WIRE_EXITED, &result);
	assert_int_equal(result.worker, 9);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 5);
	assert_true(wire_u64(&result, WIRE_TAG_PEAK, 0) > 100000);
}

static void
worker_and_its_tree_are_killed(void **state)
{
	pid_t child, escaped;

	(void)state;
	spawn_worker("trap '' INT TERM; sleep 300 & echo $! >$D/child; "
		     "setsid sh -c 'echo $$ >$D/escaped; exec sleep 300' & "
		     "while :; do sleep 300; done");
	rig_expect(&rig, WIRE_SPAWNED, &result);
	child = pid_of("child");
	escaped = pid_of("escaped");
	rig_send(&rig, WIRE_KILL, SIGKILL, 0);
	rig_expect(&rig, WIRE_EXITED, &result);
	assert_int_equal(wire_u64(&result, WIRE_TAG_SIGNAL, 0), SIGKILL);
	assert_false(rig_alive(child));
	assert_false(rig_alive(escaped));
	close(worker_socket);
}

/* A command ends while the worker lives: only the command's leftovers go. */
static void
worker_survives_commands(void **state)
{
	pid_t worker, child, left;

	(void)state;
	spawn_worker("sleep 300 & echo $! >$D/child; wait");
	rig_expect(&rig, WIRE_SPAWNED, &result);
	worker = (pid_t)wire_u64(&result, WIRE_TAG_PID, 0);
	child = pid_of("child");
	begin("sleep 300 & echo $! >$D/left; echo x");
	expect_result(CADRE_OUTCOME_VALUE);
	left = pid_of("left");
	assert_false(rig_alive(left));
	begin("echo $$ >$D/pid; while :; do sleep 300; done");
	(void)pid_of("pid");
	rig_send(&rig, WIRE_CANCEL, WIRE_CANCEL_USER, rig.task);
	expect_result(CADRE_OUTCOME_CANCELLED);
	assert_true(rig_alive(worker));
	assert_true(rig_alive(child));
	rig_send(&rig, WIRE_KILL, SIGTERM, 0);
	rig_expect(&rig, WIRE_EXITED, &result);
	assert_int_equal(wire_u64(&result, WIRE_TAG_SIGNAL, 0), SIGTERM);
	assert_false(rig_alive(child));
	close(worker_socket);
}

static void
worker_that_cannot_start(void **state)
{
	const char *const missing[] = {"/no/such/worker", NULL};
	int fds[4];
	char *message;

	(void)state;
	for (int i = 0; i < 4; i++)
		fds[i] = memfd_create("fd", MFD_CLOEXEC);
	rig_argv(&rig, missing);
	rig_send_fds(&rig, WIRE_SPAWN, fds, 4);
	rig_expect(&rig, WIRE_EXITED, &result);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 127);
	message = wire_str(&result, WIRE_TAG_MESSAGE);
	assert_string_equal(message, "cannot run '/no/such/worker': "
				     "No such file or directory");
	free(message);
	/* Without its descriptors it is not even tried. */
	rig_shell(&rig, "exit 0");
	rig_send_fds(&rig, WIRE_SPAWN, fds, 2);
	rig_expect(&rig, WIRE_EXITED, &result);
	message = wire_str(&result, WIRE_TAG_MESSAGE);
	assert_string_equal(message, "a worker needs 4 descriptors, 2 came");
	free(message);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	rig_send(&rig, WIRE_KILL, SIGKILL, 0); /* nobody there: no effect */
	begin("echo ok");
	expect_result(CADRE_OUTCOME_VALUE);
}

/* The file that takes what is over the limit cannot grow. */
static void
full_disk(void **state)
{
	struct rlimit old, small;
	char *path, *message;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 100000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rig_start(&rig, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT_LIMIT, 1000);
	wire_put_str(&rig.fields, WIRE_TAG_OUTPUT_DIR, rig.dir);
	begin("head -c 500000 /dev/zero");
	expect_result(CADRE_OUTCOME_ERROR);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 99), 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_TOTAL, 0), 500000);
	assert_int_equal(result.payload_len, 1000);
	message = wire_str(&result, WIRE_TAG_MESSAGE);
	assert_non_null(strstr(message, "File too large"));
	path = wire_str(&result, WIRE_TAG_OUT_FILE);
	assert_non_null(path);
	assert_int_equal(access(path, R_OK), 0);
	free(message);
	free(path);
	rig_stop(&rig);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(leftovers_are_killed),
		T(late_writers_are_heard),
		T(interrupt_is_enough),
		T(ladder_reaches_the_stubborn),
		T(only_the_running_task_is_cancelled),
		T(kill_skips_the_ladder),
		T(end_of_the_daemon_ends_all),
		cmocka_unit_test(death_of_the_daemon),
		cmocka_unit_test(death_of_the_reaper),
		cmocka_unit_test(spare_is_left_alone),
		T(worker_gets_its_descriptors),
		T(worker_and_its_tree_are_killed),
		T(worker_survives_commands),
		T(worker_that_cannot_start),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
