/* SPDX-License-Identifier: MIT */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <cadre/error.h>

/*
 * Fills in err (may be NULL) unless it holds an error already and returns code,
 * so that a function can end with: return error_set (err, CADRE_EINVAL, ...).
 */
int error_set(struct cadre_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with ": <strerror (errnum)>" at the end; CADRE_ENOMEM for ENOMEM,
 * CADRE_ESYS otherwise. */
int error_sys(struct cadre_error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* CADRE_ENOMEM with its standard sentence. */
int error_nomem(struct cadre_error *err);

#endif
