/* SPDX-License-Identifier: MIT */
#include "engine/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"

static const struct {
	unsigned int machine;
	const char *name;
} machines[] = {
	{EM_X86_64, "x86-64"},	{EM_386, "32-bit x86"}, {EM_AARCH64, "arm64"},
	{EM_ARM, "32-bit arm"}, {EM_PPC64, "ppc64"},	{EM_S390, "s390x"},
	{EM_RISCV, "riscv"},
};

static const char *
machine_name(unsigned int machine)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
		if (machines[i].machine == machine)
			return machines[i].name;
	}
	return "another machine";
}

/* The part of an ELF header that is the same in all of them. */
struct elf_start {
	unsigned char ident[EI_NIDENT];
	uint16_t type;
	uint16_t machine;
};

static int
read_start(const char *path, struct elf_start *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, sizeof(*ret));
	close(fd);
	return n < (ssize_t)sizeof(*ret) ||
			       memcmp(ret->ident, ELFMAG, SELFMAG) != 0
		       ? -ENOEXEC
		       : 0;
}

/* The loader's own words do not tell a file for another machine from one that
 * is not there. */
static int
explain(const char *path, const char *reason, struct cadre_error *err)
{
	struct elf_start own, other;
	int rc;

	if (strchr(path, '/') == NULL)
		return error_set(err, CADRE_ENOENT,
				 "cannot load the library '%s': %s (a name "
				 "without a slash is searched for by the "
				 "loader; give a path)",
				 path, reason);
	rc = read_start(path, &other);
	if (rc == -ENOEXEC)
		return error_set(err, CADRE_EINVAL,
				 "cannot load '%s': it is no shared library",
				 path);
	if (rc < 0)
		return error_set(err, CADRE_ENOENT,
				 "cannot load the library '%s': %s", path,
				 strerror(-rc));
	if (read_start("/proc/self/exe", &own) == 0 &&
	    (own.machine != other.machine ||
	     own.ident[EI_CLASS] != other.ident[EI_CLASS]))
		return error_set(err, CADRE_EINVAL,
				 "cannot load '%s': it was built for %s, this "
				 "machine is %s",
				 path, machine_name(other.machine),
				 machine_name(own.machine));
	return error_set(err, CADRE_EINVAL, "cannot load the library '%s': %s",
			 path, reason);
}

/* Makes the symbols of the object that this code is part of visible to those
 * loaded later.  Nothing to do in a program. */
static void
share_own_symbols(void)
{
	Dl_info info;

	if (dladdr((void *)(uintptr_t)cadre_call_args, &info) != 0 &&
	    info.dli_fname != NULL)
		(void)dlopen(info.dli_fname,
			     RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

/* A hook counts only in the library itself: dlsym looks through what it is
 * linked with, too. */
static void *
find_hook(const struct library *lib, const char *name)
{
	void *hook = dlsym(lib->handle, name);
	struct link_map *map;
	Dl_info info;

	if (hook == NULL || dladdr(hook, &info) == 0 ||
	    dlinfo(lib->handle, RTLD_DI_LINKMAP, &map) != 0)
		return NULL;
	return (ElfW(Addr))(uintptr_t)info.dli_fbase == map->l_addr ? hook
								    : NULL;
}

static int
run_init(const struct library *lib, struct cadre_error *err)
{
	int (*init)(void);
	int rc;

	*(void **)&init = find_hook(lib, "cadre_native_init");
	rc = init == NULL ? 0 : init();
	if (rc == 0)
		return 0;
	return error_set(err, CADRE_EINVAL,
			 "cadre_native_init of '%s' returned %d", lib->path,
			 rc);
}

int
library_open(struct library *lib, const char *path, bool share,
	     struct cadre_error *err)
{
	int rc;

	*lib = (struct library){0};
	lib->path = strdup(path);
	if (lib->path == NULL)
		return error_nomem(err);
	if (share)
		share_own_symbols();
	(void)dlerror();
	lib->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (lib->handle == NULL) {
		const char *reason = dlerror();

		rc = explain(path, reason == NULL ? "unknown reason" : reason,
			     err);
		library_close(lib);
		return rc;
	}
	rc = run_init(lib, err);
	if (rc == 0)
		*(void **)&lib->fini = find_hook(lib, "cadre_native_fini");
	else
		library_close(lib);
	return rc;
}

void
library_close(struct library *lib)
{
	if (lib->fini != NULL)
		lib->fini();
	if (lib->handle != NULL)
		(void)dlclose(lib->handle);
	free(lib->path);
	*lib = (struct library){0};
}

int
library_find(const struct library *lib, const char *function,
	     cadre_native_fn **ret_fn, struct cadre_error *err)
{
	void *symbol = dlsym(lib->handle, function);

	if (symbol == NULL)
		return error_set(err, CADRE_ENOENT,
				 "there is no function '%s' in '%s' (is it "
				 "static, hidden, or mangled by C++?)",
				 function, lib->path);
	*(void **)ret_fn = symbol;
	return 0;
}
