/* SPDX-License-Identifier: MIT */
#include "cli/taskopts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"

static int
set_retries(struct cadre_opts *opts, uint32_t runs, struct cadre_error *err)
{
	static const char *const causes[] = {"retry.error", "retry.exit",
					     "retry.timeout", "retry.crash",
					     "retry.lost"};
	char number[16];
	int rc = 0;

	(void)snprintf(number, sizeof(number), "%u", runs - 1);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]) && rc == 0;
	     i++)
		rc = cadre_opts_set(opts, causes[i], number, err);
	return rc;
}

static int
set_pair(struct cadre_opts *opts, const char *pair, struct cadre_error *err)
{
	const char *equals = strchr(pair, '=');
	char key[64];

	if (equals == NULL || (size_t)(equals - pair) >= sizeof(key))
		return error_set(err, CADRE_EINVAL,
				 "--option: \"%.60s\" is not KEY=VALUE", pair);
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	return cadre_opts_set(opts, key, equals + 1, err);
}

/* "NAME=VALUE", or the variable of this process. */
static int
set_env(struct cadre_opts *opts, const char *text, struct cadre_error *err)
{
	const char *value = strchr(text, '=') == NULL ? getenv(text) : NULL;
	char *pair;
	int rc;

	if (value == NULL)
		return cadre_opts_set(opts, "env", text, err);
	if (asprintf(&pair, "%s=%s", text, value) < 0)
		return error_nomem(err);
	rc = cadre_opts_set(opts, "env", pair, err);
	free(pair);
	return rc;
}

static int
set_all(const struct taskopts *o, struct cadre_opts *opts,
	struct cadre_error *err)
{
	const struct {
		const char *key, *value;
	} pairs[] = {
		{"timeout", o->timeout},	   {"deadline", o->deadline},
		{"priority", o->priority},	   {"cwd", o->cwd},
		{"output-limit", o->output_limit},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && rc == 0; i++)
		if (pairs[i].value != NULL)
			rc = cadre_opts_set(opts, pairs[i].key, pairs[i].value,
					    err);
	if (rc == 0 && o->retries > 0)
		rc = set_retries(opts, o->retries, err);
	for (size_t i = 0; i < o->env.n && rc == 0; i++)
		rc = set_env(opts, o->env.items[i], err);
	for (size_t i = 0; i < o->settings.n && rc == 0; i++)
		rc = set_pair(opts, o->settings.items[i], err);
	return rc;
}

int
taskopts_make(const struct taskopts *o, struct cadre_opts **ret,
	      struct cadre_error *err)
{
	struct cadre_opts *opts = cadre_opts_new();
	int rc;

	if (opts == NULL)
		return error_nomem(err);
	rc = set_all(o, opts, err);
	if (rc < 0) {
		cadre_opts_free(&opts);
		return rc;
	}
	*ret = opts;
	return 0;
}

void
taskopts_fini(struct taskopts *o)
{
	option_list_fini(&o->env);
	option_list_fini(&o->settings);
}
