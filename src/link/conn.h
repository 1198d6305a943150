/* SPDX-License-Identifier: MIT */
#ifndef LINK_CONN_H
#define LINK_CONN_H

#include <nng/nng.h>

#include "link/link.h"

/* Makes a connection of a stream (takes; closed on failure) and calls
 * ops->opened from this thread, one of nng's. */
void conn_start(nng_stream *stream, const struct link_ops *ops, void *arg);

#endif
