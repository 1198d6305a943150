/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "value/value.h"

/* What a NULL element of a list looks like from outside. */
static const struct cadre_value null_value = {.type = CADRE_NULL};

double
cadre_na_double(void)
{
	uint64_t bits = UINT64_C(0x7ff00000000007a2);
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

bool
cadre_is_na_double(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return isnan(x) && (uint32_t)bits == 1954;
}

enum cadre_type
cadre_value_type(const struct cadre_value *v)
{
	return v == NULL ? CADRE_NULL : v->type;
}

size_t
cadre_value_length(const struct cadre_value *v)
{
	return v == NULL ? 0 : v->n;
}

enum cadre_opaque_format
cadre_value_opaque_format(const struct cadre_value *v)
{
	return v == NULL ? 0 : v->format;
}

static void *
data_of(const struct cadre_value *v, enum cadre_type type)
{
	return cadre_value_type(v) == type && v != NULL ? v->data : NULL;
}

const int32_t *
cadre_value_logical_data(const struct cadre_value *v)
{
	return data_of(v, CADRE_LOGICAL);
}

const int32_t *
cadre_value_int32_data(const struct cadre_value *v)
{
	return data_of(v, CADRE_INT32);
}

const int64_t *
cadre_value_int64_data(const struct cadre_value *v)
{
	return data_of(v, CADRE_INT64);
}

const double *
cadre_value_double_data(const struct cadre_value *v)
{
	return data_of(v, CADRE_DOUBLE);
}

const double *
cadre_value_complex_data(const struct cadre_value *v)
{
	return data_of(v, CADRE_COMPLEX);
}

const void *
cadre_value_bytes(const struct cadre_value *v)
{
	const void *raw = data_of(v, CADRE_RAW);

	return raw != NULL ? raw : data_of(v, CADRE_OPAQUE);
}

void *
cadre_value_data(struct cadre_value *v)
{
	if (v == NULL || value_width(v->type) == 0 || v->type == CADRE_OPAQUE ||
	    v->owner != NULL)
		return NULL;
	return v->data;
}

const char *
cadre_value_string_at(const struct cadre_value *v, size_t i)
{
	const struct strings *s = data_of(v, CADRE_STRING);

	return s == NULL || i >= s->n ? NULL : s->text[i];
}

const struct cadre_value *
cadre_value_at(const struct cadre_value *v, size_t i)
{
	struct cadre_value **items = data_of(v, CADRE_LIST);

	if (items == NULL || i >= v->n)
		return NULL;
	return items[i] == NULL ? &null_value : items[i];
}

const struct cadre_value *
cadre_value_get(const struct cadre_value *v, const char *name)
{
	if (cadre_value_type(v) != CADRE_LIST || v->names == NULL)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		const char *s = v->names->text[i];

		if (s != NULL && strcmp(s, name) == 0)
			return cadre_value_at(v, i);
	}
	return NULL;
}

const char *
cadre_value_name_at(const struct cadre_value *v, size_t i)
{
	if (v == NULL || v->names == NULL || i >= v->n)
		return NULL;
	return v->names->text[i];
}

bool
cadre_value_has_names(const struct cadre_value *v)
{
	return v != NULL && v->names != NULL;
}

const uint64_t *
cadre_value_dims(const struct cadre_value *v, size_t *ret_ndim)
{
	*ret_ndim = v == NULL ? 0 : v->ndim;
	return v == NULL ? NULL : v->dims;
}

/* An integer or logical element; CADRE_EINVAL for other types and indices.
 * *ret_missing tells whether it is. */
static int
integer_at(const struct cadre_value *v, size_t i, int64_t *ret,
	   bool *ret_missing)
{
	enum cadre_type type = cadre_value_type(v);

	if (i >= cadre_value_length(v))
		return CADRE_EINVAL;
	if (type == CADRE_INT64) {
		*ret = ((const int64_t *)v->data)[i];
		*ret_missing = *ret == CADRE_NA_INT64;
		return 0;
	}
	if (type != CADRE_INT32 && type != CADRE_LOGICAL)
		return CADRE_EINVAL;
	*ret = ((const int32_t *)v->data)[i];
	*ret_missing = *ret == CADRE_NA_INT32;
	return 0;
}

/* Whether x is a whole number strictly between -2^63 and 2^63, the range of
 * int64 without its missing value. */
static bool
fits_int64(double x)
{
	return x > -0x1p63 && x < 0x1p63 && x == trunc(x);
}

int
cadre_value_int64_at(const struct cadre_value *v, size_t i, int64_t *ret)
{
	bool missing;
	int64_t x;

	if (cadre_value_type(v) == CADRE_DOUBLE && i < v->n) {
		double d = ((const double *)v->data)[i];

		if (!fits_int64(d))
			return CADRE_EINVAL;
		*ret = (int64_t)d;
		return 0;
	}
	if (integer_at(v, i, &x, &missing) < 0 || missing)
		return CADRE_EINVAL;
	*ret = x;
	return 0;
}

int
cadre_value_double_at(const struct cadre_value *v, size_t i, double *ret)
{
	bool missing;
	double d;
	int64_t x;

	if (cadre_value_type(v) == CADRE_DOUBLE && i < v->n) {
		*ret = ((const double *)v->data)[i];
		return 0;
	}
	if (integer_at(v, i, &x, &missing) < 0)
		return CADRE_EINVAL;
	if (missing) {
		*ret = cadre_na_double();
		return 0;
	}
	d = (double)x;
	if (!fits_int64(d) || (int64_t)d != x)
		return CADRE_EINVAL;
	*ret = d;
	return 0;
}

static bool
doubles_equal(const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] == b[i])
			continue;
		if (!isnan(a[i]) || !isnan(b[i]) ||
		    cadre_is_na_double(a[i]) != cadre_is_na_double(b[i]))
			return false;
	}
	return true;
}

static bool
elements_equal(const struct cadre_value *a, const struct cadre_value *b)
{
	if (a->n == 0)
		return true;
	switch (a->type) {
	case CADRE_DOUBLE:
		return doubles_equal(a->data, b->data, a->n);
	case CADRE_COMPLEX:
		return doubles_equal(a->data, b->data, 2 * a->n);
	case CADRE_STRING:
		return strings_equal(value_strings(a), value_strings(b));
	case CADRE_LIST:
		for (size_t i = 0; i < a->n; i++)
			if (!cadre_value_equal(value_items(a)[i],
					       value_items(b)[i]))
				return false;
		return true;
	default:
		return memcmp(a->data, b->data, a->n * value_width(a->type)) ==
		       0;
	}
}

bool
cadre_value_equal(const struct cadre_value *a, const struct cadre_value *b)
{
	enum cadre_type type = cadre_value_type(a);

	if (type != cadre_value_type(b))
		return false;
	if (type == CADRE_NULL)
		return true;
	return a->n == b->n && a->format == b->format && a->ndim == b->ndim &&
	       (a->ndim == 0 ||
		memcmp(a->dims, b->dims, a->ndim * sizeof(a->dims[0])) == 0) &&
	       strings_equal(a->names, b->names) && elements_equal(a, b);
}
