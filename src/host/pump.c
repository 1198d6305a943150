/* SPDX-License-Identifier: MIT */
#include "host/pump.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/peers.h"
#include "util/clock.h"
#include "util/error.h"

void
pump_wake(struct driver *d)
{
	(void)!write(d->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* Mutex held.  When it is due again. */
static uint64_t
pump_once(struct driver *d, bool look)
{
	uint64_t now = clock_now_ms();
	uint64_t due, peers;

	if (look || d->started)
		driver_look(d, now);
	peers = peers_tick(d, now);
	dispatch_tick(d->dispatch, now);
	due = dispatch_deadline(d->dispatch);
	if (jobs_deadline(&d->jobs, now) < due)
		due = jobs_deadline(&d->jobs, now);
	return peers < due ? peers : due;
}

/* Room for all descriptors; fds is reused. */
static size_t
pump_fds(struct driver *d, struct pollfd **fds, size_t *room)
{
	size_t need = 1 + 2 * d->jobs.n;

	if (need > *room) {
		struct pollfd *more = realloc(*fds, need * sizeof(*more));

		if (more == NULL)
			return 0;
		*fds = more;
		*room = need;
	}
	(*fds)[0] = (struct pollfd){.fd = d->wake_fd, .events = POLLIN};
	return 1 + jobs_pollfds(&d->jobs, *fds + 1);
}

static void
pump_sleep(struct pollfd *fds, size_t n, uint64_t due)
{
	uint64_t now = clock_now_ms();
	uint64_t count;
	int timeout = -1;

	if (due != UINT64_MAX)
		timeout = due <= now		? 0
			  : due - now > 3600000 ? 3600000
						: (int)(due - now);
	(void)poll(fds, (nfds_t)n, timeout);
	if (n > 0 && fds[0].revents != 0)
		(void)!read(fds[0].fd, &count, sizeof(count));
}

static bool
any_news(const struct pollfd *fds, size_t n, uint64_t due)
{
	for (size_t i = 1; i < n; i++)
		if (fds[i].revents != 0)
			return true;
	return clock_now_ms() >= due;
}

static void *
pump_main(void *arg)
{
	struct driver *d = arg;
	struct pollfd *fds = NULL;
	size_t room = 0, n;
	bool look = true;
	uint64_t due;

	pool_lock(d->pool);
	while (!d->stop) {
		due = pump_once(d, look);
		n = pump_fds(d, &fds, &room);
		d->pump_until = due;
		pool_unlock(d->pool);
		pump_sleep(fds, n, due);
		look = any_news(fds, n, due);
		pool_lock(d->pool);
		d->pump_until = 0;
	}
	pool_unlock(d->pool);
	free(fds);
	return NULL;
}

int
pump_start(struct driver *d, struct cadre_error *err)
{
	int rc = pthread_create(&d->pump, NULL, pump_main, d);

	if (rc != 0)
		return error_sys(err, rc, "cannot start a thread");
	d->pumping = true;
	return 0;
}

void
pump_stop(struct driver *d)
{
	if (!d->pumping)
		return;
	pump_wake(d);
	(void)pthread_join(d->pump, NULL);
	d->pumping = false;
}
