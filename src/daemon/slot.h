/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_SLOT_H
#define DAEMON_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "daemon/channel.h"
#include "daemon/daemon.h"
#include "daemon/queue.h"
#include "daemon/shared.h"

/*
 * A slot runs one task at a time, whatever its engine: commands through its
 * reaper, native tasks in its worker, which the reaper spawned.  slot.c decides
 * what is next; control.c talks to the reaper, command.c runs a command,
 * worker.c feeds the worker, cancel.c ends what should not go on.
 */

#define SLOT_NEVER UINT64_MAX

/* The reaper. */
struct control {
	struct channel channel;
	pid_t pid; /* 0: none */
	uint64_t began_ms;
	uint32_t early; /* deaths in a row soon after the start */
};

enum command_state {
	COMMAND_NONE,
	COMMAND_ANNOUNCED, /* its start record is on its way */
	COMMAND_RUNNING	   /* the reaper has it */
};

struct command {
	enum command_state state;
	bool epoch;	/* not a task of the queue */
	bool forgotten; /* nobody waits for it any more */
	bool once;	/* a failure of this epoch does not hold the slot */
	uint64_t task;
	uint32_t attempt;
	uint32_t sent_seen; /* uplink's count when the start was flushed */
	size_t epoch_next;  /* epochs applied by this slot */
	size_t epoch_seen;  /* reported */
};

enum worker_state {
	WORKER_NONE,
	WORKER_UP,
	WORKER_ENDING /* its end was asked for or noticed; EXITED follows */
};

struct worker {
	enum worker_state state;
	struct channel channel;
	struct shared *shared;
	pid_t pid;	 /* 0: not told yet */
	uint32_t number; /* incarnation, counted per slot */
	bool exited;
	char death[256];
	uint32_t written;    /* number of the last frame */
	uint32_t begun_seen; /* by the last tick */
	bool hinted;	     /* to send what it has, since then */
	uint64_t taken;	     /* tasks written */
	uint64_t answered;   /* tasks */
	uint32_t inflight;   /* tasks written and not answered */
	bool epoch_running;
	bool epoch_once;
	uint64_t epoch;	   /* that runs; 0: nobody waits for it */
	bool stale;	   /* to be replaced as soon as it has nothing to do */
	size_t epoch_next; /* epochs applied by this incarnation */
	size_t epoch_seen; /* reported by the slot */
	uint32_t failures; /* incarnations in a row that answered nothing */
};

/* The end of a task before its time. */
struct cancel {
	int step;     /* 0: none is under way */
	uint8_t code; /* enum cadre_outcome */
	bool leaving; /* it will be returned, not answered */
	uint64_t task;
	uint32_t attempt;
};

struct slot {
	struct daemon *daemon;
	uint32_t index;
	struct slot *next_dirty;
	bool is_dirty;
	bool announced;	   /* SLOT_UP was sent on this connection */
	uint32_t round;	   /* counts SLOT_UPs; a TASK names the one it is for */
	bool held;	   /* an epoch failed; nothing runs until a reset */
	bool retired;	   /* for good */
	uint64_t finished; /* tasks */
	struct queue queue;
	struct control control;
	struct command command;
	struct worker worker;
	struct cancel cancel;
	uv_timer_t timer;
	uint64_t armed_ms; /* when the timer goes off; SLOT_NEVER */
	uint64_t timeout_at;
	uint64_t cancel_at;  /* next step */
	uint64_t rest_until; /* no worker is spawned before */
	uint64_t respawn_at; /* the reaper */
};

int slot_init(struct slot *slot, struct daemon *d, uint32_t index,
	      struct cadre_error *err);
void slot_fini(struct slot *slot);

/* A new connection: tells that the slot is there. */
void slot_announce(struct slot *slot);
/* The connection ended: forgets all tasks and stops what runs. */
void slot_forget(struct slot *slot);
/* A TASK frame. */
void slot_task(struct slot *slot, const struct wire_frame *frame);
/* Hands back what has not begun. */
void slot_recall(struct slot *slot);
/* The epochs were forgotten. */
void slot_reset(struct slot *slot);
/* Does whatever can be done now. */
void slot_step(struct slot *slot);
/* Whether something runs. */
bool slot_is_busy(const struct slot *slot);
/* An epoch failed here. */
void slot_hold(struct slot *slot, const char *reason);
/* Arms the timer for the nearest of the slot's times. */
void slot_arm(struct slot *slot);

/* Answers for a task with an outcome; message may be NULL. */
void slot_answer(struct slot *slot, uint64_t task, uint32_t attempt,
		 uint8_t code, const char *message);
void slot_return(struct slot *slot, uint64_t task, uint32_t attempt,
		 uint8_t code);
/* A task of the queue was answered for. */
void slot_count(struct slot *slot);

/* control.c */
int control_spawn(struct slot *slot, struct cadre_error *err);
void control_init(struct slot *slot);
/* The reaper process has ended. */
void control_reaped(struct slot *slot);
/* Ends the reaper and all below it. */
void control_stop(struct slot *slot);

/* command.c */
void command_begin(struct slot *slot, struct queue_entry *e);
/* Starts the next epoch, if there is one. */
bool command_epoch(struct slot *slot);
/* The start record may be with the dispatcher by now; false: not yet. */
bool command_release(struct slot *slot);
void command_result(struct slot *slot, const struct wire_frame *frame);
/* The reaper died. */
void command_lost(struct slot *slot, const char *reason);

/* worker.c */
void worker_init(struct slot *slot);
/* Starts one if there is none; false if that has to wait. */
bool worker_ensure(struct slot *slot);
/* Writes what may be written. */
void worker_write(struct slot *slot);
/* Starts the next epoch, if there is one that is not under way. */
bool worker_epoch(struct slot *slot);
bool worker_has_epoch(const struct slot *slot);
/* Takes back what it has not begun; returns the frame it is at. */
uint32_t worker_revoke(struct slot *slot);
/* Lets it end in good order. */
void worker_stop(struct slot *slot);
/* SIGINT, SIGTERM or SIGKILL. */
void worker_signal(struct slot *slot, int sig);
void worker_spawned(struct slot *slot, const struct wire_frame *frame);
/* EXITED came: why is noted; worker_dead follows once all is read. */
void worker_exited(struct slot *slot, const struct wire_frame *frame);
void worker_dead(struct slot *slot, const char *reason);
/* Its socket ended (channel op): it is made to end, too. */
void worker_ended(void *arg, const char *reason);
/* The task at the head has its time from now on. */
void worker_start_timeout(struct slot *slot);
/* Reports a task that has been running for a while. */
void worker_tick(struct slot *slot);

/* answer.c: what the worker says (channel op). */
void answer_frame(void *arg, const struct wire_frame *frame);
/* The epoch under way came to this end. */
void answer_epoch(struct slot *slot, uint8_t code,
		  const struct wire_frame *answer);

/* cancel.c */
/* A task shall end: CADRE_OUTCOME_CANCELLED or _TIMEOUT. */
void cancel_task(struct slot *slot, uint64_t task, uint32_t attempt,
		 uint8_t code);
/* What runs shall end and be handed back, because the daemon leaves. */
void cancel_running(struct slot *slot);
/* At once. */
void cancel_kill(struct slot *slot);
void cancel_step(struct slot *slot);
/* The task has run out of time. */
void cancel_timeout(struct slot *slot);
/* Whether an answer for this task has to be changed; answers for it then. */
bool cancel_answers(struct slot *slot, uint64_t task, uint32_t attempt);

#endif
