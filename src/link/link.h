/* SPDX-License-Identifier: MIT */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cadre/error.h>

#include "wire/wire.h"

/*
 * Connections that carry frames over nng streams.  Only src/link includes nng.
 *
 * Callbacks run on nng's threads, one at a time per connection.  They may call
 * link_send and link_flush of any connection, and link_close, but must not
 * block for long.  Frames that arrive together are handed over one by one
 * between batch_begin and batch_end, so that a driver locks and flushes once.
 *
 * Sends coalesce: link_send copies small frames into a buffer and refers to
 * large payloads through frame->owner; link_flush starts a send unless one is
 * in flight, whose completion sends all that has gathered meanwhile.
 */

struct link_conn;
struct link_listener;

struct link_ops {
	/* A new connection on a listener, or a dial that succeeded.  The
	 * returned pointer is the connection's user data; NULL refuses it. */
	void *(*opened)(void *arg, struct link_conn *conn);
	void (*batch_begin)(void *user); /* may be NULL */
	/* frame borrowed; frame->owner is set for large payloads.  A negative
	 * result closes the connection. */
	int (*frame)(void *user, const struct wire_frame *frame);
	void (*batch_end)(void *user); /* may be NULL */
	/* Memory for a large frame of which only the header was read, so head
	 * has no fields and no payload but their lengths (may be NULL): a blob
	 * of at least len bytes, aligned to 8, that will hold the whole frame
	 * and be frame->owner; or NULL for ordinary memory. */
	struct blob *(*alloc)(void *user, const struct wire_frame *head,
			      size_t len);
	/* Everything flushed so far has been handed to the kernel (may be
	 * NULL). */
	void (*sent)(void *user);
	/* The connection ended, for whatever reason; called exactly once after
	 * opened returned user data, as the last callback. */
	void (*closed)(void *user, const char *reason);
	/* A dial failed (may be NULL). */
	void (*dial_failed)(void *arg, const char *reason);
};

/*
 * Listens on url ("ipc://PATH", "abstract://NAME", "tcp://HOST:PORT").  ops has
 * to stay while there are connections, arg until link_listener_free; opened may
 * run for several connections at once.  CADRE_EEXIST: somebody listens
 * there already.  A stale ipc file of a dead process is replaced; ipc files are
 * mode 0600.
 */
int link_listen(const char *url, const struct link_ops *ops, void *arg,
		struct link_listener **ret_listener, struct cadre_error *err);
/* The address to dial, port resolved; borrowed. */
const char *link_listener_url(const struct link_listener *listener);
/* Stops accepting, removes the ipc file.  Open connections stay.  Not from a
 * callback.  Sets *listener to NULL. */
void link_listener_free(struct link_listener **listener);

/* Begins to dial; ops->opened or ops->dial_failed follows.  Not from a
 * callback of the same connection. */
int link_dial(const char *url, const struct link_ops *ops, void *arg,
	      struct cadre_error *err);

/* Queues a frame.  CADRE_ECLOSED after the end (nothing else happens then),
 * CADRE_ENOMEM.  Any thread. */
int link_send(struct link_conn *conn, const struct wire_frame *frame);
/* The same for frames that are encoded already. */
int link_send_bytes(struct link_conn *conn, const void *data, size_t len);
/* Sends what is queued.  Any thread. */
void link_flush(struct link_conn *conn);
/* Bytes queued or in flight, for back-pressure.  Any thread. */
size_t link_pending(const struct link_conn *conn);
/* Stops and goes on reading (back-pressure towards the peer).  Any thread. */
void link_pause(struct link_conn *conn, bool paused);
/* Frames may be this big from now on; WIRE_MAX_HANDSHAKE at first. */
void link_set_max(struct link_conn *conn, uint64_t max);
/* Ends the connection; closed follows if opened returned user data.  No frame
 * is handed over any more.  flush: what is queued is sent first and the other
 * end has read it, unless that makes no progress for 5 seconds.  Any thread,
 * callbacks too. */
void link_close(struct link_conn *conn, const char *reason, bool flush);
/* A reference keeps the struct (not the connection) alive. */
struct link_conn *link_ref(struct link_conn *conn);
void link_unref(struct link_conn **conn);

/* Who is at the other end.  uid: CADRE_ENOENT where the kernel does not tell
 * (tcp). */
int link_peer_uid(const struct link_conn *conn, uid_t *ret_uid);
/* Address as text, borrowed. */
const char *link_peer_address(const struct link_conn *conn);
/* True for ipc, abstract and addresses of the loopback interface. */
bool link_url_is_local(const char *url);
/* Checks the form of a URL without using it. */
int link_url_check(const char *url, struct cadre_error *err);

/* Waits until all connections for which link_close was called, or which ended
 * by themselves, have called closed; for orderly ends.  Not from a callback.
 */
void link_drain(void);

#endif
