/* SPDX-License-Identifier: MIT */
#include "cli/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define RECORD_MAX 8192

int
profile_check_name(const char *name, struct cadre_error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";
	size_t len = strlen(name);

	if (len > 0 && len <= 64 && name[0] != '.' &&
	    strspn(name, allowed) == len)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "--pool: \"%.70s\" is not a name (1 to 64 letters, "
			 "digits, '_', '.' or '-')",
			 name);
}

static bool
is_private_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* The record's path; CADRE_ENOENT if its directory is not there. */
static int
record_path(const char *name, char *ret, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char dir[2048];
	int n;

	if (runtime != NULL && runtime[0] == '/' &&
	    snprintf(dir, sizeof(dir), "%s/cadre", runtime) <
		    (int)sizeof(dir) &&
	    is_private_dir(dir)) {
		n = snprintf(ret, size, "%s/%s.json", dir, name);
		return n < (int)size ? 0 : CADRE_ENOENT;
	}
	(void)snprintf(dir, sizeof(dir), "/tmp/cadre-%u", (unsigned)geteuid());
	if (!is_private_dir(dir))
		return CADRE_ENOENT;
	n = snprintf(ret, size, "%s/%s.json", dir, name);
	return n < (int)size ? 0 : CADRE_ENOENT;
}

/* True if the process lives and is a cadre, not another one that was given the
 * same number. */
static bool
lives(pid_t pid)
{
	static const char name[] = " (cadre) ";
	char path[32], stat[64] = "";
	const char *state;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	(void)close(fd);
	state = n > 0 ? strstr(stat, name) : NULL;
	return state != NULL && state[sizeof(name) - 1] != 'Z';
}

int
profile_write(const char *name, const struct profile *p,
	      struct cadre_error *err)
{
	char path[2200], next[2220];
	json_t *record;
	int fd, rc;

	if (record_path(name, path, sizeof(path)) < 0)
		return error_set(err, CADRE_ENOENT,
				 "there is no private directory for the "
				 "record of \"%s\"",
				 name);
	record = json_pack("{s:i, s:s, s:s*}", "pid", (int)p->pid, "url",
			   p->url, "auth", p->auth);
	if (record == NULL)
		return error_nomem(err);
	(void)snprintf(next, sizeof(next), "%s.%ld", path, (long)getpid());
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	rc = fd < 0 || json_dumpfd(record, fd, JSON_COMPACT) < 0 ||
			     close(fd) < 0 || rename(next, path) < 0
		     ? error_sys(err, errno, "cannot write %s", path)
		     : 0;
	json_decref(record);
	return rc;
}

static int
parse(const char *path, struct profile *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *url, *auth = NULL;
	struct profile p = {0};
	struct stat st;
	json_t *record;
	int pid;

	if (fd < 0)
		return CADRE_ENOENT;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    st.st_size > RECORD_MAX) {
		(void)close(fd);
		return CADRE_ENOENT;
	}
	record = json_loadfd(fd, 0, NULL);
	(void)close(fd);
	if (json_unpack(record, "{s:i, s:s, s?s}", "pid", &pid, "url", &url,
			"auth", &auth) == 0 &&
	    pid > 0) {
		p.pid = pid;
		p.url = strdup(url);
		p.auth = auth != NULL ? strdup(auth) : NULL;
	}
	json_decref(record);
	if (p.url == NULL || (auth != NULL && p.auth == NULL)) {
		profile_fini(&p);
		return CADRE_ENOENT;
	}
	*ret = p;
	return 0;
}

int
profile_read(const char *name, struct profile *ret, struct cadre_error *err)
{
	char path[2200];
	struct profile p;
	int rc = record_path(name, path, sizeof(path));

	if (rc == 0)
		rc = parse(path, &p);
	if (rc == 0 && !lives(p.pid)) {
		profile_fini(&p);
		rc = CADRE_ENOENT;
	}
	if (rc < 0)
		return error_set(err, CADRE_ENOENT,
				 "no dispatcher runs under the name \"%s\"; "
				 "start one with: cadre start -p %s",
				 name, name);
	*ret = p;
	return 0;
}

void
profile_remove(const char *name)
{
	char path[2200];

	if (record_path(name, path, sizeof(path)) == 0)
		(void)unlink(path);
}

void
profile_fini(struct profile *p)
{
	free(p->url);
	free(p->auth);
	*p = (struct profile){0};
}
