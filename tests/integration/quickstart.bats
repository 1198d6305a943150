#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What README.md shows first, and the job that scripts/quickstart runs.

load helper

# block LANGUAGE: the first block of that language in README.md.
block() {
	awk -v fence='```'"$1" '$0 == fence { on = 1; next }
		on && /^```/ { exit } on' "$CADRE_SRCDIR/README.md"
}

@test "the main job gives the serial answer" {
	run "$CADRE_SRCDIR/scripts/job" cadre /usr/include/linux 2
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"the same, byte for byte"* ]]
	[[ $output == *"speed-up"* ]]
}

@test "the main job fails if an answer is wrong" {
	cat >wrong <<-'END'
		#!/bin/sh
		cadre "$@" | sed '1s/^[0-9]*/1/'
	END
	chmod +x wrong
	run "$CADRE_SRCDIR/scripts/job" "$PWD/wrong" /usr/include/asm-generic 1
	[ "$status" -ne 0 ]
	[[ $output == *"the answers differ"* ]]
}

@test "the main job fails if files have no answer" {
	cat >short <<-'END'
		#!/bin/sh
		cadre "$@" | sed '$d'
	END
	chmod +x short
	run "$CADRE_SRCDIR/scripts/job" "$PWD/short" /usr/include/asm-generic 1
	[ "$status" -ne 0 ]
}

@test "the program in README.md compiles without a warning and runs" {
	block c >program.c
	[ -s program.c ]
	cc_cadre -Wall -Wextra -Werror program.c -o program
	run ./program
	[ "$status" -eq 0 ]
}

@test "the commands in README.md print what it shows" {
	cp "$CADRE_SRCDIR/examples/libsim.c" .
	cc_cadre -shared -fPIC -o libsim.so libsim.c
	awk -v fence='```' '$0 == fence && !seen++ { on = 1; next }
		on && /^```/ { exit } on' "$CADRE_SRCDIR/README.md" >block
	sed -n 's/^\$ //p' block >commands
	[ "$(grep -c '^cadre' commands)" -eq 3 ]
	# Digits beyond the tenth depend on the compiler.
	grep -v '^\$ ' block | sed -E 's/^(-?[0-9]+\.[0-9]{6}).*/\1/' >expected
	sh commands | sed -E 's/^(-?[0-9]+\.[0-9]{6}).*/\1/' >out
	diff expected out
}

@test "an installation that was moved finds its own programs" {
	local moved=$TEST_DIR/moved
	mkdir "$moved"
	cp -a "$CADRE_STAGE/." "$moved/"
	unset CADRE_CADRED CADRE_LIBEXECDIR
	LD_LIBRARY_PATH=$moved$CADRE_LIBDIR run "$moved$CADRE_BINDIR/cadre" \
		run -- echo moved
	[ "$status" -eq 0 ]
	[ "$output" = moved ]
}
