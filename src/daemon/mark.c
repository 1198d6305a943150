/* SPDX-License-Identifier: MIT */
#include "daemon/mark.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Start time of a process in clock ticks since boot; false if there is none. */
static bool
started(long pid, unsigned long long *ret)
{
	char path[64], text[1024];
	const char *p;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The name in parentheses may hold anything: count from its end. */
	p = strrchr(text, ')');
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return false;
	*ret = strtoull(p + 1, NULL, 10);
	return true;
}

/* What is the same for all daemons that can judge each other. */
static bool
scope(char *text, size_t size)
{
	char node[HOST_NAME_MAX + 1] = "";
	struct stat ns;
	int n;

	(void)gethostname(node, sizeof(node) - 1);
	if (stat("/proc/self/ns/pid", &ns) < 0)
		return false;
	for (char *p = node; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	n = snprintf(text, size, "%lu.%s.%lu.", (unsigned long)getuid(), node,
		     (unsigned long)ns.st_ino);
	return n > 0 && (size_t)n < size;
}

bool
mark_self(char *text, size_t size)
{
	unsigned long long when;
	size_t used;
	int n;

	if (!scope(text, size) || !started((long)getpid(), &when))
		return false;
	used = strlen(text);
	n = snprintf(text + used, size - used, "%ld.%llu", (long)getpid(),
		     when);
	return n > 0 && (size_t)n < size - used;
}

bool
mark_is_dead(const char *mark)
{
	unsigned long long then, now;
	char mine[MARK_MAX];
	long pid;
	char *end;

	if (!scope(mine, sizeof(mine)) ||
	    strncmp(mark, mine, strlen(mine)) != 0)
		return false;
	mark += strlen(mine);
	pid = strtol(mark, &end, 10);
	if (end == mark || *end != '.' || pid <= 0)
		return false;
	mark = end + 1;
	then = strtoull(mark, &end, 10);
	if (end == mark || *end != '\0')
		return false;
	return !started(pid, &now) || now != then;
}
