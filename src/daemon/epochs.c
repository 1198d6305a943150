/* SPDX-License-Identifier: MIT */
#include "daemon/epochs.h"

#include <stdlib.h>

#include <cadre/error.h>

#include "util/buf.h"

static int
encode(const struct wire_frame *frame, uint8_t engine, struct blob **ret)
{
	struct wire_frame copy = *frame;
	struct buf b;
	int rc;

	/* To a reaper it is a command like any other. */
	if (engine == WIRE_ENGINE_COMMAND)
		copy.type = WIRE_TASK;
	copy.flags &= (uint8_t)~WIRE_ONCE;
	copy.attempt = 0;
	buf_init(&b, SIZE_MAX / 2);
	wire_encode(&b, &copy);
	rc = b.error;
	if (rc == 0)
		*ret = blob_copy(b.data, b.len);
	buf_fini(&b);
	return rc == 0 && *ret == NULL ? CADRE_ENOMEM : rc;
}

int
epochs_add(struct epochs *e, const struct wire_frame *frame)
{
	struct epoch epoch = {
		.id = frame->task,
		.engine = (uint8_t)wire_u64(frame, WIRE_TAG_ENGINE, 0),
		.once = (frame->flags & WIRE_ONCE) != 0,
	};
	int rc;

	if (e->n == e->cap) {
		size_t cap = e->cap == 0 ? 8 : e->cap * 2;
		struct epoch *list = reallocarray(e->list, cap, sizeof(*list));

		if (list == NULL)
			return CADRE_ENOMEM;
		e->list = list;
		e->cap = cap;
	}
	rc = encode(frame, epoch.engine, &epoch.frame);
	if (rc < 0)
		return rc;
	e->list[e->n++] = epoch;
	return 0;
}

void
epochs_reset(struct epochs *e)
{
	for (size_t i = 0; i < e->n; i++)
		blob_unref(&e->list[i].frame);
	free(e->list);
	*e = (struct epochs){0};
}

const struct epoch *
epochs_next(const struct epochs *e, uint8_t engine, size_t from, size_t seen,
	    size_t *ret_next)
{
	for (size_t i = from; i < e->n; i++) {
		const struct epoch *epoch = &e->list[i];

		if (epoch->engine != engine || (epoch->once && i < seen))
			continue;
		*ret_next = i + 1;
		return epoch;
	}
	return NULL;
}
