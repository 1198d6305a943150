/* SPDX-License-Identifier: MIT */
#ifndef PLACE_TOPOLOGY_H
#define PLACE_TOPOLOGY_H

#include <hwloc.h>

/* Loads cores and hardware threads of this machine, or of the one that hwloc's
 * environment variables describe, and nothing else.  0 or -1. */
int topology_load(hwloc_topology_t *ret_topology);
/* Cores with a hardware thread in allowed (NULL: all); hardware threads where
 * hwloc knows of no cores. */
unsigned int topology_cores(hwloc_topology_t topology,
			    hwloc_const_cpuset_t allowed);

#endif
