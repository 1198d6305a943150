noinst_LTLIBRARIES += src/launch/liblaunch.la
src_launch_liblaunch_la_SOURCES = \
	src/launch/find.c \
	src/launch/launch.c src/launch/launch.h \
	src/launch/local.c \
	src/launch/record.c
src_launch_liblaunch_la_LIBADD = src/util/libutil.la

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_launch
TESTS += tests/unit/test_launch
tests_unit_test_launch_SOURCES = tests/unit/test_launch.c
tests_unit_test_launch_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_launch_LDADD = src/launch/liblaunch.la $(UNIT_LIBS)
endif
