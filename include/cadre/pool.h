/* SPDX-License-Identifier: MIT */
#ifndef CADRE_POOL_H
#define CADRE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cadre/config.h>
#include <cadre/error.h>
#include <cadre/task.h>
#include <cadre/value.h>

/*
 * Pools: a profile's daemons, its queue and its settings.
 *
 * A pool is opened from a config and found again by its profile name.  Several
 * may be open at once.  Wherever a function takes a pool, NULL means the
 * default one: the innermost cadre_default_push of this thread, else the open
 * profile "default".  A submission with no pool open at all starts an
 * ephemeral daemon for just that task.
 *
 * All functions may be called from any thread.  A pool uses threads of its own
 * (all signals blocked in them) and installs no signal handlers.  A process
 * that has opened a pool may exec, but must not use cadre in a forked child.
 */

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct cadre_pool;

/*
 * Opens a pool: listens, starts the daemons that the config asks for (it
 * borrows cfg; NULL means all defaults) and returns without waiting for them.
 * CADRE_EEXIST if the profile is open already or its address is in use,
 * CADRE_ELAUNCH if daemons could not be started, CADRE_EINVAL for settings that
 * contradict each other.  *ret_pool is owned by the caller.
 */
int cadre_pool_open(const struct cadre_config *cfg,
		    struct cadre_pool **ret_pool, struct cadre_error *err);
/* Waits until at least n slots are connected; CADRE_ETIMEDOUT, CADRE_ELAUNCH
 * with the reason if they cannot come. */
int cadre_pool_wait_ready(struct cadre_pool *pool, unsigned int n,
			  int64_t timeout_ms, struct cadre_error *err);
/*
 * Closes *pool (takes) and sets it to NULL: open tasks resolve to
 * CADRE_OUTCOME_CLOSED, running ones are stopped, and its daemons leave.
 * Returns when its processes are gone.  Handles stay valid.
 */
void cadre_pool_close(struct cadre_pool **pool);
/* The open pool of that profile, borrowed; NULL if there is none. */
struct cadre_pool *cadre_pool_find(const char *profile);
/* Borrowed, until the pool is closed. */
const char *cadre_pool_profile(const struct cadre_pool *pool);
/* The address that daemons dial (port 0 resolved), borrowed. */
const char *cadre_pool_url(const struct cadre_pool *pool);

/* Makes pool (borrowed) the default of this thread until the matching pop;
 * they nest. */
int cadre_default_push(struct cadre_pool *pool);
void cadre_default_pop(void);

/*
 * Submits a command.  argv is NULL-terminated and copied; opts (borrowed) may
 * be NULL.  *ret_task is owned.  A command that does not exist is an outcome
 * (CADRE_OUTCOME_ERROR), not an error of this call.
 */
int cadre_submit_command(struct cadre_pool *pool, const char *const *argv,
			 const struct cadre_opts *opts,
			 struct cadre_task **ret_task, struct cadre_error *err);
/* A line for /bin/sh -c. */
int cadre_submit_shell(struct cadre_pool *pool, const char *line,
		       const struct cadre_opts *opts,
		       struct cadre_task **ret_task, struct cadre_error *err);
/*
 * Submits a call of a C function (see native.h) in a shared object.  library:
 * a path (resolved against the host's working directory if it has a slash,
 * else found as dlopen does); function: its name; args: a list with names or
 * NULL (borrowed; encoded before the call returns).
 */
int cadre_submit_native(struct cadre_pool *pool, const char *library,
			const char *function, const struct cadre_value *args,
			const struct cadre_opts *opts,
			struct cadre_task **ret_task, struct cadre_error *err);
/*
 * The same, the function given as C source text.  It is compiled once where
 * the daemon runs, cached by content, compiler and flags; compiler messages
 * are the outcome's error if it fails.  The text includes <cadre/native.h>.
 */
int cadre_submit_source(struct cadre_pool *pool, const char *source,
			const char *function, const struct cadre_value *args,
			const struct cadre_opts *opts,
			struct cadre_task **ret_task, struct cadre_error *err);

/*
 * Runs a native function once in every slot's worker, those of daemons that
 * join later included, before any later task; library NULL: forget all earlier
 * calls.  once: only on those connected now.  The handle resolves when all
 * slots connected now have done it: to the number of slots, or to the first
 * error.
 */
int cadre_everywhere_native(struct cadre_pool *pool, const char *library,
			    const char *function,
			    const struct cadre_value *args, bool once,
			    struct cadre_task **ret_task,
			    struct cadre_error *err);
/* The same for a command, run once in each slot. */
int cadre_everywhere_command(struct cadre_pool *pool, const char *const *argv,
			     const struct cadre_opts *opts, bool once,
			     struct cadre_task **ret_task,
			     struct cadre_error *err);

/*
 * The next task of the pool that has resolved and was not yet returned by this
 * function, in order of completion; *ret_task is owned.  Only tasks submitted
 * after cadre_pool_track_next (pool, true) count.  CADRE_ENOENT if none is
 * open any more, CADRE_ETIMEDOUT.
 */
int cadre_pool_track_next(struct cadre_pool *pool, bool on);
int cadre_pool_next(struct cadre_pool *pool, int64_t timeout_ms,
		    struct cadre_task **ret_task);

/*
 * For event loops: a descriptor that is readable while completions wait for
 * cadre_pool_process, which runs their callbacks and returns how many ran.
 * The descriptor is the pool's (borrowed).  Negative: CADRE_ESYS.
 */
int cadre_pool_fd(struct cadre_pool *pool);
int cadre_pool_process(struct cadre_pool *pool);
/* Blocks until something of the pool resolved or produced output since the last
 * call, runs callbacks as cadre_pool_process does.  CADRE_ETIMEDOUT;
 * CADRE_EAGAIN after cadre_pool_wake; CADRE_ECLOSED once the pool was asked to
 * shut down or its dispatcher is gone. */
int cadre_pool_wait(struct cadre_pool *pool, int64_t timeout_ms);
/* Ends a blocking wait for pool or its tasks in another thread, or the next
 * one, early: it returns CADRE_EAGAIN.  Safe in signal handlers. */
void cadre_pool_wake(struct cadre_pool *pool);

/* Adds local daemons (with n slots in one daemon), or lets n slots' worth of
 * daemons leave once idle; tasks go on meanwhile. */
int cadre_pool_add(struct cadre_pool *pool, unsigned int slots,
		   struct cadre_error *err);
int cadre_pool_remove(struct cadre_pool *pool, unsigned int slots,
		      struct cadre_error *err);

/*
 * Asks the dispatcher to end: a pool that is connected to one elsewhere asks
 * that one, which stops for all its hosts and takes its daemons with it.  In
 * the process that has the dispatcher, cadre_pool_wait returns CADRE_ECLOSED
 * from then on, and the pool is to be closed there.
 */
int cadre_pool_shutdown(struct cadre_pool *pool, struct cadre_error *err);

struct cadre_info {
	uint64_t connections; /* daemons connected */
	uint64_t slots;	      /* slots of those */
	uint64_t cumulative;  /* daemons that ever connected */
	uint64_t awaiting;    /* tasks waiting or ready */
	uint64_t executing;   /* assigned or started */
	uint64_t completed;
	uint64_t failed;  /* of those, outcome other than VALUE */
	uint64_t retried; /* attempts after the first */
	uint64_t refused; /* late or forged results */
};
int cadre_pool_info(struct cadre_pool *pool, struct cadre_info *ret,
		    struct cadre_error *err);

/* One daemon.  Strings are within the struct. */
struct cadre_daemon_status {
	uint32_t incarnation;
	char node[64];
	char peer[108]; /* address, as far as known */
	int64_t pid;
	uint32_t slots, busy;
	uint64_t completed;
	uint64_t idle_ms;   /* since the last task, 0 if busy */
	uint64_t seen_ms;   /* since last heard of */
	bool leaving, held; /* held: an everywhere call failed there */
	char note[160];	    /* why it is held, or its last report */
};
/* All daemons, as an owned array (free it with free()). */
int cadre_pool_status(struct cadre_pool *pool,
		      struct cadre_daemon_status **ret_daemons, size_t *ret_n,
		      struct cadre_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
