/* SPDX-License-Identifier: MIT */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <sys/types.h>

#include <cadre/error.h>

/*
 * Records of the dispatchers that `cadre start` has started: one small file
 * each, of mode 0600, in the directory where libcadre keeps their sockets.
 */
#define PROFILE_DEFAULT "default"

struct profile {
	pid_t pid;
	char *url;  /* owned */
	char *auth; /* owned; NULL: the default */
};

/* CADRE_EINVAL unless name can be the name of a file. */
int profile_check_name(const char *name, struct cadre_error *err);
int profile_write(const char *name, const struct profile *p,
		  struct cadre_error *err);
/* CADRE_ENOENT if there is no record whose process still lives. */
int profile_read(const char *name, struct profile *ret,
		 struct cadre_error *err);
void profile_remove(const char *name);
void profile_fini(struct profile *p);

#endif
