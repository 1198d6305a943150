#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What libcadre exports, and the example that is built against it.

load helper

@test "libcadre exports what the committed list says, under CADRE_0" {
	nm -D --defined-only "$CADRE_STAGE$CADRE_LIBDIR/libcadre.so" |
		awk '$2 != "A" { print $3 }' | LC_ALL=C sort >exported
	[ "$(sed -n 's/.*@//p' exported | sort -u)" = CADRE_0 ]
	sed 's/@.*//' exported >names
	diff -u "$CADRE_SRCDIR/tests/abi/libcadre.symbols" names
}

@test "every exported function is declared in a public header" {
	while read -r name; do
		grep -qw -- "$name" "$CADRE_STAGE$CADRE_INCLUDEDIR"/cadre/*.h || {
			echo "$name is in no header"
			return 1
		}
	done <"$CADRE_SRCDIR/tests/abi/libcadre.symbols"
}

@test "the example builds with pkg-config alone and its tasks are evaluated" {
	cp "$CADRE_SRCDIR/examples/native.c" "$CADRE_SRCDIR/examples/libsim.c" .
	cc_cadre -shared -fPIC -o libsim.so libsim.c
	cc_cadre -o native native.c
	./native >out
	[ "$(wc -l <out)" -eq 100 ]
	# The energy is inversely proportional to the gap.
	awk 'NR == 1 { first = $2 } { d = $2 * NR - first }
		d * d > 1e-4 * first * first { print "wrong:", $0; bad = 1 }
		END { exit bad || first == 0 }' out
}
