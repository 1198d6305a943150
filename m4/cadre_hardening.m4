# SPDX-License-Identifier: MIT
#
# CADRE_HARDENING
#
# Adds the hardening flags that compiler and linker know to CADRE_CFLAGS and
# CADRE_LDFLAGS, unless --without-hardening or a sanitizer was asked for.
# -pie may be among the general linker flags: libtool keeps it from shared
# libraries, and hands -fPIC after -fPIE to their objects.
# Sets $cadre_hardening to the flags in use, for the summary.
AC_DEFUN([CADRE_HARDENING], [
  AC_REQUIRE([CADRE_SANITIZER])
  AC_ARG_WITH([hardening],
    [AS_HELP_STRING([--without-hardening],
      [leave out stack protector, relro, PIE and the like])],
    [], [with_hardening=yes])
  cadre_hardening=
  AS_IF([test "x$with_hardening" = xno], [cadre_hardening="no"],
    [test "x$cadre_sanitizer" != xno],
      [cadre_hardening="no (a sanitizer is on)"],
    [
    cadre_hard_cflags=
    cadre_hard_ldflags=
    AC_MSG_CHECKING([whether the compiler optimises])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef __OPTIMIZE__
#error not optimising
#endif
      ]])], [cadre_optimises=yes], [cadre_optimises=no])
    AC_MSG_RESULT([$cadre_optimises])
    # The C library refuses to fortify what is not optimised.
    AS_IF([test "x$cadre_optimises" = xyes],
      [cadre_hard_cflags="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
    AX_APPEND_COMPILE_FLAGS([-fstack-protector-strong -fstack-clash-protection -fcf-protection],
      [cadre_hard_cflags], [-Werror])
    AX_APPEND_LINK_FLAGS([-Wl,-z,relro -Wl,-z,now], [cadre_hard_ldflags],
      [-Werror])
    AX_CHECK_COMPILE_FLAG([-fPIE],
      [AX_CHECK_LINK_FLAG([-pie],
        [AX_APPEND_FLAG([-fPIE], [cadre_hard_cflags])
         AX_APPEND_FLAG([-pie], [cadre_hard_ldflags])], [],
        [-fPIE -Werror])], [], [-Werror])
    AX_APPEND_FLAG([$cadre_hard_cflags], [CADRE_CFLAGS])
    AX_APPEND_FLAG([$cadre_hard_ldflags], [CADRE_LDFLAGS])
    cadre_hardening=`echo $cadre_hard_cflags $cadre_hard_ldflags`
    ])
])
