/* SPDX-License-Identifier: MIT */
#ifndef HOST_SHAPES_H
#define HOST_SHAPES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "host/opts.h"

struct cadre_pool;

/* So many are remembered. */
#define SHAPES_MAX 64u

struct shapes_entry {
	uint64_t serial;
	char *library;
	char *function;
	struct opts_shape *shape;
	uint32_t spare; /* references taken beforehand, and one of its own */
};

/* The shapes of native tasks that were used lately: what all calls of one
 * function with the same options have in common is encoded once.  Any
 * thread. */
struct shapes {
	pthread_mutex_t lock;
	struct shapes_entry at[SHAPES_MAX];
	size_t last; /* the one used last */
};

void shapes_init(struct shapes *set);
/* Forgets all; nobody else uses the set. */
void shapes_clear(struct shapes *set);
/* A reference to the shape of calls of that function, for tasks of pool. */
int shapes_native(struct cadre_pool *pool, const char *library,
		  const char *function, const struct cadre_opts *opts,
		  struct opts_shape **ret_shape, struct cadre_error *err);

#endif
