/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SHARED_H
#define DAEMON_SHARED_H

#include <stdint.h>

#include <cadre/error.h>

#include "engine/engine.h"
#include "util/blob.h"

/*
 * The memory that a daemon shares with one worker: the page of tickets and the
 * two memfds for large payloads (engine.h).  Counted, because a result may
 * still be on its way to the dispatcher when its worker is gone.
 */
struct shared {
	_Atomic uint32_t refs;
	struct engine_page *page;
	int page_fd, in_fd, out_fd;
	uint8_t *in, *out;
	size_t in_len, out_len;
	_Atomic uint32_t out_taken; /* a result has not been sent yet */
};

int shared_new(struct shared **ret, struct cadre_error *err);
/* Drops *s and sets it to NULL. */
void shared_unref(struct shared **s);
/* Puts a payload where the worker finds it. */
int shared_place(struct shared *s, const void *data, size_t len,
		 struct cadre_error *err);
/* The result at that place as a blob, without a copy; the worker may overwrite
 * it once the last reference is gone. */
int shared_take(struct shared *s, uint64_t offset, uint64_t len,
		struct blob **ret, struct cadre_error *err);
/* Nobody wants the result there: the worker may overwrite it. */
void shared_decline(struct shared *s);

#endif
