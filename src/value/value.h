/* SPDX-License-Identifier: MIT */
#ifndef VALUE_VALUE_H
#define VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/value.h>

#include "util/blob.h"
#include "value/strings.h"

/* Lists may be nested this deep: a list of no lists is 1 deep. */
#define VALUE_MAX_DEPTH 64u
#define VALUE_MAX_DIMS 32u

/*
 * Header and data of a small value are one piece of memory.  data points
 *   - numbers, bytes: to store, or into owner (then they are only lent)
 *   - strings: to a struct strings in store
 *   - lists: to struct cadre_value *[room], in store until it has to grow; a
 *     NULL element is a null.
 */
struct cadre_value {
	uint8_t type;	/* enum cadre_type */
	uint8_t format; /* opaque: enum cadre_opaque_format */
	uint8_t depth;	/* lists: 1 + that of the deepest element */
	uint8_t ndim;
	size_t n;
	size_t room; /* lists */
	void *data;
	struct blob *owner;
	struct strings *names;
	uint64_t *dims;
	_Alignas(8) uint8_t store[];
};

/* Bytes of one element of numbers and bytes; 0 for all other types. */
size_t value_width(enum cadre_type type);
/* A vector of numbers or bytes, uninitialised or zeroed. */
struct cadre_value *value_new_vector(enum cadre_type type, size_t n, bool zero);
/* The same whose data lies in owner (a reference is taken). */
struct cadre_value *value_new_lent(enum cadre_type type, size_t n,
				   const void *data, struct blob *owner);
/* n missing strings, to be filled, with an arena. */
struct cadre_value *value_new_strings(size_t n, size_t arena_len);
struct cadre_value *value_new_list(size_t n);
/* Puts *item (taken) at i of a list, which has that many; nothing is checked
 * but the depth: CADRE_EINVAL. */
int value_list_put(struct cadre_value *list, size_t i,
		   struct cadre_value **item);
/* The product of dims; SIZE_MAX if it, or one of them, is too large. */
size_t value_dims_product(const uint64_t *dims, size_t ndim);

static inline struct strings *
value_strings(const struct cadre_value *v)
{
	return v->data;
}

static inline struct cadre_value **
value_items(const struct cadre_value *v)
{
	return v->data;
}

/* Words of a format's JSON name; NULL if unknown. */
const char *value_format_name(enum cadre_opaque_format format);

#endif
