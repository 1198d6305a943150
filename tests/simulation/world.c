/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run that ends well takes far fewer. */
#define CALM_STEPS 1000000u
#define CHECK_STEPS 512u

void
world_fail(const struct world *w, const char *format, ...)
{
	va_list args;

	(void)fflush(stdout);
	(void)fprintf(stderr, "seed %llu, step %llu, time %llu: ",
		      (unsigned long long)w->seed, (unsigned long long)w->step,
		      (unsigned long long)w->now);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, "\n");
	exit(1);
}

uint64_t
world_random(struct world *w, uint64_t n)
{
	uint64_t x = w->rng;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	w->rng = x;
	return (x * UINT64_C(0x2545f4914f6cdd1d) >> 16) % n;
}

bool
world_chance(struct world *w, unsigned int percent)
{
	return world_random(w, 100) < percent;
}

void *
world_grow(void *at, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap == 0 ? 16 : *cap;

	if (need <= *cap)
		return at;
	while (n < need)
		n *= 2;
	at = realloc(at, n * size);
	if (at == NULL) {
		(void)fprintf(stderr, "out of memory\n");
		exit(1);
	}
	*cap = n;
	return at;
}

void
ids_push(struct ids *q, uint64_t id)
{
	if (q->first > 1024 && q->first > q->n) {
		memmove(q->at, q->at + q->first, q->n * sizeof(*q->at));
		q->first = 0;
	}
	q->at = world_grow(q->at, &q->cap, q->first + q->n + 1, sizeof(*q->at));
	q->at[q->first + q->n++] = id;
}

void
channel_push(struct channel *c, const struct wire_frame *frame,
	     const struct buf *fields)
{
	struct msg *m;

	if (c->first > 64 && c->first > c->n) {
		memmove(c->msgs, c->msgs + c->first, c->n * sizeof(*c->msgs));
		c->first = 0;
	}
	c->msgs = world_grow(c->msgs, &c->cap, c->first + c->n + 1,
			     sizeof(*c->msgs));
	m = &c->msgs[c->first + c->n++];
	m->frame = *frame;
	m->frame.fields = m->frame.payload = NULL;
	m->frame.fields_len = m->frame.payload_len = 0;
	m->frame.owner = NULL;
	m->fields_len = fields == NULL ? 0 : fields->len;
	if (m->fields_len > 0)
		memcpy(m->fields, fields->data, m->fields_len);
}

bool
channel_pop(struct channel *c, struct msg *ret)
{
	if (c->n == 0)
		return false;
	*ret = c->msgs[c->first++];
	c->n--;
	return true;
}

void
channel_clear(struct channel *c)
{
	c->first = c->n = 0;
}

void
attempts_push(struct attempts *q, struct attempt a)
{
	q->at = world_grow(q->at, &q->cap, q->n + 1, sizeof(*q->at));
	q->at[q->n++] = a;
}

bool
attempts_take(struct attempts *q, uint64_t id, uint32_t attempt,
	      struct attempt *ret)
{
	for (size_t i = 0; i < q->n; i++) {
		if (q->at[i].id != id || q->at[i].attempt != attempt)
			continue;
		if (ret != NULL)
			*ret = q->at[i];
		memmove(q->at + i, q->at + i + 1,
			(--q->n - i) * sizeof(*q->at));
		return true;
	}
	return false;
}

static struct world *
world_new(uint64_t seed)
{
	static const uint32_t windows[] = {0, 1, 4, 32};
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		exit(1);
	w->seed = seed;
	w->rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	w->now = 1000;
	w->next_id = 1;
	dispatch_config_default(&w->cfg);
	w->cfg.window = windows[world_random(w, 4)];
	w->cfg.heartbeat_ms = 200;
	w->daemons = 1 + world_random(w, DAEMONS);
	w->cfg.idle_limit_ms = world_chance(w, 50) ? 500 : 0;
	w->d = dispatch_new(&w->cfg, &oracle_ops, w);
	if (w->d == NULL)
		exit(1);
	for (size_t i = 0; i < DAEMONS + HOSTS; i++)
		w->conns[i].kind = i < DAEMONS ? SIM_DAEMON : SIM_HOST;
	w->no_daemon_since = w->now;
	for (unsigned int e = 0; e <= ENGINES; e++)
		w->no_engine_since[e] = w->now;
	return w;
}

static void
world_free(struct world *w)
{
	dispatch_free(&w->d);
	for (size_t i = 0; i < DAEMONS + HOSTS; i++) {
		free(w->conns[i].to.msgs);
		free(w->conns[i].from.msgs);
		for (size_t j = 0; j < SLOTS; j++) {
			free(w->conns[i].slots[j].queue.at);
			free(w->conns[i].slots[j].view.at);
		}
	}
	for (size_t i = 0; i < PRIORITIES; i++)
		for (size_t j = 0; j <= ENGINES; j++)
			free(w->ready[i][j].at);
	free(w->tasks);
	free(w->edges);
	free(w->open.at);
	free(w->touched.at);
	free(w->epoch_done);
	free(w);
}

static void
report(const struct world *w)
{
	struct cadre_info info;

	dispatch_info(w->d, &info);
	/* TAP, for "make check". */
	(void)printf(
		"ok - seed %llu: %llu tasks, %llu attempts, %llu retried, "
		"%llu refused, %llu daemons of which %llu were lost, "
		"%llu recalls, windows up to %llu; outcomes:",
		(unsigned long long)w->seed, (unsigned long long)w->submitted,
		(unsigned long long)w->attempts,
		(unsigned long long)info.retried,
		(unsigned long long)info.refused,
		(unsigned long long)info.cumulative,
		(unsigned long long)w->losses, (unsigned long long)w->recalls,
		(unsigned long long)w->deepest);
	for (size_t i = 0; i < 32; i++)
		if (w->outcomes[i] > 0)
			(void)printf(" %zu: %llu", i,
				     (unsigned long long)w->outcomes[i]);
	(void)printf("\n");
	(void)fflush(stdout);
}

void
world_run(uint64_t seed, uint64_t steps)
{
	struct world *w = world_new(seed);

	for (; w->step < steps; w->step++) {
		actors_step(w);
		if (w->step % CHECK_STEPS == 0)
			oracle_checkpoint(w);
	}
	actors_calm(w);
	for (uint64_t i = 0; w->open.n > 0 || w->epochs_open > 0; i++) {
		if (i > CALM_STEPS)
			world_fail(w, "%zu tasks never end", w->open.n);
		actors_calm_step(w);
	}
	/* Whatever is still under way arrives. */
	for (int i = 0; i < 100; i++)
		actors_calm_step(w);
	oracle_final(w);
	report(w);
	world_free(w);
}
