/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/value.h>

#include "value_samples.h"

static struct cadre_value *
read_json(const char *text)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_value *v = NULL;

	if (cadre_value_from_json(text, strlen(text), &v, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return v;
}

static char *
write_json(const struct cadre_value *v)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *text = NULL;

	if (cadre_value_to_json(v, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* v (freed) is written as that text. */
static void
writes(struct cadre_value *v, const char *expected)
{
	char *text = write_json(v);

	assert_string_equal(text, expected);
	free(text);
	cadre_value_free(&v);
}

/* What is read from text is written as expected. */
static void
reads(const char *text, enum cadre_type type, size_t n, const char *expected)
{
	struct cadre_value *v = read_json(text);

	assert_int_equal(cadre_value_type(v), type);
	assert_int_equal(cadre_value_length(v), n);
	writes(v, expected);
}

static void
every_value_comes_back(void **state)
{
	struct cadre_value *v;

	(void)state;
	for (size_t i = 0; (v = value_sample(i)) != NULL; i++) {
		char *text = write_json(v);
		struct cadre_value *back = read_json(text);
		char *again = write_json(back);

		if (!cadre_value_equal(v, back))
			fail_msg("sample %zu: %s", i, text);
		assert_string_equal(text, again);
		free(text);
		free(again);
		cadre_value_free(&v);
		cadre_value_free(&back);
	}
}

static void
negative_zero_keeps_its_sign(void **state)
{
	struct cadre_value *v = read_json("-0.0");

	(void)state;
	assert_true(signbit(cadre_value_double_data(v)[0]));
	writes(v, "-0.0");
}

static void
common_values_are_plain(void **state)
{
	const double numbers[] = {1, 0.1, 1e16};
	const char *texts[] = {"a", NULL, "b/\"\\\x1f\n"};
	const int32_t truths[] = {1, CADRE_NA_INT32};

	(void)state;
	writes(NULL, "null");
	writes(cadre_value_of_bool(true), "true");
	writes(cadre_value_of_double(0.1), "0.1");
	writes(cadre_value_of_double(1e100), "1e+100");
	writes(cadre_value_of_string("x"), "\"x\"");
	writes(cadre_value_double(numbers, 3), "[1,0.1,1e+16]");
	writes(cadre_value_string(texts, 3),
	       "[\"a\",null,\"b/\\\"\\\\\\u001f\\n\"]");
	writes(cadre_value_logical(truths, 2), "[true,null]");
	writes(cadre_value_list(0), "[]");
	writes(cadre_value_list(2), "[null,null]");
}

static void
other_values_name_their_type(void **state)
{
	const int32_t integers[] = {1, CADRE_NA_INT32};
	const double specials[] = {NAN, -INFINITY};

	(void)state;
	writes(cadre_value_int32(integers, 2),
	       "{\"type\":\"int32\",\"data\":[1,null]}");
	writes(cadre_value_of_int64(INT64_MAX),
	       "{\"type\":\"int64\",\"data\":[9223372036854775807]}");
	writes(cadre_value_double(specials, 2),
	       "{\"type\":\"double\",\"data\":[\"NaN\",\"-Inf\"]}");
	writes(cadre_value_complex(specials, 1),
	       "{\"type\":\"complex\",\"data\":[[\"NaN\",\"-Inf\"]]}");
	writes(cadre_value_raw("\1\2\3\4", 4),
	       "{\"type\":\"raw\",\"data\":\"AQIDBA==\"}");
	writes(cadre_value_opaque(CADRE_OPAQUE_R, "X", 1),
	       "{\"type\":\"opaque\",\"format\":\"r\",\"data\":\"WA==\"}");
	writes(cadre_value_of_string("\xff"),
	       "{\"type\":\"string\",\"data\":[{\"base64\":\"/w==\"}]}");
	writes(cadre_value_string(NULL, 1),
	       "{\"type\":\"string\",\"data\":[null]}");
}

static void
plain_json_becomes_what_fits(void **state)
{
	(void)state;
	reads("null", CADRE_NULL, 0, "null");
	reads(" 17 ", CADRE_DOUBLE, 1, "17");
	reads("9007199254740993", CADRE_INT64, 1,
	      "{\"type\":\"int64\",\"data\":[9007199254740993]}");
	reads("[1, 2.5, null]", CADRE_DOUBLE, 3, "[1,2.5,null]");
	reads("[1, 9007199254740993, null]", CADRE_INT64, 3,
	      "{\"type\":\"int64\",\"data\":[1,9007199254740993,null]}");
	reads("[0.5, 9007199254740993]", CADRE_LIST, 2,
	      "[0.5,{\"type\":\"int64\",\"data\":[9007199254740993]}]");
	reads("[true, false]", CADRE_LOGICAL, 2, "[true,false]");
	reads("[\"a\", null]", CADRE_STRING, 2, "[\"a\",null]");
	reads("[]", CADRE_LIST, 0, "[]");
	reads("{}", CADRE_LIST, 0, "[]");
	reads("[null]", CADRE_LIST, 1, "[null]");
	reads("[1, \"a\"]", CADRE_LIST, 2, "[1,\"a\"]");
	reads("[[1,2],[3]]", CADRE_LIST, 2, "[[1,2],3]");
	reads("{\"b\": 1, \"a\": {\"c\": []}}", CADRE_LIST, 2,
	      "{\"b\":1,\"a\":{\"c\":[]}}");
	reads("{\"type\": \"car\", \"data\": 1}", CADRE_LIST, 2,
	      "{\"type\":\"list\",\"data\":[\"car\",1],"
	      "\"names\":[\"type\",\"data\"]}");
	reads("{\"type\": \"double\"}", CADRE_LIST, 1, "{\"type\":\"double\"}");
	reads("\"\\u00e9\\ud83d\\ude00\"", CADRE_STRING, 1,
	      "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void
bad_json_is_explained(void **state)
{
	static const char *const bad[] = {
		"",
		"[1,",
		"1 2",
		"nul",
		"\"\\u0000\"",
		"\"\xff\"",
		"{\"a\":1,\"a\":2}",
		"1e999",
		"{\"type\":\"int32\",\"data\":[2147483648]}",
		"{\"type\":\"int32\",\"data\":[-2147483648]}",
		"{\"type\":\"int32\",\"data\":[1.5]}",
		"{\"type\":\"int64\",\"data\":[-9223372036854775808]}",
		"{\"type\":\"logical\",\"data\":[1]}",
		"{\"type\":\"double\",\"data\":[\"inf\"]}",
		"{\"type\":\"double\",\"data\":[9007199254740993]}",
		"{\"type\":\"double\",\"data\":1}",
		"{\"type\":\"complex\",\"data\":[[1]]}",
		"{\"type\":\"complex\",\"data\":[[1,2,3]]}",
		"{\"type\":\"string\",\"data\":[1]}",
		"{\"type\":\"string\",\"data\":[{\"base64\":\"AGE=\"}]}",
		"{\"type\":\"string\",\"data\":[{\"base64\":\"x\"}]}",
		"{\"type\":\"raw\",\"data\":\"A\"}",
		"{\"type\":\"raw\",\"data\":\"AB==\"}",
		"{\"type\":\"raw\",\"data\":\"AA==AA==\"}",
		"{\"type\":\"raw\",\"data\":\"====\"}",
		"{\"type\":\"raw\",\"data\":[1]}",
		"{\"type\":\"opaque\",\"data\":\"\"}",
		"{\"type\":\"opaque\",\"format\":\"lisp\",\"data\":\"\"}",
		"{\"type\":\"double\",\"data\":[1],\"more\":1}",
		"{\"type\":\"double\",\"data\":[1],\"names\":[]}",
		"{\"type\":\"double\",\"data\":[1],\"names\":[1]}",
		"{\"type\":\"double\",\"data\":[],\"names\":[]}",
		"{\"type\":\"double\",\"data\":[1],\"dims\":[2]}",
		"{\"type\":\"double\",\"data\":[1],\"dims\":[]}",
		"{\"type\":\"double\",\"data\":[1],\"dims\":[-1,-1]}",
		"{\"type\":\"raw\",\"data\":\"AA==\",\"dims\":[1,0]}",
		"{\"type\":\"opaque\",\"data\":\"\",\"dims\":[0]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct cadre_value *v = NULL;

		if (cadre_value_from_json(bad[i], strlen(bad[i]), &v, &err) !=
		    CADRE_EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_null(v);
		assert_memory_equal(err.text, "JSON: ", 6);
	}
}

static void
nesting_is_limited(void **state)
{
	char text[4097];

	(void)state;
	for (size_t depth = 60; depth <= 2048; depth += depth < 70 ? 1 : 500) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct cadre_value *v = NULL;
		int rc;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		rc = cadre_value_from_json(text, 2 * depth, &v, &err);
		assert_int_equal(rc, depth <= 64 ? 0 : CADRE_EINVAL);
		cadre_value_free(&v);
	}
}

static void
numbers_ignore_the_locale(void **state)
{
	static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE",
						 "fr_FR.UTF-8"};

	(void)state;
	/* Where none is installed this tests the C locale once more. */
	for (size_t i = 0; i < sizeof(with_comma) / sizeof(with_comma[0]); i++)
		if (setlocale(LC_NUMERIC, with_comma[i]) != NULL)
			break;
	writes(cadre_value_of_double(0.5), "0.5");
	reads("[0.25]", CADRE_DOUBLE, 1, "0.25");
	(void)setlocale(LC_NUMERIC, "C");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_comes_back),
		cmocka_unit_test(negative_zero_keeps_its_sign),
		cmocka_unit_test(common_values_are_plain),
		cmocka_unit_test(other_values_name_their_type),
		cmocka_unit_test(plain_json_becomes_what_fits),
		cmocka_unit_test(bad_json_is_explained),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(numbers_ignore_the_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
