/* SPDX-License-Identifier: MIT */
#ifndef CLI_QUIESCE_H
#define CLI_QUIESCE_H

#include <cadre/pool.h>

/*
 * After tasks were cancelled: waits until none of the pool's slots is busy, so
 * that commands get their grace period before the pool is closed.  Not for
 * pools that others use too.
 */
void quiesce(struct cadre_pool *pool);

#endif
