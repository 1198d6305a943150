/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <cadre/error.h>

#include "auth/auth.h"

static void
authenticators_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(auth_find("peer"), &auth_peer);
	assert_ptr_equal(auth_find("none"), &auth_none);
	assert_null(auth_find("Peer"));
	assert_null(auth_find(""));
	assert_null(auth_find("munge "));
}

static void
peer_believes_the_kernel_only(void **state)
{
	struct auth_context ctx = {.have_peer_uid = true,
				   .peer_uid = 5,
				   .expected_uid = 5,
				   .local = true};
	struct cadre_error err = CADRE_ERROR_INIT;
	struct buf proof;

	(void)state;
	buf_init(&proof, 100);
	assert_int_equal(auth_peer.make(&ctx, &proof, NULL), 0);
	assert_int_equal(proof.len, 0);
	assert_int_equal(auth_peer.check(&ctx, NULL, 0, NULL), 0);
	assert_int_equal(auth_peer.check(&ctx, (const uint8_t *)"x", 1, NULL),
			 CADRE_EAUTH);
	ctx.peer_uid = 0;
	assert_int_equal(auth_peer.check(&ctx, NULL, 0, NULL), CADRE_EAUTH);
	ctx.peer_uid = 5;
	ctx.have_peer_uid = false;
	assert_int_equal(auth_peer.check(&ctx, NULL, 0, &err), CADRE_EAUTH);
	assert_int_equal(err.code, CADRE_EAUTH);
	buf_fini(&proof);
}

static void
none_stays_on_this_machine(void **state)
{
	struct auth_context ctx = {.local = true};

	(void)state;
	assert_int_equal(auth_none.check(&ctx, NULL, 0, NULL), 0);
	assert_int_equal(auth_none.check(&ctx, (const uint8_t *)"x", 1, NULL),
			 CADRE_EAUTH);
	ctx.local = false;
	assert_int_equal(auth_none.check(&ctx, NULL, 0, NULL), CADRE_EAUTH);
}

static void
addresses_must_suit(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)state;
	assert_int_equal(auth_peer.usable(true, true, NULL), 0);
	assert_int_equal(auth_peer.usable(true, false, &err), CADRE_EINVAL);
	assert_non_null(strstr(err.text, "ipc://"));
	assert_int_equal(auth_peer.usable(false, false, NULL), CADRE_EINVAL);
	assert_int_equal(auth_none.usable(true, false, NULL), 0);
	assert_int_equal(auth_none.usable(true, true, NULL), 0);
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(auth_none.usable(false, false, &err), CADRE_EINVAL);
	assert_non_null(strstr(err.text, "loopback"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authenticators_are_found_by_name),
		cmocka_unit_test(peer_believes_the_kernel_only),
		cmocka_unit_test(none_stays_on_this_machine),
		cmocka_unit_test(addresses_must_suit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
