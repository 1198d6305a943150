/* SPDX-License-Identifier: MIT */
#include "place/kernel.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_CPUS_MAX ((size_t)1 << 20)

cpu_set_t *
kernel_allowed(size_t *ret_size)
{
	/* The set has to have room for all CPUs that the kernel knows. */
	for (size_t n = CPU_SETSIZE; n <= KERNEL_CPUS_MAX; n *= 2) {
		cpu_set_t *set = CPU_ALLOC(n);

		*ret_size = CPU_ALLOC_SIZE(n);
		if (set == NULL || sched_getaffinity(0, *ret_size, set) == 0)
			return set;
		CPU_FREE(set);
		if (errno != EINVAL)
			return NULL;
	}
	return NULL;
}

/* First line of a file; false if it cannot be read. */
static bool
read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL)
		return false;
	ok = fgets(line, (int)size, f) != NULL;
	(void)fclose(f);
	return ok;
}

/* The first CPU of the core that a CPU belongs to; -1 if nothing says. */
static long
first_sibling(const char *cpu_dir, size_t cpu)
{
	/* the second name is that of kernels before 5.3 */
	static const char *const names[] = {"core_cpus_list",
					    "thread_siblings_list"};
	char path[PATH_MAX], line[64], *end;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		long first;

		(void)snprintf(path, sizeof(path), "%s/cpu%zu/topology/%s",
			       cpu_dir, cpu, names[i]);
		if (!read_line(path, line, sizeof(line)))
			continue;
		first = strtol(line, &end, 10);
		if (end != line && first >= 0)
			return first;
	}
	return -1;
}

unsigned int
kernel_cores(const char *cpu_dir, const cpu_set_t *set, size_t size)
{
	size_t cpus = size * CHAR_BIT;
	cpu_set_t *seen = CPU_ALLOC(cpus);
	unsigned int n;

	if (seen == NULL)
		return 0;
	CPU_ZERO_S(size, seen);
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		long first;

		if (!CPU_ISSET_S(cpu, size, set))
			continue;
		first = first_sibling(cpu_dir, cpu);
		if (first < 0 || (size_t)first >= cpus) {
			CPU_FREE(seen);
			return 0;
		}
		CPU_SET_S((size_t)first, size, seen);
	}
	n = (unsigned int)CPU_COUNT_S(size, seen);
	CPU_FREE(seen);
	return n;
}

static unsigned int
round_up(long long quota, long long period)
{
	if (quota <= 0 || period <= 0 || quota / period >= INT_MAX)
		return 0;
	return (unsigned int)((quota + period - 1) / period);
}

/* Version 2: "max 100000" or "150000 100000". */
static unsigned int
read_max(const char *dir)
{
	long long quota, period;
	char path[PATH_MAX], line[64];

	(void)snprintf(path, sizeof(path), "%s/cpu.max", dir);
	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%lld %lld", &quota, &period) != 2)
		return 0;
	return round_up(quota, period);
}

/* Version 1: one number in each of two files, -1 for no limit. */
static unsigned int
read_cfs(const char *dir)
{
	char path[PATH_MAX], line[64];
	long long quota;

	(void)snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	if (!read_line(path, line, sizeof(line)))
		return 0;
	quota = strtoll(line, NULL, 10);
	(void)snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
	if (!read_line(path, line, sizeof(line)))
		return 0;
	return round_up(quota, strtoll(line, NULL, 10));
}

static unsigned int
smaller(unsigned int a, unsigned int b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The tightest limit of a group and all above it.  Inside a container the path
 * may be one of the outside, of which only the top can be seen. */
static unsigned int
walk_up(const char *mount, const char *group,
	unsigned int (*read_limit)(const char *dir))
{
	size_t top = strlen(mount);
	unsigned int n = 0;
	char dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s%s", mount, group) >=
	    (int)sizeof(dir))
		return 0;
	while (strlen(dir) > top) {
		n = smaller(n, read_limit(dir));
		*strrchr(dir, '/') = '\0';
	}
	return smaller(n, read_limit(mount));
}

static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		size_t n = strcspn(list, ",");

		if (n == len && strncmp(list, word, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* One line of /proc/self/cgroup: "NUMBER:CONTROLLERS:PATH". */
static unsigned int
read_group(char *line, const char *root)
{
	char *rest = line, mount[PATH_MAX];
	const char *controllers, *group;

	line[strcspn(line, "\n")] = '\0';
	(void)strsep(&rest, ":");
	controllers = strsep(&rest, ":");
	group = rest;
	if (controllers == NULL || group == NULL || group[0] != '/')
		return 0;
	if (*controllers == '\0')
		return walk_up(root, group, read_max);
	if (!has_word(controllers, "cpu"))
		return 0;
	(void)snprintf(mount, sizeof(mount), "%s/%s", root, controllers);
	return walk_up(mount, group, read_cfs);
}

unsigned int
kernel_quota(const char *self, const char *root)
{
	char line[PATH_MAX];
	unsigned int n = 0;
	FILE *f = fopen(self, "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		n = smaller(n, read_group(line, root));
	(void)fclose(f);
	return n;
}
