/* SPDX-License-Identifier: MIT */
#include "cli/waittask.h"

#include <poll.h>

#include "cli/signals.h"
#include "cli/stream.h"

bool
waittask(struct cadre_pool *pool, struct cadre_task *task)
{
	for (;;) {
		struct pollfd pfds[2] = {
			{.fd = signals_fd(), .events = POLLIN},
			{.fd = cadre_pool_fd(pool), .events = POLLIN},
		};

		(void)cadre_pool_process(pool);
		stream_flush();
		if (!cadre_task_unresolved(task))
			break;
		if (signals_caught() != 0 || stream_error() != 0) {
			(void)cadre_task_cancel(task, NULL);
			(void)cadre_pool_process(pool);
			stream_flush();
			return false;
		}
		(void)poll(pfds, 2, -1);
	}
	/* Output that came together with the outcome. */
	(void)cadre_pool_process(pool);
	stream_flush();
	return true;
}
