/* SPDX-License-Identifier: MIT */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <cadre/error.h>

/*
 * SIGINT, SIGTERM and SIGHUP (unless they were ignored): the first is noted and
 * makes signals_fd readable, the next ends the process at once with status 130;
 * the daemons then notice and end what runs.
 */
int signals_open(struct cadre_error *err);
int signals_fd(void);
/* The signal that came, 0 if none did. */
int signals_caught(void);

#endif
