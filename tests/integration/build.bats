#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What is installed, and that it is found and built against.

load helper

@test "every public header compiles alone, as C11 and as C++" {
	local header cxx=yes
	echo 'int x;' >x.cc
	${CC:-cc} -fsyntax-only x.cc 2>/dev/null || cxx=no
	for header in "$CADRE_STAGE${CADRE_INCLUDEDIR:?}"/cadre/*.h; do
		printf '#include <cadre/%s>\n' "${header##*/}" >one.c
		${CC:-cc} -std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only \
			-I"$CADRE_STAGE$CADRE_INCLUDEDIR" one.c
		[ $cxx = no ] || ${CC:-cc} -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only \
			-I"$CADRE_STAGE$CADRE_INCLUDEDIR" one.c
	done
}

@test "pkg-config knows the version that the headers name" {
	run pkg-config --modversion cadre
	[ "$status" -eq 0 ]
	printf '#include <cadre/version.h>\nCADRE_VERSION\n' >version.c
	# shellcheck disable=SC2046 # a list of flags
	[ "$(${CC:-cc} $(pkg-config --cflags cadre) -E -P version.c |
		tail -n 1)" = "\"$output\"" ]
}
