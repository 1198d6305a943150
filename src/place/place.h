/* SPDX-License-Identifier: MIT */
#ifndef PLACE_PLACE_H
#define PLACE_PLACE_H

/*
 * Where slots run.  Cores this process may use: those of its cpuset and
 * affinity, hardware threads of one core counted once, no more than a CPU quota
 * of its control group grants (rounded up), at least 1.
 */
unsigned int place_cores(void);
/* Slots by default: the cores less one, at least one. */
unsigned int place_default_slots(void);

#endif
