/* SPDX-License-Identifier: MIT */
#ifndef HOST_NUMBERS_H
#define HOST_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

struct cadre_task;

/*
 * Open tasks under consecutive numbers, counted from 1: a queue of pointers in
 * which those taken out of turn leave holes until they reach the front.
 */
struct numbers {
	struct cadre_task **at;
	size_t begin, end, cap; /* in use: at[begin] to at[end - 1] */
	uint64_t first;		/* the number of at[begin] */
};

void numbers_init(struct numbers *n);
void numbers_fini(struct numbers *n);
/* t may be NULL: the number is used up. */
int numbers_add(struct numbers *n, struct cadre_task *t, uint64_t *ret_number);
/* NULL if it is not open. */
struct cadre_task *numbers_find(const struct numbers *n, uint64_t number);
struct cadre_task *numbers_take(struct numbers *n, uint64_t number);
/* The one with the lowest number; NULL if none is open. */
struct cadre_task *numbers_pop(struct numbers *n);

#endif
