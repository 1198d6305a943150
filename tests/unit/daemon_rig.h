/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_DAEMON_RIG_H
#define TESTS_UNIT_DAEMON_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "auth/handshake.h"
#include "link/link.h"
#include "util/buf.h"
#include "wire/wire.h"

/*
 * A dispatcher made of a test: it listens, lets one cadred in, and sends and
 * expects frames.  Waits fail the test after RIG_LIMIT_MS.
 */
#define RIG_LIMIT_MS 30000
#define RIG_INCARNATION 7u

struct rig_frame {
	struct rig_frame *next;
	struct wire_frame frame;
	uint8_t bytes[];
};

#define RIG_SLOTS 16

struct rig {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct link_listener *listener;
	struct link_conn *conn;
	struct handshake *handshake;
	struct rig_frame *first, **last;
	struct rig_frame *current; /* handed out last */
	unsigned int ups;	   /* connections let in */
	unsigned int downs;
	uint32_t heartbeat_ms; /* in WELCOME; 0 none */
	uint64_t previous;     /* of the last HELLO */
	uint64_t beats;	       /* heartbeats received */
	bool refuse;	       /* whoever dials */
	pid_t pid;	       /* cadred */
	char dir[64];
	struct buf fields;
	uint64_t task;		    /* last sent */
	uint32_t rounds[RIG_SLOTS]; /* as the last SLOT_UP of each slot says */
};

/* Listens on an address of its own, without a daemon. */
void rig_listen(struct rig *g);
/* Starts cadred with these options (NULL-terminated). */
void rig_spawn(struct rig *g, const char *const *options);
/* Both, and waits until it is let in and its first slots are up. */
void rig_start(struct rig *g, const char *const *options, uint32_t slots);
/* Ends the connection. */
void rig_hang_up(struct rig *g);
/* Waits for the end of cadred and returns its wait status. */
int rig_wait(struct rig *g);
/* Closes the connection; cadred must end with status 0 and leave neither
 * processes nor scratch. */
void rig_stop(struct rig *g);
/* Without a word about how cadred ended. */
void rig_tidy(struct rig *g);

void rig_send(struct rig *g, const struct wire_frame *frame);
void rig_plain(struct rig *g, uint16_t type, uint8_t code, uint64_t task,
	       uint32_t slot);
/* Tasks; flags and timeout_ms as on the wire.  They return the task's id. */
uint64_t rig_shell(struct rig *g, uint32_t slot, const char *script,
		   uint64_t timeout_ms);
/* With standard input, and further fields that are in g->fields already. */
uint64_t rig_shell_input(struct rig *g, uint32_t slot, const char *script,
			 const void *input, size_t len);
uint64_t rig_native(struct rig *g, uint32_t slot, const char *function,
		    uint64_t timeout_ms);
uint64_t rig_native_payload(struct rig *g, uint32_t slot, const char *function,
			    const void *payload, size_t len);
void rig_everywhere(struct rig *g, const char *function, uint64_t epoch,
		    uint8_t flags);
void rig_everywhere_shell(struct rig *g, const char *script, uint64_t epoch);

/* The next frame but heartbeats; borrowed until the next call. */
const struct wire_frame *rig_next(struct rig *g);
/* It must be of that type. */
const struct wire_frame *rig_expect(struct rig *g, uint16_t type);
/* The RESULT of that task, after STARTED frames; its code must be that. */
const struct wire_frame *rig_result(struct rig *g, uint64_t task, uint8_t code);
/* Whether text is in the field. */
bool rig_says(const struct wire_frame *frame, uint16_t tag, const char *text);
/* Waits until the connection number n was let in, or has ended. */
void rig_wait_up(struct rig *g, unsigned int n);
void rig_wait_down(struct rig *g, unsigned int n);

/* Processes below a process (direct children), up to max. */
int rig_children(pid_t pid, pid_t *ret, int max);
void rig_wait_gone(pid_t pid);
bool rig_alive(pid_t pid);
/* A number that a task writes into that file, once it is there. */
long rig_read_number(const char *path);
const char *rig_built(const char *name);

#endif
