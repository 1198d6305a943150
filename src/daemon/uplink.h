/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_UPLINK_H
#define DAEMON_UPLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "auth/handshake.h"
#include "daemon/inbox.h"
#include "daemon/settings.h"
#include "daemon/turn.h"
#include "link/link.h"
#include "util/buf.h"

/*
 * The connection to the dispatcher: dials, shakes hands, dials again.  What a
 * transport's thread receives is handled by that thread if it gets the turn,
 * else brought to the loop's; everything below is for the holder of the turn.
 */

struct uplink_ops {
	/* Any thread, at once: what frame will be called with soon. */
	void (*notice)(void *arg, const struct wire_frame *frame);
	/* The dispatcher let us in. */
	void (*up)(void *arg, const struct wire_frame *welcome);
	void (*frame)(void *arg, const struct wire_frame *frame);
	/* The connection that was up has ended. */
	void (*down)(void *arg, const char *reason);
	/* There is no connection and there will be none. */
	void (*failed)(void *arg, const char *reason);
	/* A send has ended (see uplink_await_sent). */
	void (*sent)(void *arg);
};

enum uplink_state {
	UPLINK_IDLE,
	UPLINK_DIALLING,
	UPLINK_RESTING, /* before the next dial */
	UPLINK_GREETING,
	UPLINK_UP,
	UPLINK_ENDING /* closed by us or the peer, not yet reported */
};

struct uplink {
	const struct uplink_ops *ops;
	void *arg;
	const struct settings *settings;
	struct turn *turn;
	bool has_turn; /* the transport's thread, within a batch */
	struct inbox inbox;
	uv_async_t async;
	uv_timer_t timer;
	enum uplink_state state;
	bool was_up;  /* this connection */
	bool persist; /* failed dials are tried again */
	uint32_t delay_ms;
	struct link_conn *conn;
	struct handshake *handshake;
	struct buf hello;  /* fields of our HELLO */
	bool dirty;	   /* something was sent but not flushed */
	uint64_t heard_ms; /* when a frame last came, by uv_now */
	_Atomic bool awaits_sent;
	_Atomic uint32_t sent_count;
	uint32_t sent_seen;
};

int uplink_init(struct uplink *u, struct turn *turn,
		const struct settings *settings, const struct uplink_ops *ops,
		void *arg, struct cadre_error *err);
/* The handles must be closed by the caller's loop (uplink_stop) first. */
void uplink_fini(struct uplink *u);
void uplink_stop(struct uplink *u);

/* Begins to dial; previous: our incarnation before, 0 if none.  persist: goes
 * on until somebody listens. */
int uplink_dial(struct uplink *u, uint64_t previous, bool persist,
		struct cadre_error *err);
bool uplink_is_up(const struct uplink *u);
/* Nothing happens while not connected. */
void uplink_send(struct uplink *u, const struct wire_frame *frame);
void uplink_flush(struct uplink *u);
/* Whether anybody wants to hear when a send has ended; to be set before what is
 * waited for is flushed. */
void uplink_await_sent(struct uplink *u, bool wanted);
/* Bytes that the dispatcher has not taken. */
size_t uplink_pending(const struct uplink *u);
/* Ends the connection; down follows.  flush: what is queued goes first. */
void uplink_close(struct uplink *u, const char *reason, bool flush);

#endif
