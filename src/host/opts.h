/* SPDX-License-Identifier: MIT */
#ifndef HOST_OPTS_H
#define HOST_OPTS_H

#include <cadre/config.h>

#include "dispatch/dispatch.h"
#include "util/blob.h"

/*
 * What is to be run, from the arguments of a submission; all borrowed.
 */
struct opts_target {
	enum wire_engine engine;
	const char *const *argv; /* command */
	const char *library;	 /* native: NULL if source is given */
	const char *source;
	const char *function;
};

/*
 * A task without its payload: options and target, ready for the dispatcher.
 * Counted, so that a million tasks that differ only in their arguments share
 * one.
 */
struct opts_shape {
	_Atomic uint32_t refs;
	struct dispatch_spec spec; /* after points at the ids below */
	struct blob *fields;
	struct blob *stdin_data; /* commands; NULL: none */
	bool stream;		 /* output=stream */
	char *name;		 /* NULL: none */
	uint64_t after[];
};

/*
 * Makes one.  opts may be NULL; keys that it lacks are taken from cfg.  remote:
 * the fields also carry what a dispatcher elsewhere has to know (retries,
 * priority, ...).
 */
int opts_shape_new(const struct cadre_opts *opts,
		   const struct cadre_config *cfg,
		   const struct opts_target *target, bool remote,
		   struct opts_shape **ret_shape, struct cadre_error *err);
/* Takes and drops n references at once. */
void opts_shape_take(struct opts_shape *shape, uint32_t n);
void opts_shape_drop(struct opts_shape *shape, uint32_t n);
/* Drops one and sets *shape, which may be NULL, to NULL. */
void opts_shape_unref(struct opts_shape **shape);

/* A number that changes with each change of any options and never comes back;
 * 0 for NULL. */
uint64_t opts_serial(const struct cadre_opts *opts);

#endif
