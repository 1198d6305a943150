noinst_LTLIBRARIES += src/auth/libauth.la
src_auth_libauth_la_SOURCES = \
	src/auth/auth.c src/auth/auth.h \
	src/auth/auth_none.c \
	src/auth/auth_peer.c \
	src/auth/handshake.c src/auth/handshake.h
