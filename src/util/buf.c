/* SPDX-License-Identifier: MIT */
#include "util/buf.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

static int
enlarge(struct buf *b, size_t need)
{
	size_t cap = b->cap < 256 ? 256 : b->cap;
	uint8_t *data;

	/* Never above the maximum: room that is there may be used. */
	if (cap > b->max)
		cap = b->max;
	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	data = realloc(b->data, cap);
	if (data == NULL)
		return CADRE_ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

bool
buf_grow(struct buf *b, size_t n)
{
	if (b->error == 0 && (n > b->max || b->len > b->max - n))
		b->error = CADRE_ETOOBIG;
	if (b->error == 0)
		b->error = enlarge(b, b->len + n);
	return b->error == 0;
}

void
buf_put_u8(struct buf *b, uint8_t x)
{
	buf_put(b, &x, 1);
}

void
buf_put_u16(struct buf *b, uint16_t x)
{
	uint16_t le = htole16(x);

	buf_put(b, &le, sizeof(le));
}

void
buf_put_u32(struct buf *b, uint32_t x)
{
	uint32_t le = htole32(x);

	buf_put(b, &le, sizeof(le));
}

void
buf_put_u64(struct buf *b, uint64_t x)
{
	uint64_t le = htole64(x);

	buf_put(b, &le, sizeof(le));
}

void
buf_consume(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len > 0)
		memmove(b->data, b->data + n, b->len);
}

void
cursor_init(struct cursor *c, const void *data, size_t len)
{
	c->p = data;
	c->end = c->p == NULL ? NULL : c->p + len;
	c->bad = false;
}

size_t
cursor_left(const struct cursor *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

const uint8_t *
cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || (size_t)(c->end - c->p) < n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

uint8_t
cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p == NULL ? 0 : *p;
}

uint16_t
cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p == NULL ? 0 : load_u16(p);
}

uint32_t
cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p == NULL ? 0 : load_u32(p);
}

uint64_t
cursor_u64(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 8);

	return p == NULL ? 0 : load_u64(p);
}
