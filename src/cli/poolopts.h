/* SPDX-License-Identifier: MIT */
#ifndef CLI_POOLOPTS_H
#define CLI_POOLOPTS_H

#include <stddef.h>
#include <stdint.h>

#include <cadre/config.h>
#include <cadre/error.h>
#include <cadre/pool.h>

#include "cli/option.h"

/* The options by which every sub-command says which pool it uses. */
struct poolopts {
	const char *name;  /* -p */
	const char *slots; /* -j */
	const char *daemons;
	const char *url;
	const char *auth;
	const char *launcher;
	const char *cores;
	struct option_list settings; /* KEY=VALUE */
};

/* Rows of an option table whose target has a struct poolopts named member. */
#define POOLOPTS_ROW_NAME(type, member, help) \
	{ \
		OPTION_TEXT, 'p', "pool", "NAME", help, \
			offsetof(struct type, member.name), NULL \
	}
#define POOLOPTS_ROW_SLOTS(type, member, help) \
	{ \
		OPTION_TEXT, 'j', "slots", "N", help, \
			offsetof(struct type, member.slots), NULL \
	}
#define POOLOPTS_ROWS(type, member) \
	{OPTION_TEXT, \
	 0, \
	 "daemons", \
	 "N", \
	 "daemon processes among which the slots are shared (default: 1)", \
	 offsetof(struct type, member.daemons), \
	 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "url", \
		 "URL", \
		 "where the dispatcher listens: ipc://PATH, abstract://NAME " \
		 "or " \
		 "tcp://HOST:PORT, port 0 for a free one (default: a private " \
		 "local " \
		 "socket)", \
		 offsetof(struct type, member.url), \
		 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "auth", \
		 "NAME", \
		 "how peers prove who they are: peer, or none (loopback " \
		 "only)", \
		 offsetof(struct type, member.auth), \
		 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "launcher", \
		 "NAME", \
		 "how daemons are started: local, or none (default: local)", \
		 offsetof(struct type, member.launcher), \
		 NULL}, \
		{OPTION_TEXT, \
		 0, \
		 "cores", \
		 "N", \
		 "cores of each slot (default: 1)", \
		 offsetof(struct type, member.cores), \
		 NULL}, \
	{ \
		OPTION_LIST, 0, "set", "KEY=VALUE", \
			"any other setting of the pool or its daemons; may " \
			"be repeated", \
			offsetof(struct type, member.settings), NULL \
	}

/* A config made of the options; -p is the name of a running dispatcher to
 * connect to.  Owned. */
int poolopts_config(const struct poolopts *o, struct cadre_config **ret,
		    struct cadre_error *err);
/* Opens the pool. */
int poolopts_open(const struct poolopts *o, struct cadre_pool **ret,
		  struct cadre_error *err);
/* The number that -j stands for: N, +N and -N (beside the cores), N%; 0 if it
 * was not given. */
int poolopts_slots(const struct poolopts *o, uint32_t *ret,
		   struct cadre_error *err);
/* Cores that this process may use. */
uint32_t poolopts_cores(void);
/* Slots of an open pool: as asked for, or as they are. */
uint32_t poolopts_open_slots(const struct poolopts *o, struct cadre_pool *pool);
void poolopts_fini(struct poolopts *o);

#endif
