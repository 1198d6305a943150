/* SPDX-License-Identifier: MIT */
#include "cli/poolopts.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/profile.h"
#include "util/error.h"
#include "util/parse.h"

#define SLOTS_MAX 100000

uint32_t
poolopts_cores(void)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n > 0 ? (uint32_t)n : 1;
}

int
poolopts_slots(const struct poolopts *o, uint32_t *ret, struct cadre_error *err)
{
	const char *text = o->slots;
	uint32_t cores = poolopts_cores();
	char number[16];
	size_t len;
	uint32_t x;

	*ret = 0;
	if (text == NULL)
		return 0;
	len = strlen(text);
	if (len > 0 && len < sizeof(number) && text[len - 1] == '%') {
		memcpy(number, text, len - 1);
		number[len - 1] = '\0';
		if (parse_uint32(number, 1, SLOTS_MAX, &x) == 0) {
			*ret = x * cores / 100 > 0 ? x * cores / 100 : 1;
			return 0;
		}
	}
	if ((text[0] == '+' || text[0] == '-') &&
	    parse_uint32(text + 1, 0, SLOTS_MAX, &x) == 0) {
		*ret = text[0] == '+' ? cores + x : cores > x ? cores - x : 1;
		return 0;
	}
	if (parse_uint32(text, 1, SLOTS_MAX, ret) == 0)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "--slots: \"%.40s\" is not a number of slots (N from "
			 "1 to %d; +N or -N beside the cores, or N%% of them)",
			 text, SLOTS_MAX);
}

static int
set_pair(struct cadre_config *cfg, const char *pair, struct cadre_error *err)
{
	const char *equals = strchr(pair, '=');
	char key[64];

	if (equals == NULL || (size_t)(equals - pair) >= sizeof(key))
		return error_set(err, CADRE_EINVAL,
				 "--set: \"%.60s\" is not KEY=VALUE", pair);
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	return cadre_config_set(cfg, key, equals + 1, err);
}

static int
set_all(const struct poolopts *o, struct cadre_config *cfg,
	struct cadre_error *err)
{
	const struct {
		const char *key, *value;
	} pairs[] = {
		{"connect", o->name},	   {"daemons", o->daemons},
		{"url", o->url},	   {"auth", o->auth},
		{"launcher", o->launcher}, {"cores", o->cores},
	};
	char number[16];
	uint32_t slots;
	int rc = poolopts_slots(o, &slots, err);

	if (rc == 0 && slots > 0 && o->name == NULL) {
		(void)snprintf(number, sizeof(number), "%u", slots);
		rc = cadre_config_set(cfg, "slots", number, err);
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && rc == 0; i++)
		if (pairs[i].value != NULL)
			rc = cadre_config_set(cfg, pairs[i].key, pairs[i].value,
					      err);
	for (size_t i = 0; i < o->settings.n && rc == 0; i++)
		rc = set_pair(cfg, o->settings.items[i], err);
	return rc;
}

int
poolopts_config(const struct poolopts *o, struct cadre_config **ret,
		struct cadre_error *err)
{
	struct cadre_config *cfg = cadre_config_new();
	int rc;

	if (cfg == NULL)
		return error_nomem(err);
	rc = set_all(o, cfg, err);
	if (rc < 0) {
		cadre_config_free(&cfg);
		return rc;
	}
	*ret = cfg;
	return 0;
}

static int
open_config(const struct poolopts *o, struct cadre_pool **ret,
	    struct cadre_error *err)
{
	struct cadre_config *cfg;
	int rc = poolopts_config(o, &cfg, err);

	if (rc < 0)
		return rc;
	rc = cadre_pool_open(cfg, ret, err);
	cadre_config_free(&cfg);
	return rc;
}

/* The record that cadre start has left tells the URL; without one, libcadre
 * may find a dispatcher that another program serves under that name. */
static int
open_named(const struct poolopts *o, struct cadre_pool **ret,
	   struct cadre_error *err)
{
	struct cadre_error unknown = CADRE_ERROR_INIT;
	struct poolopts resolved = *o;
	struct profile p = {0};
	int rc;

	if (profile_check_name(o->name, err) < 0)
		return CADRE_EINVAL;
	if (profile_read(o->name, &p, &unknown) == 0) {
		resolved.name = p.url;
		resolved.auth = o->auth != NULL ? o->auth : p.auth;
	}
	rc = open_config(&resolved, ret, p.url != NULL ? err : NULL);
	if (rc < 0 && p.url == NULL)
		return error_set(err, CADRE_ENOENT, "%s", unknown.text);
	profile_fini(&p);
	return rc;
}

int
poolopts_open(const struct poolopts *o, struct cadre_pool **ret,
	      struct cadre_error *err)
{
	if (o->name != NULL && strstr(o->name, "://") == NULL)
		return open_named(o, ret, err);
	return open_config(o, ret, err);
}

uint32_t
poolopts_open_slots(const struct poolopts *o, struct cadre_pool *pool)
{
	uint32_t slots = 0;
	struct cadre_info info;

	if (poolopts_slots(o, &slots, NULL) == 0 && slots > 0)
		return slots;
	if (o->name != NULL && cadre_pool_info(pool, &info, NULL) == 0 &&
	    info.slots > 0 && info.slots <= SLOTS_MAX)
		return (uint32_t)info.slots;
	slots = poolopts_cores();
	if (o->daemons != NULL)
		return parse_uint32(o->daemons, 1, SLOTS_MAX, &slots) == 0
			       ? slots
			       : 1;
	return slots > 1 ? slots - 1 : 1;
}

void
poolopts_fini(struct poolopts *o)
{
	option_list_fini(&o->settings);
}
