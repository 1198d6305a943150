/* SPDX-License-Identifier: MIT */
#include "host/event.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/pool.h"
#include "host/task.h"
#include "host/wait.h"

/* Output of a task that nobody listens to yet is kept up to here. */
#define BACKLOG_MAX ((size_t)8 << 20)
/* With so much output waiting for callbacks, peers are no longer read ... */
#define PAUSE_AT ((size_t)32 << 20)
/* ... until it is down to this. */
#define RESUME_AT ((size_t)8 << 20)

static void
list_push(struct event_list *list, struct event *e)
{
	e->next = NULL;
	if (list->tail != NULL)
		list->tail->next = e;
	else
		list->head = e;
	list->tail = e;
	list->bytes += e->len;
}

static struct event *
list_pop(struct event_list *list)
{
	struct event *e = list->head;

	if (e == NULL)
		return NULL;
	list->head = e->next;
	if (list->head == NULL)
		list->tail = NULL;
	list->bytes -= e->len;
	return e;
}

static void
event_free(struct event *e)
{
	cadre_task_unref(&e->task);
	free(e);
}

void
event_list_free(struct event_list *list)
{
	struct event *e;

	while ((e = list_pop(list)) != NULL)
		event_free(e);
}

static struct event *
event_new(int which, const void *data, size_t len)
{
	struct event *e = malloc(sizeof(*e) + len);

	if (e == NULL)
		return NULL;
	*e = (struct event){.which = which, .len = len};
	if (len > 0)
		memcpy(e->data, data, len);
	return e;
}

/* Event lock held. */
static void
queue_event(struct cadre_pool *pool, struct cadre_task *t, struct event *e)
{
	e->task = cadre_task_ref(t);
	list_push(&pool->events, e);
}

/* Moves what arrived before somebody listened (event lock held). */
static void
move_backlog(struct cadre_pool *pool, struct cadre_task *t,
	     struct task_extra *extra)
{
	struct event *e;

	while ((e = list_pop(&extra->backlog)) != NULL)
		queue_event(pool, t, e);
}

void
event_output(struct cadre_task *t, int which, const void *data, size_t len)
{
	struct cadre_pool *pool = t->pool;
	struct task_extra *extra = task_extra(t);
	struct event *e = extra == NULL ? NULL : event_new(which, data, len);
	bool queued = false, pause = false;

	if (e == NULL)
		return;
	pthread_mutex_lock(&pool->event_lock);
	if (extra->output != NULL) {
		queue_event(pool, t, e);
		queued = true;
		pause = !pool->paused && pool->events.bytes > PAUSE_AT;
		pool->paused = pool->paused || pause;
	} else if (extra->backlog.bytes + len <= BACKLOG_MAX) {
		list_push(&extra->backlog, e);
	} else {
		free(e);
	}
	pthread_mutex_unlock(&pool->event_lock);
	if (pause && pool->ops->pause != NULL)
		pool->ops->pause(pool, true);
	if (queued)
		pool_notify(pool);
}

/* Event lock held; the task is resolved. */
static void
queue_done(struct cadre_pool *pool, struct cadre_task *t,
	   struct task_extra *extra)
{
	if (extra->done == NULL || extra->done_queued)
		return;
	extra->done_queued = true;
	queue_event(pool, t, extra->done_event);
	extra->done_event = NULL;
}

static void
queue_completion(struct cadre_pool *pool, struct cadre_task *t)
{
	t->next = NULL;
	if (pool->done_tail != NULL)
		pool->done_tail->next = t;
	else
		pool->done_head = t;
	pool->done_tail = cadre_task_ref(t);
}

void
event_done(struct cadre_task *t)
{
	struct cadre_pool *pool = t->pool;
	struct task_extra *extra = atomic_load(&t->extra);

	if (extra == NULL && !t->tracked)
		return;
	pthread_mutex_lock(&pool->event_lock);
	if (extra != NULL)
		queue_done(pool, t, extra);
	if (t->tracked)
		queue_completion(pool, t);
	pthread_mutex_unlock(&pool->event_lock);
}

void
event_settle(struct cadre_task *t)
{
	struct task_extra *extra = atomic_load(&t->extra);

	if (extra == NULL)
		return;
	pthread_mutex_lock(&t->pool->event_lock);
	queue_done(t->pool, t, extra);
	pthread_mutex_unlock(&t->pool->event_lock);
	(void)event_process(t->pool);
}

static void
run_event(struct event *e)
{
	struct task_extra *extra = task_extra(e->task);
	struct cadre_pool *pool = e->task->pool;
	cadre_output_fn *output;
	cadre_task_fn *done;
	void *output_arg, *done_arg;

	pthread_mutex_lock(&pool->event_lock);
	output = extra->output;
	output_arg = extra->output_arg;
	done = extra->done;
	done_arg = extra->done_arg;
	pthread_mutex_unlock(&pool->event_lock);
	if (e->which != 0 && output != NULL)
		output(e->task, e->which, e->data, e->len, output_arg);
	else if (e->which == 0 && done != NULL)
		done(e->task, done_arg);
}

static void
drain_fd(struct cadre_pool *pool)
{
	int fd = atomic_load(&pool->fd);
	uint64_t count;

	if (fd >= 0)
		(void)!read(fd, &count, sizeof(count));
}

/* Enough was taken off the queue: peers may be read again. */
static void
resume(struct cadre_pool *pool)
{
	pool_lock(pool);
	if (pool_is_open(pool) && pool->ops->pause != NULL)
		pool->ops->pause(pool, false);
	pool_unlock(pool);
}

int
event_process(struct cadre_pool *pool)
{
	struct event *e;
	bool wake;
	int n = 0;

	drain_fd(pool);
	pthread_mutex_lock(&pool->event_lock);
	if (pool->processing) {
		pthread_mutex_unlock(&pool->event_lock);
		return 0;
	}
	pool->processing = true;
	while ((e = list_pop(&pool->events)) != NULL) {
		wake = pool->paused && pool->events.bytes <= RESUME_AT;
		if (wake)
			pool->paused = false;
		pthread_mutex_unlock(&pool->event_lock);
		if (wake)
			resume(pool);
		run_event(e);
		event_free(e);
		n++;
		pthread_mutex_lock(&pool->event_lock);
	}
	pool->processing = false;
	pthread_mutex_unlock(&pool->event_lock);
	return n;
}

bool
event_pending(struct cadre_pool *pool)
{
	bool pending;

	pthread_mutex_lock(&pool->event_lock);
	pending = pool->events.head != NULL && !pool->processing;
	pthread_mutex_unlock(&pool->event_lock);
	return pending;
}

struct cadre_task *
event_next(struct cadre_pool *pool, bool *ret_open)
{
	struct cadre_task *t;

	pthread_mutex_lock(&pool->event_lock);
	t = pool->done_head;
	if (t != NULL) {
		pool->done_head = t->next;
		if (t->next == NULL)
			pool->done_tail = NULL;
		t->next = NULL;
		atomic_fetch_sub(&pool->tracked, 1);
	}
	*ret_open = atomic_load(&pool->tracked) > 0;
	pthread_mutex_unlock(&pool->event_lock);
	return t;
}

void
event_forget(struct cadre_pool *pool)
{
	struct cadre_task *t;
	bool open;

	while ((t = event_next(pool, &open)) != NULL)
		cadre_task_unref(&t);
}

/* Callbacks that are due at once run before the call that named them returns.
 */
static void
announce(struct cadre_task *t)
{
	if (task_resolved(t))
		(void)event_process(t->pool);
}

int
cadre_task_on_done(struct cadre_task *t, cadre_task_fn *fn, void *arg)
{
	struct task_extra *extra = t == NULL ? NULL : task_extra(t);
	struct event *e;

	if (t == NULL)
		return CADRE_EINVAL;
	e = event_new(0, NULL, 0);
	if (extra == NULL || e == NULL) {
		free(e);
		return CADRE_ENOMEM;
	}
	/* Before a callback can be due, so that whoever makes it due sees it.
	 */
	atomic_store(&t->pool->have_callbacks, true);
	pthread_mutex_lock(&t->pool->event_lock);
	extra->done = fn;
	extra->done_arg = arg;
	if (extra->done_event == NULL && !extra->done_queued) {
		extra->done_event = e;
		e = NULL;
	}
	if (task_resolved(t))
		queue_done(t->pool, t, extra);
	pthread_mutex_unlock(&t->pool->event_lock);
	free(e);
	announce(t);
	return 0;
}

int
cadre_task_on_output(struct cadre_task *t, cadre_output_fn *fn, void *arg)
{
	struct task_extra *extra = t == NULL ? NULL : task_extra(t);

	if (t == NULL)
		return CADRE_EINVAL;
	if (extra == NULL)
		return CADRE_ENOMEM;
	atomic_store(&t->pool->have_callbacks, true);
	pthread_mutex_lock(&t->pool->event_lock);
	extra->output = fn;
	extra->output_arg = arg;
	if (fn != NULL)
		move_backlog(t->pool, t, extra);
	pthread_mutex_unlock(&t->pool->event_lock);
	announce(t);
	return 0;
}

int
cadre_pool_fd(struct cadre_pool *pool)
{
	int fd, none = -1;

	if (pool_default(&pool, NULL) < 0)
		return CADRE_ENOENT;
	fd = atomic_load(&pool->fd);
	if (fd >= 0)
		return fd;
	fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return CADRE_ESYS;
	if (atomic_compare_exchange_strong(&pool->fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

int
cadre_pool_process(struct cadre_pool *pool)
{
	int rc = pool_default(&pool, NULL);

	return rc < 0 ? rc : event_process(pool);
}
