/* SPDX-License-Identifier: MIT */
#include "daemon/inbox.h"

#include <string.h>

#include "util/blob.h"

/* A buffer that grew beyond this is given back once it is read. */
#define KEEP_MAX (4u * 1024u * 1024u)
#define ALIGN16(n) (((n) + 15u) & ~(size_t)15u)
#define HEAD ALIGN16(sizeof(struct inbox_item))

void
inbox_init(struct inbox *in)
{
	*in = (struct inbox){0};
	(void)pthread_mutex_init(&in->lock, NULL);
	buf_init(&in->fill, SIZE_MAX / 2);
	buf_init(&in->read, SIZE_MAX / 2);
}

void
inbox_fini(struct inbox *in)
{
	while (inbox_next(in) != NULL)
		;
	(void)inbox_take(in);
	while (inbox_next(in) != NULL)
		;
	buf_fini(&in->fill);
	buf_fini(&in->read);
	(void)pthread_mutex_destroy(&in->lock);
}

void
inbox_lock(struct inbox *in)
{
	(void)pthread_mutex_lock(&in->lock);
}

void
inbox_unlock(struct inbox *in)
{
	(void)pthread_mutex_unlock(&in->lock);
}

/* Room for an item and n bytes behind it; NULL when memory ran out. */
static uint8_t *
add(struct inbox *in, struct inbox_item *item, size_t n)
{
	uint8_t *to;

	item->size = HEAD + ALIGN16(n);
	to = buf_reserve(&in->fill, item->size);
	if (to == NULL) {
		in->broken = true;
		return NULL;
	}
	memcpy(to, item, sizeof(*item));
	buf_commit(&in->fill, item->size);
	return to + HEAD;
}

static void
copy(uint8_t *to, const void *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, n);
}

void
inbox_add_frame(struct inbox *in, const struct wire_frame *frame)
{
	struct inbox_item item = {.kind = INBOX_FRAME, .frame = *frame};
	size_t inlined = frame->owner == NULL ? frame->payload_len : 0;
	uint8_t *to = add(in, &item, frame->fields_len + inlined);

	if (to == NULL)
		return;
	copy(to, frame->fields, frame->fields_len);
	copy(to + frame->fields_len, frame->payload, inlined);
	if (frame->owner != NULL)
		(void)blob_ref(frame->owner);
}

void
inbox_add_event(struct inbox *in, enum inbox_kind kind, void *pointer,
		const char *text)
{
	struct inbox_item item = {.kind = kind, .pointer = pointer};
	uint8_t *to;

	item.frame.payload_len = text == NULL ? 0 : strlen(text) + 1;
	to = add(in, &item, item.frame.payload_len);
	if (to != NULL)
		copy(to, text, item.frame.payload_len);
}

bool
inbox_take(struct inbox *in)
{
	struct buf full;
	bool ok;

	if (in->read.cap > KEEP_MAX)
		buf_fini(&in->read);
	buf_reset(&in->read);
	in->pos = 0;
	in->started = false;
	inbox_lock(in);
	full = in->fill;
	in->fill = in->read;
	in->read = full;
	ok = !in->broken;
	in->broken = false;
	inbox_unlock(in);
	return ok;
}

/* Drops the reference that the item before pos holds. */
static void
release(struct inbox *in)
{
	struct inbox_item *item =
		(struct inbox_item *)(void *)(in->read.data + in->pos);

	blob_unref(&item->frame.owner);
	in->pos += item->size;
}

struct inbox_item *
inbox_next(struct inbox *in)
{
	struct inbox_item *item;
	uint8_t *bytes;

	if (in->pos == in->read.len)
		return NULL;
	if (in->started)
		release(in);
	in->started = in->pos < in->read.len;
	if (!in->started)
		return NULL;
	/* The buffer may have moved since it was filled. */
	bytes = in->read.data + in->pos;
	item = (struct inbox_item *)(void *)bytes;
	item->frame.fields = bytes + HEAD;
	if (item->frame.owner == NULL)
		item->frame.payload = bytes + HEAD + item->frame.fields_len;
	return item;
}
