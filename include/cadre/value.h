/* SPDX-License-Identifier: MIT */
#ifndef CADRE_VALUE_H
#define CADRE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

/*
 * Typed values: the arguments and results of tasks.
 *
 * A value is a vector of one element type, a list of values, null, or an
 * opaque payload in the serialization of one language.  Vectors carry optional
 * names and dimensions, and missing values (NA, as in R) are kept across
 * languages.  A scalar is a vector of length 1.
 *
 * Constructors return owned values, or NULL when memory ran out.  Values are
 * not shared: a list owns its elements.  A value may be read from several
 * threads at once as long as none changes it.
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* The numbers are those of the wire format; they never change. */
enum cadre_type {
	CADRE_NULL = 0,
	CADRE_LOGICAL = 1, /* int32_t: 0, 1 or CADRE_NA_INT32 */
	CADRE_INT32 = 2,   /* int32_t, missing = CADRE_NA_INT32 */
	CADRE_INT64 = 3,   /* int64_t, missing = CADRE_NA_INT64 */
	CADRE_DOUBLE = 4,  /* double, missing = cadre_na_double() */
	CADRE_COMPLEX = 5, /* pairs of double: real, imaginary */
	CADRE_STRING = 6,  /* UTF-8 or any bytes without NUL; missing = NULL */
	CADRE_RAW = 7,	   /* bytes */
	CADRE_LIST = 8,	   /* values */
	CADRE_OPAQUE = 9   /* bytes in a language's own serialization */
};

/* Whose serialization an opaque payload is in. */
enum cadre_opaque_format {
	CADRE_OPAQUE_R = 1,	/* R's serialize() */
	CADRE_OPAQUE_PICKLE = 2 /* Python's pickle */
};

#define CADRE_NA_INT32 INT32_MIN
#define CADRE_NA_INT64 INT64_MIN

struct cadre_value;

/* R's missing double: the NaN whose low word is 1954. */
double cadre_na_double(void);
bool cadre_is_na_double(double x);

/*
 * Constructors.  n is the number of elements; the data is copied, or left
 * zero-filled when data is NULL (for strings: missing), to be written through
 * the cadre_value_*_data functions.  They return owned.
 */
struct cadre_value *cadre_value_null(void);
struct cadre_value *cadre_value_logical(const int32_t *data, size_t n);
struct cadre_value *cadre_value_int32(const int32_t *data, size_t n);
struct cadre_value *cadre_value_int64(const int64_t *data, size_t n);
struct cadre_value *cadre_value_double(const double *data, size_t n);
/* data: n pairs (real, imaginary), that is 2 n doubles. */
struct cadre_value *cadre_value_complex(const double *data, size_t n);
/* data: n strings, copied; a NULL element is a missing string. */
struct cadre_value *cadre_value_string(const char *const *data, size_t n);
struct cadre_value *cadre_value_raw(const void *data, size_t n);
/* A list of n nulls. */
struct cadre_value *cadre_value_list(size_t n);
struct cadre_value *cadre_value_opaque(enum cadre_opaque_format format,
				       const void *data, size_t n);

/* Scalars: vectors of length 1.  Return owned. */
struct cadre_value *cadre_value_of_bool(bool x);
struct cadre_value *cadre_value_of_int64(int64_t x);
struct cadre_value *cadre_value_of_double(double x);
struct cadre_value *cadre_value_of_string(const char *x);

/* A deep copy (returns owned), NULL when memory ran out or v is NULL. */
struct cadre_value *cadre_value_copy(const struct cadre_value *v);

/* Frees *v (takes) and sets it to NULL.  *v may be NULL. */
void cadre_value_free(struct cadre_value **v);

/* True if both have the same type, elements, names and dimensions.  Missing
 * values are equal to each other; so are NaNs. */
bool cadre_value_equal(const struct cadre_value *a,
		       const struct cadre_value *b);

/* v borrowed; NULL counts as null. */
enum cadre_type cadre_value_type(const struct cadre_value *v);
const char *cadre_type_name(enum cadre_type type);
/* Number of elements; of bytes for raw and opaque; 0 for null. */
size_t cadre_value_length(const struct cadre_value *v);
enum cadre_opaque_format cadre_value_opaque_format(const struct cadre_value *v);

/*
 * The elements, borrowed until v is changed or freed; NULL if v has another
 * type.  Numeric data is aligned to 8 bytes.
 */
const int32_t *cadre_value_logical_data(const struct cadre_value *v);
const int32_t *cadre_value_int32_data(const struct cadre_value *v);
const int64_t *cadre_value_int64_data(const struct cadre_value *v);
const double *cadre_value_double_data(const struct cadre_value *v);
const double *cadre_value_complex_data(const struct cadre_value *v);
/* Bytes of a raw or opaque value. */
const void *cadre_value_bytes(const struct cadre_value *v);
/* Writable elements of a logical, integer, double, complex or raw vector,
 * borrowed; NULL for other types, and for values that the library only lends
 * (those are const everywhere in this API). */
void *cadre_value_data(struct cadre_value *v);
/* The i-th string, borrowed; NULL if it is missing, i is out of range or v is
 * no string vector. */
const char *cadre_value_string_at(const struct cadre_value *v, size_t i);
/* The i-th element of a list, borrowed; NULL if out of range or no list. */
const struct cadre_value *cadre_value_at(const struct cadre_value *v, size_t i);
/* The first element of that name in a list, borrowed; NULL if none. */
const struct cadre_value *cadre_value_get(const struct cadre_value *v,
					  const char *name);

/*
 * The i-th element converted, without loss, to the C type: a logical or
 * integer to any wide enough integer or double; a double that is integral to
 * an integer.  CADRE_EINVAL if it does not fit, is missing (integers only; a
 * missing number is NA as a double), or i is out of range.
 */
int cadre_value_int64_at(const struct cadre_value *v, size_t i, int64_t *ret);
int cadre_value_double_at(const struct cadre_value *v, size_t i, double *ret);

/* Sets element i of a list; takes *item.  CADRE_EINVAL if v is no list, i is
 * out of range, or lists would nest more than 64 deep; CADRE_ENOMEM if *item is
 * NULL, as constructors return when memory ran out.  *item then stays with the
 * caller. */
int cadre_value_list_set(struct cadre_value *list, size_t i,
			 struct cadre_value **item);
/* Appends a named element to a list; copies name (NULL: no name), takes
 * *item.  Errors as above. */
int cadre_value_list_add(struct cadre_value *list, const char *name,
			 struct cadre_value **item);
/* Sets element i of a string vector; copies s (NULL: missing). */
int cadre_value_string_set(struct cadre_value *v, size_t i, const char *s);

/* Names: one for each element, NULL elements for none.  Copies; NULL removes
 * all, and a value without elements has none.  Not for null and opaque
 * values. */
int cadre_value_set_names(struct cadre_value *v, const char *const *names);
/* The i-th name, borrowed; NULL if it has none. */
const char *cadre_value_name_at(const struct cadre_value *v, size_t i);
bool cadre_value_has_names(const struct cadre_value *v);

/* Dimensions, column-major; their product must be the length.  Copies; ndim 0
 * removes them.  At most 32, each below 2^63. */
int cadre_value_set_dims(struct cadre_value *v, const uint64_t *dims,
			 size_t ndim);
/* Borrowed; *ret_ndim is 0 and the result NULL if there are none. */
const uint64_t *cadre_value_dims(const struct cadre_value *v, size_t *ret_ndim);

/*
 * JSON.  Without loss for every value (types that JSON lacks are objects with
 * a "type" member; PROTOCOL.md, "JSON form"); plain numbers, strings, arrays
 * and objects are read as double, string, the vector that fits, and list.
 * to_json returns owned text (free it with free()).
 */
int cadre_value_to_json(const struct cadre_value *v, char **ret_text,
			struct cadre_error *err);
int cadre_value_from_json(const char *text, size_t len,
			  struct cadre_value **ret_v, struct cadre_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
