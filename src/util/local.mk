noinst_LTLIBRARIES += src/util/libutil.la
src_util_libutil_la_SOURCES = \
	src/util/blob.c src/util/blob.h \
	src/util/buf.c src/util/buf.h \
	src/util/clock.c src/util/clock.h \
	src/util/error.c src/util/error.h \
	src/util/log.c src/util/log.h \
	src/util/parse.c src/util/parse.h
src_util_libutil_la_LIBADD = -lm

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_util
TESTS += tests/unit/test_util
tests_unit_test_util_SOURCES = tests/unit/test_util.c
tests_unit_test_util_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_util_LDADD = src/util/libutil.la $(UNIT_LIBS)
endif
