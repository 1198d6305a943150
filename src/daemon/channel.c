/* SPDX-License-Identifier: MIT */
#include "daemon/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cadre/error.h>

#include "daemon/turn.h"
#include "util/error.h"

#define CHUNK (256u * 1024u)
/* Read from one channel before the others have their turn. */
#define TURN (1024u * 1024u)
/* Frames over this size are read into a blob of their own. */
#define BIG (128u * 1024u)
/* A local peer's frames are bounded all the same. */
#define FRAME_MAX (UINT64_C(1) << 36)

/* All channels are of one loop: what is read goes through one buffer.  It is
 * taken while frames are handled, so that a nested read gets its own. */
static uint8_t *spare;

static uint8_t *
chunk_take(void)
{
	uint8_t *chunk = spare;

	spare = NULL;
	return chunk != NULL ? chunk : malloc(CHUNK);
}

static void
chunk_give(uint8_t *chunk)
{
	if (spare == NULL)
		spare = chunk;
	else
		free(chunk);
}

void
channel_init(struct channel *ch, const struct channel_ops *ops, void *arg)
{
	*ch = (struct channel){.ops = ops, .arg = arg, .fd = -1};
	buf_init(&ch->rest, CHUNK);
	buf_init(&ch->out, SIZE_MAX / 2);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void
watch(struct channel *ch)
{
	int events = (ch->paused ? 0 : UV_READABLE) |
		     (ch->blocked ? UV_WRITABLE : 0);

	if (ch->fd < 0 || events == ch->events)
		return;
	ch->events = events;
	turn_changed(ch->poll->loop);
	if (events == 0)
		(void)uv_poll_stop(ch->poll);
	else
		(void)uv_poll_start(ch->poll, events, on_poll);
}

static int
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
channel_open(struct channel *ch, uv_loop_t *loop, int fd,
	     struct cadre_error *err)
{
	uv_poll_t *poll = calloc(1, sizeof(*poll));

	if (poll == NULL)
		return error_nomem(err);
	if (set_nonblocking(fd) < 0 || uv_poll_init(loop, poll, fd) < 0) {
		free(poll);
		return error_sys(err, errno, "cannot watch a socket");
	}
	poll->data = ch;
	ch->fd = fd;
	ch->poll = poll;
	ch->events = 0;
	ch->blocked = false;
	watch(ch);
	return 0;
}

bool
channel_is_open(const struct channel *ch)
{
	return ch->fd >= 0;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
close_fds(struct channel *ch)
{
	for (int i = 0; i < ch->fds_n; i++)
		close(ch->fds[i]);
	ch->fds_n = 0;
}

void
channel_close(struct channel *ch)
{
	if (ch->fd < 0)
		return;
	uv_close((uv_handle_t *)ch->poll, on_closed);
	close(ch->fd);
	close_fds(ch);
	blob_unref(&ch->big);
	buf_fini(&ch->rest);
	buf_fini(&ch->out);
	ch->poll = NULL;
	ch->fd = -1;
	ch->out_at = 0;
}

static void
end(struct channel *ch, const char *reason)
{
	if (ch->fd < 0)
		return;
	channel_close(ch);
	ch->ops->ended(ch->arg, reason);
}

void
channel_pause(struct channel *ch, bool paused)
{
	ch->paused = paused;
	watch(ch);
}

/* Hands over one whole frame; false if the channel is closed afterwards. */
static bool
deliver(struct channel *ch, const uint8_t *data, size_t len, struct blob *owner)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct wire_frame frame;

	if (wire_decode(data, len, &frame, &err) < 0) {
		end(ch, err.text);
		return false;
	}
	frame.owner = owner;
	ch->ops->frame(ch->arg, &frame);
	return ch->fd >= 0;
}

/* A frame that does not fit the chunk: gathers in a blob. */
static bool
begin_big(struct channel *ch, const uint8_t *data, size_t len, uint64_t size)
{
	ch->big = blob_new((size_t)size);
	if (ch->big == NULL) {
		end(ch, "out of memory");
		return false;
	}
	memcpy(ch->big->data, data, len);
	ch->big_len = len;
	return true;
}

/* Hands over the frames in data; what is incomplete is kept. */
static bool
parse(struct channel *ch, const uint8_t *data, size_t len)
{
	uint64_t size;
	int rc;

	while ((rc = wire_peek(data, len, FRAME_MAX, &size)) == 0 &&
	       size <= len) {
		if (!deliver(ch, data, (size_t)size, NULL))
			return false;
		data += size;
		len -= (size_t)size;
	}
	if (rc < 0 && rc != CADRE_EAGAIN) {
		end(ch, "what it sent is not a frame");
		return false;
	}
	if (rc == 0 && size > BIG)
		return begin_big(ch, data, len, size);
	buf_put(&ch->rest, data, len);
	if (ch->rest.error != 0)
		end(ch, "out of memory");
	return ch->fd >= 0;
}

static ssize_t
receive(struct channel *ch, void *to, size_t room)
{
	ssize_t n;

	do
		n = recv(ch->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t
read_big(struct channel *ch)
{
	struct blob *big = ch->big;
	ssize_t n =
		receive(ch, big->data + ch->big_len, big->len - ch->big_len);

	if (n <= 0)
		return n;
	ch->big_len += (size_t)n;
	if (ch->big_len < big->len)
		return n;
	ch->big = NULL;
	(void)deliver(ch, big->data, big->len, big);
	blob_unref(&big);
	return n;
}

static ssize_t
read_chunk(struct channel *ch, uint8_t *chunk)
{
	size_t had = ch->rest.len;
	ssize_t n;

	if (had > 0)
		memcpy(chunk, ch->rest.data, had);
	n = receive(ch, chunk + had, CHUNK - had);
	if (n <= 0)
		return n;
	buf_reset(&ch->rest);
	(void)parse(ch, chunk, had + (size_t)n);
	return n;
}

/* Reads until nothing is left or the turn is over. */
static void
read_turn(struct channel *ch, size_t turn)
{
	uint8_t *chunk = chunk_take();
	int errnum = EAGAIN;
	size_t total = 0;
	ssize_t n = -1;

	if (chunk == NULL) {
		end(ch, "out of memory");
		return;
	}
	while (ch->fd >= 0 && !ch->paused && total < turn) {
		bool big = ch->big != NULL;
		size_t room =
			big ? ch->big->len - ch->big_len : CHUNK - ch->rest.len;

		n = big ? read_big(ch) : read_chunk(ch, chunk);
		if (n < 0)
			errnum = errno;
		if (n <= 0)
			break;
		total += (size_t)n;
		/* A short read has emptied the socket. */
		if ((size_t)n < room && turn != SIZE_MAX)
			break;
	}
	chunk_give(chunk);
	if (total > 0)
		ch->ops->batch(ch->arg);
	if (ch->fd >= 0 && n == 0)
		end(ch, "it closed the connection");
	else if (ch->fd >= 0 && n < 0 && errnum != EAGAIN)
		end(ch, strerror(errnum));
}

void
channel_drain(struct channel *ch)
{
	bool paused = ch->paused;

	ch->paused = false;
	read_turn(ch, SIZE_MAX);
	ch->paused = paused;
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct channel *ch = poll->data;

	if (status < 0)
		events = UV_READABLE;
	if ((events & UV_WRITABLE) != 0) {
		ch->blocked = false;
		channel_flush(ch);
		if (ch->fd >= 0 && !ch->blocked && ch->ops->writable != NULL)
			ch->ops->writable(ch->arg);
	}
	/* A closed channel may have been opened again within. */
	if (ch->fd >= 0 && ch->poll == poll && (events & UV_READABLE) != 0)
		read_turn(ch, TURN);
	watch(ch);
}

void
channel_put(struct channel *ch, const struct wire_frame *frame)
{
	if (ch->fd >= 0)
		wire_encode(&ch->out, frame);
}

void
channel_put_bytes(struct channel *ch, const void *data, size_t len)
{
	if (ch->fd >= 0)
		buf_put(&ch->out, data, len);
}

void
channel_attach(struct channel *ch, const int *fds, int n)
{
	/* One set at a time: the one before has to leave first. */
	close_fds(ch);
	memcpy(ch->fds, fds, (size_t)n * sizeof(*fds));
	ch->fds_n = n;
	ch->fds_at = ch->out.len;
	if (ch->fd < 0)
		close_fds(ch);
}

static ssize_t
send_pieces(struct channel *ch, const struct iovec *iov, int n, bool with_fds)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * CHANNEL_FDS)];
		struct cmsghdr align;
	} control = {0};
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			     .msg_iovlen = (size_t)n};
	size_t size = sizeof(int) * (size_t)ch->fds_n;
	struct cmsghdr *c;
	ssize_t sent;

	if (with_fds) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(size);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), ch->fds, size);
	}
	do
		sent = sendmsg(ch->fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		/* A dead peer is reported by reading, after what it still
		 * sent. */
		ch->blocked = errno == EAGAIN;
		watch(ch);
	}
	return sent;
}

void
channel_flush(struct channel *ch)
{
	while (ch->fd >= 0 && ch->out_at < ch->out.len) {
		bool with_fds = ch->fds_n > 0 && ch->out_at == ch->fds_at;
		size_t stop =
			ch->fds_n > 0 && !with_fds ? ch->fds_at : ch->out.len;
		struct iovec iov = {.iov_base = ch->out.data + ch->out_at,
				    .iov_len = stop - ch->out_at};
		ssize_t n = send_pieces(ch, &iov, 1, with_fds);

		if (n < 0)
			return;
		if (with_fds)
			close_fds(ch);
		ch->out_at += (size_t)n;
	}
	if (ch->fd < 0)
		return;
	ch->out_at = 0;
	buf_reset(&ch->out);
}

size_t
channel_write(struct channel *ch, const struct iovec *iov, int n)
{
	ssize_t sent;

	if (ch->fd < 0 || ch->blocked || n == 0)
		return 0;
	sent = send_pieces(ch, iov, n, false);
	return sent < 0 ? 0 : (size_t)sent;
}
