/* SPDX-License-Identifier: MIT */
#include "place/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "place/kernel.h"
#include "place/topology.h"

static char dir[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/cadre-test-place-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* Writes text to a file below dir, making the directories on its way. */
static void
put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
test_siblings(void **state)
{
	/* 4 cores of 2 threads, numbered as most machines do */
	static const char *const lists[] = {"0,4", "1,5", "2,6", "3,7",
					    "0,4", "1,5", "2,6", "3,7"};
	cpu_set_t set;
	char name[64];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name),
			       "cpu%zu/topology/core_cpus_list", i);
		put(name, lists[i]);
	}
	CPU_ZERO(&set);
	for (size_t i = 0; i < 8; i++)
		CPU_SET(i, &set);
	assert_int_equal(kernel_cores(dir, &set, sizeof(set)), 4);
	/* a cpuset with a hole: one core whole, one by its second thread */
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	CPU_SET(5, &set);
	CPU_SET(7, &set);
	assert_int_equal(kernel_cores(dir, &set, sizeof(set)), 2);
	/* nothing is known of one of them */
	CPU_SET(8, &set);
	assert_int_equal(kernel_cores(dir, &set, sizeof(set)), 0);
	/* the name that older kernels use */
	put("cpu8/topology/thread_siblings_list", "8-9\n");
	assert_int_equal(kernel_cores(dir, &set, sizeof(set)), 3);
}

static unsigned int
quota(const char *groups)
{
	char path[128];

	put("self", groups);
	(void)snprintf(path, sizeof(path), "%s/self", dir);
	return kernel_quota(path, dir);
}

static void
test_quota_v2(void **state)
{
	(void)state;
	assert_int_equal(quota("0::/\n"), 0);
	put("a/b/c/cpu.max", "max 100000\n");
	assert_int_equal(quota("0::/a/b/c\n"), 0);
	put("a/b/cpu.max", "250000 100000\n");
	assert_int_equal(quota("0::/a/b/c\n"), 3);
	put("a/cpu.max", "200000 100000\n");
	assert_int_equal(quota("0::/a/b/c\n"), 2);
	put("a/b/c/cpu.max", "1000 100000\n");
	assert_int_equal(quota("0::/a/b/c\n"), 1);
	assert_int_equal(quota("0::/elsewhere\n"), 0);
	/* in a container: only the top can be seen */
	put("cpu.max", "400000 100000\n");
	assert_int_equal(quota("0::/outside/of/it\n"), 4);
	put("cpu.max", "nonsense");
	assert_int_equal(quota("0::/outside/of/it\n"), 0);
}

static void
test_quota_v1(void **state)
{
	static const char groups[] = "5:memory:/m\n"
				     "4:cpuset:/x\n"
				     "3:cpu,cpuacct:/job/1\n"
				     "0::/\n";

	(void)state;
	assert_int_equal(quota(groups), 0);
	put("cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
	put("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
	assert_int_equal(quota(groups), 0);
	put("cpu,cpuacct/job/1/cpu.cfs_quota_us", "750000\n");
	put("cpu,cpuacct/job/1/cpu.cfs_period_us", "100000\n");
	assert_int_equal(quota(groups), 8);
	put("cpu,cpuacct/job/1/cpu.cfs_period_us", "0\n");
	assert_int_equal(quota(groups), 0);
	assert_int_equal(quota("rubbish\n:::\n0:cpu\n"), 0);
}

static hwloc_topology_t
synthetic(const char *description)
{
	hwloc_topology_t topology;

	assert_int_equal(setenv("HWLOC_SYNTHETIC", description, 1), 0);
	assert_int_equal(topology_load(&topology), 0);
	assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
	return topology;
}

static void
test_topology(void **state)
{
	hwloc_topology_t topology = synthetic("numa:4 core:16 pu:2");
	hwloc_bitmap_t allowed = hwloc_bitmap_alloc();

	(void)state;
	assert_int_equal(topology_cores(topology, NULL), 64);
	assert_int_equal(hwloc_bitmap_list_sscanf(allowed, "0-1,3,5,64-127"),
			 0);
	assert_int_equal(topology_cores(topology, allowed), 3 + 32);
	hwloc_topology_destroy(topology);
	hwloc_bitmap_free(allowed);
	topology = synthetic("numa:2 pu:6");
	assert_int_equal(topology_cores(topology, NULL), 12);
	hwloc_topology_destroy(topology);
}

static void
test_described(void **state)
{
	(void)state;
	assert_int_equal(setenv("HWLOC_SYNTHETIC", "numa:2 core:8 pu:2", 1), 0);
	assert_int_equal(place_cores(), 16);
	assert_int_equal(place_default_slots(), 15);
	assert_int_equal(setenv("HWLOC_SYNTHETIC", "core:1 pu:1", 1), 0);
	assert_int_equal(place_cores(), 1);
	assert_int_equal(place_default_slots(), 1);
	assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
}

/* On this machine, whatever it is: bound to one CPU, there is one core. */
static void
test_bound(void **state)
{
	size_t size;
	cpu_set_t *set = kernel_allowed(&size);
	unsigned int cores = place_cores();
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(set);
	assert_true(cores >= 1);
	assert_true(cores <= (unsigned int)CPU_COUNT_S(size, set));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		size_t cpu = 0;

		while (!CPU_ISSET_S(cpu, size, set))
			cpu++;
		CPU_ZERO_S(size, set);
		CPU_SET_S(cpu, size, set);
		if (sched_setaffinity(0, size, set) != 0)
			_exit(2);
		_exit(place_cores() == 1 && place_default_slots() == 1 ? 0 : 1);
	}
	CPU_FREE(set);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_siblings, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_quota_v2, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_quota_v1, make_dir,
						remove_dir),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_described),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
