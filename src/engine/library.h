/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_LIBRARY_H
#define ENGINE_LIBRARY_H

#include <stdbool.h>

#include <cadre/error.h>
#include <cadre/native.h>

/*
 * A user's shared object, loaded once: its init hook runs when it is loaded,
 * its fini hook when it is closed.
 */
struct library {
	char *path;
	void *handle;
	void (*fini)(void); /* NULL: it has none */
};

/* share: resolve what the object leaves undefined from this library or
 * program, even if a language binding loaded it privately. */
int library_open(struct library *lib, const char *path, bool share,
		 struct cadre_error *err);
void library_close(struct library *lib);
int library_find(const struct library *lib, const char *function,
		 cadre_native_fn **ret_fn, struct cadre_error *err);

#endif
