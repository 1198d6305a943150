/* SPDX-License-Identifier: MIT */
#include "host/driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utlist.h>

#include "auth/handshake.h"
#include "host/address.h"
#include "host/config.h"
#include "host/jobs.h"
#include "host/setting.h"
#include "host/task.h"
#include "link/link.h"
#include "place/place.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/parse.h"

/* The dispatcher of this process: joins the state machine to connections, to a
 * clock (the pump thread) and to the daemons that it launched. */

#define SESSION_BYTES 16u
/* A connection that has not proved by then who it is gets closed. */
#define HANDSHAKE_MS 10000u
/* Connections that have not proved it yet; more are refused. */
#define HANDSHAKES_MAX 1024u

struct peer {
	struct peer *prev, *next;
	struct driver *driver;
	struct link_conn *conn;
	struct handshake *handshake; /* NULL once it is over */
	struct dispatch_peer *peer;  /* NULL unless the dispatcher knows it */
	uint64_t since_ms;
	bool daemon;
	bool dirty;
	struct peer *next_dirty;
};

struct driver {
	struct cadre_pool *pool;
	struct dispatch *dispatch; /* NULL once the pool is closed */
	struct link_listener *listener;
	const struct auth_ops *auth;
	char session[2 * SESSION_BYTES + 1];
	uint32_t heartbeat_ms;
	bool serve;
	bool own_address; /* nobody else knows where to dial */
	struct peer *peers;
	size_t handshakes; /* peers that are not through with it */
	struct peer *dirty;
	uint64_t batch_ms; /* when the current batch of frames began */
	bool paused;
	struct jobs jobs;
	uint32_t launches; /* slots that a host asked for, not yet started */
	char **settings;   /* of cadred */
	uint64_t start_limit_ms;
	uint64_t grace_ms;
	pthread_t pump;
	bool pumping;
	int wake_fd;
	uint64_t pump_until; /* it sleeps until then */
	bool stop;	     /* it is to end */
};

static struct driver *
driver_of(struct cadre_pool *pool)
{
	return pool->impl;
}

static void
wake_pump(struct driver *d)
{
	(void)!write(d->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* --- what the dispatcher wants --- */

static void
mark_dirty(struct peer *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	p->next_dirty = p->driver->dirty;
	p->driver->dirty = p;
}

static void
op_send(void *arg, void *conn, const struct wire_frame *frame)
{
	struct peer *p = conn;

	(void)arg;
	/* If it fails, the connection is about to end and says so itself. */
	if (link_send(p->conn, frame) == 0)
		mark_dirty(p);
}

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

static void
op_drop(void *arg, void *conn, const char *reason)
{
	struct peer *p = conn;

	(void)arg;
	p->peer = NULL;
	link_close(p->conn, reason, true);
}

static int
op_request(void *arg, void *conn, const struct wire_frame *frame)
{
	struct driver *d = arg;

	(void)conn;
	if (frame->type == WIRE_SHUTDOWN) {
		atomic_store(&d->pool->ended, true);
		d->pool->wake_due = true;
		return 0;
	}
	if (frame->type != WIRE_SCALE ||
	    wire_u64(frame, WIRE_TAG_SLOTS, 0) > UINT32_MAX / 2)
		return CADRE_EINVAL;
	/* Processes are started by the pump thread, not within the event. */
	d->launches += (uint32_t)wire_u64(frame, WIRE_TAG_SLOTS, 0);
	wake_pump(d);
	return 0;
}

static const struct dispatch_ops dispatch_callbacks = {
	.send = op_send,
	.resolve = op_resolve,
	.output = op_output,
	.drop = op_drop,
	.request = op_request,
};

/* --- connections --- */

static void *
on_opened(void *arg, struct link_conn *conn)
{
	struct driver *d = arg;
	struct handshake_params params = {
		.auth = d->auth,
		.expected_uid = geteuid(),
		.local = link_url_is_local(d->pool->url),
		.session = d->session,
	};
	struct peer *p = calloc(1, sizeof(*p));
	struct buf hello;

	if (p == NULL)
		return NULL;
	buf_init(&hello, WIRE_MAX_HANDSHAKE);
	wire_put_u64(&hello, WIRE_TAG_ROLE, WIRE_ROLE_DISPATCHER);
	wire_put_u64(&hello, WIRE_TAG_PID, (uint64_t)getpid());
	params.hello = hello.data;
	params.hello_len = hello.len;
	params.have_peer_uid = link_peer_uid(conn, &params.peer_uid) == 0;
	p->driver = d;
	p->conn = conn;
	p->since_ms = clock_now_ms();
	pool_lock(d->pool);
	if (d->dispatch == NULL || d->handshakes == HANDSHAKES_MAX ||
	    hello.error != 0 || handshake_new(&params, &p->handshake) < 0) {
		free(p);
		p = NULL;
	} else {
		DL_APPEND(d->peers, p);
		d->handshakes++;
	}
	pool_unlock(d->pool);
	buf_fini(&hello);
	return p;
}

static void
on_batch_begin(void *user)
{
	struct peer *p = user;

	pool_lock(p->driver->pool);
	p->driver->batch_ms = clock_now_ms();
}

static void
on_batch_end(void *user)
{
	struct peer *p = user;

	pool_unlock(p->driver->pool);
}

static void
handshake_over(struct peer *p)
{
	if (p->handshake == NULL)
		return;
	handshake_free(&p->handshake);
	p->driver->handshakes--;
}

static void
expect(struct driver *d, uint64_t now_ms)
{
	dispatch_expect(d->dispatch, d->jobs.expected, now_ms);
	dispatch_explain(d->dispatch,
			 d->jobs.why[0] == '\0' ? NULL : d->jobs.why);
	d->pool->wake_due = true;
}

static void
send_frame(struct peer *p, uint16_t type, uint32_t incarnation,
	   const struct buf *fields)
{
	op_send(p->driver, p,
		&(struct wire_frame){.type = type,
				     .incarnation = incarnation,
				     .fields = fields->data,
				     .fields_len = fields->len});
}

static void
refuse(struct peer *p, const char *reason)
{
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_REASON, reason);
	send_frame(p, WIRE_REFUSED, 0, &fields);
	buf_fini(&fields);
	link_close(p->conn, reason, true);
}

static void
send_welcome(struct peer *p, uint32_t incarnation)
{
	struct driver *d = p->driver;
	struct buf fields;

	buf_init(&fields, WIRE_MAX_HANDSHAKE);
	wire_put_str(&fields, WIRE_TAG_SESSION, d->session);
	wire_put_u64(&fields, WIRE_TAG_HEARTBEAT_MS, d->heartbeat_ms);
	send_frame(p, WIRE_WELCOME, incarnation, &fields);
	buf_fini(&fields);
}

/* The peer proved who it is. */
static void
welcome(struct peer *p)
{
	struct driver *d = p->driver;
	const struct wire_frame *hello = handshake_hello(p->handshake);
	uint64_t role = wire_u64(hello, WIRE_TAG_ROLE, 0);
	uint32_t incarnation;
	int rc;

	if (role == WIRE_ROLE_HOST && !d->serve) {
		refuse(p, "this dispatcher serves its own process only: open "
			  "it with serve=yes, or by cadre start");
		return;
	}
	rc = dispatch_peer_up(d->dispatch, hello, p, link_peer_address(p->conn),
			      d->batch_ms, &p->peer, &incarnation);
	if (rc < 0) {
		refuse(p, rc == CADRE_ENOMEM
				  ? "the dispatcher ran out of memory"
				  : "the hello says nothing that makes sense");
		return;
	}
	p->daemon = role == WIRE_ROLE_DAEMON;
	link_set_max(p->conn, WIRE_MAX_FRAME);
	send_welcome(p, incarnation);
	if (p->daemon)
		jobs_connected(&d->jobs,
			       (uint32_t)wire_u64(hello, WIRE_TAG_INDEX, 0),
			       (int64_t)wire_u64(hello, WIRE_TAG_PID, 0));
	handshake_over(p);
	expect(d, d->batch_ms);
	dispatch_peer_ready(d->dispatch, p->peer, d->batch_ms);
}

static int
greet(struct peer *p, const struct wire_frame *frame)
{
	enum handshake_status status = HANDSHAKE_MORE;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct buf out;
	int rc;

	if (p->handshake == NULL)
		return CADRE_EPROTO;
	buf_init(&out, 2 * WIRE_MAX_HANDSHAKE);
	rc = handshake_frame(p->handshake, frame, &out, &status, &err);
	if (out.len > 0 && link_send_bytes(p->conn, out.data, out.len) == 0)
		mark_dirty(p);
	buf_fini(&out);
	if (rc < 0)
		link_close(p->conn, err.text, true);
	else if (status == HANDSHAKE_PROVED)
		welcome(p);
	return 0;
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct peer *p = user;
	struct driver *d = p->driver;

	if (d->dispatch == NULL)
		return CADRE_ECLOSED;
	if (p->peer == NULL)
		return greet(p, frame);
	if (frame->type == WIRE_SLOT_UP || frame->type == WIRE_SLOT_DOWN)
		pool_notify(d->pool);
	return dispatch_frame(d->dispatch, p->peer, frame, d->batch_ms, NULL);
}

static void
forget_dirty(struct peer *p)
{
	struct peer **at = &p->driver->dirty;

	while (p->dirty && *at != NULL && *at != p)
		at = &(*at)->next_dirty;
	if (p->dirty && *at == p)
		*at = p->next_dirty;
}

static void
on_closed(void *user, const char *reason)
{
	struct peer *p = user;
	struct driver *d = p->driver;

	pool_lock(d->pool);
	if (p->peer != NULL && d->dispatch != NULL)
		dispatch_peer_lost(d->dispatch, p->peer, reason,
				   clock_now_ms());
	handshake_over(p);
	forget_dirty(p);
	DL_DELETE(d->peers, p);
	d->pool->wake_due = true;
	pool_unlock(d->pool);
	free(p);
}

static const struct link_ops link_callbacks = {
	.opened = on_opened,
	.batch_begin = on_batch_begin,
	.frame = on_frame,
	.batch_end = on_batch_end,
	.closed = on_closed,
};

/* --- what the pool wants --- */

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
	struct peer *p;

	d->paused = paused;
	DL_FOREACH (d->peers, p) {
		if (p->peer != NULL && p->daemon)
			link_pause(p->conn, paused);
	}
	wake_pump(d);
}

static void
driver_flush(struct cadre_pool *pool)
{
	struct driver *d = driver_of(pool);

	while (d->dirty != NULL) {
		struct peer *p = d->dirty;

		d->dirty = p->next_dirty;
		p->dirty = false;
		link_flush(p->conn);
	}
	if (d->dispatch == NULL ||
	    dispatch_deadline(d->dispatch) >= d->pump_until)
		return;
	d->pump_until = 0;
	wake_pump(d);
}

static int
driver_info(struct cadre_pool *pool, struct cadre_info *ret,
	    struct cadre_error *err)
{
	struct driver *d = driver_of(pool);

	(void)err;
	pool_lock(pool);
	submit_drain(pool);
	dispatch_info(d->dispatch, ret);
	pool_unlock(pool);
	return 0;
}

static int
driver_status(struct cadre_pool *pool, struct cadre_daemon_status **ret,
	      size_t *ret_n, struct cadre_error *err)
{
	struct driver *d = driver_of(pool);
	struct cadre_daemon_status *all;
	size_t n;

	pool_lock(pool);
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

/* Mutex held. */
static int
launch(struct driver *d, uint32_t daemons, uint32_t slots,
       struct cadre_error *err)
{
	uint64_t now = clock_now_ms();
	struct jobs_plan plan = {
		.url = d->pool->url,
		.session = d->session,
		.auth = d->auth->name,
		.settings = d->settings,
		.daemons = daemons,
		.slots = slots,
		.give_up_ms = d->start_limit_ms > UINT64_MAX - now
				      ? UINT64_MAX
				      : now + d->start_limit_ms,
	};
	int rc = jobs_start(&d->jobs, &plan, err);

	if (rc < 0)
		return rc;
	expect(d, now);
	wake_pump(d);
	return 0;
}

static int
driver_scale(struct cadre_pool *pool, uint32_t slots, bool remove,
	     struct cadre_error *err)
{
	struct driver *d = driver_of(pool);
	uint32_t leaving = 0;
	int rc = 0;

	pool_lock(pool);
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
	(void)err;
	pool_lock(pool);
	atomic_store(&pool->ended, true);
	pool->wake_due = true;
	pool_unlock(pool);
	return 0;
}

static bool
driver_hopeless(struct cadre_pool *pool, unsigned int n,
		struct cadre_error *err)
{
	struct driver *d = driver_of(pool);
	uint64_t slots;
	bool hopeless;

	pool_lock(pool);
	slots = jobs_slots(&d->jobs) + d->launches;
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

/* --- the pump thread --- */

static void
close_silent(struct driver *d, uint64_t now)
{
	struct peer *p;

	if (d->handshakes == 0)
		return;
	DL_FOREACH (d->peers, p) {
		if (p->handshake != NULL && now - p->since_ms >= HANDSHAKE_MS)
			link_close(p->conn, "no handshake in time", false);
	}
}

/* Peers that we do not read cannot be heard: they count as alive. */
static void
keep_paused(struct driver *d, uint64_t now)
{
	static const struct wire_frame beat = {.type = WIRE_HEARTBEAT};
	struct peer *p, *after;

	DL_FOREACH_SAFE (d->peers, p, after) {
		if (p->peer != NULL && p->daemon)
			(void)dispatch_frame(d->dispatch, p->peer, &beat, now,
					     NULL);
	}
}

static void
start_requested(struct driver *d)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	uint32_t slots = d->launches;

	d->launches = 0;
	if (slots == 0 || launch(d, 1, slots, &err) == 0)
		return;
	(void)snprintf(d->jobs.why, sizeof(d->jobs.why), "%.390s", err.text);
	expect(d, clock_now_ms());
}

/* Mutex held.  When it is due again. */
static uint64_t
pump_once(struct driver *d, bool look)
{
	uint64_t now = clock_now_ms();
	uint64_t due;

	start_requested(d);
	if (look && jobs_look(&d->jobs, now))
		expect(d, now);
	close_silent(d, now);
	if (d->paused)
		keep_paused(d, now);
	dispatch_tick(d->dispatch, now);
	due = dispatch_deadline(d->dispatch);
	if (jobs_deadline(&d->jobs, now) < due)
		due = jobs_deadline(&d->jobs, now);
	if (d->handshakes > 0 && now + HANDSHAKE_MS < due)
		due = now + HANDSHAKE_MS;
	if (d->paused && now + d->heartbeat_ms < due)
		due = now + d->heartbeat_ms;
	return due;
}

/* Room for all descriptors; fds is reused. */
static size_t
pump_fds(struct driver *d, struct pollfd **fds, size_t *room)
{
	size_t need = 1 + 2 * d->jobs.n;

	if (need > *room) {
		struct pollfd *more = realloc(*fds, need * sizeof(*more));

		if (more == NULL)
			return 0;
		*fds = more;
		*room = need;
	}
	(*fds)[0] = (struct pollfd){.fd = d->wake_fd, .events = POLLIN};
	return 1 + jobs_pollfds(&d->jobs, *fds + 1);
}

static void
pump_sleep(struct pollfd *fds, size_t n, uint64_t due)
{
	uint64_t now = clock_now_ms();
	uint64_t count;
	int timeout = -1;

	if (due != UINT64_MAX)
		timeout = due <= now		? 0
			  : due - now > 3600000 ? 3600000
						: (int)(due - now);
	(void)poll(fds, (nfds_t)n, timeout);
	if (n > 0 && fds[0].revents != 0)
		(void)!read(fds[0].fd, &count, sizeof(count));
}

static bool
any_news(const struct pollfd *fds, size_t n, uint64_t due)
{
	for (size_t i = 1; i < n; i++)
		if (fds[i].revents != 0)
			return true;
	return clock_now_ms() >= due;
}

static void *
pump_main(void *arg)
{
	struct driver *d = arg;
	struct pollfd *fds = NULL;
	size_t room = 0, n;
	bool look = true;
	uint64_t due;

	pool_lock(d->pool);
	while (!d->stop) {
		due = pump_once(d, look);
		n = pump_fds(d, &fds, &room);
		d->pump_until = due;
		pool_unlock(d->pool);
		pump_sleep(fds, n, due);
		look = any_news(fds, n, due);
		pool_lock(d->pool);
		d->pump_until = 0;
	}
	pool_unlock(d->pool);
	free(fds);
	return NULL;
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

/* Says goodbye to all peers and resolves what is open (mutex held). */
static void
part(struct driver *d, bool flush)
{
	const struct buf none = {0};
	struct peer *p;

	DL_FOREACH (d->peers, p) {
		if (flush && p->daemon && p->peer != NULL)
			send_frame(p, WIRE_EXIT, 0, &none);
	}
	if (d->dispatch != NULL) {
		dispatch_free(&d->dispatch);
		submit_drain(d->pool);
		driver_flush(d->pool);
		pool_end(d->pool);
	}
	DL_FOREACH (d->peers, p) {
		p->peer = NULL;
		link_close(p->conn, "the pool was closed", flush);
	}
}

static void
driver_close(struct cadre_pool *pool)
{
	struct driver *d = driver_of(pool);

	pool_lock(pool);
	d->stop = true;
	part(d, true);
	pool->wake_due = true;
	pool_unlock(pool);
	if (d->pumping) {
		wake_pump(d);
		(void)pthread_join(d->pump, NULL);
	}
	if (d->listener != NULL)
		link_listener_free(&d->listener);
	jobs_end(&d->jobs, 2 * d->grace_ms + 1000);
	pool_lock(pool);
	part(d, false);
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
	rc = link_listen(pool->url, &link_callbacks, d, &d->listener, &why);
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
start_pump(struct driver *d, struct cadre_error *err)
{
	int rc = pthread_create(&d->pump, NULL, pump_main, d);

	if (rc != 0)
		return error_sys(err, rc, "cannot start a thread");
	d->pumping = true;
	return 0;
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
	return address_random(SESSION_BYTES, d->session, err);
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
	pool->ops = &driver_ops;
	pool->impl = d;
	rc = prepare(d, err);
	if (rc == 0)
		rc = listen_on(d, err);
	if (rc == 0)
		rc = start_daemons(d, err);
	if (rc == 0)
		rc = start_pump(d, err);
	if (rc < 0)
		driver_close(pool);
	return rc;
}
