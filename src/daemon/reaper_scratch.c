/* SPDX-License-Identifier: MIT */
#include "daemon/reaper_scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"

/* File systems stamp with the kernel's tick: a change so soon after another
 * may not show. */
#define TICK_NS 50000000
#define MAX_DEPTH 512

static void
note_empty(struct reaper_scratch *s)
{
	struct stat st;
	int64_t changed;

	s->empty_ns = 0;
	if (fstat(s->fd, &st) < 0)
		return;
	changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (clock_unix_ns() - changed > TICK_NS)
		s->empty_ns = changed;
}

static int
open_dir(struct reaper_scratch *s, struct cadre_error *err)
{
	if (mkdir(s->path, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno,
				 "cannot make the scratch directory '%s'",
				 s->path);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return error_sys(err, errno,
				 "cannot open the scratch directory '%s'",
				 s->path);
	return 0;
}

int
reaper_scratch_open(struct reaper_scratch *s, const char *parent, uint32_t slot,
		    struct cadre_error *err)
{
	int rc;

	*s = (struct reaper_scratch){.fd = -1};
	s->parent = strdup(parent);
	if (s->parent == NULL ||
	    asprintf(&s->path, "%s/slot-%u", parent, slot) < 0) {
		s->path = NULL;
		return error_nomem(err);
	}
	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno,
				 "cannot make the scratch directory '%s'",
				 parent);
	rc = open_dir(s, err);
	return rc < 0 ? rc : reaper_scratch_clean(s, err);
}

/* Opens a directory even if the task took its own rights away. */
static int
open_below(int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);

	if (fd >= 0 || errno != EACCES || fchmodat(at, name, 0700, 0) < 0)
		return fd;
	return openat(at, name, flags);
}

/* Removes all below the directory; takes fd.  False if something is left. */
static bool
empty_dir(int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	bool all = true;

	if (dir == NULL) {
		close(fd);
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		int below;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EACCES)
			(void)fchmod(fd, 0700);
		if (unlinkat(fd, name, 0) == 0)
			continue;
		below = depth < MAX_DEPTH ? open_below(fd, name) : -1;
		if (below >= 0)
			(void)empty_dir(below, depth + 1);
		if (unlinkat(fd, name, AT_REMOVEDIR) < 0)
			all = false;
	}
	closedir(dir);
	return all;
}

int
reaper_scratch_clean(struct reaper_scratch *s, struct cadre_error *err)
{
	struct stat st;
	int64_t changed;
	int fd;

	if (s->fd < 0 || fstat(s->fd, &st) < 0 || st.st_nlink == 0) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = -1;
		s->empty_ns = 0;
		return open_dir(s, err);
	}
	changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (changed == s->empty_ns)
		return 0;
	/* A description of its own: reading moves its position. */
	fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmod(s->fd, 0700) == 0)
		fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !empty_dir(fd, 0))
		return error_set(err, CADRE_ESYS,
				 "cannot empty the scratch directory '%s'",
				 s->path);
	note_empty(s);
	return 0;
}

void
reaper_scratch_close(struct reaper_scratch *s)
{
	int fd;

	if (s->fd >= 0) {
		fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			(void)empty_dir(fd, 0);
		close(s->fd);
		(void)rmdir(s->path);
		(void)rmdir(s->parent);
	}
	free(s->path);
	free(s->parent);
	*s = (struct reaper_scratch){.fd = -1};
}
