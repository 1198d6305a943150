/* SPDX-License-Identifier: MIT */
#ifndef PLACE_KERNEL_H
#define PLACE_KERNEL_H

#include <sched.h>
#include <stddef.h>

/*
 * What the kernel says of this process.
 *
 * hwloc would tell too, but loads its plugins for it, which takes longer than
 * everything else that a first task needs (8 ms against 0.1 ms).
 */

/* The CPUs this process may run on; CPU_FREE the set.  NULL when memory ran
 * out. */
cpu_set_t *kernel_allowed(size_t *ret_size);
/* Cores of these CPUs by the files below cpu_dir; 0 if they do not tell. */
unsigned int kernel_cores(const char *cpu_dir, const cpu_set_t *set,
			  size_t size);
/* CPUs that the control groups in the file self grant, rounded up; 0: no limit.
 * root is where their file systems are mounted. */
unsigned int kernel_quota(const char *self, const char *root);

#endif
