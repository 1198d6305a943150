/* SPDX-License-Identifier: MIT */
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

#define RING_MIN 16u
#define COMPACT_MIN (256u * 1024u)
/* A buffer larger than this is given back when the queue is empty. */
#define KEEP_MAX (4u * 1024u * 1024u)

void
queue_init(struct queue *q)
{
	*q = (struct queue){0};
	buf_init(&q->bytes, SIZE_MAX / 2);
	buf_init(&q->rest, SIZE_MAX / 2);
	buf_init(&q->fields, SIZE_MAX / 2);
}

static struct queue_entry *
entry_at(const struct queue *q, uint32_t i)
{
	return &q->ring[i & q->mask];
}

void
queue_fini(struct queue *q)
{
	for (uint32_t i = q->head; i != q->tail; i++)
		blob_unref(&entry_at(q, i)->owner);
	free(q->ring);
	buf_fini(&q->bytes);
	buf_fini(&q->rest);
	buf_fini(&q->fields);
	*q = (struct queue){0};
}

static int
grow(struct queue *q)
{
	uint32_t size = q->ring == NULL ? 0 : q->mask + 1;
	uint32_t new_size = size == 0 ? RING_MIN : size * 2;
	struct queue_entry *ring;

	if (q->tail - q->head < size)
		return 0;
	ring = calloc(new_size, sizeof(*ring));
	if (ring == NULL)
		return CADRE_ENOMEM;
	for (uint32_t i = q->head; i != q->tail; i++)
		ring[i & (new_size - 1)] = *entry_at(q, i);
	free(q->ring);
	q->ring = ring;
	q->mask = new_size - 1;
	return 0;
}

/* The frame without its payload, which a worker finds in the shared memory. */
static void
encode_shared(struct queue *q, const struct wire_frame *frame)
{
	struct wire_frame head = *frame;

	buf_reset(&q->fields);
	buf_put(&q->fields, frame->fields, frame->fields_len);
	wire_put_u64(&q->fields, WIRE_TAG_SHARED_OFFSET, 0);
	wire_put_u64(&q->fields, WIRE_TAG_SHARED_LEN, frame->payload_len);
	head.fields = q->fields.data;
	head.fields_len = q->fields.len;
	head.payload = NULL;
	head.payload_len = 0;
	wire_encode(&q->bytes, &head);
	if (q->fields.error != 0)
		q->bytes.error = q->fields.error;
}

static bool
is_outside(const struct wire_frame *frame, enum wire_engine engine,
	   size_t shared_min)
{
	if (engine == WIRE_ENGINE_COMMAND)
		return frame->owner != NULL;
	return frame->payload_len > shared_min;
}

static int
encode(struct queue *q, const struct wire_frame *frame, size_t shared_min,
       struct queue_entry *e)
{
	if (!is_outside(frame, e->engine, shared_min)) {
		wire_encode(&q->bytes, frame);
		return q->bytes.error;
	}
	if (frame->owner != NULL) {
		e->owner = blob_ref(frame->owner);
		e->payload = frame->payload;
	} else {
		e->owner = blob_copy(frame->payload, frame->payload_len);
		if (e->owner == NULL)
			return CADRE_ENOMEM;
		e->payload = e->owner->data;
	}
	e->payload_len = frame->payload_len;
	if (e->engine == WIRE_ENGINE_COMMAND)
		e->padding = (uint8_t)wire_encode_head(&q->bytes, frame);
	else
		encode_shared(q, frame);
	return q->bytes.error;
}

int
queue_push(struct queue *q, const struct wire_frame *frame, size_t shared_min)
{
	size_t before = q->bytes.len;
	struct queue_entry e = {
		.task = frame->task,
		.attempt = frame->attempt,
		.flags = frame->flags,
		.at = q->base + before,
	};
	int rc;

	e.engine = (uint8_t)wire_u64(frame, WIRE_TAG_ENGINE, 0);
	e.timeout_ms = (uint32_t)wire_u64(frame, WIRE_TAG_TIMEOUT_MS, 0);
	rc = grow(q);
	if (rc == 0)
		rc = encode(q, frame, shared_min, &e);
	if (rc < 0) {
		blob_unref(&e.owner);
		q->bytes.len = before;
		q->bytes.error = 0;
		return rc;
	}
	e.size = q->bytes.len - before;
	*entry_at(q, q->tail++) = e;
	q->open++;
	return 0;
}

/* Bytes before the first entry are not needed any more. */
static void
compact(struct queue *q)
{
	uint64_t front;
	size_t n;

	if (q->head == q->tail) {
		q->base += q->bytes.len;
		buf_reset(&q->bytes);
		if (q->bytes.cap > KEEP_MAX)
			buf_fini(&q->bytes);
		return;
	}
	front = entry_at(q, q->head)->at;
	n = (size_t)(front - q->base);
	if (n < COMPACT_MIN || n < q->bytes.len / 2)
		return;
	buf_consume(&q->bytes, n);
	q->base = front;
}

static void
pop_front(struct queue *q)
{
	if (q->sent == q->head) {
		q->sent++;
		q->sent_bytes = 0;
	}
	q->head++;
	compact(q);
}

struct queue_entry *
queue_head(struct queue *q)
{
	while (q->head != q->tail) {
		struct queue_entry *e = entry_at(q, q->head);

		if (!e->dropped)
			return e;
		pop_front(q);
	}
	return NULL;
}

void
queue_pop(struct queue *q)
{
	struct queue_entry *e = queue_head(q);

	if (e == NULL)
		return;
	queue_drop(q, e);
	(void)queue_head(q);
}

struct queue_entry *
queue_unsent(struct queue *q)
{
	for (uint32_t i = q->sent; i != q->tail; i++)
		if (!entry_at(q, i)->dropped)
			return entry_at(q, i);
	return NULL;
}

struct queue_entry *
queue_at(struct queue *q, uint32_t i)
{
	return i < q->tail - q->head ? entry_at(q, q->head + i) : NULL;
}

struct queue_entry *
queue_find(struct queue *q, uint64_t task, uint32_t attempt)
{
	uint32_t n = q->tail - q->head;
	/* Many are asked for in the order in which they came: go on from the
	 * last one found. */
	uint32_t from = q->hint - q->head < n ? q->hint - q->head : 0;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = q->head + (from + k) % n;
		struct queue_entry *e = entry_at(q, i);

		if (e->task != task || e->attempt != attempt || e->dropped)
			continue;
		q->hint = i;
		return e;
	}
	return NULL;
}

static void
unplace(struct queue *q, struct queue_entry *e)
{
	if (e->placed)
		q->placed--;
	e->placed = false;
}

void
queue_drop(struct queue *q, struct queue_entry *e)
{
	if (e->dropped)
		return;
	e->dropped = true;
	unplace(q, e);
	blob_unref(&e->owner);
	q->open--;
}

const uint8_t *
queue_bytes(const struct queue *q, const struct queue_entry *e)
{
	return q->bytes.data + (e->at - q->base);
}

/* Appends a piece, merged with the one before if they touch. */
static int
add_piece(struct iovec *iov, int n, const uint8_t *data, size_t len)
{
	struct iovec *last = n > 0 ? &iov[n - 1] : NULL;

	if (last != NULL &&
	    (const uint8_t *)last->iov_base + last->iov_len == data) {
		last->iov_len += len;
		return n;
	}
	iov[n] = (struct iovec){.iov_base = (void *)(uintptr_t)data,
				.iov_len = len};
	return n + 1;
}

static bool
may_write(const struct queue_entry *e)
{
	return e->engine != WIRE_ENGINE_COMMAND &&
	       (e->payload == NULL || e->placed);
}

int
queue_gather(struct queue *q, struct iovec *iov, int max, size_t max_bytes,
	     uint32_t max_tasks)
{
	size_t skip = q->sent_bytes, total = q->rest.len;
	int n = 0;

	if (q->rest.len > 0)
		n = add_piece(iov, n, q->rest.data, q->rest.len);
	for (uint32_t i = q->sent; i != q->tail && n < max && total < max_bytes;
	     i++) {
		const struct queue_entry *e = entry_at(q, i);

		if (e->dropped)
			continue;
		if (!may_write(e))
			break;
		if (!e->written && max_tasks-- == 0)
			break;
		n = add_piece(iov, n, queue_bytes(q, e) + skip,
			      (size_t)e->size - skip);
		total += (size_t)e->size - skip;
		skip = 0;
	}
	return n;
}

uint32_t
queue_wrote(struct queue *q, size_t n, uint32_t *number)
{
	size_t rest = n < q->rest.len ? n : q->rest.len;
	uint32_t begun = 0;

	buf_consume(&q->rest, rest);
	n -= rest;
	while (n > 0 && q->sent != q->tail) {
		struct queue_entry *e = entry_at(q, q->sent);
		size_t left = (size_t)e->size - q->sent_bytes;

		if (e->dropped) {
			q->sent++;
			continue;
		}
		if (!e->written) {
			e->written = true;
			e->number = ++*number;
			begun++;
		}
		if (n < left) {
			q->sent_bytes += n;
			break;
		}
		n -= left;
		q->sent_bytes = 0;
		q->sent++;
	}
	return begun;
}

void
queue_place(struct queue *q, struct queue_entry *e)
{
	e->placed = true;
	q->placed++;
}

/* The rest of a frame that is partly written has to come first. */
static void
detach_partial(struct queue *q)
{
	struct queue_entry *e;

	if (q->sent_bytes == 0)
		return;
	e = entry_at(q, q->sent);
	buf_put(&q->rest, queue_bytes(q, e) + q->sent_bytes,
		(size_t)e->size - q->sent_bytes);
	q->sent_bytes = 0;
	q->sent++;
}

int
queue_insert(struct queue *q, const void *data, size_t len)
{
	detach_partial(q);
	buf_put(&q->rest, data, len);
	return q->rest.error;
}

uint32_t
queue_rewind(struct queue *q, uint32_t begun)
{
	uint32_t first, count = 0;

	detach_partial(q);
	first = q->sent;
	for (uint32_t i = q->head; i != q->tail; i++) {
		struct queue_entry *e = entry_at(q, i);

		if (!e->written || (int32_t)(e->number - begun) <= 0)
			continue;
		if (count == 0 && (int32_t)(i - first) < 0)
			first = i;
		e->written = false;
		unplace(q, e);
		count += !e->dropped;
	}
	q->sent = first;
	return count;
}

void
queue_restart(struct queue *q)
{
	buf_reset(&q->rest);
	q->sent = q->head;
	q->sent_bytes = 0;
	for (uint32_t i = q->head; i != q->tail; i++) {
		struct queue_entry *e = entry_at(q, i);

		e->written = false;
		unplace(q, e);
	}
}

void
queue_clear(struct queue *q)
{
	for (uint32_t i = q->head; i != q->tail; i++)
		queue_drop(q, entry_at(q, i));
	buf_reset(&q->rest);
	q->sent = q->head;
	q->sent_bytes = 0;
	(void)queue_head(q);
}
