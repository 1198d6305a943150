/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* What is queued at a flushing close has so long to make progress. */
#define CONN_LINGER_MS 5000

/* Connections that are closing, for link_drain. */
static pthread_mutex_t drain_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t drain_cond = PTHREAD_COND_INITIALIZER;
static size_t draining;

static void
drain_add(void)
{
	(void)pthread_mutex_lock(&drain_lock);
	draining++;
	(void)pthread_mutex_unlock(&drain_lock);
}

static void
drain_remove(void)
{
	(void)pthread_mutex_lock(&drain_lock);
	if (--draining == 0)
		(void)pthread_cond_broadcast(&drain_cond);
	(void)pthread_mutex_unlock(&drain_lock);
}

void
link_drain(void)
{
	(void)pthread_mutex_lock(&drain_lock);
	while (draining > 0)
		(void)pthread_cond_wait(&drain_cond, &drain_lock);
	(void)pthread_mutex_unlock(&drain_lock);
}

struct link_conn *
link_ref(struct link_conn *conn)
{
	atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
	return conn;
}

static void
conn_free(struct link_conn *conn)
{
	nng_aio *aios[] = {conn->recv_aio, conn->send_aio, conn->wake_aio,
			   conn->linger_aio};

	/* The last reference may go within one of their callbacks. */
	for (size_t i = 0; i < sizeof(aios) / sizeof(aios[0]); i++)
		if (aios[i] != NULL)
			nng_aio_reap(aios[i]);
	recv_fini(&conn->recv);
	send_fini(&conn->batch[0]);
	send_fini(&conn->batch[1]);
	(void)pthread_mutex_destroy(&conn->lock);
	free(conn);
}

void
link_unref(struct link_conn **conn)
{
	struct link_conn *c = *conn;

	*conn = NULL;
	if (c != NULL &&
	    atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		conn_free(c);
}

void
conn_wake(struct link_conn *conn)
{
	if (atomic_exchange(&conn->waking, true))
		return;
	(void)link_ref(conn);
	if (nng_aio_begin(conn->wake_aio))
		nng_aio_finish(conn->wake_aio, 0);
}

static void
wake_done(void *arg)
{
	struct link_conn *conn = arg;

	atomic_store(&conn->waking, false);
	conn_run(conn, EVENT_CHECK);
	link_unref(&conn);
}

/* Under the lock: no more frames; the first reason is the one. */
static void
set_closing(struct link_conn *conn, const char *reason)
{
	if (atomic_load(&conn->closing))
		return;
	(void)snprintf(conn->reason, sizeof(conn->reason), "%s", reason);
	atomic_store(&conn->closing, true);
	drain_add();
}

/* Under the lock: whatever is under way ends soon. */
static void
set_dead(struct link_conn *conn)
{
	if (atomic_load(&conn->dead))
		return;
	atomic_store(&conn->dead, true);
	nng_stream_close(conn->stream);
}

void
conn_abandon(struct link_conn *conn, const char *reason)
{
	(void)pthread_mutex_lock(&conn->lock);
	set_closing(conn, reason);
	set_dead(conn);
	(void)pthread_mutex_unlock(&conn->lock);
}

void
conn_abandon_nng(struct link_conn *conn, int rv)
{
	bool ended = rv == NNG_ECONNSHUT || rv == NNG_ECLOSED;

	conn_abandon(conn, ended ? "the peer closed the connection"
				 : nng_strerror(rv));
}

/* A stream that was closed meanwhile keeps what is submitted to it for ever
 * (nng 1.5); set_dead may have been too early to end it. */
void
conn_check_submitted(struct link_conn *conn, nng_aio *aio)
{
	if (atomic_load(&conn->dead))
		nng_aio_cancel(aio);
}

static void
recv_done(void *arg)
{
	struct link_conn *conn = arg;

	conn_run(conn, EVENT_RECEIVED);
	link_unref(&conn);
}

static void
open_conn(struct link_conn *conn)
{
	conn->user = conn->ops->opened(conn->arg, conn);
	conn->opened = conn->user != NULL;
	if (!conn->opened)
		conn_abandon(conn, "refused");
}

/* Nothing is under way any more. */
static void
finish(struct link_conn *conn)
{
	conn->over = true;
	if (conn->opened)
		conn->ops->closed(conn->user, conn->reason);
	(void)pthread_mutex_lock(&conn->lock);
	nng_stream_free(conn->stream);
	conn->stream = NULL;
	if (conn->linger_aio != NULL)
		nng_aio_cancel(conn->linger_aio);
	send_fini(&conn->batch[0]);
	send_fini(&conn->batch[1]);
	(void)pthread_mutex_unlock(&conn->lock);
	recv_fini(&conn->recv);
	atomic_store(&conn->pending, 0);
	drain_remove();
	link_unref(&conn);
}

static bool
is_over(const struct link_conn *conn)
{
	return atomic_load(&conn->dead) && !conn->receiving &&
	       !atomic_load(&conn->sending);
}

static bool
may_receive(const struct link_conn *conn)
{
	return !conn->receiving && !atomic_load(&conn->dead) &&
	       (!atomic_load(&conn->paused) || atomic_load(&conn->closing));
}

static void
handle(struct link_conn *conn, unsigned int events)
{
	if (conn->over)
		return;
	if ((events & EVENT_OPEN) != 0)
		open_conn(conn);
	if ((events & EVENT_RECEIVED) != 0)
		conn_recv_done(conn);
	if ((events & EVENT_SENT) != 0 && conn->opened)
		conn->ops->sent(conn->user);
	if (may_receive(conn))
		conn_recv_hand_out(conn);
	if (may_receive(conn))
		conn_recv_submit(conn);
	if (is_over(conn))
		finish(conn);
}

void
conn_run(struct link_conn *conn, unsigned int events)
{
	unsigned int seen;

	seen = atomic_fetch_or(&conn->events, events | EVENT_RUNNING);
	if ((seen & EVENT_RUNNING) != 0)
		return;
	for (;;) {
		seen = atomic_fetch_and(&conn->events, EVENT_RUNNING);
		seen &= ~(unsigned int)EVENT_RUNNING;
		if (seen != 0) {
			handle(conn, seen);
			continue;
		}
		seen = EVENT_RUNNING;
		if (atomic_compare_exchange_strong(&conn->events, &seen, 0))
			return;
	}
}

static void
linger_done(void *arg)
{
	struct link_conn *conn = arg;
	size_t left = link_pending(conn);
	bool again;

	(void)pthread_mutex_lock(&conn->lock);
	again = !atomic_load(&conn->dead) && left < conn->lingered;
	conn->lingered = left;
	if (again)
		nng_sleep_aio(CONN_LINGER_MS, conn->linger_aio);
	else
		set_dead(conn);
	(void)pthread_mutex_unlock(&conn->lock);
	if (again)
		return;
	conn_run(conn, EVENT_CHECK);
	link_unref(&conn);
}

/*
 * Under the lock: says that nothing more comes and waits for the other end to
 * close.  nng cannot close one direction alone, and closing both while bytes of
 * the other end are unread resets a TCP connection: what the other end has not
 * read yet would be lost.
 */
static int
send_end(struct link_conn *conn)
{
	uint8_t mark[8];

	store_u64(mark, RECV_END_MARK);
	if (nng_aio_alloc(&conn->linger_aio, linger_done, conn) != 0 ||
	    send_put_bytes(conn->gather, mark, sizeof(mark)) < 0)
		return CADRE_ENOMEM;
	conn->lingered =
		atomic_fetch_add(&conn->pending, sizeof(mark)) + sizeof(mark);
	(void)link_ref(conn);
	nng_sleep_aio(CONN_LINGER_MS, conn->linger_aio);
	return 0;
}

void
link_close(struct link_conn *conn, const char *reason, bool flush)
{
	bool first;

	(void)pthread_mutex_lock(&conn->lock);
	first = !atomic_load(&conn->closing);
	set_closing(conn, reason);
	if (!flush || (first && send_end(conn) < 0))
		set_dead(conn);
	(void)pthread_mutex_unlock(&conn->lock);
	link_flush(conn);
	conn_wake(conn);
}

int
link_peer_uid(const struct link_conn *conn, uid_t *ret_uid)
{
	if (!conn->have_uid)
		return CADRE_ENOENT;
	*ret_uid = conn->uid;
	return 0;
}

const char *
link_peer_address(const struct link_conn *conn)
{
	return conn->address;
}

static void
name_peer(struct link_conn *conn)
{
	char host[INET6_ADDRSTRLEN];
	nng_sockaddr addr;
	uint64_t id;

	(void)snprintf(conn->address, sizeof(conn->address), "a local process");
	if (nng_stream_get_uint64(conn->stream, NNG_OPT_IPC_PEER_UID, &id) ==
	    0) {
		conn->uid = (uid_t)id;
		conn->have_uid = true;
	}
	if (nng_stream_get_uint64(conn->stream, NNG_OPT_IPC_PEER_PID, &id) == 0)
		(void)snprintf(conn->address, sizeof(conn->address),
			       "process %llu", (unsigned long long)id);
	if (nng_stream_get_addr(conn->stream, NNG_OPT_REMADDR, &addr) != 0)
		return;
	if (addr.s_family == NNG_AF_INET) {
		(void)inet_ntop(AF_INET, &addr.s_in.sa_addr, host,
				sizeof(host));
		(void)snprintf(conn->address, sizeof(conn->address), "%s:%u",
			       host, ntohs(addr.s_in.sa_port));
	} else if (addr.s_family == NNG_AF_INET6) {
		(void)inet_ntop(AF_INET6, addr.s_in6.sa_addr, host,
				sizeof(host));
		(void)snprintf(conn->address, sizeof(conn->address), "[%s]:%u",
			       host, ntohs(addr.s_in6.sa_port));
	}
}

static struct link_conn *
conn_new(nng_stream *stream)
{
	struct link_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	(void)pthread_mutex_init(&conn->lock, NULL);
	atomic_init(&conn->refs, 1);
	atomic_init(&conn->max, WIRE_MAX_HANDSHAKE);
	recv_init(&conn->recv);
	send_init(&conn->batch[0]);
	send_init(&conn->batch[1]);
	conn->gather = &conn->batch[0];
	conn->flight = &conn->batch[1];
	conn->stream = stream;
	if (nng_aio_alloc(&conn->recv_aio, recv_done, conn) == 0 &&
	    nng_aio_alloc(&conn->send_aio, conn_send_done, conn) == 0 &&
	    nng_aio_alloc(&conn->wake_aio, wake_done, conn) == 0)
		return conn;
	conn_free(conn);
	return NULL;
}

void
conn_start(nng_stream *stream, const struct link_ops *ops, void *arg)
{
	struct link_conn *conn = conn_new(stream);

	if (conn == NULL) {
		nng_stream_free(stream);
		return;
	}
	conn->ops = ops;
	conn->arg = arg;
	name_peer(conn);
	/* Both fail on local sockets, which need neither. */
	(void)nng_stream_set_bool(stream, NNG_OPT_TCP_NODELAY, true);
	(void)nng_stream_set_bool(stream, NNG_OPT_TCP_KEEPALIVE, true);
	(void)link_ref(conn);
	conn_run(conn, EVENT_OPEN);
	link_unref(&conn);
}
