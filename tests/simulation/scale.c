/* SPDX-License-Identifier: MIT */
#include "scale.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dispatch/dispatch.h"

/*
 * What the dispatcher costs, peers costing next to nothing: tasks go to slots
 * in a ring, each of which answers when its turn has come.
 */

#define SLOTS_PER_DAEMON 100u
#define QUEUED 1000000u

struct scale_daemon {
	struct dispatch_peer *peer;
	uint32_t incarnation;
};

struct reply {
	struct scale_daemon *daemon;
	struct wire_frame frame;
};

struct scale {
	struct dispatch *d;
	struct reply *ring;
	size_t first, n, cap;
	uint64_t resolved;
};

static void
on_send(void *arg, void *conn, const struct wire_frame *frame)
{
	struct scale *s = arg;

	if (frame->type != WIRE_TASK || s->n == s->cap)
		return;
	s->ring[(s->first + s->n++) % s->cap] = (struct reply){
		.daemon = conn,
		.frame = {.type = WIRE_RESULT,
			  .task = frame->task,
			  .attempt = frame->attempt,
			  .slot = frame->slot,
			  .incarnation = frame->incarnation},
	};
}

static void
on_resolve(void *arg, void *owner, const struct dispatch_outcome *o)
{
	struct scale *s = arg;

	(void)owner;
	s->resolved += o->outcome == CADRE_OUTCOME_VALUE;
}

static const struct dispatch_ops ops = {.send = on_send, .resolve = on_resolve};

/* Time of the processor, so that others on the machine do not count. */
static double
cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
start(struct scale *s, struct scale_daemon *daemons, uint64_t slots)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, 256);
	wire_put_u64(&b, WIRE_TAG_ROLE, WIRE_ROLE_DAEMON);
	wire_put_u64(&b, WIRE_TAG_ENGINES, 1u << WIRE_ENGINE_NATIVE);
	wire_put_u64(&b, WIRE_TAG_SLOTS, SLOTS_PER_DAEMON);
	for (uint64_t i = 0; i < slots && rc == 0; i++) {
		struct scale_daemon *dm = &daemons[i / SLOTS_PER_DAEMON];
		struct wire_frame f = {
			.type = WIRE_SLOT_UP,
			.slot = (uint32_t)(i % SLOTS_PER_DAEMON)};
		struct wire_frame hello = {.type = WIRE_HELLO,
					   .fields = b.data,
					   .fields_len = b.len};

		if (f.slot == 0)
			rc = dispatch_peer_up(s->d, &hello, dm, "", 1,
					      &dm->peer, &dm->incarnation);
		f.incarnation = dm->incarnation;
		if (rc == 0)
			rc = dispatch_frame(s->d, dm->peer, &f, 1, NULL);
	}
	buf_fini(&b);
	return rc;
}

static int
submit(struct scale *s, uint64_t n, uint64_t *ret_last)
{
	const struct dispatch_spec spec = {.engine = WIRE_ENGINE_NATIVE,
					   .flags = WIRE_WINDOW |
						    WIRE_IDEMPOTENT};
	char payload[100] = "";
	const struct dispatch_body body = {.payload = payload,
					   .payload_len = sizeof(payload)};
	int rc = 0;

	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = dispatch_submit(s->d, &spec, &body, NULL, 1, ret_last);
	return rc;
}

/* All answers that are due, one after the other; each may bring new ones. */
static void
answer(struct scale *s, uint64_t n)
{
	for (; n > 0 && s->n > 0; n--) {
		struct reply r = s->ring[s->first];

		s->first = (s->first + 1) % s->cap;
		s->n--;
		(void)dispatch_frame(s->d, r.daemon->peer, &r.frame, 1, NULL);
	}
}

/* Tasks submitted while others end, as many under way as there are slots. */
static double
measure_flow(struct scale *s, uint64_t slots, uint64_t tasks)
{
	double t0 = cpu_ns();
	uint64_t last;

	for (uint64_t done = 0; done < tasks;) {
		uint64_t n = tasks - done < slots ? tasks - done : slots;

		if (submit(s, n, &last) != 0)
			return -1;
		answer(s, n);
		done += n;
	}
	answer(s, UINT64_MAX);
	return (cpu_ns() - t0) / (double)tasks;
}

/* A million that wait, then all of them cancelled. */
static int
measure_queue(void)
{
	struct scale s = {.cap = 0};
	struct dispatch_config cfg;
	uint64_t before = mallinfo2().uordblks, last = 0;
	double t0, t1, t2;
	size_t bytes;

	dispatch_config_default(&cfg);
	s.d = dispatch_new(&cfg, &ops, &s);
	if (s.d == NULL)
		return 1;
	t0 = cpu_ns();
	if (submit(&s, QUEUED, &last) != 0)
		return 1;
	t1 = cpu_ns();
	bytes = (size_t)(mallinfo2().uordblks - before) / QUEUED;
	for (uint64_t id = 1; id <= last; id++)
		(void)dispatch_cancel(s.d, id, 1);
	t2 = cpu_ns();
	(void)printf("queue: %u tasks with 100 bytes, %zu bytes each beyond "
		     "them, %.0f ns to submit, %.0f ns to cancel\n",
		     QUEUED, bytes - 100, (t1 - t0) / QUEUED,
		     (t2 - t1) / QUEUED);
	dispatch_free(&s.d);
	return 0;
}

static int
measure_slots(uint64_t slots, uint64_t tasks, uint32_t window)
{
	struct scale s = {.cap = slots * (window + 1)};
	struct scale_daemon *daemons =
		calloc(slots / SLOTS_PER_DAEMON + 1, sizeof(*daemons));
	struct dispatch_config cfg;
	double ns = -1;

	dispatch_config_default(&cfg);
	cfg.window = window;
	s.d = dispatch_new(&cfg, &ops, &s);
	s.ring = calloc(s.cap, sizeof(*s.ring));
	if (s.d != NULL && s.ring != NULL && daemons != NULL &&
	    start(&s, daemons, slots) == 0)
		ns = measure_flow(&s, slots * (window + 1), tasks);
	if (ns >= 0)
		(void)printf("slots %llu, window %u: %llu tasks, %.0f ns per "
			     "task\n",
			     (unsigned long long)slots, window,
			     (unsigned long long)tasks, ns);
	if (s.resolved != tasks)
		(void)fprintf(stderr, "sim: %llu of %llu tasks resolved\n",
			      (unsigned long long)s.resolved,
			      (unsigned long long)tasks);
	dispatch_free(&s.d);
	free(s.ring);
	free(daemons);
	return s.resolved == tasks ? 0 : 1;
}

int
scale_run(uint64_t slots, uint64_t tasks)
{
	int rc = measure_slots(1, tasks, 8192);

	for (uint64_t n = slots > 100 ? slots / 100 : 1; n <= slots; n *= 10)
		rc |= measure_slots(n, tasks, 0);
	return rc | measure_queue();
}
