/* SPDX-License-Identifier: MIT */
#ifndef CLI_WAITTASK_H
#define CLI_WAITTASK_H

#include <cadre/pool.h>
#include <cadre/task.h>

/* Waits for one task, running its callbacks; a signal cancels it.  False if one
 * did. */
bool waittask(struct cadre_pool *pool, struct cadre_task *task);

#endif
