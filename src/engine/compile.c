/* SPDX-License-Identifier: MIT */
#include "engine/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cadre/version.h>

#include "util/buf.h"
#include "util/error.h"

#define HASH_BYTES 16
#define MAX_MESSAGE 16384u
#define MAX_ARGS 256

/* The arguments of a compiler; words of what users write point into text. */
struct args {
	char *argv[MAX_ARGS + 1];
	size_t n;
	char *text[3];
	size_t texts;
};

static void
args_fini(struct args *a)
{
	for (size_t i = 0; i < a->texts; i++)
		free(a->text[i]);
}

static bool
add_arg(struct args *a, const char *arg)
{
	if (a->n == MAX_ARGS)
		return false;
	a->argv[a->n++] = (char *)(uintptr_t)arg;
	a->argv[a->n] = NULL;
	return true;
}

/* Adds the words between blanks (or colons), each after an option of its own
 * if there is one. */
static bool
add_words(struct args *a, const char *words, const char *separators,
	  const char *option)
{
	char *text = strdup(words);
	char *save = NULL;
	bool ok = text != NULL;

	if (!ok)
		return false;
	a->text[a->texts++] = text;
	for (char *word = strtok_r(text, separators, &save); ok && word != NULL;
	     word = strtok_r(NULL, separators, &save))
		ok = (option == NULL || add_arg(a, option)) && add_arg(a, word);
	return ok;
}

static int
start(char **argv, int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int rc;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	rc = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, 2);
	(void)sigemptyset(&set);
	(void)posix_spawnattr_setsigmask(&attr, &set);
	(void)sigfillset(&set);
	(void)posix_spawnattr_setsigdefault(&attr, &set);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnp(ret_pid, argv[0], &actions, &attr, argv,
				  environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Keeps what fits and reads on, so that the writer can end. */
static void
read_all(int fd, struct buf *ret)
{
	char data[4096];

	for (;;) {
		ssize_t n = read(fd, data, sizeof(data));
		size_t room = ret->max - ret->len;

		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			buf_put(ret, data, (size_t)n < room ? (size_t)n : room);
	}
}

/* Runs a program to its end; output: what it printed on either stream. */
static int
run(char **argv, int in, struct buf *output, int *ret_status,
    struct cadre_error *err)
{
	int fds[2];
	pid_t pid;
	int rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	rc = start(argv, in, fds[1], &pid);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		return error_sys(err, rc,
				 "cannot run the C compiler '%s' (install one, "
				 "or name one with the option cc)",
				 argv[0]);
	}
	read_all(fds[0], output);
	close(fds[0]);
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return error_sys(err, errno, "cannot wait for '%s'",
					 argv[0]);
	}
	return 0;
}

/* What "cc --version" prints, asked once per compiler. */
static int
compiler_version(const char *cc, struct buf *ret, struct cadre_error *err)
{
	struct args a = {0};
	int status, rc;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (add_words(&a, cc, " \t", NULL) && a.n > 0 &&
	    add_arg(&a, "--version"))
		rc = run(a.argv, null, ret, &status, err);
	else
		rc = error_set(err, CADRE_EINVAL, "'%s' names no compiler", cc);
	if (null >= 0)
		close(null);
	args_fini(&a);
	return rc;
}

/* The parts are hashed with their NUL, so that none runs into the next. */
static void
hash_text(crypto_generichash_state *state, const char *text)
{
	(void)crypto_generichash_update(state, (const unsigned char *)text,
					strlen(text) + 1);
}

static int
hash_all(const char *source, const char *cc, const char *cflags,
	 const char *include, char *ret_hex, struct cadre_error *err)
{
	unsigned char hash[HASH_BYTES];
	crypto_generichash_state state;
	struct utsname name = {0};
	struct buf version;
	int rc;

	buf_init(&version, MAX_MESSAGE);
	rc = compiler_version(cc, &version, err);
	if (rc == 0) {
		buf_put_u8(&version, 0);
		(void)uname(&name);
		(void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
		hash_text(&state, CADRE_VERSION);
		hash_text(&state, name.machine);
		/* Code for this very processor is no good on another node that
		 * shares the home directory. */
		hash_text(&state, strstr(cflags, "native") != NULL
					  ? name.nodename
					  : "");
		hash_text(&state, cc);
		hash_text(&state, cflags);
		hash_text(&state, include);
		hash_text(&state, source);
		(void)crypto_generichash_update(&state, version.data,
						version.len);
		(void)crypto_generichash_final(&state, hash, sizeof(hash));
		(void)sodium_bin2hex(ret_hex, 2 * HASH_BYTES + 1, hash,
				     sizeof(hash));
	}
	buf_fini(&version);
	return rc;
}

/* A directory that only we can write to. */
static bool
private_dir(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return false;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 022) == 0 &&
	       access(path, W_OK | X_OK) == 0;
}

static const char *
env_dir(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] == '/' ? value : NULL;
}

/* $XDG_CACHE_HOME/cadre or ~/.cache/cadre; where there is no home that can be
 * written to, a directory below $TMPDIR or /tmp. */
static int
cache_dir(char **ret_dir, struct cadre_error *err)
{
	const char *cache = env_dir("XDG_CACHE_HOME");
	const char *home = env_dir("HOME");
	const char *tmp = env_dir("TMPDIR");
	char *dir = NULL;
	int n = -1;

	if (cache != NULL) {
		(void)mkdir(cache, 0700);
		n = asprintf(&dir, "%s/cadre", cache);
	} else if (home != NULL) {
		n = asprintf(&dir, "%s/.cache", home);
		if (n >= 0) {
			(void)mkdir(dir, 0700);
			free(dir);
			n = asprintf(&dir, "%s/.cache/cadre", home);
		}
	}
	if (n >= 0) {
		if (private_dir(dir)) {
			*ret_dir = dir;
			return 0;
		}
		free(dir);
	}
	if (asprintf(&dir, "%s/cadre-cache-%u", tmp == NULL ? "/tmp" : tmp,
		     (unsigned int)geteuid()) < 0)
		return error_nomem(err);
	if (private_dir(dir)) {
		*ret_dir = dir;
		return 0;
	}
	(void)error_set(err, CADRE_ESYS,
			"no place for compiled functions: '%s' is not a "
			"directory of yours alone that can be written to; set "
			"XDG_CACHE_HOME",
			dir);
	free(dir);
	return CADRE_ESYS;
}

static bool
cached(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && st.st_size > 0;
}

static int
source_fd(const char *source, struct cadre_error *err)
{
	size_t len = strlen(source), done = 0;
	int fd = memfd_create("source", MFD_CLOEXEC);

	while (fd >= 0 && done < len) {
		ssize_t n = pwrite(fd, source + done, len - done, (off_t)done);

		if (n < 0 && errno != EINTR) {
			close(fd);
			fd = -1;
		}
		if (n > 0)
			done += (size_t)n;
	}
	if (fd < 0)
		return error_sys(err, errno, "cannot keep the source text");
	return fd;
}

/* Options of the linker ("-lm") must follow the source, for the others it does
 * not matter. */
static bool
compiler_args(struct args *a, const char *cc, const char *cflags,
	      const char *include, const char *output)
{
	return add_words(a, cc, " \t", NULL) && add_arg(a, "-shared") &&
	       add_arg(a, "-fPIC") && add_arg(a, "-O2") &&
	       add_words(a, include, ":", "-I") && add_arg(a, "-o") &&
	       add_arg(a, output) && add_arg(a, "-x") && add_arg(a, "c") &&
	       add_arg(a, "-") && add_arg(a, "-x") && add_arg(a, "none") &&
	       add_words(a, cflags, " \t\n", NULL);
}

static int
refused(const char *cc, int status, const struct buf *said, char **ret_message,
	struct cadre_error *err)
{
	char *message;
	int n = WIFEXITED(status) ? WEXITSTATUS(status)
				  : 128 + WTERMSIG(status);

	if (asprintf(&message,
		     "'%s' cannot compile the source (status %d):\n%.*s", cc, n,
		     (int)said->len,
		     said->len == 0 ? "" : (const char *)said->data) < 0)
		return error_nomem(err);
	*ret_message = message;
	return error_set(err, CADRE_EINVAL, "the source does not compile");
}

/* Compiles into a file of its own and renames it: whoever comes first, a
 * reader sees all of the object or none. */
static int
build(const char *source, const char *cc, const char *cflags,
      const char *include, const char *path, char **ret_message,
      struct cadre_error *err)
{
	struct args a = {0};
	struct buf said;
	char *temporary;
	int in, out, status = 0, rc;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return error_nomem(err);
	in = source_fd(source, err);
	if (in < 0) {
		free(temporary);
		return in;
	}
	buf_init(&said, MAX_MESSAGE);
	out = mkostemp(temporary, O_CLOEXEC);
	if (out < 0)
		rc = error_sys(err, errno, "cannot write '%s'", temporary);
	else if (!compiler_args(&a, cc, cflags, include, temporary))
		rc = error_set(err, CADRE_ETOOBIG, "too many compiler flags");
	else
		rc = run(a.argv, in, &said, &status, err);
	if (rc == 0 && status != 0)
		rc = refused(cc, status, &said, ret_message, err);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = error_sys(err, errno, "cannot write '%s'", path);
	if (out >= 0)
		close(out);
	if (rc < 0)
		(void)unlink(temporary);
	close(in);
	buf_fini(&said);
	args_fini(&a);
	free(temporary);
	return rc;
}

int
compile_source(const char *source, const char *cc, const char *cflags,
	       char **ret_path, char **ret_message, struct cadre_error *err)
{
	const char *include = getenv("CADRE_INCLUDEDIR");
	char hex[2 * HASH_BYTES + 1];
	char *dir = NULL, *path;
	int rc;

	if (cc == NULL || cc[0] == '\0')
		cc = getenv("CC");
	if (cc == NULL || cc[0] == '\0')
		cc = "cc";
	if (cflags == NULL)
		cflags = "";
	if (include == NULL || include[0] == '\0')
		include = CADRE_INCLUDEDIR;
	rc = hash_all(source, cc, cflags, include, hex, err);
	if (rc == 0)
		rc = cache_dir(&dir, err);
	if (rc < 0)
		return rc;
	rc = asprintf(&path, "%s/%s.so", dir, hex) < 0 ? error_nomem(err) : 0;
	free(dir);
	if (rc < 0)
		return rc;
	if (!cached(path))
		rc = build(source, cc, cflags, include, path, ret_message, err);
	if (rc == 0)
		*ret_path = path;
	else
		free(path);
	return rc;
}
