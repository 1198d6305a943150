/* SPDX-License-Identifier: MIT */
#include "daemon/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/mark.h"
#include "util/error.h"

#define PREFIX "cadre-"

int
scratch_make(const char *base, const char *mark, char **ret_path,
	     struct cadre_error *err)
{
	char *path;

	if (asprintf(&path, "%s/" PREFIX "%s", base, mark) < 0)
		return error_nomem(err);
	if (mkdir(path, 0700) < 0) {
		int errnum = errno;

		(void)error_sys(err, errnum,
				"cannot make the scratch directory %s (choose "
				"another place with --scratch)",
				path);
		free(path);
		return CADRE_ESYS;
	}
	*ret_path = path;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	/* A task may have taken its own rights away. */
	if (kind == FTW_DNR && chmod(path, 0700) == 0)
		scratch_remove(path);
	else
		(void)remove(path);
	return 0;
}

void
scratch_remove(const char *path)
{
	(void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void
scratch_sweep(const char *base)
{
	DIR *dir = opendir(base);
	struct dirent *entry;
	char *path;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    !mark_is_dead(entry->d_name + strlen(PREFIX)))
			continue;
		if (asprintf(&path, "%s/%s", base, entry->d_name) < 0)
			continue;
		scratch_remove(path);
		free(path);
	}
	(void)closedir(dir);
}
