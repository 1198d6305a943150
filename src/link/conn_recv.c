/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

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

/* If the user has closed the connection it may still have to send why, even if
 * it calls the frame bad. */
static int
deliver(struct link_conn *conn, const struct wire_frame *frame, bool *batch)
{
	int rc;

	if (!*batch && conn->ops->batch_begin != NULL)
		conn->ops->batch_begin(conn->user);
	*batch = true;
	rc = conn->ops->frame(conn->user, frame);
	return rc < 0 && !atomic_load(&conn->closing) ? rc : RECV_FRAME;
}

/* What follows a close is only read to find its end. */
void
conn_recv_hand_out(struct link_conn *conn)
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
			conn_abandon(conn, "the peer closed the connection");
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
	if (rc < 0)
		conn_abandon(conn,
			     err.code != 0 ? err.text : cadre_strerror(rc));
}

void
conn_recv_submit(struct link_conn *conn)
{
	struct iovec pieces[2];
	nng_iov iov[2];
	unsigned int n;

	if (recv_room(&conn->recv, pieces, &n) < 0) {
		conn_abandon(conn, "out of memory");
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		iov[i] = (nng_iov){pieces[i].iov_base, pieces[i].iov_len};
	(void)nng_aio_set_iov(conn->recv_aio, n, iov);
	conn->receiving = true;
	(void)link_ref(conn);
	nng_stream_recv(conn->stream, conn->recv_aio);
	conn_check_submitted(conn, conn->recv_aio);
}

void
conn_recv_done(struct link_conn *conn)
{
	int rv = nng_aio_result(conn->recv_aio);

	conn->receiving = false;
	if (rv != 0)
		conn_abandon_nng(conn, rv);
	else if (recv_advance(&conn->recv, nng_aio_count(conn->recv_aio)) < 0)
		conn_abandon(conn, "out of memory");
}

void
link_pause(struct link_conn *conn, bool paused)
{
	atomic_store(&conn->paused, paused);
	if (!paused)
		conn_wake(conn);
}

void
link_set_max(struct link_conn *conn, uint64_t max)
{
	atomic_store(&conn->max, max);
}
