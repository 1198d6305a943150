/* SPDX-License-Identifier: MIT */
/* cc -o native native.c $(pkg-config --cflags --libs cadre) && ./native */
#include <stdio.h>
#include <cadre/cadre.h>

int
main(void)
{
	struct cadre_pool *pool;
	struct cadre_task *tasks[100];
	struct cadre_value *args;
	char json[64];

	if (cadre_pool_open(NULL, &pool, NULL) < 0)
		return 1;
	for (int i = 0; i < 100; i++) {
		int n = sprintf(json, "{\"n\": 1000, \"gap\": 0.%03d}", i + 1);
		cadre_value_from_json(json, (size_t)n, &args, NULL);
		cadre_submit_native(pool, "./libsim.so", "energy", args, NULL,
				    &tasks[i], NULL);
		cadre_value_free(&args);
	}
	for (int i = 0; i < 100; i++) {
		double x = 0;
		cadre_task_wait(tasks[i], -1);
		cadre_value_double_at(cadre_task_value(tasks[i]), 0, &x);
		printf("%d %.6f\n", i, x);
		cadre_task_unref(&tasks[i]);
	}
	cadre_pool_close(&pool);
}
