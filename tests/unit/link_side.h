/* SPDX-License-Identifier: MIT */
#ifndef TESTS_LINK_SIDE_H
#define TESTS_LINK_SIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"

/*
 * One end of test connections: counts what its callbacks are told, and lets
 * the test wait until a count is reached.
 */
struct side {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct link_conn *conn; /* the last one opened */
	int opened;
	int closed;
	int failed;
	int batches;
	int sent;
	uint64_t frames;
	uint64_t payload; /* bytes */
	uint64_t owned;	  /* frames that had an owner */
	bool order_bad;	  /* a frame's task was not the next number */
	char reason[200];
	/* what it does */
	bool echo;
	bool refuse;
	uint64_t max;	 /* link_set_max when it opens */
	bool keep_order; /* frames must be numbered 0, 1, 2, ... */
	int frame_rc;
	uint64_t close_after; /* frames; link_close from within the callback */
	bool close_flush;
	bool pause; /* after each frame */
	struct blob *(*alloc)(const struct wire_frame *head, size_t len);
};

extern const struct link_ops side_ops;

void side_init(struct side *s);
void side_fini(struct side *s);
/* Waits until *count, one of the side's, is at least n; false after 30 s. */
bool side_wait(struct side *s, const int *count, int n);
bool side_wait_frames(struct side *s, uint64_t n);
/* A URL nobody else uses; "ipc", "abstract" or "tcp" (port 0). */
const char *side_url(const char *scheme);
/* Sends OUTPUT frame number task with len bytes of payload of that owner. */
int side_send(struct link_conn *conn, uint64_t task, struct blob *owner,
	      size_t len);

#endif
