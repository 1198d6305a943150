/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

/* nng takes no more pieces than this at once. */
#define CONN_PIECES 8

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
	conn_check_submitted(conn, conn->send_aio);
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

void
conn_send_done(void *arg)
{
	struct link_conn *conn = arg;
	int rv = nng_aio_result(conn->send_aio);
	size_t n = nng_aio_count(conn->send_aio);
	bool sent;

	if (rv == 0) {
		send_advance(conn->flight, n);
		atomic_fetch_sub(&conn->pending, n);
	} else {
		conn_abandon_nng(conn, rv);
	}
	if ((rv == 0 && conn->flight->left > 0) || landed(conn)) {
		submit_send(conn);
		return;
	}
	sent = rv == 0 && conn->ops->sent != NULL;
	if (sent || atomic_load(&conn->closing))
		conn_run(conn, sent ? EVENT_SENT : EVENT_CHECK);
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
