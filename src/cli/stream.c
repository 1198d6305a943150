/* SPDX-License-Identifier: MIT */
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define STREAM_SIZE (64U << 10)

static struct {
	char data[STREAM_SIZE];
	size_t len;
	int which; /* whose data it is */
	int error[3];
} stream = {.which = STREAM_OUT};

static void
write_out(int which, const char *p, size_t len)
{
	while (len > 0 && stream.error[which] == 0) {
		ssize_t n = write(which, p, len);

		if (n < 0 && errno == EAGAIN) {
			/* Somebody made the terminal or pipe non-blocking. */
			struct pollfd pfd = {.fd = which, .events = POLLOUT};

			(void)poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			stream.error[which] = errno;
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

void
stream_flush(void)
{
	write_out(stream.which, stream.data, stream.len);
	stream.len = 0;
}

bool
stream_pending(void)
{
	return stream.len > 0;
}

void
stream_put(int which, const void *data, size_t len)
{
	if (which != stream.which || len > STREAM_SIZE - stream.len)
		stream_flush();
	stream.which = which;
	if (len >= STREAM_SIZE) {
		write_out(which, data, len);
		return;
	}
	if (len > 0)
		memcpy(stream.data + stream.len, data, len);
	stream.len += len;
}

int
stream_error(void)
{
	return stream.error[STREAM_OUT];
}
