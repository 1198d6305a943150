/* SPDX-License-Identifier: MIT */
#include "place/place.h"

#include <stdbool.h>
#include <stdlib.h>

#include "place/kernel.h"
#include "place/topology.h"

#define PLACE_CPU_DIR "/sys/devices/system/cpu"
#define PLACE_CGROUP_SELF "/proc/self/cgroup"
#define PLACE_CGROUP_ROOT "/sys/fs/cgroup"

static unsigned int
by_kernel(void)
{
	size_t size;
	cpu_set_t *set = kernel_allowed(&size);
	unsigned int n;

	if (set == NULL)
		return 0;
	n = kernel_cores(PLACE_CPU_DIR, set, size);
	CPU_FREE(set);
	return n;
}

static unsigned int
by_hwloc(void)
{
	hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
	hwloc_topology_t topology;
	unsigned int n = 0;
	bool bound;

	if (allowed == NULL)
		return 0;
	if (topology_load(&topology) == 0) {
		bound = hwloc_topology_is_thissystem(topology) &&
			hwloc_get_cpubind(topology, allowed,
					  HWLOC_CPUBIND_PROCESS) == 0;
		n = topology_cores(topology, bound ? allowed : NULL);
		hwloc_topology_destroy(topology);
	}
	hwloc_bitmap_free(allowed);
	return n;
}

/* hwloc's variables put another machine in the place of this one. */
static bool
is_described(void)
{
	static const char *const names[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC",
					    "HWLOC_FSROOT"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (getenv(names[i]) != NULL)
			return true;
	return false;
}

unsigned int
place_cores(void)
{
	bool described = is_described();
	unsigned int n = described ? 0 : by_kernel();
	unsigned int quota = 0;

	if (n == 0)
		n = by_hwloc();
	if (!described)
		quota = kernel_quota(PLACE_CGROUP_SELF, PLACE_CGROUP_ROOT);
	if (quota > 0 && quota < n)
		n = quota;
	return n > 0 ? n : 1;
}

unsigned int
place_default_slots(void)
{
	unsigned int cores = place_cores();

	return cores > 1 ? cores - 1 : 1;
}
