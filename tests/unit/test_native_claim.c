/* SPDX-License-Identifier: MIT */

/* The shared page under fire: a frame is begun or revoked, never both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/engine.h"

#define FRAMES 2000000u

static struct engine_page page;
static _Atomic uint32_t written;
static uint32_t base;
/* 1: begun.  Written by the worker alone. */
static uint8_t begun[FRAMES + 1];

static void *
work(void *arg)
{
	(void)arg;
	for (uint32_t i = 1; i <= FRAMES; i++) {
		while (i > atomic_load(&written))
			(void)sched_yield();
		begun[i] = engine_claim(&page, base + i);
	}
	return NULL;
}

static void
race(uint32_t from)
{
	static uint8_t revoked[FRAMES + 1];
	uint32_t after, both = 0, neither = 0, taken = 0, left = 0;
	pthread_t thread;

	base = from;
	memset(revoked, 0, sizeof(revoked));
	memset(begun, 0, sizeof(begun));
	atomic_store(&written, 0);
	atomic_store(&page.ticket, (uint64_t)from << 32 | from);
	assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
	for (uint32_t sent = 0; sent < FRAMES;) {
		uint32_t window = 1 + (sent * 2654435761u >> 27);

		sent = FRAMES - sent < window ? FRAMES : sent + window;
		atomic_store(&written, sent);
		/* Every other window is left to the worker. */
		if (sent % 2 != 0) {
			while (engine_begun(&page) != from + sent)
				(void)sched_yield();
			continue;
		}
		after = engine_revoke(&page, from + sent) - from;
		/* Those that were taken back before this do not count twice. */
		for (uint32_t i = sent; i > after && revoked[i] == 0; i--)
			revoked[i] = 1;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (uint32_t i = 1; i <= FRAMES; i++) {
		taken += begun[i];
		left += revoked[i];
		both += begun[i] && revoked[i];
		neither += !begun[i] && !revoked[i];
	}
	assert_int_equal(both, 0);
	assert_int_equal(neither, 0);
	assert_true(taken > 1000);
	assert_true(left > 1000);
}

static void
begun_or_revoked(void **state)
{
	(void)state;
	race(0);
}

static void
numbers_wrap_around(void **state)
{
	(void)state;
	race(UINT32_MAX - FRAMES / 2);
}

static void
one_by_one(void **state)
{
	(void)state;
	atomic_store(&page.ticket, 0);
	assert_true(engine_claim(&page, 1));
	assert_int_equal(engine_begun(&page), 1);
	assert_int_equal(engine_revoke(&page, 3), 1);
	assert_false(engine_claim(&page, 2));
	assert_false(engine_claim(&page, 3));
	assert_int_equal(engine_begun(&page), 1);
	assert_true(engine_claim(&page, 4));
	assert_int_equal(engine_begun(&page), 4);
	/* Nothing waits: nothing is taken back. */
	assert_int_equal(engine_revoke(&page, 4), 4);
	assert_true(engine_claim(&page, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(begun_or_revoked),
		cmocka_unit_test(numbers_wrap_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
