/* SPDX-License-Identifier: MIT */
#ifndef HOST_DRIVER_H
#define HOST_DRIVER_H

#include "host/pool.h"

/* Starts a dispatcher in this process for pool, whose cfg and profile are set:
 * listens, launches daemons, starts the pump thread.  Sets ops, impl and url.
 */
int driver_open(struct cadre_pool *pool, struct cadre_error *err);

#endif
