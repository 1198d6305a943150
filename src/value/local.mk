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
