/* SPDX-License-Identifier: MIT */
#ifndef SIMULATION_SCALE_H
#define SIMULATION_SCALE_H

#include <stdint.h>

/* Runs that many tasks over that many slots and prints what one cost; the exit
 * status. */
int scale_run(uint64_t slots, uint64_t tasks);

#endif
