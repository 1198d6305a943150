/* SPDX-License-Identifier: MIT */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>
#include <cadre/pool.h>

#include "util/blob.h"
#include "wire/wire.h"

/*
 * The dispatcher: owns the queue, knows peers, slots and credits, decides who
 * gets what and when, and what becomes of tasks when peers are lost.
 *
 * A state machine without IO, clock or threads: events come in by the functions
 * below, each with the time now (monotonic milliseconds; one that lies before
 * that of an earlier event counts as the same); actions go out by the ops.  Ops
 * are called within the event that caused them and must not call back into the
 * dispatcher.  Not thread-safe: the driver holds one lock around it. Every
 * event may be followed by dispatch_deadline to learn when the next tick is
 * due.
 *
 * Who gets what: of the ready tasks that a slot's daemon has the engine for,
 * the one with the highest priority that has been ready longest.  Idle slots
 * get one each; only when none is idle do tasks that allow it (WIRE_WINDOW)
 * wait in the windows of busy slots.  A window grows only while tasks are
 * short by the WIRE_TAG_WALL_NS of their results (no such field: 0) and holds
 * about 2 ms of work at most; it is recalled when it stands still while
 * another slot idles.  The numbers are in credit.c.
 *
 * A task whose slot or daemon is lost:
 *
 *   no start record, no WIRE_WINDOW     ready again, at the head; the attempt
 *                                       does not count
 *   no start record, WIRE_WINDOW        it may have begun: ready again, at the
 *                                       head, if WIRE_IDEMPOTENT, else
 *                                       CADRE_OUTCOME_LOST
 *   STARTED                             retry policy, DISPATCH_LOST
 *
 * so a daemon sends the start record of a task without WIRE_WINDOW before it
 * begins, and a TASK that names a worker from before the slot's last SLOT_DOWN
 * was given away already when that arrived: the daemon must not run it (it may
 * drop it, or return it).  Retries after an evaluation error, exit status or
 * time-out go to the end of the queue, the others to its head.
 *
 * Every frame of a daemon names the incarnation of its WELCOME, or it is
 * refused and answered by RESTART.
 */

struct dispatch;
struct dispatch_peer;

/* Why an attempt failed; each has its own limit of retries. */
enum dispatch_cause {
	DISPATCH_ERROR = 0,
	DISPATCH_EXIT = 1,
	DISPATCH_TIMEOUT = 2,
	DISPATCH_CRASH = 3, /* its worker died */
	DISPATCH_LOST = 4,  /* its daemon or node was lost */
	DISPATCH_LEAVE = 5, /* its daemon was told to leave */
	DISPATCH_CAUSES = 6
};

#define DISPATCH_UNLIMITED WIRE_RETRY_UNLIMITED
/* A task that took this many workers or daemons with it is stopped. */
#define DISPATCH_POISON 3

/* What the dispatcher must know of a task to place it; the rest (fields and
 * payload) it only carries. */
struct dispatch_spec {
	enum wire_engine engine;
	uint8_t flags; /* enum wire_flags */
	int32_t priority;
	uint32_t timeout_ms; /* of an attempt, enforced by the daemon; 0 none */
	uint64_t deadline_ms; /* from submission; 0 none */
	uint32_t retry[DISPATCH_CAUSES];
	bool retry_set[DISPATCH_CAUSES]; /* else the dispatcher's defaults */
	const uint64_t *after;		 /* ids (borrowed) */
	size_t after_n;
	enum cadre_after_failed after_failed;
	uint32_t cores, gpus;
	uint64_t memory;
};

/* Fields and payload of a task.  fields is shared by many tasks (a reference is
 * taken); the payload is copied if owner is NULL, else referenced. */
struct dispatch_body {
	struct blob *fields;
	const void *payload;
	size_t payload_len;
	struct blob *owner;
};

/* How a task ended, valid during the call of resolve. */
struct dispatch_outcome {
	enum cadre_outcome outcome;
	uint32_t attempts;
	uint32_t incarnation; /* of the last daemon, 0 if none */
	uint32_t slot;
	/* The RESULT frame that ended it, borrowed; NULL if the dispatcher
	 * itself decided (then message says why, NULL for plain names). */
	const struct wire_frame *result;
	const char *message;
};

struct dispatch_ops {
	/* Queue a frame for that peer (conn as given to dispatch_peer_up). */
	void (*send)(void *arg, void *conn, const struct wire_frame *frame);
	/* A task of this process resolved; owner as given to dispatch_submit.
	 */
	void (*resolve)(void *arg, void *owner,
			const struct dispatch_outcome *outcome);
	/* Live output or progress of a task of this process. */
	void (*output)(void *arg, void *owner, int which, const void *data,
		       size_t len);
	/* Close that connection; dispatch_peer_lost must not be called for it
	 * any more.  reason is for the log. */
	void (*drop)(void *arg, void *conn, const char *reason);
	/* A host asks for something beyond the dispatcher: SCALE for more
	 * slots, SHUTDOWN.  Returns the code for the REPLY, err the sentence.
	 */
	int (*request)(void *arg, void *conn, const struct wire_frame *frame,
		       struct cadre_error *err);
};

struct dispatch_config {
	uint32_t window;       /* most tasks waiting at one slot; 0: none */
	uint32_t heartbeat_ms; /* a daemon is lost after 3 of them; 0: never */
	/* See cadre_config "idle-limit"; 0: never.  It holds for ready tasks of
	 * an engine, too, that none of the daemons offers. */
	uint64_t idle_limit_ms;
	uint32_t retry[DISPATCH_CAUSES];
	uint32_t first_incarnation; /* 1, or above those of an earlier run */
};

void dispatch_config_default(struct dispatch_config *cfg);
/* NULL when memory ran out.  ops and arg are borrowed. */
struct dispatch *dispatch_new(const struct dispatch_config *cfg,
			      const struct dispatch_ops *ops, void *arg);
/* Resolves what is open to CADRE_OUTCOME_CLOSED first.  Sets *d to NULL. */
void dispatch_free(struct dispatch **d);

/* Parses the fields of a SUBMIT frame.  spec->after borrows from after[], which
 * has room for after_max ids. */
int dispatch_spec_parse(const struct wire_frame *frame, uint64_t *after,
			size_t after_max, struct dispatch_spec *ret_spec,
			struct cadre_error *err);

/* A task of this process; owner comes back in resolve.  Ids of tasks that are
 * not known any more count as done and succeeded unless they failed while it
 * was remembered (see dispatch.c). */
int dispatch_submit(struct dispatch *d, const struct dispatch_spec *spec,
		    const struct dispatch_body *body, void *owner, uint64_t now,
		    uint64_t *ret_id);
/* CADRE_ENOENT if the task is not open.  Resolves it before it returns. */
int dispatch_cancel(struct dispatch *d, uint64_t id, uint64_t now);
/* CADRE_DONE for ids that are not open. */
enum cadre_state dispatch_state(const struct dispatch *d, uint64_t id);
/*
 * An epoch of an engine: sent to every daemon, now and (unless flags has
 * WIRE_ONCE) later.  owner resolves when all slots connected now reported: its
 * outcome is VALUE (message NULL, attempts = number of slots) or the first
 * failure.  With no slot connected it resolves when the first one has done it.
 */
int dispatch_everywhere(struct dispatch *d, const struct dispatch_spec *spec,
			const struct dispatch_body *body, void *owner,
			uint64_t now, uint64_t *ret_epoch);
/* Forgets all epochs, here and at the daemons. */
void dispatch_reset(struct dispatch *d, uint64_t now);

/*
 * A peer that finished its handshake.  hello is its HELLO frame (role, node,
 * slots, engines).  *ret_incarnation is a new one; daemons get it by WELCOME
 * (sent by the driver before anything that the dispatcher sends).
 */
int dispatch_peer_up(struct dispatch *d, const struct wire_frame *hello,
		     void *conn, const char *address, uint64_t now,
		     struct dispatch_peer **ret_peer,
		     uint32_t *ret_incarnation);
/* Sends the peer what it has to know first (epochs); called once the driver has
 * queued WELCOME. */
void dispatch_peer_ready(struct dispatch *d, struct dispatch_peer *peer,
			 uint64_t now);
/* Any frame after the handshake.  CADRE_EPROTO: the driver must close the
 * connection and then call dispatch_peer_lost. */
int dispatch_frame(struct dispatch *d, struct dispatch_peer *peer,
		   const struct wire_frame *frame, uint64_t now,
		   struct cadre_error *err);
/* The connection ended.  Frees the peer. */
void dispatch_peer_lost(struct dispatch *d, struct dispatch_peer *peer,
			const char *reason, uint64_t now);
/* Ask daemons with together at least n slots to leave once idle, idle ones
 * first; returns how many slots that will be. */
uint32_t dispatch_leave(struct dispatch *d, uint32_t slots, uint64_t now);
/* Daemons are on their way (launched, not yet connected): the idle limit does
 * not run while n > 0. */
void dispatch_expect(struct dispatch *d, uint32_t n, uint64_t now);
/* Why no daemon can come, for the sentence of tasks that fail by the idle
 * limit; copies.  NULL: unknown. */
void dispatch_explain(struct dispatch *d, const char *why);
/* Nobody will ever come by himself: with no daemon there, what waits fails at
 * once, unless the idle limit is off. */
void dispatch_despair(struct dispatch *d, bool despair, uint64_t now);

/* Time passes: heartbeats, lost peers, deadlines, limits. */
void dispatch_tick(struct dispatch *d, uint64_t now);
/* When the next tick is due; UINT64_MAX if nothing is pending. */
uint64_t dispatch_deadline(const struct dispatch *d);

void dispatch_info(const struct dispatch *d, struct cadre_info *ret);
/* Fills in up to max entries, returns how many daemons there are. */
size_t dispatch_status(const struct dispatch *d, uint64_t now,
		       struct cadre_daemon_status *ret, size_t max);
/* Bytes of memory of a queued task beyond its payload, for the bench. */
size_t dispatch_task_overhead(void);

#endif
