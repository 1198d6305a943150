/* SPDX-License-Identifier: MIT */
#include "link/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include <nng/supplemental/util/platform.h>

#include "link/nngrt.h"
#include "link/url.h"
#include "util/clock.h"
#include "util/error.h"

/* A dial may take so long. */
#define DIAL_TIMEOUT_MS 10000
/* A local socket whose backlog is full has a listener that is alive but busy,
 * such as one that a thousand daemons dial at once: tried again after a pause
 * that grows, and for longer than a socket that does not answer.  Each attempt
 * costs CPU that the listener needs, so those who wait must not crowd. */
#define DIAL_PAUSE_MIN_MS 20
#define DIAL_PAUSE_MAX_MS 1000
#define DIAL_BUSY_MS 60000

struct dial {
	nng_stream_dialer *dialer;
	nng_aio *aio;
	const struct link_ops *ops;
	void *arg;
	uint64_t until_ms;
	uint32_t pause_ms;
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
dial_now(struct dial *d)
{
	d->resting = false;
	nng_stream_dialer_dial(d->dialer, d->aio);
}

/* Between half and the whole of the pause, so that many do not come together.
 */
static void
dial_later(struct dial *d)
{
	uint32_t half = d->pause_ms / 2;

	d->resting = true;
	d->pause_ms = d->pause_ms * 2 > DIAL_PAUSE_MAX_MS ? DIAL_PAUSE_MAX_MS
							  : d->pause_ms * 2;
	nng_sleep_aio((nng_duration)(half + nng_random() % half), d->aio);
}

static void
dial_done(void *arg)
{
	struct dial *d = arg;
	int rv = nng_aio_result(d->aio);

	if (rv == 0 && d->resting) {
		dial_now(d);
		return;
	}
	if (rv == NNG_EAGAIN && clock_now_ms() < d->until_ms) {
		dial_later(d);
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
	d->pause_ms = DIAL_PAUSE_MIN_MS;
	rv = nng_aio_alloc(&d->aio, dial_done, d);
	if (rv == 0)
		rv = nng_stream_dialer_alloc(&d->dialer, text);
	if (rv != 0) {
		dial_free(d);
		return nngrt_error(err, rv, "cannot dial %s", text);
	}
	nng_aio_set_timeout(d->aio, DIAL_TIMEOUT_MS);
	dial_now(d);
	return 0;
}
