/* SPDX-License-Identifier: MIT */
#include "link/send.h"

#include <stdlib.h>

/* Payloads from this size on are sent from where they are. */
#define SEND_REF_MIN ((size_t)64 * 1024)
/* A batch that grew beyond this gives its memory back. */
#define SEND_KEEP ((size_t)1024 * 1024)

static const uint8_t zeros[8];

void
send_init(struct send_batch *b)
{
	*b = (struct send_batch){0};
	buf_init(&b->bytes, SIZE_MAX / 2);
}

static void
drop_refs(struct send_batch *b)
{
	for (size_t i = 0; i < b->n_refs; i++)
		blob_unref(&b->refs[i].owner);
	b->n_refs = 0;
}

void
send_fini(struct send_batch *b)
{
	drop_refs(b);
	free(b->refs);
	buf_fini(&b->bytes);
	*b = (struct send_batch){0};
}

void
send_reset(struct send_batch *b)
{
	drop_refs(b);
	if (b->bytes.cap > SEND_KEEP)
		buf_fini(&b->bytes);
	buf_reset(&b->bytes);
	b->bytes_done = 0;
	b->refs_done = 0;
	b->ref_done = 0;
	b->left = 0;
}

static int
room_for_ref(struct send_batch *b)
{
	size_t cap = b->cap_refs == 0 ? 8 : b->cap_refs * 2;
	struct send_ref *refs;

	if (b->n_refs < b->cap_refs)
		return 0;
	refs = reallocarray(b->refs, cap, sizeof(*refs));
	if (refs == NULL)
		return CADRE_ENOMEM;
	b->refs = refs;
	b->cap_refs = cap;
	return 0;
}

/* Counts what was appended since before, or takes it back. */
static int
finish(struct send_batch *b, size_t before)
{
	int rc = b->bytes.error;

	if (rc != 0) {
		b->bytes.len = before;
		b->bytes.error = 0;
		return rc;
	}
	b->left += b->bytes.len - before;
	return 0;
}

static int
put_ref(struct send_batch *b, const struct wire_frame *frame)
{
	size_t before = b->bytes.len;
	size_t at, pad;
	int rc;

	rc = room_for_ref(b);
	if (rc < 0)
		return rc;
	pad = wire_encode_head(&b->bytes, frame);
	at = b->bytes.len;
	buf_put(&b->bytes, zeros, pad);
	rc = finish(b, before);
	if (rc < 0)
		return rc;
	b->refs[b->n_refs++] =
		(struct send_ref){.at = at,
				  .data = frame->payload,
				  .len = frame->payload_len,
				  .owner = blob_ref(frame->owner)};
	b->left += frame->payload_len;
	return 0;
}

int
send_put(struct send_batch *b, const struct wire_frame *frame)
{
	size_t before = b->bytes.len;

	if (frame->owner != NULL && frame->payload_len >= SEND_REF_MIN)
		return put_ref(b, frame);
	wire_encode(&b->bytes, frame);
	return finish(b, before);
}

int
send_put_bytes(struct send_batch *b, const void *data, size_t len)
{
	size_t before = b->bytes.len;

	buf_put(&b->bytes, data, len);
	return finish(b, before);
}

unsigned int
send_pieces(const struct send_batch *b, struct iovec *iov, unsigned int max)
{
	size_t pos = b->bytes_done;
	size_t skip = b->ref_done;
	unsigned int n = 0;

	for (size_t i = b->refs_done; n < max; i++) {
		size_t until = i < b->n_refs ? b->refs[i].at : b->bytes.len;

		if (until > pos)
			iov[n++] = (struct iovec){b->bytes.data + pos,
						  until - pos};
		pos = until;
		if (i == b->n_refs)
			break;
		if (n == max)
			break;
		iov[n++] = (struct iovec){(uint8_t *)b->refs[i].data + skip,
					  b->refs[i].len - skip};
		skip = 0;
	}
	return n;
}

void
send_advance(struct send_batch *b, size_t n)
{
	b->left -= n;
	while (n > 0) {
		struct send_ref *ref = b->refs_done < b->n_refs
					       ? &b->refs[b->refs_done]
					       : NULL;
		size_t until = ref != NULL ? ref->at : b->bytes.len;
		size_t step = until - b->bytes_done;

		if (step > n)
			step = n;
		b->bytes_done += step;
		n -= step;
		if (ref == NULL || n == 0)
			continue;
		step = ref->len - b->ref_done;
		if (step > n)
			step = n;
		b->ref_done += step;
		n -= step;
		if (b->ref_done < ref->len)
			continue;
		/* Sent: let go of it now, the rest may take long. */
		blob_unref(&ref->owner);
		b->refs_done++;
		b->ref_done = 0;
	}
}
