/* SPDX-License-Identifier: MIT */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stddef.h>

#include <cadre/error.h>

/* The arguments of one task: n strings in one block of memory. */
struct args {
	char *text;	 /* the strings, each with its NUL */
	size_t *offsets; /* where each begins */
	size_t n;
	size_t len, cap; /* of text */
	size_t offsets_cap;
};

void args_init(struct args *a);
void args_fini(struct args *a);
/* Forgets the strings, keeps the memory. */
void args_reset(struct args *a);
int args_add(struct args *a, const char *s, size_t len,
	     struct cadre_error *err);
int args_append(struct args *a, const struct args *more,
		struct cadre_error *err);
/* Makes *dst (initialised, empty) a copy in memory of just its size. */
int args_copy(struct args *dst, const struct args *src,
	      struct cadre_error *err);
/* Borrowed until a is changed. */
const char *args_at(const struct args *a, size_t i);

#endif
