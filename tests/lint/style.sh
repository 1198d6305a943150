#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What clang-format does not see: licence lines, leftovers, sizes of files, and
# that every test is run.
cd "${CADRE_SRCDIR:-.}" || exit 1
status=0

bad()
{
	echo "$*"
	status=1
}

sources=$(find src include tests examples -name '*.[ch]' 2>/dev/null | sort)
scripts=$(find tests scripts .ci -type f \( -name '*.sh' -o -name '*.bats' \
	-o -name '*.bash' -o ! -name '*.*' \) -exec grep -lE '^#!|SPDX' {} + |
	grep -vF tests/stage/ | sort)

for f in $sources $scripts; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' ||
		bad "$f: no licence line at its head"
done

# A marker of unfinished work, spelt so that this file has none.
leftovers='TO''DO|FIX''ME|X''XX|not (yet )?impl''emented'
found=$(grep -nE "(^|[^A-Za-z.])($leftovers)([^A-Za-z]|\$)" $sources $scripts |
	grep -v 'mktemp\|XXXXXX')
[ -z "$found" ] || bad "unfinished work:
$found"

found=$(grep -nE '[[:blank:]]+$' $sources $scripts)
[ -z "$found" ] || bad "blanks at the end of a line:
$found"

for f in $(find src -name '*.[ch]'); do
	lines=$(wc -l <"$f")
	[ "$lines" -le 700 ] || bad "$f: $lines lines; split it (700 at most)"
done

# exit(), abort() and output are the caller's business in library code.
found=$(grep -nE '(^|[^_A-Za-z])(exit|abort|v?printf|puts|perror) ?\(' \
	src/util/*.c src/value/*.c src/wire/*.c src/dispatch/*.c src/link/*.c \
	src/auth/*.c src/place/*.c src/launch/*.c src/host/*.c 2>/dev/null)
[ -z "$found" ] || bad "not for library code:
$found"

for f in $(find tests -name 'test_*.c' -o -name '*.bats' |
	grep -vF tests/stage/); do
	grep -qF "$f" src/*/local.mk tests/local.mk tests/*/local.mk \
		tests/*/*/local.mk 2>/dev/null ||
		bad "$f: in no local.mk, so nothing runs it"
done
exit $status
