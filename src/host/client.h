/* SPDX-License-Identifier: MIT */
#ifndef HOST_CLIENT_H
#define HOST_CLIENT_H

#include "host/numbers.h"
#include "host/pool.h"
#include "link/link.h"

/* A pool whose dispatcher is another process: tasks go there as SUBMIT frames
 * under numbers of our own, outcomes come back. */

enum client_phase { CLIENT_DIALLING, CLIENT_GREETING, CLIENT_UP, CLIENT_LOST };

struct auth_ops;
struct handshake;
struct inquiry;

struct client {
	struct cadre_pool *pool;
	struct link_conn *conn; /* a reference; NULL before the dial is over */
	struct handshake *handshake;
	const struct auth_ops *auth;
	enum client_phase phase;
	struct cadre_error why; /* it was lost */
	bool dirty;
	bool abandoned; /* the pool is closed: whoever comes last frees it */
	bool attached;	/* the link may still call us */
	struct numbers tasks;
	struct inquiry *inquiries;
};

/* Begins to connect pool, whose cfg and url are set, to the dispatcher there.
 * Sets ops and impl. */
int client_open(struct cadre_pool *pool, struct cadre_error *err);
/* Waits until the dispatcher said welcome; on failure the pool is to be closed.
 */
int client_await(struct cadre_pool *pool, struct cadre_error *err);
/* Queues a frame; CADRE_ECLOSED unless the connection is up (mutex held). */
int client_send(struct client *c, const struct wire_frame *frame);

#endif
