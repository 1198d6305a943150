/* SPDX-License-Identifier: MIT */
#include <cadre/pool.h>

#include "host/pool.h"
#include "util/error.h"

int
cadre_pool_info(struct cadre_pool *pool, struct cadre_info *ret,
		struct cadre_error *err)
{
	int rc = pool_default(&pool, err);

	if (rc < 0)
		return rc;
	if (ret == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_pool_info needs a place for its "
				 "result");
	return pool->ops->info(pool, ret, err);
}

int
cadre_pool_status(struct cadre_pool *pool,
		  struct cadre_daemon_status **ret_daemons, size_t *ret_n,
		  struct cadre_error *err)
{
	int rc = pool_default(&pool, err);

	if (rc < 0)
		return rc;
	if (ret_daemons == NULL || ret_n == NULL)
		return error_set(err, CADRE_EINVAL,
				 "cadre_pool_status needs a place for its "
				 "result");
	return pool->ops->status(pool, ret_daemons, ret_n, err);
}

static int
scale(struct cadre_pool *pool, unsigned int slots, bool remove,
      struct cadre_error *err)
{
	int rc = pool_default(&pool, err);

	if (rc < 0)
		return rc;
	if (slots == 0)
		return error_set(err, CADRE_EINVAL,
				 "the number of slots to %s must not be 0",
				 remove ? "remove" : "add");
	return pool->ops->scale(pool, slots, remove, err);
}

int
cadre_pool_add(struct cadre_pool *pool, unsigned int slots,
	       struct cadre_error *err)
{
	return scale(pool, slots, false, err);
}

int
cadre_pool_remove(struct cadre_pool *pool, unsigned int slots,
		  struct cadre_error *err)
{
	return scale(pool, slots, true, err);
}

int
cadre_pool_shutdown(struct cadre_pool *pool, struct cadre_error *err)
{
	int rc = pool_default(&pool, err);

	return rc < 0 ? rc : pool->ops->shutdown(pool, err);
}
