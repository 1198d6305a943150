/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/error.h>

#include "util/blob.h"
#include "util/buf.h"
#include "util/error.h"
#include "util/parse.h"

static void
first_error_wins(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(&err, CADRE_EINVAL, "bad %d", 7),
			 CADRE_EINVAL);
	assert_int_equal(error_sys(&err, ENOENT, "open"), CADRE_ESYS);
	assert_int_equal(err.code, CADRE_EINVAL);
	assert_string_equal(err.text, "bad 7");
	assert_int_equal(error_set(NULL, CADRE_EPROTO, "x"), CADRE_EPROTO);
}

static void
system_errors_name_their_reason(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)state;
	assert_int_equal(error_sys(&err, ENOENT, "open %s", "/x"), CADRE_ESYS);
	assert_string_equal(err.text, "open /x: No such file or directory");
	assert_int_equal(error_sys(NULL, ENOMEM, "x"), CADRE_ENOMEM);
}

static void
error_names(void **state)
{
	(void)state;
	for (int code = CADRE_EINTERNAL; code <= 0; code++)
		assert_string_not_equal(cadre_strerror(code), "unknown error");
	assert_string_equal(cadre_strerror(1), "unknown error");
	assert_string_equal(cadre_strerror(-1000), "unknown error");
}

static void
durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"0", 0},
		{"1.5", 1500},
		{"250ms", 250},
		{"2m", 120000},
		{"1h", 3600000},
		{"1d", 86400000},
		{"0.0001", 1},
		{"inf", PARSE_FOREVER},
		{"none", PARSE_FOREVER},
		{"", -1},
		{"-1", -1},
		{"1x", -1},
		{" 1", -1},
		{"1 s", -1},
		{"1e400", -1},
		{"nan", -1},
		{"ms", -1},
		{"1e300", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -1;
		int rc = parse_duration_ms(cases[i].text, &ms);

		assert_int_equal(rc, cases[i].ms < 0 ? CADRE_EINVAL : 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
sizes_and_numbers(void **state)
{
	uint64_t size = 1;
	int64_t n = 1;
	uint32_t u = 1;
	bool b = false;
	double d = 1;

	(void)state;
	assert_int_equal(parse_size("1.5K", &size), 0);
	assert_int_equal(size, 1536);
	assert_int_equal(parse_size("2GiB", &size), 0);
	assert_int_equal(size, UINT64_C(2) << 30);
	assert_int_equal(parse_size("1Q", &size), CADRE_EINVAL);
	assert_int_equal(parse_size("-1", &size), CADRE_EINVAL);
	assert_int_equal(parse_int64("-12", -20, 20, &n), 0);
	assert_int_equal(n, -12);
	assert_int_equal(parse_int64("21", -20, 20, &n), CADRE_EINVAL);
	assert_int_equal(
		parse_int64("99999999999999999999", INT64_MIN, INT64_MAX, &n),
		CADRE_EINVAL);
	assert_int_equal(parse_int64("1 ", -20, 20, &n), CADRE_EINVAL);
	assert_int_equal(parse_int64("", -20, 20, &n), CADRE_EINVAL);
	assert_int_equal(n, -12);
	assert_int_equal(parse_uint32("7", 0, 9, &u), 0);
	assert_int_equal(u, 7);
	assert_int_equal(parse_uint32("-1", 0, 9, &u), CADRE_EINVAL);
	assert_int_equal(parse_bool("on", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("maybe", &b), CADRE_EINVAL);
	assert_int_equal(parse_double("1e-3", &d), 0);
	assert_true(d > 0.0009 && d < 0.0011);
	assert_int_equal(parse_double("1e-3x", &d), CADRE_EINVAL);
}

static void
buffers_stay_below_their_maximum(void **state)
{
	struct buf b;
	uint8_t bytes[100] = {1};

	(void)state;
	buf_init(&b, 250);
	buf_put(&b, bytes, sizeof(bytes));
	buf_put(&b, bytes, sizeof(bytes));
	assert_int_equal(b.error, 0);
	buf_put(&b, bytes, sizeof(bytes));
	assert_int_equal(b.error, CADRE_ETOOBIG);
	assert_int_equal(b.len, 200);
	buf_put_u8(&b, 1);
	assert_int_equal(b.len, 200);
	buf_reset(&b);
	buf_put_u64(&b, UINT64_C(0x0102030405060708));
	assert_int_equal(b.data[0], 8);
	buf_consume(&b, 7);
	assert_int_equal(b.len, 1);
	assert_int_equal(b.data[0], 1);
	buf_fini(&b);
}

static void
cursors_consume_or_fail(void **state)
{
	const uint8_t bytes[] = {1, 2, 0, 3, 0, 0, 0};
	struct cursor c;

	(void)state;
	cursor_init(&c, bytes, sizeof(bytes));
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u16(&c), 2);
	assert_int_equal(cursor_u32(&c), 3);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.bad);
	cursor_init(&c, bytes, sizeof(bytes));
	assert_null(cursor_take(&c, 8));
	assert_int_equal(cursor_u8(&c), 0);
}

static int released;

static void
count_release(struct blob *blob)
{
	released += blob->len == 3;
}

static void
blobs_are_counted(void **state)
{
	char text[] = "abc";
	struct blob *a = blob_wrap(text, 3, count_release, NULL);
	struct blob *b = blob_ref(a);
	struct blob *copy = blob_copy("xyz", 3);

	(void)state;
	assert_non_null(copy);
	assert_memory_equal(copy->data, "xyz", 3);
	assert_int_equal((uintptr_t)copy->data % 16, 0);
	blob_unref(&copy);
	blob_unref(&a);
	assert_null(a);
	assert_int_equal(released, 0);
	blob_unref(&b);
	assert_int_equal(released, 1);
	blob_unref(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_wins),
		cmocka_unit_test(system_errors_name_their_reason),
		cmocka_unit_test(error_names),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes_and_numbers),
		cmocka_unit_test(buffers_stay_below_their_maximum),
		cmocka_unit_test(cursors_consume_or_fail),
		cmocka_unit_test(blobs_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
