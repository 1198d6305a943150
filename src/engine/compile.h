/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_COMPILE_H
#define ENGINE_COMPILE_H

#include <cadre/error.h>

/*
 * Native functions given as source text: compiled once by the system's C
 * compiler and kept in the user's cache, named by what went into them.
 */

/*
 * cc: the compiler, with arguments perhaps (NULL: $CC, or cc); cflags may be
 * NULL.  *ret_path: the shared object, owned.  If the compiler refused,
 * *ret_message is what it said, owned; for any other failure it is left alone
 * and err tells.
 */
int compile_source(const char *source, const char *cc, const char *cflags,
		   char **ret_path, char **ret_message,
		   struct cadre_error *err);

#endif
