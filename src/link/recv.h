/* SPDX-License-Identifier: MIT */
#ifndef LINK_RECV_H
#define LINK_RECV_H

#include <stddef.h>
#include <sys/uio.h>

#include "wire/wire.h"

/*
 * Bytes that arrive, cut into frames.  Frames are decoded where they lie in
 * one buffer.  A large frame that has not arrived whole gets memory of its own,
 * into which the rest is received directly.  Pure, no locks.
 */
struct recv_state {
	uint8_t *data;
	size_t cap;
	size_t start; /* first byte not yet used; a multiple of 8 */
	size_t end;
	/* A large frame on its way, its size, how much of it there is and how
	 * much there is room for (less than size: ordinary memory, which
	 * grows). */
	struct blob *large;
	size_t size;
	size_t have;
	size_t room;
};

enum recv_what {
	RECV_MORE = 0,	/* no whole frame is there */
	RECV_FRAME = 1, /* *ret_frame, valid until the next call */
	RECV_HEAD = 2,	/* a large frame begins: *ret_frame is its header, and
			   recv_large has to be called */
	RECV_END = 3	/* the peer will send nothing more */
};

/* After its last frame an end sends a length of 8, less than any header. */
#define RECV_END_MARK 8u

void recv_init(struct recv_state *r);
void recv_fini(struct recv_state *r);
/* Where to receive, one or two pieces; CADRE_ENOMEM. */
int recv_room(struct recv_state *r, struct iovec iov[2], unsigned int *ret_n);
/* n bytes were received there. */
int recv_advance(struct recv_state *r, size_t n);
/* The next frame; negative: the connection must end. */
int recv_next(struct recv_state *r, uint64_t max, struct wire_frame *ret_frame,
	      struct cadre_error *err);
/* Size on the stream of the frame of RECV_HEAD. */
size_t recv_head_size(const struct recv_state *r);
/* Receives it into blob (takes; of at least that size), or into ordinary
 * memory if blob is NULL. */
int recv_large(struct recv_state *r, struct blob *blob);

#endif
