noinst_LTLIBRARIES += src/daemon/libdaemon.la
src_daemon_libdaemon_la_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
src_daemon_libdaemon_la_SOURCES = \
	src/daemon/cancel.c \
	src/daemon/channel.c src/daemon/channel.h \
	src/daemon/command.c \
	src/daemon/control.c \
	src/daemon/daemon.c src/daemon/daemon.h \
	src/daemon/epochs.c src/daemon/epochs.h \
	src/daemon/inbox.c src/daemon/inbox.h \
	src/daemon/leave.c src/daemon/leave.h \
	src/daemon/limits.c src/daemon/limits.h \
	src/daemon/mark.c src/daemon/mark.h \
	src/daemon/queue.c src/daemon/queue.h \
	src/daemon/scratch.c src/daemon/scratch.h \
	src/daemon/settings.c src/daemon/settings.h \
	src/daemon/shared.c src/daemon/shared.h \
	src/daemon/slot.c src/daemon/slot.h \
	src/daemon/sweep.c src/daemon/sweep.h \
	src/daemon/uplink.c src/daemon/uplink.h \
	src/daemon/worker.c
src_daemon_libdaemon_la_LIBADD = \
	src/launch/liblaunch.la src/auth/libauth.la src/link/liblink.la \
	src/engine/libspawn.la src/wire/libwire.la src/util/libutil.la \
	$(UV_LIBS) $(PTHREAD_LIBS)

bin_PROGRAMS += cadred
cadred_SOURCES = src/daemon/cadred.c
cadred_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
cadred_LDADD = src/daemon/libdaemon.la src/place/libplace.la
