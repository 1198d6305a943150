# SPDX-License-Identifier: MIT
#
# CADRE_NEED(VARIABLE, MODULE, VERSION, DEBIAN-PACKAGE)
#
# A library that cadre cannot do without: sets VARIABLE_CFLAGS and
# VARIABLE_LIBS, or ends with a sentence that names the package to install.
AC_DEFUN([CADRE_NEED], [
  PKG_CHECK_MODULES([$1], [$2 >= $3], [],
    [AC_MSG_ERROR([$2 $3 or later is needed: install $4, or set $1_CFLAGS and $1_LIBS
($$1_PKG_ERRORS)])])
])

# CADRE_WANT(VARIABLE, MODULE, VERSION, NAME)
#
# A library that adds something: --with-NAME insists on it, --without-NAME
# leaves it out.  Sets $have_NAME, VARIABLE_CFLAGS and VARIABLE_LIBS, defines
# HAVE_VARIABLE in config.h and for automake.
AC_DEFUN([CADRE_WANT], [
  AC_ARG_WITH([$4],
    [AS_HELP_STRING([--without-$4], [leave out $4 even if it is there])],
    [], [with_$4=auto])
  have_$4=no
  AS_IF([test "x$with_$4" != xno],
    [PKG_CHECK_MODULES([$1], [$2 >= $3], [have_$4=yes],
      [AS_IF([test "x$with_$4" != xauto],
        [AC_MSG_ERROR([--with-$4 was given, but $2 $3 or later was not found])])])])
  AS_IF([test "x$have_$4" = xyes],
    [AC_DEFINE([HAVE_$1], [1], [Define to 1 if $4 is used.])])
  AM_CONDITIONAL([HAVE_$1], [test "x$have_$4" = xyes])
])
