/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "link/nngrt.h"
#include "link/url.h"
#include "util/clock.h"
#include "util/error.h"

/* A dial may take so long. */
#define DIAL_TIMEOUT_MS 10000
/* A local socket whose backlog is full has a listener that is alive but busy,
 * such as one that a thousand daemons dial at once: tried again after AGAIN,
 * and for longer than a socket that does not answer. */
#define DIAL_AGAIN_MS 20
#define DIAL_BUSY_MS 60000

struct dial {
	nng_stream_dialer *dialer;
	nng_aio *aio;
	const struct link_ops *ops;
	void *arg;
	uint64_t until_ms;
	bool resting; /* the aio sleeps before the next attempt */
};

static void
dial_free(struct dial *d)
{
	if (d->aio != NULL)
		nng_aio_reap(d->aio);
	if (d->dialer != NULL)
		nng_stream_dialer_free(d->dialer);
	free(d);
}

static void
dial_again(struct dial *d, bool rest)
{
	d->resting = rest;
	if (rest)
		nng_sleep_aio(DIAL_AGAIN_MS, d->aio);
	else
		nng_stream_dialer_dial(d->dialer, d->aio);
}

static void
dial_done(void *arg)
{
	struct dial *d = arg;
	int rv = nng_aio_result(d->aio);

	if (rv == 0 && d->resting) {
		dial_again(d, false);
		return;
	}
	if (rv == NNG_EAGAIN && clock_now_ms() < d->until_ms) {
		dial_again(d, true);
		return;
	}
	if (rv == 0)
		conn_start(nng_aio_get_output(d->aio, 0), d->ops, d->arg);
	else if (d->ops->dial_failed != NULL)
		d->ops->dial_failed(d->arg, nng_strerror(rv));
	dial_free(d);
}

int
link_dial(const char *text, const struct link_ops *ops, void *arg,
	  struct cadre_error *err)
{
	struct url url;
	struct dial *d;
	int rc, rv;

	rc = url_parse(text, &url, err);
	if (rc == 0 && url.kind == URL_TCP &&
	    (url.port == 0 || url_is_wildcard(&url)))
		rc = error_set(err, CADRE_EINVAL,
			       "\"%s\" cannot be dialled: name the host and "
			       "its port",
			       text);
	if (rc == 0)
		rc = nngrt_start(err);
	if (rc < 0)
		return rc;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return error_nomem(err);
	d->ops = ops;
	d->arg = arg;
	d->until_ms = clock_now_ms() + DIAL_BUSY_MS;
	rv = nng_aio_alloc(&d->aio, dial_done, d);
	if (rv == 0)
		rv = nng_stream_dialer_alloc(&d->dialer, text);
	if (rv != 0) {
		dial_free(d);
		return nngrt_error(err, rv, "cannot dial %s", text);
	}
	nng_aio_set_timeout(d->aio, DIAL_TIMEOUT_MS);
	dial_again(d, false);
	return 0;
}
