/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What fuzz targets share.  A target is built twice: with libFuzzer (make
 * fuzz), and with fuzz_main.c, which replays the kept inputs (make check).
 */

/* The entry point, by the name that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Ends the program with the place if a property does not hold. */
#define FUZZ_HOLDS(x) fuzz_holds((x), #x, __FILE__, __LINE__)
void fuzz_holds(bool x, const char *what, const char *file, int line);

/*
 * Bytes that the code under test has asked for since fuzz_count_reset, frees
 * not subtracted: malloc, calloc and realloc are wrapped when a target is
 * linked.
 */
void fuzz_count_reset(void);
size_t fuzz_count(void);

#endif
