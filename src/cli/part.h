/* SPDX-License-Identifier: MIT */
#ifndef CLI_PART_H
#define CLI_PART_H

#include <stdbool.h>
#include <stddef.h>

/* Parts of a path that replacement strings stand for. */
enum part {
	PART_WHOLE,	   /* {} */
	PART_NO_EXTENSION, /* {.} */
	PART_BASENAME,	   /* {/} */
	PART_DIRNAME,	   /* {//} */
	PART_STEM	   /* {/.} */
};

/* What is between the braces, after a number if there is one. */
bool part_parse(const char *s, size_t len, enum part *ret);
/* Narrows *s, *len to the part. */
void part_take(enum part part, const char **s, size_t *len);

#endif
