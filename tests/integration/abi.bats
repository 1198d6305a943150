#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What the library shows to the linker; symbols.bats compares it with its list.

load helper

setup() {
	cadre_setup
	LIB=$CADRE_STAGE$CADRE_LIBDIR/libcadre.so
	LIST=$CADRE_SRCDIR/tests/abi/libcadre.symbols
}

@test "every function that a public header declares is exported" {
	cat "$CADRE_STAGE$CADRE_INCLUDEDIR"/cadre/*.h >headers
	# Functions begin a line, or follow their type; typedefs end in _fn.
	grep -vE '^ \*|^/\*|typedef' headers |
		grep -oE '\bcadre_[a-z0-9_]+ ?\(' | tr -d '( ' |
		grep -vE '_fn$|^cadre_native_(init|fini)$' |
		LC_ALL=C sort -u >declared
	diff "$LIST" declared
}

@test "no internal symbol begins with cadre_" {
	find "$CADRE_BUILDDIR/src" -name 'lib*.a' -path '*/.libs/*' \
		-exec nm -g --defined-only {} + 2>/dev/null |
		awk '$3 ~ /^cadre_/ { print $3 }' | LC_ALL=C sort -u >defined
	[ -s defined ]
	run comm -13 "$LIST" defined
	[ -z "$output" ]
}

@test "the library has a soname and needs no search path" {
	readelf -d "$LIB" >dynamic
	grep -q 'SONAME.*\[libcadre\.so\.0\]' dynamic
	run ! grep -E 'RPATH|TEXTREL' dynamic
}

@test "programs and library are hardened as configure said" {
	[ "$CADRE_SANITIZER" = no ] || skip "built with a sanitizer"
	grep -q 'z,now' "$CADRE_BUILDDIR/config.status" ||
		skip "configured --without-hardening"
	local f
	for f in "$LIB" "$CADRE_STAGE$CADRE_BINDIR"/cadre*; do
		readelf -lW "$f" >segments
		readelf -dW "$f" >dynamic
		readelf -hW "$f" >header
		grep -q GNU_RELRO segments
		grep -q 'NOW' dynamic
		grep -q 'Type:.*DYN' header
	done
}
