#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cppcheck finds no fault; cppcheck.txt has what it gets wrong.  Its versions
# disagree: 2.10 decides.
cd "${CADRE_SRCDIR:-.}" || exit 1
case $(cppcheck --version 2>/dev/null) in
"Cppcheck 2.10"*) ;;
*)
	echo "cppcheck 2.10 is not installed"
	exit 77
	;;
esac
cppcheck -q --std=c11 --language=c --error-exitcode=1 \
	--enable=warning --library=posix,gnu \
	--suppressions-list=tests/lint/cppcheck.txt --inline-suppr \
	-D_GNU_SOURCE -D__linux__ -D__GNUC__ -UFORCE -Iinclude -Isrc src
