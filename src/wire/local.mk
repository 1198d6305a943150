noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
	src/wire/message.c src/wire/message.h \
	src/wire/wire.c src/wire/wire.h
