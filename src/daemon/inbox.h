/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "wire/wire.h"

/*
 * What happens to the connection, from the threads of the transport to the
 * loop: frames and events, in order.  One buffer is filled while the other one
 * is read; small frames are copied, large payloads referred to.
 */

enum inbox_kind {
	INBOX_FRAME = 0,
	INBOX_OPENED = 1,     /* pointer: the connection */
	INBOX_CLOSED = 2,     /* text: why */
	INBOX_DIAL_FAILED = 3 /* text: why */
};

struct inbox_item {
	uint32_t kind;
	size_t size; /* of this struct and the bytes that follow */
	struct wire_frame frame;
	void *pointer;
};

struct inbox {
	pthread_mutex_t lock;
	struct buf fill;
	struct buf read;
	size_t pos;
	bool started; /* the item at pos was handed out */
	bool broken;  /* memory ran out; something is missing */
};

void inbox_init(struct inbox *in);
/* Frees what was never read, too. */
void inbox_fini(struct inbox *in);

/* Around a run of the calls below, from any thread. */
void inbox_lock(struct inbox *in);
void inbox_unlock(struct inbox *in);
void inbox_add_frame(struct inbox *in, const struct wire_frame *frame);
void inbox_add_event(struct inbox *in, enum inbox_kind kind, void *pointer,
		     const char *text);

/* Loop: takes what has gathered.  false: memory ran out on the way. */
bool inbox_take(struct inbox *in);
/* The next item taken, borrowed until the next call; NULL after the last.
 * Texts of events are in frame.payload, NUL-terminated. */
struct inbox_item *inbox_next(struct inbox *in);

#endif
