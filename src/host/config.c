/* SPDX-License-Identifier: MIT */
#include "host/config.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

#define MANY 1000000

static const char *const launchers[] = {"local", "none", NULL};
static const char *const auths[] = {"peer", "none", NULL};
static const char *const outputs[] = {"capture", "stream", "discard", NULL};
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

static const struct setting table[] = {
	{"profile", SETTING_NAME, .help = "name of the pool"},
	{"launcher", SETTING_WORD, .words = launchers,
	 .help = "local starts daemons here, none waits for daemons started "
		 "elsewhere"},
	{"slots", SETTING_NUMBER, 1, MANY,
	 .help = "tasks that may run at once"},
	{"daemons", SETTING_NUMBER, 1, MANY,
	 .help = "daemon processes that share the slots"},
	{"url", SETTING_URL, .help = "address where the dispatcher listens"},
	{"auth", SETTING_WORD, .words = auths,
	 .help = "how peers prove who they are"},
	{"serve", SETTING_BOOL, .help = "accept other hosts' tasks too"},
	{"connect", SETTING_TEXT,
	 .help = "URL or profile name of a dispatcher to use"},
	{"sync", SETTING_BOOL,
	 .help = "evaluate each task in the call that submits it"},
	{"window", SETTING_NUMBER, 0, MANY,
	 .help = "most tasks waiting at one slot"},
	{"heartbeat", SETTING_LIMIT,
	 .help = "time between heartbeats; a daemon is lost after 3"},
	{"start-limit", SETTING_LIMIT, .help = "time for daemons to dial back"},
	{"relaunch", SETTING_NUMBER, 0, MANY,
	 .help = "times in a row that a daemon which died is launched again"},
	{"idle-limit", SETTING_LIMIT,
	 .help = "time that tasks wait while no daemon is left"},
	{"seed", SETTING_NUMBER, INT32_MIN, INT32_MAX,
	 .help = "seed of the random number streams"},

	{"timeout", SETTING_LIMIT, .help = "longest time for a task to run"},
	{"deadline", SETTING_LIMIT,
	 .help = "longest time from submission to outcome"},
	{"priority", SETTING_NUMBER, -1000, 1000, .help = "higher first"},
	{"idempotent", SETTING_BOOL,
	 .help = "tasks may run twice without harm"},
	{"retry", SETTING_COUNT, 0, MANY,
	 .help = "attempts after a failure of any cause"},
	{"retry.error", SETTING_COUNT, 0, MANY,
	 .help = "attempts after an evaluation error"},
	{"retry.exit", SETTING_COUNT, 0, MANY,
	 .help = "attempts after a non-zero exit status"},
	{"retry.timeout", SETTING_COUNT, 0, MANY,
	 .help = "attempts after a time-out"},
	{"retry.crash", SETTING_COUNT, 0, MANY,
	 .help = "attempts after the worker died"},
	{"retry.lost", SETTING_COUNT, 0, MANY,
	 .help = "attempts after the daemon or node was lost"},
	{"retry.leave", SETTING_COUNT, 0, MANY,
	 .help = "attempts after the daemon was told to leave"},
	{"output", SETTING_WORD, .words = outputs,
	 .help = "what happens to a command's output"},
	{"output-limit", SETTING_SIZE,
	 .help = "bytes of output kept in memory"},

	{"autoexit", SETTING_TEXT,
	 .help = "what a daemon does when its connection ends"},
	{"cleanup", SETTING_NUMBER, 0, 15,
	 .help = "what is cleaned between tasks, a bit mask"},
	{"output-daemon", SETTING_BOOL,
	 .help = "show the daemons' standard error here"},
	{"maxtasks", SETTING_COUNT, 1, UINT32_MAX - 1,
	 .help = "tasks after which a slot is done"},
	{"idletime", SETTING_DURATION,
	 .help = "a daemon leaves after so long without a task"},
	{"walltime", SETTING_DURATION, .help = "a daemon leaves after so long"},
	{"timerstart", SETTING_NUMBER, 0, MANY,
	 .help = "tasks after which idletime and walltime begin to count"},
	{"engines", SETTING_TEXT, .help = "languages that daemons offer"},
	{"cores", SETTING_NUMBER, 1, MANY, .help = "cores of each slot"},
	{"memory-limit", SETTING_SIZE, .help = "memory of a worker or command"},
	{"grace", SETTING_DURATION,
	 .help = "time between SIGINT, SIGTERM and SIGKILL"},
	{"scratch", SETTING_TEXT, .help = "where scratch directories are made"},
	{"log", SETTING_TEXT, .help = "file that daemons log to"},
	{"log-level", SETTING_WORD, .words = levels,
	 .help = "how much daemons log"},
	{"in-process", SETTING_BOOL,
	 .help = "call native functions in the daemon itself"},
};

#define KEYS (sizeof(table) / sizeof(table[0]))

/* Keys that cadred takes under the same name. */
static const char *const daemon_keys[] = {
	"autoexit", "cleanup",	  "output-daemon", "maxtasks",	"idletime",
	"walltime", "timerstart", "engines",	   "cores",	"memory-limit",
	"grace",    "scratch",	  "log",	   "log-level", "in-process",
};

#define DAEMON_KEYS (sizeof(daemon_keys) / sizeof(daemon_keys[0]))

/* Values at the places of their keys; NULL: unset. */
struct cadre_config {
	char *values[KEYS];
};

struct cadre_config *
cadre_config_new(void)
{
	return calloc(1, sizeof(struct cadre_config));
}

void
cadre_config_free(struct cadre_config **cfg)
{
	if (cfg == NULL || *cfg == NULL)
		return;
	for (size_t i = 0; i < KEYS; i++)
		free((*cfg)->values[i]);
	free(*cfg);
	*cfg = NULL;
}

int
cadre_config_set(struct cadre_config *cfg, const char *key, const char *value,
		 struct cadre_error *err)
{
	size_t i;
	char *copy;
	int rc;

	if (cfg == NULL || key == NULL || value == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_config_set needs a config, a key and a "
				 "value");
	i = setting_find(table, KEYS, key);
	if (i == KEYS)
		return error_set(err, CADRE_EINVAL,
				 "there is no setting \"%.100s\" of a pool",
				 key);
	rc = setting_check(&table[i], value, err);
	if (rc < 0)
		return rc;
	copy = strdup(value);
	if (copy == NULL)
		return error_nomem(err);
	free(cfg->values[i]);
	cfg->values[i] = copy;
	return 0;
}

const char *
cadre_config_get(const struct cadre_config *cfg, const char *key)
{
	size_t i;

	if (cfg == NULL || key == NULL)
		return NULL;
	i = setting_find(table, KEYS, key);
	return i == KEYS ? NULL : cfg->values[i];
}

const char *
cadre_config_key(size_t i, const char **ret_help)
{
	if (i >= KEYS)
		return NULL;
	if (ret_help != NULL)
		*ret_help = table[i].help;
	return table[i].key;
}

struct cadre_config *
config_copy(const struct cadre_config *cfg)
{
	struct cadre_config *copy = cadre_config_new();

	if (copy == NULL || cfg == NULL)
		return copy;
	for (size_t i = 0; i < KEYS; i++) {
		if (cfg->values[i] == NULL)
			continue;
		copy->values[i] = strdup(cfg->values[i]);
		if (copy->values[i] == NULL) {
			cadre_config_free(&copy);
			return NULL;
		}
	}
	return copy;
}

static void
free_strings(char **strings)
{
	for (char **s = strings; *s != NULL; s++)
		free(*s);
	free(strings);
}

int
config_daemon_settings(const struct cadre_config *cfg, char ***ret)
{
	char **pairs = calloc(2 * DAEMON_KEYS + 1, sizeof(*pairs));
	size_t n = 0;

	if (pairs == NULL)
		return CADRE_ENOMEM;
	for (size_t i = 0; i < DAEMON_KEYS; i++) {
		const char *value = cadre_config_get(cfg, daemon_keys[i]);

		if (value == NULL)
			continue;
		pairs[n++] = strdup(daemon_keys[i]);
		if (pairs[n - 1] == NULL)
			goto nomem;
		pairs[n++] = strdup(value);
		if (pairs[n - 1] == NULL)
			goto nomem;
	}
	*ret = pairs;
	return 0;
nomem:
	free_strings(pairs);
	return CADRE_ENOMEM;
}
