/* SPDX-License-Identifier: MIT */
#ifndef LINK_CONN_H
#define LINK_CONN_H

#include <pthread.h>
#include <stdatomic.h>

#include <nng/nng.h>

#include "link/link.h"
#include "link/recv.h"
#include "link/send.h"

/*
 * Callbacks of one connection never overlap and never hold a lock: whoever has
 * something to be done sets its bit, and runs until no bit is left unless
 * another thread is at it already.
 */
enum event {
	EVENT_RUNNING = 1, /* somebody is at it */
	EVENT_OPEN = 2,
	EVENT_RECEIVED = 4,
	EVENT_SENT = 8,
	EVENT_CHECK = 16 /* resume, or see whether it is over */
};

struct link_conn {
	_Atomic unsigned int refs;
	_Atomic unsigned int events;
	const struct link_ops *ops;
	void *arg;
	void *user;
	nng_aio *recv_aio;
	nng_aio *send_aio;
	nng_aio *wake_aio;
	nng_aio *linger_aio; /* made when needed */

	/* of whoever runs the events */
	struct recv_state recv;
	bool receiving; /* recv_aio is under way */
	bool opened;
	bool over;

	_Atomic uint64_t max;
	_Atomic bool paused;
	_Atomic bool waking;
	_Atomic size_t pending;
	/* Changed under the lock. */
	_Atomic bool sending;
	/* Set under the lock, for good. */
	_Atomic bool closing; /* no frame goes in or out any more */
	_Atomic bool dead;    /* the stream is closed */

	pthread_mutex_t lock; /* of what follows */
	nng_stream *stream;
	struct send_batch batch[2];
	struct send_batch *gather;
	struct send_batch *flight; /* of the send under way if there is one */
	size_t lingered; /* what was left when the timer last went off */
	char reason[160];

	/* fixed */
	bool have_uid;
	uid_t uid;
	char address[80];
};

/* Makes a connection of a stream (takes; closed on failure) and calls
 * ops->opened from this thread, one of nng's. */
void conn_start(nng_stream *stream, const struct link_ops *ops, void *arg);
/* Handles events, or leaves them to the thread that is at it. */
void conn_run(struct link_conn *conn, unsigned int events);
/* Has some thread of nng handle EVENT_CHECK. */
void conn_wake(struct link_conn *conn);
/* Ends the connection at once; the caller runs EVENT_CHECK unless it is called
 * by conn_run. */
void conn_abandon(struct link_conn *conn, const char *reason);
void conn_abandon_nng(struct link_conn *conn, int rv);
/* To be called after each submission of an aio to the stream. */
void conn_check_submitted(struct link_conn *conn, nng_aio *aio);

/* conn_send.c: the callback of send_aio. */
void conn_send_done(void *arg);

/* conn_recv.c; all by conn_run.  What recv_aio has brought: */
void conn_recv_done(struct link_conn *conn);
/* Calls back for the frames that are there. */
void conn_recv_hand_out(struct link_conn *conn);
void conn_recv_submit(struct link_conn *conn);

#endif
