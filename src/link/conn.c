/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/recv.h"
#include "link/send.h"

/* nng takes no more pieces than this at once. */
#define CONN_PIECES 8
/* What is queued at a flushing close has so long to make progress. */
#define CONN_LINGER_MS 5000

/*
 * Callbacks of one connection never overlap and never hold a lock: whoever has
 * something to be done sets its bit, and runs until no bit is left unless
 * another thread is at it already.
 */
enum event {
	EVENT_RUNNING = 1, /* somebody is at it */
	EVENT_OPEN = 2,
	EVENT_RECEIVED = 4,
	EVENT_SENT = 8,
	EVENT_CHECK = 16 /* resume, or see whether it is over */
};

struct link_conn {
	_Atomic unsigned int refs;
	_Atomic unsigned int events;
	const struct link_ops *ops;
	void *arg;
	void *user;
	nng_aio *recv_aio;
	nng_aio *send_aio;
	nng_aio *wake_aio;
	nng_aio *linger_aio; /* made when needed */

	/* of whoever runs the events */
	struct recv_state recv;
	bool receiving; /* recv_aio is under way */
	bool opened;
	bool over;

	_Atomic uint64_t max;
	_Atomic bool paused;
	_Atomic bool waking;
	_Atomic size_t pending;
	/* Changed under the lock. */
	_Atomic bool sending;
	/* Set under the lock, for good. */
	_Atomic bool closing; /* no frame goes in or out any more */
	_Atomic bool dead;    /* the stream is closed */

	pthread_mutex_t lock; /* of what follows */
	nng_stream *stream;
	struct send_batch batch[2];
	struct send_batch *gather;
	struct send_batch *flight; /* of the send under way if there is one */
	size_t lingered; /* what was left when the timer last went off */
	char reason[160];

	/* fixed */
	bool have_uid;
	uid_t uid;
	char address[80];
};

/* Connections that are closing, for link_drain. */
static pthread_mutex_t drain_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t drain_cond = PTHREAD_COND_INITIALIZER;
static size_t draining;

static void run(struct link_conn *conn, unsigned int events);

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

/* Calls run(EVENT_CHECK) on a thread of nng. */
static void
wake(struct link_conn *conn)
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
	run(conn, EVENT_CHECK);
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

/* Ends the connection at once; from a callback, or the caller wakes it. */
static void
abandon(struct link_conn *conn, const char *reason)
{
	(void)pthread_mutex_lock(&conn->lock);
	set_closing(conn, reason);
	set_dead(conn);
	(void)pthread_mutex_unlock(&conn->lock);
}

static void
abandon_nng(struct link_conn *conn, int rv)
{
	bool ended = rv == NNG_ECONNSHUT || rv == NNG_ECLOSED;

	abandon(conn,
		ended ? "the peer closed the connection" : nng_strerror(rv));
}

/* A stream that was closed meanwhile keeps what is submitted to it for ever
 * (nng 1.5); set_dead may have been too early to end it. */
static void
check_submitted(struct link_conn *conn, nng_aio *aio)
{
	if (atomic_load(&conn->dead))
		nng_aio_cancel(aio);
}

/* --- sending --- */

static void
submit_send(struct link_conn *conn)
{
	struct iovec pieces[CONN_PIECES];
	nng_iov iov[CONN_PIECES];
	unsigned int n;

	n = send_pieces(conn->flight, pieces, CONN_PIECES);
	for (unsigned int i = 0; i < n; i++)
		iov[i] = (nng_iov){pieces[i].iov_base, pieces[i].iov_len};
	(void)nng_aio_set_iov(conn->send_aio, n, iov);
	(void)link_ref(conn);
	nng_stream_send(conn->stream, conn->send_aio);
	check_submitted(conn, conn->send_aio);
	link_unref(&conn);
}

/* Under the lock: what has gathered becomes the batch in flight; false if there
 * is nothing to send or no way to. */
static bool
take_off(struct link_conn *conn)
{
	struct send_batch *batch = conn->gather;

	if (atomic_load(&conn->dead) || batch->left == 0)
		return false;
	conn->gather = conn->flight;
	conn->flight = batch;
	atomic_store(&conn->sending, true);
	return true;
}

void
link_flush(struct link_conn *conn)
{
	bool go;

	/* Its completion will see what was queued before this call. */
	if (atomic_load(&conn->sending))
		return;
	(void)pthread_mutex_lock(&conn->lock);
	go = !atomic_load(&conn->sending) && take_off(conn);
	(void)pthread_mutex_unlock(&conn->lock);
	if (!go)
		return;
	(void)link_ref(conn);
	submit_send(conn);
}

/* The batch in flight is sent or lost: goes on with the next. */
static bool
landed(struct link_conn *conn)
{
	bool go;

	send_reset(conn->flight);
	(void)pthread_mutex_lock(&conn->lock);
	go = take_off(conn);
	if (!go)
		atomic_store(&conn->sending, false);
	(void)pthread_mutex_unlock(&conn->lock);
	return go;
}

static void
send_done(void *arg)
{
	struct link_conn *conn = arg;
	int rv = nng_aio_result(conn->send_aio);
	size_t n = nng_aio_count(conn->send_aio);
	bool sent;

	if (rv == 0) {
		send_advance(conn->flight, n);
		atomic_fetch_sub(&conn->pending, n);
	} else {
		abandon_nng(conn, rv);
	}
	if ((rv == 0 && conn->flight->left > 0) || landed(conn)) {
		submit_send(conn);
		return;
	}
	sent = rv == 0 && conn->ops->sent != NULL;
	if (sent || atomic_load(&conn->closing))
		run(conn, sent ? EVENT_SENT : EVENT_CHECK);
	link_unref(&conn);
}

int
link_send(struct link_conn *conn, const struct wire_frame *frame)
{
	int rc = CADRE_ECLOSED;
	size_t before;

	(void)pthread_mutex_lock(&conn->lock);
	if (!atomic_load(&conn->closing)) {
		before = conn->gather->left;
		rc = send_put(conn->gather, frame);
		atomic_fetch_add(&conn->pending, conn->gather->left - before);
	}
	(void)pthread_mutex_unlock(&conn->lock);
	return rc;
}

int
link_send_bytes(struct link_conn *conn, const void *data, size_t len)
{
	int rc = CADRE_ECLOSED;

	(void)pthread_mutex_lock(&conn->lock);
	if (!atomic_load(&conn->closing)) {
		rc = send_put_bytes(conn->gather, data, len);
		if (rc == 0)
			atomic_fetch_add(&conn->pending, len);
	}
	(void)pthread_mutex_unlock(&conn->lock);
	return rc;
}

size_t
link_pending(const struct link_conn *conn)
{
	return atomic_load((_Atomic size_t *)&conn->pending);
}

/* --- receiving --- */

/* Asks the user for the memory of a large frame; after a close there is nobody
 * to ask. */
static int
begin_large(struct link_conn *conn, const struct wire_frame *head)
{
	size_t size = recv_head_size(&conn->recv);
	struct blob *blob = NULL;

	if (conn->ops->alloc != NULL && !atomic_load(&conn->closing))
		blob = conn->ops->alloc(conn->user, head, size);
	if (blob != NULL && blob->len < size)
		blob_unref(&blob);
	return recv_large(&conn->recv, blob);
}

static int
deliver(struct link_conn *conn, const struct wire_frame *frame, bool *batch)
{
	int rc;

	if (!*batch && conn->ops->batch_begin != NULL)
		conn->ops->batch_begin(conn->user);
	*batch = true;
	rc = conn->ops->frame(conn->user, frame);
	return rc < 0 ? rc : RECV_FRAME;
}

/* Hands out the frames that are there; what follows a close is only read to
 * find its end. */
static void
hand_out(struct link_conn *conn)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	bool batch = false;
	int rc = RECV_FRAME;

	while (rc > RECV_MORE && !atomic_load(&conn->dead)) {
		bool closing = atomic_load(&conn->closing);
		struct wire_frame frame;

		if (!closing && atomic_load(&conn->paused))
			break;
		rc = recv_next(&conn->recv, atomic_load(&conn->max), &frame,
			       &err);
		if (rc == RECV_END) {
			abandon(conn, "the peer closed the connection");
			break;
		}
		if (rc == RECV_HEAD)
			rc = begin_large(conn, &frame) < 0 ? CADRE_ENOMEM
							   : RECV_HEAD;
		else if (rc == RECV_FRAME && !closing)
			rc = deliver(conn, &frame, &batch);
	}
	if (batch && conn->ops->batch_end != NULL)
		conn->ops->batch_end(conn->user);
	/* A close of the user's may still have to send why. */
	if (rc < 0 && !atomic_load(&conn->closing))
		abandon(conn, err.code != 0 ? err.text : cadre_strerror(rc));
}

static void
submit_recv(struct link_conn *conn)
{
	struct iovec pieces[2];
	nng_iov iov[2];
	unsigned int n;

	if (recv_room(&conn->recv, pieces, &n) < 0) {
		abandon(conn, "out of memory");
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		iov[i] = (nng_iov){pieces[i].iov_base, pieces[i].iov_len};
	(void)nng_aio_set_iov(conn->recv_aio, n, iov);
	conn->receiving = true;
	(void)link_ref(conn);
	nng_stream_recv(conn->stream, conn->recv_aio);
	check_submitted(conn, conn->recv_aio);
}

static void
recv_done(void *arg)
{
	struct link_conn *conn = arg;

	run(conn, EVENT_RECEIVED);
	link_unref(&conn);
}

static void
received(struct link_conn *conn)
{
	int rv = nng_aio_result(conn->recv_aio);

	conn->receiving = false;
	if (rv != 0)
		abandon_nng(conn, rv);
	else if (recv_advance(&conn->recv, nng_aio_count(conn->recv_aio)) < 0)
		abandon(conn, "out of memory");
}

void
link_pause(struct link_conn *conn, bool paused)
{
	atomic_store(&conn->paused, paused);
	if (!paused)
		wake(conn);
}

void
link_set_max(struct link_conn *conn, uint64_t max)
{
	atomic_store(&conn->max, max);
}

/* --- life and death --- */

static void
open_conn(struct link_conn *conn)
{
	conn->user = conn->ops->opened(conn->arg, conn);
	conn->opened = conn->user != NULL;
	if (!conn->opened)
		abandon(conn, "refused");
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
		received(conn);
	if ((events & EVENT_SENT) != 0 && conn->opened)
		conn->ops->sent(conn->user);
	if (may_receive(conn))
		hand_out(conn);
	if (may_receive(conn))
		submit_recv(conn);
	if (is_over(conn))
		finish(conn);
}

static void
run(struct link_conn *conn, unsigned int events)
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
	run(conn, EVENT_CHECK);
	link_unref(&conn);
}

/*
 * Under the lock: says that nothing more comes and waits for the other end to
 * close.  Were the stream just closed, what the other end has not read yet
 * would be lost with it.
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
	wake(conn);
}

/* --- making them --- */

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
	    nng_aio_alloc(&conn->send_aio, send_done, conn) == 0 &&
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
	run(conn, EVENT_OPEN);
	link_unref(&conn);
}
