/* SPDX-License-Identifier: MIT */
#include "place/topology.h"

static int
load(hwloc_topology_t topology)
{
	if (hwloc_topology_set_all_types_filter(
		    topology, HWLOC_TYPE_FILTER_KEEP_NONE) != 0 ||
	    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE,
					   HWLOC_TYPE_FILTER_KEEP_ALL) != 0)
		return -1;
	return hwloc_topology_load(topology);
}

int
topology_load(hwloc_topology_t *ret_topology)
{
	hwloc_topology_t topology;

	if (hwloc_topology_init(&topology) != 0)
		return -1;
	if (load(topology) != 0) {
		hwloc_topology_destroy(topology);
		return -1;
	}
	*ret_topology = topology;
	return 0;
}

static unsigned int
count(hwloc_topology_t topology, hwloc_obj_type_t type,
      hwloc_const_cpuset_t allowed)
{
	hwloc_obj_t obj = NULL;
	unsigned int n = 0;

	while ((obj = hwloc_get_next_obj_by_type(topology, type, obj)) != NULL)
		n += allowed == NULL ||
		     hwloc_bitmap_intersects(obj->cpuset, allowed);
	return n;
}

unsigned int
topology_cores(hwloc_topology_t topology, hwloc_const_cpuset_t allowed)
{
	unsigned int n = count(topology, HWLOC_OBJ_CORE, allowed);

	return n > 0 ? n : count(topology, HWLOC_OBJ_PU, allowed);
}
