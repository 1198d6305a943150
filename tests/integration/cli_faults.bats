#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What a user of cadre map sees when processes are killed and limits are low.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

# Children of process $1 whose name is $2.
children() {
	local pid
	# shellcheck disable=SC2013 # they are words
	for pid in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		[ "$(cat /proc/"$pid"/comm 2>/dev/null)" != "$2" ] || echo "$pid"
	done
}

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# Starts a map over 1 to 100 in $pid, whose tasks add a line to "ran" each.
start_map() {
	seq 100 >numbers
	touch ran
	env "CADRE_TEST_MARK=$TEST_DIR" cadre map -j2 -k "$@" \
		'echo {} >>ran; sleep 0.02; echo {}' <numbers >out 2>err 3>&- &
	pid=$!
	wait_until 30 has_lines ran 10
}

@test "a daemon is killed half way: the answer is the serial one" {
	local daemons
	start_map --daemons 2 --json
	daemons=$(children $pid cadred)
	[ "$(wc -w <<<"$daemons")" -eq 2 ]
	kill -KILL "${daemons%%[!0-9]*}"
	wait $pid
	[ ! -s err ]
	sed 's/.*"stdout":"\([0-9]*\).*/\1/' out | cmp - numbers
	[ "$(sed 's/.*"daemon":\([0-9]*\).*/\1/' out | sort -u | wc -l)" -ge 2 ]
}

@test "the only daemon is killed: another one goes on" {
	start_map
	kill -KILL "$(children $pid cadred)"
	wait $pid
	cmp out numbers
}

@test "a reaper is killed: its task is lost and named, the others are done" {
	local reapers
	start_map --joblog log
	reapers=$(children "$(children $pid cadred)" cadre-reaper)
	[ "$(wc -w <<<"$reapers")" -eq 2 ]
	kill -KILL "${reapers%%[!0-9]*}"
	wait $pid || [ $? -eq 1 ]
	[ "$(wc -l <out)" -ge 99 ]
	[ "$(wc -l <err)" -le 1 ]
	[ $(($(wc -l <out) + $(grep -c 'cadre map: task .*: connection reset: ' err))) -eq 100 ]
	[ "$(wc -l <log)" -eq 101 ]
	# Run again, it is complete.
	cadre map -j2 -k --joblog log --resume-failed 'echo {}' <numbers >more
	cat out more | sort -n | cmp - numbers
}

@test "the host is killed: nothing is left behind" {
	local mark=CADRE_TEST_MARK=$TEST_DIR
	start_map
	kill -KILL $pid
	wait $pid || true
	wait_until 30 none_marked "$mark"
}

@test "a command that kills itself is one failure" {
	run cadre map -j2 --joblog log 'kill -SEGV $$ #' ::: 1
	[ "$status" -eq 1 ]
	[ "$(tail -n 1 log | cut -f 7,8)" = $'0\t11' ]
}

@test "flooding output does not cost memory" {
	[ -z "$CADRE_SANITIZER" ] || skip "a sanitizer takes address space"
	# 600 MB from two at a time; the whole of it has to fit in less.
	run bash -c 'ulimit -v 4000000
		cadre map -j2 "head -c 300000000 /dev/zero #" ::: 1 2 | wc -c'
	[ "$status" -eq 0 ]
	[ "$output" -eq 600000000 ]
	[ "$(find "$TMPDIR" -type f | wc -l)" -eq 0 ]
	run bash -c 'cadre run -- head -c 300000000 /dev/zero | wc -c'
	[ "$output" -eq 300000000 ]
}

@test "the memory of a long map stays flat" {
	[ -z "$CADRE_SANITIZER" ] || skip "a sanitizer keeps freed memory"
	local pid first last
	mkfifo in
	exec 4<>in
	cadre map -j2 --joblog log /bin/true <in 3>&- 4>&- &
	pid=$!
	peak() {
		awk '/^VmHWM/ { print $2 }' /proc/$pid/status
	}
	seq 1000 >&4
	wait_until 60 has_lines log 1001
	first=$(peak)
	seq 5000 >&4
	wait_until 120 has_lines log 6001
	last=$(peak)
	kill -TERM $pid
	exec 4>&-
	wait $pid || [ $? -eq 143 ]
	echo "first $first kB, last $last kB"
	[ $((last - first)) -lt 1000 ]
}

@test "limits that are too low are one sentence" {
	run bash -c 'ulimit -n 20; cadre map -j4 echo ::: 1 2 3'
	[ "$status" -eq 255 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "cadre map: "*"ulimit -n"* ]]
	run bash -c 'ulimit -n 64; cadre run --set slots=100 -- true'
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "*"ulimit -n"* ]]
}

@test "no way to start daemons is one sentence" {
	run env CADRE_CADRED=/no/such/cadred cadre map true ::: 1
	[ "$status" -eq 255 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "cadre map: "*cadred* ]]
	run env CADRE_LIBEXECDIR=/no/such/dir cadre run -- true
	[ "$status" -eq 125 ]
	[[ $output == "cadre run: "* ]]
}
