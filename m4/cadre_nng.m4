# SPDX-License-Identifier: MIT
#
# CADRE_NNG
#
# Finds nng 1.5 or later, but not 2, whose interface differs: by pkg-config
# where it has a .pc file, else by header and library (Debian's has none).
# NNG_CFLAGS and NNG_LIBS may be given on configure's command line.
AC_DEFUN([CADRE_NNG], [
  AC_ARG_VAR([NNG_CFLAGS], [C compiler flags for nng])
  AC_ARG_VAR([NNG_LIBS], [linker flags for nng])
  AS_IF([test "x$NNG_LIBS" = x],
    [AS_IF([test "x$PKG_CONFIG" != x && "$PKG_CONFIG" --exists nng],
      [NNG_CFLAGS=`"$PKG_CONFIG" --cflags nng`
       NNG_LIBS=`"$PKG_CONFIG" --libs nng`],
      [NNG_LIBS=-lnng])])
  cadre_nng_hint="install libnng-dev, or give NNG_CFLAGS and NNG_LIBS"
  cadre_saved_CPPFLAGS=$CPPFLAGS
  cadre_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $NNG_CFLAGS"
  LIBS="$NNG_LIBS $LIBS"
  AC_CHECK_HEADER([nng/nng.h], [],
    [AC_MSG_ERROR([nng 1.5 or later is needed: $cadre_nng_hint])])
  AC_MSG_CHECKING([for nng 1.5 or later, below 2])
  AC_PREPROC_IFELSE([AC_LANG_PROGRAM([[
#include <nng/nng.h>
#if NNG_MAJOR_VERSION != 1 || NNG_MINOR_VERSION < 5
#error unsuitable version
#endif
    ]])], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([nng 1.5 or later, but not 2, is needed: $cadre_nng_hint])])
  AC_MSG_CHECKING([for nng_stream_listener_alloc in $NNG_LIBS])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <nng/nng.h>
    ]], [[
nng_stream_listener *l;
return nng_stream_listener_alloc (&l, "");
    ]])], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([nng's library cannot be linked: $cadre_nng_hint])])
  CPPFLAGS=$cadre_saved_CPPFLAGS
  LIBS=$cadre_saved_LIBS
])
