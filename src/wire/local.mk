EXTRA_DIST += PROTOCOL.md
noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
	src/wire/message.c src/wire/message.h \
	src/wire/wire.c src/wire/wire.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_wire
TESTS += tests/unit/test_wire
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c
tests_unit_test_wire_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wire_LDADD = src/wire/libwire.la src/util/libutil.la \
	$(UNIT_LIBS)
endif
