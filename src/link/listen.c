/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/nngrt.h"
#include "link/url.h"
#include "util/error.h"

/* After a failed accept (no descriptors left, say). */
#define LISTEN_REST_MS 100

struct link_listener {
	nng_stream_listener *listener;
	nng_aio *aio;
	const struct link_ops *ops;
	void *arg;
	_Atomic bool closing;
	bool resting; /* the aio sleeps after an error */
	char url[320];
};

static void
accept_done(void *arg)
{
	struct link_listener *l = arg;
	int rv = nng_aio_result(l->aio);
	nng_stream *stream = NULL;

	if (rv == 0 && !l->resting)
		stream = nng_aio_get_output(l->aio, 0);
	if (atomic_load(&l->closing)) {
		nng_stream_free(stream);
		return;
	}
	l->resting = rv != 0;
	if (l->resting)
		nng_sleep_aio(LISTEN_REST_MS, l->aio);
	else
		nng_stream_listener_accept(l->listener, l->aio);
	if (stream != NULL)
		conn_start(stream, l->ops, l->arg);
}

/*
 * Whoever replaces a dead process's socket holds a lock on the directory
 * meanwhile, so that two who start at once do not remove each other's.
 */
static int
lock_directory(const char *path, struct cadre_error *err)
{
	char *dir = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	int fd;

	if (dir == NULL)
		return error_nomem(err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_sys(err, errno, "cannot use directory %s", dir);
	else
		(void)flock(fd, LOCK_EX); /* not on every file system */
	free(dir);
	return fd < 0 ? CADRE_ESYS : fd;
}

/* nng replaces a socket that nobody listens on, but would also remove a plain
 * file. */
static int
check_path(const char *path, struct cadre_error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return error_set(err, CADRE_EEXIST,
				 "cannot listen on ipc://%s: there is a file "
				 "that is no socket; choose another name",
				 path);
	return 0;
}

static int
listen_error(struct cadre_error *err, int rv, const char *text,
	     const struct url *url)
{
	if (rv == NNG_EADDRINUSE)
		return error_set(err, CADRE_EEXIST,
				 url->kind == URL_TCP
					 ? "another process listens on %s; "
					   "choose another port, or port 0 for "
					   "a free one"
					 : "another dispatcher listens on %s; "
					   "choose another name or stop that "
					   "one",
				 text);
	return nngrt_error(err, rv, "cannot listen on %s", text);
}

static int
bind_listener(struct link_listener *l, const char *text, const struct url *url,
	      struct cadre_error *err)
{
	int rv = nng_stream_listener_alloc(&l->listener, text);

	if (rv == 0 && url->kind == URL_IPC)
		rv = nng_stream_listener_set_int(l->listener,
						 NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rv == 0)
		rv = nng_stream_listener_listen(l->listener);
	return rv == 0 ? 0 : listen_error(err, rv, text, url);
}

static int
bind_ipc(struct link_listener *l, const char *text, const struct url *url,
	 struct cadre_error *err)
{
	int lock = lock_directory(url->rest, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = check_path(url->rest, err);
	if (rc == 0)
		rc = bind_listener(l, text, url, err);
	(void)close(lock);
	return rc;
}

/* The address that others dial: the port that was bound, and a name for "any
 * address". */
static int
resolve_url(struct link_listener *l, const char *text, const struct url *url,
	    struct cadre_error *err)
{
	const char *form = url->brackets ? "tcp://[%s]:%d" : "tcp://%s:%d";
	bool any = url_is_wildcard(url);
	char name[256] = "";
	int port, rv;

	if (url->kind != URL_TCP) {
		(void)snprintf(l->url, sizeof(l->url), "%s", text);
		return 0;
	}
	rv = nng_stream_listener_get_int(l->listener, NNG_OPT_TCP_BOUND_PORT,
					 &port);
	if (rv != 0)
		return nngrt_error(err, rv, "cannot find the port of %s", text);
	if (any && gethostname(name, sizeof(name) - 1) != 0)
		return error_sys(err, errno, "cannot find this host's name");
	(void)snprintf(l->url, sizeof(l->url), any ? "tcp://%s:%d" : form,
		       any ? name : url->host, port);
	return 0;
}

int
link_listen(const char *text, const struct link_ops *ops, void *arg,
	    struct link_listener **ret_listener, struct cadre_error *err)
{
	struct link_listener *l;
	struct url url;
	int rc;

	rc = url_parse(text, &url, err);
	if (rc == 0)
		rc = nngrt_start(err);
	if (rc < 0)
		return rc;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return error_nomem(err);
	l->ops = ops;
	l->arg = arg;
	rc = nng_aio_alloc(&l->aio, accept_done, l) == 0 ? 0 : error_nomem(err);
	if (rc == 0)
		rc = (url.kind == URL_IPC ? bind_ipc
					  : bind_listener)(l, text, &url, err);
	if (rc == 0)
		rc = resolve_url(l, text, &url, err);
	if (rc < 0) {
		link_listener_free(&l);
		return rc;
	}
	nng_stream_listener_accept(l->listener, l->aio);
	*ret_listener = l;
	return 0;
}

const char *
link_listener_url(const struct link_listener *listener)
{
	return listener->url;
}

void
link_listener_free(struct link_listener **listener)
{
	struct link_listener *l = *listener;

	*listener = NULL;
	if (l == NULL)
		return;
	atomic_store(&l->closing, true);
	if (l->listener != NULL)
		nng_stream_listener_close(l->listener);
	if (l->aio != NULL) {
		nng_aio_stop(l->aio);
		nng_aio_free(l->aio);
	}
	if (l->listener != NULL)
		nng_stream_listener_free(l->listener);
	free(l);
}
