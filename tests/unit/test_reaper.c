/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/task.h>

#include "test_reaper_rig.h"
#include "util/clock.h"

/* What a reaper may come to after heavy use.  A sanitizer keeps freed memory
 * for a while. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define SMALL_BYTES 400000000
#else
#define SMALL_BYTES 8000000
#endif

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

static void
run(const void *input, size_t len)
{
	rig_task(&rig, input, len);
	rig_expect(&rig, WIRE_RESULT, &result);
	assert_int_equal(result.task, rig.task);
	assert_int_equal(result.attempt, 1);
	assert_int_equal(result.slot, 4);
	assert_int_equal(result.incarnation, 7);
}

static void
run_shell(const char *script)
{
	rig_shell(&rig, script);
	run(NULL, 0);
}

static void
assert_output(const char *out, const char *err)
{
	size_t out_len = (size_t)wire_u64(&result, WIRE_TAG_OUT_LEN, 99999);

	assert_int_equal(out_len, strlen(out));
	assert_int_equal(result.payload_len, strlen(out) + strlen(err));
	assert_memory_equal(result.payload, out, strlen(out));
	assert_memory_equal(result.payload + out_len, err, strlen(err));
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_TOTAL, 99999),
			 strlen(out));
	assert_int_equal(wire_u64(&result, WIRE_TAG_ERR_TOTAL, 99999),
			 strlen(err));
}

static void
assert_message(const char *part)
{
	char *message = wire_str(&result, WIRE_TAG_MESSAGE);

	assert_non_null(message);
	if (strstr(message, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, message);
	free(message);
}

static void
status_and_output(void **state)
{
	(void)state;
	run_shell("echo out; echo err >&2");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 999), 0);
	assert_output("out\n", "err\n");
	assert_true(wire_u64(&result, WIRE_TAG_WALL_NS, 0) > 0);
	assert_true(wire_u64(&result, WIRE_TAG_PEAK, 0) > 100000);
	assert_true(wire_u64(&result, WIRE_TAG_STARTED_UNIX, 0) > 0);
	run_shell("exit 77");
	assert_int_equal(result.code, CADRE_OUTCOME_EXIT);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 999), 77);
	assert_output("", "");
	run_shell("kill -USR1 $$");
	assert_int_equal(result.code, CADRE_OUTCOME_EXIT);
	assert_int_equal(wire_u64(&result, WIRE_TAG_SIGNAL, 0), SIGUSR1);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 999), 999);
}

static void
standard_input(void **state)
{
	static char big[300000];
	char path[128];
	FILE *f;

	(void)state;
	rig_shell(&rig, "cat");
	run("hello", 5);
	assert_output("hello", "");
	memset(big, 'x', sizeof(big));
	rig_shell(&rig, "wc -c | tr -d ' '");
	run(big, sizeof(big));
	assert_output("300000\n", "");
	run_shell("cat; test -c /dev/stdin");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	assert_output("", "");
	(void)snprintf(path, sizeof(path), "%s/in", rig.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs("from a file", f) >= 0);
	assert_int_equal(fclose(f), 0);
	wire_put_str(&rig.fields, WIRE_TAG_STDIN_FILE, "in");
	wire_put_str(&rig.fields, WIRE_TAG_CWD, rig.dir);
	run_shell("cat");
	assert_output("from a file", "");
	wire_put_str(&rig.fields, WIRE_TAG_STDIN_FILE, "/no/such");
	run_shell("cat");
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_message("cannot open '/no/such' as standard input: "
		       "No such file or directory");
}

static void
environment(void **state)
{
	char expected[256];

	(void)state;
	wire_put_str(&rig.fields, WIRE_TAG_ENV, "RIG_ADDED=a b");
	wire_put_str(&rig.fields, WIRE_TAG_ENV, "RIG_GONE");
	wire_put_str(&rig.fields, WIRE_TAG_ENV, "RIG_CHANGED=new");
	run_shell("echo \"$RIG_ADDED,$RIG_GONE,$RIG_CHANGED,$RIG_KEPT,"
		  "$OMPI_X,$PMIX_X,$PMI_X,$MUNGE_X,$CADRE_SECRET\"");
	assert_output("a b,,new,kept,,,,,\n", "");
	(void)snprintf(expected, sizeof(expected), "2 1 5 %s/slot-4 rig\n",
		       rig.scratch);
	run_shell("echo $CADRE_TASK_ID $CADRE_ATTEMPT $CADRE_SLOT "
		  "$CADRE_SCRATCH $CADRE_MARK");
	assert_output(expected, "");
	wire_put_u64(&rig.fields, WIRE_TAG_CLEAR_ENV, 1);
	wire_put_str(&rig.fields, WIRE_TAG_ENV, "RIG_ADDED=x");
	run_shell("echo \"$RIG_KEPT,$RIG_ADDED,$CADRE_SLOT\"");
	assert_output(",x,5\n", "");
}

static void
working_directory(void **state)
{
	char expected[128];

	(void)state;
	wire_put_str(&rig.fields, WIRE_TAG_CWD, rig.dir);
	run_shell("pwd");
	(void)snprintf(expected, sizeof(expected), "%s\n", rig.dir);
	assert_output(expected, "");
	wire_put_str(&rig.fields, WIRE_TAG_CWD, "/no/such");
	run_shell("pwd");
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 126);
	assert_message("cannot change to the working directory '/no/such': "
		       "No such file or directory");
}

static void
programs_that_cannot_run(void **state)
{
	const char *const missing[] = {"cadre-no-such-program", NULL};
	const char *const directory[] = {"/", NULL};
	const char *const empty[] = {"", NULL};

	(void)state;
	rig_argv(&rig, missing);
	run(NULL, 0);
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 127);
	assert_message("cannot run 'cadre-no-such-program': "
		       "No such file or directory");
	rig_argv(&rig, directory);
	run(NULL, 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 126);
	assert_message("cannot run '/': Permission denied");
	rig_argv(&rig, empty);
	run(NULL, 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 127);
	run(NULL, 0);
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_message("no command");
	/* It goes on. */
	run_shell("echo ok");
	assert_output("ok\n", "");
}

static void
path_is_the_tasks(void **state)
{
	const char *const tool[] = {"tool", "arg", NULL};
	char path[128], entry[160];
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tool", rig.dir);
	(void)snprintf(entry, sizeof(entry), "PATH=/no/such:%s:/bin", rig.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	/* No interpreter line: the shell runs it. */
	assert_true(fputs("echo tool \"$1\"\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	rig_argv(&rig, tool);
	wire_put_str(&rig.fields, WIRE_TAG_ENV, entry);
	run(NULL, 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 126);
	assert_message("cannot run 'tool': Permission denied");
	assert_int_equal(chmod(path, 0755), 0);
	rig_argv(&rig, tool);
	wire_put_str(&rig.fields, WIRE_TAG_ENV, entry);
	run(NULL, 0);
	assert_output("tool arg\n", "");
}

static void
odd_arguments(void **state)
{
	const char *const argv[] = {"printf",	"%s|", "a\nb",	   "\"'\\ $x",
				    "\xff\xfe", "",    "12345678", NULL};
	static char big[10 << 20];

	(void)state;
	rig_argv(&rig, argv);
	run(NULL, 0);
	assert_output("a\nb|\"'\\ $x|\xff\xfe||12345678|", "");
	for (size_t i = 0; i < sizeof(big) / 100; i++) {
		memset(big, 'x', 92);
		big[92] = '\0';
		wire_put_str(&rig.fields, WIRE_TAG_ARGV, i == 0 ? "true" : big);
	}
	run(NULL, 0);
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 0), 126);
	assert_message("cannot run 'true': its arguments and environment take");
	run_shell("echo ok");
	assert_output("ok\n", "");
}

static void
check_file(uint16_t tag, size_t len, char c)
{
	char *path = wire_str(&result, tag);
	struct stat st;
	FILE *f;

	assert_non_null(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_mode & 0777, 0600);
	f = fopen(path, "re");
	assert_non_null(f);
	while (len-- > 0)
		assert_int_equal(fgetc(f), c);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(unlink(path), 0);
	free(path);
}

#define FLOOD "head -c 1000000 /dev/zero | tr '\\0' "

static void
output_over_the_limit(void **state)
{
	(void)state;
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT_LIMIT, 1000);
	wire_put_str(&rig.fields, WIRE_TAG_OUTPUT_DIR, rig.dir);
	run_shell(FLOOD "x; " FLOOD "y >&2");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_LEN, 0), 1000);
	assert_int_equal(result.payload_len, 2000);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_TOTAL, 0), 1000000);
	assert_int_equal(wire_u64(&result, WIRE_TAG_ERR_TOTAL, 0), 1000000);
	for (size_t i = 0; i < 2000; i++)
		assert_int_equal(result.payload[i], i < 1000 ? 'x' : 'y');
	check_file(WIRE_TAG_OUT_FILE, 1000000, 'x');
	check_file(WIRE_TAG_ERR_FILE, 1000000, 'y');
	/* Exactly the limit needs no file. */
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT_LIMIT, 3);
	run_shell("printf abc");
	assert_output("abc", "");
	assert_null(wire_str(&result, WIRE_TAG_OUT_FILE));
}

static void
file_that_cannot_be_written(void **state)
{
	(void)state;
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT_LIMIT, 1000);
	wire_put_str(&rig.fields, WIRE_TAG_OUTPUT_DIR, "/no/such");
	run_shell(FLOOD "x");
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_int_equal(wire_u64(&result, WIRE_TAG_STATUS, 99), 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_TOTAL, 0), 1000000);
	assert_int_equal(result.payload_len, 1000);
	assert_message("stdout is over output-limit and could not be written "
		       "to '/no/such'");
}

static void
large_output_in_memory(void **state)
{
	(void)state;
	run_shell("head -c 12000000 /dev/zero");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	assert_int_equal(result.payload_len, 12000000);
	/* What the reaper used must not show in the next command's peak. */
	run_shell("true");
	assert_true(wire_u64(&result, WIRE_TAG_PEAK, UINT64_MAX) < SMALL_BYTES);
}

static void
merged_and_discarded(void **state)
{
	(void)state;
	wire_put_u64(&rig.fields, WIRE_TAG_MERGE, 1);
	run_shell("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
	assert_output("1\n2\n3\n4\n", "");
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT, WIRE_OUTPUT_DISCARD);
	run_shell("echo 1 && echo 2 >&2 && cat");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	assert_output("", "");
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT, WIRE_OUTPUT_DISCARD);
	rig_shell(&rig, "echo 1 && echo 2 >&2 && test \"$(cat)\" = in");
	run("in", 2);
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
}

static void
streamed(void **state)
{
	struct wire_frame frame;
	char fifo[128], script[256];
	int fd;

	(void)state;
	(void)snprintf(fifo, sizeof(fifo), "%s/go", rig.dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	(void)snprintf(script, sizeof(script),
		       "echo one; read x < %s; echo two >&2", fifo);
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT, WIRE_OUTPUT_STREAM);
	rig_shell(&rig, script);
	rig_task(&rig, NULL, 0);
	rig_expect(&rig, WIRE_OUTPUT, &frame);
	assert_int_equal(frame.code, 1);
	assert_int_equal(frame.task, rig.task);
	assert_int_equal(frame.payload_len, 4);
	assert_memory_equal(frame.payload, "one\n", 4);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	rig_expect(&rig, WIRE_RESULT, &result);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_LEN, 99), 0);
	assert_int_equal(wire_u64(&result, WIRE_TAG_OUT_TOTAL, 99), 4);
	assert_int_equal(wire_u64(&result, WIRE_TAG_ERR_TOTAL, 99), 4);
	assert_memory_equal(result.payload, "two\n", 4);
}

/* Nobody reads the control socket: the command must be held up by its pipe,
 * and nothing be lost afterwards. */
static void
flooding_is_held_up(void **state)
{
	uint64_t total = 0;
	char path[64];
	long pages;
	FILE *f;

	(void)state;
	wire_put_u64(&rig.fields, WIRE_TAG_OUTPUT, WIRE_OUTPUT_STREAM);
	rig_shell(&rig, "head -c 50000000 /dev/zero");
	rig_task(&rig, NULL, 0);
	assert_true(rig_readable(rig.fd, RIG_LIMIT_MS));
	for (;;) {
		struct wire_frame frame;

		assert_true(rig_next(rig.fd, &rig.in, &rig.used, &frame));
		total += frame.payload_len;
		if (frame.type == WIRE_RESULT)
			break;
		assert_int_equal(frame.type, WIRE_OUTPUT);
		assert_true(frame.payload_len <= 131072);
	}
	assert_int_equal(total, 50000000);
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)rig.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	assert_int_equal(fclose(f), 0);
	assert_true(pages * sysconf(_SC_PAGESIZE) < SMALL_BYTES);
}

static void
scratch_is_emptied(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		run_shell("cd \"$CADRE_SCRATCH\" && test -z \"$(ls -A)\" && "
			  "mkdir -p a/b .c && touch a/b/d .c/e f && "
			  "ln -s / link && chmod 0 a/b");
		assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
	}
	run_shell("rm -rf \"$CADRE_SCRATCH\"");
	run_shell("test -d \"$CADRE_SCRATCH\"");
	assert_int_equal(result.code, CADRE_OUTCOME_VALUE);
}

static void
signals_are_at_their_defaults(void **state)
{
	(void)state;
	run_shell("cat /proc/self/status | grep -E 'Sig(Blk|Ign|Cgt)' | "
		  "tr -d '\\t\\n'");
	assert_output("SigBlk:0000000000000000SigIgn:0000000000000000"
		      "SigCgt:0000000000000000",
		      "");
	run_shell("ls /proc/self/fd | tr '\\n' ' '");
	assert_output("0 1 2 3 ", "");
}

static int
start_with_limits(void **state)
{
	const char *const extra[] = {"--memory-limit", "200M", NULL};

	(void)state;
	rig_start(&rig, extra);
	return 0;
}

static void
memory_limit(void **state)
{
	(void)state;
	run_shell("ulimit -v");
	assert_output("204800\n", "");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(status_and_output),
		T(standard_input),
		T(environment),
		T(working_directory),
		T(programs_that_cannot_run),
		T(path_is_the_tasks),
		T(odd_arguments),
		T(output_over_the_limit),
		T(file_that_cannot_be_written),
		T(large_output_in_memory),
		T(merged_and_discarded),
		T(streamed),
		T(flooding_is_held_up),
		T(scratch_is_emptied),
		T(signals_are_at_their_defaults),
		cmocka_unit_test_setup_teardown(memory_limit, start_with_limits,
						stop),
	};

	assert_int_equal(setenv("RIG_GONE", "x", 1), 0);
	assert_int_equal(setenv("RIG_CHANGED", "old", 1), 0);
	assert_int_equal(setenv("RIG_KEPT", "kept", 1), 0);
	assert_int_equal(setenv("OMPI_X", "x", 1), 0);
	assert_int_equal(setenv("PMIX_X", "x", 1), 0);
	assert_int_equal(setenv("PMI_X", "x", 1), 0);
	assert_int_equal(setenv("MUNGE_X", "x", 1), 0);
	assert_int_equal(setenv("CADRE_SECRET", "x", 1), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
