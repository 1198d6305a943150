/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/error.h"
#include "value/base64.h"
#include "value/value.h"

/*
 * Values as JSON: plain where reading the text again gives the same value,
 * else an object with "type" and "data" (PROTOCOL.md, "JSON form").
 */

/* What a value, or one element, looks like as plain JSON. */
enum shape {
	SHAPE_NULL = 1,
	SHAPE_BOOL = 2,
	SHAPE_NUMBER = 4,
	SHAPE_TEXT = 8,
	SHAPE_OTHER = 16
};

static void write_value(struct buf *b, const struct cadre_value *v);

static void
put(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

/* Bytes of the UTF-8 sequence at s; 0 if it is none (the forms that JSON
 * readers refuse: overlong, surrogates, beyond U+10FFFF). */
static size_t
utf8_sequence(const uint8_t *s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;
	uint32_t c;

	if (n < 2)
		return n;
	c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

static bool
is_utf8(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n;

	for (; *s != 0; s += n) {
		n = utf8_sequence(s);
		if (n == 0)
			return false;
	}
	return true;
}

static void
write_escape(struct buf *b, unsigned char c)
{
	static const char *const names[] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",
		['\f'] = "\\f", ['\r'] = "\\r",
	};
	char text[8];

	if (c == '"' || c == '\\') {
		buf_put_u8(b, '\\');
		buf_put_u8(b, c);
		return;
	}
	if (c < sizeof(names) / sizeof(names[0]) && names[c] != NULL) {
		put(b, names[c]);
		return;
	}
	(void)snprintf(text, sizeof(text), "\\u%04x", c);
	put(b, text);
}

static void
write_utf8(struct buf *b, const char *text)
{
	const char *run = text;

	buf_put_u8(b, '"');
	for (; *text != 0; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(b, run, (size_t)(text - run));
		write_escape(b, c);
		run = text + 1;
	}
	buf_put(b, run, (size_t)(text - run));
	buf_put_u8(b, '"');
}

static void
write_base64(struct buf *b, const void *data, size_t n)
{
	buf_put_u8(b, '"');
	base64_encode(b, data, n);
	buf_put_u8(b, '"');
}

/* A string, null if it is missing, or its bytes if they are no UTF-8. */
static void
write_text(struct buf *b, const char *text)
{
	if (text == NULL) {
		put(b, "null");
	} else if (is_utf8(text)) {
		write_utf8(b, text);
	} else {
		put(b, "{\"base64\":");
		write_base64(b, text, strlen(text));
		buf_put_u8(b, '}');
	}
}

/* The shortest text that reads as x again; sets of digits that look like an
 * integer are read as double too, but for the sign of zero. */
static void
write_finite(struct buf *b, double x)
{
	char text[40];

	if (x == 0 && signbit(x)) {
		put(b, "-0.0");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	put(b, text);
}

static void
write_double(struct buf *b, double x)
{
	if (isfinite(x))
		write_finite(b, x);
	else if (cadre_is_na_double(x))
		put(b, "null");
	else if (isnan(x))
		put(b, "\"NaN\"");
	else
		put(b, x > 0 ? "\"Inf\"" : "\"-Inf\"");
}

static void
write_integer(struct buf *b, int64_t x, int64_t missing)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)x);
	put(b, x == missing ? "null" : text);
}

static void
write_logical(struct buf *b, int32_t x)
{
	put(b, x == CADRE_NA_INT32 ? "null" : x != 0 ? "true" : "false");
}

static void
write_element(struct buf *b, const struct cadre_value *v, size_t i)
{
	const double *pair = cadre_value_complex_data(v);

	switch (v->type) {
	case CADRE_LOGICAL:
		write_logical(b, cadre_value_logical_data(v)[i]);
		break;
	case CADRE_INT32:
		write_integer(b, cadre_value_int32_data(v)[i], CADRE_NA_INT32);
		break;
	case CADRE_INT64:
		write_integer(b, cadre_value_int64_data(v)[i], CADRE_NA_INT64);
		break;
	case CADRE_DOUBLE:
		write_double(b, cadre_value_double_data(v)[i]);
		break;
	case CADRE_COMPLEX:
		buf_put_u8(b, '[');
		write_double(b, pair[2 * i]);
		buf_put_u8(b, ',');
		write_double(b, pair[2 * i + 1]);
		buf_put_u8(b, ']');
		break;
	case CADRE_STRING:
		write_text(b, cadre_value_string_at(v, i));
		break;
	default:
		write_value(b, cadre_value_at(v, i));
	}
}

static void
write_elements(struct buf *b, const struct cadre_value *v)
{
	buf_put_u8(b, '[');
	for (size_t i = 0; i < v->n && b->error == 0; i++) {
		if (i > 0)
			buf_put_u8(b, ',');
		write_element(b, v, i);
	}
	buf_put_u8(b, ']');
}

static enum shape
element_shape(const struct cadre_value *v, size_t i)
{
	const char *text;
	double x;

	switch (v->type) {
	case CADRE_LOGICAL:
		return cadre_value_logical_data(v)[i] == CADRE_NA_INT32
			       ? SHAPE_NULL
			       : SHAPE_BOOL;
	case CADRE_DOUBLE:
		x = cadre_value_double_data(v)[i];
		if (cadre_is_na_double(x))
			return SHAPE_NULL;
		return isfinite(x) ? SHAPE_NUMBER : SHAPE_OTHER;
	case CADRE_STRING:
		text = cadre_value_string_at(v, i);
		if (text == NULL)
			return SHAPE_NULL;
		return is_utf8(text) ? SHAPE_TEXT : SHAPE_OTHER;
	default:
		return SHAPE_OTHER;
	}
}

static bool
has_attributes(const struct cadre_value *v)
{
	return v->names != NULL || v->ndim > 0;
}

/* The shape of an element of a list. */
static enum shape
value_shape(const struct cadre_value *v)
{
	enum shape shape;

	if (cadre_value_type(v) == CADRE_NULL)
		return SHAPE_NULL;
	if (has_attributes(v) || v->n != 1)
		return SHAPE_OTHER;
	shape = element_shape(v, 0);
	return shape == SHAPE_NULL ? SHAPE_OTHER : shape;
}

static bool
is_one_kind(unsigned int shapes)
{
	shapes &= ~(unsigned int)SHAPE_NULL;
	return shapes == SHAPE_BOOL || shapes == SHAPE_NUMBER ||
	       shapes == SHAPE_TEXT;
}

/* Whether v as [...] is read as v again: arrays of one kind are read as
 * vectors, all others as lists. */
static bool
is_plain_array(const struct cadre_value *v)
{
	unsigned int shapes = 0;

	if (has_attributes(v))
		return false;
	if (v->type != CADRE_LIST) {
		for (size_t i = 0; i < v->n && shapes < SHAPE_OTHER; i++)
			shapes |= element_shape(v, i);
		return is_one_kind(shapes);
	}
	for (size_t i = 0; i < v->n; i++)
		shapes |= value_shape(cadre_value_at(v, i));
	return !is_one_kind(shapes);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether all names can be keys: there, UTF-8, different, and not those that
 * mark a typed value. */
static bool
names_are_keys(struct buf *b, const struct strings *names)
{
	bool unique = true;
	int marks = 0;
	char **sorted;

	for (size_t i = 0; i < names->n; i++) {
		if (names->text[i] == NULL || !is_utf8(names->text[i]))
			return false;
		marks += strcmp(names->text[i], "type") == 0 ||
			 strcmp(names->text[i], "data") == 0;
	}
	if (marks > 1)
		return false;
	sorted = malloc(names->n * sizeof(*sorted));
	if (sorted == NULL) {
		b->error = CADRE_ENOMEM;
		return false;
	}
	memcpy(sorted, names->text, names->n * sizeof(*sorted));
	qsort(sorted, names->n, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < names->n && unique; i++)
		unique = strcmp(sorted[i - 1], sorted[i]) != 0;
	free(sorted);
	return unique;
}

static void
write_object(struct buf *b, const struct cadre_value *v)
{
	for (size_t i = 0; i < v->n && b->error == 0; i++) {
		buf_put_u8(b, i == 0 ? '{' : ',');
		write_utf8(b, v->names->text[i]);
		buf_put_u8(b, ':');
		write_element(b, v, i);
	}
	buf_put_u8(b, '}');
}

static void
write_attributes(struct buf *b, const struct cadre_value *v)
{
	char text[24];

	for (size_t i = 0; i < v->ndim; i++) {
		(void)snprintf(text, sizeof(text), "%llu",
			       (unsigned long long)v->dims[i]);
		put(b, i == 0 ? ",\"dims\":[" : ",");
		put(b, text);
	}
	if (v->ndim > 0)
		buf_put_u8(b, ']');
	if (v->names == NULL)
		return;
	for (size_t i = 0; i < v->names->n; i++) {
		put(b, i == 0 ? ",\"names\":[" : ",");
		write_text(b, v->names->text[i]);
	}
	buf_put_u8(b, ']');
}

static void
write_typed(struct buf *b, const struct cadre_value *v)
{
	put(b, "{\"type\":\"");
	put(b, cadre_type_name(v->type));
	buf_put_u8(b, '"');
	if (v->type == CADRE_OPAQUE) {
		put(b, ",\"format\":\"");
		put(b, value_format_name(v->format));
		buf_put_u8(b, '"');
	}
	put(b, ",\"data\":");
	if (cadre_value_bytes(v) != NULL)
		write_base64(b, cadre_value_bytes(v), v->n);
	else
		write_elements(b, v);
	write_attributes(b, v);
	buf_put_u8(b, '}');
}

static void
write_value(struct buf *b, const struct cadre_value *v)
{
	enum shape shape = value_shape(v);

	if (shape == SHAPE_NULL)
		put(b, "null");
	else if (shape != SHAPE_OTHER)
		write_element(b, v, 0);
	else if (is_plain_array(v))
		write_elements(b, v);
	else if (v->type == CADRE_LIST && v->names != NULL && v->ndim == 0 &&
		 names_are_keys(b, v->names))
		write_object(b, v);
	else
		write_typed(b, v);
}

int
cadre_value_to_json(const struct cadre_value *v, char **ret_text,
		    struct cadre_error *err)
{
	locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	locale_t callers;
	struct buf b;

	if (c_locale == (locale_t)0)
		return error_nomem(err);
	/* Numbers have a decimal point whatever the caller's locale says. */
	callers = uselocale(c_locale);
	buf_init(&b, SIZE_MAX);
	write_value(&b, v);
	buf_put_u8(&b, 0);
	(void)uselocale(callers);
	freelocale(c_locale);
	if (b.error != 0) {
		buf_fini(&b);
		return error_nomem(err);
	}
	*ret_text = (char *)b.data;
	return 0;
}
