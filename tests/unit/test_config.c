/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cadre/config.h>

#include "dispatch/dispatch.h"
#include "host/config.h"
#include "host/numbers.h"
#include "host/opts.h"

struct pair {
	const char *key;
	const char *value;
};

static const struct pair good[] = {
	{"profile", "a.b_c-9"},
	{"slots", "4"},
	{"daemons", "2"},
	{"url", "tcp://127.0.0.1:0"},
	{"auth", "none"},
	{"serve", "yes"},
	{"window", "0"},
	{"heartbeat", "250ms"},
	{"idle-limit", "inf"},
	{"retry.crash", "inf"},
	{"output", "discard"},
	{"output-limit", "64K"},
	{"memory-limit", "2G"},
	{"cleanup", "15"},
	{"seed", "-7"},
	{"priority", "-1000"},
	{"log-level", "debug"},
	{"in-process", "no"},
	{"connect", "ipc:///tmp/x"},
	{"maxtasks", "10"},
};

static const struct pair bad[] = {
	{"profile", ""},       {"profile", "../x"},   {"profile", "a/b"},
	{"slots", "0"},	       {"slots", "-1"},	      {"slots", "two"},
	{"slots", "1000001"},  {"url", "nowhere"},    {"url", "ftp://x"},
	{"auth", "password"},  {"serve", "maybe"},    {"window", "-1"},
	{"heartbeat", "0"},    {"heartbeat", "1w"},   {"retry", "-1"},
	{"output", "all"},     {"output-limit", "x"}, {"cleanup", "16"},
	{"priority", "1001"},  {"colour", "red"},     {"", ""},
	{"launcher", "slurm"}, {"timeout", "0"},      {"maxtasks", "0"},
};

static void
test_config_values(void **state)
{
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(cadre_config_get(cfg, good[i].key));
		assert_int_equal(
			cadre_config_set(cfg, good[i].key, good[i].value, &err),
			0);
		assert_string_equal(cadre_config_get(cfg, good[i].key),
				    good[i].value);
	}
	assert_int_equal(err.code, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *before = cadre_config_get(cfg, bad[i].key);

		err = (struct cadre_error)CADRE_ERROR_INIT;
		if (cadre_config_set(cfg, bad[i].key, bad[i].value, &err) !=
		    CADRE_EINVAL)
			fail_msg("%s=%s was taken", bad[i].key, bad[i].value);
		assert_non_null(strstr(err.text, bad[i].key));
		assert_ptr_equal(cadre_config_get(cfg, bad[i].key), before);
	}
	assert_int_equal(cadre_config_set(NULL, "slots", "1", NULL),
			 CADRE_EINVAL);
	assert_int_equal(cadre_config_set(cfg, NULL, "1", NULL), CADRE_EINVAL);
	assert_int_equal(cadre_config_set(cfg, "slots", NULL, NULL),
			 CADRE_EINVAL);
	assert_null(cadre_config_get(cfg, "colour"));
	cadre_config_free(&cfg);
	assert_null(cfg);
	cadre_config_free(&cfg);
}

static void
test_keys_are_listed(void **state)
{
	const char *help, *key;
	size_t n = 0;

	(void)state;
	while ((key = cadre_config_key(n, &help)) != NULL) {
		assert_true(strlen(help) > 8);
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(cadre_config_key(i, NULL), key);
		n++;
	}
	assert_true(n > 30);
	assert_null(cadre_config_key(SIZE_MAX, NULL));
	for (n = 0; (key = cadre_opts_key(n, &help)) != NULL; n++)
		assert_true(strlen(help) > 8);
	assert_true(n > 20);
}

static void
test_config_copy(void **state)
{
	struct cadre_config *cfg = cadre_config_new(), *copy;
	char **settings;

	(void)state;
	assert_int_equal(cadre_config_set(cfg, "maxtasks", "7", NULL), 0);
	assert_int_equal(cadre_config_set(cfg, "slots", "3", NULL), 0);
	copy = config_copy(cfg);
	assert_int_equal(cadre_config_set(cfg, "maxtasks", "8", NULL), 0);
	assert_string_equal(cadre_config_get(copy, "maxtasks"), "7");
	/* Only what concerns daemons is for them. */
	assert_int_equal(config_daemon_settings(copy, &settings), 0);
	assert_string_equal(settings[0], "maxtasks");
	assert_string_equal(settings[1], "7");
	assert_null(settings[2]);
	free(settings[0]);
	free(settings[1]);
	free(settings);
	cadre_config_free(&copy);
	cadre_config_free(&cfg);
	copy = config_copy(NULL);
	assert_null(cadre_config_get(copy, "slots"));
	cadre_config_free(&copy);
}

/* What a task with these options is to the dispatcher. */
static struct opts_shape *
shape_of(const struct cadre_opts *opts, const struct cadre_config *cfg,
	 bool remote)
{
	static const char *const argv[] = {"true", "x y", NULL};
	const struct opts_target target = {WIRE_ENGINE_COMMAND, .argv = argv};
	struct opts_shape *shape;

	assert_int_equal(
		opts_shape_new(opts, cfg, &target, remote, &shape, NULL), 0);
	return shape;
}

/* Reads the fields as a dispatcher would. */
static struct wire_frame
frame_of(const struct opts_shape *shape, uint16_t type, struct buf *b)
{
	struct wire_frame frame = {
		.type = type,
		.flags = shape->spec.flags,
		.fields = shape->fields->data,
		.fields_len = shape->fields->len,
	};
	struct cadre_error err = CADRE_ERROR_INIT;

	buf_reset(b);
	wire_encode(b, &frame);
	if (wire_decode(b->data, b->len, &frame, &err) < 0)
		fail_msg("%s", err.text);
	return frame;
}

static void
test_shape_defaults(void **state)
{
	struct opts_shape *shape = shape_of(NULL, NULL, false);
	static const char *const argv[] = {"true", "x y"};
	struct wire_frame frame;
	struct wire_field f;
	struct buf b;
	size_t pos = 0, n = 0;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(shape->spec.engine, WIRE_ENGINE_COMMAND);
	assert_int_equal(shape->spec.flags, 0);
	assert_int_equal(shape->spec.priority, 0);
	assert_int_equal(shape->spec.timeout_ms, 0);
	for (size_t i = 0; i < DISPATCH_CAUSES; i++)
		assert_false(shape->spec.retry_set[i]);
	frame = frame_of(shape, WIRE_TASK, &b);
	while (wire_next(&frame, &pos, &f)) {
		if (f.tag != WIRE_TAG_ARGV)
			continue;
		assert_int_equal(f.len, strlen(argv[n]));
		assert_memory_equal(f.data, argv[n], f.len);
		n++;
	}
	assert_int_equal(n, 2);
	assert_true(wire_find(&frame, WIRE_TAG_CWD, &f));
	assert_int_equal(f.data[0], '/');
	buf_fini(&b);
	opts_shape_unref(&shape);
	assert_null(shape);
}

static const struct pair task_options[] = {
	{"timeout", "1.5"},	 {"deadline", "1m"},	 {"priority", "-5"},
	{"retry", "2"},		 {"retry.crash", "inf"}, {"cores", "3"},
	{"memory", "1G"},	 {"gpus", "1"},		 {"tags", "big,,fast"},
	{"name", "a name"},	 {"output", "stream"},	 {"output-limit", "1K"},
	{"merge", "yes"},	 {"env", "A=b"},	 {"env", "HOME"},
	{"clear-env", "yes"},	 {"cwd", "sub"},	 {"output-dir", "/o"},
	{"after-failed", "run"}, {"idempotent", "yes"},
};

static void
test_shape_options(void **state)
{
	struct cadre_opts *opts = cadre_opts_new();
	struct opts_shape *shape;
	struct dispatch_spec spec;
	struct wire_frame frame;
	struct wire_field f;
	struct buf b;
	uint64_t after[4];

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < sizeof(task_options) / sizeof(*task_options);
	     i++)
		assert_int_equal(cadre_opts_set(opts, task_options[i].key,
						task_options[i].value, NULL),
				 0);
	shape = shape_of(opts, NULL, true);
	assert_true(shape->stream);
	assert_string_equal(shape->name, "a name");
	frame = frame_of(shape, WIRE_SUBMIT, &b);
	assert_int_equal(dispatch_spec_parse(&frame, after, 4, &spec, NULL), 0);
	/* A dispatcher elsewhere understands the same as one in this process.
	 */
	assert_int_equal(spec.engine, shape->spec.engine);
	assert_int_equal(spec.flags, WIRE_IDEMPOTENT | WIRE_OUTPUT_WANTED);
	assert_int_equal(spec.priority, -5);
	assert_int_equal(spec.timeout_ms, 1500);
	assert_int_equal(spec.deadline_ms, 60000);
	assert_int_equal(spec.cores, 3);
	assert_int_equal(spec.gpus, 1);
	assert_int_equal(spec.memory, UINT64_C(1) << 30);
	assert_int_equal(spec.after_failed, CADRE_AFTER_RUN);
	for (size_t i = 0; i < DISPATCH_CAUSES; i++) {
		assert_true(spec.retry_set[i] && shape->spec.retry_set[i]);
		assert_int_equal(spec.retry[i],
				 i == DISPATCH_CRASH ? DISPATCH_UNLIMITED : 2);
		assert_int_equal(spec.retry[i], shape->spec.retry[i]);
	}
	assert_int_equal(wire_u64(&frame, WIRE_TAG_OUTPUT, 9),
			 WIRE_OUTPUT_STREAM);
	assert_int_equal(wire_u64(&frame, WIRE_TAG_OUTPUT_LIMIT, 0), 1024);
	assert_int_equal(wire_u64(&frame, WIRE_TAG_MERGE, 0), 1);
	assert_int_equal(wire_u64(&frame, WIRE_TAG_CLEAR_ENV, 0), 1);
	assert_true(wire_find(&frame, WIRE_TAG_ENV, &f));
	assert_memory_equal(f.data, "A=b", 3);
	assert_true(wire_find(&frame, WIRE_TAG_CWD, &f));
	assert_int_equal(f.data[0], '/');
	assert_memory_equal(f.data + f.len - 4, "/sub", 4);
	opts_shape_unref(&shape);
	cadre_opts_free(&opts);
	assert_null(opts);
	buf_fini(&b);
}

static void
test_pool_defaults_apply(void **state)
{
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_opts *opts = cadre_opts_new();
	struct opts_shape *shape;

	(void)state;
	assert_int_equal(cadre_config_set(cfg, "timeout", "9", NULL), 0);
	assert_int_equal(cadre_config_set(cfg, "retry", "1", NULL), 0);
	assert_int_equal(cadre_config_set(cfg, "cores", "4", NULL), 0);
	assert_int_equal(cadre_opts_set(opts, "retry.exit", "5", NULL), 0);
	shape = shape_of(opts, cfg, false);
	assert_int_equal(shape->spec.timeout_ms, 9000);
	assert_int_equal(shape->spec.retry[DISPATCH_EXIT], 5);
	assert_int_equal(shape->spec.retry[DISPATCH_ERROR], 1);
	/* The pool's cores are those of a slot, not what a task needs. */
	assert_int_equal(shape->spec.cores, 0);
	opts_shape_unref(&shape);
	assert_int_equal(cadre_opts_set(opts, "timeout", "none", NULL), 0);
	shape = shape_of(opts, cfg, false);
	assert_int_equal(shape->spec.timeout_ms, 0);
	opts_shape_unref(&shape);
	cadre_opts_free(&opts);
	cadre_config_free(&cfg);
}

static void
test_opts_errors(void **state)
{
	static const struct pair wrong[] = {
		{"timeout", "-1"}, {"env", "=x"},     {"env", ""},
		{"cwd", ""},	   {"output", "no"},  {"after-failed", "x"},
		{"cores", "0"},	   {"speed", "high"}, {"memory", "much"},
	};
	static const char *const argv[] = {"cat", NULL};
	const struct opts_target target = {WIRE_ENGINE_COMMAND, .argv = argv};
	struct cadre_opts *opts = cadre_opts_new();
	struct cadre_error err = CADRE_ERROR_INIT;
	struct opts_shape *shape = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (cadre_opts_set(opts, wrong[i].key, wrong[i].value, NULL) !=
		    CADRE_EINVAL)
			fail_msg("%s=%s was taken", wrong[i].key,
				 wrong[i].value);
	assert_int_equal(cadre_opts_set_stdin(opts, "x", 1, NULL), 0);
	assert_int_equal(cadre_opts_set(opts, "stdin-file", "f", NULL), 0);
	assert_int_equal(
		opts_shape_new(opts, NULL, &target, false, &shape, &err),
		CADRE_EINVAL);
	assert_null(shape);
	assert_non_null(strstr(err.text, "stdin-file"));
	assert_int_equal(cadre_opts_after(opts, NULL, NULL), CADRE_EINVAL);
	cadre_opts_free(&opts);
}

static void
test_serial_changes(void **state)
{
	struct cadre_opts *a = cadre_opts_new(), *b = cadre_opts_new();
	uint64_t before = opts_serial(a);

	(void)state;
	assert_int_equal(opts_serial(NULL), 0);
	assert_true(before != 0 && before != opts_serial(b));
	assert_int_equal(cadre_opts_set(a, "name", "x", NULL), 0);
	assert_true(opts_serial(a) != before);
	assert_true(opts_serial(a) != opts_serial(b));
	cadre_opts_free(&a);
	cadre_opts_free(&b);
}

/* Pointers stand for tasks: they are never followed. */
static struct cadre_task *
fake(uint64_t i)
{
	return (struct cadre_task *)(uintptr_t)(i << 4);
}

static void
test_numbers(void **state)
{
	struct numbers n;
	uint64_t number;

	(void)state;
	numbers_init(&n);
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_int_equal(numbers_add(&n, fake(i), &number), 0);
		assert_int_equal(number, i);
	}
	assert_null(numbers_find(&n, 0));
	assert_null(numbers_find(&n, 1001));
	/* Out of turn, twice, and in turn. */
	for (uint64_t i = 2; i <= 1000; i += 2) {
		assert_ptr_equal(numbers_take(&n, i), fake(i));
		assert_null(numbers_take(&n, i));
		assert_null(numbers_find(&n, i));
	}
	for (uint64_t i = 1; i <= 500; i += 2)
		assert_ptr_equal(numbers_take(&n, i), fake(i));
	for (uint64_t i = 1001; i <= 5000; i++)
		assert_int_equal(numbers_add(&n, fake(i), &number), 0);
	assert_int_equal(number, 5000);
	assert_ptr_equal(numbers_find(&n, 999), fake(999));
	assert_ptr_equal(numbers_pop(&n), fake(501));
	for (uint64_t i = 503; i <= 1000; i += 2)
		assert_ptr_equal(numbers_pop(&n), fake(i));
	for (uint64_t i = 1001; i <= 5000; i++)
		assert_ptr_equal(numbers_take(&n, i), fake(i));
	assert_null(numbers_pop(&n));
	/* A number without a task is used up. */
	assert_int_equal(numbers_add(&n, NULL, &number), 0);
	assert_int_equal(number, 5001);
	assert_int_equal(numbers_add(&n, fake(1), &number), 0);
	assert_int_equal(number, 5002);
	assert_ptr_equal(numbers_find(&n, 5002), fake(1));
	numbers_fini(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_values),
		cmocka_unit_test(test_keys_are_listed),
		cmocka_unit_test(test_config_copy),
		cmocka_unit_test(test_shape_defaults),
		cmocka_unit_test(test_shape_options),
		cmocka_unit_test(test_pool_defaults_apply),
		cmocka_unit_test(test_opts_errors),
		cmocka_unit_test(test_serial_changes),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
