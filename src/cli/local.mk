# The command line; everything but main() in a library, for the tests.
noinst_LTLIBRARIES += src/cli/libcli.la
src_cli_libcli_la_SOURCES = \
	src/cli/args.c src/cli/args.h \
	src/cli/halt.c src/cli/halt.h \
	src/cli/hosts.c src/cli/hosts.h \
	src/cli/input.c src/cli/input.h \
	src/cli/joblog.c src/cli/joblog.h \
	src/cli/jsonout.c src/cli/jsonout.h \
	src/cli/mapopts.c src/cli/mapopts.h \
	src/cli/option.c src/cli/option.h \
	src/cli/output.c src/cli/output.h \
	src/cli/part.c src/cli/part.h \
	src/cli/poolopts.c src/cli/poolopts.h \
	src/cli/profile.c src/cli/profile.h \
	src/cli/progress.c src/cli/progress.h \
	src/cli/quiesce.c src/cli/quiesce.h \
	src/cli/quote.c src/cli/quote.h \
	src/cli/reader.c src/cli/reader.h \
	src/cli/record.c src/cli/record.h \
	src/cli/results.c src/cli/results.h \
	src/cli/shell.c src/cli/shell.h \
	src/cli/signals.c src/cli/signals.h \
	src/cli/sources.c src/cli/sources.h \
	src/cli/stdinopt.c src/cli/stdinopt.h \
	src/cli/stream.c src/cli/stream.h \
	src/cli/taskopts.c src/cli/taskopts.h \
	src/cli/template.c src/cli/template.h \
	src/cli/waittask.c src/cli/waittask.h
src_cli_libcli_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
src_cli_libcli_la_LIBADD = src/util/libutil.la $(JANSSON_LIBS)

bin_PROGRAMS += cadre
cadre_SOURCES = \
	src/cli/cli.h \
	src/cli/eval.c \
	src/cli/info.c \
	src/cli/job.c \
	src/cli/main.c \
	src/cli/map.c src/cli/map.h \
	src/cli/run.c \
	src/cli/start.c \
	src/cli/stop.c
cadre_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
cadre_LDADD = src/cli/libcli.la src/util/libutil.la libcadre.la $(JANSSON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_cli
TESTS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c
tests_unit_test_cli_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cli_LDADD = src/cli/libcli.la src/util/libutil.la $(UNIT_LIBS)
endif

bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = completion/cadre
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = completion/_cadre
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_fishcomp_DATA = completion/cadre.fish

dist_man_MANS += \
	man/cadre.1 \
	man/cadre-eval.1 \
	man/cadre-info.1 \
	man/cadre-map.1 \
	man/cadre-run.1 \
	man/cadre-start.1 \
	man/cadre-status.1 \
	man/cadre-stop.1
