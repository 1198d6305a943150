# "make bench" prints the table of README.md: tests/bench/bench.
bench_programs = tests/bench/bench_echo tests/bench/bench_socket \
	tests/bench/bench_cadre
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_LTLIBRARIES += tests/bench/bench_tasks.la
CLEANFILES += $(bench_programs) tests/bench/bench_tasks.la

tests_bench_bench_cadre_SOURCES = tests/bench/bench_cadre.c
tests_bench_bench_cadre_LDADD = libcadre.la
tests_bench_bench_echo_SOURCES = tests/bench/bench_echo.c
tests_bench_bench_echo_CPPFLAGS = $(AM_CPPFLAGS) $(NNG_CFLAGS)
tests_bench_bench_echo_LDADD = $(NNG_LIBS)
tests_bench_bench_socket_SOURCES = tests/bench/bench_socket.c
tests_bench_bench_tasks_la_SOURCES = tests/bench/bench_tasks.c
tests_bench_bench_tasks_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
tests_bench_bench_tasks_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version \
	-rpath /nowhere
tests_bench_bench_tasks_la_LIBADD = libcadre.la

EXTRA_DIST += tests/bench/bench tests/bench/README.md \
	tests/bench/peer_dask.py tests/bench/peer_mpi4py.py \
	tests/bench/peer_pool.py

BENCHFLAGS =
bench: all tests/stage.stamp $(bench_programs) tests/bench/bench_tasks.la \
		tests/simulation/sim
	$(AM_TESTS_ENVIRONMENT) \
	CADRE_BENCHDIR='$(abs_top_builddir)/tests/bench' \
	$(srcdir)/tests/bench/bench $(BENCHFLAGS)
.PHONY: bench
