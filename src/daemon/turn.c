/* SPDX-License-Identifier: MIT */
#include "daemon/turn.h"

#include <poll.h>

#include <cadre/error.h>

static void
on_wake(uv_async_t *async)
{
	(void)async;
}

int
turn_init(struct turn *t, uv_loop_t *loop, void (*settle)(void *arg), void *arg)
{
	*t = (struct turn){.loop = loop, .settle = settle, .arg = arg};
	if (uv_async_init(loop, &t->wake, on_wake) < 0)
		return CADRE_ESYS;
	loop->data = t;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_mutex_lock(&t->lock);
	return 0;
}

void
turn_fini(struct turn *t)
{
	(void)pthread_mutex_unlock(&t->lock);
	(void)pthread_mutex_destroy(&t->lock);
}

/* How long the loop may sleep; -1: until an event. */
static int
sleep_ms(struct turn *t)
{
	uv_update_time(t->loop);
	return t->changed ? 0 : uv_backend_timeout(t->loop);
}

static uint64_t
wakes_at(const struct turn *t, int timeout)
{
	return timeout < 0 ? UINT64_MAX : uv_now(t->loop) + (uint64_t)timeout;
}

void
turn_run(struct turn *t)
{
	struct pollfd events = {.fd = uv_backend_fd(t->loop), .events = POLLIN};
	int timeout;

	t->settle(t->arg);
	timeout = sleep_ms(t);
	if (timeout != 0) {
		t->until_ms = wakes_at(t, timeout);
		(void)pthread_mutex_unlock(&t->lock);
		(void)poll(&events, 1, timeout);
		(void)pthread_mutex_lock(&t->lock);
	}
	t->changed = false;
	(void)uv_run(t->loop, UV_RUN_NOWAIT);
}

void
turn_changed(uv_loop_t *loop)
{
	struct turn *t = loop->data;

	t->changed = true;
}

bool
turn_try(struct turn *t)
{
	if (pthread_mutex_trylock(&t->lock) != 0)
		return false;
	uv_update_time(t->loop);
	return true;
}

void
turn_give(struct turn *t)
{
	bool wake;

	t->settle(t->arg);
	wake = wakes_at(t, sleep_ms(t)) < t->until_ms;
	(void)pthread_mutex_unlock(&t->lock);
	/* Not before: it would only wake to wait for the turn. */
	if (wake)
		(void)uv_async_send(&t->wake);
}
