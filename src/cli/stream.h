/* SPDX-License-Identifier: MIT */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Standard output and standard error of the command line: written in large
 * pieces, in order with each other.  The first failure is kept; after it
 * nothing more is written.
 */

enum { STREAM_OUT = 1, STREAM_ERR = 2 };

void stream_put(int which, const void *data, size_t len);
/* Writes out what is gathered. */
void stream_flush(void);
bool stream_pending(void);
/* errno of the first failed write to standard output; 0 if all went well. */
int stream_error(void);

#endif
