noinst_LTLIBRARIES += src/daemon/libdaemon.la
src_daemon_libdaemon_la_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
src_daemon_libdaemon_la_SOURCES = \
	src/daemon/answer.c \
	src/daemon/cancel.c \
	src/daemon/channel.c src/daemon/channel.h \
	src/daemon/command.c \
	src/daemon/control.c \
	src/daemon/daemon.c src/daemon/daemon.h \
	src/daemon/epochs.c src/daemon/epochs.h \
	src/daemon/inbox.c src/daemon/inbox.h \
	src/daemon/inproc.c src/daemon/inproc.h \
	src/daemon/leave.c src/daemon/leave.h \
	src/daemon/limits.c src/daemon/limits.h \
	src/daemon/mark.c src/daemon/mark.h \
	src/daemon/queue.c src/daemon/queue.h \
	src/daemon/scratch.c src/daemon/scratch.h \
	src/daemon/settings.c src/daemon/settings.h \
	src/daemon/shared.c src/daemon/shared.h \
	src/daemon/slot.c src/daemon/slot.h \
	src/daemon/sweep.c src/daemon/sweep.h \
	src/daemon/turn.c src/daemon/turn.h \
	src/daemon/uplink.c src/daemon/uplink.h \
	src/daemon/worker.c
src_daemon_libdaemon_la_LIBADD = \
	src/launch/liblaunch.la src/auth/libauth.la src/link/liblink.la \
	src/engine/libspawn.la src/wire/libwire.la src/util/libutil.la \
	$(UV_LIBS) $(PTHREAD_LIBS)

bin_PROGRAMS += cadred
cadred_SOURCES = src/daemon/cadred.c
cadred_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
# For tasks within the daemon: what a user's library calls is exported, as by
# cadre-native.
cadred_LDFLAGS = $(cadre_native_LDFLAGS)
cadred_LDADD = src/daemon/libdaemon.la src/engine/libnative.la \
	src/place/libplace.la src/wire/libwire.la src/util/libutil.la \
	$(JANSSON_LIBS) -lm
EXTRA_cadred_DEPENDENCIES = src/value/libvalue.la src/engine/libcall.la

if HAVE_CMOCKA
check_LTLIBRARIES += tests/native/libtasks.la
tests_native_libtasks_la_SOURCES = tests/native/tasks.c
tests_native_libtasks_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

check_PROGRAMS += tests/unit/test_daemon_parts
TESTS += tests/unit/test_daemon_parts
tests_unit_test_daemon_parts_SOURCES = tests/unit/test_daemon_parts.c
tests_unit_test_daemon_parts_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_daemon_parts_LDADD = src/daemon/libdaemon.la \
	src/engine/libnative.la src/value/libvalue.la src/engine/libcall.la \
	src/wire/libwire.la src/util/libutil.la $(JANSSON_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_daemon
TESTS += tests/unit/test_daemon
tests_unit_test_daemon_SOURCES = tests/unit/test_daemon.c \
	tests/unit/daemon_rig.c tests/unit/daemon_rig.h
tests_unit_test_daemon_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTEST_BUILDDIR='"$(abs_top_builddir)"'
tests_unit_test_daemon_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_daemon_LDADD = src/auth/libauth.la src/link/liblink.la \
	src/value/libvalue.la src/wire/libwire.la src/util/libutil.la \
	$(JANSSON_LIBS) $(UNIT_LIBS)
EXTRA_tests_unit_test_daemon_DEPENDENCIES = cadred$(EXEEXT) \
	cadre-reaper$(EXEEXT) cadre-native$(EXEEXT) tests/native/libtasks.la
endif
