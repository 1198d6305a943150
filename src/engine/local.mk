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

noinst_LTLIBRARIES += src/engine/libcall.la
src_engine_libcall_la_SOURCES = src/engine/call.c src/engine/call.h

noinst_LTLIBRARIES += src/engine/libnative.la
src_engine_libnative_la_CFLAGS = $(AM_CFLAGS) $(SODIUM_CFLAGS)
src_engine_libnative_la_SOURCES = \
	src/engine/compile.c src/engine/compile.h \
	src/engine/library.c src/engine/library.h \
	src/engine/native.c src/engine/native.h
src_engine_libnative_la_LIBADD = $(SODIUM_LIBS) -ldl

# The functions that a user's library calls are this program's own: loading
# libcadre and all that it needs would take several times as long.  A library
# that was linked with libcadre still needs to find it: hence the path.
cadrelibexec_PROGRAMS += cadre-native
cadre_native_SOURCES = src/engine/worker.c src/engine/engine.h
cadre_native_LDFLAGS = $(AM_LDFLAGS) -export-dynamic \
	-Wl,--disable-new-dtags -Wl,-rpath,$(libdir) \
	-Wl,--whole-archive,src/value/.libs/libvalue.a,src/engine/.libs/libcall.a,--no-whole-archive
cadre_native_LDADD = src/engine/libnative.la src/wire/libwire.la \
	src/util/libutil.la $(JANSSON_LIBS) -lm
EXTRA_cadre_native_DEPENDENCIES = src/value/libvalue.la src/engine/libcall.la

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

check_PROGRAMS += tests/unit/test_reaper_tree
TESTS += tests/unit/test_reaper_tree
tests_unit_test_reaper_tree_SOURCES = tests/unit/test_reaper_tree.c \
	tests/unit/test_reaper_rig.c tests/unit/test_reaper_rig.h
tests_unit_test_reaper_tree_CPPFLAGS = $(tests_unit_test_reaper_CPPFLAGS)
tests_unit_test_reaper_tree_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_reaper_tree_LDADD = src/engine/libspawn.la \
	$(tests_unit_test_reaper_LDADD)
EXTRA_tests_unit_test_reaper_tree_DEPENDENCIES = cadre-reaper$(EXEEXT)

check_LTLIBRARIES += tests/native/librig.la
tests_native_librig_la_SOURCES = tests/native/rig.c
tests_native_librig_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

check_PROGRAMS += tests/unit/test_native
TESTS += tests/unit/test_native
tests_unit_test_native_SOURCES = tests/unit/test_native.c \
	tests/unit/test_reaper_rig.c tests/unit/test_reaper_rig.h
tests_unit_test_native_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_BUILDDIR='"$(abs_top_builddir)"'
tests_unit_test_native_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_native_LDADD = src/value/libvalue.la src/wire/libwire.la \
	src/util/libutil.la $(JANSSON_LIBS) $(UNIT_LIBS)
EXTRA_tests_unit_test_native_DEPENDENCIES = cadre-native$(EXEEXT) \
	tests/native/librig.la

check_PROGRAMS += tests/unit/test_native_claim
TESTS += tests/unit/test_native_claim
tests_unit_test_native_claim_SOURCES = tests/unit/test_native_claim.c
tests_unit_test_native_claim_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_native_claim_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_compile
TESTS += tests/unit/test_compile
tests_unit_test_compile_SOURCES = tests/unit/test_compile.c \
	tests/unit/test_reaper_rig.c tests/unit/test_reaper_rig.h
tests_unit_test_compile_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_BUILDDIR='"$(abs_top_builddir)"' \
	-DTEST_INCLUDES='"$(abs_top_srcdir)/include:$(abs_top_builddir)/include"'
tests_unit_test_compile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_compile_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_unit_test_compile_LDADD = src/engine/libnative.la src/engine/libcall.la \
	src/value/libvalue.la src/wire/libwire.la src/util/libutil.la \
	$(JANSSON_LIBS) $(UNIT_LIBS)
endif
