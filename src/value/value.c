/* SPDX-License-Identifier: MIT */
#include "value/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t width;
} types[] = {
	[CADRE_NULL] = {"null", 0},	[CADRE_LOGICAL] = {"logical", 4},
	[CADRE_INT32] = {"int32", 4},	[CADRE_INT64] = {"int64", 8},
	[CADRE_DOUBLE] = {"double", 8}, [CADRE_COMPLEX] = {"complex", 16},
	[CADRE_STRING] = {"string", 0}, [CADRE_RAW] = {"raw", 1},
	[CADRE_LIST] = {"list", 0},	[CADRE_OPAQUE] = {"opaque", 1},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static const char *const formats[] = {
	[CADRE_OPAQUE_R] = "r",
	[CADRE_OPAQUE_PICKLE] = "pickle",
};

const char *
cadre_type_name(enum cadre_type type)
{
	return (size_t)type < TYPES ? types[type].name : "unknown";
}

const char *
value_format_name(enum cadre_opaque_format format)
{
	size_t n = sizeof(formats) / sizeof(formats[0]);

	return (size_t)format < n ? formats[format] : NULL;
}

size_t
value_width(enum cadre_type type)
{
	return (size_t)type < TYPES ? types[type].width : 0;
}

/* A value with size bytes of store; the store is not initialised. */
static struct cadre_value *
new_value(enum cadre_type type, size_t n, size_t size)
{
	struct cadre_value *v;

	if (size > SIZE_MAX - sizeof(*v))
		return NULL;
	v = malloc(sizeof(*v) + size);
	if (v == NULL)
		return NULL;
	*v = (struct cadre_value){.type = (uint8_t)type, .n = n};
	v->data = v->store;
	return v;
}

struct cadre_value *
value_new_vector(enum cadre_type type, size_t n, bool zero)
{
	struct cadre_value *v;
	size_t size;

	if (__builtin_mul_overflow(n, value_width(type), &size))
		return NULL;
	v = new_value(type, n, size);
	if (v != NULL && zero)
		memset(v->store, 0, size);
	return v;
}

struct cadre_value *
value_new_lent(enum cadre_type type, size_t n, const void *data,
	       struct blob *owner)
{
	struct cadre_value *v = new_value(type, n, 0);

	if (v == NULL)
		return NULL;
	/* Never written to: cadre_value_data refuses lent values. */
	v->data = (void *)(uintptr_t)data;
	v->owner = blob_ref(owner);
	return v;
}

struct cadre_value *
value_new_strings(size_t n, size_t arena_len)
{
	size_t size = strings_size(n, arena_len);
	struct cadre_value *v = new_value(CADRE_STRING, n, size);

	if (v != NULL)
		strings_init(value_strings(v), n, arena_len);
	return v;
}

struct cadre_value *
value_new_list(size_t n)
{
	struct cadre_value *v;
	size_t size;

	if (__builtin_mul_overflow(n, sizeof(struct cadre_value *), &size))
		return NULL;
	v = new_value(CADRE_LIST, n, size);
	if (v == NULL)
		return NULL;
	v->depth = 1;
	v->room = n;
	memset(v->store, 0, size);
	return v;
}

static struct cadre_value *
new_filled(enum cadre_type type, const void *data, size_t n)
{
	struct cadre_value *v = value_new_vector(type, n, data == NULL);

	if (v != NULL && data != NULL && n > 0)
		memcpy(v->data, data, n * value_width(type));
	return v;
}

struct cadre_value *
cadre_value_null(void)
{
	return new_value(CADRE_NULL, 0, 0);
}

struct cadre_value *
cadre_value_logical(const int32_t *data, size_t n)
{
	return new_filled(CADRE_LOGICAL, data, n);
}

struct cadre_value *
cadre_value_int32(const int32_t *data, size_t n)
{
	return new_filled(CADRE_INT32, data, n);
}

struct cadre_value *
cadre_value_int64(const int64_t *data, size_t n)
{
	return new_filled(CADRE_INT64, data, n);
}

struct cadre_value *
cadre_value_double(const double *data, size_t n)
{
	return new_filled(CADRE_DOUBLE, data, n);
}

struct cadre_value *
cadre_value_complex(const double *data, size_t n)
{
	return new_filled(CADRE_COMPLEX, data, n);
}

struct cadre_value *
cadre_value_raw(const void *data, size_t n)
{
	return new_filled(CADRE_RAW, data, n);
}

struct cadre_value *
cadre_value_opaque(enum cadre_opaque_format format, const void *data, size_t n)
{
	struct cadre_value *v;

	if (value_format_name(format) == NULL)
		return NULL;
	v = new_filled(CADRE_OPAQUE, data, n);
	if (v != NULL)
		v->format = (uint8_t)format;
	return v;
}

struct cadre_value *
cadre_value_string(const char *const *data, size_t n)
{
	size_t arena = 0;
	struct cadre_value *v;
	char *at;

	for (size_t i = 0; data != NULL && i < n; i++) {
		size_t len = data[i] == NULL ? 0 : strlen(data[i]);

		if (len >= STRINGS_MISSING)
			return NULL;
		arena += data[i] == NULL ? 0 : len + 1;
	}
	v = value_new_strings(n, arena);
	if (v == NULL || data == NULL)
		return v;
	at = value_strings(v)->arena;
	for (size_t i = 0; i < n; i++) {
		if (data[i] == NULL)
			continue;
		value_strings(v)->text[i] = at;
		at = stpcpy(at, data[i]) + 1;
	}
	return v;
}

struct cadre_value *
cadre_value_list(size_t n)
{
	return value_new_list(n);
}

struct cadre_value *
cadre_value_of_bool(bool x)
{
	return cadre_value_logical(&(int32_t){x}, 1);
}

struct cadre_value *
cadre_value_of_int64(int64_t x)
{
	return cadre_value_int64(&x, 1);
}

struct cadre_value *
cadre_value_of_double(double x)
{
	return cadre_value_double(&x, 1);
}

struct cadre_value *
cadre_value_of_string(const char *x)
{
	return cadre_value_string(&x, 1);
}

void
cadre_value_free(struct cadre_value **v)
{
	struct cadre_value *x = *v;

	*v = NULL;
	if (x == NULL)
		return;
	if (x->type == CADRE_STRING)
		strings_fini(value_strings(x));
	if (x->type == CADRE_LIST) {
		for (size_t i = 0; i < x->n; i++)
			cadre_value_free(&value_items(x)[i]);
		if (x->data != x->store)
			free(x->data);
	}
	strings_free(&x->names);
	free(x->dims);
	blob_unref(&x->owner);
	free(x);
}

static struct cadre_value *
copy_strings(const struct cadre_value *v)
{
	const struct strings *from = value_strings(v);
	struct cadre_value *copy = value_new_strings(v->n, strings_bytes(from));

	if (copy != NULL)
		strings_copy(value_strings(copy), from);
	return copy;
}

static struct cadre_value *
copy_list(const struct cadre_value *v)
{
	struct cadre_value *copy = value_new_list(v->n);

	if (copy == NULL)
		return NULL;
	copy->depth = v->depth;
	for (size_t i = 0; i < v->n; i++) {
		struct cadre_value *item = value_items(v)[i];

		if (item == NULL)
			continue;
		value_items(copy)[i] = cadre_value_copy(item);
		if (value_items(copy)[i] == NULL) {
			cadre_value_free(&copy);
			return NULL;
		}
	}
	return copy;
}

static struct cadre_value *
copy_bare(const struct cadre_value *v)
{
	struct cadre_value *copy;

	if (v->type == CADRE_NULL)
		return cadre_value_null();
	if (v->type == CADRE_STRING)
		return copy_strings(v);
	if (v->type == CADRE_LIST)
		return copy_list(v);
	copy = new_filled(v->type, v->data, v->n);
	if (copy != NULL)
		copy->format = v->format;
	return copy;
}

static int
copy_attributes(struct cadre_value *to, const struct cadre_value *from)
{
	if (from->names != NULL &&
	    cadre_value_set_names(to, (const char *const *)from->names->text) <
		    0)
		return CADRE_ENOMEM;
	return cadre_value_set_dims(to, from->dims, from->ndim);
}

struct cadre_value *
cadre_value_copy(const struct cadre_value *v)
{
	struct cadre_value *copy = v == NULL ? NULL : copy_bare(v);

	if (copy != NULL && copy_attributes(copy, v) < 0)
		cadre_value_free(&copy);
	return copy;
}

int
value_list_put(struct cadre_value *list, size_t i, struct cadre_value **item)
{
	struct cadre_value *x = *item;
	unsigned int depth = x == NULL ? 1u : x->depth + 1u;

	if (depth > VALUE_MAX_DEPTH)
		return CADRE_EINVAL;
	if (depth > list->depth)
		list->depth = (uint8_t)depth;
	if (value_items(list)[i] != x)
		cadre_value_free(&value_items(list)[i]);
	value_items(list)[i] = x;
	*item = NULL;
	return 0;
}

int
cadre_value_list_set(struct cadre_value *list, size_t i,
		     struct cadre_value **item)
{
	if (list == NULL || list->type != CADRE_LIST || i >= list->n ||
	    *item == list)
		return CADRE_EINVAL;
	if (*item == NULL)
		return CADRE_ENOMEM;
	return value_list_put(list, i, item);
}

static int
list_grow(struct cadre_value *list)
{
	bool in_store = list->data == list->store;
	size_t room = list->room < 4 ? 8 : list->room * 2;
	struct cadre_value **items;

	if (room > SIZE_MAX / sizeof(*items))
		return CADRE_ENOMEM;
	items = realloc(in_store ? NULL : list->data, room * sizeof(*items));
	if (items == NULL)
		return CADRE_ENOMEM;
	if (in_store && list->n > 0)
		memcpy(items, list->data, list->n * sizeof(*items));
	list->data = items;
	list->room = room;
	return 0;
}

/* Names one more element; a list has names once one of its elements has. */
static int
list_name(struct cadre_value *list, const char *name)
{
	struct strings *names = list->names;
	int rc;

	if (names == NULL && name == NULL)
		return 0;
	if (names == NULL)
		names = strings_new(list->n, 0);
	if (names == NULL)
		return CADRE_ENOMEM;
	rc = strings_add(names, name);
	if (rc == 0)
		list->names = names;
	else if (names != list->names)
		strings_free(&names);
	return rc;
}

int
cadre_value_list_add(struct cadre_value *list, const char *name,
		     struct cadre_value **item)
{
	int rc;

	if (list == NULL || list->type != CADRE_LIST || *item == list)
		return CADRE_EINVAL;
	if (*item == NULL)
		return CADRE_ENOMEM;
	if ((*item)->depth >= VALUE_MAX_DEPTH)
		return CADRE_EINVAL;
	rc = list->n < list->room ? 0 : list_grow(list);
	if (rc == 0)
		rc = list_name(list, name);
	if (rc < 0)
		return rc;
	value_items(list)[list->n] = NULL;
	(void)value_list_put(list, list->n, item);
	list->n++;
	/* They described the list as it was. */
	return cadre_value_set_dims(list, NULL, 0);
}

int
cadre_value_string_set(struct cadre_value *v, size_t i, const char *s)
{
	if (v == NULL || v->type != CADRE_STRING || i >= v->n)
		return CADRE_EINVAL;
	return strings_set(value_strings(v), i, s);
}

int
cadre_value_set_names(struct cadre_value *v, const char *const *names)
{
	struct strings *s;

	if (v == NULL || v->type == CADRE_NULL || v->type == CADRE_OPAQUE)
		return CADRE_EINVAL;
	if (names == NULL || v->n == 0) {
		strings_free(&v->names);
		return 0;
	}
	s = strings_new(v->n, 0);
	if (s == NULL)
		return CADRE_ENOMEM;
	for (size_t i = 0; i < v->n; i++) {
		int rc = strings_set(s, i, names[i]);

		if (rc < 0) {
			strings_free(&s);
			return rc;
		}
	}
	strings_free(&v->names);
	v->names = s;
	return 0;
}

size_t
value_dims_product(const uint64_t *dims, size_t ndim)
{
	bool overflow = false;
	bool empty = false;
	size_t product = 1;

	for (size_t i = 0; i < ndim; i++) {
		/* JSON and other languages have signed integers. */
		if (dims[i] > INT64_MAX)
			return SIZE_MAX;
		empty = empty || dims[i] == 0;
		overflow = __builtin_mul_overflow(product, dims[i], &product) ||
			   overflow;
	}
	if (empty)
		return 0;
	return overflow ? SIZE_MAX : product;
}

int
cadre_value_set_dims(struct cadre_value *v, const uint64_t *dims, size_t ndim)
{
	uint64_t *copy = NULL;

	if (v == NULL || ndim > VALUE_MAX_DIMS)
		return CADRE_EINVAL;
	if (ndim > 0) {
		if (v->type == CADRE_NULL || v->type == CADRE_OPAQUE ||
		    value_dims_product(dims, ndim) != v->n)
			return CADRE_EINVAL;
		copy = malloc(ndim * sizeof(*copy));
		if (copy == NULL)
			return CADRE_ENOMEM;
		memcpy(copy, dims, ndim * sizeof(*copy));
	}
	free(v->dims);
	v->dims = copy;
	v->ndim = (uint8_t)ndim;
	return 0;
}
