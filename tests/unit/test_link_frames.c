/* SPDX-License-Identifier: MIT */
#include "link/recv.h"
#include "link/send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Numbers that are the same in every run. */
static uint64_t seed;

static size_t
below(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(seed >> 33) % n;
}

static uint8_t
byte_of(uint64_t task, size_t i)
{
	return (uint8_t)(task * 31 + i * 7 + (i >> 11));
}

static void
make_frame(struct send_batch *b, uint64_t task, size_t len, bool owned)
{
	struct blob *blob = blob_new(len);
	struct wire_frame frame = {.type = WIRE_OUTPUT,
				   .code = 1,
				   .task = task,
				   .payload = blob->data,
				   .payload_len = len,
				   .owner = owned ? blob : NULL};

	assert_non_null(blob);
	for (size_t i = 0; i < len; i++)
		blob->data[i] = byte_of(task, i);
	assert_int_equal(send_put(b, &frame), 0);
	blob_unref(&blob);
}

static void
check_frame(const struct wire_frame *frame, uint64_t task, size_t len)
{
	assert_int_equal(frame->task, task);
	assert_int_equal(frame->payload_len, len);
	assert_int_equal((uintptr_t)frame->payload % 8, 0);
	for (size_t i = 0; i < len; i++)
		if (frame->payload[i] != byte_of(task, i))
			fail_msg("byte %zu of frame %d", i, (int)task);
}

/* Moves at most max bytes from what is to be sent to where it is received, in
 * pieces as a kernel may choose. */
static size_t
move_some(struct send_batch *b, struct recv_state *r, size_t max)
{
	unsigned int n_from, n_to;
	struct iovec from[8], to[2];
	size_t done = 0, i = 0, k = 0;

	n_from = send_pieces(b, from, 8);
	assert_int_equal(recv_room(r, to, &n_to), 0);
	while (i < n_from && k < n_to && done < max) {
		size_t step = from[i].iov_len;

		step = step < to[k].iov_len ? step : to[k].iov_len;
		step = step < max - done ? step : max - done;
		memcpy(to[k].iov_base, from[i].iov_base, step);
		from[i].iov_base = (uint8_t *)from[i].iov_base + step;
		to[k].iov_base = (uint8_t *)to[k].iov_base + step;
		done += step;
		i += (from[i].iov_len -= step) == 0;
		k += (to[k].iov_len -= step) == 0;
	}
	send_advance(b, done);
	assert_int_equal(recv_advance(r, done), 0);
	return done;
}

static void
round_trip(size_t frames, size_t step, const size_t *lens)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct send_batch b;
	struct recv_state r;
	size_t got = 0;

	send_init(&b);
	recv_init(&r);
	for (size_t i = 0; i < frames; i++)
		make_frame(&b, i, lens[i], i % 2 == 0);
	while (b.left > 0) {
		struct wire_frame frame;
		int rc;

		assert_true(move_some(&b, &r, 1 + below(step)) > 0);
		while ((rc = recv_next(&r, WIRE_MAX_FRAME, &frame, &err)) > 0)
			if (rc == RECV_HEAD) {
				assert_int_equal(frame.payload_len, lens[got]);
				assert_int_equal(recv_large(&r, NULL), 0);
			} else {
				check_frame(&frame, got, lens[got]);
				got++;
			}
		assert_int_equal(rc, RECV_MORE);
	}
	assert_int_equal(got, frames);
	send_fini(&b);
	recv_fini(&r);
}

static void
test_every_split(void **state)
{
	static const size_t lens[] = {0, 1, 7, 8, 9, 100, 0, 3};

	(void)state;
	for (size_t step = 1; step < 200; step++)
		round_trip(8, step, lens);
}

static void
test_sizes_around_limits(void **state)
{
	static const size_t around[] = {
		16 * 1024 - WIRE_HEADER, 64 * 1024 - WIRE_HEADER, 64 * 1024,
		256 * 1024 - WIRE_HEADER, 16 * 1024 * 1024 - WIRE_HEADER};
	size_t lens[15];

	(void)state;
	for (size_t i = 0; i < 15; i++)
		lens[i] = around[i / 3] + i % 3 - 1;
	round_trip(15, 300 * 1000, lens);
	round_trip(15, 2 * 1000 * 1000, lens);
}

static void
test_random(void **state)
{
	size_t lens[300];

	(void)state;
	for (int run = 0; run < 20; run++) {
		for (size_t i = 0; i < 300; i++)
			lens[i] = below(100) < 95 ? below(300)
						  : below(400 * 1000);
		round_trip(300, 1 + below(500 * 1000), lens);
	}
}

/* A peer announces a terabyte: memory follows what arrives. */
static void
test_no_trust(void **state)
{
	enum { MIB = 1024 * 1024 };
	struct cadre_error err = CADRE_ERROR_INIT;
	struct recv_state r;
	struct wire_frame frame;
	struct iovec to[2];
	uint8_t *head;
	unsigned int n;

	(void)state;
	recv_init(&r);
	assert_int_equal(recv_room(&r, to, &n), 0);
	head = to[0].iov_base;
	memset(head, 0, WIRE_HEADER);
	store_u64(head, WIRE_MAX_FRAME);
	store_u16(head + 8, WIRE_OUTPUT);
	assert_int_equal(recv_advance(&r, WIRE_HEADER), 0);
	assert_int_equal(recv_next(&r, WIRE_MAX_FRAME, &frame, &err),
			 RECV_HEAD);
	assert_int_equal(frame.payload_len, WIRE_MAX_FRAME - WIRE_HEADER);
	assert_int_equal(recv_large(&r, NULL), 0);
	assert_int_equal(r.room, 64 * MIB);
	while (r.have < 100 * (size_t)MIB) {
		size_t before = r.have;

		assert_int_equal(recv_room(&r, to, &n), 0);
		assert_int_equal(n, 1);
		assert_true(r.room <= 2 * before || r.room == 64 * MIB);
		/* what was received stays where it was when memory moves */
		memset(to[0].iov_base, (int)(before / MIB), 1);
		assert_int_equal(recv_advance(&r, to[0].iov_len < MIB
							  ? to[0].iov_len
							  : MIB),
				 0);
		assert_int_equal(r.large->data[before],
				 (uint8_t)(before / MIB));
		assert_int_equal(recv_next(&r, WIRE_MAX_FRAME, &frame, &err),
				 RECV_MORE);
	}
	assert_int_equal(r.room, 128 * MIB);
	recv_fini(&r);
}

static void
test_max(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct send_batch b;
	struct recv_state r;
	struct wire_frame frame;

	(void)state;
	send_init(&b);
	recv_init(&r);
	make_frame(&b, 0, 1000 - WIRE_HEADER, false);
	make_frame(&b, 1, 1001 - WIRE_HEADER, false);
	(void)move_some(&b, &r, SIZE_MAX);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), RECV_FRAME);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), CADRE_ETOOBIG);
	assert_int_equal(err.code, CADRE_ETOOBIG);
	send_fini(&b);
	recv_fini(&r);
}

static void
test_end(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct send_batch b;
	struct recv_state r;
	struct wire_frame frame;
	uint8_t mark[8];

	(void)state;
	send_init(&b);
	recv_init(&r);
	store_u64(mark, RECV_END_MARK);
	make_frame(&b, 0, 10, false);
	assert_int_equal(send_put_bytes(&b, mark, sizeof(mark)), 0);
	while (b.left > 1)
		(void)move_some(&b, &r, 1);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), RECV_FRAME);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), RECV_MORE);
	(void)move_some(&b, &r, 1);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), RECV_END);
	assert_int_equal(recv_next(&r, 1000, &frame, &err), RECV_END);
	send_fini(&b);
	recv_fini(&r);
}

/* A payload is let go of as soon as it is sent, and by a batch given up. */
static void
test_owners(void **state)
{
	struct blob *blob = blob_new(100 * 1000);
	struct wire_frame frame = {.type = WIRE_OUTPUT,
				   .code = 1,
				   .payload = blob->data,
				   .payload_len = blob->len,
				   .owner = blob};
	struct send_batch b;
	struct iovec iov[8];

	(void)state;
	memset(blob->data, 1, blob->len);
	send_init(&b);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_put(&b, &frame), 0);
	assert_int_equal(blob->refs, 21);
	assert_int_equal(send_pieces(&b, iov, 8), 8);
	send_advance(&b, WIRE_HEADER + blob->len - 1);
	assert_int_equal(blob->refs, 21);
	send_advance(&b, 1);
	assert_int_equal(blob->refs, 20);
	assert_int_equal(b.left, 19 * (WIRE_HEADER + blob->len));
	send_reset(&b);
	assert_int_equal(blob->refs, 1);
	assert_int_equal(b.left, 0);
	assert_int_equal(send_pieces(&b, iov, 8), 0);
	send_fini(&b);
	blob_unref(&blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_sizes_around_limits),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_no_trust),
		cmocka_unit_test(test_max),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
