noinst_LTLIBRARIES += src/link/liblink.la
src_link_liblink_la_SOURCES = \
	src/link/conn.c src/link/conn.h \
	src/link/conn_recv.c \
	src/link/conn_send.c \
	src/link/dial.c \
	src/link/link.h \
	src/link/listen.c \
	src/link/nngrt.c src/link/nngrt.h \
	src/link/recv.c src/link/recv.h \
	src/link/send.c src/link/send.h \
	src/link/url.c src/link/url.h
src_link_liblink_la_LIBADD = src/wire/libwire.la src/util/libutil.la \
	$(NNG_LIBS) $(PTHREAD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_link tests/unit/test_link_frames \
	tests/unit/test_link_limit
TESTS += tests/unit/test_link tests/unit/test_link_frames \
	tests/unit/test_link_limit
tests_unit_test_link_limit_SOURCES = tests/unit/test_link_limit.c
tests_unit_test_link_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_link_limit_LDADD = src/link/liblink.la $(UNIT_LIBS)
tests_unit_test_link_frames_SOURCES = tests/unit/test_link_frames.c
tests_unit_test_link_frames_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_link_frames_LDADD = src/link/liblink.la $(UNIT_LIBS)
tests_unit_test_link_SOURCES = tests/unit/test_link.c \
	tests/unit/link_side.c tests/unit/link_side.h
tests_unit_test_link_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_unit_test_link_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_link_LDADD = src/link/liblink.la $(UNIT_LIBS)
endif
