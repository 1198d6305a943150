/* SPDX-License-Identifier: MIT */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/error.h>

#include "cli/args.h"

/*
 * Input sources and how they combine: several make a product, in which the
 * first varies slowest, linked ones advance together.  The first source of a
 * product is read as it is needed, so that it may be endless; the others are
 * kept in memory.
 */

struct input_source {
	char *const *items; /* NULL: a file */
	size_t n;
	const char *path;
	bool linked; /* to the source before it */
};

struct input_options {
	const char *delimiter; /* as users write it; NULL: newline */
	bool null;	       /* the delimiter is NUL */
	const char *colsep;    /* extended regular expression; NULL: none */
	bool link;	       /* all sources linked, short ones start over */
	bool skip_blank;       /* leave out records that are only blanks */
	bool max_args_set;
	uint32_t max_args; /* records of one task */
};

struct input;

int input_open(const struct input_source *sources, size_t n,
	       const struct input_options *options, struct input **ret,
	       struct cadre_error *err);
void input_close(struct input **in);
/* 1 and the arguments of the next task, 0 at the end, CADRE_EAGAIN if they
 * cannot be had without waiting for input_fd to become readable. */
int input_next(struct input *in, struct args *ret, struct cadre_error *err);
int input_fd(const struct input *in);

#endif
