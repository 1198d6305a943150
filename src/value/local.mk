noinst_LTLIBRARIES += src/value/libvalue.la
src_value_libvalue_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
src_value_libvalue_la_SOURCES = \
	src/value/access.c \
	src/value/base64.c src/value/base64.h \
	src/value/codec.c src/value/codec.h \
	src/value/json_read.c \
	src/value/json_write.c \
	src/value/strings.c src/value/strings.h \
	src/value/value.c src/value/value.h
src_value_libvalue_la_LIBADD = $(JANSSON_LIBS) -lm

if HAVE_CMOCKA
VALUE_TESTS = \
	tests/unit/test_value \
	tests/unit/test_value_codec \
	tests/unit/test_value_json
VALUE_TEST_LIBS = src/value/libvalue.la src/util/libutil.la $(UNIT_LIBS)
check_PROGRAMS += $(VALUE_TESTS)
TESTS += $(VALUE_TESTS)
tests_unit_test_value_SOURCES = tests/unit/test_value.c
tests_unit_test_value_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_value_LDADD = $(VALUE_TEST_LIBS)
tests_unit_test_value_codec_SOURCES = tests/unit/test_value_codec.c \
	tests/unit/value_samples.c tests/unit/value_samples.h
tests_unit_test_value_codec_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_value_codec_LDADD = $(VALUE_TEST_LIBS)
tests_unit_test_value_json_SOURCES = tests/unit/test_value_json.c \
	tests/unit/value_samples.c tests/unit/value_samples.h
tests_unit_test_value_json_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_value_json_LDADD = $(VALUE_TEST_LIBS)
endif
