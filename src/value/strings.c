/* SPDX-License-Identifier: MIT */
#include "value/strings.h"

#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

#include "util/buf.h"

#define ALIGN8(n) (((n) + 7u) & ~(size_t)7u)

size_t
strings_size(size_t n, size_t arena_len)
{
	size_t size;

	if (__builtin_mul_overflow(n, sizeof(char *), &size) ||
	    __builtin_add_overflow(size, sizeof(struct strings), &size) ||
	    __builtin_add_overflow(size, arena_len, &size))
		return SIZE_MAX;
	return size;
}

void
strings_init(struct strings *s, size_t n, size_t arena_len)
{
	s->n = n;
	s->room = n;
	s->text = s->first;
	s->arena = (char *)(s->first + n);
	s->arena_len = arena_len;
	if (n > 0)
		memset(s->first, 0, n * sizeof(s->first[0]));
}

static bool
in_arena(const struct strings *s, const char *text)
{
	return text >= s->arena && text < s->arena + s->arena_len;
}

static void
drop(struct strings *s, size_t i)
{
	if (!in_arena(s, s->text[i]))
		free(s->text[i]);
	s->text[i] = NULL;
}

void
strings_fini(struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		drop(s, i);
	if (s->text != s->first)
		free(s->text);
}

struct strings *
strings_new(size_t n, size_t arena_len)
{
	size_t size = strings_size(n, arena_len);
	struct strings *s = size == SIZE_MAX ? NULL : malloc(size);

	if (s != NULL)
		strings_init(s, n, arena_len);
	return s;
}

void
strings_free(struct strings **s)
{
	if (*s == NULL)
		return;
	strings_fini(*s);
	free(*s);
	*s = NULL;
}

int
strings_set(struct strings *s, size_t i, const char *text)
{
	char *copy = NULL;

	if (text != NULL) {
		size_t len = strlen(text);

		if (len >= STRINGS_MISSING)
			return CADRE_ETOOBIG;
		copy = malloc(len + 1);
		if (copy == NULL)
			return CADRE_ENOMEM;
		memcpy(copy, text, len + 1);
	}
	drop(s, i);
	s->text[i] = copy;
	return 0;
}

static int
grow(struct strings *s)
{
	size_t room = s->room < 4 ? 8 : s->room * 2;
	char **text;

	if (room > SIZE_MAX / sizeof(*text))
		return CADRE_ENOMEM;
	text = realloc(s->text == s->first ? NULL : s->text,
		       room * sizeof(*text));
	if (text == NULL)
		return CADRE_ENOMEM;
	if (s->text == s->first && s->n > 0)
		memcpy(text, s->first, s->n * sizeof(*text));
	s->text = text;
	s->room = room;
	return 0;
}

int
strings_add(struct strings *s, const char *text)
{
	int rc = s->n < s->room ? 0 : grow(s);

	if (rc < 0)
		return rc;
	s->text[s->n] = NULL;
	rc = strings_set(s, s->n, text);
	if (rc == 0)
		s->n++;
	return rc;
}

size_t
strings_bytes(const struct strings *s)
{
	size_t bytes = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->text[i] != NULL)
			bytes += strlen(s->text[i]) + 1;
	return bytes;
}

void
strings_copy(struct strings *to, const struct strings *from)
{
	char *at = to->arena;

	for (size_t i = 0; i < from->n; i++) {
		if (from->text[i] == NULL)
			continue;
		to->text[i] = at;
		at = stpcpy(at, from->text[i]) + 1;
	}
}

static bool
same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
strings_equal(const struct strings *a, const struct strings *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same(a->text[i], b->text[i]))
			return false;
	return true;
}

size_t
strings_encoded_size(const struct strings *s)
{
	return ALIGN8(s->n * sizeof(uint32_t)) + ALIGN8(strings_bytes(s));
}

static uint8_t *
pad(uint8_t *p, size_t written)
{
	size_t n = ALIGN8(written) - written;

	memset(p, 0, n);
	return p + n;
}

uint8_t *
strings_encode(uint8_t *p, const struct strings *s)
{
	size_t lengths = s->n * sizeof(uint32_t);
	uint8_t *start = p + ALIGN8(lengths);
	uint8_t *at = start;

	for (size_t i = 0; i < s->n; i++, p += sizeof(uint32_t)) {
		size_t len;

		if (s->text[i] == NULL) {
			store_u32(p, STRINGS_MISSING);
			continue;
		}
		len = strlen(s->text[i]);
		store_u32(p, (uint32_t)len);
		memcpy(at, s->text[i], len + 1);
		at += len + 1;
	}
	(void)pad(p, lengths);
	return pad(at, (size_t)(at - start));
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

int
strings_measure(const uint8_t *p, size_t len, size_t n, size_t *ret_size,
		size_t *ret_arena)
{
	const uint8_t *text;
	size_t lengths, left, arena;

	if (n > len / sizeof(uint32_t))
		return CADRE_EPROTO;
	lengths = n * sizeof(uint32_t);
	if (ALIGN8(lengths) > len ||
	    !all_zero(p + lengths, ALIGN8(lengths) - lengths))
		return CADRE_EPROTO;
	text = p + ALIGN8(lengths);
	left = len - ALIGN8(lengths);
	for (size_t i = 0; i < n; i++) {
		uint32_t size = load_u32(p + i * sizeof(uint32_t));

		if (size == STRINGS_MISSING)
			continue;
		if (size >= left || text[size] != 0 ||
		    memchr(text, 0, size) != NULL)
			return CADRE_EPROTO;
		text += size + 1;
		left -= size + 1;
	}
	arena = (size_t)(text - p) - ALIGN8(lengths);
	if (ALIGN8(arena) - arena > left ||
	    !all_zero(text, ALIGN8(arena) - arena))
		return CADRE_EPROTO;
	*ret_size = ALIGN8(lengths) + ALIGN8(arena);
	*ret_arena = arena;
	return 0;
}

void
strings_decode(struct strings *s, const uint8_t *p)
{
	char *at = s->arena;

	if (s->arena_len > 0)
		memcpy(s->arena, p + ALIGN8(s->n * sizeof(uint32_t)),
		       s->arena_len);
	for (size_t i = 0; i < s->n; i++) {
		uint32_t size = load_u32(p + i * sizeof(uint32_t));

		if (size == STRINGS_MISSING)
			continue;
		s->text[i] = at;
		at += size + 1;
	}
}
