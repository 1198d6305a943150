/* SPDX-License-Identifier: MIT */
#include "host/driver.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/address.h"
#include "host/config.h"
#include "host/peers.h"
#include "host/pump.h"
#include "host/setting.h"
#include "host/task.h"
#include "place/place.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/parse.h"

static struct driver *
driver_of(struct cadre_pool *pool)
{
	return pool->impl;
}

/* Locks the pool; NULL, not locked, if it was closed meanwhile. */
static struct driver *
enter(struct cadre_pool *pool, struct cadre_error *err)
{
	struct driver *d;

	pool_lock(pool);
	d = pool_is_open(pool) ? driver_of(pool) : NULL;
	if (d != NULL)
		return d;
	pool_unlock(pool);
	(void)error_set(err, CADRE_ECLOSED, "the pool was closed");
	return NULL;
}

static struct jobs_plan
plan_of(const struct driver *d, uint64_t now_ms)
{
	return (struct jobs_plan){
		.url = d->pool->url,
		.session = d->session,
		.auth = d->auth->name,
		.settings = d->settings,
		.give_up_ms = d->start_limit_ms > UINT64_MAX - now_ms
				      ? UINT64_MAX
				      : now_ms + d->start_limit_ms,
	};
}

/* Starts that many daemons, which share the slots. */
static int
start(struct driver *d, uint32_t daemons, uint32_t slots, uint64_t now_ms,
      struct cadre_error *err)
{
	struct jobs_plan plan = plan_of(d, now_ms);

	plan.daemons = daemons;
	plan.slots = slots;
	return jobs_start(&d->jobs, &plan, err);
}

/* --- what the dispatcher wants --- */

static void
op_resolve(void *arg, void *owner, const struct dispatch_outcome *outcome)
{
	(void)arg;
	task_resolve(owner, outcome);
}

static void
op_output(void *arg, void *owner, int which, const void *data, size_t len)
{
	(void)arg;
	event_output(owner, which, data, len);
}

static int
op_request(void *arg, void *conn, const struct wire_frame *frame,
	   struct cadre_error *err)
{
	struct driver *d = arg;
	uint64_t slots = wire_u64(frame, WIRE_TAG_SLOTS, 0);
	int rc;

	(void)conn;
	if (frame->type == WIRE_SHUTDOWN) {
		atomic_store(&d->pool->ended, true);
		d->pool->wake_due = true;
		return 0;
	}
	if (frame->type != WIRE_SCALE || slots == 0 || slots > INT32_MAX)
		return error_set(err, CADRE_EINVAL,
				 "a number of slots that makes no sense");
	rc = start(d, 1, (uint32_t)slots, d->batch_ms, err);
	/* The dispatcher must not be told within its own event. */
	d->started = true;
	pump_wake(d);
	return rc;
}

static const struct dispatch_ops dispatch_callbacks = {
	.send = peers_send,
	.resolve = op_resolve,
	.output = op_output,
	.drop = peers_drop,
	.request = op_request,
};

/* --- what the pool wants --- */

void
driver_expect(struct driver *d, uint64_t now_ms)
{
	dispatch_expect(d->dispatch, d->jobs.expected, now_ms);
	dispatch_explain(d->dispatch,
			 d->jobs.why[0] == '\0' ? NULL : d->jobs.why);
	/* What kept all daemons from starting will not go away while nobody
	 * knows of it. */
	dispatch_despair(d->dispatch,
			 d->own_address && d->jobs.n == 0 && !d->jobs.met &&
				 d->jobs.why[0] != '\0',
			 now_ms);
	d->pool->wake_due = true;
}

static int
driver_submit(struct cadre_pool *pool, struct cadre_task *t,
	      const struct opts_shape *shape,
	      const struct pool_payload *payload, uint64_t now_ms)
{
	struct driver *d = driver_of(pool);
	struct dispatch_body body = {
		.fields = shape->fields,
		.payload = payload->data,
		.payload_len = payload->len,
		.owner = payload->owner,
	};
	uint64_t id;
	int rc;

	if (d->dispatch == NULL)
		return CADRE_ECLOSED;
	rc = dispatch_submit(d->dispatch, &shape->spec, &body, t, now_ms, &id);
	if (rc == 0)
		atomic_store_explicit(&t->id, id, memory_order_release);
	return rc;
}

static int
driver_everywhere(struct cadre_pool *pool, struct cadre_task *t,
		  const struct opts_shape *shape,
		  const struct pool_payload *payload, bool once,
		  uint64_t now_ms)
{
	struct driver *d = driver_of(pool);
	struct dispatch_spec spec = shape->spec;
	struct dispatch_body body = {
		.fields = shape->fields,
		.payload = payload->data,
		.payload_len = payload->len,
		.owner = payload->owner,
	};
	uint64_t epoch;
	int rc;

	if (d->dispatch == NULL)
		return CADRE_ECLOSED;
	if (once)
		spec.flags |= WIRE_ONCE;
	rc = dispatch_everywhere(d->dispatch, &spec, &body, t, now_ms, &epoch);
	if (rc == 0)
		atomic_store(&t->id, epoch);
	return rc;
}

static void
driver_reset(struct cadre_pool *pool)
{
	dispatch_reset(driver_of(pool)->dispatch, clock_now_ms());
}

static void
driver_cancel(struct cadre_pool *pool, struct cadre_task *t)
{
	if (t->kind == TASK_EVERYWHERE)
		return;
	(void)dispatch_cancel(driver_of(pool)->dispatch, atomic_load(&t->id),
			      clock_now_ms());
}

static enum cadre_state
driver_state(struct cadre_pool *pool, const struct cadre_task *t)
{
	if (t->kind == TASK_EVERYWHERE)
		return CADRE_STARTED;
	return dispatch_state(driver_of(pool)->dispatch, atomic_load(&t->id));
}

static void
driver_pause(struct cadre_pool *pool, bool paused)
{
	struct driver *d = driver_of(pool);

	peers_pause(d, paused);
	pump_wake(d);
}

static void
driver_flush(struct cadre_pool *pool)
{
	struct driver *d = driver_of(pool);

	peers_flush(d);
	if (d->dispatch == NULL || d->pump_until == 0 ||
	    (dispatch_deadline(d->dispatch) >= d->pump_until &&
	     !jobs_wait_for_room(&d->jobs)))
		return;
	d->pump_until = 0;
	pump_wake(d);
}

static int
driver_info(struct cadre_pool *pool, struct cadre_info *ret,
	    struct cadre_error *err)
{
	struct driver *d = enter(pool, err);

	if (d == NULL)
		return CADRE_ECLOSED;
	submit_drain(pool);
	dispatch_info(d->dispatch, ret);
	pool_unlock(pool);
	return 0;
}

static int
driver_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
	      size_t *ret_n, struct cadre_error *err)
{
	struct driver *d = enter(pool, err);
	struct cadre_daemon_status *all;
	size_t n;

	if (d == NULL)
		return CADRE_ECLOSED;
	n = dispatch_status(d->dispatch, clock_now_ms(), NULL, 0);
	all = calloc(n + 1, sizeof(*all));
	if (all != NULL)
		n = dispatch_status(d->dispatch, clock_now_ms(), all, n);
	pool_unlock(pool);
	if (all == NULL)
		return error_nomem(err);
	*ret = all;
	*ret_n = n;
	return 0;
}

void
driver_look(struct driver *d, uint64_t now_ms)
{
	const struct jobs_plan plan = plan_of(d, now_ms);
	bool changed = jobs_look(&d->jobs, now_ms) || d->started;

	d->started = false;
	if (jobs_again(&d->jobs, &plan, now_ms) || changed)
		driver_expect(d, now_ms);
}

/* The dispatcher knows of them, too. */
static int
launch(struct driver *d, uint32_t daemons, uint32_t slots,
       struct cadre_error *err)
{
	uint64_t now = clock_now_ms();
	int rc = start(d, daemons, slots, now, err);

	if (rc < 0)
		return rc;
	driver_expect(d, now);
	pump_wake(d);
	return 0;
}

static int
driver_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
	     struct cadre_error *err)
{
	struct driver *d = enter(pool, err);
	uint32_t leaving = 0;
	int rc = 0;

	if (d == NULL)
		return CADRE_ECLOSED;
	if (remove)
		leaving = dispatch_leave(d->dispatch, slots, clock_now_ms());
	else
		rc = launch(d, 1, slots, err);
	pool_unlock(pool);
	if (remove && leaving == 0)
		return error_set(err, CADRE_ENOENT,
				 "no daemon is connected that could leave");
	return rc;
}

static int
driver_shutdown(struct cadre_pool *pool, struct cadre_error *err)
{
	if (enter(pool, err) == NULL)
		return CADRE_ECLOSED;
	atomic_store(&pool->ended, true);
	pool->wake_due = true;
	pool_unlock(pool);
	return 0;
}

static bool
driver_hopeless(struct cadre_pool *pool, unsigned int n,
		struct cadre_error *err)
{
	struct driver *d = enter(pool, err);
	uint64_t slots;
	bool hopeless;

	if (d == NULL)
		return false;
	slots = jobs_slots(&d->jobs);
	hopeless = d->jobs.next_index > 0 && slots < n &&
		   (d->own_address || (slots == 0 && d->jobs.why[0] != '\0'));
	if (hopeless)
		(void)error_set(err, CADRE_ELAUNCH,
				"%u slots were wanted, but the daemons that "
				"were started and live have %llu%s%s",
				n, (unsigned long long)slots,
				d->jobs.why[0] != '\0' ? ": " : "",
				d->jobs.why);
	pool_unlock(pool);
	return hopeless;
}

/* --- begin and end --- */

static void
free_settings(char **settings)
{
	for (char **s = settings; s != NULL && *s != NULL; s++)
		free(*s);
	free(settings);
}

static void
driver_free(struct driver *d)
{
	free_settings(d->settings);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	free(d);
}

/* Resolves what is open (mutex held). */
static void
finish(struct driver *d)
{
	peers_say_exit(d);
	if (d->dispatch != NULL)
		dispatch_free(&d->dispatch);
	submit_drain(d->pool);
	driver_flush(d->pool);
	pool_end(d->pool);
	peers_close(d, true);
}

static void
driver_close(struct cadre_pool *pool)
{
	struct driver *d = driver_of(pool);

	pool_lock(pool);
	d->stop = true;
	finish(d);
	pool_unlock(pool);
	pump_stop(d);
	if (d->listener != NULL)
		link_listener_free(&d->listener);
	jobs_end(&d->jobs, 2 * d->grace_ms + 1000);
	pool_lock(pool);
	peers_close(d, false);
	pool_unlock(pool);
	link_drain();
	driver_free(d);
}

static const struct pool_ops driver_ops = {
	.submit = driver_submit,
	.everywhere = driver_everywhere,
	.reset = driver_reset,
	.cancel = driver_cancel,
	.state = driver_state,
	.pause = driver_pause,
	.flush = driver_flush,
	.info = driver_info,
	.status = driver_status,
	.scale = driver_scale,
	.shutdown = driver_shutdown,
	.hopeless = driver_hopeless,
	.close = driver_close,
};

/* A duration of the config; none is 0 as the dispatcher has it. */
static uint64_t
limit_of(const struct cadre_config *cfg, const char *key, int64_t missing)
{
	int64_t ms = setting_ms(cadre_config_get(cfg, key), missing);

	return ms == PARSE_FOREVER ? 0 : (uint64_t)ms;
}

static void
dispatch_settings(const struct cadre_config *cfg, struct dispatch_config *ret)
{
	uint64_t beat = limit_of(cfg, "heartbeat", 2000);

	dispatch_config_default(ret);
	ret->window =
		(uint32_t)setting_number(cadre_config_get(cfg, "window"), 8192);
	ret->heartbeat_ms =
		beat > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)beat;
	ret->idle_limit_ms = limit_of(cfg, "idle-limit", 30000);
}

static int
check_auth(struct driver *d, const struct cadre_config *cfg, const char *url,
	   struct cadre_error *err)
{
	const char *name = cadre_config_get(cfg, "auth");
	bool tcp = strncmp(url, "tcp", 3) == 0;

	d->auth = auth_find(name == NULL ? "peer" : name);
	if (d->auth == NULL)
		return error_set(err, CADRE_EINVAL,
				 "there is no authenticator \"%s\"", name);
	return d->auth->usable(link_url_is_local(url), !tcp, err);
}

/* The address to listen on, into pool->url until it is known exactly. */
static int
choose_url(struct driver *d, struct cadre_error *err)
{
	struct cadre_pool *pool = d->pool;
	const char *url = cadre_config_get(pool->cfg, "url");

	d->own_address = url == NULL && !d->serve;
	if (url == NULL)
		return address_new(pool->profile, d->serve, &pool->url, err);
	pool->url = strdup(url);
	return pool->url == NULL ? error_nomem(err) : 0;
}

static int
listen_on(struct driver *d, struct cadre_error *err)
{
	struct cadre_error why = CADRE_ERROR_INIT;
	struct cadre_pool *pool = d->pool;
	char *url;
	int rc = choose_url(d, err);

	if (rc == 0)
		rc = check_auth(d, pool->cfg, pool->url, err);
	if (rc < 0)
		return rc;
	d->local = link_url_is_local(pool->url);
	rc = link_listen(pool->url, &peers_link_ops, d, &d->listener, &why);
	if (rc == CADRE_EEXIST)
		return error_set(err, rc,
				 "another dispatcher listens at %s already: "
				 "stop it, connect to it, or choose another "
				 "profile or url",
				 pool->url);
	if (rc < 0)
		return error_set(err, rc, "%s", why.text);
	url = strdup(link_listener_url(d->listener));
	if (url == NULL)
		return error_nomem(err);
	pool_lock(pool);
	free(pool->url);
	pool->url = url;
	pool_unlock(pool);
	return 0;
}

static int
start_daemons(struct driver *d, struct cadre_error *err)
{
	const struct cadre_config *cfg = d->pool->cfg;
	const char *launcher = cadre_config_get(cfg, "launcher");
	const char *daemons = cadre_config_get(cfg, "daemons");
	const char *slots = cadre_config_get(cfg, "slots");
	uint32_t n_daemons = (uint32_t)setting_number(daemons, 1);
	uint32_t n_slots;
	int rc;

	if (launcher != NULL && strcmp(launcher, "none") == 0)
		return 0;
	n_slots = daemons != NULL ? n_daemons : place_default_slots();
	n_slots = (uint32_t)setting_number(slots, n_slots);
	if (n_slots < n_daemons)
		return error_set(err, CADRE_EINVAL,
				 "%u daemons cannot share %u slots: each needs "
				 "at least one",
				 n_daemons, n_slots);
	pool_lock(d->pool);
	rc = launch(d, n_daemons, n_slots, err);
	pool_unlock(d->pool);
	return rc;
}

static int
prepare(struct driver *d, struct cadre_error *err)
{
	const struct cadre_config *cfg = d->pool->cfg;
	struct dispatch_config settings;
	int64_t start = setting_ms(cadre_config_get(cfg, "start-limit"), 30000);

	dispatch_settings(cfg, &settings);
	d->heartbeat_ms = settings.heartbeat_ms;
	d->serve = setting_bool(cadre_config_get(cfg, "serve"), false);
	d->start_limit_ms =
		start == PARSE_FOREVER ? UINT64_MAX : (uint64_t)start;
	d->grace_ms = limit_of(cfg, "grace", 5000);
	d->jobs.relaunch =
		(uint32_t)setting_number(cadre_config_get(cfg, "relaunch"), 5);
	d->jobs.show =
		setting_bool(cadre_config_get(cfg, "output-daemon"), false);
	d->pump_until = 0;
	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return error_sys(err, errno, "cannot make an eventfd");
	if (config_daemon_settings(cfg, &d->settings) < 0)
		return error_nomem(err);
	d->dispatch = dispatch_new(&settings, &dispatch_callbacks, d);
	if (d->dispatch == NULL)
		return error_nomem(err);
	return address_random(DRIVER_SESSION, d->session, err);
}

int
driver_open(struct cadre_pool *pool, struct cadre_error *err)
{
	struct driver *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return error_nomem(err);
	d->pool = pool;
	d->wake_fd = -1;
	pool_begin(pool, &driver_ops, d);
	rc = prepare(d, err);
	if (rc == 0)
		rc = listen_on(d, err);
	if (rc == 0)
		rc = start_daemons(d, err);
	if (rc == 0)
		rc = pump_start(d, err);
	if (rc < 0)
		driver_close(pool);
	return rc;
}
