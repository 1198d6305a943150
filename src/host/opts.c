/* SPDX-License-Identifier: MIT */
#include "host/opts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cadre/task.h>

#include "host/setting.h"
#include "util/error.h"
#include "util/parse.h"

#define MANY 1000000

static const char *const afters[] = {"cancel", "run", NULL};
/* In the order of enum wire_output. */
static const char *const outputs[] = {"capture", "stream", "discard", NULL};

static const struct setting table[] = {
	{"name", SETTING_TEXT, .help = "shown by status and logs"},
	{"timeout", SETTING_LIMIT, .help = "longest time to run"},
	{"deadline", SETTING_LIMIT,
	 .help = "longest time from submission to outcome"},
	{"priority", SETTING_NUMBER, -1000, 1000, .help = "higher first"},
	{"idempotent", SETTING_BOOL, .help = "may run twice without harm"},
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
	{"after-failed", SETTING_WORD, .words = afters,
	 .help = "what to do when a task it waits for failed"},
	{"cores", SETTING_NUMBER, 1, MANY, .help = "cores it needs"},
	{"memory", SETTING_SIZE, .help = "memory it needs"},
	{"gpus", SETTING_NUMBER, 0, MANY, .help = "GPUs it needs"},
	{"tags", SETTING_TEXT,
	 .help = "what its slot must offer, separated by commas"},
	{"cwd", SETTING_TEXT, .help = "working directory of a command"},
	{"env", SETTING_TEXT,
	 .help = "NAME=VALUE to add to, NAME to remove from the environment"},
	{"clear-env", SETTING_BOOL, .help = "start from an empty environment"},
	{"stdin-file", SETTING_TEXT, .help = "file for standard input"},
	{"output", SETTING_WORD, .words = outputs,
	 .help = "what happens to a command's output"},
	{"output-limit", SETTING_SIZE,
	 .help = "bytes of stdout and of stderr kept in memory"},
	{"output-dir", SETTING_TEXT,
	 .help = "directory for output over the limit"},
	{"merge", SETTING_BOOL, .help = "stderr goes where stdout goes"},
	{"cc", SETTING_TEXT, .help = "compiler for functions given as source"},
	{"cflags", SETTING_ANY, .help = "flags for that compiler"},
};

#define KEYS (sizeof(table) / sizeof(table[0]))

/* In the order of enum dispatch_cause. */
static const char *const retry_keys[DISPATCH_CAUSES] = {
	"retry.error", "retry.exit", "retry.timeout",
	"retry.crash", "retry.lost", "retry.leave",
};

struct cadre_opts {
	char *values[KEYS]; /* at the places of their keys; NULL: unset */
	uint64_t serial;
	char **env;
	size_t env_n;
	uint64_t *after;
	size_t after_n;
	struct blob *stdin_data;
};

static _Atomic uint64_t last_serial;

static void
changed(struct cadre_opts *opts)
{
	opts->serial = atomic_fetch_add(&last_serial, 1) + 1;
}

uint64_t
opts_serial(const struct cadre_opts *opts)
{
	return opts == NULL ? 0 : opts->serial;
}

struct cadre_opts *
cadre_opts_new(void)
{
	struct cadre_opts *opts = calloc(1, sizeof(*opts));

	if (opts != NULL)
		changed(opts);
	return opts;
}

void
cadre_opts_free(struct cadre_opts **opts)
{
	if (opts == NULL || *opts == NULL)
		return;
	for (size_t i = 0; i < KEYS; i++)
		free((*opts)->values[i]);
	for (size_t i = 0; i < (*opts)->env_n; i++)
		free((*opts)->env[i]);
	free((*opts)->env);
	free((*opts)->after);
	blob_unref(&(*opts)->stdin_data);
	free(*opts);
	*opts = NULL;
}

static int
add_env(struct cadre_opts *opts, const char *text, struct cadre_error *err)
{
	char **env;

	if (text[0] == '=')
		return error_set(err, CADRE_EINVAL,
				 "\"%.100s\" names no environment variable: "
				 "write NAME=VALUE or NAME",
				 text);
	env = realloc(opts->env, (opts->env_n + 1) * sizeof(*env));
	if (env == NULL)
		return error_nomem(err);
	opts->env = env;
	env[opts->env_n] = strdup(text);
	if (env[opts->env_n] == NULL)
		return error_nomem(err);
	opts->env_n++;
	return 0;
}

int
cadre_opts_set(struct cadre_opts *opts, const char *key, const char *value,
	       struct cadre_error *err)
{
	size_t i;
	char *copy;
	int rc;

	if (opts == NULL || key == NULL || value == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_opts_set needs options, a key and a "
				 "value");
	i = setting_find(table, KEYS, key);
	if (i == KEYS)
		return error_set(err, CADRE_EINVAL,
				 "there is no option \"%.100s\" of a task",
				 key);
	rc = setting_check(&table[i], value, err);
	if (rc < 0)
		return rc;
	changed(opts);
	if (strcmp(key, "env") == 0)
		return add_env(opts, value, err);
	copy = strdup(value);
	if (copy == NULL)
		return error_nomem(err);
	free(opts->values[i]);
	opts->values[i] = copy;
	return 0;
}

const char *
cadre_opts_key(size_t i, const char **ret_help)
{
	if (i >= KEYS)
		return NULL;
	if (ret_help != NULL)
		*ret_help = table[i].help;
	return table[i].key;
}

int
cadre_opts_set_stdin(struct cadre_opts *opts, const void *data, size_t len,
		     struct cadre_error *err)
{
	struct blob *blob;

	if (opts == NULL || (data == NULL && len > 0))
		return error_set(err, CADRE_EINVAL,
				 "cadre_opts_set_stdin needs options and data");
	blob = blob_copy(data, len);
	if (blob == NULL)
		return error_nomem(err);
	blob_unref(&opts->stdin_data);
	opts->stdin_data = blob;
	changed(opts);
	return 0;
}

int
cadre_opts_after(struct cadre_opts *opts, const struct cadre_task *task,
		 struct cadre_error *err)
{
	uint64_t *after;

	if (opts == NULL || task == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_opts_after needs options and a task");
	after = realloc(opts->after, (opts->after_n + 1) * sizeof(*after));
	if (after == NULL)
		return error_nomem(err);
	opts->after = after;
	after[opts->after_n++] = cadre_task_id(task);
	changed(opts);
	return 0;
}

/* The text of a key, of the pool if the task has none of its own. */
static const char *
text_of(const struct cadre_opts *opts, const struct cadre_config *cfg,
	const char *key)
{
	size_t i = setting_find(table, KEYS, key);

	if (opts != NULL && opts->values[i] != NULL)
		return opts->values[i];
	return cadre_config_get(cfg, key);
}

/* Of the task only: the pool's key of that name means something else. */
static const char *
own_text(const struct cadre_opts *opts, const char *key)
{
	return opts == NULL ? NULL
			    : opts->values[setting_find(table, KEYS, key)];
}

static void
spec_retry(struct dispatch_spec *spec, const struct cadre_opts *opts,
	   const struct cadre_config *cfg)
{
	for (size_t i = 0; i < DISPATCH_CAUSES; i++) {
		const char *text = own_text(opts, retry_keys[i]);

		if (text == NULL)
			text = own_text(opts, "retry");
		if (text == NULL)
			text = cadre_config_get(cfg, retry_keys[i]);
		if (text == NULL)
			text = cadre_config_get(cfg, "retry");
		spec->retry_set[i] = text != NULL;
		spec->retry[i] = setting_count(text, 0);
	}
}

/* Milliseconds of a limit; 0 for none. */
static uint64_t
limit_ms(const char *text)
{
	int64_t ms = setting_ms(text, PARSE_FOREVER);

	return ms == PARSE_FOREVER ? 0 : (uint64_t)ms;
}

static void
spec_fill(struct dispatch_spec *spec, const struct cadre_opts *opts,
	  const struct cadre_config *cfg, enum wire_engine engine, bool stream)
{
	bool native = engine == WIRE_ENGINE_NATIVE;
	uint64_t timeout = limit_ms(text_of(opts, cfg, "timeout"));
	const char *after_failed = own_text(opts, "after-failed");

	spec->engine = engine;
	spec->priority =
		(int32_t)setting_number(text_of(opts, cfg, "priority"), 0);
	spec->timeout_ms =
		timeout > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout;
	spec->deadline_ms = limit_ms(text_of(opts, cfg, "deadline"));
	spec->cores = (uint32_t)setting_number(own_text(opts, "cores"), 0);
	spec->gpus = (uint32_t)setting_number(own_text(opts, "gpus"), 0);
	spec->memory = setting_size(own_text(opts, "memory"), 0);
	if (after_failed != NULL && strcmp(after_failed, "run") == 0)
		spec->after_failed = CADRE_AFTER_RUN;
	if (setting_bool(text_of(opts, cfg, "idempotent"), native))
		spec->flags |= WIRE_IDEMPOTENT;
	if (native && (spec->flags & WIRE_IDEMPOTENT) != 0)
		spec->flags |= WIRE_WINDOW;
	if (native || stream)
		spec->flags |= WIRE_OUTPUT_WANTED;
	spec_retry(spec, opts, cfg);
}

static void
put_text(struct buf *b, uint16_t tag, const char *text)
{
	if (text != NULL)
		wire_put_str(b, tag, text);
}

static void
put_number(struct buf *b, uint16_t tag, uint64_t x)
{
	if (x != 0)
		wire_put_u64(b, tag, x);
}

/* What only a dispatcher in another process has to be told. */
static void
put_policy(struct buf *b, const struct dispatch_spec *spec)
{
	uint8_t retry[WIRE_RETRY];
	bool any = false;

	for (size_t i = 0; i < DISPATCH_CAUSES; i++) {
		any = any || spec->retry_set[i];
		store_u32(retry + 4 * i, spec->retry_set[i]
						 ? spec->retry[i]
						 : WIRE_RETRY_DEFAULT);
	}
	if (any)
		wire_put_bytes(b, WIRE_TAG_RETRY, retry, sizeof(retry));
	put_number(b, WIRE_TAG_DEADLINE_MS, spec->deadline_ms);
	if (spec->priority != 0)
		wire_put_u64(b, WIRE_TAG_PRIORITY,
			     (uint64_t)(spec->priority + (INT64_C(1) << 31)));
	for (size_t i = 0; i < spec->after_n; i++)
		wire_put_u64(b, WIRE_TAG_AFTER, spec->after[i]);
	put_number(b, WIRE_TAG_AFTER_FAILED, spec->after_failed);
}

static void
put_tags(struct buf *b, const char *tags)
{
	while (tags != NULL && *tags != '\0') {
		size_t n = strcspn(tags, ",");

		if (n > 0)
			wire_put_bytes(b, WIRE_TAG_TAG, tags, n);
		tags += n + (tags[n] == ',');
	}
}

/* A path as the daemon has to see it: from the root. */
static int
put_path(struct buf *b, uint16_t tag, const char *path, const char *cwd,
	 struct cadre_error *err)
{
	char *full;

	if (path == NULL)
		return 0;
	if (path[0] == '/') {
		wire_put_str(b, tag, path);
		return 0;
	}
	if (asprintf(&full, "%s/%s", cwd, path) < 0)
		return error_nomem(err);
	wire_put_str(b, tag, full);
	free(full);
	return 0;
}

static uint64_t
word_index(const char *const *words, const char *text)
{
	uint64_t i = 0;

	while (words[i] != NULL && strcmp(words[i], text) != 0)
		i++;
	return i;
}

static int
put_paths(struct buf *b, const struct cadre_opts *opts, struct cadre_error *err)
{
	const char *dir = own_text(opts, "output-dir");
	const char *own_cwd = own_text(opts, "cwd");
	char *cwd = getcwd(NULL, 0);
	int rc;

	if (cwd == NULL)
		return error_sys(err, errno, "no working directory");
	if (dir == NULL)
		dir = getenv("TMPDIR");
	if (dir == NULL || dir[0] == '\0')
		dir = "/tmp";
	rc = put_path(b, WIRE_TAG_CWD, own_cwd != NULL ? own_cwd : cwd, cwd,
		      err);
	if (rc == 0)
		rc = put_path(b, WIRE_TAG_STDIN_FILE,
			      own_text(opts, "stdin-file"), cwd, err);
	if (rc == 0)
		rc = put_path(b, WIRE_TAG_OUTPUT_DIR, dir, cwd, err);
	free(cwd);
	return rc;
}

static int
put_command(struct buf *b, const struct cadre_opts *opts,
	    const struct cadre_config *cfg, const struct opts_target *target,
	    struct cadre_error *err)
{
	const char *output = text_of(opts, cfg, "output");
	uint64_t limit =
		setting_size(text_of(opts, cfg, "output-limit"), 16u << 20);

	for (const char *const *arg = target->argv; *arg != NULL; arg++)
		wire_put_str(b, WIRE_TAG_ARGV, *arg);
	for (size_t i = 0; opts != NULL && i < opts->env_n; i++)
		wire_put_str(b, WIRE_TAG_ENV, opts->env[i]);
	if (setting_bool(own_text(opts, "clear-env"), false))
		wire_put_u64(b, WIRE_TAG_CLEAR_ENV, 1);
	if (output != NULL)
		wire_put_u64(b, WIRE_TAG_OUTPUT, word_index(outputs, output));
	wire_put_u64(b, WIRE_TAG_OUTPUT_LIMIT, limit);
	if (setting_bool(own_text(opts, "merge"), false))
		wire_put_u64(b, WIRE_TAG_MERGE, 1);
	return put_paths(b, opts, err);
}

static int
put_fields(struct buf *b, const struct cadre_opts *opts,
	   const struct cadre_config *cfg, const struct opts_target *target,
	   const struct dispatch_spec *spec, bool remote,
	   struct cadre_error *err)
{
	wire_put_u64(b, WIRE_TAG_ENGINE, (uint64_t)target->engine);
	put_number(b, WIRE_TAG_TIMEOUT_MS, spec->timeout_ms);
	put_number(b, WIRE_TAG_CORES, spec->cores);
	put_number(b, WIRE_TAG_MEMORY, spec->memory);
	put_number(b, WIRE_TAG_GPUS, spec->gpus);
	put_tags(b, own_text(opts, "tags"));
	put_text(b, WIRE_TAG_NAME, own_text(opts, "name"));
	if (remote)
		put_policy(b, spec);
	if (target->engine == WIRE_ENGINE_COMMAND)
		return put_command(b, opts, cfg, target, err);
	put_text(b, WIRE_TAG_LIBRARY, target->library);
	put_text(b, WIRE_TAG_FUNCTION, target->function);
	put_text(b, WIRE_TAG_SOURCE, target->source);
	if (target->source != NULL) {
		put_text(b, WIRE_TAG_CC, own_text(opts, "cc"));
		put_text(b, WIRE_TAG_CFLAGS, own_text(opts, "cflags"));
	}
	return 0;
}

static int
make_fields(struct opts_shape *shape, const struct cadre_opts *opts,
	    const struct cadre_config *cfg, const struct opts_target *target,
	    bool remote, struct cadre_error *err)
{
	struct buf b;
	int rc;

	buf_init(&b, UINT32_MAX);
	rc = put_fields(&b, opts, cfg, target, &shape->spec, remote, err);
	if (rc == 0 && b.error != 0)
		rc = error_set(err, b.error,
			       "the arguments of the task are too big");
	if (rc == 0) {
		shape->fields = blob_copy(b.data, b.len);
		if (shape->fields == NULL)
			rc = error_nomem(err);
	}
	buf_fini(&b);
	return rc;
}

static int
fill(struct opts_shape *shape, const struct cadre_opts *opts,
     const struct cadre_config *cfg, const struct opts_target *target,
     bool remote, struct cadre_error *err)
{
	bool command = target->engine == WIRE_ENGINE_COMMAND;
	const char *output = text_of(opts, cfg, "output");
	const char *name = own_text(opts, "name");

	shape->stream =
		command && output != NULL && strcmp(output, "stream") == 0;
	if (opts != NULL && opts->after_n > 0) {
		memcpy(shape->after, opts->after,
		       opts->after_n * sizeof(*opts->after));
		shape->spec.after = shape->after;
		shape->spec.after_n = opts->after_n;
	}
	spec_fill(&shape->spec, opts, cfg, target->engine, shape->stream);
	if (command && opts != NULL && opts->stdin_data != NULL) {
		if (own_text(opts, "stdin-file") != NULL)
			return error_set(err, CADRE_EINVAL,
					 "a command can have a stdin-file or "
					 "standard input as data, not both");
		shape->stdin_data = blob_ref(opts->stdin_data);
	}
	if (name != NULL) {
		shape->name = strdup(name);
		if (shape->name == NULL)
			return error_nomem(err);
	}
	return make_fields(shape, opts, cfg, target, remote, err);
}

int
opts_shape_new(const struct cadre_opts *opts, const struct cadre_config *cfg,
	       const struct opts_target *target, bool remote,
	       struct opts_shape **ret_shape, struct cadre_error *err)
{
	size_t after_n = opts == NULL ? 0 : opts->after_n;
	struct opts_shape *shape;
	int rc;

	shape = calloc(1, sizeof(*shape) + after_n * sizeof(uint64_t));
	if (shape == NULL)
		return error_nomem(err);
	shape->refs = 1;
	rc = fill(shape, opts, cfg, target, remote, err);
	if (rc < 0) {
		opts_shape_unref(&shape);
		return rc;
	}
	*ret_shape = shape;
	return 0;
}

void
opts_shape_take(struct opts_shape *shape, uint32_t n)
{
	atomic_fetch_add_explicit(&shape->refs, n, memory_order_relaxed);
}

void
opts_shape_drop(struct opts_shape *shape, uint32_t n)
{
	if (n == 0 || atomic_fetch_sub(&shape->refs, n) != n)
		return;
	blob_unref(&shape->fields);
	blob_unref(&shape->stdin_data);
	free(shape->name);
	free(shape);
}

void
opts_shape_unref(struct opts_shape **shape)
{
	if (*shape != NULL)
		opts_shape_drop(*shape, 1);
	*shape = NULL;
}
