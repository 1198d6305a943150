/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

/*
 * Ready tasks: a FIFO for each class, and for each engine a heap of the classes
 * that have any, ordered by priority, then by the age of their first task.  So
 * the first task for a slot is found in a few steps however many classes there
 * are.
 */

_Static_assert(sizeof(struct ready_key) == 8 + 4 * 3 + 4 * DISPATCH_CAUSES + 4,
	       "struct ready_key has padding");

static bool
before(const struct ready_class *a, const struct ready_class *b)
{
	if (a->key.priority != b->key.priority)
		return a->key.priority > b->key.priority;
	return a->head->seq < b->head->seq;
}

static void
heap_put(struct ready_heap *h, size_t i, struct ready_class *class)
{
	h->at[i] = class;
	class->at = i;
}

static void
heap_up(struct ready_heap *h, struct ready_class *class)
{
	size_t i = class->at;

	while (i > 0 && before(class, h->at[(i - 1) / 2])) {
		heap_put(h, i, h->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(h, i, class);
}

static void
heap_down(struct ready_heap *h, struct ready_class *class)
{
	size_t i = class->at;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && before(h->at[child + 1], h->at[child]))
			child++;
		if (!before(h->at[child], class))
			break;
		heap_put(h, i, h->at[child]);
		i = child;
	}
	heap_put(h, i, class);
}

static void
heap_insert(struct dispatch *d, struct ready_class *class)
{
	struct ready_heap *h = &d->heap[class->key.engine];

	heap_put(h, h->n++, class);
	heap_up(h, class);
	d->ready_engines |= ENGINE_BIT(class->key.engine);
}

static void
heap_remove(struct dispatch *d, struct ready_class *class)
{
	struct ready_heap *h = &d->heap[class->key.engine];
	struct ready_class *last = h->at[--h->n];

	if (last != class) {
		heap_put(h, class->at, last);
		heap_up(h, last);
		heap_down(h, last);
	}
	if (h->n == 0)
		d->ready_engines &= ~ENGINE_BIT(class->key.engine);
}

static void
key_fill(const struct dispatch *d, const struct dispatch_spec *spec,
	 struct ready_key *key)
{
	*key = (struct ready_key){
		.memory = spec->memory,
		.priority = spec->priority,
		.cores = spec->cores,
		.gpus = spec->gpus,
		.engine = (uint8_t)spec->engine,
		.flags = spec->flags,
		.after_failed = (uint8_t)spec->after_failed,
	};
	for (int i = 0; i < DISPATCH_CAUSES; i++)
		key->retry[i] =
			spec->retry_set[i] ? spec->retry[i] : d->cfg.retry[i];
}

static struct ready_class *
class_new(struct dispatch *d, const struct ready_key *key)
{
	struct ready_heap *h = &d->heap[key->engine];
	struct ready_class *class;

	if (h->classes == h->cap) {
		size_t cap = h->cap == 0 ? 8 : h->cap * 2;
		struct ready_class **at =
			realloc(h->at, cap * sizeof(struct ready_class *));

		if (at == NULL)
			return NULL;
		h->at = at;
		h->cap = cap;
	}
	class = calloc(1, sizeof(*class));
	if (class == NULL)
		return NULL;
	class->key = *key;
	HASH_ADD(hh, d->classes, key, sizeof(class->key), class);
	if (class->hh.tbl == NULL) {
		free(class);
		return NULL;
	}
	h->classes++;
	return class;
}

int
ready_class_get(struct dispatch *d, const struct dispatch_spec *spec,
		struct ready_class **ret_class)
{
	struct ready_class *class = d->last_class;
	struct ready_key key;

	key_fill(d, spec, &key);
	if (class == NULL || memcmp(&class->key, &key, sizeof(key)) != 0) {
		HASH_FIND(hh, d->classes, &key, sizeof(key), class);
		if (class == NULL)
			class = class_new(d, &key);
		if (class == NULL)
			return CADRE_ENOMEM;
		class->refs++;
		if (d->last_class != NULL)
			ready_class_unref(d, d->last_class);
		d->last_class = class;
	}
	class->refs++;
	*ret_class = class;
	return 0;
}

void
ready_class_unref(struct dispatch *d, struct ready_class *class)
{
	if (--class->refs > 0)
		return;
	HASH_DEL(d->classes, class);
	d->heap[class->key.engine].classes--;
	free(class);
}

void
ready_append(struct dispatch *d, struct task *task)
{
	struct ready_class *class = task->class;
	bool empty = class->head == NULL;

	task->seq = d->seq_tail++;
	DL_APPEND(class->head, task);
	if (empty)
		heap_insert(d, class);
}

void
ready_prepend(struct dispatch *d, struct task *task)
{
	struct ready_class *class = task->class;
	bool empty = class->head == NULL;

	task->seq = --d->seq_head;
	DL_PREPEND(class->head, task);
	if (empty)
		heap_insert(d, class);
	else
		heap_up(&d->heap[class->key.engine], class);
}

void
ready_remove(struct dispatch *d, struct task *task)
{
	struct ready_class *class = task->class;
	bool first = class->head == task;

	if (first && task->next == NULL)
		heap_remove(d, class);
	DL_DELETE(class->head, task);
	if (first && class->head != NULL)
		heap_down(&d->heap[class->key.engine], class);
}

struct task *
ready_first(const struct dispatch *d, uint32_t engines)
{
	uint32_t left = d->ready_engines & engines;
	const struct ready_class *best = NULL;

	for (; left != 0; left &= left - 1) {
		const struct ready_class *top =
			d->heap[__builtin_ctz(left) + 1].at[0];

		if (best == NULL || before(top, best))
			best = top;
	}
	return best == NULL ? NULL : best->head;
}

void
ready_fini(struct dispatch *d)
{
	if (d->last_class != NULL)
		ready_class_unref(d, d->last_class);
	for (unsigned int i = 0; i <= ENGINES; i++)
		free(d->heap[i].at);
}
