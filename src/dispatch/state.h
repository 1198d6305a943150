/* SPDX-License-Identifier: MIT */
#ifndef DISPATCH_STATE_H
#define DISPATCH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Out of memory is an error of the call, not the end of the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include <cadre/task.h>

#include "dispatch/dispatch.h"
#include "util/buf.h"

/* What the files of the dispatcher share; nobody else includes it. */

/* Engines have the numbers 1 to ENGINES; a set of them is a bit mask with
 * engine 1 in bit 0, and GROUPS counts such sets. */
#define ENGINES 4u
#define GROUPS (1u << ENGINES)
#define ENGINE_BIT(engine) (1u << ((engine)-1u))

#define NEVER UINT64_MAX

/* Everything that decides where a task may go, shared by all tasks that agree
 * on it.  Without padding: it is hashed as bytes. */
struct ready_key {
	uint64_t memory;
	int32_t priority;
	uint32_t cores;
	uint32_t gpus;
	uint32_t retry[DISPATCH_CAUSES];
	uint8_t engine;
	uint8_t flags;
	uint8_t after_failed;
	uint8_t zero;
};

/* A queue: the ready tasks of one key. */
struct ready_class {
	struct ready_key key;
	UT_hash_handle hh;
	size_t refs;	   /* tasks, and the cache of the last one used */
	struct task *head; /* utlist DL */
	size_t at;	   /* place in the engine's heap; only if head is set */
};

struct ready_heap {
	struct ready_class **at;
	size_t n, cap;
	size_t classes; /* cap is never less */
};

enum task_bits {
	TASK_GHOST = 1,	  /* resolved, but its attempt still fills a slot */
	TASK_REMOTE = 2,  /* owner is a struct client_task */
	TASK_REFERRED = 4 /* the payload is a struct payload_ref */
};

struct payload_ref {
	const void *data;
	size_t len;
	struct blob *owner;
};

/*
 * A task.  A million may be queued, so what few of them need is in extra.
 * Lists: the queue of its class while ready, its slot's while assigned, the
 * list of the doomed between.
 */
struct task {
	struct task *prev, *next;
	struct ready_class *class;
	union {
		struct slot *slot; /* assigned, started, ghost */
		uint64_t seq;	   /* ready: its place in the order */
	};
	void *owner;
	struct blob *fields;
	struct task_extra *extra;
	uint64_t id;
	uint32_t attempt;     /* number of the last one; never used twice */
	uint32_t attempts;    /* how many of them counted */
	uint32_t incarnation; /* of the last daemon */
	uint32_t slot_number; /* there */
	uint32_t len;	      /* of the payload, if it is not referred to */
	uint8_t state;	      /* enum cadre_state */
	uint8_t bits;	      /* enum task_bits */
			      /* the payload, aligned to 8 */
};

/* "to" waits for "from". */
struct edge {
	struct task *from, *to;
	struct edge *from_prev, *from_next;
	struct edge *to_prev, *to_next;
};

struct task_extra {
	struct edge *waits;	 /* for these */
	struct edge *dependants; /* these wait for it */
	uint64_t doomed_by;	 /* the task that failed; 0: none */
	uint64_t deadline;	 /* NEVER: none */
	size_t alarm;		 /* place in the heap + 1; 0: not there */
	uint32_t took;		 /* workers and daemons lost with it */
	uint32_t used[DISPATCH_CAUSES]; /* retries */
};

enum credit_list { CREDIT_NONE, CREDIT_IDLE, CREDIT_ROOM };

/* See credit.c. */
struct slot {
	struct slot *prev, *next;	    /* idle or room, circular */
	struct slot *deep_prev, *deep_next; /* utlist DL */
	struct dispatch_peer *peer;
	struct task *tasks;  /* outstanding, oldest first; utlist DL */
	uint64_t progress;   /* when one last began or ended here */
	uint64_t epoch_base; /* epochs up to this one do not wait for it */
	uint64_t epoch_done[ENGINES];
	uint32_t number;
	uint32_t worker;
	uint32_t load;	    /* outstanding tasks */
	uint32_t limit;	    /* the most there may be */
	uint32_t recalling; /* outstanding ones that RECALL asked for */
	uint32_t mean_ns;   /* time of a task, running mean; 0: unknown */
	uint8_t list;	    /* enum credit_list */
	bool deep;	    /* on the list of those with a window in use */
	bool up;
	bool held; /* an everywhere call failed here */
	bool solo; /* what runs here takes no windows */
};

struct client_task {
	UT_hash_handle hh;
	uint64_t number;
	struct dispatch_peer *peer;
	struct task *task;   /* NULL: an epoch */
	struct epoch *epoch; /* NULL: a task */
};

struct dispatch_peer {
	struct dispatch_peer *prev, *next;
	void *conn;
	enum wire_role role;
	uint32_t incarnation;
	uint64_t seen, sent; /* when last heard of, last spoken to */
	char node[64];
	char address[108];
	/* daemons */
	struct slot **slots; /* by number; NULL: never up */
	size_t slots_n;
	uint32_t slots_max; /* as announced */
	uint32_t engines;   /* mask; also the number of its group */
	uint32_t up, busy, held;
	uint64_t completed;
	uint64_t idle_since;
	int64_t pid;
	bool leaving, restarted;
	char note[160];
	/* hosts */
	struct client_task *tasks;
	struct blob *raw; /* fields of the last SUBMIT, shared by its like */
};

/* Slots whose daemons offer the same engines. */
struct group {
	struct slot *idle; /* nothing outstanding; last in, first out */
	struct slot *room; /* busy, but their window has room; in turn */
	struct slot *deep; /* more than one outstanding, stillest first */
};

struct epoch {
	struct epoch *prev, *next;
	uint64_t number;
	uint8_t engine, flags;
	struct blob *fields, *payload;
	void *owner;
	struct client_task *client;
	bool open;	  /* its owner is still to be told */
	bool late;	  /* nobody was there: the first to report ends it */
	uint32_t pending; /* slots that have to report */
	uint32_t done;	  /* that succeeded */
	bool failed;
	struct wire_frame failure; /* the first, and what it points to */
	struct blob *failure_fields, *failure_payload;
};

struct table_page;
struct table_failed;

struct alarm {
	uint64_t at;
	struct task *task;
};

struct dispatch {
	struct dispatch_config cfg;
	const struct dispatch_ops *ops;
	void *arg;
	uint64_t now;

	/* table.c */
	struct table_page *pages, *page; /* page: the last one used */
	struct table_failed *failed;
	uint64_t next_id;

	/* ready.c */
	struct ready_class *classes, *last_class;
	struct ready_heap heap[ENGINES + 1];
	uint32_t ready_engines; /* those with ready tasks */
	uint64_t seq_head, seq_tail;

	/* credit.c */
	struct group group[GROUPS];
	uint32_t idle_groups, room_groups, deep_groups; /* not empty */
	uint32_t able[ENGINES + 1]; /* groups that offer the engine */
	uint64_t idle_n;
	uint64_t recall_at;

	/* life.c */
	struct task *doomed; /* utlist DL */
	bool draining;
	bool sweeping;			/* all go: dependants are not told */
	uint64_t count[CADRE_DONE + 1]; /* open tasks by state */

	/* alarm.c */
	struct alarm *alarms;
	size_t alarms_n, alarms_cap;

	/* peer.c */
	struct dispatch_peer *peers; /* utlist DL */
	uint32_t next_incarnation;
	uint64_t sweep_at;
	uint32_t expected;
	bool despair;
	uint64_t idle_at;
	char *why;
	uint32_t offers[ENGINES]; /* daemons that offer each engine */
	uint32_t offered;	  /* engines that any does */
	uint32_t stranded;	  /* engines with ready tasks that none does */
	uint64_t stranded_at[ENGINES]; /* when those tasks fail */

	/* epoch.c */
	struct epoch *epochs; /* utlist DL, in order */
	uint64_t last_epoch;

	struct buf scratch;
	uint64_t *after;
	size_t after_cap;
	char text[480];
	struct cadre_info info;
};

/* Events of several threads may come with times that cross. */
static inline void
dispatch_advance(struct dispatch *d, uint64_t now)
{
	if (now > d->now)
		d->now = now;
}

/* For "%.*s" of bytes that a peer sent. */
static inline int
text_clip(size_t len)
{
	return len < 400 ? (int)len : 400;
}

/* table.c: ids -> tasks, and the memory of what failed */
int table_add(struct dispatch *d, struct task *task);
void table_remove(struct dispatch *d, const struct task *task);
struct task *table_find(const struct dispatch *d, uint64_t id);
/* Calls fn for every task there; fn may remove that one. */
void table_each(struct dispatch *d,
		void (*fn)(struct dispatch *d, struct task *task));
void table_note_failed(struct dispatch *d, uint64_t id);
bool table_has_failed(const struct dispatch *d, uint64_t id);
void table_fini(struct dispatch *d);
size_t table_overhead(void);

/* ready.c: queues of ready tasks */
int ready_class_get(struct dispatch *d, const struct dispatch_spec *spec,
		    struct ready_class **ret_class);
void ready_class_unref(struct dispatch *d, struct ready_class *class);
void ready_append(struct dispatch *d, struct task *task);
void ready_prepend(struct dispatch *d, struct task *task);
void ready_remove(struct dispatch *d, struct task *task);
/* The first task that a slot with those engines should get; NULL: none. */
struct task *ready_first(const struct dispatch *d, uint32_t engines);
void ready_fini(struct dispatch *d);

/* life.c: from birth to outcome */
int life_new(struct dispatch *d, const struct dispatch_spec *spec,
	     const struct dispatch_body *body, void *owner, uint8_t bits,
	     struct task **ret_task);
/* The task just made goes to its queue, or ends at once if what it waits for
 * has failed. */
void life_begin(struct dispatch *d, struct task *task);
void life_set_state(struct dispatch *d, struct task *task,
		    enum cadre_state state);
/* Back into the queue, after its attempt left the slot. */
void life_again(struct dispatch *d, struct task *task, bool at_head);
struct task_extra *life_extra(struct task *task);
/*
 * Resolves it.  If its attempt still fills a slot it stays behind as a ghost,
 * else it is freed.
 */
void life_finish(struct dispatch *d, struct task *task,
		 enum cadre_outcome outcome, const struct wire_frame *result,
		 const char *message);
/* A finished task whose slot is free again. */
void life_free(struct dispatch *d, struct task *task);
/* Ends it early: cancelled, or timed out. */
void life_stop(struct dispatch *d, struct task *task,
	       enum cadre_outcome outcome, const char *message);
void life_payload(const struct task *task, struct wire_frame *frame);

/* retry.c: what follows from a failed attempt */
void retry_failed(struct dispatch *d, struct task *task,
		  enum dispatch_cause cause, const struct wire_frame *result,
		  const char *message);
/* Counts a worker or daemon that was lost with it; true: it was the last one
 * that it may take, and it has been stopped. */
bool retry_poisoned(struct dispatch *d, struct task *task);

/* credit.c: slots and windows */
void credit_init(struct dispatch *d);
/* The slot's list follows from its state; call after any change of it. */
void credit_file(struct dispatch *d, struct slot *slot);
void credit_release(struct dispatch *d, struct slot *slot, struct task *task);
void credit_measure(struct dispatch *d, struct slot *slot, uint64_t wall_ns);
/* Asks for tasks back if they would wait too long. */
void credit_balance(struct dispatch *d, struct slot *slot);
/* Gives ready tasks to free slots until either runs out. */
void credit_settle(struct dispatch *d);
void credit_tick(struct dispatch *d);

/* alarm.c: deadlines of tasks */
int alarm_add(struct dispatch *d, struct task *task);
void alarm_remove(struct dispatch *d, struct task *task);
void alarm_tick(struct dispatch *d);

/* peer.c: connections */
void peer_send(struct dispatch *d, struct dispatch_peer *peer,
	       const struct wire_frame *frame);
void peer_free(struct dispatch *d, struct dispatch_peer *peer);
void peer_tick(struct dispatch *d);
/* Starts or stops the limits of waiting without daemons. */
void peer_watch_idle(struct dispatch *d);
/* When such a limit is reached. */
uint64_t peer_deadline(const struct dispatch *d);
/* A daemon with those engines has come (by 1) or gone (by -1). */
void peer_count_offers(struct dispatch *d, uint32_t engines, int by);

/* daemon.c: daemons and their slots */
int daemon_up(struct dispatch *d, struct dispatch_peer *peer,
	      const struct wire_frame *hello);
void daemon_lost(struct dispatch *d, struct dispatch_peer *peer,
		 const char *reason);
int daemon_frame(struct dispatch *d, struct dispatch_peer *peer,
		 const struct wire_frame *frame, struct cadre_error *err);
/* The slot of that number, made if need be; NULL: no memory, or not its. */
struct slot *daemon_slot(struct dispatch *d, struct dispatch_peer *peer,
			 uint32_t number);
void daemon_note(struct dispatch_peer *peer, const struct wire_frame *frame,
		 uint16_t tag);
void daemon_hold(struct dispatch *d, struct slot *slot, bool held);

/* client.c: hosts as peers */
int client_frame(struct dispatch *d, struct dispatch_peer *peer,
		 const struct wire_frame *frame, struct cadre_error *err);
void client_lost(struct dispatch *d, struct dispatch_peer *peer);
void client_outcome(struct dispatch *d, struct client_task *ct,
		    const struct dispatch_outcome *outcome);
void client_output(struct dispatch *d, struct client_task *ct,
		   const struct wire_frame *frame);

/* epoch.c: everywhere */
int epoch_add(struct dispatch *d, const struct dispatch_spec *spec,
	      const struct dispatch_body *body, void *owner,
	      struct client_task *client, uint64_t *ret_number);
void epoch_greet(struct dispatch *d, struct dispatch_peer *peer);
void epoch_report(struct dispatch *d, struct slot *slot,
		  const struct wire_frame *frame);
void epoch_slot_lost(struct dispatch *d, struct slot *slot);
/* Its host is gone or does not want to know any more. */
void epoch_forget(struct epoch *epoch);
void epoch_reset(struct dispatch *d, enum cadre_outcome outcome);

/* spec.c: what SUBMIT and EVERYWHERE say of a task; uses d->after. */
int spec_parse(struct dispatch *d, const struct wire_frame *frame,
	       struct dispatch_spec *ret_spec, struct cadre_error *err);

/* status.c */
void status_reply(struct dispatch *d, struct dispatch_peer *peer,
		  const struct wire_frame *frame);

#endif
