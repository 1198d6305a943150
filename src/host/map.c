/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <cadre/map.h>
#include <cadre/task.h>

#include "host/task.h"
#include "host/wait.h"
#include "util/error.h"

/* While a map waits, it counts what is done this often. */
#define LOOK_MS 50
/* A map this small is told of each outcome at once. */
#define SMALL 256u

struct cadre_map {
	struct cadre_task **tasks;
	size_t n;
	size_t first_open; /* all before are resolved */
	cadre_progress_fn *progress;
	void *progress_arg;
	size_t told; /* what progress was last told */
};

static struct cadre_map *
map_new(size_t n)
{
	struct cadre_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	map->told = SIZE_MAX;
	map->tasks = calloc(n + 1, sizeof(struct cadre_task *));
	if (map->tasks != NULL)
		return map;
	free(map);
	return NULL;
}

void
cadre_map_free(struct cadre_map **map)
{
	if (map == NULL || *map == NULL)
		return;
	for (size_t i = 0; i < (*map)->n; i++)
		cadre_task_unref(&(*map)->tasks[i]);
	free((*map)->tasks);
	free(*map);
	*map = NULL;
}

int
cadre_map_of(struct cadre_task *const *tasks, size_t n,
	     struct cadre_map **ret_map, struct cadre_error *err)
{
	struct cadre_map *map;

	if (ret_map == NULL || (tasks == NULL && n > 0))
		return error_set(err, CADRE_EINVAL,
				 "cadre_map_of needs tasks and a place for the "
				 "map");
	for (size_t i = 0; i < n; i++)
		if (tasks[i] == NULL)
			return error_set(err, CADRE_EINVAL,
					 "task %zu of the map is NULL", i);
	map = map_new(n);
	if (map == NULL)
		return error_nomem(err);
	map->n = n;
	for (size_t i = 0; i < n; i++)
		map->tasks[i] = cadre_task_ref(tasks[i]);
	*ret_map = map;
	return 0;
}

static int
add_copy(struct cadre_value *list, const char *name,
	 const struct cadre_value *v)
{
	struct cadre_value *copy =
		v == NULL ? cadre_value_null() : cadre_value_copy(v);
	int rc = copy == NULL ? CADRE_ENOMEM
			      : cadre_value_list_add(list, name, &copy);

	cadre_value_free(&copy);
	return rc;
}

static int
add_all(struct cadre_value *list, const struct cadre_value *more)
{
	size_t n = more == NULL ? 0 : cadre_value_length(more);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_copy(list, cadre_value_name_at(more, i),
			      cadre_value_at(more, i));
	return rc;
}

/* The arguments of one task: those of its element, then the constant ones. */
static int
make_args(const struct cadre_value *element, const struct cadre_value *constant,
	  struct cadre_value **ret)
{
	struct cadre_value *args = cadre_value_list(0);
	int rc;

	if (args == NULL)
		return CADRE_ENOMEM;
	rc = cadre_value_type(element) == CADRE_LIST
		     ? add_all(args, element)
		     : add_copy(args, NULL, element);
	if (rc == 0)
		rc = add_all(args, constant);
	if (rc < 0)
		cadre_value_free(&args);
	else
		*ret = args;
	return rc;
}

static int
submit_element(struct cadre_pool *pool, const char *library,
	       const char *function, const struct cadre_value *element,
	       const struct cadre_value *constant,
	       const struct cadre_opts *opts, struct cadre_task **ret_task,
	       struct cadre_error *err)
{
	struct cadre_value *args = NULL;
	int rc;

	/* The common case needs no copy. */
	if (constant == NULL && cadre_value_type(element) == CADRE_LIST)
		return cadre_submit_native(pool, library, function, element,
					   opts, ret_task, err);
	rc = make_args(element, constant, &args);
	if (rc < 0)
		return error_set(err, rc, "cannot make the arguments: %s",
				 cadre_strerror(rc));
	rc = cadre_submit_native(pool, library, function, args, opts, ret_task,
				 err);
	cadre_value_free(&args);
	return rc;
}

int
cadre_map_native(struct cadre_pool *pool, const char *library,
		 const char *function, const struct cadre_value *over,
		 const struct cadre_value *constant,
		 const struct cadre_opts *opts, struct cadre_map **ret_map,
		 struct cadre_error *err)
{
	struct cadre_map *map;
	size_t n;
	int rc = 0;

	if (ret_map == NULL || over == NULL ||
	    cadre_value_type(over) != CADRE_LIST)
		return error_set(err, CADRE_EINVAL,
				 "a map needs a list to go over");
	if (constant != NULL && cadre_value_type(constant) != CADRE_LIST)
		return error_set(err, CADRE_EINVAL,
				 "the constant arguments of a map are a list");
	n = cadre_value_length(over);
	map = map_new(n);
	if (map == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = submit_element(pool, library, function,
				    cadre_value_at(over, i), constant, opts,
				    &map->tasks[i], err);
		map->n = i + (rc == 0);
	}
	if (rc < 0) {
		(void)cadre_map_cancel(map);
		cadre_map_free(&map);
		return rc;
	}
	*ret_map = map;
	return 0;
}

size_t
cadre_map_size(const struct cadre_map *map)
{
	return map == NULL ? 0 : map->n;
}

struct cadre_task *
cadre_map_task(const struct cadre_map *map, size_t i)
{
	return map == NULL || i >= map->n ? NULL : map->tasks[i];
}

int
cadre_map_on_progress(struct cadre_map *map, cadre_progress_fn *fn, void *arg)
{
	if (map == NULL)
		return CADRE_EINVAL;
	map->progress = fn;
	map->progress_arg = arg;
	return 0;
}

size_t
cadre_map_cancel(struct cadre_map *map)
{
	size_t n = 0;

	if (map != NULL)
		(void)cadre_task_cancel_all(map->tasks, map->n, &n);
	return n;
}

static bool
has_failed(const struct cadre_task *t)
{
	return task_resolved(t) && t->outcome != CADRE_OUTCOME_VALUE;
}

/* Counts; *ret_failed is the index of the one that failed first, n if none
 * did. */
static size_t
count(struct cadre_map *map, size_t *ret_failures, size_t *ret_failed)
{
	size_t done = 0;

	*ret_failures = 0;
	*ret_failed = map->n;
	for (size_t i = 0; i < map->n; i++) {
		const struct cadre_task *t = map->tasks[i];

		if (!task_resolved(t))
			continue;
		done++;
		if (!has_failed(t))
			continue;
		++*ret_failures;
		if (*ret_failed == map->n ||
		    (int32_t)(t->order - map->tasks[*ret_failed]->order) < 0)
			*ret_failed = i;
	}
	return done;
}

static void
tell(struct cadre_map *map, size_t done, size_t failures)
{
	if (map->progress == NULL || done == map->told)
		return;
	map->told = done;
	map->progress(done, failures, map->n, map->progress_arg);
}

/* Sleeps until one more is resolved, or for a moment if there are many. */
static int
wait_more(struct cadre_map *map, int64_t timeout_ms)
{
	struct cadre_task **open;
	size_t n = 0, index;
	int rc;

	while (map->first_open < map->n &&
	       task_resolved(map->tasks[map->first_open]))
		map->first_open++;
	if (map->first_open == map->n)
		return 0;
	open = map->n > SMALL ? NULL : calloc(map->n, sizeof(*open));
	if (open == NULL) {
		if (timeout_ms < 0 || timeout_ms > LOOK_MS)
			timeout_ms = LOOK_MS;
		return cadre_task_wait(map->tasks[map->n - 1], 0) == 0
			       ? cadre_task_wait(map->tasks[map->first_open],
						 timeout_ms)
			       : cadre_task_wait(map->tasks[map->n - 1],
						 timeout_ms);
	}
	for (size_t i = map->first_open; i < map->n; i++)
		if (!task_resolved(map->tasks[i]))
			open[n++] = map->tasks[i];
	rc = n == 0 ? 0 : cadre_task_race(open, n, timeout_ms, &index);
	free(open);
	return rc;
}

static int64_t
time_left(uint64_t deadline)
{
	uint64_t now;

	if (deadline == WAIT_FOREVER)
		return -1;
	now = wait_deadline(0);
	return now >= deadline ? 0 : (int64_t)((deadline - now) / 1000000) + 1;
}

/* Waits until all are resolved, or with stop until one has failed. */
static int
wait_map(struct cadre_map *map, bool stop, int64_t timeout_ms,
	 size_t *ret_failed)
{
	uint64_t deadline = wait_deadline(timeout_ms);
	size_t done, failures;
	int64_t left;
	int rc;

	if (!stop && map->progress == NULL) {
		rc = cadre_task_wait_all(map->tasks, map->n, timeout_ms);
		(void)count(map, &failures, ret_failed);
		return rc;
	}
	for (;;) {
		done = count(map, &failures, ret_failed);
		tell(map, done, failures);
		if (done == map->n || (stop && failures > 0))
			return 0;
		left = time_left(deadline);
		if (left == 0)
			return CADRE_ETIMEDOUT;
		rc = wait_more(map, left);
		if (rc < 0 && rc != CADRE_ETIMEDOUT)
			return rc;
	}
}

static int
collect_list(const struct cadre_map *map, struct cadre_value **ret,
	     struct cadre_error *err)
{
	struct cadre_value *list = cadre_value_list(map->n);

	if (list == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < map->n; i++) {
		const struct cadre_value *v = cadre_task_value(map->tasks[i]);
		struct cadre_value *copy =
			v == NULL ? NULL : cadre_value_copy(v);

		if (v == NULL && !has_failed(map->tasks[i]))
			goto nomem;
		if (v == NULL)
			continue;
		if (copy == NULL || cadre_value_list_set(list, i, &copy) < 0) {
			cadre_value_free(&copy);
			goto nomem;
		}
	}
	*ret = list;
	return 0;
nomem:
	cadre_value_free(&list);
	return error_nomem(err);
}

/* Bytes of an element of a vector that can be copied as memory; 0: none. */
static size_t
element_size(enum cadre_type type)
{
	static const size_t sizes[] = {
		[CADRE_LOGICAL] = 4, [CADRE_INT32] = 4,	   [CADRE_INT64] = 8,
		[CADRE_DOUBLE] = 8,  [CADRE_COMPLEX] = 16, [CADRE_RAW] = 1,
		[CADRE_OPAQUE] = 0,
	};

	return sizes[type];
}

static const void *
vector_data(const struct cadre_value *v)
{
	switch (cadre_value_type(v)) {
	case CADRE_LOGICAL:
		return cadre_value_logical_data(v);
	case CADRE_INT32:
		return cadre_value_int32_data(v);
	case CADRE_INT64:
		return cadre_value_int64_data(v);
	case CADRE_DOUBLE:
		return cadre_value_double_data(v);
	case CADRE_COMPLEX:
		return cadre_value_complex_data(v);
	case CADRE_RAW:
		return cadre_value_bytes(v);
	default:
		return NULL;
	}
}

static struct cadre_value *
make_vector(enum cadre_type type, size_t n)
{
	switch (type) {
	case CADRE_LOGICAL:
		return cadre_value_logical(NULL, n);
	case CADRE_INT32:
		return cadre_value_int32(NULL, n);
	case CADRE_INT64:
		return cadre_value_int64(NULL, n);
	case CADRE_DOUBLE:
		return cadre_value_double(NULL, n);
	case CADRE_COMPLEX:
		return cadre_value_complex(NULL, n);
	case CADRE_STRING:
		return cadre_value_string(NULL, n);
	case CADRE_RAW:
		return cadre_value_raw(NULL, n);
	case CADRE_LIST:
		return cadre_value_list(n);
	default:
		return NULL;
	}
}

/* Copies the elements of v to place at of the vector. */
static int
copy_elements(struct cadre_value *to, size_t at, const struct cadre_value *v)
{
	size_t size = element_size(cadre_value_type(v));
	size_t n = cadre_value_length(v);
	int rc = 0;

	if (n > 0 && size > 0) {
		memcpy((char *)cadre_value_data(to) + at * size, vector_data(v),
		       n * size);
		return 0;
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct cadre_value *item;

		if (cadre_value_type(v) == CADRE_STRING) {
			rc = cadre_value_string_set(
				to, at + i, cadre_value_string_at(v, i));
			continue;
		}
		item = cadre_value_copy(cadre_value_at(v, i));
		rc = item == NULL ? CADRE_ENOMEM
				  : cadre_value_list_set(to, at + i, &item);
		cadre_value_free(&item);
	}
	return rc;
}

/* The type that all values have, and how many elements together. */
static int
check_flat(const struct cadre_map *map, enum cadre_type *ret_type,
	   size_t *ret_n, struct cadre_error *err)
{
	enum cadre_type type = CADRE_NULL;
	size_t n = 0;

	for (size_t i = 0; i < map->n; i++) {
		const struct cadre_value *v = cadre_task_value(map->tasks[i]);
		enum cadre_type own = cadre_value_type(v);

		if (v == NULL)
			return error_set(err, CADRE_EINVAL,
					 "task %zu has no value: %s", i,
					 cadre_task_error(map->tasks[i]));
		if (own == CADRE_OPAQUE || (i > 0 && own != type))
			return error_set(err, CADRE_EINVAL,
					 "values of type %s and %s do not make "
					 "one vector (task %zu)",
					 cadre_type_name(type),
					 cadre_type_name(own), i);
		type = own;
		n += cadre_value_length(v);
	}
	*ret_type = type;
	*ret_n = n;
	return 0;
}

static int
collect_flat(const struct cadre_map *map, struct cadre_value **ret,
	     struct cadre_error *err)
{
	enum cadre_type type = CADRE_NULL;
	struct cadre_value *to;
	size_t n = 0, at = 0;
	int rc = check_flat(map, &type, &n, err);

	if (rc < 0)
		return rc;
	to = type == CADRE_NULL ? cadre_value_null() : make_vector(type, n);
	if (to == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < map->n && rc == 0; i++) {
		const struct cadre_value *v = cadre_task_value(map->tasks[i]);

		rc = copy_elements(to, at, v);
		at += cadre_value_length(v);
	}
	if (rc < 0) {
		cadre_value_free(&to);
		return error_nomem(err);
	}
	*ret = to;
	return 0;
}

int
cadre_map_collect(struct cadre_map *map, unsigned int flags, int64_t timeout_ms,
		  struct cadre_value **ret_values, size_t *ret_failed,
		  struct cadre_error *err)
{
	bool stop = (flags & CADRE_COLLECT_STOP) != 0;
	size_t failed;
	int rc;

	if (map == NULL || ret_values == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_map_collect needs a map and a place "
				 "for its values");
	rc = wait_map(map, stop, timeout_ms, &failed);
	if (rc < 0)
		return error_set(err, rc, "the map is not done: %s",
				 cadre_strerror(rc));
	if (failed < map->n && ret_failed != NULL)
		*ret_failed = failed;
	if (stop && failed < map->n) {
		(void)cadre_map_cancel(map);
		return error_set(err, CADRE_ECLOSED, "task %zu: %s", failed,
				 cadre_task_error(map->tasks[failed]));
	}
	return (flags & CADRE_COLLECT_FLAT) != 0
		       ? collect_flat(map, ret_values, err)
		       : collect_list(map, ret_values, err);
}
