/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_TURN_H
#define DAEMON_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * Whose turn it is.  The loop and everything on it belong to the thread that
 * holds the turn.  The loop's own thread lets go of it while it sleeps, so that
 * a transport thread that has received frames handles them at once: to wake the
 * loop for them would cost one more switch of threads each way.
 */
struct turn {
	uv_loop_t *loop;
	void (*settle)(void *arg); /* before a turn ends: finish, flush */
	void *arg;
	pthread_mutex_t lock;
	uv_async_t wake;
	uint64_t until_ms; /* when the sleeping loop will wake by itself */
	bool changed;	   /* the loop has to run to learn what it watches */
};

/* The loop's thread holds the first turn. */
int turn_init(struct turn *t, uv_loop_t *loop, void (*settle)(void *arg),
	      void *arg);
void turn_fini(struct turn *t);

/* Loop's thread: settles, sleeps without the turn until something is due, and
 * handles what came. */
void turn_run(struct turn *t);

/* A descriptor of this loop is watched for something else now: the kernel is
 * told within uv_run, and before libuv 1.44 nothing says that it has to be. */
void turn_changed(uv_loop_t *loop);

/* Any other thread: takes the turn unless somebody holds it.  What is done with
 * it may use the loop's handles. */
bool turn_try(struct turn *t);
/* Settles and gives the turn back; wakes the loop if it sleeps too long for
 * what has been set up meanwhile. */
void turn_give(struct turn *t);

#endif
