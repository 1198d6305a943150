/* SPDX-License-Identifier: MIT */
#ifndef HOST_PEERS_H
#define HOST_PEERS_H

#include "host/driver.h"

/* The connections of a driver: from the handshake to their end. */

extern const struct link_ops peers_link_ops;

/* As dispatch_ops.send and .drop. */
void peers_send(void *arg, void *conn, const struct wire_frame *frame);
void peers_drop(void *arg, void *conn, const char *reason);
/* Sends what was queued. */
void peers_flush(struct driver *d);
/* Stops and goes on reading from daemons. */
void peers_pause(struct driver *d, bool paused);
/* Ends connections that have not proved in time who they are; lets those that
 * are paused count as alive.  Returns when to call again. */
uint64_t peers_tick(struct driver *d, uint64_t now_ms);
/* Tells all daemons to go. */
void peers_say_exit(struct driver *d);
/* Ends all connections; the dispatcher is gone already. */
void peers_close(struct driver *d, bool flush);

#endif
