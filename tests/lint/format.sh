#!/bin/sh
# SPDX-License-Identifier: MIT
#
# clang-format has nothing to change.  Its versions disagree: 14 decides.
cd "${CADRE_SRCDIR:-.}" || exit 1
for tool in clang-format-14 clang-format; do
	case $($tool --version 2>/dev/null) in
	*"version 14."*)
		find src include tests examples -name "*.[ch]" -print0 2>/dev/null |
			xargs -0 $tool --dry-run -Werror
		exit
		;;
	esac
done
echo "clang-format 14 is not installed"
exit 77
