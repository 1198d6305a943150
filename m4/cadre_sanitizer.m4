# SPDX-License-Identifier: MIT
#
# CADRE_SANITIZER
#
# --enable-sanitizer=LIST hands LIST to -fsanitize= for everything that is
# built; the first finding ends the program, so that a test fails.
# Sets $cadre_sanitizer to LIST or "no"; CADRE_TEST_CFLAGS is what programs that
# tests build need to be linked with the library.
AC_DEFUN([CADRE_SANITIZER], [
  AC_ARG_ENABLE([sanitizer],
    [AS_HELP_STRING([--enable-sanitizer=LIST],
      [build with these sanitizers: address,undefined or thread])],
    [cadre_sanitizer=$enableval], [cadre_sanitizer=no])
  AS_IF([test "x$cadre_sanitizer" = xyes],
    [AC_MSG_ERROR([--enable-sanitizer needs a list, such as address,undefined])])
  AS_IF([test "x$cadre_sanitizer" != xno], [
    cadre_san_flags="-fsanitize=$cadre_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"
    AC_MSG_CHECKING([whether programs build with -fsanitize=$cadre_sanitizer])
    cadre_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $cadre_san_flags"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       AC_MSG_ERROR([$CC cannot build with -fsanitize=$cadre_sanitizer: install its runtime library, or leave out --enable-sanitizer])])
    CFLAGS=$cadre_saved_CFLAGS
    CADRE_CFLAGS="$CADRE_CFLAGS $cadre_san_flags"
    # gcc warns that the thread sanitizer does not see fences.
    AX_APPEND_COMPILE_FLAGS([-Wno-tsan], [CADRE_CFLAGS], [-Werror])
    CADRE_LDFLAGS="$CADRE_LDFLAGS -fsanitize=$cadre_sanitizer"
    CADRE_TEST_CFLAGS="-fsanitize=$cadre_sanitizer"
  ])
  AC_SUBST([CADRE_TEST_CFLAGS])
])
