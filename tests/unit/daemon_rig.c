/* SPDX-License-Identifier: MIT */
#include "daemon_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"

#define LIBRARY "tests/native/.libs/libtasks.so"

const char *
rig_built(const char *name)
{
	static char path[4096];

	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", TEST_BUILDDIR,
				     name) < sizeof(path));
	return path;
}

/* --- the connection, on the transport's threads --- */

static void *
on_opened(void *arg, struct link_conn *conn)
{
	struct rig *g = arg;
	struct buf hello;
	struct handshake_params params = {.auth = auth_find("peer"),
					  .expected_uid = getuid(),
					  .local = true};

	buf_init(&hello, 4096);
	wire_put_u64(&hello, WIRE_TAG_ROLE, WIRE_ROLE_DISPATCHER);
	params.hello = hello.data;
	params.hello_len = hello.len;
	params.have_peer_uid = link_peer_uid(conn, &params.peer_uid) == 0;
	(void)pthread_mutex_lock(&g->lock);
	if (!g->refuse && g->conn == NULL &&
	    handshake_new(&params, &g->handshake) == 0)
		g->conn = link_ref(conn);
	(void)pthread_mutex_unlock(&g->lock);
	buf_fini(&hello);
	return g->conn == conn ? g : NULL;
}

static void
welcome(struct rig *g)
{
	struct wire_frame frame = {.type = WIRE_WELCOME,
				   .incarnation = RIG_INCARNATION + g->ups};
	struct buf fields;

	buf_init(&fields, 256);
	if (g->heartbeat_ms > 0)
		wire_put_u64(&fields, WIRE_TAG_HEARTBEAT_MS, g->heartbeat_ms);
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	g->previous =
		wire_u64(handshake_hello(g->handshake), WIRE_TAG_PREVIOUS, 0);
	link_set_max(g->conn, WIRE_MAX_FRAME);
	(void)link_send(g->conn, &frame);
	g->ups++;
	buf_fini(&fields);
}

static int
greet(struct rig *g, const struct wire_frame *frame)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	enum handshake_status status = HANDSHAKE_MORE;
	struct buf out;
	int rc;

	buf_init(&out, WIRE_MAX_HANDSHAKE);
	rc = handshake_frame(g->handshake, frame, &out, &status, &err);
	if (out.len > 0)
		(void)link_send_bytes(g->conn, out.data, out.len);
	buf_fini(&out);
	if (rc == 0 && status == HANDSHAKE_PROVED) {
		welcome(g);
		handshake_free(&g->handshake);
	}
	link_flush(g->conn);
	return rc;
}

static void
keep(struct rig *g, const struct wire_frame *frame)
{
	size_t size = frame->fields_len + frame->payload_len;
	struct rig_frame *f = malloc(sizeof(*f) + size + 8);
	uint8_t *to;

	if (f == NULL)
		return;
	to = f->bytes + (8 - (uintptr_t)f->bytes % 8) % 8;
	f->next = NULL;
	f->frame = *frame;
	f->frame.owner = NULL;
	f->frame.fields = to;
	f->frame.payload = to + frame->fields_len;
	if (frame->fields_len > 0)
		memcpy(to, frame->fields, frame->fields_len);
	if (frame->payload_len > 0)
		memcpy(to + frame->fields_len, frame->payload,
		       frame->payload_len);
	*g->last = f;
	g->last = &f->next;
}

static int
on_frame(void *user, const struct wire_frame *frame)
{
	struct rig *g = user;
	int rc = 0;

	(void)pthread_mutex_lock(&g->lock);
	if (frame->type == WIRE_SLOT_UP && frame->slot < RIG_SLOTS)
		g->rounds[frame->slot] = frame->worker;
	if (g->handshake != NULL)
		rc = greet(g, frame);
	else if (frame->type == WIRE_HEARTBEAT)
		g->beats++;
	else
		keep(g, frame);
	(void)pthread_cond_broadcast(&g->cond);
	(void)pthread_mutex_unlock(&g->lock);
	return rc;
}

static void
on_closed(void *user, const char *reason)
{
	struct rig *g = user;

	(void)reason;
	(void)pthread_mutex_lock(&g->lock);
	handshake_free(&g->handshake);
	link_unref(&g->conn);
	g->downs++;
	(void)pthread_cond_broadcast(&g->cond);
	(void)pthread_mutex_unlock(&g->lock);
}

static const struct link_ops ops = {
	.opened = on_opened,
	.frame = on_frame,
	.closed = on_closed,
};

/* --- start and end --- */

void
rig_listen(struct rig *g)
{
	static unsigned int count;
	struct cadre_error err = CADRE_ERROR_INIT;
	const char *tmp = getenv("TMPDIR");
	char url[128];

	memset(g, 0, sizeof(*g));
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_cond_init(&g->cond, NULL);
	g->last = &g->first;
	buf_init(&g->fields, SIZE_MAX / 2);
	(void)snprintf(g->dir, sizeof(g->dir), "%s/cadre-rig-XXXXXX",
		       tmp == NULL || strlen(tmp) > 32 ? "/tmp" : tmp);
	assert_non_null(mkdtemp(g->dir));
	(void)snprintf(url, sizeof(url), "abstract://cadre-rig-%d-%u",
		       (int)getpid(), count++);
	if (link_listen(url, &ops, g, &g->listener, &err) < 0)
		fail_msg("%s", err.text);
}

void
rig_spawn(struct rig *g, const char *const *options)
{
	const char *argv[40] = {"cadred", "--scratch", g->dir, "--grace",
				"300ms"};
	size_t n = 5;

	while (options != NULL && *options != NULL && n < 38)
		argv[n++] = *options++;
	argv[n] = link_listener_url(g->listener);
	(void)setenv("CADRE_LIBEXECDIR", TEST_BUILDDIR, 1);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0) {
		/* A failed test leaves no daemon behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execv(rig_built("cadred"), (char **)(uintptr_t)argv);
		_exit(99);
	}
}

static void
wait_for(struct rig *g, const unsigned int *count, unsigned int n)
{
	struct timespec until;
	int rc = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RIG_LIMIT_MS / 1000;
	(void)pthread_mutex_lock(&g->lock);
	while (*count < n && rc == 0)
		rc = pthread_cond_timedwait(&g->cond, &g->lock, &until);
	(void)pthread_mutex_unlock(&g->lock);
	if (rc != 0)
		fail_msg("the connection did not change in time");
}

void
rig_wait_up(struct rig *g, unsigned int n)
{
	wait_for(g, &g->ups, n);
}

void
rig_wait_down(struct rig *g, unsigned int n)
{
	wait_for(g, &g->downs, n);
}

void
rig_start(struct rig *g, const char *const *options, uint32_t slots)
{
	rig_listen(g);
	rig_spawn(g, options);
	rig_wait_up(g, 1);
	for (uint32_t i = 0; i < slots; i++)
		assert_int_equal(rig_expect(g, WIRE_SLOT_UP)->slot, i);
}

int
rig_wait(struct rig *g)
{
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;
	struct timespec pause = {.tv_nsec = 5000000};
	int status = 0;

	while (waitpid(g->pid, &status, WNOHANG) == 0) {
		if (clock_now_ms() > until) {
			(void)kill(g->pid, SIGKILL);
			fail_msg("cadred did not end in time");
		}
		(void)nanosleep(&pause, NULL);
	}
	g->pid = 0;
	return status;
}

void
rig_hang_up(struct rig *g)
{
	struct link_conn *conn = NULL;

	(void)pthread_mutex_lock(&g->lock);
	if (g->conn != NULL)
		conn = link_ref(g->conn);
	(void)pthread_mutex_unlock(&g->lock);
	if (conn == NULL)
		return;
	link_close(conn, "the test is over", false);
	link_unref(&conn);
}

void
rig_tidy(struct rig *g)
{
	char command[128];

	rig_hang_up(g);
	if (g->pid > 0)
		(void)rig_wait(g);
	link_listener_free(&g->listener);
	link_drain();
	free(g->current);
	while (g->first != NULL) {
		struct rig_frame *f = g->first;

		g->first = f->next;
		free(f);
	}
	buf_fini(&g->fields);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", g->dir);
	assert_int_equal(system(command), 0);
}

static bool
is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "cadre-", 6) == 0)
			n++;
	(void)closedir(dir);
	return n == 0;
}

void
rig_stop(struct rig *g)
{
	pid_t children[64];
	int n = rig_children(g->pid, children, 64), status;

	rig_hang_up(g);
	status = rig_wait(g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int i = 0; i < n; i++)
		rig_wait_gone(children[i]);
	assert_true(is_empty(g->dir));
	rig_tidy(g);
}

/* --- frames --- */

void
rig_send(struct rig *g, const struct wire_frame *frame)
{
	struct wire_frame out = *frame;

	(void)pthread_mutex_lock(&g->lock);
	assert_non_null(g->conn);
	out.incarnation = RIG_INCARNATION + g->ups - 1;
	assert_int_equal(link_send(g->conn, &out), 0);
	link_flush(g->conn);
	(void)pthread_mutex_unlock(&g->lock);
}

void
rig_plain(struct rig *g, uint16_t type, uint8_t code, uint64_t task,
	  uint32_t slot)
{
	struct wire_frame frame = {.type = type,
				   .code = code,
				   .task = task,
				   .attempt = 1,
				   .slot = slot};

	rig_send(g, &frame);
}

static void
send_task(struct rig *g, uint16_t type, uint32_t slot, uint8_t flags,
	  uint64_t task, uint64_t timeout_ms, const void *payload, size_t len)
{
	struct wire_frame frame = {.type = type,
				   .flags = flags,
				   .task = task,
				   .attempt = 1,
				   .slot = slot,
				   .worker = g->rounds[slot],
				   .payload = payload,
				   .payload_len = len};

	if (timeout_ms > 0)
		wire_put_u64(&g->fields, WIRE_TAG_TIMEOUT_MS, timeout_ms);
	frame.fields = g->fields.data;
	frame.fields_len = g->fields.len;
	rig_send(g, &frame);
	buf_reset(&g->fields);
}

static void
put_shell(struct rig *g, const char *script)
{
	wire_put_u64(&g->fields, WIRE_TAG_ENGINE, WIRE_ENGINE_COMMAND);
	wire_put_str(&g->fields, WIRE_TAG_ARGV, "/bin/sh");
	wire_put_str(&g->fields, WIRE_TAG_ARGV, "-c");
	wire_put_str(&g->fields, WIRE_TAG_ARGV, script);
}

uint64_t
rig_shell(struct rig *g, uint32_t slot, const char *script, uint64_t timeout_ms)
{
	put_shell(g, script);
	send_task(g, WIRE_TASK, slot, 0, ++g->task, timeout_ms, NULL, 0);
	return g->task;
}

uint64_t
rig_shell_input(struct rig *g, uint32_t slot, const char *script,
		const void *input, size_t len)
{
	put_shell(g, script);
	send_task(g, WIRE_TASK, slot, 0, ++g->task, 0, input, len);
	return g->task;
}

void
rig_everywhere_shell(struct rig *g, const char *script, uint64_t epoch)
{
	put_shell(g, script);
	send_task(g, WIRE_EVERYWHERE, 0, 0, epoch, 0, NULL, 0);
}

static void
put_native(struct rig *g, const char *function)
{
	wire_put_u64(&g->fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(&g->fields, WIRE_TAG_LIBRARY, rig_built(LIBRARY));
	wire_put_str(&g->fields, WIRE_TAG_FUNCTION, function);
}

uint64_t
rig_native(struct rig *g, uint32_t slot, const char *function,
	   uint64_t timeout_ms)
{
	put_native(g, function);
	send_task(g, WIRE_TASK, slot, WIRE_WINDOW | WIRE_IDEMPOTENT, ++g->task,
		  timeout_ms, NULL, 0);
	return g->task;
}

uint64_t
rig_native_payload(struct rig *g, uint32_t slot, const char *function,
		   const void *payload, size_t len)
{
	put_native(g, function);
	send_task(g, WIRE_TASK, slot, WIRE_WINDOW | WIRE_IDEMPOTENT, ++g->task,
		  0, payload, len);
	return g->task;
}

void
rig_everywhere(struct rig *g, const char *function, uint64_t epoch,
	       uint8_t flags)
{
	put_native(g, function);
	send_task(g, WIRE_EVERYWHERE, 0, flags, epoch, 0, NULL, 0);
}

const struct wire_frame *
rig_next(struct rig *g)
{
	struct timespec until;
	int rc = 0;

	free(g->current);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RIG_LIMIT_MS / 1000;
	(void)pthread_mutex_lock(&g->lock);
	while (g->first == NULL && rc == 0)
		rc = pthread_cond_timedwait(&g->cond, &g->lock, &until);
	g->current = g->first;
	if (g->current != NULL) {
		g->first = g->current->next;
		if (g->first == NULL)
			g->last = &g->first;
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (g->current == NULL)
		fail_msg("no frame came in time");
	return &g->current->frame;
}

const struct wire_frame *
rig_expect(struct rig *g, uint16_t type)
{
	const struct wire_frame *frame = rig_next(g);

	if (frame->type != type)
		fail_msg("%s (code %u, task %llu) instead of %s",
			 wire_type_name(frame->type), frame->code,
			 (unsigned long long)frame->task, wire_type_name(type));
	return frame;
}

const struct wire_frame *
rig_result(struct rig *g, uint64_t task, uint8_t code)
{
	const struct wire_frame *frame = rig_next(g);
	char *message;

	while (frame->type == WIRE_STARTED)
		frame = rig_next(g);
	message = wire_str(frame, WIRE_TAG_MESSAGE);
	if (frame->type != WIRE_RESULT || frame->task != task ||
	    frame->code != code)
		fail_msg("%s of task %llu with code %u (%s) instead of the "
			 "result of task %llu with code %u",
			 wire_type_name(frame->type),
			 (unsigned long long)frame->task, frame->code,
			 message == NULL ? "" : message,
			 (unsigned long long)task, code);
	free(message);
	return frame;
}

bool
rig_says(const struct wire_frame *frame, uint16_t tag, const char *text)
{
	char *s = wire_str(frame, tag);
	bool found = s != NULL && strstr(s, text) != NULL;

	if (!found)
		print_error("\"%s\" is not in \"%s\"\n", text,
			    s == NULL ? "" : s);
	free(s);
	return found;
}

/* --- processes --- */

int
rig_children(pid_t pid, pid_t *ret, int max)
{
	char path[64];
	int n = 0, child;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		       (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (n < max && fscanf(f, "%d", &child) == 1)
		ret[n++] = child;
	(void)fclose(f);
	return n;
}

bool
rig_alive(pid_t pid)
{
	char path[64], text[512], *end;
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[2] != 'Z' && end[2] != 'X';
}

void
rig_wait_gone(pid_t pid)
{
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;
	struct timespec pause = {.tv_nsec = 2000000};

	while (rig_alive(pid)) {
		if (clock_now_ms() > until)
			fail_msg("process %d is still there", (int)pid);
		(void)nanosleep(&pause, NULL);
	}
}

long
rig_read_number(const char *path)
{
	uint64_t until = clock_now_ms() + RIG_LIMIT_MS;
	struct timespec pause = {.tv_nsec = 2000000};
	long number = 0;

	for (;;) {
		FILE *f = fopen(path, "re");
		char line[32];

		if (f != NULL && fgets(line, sizeof(line), f) != NULL &&
		    strchr(line, '\n') != NULL)
			number = atol(line);
		if (f != NULL)
			(void)fclose(f);
		if (number != 0)
			return number;
		if (clock_now_ms() > until)
			fail_msg("nothing was written to %s", path);
		(void)nanosleep(&pause, NULL);
	}
}
