/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "value/base64.h"
#include "value/value.h"

/*
 * JSON to values: the reverse of json_write.c, and plain JSON of other
 * programs.
 */

/* Kinds of elements that an array has, or'ed. */
enum kind { KIND_NULL = 1, KIND_BOOL = 2, KIND_NUMBER = 4, KIND_TEXT = 8 };

static int read_value(const json_t *j, struct cadre_value **ret_v,
		      struct cadre_error *err);

static int
bad(struct cadre_error *err, const char *type)
{
	return error_set(err, CADRE_EINVAL,
			 "JSON: an element of \"data\" does not fit type "
			 "\"%s\"",
			 type);
}

static int
keep(struct cadre_value *v, struct cadre_value **ret_v, struct cadre_error *err)
{
	if (v == NULL)
		return error_nomem(err);
	*ret_v = v;
	return 0;
}

/* Whether a JSON number is a double exactly. */
static bool
is_double(const json_t *j)
{
	double x = json_number_value(j);

	if (!json_is_integer(j))
		return true;
	return x < 0x1p63 && (json_int_t)x == json_integer_value(j);
}

static int
logical_element(const json_t *j, void *to)
{
	if (!json_is_boolean(j) && !json_is_null(j))
		return CADRE_EINVAL;
	*(int32_t *)to = json_is_null(j) ? CADRE_NA_INT32 : json_is_true(j);
	return 0;
}

static int
int32_element(const json_t *j, void *to)
{
	json_int_t x = json_integer_value(j);

	if (json_is_null(j))
		x = CADRE_NA_INT32;
	else if (!json_is_integer(j) || x <= INT32_MIN || x > INT32_MAX)
		return CADRE_EINVAL;
	*(int32_t *)to = (int32_t)x;
	return 0;
}

static int
int64_element(const json_t *j, void *to)
{
	json_int_t x = json_integer_value(j);

	if (json_is_null(j))
		x = CADRE_NA_INT64;
	else if (!json_is_integer(j) || x == CADRE_NA_INT64)
		return CADRE_EINVAL;
	*(int64_t *)to = x;
	return 0;
}

static int
double_element(const json_t *j, void *to)
{
	const char *text = json_string_value(j);
	double x;

	if (json_is_null(j))
		x = cadre_na_double();
	else if (json_is_number(j) && is_double(j))
		x = json_number_value(j);
	else if (text != NULL && strcmp(text, "NaN") == 0)
		x = (double)NAN;
	else if (text != NULL && strcmp(text, "Inf") == 0)
		x = HUGE_VAL;
	else if (text != NULL && strcmp(text, "-Inf") == 0)
		x = -HUGE_VAL;
	else
		return CADRE_EINVAL;
	*(double *)to = x;
	return 0;
}

static int
complex_element(const json_t *j, void *to)
{
	double *pair = to;

	if (!json_is_array(j) || json_array_size(j) != 2 ||
	    double_element(json_array_get(j, 0), &pair[0]) < 0)
		return CADRE_EINVAL;
	return double_element(json_array_get(j, 1), &pair[1]);
}

/* Bytes without NUL, from {"base64": "..."}. */
static int
bytes_text(const json_t *j, char **ret_text)
{
	const json_t *base64 = json_object_get(j, "base64");
	size_t len = json_string_length(base64);
	size_t n;
	char *text;

	if (!json_is_string(base64) || json_object_size(j) != 1)
		return CADRE_EINVAL;
	text = malloc(base64_room(len) + 1);
	if (text == NULL)
		return CADRE_ENOMEM;
	if (base64_decode(json_string_value(base64), len, (uint8_t *)text, &n) <
		    0 ||
	    memchr(text, 0, n) != NULL) {
		free(text);
		return CADRE_EINVAL;
	}
	text[n] = 0;
	*ret_text = text;
	return 0;
}

/* Element i of strings: text, missing, or bytes. */
static int
text_element(const json_t *j, struct strings *to, size_t i)
{
	char *text;
	int rc;

	if (json_is_null(j) || json_is_string(j))
		return strings_set(to, i, json_string_value(j));
	rc = bytes_text(j, &text);
	if (rc < 0)
		return rc;
	rc = strings_set(to, i, text);
	free(text);
	return rc;
}

/* An array as strings, which have as many elements. */
static int
read_texts(const json_t *array, struct strings *to, struct cadre_error *err)
{
	for (size_t i = 0; i < to->n; i++) {
		int rc = text_element(json_array_get(array, i), to, i);

		if (rc == CADRE_EINVAL)
			return bad(err, "string");
		if (rc < 0)
			return error_set(err, rc, "%s", cadre_strerror(rc));
	}
	return 0;
}

static int
read_numbers(enum cadre_type type, const json_t *array,
	     struct cadre_value **ret_v, struct cadre_error *err)
{
	static int (*const element[])(const json_t *, void *) = {
		[CADRE_LOGICAL] = logical_element,
		[CADRE_INT32] = int32_element,
		[CADRE_INT64] = int64_element,
		[CADRE_DOUBLE] = double_element,
		[CADRE_COMPLEX] = complex_element,
	};
	size_t n = json_array_size(array);
	struct cadre_value *v = value_new_vector(type, n, false);
	uint8_t *to;

	if (v == NULL)
		return error_nomem(err);
	to = v->data;
	for (size_t i = 0; i < n; i++, to += value_width(type)) {
		if (element[type](json_array_get(array, i), to) == 0)
			continue;
		cadre_value_free(&v);
		return bad(err, cadre_type_name(type));
	}
	*ret_v = v;
	return 0;
}

static int
read_strings(const json_t *array, struct cadre_value **ret_v,
	     struct cadre_error *err)
{
	struct cadre_value *v = value_new_strings(json_array_size(array), 0);
	int rc;

	if (v == NULL)
		return error_nomem(err);
	rc = read_texts(array, value_strings(v), err);
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc;
}

/* Reads j to element i of a list. */
static int
read_item(struct cadre_value *list, size_t i, const json_t *j,
	  struct cadre_error *err)
{
	struct cadre_value *item = NULL;
	int rc = read_value(j, &item, err);

	if (rc < 0)
		return rc;
	rc = value_list_put(list, i, &item);
	cadre_value_free(&item);
	if (rc < 0)
		return error_set(err, rc, "JSON: nested more than %u deep",
				 VALUE_MAX_DEPTH);
	return 0;
}

static int
read_list(const json_t *array, struct cadre_value **ret_v,
	  struct cadre_error *err)
{
	struct cadre_value *v = value_new_list(json_array_size(array));
	int rc = v == NULL ? error_nomem(err) : 0;

	for (size_t i = 0; rc == 0 && i < v->n; i++)
		rc = read_item(v, i, json_array_get(array, i), err);
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc;
}

static int
read_named_list(const json_t *object, struct cadre_value **ret_v,
		struct cadre_error *err)
{
	size_t n = json_object_size(object);
	struct cadre_value *v = value_new_list(n);
	json_t *j = (json_t *)(uintptr_t)object;
	void *at = json_object_iter(j);
	int rc = 0;

	if (v != NULL && n > 0)
		v->names = strings_new(n, 0);
	if (v == NULL || (n > 0 && v->names == NULL))
		rc = error_nomem(err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = strings_set(v->names, i, json_object_iter_key(at));
		if (rc == 0)
			rc = read_item(v, i, json_object_iter_value(at), err);
		at = json_object_iter_next(j, at);
	}
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc < 0 ? error_set(err, rc, "%s", cadre_strerror(rc)) : 0;
}

static enum kind
kind_of(const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_NULL:
		return KIND_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return KIND_BOOL;
	case JSON_INTEGER:
	case JSON_REAL:
		return KIND_NUMBER;
	case JSON_STRING:
		return KIND_TEXT;
	default:
		/* All bits: no vector. */
		return KIND_NULL | KIND_BOOL | KIND_NUMBER | KIND_TEXT;
	}
}

/* The type of vector that fits all numbers (and nulls) of an array; LIST if
 * there is none. */
static enum cadre_type
number_type(const json_t *array)
{
	bool all_double = true;
	bool all_int64 = true;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *j = json_array_get(array, i);
		int64_t x;

		if (json_is_null(j))
			continue;
		all_double = all_double && is_double(j);
		all_int64 = all_int64 && int64_element(j, &x) == 0;
	}
	if (all_double)
		return CADRE_DOUBLE;
	return all_int64 ? CADRE_INT64 : CADRE_LIST;
}

static int
read_array(const json_t *array, struct cadre_value **ret_v,
	   struct cadre_error *err)
{
	enum cadre_type type = CADRE_LIST;
	unsigned int kinds = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		kinds |= kind_of(json_array_get(array, i));
	kinds &= ~(unsigned int)KIND_NULL;
	if (kinds == KIND_TEXT)
		return read_strings(array, ret_v, err);
	if (kinds == KIND_BOOL)
		type = CADRE_LOGICAL;
	if (kinds == KIND_NUMBER)
		type = number_type(array);
	if (type == CADRE_LIST)
		return read_list(array, ret_v, err);
	return read_numbers(type, array, ret_v, err);
}

static int
read_bytes(enum cadre_type type, const json_t *data,
	   enum cadre_opaque_format format, struct cadre_value **ret_v,
	   struct cadre_error *err)
{
	size_t len = json_string_length(data);
	struct cadre_value *v;

	if (!json_is_string(data))
		return bad(err, cadre_type_name(type));
	v = value_new_vector(type, base64_room(len), false);
	if (v == NULL)
		return error_nomem(err);
	v->format = (uint8_t)format;
	if (base64_decode(json_string_value(data), len, v->data, &v->n) < 0) {
		cadre_value_free(&v);
		return error_set(err, CADRE_EINVAL,
				 "JSON: \"data\" of type \"%s\" is no base64",
				 cadre_type_name(type));
	}
	*ret_v = v;
	return 0;
}

static int
read_opaque(const json_t *object, struct cadre_value **ret_v,
	    struct cadre_error *err)
{
	const char *name = json_string_value(json_object_get(object, "format"));

	for (unsigned int f = CADRE_OPAQUE_R; value_format_name(f) != NULL; f++)
		if (name != NULL && strcmp(name, value_format_name(f)) == 0)
			return read_bytes(CADRE_OPAQUE,
					  json_object_get(object, "data"), f,
					  ret_v, err);
	return error_set(err, CADRE_EINVAL,
			 "JSON: the \"format\" of an opaque value must be "
			 "\"r\" or \"pickle\"");
}

static int
read_data(enum cadre_type type, const json_t *object,
	  struct cadre_value **ret_v, struct cadre_error *err)
{
	const json_t *data = json_object_get(object, "data");

	if (type == CADRE_OPAQUE)
		return read_opaque(object, ret_v, err);
	if (type == CADRE_RAW)
		return read_bytes(type, data, 0, ret_v, err);
	if (!json_is_array(data))
		return error_set(err, CADRE_EINVAL,
				 "JSON: \"data\" of type \"%s\" must be an "
				 "array",
				 cadre_type_name(type));
	if (type == CADRE_STRING)
		return read_strings(data, ret_v, err);
	if (type == CADRE_LIST)
		return read_list(data, ret_v, err);
	return read_numbers(type, data, ret_v, err);
}

static int
read_names(const json_t *names, struct cadre_value *v, struct cadre_error *err)
{
	if (names == NULL)
		return 0;
	if (v->type == CADRE_OPAQUE || !json_is_array(names) || v->n == 0 ||
	    json_array_size(names) != v->n)
		return error_set(err, CADRE_EINVAL,
				 "JSON: \"names\" must be an array with a name "
				 "for each element");
	v->names = strings_new(v->n, 0);
	if (v->names == NULL)
		return error_nomem(err);
	return read_texts(names, v->names, err);
}

static int
read_dims(const json_t *dims, struct cadre_value *v, struct cadre_error *err)
{
	uint64_t product[VALUE_MAX_DIMS];
	size_t n = json_array_size(dims);
	bool good = json_is_array(dims) && n > 0 && n <= VALUE_MAX_DIMS;
	int rc;

	if (dims == NULL)
		return 0;
	for (size_t i = 0; good && i < n; i++) {
		const json_t *j = json_array_get(dims, i);

		good = json_is_integer(j) && json_integer_value(j) >= 0;
		product[i] = (uint64_t)json_integer_value(j);
	}
	rc = good ? cadre_value_set_dims(v, product, n) : CADRE_EINVAL;
	if (rc == CADRE_EINVAL)
		return error_set(err, rc,
				 "JSON: \"dims\" must be numbers whose product "
				 "is the number of elements");
	return rc < 0 ? error_nomem(err) : 0;
}

static int
check_members(const json_t *object, enum cadre_type type,
	      struct cadre_error *err)
{
	static const char *const members[] = {"type", "data", "names", "dims"};
	size_t known = type == CADRE_OPAQUE &&
		       json_object_get(object, "format") != NULL;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		known += json_object_get(object, members[i]) != NULL;
	if (known == json_object_size(object))
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "JSON: an object with \"type\": \"%s\" and \"data\" "
			 "is a typed value, but this one has other members too",
			 cadre_type_name(type));
}

static int
read_typed(enum cadre_type type, const json_t *object,
	   struct cadre_value **ret_v, struct cadre_error *err)
{
	struct cadre_value *v = NULL;
	int rc = check_members(object, type, err);

	if (rc == 0)
		rc = read_data(type, object, &v, err);
	if (rc == 0)
		rc = read_names(json_object_get(object, "names"), v, err);
	if (rc == 0)
		rc = read_dims(json_object_get(object, "dims"), v, err);
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc;
}

static int
read_object(const json_t *object, struct cadre_value **ret_v,
	    struct cadre_error *err)
{
	const char *name = json_string_value(json_object_get(object, "type"));

	if (name == NULL || json_object_get(object, "data") == NULL)
		return read_named_list(object, ret_v, err);
	for (unsigned int type = CADRE_LOGICAL; type <= CADRE_OPAQUE; type++)
		if (strcmp(name, cadre_type_name(type)) == 0)
			return read_typed(type, object, ret_v, err);
	return read_named_list(object, ret_v, err);
}

static int
read_value(const json_t *j, struct cadre_value **ret_v, struct cadre_error *err)
{
	const char *text = json_string_value(j);
	int64_t x;
	double d;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return read_object(j, ret_v, err);
	case JSON_ARRAY:
		return read_array(j, ret_v, err);
	case JSON_STRING:
		return keep(cadre_value_string(&text, 1), ret_v, err);
	case JSON_INTEGER:
	case JSON_REAL:
		x = json_integer_value(j);
		d = json_number_value(j);
		return keep(is_double(j) ? cadre_value_double(&d, 1)
					 : cadre_value_int64(&x, 1),
			    ret_v, err);
	case JSON_TRUE:
	case JSON_FALSE:
		return keep(cadre_value_of_bool(json_is_true(j)), ret_v, err);
	default:
		return keep(cadre_value_null(), ret_v, err);
	}
}

int
cadre_value_from_json(const char *text, size_t len, struct cadre_value **ret_v,
		      struct cadre_error *err)
{
	json_error_t where;
	json_t *j;
	int rc;

	j = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
		       &where);
	if (j == NULL)
		return error_set(err, CADRE_EINVAL,
				 "JSON: line %d, column %d: %s", where.line,
				 where.column, where.text);
	rc = read_value(j, ret_v, err);
	json_decref(j);
	return rc;
}
