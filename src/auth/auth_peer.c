/* SPDX-License-Identifier: MIT */
#include "auth/auth.h"

#include "util/error.h"

/*
 * The kernel says who is at the other end of a local socket; there is nothing
 * to prove.
 */

static int
peer_make(const struct auth_context *ctx, struct buf *proof,
	  struct cadre_error *err)
{
	(void)ctx;
	(void)proof;
	(void)err;
	return 0;
}

static int
peer_check(const struct auth_context *ctx, const uint8_t *proof, size_t len,
	   struct cadre_error *err)
{
	(void)proof;
	if (len != 0)
		return error_set(err, CADRE_EAUTH,
				 "the peer sent %zu bytes of proof where "
				 "auth=peer has none",
				 len);
	if (!ctx->have_peer_uid)
		return error_set(err, CADRE_EAUTH,
				 "the kernel does not tell who is at the other "
				 "end; auth=peer needs an ipc:// or "
				 "abstract:// address");
	if (ctx->peer_uid != ctx->expected_uid)
		return error_set(err, CADRE_EAUTH,
				 "the peer runs as uid %lu, but uid %lu was "
				 "expected",
				 (unsigned long)ctx->peer_uid,
				 (unsigned long)ctx->expected_uid);
	return 0;
}

static int
peer_usable(bool local, bool kernel_tells_uid, struct cadre_error *err)
{
	(void)local;
	if (kernel_tells_uid)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "auth=peer works on ipc:// and abstract:// addresses "
			 "only, where the kernel knows the peer's uid");
}

const struct auth_ops auth_peer = {
	.name = "peer",
	.make = peer_make,
	.check = peer_check,
	.usable = peer_usable,
};
