/* SPDX-License-Identifier: MIT */
#include "host/address.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "link/link.h"
#include "util/error.h"

/* A socket without a listener is somebody's that is about to listen, unless it
 * is older than this. */
#define STALE_S 60

int
address_random(unsigned int n, char *text, struct cadre_error *err)
{
	uint8_t bytes[64];

	if (n > sizeof(bytes) || getrandom(bytes, n, 0) != (ssize_t)n)
		return error_sys(err, errno, "no random numbers");
	for (unsigned int i = 0; i < n; i++)
		(void)sprintf(text + (size_t)2 * i, "%02x", bytes[i]);
	return 0;
}

/* Makes the directory unless it is there, and checks that nobody else can
 * write into it. */
static int
check_dir(const char *dir, struct cadre_error *err)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno,
				 "cannot make %s for the pool's socket", dir);
	if (lstat(dir, &st) < 0)
		return error_sys(err, errno, "cannot look at %s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return error_set(err, CADRE_ESYS,
				 "%s is not a directory of this user: remove "
				 "it, or set XDG_RUNTIME_DIR or the option url",
				 dir);
	if ((st.st_mode & 077) != 0 && chmod(dir, 0700) < 0)
		return error_sys(err, errno, "cannot make %s private", dir);
	return 0;
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return path != NULL && path[0] == '/' && stat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode) && access(path, W_OK | X_OK) == 0;
}

/* The private directory, as an owned path; name is what has to fit below it. */
static int
private_dir(const char *name, char **ret_dir, struct cadre_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
	char *dir;
	int n, rc;

	if (is_dir(runtime) &&
	    strlen(runtime) + strlen("/cadre/") + strlen(name) < room)
		n = asprintf(&dir, "%s/cadre", runtime);
	else
		n = asprintf(&dir, "/tmp/cadre-%u", (unsigned)geteuid());
	if (n < 0)
		return error_nomem(err);
	rc = check_dir(dir, err);
	if (rc < 0) {
		free(dir);
		return rc;
	}
	*ret_dir = dir;
	return 0;
}

/* Whether somebody listens there is asked of the kernel, not of process ids:
 * other containers may share the directory. */
static bool
is_stale(int dir_fd, const char *dir, const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, n;
	bool refused;

	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path) ||
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISSOCK(st.st_mode) || time(NULL) - st.st_ctime < STALE_S)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* Removes what processes left behind that were killed. */
static void
sweep(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (is_stale(dirfd(dir), path, entry->d_name))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

static int
socket_url(const char *name, char **ret_url, struct cadre_error *err)
{
	char *dir = NULL, *url;
	int rc = private_dir(name, &dir, err);

	if (rc < 0)
		return rc;
	if (asprintf(&url, "ipc://%s/%s", dir, name) < 0)
		url = NULL;
	free(dir);
	if (url == NULL)
		return error_nomem(err);
	*ret_url = url;
	return 0;
}

int
address_new(const char *profile, bool shared, char **ret_url,
	    struct cadre_error *err)
{
	char name[128], tail[9];
	int rc;

	if (shared) {
		(void)snprintf(name, sizeof(name), "%s.sock", profile);
		return socket_url(name, ret_url, err);
	}
	rc = address_random(4, tail, err);
	if (rc < 0)
		return rc;
	(void)snprintf(name, sizeof(name), "%.40s-%d-%s.sock", profile,
		       (int)getpid(), tail);
	rc = socket_url(name, ret_url, err);
	if (rc == 0) {
		char *dir = strdup(*ret_url + strlen("ipc://"));

		if (dir != NULL)
			sweep(dirname(dir));
		free(dir);
	}
	return rc;
}

int
address_find(const char *connect, char **ret_url, struct cadre_error *err)
{
	char *url;
	int rc;

	if (strstr(connect, "://") == NULL)
		return address_new(connect, true, ret_url, err);
	rc = link_url_check(connect, err);
	if (rc < 0)
		return rc;
	url = strdup(connect);
	if (url == NULL)
		return error_nomem(err);
	*ret_url = url;
	return 0;
}
