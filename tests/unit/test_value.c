/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/value.h>

static struct cadre_value *
named_list(void)
{
	struct cadre_value *list = cadre_value_list(0);
	struct cadre_value *x = cadre_value_of_double(1.5);
	struct cadre_value *s = cadre_value_of_string("text");

	assert_int_equal(cadre_value_list_add(list, "x", &x), 0);
	assert_int_equal(cadre_value_list_add(list, NULL, &s), 0);
	return list;
}

static void
vectors_hold_what_they_are_given(void **state)
{
	int32_t logical[] = {0, 1, CADRE_NA_INT32};
	int64_t wide[] = {INT64_MAX, -1};
	double pairs[] = {1, 2, 3, 4};
	const char *texts[] = {"a", NULL, ""};
	struct cadre_value *v;

	(void)state;
	v = cadre_value_logical(logical, 3);
	assert_int_equal(cadre_value_type(v), CADRE_LOGICAL);
	assert_int_equal(cadre_value_length(v), 3);
	assert_memory_equal(cadre_value_logical_data(v), logical,
			    sizeof(logical));
	assert_null(cadre_value_int32_data(v));
	assert_null(cadre_value_double_data(v));
	cadre_value_free(&v);
	assert_null(v);

	v = cadre_value_int64(wide, 2);
	assert_memory_equal(cadre_value_int64_data(v), wide, sizeof(wide));
	cadre_value_free(&v);

	v = cadre_value_complex(pairs, 2);
	assert_int_equal(cadre_value_length(v), 2);
	assert_memory_equal(cadre_value_complex_data(v), pairs, sizeof(pairs));
	cadre_value_free(&v);

	v = cadre_value_string(texts, 3);
	assert_string_equal(cadre_value_string_at(v, 0), "a");
	assert_null(cadre_value_string_at(v, 1));
	assert_string_equal(cadre_value_string_at(v, 2), "");
	assert_null(cadre_value_string_at(v, 3));
	assert_null(cadre_value_data(v));
	cadre_value_free(&v);

	v = cadre_value_raw("\0\1\2", 3);
	assert_memory_equal(cadre_value_bytes(v), "\0\1\2", 3);
	cadre_value_free(&v);

	v = cadre_value_opaque(CADRE_OPAQUE_PICKLE, "xyz", 3);
	assert_int_equal(cadre_value_opaque_format(v), CADRE_OPAQUE_PICKLE);
	assert_memory_equal(cadre_value_bytes(v), "xyz", 3);
	cadre_value_free(&v);
	assert_null(cadre_value_opaque(0, "x", 1));
	assert_null(cadre_value_opaque(3, "x", 1));
}

static void
vectors_without_data_are_zero_or_missing(void **state)
{
	struct cadre_value *v = cadre_value_double(NULL, 1000);
	double *data = cadre_value_data(v);

	(void)state;
	assert_int_equal((uintptr_t)data % 8, 0);
	for (size_t i = 0; i < 1000; i++)
		assert_true(data[i] == 0);
	data[999] = 4;
	assert_true(cadre_value_double_data(v)[999] == 4);
	cadre_value_free(&v);

	v = cadre_value_string(NULL, 2);
	assert_null(cadre_value_string_at(v, 1));
	assert_int_equal(cadre_value_string_set(v, 1, "set"), 0);
	assert_int_equal(cadre_value_string_set(v, 1, "again"), 0);
	assert_string_equal(cadre_value_string_at(v, 1), "again");
	assert_int_equal(cadre_value_string_set(v, 1, NULL), 0);
	assert_null(cadre_value_string_at(v, 1));
	assert_int_equal(cadre_value_string_set(v, 2, "x"), CADRE_EINVAL);
	cadre_value_free(&v);
}

static void
sizes_that_overflow_are_out_of_memory(void **state)
{
	(void)state;
	assert_null(cadre_value_double(NULL, SIZE_MAX / 8 + 1));
	assert_null(cadre_value_complex(NULL, SIZE_MAX / 4));
	assert_null(cadre_value_raw(NULL, SIZE_MAX));
	assert_null(cadre_value_string(NULL, SIZE_MAX / 8));
	assert_null(cadre_value_list(SIZE_MAX / 8));
}

static void
null_stands_for_nothing(void **state)
{
	struct cadre_value *v = cadre_value_null();
	struct cadre_value *none = NULL;
	size_t ndim = 1;

	(void)state;
	assert_int_equal(cadre_value_type(NULL), CADRE_NULL);
	assert_int_equal(cadre_value_type(v), CADRE_NULL);
	assert_int_equal(cadre_value_length(NULL), 0);
	assert_true(cadre_value_equal(v, NULL));
	assert_null(cadre_value_dims(NULL, &ndim));
	assert_int_equal(ndim, 0);
	assert_null(cadre_value_get(NULL, "x"));
	assert_null(cadre_value_copy(NULL));
	assert_int_equal(cadre_value_set_names(v, NULL), CADRE_EINVAL);
	cadre_value_free(&v);
	cadre_value_free(&none);
}

static void
lists_own_their_elements(void **state)
{
	struct cadre_value *list = named_list();
	struct cadre_value *item;

	(void)state;
	assert_int_equal(cadre_value_length(list), 2);
	assert_ptr_equal(cadre_value_get(list, "x"), cadre_value_at(list, 0));
	assert_null(cadre_value_get(list, "y"));
	assert_null(cadre_value_at(list, 2));
	assert_string_equal(cadre_value_name_at(list, 0), "x");
	assert_null(cadre_value_name_at(list, 1));
	assert_true(cadre_value_has_names(list));

	item = cadre_value_of_bool(true);
	assert_int_equal(cadre_value_list_set(list, 2, &item), CADRE_EINVAL);
	assert_non_null(item);
	assert_int_equal(cadre_value_list_set(list, 0, &item), 0);
	assert_null(item);
	assert_int_equal(cadre_value_type(cadre_value_get(list, "x")),
			 CADRE_LOGICAL);
	/* What a constructor returned when memory ran out. */
	assert_int_equal(cadre_value_list_add(list, "z", &item), CADRE_ENOMEM);
	assert_int_equal(cadre_value_length(list), 2);
	item = list;
	assert_int_equal(cadre_value_list_add(list, "self", &item),
			 CADRE_EINVAL);
	cadre_value_free(&list);

	list = cadre_value_list(3);
	assert_non_null(cadre_value_at(list, 2));
	assert_int_equal(cadre_value_type(cadre_value_at(list, 2)), CADRE_NULL);
	for (int i = 0; i < 1000; i++) {
		item = cadre_value_of_int64(i);
		assert_int_equal(
			cadre_value_list_add(list, i % 2 ? "n" : NULL, &item),
			0);
	}
	assert_int_equal(cadre_value_length(list), 1003);
	assert_null(cadre_value_name_at(list, 3));
	assert_string_equal(cadre_value_name_at(list, 1002), "n");
	cadre_value_free(&list);
}

static void
lists_nest_to_a_limit(void **state)
{
	struct cadre_value *v = cadre_value_list(0);

	(void)state;
	for (int depth = 1; depth < 64; depth++) {
		struct cadre_value *outer = cadre_value_list(0);

		assert_int_equal(cadre_value_list_add(outer, NULL, &v), 0);
		v = outer;
	}
	for (int i = 0; i < 2; i++) {
		struct cadre_value *outer = cadre_value_list(1);

		assert_int_equal(cadre_value_list_add(outer, NULL, &v),
				 CADRE_EINVAL);
		assert_int_equal(cadre_value_list_set(outer, 0, &v),
				 CADRE_EINVAL);
		assert_int_equal(cadre_value_length(outer), 1);
		cadre_value_free(&outer);
	}
	cadre_value_free(&v);
}

static void
names_and_dims_are_copied(void **state)
{
	const char *names[] = {"a", NULL, "c", "d", "e", "f"};
	uint64_t dims[] = {2, 3};
	uint64_t huge[] = {UINT64_C(1) << 32, UINT64_C(1) << 32, 6};
	uint64_t empty[] = {INT64_MAX, INT64_MAX, 0};
	uint64_t unsigned_only[] = {UINT64_C(1) << 63, 0};
	struct cadre_value *v = cadre_value_double(NULL, 6);
	size_t ndim;

	(void)state;
	assert_int_equal(cadre_value_set_names(v, names), 0);
	names[0] = "changed";
	assert_string_equal(cadre_value_name_at(v, 0), "a");
	assert_null(cadre_value_name_at(v, 1));
	assert_int_equal(cadre_value_set_dims(v, dims, 2), 0);
	dims[0] = 6;
	assert_int_equal(cadre_value_dims(v, &ndim)[0], 2);
	assert_int_equal(ndim, 2);
	assert_int_equal(cadre_value_set_dims(v, dims, 2), CADRE_EINVAL);
	assert_int_equal(cadre_value_set_dims(v, huge, 3), CADRE_EINVAL);
	assert_int_equal(cadre_value_set_dims(v, dims, 33), CADRE_EINVAL);
	assert_int_equal(cadre_value_dims(v, &ndim)[1], 3);
	assert_int_equal(cadre_value_set_dims(v, NULL, 0), 0);
	assert_null(cadre_value_dims(v, &ndim));
	assert_int_equal(cadre_value_set_names(v, NULL), 0);
	assert_false(cadre_value_has_names(v));
	cadre_value_free(&v);

	v = cadre_value_raw(NULL, 0);
	assert_int_equal(cadre_value_set_dims(v, empty, 3), 0);
	assert_int_equal(cadre_value_set_dims(v, unsigned_only, 2),
			 CADRE_EINVAL);
	cadre_value_free(&v);
}

static void
numbers_are_converted_without_loss(void **state)
{
	int32_t i32[] = {-5, CADRE_NA_INT32};
	int64_t i64[] = {(INT64_C(1) << 53) + 1, CADRE_NA_INT64, INT64_MAX, 3};
	double d[] = {3, 0.5, NAN, 0x1p63, -0x1p63, -0x1p62};
	struct cadre_value *a = cadre_value_int32(i32, 2);
	struct cadre_value *b = cadre_value_int64(i64, 4);
	struct cadre_value *c = cadre_value_double(d, 6);
	struct cadre_value *s = cadre_value_of_string("3");
	int64_t i = 77;
	double x = 77;

	(void)state;
	assert_int_equal(cadre_value_int64_at(a, 0, &i), 0);
	assert_int_equal(i, -5);
	assert_int_equal(cadre_value_int64_at(a, 1, &i), CADRE_EINVAL);
	assert_int_equal(cadre_value_int64_at(a, 2, &i), CADRE_EINVAL);
	assert_int_equal(i, -5);
	assert_int_equal(cadre_value_double_at(a, 0, &x), 0);
	assert_true(x == -5);
	assert_int_equal(cadre_value_double_at(a, 1, &x), 0);
	assert_true(cadre_is_na_double(x));

	assert_int_equal(cadre_value_double_at(b, 0, &x), CADRE_EINVAL);
	assert_int_equal(cadre_value_double_at(b, 2, &x), CADRE_EINVAL);
	assert_int_equal(cadre_value_double_at(b, 1, &x), 0);
	assert_true(cadre_is_na_double(x));
	assert_int_equal(cadre_value_double_at(b, 3, &x), 0);
	assert_true(x == 3);
	assert_int_equal(cadre_value_int64_at(b, 2, &i), 0);
	assert_true(i == INT64_MAX);

	assert_int_equal(cadre_value_int64_at(c, 0, &i), 0);
	assert_int_equal(i, 3);
	for (size_t k = 1; k < 5; k++)
		assert_int_equal(cadre_value_int64_at(c, k, &i), CADRE_EINVAL);
	assert_int_equal(cadre_value_int64_at(c, 5, &i), 0);
	assert_true(i == -(INT64_C(1) << 62));
	assert_int_equal(cadre_value_double_at(c, 6, &x), CADRE_EINVAL);
	assert_int_equal(cadre_value_double_at(s, 0, &x), CADRE_EINVAL);
	assert_int_equal(cadre_value_int64_at(NULL, 0, &i), CADRE_EINVAL);
	cadre_value_free(&a);
	cadre_value_free(&b);
	cadre_value_free(&c);
	cadre_value_free(&s);
}

static void
missing_numbers_are_told_from_nan(void **state)
{
	double na = cadre_na_double();
	double with_na[] = {1, na}, with_nan[] = {1, NAN};
	struct cadre_value *a = cadre_value_double(with_na, 2);
	struct cadre_value *b = cadre_value_double(with_na, 2);
	struct cadre_value *c = cadre_value_double(with_nan, 2);

	(void)state;
	assert_true(isnan(na));
	assert_true(cadre_is_na_double(na));
	assert_true(cadre_is_na_double(na + 1));
	assert_false(cadre_is_na_double(NAN));
	assert_false(cadre_is_na_double(1954));
	assert_true(cadre_value_equal(a, b));
	assert_true(cadre_value_equal(c, c));
	assert_false(cadre_value_equal(a, c));
	cadre_value_free(&a);
	cadre_value_free(&b);
	cadre_value_free(&c);
}

static void
equality_sees_every_difference(void **state)
{
	uint64_t row[] = {1, 2}, column[] = {2, 1};
	const char *names[] = {"a", "b"}, *missing[] = {"a", NULL};
	int32_t one_two[] = {1, 2};
	const char *texts[] = {"1", "2"};
	struct cadre_value *all[12];
	size_t n = 0;

	(void)state;
	all[n++] = cadre_value_int32(one_two, 2);
	all[n++] = cadre_value_int32(one_two, 1);
	all[n++] = cadre_value_logical(one_two, 2);
	all[n++] = cadre_value_int32(one_two, 2);
	cadre_value_set_dims(all[3], row, 2);
	all[n++] = cadre_value_int32(one_two, 2);
	cadre_value_set_dims(all[4], column, 2);
	all[n++] = cadre_value_int32(one_two, 2);
	cadre_value_set_names(all[5], names);
	all[n++] = cadre_value_int32(one_two, 2);
	cadre_value_set_names(all[6], missing);
	all[n++] = cadre_value_string(texts, 2);
	all[n++] = cadre_value_opaque(CADRE_OPAQUE_R, "12", 2);
	all[n++] = cadre_value_opaque(CADRE_OPAQUE_PICKLE, "12", 2);
	all[n++] = named_list();
	all[n++] = cadre_value_list(2);
	for (size_t i = 0; i < n; i++) {
		struct cadre_value *copy = cadre_value_copy(all[i]);

		for (size_t k = 0; k < n; k++)
			assert_int_equal(cadre_value_equal(copy, all[k]),
					 i == k);
		cadre_value_free(&copy);
	}
	for (size_t i = 0; i < n; i++)
		cadre_value_free(&all[i]);
}

static void
types_have_names(void **state)
{
	(void)state;
	assert_string_equal(cadre_type_name(CADRE_NULL), "null");
	assert_string_equal(cadre_type_name(CADRE_OPAQUE), "opaque");
	assert_string_equal(cadre_type_name(10), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold_what_they_are_given),
		cmocka_unit_test(vectors_without_data_are_zero_or_missing),
		cmocka_unit_test(sizes_that_overflow_are_out_of_memory),
		cmocka_unit_test(null_stands_for_nothing),
		cmocka_unit_test(lists_own_their_elements),
		cmocka_unit_test(lists_nest_to_a_limit),
		cmocka_unit_test(names_and_dims_are_copied),
		cmocka_unit_test(numbers_are_converted_without_loss),
		cmocka_unit_test(missing_numbers_are_told_from_nan),
		cmocka_unit_test(equality_sees_every_difference),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
