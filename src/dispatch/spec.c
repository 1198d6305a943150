/* SPDX-License-Identifier: MIT */
#include "dispatch/state.h"

#include <stdlib.h>

#include "util/error.h"

/* What a SUBMIT or EVERYWHERE frame says of its task. */

static int
parse_engine(const struct wire_frame *frame, struct dispatch_spec *spec,
	     struct cadre_error *err)
{
	uint64_t engine = wire_u64(frame, WIRE_TAG_ENGINE, 0);

	if (engine < 1 || engine > ENGINES)
		return error_set(err, CADRE_EINVAL,
				 "the task asks for engine %llu, which this "
				 "dispatcher does not know",
				 (unsigned long long)engine);
	spec->engine = (enum wire_engine)engine;
	return 0;
}

static int
parse_priority(const struct wire_field *f, struct dispatch_spec *spec,
	       struct cadre_error *err)
{
	uint64_t x = wire_field_u64(f);

	if (x > UINT32_MAX)
		return error_set(err, CADRE_EINVAL,
				 "the task's priority is out of range");
	spec->priority = (int32_t)((int64_t)x - (INT64_C(1) << 31));
	return 0;
}

static void
parse_retry(const struct wire_field *f, struct dispatch_spec *spec)
{
	for (size_t i = 0; i < DISPATCH_CAUSES && f->len >= 4 * (i + 1); i++) {
		uint32_t n = load_u32(f->data + 4 * i);

		spec->retry[i] = n;
		spec->retry_set[i] = n != WIRE_RETRY_DEFAULT;
	}
}

static int
clamp_u32(uint64_t x)
{
	return x > INT32_MAX ? INT32_MAX : (int)x;
}

/* The fields that occur once; unknown ones are the daemon's. */
static int
parse_field(const struct wire_field *f, struct dispatch_spec *spec,
	    struct cadre_error *err)
{
	uint64_t x = wire_field_u64(f);

	switch (f->tag) {
	case WIRE_TAG_TIMEOUT_MS:
		spec->timeout_ms = x > UINT32_MAX ? UINT32_MAX : (uint32_t)x;
		return 0;
	case WIRE_TAG_DEADLINE_MS:
		spec->deadline_ms = x;
		return 0;
	case WIRE_TAG_PRIORITY:
		return parse_priority(f, spec, err);
	case WIRE_TAG_RETRY:
		parse_retry(f, spec);
		return 0;
	case WIRE_TAG_AFTER_FAILED:
		spec->after_failed = x == CADRE_AFTER_RUN ? CADRE_AFTER_RUN
							  : CADRE_AFTER_CANCEL;
		return 0;
	case WIRE_TAG_CORES:
		spec->cores = (uint32_t)clamp_u32(x);
		return 0;
	case WIRE_TAG_GPUS:
		spec->gpus = (uint32_t)clamp_u32(x);
		return 0;
	case WIRE_TAG_MEMORY:
		spec->memory = x;
		return 0;
	default:
		return 0;
	}
}

int
dispatch_spec_parse(const struct wire_frame *frame, uint64_t *after,
		    size_t after_max, struct dispatch_spec *ret_spec,
		    struct cadre_error *err)
{
	struct dispatch_spec spec = {.flags = frame->flags, .after = after};
	struct wire_field f;
	size_t pos = 0;
	int rc = parse_engine(frame, &spec, err);

	while (rc == 0 && wire_next(frame, &pos, &f)) {
		if (f.tag != WIRE_TAG_AFTER)
			rc = parse_field(&f, &spec, err);
		else if (spec.after_n == after_max)
			rc = error_set(err, CADRE_ETOOBIG,
				       "the task waits for more than %zu tasks",
				       after_max);
		else
			after[spec.after_n++] = wire_field_u64(&f);
	}
	if (rc == 0)
		*ret_spec = spec;
	return rc;
}

int
spec_parse(struct dispatch *d, const struct wire_frame *frame,
	   struct dispatch_spec *ret_spec, struct cadre_error *err)
{
	/* A field with a number takes 16 bytes. */
	size_t most = frame->fields_len / 16;

	if (most > d->after_cap) {
		uint64_t *after = realloc(d->after, most * sizeof(uint64_t));

		if (after == NULL)
			return error_nomem(err);
		d->after = after;
		d->after_cap = most;
	}
	return dispatch_spec_parse(frame, d->after, d->after_cap, ret_spec,
				   err);
}
