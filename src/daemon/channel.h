/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CHANNEL_H
#define DAEMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "util/blob.h"
#include "util/buf.h"
#include "wire/wire.h"

/*
 * Frames over a local stream socket, on the loop: to a reaper or a worker.
 * Reads in large chunks and decodes in place; a large frame is read into a blob
 * of its own, which is the owner of its payload.
 */

struct channel;

struct channel_ops {
	/* frame is borrowed.  The channel may be closed within. */
	void (*frame)(void *arg, const struct wire_frame *frame);
	/* After the frames that came together. */
	void (*batch)(void *arg);
	/* The other end is gone or broke the protocol; called once, the channel
	 * is closed already.  reason is borrowed. */
	void (*ended)(void *arg, const char *reason);
	/* There is room to write again after CADRE_EAGAIN (may be NULL). */
	void (*writable)(void *arg);
};

#define CHANNEL_FDS 4

struct channel {
	const struct channel_ops *ops;
	void *arg;
	int fd; /* -1: closed */
	uv_poll_t *poll;
	int events; /* that poll watches */
	bool paused;
	bool blocked;	  /* a write would block */
	struct buf rest;  /* an incomplete frame */
	struct blob *big; /* a large one, and how much of it is there */
	size_t big_len;
	struct buf out;
	size_t out_at; /* written so far */
	/* Descriptors that travel with the byte at fds_at of out. */
	int fds[CHANNEL_FDS];
	int fds_n;
	size_t fds_at;
};

void channel_init(struct channel *ch, const struct channel_ops *ops, void *arg);
/* Takes fd, which is made non-blocking. */
int channel_open(struct channel *ch, uv_loop_t *loop, int fd,
		 struct cadre_error *err);
bool channel_is_open(const struct channel *ch);
/* Closes at once, without ended. */
void channel_close(struct channel *ch);
/* Stops reading, or goes on. */
void channel_pause(struct channel *ch, bool paused);
/* Reads what is there now, up to the end of the stream. */
void channel_drain(struct channel *ch);

/* Queues a frame; errors end the channel later.  channel_flush writes. */
void channel_put(struct channel *ch, const struct wire_frame *frame);
/* Queues bytes that are encoded already. */
void channel_put_bytes(struct channel *ch, const void *data, size_t len);
/* The next frame queued carries these descriptors, which are taken. */
void channel_attach(struct channel *ch, const int *fds, int n);
void channel_flush(struct channel *ch);

/* Writes pieces of the caller's; returns how many bytes, 0 if the socket is
 * full (writable follows) or the channel ended. */
size_t channel_write(struct channel *ch, const struct iovec *iov, int n);

#endif
