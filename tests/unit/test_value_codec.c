/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/value.h>

#include "util/blob.h"
#include "util/buf.h"
#include "value/codec.h"
#include "value_samples.h"

#define BIG (1u << 24)

static struct buf
encoded(const struct cadre_value *v)
{
	struct buf b;

	buf_init(&b, BIG);
	value_encode(&b, v);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, value_encoded_size(v));
	assert_int_equal(b.len % 8, 0);
	return b;
}

static void
every_value_comes_back(void **state)
{
	struct cadre_value *v, *back;

	(void)state;
	for (size_t i = 0; (v = value_sample(i)) != NULL; i++) {
		struct buf b = encoded(v);
		struct buf again;

		assert_int_equal(value_decode(b.data, b.len, NULL, &back), 0);
		assert_true(cadre_value_equal(v, back));
		again = encoded(back);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.data, b.data, b.len);
		buf_fini(&again);
		buf_fini(&b);
		cadre_value_free(&v);
		cadre_value_free(&back);
	}
}

static void
every_truncation_is_refused(void **state)
{
	struct cadre_value *v, *back = NULL;

	(void)state;
	for (size_t i = 0; (v = value_sample(i)) != NULL; i++) {
		struct buf b = encoded(v);

		for (size_t len = 0; len < b.len; len++) {
			/* Of that size exactly, so that sanitizers see. */
			uint8_t *part = malloc(len ? len : 1);

			memcpy(part, b.data, len);
			assert_int_equal(value_decode(part, len, NULL, &back),
					 CADRE_EPROTO);
			free(part);
		}
		buf_put_u64(&b, 0);
		assert_int_equal(value_decode(b.data, b.len, NULL, &back),
				 CADRE_EPROTO);
		assert_null(back);
		buf_fini(&b);
		cadre_value_free(&v);
	}
}

/* A changed byte is refused, or gives another value, or one that was encoded
 * so already: there is one encoding of each value. */
static void
every_changed_byte_is_refused_or_seen(void **state)
{
	struct cadre_value *v;

	(void)state;
	for (size_t i = 0; (v = value_sample(i)) != NULL; i++) {
		struct buf b = encoded(v);

		for (size_t at = 0; at < b.len; at++) {
			struct cadre_value *back = NULL;

			b.data[at] ^= 0x11;
			if (value_decode(b.data, b.len, NULL, &back) == 0) {
				struct buf again = encoded(back);

				assert_int_equal(again.len, b.len);
				assert_memory_equal(again.data, b.data, b.len);
				buf_fini(&again);
			}
			cadre_value_free(&back);
			b.data[at] ^= 0x11;
		}
		buf_fini(&b);
		cadre_value_free(&v);
	}
}

static void
layout_is_as_specified(void **state)
{
	static const uint8_t expected[] = {
		8,   1, 0, 0, 0, 0, 0,	  0,
		1,   0, 0, 0, 0, 0, 0,	  0, /* list */
		1,   0, 0, 0, 0, 0, 0,	  0,
		'x', 0, 0, 0, 0, 0, 0,	  0, /* names */
		4,   0, 1, 0, 0, 0, 0,	  0,
		1,   0, 0, 0, 0, 0, 0,	  0,   /* double */
		1,   0, 0, 0, 0, 0, 0,	  0,   /* dims */
		0,   0, 0, 0, 0, 0, 0xf0, 0x3f /* 1.0 */
	};
	struct cadre_value *list = cadre_value_list(0);
	struct cadre_value *x = cadre_value_of_double(1);
	uint64_t one = 1;
	struct buf b;

	(void)state;
	assert_int_equal(cadre_value_set_dims(x, &one, 1), 0);
	assert_int_equal(cadre_value_list_add(list, "x", &x), 0);
	b = encoded(list);
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	buf_fini(&b);
	cadre_value_free(&list);
}

static void
string_layout_is_as_specified(void **state)
{
	static const uint8_t expected[] = {6,	0,   0, 0, 0, 0, 0,   0,   3,
					   0,	0,   0, 0, 0, 0, 0,   2,   0,
					   0,	0,   0, 0, 0, 0, 255, 255, 255,
					   255, 0,   0, 0, 0, /* lengths */
					   'a', 'b', 0, 0, 0, 0, 0,   0};
	const char *texts[] = {"ab", "", NULL};
	struct cadre_value *v = cadre_value_string(texts, 3);
	struct buf b = encoded(v);

	(void)state;
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	buf_fini(&b);
	cadre_value_free(&v);
}

/* A header without anything behind it. */
static int
decode_header(uint8_t type, uint8_t attributes, uint8_t ndim, uint8_t format,
	      uint64_t n)
{
	uint64_t words[4] = {0};
	uint8_t *p = (uint8_t *)words;
	struct cadre_value *v = NULL;
	int rc;

	p[0] = type;
	p[1] = attributes;
	p[2] = ndim;
	p[3] = format;
	store_u64(p + 8, n);
	rc = value_decode(p, 16, NULL, &v);
	cadre_value_free(&v);
	return rc;
}

static void
hostile_counts_are_refused(void **state)
{
	static const uint64_t counts[] = {1,
					  2,
					  UINT32_MAX,
					  UINT64_C(1) << 40,
					  SIZE_MAX / 16 + 1,
					  SIZE_MAX / 8,
					  SIZE_MAX / 8 + 1,
					  SIZE_MAX - 7,
					  SIZE_MAX};

	(void)state;
	for (uint8_t type = 0; type < 16; type++) {
		uint8_t format = type == CADRE_OPAQUE;
		bool known = type <= CADRE_OPAQUE;

		assert_int_equal(decode_header(type, 0, 0, format, 0),
				 known ? 0 : CADRE_EPROTO);
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
			for (uint8_t names = 0; names < 2; names++)
				assert_int_equal(decode_header(type, names, 0,
							       format,
							       counts[i]),
						 CADRE_EPROTO);
	}
}

static void
malformed_headers_are_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_header(CADRE_DOUBLE, 2, 0, 0, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_DOUBLE, 1, 0, 0, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_DOUBLE, 0, 1, 0, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_DOUBLE, 0, 255, 0, 0),
			 CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_DOUBLE, 0, 0, 1, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_NULL, 1, 0, 0, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_OPAQUE, 0, 0, 0, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_OPAQUE, 0, 0, 3, 0), CADRE_EPROTO);
	assert_int_equal(decode_header(CADRE_OPAQUE, 1, 0, 1, 0), CADRE_EPROTO);
}

static void
nesting_is_limited(void **state)
{
	struct cadre_value *v = NULL;
	struct buf b;

	(void)state;
	for (size_t depth = 1; depth <= 1000; depth += depth < 70 ? 1 : 100) {
		int expected = depth <= 64 ? 0 : CADRE_EPROTO;

		buf_init(&b, BIG);
		for (size_t i = 0; i < depth; i++) {
			buf_put_u64(&b, CADRE_LIST);
			buf_put_u64(&b, i + 1 < depth);
		}
		assert_int_equal(value_decode(b.data, b.len, NULL, &v),
				 expected);
		cadre_value_free(&v);
		buf_fini(&b);
	}
}

static void
strings_with_nul_are_refused(void **state)
{
	const char *texts[] = {"abc", "def"};
	struct cadre_value *v = cadre_value_string(texts, 2);
	struct cadre_value *back = NULL;
	struct buf b = encoded(v);

	(void)state;
	/* 16 header, 8 lengths, "abc\0def\0" */
	b.data[25] = 0;
	assert_int_equal(value_decode(b.data, b.len, NULL, &back),
			 CADRE_EPROTO);
	b.data[25] = 'b';
	b.data[27] = 'x';
	assert_int_equal(value_decode(b.data, b.len, NULL, &back),
			 CADRE_EPROTO);
	b.data[27] = 0;
	store_u32(b.data + 16, 8);
	assert_int_equal(value_decode(b.data, b.len, NULL, &back),
			 CADRE_EPROTO);
	store_u32(b.data + 16, 3);
	assert_int_equal(value_decode(b.data, b.len, NULL, &back), 0);
	cadre_value_free(&back);
	cadre_value_free(&v);
	buf_fini(&b);
}

static void
logicals_are_zero_one_or_missing(void **state)
{
	const int32_t given[] = {2, -1, 0, CADRE_NA_INT32};
	const int32_t sent[] = {1, 1, 0, CADRE_NA_INT32};
	struct cadre_value *v = cadre_value_logical(given, 4);
	struct cadre_value *back = NULL;
	struct buf b = encoded(v);

	(void)state;
	assert_int_equal(value_decode(b.data, b.len, NULL, &back), 0);
	assert_memory_equal(cadre_value_logical_data(back), sent, sizeof(sent));
	cadre_value_free(&back);
	b.data[16] = 2;
	assert_int_equal(value_decode(b.data, b.len, NULL, &back),
			 CADRE_EPROTO);
	buf_fini(&b);
	cadre_value_free(&v);
}

static bool
within(const void *p, const struct blob *blob)
{
	return (const uint8_t *)p >= blob->data &&
	       (const uint8_t *)p < blob->data + blob->len;
}

static void
large_vectors_are_lent_by_their_owner(void **state)
{
	struct cadre_value *big = cadre_value_double(NULL, 100000);
	struct cadre_value *small = cadre_value_double(NULL, 10);
	struct cadre_value *raw = cadre_value_raw(NULL, 100001);
	struct cadre_value *list = cadre_value_list(0);
	const struct cadre_value *lent, *copied;
	struct cadre_value *back, *copy;
	struct blob *blob;
	struct buf b;

	(void)state;
	((double *)cadre_value_data(big))[99999] = 7;
	assert_int_equal(cadre_value_list_add(list, "raw", &raw), 0);
	assert_int_equal(cadre_value_list_add(list, "big", &big), 0);
	assert_int_equal(cadre_value_list_add(list, "small", &small), 0);
	b = encoded(list);
	blob = blob_copy(b.data, b.len);
	buf_fini(&b);

	assert_int_equal(value_decode(blob->data, blob->len, blob, &back), 0);
	lent = cadre_value_get(back, "big");
	copied = cadre_value_get(back, "small");
	assert_true(within(cadre_value_double_data(lent), blob));
	assert_true(
		within(cadre_value_bytes(cadre_value_get(back, "raw")), blob));
	assert_false(within(cadre_value_double_data(copied), blob));
	assert_int_equal((uintptr_t)cadre_value_double_data(lent) % 8, 0);
	assert_int_equal(blob->refs, 3);
	/* The values outlive the message. */
	copy = cadre_value_copy(lent);
	blob_unref(&blob);
	assert_true(cadre_value_equal(back, list));
	assert_null(cadre_value_data((struct cadre_value *)(uintptr_t)lent));
	cadre_value_free(&back);
	assert_non_null(cadre_value_data(copy));
	assert_true(cadre_value_double_data(copy)[99999] == 7);
	cadre_value_free(&copy);
	cadre_value_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_comes_back),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_refused_or_seen),
		cmocka_unit_test(layout_is_as_specified),
		cmocka_unit_test(string_layout_is_as_specified),
		cmocka_unit_test(hostile_counts_are_refused),
		cmocka_unit_test(malformed_headers_are_refused),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(strings_with_nul_are_refused),
		cmocka_unit_test(logicals_are_zero_one_or_missing),
		cmocka_unit_test(large_vectors_are_lent_by_their_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
