/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static size_t asked_for;

/* The linker (--wrap) sends calls of malloc to __wrap_malloc. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static void
count(size_t n)
{
	if (__builtin_add_overflow(asked_for, n, &asked_for))
		asked_for = SIZE_MAX;
}

void *
__wrap_malloc(size_t n)
{
	count(n);
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	size_t bytes;

	count(__builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes);
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	count(n);
	return __real_realloc(p, n);
}

void
fuzz_count_reset(void)
{
	asked_for = 0;
}

size_t
fuzz_count(void)
{
	return asked_for;
}

void
fuzz_holds(bool x, const char *what, const char *file, int line)
{
	if (x)
		return;
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}
