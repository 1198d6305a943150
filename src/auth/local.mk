noinst_LTLIBRARIES += src/auth/libauth.la
src_auth_libauth_la_SOURCES = \
	src/auth/auth.c src/auth/auth.h \
	src/auth/auth_none.c \
	src/auth/auth_peer.c \
	src/auth/handshake.c src/auth/handshake.h

if HAVE_CMOCKA
AUTH_TESTS = tests/unit/test_auth tests/unit/test_handshake
AUTH_TEST_LIBS = src/auth/libauth.la src/wire/libwire.la \
	src/util/libutil.la $(UNIT_LIBS)
check_PROGRAMS += $(AUTH_TESTS)
TESTS += $(AUTH_TESTS)
tests_unit_test_auth_SOURCES = tests/unit/test_auth.c
tests_unit_test_auth_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_auth_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_handshake_SOURCES = tests/unit/test_handshake.c
tests_unit_test_handshake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_handshake_LDADD = $(AUTH_TEST_LIBS)
endif
