/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_TEST_REAPER_RIG_H
#define TESTS_UNIT_TEST_REAPER_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"
#include "wire/wire.h"

/*
 * The real programs over socketpairs: what a daemon would see.  Waits fail the
 * test after RIG_LIMIT_MS.
 */
#define RIG_LIMIT_MS 20000

struct rig {
	pid_t pid;
	int fd;
	char dir[64]; /* private, below $TMPDIR or /tmp */
	char scratch[96];
	struct buf in;
	size_t used; /* of in, by the frame handed out last */
	struct buf fields;
	uint64_t task; /* last sent */
};

/* Starts cadre-reaper; extra: further options, NULL-terminated, may be NULL. */
void rig_start(struct rig *g, const char *const *extra);
/* Closes the control socket; the reaper must end with status 0. */
void rig_stop(struct rig *g);
/* Kills it. */
void rig_kill(struct rig *g);

/* Removes a directory and all in it. */
void rig_remove(const char *dir);

/* Put fields of the next frame into g->fields. */
void rig_argv(struct rig *g, const char *const *argv);
void rig_shell(struct rig *g, const char *script);
/* Sends a TASK with g->fields (ENGINE is added). */
void rig_task(struct rig *g, const void *payload, size_t len);
void rig_send(struct rig *g, enum wire_type type, uint8_t code, uint64_t task);
/* With descriptors. */
void rig_send_fds(struct rig *g, enum wire_type type, const int *fds, int n);
/* The next frame, which must be of that type; borrowed until the next call. */
void rig_expect(struct rig *g, enum wire_type type, struct wire_frame *ret);
/* The next frame on any stream socket; false at its end. */
bool rig_next(int fd, struct buf *in, size_t *used, struct wire_frame *ret);

bool rig_readable(int fd, int timeout_ms);
/* Waits until the process is gone (or only a zombie). */
void rig_wait_gone(pid_t pid);
bool rig_alive(pid_t pid);
/* Reads a number that a command writes into a file, once it is there. */
pid_t rig_read_pid(const char *path);
/* The path of a program or library of the build. */
const char *rig_built(const char *name);

#endif
