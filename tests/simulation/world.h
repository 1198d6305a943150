/* SPDX-License-Identifier: MIT */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatch/dispatch.h"

/*
 * A dispatcher in a made-up world: daemons and hosts behind channels that may
 * be slow, cut or frozen, under a clock that only the simulation moves.
 *
 *   world.c   random numbers, channels, the main loop
 *   oracle.c  what the dispatcher must do, worked out a second time from the
 *             frames that reached it, and compared with what it does
 *   actors.c  what daemons and hosts do
 *   sim.c     the command line, and the measurement of many slots
 */

#define DAEMONS 8
#define SLOTS 6
#define HOSTS 3
#define PRIORITIES 3
#define ENGINES 4
#define AFTER 3
#define FIELDS 256

/* A frame under way. */
struct msg {
	struct wire_frame frame;
	size_t fields_len;
	uint8_t fields[FIELDS];
};

struct channel {
	struct msg *msgs;
	size_t first, n, cap;
};

struct attempt {
	uint64_t id;
	uint32_t attempt;
	uint32_t worker;
	bool begun;	/* really */
	bool recorded;	/* its STARTED was sent */
	bool cancelled; /* it was told to stop */
};

struct attempts {
	struct attempt *at;
	size_t n, cap;
};

/* A slot as its daemon knows it, and as the dispatcher can know it. */
struct sim_slot {
	bool up;
	uint32_t worker, oldest_worker;
	struct attempts queue; /* the first may be running */
	uint64_t epochs[32];   /* to be applied: number << 1 | once */
	size_t epochs_n;

	bool view_up, view_held;
	struct attempts view; /* outstanding */
};

enum sim_kind { SIM_DAEMON, SIM_HOST };

struct sim_conn {
	enum sim_kind kind;
	bool connected;
	bool frozen; /* neither sends nor receives, until it is dropped */
	unsigned int speed;
	struct dispatch_peer *peer;
	uint32_t incarnation;
	struct channel to, from; /* from the dispatcher, from it */
	/* daemons */
	uint32_t previous;
	uint32_t engines; /* as WIRE_TAG_ENGINES */
	uint32_t slots_n;
	bool leaving, view_leaving;
	uint64_t last_epoch; /* sent to it */
	uint64_t beat;	     /* when it last spoke */
	struct sim_slot slots[SLOTS];
	/* hosts */
	uint64_t next_number;
};

enum expectation { EXPECT_NOTHING, EXPECT_QUEUE, EXPECT_OUTCOME };

/* A task as the oracle knows it; index = id. */
struct sim_task {
	bool open;
	bool assigned; /* ever */
	bool ready;
	bool failed;
	bool started_known; /* STARTED of the current attempt was delivered */
	bool begun;	    /* an attempt that was not resolved really began */
	bool excused;	    /* what told of it was lost with its node */
	uint8_t engine, flags, priority, after_failed;
	uint8_t after_n;
	uint8_t expect;
	int8_t outcome_expected;
	int8_t host; /* -1: this process */
	uint32_t attempt;
	uint32_t pending;
	uint32_t took;
	uint32_t retry[DISPATCH_CAUSES], used[DISPATCH_CAUSES];
	uint64_t stamp; /* event in which it became ready */
	uint64_t deadline;
	uint64_t number; /* the host's */
	uint64_t after[AFTER];
	uint64_t dependants; /* first edge + 1 */
	uint64_t position;   /* in the list of open ones */
};

struct sim_edge {
	uint64_t task;
	uint64_t next; /* + 1 */
};

struct ids {
	uint64_t *at;
	size_t first, n, cap;
};

enum event { EVENT_NONE, EVENT_TICK, EVENT_CANCEL, EVENT_OTHER };

struct world {
	uint64_t seed, rng, step, now;
	uint64_t clock; /* the latest time that the dispatcher was told */
	bool calm;	/* faults are over */
	size_t daemons; /* of DAEMONS, so many take part */
	struct dispatch_config cfg;
	struct dispatch *d;
	struct sim_conn conns[DAEMONS + HOSTS];

	struct sim_task *tasks;
	uint64_t next_id; /* of the dispatcher */
	size_t tasks_cap;
	struct sim_edge *edges;
	size_t edges_n, edges_cap;
	struct ids open;
	struct ids ready[PRIORITIES][ENGINES + 1]; /* never assigned, lazily */
	struct ids touched; /* by expectations of this event */

	enum event event;
	uint64_t stamp; /* number of the event */
	uint64_t refused;
	uint64_t live_epochs[64]; /* epoch << 8 | engine */
	size_t live_epochs_n;
	uint64_t epochs_open, next_epoch_owner;
	bool *epoch_done;
	size_t epoch_done_cap;
	uint64_t no_daemon_since;
	uint64_t no_engine_since[ENGINES + 1]; /* no daemon with it */

	uint64_t submitted, resolved, attempts, losses, recalls, deepest;
	uint64_t outcomes[32];
};

/* world.c */
void world_run(uint64_t seed, uint64_t steps);
__attribute__((noreturn, format(printf, 2, 3))) void
world_fail(const struct world *w, const char *format, ...);
uint64_t world_random(struct world *w, uint64_t n);
bool world_chance(struct world *w, unsigned int percent);
void *world_grow(void *at, size_t *cap, size_t need, size_t size);
void ids_push(struct ids *q, uint64_t id);
void channel_push(struct channel *c, const struct wire_frame *frame,
		  const struct buf *fields);
bool channel_pop(struct channel *c, struct msg *ret);
void channel_clear(struct channel *c);
void attempts_push(struct attempts *q, struct attempt a);
bool attempts_take(struct attempts *q, uint64_t id, uint32_t attempt,
		   struct attempt *ret);

/* oracle.c */
extern const struct dispatch_ops oracle_ops;
void oracle_begin(struct world *w, enum event event);
/* After each event: everything that had to happen has happened. */
void oracle_end(struct world *w);
struct sim_task *oracle_submit(struct world *w,
			       const struct dispatch_spec *spec, int host,
			       uint64_t number);
void oracle_result(struct world *w, struct sim_conn *c,
		   const struct wire_frame *frame);
void oracle_returned(struct world *w, struct sim_conn *c,
		     const struct wire_frame *frame);
void oracle_started(struct world *w, struct sim_conn *c,
		    const struct wire_frame *frame);
void oracle_slot_lost(struct world *w, struct sim_conn *c,
		      struct sim_slot *slot);
void oracle_daemon_lost(struct world *w, struct sim_conn *c);
void oracle_host_lost(struct world *w, struct sim_conn *c);
void oracle_expect(struct world *w, uint64_t id, enum expectation expect,
		   enum cadre_outcome outcome);
void oracle_checkpoint(struct world *w);
void oracle_final(struct world *w);

/* actors.c */
void actors_connect(struct world *w, struct sim_conn *c);
void actors_step(struct world *w);
/* Everybody behaves, and works until all is done. */
void actors_calm(struct world *w);
void actors_calm_step(struct world *w);
/* Its connection is gone, with what was under way. */
void actors_cut(struct world *w, struct sim_conn *c);

#endif
