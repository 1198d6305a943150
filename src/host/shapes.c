/* SPDX-License-Identifier: MIT */
#include "host/shapes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/pool.h"
#include "util/error.h"

/* References to a shape are taken so many at a time: its counter is shared by
 * all threads. */
#define SHAPE_REFS 1024u

static void
forget(struct shapes_entry *s)
{
	free(s->library);
	free(s->function);
	if (s->shape != NULL)
		opts_shape_drop(s->shape, s->spare + 1);
	*s = (struct shapes_entry){0};
}

void
shapes_init(struct shapes *set)
{
	pthread_mutex_init(&set->lock, NULL);
}

void
shapes_clear(struct shapes *set)
{
	for (size_t i = 0; i < SHAPES_MAX; i++)
		forget(&set->at[i]);
}

/* An owned path as the daemon has to see it: from the root if it has a slash,
 * else as given, for dlopen to find. */
static int
library_path(const char *library, char **ret_path, struct cadre_error *err)
{
	char *path, *cwd;

	if (library[0] == '/' || strchr(library, '/') == NULL) {
		*ret_path = NULL;
		return 0;
	}
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		return error_sys(err, errno, "no working directory for %s",
				 library);
	if (asprintf(&path, "%s/%s", cwd, library) < 0)
		path = NULL;
	free(cwd);
	if (path == NULL)
		return error_nomem(err);
	*ret_path = path;
	return 0;
}

static bool
matches(const struct shapes_entry *s, uint64_t serial, const char *library,
	const char *function)
{
	return s->shape != NULL && s->serial == serial &&
	       strcmp(s->function, function) == 0 &&
	       strcmp(s->library, library) == 0;
}

static size_t
place(uint64_t serial, const char *library, const char *function)
{
	uint64_t h = serial * UINT64_C(0x9e3779b97f4a7c15);

	for (; *library != '\0'; library++)
		h = (h ^ (uint8_t)*library) * UINT64_C(0x100000001b3);
	for (; *function != '\0'; function++)
		h = (h ^ (uint8_t)*function) * UINT64_C(0x100000001b3);
	return (size_t)(h >> 32) % SHAPES_MAX;
}

/* A reference to the shape of a native call, if it was used lately. */
static struct opts_shape *
lookup(struct shapes *set, uint64_t serial, const char *library,
       const char *function)
{
	struct opts_shape *shape = NULL;
	size_t i;

	pthread_mutex_lock(&set->lock);
	i = set->last;
	if (!matches(&set->at[i], serial, library, function))
		i = place(serial, library, function);
	if (matches(&set->at[i], serial, library, function)) {
		set->last = i;
		shape = set->at[i].shape;
		if (set->at[i].spare == 0) {
			set->at[i].spare = SHAPE_REFS;
			opts_shape_take(shape, SHAPE_REFS);
		}
		set->at[i].spare--;
	}
	pthread_mutex_unlock(&set->lock);
	return shape;
}

static void
keep(struct shapes *set, uint64_t serial, const char *library,
     const char *function, struct opts_shape *shape)
{
	size_t i = place(serial, library, function);
	struct shapes_entry new = {.serial = serial,
				   .library = strdup(library),
				   .function = strdup(function)};
	struct shapes_entry old;

	if (new.library == NULL || new.function == NULL) {
		forget(&new);
		return;
	}
	new.shape = shape;
	opts_shape_take(shape, 1);
	pthread_mutex_lock(&set->lock);
	old = set->at[i];
	set->at[i] = new;
	set->last = i;
	pthread_mutex_unlock(&set->lock);
	forget(&old);
}

int
shapes_native(struct cadre_pool *pool, const char *library,
	      const char *function, const struct cadre_opts *opts,
	      struct opts_shape **ret_shape, struct cadre_error *err)
{
	struct opts_target target = {.engine = WIRE_ENGINE_NATIVE,
				     .function = function};
	uint64_t serial = opts_serial(opts);
	char *path = NULL;
	int rc = library_path(library, &path, err);

	if (rc < 0)
		return rc;
	target.library = path != NULL ? path : library;
	*ret_shape =
		lookup(&pool->submit.shapes, serial, target.library, function);
	if (*ret_shape == NULL) {
		rc = opts_shape_new(opts, pool->cfg, &target, pool->remote,
				    ret_shape, err);
		if (rc == 0)
			keep(&pool->submit.shapes, serial, target.library,
			     function, *ret_shape);
	}
	free(path);
	return rc;
}
