#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# cadre run: one command, as if it ran here.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

# Becomes a process that a signal can interrupt: background processes of scripts
# ignore SIGINT.
interruptible() {
	exec env --default-signal=INT "$@"
}

# As bats's run, which warns of status 127.
try() {
	status=0
	output=$("$@" 2>&1) || status=$?
}

@test "output goes where the command sends it" {
	cadre run -- sh -c 'echo out; echo err >&2' >out 2>err
	[ "$(cat out)" = out ]
	[ "$(cat err)" = err ]
}

@test "the exit status is the command's, or tells what failed" {
	local want
	touch not-executable
	while read -r want command; do
		# shellcheck disable=SC2086 # words
		try cadre run -- $command
		[ "$status" -eq "$want" ] || {
			echo "$command: $status, not $want"
			return 1
		}
	done <<-'END'
		0 true
		1 false
		127 no-such-command
		126 ./not-executable
		127 /no/such/file
	END
	run cadre run -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	run cadre run -- sh -c 'kill -9 $$'
	[ "$status" -eq 137 ]
	run cadre run --timeout 0.1 -- sleep 60
	[ "$status" -eq 124 ]
	[[ $output == "cadre run: sleep: timed out after "* ]]
}

@test "a command that is not found is named" {
	try cadre run -- no-such-command
	[ "$status" -eq 127 ]
	[[ $output == "cadre run: no-such-command: "*"No such file or directory" ]]
}

@test "arguments arrive as they are, whatever bytes they hold" {
	local odd=$'a b\n"c\'d\\\xff*$x'
	cadre run -- printf '%s' "$odd" '' "x" >out
	printf '%s' "$odd" x >want
	cmp out want
}

@test "standard input is passed on: a pipe, a file, the rest of a file" {
	seq 100000 >numbers
	seq 100000 | cadre run -- cat | cmp - numbers
	cadre run -- cat <numbers | cmp - numbers
	{
		read -r _
		cadre run -- cat
	} < <(seq 100000) | cmp - <(seq 2 100000)
	[ "$(cadre run --stdin numbers -- head -n 1)" = 1 ]
	seq 3 | cadre run --no-stdin -- wc -c | grep -qx 0
}

@test "a pipe is read as it fills" {
	# The second line comes only when the command has printed the first.
	{ echo one && wait_until 20 grep -qx one out && echo two; } |
		cadre run -- cat >out
	[ "$(cat out)" = $'one\ntwo' ]
}

@test "output comes while the command runs" {
	mkfifo go
	cadre run -- sh -c 'echo first; cat go; echo last' >out 3>&- &
	local pid=$!
	wait_until 20 grep -qx first out
	[ "$(cat out)" = first ]
	echo middle >go
	wait $pid
	[ "$(cat out)" = $'first\nmiddle\nlast' ]
}

@test "100 MB of output arrive complete" {
	cadre run -- head -c 100000000 /dev/zero | wc -c | grep -qx 100000000
}

@test "environment and working directory are chosen" {
	mkdir sub
	[ "$(cadre run --cwd "$PWD/sub" -- pwd)" = "$PWD/sub" ]
	[ "$(cadre run -- pwd)" = "$PWD" ]
	[ "$(cadre run --env A=b=c -- sh -c 'echo "$A"')" = b=c ]
	[ "$(A=inherited cadre run -- sh -c 'echo "$A"')" = inherited ]
	[ "$(cadre run -- sh -c 'echo $CADRE_SLOT $CADRE_ATTEMPT')" = "1 1" ]
}

@test "failed commands are tried again as often as told" {
	run cadre run --retries 3 -- sh -c 'echo x >>tries; exit 5'
	[ "$status" -eq 5 ]
	[ "$(wc -l <tries)" -eq 3 ]
}

@test "SIGINT ends the command and all its children, status 130" {
	local mark=CADRE_TEST_MARK=$TEST_DIR
	export "${mark?}"
	interruptible cadre run -- sh -c 'sleep 600 & touch up; sleep 600' 3>&- &
	local pid=$!
	wait_until 20 test -e up
	kill -INT $pid
	wait $pid || [ $? -eq 130 ]
	unset CADRE_TEST_MARK
	wait_until 20 none_marked "$mark"
}

@test "a second SIGINT does not wait for the grace period" {
	interruptible cadre run --set grace=10m -- \
		sh -c 'trap "" INT TERM; touch up; while :; do sleep 0.1; done' 3>&- &
	local pid=$!
	wait_until 20 test -e up
	# More than one signal, until it is gone.
	wait_until 20 sh -c "! kill -INT $pid 2>/dev/null"
	wait $pid || [ $? -eq 130 ]
}

@test "a closed standard output ends it quietly, a full one does not" {
	run bash -c 'cadre run -- yes | head -n 1'
	[ "$status" -eq 0 ]
	[ "$output" = y ]
	run bash -c 'cadre run -- echo x >/dev/full'
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: cannot write to standard output: No space left on device" ]]
}

@test "wrong options are one sentence and status 125" {
	run cadre run --tiemout 3 -- true
	[ "$status" -eq 125 ]
	[ "$output" = "cadre run: unknown option --tiemout; did you mean --timeout?" ]
	run cadre run
	[ "$status" -eq 125 ]
	[ "$output" = "cadre run: no command; see cadre run --help" ]
	run cadre run --timeout soon -- true
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "*timeout*soon* ]]
	run cadre run --set nonsense=1 -- true
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "*nonsense* ]]
	run cadre rnu -- true
	[ "$status" -eq 125 ]
	[ "$output" = "cadre: unknown command rnu; did you mean run?" ]
}

@test "an address that nobody can listen at is named" {
	run cadre run --url ipc:///no/such/dir/socket -- true
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "*"/no/such/dir"* ]]
	run cadre run --url tcp://127.0.0.1:0 -- true
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "*auth* ]]
	[ "$(cadre run --url tcp://127.0.0.1:0 --auth none -- echo tcp)" = tcp ]
}
