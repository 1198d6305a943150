/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/compile.h"
#include "engine/native.h"
#include "test_reaper_rig.h"

#define SOURCE \
	"#include <cadre/native.h>\n" \
	"#include <math.h>\n" \
	"CADRE_NATIVE (f)\n" \
	"{\n" \
	"  return cadre_call_return (call, cadre_value_of_double (cos " \
	"(X)));\n" \
	"}\n"

static char dir[] = "/tmp/cadre-compile-XXXXXX";
static char cache[64];
/* A compiler that counts how often it is asked to compile. */
static char compiler[64];
static char count[64];

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
start(void **state)
{
	char script[256];
	const char *cc = getenv("CC");

	(void)state;
	(void)strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(cache, sizeof(cache), "%s/cache", dir);
	(void)snprintf(compiler, sizeof(compiler), "%s/cc", dir);
	(void)snprintf(count, sizeof(count), "%s/count", dir);
	assert_int_equal(setenv("XDG_CACHE_HOME", cache, 1), 0);
	assert_int_equal(setenv("CADRE_INCLUDEDIR", TEST_INCLUDES, 1), 0);
	(void)snprintf(script, sizeof(script),
		       "#!/bin/sh\ntest \"$1\" = --version || echo >>%s\n"
		       "exec %s \"$@\"\n",
		       count, cc == NULL ? "cc" : cc);
	write_text(compiler, script);
	write_text(count, "");
	assert_int_equal(chmod(compiler, 0755), 0);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_remove(dir);
	return 0;
}

static long
compilations(void)
{
	struct stat st;

	assert_int_equal(stat(count, &st), 0);
	return (long)st.st_size;
}

static char *
compile(const char *source, const char *cflags)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *path = NULL, *message = NULL;

	if (compile_source(source, compiler, cflags, &path, &message, &err) < 0)
		fail_msg("%s: %s", err.text, message == NULL ? "" : message);
	assert_null(message);
	return path;
}

static void
compiled_once(void **state)
{
	char *first = compile(SOURCE, "-DX=0 -lm");
	char *again = compile(SOURCE, "-DX=0 -lm");
	char *other = compile(SOURCE, "-DX=1 -lm");
	struct stat st;

	(void)state;
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	assert_int_equal(compilations(), 2);
	assert_memory_equal(first, cache, strlen(cache));
	assert_int_equal(stat(first, &st), 0);
	*strrchr(first, '/') = '\0';
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	free(first);
	free(again);
	free(other);
}

static void
refused_source(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *path = NULL, *message = NULL;
	char command[128];

	(void)state;
	assert_int_equal(compile_source("int f(void) { return oops; }\n",
					compiler, NULL, &path, &message, &err),
			 CADRE_EINVAL);
	assert_null(path);
	assert_non_null(message);
	assert_non_null(strstr(message, "cannot compile the source"));
	assert_non_null(strstr(message, "oops"));
	free(message);
	/* Nothing is left of it. */
	(void)snprintf(command, sizeof(command),
		       "test -z \"$(ls -A %s/cadre)\"", cache);
	assert_int_equal(system(command), 0);
}

static void
no_compiler(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *path = NULL, *message = NULL;

	(void)state;
	assert_int_equal(
		compile_source("", "/no/such/cc", NULL, &path, &message, &err),
		CADRE_ESYS);
	assert_null(message);
	assert_non_null(strstr(err.text, "cannot run the C compiler "
					 "'/no/such/cc'"));
	assert_non_null(strstr(err.text, "No such file or directory"));
	err.code = CADRE_OK;
	assert_int_equal(compile_source("", "  ", NULL, &path, &message, &err),
			 CADRE_EINVAL);
}

/* Code that others could have put there is not run. */
static void
foreign_cache_is_refused(void **state)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	char *path = NULL, *message = NULL;
	char place[128];

	(void)state;
	assert_int_equal(mkdir(cache, 0700), 0);
	(void)snprintf(place, sizeof(place), "%s/cadre", cache);
	assert_int_equal(mkdir(place, 0700), 0);
	assert_int_equal(chmod(place, 0777), 0);
	assert_int_equal(setenv("TMPDIR", "/no/such", 1), 0);
	assert_int_equal(compile_source(SOURCE, compiler, "-DX=0", &path,
					&message, &err),
			 CADRE_ESYS);
	assert_non_null(strstr(err.text, "set XDG_CACHE_HOME"));
	/* A place below TMPDIR is the second choice. */
	assert_int_equal(setenv("TMPDIR", dir, 1), 0);
	path = compile(SOURCE, "-DX=0");
	assert_memory_equal(path, dir, strlen(dir));
	assert_memory_not_equal(path, cache, strlen(cache));
	free(path);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

static void
many_at_once(void **state)
{
	pid_t pids[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct cadre_error err = CADRE_ERROR_INIT;
			char *path, *message;

			_exit(compile_source(SOURCE, compiler, "-DX=0", &path,
					     &message, &err) < 0);
		}
	}
	for (int i = 0; i < 6; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	free(compile(SOURCE, "-DX=0"));
	assert_true(compilations() <= 6);
}

static void
put_source(struct buf *fields, const char *cflags)
{
	buf_reset(fields);
	wire_put_u64(fields, WIRE_TAG_ENGINE, WIRE_ENGINE_NATIVE);
	wire_put_str(fields, WIRE_TAG_SOURCE, SOURCE);
	wire_put_str(fields, WIRE_TAG_FUNCTION, "f");
	wire_put_str(fields, WIRE_TAG_CC, compiler);
	wire_put_str(fields, WIRE_TAG_CFLAGS, cflags);
}

/* In this process: what is compiled finds the functions it calls here. */
static void
called_in_process(void **state)
{
	struct native *n = native_new(NULL);
	struct wire_frame frame = {.type = WIRE_TASK};
	struct native_result result;
	struct buf fields;

	(void)state;
	assert_non_null(n);
	buf_init(&fields, SIZE_MAX);
	for (int i = 0; i < 3; i++) {
		put_source(&fields, "-DX=0 -lm");
		frame.fields = fields.data;
		frame.fields_len = fields.len;
		native_eval(n, &frame, &result);
		if (result.code != CADRE_OUTCOME_VALUE)
			fail_msg("%s", result.message);
		assert_true(cadre_value_double_data(result.value)[0] == 1.0);
		native_done(n);
	}
	assert_int_equal(compilations(), 1);
	put_source(&fields, "-DX=oops -lm");
	frame.fields = fields.data;
	frame.fields_len = fields.len;
	native_eval(n, &frame, &result);
	assert_int_equal(result.code, CADRE_OUTCOME_ERROR);
	assert_non_null(strstr(result.message, "oops"));
	native_done(n);
	buf_fini(&fields);
	native_free(&n);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(compiled_once), T(refused_source),
		T(no_compiler),	  T(foreign_cache_is_refused),
		T(many_at_once),  T(called_in_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
