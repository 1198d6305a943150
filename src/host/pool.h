/* SPDX-License-Identifier: MIT */
#ifndef HOST_POOL_H
#define HOST_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <cadre/config.h>
#include <cadre/pool.h>

#include "host/event.h"
#include "host/opts.h"
#include "host/submit.h"

/* What a task brings besides its shape. */
struct pool_payload {
	const void *data; /* copied unless owner is set */
	size_t len;
	struct blob *owner;
};

/*
 * Kinds of pools: a dispatcher in this process, a connection to one elsewhere,
 * or no dispatcher at all.  Functions marked (m) are called with the pool's
 * mutex held.
 */
struct pool_ops {
	/* Tasks are evaluated in the call: evaluate is there, the functions of
	 * the queue are not. */
	void (*evaluate)(struct cadre_pool *pool, struct cadre_task *t,
			 const struct opts_shape *shape,
			 const struct pool_payload *payload);
	/* (m) Takes over the library's reference to t. */
	int (*submit)(struct cadre_pool *pool, struct cadre_task *t,
		      const struct opts_shape *shape,
		      const struct pool_payload *payload, uint64_t now_ms);
	/* (m) */
	int (*everywhere)(struct cadre_pool *pool, struct cadre_task *t,
			  const struct opts_shape *shape,
			  const struct pool_payload *payload, bool once,
			  uint64_t now_ms);
	void (*reset)(struct cadre_pool *pool);			       /* (m) */
	void (*cancel)(struct cadre_pool *pool, struct cadre_task *t); /* (m) */
	enum cadre_state (*state)(struct cadre_pool *pool,
				  const struct cadre_task *t); /* (m) */
	void (*pause)(struct cadre_pool *pool, bool paused);   /* (m) */
	/* (m) The last step before the mutex is released: what was queued for
	 * peers is to be sent. */
	void (*flush)(struct cadre_pool *pool);

	int (*info)(struct cadre_pool *pool, struct cadre_info *ret,
		    struct cadre_error *err);
	int (*status)(struct cadre_pool *pool, struct cadre_daemon_status **ret,
		      size_t *ret_n, struct cadre_error *err);
	int (*scale)(struct cadre_pool *pool, uint32_t slots, bool remove,
		     struct cadre_error *err);
	int (*shutdown)(struct cadre_pool *pool, struct cadre_error *err);
	/* Whether n slots cannot come any more, and why. */
	bool (*hopeless)(struct cadre_pool *pool, unsigned int n,
			 struct cadre_error *err);
	/* Resolves what is open and lets go of everything; no mutex held. */
	void (*close)(struct cadre_pool *pool);
};

/*
 * A pool.  The memory is never freed but used again by later pools, so that a
 * handle may look whether its pool still lives without counting references:
 * life changes with every opening and closing, it is odd while open.
 */
struct cadre_pool {
	_Atomic uint32_t life;
	const struct pool_ops *ops;
	void *impl;
	struct cadre_config *cfg;
	char *profile;
	char *url;
	bool remote;
	bool ephemeral;
	pthread_mutex_t mutex; /* the dispatcher's, or the connection's */
	bool wake_due;	       /* (m) watchers are to be woken at unlock */
	_Atomic uint32_t resolved;
	_Atomic bool ready; /* cadre_pool_open has succeeded */
	_Atomic bool closing;
	_Atomic bool closing_later;
	_Atomic bool ended;	/* asked to shut down, or dispatcher lost */
	_Atomic uint32_t woken; /* cadre_pool_wake, not yet noticed */
	_Atomic int watchers;	/* threads that want to know of any outcome */
	_Atomic int listeners;	/* threads that run callbacks */
	_Atomic uint32_t seen;	/* outcomes reported by cadre_pool_wait */

	struct submit_queue submit;

	pthread_mutex_t event_lock;
	struct event_list events;
	struct cadre_task *done_head, *done_tail;
	_Atomic size_t tracked; /* open or not yet fetched */
	_Atomic bool track;
	bool processing;
	bool paused;
	_Atomic bool have_callbacks;
	_Atomic int fd; /* -1 until asked for */

	struct cadre_pool *next; /* in the registry */
};

/* Resolves NULL to the default pool; CADRE_ENOENT if there is none. */
int pool_default(struct cadre_pool **pool, struct cadre_error *err);
/* A pool of one slot that closes itself once its only task is resolved. */
int pool_open_ephemeral(struct cadre_pool **ret_pool, struct cadre_error *err);
/* Closes it from a thread of its own. */
void pool_close_later(struct cadre_pool *pool);

void pool_lock(struct cadre_pool *pool);
/* True, and nothing happens, if somebody else holds it. */
bool pool_busy(struct cadre_pool *pool);
/* Takes in what was submitted meanwhile, flushes, unlocks, wakes. */
void pool_unlock(struct cadre_pool *pool);
bool pool_is_open(const struct cadre_pool *pool);
/* Whether the task's pool is open, and still the one it was meant for (m). */
bool pool_has(const struct cadre_task *t);
/* Locks the pool of a task that is under way; false if it is closed. */
bool pool_enter(const struct cadre_task *t);
/* The pool is open from now on, as one of that kind. */
void pool_begin(struct cadre_pool *pool, const struct pool_ops *ops,
		void *impl);
/* The pool is over: handles find no way in any more (m). */
void pool_end(struct cadre_pool *pool);
/* Something happened that a watcher may wait for (m). */
void pool_notify(struct cadre_pool *pool);
/* A wake-up by cadre_pool_wake that nobody has noticed yet. */
bool pool_take_wake(struct cadre_pool *pool);

#endif
