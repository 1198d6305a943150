noinst_LTLIBRARIES += src/launch/liblaunch.la
src_launch_liblaunch_la_SOURCES = \
	src/launch/find.c \
	src/launch/launch.c src/launch/launch.h \
	src/launch/local.c \
	src/launch/record.c
src_launch_liblaunch_la_LIBADD = src/util/libutil.la
