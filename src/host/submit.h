/* SPDX-License-Identifier: MIT */
#ifndef HOST_SUBMIT_H
#define HOST_SUBMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/opts.h"
#include "host/shapes.h"
#include "util/buf.h"

struct cadre_pool;

/*
 * The way in.  If nobody holds the pool's mutex, a submission goes right to the
 * dispatcher; else it is appended here under a light lock, and whoever holds
 * the mutex moves it there.  So a submitter never waits for a batch of results
 * that is being worked on, and the order is that of submission.
 */
struct submit_queue {
	pthread_mutex_t lock;
	struct buf pending;   /* entries, guarded by lock */
	_Atomic size_t count; /* of those */
	struct buf draining;  /* guarded by the pool's mutex */
	struct shapes shapes;
};

void submit_init(struct submit_queue *q);
/* Forgets the shapes and refuses what came too late (pool's mutex held, the
 * pool is closed). */
void submit_clear(struct cadre_pool *pool);
/* Moves what is pending to the dispatcher (pool's mutex held). */
void submit_drain(struct cadre_pool *pool);

#endif
