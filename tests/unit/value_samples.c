/* SPDX-License-Identifier: MIT */
#include "value_samples.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static const int32_t integers[] = {0, 1, CADRE_NA_INT32, INT32_MAX, -7, 6};
static const int32_t truths[] = {0, 1, CADRE_NA_INT32};
static const int64_t wide[] = {0, CADRE_NA_INT64, INT64_MAX, -INT64_MAX,
			       (INT64_C(1) << 53) + 1};
static const char *const texts[] = {"a", NULL, "", "quote \" \\ \n\t\x01",
				    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"};
static const char *const bytes[] = {"\xff\xfe", "\xc0\x80", "\xed\xa0\x80",
				    "\xf5\x80\x80\x80", "ok\xe2\x82"};
static const char *const names[] = {"one", NULL, "", "type", "one", "\xff"};
static const uint64_t two_by_three[] = {2, 3};

static struct cadre_value *
doubles(void)
{
	double x[] = {0,
		      -0.0,
		      0.1,
		      1.0 / 3,
		      1e300,
		      5e-324,
		      123456789,
		      0x1p60,
		      -0x1p63,
		      NAN,
		      INFINITY,
		      -INFINITY,
		      cadre_na_double()};

	return cadre_value_double(x, sizeof(x) / sizeof(x[0]));
}

static struct cadre_value *
complexes(void)
{
	double x[] = {1, -2, NAN, cadre_na_double(), INFINITY, 0.5};

	return cadre_value_complex(x, 3);
}

static struct cadre_value *
matrix(void)
{
	struct cadre_value *v = cadre_value_int32(integers, 6);

	if (cadre_value_set_dims(v, two_by_three, 2) < 0 ||
	    cadre_value_set_names(v, names) < 0)
		cadre_value_free(&v);
	return v;
}

static struct cadre_value *
array_of_lists(void)
{
	struct cadre_value *v = cadre_value_list(6);
	struct cadre_value *item = matrix();

	if (cadre_value_list_set(v, 3, &item) < 0 ||
	    cadre_value_set_dims(v, two_by_three, 2) < 0)
		cadre_value_free(&v);
	return v;
}

static struct cadre_value *
arguments(void)
{
	struct cadre_value *v = cadre_value_list(0);
	struct cadre_value *x = cadre_value_of_double(1);
	struct cadre_value *y = matrix();
	struct cadre_value *z = array_of_lists();

	if (cadre_value_list_add(v, "x", &x) < 0 ||
	    cadre_value_list_add(v, "y", &y) < 0 ||
	    cadre_value_list_add(v, "z", &z) < 0)
		cadre_value_free(&v);
	return v;
}

static struct cadre_value *
typed_names(void)
{
	struct cadre_value *v = cadre_value_list(0);
	struct cadre_value *type = cadre_value_of_string("double");
	struct cadre_value *data = cadre_value_of_double(1);

	if (cadre_value_list_add(v, "type", &type) < 0 ||
	    cadre_value_list_add(v, "data", &data) < 0)
		cadre_value_free(&v);
	return v;
}

static struct cadre_value *
numbers_in_list(void)
{
	struct cadre_value *v = cadre_value_list(3);
	struct cadre_value *a = cadre_value_of_double(1);
	struct cadre_value *b = cadre_value_of_double(2);

	if (cadre_value_list_set(v, 0, &a) < 0 ||
	    cadre_value_list_set(v, 2, &b) < 0)
		cadre_value_free(&v);
	return v;
}

static struct cadre_value *
deepest(void)
{
	struct cadre_value *v = cadre_value_list(1);

	for (int depth = 1; depth < 64; depth++) {
		struct cadre_value *outer = cadre_value_list(0);

		if (cadre_value_list_add(outer, "inner", &v) < 0)
			abort();
		v = outer;
	}
	return v;
}

struct cadre_value *
value_sample(size_t i)
{
	const double na = cadre_na_double();

	switch (i) {
	case 0:
		return cadre_value_null();
	case 1:
		return cadre_value_logical(truths, 3);
	case 2:
		return cadre_value_logical(truths, 0);
	case 3:
		return cadre_value_logical(truths + 2, 1);
	case 4:
		return cadre_value_of_bool(true);
	case 5:
		return cadre_value_int32(integers, 6);
	case 6:
		return cadre_value_int32(integers, 1);
	case 7:
		return cadre_value_int64(wide, 5);
	case 8:
		return cadre_value_of_int64(3);
	case 9:
		return doubles();
	case 10:
		return cadre_value_of_double(2.5);
	case 11:
		return cadre_value_double(&na, 1);
	case 12:
		return cadre_value_of_double(-0.0);
	case 13:
		return complexes();
	case 14:
		return cadre_value_complex(NULL, 0);
	case 15:
		return cadre_value_string(texts, 5);
	case 16:
		return cadre_value_string(bytes, 5);
	case 17:
		return cadre_value_string(texts + 1, 1);
	case 18:
		return cadre_value_of_string("just text");
	case 19:
		return cadre_value_string(NULL, 0);
	case 20:
		return cadre_value_raw("\0\xff\x7f\n", 4);
	case 21:
		return cadre_value_raw(NULL, 0);
	case 22:
		return cadre_value_raw("12345", 5);
	case 23:
		return cadre_value_list(0);
	case 24:
		return cadre_value_list(3);
	case 25:
		return cadre_value_opaque(CADRE_OPAQUE_R, "X\n\0\0", 4);
	case 26:
		return cadre_value_opaque(CADRE_OPAQUE_PICKLE, NULL, 0);
	case 27:
		return matrix();
	case 28:
		return array_of_lists();
	case 29:
		return arguments();
	case 30:
		return typed_names();
	case 31:
		return numbers_in_list();
	case 32:
		return deepest();
	default:
		return NULL;
	}
}
