/* SPDX-License-Identifier: MIT */
#include "link/recv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "util/error.h"

#define RECV_FIRST ((size_t)16 * 1024) /* room for a handshake */
#define RECV_FULL ((size_t)256 * 1024)
/* Frames above this leave the buffer. */
#define RECV_LARGE ((size_t)64 * 1024)
/* From this size on memory is mapped: it can grow by moving its pages, and
 * large pages halve the time of a transfer.  Below, malloc's is warm. */
#define RECV_MAPPED ((size_t)16 * 1024 * 1024)
/* So much memory is given to a frame on the peer's word alone. */
#define RECV_TRUST ((size_t)64 * 1024 * 1024)

void
recv_init(struct recv_state *r)
{
	*r = (struct recv_state){0};
}

void
recv_fini(struct recv_state *r)
{
	blob_unref(&r->large);
	free(r->data);
	*r = (struct recv_state){0};
}

static int
resize(struct recv_state *r, size_t cap)
{
	size_t left = r->end - r->start;
	uint8_t *data = aligned_alloc(64, cap);

	if (data == NULL)
		return CADRE_ENOMEM;
	if (left > 0)
		memcpy(data, r->data + r->start, left);
	free(r->data);
	r->data = data;
	r->cap = cap;
	r->start = 0;
	r->end = left;
	return 0;
}

/* Moves what is left to the front, so that frames stay aligned. */
static void
compact(struct recv_state *r)
{
	if (r->start == 0)
		return;
	r->end -= r->start;
	if (r->end > 0)
		memmove(r->data, r->data + r->start, r->end);
	r->start = 0;
}

int
recv_room(struct recv_state *r, struct iovec iov[2], unsigned int *ret_n)
{
	unsigned int n = 0;
	int rc = 0;

	if (r->cap == 0)
		rc = resize(r, RECV_FIRST);
	else if (r->end == r->cap && r->cap < RECV_FULL)
		rc = resize(r, RECV_FULL);
	if (rc < 0)
		return rc;
	compact(r);
	if (r->large != NULL)
		iov[n++] = (struct iovec){r->large->data + r->have,
					  r->room - r->have};
	/* What follows a frame comes along with its end. */
	if (r->large == NULL || r->room == r->size)
		iov[n++] = (struct iovec){r->data + r->end, r->cap - r->end};
	*ret_n = n;
	return 0;
}

/* Doubles the memory of the large frame: the pages move, not the bytes. */
static int
grow(struct recv_state *r)
{
	size_t room = r->size - r->room < r->room ? r->size : 2 * r->room;
	void *data = mremap(r->large->data, r->room, room, MREMAP_MAYMOVE);

	if (data == MAP_FAILED)
		return CADRE_ENOMEM;
	(void)madvise(data, room, MADV_HUGEPAGE);
	r->large->data = data;
	r->large->arg = (void *)(uintptr_t)room;
	r->room = room;
	return 0;
}

int
recv_advance(struct recv_state *r, size_t n)
{
	size_t step;

	if (r->large == NULL) {
		r->end += n;
		return 0;
	}
	step = r->room - r->have;
	if (step > n)
		step = n;
	r->have += step;
	r->end += n - step;
	if (r->have == r->room && r->room < r->size)
		return grow(r);
	return 0;
}

static void
read_head(const uint8_t *p, struct wire_frame *ret_frame)
{
	*ret_frame = (struct wire_frame){
		.type = load_u16(p + 8),
		.flags = p[10],
		.code = p[11],
		.task = load_u64(p + 16),
		.attempt = load_u32(p + 24),
		.slot = load_u32(p + 28),
		.incarnation = load_u32(p + 32),
		.worker = load_u32(p + 36),
		.fields_len = load_u32(p + 12),
	};
}

static int
begin_large(struct recv_state *r, struct wire_frame *ret_frame,
	    struct cadre_error *err)
{
	const uint8_t *p = r->data + r->start;
	uint64_t len = load_u64(p);

	read_head(p, ret_frame);
	if (ret_frame->fields_len > len - WIRE_HEADER)
		return error_set(err, CADRE_EPROTO,
				 "the fields of a frame exceed it");
	ret_frame->payload_len =
		(size_t)len - WIRE_HEADER - ret_frame->fields_len;
	return RECV_HEAD;
}

/* The large frame is complete. */
static int
end_large(struct recv_state *r, struct wire_frame *ret_frame,
	  struct cadre_error *err)
{
	int rc = wire_decode(r->large->data, r->size, ret_frame, err);

	if (rc < 0)
		return rc;
	ret_frame->owner = r->large;
	return RECV_FRAME;
}

int
recv_next(struct recv_state *r, uint64_t max, struct wire_frame *ret_frame,
	  struct cadre_error *err)
{
	size_t left = r->end - r->start;
	uint64_t size;
	int rc;

	if (r->large != NULL && r->have < r->size)
		return RECV_MORE;
	if (r->large != NULL && r->size > 0) {
		rc = end_large(r, ret_frame, err);
		r->size = 0; /* handed out; dropped by the next call */
		r->have = 0;
		return rc;
	}
	blob_unref(&r->large);
	rc = wire_peek(r->data + r->start, left, max, &size);
	if (rc == CADRE_EAGAIN)
		return left >= 8 && load_u64(r->data + r->start) ==
					       RECV_END_MARK
			       ? RECV_END
			       : RECV_MORE;
	if (rc < 0)
		return error_set(err, rc,
				 rc == CADRE_ETOOBIG
					 ? "a frame is larger than allowed"
					 : "bytes that are no frame");
	if (size > left)
		return size > RECV_LARGE ? begin_large(r, ret_frame, err)
					 : RECV_MORE;
	rc = wire_decode(r->data + r->start, (size_t)size, ret_frame, err);
	if (rc < 0)
		return rc;
	r->start += (size_t)size;
	return RECV_FRAME;
}

size_t
recv_head_size(const struct recv_state *r)
{
	return (size_t)WIRE_ALIGN(load_u64(r->data + r->start));
}

static void
unmap(struct blob *blob)
{
	(void)munmap(blob->data, (size_t)(uintptr_t)blob->arg);
}

static struct blob *
map_large(size_t size, size_t *ret_room)
{
	size_t room = size < RECV_TRUST ? size : RECV_TRUST;
	struct blob *blob;
	void *data;

	data = mmap(NULL, room, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return NULL;
	(void)madvise(data, room, MADV_HUGEPAGE);
	blob = blob_wrap(data, size, unmap, (void *)(uintptr_t)room);
	if (blob == NULL) {
		(void)munmap(data, room);
		return NULL;
	}
	*ret_room = room;
	return blob;
}

int
recv_large(struct recv_state *r, struct blob *blob)
{
	size_t size = recv_head_size(r);
	size_t left = r->end - r->start;
	size_t room = size;

	if (blob == NULL)
		blob = size < RECV_MAPPED ? blob_new(size)
					  : map_large(size, &room);
	if (blob == NULL)
		return CADRE_ENOMEM;
	memcpy(blob->data, r->data + r->start, left);
	r->start = 0;
	r->end = 0;
	r->large = blob;
	r->size = size;
	r->have = left;
	r->room = room;
	return 0;
}
