/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include <stdint.h>

#include <cadre/error.h>

/* Raises the soft limit of open files to what so many slots need; an error if
 * the hard limit is too low. */
int limits_files(uint32_t slots, struct cadre_error *err);

#endif
