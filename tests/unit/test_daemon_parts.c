/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/error.h>

#include "daemon/epochs.h"
#include "daemon/inbox.h"
#include "daemon/mark.h"
#include "daemon/queue.h"
#include "daemon/scratch.h"
#include "daemon/settings.h"
#include "daemon/shared.h"
#include "util/log.h"

/* The parts of cadred that need no process. */

/* --- queue --- */

static void
push(struct queue *q, uint64_t task, enum wire_engine engine,
     const void *payload, size_t len)
{
	struct wire_frame frame = {.type = WIRE_TASK,
				   .task = task,
				   .attempt = 1,
				   .payload = payload,
				   .payload_len = len};
	struct buf fields;

	buf_init(&fields, 4096);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, engine);
	wire_put_u64(&fields, WIRE_TAG_TIMEOUT_MS, task * 10);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	assert_int_equal(queue_push(q, &frame, 1000), 0);
	buf_fini(&fields);
}

/* What a worker would read of the next writes, at most max bytes of each. */
struct stream {
	struct buf bytes;
	size_t pos;
	uint32_t number;
};

static uint32_t
write_some(struct queue *q, struct stream *s, size_t max, uint32_t tasks)
{
	struct iovec iov[4];
	int n = queue_gather(q, iov, 4, 1 << 20, tasks);
	size_t total = 0;

	for (int i = 0; i < n && total < max; i++) {
		size_t part = iov[i].iov_len < max - total ? iov[i].iov_len
							   : max - total;

		buf_put(&s->bytes, iov[i].iov_base, part);
		total += part;
	}
	return queue_wrote(q, total, &s->number);
}

/* The next whole frame of the stream. */
static struct wire_frame
read_frame(struct stream *s)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame frame;
	uint64_t size;

	assert_int_equal(wire_peek(s->bytes.data + s->pos,
				   s->bytes.len - s->pos, 1 << 20, &size),
			 0);
	assert_true(size <= s->bytes.len - s->pos);
	if (wire_decode(s->bytes.data + s->pos, (size_t)size, &frame, &err) < 0)
		fail_msg("%s", err.text);
	s->pos += (size_t)size;
	return frame;
}

static void
setup(struct queue *q, struct stream *s)
{
	queue_init(q);
	memset(s, 0, sizeof(*s));
	buf_init(&s->bytes, SIZE_MAX / 2);
}

static void
teardown(struct queue *q, struct stream *s)
{
	queue_fini(q);
	buf_fini(&s->bytes);
}

static void
the_queue_writes_tasks_in_order(void **unused)
{
	struct stream s;
	struct queue q;

	(void)unused;
	setup(&q, &s);
	for (uint64_t i = 1; i <= 100; i++)
		push(&q, i, WIRE_ENGINE_NATIVE, "payload", 7);
	assert_int_equal(q.open, 100);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, 30), 30);
	assert_int_equal(queue_unsent(&q)->task, 31);
	/* In small bites: numbered when the first byte leaves. */
	while (queue_unsent(&q) != NULL)
		(void)write_some(&q, &s, 13, UINT32_MAX);
	assert_int_equal(s.number, 100);
	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(read_frame(&s).task, i);
		assert_int_equal(queue_head(&q)->task, i);
		assert_int_equal(queue_head(&q)->number, i);
		assert_int_equal(queue_head(&q)->timeout_ms, i * 10);
		queue_pop(&q);
	}
	assert_null(queue_head(&q));
	assert_int_equal(q.open, 0);
	teardown(&q, &s);
}

static void
the_queue_stops_at_commands_and_large_payloads(void **unused)
{
	static uint8_t large[2000];
	struct wire_frame frame;
	struct stream s;
	struct queue q;

	(void)unused;
	setup(&q, &s);
	push(&q, 1, WIRE_ENGINE_NATIVE, NULL, 0);
	push(&q, 2, WIRE_ENGINE_NATIVE, large, sizeof(large));
	push(&q, 3, WIRE_ENGINE_NATIVE, NULL, 0);
	push(&q, 4, WIRE_ENGINE_COMMAND, NULL, 0);
	push(&q, 5, WIRE_ENGINE_NATIVE, NULL, 0);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 1);
	assert_int_equal(queue_unsent(&q)->payload_len, sizeof(large));
	queue_place(&q, queue_unsent(&q));
	assert_int_equal(q.placed, 1);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 2);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 0);
	(void)read_frame(&s);
	frame = read_frame(&s);
	assert_int_equal(frame.payload_len, 0);
	assert_int_equal(wire_u64(&frame, WIRE_TAG_SHARED_LEN, 0),
			 sizeof(large));
	queue_pop(&q);
	queue_pop(&q);
	assert_int_equal(q.placed, 0);
	queue_pop(&q);
	assert_int_equal(queue_head(&q)->task, 4);
	queue_pop(&q);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 1);
	teardown(&q, &s);
}

/* A revoked frame that was cut in the middle is completed, then all that were
 * revoked follow with new numbers. */
static void
the_queue_takes_back_what_has_not_begun(void **unused)
{
	static const uint64_t expected[] = {1, 2, 3, 2, 4, 5};
	struct stream s;
	struct queue q;

	(void)unused;
	setup(&q, &s);
	for (uint64_t i = 1; i <= 5; i++)
		push(&q, i, WIRE_ENGINE_NATIVE, "payload", 7);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, 2), 2);
	assert_int_equal(write_some(&q, &s, 20, 1), 1);
	assert_int_equal(queue_rewind(&q, 1), 2);
	queue_drop(&q, queue_find(&q, 3, 1));
	assert_null(queue_find(&q, 3, 1));
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 3);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(read_frame(&s).task, expected[i]);
	assert_int_equal(s.pos, s.bytes.len);
	assert_int_equal(queue_find(&q, 2, 1)->number, 4);
	assert_int_equal(queue_find(&q, 5, 1)->number, 6);
	assert_int_equal(queue_find(&q, 1, 1)->number, 1);
	teardown(&q, &s);
}

static void
the_queue_starts_over_with_another_worker(void **unused)
{
	struct stream s;
	struct queue q;

	(void)unused;
	setup(&q, &s);
	for (uint64_t i = 1; i <= 3; i++)
		push(&q, i, WIRE_ENGINE_NATIVE, NULL, 0);
	assert_int_equal(write_some(&q, &s, 100, UINT32_MAX), 2);
	queue_pop(&q);
	queue_restart(&q);
	buf_reset(&s.bytes);
	s.number = 0;
	assert_int_equal(queue_insert(&q, NULL, 0), 0);
	assert_int_equal(write_some(&q, &s, SIZE_MAX, UINT32_MAX), 2);
	assert_int_equal(read_frame(&s).task, 2);
	assert_int_equal(read_frame(&s).task, 3);
	queue_clear(&q);
	assert_int_equal(q.open, 0);
	assert_null(queue_head(&q));
	teardown(&q, &s);
}

/* Random operations against the plainest model there is. */
static void
the_queue_keeps_count_under_random_use(void **unused)
{
	struct stream s;
	struct queue q;
	uint64_t next = 1, oldest = 1;
	unsigned int seed = 20240607;

	(void)unused;
	setup(&q, &s);
	for (int i = 0; i < 200000; i++) {
		int what = rand_r(&seed) % 8;

		if (what < 3 && next - oldest < 500) {
			push(&q, next++, WIRE_ENGINE_NATIVE, "x", 1);
		} else if (what < 5) {
			(void)write_some(&q, &s, (size_t)(rand_r(&seed) % 900),
					 UINT32_MAX);
			buf_reset(&s.bytes);
		} else if (what < 7 && q.sent != q.head) {
			assert_int_equal(queue_head(&q)->task, oldest++);
			queue_pop(&q);
		} else if (what == 7 && rand_r(&seed) % 16 == 0) {
			(void)queue_rewind(&q, s.number - 1);
			buf_reset(&q.rest);
		}
		assert_int_equal(q.open, next - oldest);
	}
	/* Memory does not grow with the number of tasks that passed. */
	assert_true(q.bytes.cap < 4u << 20);
	teardown(&q, &s);
}

/* --- inbox --- */

static void
the_inbox_keeps_order_and_payloads(void **unused)
{
	struct blob *blob = blob_copy("large", 5);
	struct wire_frame frame = {.type = WIRE_TASK};
	struct inbox_item *item;
	struct inbox in;

	(void)unused;
	assert_non_null(blob);
	inbox_init(&in);
	for (int round = 0; round < 3; round++) {
		inbox_lock(&in);
		inbox_add_event(&in, INBOX_OPENED, &in, NULL);
		for (uint64_t i = 0; i < 1000; i++) {
			frame.task = i;
			frame.payload = i % 2 == 0 ? (const uint8_t *)"abc"
						   : blob->data;
			frame.payload_len = i % 2 == 0 ? 3 : 5;
			frame.owner = i % 2 == 0 ? NULL : blob;
			inbox_add_frame(&in, &frame);
		}
		inbox_add_event(&in, INBOX_CLOSED, NULL, "why");
		inbox_unlock(&in);
		assert_true(inbox_take(&in));
		item = inbox_next(&in);
		assert_int_equal(item->kind, INBOX_OPENED);
		assert_ptr_equal(item->pointer, &in);
		for (uint64_t i = 0; i < 1000; i++) {
			item = inbox_next(&in);
			assert_int_equal(item->kind, INBOX_FRAME);
			assert_int_equal(item->frame.task, i);
			assert_memory_equal(item->frame.payload,
					    i % 2 == 0 ? "abc" : "large",
					    item->frame.payload_len);
		}
		assert_string_equal(
			(const char *)inbox_next(&in)->frame.payload, "why");
		assert_null(inbox_next(&in));
		assert_int_equal(blob->refs, 1);
	}
	/* What is never read is freed too. */
	inbox_lock(&in);
	inbox_add_frame(&in, &frame);
	inbox_unlock(&in);
	inbox_fini(&in);
	assert_int_equal(blob->refs, 1);
	blob_unref(&blob);
}

/* --- epochs --- */

static void
epochs_are_replayed_but_not_those_meant_once(void **unused)
{
	struct wire_frame frame = {.type = WIRE_EVERYWHERE};
	struct epochs e = {0};
	struct buf fields;
	size_t next = 0;

	(void)unused;
	buf_init(&fields, 64);
	wire_put_u64(&fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	for (uint64_t i = 1; i <= 3; i++) {
		frame.task = i;
		frame.flags = i == 2 ? WIRE_ONCE : 0;
		assert_int_equal(epochs_add(&e, &frame), 0);
	}
	assert_int_equal(epochs_next(&e, WIRE_ENGINE_NATIVE, 0, 0, &next)->id,
			 1);
	assert_int_equal(
		epochs_next(&e, WIRE_ENGINE_NATIVE, next, 1, &next)->id, 2);
	assert_int_equal(
		epochs_next(&e, WIRE_ENGINE_NATIVE, next, 2, &next)->id, 3);
	assert_null(epochs_next(&e, WIRE_ENGINE_NATIVE, next, 3, &next));
	/* The next worker of a slot that has seen all. */
	assert_int_equal(epochs_next(&e, WIRE_ENGINE_NATIVE, 0, 3, &next)->id,
			 1);
	assert_int_equal(
		epochs_next(&e, WIRE_ENGINE_NATIVE, next, 3, &next)->id, 3);
	assert_null(epochs_next(&e, WIRE_ENGINE_COMMAND, 0, 0, &next));
	epochs_reset(&e);
	assert_null(epochs_next(&e, WIRE_ENGINE_NATIVE, 0, 0, &next));
	buf_fini(&fields);
}

/* --- mark and scratch --- */

static void
a_mark_is_dead_with_its_process(void **unused)
{
	char own[MARK_MAX], child[MARK_MAX], other[MARK_MAX + 8];
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	(void)unused;
	assert_true(mark_self(own, sizeof(own)));
	assert_false(mark_is_dead(own));
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)mark_self(child, sizeof(child));
		_exit(write(pipes[1], child, strlen(child)) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = read(pipes[0], child, sizeof(child) - 1);
	assert_true(n > 0);
	child[n] = '\0';
	close(pipes[0]);
	close(pipes[1]);
	assert_true(mark_is_dead(child));
	/* The same number, started at another time. */
	(void)snprintf(other, sizeof(other), "%s9", own);
	assert_true(mark_is_dead(other));
	/* Of another user, node or namespace, or no mark at all. */
	(void)snprintf(other, sizeof(other), "1%s", child);
	assert_false(mark_is_dead(other));
	assert_false(mark_is_dead(""));
	assert_false(mark_is_dead("nonsense"));
	child[strlen(child) - 1] = 'x';
	assert_false(mark_is_dead(child));
}

static void
scratch_of_dead_daemons_is_removed(void **unused)
{
	char base[] = "/tmp/cadre-parts-XXXXXX", path[512];
	char own[MARK_MAX], dead[MARK_MAX + 1];
	struct cadre_error err = CADRE_ERROR_INIT;
	char *mine = NULL, *theirs = NULL;

	(void)unused;
	assert_non_null(mkdtemp(base));
	assert_true(mark_self(own, sizeof(own)));
	(void)snprintf(dead, sizeof(dead), "%s9", own);
	assert_int_equal(scratch_make(base, own, &mine, &err), 0);
	assert_int_equal(scratch_make(base, dead, &theirs, &err), 0);
	assert_true(scratch_make(base, own, &mine, &err) < 0);
	assert_non_null(strstr(err.text, "--scratch"));
	/* A directory that its task has locked. */
	(void)snprintf(path, sizeof(path), "%s/locked", theirs);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/locked/file", theirs);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/locked", theirs);
	assert_int_equal(chmod(path, 0), 0);
	scratch_sweep(base);
	assert_int_equal(access(theirs, F_OK), -1);
	assert_int_equal(access(mine, F_OK), 0);
	scratch_remove(base);
	assert_int_equal(access(base, F_OK), -1);
	free(mine);
	free(theirs);
}

/* --- shared memory --- */

static void
shared_results_are_taken_one_at_a_time(void **unused)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct blob *blob = NULL, *second = NULL;
	struct shared *s = NULL;

	(void)unused;
	assert_int_equal(shared_new(&s, &err), 0);
	assert_int_equal(shared_place(s, "hello", 5, &err), 0);
	assert_memory_equal(s->in, "hello", 5);
	/* Nothing lies there yet. */
	assert_true(shared_take(s, 0, 5, &blob, &err) < 0);
	assert_int_equal(ftruncate(s->out_fd, 10), 0);
	assert_int_equal(pwrite(s->out_fd, "0123456789", 10, 0), 10);
	atomic_store(&s->page->out_busy, 1);
	assert_int_equal(shared_take(s, 2, 5, &blob, &err), 0);
	assert_memory_equal(blob->data, "23456", 5);
	assert_true(shared_take(s, 0, 5, &second, &err) < 0);
	assert_int_equal(s->page->out_busy, 1);
	/* It outlives what it was taken from. */
	shared_unref(&s);
	assert_memory_equal(blob->data, "23456", 5);
	blob_unref(&blob);
}

static void
shared_memory_does_not_shrink(void **unused)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct shared *s = NULL;

	(void)unused;
	assert_int_equal(shared_new(&s, &err), 0);
	assert_int_equal(ftruncate(s->out_fd, 100), 0);
	assert_int_equal(ftruncate(s->out_fd, 10), -1);
	shared_unref(&s);
}

/* --- settings --- */

static int
parse(struct settings *s, const char *const *words, struct cadre_error *err)
{
	char *argv[16];
	int argc = 0, stop;

	*err = (struct cadre_error)CADRE_ERROR_INIT;
	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	return settings_args(s, argc, argv, &stop, err);
}

static void
settings_are_read_from_the_command_line(void **unused)
{
	static const char *const words[] = {"--slots",
					    "12",
					    "--autoexit=no",
					    "--idletime",
					    "1.5m",
					    "--output",
					    "--maxtasks-retire",
					    "no",
					    "ipc:///x/y",
					    "--memory-limit",
					    "4G",
					    "--engines",
					    "native",
					    NULL};
	static const char *const more[] = {"--autoexit", "TERM", "--log-level",
					   "debug", NULL};
	struct cadre_error err;
	struct settings s;

	(void)unused;
	assert_int_equal(settings_init(&s, &err), 0);
	assert_int_equal(parse(&s, words, &err), 0);
	assert_int_equal(s.slots, 12);
	assert_int_equal(s.autoexit, SETTINGS_AUTOEXIT_NO);
	assert_int_equal(s.idletime_ms, 90000);
	assert_true(s.output);
	assert_false(s.maxtasks_retire);
	assert_string_equal(s.url, "ipc:///x/y");
	assert_int_equal(s.memory_limit, UINT64_C(4) << 30);
	assert_int_equal(s.engines, 1u << WIRE_ENGINE_NATIVE);
	assert_int_equal(settings_check(&s, &err), 0);
	assert_int_equal(parse(&s, more, &err), 0);
	assert_int_equal(s.autoexit, 15);
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	settings_fini(&s);
}

static void
bad_settings_are_explained(void **unused)
{
	static const struct {
		const char *words[4];
		const char *says;
	} cases[] = {
		{{"--slots", "0"}, "slots cannot be \"0\""},
		{{"--slots"}, "needs a value"},
		{{"--bogus"}, "unknown option --bogus"},
		{{"-x"}, "unknown option -x"},
		{{"a", "b"}, "one URL"},
		{{"--grace", "5 parsecs"}, "TIME"},
		{{"--engines", "native,cobol"}, "command,native"},
		{{"--autoexit", "SIGNONSENSE"}, "yes|no|SIGNAL"},
		{{"--tls", "x"}, "without TLS"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct settings s;

		assert_int_equal(settings_init(&s, &err), 0);
		assert_int_equal(parse(&s, cases[i].words, &err), CADRE_EINVAL);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text,
				 cases[i].says);
		settings_fini(&s);
	}
}

static void
settings_must_fit_together(void **unused)
{
	static const struct {
		const char *words[6];
		const char *says;
	} cases[] = {
		{{NULL}, "which dispatcher"},
		{{"tls+tcp://host:1"}, "without TLS"},
		{{"ipc:///x", "--auth", "tattoo"}, "unknown authenticator"},
		{{"ipc:///x", "--in-process", "--slots", "2"}, "--slots 1"},
		{{"ipc:///x", "--grace", "inf"}, "grace"},
		{{"gopher://x"}, "gopher"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct settings s;

		assert_int_equal(settings_init(&s, &err), 0);
		assert_int_equal(parse(&s, cases[i].words, &err), 0);
		assert_true(settings_check(&s, &err) < 0);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text,
				 cases[i].says);
		settings_fini(&s);
	}
}

static void
settings_come_with_a_launch_record(void **unused)
{
	static char *pairs[] = {
		(char *)(uintptr_t) "maxtasks", (char *)(uintptr_t) "7",
		(char *)(uintptr_t) "walltime", (char *)(uintptr_t) "2h", NULL};
	struct launch_record record = {.url = (char *)(uintptr_t) "ipc:///r",
				       .session = (char *)(uintptr_t) "abc",
				       .index = 4,
				       .slots = 3,
				       .end_unix = 1234567890,
				       .settings = pairs};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct settings s;

	(void)unused;
	assert_int_equal(settings_init(&s, &err), 0);
	assert_int_equal(settings_record(&s, &record, &err), 0);
	assert_string_equal(s.url, "ipc:///r");
	assert_string_equal(s.session, "abc");
	assert_string_equal(s.auth, "peer");
	assert_int_equal(s.index, 4);
	assert_int_equal(s.slots, 3);
	assert_int_equal(s.maxtasks, 7);
	assert_int_equal(s.walltime_ms, 7200000);
	assert_int_equal(s.end_unix, 1234567890);
	pairs[0] = (char *)(uintptr_t) "bogus";
	assert_int_equal(settings_record(&s, &record, &err), CADRE_EINVAL);
	assert_non_null(strstr(err.text, "bogus"));
	settings_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_writes_tasks_in_order),
		cmocka_unit_test(
			the_queue_stops_at_commands_and_large_payloads),
		cmocka_unit_test(the_queue_takes_back_what_has_not_begun),
		cmocka_unit_test(the_queue_starts_over_with_another_worker),
		cmocka_unit_test(the_queue_keeps_count_under_random_use),
		cmocka_unit_test(the_inbox_keeps_order_and_payloads),
		cmocka_unit_test(epochs_are_replayed_but_not_those_meant_once),
		cmocka_unit_test(a_mark_is_dead_with_its_process),
		cmocka_unit_test(scratch_of_dead_daemons_is_removed),
		cmocka_unit_test(shared_results_are_taken_one_at_a_time),
		cmocka_unit_test(shared_memory_does_not_shrink),
		cmocka_unit_test(settings_are_read_from_the_command_line),
		cmocka_unit_test(bad_settings_are_explained),
		cmocka_unit_test(settings_must_fit_together),
		cmocka_unit_test(settings_come_with_a_launch_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
