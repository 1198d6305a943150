/* SPDX-License-Identifier: MIT */
#include "host/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/address.h"
#include "host/client.h"
#include "host/config.h"
#include "host/driver.h"
#include "host/setting.h"
#include "host/sync.h"
#include "host/task.h"
#include "host/wait.h"
#include "util/error.h"

/* How deep cadre_default_push may nest. */
#define DEFAULTS 64

/* All pools there ever were, open or not. */
static struct cadre_pool *pools;
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct cadre_pool *defaults[DEFAULTS];
static _Thread_local size_t defaults_n;

bool
pool_is_open(const struct cadre_pool *pool)
{
	return (atomic_load(&pool->life) & 1) != 0;
}

static struct cadre_pool *
find_locked(const char *profile)
{
	for (struct cadre_pool *p = pools; p != NULL; p = p->next)
		if (p->profile != NULL && !p->ephemeral &&
		    atomic_load(&p->ready) && pool_is_open(p) &&
		    strcmp(p->profile, profile) == 0)
			return p;
	return NULL;
}

struct cadre_pool *
cadre_pool_find(const char *profile)
{
	struct cadre_pool *pool;

	if (profile == NULL)
		return NULL;
	pthread_mutex_lock(&pools_lock);
	pool = find_locked(profile);
	pthread_mutex_unlock(&pools_lock);
	return pool;
}

const char *
cadre_pool_profile(const struct cadre_pool *pool)
{
	return pool == NULL ? NULL : pool->profile;
}

const char *
cadre_pool_url(const struct cadre_pool *pool)
{
	return pool == NULL ? NULL : pool->url;
}

int
cadre_default_push(struct cadre_pool *pool)
{
	if (pool == NULL)
		return CADRE_EINVAL;
	if (defaults_n == DEFAULTS)
		return CADRE_ETOOBIG;
	defaults[defaults_n++] = pool;
	return 0;
}

void
cadre_default_pop(void)
{
	if (defaults_n > 0)
		defaults_n--;
}

int
pool_default(struct cadre_pool **pool, struct cadre_error *err)
{
	if (*pool == NULL)
		*pool = defaults_n > 0 ? defaults[defaults_n - 1]
				       : cadre_pool_find("default");
	if (*pool == NULL)
		return error_set(err, CADRE_ENOENT,
				 "no pool is open: call cadre_pool_open first");
	if (pool_is_open(*pool))
		return 0;
	return error_set(err, CADRE_ECLOSED, "the pool is closed");
}

static void
init_once(struct cadre_pool *pool)
{
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_mutex_init(&pool->event_lock, NULL);
	submit_init(&pool->submit);
	atomic_store(&pool->fd, -1);
}

/* A pool that is not open, reserved for that profile; NULL when memory ran
 * out or, *ret_taken, when the profile is in use. */
static struct cadre_pool *
reserve(const char *profile, bool ephemeral, bool *ret_taken)
{
	struct cadre_pool *p;

	*ret_taken = false;
	pthread_mutex_lock(&pools_lock);
	for (p = pools; p != NULL && !ephemeral; p = p->next)
		if (p->profile != NULL && !p->ephemeral &&
		    strcmp(p->profile, profile) == 0) {
			*ret_taken = true;
			p = NULL;
			goto out;
		}
	for (p = pools; p != NULL && p->profile != NULL; p = p->next)
		;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			goto out;
		init_once(p);
		p->next = pools;
		pools = p;
	}
	p->ephemeral = ephemeral;
	p->profile = strdup(profile);
	if (p->profile == NULL)
		p = NULL;
out:
	pthread_mutex_unlock(&pools_lock);
	return p;
}

/* Makes a closed pool available again. */
static void
release(struct cadre_pool *pool)
{
	int fd = atomic_exchange(&pool->fd, -1);

	if (fd >= 0)
		close(fd);
	pool_lock(pool);
	submit_clear(pool);
	pool->impl = NULL;
	pool_unlock(pool);
	event_forget(pool);
	atomic_store(&pool->tracked, 0);
	atomic_store(&pool->track, false);
	atomic_store(&pool->have_callbacks, false);
	atomic_store(&pool->woken, 0);
	atomic_store(&pool->ready, false);
	atomic_store(&pool->closing, false);
	atomic_store(&pool->closing_later, false);
	atomic_store(&pool->ended, false);
	atomic_store(&pool->resolved, 0);
	atomic_store(&pool->seen, 0);
	pool->paused = false;
	pool->remote = false;
	pthread_mutex_lock(&pools_lock);
	free(pool->profile);
	pool->profile = NULL;
	pthread_mutex_unlock(&pools_lock);
}

static int
open_kind(struct cadre_pool *pool, struct cadre_error *err)
{
	const char *connect = cadre_config_get(pool->cfg, "connect");
	bool sync = setting_bool(cadre_config_get(pool->cfg, "sync"), false);
	char *url;
	int rc;

	if (sync && connect != NULL)
		return error_set(err, CADRE_EINVAL,
				 "a pool is either sync or connected to a "
				 "dispatcher, not both");
	if (sync)
		return sync_open(pool, err);
	if (connect == NULL)
		return driver_open(pool, err);
	rc = address_find(connect, &url, err);
	if (rc < 0)
		return rc;
	pool->remote = true;
	pool->url = url;
	return client_open(pool, err);
}

/* What somebody who did not see the last pool's end may have used until now,
 * or left behind. */
static void
forget_last(struct cadre_pool *pool)
{
	pool_lock(pool);
	submit_clear(pool);
	pool_unlock(pool);
	atomic_store(&pool->tracked, 0);
	cadre_config_free(&pool->cfg);
	free(pool->url);
	pool->url = NULL;
}

/* Opens with all signals blocked, so that no thread made on the way takes one
 * that was meant for the program. */
static int
open_reserved(struct cadre_pool *pool, const struct cadre_config *cfg,
	      struct cadre_error *err)
{
	sigset_t all, old;
	int rc;

	forget_last(pool);
	pool->cfg = config_copy(cfg);
	if (pool->cfg == NULL) {
		rc = error_nomem(err);
		goto fail;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = open_kind(pool, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0 && pool->remote) {
		rc = client_await(pool, err);
		if (rc < 0)
			pool->ops->close(pool);
	}
	if (rc == 0) {
		atomic_store(&pool->ready, true);
		return 0;
	}
fail:
	release(pool);
	return rc;
}

int
cadre_pool_open(const struct cadre_config *cfg, struct cadre_pool **ret_pool,
		struct cadre_error *err)
{
	const char *profile = cadre_config_get(cfg, "profile");
	struct cadre_pool *pool;
	bool taken;
	int rc;

	if (ret_pool == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_pool_open needs a place for the pool");
	if (profile == NULL)
		profile = "default";
	pool = reserve(profile, false, &taken);
	if (taken)
		return error_set(err, CADRE_EEXIST,
				 "the profile \"%s\" is open already: close it "
				 "first, or choose another name",
				 profile);
	if (pool == NULL)
		return error_nomem(err);
	rc = open_reserved(pool, cfg, err);
	if (rc < 0)
		return rc;
	*ret_pool = pool;
	return 0;
}

int
pool_open_ephemeral(struct cadre_pool **ret_pool, struct cadre_error *err)
{
	char tail[17] = "", url[64];
	struct cadre_config *cfg = cadre_config_new();
	struct cadre_pool *pool = NULL;
	bool taken;
	int rc;

	if (cfg == NULL)
		return error_nomem(err);
	rc = address_random(8, tail, err);
	(void)snprintf(url, sizeof(url), "abstract://cadre-%d-%s",
		       (int)getpid(), tail);
	if (rc == 0)
		rc = cadre_config_set(cfg, "url", url, err);
	if (rc == 0)
		rc = cadre_config_set(cfg, "slots", "1", err);
	if (rc == 0) {
		pool = reserve("ephemeral", true, &taken);
		rc = pool == NULL ? error_nomem(err)
				  : open_reserved(pool, cfg, err);
	}
	cadre_config_free(&cfg);
	if (rc == 0)
		*ret_pool = pool;
	return rc;
}

static void *
closer(void *arg)
{
	struct cadre_pool *pool = arg;

	cadre_pool_close(&pool);
	return NULL;
}

void
pool_close_later(struct cadre_pool *pool)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;

	if (atomic_load(&pool->closing) ||
	    atomic_exchange(&pool->closing_later, true))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_create(&thread, &attr, closer, pool);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
cadre_pool_close(struct cadre_pool **pool)
{
	struct cadre_pool *p;

	if (pool == NULL || *pool == NULL)
		return;
	p = *pool;
	*pool = NULL;
	pool_lock(p);
	if (!pool_is_open(p) || atomic_exchange(&p->closing, true)) {
		pool_unlock(p);
		return;
	}
	submit_drain(p);
	pool_unlock(p);
	p->ops->close(p);
	(void)event_process(p);
	release(p);
}

void
pool_lock(struct cadre_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
}

bool
pool_busy(struct cadre_pool *pool)
{
	return pthread_mutex_trylock(&pool->mutex) != 0;
}

static void
raise_fd(struct cadre_pool *pool)
{
	int fd = atomic_load_explicit(&pool->fd, memory_order_acquire);

	if (fd >= 0)
		(void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
}

void
pool_unlock(struct cadre_pool *pool)
{
	for (;;) {
		bool wake;

		submit_drain(pool);
		if (pool_is_open(pool))
			pool->ops->flush(pool);
		wake = pool->wake_due;
		pool->wake_due = false;
		if (wake)
			raise_fd(pool);
		pthread_mutex_unlock(&pool->mutex);
		if (wake)
			wait_wake(WAIT_EVENT);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&pool->submit.count) == 0 || pool_busy(pool))
			return;
	}
}

bool
pool_has(const struct cadre_task *t)
{
	return pool_is_open(t->pool) && atomic_load(&t->pool->life) == t->life;
}

bool
pool_enter(const struct cadre_task *t)
{
	pthread_mutex_lock(&t->pool->mutex);
	if (pool_has(t))
		return true;
	pthread_mutex_unlock(&t->pool->mutex);
	return false;
}

void
pool_begin(struct cadre_pool *pool, const struct pool_ops *ops, void *impl)
{
	pthread_mutex_lock(&pool->mutex);
	pool->ops = ops;
	pool->impl = impl;
	atomic_fetch_add(&pool->life, 1);
	pthread_mutex_unlock(&pool->mutex);
}

void
pool_end(struct cadre_pool *pool)
{
	atomic_fetch_add(&pool->life, 1);
	pool->wake_due = true;
}

void
pool_notify(struct cadre_pool *pool)
{
	/* Who waits for a task has a wake-up of its own. */
	if (atomic_load(&pool->watchers) > 0 ||
	    (atomic_load(&pool->listeners) > 0 &&
	     atomic_load(&pool->have_callbacks)) ||
	    atomic_load(&pool->fd) >= 0)
		pool->wake_due = true;
}

bool
pool_take_wake(struct cadre_pool *pool)
{
	return atomic_load(&pool->woken) != 0 &&
	       atomic_exchange(&pool->woken, 0) != 0;
}

void
cadre_pool_wake(struct cadre_pool *pool)
{
	int saved = errno;

	if (pool == NULL)
		return;
	atomic_store(&pool->woken, 1);
	raise_fd(pool);
	wait_wake(UINT32_MAX);
	errno = saved;
}
