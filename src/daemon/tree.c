/* SPDX-License-Identifier: MIT */
#include "daemon/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tree_search;

/* The walk's queue: what was found, and how far it was looked into. */
struct pids {
	pid_t *data;
	size_t len;
	size_t cap;
};

static bool
pids_add(struct pids *pids, pid_t pid)
{
	if (pids->len == pids->cap) {
		size_t cap = pids->cap == 0 ? 64 : pids->cap * 2;
		pid_t *data = realloc(pids->data, cap * sizeof(*data));

		if (data == NULL)
			return false;
		pids->data = data;
		pids->cap = cap;
	}
	pids->data[pids->len++] = pid;
	return true;
}

/* Adds the decimal numbers of a "children" file.  A number may be cut by the
 * end of a read, so it counts only once the blank behind it was seen. */
static bool
add_numbers(int fd, struct pids *pids)
{
	char text[4096];
	pid_t pid = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0 && !pids_add(pids, pid))
				return false;
			pid = 0;
		}
	}
	return true;
}

/* The children of each thread of pid. */
static bool
list_children(pid_t pid, struct pids *pids)
{
	char path[64];
	struct dirent *entry;
	bool ok = true;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return true;
	while (ok && (entry = readdir(dir)) != NULL) {
		char file[300];
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/children",
			       entry->d_name);
		fd = openat(dirfd(dir), file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ok = add_numbers(fd, pids);
		close(fd);
	}
	closedir(dir);
	return ok;
}

/* The fourth word of a process's stat, after a name that may hold anything in
 * its brackets; 0 if the process is gone. */
static pid_t
parent_of(const char *pid)
{
	char path[300], text[512];
	const char *end;
	int parent = 0;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	end = strrchr(text, ')');
	if (end == NULL || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return (pid_t)parent;
}

/* The same by asking every process for its parent. */
static bool
search_children(pid_t pid, struct pids *pids)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool ok = true;

	if (dir == NULL)
		return true;
	while (ok && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (name[0] >= '0' && name[0] <= '9' && parent_of(name) == pid)
			ok = pids_add(pids, (pid_t)atoi(name));
	}
	closedir(dir);
	return ok;
}

static bool
kernel_lists_children(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		       (int)getpid());
	return access(path, F_OK) == 0;
}

static bool
add_children(pid_t pid, struct pids *pids)
{
	static int listed = -1;

	if (listed < 0)
		listed = kernel_lists_children();
	return listed != 0 && !tree_search ? list_children(pid, pids)
					   : search_children(pid, pids);
}

int
tree_signal(pid_t root, pid_t spare, int sig)
{
	struct pids pids = {0};
	int count = 0;

	(void)add_children(root, &pids);
	for (size_t i = 0; i < pids.len; i++) {
		pid_t pid = pids.data[i];

		if (pid == spare)
			continue;
		/* The children are listed first: they are somebody else's as
		 * soon as their parent is dead. */
		(void)add_children(pid, &pids);
		(void)kill(pid, sig);
		count++;
	}
	free(pids.data);
	return count;
}

bool
tree_has_children(pid_t spare)
{
	struct pids pids = {0};
	bool found = false;

	(void)add_children(getpid(), &pids);
	for (size_t i = 0; i < pids.len && !found; i++)
		found = pids.data[i] != spare;
	free(pids.data);
	return found;
}
