/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "util/blob.h"
#include "util/buf.h"
#include "wire/wire.h"

/*
 * The tasks of one slot in the order in which they came: a ring of entries, and
 * their encoded frames one after the other in one buffer, which is what is
 * written to the worker.  Bytes stay until their task has ended, so that tasks
 * which a dead worker had not begun can be written to the next one.  Pure.
 *
 * head ... (written) ... sent ... (to be written) ... tail
 */
struct queue_entry {
	uint64_t task;
	uint64_t at;   /* where its bytes are, counted from the first ever */
	uint64_t size; /* of its bytes, without an outside payload */
	/* A large payload is kept outside of the bytes. */
	struct blob *owner;
	const uint8_t *payload;
	size_t payload_len;
	uint32_t attempt;
	uint32_t number; /* of its frame at the worker, if written */
	uint32_t timeout_ms;
	uint8_t engine;	 /* enum wire_engine */
	uint8_t flags;	 /* enum wire_flags */
	bool written;	 /* wholly or in part, to the worker that there is */
	bool placed;	 /* the outside payload lies in the shared memory */
	bool dropped;	 /* answered for; only its place is left */
	bool started;	 /* its start was reported */
	uint8_t padding; /* zeros that follow the outside payload */
};

struct queue {
	struct queue_entry *ring;
	uint32_t mask; /* size of the ring less one */
	uint32_t head, sent, tail;
	uint32_t open;	   /* entries not dropped */
	uint32_t placed;   /* of them, with a payload in the shared memory */
	uint32_t hint;	   /* where queue_find found one last */
	size_t sent_bytes; /* of the entry at sent */
	struct buf bytes;
	uint64_t base; /* where bytes.data[0] is */
	/* Rest of a frame that was partly written when it was taken back. */
	struct buf rest;
	struct buf fields; /* scratch */
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);

/* Appends a TASK.  Native payloads over shared_min bytes, and all payloads of
 * commands that have an owner, stay outside. */
int queue_push(struct queue *q, const struct wire_frame *frame,
	       size_t shared_min);
/* The oldest task that is open; NULL if there is none. */
struct queue_entry *queue_head(struct queue *q);
/* Removes what queue_head returned. */
void queue_pop(struct queue *q);
/* The first open task that is not completely written; NULL if none. */
struct queue_entry *queue_unsent(struct queue *q);
/* The i-th entry from the head, dropped ones included; NULL past the last. */
struct queue_entry *queue_at(struct queue *q, uint32_t i);
/* Task and attempt; NULL if it is not open here. */
struct queue_entry *queue_find(struct queue *q, uint64_t task,
			       uint32_t attempt);
/* Marks an entry as answered for.  One that is partly written only after
 * queue_rewind. */
void queue_drop(struct queue *q, struct queue_entry *e);
/* Encoded bytes of an entry. */
const uint8_t *queue_bytes(const struct queue *q, const struct queue_entry *e);

/*
 * What is to be written next, at most max pieces and about max_bytes: native
 * tasks up to the first command, outside payload that is not placed, or
 * max_tasks tasks not written yet.  Returns the number of pieces.
 */
int queue_gather(struct queue *q, struct iovec *iov, int max, size_t max_bytes,
		 uint32_t max_tasks);
/* n of these bytes were written; their frames are numbered on from *number.
 * Returns the number of tasks that began to be written. */
uint32_t queue_wrote(struct queue *q, size_t n, uint32_t *number);
/* The outside payload of e lies in the shared memory now. */
void queue_place(struct queue *q, struct queue_entry *e);
/* Bytes that are written before any task that is not yet begun to be. */
int queue_insert(struct queue *q, const void *data, size_t len);
/* Entries whose number comes after begun will be written again, once a frame
 * that is partly written is complete.  Returns how many of them are open. */
uint32_t queue_rewind(struct queue *q, uint32_t begun);
/* All will be written again, to another worker. */
void queue_restart(struct queue *q);
/* Forgets everything. */
void queue_clear(struct queue *q);

#endif
