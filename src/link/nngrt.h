/* SPDX-License-Identifier: MIT */
#ifndef LINK_NNGRT_H
#define LINK_NNGRT_H

#include <cadre/error.h>

/*
 * Starts nng's threads, with all signals blocked in them, so that a signal of
 * the program never lands on a thread that does not expect it.  Has to be
 * called before anything else of nng; cheap after the first time.
 */
int nngrt_start(struct cadre_error *err);
/* Translates an error of nng and says what failed. */
int nngrt_error(struct cadre_error *err, int rv, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
