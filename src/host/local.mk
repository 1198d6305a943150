# The library.
lib_LTLIBRARIES += libcadre.la
libcadre_la_SOURCES = \
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
libcadre_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(CADRE_LIBVERSION) \
	-Wl,--version-script,$(top_srcdir)/src/host/libcadre.map
# The modules' objects, not their convenience libraries: some of those contain
# each other.
CADRE_MODULES = \
	$(src_launch_liblaunch_la_OBJECTS) $(src_place_libplace_la_OBJECTS) \
	$(src_auth_libauth_la_OBJECTS) $(src_link_liblink_la_OBJECTS) \
	$(src_dispatch_libdispatch_la_OBJECTS) \
	$(src_engine_libnative_la_OBJECTS) $(src_engine_libcall_la_OBJECTS) \
	$(src_wire_libwire_la_OBJECTS) $(src_value_libvalue_la_OBJECTS) \
	$(src_util_libutil_la_OBJECTS)
libcadre_la_LIBADD = $(CADRE_MODULES) $(NNG_LIBS) $(HWLOC_LIBS) \
	$(JANSSON_LIBS) $(SODIUM_LIBS) $(PTHREAD_LIBS) -ldl -lm
libcadre_la_DEPENDENCIES = $(CADRE_MODULES) \
	$(top_srcdir)/src/host/libcadre.map
EXTRA_DIST += src/host/libcadre.map
