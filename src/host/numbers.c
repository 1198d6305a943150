/* SPDX-License-Identifier: MIT */
#include "host/numbers.h"

#include <stdlib.h>
#include <string.h>

#include <cadre/error.h>

void
numbers_init(struct numbers *n)
{
	*n = (struct numbers){.first = 1};
}

void
numbers_fini(struct numbers *n)
{
	free(n->at);
	numbers_init(n);
}

static void
skip_holes(struct numbers *n)
{
	while (n->begin < n->end && n->at[n->begin] == NULL) {
		n->begin++;
		n->first++;
	}
}

static int
make_room(struct numbers *n)
{
	struct cadre_task **at;
	size_t used = n->end - n->begin;
	size_t cap = n->cap == 0 ? 64 : 2 * n->cap;

	if (n->end < n->cap)
		return 0;
	if (n->begin > n->cap / 2) {
		memmove(n->at, n->at + n->begin, used * sizeof(*n->at));
		n->begin = 0;
		n->end = used;
		return 0;
	}
	at = realloc(n->at, cap * sizeof(*at));
	if (at == NULL)
		return CADRE_ENOMEM;
	n->at = at;
	n->cap = cap;
	return 0;
}

int
numbers_add(struct numbers *n, struct cadre_task *t, uint64_t *ret_number)
{
	int rc;

	skip_holes(n);
	rc = make_room(n);
	if (rc < 0)
		return rc;
	*ret_number = n->first + (n->end - n->begin);
	n->at[n->end++] = t;
	return 0;
}

struct cadre_task *
numbers_find(const struct numbers *n, uint64_t number)
{
	if (number < n->first || number - n->first >= n->end - n->begin)
		return NULL;
	return n->at[n->begin + (size_t)(number - n->first)];
}

struct cadre_task *
numbers_take(struct numbers *n, uint64_t number)
{
	struct cadre_task *t = numbers_find(n, number);

	if (t == NULL)
		return NULL;
	n->at[n->begin + (size_t)(number - n->first)] = NULL;
	skip_holes(n);
	return t;
}

struct cadre_task *
numbers_pop(struct numbers *n)
{
	skip_holes(n);
	return n->begin == n->end ? NULL : numbers_take(n, n->first);
}
