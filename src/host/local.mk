noinst_LTLIBRARIES += src/host/libhost.la
src_host_libhost_la_SOURCES = \
	src/host/address.c src/host/address.h \
	src/host/client.c src/host/client.h \
	src/host/config.c src/host/config.h \
	src/host/driver.c src/host/driver.h \
	src/host/event.c src/host/event.h \
	src/host/helper.c src/host/helper.h \
	src/host/info.c \
	src/host/inquiry.c src/host/inquiry.h \
	src/host/jobs.c src/host/jobs.h \
	src/host/map.c \
	src/host/numbers.c src/host/numbers.h \
	src/host/opts.c src/host/opts.h \
	src/host/peers.c src/host/peers.h \
	src/host/pool.c src/host/pool.h \
	src/host/pump.c src/host/pump.h \
	src/host/result.c src/host/result.h \
	src/host/setting.c src/host/setting.h \
	src/host/shapes.c src/host/shapes.h \
	src/host/submit.c src/host/submit.h \
	src/host/sync.c src/host/sync.h \
	src/host/task.c src/host/task.h \
	src/host/version.c \
	src/host/wait.c src/host/wait.h \
	src/host/watch.c
# All that libcadre is made of, with its internal functions in sight.  The
# modules' objects, not their convenience libraries: some of those contain each
# other.
HOST_MODULES = \
	$(src_launch_liblaunch_la_OBJECTS) $(src_place_libplace_la_OBJECTS) \
	$(src_auth_libauth_la_OBJECTS) $(src_link_liblink_la_OBJECTS) \
	$(src_dispatch_libdispatch_la_OBJECTS) \
	$(src_engine_libnative_la_OBJECTS) $(src_engine_libcall_la_OBJECTS) \
	$(src_wire_libwire_la_OBJECTS) $(src_value_libvalue_la_OBJECTS) \
	$(src_util_libutil_la_OBJECTS)
src_host_libhost_la_LIBADD = $(HOST_MODULES) \
	$(NNG_LIBS) $(HWLOC_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) \
	$(PTHREAD_LIBS) -ldl -lm
EXTRA_src_host_libhost_la_DEPENDENCIES = $(HOST_MODULES)

# The library.
lib_LTLIBRARIES += libcadre.la
libcadre_la_SOURCES =
libcadre_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(CADRE_LIBVERSION) \
	-Wl,--version-script,$(top_srcdir)/src/host/libcadre.map
libcadre_la_LIBADD = src/host/libhost.la
EXTRA_libcadre_la_DEPENDENCIES = $(top_srcdir)/src/host/libcadre.map
EXTRA_DIST += src/host/libcadre.map

TESTS += tests/integration/symbols.bats
EXTRA_DIST += tests/integration/symbols.bats tests/abi/libcadre.symbols \
	examples/libsim.c examples/native.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# What libcadre is made of, with its internal functions.
tests_unit_test_config_LDADD = src/host/libhost.la $(UNIT_LIBS)

# The public API with real daemons.
check_PROGRAMS += tests/unit/test_host tests/unit/test_host_pools
TESTS += tests/unit/test_host tests/unit/test_host_pools
tests_unit_test_host_SOURCES = tests/unit/test_host.c \
	tests/unit/host_rig.c tests/unit/host_rig.h
HOST_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit \
	-DTEST_BUILDDIR='"$(abs_top_builddir)"' \
	-DTEST_SRCDIR='"$(abs_top_srcdir)"'
HOST_TEST_NEEDS = cadred$(EXEEXT) cadre-reaper$(EXEEXT) cadre-native$(EXEEXT) \
	tests/native/libtasks.la
tests_unit_test_host_CPPFLAGS = $(HOST_TEST_CPPFLAGS)
tests_unit_test_host_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_host_LDADD = libcadre.la $(UNIT_LIBS)
EXTRA_tests_unit_test_host_DEPENDENCIES = $(HOST_TEST_NEEDS)
tests_unit_test_host_pools_SOURCES = tests/unit/test_host_pools.c \
	tests/unit/host_rig.c tests/unit/host_rig.h
tests_unit_test_host_pools_CPPFLAGS = $(HOST_TEST_CPPFLAGS)
tests_unit_test_host_pools_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_host_pools_LDADD = libcadre.la $(UNIT_LIBS)
EXTRA_tests_unit_test_host_pools_DEPENDENCIES = $(HOST_TEST_NEEDS)
endif
