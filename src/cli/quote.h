/* SPDX-License-Identifier: MIT */
#ifndef CLI_QUOTE_H
#define CLI_QUOTE_H

#include <stddef.h>

#include "util/buf.h"

/* Appends the len bytes at s, which a NUL follows somewhere, quoted for a POSIX
 * shell where they need to be. */
void quote_shell(struct buf *out, const char *s, size_t len);

#endif
