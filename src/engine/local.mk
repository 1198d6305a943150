noinst_LTLIBRARIES += src/engine/libspawn.la
src_engine_libspawn_la_SOURCES = \
	src/daemon/spawn.c src/daemon/spawn.h \
	src/daemon/tree.c src/daemon/tree.h
src_engine_libspawn_la_LIBADD = src/util/libutil.la

cadrelibexec_PROGRAMS += cadre-reaper
cadre_reaper_SOURCES = \
	src/daemon/reaper.c src/daemon/reaper.h \
	src/daemon/reaper_env.c src/daemon/reaper_env.h \
	src/daemon/reaper_output.c src/daemon/reaper_output.h \
	src/daemon/reaper_scratch.c src/daemon/reaper_scratch.h \
	src/daemon/reaper_task.c \
	src/daemon/reaper_worker.c
cadre_reaper_LDADD = src/engine/libspawn.la src/wire/libwire.la src/util/libutil.la

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_reaper
TESTS += tests/unit/test_reaper
tests_unit_test_reaper_SOURCES = tests/unit/test_reaper.c \
	tests/unit/test_reaper_rig.c tests/unit/test_reaper_rig.h
tests_unit_test_reaper_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_BUILDDIR='"$(abs_top_builddir)"'
tests_unit_test_reaper_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_reaper_LDADD = src/wire/libwire.la src/util/libutil.la $(UNIT_LIBS)
EXTRA_tests_unit_test_reaper_DEPENDENCIES = cadre-reaper$(EXEEXT)
endif
