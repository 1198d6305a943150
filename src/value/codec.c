/* SPDX-License-Identifier: MIT */
#include "value/codec.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "value/value.h"

/*
 * A value is encoded as
 *
 *   offset  size
 *        0     1  type
 *        1     1  attributes: 1 names
 *        2     1  number of dimensions
 *        3     1  opaque: whose serialization
 *        4     4  zero
 *        8     8  number of elements, n
 *   dimensions (8 bytes each), names (see strings.h), elements
 *
 * where the elements are numbers or bytes padded to 8, strings (see strings.h),
 * or n values.
 */
#define HEAD 16u
#define HAS_NAMES 1u

/* Vectors of fewer bytes than this are copied: keeping the whole message alive
 * for them would cost more than it saves. */
#define LEND_MIN 16384u

#define ALIGN8(n) (((n) + 7u) & ~(size_t)7u)

/* Width of the integers that an element is made of. */
static size_t
word_width(enum cadre_type type)
{
	size_t width = value_width(type);

	return type == CADRE_COMPLEX ? width / 2 : width;
}

/* Copies between memory and the wire: the same on little-endian machines. */
static void
copy_words(void *to, const void *from, size_t bytes, size_t width)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (bytes == 0)
		return;
	if (__BYTE_ORDER == __LITTLE_ENDIAN || width == 1) {
		memcpy(to, from, bytes);
		return;
	}
	for (size_t i = 0; i < bytes; i++)
		out[i] = in[i / width * width + width - 1 - i % width];
}

/* 0, 1 or missing, whatever a caller wrote for true. */
static void
write_logicals(uint8_t *to, const int32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++, to += sizeof(int32_t))
		store_u32(to, from[i] == CADRE_NA_INT32 ? (uint32_t)from[i]
							: from[i] != 0);
}

static bool
are_logicals(const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++, from += sizeof(int32_t)) {
		uint32_t x = load_u32(from);

		if (x > 1 && x != (uint32_t)CADRE_NA_INT32)
			return false;
	}
	return true;
}

static size_t
elements_size(const struct cadre_value *v)
{
	size_t size = 0;

	if (v->type == CADRE_STRING)
		return strings_encoded_size(value_strings(v));
	if (v->type != CADRE_LIST)
		return ALIGN8(v->n * value_width(v->type));
	for (size_t i = 0; i < v->n; i++)
		size += value_encoded_size(value_items(v)[i]);
	return size;
}

size_t
value_encoded_size(const struct cadre_value *v)
{
	if (v == NULL)
		return HEAD;
	return HEAD + v->ndim * sizeof(uint64_t) +
	       (v->names == NULL ? 0 : strings_encoded_size(v->names)) +
	       elements_size(v);
}

static uint8_t *value_write(uint8_t *p, const struct cadre_value *v);

static uint8_t *
elements_write(uint8_t *p, const struct cadre_value *v)
{
	size_t size = v->n * value_width(v->type);

	if (v->type == CADRE_STRING)
		return strings_encode(p, value_strings(v));
	if (v->type == CADRE_LIST) {
		for (size_t i = 0; i < v->n; i++)
			p = value_write(p, value_items(v)[i]);
		return p;
	}
	if (size == 0)
		return p;
	/* The padding first: it lies within the last 8 bytes. */
	memset(p + ALIGN8(size) - 8, 0, 8);
	if (v->type == CADRE_LOGICAL)
		write_logicals(p, v->data, v->n);
	else
		copy_words(p, v->data, size, word_width(v->type));
	return p + ALIGN8(size);
}

static uint8_t *
value_write(uint8_t *p, const struct cadre_value *v)
{
	memset(p, 0, HEAD);
	if (v == NULL)
		return p + HEAD;
	p[0] = v->type;
	p[1] = (uint8_t)(v->names == NULL ? 0u : HAS_NAMES);
	p[2] = v->ndim;
	p[3] = v->format;
	store_u64(p + 8, v->n);
	p += HEAD;
	for (size_t i = 0; i < v->ndim; i++, p += 8)
		store_u64(p, v->dims[i]);
	if (v->names != NULL)
		p = strings_encode(p, v->names);
	return elements_write(p, v);
}

void
value_encode(struct buf *b, const struct cadre_value *v)
{
	size_t size = value_encoded_size(v);
	uint8_t *p = buf_reserve(b, size);

	if (p == NULL)
		return;
	(void)value_write(p, v);
	buf_commit(b, size);
}

/* What is being decoded: the bytes left, who owns them, and how deep we are. */
struct decoder {
	struct cursor c;
	struct blob *owner;
	unsigned int depth;
};

struct head {
	enum cadre_type type;
	uint8_t attributes;
	uint8_t ndim;
	uint8_t format;
	size_t n;
	const uint8_t *dims; /* encoded */
};

static int value_read(struct decoder *d, struct cadre_value **ret_v);

static bool
head_valid(const struct head *h, uint32_t zero, uint64_t n)
{
	bool bare = h->type == CADRE_NULL || h->type == CADRE_OPAQUE;

	if (h->type > CADRE_OPAQUE || zero != 0 || n > SIZE_MAX ||
	    (h->attributes & ~HAS_NAMES) != 0 || h->ndim > VALUE_MAX_DIMS)
		return false;
	if (bare && (h->attributes != 0 || h->ndim != 0))
		return false;
	if (h->type == CADRE_NULL && n != 0)
		return false;
	if (h->type != CADRE_OPAQUE)
		return h->format == 0;
	return value_format_name(h->format) != NULL;
}

static int
head_read(struct cursor *c, struct head *h)
{
	const uint8_t *p = cursor_take(c, HEAD);
	uint64_t n;

	if (p == NULL)
		return CADRE_EPROTO;
	n = load_u64(p + 8);
	*h = (struct head){.type = p[0],
			   .attributes = p[1],
			   .ndim = p[2],
			   .format = p[3],
			   .n = (size_t)n};
	if (!head_valid(h, load_u32(p + 4), n))
		return CADRE_EPROTO;
	h->dims = cursor_take(c, h->ndim * sizeof(uint64_t));
	return h->dims == NULL ? CADRE_EPROTO : 0;
}

/* The dimensions that the head of v announced. */
static int
dims_read(struct cadre_value *v, const struct head *h)
{
	uint64_t dims[VALUE_MAX_DIMS];

	int rc;

	copy_words(dims, h->dims, h->ndim * sizeof(dims[0]), sizeof(dims[0]));
	rc = cadre_value_set_dims(v, dims, h->ndim);
	/* Their product is not the length. */
	return rc == CADRE_EINVAL ? CADRE_EPROTO : rc;
}

static int
names_read(struct cursor *c, size_t n, struct strings **ret_names)
{
	struct strings *names;
	size_t size, arena;

	/* No names of no elements, so that there is one form of each value. */
	if (n == 0 ||
	    strings_measure(c->p, cursor_left(c), n, &size, &arena) < 0)
		return CADRE_EPROTO;
	names = strings_new(n, arena);
	if (names == NULL)
		return CADRE_ENOMEM;
	strings_decode(names, cursor_take(c, size));
	*ret_names = names;
	return 0;
}

static int
strings_read(struct cursor *c, size_t n, struct cadre_value **ret_v)
{
	size_t size, arena;

	if (strings_measure(c->p, cursor_left(c), n, &size, &arena) < 0)
		return CADRE_EPROTO;
	*ret_v = value_new_strings(n, arena);
	if (*ret_v == NULL)
		return CADRE_ENOMEM;
	strings_decode(value_strings(*ret_v), cursor_take(c, size));
	return 0;
}

static int
list_read(struct decoder *d, size_t n, struct cadre_value **ret_v)
{
	struct cadre_value *list;
	int rc = 0;

	/* Each element takes HEAD bytes at least: n is no larger than what
	 * has been sent. */
	if (d->depth == VALUE_MAX_DEPTH || n > cursor_left(&d->c) / HEAD)
		return CADRE_EPROTO;
	list = value_new_list(n);
	if (list == NULL)
		return CADRE_ENOMEM;
	d->depth++;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct cadre_value *item = NULL;

		rc = value_read(d, &item);
		if (rc == 0)
			rc = value_list_put(list, i, &item);
	}
	d->depth--;
	if (rc < 0)
		cadre_value_free(&list);
	else
		*ret_v = list;
	return rc;
}

static bool
can_lend(const struct decoder *d, const uint8_t *p, size_t size)
{
	return d->owner != NULL && size >= LEND_MIN && (uintptr_t)p % 8 == 0 &&
	       __BYTE_ORDER == __LITTLE_ENDIAN;
}

static int
vector_read(struct decoder *d, const struct head *h, struct cadre_value **ret_v)
{
	size_t width = value_width(h->type);
	const uint8_t *p = d->c.p;
	size_t size;

	if (h->n > cursor_left(&d->c) / width)
		return CADRE_EPROTO;
	size = h->n * width;
	if (cursor_take(&d->c, ALIGN8(size)) == NULL)
		return CADRE_EPROTO;
	for (size_t i = size; i < ALIGN8(size); i++)
		if (p[i] != 0)
			return CADRE_EPROTO;
	if (h->type == CADRE_LOGICAL && !are_logicals(p, h->n))
		return CADRE_EPROTO;
	if (can_lend(d, p, size)) {
		*ret_v = value_new_lent(h->type, h->n, p, d->owner);
		return *ret_v == NULL ? CADRE_ENOMEM : 0;
	}
	*ret_v = value_new_vector(h->type, h->n, false);
	if (*ret_v == NULL)
		return CADRE_ENOMEM;
	copy_words((*ret_v)->data, p, size, word_width(h->type));
	return 0;
}

static int
elements_read(struct decoder *d, const struct head *h,
	      struct cadre_value **ret_v)
{
	if (h->type == CADRE_STRING)
		return strings_read(&d->c, h->n, ret_v);
	if (h->type == CADRE_LIST)
		return list_read(d, h->n, ret_v);
	return vector_read(d, h, ret_v);
}

/* *ret_v stays NULL for null, as within lists. */
static int
value_read(struct decoder *d, struct cadre_value **ret_v)
{
	struct strings *names = NULL;
	struct cadre_value *v = NULL;
	struct head h;
	int rc;

	rc = head_read(&d->c, &h);
	if (rc < 0 || h.type == CADRE_NULL)
		return rc;
	if ((h.attributes & HAS_NAMES) != 0)
		rc = names_read(&d->c, h.n, &names);
	if (rc == 0)
		rc = elements_read(d, &h, &v);
	if (rc < 0) {
		strings_free(&names);
		return rc;
	}
	v->format = h.format;
	v->names = names;
	if (h.ndim > 0)
		rc = dims_read(v, &h);
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc;
}

int
value_decode(const void *data, size_t len, struct blob *owner,
	     struct cadre_value **ret_v)
{
	struct decoder d = {.owner = owner};
	struct cadre_value *v = NULL;
	int rc;

	cursor_init(&d.c, data, len);
	rc = value_read(&d, &v);
	if (rc == 0 && cursor_left(&d.c) != 0)
		rc = CADRE_EPROTO;
	if (rc == 0 && v == NULL) {
		v = cadre_value_null();
		rc = v == NULL ? CADRE_ENOMEM : 0;
	}
	if (rc < 0)
		cadre_value_free(&v);
	else
		*ret_v = v;
	return rc;
}
