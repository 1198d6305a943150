/* SPDX-License-Identifier: MIT */
/* Calls a C function of libsim.so 100 times on the cores of this machine:
 *   cc -o native native.c $(pkg-config --cflags --libs cadre) && ./native */
#include <stdio.h>
#include <cadre/cadre.h>

int
main(void)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct cadre_pool *pool;
	struct cadre_task *tasks[100];

	if (cadre_pool_open(NULL, &pool, &err) < 0)
		return fprintf(stderr, "%s\n", err.text), 1;
	for (int i = 0; i < 100; i++) {
		struct cadre_value *args = cadre_value_list(0);
		struct cadre_value *n = cadre_value_of_int64(1000);
		struct cadre_value *gap = cadre_value_of_double(0.1 * (i + 1));
		cadre_value_list_add(args, "n", &n);
		cadre_value_list_add(args, "gap", &gap);
		if (cadre_submit_native(pool, "./libsim.so", "energy", args,
					NULL, &tasks[i], &err) < 0)
			return fprintf(stderr, "%s\n", err.text), 1;
		cadre_value_free(&args);
	}
	for (int i = 0; i < 100; i++) {
		double x;
		cadre_task_wait(tasks[i], -1);
		if (cadre_value_double_at(cadre_task_value(tasks[i]), 0, &x) ==
		    0)
			printf("%d %.6f\n", i, x);
		else
			printf("%d %s\n", i, cadre_task_error(tasks[i]));
		cadre_task_unref(&tasks[i]);
	}
	cadre_pool_close(&pool);
	return 0;
}
