noinst_LTLIBRARIES += src/host/libhost.la
src_host_libhost_la_SOURCES = \
	src/host/address.c src/host/address.h \
	src/host/client.c src/host/client.h \
	src/host/config.c src/host/config.h \
	src/host/driver.c src/host/driver.h \
	src/host/event.c src/host/event.h \
	src/host/helper.c src/host/helper.h \
	src/host/info.c \
	src/host/jobs.c src/host/jobs.h \
	src/host/map.c \
	src/host/numbers.c src/host/numbers.h \
	src/host/opts.c src/host/opts.h \
	src/host/pool.c src/host/pool.h \
	src/host/result.c src/host/result.h \
	src/host/setting.c src/host/setting.h \
	src/host/submit.c src/host/submit.h \
	src/host/sync.c src/host/sync.h \
	src/host/task.c src/host/task.h \
	src/host/version.c \
	src/host/wait.c src/host/wait.h \
	src/host/watch.c
# All that libcadre is made of, with its internal functions in sight.  The
# modules' objects, not their convenience libraries: some of those contain each
# other.
src_host_libhost_la_LIBADD = \
	$(src_launch_liblaunch_la_OBJECTS) $(src_place_libplace_la_OBJECTS) \
	$(src_auth_libauth_la_OBJECTS) $(src_link_liblink_la_OBJECTS) \
	$(src_dispatch_libdispatch_la_OBJECTS) \
	$(src_engine_libnative_la_OBJECTS) $(src_engine_libcall_la_OBJECTS) \
	$(src_wire_libwire_la_OBJECTS) $(src_value_libvalue_la_OBJECTS) \
	$(src_util_libutil_la_OBJECTS) \
	$(NNG_LIBS) $(HWLOC_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) \
	$(PTHREAD_LIBS) -ldl -lm

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
endif
