/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <cadre/error.h>

#include "cli/args.h"
#include "cli/halt.h"
#include "cli/input.h"
#include "cli/option.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/reader.h"
#include "cli/template.h"

struct target {
	bool flag;
	const char *text;
	uint32_t count;
	int64_t time_ms;
	struct option_list list;
	char called[16];
};

static int
call(void *target, const char *value, struct cadre_error *err)
{
	(void)err;
	(void)snprintf(((struct target *)target)->called, 16, "%s", value);
	return 0;
}

static const struct option table[] = {
	{OPTION_HEADING, 0, NULL, NULL, "Options", 0, NULL},
	{OPTION_FLAG, 'f', "flag", NULL, "a flag",
	 offsetof(struct target, flag), NULL},
	{OPTION_TEXT, 't', "text", "TEXT", "a text",
	 offsetof(struct target, text), NULL},
	{OPTION_TEXT, 'u', "other-text", "TEXT", NULL, 0, NULL},
	{OPTION_COUNT, 'c', "count", "N", "a number",
	 offsetof(struct target, count), NULL},
	{OPTION_DURATION, 0, "time", "TIME", "a time",
	 offsetof(struct target, time_ms), NULL},
	{OPTION_LIST, 'l', "list", "ITEM", "a list",
	 offsetof(struct target, list), NULL},
	{OPTION_CALL, 0, "call", "X", "a call", 0, call},
	OPTION_END,
};

static const struct command command = {
	.name = "test",
	.synopsis = "[OPTION]...",
	.summary = "Does nothing.",
	.options = table,
};

#define ARGC_MAX 12

static int
parse(const char *const *words, struct target *t, int *first,
      struct cadre_error *err)
{
	char *argv[ARGC_MAX] = {(char *)"test"};
	int argc = 1;

	while (words[argc - 1] != NULL) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	*t = (struct target){0};
	*err = (struct cadre_error)CADRE_ERROR_INIT;
	return option_parse(&command, argc, argv, t, first, err);
}

static void
options_fill_their_target(void **state)
{
	const char *words[] = {"-ft1", "--time=1.5", "--count",	   "7",
			       "-l",   "a",	     "--list=b=c", "--call",
			       "x",    "--",	     "-f",	   NULL};
	const char *alias[] = {"--other-text", "z", "-f", "word", "-f", NULL};
	struct cadre_error err;
	struct target t;
	int first;

	(void)state;
	assert_int_equal(parse(words, &t, &first, &err), 0);
	assert_true(t.flag);
	assert_string_equal(t.text, "1");
	assert_int_equal(t.time_ms, 1500);
	assert_int_equal(t.count, 7);
	assert_int_equal(t.list.n, 2);
	assert_string_equal(t.list.items[1], "b=c");
	assert_string_equal(t.called, "x");
	assert_int_equal(first, 11);
	option_list_fini(&t.list);
	assert_int_equal(parse(alias, &t, &first, &err), 0);
	assert_string_equal(t.text, "z");
	assert_int_equal(first, 4);
}

static void
wrong_options_say_what_is_meant(void **state)
{
	static const struct {
		const char *words[3];
		const char *text;
	} cases[] = {
		{{"--flga"}, "unknown option --flga; did you mean --flag?"},
		{{"--cou"}, "unknown option --cou; did you mean --count?"},
		{{"--zzzzzz"},
		 "unknown option --zzzzzz; see cadre test "
		 "--help"},
		{{"-z"}, "unknown option -z; see cadre test --help"},
		{{"-fz"}, "unknown option -z; see cadre test --help"},
		{{"--flag=1"}, "--flag takes no value"},
		{{"--text"}, "--text needs a value: TEXT"},
		{{"-t"}, "-t needs a value: TEXT"},
		{{"--count", "-1"}, "--count: \"-1\" is not a whole number"},
		{{"--count", "1x"}, "--count: \"1x\" is not a whole number"},
		{{"--time=x"},
		 "--time: \"x\" is not a duration (as in 1.5, "
		 "250ms, 10m, 2h)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cadre_error err;
		struct target t;
		int first;

		assert_int_equal(parse(cases[i].words, &t, &first, &err),
				 CADRE_EINVAL);
		assert_string_equal(err.text, cases[i].text);
	}
}

static void
nearest_names(void **state)
{
	static const char *const names[] = {"run", "map", "eval", "status"};

	(void)state;
	assert_string_equal(option_nearest("mpa", names, 4), "map");
	assert_string_equal(option_nearest("stat", names, 4), "status");
	assert_string_equal(option_nearest("evl", names, 4), "eval");
	assert_null(option_nearest("parallel", names, 4));
	assert_null(option_nearest("", names, 4));
}

static void
fill_args(struct args *a, const char *const *items)
{
	args_init(a);
	for (; *items != NULL; items++)
		assert_int_equal(args_add(a, *items, strlen(*items), NULL), 0);
}

static char *
render(const struct template *t, const struct args *a)
{
	struct buf b;

	buf_init(&b, 1U << 20);
	template_render(t, a, 7, 2, &b);
	buf_put_u8(&b, 0);
	assert_int_equal(b.error, 0);
	return (char *)b.data;
}

/* The texts on the right are what GNU parallel 20221122 printed. */
static const struct line_case {
	const char *words[6], *args[4], *line;
} line_cases[] = {
	{{"echo", "{}"}, {"a b"}, "echo 'a b'"},
	{{"echo"}, {"it's"}, "echo 'it'\"'\"'s'"},
	{{"echo"}, {"x'y z'"}, "echo 'x'\"'\"'y z'\"'\""},
	{{"echo"}, {"'"}, "echo \"'\""},
	{{"echo"}, {"''"}, "echo \"'\"''\"'\""},
	{{"echo"}, {""}, "echo ''"},
	{{"echo"}, {"\303\251"}, "echo '\303\251'"},
	{{"echo"}, {"a=b"}, "echo 'a=b'"},
	{{"echo"}, {"a\nb"}, "echo 'a\nb'"},
	{{"echo"}, {"a-b_c.d/e+f"}, "echo a-b_c.d/e+f"},
	{{NULL}, {"echo a; ls"}, "echo a; ls"},
	{{"{}", "foo"}, {"echo a; ls"}, "echo a; ls foo"},
	{{"{1}", "-x", "{2}"}, {"echo", "c d"}, "echo -x c d"},
	{{" {}; x {}"}, {"c d"}, " 'c d'; x 'c d'"},
	{{"\"{}\" x"}, {"c d"}, "\"c d\" x"},
	{{" \"{}\" x"}, {"c d"}, " \"'c d'\" x"},
	{{"echo", "{.} {/} {//} {/.}"}, {"x/b.c.d"}, "echo x/b.c b.c.d x b.c"},
	{{"echo {.} {/} {//} {/.}"}, {"foo."}, "echo foo foo. . foo"},
	{{"echo {.} {/} {//} {/.}"}, {".bashrc"}, "echo '' .bashrc . ''"},
	{{"echo {.} {/} {//} {/.}"}, {"a/.b"}, "echo a/ .b a ''"},
	{{"echo {.} {/} {//} {/.}"}, {"a.b."}, "echo a.b a.b. . a.b"},
	{{"echo {.} {/} {//} {/.}"}, {".."}, "echo . .. . ."},
	{{"echo {.} {/} {//} {/.}"}, {"a/.."}, "echo a/. .. a ."},
	{{"echo {.} {/} {//} {/.}"}, {"a.b/"}, "echo a.b/ '' . ''"},
	{{"echo {.} {/} {//} {/.}"}, {"a//b.c"}, "echo a//b b.c a b"},
	{{"echo {.} {/} {//} {/.}"}, {"//a"}, "echo //a a / a"},
	{{"echo {.} {/} {//} {/.}"}, {"/"}, "echo / '' / ''"},
	{{"echo {.} {/} {//} {/.}"}, {"a/b/"}, "echo a/b/ '' a ''"},
	{{"echo {1/} {1//} {1/.} {1.}"}, {"a/b.c"}, "echo b.c a b a/b"},
	{{"echo {-1} {-2.}"}, {"a.b", "c d"}, "echo 'c d' a"},
	{{"echo {3}"}, {"a"}, "echo "},
	{{"echo \"{2}\" {}"}, {"a", NULL}, "echo \"\" a"},
	{{"echo", "X{}Y", "{.}"}, {"a", "b.x"}, "echo Xa b.xY a b"},
	{{"echo {#} {%}"}, {"a"}, "echo 7 2"},
	{{"echo {a} { } {#}{}"}, {"1"}, "echo {a} { } 71"},
	{{"echo {..} {+/} {1.}{1}"}, {"a.b.c"}, "echo {..} {+/} a.ba.b.c"},
	{{"echo {};", "x;"}, {"a b"}, "echo 'a b'; x;"},
	{{"echo", "foo"}, {"a", "b"}, "echo foo a b"},
};

static void
lines_are_those_of_parallel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]);
	     i++) {
		const struct line_case *c = &line_cases[i];
		struct template *t;
		struct args a;
		char *line;
		size_t n = 0;

		while (n < 6 && c->words[n] != NULL)
			n++;
		fill_args(&a, c->args);
		assert_int_equal(template_new_command((char *const *)c->words,
						      n, "{}", false, &t, NULL),
				 0);
		line = render(t, &a);
		assert_string_equal(line, c->line);
		free(line);
		template_free(&t);
		args_fini(&a);
	}
}

static void
quoted_commands_keep_their_words(void **state)
{
	char *words[] = {(char *)"prog", (char *)"", (char *)"{}",
			 (char *)"x{}y{}", (char *)"$"};
	const char *items[] = {"a b", "c'd", NULL};
	struct template *t;
	struct args a, w;
	char *line;

	(void)state;
	fill_args(&a, items);
	assert_int_equal(template_new_command(words, 5, "{}", true, &t, NULL),
			 0);
	line = render(t, &a);
	assert_string_equal(line, "prog '' 'a b c'\"'\"'d' "
				  "'xa b c'\"'\"'dya b c'\"'\"'d' '$'");
	free(line);
	assert_true(template_is_simple(t));
	args_init(&w);
	assert_int_equal(template_render_words(t, &a, 1, 1, &w, NULL), 0);
	assert_int_equal(w.n, 5);
	assert_string_equal(args_at(&w, 1), "");
	assert_string_equal(args_at(&w, 2), "a b c'd");
	assert_string_equal(args_at(&w, 4), "$");
	args_fini(&w);
	args_fini(&a);
	template_free(&t);
}

static void
only_plain_lines_skip_the_shell(void **state)
{
	static const struct {
		const char *line;
		bool simple;
	} cases[] = {
		{"/bin/true", true},	  {"gzip -9 {}", true},
		{"a.out x={} {#}", true}, {"  gzip {}", true},
		{"echo {}", false},	  {"cd {}", false},
		{"time ls {}", false},	  {"A=1 ls {}", false},
		{"ls {} | wc", false},	  {"ls *{}", false},
		{"ls ~/{}", false},	  {"ls $X {}", false},
		{"ls '{}'", false},	  {"ls {a,b}", false},
		{"ls {}; ls", false},	  {"{} x", false},
		{"x{} y", false},	  {"ls\n{}", false},
		{"ls # {}", false},	  {". {}", false},
		{"ls \\{}", false},	  {"", false},
		{"ls !x", false},	  {"ls ^x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[] = {(char *)cases[i].line};
		struct template *t;

		assert_int_equal(
			template_new_command(words, 1, "{}", false, &t, NULL),
			0);
		if (template_is_simple(t) != cases[i].simple)
			fail_msg("%s", cases[i].line);
		template_free(&t);
	}
}

/* Splitting by us and by the shell come to the same. */
static void
words_are_split_as_the_shell_does(void **state)
{
	static const char *const items[] = {"a b", "", "c'd", "\n", NULL};
	static const char *const expected[] = {"p",   "-x",  "a b",  "",
					       "c'd", "\n",  "ya b", "",
					       "c'd", "\nz", "7",    "a b"};
	char *words[] = {(char *)"p  -x\t{} y{}z {9} {#}", (char *)"{1}"};
	struct template *t;
	struct args a, w;

	(void)state;
	fill_args(&a, items);
	args_init(&w);
	assert_int_equal(template_new_command(words, 2, "{}", false, &t, NULL),
			 0);
	assert_true(template_is_simple(t));
	assert_int_equal(template_render_words(t, &a, 7, 1, &w, NULL), 0);
	assert_int_equal(w.n, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < w.n; i++)
		assert_string_equal(args_at(&w, i), expected[i]);
	args_fini(&w);
	args_fini(&a);
	template_free(&t);
}

/* All tasks of an input as text: arguments joined by ",", tasks by ";". */
static char *
all_tasks(const struct input_source *sources, size_t n,
	  const struct input_options *options)
{
	struct input *in;
	struct args a;
	char *text = calloc(1, 4096);
	int rc;

	assert_non_null(text);
	args_init(&a);
	assert_int_equal(input_open(sources, n, options, &in, NULL), 0);
	while ((rc = input_next(in, &a, NULL)) == 1) {
		for (size_t i = 0; i < a.n; i++) {
			(void)strcat(text, i > 0 ? "," : "");
			(void)strcat(text, args_at(&a, i));
		}
		(void)strcat(text, ";");
	}
	assert_int_equal(rc, 0);
	input_close(&in);
	args_fini(&a);
	return text;
}

static char *const ab[] = {(char *)"a", (char *)"b"};
static char *const xyz[] = {(char *)"x", (char *)"y", (char *)"z"};
static char *const columns[] = {(char *)"1, 2", (char *)"3,4,5"};

static void
sources_combine(void **state)
{
	static const struct {
		struct input_source sources[3];
		size_t n;
		struct input_options options;
		const char *text;
	} cases[] = {
		{{{ab, 2, NULL, false}}, 1, {0}, "a;b;"},
		{{{ab, 0, NULL, false}}, 1, {0}, ""},
		{{{ab, 2, NULL, false}, {xyz, 3, NULL, false}},
		 2,
		 {0},
		 "a,x;a,y;a,z;b,x;b,y;b,z;"},
		{{{ab, 2, NULL, false}, {xyz, 3, NULL, true}},
		 2,
		 {0},
		 "a,x;b,y;"},
		{{{ab, 2, NULL, false},
		  {xyz, 2, NULL, true},
		  {xyz, 3, NULL, false}},
		 3,
		 {0},
		 "a,x,x;a,x,y;a,x,z;b,y,x;b,y,y;b,y,z;"},
		{{{ab, 2, NULL, false}, {xyz, 3, NULL, false}},
		 2,
		 {.link = true},
		 "a,x;b,y;a,z;"},
		{{{ab, 2, NULL, false}, {xyz, 0, NULL, false}},
		 2,
		 {0},
		 "a,;b,;"},
		{{{ab, 0, NULL, false}, {xyz, 1, NULL, false}}, 2, {0}, ",x;"},
		{{{columns, 2, NULL, false}, {ab, 2, NULL, false}},
		 2,
		 {.colsep = ","},
		 "1,2,a;1,2,b;3,4,5,a;3,4,5,b;"},
		{{{xyz, 3, NULL, false}},
		 1,
		 {.max_args_set = true, .max_args = 2},
		 "x,y;z;"},
		{{{xyz, 3, NULL, false}},
		 1,
		 {.max_args_set = true, .max_args = 0},
		 ";;;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = all_tasks(cases[i].sources, cases[i].n,
				       &cases[i].options);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

/* A pipe as /dev/fd/N, holding text. */
static int
pipe_with(const char *text, size_t len, char *path, size_t size, int *ret_write)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, len), (ssize_t)len);
	(void)snprintf(path, size, "/dev/fd/%d", fds[0]);
	*ret_write = fds[1];
	return fds[0];
}

static void
files_are_read_as_they_fill(void **state)
{
	struct input_options options = {0};
	char path[32];
	int writer, reader = pipe_with("a\nb", 3, path, sizeof(path), &writer);
	struct input_source source = {.path = path};
	struct input *in;
	struct args a;

	(void)state;
	args_init(&a);
	assert_int_equal(input_open(&source, 1, &options, &in, NULL), 0);
	assert_int_equal(input_next(in, &a, NULL), 1);
	assert_string_equal(args_at(&a, 0), "a");
	assert_int_equal(input_next(in, &a, NULL), CADRE_EAGAIN);
	assert_true(input_fd(in) >= 0);
	assert_int_equal(write(writer, "c\n\nd", 4), 4);
	(void)close(writer);
	assert_int_equal(input_next(in, &a, NULL), 1);
	assert_string_equal(args_at(&a, 0), "bc");
	assert_int_equal(input_next(in, &a, NULL), 1);
	assert_string_equal(args_at(&a, 0), "");
	assert_int_equal(input_next(in, &a, NULL), 1);
	assert_string_equal(args_at(&a, 0), "d");
	assert_int_equal(input_next(in, &a, NULL), 0);
	input_close(&in);
	args_fini(&a);
	(void)close(reader);
}

static void
delimiters(void **state)
{
	static const struct {
		struct input_options options;
		const char *data;
		size_t len;
		const char *text;
	} cases[] = {
		{{.null = true}, "a\nb\0c", 5, "a\nb;c;"},
		{{.delimiter = ","}, "a,b,c\n", 6, "a;b;c\n;"},
		{{.delimiter = "XY"}, "aXYbXXYc", 8, "a;bX;c;"},
		{{.delimiter = "\\t"}, "a\tb", 3, "a;b;"},
		{{.delimiter = "\\x2c"}, "a,b", 3, "a;b;"},
		{{.delimiter = "\\0"}, "a\0b\0", 4, "a;b;"},
		{{.skip_blank = true}, "\n \na\n", 5, "a;"},
		{{.colsep = "\\t"}, "a b\tc\n", 6, "a b,c;"},
		{{.colsep = " +"}, "a   b\n", 6, "a,b;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[32];
		int writer, reader = pipe_with(cases[i].data, cases[i].len,
					       path, sizeof(path), &writer);
		struct input_source source = {.path = path};
		char *text;

		(void)close(writer);
		text = all_tasks(&source, 1, &cases[i].options);
		assert_string_equal(text, cases[i].text);
		free(text);
		(void)close(reader);
	}
}

static void
bad_input_is_refused(void **state)
{
	struct input_options options = {0};
	struct input_source missing = {.path = "/nonexistent/x"};
	struct input_source directory = {.path = "/"};
	struct cadre_error err = CADRE_ERROR_INIT;
	char path[32];
	int writer,
		reader = pipe_with("a\nb\0c\n", 6, path, sizeof(path), &writer);
	struct input_source source = {.path = path};
	struct input *in;
	struct args a;

	(void)state;
	assert_int_equal(input_open(&missing, 1, &options, &in, &err),
			 CADRE_ESYS);
	assert_string_equal(err.text, "cannot read /nonexistent/x: No such "
				      "file or directory");
	assert_int_equal(input_open(&directory, 1, &options, &in, NULL),
			 CADRE_ESYS);
	options.colsep = "(";
	assert_int_equal(input_open(&source, 1, &options, &in, NULL),
			 CADRE_EINVAL);
	options.colsep = NULL;
	options.delimiter = "";
	assert_int_equal(input_open(&source, 1, &options, &in, NULL),
			 CADRE_EINVAL);
	options.delimiter = NULL;
	(void)close(writer);
	args_init(&a);
	err = (struct cadre_error)CADRE_ERROR_INIT;
	assert_int_equal(input_open(&source, 1, &options, &in, NULL), 0);
	assert_int_equal(input_next(in, &a, NULL), 1);
	assert_int_equal(input_next(in, &a, &err), CADRE_EINVAL);
	assert_non_null(strstr(err.text, "item 2 of"));
	assert_non_null(strstr(err.text, "--null"));
	input_close(&in);
	args_fini(&a);
	(void)close(reader);
}

/* Statuses are counted until the limit; total 10. */
static void
halting(void **state)
{
	static const struct {
		const char *text;
		int statuses[6]; /* -1 ends */
		int reached_at;	 /* -1: never */
		int exit_status;
	} cases[] = {
		{"never", {1, 2, 0, 3, -1}, -1, 3},
		{"now,fail=1", {0, 7, -1}, 1, 7},
		{"soon,fail=2", {4, 7, -1}, 1, 2},
		{"2", {0, 4, -1}, 1, 4},
		{"-2", {4, 0, -1}, 1, 0},
		{"now,success=1", {4, 7, -1}, -1, 2},
		{"now,success=2", {4, 0, 7, 0, -1}, 3, 0},
		{"now,done=1", {4, -1}, 0, 4},
		{"soon,done=2", {4, 7, -1}, 1, 2},
		{"soon,fail=50%", {4, 7, 0, 0, 0, -1}, -1, 40},
		{"20%", {0, 4, 4, -1}, 2, 67},
		{"now,fail=10%", {4, -1}, 0, 4},
		{"now,success=20%", {0, 0, -1}, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int reached_at = -1;
		struct halt h;

		assert_int_equal(halt_parse(cases[i].text, &h, NULL), 0);
		for (int j = 0; cases[i].statuses[j] >= 0; j++) {
			int status = cases[i].statuses[j];

			if (halt_count(&h, status != 0, status, 10))
				reached_at = j;
		}
		assert_int_equal(reached_at, cases[i].reached_at);
		assert_int_equal(halt_exit_status(&h), cases[i].exit_status);
	}
}

static void
wrong_halts_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "x",
					    "now",
					    "now,",
					    "now,fail",
					    "now,fail=",
					    "now,fail=0",
					    "now,fail=-1",
					    "now,fail=1x",
					    "now,fail=1.5",
					    "soon,bad=1",
					    "never,fail=1",
					    "101%",
					    "now,fail=101%",
					    "3",
					    "0%"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct halt h;

		assert_int_equal(halt_parse(texts[i], &h, NULL), CADRE_EINVAL);
	}
}

static void
many_failures_are_101(void **state)
{
	struct halt h = {.when = HALT_NEVER};

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)halt_count(&h, true, 1, 0);
	assert_int_equal(halt_exit_status(&h), 100);
	(void)halt_count(&h, true, 1, 0);
	assert_int_equal(halt_exit_status(&h), 101);
}

/* Runs with standard output in a file and returns what was written. */
static char *
captured(void (*fn)(void *arg), void *arg)
{
	char path[] = "/tmp/cadre-test-XXXXXX";
	int file = mkstemp(path), saved;
	off_t len;
	char *text;

	assert_true(file >= 0);
	assert_int_equal(unlink(path), 0);
	(void)fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
	fn(arg);
	stream_flush();
	assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	(void)close(saved);
	len = lseek(file, 0, SEEK_END);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(pread(file, text, (size_t)len, 0), len);
	(void)close(file);
	return text;
}

static void
put(struct output *o, struct output_task *t, const char *text)
{
	assert_int_equal(output_put(o, t, STREAM_OUT, text, strlen(text), NULL),
			 0);
}

static void
three_in_disorder(void *arg)
{
	struct output_task t[4] = {{0}, {.seq = 1}, {.seq = 2}, {.seq = 3}};
	struct output *o;

	(void)arg;
	assert_int_equal(output_new(true, false, &o, NULL), 0);
	put(o, &t[3], "three\n");
	assert_int_equal(output_end(o, &t[3], NULL), 0);
	put(o, &t[2], "two ");
	put(o, &t[1], "one ");
	put(o, &t[2], "more\n");
	put(o, &t[1], "more\n");
	assert_int_equal(output_end(o, &t[1], NULL), 0);
	put(o, &t[2], "live\n");
	assert_int_equal(output_end(o, &t[2], NULL), 0);
	output_free(&o);
}

static void
output_waits_for_its_turn(void **state)
{
	char *text = captured(three_in_disorder, NULL);

	(void)state;
	assert_string_equal(text, "one more\ntwo more\nlive\nthree\n");
	free(text);
}

#define BIG (20U << 20)

/* The second and third together are over what is kept in memory. */
static void
big_in_disorder(void *arg)
{
	struct output_task t[4] = {{0}, {.seq = 1}, {.seq = 2}, {.seq = 3}};
	struct output *o;
	char *data = malloc(BIG);

	(void)arg;
	assert_non_null(data);
	assert_int_equal(output_new(true, false, &o, NULL), 0);
	for (int i = 3; i > 0; i--) {
		(void)memset(data, 'a' + i, BIG);
		assert_int_equal(
			output_put(o, &t[i], STREAM_OUT, data, BIG, NULL), 0);
		assert_int_equal(output_end(o, &t[i], NULL), 0);
	}
	output_free(&o);
	free(data);
}

static void
much_output_is_spooled(void **state)
{
	char *text = captured(big_in_disorder, NULL);

	(void)state;
	assert_int_equal(strlen(text), 3U * BIG);
	for (size_t i = 0; i < 3U * BIG; i++)
		if (text[i] != (char)('b' + i / BIG))
			fail_msg("byte %zu is %c", i, text[i]);
	free(text);
}

static void
lines_of_two(void *arg)
{
	struct output_task t[3] = {
		{0}, {.seq = 1, .tag = "1"}, {.seq = 2, .tag = "2"}};
	struct output *o;

	(void)arg;
	assert_int_equal(output_new(false, true, &o, NULL), 0);
	put(o, &t[1], "a");
	put(o, &t[2], "b\nc");
	put(o, &t[1], "a\n\nend");
	put(o, &t[2], "\n");
	assert_int_equal(output_end(o, &t[1], NULL), 0);
	assert_int_equal(output_end(o, &t[2], NULL), 0);
	output_free(&o);
}

static void
lines_stay_whole(void **state)
{
	char *text = captured(lines_of_two, NULL);

	(void)state;
	assert_string_equal(text, "2\tb\n1\taa\n1\t\n2\tc\n1\tend");
	free(text);
}

static void
progress_fits_its_terminal(void **state)
{
	struct progress p = {.bar = true,
			     .done = 25,
			     .failed = 2,
			     .running = 4,
			     .total = 100};
	char text[512];

	(void)state;
	progress_format(&p, 5000, 100, text, sizeof(text));
	assert_non_null(strstr(text, " 25% 25 of 100 done, 2 failed, "
				     "4 running, 5.00/s, 0:15 left"));
	assert_int_equal(text[0], '[');
	assert_true(strlen(text) < 100);
	for (size_t width = 20; width < 200; width++) {
		progress_format(&p, 5000, width, text, sizeof(text));
		assert_true(strlen(text) < width);
	}
	p.total = 0;
	progress_format(&p, 5000, 80, text, sizeof(text));
	assert_string_equal(text, "25 done, 2 failed, 4 running, 5.00/s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_fill_their_target),
		cmocka_unit_test(wrong_options_say_what_is_meant),
		cmocka_unit_test(nearest_names),
		cmocka_unit_test(lines_are_those_of_parallel),
		cmocka_unit_test(quoted_commands_keep_their_words),
		cmocka_unit_test(only_plain_lines_skip_the_shell),
		cmocka_unit_test(words_are_split_as_the_shell_does),
		cmocka_unit_test(sources_combine),
		cmocka_unit_test(files_are_read_as_they_fill),
		cmocka_unit_test(delimiters),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(halting),
		cmocka_unit_test(wrong_halts_are_refused),
		cmocka_unit_test(many_failures_are_101),
		cmocka_unit_test(output_waits_for_its_turn),
		cmocka_unit_test(much_output_is_spooled),
		cmocka_unit_test(lines_stay_whole),
		cmocka_unit_test(progress_fits_its_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
