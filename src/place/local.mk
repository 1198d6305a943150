noinst_LTLIBRARIES += src/place/libplace.la
src_place_libplace_la_SOURCES = \
	src/place/kernel.c src/place/kernel.h \
	src/place/place.c src/place/place.h \
	src/place/topology.c src/place/topology.h
src_place_libplace_la_CFLAGS = $(AM_CFLAGS) $(HWLOC_CFLAGS)
src_place_libplace_la_LIBADD = $(HWLOC_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_place
TESTS += tests/unit/test_place
tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(HWLOC_CFLAGS)
tests_unit_test_place_LDADD = src/place/libplace.la $(HWLOC_LIBS) $(UNIT_LIBS)
endif
