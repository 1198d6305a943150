/* SPDX-License-Identifier: MIT */
#ifndef HOST_CLIENT_H
#define HOST_CLIENT_H

#include "host/pool.h"

/* Begins to connect pool, whose cfg and url are set, to the dispatcher there.
 * Sets ops and impl. */
int client_open(struct cadre_pool *pool, struct cadre_error *err);
/* Waits until the dispatcher said welcome; on failure the pool is to be closed.
 */
int client_await(struct cadre_pool *pool, struct cadre_error *err);

#endif
