/* SPDX-License-Identifier: MIT */
#ifndef LINK_SEND_H
#define LINK_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "wire/wire.h"

/*
 * What a connection has to send: one batch gathers frames while the other is
 * in flight; then they change places.  Small frames are copied, large payloads
 * are referred to.  Pure, no locks.
 */

/* A payload that follows the first "at" bytes of a batch. */
struct send_ref {
	size_t at;
	const uint8_t *data;
	size_t len;
	struct blob *owner;
};

struct send_batch {
	struct buf bytes;
	struct send_ref *refs;
	size_t n_refs;
	size_t cap_refs;
	/* how far it was sent */
	size_t bytes_done;
	size_t refs_done;
	size_t ref_done; /* bytes of the current reference */
	size_t left;	 /* bytes not yet sent */
};

void send_init(struct send_batch *b);
void send_fini(struct send_batch *b);
/* Appends a frame, or bytes as they are; on failure the batch is as before. */
int send_put(struct send_batch *b, const struct wire_frame *frame);
int send_put_bytes(struct send_batch *b, const void *data, size_t len);
/* What to send next, in up to max pieces; returns how many. */
unsigned int send_pieces(const struct send_batch *b, struct iovec *iov,
			 unsigned int max);
/* n bytes were sent. */
void send_advance(struct send_batch *b, size_t n);
/* Empties a batch, keeping its memory unless that is large. */
void send_reset(struct send_batch *b);

#endif
