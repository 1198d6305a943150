noinst_LTLIBRARIES += src/dispatch/libdispatch.la
src_dispatch_libdispatch_la_SOURCES = \
	src/dispatch/alarm.c \
	src/dispatch/client.c \
	src/dispatch/credit.c \
	src/dispatch/daemon.c \
	src/dispatch/dispatch.c src/dispatch/dispatch.h \
	src/dispatch/epoch.c \
	src/dispatch/life.c \
	src/dispatch/peer.c \
	src/dispatch/ready.c \
	src/dispatch/retry.c \
	src/dispatch/spec.c \
	src/dispatch/state.h \
	src/dispatch/status.c \
	src/dispatch/table.c
