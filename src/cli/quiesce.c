/* SPDX-License-Identifier: MIT */
#include "cli/quiesce.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#define LOOK_MS 10

static bool
is_busy(struct cadre_pool *pool)
{
	struct cadre_daemon_status *daemons;
	bool busy = false;
	size_t n;

	if (cadre_pool_status(pool, &daemons, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		busy |= daemons[i].busy > 0;
	free(daemons);
	return busy;
}

/* It ends: after the last step of the ladder nothing lives, and a daemon that
 * is lost is no longer among those. */
void
quiesce(struct cadre_pool *pool)
{
	while (is_busy(pool))
		(void)poll(NULL, 0, LOOK_MS);
}
