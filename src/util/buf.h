/* SPDX-License-Identifier: MIT */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A growing byte buffer under a hard maximum, and a cursor that consumes bytes
 * or fails.  Both carry a sticky error, so that a run of calls is checked once
 * at its end.  Integers are little-endian.
 */

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
	int error; /* 0, CADRE_ENOMEM or CADRE_ETOOBIG; sticky */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Forgets contents and error, keeps the memory. */
void buf_reset(struct buf *b);
/* Makes it hold n more bytes than it has; false on error. */
bool buf_grow(struct buf *b, size_t n);

/* Makes room for n more bytes and returns where they go (len is not moved);
 * NULL on error. */
static inline uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if ((b->error != 0 || n > b->cap - b->len || b->data == NULL) &&
	    !buf_grow(b, n))
		return NULL;
	return b->data + b->len;
}

/* Counts n bytes written to what buf_reserve returned. */
static inline void
buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

static inline void
buf_put(struct buf *b, const void *data, size_t n)
{
	uint8_t *to = buf_reserve(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, data, n);
	b->len += n;
}

void buf_put_u8(struct buf *b, uint8_t x);
void buf_put_u16(struct buf *b, uint16_t x);
void buf_put_u32(struct buf *b, uint32_t x);
void buf_put_u64(struct buf *b, uint64_t x);
/* Removes n bytes from the front. */
void buf_consume(struct buf *b, size_t n);

struct cursor {
	const uint8_t *p;
	const uint8_t *end;
	bool bad; /* sticky: something was read past the end */
};

void cursor_init(struct cursor *c, const void *data, size_t len);
size_t cursor_left(const struct cursor *c);
/* The next n bytes, borrowed from what the cursor reads; NULL and bad if there
 * are fewer. */
const uint8_t *cursor_take(struct cursor *c, size_t n);
/* 0 and bad past the end. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);

/* Loads and stores at any address. */
static inline uint16_t
load_u16(const uint8_t *p)
{
	uint16_t x;

	memcpy(&x, p, sizeof(x));
	return le16toh(x);
}

static inline uint32_t
load_u32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return le32toh(x);
}

static inline uint64_t
load_u64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return le64toh(x);
}

static inline void
store_u16(uint8_t *p, uint16_t x)
{
	x = htole16(x);
	memcpy(p, &x, sizeof(x));
}

static inline void
store_u32(uint8_t *p, uint32_t x)
{
	x = htole32(x);
	memcpy(p, &x, sizeof(x));
}

static inline void
store_u64(uint8_t *p, uint64_t x)
{
	x = htole64(x);
	memcpy(p, &x, sizeof(x));
}

#endif
