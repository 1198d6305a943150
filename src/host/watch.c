/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdlib.h>

#include <cadre/pool.h>
#include <cadre/task.h>

#include "host/event.h"
#include "host/pool.h"
#include "host/task.h"
#include "host/wait.h"
#include "util/error.h"

/* Waits for tasks and for pools.  All sleep on the one event count of wait.h
 * and run callbacks that are due. */

/* How often to ask a dispatcher elsewhere for its number of slots. */
#define REMOTE_LOOK_MS 100

/* Marks t so that its resolution wakes us; false if it is resolved already. */
static bool
mark_waited(struct cadre_task *t)
{
	uint32_t old = atomic_fetch_or(&t->state, TASK_WAITED);

	return (old & TASK_RESOLVED) == 0;
}

/* Callbacks of a task's pool; true if any ran. */
static bool
run_callbacks(struct cadre_pool *pool)
{
	return atomic_load_explicit(&pool->have_callbacks,
				    memory_order_relaxed) &&
	       event_process(pool) > 0;
}

static int
wait_open(struct cadre_task *t, uint64_t deadline)
{
	struct cadre_pool *pool = t->pool;
	uint32_t bits = task_wait_bit(t) | WAIT_EVENT;
	int rc = 0;

	atomic_fetch_add(&pool->listeners, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();

		if (!mark_waited(t))
			break;
		if (run_callbacks(pool))
			continue;
		if (pool_take_wake(pool)) {
			rc = CADRE_EAGAIN;
			break;
		}
		if (!wait_sleep(ticket, bits, deadline)) {
			rc = CADRE_ETIMEDOUT;
			break;
		}
	}
	atomic_fetch_sub(&pool->listeners, 1);
	return rc;
}

static int
wait_task(struct cadre_task *t, uint64_t deadline)
{
	int rc = task_resolved(t) ? 0 : wait_open(t, deadline);

	if (rc == 0)
		event_settle(t);
	(void)run_callbacks(t->pool);
	return rc;
}

int
cadre_task_wait(struct cadre_task *t, int64_t timeout_ms)
{
	if (t == NULL)
		return CADRE_EINVAL;
	return wait_task(t, wait_deadline(timeout_ms));
}

int
cadre_task_wait_all(struct cadre_task *const *tasks, size_t n,
		    int64_t timeout_ms)
{
	uint64_t deadline = wait_deadline(timeout_ms);

	if (tasks == NULL && n > 0)
		return CADRE_EINVAL;
	/* From the end: when that is resolved, most others are, and this
	 * thread was woken once. */
	while (n-- > 0) {
		int rc = tasks[n] == NULL ? 0 : wait_task(tasks[n], deadline);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
first_resolved(struct cadre_task *const *tasks, size_t n, size_t *ret_index)
{
	for (size_t i = 0; i < n; i++) {
		if (tasks[i] == NULL || !task_resolved(tasks[i]))
			continue;
		*ret_index = i;
		return 0;
	}
	return CADRE_EAGAIN;
}

/* Marks all of them; what any resolution of them will wake. */
static uint32_t
mark_all(struct cadre_task *const *tasks, size_t n)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		if (tasks[i] == NULL)
			continue;
		bits |= task_wait_bit(tasks[i]);
		(void)mark_waited(tasks[i]);
	}
	return bits;
}

/* Runs the callbacks of all pools concerned; a wake-up of one of them counts
 * for all. */
static bool
look_at_pools(struct cadre_task *const *tasks, size_t n, bool *ret_woken)
{
	struct cadre_pool *last = NULL;
	bool ran = false;

	for (size_t i = 0; i < n; i++) {
		if (tasks[i] == NULL || tasks[i]->pool == last)
			continue;
		last = tasks[i]->pool;
		ran = run_callbacks(last) || ran;
		*ret_woken = pool_take_wake(last) || *ret_woken;
	}
	return ran;
}

static int
race(struct cadre_task *const *tasks, size_t n, uint64_t deadline,
     size_t *ret_index)
{
	uint32_t bits = mark_all(tasks, n);
	bool woken = false;

	if (bits == 0)
		return CADRE_EINVAL;
	for (;;) {
		uint32_t ticket = wait_ticket();
		bool ran = look_at_pools(tasks, n, &woken);

		if (first_resolved(tasks, n, ret_index) == 0)
			return 0;
		if (woken)
			return CADRE_EAGAIN;
		if (!ran && !wait_sleep(ticket, bits | WAIT_EVENT, deadline))
			return CADRE_ETIMEDOUT;
	}
}

static void
count_listeners(struct cadre_task *const *tasks, size_t n, int change)
{
	struct cadre_pool *last = NULL;

	for (size_t i = 0; i < n; i++) {
		if (tasks[i] == NULL || tasks[i]->pool == last)
			continue;
		last = tasks[i]->pool;
		atomic_fetch_add(&last->listeners, change);
	}
}

int
cadre_task_race(struct cadre_task *const *tasks, size_t n, int64_t timeout_ms,
		size_t *ret_index)
{
	size_t index;
	int rc;

	if (tasks == NULL || n == 0)
		return CADRE_EINVAL;
	if (ret_index == NULL)
		ret_index = &index;
	count_listeners(tasks, n, 1);
	rc = race(tasks, n, wait_deadline(timeout_ms), ret_index);
	count_listeners(tasks, n, -1);
	return rc;
}

/*
 * Waits until test says that there is nothing more to wait for: it returns 1
 * to go on waiting, else the result.  ran: callbacks have just been run.  Ends
 * with the pool, too, which any of those callbacks may close.
 */
static int
watch(struct cadre_pool *pool, uint64_t deadline,
      int (*test)(struct cadre_pool *pool, bool ran, void *arg), void *arg)
{
	uint32_t life = atomic_load(&pool->life);
	int rc;

	atomic_fetch_add(&pool->watchers, 1);
	for (;;) {
		uint32_t ticket = wait_ticket();
		bool ran = run_callbacks(pool);

		if ((life & 1) == 0 || atomic_load(&pool->life) != life) {
			rc = CADRE_ECLOSED;
			break;
		}
		rc = test(pool, ran, arg);
		if (rc <= 0)
			break;
		if (pool_take_wake(pool)) {
			rc = CADRE_EAGAIN;
			break;
		}
		if (!ran && !wait_sleep(ticket, WAIT_EVENT, deadline)) {
			rc = CADRE_ETIMEDOUT;
			break;
		}
	}
	atomic_fetch_sub(&pool->watchers, 1);
	return rc;
}

/* How many outcomes and pieces of output there were since the last call. */
static int
test_news(struct cadre_pool *pool, bool ran, void *arg)
{
	uint32_t now = atomic_load(&pool->resolved);

	(void)arg;
	if (atomic_load(&pool->ended))
		return CADRE_ECLOSED;
	return atomic_exchange(&pool->seen, now) != now || ran ? 0 : 1;
}

int
cadre_pool_wait(struct cadre_pool *pool, int64_t timeout_ms)
{
	int rc = pool_default(&pool, NULL);

	if (rc < 0)
		return rc;
	return watch(pool, wait_deadline(timeout_ms), test_news, NULL);
}

int
cadre_pool_track_next(struct cadre_pool *pool, bool on)
{
	int rc = pool_default(&pool, NULL);

	if (rc == 0)
		atomic_store(&pool->track, on);
	return rc;
}

static int
test_next(struct cadre_pool *pool, bool ran, void *arg)
{
	struct cadre_task **ret = arg;
	bool more;

	(void)ran;
	*ret = event_next(pool, &more);
	if (*ret != NULL)
		return 0;
	return more ? 1 : CADRE_ENOENT;
}

int
cadre_pool_next(struct cadre_pool *pool, int64_t timeout_ms,
		struct cadre_task **ret_task)
{
	struct cadre_task *t = NULL;
	int rc = pool_default(&pool, NULL);

	if (rc < 0)
		return rc;
	if (ret_task == NULL)
		return CADRE_EINVAL;
	rc = watch(pool, wait_deadline(timeout_ms), test_next, &t);
	if (rc == 0)
		*ret_task = t;
	return rc;
}

struct ready_test {
	unsigned int n;
	struct cadre_error *err;
};

static int
test_ready(struct cadre_pool *pool, bool ran, void *arg)
{
	struct ready_test *want = arg;
	struct cadre_info info;
	int rc;

	(void)ran;
	rc = pool->ops->info(pool, &info, want->err);
	if (rc < 0)
		return rc;
	if (info.slots >= want->n)
		return 0;
	if (pool->ops->hopeless != NULL &&
	    pool->ops->hopeless(pool, want->n, want->err))
		return CADRE_ELAUNCH;
	return 1;
}

/* Of daemons that join a dispatcher elsewhere we are not told: look again. */
static int
watch_ready(struct cadre_pool *pool, uint64_t deadline, struct ready_test *want)
{
	uint64_t step;
	int rc;

	if (!pool->remote)
		return watch(pool, deadline, test_ready, want);
	do {
		step = wait_deadline(REMOTE_LOOK_MS);
		rc = watch(pool, step < deadline ? step : deadline, test_ready,
			   want);
	} while (rc == CADRE_ETIMEDOUT && step < deadline);
	return rc;
}

int
cadre_pool_wait_ready(struct cadre_pool *pool, unsigned int n,
		      int64_t timeout_ms, struct cadre_error *err)
{
	struct ready_test want = {.n = n, .err = err};
	int rc = pool_default(&pool, err);

	if (rc < 0)
		return rc;
	rc = watch_ready(pool, wait_deadline(timeout_ms), &want);
	if (rc == CADRE_ETIMEDOUT)
		return error_set(err, rc,
				 "%u slots were not connected to %s in time", n,
				 pool->url == NULL ? "the pool" : pool->url);
	if (rc == CADRE_ECLOSED)
		return error_set(err, rc, "the pool was closed");
	if (rc == CADRE_EAGAIN)
		return error_set(err, rc, "the wait for daemons was ended");
	return rc;
}
