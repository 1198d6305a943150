/* SPDX-License-Identifier: MIT */
#include "daemon/limits.h"

#include <errno.h>
#include <sys/resource.h>

#include "util/error.h"

/* The transport, the loop, the log and some to spare. */
#define BASE 64u
/* A control socket, a worker's socket and its memory, twice while it is
 * replaced, and what is handed to the reaper. */
#define PER_SLOT 12u

int
limits_files(uint32_t slots, struct cadre_error *err)
{
	rlim_t need = BASE + (rlim_t)slots * PER_SLOT;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_sys(err, errno, "cannot read the limit of files");
	if (limit.rlim_cur >= need)
		return 0;
	if (limit.rlim_max < need)
		return error_set(err, CADRE_ESYS,
				 "%u slots need %llu open files, but the limit "
				 "is %llu: raise ulimit -n, or use fewer slots",
				 slots, (unsigned long long)need,
				 (unsigned long long)limit.rlim_max);
	limit.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_sys(err, errno, "cannot raise the limit of files");
	return 0;
}
