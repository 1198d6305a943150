/* SPDX-License-Identifier: MIT */
#ifndef HOST_SYNC_H
#define HOST_SYNC_H

#include "host/pool.h"

/* Synchronous mode: no dispatcher, no daemons; each task is evaluated in the
 * call that submits it.  Sets ops and impl. */
int sync_open(struct cadre_pool *pool, struct cadre_error *err);

#endif
