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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/task.h>

#include "engine/engine.h"
#include "test_reaper_rig.h"
#include "util/clock.h"
#include "value/codec.h"

#define LIBRARY "tests/native/.libs/librig.so"

/* A worker, and what the daemon holds of it. */
static struct {
	pid_t pid;
	int fd;
	int in_fd;
	int out_fd;
	struct engine_page *page;
	struct buf in;
	size_t used;
	struct buf out;
	uint64_t task;
	char notes[64];
} w;

static void __attribute__((noreturn)) run_worker(const int fds[4])
{
	int high[4];

	for (int i = 0; i < 4; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 20);
	for (int i = 0; i < 4; i++)
		(void)dup2(high[i], ENGINE_FD + i);
	for (int i = 0; i < 4; i++)
		close(high[i]);
	(void)execl(rig_built("cadre-native"), "cadre-native", (char *)NULL);
	_exit(99);
}

static int
start(void **state)
{
	int pair[2], page_fd;
	int fds[4];

	(void)state;
	memset(&w, 0, sizeof(w));
	(void)snprintf(w.notes, sizeof(w.notes), "/tmp/cadre-notes-XXXXXX");
	close(mkstemp(w.notes));
	assert_int_equal(setenv("RIG_NOTES", w.notes, 1), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	page_fd = memfd_create("page", MFD_CLOEXEC);
	w.in_fd = memfd_create("in", MFD_CLOEXEC);
	w.out_fd = memfd_create("out", MFD_CLOEXEC);
	assert_int_equal(ftruncate(page_fd, 4096), 0);
	w.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd,
		      0);
	assert_ptr_not_equal(w.page, MAP_FAILED);
	w.fd = pair[0];
	buf_init(&w.in, SIZE_MAX);
	buf_init(&w.out, SIZE_MAX);
	fds[0] = pair[1];
	fds[1] = page_fd;
	fds[2] = w.in_fd;
	fds[3] = w.out_fd;
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0)
		run_worker(fds);
	close(pair[1]);
	close(page_fd);
	return 0;
}

static void
release(void)
{
	close(w.fd);
	close(w.in_fd);
	close(w.out_fd);
	(void)munmap(w.page, 4096);
	buf_fini(&w.in);
	buf_fini(&w.out);
	(void)unlink(w.notes);
}

/* The end of the socket: the worker runs its hooks and exits. */
static void
end_worker(void)
{
	int status;

	assert_int_equal(shutdown(w.fd, SHUT_WR), 0);
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	w.pid = 0;
}

static int
stop(void **state)
{
	(void)state;
	if (w.pid != 0)
		end_worker();
	release();
	return 0;
}

static void
assert_notes(const char *expected)
{
	char text[256] = "";
	FILE *f = fopen(w.notes, "re");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, expected);
}

/* Appends a task to what is sent next. */
static void
put_fields(enum wire_type type, const struct buf *fields,
	   const struct cadre_value *args)
{
	struct wire_frame frame = {.type = (uint16_t)type, .attempt = 3};
	struct buf payload;

	buf_init(&payload, SIZE_MAX);
	if (args != NULL)
		value_encode(&payload, args);
	frame.task = ++w.task;
	frame.fields = fields->data;
	frame.fields_len = fields->len;
	frame.payload = payload.data;
	frame.payload_len = payload.len;
	wire_encode(&w.out, &frame);
	buf_fini(&payload);
}

static void
put(const char *function, const struct cadre_value *args)
{
	struct buf fields;

	buf_init(&fields, SIZE_MAX);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_LIBRARY, rig_built(LIBRARY));
	wire_put_str(&fields, WIRE_TAG_FUNCTION, function);
	put_fields(WIRE_TASK, &fields, args);
	buf_fini(&fields);
}

static void
send_all(void)
{
	size_t done = 0;

	while (done < w.out.len) {
		ssize_t n = send(w.fd, w.out.data + done, w.out.len - done,
				 MSG_NOSIGNAL);

		assert_true(n > 0);
		done += (size_t)n;
	}
	buf_reset(&w.out);
}

static struct wire_frame frame;

static void
expect(enum wire_type type, uint8_t code)
{
	assert_true(rig_next(w.fd, &w.in, &w.used, &frame));
	assert_string_equal(wire_type_name(frame.type),
			    wire_type_name((uint16_t)type));
	if (type == WIRE_RESULT && frame.code != code) {
		char *message = wire_str(&frame, WIRE_TAG_MESSAGE);

		fail_msg("code %d: %s", frame.code,
			 message == NULL ? "" : message);
	}
	assert_int_equal(frame.code, code);
}

static void
returns(const struct cadre_value *expected)
{
	struct cadre_value *v = NULL;

	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame.attempt, 3);
	assert_int_equal(
		value_decode(frame.payload, frame.payload_len, NULL, &v), 0);
	assert_true(cadre_value_equal(v, expected));
	cadre_value_free(&v);
}

static void
returns_string(const char *text)
{
	struct cadre_value *v = cadre_value_of_string(text);

	returns(v);
	cadre_value_free(&v);
}

static void
assert_message(const char *part)
{
	char *message = wire_str(&frame, WIRE_TAG_MESSAGE);

	assert_non_null(message);
	if (strstr(message, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, message);
	free(message);
}

static void
expect_error(const char *part)
{
	expect(WIRE_RESULT, CADRE_OUTCOME_ERROR);
	assert_message(part);
}

/* A list of the value, which is taken. */
static struct cadre_value *
list_of(const char *name, struct cadre_value *v)
{
	struct cadre_value *list = cadre_value_list(0);

	assert_non_null(list);
	assert_int_equal(cadre_value_list_add(list, name, &v), 0);
	return list;
}

static void
call_with(const char *function, const char *name, struct cadre_value *v)
{
	struct cadre_value *args = list_of(name, v);

	put(function, args);
	cadre_value_free(&args);
	send_all();
}

static void
call(const char *function)
{
	put(function, NULL);
	send_all();
}

static void
values_come_back(void **state)
{
	static const double pairs[] = {1, 2, 3, 4};
	static const char *const strings[] = {"a", NULL, "\xff"};
	static const int64_t wide[] = {INT64_MAX, CADRE_NA_INT64};
	static const int32_t narrow[] = {1, 0, CADRE_NA_INT32};
	struct cadre_value *list = cadre_value_list(0);
	struct cadre_value *items[] = {
		cadre_value_null(),
		cadre_value_logical(narrow, 3),
		cadre_value_int32(narrow, 3),
		cadre_value_int64(wide, 2),
		cadre_value_double(pairs, 4),
		cadre_value_complex(pairs, 2),
		cadre_value_string(strings, 3),
		cadre_value_raw("abc", 3),
		cadre_value_opaque(CADRE_OPAQUE_R, "abc", 3),
		list_of("inner", cadre_value_of_double(1)),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		assert_int_equal(cadre_value_list_add(list, i % 2 ? "n" : NULL,
						      &items[i]),
				 0);
	put("echo", list);
	send_all();
	returns(list);
	cadre_value_free(&list);
}

static void
plain_calls(void **state)
{
	struct cadre_value *null = cadre_value_null();
	struct cadre_value *four = cadre_value_of_double(4);

	(void)state;
	call("noop");
	returns(null);
	assert_true(wire_u64(&frame, WIRE_TAG_WALL_NS, 0) > 0);
	call("nothing");
	returns(null);
	call_with("square", "x", cadre_value_of_double(2));
	returns(four);
	call("who");
	returns_string("4 3");
	cadre_value_free(&null);
	cadre_value_free(&four);
}

static void
failures(void **state)
{
	struct cadre_value *null = cadre_value_null();
	struct buf fields;

	(void)state;
	call_with("square", "x", cadre_value_of_string("no"));
	expect_error("x must be a number");
	call("silent_failure");
	expect_error("returned 3 without a message");
	call("fails_late");
	expect_error("was gone");
	call("out_of_memory");
	expect_error("out of memory for the result");
	call("no_such_function");
	expect_error("there is no function 'no_such_function' in '");
	put("noop", null);
	cadre_value_free(&null);
	w.out.data[w.out.len - 16] = 77;
	send_all();
	expect_error("the arguments cannot be decoded");
	buf_init(&fields, SIZE_MAX);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	put_fields(WIRE_TASK, &fields, NULL);
	send_all();
	expect_error("needs a function");
	buf_fini(&fields);
	call("noop");
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
}

static void
expect_library_error(const char *path, const char *part)
{
	struct buf fields;

	buf_init(&fields, SIZE_MAX);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_LIBRARY, path);
	wire_put_str(&fields, WIRE_TAG_FUNCTION, "noop");
	put_fields(WIRE_TASK, &fields, NULL);
	send_all();
	expect_error(part);
	buf_fini(&fields);
}

static void
write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
libraries_that_cannot_be_loaded(void **state)
{
	/* Class, byte order, version, padding; type; machine. */
	unsigned char header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	char path[] = "/tmp/cadre-lib-XXXXXX";

	(void)state;
	close(mkstemp(path));
	expect_library_error("/no/such/lib.so",
			     "'/no/such/lib.so': No such file or directory");
	expect_library_error("libno-such.so", "give a path");
	write_file(path, "not a library at all", 20);
	expect_library_error(path, "it is no shared library");
	header[16] = 3;
	header[18] = 22; /* s390 */
	write_file(path, header, sizeof(header));
	expect_library_error(path, "it was built for s390x, this machine is");
	assert_int_equal(unlink(path), 0);
}

static void
init_hook(void **state)
{
	struct cadre_value *one = cadre_value_of_int64(1);

	(void)state;
	call("noop");
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	call("count_inits");
	returns(one);
	end_worker();
	assert_notes("fini\n");
	cadre_value_free(&one);
}

static int
start_failing_init(void **state)
{
	int rc;

	assert_int_equal(setenv("RIG_INIT_FAILS", "1", 1), 0);
	rc = start(state);
	assert_int_equal(unsetenv("RIG_INIT_FAILS"), 0);
	return rc;
}

static void
init_hook_fails(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		call("noop");
		expect_error("cadre_native_init of '");
		assert_message("returned 7");
	}
}

static void
state_is_kept(void **state)
{
	struct cadre_value *null = cadre_value_null();

	(void)state;
	call("get_state");
	returns(null);
	call_with("set_state", NULL, cadre_value_of_string("a"));
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	call("get_state");
	returns_string("a");
	call_with("set_state", NULL, cadre_value_of_string("b"));
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	assert_notes("a\n");
	end_worker();
	assert_notes("a\nb\nfini\n");
	cadre_value_free(&null);
}

static void
epochs_are_answered_as_such(void **state)
{
	struct cadre_value *args =
		list_of(NULL, cadre_value_of_string("by everywhere"));
	struct buf fields;

	(void)state;
	buf_init(&fields, SIZE_MAX);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_LIBRARY, rig_built(LIBRARY));
	wire_put_str(&fields, WIRE_TAG_FUNCTION, "set_state");
	put_fields(WIRE_EVERYWHERE, &fields, args);
	buf_reset(&fields);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_LIBRARY, rig_built(LIBRARY));
	wire_put_str(&fields, WIRE_TAG_FUNCTION, "silent_failure");
	put_fields(WIRE_EVERYWHERE, &fields, NULL);
	put("get_state", NULL);
	send_all();
	expect(WIRE_EPOCH, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame.task, 1);
	expect(WIRE_EPOCH, CADRE_OUTCOME_ERROR);
	assert_int_equal(frame.task, 2);
	assert_message("returned 3");
	returns_string("by everywhere");
	buf_fini(&fields);
	cadre_value_free(&args);
}

static void
crash_ends_the_worker(void **state)
{
	int status;

	(void)state;
	put("noop", NULL);
	put("crash", NULL);
	put("noop", NULL);
	send_all();
	/* The result before may be lost; the page tells what had begun. */
	while (rig_next(w.fd, &w.in, &w.used, &frame))
		assert_int_equal(frame.task, 1);
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	w.pid = 0;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(engine_begun(w.page), 2);
}

static void
progress_and_cancel(void **state)
{
	(void)state;
	call("says");
	expect(WIRE_OUTPUT, 3);
	assert_int_equal(frame.task, 1);
	assert_memory_equal(frame.payload, "one", 3);
	expect(WIRE_OUTPUT, 3);
	assert_memory_equal(frame.payload, "two", 3);
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	call("wait_for_cancel");
	expect(WIRE_OUTPUT, 3);
	assert_int_equal(engine_begun(w.page), 2);
	atomic_store(&w.page->cancel, 2);
	/* One that comes just before the sleep wakes nobody. */
	do {
		assert_int_equal(kill(w.pid, SIGINT), 0);
	} while (!rig_readable(w.fd, 20));
	returns_string("cancelled");
}

static void
revoked_frames_are_passed_over(void **state)
{
	struct cadre_value *null = cadre_value_null();

	(void)state;
	put("wait_for_cancel", NULL);
	put("who", NULL);
	put("who", NULL);
	send_all();
	expect(WIRE_OUTPUT, 3);
	assert_int_equal(engine_revoke(w.page, 3), 1);
	put("who", NULL);
	send_all();
	atomic_store(&w.page->cancel, 1);
	do {
		assert_int_equal(kill(w.pid, SIGINT), 0);
	} while (!rig_readable(w.fd, 20));
	returns_string("cancelled");
	returns_string("4 3");
	assert_int_equal(engine_begun(w.page), 4);
	cadre_value_free(&null);
}

/* Payloads in the memfds, both ways. */
static void
large_payloads(void **state)
{
	const size_t n = 1000000;
	struct cadre_value *big = cadre_value_double(NULL, n), *v = NULL;
	struct cadre_value *args;
	struct wire_frame task = {.type = WIRE_TASK, .task = 1, .attempt = 3};
	struct buf fields, payload;
	size_t len;
	void *data;

	(void)state;
	for (size_t i = 0; i < n; i++)
		((double *)cadre_value_data(big))[i] = (double)i;
	args = list_of(NULL, cadre_value_copy(big));
	buf_init(&payload, SIZE_MAX);
	value_encode(&payload, args);
	assert_int_equal(ftruncate(w.in_fd, (off_t)payload.len + 64), 0);
	assert_int_equal(pwrite(w.in_fd, payload.data, payload.len, 64),
			 payload.len);
	buf_init(&fields, SIZE_MAX);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&fields, WIRE_TAG_LIBRARY, rig_built(LIBRARY));
	wire_put_str(&fields, WIRE_TAG_FUNCTION, "first");
	wire_put_u64(&fields, WIRE_TAG_SHARED_OFFSET, 64);
	wire_put_u64(&fields, WIRE_TAG_SHARED_LEN, payload.len);
	task.fields = fields.data;
	task.fields_len = fields.len;
	wire_encode(&w.out, &task);
	send_all();
	expect(WIRE_RESULT, CADRE_OUTCOME_VALUE);
	assert_int_equal(frame.payload_len, 0);
	assert_int_equal(atomic_load(&w.page->out_busy), 1);
	len = (size_t)wire_u64(&frame, WIRE_TAG_SHARED_LEN, 0);
	assert_int_equal(wire_u64(&frame, WIRE_TAG_SHARED_OFFSET, 99), 0);
	data = mmap(NULL, len, PROT_READ, MAP_SHARED, w.out_fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	assert_int_equal(value_decode(data, len, NULL, &v), 0);
	assert_true(cadre_value_equal(v, big));
	cadre_value_free(&v);
	/* The memory is still busy: the next one comes in its frame. */
	call_with("first", NULL, cadre_value_copy(big));
	returns(big);
	assert_int_equal(munmap(data, len), 0);
	/* An offset past the end is refused. */
	buf_reset(&fields);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_u64(&fields, WIRE_TAG_SHARED_OFFSET, 1 << 30);
	wire_put_u64(&fields, WIRE_TAG_SHARED_LEN, 1 << 20);
	task.fields = fields.data;
	task.fields_len = fields.len;
	wire_encode(&w.out, &task);
	send_all();
	expect_error("shared memory");
	cadre_value_free(&args);
	cadre_value_free(&big);
	buf_fini(&fields);
	buf_fini(&payload);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(values_come_back),
		T(plain_calls),
		T(failures),
		T(libraries_that_cannot_be_loaded),
		T(init_hook),
		cmocka_unit_test_setup_teardown(init_hook_fails,
						start_failing_init, stop),
		T(state_is_kept),
		T(epochs_are_answered_as_such),
		T(crash_ends_the_worker),
		T(progress_and_cancel),
		T(revoked_frames_are_passed_over),
		T(large_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
