/* SPDX-License-Identifier: MIT */
#ifndef CADRE_MAP_H
#define CADRE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include <cadre/error.h>
#include <cadre/pool.h>
#include <cadre/value.h>

/*
 * Maps and collections: the same function over many arguments.
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct cadre_map;

/* Called inside the waits of the map, on the caller's thread. */
typedef void cadre_progress_fn(size_t done, size_t failed, size_t total,
			       void *arg);

/*
 * Submits one native task for each element of over (a list; each element is a
 * list of arguments, or one value that becomes the only argument).  constant
 * (NULL: none) is a list of arguments added to each.  Borrows all, copies what
 * it needs.  *ret_map is owned.
 */
int cadre_map_native(struct cadre_pool *pool, const char *library,
		     const char *function, const struct cadre_value *over,
		     const struct cadre_value *constant,
		     const struct cadre_opts *opts, struct cadre_map **ret_map,
		     struct cadre_error *err);
/* Makes a map of n tasks that were submitted by other means; refs them. */
int cadre_map_of(struct cadre_task *const *tasks, size_t n,
		 struct cadre_map **ret_map, struct cadre_error *err);
/* Frees *map (takes); its tasks go on. */
void cadre_map_free(struct cadre_map **map);

size_t cadre_map_size(const struct cadre_map *map);
/* The i-th task, borrowed; NULL if out of range. */
struct cadre_task *cadre_map_task(const struct cadre_map *map, size_t i);
int cadre_map_on_progress(struct cadre_map *map, cadre_progress_fn *fn,
			  void *arg);

enum cadre_collect_flags {
	CADRE_COLLECT_FLAT = 1, /* one vector, if all are of one type */
	CADRE_COLLECT_STOP = 2	/* at the first failure, in order of
				   completion, cancel the rest */
};

/*
 * Waits for all tasks and returns their values as an owned list, in order, a
 * failed one as null.  With FLAT: one vector; CADRE_EINVAL if types differ or a
 * task failed.  With STOP: CADRE_ECLOSED and the failed task's sentence, its
 * index in *ret_failed (may be NULL).  CADRE_ETIMEDOUT after timeout_ms.
 */
int cadre_map_collect(struct cadre_map *map, unsigned int flags,
		      int64_t timeout_ms, struct cadre_value **ret_values,
		      size_t *ret_failed, struct cadre_error *err);
/* Cancels all that is open; returns how many were. */
size_t cadre_map_cancel(struct cadre_map *map);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
