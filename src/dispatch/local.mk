noinst_LTLIBRARIES += src/dispatch/libdispatch.la
src_dispatch_libdispatch_la_SOURCES = \
	src/dispatch/alarm.c \
	src/dispatch/client.c \
	src/dispatch/credit.c \
	src/dispatch/daemon.c \
	src/dispatch/dispatch.c src/dispatch/dispatch.h \
	src/dispatch/epoch.c \
	src/dispatch/life.c \
	src/dispatch/peer.c \
	src/dispatch/ready.c \
	src/dispatch/retry.c \
	src/dispatch/spec.c \
	src/dispatch/state.h \
	src/dispatch/status.c \
	src/dispatch/table.c

if HAVE_CMOCKA
DISPATCH_TESTS = \
	tests/unit/test_dispatch \
	tests/unit/test_dispatch_daemon \
	tests/unit/test_dispatch_host
DISPATCH_LIBS = src/dispatch/libdispatch.la src/wire/libwire.la \
	src/value/libvalue.la src/util/libutil.la
DISPATCH_RIG = tests/unit/test_dispatch_rig.c tests/unit/test_dispatch_rig.h
check_PROGRAMS += $(DISPATCH_TESTS)
TESTS += $(DISPATCH_TESTS)
tests_unit_test_dispatch_SOURCES = tests/unit/test_dispatch.c $(DISPATCH_RIG)
tests_unit_test_dispatch_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dispatch_LDADD = $(DISPATCH_LIBS) $(UNIT_LIBS)
tests_unit_test_dispatch_daemon_SOURCES = \
	tests/unit/test_dispatch_daemon.c $(DISPATCH_RIG)
tests_unit_test_dispatch_daemon_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dispatch_daemon_LDADD = $(DISPATCH_LIBS) $(UNIT_LIBS)
tests_unit_test_dispatch_host_SOURCES = \
	tests/unit/test_dispatch_host.c $(DISPATCH_RIG)
tests_unit_test_dispatch_host_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dispatch_host_LDADD = $(DISPATCH_LIBS) $(UNIT_LIBS)
endif
