/* SPDX-License-Identifier: MIT */
#ifndef HOST_PUMP_H
#define HOST_PUMP_H

#include "host/driver.h"

/* The thread of a driver that is there when time passes, and when processes
 * that it launched have something to say. */

int pump_start(struct driver *d, struct cadre_error *err);
/* Joins it, if it was started, once stop is set; the mutex must not be held. */
void pump_stop(struct driver *d);
/* Something is due earlier than it thinks.  Any thread. */
void pump_wake(struct driver *d);

#endif
