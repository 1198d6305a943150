/* SPDX-License-Identifier: MIT */
#ifndef UTIL_PARSE_H
#define UTIL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Strict parsing of what users write: the whole text must fit, no leading
 * blanks, no silent overflow.  0, or CADRE_EINVAL with *ret untouched.
 */

int parse_int64(const char *text, int64_t min, int64_t max, int64_t *ret);
int parse_uint32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);
int parse_double(const char *text, double *ret);
/* "yes", "true", "on", "1" and "no", "false", "off", "0". */
int parse_bool(const char *text, bool *ret);

#define PARSE_FOREVER INT64_MAX
/* Seconds with a fraction, or a number with ms, s, m, h or d; to milliseconds,
 * rounded up so that a small limit never becomes none.  "inf" and "none" are
 * PARSE_FOREVER. */
int parse_duration_ms(const char *text, int64_t *ret);
/* Bytes, or a number with K, M, G, T (powers of 1024; a following "B" or "iB"
 * is allowed). */
int parse_size(const char *text, uint64_t *ret);

#endif
