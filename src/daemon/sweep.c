/* SPDX-License-Identifier: MIT */
#include "daemon/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/mark.h"
#include "daemon/tree.h"

#define NAME "CADRE_MARK="
/* Environments are searched so far. */
#define ENVIRON_MAX (256u * 1024u)

/* Reads a file of /proc; *ret_len bytes and a NUL.  Owned, NULL on failure. */
static char *
slurp(int dir, const char *path, size_t max, size_t *ret_len)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(max + 1);
	size_t len = 0;
	ssize_t n = 0;

	while (text != NULL && len < max &&
	       (n = read(fd, text + len, max - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (text != NULL)
		text[len] = '\0';
	*ret_len = len;
	return text;
}

static bool
is_leftover(int proc, const char *pid)
{
	char path[280];
	bool dead = false;
	char *text;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/environ", pid);
	text = slurp(proc, path, ENVIRON_MAX, &len);
	for (size_t i = 0; text != NULL && i < len; i += strlen(text + i) + 1) {
		if (strncmp(text + i, NAME, strlen(NAME)) != 0)
			continue;
		dead = mark_is_dead(text + i + strlen(NAME));
		break;
	}
	free(text);
	return dead;
}

int
sweep_leftovers(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !is_leftover(dirfd(dir), entry->d_name))
			continue;
		(void)kill((pid_t)atoi(entry->d_name), SIGKILL);
		count++;
	}
	(void)closedir(dir);
	return count;
}

int
sweep_orphans(bool (*keep)(void *arg, pid_t pid), void *arg)
{
	char path[64];
	int count = 0;
	size_t len;
	char *text, *p, *end;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		       (int)getpid());
	text = slurp(AT_FDCWD, path, ENVIRON_MAX, &len);
	for (p = text; p != NULL; p = end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);

		if (end == p)
			break;
		if (keep(arg, pid))
			continue;
		(void)tree_signal(pid, 0, SIGKILL);
		(void)kill(pid, SIGKILL);
		count++;
	}
	free(text);
	return count;
}
