/* SPDX-License-Identifier: MIT */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/recv.h"
#include "link_side.h"

/* Both ends of one connection. */
struct pair {
	struct side server;
	struct side client;
	struct link_listener *listener;
};

static void
pair_open(struct pair *p, const char *scheme)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	assert_int_equal(link_listen(side_url(scheme), &side_ops, &p->server,
				     &p->listener, &err),
			 0);
	assert_int_equal(link_dial(link_listener_url(p->listener), &side_ops,
				   &p->client, &err),
			 0);
	assert_true(side_wait(&p->client, &p->client.opened, 1));
	assert_true(side_wait(&p->server, &p->server.opened, 1));
}

static void
pair_init(struct pair *p)
{
	side_init(&p->server);
	side_init(&p->client);
	p->listener = NULL;
}

static void
pair_fini(struct pair *p)
{
	if (p->client.conn != NULL)
		link_close(p->client.conn, "done", false);
	if (p->server.conn != NULL)
		link_close(p->server.conn, "done", false);
	link_listener_free(&p->listener);
	link_drain();
	if (p->client.conn != NULL)
		assert_int_equal(p->client.closed, p->client.opened);
	if (p->server.conn != NULL)
		assert_int_equal(p->server.closed, p->server.opened);
	side_fini(&p->client);
	side_fini(&p->server);
}

static void
echo_over(const char *scheme)
{
	enum { FRAMES = 2000 };
	struct blob *blob = blob_copy("payload!", 8);
	struct pair p;

	pair_init(&p);
	p.server.echo = true;
	p.client.keep_order = true;
	pair_open(&p, scheme);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(side_send(p.client.conn, i, blob, i % 9), 0);
	link_flush(p.client.conn);
	assert_true(side_wait_frames(&p.client, FRAMES));
	assert_false(p.client.order_bad);
	assert_int_equal(p.client.payload, p.server.payload);
	assert_true(p.server.batches < FRAMES / 2);
	blob_unref(&blob);
	pair_fini(&p);
}

static void
test_echo_ipc(void **state)
{
	(void)state;
	echo_over("ipc");
}

static void
test_echo_abstract(void **state)
{
	(void)state;
	echo_over("abstract");
}

static void
test_echo_tcp(void **state)
{
	(void)state;
	echo_over("tcp");
}

static void
test_peer(void **state)
{
	uid_t uid = (uid_t)-1;
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_open(&p, "abstract");
	assert_int_equal(link_peer_uid(p.server.conn, &uid), 0);
	assert_int_equal(uid, getuid());
	assert_int_equal(link_peer_uid(p.client.conn, &uid), 0);
	assert_int_equal(uid, getuid());
	assert_non_null(strstr(link_peer_address(p.server.conn), "process"));
	pair_fini(&p);

	pair_init(&p);
	pair_open(&p, "tcp");
	assert_int_equal(link_peer_uid(p.server.conn, &uid), CADRE_ENOENT);
	assert_memory_equal(link_peer_address(p.server.conn), "127.0.0.1:", 10);
	pair_fini(&p);
}

static void
test_sent(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_open(&p, "ipc");
	assert_int_equal(side_send(p.client.conn, 0, NULL, 0), 0);
	assert_int_equal(link_pending(p.client.conn), WIRE_HEADER);
	link_flush(p.client.conn);
	assert_true(side_wait(&p.client, &p.client.sent, 1));
	assert_int_equal(link_pending(p.client.conn), 0);
	assert_true(side_wait_frames(&p.server, 1));
	pair_fini(&p);
}

static struct blob *
pattern(size_t len)
{
	struct blob *blob = blob_new(len);

	assert_non_null(blob);
	for (size_t i = 0; i < len; i++)
		blob->data[i] = (uint8_t)(i * 7 + (i >> 12));
	return blob;
}

/* The last frame's memory, and whether ours was used. */
static struct {
	struct blob *blob;
	size_t len;
	size_t payload_len;
	uint64_t task;
} given;

static struct blob *
give(const struct wire_frame *head, size_t len)
{
	given.blob = blob_new(len);
	given.len = len;
	given.payload_len = head->payload_len;
	given.task = head->task;
	return blob_ref(given.blob);
}

static void
large_over(const char *scheme, size_t len)
{
	struct blob *blob = pattern(len);
	struct pair p;

	pair_init(&p);
	p.server.echo = true;
	p.client.alloc = give;
	p.client.keep_order = true;
	pair_open(&p, scheme);
	assert_int_equal(side_send(p.client.conn, 0, blob, 5), 0);
	assert_int_equal(side_send(p.client.conn, 1, blob, len), 0);
	assert_int_equal(side_send(p.client.conn, 2, blob, 5), 0);
	link_flush(p.client.conn);
	assert_true(side_wait_frames(&p.client, 3));
	assert_false(p.client.order_bad);
	assert_int_equal(p.client.payload, len + 10);
	assert_int_equal(p.server.owned, 1);
	assert_int_equal(given.payload_len, len);
	assert_int_equal(given.task, 1);
	assert_int_equal(given.len, WIRE_HEADER + WIRE_ALIGN(len));
	assert_memory_equal(given.blob->data + WIRE_HEADER, blob->data, len);
	blob_unref(&given.blob);
	pair_fini(&p);
	assert_int_equal(blob->refs, 1);
	blob_unref(&blob);
}

static void
test_large(void **state)
{
	(void)state;
	large_over("ipc", 300 * 1000 + 3);
	large_over("tcp", 5 * 1000 * 1000 + 1);
	/* More than is given on a peer's word: the memory grows. */
	large_over("abstract", ((size_t)80 << 20) + 5);
}

static void
test_many_large(void **state)
{
	enum { FRAMES = 50 };
	struct blob *blob = pattern(200 * 1000);
	struct pair p;

	(void)state;
	pair_init(&p);
	p.server.echo = true;
	p.client.keep_order = true;
	pair_open(&p, "ipc");
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(
			side_send(p.client.conn, i, blob, (i % 4) * 65000), 0);
	link_flush(p.client.conn);
	assert_true(side_wait_frames(&p.client, FRAMES));
	assert_false(p.client.order_bad);
	assert_int_equal(p.client.payload, p.server.payload);
	blob_unref(&blob);
	pair_fini(&p);
}

/* --- a peer that is a bare socket --- */

static int
raw_connect(const char *url)
{
	const char *name = url + strlen("abstract://");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path + 1, name, strlen(name));
	assert_int_equal(
		connect(fd, (struct sockaddr *)&addr,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    strlen(name))),
		0);
	return fd;
}

static int
raw_open(struct pair *p)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	int fd;

	assert_int_equal(link_listen(side_url("abstract"), &side_ops,
				     &p->server, &p->listener, &err),
			 0);
	fd = raw_connect(link_listener_url(p->listener));
	assert_true(side_wait(&p->server, &p->server.opened, 1));
	return fd;
}

static void
put_frame(struct buf *b, uint64_t task, size_t len)
{
	static const uint8_t data[4096];
	struct wire_frame frame = {.type = WIRE_OUTPUT,
				   .code = 1,
				   .task = task,
				   .payload = data,
				   .payload_len = len};

	wire_encode(b, &frame);
	assert_int_equal(b->error, 0);
}

static void
test_byte_by_byte(void **state)
{
	enum { FRAMES = 20 };
	struct buf b;
	struct pair p;
	int fd;

	(void)state;
	pair_init(&p);
	p.server.keep_order = true;
	fd = raw_open(&p);
	buf_init(&b, 1 << 20);
	for (uint64_t i = 0; i < FRAMES; i++)
		put_frame(&b, i, i * 3);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(send(fd, b.data + i, 1, MSG_NOSIGNAL), 1);
	assert_true(side_wait_frames(&p.server, FRAMES));
	assert_false(p.server.order_bad);
	buf_fini(&b);
	(void)close(fd);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	pair_fini(&p);
}

/* The peer sees the end of the stream. */
static void
assert_hung_up(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

static void
hostile(const void *data, size_t len, const char *reason)
{
	struct pair p;
	int fd;

	pair_init(&p);
	fd = raw_open(&p);
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	assert_hung_up(fd);
	assert_int_equal(p.server.frames, 0);
	assert_non_null(strstr(p.server.reason, reason));
	(void)close(fd);
	pair_fini(&p);
}

static void
test_hostile(void **state)
{
	static const char text[] =
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n......";
	uint8_t head[WIRE_HEADER] = {0};

	(void)state;
	hostile(text, sizeof(text), "larger than allowed");
	store_u64(head, 39);
	hostile(head, sizeof(head), "no frame");
	store_u64(head, UINT64_MAX);
	hostile(head, sizeof(head), "larger than allowed");
	/* a large frame whose fields exceed it */
	store_u64(head, 100000);
	store_u16(head + 8, WIRE_OUTPUT);
	store_u32(head + 12, 1000000);
	hostile(head, sizeof(head), "fields");
	/* an unknown type */
	store_u64(head, WIRE_HEADER);
	store_u16(head + 8, 9999);
	store_u32(head + 12, 0);
	hostile(head, sizeof(head), "");
}

static void
test_max(void **state)
{
	struct blob *blob = pattern(2 * WIRE_MAX_HANDSHAKE);

	(void)state;
	for (int raise = 0; raise < 2; raise++) {
		struct pair p;

		pair_init(&p);
		p.server.max = WIRE_MAX_HANDSHAKE;
		pair_open(&p, "ipc");
		if (raise)
			link_set_max(p.server.conn, blob->len + WIRE_HEADER);
		assert_int_equal(side_send(p.client.conn, 0, blob, blob->len),
				 0);
		link_flush(p.client.conn);
		if (raise) {
			assert_true(side_wait_frames(&p.server, 1));
		} else {
			assert_true(side_wait(&p.server, &p.server.closed, 1));
			assert_true(side_wait(&p.client, &p.client.closed, 1));
			assert_int_equal(p.server.frames, 0);
		}
		pair_fini(&p);
	}
	blob_unref(&blob);
}

static void
test_pause(void **state)
{
	enum { FRAMES = 20000 };
	struct blob *blob = pattern(1000);
	struct pair p;
	uint64_t seen;

	(void)state;
	pair_init(&p);
	p.server.keep_order = true;
	p.server.pause = true;
	pair_open(&p, "ipc");
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(side_send(p.client.conn, i, blob, blob->len),
				 0);
	link_flush(p.client.conn);
	for (seen = 1; seen < 100; seen++) {
		assert_true(side_wait_frames(&p.server, seen));
		/* One frame was taken, the others wait: here, in the kernel,
		 * and at the sender, who sees it. */
		assert_int_equal(p.server.frames, seen);
		assert_true(link_pending(p.client.conn) > (size_t)FRAMES * 500);
		link_pause(p.server.conn, false);
	}
	(void)pthread_mutex_lock(&p.server.lock);
	p.server.pause = false;
	(void)pthread_mutex_unlock(&p.server.lock);
	link_pause(p.server.conn, false);
	assert_true(side_wait_frames(&p.server, FRAMES));
	assert_false(p.server.order_bad);
	assert_true(side_wait(&p.client, &p.client.sent, 1));
	assert_int_equal(link_pending(p.client.conn), 0);
	blob_unref(&blob);
	pair_fini(&p);
}

static void
test_close_while_paused(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_open(&p, "ipc");
	link_pause(p.server.conn, true);
	link_close(p.server.conn, "enough", false);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	assert_string_equal(p.server.reason, "enough");
	assert_true(side_wait(&p.client, &p.client.closed, 1));
	pair_fini(&p);
}

static void
test_close_while_sending(void **state)
{
	struct blob *blob = pattern((size_t)8 << 20);
	struct pair p;

	(void)state;
	pair_init(&p);
	p.server.pause = true;
	pair_open(&p, "ipc");
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(side_send(p.client.conn, i, blob, blob->len),
				 0);
	link_flush(p.client.conn);
	link_close(p.client.conn, "changed my mind", false);
	link_close(p.client.conn, "again", true);
	assert_int_equal(side_send(p.client.conn, 9, NULL, 0), CADRE_ECLOSED);
	assert_true(side_wait(&p.client, &p.client.closed, 1));
	assert_string_equal(p.client.reason, "changed my mind");
	pair_fini(&p);
	assert_int_equal(p.client.closed, 1);
	assert_int_equal(blob->refs, 1);
	blob_unref(&blob);
}

/* Nothing that was queued before a flushing close is lost, however late the
 * peer reads it. */
static void
flushing_close(const char *scheme, bool reader_sends)
{
	enum { FRAMES = 3000 };
	struct blob *blob = pattern(1000);
	struct pair p;

	pair_init(&p);
	p.server.keep_order = true;
	pair_open(&p, scheme);
	link_pause(p.server.conn, true);
	for (uint64_t i = 0; i < FRAMES; i++) {
		assert_int_equal(side_send(p.client.conn, i, blob, blob->len),
				 0);
		if (reader_sends)
			assert_int_equal(side_send(p.server.conn, i, blob, 100),
					 0);
	}
	link_flush(p.server.conn);
	link_close(p.client.conn, "all said", true);
	assert_int_equal(side_send(p.client.conn, 0, NULL, 0), CADRE_ECLOSED);
	link_pause(p.server.conn, false);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	assert_int_equal(p.server.frames, FRAMES);
	assert_false(p.server.order_bad);
	assert_true(side_wait(&p.client, &p.client.closed, 1));
	assert_string_equal(p.client.reason, "all said");
	blob_unref(&blob);
	pair_fini(&p);
}

static void
test_flushing_close(void **state)
{
	(void)state;
	flushing_close("ipc", false);
	flushing_close("ipc", true);
	flushing_close("tcp", false);
	flushing_close("tcp", true);
}

static void
test_close_in_callback(void **state)
{
	(void)state;
	for (int flush = 0; flush < 2; flush++) {
		struct pair p;

		pair_init(&p);
		p.server.close_after = 3;
		p.server.close_flush = flush != 0;
		p.server.echo = true;
		pair_open(&p, "abstract");
		for (uint64_t i = 0; i < 10; i++)
			assert_int_equal(side_send(p.client.conn, i, NULL, 0),
					 0);
		link_flush(p.client.conn);
		assert_true(side_wait(&p.server, &p.server.closed, 1));
		assert_true(side_wait(&p.client, &p.client.closed, 1));
		assert_int_equal(p.server.frames, 3);
		assert_string_equal(p.server.reason, "enough");
		if (flush)
			assert_int_equal(p.client.frames, 3);
		pair_fini(&p);
	}
}

static void
test_frame_refused(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.server.frame_rc = CADRE_EAUTH;
	pair_open(&p, "ipc");
	assert_int_equal(side_send(p.client.conn, 0, NULL, 0), 0);
	link_flush(p.client.conn);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	assert_string_equal(p.server.reason, cadre_strerror(CADRE_EAUTH));
	assert_true(side_wait(&p.client, &p.client.closed, 1));
	pair_fini(&p);
}

/* Garbage after our close ends the wait for the peer. */
static void
test_garbage_after_close(void **state)
{
	uint8_t bad[WIRE_HEADER] = {1};
	struct pair p;
	int fd;

	(void)state;
	pair_init(&p);
	fd = raw_open(&p);
	link_close(p.server.conn, "all said", true);
	assert_int_equal(send(fd, bad, sizeof(bad), MSG_NOSIGNAL), sizeof(bad));
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	assert_string_equal(p.server.reason, "all said");
	(void)close(fd);
	pair_fini(&p);
}

static void
test_refused(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.server.refuse = true;
	pair_open(&p, "ipc");
	assert_true(side_wait(&p.client, &p.client.closed, 1));
	assert_int_equal(p.server.closed, 0);
	pair_fini(&p);
}

static void
test_peer_killed(void **state)
{
	struct pair p;
	int fd, ready[2];
	char byte;
	pid_t pid;

	(void)state;
	pair_init(&p);
	fd = raw_open(&p);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ready[0]);
		(void)!write(ready[1], "x", 1);
		for (;;)
			(void)pause();
	}
	(void)close(fd);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	/* Only the child has the connection now. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(side_wait(&p.server, &p.server.closed, 1));
	pair_fini(&p);
}

static void
test_many_connections(void **state)
{
	enum { CONNS = 400 };
	struct cadre_error err = CADRE_ERROR_INIT;
	struct side *clients = calloc(CONNS, sizeof(*clients));
	struct side server;
	struct link_listener *l;

	(void)state;
	assert_non_null(clients);
	side_init(&server);
	assert_int_equal(
		link_listen(side_url("ipc"), &side_ops, &server, &l, &err), 0);
	for (int i = 0; i < CONNS; i++) {
		side_init(&clients[i]);
		assert_int_equal(link_dial(link_listener_url(l), &side_ops,
					   &clients[i], &err),
				 0);
	}
	for (int i = 0; i < CONNS; i++)
		assert_true(side_wait(&clients[i], &clients[i].opened, 1));
	assert_true(side_wait(&server, &server.opened, CONNS));
	for (int i = 0; i < CONNS; i++) {
		assert_int_equal(side_send(clients[i].conn, 0, NULL, 0), 0);
		link_flush(clients[i].conn);
	}
	assert_true(side_wait_frames(&server, CONNS));
	for (int i = 0; i < CONNS; i++)
		link_close(clients[i].conn, "done", i % 2 == 0);
	assert_true(side_wait(&server, &server.closed, CONNS));
	link_listener_free(&l);
	link_drain();
	for (int i = 0; i < CONNS; i++) {
		assert_int_equal(clients[i].closed, 1);
		side_fini(&clients[i]);
	}
	side_fini(&server);
	free(clients);
}

static const char *
path_of(const char *url)
{
	return url + strlen("ipc://");
}

static void
test_address_in_use(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct link_listener *l, *other = NULL;
	struct side s;

	(void)state;
	side_init(&s);
	for (int tcp = 0; tcp < 2; tcp++) {
		assert_int_equal(link_listen(side_url(tcp ? "tcp" : "ipc"),
					     &side_ops, &s, &l, NULL),
				 0);
		err = (struct cadre_error)CADRE_ERROR_INIT;
		assert_int_equal(link_listen(link_listener_url(l), &side_ops,
					     &s, &other, &err),
				 CADRE_EEXIST);
		assert_non_null(strstr(err.text, link_listener_url(l)));
		assert_null(other);
		link_listener_free(&l);
	}
	side_fini(&s);
}

static void
test_stale_socket(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *url = side_url("ipc");
	struct cadre_error err = CADRE_ERROR_INIT;
	struct link_listener *l;
	struct side s;
	struct stat st;
	int fd;

	(void)state;
	side_init(&s);
	(void)strcpy(addr.sun_path, path_of(url));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	(void)close(fd);
	assert_int_equal(stat(path_of(url), &st), 0);
	assert_int_equal(link_listen(url, &side_ops, &s, &l, &err), 0);
	assert_int_equal(stat(path_of(url), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	link_listener_free(&l);
	assert_int_equal(stat(path_of(url), &st), -1);

	/* A file that is no socket is not touched. */
	fd = open(path_of(url), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(link_listen(url, &side_ops, &s, &l, &err),
			 CADRE_EEXIST);
	assert_non_null(strstr(err.text, "no socket"));
	assert_int_equal(unlink(path_of(url)), 0);

	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(link_listen("ipc:///nonexistent/dir/x", &side_ops, &s,
				     &l, &err),
			 CADRE_ESYS);
	assert_non_null(strstr(err.text, "/nonexistent/dir"));
	side_fini(&s);
}

static void
test_dial_fails(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct side s;

	(void)state;
	side_init(&s);
	assert_int_equal(link_dial(side_url("ipc"), &side_ops, &s, &err), 0);
	assert_true(side_wait(&s, &s.failed, 1));
	assert_true(strlen(s.reason) > 0);
	assert_int_equal(link_dial("tcp://127.0.0.1:0", &side_ops, &s, &err),
			 CADRE_EINVAL);
	assert_int_equal(s.opened, 0);
	side_fini(&s);
}

static void
test_urls(void **state)
{
	static const struct {
		const char *url;
		int rc;
		bool local;
	} cases[] = {
		{"ipc:///tmp/x", 0, true},
		{"ipc://tmp/x", CADRE_EINVAL, false},
		{"ipc://", CADRE_EINVAL, false},
		{"abstract://name", 0, true},
		{"abstract://", CADRE_EINVAL, false},
		{"abstract://a b", CADRE_EINVAL, false},
		{"tcp://localhost:1", 0, true},
		{"tcp://127.0.0.9:0", 0, true},
		{"tcp://[::1]:7", 0, true},
		{"tcp://[::2]:7", 0, false},
		{"tcp://[fe]:7", CADRE_EINVAL, false},
		{"tcp://node7:65535", 0, false},
		{"tcp://127.0.0.1.example.org:5", 0, false},
		{"tcp://:5", 0, false},
		{"tcp://node7:65536", CADRE_EINVAL, false},
		{"tcp://node7:", CADRE_EINVAL, false},
		{"tcp://node7", CADRE_EINVAL, false},
		{"tcp://a/b:1", CADRE_EINVAL, false},
		{"tcp://1:2:3", CADRE_EINVAL, false},
		{"http://x", CADRE_EINVAL, false},
		{"", CADRE_EINVAL, false},
	};
	char path[200] = "ipc:///";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cadre_error err = CADRE_ERROR_INIT;

		assert_int_equal(link_url_check(cases[i].url, &err),
				 cases[i].rc);
		assert_int_equal(err.code, cases[i].rc);
		assert_int_equal(link_url_is_local(cases[i].url),
				 cases[i].local);
	}
	memset(path + 7, 'x', 150);
	assert_int_equal(link_url_check(path, NULL), CADRE_EINVAL);
}

static void
test_wildcard(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct link_listener *l;
	char name[256] = "";
	struct side s;

	(void)state;
	side_init(&s);
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	assert_int_equal(
		link_listen("tcp://0.0.0.0:0", &side_ops, &s, &l, &err), 0);
	assert_non_null(strstr(link_listener_url(l), name));
	assert_null(strstr(link_listener_url(l), ":0\0"));
	link_listener_free(&l);
	side_fini(&s);
}

static volatile sig_atomic_t signals;

static void
count_signal(int sig)
{
	(void)sig;
	signals++;
}

/* A signal for the process lands on the program's thread, not on nng's. */
static void
test_signals(void **state)
{
	struct sigaction act = {.sa_handler = count_signal}, old;
	sigset_t set, pending;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	/* No thread takes it, so it stays pending. */
	assert_int_equal(sigpending(&pending), 0);
	assert_true(sigismember(&pending, SIGUSR1));
	assert_int_equal(signals, 0);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	assert_int_equal(signals, 1);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_ipc),
		cmocka_unit_test(test_echo_abstract),
		cmocka_unit_test(test_echo_tcp),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many_large),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_max),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_close_while_paused),
		cmocka_unit_test(test_close_while_sending),
		cmocka_unit_test(test_flushing_close),
		cmocka_unit_test(test_close_in_callback),
		cmocka_unit_test(test_frame_refused),
		cmocka_unit_test(test_garbage_after_close),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_peer_killed),
		cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_address_in_use),
		cmocka_unit_test(test_stale_socket),
		cmocka_unit_test(test_dial_fails),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_wildcard),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
