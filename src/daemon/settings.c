/* SPDX-License-Identifier: MIT */
#include "daemon/settings.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "link/link.h"
#include "place/place.h"
#include "util/error.h"
#include "util/log.h"
#include "util/parse.h"
#include "wire/wire.h"

struct setting {
	const char *name;
	/* Stores value at the field; negative if it is malformed. */
	int (*set)(void *field, const char *value);
	size_t offset;
	const char *value; /* in --help, and in the sentence about bad ones;
			      NULL: the name alone means yes */
	const char *help;
};

static int
set_text(void *field, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return CADRE_ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int
set_bool(void *field, const char *value)
{
	return parse_bool(value, field);
}

static int
set_index(void *field, const char *value)
{
	return parse_uint32(value, 0, UINT32_MAX, field);
}

static int
set_count(void *field, const char *value)
{
	return parse_uint32(value, 1, 65535, field);
}

static int
set_cleanup(void *field, const char *value)
{
	return parse_uint32(value, 0, 15, field);
}

static int
set_maxtasks(void *field, const char *value)
{
	uint64_t *max = field;
	int64_t n;

	if (strcmp(value, "inf") == 0 || strcmp(value, "none") == 0) {
		*max = 0;
		return 0;
	}
	if (parse_int64(value, 1, INT64_MAX, &n) < 0)
		return CADRE_EINVAL;
	*max = (uint64_t)n;
	return 0;
}

static int
set_duration(void *field, const char *value)
{
	return parse_duration_ms(value, field);
}

static int
set_size(void *field, const char *value)
{
	uint64_t *size = field;

	if (strcmp(value, "inf") == 0 || strcmp(value, "none") == 0) {
		*size = 0;
		return 0;
	}
	return parse_size(value, size);
}

static int
set_end(void *field, const char *value)
{
	return parse_int64(value, 0, INT64_MAX / 1000, field);
}

static int
set_level(void *field, const char *value)
{
	int level = log_level_parse(value);

	if (level < 0)
		return CADRE_EINVAL;
	*(int *)field = level;
	return 0;
}

static int
find_signal(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},
		{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TERM", SIGTERM},
		{"KILL", SIGKILL},
	};
	uint32_t n;

	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(name, signals[i].name) == 0)
			return signals[i].number;
	return parse_uint32(name, 2, 64, &n) < 0 ? -1 : (int)n;
}

static int
set_autoexit(void *field, const char *value)
{
	int signal_number;
	bool yes;

	if (parse_bool(value, &yes) == 0) {
		*(int *)field =
			yes ? SETTINGS_AUTOEXIT_YES : SETTINGS_AUTOEXIT_NO;
		return 0;
	}
	signal_number = find_signal(value);
	if (signal_number < 0)
		return CADRE_EINVAL;
	*(int *)field = signal_number;
	return 0;
}

static int
set_engines(void *field, const char *value)
{
	static const struct {
		const char *name;
		enum wire_engine engine;
	} engines[] = {
		{"command", WIRE_ENGINE_COMMAND},
		{"native", WIRE_ENGINE_NATIVE},
	};
	uint32_t mask = 0;

	while (*value != '\0') {
		size_t len = strcspn(value, ","), i;

		for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
			if (strlen(engines[i].name) == len &&
			    strncmp(value, engines[i].name, len) == 0)
				break;
		if (i == sizeof(engines) / sizeof(engines[0]))
			return CADRE_EINVAL;
		mask |= 1u << engines[i].engine;
		value += len + (value[len] == ',');
	}
	if (mask == 0)
		return CADRE_EINVAL;
	*(uint32_t *)field = mask;
	return 0;
}

#define FIELD(name) offsetof(struct settings, name)

static const struct setting table[] = {
	{"record", set_bool, FIELD(record), NULL,
	 "read a launch record from standard input (also: --record -)"},
	{"session", set_text, FIELD(session), "ID",
	 "session that the dispatcher must belong to"},
	{"auth", set_text, FIELD(auth), "NAME",
	 "how both ends prove who they are: peer or none [peer]"},
	{"id", set_text, FIELD(id), "TEXT", "name of this daemon in its log"},
	{"index", set_index, FIELD(index), "N",
	 "number of this daemon within its launch [0]"},
	{"slots", set_count, FIELD(slots), "N",
	 "tasks that may run at once [cores less one, at least one]"},
	{"cores", set_count, FIELD(cores), "N",
	 "cores of a slot, told to threaded programs (OMP_NUM_THREADS)"},
	{"engines", set_engines, FIELD(engines), "command,native",
	 "engines offered, one or several [all of them]"},
	{"autoexit", set_autoexit, FIELD(autoexit), "yes|no|SIGNAL",
	 "when the connection ends: exit, dial again, or die by SIGNAL [yes]"},
	{"asyncdial", set_bool, FIELD(asyncdial), "yes|no",
	 "keep dialling until somebody listens [no]"},
	{"silence", set_count, FIELD(silence), "N",
	 "with autoexit=no: heartbeats missed before dialling anew [3]"},
	{"cleanup", set_cleanup, FIELD(cleanup), "BITS",
	 "reset between tasks: 1 globals, 2 packages, 4 options, 8 memory [7]"},
	{"output", set_bool, FIELD(output), "yes|no",
	 "workers' own output goes to the log instead of nowhere [no]"},
	{"maxtasks", set_maxtasks, FIELD(maxtasks), "N",
	 "tasks after which a slot's worker is replaced [inf]"},
	{"maxtasks-retire", set_bool, FIELD(maxtasks_retire), "yes|no",
	 "after maxtasks give the slot up instead [no]"},
	{"idletime", set_duration, FIELD(idletime_ms), "TIME",
	 "leave after all slots were idle this long [inf]"},
	{"walltime", set_duration, FIELD(walltime_ms), "TIME",
	 "leave after this long [inf]"},
	{"timerstart", set_index, FIELD(timerstart), "N",
	 "tasks to finish before idletime and walltime count [0]"},
	{"end", set_end, FIELD(end_unix), "SECONDS",
	 "the job ends then (since 1970); leave in time [never]"},
	{"memory-limit", set_size, FIELD(memory_limit), "SIZE",
	 "address space of a task, such as 4G [inf]"},
	{"grace", set_duration, FIELD(grace_ms), "TIME",
	 "between the signals that end a task [5s]"},
	{"scratch", set_text, FIELD(scratch), "DIR",
	 "where scratch directories are made [$TMPDIR or /tmp]"},
	{"rs", set_text, FIELD(rs), "STATE",
	 "initial state of the random number stream"},
	{"in-process", set_bool, FIELD(in_process), "yes|no",
	 "call native functions within cadred itself [no]"},
	{"log", set_text, FIELD(log), "FILE", "append the log to FILE"},
	{"log-level", set_level, FIELD(log_level), "LEVEL",
	 "error, warning, info or debug [warning]"},
};

static const size_t table_len = sizeof(table) / sizeof(table[0]);

int
settings_init(struct settings *s, struct cadre_error *err)
{
	const char *tmp = getenv("TMPDIR");

	*s = (struct settings){
		.engines = 1u << WIRE_ENGINE_COMMAND | 1u << WIRE_ENGINE_NATIVE,
		.cleanup = 7,
		.silence = 3,
		.idletime_ms = SETTINGS_FOREVER,
		.walltime_ms = SETTINGS_FOREVER,
		.grace_ms = 5000,
		.autoexit = SETTINGS_AUTOEXIT_YES,
		.log_level = LOG_LEVEL_WARN,
	};
	s->scratch = strdup(tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	s->auth = strdup("peer");
	if (s->scratch != NULL && s->auth != NULL)
		return 0;
	settings_fini(s);
	return error_nomem(err);
}

void
settings_fini(struct settings *s)
{
	free(s->url);
	free(s->session);
	free(s->auth);
	free(s->id);
	free(s->rs);
	free(s->scratch);
	free(s->log);
	*s = (struct settings){0};
}

static const struct setting *
find(const char *name, size_t len)
{
	for (size_t i = 0; i < table_len; i++)
		if (strlen(table[i].name) == len &&
		    strncmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

static int
apply(struct settings *s, const struct setting *entry, const char *value,
      struct cadre_error *err)
{
	int rc = entry->set((char *)s + entry->offset, value);

	if (rc == CADRE_ENOMEM)
		return error_nomem(err);
	if (rc < 0)
		return error_set(err, CADRE_EINVAL,
				 "%s cannot be \"%s\": it takes %s "
				 "(see cadred --help)",
				 entry->name, value,
				 entry->value == NULL ? "yes|no"
						      : entry->value);
	return 0;
}

int
settings_set(struct settings *s, const char *name, const char *value,
	     struct cadre_error *err)
{
	const struct setting *entry;

	/* Known, so that the sentence can say what to do. */
	if (strcmp(name, "tls") == 0)
		return error_set(err, CADRE_EINVAL,
				 "this cadred was built without TLS: use ipc "
				 "or tcp and leave the setting tls out");
	/* The pool's key of that name is about the output of tasks. */
	if (strcmp(name, "output-daemon") == 0)
		name = "output";
	entry = find(name, strlen(name));
	if (entry == NULL)
		return error_set(err, CADRE_EINVAL,
				 "unknown setting \"%s\" (see cadred --help)",
				 name);
	return apply(s, entry, value, err);
}

int
settings_record(struct settings *s, const struct launch_record *record,
		struct cadre_error *err)
{
	char **pair = record->settings;
	int rc = 0;

	if (record->url != NULL)
		rc = set_text(&s->url, record->url);
	if (rc == 0 && record->session != NULL)
		rc = set_text(&s->session, record->session);
	if (rc == 0 && record->auth != NULL)
		rc = set_text(&s->auth, record->auth);
	if (rc < 0)
		return error_nomem(err);
	s->index = record->index;
	if (record->slots > 0)
		s->slots = record->slots;
	if (record->end_unix > 0)
		s->end_unix = record->end_unix;
	for (; rc == 0 && pair != NULL && pair[0] != NULL; pair += 2)
		rc = settings_set(s, pair[0], pair[1], err);
	return rc;
}

/* One option at argv[0]; returns how many arguments it took. */
static int
option(struct settings *s, int argc, char **argv, struct cadre_error *err)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const struct setting *entry = find(name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	int used = 1, rc;

	if (strncmp(name, "tls", len) == 0 && len == 3)
		return settings_set(s, "tls", "", err);
	if (entry == NULL)
		return error_set(err, CADRE_EINVAL,
				 "unknown option --%.*s (see cadred --help)",
				 (int)len, name);
	if (value == NULL && entry->set == set_bool) {
		/* The word after a switch belongs to it only if it says yes or
		 * no; "-" names standard input for --record. */
		bool ignored;

		value = "yes";
		if (argc > 1 && parse_bool(argv[1], &ignored) == 0)
			value = argv[used++];
		else if (argc > 1 && entry->value == NULL &&
			 strcmp(argv[1], "-") == 0)
			used++;
	} else if (value == NULL) {
		if (argc < 2)
			return error_set(err, CADRE_EINVAL,
					 "option --%s needs a value (%s)",
					 entry->name, entry->value);
		value = argv[used++];
	}
	rc = apply(s, entry, value, err);
	return rc < 0 ? rc : used;
}

static int
argument(struct settings *s, const char *arg, bool first,
	 struct cadre_error *err)
{
	if (!first)
		return error_set(err, CADRE_EINVAL,
				 "one URL is enough: \"%s\" is too much", arg);
	return set_text(&s->url, arg) < 0 ? error_nomem(err) : 1;
}

int
settings_args(struct settings *s, int argc, char **argv, int *ret_stop,
	      struct cadre_error *err)
{
	bool first = true;
	int used;

	*ret_stop = 0;
	for (; argc > 0; argc -= used, argv += used) {
		if (strcmp(argv[0], "--help") == 0 ||
		    strcmp(argv[0], "-h") == 0) {
			*ret_stop = 'h';
			return 0;
		}
		if (strcmp(argv[0], "--version") == 0) {
			*ret_stop = 'V';
			return 0;
		}
		if (strncmp(argv[0], "--", 2) == 0 && argv[0][2] != '\0') {
			used = option(s, argc, argv, err);
		} else if (argv[0][0] == '-') {
			used = error_set(err, CADRE_EINVAL,
					 "unknown option %s (see cadred "
					 "--help)",
					 argv[0]);
		} else {
			used = argument(s, argv[0], first, err);
			first = false;
		}
		if (used < 0)
			return used;
	}
	return 0;
}

int
settings_check(const struct settings *s, struct cadre_error *err)
{
	if (s->url == NULL)
		return error_set(err, CADRE_EINVAL,
				 "which dispatcher? give its URL, or --record "
				 "- (see cadred --help)");
	if (strncmp(s->url, "tls+", 4) == 0 || strncmp(s->url, "wss:", 4) == 0)
		return error_set(err, CADRE_EINVAL,
				 "this cadred was built without TLS: dial an "
				 "ipc or tcp address instead of %s",
				 s->url);
	if (auth_find(s->auth) == NULL)
		return error_set(err, CADRE_EINVAL,
				 "unknown authenticator \"%s\": use peer or "
				 "none",
				 s->auth);
	if (s->in_process && s->slots > 1)
		return error_set(err, CADRE_EINVAL,
				 "in-process runs one task at a time: use "
				 "--slots 1 and more daemons");
	if (s->grace_ms == SETTINGS_FOREVER)
		return error_set(err, CADRE_EINVAL,
				 "grace must be a time, such as 5s");
	return link_url_check(s->url, err);
}

void
settings_help(FILE *out)
{
	char left[40];

	(void)fputs("Usage: cadred [options] URL\n"
		    "       cadred [options] --record -\n"
		    "Runs tasks for the dispatcher that listens at URL.\n\n",
		    out);
	for (size_t i = 0; i < table_len; i++) {
		(void)snprintf(left, sizeof(left), "--%s %s", table[i].name,
			       table[i].value == NULL ? "" : table[i].value);
		(void)fprintf(out, "  %-28s %s\n", left, table[i].help);
	}
	(void)fputs("  --help, --version\n", out);
}
