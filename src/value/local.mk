noinst_LTLIBRARIES += src/value/libvalue.la
src_value_libvalue_la_SOURCES = \
	src/value/access.c \
	src/value/codec.c src/value/codec.h \
	src/value/strings.c src/value/strings.h \
	src/value/value.c src/value/value.h
src_value_libvalue_la_LIBADD = -lm
