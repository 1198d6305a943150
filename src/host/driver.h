/* SPDX-License-Identifier: MIT */
#ifndef HOST_DRIVER_H
#define HOST_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "dispatch/dispatch.h"
#include "host/jobs.h"
#include "host/pool.h"
#include "link/link.h"

/*
 * The dispatcher of this process: joins the state machine to connections
 * (peers.c), to a clock (pump.c) and to the daemons that it launched (jobs.c).
 * All of it is guarded by the pool's mutex.
 */

#define DRIVER_SESSION 16u /* bytes of a session id */

struct peer;

struct driver {
	struct cadre_pool *pool;
	struct dispatch *dispatch; /* NULL once the pool is closed */
	struct link_listener *listener;
	const struct auth_ops *auth;
	char session[2 * DRIVER_SESSION + 1];
	uint32_t heartbeat_ms;
	bool serve;
	bool local;	  /* peers are on this machine */
	bool own_address; /* nobody else knows where to dial */
	struct peer *peers;
	size_t handshakes; /* peers that are not through with it */
	struct peer *dirty;
	uint64_t batch_ms; /* when the current batch of frames began */
	bool paused;
	struct jobs jobs;
	bool started;	 /* daemons, of which the dispatcher does not know */
	char **settings; /* of cadred */
	uint64_t start_limit_ms;
	uint64_t grace_ms;
	pthread_t pump;
	bool pumping;
	int wake_fd;
	uint64_t pump_until; /* it sleeps until then */
	bool stop;	     /* it is to end */
};

/* Starts a dispatcher in this process for pool, whose cfg and profile are set:
 * listens, launches daemons, starts the pump thread.  Sets ops, impl and url.
 */
int driver_open(struct cadre_pool *pool, struct cadre_error *err);
/* Tells the dispatcher how many daemons are on their way, and why others are
 * not. */
void driver_expect(struct driver *d, uint64_t now_ms);
/* Looks after the daemons that it launched. */
void driver_look(struct driver *d, uint64_t now_ms);

#endif
