/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <cadre/pool.h>

#include "cli/cli.h"
#include "cli/poolopts.h"
#include "cli/profile.h"
#include "util/error.h"

struct infoopts {
	struct poolopts pool;
	bool json;
};

static int info_main(int argc, char **argv);
static int status_main(int argc, char **argv);

/* clang-format off */
static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	POOLOPTS_ROW_NAME(infoopts, pool,
		"name of the dispatcher (default: default)"),
	{OPTION_FLAG, 0, "json", NULL, "print JSON",
	 offsetof(struct infoopts, json), NULL},
	OPTION_END,
};
/* clang-format on */

const struct command info_command = {
	.name = "info",
	.synopsis = "[OPTION]...",
	.summary = "Show the counters of a dispatcher.",
	.options = table,
	.main = info_main,
	.failure = CLI_FAILURE,
};

const struct command status_command = {
	.name = "status",
	.synopsis = "[OPTION]...",
	.summary = "Show the daemons of a dispatcher.",
	.options = table,
	.main = status_main,
	.failure = CLI_FAILURE,
};

static int
print_json(json_t *value, struct cadre_error *err)
{
	int rc = value == NULL || json_dumpf(value, stdout, JSON_INDENT(2)) < 0
			 ? error_nomem(err)
			 : 0;

	json_decref(value);
	(void)putchar('\n');
	return rc;
}

static int
show_info(struct cadre_pool *pool, bool json, struct cadre_error *err)
{
	struct cadre_info info = {0};
	json_t *object = NULL;
	int rc = cadre_pool_info(pool, &info, err);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"connections", info.connections},
		{"slots", info.slots},
		{"cumulative", info.cumulative},
		{"awaiting", info.awaiting},
		{"executing", info.executing},
		{"completed", info.completed},
		{"failed", info.failed},
		{"retried", info.retried},
		{"refused", info.refused},
	};

	if (rc < 0)
		return rc;
	if (json)
		object = json_object();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (json)
			(void)json_object_set_new(
				object, rows[i].name,
				json_integer((json_int_t)rows[i].value));
		else
			(void)printf("%-12s %" PRIu64 "\n", rows[i].name,
				     rows[i].value);
	}
	return json ? print_json(object, err) : 0;
}

static const char *
state_of(const struct cadre_daemon_status *d)
{
	if (d->held)
		return "held";
	if (d->leaving)
		return "leaving";
	return d->busy > 0 ? "busy" : "idle";
}

static json_t *
status_json(const struct cadre_daemon_status *d)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, "
			 "s:s}",
			 "daemon", (json_int_t)d->incarnation, "node", d->node,
			 "peer", d->peer, "pid", (json_int_t)d->pid, "state",
			 state_of(d), "slots", (json_int_t)d->slots, "busy",
			 (json_int_t)d->busy, "completed",
			 (json_int_t)d->completed, "idle_ms",
			 (json_int_t)d->idle_ms, "seen_ms",
			 (json_int_t)d->seen_ms, "note", d->note);
}

static void
print_status(const struct cadre_daemon_status *d)
{
	(void)printf("%-7" PRIu32 " %-20s %-8" PRId64 " %-8s %6" PRIu32
		     " %6" PRIu32 " %10" PRIu64 " %9.1f %9.1f  %s\n",
		     d->incarnation, d->node, d->pid, state_of(d), d->slots,
		     d->busy, d->completed, (double)d->idle_ms / 1e3,
		     (double)d->seen_ms / 1e3, d->note);
}

static int
show_status(struct cadre_pool *pool, bool json, struct cadre_error *err)
{
	struct cadre_daemon_status *daemons;
	json_t *list = json ? json_array() : NULL;
	size_t n;
	int rc = cadre_pool_status(pool, &daemons, &n, err);

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	if (!json)
		(void)printf("%-7s %-20s %-8s %-8s %6s %6s %10s %9s %9s  %s\n",
			     "DAEMON", "NODE", "PID", "STATE", "SLOTS", "BUSY",
			     "COMPLETED", "IDLE(s)", "SEEN(s)", "NOTE");
	for (size_t i = 0; i < n; i++) {
		if (json)
			(void)json_array_append_new(list,
						    status_json(&daemons[i]));
		else
			print_status(&daemons[i]);
	}
	free(daemons);
	return json ? print_json(list, err) : 0;
}

static int
show(const struct command *command, int argc, char **argv,
     int (*print)(struct cadre_pool *pool, bool json, struct cadre_error *err))
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct infoopts o = {.pool = {.name = PROFILE_DEFAULT}};
	struct cadre_pool *pool = NULL;
	int first, rc = 0, status = 0;

	if (!cli_options(command, argc, argv, &o, &first, &status))
		return status;
	if (first < argc)
		rc = error_set(&err, CADRE_EINVAL, "\"%.60s\" is not an option",
			       argv[first]);
	if (rc == 0)
		rc = poolopts_open(&o.pool, &pool, &err);
	if (rc == 0)
		rc = print(pool, o.json, &err);
	cadre_pool_close(&pool);
	return rc < 0 ? cli_fail(command, &err) : 0;
}

static int
info_main(int argc, char **argv)
{
	return show(&info_command, argc, argv, show_info);
}

static int
status_main(int argc, char **argv)
{
	return show(&status_command, argc, argv, show_status);
}
