/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

void
args_init(struct args *a)
{
	*a = (struct args){0};
}

void
args_fini(struct args *a)
{
	free(a->text);
	free(a->offsets);
	args_init(a);
}

void
args_reset(struct args *a)
{
	a->n = 0;
	a->len = 0;
}

static int
reserve(struct args *a, size_t len, size_t n, struct cadre_error *err)
{
	if (a->len + len > a->cap) {
		size_t cap =
			a->cap * 2 > a->len + len ? a->cap * 2 : a->len + len;
		char *text = realloc(a->text, cap);

		if (text == NULL)
			return error_nomem(err);
		a->text = text;
		a->cap = cap;
	}
	if (a->n + n > a->offsets_cap) {
		size_t cap = a->offsets_cap * 2 > a->n + n ? a->offsets_cap * 2
							   : a->n + n;
		size_t *offsets = realloc(a->offsets, cap * sizeof(*offsets));

		if (offsets == NULL)
			return error_nomem(err);
		a->offsets = offsets;
		a->offsets_cap = cap;
	}
	return 0;
}

int
args_add(struct args *a, const char *s, size_t len, struct cadre_error *err)
{
	int rc = reserve(a, len + 1, 1, err);

	if (rc < 0)
		return rc;
	a->offsets[a->n++] = a->len;
	if (len > 0)
		memcpy(a->text + a->len, s, len);
	a->text[a->len + len] = '\0';
	a->len += len + 1;
	return 0;
}

int
args_append(struct args *a, const struct args *more, struct cadre_error *err)
{
	int rc = reserve(a, more->len, more->n, err);

	if (rc < 0 || more->n == 0)
		return rc;
	for (size_t i = 0; i < more->n; i++)
		a->offsets[a->n + i] = a->len + more->offsets[i];
	memcpy(a->text + a->len, more->text, more->len);
	a->n += more->n;
	a->len += more->len;
	return 0;
}

int
args_copy(struct args *dst, const struct args *src, struct cadre_error *err)
{
	return args_append(dst, src, err);
}

const char *
args_at(const struct args *a, size_t i)
{
	return a->text + a->offsets[i];
}
