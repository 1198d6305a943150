#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# cadre eval: C functions by name.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

setup() {
	cadre_setup
	cat >lib.c <<-'END'
		#include <stdlib.h>
		#include <unistd.h>
		#include <cadre/native.h>
		CADRE_NATIVE(twice)
		{
			double x;
			if (cadre_value_double_at(cadre_call_arg(call, "x"), 0, &x) < 0)
				return cadre_call_fail(call, "x must be a number");
			return cadre_call_return(call, cadre_value_of_double(2 * x));
		}
		CADRE_NATIVE(first)
		{
			return cadre_call_return_borrowed(call, cadre_call_arg_at(call, 0));
		}
		CADRE_NATIVE(crash)
		{
			(void)call;
			abort();
		}
		CADRE_NATIVE(slow)
		{
			cadre_call_progress(call, "half way");
			while (!cadre_call_cancelled(call))
				usleep(1000);
			return cadre_call_fail(call, "stopped");
		}
	END
}

build() {
	cc_cadre -shared -fPIC -o lib.so lib.c
}

@test "results are printed plainly or as JSON" {
	build
	[ "$(cadre eval --native ./lib.so:twice x=21)" = 42 ]
	[ "$(cadre eval --json --native ./lib.so:twice x=21)" = 42 ]
	[ "$(cadre eval --native ./lib.so:first text)" = text ]
	[ "$(cadre eval --json --native ./lib.so:first text)" = '"text"' ]
	[ "$(cadre eval --native ./lib.so:first '"42"')" = 42 ]
	[ "$(cadre eval --native ./lib.so:first '[1.5,2]')" = $'1.5\n2' ]
	[ "$(cadre eval --native ./lib.so:first true)" = true ]
	[ "$(cadre eval --native ./lib.so:first a=b=c)" = b=c ]
	[ -z "$(cadre eval --native ./lib.so:first null)" ]
}

@test "a function as source text" {
	# The header where it is staged, not where it will be installed.
	export CADRE_INCLUDEDIR=$CADRE_STAGE$CADRE_INCLUDEDIR
	[ "$(cadre eval --source lib.c:twice x=1.5)" = 3 ]
	[ "$(cadre eval --source -:twice x=1.5 <lib.c)" = 3 ]
	echo 'not C' >bad.c
	run cadre eval --source bad.c:twice x=1
	[ "$status" -eq 1 ]
	[[ $output == "cadre eval: "*error* ]]
	run cadre eval --source missing.c:f
	[ "$status" -eq 125 ]
	[ "$output" = "cadre eval: cannot read missing.c: No such file or directory" ]
}

@test "what goes wrong is one sentence and a status" {
	build
	run cadre eval --native ./lib.so:twice x=text
	[ "$status" -eq 1 ]
	[ "$output" = "cadre eval: x must be a number" ]
	run cadre eval --native ./lib.so:absent
	[ "$status" -eq 1 ]
	[[ $output == "cadre eval: "*absent*lib.so* ]]
	run cadre eval --native ./missing.so:f
	[ "$status" -eq 1 ]
	[[ $output == "cadre eval: "*missing.so*"No such file or directory" ]]
	# A library of another machine: the machine's number in its header.
	cp lib.so other.so
	printf '\xff\x00' | dd of=other.so bs=1 seek=18 conv=notrunc 2>/dev/null
	run cadre eval --native ./other.so:twice x=1
	[ "$status" -eq 1 ]
	[[ $output == "cadre eval: "*other.so* ]]
	run cadre eval --native ./lib.so:crash
	[ "$status" -eq 125 ]
	[[ $output == "cadre eval: "* ]]
	run cadre eval --native lib.so x=1
	[ "$status" -eq 125 ]
	run cadre eval x=1
	[ "$status" -eq 125 ]
	[ "$output" = "cadre eval: give either --native LIB:FUNCTION or --source FILE:FUNCTION" ]
}

@test "progress is shown, a time-out is 124" {
	build
	run cadre eval --timeout 0.2 --native ./lib.so:slow
	[ "$status" -eq 124 ]
	[[ $output == *"half way"* ]]
	[[ $output == *"cadre eval: timed out"* ]]
}
