/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What a daemon and its workers agree on.
 *
 * A worker inherits these descriptors.  Frames (wire.h) travel on ENGINE_FD;
 * payloads of more than ENGINE_SHARED_MIN bytes lie in the memfds instead, and
 * their frame says where (WIRE_TAG_SHARED_OFFSET, WIRE_TAG_SHARED_LEN).  One
 * shared payload each way may be under way at a time.  The memfds only grow
 * (the sender extends them), so that a mapping of them stays valid.
 */
enum {
	ENGINE_FD = 3,	    /* stream socket, frames both ways */
	ENGINE_PAGE_FD = 4, /* struct engine_page */
	ENGINE_IN_FD = 5,   /* memfd: daemon -> worker */
	ENGINE_OUT_FD = 6   /* memfd: worker -> daemon */
};

#define ENGINE_SHARED_MIN (256u * 1024u)

/*
 * A page shared by daemon and worker: the start record that costs no message.
 *
 * Daemon and worker number the TASK and EVERYWHERE frames of one worker 1, 2,
 * 3, ...  Before it begins frame n the worker claims it; the daemon revokes all
 * frames not yet begun in one step.  Both are a compare-and-swap on one word,
 * so a frame is either begun or revoked, never both, and after the death of a
 * worker the daemon knows exactly which frame it had begun.
 */
struct engine_page {
	_Atomic uint64_t ticket; /* revoked up to << 32 | last begun */
	_Atomic uint32_t cancel; /* number of the frame that should end */
	/* Set by the worker when it puts a result into ENGINE_OUT_FD, cleared
	 * by the daemon once it has taken it.  A large result that is ready
	 * while it is set travels within its frame. */
	_Atomic uint32_t out_busy;
};

static inline uint32_t
engine_begun(const struct engine_page *page)
{
	return (uint32_t)atomic_load((_Atomic uint64_t *)&page->ticket);
}

/*
 * Worker: true if frame n may begin; false if it was revoked.  Frame numbers
 * wrap around, so the revoked half follows the begun one: what is compared is
 * never further apart than a window.
 */
static inline bool
engine_claim(struct engine_page *page, uint32_t n)
{
	uint64_t old = atomic_load(&page->ticket);

	do {
		if ((int32_t)(n - (uint32_t)(old >> 32)) <= 0)
			return false;
	} while (!atomic_compare_exchange_weak(&page->ticket, &old,
					       (uint64_t)(n - 1) << 32 | n));
	return true;
}

/* Daemon: revokes all frames up to written that have not begun; returns the
 * last that has. */
static inline uint32_t
engine_revoke(struct engine_page *page, uint32_t written)
{
	uint64_t old = atomic_load(&page->ticket);

	while (!atomic_compare_exchange_weak(
		&page->ticket, &old, (uint64_t)written << 32 | (uint32_t)old))
		;
	return (uint32_t)old;
}

#endif
