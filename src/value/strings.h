/* SPDX-License-Identifier: MIT */
#ifndef VALUE_STRINGS_H
#define VALUE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A vector of strings, some of which may be missing: the elements of string
 * values and the names of all others.  It begins in one piece of memory
 *
 *   struct strings, room for n pointers, arena
 *
 * where a decoder copies all texts at once; strings set later are allocated
 * one by one.
 */
struct strings {
	size_t n;
	size_t room;	  /* of text */
	char **text;	  /* first[], or allocated once it had to grow */
	size_t arena_len; /* what lies there is never freed singly */
	char *arena;
	char *first[];
};

/* Bytes that hold n strings and an arena; SIZE_MAX if that overflows. */
size_t strings_size(size_t n, size_t arena_len);
/* Makes n missing strings in memory of that size. */
void strings_init(struct strings *s, size_t n, size_t arena_len);
/* Frees all but the memory of s itself. */
void strings_fini(struct strings *s);

/* The same in memory of their own; NULL when memory ran out. */
struct strings *strings_new(size_t n, size_t arena_len);
void strings_free(struct strings **s);

/* Copies text (NULL: missing) to element i, which exists.  CADRE_ENOMEM,
 * CADRE_ETOOBIG. */
int strings_set(struct strings *s, size_t i, const char *text);
/* Adds one at the end. */
int strings_add(struct strings *s, const char *text);

/* Bytes of all texts with their terminating NUL. */
size_t strings_bytes(const struct strings *s);
/* Fills a fresh to, which has an arena of strings_bytes(from), with from. */
void strings_copy(struct strings *to, const struct strings *from);
bool strings_equal(const struct strings *a, const struct strings *b);

/* The encoding: lengths (u32, STRINGS_MISSING for a missing one) padded to 8,
 * then all texts with their NULs, padded to 8. */
#define STRINGS_MISSING UINT32_MAX
size_t strings_encoded_size(const struct strings *s);
/* Writes that many bytes, returns the end. */
uint8_t *strings_encode(uint8_t *p, const struct strings *s);
/* Looks at n encoded strings at p without trusting them.  CADRE_EPROTO, or 0
 * with the bytes they take up and the arena they need. */
int strings_measure(const uint8_t *p, size_t len, size_t n, size_t *ret_size,
		    size_t *ret_arena);
/* Fills a fresh s, which has that arena, with what strings_measure accepted. */
void strings_decode(struct strings *s, const uint8_t *p);

#endif
